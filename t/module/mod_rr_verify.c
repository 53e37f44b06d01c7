/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_verify.c: handlers, `rr-verify-rs256`, `-es256` and `-eddsa`, that have OpenSSL verify a signature and answer
 * with a few fixed bytes.
 *
 * For t/bench: what a verification costs inside an httpd under load, with nothing else around it.
 */
#include "../bench/signed.h"

#include <httpd.h>

#include <http_config.h>
#include <http_protocol.h>

extern module AP_MODULE_DECLARE_DATA rr_verify_module;

#define PREFIX "rr-verify-"

static const char *const algs[] = { "rs256", "es256", "eddsa" };
static signed_t made[3]; /* by the child's start; read-only from then on */

static void make(apr_pool_t *p, server_rec *s)
{
    (void)p;
    (void)s;
    for (int i = 0; i < 3; i++) {
        if (!signed_make(&made[i], algs[i])) {
            signed_free(&made[i]);
            made[i].key = NULL;
        }
    }
}

static int answer(request_rec *r)
{
    if (!r->handler || strncmp(r->handler, PREFIX, sizeof(PREFIX) - 1)) {
        return DECLINED;
    }
    for (int i = 0; i < 3; i++) {
        if (!strcmp(r->handler + sizeof(PREFIX) - 1, algs[i]) && made[i].key && signed_verify(&made[i])) {
            ap_set_content_type(r, "text/plain");
            ap_rputs("nothing\n", r);
            return OK;
        }
    }
    return HTTP_INTERNAL_SERVER_ERROR;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_child_init(make, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(answer, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(rr_verify) = {
    STANDARD20_MODULE_STUFF,
    NULL, /* no configuration */
    NULL,
    NULL,
    NULL,
    NULL, /* no directives */
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
