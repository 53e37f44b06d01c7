/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cut.c: the cutter: every case as a whole and in chunks of 1 to 7 bytes,
 * at its limits and one past them.
 */
#include "tap.h"

#include "rr_cut.h"
#include "rr_cut_body.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>

static apr_pool_t *pool;

/* An operation in a line: "d:" or "r:" and a pattern, "di:" a caseless one, "d$" or "r$" a JSONPath. */
static rr_cut_op_t op_of(const char *text)
{
    rr_cut_op_t op = { .effect = *text == 'r' ? RR_CUT_RETAIN : RR_CUT_DESTROY };

    if (text[1] == '$') {
        op.path = text + 1;
    }
    else {
        op.flags = text[1] == 'i' ? "i" : NULL;
        op.pattern = strchr(text, ':') + 1;
    }
    return op;
}

static const rr_cut_ops_t *compile(const char *const *texts)
{
    rr_cut_op_t ops[256];
    const rr_cut_ops_t *compiled;
    rr_err_t err = RR_ERR_INIT;
    apr_size_t count = 0, which;

    for (; texts[count]; count++) {
        ops[count] = op_of(texts[count]);
    }
    if (rr_cut_compile(&compiled, ops, count, pool, &err, &which) != APR_SUCCESS) {
        note("%s: %s", texts[which], err.text);
        return NULL;
    }
    return compiled;
}

typedef struct out_t {
    char *text;
    apr_size_t len, size;
} out_t;

static void sink(void *baton, const char *data, apr_size_t len)
{
    out_t *out = baton;

    if (out->len + len + 1 > out->size) {
        out->size = 2 * (out->len + len + 1);
        out->text = realloc(out->text, out->size);
    }
    memcpy(out->text + out->len, data, len);
    out->len += len;
    out->text[out->len] = '\0';
}

/* The output, or NULL where the cutter refuses; in pieces of chunk bytes. */
static char *cut_with(const rr_cut_ops_t *ops, const unsigned char *active, const char *in, apr_size_t len,
                      apr_size_t chunk)
{
    rr_err_t err = RR_ERR_INIT;
    apr_pool_t *p;
    apr_status_t rv = APR_SUCCESS;
    out_t out = { NULL, 0, 0 };
    rr_cut_t *cut;
    apr_size_t at;

    sink(&out, "", 0);
    apr_pool_create(&p, pool);
    cut = rr_cut_create(p, sink, &out);
    rr_cut_add(cut, ops, active);
    for (at = 0; at < len && rv == APR_SUCCESS; at += chunk) {
        char *piece = malloc(chunk); /* exactly as long as it is, for the sanitizer's sake */
        apr_size_t n = len - at < chunk ? len - at : chunk;

        memcpy(piece, in + at, n);
        rv = rr_cut_feed(cut, piece, n, &err);
        free(piece);
    }
    if (rv == APR_SUCCESS) {
        rv = rr_cut_end(cut, &err);
    }
    apr_pool_destroy(p);
    if (rv != APR_SUCCESS) {
        free(out.text);
        return NULL;
    }
    return out.text;
}

static int same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static void check(const char *name, const char *const *texts, const char *in, const char *want)
{
    const rr_cut_ops_t *ops = compile(texts);
    apr_size_t len = strlen(in), chunk;
    char *got = ops ? cut_with(ops, NULL, in, len, len ? len : 1) : NULL;

    if (!is_str(got, want, name)) {
        note("in   %s", in);
    }
    for (chunk = 1; chunk <= 7 && ops; chunk++) {
        char *pieces = cut_with(ops, NULL, in, len, chunk);

        if (!same(pieces, want)) {
            ok(0, "%s, in pieces of %d", name, (int)chunk);
            note("got  %s", pieces ? pieces : "(refused)");
        }
        free(pieces);
    }
    free(got);
}

#define OPS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING OPS("d:^nothing at all$")

