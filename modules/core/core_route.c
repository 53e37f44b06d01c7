/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_route.c: which stored proxy a request is for, and whom that proxy admits.
 *
 * A Location names its proxy (RRProxy) or serves them all, the first segment
 * below it telling which (RRGateway). The route is found once, from one
 * snapshot, before anything else looks at the request.
 *
 * Result:  without a verified credential 401, whether or not the proxy exists;
 *          with one that is not the proxy's, or for an unknown or inactive
 *          proxy, 403, always in the same words.
 */
#include "core.h"
#include "core_store.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>

#include <ap_provider.h>
#include <apr_cstr.h>
#include <apr_strings.h>

#define NOT_ADMITTED "The credential is good but not allowed here: proxy"

/* ---- directives ---- */

/* The mount of a <Location "/path">; NULL with a sentence where the section has none. */
static const char *mount_of(cmd_parms *cmd, const char **psentence)
{
    const ap_directive_t *section = cmd->directive->parent;

    for (; section && apr_cstr_casecmp(section->directive, "<Location"); section = section->parent) {
    }
    if (!section || !cmd->path || *cmd->path != '/' || strpbrk(cmd->path, "*?[")) {
        *psentence = apr_psprintf(cmd->pool, "%s has to stand in a <Location \"/path\"> without wildcards: what follows "
                                  "that path is what the target gets", cmd->cmd->name);
        return NULL;
    }
    return cmd->path;
}

#define NOT_BOTH "RRProxy and RRGateway stand in one section, which has either one proxy or all of them: remove one"

/* conf is the section's own: what an outer section says is merged later, and the inner one wins. */
const char *core_set_proxy(cmd_parms *cmd, void *conf, const char *name)
{
    const char *sentence = NULL, *slash = strchr(name, '/');
    core_dir_t *dir = conf;

    if (dir->mount && !dir->proxy) {
        return NOT_BOTH;
    }
    dir->mount = mount_of(cmd, &sentence);
    if (!sentence && (!*name || (slash && (slash == name || !slash[1] || strchr(slash + 1, '/'))))) {
        sentence = apr_psprintf(cmd->pool, "RRProxy %s: expected a proxy's id, its alias, or CLIENT/NAME", name);
    }
    dir->proxy = name;
    dir->gateway = 0;
    return sentence;
}

const char *core_set_gateway(cmd_parms *cmd, void *conf, int argc, char *const argv[])
{
    core_dir_t *dir = conf;
    const char *sentence = NULL;
    int i;

    if (!argc || (apr_cstr_casecmp(argv[0], "On") && apr_cstr_casecmp(argv[0], "Off"))
        || (argc > 1 && (argc == 2 || apr_cstr_casecmp(argv[1], "client") || apr_cstr_casecmp(argv[0], "On")))) {
        return apr_psprintf(cmd->pool, "RRGateway %s: expected Off, On, or On client CLIENT...", cmd->directive->args);
    }
    if (dir->proxy) {
        return NOT_BOTH;
    }
    dir->mount = mount_of(cmd, &sentence);
    dir->gateway = !apr_cstr_casecmp(argv[0], "On");
    dir->proxy = NULL;
    dir->gateway_clients = argc > 1 ? apr_array_make(cmd->pool, argc, sizeof(const char *)) : NULL;
    for (i = 2; i < argc; i++) {
        APR_ARRAY_PUSH(dir->gateway_clients, const char *) = apr_pstrdup(cmd->pool, argv[i]);
    }
    return sentence;
}

void core_merge_route(core_dir_t *merged, const core_dir_t *base, const core_dir_t *add)
{
    const core_dir_t *from = add->mount ? add : base;

    merged->mount = from->mount;
    merged->proxy = from->proxy;
    merged->gateway = from->gateway;
    merged->gateway_clients = from->gateway_clients;
}

/* ---- which proxy ---- */

static int serves_client(const core_dir_t *dir, const char *client)
{
    int i;

    for (i = 0; dir->gateway_clients && i < dir->gateway_clients->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(dir->gateway_clients, i, const char *), client)) {
            return 1;
        }
    }
    return dir->gateway_clients == NULL;
}

/* What follows the mount in the decoded path: "" or "/...". */
static const char *below_mount(request_rec *r, const char *mount)
{
    apr_size_t len = strlen(mount);

    while (len && mount[len - 1] == '/') {
        len--;
    }
    return strlen(r->uri) >= len ? r->uri + len : "";
}

