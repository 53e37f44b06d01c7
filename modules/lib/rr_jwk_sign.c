/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jwk_sign.c: keys that sign: made, loaded, printed, used. For rrctl and for
 * what the gateway itself signs.
 *
 * Threads: any; a key is not changed once it is made.
 * Spec:    RFC 7515, 5.1; RFC 7517; RFC 7518, 6; RFC 7638 (thumbprint).
 */
#include "rr_jose_private.h"

#include <apr_strings.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <string.h>

#define MAX_SIGNATURE (RR_MAX_RSA_BITS / 8)

rr_alg_e rr_jwk_alg(const rr_jwk_t *key)
{
    return key->alg;
}

const char *rr_jwk_kid(const rr_jwk_t *key)
{
    return key->kid;
}

/* ---- sign ---- */

/* OpenSSL's SEQUENCE of r and s as the two of n bytes each. */
static int der_to_raw(unsigned char *raw, apr_size_t n, const unsigned char *der, apr_size_t der_len)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    int fits = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, (int)n) == (int)n
               && BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + n, (int)n) == (int)n;

    ECDSA_SIG_free(signature);
    return fits;
}

static int sign_asymmetric(unsigned char *signature, apr_size_t *plen, const rr_jwk_t *key, const char *input,
                           apr_size_t input_len)
{
    const rr_jwa_t *jwa = rr_jwa_find(key->alg);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    unsigned char raw[2 * 66];
    int good = ctx && EVP_DigestSignInit_ex(ctx, &pctx, jwa->md, NULL, NULL, key->pkey, NULL) == 1
               && (!jwa->pss
                   || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
                       && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1))
               && EVP_DigestSign(ctx, signature, plen, (const unsigned char *)input, input_len) == 1;

    EVP_MD_CTX_free(ctx);
    if (good && key->kty == RR_KTY_EC) {
        good = der_to_raw(raw, key->curve->len, signature, *plen);
        *plen = key->curve->len * 2;
        memcpy(signature, raw, *plen);
    }
    return good;
}

static int sign(unsigned char signature[MAX_SIGNATURE], apr_size_t *plen, const rr_jwk_t *key, const char *input,
                apr_size_t input_len)
{
    *plen = MAX_SIGNATURE;
    if (key->kty != RR_KTY_OCT) {
        return sign_asymmetric(signature, plen, key, input, input_len);
    }
    return EVP_Q_mac(NULL, "HMAC", NULL, rr_jwa_find(key->alg)->md, NULL, key->secret, key->secret_len,
                     (const unsigned char *)input, input_len, signature, MAX_SIGNATURE, plen)
           != NULL;
}

apr_status_t rr_jws_sign(const char **ptoken, const rr_jwk_t *key, const char *typ, const char *claims, apr_pool_t *p,
                         rr_err_t *err)
{
    const char *header = apr_pstrcat(p, "{\"alg\":\"", rr_alg_name(key->alg), "\"", key->kid ? ",\"kid\":" : "",
                                     key->kid ? rr_json_quote(p, key->kid, RR_MAX_KID) : "", typ ? ",\"typ\":" : "",
                                     typ ? rr_json_quote(p, typ, RR_MAX_NAME) : "", "}", NULL);
    const char *input = apr_pstrcat(p, rr_base64url_encode(p, header, strlen(header)), ".",
                                    rr_base64url_encode(p, claims, strlen(claims)), NULL);
    unsigned char signature[MAX_SIGNATURE];
    apr_size_t len;

    *ptoken = NULL;
    if (!sign(signature, &len, key, input, strlen(input))) {
        ERR_clear_error();
        return rr_err_set(err, RR_EUNAVAIL, NULL, "OpenSSL cannot sign with the key");
    }
    *ptoken = apr_pstrcat(p, input, ".", rr_base64url_encode(p, signature, len), NULL);
    return APR_SUCCESS;
}

/* ---- print ---- */

