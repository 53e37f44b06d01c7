/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jws.c: compact JSON Web Signatures: what has their shape, taking them
 * apart, verifying them.
 *
 * Nothing in a token chooses how it is verified: its alg has to be in the
 * policy's mask and in the key's, and its kid only selects among our keys.
 *
 * Threads: any; a key set is read, never changed.
 * Spec:    RFC 7515, 5.2; RFC 7518, 3; RFC 8037, 3.1; RFC 8725, 3.
 */
#include "rr_base64.h"
#include "rr_jose_private.h"
#include "rr_json_private.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <string.h>

#define ALGS_SHA256 (RR_ALG_RS256 | RR_ALG_PS256 | RR_ALG_ES256 | RR_ALG_ES256K)
#define MAX_COORDINATE 66                                  /* of P-521 */
#define MAX_DER_SIGNATURE (3 + 2 * (2 + 1 + MAX_COORDINATE)) /* SEQUENCE of two INTEGERs */

/* ---- shape ---- */

int rr_jws_has_shape(const char *text, apr_size_t len)
{
    char header[RR_MAX_TOKEN_HEADER + 1];
    const char *end = text + len;
    const char *first = memchr(text, '.', len);
    const char *second = first ? memchr(first + 1, '.', (apr_size_t)(end - first - 1)) : NULL;
    apr_size_t header_len;

    if (!second || first == text || memchr(second + 1, '.', (apr_size_t)(end - second - 1))) {
        return 0;
    }
    header_len = RR_BASE64URL_LEN((apr_size_t)(first - text));
    return header_len <= RR_MAX_TOKEN_HEADER
           && rr_base64url_into((unsigned char *)header, text, (apr_size_t)(first - text))
           && rr_base64url_is(first + 1, (apr_size_t)(second - first - 1))
           && rr_base64url_is(second + 1, (apr_size_t)(end - second - 1)) && rr_json_look(header, header_len, "alg");
}

/* ---- parse: what it takes has the shape, so that whoever took a token apart need not ask ---- */

/* "application/" may be left out where no other '/' follows; case does not count. */
static int is_typ_accepted(const char *typ)
{
    static const char prefix[] = "application/";

    if (!strcmp(typ, "JWT")) { /* as it is written nearly always */
        return 1;
    }
    if (!strncasecmp(typ, prefix, sizeof(prefix) - 1)) {
        typ += sizeof(prefix) - 1;
    }
    return !strcasecmp(typ, "JWT") || !strcasecmp(typ, "at+jwt");
}

/* The members of the header that are looked at. */
typedef struct members_t {
    const rr_json_t *alg, *kid, *typ, *b64, *crit;
} members_t;

#define NAME(a, b, c) ((unsigned char)(a) << 16 | (unsigned char)(b) << 8 | (unsigned char)(c))

/* In one pass. Their names are of three letters each, but for one. */
static void find_members(members_t *found, const rr_json_t *header)
{
    apr_size_t i;

    *found = (members_t){ .alg = NULL };
    for (i = 0; i < header->size; i++) {
        const rr_json_t *item = &header->u.items[i];

        switch (item->name_len == 3 ? NAME(item->name[0], item->name[1], item->name[2]) : 0) {
        case NAME('a', 'l', 'g'):
            found->alg = item;
            break;
        case NAME('k', 'i', 'd'):
            found->kid = item;
            break;
        case NAME('t', 'y', 'p'):
            found->typ = item;
            break;
        case NAME('b', '6', '4'):
            found->b64 = item;
            break;
        default:
            if (item->name_len == 4 && !memcmp(item->name, "crit", 4)) {
                found->crit = item;
            }
            break;
        }
    }
}