/* The first segment below a gateway's mount: a proxy's id or alias, never CLIENT/NAME. NULL: there is none. */
static const char *gateway_segment(request_rec *r, const core_dir_t *dir)
{
    const char *below = below_mount(r, dir->mount);
    apr_size_t len;

    below += *below == '/';
    len = strcspn(below, "/");
    return len ? apr_pstrmemdup(r->pool, below, len) : NULL;
}

/* The same directive found again: <Proxy> sections and later phases merge the configuration anew. */
static int is_same_section(const core_route_t *route, const core_dir_t *dir)
{
    return route->to.mount == dir->mount && route->to.gateway == dir->gateway && route->name == dir->proxy;
}

static core_route_t *find_route(request_rec *r, const core_dir_t *dir)
{
    core_route_t *route = apr_pcalloc(r->pool, sizeof(*route));
    rr_err_t err = RR_ERR_INIT;
    const char *name;

    route->found_for = r->per_dir_config;
    route->name = dir->proxy;
    route->to.mount = dir->mount;
    route->to.gateway = dir->gateway;
    route->to.snapshot = core_store_snapshot(r, &err);
    if (!route->to.snapshot) {
        return route;
    }
    name = dir->proxy ? dir->proxy : gateway_segment(r, dir);
    if (name) {
        route->to.proxy = rr_snapshot_proxy(route->to.snapshot, name);
    }
    if (route->to.proxy && dir->gateway && !serves_client(dir, route->to.proxy->client)) {
        route->to.proxy = NULL;
    }
    route->to.open = route->to.proxy && route->to.proxy->active && core_allows_none(r) && rr_proxy_is_open(route->to.proxy);
    return route;
}

const core_route_t *core_recall_route(request_rec *r)
{
    core_request_t *own = core_request(r);
    const core_dir_t *dir = core_dir(r);

    if (own->route && own->route->found_for == r->per_dir_config) {
        return own->route;
    }
    if (!own->route || !is_same_section(own->route, dir)) {
        own->route = find_route(r, dir);
    }
    own->route->found_for = r->per_dir_config;
    return own->route;
}

const rr_snapshot_t *core_snapshot(request_rec *r, rr_err_t *err)
{
    const core_route_t *route = core_route(r);

    return route && route->to.snapshot ? route->to.snapshot : core_store_snapshot(r, err);
}

/* ---- whom it admits ---- */

/* Whether who showed a credential of that kind, whosever it is. */
static int has_shown(const rr_principal_t *who, rr_credential_kind_e kind)
{
    int i;

    for (i = 0; i < who->count; i++) {
        if (who->identities[i]->kind == kind) {
            return 1;
        }
    }
    return 0;
}

/*
 * The methods of those credentials that a proxy wants beside the ones it got, where nothing of their kind was
 * shown: "key", "jwt". NULL: nothing of who's is the proxy's, or what was shown in a place of one is not it.
 */
static const char *find_missing(request_rec *r, const rr_proxy_t *proxy, const rr_principal_t *who)
{
    int keys = 0, tokens = 0, proved = 0, i;

    for (i = 0; proxy->all && i < proxy->credentials->nelts; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);

        if (rr_principal_proves(who, party)) {
            proved++;
        }
        else if (!party || !party->active || party->closed || has_shown(who, party->kind)) {
            return NULL;
        }
        else if (party->kind == RR_CREDENTIAL_JWT_VERIFY) {
            tokens++;
        }
        else {
            keys++;
        }
    }
    return !proved ? NULL : apr_pstrcat(r->pool, keys ? "key" : "", keys && tokens ? " " : "", tokens ? "jwt" : "", NULL);
}

static int refuse_caller(request_rec *r, const rr_proxy_t *proxy, const rr_principal_t *who)
{
    const char *missing = proxy && proxy->active ? find_missing(r, proxy, who) : NULL;

    RR_LOG_R(APLOG_INFO, 0, r, 10140, "%s", !proxy           ? "there is no such proxy"
                                            : !proxy->active ? "the proxy is not active"
                                            : missing        ? "the proxy wants a further credential"
                                                             : "the credential is not the proxy's");
    if (missing) {
        core_challenge(r, core_providers_of(r, missing), NULL, NULL, NULL);
        return core_refuse(r, HTTP_UNAUTHORIZED, apr_pstrcat(r->pool, "A further credential is required: ", missing, NULL));
    }
    return core_refuse(r, HTTP_FORBIDDEN, NOT_ADMITTED);
}

