/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_filter_private.h: a filter as rr_filter.c reads it and rr_filter_judge.c judges it.
 */
#ifndef RR_FILTER_PRIVATE_H
#define RR_FILTER_PRIVATE_H

#include "rr_filter.h"

/* One entry of token[] or headers[]. */
typedef struct check_t {
    const rr_pattern_t *name;
    const rr_pattern_t *value; /* NULL: any */
    int absent;                /* none may match */
} check_t;

typedef struct filter_t {
    const char *id;
    apr_array_header_t *methods; /* const char *; NULL: any */
    const rr_pattern_t *path;    /* NULL: any */
    int path_absent;
    apr_array_header_t *claims, *headers; /* check_t; NULL: none asked */
} filter_t;

struct rr_filters_t {
    apr_array_header_t *list; /* filter_t */
    unsigned look_at;         /* bits of RR_FILTER_* */
    const rr_cut_ops_t *ops;
};

#endif
