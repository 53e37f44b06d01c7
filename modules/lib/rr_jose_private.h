/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jose_private.h: what the files of JOSE know of each other: algorithms,
 * curves, and how a key is kept.
 */
#ifndef RR_JOSE_PRIVATE_H
#define RR_JOSE_PRIVATE_H

#include "rr_jose.h"

#include <openssl/evp.h>

#define RR_JWA_COUNT 14 /* bits of rr_alg_e */

typedef enum { RR_KTY_NONE = 0, RR_KTY_RSA, RR_KTY_EC, RR_KTY_OKP, RR_KTY_OCT } rr_kty_e;

/* One algorithm. */
typedef struct rr_jwa_t {
    const char *name;
    rr_alg_e alg;
    rr_kty_e kty;
    const char *md;      /* OpenSSL's name; NULL: EdDSA hashes by itself */
    apr_size_t hash_len; /* bytes of md */
    int pss;             /* RSASSA-PSS rather than PKCS #1 v1.5 */
} rr_jwa_t;

/* One curve. */
typedef struct rr_curve_t {
    const char *crv;   /* in a JWK */
    const char *group; /* OpenSSL's name of the group (EC) or of the key type (OKP) */
    rr_kty_e kty;
    rr_alg_e alg;   /* the one algorithm it is used with */
    apr_size_t len; /* bytes of a coordinate or of the public key */
} rr_curve_t;

/* The row of one algorithm; NULL for RR_ALG_NONE. */
const rr_jwa_t *rr_jwa_find(rr_alg_e alg);
int rr_jwa_index(rr_alg_e alg); /* of the row, 0 to RR_JWA_COUNT - 1 */

const rr_curve_t *rr_curve_by_crv(const char *crv);
const rr_curve_t *rr_curve_by_alg(rr_alg_e alg);   /* EdDSA: Ed25519 */
const rr_curve_t *rr_curve_by_pkey(const EVP_PKEY *pkey);

/* A key of a set, or one that signs. Immutable once made. */
struct rr_jwk_t {
    const char *kid; /* NULL: none */
    apr_size_t kid_len;
    rr_kty_e kty;
    unsigned int algs;              /* what it may be used with */
    rr_alg_e alg;                   /* what it signs with; RR_ALG_NONE in a set */
    EVP_PKEY *pkey;                 /* NULL for oct */
    const rr_curve_t *curve;        /* EC, OKP */
    apr_size_t signature_len;       /* bytes of a signature; 0 for oct */
    const unsigned char *secret;    /* oct that signs: wiped with its pool */
    apr_size_t secret_len;
    EVP_PKEY_CTX *verify[RR_JWA_COUNT]; /* RSA, EC in a set: prepared, to be duplicated by each verification */
    EVP_MD_CTX *eddsa;                  /* OKP in a set: likewise */
    EVP_MAC_CTX *mac[RR_JWA_COUNT];     /* oct in a set: likewise */
};

struct rr_jwks_t {
    const rr_jwk_t *keys[RR_MAX_JWKS_KEYS];
    int count;
    int unread; /* the set was full */
    EVP_MD *md[RR_JWA_COUNT]; /* fetched once; NULL for EdDSA and HS */
};

/* Frees key's OpenSSL objects and wipes its secret when its pool ends. */
void rr_jwk_own(rr_jwk_t *key, apr_pool_t *p);

int rr_jwk_has_kid(const rr_jwk_t *key, const char *kid, apr_size_t len);

/* The algorithms that a key of that kind, curve and (oct) length can be used with. */
unsigned int rr_jwk_fitting(rr_kty_e kty, const rr_curve_t *curve, apr_size_t secret_len);

/*
 * The OpenSSL key of a JWK's members, with its private ones if asked.
 *
 * Errors: RR_EINVAL: malformed, weak, or of a kind we do not have. Fills kty, curve, pkey, signature_len; for oct the secret,
 *         in p and not owned yet.
 */
apr_status_t rr_jwk_import(rr_jwk_t *key, const rr_json_t *jwk, int with_private, apr_pool_t *p, rr_err_t *err);

/* Takes over pkey, whose kind, size and curve are judged as for any key. */
apr_status_t rr_jwk_adopt(rr_jwk_t *key, EVP_PKEY *pkey, rr_err_t *err);

/* RFC 7638's SHA-256 thumbprint as base64url; NULL where OpenSSL does not give the key's numbers away. */
const char *rr_jwk_thumbprint(const rr_jwk_t *key, apr_pool_t *p);

/*
 * Text of a stranger for a message: printable ASCII of it, the rest as '?', cut after
 * about sixty characters. buf is returned.
 */
#define RR_SHOWN 72
const char *rr_jose_show(char buf[RR_SHOWN], const char *text);

#endif
