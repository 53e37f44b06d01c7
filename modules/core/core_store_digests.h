/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_digests.h: the digests of all keys of one revision, so that what no key has costs no statement.
 */
#ifndef CORE_STORE_DIGESTS_H
#define CORE_STORE_DIGESTS_H

#include "core_store_known.h"

typedef struct core_digests_t core_digests_t;

core_digests_t *core_digests_make(core_known_t *known, apr_pool_t *p);

/**
 * Whether no key of that store had that digest in *generation, which the caller has to find to hold.
 *
 * Threads: any; takes no lock.
 */
int core_digests_lack(apr_uint64_t *generation, core_digests_t *digests, const char *store,
                      const unsigned char digest[RR_KEY_DIGEST_LEN]);

/**
 * Counts a digest that was looked up in vain; true when it is time for core_digests_read, which says when it is again.
 *
 * Threads: any.
 */
int core_digests_missed(core_digests_t *digests, apr_uint64_t generation);

/* Work for one reading. */
typedef struct core_digests_work_t {
    core_digests_t *digests;
    const core_reading_t *reading; /* of the connection that it runs on */
    const int *stop;               /* atomic: read no further */
    apr_uint64_t generation;       /* what is read holds for this one alone */
    rr_revision_t revision;        /* which is that */
    rr_digests_t *read;            /* afterwards; NULL: nothing, the store changed or there are more than it may cost */
} core_digests_work_t;

/** Reads the digests, no more than were missed are worth: a core_store_work_t, of a core_digests_work_t. */
apr_status_t core_digests_read(void *work, rr_store_t *store, apr_pool_t *p, rr_err_t *err);

/**
 * Puts what was read in the place of what was, unless the store has changed since: it is then freed, and false returned.
 *
 * Threads: one, which also trims.
 */
int core_digests_place(core_digests_work_t *work);

/** Frees what no generation and no request needs any more. Threads: as place. */
void core_digests_trim(core_digests_t *digests);

#endif
