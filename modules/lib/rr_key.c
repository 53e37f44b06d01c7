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
#include "rr_key.h"
#include "rr_secret.h"

#include <apr_strings.h>
#include <openssl/evp.h>

#include <string.h>

#define PREFIX_LEN 8
#define RANDOM_LEN 32
#define CHECK_LEN 6
#define BLOCK_LEN 64 /* of SHA-256 */

struct rr_key_digester_t {
    EVP_MD_CTX *inner, *outer; /* SHA-256 that has read the pepper under HMAC's two pads; NULL where memory failed */
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

static apr_status_t free_digester(void *data)
{
    rr_key_digester_t *digester = data;

    EVP_MD_CTX_free(digester->inner); /* it wipes */
    EVP_MD_CTX_free(digester->outer);
    return APR_SUCCESS;
}

/* SHA-256 that has read one pad; NULL where memory fails. */
static EVP_MD_CTX *begin(EVP_MD *sha256, const unsigned char pepper[RR_KEY_PEPPER_LEN], unsigned char pad)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char block[BLOCK_LEN];
    int i, done;

    for (i = 0; i < BLOCK_LEN; i++) {
        block[i] = (i < RR_KEY_PEPPER_LEN ? pepper[i] : 0) ^ pad;
    }
    done = context && sha256 && EVP_DigestInit_ex2(context, sha256, NULL) == 1 &&
           EVP_DigestUpdate(context, block, sizeof(block)) == 1;
    rr_secret_wipe(block, sizeof(block));
    if (!done) {
        EVP_MD_CTX_free(context);
    }
    return done ? context : NULL;
}

rr_key_digester_t *rr_key_digester_make(const unsigned char pepper[RR_KEY_PEPPER_LEN], apr_pool_t *p)
{
    rr_key_digester_t *digester = apr_pcalloc(p, sizeof(*digester));
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL); /* once: a look-up by name costs more than the hash */

    digester->inner = begin(sha256, pepper, 0x36);
    digester->outer = begin(sha256, pepper, 0x5c);
    EVP_MD_free(sha256); /* the contexts keep it */
    apr_pool_cleanup_register(p, digester, free_digester, apr_pool_cleanup_null);
    return digester;
}

apr_status_t rr_key_digest(unsigned char digest[RR_KEY_DIGEST_LEN], const rr_key_digester_t *digester,
                           const char *key, apr_size_t len)
{
    unsigned char inner[RR_KEY_DIGEST_LEN];
    EVP_MD_CTX *context;
    int done;

    if (len > RR_MAX_SECRET || !digester->inner || !digester->outer || !(context = EVP_MD_CTX_new())) {
        return len > RR_MAX_SECRET ? RR_EINVAL : RR_EUNAVAIL;
    }
    done = EVP_MD_CTX_copy_ex(context, digester->inner) == 1 && EVP_DigestUpdate(context, key, len) == 1 &&
           EVP_DigestFinal_ex(context, inner, NULL) == 1 && EVP_MD_CTX_copy_ex(context, digester->outer) == 1 &&
           EVP_DigestUpdate(context, inner, sizeof(inner)) == 1 && EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context); /* it wipes */
    rr_secret_wipe(inner, sizeof(inner));
    return done ? APR_SUCCESS : RR_EUNAVAIL;
}

const char *rr_key_hint(apr_pool_t *p, const char *key, apr_size_t len)
{
    /* Four characters of a short brought key would be a good part of it. */
    const char *tail = len >= 20 ? apr_pstrmemdup(p, key + len - 4, 4) : "";

    return apr_pstrcat(p, len > PREFIX_LEN && has_prefix(key) ? apr_pstrmemdup(p, key, PREFIX_LEN) : "", "...", tail,
                       NULL);
}