int core_check_route(request_rec *r, const rr_principal_t *who)
{
    const core_route_t *route = core_route(r);

    if (!route) {
        return OK;
    }
    if (!who && !route->to.open) {
        core_challenge(r, core_all_providers(), NULL, NULL, NULL);
        return core_refuse(r, HTTP_UNAUTHORIZED, "A credential is required.");
    }
    if (!route->to.snapshot) {
        return core_refuse(r, HTTP_SERVICE_UNAVAILABLE, "The proxy cannot be looked up at the moment.");
    }
    if (!route->to.proxy || !route->to.proxy->active ||
        (!route->to.open && !rr_proxy_admits(route->to.proxy, rr_principal_proves, who))) {
        return refuse_caller(r, route->to.proxy, who);
    }
    if (route->to.proxy->closed) {
        RR_LOG_R(APLOG_INFO, 0, r, 10141, "proxy %s/%s is closed: %s", route->to.proxy->client, route->to.proxy->name,
                 route->to.proxy->closed);
        return core_refuse(r, HTTP_SERVICE_UNAVAILABLE, "The proxy is closed; its operator has to act.");
    }
    return OK;
}

static authz_status check_proxy(request_rec *r, const char *line, const void *parsed)
{
    const core_decision_t *decision = r->user ? core_decision(r) : NULL;
    const core_route_t *route = core_route(r);

    (void)line, (void)parsed;
    if (route && route->to.open) {
        return AUTHZ_GRANTED;
    }
    if (!decision || !decision->principal) {
        return AUTHZ_DENIED_NO_USER;
    }
    if (route && route->to.proxy && route->to.proxy->active &&
        rr_proxy_admits(route->to.proxy, rr_principal_proves, decision->principal)) {
        return AUTHZ_GRANTED;
    }
    core_lack(r, RR_LACK_OTHER, "proxy");
    return AUTHZ_DENIED;
}

static const char *parse_proxy(cmd_parms *cmd, const char *line, const void **pparsed)
{
    *pparsed = NULL;
    return *line ? rr_glue_require_wrong(cmd, "takes no argument: the section's RRProxy or RRGateway says which proxy") : NULL;
}

static const authz_provider proxy_requirement = { check_proxy, parse_proxy };

void core_register_route(apr_pool_t *p)
{
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-proxy", AUTHZ_PROVIDER_VERSION, &proxy_requirement,
                              AP_AUTH_INTERNAL_PER_CONF);
}

/* ---- phases: such a request is no file, whatever lies on disk ---- */

int core_translate_route(request_rec *r)
{
    if (!core_has_route(r)) {
        return DECLINED;
    }
    core_route(r);
    r->filename = apr_pstrcat(r->pool, "rr-proxy:", r->uri, NULL);
    return OK;
}

/* A rewritten uri was not normalized by httpd: what its dots and slashes lead to must not differ from what they say. */
static int is_normal(request_rec *r)
{
    char *uri = apr_pstrdup(r->pool, r->uri);

    return ap_normalize_path(uri, AP_NORMALIZE_NOT_ABOVE_ROOT | AP_NORMALIZE_MERGE_SLASHES) && !strcmp(uri, r->uri);
}

/*
 * RewriteRule [PT] changes the uri of a request that was no stored proxy's: whether it is now is seen here, so
 * that it is no file either. httpd itself finds the sections anew after this phase only. Where no rule was
 * looked at, there is no name yet; where none matched, this is a look into httpd's cache.
 */
int core_follow_rewrite(request_rec *r)
{
    ap_conf_vector_t *found = r->per_dir_config;
    int status;

    if (!r->filename || core_has_route(r)) {
        return DECLINED;
    }
    r->per_dir_config = r->server->lookup_defaults;
    status = ap_location_walk(r);
    if (status == OK && core_has_route(r)) {
        return is_normal(r) ? core_translate_route(r)
                            : core_refuse(r, HTTP_BAD_REQUEST, "The path was rewritten to one with dots or empty segments.");
    }
    r->per_dir_config = found;
    return status == OK ? DECLINED : status;
}

int core_map_route(request_rec *r)
{
    return r->filename && !strncmp(r->filename, "rr-proxy:", 9) ? OK : DECLINED;
}

int core_handle_route(request_rec *r)
{
    if (!core_has_route(r) || rr_glue_is_forwarded(r)) {
        return DECLINED;
    }
    return core_refuse(r, HTTP_NOT_IMPLEMENTED, "This server does not forward to stored targets: mod_rr_inject is not loaded.");
}