static void test_cuts(void)
{
    static const struct {
        const char *name, *op, *in, *out;
    } cases[] = {
        { "a member", "d:^b$", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3}" },
        { "the first", "d:^a$", "{\"a\":1,\"b\":2}", "{\"b\":2}" },
        { "the last", "d:^b$", "{\"a\":1,\"b\":2}", "{\"a\":1}" },
        { "the only one", "d:^a$", "{ \"a\" : 1 }", "{}" },
        { "white space round it", "d:^b$", "{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n", "{\n  \"a\": 1,\n  \"c\": 3\n}\n" },
        { "all members", "d:.*", "{\"a\":1,\"b\":[2]}", "{}" },
        { "all elements", "d:.*", "[1,[2],{}] ", "[]" },
        { "an element is removed, not nulled", "d:\\[1\\]", "[1,2,3]", "[1,3]" },
        { "elements keep their numbers", "d:^\\[[01]\\]$", "[1,2,3]", "[3]" },
        { "a subtree", "d:card", "{\"card\":{\"n\":[1,{\"x\":2}]},\"a\":0}", "{\"a\":0}" },
        { "the written path", "d:^items\\[\\d+\\]\\.card\\.number$",
          "{\"items\":[{\"card\":{\"number\":1,\"e\":2}},{\"card\":{\"number\":3}}]}",
          "{\"items\":[{\"card\":{\"e\":2}},{\"card\":{}}]}" },
        { "a name is matched after unescaping", "d:^ssn$", "{\"\\u0073sn\":1,\"s\\u0073n\":2,\"a\":3}", "{\"a\":3}" },
        { "duplicates all go", "d:^a$", "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2}" },
        { "the empty name", "d$['']", "{\"\":1,\"a\":2}", "{\"a\":2}" },
        { "caseless", "di:^SSN$", "{\"ssn\":1,\"SsN\":2,\"x\":3}", "{\"x\":3}" },
        { "nothing at all is in every path", "d:^a*", "{\"b\":1,\"c\":{\"a\":2}}", "{}" },
        { "the beginning of every path", "d:^", "{\"b\":1,\"c\":{\"a\":2}}", "{}" },
        { "also in those of elements", "d:^a*", "[1,{}]", "[]" },
        { "and of what is retained", "r:^a*", "{\"b\":1,\"c\":{\"b\":2}}", "{\"b\":1,\"c\":{\"b\":2}}" },
        { "names beyond ASCII", "d:^\u00e9$", "{\"\\u00e9\":1,\"\u00e9\":2,\"e\":3}", "{\"e\":3}" },
        { "beyond the BMP", "d:^\U0001F600$", "{\"\\ud83d\\ude00\":1,\"a\":2}", "{\"a\":2}" },
        { "back-tracking", "d:^(.)\\1$", "{\"aa\":1,\"ab\":2}", "{\"ab\":2}" },
        { "numbers as they are", "d:^x$", "[12345678901234567890123,1.0,1e400,-0,0.10E+05]",
          "[12345678901234567890123,1.0,1e400,-0,0.10E+05]" },
        { "escapes as they are", "d:^x$", "[\"\\u0041\\/\\ud83d\\ude00\\\"\"]", "[\"\\u0041\\/\\ud83d\\ude00\\\"\"]" },
        { "brackets in strings", "d:^a$", "{\"a\":\"}],\\\"\",\"b\":\"{[\"}", "{\"b\":\"{[\"}" },
        { "a scalar document", "d:^a$", " 42 ", " 42 " },
        { "a scalar document that matches", "d:.*", "\"x\"", "null" },
        { "retain", "r:^a\\.b$", "{\"x\":1,\"a\":{\"b\":2,\"c\":3},\"d\":{\"e\":4}}", "{\"a\":{\"b\":2}}" },
        { "retain a subtree", "r:^a$", "{\"x\":1,\"a\":{\"b\":[2]}}", "{\"a\":{\"b\":[2]}}" },
        { "retain nothing", "r:^z$", "{\"x\":1,\"a\":{\"b\":2}}", "{}" },
        { "retain of a scalar document", "r:^z$", "1", "null" },
        { "retain everything", "r:.*", " { \"x\" : [ ] } ", " { \"x\" : [ ] } " },
        { "retain in elements", "r:id", "[{\"id\":1,\"x\":2},{\"x\":3},[{\"id\":4}]]", "[{\"id\":1},[{\"id\":4}]]" },
        { "JSONPath: the document", "d$", "{\"a\":1}", "{}" },
        { "JSONPath: a scalar document", "d$", "1", "null" },
        { "JSONPath: wildcard", "d$.*.a", "{\"a\":1,\"b\":{\"a\":2,\"b\":3},\"c\":[{\"a\":4}]}",
          "{\"a\":1,\"b\":{\"b\":3},\"c\":[{\"a\":4}]}" },
        { "JSONPath: descendants", "d$..a", "{\"a\":1,\"b\":[{\"a\":2,\"c\":{\"a\":3}}]}", "{\"b\":[{\"c\":{}}]}" },
        { "JSONPath: index", "d$[1]", "[1,2,3]", "[1,3]" },
        { "JSONPath: an index is no name", "d$[1]", "{\"1\":1}", "{\"1\":1}" },
        { "JSONPath: slice", "d$[1:4:2]", "[0,1,2,3,4]", "[0,2,4]" },
        { "JSONPath: slice without an end", "d$[2:]", "[0,1,2,3]", "[0,1]" },
        { "JSONPath: slice backwards", "d$[2:0:-1]", "[0,1,2,3]", "[0,3]" },
        { "JSONPath: step 0 selects nothing", "d$[::0]", "[0,1]", "[0,1]" },
        { "JSONPath: union", "d$['a',\"b\",0]", "{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3}" },
        { "JSONPath: a dot in a name", "d$['a.b']", "{\"a.b\":1,\"a\":{\"b\":2}}", "{\"a\":{\"b\":2}}" },
        { "JSONPath: retain descendants", "r$..b", "{\"a\":{\"b\":1,\"c\":2},\"d\":[3]}", "{\"a\":{\"b\":1}}" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(cases[i].name, OPS(cases[i].op), cases[i].in, cases[i].out);
    }
    check("retain first, then destroy", OPS("d:^a\\.c$", "r:^a$"), "{\"a\":{\"b\":1,\"c\":2},\"d\":3}", "{\"a\":{\"b\":1}}");
    check("what retain left is what destroy counts", OPS("r:^\\[1\\]$", "d:^\\[0\\]$"), "[1,2]", "[]");
}

/* Of each, the same text with the mistake taken out passes. */
static void test_validation(void)
{
    static const struct {
        const char *bad, *good;
    } cases[] = {
        { "", "0" }, { " ", " 1" }, { "{", "{}" }, { "[1,]", "[1]" }, { "[,1]", "[1]" }, { "{\"a\":1,}", "{\"a\":1}" },
        { "{\"a\"}", "{\"a\":0}" }, { "{a:1}", "{\"a\":1}" }, { "[1 2]", "[1,2]" }, { "[1}", "[1]" }, { "{\"a\":1]", "{\"a\":1}" },
        { "]", "[]" }, { "1 2", "12" }, { "[1]x", "[1]" }, { "01", "0" }, { "-", "-1" }, { "1.", "1.0" }, { ".5", "0.5" },
        { "1e", "1e1" }, { "1e+", "1e+1" }, { "+1", "1" }, { "0x1", "0" }, { "1.e1", "1.0e1" }, { "--1", "-1" }, { "NaN", "0" },
        { "tru", "true" }, { "truee", "true" }, { "nul", "null" }, { "False", "false" }, { "\"a", "\"a\"" }, { "'a'", "\"a\"" },
        { "\"\\x\"", "\"\\n\"" }, { "\"\\u12g4\"", "\"\\u1234\"" }, { "\"\\u123\"", "\"\\u1230\"" }, { "\"\n\"", "\"\\n\"" },
        { "\"\x1f\"", "\"\x7f\"" }, { "\"\\ud800\"", "\"\\ud83d\\ude00\"" }, { "\"\\ude00\"", "\"\\u0000\"" },
        { "\"\\ud800x\"", "\"x\"" }, { "\"\\ud800\\n\"", "\"\\n\"" }, { "\"\\ud800\\u0041\"", "\"\\u0041\"" },
        { "\"\x80\"", "\"\xc2\x80\"" }, { "\"\xc0\xaf\"", "\"/\"" }, { "\"\xe0\x80\x80\"", "\"\xe0\xa0\x80\"" },
        { "\"\xed\xa0\x80\"", "\"\xed\x9f\xbf\"" }, { "\"\xf4\x90\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"" },
          { "\"\xf0\x80\x80\x80\"", "\"\xf0\x90\x80\x80\"" },
        { "\"\xe2\x82\"", "\"\xe2\x82\xac\"" }, { "\"\xff\"", "\"\xc3\xbf\"" }, { "{\"\xe2\x82\":1}", "{\"\xe2\x82\xac\":1}" },
        { "\xef\xbb\xbf[]", "[]" }, { "[\v1]", "[\t1]" }, { "/**/1", "1" }, { "{\"\\ud800\":1}", "{\"\\u0800\":1}" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(apr_psprintf(pool, "refused: %s", apr_pescape_echo(pool, cases[i].bad, 1)), NOTHING, cases[i].bad, NULL);
        check(apr_psprintf(pool, "passes: %s", apr_pescape_echo(pool, cases[i].good, 1)), NOTHING, cases[i].good, cases[i].good);
        /* also where nothing is looked at, in what goes and in what was settled to stay */
        check("refused inside what goes", OPS("d:^gone$"), apr_psprintf(pool, "{\"gone\":[%s],\"x\":1}", cases[i].bad),
              strspn(cases[i].bad, " ") == strlen(cases[i].bad) ? "{\"x\":1}" : NULL);
        check("passes inside what goes", OPS("d:^gone$"), apr_psprintf(pool, "{\"gone\":[%s],\"x\":1}",
          cases[i].good), "{\"x\":1}");
    }
}

static char *repeat(const char *text, int times)
{
    apr_size_t len = strlen(text);
    char *all = apr_palloc(pool, len * (apr_size_t)times + 1);
    int i;

    for (i = 0; i < times; i++) {
        memcpy(all + len * (apr_size_t)i, text, len);
    }
    all[len * (apr_size_t)times] = '\0';
    return all;
}

static void test_limits(void)
{
    const rr_cut_ops_t *live = compile(OPS("d:nothing")), *dead = compile(OPS("d:^nothing"));
    char *deep = apr_pstrcat(pool, repeat("[", RR_MAX_DEPTH), repeat("]", RR_MAX_DEPTH), NULL);
    char *deeper = apr_pstrcat(pool, "[", deep, "]", NULL);
    char *name = apr_pstrcat(pool, "{\"", repeat("n", RR_MAX_PATH), "\":1}", NULL);
    char *longer = apr_pstrcat(pool, "{\"n", repeat("n", RR_MAX_PATH), "\":1}", NULL);
    char *nested = apr_pstrcat(pool, "{\"a\":{\"", repeat("n", RR_MAX_PATH - 2), "\":1}}", NULL);
    char *too_nested = apr_pstrcat(pool, "{\"a\":{\"", repeat("n", RR_MAX_PATH - 1), "\":1}}", NULL);
    char *blank = apr_pstrcat(pool, "[", repeat(" ", RR_MAX_CUT_HELD), "1]", NULL);
    char *more_blank = apr_pstrcat(pool, "[ ", repeat(" ", RR_MAX_CUT_HELD), "1]", NULL);
    const struct {
        const char *name, *in;
        const rr_cut_ops_t *ops;
        int passes;
    } cases[] = {
        { "as deep as RR_MAX_DEPTH", deep, live, 1 },       { "one deeper", deeper, live, 0 },
        { "as deep, nothing looked at", deep, dead, 1 },    { "one deeper, nothing looked at", deeper, dead, 0 },
        { "a name of RR_MAX_PATH", name, live, 1 },         { "one byte more", longer, live, 0 },
        { "a path of RR_MAX_PATH", nested, live, 1 },       { "a path of one byte more", too_nested, live, 0 },
        { "white space of RR_MAX_CUT_HELD", blank, live, 1 }, { "one blank more", more_blank, live, 0 },
    };
    static const apr_size_t chunks[] = { 1, 7, 4096, 1000000 };
    size_t i, j;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (j = 0; j < 4; j++) {
            char *got = cut_with(cases[i].ops, NULL, cases[i].in, strlen(cases[i].in), chunks[j]);

            ok(same(got, cases[i].passes ? cases[i].in : NULL), "%s, in pieces of %d", cases[i].name, (int)chunks[j]);
            free(got);
        }
    }
}

static void test_groups(void)
{
    const rr_cut_op_t ops[] = { { RR_CUT_DESTROY, "^a$", NULL, NULL, 0 }, { RR_CUT_DESTROY, "a", NULL, NULL, 1 },
                                { RR_CUT_DESTROY, NULL, NULL, "$.ab.c", 2 }, { RR_CUT_RETAIN, "^ab", NULL, NULL, 3 } };
    static const struct {
        unsigned char active[4];
        const char *out;
    } cases[] = {
        { { 0, 0, 0, 0 }, "{\"a\":1,\"ab\":{\"c\":2,\"d\":3}}" }, { { 1, 0, 0, 0 }, "{\"ab\":{\"c\":2,\"d\":3}}" },
        { { 0, 1, 0, 0 }, "{}" },                                 { { 0, 0, 1, 0 }, "{\"a\":1,\"ab\":{\"d\":3}}" },
        { { 0, 0, 0, 1 }, "{\"ab\":{\"c\":2,\"d\":3}}" },         { { 1, 0, 1, 1 }, "{\"ab\":{\"d\":3}}" },
    };
    const char *in = "{\"a\":1,\"ab\":{\"c\":2,\"d\":3}}";
    const rr_cut_ops_t *compiled;
    rr_err_t err = RR_ERR_INIT;
    apr_size_t which;
    size_t i;

    ok(rr_cut_compile(&compiled, ops, 4, pool, &err, &which) == APR_SUCCESS, "operations of four groups");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = cut_with(compiled, cases[i].active, in, strlen(in), 3);

        is_str(got, cases[i].out, apr_psprintf(pool, "groups, case %d", (int)i));
        free(got);
    }
}

static void test_refused_operations(void)
{
    static const struct {
        const char *bad, *good, *text;
    } cases[] = {
        { "d:(a", "d:(a)", "offset 2" },
        { "d$.a[-1]", "d$.a[1]", "offset 6" },
        { "d$.a[-1:]", "d$.a[1:]", "counts from the end" },
        { "d$[::-2]", "d$[::-1]", "counts from the end" },
        { "d$[?@.a]", "d$[*]", "filter expression" },
        { "d$.", "d$.a", "a name is missing" },
        { "d$.a ", "d$ .a", "blank at the end" },
        { "d$['a", "d$['a']", "string without an end" },
        { "d$['\\ud800']", "d$['\\ud83d\\ude00']", "surrogate" },
        { "d$['\\\"']", "d$['\\'']", "bad escape" },
        { "d$[01]", "d$[10]", "bad integer" },
        { "d$[-0]", "d$[0]", "bad integer" },
        { "d$[9007199254740992]", "d$[9007199254740991]", "out of range" },
        { "d$[1", "d$[1]", "missing ]" },
        { "d$[]", "d$[0]", "a selector is missing" },
        { "d$x", "d$.x", "neither" },
    };
    const rr_cut_ops_t *compiled;
    apr_size_t which;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rr_cut_op_t ops[2] = { op_of("d:ok"), op_of(cases[i].bad) };
        rr_err_t err = RR_ERR_INIT;

        which = 99;
        ok(rr_cut_compile(&compiled, ops, 2, pool, &err, &which) == RR_EINVAL && which == 1 && !compiled &&
               strstr(err.text, cases[i].text),
           "refused: %s", cases[i].bad);
        note("%s", err.text);
        ok(compile(OPS(cases[i].good)) != NULL, "compiles: %s", cases[i].good);
    }
}

