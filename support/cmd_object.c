/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_object.c: rrctl client|credential|target|proxy|rule|filter create|list|show|delete, and jwt revoke.
 *
 * Bodies and answers are the API's JSON. Objects are named by id or by name.
 */
#include "rrctl_api.h"

#include "rrctl_store.h"

#include <apr_strings.h>

#include <string.h>

#define CELL 40 /* characters of one cell of a table, but for its last */

/* What the arguments say. */
typedef struct {
    const rrctl_kind_t *kind;
    const char *file;                /* -f; NULL */
    const char *word;                /* a name or an id; NULL */
    const rrctl_kind_t *owner_kind;  /* rule and filter: what they hang on */
    const char *owner;               /* its name or id */
    const char *path;                /* of the collection, once the owner is found */
} order_t;

static int is_attached(const rrctl_kind_t *kind)
{
    return !strcmp(kind->noun, "rule") || !strcmp(kind->noun, "filter");
}

static int read_order(order_t *order, rrctl_t *ctl, int argc, const char *const *argv)
{
    static const apr_getopt_option_t known[] = { { "file", 'f', 1, NULL }, { "credential", 'c', 1, NULL },
                                                 { "target", 't', 1, NULL }, { "proxy", 'p', 1, NULL }, { NULL } };
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    const char *value;
    apr_status_t rv;
    int option;

    memset(order, 0, sizeof(*order));
    order->kind = rrctl_kind(ctl->command->noun);
    while ((rv = apr_getopt_long(options, known, &option, &value)) == APR_SUCCESS) {
        if (option == 'f') {
            order->file = value;
            continue;
        }
        if (order->owner || !is_attached(order->kind)) {
            return rrctl_usage(ctl, "one of --credential, --target, --proxy, and for rules and filters only");
        }
        order->owner_kind = rrctl_kind(option == 'c' ? "credential" : option == 't' ? "target" : "proxy");
        order->owner = value;
    }
    if (!APR_STATUS_IS_EOF(rv) || argc - options->ind > 1) {
        return rrctl_usage(ctl, "there is no such option, or one word too many");
    }
    order->word = options->ind < argc ? options->argv[options->ind] : NULL;
    if (is_attached(order->kind) && !order->owner) {
        return rrctl_usage(ctl, "say what the %s hangs on: --proxy, --credential or --target, with its name or id",
                           order->kind->noun);
    }
    return RRCTL_OK;
}

/* The id that a word means among the objects at path: it is one, or the name of one. */
static apr_status_t find_id(const char **pid, rrctl_t *ctl, const rr_api_t *api, const rrctl_kind_t *kind,
                            const char *path, const char *word, rr_err_t *err)
{
    apr_array_header_t *objects;
    apr_status_t rv;
    int i;

    *pid = word;
    if (rr_id_is(word)) {
        return APR_SUCCESS;
    }
    rv = rrctl_api_all(&objects, api, path, kind->collection, ctl->p, err);
    for (i = 0; rv == APR_SUCCESS && i < objects->nelts; i++) { /* a client's id may look like a name, and wins */
        if (!strcmp(rr_json_string(rr_json_member(APR_ARRAY_IDX(objects, i, const rr_json_t *), "id")), word)) {
            return APR_SUCCESS;
        }
    }
    *pid = NULL;
    for (i = 0; rv == APR_SUCCESS && i < objects->nelts; i++) {
        const rr_json_t *object = APR_ARRAY_IDX(objects, i, const rr_json_t *);
        const char *name = rr_json_string(rr_json_member(object, kind->name));

        if (name && !strcmp(name, word)) {
            if (*pid) {
                return rr_err_set(err, RR_ECONFLICT, "name", "two %s are named %.64s: give the id", kind->collection, word);
            }
            *pid = rr_json_string(rr_json_member(object, "id"));
        }
    }
    return rv == APR_SUCCESS && !*pid ? rr_err_set(err, APR_NOTFOUND, "name", "there is no %s %.64s", kind->noun, word) : rv;
}

