/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_token.c: from a request to the identity its token proves, or to the
 * reason why it proves none.
 *
 * Shape and claims first, they cost little; then the signature, by the keys of
 * the one issuer that the token names; then revocation. The client learns which
 * part failed and never what was expected; the log has both.
 *
 * Result:  one of the four outcomes of rr_principal.h. Doubt is INVALID, what
 *          cannot be judged now is UNAVAILABLE.
 * Spec:    RFC 7519; RFC 8725; RFC 9068, 4.
 */
#include "jwt.h"

#include <apr_strings.h>

#include <openssl/sha.h>

#include <string.h>

APLOG_USE_MODULE(rr_jwt);

#define OWN_SCOPE "rr:" /* scopes that begin so are ours to grant, never an issuer's */

/* One token on its way through. */
typedef struct token_t {
    request_rec *r;
    const rr_core_t *core;
    const jwt_issuer_t *issuer;
    rr_jws_t *jws;
    const rr_json_t *claims;
    rr_authn_result_t *result;
} token_t;

static rr_authn_outcome_e refuse(token_t *token, const char *reason, const char *detail, const char *log)
{
    token->result->reason = reason;
    token->result->detail = detail;
    RR_LOG_R(APLOG_INFO, 0, token->r, 10310, "token refused (%s%s%s): %s", reason,
             token->issuer ? ", issuer " : "", token->issuer ? token->issuer->name : "", log);
    return RR_AUTHN_INVALID;
}

static rr_authn_outcome_e unavailable(token_t *token, const char *reason, const char *log)
{
    token->result->reason = reason;
    token->result->detail = "The token cannot be verified right now.";
    RR_LOG_R(APLOG_INFO, 0, token->r, 10311, "token not judged (%s%s%s): %s", reason,
             token->issuer ? ", issuer " : "", token->issuer ? token->issuer->name : "", log);
    return RR_AUTHN_UNAVAILABLE;
}

static rr_authn_outcome_e parse(token_t *token, const char *text, apr_size_t len)
{
    apr_pool_t *p = token->r->pool;
    rr_err_t err = RR_ERR_INIT;

    if (rr_jws_parse(&token->jws, text, len, p, &err) != APR_SUCCESS
        || rr_json_parse_object(&token->claims, token->jws->payload, token->jws->payload_len, p, &err) != APR_SUCCESS) {
        return refuse(token, "malformed", "The token is not a well-formed signed JWT.", rr_err_text(&err));
    }
    return RR_AUTHN_VERIFIED;
}

static rr_authn_outcome_e find_issuer(token_t *token, const jwt_server_t *conf)
{
    const char *iss = rr_json_string(rr_json_member(token->claims, "iss"));

    token->issuer = iss ? jwt_issuer_find(conf, iss, 0) : NULL;
    if (!iss) {
        return refuse(token, "bad_iss", "The token has no iss.", "it has no iss that is a string");
    }
    if (!token->issuer) {
        return refuse(token, "unknown_issuer", "The token's iss is not accepted.",
                      apr_psprintf(token->r->pool, "iss \"%.256s\" is no RRJwtIssuer of this server (the texts must be "
                                   "equal, trailing slash and all)", iss));
    }
    return RR_AUTHN_VERIFIED;
}

static const char *sub_claim_of(const token_t *token)
{
    return token->issuer->policy.sub_claim ? token->issuer->policy.sub_claim : "sub";
}

static rr_authn_outcome_e check_claims(token_t *token)
{
    rr_err_t err = RR_ERR_INIT;
    const char *claim;
    apr_status_t rv = rr_claims_check(token->claims, &token->issuer->policy, token->r->request_time, &err);

    if (rv == APR_SUCCESS) {
        return RR_AUTHN_VERIFIED;
    }
    if (rv == RR_EEXPIRED) {
        return refuse(token, "expired", "The token has expired (exp).", rr_err_text(&err));
    }
    if (strcmp(err.where, sub_claim_of(token)) == 0) { /* which claim that is, is our configuration */
        return refuse(token, "bad_sub", "The token names no subject (sub).", rr_err_text(&err));
    }
    claim = err.where[0] ? err.where : "claims";
    return refuse(token, apr_pstrcat(token->r->pool, "bad_", claim, NULL),
                  apr_pstrcat(token->r->pool, "The token's ", claim, " is not accepted.", NULL), rr_err_text(&err));
}

static rr_authn_outcome_e check_signature(token_t *token)
{
    const jwt_issuer_t *issuer = token->issuer;
    const rr_jws_t *jws = token->jws;
    apr_pool_t *p = token->r->pool;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;

    if (!(jws->alg & issuer->algs)) {
        return refuse(token, "bad_alg", "The token's alg is not accepted.",
                      apr_psprintf(p, "alg \"%.32s\", allowed: %s", jws->alg_name, rr_alg_names(p, issuer->algs)));
    }
    rv = issuer->fixed ? rr_jws_verify(jws, issuer->fixed, issuer->algs, &err)
                       : jwt_keyset_verify(issuer->keyset, jws, issuer->algs, &err);
    switch (rv) {
    case APR_SUCCESS:
        return RR_AUTHN_VERIFIED;
    case RR_EUNAVAIL:
        return unavailable(token, "keys_unavailable", rr_err_text(&err));
    case RR_ENOKEY:
        return refuse(token, "unknown_kid", "The token's key (kid) is not known.", rr_err_text(&err));
    case RR_EDENIED:
        return refuse(token, "bad_alg", "The token's alg is not accepted.", rr_err_text(&err));
    default:
        return refuse(token, "bad_signature", "The token's signature does not verify.", rr_err_text(&err));
    }
}

