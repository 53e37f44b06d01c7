/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_jws.c: the shape of tokens, taking them apart, verifying them: vectors of
 * the RFCs, a round trip for every algorithm, and what RFC 8725 warns of.
 */
#include "rr_jose.h"

#include "jose_vectors.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <openssl/evp.h>

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

/* The signing input's SHA-256 is found by the way where the algorithm has it, and is right; only then. */
static void digested(const char *token, const rr_jwks_t *set, rr_alg_e alg)
{
    int wanted = (alg & (RR_ALG_RS256 | RR_ALG_PS256 | RR_ALG_ES256 | RR_ALG_ES256K)) != 0;
    unsigned char digest[EVP_MAX_MD_SIZE];
    rr_jws_t *jws = NULL;

    rr_jws_parse(&jws, token, strlen(token), pool, NULL);
    ok(!jws->is_digested, "nothing is digested before");
    rr_jws_verify(jws, set, ALL, NULL);
    is_int(jws->is_digested, wanted, "digested, where the algorithm has SHA-256");
    EVP_Digest(token, (apr_size_t)(strrchr(token, '.') - token), digest, NULL, EVP_sha256(), NULL);
    ok(!wanted || !memcmp(jws->sha256, digest, sizeof(jws->sha256)), "rightly");
    is_int(rr_jws_verify(jws, set, ALL, NULL), APR_SUCCESS, "and once: it verifies again");
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
    const char *last_token = NULL;
    rr_alg_e last_alg = RR_ALG_NONE;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name = cases[i].alg, *jwk, *token, *other_jwk;
        rr_alg_e alg = rr_alg_parse(name, strlen(name));
        int symmetric = (alg & RR_ALGS_SYMMETRIC) != 0;
        rr_err_t err = RR_ERR_INIT;
        rr_jwk_t *key, *other;
        const rr_jwks_t *set;

        is_int(rr_jwk_generate(&key, alg, cases[i].crv, "k1", pool, &err), APR_SUCCESS,
               apr_pstrcat(pool, name, ": generate", NULL));
        is_int(rr_jwk_print(&jwk, key, symmetric, pool, &err), APR_SUCCESS, "print");
        set = set_of(jwk, symmetric);
        is_int(rr_jws_sign(&token, key, "JWT", "{\"sub\":\"x\"}", pool, &err), APR_SUCCESS, "sign");
        ok(rr_jws_has_shape(token, strlen(token)), "it has the shape");
        is_int(judge(token, set, ALL, &err), APR_SUCCESS, apr_pstrcat(pool, name, ": verifies", NULL));
        digested(token, set, alg);
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
            is_int(judge(last_token, set, ALL, NULL), alg == last_alg ? RR_ESIGNATURE : RR_EDENIED,
                   "a token of another algorithm or curve is not this key's");
        }
        last_token = token;
        last_alg = alg;
    }
}

static void vectors(void)
{
    static const struct {
        const char *name, *key, *token;
        int symmetric;
    } cases[] = {
        { "RFC 7515 A.1 HS256", RFC7515_A1_KEY, RFC7515_A1_TOKEN, 1 },
        { "RFC 7515 A.2 RS256", RFC7515_A2_KEY, RFC7515_A2_TOKEN, 0 },
        { "RFC 7515 A.3 ES256", RFC7515_A3_KEY, RFC7515_A3_TOKEN, 0 },
        { "RFC 7515 A.4 ES512", RFC7515_A4_KEY, RFC7515_A4_TOKEN, 0 },
        { "RFC 7520 4.1 RS256", RFC7520_RSA_KEY, RFC7520_41_TOKEN, 0 },
        { "RFC 7520 4.2 PS384", RFC7520_RSA_KEY, RFC7520_42_TOKEN, 0 },
        { "RFC 7520 4.3 ES512", RFC7520_EC_KEY, RFC7520_43_TOKEN, 0 },
        { "RFC 7520 4.4 HS256", RFC7520_OCT_KEY, RFC7520_44_TOKEN, 1 },
        { "RFC 8037 A.4 Ed25519", RFC8037_A_KEY, RFC8037_A_TOKEN, 0 },
    };
    rr_err_t err = RR_ERR_INIT;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const rr_jwks_t *set = set_of(cases[i].key, cases[i].symmetric);

        is_int(judge(cases[i].token, set, ALL, NULL), APR_SUCCESS, cases[i].name);
        is_int(judge(mangled(cases[i].token, 1), set, ALL, NULL), RR_ESIGNATURE, "with another payload");
        is_int(judge(mangled(cases[i].token, 2), set, ALL, NULL), RR_ESIGNATURE, "with another signature");
    }
    is_int(judge(RFC7515_A5_TOKEN, set_of(RFC7515_A2_KEY, 0), ALL, &err), RR_EDENIED, "RFC 7515 A.5 none");
    is_str(err.text, "the token's alg 'none' is not allowed", "none: why");
    ok(rr_jws_has_shape(RFC7515_A5_TOKEN, strlen(RFC7515_A5_TOKEN)), "it has the shape: it is refused as a token");
}

