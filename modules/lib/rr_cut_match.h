/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_match.h: the operations of one effect as one matcher.
 *
 * Three engines side by side: automata over the bytes of the written path for
 * nearly every pattern, a bit for every position in every JSONPath (all shifted
 * at once), and PCRE2 over the whole path for patterns that need back-tracking.
 */
#ifndef RR_CUT_MATCH_H
#define RR_CUT_MATCH_H

#include "rr_cut.h"
#include "rr_cut_dfa.h"
#include "rr_pattern.h"

#include <apr_tables.h>

#include <string.h>

typedef apr_uint64_t word_t;

/* A name that JSONPath selectors ask for, and the positions that ask for it. */
typedef struct name_t {
    const char *name;
    apr_size_t len;
    word_t *positions;
} name_t;

typedef struct range_t {
    apr_int64_t from, to, step;
    unsigned position;
} range_t;

typedef struct end_t {
    unsigned position; /* reached when the whole query has matched */
    unsigned op;
} end_t;

typedef struct slow_t {
    const rr_pattern_t *pattern;
    unsigned op;
} slow_t;

/* Immutable once compiled; any thread. */
typedef struct rr_cut_matcher_t {
    unsigned count;    /* operations */
    unsigned *groups;  /* by operation */
    apr_size_t words;  /* of a set of operations */
    int on_failure;    /* what a pattern that hit its limit counts as: destroy matches, retain does not */
    apr_array_header_t *dfas;  /* const rr_dfa_t * */
    apr_array_header_t *slows; /* slow_t */
    /* JSONPath: sets of positions, width words each; position j waits for the selectors of its segment */
    apr_size_t width;
    word_t *start, *any, *descends, *ranged;
    const name_t **names; /* hash table, open addressing */
    apr_uint32_t name_mask;
    apr_array_header_t *ranges; /* range_t */
    apr_array_header_t *ends;   /* end_t */
} rr_cut_matcher_t;

#define ELT(array, type, i) (((type *)(array)->elts)[i])

static inline void set_bit(word_t *set, unsigned bit)
{
    set[bit / 64] |= (word_t)1 << bit % 64;
}

static inline int has_bit(const word_t *set, unsigned bit)
{
    return set[bit / 64] >> bit % 64 & 1;
}

static inline int meet(const word_t *a, const word_t *b, apr_size_t words)
{
    apr_size_t i;

    for (i = 0; i < words; i++) {
        if (a[i] & b[i]) {
            return 1;
        }
    }
    return 0;
}

static inline apr_uint32_t hash_name(const char *name, apr_size_t len)
{
    apr_uint32_t hash = 2166136261u;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

/* The slot of a name: its own, or the empty one where it would go. */
static inline const name_t **name_slot(const rr_cut_matcher_t *m, const char *name, apr_size_t len)
{
    apr_uint32_t at = hash_name(name, len) & m->name_mask;

    while (m->names[at] && (m->names[at]->len != len || memcmp(m->names[at]->name, name, len))) {
        at = (at + 1) & m->name_mask;
    }
    return &m->names[at];
}

/** Compiles those of ops that have effect; *pmatcher is NULL where none has. Errors as rr_cut_compile's. */
apr_status_t rr_cut_matcher_compile(const rr_cut_matcher_t **pmatcher, const rr_cut_op_t *ops, apr_size_t count,
                                    rr_cut_effect_e effect, apr_pool_t *p, rr_err_t *err, apr_size_t *pwhich);

#endif
