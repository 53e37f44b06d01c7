/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_snapshot.h: the one snapshot that a child's threads share.
 */
#ifndef CORE_STORE_SNAPSHOT_H
#define CORE_STORE_SNAPSHOT_H

#include "core_store_live.h"

typedef struct core_snapshots_t core_snapshots_t;

core_snapshots_t *core_snapshots_make(apr_pool_t *pchild);

/**
 * The snapshot of the store's present revision, pinned until p ends.
 *
 * *proven as for core_live_holds.
 *
 * Threads: any. One thread rebuilds it when the revision has changed, others wait for that thread, briefly.
 * Errors:  NULL: the store cannot be read, or did not get done in time.
 */
const rr_snapshot_t *core_snapshots_pin(apr_uint64_t *proven, core_snapshots_t *snapshots, core_live_t *live,
                                        apr_interval_time_t max_age, apr_pool_t *p, rr_err_t *err);

/** Frees old snapshots that no request uses any more. */
void core_snapshots_trim(core_snapshots_t *snapshots);

#endif
