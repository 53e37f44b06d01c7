/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_body.c: brigades to the cutter and back.
 *
 * One document is held until it has ended, so that a broken one can still be
 * answered with 422; past RRFilterBuffer it streams, and what breaks then ends
 * the response visibly. Lines and events pass record by record at every flush.
 *
 * After a failure the filter stays and swallows what the handler still sends:
 * a handler that does not look at results must not get past it.
 */
#include "filter.h"

#include "rr_cut_body.h"

#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include <apr_strings.h>

#include <string.h>

#define NAME "RR_FILTER"
#define FILE_READ 65536 /* bytes at a time */
#define PASS_AT 65536 /* bytes that may be passed are, without waiting for the end of a brigade */

typedef enum { B_NEW, B_CUTTING, B_FAILED, B_DONE } body_state_e;

struct filter_body_t {
    const rr_core_t *core;
    const apr_array_header_t *stages; /* filter_stage_t */
    apr_uint64_t hold;
    body_state_e state;
    rr_body_kind_e kind;
    rr_cut_body_t *body;
    apr_bucket_brigade *held; /* cut, not passed on yet */
    apr_bucket *last;         /* of held, while room */
    char *free;               /* where the next bytes go in it */
    apr_size_t room;          /* how many do; 0: into a bucket of their own */
    apr_bucket_brigade *outgoing;
    apr_uint64_t in, out, passed;
    int chunks;    /* the client can be told that a response broke */
    int streaming; /* the document at hand is longer than hold */
    int sent;      /* something was passed on: the status is out */
};

static ap_filter_rec_t *registered;

/* ---- headers ---- */

/* Removes what says something about the body as it was. */
static void clean_headers(apr_table_t *headers)
{
    static const char *const names[] = { "Content-Length", "ETag",          "Last-Modified", "Accept-Ranges",
                                         "Content-MD5",    "Digest",        "Content-Digest", "Repr-Digest",
                                         "Trailer",        "Signature",     "Signature-Input", NULL };
    int i;

    for (i = 0; names[i] && !apr_is_empty_table(headers); i++) {
        apr_table_unset(headers, names[i]);
    }
}

static void clean_response(request_rec *r)
{
    clean_headers(r->headers_out);
    clean_headers(r->err_headers_out);
    apr_table_clear(r->trailers_out);
    apr_table_mergen(r->headers_out, "Cache-Control", "private");
}

static int is_encoded(request_rec *r)
{
    const char *const values[] = { r->content_encoding, apr_table_get(r->headers_out, "Content-Encoding"),
                                   apr_table_get(r->err_headers_out, "Content-Encoding") };
    int i;

    for (i = 0; i < 3; i++) {
        if (values[i] && *values[i] && strcasecmp(values[i], "identity")) {
            return 1;
        }
    }
    return 0;
}

/* Why the body cannot be inspected; NULL: it can, and kind is set. */
static const char *judge_response(filter_body_t *ctx, request_rec *r)
{
    const char *type = r->content_type ? r->content_type : apr_table_get(r->headers_out, "Content-Type");

    if (r->status == HTTP_PARTIAL_CONTENT || apr_table_get(r->headers_out, "Content-Range")) {
        return "it is a part of the resource";
    }
    if (is_encoded(r)) {
        return "it is encoded";
    }
    ctx->kind = rr_body_kind(type);
    return ctx->kind == RR_BODY_UNKNOWN ? "its media type is not one of JSON" : NULL;
}

/* ---- ends ---- */

static void audit_end(filter_body_t *ctx, request_rec *r)
{
    apr_uint64_t destroyed = ctx->body ? rr_cut_count(rr_cut_body_cutter(ctx->body)) : 0;

    if (!ctx->core->audits(r)) {
        return;
    }
    ctx->core->audit(r, "filtered",
                     apr_pstrcat(r->pool, "destroyed=", apr_off_t_toa(r->pool, (apr_off_t)destroyed), " in=",
                                 apr_off_t_toa(r->pool, (apr_off_t)ctx->in), " out=",
                                 apr_off_t_toa(r->pool, (apr_off_t)ctx->passed), NULL));
}

