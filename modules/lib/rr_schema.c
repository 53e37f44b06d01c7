/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_schema.c: the tables, version by version, for each dialect.
 *
 * Both dialects share the tables' text; they differ in how a trigger is
 * written. Every table but rr_key_use raises the revision by trigger, so that
 * a change made with a database's own shell counts as one made by us.
 *
 * Times are microseconds since the epoch, 0 for none. JSON is text. A client
 * in a foreign key of rules, filters and proxies keeps a row from naming what
 * another client owns, whoever writes it.
 */
#include "rr_sql.h"

#include <stddef.h>

/* Tables made by one step never change: a new version is a new step. */
#define TABLES_1 \
    "CREATE TABLE rr_store (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, store TEXT NOT NULL, " \
    "n BIGINT NOT NULL, pepper TEXT NOT NULL)", \
    "CREATE TABLE rr_client (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, created BIGINT NOT NULL)", \
    "CREATE TABLE rr_credential (id TEXT PRIMARY KEY NOT NULL, " \
    "client TEXT NOT NULL REFERENCES rr_client (id) ON DELETE CASCADE, " \
    "type TEXT NOT NULL CHECK (type IN ('proxy', 'target')), kind TEXT NOT NULL, name TEXT NOT NULL, region TEXT, " \
    "scopes TEXT NOT NULL, metadata TEXT, default_effect TEXT CHECK (default_effect IN ('allow', 'deny')), " \
    "active INTEGER NOT NULL CHECK (active IN (0, 1)), expires BIGINT NOT NULL, origins TEXT, params TEXT, " \
    "secret TEXT, created BIGINT NOT NULL, updated BIGINT NOT NULL, " \
    "UNIQUE (client, type, name), UNIQUE (client, id))", \
    "CREATE TABLE rr_key (id TEXT PRIMARY KEY NOT NULL, " \
    "credential TEXT NOT NULL REFERENCES rr_credential (id) ON DELETE CASCADE, digest TEXT NOT NULL UNIQUE, " \
    "hint TEXT NOT NULL, expires BIGINT NOT NULL, created BIGINT NOT NULL)", \
    "CREATE INDEX rr_key_by_credential ON rr_key (credential, id)", \
    "CREATE TABLE rr_key_use (key_id TEXT PRIMARY KEY NOT NULL REFERENCES rr_key (id) ON DELETE CASCADE, " \
    "used BIGINT NOT NULL)", \
    "CREATE TABLE rr_target (id TEXT PRIMARY KEY NOT NULL, " \
    "client TEXT NOT NULL REFERENCES rr_client (id) ON DELETE CASCADE, name TEXT NOT NULL, base_url TEXT NOT NULL, " \
    "test_path TEXT, region TEXT, default_effect TEXT CHECK (default_effect IN ('allow', 'deny')), " \
    "created BIGINT NOT NULL, updated BIGINT NOT NULL, UNIQUE (client, name), UNIQUE (client, id))", \
    "CREATE TABLE rr_proxy (id TEXT PRIMARY KEY NOT NULL, " \
    "client TEXT NOT NULL REFERENCES rr_client (id) ON DELETE CASCADE, name TEXT NOT NULL, alias TEXT UNIQUE, " \
    "region TEXT, credential_mode TEXT NOT NULL CHECK (credential_mode IN ('any', 'all')), target TEXT NOT NULL, " \
    "target_credential TEXT, default_effect TEXT NOT NULL CHECK (default_effect IN ('allow', 'deny')), " \
    "active INTEGER NOT NULL CHECK (active IN (0, 1)), identity_headers TEXT, forward_headers TEXT, " \
    "created BIGINT NOT NULL, updated BIGINT NOT NULL, UNIQUE (client, name), UNIQUE (client, id), " \
    "FOREIGN KEY (client, target) REFERENCES rr_target (client, id), " \
    "FOREIGN KEY (client, target_credential) REFERENCES rr_credential (client, id))", \
    "CREATE INDEX rr_proxy_by_target ON rr_proxy (client, target)", \
    "CREATE INDEX rr_proxy_by_target_credential ON rr_proxy (client, target_credential)", \
    /* A row whose credential was deleted stays, so that "all of them" never shrinks to fewer: it matches nobody. */ \
    "CREATE TABLE rr_proxy_credential (proxy TEXT NOT NULL REFERENCES rr_proxy (id) ON DELETE CASCADE, " \
    "place INTEGER NOT NULL, credential TEXT REFERENCES rr_credential (id) ON DELETE SET NULL, " \
    "PRIMARY KEY (proxy, place))", \
    "CREATE INDEX rr_proxy_credential_by_credential ON rr_proxy_credential (credential)", \
    ATTACHED_1("rr_rule"), ATTACHED_1("rr_filter"), \
    "CREATE TABLE rr_revocation (id TEXT PRIMARY KEY NOT NULL, " \
    "client TEXT REFERENCES rr_client (id) ON DELETE CASCADE, issuer TEXT, jti TEXT, sub TEXT, " \
    "issued_before BIGINT NOT NULL, digest TEXT, expires BIGINT NOT NULL, created BIGINT NOT NULL, " \
    "CHECK ((digest IS NOT NULL AND jti IS NULL AND sub IS NULL) OR (digest IS NULL AND issuer IS NOT NULL AND " \
    "((jti IS NOT NULL AND sub IS NULL) OR (jti IS NULL AND sub IS NOT NULL AND issued_before > 0)))))", \
    "CREATE INDEX rr_revocation_by_digest ON rr_revocation (digest)", \
    "CREATE INDEX rr_revocation_by_jti ON rr_revocation (issuer, jti)", \
    "CREATE INDEX rr_revocation_by_sub ON rr_revocation (issuer, sub)", \
    "CREATE INDEX rr_revocation_by_client ON rr_revocation (client)"

