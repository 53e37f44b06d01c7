/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_keyauth.c: provider `key`: API keys, and Require rr-key.
 *
 * The module's map: configuration, requirement, directives, hooks. What a key
 * is lives in lib/rr_key.c, where keys are kept behind core's credential_find.
 *
 * Result:  an identity, or why not. A store that cannot answer is UNAVAILABLE:
 *          doubt is never an admission.
 * Threads: configuration is read-only after startup; all state is per request.
 */
#include "keyauth.h"
#include "rr_jose.h"

#include <ap_provider.h>
#include <http_request.h>
#include <mod_auth.h>

#include <apr_cstr.h>
#include <apr_strings.h>

extern module AP_MODULE_DECLARE_DATA rr_keyauth_module;

typedef struct {
    rr_sources_t sources;
} keyauth_dir_t;

/* Written once, in check_config. */
static const rr_core_t *core;
static APR_OPTIONAL_FN_TYPE(rr_is_token) *is_token; /* NULL: mod_rr_jwt is not loaded */

static void *create_dir(apr_pool_t *p, char *path)
{
    static const rr_source_t usual[] = {
        { RR_SOURCE_HEADER, "Authorization", NULL },
        { RR_SOURCE_HEADER, "Authorization", "Bearer" },
        { RR_SOURCE_HEADER, "X-API-Key", NULL },
        { RR_SOURCE_HEADER, NULL, NULL },
    };
    keyauth_dir_t *dir = apr_palloc(p, sizeof(*dir));

    (void)path;
    dir->sources = rr_glue_sources_create(p, usual);
    return dir;
}

static void *merge_dir(apr_pool_t *p, void *base, void *add)
{
    keyauth_dir_t *merged = apr_pcalloc(p, sizeof(*merged));

    merged->sources = rr_glue_sources_merge(p, ((keyauth_dir_t *)base)->sources, ((keyauth_dir_t *)add)->sources);
    return merged;
}

/* ---- the provider ---- */

int keyauth_is_token(request_rec *r, const char *text, apr_size_t len)
{
    return is_token ? is_token(r, text, len) : rr_jws_has_shape(text, len);
}

/* Configured places, and those that the route's proxy reads its own credentials from. */
static const apr_array_header_t *sources(request_rec *r)
{
    const keyauth_dir_t *dir = ap_get_module_config(r->per_dir_config, &rr_keyauth_module);

    return keyauth_route_sources(r->pool, dir->sources.list, core->proxy_get(r));
}

/* Bearer where Authorization is read at all (RFC 6750 is how keys are mostly sent), else a scheme that names a key. */
static void schemes(request_rec *r, apr_array_header_t *names)
{
    const char *scheme = rr_glue_sources_scheme(sources(r));

    APR_ARRAY_PUSH(names, const char *) = scheme ? scheme : "ApiKey";
    if (rr_proxy_accepts(core->proxy_get(r), RR_CREDENTIAL_BASIC)) {
        APR_ARRAY_PUSH(names, const char *) = "Basic";
    }
}

static const rr_identity_t *make_identity(apr_pool_t *p, const rr_credential_t *found)
{
    rr_identity_t *identity = apr_pcalloc(p, sizeof(*identity));

    identity->method = "key";
    identity->kind = found->kind;
    identity->sub = found->sub;
    identity->data = found->metadata;
    identity->scopes = found->scopes;
    identity->scope = found->scope;
    identity->client = found->client;
    identity->credential = found->full_name;
    identity->credential_id = found->id;
    identity->key_id = found->key_id;
    identity->hint = found->hint;
    identity->expires = found->expires;
    return identity;
}

static rr_authn_outcome_e refuse(rr_authn_result_t *result, const char *reason, const char *detail)
{
    result->reason = reason;
    result->detail = detail;
    return RR_AUTHN_INVALID;
}

