/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_admin.c: handler `rr-admin`, which puts the management API on the net.
 *
 * What an object is and who may change it is the library's (rr_api.h). Here is
 * what HTTP adds: the scope is demanded whatever Require grants; a change is
 * JSON, so that no form can send it; a cookie does not authenticate; nothing is
 * cached, nothing is shared with other origins.
 *
 * Result:  the API's status with its body; 503 where the store does not answer.
 * Threads: no state.
 */
#include "rr_api.h"
#include "rr_glue.h"

#include <ap_provider.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#define SCOPES "rr:admin rr:admin:CLIENT"

static const rr_core_t *core; /* written once, in check_config */

/* ---- what a request has to look like ---- */

static int has_cookie(const char *cookies, const char *name)
{
    apr_size_t len = strlen(name);

    while (*cookies) {
        cookies += strspn(cookies, " \t;");
        if (!strncmp(cookies, name, len) && cookies[len] == '=') {
            return 1;
        }
        cookies += strcspn(cookies, ";");
    }
    return 0;
}

/* Whether the request carries a cookie that some provider would read a credential from. */
static int has_credential_cookie(request_rec *r)
{
    const char *cookies = core->client_header(r, "Cookie");
    const apr_array_header_t *names, *sources;
    const rr_authn_provider_t *provider;
    int i, k;

    if (!cookies) {
        return 0;
    }
    names = ap_list_provider_names(r->pool, RR_AUTHN_GROUP, RR_AUTHN_VERSION);
    for (i = 0; i < names->nelts; i++) {
        provider = ap_lookup_provider(RR_AUTHN_GROUP, APR_ARRAY_IDX(names, i, ap_list_provider_names_t).provider_name,
                                      RR_AUTHN_VERSION);
        sources = provider ? provider->sources(r) : NULL;
        for (k = 0; sources && k < sources->nelts; k++) {
            const rr_source_t *source = &APR_ARRAY_IDX(sources, k, rr_source_t);

            if (source->kind == RR_SOURCE_COOKIE && has_cookie(cookies, source->name)) {
                return 1;
            }
        }
    }
    return 0;
}

static int is_json(request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");

    return type && !apr_cstr_casecmpn(type, "application/json", 16) && (!type[16] || ap_strchr_c("; \t", type[16]));
}

/* Whether path begins with one of the API's first words, behind /api or not. */
static int is_api_path(const char *path)
{
    static const char *const words[] = { "/clients", "/revocations", "/openapi.json" };
    apr_size_t i, len;

    path += strncmp(path, "/api/", 5) ? 0 : 4;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        len = strlen(words[i]);
        if (!strncmp(path, words[i], len) && (!path[len] || path[len] == '/')) {
            return 1;
        }
    }
    return 0;
}

/*
 * The path below the Location that set the handler. httpd does not tell a handler which that is, but merging leaves
 * its SetHandler as it was: the section that has the very same is it. NULL: none, or one with a pattern.
 */
static const char *below_location(request_rec *r)
{
    const core_server_config *server = ap_get_core_module_config(r->server->module_config);
    const core_dir_config *merged = ap_get_core_module_config(r->per_dir_config);
    int i;

    for (i = 0; merged->expr_handler && i < server->sec_url->nelts; i++) {
        const core_dir_config *section =
            ap_get_core_module_config(APR_ARRAY_IDX(server->sec_url, i, const ap_conf_vector_t *));
        apr_size_t len = strlen(section->d);

        if (section->expr_handler != merged->expr_handler || section->r || section->d_is_fnmatch) {
            continue;
        }
        while (len && section->d[len - 1] == '/') {
            len--;
        }
        return !strncmp(r->uri, section->d, len) && (!r->uri[len] || r->uri[len] == '/') ? r->uri + len : NULL;
    }
    return NULL;
}

/*
 * What the API is asked for. Where the handler was not set by a plain Location, whatever begins with the API's first
 * word, which must then not be part of what stands before it. NULL: nothing of the API's.
 */
static const char *api_path(request_rec *r)
{
    const char *at = below_location(r);

    if (at) {
        return is_api_path(at) ? at : NULL;
    }
    for (at = ap_strchr_c(r->uri, '/'); at && !is_api_path(at); at = ap_strchr_c(at + 1, '/')) {
    }
    return at;
}

/* Reads the body; OK, 413, or what reading it came to. */
static int read_body(const char **pbody, apr_size_t *plen, request_rec *r)
{
    char *body = apr_palloc(r->pool, RR_MAX_API_BODY + 1);
    apr_size_t len = 0;
    long got = 0;
    int status = ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK);

    *pbody = body;
    if (status != OK) {
        return status;
    }
    if (ap_should_client_block(r)) {
        while (len <= RR_MAX_API_BODY &&
               (got = ap_get_client_block(r, body + len, RR_MAX_API_BODY + 1 - len)) > 0) {
            len += (apr_size_t)got;
        }
    }
    *plen = len;
    if (len > RR_MAX_API_BODY) {
        return core->refuse(r, HTTP_REQUEST_ENTITY_TOO_LARGE,
                            apr_psprintf(r->pool, "A body has at most %d bytes.", RR_MAX_API_BODY));
    }
    return got < 0 ? core->refuse(r, HTTP_BAD_REQUEST, "The body could not be read.") : OK;
}