/* Where the objects of the order are. */
static apr_status_t find_path(order_t *order, rrctl_t *ctl, const rr_api_t *api, rr_err_t *err)
{
    const char *client = apr_pstrcat(ctl->p, "/clients/", ctl->client, NULL), *above, *id;
    apr_status_t rv;

    if (!strcmp(order->kind->noun, "client")) {
        order->path = "/clients";
        return APR_SUCCESS;
    }
    if (!order->owner) {
        order->path = apr_pstrcat(ctl->p, client, "/", order->kind->collection, NULL);
        return APR_SUCCESS;
    }
    above = apr_pstrcat(ctl->p, client, "/", order->owner_kind->collection, NULL);
    rv = find_id(&id, ctl, api, order->owner_kind, above, order->owner, err);
    order->path = apr_pstrcat(ctl->p, above, "/", id ? id : "", "/", order->kind->collection, NULL);
    return rv;
}

/* ---- for people ---- */

static const char *cell(rrctl_t *ctl, const rr_json_t *value)
{
    const char *text = value ? rr_json_scalar(ctl->p, value) : "-";

    return text ? text : rr_json_print(ctl->p, value);
}

static int print_member(void *baton, const char *name, const rr_json_t *value)
{
    rrctl_t *ctl = baton;

    fprintf(ctl->out, "%-28s %s\n", name, cell(ctl, value));
    return 1;
}

static void print_row(rrctl_t *ctl, const rrctl_kind_t *kind, const rr_json_t *object)
{
    int i;

    fprintf(ctl->out, "%-27s", object ? cell(ctl, rr_json_member(object, "id")) : "ID");
    for (i = 0; i < 4 && kind->columns[i]; i++) {
        const char *text = object ? cell(ctl, rr_json_member(object, kind->columns[i])) : kind->columns[i];

        fprintf(ctl->out, "  %-18.*s", CELL, text);
    }
    fprintf(ctl->out, "  %s\n", object ? cell(ctl, rr_json_member(object, kind->name)) : kind->name);
}

static void print_list(rrctl_t *ctl, const rrctl_kind_t *kind, const apr_array_header_t *objects)
{
    int i;

    if (ctl->json) {
        fprintf(ctl->out, "{\"%s\":[", kind->collection);
    }
    else {
        print_row(ctl, kind, NULL);
    }
    for (i = 0; i < objects->nelts; i++) {
        const rr_json_t *object = APR_ARRAY_IDX(objects, i, const rr_json_t *);

        if (ctl->json) {
            fprintf(ctl->out, "%s%s", i ? "," : "", rr_json_print(ctl->p, object));
        }
        else {
            print_row(ctl, kind, object);
        }
    }
    fputs(ctl->json ? "],\"message\":\"Success\"}\n" : "", ctl->out);
}

static void print_answer(rrctl_t *ctl, const rrctl_kind_t *kind, const rr_api_response_t *response,
                         const rr_json_t *answer)
{
    if (ctl->json) {
        fputs(response->body, ctl->out);
    }
    else {
        rr_json_members(rrctl_api_object(answer, kind->collection), print_member, ctl);
    }
}

/* ---- commands ---- */

