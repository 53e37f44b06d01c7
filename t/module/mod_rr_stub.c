/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_stub.c: two ways to authenticate that answer what the request orders.
 *
 * For tests of mod_rr_core only: every outcome at will, without a store or an
 * issuer, and the proof that a third party can add a provider. `red` reads X-Red,
 * `blue` reads X-Blue, each one of
 *
 *   invalid [DETAIL]   unavailable   mistake (VERIFIED without an identity)
 *   foreign (a credential of another's shape)
 *   {"sub":..,"data":{..},"scopes":[..],"issuer":..,"credential":..}: verified
 *
 * Require rr-red, rr-blue: something of that provider was presented.
 */
#include "rr_glue.h"

#include <ap_provider.h>
#include <http_config.h>
#include <http_request.h>
#include <mod_auth.h>

#include <apr_strings.h>

extern module AP_MODULE_DECLARE_DATA rr_stub_module;

static const rr_core_t *core; /* written once, in check_config */

static rr_authn_outcome_e verify(request_rec *r, const char *method, const char *order, rr_authn_result_t *result)
{
    rr_identity_t *identity = apr_pcalloc(r->pool, sizeof(*identity));
    const rr_json_t *value;
    rr_err_t err = RR_ERR_INIT;

    if (rr_json_parse_object(&value, order, strlen(order), r->pool, &err) != APR_SUCCESS) {
        result->reason = "order";
        result->detail = apr_pstrdup(r->pool, rr_err_text(&err));
        return RR_AUTHN_INVALID;
    }
    identity->method = method;
    identity->sub = rr_json_string(rr_json_member(value, "sub"));
    identity->data = rr_json_member(value, "data");
    identity->scopes = rr_json_words(r->pool, rr_json_member(value, "scopes"));
    identity->issuer = rr_json_string(rr_json_member(value, "issuer"));
    identity->credential = rr_json_string(rr_json_member(value, "credential"));
    identity->credential_id = identity->credential ? "stub-id" : NULL;
    identity->hint = identity->credential ? "stub...hint" : NULL;
    result->identities[result->count++] = identity;
    return RR_AUTHN_VERIFIED;
}

static rr_authn_outcome_e obey(request_rec *r, const char *method, const char *header, rr_authn_result_t *result)
{
    const char *order = core->client_header(r, header);

    if (!order) {
        return RR_AUTHN_ABSENT;
    }
    if (!strncmp(order, "invalid", 7)) {
        result->reason = "ordered";
        result->detail = order[7] ? apr_pstrdup(r->pool, order + 8) : NULL;
        return RR_AUTHN_INVALID;
    }
    if (!strcmp(order, "unavailable")) {
        result->reason = "ordered";
        return RR_AUTHN_UNAVAILABLE;
    }
    if (!strcmp(order, "mistake")) {
        return RR_AUTHN_VERIFIED;
    }
    if (!strcmp(order, "foreign")) {
        result->foreign = 1;
        return RR_AUTHN_ABSENT;
    }
    return verify(r, method, order, result);
}

static rr_authn_outcome_e authenticate_red(request_rec *r, rr_authn_result_t *result)
{
    return obey(r, "red", "X-Red", result);
}

static rr_authn_outcome_e authenticate_blue(request_rec *r, rr_authn_result_t *result)
{
    return obey(r, "blue", "X-Blue", result);
}

static void schemes_red(request_rec *r, apr_array_header_t *names)
{
    (void)r;
    APR_ARRAY_PUSH(names, const char *) = "Red";
}

static void schemes_blue(request_rec *r, apr_array_header_t *names)
{
    (void)r;
    APR_ARRAY_PUSH(names, const char *) = "Blue";
}

static rr_source_t source_red = { RR_SOURCE_HEADER, "X-Red", NULL };
static rr_source_t source_blue = { RR_SOURCE_HEADER, "X-Blue", NULL };
static const apr_array_header_t sources_of_red = { NULL, sizeof(rr_source_t), 1, 1, (char *)&source_red };
static const apr_array_header_t sources_of_blue = { NULL, sizeof(rr_source_t), 1, 1, (char *)&source_blue };

static const apr_array_header_t *sources_red(request_rec *r)
{
    (void)r;
    return &sources_of_red;
}

static const apr_array_header_t *sources_blue(request_rec *r)
{
    (void)r;
    return &sources_of_blue;
}

static const rr_authn_provider_t red = { 1, authenticate_red, schemes_red, sources_red };
static const rr_authn_provider_t blue = { 2, authenticate_blue, schemes_blue, sources_blue };

static authz_status require_method(request_rec *r, const char *method)
{
    const rr_principal_t *who = r->user ? core->principal_get(r) : NULL;

    if (!who) {
        return AUTHZ_DENIED_NO_USER;
    }
    if (rr_principal_by_method(who, method)) {
        return AUTHZ_GRANTED;
    }
    core->lack(r, RR_LACK_METHOD, method);
    return AUTHZ_DENIED;
}

static authz_status require_red(request_rec *r, const char *line, const void *parsed)
{
    (void)line, (void)parsed;
    return require_method(r, "red");
}

static authz_status require_blue(request_rec *r, const char *line, const void *parsed)
{
    (void)line, (void)parsed;
    return require_method(r, "blue");
}

static const authz_provider red_requirement = { require_red, NULL };
static const authz_provider blue_requirement = { require_blue, NULL };

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf, (void)plog, (void)ptemp;
    return rr_core_bind(&core, s, "mod_rr_stub");
}

static void register_hooks(apr_pool_t *p)
{
    ap_register_auth_provider(p, RR_AUTHN_GROUP, "red", RR_AUTHN_VERSION, &red, AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, RR_AUTHN_GROUP, "blue", RR_AUTHN_VERSION, &blue, AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-red", AUTHZ_PROVIDER_VERSION, &red_requirement,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-blue", AUTHZ_PROVIDER_VERSION, &blue_requirement,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(rr_stub) = {
    STANDARD20_MODULE_STUFF,
    NULL, /* no configuration */
    NULL,
    NULL,
    NULL,
    NULL, /* no directives */
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
