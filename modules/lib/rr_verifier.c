/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_verifier.c: what a stored jwtVerify credential trusts, read once and not
 * with every token.
 *
 * What is missing or does not parse closes it: it verifies nothing.
 */
#include "rr_verifier.h"

#include "rr_fetch.h"

#include <apr_strings.h>

#include <openssl/sha.h>

#include <string.h>

#define LEEWAY apr_time_from_sec(60) /* RRJwtIssuer's default */

_Static_assert(sizeof(((rr_verifier_t *)0)->named) == SHA256_DIGEST_LENGTH, "named is a SHA-256");

/* A text, or a list of texts; NULL: neither, or none. */
static const apr_array_header_t *audiences_of(const rr_json_t *value, apr_pool_t *p)
{
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

/* Equal names are equal secrets or addresses to those who remember one: without it there is nothing to remember. */
static const char *name_by(rr_verifier_t *verifier, const char *text)
{
    return SHA256((const unsigned char *)text, strlen(text), verifier->named) ? NULL : "out of memory";
}

static const char *take_url(rr_verifier_t *verifier, const char *url, apr_pool_t *p)
{
    rr_err_t why = RR_ERR_INIT;

    if (strlen(url) > RR_MAX_VERIFIER_URL
        || (verifier->policy.issuer && strlen(verifier->policy.issuer) > RR_MAX_VERIFIER_URL)) {
        return apr_psprintf(p, "its jwksUri or issuer has more than %d bytes", RR_MAX_VERIFIER_URL);
    }
    if (rr_fetch_check_url(url, &why) != APR_SUCCESS) {
        return apr_psprintf(p, "its jwksUri cannot be fetched: %s", rr_err_text(&why));
    }
    verifier->jwks_url = url;
    return name_by(verifier, url);
}

/* What is sealed is the whole credentialSecret, of which the member secret is what signs. */
static const char *take_secret(rr_verifier_t *verifier, const rr_secret_t *sealed, apr_pool_t *p)
{
    const rr_json_t *object = NULL;
    const char *secret, *closed = NULL;
    rr_err_t why = RR_ERR_INIT;
    apr_pool_t *scratch;

    if (apr_pool_create(&scratch, p) != APR_SUCCESS) {
        return "out of memory";
    }
    if (rr_json_parse_object(&object, (const char *)rr_secret_bytes(sealed), rr_secret_len(sealed), scratch, &why)
            != APR_SUCCESS
        || !(secret = rr_json_string(rr_json_member(object, "secret")))) {
        closed = "what is sealed has no secret";
    }
    else {
        closed = name_by(verifier, secret);
        if (rr_jwks_from_secret(&verifier->keys, (const unsigned char *)secret, strlen(secret), p, &why) != APR_SUCCESS) {
            closed = apr_pstrdup(p, rr_err_text(&why));
        }
        rr_secret_wipe((char *)secret, strlen(secret));
    }
    apr_pool_destroy(scratch);
    return closed;
}

const rr_verifier_t *rr_verifier_make(const rr_party_t *party, apr_pool_t *p)
{
    rr_verifier_t *verifier = apr_pcalloc(p, sizeof(*verifier));
    const char *url = rr_json_string(rr_json_member(party->params, "jwksUri"));
    const char *issuer = rr_json_string(rr_json_member(party->params, "issuer"));

    verifier->name = apr_pstrcat(p, party->client, "/", party->name, NULL);
    verifier->policy.issuer = issuer && *issuer ? issuer : NULL;
    verifier->policy.leeway = LEEWAY;
    verifier->policy.audiences = audiences_of(rr_json_member(party->params, "audience"), p);
    if (party->closed) {
        verifier->closed = apr_pstrcat(p, "the credential is closed: ", party->closed, NULL);
    }
    else if (!verifier->policy.audiences) { /* NULL would mean any: nobody can say that here */
        verifier->closed = "the credential is closed: it has no audience";
    }
    else if (!url == !party->secret) {
        verifier->closed = "the credential is closed: it needs a jwksUri or a secret, not both";
    }
    else {
        verifier->closed = url ? take_url(verifier, url, p) : take_secret(verifier, party->secret, p);
    }
    return verifier;
}