/* ,"name":"base64url" of one number, padded to len bytes; 0: as short as it is. */
static const char *number_member(const rr_jwk_t *key, const char *name, const char *param, apr_size_t len, apr_pool_t *p)
{
    unsigned char bytes[RR_MAX_RSA_BITS / 8];
    BIGNUM *number = NULL;
    const char *text = NULL;

    if (EVP_PKEY_get_bn_param(key->pkey, param, &number)) {
        len = len ? len : (apr_size_t)BN_num_bytes(number);
        if (len <= sizeof(bytes) && BN_bn2binpad(number, bytes, (int)len) == (int)len) {
            text = apr_pstrcat(p, ",\"", name, "\":\"", rr_base64url_encode(p, bytes, len), "\"", NULL);
        }
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    BN_clear_free(number);
    return text;
}

/* ,"x":"..." or ,"d":"..." of an Ed25519 or Ed448 key. */
static const char *raw_member(const rr_jwk_t *key, const char *name, int private, apr_pool_t *p)
{
    unsigned char bytes[57];
    apr_size_t len = sizeof(bytes);
    const char *text = NULL;

    if (private ? EVP_PKEY_get_raw_private_key(key->pkey, bytes, &len) : EVP_PKEY_get_raw_public_key(key->pkey, bytes, &len)) {
        text = apr_pstrcat(p, ",\"", name, "\":\"", rr_base64url_encode(p, bytes, len), "\"", NULL);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return text;
}

/* The members that make the key, in the order of their names as RFC 7638 wants them, without braces. */
static const char *required_members(const rr_jwk_t *key, apr_pool_t *p)
{
    const char *first, *second = "";

    switch (key->kty) {
    case RR_KTY_RSA:
        first = number_member(key, "e", OSSL_PKEY_PARAM_RSA_E, 0, p);
        second = number_member(key, "n", OSSL_PKEY_PARAM_RSA_N, 0, p);
        return first && second ? apr_pstrcat(p, first + 1, ",\"kty\":\"RSA\"", second, NULL) : NULL;
    case RR_KTY_EC:
        first = number_member(key, "x", OSSL_PKEY_PARAM_EC_PUB_X, key->curve->len, p);
        second = number_member(key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, key->curve->len, p);
        break;
    case RR_KTY_OKP:
        first = raw_member(key, "x", 0, p);
        break;
    default:
        return apr_pstrcat(p, "\"k\":\"", rr_base64url_encode(p, key->secret, key->secret_len), "\",\"kty\":\"oct\"", NULL);
    }
    return first && second ? apr_pstrcat(p, "\"crv\":\"", key->curve->crv, "\",\"kty\":\"",
                                         key->kty == RR_KTY_EC ? "EC" : "OKP", "\"", first, second, NULL)
                           : NULL;
}

/* The private members, each with a comma before it; "" where an RSA key has no primes for them; NULL: not a private key. */
static const char *private_members(const rr_jwk_t *key, apr_pool_t *p)
{
    static const struct {
        const char *name, *param;
    } parts[] = {
        { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },    { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },
        { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 }, { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 },
        { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
    };
    const char *text, *part;
    apr_size_t i;

    switch (key->kty) {
    case RR_KTY_RSA:
        text = number_member(key, "d", OSSL_PKEY_PARAM_RSA_D, 0, p);
        for (i = 0; text && i < sizeof(parts) / sizeof(parts[0]); i++) {
            part = number_member(key, parts[i].name, parts[i].param, 0, p);
            text = part ? apr_pstrcat(p, text, part, NULL) : i ? NULL : text;
            if (!part) {
                break;
            }
        }
        return text;
    case RR_KTY_EC:
        return number_member(key, "d", OSSL_PKEY_PARAM_PRIV_KEY, key->curve->len, p);
    case RR_KTY_OKP:
        return raw_member(key, "d", 1, p);
    default:
        return "";
    }
}

apr_status_t rr_jwk_print(const char **ptext, const rr_jwk_t *key, int with_private, apr_pool_t *p, rr_err_t *err)
{
    const char *required, *private = "";

    *ptext = NULL;
    if (key->kty == RR_KTY_OCT && !with_private) {
        return rr_err_set(err, RR_EINVAL, "kty", "a symmetric key has no public form");
    }
    required = required_members(key, p);
    if (with_private) {
        private = private_members(key, p);
    }
    ERR_clear_error();
    if (!required || !private) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "OpenSSL does not give the key's numbers away");
    }
    *ptext = apr_pstrcat(p, "{", key->kid ? "\"kid\":" : "", key->kid ? rr_json_quote(p, key->kid, RR_MAX_KID) : "",
                         key->kid ? "," : "", "\"use\":\"sig\",\"alg\":\"", rr_alg_name(key->alg), "\",", required,
                         private, "}", NULL);
    return APR_SUCCESS;
}

/* ---- make and load ---- */

const char *rr_jwk_thumbprint(const rr_jwk_t *key, apr_pool_t *p)
{
    const char *required = required_members(key, p);
    const char *text = required ? apr_pstrcat(p, "{", required, "}", NULL) : NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    apr_size_t len = 0;

    return text && EVP_Q_digest(NULL, "SHA256", NULL, text, strlen(text), digest, &len)
               ? rr_base64url_encode(p, digest, len) : NULL;
}

/* Whether what the key signs verifies with its own public part: a JWK or PEM may have put together what does not belong. */
static apr_status_t prove(const rr_jwk_t *key, apr_pool_t *p, rr_err_t *err)
{
    const char *jwk, *token, *text;
    const rr_jwks_t *set;
    rr_jws_t *jws;
    apr_status_t rv = rr_jwk_print(&jwk, key, 0, p, err);

    rv = rv == APR_SUCCESS ? rr_jws_sign(&token, key, NULL, "{}", p, err) : rv;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    text = apr_pstrcat(p, "{\"keys\":[", jwk, "]}", NULL);
    rv = rr_jwks_parse(&set, text, strlen(text), 0, p, err);
    rv = rv == APR_SUCCESS ? rr_jws_parse(&jws, token, strlen(token), p, err) : rv;
    if (rv == APR_SUCCESS && rr_jws_verify(jws, set, key->alg, NULL) != APR_SUCCESS) {
        rv = rr_err_set(err, RR_EINVAL, "d", "the private part of the key does not belong to its public part");
    }
    return rv;
}

/* Gives the key its algorithm and id, and proves it. */
static apr_status_t finish(rr_jwk_t **pkey, rr_jwk_t *key, rr_alg_e alg, const char *kid, apr_pool_t *p, rr_err_t *err)
{
    unsigned int fitting = rr_jwk_fitting(key->kty, key->curve, key->secret_len);
    apr_pool_t *scratch;
    apr_status_t rv;

    key->alg = alg ? alg : (rr_alg_e)(fitting & -fitting); /* the first that fits: RS256, HS256, the curve's */
    key->algs = key->alg;
    if (!(key->alg & fitting)) {
        return rr_err_set(err, RR_EINVAL, "alg", "the key does not fit %s; it fits %s", rr_alg_name(alg),
                          rr_alg_names(p, fitting));
    }
    if (kid && (!*kid || strlen(kid) > RR_MAX_KID)) {
        return rr_err_set(err, RR_EINVAL, "kid", "a key id has 1 to %d bytes", RR_MAX_KID);
    }
    key->kid = kid ? apr_pstrdup(p, kid) : NULL;
    key->kid_len = kid ? strlen(kid) : 0;
    if (key->kty == RR_KTY_OCT) { /* its thumbprint would let a weak secret be guessed (RFC 7638, 7) */
        *pkey = key;
        return APR_SUCCESS;
    }
    key->kid = kid ? key->kid : rr_jwk_thumbprint(key, p);
    if (!key->kid) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "OpenSSL does not give the key's numbers away");
    }
    key->kid_len = strlen(key->kid);
    rv = apr_pool_create(&scratch, p);
    if (rv == APR_SUCCESS) {
        rv = prove(key, scratch, err);
        apr_pool_destroy(scratch);
    }
    *pkey = rv == APR_SUCCESS ? key : NULL;
    return rv;
}

