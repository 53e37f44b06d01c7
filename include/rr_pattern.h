/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pattern.h: a regular expression as rules and filters use it: compiled
 * once, searched often, with limits so that no subject can hold a worker.
 *
 * A pattern is searched, not anchored. `.` is any byte and `$` the very end of
 * the subject, so that no line feed hides a rest. Doubt (an error, a limit) is
 * an answer of its own: whoever decides on it denies.
 */
#ifndef RR_PATTERN_H
#define RR_PATTERN_H

#include "rr_err.h"

#include <apr_pools.h>
#include <apr_time.h>

typedef struct rr_pattern_t rr_pattern_t; /* compiled, immutable: any thread may search with it */
typedef struct rr_matcher_t rr_matcher_t; /* scratch of a search: one thread at a time */

typedef enum {
    RR_MATCH_DOUBT = 0, /* a limit was hit, or the subject is not UTF-8 where the pattern needs it */
    RR_MATCH_NO,
    RR_MATCH_YES
} rr_match_e;

/* What the text of a pattern says without running it. */
typedef enum {
    RR_PATTERN_REGEX = 0, /* needs the engine */
    RR_PATTERN_ANY,       /* matches everything: .* and its kin */
    RR_PATTERN_EXACT,     /* ^literal$ */
    RR_PATTERN_PREFIX,    /* ^literal */
    RR_PATTERN_SUFFIX,    /* literal$ */
    RR_PATTERN_CONTAINS   /* literal */
} rr_pattern_shape_e;

typedef enum {
    RR_PATTERN_DEFAULT = 0,
    RR_PATTERN_CASELESS = 1 << 0,  /* flag i */
    RR_PATTERN_MULTILINE = 1 << 1, /* flag m */
    RR_PATTERN_UTF = 1 << 2        /* flag u; implied by a pattern that is not ASCII */
} rr_pattern_option_e;

/* A run of bytes inside a pattern's own copy; not NUL-terminated. */
typedef struct rr_span_t {
    const char *bytes;
    apr_size_t len;
} rr_span_t;

/**
 * Reads flags as they are published (i, m, s, u, g) into options; NULL and "" are none.
 *
 * g and s change nothing: a search looks at the whole subject, and `.` is any byte.
 * Errors: RR_EINVAL names the letter that is unknown or repeated.
 */
apr_status_t rr_pattern_flags(int *poptions, const char *flags, rr_err_t *err);

/**
 * Compiles text, with just-in-time code where the machine has it. Shapes that
 * need no engine are not compiled at all.
 *
 * Ownership: *ppattern ends with p; text is copied.
 * Errors:    RR_EINVAL: empty, longer than RR_MAX_PATTERN, or not a regular expression; err->text has the
 *            engine's words and the byte offset. *ppattern is then NULL.
 */
apr_status_t rr_pattern_compile(const rr_pattern_t **ppattern, const char *text, int options, apr_pool_t *p,
                                rr_err_t *err);

/** Scratch for searches, in p; made once a request. Larger stacks are made only for subjects that need them. */
rr_matcher_t *rr_matcher_make(apr_pool_t *p);

/**
 * Bounds the CPU time of all searches with matcher from now on: past it every search of the engine is in doubt.
 *
 * A limit bounds one search; a request with thousands of values could come close to it with each.
 */
void rr_matcher_limit(rr_matcher_t *matcher, apr_interval_time_t cpu);

/**
 * Looks for pattern anywhere in subject.
 *
 * Threads: pattern is shared, matcher is the caller's alone.
 * Errors:  RR_MATCH_DOUBT; about a millisecond at most.
 */
rr_match_e rr_pattern_search(const rr_pattern_t *pattern, rr_matcher_t *matcher, const char *subject, apr_size_t len);

/** The text it was compiled from, and the options in force. */
const char *rr_pattern_text(const rr_pattern_t *pattern);
int rr_pattern_options(const rr_pattern_t *pattern);

/** Its shape, and the literal of EXACT, PREFIX, SUFFIX and CONTAINS; literal may be NULL. */
rr_pattern_shape_e rr_pattern_shape(const rr_pattern_t *pattern, rr_span_t *literal);

/** Bytes that every subject which matches begins with; empty where the text promises none. */
rr_span_t rr_pattern_prefix(const rr_pattern_t *pattern);

/** Runs of bytes that every subject which matches holds somewhere; *count may be 0. */
const rr_span_t *rr_pattern_required(const rr_pattern_t *pattern, int *count);

/** True if a match can only begin where the subject begins. */
int rr_pattern_is_anchored(const rr_pattern_t *pattern);

/** True if some short subject drives the search into its limits; slow, for `lint`. */
int rr_pattern_is_explosive(const rr_pattern_t *pattern, rr_matcher_t *matcher);

#endif
