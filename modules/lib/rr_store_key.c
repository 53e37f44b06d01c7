/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_key.c: keys: many a credential, each found by its digest, with its own end.
 */
#include "rr_store_int.h"

#include <apr_strings.h>
#include <string.h>

/* The earlier of two ends, 0 being none. */
static apr_time_t earlier(apr_time_t a, apr_time_t b)
{
    return !a ? b : !b || a < b ? a : b;
}

/* credentialScopes, and those of metadata that do not claim power over the gateway. */
static const apr_array_header_t *scopes_of(const rr_credential_t *credential, const rr_json_t *own, apr_pool_t *p)
{
    const apr_array_header_t *more = rr_json_words(p, rr_json_member(credential->metadata, "scopes"));
    apr_array_header_t *scopes = rr_json_words(p, own);
    int i;

    for (i = 0; i < more->nelts && scopes->nelts < RR_MAX_SCOPES; i++) {
        if (strncmp(APR_ARRAY_IDX(more, i, const char *), "rr:", 3)) {
            APR_ARRAY_PUSH(scopes, const char *) = APR_ARRAY_IDX(more, i, const char *);
        }
    }
    return scopes;
}

static const char *subject_of(const rr_credential_t *credential, apr_pool_t *p)
{
    const char *user = rr_json_scalar(p, rr_json_member(credential->metadata, "userId"));

    return user && *user ? user : credential->full_name;
}

apr_status_t rr_store_key_find(const rr_credential_t **pfound, rr_revision_t *revision, rr_store_t *store,
                               const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err)
{
    const rr_json_t *scopes = NULL;
    rr_credential_t *found;
    apr_array_header_t *rows;
    rr_sql_row_t row;
    apr_status_t rv;

    *pfound = NULL;
    rv = rr_sql_select(&rows, store->sql, RR_SQL_KEY_FIND,
                       RR_SQL_VALUES(rr_sql_hex(p, digest, RR_KEY_DIGEST_LEN)), p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (rows->nelts != 1) {
        return rr_err_set(err, RR_ESCHEMA, "rr_store", "the store has lost its row in rr_store: restore it from a backup");
    }
    row = APR_ARRAY_IDX(rows, 0, rr_sql_row_t);
    rv = rr_column_revision(revision, row, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!row[3] || !row[6]) {
        return APR_NOTFOUND;
    }
    found = apr_pcalloc(p, sizeof(*found));
    found->key_id = row[3];
    found->hint = row[4];
    found->expires = earlier(rr_column_number(row[5]), rr_column_number(row[11]));
    found->id = row[6];
    found->client = row[7];
    found->name = row[8];
    found->full_name = apr_pstrcat(p, found->client, "/", found->name, NULL);
    found->kind = rr_credential_kind(row[9]);
    found->active = rr_column_number(row[10]) == 1;
    /* Whoever wrote something else than JSON there meant something that we do not know: refused, not ignored. */
    if (rr_json_parse(&scopes, row[12], strlen(row[12]), p, NULL) != APR_SUCCESS ||
        rr_json_kind(scopes) != RR_JSON_ARRAY ||
        (row[13] && rr_json_parse_object(&found->metadata, row[13], strlen(row[13]), p, NULL) != APR_SUCCESS)) {
        return rr_err_set(err, RR_EINVAL, found->id, "credential %s has scopes or metadata that are no JSON: rrctl check",
                          found->id);
    }
    found->sub = subject_of(found, p);
    found->scopes = scopes_of(found, scopes, p);
    found->scope = apr_array_pstrcat(p, found->scopes, ' ');
    *pfound = found;
    return APR_SUCCESS;
}

/* False: no digest as we write it, under which nothing can be found. */
static int read_hex(unsigned char digest[RR_KEY_DIGEST_LEN], const char *hex)
{
    int i;

    if (strspn(hex, "0123456789abcdef") != 2 * RR_KEY_DIGEST_LEN || hex[2 * RR_KEY_DIGEST_LEN]) {
        return 0;
    }
    for (i = 0; i < 2 * RR_KEY_DIGEST_LEN; i++) {
        unsigned char value = (unsigned char)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);

        digest[i / 2] = (unsigned char)(i % 2 ? digest[i / 2] | value : value << 4);
    }
    return 1;
}

