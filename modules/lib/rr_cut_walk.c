/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_walk.c: a walk down a document with a matcher.
 *
 * What is known of an open container is a row: the positions of the JSONPaths,
 * the states of the automata. A child's row comes from its parent's and its own
 * name. Equal rows are one node, and in a body that is long enough to pay for it
 * the steps taken from node to node are remembered, so that a name seen before
 * costs one look-up, whatever the operations are.
 *
 * Threads: a walk has one user.
 */
#include "rr_cut_walk.h"

#include <apr_strings.h>

#define WARM 256      /* names looked at before steps are remembered */
#define NODES 256     /* different rows remembered, counted from 1 */
#define ROW_WORDS 512 /* of the longest row remembered */
#define STEPS 1024    /* a power of two */
#define STEP_NAME 16  /* bytes of the longest name remembered */

typedef struct level_t {
    word_t *row;       /* own, or the node's */
    word_t *own;
    unsigned node;     /* number of the row; 0: it has none */
    unsigned path_len;
    rr_walk_e alike;   /* what is true of every element of the array above; RR_WALK_LIMIT: they differ */
} level_t;

typedef struct step_t {
    word_t head, tail;      /* of the name: its first and its last bytes, which overlap */
    apr_uint32_t from, len; /* from: node; 0: the slot is free */
    apr_uint32_t to;        /* node, where verdict is RR_WALK_OPEN */
    rr_walk_e verdict;
} step_t;

typedef struct memo_t {
    word_t *rows[NODES]; /* by number of node; 0 is none */
    unsigned count;
    apr_uint16_t buckets[2 * NODES];
    step_t steps[STEPS];
} memo_t;

struct rr_walk_t {
    const rr_cut_matcher_t *matcher;
    apr_pool_t *pool;
    word_t *active;            /* operations that count; NULL: all */
    word_t *ends;              /* final positions of those */
    apr_array_header_t *slows; /* slow_t that count; NULL: none */
    rr_matcher_t *scratch;
    const rr_dfa_t *only;      /* the one automaton where that is all there is, no JSONPath, no slow pattern; or NULL */
    level_t *levels;
    unsigned size;             /* of levels */
    apr_size_t row_words;
    memo_t *memo;              /* NULL: not yet */
    unsigned cold;             /* names to be looked at before there is one; 0: there is, or never will be */
    char *path;                /* RR_MAX_PATH bytes, only where a slow pattern reads it */
};

static apr_uint32_t *states(const rr_walk_t *walk, word_t *row)
{
    return (apr_uint32_t *)(row + walk->matcher->width);
}

static void grow(rr_walk_t *walk)
{
    unsigned had = walk->size, size = had ? had * 2 : 8, i;
    level_t *levels = apr_palloc(walk->pool, size * sizeof(*levels));
    word_t *rows = apr_pcalloc(walk->pool, (size - had) * walk->row_words * sizeof(*rows));

    if (had) {
        memcpy(levels, walk->levels, had * sizeof(*levels));
    }
    for (i = had; i < size; i++, rows += walk->row_words) {
        levels[i].row = levels[i].own = rows;
    }
    walk->levels = levels;
    walk->size = size;
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
    for (i = 0; i < m->slows->nelts; i++) {
        const slow_t *slow = &ELT(m->slows, slow_t, i);

        if (!walk->active || has_bit(walk->active, slow->op)) {
            walk->slows = walk->slows ? walk->slows : apr_array_make(p, m->slows->nelts, sizeof(slow_t));
            APR_ARRAY_PUSH(walk->slows, slow_t) = *slow;
        }
    }
    if (walk->slows) {
        walk->scratch = rr_matcher_make(p);
        walk->path = apr_palloc(p, RR_MAX_PATH);
    }
    walk->only = m->dfas->nelts == 1 && !m->width && !walk->path ? ELT(m->dfas, const rr_dfa_t *, 0) : NULL;
    walk->row_words = m->width + ((apr_size_t)m->dfas->nelts + 1) / 2;
    /* a slow pattern asks for more than a row tells */
    walk->cold = !walk->path && walk->row_words <= ROW_WORDS ? WARM : 0;
    grow(walk);
    memcpy(walk->levels[0].own, m->start, m->width * sizeof(word_t));
    for (i = 0; i < m->dfas->nelts; i++) {
        states(walk, walk->levels[0].own)[i] = ELT(m->dfas, const rr_dfa_t *, i)->start;
    }
    walk->levels[0].node = 0;
    walk->levels[0].path_len = 0;
    return walk;
}