static void shapes(void)
{
    static const struct {
        const char *name, *header, *rest; /* header is encoded unless NULL: then rest is all */
        int shape;
    } cases[] = {
        { "the least", "{\"alg\":\"x\"}", ".e30.AA", 1 },
        { "alg of any kind", "{\"alg\":7}", ".e30.AA", 1 },
        { "alg among others", "{\"kid\":\"a\",\"x\":[{}],\"alg\":\"x\"}", ".e30.AA", 1 },
        { "alg escaped", "{\"\\u0061lg\":\"x\"}", ".e30.AA", 1 },
        { "blanks", " { \"alg\" : 1 } ", ".e30.AA", 1 },
        { "empty payload and signature", "{\"alg\":\"x\"}", "..", 1 },
        { "alg in a value only", "{\"a\":\"alg\"}", ".e30.AA", 0 },
        { "alg deeper only", "{\"a\":{\"alg\":\"x\"}}", ".e30.AA", 0 },
        { "Alg", "{\"Alg\":\"x\"}", ".e30.AA", 0 },
        { "alg twice", "{\"alg\":\"x\",\"alg\":\"x\"}", ".e30.AA", 0 },
        { "no object", "[\"alg\"]", ".e30.AA", 0 },
        { "string", "\"alg\"", ".e30.AA", 0 },
        { "broken", "{\"alg\":\"x\"", ".e30.AA", 0 },
        { "one dot", "{\"alg\":\"x\"}", ".e30", 0 },
        { "no dot", "{\"alg\":\"x\"}", "", 0 },
        { "three dots", "{\"alg\":\"x\"}", ".e30.AA.", 0 },
        { "four dots", "{\"alg\":\"x\"}", ".e30.AA.AA.AA", 0 },
        { "a blank in the payload", "{\"alg\":\"x\"}", ".e3 0.AA", 0 },
        { "padding", "{\"alg\":\"x\"}", ".e30=.AA", 0 },
        { "plus in the signature", "{\"alg\":\"x\"}", ".e30.A+", 0 },
        { "a character too many", "{\"alg\":\"x\"}", ".e30.AAAAA", 0 },
        { "empty header", NULL, ".e30.AA", 0 },
        { "words", NULL, "not.a.token", 0 },
        { "a key", NULL, "rr_live_4dK2mXq8Zt1uVw9yAb3CeF5gHiJ7kLmNoP0rSt", 0 },
        { "a key with dots", NULL, "sk.0123456789.abcdef", 0 },
        { "nothing", NULL, "", 0 },
        { "dots", NULL, "..", 0 },
    };
    char *many = apr_pstrdup(pool, "{\"alg\":\"x\"");
    rr_jws_t *jws;
    const char *text;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text = apr_pstrcat(pool, cases[i].header ? b64(cases[i].header) : "", cases[i].rest, NULL);
        is_int(rr_jws_has_shape(text, strlen(text)), cases[i].shape, apr_pstrcat(pool, "shape: ", cases[i].name, NULL));
    }
    for (i = 1; i < 64; i++) {
        many = apr_psprintf(pool, "%s,\"m%d\":0", many, (int)i);
    }
    text = apr_pstrcat(pool, b64(apr_pstrcat(pool, many, "}", NULL)), ".e30.AA", NULL);
    ok(rr_jws_has_shape(text, strlen(text)), "shape: as many members as are looked at");
    is_int(rr_jws_parse(&jws, text, strlen(text), pool, NULL), APR_SUCCESS, "and what has it is taken apart");
    text = apr_pstrcat(pool, b64(apr_pstrcat(pool, many, ",\"m\":0}", NULL)), ".e30.AA", NULL);
    ok(!rr_jws_has_shape(text, strlen(text)), "shape: one more");
    is_int(rr_jws_parse(&jws, text, strlen(text), pool, NULL), RR_EINVAL, "which is not taken apart either");
    ok(rr_jws_has_shape("eyJhbGciOjF9.e30.AAxxx!", 19), "shape: the text ends at len");
}

