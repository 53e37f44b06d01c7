/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_explain_caller.c: who asks, as the options of rrctl explain describe
 * them: what their key and token prove at a proxy, by the store's own data.
 *
 * A token is verified where its keys are at hand: the secret of the proxy's
 * credential, or --jwks. Else its claims are taken on trust, and that is said.
 * No key set is fetched unless --jwks names its URL.
 */
#include "cmd_explain.h"

#include "cmd_jwt.h"

#include <apr_strings.h>

#include <openssl/sha.h>

#include <string.h>

#define LEEWAY apr_time_from_sec(60) /* as the server has it */

int caller_proves(const void *who, const rr_party_t *credential)
{
    const caller_t *caller = who;
    int i;

    for (i = 0; credential && i < 2; i++) {
        if (caller->proved[i] && !strcmp(caller->proved[i], credential->id)) {
            return 1;
        }
    }
    return 0;
}

/* ---- keys, and tokens that are kept as they are ---- */

/* The credential that a presented secret is of. APR_NOTFOUND: nobody's. */
static apr_status_t find_secret(const rr_credential_t **pfound, const char *secret, rr_store_t *store,
                                const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    const rr_key_digester_t *digester;
    rr_revision_t revision;
    apr_status_t rv = rr_store_digester(&digester, store, ring, p, err);

    if (rv == APR_SUCCESS) {
        rv = rr_key_digest(digest, digester, secret, strlen(secret));
    }
    return rv == APR_SUCCESS ? rr_store_key_find(pfound, &revision, store, digest, p, err) : rv;
}

static void take_secret(caller_t *caller, int at, const rr_credential_t *found, apr_pool_t *p)
{
    rr_err_t why = RR_ERR_INIT;

    switch (rr_credential_judge(found, found->kind, apr_time_now(), &why)) {
    case APR_SUCCESS:
        caller->proved[at] = found->id;
        break;
    case RR_EEXPIRED:
        caller->refused = apr_psprintf(p, "the key or credential %s/%s has expired", found->client, found->name);
        break;
    default:
        caller->refused = apr_psprintf(p, "the credential %s/%s is not active", found->client, found->name);
        break;
    }
}

static apr_status_t find_key(caller_t *caller, rr_store_t *store, const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err)
{
    const rr_credential_t *found;
    apr_status_t rv = find_secret(&found, caller->key, store, ring, p, err);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        caller->refused = "the key is nobody's";
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        take_secret(caller, 0, found, p);
    }
    return rv;
}

