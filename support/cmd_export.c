/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_export.c: rrctl export: what apply takes.
 *
 * Objects by their names, in the order of these, one a line; a proxy names what it is made of. Ids, times of rows
 * and secrets stay where they are: so the text says the same of every store that holds the same.
 */
#include "rrctl_api.h"

#include "rrctl_store.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

typedef struct {
    rrctl_t *ctl;
    const rr_api_t *api;
    apr_hash_t *names; /* of credentials and targets, by id */
    apr_pool_t *p;     /* of one object */
    int count;         /* members printed of the object at hand */
    int with_id;
    rr_err_t *err;
} export_t;

/* ---- one object ---- */

/* An id as the name that it stands for, a list of them, or the value as it is. */
static const char *by_name(export_t *export, const rr_json_t *value)
{
    const char *id = rr_json_string(value), *name, *list = "";
    apr_pool_t *p = export->p;
    apr_size_t i;

    if (rr_json_kind(value) == RR_JSON_ARRAY) {
        for (i = 0; i < rr_json_size(value); i++) {
            list = apr_pstrcat(p, list, i ? "," : "", by_name(export, rr_json_element(value, i)), NULL);
        }
        return apr_pstrcat(p, "[", list, "]", NULL);
    }
    name = id ? apr_hash_get(export->names, id, APR_HASH_KEY_STRING) : NULL;
    return name ? rr_json_quote(p, name, strlen(name)) : rr_json_print(p, value);
}

static int print_member(void *baton, const char *name, const rr_json_t *value)
{
    static const char *const references[] = { "proxyProxyCredentialId", "proxyProxyCredentialIds", "proxyTargetId",
                                              "proxyTargetCredentialId" };
    export_t *export = baton;
    apr_size_t len = strlen(name), i;
    const char *text = NULL;

    if ((!strcmp(name, "id") && !export->with_id) ||
        (len > 9 && (!strcmp(name + len - 9, "CreatedAt") || !strcmp(name + len - 9, "UpdatedAt")))) {
        return 1;
    }
    for (i = 0; i < sizeof(references) / sizeof(references[0]) && !text; i++) {
        text = strcmp(references[i], name) ? NULL : by_name(export, value);
    }
    fprintf(export->ctl->out, "%s%s:%s", export->count++ ? "," : "", rr_json_quote(export->p, name, len),
            text ? text : rr_json_print(export->p, value));
    return 1;
}

/* The object's own members, after its brace. */
static void print_own(export_t *export, const rr_json_t *object, int with_id)
{
    fputc('{', export->ctl->out);
    export->count = 0;
    export->with_id = with_id;
    rr_json_members(object, print_member, export);
}

/* ---- lists in an order that no store decides ---- */

typedef struct {
    const char *key;
    const rr_json_t *object;
} sorted_t;

static int compare(const void *a, const void *b)
{
    return strcmp(((const sorted_t *)a)->key, ((const sorted_t *)b)->key);
}

static apr_array_header_t *sort_objects(export_t *export, const apr_array_header_t *objects, const rrctl_kind_t *kind)
{
    apr_array_header_t *sorted = apr_array_make(export->ctl->p, objects->nelts, sizeof(sorted_t));
    int i;

    for (i = 0; i < objects->nelts; i++) {
        const rr_json_t *object = APR_ARRAY_IDX(objects, i, const rr_json_t *);
        const char *type = rr_json_string(rr_json_member(object, "credentialType"));
        const char *name = rr_json_string(rr_json_member(object, kind->name));
        sorted_t *one = apr_array_push(sorted);

        one->key = apr_pstrcat(export->ctl->p, type ? type : "", "/", name ? name : "", NULL);
        one->object = object;
    }
    qsort(sorted->elts, (size_t)sorted->nelts, sizeof(sorted_t), compare);
    return sorted;
}

/* Rules and filters have no names: their text is their order. */
static apr_status_t export_attached(export_t *export, const char *path, const char *collection)
{
    apr_pool_t *p = export->p;
    apr_array_header_t *objects, *sorted;
    apr_status_t rv = rrctl_api_all(&objects, export->api, apr_pstrcat(p, path, "/", collection, NULL), collection, p,
                                    export->err);
    int i;

    sorted = apr_array_make(p, objects->nelts, sizeof(sorted_t));
    for (i = 0; i < objects->nelts; i++) {
        sorted_t *one = apr_array_push(sorted);

        one->object = APR_ARRAY_IDX(objects, i, const rr_json_t *);
        one->key = strchr(rr_json_print(p, one->object), ',') + 1; /* behind the id, which is its first member */
    }
    qsort(sorted->elts, (size_t)sorted->nelts, sizeof(sorted_t), compare);
    for (i = 0; i < sorted->nelts; i++) {
        fprintf(export->ctl->out, "%s{%s%s", i ? "," : apr_pstrcat(p, ",\"", collection, "\":[", NULL),
                APR_ARRAY_IDX(sorted, i, sorted_t).key, i == sorted->nelts - 1 ? "]" : "");
    }
    return rv;
}

