/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_target.c: targets: where proxies forward to.
 */
#include "rr_store_int.h"

static const rr_target_row_t *target_row(rr_sql_row_t row, apr_pool_t *p)
{
    rr_target_row_t *target = apr_pcalloc(p, sizeof(*target));

    target->id = row[0];
    target->client = row[1];
    target->name = row[2];
    target->base_url = row[3];
    target->test_path = row[4];
    target->region = row[5];
    target->default_effect = row[6];
    target->created = rr_column_number(row[7]);
    target->updated = rr_column_number(row[8]);
    return target;
}

static apr_status_t one_row(const rr_target_row_t **prow, apr_status_t rv, const apr_array_header_t *rows, apr_pool_t *p,
                            rr_err_t *err)
{
    *prow = NULL;
    if (rv == APR_SUCCESS && !rows->nelts) {
        return rr_err_set(err, APR_NOTFOUND, "target", "there is no such target");
    }
    if (rv == APR_SUCCESS) {
        *prow = target_row(APR_ARRAY_IDX(rows, 0, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_target_get(const rr_target_row_t **prow, rr_store_t *store, const char *client, const char *id,
                                 apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_TARGET_GET, RR_SQL_VALUES(client, id), p, err);

    return one_row(prow, rv, rows, p, err);
}

apr_status_t rr_store_target_by_name(const rr_target_row_t **prow, rr_store_t *store, const char *client,
                                     const char *name, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_TARGET_BY_NAME, RR_SQL_VALUES(client, name), p, err);

    return one_row(prow, rv, rows, p, err);
}

apr_status_t rr_store_target_list(apr_array_header_t **prows, rr_store_t *store, const char *client, const char *after,
                                  int limit, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_TARGET_LIST,
                                    RR_SQL_VALUES(client, after, rr_sql_number(p, limit)), p, err);
    int i;

    *prows = apr_array_make(p, rows->nelts, sizeof(rr_target_row_t *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*prows, const rr_target_row_t *) = target_row(APR_ARRAY_IDX(rows, i, rr_sql_row_t), p);
    }
    return rv;
}

/* The database would refuse it too, but a refused statement breaks the connection. */
static apr_status_t check_name(rr_store_t *store, const rr_target_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    const rr_target_row_t *other;
    rr_err_t quiet = RR_ERR_INIT;
    apr_status_t rv = rr_store_target_by_name(&other, store, row->client, row->name, p, &quiet);

    if (rv == APR_SUCCESS) {
        return rr_err_set(err, RR_ECONFLICT, "targetName", "there is a target of that name already");
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rr_err_set(err, rv, quiet.where, "%s", quiet.text);
}

apr_status_t rr_store_target_add(rr_store_t *store, const rr_target_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = check_name(store, row, p, err);

    return rv == APR_SUCCESS
               ? rr_sql_exec(NULL, store->sql, RR_SQL_TARGET_ADD,
                             RR_SQL_VALUES(row->id, row->client, row->name, row->base_url, row->test_path, row->region,
                                           row->default_effect, rr_sql_number(p, row->created),
                                           rr_sql_number(p, row->updated)),
                             p, err)
               : rv;
}

apr_status_t rr_store_target_update(rr_store_t *store, const rr_target_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    return rr_sql_exec(NULL, store->sql, RR_SQL_TARGET_UPDATE,
                       RR_SQL_VALUES(row->name, row->base_url, row->test_path, row->region, row->default_effect,
                                     rr_sql_number(p, row->updated), row->id),
                       p, err);
}

apr_status_t rr_store_target_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *users;
    apr_status_t rv = rr_store_users(&users, store, RR_USERS_OF_TARGET, id, p, err);
    int changed = 0;

    if (rv == APR_SUCCESS && users->nelts) {
        return rr_err_set(err, RR_ECONFLICT, "target", "a proxy uses it: %s", APR_ARRAY_IDX(users, 0, rr_user_t *)->id);
    }
    if (rv == APR_SUCCESS) {
        rv = rr_sql_exec(&changed, store->sql, RR_SQL_TARGET_DELETE, RR_SQL_VALUES(client, id), p, err);
    }
    return rv == APR_SUCCESS && !changed ? rr_err_set(err, APR_NOTFOUND, "target", "there is no such target") : rv;
}

apr_status_t rr_store_target_credentials(apr_array_header_t **prows, rr_store_t *store, const char *id, apr_pool_t *p,
                                         rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_TARGET_CREDENTIALS, RR_SQL_VALUES(id), p, err);
    int i;

    *prows = apr_array_make(p, rows->nelts, sizeof(rr_credential_row_t *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*prows, const rr_credential_row_t *) = rr_credential_row(APR_ARRAY_IDX(rows, i, rr_sql_row_t), p);
    }
    return rv;
}
