/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_authz.c: core's requirements, and the right status when they fail.
 *
 * mod_authz_core answers 401 whenever a requirement fails. A client that showed
 * a good credential which lacks a scope must not be asked for another one, so
 * core runs the authz hooks itself and maps the outcome.
 *
 * Spec: RFC 9110, 15.5.2 and 15.5.4; RFC 6750, 3.1.
 */
#include "core.h"

#include <ap_provider.h>
#include <http_request.h>
#include <mod_auth.h>

#include <apr_strings.h>

void core_lack(request_rec *r, rr_lack_e what, const char *word)
{
    core_request_t *own = core_request(r);
    const char **place = what == RR_LACK_METHOD  ? &own->lack_methods
                         : what == RR_LACK_SCOPE ? &own->lack_scopes
                         : what == RR_LACK_DOUBT ? &own->lack_doubt
                                                 : &own->lack_other;

    *place = *place ? apr_pstrcat(r->pool, *place, " ", word, NULL) : word;
}

const apr_array_header_t *core_providers_of(request_rec *r, const char *methods)
{
    const apr_array_header_t *all = core_all_providers();
    apr_array_header_t *missed = apr_array_make(r->pool, 2, sizeof(core_provider_t));
    char *state, *method;
    int i;

    for (method = apr_strtok(apr_pstrdup(r->pool, methods), " ", &state); method;
         method = apr_strtok(NULL, " ", &state)) {
        for (i = 0; i < all->nelts; i++) {
            if (!strcmp(APR_ARRAY_IDX(all, i, core_provider_t).name, method)) {
                APR_ARRAY_PUSH(missed, core_provider_t) = APR_ARRAY_IDX(all, i, core_provider_t);
            }
        }
    }
    return missed;
}

/* A verified credential that lacks something is more telling than a method nobody used: 403 goes before 401. */
static int refuse_lacking(request_rec *r)
{
    const core_request_t *own = core_request(r);
    const char *detail = NULL;

    if (own->lack_scopes) {
        core_challenge(r, own->decision.providers, "insufficient_scope", NULL, own->lack_scopes);
        return core_refuse(r, HTTP_FORBIDDEN,
                           apr_pstrcat(r->pool, "The credential lacks a scope; needed: ", own->lack_scopes, NULL));
    }
    if (own->lack_other) {
        core_challenge(r, own->decision.providers, "insufficient_scope", NULL, NULL);
        return core_refuse(r, HTTP_FORBIDDEN,
                           apr_pstrcat(r->pool, "The credential is good but not allowed here: ", own->lack_other, NULL));
    }
    if (own->lack_methods) {
        core_challenge(r, core_providers_of(r, own->lack_methods), NULL, NULL, NULL);
        detail = apr_pstrcat(r->pool, "A further credential is required: ", own->lack_methods, NULL);
        return core_refuse(r, HTTP_UNAUTHORIZED, detail);
    }
    return core_refuse(r, HTTP_FORBIDDEN, "The credential is good but not allowed here.");
}

int core_demand(request_rec *r, const char *scopes)
{
    const core_decision_t *decision = core_is_ours(r) ? core_decision(r) : NULL;

    if (!decision || !decision->principal) {
        core_challenge(r, core_all_providers(), NULL, NULL, NULL);
        return core_refuse(r, HTTP_UNAUTHORIZED, "A credential is required.");
    }
    core_challenge(r, decision->providers, "insufficient_scope", NULL, scopes);
    return core_refuse(r, HTTP_FORBIDDEN,
                       apr_pstrcat(r->pool, "The credential lacks a scope; needed: ", scopes, NULL));
}

int core_check_authz(request_rec *r)
{
    core_request_t *own;
    int status;

    if (!core_is_ours(r)) {
        return DECLINED;
    }
    own = core_request(r);
    if (own->judging) {
        return DECLINED; /* our own run, below: the others decide */
    }
    status = core_check_route(r, own->decision.principal); /* admission goes before whatever Require says */
    if (status != OK) {
        return status;
    }
    own->lack_scopes = own->lack_other = own->lack_methods = own->lack_doubt = NULL;
    own->judging = 1;
    status = ap_run_auth_checker(r);
    own->judging = 0;
    if (own->lack_doubt && status == HTTP_INTERNAL_SERVER_ERROR) { /* mod_authz_core's word for AUTHZ_GENERAL_ERROR */
        return core_refuse(r, HTTP_FORBIDDEN,
                           apr_pstrcat(r->pool, "It could not be decided whether this is allowed: ", own->lack_doubt, NULL));
    }
    return status == HTTP_UNAUTHORIZED ? refuse_lacking(r) : status;
}

/* ---- Require rr-scope, rr-data ---- */

/* NULL before authentication: httpd asks requirements once without a user, then again with one. */
static const rr_principal_t *asking(request_rec *r)
{
    const core_decision_t *decision = r->user ? core_decision(r) : NULL;

    return decision ? decision->principal : NULL;
}

typedef struct scope_line_t {
    const apr_array_header_t *words; /* const char *: any of them will do */
    int is_negated;
} scope_line_t;

static const char *parse_scope(cmd_parms *cmd, const char *text, const void **pparsed)
{
    scope_line_t *line = apr_palloc(cmd->pool, sizeof(*line));
    const void *words = NULL;
    const char *wrong = rr_glue_words_parse(cmd, text, &words);

    line->words = words;
    line->is_negated = rr_glue_is_negated(cmd);
    *pparsed = line;
    return wrong;
}

static authz_status check_scope(request_rec *r, const char *line, const void *parsed)
{
    const rr_principal_t *who = asking(r);
    const scope_line_t *wanted = parsed;
    int i;

    (void)line;
    if (!who) {
        return AUTHZ_DENIED_NO_USER;
    }
    for (i = 0; i < wanted->words->nelts; i++) {
        if (rr_principal_has_scope(who, APR_ARRAY_IDX(wanted->words, i, const char *))) {
            return AUTHZ_GRANTED;
        }
    }
    if (!wanted->is_negated) {
        core_lack(r, RR_LACK_SCOPE, apr_array_pstrcat(r->pool, wanted->words, ' '));
    }
    return AUTHZ_DENIED;
}

static authz_status check_data(request_rec *r, const char *line, const void *parsed)
{
    const rr_principal_t *who = asking(r);

    (void)line;
    if (!who) {
        return AUTHZ_DENIED_NO_USER;
    }
    switch (rr_glue_path_regex_match(r, parsed, who->data)) {
    case RR_MATCH_YES:
        return AUTHZ_GRANTED;
    case RR_MATCH_NO:
        if (!rr_glue_path_regex_is_negated(parsed)) {
            core_lack(r, RR_LACK_OTHER, "data");
        }
        return AUTHZ_DENIED;
    case RR_MATCH_DOUBT:
        break;
    }
    core_lack(r, RR_LACK_DOUBT, "data");
    return AUTHZ_GENERAL_ERROR; /* unlike a denial, this holds in Require not and <RequireNone> */
}

static const authz_provider scope_provider = { check_scope, parse_scope };
static const authz_provider data_provider = { check_data, rr_glue_path_regex_parse };

void core_register_requirements(apr_pool_t *p)
{
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-scope", AUTHZ_PROVIDER_VERSION, &scope_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-data", AUTHZ_PROVIDER_VERSION, &data_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}
