/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_path.c: patterns and JSONPath queries as one matcher.
 *
 * Three engines side by side, each continuing from what it knew of the parent:
 * automata over the bytes of the written path for nearly every pattern, a bit
 * for every position in every JSONPath (all shifted at once), and PCRE2 over
 * the whole path for patterns that need back-tracking.
 *
 * Threads: a matcher is constant; a walk has one user.
 */
#include "rr_cut_path.h"

#include "rr_cut_dfa.h"
#include "rr_jsonpath.h"
#include "rr_pattern.h"

#include <apr_strings.h>
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

struct rr_cut_matcher_t {
    unsigned count;    /* operations */
    unsigned *groups;  /* by operation */
    apr_size_t words;  /* of a set of operations */
    int on_failure;    /* what a pattern that hit its limit counts as: destroy matches, retain does not */
    apr_array_header_t *dfas;  /* const rr_dfa_t * */
    apr_array_header_t *slows; /* slow_t */
    /* JSONPath: sets of positions, width words each; position j waits for the selectors of its segment */
    apr_size_t width;
    word_t *start, *any, *descends, *ranged;
    name_t **names; /* hash table, open addressing */
    apr_uint32_t name_mask;
    apr_array_header_t *ranges; /* range_t */
    apr_array_header_t *ends;   /* end_t */
};

struct rr_walk_t {
    const rr_cut_matcher_t *matcher;
    apr_pool_t *pool;
    word_t *active;            /* operations that count; NULL: all */
    word_t *ends;              /* final positions of those */
    apr_array_header_t *slows; /* slow_t that count */
    rr_matcher_t *scratch;
    const rr_dfa_t *only;      /* the one automaton where that is all there is for patterns; else NULL */
    unsigned levels;           /* allocated */
    apr_uint32_t *states;      /* by level and automaton */
    word_t *positions;         /* by level */
    unsigned *path_len;        /* by level */
    rr_walk_e *alike;          /* by level: what is true of every element of the array above; RR_WALK_LIMIT: they differ */
    char *path;                /* RR_MAX_PATH bytes, only where a slow pattern reads it */
};

#define ELT(array, type, i) (((type *)(array)->elts)[i])

static void set_bit(word_t *set, unsigned bit)
{
    set[bit / 64] |= (word_t)1 << bit % 64;
}

static int has_bit(const word_t *set, unsigned bit)
{
    return set[bit / 64] >> bit % 64 & 1;
}

static int meet(const word_t *a, const word_t *b, apr_size_t words)
{
    apr_size_t i;

    for (i = 0; i < words; i++) {
        if (a[i] & b[i]) {
            return 1;
        }
    }
    return 0;
}

/* ---- compiling ---- */