static void headers(void)
{
    static const struct {
        const char *header;
        const char *where; /* NULL: accepted */
    } cases[] = {
        { "{\"alg\":\"RS256\"}", NULL },
        { "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", NULL },
        { "{\"alg\":\"RS256\",\"typ\":\"jwt\"}", NULL },
        { "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", NULL },
        { "{\"alg\":\"RS256\",\"typ\":\"application/at+JWT\"}", NULL },
        { "{\"alg\":\"RS256\",\"typ\":\"Application/jwt\"}", NULL },
        { "{\"alg\":\"RS256\",\"typ\":\"dpop+jwt\"}", "typ" },
        { "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", "typ" },
        { "{\"alg\":\"RS256\",\"typ\":\"\"}", "typ" },
        { "{\"alg\":\"RS256\",\"typ\":null}", "typ" },
        { "{\"alg\":\"RS256\",\"typ\":[\"JWT\"]}", "typ" },
        { "{\"alg\":\"RS256\",\"typ\":\"text/jwt\"}", "typ" },
        { "{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", "crit" },
        { "{\"alg\":\"RS256\",\"crit\":[]}", "crit" },
        { "{\"alg\":\"RS256\",\"crit\":null}", "crit" },
        { "{\"alg\":\"RS256\",\"b64\":true}", NULL },
        { "{\"alg\":\"RS256\",\"b64\":false}", "b64" },
        { "{\"alg\":\"RS256\",\"b64\":\"true\"}", "b64" },
        { "{\"alg\":\"RS256\",\"kid\":\"a\"}", NULL },
        { "{\"alg\":\"RS256\",\"kid\":7}", "kid" },
        { "{\"alg\":\"RS256\",\"kid\":null}", "kid" },
        { "{\"kid\":\"a\"}", "alg" },
        { "{\"alg\":[\"RS256\"]}", "alg" },
        { "{\"alg\":null}", "alg" },
        { "{}", "alg" },
        { "{\"alg\":\"RS256\",\"jku\":\"https://evil.example/\",\"x5u\":7,\"jwk\":{},\"x5c\":[]}", NULL },
        { "{\"alg\":\"RS256\",\"alg\":\"RS256\"}", "" },
        { "{\"alg\":\"RS256\"}x", "" },
        { "[]", "" },
        { "", "" },
        { "{\"alg\":\"RS256\",\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", "" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *token = compose(cases[i].header, "{}", "AA");
        rr_err_t err = RR_ERR_INIT;
        rr_jws_t *jws = (rr_jws_t *)&err;
        apr_status_t rv = rr_jws_parse(&jws, token, strlen(token), pool, &err);

        is_int(rv, cases[i].where ? RR_EINVAL : APR_SUCCESS, cases[i].header);
        is_str(err.where, cases[i].where ? cases[i].where : "", "where");
        ok(!jws == !!cases[i].where, "a token or none");
    }
}

static void forms(void)
{
    static const char header[] = "eyJhbGciOiJSUzI1NiJ9";
    static const struct {
        const char *name, *rest;
        apr_status_t want;
    } cases[] = {
        { "three segments", ".e30.AA", APR_SUCCESS },
        { "no signature", ".e30.", APR_SUCCESS }, /* refused when it is verified */
        { "one segment", "", RR_EINVAL },
        { "two segments", ".e30", RR_EINVAL },
        { "four segments", ".e30.AA.AA", RR_EINVAL },
        { "five segments", ".e30.AA.AA.AA", RR_EINVAL },
        { "padding", ".e30=.AA", RR_EINVAL },
        { "a newline behind", ".e30.AA\n", RR_EINVAL },
        { "a blank within", ".e3 0.AA", RR_EINVAL },
        { "base64 that is not url", ".e30.A/", RR_EINVAL },
        { "stray bits, two characters", ".e30.AB", RR_EINVAL },
        { "stray bits, three characters", ".e30.AAB", RR_EINVAL },
        { "five characters", ".e30.AAAAA", RR_EINVAL },
        { "UTF-8", ".e30.\xc3\xa9", RR_EINVAL },
    };
    rr_err_t err = RR_ERR_INIT;
    rr_jws_t *jws;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *token = apr_pstrcat(pool, header, cases[i].rest, NULL);

        is_int(rr_jws_parse(&jws, token, strlen(token), pool, NULL), cases[i].want, cases[i].name);
    }
    rr_jws_parse(&jws, "a.b.c.d.e", 9, pool, &err);
    is_str(err.text, "an encrypted token (JWE); only signed ones are supported", "a JWE is named as such");
    is_int(rr_jws_parse(&jws, "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.AQIDxx", 36, pool, NULL), APR_SUCCESS, "the token ends at len");
    is_int((long long)jws->signature_len, 3, "signature");
    is_str((const char *)jws->signature, "\1\2\3", "its bytes");
    is_str(jws->payload, "{\"a\":1}", "payload");
    is_int((long long)jws->payload_len, 7, "its length");
    is_int((long long)jws->input_len, 31, "signing input");
    is_int(jws->alg, RR_ALG_RS256, "alg");
    is_str(jws->alg_name, "RS256", "its name");
    ok(!jws->kid && !jws->typ && rr_json_member(jws->header, "alg"), "no kid, no typ, a header");
}

