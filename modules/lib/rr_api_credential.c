/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_credential.c: /clients/{clientId}/credentials: what callers present, and what targets are shown.
 *
 * Whoever changes a credential holds every rr: scope that it has: else a tenant's
 * administrator could make itself a key of the operator's credential. A target
 * credential is bound to origins: it reaches another one only together with its secret.
 */
#include "rr_api_private.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_ORIGINS 32
#define MAX_SECRET_OBJECT (2 * RR_MAX_SECRET)

typedef struct {
    const char *id, *type, *kind, *name, *region, *effect;
    const rr_json_t *secret, *scopes, *metadata, *origins;
    int active;
    apr_time_t expires;
} credential_body_t;

static const char *const types[] = { "proxy", "target", NULL };
static const char *const kinds[] = { "key",  "bearer", "basic",  "jwt",        "jwtVerify",
                                     "none", "oauth2", "custom", "apiKey=key", "basicAuth=basic", NULL };

const api_field_t api_credential_fields[] = {
    API_FIELD(API_TEXT, "id", 0, credential_body_t, id, RR_MAX_NAME),
    API_FIELD_ENUM("credentialType", API_REQUIRED, credential_body_t, type, types),
    API_FIELD_ENUM("credentialAuthType", API_REQUIRED, credential_body_t, kind, kinds),
    API_FIELD(API_NAME, "credentialName", API_REQUIRED, credential_body_t, name, RR_MAX_NAME),
    API_FIELD(API_TEXT, "credentialRegion", 0, credential_body_t, region, RR_MAX_NAME),
    API_FIELD(API_OBJECT, "credentialSecret", 0, credential_body_t, secret, MAX_SECRET_OBJECT),
    API_FIELD(API_ARRAY, "credentialScopes", 0, credential_body_t, scopes, RR_MAX_SCOPES),
    API_FIELD(API_OBJECT, "credentialMetadata", 0, credential_body_t, metadata, RR_MAX_METADATA),
    API_FIELD_ENUM("credentialDefaultRuleEffect", 0, credential_body_t, effect, api_effects),
    API_FIELD(API_BOOL, "credentialActive", 0, credential_body_t, active, 0),
    API_FIELD(API_TIME, "credentialExpiresAt", 0, credential_body_t, expires, 0),
    API_FIELD(API_ARRAY, "credentialAllowedOrigins", 0, credential_body_t, origins, MAX_ORIGINS),
    API_ANSWER(API_TIME, "credentialCreatedAt"),
    API_ANSWER(API_TIME, "credentialUpdatedAt"),
    { NULL }
};

static const char *print_credential(api_call_t *call, const rr_credential_row_t *row, const char *secret)
{
    api_out_t out;

    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_text(&out, "id", row->id);
    api_out_text(&out, "credentialType", row->target ? "target" : "proxy");
    api_out_text(&out, "credentialAuthType", rr_credential_kind_word(row->kind));
    api_out_text(&out, "credentialName", row->name);
    api_out_text(&out, "credentialRegion", row->region);
    api_out_json(&out, "credentialSecret", secret);
    api_out_json(&out, "credentialScopes", strcmp(row->scopes, "[]") ? row->scopes : NULL);
    api_out_json(&out, "credentialMetadata", row->metadata);
    api_out_text(&out, "credentialDefaultRuleEffect", row->default_effect);
    api_out_bool(&out, "credentialActive", row->active);
    api_out_time(&out, "credentialExpiresAt", row->expires);
    api_out_json(&out, "credentialAllowedOrigins", row->origins);
    api_out_time(&out, "credentialCreatedAt", row->created);
    api_out_time(&out, "credentialUpdatedAt", row->updated);
    api_out_add(&out, "}");
    return out.text;
}

/* Keys are rows of their own: the object has a place for one, whoever made it. */
static const char *shown(api_call_t *call, const rr_credential_row_t *row)
{
    int has_keys = !row->target && row->kind == RR_CREDENTIAL_KEY;

    return print_credential(call, row, row->params || !has_keys ? row->params : "{\"key\":\"" RR_API_MASK "\"}");
}

apr_status_t api_credential(const rr_credential_row_t **prow, api_call_t *call, const char *id)
{
    rr_err_t why = RR_ERR_INIT;

    return api_found(call, rr_store_credential_get(prow, call->store, call->client, id, call->p, &why), &why);
}

apr_status_t api_credential_list(api_call_t *call)
{
    apr_array_header_t *objects = apr_array_make(call->p, 16, sizeof(const char *));
    apr_array_header_t *rows;
    const char *last = NULL;
    apr_status_t rv;
    int i;

    rv = rr_store_credential_list(&rows, call->store, call->client, call->cursor, call->limit, call->p, call->err);
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const rr_credential_row_t *row = APR_ARRAY_IDX(rows, i, const rr_credential_row_t *);

        APR_ARRAY_PUSH(objects, const char *) = shown(call, row);
        last = row->id;
    }
    return rv == APR_SUCCESS ? api_answer_list(call, objects, last) : rv;
}

