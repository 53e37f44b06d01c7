/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_tls.c: which of httpd's TLS settings a connection was made under.
 *
 * SSLProxyVerify, SSLProxyCACertificateFile and the like stand in a server or in <Proxy> sections, which may tell
 * the paths of one target apart. mod_ssl reads them when it shakes hands; a pooled connection that was verified
 * by one section's authorities must not serve a request of another's. mod_ssl's records are its own secret, and are
 * merged anew for each request. So each section that has one gets a number, in a record of ours, and what httpd
 * merges for a request says which of them, in their order, hold for it.
 *
 * Threads: post_config only; constant from then on.
 */
#include "inject.h"

#include <http_config.h>

typedef struct {
    apr_pool_t *p;
    module *ssl;
    apr_array_header_t *known; /* void *: mod_ssl's records; their places are the numbers */
} numbering_t;

/* The main server's is 0. */
static apr_uint64_t number_of(numbering_t *numbering, void *settings)
{
    int i;

    for (i = 0; i < numbering->known->nelts; i++) {
        if (APR_ARRAY_IDX(numbering->known, i, void *) == settings) {
            return (apr_uint64_t)i;
        }
    }
    APR_ARRAY_PUSH(numbering->known, void *) = settings;
    return (apr_uint64_t)i;
}

/* What a record says besides stays; others may share it. */
static void mark(numbering_t *numbering, ap_conf_vector_t *section)
{
    const inject_dir_t *own = ap_get_module_config(section, &rr_inject_module);
    inject_dir_t *marked = own ? apr_pmemdup(numbering->p, own, sizeof(*own)) : inject_dir_create(numbering->p, NULL);

    marked->tls = number_of(numbering, ap_get_module_config(section, numbering->ssl));
    ap_set_module_config(section, &rr_inject_module, marked);
}

apr_uint64_t inject_tls_merge(apr_uint64_t base, apr_uint64_t add)
{
    return add ? base * 0x9e3779b97f4a7c15u + add : base; /* an odd multiplier keeps apart what was apart */
}

void inject_tls_number(apr_pool_t *pconf, server_rec *s)
{
    module *proxy = ap_find_linked_module("mod_proxy.c");
    numbering_t numbering = { pconf, ap_find_linked_module("mod_ssl.c"), apr_array_make(pconf, 4, sizeof(void *)) };
    int i;

    for (; s && proxy && numbering.ssl; s = s->next) { /* the main server is the first */
        const proxy_server_conf *conf = ap_get_module_config(s->module_config, proxy);

        mark(&numbering, s->lookup_defaults);
        for (i = 0; i < conf->sec_proxy->nelts; i++) {
            ap_conf_vector_t *section = APR_ARRAY_IDX(conf->sec_proxy, i, ap_conf_vector_t *);

            if (ap_get_module_config(section, numbering.ssl)) {
                mark(&numbering, section);
            }
        }
    }
}
