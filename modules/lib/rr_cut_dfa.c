/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_dfa.c: regular expressions merged and made deterministic when the
 * configuration is read.
 *
 * Each tree becomes an automaton of byte sets built from its end to its start,
 * all automata together one table by subset construction.
 */
#include "rr_cut_dfa.h"

#include "rr.h"
#include "rr_cut_regex.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include <stdlib.h>
#include <string.h>

#define MAX_NODES 20000 /* of the automata before they are made deterministic */

/* ---- the automaton ---- */

typedef enum { N_SET, N_SPLIT, N_BEGIN, N_END, N_EDGE, N_INSIDE, N_MATCH } node_e;

typedef struct node_t {
    node_e kind;
    int out, out1;            /* -1: none */
    unsigned pattern;         /* index */
    const unsigned char *set; /* N_SET */
} node_t;

typedef struct build_t {
    apr_array_header_t *nodes; /* node_t */
    unsigned pattern;
    int full, work;
    int edges; /* there are N_EDGE or N_INSIDE */
} build_t;

#define NODE(b, i) (((node_t *)(b)->nodes->elts)[i])

static int node(build_t *b, node_e kind, int out, int out1, const unsigned char *set)
{
    node_t *n;

    if (b->nodes->nelts >= MAX_NODES) {
        b->full = 1;
        return 0;
    }
    n = apr_array_push(b->nodes);
    n->kind = kind;
    n->out = out;
    n->out1 = out1;
    n->pattern = b->pattern;
    n->set = set;
    return b->nodes->nelts - 1;
}

/* The start of what matches t and goes on at next. Depth is bounded by the tree's, which is the pattern's length. */
static int assemble(build_t *b, const rr_regex_t *t, int next)
{
    int i, loop;

    if (b->full || ++b->work > 8 * MAX_NODES) { /* copies of nothing make work and no nodes */
        b->full = 1;
        return 0;
    }
    switch (t->kind) {
    case RR_REGEX_EMPTY:
        return next;
    case RR_REGEX_SET:
        return node(b, N_SET, next, -1, t->set);
    case RR_REGEX_CAT:
        return assemble(b, t->left, assemble(b, t->right, next));
    case RR_REGEX_ALT:
        i = assemble(b, t->left, next);
        return node(b, N_SPLIT, i, assemble(b, t->right, next), NULL);
    case RR_REGEX_BEGIN:
        return node(b, N_BEGIN, next, -1, NULL);
    case RR_REGEX_END:
        return node(b, N_END, next, -1, NULL);
    case RR_REGEX_EDGE:
    case RR_REGEX_INSIDE:
        b->edges = 1;
        return node(b, t->kind == RR_REGEX_EDGE ? N_EDGE : N_INSIDE, next, -1, NULL);
    case RR_REGEX_REPEAT:
    default:
        if (t->max < 0) {
            loop = node(b, N_SPLIT, -1, next, NULL);
            i = assemble(b, t->left, loop);
            if (!b->full) {
                NODE(b, loop).out = i;
            }
            next = loop;
        }
        for (i = t->min; i < t->max && !b->full; i++) {
            next = node(b, N_SPLIT, assemble(b, t->left, next), next, NULL);
        }
        for (i = 0; i < t->min && !b->full; i++) {
            next = assemble(b, t->left, next);
        }
        return next;
    }
}

int rr_dfa_knows(const char *text, int caseless, apr_pool_t *ptemp)
{
    build_t b = { .nodes = apr_array_make(ptemp, 64, sizeof(node_t)) };
    const rr_regex_t *t = strlen(text) <= RR_MAX_PATTERN ? rr_regex_parse(text, caseless, ptemp) : NULL;

    if (!t) {
        return 0;
    }
    assemble(&b, t, node(&b, N_MATCH, -1, -1, NULL));
    return !b.full;
}

/* ---- subsets ---- */

typedef struct subset_t {
    int *nodes;    /* ascending; SET, END, EDGE, INSIDE and MATCH only */
    int count;
    int from_word; /* the byte before is of a word; 0 where that does not matter */
    apr_uint32_t hash;
} subset_t;

