/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api.c: the management API: who may ask, what is asked, in which transaction, and how it is answered.
 *
 * What belongs to another client is refused as what does not exist, before anything
 * of the request is looked at: same status, same bytes.
 *
 * Spec: RFC 9110 (13.1.1 If-Match), RFC 9457 (problem details).
 */
#include "rr_api_private.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <openssl/evp.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100      /* objects in a list unless limit says otherwise */
#define MAX_PAGE 1000 /* most that limit may say */

const char *const api_methods[API_METHODS] = { "GET", "POST", "PUT", "DELETE" };

/* ---- refusals ---- */

apr_status_t api_refuse(api_call_t *call, int status, const char *pointer, const char *format, ...)
{
    char text[sizeof(((rr_err_t *)NULL)->text)];
    va_list args;

    va_start(args, format);
    apr_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!call->refused) {
        call->refused = status;
    }
    return rr_err_set(call->err, RR_EINVAL, pointer, "%s", text);
}

apr_status_t api_not_found(api_call_t *call)
{
    return api_refuse(call, 404, NULL, "not found");
}

apr_status_t api_found(api_call_t *call, apr_status_t rv, const rr_err_t *why)
{
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return api_refuse(call, 404, NULL, "%s", rr_err_text(why)); /* the answer says less: see write_problem */
    }
    return rv == APR_SUCCESS ? rv : rr_err_set(call->err, rv, why->where, "%s", rr_err_text(why));
}

apr_status_t api_invalid(api_call_t *call, apr_status_t rv, const char *pointer, const rr_err_t *why)
{
    (void)rv;
    return api_refuse(call, 422, pointer, "%s", rr_err_text(why));
}

static int status_of(const api_call_t *call, apr_status_t rv)
{
    if (call->refused) {
        return call->refused;
    }
    switch (rv) {
    case RR_EINVAL:
        return 422;
    case RR_ECONFLICT:
        return 409;
    case RR_EDENIED:
        return 403;
    default:
        return APR_STATUS_IS_NOTFOUND(rv) ? 404 : 503;
    }
}

static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = { { 400, "Bad Request" },           { 403, "Forbidden" },         { 404, "Not Found" },
                   { 405, "Method Not Allowed" },    { 409, "Conflict" },          { 412, "Precondition Failed" },
                   { 413, "Request Entity Too Large" },     { 422, "Unprocessable Entity" } };
    apr_size_t i;

    for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Service Unavailable";
}

static void write_problem(api_call_t *call, int status)
{
    const char *where = call->err->where[0] == '/' ? call->err->where : NULL;
    const char *detail = rr_err_text(call->err);
    api_out_t out;

    if (status == 503) { /* why is the operator's business */
        detail = "the store cannot be reached or read now";
        where = NULL;
    }
    else if (status == 404 && !where) { /* whatever was looked for */
        detail = "there is no such object";
    }
    else if (where && !strstr(detail, where)) {
        detail = apr_pstrcat(call->p, where, ": ", detail, NULL);
    }
    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_text(&out, "type", "about:blank");
    api_out_text(&out, "title", title_of(status));
    api_out_number(&out, "status", status);
    api_out_text(&out, "detail", detail);
    api_out_text(&out, "pointer", where);
    api_out_json(&out, "users", call->users);
    api_out_add(&out, "}\n");
    call->response->status = status;
    call->response->problem = 1;
    call->response->body = out.text;
    call->response->etag = call->response->location = NULL;
}

/* ---- answers ---- */

static const char *tag(api_call_t *call, const char *object, apr_time_t updated)
{
    const char *text = apr_psprintf(call->p, "%" APR_TIME_T_FMT " %s", updated, object);
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[33];
    int i;

    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1) {
        return NULL;
    }
    for (i = 0; i < 16; i++) {
        apr_snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    return apr_pstrcat(call->p, "\"", hex, "\"", NULL);
}

static apr_status_t answer(api_call_t *call, int status, const char *objects, const char *next)
{
    api_out_t out;

    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_json(&out, call->route->collection, apr_pstrcat(call->p, "[", objects, "]", NULL));
    api_out_text(&out, "nextCursor", next);
    api_out_text(&out, "message", "Success");
    api_out_add(&out, "}\n");
    call->response->status = status;
    call->response->body = out.text;
    return APR_SUCCESS;
}

