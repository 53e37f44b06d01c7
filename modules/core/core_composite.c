/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_composite.c: asks every provider, in order, and makes one decision.
 *
 * Result:  a principal when something verified and nothing was wrong; 401 when
 *          something was wrong or nothing came; 503 when it cannot be judged.
 * Threads: all state is the request's; the provider list is constant after startup.
 */
#include "core.h"

#include <ap_provider.h>
#include <http_core.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>

/* The default of RRAuthProvider. Written once, in check_config. */
static const apr_array_header_t *all_providers;

static int by_rank(const void *a, const void *b)
{
    const core_provider_t *left = a, *right = b;

    return left->table->rank != right->table->rank ? left->table->rank - right->table->rank
                                                   : strcmp(left->name, right->name);
}

static apr_array_header_t *list_providers(apr_pool_t *p)
{
    apr_array_header_t *names = ap_list_provider_names(p, RR_AUTHN_GROUP, RR_AUTHN_VERSION);
    apr_array_header_t *all = apr_array_make(p, names->nelts + 1, sizeof(core_provider_t));
    int i;

    for (i = 0; i < names->nelts && i < RR_MAX_PROVIDERS; i++) {
        core_provider_t *provider = apr_array_push(all);

        provider->name = APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name;
        provider->table = ap_lookup_provider(RR_AUTHN_GROUP, provider->name, RR_AUTHN_VERSION);
    }
    qsort(all->elts, (size_t)all->nelts, sizeof(core_provider_t), by_rank);
    return all;
}

void core_collect_providers(apr_pool_t *pconf)
{
    all_providers = list_providers(pconf);
}

const apr_array_header_t *core_all_providers(void)
{
    return all_providers;
}

static const char *unknown_provider(apr_pool_t *p, const char *name)
{
    const apr_array_header_t *loaded = list_providers(p);
    const char *names = "";
    int i;

    for (i = 0; i < loaded->nelts; i++) {
        names = apr_pstrcat(p, names, " ", APR_ARRAY_IDX(loaded, i, core_provider_t).name, NULL);
    }
    return apr_psprintf(p, "RRAuthProvider %s: no such provider; loaded are:%s", name,
                        *names ? names : " none (load mod_rr_keyauth or mod_rr_jwt)");
}

const char *core_add_provider(cmd_parms *cmd, void *conf, const char *name)
{
    core_dir_t *dir = conf;
    core_provider_t *provider;
    const void *table = ap_lookup_provider(RR_AUTHN_GROUP, name, RR_AUTHN_VERSION);
    int i;

    if (!table) {
        return unknown_provider(cmd->pool, name);
    }
    if (!dir->providers) {
        dir->providers = apr_array_make(cmd->pool, 2, sizeof(core_provider_t));
    }
    for (i = 0; i < dir->providers->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(dir->providers, i, core_provider_t).name, name)) {
            return apr_psprintf(cmd->pool, "RRAuthProvider %s: named twice", name);
        }
    }
    provider = apr_array_push(dir->providers);
    provider->name = name;
    provider->table = table;
    return NULL;
}

/* A CORS preflight (Fetch standard, 4.8) that RRPreflight lets pass; it carries no credential to judge. */
static int passes_preflight(request_rec *r)
{
    return r->method_number == M_OPTIONS && core_preflight(r) == CORE_PREFLIGHT_PASS
           && apr_table_get(r->headers_in, "Origin") && apr_table_get(r->headers_in, "Access-Control-Request-Method");
}

static void add_scopes(apr_array_header_t *all, const apr_array_header_t *scopes)
{
    int i, k;

    for (i = 0; i < scopes->nelts && all->nelts < RR_MAX_SCOPES; i++) {
        const char *scope = APR_ARRAY_IDX(scopes, i, const char *);

        for (k = 0; k < all->nelts && strcmp(APR_ARRAY_IDX(all, k, const char *), scope); k++) {
        }
        if (k == all->nelts) {
            APR_ARRAY_PUSH(all, const char *) = scope;
        }
    }
}

/* Those of several providers, in their order. */
static const rr_identity_t *const *all_identities(request_rec *r, const core_decision_t *decision, int count)
{
    const rr_identity_t **all = apr_palloc(r->pool, sizeof(*all) * (apr_size_t)count), **to = all;
    int i, k;

    for (i = 0; i < decision->providers->nelts; i++) {
        for (k = 0; k < decision->results[i].count; k++) {
            *to++ = decision->results[i].identities[k];
        }
    }
    return all;
}

static const rr_principal_t *make_principal(request_rec *r, const core_decision_t *decision)
{
    rr_principal_t *who = apr_pcalloc(r->pool, sizeof(*who));
    apr_array_header_t *scopes;
    int i, verified = 0;

    for (i = 0; i < decision->providers->nelts; i++) {
        const rr_authn_result_t *result = &decision->results[i];

        if (result->count) {
            who->identities = result->identities;
            who->count += result->count;
            verified++;
        }
    }
    if (verified > 1) {
        who->identities = all_identities(r, decision, who->count);
    }
    who->sub = who->identities[0]->sub;
    who->data = who->identities[0]->data;
    who->scopes = who->identities[0]->scopes;
    if (who->count > 1) {
        scopes = apr_array_make(r->pool, 8, sizeof(const char *));
        for (i = 0; i < who->count; i++) {
            add_scopes(scopes, who->identities[i]->scopes);
        }
        who->scopes = scopes;
    }
    return who;
}

