/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_json.c: what is JSON to us and what is not, reads by path, numbers, and
 * the way back to text.
 */
#include "rr_json.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <unistd.h>

static apr_pool_t *pool;

static const rr_json_t *parse(const char *text)
{
    const rr_json_t *value;
    rr_err_t err = RR_ERR_INIT;

    if (rr_json_parse(&value, text, strlen(text), pool, &err) != APR_SUCCESS) {
        printf("# %s\n", err.text);
    }
    return value;
}

static void accepted(void)
{
    static const struct {
        const char *name, *text, *printed; /* printed NULL: as text */
    } cases[] = {
        { "object", "{\"a\":1,\"b\":[true,false,null],\"c\":{}}", NULL },
        { "empty array", "[]", NULL },
        { "string", "\"x\"", NULL },
        { "number alone", "-0.5e+10", NULL },
        { "literal alone", "null", NULL },
        { "blanks of every kind", " \t\r\n[ 1 , 2 ]\n", "[1,2]" },
        { "order is kept", "{\"z\":1,\"a\":2}", NULL },
        { "number past 64 bits", "[18446744073709551616,1e999,0.1000]", NULL },
        { "escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\"", "\"\\\"\\\\/\\b\\f\\n\\r\\tA\xc3\xa9\xe2\x82\xac\"" },
        { "surrogate pair", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
        { "control character escaped", "\"\\u001f\"", NULL },
        { "UTF-8 of every length", "\"\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", NULL },
        { "DEL", "\"\x7f\"", NULL },
        { "the same name in two objects", "[{\"a\":1},{\"a\":{\"a\":2}}]", NULL },
        { "a name that begins as another", "{\"a\":1,\"ab\":2}", NULL },
        { "names that are told apart in the middle", "{\"abc\":1,\"axc\":2,\"ac\":3,\"a-c\":4}", NULL },
        { "empty name", "{\"\":1}", NULL },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const rr_json_t *value = parse(cases[i].text);

        is_str(value ? rr_json_print(pool, value) : NULL, cases[i].printed ? cases[i].printed : cases[i].text,
               cases[i].name);
    }
}

static void refused(void)
{
    static const struct {
        const char *name, *text;
        int at; /* the byte that err names */
    } cases[] = {
        { "nothing", "", 0 },
        { "blanks", "  ", 2 },
        { "two values", "1 2", 2 },
        { "comma behind", "[1,]", 3 },
        { "comma behind a member", "{\"a\":1,}", 7 },
        { "no comma", "[1 2]", 3 },
        { "no colon", "{\"a\" 1}", 5 },
        { "name without quotes", "{a:1}", 1 },
        { "single quotes", "{'a':1}", 1 },
        { "array not ended", "[1", 2 },
        { "object not ended", "{\"a\":1", 6 },
        { "wrong end", "[1}", 2 },
        { "wrong end of an object", "{\"a\":1]", 6 },
        { "end without a beginning", "]", 0 },
        { "string not ended", "\"abc", 4 },
        { "escape not ended", "\"\\", 1 },
        { "unknown escape", "\"\\x41\"", 1 },
        { "\\u with three digits", "\"\\u123\"", 1 },
        { "\\u0000", "\"a\\u0000\"", 2 },
        { "\\u0000 in a name", "{\"\\u0000\":1}", 2 },
        { "high surrogate alone", "\"\\ud800\"", 1 },
        { "high surrogate and a letter", "\"\\ud800\\u0041\"", 1 },
        { "low surrogate alone", "\"\\udc00\"", 1 },
        { "raw newline", "\"a\nb\"", 2 },
        { "stray continuation", "\"\x80\"", 1 },
        { "overlong two", "\"\xc1\xbf\"", 1 },
        { "overlong three", "\"\xe0\x9f\xbf\"", 1 },
        { "overlong four", "\"\xf0\x8f\xbf\xbf\"", 1 },
        { "surrogate in UTF-8", "\"\xed\xa0\x80\"", 1 },
        { "past U+10FFFF", "\"\xf4\x90\x80\x80\"", 1 },
        { "0xfe", "\"\xfe\"", 1 },
        { "sequence cut by the end", "\"\xe2\x82", 1 },
        { "leading zero", "01", 0 },
        { "plus", "+1", 0 },
        { "point without digits", "1.", 0 },
        { "point first", ".5", 0 },
        { "exponent without digits", "1e+", 0 },
        { "minus alone", "-", 0 },
        { "hexadecimal", "0x10", 1 },
        { "NaN", "NaN", 0 },
        { "Infinity", "-Infinity", 0 },
        { "True", "True", 0 },
        { "truth", "[truth]", 1 },
        { "comment", "[1/*x*/]", 2 },
        { "byte order mark", "\xef\xbb\xbf{}", 0 },
        { "a name twice", "{\"a\":1,\"a\":1}", 12 },
        { "a name twice, once escaped", "{\"a\":1,\"\\u0061\":2}", 17 },
        { "a name twice behind others that look like it", "{\"abc\":1,\"axc\":2,\"ayc\":3,\"abc\":4}", 32 },
        { "the empty name twice", "{\"\":1,\"a\":2,\"\":3}", 16 },
        { "a name twice, deeper", "[{\"b\":{\"a\":1,\"c\":0,\"a\":1}}]", 24 },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const rr_json_t *value = (const rr_json_t *)&cases;
        rr_err_t err = RR_ERR_INIT;
        const char *at;

        is_int(rr_json_parse(&value, cases[i].text, strlen(cases[i].text), pool, &err), RR_EINVAL, cases[i].name);
        at = strstr(err.text, "at byte ");
        is_int(at ? atoll(at + 8) : -1, cases[i].at, apr_pstrcat(pool, cases[i].name, ": where", NULL));
        ok(!value, "%s: no value", cases[i].name);
    }
}

static void ends_at_len(void)
{
    const rr_json_t *value;

    is_int(rr_json_parse(&value, "12345", 3, pool, NULL), APR_SUCCESS, "the text ends at len");
    is_str(rr_json_scalar(pool, value), "123", "and not a byte later");
    is_int(rr_json_parse(&value, "1\0", 2, pool, NULL), RR_EINVAL, "NUL behind the value");
    is_int(rr_json_parse(&value, "\"a\0b\"", 5, pool, NULL), RR_EINVAL, "NUL in a string");
    is_int(rr_json_parse(&value, "\"ab\"", 4, pool, NULL), APR_SUCCESS, "no NUL in a string");
    is_int(rr_json_parse_object(&value, "[]", 2, pool, NULL), RR_EINVAL, "an array is not an object");
    ok(!value, "and gives none");
    is_int(rr_json_parse_object(&value, "{}", 2, pool, NULL), APR_SUCCESS, "an object is");
}

static const char *nested(int depth, const char *open, const char *close)
{
    char *text = apr_pcalloc(pool, (apr_size_t)depth * (strlen(open) + 1) + 2);
    int i;

    for (i = 0; i < depth; i++) {
        memcpy(text + strlen(text), open, strlen(open) + 1);
    }
    memcpy(text + strlen(text), "1", 2);
    for (i = 0; i < depth; i++) {
        memcpy(text + strlen(text), close, 2);
    }
    return text;
}

static void ceilings(void)
{
    static const int members[] = { 63, 64, 65, 66, 500 };
    size_t i;
    int j;

    ok(parse(nested(RR_MAX_JSON_DEPTH, "[", "]")) != NULL, "arrays nested to the limit");
    ok(!parse(nested(RR_MAX_JSON_DEPTH + 1, "[", "]")), "and one past it");
    ok(parse(nested(RR_MAX_JSON_DEPTH, "{\"a\":", "}")) != NULL, "objects nested to the limit");
    ok(!parse(nested(RR_MAX_JSON_DEPTH + 1, "{\"a\":", "}")), "and one past it");
    ok(!parse(nested(100000, "[", "]")), "a hundred thousand levels");

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char *text = apr_pstrdup(pool, "{\"m0\":0");
        const rr_json_t *value;

        for (j = 1; j < members[i]; j++) {
            text = apr_psprintf(pool, "%s,\"m%d\":%d", text, j, j);
        }
        value = parse(apr_pstrcat(pool, text, "}", NULL));
        is_int((long long)rr_json_size(value), members[i], "members");
        is_str(rr_json_print(pool, value), apr_pstrcat(pool, text, "}", NULL), "in their order");
        ok(!parse(apr_pstrcat(pool, text, ",\"m1\":0}", NULL)), "one of %d twice", members[i] + 1);
    }
}

