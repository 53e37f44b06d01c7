/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_apply.c: what the target gets to see: mod_proxy's copy of the headers.
 *
 * Nothing of the caller's credentials, nothing about the caller but what the
 * proxy says, and the target's own credential. Called with a resolved request;
 * it cannot fail.
 */
#include "inject.h"

#include <http_core.h>

#include <ap_provider.h>
#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

/* Written once, in check_config. */
static const apr_array_header_t *providers; /* const rr_authn_provider_t * */
static const apr_table_t *source_headers;   /* of all sections */

void inject_apply_start(apr_pool_t *pconf)
{
    apr_array_header_t *names = ap_list_provider_names(pconf, RR_AUTHN_GROUP, RR_AUTHN_VERSION);
    apr_array_header_t *all = apr_array_make(pconf, names->nelts + 1, sizeof(const rr_authn_provider_t *));
    int i;

    for (i = 0; i < names->nelts; i++) {
        APR_ARRAY_PUSH(all, const rr_authn_provider_t *)
            = ap_lookup_provider(RR_AUTHN_GROUP, APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name,
                                 RR_AUTHN_VERSION);
    }
    providers = all;
    source_headers = rr_glue_source_headers(pconf);
}

/* ---- what is taken away ---- */

/* Also what other sections read: whoever has a key for those may send it here, and the target is a stranger. */
static void take_sources(request_rec *r)
{
    const apr_array_header_t *names = apr_table_elts(source_headers);
    int i, k;

    for (i = 0; i < names->nelts; i++) {
        apr_table_unset(r->headers_in, APR_ARRAY_IDX(names, i, apr_table_entry_t).key);
    }

    for (i = 0; i < providers->nelts; i++) {
        const apr_array_header_t *sources = APR_ARRAY_IDX(providers, i, const rr_authn_provider_t *)->sources(r);

        for (k = 0; k < sources->nelts; k++) {
            const rr_source_t *source = &APR_ARRAY_IDX(sources, k, rr_source_t);

            if (source->kind == RR_SOURCE_HEADER) {
                apr_table_unset(r->headers_in, source->name);
            }
        }
    }
}

/* A stored credential may be read from a header of its own. */
static void take_own_sources(request_rec *r, const rr_proxy_t *proxy)
{
    int i;

    for (i = 0; i < proxy->credentials->nelts; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);

        if (party && party->header) {
            apr_table_unset(r->headers_in, party->header);
        }
    }
}

/* Case and every non-alphanumeric fold away: some backend does so. */
static int fold(char c)
{
    return apr_isalnum(c) ? apr_tolower(c) : '_';
}

/* What of name is behind head once both are folded, NULL: it begins otherwise. */
static const char *behind(const char *name, const char *head)
{
    for (; *head; name++, head++) {
        if (*name != *head && (fold(*name) != fold(*head) || !*name)) {
            return NULL;
        }
    }
    return name;
}

static int is_alias_of(const char *name, void *other)
{
    const char *rest = behind(name, other);

    return rest && !*rest;
}

static int is_forwarded_by(const char *name, void *unused)
{
    (void)unused;
    switch (*name | 0x20) {
    case 'x':
        return behind(name, "X-Forwarded-") != NULL;
    case 'f':
        return is_alias_of(name, "Forwarded");
    default:
        return 0;
    }
}

static void take_matching(apr_table_t *headers, int (*matches)(const char *name, void *baton), void *baton)
{
    const apr_array_header_t *list = apr_table_elts(headers);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)list->elts;
    int i;

    for (i = list->nelts - 1; i >= 0; i--) { /* from the end: unset moves what follows */
        if (entries[i].key && matches(entries[i].key, baton)) {
            apr_table_unset(headers, entries[i].key);
            i = i < list->nelts ? i : list->nelts; /* several of that name may have gone */
        }
    }
}

/* What would bring the credential back in a shape that is not masked: compressed, or without its beginning or end. */
static void take_shapes(request_rec *r, const inject_parts_t *parts)
{
    if (parts) {
        apr_table_unset(r->headers_in, "Accept-Encoding");
        apr_table_unset(r->headers_in, "Range");
        apr_table_unset(r->headers_in, "If-Range");
    }
}