apr_status_t api_answer(api_call_t *call, const char *object, apr_time_t updated)
{
    call->response->etag = tag(call, object, updated);
    return answer(call, 200, object, NULL);
}

apr_status_t api_answer_new(api_call_t *call, const char *object, const char *id, apr_time_t updated)
{
    const char *path = call->request->path;
    apr_size_t len = strlen(path);

    while (len && path[len - 1] == '/') {
        len--;
    }
    call->response->location = apr_psprintf(call->p, "%.*s/%s", (int)len, path, id);
    call->response->etag = tag(call, object, updated);
    return answer(call, 201, object, NULL);
}

apr_status_t api_answer_list(api_call_t *call, const apr_array_header_t *objects, const char *last_id)
{
    const char *next = objects->nelts == call->limit ? last_id : NULL;

    return answer(call, 200, apr_array_pstrcat(call->p, objects, ','), next);
}

apr_status_t api_check_match(api_call_t *call, const char *object, apr_time_t updated)
{
    const char *at = call->request->if_match, *mine = tag(call, object, updated);
    apr_size_t len;

    if (!at || !strcmp(at, "*")) {
        return APR_SUCCESS;
    }
    for (; *at && mine; at += len) {
        at += strspn(at, " \t,");
        len = strcspn(at, " \t,");
        if (len == strlen(mine) && !strncmp(at, mine, len)) {
            return APR_SUCCESS;
        }
    }
    return api_refuse(call, 412, NULL, "the object was changed since it was read: read it again");
}

/* ---- routes ---- */

#define ATTACHED(above, owner_, collection_) \
    { above "/{ownerId}/" collection_, collection_, owner_, NULL, { api_attached_list, api_attached_post } }, \
    { above "/{ownerId}/" collection_ "/{id}", collection_, owner_, NULL, \
      { api_attached_get, NULL, NULL, api_attached_delete } }
#define ATTACHED_BOTH(above, owner_) ATTACHED(above, owner_, "rules"), ATTACHED(above, owner_, "filters")

const api_route_t api_routes[] = {
    { "/openapi.json", NULL, API_OF_NOTHING, NULL, { api_openapi } },
    { "/clients", "clients", API_OF_NOTHING, api_client_fields, { api_client_list, api_client_post } },
    { "/clients/{clientId}", "clients", API_OF_NOTHING, api_client_fields,
      { api_client_get, NULL, api_client_put, api_client_delete } },
    { "/clients/{clientId}/credentials", "credentials", API_OF_NOTHING, api_credential_fields,
      { api_credential_list, api_credential_post } },
    { "/clients/{clientId}/credentials/{id}", "credentials", API_OF_NOTHING, api_credential_fields,
      { api_credential_get, NULL, api_credential_put, api_credential_delete } },
    { "/clients/{clientId}/credentials/{ownerId}/keys", "keys", API_OF_CREDENTIAL, api_key_fields,
      { api_key_list, api_key_post } },
    { "/clients/{clientId}/credentials/{ownerId}/keys/roll", "keys", API_OF_CREDENTIAL, api_roll_fields,
      { NULL, api_key_roll } },
    { "/clients/{clientId}/credentials/{ownerId}/keys/{id}", "keys", API_OF_CREDENTIAL, NULL,
      { api_key_get, NULL, NULL, api_key_delete } },
    { "/clients/{clientId}/targets", "targets", API_OF_NOTHING, api_target_fields,
      { api_target_list, api_target_post } },
    { "/clients/{clientId}/targets/{id}", "targets", API_OF_NOTHING, api_target_fields,
      { api_target_get, NULL, api_target_put, api_target_delete } },
    { "/clients/{clientId}/proxies", "proxies", API_OF_NOTHING, api_proxy_fields,
      { api_proxy_list, api_proxy_post } },
    { "/clients/{clientId}/proxies/{id}", "proxies", API_OF_NOTHING, api_proxy_fields,
      { api_proxy_get, NULL, api_proxy_put, api_proxy_delete } },
    ATTACHED_BOTH("/clients/{clientId}/credentials", API_OF_CREDENTIAL),
    ATTACHED_BOTH("/clients/{clientId}/targets", API_OF_TARGET),
    ATTACHED_BOTH("/clients/{clientId}/proxies", API_OF_PROXY),
    { "/clients/{clientId}/revocations", "revocations", API_OF_NOTHING, api_revocation_fields,
      { api_revocation_list, api_revocation_post } },
    { "/clients/{clientId}/revocations/{id}", "revocations", API_OF_NOTHING, NULL,
      { api_revocation_get, NULL, NULL, api_revocation_delete } },
    { "/revocations", "revocations", API_OF_NOTHING, api_revocation_fields,
      { api_revocation_list, api_revocation_post } },
    { "/revocations/{id}", "revocations", API_OF_NOTHING, NULL,
      { api_revocation_get, NULL, NULL, api_revocation_delete } },
    { NULL }
};

