/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_target.c: /clients/{clientId}/targets: where proxies forward to.
 *
 * Nothing is resolved or fetched here. A target that moves to another origin
 * would take the secrets of its credentials along: refused while one is not bound to it.
 */
#include "rr_api_private.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_URL 2048

typedef struct {
    const char *id, *name, *base_url, *test_path, *region, *effect;
} target_body_t;

const api_field_t api_target_fields[] = {
    API_FIELD(API_TEXT, "id", 0, target_body_t, id, RR_MAX_NAME),
    API_FIELD(API_NAME, "targetName", API_REQUIRED, target_body_t, name, RR_MAX_NAME),
    API_FIELD(API_TEXT, "targetBaseURL", API_REQUIRED, target_body_t, base_url, MAX_URL),
    API_FIELD(API_TEXT, "targetTestPath", 0, target_body_t, test_path, MAX_URL),
    API_FIELD(API_TEXT, "targetRegion", 0, target_body_t, region, RR_MAX_NAME),
    API_FIELD_ENUM("targetDefaultRuleEffect", 0, target_body_t, effect, api_effects),
    API_ANSWER(API_TIME, "targetCreatedAt"),
    API_ANSWER(API_TIME, "targetUpdatedAt"),
    { NULL }
};

static const char *print_target(api_call_t *call, const rr_target_row_t *row)
{
    api_out_t out;

    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_text(&out, "id", row->id);
    api_out_text(&out, "targetName", row->name);
    api_out_text(&out, "targetBaseURL", row->base_url);
    api_out_text(&out, "targetTestPath", row->test_path);
    api_out_text(&out, "targetRegion", row->region);
    api_out_text(&out, "targetDefaultRuleEffect", row->default_effect);
    api_out_time(&out, "targetCreatedAt", row->created);
    api_out_time(&out, "targetUpdatedAt", row->updated);
    api_out_add(&out, "}");
    return out.text;
}

static apr_status_t find(const rr_target_row_t **prow, api_call_t *call)
{
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_store_target_get(prow, call->store, call->client, call->id, call->p, &why);

    return api_found(call, rv, &why);
}

apr_status_t api_target_list(api_call_t *call)
{
    apr_array_header_t *objects = apr_array_make(call->p, 16, sizeof(const char *));
    apr_array_header_t *rows;
    const char *last = NULL;
    apr_status_t rv;
    int i;

    rv = rr_store_target_list(&rows, call->store, call->client, call->cursor, call->limit, call->p, call->err);
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const rr_target_row_t *row = APR_ARRAY_IDX(rows, i, const rr_target_row_t *);

        APR_ARRAY_PUSH(objects, const char *) = print_target(call, row);
        last = row->id;
    }
    return rv == APR_SUCCESS ? api_answer_list(call, objects, last) : rv;
}

apr_status_t api_target_get(api_call_t *call)
{
    const rr_target_row_t *row;
    apr_status_t rv = find(&row, call);

    return rv == APR_SUCCESS ? api_answer(call, print_target(call, row), row->updated) : rv;
}

/* A path that means one thing to whoever reads it. */
static int is_plain_path(const char *path)
{
    const char *c;

    for (c = path; *c; c++) {
        if (*c <= ' ' || *c > '~' || strchr("?#\\\"<>;", *c)) {
            return 0;
        }
    }
    return !strstr(path, "//") && !strstr(path, "/./") && !strstr(path, "/../") && !strstr(path, "%2f") &&
           !strstr(path, "%2F") && (c - path < 2 || strcmp(c - 2, "/.")) && (c - path < 3 || strcmp(c - 3, "/.."));
}

static apr_status_t fill(rr_target_row_t *row, const char **porigin, api_call_t *call, const target_body_t *body)
{
    rr_err_t why = RR_ERR_INIT;
    const char *path;
    apr_status_t rv = api_origin(porigin, body->base_url, 0, call->p, &why);

    if (rv != APR_SUCCESS) {
        return api_invalid(call, rv, "/targetBaseURL", &why);
    }
    path = strchr(strstr(body->base_url, "://") + 3, '/');
    if (path && !is_plain_path(path)) {
        return api_refuse(call, 422, "/targetBaseURL", "a base URL's path has no query, empty or dot segments, "
        "or ';'");
    }
    if (body->test_path && (*body->test_path != '/' || !is_plain_path(body->test_path))) {
        return api_refuse(call, 422, "/targetTestPath", "a path begins with '/' and has no query, empty or dot "
        "segments");
    }
    row->client = call->client;
    row->name = body->name;
    row->base_url = body->base_url;
    row->test_path = body->test_path;
    row->region = body->region;
    row->default_effect = body->effect;
    return APR_SUCCESS;
}

