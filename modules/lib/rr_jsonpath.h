/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jsonpath.h: RFC 9535 queries without filter expressions, parsed.
 */
#ifndef RR_JSONPATH_H
#define RR_JSONPATH_H

#include "rr_err.h"

#include <apr_pools.h>
#include <apr_tables.h>

typedef enum { RR_SELECT_ANY, RR_SELECT_NAME, RR_SELECT_RANGE } rr_select_e;

typedef struct rr_selector_t {
    rr_select_e kind;
    const char *name; /* NAME: unescaped UTF-8, may hold NUL */
    apr_size_t len;
    apr_int64_t from, to, step; /* RANGE: from <= index < to (to -1: no end), every step-th; step 0: none */
} rr_selector_t;

typedef struct rr_segment_t {
    int descends;                  /* `..`: this level and all below */
    apr_array_header_t *selectors; /* rr_selector_t; any of them */
} rr_segment_t;

/**
 * Parses a query.
 *
 * Ownership: *psegments, an array of rr_segment_t, lives in p and is empty for `$`.
 * Errors:    RR_EINVAL; err->text has the offset and what is wrong: also filter expressions, and indexes and
 *            slices that count from the end of an array.
 * Spec:      RFC 9535, 2.
 */
apr_status_t rr_jsonpath_parse(apr_array_header_t **psegments, const char *text, apr_pool_t *p, rr_err_t *err);

#endif