/* A token that the proxy's credential is, byte for byte: it proves that credential, and its claims are none of ours. */
static apr_status_t find_static(int *pfound, caller_t *caller, const rr_proxy_t *proxy, rr_store_t *store,
                                const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err)
{
    const rr_credential_t *found;
    apr_status_t rv;

    *pfound = 0;
    if (!rr_proxy_accepts(proxy, RR_CREDENTIAL_JWT)) {
        return APR_SUCCESS;
    }
    rv = find_secret(&found, caller->token, store, ring, p, err);
    if (rv == APR_SUCCESS && found->kind == RR_CREDENTIAL_JWT) {
        *pfound = 1;
        take_secret(caller, 1, found, p);
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
}

/* ---- tokens ---- */

typedef struct judging_t {
    caller_t *caller;
    rrctl_t *ctl;
    rr_jws_t *jws;
    rr_claims_t claims;
    const rr_jwks_t *jwks; /* of --jwks; NULL: not given */
    const char *why;       /* the token is refused; the last reason */
} judging_t;

/* Judges the token by policy and, where set is not NULL, its signature. False: judging->why. */
static int is_good(judging_t *judging, const rr_claims_policy_t *policy, const rr_jwks_t *set, unsigned int algs)
{
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv = rr_claims_check(&judging->claims, policy, apr_time_now(), &err);

    if (rv == APR_SUCCESS && set) {
        rv = rr_jws_verify(judging->jws, set, algs, &err);
    }
    judging->why = rv == APR_SUCCESS ? NULL : apr_psprintf(judging->ctl->p, "the token is refused: %s", rr_err_text(&err));
    return rv == APR_SUCCESS;
}

static int is_good_for(judging_t *judging, const rr_party_t *party)
{
    const rr_verifier_t *verifier = party->verifier;
    const rr_jwks_t *set = verifier->keys ? verifier->keys : judging->jwks;

    if (!party->active || (party->expires && party->expires <= apr_time_now())) {
        judging->why = apr_psprintf(judging->ctl->p, "the credential %s %s", verifier->name,
                                    party->active ? "has expired" : "is not active");
        return 0;
    }
    if (verifier->closed) {
        judging->why = apr_psprintf(judging->ctl->p, "the credential %s: %s", verifier->name, verifier->closed);
        return 0;
    }
    if (!is_good(judging, &verifier->policy, set, verifier->keys ? RR_ALGS_SYMMETRIC : RR_ALGS_ASYMMETRIC)) {
        return 0;
    }
    judging->caller->proved[1] = party->id;
    judging->caller->known =
        set ? apr_psprintf(judging->ctl->p, "verified by %s, for %s/%s", verifier->keys ? "the credential's secret" : "--jwks",
                           party->client, party->name)
            : apr_psprintf(judging->ctl->p, "NOT verified, taken on trust, for %s/%s: give --jwks, whose keys are at %s",
                           party->client, party->name, verifier->jwks_url);
    return 1;
}

/* The proxy's credentials of that iss; what they say is final. False: there is none. */
static int ask_proxy(judging_t *judging, const rr_proxy_t *proxy, const char *iss)
{
    int asked = 0, i;

    for (i = 0; iss && i < proxy->credentials->nelts; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);
        const char *issuer = party && party->verifier ? party->verifier->policy.issuer : NULL;

        if (issuer && !strcmp(issuer, iss)) {
            asked = 1;
            if (is_good_for(judging, party)) {
                break;
            }
        }
    }
    return asked;
}

/* An RRJwtIssuer's token, as far as the options tell what that demands. */
static void ask_options(judging_t *judging)
{
    caller_t *caller = judging->caller;
    const rr_claims_policy_t policy = { .issuer = caller->issuer, .audiences = caller->audiences, .leeway = LEEWAY };

    if (is_good(judging, &policy, judging->jwks, RR_ALGS_ASYMMETRIC)) {
        caller->known = judging->jwks ? "verified by --jwks, as an RRJwtIssuer would"
                                      : "NOT verified, taken on trust: give --jwks";
    }
}

static apr_status_t check_revoked(judging_t *judging, rr_store_t *store, rr_err_t *err)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    rr_token_t token = { rr_json_string(judging->claims.iss),
                         rr_json_string(judging->claims.jti),
                         rr_json_string(judging->claims.sub) };
    rr_revision_t revision;
    apr_int64_t seconds;
    apr_status_t rv;

    if (rr_json_int(judging->claims.iat, &seconds)) {
        token.issued = apr_time_from_sec(seconds);
    }
    SHA256((const unsigned char *)judging->jws->input, judging->jws->input_len, digest);
    token.digest = digest;
    rv = rr_store_token_revoked(&revision, store, &token, judging->ctl->p, err);
    if (rv == RR_EREVOKED) {
        judging->why = "the token was revoked";
    }
    return rv == RR_EREVOKED ? APR_SUCCESS : rv;
}

static apr_status_t judge_token(judging_t *judging, const rr_proxy_t *proxy, rr_store_t *store, rr_err_t *err)
{
    caller_t *caller = judging->caller;
    const char *iss = rr_json_string(judging->claims.iss);
    apr_status_t rv = APR_SUCCESS;

    if (!proxy || !ask_proxy(judging, proxy, iss)) {
        if (!proxy || (caller->issuer && iss && !strcmp(caller->issuer, iss))) {
            ask_options(judging);
        } else {
            judging->why = "the token is refused: no jwtVerify credential of the proxy has its iss; an RRJwtIssuer may: "
                           "say so by --issuer";
        }
    }
    if (!judging->why && store) {
        rv = check_revoked(judging, store, err);
    }
    caller->refused = judging->why ? judging->why : caller->refused;
    if (judging->why) {
        caller->proved[1] = caller->known = NULL;
    } else {
        caller->data = judging->claims.all;
    }
    return rv;
}

