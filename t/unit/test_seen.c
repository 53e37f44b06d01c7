/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_seen.c: tokens seen before: what is remembered, until when, how much of
 * it, and what many threads make of it.
 */
#include "rr_seen.h"
#include "rr.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <stdlib.h>

#define NOW APR_TIME_C(1000000000000)
#define LATER (NOW + apr_time_from_sec(60))

static apr_pool_t *pool;

static const rr_json_t *parse(const char *text)
{
    const rr_json_t *value = NULL;

    rr_json_parse(&value, text, strlen(text), pool, NULL);
    return value;
}

/* A token of that number, in the place of what this thread made sixteen tokens ago. */
static rr_seen_token_t token_of(const rr_seen_t *seen, int number, const rr_json_t *claims, apr_time_t expires,
                                const char *proof)
{
    static __thread char texts[16][64];
    static __thread unsigned int made;
    rr_seen_token_t token = { .text = texts[made++ % 16], .alg = RR_ALG_ES256, .expires = expires, .proof = proof,
                              .proof_len = proof ? strlen(proof) + 1 : 0 };
    apr_uint64_t signature = ((apr_uint64_t)number + 1) * 0x9e3779b97f4a7c15u;

    rr_claims_find(&token.claims, claims);
    token.len = (apr_size_t)apr_snprintf((char *)token.text, 64, "token.%d.%016" APR_UINT64_T_HEX_FMT, number, signature);
    if (!rr_seen_digest(token.input, seen, token.text, token.len - 17)) {
        abort();
    }
    return token;
}

static const rr_seen_token_t *get(apr_uint32_t **ppin, rr_seen_t *seen, const rr_seen_token_t *token, apr_time_t now)
{
    return rr_seen_get(ppin, seen, token->text, token->len, now);
}

static void put(rr_seen_t *seen, int number, const rr_json_t *claims, apr_time_t expires, const char *proof)
{
    rr_seen_token_t token = token_of(seen, number, claims, expires, proof);

    rr_seen_put(seen, &token, NOW);
}

/* Asks as a request does: true if it is remembered. */
static int has(rr_seen_t *seen, int number, apr_time_t now)
{
    rr_seen_token_t like = token_of(seen, number, NULL, 0, NULL);
    apr_uint32_t *pin;
    const rr_seen_token_t *token = get(&pin, seen, &like, now);

    if (token) {
        rr_unpin(pin);
    }
    return token != NULL;
}