/* A found credential becomes an identity; two different ones of a kind are one too many. */
static rr_authn_outcome_e let_in(request_rec *r, const rr_credential_t *found, rr_authn_result_t *result)
{
    int i;

    for (i = 0; i < result->count; i++) {
        if (result->identities[i]->kind == found->kind) {
            return refuse(result, "two_credentials", "Two different credentials of one kind were sent.");
        }
    }
    if (result->count == RR_MAX_IDENTITIES) {
        return refuse(result, "too_many", "Too many credentials were sent.");
    }
    result->identities[result->count++] = make_identity(r->pool, found);
    return RR_AUTHN_VERIFIED;
}

/* Looks one presented secret up as each kind that its place allows. */
static rr_authn_outcome_e judge(request_rec *r, const keyauth_presented_t *one, rr_authn_result_t *result)
{
    const rr_credential_t *found;
    apr_status_t rv = APR_NOTFOUND;
    int i;

    if (one->len > RR_MAX_KEY && one->kinds[0] == RR_CREDENTIAL_KEY && !one->kinds[1]) {
        return refuse(result, "too_long", "The API key is not valid.");
    }
    for (i = 0; i < KEYAUTH_MAX_KINDS && one->kinds[i] && APR_STATUS_IS_NOTFOUND(rv); i++) {
        rv = core->credential_find(&found, r, one->kinds[i], one->value, one->len, NULL); /* the status says it all */
    }
    if (rv == APR_SUCCESS) {
        return let_in(r, found, result);
    }
    if (rv == RR_EINVAL) {
        return refuse(result, "checksum", "The API key is not valid.");
    }
    if (APR_STATUS_IS_NOTFOUND(rv) && one->kinds[0] == RR_CREDENTIAL_JWT) {
        result->foreign = 1; /* no static credential, so a token to verify */
        return RR_AUTHN_ABSENT;
    }
    if (APR_STATUS_IS_NOTFOUND(rv) || rv == RR_EREVOKED) {
        /* The same words: whether it ever was one is not the caller's business. */
        return refuse(result, APR_STATUS_IS_NOTFOUND(rv) ? "unknown_key" : "revoked", "The API key is not valid.");
    }
    if (rv == RR_EEXPIRED) {
        return refuse(result, "expired", "The API key has expired.");
    }
    result->reason = rr_err_word(rv);
    return RR_AUTHN_UNAVAILABLE;
}

/* Every credential that was presented is judged; the worst outcome is the provider's. */
static rr_authn_outcome_e authenticate(request_rec *r, rr_authn_result_t *result)
{
    keyauth_presented_t *presented;
    int i, count, unavailable = 0;
    rr_err_t err;

    rr_err_clear(&err);
    if (keyauth_presented(&presented, &count, r, core, sources(r), &result->foreign, &err) != APR_SUCCESS) {
        return refuse(result, "malformed", apr_pstrdup(r->pool, rr_err_text(&err)));
    }
    for (i = 0; i < count; i++) {
        switch (judge(r, &presented[i], result)) {
        case RR_AUTHN_INVALID:
            return RR_AUTHN_INVALID;
        case RR_AUTHN_UNAVAILABLE:
            unavailable = 1;
            break;
        case RR_AUTHN_ABSENT:
        case RR_AUTHN_VERIFIED:
            break;
        }
    }
    return unavailable ? RR_AUTHN_UNAVAILABLE : result->count ? RR_AUTHN_VERIFIED : RR_AUTHN_ABSENT;
}

static const rr_authn_provider_t provider = { 10, authenticate, schemes, sources };

/* ---- Require rr-key [client C..] [name C/N..] [scope S..] ---- */

typedef struct {
    apr_array_header_t *clients; /* const char *; empty: any */
    apr_array_header_t *names;
    apr_array_header_t *scopes;
    int is_negated;
} requirement_t;

