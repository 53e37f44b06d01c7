/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_regex.h: a regular expression as a tree, where it needs no back-tracking.
 */
#ifndef RR_CUT_REGEX_H
#define RR_CUT_REGEX_H

#include <apr_pools.h>

#define RR_REGEX_COPIES 64 /* of a counted repetition */

typedef enum {
    RR_REGEX_EMPTY,
    RR_REGEX_SET,
    RR_REGEX_CAT,
    RR_REGEX_ALT,
    RR_REGEX_REPEAT,
    RR_REGEX_BEGIN,
    RR_REGEX_END,
    RR_REGEX_EDGE,  /* of a word */
    RR_REGEX_INSIDE /* anywhere else */
} rr_regex_e;

typedef struct rr_regex_t {
    rr_regex_e kind;
    struct rr_regex_t *left, *right; /* CAT, ALT; REPEAT: left */
    int min, max;          /* REPEAT; max -1: no end */
    unsigned char set[32]; /* SET: a bit a byte */
} rr_regex_t;

static inline int rr_regex_has(const unsigned char *set, int byte)
{
    return set[byte / 8] >> byte % 8 & 1;
}

/** What \w stands for, and \b looks at. */
extern const unsigned char rr_regex_word[32];

/** The tree of an expression that PCRE2 compiles, in UTF mode; NULL: not one that is understood here. */
const rr_regex_t *rr_regex_parse(const char *text, int caseless, apr_pool_t *pool);

#endif
