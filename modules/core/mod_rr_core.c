/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_core.c: AuthType RR, the principal, and what all modules of the suite stand on.
 *
 * The module's map: configuration, directives, hooks. Each noun has its own
 * file, see core.h.
 *
 * Result:  a request under AuthType RR leaves here with a principal, as an
 *          admitted anonymous request, or refused. Doubt is a refusal.
 * Threads: configuration is read-only after startup; all state is per request.
 */
#include "core.h"
#include "core_store.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

module AP_MODULE_DECLARE_DATA rr_core_module;

static const char *const mode_words[] = { "required", "optional", "permissive", NULL };
static const char *const preflight_words[] = { "refuse", "pass", NULL };

enum { F_MODE, F_PREFLIGHT, F_FORWARD, F_NONE, F_COUNT };

static const rr_conf_field_t fields[F_COUNT + 1] = {
    [F_MODE] = RR_ENUM(core_dir_t, mode, mode_words, CORE_MODE_REQUIRED),
    [F_PREFLIGHT] = RR_ENUM(core_dir_t, preflight, preflight_words, CORE_PREFLIGHT_REFUSE),
    [F_FORWARD] = RR_FLAG(core_dir_t, forward_credential, 0),
    [F_NONE] = RR_FLAG(core_dir_t, allow_none, 0),
};

static void *create_dir(apr_pool_t *p, char *path)
{
    (void)path;
    return rr_conf_create(p, sizeof(core_dir_t), fields);
}

static void *merge_dir(apr_pool_t *p, void *base_, void *add_)
{
    const core_dir_t *base = base_, *add = add_;
    core_dir_t *merged = rr_conf_merge(p, sizeof(core_dir_t), base, add, fields);

    merged->identity_header = add->identity_header ? add->identity_header : base->identity_header;
    merged->claims = core_merge_claim_headers(p, base->claims, add->claims);
    merged->providers = add->providers ? add->providers : base->providers;
    merged->allow = add->allow ? add->allow : base->allow; /* a section that says anything says it all */
    core_merge_route(merged, base, add);
    return merged;
}

static void *create_server(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return apr_pcalloc(p, sizeof(core_server_t));
}

static void *merge_server(apr_pool_t *p, void *base_, void *add_)
{
    const core_server_t *base = base_, *add = add_;
    core_server_t *merged = apr_pmemdup(p, add, sizeof(*add));

    merged->audit = add->audit ? add->audit : base->audit;
    merged->store = core_store_merge(p, base->store, add->store);
    return merged;
}

core_mode_e core_mode(request_rec *r)
{
    return (core_mode_e)rr_conf_int(core_dir(r), &fields[F_MODE]);
}

core_preflight_e core_preflight(request_rec *r)
{
    return (core_preflight_e)rr_conf_int(core_dir(r), &fields[F_PREFLIGHT]);
}

int core_allows_none(request_rec *r)
{
    return rr_conf_int(core_dir(r), &fields[F_NONE]);
}

int core_forwards_credential(request_rec *r)
{
    return rr_conf_int(core_dir(r), &fields[F_FORWARD]);
}

/* ---- what other modules get ---- */

static const rr_principal_t *principal_get(request_rec *r)
{
    const core_decision_t *decision = core_is_ours(r) ? core_decision(r) : NULL;

    return decision ? decision->principal : NULL;
}

static const rr_proxy_t *proxy_get(request_rec *r)
{
    const core_route_t *route = core_route(r);

    return route ? route->to.proxy : NULL;
}

static const rr_route_t *route_get(request_rec *r)
{
    const core_route_t *route = core_route(r);

    return route ? &route->to : NULL;
}

static int audits(request_rec *r)
{
    const core_server_t *server = ap_get_module_config(r->server->module_config, &rr_core_module);

    return server->audit != NULL;
}

static void audit(request_rec *r, const char *name, const char *value)
{
    core_request_t *own;

    if (!audits(r)) {
        return;
    }
    own = core_request(r);
    if (!own->audit) {
        own->audit = apr_table_make(r->pool, 2);
    }
    apr_table_setn(own->audit, name, value);
}

