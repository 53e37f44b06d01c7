/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_live.h: one store in one child: everything that lives as long as the child does.
 */
#ifndef CORE_STORE_LIVE_H
#define CORE_STORE_LIVE_H

#include "core_store.h"
#include "core_store_ask.h"
#include "core_store_cache.h"
#include "core_store_digests.h"
#include "core_store_known.h"
#include "core_store_pool.h"
#include "core_store_used.h"

/* A pepper at work, and the store that it belongs to. */
typedef struct core_pepper_t {
    const rr_key_digester_t *digester;
    char store[RR_ID_LEN + 1];
} core_pepper_t;

typedef struct core_live_t core_live_t;

/** ring: as read at startup; NULL: it could not be, and is tried again from key_source. NULL where memory fails. */
core_live_t *core_live_make(server_rec *s, const char *driver, const char *params, const char *key_source,
                            const rr_keyring_t *ring, apr_pool_t *pchild);

/** Begins the thread that writes last-used times, reads digests and closes idle connections; it ends with pchild. */
void core_live_start(core_live_t *live, apr_pool_t *pchild);

/** Has that thread read all digests now, if it finds that there is need. */
void core_live_wake(core_live_t *live);

/**
 * Runs work on a connection; again: it only reads, and may be run twice.
 *
 * *reading is what was known before the statement. Changes between working and not are logged, once each.
 */
apr_status_t core_live_run(core_reading_t *reading, core_live_t *live, core_store_work_t work, void *baton, int again,
                           apr_pool_t *p, rr_err_t *err);

/** Parts of it. */
core_known_t *core_live_known(core_live_t *live);
core_cache_t *core_live_keys(core_live_t *live);
core_cache_t *core_live_tokens(core_live_t *live);
core_digests_t *core_live_digests(core_live_t *live);
core_used_t *core_live_used(core_live_t *live);
struct core_snapshots_t *core_live_snapshots(core_live_t *live);
server_rec *core_live_server(const core_live_t *live);

/** Whether nothing was committed since view, or max_age allows not to ask; asks no database. */
int core_live_is_fresh(core_live_t *live, const core_view_t *view, apr_interval_time_t max_age, apr_time_t now);

/** Asks the store for its revision, together with all who ask now: core_store_ask.h. What fails is logged, as by run. */
apr_status_t core_live_ask(core_answer_t *answer, core_live_t *live, apr_pool_t *p, rr_err_t *err);

/**
 * Whether what was found at that generation still holds. Where only the probe's answer changed (a last-used time was
 * written), one question makes it good for all requests that follow; where there is no probe, each request asks once,
 * together with those that ask at the same time.
 *
 * *proven is the request's: the generation that it found to hold, which it need not ask for again; 0: none.
 *
 * Errors: the store's; *holds is then 0.
 */
apr_status_t core_live_holds(int *holds, apr_uint64_t *proven, core_live_t *live, apr_uint64_t generation,
                             apr_interval_time_t max_age, apr_pool_t *p, rr_err_t *err);

/** The pepper in use, read from the store first if there is none, or if it is not store's (NULL: any). */
apr_status_t core_live_pepper(const core_pepper_t **ppepper, core_live_t *live, const char *store, apr_pool_t *p,
                              rr_err_t *err);

apr_status_t core_live_keyring(const rr_keyring_t **pring, core_live_t *live, rr_err_t *err);

#endif