typedef struct make_t {
    build_t b;
    apr_array_header_t *starts;  /* int */
    apr_array_header_t *subsets; /* subset_t, by number of state */
    int *buckets;                /* hash to state + 1 */
    apr_uint32_t mask;
    unsigned char *seen;         /* by node */
    int *stack, *work, *before;
    subset_t restart; /* what an unanchored search begins at every byte */
    apr_pool_t *ptemp;
} make_t;

typedef struct place_t {
    int at_begin, at_end; /* whether ^ and $ hold here */
    int edge;             /* whether \b does; -1: the byte that follows will tell */
} place_t;

/* Follows what takes no byte. */
static int closure(make_t *m, int start, place_t at, int count)
{
    int depth = 0;

    m->stack[depth++] = start;
    while (depth > 0) {
        int i = m->stack[--depth];
        const node_t *n = &NODE(&m->b, i);

        if (m->seen[i]) {
            continue;
        }
        m->seen[i] = 1;
        m->work[count++] = i;
        if (n->kind == N_SPLIT) {
            m->stack[depth++] = n->out;
            m->stack[depth++] = n->out1;
        }
        else if ((n->kind == N_BEGIN && at.at_begin) || (n->kind == N_END && at.at_end) ||
                 (n->kind == N_EDGE && at.edge == 1) || (n->kind == N_INSIDE && at.edge == 0)) {
            m->stack[depth++] = n->out;
        }
    }
    return count;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Keeps of work what a state is made of, in order. */
static int reduce(make_t *m, int count)
{
    int i, kept = 0;

    for (i = 0; i < count; i++) {
        node_e kind = NODE(&m->b, m->work[i]).kind;

        m->seen[m->work[i]] = 0;
        if (kind != N_SPLIT && kind != N_BEGIN) {
            m->work[kept++] = m->work[i];
        }
    }
    qsort(m->work, (size_t)kept, sizeof(int), by_number);
    return kept;
}

/* The number of the state made of work[0..count) behind byte, new or known. */
static int intern(make_t *m, int count, int byte)
{
    apr_uint32_t hash = 2166136261u, at;
    int i, from_word = 0;
    subset_t *s;

    for (i = 0; i < count && m->b.edges && !from_word; i++) {
        node_e kind = NODE(&m->b, m->work[i]).kind;

        from_word = (kind == N_EDGE || kind == N_INSIDE) && rr_regex_has(rr_regex_word, byte);
    }
    for (i = 0; i < count; i++) {
        hash = (hash ^ (apr_uint32_t)m->work[i]) * 16777619u;
    }
    for (at = hash & m->mask; m->buckets[at]; at = (at + 1) & m->mask) {
        s = &((subset_t *)m->subsets->elts)[m->buckets[at] - 1];
        if (s->hash == hash && s->count == count && s->from_word == from_word &&
            !memcmp(s->nodes, m->work, (size_t)count * sizeof(int))) {
            return m->buckets[at] - 1;
        }
    }
    s = apr_array_push(m->subsets);
    s->hash = hash;
    s->count = count;
    s->from_word = from_word;
    s->nodes = apr_pmemdup(m->ptemp, m->work, (size_t)count * sizeof(int));
    if (m->subsets->nelts > 1) { /* the start is never come back to: ^ holds there */
        m->buckets[at] = m->subsets->nelts;
    }
    return m->subsets->nelts - 1;
}

/* Bytes inside a character: before them nothing holds. */
static const unsigned char utf8_tail[32] = { [16] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* With byte to come it is known whether here is the edge of a word: what before[] then has. */
static int look_ahead(make_t *m, const subset_t *from, int state, int byte)
{
    const int edge = rr_regex_has(utf8_tail, byte) ? -1 : from->from_word != rr_regex_has(rr_regex_word, byte);
    const place_t at = { state == 0, 0, edge };
    int i, count = 0;

    if (!m->b.edges) {
        memcpy(m->before, from->nodes, (size_t)from->count * sizeof(int));
        return from->count;
    }
    for (i = 0; i < from->count; i++) {
        count = closure(m, from->nodes[i], at, count);
    }
    for (i = 0; i < count; i++) {
        m->seen[m->work[i]] = 0;
        m->before[i] = m->work[i];
    }
    return count;
}

/* The state after byte in state. */
static int step(make_t *m, int state, int byte)
{
    static const place_t within = { 0, 0, -1 };
    const subset_t from = ((subset_t *)m->subsets->elts)[state];
    int i, count = 0, ahead = look_ahead(m, &from, state, byte);

    for (i = 0; i < ahead; i++) {
        const node_t *n = &NODE(&m->b, m->before[i]);

        if (n->kind == N_SET && rr_regex_has(n->set, byte)) {
            count = closure(m, n->out, within, count);
        }
        else if (n->kind == N_MATCH && m->b.edges) { /* found here, seen one byte later */
            count = closure(m, m->before[i], within, count);
        }
    }
    for (i = 0; i < m->restart.count; i++) {
        if (!m->seen[m->restart.nodes[i]]) {
            m->seen[m->restart.nodes[i]] = 1;
            m->work[count++] = m->restart.nodes[i];
        }
    }
    return intern(m, reduce(m, count), byte);
}

/* Bytes that no set tells apart share a column. */
static unsigned classify(rr_dfa_t *dfa, const build_t *b)
{
    unsigned char split[256][2];
    unsigned width = 1, c;
    int i, byte;

    for (i = b->edges ? -2 : 0; i < b->nodes->nelts && width < 256; i++) {
        const unsigned char *set = i < -1 ? utf8_tail : i < 0 ? rr_regex_word : NODE(b, i).set;

        if (!set) {
            continue;
        }
        memset(split, 0, sizeof(split)); /* by old class: has members outside, inside the set */
        for (byte = 0; byte < 256; byte++) {
            split[dfa->class_of[byte]][rr_regex_has(set, byte)] = 1;
        }
        for (c = 0, byte = (int)width; c < (unsigned)byte; c++) {
            split[c][0] = split[c][0] && split[c][1] ? (unsigned char)width++ : 0;
        }
        for (byte = 0; byte < 256; byte++) {
            c = dfa->class_of[byte];
            if (split[c][0] && rr_regex_has(set, byte)) {
                dfa->class_of[byte] = split[c][0];
            }
        }
    }
    return width;
}

/* The patterns that match in state, at the end of the path or anywhere, as an offset in sets. */
static apr_uint32_t matched(make_t *m, int state, int at_end, const rr_dfa_pattern_t *patterns, apr_size_t words,
                            apr_array_header_t *sets)
{
    const subset_t from = ((subset_t *)m->subsets->elts)[state];
    apr_uint64_t *set = apr_pcalloc(m->ptemp, words * sizeof(*set));
    const place_t here = { state == 0, at_end, at_end ? from.from_word : -1 };
    int i, count = 0, any = 0;
    apr_size_t at;

    for (i = 0; i < from.count; i++) {
        count = closure(m, from.nodes[i], here, count);
    }
    for (i = 0; i < count; i++) {
        const node_t *n = &NODE(&m->b, m->work[i]);

        m->seen[m->work[i]] = 0;
        if (n->kind == N_MATCH) {
            set[patterns[n->pattern].number / 64] |= (apr_uint64_t)1 << patterns[n->pattern].number % 64;
            any = 1;
        }
    }
    if (!any) {
        return 0;
    }
    for (at = words; at < (apr_size_t)sets->nelts; at += words) {
        if (!memcmp((apr_uint64_t *)sets->elts + at, set, words * sizeof(*set))) {
            return (apr_uint32_t)at;
        }
    }
    for (at = 0; at < words; at++) {
        APR_ARRAY_PUSH(sets, apr_uint64_t) = set[at];
    }
    return (apr_uint32_t)((apr_size_t)sets->nelts - words);
}

static void assemble_all(make_t *m, const rr_dfa_pattern_t *patterns, apr_size_t count)
{
    apr_size_t i;

    m->b.nodes = apr_array_make(m->ptemp, 256, sizeof(node_t));
    m->starts = apr_array_make(m->ptemp, (int)count, sizeof(int));
    for (i = 0; i < count; i++) {
        const rr_regex_t *t = rr_regex_parse(patterns[i].text, patterns[i].caseless, m->ptemp);

        m->b.pattern = (unsigned)i;
        APR_ARRAY_PUSH(m->starts, int) = assemble(&m->b, t, node(&m->b, N_MATCH, -1, -1, NULL));
    }
}

/* The start state, and what is begun anew at every later byte. */
static void start(make_t *m)
{
    static const place_t anew = { 0, 0, -1 }, begin = { 1, 0, -1 };
    int nodes = m->b.nodes->nelts, i, count;

    m->seen = apr_pcalloc(m->ptemp, (apr_size_t)nodes);
    m->work = apr_palloc(m->ptemp, (apr_size_t)nodes * sizeof(int));
    m->before = apr_palloc(m->ptemp, (apr_size_t)nodes * sizeof(int));
    m->stack = apr_palloc(m->ptemp, 2 * (apr_size_t)nodes * sizeof(int) + sizeof(int));
    for (i = 0, count = 0; i < m->starts->nelts; i++) {
        count = closure(m, APR_ARRAY_IDX(m->starts, i, int), anew, count);
    }
    m->restart.count = reduce(m, count);
    m->restart.nodes = apr_pmemdup(m->ptemp, m->work, (apr_size_t)m->restart.count * sizeof(int));
    for (i = 0, count = 0; i < m->starts->nelts; i++) {
        count = closure(m, APR_ARRAY_IDX(m->starts, i, int), begin, count);
    }
    intern(m, reduce(m, count), 0);
}

/* Rows of every state that can be reached; 0: too many. */
static int expand(make_t *m, rr_dfa_t *dfa, apr_array_header_t *rows)
{
    unsigned width = classify(dfa, &m->b), c;
    int byte_of[256], state, byte;

    while (1u << dfa->shift < width) {
        dfa->shift++;
    }
    for (byte = 255; byte >= 0; byte--) {
        byte_of[dfa->class_of[byte]] = byte;
    }
    for (state = 0; state < m->subsets->nelts; state++) {
        for (c = 0; c < 1u << dfa->shift; c++) {
            APR_ARRAY_PUSH(rows, apr_uint32_t) = c < width ? (apr_uint32_t)step(m, state, byte_of[c]) : 0;
        }
        if (m->subsets->nelts > RR_MAX_DFA_STATES) {
            return 0;
        }
    }
    return 1;
}

/*
 * The state after [N], if it is the same for every N and nothing is found before the end of it: then all elements
 * of an array are alike. Followed for numbers of two digits; three reach no state that two have not.
 */
static apr_uint32_t any_element(const rr_dfa_t *dfa, apr_uint32_t state)
{
    apr_uint32_t open = rr_dfa_step(dfa, state, '['), zero = rr_dfa_step(dfa, open, '0');
    apr_uint32_t end = rr_dfa_step(dfa, zero, ']'), digit;
    unsigned char c;

    for (c = '0'; c <= '9'; c++) {
        digit = rr_dfa_step(dfa, open, c);
        if ((open | digit) & RR_DFA_FOUND || digit != rr_dfa_step(dfa, digit, '0') || digit != zero ||
            digit != rr_dfa_step(dfa, digit, c)) {
            return RR_DFA_FOUND;
        }
    }
    return end & RR_DFA_FOUND ? RR_DFA_FOUND : end;
}

static const rr_dfa_t *make(make_t *m, const rr_dfa_pattern_t *patterns, apr_size_t count, apr_size_t words,
                            apr_pool_t *p)
{
    rr_dfa_t *dfa = apr_pcalloc(p, sizeof(*dfa));
    apr_array_header_t *rows = apr_array_make(m->ptemp, 64 * 64, sizeof(apr_uint32_t));
    apr_array_header_t *sets = apr_array_make(m->ptemp, 64, sizeof(apr_uint64_t));
    apr_uint32_t *flagged;
    apr_size_t states, i;

    assemble_all(m, patterns, count);
    if (m->b.full) {
        return NULL;
    }
    for (m->mask = 63; m->mask < 4 * RR_MAX_DFA_STATES; m->mask = m->mask * 2 + 1) {
    }
    m->buckets = apr_pcalloc(m->ptemp, (m->mask + 1) * sizeof(int));
    m->subsets = apr_array_make(m->ptemp, 64, sizeof(subset_t));
    start(m);
    if (!expand(m, dfa, rows)) {
        return NULL;
    }
    states = (apr_size_t)m->subsets->nelts;
    dfa->found = apr_palloc(p, states * sizeof(*dfa->found));
    dfa->ends = apr_palloc(p, states * sizeof(*dfa->ends));
    flagged = apr_palloc(m->ptemp, states * sizeof(*flagged));
    for (i = 0; i < words; i++) {
        APR_ARRAY_PUSH(sets, apr_uint64_t) = 0;
    }
    for (i = 0; i < states; i++) {
        dfa->found[i] = matched(m, (int)i, 0, patterns, words, sets);
        dfa->ends[i] = matched(m, (int)i, 1, patterns, words, sets);
        flagged[i] = (apr_uint32_t)i << dfa->shift | (dfa->found[i] ? RR_DFA_FOUND : 0) |
                     (dfa->ends[i] ? RR_DFA_ENDS : 0) |
                     (((subset_t *)m->subsets->elts)[i].count ? 0 : RR_DFA_DEAD);
    }
    dfa->words = words;
    dfa->start = flagged[0];
    dfa->next = apr_palloc(p, (apr_size_t)rows->nelts * sizeof(apr_uint32_t));
    for (i = 0; i < (apr_size_t)rows->nelts; i++) {
        dfa->next[i] = flagged[((apr_uint32_t *)rows->elts)[i]];
    }
    dfa->element = apr_palloc(p, states * sizeof(*dfa->element));
    for (i = 0; i < states; i++) {
        dfa->element[i] = any_element(dfa, flagged[i]);
    }
    dfa->sets = apr_pmemdup(p, sets->elts, (apr_size_t)sets->nelts * sizeof(apr_uint64_t));
    return dfa;
}

const rr_dfa_t *rr_dfa_build(const rr_dfa_pattern_t *patterns, apr_size_t count, apr_size_t words, apr_pool_t *p)
{
    make_t m = { .ptemp = NULL };
    const rr_dfa_t *dfa;

    apr_pool_create(&m.ptemp, p);
    dfa = make(&m, patterns, count, words, p);
    apr_pool_destroy(m.ptemp);
    return dfa;
}

/* ---- running ---- */

/* Whether a pattern in active is in the set that table has for state. */
static inline int counts(const rr_dfa_t *dfa, const apr_uint32_t *table, apr_uint32_t state, const apr_uint64_t *active)
{
    const apr_uint64_t *set = dfa->sets + table[(state & RR_DFA_ROW) >> dfa->shift];
    apr_size_t i;

    for (i = 0; active && i < dfa->words; i++) {
        if (set[i] & active[i]) {
            return 1;
        }
    }
    return !active;
}

apr_uint32_t rr_dfa_settle(const rr_dfa_t *dfa, apr_uint32_t state, const char *p, const char *end,
                           const apr_uint64_t *active)
{
    while (!(state & RR_DFA_FOUND && counts(dfa, dfa->found, state, active))) {
        if (p == end) {
            return state & RR_DFA_ENDS && counts(dfa, dfa->ends, state, active) ? state | RR_DFA_FOUND
                                                                               : state & ~RR_DFA_FOUND;
        }
        do {
            state = rr_dfa_step(dfa, state, (unsigned char)*p++);
        } while (p < end && !(state & RR_DFA_FOUND));
    }
    return state;
}
