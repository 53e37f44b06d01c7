/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_key.c: /clients/{clientId}/credentials/{ownerId}/keys: many a credential, each with its own end.
 */
#include "rr_api_private.h"
#include "rr_jose.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_OVERLAP (366 * 86400) /* seconds */

typedef struct {
    const char *key;
    apr_time_t expires;
    apr_int64_t overlap;
} key_body_t;

#define KEY_ANSWERS \
    API_ANSWER(API_TEXT, "id"), API_ANSWER(API_TEXT, "credentialId"), API_ANSWER(API_TEXT, "keyHint"), \
    API_ANSWER(API_TIME, "keyCreatedAt"), API_ANSWER(API_TIME, "keyLastUsedAt")

const api_field_t api_key_fields[] = {
    API_FIELD(API_TEXT, "key", API_SECRET, key_body_t, key, RR_MAX_KEY),
    API_FIELD(API_TIME, "keyExpiresAt", 0, key_body_t, expires, 0),
    KEY_ANSWERS,
    { NULL }
};

const api_field_t api_roll_fields[] = {
    { .name = "overlapSeconds", .kind = API_INT, .offset = offsetof(key_body_t, overlap), .most = MAX_OVERLAP },
    API_FIELD(API_TEXT, "key", API_SECRET, key_body_t, key, RR_MAX_KEY),
    API_FIELD(API_TIME, "keyExpiresAt", 0, key_body_t, expires, 0),
    KEY_ANSWERS,
    { NULL }
};

static const char *print_key(api_call_t *call, const rr_key_row_t *key, const char *value)
{
    api_out_t out;

    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_text(&out, "id", key->id);
    api_out_text(&out, "key", value);
    api_out_text(&out, "credentialId", key->credential);
    api_out_text(&out, "keyHint", key->hint);
    api_out_time(&out, "keyExpiresAt", key->expires);
    api_out_time(&out, "keyCreatedAt", key->created);
    api_out_time(&out, "keyLastUsedAt", key->used);
    api_out_add(&out, "}");
    return out.text;
}

apr_status_t api_key_check(api_call_t *call, rr_credential_kind_e kind, const char *value, const char *pointer)
{
    int is_token = rr_jws_has_shape(value, strlen(value));
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = APR_SUCCESS;

    if (kind == RR_CREDENTIAL_KEY) {
        rv = rr_key_check_brought(value, strlen(value), &why);
    }
    else if (kind == RR_CREDENTIAL_BEARER && rr_key_shape(value, strlen(value)) == RR_KEY_BROKEN) {
        rv = rr_err_set(&why, RR_EINVAL, pointer, "it has the shape of a generated key but a wrong checksum");
    }
    else if (kind == RR_CREDENTIAL_BEARER && strchr(value, ' ')) {
        rv = rr_err_set(&why, RR_EINVAL, pointer, "a token is one word");
    }
    if (rv == APR_SUCCESS && kind != RR_CREDENTIAL_BASIC && is_token != (kind == RR_CREDENTIAL_JWT)) {
        rv = rr_err_set(&why, RR_EINVAL, pointer, is_token ? "it has the shape of a token: that is "
        "credentialAuthType jwt"
                                                           : "it does not have the shape of a token");
    }
    return rv == APR_SUCCESS ? rv : api_invalid(call, rv, pointer, &why);
}

apr_status_t api_key_add(const char **pid, api_call_t *call, const char *credential, const char *value,
                         apr_time_t expires, const char *pointer)
{
    rr_key_row_t row = { .credential = credential, .expires = expires, .created = call->now };
    const rr_key_digester_t *digester;
    unsigned char digest[RR_KEY_DIGEST_LEN];
    const char *id, *owner;
    apr_status_t rv;

    *pid = NULL;
    if ((rv = api_digester(&digester, call)) != APR_SUCCESS || (rv = rr_id_make(&row.id, call->p, call->err)) !=
      APR_SUCCESS) {
        return rv;
    }
    row.hint = rr_key_hint(call->p, value, strlen(value));
    rv = rr_key_digest(digest, digester, value, strlen(value));
    if (rv != APR_SUCCESS) {
        return api_refuse(call, 422, pointer, "this value cannot be digested");
    }
    rv = rr_store_key_owner(&id, &owner, call->store, digest, call->p, call->err);
    if (rv == APR_SUCCESS && owner) {
        return api_refuse(call, 409, pointer, "that value is a proxy credential's already");
    }
    if (rv == APR_SUCCESS) {
        rv = rr_store_key_add(call->store, &row, digest, call->p, call->err);
    }
    *pid = row.id;
    return rv;
}