static const char *filled(apr_size_t count)
{
    char *text = apr_palloc(pool, count + 1);

    memset(text, 'A', count);
    text[count] = '\0';
    return text;
}

static apr_status_t parse_status(const char *token)
{
    rr_jws_t *jws;

    return rr_jws_parse(&jws, token, strlen(token), pool, NULL);
}

static void ceilings(void)
{
    static const char start[] = "eyJhbGciOiJSUzI1NiJ9..", frame[] = "{\"alg\":\"RS256\",\"a\":\"\"}";
    apr_size_t room = RR_MAX_TOKEN - (sizeof(start) - 1), header = RR_MAX_TOKEN_HEADER - (sizeof(frame) - 1);

    ok(room % 4 == 2, "a signature can end at the ceiling");
    is_int(parse_status(apr_pstrcat(pool, start, filled(room), NULL)), APR_SUCCESS, "a token at the limit");
    is_int(parse_status(apr_pstrcat(pool, start, filled(room + 1), NULL)), RR_EINVAL, "and one past it");
    is_int(parse_status(compose(apr_pstrcat(pool, "{\"alg\":\"RS256\",\"a\":\"", filled(header), "\"}", NULL), "{}", "AA")),
           APR_SUCCESS, "a header at the limit");
    is_int(parse_status(compose(apr_pstrcat(pool, "{\"alg\":\"RS256\",\"a\":\"", filled(header + 1), "\"}", NULL), "{}", "AA")),
           RR_EINVAL, "and one past it");
    is_int(parse_status(compose(apr_pstrcat(pool, "{\"alg\":\"RS256\",\"kid\":\"", filled(RR_MAX_KID), "\"}", NULL), "{}", "AA")),
           APR_SUCCESS, "a kid at the limit");
    is_int(parse_status(compose(apr_pstrcat(pool, "{\"alg\":\"RS256\",\"kid\":\"", filled(RR_MAX_KID + 1), "\"}", NULL), "{}",
                                "AA")),
           RR_EINVAL, "and one past it");
}