/* Compares one path with a template; fills what stands in braces. */
static int matches(api_call_t *call, const char *template, const char *path)
{
    while (*template == '/' && *path == '/') {
        apr_size_t want, have;

        template++;
        path++;
        want = strcspn(template, "/");
        have = strcspn(path, "/");
        if (*template == '{') {
            const char **pvalue = template[1] == 'c' ? &call->client : template[1] == 'o' ? &call->owner : &call->id;

            if (!have || have > RR_MAX_NAME) {
                return 0;
            }
            *pvalue = apr_pstrmemdup(call->p, path, have);
        }
        else if (want != have || strncmp(template, path, want)) {
            return 0;
        }
        template += want;
        path += have;
    }
    return !*template && (!*path || !strcmp(path, "/"));
}

static const api_route_t *find_route(api_call_t *call, const char *path)
{
    const api_route_t *route;

    if (!strncmp(path, "/api/", 5)) {
        path += 4;
    }
    for (route = api_routes; route->path; route++) {
        call->client = call->owner = call->id = NULL;
        if (matches(call, route->path, path)) {
            return route;
        }
    }
    return NULL;
}

const char *rr_api_allow(const char *path, apr_pool_t *p)
{
    api_call_t call = { .p = p };
    const api_route_t *route = find_route(&call, path);
    const char *list = NULL;
    int i;

    for (i = 0; route && i < API_METHODS; i++) {
        if (route->handlers[i]) {
            list = list ? apr_pstrcat(p, list, ", ", api_methods[i], NULL) : api_methods[i];
        }
    }
    return list;
}

/* ---- a call ---- */

/* limit=N and cursor=ID, of lists only. */
static apr_status_t read_query(api_call_t *call)
{
    const char *query = call->request->query;
    char *rest, *one;

    call->limit = PAGE;
    call->cursor = "";
    if (!query || !*query) {
        return APR_SUCCESS;
    }
    for (one = apr_strtok(apr_pstrdup(call->p, query), "&", &rest); one; one = apr_strtok(NULL, "&", &rest)) {
        if (!strncmp(one, "limit=", 6)) {
            char *end = NULL;
            apr_int64_t limit = apr_strtoi64(one + 6, &end, 10);

            if (!apr_isdigit(one[6]) || *end || limit < 1 || limit > MAX_PAGE) {
                return api_refuse(call, 400, NULL, "limit is a number from 1 to %d", MAX_PAGE);
            }
            call->limit = (int)limit;
        }
        else if (!strncmp(one, "cursor=", 7)) {
            call->cursor = one + 7;
            if (!rr_id_is(one + 7) && rr_word_check(one + 7, "cursor", NULL) != APR_SUCCESS) {
                return api_refuse(call, 400, NULL, "cursor is what nextCursor said");
            }
        }
        else {
            return api_refuse(call, 400, NULL, "the query may hold limit and cursor, nothing else");
        }
    }
    return APR_SUCCESS;
}

