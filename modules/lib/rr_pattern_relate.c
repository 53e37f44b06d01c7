/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pattern_relate.c: how the paths that two patterns match lie to each other.
 *
 * Both become one deterministic automaton (rr_cut_dfa.c), which is walked
 * breadth first along everything that can be a path. Where a path may end, the
 * patterns that have matched it tell what it is an example of. A walk without
 * an example is a proof that there is none: states are finite.
 */
#include "rr_pattern_relate.h"

#include "rr_cut_dfa.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include <string.h>

/* Where in a path a byte stands: what may come next depends on it, and whether the path may end. */
enum { AT_START, AT_SLASH, AT_DOT, AT_DOTS, AT_SEGMENT, AT_TAIL1, AT_TAIL2, AT_TAIL3, AT_COUNT };
#define AT_NOWHERE (-1)

typedef struct {
    apr_uint32_t state;
    unsigned found; /* bits of the patterns that matched on the way */
    int where;
    int from; /* the step before; -1: none */
    unsigned char byte;
} step_t;

typedef struct {
    const rr_dfa_t *dfa;
    apr_array_header_t *steps; /* step_t */
    unsigned char *seen;       /* a byte for each state, found and where */
    unsigned char bytes[256];  /* one of each kind, the readable ones first */
    int count;
} walk_t;

static int where_next(int where, unsigned byte)
{
    if (where >= AT_TAIL1) {
        return byte < 0x80 || byte > 0xbf ? AT_NOWHERE : where == AT_TAIL1 ? AT_SEGMENT : where - 1;
    }
    if (byte == '/') {
        return where == AT_START || where == AT_SEGMENT ? AT_SLASH : AT_NOWHERE;
    }
    if (where == AT_START) {
        return AT_NOWHERE;
    }
    if (byte == '.' && where != AT_SEGMENT) {
        return where == AT_SLASH ? AT_DOT : where == AT_DOT ? AT_DOTS : AT_SEGMENT;
    }
    return byte < 0x80                   ? AT_SEGMENT
           : byte >= 0xc2 && byte < 0xe0 ? AT_TAIL1
           : byte >= 0xe0 && byte < 0xf0 ? AT_TAIL2
           : byte >= 0xf0 && byte < 0xf5 ? AT_TAIL3
                                         : AT_NOWHERE;
}

/* Bytes of one column and one kind lead to the same place: the first of them stands for all. */
static void choose_bytes(walk_t *walk)
{
    static const char readable[] = "abcdefghijklmnopqrstuvwxyz0123456789/ABCDEFGHIJKLMNOPQRSTUVWXYZ-_~.";
    unsigned char order[256 + sizeof(readable)], taken[256][AT_COUNT + 3];
    int i, n = (int)sizeof(readable) - 1;

    memcpy(order, readable, n);
    for (i = 1; i < 256; i++) {
        order[n++] = (unsigned char)i;
    }
    memset(taken, 0, sizeof(taken));
    for (i = 0; i < n; i++) {
        const int after = where_next(AT_SLASH, order[i]);
        const int kind = order[i] == '/' ? AT_COUNT : order[i] >= 0x80 && after == AT_NOWHERE ? AT_COUNT + 1 : after;

        if (!taken[walk->dfa->class_of[order[i]]][kind]) {
            taken[walk->dfa->class_of[order[i]]][kind] = 1;
            walk->bytes[walk->count++] = order[i];
        }
    }
}

static void add_step(walk_t *walk, apr_uint32_t state, unsigned found, int where, int from, unsigned char byte)
{
    const apr_uint32_t row = (state & RR_DFA_ROW) >> walk->dfa->shift;
    unsigned char *seen;
    step_t *step;

    found |= (unsigned)walk->dfa->sets[walk->dfa->found[row]];
    seen = &walk->seen[(row * 4 + found) * AT_COUNT + where];
    if (!*seen) {
        *seen = 1;
        step = apr_array_push(walk->steps);
        step->state = state;
        step->found = found;
        step->where = where;
        step->from = from;
        step->byte = byte;
    }
}

static const char *path_to(const walk_t *walk, int at, apr_pool_t *p)
{
    const step_t *steps = (const step_t *)walk->steps->elts;
    int i, len = 0;
    char *path;

    for (i = at; steps[i].from >= 0; i = steps[i].from) {
        len++;
    }
    path = apr_palloc(p, len + 1);
    path[len] = '\0';
    for (i = at; steps[i].from >= 0; i = steps[i].from) {
        path[--len] = (char)steps[i].byte;
    }
    return path;
}

static void note_example(rr_relation_t *relation, const walk_t *walk, int at, unsigned turned, apr_pool_t *p)
{
    const step_t *step = &APR_ARRAY_IDX(walk->steps, at, step_t);
    const apr_uint32_t row = (step->state & RR_DFA_ROW) >> walk->dfa->shift;
    const unsigned found = (step->found | (unsigned)walk->dfa->sets[walk->dfa->ends[row]]) ^ turned;
    const char **example = found == 3 ? &relation->both : found == 1 ? &relation->only_a : &relation->only_b;

    if (found && !*example && (step->where == AT_SLASH || step->where == AT_SEGMENT)) {
        *example = path_to(walk, at, p);
    }
}

static void take_walk(rr_relation_t *relation, walk_t *walk, unsigned turned, apr_pool_t *p)
{
    int at, i;

    add_step(walk, walk->dfa->start, 0, AT_START, -1, 0);
    for (at = 0; at < walk->steps->nelts && !(relation->both && relation->only_a && relation->only_b); at++) {
        const step_t step = APR_ARRAY_IDX(walk->steps, at, step_t);

        note_example(relation, walk, at, turned, p);
        for (i = 0; i < walk->count; i++) {
            const int where = where_next(step.where, walk->bytes[i]);

            if (where != AT_NOWHERE) {
                add_step(walk, walk->dfa->next[(step.state & RR_DFA_ROW) + walk->dfa->class_of[walk->bytes[i]]],
                         step.found, where, at, walk->bytes[i]);
            }
        }
    }
}

static int describe(rr_dfa_pattern_t *into, const rr_pattern_t *pattern, unsigned number, apr_pool_t *ptemp)
{
    into->text = pattern ? rr_pattern_text(pattern) : ".*";
    into->caseless = pattern && (rr_pattern_options(pattern) & RR_PATTERN_CASELESS);
    into->number = number;
    return !(pattern && (rr_pattern_options(pattern) & RR_PATTERN_MULTILINE)) &&
           rr_dfa_knows(into->text, into->caseless, ptemp);
}

int rr_pattern_relate(rr_relation_t *relation, const rr_pattern_t *a, int a_absent, const rr_pattern_t *b,
                      int b_absent, apr_pool_t *p)
{
    rr_dfa_pattern_t patterns[2];
    walk_t walk = { NULL };
    apr_pool_t *ptemp;

    memset(relation, 0, sizeof(*relation));
    apr_pool_create(&ptemp, p);
    if (describe(&patterns[0], a, 0, ptemp) && describe(&patterns[1], b, 1, ptemp)) {
        walk.dfa = rr_dfa_build(patterns, 2, 1, ptemp);
    }
    if (walk.dfa) {
        walk.steps = apr_array_make(ptemp, 256, sizeof(step_t));
        walk.seen = apr_pcalloc(ptemp, RR_MAX_DFA_STATES * 4 * AT_COUNT);
        choose_bytes(&walk);
        take_walk(relation, &walk, (a_absent ? 1u : 0) | (b_absent ? 2u : 0), p);
    }
    apr_pool_destroy(ptemp);
    return walk.dfa != NULL;
}
