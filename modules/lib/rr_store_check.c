/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_check.c: what no crash may leave behind, looked for; and sealing under a new master key.
 */
#include "rr_store_int.h"

#include <apr_strings.h>

#include <string.h>

typedef struct {
    rr_store_t *store;
    void (*found)(void *baton, const char *sentence);
    void *baton;
    int count;
    apr_pool_t *p;
} check_t;

static void __attribute__((format(printf, 2, 3))) report(check_t *check, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    check->found(check->baton, apr_pvsprintf(check->p, format, args));
    va_end(args);
    check->count++;
}

/* Each row of the answer is a finding. */
static apr_status_t ask(check_t *check, const char *statement, const char *format, const char *fine, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_ask(&rows, check->store->sql, statement, check->p, err);
    int i;

    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const char *text = APR_ARRAY_IDX(rows, i, rr_sql_row_t)[0];

        if (!fine || !text || strcmp(text, fine)) {
            report(check, "%s %s", format, text ? text : "(unnamed)");
        }
    }
    return rv;
}

static void check_json(check_t *check, rr_sql_row_t row)
{
    static const struct {
        const char *name;
        rr_json_kind_e kind;
    } columns[] = { { "scopes", RR_JSON_ARRAY }, { "metadata", RR_JSON_OBJECT }, { "origins", RR_JSON_ARRAY },
                    { "params", RR_JSON_OBJECT } };
    const rr_json_t *value;
    int i;

    for (i = 0; i < 4; i++) {
        const char *text = row[i + 1];

        if (text && (rr_json_parse(&value, text, strlen(text), check->p, NULL) != APR_SUCCESS ||
                     rr_json_kind(value) != columns[i].kind)) {
            report(check, "credential %s: its %s are not the JSON they should be", row[0], columns[i].name);
        }
    }
}

/* Walks a table by pages of 1,000; row[0] is the id. */
static apr_status_t walk(check_t *check, rr_sql_e which, void (*each)(check_t *, rr_sql_row_t), rr_err_t *err)
{
    const char *after = "";
    apr_array_header_t *rows;
    apr_status_t rv;
    int i;

    do {
        rv = rr_sql_select(&rows, check->store->sql, which, RR_SQL_VALUES(after), check->p, err);
        for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
            after = APR_ARRAY_IDX(rows, i, rr_sql_row_t)[0];
            each(check, APR_ARRAY_IDX(rows, i, rr_sql_row_t));
        }
    } while (rv == APR_SUCCESS && rows->nelts);
    return rv;
}

static apr_status_t check_secrets(check_t *check, const rr_keyring_t *ring, rr_err_t *err)
{
    const rr_key_digester_t *digester;
    rr_err_t reason = RR_ERR_INIT;
    const char *after = "";
    apr_array_header_t *rows;
    rr_secret_t *secret;
    apr_status_t rv;
    int i;

    rv = rr_store_digester(&digester, check->store, ring, check->p, &reason);
    if (rv == RR_ESEALED) {
        report(check, "%s", rr_err_text(&reason));
    }
    else if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, reason.where, "%s", rr_err_text(&reason));
    }
    do {
        rv = rr_sql_select(&rows, check->store->sql, RR_SQL_SECRETS, RR_SQL_VALUES(after), check->p, err);
        for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
            rr_sql_row_t row = APR_ARRAY_IDX(rows, i, rr_sql_row_t);

            after = row[0];
            rr_err_clear(&reason);
            if (rr_secret_open(&secret, ring, rr_credential_context(check->p, row[0]), row[3], check->p, &reason) !=
                APR_SUCCESS) {
                report(check, "credential %s/%s: %s", row[1], row[2], rr_err_text(&reason));
            }
        }
    } while (rv == APR_SUCCESS && rows->nelts);
    return rv;
}

