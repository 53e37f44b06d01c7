/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_check.c: what several nouns of the management API have to check:
 * scopes, header names, origins, sealing.
 */
#include "rr_api_private.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

#define OPERATOR "rr:admin"

/* ---- who may ---- */

static int has_scope(const apr_array_header_t *scopes, const char *scope)
{
    int i;

    for (i = 0; scopes && i < scopes->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(scopes, i, const char *), scope)) {
            return 1;
        }
    }
    return 0;
}

int rr_api_is_admin(const apr_array_header_t *scopes)
{
    int i;

    for (i = 0; scopes && i < scopes->nelts; i++) {
        const char *scope = APR_ARRAY_IDX(scopes, i, const char *);

        if (!strcmp(scope, OPERATOR) || (!strncmp(scope, OPERATOR ":", sizeof(OPERATOR)) &&
        scope[sizeof(OPERATOR)])) {
            return 1;
        }
    }
    return 0;
}

int api_is_operator(const api_call_t *call)
{
    return call->api->actor.offline || has_scope(call->api->actor.scopes, OPERATOR);
}

int api_may_manage(const api_call_t *call, const char *client)
{
    return api_is_operator(call) ||
           has_scope(call->api->actor.scopes, apr_pstrcat(call->p, OPERATOR ":", client, NULL));
}

static int is_scope(const char *text) /* RFC 6749, 3.3 */
{
    const char *c;

    for (c = text; *c; c++) {
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\') {
            return 0;
        }
    }
    return c > text && c - text <= RR_MAX_NAME;
}

apr_status_t api_check_scopes(api_call_t *call, const char *scopes, const char *pointer)
{
    const rr_json_t *list = NULL;
    apr_status_t rv = rr_json_parse(&list, scopes, strlen(scopes), call->p, call->err);
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < rr_json_size(list); i++) {
        const char *scope = rr_json_string(rr_json_element(list, i));

        if (!scope || !is_scope(scope)) {
            return api_refuse(call, 422, apr_psprintf(call->p, "%s/%" APR_SIZE_T_FMT, pointer, i),
                              "a scope is one word of at most %d printable ASCII characters without '\"' and '\\'",
                              RR_MAX_NAME);
        }
        if (!strncmp(scope, "rr:", 3) && !api_is_operator(call) && !has_scope(call->api->actor.scopes, scope)) {
            return api_refuse(call, 403, pointer,
                              "a scope that begins with rr: is given only by who holds it, or by rrctl");
        }
    }
    return rv;
}

/* ---- headers ---- */

int api_is_header(const char *text)
{
    /* what frames or routes the request is mod_proxy's */
    static const char *const reserved[] = { "Connection", "Content-Length", "Expect", "Host", "Keep-Alive",
                                            "Max-Forwards", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
                                            "Upgrade", NULL };
    const char *const *name;
    const char *c;

    for (c = text; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c)) {
            return 0;
        }
    }
    for (name = reserved; *name; name++) {
        if (!apr_cstr_casecmp(*name, text)) {
            return 0;
        }
    }
    return c > text && c - text <= RR_MAX_NAME;
}

int api_is_header_value(const char *text)
{
    const unsigned char *c;

    for (c = (const unsigned char *)text; *c; c++) {
        if (*c < ' ' || *c == 0x7f) {
            return 0;
        }
    }
    return *text && *text != ' ' && c[-1] != ' ';
}

/* ---- origins ---- */

/* Length of a host at text (a name, an IPv4 address or [IPv6]); 0: none. */
static apr_size_t host_length(const char *text)
{
    apr_size_t len;

    if (*text == '[') {
        len = strspn(text + 1, "0123456789abcdefABCDEF:.");
        return len >= 2 && text[len + 1] == ']' ? len + 2 : 0;
    }
    len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_");
    return *text == '.' || *text == '-' ? 0 : len;
}

apr_status_t api_origin(const char **porigin, const char *url, int only, apr_pool_t *p, rr_err_t *err)
{
    int tls = !apr_cstr_casecmpn(url, "https://", 8);
    const char *host = url + (tls ? 8 : 7), *rest;
    apr_size_t len;
    int port = 0;
    char *name;

    *porigin = NULL;
    if (!tls && apr_cstr_casecmpn(url, "http://", 7)) {
        return rr_err_set(err, RR_EINVAL, NULL, "an http or https URL is wanted here, such as "
        "https://api.example.com");
    }
    len = host_length(host);
    rest = host + len;
    if (!len || len > 255) {
        return rr_err_set(err, RR_EINVAL, NULL, "the URL has no host that could be looked up (user and password "
        "have no place in it)");
    }
    if (*rest == ':') {
        for (rest++; *rest >= '0' && *rest <= '9' && port < 65536; rest++) {
            port = port * 10 + *rest - '0';
        }
        if (port < 1 || port > 65535) {
            return rr_err_set(err, RR_EINVAL, NULL, "the URL's port is not a number from 1 to 65535");
        }
    }
    if (*rest && *rest != '/') {
        return rr_err_set(err, RR_EINVAL, NULL, "scheme, host, port and path make up the URL, nothing else");
    }
    if (only && *rest && rest[1]) {
        return rr_err_set(err, RR_EINVAL, NULL, "an origin is a scheme, a host and a port, without a path");
    }
    name = apr_pstrmemdup(p, host, len);
    for (len = 0; name[len]; len++) {
        name[len] = (char)apr_tolower(name[len]);
    }
    *porigin = apr_psprintf(p, "%s://%s", tls ? "https" : "http", name);
    if (port && port != (tls ? 443 : 80)) {
        *porigin = apr_psprintf(p, "%s:%d", *porigin, port);
    }
    return APR_SUCCESS;
}

