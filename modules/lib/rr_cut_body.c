/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_body.c: framing of JSON documents: none, lines, events.
 *
 * Of an event stream, the fields event, id and retry pass; comments keep their
 * colon only and unknown fields go, since nobody reads them and anything may
 * stand there. The data of an event must be one JSON document; the word [DONE],
 * with which several model APIs end their streams, passes.
 *
 * Spec: RFC 8259; ndjson.org; HTML, 9.2.6 (event streams). Line ends of events
 *       leave as LF.
 */
#include "rr_cut_body.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

#define DONE "[DONE]"
#define MAX_FIELD 8 /* the longest name of a field that we know, and one more to see that another is longer */

typedef enum {
    L_START,   /* at the first byte of a line */
    L_FIELD,   /* in the name of a field */
    L_SPACE,   /* after the colon of data: one blank is not part of the value */
    L_DATA,
    L_PASS,    /* in a field that passes */
    L_SKIP     /* in a comment or an unknown field */
} line_e;

struct rr_cut_body_t {
    rr_body_kind_e kind;
    rr_cut_t *cut;
    rr_cut_sink_fn *sink;
    void *baton;
    int open;                   /* a document has begun; JSON: the body has */
    apr_uint64_t out, complete; /* bytes */
    /* events */
    line_e line;
    char field[MAX_FIELD + 1];
    unsigned field_len;
    const char *prefix; /* of a data line, as the upstream writes it */
    int line_open;      /* a data line has been begun in the output */
    int lines;          /* data lines of this event before the current one */
    int done_len;       /* bytes of DONE matched while they may still be it; -1: the data is something else */
    int was_done;       /* this event's data is DONE: nothing may follow */
    int after_cr;
};

/* ---- media types ---- */

static int is_type(const char *type, apr_size_t len, const char *name)
{
    return strlen(name) == len && !strncasecmp(type, name, len);
}

rr_body_kind_e rr_body_kind(const char *type)
{
    apr_size_t len = type ? strcspn(type, "; \t") : 0;
    const char *charset = type ? type + len : "";

    for (; *charset; charset++) {
        if ((*charset == ';' || *charset == ' ' || *charset == '\t') && !strncasecmp(charset + 1, "charset=", 8)) {
            charset += 9;
            charset += *charset == '"';
            if (strncasecmp(charset, "utf-8", 5) || apr_isalnum(charset[5]) || charset[5] == '-') {
                return RR_BODY_UNKNOWN;
            }
        }
    }
    if (is_type(type, len, "application/json") || is_type(type, len, "text/json") ||
        (len > 5 && !strncasecmp(type + len - 5, "+json", 5))) {
        return RR_BODY_JSON;
    }
    if (is_type(type, len, "application/x-ndjson") || is_type(type, len, "application/ndjson") ||
        is_type(type, len, "application/jsonl") || is_type(type, len, "application/x-jsonlines")) {
        return RR_BODY_LINES;
    }
    return is_type(type, len, "text/event-stream") ? RR_BODY_EVENTS : RR_BODY_UNKNOWN;
}

/* ---- output ---- */

static void write_out(rr_cut_body_t *body, const char *data, apr_size_t len)
{
    if (len) {
        body->sink(body->baton, data, len);
        body->out += len;
    }
}

static void begin_line(rr_cut_body_t *body)
{
    if (!body->line_open) {
        write_out(body, body->prefix, strlen(body->prefix));
        body->line_open = 1;
    }
}

static void end_line(rr_cut_body_t *body)
{
    write_out(body, "\n", 1);
    body->line_open = 0;
}

/* What the cutter keeps: a line feed between tokens is where one data line ended and the next began. */
static void cut_out(void *baton, const char *data, apr_size_t len)
{
    rr_cut_body_t *body = baton;
    const char *end;

    if (body->kind != RR_BODY_EVENTS) {
        write_out(body, data, len);
        return;
    }
    while (len) {
        begin_line(body);
        end = memchr(data, '\n', len);
        write_out(body, data, end ? (apr_size_t)(end - data) : len);
        if (!end) {
            return;
        }
        end_line(body);
        len -= (apr_size_t)(end + 1 - data);
        data = end + 1;
    }
}

