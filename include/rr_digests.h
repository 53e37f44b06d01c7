/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_digests.h: a small set of keys' digests, which knows for certain what is not in it.
 *
 * It never denies a digest that was added. Of those that were not, it takes
 * about one in a thousand for one that was: the store then has the answer.
 */
#ifndef RR_DIGESTS_H
#define RR_DIGESTS_H

#include "rr_key.h"

typedef struct rr_digests_t rr_digests_t;

/** An empty set with room for count digests; two bytes each. NULL: more than RR_MAX_DIGESTS, or no memory. */
rr_digests_t *rr_digests_make(apr_int64_t count);

/** Ends a set (rr_digests_t *); NULL: nothing. */
void rr_digests_free(void *digests);

/**
 * Adds a digest; false: there is no room.
 *
 * Threads: one, before any other looks.
 */
int rr_digests_add(rr_digests_t *digests, const unsigned char digest[RR_KEY_DIGEST_LEN]);

/** False: it was not added. Threads: any. */
int rr_digests_may_have(const rr_digests_t *digests, const unsigned char digest[RR_KEY_DIGEST_LEN]);

/** How many were added. */
apr_int64_t rr_digests_count(const rr_digests_t *digests);

/** What it takes, in bytes. */
apr_size_t rr_digests_size(const rr_digests_t *digests);

#endif
