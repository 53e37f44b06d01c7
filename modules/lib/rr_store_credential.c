/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_credential.c: credentials: their kinds, their rows, and whether one lets a caller in.
 */
#include "rr_store_int.h"

#include <apr_strings.h>

#include <string.h>

static const struct {
    const char *word;
    rr_credential_kind_e kind;
} kinds[] = { /* the first word of a kind is the one we write */
    { "key", RR_CREDENTIAL_KEY },         { "apiKey", RR_CREDENTIAL_KEY },
    { "bearer", RR_CREDENTIAL_BEARER },   { "basic", RR_CREDENTIAL_BASIC },
    { "basicAuth", RR_CREDENTIAL_BASIC }, { "jwt", RR_CREDENTIAL_JWT },
    { "jwtVerify", RR_CREDENTIAL_JWT_VERIFY }, { "none", RR_CREDENTIAL_NONE },
    { "oauth2", RR_CREDENTIAL_OAUTH2 },   { "custom", RR_CREDENTIAL_CUSTOM },
};

const char *rr_credential_kind_word(rr_credential_kind_e kind)
{
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].word;
        }
    }
    return NULL;
}

rr_credential_kind_e rr_credential_kind(const char *word)
{
    apr_size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strcmp(kinds[i].word, word)) {
            return kinds[i].kind;
        }
    }
    return RR_CREDENTIAL_UNKNOWN;
}

apr_status_t rr_credential_judge(const rr_credential_t *credential, rr_credential_kind_e kind, apr_time_t now,
                                 rr_err_t *err)
{
    if (kind == RR_CREDENTIAL_UNKNOWN || credential->kind != kind) {
        return rr_err_set(err, APR_NOTFOUND, "credential", "the credential is of another kind");
    }
    if (!credential->active) {
        return rr_err_set(err, RR_EREVOKED, "credential", "the credential is not active");
    }
    if (credential->expires && credential->expires <= now) {
        return rr_err_set(err, RR_EEXPIRED, "credential", "the credential has expired");
    }
    return APR_SUCCESS;
}

const char *rr_credential_context(apr_pool_t *p, const char *id)
{
    return apr_pstrcat(p, "credential/", id, NULL);
}

const rr_credential_row_t *rr_credential_row(rr_sql_row_t row, apr_pool_t *p)
{
    rr_credential_row_t *credential = apr_pcalloc(p, sizeof(*credential));

    credential->id = row[0];
    credential->client = row[1];
    credential->target = !strcmp(row[2], "target");
    credential->kind = rr_credential_kind(row[3]);
    credential->name = row[4];
    credential->region = row[5];
    credential->scopes = row[6];
    credential->metadata = row[7];
    credential->default_effect = row[8];
    credential->active = (int)rr_column_number(row[9]);
    credential->expires = rr_column_number(row[10]);
    credential->origins = row[11];
    credential->params = row[12];
    credential->secret = row[13];
    credential->created = rr_column_number(row[14]);
    credential->updated = rr_column_number(row[15]);
    return credential;
}