static void paths(void)
{
    static const char text[] = "{\"https://example.com/roles\":\"url\",\"a\":{\"b\":{\"c\":\"abc\"},\"b.c\":\"inner\"},"
                               "\"x.y\":\"dotted\",\"x\":{\"y\":\"nested\"},\"list\":[\"zero\",{\"k\":\"one\"}],"
                               "\"t~/\":\"tilde\",\"/p\":\"slash\",\"p\":\"pointer\",\"\":\"empty\",\"n\":null}";
    static const struct {
        const char *path, *want;
    } cases[] = {
        { "https://example.com/roles", "url" },
        { "a.b.c", "abc" },
        { "/a/b/c", "abc" },
        { "/a/b.c", "inner" },
        { "x.y", "dotted" },
        { "/x/y", "nested" },
        { "/list/0", "zero" },
        { "/list/1/k", "one" },
        { "/t~0~1", "tilde" },
        { "/p", "slash" },
        { "", "empty" },
        { "/", "empty" },
        { "list.0", NULL },
        { "/list/2", NULL },
        { "/list/00", NULL },
        { "/list/-", NULL },
        { "/list/1k", NULL },
        { "/list/99999999999999999999", NULL },
        { "/list/", NULL },
        { "/t~2", NULL },
        { "/t~", NULL },
        { "a.b.c.d", NULL },
        { "a..b", NULL },
        { "a.", NULL },
        { ".a", NULL },
        { "nothing", NULL },
        { "/a/", NULL },
    };
    const rr_json_t *object = parse(text);
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(rr_json_string(rr_json_at(object, cases[i].path)), cases[i].want,
               apr_psprintf(pool, "path '%s'", cases[i].path));
    }
    is_int(rr_json_kind(rr_json_at(object, "n")), RR_JSON_NULL, "null is a value");
    is_int(rr_json_kind(rr_json_at(object, "nothing")), RR_JSON_NONE, "nothing is none");
    ok(!rr_json_at(NULL, "a") && !rr_json_at(parse("[1]"), "0"), "no object, no member");
    is_str(rr_json_scalar(pool, rr_json_at(parse("[7]"), "/0")), "7", "a pointer into an array");
    ok(!rr_json_member(object, "a.b") && rr_json_member(object, "a"), "member takes names, not paths");
}