static apr_status_t find_token(caller_t *caller, rrctl_t *ctl, const rr_proxy_t *proxy, rr_store_t *store,
                               const rr_keyring_t *ring, rr_err_t *err)
{
    judging_t judging = { caller, ctl };
    const rr_json_t *claims = NULL;
    apr_status_t rv = APR_SUCCESS;
    int found = 0;

    if (proxy && ((rv = find_static(&found, caller, proxy, store, ring, ctl->p, err)) != APR_SUCCESS || found)) {
        return rv;
    }
    rv = rr_jws_parse(&judging.jws, caller->token, strlen(caller->token), ctl->p, err);
    if (rv == APR_SUCCESS) {
        rv = rr_json_parse_object(&claims, judging.jws->payload, judging.jws->payload_len, ctl->p, err);
        rr_claims_find(&judging.claims, claims);
    }
    if (rv == APR_SUCCESS && caller->jwks) {
        rv = jwt_key_set(&judging.jwks, ctl, caller->jwks, NULL, err);
    }
    return rv == APR_SUCCESS ? judge_token(&judging, proxy, store, err) : rv;
}

/* ---- claims as told ---- */

static int is_one_of(const rr_json_t *value, const char *text)
{
    apr_size_t i;

    if (rr_json_string(value)) {
        return !strcmp(rr_json_string(value), text);
    }
    for (i = 0; i < rr_json_size(value); i++) {
        const char *element = rr_json_string(rr_json_element(value, i));

        if (element && !strcmp(element, text)) {
            return 1;
        }
    }
    return 0;
}

static const apr_array_header_t *texts_of(const rr_json_t *value, apr_pool_t *p)
{
    const int is_list = rr_json_kind(value) == RR_JSON_ARRAY;
    const apr_size_t count = is_list ? rr_json_size(value) : 1;
    apr_array_header_t *all = apr_array_make(p, (int)count, sizeof(const char *));
    apr_size_t i;

    for (i = 0; i < count; i++) {
        const char *one = rr_json_string(is_list ? rr_json_element(value, i) : value);

        if (one) {
            APR_ARRAY_PUSH(all, const char *) = one;
        }
    }
    return all;
}

static int fits(const rr_json_t *claim, const rr_json_t *wanted, apr_pool_t *p)
{
    const apr_array_header_t *texts = texts_of(claim, p);
    int i;

    for (i = 0; i < texts->nelts; i++) {
        if (is_one_of(wanted, APR_ARRAY_IDX(texts, i, const char *))) {
            return 1;
        }
    }
    return !claim;
}

/* The first live jwtVerify credential that a token with these claims could be of; without iss or aud it fits any. */
static void find_verifier(caller_t *caller, const rr_proxy_t *proxy, apr_pool_t *p)
{
    int i;

    for (i = 0; i < proxy->credentials->nelts && !caller->proved[1]; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);

        if (party && party->kind == RR_CREDENTIAL_JWT_VERIFY && party->active &&
            (!party->expires || party->expires > apr_time_now()) &&
            fits(rr_json_member(caller->data, "iss"), rr_json_member(party->params, "issuer"), p) &&
            fits(rr_json_member(caller->data, "aud"), rr_json_member(party->params, "audience"), p)) {
            caller->proved[1] = party->id;
        }
    }
}

apr_status_t caller_find(caller_t *caller, rrctl_t *ctl, const rr_proxy_t *proxy, rr_store_t *store,
                         const rr_keyring_t *ring, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    if (caller->key && proxy) {
        rv = find_key(caller, store, ring, ctl->p, err);
    }
    if (rv == APR_SUCCESS && caller->token) {
        rv = find_token(caller, ctl, proxy, store, ring, err);
    }
    if (rv == APR_SUCCESS && caller->claims) {
        rv = rr_json_parse_object(&caller->data, caller->claims, strlen(caller->claims), ctl->p, err);
        caller->known = "as told by --claims";
        if (rv == APR_SUCCESS && proxy) {
            find_verifier(caller, proxy, ctl->p);
        }
    }
    return rv;
}
