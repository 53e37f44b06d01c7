/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_glue.c: directives out of field tables, and the way to mod_rr_core.
 */
#include "rr_glue.h"

#include <http_core.h>
#include <httpd.h>

#include <apr_strings.h>

const char *rr_glue_set(cmd_parms *cmd, void *conf, const char *text)
{
    rr_err_t err = RR_ERR_INIT;

    if (rr_conf_parse(conf, cmd->info, text, cmd->pool, &err) == APR_SUCCESS) {
        return NULL;
    }
    return apr_psprintf(cmd->pool, "%s %s: expected %s", cmd->cmd->name, text, rr_err_text(&err));
}

int rr_core_bind(const rr_core_t **pcore, server_rec *s, const char *module_name)
{
    APR_OPTIONAL_FN_TYPE(rr_core_get) *get = APR_RETRIEVE_OPTIONAL_FN(rr_core_get);

    if (!get) {
        RR_LOG_S(APLOG_EMERG, 0, s, 10001, "%s needs mod_rr_core: add \"LoadModule rr_core_module .../mod_rr_core.so\"",
                 module_name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    *pcore = get();
    return OK;
}

int rr_glue_is_error_document(const request_rec *r)
{
    return r->prev && ap_is_HTTP_ERROR(r->prev->status);
}

int rr_glue_is_forwarded(const request_rec *r)
{
    return r->proxyreq != PROXYREQ_NONE || (r->filename && !strncmp(r->filename, "proxy:", 6))
           || (r->handler && (!strcmp(r->handler, "proxy-server") || !strncmp(r->handler, "proxy:", 6)));
}

const char *rr_glue_location(const cmd_parms *cmd)
{
    const ap_directive_t *section;
    const char *args, *path;

    for (section = cmd->directive->parent; section; section = section->parent) {
        if (!ap_cstr_casecmp(section->directive, "<Location")) {
            args = section->args;
            path = ap_getword_conf(cmd->pool, &args);
            path = apr_pstrmemdup(cmd->pool, path, strcspn(path, ">"));
            return *path == '/' && !strpbrk(path, "*?[") ? path : NULL;
        }
    }
    return NULL;
}

const char *rr_glue_mount(request_rec *r, const rr_route_t *route)
{
    apr_size_t len = strlen(route->mount), segment;
    char *mount;

    while (len && route->mount[len - 1] == '/') {
        len--;
    }
    if (!route->gateway || strlen(r->uri) <= len) {
        return route->mount;
    }
    segment = 1 + strcspn(r->uri + len + 1, "/");
    mount = apr_palloc(r->pool, len + segment + 1);
    memcpy(mount, route->mount, len);
    memcpy(mount + len, r->uri + len, segment);
    mount[len + segment] = '\0';
    return mount;
}