/* ---- documents ---- */

static apr_status_t document_end(rr_cut_body_t *body, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    if (body->open) {
        rv = rr_cut_end(body->cut, err);
        rr_cut_reset(body->cut);
        body->open = 0;
    }
    return rv;
}

static apr_status_t feed_lines(rr_cut_body_t *body, const char *data, apr_size_t len, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    while (len && rv == APR_SUCCESS) {
        const char *end = memchr(data, '\n', len), *from = data;
        apr_size_t line = end ? (apr_size_t)(end - data) : len;

        if (!body->open) { /* blank lines pass */
            while (from < data + line && (*from == ' ' || *from == '\t' || *from == '\r')) {
                from++;
            }
            write_out(body, data, (apr_size_t)(from - data));
        }
        if (from < data + line) {
            body->open = 1;
            rv = rr_cut_feed(body->cut, from, (apr_size_t)(data + line - from), err);
        }
        if (end && rv == APR_SUCCESS) {
            rv = document_end(body, err);
            write_out(body, "\n", 1);
            body->complete = body->out;
        }
        data += line + (end != NULL);
        len -= line + (end != NULL);
    }
    return rv;
}

/* ---- events ---- */

static apr_status_t data_bytes(rr_cut_body_t *body, const char *data, apr_size_t len, rr_err_t *err)
{
    static const char done[] = DONE;
    apr_status_t rv = APR_SUCCESS;
    int held;

    if (body->was_done && len) {
        return rr_err_set(err, RR_EINVAL, "body", "not JSON after " DONE);
    }
    while (len && body->done_len >= 0 && body->done_len < (int)sizeof(done) - 1 && *data == done[body->done_len]) {
        body->done_len++;
        data++;
        len--;
    }
    if (!len) {
        return APR_SUCCESS;
    }
    held = body->done_len;
    body->done_len = -1;
    body->open = 1;
    if (held > 0) {
        rv = rr_cut_feed(body->cut, done, (apr_size_t)held, err);
    }
    return rv == APR_SUCCESS ? rr_cut_feed(body->cut, data, len, err) : rv;
}

/* The end of a data line: what was held as the beginning of DONE is it, or was the beginning of a document. */
static apr_status_t data_line_end(rr_cut_body_t *body, rr_err_t *err)
{
    int held = body->done_len;

    body->lines++;
    if (held == (int)strlen(DONE) && body->lines == 1) {
        begin_line(body);
        write_out(body, DONE, strlen(DONE));
        end_line(body);
        body->was_done = 1;
        body->done_len = 0;
        return APR_SUCCESS;
    }
    if (held > 0) {
        body->done_len = -1;
        body->open = 1;
        return rr_cut_feed(body->cut, DONE, (apr_size_t)held, err);
    }
    if (!body->open) { /* an empty line before any data: as it is */
        begin_line(body);
        end_line(body);
    }
    return APR_SUCCESS;
}

static apr_status_t event_end(rr_cut_body_t *body, rr_err_t *err)
{
    apr_status_t rv = document_end(body, err);

    if (body->line_open) {
        end_line(body);
    }
    body->lines = 0;
    body->done_len = 0;
    body->was_done = 0;
    return rv;
}

/* The name of a field has ended, at a colon or (value 0) at the end of its line. */
static apr_status_t field_named(rr_cut_body_t *body, int value, rr_err_t *err)
{
    const char *name = body->field;

    name = body->field_len > MAX_FIELD ? "" : name;
    if (!strcmp(name, "data")) {
        body->line = L_SPACE;
        if (!body->open) {
            body->prefix = value ? "data:" : "data";
        }
        return body->open ? rr_cut_feed(body->cut, "\n", 1, err) : APR_SUCCESS;
    }
    if (strcmp(name, "event") && strcmp(name, "id") && strcmp(name, "retry")) {
        body->line = L_SKIP;
        return APR_SUCCESS;
    }
    if (body->line_open) {
        end_line(body);
    }
    write_out(body, name, strlen(name));
    write_out(body, ":", (apr_size_t)value);
    body->line = L_PASS;
    return APR_SUCCESS;
}