/* Nothing more of this body leaves. Before the first byte the client gets status, later it sees the response break. */
static apr_status_t give_up(ap_filter_t *f, int status, const char *why)
{
    filter_body_t *ctx = f->ctx;
    request_rec *r = f->r;
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, f->c->bucket_alloc);

    ctx->state = B_FAILED;
    apr_brigade_cleanup(ctx->held);
    ctx->room = 0;
    audit_end(ctx, r);
    if (ctx->sent) {
        RR_LOG_R(APLOG_ERR, 0, r, 10502, "the response of %s was broken off: %s", r->uri, why);
        status = HTTP_BAD_GATEWAY;
        r->connection->keepalive = AP_CONN_CLOSE;
    }
    else {
        RR_LOG_R(APLOG_ERR, 0, r, 10501, "the response of %s cannot be filtered and is refused: %s", r->uri, why);
        ctx->core->refuse(r, status, "the response cannot be inspected");
    }
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(status, NULL, r->pool, f->c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
    ap_pass_brigade(f->next, bb);
    return AP_FILTER_ERROR;
}

static apr_status_t refuse(ap_filter_t *f, const char *why)
{
    return give_up(f, HTTP_UNPROCESSABLE_ENTITY, why);
}

/* ---- passing on ---- */

/*
 * Kept pieces are short and many: they are copied together. Behind a full buffer apr_brigade_write makes
 * a bucket of its own for each, which takes a page or two: so buffers are begun, and filled, here.
 */
static void take_kept(void *baton, const char *data, apr_size_t len)
{
    filter_body_t *ctx = baton;
    apr_bucket_alloc_t *alloc = ctx->held->bucket_alloc;
    apr_size_t piece;

    ctx->out += len;
    for (; len; data += piece, len -= piece) {
        if (!ctx->room) {
            ctx->free = apr_bucket_alloc(APR_BUCKET_BUFF_SIZE, alloc);
            ctx->room = APR_BUCKET_BUFF_SIZE;
            ctx->last = apr_bucket_heap_create(ctx->free, APR_BUCKET_BUFF_SIZE, apr_bucket_free, alloc);
            ctx->last->length = 0; /* nothing written yet */
            APR_BRIGADE_INSERT_TAIL(ctx->held, ctx->last);
        }
        piece = len < ctx->room ? len : ctx->room;
        memcpy(ctx->free, data, piece);
        ctx->free += piece;
        ctx->room -= piece;
        ctx->last->length += piece;
    }
}

/* How much of what is held may go now. */
static apr_uint64_t may_pass(const filter_body_t *ctx)
{
    if (ctx->streaming) {
        return ctx->out - ctx->passed;
    }
    return ctx->kind == RR_BODY_JSON || !ctx->chunks ? 0 : rr_cut_body_complete(ctx->body) - ctx->passed;
}

/* Passes len held bytes, with tail (FLUSH, EOS) behind them; tail may be NULL. */
static apr_status_t pass(ap_filter_t *f, apr_uint64_t len, apr_bucket *tail)
{
    filter_body_t *ctx = f->ctx;
    apr_bucket_brigade *bb = ctx->outgoing;
    apr_bucket *after;
    apr_status_t rv;

    if (!len && !tail) {
        return APR_SUCCESS;
    }
    if (len) {
        ctx->room = 0; /* the last bucket goes, or is split */
        rv = apr_brigade_partition(ctx->held, (apr_off_t)len, &after);
        if (rv != APR_SUCCESS && !APR_STATUS_IS_INCOMPLETE(rv)) {
            return refuse(f, "memory");
        }
        while (APR_BRIGADE_FIRST(ctx->held) != after) {
            apr_bucket *first = APR_BRIGADE_FIRST(ctx->held);

            APR_BUCKET_REMOVE(first);
            APR_BRIGADE_INSERT_TAIL(bb, first);
        }
    }
    if (tail) {
        APR_BRIGADE_INSERT_TAIL(bb, tail);
    }
    ctx->passed += len;
    ctx->sent = 1;
    rv = ap_pass_brigade(f->next, bb);
    apr_brigade_cleanup(bb);
    return rv;
}