static apr_uint32_t hash_name(const char *name, apr_size_t len)
{
    apr_uint32_t hash = 2166136261u;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

/* The slot of a name: its own, or the empty one where it would go. */
static name_t **name_slot(const rr_cut_matcher_t *m, const char *name, apr_size_t len)
{
    apr_uint32_t at = hash_name(name, len) & m->name_mask;

    while (m->names[at] && (m->names[at]->len != len || memcmp(m->names[at]->name, name, len))) {
        at = (at + 1) & m->name_mask;
    }
    return &m->names[at];
}

static void place_selector(rr_cut_matcher_t *m, const rr_selector_t *selector, unsigned position, apr_pool_t *p)
{
    name_t **slot;
    range_t *range;

    switch (selector->kind) {
    case RR_SELECT_ANY:
        set_bit(m->any, position);
        return;
    case RR_SELECT_NAME:
        slot = name_slot(m, selector->name, selector->len);
        if (!*slot) {
            *slot = apr_palloc(p, sizeof(name_t));
            (*slot)->name = apr_pmemdup(p, selector->name, selector->len);
            (*slot)->len = selector->len;
            (*slot)->positions = apr_pcalloc(p, m->width * sizeof(word_t));
        }
        set_bit((*slot)->positions, position);
        return;
    case RR_SELECT_RANGE:
    default:
        range = apr_array_push(m->ranges);
        range->from = selector->from;
        range->to = selector->to;
        range->step = selector->step;
        range->position = position;
        set_bit(m->ranged, position);
        return;
    }
}

/* queries: arrays of rr_segment_t by operation, NULL for patterns. */
static void place_queries(rr_cut_matcher_t *m, apr_array_header_t *const *queries, apr_pool_t *p)
{
    unsigned positions = 0, names = 0, op;
    int i, j;

    for (op = 0; op < m->count; op++) {
        positions += queries[op] ? (unsigned)queries[op]->nelts + 1 : 0;
        for (i = 0; queries[op] && i < queries[op]->nelts; i++) {
            names += (unsigned)ELT(queries[op], rr_segment_t, i).selectors->nelts;
        }
    }
    m->width = (positions + 63) / 64;
    m->start = apr_pcalloc(p, m->width * sizeof(word_t));
    m->any = apr_pcalloc(p, m->width * sizeof(word_t));
    m->descends = apr_pcalloc(p, m->width * sizeof(word_t));
    m->ranged = apr_pcalloc(p, m->width * sizeof(word_t));
    for (m->name_mask = 7; m->name_mask < 2 * names; m->name_mask = m->name_mask * 2 + 1) {
    }
    m->names = apr_pcalloc(p, (m->name_mask + 1) * sizeof(name_t *));
    for (op = 0, positions = 0; op < m->count; op++) {
        end_t *end;

        if (!queries[op]) {
            continue;
        }
        set_bit(m->start, positions);
        for (i = 0; i < queries[op]->nelts; i++, positions++) {
            const rr_segment_t *segment = &ELT(queries[op], rr_segment_t, i);

            if (segment->descends) {
                set_bit(m->descends, positions);
            }
            for (j = 0; j < segment->selectors->nelts; j++) {
                place_selector(m, &ELT(segment->selectors, rr_selector_t, j), positions, p);
            }
        }
        end = apr_array_push(m->ends);
        end->position = positions++;
        end->op = op;
    }
}

static apr_status_t add_slow(rr_cut_matcher_t *m, const char *text, int options, unsigned op, apr_pool_t *p,
                             rr_err_t *err)
{
    const rr_pattern_t *pattern;
    slow_t *slow;
    apr_status_t rv = rr_pattern_compile(&pattern, text, options, p, err);

    if (rv == APR_SUCCESS) {
        slow = apr_array_push(m->slows);
        slow->pattern = pattern;
        slow->op = op;
    }
    return rv;
}

/* Merges as many as fit into one automaton, by halves; a single one that does not fit stays with PCRE2. */
static apr_status_t merge(rr_cut_matcher_t *m, const rr_dfa_pattern_t *patterns, apr_size_t count, apr_pool_t *p,
                          rr_err_t *err)
{
    const rr_dfa_t *dfa;
    apr_status_t rv;

    if (!count) {
        return APR_SUCCESS;
    }
    dfa = rr_dfa_build(patterns, count, m->words, p);
    if (dfa) {
        APR_ARRAY_PUSH(m->dfas, const rr_dfa_t *) = dfa;
        return APR_SUCCESS;
    }
    if (count == 1) {
        return add_slow(m, patterns->text, RR_PATTERN_UTF | (patterns->caseless ? RR_PATTERN_CASELESS : 0),
                        patterns->number, p, err);
    }
    rv = merge(m, patterns, count / 2, p, err);
    return rv == APR_SUCCESS ? merge(m, patterns + count / 2, count - count / 2, p, err) : rv;
}

static apr_status_t compile_op(rr_cut_matcher_t *m, const rr_cut_op_t *op, unsigned number, apr_array_header_t **pquery,
                               apr_array_header_t *fast, apr_pool_t *p, apr_pool_t *ptemp, rr_err_t *err)
{
    const rr_pattern_t *probe;
    rr_dfa_pattern_t *pattern;
    int options, caseless;
    apr_status_t rv;

    if (!op->pattern && strlen(op->path) > RR_MAX_PATTERN) {
        return rr_err_set(err, RR_EINVAL, "", "a JSONPath has at most %d bytes", RR_MAX_PATTERN);
    }
    if (!op->pattern) {
        return rr_jsonpath_parse(pquery, op->path, ptemp, err);
    }
    if ((rv = rr_pattern_flags(&options, op->flags, err)) != APR_SUCCESS ||
        (rv = rr_pattern_compile(&probe, op->pattern, options | RR_PATTERN_UTF, ptemp, err)) != APR_SUCCESS) {
        return rv;
    }
    caseless = (options & RR_PATTERN_CASELESS) != 0;
    if (options & RR_PATTERN_MULTILINE || !rr_dfa_knows(op->pattern, caseless, ptemp)) {
        return add_slow(m, op->pattern, options | RR_PATTERN_UTF, number, p, err);
    }
    pattern = apr_array_push(fast);
    pattern->text = op->pattern;
    pattern->caseless = caseless;
    pattern->number = number;
    return APR_SUCCESS;
}

static apr_status_t compile(rr_cut_matcher_t *m, const rr_cut_op_t *ops, apr_size_t count, rr_cut_effect_e effect,
                            apr_pool_t *p, apr_pool_t *ptemp, rr_err_t *err, apr_size_t *pwhich)
{
    apr_array_header_t **queries = apr_pcalloc(ptemp, m->count * sizeof(*queries));
    apr_array_header_t *fast = apr_array_make(ptemp, (int)m->count, sizeof(rr_dfa_pattern_t));
    unsigned number = 0;
    apr_status_t rv;
    apr_size_t i;

    for (i = 0; i < count; i++) {
        if (ops[i].effect != effect) {
            continue;
        }
        m->groups[number] = ops[i].group;
        rv = compile_op(m, &ops[i], number, &queries[number], fast, p, ptemp, err);
        if (rv != APR_SUCCESS) {
            *pwhich = i;
            return rv;
        }
        number++;
    }
    place_queries(m, queries, p);
    return merge(m, (const rr_dfa_pattern_t *)fast->elts, (apr_size_t)fast->nelts, p, err);
}

apr_status_t rr_cut_matcher_compile(const rr_cut_matcher_t **pmatcher, const rr_cut_op_t *ops, apr_size_t count,
                                rr_cut_effect_e effect, apr_pool_t *p, rr_err_t *err, apr_size_t *pwhich)
{
    rr_cut_matcher_t *m = apr_pcalloc(p, sizeof(*m));
    apr_pool_t *ptemp;
    apr_status_t rv;
    apr_size_t i;

    *pmatcher = NULL;
    for (i = 0; i < count; i++) {
        m->count += ops[i].effect == effect;
    }
    if (!m->count) {
        return APR_SUCCESS;
    }
    m->groups = apr_palloc(p, m->count * sizeof(*m->groups));
    m->words = (m->count + 63) / 64;
    m->on_failure = effect == RR_CUT_DESTROY;
    m->dfas = apr_array_make(p, 1, sizeof(const rr_dfa_t *));
    m->slows = apr_array_make(p, 1, sizeof(slow_t));
    m->ranges = apr_array_make(p, 1, sizeof(range_t));
    m->ends = apr_array_make(p, 1, sizeof(end_t));
    apr_pool_create(&ptemp, p);
    rv = compile(m, ops, count, effect, p, ptemp, err, pwhich);
    apr_pool_destroy(ptemp);
    if (rv == APR_SUCCESS) {
        *pmatcher = m;
    }
    return rv;
}

/* ---- walking ---- */

static void grow(rr_walk_t *walk)
{
    const rr_cut_matcher_t *m = walk->matcher;
    unsigned had = walk->levels, levels = had ? had * 2 : 16;
    apr_size_t dfas = (apr_size_t)m->dfas->nelts;
    apr_uint32_t *states;
    word_t *positions;
    unsigned *path_len;
    rr_walk_e *alike;

    states = apr_palloc(walk->pool, levels * dfas * sizeof(*states));
    positions = apr_palloc(walk->pool, levels * m->width * sizeof(*positions));
    path_len = apr_palloc(walk->pool, levels * sizeof(*path_len));
    alike = apr_palloc(walk->pool, levels * sizeof(*alike));
    if (had) {
        memcpy(states, walk->states, had * dfas * sizeof(*states));
        memcpy(positions, walk->positions, had * m->width * sizeof(*positions));
        memcpy(path_len, walk->path_len, had * sizeof(*path_len));
        memcpy(alike, walk->alike, had * sizeof(*alike));
    }
    walk->states = states;
    walk->positions = positions;
    walk->path_len = path_len;
    walk->alike = alike;
    walk->levels = levels;
}

static int count_active(rr_walk_t *walk, const unsigned char *active)
{
    const rr_cut_matcher_t *m = walk->matcher;
    unsigned op, on = 0;

    walk->active = apr_pcalloc(walk->pool, m->words * sizeof(word_t));
    for (op = 0; op < m->count; op++) {
        if (active[m->groups[op]]) {
            set_bit(walk->active, op);
            on++;
        }
    }
    if (on == m->count) {
        walk->active = NULL;
    }
    return on > 0;
}

rr_walk_t *rr_walk_create(const rr_cut_matcher_t *m, const unsigned char *active, apr_pool_t *p)
{
    rr_walk_t *walk = apr_pcalloc(p, sizeof(*walk));
    int i;

    walk->matcher = m;
    walk->pool = p;
    if (active && !count_active(walk, active)) {
        return NULL;
    }
    walk->ends = apr_pcalloc(p, m->width * sizeof(word_t));
    for (i = 0; i < m->ends->nelts; i++) {
        const end_t *end = &ELT(m->ends, end_t, i);

        if (!walk->active || has_bit(walk->active, end->op)) {
            set_bit(walk->ends, end->position);
        }
    }
    walk->slows = apr_array_make(p, m->slows->nelts, sizeof(slow_t));
    for (i = 0; i < m->slows->nelts; i++) {
        const slow_t *slow = &ELT(m->slows, slow_t, i);

        if (!walk->active || has_bit(walk->active, slow->op)) {
            APR_ARRAY_PUSH(walk->slows, slow_t) = *slow;
        }
    }
    if (walk->slows->nelts) {
        walk->scratch = rr_matcher_make(p);
        walk->path = apr_palloc(p, RR_MAX_PATH);
    }
    walk->only = m->dfas->nelts == 1 && !walk->path ? ELT(m->dfas, const rr_dfa_t *, 0) : NULL;
    grow(walk);
    for (i = 0; i < m->dfas->nelts; i++) {
        walk->states[i] = ELT(m->dfas, const rr_dfa_t *, i)->start;
    }
    memcpy(walk->positions, m->start, m->width * sizeof(word_t));
    walk->path_len[0] = 0;
    return walk;
}

/* One step of every JSONPath: what waits for this child moves on, what descends also stays. */
static void shift(rr_walk_t *walk, unsigned depth, const word_t *selected, const word_t *ranged)
{
    const rr_cut_matcher_t *m = walk->matcher;
    const word_t *from = walk->positions + depth * m->width;
    word_t *to = walk->positions + (depth + 1) * m->width, carry = 0;
    apr_size_t i;

    for (i = 0; i < m->width; i++) {
        word_t hit = m->any[i] | (selected ? selected[i] : 0) | (ranged ? ranged[i] : 0);

        hit &= from[i];
        to[i] = hit << 1 | carry | (from[i] & m->descends[i]);
        carry = hit >> 63;
    }
}

static int slow_match(rr_walk_t *walk, apr_size_t len)
{
    int i;

    for (i = 0; i < walk->slows->nelts; i++) {
        switch (rr_pattern_search(ELT(walk->slows, slow_t, i).pattern, walk->scratch, walk->path, len)) {
        case RR_MATCH_YES:
            return 1;
        case RR_MATCH_NO:
            break;
        case RR_MATCH_DOUBT:
        default:
            if (walk->matcher->on_failure) {
                return 1;
            }
        }
    }
    return 0;
}

static int counts(const rr_walk_t *walk, const rr_dfa_t *dfa, apr_uint32_t set)
{
    return !walk->active || meet(dfa->sets + set, walk->active, walk->matcher->words);
}

/* Whether a pattern that counts was found on the way from state over text: asked once one of them was. */
static int found_on_way(const rr_walk_t *walk, const rr_dfa_t *dfa, apr_uint32_t state, const char *text,
                        apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        state = dfa->next[(state & RR_DFA_ROW) + dfa->class_of[(unsigned char)text[i]]];
        if (state & RR_DFA_FOUND && counts(walk, dfa, dfa->found[(state & RR_DFA_ROW) >> dfa->shift])) {
            return 1;
        }
    }
    return 0;
}