static apr_status_t store_run(request_rec *r, int writing, rr_store_work_t work, void *baton, rr_err_t *err)
{
    return writing ? core_store_write(r, work, baton, err) : core_store_read(r, work, baton, err);
}

static const rr_core_t core = {
    .principal_get = principal_get,
    .client_header = core_client_header,
    .client_args = core_client_args,
    .proxy_get = proxy_get,
    .route_get = route_get,
    .route_follow = core_follow_rewrite,
    .snapshot_get = core_snapshot,
    .lack = core_lack,
    .refuse = core_refuse,
    .audits = audits,
    .audit = audit,
    .credential_find = core_store_credential_find,
    .token_revoked = core_store_token_revoked,
    .demand = core_demand,
    .store_run = store_run,
    .store_keyring = core_store_keyring,
    .has_store = core_store_is_configured,
    .target_allow = core_target_allow,
    .target_judge = core_target_judge,
};

static const rr_core_t *rr_core_get(void)
{
    return &core;
}

/* ---- a request's way ---- */

static int read_request(request_rec *r)
{
    core_scrub_headers(r);
    return DECLINED;
}

/*
 * A preflight that may pass needs no user: where mod_authz_core would ask for one, it is granted. What denies
 * without asking who it is (Require not ip) denies it too.
 */
static int check_access(request_rec *r)
{
    core_request_t *own = core_request_peek(r);
    int status;

    if (core_preflight(r) != CORE_PREFLIGHT_PASS || (own && own->judging) || !core_is_ours(r) ||
        core_authenticate(r)->results) {
        return DECLINED;
    }
    own = core_request(r);
    own->judging = 1;
    status = ap_run_access_checker_ex(r);
    own->judging = 0;
    return status == DECLINED ? OK : status;
}

/*
 * Require may grant without a user. What the mode says about a missing or wrong
 * credential holds all the same, so the composite runs here; only an anonymous
 * request that may pass goes on without check_authn, which must set a user.
 */
static int force_authn(request_rec *r)
{
    const core_decision_t *decision;

    if (!core_is_ours(r)) {
        return DECLINED;
    }
    decision = core_authenticate(r);
    return decision->status == OK && !decision->principal ? DECLINED : OK;
}

static int check_authn(request_rec *r)
{
    const core_decision_t *decision;

    if (!core_is_ours(r)) {
        return DECLINED;
    }
    decision = core_authenticate(r);
    if (!decision->principal) {
        return core_refuse_decided(r, decision);
    }
    r->user = (char *)decision->principal->sub;
    r->ap_auth_type = (char *)CORE_AUTH_TYPE;
    core_set_env(r, decision->principal);
    return OK;
}

static int check_type(request_rec *r)
{
    core_admit(r);
    return DECLINED;
}

/* Runs before those who read headers, query and environment, and again behind those who redirect fast. */
static int fix_up(request_rec *r)
{
    const core_decision_t *decision;
    const rr_principal_t *who;
    int status;

    if (r->main || r->prev) {
        core_scrub_headers(r); /* an outer request's identity is not this one's */
    }
    if (!core_is_ours(r)) {
        return DECLINED;
    }
    core_request(r)->fixed_for = r->per_dir_config;
    status = core_decide_late(r);
    if (status != OK) {
        return status;
    }
    decision = core_decision(r);
    who = decision ? decision->principal : NULL;
    status = core_check_route(r, who); /* nobody asked yet where httpd granted without a user */
    if (status != OK) {
        return status;
    }
    apr_table_setn(r->subprocess_env, "no-cache", "1");
    core_set_env(r, who);
    core_scrub_credentials(r);
    core_set_identity(r, who, r->headers_in);
    return OK;
}

static int fix_up_again(request_rec *r)
{
    const core_request_t *own = core_request_peek(r);

    return (!own || own->fixed_for != r->per_dir_config) && core_is_ours(r) ? fix_up(r) : DECLINED;
}

/* ---- startup ---- */

