/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store.c: the store through its own calls.
 */
#include "store_frame.h"

static apr_int64_t revision_of(rr_store_t *store, apr_pool_t *p)
{
    rr_revision_t revision = { "", -1 };

    rr_store_revision(&revision, store, p, NULL);
    return revision.n;
}

static void digest_of(unsigned char digest[RR_KEY_DIGEST_LEN], rr_store_t *store, const char *key, apr_pool_t *p)
{
    const rr_key_digester_t *digester;

    if (rr_store_digester(&digester, store, ring, p, NULL) == APR_SUCCESS) {
        rr_key_digest(digest, digester, key, strlen(key));
    }
}

/* A proxy credential with one key; the status of the whole transaction. */
static apr_status_t add(rr_store_t *store, const char *id, const char *name, const char *key, apr_time_t expires,
                        apr_pool_t *p, rr_err_t *err)
{
    rr_credential_row_t row = { .id = id, .client = "default", .kind = RR_CREDENTIAL_KEY, .name = name, .active = 1,
                                .scopes = "[\"a\",\"b\"]", .metadata = "{\"userId\":\"u\"}", .expires = expires };
    rr_key_row_t key_row = { .id = apr_pstrcat(p, "key-", id, NULL), .credential = id, .hint = "..." };
    unsigned char digest[RR_KEY_DIGEST_LEN];
    apr_status_t rv;

    digest_of(digest, store, key, p);
    rv = rr_store_begin(store, p, err);
    if (rv == APR_SUCCESS && (rv = rr_store_credential_add(store, &row, p, err)) == APR_SUCCESS) {
        rv = rr_store_key_add(store, &key_row, digest, p, err);
    }
    if (rv == APR_SUCCESS) {
        return rr_store_commit(store, err);
    }
    rr_store_rollback(store);
    return rv;
}

static apr_status_t find(const rr_credential_t **pfound, rr_store_t *store, const char *key, apr_pool_t *p)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    rr_revision_t revision;

    digest_of(digest, store, key, p);
    return rr_store_key_find(pfound, &revision, store, digest, p, NULL);
}

static void test_refused(apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store;

    is_int(rr_store_open(&store, "mysql", "x", p, NULL), RR_EINVAL, "another driver");
    is_int(rr_store_open(&store, "sqlite3", "/no/such/dir/rr.db", p, NULL), RR_ESCHEMA, "no such directory");
    is_int(rr_store_init("sqlite3", "/no/such/dir/rr.db", ring, p, NULL), RR_EUNAVAIL, "nor can a store be made there");
    is_int(rr_store_open(&store, "pgsql", "host=127.0.0.1 port=1 dbname=rr", p, &err), RR_EUNAVAIL, "no such server");
    note("%s", err.text);
}

static void test_life(apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store;
    int from = -1;

    is_int(rr_store_open(&store, driver, params, p, &err), RR_ESCHEMA, "no store yet");
    ok(strstr(err.text, "rrctl init") != NULL, "and what to run: %s", err.text);
    is_int(rr_store_init(driver, params, ring, p, NULL), APR_SUCCESS, "a store is made");
    rr_err_clear(&err);
    is_int(rr_store_init(driver, params, ring, p, &err), RR_ECONFLICT, "but not over another");
    is_int(rr_store_migrate(&from, driver, params, p, NULL), APR_SUCCESS, "a present schema is left");
    is_int(from, RR_STORE_SCHEMA, "its version");
    store = open_store(p);
    ok(store != NULL, "and opens");
    is_int(rr_store_has_wal(store, p), !strcmp(driver, "sqlite3"), "a sqlite3 store is in WAL mode");
    rr_store_close(store);

    by_hand(p, "UPDATE rr_store SET version = version + 1");
    rr_err_clear(&err);
    is_int(rr_store_open(&store, driver, params, p, &err), RR_ESCHEMA, "a newer schema is not used");
    ok(strstr(err.text, "update the program") != NULL, "and what to do: %s", err.text);
    rr_err_clear(&err);
    is_int(rr_store_migrate(&from, driver, params, p, &err), RR_ESCHEMA, "nor taken backward");
    by_hand(p, "UPDATE rr_store SET version = version - 1");
}