/* A document that grows past RRFilterBuffer is held no longer, if its end can still be made visible. */
static apr_status_t release(ap_filter_t *f, int flush)
{
    filter_body_t *ctx = f->ctx;
    apr_uint64_t held = ctx->out - ctx->passed, len;

    if (!ctx->streaming && held - may_pass(ctx) > ctx->hold) {
        if (!ctx->chunks) {
            return refuse(f, "it is longer than RRFilterBuffer and the client knows no chunks");
        }
        ctx->streaming = 1;
    }
    else if (ctx->streaming && ctx->kind != RR_BODY_JSON && rr_cut_body_complete(ctx->body) >= ctx->passed) {
        ctx->streaming = 0; /* the long record is over */
    }
    len = may_pass(ctx);
    if (flush && (len || ctx->sent)) {
        return pass(f, len, apr_bucket_flush_create(f->c->bucket_alloc));
    }
    return len >= PASS_AT ? pass(f, len, NULL) : APR_SUCCESS;
}

/* ---- taking in ---- */

static apr_status_t begin(ap_filter_t *f)
{
    filter_body_t *ctx = f->ctx;
    request_rec *r = f->r;
    const char *why = judge_response(ctx, r);
    int i;

    if (why) {
        return refuse(f, why);
    }
    ctx->body = rr_cut_body_create(ctx->kind, r->pool, take_kept, ctx);
    for (i = 0; i < ctx->stages->nelts; i++) {
        const filter_stage_t *stage = &APR_ARRAY_IDX(ctx->stages, i, filter_stage_t);

        rr_cut_add(rr_cut_body_cutter(ctx->body), rr_filters_ops(stage->filters), stage->active);
    }
    ctx->state = B_CUTTING;
    return APR_SUCCESS;
}

static apr_status_t take(ap_filter_t *f, const char *data, apr_size_t len)
{
    filter_body_t *ctx = f->ctx;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;

    if (!len || f->r->header_only) {
        return APR_SUCCESS;
    }
    if (ctx->state == B_NEW && (rv = begin(f)) != APR_SUCCESS) {
        return rv;
    }
    ctx->in += len;
    if (rr_cut_body_feed(ctx->body, data, len, &err) != APR_SUCCESS) {
        return refuse(f, rr_err_text(&err));
    }
    return release(f, 0);
}

/*
 * Reads a bucket of data; while none is there yet, what may go goes. A file is read, not mapped: each of its bytes is
 * looked at once, for which mapping and unmapping pages costs more, and one that is truncated meanwhile is no SIGBUS.
 */
static apr_status_t take_bucket(ap_filter_t *f, apr_bucket *bucket)
{
    const char *data;
    apr_size_t len;
    apr_status_t rv;

    if (APR_BUCKET_IS_FILE(bucket)) {
        apr_bucket_file_enable_mmap(bucket, 0);
        apr_bucket_file_set_buf_size(bucket, FILE_READ);
    }
    rv = apr_bucket_read(bucket, &data, &len, APR_NONBLOCK_READ);

    if (APR_STATUS_IS_EAGAIN(rv)) {
        rv = ((filter_body_t *)f->ctx)->state == B_CUTTING ? release(f, 1) : APR_SUCCESS;
        if (rv != APR_SUCCESS) {
            return rv;
        }
        rv = apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ);
    }
    if (rv != APR_SUCCESS) {
        return refuse(f, "it cannot be read");
    }
    return take(f, data, len);
}

static apr_status_t finish(ap_filter_t *f, apr_bucket *eos)
{
    filter_body_t *ctx = f->ctx;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;
    const char *why;

    if (ctx->state == B_NEW && f->r->header_only && f->r->content_type && (why = judge_response(ctx, f->r))) {
        return refuse(f, why);
    }
    if (ctx->body && rr_cut_body_end(ctx->body, &err) != APR_SUCCESS) {
        return refuse(f, rr_err_text(&err));
    }
    apr_table_clear(f->r->trailers_out);
    ctx->state = B_DONE;
    APR_BUCKET_REMOVE(eos);
    rv = pass(f, ctx->out - ctx->passed, eos);
    audit_end(ctx, f->r);
    return rv;
}

