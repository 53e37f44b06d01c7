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
#include "apply.h"

#include "rrctl_store.h"

#include <apr_strings.h>

#include <string.h>
#include <unistd.h>

#define PROGRESS_STEP 500

void apply_say(apply_t *apply, char sign, const char *noun, const char *name, const char *what)
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

/* Rules, filters and keys. One that is no array would be as good as an empty one, and delete them all. */
static apr_status_t apply_what_hangs(apply_t *apply, const char *above, const char *id, const rr_json_t *object)
{
    static const char *const names[] = { "rules", "filters", "keys" };
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < 3 && rv == APR_SUCCESS; i++) {
        const rr_json_t *list = rr_json_member(object, names[i]);

        if (list && rr_json_kind(list) != RR_JSON_ARRAY) {
            return rr_err_set(apply->err, RR_EINVAL, names[i], "its %s are no array", names[i]);
        }
        if (list) {
            rv = i == 2 ? apply_keys(apply, above, id, list) : apply_attached(apply, i ? "filter" : "rule", above, list);
        }
    }
    return rv;
}

static apr_status_t apply_collection(apply_t *apply, const rr_json_t *document, const char *noun)
{
    const rrctl_kind_t *kind = rrctl_kind(noun);
    const char *client = rr_json_string(rr_json_member(document, "id")), *id, *above;
    const rr_json_t *list = rr_json_member(document, kind->collection);
    const char *path = apr_pstrcat(apply->ctl->p, "/clients/", client, "/", kind->collection, NULL);
    apr_status_t rv = APR_SUCCESS;
    apply_known_t *known;
    apr_size_t i;

    if (list && rr_json_kind(list) != RR_JSON_ARRAY) {
        return rr_err_set(apply->err, RR_EINVAL, kind->collection, "%s of client %.64s are no array", kind->collection, client);
    }
    for (i = 0; rv == APR_SUCCESS && i < rr_json_size(list); i++) {
        const rr_json_t *object = rr_json_element(list, i);

        apr_pool_clear(apply->p);
        rv = apply_object(&id, apply, kind, client, path, object);
        above = apr_pstrcat(apply->p, path, "/", id ? id : "", NULL);
        if (rv == APR_SUCCESS && (rv = apply_what_hangs(apply, above, id, object)) != APR_SUCCESS) {
            return apply_blame(apply, rv, noun, apply_name(apply, kind, client, object));
        }
        progress(apply);
    }
    if (rv == APR_SUCCESS && list && (rv = apply_get_known(&known, apply, kind, path)) == APR_SUCCESS) {
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
    apply_known_t *known = apr_hash_get(apply->known, path, APR_HASH_KEY_STRING);
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
            apply_say(apply, '-', noun, id, "");
        }
    }
    return rv;
}

/* A collection misspelt would be one that is not declared. "message" is what list answers beside it. */
static int check_member(void *baton, const char *name, const rr_json_t *value)
{
    static const char *const known[] = { "id", "clientName", "clientCreatedAt", "clientUpdatedAt", "credentials", "targets",
                                         "proxies", "message" };
    apply_t *apply = baton;
    apr_size_t i;

    (void)value;
    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(known[i], name)) {
            return 1;
        }
    }
    rr_err_set(apply->err, RR_EINVAL, name, "%.64s: a client has credentials, targets and proxies", name);
    return 0;
}

static apr_status_t check_client(apply_t *apply, const rr_json_t *client)
{
    const char *id = rr_json_string(rr_json_member(client, "id"));

    if (!id) {
        return rr_err_set(apply->err, RR_EINVAL, "/id", "a client that is declared has an id");
    }
    rr_json_members(client, check_member, apply);
    return apply->err->status == APR_SUCCESS ? APR_SUCCESS : apply_blame(apply, RR_EINVAL, "client", id);
}

static apr_status_t apply_all(apply_t *apply)
{
    static const char *const made[] = { "credential", "target", "proxy" }, *const deleted[] = { "proxy", "target", "credential" };
    apr_status_t rv = APR_SUCCESS;
    const char *id;
    int i, k;

    for (i = 0; rv == APR_SUCCESS && i < apply->documents->nelts; i++) {
        const rr_json_t *client = APR_ARRAY_IDX(apply->documents, i, const rr_json_t *);

        if ((rv = check_client(apply, client)) != APR_SUCCESS) {
            return rv;
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
    apr_status_t rv = apply_read(apply, file);

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
