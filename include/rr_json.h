/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_json.h: strict JSON in, typed reads by path, compact JSON out.
 *
 * How a value is kept stays behind this header. A value that was parsed is never
 * changed: any thread may read it as long as its pool lives.
 */
#ifndef RR_JSON_H
#define RR_JSON_H

#include "rr_err.h"

#include <apr_pools.h>
#include <apr_tables.h>

typedef struct rr_json_t rr_json_t;

typedef enum {
    RR_JSON_NONE = 0, /* NULL was asked */
    RR_JSON_NULL,
    RR_JSON_BOOL,
    RR_JSON_NUMBER, /* integer or real */
    RR_JSON_STRING,
    RR_JSON_ARRAY,
    RR_JSON_OBJECT
} rr_json_kind_e;

/**
 * Parses one JSON text of len bytes.
 *
 * Refused: duplicate member names, nesting past RR_MAX_JSON_DEPTH (work ends
 * there), invalid UTF-8, \u0000 in strings, anything after the value. Numbers may
 * have any size; they are kept as they were sent.
 *
 * Ownership: *pvalue ends with p. text is borrowed for the call.
 * Errors:    RR_EINVAL with the byte offset in err; *pvalue is then NULL.
 * Spec:      RFC 8259; RFC 8725, 2.4 (no duplicate members).
 */
apr_status_t rr_json_parse(const rr_json_t **pvalue, const char *text, apr_size_t len, apr_pool_t *p,
                           rr_err_t *err);

/** As rr_json_parse; the text must be an object. */
apr_status_t rr_json_parse_object(const rr_json_t **pvalue, const char *text, apr_size_t len, apr_pool_t *p,
                                  rr_err_t *err);

/**
 * Finds a value by CLAIM-PATH: an exact top-level name wins, else dots nest,
 * a leading '/' is a JSON pointer (RFC 6901). NULL where there is none.
 *
 * Array elements are reached by number in a pointer only.
 */
const rr_json_t *rr_json_at(const rr_json_t *object, const char *path);

/** The member of that exact name; NULL where there is none or value is no object. */
const rr_json_t *rr_json_member(const rr_json_t *object, const char *name);

rr_json_kind_e rr_json_kind(const rr_json_t *value);

/** The bytes of a string value, without NUL inside; NULL for any other kind. */
const char *rr_json_string(const rr_json_t *value);

/** True and *pnumber set for a number that int64 holds, fractions cut off (NumericDate); else false. */
int rr_json_int(const rr_json_t *value, apr_int64_t *pnumber);

/** The same, but only of a number written as a whole one: false for 1.5, 1.0 and 1e2. */
int rr_json_whole(const rr_json_t *value, apr_int64_t *pnumber);

/** True for the JSON value true. */
int rr_json_is_true(const rr_json_t *value);

/** Elements of an array or members of an object; 0 for any other kind. */
apr_size_t rr_json_size(const rr_json_t *value);

/** The element at index, or NULL. */
const rr_json_t *rr_json_element(const rr_json_t *array, apr_size_t index);

/** Calls visit for each member in the text's order until it returns 0. */
void rr_json_members(const rr_json_t *object, int (*visit)(void *baton, const char *name, const rr_json_t *value),
                     void *baton);

/**
 * Scalars as text: strings as they are, numbers and booleans as JSON writes
 * them; NULL for null, arrays and objects.
 */
const char *rr_json_scalar(apr_pool_t *p, const rr_json_t *value);

/** Compact text of any value, members in their order; "null" for NULL. */
const char *rr_json_print(apr_pool_t *p, const rr_json_t *value);

/**
 * Text as a JSON string with its quotes, at most max bytes of text, cut at a
 * UTF-8 border; bytes that are not UTF-8 become U+FFFD.
 */
const char *rr_json_quote(apr_pool_t *p, const char *text, apr_size_t max);

/** The same where the caller has room bytes for what is written, quotes and escapes too: as much of text as fits; their number. */
apr_size_t rr_json_quote_into(char *to, apr_size_t room, const char *text, apr_size_t len);

/**
 * Words of a scope value: a string split at blanks, or an array of strings
 * (RFC 8693, 4.2; "scp" of several issuers). Never NULL; at most RR_MAX_SCOPES.
 */
apr_array_header_t *rr_json_words(apr_pool_t *p, const rr_json_t *value);

/** Bytes that rr_json_pack needs for value. */
apr_size_t rr_json_packed_size(const rr_json_t *value);

/**
 * Copies value with all that is below it into one block, for those who keep it longer than a pool.
 *
 * Ownership: the copy is block, which is aligned for a pointer; size is rr_json_packed_size(value).
 */
const rr_json_t *rr_json_pack(void *block, apr_size_t size, const rr_json_t *value);

#endif