static void numbers(void)
{
    static const struct {
        const char *text;
        int held;
        apr_int64_t want;
    } cases[] = {
        { "0", 1, 0 },
        { "-0", 1, 0 },
        { "1732286000", 1, 1732286000 },
        { "1732286000.999", 1, 1732286000 },
        { "-1.9", 1, -1 },
        { "1.732286e9", 1, 1732286000 },
        { "1.7322860005E9", 1, 1732286000 },
        { "17322860000e-1", 1, 1732286000 },
        { "0.5e-3", 1, 0 },
        { "0.0001e10", 1, 1000000 },
        { "0e999999999999", 1, 0 },
        { "1e-999999999999", 1, 0 },
        { "9223372036854775807", 1, APR_INT64_MAX },
        { "9223372036854775807.9", 1, APR_INT64_MAX },
        { "-9223372036854775808", 1, APR_INT64_MIN },
        { "9223372036854775808", 0, 0 },
        { "-9223372036854775809", 0, 0 },
        { "1e19", 0, 0 },
        { "1e999999999999", 0, 0 },
        { "\"5\"", 0, 0 },
        { "true", 0, 0 },
        { "null", 0, 0 },
        { "[1]", 0, 0 },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_int64_t got = 0;

        is_int(rr_json_int(parse(cases[i].text), &got), cases[i].held, apr_pstrcat(pool, "int of ", cases[i].text, NULL));
        is_int(got, cases[i].want, apr_pstrcat(pool, "value of ", cases[i].text, NULL));
    }
}