apr_status_t rr_jwk_generate(rr_jwk_t **pkey, rr_alg_e alg, const char *crv, const char *kid, apr_pool_t *p,
                             rr_err_t *err)
{
    const rr_jwa_t *jwa = rr_jwa_find(alg);
    const rr_curve_t *curve = crv ? rr_curve_by_crv(crv) : rr_curve_by_alg(alg);
    rr_jwk_t *key = apr_pcalloc(p, sizeof(*key));
    unsigned char *secret;
    EVP_PKEY *pair;
    apr_status_t rv;

    *pkey = NULL;
    if (!jwa || (crv && (!curve || curve->alg != alg))) {
        return rr_err_set(err, RR_EINVAL, crv ? "crv" : "alg", "no key can be made for this algorithm%s",
                          crv ? " and curve" : "");
    }
    rr_jwk_own(key, p);
    if (jwa->kty == RR_KTY_OCT) {
        key->kty = RR_KTY_OCT;
        key->secret = secret = apr_palloc(p, jwa->hash_len);
        key->secret_len = jwa->hash_len;
        return RAND_priv_bytes(secret, (int)jwa->hash_len) == 1
                   ? finish(pkey, key, alg, kid, p, err)
                   : rr_err_set(err, RR_EUNAVAIL, NULL, "the system has no random bytes");
    }
    pair = jwa->kty == RR_KTY_RSA  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RR_MIN_RSA_BITS)
           : jwa->kty == RR_KTY_EC ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve->group)
                                   : EVP_PKEY_Q_keygen(NULL, NULL, curve->group);
    if (!pair) {
        ERR_clear_error();
        return rr_err_set(err, RR_EUNAVAIL, NULL, "OpenSSL cannot make a key for %s", jwa->name);
    }
    rv = rr_jwk_adopt(key, pair, err);
    return rv == APR_SUCCESS ? finish(pkey, key, alg, kid, p, err) : rv;
}

