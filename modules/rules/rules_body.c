/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules_body.c: reads a request body for rules and gives it back untouched.
 *
 * An input filter next to HTTP_IN holds what was read and hands it to whoever
 * reads after us, as if it came from the network; filters of the handler's
 * (DEFLATE) sit above it and see the same bytes as ever. Internal redirects
 * drop all but protocol filters, so the filter is put in place again there.
 */
#include "rules.h"

#include <http_protocol.h>
#include <util_filter.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define FILTER_NAME "RR_RULES_BODY"

struct rules_body_t {
    apr_bucket_brigade *kept; /* read, not yet given back */
    const rr_json_t *json;    /* NULL: no body, or why is set */
    const char *why;          /* it cannot be judged; NULL: it can */
};

static ap_filter_rec_t *filter_handle; /* written once, when hooks are registered */

/* ---- giving back ---- */

static apr_status_t give_line(rules_body_t *body, apr_bucket_brigade *bb, apr_read_type_e block, apr_off_t max)
{
    return apr_brigade_split_line(bb, body->kept, block, max > 0 ? max : HUGE_STRING_LEN);
}

static apr_status_t give_bytes(rules_body_t *body, apr_bucket_brigade *bb, apr_off_t max, int look_only)
{
    apr_bucket *end, *bucket, *copy;
    apr_status_t rv = apr_brigade_partition(body->kept, max, &end);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    while ((bucket = APR_BRIGADE_FIRST(body->kept)) != end && !look_only) {
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(bb, bucket);
    }
    for (; look_only && bucket != end; bucket = APR_BUCKET_NEXT(bucket)) {
        if ((rv = apr_bucket_copy(bucket, &copy)) != APR_SUCCESS) {
            return rv;
        }
        APR_BRIGADE_INSERT_TAIL(bb, copy);
    }
    return APR_SUCCESS;
}

static apr_status_t give_back(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode, apr_read_type_e block,
                              apr_off_t max)
{
    rules_body_t *body = f->ctx;

    if (APR_BRIGADE_EMPTY(body->kept)) {
        ap_filter_t *next = f->next;

        ap_remove_input_filter(f);
        return ap_get_brigade(next, bb, mode, block, max);
    }
    switch (mode) {
    case AP_MODE_READBYTES:
    case AP_MODE_SPECULATIVE:
        return give_bytes(body, bb, max, mode == AP_MODE_SPECULATIVE);
    case AP_MODE_GETLINE:
        return give_line(body, bb, block, max);
    case AP_MODE_EXHAUSTIVE:
        APR_BRIGADE_CONCAT(bb, body->kept);
        return APR_SUCCESS;
    case AP_MODE_EATCRLF:
    case AP_MODE_INIT:
        break;
    }
    return ap_get_brigade(f->next, bb, mode, block, max);
}

void rules_body_register(void)
{
    filter_handle = ap_register_input_filter(FILTER_NAME, give_back, NULL, AP_FTYPE_PROTOCOL - 1);
}

/* ---- reading ---- */

static int has_body(request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    return apr_table_get(r->headers_in, "Transfer-Encoding") || (length && strcmp(length, "0")) ||
           ap_request_has_body(r);
}

/* application/json or application/something+json, in UTF-8. A backend reads any other type in its own way. */
static int is_declared_json(request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type"), *charset;
    apr_size_t len;

    if (!type) {
        return 0;
    }
    len = strcspn(type, "; \t");
    if (!(len == 16 && !ap_cstr_casecmpn(type, "application/json", len)) &&
        !(len > 17 && !ap_cstr_casecmpn(type, "application/", 12) && !ap_cstr_casecmpn(type + len - 5, "+json", 5))) {
        return 0;
    }
    charset = ap_strcasestr(type + len, "charset");
    if (!charset) {
        return 1;
    }
    charset += 7 + strspn(charset + 7, " \t=\"");
    return !ap_cstr_casecmpn(charset, "utf-8", 5) && !apr_isalnum(charset[5]);
}

