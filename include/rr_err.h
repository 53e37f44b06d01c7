/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_err.h: why something failed, told once.
 *
 * The library explains by filling an rr_err_t; whoever called it from httpd or
 * a shell logs or prints it, once. The first failure wins: what happens while
 * cleaning up does not hide the cause.
 */
#ifndef RR_ERR_H
#define RR_ERR_H

#include "rr.h"

typedef struct rr_err_t {
    apr_status_t status; /* APR_SUCCESS while nothing has failed */
    char where[256];     /* what was at fault: a claim, a JSON pointer, a file; may be empty */
    char text[256];      /* one sentence, safe to log: never a secret, key or token; of claims iss and aud only */
} rr_err_t;

#define RR_ERR_INIT { APR_SUCCESS, "", "" }

/**
 * Records a failure, unless one is recorded already.
 *
 * Threads: any; err is the caller's alone. err may be NULL.
 * Errors:  returns status, so that `return rr_err_set(...)` reads well.
 */
apr_status_t rr_err_set(rr_err_t *err, apr_status_t status, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Forgets what was recorded, for a second attempt. */
void rr_err_clear(rr_err_t *err);

/** The recorded text, or a plain name of status where nothing was recorded; never NULL. */
const char *rr_err_text(const rr_err_t *err);

/** A short word for one of our statuses ("expired", "unknown_key"), for audit lines; never NULL. */
const char *rr_err_word(apr_status_t status);

#endif
