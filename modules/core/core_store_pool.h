/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_pool.h: connections of one process to one store.
 */
#ifndef CORE_STORE_POOL_H
#define CORE_STORE_POOL_H

#include "core_store_probe.h"
#include "rr_store.h"

typedef struct core_pool_t core_pool_t;

typedef struct core_connection_t {
    rr_store_t *store;
    int fresh; /* was opened for this holder */
    /* the pool's own from here on */
    apr_pool_t *p;
    core_file_id_t file;
    apr_uint64_t epoch;
    apr_time_t used;
    struct core_connection_t *next;
} core_connection_t;

/** probe: NULL but for sqlite3. forget is called when connections turn out to lead elsewhere than before. */
core_pool_t *core_pool_make(const char *driver, const char *params, core_probe_t *probe, void (*forget)(void *baton),
                            void *baton, apr_pool_t *p);

/**
 * Takes a connection, for one statement or transaction.
 *
 * Errors: RR_EUNAVAIL (none came free for 100 ms, or two seconds in all; no connection can be made; one failed and it
 *         is too soon to try again), RR_ESCHEMA.
 */
apr_status_t core_pool_take(core_connection_t **pconnection, core_pool_t *pool, rr_err_t *err);

/** Gives it back; a broken one is closed, and every idle one with it, which are likely broken too. */
void core_pool_give(core_pool_t *pool, core_connection_t *connection);

/** Closes what has been idle for long, all but one. */
void core_pool_trim(core_pool_t *pool, apr_time_t now);

/** Closes what is idle, at the end of the process: a server logs clients that just vanish. */
void core_pool_close(core_pool_t *pool);

#endif
