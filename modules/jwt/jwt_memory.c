/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_memory.c: tokens verified before by this child, so that the same token is
 * not taken apart and verified anew with every request.
 *
 * What is remembered of a token is what it says, and which keys its signature
 * verified with. Whose keys count for a request, whether they are still the
 * same, what the claims have to be and whether the token was revoked is judged
 * each time: a memory that cannot say yes has no stale yes to say.
 *
 * Threads: any; the memory is made before a child has several.
 */
#include "jwt.h"

APLOG_USE_MODULE(rr_jwt);

static rr_seen_t *seen; /* this child's; NULL: none */

void jwt_memory_start_child(apr_pool_t *pchild, server_rec *s)
{
    seen = rr_seen_make(pchild);
    if (!seen) {
        RR_LOG_S(APLOG_CRIT, 0, s, 10333, "this process has no memory for tokens: all of them get 503");
    }
}

int jwt_memory_digest(unsigned char digest[RR_SEEN_DIGEST], const char *text, apr_size_t len)
{
    return seen && rr_seen_digest(digest, seen, text, len);
}

static apr_status_t release(void *token)
{
    rr_seen_release(token);
    return APR_SUCCESS;
}

const rr_seen_token_t *jwt_memory_recall(const unsigned char input[RR_SEEN_DIGEST], const char *signature,
                                         apr_size_t signature_len, apr_time_t now, apr_pool_t *p)
{
    const rr_seen_token_t *token = rr_seen_get(seen, input, signature, signature_len, now);

    if (token) {
        apr_pool_cleanup_register(p, token, release, apr_pool_cleanup_null);
    }
    return token;
}

void jwt_memory_keep(const rr_seen_token_t *token, apr_time_t now)
{
    rr_seen_put(seen, token, now);
}

/* ---- by which keys ---- */

/* Those that a credential of the store has under its own seal. */
static apr_status_t verify_with_secret(jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_jws_t *jws, apr_pool_t *p,
                                       rr_err_t *err)
{
    const rr_jwks_t *keys;

    if (!jwt_memory_digest(proof->named, issuer->secret, issuer->secret_len)) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "its secret cannot be digested");
    }
    if (rr_jwks_from_secret(&keys, (const unsigned char *)issuer->secret, issuer->secret_len, p, err) != APR_SUCCESS) {
        return RR_EUNAVAIL;
    }
    return rr_jws_verify(jws, keys, issuer->algs, err);
}

apr_status_t jwt_proof_make(jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_jws_t *jws,
                            const rr_target_allow_t *allow, apr_pool_t *p, rr_err_t *err)
{
    *proof = (jwt_proof_t){ .keys = NULL };
    if (issuer->fixed) {
        proof->keys = issuer->fixed;
        return rr_jws_verify(jws, issuer->fixed, issuer->algs, err);
    }
    if (issuer->secret) {
        return verify_with_secret(proof, issuer, jws, p, err);
    }
    return issuer->party ? jwt_stored_keyset_verify(proof, issuer, allow, jws, err)
                         : jwt_keyset_verify(proof, issuer->keyset, jws, issuer->algs, err);
}

int jwt_proof_holds(const jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_target_allow_t *allow)
{
    unsigned char named[RR_SEEN_DIGEST];

    if (issuer->fixed) {
        return proof->keys == issuer->fixed;
    }
    if (issuer->secret) {
        return !proof->keys && jwt_memory_digest(named, issuer->secret, issuer->secret_len)
               && rr_secret_equal(named, sizeof(named), proof->named, sizeof(proof->named));
    }
    return issuer->party ? jwt_stored_keyset_holds(proof, issuer, allow) : jwt_keyset_holds(proof, issuer->keyset);
}
