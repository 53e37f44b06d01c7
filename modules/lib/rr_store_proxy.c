/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_proxy.c: proxies: who may come in, and where that leads.
 */
#include "rr_store_int.h"

#include <string.h>

static apr_status_t read_credentials(rr_proxy_row_t *proxy, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows, *ids;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_PROXY_CREDENTIALS, RR_SQL_VALUES(proxy->id), p, err);
    int i;

    ids = apr_array_make(p, rows->nelts, sizeof(const char *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(rows, i, rr_sql_row_t)[0];
    }
    proxy->credentials = ids;
    return rv;
}

static apr_status_t proxy_row(const rr_proxy_row_t **prow, rr_store_t *store, rr_sql_row_t row, apr_pool_t *p,
                              rr_err_t *err)
{
    rr_proxy_row_t *proxy = apr_pcalloc(p, sizeof(*proxy));

    proxy->id = row[0];
    proxy->client = row[1];
    proxy->name = row[2];
    proxy->alias = row[3];
    proxy->region = row[4];
    proxy->all = strcmp(row[5], "any") != 0;
    proxy->target = row[6];
    proxy->target_credential = row[7];
    proxy->default_effect = row[8];
    proxy->active = (int)rr_column_number(row[9]);
    proxy->identity_headers = row[10];
    proxy->forward_headers = row[11];
    proxy->created = rr_column_number(row[12]);
    proxy->updated = rr_column_number(row[13]);
    *prow = proxy;
    return read_credentials(proxy, store, p, err);
}

static apr_status_t one_row(const rr_proxy_row_t **prow, rr_store_t *store, apr_status_t rv,
                            const apr_array_header_t *rows, apr_pool_t *p, rr_err_t *err)
{
    *prow = NULL;
    if (rv == APR_SUCCESS && !rows->nelts) {
        return rr_err_set(err, APR_NOTFOUND, "proxy", "there is no such proxy");
    }
    return rv == APR_SUCCESS ? proxy_row(prow, store, APR_ARRAY_IDX(rows, 0, rr_sql_row_t), p, err) : rv;
}

apr_status_t rr_store_proxy_get(const rr_proxy_row_t **prow, rr_store_t *store, const char *client, const char *id,
                                apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_PROXY_GET, RR_SQL_VALUES(client, id), p, err);

    return one_row(prow, store, rv, rows, p, err);
}

apr_status_t rr_store_proxy_by_name(const rr_proxy_row_t **prow, rr_store_t *store, const char *client, const char *name,
                                    apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_PROXY_BY_NAME, RR_SQL_VALUES(client, name), p, err);

    return one_row(prow, store, rv, rows, p, err);
}

apr_status_t rr_store_proxy_by_alias(const char **pid, rr_store_t *store, const char *alias, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_PROXY_BY_ALIAS, RR_SQL_VALUES(alias), p, err);

    *pid = rows->nelts ? APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[0] : NULL;
    return rv == APR_SUCCESS && !*pid ? rr_err_set(err, APR_NOTFOUND, "proxy", "there is no such proxy") : rv;
}

apr_status_t rr_store_proxy_list(apr_array_header_t **prows, rr_store_t *store, const char *client, const char *after,
                                 int limit, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_PROXY_LIST,
                                    RR_SQL_VALUES(client, after, rr_sql_number(p, limit)), p, err);
    const rr_proxy_row_t *proxy;
    int i;

    *prows = apr_array_make(p, rows->nelts, sizeof(rr_proxy_row_t *));
    for (i = 0; i < rows->nelts && rv == APR_SUCCESS; i++) {
        rv = proxy_row(&proxy, store, APR_ARRAY_IDX(rows, i, rr_sql_row_t), p, err);
        APR_ARRAY_PUSH(*prows, const rr_proxy_row_t *) = proxy;
    }
    return rv;
}

static apr_status_t add_credentials(rr_store_t *store, const rr_proxy_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < row->credentials->nelts && rv == APR_SUCCESS; i++) {
        rv = rr_sql_exec(NULL, store->sql, RR_SQL_PROXY_CREDENTIAL_ADD,
                         RR_SQL_VALUES(row->id, rr_sql_number(p, i), APR_ARRAY_IDX(row->credentials, i, const char *)), p,
                         err);
    }
    return rv;
}

/* The database would refuse it too, but a refused statement breaks the connection. */
static apr_status_t check_names(rr_store_t *store, const rr_proxy_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    const rr_proxy_row_t *other;
    rr_err_t quiet = RR_ERR_INIT;
    const char *id;
    apr_status_t rv = rr_store_proxy_by_name(&other, store, row->client, row->name, p, &quiet);

    if (rv == APR_SUCCESS) {
        return rr_err_set(err, RR_ECONFLICT, "proxyName", "there is a proxy of that name already");
    }
    if (APR_STATUS_IS_NOTFOUND(rv) && row->alias) {
        rr_err_clear(&quiet);
        rv = rr_store_proxy_by_alias(&id, store, row->alias, p, &quiet);
        if (rv == APR_SUCCESS) {
            return rr_err_set(err, RR_ECONFLICT, "proxyAlias", "that alias is taken");
        }
    }
    return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rr_err_set(err, rv, quiet.where, "%s", quiet.text);
}

apr_status_t rr_store_proxy_add(rr_store_t *store, const rr_proxy_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = check_names(store, row, p, err);

    if (rv == APR_SUCCESS) {
        rv = rr_sql_exec(NULL, store->sql, RR_SQL_PROXY_ADD,
                         RR_SQL_VALUES(row->id, row->client, row->name, row->alias, row->region,
                                       row->all ? "all" : "any", row->target, row->target_credential,
                                       row->default_effect, row->active ? "1" : "0", row->identity_headers,
                                       row->forward_headers, rr_sql_number(p, row->created),
                                       rr_sql_number(p, row->updated)),
                         p, err);
    }
    return rv == APR_SUCCESS ? add_credentials(store, row, p, err) : rv;
}

apr_status_t rr_store_proxy_update(rr_store_t *store, const rr_proxy_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = rr_sql_exec(NULL, store->sql, RR_SQL_PROXY_UPDATE,
                                  RR_SQL_VALUES(row->name, row->alias, row->region, row->all ? "all" : "any", row->target,
                                                row->target_credential, row->default_effect, row->active ? "1" : "0",
                                                row->identity_headers, row->forward_headers,
                                                rr_sql_number(p, row->updated), row->id),
                                  p, err);

    if (rv == APR_SUCCESS) {
        rv = rr_sql_exec(NULL, store->sql, RR_SQL_PROXY_CREDENTIALS_CLEAR, RR_SQL_VALUES(row->id), p, err);
    }
    return rv == APR_SUCCESS ? add_credentials(store, row, p, err) : rv;
}

apr_status_t rr_store_proxy_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p, rr_err_t *err)
{
    int changed = 0;
    apr_status_t rv = rr_sql_exec(&changed, store->sql, RR_SQL_PROXY_DELETE, RR_SQL_VALUES(client, id), p, err);

    return rv == APR_SUCCESS && !changed ? rr_err_set(err, APR_NOTFOUND, "proxy", "there is no such proxy") : rv;
}
