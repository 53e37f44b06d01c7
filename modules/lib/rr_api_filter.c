/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_filter.c: a filter in any published shape to the one shape that is kept.
 *
 * The parser of filters (rr_filter.h) judges; what is written here is a text that it has taken.
 */
#include "rr_api_private.h"
#include "rr_filter.h"

#include <apr_strings.h>

#include <string.h>

/* {pattern, flags?}; flags are the filter's where the pattern has none. */
static void put_pattern(api_out_t *out, const char *name, const rr_json_t *pattern, const char *flags)
{
    const char *own = rr_json_string(rr_json_member(pattern, "flags"));

    api_out_name(out, name);
    api_out_add(out, "{");
    api_out_text(out, "pattern", rr_json_string(rr_json_member(pattern, "pattern")));
    api_out_text(out, "flags", own ? own : flags);
    api_out_add(out, "}");
}

static void put_presence(api_out_t *out, const rr_json_t *presence)
{
    const char *word = rr_json_string(presence);
    int absent = word && (!strcmp(word, "must_absent") || !strcmp(word, "must_not_exist") || !strcmp(word, "absent"));

    api_out_text(out, "presence", absent ? "must_absent" : "must_exist");
}

static void put_checks(api_out_t *out, const char *member, const rr_json_t *list, const char *name, const char *flags)
{
    apr_size_t i;

    if (!list) {
        return;
    }
    api_out_name(out, member);
    api_out_add(out, "[");
    for (i = 0; i < rr_json_size(list); i++) {
        const rr_json_t *check = rr_json_element(list, i), *value = rr_json_member(check, "value");

        api_out_name(out, NULL);
        api_out_add(out, "{");
        put_pattern(out, name, rr_json_member(check, name), flags);
        if (value) {
            put_pattern(out, "value", value, flags);
        }
        put_presence(out, rr_json_member(check, "presence"));
        api_out_add(out, "}");
    }
    api_out_add(out, "]");
}

static void put_path(api_out_t *out, const rr_json_t *filter, const char *flags)
{
    const rr_json_t *object = rr_json_member(filter, "requestPath"), *text, *presence;
    const rr_json_t *inner;

    object = object ? object : rr_json_member(filter, "path");
    text = rr_json_member(filter, "requestPathPattern");
    text = text ? text : rr_json_member(filter, "pathPattern");
    presence = rr_json_member(filter, "requestPathPresence");
    presence = presence ? presence : rr_json_member(filter, "pathPresence");
    if (!object && !text) {
        return;
    }
    api_out_name(out, "requestPath");
    api_out_add(out, "{");
    if (text) {
        api_out_name(out, "path");
        api_out_add(out, "{");
        api_out_text(out, "pattern", rr_json_string(text));
        api_out_text(out, "flags", flags);
        api_out_add(out, "}");
    }
    else {
        inner = rr_json_member(object, "path");
        put_pattern(out, "path", inner ? inner : object, flags);
        presence = rr_json_member(object, "presence");
    }
    put_presence(out, presence);
    api_out_add(out, "}");
}

static void put_operations(api_out_t *out, const rr_json_t *list, const char *flags)
{
    apr_size_t i;

    api_out_name(out, "operations");
    api_out_add(out, "[");
    for (i = 0; i < rr_json_size(list); i++) {
        const rr_json_t *operation = rr_json_element(list, i), *where = rr_json_member(operation, "jsonPath");

        api_out_name(out, NULL);
        api_out_add(out, "{");
        api_out_text(out, "effect", rr_json_string(rr_json_member(operation, "effect")));
        if (rr_json_member(where, "path")) {
            api_out_json(out, "jsonPath", rr_json_print(out->p, where));
        }
        else {
            put_pattern(out, "jsonPath", where, flags);
        }
        api_out_text(out, "notes", rr_json_string(rr_json_member(operation, "notes")));
        api_out_add(out, "}");
    }
    api_out_add(out, "]");
}

apr_status_t api_filter_normalise(const char **ptext, const rr_json_t *body, apr_pool_t *p, rr_err_t *err)
{
    const char *list = apr_pstrcat(p, "[", rr_json_print(p, body), "]", NULL);
    const char *flags = rr_json_string(rr_json_member(body, "regexFlags"));
    const rr_json_t *headers = rr_json_member(body, "headers");
    const rr_filters_t *filters;
    apr_status_t rv;
    api_out_t out;

    *ptext = NULL;
    rv = rr_filters_read(&filters, list, strlen(list), p, err);
    if (rv != APR_SUCCESS) {
        if (err && !strncmp(err->where, "/0", 2)) { /* its place in the list that was made of it */
            memmove(err->where, err->where + 2, strlen(err->where + 2) + 1);
        }
        return rv;
    }
    api_out_init(&out, p);
    api_out_add(&out, "{");
    put_checks(&out, "token", rr_json_member(body, "token"), "claim", flags);
    put_path(&out, body, flags);
    api_out_json(&out, "methods", rr_json_member(body, "methods") ? rr_json_print(p, rr_json_member(body, "methods")) : NULL);
    put_checks(&out, "headers", headers ? headers : rr_json_member(body, "headerChecks"), "name", flags);
    put_operations(&out, rr_json_member(body, "operations"), flags);
    api_out_text(&out, "notes", rr_json_string(rr_json_member(body, "notes")));
    api_out_add(&out, "}");
    *ptext = out.text;
    return APR_SUCCESS;
}
