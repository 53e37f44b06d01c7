/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_token.c: from a request to the identity its token proves, or to the
 * reason why it proves none.
 *
 * Shape and claims first, they cost little; then the signature, by the keys of
 * the one issuer that the token names; then revocation. The client learns which
 * part failed and never what was expected; the log has both.
 *
 * On the route of a stored proxy its own jwtVerify credentials are asked first.
 * One that names a header of its own is read there too, so that a caller may
 * bring a token for each. One token in the usual places, one in each such
 * header: more are refused.
 *
 * Result:  one of the four outcomes of rr_principal.h. Doubt is INVALID, what
 *          cannot be judged now is UNAVAILABLE.
 * Spec:    RFC 7519; RFC 8725; RFC 9068, 4.
 */
#include "jwt.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include <string.h>

APLOG_USE_MODULE(rr_jwt);

#define OWN_SCOPE "rr:" /* scopes that begin so are ours to grant, never an issuer's */

/* One token on its way through. */
typedef struct token_t {
    request_rec *r;
    const rr_core_t *core;
    const jwt_server_t *conf;
    const rr_proxy_t *proxy;    /* NULL: none */
    const char *text;
    apr_size_t len;
    const char *header;         /* where credentials of the proxy are read, and nobody else; NULL: a usual place */
    const rr_seen_token_t *known; /* what an earlier request saw of it; NULL: nothing */
    const jwt_issuer_t *issuer; /* NULL: not found yet */
    rr_jws_t *jws;              /* NULL: not taken apart yet */
    rr_claims_t claims;
    apr_time_t expires;         /* its exp; 0: none */
    int is_verified;            /* just now, by the keys of proof; 0: it was before, or not at all */
    jwt_proof_t proof;
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

/* A NumericDate; 0: none. */
static apr_time_t time_of(const rr_json_t *claim)
{
    apr_int64_t seconds;

    if (!rr_json_int(claim, &seconds) || seconds <= 0) {
        return 0;
    }
    return seconds < apr_time_sec(APR_INT64_MAX) ? apr_time_from_sec(seconds) : APR_INT64_MAX;
}

static apr_status_t take_apart(token_t *token, rr_err_t *err)
{
    return token->jws ? APR_SUCCESS : rr_jws_parse(&token->jws, token->text, token->len, token->r->pool, err);
}

static rr_authn_outcome_e parse(token_t *token)
{
    const rr_json_t *claims;
    rr_err_t err;

    if (token->known) {
        token->claims = token->known->claims;
        token->expires = token->known->expires;
        return RR_AUTHN_VERIFIED;
    }
    rr_err_clear(&err);
    if (take_apart(token, &err) != APR_SUCCESS
        || rr_json_parse_object(&claims, token->jws->payload, token->jws->payload_len, token->r->pool, &err)
               != APR_SUCCESS) {
        return refuse(token, "malformed", "The token is not a well-formed signed JWT.", rr_err_text(&err));
    }
    rr_claims_find(&token->claims, claims);
    token->expires = time_of(token->claims.exp);
    return RR_AUTHN_VERIFIED;
}

static rr_authn_outcome_e find_issuer(token_t *token, const char *iss)
{
    const rr_route_t *route = token->core->route_get(token->r);

    token->issuer = token->header ? NULL : jwt_issuer_find(token->conf, iss, 0);
    if (!token->issuer && route && !route->snapshot) {
        return unavailable(token, "store_unavailable", "its issuer may be the proxy's, which cannot be looked up now");
    }
    if (!token->issuer && token->proxy) {
        return refuse(token, "unknown_issuer", "The token's iss is not accepted.",
                      apr_psprintf(token->r->pool, "iss \"%.256s\" is of no credential of proxy %s/%s that is read from %s",
                                   iss, token->proxy->client, token->proxy->name,
                                   token->header ? token->header : "there, and no RRJwtIssuer"));
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
    const char *claim;
    apr_status_t rv;
    rr_err_t err;

    rr_err_clear(&err);
    rv = rr_claims_check(&token->claims, &token->issuer->policy, token->r->request_time, &err);
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
    rr_alg_e alg = token->jws ? token->jws->alg : token->known->alg;
    const rr_target_allow_t *allow = issuer->party ? token->core->target_allow(token->r) : NULL;
    apr_pool_t *p = token->r->pool;
    jwt_proof_t proof;
    apr_status_t rv;
    rr_err_t err;

    token->is_verified = 0;
    if (!(alg & issuer->algs)) {
        return refuse(token, "bad_alg", "The token's alg is not accepted.",
                      apr_psprintf(p, "alg \"%.32s\", allowed: %s", token->jws ? token->jws->alg_name : rr_alg_name(alg),
                                   rr_alg_names(p, issuer->algs)));
    }
    if (token->known && jwt_proof_holds(token->known->proof, issuer, allow)) {
        RR_LOG_R(APLOG_DEBUG, 0, token->r, 10312, "token of %s: its signature was verified before, by the same keys",
                 issuer->name);
        return RR_AUTHN_VERIFIED;
    }
    rr_err_clear(&err);
    if (take_apart(token, &err) != APR_SUCCESS) { /* which it was once */
        return refuse(token, "malformed", "The token is not a well-formed signed JWT.", rr_err_text(&err));
    }
    rv = jwt_proof_make(&proof, issuer, token->jws, allow, &err);
    switch (rv) {
    case APR_SUCCESS:
        token->is_verified = 1;
        token->proof = proof;
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

/* Of the signing input, as it was digested to verify the signature, earlier or now; NULL: it cannot be. */
static const unsigned char *digest_of(token_t *token)
{
    rr_jws_t *jws = token->jws;

    if (!jws) {
        return token->known->input;
    }
    jws->is_digested = jws->is_digested || jwt_memory_digest(jws->sha256, jws->input, jws->input_len);
    return jws->is_digested ? jws->sha256 : NULL;
}

static rr_authn_outcome_e check_revoked(token_t *token, const char *sub)
{
    const unsigned char *digest = digest_of(token);
    rr_err_t err;

    if (!digest) {
        return unavailable(token, "no_memory", "its signing input cannot be digested");
    }
    rr_err_clear(&err);
    switch (token->core->token_revoked(token->r, token->issuer->policy.issuer,
                                       rr_json_string(token->claims.jti), sub, time_of(token->claims.iat),
                                       digest, &err)) {
    case APR_SUCCESS:
        return RR_AUTHN_VERIFIED;
    case RR_EREVOKED:
        return refuse(token, "revoked", "The token was revoked.", rr_err_text(&err));
    default:
        return unavailable(token, "store_unavailable", rr_err_text(&err));
    }
}

/* The credential's, which may be ours to grant, then the token's. */
static const apr_array_header_t *scopes_of(const token_t *token)
{
    const rr_party_t *party = token->issuer->party;
    const char *claim = token->issuer->scope_claim;
    const rr_json_t *value = claim ? rr_json_at(token->claims.all, claim) : rr_json_member(token->claims.all, "scope");
    apr_array_header_t *words;
    int i, kept = 0;

    if (!claim && !value) {
        value = rr_json_member(token->claims.all, "scp");
    }
    words = rr_json_words(token->r->pool, value);
    for (i = 0; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        if (strncmp(word, OWN_SCOPE, sizeof(OWN_SCOPE) - 1) != 0) {
            APR_ARRAY_IDX(words, kept++, const char *) = word;
        }
    }
    words->nelts = kept;
    return party ? apr_array_append(token->r->pool, party->scopes, words) : words;
}

/* Which identity the verified token gives, and whose credential verified it. */
static const rr_identity_t *make_identity(const token_t *token, const char *sub)
{
    const rr_party_t *party = token->issuer->party;
    rr_identity_t *identity = apr_pcalloc(token->r->pool, sizeof(*identity));

    identity->method = JWT_METHOD;
    identity->kind = RR_CREDENTIAL_JWT_VERIFY;
    identity->sub = sub;
    identity->data = token->claims.all;
    identity->scopes = scopes_of(token);
    identity->issuer = token->issuer->policy.issuer;
    identity->expires = token->expires;
    if (party) {
        identity->client = party->client;
        identity->credential = token->issuer->name;
        identity->credential_id = party->id;
        if (party->expires && party->expires < identity->expires) {
            identity->expires = party->expires;
        }
    }
    else {
        identity->issuer_name = token->issuer->name;
    }
    return identity;
}

/* Remembers what was just verified; where it was remembered already, by which keys now. */
static void remember(const token_t *token)
{
    rr_seen_token_t seen = { .text = token->text, .len = token->len, .claims = token->claims, .alg = token->jws->alg,
                             .expires = token->expires, .proof = &token->proof, .proof_len = sizeof(token->proof) };

    memcpy(seen.input, token->jws->sha256, sizeof(seen.input));
    jwt_memory_keep(&seen, token->r->request_time);
}

/* Judges the token by the issuer that was found for it. */
static rr_authn_outcome_e verify(token_t *token)
{
    rr_authn_result_t *result = token->result;
    rr_authn_outcome_e outcome = check_claims(token);
    const char *sub;

    if (outcome == RR_AUTHN_VERIFIED) {
        outcome = check_signature(token);
    }
    if (outcome != RR_AUTHN_VERIFIED) {
        return outcome;
    }
    sub = rr_claims_subject(&token->claims, &token->issuer->policy);
    outcome = check_revoked(token, sub);
    if (outcome != RR_AUTHN_VERIFIED) {
        return outcome;
    }
    if (token->is_verified) {
        remember(token);
    }
    if (result->count == RR_MAX_IDENTITIES) {
        return refuse(token, "too_many", "Too many credentials were sent.", "more tokens than are taken");
    }
    result->identities[result->count++] = make_identity(token, sub);
    return RR_AUTHN_VERIFIED;
}

/* ---- credentials of the proxy ---- */

static rr_authn_outcome_e verify_by_party(token_t *token, const rr_party_t *party)
{
    rr_err_t err = RR_ERR_INIT;

    switch (jwt_stored_issuer(&token->issuer, party, token->r->request_time, token->r->pool, &err)) {
    case APR_SUCCESS:
        return verify(token);
    case RR_EREVOKED:
    case RR_EEXPIRED:
        return refuse(token, "credential_ended", "The token's iss is not accepted.", rr_err_text(&err));
    default:
        return unavailable(token, "credential_closed", rr_err_text(&err));
    }
}

/*
 * Tries the proxy's credentials of that iss, those that are read from the
 * token's place before those that also have a header of their own. ABSENT: the
 * proxy has none; else what they say is final.
 */
static rr_authn_outcome_e verify_by_proxy(token_t *token, const char *iss)
{
    rr_authn_result_t *result = token->result;
    const char *reason = result->reason, *reason_before = reason, *detail_before = result->detail;
    rr_authn_outcome_e outcome = RR_AUTHN_ABSENT;
    int own, i;

    for (own = 0; own < 2; own++) {
        for (i = 0; token->proxy && i < token->proxy->credentials->nelts; i++) {
            const rr_party_t *party = APR_ARRAY_IDX(token->proxy->credentials, i, const rr_party_t *);
            const char *header = jwt_stored_header(party);
            rr_authn_outcome_e one;

            if (!header != !own || !jwt_stored_is_for(party, iss)
                || (token->header && apr_cstr_casecmp(token->header, header ? header : ""))) {
                continue;
            }
            one = verify_by_party(token, party);
            if (one == RR_AUTHN_VERIFIED) {
                result->reason = reason_before; /* why another credential did not is of no interest */
                result->detail = detail_before;
                return one;
            }
            if (one == RR_AUTHN_UNAVAILABLE || outcome != RR_AUTHN_UNAVAILABLE) { /* doubt outweighs a refusal */
                outcome = one;
                reason = result->reason;
            }
        }
    }
    result->reason = reason;
    return outcome;
}

/* ABSENT: the token is a static credential of the proxy, found by its digest: the provider `key` has it. */
static rr_authn_outcome_e check_static(token_t *token)
{
    const rr_credential_t *found;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;

    if (!rr_proxy_accepts(token->proxy, RR_CREDENTIAL_JWT)) {
        return RR_AUTHN_VERIFIED;
    }
    rv = token->core->credential_find(&found, token->r, RR_CREDENTIAL_JWT, token->text, token->len, &err);
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return RR_AUTHN_VERIFIED;
    }
    if (rv == RR_EUNAVAIL) {
        return unavailable(token, "store_unavailable", rr_err_text(&err));
    }
    token->result->foreign = 1;
    return RR_AUTHN_ABSENT;
}

static rr_authn_outcome_e judge(token_t *token)
{
    rr_authn_outcome_e outcome = check_static(token);
    const char *iss;

    if (outcome == RR_AUTHN_VERIFIED) {
        outcome = parse(token);
    }
    if (outcome != RR_AUTHN_VERIFIED) {
        return outcome;
    }
    iss = rr_json_string(token->claims.iss);
    if (!iss) {
        return refuse(token, "bad_iss", "The token has no iss.", "it has no iss that is a string");
    }
    outcome = verify_by_proxy(token, iss);
    if (outcome != RR_AUTHN_ABSENT) {
        return outcome;
    }
    outcome = find_issuer(token, iss);
    return outcome == RR_AUTHN_VERIFIED ? verify(token) : outcome;
}

/* ---- what the request carries ---- */

#define MOST_TOKENS RR_MAX_IDENTITIES

typedef struct tokens_t {
    token_t all[MOST_TOKENS + 1]; /* the one behind the last is being looked at */
    int count;
} tokens_t;

static rr_authn_outcome_e refuse_several(token_t *like)
{
    return refuse(like, "several_tokens", "The request carries two different tokens; send one.", "two different tokens");
}

/* Adds the token of some places, one at most. like: what all tokens of the request have in common. */
static rr_authn_outcome_e collect(tokens_t *tokens, token_t *like, const apr_array_header_t *sources, const char *header)
{
    const apr_array_header_t *presented;
    int i, is_found = 0;
    rr_err_t err;

    rr_err_clear(&err);
    if (rr_glue_sources_read(&presented, like->r, like->core, sources, RR_MAX_TOKEN, &err) != APR_SUCCESS) {
        return refuse(like, "malformed", apr_pstrdup(like->r->pool, rr_err_text(&err)), rr_err_text(&err));
    }
    for (i = 0; i < presented->nelts; i++) {
        const rr_presented_t *one = &APR_ARRAY_IDX(presented, i, rr_presented_t);
        token_t *token = &tokens->all[tokens->count];
        const jwt_look_t *look;

        *token = *like;
        token->text = one->value;
        token->len = one->len;
        token->header = header;
        look = jwt_look(like->r, one->value, one->len);
        token->known = look->known;
        token->jws = look->jws;
        if (one->in_authorization && !look->has_shape) {
            like->result->foreign = 1;
        }
        else if (is_found) {
            return refuse_several(like);
        }
        else if (tokens->count == MOST_TOKENS) {
            return refuse(like, "too_many", "Too many credentials were sent.", "more tokens than are taken");
        }
        else {
            tokens->count++;
            is_found = 1;
        }
    }
    return RR_AUTHN_VERIFIED;
}

/* Whether a header is read already: among the usual places, or for an earlier credential of the proxy. */
static int is_read(const token_t *like, const apr_array_header_t *sources, const char *header, int before)
{
    int i;

    for (i = 0; i < sources->nelts; i++) {
        const rr_source_t *source = &APR_ARRAY_IDX(sources, i, rr_source_t);

        if (source->kind == RR_SOURCE_HEADER && !apr_cstr_casecmp(source->name, header)) {
            return 1;
        }
    }
    for (i = 0; i < before; i++) {
        const char *other = jwt_stored_header(APR_ARRAY_IDX(like->proxy->credentials, i, const rr_party_t *));

        if (other && !apr_cstr_casecmp(other, header)) {
            return 1;
        }
    }
    return 0;
}

/* The token of a credential's own header: bare, or behind "Bearer". */
static rr_authn_outcome_e collect_own(tokens_t *tokens, token_t *like, const char *header)
{
    apr_array_header_t *sources = apr_array_make(like->r->pool, 1, sizeof(rr_source_t));
    const char *value = like->core->client_header(like->r, header);
    rr_source_t *source = apr_array_push(sources);

    value = value ? value + strspn(value, " \t") : "";
    *source = (rr_source_t){ RR_SOURCE_HEADER, header, apr_cstr_casecmpn(value, "Bearer ", 7) ? NULL : "Bearer" };
    return collect(tokens, like, sources, header);
}

static rr_authn_outcome_e collect_all(tokens_t *tokens, token_t *like, const apr_array_header_t *sources)
{
    rr_authn_outcome_e outcome = collect(tokens, like, sources, NULL);
    int i;

    for (i = 0; like->proxy && i < like->proxy->credentials->nelts && outcome == RR_AUTHN_VERIFIED; i++) {
        const char *header = jwt_stored_header(APR_ARRAY_IDX(like->proxy->credentials, i, const rr_party_t *));

        if (header && !is_read(like, sources, header, i)) {
            outcome = collect_own(tokens, like, header);
        }
    }
    return outcome;
}

/* One credential is proved once: the same token in two places is one, two tokens for it are one too many. */
static rr_authn_outcome_e merge_twice(tokens_t *tokens, int last, const int *before)
{
    rr_authn_result_t *result = tokens->all[last].result;
    const rr_identity_t *now = result->identities[result->count - 1];
    int i;

    for (i = 0; i < last; i++) {
        const token_t *other = &tokens->all[i];
        const rr_identity_t *then = before[i] < 0 ? NULL : result->identities[before[i]];

        if (!then || !then->credential_id || !now->credential_id || strcmp(then->credential_id, now->credential_id) != 0) {
            continue;
        }
        if (other->len != tokens->all[last].len || memcmp(other->text, tokens->all[last].text, other->len) != 0) {
            return refuse_several(&tokens->all[last]);
        }
        result->count--;
        break;
    }
    return RR_AUTHN_VERIFIED;
}

rr_authn_outcome_e jwt_token_judge(request_rec *r, const rr_core_t *core, const jwt_server_t *conf,
                                   const apr_array_header_t *sources, rr_authn_result_t *result)
{
    token_t like = { .r = r, .core = core, .conf = conf, .proxy = core->proxy_get(r), .result = result };
    int unavailable_one = 0, placed[MOST_TOKENS], i;
    tokens_t tokens;

    tokens.count = 0;
    if (collect_all(&tokens, &like, sources) != RR_AUTHN_VERIFIED) {
        return RR_AUTHN_INVALID;
    }
    for (i = 0; i < tokens.count; i++) {
        rr_authn_outcome_e outcome = judge(&tokens.all[i]);

        placed[i] = outcome == RR_AUTHN_VERIFIED ? result->count - 1 : -1;
        if (outcome == RR_AUTHN_VERIFIED) {
            outcome = merge_twice(&tokens, i, placed);
            placed[i] = placed[i] < result->count ? placed[i] : -1;
        }
        if (outcome == RR_AUTHN_INVALID) {
            return RR_AUTHN_INVALID;
        }
        unavailable_one |= outcome == RR_AUTHN_UNAVAILABLE;
    }
    return unavailable_one ? RR_AUTHN_UNAVAILABLE : result->count ? RR_AUTHN_VERIFIED : RR_AUTHN_ABSENT;
}
