/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_key.c: shapes, checksums, digests and hints of API keys.
 */
#include "rr_key.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>

/* The checksum was computed with zlib's crc32 and a base62 writer of another language. */
#define GOOD "rr_live_0123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmy"

static const struct {
    const char *name, *key;
    rr_key_shape_e shape;
} shapes[] = {
    { "a known key", GOOD, RR_KEY_GENERATED },
    { "one character of the random part changed", "rr_live_1123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmy", RR_KEY_BROKEN },
    { "one character of the checksum changed", "rr_live_0123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmz", RR_KEY_BROKEN },
    { "the other prefix over the same rest", "rr_test_0123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmy", RR_KEY_BROKEN },
    { "one character short", "rr_live_0123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tm", RR_KEY_BROUGHT },
    { "one character long", GOOD "0", RR_KEY_BROUGHT },
    { "a character outside base62", "rr_live_0123456789ABCDEFGHIJKLMNOPQRSTU-3V9Tmy", RR_KEY_BROUGHT },
    { "a seed's placeholder", "rr_live_xxxxxxxxxxxxxx", RR_KEY_BROUGHT },
    { "another prefix", "rr_prod_0123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmy", RR_KEY_BROUGHT },
    { "prefix in capitals", "RR_LIVE_0123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmy", RR_KEY_BROUGHT },
    { "nothing", "", RR_KEY_BROUGHT },
};

static const struct {
    const char *name, *key, *refusal; /* NULL: accepted */
} brought[] = {
    { "12 characters", "abcdefghijkl", NULL },
    { "11 characters", "abcdefghijk", "12 to 512" },
    { "nothing", "", "12 to 512" },
    { "every mark", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", NULL },
    { "a blank inside", "abcdef ghijkl", "without blanks" },
    { "a tab inside", "abcdef\tghijkl", "without blanks" },
    { "a byte above ASCII", "abcdefghijkl\xc3\xa9", "ASCII" },
    { "a generated key", GOOD, NULL },
    { "a generated key, mistyped", "rr_live_1123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmy", "checksum" },
    { "a seed's placeholder", "rr_live_xxxxxxxxxxxxxx", NULL },
};

static void test_shapes(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        is_int(rr_key_shape(shapes[i].key, strlen(shapes[i].key)), shapes[i].shape, shapes[i].name);
    }
    is_int(rr_key_shape(GOOD "tail", RR_KEY_GENERATED_LEN), RR_KEY_GENERATED, "the length given counts, not a NUL");
}

static void test_brought(apr_pool_t *p)
{
    char *longest = apr_pcalloc(p, RR_MAX_KEY + 2);
    apr_size_t i;

    for (i = 0; i < sizeof(brought) / sizeof(brought[0]); i++) {
        rr_err_t err = RR_ERR_INIT;
        apr_status_t rv = rr_key_check_brought(brought[i].key, strlen(brought[i].key), &err);

        ok(brought[i].refusal ? rv == RR_EINVAL && strstr(err.text, brought[i].refusal) : rv == APR_SUCCESS,
           "brought: %s: %s", brought[i].name, err.text);
    }
    memset(longest, 'k', RR_MAX_KEY + 1);
    is_int(rr_key_check_brought(longest, RR_MAX_KEY, NULL), APR_SUCCESS, "the longest key");
    is_int(rr_key_check_brought(longest, RR_MAX_KEY + 1, NULL), RR_EINVAL, "one character past the longest");
}

static void test_mint(apr_pool_t *p)
{
    const char *key, *before = "";
    int i, wrong = 0, same = 0, seen[128] = { 0 }, letters = 0;

    for (i = 0; i < 500; i++) {
        const char *c;

        if (rr_key_mint(&key, i & 1, p, NULL) != APR_SUCCESS ||
            rr_key_shape(key, strlen(key)) != RR_KEY_GENERATED || strncmp(key, i & 1 ? "rr_test_" : "rr_live_", 8)) {
            wrong++;
        }
        same += !strcmp(key, before);
        before = key;
        for (c = key + 8; c < key + 40; c++) {
            seen[(int)*c] = 1;
        }
    }
    for (i = 0; i < 128; i++) {
        letters += seen[i];
    }
    is_int(wrong, 0, "500 keys are made in their shape");
    is_int(same, 0, "and differ");
    is_int(letters, 62, "and use the whole alphabet");
}

static const char *hex(apr_pool_t *p, const unsigned char *digest)
{
    char *text = apr_palloc(p, 2 * RR_KEY_DIGEST_LEN + 1);
    int i;

    for (i = 0; i < RR_KEY_DIGEST_LEN; i++) {
        apr_snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return text;
}

static void test_digest(apr_pool_t *p)
{
    unsigned char pepper[RR_KEY_PEPPER_LEN], digest[RR_KEY_DIGEST_LEN], again[RR_KEY_DIGEST_LEN];
    rr_key_digester_t *digester, *other;
    char *longest = calloc(1, RR_MAX_SECRET + 1);
    int i;

    /* RFC 4231, 4.2: a key of 20 times 0x0b is the same as one filled up with zeros. */
    memset(pepper, 0, sizeof(pepper));
    memset(pepper, 0x0b, 20);
    digester = rr_key_digester_make(pepper, p);
    is_int(rr_key_digest(digest, digester, "Hi There", 8), APR_SUCCESS, "a digest is made");
    is_str(hex(p, digest), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "RFC 4231, test case 1");

    is_int(rr_key_inner(again, digester, "Hi There", 8), APR_SUCCESS, "its inner hash is made");
    ok(memcmp(digest, again, sizeof(digest)) != 0, "which is not the digest"); /* lint: no secret */
    rr_key_outer(again, digester, again);
    is_str(hex(p, again), hex(p, digest), "and leads to it");

    for (i = 0; i < RR_KEY_PEPPER_LEN; i++) {
        pepper[i] = (unsigned char)i;
    }
    other = rr_key_digester_make(pepper, p);
    rr_key_digest(again, other, "Hi There", 8);
    ok(memcmp(digest, again, sizeof(digest)) != 0, "another pepper, another digest"); /* lint: no secret */
    rr_key_digest(digest, other, "Hi There ", 9);
    ok(memcmp(digest, again, sizeof(digest)) != 0, "a character more, another digest"); /* lint: no secret */
    rr_key_digest(digest, other, "Hi There\0", 9);
    ok(memcmp(digest, again, sizeof(digest)) != 0, "a NUL more, another digest"); /* lint: no secret */
    is_int(rr_key_digest(digest, other, longest, RR_MAX_SECRET), APR_SUCCESS, "the longest secret");
    is_int(rr_key_digest(digest, other, longest, RR_MAX_SECRET + 1), RR_EINVAL, "one byte past it");
    is_int(rr_key_inner(digest, other, longest, RR_MAX_SECRET + 1), RR_EINVAL, "nor has that an inner hash");
    free(longest);
}

static void test_hints(apr_pool_t *p)
{
    is_str(rr_key_hint(p, GOOD, strlen(GOOD)), "rr_live_...9Tmy", "hint of a generated key");
    is_str(rr_key_hint(p, "SG.abcdefghijklmnopqrstuvwx", 27), "...uvwx", "of a brought key");
    is_str(rr_key_hint(p, "abcdefghijkl", 12), "...", "of one too short to show any of");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_shapes();
    test_brought(p);
    test_mint(p);
    test_digest(p);
    test_hints(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
