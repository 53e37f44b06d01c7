/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store.h: the store as one process sees it: connections, freshness, what
 * was found. Every server has one configuration, vhosts inherit it.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "core.h"

struct core_store_conf_t *core_store_merge(apr_pool_t *p, struct core_store_conf_t *base, struct core_store_conf_t *add);
int core_store_check_config(apr_pool_t *pconf, server_rec *s);

/** The two of rr_core_t's table, see rr_principal.h. */
apr_status_t core_store_credential_find(const rr_credential_t **pfound, request_rec *r, rr_credential_kind_e kind,
                                        const char *secret, apr_size_t len, rr_err_t *err);
apr_status_t core_store_token_revoked(request_rec *r, const char *issuer, const char *jti, const char *sub,
                                      apr_time_t iat, const unsigned char digest[32], rr_err_t *err);

/** The picture of the current revision, pinned until r ends; NULL: the store cannot be read now, err says why. */
const rr_snapshot_t *core_store_snapshot(request_rec *r, rr_err_t *err);

#endif
