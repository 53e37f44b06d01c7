/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_inject.c: forwards to stored targets, with the credential they know.
 *
 * The module's map: configuration, directives, hooks. Each noun has its own
 * file, see inject.h.
 *
 * Result:  a request that owes a target's credential is forwarded with it, or
 *          refused: 502, 503.
 * Threads: configuration is read-only after startup; workers and opened
 *          credentials are shared by a child's threads, see inject_keep.c.
 */
#include "inject.h"
#include "rr_fetch.h"

#include <http_core.h>
#include <http_request.h>

#include <apr_strings.h>
#include <mod_watchdog.h>

module AP_MODULE_DECLARE_DATA rr_inject_module;

const rr_core_t *inject_core;

#define SWEEP apr_time_from_sec(10)

enum { F_HEADERS, F_COUNT };

static const rr_conf_field_t fields[F_COUNT + 1] = {
    [F_HEADERS] = RR_FLAG(inject_dir_t, proxy_headers, 0),
};

void *inject_dir_create(apr_pool_t *p, char *path)
{
    (void)path;
    return rr_conf_create(p, sizeof(inject_dir_t), fields);
}

static void *merge_dir(apr_pool_t *p, void *base_, void *add_)
{
    const inject_dir_t *base = base_, *add = add_;
    inject_dir_t *merged = rr_conf_merge(p, sizeof(inject_dir_t), base, add, fields);

    merged->credential = add->credential ? add->credential : base->credential;
    if (!add->token_header) {
        merged->token_header = base->token_header;
        merged->token_audience = base->token_audience;
        merged->token_lifetime = base->token_lifetime;
    }
    merged->tls = inject_tls_merge(base->tls, add->tls);
    return merged;
}

const inject_dir_t *inject_dir(request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &rr_inject_module);
}

int inject_tells_code(request_rec *r)
{
    return rr_conf_int(inject_dir(r), &fields[F_HEADERS]);
}

static const char *set_credential(cmd_parms *cmd, void *conf, const char *name)
{
    const char *slash = strchr(name, '/');

    (void)cmd;
    if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/')) {
        return apr_psprintf(cmd->pool, "RRTargetCredential %s: expected CLIENT/NAME of a target credential", name);
    }
    ((inject_dir_t *)conf)->credential = name;
    return NULL;
}

/* ---- startup ---- */

static int before_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)pconf, (void)plog, (void)ptemp;
    inject_token_reset();
    inject_worker_bind();
    inject_gate_hook_late();
    return OK;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog, (void)ptemp;
    inject_apply_start(pconf);
    inject_gate_start(pconf);
    return rr_core_bind(&inject_core, s, "mod_rr_inject");
}

static apr_status_t tick(int state, void *data, apr_pool_t *p)
{
    (void)data, (void)p;
    if (state == AP_WATCHDOG_STATE_RUNNING) {
        inject_worker_sweep();
        inject_credential_sweep();
    }
    return APR_SUCCESS;
}

/* What nobody uses ends on time only where mod_watchdog is loaded; without it, when its kind is used next. */
static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *on_tick =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    rr_err_t err = RR_ERR_INIT;
    ap_watchdog_t *watchdog;

    (void)plog, (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (rr_fetch_init(pconf, &err) != APR_SUCCESS || inject_backend_start(pconf, s, &err) != APR_SUCCESS) {
        RR_LOG_S(APLOG_EMERG, 0, s, 10612, "%s", rr_err_text(&err));
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    inject_tls_number(pconf, s);
    if (!get || !on_tick || get(&watchdog, "_rr_inject_", 0, 0, pconf) != APR_SUCCESS
        || on_tick(watchdog, SWEEP, NULL, tick) != APR_SUCCESS) {
        RR_LOG_S(APLOG_WARNING, 0, s, 10609, "without mod_watchdog connections to targets that are no longer used stay "
                 "open until the child ends");
    }
    return OK;
}

static void start_child(apr_pool_t *pchild, server_rec *s)
{
    inject_worker_start(pchild, s);
    inject_credential_start(pchild);
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("RRTargetCredential", set_credential, NULL, ACCESS_CONF,
                  "CLIENT/NAME of the stored credential that this section's own proxy is sent with"),
    AP_INIT_TAKE1("RRFetchCAFile", inject_set_ca_file, NULL, RSRC_CONF,
                  "PEM file of the authorities of token endpoints"),
    AP_INIT_TAKE_ARGV("RRBackendToken", inject_set_backend_token, NULL, ACCESS_CONF,
                      "header that takes a token of the gateway's own to the backend; audience=, lifetime="),
    RR_DIRECTIVE("RRProxyHeaders", &fields[F_HEADERS], "On tells in rr-proxy-code and rr-proxy-message what became of a "
                 "request to a stored proxy"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    static const char *const before_core[] = { "mod_rr_core.c", NULL };
    static const char *const behind_core[] = { "mod_rr_core.c", NULL };
    static const char *const behind_redirects[] = { "mod_rr_core.c", "mod_dir.c", "mod_rewrite.c", NULL };
    static const char *const behind_rewrite[] = { "mod_rewrite.c", NULL };
    static const char *const before_mappers[] = { "mod_proxy.c", "mod_alias.c", "mod_userdir.c", "mod_vhost_alias.c", NULL };
    static const char *const before_proxy[] = { "mod_proxy.c", NULL };
    static const char *const before_watchdog[] = { "mod_watchdog.c", NULL };

    (void)p;
    ap_hook_pre_config(before_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* mod_watchdog starts only what was registered before its own post_config */
    ap_hook_post_config(post_config, NULL, before_watchdog, APR_HOOK_MIDDLE);
    ap_hook_child_init(start_child, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_translate_name(inject_translate, NULL, before_core, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(inject_translate_rewritten, behind_rewrite, before_mappers, APR_HOOK_FIRST);
    ap_hook_fixups(inject_resolve, behind_core, before_proxy, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(inject_resolve_late, behind_redirects, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_filter(inject_insert_mask, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(inject_insert_mask, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(inject_handle_jwks, NULL, NULL, APR_HOOK_MIDDLE);
    inject_mask_register();
    inject_gate_hook();
}

AP_DECLARE_MODULE(rr_inject) = {
    STANDARD20_MODULE_STUFF,
    inject_dir_create,
    merge_dir,
    NULL, /* no per-server configuration */
    NULL,
    directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
