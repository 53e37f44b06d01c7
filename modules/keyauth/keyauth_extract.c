/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyauth_extract.c: where in a request the secrets are, and what they may be.
 *
 * Spec: RFC 6750, 2.1 (Bearer); RFC 7617 (Basic).
 */
#include "keyauth.h"

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

/* "Basic BASE64" to "USER:PASSWORD". */
static apr_status_t read_basic(keyauth_presented_t *one, request_rec *r, const rr_core_t *core, rr_err_t *err)
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
    *one = (keyauth_presented_t){ decoded, (apr_size_t)len, { RR_CREDENTIAL_BASIC, RR_CREDENTIAL_UNKNOWN } };
    return APR_SUCCESS;
}

/* What one may be, and where it came from says; no kind: another provider's. */
static void sort_out(keyauth_presented_t *sorted, request_rec *r, const rr_presented_t *one, const rr_proxy_t *proxy)
{
    int token = rr_proxy_accepts(proxy, RR_CREDENTIAL_JWT);

    *sorted = (keyauth_presented_t){ one->value, one->len, { RR_CREDENTIAL_KEY, RR_CREDENTIAL_UNKNOWN } };
    if ((one->in_authorization || token) && keyauth_is_token(r, one->value, one->len)) {
        sorted->kinds[0] = token ? RR_CREDENTIAL_JWT : RR_CREDENTIAL_UNKNOWN;
    }
    else if (one->in_authorization && rr_proxy_accepts(proxy, RR_CREDENTIAL_BEARER)) {
        sorted->kinds[1] = RR_CREDENTIAL_BEARER;
    }
}

apr_status_t keyauth_presented(keyauth_presented_t **ppresented, int *pcount, request_rec *r, const rr_core_t *core,
                               const apr_array_header_t *sources, int *pforeign, rr_err_t *err)
{
    const rr_proxy_t *proxy = core->proxy_get(r);
    const apr_array_header_t *read;
    keyauth_presented_t *all, basic = { 0 };
    /* Authorization may hold a token, which is longer than any key. */
    apr_status_t rv = rr_glue_sources_read(&read, r, core, sources, RR_MAX_TOKEN, err);
    int i;

    *pcount = 0;
    if (rv == APR_SUCCESS && rr_proxy_accepts(proxy, RR_CREDENTIAL_BASIC)) {
        rv = read_basic(&basic, r, core, err);
    }
    if (rv != APR_SUCCESS || (!read->nelts && !basic.value)) {
        return rv;
    }
    *ppresented = all = apr_palloc(r->pool, sizeof(*all) * ((apr_size_t)read->nelts + 1));
    for (i = 0; i < read->nelts; i++) {
        sort_out(&all[*pcount], r, &APR_ARRAY_IDX(read, i, rr_presented_t), proxy);
        if (all[*pcount].kinds[0]) {
            ++*pcount;
        }
        else {
            *pforeign = 1;
        }
    }
    if (basic.value) {
        all[(*pcount)++] = basic;
    }
    return APR_SUCCESS;
}
