/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply_object.c: rrctl apply: one client, credential, target or proxy made what it is declared.
 *
 * Objects are known by id, else by name.
 */
#include "apply.h"

#include <apr_strings.h>

#include <string.h>

typedef struct {
    apply_t *apply;
    const rr_json_t *other;
    const char *text;
    int added; /* look for members that other has not */
} diff_t;

static int is_time_of_row(const char *name)
{
    apr_size_t len = strlen(name);

    return len > 9 && (!strcmp(name + len - 9, "CreatedAt") || !strcmp(name + len - 9, "UpdatedAt"));
}

static int diff_member(void *baton, const char *name, const rr_json_t *value)
{
    diff_t *diff = baton;
    const rr_json_t *other = rr_json_member(diff->other, name);
    apr_pool_t *p = diff->apply->p;
    const char *now = rr_json_print(p, value), *before = other ? rr_json_print(p, other) : "none";

    if (!is_time_of_row(name) && (diff->added ? !other : strcmp(now, before) != 0)) {
        diff->text = apr_pstrcat(p, diff->text, *diff->text ? "; " : "", name, " ", diff->added ? now : before, " -> ",
                                 diff->added ? "none" : now, NULL);
    }
    return 1;
}

/* The members that differ; a change that shows in none is of a secret. */
static const char *differences(apply_t *apply, const rr_json_t *before, const rr_json_t *now)
{
    diff_t diff = { apply, before, "", 0 };

    rr_json_members(now, diff_member, &diff);
    diff.other = now;
    diff.added = 1;
    rr_json_members(before, diff_member, &diff);
    return *diff.text ? diff.text : "its secret";
}

/* A credential's name is of its type. */
static const char *name_key(const rrctl_kind_t *kind, const rr_json_t *object, apr_pool_t *p)
{
    const char *name = rr_json_string(rr_json_member(object, kind->name));
    const char *type = rr_json_string(rr_json_member(object, "credentialType"));

    return apr_pstrcat(p, type ? type : "", "/", name ? name : "", NULL);
}

apr_status_t apply_get_known(apply_known_t **pknown, apply_t *apply, const rrctl_kind_t *kind, const char *path)
{
    apr_pool_t *p = apply->ctl->p;
    apr_array_header_t *objects;
    apr_status_t rv;
    apply_known_t *known;
    int i;

    *pknown = apr_hash_get(apply->known, path, APR_HASH_KEY_STRING);
    if (*pknown) {
        return APR_SUCCESS;
    }
    known = apr_pcalloc(p, sizeof(*known));
    known->by_id = apr_hash_make(p);
    known->by_name = apr_hash_make(p);
    known->declared = apr_hash_make(p);
    rv = rrctl_api_all(&objects, &apply->api, path, kind->collection, p, apply->err);
    for (i = 0; rv == APR_SUCCESS && i < objects->nelts; i++) {
        const rr_json_t *object = APR_ARRAY_IDX(objects, i, const rr_json_t *);

        apr_hash_set(known->by_id, rr_json_string(rr_json_member(object, "id")), APR_HASH_KEY_STRING, object);
        apr_hash_set(known->by_name, name_key(kind, object, p), APR_HASH_KEY_STRING, object);
    }
    apr_hash_set(apply->known, path, APR_HASH_KEY_STRING, known);
    *pknown = known;
    return rv;
}

static int copy_own(void *baton, const char *name, const rr_json_t *value)
{
    static const char *const others[] = { "rules", "filters", "keys", "credentials", "targets", "proxies" };
    struct {
        char *text;
        apr_pool_t *p;
    } *out = baton;
    apr_size_t i;

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (!strcmp(others[i], name)) {
            return 1;
        }
    }
    out->text = apr_pstrcat(out->p, out->text, *out->text ? "," : "", rr_json_quote(out->p, name, strlen(name)), ":",
                            rr_json_print(out->p, value), NULL);
    return 1;
}

/* The object's own members, without what hangs on it. */
static const char *own_members(const rr_json_t *object, apr_pool_t *p)
{
    struct {
        char *text;
        apr_pool_t *p;
    } out = { apr_pstrdup(p, ""), p };

    rr_json_members(object, copy_own, &out);
    return apr_pstrcat(p, "{", out.text, "}", NULL);
}

