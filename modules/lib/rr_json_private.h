/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_json_private.h: what a parsed value looks like, for rr_json*.c; and a look
 * at a text that builds nothing, for the shape of tokens.
 */
#ifndef RR_JSON_PRIVATE_H
#define RR_JSON_PRIVATE_H

#include "rr_json.h"

#define RR_JSON_LOOK_VALUES 64 /* values that rr_json_look keeps at once */

struct rr_json_t {
    const char *name; /* NULL but for members of an object */
    union {
        const char *text;       /* STRING: unescaped, NUL-terminated; NUMBER: as it was sent, not terminated */
        const rr_json_t *items; /* ARRAY, OBJECT */
    } u;
    apr_uint32_t name_len;
    apr_uint32_t size;   /* bytes of text or number of items */
    rr_json_kind_e kind;
    int is_true;         /* BOOL */
};

/**
 * Whether text is a JSON object with a member of that name, by the rules of
 * rr_json_parse, without taking memory. False where more than
 * RR_JSON_LOOK_VALUES values would have to be kept at once.
 *
 * text is overwritten; text[len] must be writable.
 */
int rr_json_look(char *text, apr_size_t len, const char *name);

/**
 * As rr_json_parse_object, but RR_EINVAL where more than RR_JSON_LOOK_VALUES values would have to be kept at once.
 *
 * Ownership: text is overwritten and becomes a part of *pvalue; text[len] must be writable. At most APR_INT32_MAX bytes.
 */
apr_status_t rr_json_parse_few(const rr_json_t **pvalue, char *text, apr_size_t len, apr_pool_t *p, rr_err_t *err);

/** Length of the UTF-8 sequence at s of left bytes; 0 where it is none (RFC 3629). */
apr_size_t rr_json_utf8(const char *s, apr_size_t left);

#endif
