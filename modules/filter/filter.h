/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h: between the map and the body: which filters apply to a request.
 */
#ifndef FILTER_H
#define FILTER_H

#include "rr_glue.h"

#include "rr_filter.h"

/* The filters of one owner that apply to a request; earlier stages work first. */
typedef struct filter_stage_t {
    const char *owner; /* for people: "location" */
    const rr_filters_t *filters;
    const unsigned char *active; /* by number; NULL: all */
} filter_stage_t;

typedef struct filter_body_t filter_body_t;

/** Inserts the filter for the stages (filter_stage_t, at least one) that apply to r. hold: bytes kept back at most. */
void filter_body_insert(request_rec *r, const apr_array_header_t *stages, apr_int64_t hold, const rr_core_t *core);

/** The output filter's name for register_hooks. */
void filter_body_register(void);

/** Whether r serves an ErrorDocument: its status is that of the request before. */
int filter_is_error_document(const request_rec *r);

/** Adds to facts, in r's pool, what filters look at and is not in them yet; mount is the path that theirs are below. */
void filter_facts_add(rr_filter_facts_t *facts, const rr_filters_t *filters, request_rec *r, const rr_core_t *core,
                      const char *mount);

#endif
