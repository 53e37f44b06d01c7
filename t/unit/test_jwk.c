/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_jwk.c: which keys of a set are used and why others are not; private keys
 * made, loaded and printed; base64url.
 */
#include "../../modules/lib/rr_base64.h"
#include "../../modules/lib/rr_jose_private.h"

#include "jose_vectors.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <openssl/pem.h>

static apr_pool_t *pool;

#define X256 "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define Y256 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC256 "\"kty\":\"EC\",\"crv\":\"P-256\"," X256 "," Y256
#define ED "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define OCT32 "\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
#define ZERO32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* Keys taken from a set of these texts, or -1 where the set is refused. */
static int load(const char *keys, int symmetric, rr_err_t *err)
{
    const char *text = apr_pstrcat(pool, "{\"keys\":[", keys, "]}", NULL);
    const rr_jwks_t *set;
    apr_status_t rv = rr_jwks_parse(&set, text, strlen(text), symmetric, pool, err);

    return rv == APR_SUCCESS ? rr_jwks_count(set) : rv == RR_EINVAL && !set ? -1 : -2;
}

/* A key each: used (algs: what for) or left out (where: which member is at fault). */
static void keys(void)
{
    static const struct {
        const char *name, *members;
        int symmetric;
        const char *algs, *where;
    } cases[] = {
        { "RSA", "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, "RS256 RS384 RS512 PS256 PS384 PS512", NULL },
        { "RSA, bound to an alg", "\"alg\":\"PS384\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, "PS384", NULL },
        { "RSA, exponent 3", "\"kty\":\"RSA\",\"e\":\"Aw\",\"n\":\"%s\"", 0, "RS256 RS384 RS512 PS256 PS384 PS512", NULL },
        { "RSA, exponent of 32 bits", "\"kty\":\"RSA\",\"e\":\"_____w\",\"n\":\"%s\"", 0,
          "RS256 RS384 RS512 PS256 PS384 PS512", NULL },
        { "RSA, exponent of 33 bits", "\"kty\":\"RSA\",\"e\":\"AQAAAAE\",\"n\":\"%s\"", 0, NULL, "e" },
        { "RSA, exponent 1", "\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"%s\"", 0, NULL, "e" },
        { "RSA, exponent even", "\"kty\":\"RSA\",\"e\":\"AQAC\",\"n\":\"%s\"", 0, NULL, "e" },
        { "RSA, exponent 0", "\"kty\":\"RSA\",\"e\":\"AA\",\"n\":\"%s\"", 0, NULL, "e" },
        { "RSA without e", "\"kty\":\"RSA\",\"n\":\"%s\"", 0, NULL, "e" },
        { "RSA without n", "\"kty\":\"RSA\",\"e\":\"AQAB\"", 0, NULL, "n" },
        { "RSA with n as base64", "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"+%s\"", 0, NULL, "n" },
        { "RSA for encryption", "\"use\":\"enc\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, NULL, "use" },
        { "RSA with an alg of encryption", "\"alg\":\"RSA-OAEP\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, NULL, "alg" },
        { "RSA with an alg of others", "\"alg\":\"ES256\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, NULL, "alg" },
        { "RSA with HS256", "\"alg\":\"HS256\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, NULL, "alg" },
        { "RSA with none", "\"alg\":\"none\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, NULL, "alg" },
        { "P-256", EC256, 0, "ES256", NULL },
        { "P-256 with its alg, use and ops", EC256 ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"verify\"]", 0, "ES256",
          NULL },
        { "alg of another curve", EC256 ",\"alg\":\"ES384\"", 0, NULL, "alg" },
        { "alg not a string", EC256 ",\"alg\":7", 0, NULL, "alg" },
        { "use not a string", EC256 ",\"use\":[\"sig\"]", 0, NULL, "use" },
        { "key_ops with others", EC256 ",\"key_ops\":[\"sign\",\"verify\"]", 0, "ES256", NULL },
        { "key_ops to sign", EC256 ",\"key_ops\":[\"sign\"]", 0, NULL, "use" },
        { "key_ops empty", EC256 ",\"key_ops\":[]", 0, NULL, "use" },
        { "key_ops a string", EC256 ",\"key_ops\":\"verify\"", 0, NULL, "use" },
        { "kid not a string", EC256 ",\"kid\":7", 0, NULL, "kid" },
        { "published with its private part", EC256 ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"", 0, NULL, "d" },
        { "EC off the curve", "\"kty\":\"EC\",\"crv\":\"P-256\"," X256 ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"",
          0, NULL, "x" },
        { "EC of zeros", "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZERO32 "\",\"y\":\"" ZERO32 "\"", 0, NULL, "x" },
        { "EC said to be another curve", "\"kty\":\"EC\",\"crv\":\"secp256k1\"," X256 "," Y256, 0, NULL, "x" },
        { "EC with a wider curve's name", "\"kty\":\"EC\",\"crv\":\"P-384\"," X256 "," Y256, 0, NULL, "x" },
        { "EC with a short coordinate",
          "\"kty\":\"EC\",\"crv\":\"P-256\"," X256 ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5Q\"",
          0, NULL, "x" },
        { "EC without y", "\"kty\":\"EC\",\"crv\":\"P-256\"," X256, 0, NULL, "y" },
        { "EC of an unknown curve", "\"kty\":\"EC\",\"crv\":\"P-192\"," X256 "," Y256, 0, NULL, "kty" },
        { "EC with an OKP curve", "\"kty\":\"EC\",\"crv\":\"Ed25519\"," X256 "," Y256, 0, NULL, "kty" },
        { "Ed25519", ED, 0, "EdDSA", NULL },
        { "Ed25519, a byte short", "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ\"", 0,
          NULL, "x" },
        { "X25519", "\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"", 0, NULL, "kty" },
        { "unknown kty", "\"kty\":\"AKP\"", 0, NULL, "kty" },
        { "no kty", "\"kid\":\"a\"", 0, NULL, "kty" },
        { "kty in other case", "\"kty\":\"rsa\",\"e\":\"AQAB\",\"n\":\"%s\"", 0, NULL, "kty" },
        { "a symmetric key in a public set", OCT32, 0, NULL, "kty" },
        { "a symmetric key where asked for", OCT32, 1, "HS256", NULL },
        { "a symmetric key of 31 bytes", "\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", 1, NULL, "k" },
        { "a symmetric key for a longer hash", OCT32 ",\"alg\":\"HS384\"", 1, NULL, "alg" },
        { "a public key among symmetric ones", EC256, 1, NULL, "kty" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *n = strstr(RFC7515_A2_KEY, "\"n\":\"") + 5;
        const char *percent = strstr(cases[i].members, "%s");
        const char *members = !percent ? cases[i].members
                                       : apr_pstrcat(pool, apr_pstrmemdup(pool, cases[i].members, percent - cases[i].members),
                                                     apr_pstrmemdup(pool, n, strcspn(n, "\"")), percent + 2, NULL);
        const char *text = apr_pstrcat(pool, "{\"keys\":[{", members, "}]}", NULL);
        const rr_jwks_t *set;
        rr_err_t err = RR_ERR_INIT;

        is_int(rr_jwks_parse(&set, text, strlen(text), cases[i].symmetric, pool, &err),
               cases[i].where ? RR_EINVAL : APR_SUCCESS, cases[i].name);
        is_str(err.where, cases[i].where ? cases[i].where : "", "where");
        is_str(set ? rr_alg_names(pool, set->keys[0]->algs) : NULL, cases[i].algs, "what it may be used with");
    }
}

static void sets(void)
{
    static const struct {
        const char *name, *text;
        int count; /* 0: refused */
    } cases[] = {
        { "two keys", "{\"keys\":[{" EC256 "},{" ED "}]}", 2 },
        { "members beside keys", "{\"issuer\":\"x\",\"keys\":[{" EC256 ",\"x5c\":[\"?\"],\"new\":{}}]}", 1 },
        { "bad ones among good ones", "{\"keys\":[7,null,{},{\"kty\":\"AKP\"},{" EC256 ",\"use\":\"enc\"},{" ED "},[]]}", 1 },
        { "the same key twice", "{\"keys\":[{" EC256 ",\"kid\":\"a\"},{" EC256 ",\"kid\":\"a\"}]}", 2 },
        { "empty", "{\"keys\":[]}", 0 },
        { "no keys", "{}", 0 },
        { "keys no array", "{\"keys\":{}}", 0 },
        { "a bare key", "{" EC256 "}", 0 },
        { "a bare array", "[{" EC256 "}]", 0 },
        { "HTML", "<html></html>", 0 },
        { "nothing", "", 0 },
        { "a member twice", "{\"keys\":[{" EC256 "}],\"keys\":[]}", 0 },
        { "a member of a key twice", "{\"keys\":[{" EC256 ",\"kty\":\"EC\"}]}", 0 },
    };
    static const char named[] = "{\"keys\":[{" EC256 ",\"kid\":\"a\"},{" ED "}]}";
    const rr_jwks_t *set;
    rr_err_t err = RR_ERR_INIT;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(rr_jwks_parse(&set, cases[i].text, strlen(cases[i].text), 0, pool, NULL),
               cases[i].count ? APR_SUCCESS : RR_EINVAL, cases[i].name);
        is_int(set ? rr_jwks_count(set) : 0, cases[i].count, "keys");
    }
    is_int(load("{" EC256 ",\"use\":\"enc\"},{\"kty\":\"AKP\"}", 0, &err), -1, "nothing usable");
    is_str(err.text, "no usable key in the set; the first is left out: its 'use' or 'key_ops' is not to verify", "why");
    rr_jwks_parse(&set, named, strlen(named), 0, pool, NULL);
    is_str(rr_jwks_kids(pool, set), "a -", "ids, for people");
}

/* A public RSA key with a modulus of that many bits. */
static const char *rsa_of(int bits)
{
    apr_size_t len = ((apr_size_t)bits + 7) / 8;
    unsigned char *n = apr_pcalloc(pool, len);

    n[0] = (unsigned char)(1 << ((bits - 1) % 8));
    n[len - 1] |= 1;
    return apr_pstrcat(pool, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"", rr_base64url_encode(pool, n, len), "\"}", NULL);
}

static const char *blanks(apr_size_t count)
{
    char *text = apr_palloc(pool, count + 1);

    memset(text, ' ', count);
    text[count] = '\0';
    return text;
}

static void ceilings(void)
{
    static const char small[] = "{\"keys\":[{" EC256 "}]}";
    unsigned char secret[RR_MAX_SECRET + 1] = { 1 };
    const char *many = "{" ED "}", *text;
    const rr_jwks_t *set;
    char kid[RR_MAX_KID + 2];
    int i;

    is_int(load(rsa_of(RR_MIN_RSA_BITS), 0, NULL), 1, "RSA at the least");
    is_int(load(rsa_of(RR_MIN_RSA_BITS - 1), 0, NULL), -1, "and one bit less");
    is_int(load(rsa_of(1024), 0, NULL), -1, "RSA 1024");
    is_int(load(rsa_of(RR_MAX_RSA_BITS), 0, NULL), 1, "RSA at the most");
    is_int(load(rsa_of(RR_MAX_RSA_BITS + 1), 0, NULL), -1, "and one bit more");
    is_int(load(rsa_of(RR_MAX_RSA_BITS * 4), 0, NULL), -1, "and far more");

    memset(kid, 'k', sizeof(kid));
    kid[RR_MAX_KID] = '\0';
    is_int(load(apr_pstrcat(pool, "{" ED ",\"kid\":\"", kid, "\"}", NULL), 0, NULL), 1, "a kid at the limit");
    kid[RR_MAX_KID] = 'k';
    kid[RR_MAX_KID + 1] = '\0';
    is_int(load(apr_pstrcat(pool, "{" ED ",\"kid\":\"", kid, "\"}", NULL), 0, NULL), -1, "and one past it");

    for (i = 1; i < RR_MAX_JWKS_KEYS; i++) {
        many = apr_pstrcat(pool, many, ",{" ED "}", NULL);
    }
    is_int(load(many, 0, NULL), RR_MAX_JWKS_KEYS, "keys to the limit");
    is_int(load(apr_pstrcat(pool, many, ",{" ED "}", NULL), 0, NULL), RR_MAX_JWKS_KEYS, "one past it is not used");
    text = apr_pstrcat(pool, "{\"keys\":[", many, ",{" ED "},{}]}", NULL);
    rr_jwks_parse(&set, text, strlen(text), 0, pool, NULL);
    is_int(rr_jwks_unread(set), 2, "and what is not looked at is counted");
    text = apr_pstrcat(pool, "{\"keys\":[", many, "]}", NULL);
    rr_jwks_parse(&set, text, strlen(text), 0, pool, NULL);
    is_int(rr_jwks_unread(set), 0, "nothing, at the limit");

    text = apr_pstrcat(pool, small, blanks(RR_MAX_JWKS - (sizeof(small) - 1)), NULL);
    is_int(rr_jwks_parse(&set, text, strlen(text), 0, pool, NULL), APR_SUCCESS, "a set at the limit");
    text = apr_pstrcat(pool, text, " ", NULL);
    is_int(rr_jwks_parse(&set, text, strlen(text), 0, pool, NULL), RR_EINVAL, "and one past it");

    is_int(rr_jwks_from_secret(&set, secret, RR_MAX_SECRET, pool, NULL), APR_SUCCESS, "a secret at the limit");
    is_int(rr_jwks_from_secret(&set, secret, RR_MAX_SECRET + 1, pool, NULL), RR_EINVAL, "and one past it");
    ok(!set, "no set then");
}

static void secrets(void)
{
    static const struct {
        apr_size_t len;
        const char *algs; /* NULL: refused */
    } cases[] = {
        { 0, NULL },           { 31, NULL },          { 32, "HS256" },
        { 47, "HS256" },       { 48, "HS256 HS384" }, { 63, "HS256 HS384" },
        { 64, "HS256 HS384 HS512" }, { 200, "HS256 HS384 HS512" },
    };
    unsigned char secret[200] = { 0 };
    const rr_jwks_t *set;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(rr_jwks_from_secret(&set, secret, cases[i].len, pool, NULL), cases[i].algs ? APR_SUCCESS : RR_EINVAL,
               apr_psprintf(pool, "a secret of %d bytes", (int)cases[i].len));
        is_str(set ? rr_alg_names(pool, set->keys[0]->algs) : NULL, cases[i].algs, "what it may be used with");
    }
}

static apr_status_t load_private(rr_jwk_t **pkey, const char *text, rr_alg_e alg, const char *kid, rr_err_t *err)
{
    return rr_jwk_load_private(pkey, text, strlen(text), alg, kid, pool, err);
}

static void thumbprints(void)
{
    const rr_json_t *jwk;
    rr_jwk_t *key, *imported = apr_pcalloc(pool, sizeof(*imported));

    is_int(load_private(&key, RFC8037_A_PRIVATE, RR_ALG_NONE, NULL, NULL), APR_SUCCESS, "RFC 8037 A.1");
    is_str(rr_jwk_kid(key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037 A.3: its thumbprint is its id");
    rr_json_parse(&jwk, RFC7638_KEY, strlen(RFC7638_KEY), pool, NULL);
    rr_jwk_own(imported, pool);
    is_int(rr_jwk_import(imported, jwk, 0, pool, NULL), APR_SUCCESS, "RFC 7638 3.1");
    is_str(rr_jwk_thumbprint(imported, pool), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "its thumbprint");
}

static void private_keys(void)
{
    static const char other_d[] = "{" EC256 ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LA\"}";
    static const char right_d[] = "{" EC256 ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}";
    static const struct {
        const char *name, *text;
        rr_alg_e alg;
        const char *kid;
        apr_status_t want;
    } cases[] = {
        { "EC", right_d, RR_ALG_NONE, "k", APR_SUCCESS },
        { "EC for its alg", right_d, RR_ALG_ES256, "k", APR_SUCCESS },
        { "EC for another", right_d, RR_ALG_ES384, "k", RR_EINVAL },
        { "EC with another key's d", other_d, RR_ALG_NONE, "k", RR_EINVAL },
        { "RFC 7520 3.2", RFC7520_EC_PRIVATE, RR_ALG_NONE, NULL, APR_SUCCESS },
        { "Ed25519 with another key's d",
          "{" ED ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2E\"}", RR_ALG_NONE, NULL, RR_EINVAL },
        { "no private part", "{" EC256 "}", RR_ALG_NONE, NULL, RR_EINVAL },
        { "for encryption", "{" EC256 ",\"use\":\"enc\",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}", RR_ALG_NONE,
          NULL, RR_EINVAL },
        { "alg that does not sign", "{" EC256 ",\"alg\":\"ECDH-ES\",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}",
          RR_ALG_NONE, NULL, RR_EINVAL },
        { "empty id", right_d, RR_ALG_NONE, "", RR_EINVAL },
        { "oct", "{" OCT32 "}", RR_ALG_NONE, NULL, APR_SUCCESS },
        { "oct too short for the alg", "{" OCT32 "}", RR_ALG_HS512, NULL, RR_EINVAL },
        { "nothing", "", RR_ALG_NONE, NULL, RR_EINVAL },
        { "words", "hello", RR_ALG_NONE, NULL, RR_EINVAL },
        { "a set", "{\"keys\":[]}", RR_ALG_NONE, NULL, RR_EINVAL },
    };
    rr_jwk_t *key;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(load_private(&key, cases[i].text, cases[i].alg, cases[i].kid, NULL), cases[i].want, cases[i].name);
        ok(!key == (cases[i].want != APR_SUCCESS), "a key or none");
    }
    load_private(&key, RFC7520_EC_PRIVATE, RR_ALG_NONE, NULL, NULL);
    is_str(rr_jwk_kid(key), "bilbo.baggins@hobbiton.example", "the id is the JWK's");
    is_int(rr_jwk_alg(key), RR_ALG_ES512, "the alg the curve's");
    load_private(&key, "{" OCT32 "}", RR_ALG_NONE, NULL, NULL);
    ok(!rr_jwk_kid(key), "a secret has no id of its own");
}

static const char *pem(EVP_PKEY *pkey, int traditional, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text;
    char *bytes;
    long len;

    if (traditional) {
        PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL);
    } else {
        PEM_write_bio_PrivateKey(bio, pkey, passphrase ? EVP_aes_128_cbc() : NULL, (const unsigned char *)passphrase,
                                 passphrase ? (int)strlen(passphrase) : 0, NULL, NULL);
    }
    len = BIO_get_mem_data(bio, &bytes);
    text = apr_pstrmemdup(pool, bytes, (apr_size_t)len);
    BIO_free(bio);
    return text;
}

static void pems(void)
{
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    EVP_PKEY *weak = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    EVP_PKEY *ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    rr_jwk_t *key;
    rr_err_t err = RR_ERR_INIT;

    is_int(load_private(&key, pem(rsa, 0, NULL), RR_ALG_NONE, NULL, NULL), APR_SUCCESS, "PKCS #8");
    is_int(rr_jwk_alg(key), RR_ALG_RS256, "RS256 unless said");
    is_int(load_private(&key, pem(rsa, 1, NULL), RR_ALG_PS512, "k", NULL), APR_SUCCESS, "PKCS #1");
    is_int(rr_jwk_alg(key), RR_ALG_PS512, "or what is said");
    is_int(load_private(&key, pem(ec, 1, NULL), RR_ALG_NONE, NULL, NULL), APR_SUCCESS, "SEC 1");
    is_int(rr_jwk_alg(key), RR_ALG_ES384, "the curve's");
    is_int(load_private(&key, apr_pstrcat(pool, "Bag Attributes\n", pem(ec, 0, NULL), NULL), RR_ALG_NONE, NULL, NULL),
           APR_SUCCESS, "text before it");
    is_int(load_private(&key, pem(rsa, 0, "secret"), RR_ALG_NONE, NULL, NULL), RR_EINVAL, "under a passphrase");
    is_int(load_private(&key, pem(weak, 0, NULL), RR_ALG_NONE, NULL, &err), RR_EINVAL, "RSA 1024");
    is_str(err.text, "an RSA key of 1024 bits; 2048 to 8192 are accepted", "says so");
    is_int(load_private(&key, pem(x, 0, NULL), RR_ALG_NONE, NULL, NULL), RR_EINVAL, "X25519");
    is_int(load_private(&key, apr_pstrmemdup(pool, pem(ec, 0, NULL), 80), RR_ALG_NONE, NULL, NULL), RR_EINVAL, "cut off");
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(x);
}

static void prints(void)
{
    static const char *const algs[] = { "RS256", "ES256", "ES512", "ES256K", "EdDSA" };
    rr_jwk_t *key, *again;
    const char *private, *public, *text;
    size_t i;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        rr_jwk_generate(&key, rr_alg_parse(algs[i], strlen(algs[i])), NULL, NULL, pool, NULL);
        rr_jwk_print(&private, key, 1, pool, NULL);
        rr_jwk_print(&public, key, 0, pool, NULL);
        ok(strstr(private, "\"d\":\"") != NULL, "%s: the private form has d", algs[i]);
        ok(!strstr(public, "\"d\":\"") && !strstr(public, "\"p\":\""), "the public one has not");
        is_int(load(public, 0, NULL), 1, "it goes into a set");
        is_int(load(private, 0, NULL), -1, "the private one does not");
        is_int(load_private(&again, private, RR_ALG_NONE, NULL, NULL), APR_SUCCESS, "it loads");
        rr_jwk_print(&text, again, 1, pool, NULL);
        is_str(text, private, "and prints as before");
    }
    rr_jwk_generate(&key, RR_ALG_HS256, NULL, "s", pool, NULL);
    is_int(rr_jwk_print(&text, key, 0, pool, NULL), RR_EINVAL, "a symmetric key has no public form");
    is_int(rr_jwk_print(&text, key, 1, pool, NULL), APR_SUCCESS, "and a private one");
    is_int(load(text, 1, NULL), 1, "which goes into a set of secrets");
    is_int(rr_jwk_generate(&key, RR_ALG_NONE, NULL, NULL, pool, NULL), RR_EINVAL, "no key for no algorithm");
    is_int(rr_jwk_generate(&key, RR_ALG_ES256, "P-384", NULL, pool, NULL), RR_EINVAL, "nor for a curve that is not its");
    is_int(rr_jwk_generate(&key, RR_ALG_ES256, "P-256", NULL, pool, NULL), APR_SUCCESS, "for the one that is, yes");
    is_int(rr_jwk_generate(&key, RR_ALG_RS256, "P-256", NULL, pool, NULL), RR_EINVAL, "RSA has none");
}

static void base64url(void)
{
    static const struct {
        const char *text, *bytes;
    } good[] = {
        { "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg", "foob" }, { "Zm9vYmE", "fooba" },
        { "Zm9vYmFy", "foobar" }, { "-_-_", "\xfb\xff\xbf" },
    };
    static const char *const bad[] = { "Z",     "Zh",   "Zm9",  "Zm9vY", "Zm9=",    "Zg==",  "Zm9v\n",
                                       " Zm9v", "Zm+v", "Zm/v", "Zm.v",  "Zm\x80v", "Zm9vYh" };
    const unsigned char *bytes;
    apr_size_t len, i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        is_int(rr_base64url_decode(&bytes, &len, good[i].text, strlen(good[i].text), pool), APR_SUCCESS, good[i].text);
        ok(len == strlen(good[i].bytes) && !strcmp((const char *)bytes, good[i].bytes), "decodes");
        is_str(rr_base64url_encode(pool, good[i].bytes, strlen(good[i].bytes)), good[i].text, "encodes");
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(rr_base64url_decode(&bytes, &len, bad[i], strlen(bad[i]), pool), RR_EINVAL,
               apr_psprintf(pool, "not base64url %d", (int)i));
        ok(!bytes && !len, "nothing");
    }
    is_int(rr_base64url_decode(&bytes, &len, "Zm\0v", 4, pool), RR_EINVAL, "NUL within");
}

/* Every byte at every place of a text that is looked at by eights and then one by one. */
static void characters(void)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[64];
    char text[20];
    int c, at, wrong = 0, wrongly_decoded = 0;

    for (c = 0; c < 256; c++) {
        for (at = 0; at < (int)sizeof(text); at++) {
            int good = c && strchr(alphabet, c) != NULL;
            const unsigned char *decoded;
            apr_size_t len;

            memset(text, 'A', sizeof(text));
            text[at] = (char)c;
            wrong += rr_base64url_is(text, sizeof(text)) != good;
            wrongly_decoded += (rr_base64url_decode(&decoded, &len, text, sizeof(text), pool) == APR_SUCCESS) != good
                               || (good && memcmp(rr_base64url_encode(pool, decoded, len), text, sizeof(text)) != 0);
        }
    }
    is_int(wrong, 0, "the alphabet, nothing else");
    is_int(wrongly_decoded, 0, "and each character where it stands");
    memset(text, 'A', sizeof(text));
    for (wrong = 0, at = 0; at < (int)sizeof(bytes); at++) {
        char room[sizeof(bytes) + 1];
        const char *written = rr_base64url_encode(pool, bytes, (apr_size_t)at);

        bytes[at] = (unsigned char)(at * 151 + 37);
        memset(room, '#', sizeof(room));
        wrong += !rr_base64url_into((unsigned char *)room, written, strlen(written)) || memcmp(room, bytes, (size_t)at)
                 || room[at] != '#' || RR_BASE64URL_LEN(strlen(written)) != (apr_size_t)at;
    }
    is_int(wrong, 0, "every number of bytes, and not one behind them is written");
    ok(rr_base64url_is(text, 16) && !rr_base64url_is(text, 17) && rr_base64url_is(text, 18) && rr_base64url_is(text, 0), "lengths");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    keys();
    sets();
    ceilings();
    secrets();
    thumbprints();
    private_keys();
    pems();
    prints();
    base64url();
    characters();
    apr_pool_destroy(pool);
    return tap_end();
}