static int before_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)pconf, (void)plog, (void)ptemp;
    core_hook_proxy_late();
    return OK;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog, (void)ptemp;
    core_collect_providers(pconf);
    core_collect_reserved(pconf);
    return core_store_check_config(pconf, s);
}

static const command_rec directives[] = {
    RR_DIRECTIVE("RRAuthMode", &fields[F_MODE],
                 "required, optional or permissive: what a missing or wrong credential means where Require grants"),
    AP_INIT_ITERATE("RRAuthProvider", core_add_provider, NULL, RSRC_CONF | ACCESS_CONF,
                    "ways to authenticate, in the order asked; default: every one loaded"),
    RR_DIRECTIVE("RRPreflight", &fields[F_PREFLIGHT], "refuse or pass: CORS preflights, which carry no credential"),
    RR_DIRECTIVE("RRForwardCredential", &fields[F_FORWARD], "On lets the caller's credential reach the handler"),
    AP_INIT_TAKE1("RRIdentityHeader", core_set_identity_header, NULL, RSRC_CONF | ACCESS_CONF,
                  "request header that tells the handler the caller's subject"),
    AP_INIT_TAKE2("RRClaimHeader", core_add_claim_header, NULL, RSRC_CONF | ACCESS_CONF,
                  "request header, and the path of the claim it carries"),
    AP_INIT_TAKE2("RRStore", core_store_set_store, NULL, RSRC_CONF,
                  "sqlite3 or pgsql, and the database's path or connection parameters"),
    AP_INIT_TAKE1("RRMasterKey", core_store_set_master_key, NULL, RSRC_CONF,
                  "path, env:NAME or exec:PROGRAM of the key that seals the store's secrets"),
    AP_INIT_TAKE1("RRStoreMaxAge", core_store_set_max_age, NULL, RSRC_CONF,
                  "how old what was read from the store may be; 0: a change counts on the next request"),
    AP_INIT_TAKE1("RRProxy", core_set_proxy, NULL, ACCESS_CONF,
                  "id, alias or CLIENT/NAME of the stored proxy that this Location serves"),
    AP_INIT_TAKE_ARGV("RRGateway", core_set_gateway, NULL, ACCESS_CONF,
                      "Off, On or On client CLIENT...: the first segment below this Location names a stored proxy"),
    AP_INIT_ITERATE("RRTargetAllow", core_add_target_allow, NULL, RSRC_CONF | ACCESS_CONF,
                    "loopback, link-local, http, ADDRESS/BITS: where the store's objects may lead besides"),
    RR_DIRECTIVE("RRProxyAllowNone", &fields[F_NONE], "On lets stored proxies that have a credential of the kind none be "
                 "open to everybody"),
    AP_INIT_TAKE1("RRAuditLog", core_configure_audit, NULL, RSRC_CONF,
                  "file, \"|program\" or syslog for one JSON line a request"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    static const char *const before_readers[] = { "mod_rewrite.c", "mod_proxy.c", "mod_headers.c", NULL };
    static const char *const behind_redirects[] = { "mod_dir.c", NULL };

    APR_REGISTER_OPTIONAL_FN(rr_core_get);
    core_register_requirements(p);
    core_register_route(p);
    core_register_problem();
    core_register_private();
    core_hook_proxy();

    ap_hook_pre_config(before_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_open_logs(core_open_audit, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_child_init(core_store_start_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(core_start_audit, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_post_read_request(read_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(core_translate_route, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(core_map_route, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_access_ex(check_access, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_force_authn(force_authn, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authz(core_check_authz, NULL, NULL, APR_HOOK_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_type_checker(check_type, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(fix_up, NULL, before_readers, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(fix_up_again, behind_redirects, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_filter(core_insert_private, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(core_insert_private, NULL, NULL, APR_HOOK_MIDDLE); /* a redirect's answer too */
    ap_hook_insert_error_filter(core_insert_problem, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(core_handle_route, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(core_handle_me, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(core_write_audit, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(rr_core) = {
    STANDARD20_MODULE_STUFF,
    create_dir,
    merge_dir,
    create_server,
    merge_server,
    directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