int api_has_origin(const char *origins, const char *origin, apr_pool_t *p)
{
    const rr_json_t *list = NULL;
    apr_size_t i;

    if (rr_json_parse(&list, origins, strlen(origins), p, NULL) != APR_SUCCESS) {
        return 0;
    }
    for (i = 0; i < rr_json_size(list); i++) {
        const char *one = rr_json_string(rr_json_element(list, i));

        if (one && !strcmp(one, origin)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t api_check_joins(api_call_t *call, const char *credential, const char *origins)
{
    apr_array_header_t *urls;
    const char *origin;
    apr_status_t rv;
    int i;

    rv = rr_store_credential_targets(&urls, call->store, credential, call->p, call->err);
    for (i = 0; rv == APR_SUCCESS && i < urls->nelts; i++) {
        rv = api_origin(&origin, APR_ARRAY_IDX(urls, i, const char *), 0, call->p, call->err);
        if (rv == APR_SUCCESS && !api_has_origin(origins, origin, call->p)) {
            return api_refuse(call, 409, "/credentialAllowedOrigins", "a proxy uses it for a target of another "
            "origin, %.128s",
                              origin);
        }
    }
    return rv;
}

apr_status_t api_check_users(api_call_t *call, rr_users_e of, const char *id)
{
    apr_array_header_t *users;
    apr_status_t rv = rr_store_users(&users, call->store, of, id, call->p, call->err);
    api_out_t out;
    int i;

    if (rv != APR_SUCCESS || !users->nelts) {
        return rv;
    }
    api_out_init(&out, call->p);
    api_out_add(&out, "[");
    for (i = 0; i < users->nelts; i++) {
        const rr_user_t *user = APR_ARRAY_IDX(users, i, const rr_user_t *);

        api_out_name(&out, NULL);
        api_out_add(&out, "{");
        api_out_text(&out, "id", user->id);
        api_out_text(&out, "proxyName", user->name);
        api_out_add(&out, "}");
    }
    api_out_add(&out, "]");
    call->users = out.text;
    return api_refuse(call, 409, NULL, "it is in use by %d prox%s", users->nelts, users->nelts == 1 ? "y" : "ies");
}

/* ---- ids, times, secrets ---- */

apr_status_t api_new_id(const char **pid, api_call_t *call, const char *brought)
{
    if (!brought) {
        return rr_id_make(pid, call->p, call->err);
    }
    *pid = brought;
    if (!call->api->actor.offline) {
        return api_refuse(call, 422, "/id", "ids are made here");
    }
    return rr_id_is(brought) ? APR_SUCCESS : api_refuse(call, 422, "/id", "this is no id that was made here");
}

apr_time_t api_touch(const api_call_t *call, apr_time_t before)
{
    return call->now > before ? call->now : before + 1;
}

static apr_status_t no_master_key(api_call_t *call)
{
    return rr_err_set(call->err, RR_ESEALED, "master-key", "%s",
                      call->api->no_ring ? call->api->no_ring : "there is no master key: see RRMasterKey");
}

apr_status_t api_digester(const rr_key_digester_t **pdigester, api_call_t *call)
{
    *pdigester = call->api->digester;
    if (*pdigester) {
        return APR_SUCCESS;
    }
    return call->api->ring ? rr_store_digester(pdigester, call->store, call->api->ring, call->p, call->err)
                           : no_master_key(call);
}

apr_status_t api_seal(const char **psealed, api_call_t *call, const char *id, const char *text)
{
    *psealed = NULL;
    return call->api->ring ? rr_secret_seal(psealed, call->api->ring, rr_credential_context(call->p, id), text,
                                            strlen(text), call->p, call->err)
                           : no_master_key(call);
}

apr_status_t api_open(rr_secret_t **psecret, api_call_t *call, const rr_credential_row_t *row)
{
    *psecret = NULL;
    return call->api->ring ? rr_secret_open(psecret, call->api->ring, rr_credential_context(call->p, row->id),
                                            row->secret, call->p, call->err)
                           : no_master_key(call);
}
