/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_conf.c: walks the field tables of rr_conf.h.
 */
#include "rr_conf.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <limits.h>
#include <string.h>

#define UNSET_INT INT_MIN
#define UNSET_NUMBER APR_INT64_MIN

static void *at(void *conf, const rr_conf_field_t *field)
{
    return (char *)conf + field->offset;
}

static const void *at_const(const void *conf, const rr_conf_field_t *field)
{
    return (const char *)conf + field->offset;
}

void *rr_conf_create(apr_pool_t *p, apr_size_t size, const rr_conf_field_t *fields)
{
    void *conf = apr_pcalloc(p, size);

    for (; fields->kind != RR_CONF_END; fields++) {
        switch (fields->kind) {
        case RR_CONF_FLAG:
        case RR_CONF_ENUM:
            *(int *)at(conf, fields) = UNSET_INT;
            break;
        case RR_CONF_SIZE:
        case RR_CONF_TIME:
            *(apr_int64_t *)at(conf, fields) = UNSET_NUMBER;
            break;
        default:
            break; /* pointers: NULL already */
        }
    }
    return conf;
}

int rr_conf_is_set(const void *conf, const rr_conf_field_t *field)
{
    switch (field->kind) {
    case RR_CONF_FLAG:
    case RR_CONF_ENUM:
        return *(const int *)at_const(conf, field) != UNSET_INT;
    case RR_CONF_SIZE:
    case RR_CONF_TIME:
        return *(const apr_int64_t *)at_const(conf, field) != UNSET_NUMBER;
    default:
        return *(void *const *)at_const(conf, field) != NULL;
    }
}

void *rr_conf_merge(apr_pool_t *p, apr_size_t size, const void *base, const void *add, const rr_conf_field_t *fields)
{
    void *conf = apr_pmemdup(p, add, size);

    for (; fields->kind != RR_CONF_END; fields++) {
        if (rr_conf_is_set(add, fields)) {
            continue;
        }
        switch (fields->kind) {
        case RR_CONF_FLAG:
        case RR_CONF_ENUM:
            *(int *)at(conf, fields) = *(const int *)at_const(base, fields);
            break;
        case RR_CONF_SIZE:
        case RR_CONF_TIME:
            *(apr_int64_t *)at(conf, fields) = *(const apr_int64_t *)at_const(base, fields);
            break;
        default:
            *(void **)at(conf, fields) = *(void *const *)at_const(base, fields);
            break;
        }
    }
    return conf;
}

apr_status_t rr_conf_duration(apr_interval_time_t *ptime, const char *text)
{
    static const struct {
        const char *unit;
        apr_interval_time_t size;
    } units[] = {
        { "", APR_USEC_PER_SEC },      { "ms", 1000 },
        { "s", APR_USEC_PER_SEC },     { "mi", 60 * APR_USEC_PER_SEC },
        { "min", 60 * APR_USEC_PER_SEC }, { "m", 60 * APR_USEC_PER_SEC },
        { "h", 3600 * APR_USEC_PER_SEC }, { "d", 86400 * APR_USEC_PER_SEC },
    };
    apr_int64_t number;
    char *end;
    apr_size_t i;

    *ptime = 0;
    if (!apr_isdigit(*text)) {
        return RR_EINVAL;
    }
    errno = 0;
    number = apr_strtoi64(text, &end, 10);
    if (errno) {
        return RR_EINVAL;
    }
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!apr_cstr_casecmp(end, units[i].unit)) {
            if (number > APR_INT64_MAX / units[i].size) {
                return RR_EINVAL;
            }
            *ptime = number * units[i].size;
            return APR_SUCCESS;
        }
    }
    return RR_EINVAL;
}

static apr_status_t parse_size(apr_int64_t *psize, const char *text)
{
    apr_int64_t number, unit = 1;
    char *end;

    if (!apr_isdigit(*text)) {
        return RR_EINVAL;
    }
    errno = 0;
    number = apr_strtoi64(text, &end, 10);
    if (errno) {
        return RR_EINVAL;
    }
    switch (apr_tolower(*end)) {
    case 'g':
        unit *= 1024; /* falls through */
    case 'm':
        unit *= 1024; /* falls through */
    case 'k':
        unit *= 1024;
        end++;
    }
    if (*end || number > APR_INT64_MAX / unit) {
        return RR_EINVAL;
    }
    *psize = number * unit;
    return APR_SUCCESS;
}

