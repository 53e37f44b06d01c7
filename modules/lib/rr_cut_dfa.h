/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_dfa.h: many regular expressions as one table over the bytes of a path.
 *
 * Most patterns that people write for paths need no back-tracking. Those are
 * merged into deterministic automata: a name costs one table look-up a byte,
 * however many patterns there are, and a child continues from its parent's state.
 */
#ifndef RR_CUT_DFA_H
#define RR_CUT_DFA_H

#include <apr.h>
#include <apr_pools.h>

/* A state is the offset of its row in next, with what is to be known of it in the upper bits. */
#define RR_DFA_FOUND 0x80000000u /* a pattern matches here, whatever follows */
#define RR_DFA_ENDS 0x40000000u  /* a pattern matches if the path ends here */
#define RR_DFA_DEAD 0x20000000u  /* nothing that follows can match */
#define RR_DFA_ROW 0x1fffffffu

/* Immutable once built; any thread. */
typedef struct rr_dfa_t {
    unsigned char class_of[256]; /* byte to column */
    unsigned shift;              /* a row has 1 << shift columns */
    apr_uint32_t start;          /* before the first byte */
    apr_uint32_t *next;          /* row + class_of[byte] to state */
    apr_uint32_t *found, *ends;  /* by row >> shift: offset in sets of the patterns of FOUND, and of FOUND or ENDS */
    apr_uint32_t *element;       /* by row >> shift: the state after [ any number ]; RR_DFA_FOUND: it depends */
    apr_uint64_t *sets;          /* words of bits by number of pattern; the first set is empty */
    apr_size_t words;            /* of one set */
} rr_dfa_t;

typedef struct rr_dfa_pattern_t {
    const char *text; /* compiles as an rr_pattern_t with RR_PATTERN_UTF */
    int caseless;
    unsigned number; /* its bit */
} rr_dfa_pattern_t;

/** Whether the expression is one this file understands; the others stay with PCRE2. */
int rr_dfa_knows(const char *text, int caseless, apr_pool_t *ptemp);

/**
 * Merges patterns that rr_dfa_knows, words being the size of one set.
 *
 * Ownership: the automaton lives in p.
 * Errors:    NULL: it would have more states than RR_MAX_DFA_STATES; fewer patterns may fit.
 */
const rr_dfa_t *rr_dfa_build(const rr_dfa_pattern_t *patterns, apr_size_t count, apr_size_t words, apr_pool_t *p);

static inline apr_uint32_t rr_dfa_step(const rr_dfa_t *dfa, apr_uint32_t state, unsigned char byte)
{
    return dfa->next[(apr_size_t)(state & RR_DFA_ROW) + dfa->class_of[byte]];
}

/** Takes bytes from p on until there are no more or the state has RR_DFA_FOUND; returns how far. */
static inline const char *rr_dfa_pass(const rr_dfa_t *dfa, apr_uint32_t *state, const char *p, const char *end)
{
    apr_uint32_t at = *state;

    while (p < end && !(at & RR_DFA_FOUND)) {
        at = rr_dfa_step(dfa, at, (unsigned char)*p++);
    }
    *state = at;
    return p;
}

/** What rr_dfa_run makes of a state with FOUND or ENDS that p was reached in; goes on where those are not active. */
apr_uint32_t rr_dfa_settle(const rr_dfa_t *dfa, apr_uint32_t state, const char *p, const char *end,
                           const apr_uint64_t *active);

/**
 * The state after text, a piece of a path. It has RR_DFA_FOUND where a pattern in active (NULL: any) matches: in state
 * already, on the way, or if the path ends there. A piece goes on from a state that a piece before ended in without.
 */
static inline apr_uint32_t rr_dfa_run(const rr_dfa_t *dfa, apr_uint32_t state, const char *text, apr_size_t len,
                                      const apr_uint64_t *active)
{
    const char *end = text + len, *p = rr_dfa_pass(dfa, &state, text, end);

    return state & (RR_DFA_FOUND | RR_DFA_ENDS) ? rr_dfa_settle(dfa, state, p, end, active) : state;
}

#endif
