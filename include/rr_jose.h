/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jose.h: JSON Web Keys and compact JSON Web Signatures.
 *
 * The key decides the algorithm, never the token: every key carries the set of
 * algorithms it may be used with, fixed when it is loaded. Symmetric and
 * asymmetric keys never share a set. `none` does not exist here.
 *
 * Spec: RFC 7515 (JWS), 7517 (JWK), 7518 (JWA), 7519 (JWT), 8037 (EdDSA),
 *       8812 (ES256K), 8725 (best current practice).
 */
#ifndef RR_JOSE_H
#define RR_JOSE_H

#include "rr_json.h"

#include <apr_time.h>

/* ---- algorithms: a bit each, so that policy is a mask ---- */
typedef enum {
    RR_ALG_NONE = 0, /* no algorithm; never the JWS algorithm of that name */
    RR_ALG_RS256 = 1 << 0,
    RR_ALG_RS384 = 1 << 1,
    RR_ALG_RS512 = 1 << 2,
    RR_ALG_PS256 = 1 << 3,
    RR_ALG_PS384 = 1 << 4,
    RR_ALG_PS512 = 1 << 5,
    RR_ALG_ES256 = 1 << 6,
    RR_ALG_ES384 = 1 << 7,
    RR_ALG_ES512 = 1 << 8,
    RR_ALG_ES256K = 1 << 9,
    RR_ALG_EDDSA = 1 << 10,
    RR_ALG_HS256 = 1 << 11,
    RR_ALG_HS384 = 1 << 12,
    RR_ALG_HS512 = 1 << 13
} rr_alg_e;

#define RR_ALGS_SYMMETRIC (RR_ALG_HS256 | RR_ALG_HS384 | RR_ALG_HS512)
#define RR_ALGS_ASYMMETRIC (RR_ALG_HS256 - 1)

/** The algorithm of that registered name (case-sensitive), or RR_ALG_NONE. */
rr_alg_e rr_alg_parse(const char *name, apr_size_t len);

/** The registered name of one algorithm, or NULL. */
const char *rr_alg_name(rr_alg_e alg);

/** All names as "RS256 RS384 ...", for messages. */
const char *rr_alg_names(apr_pool_t *p, unsigned int mask);

/* ---- keys ---- */
typedef struct rr_jwks_t rr_jwks_t; /* an immutable set; any thread may verify with it */
typedef struct rr_jwk_t rr_jwk_t;   /* one private (or symmetric) key that signs */

/**
 * Loads a key set.
 *
 * Keys that cannot verify for us (another use, key_ops without verify, an
 * unknown kty or crv, a weak or malformed key, one published with its private
 * part) are left out, not fatal: issuers add such keys at any time. With
 * symmetric set only "oct" keys are taken, else none of them.
 *
 * Ownership: *pset lives in p, OpenSSL objects freed with it.
 * Errors:    RR_EINVAL: not a key set, or no usable key, with the reason for the first key left out.
 * Spec:      RFC 7517, 5.
 */
apr_status_t rr_jwks_parse(const rr_jwks_t **pset, const char *text, apr_size_t len, int symmetric, apr_pool_t *p,
                           rr_err_t *err);

/**
 * A set of one symmetric key, for the HS algorithms its length allows
 * (RFC 7518, 3.2: at least as long as the hash).
 */
apr_status_t rr_jwks_from_secret(const rr_jwks_t **pset, const unsigned char *secret, apr_size_t len, apr_pool_t *p,
                                 rr_err_t *err);

/** Keys in the set. */
int rr_jwks_count(const rr_jwks_t *set);

/** Keys that were not looked at, usable or not: RR_MAX_JWKS_KEYS others came first. */
int rr_jwks_unread(const rr_jwks_t *set);

/** True if a key of that id is in the set; kid need not be NUL-terminated. */
int rr_jwks_has_kid(const rr_jwks_t *set, const char *kid, apr_size_t len);

/** Ids of the set's keys as "a b -", for messages; "-" is a key without one. */
const char *rr_jwks_kids(apr_pool_t *p, const rr_jwks_t *set);

/* ---- tokens ---- */
typedef struct rr_jws_t {
    rr_alg_e alg;               /* RR_ALG_NONE where the header names one we do not have */
    const char *alg_name;       /* as the header says it; for messages */
    const char *kid;            /* NULL: none */
    const char *typ;            /* NULL: none */
    const char *input;          /* signing input: header.payload, borrowed from the token */
    apr_size_t input_len;
    int is_digested;            /* sha256 is the input's; verifying finds it by the way where the algorithm has it */
    unsigned char sha256[32];
    const unsigned char *signature; /* decoded */
    apr_size_t signature_len;
    const rr_json_t *header;    /* the whole JOSE header */
    const char *payload;        /* decoded bytes, NUL-terminated */
    apr_size_t payload_len;
} rr_jws_t;

/**
 * Whether text has the shape of a token: three base64url segments of which the
 * first decodes to an object with a member "alg". Anything else is a key.
 */
int rr_jws_has_shape(const char *text, apr_size_t len);

