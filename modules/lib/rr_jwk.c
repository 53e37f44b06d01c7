/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jwk.c: JSON Web Keys to OpenSSL keys, and sets of keys that verify.
 *
 * Importing a key costs as much as several verifications, and preparing a
 * context for it as much as hashing a token: both happen once, when the set is
 * loaded. A verification duplicates the prepared context of its algorithm.
 *
 * Threads: a set is not changed after rr_jwks_parse; any thread may use it.
 * Spec:    RFC 7517; RFC 7518, 6; RFC 8037, 2; RFC 8725, 3.
 */
#include "rr_jose_private.h"

#include <apr_strings.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <string.h>

#define MAX_EXPONENT_BITS 32 /* of an RSA public exponent: 65537 is usual, more costs time at every request */

/* ---- ownership ---- */

static apr_status_t free_key(void *data)
{
    rr_jwk_t *key = data;
    int i;

    for (i = 0; i < RR_JWA_COUNT; i++) {
        EVP_PKEY_CTX_free(key->verify[i]);
        EVP_MAC_CTX_free(key->mac[i]);
    }
    EVP_MD_CTX_free(key->eddsa);
    EVP_PKEY_free(key->pkey);
    if (key->secret) {
        OPENSSL_cleanse((unsigned char *)key->secret, key->secret_len);
    }
    return APR_SUCCESS;
}

void rr_jwk_own(rr_jwk_t *key, apr_pool_t *p)
{
    apr_pool_cleanup_register(p, key, free_key, apr_pool_cleanup_null);
}

static apr_status_t free_set(void *data)
{
    rr_jwks_t *set = data;
    int i;

    for (i = 0; i < RR_JWA_COUNT; i++) {
        EVP_MD_free(set->md[i]);
    }
    return APR_SUCCESS;
}

static rr_jwks_t *make_set(apr_pool_t *p)
{
    rr_jwks_t *set = apr_pcalloc(p, sizeof(*set));

    apr_pool_cleanup_register(p, set, free_set, apr_pool_cleanup_null);
    return set;
}

/* ---- import ---- */

unsigned int rr_jwk_fitting(rr_kty_e kty, const rr_curve_t *curve, apr_size_t secret_len)
{
    switch (kty) {
    case RR_KTY_RSA:
        return RR_ALG_RS256 | RR_ALG_RS384 | RR_ALG_RS512 | RR_ALG_PS256 | RR_ALG_PS384 | RR_ALG_PS512;
    case RR_KTY_EC:
    case RR_KTY_OKP:
        return curve->alg;
    case RR_KTY_OCT:
        return (secret_len >= 32 ? RR_ALG_HS256 : 0) | (secret_len >= 48 ? RR_ALG_HS384 : 0)
               | (secret_len >= 64 ? RR_ALG_HS512 : 0);
    default:
        return 0;
    }
}

static apr_status_t check_rsa(const EVP_PKEY *pkey, rr_err_t *err)
{
    BIGNUM *n = NULL, *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    int sane = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e)
               && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= MAX_EXPONENT_BITS;

    BN_free(n);
    BN_free(e);
    if (bits < RR_MIN_RSA_BITS || bits > RR_MAX_RSA_BITS) {
        return rr_err_set(err, RR_EINVAL, "n", "an RSA key of %d bits; %d to %d are accepted", bits, RR_MIN_RSA_BITS,
                          RR_MAX_RSA_BITS);
    }
    return sane ? APR_SUCCESS : rr_err_set(err, RR_EINVAL, "e", "modulus or exponent of the RSA key is not sane");
}

apr_status_t rr_jwk_adopt(rr_jwk_t *key, EVP_PKEY *pkey, rr_err_t *err)
{
    key->pkey = pkey;
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        key->kty = RR_KTY_RSA;
        key->signature_len = (apr_size_t)EVP_PKEY_get_size(pkey);
        return check_rsa(pkey, err);
    }
    key->curve = rr_curve_by_pkey(pkey);
    if (!key->curve) {
        return rr_err_set(err, RR_EINVAL, "crv", "a key of a kind or curve that is not supported");
    }
    key->kty = key->curve->kty;
    key->signature_len = key->kty == RR_KTY_EC ? key->curve->len * 2 : (apr_size_t)EVP_PKEY_get_size(pkey);
    return APR_SUCCESS;
}