apr_status_t api_credential_get(api_call_t *call)
{
    const rr_credential_row_t *row;
    apr_status_t rv = api_credential(&row, call, call->id);

    return rv == APR_SUCCESS ? api_answer(call, shown(call, row), row->updated) : rv;
}

/* credentialAllowedOrigins as it is kept: each an origin, written one way, once. */
static apr_status_t read_origins(const char **porigins, api_call_t *call, const credential_body_t *body)
{
    const char *origin, *list = "";
    rr_err_t why = RR_ERR_INIT;
    apr_size_t i;

    *porigins = NULL;
    if (!body->origins) {
        return APR_SUCCESS;
    }
    if (strcmp(body->type, "target") || !rr_json_size(body->origins)) {
        return api_refuse(call, 422, "/credentialAllowedOrigins", "a target credential has at least one origin, "
        "others have none");
    }
    for (i = 0; i < rr_json_size(body->origins); i++) {
        apr_status_t rv = api_origin(&origin, rr_json_string(rr_json_element(body->origins, i)), 1, call->p, &why);

        if (rv != APR_SUCCESS) {
            return api_invalid(call, rv, apr_psprintf(call->p, "/credentialAllowedOrigins/%" APR_SIZE_T_FMT, i),
            &why);
        }
        if (!*list || !api_has_origin(apr_pstrcat(call->p, "[", list, "]", NULL), origin, call->p)) {
            list = apr_pstrcat(call->p, list, *list ? "," : "", "\"", origin, "\"", NULL);
        }
    }
    *porigins = apr_pstrcat(call->p, "[", list, "]", NULL);
    return APR_SUCCESS;
}

/* Everything of the body but the secret, into a row. */
static apr_status_t fill(rr_credential_row_t *row, api_call_t *call, const credential_body_t *body)
{
    apr_status_t rv;

    row->client = call->client;
    row->target = !strcmp(body->type, "target");
    row->kind = rr_credential_kind(body->kind);
    row->name = body->name;
    row->region = body->region;
    row->scopes = body->scopes ? rr_json_print(call->p, body->scopes) : "[]";
    row->metadata = body->metadata ? rr_json_print(call->p, body->metadata) : NULL;
    row->default_effect = body->effect;
    row->active = body->active;
    row->expires = body->expires;
    rv = api_check_scopes(call, row->scopes, "/credentialScopes");
    return rv == APR_SUCCESS ? read_origins(&row->origins, call, body) : rv;
}

static apr_status_t check_name(api_call_t *call, const rr_credential_row_t *row)
{
    const rr_credential_row_t *other;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_store_credential_by_name(&other, call->store, row->client, row->target, row->name, call->p,
                                                  &why);

    if (rv == APR_SUCCESS && strcmp(other->id, row->id)) {
        return api_refuse(call, 409, "/credentialName", "there is a credential of that type and name already");
    }
    return rv == APR_SUCCESS || APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : api_found(call, rv, &why);
}