static apr_status_t read_header(rr_jws_t *jws, rr_err_t *err)
{
    char shown[RR_SHOWN];
    members_t found;

    find_members(&found, jws->header);
    jws->alg_name = rr_json_string(found.alg);
    if (!jws->alg_name) {
        return rr_err_set(err, RR_EINVAL, "alg", "the token's header has no 'alg' that is a string");
    }
    jws->alg = rr_alg_parse(jws->alg_name, found.alg->size);
    if (found.crit) {
        return rr_err_set(err, RR_EINVAL, "crit", "the token's header has 'crit', of which nothing is supported");
    }
    if (found.b64 && !rr_json_is_true(found.b64)) {
        return rr_err_set(err, RR_EINVAL, "b64", "the token's header has a 'b64' other than true");
    }
    jws->kid = rr_json_string(found.kid);
    if (found.kid && (!jws->kid || found.kid->size > RR_MAX_KID)) {
        return rr_err_set(err, RR_EINVAL, "kid", "the token's 'kid' is not a string of at most %d bytes", RR_MAX_KID);
    }
    jws->typ = rr_json_string(found.typ);
    if (found.typ && (!jws->typ || !is_typ_accepted(jws->typ))) {
        return rr_err_set(err, RR_EINVAL, "typ", "the token's 'typ' is '%s'; JWT, at+jwt or none is accepted",
                          jws->typ ? rr_jose_show(shown, jws->typ) : "not a string");
    }
    return APR_SUCCESS;
}

/* Where the two dots are; err says what it is instead. */
static apr_status_t find_dots(const char **pfirst, const char **psecond, const char *token, apr_size_t len, rr_err_t *err)
{
    const char *end = token + len, *at;
    int dots = 0;

    *pfirst = *psecond = token;
    for (at = token; (at = memchr(at, '.', (apr_size_t)(end - at))) != NULL; at++) {
        dots++;
        if (dots == 1) {
            *pfirst = at;
        } else if (dots == 2) {
            *psecond = at;
        }
    }
    if (dots == 4) {
        return rr_err_set(err, RR_EINVAL, NULL, "an encrypted token (JWE); only signed ones are supported");
    }
    return dots == 2 ? APR_SUCCESS
                     : rr_err_set(err, RR_EINVAL, NULL, "not a token: %d dots where two are needed", dots);
}

/* One segment into its bytes and a NUL. */
static int decode(char *to, const char *from, const char *end)
{
    apr_size_t len = (apr_size_t)(end - from);

    if (!rr_base64url_into((unsigned char *)to, from, len)) {
        return 0;
    }
    to[RR_BASE64URL_LEN(len)] = '\0';
    return 1;
}

apr_status_t rr_jws_parse(rr_jws_t **pjws, const char *token, apr_size_t len, apr_pool_t *p, rr_err_t *err)
{
    const char *first, *second, *end = token + len;
    apr_size_t header_len, payload_len, signature_len;
    rr_err_t json_err;
    apr_status_t rv;
    rr_jws_t *jws;
    char *bytes; /* behind jws: header, payload, signature, each with a NUL */

    *pjws = NULL;
    if (len > RR_MAX_TOKEN) {
        return rr_err_set(err, RR_EINVAL, NULL, "the token is longer than %d bytes", RR_MAX_TOKEN);
    }
    rv = find_dots(&first, &second, token, len, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    header_len = RR_BASE64URL_LEN((apr_size_t)(first - token));
    payload_len = RR_BASE64URL_LEN((apr_size_t)(second - first - 1));
    signature_len = RR_BASE64URL_LEN((apr_size_t)(end - second - 1));
    if (header_len > RR_MAX_TOKEN_HEADER) {
        return rr_err_set(err, RR_EINVAL, NULL, "the token's header is longer than %d bytes", RR_MAX_TOKEN_HEADER);
    }
    jws = apr_palloc(p, sizeof(*jws) + header_len + payload_len + signature_len + 3);
    memset(jws, 0, sizeof(*jws));
    bytes = (char *)(jws + 1);
    if (!decode(bytes, token, first) || !decode(bytes + header_len + 1, first + 1, second)
        || !decode(bytes + header_len + 1 + payload_len + 1, second + 1, end)) {
        return rr_err_set(err, RR_EINVAL, NULL, "a segment of the token is not base64url without padding");
    }
    rr_err_clear(&json_err);
    rv = rr_json_parse_few(&jws->header, bytes, header_len, p, &json_err);
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, NULL, "the token's header: %s", rr_err_text(&json_err));
    }
    jws->input = token;
    jws->input_len = (apr_size_t)(second - token);
    jws->payload = bytes + header_len + 1;
    jws->payload_len = payload_len;
    jws->signature = (unsigned char *)bytes + header_len + 1 + payload_len + 1;
    jws->signature_len = signature_len;
    rv = read_header(jws, err);
    if (rv == APR_SUCCESS) {
        *pjws = jws;
    }
    return rv;
}

