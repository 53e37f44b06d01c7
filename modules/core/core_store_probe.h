/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_probe.h: a look at a sqlite3 file that proves, without SQL, that
 * nothing was committed since an earlier look.
 */
#ifndef CORE_STORE_PROBE_H
#define CORE_STORE_PROBE_H

#include <apr_pools.h>

#include <sys/types.h>

#define CORE_STAMP_WORDS 11

typedef struct core_probe_t core_probe_t;

/* What was seen: the wal-index header (both copies of it), whose file that was, and when the database was last checkpointed. */
typedef struct core_stamp_t {
    apr_uint64_t words[CORE_STAMP_WORDS];
} core_stamp_t;

typedef struct core_file_id_t {
    dev_t device;
    ino_t inode;
} core_file_id_t;

core_probe_t *core_probe_make(const char *path, apr_pool_t *p);

/** What file is at the store's path now; false if none is. */
int core_probe_file(core_file_id_t *id, const core_probe_t *probe);
int core_file_id_equal(const core_file_id_t *a, const core_file_id_t *b);

/** A connection of this process to that file has read from it, and holds its wal-index; and lets go of it. */
void core_probe_hold(core_probe_t *probe, const core_file_id_t *id);
void core_probe_let_go(core_probe_t *probe, const core_file_id_t *id);

/**
 * Looks. Equal stamps mean that no transaction was committed between the two looks.
 *
 * Result:  false where there is any doubt.
 * Threads: any; takes no lock.
 */
int core_probe_look(core_stamp_t *stamp, core_probe_t *probe);

/**
 * Waits so long for another process to end its write transaction. APR's driver would wait for seconds, and SQLite's
 * own waiting happens inside APR's process-wide mutex.
 *
 * Result:  false: it has not ended. True also where that cannot be told.
 * Threads: any; takes no lock.
 */
int core_probe_await_writer(const core_probe_t *probe, apr_interval_time_t wait);

#endif
