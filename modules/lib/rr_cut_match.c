/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_match.c: compiles patterns and JSONPath queries into one matcher.
 */
#include "rr_cut_match.h"

#include "rr_jsonpath.h"

#include <apr_strings.h>


static void place_selector(rr_cut_matcher_t *m, const rr_selector_t *selector, unsigned position, apr_pool_t *p)
{
    const name_t **slot;
    name_t *name;
    range_t *range;

    switch (selector->kind) {
    case RR_SELECT_ANY:
        set_bit(m->any, position);
        return;
    case RR_SELECT_NAME:
        slot = name_slot(m, selector->name, selector->len);
        if (!*slot) {
            *slot = name = apr_palloc(p, sizeof(*name));
            name->name = apr_pmemdup(p, selector->name, selector->len);
            name->len = selector->len;
            name->positions = apr_pcalloc(p, m->width * sizeof(word_t));
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
    m->names = apr_pcalloc(p, (m->name_mask + 1) * sizeof(*m->names));
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