/* Stages in one chain, against the same stages one after the other, each over the whole output of the one before. */
static void test_stages(void)
{
    static const char *const stages[][5] = {
        { "d:^\\[0\\]$", "d:^\\[0\\]$", "d:^\\[0\\]$", "d:^\\[0\\]$" },     /* each counts what the one before left */
        { "r:id", "d:\\[1\\]", "r$..id", "d:^\\[0\\]\\.id$" },
        { "d$..a", "r:b|c", "d:^b$", "r:c" },
        { "d:.*", "r:a", "d:a", "r:.*" },
        { "r$", "d$[1:]", "r$[0]", "d$.*.a" },
        { "d:nothing", "d:\\bssn\\b", "d:(?=x)x", "r:.*" },
    };
    static const char *const bodies[] = {
        "[0,1,2,3,4,5]",
        "[{\"id\":1,\"a\":[1,{\"id\":2}]},{\"id\":3,\"b\":{\"c\":{\"a\":1}}},[[{\"id\":4}]]]",
        " { \"a\" : 1 , \"b\" : { \"a\" : [ ] , \"c\" : 1.0 } , \"ssn\" : { \"x\" : [ { \"b\" : 1e400 } ] } } ",
        "{\"a\":1,\"a\":{\"b\":[{\"c\":1},{\"c\":2,\"a\":3}]},\"\":{\"c\":null}}",
        "\"x\"", "7", "[]", "{}",
    };
    size_t s, b, i;

    for (s = 0; s < sizeof(stages) / sizeof(stages[0]); s++) {
        for (b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
            char *apart = strdup(bodies[b]);
            apr_size_t chunk, at;

            for (i = 0; i < 4; i++) {
                char *next = cut_with(compile(OPS(stages[s][i])), NULL, apart, strlen(apart), strlen(apart));

                free(apart);
                apart = next ? next : strdup("(refused)");
            }
            for (chunk = 1; chunk <= 8; chunk++) {
                apr_size_t len = strlen(bodies[b]), piece = chunk > 7 ? len : chunk;
                out_t out = { NULL, 0, 0 };
                rr_cut_t *cut = rr_cut_create(pool, sink, &out);
                rr_err_t err = RR_ERR_INIT;

                sink(&out, "", 0);
                for (i = 0; i < 4; i++) {
                    rr_cut_add(cut, compile(OPS(stages[s][i])), NULL);
                }
                for (at = 0; at < len; at += piece) {
                    rr_cut_feed(cut, bodies[b] + at, len - at < piece ? len - at : piece, &err);
                }
                if (!ok(rr_cut_end(cut, &err) == APR_SUCCESS && same(out.text, apart),
                        "four stages in one pass: set %d, body %d, pieces of %d", (int)s, (int)b, (int)piece)) {
                    note("got %s, want %s", out.text, apart);
                }
                free(out.text);
            }
            free(apart);
        }
    }
}

