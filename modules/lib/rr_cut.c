/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut.c: the streaming JSON cutter: passes in a chain.
 *
 * One pass has one effect; retain and destroy, and stage after stage, are passes
 * in a chain, so that each sees exactly what the one before left.
 */
#include "rr_cut_pass.h"

#include <apr_strings.h>

#include <string.h>

struct rr_cut_ops_t {
    const rr_cut_matcher_t *retain, *destroy; /* NULL: none */
};

apr_status_t rr_cut_compile(const rr_cut_ops_t **pops, const rr_cut_op_t *ops, apr_size_t count, apr_pool_t *p,
                            rr_err_t *err, apr_size_t *pwhich)
{
    rr_cut_ops_t *compiled = apr_pcalloc(p, sizeof(*compiled));
    apr_status_t rv = rr_cut_matcher_compile(&compiled->retain, ops, count, RR_CUT_RETAIN, p, err, pwhich);

    *pops = NULL;
    if (rv == APR_SUCCESS) {
        rv = rr_cut_matcher_compile(&compiled->destroy, ops, count, RR_CUT_DESTROY, p, err, pwhich);
    }
    if (rv == APR_SUCCESS) {
        *pops = compiled;
    }
    return rv;
}

static void add_pass(rr_cut_t *cut, rr_walk_t *walk, int retain)
{
    cut_pass_t *s;

    if (cut->count && !cut->passes[cut->count - 1]->walk) {
        s = cut->passes[--cut->count]; /* the one that only validates is not needed any more */
    }
    else {
        s = apr_pcalloc(cut->pool, sizeof(*s));
    }
    s->cut = cut;
    s->pool = cut->pool;
    s->walk = walk;
    s->retain = retain;
    s->stay = retain ? 1u << RR_WALK_MATCH : 1u << RR_WALK_OPEN | 1u << RR_WALK_DEAD;
    rr_cut_pass_start(s);
    if (cut->count) {
        cut->passes[cut->count - 1]->next = s;
    }
    cut->passes[cut->count++] = s;
}

rr_cut_t *rr_cut_create(apr_pool_t *p, rr_cut_sink_fn *sink, void *baton)
{
    rr_cut_t *cut = apr_pcalloc(p, sizeof(*cut));

    cut->pool = p;
    cut->sink = sink;
    cut->baton = baton;
    add_pass(cut, NULL, 0);
    return cut;
}

void rr_cut_add(rr_cut_t *cut, const rr_cut_ops_t *ops, const unsigned char *active)
{
    rr_walk_t *walk;

    if (cut->count + 2 > MAX_PASSES) {
        rr_err_set(&cut->err, RR_EINVAL, "", "more than %d stages", MAX_PASSES / 2);
        return;
    }
    walk = ops->retain ? rr_walk_create(ops->retain, active, cut->pool) : NULL;
    if (walk) {
        add_pass(cut, walk, 1);
    }
    walk = ops->destroy ? rr_walk_create(ops->destroy, active, cut->pool) : NULL;
    if (walk) {
        add_pass(cut, walk, 0);
    }
}

apr_status_t rr_cut_feed(rr_cut_t *cut, const char *data, apr_size_t len, rr_err_t *err)
{
    if (len) {
        rr_cut_pass_feed(cut->passes[0], data, len);
    }
    if (cut->err.status != APR_SUCCESS) {
        return rr_err_set(err, cut->err.status, cut->err.where, "%s", cut->err.text);
    }
    return APR_SUCCESS;
}

apr_status_t rr_cut_end(rr_cut_t *cut, rr_err_t *err)
{
    int i;

    for (i = 0; i < cut->count && cut->err.status == APR_SUCCESS; i++) {
        rr_cut_pass_end(cut->passes[i]);
    }
    if (cut->err.status != APR_SUCCESS) {
        return rr_err_set(err, cut->err.status, cut->err.where, "%s", cut->err.text);
    }
    return APR_SUCCESS;
}

void rr_cut_reset(rr_cut_t *cut)
{
    int i;

    for (i = 0; i < cut->count; i++) {
        rr_cut_pass_start(cut->passes[i]);
    }
}

apr_uint64_t rr_cut_count(const rr_cut_t *cut)
{
    return cut->cuts;
}
