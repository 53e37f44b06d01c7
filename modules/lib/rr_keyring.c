/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_keyring.c: master keys, from a file, the environment or a program.
 *
 * A source is one or two lines of `ID:BASE64`. The first key seals; a second
 * one opens what was sealed before a rotation, until `rrctl reseal` has run.
 */
#include "rr_keyring.h"

#include <apr_base64.h>
#include <apr_file_io.h>
#include <apr_poll.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_KEYS 2
#define MAX_ID 16                        /* characters of a key's id */
#define MAX_TEXT 1024                    /* bytes of a source */
#define EXEC_TIME apr_time_from_sec(10) /* how long exec:PROGRAM may take to answer */

typedef struct {
    const char *id;
    const rr_secret_t *key;
} master_key_t;

struct rr_keyring_t {
    master_key_t keys[MAX_KEYS];
    int count;
};

const char *rr_keyring_id(const rr_keyring_t *ring)
{
    return ring->keys[0].id;
}

const unsigned char *rr_keyring_sealing_key(const rr_keyring_t *ring)
{
    return rr_secret_bytes(ring->keys[0].key);
}

const unsigned char *rr_keyring_key(const rr_keyring_t *ring, const char *id)
{
    int i;

    for (i = 0; i < ring->count; i++) {
        if (!strcmp(ring->keys[i].id, id)) {
            return rr_secret_bytes(ring->keys[i].key);
        }
    }
    return NULL;
}

static int is_id(const char *text, apr_size_t len)
{
    return len > 0 && len <= MAX_ID && strspn(text, "0123456789abcdef") >= len;
}

static apr_status_t add_line(rr_keyring_t *ring, const char *line, const char *source, apr_pool_t *p, rr_err_t *err)
{
    const char *colon = strchr(line, ':');
    unsigned char key[RR_MASTER_KEY_BYTES + 8];
    char again[64];
    int len = 0;

    if (ring->count == MAX_KEYS) {
        return rr_err_set(err, RR_EINVAL, source, "the master key source %.80s has more than %d keys", source, MAX_KEYS);
    }
    if (colon && strlen(colon + 1) == 44) {
        len = apr_base64_decode_binary(key, colon + 1);
        apr_base64_encode_binary(again, key, len);
    }
    if (len != RR_MASTER_KEY_BYTES || !is_id(line, (apr_size_t)(colon - line)) ||
        !rr_secret_equal(again, 44, colon + 1, 44)) {
        return rr_err_set(err, RR_EINVAL, source,
                          "the master key source %.80s has a line that is no ID:BASE64 of 32 bytes; "
                          "rrctl master-key create makes one",
                          source);
    }
    ring->keys[ring->count].id = apr_pstrmemdup(p, line, (apr_size_t)(colon - line));
    if (ring->count && !strcmp(ring->keys[0].id, ring->keys[1].id)) {
        return rr_err_set(err, RR_EINVAL, source, "the master key source %.80s has two keys of one id", source);
    }
    ring->keys[ring->count++].key = rr_secret_make(p, key, RR_MASTER_KEY_BYTES);
    rr_secret_wipe(key, sizeof(key));
    rr_secret_wipe(again, sizeof(again));
    return APR_SUCCESS;
}