static int stop_at_b(void *baton, const char *name, const rr_json_t *value)
{
    char **seen = baton;

    *seen = apr_pstrcat(pool, *seen, name, "=", rr_json_print(pool, value), ";", NULL);
    return strcmp(name, "b") != 0;
}

static void reads(void)
{
    const rr_json_t *value = parse("{\"a\":\"x\",\"b\":true,\"c\":[1,2],\"d\":1.50,\"e\":false}");
    char *seen = apr_pstrdup(pool, "");

    rr_json_members(value, stop_at_b, &seen);
    is_str(seen, "a=\"x\";b=true;", "members in order until told to stop");
    rr_json_members(rr_json_member(value, "c"), stop_at_b, &seen);
    is_str(seen, "a=\"x\";b=true;", "an array has no members");
    is_str(rr_json_string(rr_json_member(value, "a")), "x", "string");
    ok(!rr_json_string(rr_json_member(value, "d")), "a number is no string");
    ok(rr_json_is_true(rr_json_member(value, "b")), "true");
    ok(!rr_json_is_true(rr_json_member(value, "e")) && !rr_json_is_true(rr_json_member(value, "a")), "not true");
    is_int((long long)rr_json_size(rr_json_member(value, "c")), 2, "size of an array");
    is_int((long long)rr_json_size(value), 5, "size of an object");
    is_int((long long)rr_json_size(rr_json_member(value, "a")), 0, "size of a string");
    is_str(rr_json_scalar(pool, rr_json_element(rr_json_member(value, "c"), 1)), "2", "element");
    ok(!rr_json_element(rr_json_member(value, "c"), 2), "element past the end");
    is_str(rr_json_scalar(pool, rr_json_member(value, "d")), "1.50", "a number as it was sent");
    is_str(rr_json_scalar(pool, rr_json_member(value, "e")), "false", "a boolean as text");
    ok(!rr_json_scalar(pool, rr_json_member(value, "c")), "an array is no scalar");
    is_str(rr_json_print(pool, NULL), "null", "NULL prints null");
}

static void quotes(void)
{
    static const struct {
        const char *text;
        apr_size_t max;
        const char *want;
    } cases[] = {
        { "plain", 100, "\"plain\"" },
        { "", 100, "\"\"" },
        { "a\"b\\c\r\n\x01", 100, "\"a\\\"b\\\\c\\r\\n\\u0001\"" },
        { "abcdef", 6, "\"abcdef\"" },
        { "abcdef", 5, "\"abcde\"" },
        { "ab\xc3\xa9", 4, "\"ab\xc3\xa9\"" },
        { "ab\xc3\xa9z", 3, "\"ab\"" },
        { "ab\xf0\x9f\x98\x80", 5, "\"ab\"" },
        { "ab\xf0\x9f\x98\x80", 3, "\"ab\"" },
        { "a\xff\x62", 100, "\"a\xef\xbf\xbd\x62\"" },
        { "\xe2\x82", 100, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "x\x80\x80\x80\x80", 3, "\"x\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(rr_json_quote(pool, cases[i].text, cases[i].max), cases[i].want, apr_psprintf(pool, "quote %d", (int)i));
    }
}

/* No byte beyond room is written, no escape and no sequence is cut. */
static void quote_into(void)
{
    static const struct {
        const char *text;
        apr_size_t room;
        const char *want;
    } cases[] = {
        { "abc", 9, "\"abc\"" },
        { "abc", 5, "\"abc\"" },
        { "abc", 4, "\"ab\"" },
        { "abc", 2, "\"\"" },
        { "abc", 1, "" },
        { "abc", 0, "" },
        { "", 2, "\"\"" },
        { "a\"b", 6, "\"a\\\"b\"" },
        { "a\"b", 5, "\"a\\\"\"" },
        { "a\"b", 4, "\"a\"" },
        { "\x01", 8, "\"\\u0001\"" },
        { "\x01", 7, "\"\"" },
        { "\x1f\n\x7f", 20, "\"\\u001f\\n\x7f\"" },
        { "a\xc3\xa9", 5, "\"a\xc3\xa9\"" },
        { "a\xc3\xa9", 4, "\"a\"" },
        { "\xf0\x9f\x98\x80", 6, "\"\xf0\x9f\x98\x80\"" },
        { "\xff" "a", 6, "\"\xef\xbf\xbd" "a\"" },
        { "\xff" "a", 5, "\"\xef\xbf\xbd\"" },
        { "\xff" "a", 4, "\"\"" },
        { "a\xc3", 6, "\"a\xef\xbf\xbd\"" },
    };
    char room[64];
    apr_size_t i, len;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(room, '#', sizeof(room));
        len = rr_json_quote_into(room, cases[i].room, cases[i].text, strlen(cases[i].text));
        is_str(apr_pstrmemdup(pool, room, len), cases[i].want, apr_psprintf(pool, "quote into %d", (int)i));
        ok(room[cases[i].room] == '#', "quote into %d: no more than there is room for", (int)i);
    }
    len = rr_json_quote_into(room, sizeof(room), "a\0b", 3);
    is_str(apr_pstrmemdup(pool, room, len), "\"a\\u0000b\"", "quote into: a NUL within");
}

