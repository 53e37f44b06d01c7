/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_filter.h: payload filters: JSON to compiled filters, a request to the
 * filters that apply to it, those to operations of the cutter.
 *
 * The filters of one stage are compiled together and switched on one by one.
 * Doubt (a pattern that hits its limit, a path of two meanings) makes a filter
 * apply: it can only take away.
 */
#ifndef RR_FILTER_H
#define RR_FILTER_H

#include "rr_cut.h"
#include "rr_json.h"
#include "rr_pattern.h"

#include <apr_tables.h>

typedef struct rr_filters_t rr_filters_t; /* filters of one stage; immutable: any thread */

/* The members of rr_filter_facts_t, as bits. */
enum { RR_FILTER_METHODS = 1, RR_FILTER_PATHS = 2, RR_FILTER_HEADERS = 4, RR_FILTER_TOKENS = 8 };

/* What the conditions of filters look at. What none of them does (rr_filters_look_at) may be NULL. */
typedef struct rr_filter_facts_t {
    const apr_array_header_t *methods; /* const char *: the request's, and those it may be taken for; NULL inside: any */
    const apr_array_header_t *paths;   /* const char *, decoded, below the mount; NULL inside: of two meanings */
    const apr_table_t *headers;        /* as the client sent them; repeated ones joined or apart */
    const rr_json_t *const *tokens;    /* claims of each VERIFIED token: objects */
    int tokens_count;
} rr_filter_facts_t;

/**
 * Compiles the filters of one stage out of a JSON text: an array of filters,
 * an object {"filters": [...]}, or one filter.
 *
 * Ownership: *pfilters lives in p.
 * Errors:    RR_EINVAL; err->where is the JSON pointer of what is unknown or malformed, err->text says why, for
 *            patterns with the offset. *pfilters is then NULL.
 */
apr_status_t rr_filters_read(const rr_filters_t **pfilters, const char *text, apr_size_t len, apr_pool_t *p,
                             rr_err_t *err);

unsigned rr_filters_count(const rr_filters_t *filters);

/** The filter's own id where it has one, else its place: "#0". */
const char *rr_filters_id(const rr_filters_t *filters, unsigned number);

/** What the conditions of these filters look at: bits of RR_FILTER_*. */
unsigned rr_filters_look_at(const rr_filters_t *filters);

/** Judges all filters: active[number] is 1 where one applies; returns how many do. Scratch goes to p. */
unsigned rr_filters_judge(const rr_filters_t *filters, const rr_filter_facts_t *facts, rr_matcher_t *matcher,
                          unsigned char *active, apr_pool_t *p);

/** The operations of all filters, grouped by number, for rr_cut_add. */
const rr_cut_ops_t *rr_filters_ops(const rr_filters_t *filters);

/**
 * The path that conditions are judged on: the canonical one of target (rr_path.h), below mount.
 *
 * NULL: it has two meanings, or (*pbelow is 0) it is not below mount; mount "" is above everything.
 */
const char *rr_filter_path(const char *target, const char *mount, int *pbelow, apr_pool_t *p);

#endif