/* ---- what is remembered ---- */

/* Gives the row of level its number, if there is one left. */
static void number(rr_walk_t *walk, level_t *level)
{
    memo_t *memo = walk->memo;
    apr_size_t bytes = walk->row_words * sizeof(word_t), i;
    word_t hash = 0;
    unsigned at;

    for (i = 0; i < walk->row_words; i++) {
        hash = (hash ^ level->row[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    for (at = hash % (2 * NODES); memo->buckets[at]; at = (at + 1) % (2 * NODES)) {
        if (!memcmp(memo->rows[memo->buckets[at]], level->row, bytes)) {
            break;
        }
    }
    if (!memo->buckets[at]) {
        if (memo->count == NODES) {
            level->node = 0;
            return;
        }
        memo->rows[memo->count] = apr_pmemdup(walk->pool, level->row, bytes);
        memo->buckets[at] = (apr_uint16_t)memo->count++;
    }
    level->node = memo->buckets[at];
}

/* The slot for the step from node by a name of at most STEP_NAME bytes; key: the step, but for where it leads. */
static inline step_t *step_slot(memo_t *memo, unsigned node, const char *name, apr_size_t len, step_t *key)
{
    apr_uint32_t head = 0, tail = 0;

    key->from = node;
    key->len = (apr_uint32_t)len;
    if (len >= 8) {
        memcpy(&key->head, name, 8);
        memcpy(&key->tail, name + len - 8, 8);
    }
    else if (len >= 4) {
        memcpy(&head, name, 4);
        memcpy(&tail, name + len - 4, 4);
        key->head = head;
        key->tail = tail;
    }
    else {
        key->head = len ? (unsigned char)name[0] | (word_t)(unsigned char)name[len / 2] << 8 : 0;
        key->tail = len ? (unsigned char)name[len - 1] : 0;
    }
    return &memo->steps[((key->head ^ key->tail << 7 ^ (word_t)node << 40) * 0x9e3779b97f4a7c15u >> 48) % STEPS];
}

static inline int same_step(const step_t *a, const step_t *b)
{
    return a->from == b->from && a->len == b->len && a->head == b->head && a->tail == b->tail;
}

/* ---- one step ---- */

/* Every JSONPath: what waits for this child moves on, what descends also stays. */
static void shift(rr_walk_t *walk, unsigned depth, const word_t *selected, const word_t *ranged)
{
    const rr_cut_matcher_t *m = walk->matcher;
    const word_t *from = walk->levels[depth].row;
    word_t *to = walk->levels[depth + 1].own, carry = 0;
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

/* The level below depth, to which len more bytes of the written path lead; NULL: it is longer than RR_MAX_PATH. */
static inline level_t *enter(rr_walk_t *walk, unsigned depth, apr_size_t len)
{
    level_t *level;

    if (depth + 1 >= walk->size) {
        grow(walk);
    }
    level = &walk->levels[depth + 1];
    len += level[-1].path_len;
    if (len > RR_MAX_PATH) {
        return NULL;
    }
    level->path_len = (unsigned)len;
    level->row = level->own;
    level->node = 0;
    return level;
}

/* Takes text, part of the written path, down from depth: what the patterns say. */
static rr_walk_e descend(rr_walk_t *walk, unsigned depth, const char *text, apr_size_t len, unsigned dotted)
{
    const apr_array_header_t *dfas = walk->matcher->dfas;
    level_t *level = enter(walk, depth, dotted + len);
    rr_walk_e verdict = RR_WALK_DEAD;
    int i;

    if (!level) {
        return RR_WALK_LIMIT;
    }
    for (i = 0; i < dfas->nelts; i++) {
        apr_uint32_t state = states(walk, level[-1].row)[i];

        if (!(state & RR_DFA_DEAD) || state & RR_DFA_FOUND) {
            const rr_dfa_t *dfa = ELT(dfas, const rr_dfa_t *, i);

            state = rr_dfa_run(dfa, dotted ? rr_dfa_step(dfa, state, '.') : state, text, len, walk->active);
        }
        if (state & RR_DFA_FOUND) {
            return RR_WALK_MATCH;
        }
        states(walk, level->own)[i] = state;
        if (!(state & RR_DFA_DEAD)) {
            verdict = RR_WALK_OPEN;
        }
    }
    if (walk->path) {
        if (dotted) {
            walk->path[level[-1].path_len] = '.';
        }
        memcpy(walk->path + level->path_len - len, text, len);
        return slow_match(walk, level->path_len) ? RR_WALK_MATCH : RR_WALK_OPEN;
    }
    return verdict;
}

/* What the JSONPaths' positions in row say, where the patterns have said verdict. */
static rr_walk_e judge_positions(const rr_walk_t *walk, const word_t *row, rr_walk_e verdict)
{
    apr_size_t i;

    for (i = 0; i < walk->matcher->width; i++) {
        if (row[i] & walk->ends[i]) {
            return RR_WALK_MATCH;
        }
        if (row[i] && verdict == RR_WALK_DEAD) {
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

        if (rr_dfa_run(dfa, dfa->start, "", 0, walk->active) & RR_DFA_FOUND) {
            return RR_WALK_MATCH;
        }
    }
    if (scalar && walk->path && slow_match(walk, 0)) {
        return RR_WALK_MATCH;
    }
    return judge_positions(walk, walk->levels[0].row, RR_WALK_OPEN);
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

/* The child that text leads to: an element's index as it is written, or a name (index is NULL). */
static rr_walk_e walk_child(rr_walk_t *walk, unsigned depth, const char *text, apr_size_t len,
                            const apr_uint64_t *index)
{
    const rr_cut_matcher_t *m = walk->matcher;
    rr_walk_e verdict = descend(walk, depth, text, len, !index && depth > 0);
    level_t *level = &walk->levels[depth + 1];

    if (!m->width || verdict == RR_WALK_LIMIT || verdict == RR_WALK_MATCH) {
        return verdict;
    }
    if (index) {
        /* the child's own row serves as scratch: shift() reads each word of it before it writes it */
        int asked = meet(level[-1].row, m->ranged, m->width);

        shift(walk, depth, NULL, asked ? ranges_at(walk, *index, level->own) : NULL);
    }
    else {
        const name_t *known = *name_slot(m, text, len);

        shift(walk, depth, known ? known->positions : NULL, NULL);
    }
    return judge_positions(walk, level->own, verdict);
}

/* Begins to remember, in the container at depth. */
static void remember(rr_walk_t *walk, unsigned depth)
{
    unsigned i;

    walk->memo = apr_pcalloc(walk->pool, sizeof(*walk->memo));
    walk->memo->count = 1;
    for (i = 0; i <= depth; i++) {
        number(walk, &walk->levels[i]);
    }
}

/* Takes a step that is not remembered, and remembers it if there is room. */
static rr_walk_e learn(rr_walk_t *walk, unsigned depth, const char *name, apr_size_t len)
{
    step_t key, *slot;
    unsigned from;

    if (!walk->memo) {
        remember(walk, depth);
    }
    from = walk->levels[depth].node;
    key.verdict = walk_child(walk, depth, name, len, NULL);
    key.to = 0;
    if (key.verdict == RR_WALK_OPEN) {
        number(walk, &walk->levels[depth + 1]);
        key.to = walk->levels[depth + 1].node;
    }
    if (from && len <= STEP_NAME && key.verdict != RR_WALK_LIMIT && (key.to || key.verdict != RR_WALK_OPEN)) {
        slot = step_slot(walk->memo, from, name, len, &key);
        *slot = key;
    }
    return key.verdict;
}

/* Any step: remembered, worth remembering from now on, or not. */
static __attribute__((noinline)) rr_walk_e any_name(rr_walk_t *walk, unsigned depth, const char *name, apr_size_t len)
{
    level_t *level = &walk->levels[depth];
    const step_t *step;
    step_t key;

    if (!walk->memo) {
        return walk->cold && !--walk->cold ? learn(walk, depth, name, len) : walk_child(walk, depth, name, len, NULL);
    }
    if (level->node && len <= STEP_NAME && depth + 1 < walk->size) {
        step = step_slot(walk->memo, level->node, name, len, &key);
        if (same_step(step, &key)) {
            level[1].path_len = level->path_len + (depth > 0) + (unsigned)len;
            level[1].node = step->to;
            level[1].row = walk->memo->rows[step->to];
            return level[1].path_len > RR_MAX_PATH ? RR_WALK_LIMIT : step->verdict;
        }
    }
    return learn(walk, depth, name, len);
}

/* As descend, where one automaton is all there is: its state is all of a row. */
static rr_walk_e settle_only(const rr_walk_t *walk, level_t *level, apr_uint32_t state, const char *p, const char *end)
{
    state = rr_dfa_settle(walk->only, state, p, end, walk->active);
    *(apr_uint32_t *)level->own = state;
    return state & RR_DFA_FOUND ? RR_WALK_MATCH : state & RR_DFA_DEAD ? RR_WALK_DEAD : RR_WALK_OPEN;
}

/* The usual name in a short body takes no call from here, so that nothing has to be saved for one. */
rr_walk_e rr_walk_name(rr_walk_t *walk, unsigned depth, const char *name, apr_size_t len)
{
    const rr_dfa_t *dfa = walk->only;
    level_t *level;
    apr_uint32_t state;
    apr_size_t path_len;
    const char *end = name + len;

    if (walk->cold <= 1 || !dfa || depth + 1 >= walk->size) {
        return any_name(walk, depth, name, len);
    }
    walk->cold--;
    level = &walk->levels[depth + 1];
    path_len = level[-1].path_len + (depth > 0) + len;
    if (path_len > RR_MAX_PATH) {
        return RR_WALK_LIMIT;
    }
    level->path_len = (unsigned)path_len;
    level->row = level->own;
    level->node = 0;
    state = *(const apr_uint32_t *)level[-1].row;
    if (depth) {
        state = rr_dfa_step(dfa, state, '.');
    }
    name = rr_dfa_pass(dfa, &state, name, end);
    if (state & (RR_DFA_FOUND | RR_DFA_ENDS)) {
        return settle_only(walk, level, state, name, end);
    }
    *(apr_uint32_t *)level->own = state;
    return state & RR_DFA_DEAD ? RR_WALK_DEAD : RR_WALK_OPEN;
}

/* Whether what was found for one element of the array at depth is true of all. */
static int elements_alike(const rr_walk_t *walk, unsigned depth)
{
    const rr_cut_matcher_t *m = walk->matcher;
    const apr_uint32_t *at = states(walk, walk->levels[depth].row);
    int i;

    for (i = 0; i < m->dfas->nelts; i++) {
        const rr_dfa_t *dfa = ELT(m->dfas, const rr_dfa_t *, i);

        if (!(at[i] & RR_DFA_DEAD) && dfa->element[(at[i] & RR_DFA_ROW) >> dfa->shift] == RR_DFA_FOUND) {
            return 0;
        }
    }
    return !walk->path && !meet(walk->levels[depth].row, m->ranged, m->width);
}

rr_walk_e rr_walk_index(rr_walk_t *walk, unsigned depth, apr_uint64_t index)
{
    char text[24], *end = text + sizeof(text), *from = end;
    apr_uint64_t left = index, ten;
    rr_walk_e verdict;
    apr_size_t len;

    if (index && walk->levels[depth + 1].alike != RR_WALK_LIMIT) {
        for (len = 3, ten = 10; index >= ten; ten *= 10) {
            len++;
        }
        len += walk->levels[depth].path_len;
        walk->levels[depth + 1].path_len = (unsigned)len;
        return len > RR_MAX_PATH ? RR_WALK_LIMIT : walk->levels[depth + 1].alike;
    }
    *--from = ']';
    do {
        *--from = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    *--from = '[';
    verdict = walk_child(walk, depth, from, (apr_size_t)(end - from), &index);
    if (walk->memo && verdict == RR_WALK_OPEN) {
        number(walk, &walk->levels[depth + 1]);
    }
    if (!index && verdict != RR_WALK_LIMIT) {
        walk->levels[depth + 1].alike = elements_alike(walk, depth) ? verdict : RR_WALK_LIMIT;
    }
    return verdict;
}
