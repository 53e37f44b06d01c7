/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyauth_extract.c: where in a request the secrets are, and what they may be.
 *
 * Spec: RFC 6750, 2.1 (Bearer); RFC 7617 (Basic).
 */
#include "keyauth.h"
#include "rr_jose.h"

#include <apr_base64.h>
#include <apr_cstr.h>
#include <apr_strings.h>

static void add_source(apr_array_header_t *sources, rr_source_kind_e kind, const char *name, const char *scheme)
{
    rr_source_t *source = apr_array_push(sources);

    source->kind = kind;
    source->name = name;
    source->scheme = scheme;
}

/* What one credential of a proxy says about its place: header and prefix, or query; a bearer's prefix. */
static void add_party(apr_pool_t *p, apr_array_header_t *sources, const rr_party_t *party)
{
    const char *prefix = party->prefix;

    if (party->query) {
        add_source(sources, RR_SOURCE_QUERY, party->query, NULL);
    }
    if (party->header || prefix) {
        /* A scheme is a word: "Token " is Token, and no prefix at all is none. */
        prefix = prefix && *prefix ? apr_pstrmemdup(p, prefix, strcspn(prefix, " ")) : NULL;
        add_source(sources, RR_SOURCE_HEADER, party->header ? party->header : "Authorization", prefix);
    }
}

static int has_place(const rr_party_t *party)
{
    return party && (party->kind == RR_CREDENTIAL_KEY || party->kind == RR_CREDENTIAL_BEARER)
           && (party->header || party->prefix || party->query);
}

const apr_array_header_t *keyauth_route_sources(apr_pool_t *p, const apr_array_header_t *configured,
                                                const rr_proxy_t *proxy)
{
    apr_array_header_t *all = NULL;
    int i;

    for (i = 0; proxy && i < proxy->credentials->nelts; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);

        if (has_place(party)) {
            all = all ? all : apr_array_copy(p, configured);
            add_party(p, all, party);
        }
    }
    return all ? all : configured;
}

static void add(apr_array_header_t *list, const char *value, apr_size_t len, rr_credential_kind_e first,
                rr_credential_kind_e second)
{
    keyauth_presented_t *one = apr_array_push(list);

    one->value = value;
    one->len = len;
    one->kinds[0] = first;
    one->kinds[1] = second;
}

/* "Basic BASE64" to "USER:PASSWORD". */
static apr_status_t add_basic(apr_array_header_t *list, request_rec *r, const rr_core_t *core, rr_err_t *err)
{
    const char *header = core->client_header(r, "Authorization");
    char *decoded;
    int len;

    if (!header || apr_cstr_casecmpn(header, "Basic ", 6)) {
        return APR_SUCCESS;
    }
    header += 6;
    while (*header == ' ') {
        header++;
    }
    if (strlen(header) > RR_MAX_SECRET) {
        return rr_err_set(err, RR_EINVAL, "Authorization", "the credential in Authorization is too long");
    }
    decoded = apr_palloc(r->pool, (apr_size_t)apr_base64_decode_len(header) + 1);
    len = apr_base64_decode(decoded, header);
    decoded[len] = '\0';
    if (!memchr(decoded, ':', (apr_size_t)len) || strlen(decoded) != (apr_size_t)len) {
        return rr_err_set(err, RR_EINVAL, "Authorization", "the credential in Authorization is not USER:PASSWORD");
    }
    add(list, decoded, (apr_size_t)len, RR_CREDENTIAL_BASIC, RR_CREDENTIAL_UNKNOWN);
    return APR_SUCCESS;
}

apr_status_t keyauth_presented(apr_array_header_t **ppresented, request_rec *r, const rr_core_t *core,
                               const apr_array_header_t *sources, int *pforeign, rr_err_t *err)
{
    const rr_proxy_t *proxy = core->proxy_get(r);
    int bearer = rr_proxy_accepts(proxy, RR_CREDENTIAL_BEARER), token = rr_proxy_accepts(proxy, RR_CREDENTIAL_JWT), i;
    apr_array_header_t *read;
    apr_status_t rv;

    *ppresented = apr_array_make(r->pool, 1, sizeof(keyauth_presented_t));
    /* Authorization may hold a token, which is longer than any key. */
    rv = rr_glue_sources_read(&read, r, core, sources, RR_MAX_TOKEN, err);
    for (i = 0; rv == APR_SUCCESS && i < read->nelts; i++) {
        const rr_presented_t *one = &APR_ARRAY_IDX(read, i, rr_presented_t);
        int shaped = (one->in_authorization || token) && rr_jws_has_shape(one->value, one->len);

        if (shaped && token) {
            add(*ppresented, one->value, one->len, RR_CREDENTIAL_JWT, RR_CREDENTIAL_UNKNOWN);
        }
        else if (shaped) {
            *pforeign = 1;
        }
        else {
            add(*ppresented, one->value, one->len, RR_CREDENTIAL_KEY,
                bearer && one->in_authorization ? RR_CREDENTIAL_BEARER : RR_CREDENTIAL_UNKNOWN);
        }
    }
    if (rv == APR_SUCCESS && rr_proxy_accepts(proxy, RR_CREDENTIAL_BASIC)) {
        rv = add_basic(*ppresented, r, core, err);
    }
    return rv;
}
