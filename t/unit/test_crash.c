/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_crash.c: a writer is killed in the middle of a thousand writes, again
 * and again: what it was told is done is done, what is there is whole.
 */
#include "rr_store.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20
#define WRITES 1000 /* that a writer would make if it were let */

static char dir[] = "/tmp/rr-crash-XXXXXX";

/* What is written by one transaction: a credential, its key, and a client of its own. */
static apr_status_t write_one(rr_store_t *store, const char *id, apr_pool_t *p)
{
    rr_credential_row_t row = { .id = id, .client = id, .kind = RR_CREDENTIAL_KEY, .name = id, .active = 1, .scopes = "[]" };
    rr_key_row_t key = { .id = id, .credential = id, .hint = "..." };
    unsigned char digest[RR_KEY_DIGEST_LEN] = { 0 };
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;

    memcpy(digest, id, strlen(id));
    rv = rr_store_begin(store, p, &err);
    if (rv == APR_SUCCESS && (rv = rr_store_client_add(store, &(rr_client_t){ id, id, 1 }, p, &err)) == APR_SUCCESS &&
        (rv = rr_store_credential_add(store, &row, p, &err)) == APR_SUCCESS &&
        (rv = rr_store_key_add(store, &key, digest, p, &err)) == APR_SUCCESS) {
        rv = rr_store_commit(store, &err);
    }
    if (rv != APR_SUCCESS) {
        fprintf(stderr, "# %s\n", err.text);
    }
    return rv;
}

/* Writes until it is killed, and says each time when it was done. */
static void writer(const char *database, int round, int pipe)
{
    rr_store_t *store;
    apr_pool_t *p;
    int i;

    apr_pool_create(&p, NULL);
    if (rr_store_open(&store, "sqlite3", database, p, NULL) != APR_SUCCESS) {
        _exit(1);
    }
    for (i = 0; i < WRITES; i++) {
        if (write_one(store, apr_psprintf(p, "w%d-%d", round, i), p) != APR_SUCCESS ||
            write(pipe, &i, sizeof(i)) != sizeof(i)) {
            _exit(1);
        }
    }
    _exit(0);
}

/* Kills a writer after so many writes and a moment; the number it said were done. */
static int kill_writer(const char *database, int round)
{
    int fds[2], done = 0, i, status = 0, after = 5 + rand() % 40;
    pid_t pid;

    if (pipe(fds) != 0 || (pid = fork()) < 0) {
        return -1;
    }
    if (pid == 0) {
        close(fds[0]);
        writer(database, round, fds[1]);
    }
    close(fds[1]);
    while (done < after && read(fds[0], &i, sizeof(i)) == sizeof(i)) {
        done++;
    }
    usleep((useconds_t)(rand() % 3000)); /* into the middle of the next write: any place is as good */
    kill(pid, SIGKILL);
    while (read(fds[0], &i, sizeof(i)) == sizeof(i)) {
        done++;
    }
    close(fds[0]);
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? done : -1;
}

static void print_finding(void *baton, const char *sentence)
{
    (void)baton;
    note("%s", sentence);
}

int main(void)
{
    static const char *const names[] = { "rr.db", "rr.db-wal", "rr.db-shm", "rr.db-journal" };
    int done[ROUNDS], round, i, lost = 0, half = 0, extra = 0, count = -1, killed = 1;
    const char *database, *line;
    rr_revision_t revision = { "", 0 };
    rr_keyring_t *ring;
    rr_store_t *store;
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    if (!mkdtemp(dir)) {
        return 1;
    }
    srand((unsigned)getpid());
    database = apr_pstrcat(p, dir, "/rr.db", NULL);
    rr_keyring_new_line(&line, p, NULL);
    setenv("RR_TEST_CRASH_KEY", line, 1);
    rr_keyring_load(&ring, "env:RR_TEST_CRASH_KEY", p, NULL);
    is_int(rr_store_init("sqlite3", database, ring, p, NULL), APR_SUCCESS, "a store");

    for (round = 0; round < ROUNDS; round++) {
        done[round] = kill_writer(database, round);
        killed &= done[round] >= 5;
    }
    ok(killed, "every writer was at work when it was killed");
    if (!ok(rr_store_open(&store, "sqlite3", database, p, NULL) == APR_SUCCESS, "the store opens")) {
        return tap_end();
    }
    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i <= done[round] + 1; i++) {
            const char *id = apr_psprintf(p, "w%d-%d", round, i);
            const rr_credential_row_t *credential;
            const rr_client_t *client;
            const rr_key_row_t *key;
            int parts = (rr_store_client_get(&client, store, id, p, NULL) == APR_SUCCESS) +
                        (rr_store_credential_get(&credential, store, NULL, id, p, NULL) == APR_SUCCESS) +
                        (rr_store_key_get(&key, store, NULL, id, p, NULL) == APR_SUCCESS);

            half += parts != 0 && parts != 3;
            lost += i < done[round] && parts != 3;
            extra += i >= done[round] && parts == 3;
        }
    }
    is_int(lost, 0, "nothing is lost that was said to be done");
    is_int(half, 0, "nothing is half written");
    ok(extra <= ROUNDS, "at most the one write that was being committed came beside (%d did)", extra);
    is_int(rr_store_check(&count, store, ring, print_finding, NULL, p, NULL), APR_SUCCESS, "the store is checked");
    is_int(count, 0, "and sound");
    for (round = 0, count = extra; round < ROUNDS; round++) {
        count += done[round];
    }
    rr_store_revision(&revision, store, p, NULL);
    is_int(revision.n, 2 + 3 * (long long)count, "the revision counts exactly what was written");
    rr_store_close(store);
    for (i = 0; i < 4; i++) {
        unlink(apr_pstrcat(p, dir, "/", names[i], NULL));
    }
    rmdir(dir);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