static const char *parse_requirement(cmd_parms *cmd, const char *line, const void **pparsed)
{
    requirement_t *wanted = apr_pcalloc(cmd->pool, sizeof(*wanted));
    apr_array_header_t **list = NULL;
    const char *word;

    wanted->is_negated = rr_glue_is_negated(cmd);
    wanted->clients = apr_array_make(cmd->pool, 1, sizeof(const char *));
    wanted->names = apr_array_make(cmd->pool, 1, sizeof(const char *));
    wanted->scopes = apr_array_make(cmd->pool, 1, sizeof(const char *));
    while (*line) {
        word = ap_getword_conf(cmd->pool, &line);
        if (!strcmp(word, "client") || !strcmp(word, "name") || !strcmp(word, "scope")) {
            if (list && !(*list)->nelts) {
                return rr_glue_require_wrong(cmd, "expected a value before \"%s\"", word);
            }
            list = *word == 'c' ? &wanted->clients : *word == 'n' ? &wanted->names : &wanted->scopes;
        }
        else if (!list) {
            return rr_glue_require_wrong(cmd, "unknown word \"%s\"; expected client, name or scope, each followed by values",
                                         word);
        }
        else if (list == &wanted->names && !strchr(word, '/')) {
            return rr_glue_require_wrong(cmd, "name %s: expected CLIENT/NAME", word);
        }
        else {
            APR_ARRAY_PUSH(*list, const char *) = word;
        }
    }
    if (list && !(*list)->nelts) {
        return rr_glue_require_wrong(cmd, "expected a value after client, name or scope");
    }
    *pparsed = wanted;
    return NULL;
}

static int names_one(const apr_array_header_t *wanted, const char *value)
{
    int i;

    for (i = 0; i < wanted->nelts; i++) {
        if (value && !strcmp(APR_ARRAY_IDX(wanted, i, const char *), value)) {
            return 1;
        }
    }
    return wanted->nelts == 0;
}

/* Scopes of the key itself: a token beside it does not lend it any. */
static int has_one_scope(const apr_array_header_t *wanted, const rr_identity_t *key)
{
    int i;

    for (i = 0; i < key->scopes->nelts && wanted->nelts; i++) {
        if (names_one(wanted, APR_ARRAY_IDX(key->scopes, i, const char *))) {
            return 1;
        }
    }
    return wanted->nelts == 0;
}

static authz_status deny(request_rec *r, const requirement_t *wanted, rr_lack_e what, const char *word)
{
    if (!wanted->is_negated) {
        core->lack(r, what, word);
    }
    return AUTHZ_DENIED;
}

static authz_status check_requirement(request_rec *r, const char *line, const void *parsed)
{
    const requirement_t *wanted = parsed;
    const rr_principal_t *who = r->user ? core->principal_get(r) : NULL;
    const rr_identity_t *key;

    (void)line;
    if (!who) {
        return AUTHZ_DENIED_NO_USER;
    }
    key = rr_principal_by_method(who, "key");
    if (!key) {
        return deny(r, wanted, RR_LACK_METHOD, "key");
    }
    if (!names_one(wanted->clients, key->client)) {
        return deny(r, wanted, RR_LACK_OTHER, "client");
    }
    if (!names_one(wanted->names, key->credential)) {
        return deny(r, wanted, RR_LACK_OTHER, "name");
    }
    if (!has_one_scope(wanted->scopes, key)) {
        return deny(r, wanted, RR_LACK_SCOPE, apr_array_pstrcat(r->pool, wanted->scopes, ' '));
    }
    return AUTHZ_GRANTED;
}

static const authz_provider requirement = { check_requirement, parse_requirement };

/* ---- startup ---- */

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf, (void)plog, (void)ptemp;
    is_token = APR_RETRIEVE_OPTIONAL_FN(rr_is_token);
    return rr_core_bind(&core, s, "mod_rr_keyauth");
}

static const command_rec directives[] = {
    RR_SOURCE_DIRECTIVES("RRKey", keyauth_dir_t, sources, "API key"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    ap_register_auth_provider(p, RR_AUTHN_GROUP, "key", RR_AUTHN_VERSION, &provider, AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-key", AUTHZ_PROVIDER_VERSION, &requirement,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(rr_keyauth) = {
    STANDARD20_MODULE_STUFF,
    create_dir,
    merge_dir,
    NULL, /* no per-server configuration */
    NULL,
    directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