/*
 * Runs one automaton over a piece of the written path. Whatever was found before
 * it was found in the path of a container above and has settled the matter there.
 */
static inline rr_walk_e run(const rr_walk_t *walk, const rr_dfa_t *dfa, apr_uint32_t *pstate, int dotted,
                            const char *text, apr_size_t len)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + len;
    apr_uint32_t state = *pstate, seen = 0, from;

    if (state & RR_DFA_DEAD) {
        return RR_WALK_DEAD;
    }
    if (dotted) {
        seen = state = dfa->next[(state & RR_DFA_ROW) + dfa->class_of['.']];
    }
    for (from = state; p < end; p++) {
        state = dfa->next[(state & RR_DFA_ROW) + dfa->class_of[*p]];
        seen |= state;
    }
    if (seen & RR_DFA_FOUND &&
        ((from & RR_DFA_FOUND && counts(walk, dfa, dfa->found[(from & RR_DFA_ROW) >> dfa->shift])) ||
         found_on_way(walk, dfa, from, text, len))) {
        return RR_WALK_MATCH;
    }
    *pstate = state;
    if (state & RR_DFA_ENDS && counts(walk, dfa, dfa->ends[(state & RR_DFA_ROW) >> dfa->shift])) {
        return RR_WALK_MATCH;
    }
    return state & RR_DFA_DEAD ? RR_WALK_DEAD : RR_WALK_OPEN;
}