/* Opens, finds where, calls, prints. word: an object's; NULL: the collection itself. */
static int call_one(rrctl_t *ctl, order_t *order, const char *method, const char *body)
{
    rr_api_response_t response;
    const rr_json_t *answer;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;
    const char *id;
    rr_api_t api;

    if (rrctl_api_open(&api, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = find_path(order, ctl, &api, &err);
    if (rv == APR_SUCCESS && !body) {
        rv = find_id(&id, ctl, &api, order->kind, order->path, order->word, &err);
        order->path = apr_pstrcat(ctl->p, order->path, "/", id, NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = rrctl_api_call(&answer, &response, &api, method, order->path, NULL, body, ctl->p, &err);
    }
    rr_store_close(api.store);
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    print_answer(ctl, order->kind, &response, answer);
    return RRCTL_OK;
}

int cmd_object_create(rrctl_t *ctl, int argc, const char *const *argv)
{
    rr_err_t err = RR_ERR_INIT;
    const char *body = NULL;
    apr_size_t len;
    order_t order;
    int code = read_order(&order, ctl, argc, argv);

    if (code != RRCTL_OK) {
        return code;
    }
    if (order.word && !order.file && !strcmp(order.kind->noun, "client")) { /* a client has no more than a name */
        const char *quoted = rr_json_quote(ctl->p, order.word, strlen(order.word));

        body = apr_pstrcat(ctl->p, "{\"id\":", quoted, ",\"clientName\":", quoted, "}", NULL);
    }
    else if (order.word || !order.file) {
        return rrctl_usage(ctl, "create takes the object's JSON with -f");
    }
    else if (rrctl_read(&body, &len, ctl, order.file, RR_MAX_API_BODY, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    return call_one(ctl, &order, "POST", body);
}

static int one_object(rrctl_t *ctl, int argc, const char *const *argv, const char *method)
{
    order_t order;
    int code = read_order(&order, ctl, argc, argv);

    if (code != RRCTL_OK) {
        return code;
    }
    if (!order.word || order.file) {
        return rrctl_usage(ctl, "name one %s, or give its id", order.kind->noun);
    }
    return call_one(ctl, &order, method, NULL);
}

int cmd_object_show(rrctl_t *ctl, int argc, const char *const *argv)
{
    return one_object(ctl, argc, argv, "GET");
}

int cmd_object_delete(rrctl_t *ctl, int argc, const char *const *argv)
{
    return one_object(ctl, argc, argv, "DELETE");
}

int cmd_object_list(rrctl_t *ctl, int argc, const char *const *argv)
{
    apr_array_header_t *objects;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;
    order_t order;
    rr_api_t api;
    int code = read_order(&order, ctl, argc, argv);

    if (code != RRCTL_OK) {
        return code;
    }
    if (order.word || order.file) {
        return rrctl_usage(ctl, "list takes no name and no file");
    }
    if (rrctl_api_open(&api, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = find_path(&order, ctl, &api, &err);
    if (rv == APR_SUCCESS) {
        rv = rrctl_api_all(&objects, &api, order.path, order.kind->collection, ctl->p, &err);
    }
    rr_store_close(api.store);
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    print_list(ctl, order.kind, objects);
    return RRCTL_OK;
}

/* ---- jwt revoke ---- */

static const rrctl_kind_t revocation = { "revocation", "revocations", "issuer", { NULL } };

/* The body that the options make up; NULL: they do not say which token. */
static const char *revocation_body(rrctl_t *ctl, const char *token, const char *const values[4])
{
    static const char *const names[] = { "jti", "sub", "issuer", "issuedBefore" };
    const char *body = "";
    int i;

    if (token) {
        return apr_pstrcat(ctl->p, "{\"token\":", rr_json_quote(ctl->p, token, strlen(token)), "}", NULL);
    }
    for (i = 0; i < 4; i++) {
        if (values[i]) {
            body = apr_pstrcat(ctl->p, body, *body ? ",\"" : "\"", names[i], "\":",
                               rr_json_quote(ctl->p, values[i], strlen(values[i])), NULL);
        }
    }
    return *body ? apr_pstrcat(ctl->p, "{", body, "}", NULL) : NULL;
}

int cmd_jwt_revoke(rrctl_t *ctl, int argc, const char *const *argv)
{
    static const apr_getopt_option_t known[] = { { "jti", 0x100, 1, NULL }, { "sub", 0x101, 1, NULL },
                                                 { "issuer", 0x102, 1, NULL }, { "issued-before", 0x103, 1, NULL },
                                                 { NULL } };
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    const char *values[4] = { NULL, NULL, NULL, NULL }, *value, *token = NULL, *body;
    rr_err_t err = RR_ERR_INIT;
    order_t order = { .kind = &revocation, .path = "/revocations" };
    rr_api_response_t response;
    const rr_json_t *answer;
    rr_api_t api;
    apr_status_t rv;
    apr_size_t len;
    int option;

    while ((rv = apr_getopt_long(options, known, &option, &value)) == APR_SUCCESS) {
        values[option - 0x100] = value;
    }
    if (!APR_STATUS_IS_EOF(rv) || argc - options->ind > 1) {
        return rrctl_usage(ctl, "a token, or the options below");
    }
    if (options->ind < argc) {
        token = options->argv[options->ind];
        if (!strcmp(token, "-")) {
            if (rrctl_read(&token, &len, ctl, "-", RR_MAX_TOKEN, &err) != APR_SUCCESS) {
                return rrctl_fail_err(ctl, &err);
            }
            token = apr_pstrmemdup(ctl->p, token, strcspn(token, "\r\n"));
        }
    }
    if (values[1] && !values[3]) {
        values[3] = rr_api_time(ctl->p, apr_time_now());
    }
    body = revocation_body(ctl, token, values);
    if (!body) {
        return rrctl_usage(ctl, "say which: a token, --jti and --issuer, or --sub and --issuer");
    }
    if (rrctl_api_open(&api, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rrctl_api_call(&answer, &response, &api, "POST", order.path, NULL, body, ctl->p, &err);
    rr_store_close(api.store);
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    print_answer(ctl, order.kind, &response, answer);
    return RRCTL_OK;
}
