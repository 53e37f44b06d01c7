/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyauth.h: what the files of mod_rr_keyauth share.
 */
#ifndef KEYAUTH_H
#define KEYAUTH_H

#include "rr_glue.h"

#define KEYAUTH_MAX_KINDS 2

/* One secret as presented, and what kinds of credential it may be, likeliest first; the rest are UNKNOWN. */
typedef struct keyauth_presented_t {
    const char *value;
    apr_size_t len;
    rr_credential_kind_e kinds[KEYAUTH_MAX_KINDS];
} keyauth_presented_t;

/**
 * The places that are read for a route: those configured, and those that the
 * key and bearer credentials of proxy name (header, prefix, query).
 *
 * Ownership: configured itself where proxy (may be NULL) adds nothing; else in p.
 */
const apr_array_header_t *keyauth_route_sources(apr_pool_t *p, const apr_array_header_t *configured,
                                                const rr_proxy_t *proxy);

/** Whether a credential has the shape of a token (rr_jws_has_shape). */
int keyauth_is_token(request_rec *r, const char *text, apr_size_t len);

/**
 * Collects what was presented, sorted out by shape and place: what has a token's shape in Authorization is
 * foreign, unless r's proxy accepts a static token; Basic counts only where r's proxy accepts it.
 *
 * Ownership: the *pcount of them live in r->pool.
 * Errors:    RR_EINVAL; err->text may be shown to the client.
 */
apr_status_t keyauth_presented(keyauth_presented_t **ppresented, int *pcount, request_rec *r, const rr_core_t *core,
                               const apr_array_header_t *sources, int *pforeign, rr_err_t *err);

#endif