apr_status_t rr_store_check(int *pcount, rr_store_t *store, const rr_keyring_t *ring,
                            void (*found)(void *baton, const char *sentence), void *baton, apr_pool_t *p,
                            rr_err_t *err)
{
    check_t check = { .store = store, .found = found, .baton = baton, .p = p };
    rr_dialect_e dialect = rr_sql_dialect(store->sql);
    rr_revision_t revision;
    apr_array_header_t *rows;
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (dialect == RR_SQLITE3 &&
        ((rv = ask(&check, "PRAGMA integrity_check", "the database file is damaged:", "ok", err)) != APR_SUCCESS ||
         (rv = ask(&check, "PRAGMA foreign_key_check", "a row names what is not there: in table", NULL, err)) !=
             APR_SUCCESS)) {
        return rv;
    }
    if ((rv = rr_store_revision(&revision, store, p, err)) != APR_SUCCESS ||
        (rv = ask(&check, rr_schema_missing_triggers(dialect), "changes may go unseen: there is no trigger", NULL, err)) !=
            APR_SUCCESS ||
        (rv = walk(&check, RR_SQL_CHECK_JSON, check_json, err)) != APR_SUCCESS ||
        (rv = rr_sql_select(&rows, store->sql, RR_SQL_CHECK_PROXY, RR_SQL_NONE, p, err)) != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < rows->nelts; i++) {
        report(&check, "proxy %s names no credential", APR_ARRAY_IDX(rows, i, rr_sql_row_t)[0]);
    }
    if (ring) {
        rv = check_secrets(&check, ring, err);
    }
    *pcount = check.count;
    return rv;
}

/* Seals text again under the ring's first key; *pnew NULL: it is already. */
static apr_status_t reseal_one(const char **pnew, const rr_keyring_t *ring, const char *context, const char *sealed,
                               apr_pool_t *p, rr_err_t *err)
{
    const char *label = apr_pstrcat(p, "rr1:", rr_keyring_id(ring), ":", NULL);
    rr_secret_t *secret;
    apr_status_t rv;

    *pnew = NULL;
    rv = rr_secret_open(&secret, ring, context, sealed, p, err);
    if (rv != APR_SUCCESS || !strncmp(sealed, label, strlen(label))) {
        return rv;
    }
    return rr_secret_seal(pnew, ring, context, rr_secret_bytes(secret), rr_secret_len(secret), p, err);
}

static apr_status_t reseal_pepper(int *pcount, rr_store_t *store, const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    const char *sealed;
    rr_sql_row_t row;
    apr_status_t rv = rr_sql_select(&rows, store->sql, RR_SQL_PEPPER_READ, RR_SQL_NONE, p, err);

    if (rv != APR_SUCCESS || !rows->nelts) {
        return rv;
    }
    row = APR_ARRAY_IDX(rows, 0, rr_sql_row_t);
    rv = reseal_one(&sealed, ring, apr_pstrcat(p, "store/", row[0], NULL), row[1], p, err);
    if (rv == APR_SUCCESS && sealed) {
        ++*pcount;
        rv = rr_sql_exec(NULL, store->sql, RR_SQL_PEPPER_WRITE, RR_SQL_VALUES(sealed), p, err);
    }
    return rv;
}

apr_status_t rr_store_reseal(int *pcount, rr_store_t *store, const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err)
{
    const char *after = "", *sealed;
    apr_array_header_t *rows;
    apr_status_t rv;
    int i;

    *pcount = 0;
    rv = reseal_pepper(pcount, store, ring, p, err);
    do {
        if (rv == APR_SUCCESS) {
            rv = rr_sql_select(&rows, store->sql, RR_SQL_SECRETS, RR_SQL_VALUES(after), p, err);
        }
        for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
            rr_sql_row_t row = APR_ARRAY_IDX(rows, i, rr_sql_row_t);

            after = row[0];
            rv = reseal_one(&sealed, ring, rr_credential_context(p, row[0]), row[3], p, err);
            if (rv == APR_SUCCESS && sealed) {
                ++*pcount;
                rv = rr_sql_exec(NULL, store->sql, RR_SQL_SECRET_WRITE, RR_SQL_VALUES(sealed, row[0]), p, err);
            }
        }
    } while (rv == APR_SUCCESS && rows->nelts);
    return rv;
}
