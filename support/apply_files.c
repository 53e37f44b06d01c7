/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply_files.c: rrctl apply: what files declare, as one list of clients.
 */
#include "apply.h"

#include <apr_file_info.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define MAX_FILE (1024LL * 1024 * 1024)

static apr_status_t add_document(apply_t *apply, const rr_json_t *document)
{
    const rr_json_t *clients = rr_json_member(document, "clients");
    const char *id = rr_json_quote(apply->ctl->p, apply->ctl->client, RR_MAX_NAME), *text;
    apr_size_t i;

    if (clients && rr_json_kind(clients) != RR_JSON_ARRAY) {
        return rr_err_set(apply->err, RR_EINVAL, "/clients", "clients are no array");
    }
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

apr_status_t apply_read(apply_t *apply, const char *path)
{
    apr_finfo_t info;

    return strcmp(path, "-") && apr_stat(&info, path, APR_FINFO_TYPE, apply->ctl->p) == APR_SUCCESS &&
                   info.filetype == APR_DIR
               ? read_folder(apply, path)
               : read_file(apply, path);
}
