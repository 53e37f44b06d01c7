/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_client.c: /clients: who owns credentials, targets and proxies.
 */
#include "rr_api_private.h"

#include <apr_strings.h>

#include <string.h>

typedef struct {
    const char *id, *name;
} client_body_t;

const api_field_t api_client_fields[] = {
    /* a word, or an id of ours that reads back */
    API_FIELD(API_TEXT, "id", 0, client_body_t, id, RR_MAX_NAME),
    API_FIELD(API_NAME, "clientName", API_REQUIRED, client_body_t, name, RR_MAX_NAME),
    API_ANSWER(API_TIME, "clientCreatedAt"),
    { NULL }
};

static const char *print_client(api_call_t *call, const rr_client_t *client)
{
    api_out_t out;

    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_text(&out, "id", client->id);
    api_out_text(&out, "clientName", client->name);
    api_out_time(&out, "clientCreatedAt", client->created);
    api_out_add(&out, "}");
    return out.text;
}

/* A tenant's administrator sees the clients whose scope it holds, nobody else's. */
apr_status_t api_client_list(api_call_t *call)
{
    apr_array_header_t *objects = apr_array_make(call->p, 16, sizeof(const char *));
    const char *cursor = call->cursor;
    apr_array_header_t *clients;
    apr_status_t rv;
    int i;

    do {
        rv = rr_store_client_list(&clients, call->store, cursor, call->limit, call->p, call->err);
        for (i = 0; rv == APR_SUCCESS && i < clients->nelts && objects->nelts < call->limit; i++) {
            const rr_client_t *client = APR_ARRAY_IDX(clients, i, const rr_client_t *);

            cursor = client->id;
            if (api_may_manage(call, client->id)) {
                APR_ARRAY_PUSH(objects, const char *) = print_client(call, client);
            }
        }
    } while (rv == APR_SUCCESS && clients->nelts == call->limit && objects->nelts < call->limit);
    return rv == APR_SUCCESS ? api_answer_list(call, objects, cursor) : rv;
}

static apr_status_t must_be_operator(api_call_t *call)
{
    return api_is_operator(call) ? APR_SUCCESS : api_refuse(call, 403, NULL, "this takes the scope rr:admin");
}

static apr_status_t get(const rr_client_t **pclient, api_call_t *call)
{
    return rr_store_client_get(pclient, call->store, call->client, call->p, call->err);
}

apr_status_t api_client_post(api_call_t *call)
{
    client_body_t body = { 0 };
    rr_client_t client = { .created = call->now };
    const rr_client_t *other;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = must_be_operator(call);

    if (rv != APR_SUCCESS || (rv = api_read(call, &body, api_client_fields, call->body, "")) != APR_SUCCESS) {
        return rv;
    }
    client.name = body.name;
    if (!body.id || rr_id_is(body.id)) {
        rv = api_new_id(&client.id, call, body.id);
    }
    else {
        client.id = body.id;
        rv = rr_word_check(body.id, "/id", &why);
        if (rv != APR_SUCCESS) {
            return api_invalid(call, rv, "/id", &why);
        }
    }
    if (rv == APR_SUCCESS && rr_store_client_get(&other, call->store, client.id, call->p, NULL) == APR_SUCCESS) {
        return api_refuse(call, 409, "/id", "there is a client of that id already");
    }
    if (rv == APR_SUCCESS) {
        rv = rr_store_client_add(call->store, &client, call->p, call->err);
    }
    return rv == APR_SUCCESS ? api_answer_new(call, print_client(call, &client), client.id, client.created) : rv;
}

apr_status_t api_client_get(api_call_t *call)
{
    const rr_client_t *client;
    apr_status_t rv = get(&client, call);

    return rv == APR_SUCCESS ? api_answer(call, print_client(call, client), client->created) : rv;
}

apr_status_t api_client_put(api_call_t *call)
{
    client_body_t body = { 0 };
    const rr_client_t *before;
    rr_client_t client;
    apr_status_t rv;

    if ((rv = must_be_operator(call)) != APR_SUCCESS ||
        (rv = api_read(call, &body, api_client_fields, call->body, "")) != APR_SUCCESS ||
        (rv = get(&before, call)) != APR_SUCCESS ||
        (rv = api_check_match(call, print_client(call, before), before->created)) != APR_SUCCESS) {
        return rv;
    }
    if (body.id && strcmp(body.id, before->id)) {
        return api_refuse(call, 422, "/id", "an id does not change");
    }
    client = *before;
    client.name = body.name;
    if (strcmp(client.name, before->name)) {
        rv = rr_store_client_update(call->store, &client, call->p, call->err);
    }
    return rv == APR_SUCCESS ? api_answer(call, print_client(call, &client), client.created) : rv;
}

apr_status_t api_client_delete(api_call_t *call)
{
    const rr_client_t *client;
    apr_status_t rv;

    if ((rv = must_be_operator(call)) != APR_SUCCESS || (rv = get(&client, call)) != APR_SUCCESS ||
        (rv = api_check_match(call, print_client(call, client), client->created)) != APR_SUCCESS) {
        return rv;
    }
    rv = rr_store_client_delete(call->store, client->id, call->p, call->err);
    return rv == APR_SUCCESS ? api_answer(call, print_client(call, client), client->created) : rv;
}
