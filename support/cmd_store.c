/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_store.c: rrctl init, migrate, check, reseal, master-key create.
 */
#include "cmd_key.h"
#include "rrctl_store.h"

#include <apr_file_info.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <apr_user.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes a key file that only its owner reads; an existing one is never overwritten. */
static apr_status_t write_key_file(const char *path, apr_pool_t *p, rr_err_t *err)
{
    const char *line;
    apr_status_t rv = rr_keyring_new_line(&line, p, err);
    int fd, written;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return rr_err_set(err, errno == EEXIST ? RR_ECONFLICT : RR_EUNAVAIL, path, "cannot make the key file %.150s: %s",
                          path, strerror(errno));
    }
    line = apr_pstrcat(p, line, "\n", NULL);
    written = write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fsync(fd) == 0;
    if (close(fd) != 0 || !written) {
        unlink(path);
        return rr_err_set(err, RR_EUNAVAIL, path, "cannot write the key file %.150s: %s", path, strerror(errno));
    }
    return APR_SUCCESS;
}

/* An object of one string. */
static void print_text(rrctl_t *ctl, const char *member, const char *text)
{
    fprintf(ctl->out, "{\"%s\":%s}\n", member, rr_json_quote(ctl->p, text, strlen(text)));
}

int cmd_master_key_create(rrctl_t *ctl, int argc, const char *const *argv)
{
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    rr_err_t err = RR_ERR_INIT;
    const char *line, *value;
    int option;

    if (apr_getopt_long(options, (const apr_getopt_option_t[]){ { NULL } }, &option, &value) != APR_EOF ||
        argc - options->ind > 1) {
        return rrctl_usage(ctl, "master-key create takes at most a file name");
    }
    if (argc - options->ind == 1) {
        if (write_key_file(options->argv[options->ind], ctl->p, &err) != APR_SUCCESS) {
            return rrctl_fail_err(ctl, &err);
        }
        if (ctl->json) {
            print_text(ctl, "file", options->argv[options->ind]);
        }
        return RRCTL_OK;
    }
    if (rr_keyring_new_line(&line, ctl->p, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (ctl->json) {
        print_text(ctl, "masterKey", line);
    }
    else {
        fprintf(ctl->out, "%s\n", line);
    }
    return RRCTL_OK;
}

/* Who the store's files shall belong to. */
typedef struct {
    int change;
    uid_t user;
    gid_t group;
} owner_t;

/*
 * httpd's children write the database and make files beside it, so that both have to be theirs: USER if one was
 * named; else, for root, whoever owns the directory.
 */
static apr_status_t find_owner(owner_t *owner, const char *name, const char *directory, apr_pool_t *p, rr_err_t *err)
{
    struct stat info;

    memset(owner, 0, sizeof(*owner));
    if (name) {
        owner->change = 1;
        return apr_uid_get(&owner->user, &owner->group, name, p) == APR_SUCCESS
                   ? APR_SUCCESS
                   : rr_err_set(err, RR_EINVAL, "owner", "there is no user %.64s", name);
    }
    if (geteuid() == 0 && stat(directory, &info) == 0 && info.st_uid != 0) {
        owner->change = 1;
        owner->user = info.st_uid;
        owner->group = info.st_gid;
    }
    return APR_SUCCESS;
}

/* Not what a link leads to: whoever owns the directory can put one there. */
static apr_status_t give(const owner_t *owner, const char *path, rr_err_t *err)
{
    if (!owner->change || lchown(path, owner->user, owner->group) == 0 || errno == ENOENT) {
        return APR_SUCCESS;
    }
    return rr_err_set(err, RR_EUNAVAIL, path, "cannot give %.150s to that user: %s", path, strerror(errno));
}

/* The directory of a sqlite3 file, made if it is missing. */
static apr_status_t make_directory(const char **pdirectory, const char *file, const char *owner_name, apr_pool_t *p,
                                   rr_err_t *err)
{
    const char *slash = strrchr(file, '/');
    owner_t owner;
    apr_status_t rv;

    *pdirectory = slash ? apr_pstrmemdup(p, file, slash == file ? 1 : (apr_size_t)(slash - file)) : ".";
    if (mkdir(*pdirectory, 0700) != 0) {
        return errno == EEXIST ? APR_SUCCESS
                               : rr_err_set(err, RR_EUNAVAIL, *pdirectory, "cannot make the directory %.150s: %s",
                                            *pdirectory, strerror(errno));
    }
    rv = find_owner(&owner, owner_name, *pdirectory, p, err);
    return rv == APR_SUCCESS ? give(&owner, *pdirectory, err) : rv;
}

/* The keyring at source; a file that is not there yet is made, and *pmade says so. */
static apr_status_t load_or_make_keyring(rr_keyring_t **pring, int *pmade, const char *source, const owner_t *owner,
                                         apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv;

    *pmade = strncmp(source, "env:", 4) && strncmp(source, "exec:", 5) && access(source, F_OK) != 0;
    if (*pmade && ((rv = write_key_file(source, p, err)) != APR_SUCCESS ||
                   (rv = give(owner, source, err)) != APR_SUCCESS)) {
        return rv;
    }
    return rr_keyring_load(pring, source, p, err);
}

/* The operator's own credential, and its one key. */
static apr_status_t make_admin(rrctl_made_key_t *made, rrctl_t *ctl, rr_err_t *err)
{
    rrctl_key_order_t order = { .client = "default", .name = "admin", .scopes = "[\"rr:admin\"]" };
    apr_status_t rv;
    rr_api_t api;

    rv = rrctl_api_begin(&api, ctl, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rrctl_key_make(made, &api, &order, ctl->p, err);
    return rrctl_store_finish(api.store, rv, err);
}

static apr_status_t init(rrctl_made_key_t *made, rrctl_t *ctl, const char *owner_name, rr_err_t *err)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    const char *driver, *params, *source, *directory = NULL;
    owner_t owner = { 0 };
    rr_keyring_t *ring;
    apr_status_t rv;
    mode_t mask;
    int i, made_key;

    if ((rv = rrctl_store_name(&driver, &params, ctl, err)) != APR_SUCCESS ||
        (rv = rrctl_master_key(&source, ctl, err)) != APR_SUCCESS) {
        return rv;
    }
    if (!strcmp(driver, "sqlite3") &&
        ((rv = make_directory(&directory, params, owner_name, ctl->p, err)) != APR_SUCCESS ||
         (rv = find_owner(&owner, owner_name, directory, ctl->p, err)) != APR_SUCCESS)) {
        return rv;
    }
    rv = load_or_make_keyring(&ring, &made_key, source, &owner, ctl->p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    mask = umask(077);
    rv = rr_store_init(driver, params, ring, ctl->p, err);
    umask(mask);
    if (rv != APR_SUCCESS && made_key) {
        unlink(source); /* it seals nothing */
    }
    if (rv == APR_SUCCESS) {
        rv = make_admin(made, ctl, err);
    }
    for (i = 0; directory && rv == APR_SUCCESS && i < 3; i++) {
        rv = give(&owner, apr_pstrcat(ctl->p, params, suffixes[i], NULL), err);
    }
    return rv;
}

int cmd_init(rrctl_t *ctl, int argc, const char *const *argv)
{
    static const apr_getopt_option_t known[] = { { "owner", 'o', 1, NULL }, { NULL } };
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    const char *value, *owner = NULL;
    rr_err_t err = RR_ERR_INIT;
    rrctl_made_key_t made;
    apr_status_t rv;
    int option;

    while ((rv = apr_getopt_long(options, known, &option, &value)) == APR_SUCCESS) {
        owner = value;
    }
    if (!APR_STATUS_IS_EOF(rv) || options->ind < argc) {
        return rrctl_usage(ctl, "init takes no such argument");
    }
    rv = init(&made, ctl, owner, &err);
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (ctl->json) {
        rrctl_key_print_json(ctl, &made);
    }
    else {
        fprintf(ctl->out, "The store is made. The administrator's key, shown this once:\n\n    %s\n\n", made.key);
    }
    return RRCTL_OK;
}

int cmd_migrate(rrctl_t *ctl, int argc, const char *const *argv)
{
    const char *driver, *params;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;
    int from;

    (void)argv;
    if (argc > 1) {
        return rrctl_usage(ctl, "migrate takes no argument");
    }
    rv = rrctl_store_name(&driver, &params, ctl, &err);
    if (rv == APR_SUCCESS) {
        rv = rr_store_migrate(&from, driver, params, ctl->p, &err);
    }
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (ctl->json) {
        fprintf(ctl->out, "{\"from\":%d,\"schema\":%d}\n", from, RR_STORE_SCHEMA);
        return RRCTL_OK;
    }
    fprintf(ctl->out, from == RR_STORE_SCHEMA ? "The schema is version %d already.\n" : "The schema is now version %d.\n",
            RR_STORE_SCHEMA);
    return RRCTL_OK;
}

typedef struct {
    rrctl_t *ctl;
    const char *before; /* the next finding, in JSON */
} findings_t;

static void print_finding(void *baton, const char *sentence)
{
    findings_t *findings = baton;
    rrctl_t *ctl = findings->ctl;

    if (ctl->json) {
        fprintf(ctl->out, "%s%s", findings->before, rr_json_quote(ctl->p, sentence, strlen(sentence)));
        findings->before = ",";
    }
    else {
        fprintf(ctl->out, "%s\n", sentence);
    }
}

int cmd_check(rrctl_t *ctl, int argc, const char *const *argv)
{
    rr_keyring_t *ring = NULL;
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store = NULL;
    findings_t findings = { ctl, "{\"findings\":[" };
    const char *source;
    apr_status_t rv;
    int count = 0;

    (void)argv;
    if (argc > 1) {
        return rrctl_usage(ctl, "check takes no argument");
    }
    rv = rrctl_store_open(&store, ctl, &err);
    if (rv == APR_SUCCESS && (rv = rrctl_master_key(&source, ctl, &err)) == APR_SUCCESS) {
        rv = rr_keyring_load(&ring, source, ctl->p, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = rr_store_check(&count, store, ring, print_finding, &findings, ctl->p, &err);
    }
    if (store) {
        rr_store_close(store);
    }
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (ctl->json) {
        fprintf(ctl->out, "%s],\"sound\":%s}\n", count ? "" : findings.before, count ? "false" : "true");
    }
    if (count) {
        return rrctl_fail(ctl, "%d finding%s", count, count == 1 ? "" : "s");
    }
    if (!ctl->json) {
        fputs("The store is sound.\n", ctl->out);
    }
    return RRCTL_OK;
}

int cmd_reseal(rrctl_t *ctl, int argc, const char *const *argv)
{
    rr_err_t err = RR_ERR_INIT;
    rr_keyring_t *ring;
    rr_store_t *store;
    const char *source;
    apr_status_t rv;
    int count = 0, code;

    (void)argv;
    if (argc > 1) {
        return rrctl_usage(ctl, "reseal takes no argument");
    }
    if (rrctl_master_key(&source, ctl, &err) != APR_SUCCESS ||
        rr_keyring_load(&ring, source, ctl->p, &err) != APR_SUCCESS ||
        rrctl_store_open(&store, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rr_store_begin(store, ctl->p, &err);
    if (rv == APR_SUCCESS) {
        rv = rr_store_reseal(&count, store, ring, ctl->p, &err);
    }
    code = rrctl_store_end(ctl, store, rv, &err);
    if (code == RRCTL_OK && ctl->json) {
        fprintf(ctl->out, "{\"resealed\":%d,\"masterKeyId\":\"%s\"}\n", count, rr_keyring_id(ring));
    }
    else if (code == RRCTL_OK) {
        fprintf(ctl->out, "%d secret%s sealed again under master key %s.\n", count, count == 1 ? "" : "s",
                rr_keyring_id(ring));
    }
    return code;
}