apr_status_t api_credential_post(api_call_t *call)
{
    credential_body_t body = { .active = 1 };
    rr_credential_row_t row = { .created = call->now, .updated = call->now };
    const rr_credential_row_t *other;
    api_secret_t secret;
    const char *key_id;
    apr_status_t rv;

    if ((rv = api_read(call, &body, api_credential_fields, call->body, "")) != APR_SUCCESS ||
        (rv = fill(&row, call, &body)) != APR_SUCCESS ||
        (rv = api_secret_read(&secret, call, body.secret, row.target, row.kind, NULL)) != APR_SUCCESS ||
        (rv = api_new_id(&row.id, call, body.id)) != APR_SUCCESS ||
        (rv = check_name(call, &row)) != APR_SUCCESS) {
        return rv;
    }
    if (body.id && rr_store_credential_get(&other, call->store, NULL, row.id, call->p, NULL) == APR_SUCCESS) {
        return api_refuse(call, 409, "/id", "there is an object of that id already");
    }
    row.params = secret.shown;
    if (secret.sealed && (rv = api_seal(&row.secret, call, row.id, secret.sealed)) != APR_SUCCESS) {
        return rv;
    }
    rv = rr_store_credential_add(call->store, &row, call->p, call->err);
    if (rv == APR_SUCCESS && secret.value) {
        rv = api_key_add(&key_id, call, row.id, secret.value, 0, "/credentialSecret");
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = api_answer_new(call, shown(call, &row), row.id, row.updated);
    if (rv == APR_SUCCESS && secret.once) { /* the tag is of what is read later, the body shows the key this once */
        const char *etag = call->response->etag;

        rv = api_answer_new(call, print_credential(call, &row, secret.once), row.id, row.updated);
        call->response->etag = etag;
    }
    return rv;
}

/* What of a target credential's binding a change may touch (design section 7). */
static apr_status_t check_origins(api_call_t *call, rr_credential_row_t *row, const rr_credential_row_t *before,
                                  const api_secret_t *secret)
{
    int moves;

    if (!row->origins) { /* not said: it stays bound */
        row->origins = before->origins;
        return APR_SUCCESS;
    }
    moves = before->origins && strcmp(before->origins, row->origins);
    if (moves && !secret->carried) {
        return api_refuse(call, 409, "/credentialAllowedOrigins",
                          "other origins take the credential's secret in the same request");
    }
    return api_check_joins(call, row->id, row->origins);
}

/* A secret that replaces: the one key that is left is the one given. */
static apr_status_t replace_key(int *pchanged, api_call_t *call, const rr_credential_row_t *row, const char *value)
{
    const rr_key_digester_t *digester;
    unsigned char digest[RR_KEY_DIGEST_LEN];
    apr_status_t rv = api_digester(&digester, call);
    const char *id, *owner;
    int deleted = 0;

    if (rv != APR_SUCCESS || (rv = rr_key_digest(digest, digester, value, strlen(value))) != APR_SUCCESS) {
        return rv;
    }
    rv = rr_store_key_owner(&id, &owner, call->store, digest, call->p, call->err);
    if (rv == APR_SUCCESS) {
        rv = rr_store_key_delete_others(&deleted, call->store, row->id, digest, call->p, call->err);
    }
    *pchanged = deleted > 0 || !owner;
    if (rv == APR_SUCCESS && (!owner || strcmp(owner, row->id))) { /* somebody else's is refused there */
        rv = api_key_add(&id, call, row->id, value, 0, "/credentialSecret");
    }
    return rv;
}

apr_status_t api_credential_put(api_call_t *call)
{
    credential_body_t body = { .active = 1 };
    const rr_credential_row_t *before;
    rr_credential_row_t row;
    api_secret_t secret;
    int changed = 0;
    apr_status_t rv;

    if ((rv = api_credential(&before, call, call->id)) != APR_SUCCESS ||
        (rv = api_check_match(call, shown(call, before), before->updated)) != APR_SUCCESS ||
        (rv = api_check_scopes(call, before->scopes, "/credentialScopes")) != APR_SUCCESS ||
        (rv = api_read(call, &body, api_credential_fields, call->body, "")) != APR_SUCCESS) {
        return rv;
    }
    row = *before;
    if ((rv = fill(&row, call, &body)) != APR_SUCCESS) {
        return rv;
    }
    if ((body.id && strcmp(body.id, before->id)) || row.target != before->target || row.kind != before->kind) {
        return api_refuse(call, 422, row.target != before->target ? "/credentialType"
                          : row.kind != before->kind              ? "/credentialAuthType"
                                                                  : "/id",
                          "this does not change: make another credential");
    }
    if ((rv = api_secret_read(&secret, call, body.secret, row.target, row.kind, before)) != APR_SUCCESS ||
        (rv = check_origins(call, &row, before, &secret)) != APR_SUCCESS ||
        (rv = check_name(call, &row)) != APR_SUCCESS) {
        return rv;
    }
    row.params = secret.shown;
    if (!secret.masked && !secret.value) {
        row.secret = NULL;
    }
    if (secret.sealed && (rv = api_seal(&row.secret, call, row.id, secret.sealed)) != APR_SUCCESS) {
        return rv;
    }
    if (secret.value && (rv = replace_key(&changed, call, &row, secret.value)) != APR_SUCCESS) {
        return rv;
    }
    if (changed || secret.sealed || strcmp(shown(call, &row), shown(call, before))) {
        row.updated = api_touch(call, before->updated);
        rv = rr_store_credential_update(call->store, &row, call->p, call->err);
    }
    return rv == APR_SUCCESS ? api_answer(call, shown(call, &row), row.updated) : rv;
}

apr_status_t api_credential_delete(api_call_t *call)
{
    const rr_credential_row_t *row;
    apr_status_t rv;

    if ((rv = api_credential(&row, call, call->id)) != APR_SUCCESS ||
        (rv = api_check_match(call, shown(call, row), row->updated)) != APR_SUCCESS ||
        (rv = api_check_users(call, RR_USERS_OF_CREDENTIAL, row->id)) != APR_SUCCESS) {
        return rv;
    }
    rv = rr_store_credential_delete(call->store, call->client, row->id, call->p, call->err);
    return rv == APR_SUCCESS ? api_answer(call, shown(call, row), row->updated) : rv;
}
