/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_proxy.c: /clients/{clientId}/proxies: who may come in, and where that leads.
 *
 * What a body names is of the same client, by id or by name; anything else is
 * not there. The first proxy that joins a target credential to a target binds
 * the credential to the target's origin; a later one has to fit.
 */
#include "rr_api_private.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_CREDENTIALS 16 /* proxy credentials of one proxy */
#define MAX_HEADERS 32     /* identity headers, forwarded headers */

typedef struct {
    const char *id, *name, *alias, *region, *credential, *mode, *target, *target_credential, *effect;
    const rr_json_t *credentials, *identity, *forward;
    int active;
} proxy_body_t;

static const char *const modes[] = { "any", "all", NULL };

const api_field_t api_proxy_fields[] = {
    API_FIELD(API_TEXT, "id", 0, proxy_body_t, id, RR_MAX_NAME),
    API_FIELD(API_NAME, "proxyName", API_REQUIRED, proxy_body_t, name, RR_MAX_NAME),
    API_FIELD(API_WORD, "proxyAlias", 0, proxy_body_t, alias, RR_MAX_NAME),
    API_FIELD(API_TEXT, "proxyRegion", 0, proxy_body_t, region, RR_MAX_NAME),
    API_FIELD(API_TEXT, "proxyProxyCredentialId", API_OR_GONE, proxy_body_t, credential, RR_MAX_NAME),
    API_FIELD(API_ARRAY, "proxyProxyCredentialIds", API_OR_GONE, proxy_body_t, credentials, MAX_CREDENTIALS),
    API_FIELD_ENUM("proxyCredentialMode", 0, proxy_body_t, mode, modes),
    API_FIELD(API_TEXT, "proxyTargetId", API_REQUIRED, proxy_body_t, target, RR_MAX_NAME),
    API_FIELD(API_TEXT, "proxyTargetCredentialId", 0, proxy_body_t, target_credential, RR_MAX_NAME),
    API_FIELD_ENUM("proxyDefaultRuleEffect", 0, proxy_body_t, effect, api_effects),
    API_FIELD(API_BOOL, "proxyActive", 0, proxy_body_t, active, 0),
    API_FIELD(API_OBJECT, "proxyIdentityHeaders", 0, proxy_body_t, identity, RR_MAX_METADATA),
    API_FIELD(API_ARRAY, "proxyForwardHeaders", 0, proxy_body_t, forward, MAX_HEADERS),
    API_ANSWER(API_TIME, "proxyCreatedAt"),
    API_ANSWER(API_TIME, "proxyUpdatedAt"),
    { NULL }
};

/* One credential as proxyProxyCredentialId, several as a list with their mode; null is one that was deleted. */
static void print_credentials(api_out_t *out, const rr_proxy_row_t *row)
{
    int i, several = row->credentials->nelts != 1;

    api_out_name(out, several ? "proxyProxyCredentialIds" : "proxyProxyCredentialId");
    api_out_add(out, several ? "[" : "");
    for (i = 0; i < row->credentials->nelts; i++) {
        const char *id = APR_ARRAY_IDX(row->credentials, i, const char *);

        if (several) {
            api_out_name(out, NULL);
        }
        api_out_add(out, id ? rr_json_quote(out->p, id, RR_MAX_NAME) : "null");
    }
    api_out_add(out, several ? "]" : "");
    api_out_text(out, "proxyCredentialMode", several ? modes[row->all] : NULL);
}

static const char *print_proxy(api_call_t *call, const rr_proxy_row_t *row)
{
    api_out_t out;

    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_text(&out, "id", row->id);
    api_out_text(&out, "proxyName", row->name);
    api_out_text(&out, "proxyAlias", row->alias);
    api_out_text(&out, "proxyRegion", row->region);
    print_credentials(&out, row);
    api_out_text(&out, "proxyTargetId", row->target);
    api_out_text(&out, "proxyTargetCredentialId", row->target_credential);
    api_out_text(&out, "proxyDefaultRuleEffect", row->default_effect);
    api_out_bool(&out, "proxyActive", row->active);
    api_out_json(&out, "proxyIdentityHeaders", row->identity_headers);
    api_out_json(&out, "proxyForwardHeaders", row->forward_headers);
    api_out_time(&out, "proxyCreatedAt", row->created);
    api_out_time(&out, "proxyUpdatedAt", row->updated);
    api_out_add(&out, "}");
    return out.text;
}

