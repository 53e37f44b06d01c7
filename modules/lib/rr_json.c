/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_json.c: typed reads of parsed values, and values and text back to JSON.
 *
 * Threads: any; values are never changed after rr_json_parse.
 * Spec:    RFC 8259; RFC 6901 (JSON pointer).
 */
#include "rr_json_private.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* ---- reads ---- */

rr_json_kind_e rr_json_kind(const rr_json_t *value)
{
    return value ? value->kind : RR_JSON_NONE;
}

static int is_named(const rr_json_t *item, const char *name, apr_size_t len)
{
    return item->name_len == len && (!len || (item->name[0] == name[0] && !memcmp(item->name, name, len)));
}

static const rr_json_t *member(const rr_json_t *object, const char *name, apr_size_t len)
{
    apr_size_t i;

    if (rr_json_kind(object) != RR_JSON_OBJECT) {
        return NULL;
    }
    for (i = 0; i < object->size; i++) {
        const rr_json_t *item = &object->u.items[i];

        if (is_named(item, name, len)) {
            return item;
        }
    }
    return NULL;
}

const rr_json_t *rr_json_member(const rr_json_t *object, const char *name)
{
    return member(object, name, strlen(name));
}

/* Whether a pointer's segment, in which ~1 is '/' and ~0 is '~', names item. */
static int segment_names(const char *segment, apr_size_t len, const rr_json_t *item)
{
    apr_size_t from, to = 0;

    for (from = 0; from < len; from++, to++) {
        char c = segment[from];

        if (c == '~') {
            if (++from == len || (segment[from] != '0' && segment[from] != '1')) {
                return 0;
            }
            c = segment[from] == '0' ? '~' : '/';
        }
        if (to >= item->name_len || item->name[to] != c) {
            return 0;
        }
    }
    return to == item->name_len;
}

static const rr_json_t *step(const rr_json_t *value, const char *segment, apr_size_t len)
{
    apr_size_t i, index = 0;

    if (rr_json_kind(value) == RR_JSON_OBJECT) {
        for (i = 0; i < value->size; i++) {
            if (segment_names(segment, len, &value->u.items[i])) {
                return &value->u.items[i];
            }
        }
        return NULL;
    }
    if (!len || len > 9 || (segment[0] == '0' && len > 1)) {
        return NULL;
    }
    for (i = 0; i < len; i++) {
        if (segment[i] < '0' || segment[i] > '9') {
            return NULL;
        }
        index = index * 10 + (apr_size_t)(segment[i] - '0');
    }
    return rr_json_element(value, index);
}

const rr_json_t *rr_json_at(const rr_json_t *object, const char *path)
{
    const rr_json_t *value = rr_json_member(object, path);
    const char separator[] = { *path == '/' ? '/' : '.', '\0' };

    if (value) {
        return value;
    }
    for (value = object; value && path; ) {
        apr_size_t len;

        path += *separator == '/';
        len = strcspn(path, separator);
        value = *separator == '/' ? step(value, path, len) : member(value, path, len);
        path = !path[len] ? NULL : path + len + (*separator == '.');
    }
    return value;
}

const char *rr_json_string(const rr_json_t *value)
{
    return rr_json_kind(value) == RR_JSON_STRING ? value->u.text : NULL;
}

#define SURE_DIGITS 18 /* that int64 holds whatever they are */

