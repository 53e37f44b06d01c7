/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_walk.h: a walk down a document with a matcher.
 *
 * The walk holds what is known at each open level; a child costs its own name
 * only, never its whole path and never the number of operations.
 */
#ifndef RR_CUT_WALK_H
#define RR_CUT_WALK_H

#include "rr_cut_match.h"

typedef struct rr_walk_t rr_walk_t;

typedef enum {
    RR_WALK_LIMIT = 0, /* the path is longer than RR_MAX_PATH */
    RR_WALK_OPEN,      /* not matched, something below may be */
    RR_WALK_DEAD,      /* not matched, and nothing below can be */
    RR_WALK_MATCH
} rr_walk_e;

/** A walk in which the operations of active groups count (NULL: all); NULL where that leaves none. */
rr_walk_t *rr_walk_create(const rr_cut_matcher_t *matcher, const unsigned char *active, apr_pool_t *p);

/** The document itself: `$`, and for a scalar also a pattern that matches the empty path. */
rr_walk_e rr_walk_root(rr_walk_t *walk, int scalar);

/** The member of that name of the container at depth (the root is 0); what is known of it is kept at depth + 1. */
rr_walk_e rr_walk_name(rr_walk_t *walk, unsigned depth, const char *name, apr_size_t len);

/** The element of that index of the container at depth. */
rr_walk_e rr_walk_index(rr_walk_t *walk, unsigned depth, apr_uint64_t index);

#endif