/**
 * Takes a compact JWS apart, without trusting any of it.
 *
 * Lengths first: the token, exactly two dots (four name a JWE, refused as
 * such), the header. base64url without padding, stray bits or other characters.
 * Refused: any `crit`, `b64` other than true, a header that is no object, an alg
 * that is no string, typ other than JWT, at+jwt or absent ("application/" prefix
 * and case as RFC 7515 4.1.9 has it). jku, x5u, x5c and jwk are not looked at.
 *
 * Ownership: *pjws lives in p and borrows token as long as it is used.
 * Errors:    RR_EINVAL.
 */
apr_status_t rr_jws_parse(rr_jws_t **pjws, const char *token, apr_size_t len, apr_pool_t *p, rr_err_t *err);

/**
 * Verifies the signature with the set's keys of the token's kid, with those that
 * have no id where none is of that kid, or, for a token without kid, with each
 * that fits; always RR_MAX_KEYS_TRIED at most.
 *
 * algs is the policy's mask; the token's alg has to be in it *and* in what the key allows.
 *
 * Threads: any; jws is the caller's alone.
 * Errors:  RR_ENOKEY (no key of that kid, or none for the algorithm: the one case in
 *          which a fresh set might help), RR_EDENIED (alg not allowed by policy or key), RR_ESIGNATURE.
 * Spec:    RFC 7515, 5.2; RFC 8725, 3.1, 3.2.
 */
apr_status_t rr_jws_verify(rr_jws_t *jws, const rr_jwks_t *set, unsigned int algs, rr_err_t *err);

/* ---- claims ---- */

/* What every token is judged by, found in one pass. Borrowed from all; NULL: not there. */
typedef struct rr_claims_t {
    const rr_json_t *all; /* the object itself */
    const rr_json_t *iss, *sub, *aud, *exp, *nbf, *iat, *jti;
} rr_claims_t;

/** object NULL, or none: nothing is there. */
void rr_claims_find(rr_claims_t *claims, const rr_json_t *object);

typedef struct rr_claims_policy_t {
    const char *issuer;                  /* exact iss; NULL: not checked here */
    const apr_array_header_t *audiences; /* const char *; any one is enough; NULL: any audience, said by the operator */
    apr_interval_time_t leeway;          /* clock skew granted, microseconds */
    apr_interval_time_t max_lifetime;    /* exp - iat at most; 0: no such rule; set: iat is required */
    const char *sub_claim;               /* CLAIM-PATH of the subject; NULL: "sub" */
} rr_claims_policy_t;

/**
 * Checks iss, aud, exp, nbf and iat.
 *
 * exp is required; iss and aud wherever the policy names them. Fractions are
 * accepted, times are compared without overflow.
 *
 * Units:  now is microseconds since the epoch.
 * Errors: RR_ECLAIM or RR_EEXPIRED; err->where is the claim's name (the client may see that),
 *         err->text has expected and found, for the operator.
 * Spec:   RFC 7519, 4.1.
 */
apr_status_t rr_claims_check(const rr_claims_t *claims, const rr_claims_policy_t *policy, apr_time_t now, rr_err_t *err);

/** The subject by that policy; NULL: there is none that is a string. */
const char *rr_claims_subject(const rr_claims_t *claims, const rr_claims_policy_t *policy);

/* ---- signing: rrctl, and what the gateway itself signs ---- */

/**
 * Makes a fresh private key for alg (RSA 2048, the curve of an ES algorithm,
 * Ed25519 or, with crv "Ed448", Ed448; HS: hash-long random bytes).
 * kid NULL: the RFC 7638 thumbprint; none for HS, whose secret it would help to guess.
 */
apr_status_t rr_jwk_generate(rr_jwk_t **pkey, rr_alg_e alg, const char *crv, const char *kid, apr_pool_t *p,
                             rr_err_t *err);

/** Loads a private key: PEM (PKCS#8, PKCS#1, SEC1) or a JWK with its private members; kid NULL: the JWK's, or the thumbprint. */
apr_status_t rr_jwk_load_private(rr_jwk_t **pkey, const char *text, apr_size_t len, rr_alg_e alg, const char *kid,
                                 apr_pool_t *p, rr_err_t *err);

rr_alg_e rr_jwk_alg(const rr_jwk_t *key);
const char *rr_jwk_kid(const rr_jwk_t *key); /* NULL: none, HS only */

/** The key as a JWK; with its private members only if asked. */
apr_status_t rr_jwk_print(const char **ptext, const rr_jwk_t *key, int with_private, apr_pool_t *p, rr_err_t *err);

/**
 * Signs claims (a JSON object's text) as a compact JWS with alg, kid and typ in its header.
 *
 * Threads: any; the key is not changed.
 */
apr_status_t rr_jws_sign(const char **ptoken, const rr_jwk_t *key, const char *typ, const char *claims, apr_pool_t *p,
                         rr_err_t *err);

/* ---- base64url, RFC 4648 section 5, no padding ---- */

/** Decodes strictly into p, NUL-terminated for convenience; RR_EINVAL on any other character, padding or stray bits. */
apr_status_t rr_base64url_decode(const unsigned char **pbytes, apr_size_t *plen, const char *text, apr_size_t len,
                                 apr_pool_t *p);

const char *rr_base64url_encode(apr_pool_t *p, const void *bytes, apr_size_t len);

#endif