/* The credential of the path, if the actor may give keys to it. */
static apr_status_t find_credential(const rr_credential_row_t **prow, api_call_t *call)
{
    apr_status_t rv = api_credential(prow, call, call->owner);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if ((*prow)->target || (*prow)->kind != RR_CREDENTIAL_KEY) {
        return api_refuse(call, 409, NULL, "only proxy credentials of type key have keys to make; this one's "
        "secret is changed by PUT");
    }
    return api_check_scopes(call, (*prow)->scopes, NULL);
}

static apr_status_t add(api_call_t *call, const key_body_t *body)
{
    const char *value = body->key, *id, *path;
    const rr_key_row_t *row;
    apr_status_t rv;

    if (body->expires && body->expires <= call->now) {
        return api_refuse(call, 422, "/keyExpiresAt", "a new key does not end in the past");
    }
    rv = value ? api_key_check(call, RR_CREDENTIAL_KEY, value, "/key") : rr_key_mint(&value, 0, call->p, call->err);
    if (rv != APR_SUCCESS ||
        (rv = api_key_add(&id, call, call->owner, value, body->expires, "/key")) != APR_SUCCESS ||
        (rv = rr_store_key_get(&row, call->store, call->client, id, call->p, call->err)) != APR_SUCCESS) {
        return rv;
    }
    rv = api_answer_new(call, print_key(call, row, body->key ? NULL : value), id, row->created);
    path = strstr(call->response->location, "/roll/");
    if (rv == APR_SUCCESS && path) {
        call->response->location = apr_psprintf(call->p, "%.*s/%s", (int)(path - call->response->location),
                                                call->response->location, id);
    }
    call->response->etag = NULL; /* last use changes without a change */
    return rv;
}

apr_status_t api_key_post(api_call_t *call)
{
    const rr_credential_row_t *credential;
    key_body_t body = { 0 };
    apr_status_t rv = find_credential(&credential, call);

    if (rv == APR_SUCCESS) {
        rv = api_read(call, &body, api_key_fields, call->body, "");
    }
    return rv == APR_SUCCESS ? add(call, &body) : rv;
}

apr_status_t api_key_roll(api_call_t *call)
{
    const rr_credential_row_t *credential;
    key_body_t body = { 0 };
    apr_status_t rv = find_credential(&credential, call);

    if (rv == APR_SUCCESS && (rv = api_read(call, &body, api_roll_fields, call->body, "")) == APR_SUCCESS) {
        rv = rr_store_key_end_all(call->store, credential->id, call->now + apr_time_from_sec(body.overlap), call->p,
                                  call->err);
    }
    return rv == APR_SUCCESS ? add(call, &body) : rv;
}

apr_status_t api_key_list(api_call_t *call)
{
    apr_array_header_t *objects = apr_array_make(call->p, 16, sizeof(const char *));
    apr_array_header_t *rows;
    const char *last = NULL;
    apr_status_t rv;
    int i;

    rv = rr_store_key_list(&rows, call->store, call->client, call->owner, call->cursor, call->limit, call->p,
                           call->err);
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const rr_key_row_t *row = APR_ARRAY_IDX(rows, i, const rr_key_row_t *);

        APR_ARRAY_PUSH(objects, const char *) = print_key(call, row, NULL);
        last = row->id;
    }
    return rv == APR_SUCCESS ? api_answer_list(call, objects, last) : rv;
}

/* The key of the path: of that credential, not just of that client. */
static apr_status_t find_key(const rr_key_row_t **prow, api_call_t *call)
{
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_store_key_get(prow, call->store, call->client, call->id, call->p, &why);

    return rv == APR_SUCCESS && strcmp((*prow)->credential, call->owner) ? api_not_found(call)
                                                                         : api_found(call, rv, &why);
}

apr_status_t api_key_get(api_call_t *call)
{
    const rr_key_row_t *row;
    apr_status_t rv = find_key(&row, call);

    if (rv == APR_SUCCESS) {
        rv = api_answer(call, print_key(call, row, NULL), row->created);
        call->response->etag = NULL;
    }
    return rv;
}

apr_status_t api_key_delete(api_call_t *call)
{
    const rr_key_row_t *row;
    apr_status_t rv = find_key(&row, call);

    if (rv == APR_SUCCESS) {
        rv = rr_store_key_delete(call->store, call->client, row->id, call->p, call->err);
    }
    if (rv == APR_SUCCESS) {
        rv = api_answer(call, print_key(call, row, NULL), row->created);
        call->response->etag = NULL;
    }
    return rv;
}
