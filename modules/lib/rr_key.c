/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_key.c: what an API key is: its shape, its making, the digest it is found by.
 *
 * A generated key carries 32 random base62 characters (190 bits), so a fast
 * keyed hash protects it as well as a slow one would; the pepper, which is not
 * in the database in clear, protects brought keys against a stolen database.
 *
 * Spec: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
 */
/*
 * SHA256_Init and its kin. What EVP does around them, three allocations and two copies on the heap for a digest, costs
 * more than hashing a key does, and every request with a key does it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "rr_key.h"
#include "rr_secret.h"

#include <apr_strings.h>
#include <openssl/sha.h>

#include <string.h>

#define PREFIX_LEN 8
#define RANDOM_LEN 32
#define CHECK_LEN 6

struct rr_key_digester_t {
    SHA256_CTX inner, outer; /* that have read the pepper under HMAC's two pads */
};

static int is_base62(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int has_prefix(const char *key)
{
    return !strncmp(key, "rr_live_", PREFIX_LEN) || !strncmp(key, "rr_test_", PREFIX_LEN);
}

/* CRC-32 as of zlib, by nibbles: a table of 16 is enough for 40 bytes. */
static apr_uint32_t crc32(const char *bytes, apr_size_t len)
{
    static const apr_uint32_t table[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                            0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                            0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };
    apr_uint32_t crc = 0xffffffff;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        crc = table[crc & 15] ^ (crc >> 4);
        crc = table[crc & 15] ^ (crc >> 4);
    }
    return ~crc;
}

static void write_check(char check[CHECK_LEN], const char *key)
{
    apr_uint32_t crc = crc32(key, PREFIX_LEN + RANDOM_LEN);
    int i;

    for (i = CHECK_LEN - 1; i >= 0; i--) {
        check[i] = RR_BASE62[crc % 62];
        crc /= 62;
    }
}

rr_key_shape_e rr_key_shape(const char *key, apr_size_t len)
{
    char check[CHECK_LEN];
    apr_size_t i;

    if (len != RR_KEY_GENERATED_LEN || !has_prefix(key)) {
        return RR_KEY_BROUGHT;
    }
    for (i = PREFIX_LEN; i < len; i++) {
        if (!is_base62(key[i])) {
            return RR_KEY_BROUGHT;
        }
    }
    write_check(check, key);
    return rr_secret_equal(check, CHECK_LEN, key + PREFIX_LEN + RANDOM_LEN, CHECK_LEN) ? RR_KEY_GENERATED
                                                                                    : RR_KEY_BROKEN;
}

apr_status_t rr_key_mint(const char **pkey, int test, apr_pool_t *p, rr_err_t *err)
{
    char key[RR_KEY_GENERATED_LEN];
    apr_status_t rv;

    *pkey = NULL;
    memcpy(key, test ? "rr_test_" : "rr_live_", PREFIX_LEN);
    rv = rr_secret_base62(key + PREFIX_LEN, RANDOM_LEN, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    write_check(key + PREFIX_LEN + RANDOM_LEN, key);
    *pkey = (const char *)rr_secret_bytes(rr_secret_make(p, key, sizeof(key)));
    rr_secret_wipe(key, sizeof(key));
    return APR_SUCCESS;
}

apr_status_t rr_key_check_brought(const char *key, apr_size_t len, rr_err_t *err)
{
    apr_size_t i;

    if (len < RR_MIN_KEY || len > RR_MAX_KEY) {
        return rr_err_set(err, RR_EINVAL, "key", "a key has %d to %d characters", RR_MIN_KEY, RR_MAX_KEY);
    }
    for (i = 0; i < len; i++) {
        if (key[i] <= ' ' || key[i] > '~') {
            return rr_err_set(err, RR_EINVAL, "key", "a key is printable ASCII without blanks");
        }
    }
    if (rr_key_shape(key, len) == RR_KEY_BROKEN) {
        return rr_err_set(err, RR_EINVAL, "key",
                          "the key has the shape of a generated key but a wrong checksum: a character was mistyped");
    }
    return APR_SUCCESS;
}

static apr_status_t wipe_digester(void *digester)
{
    rr_secret_wipe(digester, sizeof(rr_key_digester_t));
    return APR_SUCCESS;
}

/* SHA-256 that has read one pad. */
static void begin(SHA256_CTX *context, const unsigned char pepper[RR_KEY_PEPPER_LEN], unsigned char pad)
{
    unsigned char block[SHA256_CBLOCK];
    int i;

    for (i = 0; i < SHA256_CBLOCK; i++) {
        block[i] = (i < RR_KEY_PEPPER_LEN ? pepper[i] : 0) ^ pad;
    }
    SHA256_Init(context);
    SHA256_Update(context, block, sizeof(block));
    rr_secret_wipe(block, sizeof(block));
}

rr_key_digester_t *rr_key_digester_make(const unsigned char pepper[RR_KEY_PEPPER_LEN], apr_pool_t *p)
{
    rr_key_digester_t *digester = apr_palloc(p, sizeof(*digester));

    begin(&digester->inner, pepper, 0x36);
    begin(&digester->outer, pepper, 0x5c);
    apr_pool_cleanup_register(p, digester, wipe_digester, apr_pool_cleanup_null);
    return digester;
}

/* What context makes of some more bytes. SHA256_Final wipes those; of the copy is left what the caller gets. */
static void finish(unsigned char digest[RR_KEY_DIGEST_LEN], const SHA256_CTX *context, const void *bytes, apr_size_t len)
{
    SHA256_CTX copy = *context;

    SHA256_Update(&copy, bytes, len);
    SHA256_Final(digest, &copy);
}

apr_status_t rr_key_inner(unsigned char inner[RR_KEY_DIGEST_LEN], const rr_key_digester_t *digester, const char *key,
                          apr_size_t len)
{
    if (len > RR_MAX_SECRET) {
        return RR_EINVAL;
    }
    finish(inner, &digester->inner, key, len);
    return APR_SUCCESS;
}

void rr_key_outer(unsigned char digest[RR_KEY_DIGEST_LEN], const rr_key_digester_t *digester,
                  const unsigned char inner[RR_KEY_DIGEST_LEN])
{
    finish(digest, &digester->outer, inner, RR_KEY_DIGEST_LEN);
}

apr_status_t rr_key_digest(unsigned char digest[RR_KEY_DIGEST_LEN], const rr_key_digester_t *digester,
                           const char *key, apr_size_t len)
{
    unsigned char inner[RR_KEY_DIGEST_LEN];
    apr_status_t rv = rr_key_inner(inner, digester, key, len);

    if (rv == APR_SUCCESS) {
        rr_key_outer(digest, digester, inner);
        rr_secret_wipe(inner, sizeof(inner));
    }
    return rv;
}

const char *rr_key_hint(apr_pool_t *p, const char *key, apr_size_t len)
{
    /* Four characters of a short brought key would be a good part of it. */
    const char *tail = len >= 20 ? apr_pstrmemdup(p, key + len - 4, 4) : "";

    return apr_pstrcat(p, len > PREFIX_LEN && has_prefix(key) ? apr_pstrmemdup(p, key, PREFIX_LEN) : "", "...", tail,
                       NULL);
}