static apr_status_t find(const rr_proxy_row_t **prow, api_call_t *call)
{
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_store_proxy_get(prow, call->store, call->client, call->id, call->p, &why);

    return api_found(call, rv, &why);
}

apr_status_t api_proxy_list(api_call_t *call)
{
    apr_array_header_t *objects = apr_array_make(call->p, 16, sizeof(const char *));
    apr_array_header_t *rows;
    const char *last = NULL;
    apr_status_t rv;
    int i;

    rv = rr_store_proxy_list(&rows, call->store, call->client, call->cursor, call->limit, call->p, call->err);
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const rr_proxy_row_t *row = APR_ARRAY_IDX(rows, i, const rr_proxy_row_t *);

        APR_ARRAY_PUSH(objects, const char *) = print_proxy(call, row);
        last = row->id;
    }
    return rv == APR_SUCCESS ? api_answer_list(call, objects, last) : rv;
}

apr_status_t api_proxy_get(api_call_t *call)
{
    const rr_proxy_row_t *row;
    apr_status_t rv = find(&row, call);

    return rv == APR_SUCCESS ? api_answer(call, print_proxy(call, row), row->updated) : rv;
}

/* ---- what a body names ---- */

static apr_status_t named(api_call_t *call, apr_status_t rv, const char *pointer, const rr_err_t *why)
{
    if (APR_STATUS_IS_NOTFOUND(rv)) {
        return api_refuse(call, 404, pointer, "there is no such object");
    }
    return rv == APR_SUCCESS ? rv : rr_err_set(call->err, rv, why->where, "%s", rr_err_text(why));
}

static apr_status_t find_credential(const rr_credential_row_t **prow, api_call_t *call, int target, const char *name,
                                    const char *pointer)
{
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_id_is(name)
                          ? rr_store_credential_get(prow, call->store, call->client, name, call->p, &why)
                          : rr_store_credential_by_name(prow, call->store, call->client, target, name, call->p, &why);

    rv = named(call, rv, pointer, &why);
    if (rv == APR_SUCCESS && (*prow)->target != target) {
        return api_refuse(call, 422, pointer, "a %s credential is wanted here", target ? "target" : "proxy");
    }
    return rv;
}

static apr_status_t find_target(const rr_target_row_t **prow, api_call_t *call, const char *name)
{
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_id_is(name) ? rr_store_target_get(prow, call->store, call->client, name, call->p, &why)
                                     : rr_store_target_by_name(prow, call->store, call->client, name, call->p, &why);

    return named(call, rv, "/proxyTargetId", &why);
}

static apr_status_t add_credential(apr_array_header_t *ids, api_call_t *call, const char *name, const char *pointer)
{
    const rr_credential_row_t *row;
    apr_status_t rv;
    int i;

    if (!name) { /* null, see API_OR_GONE: it goes on to match nobody */
        APR_ARRAY_PUSH(ids, const char *) = NULL;
        return APR_SUCCESS;
    }
    rv = find_credential(&row, call, 0, name, pointer);
    for (i = 0; rv == APR_SUCCESS && i < ids->nelts; i++) {
        const char *other = APR_ARRAY_IDX(ids, i, const char *);

        if (other && !strcmp(other, row->id)) {
            return api_refuse(call, 422, pointer, "this credential is named twice");
        }
    }
    if (rv == APR_SUCCESS) {
        APR_ARRAY_PUSH(ids, const char *) = row->id;
    }
    return rv;
}