static void remembered(void)
{
    static const char claims[] = "{\"sub\":\"alice\",\"n\":[1,-2.5e3,null,true,{\"\":\"\xc3\xa9\"}],\"exp\":1000060,\"o\":{}}";
    rr_seen_t *seen = rr_seen_make(pool);
    apr_pool_t *ends;
    apr_uint32_t *pin;
    const rr_seen_token_t *token;
    rr_seen_token_t one = token_of(seen, 1, NULL, 0, NULL), other = one;
    const rr_json_t *value;
    apr_int64_t number = 0;
    apr_size_t bytes, i;
    char text[64];
    int missed = 0;

    apr_pool_create(&ends, pool);
    rr_json_parse(&value, claims, strlen(claims), ends, NULL);
    ok(!has(seen, 1, NOW), "nothing is known at first");
    put(seen, 1, value, LATER, "by these");
    apr_pool_destroy(ends);
    token = get(&pin, seen, &one, NOW);
    if (!ok(token != NULL, "what was put is found")) {
        return;
    }
    is_str(rr_json_print(pool, token->claims.all), claims, "its claims, whatever became of the text");
    ok(rr_json_int(token->claims.exp, &number) && number == 1000060, "numbers among them");
    is_str(rr_json_string(rr_json_at(token->claims.all, "/n/4/")), "\xc3\xa9", "and what is nested");
    is_str(token->proof, "by these", "by which keys");
    is_int(token->alg, RR_ALG_ES256, "with which algorithm");
    ok(!memcmp(token->input, one.input, sizeof(one.input)), "the digest of its input");

    for (i = 0; i < one.len; i++) {
        memcpy(text, one.text, one.len);
        text[i] ^= 1;
        missed += !rr_seen_get(&pin, seen, text, one.len, NOW);
    }
    is_int(missed, (int)one.len, "a text that differs in one bit of any byte is another");
    ok(!rr_seen_get(&pin, seen, one.text, one.len - 1, NOW), "as is less of it");
    ok(!rr_seen_get(&pin, seen, one.text + 1, one.len - 1, NOW), "at its begin, too");
    ok(!rr_seen_get(&pin, seen, one.text + one.len - 15, 15, NOW), "what is shorter than a signature is asked for in vain");
    ok(!rr_seen_get(&pin, seen, one.text, 0, NOW), "and so is nothing");
    other = one;
    other.text += one.len - 15;
    other.len = 15;
    rr_seen_put(seen, &other, NOW);
    is_int(rr_seen_count(seen, &bytes), 1, "nor is it remembered");

    /* Another input under the same signature: no signer can help who does not verify so. */
    other = token_of(seen, 1, parse("{\"sub\":\"twice\"}"), LATER, "by these");
    memcpy((char *)other.text, "TOKEN", 5);
    ok(!get(&pin, seen, &other, NOW), "what only the signature is the same of is not known");
    rr_seen_put(seen, &other, NOW);
    is_int(rr_seen_count(seen, &bytes), 2, "but another one");
    is_str(rr_json_string(token->claims.sub), "alice", "each with its own");
    rr_unpin(pin);
    token = get(&pin, seen, &other, NOW);
    is_str(token ? rr_json_string(token->claims.sub) : NULL, "twice", "claims");
    rr_unpin(pin);
    token = get(&pin, seen, &one, NOW);

    put(seen, 1, parse("{\"sub\":\"bob\"}"), LATER, "by others");
    is_str(token->proof, "by these", "what is held stays as it is");
    rr_unpin(pin);
    token = get(&pin, seen, &one, NOW);
    is_str(token ? token->proof : NULL, "by others", "and the next one gets the new");
    rr_unpin(pin);

    ok(has(seen, 1, LATER - 1), "known until it expires");
    ok(!has(seen, 1, LATER), "and no longer");
    ok(!get(&pin, seen, &other, LATER), "nor the other");
    put(seen, 2, parse("{}"), NOW, "late");
    ok(!has(seen, 2, NOW - 1), "what has expired is not taken");
    put(seen, 3, parse("{}"), NOW + 1, "in time");
    ok(has(seen, 3, NOW), "what has not is");
}

/* Claims that take about len bytes. */
static const rr_json_t *claims_of(apr_size_t len)
{
    char *text = apr_palloc(pool, len + 16);

    memset(text, 'x', len + 15);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + len, "\"}", 3);
    return parse(text);
}

static void bounded(void)
{
    rr_seen_t *seen = rr_seen_make(pool);
    const rr_json_t *small = parse("{\"sub\":\"alice\"}"), *large = claims_of(RR_MAX_SEEN_TOKEN - 1024);
    int i, k, hot = 0, most = 0;
    apr_size_t bytes;

    put(seen, -1, claims_of(RR_MAX_SEEN_TOKEN), LATER, "p");
    ok(!has(seen, -1, NOW), "a token that takes too much is not remembered");
    put(seen, -1, large, LATER, "p");
    ok(has(seen, -1, NOW), "one that takes nearly as much is");

    /* 64 in use, each asked for once while 200 others come by; those are asked for by nobody. */
    for (i = 0; i < 64; i++) {
        put(seen, i, small, LATER, "p");
    }
    for (i = 1000; i < 1000 + 20 * RR_MAX_SEEN_TOKENS; i++) {
        put(seen, i, small, LATER, "p");
        if (i % 200 == 0) {
            for (k = 0; k < 64; k++) {
                has(seen, k, NOW);
            }
        }
        most = i % 1000 ? most : rr_seen_count(seen, &bytes) > most ? rr_seen_count(seen, &bytes) : most;
    }
    for (k = 0; k < 64; k++) {
        hot += has(seen, k, NOW);
    }
    is_int(hot, 64, "a flood of others pushes out nothing that is in use");
    ok(most > RR_MAX_SEEN_TOKENS * 2 / 3 && most <= RR_MAX_SEEN_TOKENS, "entries: to the bound and not past it (%d)", most);
    ok(!has(seen, 1001, NOW), "what came once is gone");
    ok(has(seen, i - 1, NOW), "what came last is there");

    for (i = 0; i < 4 * RR_MAX_SEEN_TOKENS; i++) {
        put(seen, 1000000 + i, large, LATER, "p");
    }
    rr_seen_count(seen, &bytes);
    ok(bytes > RR_MAX_SEEN_BYTES * 2 / 5 && bytes <= RR_MAX_SEEN_BYTES, "bytes: to the bound and not past it");
}

