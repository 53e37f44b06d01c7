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
    int i, k, once = 0;

    for (i = 0; providers && i < providers->nelts; i++) {
        APR_ARRAY_IDX(providers, i, core_provider_t).table->schemes(r, all);
    }
    for (i = 0; i < all->nelts; i++) {
        const char *scheme = APR_ARRAY_IDX(all, i, const char *);

        for (k = 0; k < once && apr_cstr_casecmp(APR_ARRAY_IDX(all, k, const char *), scheme); k++) {
        }
        if (k == once) {
            APR_ARRAY_IDX(all, once++, const char *) = scheme;
        }
    }
    all->nelts = once;
    return all;
}

void core_challenge(request_rec *r, const apr_array_header_t *providers, const char *error, const char *detail,
                    const char *scope)
{
    const char *header = r->proxyreq == PROXYREQ_PROXY ? "Proxy-Authenticate" : "WWW-Authenticate";
    const apr_array_header_t *schemes = schemes_of(r, providers);
    const char *realm = ap_auth_name(r), *parameters = "";
    int i;

    if (error) {
        parameters = apr_pstrcat(r->pool, ", error=\"", error, detail ? "\", error_description=" : "\"",
                                 detail ? quoted(r->pool, detail) : "", scope ? ", scope=" : "",
                                 scope ? quoted(r->pool, scope) : "", NULL);
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
    const char *line = ap_get_status_line(r->status); /* httpd's own words: none needs an escape */

    return apr_pstrcat(r->pool, "{\"type\":\"about:blank\",\"title\":\"", strlen(line) > 4 ? line + 4 : line,
                       "\",\"status\":", apr_itoa(r->pool, r->status), own && own->detail ? ",\"detail\":" : "",
                       own && own->detail ? rr_json_quote(r->pool, own->detail, 1024) : "", "}\n", NULL);
}

/* Says what the body is, of which httpd believes that it is HTML. */
static apr_status_t name_problem(ap_filter_t *f, apr_bucket_brigade *bb)
{
    ap_set_content_type(f->r, "application/problem+json");
    ap_set_content_length(f->r, (apr_off_t)strlen(f->ctx));
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

/* The body takes the place of an ErrorDocument's text, so that httpd composes no page of its own beside it. */
void core_insert_problem(request_rec *r)
{
    int index = ap_index_of_response(r->status);
    core_request_t *own;
    const char *custom, *body;

    if (!ap_is_HTTP_ERROR(r->status) || !core_is_ours(r)) {
        return;
    }
    own = core_request(r);
    custom = ap_response_code_string(r, index);
    if (custom && custom[0] == '"' && custom != own->problem) {
        return; /* the operator's own words */
    }
    body = problem_body(r);
    ap_custom_response(r, r->status, body);
    own->problem = ap_response_code_string(r, index);
    ap_add_output_filter_handle(problem_filter, (void *)body, r, r->connection);
}

void core_register_problem(void)
{
    problem_filter = ap_register_output_filter("RR_PROBLEM", name_problem, NULL, AP_FTYPE_RESOURCE);
}
