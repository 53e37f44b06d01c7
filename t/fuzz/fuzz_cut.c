/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_cut.c: the cutter on any bytes, with operations and chunk borders that
 * the input chooses, against jansson as the judge of what is JSON.
 *
 * Checked: the same output whatever the borders and whatever is remembered of a
 * document before; with nothing to cut, the input
 * itself; output is JSON if the input is, and is made of the input's bytes in
 * their order; what is cut stays cut (the same operations change nothing more).
 */
#include "rr_cut.h"
#include "rr_cut_body.h"

#include <apr_general.h>

#include <jansson.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct out_t {
    char *text;
    size_t len, room;
    int failed;
} out_t;

static apr_pool_t *root;
static const rr_cut_ops_t *sets[16];

static const struct {
    const char *effect, *pattern, *path;
} rows[16][3] = {
    { { "d", "^nothing$", NULL } },
    { { "d", "a", NULL } },
    { { "d", ".*", NULL } },
    { { "r", "a", NULL } },
    { { "r", ".*", NULL } },
    { { "d", NULL, "$..a" } },
    { { "r", NULL, "$..a" } },
    { { "d", NULL, "$[0]" }, { "r", NULL, "$[1:]" } },
    { { "d", "\\[\\d*[13579]\\]", NULL } },
    { { "d", "(.)\\1", NULL }, { "r", "b", NULL } },
    { { "d", NULL, "$.*.*" }, { "d", "^b", NULL } },
    { { "r", NULL, "$" }, { "d", "\\.b$", NULL } },
    { { "d", NULL, "$" } },
    { { "r", "^$", NULL }, { "r", "\\[0\\]$", NULL } },
    { { "d", "^a\\.b$", NULL }, { "r", "^a", NULL } },
    { { "r", "(?=a)a", NULL }, { "d", NULL, "$..[::2]" } },
};

/* Sets of which a second run finds nothing to do: no element has another number then, nothing retained has gone. */
static const char is_settled[16] = { 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0 };

static void compile_sets(void)
{
    size_t i, j, which;

    apr_initialize();
    atexit(apr_terminate); /* compiled patterns are the engine's memory, not the pool's */
    apr_pool_create(&root, NULL);
    for (i = 0; i < 16; i++) {
        rr_cut_op_t ops[3] = { { 0 } };
        rr_err_t err = RR_ERR_INIT;

        for (j = 0; j < 3 && rows[i][j].effect; j++) {
            ops[j].effect = *rows[i][j].effect == 'r' ? RR_CUT_RETAIN : RR_CUT_DESTROY;
            ops[j].pattern = rows[i][j].pattern;
            ops[j].path = rows[i][j].path;
        }
        if (rr_cut_compile(&sets[i], ops, j, root, &err, &which) != APR_SUCCESS) {
            abort();
        }
    }
}

static void sink(void *baton, const char *data, apr_size_t len)
{
    out_t *out = baton;

    if (out->len + len > out->room) {
        out->room = 2 * (out->len + len);
        out->text = realloc(out->text, out->room);
    }
    memcpy(out->text + out->len, data, len);
    out->len += len;
}

/* A document of names enough for the cutter to begin to remember them. */
static void warm(rr_cut_t *cutter, out_t *out)
{
    static char names[6 * 300 + 1] = "";
    rr_err_t err = RR_ERR_INIT;
    size_t i;

    for (i = 0; i < sizeof(names) - 1; i += 6) {
        memcpy(names + i, i ? ",\"q\":0" : "{\"q\":0", 6);
    }
    names[sizeof(names) - 1] = '}';
    if (rr_cut_feed(cutter, names, sizeof(names), &err) != APR_SUCCESS || rr_cut_end(cutter, &err) != APR_SUCCESS) {
        abort();
    }
    rr_cut_reset(cutter);
    out->len = 0;
}

/* Pieces of a length that changes with seed; 0: all at once. */
static out_t cut(const rr_cut_ops_t *ops, const char *in, size_t len, unsigned seed, int warmed, apr_pool_t *p)
{
    out_t out = { NULL, 0, 0, 0 };
    rr_err_t err = RR_ERR_INIT;
    rr_cut_t *cutter = rr_cut_create(p, sink, &out);
    apr_status_t rv = APR_SUCCESS;
    size_t piece;

    rr_cut_add(cutter, ops, NULL);
    if (warmed) {
        warm(cutter, &out);
    }
    for (; len && rv == APR_SUCCESS; in += piece, len -= piece) {
        char *copy;

        seed = seed * 1103515245u + 12345u;
        piece = seed ? 1 + (seed >> 16) % 7 : len;
        piece = piece > len ? len : piece;
        copy = malloc(piece);
        memcpy(copy, in, piece);
        rv = rr_cut_feed(cutter, copy, piece, &err);
        free(copy);
    }
    if (rv == APR_SUCCESS) {
        rv = rr_cut_end(cutter, &err);
    }
    out.failed = rv != APR_SUCCESS;
    return out;
}

