/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules_facts.c: a request to facts.
 *
 * Cheap by default: everything is borrowed from the request. Only a request
 * that comes late (a redirect, a subrequest, what fixups has to judge) may have
 * lost headers to core or to us since the client sent them; those are put back
 * into a copy.
 */
#include "rules.h"

#include <string.h>

typedef struct {
    request_rec *r;
    apr_int64_t max;
} body_baton_t;

static apr_status_t read_body(void *baton, const rr_json_t **pbody, const char **pwhy)
{
    const body_baton_t *body = baton;

    return rules_body_read(pbody, body->r, body->max, pwhy);
}

/* ---- headers ---- */

static void put_back(apr_table_t *headers, const apr_table_t *hidden)
{
    const apr_array_header_t *array = apr_table_elts(hidden);
    int i;

    for (i = 0; i < array->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(array, i, apr_table_entry_t);

        if (!apr_table_get(headers, entry->key)) {
            apr_table_setn(headers, entry->key, entry->val);
        }
    }
}

static void ask_core(apr_table_t *headers, request_rec *r, const rr_core_t *core, const char *name)
{
    const char *value = core->client_header(r, name);

    if (value) {
        apr_table_setn(headers, name, value);
    }
}

/* Headers as the client sent them: core knows what it took, our own records what we did. */
static const apr_table_t *headers_as_sent(request_rec *r, const rr_core_t *core, const rr_scope_t *scopes, int count)
{
    static const char *const usual[] = { "Authorization", "Proxy-Authorization", "Cookie", "X-API-Key" };
    apr_table_t *headers;
    request_rec *before;
    apr_size_t i;
    int s, h, wanted = 0;

    for (s = 0; s < count; s++) {
        wanted |= scopes[s].rules && rr_ruleset_headers(scopes[s].rules);
    }
    if (!wanted) {
        return r->headers_in;
    }
    headers = apr_table_copy(r->pool, r->headers_in);

    for (before = r; before; before = before->prev ? before->prev : before->main) {
        const rules_request_t *own = rules_request_peek(before);

        if (own && own->hidden) {
            put_back(headers, own->hidden);
        }
    }
    for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        ask_core(headers, r, core, usual[i]);
    }
    for (s = 0; s < count; s++) {
        const apr_array_header_t *names = scopes[s].rules ? rr_ruleset_headers(scopes[s].rules) : NULL;

        for (h = 0; names && h < names->nelts; h++) {
            ask_core(headers, r, core, APR_ARRAY_IDX(names, h, const char *));
        }
    }
    return headers;
}

void rules_facts_gather(rr_facts_t *facts, request_rec *r, const rr_core_t *core, const rr_scope_t *scopes, int count,
                        apr_int64_t body_max, int late)
{
    body_baton_t *baton = apr_palloc(r->pool, sizeof(*baton));

    memset(facts, 0, sizeof(*facts));
    baton->r = r;
    baton->max = body_max;
    facts->p = r->pool;
    facts->method = r->method;
    facts->args = r->prev || r->main ? r->args : core->client_args(r);
    facts->overrides = rr_facts_overrides(r->pool, r->method, r->headers_in, facts->args);
    facts->headers = late || r->prev || r->main ? headers_as_sent(r, core, scopes, count) : r->headers_in;
    facts->read_body = read_body;
    facts->baton = baton;
    facts->tokens = rr_principal_tokens(core->principal_get(r), &facts->tokens_count, r->pool);
}

void rules_facts_hide(request_rec *r, const apr_array_header_t *names)
{
    rules_request_t *own = rules_request(r);
    int i;

    own->hidden = apr_table_make(r->pool, names->nelts);
    r->headers_in = apr_table_copy(r->pool, r->headers_in); /* an outer request goes on with its own */
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const char *value = apr_table_get(r->headers_in, name);

        if (value) {
            apr_table_setn(own->hidden, name, value);
            apr_table_unset(r->headers_in, name);
        }
    }
}