/* ---- verify ---- */

/* One INTEGER from a coordinate of n bytes: the fewest bytes, positive. NULL for zero, which no signature has. */
static unsigned char *put_integer(unsigned char *to, const unsigned char *bytes, apr_size_t n)
{
    while (n && !*bytes) {
        bytes++;
        n--;
    }
    if (!n) {
        return NULL;
    }
    *to++ = 0x02;
    *to++ = (unsigned char)(n + (*bytes >> 7));
    if (*bytes >> 7) {
        *to++ = 0;
    }
    memcpy(to, bytes, n);
    return to + n;
}

/* r and s of n bytes each, as OpenSSL wants them; the length, or 0. */
static apr_size_t raw_to_der(unsigned char der[MAX_DER_SIGNATURE], const unsigned char *raw, apr_size_t n)
{
    unsigned char body[MAX_DER_SIGNATURE], *at = put_integer(body, raw, n), *to = der;
    apr_size_t len;

    at = at ? put_integer(at, raw + n, n) : NULL;
    if (!at) {
        return 0;
    }
    len = (apr_size_t)(at - body);
    *to++ = 0x30;
    if (len > 127) {
        *to++ = 0x81;
    }
    *to++ = (unsigned char)len;
    memcpy(to, body, len);
    return (apr_size_t)(to - der) + len;
}

