/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_private.c: keeps caches from giving one caller's answer to another.
 *
 * mod_cache's quick handler serves before anybody is authenticated, so an
 * answer that AuthType RR decided is not stored here (no-cache in the
 * environment) and not by shared caches elsewhere (Cache-Control: private).
 * Handlers such as mod_proxy replace the response headers, hence a filter.
 *
 * Spec: RFC 9111, 5.2.2; RFC 9213, 2.1 (CDN-Cache-Control).
 */
#include "core.h"

#include <http_protocol.h>
#include <util_filter.h>

#include <apr_cstr.h>
#include <apr_strings.h>

static ap_filter_rec_t *private_filter;

/* Whether the directive invites shared caches. */
static int is_public(const char *directive)
{
    return !apr_cstr_casecmp(directive, "public") || !apr_cstr_casecmpn(directive, "s-maxage", 8);
}

/* What caches in front of us heed before Cache-Control. */
static const char *const targeted[] = { "CDN-Cache-Control", "Surrogate-Control" };

void core_set_private(request_rec *r)
{
    const char *headers = apr_table_get(r->headers_out, "Cache-Control");
    const char *errors = apr_table_get(r->err_headers_out, "Cache-Control");
    const char *kept = "private";
    char *directive, *state;
    apr_size_t i;

    apr_table_setn(r->subprocess_env, "no-cache", "1");
    directive = headers || errors
                    ? apr_strtok(apr_pstrcat(r->pool, headers ? headers : "", ",", errors ? errors : "", NULL), ",", &state)
                    : NULL;
    for (; directive; directive = apr_strtok(NULL, ",", &state)) {
        directive += strspn(directive, " \t");
        apr_collapse_spaces(directive, directive);
        if (*directive && !is_public(directive) && apr_cstr_casecmp(directive, "private")) {
            kept = apr_pstrcat(r->pool, kept, ", ", directive, NULL);
        }
    }
    for (i = 0; i < sizeof(targeted) / sizeof(targeted[0]); i++) {
        apr_table_unset(r->headers_out, targeted[i]);
        apr_table_unset(r->err_headers_out, targeted[i]);
    }
    apr_table_unset(r->err_headers_out, "Cache-Control");
    apr_table_setn(r->headers_out, "Cache-Control", kept);
}

static apr_status_t make_private(ap_filter_t *f, apr_bucket_brigade *bb)
{
    core_set_private(f->r);
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

/* Whether AuthType RR ruled the way to r's answer: r's own section, or one that a redirect to r came from. */
static int is_decided(request_rec *r)
{
    for (; r; r = r->prev) {
        if (core_is_ours(r)) {
            return 1;
        }
    }
    return 0;
}

void core_insert_private(request_rec *r)
{
    if (is_decided(r)) {
        ap_add_output_filter_handle(private_filter, NULL, r, r->connection);
    }
}

void core_register_private(void)
{
    private_filter = ap_register_output_filter("RR_PRIVATE", make_private, NULL, AP_FTYPE_CONTENT_SET);
}
