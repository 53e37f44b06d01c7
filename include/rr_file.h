/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_file.h: files that a configuration names, read whole.
 */
#ifndef RR_FILE_H
#define RR_FILE_H

#include "rr_err.h"

#include <apr_pools.h>

/**
 * Reads a regular file of at most max bytes; whatever is no such file is not even opened (a FIFO would wait).
 *
 * Ownership: *ptext lives in p, with a NUL behind its *plen bytes.
 * Errors:    APR's own, RR_EINVAL for what is no such file; err->text names the file.
 */
apr_status_t rr_file_read(char **ptext, apr_size_t *plen, const char *path, apr_size_t max, apr_pool_t *p,
                          rr_err_t *err);

#endif