static apr_status_t event_line_end(rr_cut_body_t *body, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    if (body->line == L_FIELD) {
        rv = field_named(body, 0, err);
    }
    switch (body->line) {
    case L_START:
        rv = event_end(body, err);
        write_out(body, "\n", 1);
        break;
    case L_SPACE:
    case L_DATA:
        rv = rv == APR_SUCCESS ? data_line_end(body, err) : rv;
        break;
    case L_PASS:
        write_out(body, "\n", 1);
        break;
    default:
        break;
    }
    body->line = L_START;
    if (!body->open) {
        body->complete = body->out;
    }
    return rv;
}

/* Takes what it can of one line; returns how much. */
static apr_size_t line_bytes(rr_cut_body_t *body, const char *data, apr_size_t len, apr_status_t *prv, rr_err_t *err)
{
    switch (body->line) {
    case L_START:
        body->field_len = 0;
        body->field[0] = '\0';
        body->line = L_FIELD;
        if (*data != ':') {
            return 0;
        }
        body->line = L_SKIP;
        if (!body->open) {
            write_out(body, ":\n", 2);
        }
        return 1;
    case L_FIELD:
        if (*data == ':') {
            *prv = field_named(body, 1, err);
        }
        else if (body->field_len++ < MAX_FIELD) {
            body->field[body->field_len - 1] = *data;
            body->field[body->field_len] = '\0';
        }
        return 1;
    case L_SPACE:
        body->line = L_DATA;
        if (*data == ' ' && !body->open) {
            body->prefix = "data: ";
        }
        return *data == ' ';
    case L_DATA:
        *prv = data_bytes(body, data, len, err);
        return len;
    case L_PASS:
        write_out(body, data, len);
        return len;
    case L_SKIP:
    default:
        return len;
    }
}

static apr_status_t feed_events(rr_cut_body_t *body, const char *data, apr_size_t len, rr_err_t *err)
{
    const char *end = data + len, *stop;
    apr_status_t rv = APR_SUCCESS;

    while (data < end && rv == APR_SUCCESS) {
        if (*data == '\n' && body->after_cr) {
            body->after_cr = 0;
            data++;
            continue;
        }
        body->after_cr = *data == '\r';
        if (*data == '\r' || *data == '\n') {
            rv = event_line_end(body, err);
            data++;
            continue;
        }
        for (stop = data; stop < end && *stop != '\r' && *stop != '\n'; stop++) {
        }
        while (data < stop && rv == APR_SUCCESS) {
            data += line_bytes(body, data, (apr_size_t)(stop - data), &rv, err);
        }
    }
    return rv;
}

/* ---- public ---- */

rr_cut_body_t *rr_cut_body_create(rr_body_kind_e kind, apr_pool_t *p, rr_cut_sink_fn *sink, void *baton)
{
    rr_cut_body_t *body = apr_pcalloc(p, sizeof(*body));

    body->kind = kind;
    body->sink = sink;
    body->baton = baton;
    body->prefix = "data:";
    body->cut = rr_cut_create(p, cut_out, body);
    return body;
}

rr_cut_t *rr_cut_body_cutter(rr_cut_body_t *body)
{
    return body->cut;
}

apr_status_t rr_cut_body_feed(rr_cut_body_t *body, const char *data, apr_size_t len, rr_err_t *err)
{
    switch (body->kind) {
    case RR_BODY_JSON:
        body->open |= len > 0;
        return rr_cut_feed(body->cut, data, len, err);
    case RR_BODY_LINES:
        return feed_lines(body, data, len, err);
    case RR_BODY_EVENTS:
        return feed_events(body, data, len, err);
    default:
        return rr_err_set(err, RR_EINVAL, "body", "not a media type that can be filtered");
    }
}

apr_status_t rr_cut_body_end(rr_cut_body_t *body, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    if (body->kind == RR_BODY_EVENTS && body->line != L_START) {
        rv = event_line_end(body, err);
    }
    if (rv == APR_SUCCESS) {
        rv = body->kind == RR_BODY_EVENTS ? event_end(body, err) : document_end(body, err);
    }
    if (rv == APR_SUCCESS) {
        body->complete = body->out;
    }
    return rv;
}

apr_uint64_t rr_cut_body_complete(const rr_cut_body_t *body)
{
    return body->complete;
}
