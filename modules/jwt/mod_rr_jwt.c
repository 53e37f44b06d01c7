/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_jwt.c: authenticates a request by a JSON Web Token.
 *
 * The module's map: configuration, directives, hooks. What operators trust is
 * in jwt_issuer.c, what is a token in jwt_look.c, how it is judged in jwt_token.c, where keys come from
 * in jwt_keyset.c and jwt_download.c, the requirements in jwt_require.c.
 *
 * Result:  the provider `jwt` of mod_rr_core's composite.
 * Threads: configuration is constant after startup; what changes is in jwt_keyset.c.
 * Spec:    RFC 7519, RFC 6750.
 */
#include "jwt.h"

#include "rr_fetch.h"

#include <ap_provider.h>
#include <http_core.h>
#include <mod_watchdog.h>
#include <util_mutex.h>

#include <apr_strings.h>

enum { F_INTERVAL, F_MAX_STALE, F_CA_FILE, F_STATE_DIR, F_COUNT };

#define MOST_PATH 4096

static const rr_conf_field_t fields[F_COUNT + 1] = {
    [F_INTERVAL] = RR_TIME(jwt_server_t, interval, APR_USEC_PER_SEC, apr_time_from_sec(3600), apr_time_from_sec(30)),
    [F_MAX_STALE] = RR_TIME(jwt_server_t, max_stale, APR_USEC_PER_SEC, apr_time_from_sec(30 * 24 * 3600),
                            apr_time_from_sec(24 * 3600)),
    [F_CA_FILE] = RR_STRING(jwt_server_t, ca_file, 1, MOST_PATH, NULL),
    [F_STATE_DIR] = RR_STRING(jwt_server_t, state_dir, 1, MOST_PATH, NULL),
};

/* Written by check_config only. */
static const rr_core_t *core;
static int has_store;                     /* some server has one, whose credentials may name key sets */

static void *create_server(apr_pool_t *p, server_rec *s)
{
    jwt_server_t *conf = rr_conf_create(p, sizeof(*conf), fields);

    (void)s;
    conf->issuers = apr_array_make(p, 2, sizeof(jwt_issuer_t *));
    return conf;
}

static void *merge_server(apr_pool_t *p, void *base, void *add)
{
    jwt_server_t *conf = rr_conf_merge(p, sizeof(*conf), base, add, fields);

    conf->issuers = apr_array_append(p, ((jwt_server_t *)base)->issuers, ((jwt_server_t *)add)->issuers);
    return conf;
}

static void *create_dir(apr_pool_t *p, char *dir)
{
    static const rr_source_t usual[] = {
        { RR_SOURCE_HEADER, "Authorization", "Bearer" },
        { RR_SOURCE_HEADER, NULL, NULL },
    };
    jwt_dir_t *conf = apr_palloc(p, sizeof(*conf));

    (void)dir;
    conf->sources = rr_glue_sources_create(p, usual);
    return conf;
}

static void *merge_dir(apr_pool_t *p, void *base, void *add)
{
    jwt_dir_t *conf = apr_palloc(p, sizeof(*conf));

    conf->sources = rr_glue_sources_merge(p, ((jwt_dir_t *)base)->sources, ((jwt_dir_t *)add)->sources);
    return conf;
}

/* ---- the provider ---- */

static const apr_array_header_t *sources(request_rec *r)
{
    const jwt_dir_t *conf = ap_get_module_config(r->per_dir_config, &rr_jwt_module);

    return conf->sources.list;
}

/* Those, and where the route's proxy reads its own credentials from. */
static const apr_array_header_t *all_sources(request_rec *r)
{
    return jwt_stored_sources(r->pool, sources(r), core->proxy_get(r));
}

static rr_authn_outcome_e authenticate(request_rec *r, rr_authn_result_t *result)
{
    return jwt_token_judge(r, core, ap_get_module_config(r->server->module_config, &rr_jwt_module), sources(r), result);
}

static void schemes(request_rec *r, apr_array_header_t *names)
{
    const char *scheme = rr_glue_sources_scheme(sources(r));

    APR_ARRAY_PUSH(names, const char *) = scheme ? scheme : "Bearer";
}

static const rr_authn_provider_t provider = { 20, authenticate, schemes, all_sources };

/* ---- configuration ---- */