/* The bytes of a base64url member. */
static apr_status_t member_bytes(const unsigned char **pbytes, apr_size_t *plen, const rr_json_t *jwk, const char *name,
                                 apr_pool_t *p, rr_err_t *err)
{
    const char *text = rr_json_string(rr_json_member(jwk, name));

    if (!text || !*text || rr_base64url_decode(pbytes, plen, text, strlen(text), p) != APR_SUCCESS) {
        return rr_err_set(err, RR_EINVAL, name, "'%s' of the key is missing or not base64url", name);
    }
    return APR_SUCCESS;
}

/* Takes a private member's text out of the JSON value once it has been read: the value is nobody else's. */
static void wipe_text(const rr_json_t *jwk, const char *name)
{
    const char *text = rr_json_string(rr_json_member(jwk, name));

    OPENSSL_cleanse((char *)text, strlen(text));
}

static void wipe_member(const unsigned char *bytes, apr_size_t len, const rr_json_t *jwk, const char *name)
{
    OPENSSL_cleanse((unsigned char *)bytes, len);
    wipe_text(jwk, name);
}

/* Parameters of one key under construction, and the numbers they borrow. */
typedef struct builder_t {
    OSSL_PARAM_BLD *bld;
    BIGNUM *numbers[8];
    int count;
} builder_t;

static int add_number(builder_t *builder, const char *param, const unsigned char *bytes, apr_size_t len, int secret)
{
    BIGNUM *number = secret ? BN_secure_new() : BN_new();

    if (!number || !BN_bin2bn(bytes, (int)len, number)) {
        BN_clear_free(number);
        return 0;
    }
    builder->numbers[builder->count++] = number;
    if (secret) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
    }
    return OSSL_PARAM_BLD_push_BN(builder->bld, param, number);
}