/*
 * Adds the digests behind after, of which the last is after then; *prows: 0 at the end. Each has to be greater than the
 * one before, byte by byte, in whatever order the database sorts: so none is left out. APR_ENOSPC: there is no room.
 */
static apr_status_t add_part(rr_digests_t *digests, int *prows, char after[2 * RR_KEY_DIGEST_LEN + 1], rr_store_t *store,
                             apr_pool_t *p, rr_err_t *err)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_KEY_DIGESTS, RR_SQL_VALUES(after), p, err);
    int i;

    *prows = rows->nelts;
    for (i = 0; i < rows->nelts && rv == APR_SUCCESS; i++) {
        const char *hex = APR_ARRAY_IDX(rows, i, rr_sql_row_t)[0];

        if (!hex || !read_hex(digest, hex) || strcmp(hex, after) <= 0) {
            return rr_err_set(err, RR_EINVAL, "rr_key", "a key's digest is not as we write it, or not in its place");
        }
        memcpy(after, hex, 2 * RR_KEY_DIGEST_LEN);
        rv = rr_digests_add(digests, digest) ? APR_SUCCESS : APR_ENOSPC;
    }
    return rv;
}

/* In a transaction: all of them into digests. APR_EGENERAL: go_on said no. */
static apr_status_t add_all(rr_digests_t *digests, rr_store_t *store, rr_digests_go_on_t go_on, void *baton,
                            apr_pool_t *p, rr_err_t *err)
{
    char after[2 * RR_KEY_DIGEST_LEN + 1] = "";
    rr_revision_t revision;
    apr_pool_t *part;
    apr_status_t rv = rr_store_revision(&revision, store, p, err);
    int rows = 1;

    apr_pool_create(&part, p);
    while (rv == APR_SUCCESS && rows) {
        rv = go_on(baton, &revision) ? add_part(digests, &rows, after, store, part, err) : APR_EGENERAL;
        apr_pool_clear(part);
    }
    apr_pool_destroy(part);
    return rv;
}

apr_status_t rr_store_digests(rr_digests_t **pdigests, rr_store_t *store, apr_int64_t room, rr_digests_go_on_t go_on,
                              void *baton, apr_pool_t *p, rr_err_t *err)
{
    rr_digests_t *digests = rr_digests_make(room);
    apr_status_t rv;

    *pdigests = NULL;
    if (!digests) {
        return rr_err_set(err, APR_ENOMEM, "rr_key", "there is no memory for the digests of so many keys");
    }
    rv = rr_store_begin_read(store, err);
    if (rv == APR_SUCCESS) {
        rv = add_all(digests, store, go_on, baton, p, err);
        rr_store_rollback(store); /* it has only read */
    }
    if (rv == APR_SUCCESS) {
        *pdigests = digests;
        return rv;
    }
    rr_digests_free(digests);
    return rv == APR_EGENERAL || rv == APR_ENOSPC ? APR_SUCCESS : rv;
}

static const rr_key_row_t *key_row(rr_sql_row_t row, apr_pool_t *p)
{
    rr_key_row_t *key = apr_pcalloc(p, sizeof(*key));

    key->id = row[0];
    key->credential = row[1];
    key->client = row[2];
    key->name = row[3];
    key->hint = row[4];
    key->expires = rr_column_number(row[5]);
    key->created = rr_column_number(row[6]);
    key->used = rr_column_number(row[7]);
    return key;
}

