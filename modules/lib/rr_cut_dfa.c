/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_dfa.c: regular expressions without back-tracking, merged and made
 * deterministic when the configuration is read.
 *
 * An expression becomes a tree, the tree an automaton of byte sets built from
 * its end to its start, all automata together one table by subset construction.
 * What is not understood to the letter is refused here and left to PCRE2, so
 * that both always agree (t/unit/test_cut_dfa.c compares them).
 *
 * Spec: pcre2pattern(3), in UTF mode with DOTALL and DOLLAR_ENDONLY; sets are
 *       ASCII without UCP, as PCRE2's are.
 */
#include "rr_cut_dfa.h"

#include "rr.h"

#include <apr_strings.h>
#include <apr_tables.h>

#include <stdlib.h>
#include <string.h>

#define MAX_NEST 32       /* parentheses */
#define MAX_COPIES 64     /* of a counted repetition */
#define MAX_NODES 20000   /* of the automata before they are made deterministic */

/* ---- the tree ---- */

typedef enum { T_EMPTY, T_SET, T_CAT, T_ALT, T_REPEAT, T_BEGIN, T_END } tree_e;

typedef struct tree_t {
    tree_e kind;
    struct tree_t *left, *right; /* CAT, ALT; REPEAT: left */
    int min, max;                /* REPEAT; max -1: no end */
    unsigned char set[32];       /* SET: a bit a byte */
} tree_t;

typedef struct parse_t {
    const unsigned char *p;
    int caseless;
    int nest;
    int failed; /* not understood */
    apr_pool_t *pool;
} parse_t;

static tree_t *parse_alternation(parse_t *in);

static tree_t *tree(parse_t *in, tree_e kind, tree_t *left, tree_t *right)
{
    tree_t *t = apr_pcalloc(in->pool, sizeof(*t));

    t->kind = kind;
    t->left = left;
    t->right = right;
    return t;
}

static tree_t *unknown(parse_t *in)
{
    in->failed = 1;
    return tree(in, T_EMPTY, NULL, NULL);
}

static void set_range(unsigned char *set, int from, int to)
{
    for (; from <= to; from++) {
        set[from / 8] |= (unsigned char)(1 << from % 8);
    }
}

static int set_has(const unsigned char *set, int byte)
{
    return set[byte / 8] >> byte % 8 & 1;
}

static tree_t *range(parse_t *in, int from, int to)
{
    tree_t *t = tree(in, T_SET, NULL, NULL);

    set_range(t->set, from, to);
    return t;
}

/* Any one character outside ASCII; paths are known to be UTF-8. */
static tree_t *beyond_ascii(parse_t *in)
{
    tree_t *tail1 = range(in, 0x80, 0xbf);
    tree_t *tail2 = tree(in, T_CAT, range(in, 0x80, 0xbf), tail1);
    tree_t *tail3 = tree(in, T_CAT, range(in, 0x80, 0xbf), tail2);

    return tree(in, T_ALT, tree(in, T_CAT, range(in, 0xc2, 0xdf), tail1),
                tree(in, T_ALT, tree(in, T_CAT, range(in, 0xe0, 0xef), tail2),
                     tree(in, T_CAT, range(in, 0xf0, 0xf4), tail3)));
}

/* The ASCII members of \d \w \s; 0 for any other letter. */
static int set_shorthand(unsigned char *set, int letter)
{
    switch (letter) {
    case 'd':
        set_range(set, '0', '9');
        return 1;
    case 'w':
        set_range(set, '0', '9');
        set_range(set, 'a', 'z');
        set_range(set, 'A', 'Z');
        set_range(set, '_', '_');
        return 1;
    case 's':
        set_range(set, '\t', '\r');
        set_range(set, ' ', ' ');
        return 1;
    default:
        return 0;
    }
}

/* The character that backslash and letter stand for; -1: something else. */
static int escaped(int letter)
{
    switch (letter) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    default:
        return letter > ' ' && letter < 0x7f && !strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                                        letter)
                   ? letter
                   : -1;
    }
}

static tree_t *complement(parse_t *in, const unsigned char *set)
{
    tree_t *t = tree(in, T_SET, NULL, NULL);
    int i;

    for (i = 0; i < 16; i++) {
        t->set[i] = (unsigned char)~set[i];
    }
    return tree(in, T_ALT, t, beyond_ascii(in));
}

static tree_t *bytes(parse_t *in, const char *text)
{
    tree_t *t = range(in, (unsigned char)text[0], (unsigned char)text[0]);

    return text[1] ? tree(in, T_CAT, t, bytes(in, text + 1)) : t;
}