/* RFC 8725, 2.1 and 3.1: the key decides. */
static void confusion(void)
{
    static const char *const names[] = { "none", "None", "NONE", "nOnE", "", "RS1", "rs256", "HS256 ", "RSA-OAEP" };
    const rr_jwks_t *rsa = set_of(RFC7515_A2_KEY, 0), *ec = set_of(RFC7515_A3_KEY, 0), *secret;
    const char *text = rr_jwks_count(rsa) ? RFC7515_A2_KEY : "", *input, *token;
    unsigned char mac[32];
    size_t i, len;

    /* HS256 with the public key as the secret: as the attacker knows it, byte for byte */
    input = apr_pstrcat(pool, b64("{\"alg\":\"HS256\"}"), ".e30", NULL);
    EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, text, strlen(text), (const unsigned char *)input, strlen(input), mac,
              sizeof(mac), &len);
    token = apr_pstrcat(pool, input, ".", rr_base64url_encode(pool, mac, len), NULL);
    rr_jwks_from_secret(&secret, (const unsigned char *)text, strlen(text), pool, NULL);
    is_int(judge(token, secret, ALL, NULL), APR_SUCCESS, "a token of HS256 under the public key's text");
    is_int(judge(token, rsa, ALL, NULL), RR_ENOKEY, "is nothing to the public key itself");
    is_int(judge(token, rsa, RR_ALGS_ASYMMETRIC, NULL), RR_EDENIED, "and less so under the usual policy");
    is_int(judge(RFC7515_A2_TOKEN, secret, ALL, NULL), RR_ENOKEY, "nor is RS256 anything to a secret");
    is_int(judge(RFC7515_A2_TOKEN, ec, ALL, NULL), RR_ENOKEY, "nor to a curve's key");
    is_int(judge(RFC7515_A2_TOKEN, rsa, ALL, NULL), APR_SUCCESS, "its own key does verify it");

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        token = compose(apr_pstrcat(pool, "{\"alg\":\"", names[i], "\"}", NULL), "{}", "");
        is_int(judge(token, rsa, ALL, NULL), RR_EDENIED, apr_psprintf(pool, "alg '%s' without a signature", names[i]));
        is_int(judge(apr_pstrcat(pool, token, "AAAA", NULL), rsa, ALL, NULL), RR_EDENIED, "and with one");
    }
    is_int(judge(compose("{\"alg\":\"RS256\"}", "{}", ""), rsa, ALL, NULL), RR_ESIGNATURE, "RS256 without a signature");
    is_int(judge(compose("{\"alg\":\"ES256\"}", "{}", ""), ec, ALL, NULL), RR_ESIGNATURE, "ES256 without a signature");
    is_int(judge(compose("{\"alg\":\"HS256\"}", "{}", ""), secret, ALL, NULL), RR_ESIGNATURE, "HS256 without a signature");
    is_int(judge(RFC7515_A2_TOKEN, rsa, 0, NULL), RR_EDENIED, "a policy of nothing");
}

/* A token may bring a key along; it is not looked at. */
static void embedded(void)
{
    rr_jwk_t *evil;
    const char *jwk, *header, *input, *token, *last;
    const rr_jwks_t *ours = set_of(RFC7515_A3_KEY, 0);

    rr_jwk_generate(&evil, RR_ALG_ES256, NULL, "evil", pool, NULL);
    rr_jwk_print(&jwk, evil, 0, pool, NULL);
    rr_jws_sign(&token, evil, NULL, "{}", pool, NULL);
    is_int(judge(token, set_of(jwk, 0), ALL, NULL), APR_SUCCESS, "a token of their own key, by their set");
    is_int(judge(token, ours, ALL, NULL), RR_ENOKEY, "is of no key of ours");
    last = strrchr(token, '.');
    header = apr_pstrcat(pool, "{\"alg\":\"ES256\",\"jwk\":", jwk, ",\"jku\":\"https://evil.example/jwks\"}", NULL);
    input = apr_pstrcat(pool, b64(header), ".e30", NULL);
    is_int(judge(apr_pstrcat(pool, input, last, NULL), ours, ALL, NULL), RR_ESIGNATURE, "also where it embeds that key");
}

