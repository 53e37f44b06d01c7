/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_conf.h: a module's settings as one table: kind, member, bounds, default.
 *
 * Create, merge, parse and read walk the table, so that no setting has code of
 * its own. Unset is a value nobody can write (INT_MIN, APR_INT64_MIN, NULL);
 * members are read through rr_conf_* only, which puts the default in its place.
 */
#ifndef RR_CONF_H
#define RR_CONF_H

#include "rr_err.h"

#include <apr_pools.h>
#include <apr_tables.h>

#include <stddef.h>

typedef enum {
    RR_CONF_END = 0,
    RR_CONF_STRING, /* const char *; min..max bytes */
    RR_CONF_FLAG,   /* int; On or Off */
    RR_CONF_ENUM,   /* int; one of words, value is its index */
    RR_CONF_SIZE,   /* apr_int64_t; bytes, with k, m or g */
    RR_CONF_TIME,   /* apr_interval_time_t; httpd's units (ms, s, mi, h), seconds without; also d for days */
    RR_CONF_LIST    /* apr_array_header_t * of const char *; each line adds; a section that has any replaces the outer one's */
} rr_conf_kind_e;

typedef struct rr_conf_field_t {
    rr_conf_kind_e kind;
    size_t offset;            /* of the member */
    apr_int64_t min, max;     /* bounds of value, length or (LIST) count */
    apr_int64_t def;          /* default of numbers */
    const char *def_string;   /* default of a STRING; may be NULL */
    const char *const *words; /* ENUM: NULL-terminated */
} rr_conf_field_t;

#define RR_STRING(type, member, lo, hi, def_) \
    { .kind = RR_CONF_STRING, .offset = offsetof(type, member), .min = (lo), .max = (hi), .def_string = (def_) }
#define RR_FLAG(type, member, def_) { .kind = RR_CONF_FLAG, .offset = offsetof(type, member), .max = 1, .def = (def_) }
#define RR_ENUM(type, member, words_, def_) \
    { .kind = RR_CONF_ENUM, .offset = offsetof(type, member), .words = (words_), .def = (def_) }
#define RR_SIZE(type, member, lo, hi, def_) \
    { .kind = RR_CONF_SIZE, .offset = offsetof(type, member), .min = (lo), .max = (hi), .def = (def_) }
#define RR_TIME(type, member, lo, hi, def_) \
    { .kind = RR_CONF_TIME, .offset = offsetof(type, member), .min = (lo), .max = (hi), .def = (def_) }
#define RR_LIST(type, member, most) { .kind = RR_CONF_LIST, .offset = offsetof(type, member), .min = 1, .max = (most) }

/** A zeroed struct of size bytes with every field of the table unset. */
void *rr_conf_create(apr_pool_t *p, apr_size_t size, const rr_conf_field_t *fields);

/** base overlaid by what add sets; members outside the table are add's. */
void *rr_conf_merge(apr_pool_t *p, apr_size_t size, const void *base, const void *add, const rr_conf_field_t *fields);

/**
 * Sets one field from the text of its argument.
 *
 * Errors: RR_EINVAL; err->text says what would be right ("a duration of 1s to 24h, such as 30s").
 */
apr_status_t rr_conf_parse(void *conf, const rr_conf_field_t *field, const char *text, apr_pool_t *p, rr_err_t *err);

int rr_conf_is_set(const void *conf, const rr_conf_field_t *field);
const char *rr_conf_string(const void *conf, const rr_conf_field_t *field);
int rr_conf_int(const void *conf, const rr_conf_field_t *field);           /* FLAG, ENUM */
apr_int64_t rr_conf_number(const void *conf, const rr_conf_field_t *field); /* SIZE, TIME */
const apr_array_header_t *rr_conf_list(const void *conf, const rr_conf_field_t *field); /* NULL where unset */

/** A duration in httpd's own units, plus d: "500ms", "30s", "5mi", "24h", "7d", "30" (seconds). RR_EINVAL. */
apr_status_t rr_conf_duration(apr_interval_time_t *ptime, const char *text);

#endif
