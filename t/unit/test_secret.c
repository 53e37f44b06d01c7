/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_secret.c: comparing, redacting, sealing and opening; where master keys are read from.
 */
#include "rr_secret.h"

#include "tap.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAIN "sk_clearbit_0123456789"

static char dir[] = "/tmp/rr-secret-XXXXXX";

static const char *write_file(apr_pool_t *p, const char *name, const char *text, mode_t mode)
{
    const char *path = apr_pstrcat(p, dir, "/", name, NULL);
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0) {
        perror(path);
        exit(1);
    }
    close(fd);
    return path;
}

static rr_keyring_t *ring_of(apr_pool_t *p, const char *name, const char *text)
{
    rr_keyring_t *ring = NULL;

    rr_keyring_load(&ring, write_file(p, name, text, 0600), p, NULL);
    return ring;
}

/* One byte that differs, at every place of texts that are compared by eights and then one by one. */
static void test_each_byte(void)
{
    char one[40], other[40];
    size_t len, i;
    int good = 1;

    for (len = 1; len <= sizeof(one); len++) {
        memset(one, 'x', len);
        memset(other, 'x', len);
        good &= rr_secret_equal(one, len, other, len);
        for (i = 0; i < len; i++) {
            other[i] ^= 0x20;
            good &= !rr_secret_equal(one, len, other, len);
            other[i] ^= 0x20;
        }
    }
    ok(good, "every byte counts, whatever the length");
}

static void test_small(apr_pool_t *p)
{
    char bytes[8] = "secret!";
    rr_secret_t *secret = rr_secret_make(p, "a\0b", 3);

    ok(rr_secret_equal("abc", 3, "abc", 3), "equal bytes are equal");
    ok(!rr_secret_equal("abc", 3, "abd", 3), "other bytes are not");
    ok(!rr_secret_equal("abc", 3, "abcd", 4), "nor is another length");
    ok(rr_secret_equal("", 0, "", 0), "nothing equals nothing");
    test_each_byte();
    is_int((long long)rr_secret_len(secret), 3, "a secret may hold NUL");
    ok(rr_secret_equal(rr_secret_bytes(secret), 3, "a\0b", 3), "and keeps it");
    rr_secret_wipe(bytes, sizeof(bytes));
    is_str(bytes, "", "wiped");
    is_str(rr_secret_redact(p, "rr_live_abcdef", 14), "rr_live_...", "redacted to the public prefix");
    is_str(rr_secret_redact(p, "hunter2", 7), "(7 bytes)", "redacted to its length");
    is_str(rr_secret_redact(p, "rr_live_", 8), "(8 bytes)", "a prefix alone is no key");
}

/* One character after another is changed; none may open. */
static void test_bits(apr_pool_t *p, const rr_keyring_t *ring, const char *sealed)
{
    apr_size_t i, opened = 0, len = strlen(sealed);

    for (i = 0; i < len; i++) {
        char *changed = apr_pstrdup(p, sealed);
        rr_secret_t *secret;

        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        opened += rr_secret_open(&secret, ring, "credential/1", changed, p, NULL) == APR_SUCCESS;
        changed[i] = '\0';
        opened += rr_secret_open(&secret, ring, "credential/1", changed, p, NULL) == APR_SUCCESS;
    }
    is_int((long long)opened, 0, "no changed character, and no shortened text, opens");
}

static void test_seal(apr_pool_t *p)
{
    const char *a, *b, *sealed, *again;
    rr_keyring_t *one, *both, *other, *imposter;
    char *longest = apr_pcalloc(p, RR_MAX_SECRET + 1);
    rr_err_t err = RR_ERR_INIT;
    rr_secret_t *secret;

    rr_keyring_new_line(&a, p, NULL);
    rr_keyring_new_line(&b, p, NULL);
    one = ring_of(p, "one", a);
    both = ring_of(p, "both", apr_pstrcat(p, b, "\n", a, "\n", NULL));
    other = ring_of(p, "other", b);
    imposter = ring_of(p, "imposter", apr_pstrcat(p, apr_pstrmemdup(p, a, 8), b + 8, NULL));
    if (!ok(one && both && other && imposter, "key files are read")) {
        return;
    }
    is_int(rr_secret_seal(&sealed, one, "credential/1", PLAIN, strlen(PLAIN), p, NULL), APR_SUCCESS, "sealed");
    ok(!strstr(sealed, "clearbit"), "what is sealed does not show");
    rr_secret_seal(&again, one, "credential/1", PLAIN, strlen(PLAIN), p, NULL);
    ok(strcmp(sealed, again) != 0, "the same text twice is sealed differently");
    is_int(rr_secret_open(&secret, one, "credential/1", sealed, p, NULL), APR_SUCCESS, "opened");
    is_str((const char *)rr_secret_bytes(secret), PLAIN, "and as it was");
    is_int(rr_secret_open(&secret, both, "credential/1", sealed, p, NULL), APR_SUCCESS, "the second of two keys opens");
    is_int(rr_secret_open(&secret, one, "credential/2", sealed, p, &err), RR_ESEALED, "not for another row");
    ok(!secret && strstr(err.text, "credential/2"), "and the row is named: %s", err.text);
    rr_err_clear(&err);
    is_int(rr_secret_open(&secret, other, "credential/1", sealed, p, &err), RR_ESEALED, "not by another key");
    ok(strstr(err.text, apr_pstrmemdup(p, a, 8)) != NULL, "and the missing key's id is named: %s", err.text);
    is_int(rr_secret_open(&secret, imposter, "credential/1", sealed, p, NULL), RR_ESEALED,
           "not by another key of the same id");
    test_bits(p, one, sealed);

    is_int(rr_secret_seal(&sealed, one, "x", "", 0, p, NULL), APR_SUCCESS, "nothing can be sealed");
    is_int(rr_secret_open(&secret, one, "x", sealed, p, NULL), APR_SUCCESS, "and opened");
    is_int((long long)rr_secret_len(secret), 0, "as nothing");
    is_int(rr_secret_seal(&sealed, one, "x", longest, RR_MAX_SECRET, p, NULL), APR_SUCCESS, "the longest secret");
    is_int(rr_secret_open(&secret, one, "x", sealed, p, NULL), APR_SUCCESS, "and opened");
    is_int(rr_secret_seal(&sealed, one, "x", longest, RR_MAX_SECRET + 1, p, NULL), RR_EINVAL, "one byte past it");
}

