/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_proxy.c: where mod_proxy asks before it sends.
 *
 * mod_proxy works on a copy of the headers from which it has deleted what the
 * client named in Connection, so that a client could delete our identity
 * headers: they are set again on the copy. A URL built before a credential was
 * cut out of the query (nocanon, RewriteRule [P]) is cut before it is used.
 */
#include "core.h"

#include <http_core.h>
#include <http_request.h>
#include <mod_proxy.h>

#include <apr_hooks.h>

#include <dlfcn.h>

/* Trailers of a body that was read before mod_proxy came may be among the headers. */
static int merges_trailers(request_rec *r)
{
    const core_server_config *server = ap_get_core_module_config(r->server->module_config);

    return server->merge_trailers == AP_MERGE_TRAILERS_ENABLE;
}

static int set_identity_again(request_rec *r)
{
    int is_ours = core_is_ours(r);
    const core_decision_t *decision;

    /* Elsewhere a header of that name is the operator's: the client's is gone since the request was read. */
    if (is_ours || merges_trailers(r)) {
        core_scrub_headers(r);
    }
    if (!is_ours || !(decision = core_decision(r))) {
        return DECLINED;
    }
    core_set_identity(r, decision->principal, r->headers_in);
    return DECLINED;
}

static int cut_credentials(proxy_worker **worker, proxy_balancer **balancer, request_rec *r, proxy_server_conf *conf,
                           char **url)
{
    (void)worker, (void)balancer, (void)conf;
    *url = core_scrub_url(r, *url);
    return DECLINED;
}

void core_hook_proxy(void)
{
    APR_OPTIONAL_HOOK(proxy, fixups, set_identity_again, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

/*
 * pre_request is no optional hook, and mod_proxy may be absent or loaded after
 * us: its registration function is looked up once all modules are there. RTLD_DEFAULT
 * finds it because httpd loads modules into the global scope.
 */
void core_hook_proxy_late(void)
{
    static const char *const before_balancer[] = { "mod_proxy_balancer.c", NULL };
    void (*hook)(proxy_HOOK_pre_request_t *, const char *const *, const char *const *, int);

    *(void **)&hook = dlsym(RTLD_DEFAULT, "proxy_hook_pre_request");
    if (hook) {
        hook(cut_credentials, NULL, before_balancer, APR_HOOK_FIRST);
    }
}