static void test_keys(apr_pool_t *p)
{
    rr_store_t *store = open_store(p);
    const rr_credential_t *found;
    rr_err_t err = RR_ERR_INIT;

    is_int(add(store, "c1", "robot", "value-of-robot", 0, p, &err), APR_SUCCESS, "a credential and its key");
    is_int(find(&found, store, "value-of-robot", p), APR_SUCCESS, "are found");
    is_str(found->id, "c1", "by id");
    is_str(found->client, "default", "client");
    is_str(found->name, "robot", "and name");
    is_str(found->key_id, "key-c1", "with the key's id");
    is_int(found->kind, RR_CREDENTIAL_KEY, "of their kind");
    is_int(found->scopes->nelts, 2, "with scopes");
    is_str(APR_ARRAY_IDX(found->scopes, 1, const char *), "b", "each");
    is_str(rr_json_string(rr_json_member(found->metadata, "userId")), "u", "and metadata");
    is_str(found->sub, "u", "which says who it is");
    is_str(found->scope, "a b", "the scopes as one text");
    is_int(rr_credential_judge(found, RR_CREDENTIAL_KEY, 1, NULL), APR_SUCCESS, "it lets in");
    is_int(rr_credential_judge(found, RR_CREDENTIAL_BEARER, 1, NULL), APR_NOTFOUND, "but not as another kind");
    is_int(rr_credential_judge(found, RR_CREDENTIAL_UNKNOWN, 1, NULL), APR_NOTFOUND, "nor as no kind");
    is_int(find(&found, store, "value-of-robots", p), APR_NOTFOUND, "another value is not found");
    is_int(find(&found, store, "value-of-robo", p), APR_NOTFOUND, "nor a shorter one");

    rr_err_clear(&err);
    is_int(add(store, "c2", "robot", "another-value", 0, p, &err), RR_ECONFLICT, "a name is taken once");
    is_int(find(&found, store, "another-value", p), APR_NOTFOUND, "and nothing of the attempt is left");
    rr_err_clear(&err);
    is_int(add(store, "c2", "rob", "value-of-robot", 0, p, &err), RR_ECONFLICT, "a value is taken once");
    is_int(rr_store_credential_get(&(const rr_credential_row_t *){ NULL }, store, NULL, "c2", p, NULL), APR_NOTFOUND,
           "and its credential is not left half-written");

    rr_store_close(store);
    by_hand(p, "UPDATE rr_credential SET active = 0 WHERE id = 'c1'");
    store = open_store(p);
    find(&found, store, "value-of-robot", p);
    is_int(rr_credential_judge(found, RR_CREDENTIAL_KEY, 1, NULL), RR_EREVOKED, "an inactive credential lets nobody in");
    by_hand(p, "UPDATE rr_credential SET active = 1, metadata = '{\"a\":1' WHERE id = 'c1'");
    is_int(find(&found, store, "value-of-robot", p), RR_EINVAL, "nor one whose metadata is no JSON");
    by_hand(p, "UPDATE rr_credential SET scopes = '[\"rr:admin:c\"]', metadata = '{\"userId\":\"\","
               "\"scopes\":[\"m\",\"rr:admin\"]}' WHERE id = 'c1'");
    find(&found, store, "value-of-robot", p);
    is_str(found->sub, "default/robot", "an empty userId is none");
    is_str(found->scope, "rr:admin:c m", "metadata adds scopes, but none of power over the gateway");
    by_hand(p, "UPDATE rr_credential SET metadata = NULL, scopes = '\"rr:admin\"' WHERE id = 'c1'");
    is_int(find(&found, store, "value-of-robot", p), RR_EINVAL, "nor one whose scopes are no array");
    by_hand(p, "UPDATE rr_credential SET scopes = '[]', type = 'target' WHERE id = 'c1'");
    is_int(find(&found, store, "value-of-robot", p), APR_NOTFOUND, "a target credential is nobody's key");
    by_hand(p, "UPDATE rr_credential SET type = 'proxy' WHERE id = 'c1'");
    is_int(find(&found, store, "value-of-robot", p), APR_SUCCESS, "control: as before");
    ok(found && !found->metadata && found->scopes->nelts == 0, "without scopes and metadata");
    is_str(found->scope, "", "whose text is empty");
    is_str(found->sub, "default/robot", "and named by itself");
    rr_store_close(store);
}

