/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_facts.c: what the conditions of filters look at, out of a request.
 *
 * A request that was redirected inside httpd is every request it has been: a
 * filter meant for one of them applies.
 */
#include "filter.h"

#include "rr_path.h"
#include "rr_rule.h"

#include <ap_provider.h>

#include <apr_strings.h>

static const request_rec *before(const request_rec *r)
{
    return r->prev ? r->prev : r->main;
}

int filter_is_error_document(const request_rec *r)
{
    for (; r->prev; r = r->prev) {
        if (r->prev->status >= HTTP_MULTIPLE_CHOICES) {
            return 1;
        }
    }
    return 0;
}

/* ---- methods ---- */

/* Also those that a backend may take the request for instead. */
static apr_array_header_t *find_methods(request_rec *r, const rr_core_t *core)
{
    apr_array_header_t *methods = apr_array_make(r->pool, 4, sizeof(const char *)), *overrides;
    const request_rec *at;

    for (at = r; at; at = before(at)) {
        APR_ARRAY_PUSH(methods, const char *) = at->method;
    }
    overrides = rr_facts_overrides(r->pool, r->method, r->headers_in, core->client_args(r));
    if (overrides && overrides->nelts > RR_MAX_OVERRIDES) {
        APR_ARRAY_PUSH(methods, const char *) = NULL; /* any */
    }
    else if (overrides) {
        apr_array_cat(methods, overrides);
    }
    return methods;
}

/* ---- paths ---- */

static apr_array_header_t *find_paths(request_rec *r, const char *mount)
{
    apr_array_header_t *paths = apr_array_make(r->pool, 4, sizeof(const char *));
    const request_rec *at;
    const char *target, *path;
    int below;

    for (at = r; at; at = before(at)) {
        target = at->unparsed_uri && *at->unparsed_uri == '/' ? at->unparsed_uri : at->parsed_uri.path;
        path = rr_filter_path(target ? target : "", mount, &below, r->pool);
        if (below) {
            APR_ARRAY_PUSH(paths, const char *) = path;
        }
        path = at->uri ? rr_path_below(at->uri, mount) : NULL;
        if (path) {
            APR_ARRAY_PUSH(paths, const char *) = path; /* what rewriting made of it */
        }
    }
    if (!paths->nelts) {
        APR_ARRAY_PUSH(paths, const char *) = NULL; /* reached on a way that we do not know */
    }
    return paths;
}

/* ---- headers ---- */

/* Credentials are taken out of headers_in; a condition on them is judged all the same. */
static void put_back(request_rec *r, const rr_core_t *core, apr_table_t *headers, const char *name)
{
    const char *value = apr_table_get(headers, name) ? NULL : core->client_header(r, name);

    if (value) {
        apr_table_setn(headers, name, value);
    }
}

static apr_table_t *find_headers(request_rec *r, const rr_core_t *core)
{
    apr_table_t *headers = apr_table_copy(r->pool, r->headers_in);
    const apr_array_header_t *names = ap_list_provider_names(r->pool, RR_AUTHN_GROUP, RR_AUTHN_VERSION);
    int i, j;

    put_back(r, core, headers, "Authorization");
    put_back(r, core, headers, "Proxy-Authorization");
    put_back(r, core, headers, "Cookie");
    for (i = 0; i < names->nelts; i++) {
        const rr_authn_provider_t *provider = ap_lookup_provider(
            RR_AUTHN_GROUP, APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name, RR_AUTHN_VERSION);
        const apr_array_header_t *sources = provider->sources(r);

        for (j = 0; j < sources->nelts; j++) {
            const rr_source_t *source = &APR_ARRAY_IDX(sources, j, rr_source_t);

            if (source->kind == RR_SOURCE_HEADER) {
                put_back(r, core, headers, source->name);
            }
        }
    }
    return headers;
}

/* ---- all ---- */

void filter_facts_add(rr_filter_facts_t *facts, const rr_filters_t *filters, request_rec *r, const rr_core_t *core,
                      const char *mount)
{
    unsigned look_at = rr_filters_look_at(filters);

    if (look_at & RR_FILTER_METHODS && !facts->methods) {
        facts->methods = find_methods(r, core);
    }
    if (look_at & RR_FILTER_PATHS && !facts->paths) {
        facts->paths = find_paths(r, mount);
    }
    if (look_at & RR_FILTER_HEADERS && !facts->headers) {
        facts->headers = find_headers(r, core);
    }
    if (look_at & RR_FILTER_TOKENS && !facts->tokens) {
        facts->tokens = rr_principal_tokens(core->principal_get(r), &facts->tokens_count, r->pool);
    }
}
