/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_regex.c: parses regular expressions that need no back-tracking.
 *
 * What is not understood to the letter is refused here and left to PCRE2, so
 * that both always agree (t/unit/test_cut_dfa.c compares them).
 *
 * Spec: pcre2pattern(3), in UTF mode with DOTALL and DOLLAR_ENDONLY; sets are
 *       ASCII without UCP, as PCRE2's are.
 */
#include "rr_cut_regex.h"

#include <string.h>

#define MAX_NEST 32 /* parentheses */

const unsigned char rr_regex_word[32] = {
    [6] = 0xff, 0x03, 0xfe, 0xff, 0xff, 0x87, 0xfe, 0xff, 0xff, 0x07, /* digits, letters, _ */
};

typedef struct parse_t {
    const unsigned char *p;
    int caseless;
    int nest;
    int failed; /* not understood */
    apr_pool_t *pool;
} parse_t;

static rr_regex_t *parse_alternation(parse_t *in);

static rr_regex_t *tree(parse_t *in, rr_regex_e kind, rr_regex_t *left, rr_regex_t *right)
{
    rr_regex_t *t = apr_pcalloc(in->pool, sizeof(*t));

    t->kind = kind;
    t->left = left;
    t->right = right;
    return t;
}

static rr_regex_t *unknown(parse_t *in)
{
    in->failed = 1;
    return tree(in, RR_REGEX_EMPTY, NULL, NULL);
}

static void set_range(unsigned char *set, int from, int to)
{
    for (; from <= to; from++) {
        set[from / 8] |= (unsigned char)(1 << from % 8);
    }
}

static rr_regex_t *range(parse_t *in, int from, int to)
{
    rr_regex_t *t = tree(in, RR_REGEX_SET, NULL, NULL);

    set_range(t->set, from, to);
    return t;
}

/* Any one character outside ASCII; paths are known to be UTF-8. */
static rr_regex_t *beyond_ascii(parse_t *in)
{
    rr_regex_t *tail1 = range(in, 0x80, 0xbf);
    rr_regex_t *tail2 = tree(in, RR_REGEX_CAT, range(in, 0x80, 0xbf), tail1);
    rr_regex_t *tail3 = tree(in, RR_REGEX_CAT, range(in, 0x80, 0xbf), tail2);

    return tree(in, RR_REGEX_ALT, tree(in, RR_REGEX_CAT, range(in, 0xc2, 0xdf), tail1),
                tree(in, RR_REGEX_ALT, tree(in, RR_REGEX_CAT, range(in, 0xe0, 0xef), tail2),
                     tree(in, RR_REGEX_CAT, range(in, 0xf0, 0xf4), tail3)));
}

/* The ASCII members of \d \w \s; 0 for any other letter. */
static int set_shorthand(unsigned char *set, int letter)
{
    int i;

    switch (letter) {
    case 'd':
        set_range(set, '0', '9');
        return 1;
    case 'w':
        for (i = 0; i < 32; i++) {
            set[i] |= rr_regex_word[i];
        }
        return 1;
    case 's':
        set_range(set, '\t', '\r');
        set_range(set, ' ', ' ');
        return 1;
    default:
        return 0;
    }
}

/* The character that backslash and letter stand for; -1: something else. */
static int escaped(int letter)
{
    switch (letter) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    default:
        return letter > ' ' && letter < 0x7f && !strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                                        letter)
                   ? letter
                   : -1;
    }
}

static rr_regex_t *complement(parse_t *in, const unsigned char *set)
{
    rr_regex_t *t = tree(in, RR_REGEX_SET, NULL, NULL);
    int i;

    for (i = 0; i < 16; i++) {
        t->set[i] = (unsigned char)~set[i];
    }
    return tree(in, RR_REGEX_ALT, t, beyond_ascii(in));
}

static rr_regex_t *bytes(parse_t *in, const char *text)
{
    rr_regex_t *t = range(in, (unsigned char)text[0], (unsigned char)text[0]);

    return text[1] ? tree(in, RR_REGEX_CAT, t, bytes(in, text + 1)) : t;
}

/* Adds the other case of every letter; in UTF mode k and s have a third one, outside ASCII. */
static rr_regex_t *fold(parse_t *in, rr_regex_t *t)
{
    int c, kelvin, long_s;

    if (!in->caseless) {
        return t;
    }
    for (c = 'a'; c <= 'z'; c++) {
        if (rr_regex_has(t->set, c) || rr_regex_has(t->set, c - 32)) {
            set_range(t->set, c, c);
            set_range(t->set, c - 32, c - 32);
        }
    }
    kelvin = rr_regex_has(t->set, 'k');
    long_s = rr_regex_has(t->set, 's');
    if (kelvin) {
        t = tree(in, RR_REGEX_ALT, t, bytes(in, "\xe2\x84\xaa"));
    }
    return long_s ? tree(in, RR_REGEX_ALT, t, bytes(in, "\xc5\xbf")) : t;
}

/* One end of a range in brackets; -1: a shorthand, taken into set; -2: not understood. */
static int class_member(parse_t *in, unsigned char *set)
{
    int c = *in->p++;

    if (c == '\\') {
        c = *in->p++;
        if (set_shorthand(set, c)) {
            return in->caseless ? -2 : -1;
        }
        c = escaped(c);
        return c < 0 ? -2 : c;
    }
    return c == 0 || c >= 0x80 || (c == '[' && strchr(":.=", *in->p)) ? -2 : c;
}

