/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_client.c: clients: who owns credentials, targets and proxies.
 */
#include "rr_store_int.h"

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
    rr_client_t *client;
    rr_sql_row_t row;

    *pclient = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!rows->nelts) {
        return rr_err_set(err, APR_NOTFOUND, "client", "there is no client %.64s", id);
    }
    row = APR_ARRAY_IDX(rows, 0, rr_sql_row_t);
    client = apr_pcalloc(p, sizeof(*client));
    client->id = row[0];
    client->name = row[1];
    client->created = rr_column_number(row[2]);
    *pclient = client;
    return APR_SUCCESS;
}
