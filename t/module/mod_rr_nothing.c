/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_nothing.c: a handler, `rr-nothing`, that answers with a few fixed bytes.
 *
 * For t/bench: what httpd itself costs, so that what is added can be told from it. It needs none of our modules.
 */
#include <httpd.h>

#include <http_config.h>
#include <http_protocol.h>

#include <string.h>

extern module AP_MODULE_DECLARE_DATA rr_nothing_module;

static int answer(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, "rr-nothing")) {
        return DECLINED;
    }
    ap_set_content_type(r, "text/plain");
    ap_rputs("nothing\n", r);
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(answer, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(rr_nothing) = {
    STANDARD20_MODULE_STUFF,
    NULL, /* no configuration */
    NULL,
    NULL,
    NULL,
    NULL, /* no directives */
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
