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

#include <http_request.h>
#include <mod_proxy.h>

#include <apr_hooks.h>

#include <dlfcn.h>

static int set_identity_again(request_rec *r)
{
    const core_decision_t *decision;

    core_scrub_headers(r);
    if (!core_is_ours(r) || !(decision = core_decision(r))) {
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