/* A duration as people write it, for messages: the largest unit that divides it. */
static const char *print_time(apr_pool_t *p, apr_interval_time_t t)
{
    static const struct {
        apr_interval_time_t size;
        const char *unit;
    } units[] = { { 86400 * APR_USEC_PER_SEC, "d" }, { 3600 * APR_USEC_PER_SEC, "h" }, { 60 * APR_USEC_PER_SEC, "mi" },
                  { APR_USEC_PER_SEC, "s" } };
    apr_size_t i;

    for (i = 0; t && i < sizeof(units) / sizeof(units[0]); i++) {
        if (t % units[i].size == 0) {
            return apr_psprintf(p, "%" APR_TIME_T_FMT "%s", t / units[i].size, units[i].unit);
        }
    }
    return apr_psprintf(p, "%" APR_TIME_T_FMT "ms", t / 1000);
}

static apr_status_t parse_enum(int *pvalue, const rr_conf_field_t *field, const char *text, apr_pool_t *p,
                               rr_err_t *err)
{
    const char *all = "";
    int i;

    for (i = 0; field->words[i]; i++) {
        if (!apr_cstr_casecmp(text, field->words[i])) {
            *pvalue = i;
            return APR_SUCCESS;
        }
        all = apr_pstrcat(p, all, i ? ", " : "", field->words[i], NULL);
    }
    return rr_err_set(err, RR_EINVAL, NULL, "one of: %s", all);
}

static apr_status_t parse_number(apr_int64_t *pvalue, const rr_conf_field_t *field, const char *text, apr_pool_t *p,
                                 rr_err_t *err)
{
    int is_time = field->kind == RR_CONF_TIME;
    apr_int64_t value = 0;
    apr_status_t rv = is_time ? rr_conf_duration(&value, text) : parse_size(&value, text);

    if (rv != APR_SUCCESS || value < field->min || value > field->max) {
        return is_time ? rr_err_set(err, RR_EINVAL, NULL, "a duration of %s to %s, such as %s",
                                    print_time(p, field->min), print_time(p, field->max), print_time(p, field->def))
                       : rr_err_set(err, RR_EINVAL, NULL, "a size of %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                                    " bytes, such as 64k or 1m", field->min, field->max);
    }
    *pvalue = value;
    return APR_SUCCESS;
}

static apr_status_t parse_list(apr_array_header_t **plist, const rr_conf_field_t *field, const char *text,
                               apr_pool_t *p, rr_err_t *err)
{
    if (!*plist) {
        *plist = apr_array_make(p, 4, sizeof(const char *));
    }
    if ((*plist)->nelts >= field->max) {
        return rr_err_set(err, RR_EINVAL, NULL, "at most %" APR_INT64_T_FMT " of them", field->max);
    }
    APR_ARRAY_PUSH(*plist, const char *) = apr_pstrdup(p, text);
    return APR_SUCCESS;
}

apr_status_t rr_conf_parse(void *conf, const rr_conf_field_t *field, const char *text, apr_pool_t *p, rr_err_t *err)
{
    apr_size_t len = strlen(text);

    switch (field->kind) {
    case RR_CONF_STRING:
        if ((apr_int64_t)len < field->min || (apr_int64_t)len > field->max) {
            return rr_err_set(err, RR_EINVAL, NULL, "text of %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT " bytes",
                              field->min, field->max);
        }
        *(const char **)at(conf, field) = apr_pstrmemdup(p, text, len);
        return APR_SUCCESS;
    case RR_CONF_FLAG:
        if (apr_cstr_casecmp(text, "on") && apr_cstr_casecmp(text, "off")) {
            return rr_err_set(err, RR_EINVAL, NULL, "On or Off");
        }
        *(int *)at(conf, field) = !apr_cstr_casecmp(text, "on");
        return APR_SUCCESS;
    case RR_CONF_ENUM:
        return parse_enum(at(conf, field), field, text, p, err);
    case RR_CONF_SIZE:
    case RR_CONF_TIME:
        return parse_number(at(conf, field), field, text, p, err);
    case RR_CONF_LIST:
        return parse_list(at(conf, field), field, text, p, err);
    default:
        return rr_err_set(err, RR_EINVAL, NULL, "no such field");
    }
}

const char *rr_conf_string(const void *conf, const rr_conf_field_t *field)
{
    const char *value = *(const char *const *)at_const(conf, field);

    return value ? value : field->def_string;
}

int rr_conf_int(const void *conf, const rr_conf_field_t *field)
{
    return rr_conf_is_set(conf, field) ? *(const int *)at_const(conf, field) : (int)field->def;
}

apr_int64_t rr_conf_number(const void *conf, const rr_conf_field_t *field)
{
    return rr_conf_is_set(conf, field) ? *(const apr_int64_t *)at_const(conf, field) : field->def;
}

const apr_array_header_t *rr_conf_list(const void *conf, const rr_conf_field_t *field)
{
    return *(apr_array_header_t *const *)at_const(conf, field);
}