/* Takes text, part of the written path, down from depth: what the patterns say. */
static rr_walk_e descend(rr_walk_t *walk, unsigned depth, const char *text, apr_size_t len, unsigned dotted)
{
    unsigned dfas = (unsigned)walk->matcher->dfas->nelts, i;
    rr_walk_e verdict = RR_WALK_DEAD, one;
    apr_size_t at = walk->path_len[depth];
    apr_uint32_t *states;

    if (at + dotted + len > RR_MAX_PATH) {
        return RR_WALK_LIMIT;
    }
    if (depth + 1 >= walk->levels) {
        grow(walk);
    }
    walk->path_len[depth + 1] = (unsigned)(at + dotted + len);
    if (walk->only) {
        walk->states[depth + 1] = walk->states[depth];
        return run(walk, walk->only, &walk->states[depth + 1], (int)dotted, text, len);
    }
    states = walk->states + (depth + 1) * dfas;
    for (i = 0; i < dfas; i++) {
        states[i] = states[(long)i - (long)dfas];
        one = run(walk, ELT(walk->matcher->dfas, const rr_dfa_t *, i), &states[i], (int)dotted, text, len);
        if (one == RR_WALK_MATCH) {
            return one;
        }
        verdict = one == RR_WALK_OPEN ? one : verdict;
    }
    if (walk->path) {
        if (dotted) {
            walk->path[at] = '.';
        }
        memcpy(walk->path + at + dotted, text, len);
        return slow_match(walk, walk->path_len[depth + 1]) ? RR_WALK_MATCH : RR_WALK_OPEN;
    }
    return verdict;
}

