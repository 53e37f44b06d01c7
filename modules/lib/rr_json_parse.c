/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_json_parse.c: JSON text to values in a pool.
 *
 * Our own, because a token's header and payload are parsed on every request:
 * a general library that allocates per value costs more there than everything
 * else but the signature. The text is copied once and unescaped in place;
 * values of an open container wait on a stack and move to the pool, side by
 * side, when it closes. Nothing recurses.
 *
 * Threads: any; no state outlives a call.
 * Spec:    RFC 8259; RFC 3629 (UTF-8).
 */
#include "rr_json_private.h"

#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define PAIRWISE 64 /* members up to which duplicates are looked for in pairs, without sorting */

typedef struct frame_t {
    apr_size_t first;      /* its values on the stack begin here */
    const char *name;      /* the container's own name in the one around it */
    apr_uint32_t name_len;
    rr_json_kind_e kind;
} frame_t;

typedef struct parser_t {
    char *begin, *at, *end; /* writable text; *end is NUL */
    apr_pool_t *p;          /* NULL: build nothing */
    rr_json_t *stack;       /* values of open containers */
    rr_json_t *heap;        /* the stack once it has grown; NULL: it has not. Not of the pool, where every size would stay */
    apr_size_t used, room;
    int is_few;             /* the stack does not grow */
    frame_t *frames;        /* RR_MAX_JSON_DEPTH of them */
    int depth;
    const char *name;       /* of the member whose value is read */
    apr_uint32_t name_len;
    const char *look_for;   /* a member of the outermost object; NULL: none */
    int found;
    const char *why;        /* what is wrong at `at` */
} parser_t;

/* Bytes that stand for themselves in a string. */
static const char plain[256] = { [0x20 ... 0x21] = 1, [0x23 ... 0x5b] = 1, [0x5d ... 0x7f] = 1 };

static int fail(parser_t *ps, char *at, const char *why)
{
    ps->at = at;
    ps->why = why;
    return 0;
}