/* A NumericDate of the token; 0: none. */
static apr_time_t time_of(const token_t *token, const char *claim)
{
    apr_int64_t seconds;

    if (!rr_json_int(rr_json_member(token->claims, claim), &seconds) || seconds <= 0) {
        return 0;
    }
    return seconds < apr_time_sec(APR_INT64_MAX) ? apr_time_from_sec(seconds) : APR_INT64_MAX;
}

static rr_authn_outcome_e check_revoked(token_t *token, const char *sub)
{
    const rr_jws_t *jws = token->jws;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    rr_err_t err = RR_ERR_INIT;

    SHA256((const unsigned char *)jws->input, jws->input_len, digest);
    switch (token->core->token_revoked(token->r, token->issuer->policy.issuer,
                                       rr_json_string(rr_json_member(token->claims, "jti")), sub,
                                       time_of(token, "iat"), digest, &err)) {
    case APR_SUCCESS:
        return RR_AUTHN_VERIFIED;
    case RR_EREVOKED:
        return refuse(token, "revoked", "The token was revoked.", rr_err_text(&err));
    default:
        return unavailable(token, "store_unavailable", rr_err_text(&err));
    }
}

static const apr_array_header_t *scopes_of(const token_t *token)
{
    const char *claim = token->issuer->scope_claim;
    const rr_json_t *value = claim ? rr_json_at(token->claims, claim) : rr_json_member(token->claims, "scope");
    apr_array_header_t *words, *scopes;
    int i;

    if (!claim && !value) {
        value = rr_json_member(token->claims, "scp");
    }
    words = rr_json_words(token->r->pool, value);
    scopes = apr_array_make(token->r->pool, words->nelts, sizeof(const char *));
    for (i = 0; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        if (strncmp(word, OWN_SCOPE, sizeof(OWN_SCOPE) - 1) != 0) {
            APR_ARRAY_PUSH(scopes, const char *) = word;
        }
    }
    return scopes;
}

static rr_authn_outcome_e judge(token_t *token, const jwt_server_t *conf, const char *text, apr_size_t len)
{
    rr_identity_t *identity;
    const char *sub;
    rr_authn_outcome_e outcome = parse(token, text, len);

    if (outcome == RR_AUTHN_VERIFIED) {
        outcome = find_issuer(token, conf);
    }
    if (outcome == RR_AUTHN_VERIFIED) {
        outcome = check_claims(token);
    }
    if (outcome == RR_AUTHN_VERIFIED) {
        outcome = check_signature(token);
    }
    if (outcome != RR_AUTHN_VERIFIED) {
        return outcome;
    }
    sub = rr_json_string(rr_json_at(token->claims, sub_claim_of(token)));
    outcome = check_revoked(token, sub);
    if (outcome != RR_AUTHN_VERIFIED) {
        return outcome;
    }
    identity = apr_pcalloc(token->r->pool, sizeof(*identity));
    identity->method = JWT_METHOD;
    identity->kind = RR_CREDENTIAL_JWT_VERIFY;
    identity->sub = sub;
    identity->data = token->claims;
    identity->scopes = scopes_of(token);
    identity->issuer = token->issuer->policy.issuer;
    identity->issuer_name = token->issuer->name;
    identity->expires = time_of(token, "exp");
    token->result->identities[token->result->count++] = identity;
    return RR_AUTHN_VERIFIED;
}

rr_authn_outcome_e jwt_token_judge(request_rec *r, const rr_core_t *core, const jwt_server_t *conf,
                                   const apr_array_header_t *sources, rr_authn_result_t *result)
{
    token_t token = { .r = r, .core = core, .result = result };
    const rr_presented_t *found = NULL;
    apr_array_header_t *presented;
    rr_err_t err = RR_ERR_INIT;
    int i;

    if (rr_glue_sources_read(&presented, r, core, sources, RR_MAX_TOKEN, &err) != APR_SUCCESS) {
        return refuse(&token, "malformed", apr_pstrdup(r->pool, rr_err_text(&err)), rr_err_text(&err));
    }
    for (i = 0; i < presented->nelts; i++) {
        const rr_presented_t *one = &APR_ARRAY_IDX(presented, i, rr_presented_t);

        if (one->in_authorization && !rr_jws_has_shape(one->value, one->len)) {
            result->foreign = 1;
        }
        else if (found) {
            return refuse(&token, "several_tokens", "The request carries two different tokens; send one.",
                          "two different tokens");
        }
        else {
            found = one;
        }
    }
    return found ? judge(&token, conf, found->value, found->len) : RR_AUTHN_ABSENT;
}