/* What the JSONPaths' positions at level say, where the patterns have said verdict. */
static rr_walk_e judge_positions(const rr_walk_t *walk, unsigned level, rr_walk_e verdict)
{
    const word_t *at = walk->positions + level * walk->matcher->width;
    apr_size_t i;

    for (i = 0; i < walk->matcher->width; i++) {
        if (at[i] & walk->ends[i]) {
            return RR_WALK_MATCH;
        }
        if (at[i] && verdict == RR_WALK_DEAD) {
            verdict = RR_WALK_OPEN;
        }
    }
    return verdict;
}

rr_walk_e rr_walk_root(rr_walk_t *walk, int scalar)
{
    const rr_cut_matcher_t *m = walk->matcher;
    int i;

    for (i = 0; scalar && i < m->dfas->nelts; i++) {
        const rr_dfa_t *dfa = ELT(m->dfas, const rr_dfa_t *, i);

        if (dfa->start & RR_DFA_ENDS && counts(walk, dfa, dfa->ends[0])) {
            return RR_WALK_MATCH;
        }
    }
    if (scalar && walk->path && slow_match(walk, 0)) {
        return RR_WALK_MATCH;
    }
    return judge_positions(walk, 0, RR_WALK_OPEN);
}

rr_walk_e rr_walk_name(rr_walk_t *walk, unsigned depth, const char *name, apr_size_t len)
{
    const rr_cut_matcher_t *m = walk->matcher;
    rr_walk_e verdict = descend(walk, depth, name, len, depth > 0);
    const name_t *known;

    if (!m->width || verdict == RR_WALK_LIMIT || verdict == RR_WALK_MATCH) {
        return verdict;
    }
    known = *name_slot(m, name, len);
    shift(walk, depth, known ? known->positions : NULL, NULL);
    return judge_positions(walk, depth + 1, verdict);
}

