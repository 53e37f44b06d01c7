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

#include <string.h>

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

const rr_seen_token_t *jwt_memory_recall(const char *text, apr_size_t len, apr_time_t now, apr_pool_t *p)
{
    apr_uint32_t *pin;
    const rr_seen_token_t *token = seen ? rr_seen_get(&pin, seen, text, len, now) : NULL;

    if (token) {
        apr_pool_cleanup_register(p, pin, rr_unpin, apr_pool_cleanup_null);
    }
    return token;
}

void jwt_memory_keep(const rr_seen_token_t *token, apr_time_t now)
{
    rr_seen_put(seen, token, now);
}

/* ---- by which keys ---- */

/* Those that a credential of the store has under its own seal; NULL: it has none. */
static const rr_jwks_t *secret_of(const jwt_issuer_t *issuer)
{
    return issuer->party ? issuer->party->verifier->keys : NULL;
}

apr_status_t jwt_proof_make(jwt_proof_t *proof, const jwt_issuer_t *issuer, rr_jws_t *jws,
                            const rr_target_allow_t *allow, rr_err_t *err)
{
    *proof = (jwt_proof_t){ .keys = NULL };
    if (!seen) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "this process has no memory for tokens");
    }
    if (issuer->fixed) {
        proof->keys = issuer->fixed;
        return rr_jws_verify(jws, issuer->fixed, issuer->algs, err);
    }
    if (secret_of(issuer)) {
        memcpy(proof->named, issuer->party->verifier->named, sizeof(proof->named));
        return rr_jws_verify(jws, secret_of(issuer), issuer->algs, err);
    }
    return issuer->party ? jwt_stored_keyset_verify(proof, issuer, allow, jws, err)
                         : jwt_keyset_verify(proof, issuer->keyset, jws, issuer->algs, err);
}

int jwt_proof_holds(const jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_target_allow_t *allow)
{
    if (issuer->fixed) {
        return proof->keys == issuer->fixed;
    }
    if (secret_of(issuer)) { /* the keys are another snapshot's, the secret may be the same */
        return !proof->keys && rr_secret_equal(proof->named, sizeof(proof->named), issuer->party->verifier->named,
                                               sizeof(proof->named));
    }
    return issuer->party ? jwt_stored_keyset_holds(proof, issuer, allow) : jwt_keyset_holds(proof, issuer->keyset);
}
