/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_body.h: bodies made of JSON: one document, lines of them, or events.
 *
 * Finds the documents in a body, has each cut, and puts what stays back into
 * the body's own framing. Says how much of the output belongs to records that
 * are complete, so that a stream can be passed on record by record.
 */
#ifndef RR_CUT_BODY_H
#define RR_CUT_BODY_H

#include "rr_cut.h"

typedef enum {
    RR_BODY_UNKNOWN = 0, /* cannot be inspected */
    RR_BODY_JSON,        /* application/json, anything +json: one document */
    RR_BODY_LINES,       /* NDJSON: a document a line */
    RR_BODY_EVENTS       /* text/event-stream: a document in the data lines of an event */
} rr_body_kind_e;

typedef struct rr_cut_body_t rr_cut_body_t;

/** The kind that a Content-Type names, parameters apart; a charset other than UTF-8 is UNKNOWN. NULL is UNKNOWN. */
rr_body_kind_e rr_body_kind(const char *content_type);

/** Both directions as for rr_cut_create. Stages go to rr_cut_body_cutter(). */
rr_cut_body_t *rr_cut_body_create(rr_body_kind_e kind, apr_pool_t *p, rr_cut_sink_fn *sink, void *baton);

rr_cut_t *rr_cut_body_cutter(rr_cut_body_t *body);

/** Takes the next bytes. Errors: RR_EINVAL, as rr_cut_feed's, where a document is not JSON. */
apr_status_t rr_cut_body_feed(rr_cut_body_t *body, const char *data, apr_size_t len, rr_err_t *err);

/** The body ends here. Errors: the last document is not complete. A body without any byte is well. */
apr_status_t rr_cut_body_end(rr_cut_body_t *body, rr_err_t *err);

/** How many bytes of the output, from its beginning, belong to complete records. */
apr_uint64_t rr_cut_body_complete(const rr_cut_body_t *body);

#endif