static const word_t *ranges_at(rr_walk_t *walk, apr_uint64_t index, word_t *set)
{
    const rr_cut_matcher_t *m = walk->matcher;
    int i;

    memset(set, 0, m->width * sizeof(*set));
    for (i = 0; i < m->ranges->nelts; i++) {
        const range_t *range = &ELT(m->ranges, range_t, i);
        apr_int64_t past = (apr_int64_t)index - range->from;

        if (past >= 0 && (range->to < 0 || (apr_int64_t)index < range->to) && range->step && past % range->step == 0) {
            set_bit(set, range->position);
        }
    }
    return set;
}

/* Whether what was found for one element of the array at depth is true of all. */
static int elements_alike(const rr_walk_t *walk, unsigned depth)
{
    const rr_cut_matcher_t *m = walk->matcher;
    unsigned dfas = (unsigned)m->dfas->nelts, i;

    for (i = 0; i < dfas; i++) {
        const rr_dfa_t *dfa = ELT(m->dfas, const rr_dfa_t *, i);
        apr_uint32_t state = walk->states[depth * dfas + i];

        if (!(state & RR_DFA_DEAD) && dfa->element[(state & RR_DFA_ROW) >> dfa->shift] == RR_DFA_FOUND) {
            return 0;
        }
    }
    return !walk->path && !meet(walk->positions + depth * m->width, m->ranged, m->width);
}

static rr_walk_e walk_element(rr_walk_t *walk, unsigned depth, apr_uint64_t index, const char *text, apr_size_t len)
{
    const rr_cut_matcher_t *m = walk->matcher;
    rr_walk_e verdict = descend(walk, depth, text, len, 0);

    if (m->width && verdict != RR_WALK_LIMIT && verdict != RR_WALK_MATCH) {
        /* the child's own row serves as scratch: shift() reads each word of it before it writes it */
        word_t *row = walk->positions + (depth + 1) * m->width;
        int asked = meet(walk->positions + depth * m->width, m->ranged, m->width);

        shift(walk, depth, NULL, asked ? ranges_at(walk, index, row) : NULL);
        verdict = judge_positions(walk, depth + 1, verdict);
    }
    return verdict;
}

rr_walk_e rr_walk_index(rr_walk_t *walk, unsigned depth, apr_uint64_t index)
{
    char text[24], *end = text + sizeof(text), *from = end;
    apr_uint64_t left = index;
    rr_walk_e verdict;
    apr_size_t len;

    if (index && walk->alike[depth + 1] != RR_WALK_LIMIT) {
        for (len = 3; left > 9; left /= 10) {
            len++;
        }
        len += walk->path_len[depth];
        walk->path_len[depth + 1] = (unsigned)len;
        return len > RR_MAX_PATH ? RR_WALK_LIMIT : walk->alike[depth + 1];
    }
    *--from = ']';
    do {
        *--from = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    *--from = '[';
    verdict = walk_element(walk, depth, index, from, (apr_size_t)(end - from));
    if (!index && verdict != RR_WALK_LIMIT) {
        walk->alike[depth + 1] = elements_alike(walk, depth) ? verdict : RR_WALK_LIMIT;
    }
    return verdict;
}