static void refused(apr_pool_t *p, const char *source, apr_status_t status, const char *words, const char *name)
{
    rr_err_t err = RR_ERR_INIT;
    rr_keyring_t *ring;
    apr_status_t rv = rr_keyring_load(&ring, source, p, &err);

    ok(rv == status && !ring && strstr(err.text, words), "%s: %s", name, err.text);
}

static void test_sources(apr_pool_t *p)
{
    static const char short_key[] = "0a1b2c3d:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const char *line, *path, *program;
    rr_keyring_t *ring;

    rr_keyring_new_line(&line, p, NULL);
    path = write_file(p, "key", line, 0600);
    is_int(rr_keyring_load(&ring, path, p, NULL), APR_SUCCESS, "a file of mode 0600");
    is_str(rr_keyring_id(ring), apr_pstrmemdup(p, line, 8), "its id");
    is_int(rr_keyring_load(&ring, write_file(p, "key", line, 0400), p, NULL), APR_SUCCESS, "a file of mode 0400");
    refused(p, write_file(p, "key", line, 0640), RR_EDENIED, "0600", "a file its group can read");
    refused(p, write_file(p, "key", line, 0604), RR_EDENIED, "0600", "a file others can read");
    refused(p, dir, RR_EDENIED, "0600", "a directory");
    refused(p, apr_pstrcat(p, dir, "/none", NULL), RR_EUNAVAIL, "does not exist", "no such file");
    refused(p, write_file(p, "key", "", 0600), RR_EINVAL, "empty", "an empty file");
    refused(p, write_file(p, "key", short_key, 0600), RR_EINVAL, "ID:BASE64", "a key of another length");
    refused(p, write_file(p, "key", apr_pstrcat(p, "XYZ!", line + 8, NULL), 0600), RR_EINVAL, "ID:BASE64", "no id");
    refused(p, write_file(p, "key", line + 8, 0600), RR_EINVAL, "ID:BASE64", "an empty id");
    refused(p, write_file(p, "key", apr_pstrcat(p, line, "\n", line, NULL), 0600), RR_EINVAL, "two keys of one id",
            "the same key twice");
    refused(p, write_file(p, "key", apr_pstrcat(p, line, "\n0a", line + 8, "\n0b", line + 8, NULL), 0600), RR_EINVAL,
            "more than 2", "three keys");

    setenv("RR_TEST_MASTER", line, 1);
    is_int(rr_keyring_load(&ring, "env:RR_TEST_MASTER", p, NULL), APR_SUCCESS, "from the environment");
    refused(p, "env:RR_TEST_NONE", RR_EUNAVAIL, "RR_TEST_NONE", "a variable that is not set");

    program = write_file(p, "program", apr_pstrcat(p, "#!/bin/sh\necho '", line, "'\n", NULL), 0700);
    is_int(rr_keyring_load(&ring, apr_pstrcat(p, "exec:", program, NULL), p, NULL), APR_SUCCESS, "from a program");
    write_file(p, "program", apr_pstrcat(p, "#!/bin/sh\necho '", line, "'; exit 3\n", NULL), 0700);
    refused(p, apr_pstrcat(p, "exec:", program, NULL), RR_EUNAVAIL, "gave no master key", "a program that fails");
    write_file(p, "program", "#!/bin/sh\ncat /dev/zero\n", 0700);
    refused(p, apr_pstrcat(p, "exec:", program, NULL), RR_EUNAVAIL, "gave no master key",
            "a program that does not stop talking");
    refused(p, "exec:/no/such/program", RR_EUNAVAIL, "cannot run", "no such program");
    refused(p, "exec:", RR_EINVAL, "names no program", "no program named");
}

static void remove_dir(apr_pool_t *p)
{
    apr_dir_t *names;
    apr_finfo_t info;

    if (apr_dir_open(&names, dir, p) == APR_SUCCESS) {
        while (apr_dir_read(&info, APR_FINFO_NAME, names) == APR_SUCCESS) {
            unlink(apr_pstrcat(p, dir, "/", info.name, NULL));
        }
        apr_dir_close(names);
    }
    rmdir(dir);
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    if (!mkdtemp(dir)) {
        return 1;
    }
    test_small(p);
    test_seal(p);
    test_sources(p);
    remove_dir(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