static apr_status_t take_metadata(ap_filter_t *f, apr_bucket *bucket)
{
    filter_body_t *ctx = f->ctx;

    if (APR_BUCKET_IS_EOS(bucket)) {
        return finish(f, bucket);
    }
    if (AP_BUCKET_IS_ERROR(bucket)) {
        return refuse(f, "it broke off");
    }
    if (APR_BUCKET_IS_FLUSH(bucket) && ctx->state == B_CUTTING) {
        return release(f, 1);
    }
    return APR_SUCCESS;
}

/* Whether the filter has anything to do with this response; if not it is out of the way from here on. */
static int concerns(ap_filter_t *f)
{
    filter_body_t *ctx = f->ctx;
    request_rec *r = f->r;

    if (!filter_is_error_document(r) && !ap_is_HTTP_SUCCESS(r->status) && r->status != HTTP_SWITCHING_PROTOCOLS) {
        return 0;
    }
    clean_response(r);
    ctx->held = apr_brigade_create(r->pool, f->c->bucket_alloc);
    ctx->outgoing = apr_brigade_create(r->pool, f->c->bucket_alloc);
    ctx->chunks = r->proto_num >= HTTP_VERSION(1, 1) && !apr_table_get(r->subprocess_env, "force-response-1.0");
    return !AP_STATUS_IS_HEADER_ONLY(r->status);
}

static apr_status_t filter_body(ap_filter_t *f, apr_bucket_brigade *bb)
{
    filter_body_t *ctx = f->ctx;
    apr_status_t rv = APR_SUCCESS;
    apr_bucket *bucket;

    if (!ctx->held && !concerns(f)) {
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, bb);
    }
    if (f->r->status == HTTP_SWITCHING_PROTOCOLS && ctx->state == B_NEW) {
        apr_brigade_cleanup(bb);
        return give_up(f, HTTP_BAD_GATEWAY, "the upstream switched protocols");
    }
    while (rv == APR_SUCCESS && !APR_BRIGADE_EMPTY(bb) && ctx->state != B_FAILED && ctx->state != B_DONE) {
        bucket = APR_BRIGADE_FIRST(bb);
        rv = APR_BUCKET_IS_METADATA(bucket) ? take_metadata(f, bucket) : take_bucket(f, bucket);
        if (!APR_BRIGADE_EMPTY(bb) && APR_BRIGADE_FIRST(bb) == bucket) {
            apr_bucket_delete(bucket);
        }
    }
    apr_brigade_cleanup(bb);
    return ctx->state == B_FAILED ? AP_FILTER_ERROR : rv;
}

/* ---- for the map ---- */

static const char *applied(request_rec *r, const apr_array_header_t *stages)
{
    const char *text = "";
    int i;
    unsigned n;

    for (i = 0; i < stages->nelts; i++) {
        const filter_stage_t *stage = &APR_ARRAY_IDX(stages, i, filter_stage_t);

        for (n = 0; n < rr_filters_count(stage->filters); n++) {
            if ((!stage->active || stage->active[n]) && strlen(text) < 128) {
                text = apr_pstrcat(r->pool, text, *text ? " " : "", stage->owner, ":", rr_filters_id(stage->filters, n),
                                   NULL);
            }
        }
    }
    return text;
}

void filter_body_insert(request_rec *r, const apr_array_header_t *stages, apr_int64_t hold, const rr_core_t *core)
{
    filter_body_t *ctx = apr_pcalloc(r->pool, sizeof(*ctx));

    ctx->core = core;
    ctx->stages = stages;
    ctx->hold = (apr_uint64_t)hold;
    if (core->audits(r)) {
        core->audit(r, "filters", applied(r, stages));
    }
    ap_add_output_filter_handle(registered, ctx, r, r->connection);
}

void filter_body_register(void)
{
    /* Behind whatever makes the body, before what encodes or stores it. */
    registered = ap_register_output_filter(NAME, filter_body, NULL, AP_FTYPE_CONTENT_SET - 2);
}
