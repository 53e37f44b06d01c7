/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_check.c: what a check of the store finds; secrets sealed again under another master key.
 */
#include "store_frame.h"

static void count_finding(void *baton, const char *sentence)
{
    const char **last = baton;

    *last = sentence;
}

static int findings(const char **plast, apr_pool_t *p)
{
    rr_store_t *store = open_store(p);
    rr_err_t err = RR_ERR_INIT;
    int count = -1;

    *plast = "none";
    if (rr_store_check(&count, store, ring, count_finding, plast, p, &err) != APR_SUCCESS) {
        note("%s", err.text);
    }
    rr_store_close(store);
    return count;
}

static void test_sealed(apr_pool_t *p)
{
    rr_credential_row_t row = { .id = "s1", .client = "default", .target = 1, .kind = RR_CREDENTIAL_KEY, .name = "vendor",
                                .scopes = "[]", .active = 1 };
    rr_store_t *store = open_store(p);
    const rr_credential_row_t *got;
    const char *last, *line, *path = apr_pstrcat(p, dir, "/two.key", NULL), *good;
    const rr_keyring_t *first = ring;
    rr_keyring_t *both;
    rr_secret_t *secret;
    apr_size_t len;
    apr_file_t *file;
    int count;

    rr_secret_seal(&row.secret, ring, rr_credential_context(p, "s1"), "vendor-secret", 13, p, NULL);
    good = row.secret;
    rr_store_begin(store, p, NULL);
    rr_store_credential_add(store, &row, p, NULL);
    rr_store_commit(store, NULL);
    is_int(findings(&last, p), 0, "a sound store");
    is_str(last, "none", "has no finding");

    by_hand(p, apr_psprintf(p, "UPDATE rr_credential SET secret = '%.*s%c%s' WHERE id = 's1'", 30, good,
                            good[30] == 'X' ? 'Y' : 'X', good + 31));
    is_int(findings(&last, p), 1, "a changed secret is found");
    ok(strstr(last, "default/vendor") != NULL, "and named: %s", last);
    row.id = "s2";
    row.name = "thief";
    row.secret = good;
    rr_store_begin(store, p, NULL);
    rr_store_credential_add(store, &row, p, NULL);
    rr_store_commit(store, NULL);
    by_hand(p, apr_psprintf(p, "UPDATE rr_credential SET secret = '%s' WHERE id = 's1'", good));
    is_int(findings(&last, p), 1, "a secret copied to another row is found");
    ok(strstr(last, "default/thief") != NULL, "and named: %s", last);
    by_hand(p, "DELETE FROM rr_credential WHERE id = 's2'");
    is_int(findings(&last, p), 0, "control: sound again");

    rr_keyring_new_line(&line, p, NULL);
    rr_store_close(store);
    /* A new key before the old one: reseal, then the old one is not needed any more. */
    {
        char text[256];
        apr_size_t old_len = sizeof(text);
        const char *old_path = apr_pstrcat(p, dir, "/one.key", NULL);

        apr_file_open(&file, old_path, APR_READ, APR_OS_DEFAULT, p);
        apr_file_read(file, text, &old_len);
        apr_file_close(file);
        line = apr_pstrcat(p, line, "\n", NULL);
        len = strlen(line);
        unlink(path);
        apr_file_open(&file, path, APR_WRITE | APR_CREATE, APR_UREAD | APR_UWRITE, p);
        apr_file_write(file, line, &len);
        apr_file_write(file, text, &old_len);
        apr_file_close(file);
        chmod(path, 0600);
    }
    rr_keyring_load(&both, path, p, NULL);
    store = open_store(p);
    ring = both;
    is_int(findings(&last, p), 0, "a new master key before the old one opens all");
    rr_store_begin(store, p, NULL);
    is_int(rr_store_reseal(&count, store, both, p, NULL), APR_SUCCESS, "sealed again");
    is_int(count, 2, "the pepper and one secret");
    rr_store_reseal(&count, store, both, p, NULL);
    is_int(count, 0, "and once is enough");
    is_int(rr_store_commit(store, NULL), APR_SUCCESS, "committed");
    is_int(findings(&last, p), 0, "sound");
    rr_store_credential_get(&got, store, "default", "s1", p, NULL);
    is_int(rr_secret_open(&secret, both, rr_credential_context(p, "s1"), got->secret, p, NULL), APR_SUCCESS, "opens");
    is_str((const char *)rr_secret_bytes(secret), "vendor-secret", "as it was");
    is_int(rr_secret_open(&secret, first, rr_credential_context(p, "s1"), got->secret, p, NULL), RR_ESEALED,
           "the old key opens it no more");
    ring = first;
    is_int(findings(&last, p), 2, "a missing master key is two findings: pepper and secret");
    ok(strstr(last, "master key") != NULL, "in words: %s", last);
    ring = both;
    rr_store_close(store);
}

static void test_check(apr_pool_t *p)
{
    const char *last;

    if (!strcmp(driver, "sqlite3")) {
        by_hand(p, "DROP TRIGGER rr_key_delete");
        is_int(findings(&last, p), 1, "a missing trigger is found");
        ok(strstr(last, "rr_key_delete") != NULL, "and named: %s", last);
        by_hand(p, "CREATE TRIGGER rr_key_delete AFTER delete ON rr_key BEGIN UPDATE rr_store SET n = n + 1; END");
    }
    else {
        by_hand(p, "ALTER TABLE rr_key DISABLE TRIGGER rr_key_bump");
        is_int(findings(&last, p), 1, "a disabled trigger is found");
        ok(strstr(last, "rr_key_bump") != NULL, "and named: %s", last);
        by_hand(p, "ALTER TABLE rr_key ENABLE TRIGGER rr_key_bump");
    }
    by_hand(p, "UPDATE rr_credential SET metadata = 'x' WHERE id = 's1'");
    is_int(findings(&last, p), 1, "metadata that is no JSON is found");
    by_hand(p, "UPDATE rr_credential SET metadata = NULL WHERE id = 's1'");
    is_int(findings(&last, p), 0, "control: sound");
}

static void suite(apr_pool_t *p)
{
    is_int(rr_store_init(driver, params, ring, p, NULL), APR_SUCCESS, "a store is made");
    test_sealed(p);
    test_check(p);
}

int main(void)
{
    return store_main(suite);
}
