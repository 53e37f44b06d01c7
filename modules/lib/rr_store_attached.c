/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_attached.c: rules and filters, which hang on a proxy, a credential or a target. Their two tables are alike.
 */
#include "rr_store_int.h"

enum { ADD, GET, LIST, COUNT, DELETE };

static rr_sql_e statement(int filter, int which)
{
    return (filter ? RR_SQL_FILTER_ADD : RR_SQL_RULE_ADD) + which;
}

/* owner in the place of its kind, "" (which nobody's id is) in the others. */
static const char *in_place(rr_owner_e of, rr_owner_e place, const char *owner)
{
    return of == place ? owner : "";
}

#define OWNER(client, of, owner) \
    client, in_place(of, RR_OWNER_PROXY, owner), client, in_place(of, RR_OWNER_CREDENTIAL, owner), client, \
        in_place(of, RR_OWNER_TARGET, owner)

static const rr_attached_row_t *attached_row(rr_sql_row_t row, apr_pool_t *p)
{
    rr_attached_row_t *attached = apr_pcalloc(p, sizeof(*attached));

    attached->id = row[0];
    attached->client = row[1];
    attached->of = row[2] ? RR_OWNER_PROXY : row[3] ? RR_OWNER_CREDENTIAL : RR_OWNER_TARGET;
    attached->owner = row[2] ? row[2] : row[3] ? row[3] : row[4];
    attached->body = row[5];
    attached->created = rr_column_number(row[6]);
    return attached;
}

apr_status_t rr_store_attached_add(rr_store_t *store, int filter, const rr_attached_row_t *row, apr_pool_t *p,
                                   rr_err_t *err)
{
    return rr_sql_exec(NULL, store->sql, statement(filter, ADD),
                       RR_SQL_VALUES(row->id, row->client, row->of == RR_OWNER_PROXY ? row->owner : NULL,
                                     row->of == RR_OWNER_CREDENTIAL ? row->owner : NULL,
                                     row->of == RR_OWNER_TARGET ? row->owner : NULL, row->body,
                                     rr_sql_number(p, row->created)),
                       p, err);
}

apr_status_t rr_store_attached_get(const rr_attached_row_t **prow, rr_store_t *store, int filter, const char *client,
                                   rr_owner_e of, const char *owner, const char *id, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, statement(filter, GET),
                                    RR_SQL_VALUES(id, OWNER(client, of, owner)), p, err);

    *prow = rows->nelts ? attached_row(APR_ARRAY_IDX(rows, 0, rr_sql_row_t), p) : NULL;
    return rv == APR_SUCCESS && !*prow ? rr_err_set(err, APR_NOTFOUND, "id", "there is no such object") : rv;
}

apr_status_t rr_store_attached_list(apr_array_header_t **prows, rr_store_t *store, int filter, const char *client,
                                    rr_owner_e of, const char *owner, const char *after, int limit, apr_pool_t *p,
                                    rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, statement(filter, LIST),
                                    RR_SQL_VALUES(OWNER(client, of, owner), after, rr_sql_number(p, limit)), p, err);
    int i;

    *prows = apr_array_make(p, rows->nelts, sizeof(rr_attached_row_t *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*prows, const rr_attached_row_t *) = attached_row(APR_ARRAY_IDX(rows, i, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_attached_count(apr_int64_t *pcount, rr_store_t *store, int filter, const char *client,
                                     rr_owner_e of, const char *owner, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, store->sql, statement(filter, COUNT), RR_SQL_VALUES(OWNER(client, of, owner)),
                                    p, err);

    *pcount = rows->nelts ? rr_column_number(APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[0]) : 0;
    return rv;
}

apr_status_t rr_store_attached_delete(rr_store_t *store, int filter, const char *client, const char *id, apr_pool_t *p,
                                      rr_err_t *err)
{
    int changed = 0;
    apr_status_t rv = rr_sql_exec(&changed, store->sql, statement(filter, DELETE), RR_SQL_VALUES(client, id), p, err);

    return rv == APR_SUCCESS && !changed ? rr_err_set(err, APR_NOTFOUND, "id", "there is no such object") : rv;
}
