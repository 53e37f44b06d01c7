/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store.c: one connection to a store: opening, making, migrating, transactions, revision.
 */
#include "rr_store_int.h"

#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

#define PEPPER_CONTEXT "store/%s" /* the row identity that the pepper is sealed for */

/* Whether there is a schema of ours at all, asked so that the answer needs no error message. */
static const char *const has_schema[RR_DIALECTS] = {
    [RR_SQLITE3] = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'rr_store'",
    [RR_PGSQL] = "SELECT CASE WHEN to_regclass('rr_store') IS NULL THEN 0 ELSE 1 END",
};
static const char *const begin_write[RR_DIALECTS] = { "BEGIN IMMEDIATE", "BEGIN" };
static const char *const begin_read[RR_DIALECTS] = { "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };

apr_int64_t rr_column_number(const char *column)
{
    return column ? strtoll(column, NULL, 10) : 0;
}

apr_status_t rr_column_revision(rr_revision_t *revision, rr_sql_row_t row, rr_err_t *err)
{
    apr_int64_t version = rr_column_number(row[0]);

    apr_cpystrn(revision->store, row[1] ? row[1] : "", sizeof(revision->store));
    revision->n = rr_column_number(row[2]);
    if (version < RR_STORE_SCHEMA) {
        return rr_err_set(err, RR_ESCHEMA, "schema",
                          "the store's schema is version %d, this program needs %d: run rrctl migrate", (int)version,
                          RR_STORE_SCHEMA);
    }
    if (version > RR_STORE_SCHEMA) {
        return rr_err_set(err, RR_ESCHEMA, "schema",
                          "the store's schema is version %d, this program knows %d: update the program", (int)version,
                          RR_STORE_SCHEMA);
    }
    return APR_SUCCESS;
}

int rr_revision_equal(const rr_revision_t *a, const rr_revision_t *b)
{
    return a->n == b->n && !strcmp(a->store, b->store);
}

static apr_status_t schema_exists(int *pexists, rr_sql_t *sql, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_ask(&rows, sql, has_schema[rr_sql_dialect(sql)], p, err);

    *pexists = rv == APR_SUCCESS && rows->nelts == 1 && rr_column_number(APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[0]) > 0;
    return rv;
}

/* The one row of rr_store; its version is not judged. */
static apr_status_t read_store(rr_sql_row_t *prow, rr_sql_t *sql, rr_sql_e which, apr_pool_t *p, rr_err_t *err)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, sql, which, RR_SQL_NONE, p, err);

    *prow = NULL;
    if (rv == APR_SUCCESS && rows->nelts != 1) {
        return rr_err_set(err, RR_ESCHEMA, "rr_store", "the store has lost its row in rr_store: restore it from a backup");
    }
    if (rv == APR_SUCCESS) {
        *prow = APR_ARRAY_IDX(rows, 0, rr_sql_row_t);
    }
    return rv;
}