/* Digits before the point and the exponent together say how many digits of the mantissa are the integer. */
static int read_int(const rr_json_t *value, apr_int64_t *pnumber)
{
    const char *at, *end, *digits;
    apr_int64_t shift = 0, number = 0, whole = 0, i;
    int exponent_sign = 1, negative, in_fraction = 0;

    at = value->u.text;
    end = at + value->size;
    negative = *at == '-';
    digits = at += negative;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        in_fraction |= *at == '.';
        whole += !in_fraction;
    }
    if (at < end) {
        const char *exponent = at + 1;

        exponent_sign = *exponent == '-' ? -1 : 1;
        exponent += *exponent == '-' || *exponent == '+';
        for (; exponent < end; exponent++) {
            shift = shift > APR_INT32_MAX ? shift : shift * 10 + (*exponent - '0');
        }
    }
    whole += exponent_sign * shift;
    for (i = 0; i < whole; i++) {
        int digit;

        digits += digits < at && *digits == '.';
        if (digits == at && !number) {
            break; /* zeros without end */
        }
        digit = digits < at ? *digits++ - '0' : 0;
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_sub_overflow(number, digit, &number)) {
            return 0;
        }
    }
    if (!negative && number == APR_INT64_MIN) {
        return 0;
    }
    *pnumber = negative ? number : -number;
    return 1;
}

int rr_json_int(const rr_json_t *value, apr_int64_t *pnumber)
{
    apr_int64_t number = 0;
    apr_size_t i;

    if (rr_json_kind(value) != RR_JSON_NUMBER) {
        return 0;
    }
    if (value->size > SURE_DIGITS) {
        return read_int(value, pnumber);
    }
    for (i = 0; i < value->size; i++) {
        unsigned int digit = (unsigned char)value->u.text[i] - (unsigned int)'0';

        if (digit > 9) {
            return read_int(value, pnumber);
        }
        number = number * 10 + digit;
    }
    *pnumber = number;
    return 1;
}

int rr_json_whole(const rr_json_t *value, apr_int64_t *pnumber)
{
    apr_size_t i;

    for (i = 0; rr_json_kind(value) == RR_JSON_NUMBER && i < value->size; i++) {
        if (value->u.text[i] != '-' && !apr_isdigit(value->u.text[i])) {
            return 0;
        }
    }
    return rr_json_int(value, pnumber);
}

int rr_json_is_true(const rr_json_t *value)
{
    return rr_json_kind(value) == RR_JSON_BOOL && value->is_true;
}

apr_size_t rr_json_size(const rr_json_t *value)
{
    rr_json_kind_e kind = rr_json_kind(value);

    return kind == RR_JSON_ARRAY || kind == RR_JSON_OBJECT ? value->size : 0;
}

const rr_json_t *rr_json_element(const rr_json_t *array, apr_size_t index)
{
    return rr_json_kind(array) == RR_JSON_ARRAY && index < array->size ? &array->u.items[index] : NULL;
}