static rr_regex_t *parse_class(parse_t *in)
{
    rr_regex_t *t = tree(in, RR_REGEX_SET, NULL, NULL);
    int negated = *in->p == '^', first = 1, from, to;

    in->p += negated;
    for (; first || *in->p != ']'; first = 0) {
        from = class_member(in, t->set);
        if (from == -2) {
            return unknown(in);
        }
        if (from == -1) {
            if (*in->p == '-' && in->p[1] != ']') {
                return unknown(in);
            }
            continue;
        }
        to = from;
        if (*in->p == '-' && in->p[1] != ']') {
            in->p++;
            to = class_member(in, t->set);
            if (to < from) { /* PCRE2 refuses a range that runs backwards */
                return unknown(in);
            }
        }
        set_range(t->set, from, to);
    }
    in->p++;
    if (negated) {
        return in->caseless ? unknown(in) : complement(in, t->set);
    }
    return fold(in, t);
}

static rr_regex_t *parse_escape(parse_t *in)
{
    rr_regex_t *t = tree(in, RR_REGEX_SET, NULL, NULL);
    int letter = *in->p++, c;

    switch (letter) {
    case 'b':
        return tree(in, RR_REGEX_EDGE, NULL, NULL);
    case 'B':
        return tree(in, RR_REGEX_INSIDE, NULL, NULL);
    case 'A':
        return tree(in, RR_REGEX_BEGIN, NULL, NULL);
    case 'z':
        return tree(in, RR_REGEX_END, NULL, NULL);
    default:
        break;
    }
    if (set_shorthand(t->set, letter)) {
        return t;
    }
    if (letter == 'D' || letter == 'W' || letter == 'S') {
        set_shorthand(t->set, letter + 32);
        return complement(in, t->set);
    }
    c = escaped(letter);
    return c < 0 ? unknown(in) : range(in, c, c);
}

static rr_regex_t *parse_group(parse_t *in)
{
    rr_regex_t *t;

    if (*in->p == '*' || ++in->nest > MAX_NEST) {
        return unknown(in);
    }
    if (*in->p == '?') {
        if (in->p[1] != ':') {
            return unknown(in);
        }
        in->p += 2;
    }
    t = parse_alternation(in);
    if (*in->p != ')') {
        return unknown(in);
    }
    in->p++;
    in->nest--;
    return t;
}

static rr_regex_t *parse_atom(parse_t *in)
{
    unsigned char any[32] = { 0 };
    int c = *in->p++;

    switch (c) {
    case '^':
        return tree(in, RR_REGEX_BEGIN, NULL, NULL);
    case '$':
        return tree(in, RR_REGEX_END, NULL, NULL);
    case '.':
        return complement(in, any);
    case '(':
        return parse_group(in);
    case '[':
        return parse_class(in);
    case '\\':
        return parse_escape(in);
    case '*':
    case '+':
    case '?':
    case '{':
        return unknown(in);
    default:
        if (c >= 0x80 && in->caseless) {
            return unknown(in);
        }
        if (c >= 0x80) { /* the whole character, so that a quantifier takes all of it */
            rr_regex_t *t = range(in, c, c);

            for (; (*in->p & 0xc0) == 0x80; in->p++) {
                t = tree(in, RR_REGEX_CAT, t, range(in, *in->p, *in->p));
            }
            return t;
        }
        return fold(in, range(in, c, c));
    }
}

static int parse_number(parse_t *in)
{
    int n = 0;

    if (*in->p < '0' || *in->p > '9') {
        return -1;
    }
    for (; *in->p >= '0' && *in->p <= '9'; in->p++) {
        n = n > RR_REGEX_COPIES ? n : n * 10 + (*in->p - '0');
    }
    return n;
}

static rr_regex_t *parse_repeat(parse_t *in)
{
    rr_regex_t *t = parse_atom(in);
    int min, max;

    while (!in->failed && *in->p && strchr("*+?{", *in->p)) {
        if (t->kind >= RR_REGEX_BEGIN) { /* takes nothing, so repeats nothing */
            return unknown(in);
        }
        min = *in->p == '+';
        max = *in->p == '?' ? 1 : -1;
        if (*in->p++ == '{') {
            min = max = parse_number(in);
            if (min >= 0 && *in->p == ',') {
                in->p++;
                max = *in->p == '}' ? -1 : parse_number(in);
            }
            if (min < 0 || min > RR_REGEX_COPIES || max < -1 || max > RR_REGEX_COPIES ||
                (max >= 0 && max < min) || *in->p != '}') {
                return unknown(in);
            }
            in->p++;
        }
        if (*in->p == '+') { /* possessive: gives nothing back */
            return unknown(in);
        }
        in->p += *in->p == '?'; /* lazy: the same paths match */
        t = tree(in, RR_REGEX_REPEAT, t, NULL);
        t->min = min;
        t->max = max;
    }
    return t;
}

static rr_regex_t *parse_sequence(parse_t *in)
{
    rr_regex_t *t = NULL, *next;

    while (!in->failed && *in->p && *in->p != '|' && *in->p != ')') {
        next = parse_repeat(in);
        t = t ? tree(in, RR_REGEX_CAT, t, next) : next;
    }
    return t ? t : tree(in, RR_REGEX_EMPTY, NULL, NULL);
}

static rr_regex_t *parse_alternation(parse_t *in)
{
    rr_regex_t *t = parse_sequence(in);

    while (!in->failed && *in->p == '|') {
        in->p++;
        t = tree(in, RR_REGEX_ALT, t, parse_sequence(in));
    }
    return t;
}

const rr_regex_t *rr_regex_parse(const char *text, int caseless, apr_pool_t *pool)
{
    parse_t in = { .p = (const unsigned char *)text, .caseless = caseless, .pool = pool };
    rr_regex_t *t = parse_alternation(&in);

    return in.failed || *in.p ? NULL : t;
}
