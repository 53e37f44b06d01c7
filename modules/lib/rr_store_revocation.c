/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_revocation.c: tokens taken back before their time, by jti, by subject and time, or by signing input.
 *
 * The digest is of the signing input, not of the whole token: an ECDSA signature can be changed into another
 * valid one by anybody.
 */
#include "rr_store_int.h"

static apr_status_t read_count(apr_int64_t *pcount, rr_revision_t *revision, apr_status_t rv,
                               const apr_array_header_t *rows, rr_err_t *err)
{
    rr_sql_row_t row;

    *pcount = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (rows->nelts != 1) {
        return rr_err_set(err, RR_ESCHEMA, "rr_store", "the store has lost its row in rr_store: restore it from a backup");
    }
    row = APR_ARRAY_IDX(rows, 0, rr_sql_row_t);
    *pcount = rr_column_number(row[3]);
    return rr_column_revision(revision, row, err);
}

apr_status_t rr_store_revocation_any(int *pany, rr_revision_t *revision, rr_store_t *store, apr_pool_t *p,
                                     rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_int64_t count = 0;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_REVOCATION_ANY, RR_SQL_NONE, p, err);

    rv = read_count(&count, revision, rv, rows, err);
    *pany = count != 0;
    return rv;
}

apr_status_t rr_store_token_revoked(rr_revision_t *revision, rr_store_t *store, const rr_token_t *token, apr_pool_t *p,
                                    rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_int64_t hits = 0;
    apr_status_t rv;

    rv = rr_sql_select(&rows, store->sql, RR_SQL_REVOCATION_HITS,
                       RR_SQL_VALUES(rr_sql_hex(p, token->digest, 32), token->issuer, token->jti, token->issuer,
                                     token->sub, rr_sql_number(p, token->issued)),
                       p, err);
    rv = read_count(&hits, revision, rv, rows, err);
    if (rv == APR_SUCCESS && hits) {
        return rr_err_set(err, RR_EREVOKED, "token", "the token was revoked");
    }
    return rv;
}

apr_status_t rr_store_revocation_add(rr_store_t *store, const rr_revocation_row_t *row, apr_pool_t *p, rr_err_t *err)
{
    return rr_sql_exec(NULL, store->sql, RR_SQL_REVOCATION_ADD,
                       RR_SQL_VALUES(row->id, row->client, row->issuer, row->jti, row->sub,
                                     rr_sql_number(p, row->issued_before),
                                     row->digest ? rr_sql_hex(p, row->digest, 32) : NULL,
                                     rr_sql_number(p, row->expires), rr_sql_number(p, row->created)),
                       p, err);
}

apr_status_t rr_store_revocation_prune(int *pcount, rr_store_t *store, apr_time_t now, apr_pool_t *p, rr_err_t *err)
{
    return rr_sql_exec(pcount, store->sql, RR_SQL_REVOCATION_PRUNE, RR_SQL_VALUES(rr_sql_number(p, now)), p, err);
}

static const rr_revocation_row_t *revocation_row(rr_sql_row_t row, apr_pool_t *p)
{
    rr_revocation_row_t *revocation = apr_pcalloc(p, sizeof(*revocation));

    revocation->id = row[0];
    revocation->client = row[1];
    revocation->issuer = row[2];
    revocation->jti = row[3];
    revocation->sub = row[4];
    revocation->issued_before = rr_column_number(row[5]);
    revocation->expires = rr_column_number(row[6]);
    revocation->created = rr_column_number(row[7]);
    return revocation;
}

apr_status_t rr_store_revocation_get(const rr_revocation_row_t **prow, rr_store_t *store, const char *client,
                                     const char *id, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv;

    client = client ? client : "";
    rv = rr_sql_select(&rows, store->sql, RR_SQL_REVOCATION_GET, RR_SQL_VALUES(id, client, client), p, err);
    *prow = rows->nelts ? revocation_row(APR_ARRAY_IDX(rows, 0, rr_sql_row_t), p) : NULL;
    return rv == APR_SUCCESS && !*prow ? rr_err_set(err, APR_NOTFOUND, "id", "there is no such revocation") : rv;
}

apr_status_t rr_store_revocation_list(apr_array_header_t **prows, rr_store_t *store, const char *client,
                                      const char *after, int limit, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv;
    int i;

    client = client ? client : "";
    rv = rr_sql_select(&rows, store->sql, RR_SQL_REVOCATION_LIST,
                       RR_SQL_VALUES(client, client, after, rr_sql_number(p, limit)), p, err);
    *prows = apr_array_make(p, rows->nelts, sizeof(rr_revocation_row_t *));
    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(*prows, const rr_revocation_row_t *) = revocation_row(APR_ARRAY_IDX(rows, i, rr_sql_row_t), p);
    }
    return rv;
}

apr_status_t rr_store_revocation_delete(rr_store_t *store, const char *id, apr_pool_t *p, rr_err_t *err)
{
    return rr_sql_exec(NULL, store->sql, RR_SQL_REVOCATION_DELETE, RR_SQL_VALUES(id), p, err);
}
