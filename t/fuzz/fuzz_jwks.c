/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_jwks.c: any bytes as a key set, of both kinds, and as a private key. A
 * set that loads has to be usable for a verification.
 */
#include "rr_jose.h"

#include "../unit/jose_vectors.h"

#include <apr_general.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void use(const rr_jwks_t *set, apr_pool_t *p)
{
    static const char *const tokens[] = { RFC7515_A1_TOKEN, RFC7515_A2_TOKEN, RFC7515_A3_TOKEN, RFC7515_A4_TOKEN,
                                          RFC8037_A_TOKEN };
    rr_jws_t *jws;
    size_t i;

    if (rr_jwks_count(set) < 1 || rr_jwks_count(set) > RR_MAX_JWKS_KEYS) {
        abort();
    }
    rr_jwks_kids(p, set);
    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        if (rr_jws_parse(&jws, tokens[i], strlen(tokens[i]), p, NULL) != APR_SUCCESS) {
            abort();
        }
        rr_jws_verify(jws, set, RR_ALGS_ASYMMETRIC | RR_ALGS_SYMMETRIC, NULL);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static apr_pool_t *root;
    const rr_jwks_t *set;
    const char *text;
    rr_jwk_t *key;
    apr_pool_t *p;
    int symmetric;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&p, root);
    for (symmetric = 0; symmetric < 2; symmetric++) {
        if (rr_jwks_parse(&set, (const char *)data, size, symmetric, p, NULL) == APR_SUCCESS) {
            use(set, p);
        } else if (set) {
            abort();
        }
    }
    if (rr_jwk_load_private(&key, (const char *)data, size, RR_ALG_NONE, NULL, p, NULL) == APR_SUCCESS) {
        if (rr_jws_sign(&text, key, "JWT", "{}", p, NULL) != APR_SUCCESS) {
            abort();
        }
    } else if (key) {
        abort();
    }
    apr_pool_destroy(p);
    return 0;
}
