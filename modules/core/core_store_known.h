/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_known.h: what this process knows of the store's revision, and since when.
 */
#ifndef CORE_STORE_KNOWN_H
#define CORE_STORE_KNOWN_H

#include "core_store_probe.h"
#include "rr_store.h"

typedef struct core_known_t core_known_t;

typedef enum { CORE_REVOKED_UNKNOWN = 0, CORE_REVOKED_NONE, CORE_REVOKED_SOME } core_revoked_e;

/* One consistent picture. */
typedef struct core_view_t {
    apr_uint64_t generation; /* our number of a revision; another one each time a different revision is seen; 0: none */
    apr_uint64_t number;     /* of the latest reading that proved it */
    apr_time_t verified;     /* when the reading that proved it began */
    core_revoked_e revoked;  /* whether the store holds revocations */
    int stamped;             /* stamp was taken before that reading */
    core_stamp_t stamp;
} core_view_t;

/* Taken before a statement runs: what is read is at least as new as this. */
typedef struct core_reading_t {
    apr_uint64_t number; /* core_known_next */
    apr_time_t started;
    int stamped;
    core_stamp_t stamp;
} core_reading_t;

core_known_t *core_known_make(apr_pool_t *p);

/**
 * The number of the latest reading, and one for a reading that is about to be made. What a reading of a greater
 * number than one had before shows is how the store was after that.
 *
 * Threads: any; takes no lock.
 */
apr_uint64_t core_known_number(const core_known_t *known);
apr_uint64_t core_known_next(core_known_t *known);

/** The present picture. Threads: any; takes no lock. False in the rare case that a writer was in the way: no picture. */
int core_known_view(core_view_t *view, const core_known_t *known);

/** Notes that reading showed revision, and revoked unless UNKNOWN; the generation that this is. */
apr_uint64_t core_known_note(core_known_t *known, const rr_revision_t *revision, const core_reading_t *reading,
                             core_revoked_e revoked);

/** Notes that the generation was found unchanged by a look that began then. */
void core_known_touch(core_known_t *known, apr_uint64_t generation, apr_time_t when);

/** Forgets everything: what was read before may be from another database. */
void core_known_forget(core_known_t *known);

#endif
