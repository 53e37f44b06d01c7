/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_file.c: what is read whole, and what is not read at all.
 */
#include "tap.h"

#include "rr_file.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void make(const char *path, const char *text, apr_size_t len, apr_pool_t *p)
{
    apr_file_t *file;

    if (apr_file_open(&file, path, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE, APR_FPROT_OS_DEFAULT, p) !=
            APR_SUCCESS ||
        apr_file_write_full(file, text, len, NULL) != APR_SUCCESS || apr_file_close(file) != APR_SUCCESS) {
        abort();
    }
}

int main(void)
{
    char dir[] = "/tmp/test_file.XXXXXX", *text;
    rr_err_t err = RR_ERR_INIT;
    const char *path, *fifo;
    apr_size_t len;
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    if (!mkdtemp(dir)) {
        abort();
    }
    path = apr_pstrcat(p, dir, "/file", NULL);
    fifo = apr_pstrcat(p, dir, "/fifo", NULL);
    if (mkfifo(fifo, 0600) != 0) {
        abort();
    }

    make(path, "a\0b\n", 4, p);
    ok(rr_file_read(&text, &len, path, 4, p, &err) == APR_SUCCESS && len == 4 && !memcmp(text, "a\0b\n", 5),
       "a file of as many bytes as are allowed, with a NUL behind it");
    ok(rr_file_read(&text, &len, path, 3, p, &err) == RR_EINVAL && !text && strstr(err.text, "more than 3 bytes"),
       "one byte more");
    make(path, "", 0, p);
    rr_err_clear(&err);
    ok(rr_file_read(&text, &len, path, 4, p, &err) == APR_SUCCESS && len == 0 && !*text, "an empty file");
    ok(rr_file_read(&text, &len, fifo, 4, p, &err) == RR_EINVAL && strstr(err.text, "no regular file"), "a FIFO");
    rr_err_clear(&err);
    ok(rr_file_read(&text, &len, dir, 4, p, &err) == RR_EINVAL && strstr(err.text, "no regular file"), "a directory");
    rr_err_clear(&err);
    ok(APR_STATUS_IS_ENOENT(rr_file_read(&text, &len, apr_pstrcat(p, dir, "/none", NULL), 4, p, &err)) &&
           strstr(err.text, "/none cannot be read: "),
       "what does not exist, by name");

    unlink(path);
    unlink(fifo);
    rmdir(dir);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
