/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_digests.c: the set of digests: it denies none that it has, and few others' are taken for one; its room.
 */
#include "rr.h"
#include "rr_digests.h"
#include "tap.h"

#include <stdlib.h>

/* The digest of that number: as random as a keyed hash (splitmix64), and the same each time. */
static void digest_of(unsigned char digest[RR_KEY_DIGEST_LEN], apr_uint64_t number)
{
    int i;

    for (i = 0; i < RR_KEY_DIGEST_LEN / 8; i++) {
        apr_uint64_t word = (number * 4 + (apr_uint64_t)i + 1) * 0x9e3779b97f4a7c15u;

        word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
        word = (word ^ word >> 27) * 0x94d049bb133111ebu;
        word ^= word >> 31;
        memcpy(digest + 8 * i, &word, 8);
    }
}

/* How many of these numbers the set may have. */
static long had(const rr_digests_t *digests, apr_uint64_t from, long many)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    long i, count = 0;

    for (i = 0; i < many; i++) {
        digest_of(digest, from + (apr_uint64_t)i);
        count += rr_digests_may_have(digests, digest);
    }
    return count;
}

static rr_digests_t *filled(long many)
{
    rr_digests_t *digests = rr_digests_make(many);
    unsigned char digest[RR_KEY_DIGEST_LEN];
    long i, refused = 0;

    for (i = 0; digests && i < many; i++) {
        digest_of(digest, (apr_uint64_t)i);
        refused += !rr_digests_add(digests, digest);
    }
    if (!digests || refused) {
        ok(0, "room for %ld", many);
        abort();
    }
    return digests;
}

#define OTHERS ((apr_uint64_t)1 << 40)
#define LOOKS 100000

static void sizes(void)
{
    static const long many[] = { 1, 31, 32, 33, 1000, 100000, 1000000, RR_MAX_DIGESTS };
    unsigned char digest[RR_KEY_DIGEST_LEN];
    size_t i;

    for (i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        rr_digests_t *digests = filled(many[i]);
        long taken = had(digests, OTHERS, LOOKS);

        is_int(had(digests, 0, many[i]), many[i], "every digest that was added is there");
        ok(taken < LOOKS / 300, "%ld: of %d others %ld are taken for one", many[i], LOOKS, taken);
        ok(rr_digests_size(digests) <= 2 * (size_t)many[i] + 128, "%ld: two bytes each: %zu", many[i], rr_digests_size(digests));
        is_int(rr_digests_count(digests), many[i], "counted");
        digest_of(digest, OTHERS);
        ok(!rr_digests_add(digests, digest), "%ld: one more has no room", many[i]);
        rr_digests_free(digests);
    }
}

static void bounds(void)
{
    rr_digests_t *none = rr_digests_make(0);

    ok(none != NULL, "no digest at all is a set");
    is_int(had(none, 0, 1000), 0, "that has none");
    rr_digests_free(none);
    ok(!rr_digests_make(RR_MAX_DIGESTS + 1), "one past the bound is none");
    ok(!rr_digests_make(-1), "nor is less than nothing");
    rr_digests_free(NULL);
}

/* Each of the bytes that a digest is looked for by counts. */
static void bits(void)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    rr_digests_t *one = filled(1);
    int i, told = 0;

    for (i = 0; i < 48; i++) {
        digest_of(digest, 0);
        digest[8 + i / 8] ^= (unsigned char)(1 << i % 8);
        told += !rr_digests_may_have(one, digest);
    }
    is_int(told, 48, "a digest that differs in one bit is another");
    rr_digests_free(one);
}

int main(void)
{
    bounds();
    sizes();
    bits();
    return tap_end();
}