static apr_status_t export_collection(export_t *export, const char *client, const char *noun)
{
    const rrctl_kind_t *kind = rrctl_kind(noun);
    rrctl_t *ctl = export->ctl;
    const char *path = apr_pstrcat(ctl->p, "/clients/", client, "/", kind->collection, NULL), *above, *id;
    apr_array_header_t *objects;
    apr_status_t rv = rrctl_api_all(&objects, export->api, path, kind->collection, ctl->p, export->err);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    objects = sort_objects(export, objects, kind);
    fprintf(ctl->out, ",\n\"%s\":[", kind->collection);
    for (i = 0; rv == APR_SUCCESS && i < objects->nelts; i++) {
        const rr_json_t *object = APR_ARRAY_IDX(objects, i, sorted_t).object;

        apr_pool_clear(export->p);
        id = rr_json_string(rr_json_member(object, "id"));
        apr_hash_set(export->names, id, APR_HASH_KEY_STRING, rr_json_string(rr_json_member(object, kind->name)));
        fputs(i ? ",\n" : "\n", ctl->out);
        print_own(export, object, 0);
        above = apr_pstrcat(export->p, path, "/", id, NULL);
        if ((rv = export_attached(export, above, "rules")) == APR_SUCCESS) {
            rv = export_attached(export, above, "filters");
        }
        fputc('}', ctl->out);
    }
    fputc(']', ctl->out);
    return rv;
}

static apr_status_t export_client(export_t *export, const rr_json_t *client)
{
    static const char *const nouns[] = { "credential", "target", "proxy" };
    apr_status_t rv = APR_SUCCESS;
    int i;

    print_own(export, client, 1);
    for (i = 0; rv == APR_SUCCESS && i < 3; i++) {
        rv = export_collection(export, rr_json_string(rr_json_member(client, "id")), nouns[i]);
    }
    fputc('}', export->ctl->out);
    return rv;
}

static apr_status_t export_all(export_t *export)
{
    rrctl_t *ctl = export->ctl;
    apr_array_header_t *clients;
    apr_status_t rv = rrctl_api_all(&clients, export->api, "/clients", "clients", ctl->p, export->err);
    int i, count = 0;

    fputs("{\"clients\":[", ctl->out);
    for (i = 0; rv == APR_SUCCESS && i < clients->nelts; i++) {
        const rr_json_t *client = APR_ARRAY_IDX(clients, i, const rr_json_t *);

        if (!ctl->client_given || !strcmp(ctl->client, rr_json_string(rr_json_member(client, "id")))) {
            fputs(count++ ? ",\n" : "\n", ctl->out);
            rv = export_client(export, client);
        }
    }
    fputs("]}\n", ctl->out);
    return rv == APR_SUCCESS && ctl->client_given && !count
               ? rr_err_set(export->err, APR_NOTFOUND, "client", "there is no client %.64s", ctl->client)
               : rv;
}

int cmd_export(rrctl_t *ctl, int argc, const char *const *argv)
{
    rr_err_t err = RR_ERR_INIT;
    export_t export = { .ctl = ctl, .names = apr_hash_make(ctl->p), .err = &err };
    apr_status_t rv;
    rr_api_t api;

    (void)argv;
    if (argc > 1) {
        return rrctl_usage(ctl, "export takes no argument");
    }
    if (apr_pool_create(&export.p, ctl->p) != APR_SUCCESS) {
        return rrctl_fail(ctl, "out of memory");
    }
    if (rrctl_api_open(&api, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    export.api = &api;
    api.in_transaction = 1; /* one reading of everything */
    rv = rr_store_begin_read(api.store, &err);
    if (rv == APR_SUCCESS) {
        rv = export_all(&export);
        rr_store_rollback(api.store);
    }
    rr_store_close(api.store);
    return rv == APR_SUCCESS ? RRCTL_OK : rrctl_fail_err(ctl, &err);
}