apr_size_t rr_json_utf8(const char *text, apr_size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_size_t n, i;

    if (!left) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    n = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    if (!n || left < n) {
        return 0;
    }
    /* overlong forms, surrogates, and past U+10FFFF */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90)
        || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    for (i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

static void skip_blanks(parser_t *ps)
{
    while ((unsigned char)*ps->at <= ' ' && (*ps->at == ' ' || *ps->at == '\t' || *ps->at == '\n' || *ps->at == '\r')) {
        ps->at++;
    }
}

/* Four hexadecimal digits as a number; -1 where they are not. */
static int read_hex4(const char *s)
{
    int value = 0, i;

    for (i = 0; i < 4; i++) {
        char c = s[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

        if (digit < 0) {
            return -1; /* also the NUL at the end: nothing is read past it */
        }
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, unsigned int code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* The escape whose backslash *pfrom points at, written to *pto, which is never ahead of it. */
static int read_escape(parser_t *ps, char **pfrom, char **pto)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char *from = *pfrom;
    const char *simple;
    int code, low;

    if (from[1] != 'u') {
        simple = from[1] ? strchr(names, from[1]) : NULL;
        if (!simple) {
            return fail(ps, from, "an unknown escape");
        }
        *(*pto)++ = values[simple - names];
        *pfrom = from + 2;
        return 1;
    }
    code = read_hex4(from + 2);
    if (code < 0) {
        return fail(ps, from, "an unknown escape");
    }
    if (code == 0) {
        return fail(ps, from, "\\u0000");
    }
    *pfrom = from + 6;
    if (code >= 0xd800 && code <= 0xdfff) {
        low = code < 0xdc00 && from[6] == '\\' && from[7] == 'u' ? read_hex4(from + 8) : -1;
        if (low < 0xdc00 || low > 0xdfff) {
            return fail(ps, from, "half a surrogate pair");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *pfrom = from + 12;
    }
    *pto = put_utf8(*pto, (unsigned int)code);
    return 1;
}

/* A string from at on, where something stands that is not plain, unescaped in place: its end, or NULL. *pend: the closing quote. */
static char *unescape(parser_t *ps, char *at, char **pend)
{
    char *from = at, *to = at;

    *pend = NULL;
    while (*from != '"') {
        unsigned char c = (unsigned char)*from;
        apr_size_t n;

        if (plain[c]) {
            *to++ = *from++;
        } else if (c == '\\') {
            if (!read_escape(ps, &from, &to)) {
                return NULL;
            }
        } else if (c < 0x80) {
            fail(ps, from, from == ps->end ? "the string does not end" : "a control character in a string");
            return NULL;
        } else {
            n = rr_json_utf8(from, (apr_size_t)(ps->end - from));
            if (!n) {
                fail(ps, from, "not UTF-8");
                return NULL;
            }
            while (n--) {
                *to++ = *from++;
            }
        }
    }
    *pend = from;
    return to;
}

/* The string whose opening quote is at ps->at. */
static int read_string(parser_t *ps, const char **ptext, apr_uint32_t *plen)
{
    char *begin = ps->at + 1, *to = begin, *end;

    while (plain[(unsigned char)*to]) {
        to++;
    }
    end = to;
    if (*to != '"' && !(to = unescape(ps, to, &end))) {
        return 0;
    }
    *to = '\0'; /* at the closing quote or before it */
    *ptext = begin;
    *plen = (apr_uint32_t)(to - begin);
    ps->at = end + 1;
    return 1;
}

static char *skip_digits(char *at)
{
    while (*at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

static int read_number(parser_t *ps, rr_json_t *value)
{
    char *begin = ps->at, *at = begin + (*begin == '-'), *digits = at;

    at = skip_digits(at);
    if (at == digits || (*digits == '0' && at > digits + 1)) {
        return fail(ps, begin, "not a value");
    }
    if (*at == '.') {
        digits = ++at;
        at = skip_digits(at);
        if (at == digits) {
            return fail(ps, begin, "not a number");
        }
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        digits = at;
        at = skip_digits(at);
        if (at == digits) {
            return fail(ps, begin, "not a number");
        }
    }
    value->kind = RR_JSON_NUMBER;
    value->u.text = begin;
    value->size = (apr_uint32_t)(at - begin);
    ps->at = at;
    return 1;
}

static int read_scalar(parser_t *ps, rr_json_t *value)
{
    static const struct {
        const char *word;
        apr_size_t len;
        rr_json_kind_e kind;
        int is_true;
    } words[] = { { "true", 4, RR_JSON_BOOL, 1 }, { "false", 5, RR_JSON_BOOL, 0 }, { "null", 4, RR_JSON_NULL, 0 } };
    apr_size_t i;

    if (*ps->at == '"') {
        value->kind = RR_JSON_STRING;
        return read_string(ps, &value->u.text, &value->size);
    }
    for (i = 0; *ps->at >= 'f' && i < sizeof(words) / sizeof(words[0]); i++) { /* no number begins so */
        if (!strncmp(ps->at, words[i].word, words[i].len)) {
            value->kind = words[i].kind;
            value->is_true = words[i].is_true;
            ps->at += words[i].len;
            return 1;
        }
    }
    return read_number(ps, value);
}

/* Makes room for more values on the stack. */
static int widen(parser_t *ps)
{
    rr_json_t *wider = !ps->is_few ? realloc(ps->heap, sizeof(*wider) * ps->room * 2) : NULL;

    if (!wider) {
        return fail(ps, ps->at, "more values than can be looked at");
    }
    if (!ps->heap) {
        memcpy(wider, ps->stack, sizeof(*wider) * ps->used);
    }
    ps->stack = ps->heap = wider;
    ps->room *= 2;
    return 1;
}

/* The value at ps->at, which is no container, onto the stack. */
static int push_scalar(parser_t *ps)
{
    rr_json_t *slot;

    if (ps->used == ps->room && !widen(ps)) {
        return 0;
    }
    slot = &ps->stack[ps->used++];
    *slot = (rr_json_t){ .name = ps->name, .name_len = ps->name_len };
    return read_scalar(ps, slot);
}

static int same_name(const rr_json_t *a, const rr_json_t *b)
{
    return a->name_len == b->name_len && !memcmp(a->name, b->name, a->name_len);
}

static int compare_names(const void *a, const void *b)
{
    const rr_json_t *left = *(const rr_json_t *const *)a, *right = *(const rr_json_t *const *)b;

    return strcmp(left->name, right->name); /* no NUL inside: \u0000 is refused */
}

/* One of 64 bits, the same for equal names and mostly another for others. */
static apr_uint64_t bit_of(const rr_json_t *member)
{
    unsigned int hash = member->name_len;

    if (hash) {
        hash += (unsigned char)member->name[0] * 7u + (unsigned char)member->name[member->name_len - 1] * 29u;
    }
    return APR_UINT64_C(1) << (hash & 63);
}

/* Compares a name with those before it only where one of them has its bit. */
static int has_duplicates_of_few(const rr_json_t *members, apr_size_t count)
{
    apr_uint64_t bits = 0, bit;
    apr_size_t i, j;

    for (i = 0; i < count; i++, bits |= bit) {
        bit = bit_of(&members[i]);
        for (j = bits & bit ? 0 : i; j < i; j++) {
            if (same_name(&members[i], &members[j])) {
                return 1;
            }
        }
    }
    return 0;
}

static int has_duplicates(const parser_t *ps, const rr_json_t *members, apr_size_t count)
{
    const rr_json_t **sorted;
    apr_pool_t *scratch;
    apr_size_t i;
    int found = 0;

    if (count <= PAIRWISE || !ps->p) {
        return has_duplicates_of_few(members, count);
    }
    if (apr_pool_create(&scratch, ps->p) != APR_SUCCESS) {
        return 1;
    }
    sorted = apr_palloc(scratch, sizeof(*sorted) * count);
    for (i = 0; i < count; i++) {
        sorted[i] = &members[i];
    }
    qsort(sorted, count, sizeof(*sorted), compare_names);
    for (i = 1; i < count && !found; i++) {
        found = same_name(sorted[i - 1], sorted[i]);
    }
    apr_pool_destroy(scratch);
    return found;
}

static int open_container(parser_t *ps)
{
    frame_t *frame;

    if (ps->depth == RR_MAX_JSON_DEPTH) {
        return fail(ps, ps->at, "nested too deeply");
    }
    frame = &ps->frames[ps->depth++];
    frame->kind = *ps->at == '{' ? RR_JSON_OBJECT : RR_JSON_ARRAY;
    frame->first = ps->used;
    frame->name = ps->name;
    frame->name_len = ps->name_len;
    ps->at++;
    return 1;
}

/* The innermost container has ended: its values leave the stack, itself comes onto it. */
static int close_container(parser_t *ps)
{
    const frame_t *frame = &ps->frames[--ps->depth];
    apr_size_t count = ps->used - frame->first, i;
    rr_json_t *values = ps->stack + frame->first;
    const rr_json_t *items = NULL;

    if (frame->kind == RR_JSON_OBJECT && has_duplicates(ps, values, count)) {
        return fail(ps, ps->at, "a member name twice in the object that ends here");
    }
    if (ps->p) {
        items = apr_pmemdup(ps->p, values, sizeof(*values) * count);
    } else if (ps->look_for && !ps->depth && frame->kind == RR_JSON_OBJECT) {
        for (i = 0; i < count; i++) {
            ps->found |= !strcmp(values[i].name, ps->look_for);
        }
    }
    if (!count && ps->used == ps->room && !widen(ps)) {
        return 0;
    }
    ps->used = frame->first;
    ps->stack[ps->used++] = (rr_json_t){ .kind = frame->kind, .size = (apr_uint32_t)count, .u.items = items,
                                         .name = frame->name, .name_len = frame->name_len };
    ps->at++;
    return 1;
}

/* In an object: the next member's name and its colon. In an array or outside: nothing. */
static int read_name(parser_t *ps)
{
    ps->name = NULL;
    ps->name_len = 0;
    if (!ps->depth || ps->frames[ps->depth - 1].kind != RR_JSON_OBJECT) {
        return 1;
    }
    skip_blanks(ps);
    if (*ps->at != '"') {
        return fail(ps, ps->at, "a member name is missing");
    }
    if (!read_string(ps, &ps->name, &ps->name_len)) {
        return 0;
    }
    skip_blanks(ps);
    if (*ps->at != ':') {
        return fail(ps, ps->at, "':' is missing");
    }
    ps->at++;
    return 1;
}

static char closing(const parser_t *ps)
{
    return ps->frames[ps->depth - 1].kind == RR_JSON_OBJECT ? '}' : ']';
}

/* After a value: closes what ends here. *more: another value follows; else the text's one value is complete. */
static int read_after(parser_t *ps, int *more)
{
    for (*more = 0; ps->depth;) {
        skip_blanks(ps);
        if (*ps->at == ',') {
            ps->at++;
            *more = 1;
            return read_name(ps);
        }
        if (*ps->at != closing(ps)) {
            return fail(ps, ps->at, ps->at == ps->end ? "the text ends too early" : "',' or an end is missing");
        }
        if (!close_container(ps)) {
            return 0;
        }
    }
    return 1;
}

static int read_text(parser_t *ps)
{
    int more = 1;

    while (more) {
        skip_blanks(ps);
        if (*ps->at == '{' || *ps->at == '[') {
            if (!open_container(ps)) {
                return 0;
            }
            skip_blanks(ps);
            if (*ps->at != closing(ps)) {
                if (!read_name(ps)) {
                    return 0;
                }
                continue;
            }
            if (!close_container(ps)) {
                return 0;
            }
        } else if (!push_scalar(ps)) {
            return 0;
        }
        if (!read_after(ps, &more)) {
            return 0;
        }
    }
    skip_blanks(ps);
    return ps->at == ps->end || fail(ps, ps->at, "something after the value");
}

/* text is overwritten, and the value's. */
static apr_status_t parse_in_place(const rr_json_t **pvalue, char *text, apr_size_t len, int is_few, apr_pool_t *p,
                                   rr_err_t *err)
{
    rr_json_t first[RR_JSON_LOOK_VALUES];
    frame_t frames[RR_MAX_JSON_DEPTH];
    parser_t ps = { .begin = text, .at = text, .end = text + len, .p = p, .stack = first, .room = RR_JSON_LOOK_VALUES,
                    .is_few = is_few, .frames = frames };
    int good = read_text(&ps);

    *pvalue = NULL;
    if (good) {
        *pvalue = apr_pmemdup(p, &ps.stack[0], sizeof(ps.stack[0]));
    }
    free(ps.heap);
    return good ? APR_SUCCESS
                : rr_err_set(err, RR_EINVAL, NULL, "not the JSON we accept: %s, at byte %" APR_SIZE_T_FMT, ps.why,
                             (apr_size_t)(ps.at - ps.begin));
}

apr_status_t rr_json_parse(const rr_json_t **pvalue, const char *text, apr_size_t len, apr_pool_t *p, rr_err_t *err)
{
    *pvalue = NULL;
    if (len > APR_INT32_MAX) {
        return rr_err_set(err, RR_EINVAL, NULL, "the JSON text is too long");
    }
    return parse_in_place(pvalue, apr_pstrmemdup(p, text, len), len, 0, p, err);
}

static apr_status_t demand_object(const rr_json_t **pvalue, apr_status_t rv, rr_err_t *err)
{
    if (rv == APR_SUCCESS && (*pvalue)->kind != RR_JSON_OBJECT) {
        *pvalue = NULL;
        return rr_err_set(err, RR_EINVAL, NULL, "the JSON text is not an object");
    }
    return rv;
}

apr_status_t rr_json_parse_object(const rr_json_t **pvalue, const char *text, apr_size_t len, apr_pool_t *p,
                                  rr_err_t *err)
{
    return demand_object(pvalue, rr_json_parse(pvalue, text, len, p, err), err);
}

apr_status_t rr_json_parse_few(const rr_json_t **pvalue, char *text, apr_size_t len, apr_pool_t *p, rr_err_t *err)
{
    text[len] = '\0';
    return demand_object(pvalue, parse_in_place(pvalue, text, len, 1, p, err), err);
}

int rr_json_look(char *text, apr_size_t len, const char *name)
{
    rr_json_t values[RR_JSON_LOOK_VALUES];
    frame_t frames[RR_MAX_JSON_DEPTH];
    parser_t ps = { .begin = text, .at = text, .end = text + len, .stack = values, .room = RR_JSON_LOOK_VALUES,
                    .is_few = 1, .frames = frames, .look_for = name };

    text[len] = '\0';
    return read_text(&ps) && ps.found;
}