void rr_json_members(const rr_json_t *object, int (*visit)(void *baton, const char *name, const rr_json_t *value),
                     void *baton)
{
    apr_size_t i;

    if (rr_json_kind(object) != RR_JSON_OBJECT) {
        return;
    }
    for (i = 0; i < object->size && visit(baton, object->u.items[i].name, &object->u.items[i]); i++) {
    }
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void add_words(apr_array_header_t *words, apr_pool_t *p, const char *text)
{
    while (words->nelts < RR_MAX_SCOPES) {
        const char *begin;

        while (is_blank(*text)) {
            text++;
        }
        for (begin = text; (unsigned char)*text > ' ' || (*text && !is_blank(*text)); text++) {
        }
        if (text == begin) {
            return;
        }
        APR_ARRAY_PUSH(words, const char *) = apr_pstrmemdup(p, begin, (apr_size_t)(text - begin));
    }
}

/* An array's strings are split at blanks too: joined for a header, such a word would read as two. */
apr_array_header_t *rr_json_words(apr_pool_t *p, const rr_json_t *value)
{
    apr_array_header_t *words = apr_array_make(p, 8, sizeof(const char *));
    apr_size_t i;

    if (rr_json_string(value)) {
        add_words(words, p, rr_json_string(value));
    }
    for (i = 0; rr_json_kind(value) == RR_JSON_ARRAY && i < value->size; i++) {
        const char *word = rr_json_string(&value->u.items[i]);

        if (word) {
            add_words(words, p, word);
        }
    }
    return words;
}

/* ---- into one block ---- */

/* Recursion ends at RR_MAX_JSON_DEPTH: values come from the parser only. */
static void measure(apr_size_t *pnodes, apr_size_t *ptext, const rr_json_t *value)
{
    apr_size_t i;

    *ptext += value->name ? value->name_len + 1 : 0;
    if (value->kind == RR_JSON_STRING || value->kind == RR_JSON_NUMBER) {
        *ptext += value->size + 1;
    }
    for (i = 0; i < rr_json_size(value); i++) {
        ++*pnodes;
        measure(pnodes, ptext, &value->u.items[i]);
    }
}

apr_size_t rr_json_packed_size(const rr_json_t *value)
{
    apr_size_t nodes = 1, text = 0;

    measure(&nodes, &text, value);
    return nodes * sizeof(rr_json_t) + text;
}

/* Values go to the block's begin, texts to its end: where each of them meets the other need not be known. */
typedef struct pack_t {
    rr_json_t *node; /* where the next value goes */
    char *text;      /* where the last text went */
} pack_t;

static const char *pack_text(pack_t *pack, const char *text, apr_size_t len)
{
    char *to = pack->text - len - 1;

    memcpy(to, text, len);
    to[len] = '\0';
    return pack->text = to;
}

/* As deep as measure. */
static void pack_value(pack_t *pack, rr_json_t *to, const rr_json_t *from)
{
    rr_json_t *items;
    apr_size_t i;

    *to = *from;
    if (from->name) {
        to->name = pack_text(pack, from->name, from->name_len);
    }
    if (from->kind == RR_JSON_STRING || from->kind == RR_JSON_NUMBER) {
        to->u.text = pack_text(pack, from->u.text, from->size);
    }
    if (from->kind == RR_JSON_ARRAY || from->kind == RR_JSON_OBJECT) {
        to->u.items = items = pack->node;
        pack->node += from->size;
        for (i = 0; i < from->size; i++) {
            pack_value(pack, &items[i], &from->u.items[i]);
        }
    }
}

const rr_json_t *rr_json_pack(void *block, apr_size_t size, const rr_json_t *value)
{
    pack_t pack = { (rr_json_t *)block + 1, (char *)block + size };

    pack_value(&pack, block, value);
    return block;
}

/* ---- back to text ---- */

typedef struct text_t {
    char *bytes;
    apr_size_t len, room;
    apr_pool_t *p;
} text_t;

static void add(text_t *text, const char *bytes, apr_size_t len)
{
    if (text->room - text->len <= len) {
        char *wider;

        text->room = (text->len + len) * 2 + 64;
        wider = apr_palloc(text->p, text->room);
        if (text->len) {
            memcpy(wider, text->bytes, text->len);
        }
        text->bytes = wider;
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

/* What stands in a string as it is, a character by itself: ASCII without controls, '"' and '\\'. */
static const char plain[256] = { [0x20 ... '"' - 1] = 1, ['"' + 1 ... '\\' - 1] = 1, ['\\' + 1 ... 0x7f] = 1 };

/* The length of from's beginning that stands in a string as it is. */
static apr_size_t plain_len(const char *from, apr_size_t len)
{
    apr_size_t run = 0;

    while (run < len && plain[(unsigned char)from[run]]) {
        run++;
    }
    return run;
}

#define CHARACTER_MAX 6 /* bytes of put_character's out */

/* The character at from as it stands in a string; how many bytes that is. *pread bytes of from are it. */
static apr_size_t put_character(char *out, apr_size_t *pread, const char *from, apr_size_t left)
{
    static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt", digits[] = "0123456789abcdef";
    unsigned char c = (unsigned char)*from;
    const char *simple = c ? strchr(escaped, c) : NULL;
    apr_size_t len = c < 0x20 || simple ? 0 : rr_json_utf8(from, left);

    *pread = len ? len : 1;
    if (len) {
        memcpy(out, from, len);
        return len;
    }
    if (simple) {
        out[0] = '\\';
        out[1] = letters[simple - escaped];
        return 2;
    }
    if (c < 0x20) {
        memcpy(out, "\\u00", 4);
        out[4] = digits[c >> 4];
        out[5] = digits[c & 15];
        return 6;
    }
    memcpy(out, "\xef\xbf\xbd", 3);
    return 3;
}

static void add_quoted(text_t *text, const char *from, apr_size_t len)
{
    char character[CHARACTER_MAX];
    apr_size_t at = 0, run, read;

    add(text, "\"", 1);
    while (at < len) {
        run = plain_len(from + at, len - at);
        add(text, from + at, run);
        at += run;
        if (at < len) {
            add(text, character, put_character(character, &read, from + at, len - at));
            at += read;
        }
    }
    add(text, "\"", 1);
}

/* Recursion ends at RR_MAX_JSON_DEPTH: values come from the parser only. */
static void add_value(text_t *text, const rr_json_t *value)
{
    apr_size_t i;

    switch (value->kind) {
    case RR_JSON_STRING:
        add_quoted(text, value->u.text, value->size);
        return;
    case RR_JSON_NUMBER:
        add(text, value->u.text, value->size);
        return;
    case RR_JSON_BOOL:
        add(text, value->is_true ? "true" : "false", value->is_true ? 4 : 5);
        return;
    case RR_JSON_ARRAY:
    case RR_JSON_OBJECT:
        break;
    default:
        add(text, "null", 4);
        return;
    }
    add(text, value->kind == RR_JSON_OBJECT ? "{" : "[", 1);
    for (i = 0; i < value->size; i++) {
        const rr_json_t *item = &value->u.items[i];

        if (i) {
            add(text, ",", 1);
        }
        if (item->name) {
            add_quoted(text, item->name, item->name_len);
            add(text, ":", 1);
        }
        add_value(text, item);
    }
    add(text, value->kind == RR_JSON_OBJECT ? "}" : "]", 1);
}

const char *rr_json_scalar(apr_pool_t *p, const rr_json_t *value)
{
    switch (rr_json_kind(value)) {
    case RR_JSON_STRING:
        return value->u.text;
    case RR_JSON_NUMBER:
        return apr_pstrmemdup(p, value->u.text, value->size);
    case RR_JSON_BOOL:
        return value->is_true ? "true" : "false";
    default:
        return NULL;
    }
}

const char *rr_json_print(apr_pool_t *p, const rr_json_t *value)
{
    text_t text = { .p = p };

    if (!value) {
        return "null";
    }
    add_value(&text, value);
    return text.bytes;
}

const char *rr_json_quote(apr_pool_t *p, const char *from, apr_size_t max)
{
    text_t text = { .p = p };
    apr_size_t len = strnlen(from, max), border = len;

    /* a sequence that the cut went through is dropped; one that is broken anyway is not */
    if (len == max && from[len]) {
        while (border && len - border < 3 && ((unsigned char)from[border] & 0xc0) == 0x80) {
            border--;
        }
        if (border < len && rr_json_utf8(from + border, strlen(from + border)) > len - border) {
            len = border;
        }
    }
    add_quoted(&text, from, len);
    return text.bytes;
}

apr_size_t rr_json_quote_into(char *to, apr_size_t room, const char *text, apr_size_t len)
{
    char character[CHARACTER_MAX];
    apr_size_t out = 0, at = 0, read, wide;

    if (room < 2) {
        return 0;
    }
    to[out++] = '"';
    for (;;) {
        wide = plain_len(text + at, len - at < room - 1 - out ? len - at : room - 1 - out);
        memcpy(to + out, text + at, wide);
        out += wide;
        at += wide;
        if (at == len || (wide = put_character(character, &read, text + at, len - at)) > room - 1 - out) {
            break;
        }
        memcpy(to + out, character, wide);
        out += wide;
        at += read;
    }
    to[out++] = '"';
    return out;
}