static int verify_digest(const rr_jws_t *jws, const rr_jwk_t *key, const unsigned char *digest, apr_size_t digest_len)
{
    const unsigned char *signature = jws->signature;
    apr_size_t signature_len = jws->signature_len;
    unsigned char der[MAX_DER_SIGNATURE];
    EVP_PKEY_CTX *ctx;
    int good;

    if (key->kty == RR_KTY_EC) {
        signature_len = raw_to_der(der, jws->signature, key->curve->len);
        signature = der;
    }
    if (!signature_len) {
        return 0;
    }
    ctx = EVP_PKEY_CTX_dup(key->verify[rr_jwa_index(jws->alg)]);
    good = ctx && EVP_PKEY_verify(ctx, signature, signature_len, digest, digest_len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static int verify_eddsa(const rr_jws_t *jws, const rr_jwk_t *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = ctx && EVP_MD_CTX_copy_ex(ctx, key->eddsa) == 1
               && EVP_DigestVerify(ctx, jws->signature, jws->signature_len, (const unsigned char *)jws->input,
                                   jws->input_len) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

static int verify_mac(const rr_jws_t *jws, const rr_jwk_t *key)
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(key->mac[rr_jwa_index(jws->alg)]);
    unsigned char mac[EVP_MAX_MD_SIZE];
    apr_size_t len = 0;
    int good = ctx && EVP_MAC_update(ctx, (const unsigned char *)jws->input, jws->input_len)
               && EVP_MAC_final(ctx, mac, &len, sizeof(mac)) && len == jws->signature_len
               && !CRYPTO_memcmp(mac, jws->signature, len);

    EVP_MAC_CTX_free(ctx);
    OPENSSL_cleanse(mac, sizeof(mac));
    return good;
}

/* How the keys of a set answered to one token. */
typedef struct trial_t {
    rr_jws_t *jws;
    unsigned char digest[EVP_MAX_MD_SIZE]; /* of the signing input, once it is needed */
    unsigned int digest_len;
    int named; /* the set has a key of the token's kid */
    int tried; /* keys that the signature was verified with */
} trial_t;

static int digest_input(trial_t *trial, const EVP_MD *md)
{
    rr_jws_t *jws = trial->jws;

    if (!(jws->alg & ALGS_SHA256)) {
        return EVP_Digest(jws->input, jws->input_len, trial->digest, &trial->digest_len, md, NULL);
    }
    jws->is_digested = jws->is_digested || EVP_Digest(jws->input, jws->input_len, jws->sha256, NULL, md, NULL) == 1;
    trial->digest_len = jws->is_digested ? sizeof(jws->sha256) : 0;
    memcpy(trial->digest, jws->sha256, sizeof(jws->sha256));
    return jws->is_digested;
}

static int try_key(trial_t *trial, const rr_jwks_t *set, const rr_jwk_t *key)
{
    const rr_jws_t *jws = trial->jws;
    const EVP_MD *md = set->md[rr_jwa_index(jws->alg)];

    trial->tried++;
    if (key->kty == RR_KTY_OCT) {
        return verify_mac(jws, key);
    }
    if (jws->signature_len != key->signature_len) {
        return 0;
    }
    if (key->kty == RR_KTY_OKP) {
        return verify_eddsa(jws, key);
    }
    if (!trial->digest_len && !digest_input(trial, md)) {
        return 0;
    }
    return verify_digest(jws, key, trial->digest, trial->digest_len);
}

/* Why no key of the set verified the token. */
static apr_status_t explain(const trial_t *trial, rr_err_t *err)
{
    const rr_jws_t *jws = trial->jws;
    char shown[RR_SHOWN];

    if (jws->kid && !trial->named && (!trial->tried || !(jws->alg & RR_ALGS_SYMMETRIC))) {
        return rr_err_set(err, RR_ENOKEY, "kid", "no key of id '%s' in the set", rr_jose_show(shown, jws->kid));
    }
    if (!trial->tried) {
        return jws->kid ? rr_err_set(err, RR_EDENIED, "alg", "the key '%s' is not for %s", rr_jose_show(shown, jws->kid),
                                     jws->alg_name)
                        : rr_err_set(err, RR_ENOKEY, "alg", "no key for %s in the set", jws->alg_name);
    }
    return rr_err_set(err, RR_ESIGNATURE, "signature", "the %s signature does not verify with %s", jws->alg_name,
                      trial->tried > 1 ? "any key that fits" : "the key that fits");
}

apr_status_t rr_jws_verify(rr_jws_t *jws, const rr_jwks_t *set, unsigned int algs, rr_err_t *err)
{
    apr_size_t kid_len = jws->kid ? strlen(jws->kid) : 0;
    trial_t trial = { .jws = jws, .named = jws->kid && rr_jwks_has_kid(set, jws->kid, kid_len) };
    char shown[RR_SHOWN];
    int i, good = 0;

    if (!(jws->alg & algs)) {
        return rr_err_set(err, RR_EDENIED, "alg", "the token's alg '%s' is not allowed", rr_jose_show(shown, jws->alg_name));
    }
    ERR_set_mark();
    for (i = 0; i < set->count && trial.tried < RR_MAX_KEYS_TRIED && !good; i++) {
        const rr_jwk_t *key = set->keys[i];
        int selected = !jws->kid || (trial.named ? rr_jwk_has_kid(key, jws->kid, kid_len) : !key->kid);

        if (selected && (key->algs & jws->alg)) {
            good = try_key(&trial, set, key);
        }
    }
    ERR_pop_to_mark();
    return good ? APR_SUCCESS : explain(&trial, err);
}