/* Rules and filters hang on exactly one proxy, credential or target of their client. */
#define ATTACHED_1(table) \
    "CREATE TABLE " table " (id TEXT PRIMARY KEY NOT NULL, client TEXT NOT NULL, proxy TEXT, credential TEXT, " \
    "target TEXT, body TEXT NOT NULL, created BIGINT NOT NULL, " \
    "FOREIGN KEY (client, proxy) REFERENCES rr_proxy (client, id) ON DELETE CASCADE, " \
    "FOREIGN KEY (client, credential) REFERENCES rr_credential (client, id) ON DELETE CASCADE, " \
    "FOREIGN KEY (client, target) REFERENCES rr_target (client, id) ON DELETE CASCADE, " \
    "CHECK ((proxy IS NOT NULL AND credential IS NULL AND target IS NULL) OR " \
    "(proxy IS NULL AND credential IS NOT NULL AND target IS NULL) OR " \
    "(proxy IS NULL AND credential IS NULL AND target IS NOT NULL)))", \
    "CREATE INDEX " table "_by_proxy ON " table " (client, proxy)", \
    "CREATE INDEX " table "_by_credential ON " table " (client, credential)", \
    "CREATE INDEX " table "_by_target ON " table " (client, target)"

#define SQLITE3_BUMP(table, op) \
    "CREATE TRIGGER " table "_" op " AFTER " op " ON " table " BEGIN UPDATE rr_store SET n = n + 1; END"
#define SQLITE3_TRIGGERS(table) \
    SQLITE3_BUMP(table, "insert"), SQLITE3_BUMP(table, "update"), SQLITE3_BUMP(table, "delete")
#define PGSQL_TRIGGERS(table) \
    "CREATE TRIGGER " table "_bump AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON " table \
    " FOR EACH STATEMENT EXECUTE FUNCTION rr_bump()"

#define TRIGGERS_1(kind) \
    kind("rr_client"), kind("rr_credential"), kind("rr_key"), kind("rr_target"), kind("rr_proxy"), \
        kind("rr_proxy_credential"), kind("rr_rule"), kind("rr_filter"), kind("rr_revocation")

static const char *const sqlite3_1[] = { TABLES_1, TRIGGERS_1(SQLITE3_TRIGGERS), NULL };

/*
 * Once a transaction, that is unless the row's version is the transaction's own: each update would pass over those
 * that the same transaction made before. So every other writer of the row raises n as well. In a savepoint xmin is
 * the savepoint's: once more, and taken back with it. search_path as when the function was made, so that the
 * triggers work in every session.
 */
#define PGSQL_BUMP \
    "CREATE OR REPLACE FUNCTION rr_bump() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS " \
    "$$ BEGIN UPDATE rr_store SET n = n + 1 WHERE xmin <> mod(txid_current(), 4294967296)::text::xid; " \
    "RETURN NULL; END $$"

static const char *const pgsql_1[] = { TABLES_1, PGSQL_BUMP, TRIGGERS_1(PGSQL_TRIGGERS), NULL };

static const char *const *const steps[][RR_DIALECTS] = {
    { sqlite3_1, pgsql_1 },
};

/* What is not data may become better within a version. */
static const char *const pgsql_renewed[] = { PGSQL_BUMP, NULL };
static const char *const *const renewed[RR_DIALECTS] = { [RR_PGSQL] = pgsql_renewed };

const char *const *rr_schema_renewed(rr_dialect_e dialect)
{
    return renewed[dialect];
}

const char *const *rr_schema_step(rr_dialect_e dialect, int version)
{
    return steps[version - 1][dialect];
}

#define SQLITE3_NAMES(table) "('" table "_insert'), ('" table "_update'), ('" table "_delete')"
#define PGSQL_NAMES(table) "('" table "_bump')"
#define COMMA_NAMES(kind) \
    kind("rr_client") ", " kind("rr_credential") ", " kind("rr_key") ", " kind("rr_target") ", " kind("rr_proxy") ", " \
    kind("rr_proxy_credential") ", " kind("rr_rule") ", " kind("rr_filter") ", " kind("rr_revocation")

const char *rr_schema_missing_triggers(rr_dialect_e dialect)
{
    return dialect == RR_SQLITE3
               ? "WITH wanted (name) AS (VALUES " COMMA_NAMES(SQLITE3_NAMES) ") SELECT name FROM wanted WHERE name NOT IN "
                 "(SELECT name FROM sqlite_master WHERE type = 'trigger')"
               : "WITH wanted (name) AS (VALUES " COMMA_NAMES(PGSQL_NAMES) ") SELECT name FROM wanted WHERE name NOT IN "
                 "(SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D')";
}
