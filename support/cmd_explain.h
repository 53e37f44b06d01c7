/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_explain.h: who asks, as the options of rrctl explain describe them.
 */
#ifndef CMD_EXPLAIN_H
#define CMD_EXPLAIN_H

#include "rr_snapshot.h"
#include "rrctl.h"

typedef struct caller_t {
    const char *key, *token, *claims;    /* as given; NULL: not */
    const char *jwks, *issuer;           /* of an RRJwtIssuer, or the keys of the token's credential; NULL: not given */
    apr_array_header_t *audiences;       /* const char *; NULL: not given */
    int allow_none;                      /* RRProxyAllowNone On */

    const rr_json_t *data;  /* claims that rules see; NULL: none */
    const char *known;      /* how these are known; NULL: there are none */
    const char *proved[2];  /* ids of credentials: the key's, the token's; NULL: none */
    const char *refused;    /* why what was presented is refused before any rule is asked; NULL: it is not */
} caller_t;

/** An rr_proved_t for a const caller_t. */
int caller_proves(const void *who, const rr_party_t *credential);

/**
 * Finds out whom the options describe, at proxy or, NULL, where there is no store: then store and ring are NULL too.
 *
 * Errors: the store's; a key set that cannot be read. A credential that is refused is an answer.
 */
apr_status_t caller_find(caller_t *caller, rrctl_t *ctl, const rr_proxy_t *proxy, rr_store_t *store,
                         const rr_keyring_t *ring, rr_err_t *err);

#endif
