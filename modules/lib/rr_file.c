/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_file.c: files that a configuration names, read whole.
 */
#include "rr_file.h"

#include <apr_file_io.h>
#include <apr_strings.h>

apr_status_t rr_file_read(char **ptext, apr_size_t *plen, const char *path, apr_size_t max, apr_pool_t *p,
                          rr_err_t *err)
{
    apr_finfo_t info;
    apr_file_t *file;
    char reason[128];
    apr_status_t rv;

    *ptext = NULL;
    *plen = 0;
    rv = apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_SIZE, p); /* first: opening a FIFO would wait */
    if (rv == APR_SUCCESS && info.filetype != APR_REG) {
        return rr_err_set(err, RR_EINVAL, NULL, "%s is no regular file", path);
    }
    if (rv == APR_SUCCESS && (info.size < 0 || (apr_uint64_t)info.size > max)) {
        return rr_err_set(err, RR_EINVAL, NULL, "%s has more than %" APR_SIZE_T_FMT " bytes", path, max);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, APR_FPROT_OS_DEFAULT, p);
    }
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, NULL, "%s cannot be read: %s", path, apr_strerror(rv, reason, sizeof(reason)));
    }
    *ptext = apr_palloc(p, (apr_size_t)info.size + 1);
    rv = apr_file_read_full(file, *ptext, (apr_size_t)info.size, plen);
    apr_file_close(file);
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        *ptext = NULL;
        return rr_err_set(err, rv, NULL, "%s cannot be read: %s", path, apr_strerror(rv, reason, sizeof(reason)));
    }
    (*ptext)[*plen] = '\0';
    return APR_SUCCESS;
}
