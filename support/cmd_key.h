/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_key.h: making a key, for `key create`, `key roll` and `init`.
 */
#ifndef CMD_KEY_H
#define CMD_KEY_H

#include "rr_store.h"
#include "rrctl.h"

/* What key is wanted. */
typedef struct rrctl_key_order_t {
    const char *client;
    const char *name;     /* of the proxy credential, made if there is none */
    const char *value;    /* a brought key; NULL: one is generated */
    const char *scopes;   /* JSON array; NULL: not said */
    const char *metadata; /* JSON object, compact; NULL: not said */
    apr_time_t expires;   /* 0: no end */
    int test;             /* generate rr_test_ */
} rrctl_key_order_t;

/* What was made. */
typedef struct rrctl_made_key_t {
    const char *id, *key, *credential_id;
} rrctl_made_key_t;

/** Makes it, inside a writing transaction. RR_ECONFLICT: the credential exists with other scopes or metadata, or is no key. */
apr_status_t rrctl_key_make(rrctl_made_key_t *made, rr_store_t *store, const rr_key_digester_t *digester,
                            const rrctl_key_order_t *order, apr_pool_t *p, rr_err_t *err);

/** Prints {id, key, credentialId}. */
void rrctl_key_print_json(rrctl_t *ctl, const rrctl_made_key_t *made);

#endif