static apr_status_t one_row(const rr_credential_row_t **prow, apr_status_t rv, const apr_array_header_t *rows,
                            apr_pool_t *p, rr_err_t *err)
{
    *prow = NULL;
    if (rv == APR_SUCCESS && !rows->nelts) {
        return rr_err_set(err, APR_NOTFOUND, "credential", "there is no such credential");
    }
    if (rv == APR_SUCCESS) {
        *prow = rr_credential_row(APR_ARRAY_IDX(rows, 0, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_credential_get(const rr_credential_row_t **prow, rr_store_t *store, const char *client,
                                     const char *id, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv;

    client = client ? client : "";
    rv = rr_sql_select(&rows, store->sql, RR_SQL_CREDENTIAL_GET, RR_SQL_VALUES(id, client, client), p, err);
    return one_row(prow, rv, rows, p, err);
}

apr_status_t rr_store_credential_by_name(const rr_credential_row_t **prow, rr_store_t *store, const char *client,
                                         int target, const char *name, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_CREDENTIAL_BY_NAME,
                                    RR_SQL_VALUES(client, target ? "target" : "proxy", name), p, err);

    return one_row(prow, rv, rows, p, err);
}

apr_status_t rr_store_credential_add(rr_store_t *store, const rr_credential_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    const rr_credential_row_t *other;
    const rr_client_t *client;
    rr_err_t quiet = RR_ERR_INIT;
    apr_status_t rv = rr_store_client_get(&client, store, row->client, p, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rr_store_credential_by_name(&other, store, row->client, row->target, row->name, p, &quiet);
    if (rv == APR_SUCCESS) {
        return rr_err_set(err, RR_ECONFLICT, "credentialName", "there is a credential of that type and name already");
    }
    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rr_err_set(err, rv, quiet.where, "%s", quiet.text);
    }
    return rr_sql_exec(NULL, store->sql, RR_SQL_CREDENTIAL_ADD,
                       RR_SQL_VALUES(row->id, row->client, row->target ? "target" : "proxy",
                                     rr_credential_kind_word(row->kind), row->name, row->region, row->scopes,
                                     row->metadata, row->default_effect, row->active ? "1" : "0",
                                     rr_sql_number(p, row->expires), row->origins, row->params, row->secret,
                                     rr_sql_number(p, row->created), rr_sql_number(p, row->updated)),
                       p, err);
}

apr_status_t rr_store_credential_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p,
                                        rr_err_t *err)
{
    apr_array_header_t *users;
    apr_status_t rv = rr_sql_select(&users, store->sql, RR_SQL_CREDENTIAL_USERS, RR_SQL_VALUES(id), p, err);
    int changed = 0;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (users->nelts) {
        return rr_err_set(err, RR_ECONFLICT, "credential", "a proxy uses it as its target credential: %s",
                          APR_ARRAY_IDX(users, 0, rr_sql_row_t)[0]);
    }
    client = client ? client : "";
    rv = rr_sql_exec(&changed, store->sql, RR_SQL_CREDENTIAL_DELETE, RR_SQL_VALUES(id, client, client), p, err);
    return rv == APR_SUCCESS && !changed
               ? rr_err_set(err, APR_NOTFOUND, "credential", "there is no such credential")
               : rv;
}

apr_status_t rr_store_credential_list(apr_array_header_t **prows, rr_store_t *store, const char *client,
                                      const char *after, int limit, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_CREDENTIAL_LIST,
                                    RR_SQL_VALUES(client, after, rr_sql_number(p, limit)), p, err);
    int i;

    *prows = apr_array_make(p, rows->nelts, sizeof(rr_credential_row_t *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*prows, const rr_credential_row_t *) = rr_credential_row(APR_ARRAY_IDX(rows, i, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_credential_update(rr_store_t *store, const rr_credential_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    return rr_sql_exec(NULL, store->sql, RR_SQL_CREDENTIAL_UPDATE,
                       RR_SQL_VALUES(row->name, row->region, row->scopes, row->metadata, row->default_effect,
                                     row->active ? "1" : "0", rr_sql_number(p, row->expires), row->origins, row->params,
                                     row->secret, rr_sql_number(p, row->updated), row->id),
                       p, err);
}

apr_status_t rr_store_credential_targets(apr_array_header_t **purls, rr_store_t *store, const char *id, apr_pool_t *p,
                                         rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_CREDENTIAL_TARGETS, RR_SQL_VALUES(id), p, err);
    int i;

    *purls = apr_array_make(p, rows->nelts, sizeof(const char *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*purls, const char *) = APR_ARRAY_IDX(rows, i, rr_sql_row_t)[0];
    }
    return rv;
}

apr_status_t rr_store_users(apr_array_header_t **pusers, rr_store_t *store, rr_users_e of, const char *id, apr_pool_t *p,
                            rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql,
                                    of == RR_USERS_OF_TARGET ? RR_SQL_TARGET_USERS : RR_SQL_CREDENTIAL_USERS,
                                    RR_SQL_VALUES(id), p, err);
    int i;

    *pusers = apr_array_make(p, rows->nelts, sizeof(rr_user_t *));
    for (i = 0; i < rows->nelts; i++) {
        rr_user_t *user = apr_pcalloc(p, sizeof(*user));

        user->id = APR_ARRAY_IDX(rows, i, rr_sql_row_t)[0];
        user->name = APR_ARRAY_IDX(rows, i, rr_sql_row_t)[1];
        APR_ARRAY_PUSH(*pusers, const rr_user_t *) = user;
    }
    return rv;
}