/* What is pinned stays, however many come by. */
static void pinned(void)
{
    rr_seen_t *seen = rr_seen_make(pool);
    const rr_json_t *claims = parse("{\"sub\":\"alice\"}");
    rr_seen_token_t like = token_of(seen, 1, claims, LATER, "p");
    const rr_seen_token_t *token;
    apr_uint32_t *pin;
    int i;

    put(seen, 1, claims, LATER, "p");
    token = get(&pin, seen, &like, NOW);
    for (i = 1000; i < 1000 + 4 * RR_MAX_SEEN_TOKENS; i++) {
        put(seen, i, claims, LATER, "p");
    }
    ok(!has(seen, 1, NOW), "it is remembered no longer");
    is_str(token ? rr_json_string(token->claims.sub) : NULL, "alice", "but there for who was handed it");
    rr_unpin(pin);
}

#define THREADS 8
#define ROUNDS 20000
#define TOKENS 6000 /* more than there is room for */

static rr_seen_t *shared;
static int wrong; /* atomic */

/* Each token's claims say which it is, and so does its proof: no thread may see one of another. */
static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *data)
{
    unsigned int dice = (unsigned int)(size_t)data * 7919 + 1;
    char text[64], name[16];
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, apr_thread_pool_get(thread));
    for (i = 0; i < ROUNDS; i++) {
        rr_seen_token_t like;
        const rr_seen_token_t *token;
        apr_uint32_t *pin;
        int number;

        dice = dice * 1664525 + 1013904223;
        number = (int)(dice >> 8) % (i % 2 ? 16 : TOKENS);
        apr_snprintf(name, sizeof(name), "%d", number);
        like = token_of(shared, number, NULL, number % 5 ? LATER : NOW + 1, name);
        token = get(&pin, shared, &like, NOW);
        if (token) {
            if (strcmp(rr_json_string(token->claims.sub), name) || strcmp(token->proof, name)) {
                __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
            }
            rr_unpin(pin);
        }
        else {
            const rr_json_t *claims;

            apr_snprintf(text, sizeof(text), "{\"sub\":\"%s\"}", name);
            rr_json_parse(&claims, text, strlen(text), p, NULL);
            rr_claims_find(&like.claims, claims);
            rr_seen_put(shared, &like, NOW);
        }
        if (i % 100 == 0) {
            apr_pool_clear(p);
            has(shared, number, NOW + 2); /* some have expired by then */
        }
    }
    return NULL;
}

static void threads(void)
{
    apr_thread_t *all[THREADS];
    apr_status_t rv;
    apr_size_t bytes;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, NULL);
    shared = rr_seen_make(p);
    for (i = 0; i < THREADS; i++) {
        apr_thread_create(&all[i], NULL, work, (void *)(size_t)i, p);
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, all[i]);
    }
    is_int(wrong, 0, "many threads: nobody gets another's token");
    i = rr_seen_count(shared, &bytes);
    ok(i > 0 && i <= RR_MAX_SEEN_TOKENS && bytes <= RR_MAX_SEEN_BYTES, "and the bounds hold");
    apr_pool_destroy(p);
}

int main(void)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    remembered();
    bounded();
    pinned();
    threads();
    return tap_end();
}