/* Ends of credential (c) and key (k), and when it is asked. */
static void test_ends(apr_pool_t *p)
{
    static const struct {
        const char *name;
        apr_time_t credential, key, now;
        apr_status_t status;
    } cases[] = {
        { "no end", 0, 0, APR_INT64_MAX, APR_SUCCESS },   { "before the key's end", 0, 100, 99, APR_SUCCESS },
        { "at the key's end", 0, 100, 100, RR_EEXPIRED }, { "before the credential's end", 100, 0, 99, APR_SUCCESS },
        { "at the credential's end", 100, 0, 100, RR_EEXPIRED },
        { "the key ends first", 200, 100, 150, RR_EEXPIRED },
        { "the credential ends first", 100, 200, 150, RR_EEXPIRED },
        { "before both", 200, 100, 99, APR_SUCCESS },
    };
    rr_store_t *store = open_store(p);
    const rr_credential_t *found;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        by_hand(p, apr_psprintf(p, "UPDATE rr_credential SET expires = %d WHERE id = 'c1'", (int)cases[i].credential));
        by_hand(p, apr_psprintf(p, "UPDATE rr_key SET expires = %d WHERE id = 'key-c1'", (int)cases[i].key));
        find(&found, store, "value-of-robot", p);
        is_int(found ? rr_credential_judge(found, RR_CREDENTIAL_KEY, cases[i].now, NULL) : -1, cases[i].status,
               cases[i].name);
    }
    by_hand(p, "UPDATE rr_credential SET expires = 0");
    by_hand(p, "UPDATE rr_key SET expires = 0");
    rr_store_close(store);
}

