/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_jws.c: any bytes as a token, taken apart, verified with the keys of the
 * RFCs, its claims checked. Nothing that is not one of the RFCs' own tokens may
 * verify, and what parses has the shape of a token.
 */
#include "rr_jose.h"

#include "../unit/jose_vectors.h"

#include <apr_general.h>

#include <sanitizer/lsan_interface.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define KEYS \
    "{\"keys\":[" RFC7515_A2_KEY "," RFC7515_A3_KEY "," RFC7515_A4_KEY "," RFC7520_RSA_KEY "," RFC7520_EC_KEY "," RFC8037_A_KEY "]}"
#define SECRETS "{\"keys\":[" RFC7515_A1_KEY "," RFC7520_OCT_KEY "]}"


static apr_pool_t *root;
static const rr_jwks_t *keys, *secrets;

/* What lives as long as the program is no leak, though a pool's memory is not searched for pointers to it. */
static void set_up(void)
{
    __lsan_disable();
    apr_initialize();
    atexit(apr_terminate); /* what OpenSSL made goes with its pool, which LeakSanitizer cannot look into */
    apr_pool_create(&root, NULL);
    if (rr_jwks_parse(&keys, KEYS, strlen(KEYS), 0, root, NULL) != APR_SUCCESS
        || rr_jwks_parse(&secrets, SECRETS, strlen(SECRETS), 1, root, NULL) != APR_SUCCESS) {
        abort();
    }
    __lsan_enable();
}

/* A signing input of the RFCs; the ECDSA ones have two signatures that verify: s may be the order less s. */
static int is_known(const rr_jws_t *jws)
{
    static const char *const tokens[] = { RFC7515_A1_TOKEN, RFC7515_A2_TOKEN, RFC7515_A3_TOKEN,
                                          RFC7515_A4_TOKEN, RFC7520_41_TOKEN, RFC7520_42_TOKEN,
                                          RFC7520_43_TOKEN, RFC7520_44_TOKEN, RFC8037_A_TOKEN };
    size_t i;

    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        if (jws->input_len == (apr_size_t)(strrchr(tokens[i], '.') - tokens[i])
            && !memcmp(jws->input, tokens[i], jws->input_len)) {
            return 1;
        }
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    rr_claims_policy_t policy = { "joe", NULL, 60000000, 3600000000, NULL };
    unsigned int all = RR_ALGS_ASYMMETRIC | RR_ALGS_SYMMETRIC;
    const char *token = (const char *)data;
    const rr_json_t *claims;
    rr_claims_t found;
    int shape, good;
    rr_jws_t *jws;
    apr_pool_t *p;

    if (!root) {
        set_up();
    }
    apr_pool_create(&p, root);
    shape = rr_jws_has_shape(token, size);
    if (rr_jws_parse(&jws, token, size, p, NULL) == APR_SUCCESS) {
        if (!shape) {
            abort();
        }
        good = rr_jws_verify(jws, keys, all, NULL) == APR_SUCCESS || rr_jws_verify(jws, secrets, all, NULL) == APR_SUCCESS;
        if (good && !is_known(jws)) {
            abort();
        }
        if (rr_json_parse_object(&claims, jws->payload, jws->payload_len, p, NULL) == APR_SUCCESS) {
            rr_claims_find(&found, claims);
            rr_claims_check(&found, &policy, apr_time_from_sec(1300819000), NULL);
        }
    }
    apr_pool_destroy(p);
    return 0;
}
