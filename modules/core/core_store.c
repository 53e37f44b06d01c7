/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store.c: the store as one process sees it. None can be configured yet.
 */
#include "core_store.h"

struct core_store_conf_t *core_store_merge(apr_pool_t *p, struct core_store_conf_t *base, struct core_store_conf_t *add)
{
    (void)p;
    return add ? add : base;
}

int core_store_check_config(apr_pool_t *pconf, server_rec *s)
{
    (void)pconf, (void)s;
    return OK;
}

apr_status_t core_store_credential_find(const rr_credential_t **pfound, request_rec *r, rr_credential_kind_e kind,
                                        const char *secret, apr_size_t len, rr_err_t *err)
{
    (void)r, (void)kind, (void)secret, (void)len;
    *pfound = NULL;
    return rr_err_set(err, RR_EUNAVAIL, NULL, "no store is configured");
}

apr_status_t core_store_token_revoked(request_rec *r, const char *issuer, const char *jti, const char *sub,
                                      apr_time_t iat, const unsigned char digest[32], rr_err_t *err)
{
    (void)r, (void)issuer, (void)jti, (void)sub, (void)iat, (void)digest, (void)err;
    return APR_SUCCESS;
}

const rr_snapshot_t *core_store_snapshot(request_rec *r, rr_err_t *err)
{
    (void)r;
    rr_err_set(err, RR_EUNAVAIL, NULL, "no store is configured");
    return NULL;
}