/* Adds the other case of every letter; in UTF mode k and s have a third one, outside ASCII. */
static tree_t *fold(parse_t *in, tree_t *t)
{
    int c, kelvin, long_s;

    if (!in->caseless) {
        return t;
    }
    for (c = 'a'; c <= 'z'; c++) {
        if (set_has(t->set, c) || set_has(t->set, c - 32)) {
            set_range(t->set, c, c);
            set_range(t->set, c - 32, c - 32);
        }
    }
    kelvin = set_has(t->set, 'k');
    long_s = set_has(t->set, 's');
    if (kelvin) {
        t = tree(in, T_ALT, t, bytes(in, "\xe2\x84\xaa"));
    }
    return long_s ? tree(in, T_ALT, t, bytes(in, "\xc5\xbf")) : t;
}

/* One end of a range in brackets; -1: a shorthand, taken into set; -2: not understood. */
static int class_member(parse_t *in, unsigned char *set)
{
    int c = *in->p++;

    if (c == '\\') {
        c = *in->p++;
        if (set_shorthand(set, c)) {
            return in->caseless ? -2 : -1;
        }
        c = escaped(c);
        return c < 0 ? -2 : c;
    }
    return c == 0 || c >= 0x80 || (c == '[' && strchr(":.=", *in->p)) ? -2 : c;
}

static tree_t *parse_class(parse_t *in)
{
    tree_t *t = tree(in, T_SET, NULL, NULL);
    int negated = *in->p == '^', first = 1, from, to;

    in->p += negated;
    for (; first || *in->p != ']'; first = 0) {
        from = class_member(in, t->set);
        if (from == -2) {
            return unknown(in);
        }
        if (from == -1) {
            if (*in->p == '-' && in->p[1] != ']') {
                return unknown(in);
            }
            continue;
        }
        to = from;
        if (*in->p == '-' && in->p[1] != ']') {
            in->p++;
            to = class_member(in, t->set);
            if (to < from) { /* PCRE2 refuses a range that runs backwards */
                return unknown(in);
            }
        }
        set_range(t->set, from, to);
    }
    in->p++;
    if (negated) {
        return in->caseless ? unknown(in) : complement(in, t->set);
    }
    return fold(in, t);
}

static tree_t *parse_escape(parse_t *in)
{
    tree_t *t = tree(in, T_SET, NULL, NULL);
    int letter = *in->p++, c;

    if (set_shorthand(t->set, letter)) {
        return t;
    }
    if (letter == 'D' || letter == 'W' || letter == 'S') {
        set_shorthand(t->set, letter + 32);
        return complement(in, t->set);
    }
    c = escaped(letter);
    return c < 0 ? unknown(in) : range(in, c, c);
}

static tree_t *parse_group(parse_t *in)
{
    tree_t *t;

    if (*in->p == '*' || ++in->nest > MAX_NEST) {
        return unknown(in);
    }
    if (*in->p == '?') {
        if (in->p[1] != ':') {
            return unknown(in);
        }
        in->p += 2;
    }
    t = parse_alternation(in);
    if (*in->p != ')') {
        return unknown(in);
    }
    in->p++;
    in->nest--;
    return t;
}

static tree_t *parse_atom(parse_t *in)
{
    unsigned char any[32] = { 0 };
    int c = *in->p++;

    switch (c) {
    case '^':
        return tree(in, T_BEGIN, NULL, NULL);
    case '$':
        return tree(in, T_END, NULL, NULL);
    case '.':
        return complement(in, any);
    case '(':
        return parse_group(in);
    case '[':
        return parse_class(in);
    case '\\':
        return parse_escape(in);
    case '*':
    case '+':
    case '?':
    case '{':
        return unknown(in);
    default:
        if (c >= 0x80 && in->caseless) {
            return unknown(in);
        }
        if (c >= 0x80) { /* the whole character, so that a quantifier takes all of it */
            tree_t *t = range(in, c, c);

            for (; (*in->p & 0xc0) == 0x80; in->p++) {
                t = tree(in, T_CAT, t, range(in, *in->p, *in->p));
            }
            return t;
        }
        return fold(in, range(in, c, c));
    }
}

static int parse_number(parse_t *in)
{
    int n = 0;

    if (*in->p < '0' || *in->p > '9') {
        return -1;
    }
    for (; *in->p >= '0' && *in->p <= '9'; in->p++) {
        n = n > MAX_COPIES ? n : n * 10 + (*in->p - '0');
    }
    return n;
}