static void test_revision(apr_pool_t *p)
{
    static const struct {
        const char *name, *statement;
        int raises;
    } cases[] = {
        { "a client", "INSERT INTO rr_client (id, name, created) VALUES ('c', 'c', 0)", 1 },
        { "a changed client", "UPDATE rr_client SET name = 'd' WHERE id = 'c'", 1 },
        { "a credential", "INSERT INTO rr_credential (id, client, type, kind, name, scopes, active, expires, created, "
                          "updated) VALUES ('x', 'c', 'target', 'key', 'x', '[]', 1, 0, 0, 0)", 1 },
        { "a key", "INSERT INTO rr_key (id, credential, digest, hint, expires, created) VALUES ('k', 'x', 'd', '', 0, 0)", 1 },
        { "a last use", "INSERT INTO rr_key_use (key_id, used) VALUES ('k', 5)", 0 },
        { "a later use", "UPDATE rr_key_use SET used = 6", 0 },
        { "a target", "INSERT INTO rr_target (id, client, name, base_url, created, updated) VALUES ('t', 'c', 't', 'u', 0, 0)", 1 },
        { "a proxy", "INSERT INTO rr_proxy (id, client, name, credential_mode, target, target_credential, default_effect, "
                     "active, created, updated) VALUES ('p', 'c', 'p', 'any', 't', 'x', 'deny', 1, 0, 0)", 1 },
        { "its credential", "INSERT INTO rr_proxy_credential (proxy, place, credential) VALUES ('p', 0, 'c1')", 1 },
        { "a rule", "INSERT INTO rr_rule (id, client, proxy, body, created) VALUES ('r', 'c', 'p', '{}', 0)", 1 },
        { "a filter", "INSERT INTO rr_filter (id, client, target, body, created) VALUES ('f', 'c', 't', '{}', 0)", 1 },
        { "a revocation", "INSERT INTO rr_revocation (id, issuer, jti, issued_before, expires, created) VALUES "
                          "('v', 'i', 'j', 0, 0, 0)", 1 },
        { "a deleted revocation", "DELETE FROM rr_revocation", 1 },
        { "a deleted key", "DELETE FROM rr_key WHERE id = 'k'", 1 },
    };
    static const struct {
        const char *name, *statement;
    } refused[] = {
        { "a target in use is not deleted", "DELETE FROM rr_target WHERE id = 't'" },
        { "nor a target credential in use", "DELETE FROM rr_credential WHERE id = 'x'" },
        { "a proxy does not name another client's target", "UPDATE rr_proxy SET client = 'default'" },
        { "nor another client's target credential", "UPDATE rr_proxy SET target_credential = 'c1'" },
        { "a rule does not hang on another client's proxy", "UPDATE rr_rule SET client = 'default'" },
        { "nor on two things", "UPDATE rr_rule SET target = 't'" },
        { "nor on nothing", "UPDATE rr_rule SET proxy = NULL" },
        { "there is one store", "INSERT INTO rr_store (one, version, store, n, pepper) VALUES (2, 1, '', 1, '')" },
        { "a revocation says what it revokes", "INSERT INTO rr_revocation (id, issuer, issued_before, expires, created) "
                                               "VALUES ('w', 'i', 0, 0, 0)" },
    };
    rr_store_t *store = open_store(p);
    apr_int64_t before, after;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        before = revision_of(store, p);
        by_hand(p, cases[i].statement);
        after = revision_of(store, p);
        ok(cases[i].raises ? after > before : after == before, "%s %s the revision", cases[i].name,
           cases[i].raises ? "raises" : "leaves");
    }
    before = revision_of(store, p);
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        rr_err_t err = RR_ERR_INIT;
        rr_sql_t *sql;

        rr_sql_open(&sql, driver, params, 0, p, NULL);
        is_int(rr_sql_run(sql, refused[i].statement, &err), RR_ECONFLICT, refused[i].name);
        rr_sql_close(sql);
    }
    is_int(revision_of(store, p), before, "what is refused leaves the revision");
    is_int(rr_store_credential_delete(store, NULL, "x", p, NULL), RR_ECONFLICT, "a target credential in use is a conflict");
    by_hand(p, "DELETE FROM rr_credential WHERE id = 'c1'");
    ok(revision_of(store, p) > before, "a proxy credential in use can be deleted");
    {
        rr_sql_t *sql;
        apr_array_header_t *rows;

        rr_sql_open(&sql, driver, params, 0, p, NULL);
        rr_sql_ask(&rows, sql, "SELECT credential FROM rr_proxy_credential", p, NULL);
        ok(rows->nelts == 1 && !APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[0], "and its place in the proxy stays, empty");
        rr_sql_close(sql);
    }
    by_hand(p, "DELETE FROM rr_client WHERE id = 'c'");
    {
        rr_sql_t *sql;
        apr_array_header_t *rows;

        rr_sql_open(&sql, driver, params, 0, p, NULL);
        rr_sql_ask(&rows, sql, "SELECT (SELECT count(*) FROM rr_proxy) + (SELECT count(*) FROM rr_target) + "
                               "(SELECT count(*) FROM rr_rule) + (SELECT count(*) FROM rr_filter)", p, NULL);
        is_str(APR_ARRAY_IDX(rows, 0, rr_sql_row_t)[0], "0", "a client goes with all that is its own");
        rr_sql_close(sql);
    }
    rr_store_close(store);
}