static void demand(int holds)
{
    if (!holds) {
        abort();
    }
}

static int is_part(const out_t *out, const char *in, size_t len)
{
    size_t i, at = 0;

    for (i = 0; i < len && at < out->len; i++) {
        at += in[i] == out->text[at];
    }
    return at == out->len;
}

/* What stands for a scalar document that was cut, with the white space before it. */
static int is_null(const out_t *out)
{
    return out->len >= 4 && !memcmp(out->text + out->len - 4, "null", 4) &&
           strspn(out->text, " \t\r\n") == out->len - 4;
}

static json_t *judge(const char *text, size_t len)
{
    json_error_t error;

    return json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
}

/* What jansson refuses though it is JSON: numbers out of its range, and no other. */
static int is_foreign(const char *in, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (in[i] == 'e' || in[i] == 'E') {
            return 1;
        }
    }
    return len > 300; /* a number may be that long; so may nesting */
}

static void bodies(const char *in, size_t len, const rr_cut_ops_t *ops, apr_pool_t *p)
{
    int kind;
    size_t i;

    for (kind = RR_BODY_LINES; kind <= RR_BODY_EVENTS; kind++) {
        out_t whole = { NULL, 0, 0, 0 }, pieces = { NULL, 0, 0, 0 };
        rr_cut_body_t *one = rr_cut_body_create(kind, p, sink, &whole), *other = rr_cut_body_create(kind, p, sink, &pieces);
        rr_err_t err = RR_ERR_INIT;
        apr_status_t rv, rv2 = APR_SUCCESS;

        rr_cut_add(rr_cut_body_cutter(one), ops, NULL);
        rr_cut_add(rr_cut_body_cutter(other), ops, NULL);
        rv = rr_cut_body_feed(one, in, len, &err);
        rv = rv == APR_SUCCESS ? rr_cut_body_end(one, &err) : rv;
        for (i = 0; i < len && rv2 == APR_SUCCESS; i++) {
            rv2 = rr_cut_body_feed(other, in + i, 1, &err);
        }
        rv2 = rv2 == APR_SUCCESS ? rr_cut_body_end(other, &err) : rv2;
        demand((rv == APR_SUCCESS) == (rv2 == APR_SUCCESS));
        if (rv == APR_SUCCESS) {
            demand(whole.len == pieces.len && (!whole.len || !memcmp(whole.text, pieces.text, whole.len)));
            demand(rr_cut_body_complete(one) == whole.len);
        }
        free(whole.text);
        free(pieces.text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *in = (const char *)data + 1;
    out_t whole, pieces, again, untouched;
    const rr_cut_ops_t *ops;
    size_t len = size - 1;
    apr_pool_t *p;
    json_t *known;

    if (!size) {
        return 0;
    }
    if (!root) {
        compile_sets();
    }
    ops = sets[data[0] % 16];
    apr_pool_create(&p, root);
    whole = cut(ops, in, len, 0, 0, p);
    pieces = cut(ops, in, len, data[0] + 1u, data[0] >= 0xe0, p); /* costs: so for few */
    untouched = cut(sets[0], in, len, 7, 0, p);
    demand(whole.failed == pieces.failed);
    known = judge(in, len);
    demand(!known || !untouched.failed || len > 500 || memchr(in, 0, len)); /* jansson takes a NUL for the end */
    demand(untouched.failed || known || is_foreign(in, len));
    json_decref(known);
    if (!untouched.failed) {
        demand(untouched.len == len && !memcmp(untouched.text, in, len));
    }
    if (!whole.failed) {
        demand(whole.len == pieces.len && (!whole.len || !memcmp(whole.text, pieces.text, whole.len)));
        known = judge(whole.text, whole.len);
        demand(known || is_foreign(in, len));
        json_decref(known);
        demand(is_part(&whole, in, len) || is_null(&whole));
        if (is_settled[data[0] % 16]) {
            again = cut(ops, whole.text, whole.len, 3, 0, p);
            demand(!again.failed && again.len == whole.len && !memcmp(again.text, whole.text, whole.len));
            free(again.text);
        }
    }
    bodies(in, len, ops, p);
    free(whole.text);
    free(pieces.text);
    free(untouched.text);
    apr_pool_destroy(p);
    return 0;
}