static tree_t *parse_repeat(parse_t *in)
{
    tree_t *t = parse_atom(in);
    int min, max;

    while (!in->failed && *in->p && strchr("*+?{", *in->p)) {
        if (t->kind == T_BEGIN || t->kind == T_END) {
            return unknown(in);
        }
        min = *in->p == '+';
        max = *in->p == '?' ? 1 : -1;
        if (*in->p++ == '{') {
            min = max = parse_number(in);
            if (min >= 0 && *in->p == ',') {
                in->p++;
                max = *in->p == '}' ? -1 : parse_number(in);
            }
            if (min < 0 || min > MAX_COPIES || max < -1 || max > MAX_COPIES || (max >= 0 && max < min) || *in->p != '}') {
                return unknown(in);
            }
            in->p++;
        }
        if (*in->p == '+') { /* possessive: gives nothing back */
            return unknown(in);
        }
        in->p += *in->p == '?'; /* lazy: the same paths match */
        t = tree(in, T_REPEAT, t, NULL);
        t->min = min;
        t->max = max;
    }
    return t;
}

static tree_t *parse_sequence(parse_t *in)
{
    tree_t *t = NULL, *next;

    while (!in->failed && *in->p && *in->p != '|' && *in->p != ')') {
        next = parse_repeat(in);
        t = t ? tree(in, T_CAT, t, next) : next;
    }
    return t ? t : tree(in, T_EMPTY, NULL, NULL);
}

static tree_t *parse_alternation(parse_t *in)
{
    tree_t *t = parse_sequence(in);

    while (!in->failed && *in->p == '|') {
        in->p++;
        t = tree(in, T_ALT, t, parse_sequence(in));
    }
    return t;
}

static tree_t *parse(const char *text, int caseless, apr_pool_t *pool)
{
    parse_t in = { .p = (const unsigned char *)text, .caseless = caseless, .pool = pool };
    tree_t *t = parse_alternation(&in);

    return in.failed || *in.p ? NULL : t;
}

/* ---- the automaton ---- */

typedef enum { N_SET, N_SPLIT, N_BEGIN, N_END, N_MATCH } node_e;

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

/* The start of what matches t and goes on at next. Depth is bounded by MAX_NEST and the pattern's length. */
static int assemble(build_t *b, const tree_t *t, int next)
{
    int i, loop;

    if (b->full || ++b->work > 8 * MAX_NODES) { /* copies of nothing make work and no nodes */
        b->full = 1;
        return 0;
    }
    switch (t->kind) {
    case T_EMPTY:
        return next;
    case T_SET:
        return node(b, N_SET, next, -1, t->set);
    case T_CAT:
        return assemble(b, t->left, assemble(b, t->right, next));
    case T_ALT:
        i = assemble(b, t->left, next);
        return node(b, N_SPLIT, i, assemble(b, t->right, next), NULL);
    case T_BEGIN:
        return node(b, N_BEGIN, next, -1, NULL);
    case T_END:
        return node(b, N_END, next, -1, NULL);
    case T_REPEAT:
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
    const tree_t *t = strlen(text) <= RR_MAX_PATTERN ? parse(text, caseless, ptemp) : NULL;

    if (!t) {
        return 0;
    }
    assemble(&b, t, node(&b, N_MATCH, -1, -1, NULL));
    return !b.full;
}

/* ---- subsets ---- */

typedef struct subset_t {
    int *nodes; /* ascending; SET, END and MATCH only */
    int count;
    apr_uint32_t hash;
} subset_t;

typedef struct make_t {
    build_t b;
    apr_array_header_t *starts;  /* int */
    apr_array_header_t *subsets; /* subset_t, by number of state */
    int *buckets;                /* hash to state + 1 */
    apr_uint32_t mask;
    unsigned char *seen;         /* by node */
    int *stack, *work;
    subset_t restart; /* what an unanchored search begins at every byte */
    apr_pool_t *ptemp;
} make_t;

/* Follows what takes no byte. at_begin and at_end: whether ^ and $ hold here. */
static int closure(make_t *m, int start, int at_begin, int at_end, int count)
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
        else if ((n->kind == N_BEGIN && at_begin) || (n->kind == N_END && at_end)) {
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
        if (kind == N_MATCH || kind == N_SET || kind == N_END) {
            m->work[kept++] = m->work[i];
        }
    }
    qsort(m->work, (size_t)kept, sizeof(int), by_number);
    return kept;
}

/* The number of the state made of work[0..count), new or known. */
static int intern(make_t *m, int count)
{
    apr_uint32_t hash = 2166136261u, at;
    subset_t *s;
    int i;

    for (i = 0; i < count; i++) {
        hash = (hash ^ (apr_uint32_t)m->work[i]) * 16777619u;
    }
    for (at = hash & m->mask; m->buckets[at]; at = (at + 1) & m->mask) {
        s = &((subset_t *)m->subsets->elts)[m->buckets[at] - 1];
        if (s->hash == hash && s->count == count && !memcmp(s->nodes, m->work, (size_t)count * sizeof(int))) {
            return m->buckets[at] - 1;
        }
    }
    s = apr_array_push(m->subsets);
    s->hash = hash;
    s->count = count;
    s->nodes = apr_pmemdup(m->ptemp, m->work, (size_t)count * sizeof(int));
    if (m->subsets->nelts > 1) { /* the start is never come back to: ^ holds there */
        m->buckets[at] = m->subsets->nelts;
    }
    return m->subsets->nelts - 1;
}

