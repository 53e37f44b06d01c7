/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_apply.c: rrctl apply: the store is made to hold what files declare, in one transaction.
 *
 * A file is what rrctl export prints: {"clients":[{"id", "clientName", "credentials":[], "targets":[],
 * "proxies":[]}]}; without the outer part it is about --client. In a credential, target or proxy,
 * "rules" and "filters" are the whole set of them, and "keys" are values that a credential has to have.
 * Objects are known by id, else by name. A secret that is masked stays; a new credential with a
 * masked one has none yet, and its routes stay closed until it is given.
 */
#include "rrctl_api.h"

#include "rrctl_store.h"

#include <apr_file_info.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE (1024LL * 1024 * 1024)
#define PROGRESS_STEP 500

/* The objects of one client and kind that the store has. */
typedef struct {
    apr_hash_t *by_id, *by_name; /* const rr_json_t * */
    apr_hash_t *declared;        /* ids that a file had */
    int pruned;                  /* a file declares this kind of this client */
} known_t;

typedef struct {
    rrctl_t *ctl;
    rr_api_t api;
    apr_array_header_t *documents; /* const rr_json_t *: clients with what they have */
    apr_hash_t *known;             /* "acme/targets": known_t */
    int dry_run, prune;
    int added, changed, deleted, unchanged, missing;
    int total, done;               /* for the line of progress */
    apr_pool_t *p;                 /* of one object */
    rr_err_t *err;
} apply_t;

/* ---- files ---- */

static apr_status_t add_document(apply_t *apply, const rr_json_t *document)
{
    const rr_json_t *clients = rr_json_member(document, "clients");
    const char *id = rr_json_quote(apply->ctl->p, apply->ctl->client, RR_MAX_NAME), *text;
    apr_size_t i;

    for (i = 0; i < rr_json_size(clients); i++) {
        APR_ARRAY_PUSH(apply->documents, const rr_json_t *) = rr_json_element(clients, i);
    }
    if (clients || rr_json_member(document, "id")) {
        return clients && rr_json_size(document) == 1
                   ? APR_SUCCESS
                   : rr_err_set(apply->err, RR_EINVAL, "/clients", "a file has \"clients\", or credentials, targets and proxies");
    }
    text = rr_json_print(apply->ctl->p, document);
    text = apr_pstrcat(apply->ctl->p, "{\"id\":", id, rr_json_size(document) ? "," : "", text + 1, NULL);
    if (rr_json_parse(&document, text, strlen(text), apply->ctl->p, apply->err) != APR_SUCCESS) {
        return RR_EINVAL;
    }
    APR_ARRAY_PUSH(apply->documents, const rr_json_t *) = document;
    return APR_SUCCESS;
}