/* Up to max bytes and one more, so that a longer body shows. */
static apr_status_t read_up_to(rules_body_t *body, ap_filter_t *next, request_rec *r, apr_off_t max, apr_off_t *plen)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int ended = 0;

    *plen = 0;
    while (!ended && *plen <= max) {
        apr_status_t rv = ap_get_brigade(next, bb, AP_MODE_READBYTES, APR_BLOCK_READ, max + 1 - *plen);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        while (!APR_BRIGADE_EMPTY(bb)) {
            apr_bucket *bucket = APR_BRIGADE_FIRST(bb);
            const char *bytes;
            apr_size_t len = 0;

            if (APR_BUCKET_IS_EOS(bucket)) {
                ended = 1;
            } else if (!APR_BUCKET_IS_METADATA(bucket)) {
                rv = apr_bucket_read(bucket, &bytes, &len, APR_BLOCK_READ);
                rv = rv == APR_SUCCESS ? apr_bucket_setaside(bucket, r->pool) : rv;
                if (rv != APR_SUCCESS && rv != APR_ENOTIMPL) {
                    return rv;
                }
            }
            *plen += len;
            APR_BUCKET_REMOVE(bucket);
            APR_BRIGADE_INSERT_TAIL(body->kept, bucket);
        }
    }
    return APR_SUCCESS;
}

static const char *judgeable(rules_body_t *body, request_rec *r, apr_int64_t max)
{
    const char *too_long = apr_psprintf(r->pool, "the request body is longer than the %" APR_INT64_T_FMT
                                                 " bytes that rules look at", max);
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    const char *encoding = apr_table_get(r->headers_in, "Content-Encoding");
    rr_err_t err = RR_ERR_INIT;
    ap_filter_t *filter;
    apr_status_t rv;
    apr_off_t len;
    char *text;
    apr_size_t text_len;

    if (encoding && ap_cstr_casecmp(encoding, "identity")) {
        return "the request body has a Content-Encoding, and rules read none";
    }
    if (!is_declared_json(r)) {
        return "the request body is not declared as JSON (Content-Type: application/json)";
    }
    if (length && apr_atoi64(length) > max) {
        return too_long;
    }
    filter = ap_add_input_filter_handle(filter_handle, body, r, r->connection);
    if ((rv = read_up_to(body, filter->next, r, max, &len)) != APR_SUCCESS) {
        RR_LOG_R(APLOG_INFO, rv, r, 10409, "reading the request body for rules failed");
        return "the request body could not be read";
    }
    if (len > max) {
        return too_long;
    }
    if ((rv = apr_brigade_pflatten(body->kept, &text, &text_len, r->pool)) != APR_SUCCESS) {
        return "the request body could not be read";
    }
    if (text_len && rr_json_parse(&body->json, text, text_len, r->pool, &err) != APR_SUCCESS) {
        return apr_pstrcat(r->pool, "the request body is not JSON: ", err.text, NULL);
    }
    return NULL;
}

apr_status_t rules_body_read(const rr_json_t **pbody, request_rec *r, apr_int64_t max, const char **pwhy)
{
    rules_request_t *own = rules_request(r);

    *pbody = NULL;
    if (!own->body) {
        if (!has_body(r)) {
            return APR_SUCCESS;
        }
        own->body = apr_pcalloc(r->pool, sizeof(*own->body));
        own->body->kept = apr_brigade_create(r->pool, r->connection->bucket_alloc);
        own->body->why = judgeable(own->body, r, max);
    }
    *pbody = own->body->json;
    *pwhy = own->body->why;
    return own->body->why ? RR_EINVAL : APR_SUCCESS;
}

void rules_body_inherit(request_rec *r)
{
    const rules_request_t *before = r->prev ? rules_request_peek(r->prev) : NULL;

    if (before && before->body) {
        rules_request(r)->body = before->body;
        if (!APR_BRIGADE_EMPTY(before->body->kept)) {
            ap_add_input_filter_handle(filter_handle, before->body, r, r->connection);
        }
    }
}