static void test_transactions(apr_pool_t *p)
{
    rr_store_t *one = open_store(p), *two = open_store(p);
    rr_revision_t a, b;
    rr_client_t client = { "tx", "tx", 1 };
    const rr_client_t *got;

    rr_store_begin(one, p, NULL);
    rr_store_client_add(one, &client, p, NULL);
    is_int(rr_store_client_get(&got, two, "tx", p, NULL), APR_NOTFOUND, "what is not committed is not seen");
    rr_store_rollback(one);
    is_int(rr_store_client_get(&got, one, "tx", p, NULL), APR_NOTFOUND, "what is rolled back is gone");

    rr_store_begin_read(two, NULL);
    rr_store_revision(&a, two, p, NULL);
    rr_store_begin(one, p, NULL);
    is_int(rr_store_client_add(one, &client, p, NULL), APR_SUCCESS, "a reader holds up no writer");
    is_int(rr_store_commit(one, NULL), APR_SUCCESS, "nor its commit");
    rr_store_revision(&b, two, p, NULL);
    ok(rr_revision_equal(&a, &b), "a reading transaction sees one revision");
    is_int(rr_store_client_get(&got, two, "tx", p, NULL), APR_NOTFOUND, "and its rows");
    rr_store_rollback(two);
    rr_store_revision(&b, two, p, NULL);
    ok(!rr_revision_equal(&a, &b), "and the next one when it has ended");
    is_int(rr_store_client_get(&got, two, "tx", p, NULL), APR_SUCCESS, "with its rows");

    is_int(rr_store_is_broken(one), 0, "a connection is sound");
    rr_store_begin(one, p, NULL);
    is_int(rr_store_client_add(one, &(rr_client_t){ "tx2", NULL, 1 }, p, NULL), RR_ECONFLICT, "until a statement fails");
    is_int(rr_store_is_broken(one), 1, "then it is broken");
    is_int(rr_store_commit(one, NULL), RR_EUNAVAIL, "and commits nothing");
    rr_store_close(one);
    rr_store_close(two);
}

static void test_rows(apr_pool_t *p)
{
    rr_store_t *store = open_store(p);
    rr_key_use_t uses[] = { { "key-r1", 500 }, { "key-r1", 400 }, { "no-such-key", 1 } };
    rr_key_row_t second = { .id = "key-r2", .credential = "r1", .hint = "...2", .expires = 1000 };
    unsigned char digest[RR_KEY_DIGEST_LEN] = { 7 };
    const rr_credential_row_t *row;
    apr_array_header_t *keys;
    const rr_key_row_t *key;
    apr_int64_t before;

    add(store, "r1", "it's \"quoted\"; DROP TABLE rr_key; -- \xc3\xa9", "value-of-r1", 0, p, NULL);
    is_int(rr_store_credential_by_name(&row, store, "default", 0, "it's \"quoted\"; DROP TABLE rr_key; -- \xc3\xa9", p, NULL),
           APR_SUCCESS, "a name is a value, whatever is in it");
    ok(!row->region && !row->secret && !row->default_effect, "what was not set is not there");
    is_int(rr_store_credential_get(&row, store, "tx", "r1", p, NULL), APR_NOTFOUND, "another client does not see it");
    is_int(rr_store_key_get(&key, store, "tx", "key-r1", p, NULL), APR_NOTFOUND, "nor its key");
    is_int(rr_store_key_delete(store, "tx", "key-r1", p, NULL), APR_NOTFOUND, "nor can delete it");

    before = revision_of(store, p);
    is_int(rr_store_keys_used(store, uses, 3, p, NULL), APR_SUCCESS, "uses are noted in one batch");
    is_int(revision_of(store, p), before, "which leaves the revision");
    rr_store_key_get(&key, store, "default", "key-r1", p, NULL);
    is_int(key->used, 500, "the later use wins");

    rr_store_begin(store, p, NULL);
    rr_store_key_add(store, &second, digest, p, NULL);
    rr_store_commit(store, NULL);
    rr_store_key_end_all(store, "r1", 5000, p, NULL);
    rr_store_key_list(&keys, store, "default", "r1", "", 10, p, NULL);
    is_int(keys->nelts, 2, "two keys");
    is_int(APR_ARRAY_IDX(keys, 0, const rr_key_row_t *)->expires, 5000, "one without an end gets one");
    is_int(APR_ARRAY_IDX(keys, 1, const rr_key_row_t *)->expires, 1000, "an earlier end stays");
    rr_store_key_list(&keys, store, "default", "r1", "key-r1", 10, p, NULL);
    is_int(keys->nelts, 1, "the page after the first");
    rr_store_key_list(&keys, store, "default", NULL, "", 1, p, NULL);
    is_int(keys->nelts, 1, "a page of one");
    is_int(rr_store_key_delete(store, "default", "key-r1", p, NULL), APR_SUCCESS, "a key is deleted");
    is_int(rr_store_key_delete(store, "default", "key-r1", p, NULL), APR_NOTFOUND, "once");
    is_int(rr_store_credential_delete(store, "default", "r1", p, NULL), APR_SUCCESS, "a credential goes");
    is_int(rr_store_key_get(&key, store, NULL, "key-r2", p, NULL), APR_NOTFOUND, "with its keys");
    rr_store_close(store);
}

