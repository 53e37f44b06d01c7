/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pattern_relate.h: how the paths that two patterns match lie to each other.
 */
#ifndef RR_PATTERN_RELATE_H
#define RR_PATTERN_RELATE_H

#include "rr_pattern.h"

/* Each the shortest path of its kind, an example for people; NULL: there is none. */
typedef struct rr_relation_t {
    const char *both, *only_a, *only_b;
} rr_relation_t;

/**
 * Compares what a and b match of all paths that begin with '/' and have no empty and no dot segments, in UTF-8.
 * a NULL is all of them; a_absent turns it round. Likewise b.
 *
 * Ownership: the examples live in p. Slow (some 100 us), for `lint`.
 * Errors:    0: it cannot be told: one is beyond what can be compared (look-around, references, flag m), or both
 *            together are too large.
 */
int rr_pattern_relate(rr_relation_t *relation, const rr_pattern_t *a, int a_absent, const rr_pattern_t *b,
                      int b_absent, apr_pool_t *p);

#endif
