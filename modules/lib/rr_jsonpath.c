/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jsonpath.c: reads JSONPath queries.
 *
 * Spec: RFC 9535, 2. Filter selectors are refused by name. What counts from the
 *       end of an array is refused too: the answer would come after the array.
 */
#include "rr_jsonpath.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_INT APR_INT64_C(9007199254740991) /* RFC 9535, 2.1: I-JSON's integers */

typedef struct parse_t {
    const char *text;
    const unsigned char *p;
    apr_pool_t *pool;
    rr_err_t *err;
} parse_t;

static apr_status_t wrong(parse_t *in, const char *what)
{
    return rr_err_set(in->err, RR_EINVAL, "path", "not a JSONPath: %s at offset %d", what,
                      (int)((const char *)in->p - in->text));
}

static void skip_blank(parse_t *in)
{
    while (*in->p == ' ' || *in->p == '\t' || *in->p == '\n' || *in->p == '\r') {
        in->p++;
    }
}

static int is_name_start(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static rr_selector_t *add_selector(rr_segment_t *segment, rr_select_e kind)
{
    rr_selector_t *selector = apr_array_push(segment->selectors);

    memset(selector, 0, sizeof(*selector));
    selector->kind = kind;
    return selector;
}

static int hex4(parse_t *in, unsigned *pvalue)
{
    int i;

    for (i = 0, *pvalue = 0; i < 4; i++, in->p++) {
        int c = *in->p | 32;

        if (c >= '0' && c <= '9') {
            *pvalue = *pvalue * 16 + (unsigned)(c - '0');
        }
        else if (c >= 'a' && c <= 'f') {
            *pvalue = *pvalue * 16 + (unsigned)(c - 'a' + 10);
        }
        else {
            return 0;
        }
    }
    return 1;
}

static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    }
    else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* After the backslash. */