static void words(void)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        { "\"a b  c \"", "a,b,c" },
        { "[\"a\",\"b c\",\"\",7]", "a,b,c" },
        { "\"\"", "" },
        { "[]", "" },
        { "7", "" },
        { "{\"a\":1}", "" },
    };
    char *many = apr_pstrdup(pool, "\"s");
    size_t i;
    int j;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_str(apr_array_pstrcat(pool, rr_json_words(pool, parse(cases[i].text)), ','), cases[i].want,
               apr_pstrcat(pool, "words of ", cases[i].text, NULL));
    }
    is_int(rr_json_words(pool, NULL)->nelts, 0, "words of nothing");
    for (j = 1; j < RR_MAX_SCOPES; j++) {
        many = apr_pstrcat(pool, many, " s", NULL);
    }
    is_int(rr_json_words(pool, parse(apr_pstrcat(pool, many, "\"", NULL)))->nelts, RR_MAX_SCOPES, "words to the limit");
    is_int(rr_json_words(pool, parse(apr_pstrcat(pool, many, " s\"", NULL)))->nelts, RR_MAX_SCOPES, "and one past it");
}

/* Bytes of this process's address space. */
static long long space(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!file || fscanf(file, "%ld", &pages) != 1) {
        note("cannot be measured here");
    }
    if (file) {
        fclose(file);
    }
    return (long long)pages * getpagesize();
}

/* A token's payload is parsed before its signature is judged: what a stranger's costs has to be bounded by its size. */
static void memory(void)
{
    enum { VALUES = 6000 };
    char *text = apr_palloc(pool, 2 * VALUES + 2);
    long long before;
    apr_pool_t *own;
    const rr_json_t *value;
    rr_err_t err = RR_ERR_INIT;
    int i;

    text[0] = '[';
    for (i = 0; i < VALUES; i++) {
        memcpy(text + 1 + 2 * i, "0,", 2);
    }
    memcpy(text + 2 * VALUES, "]", 2);
    apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    before = space();
    is_int(rr_json_parse(&value, text, 2 * VALUES + 1, own, &err), APR_SUCCESS, "an array of 6000 numbers");
    is_int((long long)rr_json_size(value), VALUES, "all of them");
    before = space() - before;
#ifndef __SANITIZE_ADDRESS__ /* which keeps what is freed */
    ok(before < 400 * 1024, "cost %lld kB, less than 400", before / 1024);
#endif
    apr_pool_destroy(own);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    accepted();
    refused();
    ends_at_len();
    ceilings();
    paths();
    numbers();
    reads();
    quotes();
    quote_into();
    words();
    memory();
    apr_pool_destroy(pool);
    return tap_end();
}
