/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_problem.c: what a refused client is told: challenges and a problem body.
 *
 * httpd writes error bodies itself and forces text/html; the one place to put
 * another body is a filter from insert_error_filter. An ErrorDocument that the
 * operator set wins.
 *
 * Spec: RFC 9457 (problem+json); RFC 9110, 11.6.1; RFC 6750, 3.
 */
#include "core.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <util_filter.h>

#include <apr_buckets.h>
#include <apr_cstr.h>
#include <apr_strings.h>

static ap_filter_rec_t *problem_filter;

int core_refuse(request_rec *r, int status, const char *detail)
{
    core_request_t *own = core_request(r);
    const core_decision_t *inherited = core_decision(r);

    if (inherited && own->decision.made_for != r->per_dir_config) {
        own->decision = *inherited; /* so that r's own ErrorDocument does not inherit past this refusal */
    }
    own->decision.admitted = 0;
    own->detail = detail;
    if (status == HTTP_SERVICE_UNAVAILABLE) {
        apr_table_setn(r->err_headers_out, "Retry-After", CORE_RETRY_AFTER);
    }
    return status;
}

/* text as the inside of a quoted-string (RFC 9110, 5.6.4); what cannot stand there is dropped. */
static const char *quoted(apr_pool_t *p, const char *text)
{
    char *out = apr_palloc(p, strlen(text) * 2 + 3), *to = out;

    *to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        if (*text >= ' ' && *text != 0x7f) {
            *to++ = *text;
        }
    }
    *to++ = '"';
    *to = '\0';
    return out;
}

/* The schemes of those providers, each once: const char *. */
static const apr_array_header_t *schemes_of(request_rec *r, const apr_array_header_t *providers)
{
    apr_array_header_t *all = apr_array_make(r->pool, 4, sizeof(const char *));
    apr_array_header_t *once = apr_array_make(r->pool, 4, sizeof(const char *));
    int i, k;

    for (i = 0; providers && i < providers->nelts; i++) {
        APR_ARRAY_IDX(providers, i, core_provider_t).table->schemes(r, all);
    }
    for (i = 0; i < all->nelts; i++) {
        const char *scheme = APR_ARRAY_IDX(all, i, const char *);

        for (k = 0; k < once->nelts && apr_cstr_casecmp(APR_ARRAY_IDX(once, k, const char *), scheme); k++) {
        }
        if (k == once->nelts) {
            APR_ARRAY_PUSH(once, const char *) = scheme;
        }
    }
    return once;
}

void core_challenge(request_rec *r, const apr_array_header_t *providers, const char *error, const char *detail,
                    const char *scope)
{
    const char *header = r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate" : "WWW-Authenticate";
    const apr_array_header_t *schemes = schemes_of(r, providers);
    const char *realm = ap_auth_name(r), *parameters = "";
    int i;

    if (error) {
        parameters = apr_pstrcat(r->pool, ", error=\"", error, "\"", NULL);
    }
    if (detail) {
        parameters = apr_pstrcat(r->pool, parameters, ", error_description=", quoted(r->pool, detail), NULL);
    }
    if (scope) {
        parameters = apr_pstrcat(r->pool, parameters, ", scope=", quoted(r->pool, scope), NULL);
    }
    apr_table_unset(r->err_headers_out, header);
    for (i = 0; i < schemes->nelts; i++) {
        const char *scheme = APR_ARRAY_IDX(schemes, i, const char *);

        /* mod_authn_core has made a quoted-string's inside of AuthName already; Basic has no error (RFC 7617). */
        apr_table_addn(r->err_headers_out, header,
                       apr_pstrcat(r->pool, scheme, " realm=\"", realm ? realm : "api", "\"",
                                   apr_cstr_casecmp(scheme, "Basic") ? parameters : "", NULL));
    }
}

static const char *problem_body(request_rec *r)
{
    const core_request_t *own = core_request_peek(r);
    const char *line = ap_get_status_line(r->status);
    const char *title = strlen(line) > 4 ? line + 4 : line;

    return apr_pstrcat(r->pool, "{\"type\":\"about:blank\",\"title\":", rr_json_quote(r->pool, title, 128),
                       ",\"status\":", apr_itoa(r->pool, r->status), own && own->detail ? ",\"detail\":" : "",
                       own && own->detail ? rr_json_quote(r->pool, own->detail, 1024) : "", "}\n", NULL);
}

/* Puts the problem in the place of the first data and drops all that httpd writes. */
static apr_status_t write_problem(ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_bucket *b, *next;
    const char *body = f->ctx;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = next) {
        next = APR_BUCKET_NEXT(b);
        if (!APR_BUCKET_IS_METADATA(b)) {
            apr_bucket_delete(b);
        }
    }
    if (body) {
        apr_size_t len = strlen(body);

        f->ctx = NULL;
        ap_set_content_type(f->r, "application/problem+json");
        ap_set_content_length(f->r, (apr_off_t)len);
        APR_BRIGADE_INSERT_HEAD(bb, apr_bucket_pool_create(body, len, f->r->pool, f->c->bucket_alloc));
    }
    return APR_BRIGADE_EMPTY(bb) ? APR_SUCCESS : ap_pass_brigade(f->next, bb);
}

void core_insert_problem(request_rec *r)
{
    const char *custom;

    if (!ap_is_HTTP_ERROR(r->status) || !core_is_ours(r)) {
        return;
    }
    custom = ap_response_code_string(r, ap_index_of_response(r->status));
    if (custom && custom[0] == '"') {
        return; /* the operator's own words */
    }
    ap_add_output_filter_handle(problem_filter, (void *)problem_body(r), r, r->connection);
}

void core_register_problem(void)
{
    problem_filter = ap_register_output_filter("RR_PROBLEM", write_problem, NULL, AP_FTYPE_RESOURCE);
}
