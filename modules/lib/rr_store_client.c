/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_client.c: clients: who owns credentials, targets and proxies.
 */
#include "rr_store_int.h"

static const rr_client_t *client_row(rr_sql_row_t row, apr_pool_t *p)
{
    rr_client_t *client = apr_pcalloc(p, sizeof(*client));

    client->id = row[0];
    client->name = row[1];
    client->created = rr_column_number(row[2]);
    return client;
}

apr_status_t rr_store_client_add(rr_store_t *store, const rr_client_t *client, apr_pool_t *p, rr_err_t *err)
{
    const rr_client_t *other;
    apr_status_t rv = rr_store_client_get(&other, store, client->id, p, NULL);

    if (rv == APR_SUCCESS) {
        return rr_err_set(err, RR_ECONFLICT, "id", "there is a client of that id already");
    }
    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rr_err_set(err, rv, "client", "the database did not answer");
    }
    return rr_sql_exec(NULL, store->sql, RR_SQL_CLIENT_ADD,
                       RR_SQL_VALUES(client->id, client->name, rr_sql_number(p, client->created)), p, err);
}

apr_status_t rr_store_client_get(const rr_client_t **pclient, rr_store_t *store, const char *id, apr_pool_t *p,
                                 rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_CLIENT_GET, RR_SQL_VALUES(id), p, err);

    *pclient = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!rows->nelts) {
        return rr_err_set(err, APR_NOTFOUND, "client", "there is no client %.64s", id);
    }
    *pclient = client_row(APR_ARRAY_IDX(rows, 0, rr_sql_row_t), p);
    return APR_SUCCESS;
}

apr_status_t rr_store_client_list(apr_array_header_t **pclients, rr_store_t *store, const char *after, int limit,
                                  apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_CLIENT_LIST, RR_SQL_VALUES(after, rr_sql_number(p, limit)),
                                    p, err);
    int i;

    *pclients = apr_array_make(p, rows->nelts, sizeof(rr_client_t *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*pclients, const rr_client_t *) = client_row(APR_ARRAY_IDX(rows, i, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_client_update(rr_store_t *store, const rr_client_t *client, apr_pool_t *p, rr_err_t *err)
{
    return rr_sql_exec(NULL, store->sql, RR_SQL_CLIENT_UPDATE, RR_SQL_VALUES(client->name, client->id), p, err);
}

apr_status_t rr_store_client_delete(rr_store_t *store, const char *id, apr_pool_t *p, rr_err_t *err)
{
    int changed = 0;
    apr_status_t rv = rr_sql_exec(&changed, store->sql, RR_SQL_CLIENT_DELETE, RR_SQL_VALUES(id), p, err);

    return rv == APR_SUCCESS && !changed
               ? rr_err_set(err, RR_ECONFLICT, "client", "the client has credentials, targets or proxies: delete these first")
               : rv;
}