apr_status_t rr_store_key_add(rr_store_t *store, const rr_key_row_t *row,
                              const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err)
{
    const char *hex = rr_sql_hex(p, digest, RR_KEY_DIGEST_LEN);
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_KEY_TAKEN, RR_SQL_VALUES(hex), p, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (rows->nelts) {
        return rr_err_set(err, RR_ECONFLICT, "key", "that value is the key of a credential already");
    }
    return rr_sql_exec(NULL, store->sql, RR_SQL_KEY_ADD,
                       RR_SQL_VALUES(row->id, row->credential, hex, row->hint, rr_sql_number(p, row->expires),
                                     rr_sql_number(p, row->created)),
                       p, err);
}

apr_status_t rr_store_key_owner(const char **pid, const char **pcredential, rr_store_t *store,
                                const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_KEY_TAKEN,
                                    RR_SQL_VALUES(rr_sql_hex(p, digest, RR_KEY_DIGEST_LEN)), p, err);

    *pid = rows->nelts ? APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[0] : NULL;
    *pcredential = rows->nelts ? APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[1] : NULL;
    return rv;
}

apr_status_t rr_store_key_delete_others(int *pcount, rr_store_t *store, const char *credential,
                                        const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err)
{
    return rr_sql_exec(pcount, store->sql, RR_SQL_KEY_DELETE_OTHERS,
                       RR_SQL_VALUES(credential, rr_sql_hex(p, digest, RR_KEY_DIGEST_LEN)), p, err);
}

apr_status_t rr_store_key_get(const rr_key_row_t **prow, rr_store_t *store, const char *client, const char *id,
                              apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv;

    *prow = NULL;
    client = client ? client : "";
    rv = rr_sql_select(&rows, store->sql, RR_SQL_KEY_GET, RR_SQL_VALUES(id, client, client), p, err);
    if (rv == APR_SUCCESS && !rows->nelts) {
        return rr_err_set(err, APR_NOTFOUND, "key", "there is no such key");
    }
    if (rv == APR_SUCCESS) {
        *prow = key_row(APR_ARRAY_IDX(rows, 0, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_key_list(apr_array_header_t **prows, rr_store_t *store, const char *client,
                               const char *credential, const char *after, int limit, apr_pool_t *p, rr_err_t *err)
{
    const char *most = rr_sql_number(p, limit);
    apr_array_header_t *rows;
    apr_status_t rv;
    int i;

    rv = credential ? rr_sql_select(&rows, store->sql, RR_SQL_KEY_LIST,
                                    RR_SQL_VALUES(client, credential, after, most), p, err)
                    : rr_sql_select(&rows, store->sql, RR_SQL_KEY_LIST_ALL, RR_SQL_VALUES(client, after, most), p, err);
    *prows = apr_array_make(p, rows->nelts, sizeof(rr_key_row_t *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*prows, const rr_key_row_t *) = key_row(APR_ARRAY_IDX(rows, i, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_key_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv;
    int changed = 0;

    client = client ? client : "";
    rv = rr_sql_exec(&changed, store->sql, RR_SQL_KEY_DELETE, RR_SQL_VALUES(id, client, client), p, err);
    return rv == APR_SUCCESS && !changed ? rr_err_set(err, APR_NOTFOUND, "key", "there is no such key") : rv;
}

apr_status_t rr_store_key_end_all(rr_store_t *store, const char *credential, apr_time_t end, apr_pool_t *p,
                                  rr_err_t *err)
{
    const char *when = rr_sql_number(p, end);

    return rr_sql_exec(NULL, store->sql, RR_SQL_KEY_END_ALL, RR_SQL_VALUES(when, credential, when), p, err);
}

apr_status_t rr_store_keys_used(rr_store_t *store, const rr_key_use_t *uses, int count, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = rr_store_begin(store, p, err);
    int i;

    for (i = 0; i < count && rv == APR_SUCCESS; i++) {
        rv = rr_sql_exec(NULL, store->sql, RR_SQL_KEY_USED,
                         RR_SQL_VALUES(rr_sql_number(p, uses[i].used), uses[i].key_id), p, err);
    }
    if (rv != APR_SUCCESS) {
        rr_store_rollback(store);
        return rv;
    }
    return rr_store_commit(store, err);
}