/* The table of design section 4: outcomes to one status. */
static void decide(request_rec *r, core_decision_t *decision)
{
    int verified = 0, invalid = 0, unavailable = 0, foreign = 0, i;
    const core_route_t *route = core_route(r);
    core_mode_e mode = core_mode(r);

    for (i = 0; i < decision->providers->nelts; i++) {
        const rr_authn_result_t *result = &decision->results[i];

        verified += result->outcome == RR_AUTHN_VERIFIED;
        invalid += result->outcome == RR_AUTHN_INVALID;
        unavailable += result->outcome == RR_AUTHN_UNAVAILABLE;
        foreign += result->outcome == RR_AUTHN_ABSENT && result->foreign;
    }
    /* A credential that no provider asked here calls its own is a wrong one, not an absent one. */
    if (!verified && !unavailable && foreign) {
        invalid++;
    }

    if (invalid && mode != CORE_MODE_PERMISSIVE) {
        decision->status = HTTP_UNAUTHORIZED;
    }
    else if (unavailable && !verified) {
        decision->status = HTTP_SERVICE_UNAVAILABLE;
    }
    else if (verified && !invalid) {
        decision->status = OK;
        decision->principal = make_principal(r, decision);
    }
    else {
        decision->status = invalid || mode != CORE_MODE_REQUIRED || (route && route->to.open) ? OK : HTTP_UNAUTHORIZED;
    }
}

static int are_somebody(const rr_authn_result_t *result)
{
    int i;

    for (i = 0; i < result->count; i++) {
        if (!result->identities[i] || !result->identities[i]->sub || !*result->identities[i]->sub) {
            return 0;
        }
    }
    return result->count > 0;
}

const core_decision_t *core_authenticate(request_rec *r)
{
    core_decision_t *decision = &core_request(r)->decision;
    const core_dir_t *dir = core_dir(r);
    int i;

    if (decision->made_for == r->per_dir_config) {
        return decision;
    }
    memset(decision, 0, sizeof(*decision));
    decision->made_for = r->per_dir_config;
    decision->providers = dir && dir->providers ? dir->providers : all_providers;
    if (passes_preflight(r)) {
        decision->status = OK;
        return decision;
    }
    decision->results = apr_pcalloc(r->pool, sizeof(rr_authn_result_t) * (apr_size_t)(decision->providers->nelts + 1));
    for (i = 0; i < decision->providers->nelts; i++) {
        const core_provider_t *provider = &APR_ARRAY_IDX(decision->providers, i, core_provider_t);
        rr_authn_result_t *result = &decision->results[i];

        result->outcome = RR_AUTHN_ABSENT;
        result->outcome = provider->table->authenticate(r, result);
        if (result->outcome == RR_AUTHN_VERIFIED && !are_somebody(result)) {
            result->outcome = RR_AUTHN_INVALID; /* a provider's mistake is not an admission */
        }
        if (result->outcome != RR_AUTHN_VERIFIED) {
            result->count = 0;
        }
        if (result->outcome == RR_AUTHN_INVALID || result->outcome == RR_AUTHN_UNAVAILABLE) {
            RR_LOG_R(APLOG_INFO, 0, r, 10110, "%s: %s (%s)", provider->name,
                     result->outcome == RR_AUTHN_INVALID ? "refused" : "cannot be judged now",
                     result->reason ? result->reason : "no reason given");
        }
    }
    decide(r, decision);
    return decision;
}

int core_refuse_decided(request_rec *r, const core_decision_t *decision)
{
    const char *detail = NULL;
    int i, wrong = 0;

    if (decision->status == HTTP_SERVICE_UNAVAILABLE) {
        return core_refuse(r, HTTP_SERVICE_UNAVAILABLE, "The credential cannot be checked at the moment.");
    }
    for (i = 0; decision->results && i < decision->providers->nelts; i++) {
        const rr_authn_result_t *result = &decision->results[i];

        if (result->outcome == RR_AUTHN_INVALID || (result->outcome == RR_AUTHN_ABSENT && result->foreign)) {
            wrong = 1;
            detail = detail ? detail : result->detail;
        }
    }
    if (wrong) {
        /* Whoever else has something to do goes first: so a flood of wrong credentials, which can take more time than
           all good requests together, hardly makes these wait. */
        apr_thread_yield();
        detail = detail ? detail : "The credential is not valid here.";
    }
    core_challenge(r, decision->providers, wrong ? "invalid_token" : NULL, detail, NULL);
    return core_refuse(r, HTTP_UNAUTHORIZED, wrong ? detail : "A credential is required.");
}
