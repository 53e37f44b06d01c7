/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_filter.c: rrctl filter try: what filters would do to a body, without a server.
 *
 * The body that is left goes to standard output as it is, what was done to
 * standard error.
 */
#include "rrctl.h"

#include "rr_cut_body.h"
#include "rr_filter.h"

#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define MAX_FILE (16 * 1024 * 1024) /* of filters */
#define CHUNK 65536

typedef struct try_t {
    const char *file, *claims, *method, *path, *type;
    apr_table_t *headers;
    apr_size_t chunk;
} try_t;

static int add_header(rrctl_t *ctl, try_t *what, const char *text)
{
    const char *colon = strchr(text, ':');

    if (!colon || colon == text) {
        return rrctl_usage(ctl, "--header is \"Name: value\"");
    }
    apr_table_mergen(what->headers, apr_pstrmemdup(ctl->p, text, (apr_size_t)(colon - text)),
                     apr_pstrdup(ctl->p, colon + 1 + strspn(colon + 1, " ")));
    return RRCTL_OK;
}

static int read_options(rrctl_t *ctl, int argc, const char *const *argv, try_t *what)
{
    static const apr_getopt_option_t options[] = { { "claims", 'c', 1, NULL }, { "method", 'm', 1, NULL },
                                                   { "path", 'p', 1, NULL },   { "header", 'H', 1, NULL },
                                                   { "type", 't', 1, NULL },   { "chunk", 'k', 1, NULL },
                                                   { NULL, 0, 0, NULL } };
    apr_getopt_t *opts = rrctl_options(ctl, argc, argv);
    const char *value;
    apr_status_t rv;
    int option, rc = RRCTL_OK;

    while (rc == RRCTL_OK && (rv = apr_getopt_long(opts, options, &option, &value)) == APR_SUCCESS) {
        switch (option) {
        case 'c':
            what->claims = value;
            break;
        case 'm':
            what->method = value;
            break;
        case 'p':
            what->path = value;
            break;
        case 't':
            what->type = value;
            break;
        case 'k':
            what->chunk = (apr_size_t)apr_atoi64(value);
            if (!what->chunk || what->chunk > CHUNK) {
                return rrctl_usage(ctl, "--chunk is 1 to %d bytes", CHUNK);
            }
            break;
        default:
            rc = add_header(ctl, what, value);
        }
    }
    if (rc != RRCTL_OK) {
        return rc;
    }
    if (rv != APR_EOF) {
        return rrctl_usage(ctl, "unknown option, or one without its value");
    }
    if (argc - opts->ind != 1) {
        return rrctl_usage(ctl, "one file of filters is needed");
    }
    what->file = opts->argv[opts->ind];
    return RRCTL_OK;
}

static int read_facts(rrctl_t *ctl, const try_t *what, rr_filter_facts_t *facts)
{
    apr_array_header_t *methods = apr_array_make(ctl->p, 1, sizeof(const char *));
    apr_array_header_t *paths = apr_array_make(ctl->p, 1, sizeof(const char *));
    const rr_json_t **claims = apr_pcalloc(ctl->p, sizeof(*claims));
    rr_err_t err = RR_ERR_INIT;
    int below;

    APR_ARRAY_PUSH(methods, const char *) = what->method;
    APR_ARRAY_PUSH(paths, const char *) = rr_filter_path(what->path, "", &below, ctl->p);
    facts->methods = methods;
    facts->paths = paths;
    facts->headers = what->headers;
    if (what->claims &&
        rr_json_parse_object(claims, what->claims, strlen(what->claims), ctl->p, &err) != APR_SUCCESS) {
        return rrctl_fail(ctl, "--claims: %s", rr_err_text(&err));
    }
    facts->tokens = claims;
    facts->tokens_count = what->claims != NULL;
    return RRCTL_OK;
}

static int report(rrctl_t *ctl, const rr_filters_t *filters, const unsigned char *active, unsigned count)
{
    unsigned i;

    for (i = 0; i < rr_filters_count(filters); i++) {
        if (active[i]) {
            fprintf(ctl->err, "filter %s applies\n", rr_filters_id(filters, i));
        }
    }
    if (!count) {
        fprintf(ctl->err, "no filter applies\n");
    }
    return RRCTL_OK;
}

typedef struct sink_t {
    FILE *out;
    apr_uint64_t bytes;
} sink_t;

static void write_out(void *baton, const char *data, apr_size_t len)
{
    sink_t *sink = baton;

    fwrite(data, 1, len, sink->out);
    sink->bytes += len;
}

static int copy(rrctl_t *ctl, apr_size_t chunk)
{
    char buffer[CHUNK];
    size_t len;

    while ((len = fread(buffer, 1, chunk, stdin)) > 0) {
        fwrite(buffer, 1, len, ctl->out);
    }
    return RRCTL_OK;
}

static int cut(rrctl_t *ctl, const try_t *what, const rr_filters_t *filters, const unsigned char *active)
{
    sink_t sink = { ctl->out, 0 };
    rr_cut_body_t *body = rr_cut_body_create(rr_body_kind(what->type), ctl->p, write_out, &sink);
    rr_err_t err = RR_ERR_INIT;
    apr_uint64_t in = 0;
    char buffer[CHUNK];
    apr_status_t rv = APR_SUCCESS;
    size_t len;

    rr_cut_add(rr_cut_body_cutter(body), rr_filters_ops(filters), active);
    while (rv == APR_SUCCESS && (len = fread(buffer, 1, what->chunk, stdin)) > 0) {
        in += len;
        rv = rr_cut_body_feed(body, buffer, len, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = rr_cut_body_end(body, &err);
    }
    fflush(ctl->out);
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    fprintf(ctl->err,
            "%" APR_UINT64_T_FMT " values destroyed, %" APR_UINT64_T_FMT " bytes in, %" APR_UINT64_T_FMT " bytes out\n",
            rr_cut_count(rr_cut_body_cutter(body)), in, sink.bytes);
    return RRCTL_OK;
}

int cmd_filter_try(rrctl_t *ctl, int argc, const char *const *argv)
{
    try_t what = { .method = "GET", .path = "/", .type = "application/json", .chunk = CHUNK };
    rr_filter_facts_t facts = { NULL };
    const rr_filters_t *filters;
    rr_err_t err = RR_ERR_INIT;
    unsigned char *active;
    const char *text;
    apr_size_t len;
    unsigned count;
    int rc;

    what.headers = apr_table_make(ctl->p, 4);
    if ((rc = read_options(ctl, argc, argv, &what)) != RRCTL_OK || (rc = read_facts(ctl, &what, &facts)) != RRCTL_OK) {
        return rc;
    }
    if (rrctl_read(&text, &len, ctl, what.file, MAX_FILE, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (rr_filters_read(&filters, text, len, ctl->p, &err) != APR_SUCCESS) {
        return rrctl_fail(ctl, "%s: %s%s%s", what.file, err.where, err.where[0] ? ": " : "", rr_err_text(&err));
    }
    active = apr_pcalloc(ctl->p, rr_filters_count(filters) + 1);
    count = rr_filters_judge(filters, &facts, rr_matcher_make(ctl->p), active, ctl->p);
    report(ctl, filters, active, count);
    return count ? cut(ctl, &what, filters, active) : copy(ctl, what.chunk);
}