/* text is ours to cut up. */
static apr_status_t parse_ring(rr_keyring_t **pring, char *text, const char *source, apr_pool_t *p, rr_err_t *err)
{
    rr_keyring_t *ring = apr_pcalloc(p, sizeof(*ring));
    char *state, *line;
    apr_status_t rv;

    for (line = apr_strtok(text, " \t\r\n", &state); line; line = apr_strtok(NULL, " \t\r\n", &state)) {
        rv = add_line(ring, line, source, p, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (!ring->count) {
        return rr_err_set(err, RR_EINVAL, source, "the master key source %.80s is empty", source);
    }
    *pring = ring;
    return APR_SUCCESS;
}

static apr_status_t read_file(char *text, const char *path, rr_err_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    ssize_t len;

    if (fd < 0 || fstat(fd, &info) < 0) {
        apr_status_t rv = APR_FROM_OS_ERROR(errno);

        if (fd >= 0) {
            close(fd);
        }
        return rr_err_set(err, RR_EUNAVAIL, path, "cannot read the master key file %.100s: %s", path,
                          APR_STATUS_IS_ENOENT(rv) ? "it does not exist; rrctl init or rrctl master-key create makes it"
                          : APR_STATUS_IS_EACCES(rv) ? "permission denied; give it to the user httpd runs as (mode 0600)"
                                                     : strerror(rv));
    }
    if (!S_ISREG(info.st_mode) || (info.st_mode & 077) || (info.st_uid != geteuid() && info.st_uid != 0 && geteuid() != 0)) {
        close(fd);
        return rr_err_set(err, RR_EDENIED, path,
                          "the master key file %.100s is not private: it has to be a file of mode 0600 that belongs "
                          "to its reader or to root",
                          path);
    }
    len = read(fd, text, MAX_TEXT);
    close(fd);
    if (len < 0 || len == MAX_TEXT) {
        return rr_err_set(err, RR_EINVAL, path, "the master key file %.100s holds no master key", path);
    }
    text[len] = '\0';
    return APR_SUCCESS;
}

static apr_status_t read_program(char *text, const char *command, apr_pool_t *p, rr_err_t *err)
{
    apr_procattr_t *attr;
    apr_exit_why_e why;
    apr_size_t len = 0, got;
    apr_status_t rv;
    apr_proc_t proc;
    char **argv;
    int code = -1;

    if (apr_tokenize_to_argv(command, &argv, p) != APR_SUCCESS || !argv[0]) {
        return rr_err_set(err, RR_EINVAL, "exec", "exec: names no program");
    }
    if ((rv = apr_procattr_create(&attr, p)) != APR_SUCCESS ||
        (rv = apr_procattr_io_set(attr, APR_NO_PIPE, APR_FULL_BLOCK, APR_NO_PIPE)) != APR_SUCCESS ||
        (rv = apr_procattr_cmdtype_set(attr, APR_PROGRAM_ENV)) != APR_SUCCESS ||
        (rv = apr_procattr_error_check_set(attr, 1)) != APR_SUCCESS ||
        (rv = apr_proc_create(&proc, argv[0], (const char *const *)argv, NULL, attr, p)) != APR_SUCCESS) {
        return rr_err_set(err, RR_EUNAVAIL, "exec", "cannot run %.100s for the master key", argv[0]);
    }
    apr_file_pipe_timeout_set(proc.out, EXEC_TIME);
    do {
        got = MAX_TEXT - len;
        rv = got ? apr_file_read(proc.out, text + len, &got) : APR_ENOSPC;
        len += rv == APR_SUCCESS ? got : 0;
    } while (rv == APR_SUCCESS);
    apr_file_close(proc.out);
    if (!APR_STATUS_IS_EOF(rv)) {
        apr_proc_kill(&proc, 9);
    }
    apr_proc_wait(&proc, &code, &why, APR_WAIT);
    if (!APR_STATUS_IS_EOF(rv) || !APR_PROC_CHECK_EXIT(why) || code != 0) {
        return rr_err_set(err, RR_EUNAVAIL, "exec", "%.100s gave no master key", argv[0]);
    }
    text[len] = '\0';
    return APR_SUCCESS;
}

apr_status_t rr_keyring_load(rr_keyring_t **pring, const char *source, apr_pool_t *p, rr_err_t *err)
{
    char text[MAX_TEXT + 1];
    apr_status_t rv;

    *pring = NULL;
    if (!strncmp(source, "env:", 4)) {
        const char *value = getenv(source + 4);

        rv = value && strlen(value) < MAX_TEXT
                 ? APR_SUCCESS
                 : rr_err_set(err, RR_EUNAVAIL, source, "the environment has no master key in %.80s", source + 4);
        if (rv == APR_SUCCESS) {
            apr_cpystrn(text, value, sizeof(text));
        }
    }
    else if (!strncmp(source, "exec:", 5)) {
        rv = read_program(text, source + 5, p, err);
    }
    else {
        rv = read_file(text, source, err);
    }
    if (rv == APR_SUCCESS) {
        rv = parse_ring(pring, text, source, p, err);
    }
    rr_secret_wipe(text, sizeof(text));
    return rv;
}

apr_status_t rr_keyring_new_line(const char **pline, apr_pool_t *p, rr_err_t *err)
{
    unsigned char id[4], key[RR_MASTER_KEY_BYTES];
    apr_status_t rv;
    char text[64];

    *pline = NULL;
    rv = rr_secret_random(id, sizeof(id), err);
    if (rv == APR_SUCCESS) {
        rv = rr_secret_random(key, sizeof(key), err);
    }
    if (rv == APR_SUCCESS) {
        apr_base64_encode_binary(text, key, sizeof(key));
        *pline = apr_psprintf(p, "%02x%02x%02x%02x:%s", id[0], id[1], id[2], id[3], text);
    }
    rr_secret_wipe(key, sizeof(key));
    rr_secret_wipe(text, sizeof(text));
    return rv;
}