static apr_status_t read_file(apply_t *apply, const char *path)
{
    apr_size_t len, max = 64 * 1024 * 1024;
    const rr_json_t *document;
    rr_err_t why = RR_ERR_INIT;
    apr_finfo_t info;
    const char *text;
    apr_status_t rv;

    if (strcmp(path, "-") && apr_stat(&info, path, APR_FINFO_SIZE, apply->ctl->p) == APR_SUCCESS) {
        if (info.size > MAX_FILE) {
            return rr_err_set(apply->err, RR_EINVAL, path, "%s is too large", path);
        }
        max = (apr_size_t)info.size + 1;
    }
    rv = rrctl_read(&text, &len, apply->ctl, path, max, apply->err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rr_json_parse_object(&document, text, len, apply->ctl->p, &why);
    if (rv != APR_SUCCESS) {
        return rr_err_set(apply->err, rv, path, "%s: %s", path, rr_err_text(&why));
    }
    return add_document(apply, document);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files of a folder that end in .json, by name. */
static apr_status_t read_folder(apply_t *apply, const char *path)
{
    apr_array_header_t *names = apr_array_make(apply->ctl->p, 8, sizeof(const char *));
    apr_finfo_t info;
    apr_status_t rv;
    apr_dir_t *dir;
    int i;

    if (apr_dir_open(&dir, path, apply->ctl->p) != APR_SUCCESS) {
        return rr_err_set(apply->err, RR_EUNAVAIL, path, "%s cannot be read", path);
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        apr_size_t len = strlen(info.name);

        if (len > 5 && info.name[0] != '.' && !strcmp(info.name + len - 5, ".json")) {
            APR_ARRAY_PUSH(names, const char *) = apr_pstrcat(apply->ctl->p, path, "/", info.name, NULL);
        }
    }
    apr_dir_close(dir);
    qsort(names->elts, (size_t)names->nelts, sizeof(const char *), compare_names);
    rv = names->nelts ? APR_SUCCESS : rr_err_set(apply->err, RR_EINVAL, path, "%s has no file that ends in .json", path);
    for (i = 0; i < names->nelts && rv == APR_SUCCESS; i++) {
        rv = read_file(apply, APR_ARRAY_IDX(names, i, const char *));
    }
    return rv;
}

/* ---- what is done, for people ---- */

static void say(apply_t *apply, char sign, const char *noun, const char *name, const char *what)
{
    if (!apply->ctl->json) {
        fprintf(apply->ctl->out, "%c %s %s%s%s\n", sign, noun, name, *what ? ": " : "", what);
    }
}

static void progress(apply_t *apply)
{
    if (++apply->done % PROGRESS_STEP == 0 && isatty(fileno(apply->ctl->err))) {
        fprintf(apply->ctl->err, "\r%d of %d", apply->done, apply->total);
        fflush(apply->ctl->err);
    }
}

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

/* ---- objects ---- */

/* A credential's name is of its type. */
static const char *name_key(apply_t *apply, const rrctl_kind_t *kind, const rr_json_t *object, apr_pool_t *p)
{
    const char *name = rr_json_string(rr_json_member(object, kind->name));
    const char *type = rr_json_string(rr_json_member(object, "credentialType"));

    (void)apply;
    return apr_pstrcat(p, type ? type : "", "/", name ? name : "", NULL);
}

static apr_status_t get_known(known_t **pknown, apply_t *apply, const rrctl_kind_t *kind, const char *path)
{
    apr_pool_t *p = apply->ctl->p;
    apr_array_header_t *objects;
    apr_status_t rv;
    known_t *known;
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
        apr_hash_set(known->by_name, name_key(apply, kind, object, p), APR_HASH_KEY_STRING, object);
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

static void show_key(apply_t *apply, const char *name, const rr_json_t *made)
{
    const char *key = rr_json_string(rr_json_at(made, "/credentialSecret/key"));

    if (key && strcmp(key, RR_API_MASK) && !apply->dry_run) { /* was made here, and is shown this once */
        fprintf(apply->ctl->json ? apply->ctl->err : apply->ctl->out, "  key %s\n", key);
    }
    (void)name;
}

/* A target credential whose secret is not here yet. */
static int lacks_secret(apply_t *apply, const char *client, const char *id)
{
    const rr_credential_row_t *row;

    return rr_store_credential_get(&row, apply->api.store, client, id, apply->p, NULL) == APR_SUCCESS && row->target &&
           row->kind != RR_CREDENTIAL_NONE && !row->secret;
}

/* Makes one object what it is declared; *pid is its id. */
static apr_status_t apply_object(const char **pid, apply_t *apply, const rrctl_kind_t *kind, const char *client,
                                 const char *path, const rr_json_t *object)
{
    const char *id = rr_json_string(rr_json_member(object, "id")), *name, *body = own_members(object, apply->p), *tag = NULL;
    const rr_json_t *before = NULL, *answer, *now;
    rr_api_response_t response;
    known_t *known;
    apr_status_t rv = get_known(&known, apply, kind, path);

    *pid = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    name = rr_json_string(rr_json_member(object, kind->name));
    name = client ? apr_pstrcat(apply->p, client, "/", name ? name : id, NULL) : id;
    name = name ? name : "?";
    before = id ? apr_hash_get(known->by_id, id, APR_HASH_KEY_STRING) : NULL;
    if (!before && client) {
        before = apr_hash_get(known->by_name, name_key(apply, kind, object, apply->p), APR_HASH_KEY_STRING);
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
        rr_err_t why = *apply->err;

        rr_err_clear(apply->err);
        return rr_err_set(apply->err, rv, why.where, "%s %.100s: %s", kind->noun, name, rr_err_text(&why));
    }
    now = rrctl_api_object(answer, kind->collection);
    *pid = apr_pstrdup(apply->ctl->p, rr_json_string(rr_json_member(now, "id")));
    apr_hash_set(known->declared, *pid, APR_HASH_KEY_STRING, "");
    if (!before) {
        apply->added++;
        say(apply, '+', kind->noun, name, "");
        show_key(apply, name, now);
    }
    else if (strcmp(tag, response.etag)) {
        apply->changed++;
        say(apply, '~', kind->noun, name, differences(apply, before, now));
    }
    else {
        apply->unchanged++;
    }
    if (client && !strcmp(kind->noun, "credential") && lacks_secret(apply, client, *pid)) {
        apply->missing++;
        fprintf(apply->ctl->err, "rrctl: credential %s has no secret yet: what needs it stays closed until it is given\n", name);
    }
    return APR_SUCCESS;
}

/* ---- rules, filters, keys of an object ---- */

static apr_status_t apply_attached(apply_t *apply, const char *noun, const char *owner_path, const rr_json_t *wanted)
{
    const rrctl_kind_t *kind = rrctl_kind(noun);
    const char *path = apr_pstrcat(apply->p, owner_path, "/", kind->collection, NULL), *text, *id;
    apr_array_header_t *objects;
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_size_t w;
    apr_status_t rv;
    int i;

    if (!wanted) {
        return APR_SUCCESS; /* nothing is said of them */
    }
    rv = rrctl_api_all(&objects, &apply->api, path, kind->collection, apply->p, apply->err);
    for (w = 0; rv == APR_SUCCESS && w < rr_json_size(wanted); w++) {
        const rr_json_t *one = rr_json_element(wanted, w);
        int found = -1;

        rv = rr_api_attached_normalise(&text, !strcmp(noun, "filter"), one, apply->p, apply->err);
        id = rr_json_string(rr_json_member(one, "id"));
        for (i = 0; rv == APR_SUCCESS && i < objects->nelts && found < 0; i++) {
            const rr_json_t *have = APR_ARRAY_IDX(objects, i, const rr_json_t *);
            const char *have_id = rr_json_string(rr_json_member(have, "id"));

            if (have && (!id || !strcmp(id, have_id)) &&
                !strcmp(rr_json_print(apply->p, have), apr_pstrcat(apply->p, "{\"id\":\"", have_id, "\",", text + 1, NULL))) {
                found = i;
            }
        }
        if (found >= 0) { /* it stays; a second one that says the same is another */
            APR_ARRAY_IDX(objects, found, const rr_json_t *) = NULL;
            apply->unchanged++;
            continue;
        }
        if (rv == APR_SUCCESS && id) { /* the one of that id says something else: it goes first */
            for (i = 0; i < objects->nelts; i++) {
                const rr_json_t *have = APR_ARRAY_IDX(objects, i, const rr_json_t *);

                if (have && !strcmp(rr_json_string(rr_json_member(have, "id")), id)) {
                    rv = rrctl_api_call(&answer, &response, &apply->api, "DELETE", apr_pstrcat(apply->p, path, "/", id, NULL),
                                        NULL, NULL, apply->p, apply->err);
                    APR_ARRAY_IDX(objects, i, const rr_json_t *) = NULL;
                    apply->deleted++;
                    say(apply, '-', noun, id, "");
                }
            }
        }
        if (rv == APR_SUCCESS) {
            rv = rrctl_api_call(&answer, &response, &apply->api, "POST", path, NULL, rr_json_print(apply->p, one), apply->p,
                                apply->err);
            apply->added++;
            say(apply, '+', noun, path, text);
        }
    }
    for (i = 0; rv == APR_SUCCESS && i < objects->nelts; i++) {
        const rr_json_t *have = APR_ARRAY_IDX(objects, i, const rr_json_t *);

        if (have) {
            id = rr_json_string(rr_json_member(have, "id"));
            rv = rrctl_api_call(&answer, &response, &apply->api, "DELETE", apr_pstrcat(apply->p, path, "/", id, NULL), NULL,
                                NULL, apply->p, apply->err);
            apply->deleted++;
            say(apply, '-', noun, path, id);
        }
    }
    return rv;
}

/* Whether the credential has a key of that value already. */
static int has_key(apply_t *apply, const char *credential, const char *value)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    const char *id, *owner = NULL;

    return apply->api.digester && rr_key_digest(digest, apply->api.digester, value, strlen(value)) == APR_SUCCESS &&
           rr_store_key_owner(&id, &owner, apply->api.store, digest, apply->p, NULL) == APR_SUCCESS && owner &&
           !strcmp(owner, credential);
}

static apr_status_t apply_keys(apply_t *apply, const char *owner_path, const char *credential, const rr_json_t *keys)
{
    const char *path = apr_pstrcat(apply->p, owner_path, "/keys", NULL);
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < rr_json_size(keys); i++) {
        const rr_json_t *key = rr_json_element(keys, i);
        const char *value = rr_json_string(rr_json_member(key, "key"));

        if (!value) {
            return rr_err_set(apply->err, RR_EINVAL, "/key", "a key that is declared has its value");
        }
        if (has_key(apply, credential, value)) {
            apply->unchanged++;
            continue;
        }
        rv = rrctl_api_call(&answer, &response, &apply->api, "POST", path, NULL, rr_json_print(apply->p, key), apply->p,
                            apply->err);
        if (rv == APR_SUCCESS) {
            apply->added++;
            say(apply, '+', "key", rr_json_string(rr_json_member(rrctl_api_object(answer, "keys"), "keyHint")), "");
        }
    }
    return rv;
}

/* ---- all of it ---- */

static apr_status_t apply_collection(apply_t *apply, const rr_json_t *document, const char *noun)
{
    const rrctl_kind_t *kind = rrctl_kind(noun);
    const char *client = rr_json_string(rr_json_member(document, "id")), *id, *above;
    const rr_json_t *list = rr_json_member(document, kind->collection);
    const char *path = apr_pstrcat(apply->ctl->p, "/clients/", client, "/", kind->collection, NULL);
    apr_status_t rv = APR_SUCCESS;
    known_t *known;
    apr_size_t i;

    if (list && rr_json_kind(list) != RR_JSON_ARRAY) {
        return rr_err_set(apply->err, RR_EINVAL, kind->collection, "%s of client %.64s are no array", kind->collection, client);
    }
    for (i = 0; rv == APR_SUCCESS && i < rr_json_size(list); i++) {
        const rr_json_t *object = rr_json_element(list, i);

        apr_pool_clear(apply->p);
        rv = apply_object(&id, apply, kind, client, path, object);
        above = apr_pstrcat(apply->p, path, "/", id ? id : "", NULL);
        if (rv == APR_SUCCESS &&
            (rv = apply_attached(apply, "rule", above, rr_json_member(object, "rules"))) == APR_SUCCESS &&
            (rv = apply_attached(apply, "filter", above, rr_json_member(object, "filters"))) == APR_SUCCESS &&
            rr_json_member(object, "keys")) {
            rv = apply_keys(apply, above, id, rr_json_member(object, "keys"));
        }
        progress(apply);
    }
    if (rv == APR_SUCCESS && list && (rv = get_known(&known, apply, kind, path)) == APR_SUCCESS) {
        known->pruned = 1;
    }
    return rv;
}

/* Deletes what no file declares, of the clients and kinds that some file does. */
static apr_status_t prune(apply_t *apply, const rr_json_t *document, const char *noun)
{
    const rrctl_kind_t *kind = rrctl_kind(noun);
    const char *client = rr_json_string(rr_json_member(document, "id")), *id;
    const char *path = apr_pstrcat(apply->ctl->p, "/clients/", client, "/", kind->collection, NULL);
    known_t *known = apr_hash_get(apply->known, path, APR_HASH_KEY_STRING);
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_hash_index_t *at;
    apr_status_t rv = APR_SUCCESS;
    const void *key;

    if (!known || !known->pruned) {
        return APR_SUCCESS;
    }
    known->pruned = 0; /* once, though several files may be about it */
    for (at = apr_hash_first(apply->ctl->p, known->by_id); at && rv == APR_SUCCESS; at = apr_hash_next(at)) {
        apr_hash_this(at, &key, NULL, NULL);
        id = key;
        if (!apr_hash_get(known->declared, id, APR_HASH_KEY_STRING)) {
            rv = rrctl_api_call(&answer, &response, &apply->api, "DELETE", apr_pstrcat(apply->ctl->p, path, "/", id, NULL), NULL,
                                NULL, apply->ctl->p, apply->err);
            apply->deleted++;
            say(apply, '-', noun, id, "");
        }
    }
    return rv;
}

static apr_status_t apply_all(apply_t *apply)
{
    static const char *const made[] = { "credential", "target", "proxy" }, *const deleted[] = { "proxy", "target", "credential" };
    apr_status_t rv = APR_SUCCESS;
    const char *id;
    int i, k;

    for (i = 0; rv == APR_SUCCESS && i < apply->documents->nelts; i++) {
        const rr_json_t *client = APR_ARRAY_IDX(apply->documents, i, const rr_json_t *);

        if (!rr_json_string(rr_json_member(client, "id"))) {
            return rr_err_set(apply->err, RR_EINVAL, "/id", "a client that is declared has an id");
        }
        for (k = 0; k < 3; k++) {
            apply->total += (int)rr_json_size(rr_json_member(client, rrctl_kind(made[k])->collection));
        }
        if (rr_json_member(client, "clientName")) { /* else the file is about what is there */
            rv = apply_object(&id, apply, rrctl_kind("client"), NULL, "/clients", client);
        }
    }
    for (k = 0; k < 3; k++) {
        for (i = 0; rv == APR_SUCCESS && i < apply->documents->nelts; i++) {
            rv = apply_collection(apply, APR_ARRAY_IDX(apply->documents, i, const rr_json_t *), made[k]);
        }
    }
    for (k = 0; apply->prune && k < 3; k++) {
        for (i = 0; rv == APR_SUCCESS && i < apply->documents->nelts; i++) {
            rv = prune(apply, APR_ARRAY_IDX(apply->documents, i, const rr_json_t *), deleted[k]);
        }
    }
    return rv;
}

static void print_sum(apply_t *apply)
{
    FILE *out = apply->ctl->out;

    if (apply->done >= PROGRESS_STEP && isatty(fileno(apply->ctl->err))) {
        fputs("\r                              \r", apply->ctl->err);
    }
    if (apply->ctl->json) {
        fprintf(out, "{\"added\":%d,\"changed\":%d,\"deleted\":%d,\"unchanged\":%d,\"dryRun\":%s}\n", apply->added,
                apply->changed, apply->deleted, apply->unchanged, apply->dry_run ? "true" : "false");
        return;
    }
    fprintf(out, "%d added, %d changed, %d deleted, %d unchanged%s\n", apply->added, apply->changed, apply->deleted,
            apply->unchanged, apply->dry_run ? "; a dry run: nothing was written" : "");
}

static int run_apply(apply_t *apply, rrctl_t *ctl, const char *file)
{
    apr_finfo_t info;
    apr_status_t rv;

    if (strcmp(file, "-") && apr_stat(&info, file, APR_FINFO_TYPE, ctl->p) == APR_SUCCESS && info.filetype == APR_DIR) {
        rv = read_folder(apply, file);
    }
    else {
        rv = read_file(apply, file);
    }
    if (rv != APR_SUCCESS || (rv = rrctl_api_begin(&apply->api, ctl, apply->err)) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, apply->err);
    }
    rv = apply_all(apply);
    if (rv == APR_SUCCESS) {
        print_sum(apply);
    }
    if (rv == APR_SUCCESS && apply->dry_run) {
        rr_store_rollback(apply->api.store);
        rr_store_close(apply->api.store);
        return RRCTL_OK;
    }
    return rrctl_store_end(ctl, apply->api.store, rv, apply->err);
}

int cmd_apply(rrctl_t *ctl, int argc, const char *const *argv)
{
    static const apr_getopt_option_t known[] = { { "file", 'f', 1, NULL }, { "dry-run", 'n', 0, NULL },
                                                 { "prune", 'x', 0, NULL }, { NULL } };
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    const char *value, *file = NULL;
    rr_err_t err = RR_ERR_INIT;
    apply_t apply = { .ctl = ctl, .err = &err };
    apr_status_t rv;
    int option;

    while ((rv = apr_getopt_long(options, known, &option, &value)) == APR_SUCCESS) {
        file = option == 'f' ? value : file;
        apply.dry_run |= option == 'n';
        apply.prune |= option == 'x';
    }
    if (!APR_STATUS_IS_EOF(rv) || options->ind < argc || !file) {
        return rrctl_usage(ctl, "apply takes -f with a file, a folder or -");
    }
    apply.documents = apr_array_make(ctl->p, 4, sizeof(const rr_json_t *));
    apply.known = apr_hash_make(ctl->p);
    if (apr_pool_create(&apply.p, ctl->p) != APR_SUCCESS) {
        return rrctl_fail(ctl, "out of memory");
    }
    return run_apply(&apply, ctl, file);
}
