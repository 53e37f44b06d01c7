/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_frame.h: a store of a test's own, for test_store*.c: on sqlite3 and, where
 * RR_TEST_PGSQL names an empty PostgreSQL database, on that too.
 */
#ifndef STORE_FRAME_H
#define STORE_FRAME_H

#include "rr_store.h"

#include "../../modules/lib/rr_sql.h"
#include "tap.h"

#include <apr_dbd.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/rr-store-XXXXXX";
static const char *driver, *params; /* of the store under test */
static const rr_keyring_t *ring;

/* A change, made by another program's connection. */
static void by_hand(apr_pool_t *p, const char *statement)
{
    rr_err_t err = RR_ERR_INIT;
    rr_sql_t *sql;

    if (rr_sql_open(&sql, driver, params, 0, p, &err) != APR_SUCCESS || rr_sql_run(sql, statement, &err) != APR_SUCCESS) {
        ok(0, "by hand: %s: %s", statement, err.text);
        return;
    }
    rr_sql_close(sql);
}

static rr_store_t *open_store(apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store;

    if (rr_store_open(&store, driver, params, p, &err) != APR_SUCCESS) {
        note("%s", err.text);
    }
    return store;
}

/* A master key of the test's own; NULL: there is none to be had. */
static const rr_keyring_t *make_ring(apr_pool_t *p)
{
    const char *path = apr_pstrcat(p, dir, "/one.key", NULL), *line;
    rr_err_t err = RR_ERR_INIT;
    rr_keyring_t *made = NULL;
    apr_file_t *file;
    apr_size_t len;

    rr_keyring_new_line(&line, p, NULL);
    len = strlen(line);
    apr_file_open(&file, path, APR_WRITE | APR_CREATE, APR_UREAD | APR_UWRITE, p);
    apr_file_write(file, line, &len);
    apr_file_close(file);
    if (rr_keyring_load(&made, path, p, &err) != APR_SUCCESS) {
        note("%s", err.text);
    }
    return made;
}

/* Runs the suite on each kind of store; what main returns. */
static int store_main(void (*suite)(apr_pool_t *p))
{
    static const char *const names[] = { "one.key", "two.key", "rr.db", "rr.db-wal", "rr.db-shm", "rr.db-journal" };
    const char *stores[] = { "sqlite3", NULL, "pgsql", getenv("RR_TEST_PGSQL") };
    const rr_keyring_t *made;
    apr_pool_t *p;
    apr_size_t i;

    apr_initialize();
    apr_pool_create(&p, NULL);
    if (!mkdtemp(dir) || !(made = make_ring(p))) {
        return 1;
    }
    stores[1] = apr_pstrcat(p, dir, "/rr.db", NULL);
    for (i = 0; i < 4 && stores[i + 1]; i += 2) {
        driver = stores[i];
        params = stores[i + 1];
        ring = made;
        note("%s", driver);
        suite(p);
    }
    apr_pool_destroy(p);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];

        apr_snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    apr_terminate();
    return tap_end();
}

#endif