static const char *with_signature(const char *token, const unsigned char *bytes, apr_size_t len)
{
    return apr_pstrcat(pool, apr_pstrmemdup(pool, token, (apr_size_t)(strrchr(token, '.') + 1 - token)),
                       rr_base64url_encode(pool, bytes, len), NULL);
}

/* Signatures that pass where r and s are not looked at (the class of CVE-2022-21449), and DER where raw is due. */
static void ecdsa_signatures(void)
{
    static const unsigned char order[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                             0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
    const rr_jwks_t *set = set_of(RFC7515_A3_KEY, 0), *wide = set_of(RFC7515_A4_KEY, 0);
    const char *token = RFC7515_A3_TOKEN, *last = strrchr(token, '.') + 1;
    const unsigned char *good;
    unsigned char bad[144] = { 0 }, ones[132];
    apr_size_t len;

    memset(ones, 0xff, sizeof(ones));
    rr_base64url_decode(&good, &len, last, strlen(last), pool);
    is_int((long long)len, 64, "an ES256 signature has 64 bytes");
    is_int(judge(with_signature(token, good, 64), set, ALL, NULL), APR_SUCCESS, "as it is");
    is_int(judge(with_signature(token, bad, 64), set, ALL, NULL), RR_ESIGNATURE, "r and s zero");
    memcpy(bad + 32, good + 32, 32);
    is_int(judge(with_signature(token, bad, 64), set, ALL, NULL), RR_ESIGNATURE, "r zero");
    memcpy(bad, good, 32);
    memset(bad + 32, 0, 32);
    is_int(judge(with_signature(token, bad, 64), set, ALL, NULL), RR_ESIGNATURE, "s zero");
    memcpy(bad, order, 32);
    memcpy(bad + 32, order, 32);
    is_int(judge(with_signature(token, bad, 64), set, ALL, NULL), RR_ESIGNATURE, "r and s the order");
    is_int(judge(with_signature(token, ones, 64), set, ALL, NULL), RR_ESIGNATURE, "r and s past it");
    is_int(judge(with_signature(RFC7515_A4_TOKEN, ones, 132), wide, ALL, NULL), RR_ESIGNATURE, "P-521, all bits set");
    is_int(judge(with_signature(token, good, 63), set, ALL, NULL), RR_ESIGNATURE, "63 bytes");
    memcpy(bad, good, 64);
    bad[64] = 0;
    is_int(judge(with_signature(token, bad, 65), set, ALL, NULL), RR_ESIGNATURE, "65 bytes");

    /* the same r and s as DER: 30 45 02 20 r 02 21 00 s (s has its top bit set) */
    memcpy(bad, "\x30\x45\x02\x20", 4);
    memcpy(bad + 4, good, 32);
    memcpy(bad + 36, "\x02\x21\x00", 3);
    memcpy(bad + 39, good + 32, 32);
    is_int(judge(with_signature(token, bad, 71), set, ALL, NULL), RR_ESIGNATURE, "DER");
}

/* Which keys a token is tried with. */
static void selection(void)
{
    const char *keys[RR_MAX_KEYS_TRIED + 1], *tokens[RR_MAX_KEYS_TRIED + 1], *all = "", *unnamed, *bare;
    rr_err_t err = RR_ERR_INIT;
    const rr_jwks_t *set, *mixed, *eight;
    rr_jwk_t *key;
    int i;

    for (i = 0; i <= RR_MAX_KEYS_TRIED; i++) {
        rr_jwk_generate(&key, RR_ALG_EDDSA, NULL, apr_psprintf(pool, "k%d", i), pool, NULL);
        rr_jwk_print(&keys[i], key, 0, pool, NULL);
        rr_jws_sign(&tokens[i], key, NULL, "{}", pool, NULL);
        all = apr_pstrcat(pool, all, *all ? "," : "", keys[i], NULL);
    }
    set = set_of(all, 0);
    is_int(rr_jwks_count(set), RR_MAX_KEYS_TRIED + 1, "nine keys");
    is_int(judge(tokens[RR_MAX_KEYS_TRIED], set, ALL, NULL), APR_SUCCESS, "the last by its id");
    ok(rr_jwks_has_kid(set, "k8x", 2) && !rr_jwks_has_kid(set, "k9", 2) && !rr_jwks_has_kid(set, "k8", 1), "ids");

    set = set_of(keys[0], 0);
    is_int(judge(tokens[1], set, ALL, &err), RR_ENOKEY, "an id that the set does not have");
    is_str(err.text, "no key of id 'k1' in the set", "is named");
    is_int(judge(RFC8037_A_TOKEN, set, ALL, NULL), RR_ESIGNATURE, "a token without id is tried with each");
    is_int(judge(RFC8037_A_TOKEN, set_of(apr_pstrcat(pool, keys[0], "," RFC8037_A_KEY, NULL), 0), ALL, NULL), APR_SUCCESS,
           "until one verifies");
    eight = set_of(apr_pstrcat(pool, keys[0], ",", keys[1], ",", keys[2], ",", keys[3], ",", keys[4], ",", keys[5], ",",
                               keys[6], "," RFC8037_A_KEY, NULL), 0);
    is_int(judge(RFC8037_A_TOKEN, eight, ALL, NULL), APR_SUCCESS, "the eighth is tried");
    set = set_of(apr_pstrcat(pool, keys[0], ",", keys[1], ",", keys[2], ",", keys[3], ",", keys[4], ",", keys[5], ",",
                             keys[6], ",", keys[7], "," RFC8037_A_KEY, NULL), 0);
    is_int(judge(RFC8037_A_TOKEN, set, ALL, NULL), RR_ESIGNATURE, "the ninth is not");

    unnamed = apr_pstrcat(pool, "{", strstr(keys[1], "\"use\""), NULL); /* key 1 without its id */
    mixed = set_of(apr_pstrcat(pool, keys[0], ",", unnamed, NULL), 0);
    is_int(judge(tokens[1], mixed, ALL, NULL), APR_SUCCESS, "a key without id may be the one that is meant");
    is_int(judge(tokens[2], mixed, ALL, NULL), RR_ENOKEY, "but where it is not, the id is unknown");
    is_int(judge(tokens[0], mixed, ALL, NULL), APR_SUCCESS, "the named key is found beside it");

    bare = compose("{\"alg\":\"RS256\",\"kid\":\"k0\"}", "{}", "AAAA");
    is_int(judge(bare, mixed, ALL, &err), RR_EDENIED, "the id of a key that is not for the algorithm");
    is_int(judge(compose("{\"alg\":\"RS256\"}", "{}", "AAAA"), mixed, ALL, NULL), RR_ENOKEY, "no id, and no key for it");
    is_int(judge(RFC7520_44_TOKEN, set_of(RFC7515_A1_KEY, 1), ALL, NULL), RR_ESIGNATURE,
           "a secret has no id to be missed: a forged HS token is forged, not of an unknown key");
}

static void names(void)
{
    is_str(rr_alg_names(pool, RR_ALG_RS256 | RR_ALG_EDDSA), "RS256 EdDSA", "names of a mask");
    is_str(rr_alg_names(pool, 0), "", "of none");
    is_str(rr_alg_name(RR_ALG_ES256K), "ES256K", "name");
    ok(!rr_alg_name(RR_ALG_NONE), "none has no name");
    is_int(rr_alg_parse("ES256Kx", 6), RR_ALG_ES256K, "parsed by length");
    is_int(rr_alg_parse("ES256K", 5), RR_ALG_ES256, "not by NUL");
    is_int(rr_alg_parse("es256", 5), RR_ALG_NONE, "case counts");
    is_int(rr_alg_parse("none", 4), RR_ALG_NONE, "none is none");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    vectors();
    round_trips();
    shapes();
    headers();
    forms();
    ceilings();
    confusion();
    embedded();
    ecdsa_signatures();
    selection();
    names();
    apr_pool_destroy(pool);
    return tap_end();
}