static apr_status_t check_name(api_call_t *call, const rr_target_row_t *row)
{
    const rr_target_row_t *other;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_store_target_by_name(&other, call->store, row->client, row->name, call->p, &why);

    if (rv == APR_SUCCESS && (!row->id || strcmp(other->id, row->id))) {
        return api_refuse(call, 409, "/targetName", "there is a target of that name already");
    }
    return rv == APR_SUCCESS || APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : api_found(call, rv, &why);
}

apr_status_t api_target_post(api_call_t *call)
{
    rr_target_row_t row = { .created = call->now, .updated = call->now };
    target_body_t body = { 0 };
    const char *origin;
    apr_status_t rv;

    if ((rv = api_read(call, &body, api_target_fields, call->body, "")) != APR_SUCCESS ||
        (rv = fill(&row, &origin, call, &body)) != APR_SUCCESS || (rv = check_name(call, &row)) != APR_SUCCESS ||
        (rv = api_new_id(&row.id, call, body.id)) != APR_SUCCESS ||
        (rv = rr_store_target_add(call->store, &row, call->p, call->err)) != APR_SUCCESS) {
        return rv;
    }
    return api_answer_new(call, print_target(call, &row), row.id, row.updated);
}

/* Every credential that a proxy joins to the target is bound to where it goes. */
static apr_status_t check_move(api_call_t *call, const rr_target_row_t *row, const char *origin)
{
    apr_array_header_t *credentials;
    apr_status_t rv;
    int i;

    rv = rr_store_target_credentials(&credentials, call->store, row->id, call->p, call->err);
    for (i = 0; rv == APR_SUCCESS && i < credentials->nelts; i++) {
        const rr_credential_row_t *credential = APR_ARRAY_IDX(credentials, i, const rr_credential_row_t *);

        if (credential->kind != RR_CREDENTIAL_NONE &&
            (!credential->origins || !api_has_origin(credential->origins, origin, call->p))) {
            api_check_users(call, RR_USERS_OF_TARGET, row->id);
            rr_err_clear(call->err);
            return api_refuse(call, 409, "/targetBaseURL",
                              "credential %s is not bound to %.100s: add it to its credentialAllowedOrigins first, "
                              "with its secret",
                              credential->id, origin);
        }
    }
    return rv;
}

apr_status_t api_target_put(api_call_t *call)
{
    const rr_target_row_t *before;
    rr_target_row_t row;
    target_body_t body = { 0 };
    const char *origin;
    apr_status_t rv;

    if ((rv = find(&before, call)) != APR_SUCCESS ||
        (rv = api_check_match(call, print_target(call, before), before->updated)) != APR_SUCCESS ||
        (rv = api_read(call, &body, api_target_fields, call->body, "")) != APR_SUCCESS) {
        return rv;
    }
    row = *before;
    if (body.id && strcmp(body.id, before->id)) {
        return api_refuse(call, 422, "/id", "an id does not change");
    }
    if ((rv = fill(&row, &origin, call, &body)) != APR_SUCCESS || (rv = check_name(call, &row)) != APR_SUCCESS ||
        (rv = check_move(call, &row, origin)) != APR_SUCCESS) {
        return rv;
    }
    if (strcmp(print_target(call, &row), print_target(call, before))) {
        row.updated = api_touch(call, before->updated);
        rv = rr_store_target_update(call->store, &row, call->p, call->err);
    }
    return rv == APR_SUCCESS ? api_answer(call, print_target(call, &row), row.updated) : rv;
}

apr_status_t api_target_delete(api_call_t *call)
{
    const rr_target_row_t *row;
    apr_status_t rv;

    if ((rv = find(&row, call)) != APR_SUCCESS ||
        (rv = api_check_match(call, print_target(call, row), row->updated)) != APR_SUCCESS ||
        (rv = api_check_users(call, RR_USERS_OF_TARGET, row->id)) != APR_SUCCESS ||
        (rv = rr_store_target_delete(call->store, call->client, row->id, call->p, call->err)) != APR_SUCCESS) {
        return rv;
    }
    return api_answer(call, print_target(call, row), row->updated);
}