apr_status_t rr_store_open(rr_store_t **pstore, const char *driver, const char *params, apr_pool_t *p, rr_err_t *err)
{
    rr_store_t *store = apr_pcalloc(p, sizeof(*store));
    rr_revision_t revision;
    rr_sql_row_t row;
    apr_status_t rv;
    int exists;

    *pstore = NULL;
    rv = rr_sql_open(&store->sql, driver, params, 0, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = schema_exists(&exists, store->sql, p, err);
    if (rv == APR_SUCCESS && !exists) {
        rv = rr_err_set(err, RR_ESCHEMA, "schema", "the database holds no store: run rrctl init");
    }
    if (rv == APR_SUCCESS && (rv = read_store(&row, store->sql, RR_SQL_STORE_READ, p, err)) == APR_SUCCESS) {
        rv = rr_column_revision(&revision, row, err);
    }
    if (rv != APR_SUCCESS) {
        rr_sql_close(store->sql);
        return rv;
    }
    *pstore = store;
    return APR_SUCCESS;
}

void rr_store_close(rr_store_t *store)
{
    rr_sql_close(store->sql);
}

int rr_store_is_broken(const rr_store_t *store)
{
    return rr_sql_is_broken(store->sql);
}

int rr_store_has_wal(rr_store_t *store, apr_pool_t *p)
{
    apr_array_header_t *rows;
    const char *mode;

    if (rr_sql_dialect(store->sql) != RR_SQLITE3 ||
        rr_sql_ask(&rows, store->sql, "PRAGMA journal_mode", p, NULL) != APR_SUCCESS || rows->nelts != 1) {
        return 0;
    }
    mode = APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[0];
    return mode && !strcmp(mode, "wal");
}

static apr_status_t run_all(rr_sql_t *sql, const char *const *statement, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    for (; statement && *statement && rv == APR_SUCCESS; statement++) {
        rv = rr_sql_run(sql, *statement, err);
    }
    return rv;
}

/* The rows a fresh store begins with. Ids and envelopes are of our own alphabet: nothing to escape. */
static apr_status_t write_first_rows(rr_sql_t *sql, const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err)
{
    unsigned char pepper[RR_KEY_PEPPER_LEN];
    const char *id, *sealed = NULL;
    apr_status_t rv = rr_id_make(&id, p, err);

    if (rv == APR_SUCCESS && (rv = rr_secret_random(pepper, sizeof(pepper), err)) == APR_SUCCESS) {
        rv = rr_secret_seal(&sealed, ring, apr_psprintf(p, PEPPER_CONTEXT, id), pepper, sizeof(pepper), p, err);
        rr_secret_wipe(pepper, sizeof(pepper));
    }
    if (rv == APR_SUCCESS) {
        rv = rr_sql_run(sql,
                        apr_psprintf(p, "INSERT INTO rr_store (one, version, store, n, pepper) VALUES (1, %d, '%s', 1, '%s')",
                                     RR_STORE_SCHEMA, id, sealed),
                        err);
    }
    if (rv == APR_SUCCESS) {
        rv = rr_sql_exec(NULL, sql, RR_SQL_CLIENT_ADD,
                         RR_SQL_VALUES("default", "default", rr_sql_number(p, apr_time_now())), p, err);
    }
    return rv;
}

/* Commits what went well, rolls back what did not. */
static apr_status_t end_write(rr_sql_t *sql, apr_status_t rv, rr_err_t *err)
{
    if (rv == APR_SUCCESS) {
        return rr_sql_run(sql, "COMMIT", err);
    }
    rr_sql_run(sql, "ROLLBACK", NULL);
    return rv;
}

apr_status_t rr_store_init(const char *driver, const char *params, const rr_keyring_t *ring, apr_pool_t *p,
                           rr_err_t *err)
{
    apr_status_t rv;
    int exists, version;
    rr_sql_t *sql;

    rv = rr_sql_open(&sql, driver, params, 1, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rr_sql_run(sql, begin_write[rr_sql_dialect(sql)], err);
    if (rv == APR_SUCCESS) {
        rv = schema_exists(&exists, sql, p, err);
        if (rv == APR_SUCCESS && exists) {
            rv = rr_err_set(err, RR_ECONFLICT, "schema", "the database holds a store already");
        }
        for (version = 1; version <= RR_STORE_SCHEMA && rv == APR_SUCCESS; version++) {
            rv = run_all(sql, rr_schema_step(rr_sql_dialect(sql), version), err);
        }
        if (rv == APR_SUCCESS) {
            rv = write_first_rows(sql, ring, p, err);
        }
        rv = end_write(sql, rv, err);
    }
    rr_sql_close(sql);
    return rv;
}

static apr_status_t migrate_locked(int *pfrom, rr_sql_t *sql, apr_pool_t *p, rr_err_t *err)
{
    rr_sql_row_t row;
    apr_status_t rv;
    int exists, version;

    rv = schema_exists(&exists, sql, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!exists) {
        return rr_err_set(err, RR_ESCHEMA, "schema", "the database holds no store: run rrctl init");
    }
    rv = read_store(&row, sql, RR_SQL_STORE_LOCK, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pfrom = (int)rr_column_number(row[0]);
    if (*pfrom > RR_STORE_SCHEMA) {
        return rr_err_set(err, RR_ESCHEMA, "schema",
                          "the store's schema is version %d, this program knows %d: a schema is never taken backward",
                          *pfrom, RR_STORE_SCHEMA);
    }
    for (version = *pfrom + 1; version <= RR_STORE_SCHEMA && rv == APR_SUCCESS; version++) {
        rv = run_all(sql, rr_schema_step(rr_sql_dialect(sql), version), err);
    }
    if (rv == APR_SUCCESS) {
        rv = run_all(sql, rr_schema_renewed(rr_sql_dialect(sql)), err);
    }
    return rv == APR_SUCCESS && *pfrom < RR_STORE_SCHEMA
               ? rr_sql_run(sql, apr_psprintf(p, "UPDATE rr_store SET version = %d, n = n + 1", RR_STORE_SCHEMA), err)
               : rv;
}

apr_status_t rr_store_migrate(int *pfrom, const char *driver, const char *params, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv;
    rr_sql_t *sql;

    *pfrom = 0;
    rv = rr_sql_open(&sql, driver, params, 0, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rr_sql_run(sql, begin_write[rr_sql_dialect(sql)], err);
    if (rv == APR_SUCCESS) {
        rv = migrate_locked(pfrom, sql, p, err);
        rv = end_write(sql, rv, err);
    }
    rr_sql_close(sql);
    return rv;
}

apr_status_t rr_store_digester(const rr_key_digester_t **pdigester, rr_store_t *store, const rr_keyring_t *ring,
                               apr_pool_t *p, rr_err_t *err)
{
    rr_secret_t *pepper;
    rr_sql_row_t row;
    apr_status_t rv;

    *pdigester = NULL;
    rv = read_store(&row, store->sql, RR_SQL_PEPPER_READ, p, err);
    if (rv == APR_SUCCESS) {
        rv = rr_secret_open(&pepper, ring, apr_psprintf(p, PEPPER_CONTEXT, row[0]), row[1], p, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (rr_secret_len(pepper) != RR_KEY_PEPPER_LEN) {
        return rr_err_set(err, RR_ESEALED, "pepper", "the store's pepper is not %d bytes long", RR_KEY_PEPPER_LEN);
    }
    *pdigester = rr_key_digester_make(rr_secret_bytes(pepper), p);
    return APR_SUCCESS;
}

apr_status_t rr_store_revision(rr_revision_t *revision, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    rr_sql_row_t row;
    apr_status_t rv = read_store(&row, store->sql, RR_SQL_STORE_READ, p, err);

    return rv == APR_SUCCESS ? rr_column_revision(revision, row, err) : rv;
}

apr_status_t rr_store_begin(rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = rr_sql_run(store->sql, begin_write[rr_sql_dialect(store->sql)], err);
    rr_revision_t revision;
    rr_sql_row_t row;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* On pgsql this row's lock makes writers take turns, as sqlite3's do. */
    rv = read_store(&row, store->sql, RR_SQL_STORE_LOCK, p, err);
    if (rv == APR_SUCCESS) {
        rv = rr_column_revision(&revision, row, err);
    }
    if (rv != APR_SUCCESS) {
        rr_store_rollback(store);
    }
    return rv;
}

apr_status_t rr_store_begin_read(rr_store_t *store, rr_err_t *err)
{
    return rr_sql_run(store->sql, begin_read[rr_sql_dialect(store->sql)], err);
}

apr_status_t rr_store_commit(rr_store_t *store, rr_err_t *err)
{
    apr_status_t rv;

    /* PostgreSQL answers a COMMIT after a failed statement with success, and rolls back. */
    if (rr_sql_is_broken(store->sql)) {
        rr_store_rollback(store);
        return rr_err_set(err, RR_EUNAVAIL, "commit", "a statement of the transaction failed: nothing was written");
    }
    rv = rr_sql_run(store->sql, "COMMIT", err);
    if (rv != APR_SUCCESS) { /* sqlite3 may leave it open, with its lock */
        rr_store_rollback(store);
    }
    return rv;
}

void rr_store_rollback(rr_store_t *store)
{
    rr_sql_run(store->sql, "ROLLBACK", NULL);
}