static void show_key(apply_t *apply, const rr_json_t *made)
{
    const char *key = rr_json_string(rr_json_at(made, "/credentialSecret/key"));

    if (key && strcmp(key, RR_API_MASK) && !apply->dry_run) { /* was made here, and is shown this once */
        fprintf(apply->ctl->json ? apply->ctl->err : apply->ctl->out, "  key %s\n", key);
    }
}

/* A target credential whose secret is not here yet. */
static int lacks_secret(apply_t *apply, const char *client, const rr_json_t *object, const char *id)
{
    const char *type = rr_json_string(rr_json_member(object, "credentialType"));
    const rr_credential_row_t *row;

    return client && type && !strcmp(type, "target") &&
           rr_store_credential_get(&row, apply->api.store, client, id, apply->p, NULL) == APR_SUCCESS &&
           row->kind != RR_CREDENTIAL_NONE && !row->secret;
}

const char *apply_name(apply_t *apply, const rrctl_kind_t *kind, const char *client, const rr_json_t *object)
{
    const char *id = rr_json_string(rr_json_member(object, "id")), *name = rr_json_string(rr_json_member(object, kind->name));

    name = client ? apr_pstrcat(apply->p, client, "/", name ? name : id, NULL) : id;
    return name ? name : "?";
}

apr_status_t apply_blame(apply_t *apply, apr_status_t rv, const char *noun, const char *name)
{
    rr_err_t why = *apply->err;

    rr_err_clear(apply->err);
    return rr_err_set(apply->err, rv, why.where, "%s %.100s: %s", noun, name, rr_err_text(&why));
}

apr_status_t apply_object(const char **pid, apply_t *apply, const rrctl_kind_t *kind, const char *client,
                          const char *path, const rr_json_t *object)
{
    const char *id = rr_json_string(rr_json_member(object, "id")), *name = apply_name(apply, kind, client, object);
    const char *body = own_members(object, apply->p), *tag = NULL;
    const rr_json_t *before = NULL, *answer, *now;
    rr_api_response_t response;
    apply_known_t *known;
    apr_status_t rv = apply_get_known(&known, apply, kind, path);

    *pid = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    before = id ? apr_hash_get(known->by_id, id, APR_HASH_KEY_STRING) : NULL;
    if (!before && client) {
        before = apr_hash_get(known->by_name, name_key(kind, object, apply->p), APR_HASH_KEY_STRING);
    }
    if (before) {
        *pid = rr_json_string(rr_json_member(before, "id"));
        path = apr_pstrcat(apply->p, path, "/", *pid, NULL);
        rv = rrctl_api_call(&answer, &response, &apply->api, "GET", path, NULL, NULL, apply->p, apply->err);
        before = rv == APR_SUCCESS ? rrctl_api_object(answer, kind->collection) : NULL; /* another object may have bound it */
        tag = response.etag;
    }
    if (rv == APR_SUCCESS) {
        rv = rrctl_api_call(&answer, &response, &apply->api, before ? "PUT" : "POST", path, NULL, body, apply->p, apply->err);
    }
    if (rv != APR_SUCCESS) {
        return apply_blame(apply, rv, kind->noun, name);
    }
    now = rrctl_api_object(answer, kind->collection);
    *pid = apr_pstrdup(apply->ctl->p, rr_json_string(rr_json_member(now, "id")));
    apr_hash_set(known->declared, *pid, APR_HASH_KEY_STRING, "");
    if (!before) {
        apply->added++;
        apply_say(apply, '+', kind->noun, name, "");
        show_key(apply, now);
    }
    else if (strcmp(tag, response.etag)) {
        apply->changed++;
        apply_say(apply, '~', kind->noun, name, differences(apply, before, now));
    }
    else {
        apply->unchanged++;
    }
    if (lacks_secret(apply, client, now, *pid)) {
        fprintf(apply->ctl->err, "rrctl: credential %s has no secret yet: what needs it stays closed until it is given\n", name);
    }
    return APR_SUCCESS;
}