static apr_status_t read_body(api_call_t *call)
{
    rr_err_t why = RR_ERR_INIT;

    if (call->request->len > RR_MAX_API_BODY) {
        return api_refuse(call, 413, NULL, "a body has at most %d bytes", RR_MAX_API_BODY);
    }
    if (!call->request->body ||
        rr_json_parse_object(&call->body, call->request->body, call->request->len, call->p, &why) != APR_SUCCESS) {
        return api_refuse(call, 400, NULL, "the body is no JSON object: %s", rr_err_text(&why));
    }
    return APR_SUCCESS;
}

/* What can be said without the store. */
static apr_status_t prepare(api_call_t *call, api_handler_t **phandler)
{
    const rr_api_actor_t *actor = &call->api->actor;
    apr_status_t rv;
    int i;

    if (!actor->offline && !rr_api_is_admin(actor->scopes)) {
        return api_refuse(call, 403, NULL, "this takes the scope rr:admin, or rr:admin:CLIENT of the client");
    }
    call->route = find_route(call, call->request->path);
    if (!call->route || (call->client && !api_may_manage(call, call->client))) {
        return api_not_found(call);
    }
    call->response->allow = rr_api_allow(call->request->path, call->p);
    for (i = 0; i < API_METHODS && strcmp(call->request->method, api_methods[i]); i++) {
    }
    *phandler = i < API_METHODS ? call->route->handlers[i] : NULL;
    if (!*phandler) {
        return api_refuse(call, 405, NULL, "this path takes %s", call->response->allow);
    }
    rv = read_query(call);
    return rv == APR_SUCCESS && (i == API_POST || i == API_PUT) ? read_body(call) : rv;
}

/* The client, then the object in whose path this is: both are there before anything is said of the rest. */
static apr_status_t find_owner(api_call_t *call)
{
    const rr_credential_row_t *credential;
    const rr_target_row_t *target;
    const rr_proxy_row_t *proxy;
    const rr_client_t *client;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = APR_SUCCESS;

    if (call->client) {
        rv = rr_store_client_get(&client, call->store, call->client, call->p, &why);
    }
    if (rv == APR_SUCCESS) {
        switch (call->route->owner) {
        case API_OF_CREDENTIAL:
            rv = rr_store_credential_get(&credential, call->store, call->client, call->owner, call->p, &why);
            break;
        case API_OF_TARGET:
            rv = rr_store_target_get(&target, call->store, call->client, call->owner, call->p, &why);
            break;
        case API_OF_PROXY:
            rv = rr_store_proxy_get(&proxy, call->store, call->client, call->owner, call->p, &why);
            break;
        default:
            break;
        }
    }
    return api_found(call, rv, &why);
}

static apr_status_t perform(api_call_t *call, api_handler_t *handler)
{
    int reading = !strcmp(call->request->method, "GET");
    apr_status_t rv = APR_SUCCESS;

    if (!call->api->in_transaction) {
        rv = reading ? rr_store_begin_read(call->store, call->err) : rr_store_begin(call->store, call->p, call->err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    rv = find_owner(call);
    if (rv == APR_SUCCESS) {
        rv = handler(call);
    }
    if (call->api->in_transaction) {
        return rv;
    }
    if (rv == APR_SUCCESS && !reading) {
        return rr_store_commit(call->store, call->err);
    }
    rr_store_rollback(call->store); /* ends a reading one, too */
    return rv;
}

apr_status_t rr_api_call(rr_api_response_t *response, const rr_api_t *api, const rr_api_request_t *request,
                         apr_pool_t *p, rr_err_t *err)
{
    rr_err_t own = RR_ERR_INIT;
    api_call_t call = { .store = api->store, .api = api, .request = request, .response = response,
                        .now = apr_time_now(), .p = p, .err = &own };
    api_handler_t *handler = NULL;
    apr_status_t rv;
    int status;

    memset(response, 0, sizeof(*response));
    rv = prepare(&call, &handler);
    if (rv == APR_SUCCESS) {
        rv = perform(&call, handler);
    }
    if (rv == APR_SUCCESS) {
        return APR_SUCCESS;
    }
    status = status_of(&call, rv);
    write_problem(&call, status);
    if (err) {
        *err = own;
    }
    return status == 503 ? rv : APR_SUCCESS;
}
