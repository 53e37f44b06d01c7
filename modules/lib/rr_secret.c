/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_secret.c: bytes that must not leak, and their envelope at rest.
 *
 * An envelope is `rr1:KEYID:BASE64` of nonce, ciphertext and tag. Format, key id
 * and the row's context are the associated data, so that an envelope moved to
 * another row, or relabelled with another key, does not open.
 *
 * Spec: NIST SP 800-38D (AES-256-GCM; random 96-bit nonces, far fewer than 2^32 per key).
 */
#include "rr_secret.h"
#include "rr_keyring.h"

#include <apr_base64.h>
#include <apr_strings.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string.h>

#define ENVELOPE "rr1"
#define NONCE_LEN 12
#define TAG_LEN 16

struct rr_secret_t {
    apr_size_t len;
    unsigned char *bytes; /* len of them and a NUL */
};

static apr_status_t wipe_secret(void *data)
{
    rr_secret_t *secret = data;

    rr_secret_wipe(secret->bytes, secret->len);
    return APR_SUCCESS;
}

rr_secret_t *rr_secret_make(apr_pool_t *p, const void *bytes, apr_size_t len)
{
    rr_secret_t *secret = apr_palloc(p, sizeof(*secret));

    secret->len = len;
    secret->bytes = apr_palloc(p, len + 1);
    if (len) {
        memcpy(secret->bytes, bytes, len);
    }
    secret->bytes[len] = '\0';
    apr_pool_cleanup_register(p, secret, wipe_secret, wipe_secret);
    return secret;
}

const unsigned char *rr_secret_bytes(const rr_secret_t *secret)
{
    return secret->bytes;
}

apr_size_t rr_secret_len(const rr_secret_t *secret)
{
    return secret->len;
}

void rr_secret_wipe(void *bytes, apr_size_t len)
{
    OPENSSL_cleanse(bytes, len);
}

/* Eight bytes a step, where OpenSSL's takes one: a token's signature has hundreds. */
int rr_secret_equal(const void *a, apr_size_t a_len, const void *b, apr_size_t b_len)
{
    const char *left = a, *right = b;
    apr_uint64_t differs = 0;
    apr_size_t i;

    if (a_len != b_len) {
        return 0;
    }
    for (i = 0; i + 8 <= a_len; i += 8) {
        apr_uint64_t x, y;

        memcpy(&x, left + i, 8);
        memcpy(&y, right + i, 8);
        differs |= x ^ y;
        __asm__("" : "+r"(differs)); /* the compiler must not see that it could end early */
    }
    return (differs | (apr_uint64_t)CRYPTO_memcmp(left + i, right + i, a_len - i)) == 0;
}

const char *rr_secret_redact(apr_pool_t *p, const char *secret, apr_size_t len)
{
    static const char *const prefixes[] = { "rr_live_", "rr_test_" };
    apr_size_t i;

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        apr_size_t prefix_len = strlen(prefixes[i]);

        if (len > prefix_len && !strncmp(secret, prefixes[i], prefix_len)) { /* lint: a public prefix */
            return apr_pstrcat(p, prefixes[i], "...", NULL);
        }
    }
    return apr_psprintf(p, "(%" APR_SIZE_T_FMT " bytes)", len);
}

apr_status_t rr_secret_random(void *bytes, apr_size_t len, rr_err_t *err)
{
    if (len > INT_MAX || RAND_bytes(bytes, (int)len) != 1) {
        return rr_err_set(err, RR_EUNAVAIL, "random", "the system has no random bytes");
    }
    return APR_SUCCESS;
}

apr_status_t rr_secret_base62(char *text, apr_size_t len, rr_err_t *err)
{
    unsigned char bytes[64]; /* many at a time: a call costs more than they do */
    apr_size_t have = 0, next = sizeof(bytes);
    apr_status_t rv = APR_SUCCESS;

    while (have < len && rv == APR_SUCCESS) {
        if (next == sizeof(bytes)) {
            rv = rr_secret_random(bytes, sizeof(bytes), err);
            next = 0;
        }
        else if (bytes[next++] < 4 * 62) { /* above, some characters would come up more often than others */
            text[have++] = RR_BASE62[bytes[next - 1] % 62];
        }
    }
    rr_secret_wipe(bytes, sizeof(bytes));
    return rv;
}

/* What is authenticated beside the ciphertext; a NUL ends each part so that no two contexts read alike. */
static apr_size_t associated_data(const unsigned char **pdata, const char *key_id, const char *context, apr_pool_t *p)
{
    apr_size_t id_len = strlen(key_id) + 1, context_len = strlen(context) + 1;
    char *data = apr_palloc(p, sizeof(ENVELOPE) + id_len + context_len);

    memcpy(data, ENVELOPE, sizeof(ENVELOPE));
    memcpy(data + sizeof(ENVELOPE), key_id, id_len);
    memcpy(data + sizeof(ENVELOPE) + id_len, context, context_len);
    *pdata = (const unsigned char *)data;
    return sizeof(ENVELOPE) + id_len + context_len;
}