static void take_headers(request_rec *r, const inject_request_t *own)
{
    apr_table_unset(r->headers_in, "Authorization");
    apr_table_unset(r->headers_in, "Proxy-Authorization");
    apr_table_unset(r->headers_in, "Cookie");
    take_matching(r->headers_in, is_forwarded_by, NULL);
    take_sources(r);
    take_own_sources(r, own->proxy);
}

/* ---- what is given ---- */

/* before: the copy as mod_proxy had made it. */
static void forward_headers(request_rec *r, const rr_json_t *names, const apr_table_t *before)
{
    apr_size_t i;

    for (i = 0; i < rr_json_size(names); i++) {
        const char *name = rr_json_string(rr_json_element(names, i));
        const char *value = name ? apr_table_get(before, name) : NULL;

        if (name && !value) {
            value = inject_core->client_header(r, name); /* core took it away */
        }
        if (value) {
            apr_table_setn(r->headers_in, name, value);
        }
    }
}

typedef struct {
    request_rec *r;
    const rr_principal_t *who;
} telling_t;

/* A value that cannot stand in a header as it is is not sent: a changed identity might be somebody else's. */
static int is_tellable(const char *value)
{
    return *value && strlen(value) <= RR_MAX_CLAIM_HEADER && inject_is_sendable(value);
}

static const char *find_claim(const telling_t *telling, const char *path)
{
    const rr_json_t *value = NULL;
    int i;

    if (!strcmp(path, "sub")) {
        return telling->who->sub;
    }
    for (i = 0; i < telling->who->count && !value; i++) {
        value = rr_json_at(telling->who->identities[i]->data, path);
    }
    switch (rr_json_kind(value)) {
    case RR_JSON_NONE:
    case RR_JSON_NULL:
        return NULL;
    case RR_JSON_ARRAY:
    case RR_JSON_OBJECT:
        return rr_json_print(telling->r->pool, value);
    default:
        return rr_json_scalar(telling->r->pool, value);
    }
}

static int tell(void *baton, const char *name, const rr_json_t *path)
{
    telling_t *telling = baton;
    const char *value = NULL;

    take_matching(telling->r->headers_in, is_alias_of, (void *)name);
    if (telling->who && rr_json_string(path)) {
        value = find_claim(telling, rr_json_string(path));
    }
    if (value && is_tellable(value)) {
        apr_table_setn(telling->r->headers_in, name, value);
    }
    else if (value) {
        RR_LOG_R(APLOG_INFO, 0, telling->r, 10608, "%s is not sent: the value is empty, too long or has control "
                 "characters", name);
    }
    return 1;
}

static void give_credential(request_rec *r, const inject_parts_t *parts)
{
    int i;

    /* What mod_proxy sends on at once is not masked, so 103 and its like stay here; for 100 see inject_gate.c. */
    if (parts) {
        apr_table_setn(r->subprocess_env, "proxy-interim-response", "Suppress");
    }
    for (i = 0; parts && i < parts->headers->nelts; i++) { /* all of them first: two of ours may be aliases */
        take_matching(r->headers_in, is_alias_of, (void *)APR_ARRAY_IDX(parts->headers, i, inject_header_t).name);
    }
    for (i = 0; parts && i < parts->headers->nelts; i++) {
        const inject_header_t *header = &APR_ARRAY_IDX(parts->headers, i, inject_header_t);

        apr_table_setn(r->headers_in, header->name, header->value);
    }
}

void inject_apply(request_rec *r, const inject_request_t *own)
{
    telling_t telling = { r, inject_core->principal_get(r) };
    const inject_dir_t *dir = inject_dir(r);

    if (own->proxy) {
        const rr_json_t *forwarded = own->proxy->forward_headers;
        const apr_table_t *before = rr_json_size(forwarded) ? apr_table_clone(r->pool, r->headers_in) : NULL;

        take_headers(r, own);
        take_shapes(r, own->parts);
        forward_headers(r, forwarded, before);
        rr_json_members(own->proxy->identity_headers, tell, &telling);
    }
    else {
        take_shapes(r, own->parts);
    }
    if (dir->token_header) {
        take_matching(r->headers_in, is_alias_of, (void *)dir->token_header);
    }
    if (own->backend_token) {
        apr_table_setn(r->headers_in, dir->token_header, own->backend_token);
    }
    give_credential(r, own->parts);
}