static const char *set_global(cmd_parms *cmd, void *unused, const char *text)
{
    const char *wrong = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)unused;
    return wrong ? wrong : rr_glue_set(cmd, ap_get_module_config(cmd->server->module_config, &rr_jwt_module), text);
}

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog, (void)ptemp;
    core = NULL;
    has_store = 0;
    jwt_keysets_reset(pconf);
    jwt_require_reset(pconf);
    return ap_mutex_register(pconf, JWT_MUTEX, NULL, APR_LOCK_DEFAULT, 0) == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static int refuse_config(server_rec *s, const char *text)
{
    RR_LOG_S(APLOG_EMERG, 0, s, 10301, "%s", text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    const char *ca_file, *wrong;
    server_rec *s;

    (void)plog;
    if (rr_core_bind(&core, main_server, "mod_rr_jwt") != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (s = main_server; s; s = s->next) {
        rr_err_t err = RR_ERR_INIT;

        has_store |= core->has_store(s);
        if (jwt_issuers_check(ap_get_module_config(s->module_config, &rr_jwt_module), pconf, ptemp, &err)
            != APR_SUCCESS) {
            return refuse_config(s, rr_err_text(&err));
        }
    }
    wrong = jwt_require_check(core, ptemp);
    if (wrong) {
        return refuse_config(main_server, wrong);
    }
    ca_file = rr_conf_string(ap_get_module_config(main_server->module_config, &rr_jwt_module), &fields[F_CA_FILE]);
    if (ca_file) {
        rr_err_t err = RR_ERR_INIT;

        ca_file = ap_server_root_relative(ptemp, ca_file);
        if (!ca_file || rr_fetch_check_ca_file(ca_file, &err) != APR_SUCCESS) {
            return refuse_config(main_server, apr_psprintf(ptemp, "RRFetchCAFile: %s", rr_err_text(&err)));
        }
    }
    if ((jwt_keysets_count() || has_store) && !APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance)) {
        return refuse_config(main_server, "key sets are refreshed by mod_watchdog: add \"LoadModule watchdog_module "
                             ".../mod_watchdog.so\"");
    }
    return OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const jwt_server_t *conf = ap_get_module_config(s->module_config, &rr_jwt_module);
    const char *ca_file = rr_conf_string(conf, &fields[F_CA_FILE]);
    const char *state_dir = rr_conf_string(conf, &fields[F_STATE_DIR]);
    jwt_keyset_settings_t settings;

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG || !(jwt_keysets_count() || has_store)) {
        return OK;
    }
    settings.interval = rr_conf_number(conf, &fields[F_INTERVAL]);
    settings.max_stale = rr_conf_number(conf, &fields[F_MAX_STALE]);
    settings.ca_file = ca_file ? ap_server_root_relative(pconf, ca_file) : NULL;
    settings.state_dir = state_dir ? ap_server_root_relative(pconf, state_dir)
                                   : ap_runtime_dir_relative(pconf, "rr-jwks");
    settings.stored = has_store;
    settings.core = core;
    return jwt_keysets_open(&settings, pconf, ptemp, s);
}

static void start_child(apr_pool_t *pchild, server_rec *s)
{
    jwt_memory_start_child(pchild, s);
    jwt_keysets_start_child(pchild, s);
}

/* ---- directives and hooks ---- */

#define RR_GLOBAL_DIRECTIVE(name, field, help) AP_INIT_TAKE1(name, set_global, (void *)&fields[field], RSRC_CONF, help)

static const command_rec directives[] = {
    RR_SOURCE_DIRECTIVES("RRJwt", jwt_dir_t, sources, "token"),
    AP_INIT_TAKE_ARGV("RRJwtIssuer", jwt_issuer_set, NULL, RSRC_CONF,
                      "NAME ISSUER audience=NAME [jwks=URL|file:PATH] ...: an issuer whose tokens are accepted"),
    RR_GLOBAL_DIRECTIVE("RRJwksInterval", F_INTERVAL, "least time between forced fetches of a key set; default 30s"),
    RR_GLOBAL_DIRECTIVE("RRJwksMaxStale", F_MAX_STALE, "how long a key set outlives an unreachable issuer; default 24h"),
    RR_GLOBAL_DIRECTIVE("RRFetchCAFile", F_CA_FILE, "PEM file of the authorities of issuers' servers"),
    RR_GLOBAL_DIRECTIVE("RRJwtStateDir", F_STATE_DIR, "directory that keeps fetched key sets"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    static const char *const before_watchdog[] = { "mod_watchdog.c", NULL };

    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* mod_watchdog starts only what was registered before its own post_config. */
    ap_hook_post_config(post_config, NULL, before_watchdog, APR_HOOK_MIDDLE);
    ap_hook_child_init(start_child, NULL, before_watchdog, APR_HOOK_MIDDLE); /* whose thread it starts */
    ap_register_provider(p, RR_AUTHN_GROUP, JWT_METHOD, RR_AUTHN_VERSION, &provider);
    jwt_require_register(p);
    jwt_look_register();
}

AP_DECLARE_MODULE(rr_jwt) = {
    STANDARD20_MODULE_STUFF,
    create_dir,
    merge_dir,
    create_server,
    merge_server,
    directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
