/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_stored.c: jwtVerify credentials of a stored proxy: where their tokens are
 * read, and what each trusts.
 *
 * What is missing or does not parse closes the credential: it verifies nothing.
 */
#include "jwt.h"

#include <string.h>

const char *jwt_stored_header(const rr_party_t *party)
{
    return party && party->verifier && party->header && *party->header ? party->header : NULL;
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
    const char *issuer = party && party->verifier ? party->verifier->policy.issuer : NULL;

    return issuer && strcmp(issuer, iss) == 0;
}

apr_status_t jwt_stored_issuer(const jwt_issuer_t **pissuer, const rr_party_t *party, apr_time_t now, apr_pool_t *p,
                               rr_err_t *err)
{
    const rr_verifier_t *verifier = party->verifier;
    jwt_issuer_t *issuer = apr_pcalloc(p, sizeof(*issuer));

    *pissuer = issuer;
    issuer->name = verifier->name;
    issuer->party = party;
    issuer->policy = verifier->policy;
    issuer->jwks_url = verifier->jwks_url;
    issuer->algs = verifier->keys ? RR_ALGS_SYMMETRIC : RR_ALGS_ASYMMETRIC;
    if (!party->active) {
        return rr_err_set(err, RR_EREVOKED, NULL, "the credential is not active");
    }
    if (party->expires && party->expires <= now) {
        return rr_err_set(err, RR_EEXPIRED, NULL, "the credential has expired");
    }
    return verifier->closed ? rr_err_set(err, RR_EUNAVAIL, NULL, "%s", verifier->closed) : APR_SUCCESS;
}
