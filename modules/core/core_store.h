/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store.h: the store as one process sees it: connections, freshness, what
 * was found. Every server has one configuration, vhosts inherit it.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "core.h"

/* ---- configuration ---- */

const char *core_store_set_store(cmd_parms *cmd, void *dummy, const char *driver, const char *params);
const char *core_store_set_master_key(cmd_parms *cmd, void *dummy, const char *source);
const char *core_store_set_max_age(cmd_parms *cmd, void *dummy, const char *time);
struct core_store_conf_t *core_store_merge(apr_pool_t *p, struct core_store_conf_t *base, struct core_store_conf_t *add);

/** Whether s has a store, of its own or the main server's. */
int core_store_is_configured(const server_rec *s);

/** Refuses what cannot work; a store that is not there yet is only warned of. */
int core_store_check_config(apr_pool_t *pconf, server_rec *s);

/** Makes what a child keeps: connections, what was found, and the thread that writes last-used times. */
void core_store_start_child(apr_pool_t *pchild, server_rec *s);

/* ---- the hot path: the two of rr_core_t's table, see rr_principal.h ---- */

apr_status_t core_store_credential_find(const rr_credential_t **pfound, request_rec *r, rr_credential_kind_e kind,
                                        const char *secret, apr_size_t len, rr_err_t *err);
apr_status_t core_store_token_revoked(request_rec *r, const char *issuer, const char *jti, const char *sub,
                                      apr_time_t iat, const unsigned char digest[32], rr_err_t *err);

/** The picture of the current revision, pinned until r ends; NULL: the store cannot be read now, err says why. */
const rr_snapshot_t *core_store_snapshot(request_rec *r, rr_err_t *err);

/* ---- statements for the other modules ---- */

typedef rr_store_work_t core_store_work_t;

/**
 * Runs work on a connection of r's store. Whatever begins a transaction ends it.
 *
 * Errors: work's own; RR_EUNAVAIL (no connection, none configured, or the statement failed; already logged).
 *         Only reading work may be run again, which it is once where an idle connection turned out to be dead.
 */
apr_status_t core_store_read(request_rec *r, core_store_work_t work, void *baton, rr_err_t *err);
apr_status_t core_store_write(request_rec *r, core_store_work_t work, void *baton, rr_err_t *err);

/** r's master keys, for writing secrets. RR_EUNAVAIL, RR_ESEALED (already logged). */
apr_status_t core_store_keyring(const rr_keyring_t **pring, request_rec *r, rr_err_t *err);

#endif
