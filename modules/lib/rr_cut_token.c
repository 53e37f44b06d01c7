/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_token.c: strings, names, numbers and words, over the borders of chunks.
 *
 * Spec: RFC 8259, strictly: UTF-8 (RFC 3629: no overlong forms, no surrogates),
 *       paired surrogate escapes, no bare control character.
 */
#include "rr_cut_pass.h"

#include <string.h>

static const char *not_json(cut_pass_t *s, const char *p)
{
    return rr_cut_fail(s, p, "not JSON");
}

/* ---- numbers, words ---- */

const char *rr_cut_number(cut_pass_t *s, const char *p, const char *end)
{
    cut_number_e n = s->number;

    for (; p < end; p++) {
        char c = *p;

        if (c >= '0' && c <= '9') {
            if (n > N_ZERO) {
                continue;
            }
            if (n == N_ZERO) {
                return not_json(s, p);
            }
            n = n == N_MINUS ? (c == '0' ? N_ZERO : N_INT) : n == N_DOT ? N_FRACTION : N_EXPONENT;
        }
        else if (c == '.' && (n == N_ZERO || n == N_INT)) {
            n = N_DOT;
        }
        else if ((c == 'e' || c == 'E') && n >= N_ENDS && n != N_EXPONENT) {
            n = N_E;
        }
        else if ((c == '+' || c == '-') && n == N_E) {
            n = N_SIGN;
        }
        else if (n < N_ENDS) {
            return not_json(s, p);
        }
        else {
            s->number = n;
            value_end(s, p);
            return p;
        }
    }
    s->number = n;
    return p;
}

const char *rr_cut_word(cut_pass_t *s, const char *p, const char *end)
{
    for (; p < end && *s->word; p++, s->word++) {
        if (*p != *s->word) {
            return not_json(s, p);
        }
    }
    if (!*s->word) {
        value_end(s, p);
    }
    return p;
}

/* ---- strings ---- */

static int name_add(cut_pass_t *s, const char *data, apr_size_t len)
{
    if (s->name_len + len > RR_MAX_PATH) {
        return 0;
    }
    if (s->name_len + len > s->name_size) {
        apr_size_t size = s->name_size ? s->name_size : 256;
        char *more;

        while (size < s->name_len + len) {
            size *= 2;
        }
        more = apr_palloc(s->pool, size);
        if (s->name_len) {
            memcpy(more, s->name, s->name_len);
        }
        s->name = more;
        s->name_size = size;
    }
    if (len) {
        memcpy(s->name + s->name_len, data, len);
        s->name_len += len;
    }
    return 1;
}

static int name_add_code(cut_pass_t *s, unsigned c)
{
    char utf8[4];
    apr_size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

    for (i = len - 1; i > 0; i--, c >>= 6) {
        utf8[i] = (char)(0x80 | (c & 0x3f));
    }
    utf8[0] = (char)(len == 1 ? c : (0xf00u >> len & 0xff) | c);
    return !s->collect || name_add(s, utf8, len);
}

/* One byte of an escape. */
static const char *scan_escape(cut_pass_t *s, const char *p)
{
    static const char letters[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
    const char *known;
    int c = (unsigned char)*p;

    if (s->escape == 1) {
        if (c == 'u') {
            s->escape = 5;
            s->code = 0;
            return p + 1;
        }
        known = c ? strchr(letters, c) : NULL;
        if (!known || s->high) {
            return not_json(s, p);
        }
        s->escape = 0;
        return name_add_code(s, (unsigned char)codes[known - letters]) ? p + 1
                                                                       : rr_cut_fail(s, p, "name beyond RR_MAX_PATH");
    }
    if (c >= '0' && c <= '9') {
        c -= '0';
    }
    else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
        c = (c | 32) - 'a' + 10;
    }
    else {
        return not_json(s, p);
    }
    s->code = s->code << 4 | (unsigned)c;
    if (--s->escape > 1) {
        return p + 1;
    }
    s->escape = 0;
    if (s->high) {
        if (s->code < 0xdc00 || s->code > 0xdfff) {
            return not_json(s, p);
        }
        s->code = 0x10000 + ((s->high - 0xd800) << 10) + (s->code - 0xdc00);
        s->high = 0;
    }
    else if (s->code >= 0xd800 && s->code <= 0xdbff) {
        s->high = s->code;
        return p + 1;
    }
    else if (s->code >= 0xdc00 && s->code <= 0xdfff) {
        return not_json(s, p);
    }
    return name_add_code(s, s->code) ? p + 1 : rr_cut_fail(s, p, "name beyond RR_MAX_PATH");
}

/* The first byte of a character beyond ASCII: how many follow, and what the next may be (RFC 3629, 4). */
static int utf8_lead(cut_pass_t *s, unsigned char c)
{
    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }
    s->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    s->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    s->top = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return 1;
}

static const char *end_name(cut_pass_t *s, const char *from, const char *p)
{
    if (!s->name_len) {
        return name_end(s, from, (apr_size_t)(p - from), p);
    }
    if (!s->emptied && !name_add(s, from, (apr_size_t)(p - from))) {
        return rr_cut_fail(s, p, "path beyond RR_MAX_PATH");
    }
    return name_end(s, s->name, s->name_len, p);
}

static const char *end_string(cut_pass_t *s, const char *from, const char *p)
{
    if (s->state == S_IN_NAME) {
        return end_name(s, from, p);
    }
    value_end(s, p + 1);
    return p + 1;
}

const char *rr_cut_string(cut_pass_t *s, const char *from, const char *p, const char *end)
{
    while (p < end) {
        unsigned char c = (unsigned char)*p;

        if (s->escape) {
            p = scan_escape(s, p);
            if (!p) {
                return NULL;
            }
            from = p;
            continue;
        }
        if (s->high && c != '\\') {
            return not_json(s, p);
        }
        if (s->need) {
            if (c < s->low || c > s->top) {
                return not_json(s, p);
            }
            s->low = 0x80;
            s->top = 0xbf;
            s->need--;
            p++;
            continue;
        }
        if (c == '"') {
            return end_string(s, from, p);
        }
        if (c == '\\') {
            if (s->collect && !name_add(s, from, (apr_size_t)(p - from))) {
                return rr_cut_fail(s, p, "name beyond RR_MAX_PATH");
            }
            s->escape = 1;
            from = ++p;
        }
        else if (c >= 0x80) {
            if (!utf8_lead(s, c)) {
                return not_json(s, p);
            }
            p++;
            if (end - p >= 4 && (unsigned char)*p >= s->low && (unsigned char)*p <= s->top) {
                for (p++, s->low = 0x80, s->top = 0xbf; --s->need && (*p & 0xc0) == 0x80; p++) {
                }
            }
        }
        else if (c < 0x20) {
            return not_json(s, p);
        }
        else {
            p = skip_plain(p, end);
        }
    }
    if (s->collect && !name_add(s, from, (apr_size_t)(p - from))) {
        return rr_cut_fail(s, p, "name beyond RR_MAX_PATH");
    }
    return p;
}