static apr_status_t read_credentials(rr_proxy_row_t *row, api_call_t *call, const proxy_body_t *body)
{
    apr_array_header_t *ids = apr_array_make(call->p, 2, sizeof(const char *));
    int one = rr_json_member(call->body, "proxyProxyCredentialId") != NULL;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    if (one == (body->credentials != NULL) || (body->credentials && !rr_json_size(body->credentials))) {
        return api_refuse(call, 422, "/proxyProxyCredentialId",
                          "a proxy has one credential here, or some in proxyProxyCredentialIds: one of the two");
    }
    if (one) {
        rv = add_credential(ids, call, body->credential, "/proxyProxyCredentialId");
    }
    for (i = 0; rv == APR_SUCCESS && i < rr_json_size(body->credentials); i++) {
        rv = add_credential(ids, call, rr_json_string(rr_json_element(body->credentials, i)),
                            apr_psprintf(call->p, "/proxyProxyCredentialIds/%" APR_SIZE_T_FMT, i));
    }
    row->credentials = ids;
    row->all = ids->nelts > 1 && body->mode && !strcmp(body->mode, "all"); /* of one it says nothing */
    return rv;
}

/* ---- headers ---- */

typedef struct {
    api_call_t *call;
    apr_status_t rv;
    int count;
} headers_t;

static int check_identity(void *baton, const char *name, const rr_json_t *value)
{
    headers_t *headers = baton;
    const char *path = rr_json_string(value);

    headers->count++;
    if (!api_is_header(name) || !path || !*path || strlen(path) > RR_MAX_NAME) {
        headers->rv = api_refuse(headers->call, 422, api_pointer(headers->call, "/proxyIdentityHeaders", name),
                                 "a header that may be set, and the path of a claim, are wanted here");
    }
    return headers->rv == APR_SUCCESS;
}

static apr_status_t read_headers(rr_proxy_row_t *row, api_call_t *call, const proxy_body_t *body)
{
    headers_t headers = { call, APR_SUCCESS, 0 };
    apr_size_t i;

    rr_json_members(body->identity, check_identity, &headers);
    if (headers.rv == APR_SUCCESS && headers.count > MAX_HEADERS) {
        return api_refuse(call, 422, "/proxyIdentityHeaders", "at most %d headers are wanted here", MAX_HEADERS);
    }
    for (i = 0; headers.rv == APR_SUCCESS && i < rr_json_size(body->forward); i++) {
        if (!api_is_header(rr_json_string(rr_json_element(body->forward, i)))) {
            return api_refuse(call, 422, apr_psprintf(call->p, "/proxyForwardHeaders/%" APR_SIZE_T_FMT, i),
                              "this is no name of a header that may be forwarded");
        }
    }
    row->identity_headers = body->identity ? rr_json_print(call->p, body->identity) : NULL;
    row->forward_headers = body->forward ? rr_json_print(call->p, body->forward) : NULL;
    return headers.rv;
}

/* ---- the join ---- */