/* ---- the call ---- */

typedef struct {
    request_rec *r;
    rr_api_t api;
    rr_api_request_t request;
    rr_api_response_t response;
} call_t;

static apr_status_t call_api(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    call_t *call = baton;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv;

    (void)p; /* the answer outlives the connection */
    call->api.store = store;
    rv = rr_api_call(&call->response, &call->api, &call->request, call->r->pool, &why);
    if (rv == RR_ESEALED) { /* the store itself is well */
        RR_LOG_R(APLOG_ERR, 0, call->r, 10801, "the management API cannot seal or open: %s", rr_err_text(&why));
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? rv : rr_err_set(err, rv, why.where, "%s", rr_err_text(&why));
}

static int send_answer(request_rec *r, const rr_api_response_t *response, const char *mount)
{
    r->status = response->status;
    ap_set_content_type(r, response->problem ? "application/problem+json" : "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    if (response->etag) {
        apr_table_setn(r->headers_out, "ETag", response->etag);
    }
    if (response->location) {
        apr_table_setn(r->headers_out, "Location", apr_pstrcat(r->pool, mount, response->location, NULL));
    }
    if (response->allow && response->status == HTTP_METHOD_NOT_ALLOWED) {
        apr_table_setn(r->headers_out, "Allow", response->allow);
    }
    ap_set_content_length(r, (apr_off_t)strlen(response->body));
    if (!r->header_only) {
        ap_rputs(response->body, r);
    }
    return OK;
}

static int answer_options(request_rec *r, const char *path)
{
    const char *allow = rr_api_allow(path, r->pool);

    if (!allow) {
        return HTTP_NOT_FOUND;
    }
    apr_table_setn(r->headers_out, "Allow", apr_pstrcat(r->pool, allow, ", HEAD, OPTIONS", NULL));
    r->status = HTTP_NO_CONTENT;
    return OK;
}

/* The request's demands on its sender, before a byte of its body is read. */
static int check_request(request_rec *r, int changes)
{
    const rr_principal_t *who = core->principal_get(r);

    if (!who || !rr_api_is_admin(who->scopes)) {
        return core->demand(r, SCOPES);
    }
    if (has_credential_cookie(r)) {
        return core->refuse(r, HTTP_FORBIDDEN, "A cookie does not authenticate here: send the credential in a header.");
    }
    if (changes && (!is_json(r) || apr_table_get(r->headers_in, "Content-Encoding"))) {
        return core->refuse(r, HTTP_UNSUPPORTED_MEDIA_TYPE, "A body is application/json, not encoded.");
    }
    return OK;
}

static int handle(request_rec *r)
{
    const rr_principal_t *who;
    rr_err_t err = RR_ERR_INIT;
    const char *path;
    call_t *call;
    int status, has_body;

    if (!r->handler || strcmp(r->handler, "rr-admin")) {
        return DECLINED;
    }
    has_body = r->method_number == M_POST || r->method_number == M_PUT;
    status = check_request(r, has_body);
    if (status != OK) {
        return status;
    }
    path = api_path(r);
    if (!path) {
        return core->refuse(r, HTTP_NOT_FOUND, "There is no such object.");
    }
    if (r->method_number == M_OPTIONS) {
        return answer_options(r, path);
    }
    who = core->principal_get(r);
    call = apr_pcalloc(r->pool, sizeof(*call));
    call->r = r;
    call->api.actor.scopes = who->scopes;
    call->request.method = r->method_number == M_GET ? "GET" : r->method; /* HEAD is a GET */
    call->request.path = path;
    call->request.query = r->args;
    call->request.if_match = apr_table_get(r->headers_in, "If-Match");
    status = has_body ? read_body(&call->request.body, &call->request.len, r) : ap_discard_request_body(r);
    if (status != OK) {
        return status;
    }
    if (r->method_number != M_GET) {
        /* without one, what seals says so; reading and deleting do without */
        core->store_keyring(&call->api.ring, r, NULL);
    }
    if (core->store_run(r, r->method_number != M_GET, call_api, call, &err) != APR_SUCCESS ||
        call->response.status == HTTP_SERVICE_UNAVAILABLE) {
        return core->refuse(r, HTTP_SERVICE_UNAVAILABLE, "The store cannot be reached or read now.");
    }
    if (r->method_number != M_GET && call->response.status < 300) {
        RR_LOG_R(APLOG_INFO, 0, r, 10802, "%s %s by %s", r->method, path, who->sub);
    }
    return send_answer(r, &call->response, apr_pstrmemdup(r->pool, r->uri, (apr_size_t)(path - r->uri)));
}

/* ---- startup ---- */

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf, (void)plog, (void)ptemp;
    return rr_core_bind(&core, s, "mod_rr_admin");
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(rr_admin) = {
    STANDARD20_MODULE_STUFF,
    NULL, /* no configuration of its own */
    NULL,
    NULL,
    NULL,
    NULL,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
