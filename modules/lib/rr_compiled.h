/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_compiled.h: rules and filters of one owner, compiled once and shared by the snapshots
 * in which they are the same; private to librr.
 */
#ifndef RR_COMPILED_H
#define RR_COMPILED_H

#include "rr_snapshot.h"

#include <apr_hash.h>

/* One row that hangs on an owner, as read. */
typedef struct rr_compiled_row_t {
    const char *id;
    const char *body; /* JSON */
} rr_compiled_row_t;

/* All that hangs on one owner: arrays of rr_compiled_row_t. */
typedef struct rr_compiled_rows_t {
    apr_array_header_t *rules, *filters;
} rr_compiled_rows_t;

typedef struct rr_compiled_t rr_compiled_t;

/**
 * The compiled form of an owner's rows: before's where they are the same, else made anew.
 *
 * Ownership: the caller holds one use, until rr_compiled_release. rows are borrowed for the call.
 * Threads:   uses are counted atomically: snapshots may end in any thread.
 * Errors:    NULL: out of memory. Rows that do not compile are no error but rr_attached_t's closed.
 */
rr_compiled_t *rr_compiled_make(rr_compiled_t *before, const rr_compiled_rows_t *rows, apr_pool_t *ptemp);

const rr_attached_t *rr_compiled_attached(const rr_compiled_t *compiled);

void rr_compiled_release(rr_compiled_t *compiled);

#endif