/* Binds the credential to the target's origin, or sees that it is. */
static apr_status_t join(api_call_t *call, const rr_target_row_t *target, const rr_credential_row_t *credential)
{
    rr_credential_row_t bound = *credential;
    const char *origin;
    apr_status_t rv;

    if (credential->kind == RR_CREDENTIAL_NONE) {
        return APR_SUCCESS;
    }
    rv = api_origin(&origin, target->base_url, 0, call->p, call->err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (credential->origins) {
        return api_has_origin(credential->origins, origin, call->p)
                   ? APR_SUCCESS
                   : api_refuse(call, 409, "/proxyTargetCredentialId",
                                "the credential is bound to other origins than %.128s: change its "
                                "credentialAllowedOrigins, with its secret, first",
                                origin);
    }
    bound.origins = apr_pstrcat(call->p, "[\"", origin, "\"]", NULL);
    bound.updated = api_touch(call, credential->updated);
    return rr_store_credential_update(call->store, &bound, call->p, call->err);
}

static apr_status_t check_names(api_call_t *call, const rr_proxy_row_t *row)
{
    const rr_proxy_row_t *other;
    rr_err_t why = RR_ERR_INIT;
    const char *id;
    apr_status_t rv = rr_store_proxy_by_name(&other, call->store, row->client, row->name, call->p, &why);

    if (rv == APR_SUCCESS && (!row->id || strcmp(other->id, row->id))) {
        return api_refuse(call, 409, "/proxyName", "there is a proxy of that name already");
    }
    if (row->alias && (rv == APR_SUCCESS || APR_STATUS_IS_NOTFOUND(rv))) {
        rr_err_clear(&why);
        rv = rr_store_proxy_by_alias(&id, call->store, row->alias, call->p, &why);
        if (rv == APR_SUCCESS && (!row->id || strcmp(id, row->id))) {
            return api_refuse(call, 409, "/proxyAlias", "that alias is taken");
        }
    }
    return rv == APR_SUCCESS || APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : api_found(call, rv, &why);
}

static apr_status_t fill(rr_proxy_row_t *row, api_call_t *call, const proxy_body_t *body)
{
    const rr_credential_row_t *credential = NULL;
    const rr_target_row_t *target;
    apr_status_t rv;

    row->client = call->client;
    row->name = body->name;
    row->alias = body->alias;
    row->region = body->region;
    row->default_effect = body->effect ? body->effect : "deny";
    row->active = body->active;
    if ((rv = read_headers(row, call, body)) != APR_SUCCESS ||
        (rv = read_credentials(row, call, body)) != APR_SUCCESS ||
        (rv = find_target(&target, call, body->target)) != APR_SUCCESS ||
        (body->target_credential &&
         (rv = find_credential(&credential, call, 1, body->target_credential, "/proxyTargetCredentialId")) !=
         APR_SUCCESS) ||
        (rv = check_names(call, row)) != APR_SUCCESS) {
        return rv;
    }
    row->target = target->id;
    row->target_credential = credential ? credential->id : NULL;
    return credential ? join(call, target, credential) : APR_SUCCESS;
}

apr_status_t api_proxy_post(api_call_t *call)
{
    rr_proxy_row_t row = { .created = call->now, .updated = call->now };
    proxy_body_t body = { .active = 1 };
    apr_status_t rv;

    if ((rv = api_read(call, &body, api_proxy_fields, call->body, "")) != APR_SUCCESS ||
        (rv = fill(&row, call, &body)) != APR_SUCCESS || (rv = api_new_id(&row.id, call, body.id)) != APR_SUCCESS ||
        (rv = rr_store_proxy_add(call->store, &row, call->p, call->err)) != APR_SUCCESS) {
        return rv;
    }
    return api_answer_new(call, print_proxy(call, &row), row.id, row.updated);
}

apr_status_t api_proxy_put(api_call_t *call)
{
    const rr_proxy_row_t *before;
    rr_proxy_row_t row;
    proxy_body_t body = { .active = 1 };
    apr_status_t rv;

    if ((rv = find(&before, call)) != APR_SUCCESS ||
        (rv = api_check_match(call, print_proxy(call, before), before->updated)) != APR_SUCCESS ||
        (rv = api_read(call, &body, api_proxy_fields, call->body, "")) != APR_SUCCESS) {
        return rv;
    }
    if (body.id && strcmp(body.id, before->id)) {
        return api_refuse(call, 422, "/id", "an id does not change");
    }
    row = *before;
    rv = fill(&row, call, &body);
    if (rv == APR_SUCCESS && strcmp(print_proxy(call, &row), print_proxy(call, before))) {
        row.updated = api_touch(call, before->updated);
        rv = rr_store_proxy_update(call->store, &row, call->p, call->err);
    }
    return rv == APR_SUCCESS ? api_answer(call, print_proxy(call, &row), row.updated) : rv;
}

apr_status_t api_proxy_delete(api_call_t *call)
{
    const rr_proxy_row_t *row;
    apr_status_t rv;

    if ((rv = find(&row, call)) != APR_SUCCESS ||
        (rv = api_check_match(call, print_proxy(call, row), row->updated)) != APR_SUCCESS ||
        (rv = rr_store_proxy_delete(call->store, call->client, row->id, call->p, call->err)) != APR_SUCCESS) {
        return rv;
    }
    return api_answer(call, print_proxy(call, row), row->updated);
}