static void test_revocations(apr_pool_t *p)
{
    static const unsigned char one[32] = { 1 }, two[32] = { 2 };
    static const struct {
        const char *name;
        rr_token_t token;
        apr_status_t status;
    } cases[] = {
        { "its jti", { "iss", "j1", "s9", 900, two }, RR_EREVOKED },
        { "its jti from another issuer", { "other", "j1", "s9", 900, two }, APR_SUCCESS },
        { "another jti", { "iss", "j2", "s9", 900, two }, APR_SUCCESS },
        { "no jti", { "iss", NULL, NULL, 900, two }, APR_SUCCESS },
        { "its subject, issued before", { "iss", NULL, "s1", 499, two }, RR_EREVOKED },
        { "its subject, issued then", { "iss", NULL, "s1", 500, two }, APR_SUCCESS },
        { "its subject, issued later", { "iss", NULL, "s1", 501, two }, APR_SUCCESS },
        { "its subject, who knows when issued", { "iss", NULL, "s1", 0, two }, RR_EREVOKED },
        { "its signing input", { "other", NULL, NULL, 900, one }, RR_EREVOKED },
    };
    const rr_revocation_row_t rows[] = {
        { .id = "v1", .issuer = "iss", .jti = "j1", .expires = 1000 },
        { .id = "v2", .issuer = "iss", .sub = "s1", .issued_before = 500, .expires = 0 },
        { .id = "v3", .digest = one, .expires = 3000 },
    };
    rr_store_t *store = open_store(p);
    rr_revision_t revision;
    int any = -1, count = -1;
    apr_size_t i;

    is_int(rr_store_revocation_any(&any, &revision, store, p, NULL), APR_SUCCESS, "asked for any");
    is_int(any, 0, "none yet");
    for (i = 0; i < 3; i++) {
        rr_store_begin(store, p, NULL);
        is_int(rr_store_revocation_add(store, &rows[i], p, NULL), APR_SUCCESS, "a revocation");
        rr_store_commit(store, NULL);
    }
    rr_store_revocation_any(&any, &revision, store, p, NULL);
    is_int(any, 1, "some now");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(rr_store_token_revoked(&revision, store, &cases[i].token, p, NULL), cases[i].status, cases[i].name);
    }
    rr_store_revocation_prune(&count, store, 1001, p, NULL);
    is_int(count, 1, "what has ended is pruned");
    is_int(rr_store_token_revoked(&revision, store, &cases[0].token, p, NULL), APR_SUCCESS, "and no more asked about");
    is_int(rr_store_token_revoked(&revision, store, &cases[4].token, p, NULL), RR_EREVOKED, "the endless one stays");
    rr_store_close(store);
}

static void suite(apr_pool_t *p)
{
    test_refused(p);
    test_life(p);
    test_keys(p);
    test_ends(p);
    test_revision(p);
    test_transactions(p);
    test_rows(p);
    test_revocations(p);
}

int main(void)
{
    return store_main(suite);
}