/* The output of the document cut a second and third time by a cutter that remembers the first. */
static void check_remembered(const char *name, const rr_cut_op_t *list, apr_size_t count, const char *in,
                             const char *want)
{
    const rr_cut_ops_t *ops;
    rr_err_t err = RR_ERR_INIT;
    out_t out = { NULL, 0, 0 };
    apr_size_t which;
    rr_cut_t *cut = rr_cut_create(pool, sink, &out);
    int round;

    if (!ok(rr_cut_compile(&ops, list, count, pool, &err, &which) == APR_SUCCESS, "%s: compiles", name)) {
        return;
    }
    rr_cut_add(cut, ops, NULL);
    for (round = 1; round <= 3; round++) {
        out.len = 0;
        ok(rr_cut_feed(cut, in, strlen(in), &err) == APR_SUCCESS && rr_cut_end(cut, &err) == APR_SUCCESS &&
               same(out.text, want),
           "%s, time %d", name, round);
        rr_cut_reset(cut);
    }
    free(out.text);
}

/* Names of every length that differ in one byte, half of them to be cut; and more rows than are remembered. */
static void test_remembered(void)
{
    enum { LONGEST = 20, CONTAINERS = 700 };
    rr_cut_op_t ops[CONTAINERS];
    const char *in = "", *want = "", *comma = "";
    apr_size_t count = 0;
    int len, i;

    memset(ops, 0, sizeof(ops));
    for (len = 1; len <= LONGEST; len++) {
        for (i = 0; i < len; i++) {
            char *text = apr_pstrcat(pool, "aaaaaaaaaaaaaaaaaaaa", NULL);

            text[len] = '\0';
            text[i] = 'b';
            in = apr_pstrcat(pool, in, *in ? "," : "", "\"", text, "\":1", NULL);
            if ((i + len) % 2) {
                ops[count].effect = RR_CUT_DESTROY;
                ops[count++].path = apr_pstrcat(pool, "$.", text, NULL);
            }
            else {
                want = apr_pstrcat(pool, want, comma, "\"", text, "\":1", NULL);
                comma = ",";
            }
        }
    }
    check_remembered("names that differ in a byte", ops, count, apr_pstrcat(pool, "{", in, "}", NULL),
                     apr_pstrcat(pool, "{", want, "}", NULL));
    for (i = 0, in = want = ""; i < CONTAINERS; i++) {
        in = apr_psprintf(pool, "%s%s\"f%d\":{\"x%d\":1,\"x%d\":[{\"z\":2}]}", in, i ? "," : "", i, i, i + 1);
        want = apr_psprintf(pool, "%s%s\"f%d\":{\"x%d\":[{\"z\":2}]}", want, i ? "," : "", i, i + 1);
        ops[i].effect = RR_CUT_DESTROY;
        ops[i].path = NULL;
        ops[i].pattern = apr_psprintf(pool, "^f%d\\.x%d$", i, i);
    }
    check_remembered("more containers than are remembered", ops, CONTAINERS, apr_pstrcat(pool, "{", in, "}", NULL),
                     apr_pstrcat(pool, "{", want, "}", NULL));
}

