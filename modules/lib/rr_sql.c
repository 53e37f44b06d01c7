/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_sql.c: every statement in one table, and one connection through apr_dbd.
 *
 * What apr_dbd asks for (its drivers' source is the reference):
 *  - sqlite3 prepares by the old interface: after a schema change a statement fails for good, and a failed
 *    step says only SQLITE_ERROR. So a connection whose statement failed is broken, and constraints are told
 *    by the message.
 *  - sqlite3 waits for a lock in 15 steps of 100 ms outside the process-wide mutex; our busy timeout runs inside
 *    it, so it is short.
 *  - its query call goes on after a failed statement and takes trailing blanks for a statement: one at a time,
 *    nothing after it. A PRAGMA that answers has to be a select.
 *  - its transactions are always BEGIN IMMEDIATE, for readers too, and end with their pool: we say BEGIN ourselves.
 *  - pgsql does not prepare what has no label, and sends its text each time.
 *  - pgsql reads rows safely only as "random"; NULL is told from "" by datum_get only; values die with the last row.
 */
#include "rr_sql.h"
#include "rr_store.h"

#include <apr_dbd.h>
#include <apr_file_info.h>
#include <apr_strings.h>

#include <string.h>

#define SQLITE_BUSY_MS "50"
#define CREDENTIAL_COLUMNS \
    "id, client, type, kind, name, region, scopes, metadata, default_effect, active, expires, origins, params, " \
    "secret, created, updated"
#define KEY_COLUMNS "k.id, k.credential, c.client, c.name, k.hint, k.expires, k.created, u.used"
#define KEY_TABLES "rr_key k JOIN rr_credential c ON c.id = k.credential LEFT JOIN rr_key_use u ON u.key_id = k.id"
#define TARGET_COLUMNS "id, client, name, base_url, test_path, region, default_effect, created, updated"
#define PROXY_COLUMNS \
    "id, client, name, alias, region, credential_mode, target, target_credential, default_effect, active, " \
    "identity_headers, forward_headers, created, updated"
#define REVOCATION_COLUMNS "id, client, issuer, jti, sub, issued_before, expires, created"
#define ATTACHED_COLUMNS "id, client, proxy, credential, target, body, created"
/* Three times the client, so that each of the three indexes serves its part. */
#define OF_OWNER \
    "((client = %s AND proxy = %s) OR (client = %s AND credential = %s) OR (client = %s AND target = %s))"
#define ATTACHED(noun, table) \
    [RR_SQL_##noun##_ADD] = { table "_add", "INSERT INTO " table " (" ATTACHED_COLUMNS ") VALUES (%s, %s, %s, %s, %s, " \
                              "%s, %lld)", NULL, 7, 0 }, \
    [RR_SQL_##noun##_GET] = { table "_get", "SELECT " ATTACHED_COLUMNS " FROM " table " WHERE id = %s AND " OF_OWNER, \
                              NULL, 7, 7 }, \
    [RR_SQL_##noun##_LIST] = { table "_list", "SELECT " ATTACHED_COLUMNS " FROM " table " WHERE " OF_OWNER \
                               " AND id > %s ORDER BY id LIMIT %lld", NULL, 8, 7 }, \
    [RR_SQL_##noun##_COUNT] = { table "_count", "SELECT count(*) FROM " table " WHERE " OF_OWNER, NULL, 6, 1 }, \
    [RR_SQL_##noun##_DELETE] = { table "_delete", "DELETE FROM " table " WHERE client = %s AND id = %s", NULL, 2, 0 }
/* "client = '' " selects any client: one statement for the operator and for a tenant. */
#define OF_CLIENT(column) "(" column " = %s OR '' = %s)"

static const struct {
    const char *label;
    const char *sql;   /* %s: text, %lld: number */
    const char *pgsql; /* where PostgreSQL needs another; NULL: the same */
    int values, columns;
    /* Two indexes would do, of which PostgreSQL takes either while the table is empty; a plan that is kept would read
       all that a long transaction has added since, once a row. */
    int planned_anew;
} statements[RR_SQL_COUNT] = {
    [RR_SQL_STORE_READ] = { "rr_store_read", "SELECT version, store, n FROM rr_store", NULL, 0, 3 },
    /* sqlite3's BEGIN IMMEDIATE has locked already. */
    [RR_SQL_STORE_LOCK] = { "rr_store_lock", "SELECT version, store, n FROM rr_store",
                            "SELECT version, store, n FROM rr_store FOR UPDATE", 0, 3 },
    [RR_SQL_PEPPER_READ] = { "rr_pepper_read", "SELECT store, pepper FROM rr_store", NULL, 0, 2 },
    [RR_SQL_PEPPER_WRITE] = { "rr_pepper_write", "UPDATE rr_store SET pepper = %s, n = n + 1", NULL, 1, 0 },
    [RR_SQL_KEY_FIND] = { "rr_key_find",
                          "SELECT s.version, s.store, s.n, k.id, k.hint, k.expires, c.id, c.client, c.name, c.kind, "
                          "c.active, c.expires, c.scopes, c.metadata FROM rr_store s LEFT JOIN rr_key k ON k.digest = %s "
                          "LEFT JOIN rr_credential c ON c.id = k.credential AND c.type = 'proxy'",
                          NULL, 1, 14 },
    /* In parts: sqlite3's driver holds its process-wide mutex while it reads the rows of one. */
    [RR_SQL_KEY_DIGESTS] = { "rr_key_digests", "SELECT digest FROM rr_key WHERE digest > %s ORDER BY digest LIMIT 500", NULL,
                             1, 1 },
    [RR_SQL_CLIENT_ADD] = { "rr_client_add", "INSERT INTO rr_client (id, name, created) VALUES (%s, %s, %lld)", NULL, 3,
                            0 },
    [RR_SQL_CLIENT_GET] = { "rr_client_get", "SELECT id, name, created FROM rr_client WHERE id = %s", NULL, 1, 3 },
    [RR_SQL_CLIENT_LIST] = { "rr_client_list",
                             "SELECT id, name, created FROM rr_client WHERE id > %s ORDER BY id LIMIT %lld", NULL, 2, 3 },
    [RR_SQL_CLIENT_UPDATE] = { "rr_client_update", "UPDATE rr_client SET name = %s WHERE id = %s", NULL, 2, 0 },
    [RR_SQL_CLIENT_DELETE] = { "rr_client_delete",
                               "DELETE FROM rr_client WHERE id = %s AND "
                               "NOT EXISTS (SELECT 1 FROM rr_credential x WHERE x.client = rr_client.id) AND "
                               "NOT EXISTS (SELECT 1 FROM rr_target x WHERE x.client = rr_client.id) AND "
                               "NOT EXISTS (SELECT 1 FROM rr_proxy x WHERE x.client = rr_client.id)",
                               NULL, 1, 0 },
    [RR_SQL_CREDENTIAL_ADD] = { "rr_credential_add",
                                "INSERT INTO rr_credential (" CREDENTIAL_COLUMNS ") VALUES (%s, %s, %s, %s, %s, %s, %s, "
                                "%s, %s, %lld, %lld, %s, %s, %s, %lld, %lld)",
                                NULL, 16, 0 },
    [RR_SQL_CREDENTIAL_GET] = { "rr_credential_get",
                                "SELECT " CREDENTIAL_COLUMNS " FROM rr_credential WHERE id = %s AND " OF_CLIENT("client"),
                                NULL, 3, 16 },
    [RR_SQL_CREDENTIAL_BY_NAME] = { "rr_credential_by_name",
                                    "SELECT " CREDENTIAL_COLUMNS
                                    " FROM rr_credential WHERE client = %s AND type = %s AND name = %s",
                                    NULL, 3, 16, 1 },
    [RR_SQL_CREDENTIAL_LIST] = { "rr_credential_list",
                                 "SELECT " CREDENTIAL_COLUMNS
                                 " FROM rr_credential WHERE client = %s AND id > %s ORDER BY id LIMIT %lld",
                                 NULL, 3, 16 },
    [RR_SQL_CREDENTIAL_UPDATE] = { "rr_credential_update",
                                   "UPDATE rr_credential SET name = %s, region = %s, scopes = %s, metadata = %s, "
                                   "default_effect = %s, active = %lld, expires = %lld, origins = %s, params = %s, "
                                   "secret = %s, updated = %lld WHERE id = %s",
                                   NULL, 12, 0 },
    [RR_SQL_CREDENTIAL_TARGETS] = { "rr_credential_targets",
                                    "SELECT t.base_url FROM rr_proxy p JOIN rr_target t ON t.id = p.target WHERE "
                                    "p.target_credential = %s",
                                    NULL, 1, 1 },
    [RR_SQL_CREDENTIAL_DELETE] = { "rr_credential_delete",
                                   "DELETE FROM rr_credential WHERE id = %s AND " OF_CLIENT("client"), NULL, 3, 0 },
    [RR_SQL_CREDENTIAL_USERS] = { "rr_credential_users",
                                  "SELECT id, name FROM rr_proxy WHERE target_credential = %s ORDER BY id LIMIT 100",
                                  NULL, 1, 2 },
    [RR_SQL_TARGET_USERS] = { "rr_target_users",
                              "SELECT id, name FROM rr_proxy WHERE target = %s ORDER BY id LIMIT 100", NULL, 1, 2 },
    [RR_SQL_KEY_ADD] = { "rr_key_add",
                         "INSERT INTO rr_key (id, credential, digest, hint, expires, created) VALUES (%s, %s, %s, %s, "
                         "%lld, %lld)",
                         NULL, 6, 0 },
    [RR_SQL_KEY_TAKEN] = { "rr_key_taken", "SELECT id, credential FROM rr_key WHERE digest = %s", NULL, 1, 2 },
    [RR_SQL_KEY_GET] = { "rr_key_get",
                         "SELECT " KEY_COLUMNS " FROM " KEY_TABLES " WHERE k.id = %s AND " OF_CLIENT("c.client"), NULL, 3,
                         8 },
    [RR_SQL_KEY_LIST] = { "rr_key_list",
                          "SELECT " KEY_COLUMNS " FROM " KEY_TABLES
                          " WHERE c.client = %s AND k.credential = %s AND k.id > %s ORDER BY k.id LIMIT %lld",
                          NULL, 4, 8 },
    [RR_SQL_KEY_LIST_ALL] = { "rr_key_list_all",
                              "SELECT " KEY_COLUMNS " FROM " KEY_TABLES
                              " WHERE c.client = %s AND k.id > %s ORDER BY k.id LIMIT %lld",
                              NULL, 3, 8 },
    [RR_SQL_KEY_DELETE] = { "rr_key_delete",
                            "DELETE FROM rr_key WHERE id = %s AND credential IN (SELECT id FROM rr_credential WHERE "
                            OF_CLIENT("client") ")",
                            NULL, 3, 0 },
    [RR_SQL_KEY_DELETE_OTHERS] = { "rr_key_delete_others", "DELETE FROM rr_key WHERE credential = %s AND digest <> %s",
                                   NULL, 2, 0 },
    [RR_SQL_KEY_END_ALL] = { "rr_key_end_all",
                             "UPDATE rr_key SET expires = %lld WHERE credential = %s AND (expires = 0 OR expires > %lld)",
                             NULL, 3, 0 },
    [RR_SQL_KEY_USED] = { "rr_key_used",
                          "INSERT INTO rr_key_use (key_id, used) SELECT id, CAST(%lld AS BIGINT) FROM rr_key WHERE id = %s "
                          "ON CONFLICT (key_id) DO UPDATE SET used = excluded.used WHERE rr_key_use.used < excluded.used",
                          NULL, 2, 0 },
    [RR_SQL_TARGET_ADD] = { "rr_target_add",
                            "INSERT INTO rr_target (" TARGET_COLUMNS ") VALUES (%s, %s, %s, %s, %s, %s, %s, %lld, %lld)",
                            NULL, 9, 0 },
    [RR_SQL_TARGET_GET] = { "rr_target_get", "SELECT " TARGET_COLUMNS " FROM rr_target WHERE client = %s AND id = %s",
                            NULL, 2, 9 },
    [RR_SQL_TARGET_BY_NAME] = { "rr_target_by_name",
                                "SELECT " TARGET_COLUMNS " FROM rr_target WHERE client = %s AND name = %s", NULL, 2, 9, 1 },
    [RR_SQL_TARGET_LIST] = { "rr_target_list",
                             "SELECT " TARGET_COLUMNS " FROM rr_target WHERE client = %s AND id > %s ORDER BY id LIMIT %lld",
                             NULL, 3, 9 },
    [RR_SQL_TARGET_UPDATE] = { "rr_target_update",
                               "UPDATE rr_target SET name = %s, base_url = %s, test_path = %s, region = %s, "
                               "default_effect = %s, updated = %lld WHERE id = %s",
                               NULL, 7, 0 },
    [RR_SQL_TARGET_DELETE] = { "rr_target_delete", "DELETE FROM rr_target WHERE client = %s AND id = %s", NULL, 2, 0 },
    [RR_SQL_TARGET_CREDENTIALS] = { "rr_target_credentials",
                                    "SELECT " CREDENTIAL_COLUMNS " FROM rr_credential WHERE id IN "
                                    "(SELECT target_credential FROM rr_proxy WHERE target = %s)",
                                    NULL, 1, 16 },
    [RR_SQL_PROXY_ADD] = { "rr_proxy_add",
                           "INSERT INTO rr_proxy (" PROXY_COLUMNS ") VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %lld, "
                           "%s, %s, %lld, %lld)",
                           NULL, 14, 0 },
    [RR_SQL_PROXY_GET] = { "rr_proxy_get", "SELECT " PROXY_COLUMNS " FROM rr_proxy WHERE client = %s AND id = %s", NULL, 2,
                           14 },
    [RR_SQL_PROXY_BY_NAME] = { "rr_proxy_by_name",
                               "SELECT " PROXY_COLUMNS " FROM rr_proxy WHERE client = %s AND name = %s", NULL, 2, 14, 1 },
    [RR_SQL_PROXY_BY_ALIAS] = { "rr_proxy_by_alias", "SELECT id FROM rr_proxy WHERE alias = %s", NULL, 1, 1 },
    [RR_SQL_PROXY_LIST] = { "rr_proxy_list",
                            "SELECT " PROXY_COLUMNS " FROM rr_proxy WHERE client = %s AND id > %s ORDER BY id LIMIT %lld",
                            NULL, 3, 14 },
    [RR_SQL_PROXY_UPDATE] = { "rr_proxy_update",
                              "UPDATE rr_proxy SET name = %s, alias = %s, region = %s, credential_mode = %s, target = %s, "
                              "target_credential = %s, default_effect = %s, active = %lld, identity_headers = %s, "
                              "forward_headers = %s, updated = %lld WHERE id = %s",
                              NULL, 12, 0 },
    [RR_SQL_PROXY_DELETE] = { "rr_proxy_delete", "DELETE FROM rr_proxy WHERE client = %s AND id = %s", NULL, 2, 0 },
    [RR_SQL_PROXY_CREDENTIALS] = { "rr_proxy_credentials",
                                   "SELECT credential FROM rr_proxy_credential WHERE proxy = %s ORDER BY place", NULL, 1,
                                   1 },
    [RR_SQL_PROXY_CREDENTIAL_ADD] = { "rr_proxy_credential_add",
                                      "INSERT INTO rr_proxy_credential (proxy, place, credential) VALUES (%s, %lld, %s)",
                                      NULL, 3, 0 },
    [RR_SQL_PROXY_CREDENTIALS_CLEAR] = { "rr_proxy_credentials_clear",
                                         "DELETE FROM rr_proxy_credential WHERE proxy = %s", NULL, 1, 0 },
    ATTACHED(RULE, "rr_rule"),
    ATTACHED(FILTER, "rr_filter"),
    [RR_SQL_REVOCATION_GET] = { "rr_revocation_get",
                                "SELECT " REVOCATION_COLUMNS " FROM rr_revocation WHERE id = %s AND " OF_CLIENT("client"),
                                NULL, 3, 8 },
    [RR_SQL_REVOCATION_LIST] = { "rr_revocation_list",
                                 "SELECT " REVOCATION_COLUMNS " FROM rr_revocation WHERE " OF_CLIENT("client")
                                 " AND id > %s ORDER BY id LIMIT %lld",
                                 NULL, 4, 8 },
    [RR_SQL_REVOCATION_DELETE] = { "rr_revocation_delete", "DELETE FROM rr_revocation WHERE id = %s", NULL, 1, 0 },
    [RR_SQL_REVOCATION_ADD] = { "rr_revocation_add",
                                "INSERT INTO rr_revocation (id, client, issuer, jti, sub, issued_before, digest, expires, "
                                "created) VALUES (%s, %s, %s, %s, %s, %lld, %s, %lld, %lld)",
                                NULL, 9, 0 },
    [RR_SQL_REVOCATION_ANY] = { "rr_revocation_any",
                                  "SELECT version, store, n, CASE WHEN EXISTS (SELECT 1 FROM rr_revocation) THEN 1 ELSE 0 "
                                "END FROM rr_store",
                                NULL, 0, 4 },
    [RR_SQL_REVOCATION_HITS] = { "rr_revocation_hits",
                                 "SELECT version, store, n, "
                                 "(SELECT count(*) FROM rr_revocation WHERE digest = %s) + "
                                 "(SELECT count(*) FROM rr_revocation WHERE issuer = %s AND jti = %s) + "
                                 "(SELECT count(*) FROM rr_revocation WHERE issuer = %s AND sub = %s AND "
                                 "issued_before > %lld) FROM rr_store",
                                 NULL, 6, 4 },
    [RR_SQL_REVOCATION_PRUNE] = { "rr_revocation_prune",
                                  "DELETE FROM rr_revocation WHERE expires > 0 AND expires < %lld", NULL, 1, 0 },
    [RR_SQL_SECRETS] = { "rr_secrets",
                         "SELECT id, client, name, secret FROM rr_credential WHERE secret IS NOT NULL AND id > %s "
                         "ORDER BY id LIMIT 1000",
                         NULL, 1, 4 },
    [RR_SQL_SECRET_WRITE] = { "rr_secret_write", "UPDATE rr_credential SET secret = %s WHERE id = %s", NULL, 2, 0 },
    [RR_SQL_CHECK_JSON] = { "rr_check_json",
                            "SELECT id, scopes, metadata, origins, params FROM rr_credential WHERE id > %s ORDER BY id "
                            "LIMIT 1000",
                            NULL, 1, 5 },
    [RR_SQL_CHECK_PROXY] = { "rr_check_proxy",
                             "SELECT id FROM rr_proxy WHERE NOT EXISTS (SELECT 1 FROM rr_proxy_credential x WHERE "
                             "x.proxy = rr_proxy.id)",
                             NULL, 0, 1 },
    /* Not every proxy credential: there may be one for each of very many keys. */
    [RR_SQL_SNAPSHOT_PARTIES] = { "rr_snapshot_parties",
                                  "SELECT " CREDENTIAL_COLUMNS " FROM rr_credential WHERE type = 'target' OR id IN "
                                  "(SELECT credential FROM rr_proxy_credential)",
                                  NULL, 0, 16 },
    [RR_SQL_SNAPSHOT_TARGETS] = { "rr_snapshot_targets",
                                  "SELECT id, client, name, base_url, default_effect FROM rr_target", NULL, 0, 5 },
    [RR_SQL_SNAPSHOT_PROXIES] = { "rr_snapshot_proxies",
                                  "SELECT id, client, name, alias, credential_mode, target, target_credential, "
                                  "default_effect, active, identity_headers, forward_headers FROM rr_proxy",
                                  NULL, 0, 11 },
    [RR_SQL_SNAPSHOT_PROXY_CREDENTIALS] = { "rr_snapshot_proxy_credentials",
                                            "SELECT proxy, credential FROM rr_proxy_credential ORDER BY proxy, place",
                                            NULL, 0, 2 },
    [RR_SQL_SNAPSHOT_RULES] = { "rr_snapshot_rules",
                                "SELECT id, proxy, credential, target, body FROM rr_rule ORDER BY id", NULL, 0, 5 },
    [RR_SQL_SNAPSHOT_FILTERS] = { "rr_snapshot_filters",
                                  "SELECT id, proxy, credential, target, body FROM rr_filter ORDER BY id", NULL, 0, 5 },
};

struct rr_sql_t {
    const apr_dbd_driver_t *driver;
    apr_dbd_t *db;
    apr_pool_t *p; /* statements live in it */
    rr_dialect_e dialect;
    int broken;
    apr_dbd_prepared_t *prepared[RR_SQL_COUNT];
};

static apr_status_t close_sql(void *data)
{
    rr_sql_t *sql = data;

    apr_dbd_close(sql->driver, sql->db);
    sql->db = NULL;
    return APR_SUCCESS;
}

/* The driver's words for people: one line, since what PostgreSQL adds in further ones quotes values. */
static const char *driver_text(rr_sql_t *sql, int code)
{
    const char *text = apr_dbd_error(sql->driver, sql->db, code);

    return text ? text : "no reason given";
}

static int line_length(const char *text)
{
    apr_size_t len = strcspn(text, "\r\n");

    return len > 160 ? 160 : (int)len;
}

/* pgsql's messages are in the language of its server; those that we have to tell apart we look for beforehand. */
static apr_status_t failed(rr_sql_t *sql, int code, const char *label, rr_err_t *err)
{
    const char *text = driver_text(sql, code);
    int conflict = strstr(text, "constraint failed") || strstr(text, "violates ");

    sql->broken = 1;
    return rr_err_set(err, conflict ? RR_ECONFLICT : RR_EUNAVAIL, label, "the database refused %s: %.*s", label,
                      line_length(text), text);
}

apr_status_t rr_sql_run(rr_sql_t *sql, const char *statement, rr_err_t *err)
{
    int changed = 0, code = apr_dbd_query(sql->driver, sql->db, &changed, statement);

    return code ? failed(sql, code, "a command", err) : APR_SUCCESS;
}

static apr_status_t read_rows(apr_array_header_t *rows, rr_sql_t *sql, apr_dbd_results_t *results, int columns,
                              apr_pool_t *p)
{
    apr_dbd_row_t *row = NULL;
    int i;

    while (apr_dbd_get_row(sql->driver, p, results, &row, -1) == 0) {
        const char **copy = apr_pcalloc(p, sizeof(*copy) * (apr_size_t)columns);

        for (i = 0; i < columns; i++) {
            const char *value = NULL;
            apr_status_t rv = apr_dbd_datum_get(sql->driver, row, i, APR_DBD_TYPE_TEXT, &value);

            if (rv != APR_SUCCESS && rv != APR_ENOENT) {
                return RR_EUNAVAIL;
            }
            copy[i] = rv == APR_SUCCESS && value && sql->dialect == RR_PGSQL ? apr_pstrdup(p, value) : value;
        }
        APR_ARRAY_PUSH(rows, rr_sql_row_t) = copy;
    }
    return APR_SUCCESS;
}

apr_status_t rr_sql_ask(apr_array_header_t **prows, rr_sql_t *sql, const char *statement, apr_pool_t *p, rr_err_t *err)
{
    apr_dbd_results_t *results = NULL;
    int code = apr_dbd_select(sql->driver, p, sql->db, &results, statement, 1);

    *prows = apr_array_make(p, 1, sizeof(rr_sql_row_t));
    if (code || read_rows(*prows, sql, results, apr_dbd_num_cols(sql->driver, results), p) != APR_SUCCESS) {
        return failed(sql, code, "a question", err);
    }
    return APR_SUCCESS;
}

/* The statement, prepared once a connection. */
static apr_status_t prepare(rr_sql_t *sql, rr_sql_e which, int count, rr_err_t *err)
{
    const char *text = statements[which].sql;
    int code;

    if (sql->dialect == RR_PGSQL && statements[which].pgsql) {
        text = statements[which].pgsql;
    }
    if (count != statements[which].values) { /* a mistake of ours that would read past the values */
        return rr_err_set(err, RR_EINVAL, statements[which].label, "%s takes %d values", statements[which].label,
                          statements[which].values);
    }
    if (sql->prepared[which]) {
        return APR_SUCCESS;
    }
    code = apr_dbd_prepare(sql->driver, sql->p, sql->db, text,
                           statements[which].planned_anew ? NULL : statements[which].label, &sql->prepared[which]);
    if (code) {
        sql->prepared[which] = NULL;
        return failed(sql, code, statements[which].label, err);
    }
    return APR_SUCCESS;
}

apr_status_t rr_sql_exec(int *pchanged, rr_sql_t *sql, rr_sql_e which, const char *const *values, int count,
                         apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = prepare(sql, which, count, err);
    int code, changed = 0;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    code = apr_dbd_pquery(sql->driver, p, sql->db, &changed, sql->prepared[which], count, (const char **)values);
    if (pchanged) {
        *pchanged = changed;
    }
    return code ? failed(sql, code, statements[which].label, err) : APR_SUCCESS;
}

apr_status_t rr_sql_select(apr_array_header_t **prows, rr_sql_t *sql, rr_sql_e which, const char *const *values,
                           int count, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv = prepare(sql, which, count, err);
    apr_dbd_results_t *results = NULL;
    int code;

    *prows = apr_array_make(p, 1, sizeof(rr_sql_row_t));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    code = apr_dbd_pselect(sql->driver, p, sql->db, &results, sql->prepared[which], 1, count, (const char **)values);
    if (code || read_rows(*prows, sql, results, statements[which].columns, p) != APR_SUCCESS) {
        return failed(sql, code, statements[which].label, err);
    }
    return APR_SUCCESS;
}

/*
 * synchronous=FULL: an acknowledged write outlives a power cut; in WAL that is one sync a commit, and only writes
 * commit. foreign_keys is off by default in every connection. cache_spill: a long transaction keeps its pages, which
 * it would write to the log and read again, many times each.
 */
static apr_status_t set_up_sqlite3(rr_sql_t *sql, int create, apr_pool_t *p, rr_err_t *err)
{
    static const char *const pragmas[] = { "PRAGMA busy_timeout = " SQLITE_BUSY_MS, "PRAGMA foreign_keys = ON",
                                           "PRAGMA synchronous = FULL", "PRAGMA cache_spill = OFF", NULL };
    apr_array_header_t *rows;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; pragmas[i] && rv == APR_SUCCESS; i++) {
        rv = rr_sql_ask(&rows, sql, pragmas[i], p, err);
    }
    if (create && rv == APR_SUCCESS) { /* kept in the file */
        rv = rr_sql_ask(&rows, sql, "PRAGMA journal_mode = WAL", p, err);
    }
    return rv;
}

/* A server that does not answer must not hold a thread: bounds that the operator's own params, coming later, override. */
static const char *pgsql_params(const char *params, apr_pool_t *p)
{
    return strstr(params, "://") ? params
                                 : apr_pstrcat(p, "connect_timeout=2 tcp_user_timeout=3000 application_name=mod_rr ",
                                               params, NULL);
}

static apr_status_t set_up_pgsql(rr_sql_t *sql, rr_err_t *err)
{
    /* A writer that does not end holds up others no longer than one of sqlite3's does. */
    static const char *const settings[] = { "SET client_encoding TO 'UTF8'", "SET statement_timeout TO 5000",
                                            "SET lock_timeout TO 250",
                                            "SET idle_in_transaction_session_timeout TO 30000",
                                            "SET default_transaction_isolation TO 'read committed'", NULL };
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; settings[i] && rv == APR_SUCCESS; i++) {
        rv = rr_sql_run(sql, settings[i], err);
    }
    return rv;
}

apr_status_t rr_sql_open(rr_sql_t **psql, const char *driver, const char *params, int create, apr_pool_t *p,
                         rr_err_t *err)
{
    rr_sql_t *sql = apr_pcalloc(p, sizeof(*sql));
    const char *reason = NULL;
    apr_finfo_t info;
    apr_status_t rv;

    *psql = NULL;
    sql->p = p;
    if (!strcmp(driver, "sqlite3")) {
        sql->dialect = RR_SQLITE3;
    }
    else if (!strcmp(driver, "pgsql")) {
        sql->dialect = RR_PGSQL;
        params = pgsql_params(params, p);
    }
    else {
        return rr_err_set(err, RR_EINVAL, "driver", "the store's driver is sqlite3 or pgsql, not %.32s", driver);
    }
    rv = apr_dbd_init(p);
    if (rv != APR_SUCCESS || (rv = apr_dbd_get_driver(p, driver, &sql->driver)) != APR_SUCCESS) {
        return rr_err_set(err, RR_EUNAVAIL, driver, "APR cannot load its %s driver; install the package that has "
                          "apr_dbd_%s (libaprutil1-dbd-%s)", driver, driver, driver);
    }
    /* sqlite3 would make an empty file, and as the wrong user. */
    if (sql->dialect == RR_SQLITE3 && !create) {
        rv = apr_stat(&info, params, APR_FINFO_TYPE, p);
        if (APR_STATUS_IS_ENOENT(rv)) {
            return rr_err_set(err, RR_ESCHEMA, params, "there is no store at %.150s: run rrctl init", params);
        }
    }
    if (apr_dbd_open_ex(sql->driver, p, params, &sql->db, &reason) != APR_SUCCESS) {
        reason = reason ? reason : "no reason given";
        return rr_err_set(err, RR_EUNAVAIL, driver, "cannot open the %s store: %.*s", driver, line_length(reason), reason);
    }
    apr_pool_cleanup_register(p, sql, close_sql, apr_pool_cleanup_null);
    rv = sql->dialect == RR_SQLITE3 ? set_up_sqlite3(sql, create, p, err) : set_up_pgsql(sql, err);
    if (rv != APR_SUCCESS) {
        rr_sql_close(sql);
        return rv;
    }
    *psql = sql;
    return APR_SUCCESS;
}

void rr_sql_close(rr_sql_t *sql)
{
    apr_pool_cleanup_run(sql->p, sql, close_sql);
}

rr_dialect_e rr_sql_dialect(const rr_sql_t *sql)
{
    return sql->dialect;
}

int rr_sql_is_broken(const rr_sql_t *sql)
{
    return sql->broken;
}

const char *rr_sql_number(apr_pool_t *p, apr_int64_t number)
{
    return apr_psprintf(p, "%" APR_INT64_T_FMT, number);
}

const char *rr_sql_hex(apr_pool_t *p, const unsigned char *bytes, apr_size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *text = apr_palloc(p, 2 * len + 1);
    apr_size_t i;

    for (i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * len] = '\0';
    return text;
}
