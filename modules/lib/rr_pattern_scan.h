/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pattern_scan.h: what the text of a pattern says without running it.
 */
#ifndef RR_PATTERN_SCAN_H
#define RR_PATTERN_SCAN_H

#include "rr_pattern.h"

typedef struct rr_scan_t {
    rr_pattern_shape_e shape;
    rr_span_t literal;     /* of EXACT, PREFIX, SUFFIX, CONTAINS; lower case where the pattern is caseless */
    rr_span_t prefix;      /* every match begins with it; may be empty */
    const rr_span_t *runs; /* every match holds each of them */
    int runs_count;
} rr_scan_t;

/**
 * Fills scan for text. What is not understood promises nothing: shape REGEX, no prefix, no runs.
 *
 * Ownership: spans live in p.
 */
void rr_scan(rr_scan_t *scan, const char *text, apr_size_t len, int options, apr_pool_t *p);

#endif
