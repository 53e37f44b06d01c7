/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_sql.h: every statement, and one connection to run them on; private to librr.
 *
 * Statements are rows of one table in rr_sql.c, prepared on first use per
 * connection. Values are always bound, as text; NULL is SQL's NULL. Rows are
 * read to the end and copied.
 */
#ifndef RR_SQL_H
#define RR_SQL_H

#include "rr_err.h"

#include <apr_pools.h>
#include <apr_tables.h>

typedef enum { RR_SQLITE3 = 0, RR_PGSQL, RR_DIALECTS } rr_dialect_e;

typedef enum {
    RR_SQL_STORE_READ = 0,
    RR_SQL_STORE_LOCK,
    RR_SQL_PEPPER_READ,
    RR_SQL_PEPPER_WRITE,
    RR_SQL_KEY_FIND,
    RR_SQL_KEY_DIGESTS,
    RR_SQL_CLIENT_ADD,
    RR_SQL_CLIENT_GET,
    RR_SQL_CLIENT_LIST,
    RR_SQL_CLIENT_UPDATE,
    RR_SQL_CLIENT_DELETE,
    RR_SQL_CREDENTIAL_ADD,
    RR_SQL_CREDENTIAL_GET,
    RR_SQL_CREDENTIAL_BY_NAME,
    RR_SQL_CREDENTIAL_LIST,
    RR_SQL_CREDENTIAL_UPDATE,
    RR_SQL_CREDENTIAL_TARGETS,
    RR_SQL_CREDENTIAL_DELETE,
    RR_SQL_CREDENTIAL_USERS,
    RR_SQL_TARGET_USERS,
    RR_SQL_KEY_ADD,
    RR_SQL_KEY_TAKEN,
    RR_SQL_KEY_GET,
    RR_SQL_KEY_LIST,
    RR_SQL_KEY_LIST_ALL,
    RR_SQL_KEY_DELETE,
    RR_SQL_KEY_DELETE_OTHERS,
    RR_SQL_KEY_END_ALL,
    RR_SQL_KEY_USED,
    RR_SQL_TARGET_ADD,
    RR_SQL_TARGET_GET,
    RR_SQL_TARGET_BY_NAME,
    RR_SQL_TARGET_LIST,
    RR_SQL_TARGET_UPDATE,
    RR_SQL_TARGET_DELETE,
    RR_SQL_TARGET_CREDENTIALS,
    RR_SQL_PROXY_ADD,
    RR_SQL_PROXY_GET,
    RR_SQL_PROXY_BY_NAME,
    RR_SQL_PROXY_BY_ALIAS,
    RR_SQL_PROXY_LIST,
    RR_SQL_PROXY_UPDATE,
    RR_SQL_PROXY_DELETE,
    RR_SQL_PROXY_CREDENTIALS,
    RR_SQL_PROXY_CREDENTIAL_ADD,
    RR_SQL_PROXY_CREDENTIALS_CLEAR,
    RR_SQL_RULE_ADD, /* the five of rules, and those of filters, stand in one order */
    RR_SQL_RULE_GET,
    RR_SQL_RULE_LIST,
    RR_SQL_RULE_COUNT,
    RR_SQL_RULE_DELETE,
    RR_SQL_FILTER_ADD,
    RR_SQL_FILTER_GET,
    RR_SQL_FILTER_LIST,
    RR_SQL_FILTER_COUNT,
    RR_SQL_FILTER_DELETE,
    RR_SQL_REVOCATION_ADD,
    RR_SQL_REVOCATION_GET,
    RR_SQL_REVOCATION_LIST,
    RR_SQL_REVOCATION_DELETE,
    RR_SQL_REVOCATION_ANY,
    RR_SQL_REVOCATION_HITS,
    RR_SQL_REVOCATION_PRUNE,
    RR_SQL_SECRETS,
    RR_SQL_SECRET_WRITE,
    RR_SQL_CHECK_JSON,
    RR_SQL_CHECK_PROXY,
    RR_SQL_SNAPSHOT_PARTIES,
    RR_SQL_SNAPSHOT_TARGETS,
    RR_SQL_SNAPSHOT_PROXIES,
    RR_SQL_SNAPSHOT_PROXY_CREDENTIALS,
    RR_SQL_SNAPSHOT_RULES,
    RR_SQL_SNAPSHOT_FILTERS,
    RR_SQL_COUNT
} rr_sql_e;

typedef struct rr_sql_t rr_sql_t;
typedef const char *const *rr_sql_row_t; /* a row's columns as text; NULL is SQL's NULL */

#define RR_SQL_VALUES(...) \
    (const char *const[]){ __VA_ARGS__ }, (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))
#define RR_SQL_NONE NULL, 0

/**
 * Connects. create: make a sqlite3 file that is not there.
 *
 * Ownership: closed by rr_sql_close or with p.
 * Errors:    RR_EINVAL (driver), RR_ESCHEMA (no such file), RR_EUNAVAIL.
 */
apr_status_t rr_sql_open(rr_sql_t **psql, const char *driver, const char *params, int create, apr_pool_t *p,
                         rr_err_t *err);
void rr_sql_close(rr_sql_t *sql);

rr_dialect_e rr_sql_dialect(const rr_sql_t *sql);
int rr_sql_is_broken(const rr_sql_t *sql);

/** Runs a constant statement that gives no rows: schema, transaction control. */
apr_status_t rr_sql_run(rr_sql_t *sql, const char *statement, rr_err_t *err);

/** Rows of a constant statement: array of rr_sql_row_t, in p. */
apr_status_t rr_sql_ask(apr_array_header_t **prows, rr_sql_t *sql, const char *statement, apr_pool_t *p, rr_err_t *err);

/** Runs a statement of the table; pchanged (may be NULL) counts the rows it wrote. RR_ECONFLICT: a constraint. */
apr_status_t rr_sql_exec(int *pchanged, rr_sql_t *sql, rr_sql_e which, const char *const *values, int count,
                         apr_pool_t *p, rr_err_t *err);

/** Rows of a statement of the table: array of rr_sql_row_t, in p. */
apr_status_t rr_sql_select(apr_array_header_t **prows, rr_sql_t *sql, rr_sql_e which, const char *const *values,
                           int count, apr_pool_t *p, rr_err_t *err);

/** Numbers and digests as they are bound. */
const char *rr_sql_number(apr_pool_t *p, apr_int64_t number);
const char *rr_sql_hex(apr_pool_t *p, const unsigned char *bytes, apr_size_t len);

/* ---- schema (rr_schema.c) ---- */

/** Statements that lead from version - 1 to version, NULL-terminated. */
const char *const *rr_schema_step(rr_dialect_e dialect, int version);

/** Statements that bring a store of the present version to the present text of its functions; NULL: there are none. */
const char *const *rr_schema_renewed(rr_dialect_e dialect);

/** A statement that lists names of triggers that have to be there and are not. */
const char *rr_schema_missing_triggers(rr_dialect_e dialect);

#endif
