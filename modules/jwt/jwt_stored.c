/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_stored.c: jwtVerify credentials of a stored proxy: where their tokens are
 * read, and what each trusts.
 *
 * What is missing or does not parse closes the credential: it verifies nothing.
 */
#include "jwt.h"

#include "rr_fetch.h"
#include "rr_secret.h"

#include <apr_cstr.h>
#include <apr_strings.h>

#include <string.h>

#define LEEWAY apr_time_from_sec(60) /* RRJwtIssuer's default */

const char *jwt_stored_header(const rr_party_t *party)
{
    const char *header = party && party->kind == RR_CREDENTIAL_JWT_VERIFY
                             ? rr_json_string(rr_json_member(party->params, "header"))
                             : NULL;

    return header && *header ? header : NULL;
}

static void add_header(apr_array_header_t *sources, const char *name, const char *scheme)
{
    rr_source_t *source = apr_array_push(sources);

    source->kind = RR_SOURCE_HEADER;
    source->name = name;
    source->scheme = scheme;
}

const apr_array_header_t *jwt_stored_sources(apr_pool_t *p, const apr_array_header_t *configured,
                                             const rr_proxy_t *proxy)
{
    apr_array_header_t *all = NULL;
    int i;

    for (i = 0; proxy && i < proxy->credentials->nelts; i++) {
        const char *header = jwt_stored_header(APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *));

        if (header) {
            all = all ? all : apr_array_copy(p, configured);
            add_header(all, header, NULL);
            add_header(all, header, "Bearer");
        }
    }
    return all ? all : configured;
}

int jwt_stored_is_for(const rr_party_t *party, const char *iss)
{
    const char *issuer = party && party->kind == RR_CREDENTIAL_JWT_VERIFY
                             ? rr_json_string(rr_json_member(party->params, "issuer"))
                             : NULL;

    return issuer && *issuer && strcmp(issuer, iss) == 0;
}

/* A text, or a list of texts; NULL: neither, or none. */
static const apr_array_header_t *audiences_of(const rr_party_t *party, apr_pool_t *p)
{
    const rr_json_t *value = rr_json_member(party->params, "audience");
    int is_list = rr_json_kind(value) == RR_JSON_ARRAY;
    apr_size_t count = is_list ? rr_json_size(value) : 1, i;
    apr_array_header_t *all;

    if (!count || count > RR_MAX_AUDIENCES) {
        return NULL;
    }
    all = apr_array_make(p, (int)count, sizeof(const char *));
    for (i = 0; i < count; i++) {
        const char *one = rr_json_string(is_list ? rr_json_element(value, i) : value);

        if (!one || !*one) {
            return NULL;
        }
        APR_ARRAY_PUSH(all, const char *) = one;
    }
    return all;
}

static apr_status_t take_url(jwt_issuer_t *issuer, const char *url, rr_err_t *err)
{
    rr_err_t why = RR_ERR_INIT;

    if (strlen(url) > JWT_STORED_MAX_ISSUER || strlen(issuer->policy.issuer) > JWT_STORED_MAX_ISSUER) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "its jwksUri or issuer has more than %d bytes", JWT_STORED_MAX_ISSUER);
    }
    if (rr_fetch_check_url(url, &why) != APR_SUCCESS) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "its jwksUri cannot be fetched: %s", rr_err_text(&why));
    }
    issuer->jwks_url = url;
    issuer->algs = RR_ALGS_ASYMMETRIC;
    return APR_SUCCESS;
}

/* What is sealed is the whole credentialSecret, of which the member secret is what signs. It is made a key where one is needed. */
static apr_status_t take_secret(jwt_issuer_t *issuer, const rr_party_t *party, apr_pool_t *p, rr_err_t *err)
{
    const rr_json_t *sealed = NULL;
    rr_err_t why = RR_ERR_INIT;
    const char *secret;

    if (rr_json_parse_object(&sealed, (const char *)rr_secret_bytes(party->secret), rr_secret_len(party->secret), p, &why)
            != APR_SUCCESS
        || !(secret = rr_json_string(rr_json_member(sealed, "secret")))) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "what is sealed has no secret");
    }
    issuer->algs = RR_ALGS_SYMMETRIC;
    issuer->secret = secret;
    issuer->secret_len = strlen(secret);
    return APR_SUCCESS;
}

apr_status_t jwt_stored_issuer(const jwt_issuer_t **pissuer, const rr_party_t *party, apr_time_t now, apr_pool_t *p,
                               rr_err_t *err)
{
    const char *url = rr_json_string(rr_json_member(party->params, "jwksUri"));
    jwt_issuer_t *issuer = apr_pcalloc(p, sizeof(*issuer));

    *pissuer = issuer;
    issuer->name = apr_pstrcat(p, party->client, "/", party->name, NULL);
    issuer->party = party;
    issuer->policy.issuer = rr_json_string(rr_json_member(party->params, "issuer"));
    issuer->policy.leeway = LEEWAY;
    if (!party->active) {
        return rr_err_set(err, RR_EREVOKED, NULL, "the credential is not active");
    }
    if (party->expires && party->expires <= now) {
        return rr_err_set(err, RR_EEXPIRED, NULL, "the credential has expired");
    }
    if (party->closed) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "the credential is closed: %s", party->closed);
    }
    issuer->policy.audiences = audiences_of(party, p); /* NULL would mean any: nobody can say that here */
    if (!issuer->policy.audiences) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "the credential is closed: it has no audience");
    }
    if (!url == !party->secret) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "the credential is closed: it needs a jwksUri or a secret, not both");
    }
    return url ? take_url(issuer, url, err) : take_secret(issuer, party, p, err);
}
