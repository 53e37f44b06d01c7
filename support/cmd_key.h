/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_key.h: making a key, for `key create`, `key roll` and `init`.
 */
#ifndef CMD_KEY_H
#define CMD_KEY_H

#include "rrctl_api.h"

/* What key is wanted. */
typedef struct rrctl_key_order_t {
    const char *client;
    const char *name;     /* of the proxy credential, made if there is none; roll: or an id */
    const char *value;    /* a brought key; NULL: one is generated */
    const char *scopes;   /* JSON array; NULL: not said */
    const char *metadata; /* JSON object, compact; NULL: not said */
    apr_time_t expires;   /* 0: no end */
    apr_interval_time_t overlap; /* roll: how long the older keys still count */
    int test;             /* generate rr_test_ */
} rrctl_key_order_t;

/* What was made. */
typedef struct rrctl_made_key_t {
    const char *id, *key, *credential_id;
} rrctl_made_key_t;

/** Makes it, in the transaction that rrctl_api_begin began. RR_ECONFLICT: the credential exists with other scopes or metadata. */
apr_status_t rrctl_key_make(rrctl_made_key_t *made, const rr_api_t *api, const rrctl_key_order_t *order, apr_pool_t *p,
                            rr_err_t *err);

/** Prints {id, key, credentialId}. */
void rrctl_key_print_json(rrctl_t *ctl, const rrctl_made_key_t *made);

#endif