apr_status_t rr_secret_seal(const char **psealed, const rr_keyring_t *ring, const char *context, const void *plain,
                            apr_size_t len, apr_pool_t *p, rr_err_t *err)
{
    const char *key_id = rr_keyring_id(ring);
    apr_size_t aad_len, raw_len = NONCE_LEN + len + TAG_LEN;
    const unsigned char *aad;
    unsigned char *raw, *tag;
    EVP_CIPHER_CTX *ctx;
    apr_status_t rv;
    char *text;
    int out = 0, last = 0, done;

    *psealed = NULL;
    if (len > RR_MAX_SECRET) {
        return rr_err_set(err, RR_EINVAL, context, "a secret has at most %d bytes", RR_MAX_SECRET);
    }
    raw = apr_palloc(p, raw_len);
    tag = raw + NONCE_LEN + len;
    rv = rr_secret_random(raw, NONCE_LEN, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    aad_len = associated_data(&aad, key_id, context, p);
    ctx = EVP_CIPHER_CTX_new();
    done = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, rr_keyring_sealing_key(ring), raw) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &out, aad, (int)aad_len) == 1 &&
           EVP_EncryptUpdate(ctx, raw + NONCE_LEN, &out, plain, (int)len) == 1 &&
           EVP_EncryptFinal_ex(ctx, raw + NONCE_LEN + out, &last) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!done) {
        return rr_err_set(err, RR_EUNAVAIL, context, "AES-256-GCM is not available from this libcrypto");
    }
    text = apr_palloc(p, (apr_size_t)apr_base64_encode_len((int)raw_len));
    apr_base64_encode_binary(text, raw, (int)raw_len);
    *psealed = apr_pstrcat(p, ENVELOPE ":", key_id, ":", text, NULL);
    return APR_SUCCESS;
}

/* Splits an envelope; the base64 has to be exactly what an encoder writes. */
static apr_status_t parse_envelope(const char **pkey_id, unsigned char **praw, apr_size_t *plen, const char *sealed,
                                   apr_pool_t *p)
{
    const char *id, *text;
    apr_size_t text_len;
    char *again;

    if (strncmp(sealed, ENVELOPE ":", sizeof(ENVELOPE)) || !(text = strchr(sealed + sizeof(ENVELOPE), ':'))) {
        return RR_ESEALED;
    }
    id = sealed + sizeof(ENVELOPE);
    text_len = strlen(++text);
    if (text_len > 2 * (RR_MAX_SECRET + NONCE_LEN + TAG_LEN)) {
        return RR_ESEALED;
    }
    *pkey_id = apr_pstrmemdup(p, id, (apr_size_t)(text - 1 - id));
    *praw = apr_palloc(p, (apr_size_t)apr_base64_decode_len(text) + 1);
    *plen = (apr_size_t)apr_base64_decode_binary(*praw, text);
    again = apr_palloc(p, (apr_size_t)apr_base64_encode_len((int)*plen));
    apr_base64_encode_binary(again, *praw, (int)*plen);
    return *plen >= NONCE_LEN + TAG_LEN && !strcmp(again, text) ? APR_SUCCESS : RR_ESEALED;
}

apr_status_t rr_secret_open(rr_secret_t **psecret, const rr_keyring_t *ring, const char *context, const char *sealed,
                            apr_pool_t *p, rr_err_t *err)
{
    const unsigned char *key, *aad;
    unsigned char *raw, *plain;
    apr_size_t raw_len, len, aad_len;
    const char *key_id;
    EVP_CIPHER_CTX *ctx;
    int out = 0, last = 0, done;

    *psecret = NULL;
    if (parse_envelope(&key_id, &raw, &raw_len, sealed, p) != APR_SUCCESS) {
        return rr_err_set(err, RR_ESEALED, context, "the sealed secret of %s is damaged", context);
    }
    key = rr_keyring_key(ring, key_id);
    if (!key) {
        return rr_err_set(err, RR_ESEALED, context, "%s is sealed by master key %.16s, which was not given", context,
                          key_id);
    }
    len = raw_len - NONCE_LEN - TAG_LEN;
    plain = apr_palloc(p, len + 1);
    aad_len = associated_data(&aad, key_id, context, p);
    ctx = EVP_CIPHER_CTX_new();
    done = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, raw) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &out, aad, (int)aad_len) == 1 &&
           EVP_DecryptUpdate(ctx, plain, &out, raw + NONCE_LEN, (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, raw + NONCE_LEN + len) == 1 &&
           EVP_DecryptFinal_ex(ctx, plain + out, &last) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (done) {
        *psecret = rr_secret_make(p, plain, len);
    }
    rr_secret_wipe(plain, len);
    if (!done) {
        return rr_err_set(err, RR_ESEALED, context,
                          "the sealed secret of %s does not open: changed, moved from another row, or another master "
                          "key of the same id",
                          context);
    }
    return APR_SUCCESS;
}