/* For keys under a passphrase: there is nobody to ask. */
static int no_passphrase(char *buf, int size, int rwflag, void *baton)
{
    (void)buf, (void)size, (void)rwflag, (void)baton;
    return -1;
}

static apr_status_t load_pem(rr_jwk_t *key, const char *text, apr_size_t len, rr_err_t *err)
{
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    EVP_PKEY *pair = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return pair ? rr_jwk_adopt(key, pair, err)
                : rr_err_set(err, RR_EINVAL, NULL, "not a private key in PEM, or one under a passphrase");
}

apr_status_t rr_jwk_load_private(rr_jwk_t **pkey, const char *text, apr_size_t len, rr_alg_e alg, const char *kid,
                                 apr_pool_t *p, rr_err_t *err)
{
    rr_jwk_t *key = apr_pcalloc(p, sizeof(*key));
    const rr_json_t *jwk, *use;
    const char *named;
    apr_status_t rv;

    *pkey = NULL;
    rr_jwk_own(key, p);
    if (len > RR_MAX_SECRET) {
        return rr_err_set(err, RR_EINVAL, NULL, "a private key of more than %d bytes", RR_MAX_SECRET);
    }
    if (!memchr(text, '{', len)) { /* no PEM has one */
        rv = load_pem(key, text, len, err);
        return rv == APR_SUCCESS ? finish(pkey, key, alg, kid, p, err) : rv;
    }
    rv = rr_json_parse_object(&jwk, text, len, p, err);
    rv = rv == APR_SUCCESS ? rr_jwk_import(key, jwk, 1, p, err) : rv;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    use = rr_json_member(jwk, "use");
    if (use && (!rr_json_string(use) || strcmp(rr_json_string(use), "sig"))) {
        return rr_err_set(err, RR_EINVAL, "use", "the key's 'use' is not 'sig'");
    }
    named = rr_json_string(rr_json_member(jwk, "alg"));
    if (!alg && named) {
        alg = rr_alg_parse(named, strlen(named));
        if (!alg) {
            return rr_err_set(err, RR_EINVAL, "alg", "the key's 'alg' is not one that signs");
        }
    }
    return finish(pkey, key, alg, kid ? kid : rr_json_string(rr_json_member(jwk, "kid")), p, err);
}