/* The state after byte in state. */
static int step(make_t *m, int state, int byte)
{
    const subset_t from = ((subset_t *)m->subsets->elts)[state];
    int i, count = 0;

    for (i = 0; i < from.count; i++) {
        const node_t *n = &NODE(&m->b, from.nodes[i]);

        if (n->kind == N_SET && set_has(n->set, byte)) {
            count = closure(m, n->out, 0, 0, count);
        }
    }
    for (i = 0; i < m->restart.count; i++) {
        if (!m->seen[m->restart.nodes[i]]) {
            m->seen[m->restart.nodes[i]] = 1;
            m->work[count++] = m->restart.nodes[i];
        }
    }
    return intern(m, reduce(m, count));
}

/* Bytes that no set tells apart share a column. */
static unsigned classify(rr_dfa_t *dfa, const build_t *b)
{
    unsigned char split[256][2];
    unsigned width = 1, c;
    int i, byte;

    for (i = 0; i < b->nodes->nelts && width < 256; i++) {
        const node_t *n = &NODE(b, i);

        if (n->kind != N_SET) {
            continue;
        }
        memset(split, 0, sizeof(split)); /* by old class: has members outside, inside the set */
        for (byte = 0; byte < 256; byte++) {
            split[dfa->class_of[byte]][set_has(n->set, byte)] = 1;
        }
        for (c = 0, byte = (int)width; c < (unsigned)byte; c++) {
            split[c][0] = split[c][0] && split[c][1] ? (unsigned char)width++ : 0;
        }
        for (byte = 0; byte < 256; byte++) {
            c = dfa->class_of[byte];
            if (split[c][0] && set_has(n->set, byte)) {
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
    int i, count = 0, any = 0;
    apr_size_t at;

    for (i = 0; i < from.count; i++) {
        count = closure(m, from.nodes[i], state == 0, at_end, count);
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
        const tree_t *t = parse(patterns[i].text, patterns[i].caseless, m->ptemp);

        m->b.pattern = (unsigned)i;
        APR_ARRAY_PUSH(m->starts, int) = assemble(&m->b, t, node(&m->b, N_MATCH, -1, -1, NULL));
    }
}

/* The start state, and what is begun anew at every later byte. */
static void start(make_t *m)
{
    int nodes = m->b.nodes->nelts, i, count;

    m->seen = apr_pcalloc(m->ptemp, (apr_size_t)nodes);
    m->work = apr_palloc(m->ptemp, (apr_size_t)nodes * sizeof(int));
    m->stack = apr_palloc(m->ptemp, 2 * (apr_size_t)nodes * sizeof(int) + sizeof(int));
    for (i = 0, count = 0; i < m->starts->nelts; i++) {
        count = closure(m, APR_ARRAY_IDX(m->starts, i, int), 0, 0, count);
    }
    m->restart.count = reduce(m, count);
    m->restart.nodes = apr_pmemdup(m->ptemp, m->work, (apr_size_t)m->restart.count * sizeof(int));
    for (i = 0, count = 0; i < m->starts->nelts; i++) {
        count = closure(m, APR_ARRAY_IDX(m->starts, i, int), 1, 0, count);
    }
    intern(m, reduce(m, count));
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

static apr_uint32_t after(const rr_dfa_t *dfa, apr_uint32_t state, int byte)
{
    return dfa->next[(state & RR_DFA_ROW) + dfa->class_of[byte]];
}

/*
 * The state after [N], if it is the same for every N and nothing is found before the end of it: then all elements
 * of an array are alike. Followed for numbers of two digits; three reach no state that two have not.
 */
static apr_uint32_t any_element(const rr_dfa_t *dfa, apr_uint32_t state)
{
    apr_uint32_t open = after(dfa, state, '['), end = after(dfa, after(dfa, open, '0'), ']'), digit;
    int c;

    for (c = '0'; c <= '9'; c++) {
        digit = after(dfa, open, c);
        if ((open | digit) & RR_DFA_FOUND || digit != after(dfa, digit, '0') || digit != after(dfa, open, '0')) {
            return RR_DFA_FOUND;
        }
        if (digit != after(dfa, digit, c)) {
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
