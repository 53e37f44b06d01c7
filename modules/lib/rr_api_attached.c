/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_attached.c: rules and filters below credentials, targets and proxies.
 *
 * Kept in the one shape that is answered, and compiled before they are kept: what does not compile is refused
 * with the place where it does not. A change is a new one and the old one deleted.
 */
#include "rr_api_private.h"

#include <apr_strings.h>

#include <string.h>

static int is_filter(const api_call_t *call)
{
    return !strcmp(call->route->collection, "filters");
}

static rr_owner_e owner_of(const api_call_t *call)
{
    return call->route->owner == API_OF_PROXY    ? RR_OWNER_PROXY
           : call->route->owner == API_OF_TARGET ? RR_OWNER_TARGET
                                                 : RR_OWNER_CREDENTIAL;
}

static const char *print_attached(api_call_t *call, const rr_attached_row_t *row)
{
    return apr_pstrcat(call->p, "{\"id\":\"", row->id, "\",", row->body + 1, NULL);
}

static int copy_but_id(void *baton, const char *name, const rr_json_t *value)
{
    api_out_t *out = baton;

    if (strcmp(name, "id")) {
        api_out_json(out, name, rr_json_print(out->p, value));
    }
    return 1;
}

apr_status_t rr_api_attached_normalise(const char **ptext, int filter, const rr_json_t *json, apr_pool_t *p,
                                       rr_err_t *err)
{
    const rr_json_t *id = rr_json_member(json, "id");
    api_out_t out;

    *ptext = NULL;
    if (id) {
        if (!rr_json_string(id)) {
            return rr_err_set(err, RR_EINVAL, "/id", "a string is wanted here");
        }
        api_out_init(&out, p);
        api_out_add(&out, "{");
        rr_json_members(json, copy_but_id, &out);
        api_out_add(&out, "}");
        if (rr_json_parse(&json, out.text, out.len, p, err) != APR_SUCCESS) {
            return RR_EINVAL;
        }
    }
    return filter ? api_filter_normalise(ptext, json, p, err) : api_rule_normalise(ptext, json, p, err);
}

apr_status_t api_attached_list(api_call_t *call)
{
    apr_array_header_t *objects = apr_array_make(call->p, 16, sizeof(const char *));
    apr_array_header_t *rows;
    const char *last = NULL;
    apr_status_t rv;
    int i;

    rv = rr_store_attached_list(&rows, call->store, is_filter(call), call->client, owner_of(call), call->owner,
                                call->cursor, call->limit, call->p, call->err);
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const rr_attached_row_t *row = APR_ARRAY_IDX(rows, i, const rr_attached_row_t *);

        APR_ARRAY_PUSH(objects, const char *) = print_attached(call, row);
        last = row->id;
    }
    return rv == APR_SUCCESS ? api_answer_list(call, objects, last) : rv;
}

apr_status_t api_attached_post(api_call_t *call)
{
    rr_attached_row_t row = { .client = call->client, .of = owner_of(call), .owner = call->owner, .created = call->now };
    int filter = is_filter(call), most = filter ? RR_MAX_FILTERS : RR_MAX_RULES;
    rr_err_t why = RR_ERR_INIT;
    const char *brought = rr_json_string(rr_json_member(call->body, "id"));
    apr_int64_t count;
    apr_status_t rv = rr_api_attached_normalise(&row.body, filter, call->body, call->p, &why);

    if (rv != APR_SUCCESS) {
        return api_invalid(call, rv, why.where, &why);
    }
    if ((rv = api_new_id(&row.id, call, brought)) != APR_SUCCESS ||
        (rv = rr_store_attached_count(&count, call->store, filter, call->client, row.of, row.owner, call->p, call->err)) !=
            APR_SUCCESS) {
        return rv;
    }
    if (count >= most) {
        return api_refuse(call, 409, NULL, "there are %d already, which is the most", most);
    }
    rv = rr_store_attached_add(call->store, filter, &row, call->p, call->err);
    return rv == APR_SUCCESS ? api_answer_new(call, print_attached(call, &row), row.id, row.created) : rv;
}

static apr_status_t find(const rr_attached_row_t **prow, api_call_t *call)
{
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_store_attached_get(prow, call->store, is_filter(call), call->client, owner_of(call), call->owner,
                                            call->id, call->p, &why);

    return api_found(call, rv, &why);
}

apr_status_t api_attached_get(api_call_t *call)
{
    const rr_attached_row_t *row;
    apr_status_t rv = find(&row, call);

    return rv == APR_SUCCESS ? api_answer(call, print_attached(call, row), row->created) : rv;
}

apr_status_t api_attached_delete(api_call_t *call)
{
    const rr_attached_row_t *row;
    apr_status_t rv = find(&row, call);

    if (rv == APR_SUCCESS) {
        rv = api_check_match(call, print_attached(call, row), row->created);
    }
    if (rv == APR_SUCCESS) {
        rv = rr_store_attached_delete(call->store, is_filter(call), call->client, row->id, call->p, call->err);
    }
    return rv == APR_SUCCESS ? api_answer(call, print_attached(call, row), row->created) : rv;
}
