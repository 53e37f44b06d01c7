/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signed.h: something signed, to be verified by OpenSSL alone: a key imported once and a digest fetched once, as a
 * server does it. t/bench/parts.c does so in a loop, mod_rr_verify.c in the handler of an httpd.
 *
 * Threads: a signed_t is read-only once it is made.
 */
#ifndef SIGNED_H
#define SIGNED_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <string.h>

typedef struct {
    EVP_PKEY *key;
    EVP_MD *md; /* NULL: Ed25519, which hashes by itself */
    unsigned char input[500], signature[512];
    size_t len;
} signed_t;

/* For "rs256", "es256" or "eddsa", with a new key; 0 on failure. */
static inline int signed_make(signed_t *made, const char *alg)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int done;

    memset(made, 0, sizeof(*made));
    made->key = !strcmp(alg, "rs256")   ? EVP_RSA_gen(2048)
                : !strcmp(alg, "es256") ? EVP_EC_gen("P-256")
                                        : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    made->md = strcmp(alg, "eddsa") ? EVP_MD_fetch(NULL, "SHA256", NULL) : NULL;
    made->len = sizeof(made->signature);
    done = ctx && made->key && EVP_DigestSignInit(ctx, NULL, made->md, NULL, made->key) == 1
           && EVP_DigestSign(ctx, made->signature, &made->len, made->input, sizeof(made->input)) == 1;
    EVP_MD_CTX_free(ctx);
    return done;
}

static inline int signed_verify(const signed_t *made)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = ctx && EVP_DigestVerifyInit(ctx, NULL, made->md, NULL, made->key) == 1
               && EVP_DigestVerify(ctx, made->signature, made->len, made->input, sizeof(made->input)) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

static inline void signed_free(signed_t *made)
{
    EVP_PKEY_free(made->key);
    EVP_MD_free(made->md);
}

#endif