static apr_status_t parse_escape(parse_t *in, int quote, char **pout)
{
    static const char from[] = "bfnrt/\\", to[] = "\b\f\n\r\t/\\";
    unsigned c, low;
    int letter = *in->p++;
    const char *known = letter ? strchr(from, letter) : NULL;

    if (letter == quote || known) {
        *(*pout)++ = known ? to[known - from] : (char)letter;
        return APR_SUCCESS;
    }
    if (letter != 'u' || !hex4(in, &c) || (c >= 0xdc00 && c < 0xe000)) {
        return wrong(in, "bad escape");
    }
    if (c >= 0xd800 && c < 0xdc00) {
        if (*in->p++ != '\\' || *in->p++ != 'u' || !hex4(in, &low) || low < 0xdc00 || low > 0xdfff) {
            return wrong(in, "half a surrogate pair");
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *pout = put_utf8(*pout, c);
    return APR_SUCCESS;
}

static apr_status_t parse_quoted(parse_t *in, rr_segment_t *segment)
{
    rr_selector_t *selector = add_selector(segment, RR_SELECT_NAME);
    char *name = apr_palloc(in->pool, strlen((const char *)in->p) + 1), *out = name;
    int quote = *in->p++;
    apr_status_t rv;

    while (*in->p != quote) {
        if (*in->p < 0x20) {
            return wrong(in, *in->p ? "control character" : "string without an end");
        }
        if (*in->p != '\\') {
            *out++ = (char)*in->p++;
            continue;
        }
        in->p++;
        rv = parse_escape(in, quote, &out);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    in->p++;
    selector->name = name;
    selector->len = (apr_size_t)(out - name);
    return APR_SUCCESS;
}

/* An integer where one stands; *pset says whether. */
static apr_status_t parse_int(parse_t *in, apr_int64_t *pvalue, int *pset)
{
    int negative = *in->p == '-';
    const unsigned char *digits = in->p + negative;

    *pset = 0;
    *pvalue = 0;
    if (!negative && (*digits < '0' || *digits > '9')) {
        return APR_SUCCESS;
    }
    if (*digits < '0' || *digits > '9' || (*digits == '0' && (negative || (digits[1] >= '0' && digits[1] <= '9')))) {
        return wrong(in, "bad integer");
    }
    for (in->p = digits; *in->p >= '0' && *in->p <= '9'; in->p++) {
        *pvalue = *pvalue * 10 + (*in->p - '0');
        if (*pvalue > MAX_INT) {
            return wrong(in, "integer out of range");
        }
    }
    *pvalue = negative ? -*pvalue : *pvalue;
    *pset = 1;
    return APR_SUCCESS;
}

/* What start:end:step selects, whatever the array's length; order does not matter here. */
static apr_status_t resolve_slice(parse_t *in, rr_selector_t *s, apr_int64_t start, int has_start, apr_int64_t end,
                                  int has_end, apr_int64_t step)
{
    if (step > 0 && start >= 0 && end >= 0) {
        s->from = start;
        s->to = has_end ? end : -1;
        s->step = step;
        return APR_SUCCESS;
    }
    if (step == -1 && start >= 0 && end >= 0) {
        s->from = has_end ? end + 1 : 0;
        s->to = has_start ? start + 1 : -1;
        s->step = 1;
        return APR_SUCCESS;
    }
    if (step == 0) {
        return APR_SUCCESS; /* selects nothing */
    }
    return wrong(in, "a slice that counts from the end, which a stream does not know,");
}

static apr_status_t parse_numeric(parse_t *in, rr_segment_t *segment)
{
    rr_selector_t *selector = add_selector(segment, RR_SELECT_RANGE);
    apr_int64_t start, end = 0, step = 1;
    int has_start, has_end = 0, has_step;
    apr_status_t rv = parse_int(in, &start, &has_start);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    skip_blank(in);
    if (*in->p != ':') {
        if (!has_start) {
            return wrong(in, "a selector is missing");
        }
        if (start < 0) {
            return wrong(in, "an index that counts from the end, which a stream does not know,");
        }
        selector->from = start;
        selector->to = start + 1;
        selector->step = 1;
        return APR_SUCCESS;
    }
    in->p++;
    skip_blank(in);
    rv = parse_int(in, &end, &has_end);
    skip_blank(in);
    if (rv == APR_SUCCESS && *in->p == ':') {
        in->p++;
        skip_blank(in);
        rv = parse_int(in, &step, &has_step);
        step = has_step ? step : 1;
    }
    return rv == APR_SUCCESS ? resolve_slice(in, selector, start, has_start, end, has_end, step) : rv;
}

static apr_status_t parse_bracket(parse_t *in, rr_segment_t *segment)
{
    apr_status_t rv = APR_SUCCESS;

    do {
        in->p++; /* '[' or ',' */
        skip_blank(in);
        if (*in->p == '*') {
            in->p++;
            add_selector(segment, RR_SELECT_ANY);
        }
        else if (*in->p == '\'' || *in->p == '"') {
            rv = parse_quoted(in, segment);
        }
        else if (*in->p == '?') {
            rv = wrong(in, "a filter expression, which is not supported,");
        }
        else {
            rv = parse_numeric(in, segment);
        }
        skip_blank(in);
    } while (rv == APR_SUCCESS && *in->p == ',');
    if (rv == APR_SUCCESS && *in->p != ']') {
        return wrong(in, "missing ]");
    }
    in->p += rv == APR_SUCCESS;
    return rv;
}

static apr_status_t parse_shorthand(parse_t *in, rr_segment_t *segment)
{
    const unsigned char *from = in->p;
    rr_selector_t *selector;

    if (*in->p == '*') {
        in->p++;
        add_selector(segment, RR_SELECT_ANY);
        return APR_SUCCESS;
    }
    if (!is_name_start(*in->p)) {
        return wrong(in, "a name is missing");
    }
    while (is_name_start(*in->p) || (*in->p >= '0' && *in->p <= '9')) {
        in->p++;
    }
    selector = add_selector(segment, RR_SELECT_NAME);
    selector->len = (apr_size_t)(in->p - from);
    selector->name = apr_pstrmemdup(in->pool, (const char *)from, selector->len);
    return APR_SUCCESS;
}

apr_status_t rr_jsonpath_parse(apr_array_header_t **psegments, const char *text, apr_pool_t *p, rr_err_t *err)
{
    parse_t in = { .text = text, .p = (const unsigned char *)text, .pool = p, .err = err };
    apr_status_t rv = APR_SUCCESS;
    rr_segment_t *segment;

    *psegments = apr_array_make(p, 4, sizeof(rr_segment_t));
    if (*in.p++ != '$') {
        in.p--;
        return wrong(&in, "missing $");
    }
    while (rv == APR_SUCCESS && *in.p) {
        const unsigned char *blank = in.p;

        skip_blank(&in);
        if (!*in.p && in.p != blank) {
            return wrong(&in, "blank at the end");
        }
        segment = apr_array_push(*psegments);
        segment->selectors = apr_array_make(p, 1, sizeof(rr_selector_t));
        segment->descends = in.p[0] == '.' && in.p[1] == '.';
        in.p += segment->descends ? 2 : 0;
        if (*in.p == '[') {
            rv = parse_bracket(&in, segment);
        }
        else if (segment->descends || *in.p == '.') {
            in.p += segment->descends ? 0 : 1;
            rv = parse_shorthand(&in, segment);
        }
        else {
            rv = wrong(&in, "neither . nor [");
        }
    }
    return rv;
}