/* The key that the builder's parameters make; NULL where OpenSSL refuses them. Ends the builder. */
static EVP_PKEY *build(builder_t *builder, const char *type, int with_private)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder->bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1) {
        if (EVP_PKEY_fromdata(ctx, &pkey, with_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1) {
            pkey = NULL;
        }
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static void end_builder(builder_t *builder)
{
    while (builder->count) {
        BN_clear_free(builder->numbers[--builder->count]);
    }
    OSSL_PARAM_BLD_free(builder->bld);
}

static apr_status_t import_rsa(EVP_PKEY **ppkey, const rr_json_t *jwk, int with_private, apr_pool_t *p, rr_err_t *err)
{
    static const struct {
        const char *member, *param;
    } parts[] = {
        { "n", OSSL_PKEY_PARAM_RSA_N },          { "e", OSSL_PKEY_PARAM_RSA_E },
        { "d", OSSL_PKEY_PARAM_RSA_D },          { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
        { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
        { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
    };
    int count = !with_private ? 2 : rr_json_member(jwk, "p") ? 8 : 3, i;
    builder_t builder = { .bld = OSSL_PARAM_BLD_new() };
    apr_status_t rv = builder.bld ? APR_SUCCESS : APR_ENOMEM;

    if (with_private && rr_json_member(jwk, "oth")) {
        rv = rr_err_set(err, RR_EINVAL, "oth", "RSA keys of more than two primes are not supported");
    }
    for (i = 0; i < count && rv == APR_SUCCESS; i++) {
        const unsigned char *bytes;
        apr_size_t len;

        rv = member_bytes(&bytes, &len, jwk, parts[i].member, p, err);
        if (rv == APR_SUCCESS && len > RR_MAX_RSA_BITS / 8 + 1) {
            rv = rr_err_set(err, RR_EINVAL, parts[i].member, "'%s' of the RSA key is too long", parts[i].member);
        } else if (rv == APR_SUCCESS && !add_number(&builder, parts[i].param, bytes, len, i > 1)) {
            rv = rr_err_set(err, RR_EINVAL, parts[i].member, "'%s' of the RSA key cannot be used", parts[i].member);
        }
        if (bytes && i > 1) {
            wipe_member(bytes, len, jwk, parts[i].member);
        }
    }
    if (rv == APR_SUCCESS) {
        *ppkey = build(&builder, "RSA", with_private);
        rv = *ppkey ? rv : rr_err_set(err, RR_EINVAL, "n", "OpenSSL refuses the RSA key");
    }
    end_builder(&builder);
    return rv;
}

/* OpenSSL refuses a point that is not on the curve; the check after it also wants the right order. */
static int is_public_key_valid(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    int valid = ctx && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return valid;
}

static apr_status_t import_ec(EVP_PKEY **ppkey, const rr_curve_t *curve, const rr_json_t *jwk, int with_private,
                              apr_pool_t *p, rr_err_t *err)
{
    const unsigned char *x, *y, *d = NULL;
    unsigned char point[1 + 2 * 66] = { POINT_CONVERSION_UNCOMPRESSED };
    apr_size_t x_len, y_len, d_len = 0;
    builder_t builder = { .bld = NULL };
    apr_status_t rv;

    rv = member_bytes(&x, &x_len, jwk, "x", p, err);
    rv = rv == APR_SUCCESS ? member_bytes(&y, &y_len, jwk, "y", p, err) : rv;
    rv = rv == APR_SUCCESS && with_private ? member_bytes(&d, &d_len, jwk, "d", p, err) : rv;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (x_len != curve->len || y_len != curve->len || (d && d_len != curve->len)) {
        rv = rr_err_set(err, RR_EINVAL, "x", "a coordinate of a %s key has another length than %" APR_SIZE_T_FMT " bytes",
                        curve->crv, curve->len);
    } else {
        memcpy(point + 1, x, x_len);
        memcpy(point + 1 + x_len, y, y_len);
        builder.bld = OSSL_PARAM_BLD_new();
        if (builder.bld && OSSL_PARAM_BLD_push_utf8_string(builder.bld, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0)
            && OSSL_PARAM_BLD_push_octet_string(builder.bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->len)
            && (!d || add_number(&builder, OSSL_PKEY_PARAM_PRIV_KEY, d, d_len, 1))) {
            *ppkey = build(&builder, "EC", with_private);
        }
        if (*ppkey && !is_public_key_valid(*ppkey)) {
            EVP_PKEY_free(*ppkey);
            *ppkey = NULL;
        }
        end_builder(&builder);
        rv = *ppkey ? APR_SUCCESS : rr_err_set(err, RR_EINVAL, "x", "not a point of %s", curve->crv);
    }
    if (d) {
        wipe_member(d, d_len, jwk, "d");
    }
    return rv;
}

static apr_status_t import_okp(EVP_PKEY **ppkey, const rr_curve_t *curve, const rr_json_t *jwk, int with_private,
                               apr_pool_t *p, rr_err_t *err)
{
    const unsigned char *x, *d = NULL;
    unsigned char derived[57];
    apr_size_t x_len, d_len = 0, derived_len = sizeof(derived);
    apr_status_t rv = member_bytes(&x, &x_len, jwk, "x", p, err);

    rv = rv == APR_SUCCESS && with_private ? member_bytes(&d, &d_len, jwk, "d", p, err) : rv;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (x_len == curve->len && (!d || d_len == curve->len)) {
        *ppkey = d ? EVP_PKEY_new_raw_private_key_ex(NULL, curve->group, NULL, d, d_len)
                   : EVP_PKEY_new_raw_public_key_ex(NULL, curve->group, NULL, x, x_len);
    }
    if (d) {
        wipe_member(d, d_len, jwk, "d");
        if (*ppkey && (!EVP_PKEY_get_raw_public_key(*ppkey, derived, &derived_len) || CRYPTO_memcmp(derived, x, x_len))) {
            EVP_PKEY_free(*ppkey);
            *ppkey = NULL;
        }
    }
    return *ppkey ? APR_SUCCESS : rr_err_set(err, RR_EINVAL, "x", "not a key of %s", curve->crv);
}

static apr_status_t import_oct(rr_jwk_t *key, const rr_json_t *jwk, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = member_bytes(&key->secret, &key->secret_len, jwk, "k", p, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    wipe_text(jwk, "k");
    key->kty = RR_KTY_OCT;
    if (key->secret_len > RR_MAX_SECRET || !rr_jwk_fitting(RR_KTY_OCT, NULL, key->secret_len)) {
        return rr_err_set(err, RR_EINVAL, "k", "a symmetric key of %" APR_SIZE_T_FMT " bytes; 32 to %d are accepted",
                          key->secret_len, RR_MAX_SECRET);
    }
    return APR_SUCCESS;
}

apr_status_t rr_jwk_import(rr_jwk_t *key, const rr_json_t *jwk, int with_private, apr_pool_t *p, rr_err_t *err)
{
    const char *kty = rr_json_string(rr_json_member(jwk, "kty"));
    const char *crv = rr_json_string(rr_json_member(jwk, "crv"));
    const rr_curve_t *curve = rr_curve_by_crv(crv);
    EVP_PKEY *pkey = NULL;
    char shown[RR_SHOWN];
    apr_status_t rv;

    if (!kty) {
        return rr_err_set(err, RR_EINVAL, "kty", "'kty' is missing");
    }
    if (!strcmp(kty, "oct")) {
        return import_oct(key, jwk, p, err);
    }
    if (!strcmp(kty, "RSA")) {
        rv = import_rsa(&pkey, jwk, with_private, p, err);
    } else if (!strcmp(kty, "EC") && curve && curve->kty == RR_KTY_EC) {
        rv = import_ec(&pkey, curve, jwk, with_private, p, err);
    } else if (!strcmp(kty, "OKP") && curve && curve->kty == RR_KTY_OKP) {
        rv = import_okp(&pkey, curve, jwk, with_private, p, err);
    } else {
        return rr_err_set(err, RR_EINVAL, "kty", "kty '%s' with this crv is not supported", rr_jose_show(shown, kty));
    }
    ERR_clear_error();
    return rv == APR_SUCCESS ? rr_jwk_adopt(key, pkey, err) : rv;
}

/* ---- sets ---- */

/* Whether use and key_ops, where they are given, let the key verify. */
static int may_verify(const rr_json_t *jwk)
{
    const rr_json_t *use = rr_json_member(jwk, "use");
    const rr_json_t *ops = rr_json_member(jwk, "key_ops");
    apr_size_t i;

    if (use && (!rr_json_string(use) || strcmp(rr_json_string(use), "sig"))) {
        return 0;
    }
    for (i = 0; i < rr_json_size(ops); i++) {
        const char *op = rr_json_string(rr_json_element(ops, i));

        if (op && !strcmp(op, "verify")) {
            return 1;
        }
    }
    return !ops;
}

static int prepare_mac(rr_jwk_t *key, const rr_jwa_t *jwa)
{
    OSSL_PARAM params[2] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)jwa->md, 0),
                             OSSL_PARAM_construct_end() };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac);
    key->mac[rr_jwa_index(jwa->alg)] = ctx;
    return ctx && EVP_MAC_init(ctx, key->secret, key->secret_len, params);
}

static int prepare_eddsa(rr_jwk_t *key)
{
    key->eddsa = EVP_MD_CTX_new();
    return key->eddsa && EVP_DigestVerifyInit_ex(key->eddsa, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1;
}

static int prepare_digest(rr_jwks_t *set, rr_jwk_t *key, const rr_jwa_t *jwa)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    int i = rr_jwa_index(jwa->alg);

    key->verify[i] = ctx;
    if (!set->md[i]) {
        set->md[i] = EVP_MD_fetch(NULL, jwa->md, NULL);
    }
    return set->md[i] && ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, set->md[i]) == 1
           && (jwa->kty != RR_KTY_RSA
               || EVP_PKEY_CTX_set_rsa_padding(ctx, jwa->pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1)
           && (!jwa->pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* Prepares what a verification with key needs, for each algorithm of the key. */
static int prepare(rr_jwks_t *set, rr_jwk_t *key)
{
    int i;

    for (i = 0; i < RR_JWA_COUNT; i++) {
        const rr_jwa_t *jwa = rr_jwa_find(1 << i);

        if (key->algs & jwa->alg
            && !(jwa->kty == RR_KTY_OCT   ? prepare_mac(key, jwa)
                 : jwa->kty == RR_KTY_OKP ? prepare_eddsa(key)
                                          : prepare_digest(set, key, jwa))) {
            return 0;
        }
    }
    return 1;
}

static apr_status_t add_key(rr_jwks_t *set, const rr_json_t *jwk, int symmetric, apr_pool_t *p, rr_err_t *err)
{
    const rr_json_t *kid = rr_json_member(jwk, "kid"), *alg = rr_json_member(jwk, "alg");
    const char *kty = rr_json_string(rr_json_member(jwk, "kty"));
    const char *alg_name = rr_json_string(alg);
    rr_jwk_t *key = apr_pcalloc(p, sizeof(*key));
    apr_status_t rv;

    if (!may_verify(jwk)) {
        return rr_err_set(err, RR_EINVAL, "use", "its 'use' or 'key_ops' is not to verify");
    }
    if (rr_json_member(jwk, "d")) {
        return rr_err_set(err, RR_EINVAL, "d", "a private key was published");
    }
    if (kty && !strcmp(kty, "oct") != !!symmetric) {
        return rr_err_set(err, RR_EINVAL, "kty", symmetric ? "not a symmetric key" : "a symmetric key in a public set");
    }
    if (kid && (!rr_json_string(kid) || strlen(rr_json_string(kid)) > RR_MAX_KID)) {
        return rr_err_set(err, RR_EINVAL, "kid", "'kid' is not a string of at most %d bytes", RR_MAX_KID);
    }
    rr_jwk_own(key, p);
    rv = rr_jwk_import(key, jwk, 0, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    key->algs = rr_jwk_fitting(key->kty, key->curve, key->secret_len);
    if (alg) {
        key->algs &= alg_name ? rr_alg_parse(alg_name, strlen(alg_name)) : RR_ALG_NONE;
    }
    if (!key->algs) {
        return rr_err_set(err, RR_EINVAL, "alg", "'alg' of the key is unknown or does not fit it");
    }
    if (!prepare(set, key)) {
        ERR_clear_error();
        return rr_err_set(err, RR_EINVAL, NULL, "OpenSSL cannot verify with the key");
    }
    key->kid = rr_json_string(kid);
    key->kid_len = key->kid ? strlen(key->kid) : 0;
    set->keys[set->count++] = key;
    return APR_SUCCESS;
}

apr_status_t rr_jwks_parse(const rr_jwks_t **pset, const char *text, apr_size_t len, int symmetric, apr_pool_t *p,
                           rr_err_t *err)
{
    const rr_json_t *document, *keys;
    rr_err_t first = RR_ERR_INIT;
    apr_size_t i, first_at = 0;
    rr_jwks_t *set;
    apr_status_t rv;

    *pset = NULL;
    if (len > RR_MAX_JWKS) {
        return rr_err_set(err, RR_EINVAL, NULL, "the key set is longer than %d bytes", RR_MAX_JWKS);
    }
    rv = rr_json_parse_object(&document, text, len, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    keys = rr_json_member(document, "keys");
    if (rr_json_kind(keys) != RR_JSON_ARRAY) {
        return rr_err_set(err, RR_EINVAL, "keys", "not a key set: it has no array 'keys'");
    }
    set = make_set(p);
    for (i = 0; i < rr_json_size(keys) && set->count < RR_MAX_JWKS_KEYS; i++) {
        if (add_key(set, rr_json_element(keys, i), symmetric, p, &first) != APR_SUCCESS && !first_at) {
            first_at = i + 1;
        }
    }
    set->unread = (int)(rr_json_size(keys) - i);
    if (!set->count) {
        return first_at ? rr_err_set(err, RR_EINVAL, first.where, "no usable key in the set; the first is left out: %s",
                                     rr_err_text(&first))
                        : rr_err_set(err, RR_EINVAL, "keys", "the key set is empty");
    }
    *pset = set;
    return APR_SUCCESS;
}

apr_status_t rr_jwks_from_secret(const rr_jwks_t **pset, const unsigned char *secret, apr_size_t len, apr_pool_t *p,
                                 rr_err_t *err)
{
    rr_jwk_t *key = apr_pcalloc(p, sizeof(*key));
    rr_jwks_t *set = make_set(p);

    *pset = NULL;
    key->kty = RR_KTY_OCT;
    key->algs = rr_jwk_fitting(RR_KTY_OCT, NULL, len);
    if (!key->algs || len > RR_MAX_SECRET) {
        return rr_err_set(err, RR_EINVAL, NULL, "a secret of %" APR_SIZE_T_FMT " bytes; 32 to %d are accepted", len,
                          RR_MAX_SECRET);
    }
    key->secret = apr_pmemdup(p, secret, len);
    key->secret_len = len;
    rr_jwk_own(key, p);
    if (!prepare(set, key)) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "OpenSSL has no HMAC");
    }
    set->keys[set->count++] = key;
    *pset = set;
    return APR_SUCCESS;
}

int rr_jwks_count(const rr_jwks_t *set)
{
    return set->count;
}

int rr_jwks_unread(const rr_jwks_t *set)
{
    return set->unread;
}

int rr_jwk_has_kid(const rr_jwk_t *key, const char *kid, apr_size_t len)
{
    return key->kid && key->kid_len == len && !memcmp(key->kid, kid, len);
}

int rr_jwks_has_kid(const rr_jwks_t *set, const char *kid, apr_size_t len)
{
    int i;

    for (i = 0; i < set->count; i++) {
        if (rr_jwk_has_kid(set->keys[i], kid, len)) {
            return 1;
        }
    }
    return 0;
}

const char *rr_jwks_kids(apr_pool_t *p, const rr_jwks_t *set)
{
    const char *kids = "";
    char shown[RR_SHOWN];
    int i;

    for (i = 0; i < set->count; i++) {
        kids = apr_pstrcat(p, kids, *kids ? " " : "", set->keys[i]->kid ? rr_jose_show(shown, set->keys[i]->kid) : "-", NULL);
    }
    return kids;
}