/* Bodies of several documents, and how much of the output may leave before the end is told. */
static void test_bodies(void)
{
    static const struct {
        const char *name, *type, *in, *out;
        int complete; /* bytes of out before the end was told; -1: refused */
    } cases[] = {
        { "JSON", "application/json", "{\"a\":1}", "{}", 0 },
        { "no body", "application/json", "", "", 0 },
        { "lines", "application/x-ndjson", "{\"a\":1}\n\n{\"b\":2}\r\n{\"a\":3}", "{}\n\n{\"b\":2}\r\n{}", 13 },
        { "a broken line", "application/x-ndjson", "{\"a\":1}\n{\n", NULL, -1 },
        { "two documents in a line", "application/x-ndjson", "{} {}\n", NULL, -1 },
        { "events", "text/event-stream", "id: 7\nevent: e\nretry: 5\ndata: {\"a\":1,\"b\":2}\n\ndata:{\"a\":1}\n\n",
          "id: 7\nevent: e\nretry: 5\ndata: {\"b\":2}\n\ndata:{}\n\n", 48 },
        { "an event of several lines", "text/event-stream", "data: {\"b\":1,\ndata: \"c\":2,\ndata: \"a\":3}\n\n",
          "data: {\"b\":1,\ndata: \"c\":2}\n\n", 28 },
        { "CRLF and CR", "text/event-stream", "data: 1\r\n\r\ndata: 2\r\r", "data: 1\n\ndata: 2\n\n", 18 },
        { "comments keep their colon", "text/event-stream", ": secret\n\ndata: 1\n\n", ":\n\ndata: 1\n\n", 12 },
        { "unknown fields go", "text/event-stream", "secret: x\nanother\ndata: 1\n\n", "data: 1\n\n", 9 },
        { "the end of model streams", "text/event-stream", "data: [1]\n\ndata: [DONE]\n\n", "data: [1]\n\ndata: [DONE]\n\n", 25 },
        { "nothing after that", "text/event-stream", "data: [DONE]\ndata: 1\n\n", NULL, -1 },
        { "data that is not JSON", "text/event-stream", "data: [DONE\n\n", NULL, -1 },
        { "empty data", "text/event-stream", "data:\n\ndata\n\n", "data:\n\ndata\n\n", 13 },
        { "a field between data lines", "text/event-stream", "data: [1,\nid: 3\ndata: 2]\n\n",
          "data: [1\nid: 3\ndata: ,\ndata: 2]\n\n", 33 },
    };
    const rr_cut_ops_t *ops = compile(OPS("d:^a$"));
    size_t i, chunk;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (chunk = 1; chunk <= 40; chunk = chunk < 8 ? chunk + 1 : chunk * 2) {
            rr_err_t err = RR_ERR_INIT;
            out_t out = { NULL, 0, 0 };
            rr_cut_body_t *body = rr_cut_body_create(rr_body_kind(cases[i].type), pool, sink, &out);
            apr_size_t len = strlen(cases[i].in), at;
            apr_status_t rv = APR_SUCCESS;
            int complete;

            sink(&out, "", 0);
            rr_cut_add(rr_cut_body_cutter(body), ops, NULL);
            for (at = 0; at < len && rv == APR_SUCCESS; at += chunk) {
                rv = rr_cut_body_feed(body, cases[i].in + at, len - at < chunk ? len - at : chunk, &err);
            }
            complete = (int)rr_cut_body_complete(body);
            rv = rv == APR_SUCCESS ? rr_cut_body_end(body, &err) : rv;
            if (!ok(cases[i].out ? rv == APR_SUCCESS && !strcmp(out.text, cases[i].out) && complete == cases[i].complete
                                 : rv == RR_EINVAL,
                    "body: %s, in pieces of %d", cases[i].name, (int)chunk)) {
                note("got %d %d %s", (int)rv, complete, out.text);
            }
            free(out.text);
        }
    }
}

static void test_types(void)
{
    static const struct {
        const char *type;
        rr_body_kind_e kind;
    } cases[] = {
        { "application/json", RR_BODY_JSON },
        { "Application/JSON; charset=UTF-8", RR_BODY_JSON },
        { "application/json;charset=\"utf-8\"", RR_BODY_JSON },
        { "application/json; charset=utf-16", RR_BODY_UNKNOWN },
        { "application/json; charset=utf-8859", RR_BODY_UNKNOWN },
        { "application/problem+json", RR_BODY_JSON },
        { "application/jsonp", RR_BODY_UNKNOWN },
        { "+json", RR_BODY_UNKNOWN },
        { "application/x-ndjson", RR_BODY_LINES },
        { "text/event-stream", RR_BODY_EVENTS },
        { "text/html", RR_BODY_UNKNOWN },
        { "", RR_BODY_UNKNOWN },
        { NULL, RR_BODY_UNKNOWN },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(rr_body_kind(cases[i].type), cases[i].kind, apr_psprintf(pool, "type %s", cases[i].type));
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_cuts();
    test_validation();
    test_limits();
    test_groups();
    test_refused_operations();
    test_stages();
    test_remembered();
    test_bodies();
    test_types();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}
