/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.c: what the parts cost on this machine, as one line of JSON: the scale that the bench's figures are read by.
 *
 * SHA-256 of 40 bytes and raw verification of a signature by OpenSSL, in microseconds of CPU: a key imported once and
 * a digest fetched once, as a server does it. The payload cutter with ten patterns, in megabytes of input a second, and
 * how many KB the process grew from its first megabyte to its thousandth. Each is the best of several short turns.
 *
 *   parts [CONNINFO]      with it also what a round trip to that PostgreSQL costs this side, through apr_dbd
 */
#include "rr_cut.h"
#include "signed.h"

#include <apr_dbd.h>
#include <apr_general.h>

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define TURNS 7

static void fail(const char *what)
{
    fprintf(stderr, "parts: %s\n", what);
    exit(1);
}

static double cpu_now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static double digest_once(const EVP_MD *md)
{
    static unsigned char input[40], output[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const int times = 20000;
    double begun = cpu_now();

    for (int i = 0; i < times; i++) {
        if (EVP_DigestInit_ex(ctx, md, NULL) != 1 || EVP_DigestUpdate(ctx, input, sizeof(input)) != 1
            || EVP_DigestFinal_ex(ctx, output, NULL) != 1) {
            fail("SHA-256");
        }
        input[0] = output[0];
    }
    EVP_MD_CTX_free(ctx);
    return (cpu_now() - begun) / times;
}

static double verify(const char *alg)
{
    const int times = 400;
    double best = 0;
    signed_t made;

    if (!signed_make(&made, alg)) {
        fail("signing");
    }
    for (int turn = 0; turn < TURNS; turn++) {
        double begun = cpu_now(), spent;

        for (int i = 0; i < times; i++) {
            if (!signed_verify(&made)) {
                fail("verification");
            }
        }
        spent = (cpu_now() - begun) / times;
        best = turn && best < spent ? best : spent;
    }
    signed_free(&made);
    return best;
}

static void swallow(void *baton, const char *data, apr_size_t len)
{
    (void)data;
    *(apr_size_t *)baton += len;
}

static const rr_cut_ops_t *ten_patterns(apr_pool_t *p)
{
    static const char *const names[] = { "password", "card", "iban", "secret", "salary",
                                         "birth",    "phone", "token", "street", "email" };
    rr_cut_op_t ops[10];
    const rr_cut_ops_t *compiled;
    rr_err_t err = RR_ERR_INIT;
    apr_size_t which;

    memset(ops, 0, sizeof(ops));
    for (int i = 0; i < 10; i++) {
        ops[i].effect = RR_CUT_DESTROY;
        ops[i].pattern = names[i];
    }
    if (rr_cut_compile(&compiled, ops, 10, p, &err, &which) != APR_SUCCESS) {
        fail(err.text);
    }
    return compiled;
}

/* An array of megabytes copies of row, fed in pieces of 64 KB; returns megabytes a second of CPU. */
static double cut_once(apr_pool_t *pool, const rr_cut_ops_t *ops, const char *row, int megabytes)
{
    static char piece[65536];
    apr_size_t rowlen = strlen(row), fill = 0, out = 0, total = 0, wanted = (apr_size_t)megabytes * 1000000;
    rr_err_t err = RR_ERR_INIT;
    apr_pool_t *p;
    rr_cut_t *cut;
    double begun;

    while (fill + rowlen < sizeof(piece)) {
        memcpy(piece + fill, row, rowlen);
        fill += rowlen;
    }
    apr_pool_create(&p, pool);
    cut = rr_cut_create(p, swallow, &out);
    rr_cut_add(cut, ops, NULL);
    begun = cpu_now();
    if (rr_cut_feed(cut, "[0", 2, &err) != APR_SUCCESS) {
        fail(err.text);
    }
    for (; total < wanted; total += fill) {
        if (rr_cut_feed(cut, piece, fill, &err) != APR_SUCCESS) {
            fail(err.text);
        }
    }
    if (rr_cut_feed(cut, "]", 1, &err) != APR_SUCCESS || rr_cut_end(cut, &err) != APR_SUCCESS || !rr_cut_count(cut)) {
        fail("the cutter cut nothing");
    }
    begun = cpu_now() - begun;
    apr_pool_destroy(p);
    return (double)total / begun;
}

static double cut_best(apr_pool_t *pool, const rr_cut_ops_t *ops, const char *row)
{
    double best = 0;

    for (int turn = 0; turn < TURNS; turn++) {
        double speed = cut_once(pool, ops, row, 20);

        best = speed > best ? speed : best;
    }
    return best;
}

static double ask(apr_pool_t *pool, const apr_dbd_driver_t *driver, apr_dbd_t *handle, apr_dbd_prepared_t *statement)
{
    const int times = 500;
    double begun = cpu_now();

    for (int i = 0; i < times; i++) {
        apr_dbd_results_t *rows = NULL;
        apr_dbd_row_t *row = NULL;
        apr_pool_t *p;

        apr_pool_create(&p, pool);
        if (apr_dbd_pselect(driver, p, handle, &rows, statement, 0, 0, NULL)) {
            fail("SELECT");
        }
        while (!apr_dbd_get_row(driver, p, rows, &row, -1)) {
        }
        apr_pool_destroy(p);
    }
    return (cpu_now() - begun) / times;
}

static double round_trip(apr_pool_t *pool, const char *conninfo)
{
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    apr_dbd_prepared_t *statement = NULL;
    double best = 0;

    if (apr_dbd_init(pool) != APR_SUCCESS || apr_dbd_get_driver(pool, "pgsql", &driver) != APR_SUCCESS
        || apr_dbd_open(driver, pool, conninfo, &handle) != APR_SUCCESS
        || apr_dbd_prepare(driver, pool, handle, "SELECT 1", "one", &statement)) {
        fail("PostgreSQL");
    }
    for (int turn = 0; turn < TURNS; turn++) {
        double spent = ask(pool, driver, handle, statement);

        best = turn && best < spent ? best : spent;
    }
    apr_dbd_close(driver, handle);
    return best;
}

int main(int argc, char **argv)
{
    static const char strings[] = ",{\"id\":\"7f3a9c52-0b1e-4d6f-8a77-2f1f2f0c9d11\",\"description\":\"A hand-made lamp of "
        "oak and brass, dimmable, with a cord of two metres and a switch; delivered in a box made of recycled paper\","
        "\"notes\":\"Keep dry. The shade may be cleaned with a soft cloth; do not use any solvents on the brass parts of it.\","
        "\"email\":\"someone@example.com\"}";
    static const char small[] = ",{\"a\":1,\"b\":true,\"c\":[1,2,3],\"card\":4,\"d\":null,\"e\":{\"f\":0.5,\"g\":\"h\"}}";
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    const rr_cut_ops_t *ops;
    struct rusage before = { 0 }, after = { 0 };
    apr_pool_t *pool;
    double sha = 0, text, tokens;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    ops = ten_patterns(pool);
    for (int turn = 0; turn < TURNS; turn++) {
        double spent = digest_once(md);

        sha = turn && sha < spent ? sha : spent;
    }
    text = cut_best(pool, ops, strings);
    tokens = cut_best(pool, ops, small);
    getrusage(RUSAGE_SELF, &before);
    (void)cut_once(pool, ops, strings, 1000);
    getrusage(RUSAGE_SELF, &after);
    printf("{\"sha256\":%.3f,\"rs256\":%.2f,\"es256\":%.2f,\"eddsa\":%.2f,\"cut_strings\":%.0f,\"cut_small\":%.0f,"
           "\"cut_grown_kb\":%ld", sha,
           verify("rs256"), verify("es256"), verify("eddsa"), text, tokens, after.ru_maxrss - before.ru_maxrss);
    if (argc > 1) {
        printf(",\"pgsql_round_trip\":%.2f", round_trip(pool, argv[1]));
    }
    puts("}");
    EVP_MD_free(md);
    apr_terminate();
    return 0;
}
