/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_fetch.h: one bounded HTTP exchange of the gateway's own: key sets,
 * discovery documents, token endpoints.
 *
 * https is verified against the system's authorities or ca_file. No redirect is
 * followed, no proxy from the environment is used, no cookie is kept; clear
 * http is for loopback addresses only, judged after resolution.
 */
#ifndef RR_FETCH_H
#define RR_FETCH_H

#include "rr_err.h"

#include <apr_pools.h>
#include <apr_time.h>

#include <sys/socket.h>

typedef struct rr_fetch_request_t {
    const char *url;             /* absolute, https, or http to a loopback address */
    const char *body;            /* NULL: GET; else POST of application/x-www-form-urlencoded */
    const char *basic_user;      /* NULL: no Authorization */
    const char *basic_password;  /* with basic_user */
    const char *ca_file;         /* PEM; NULL: the system's */
    const char *accept;          /* media type wanted; NULL: application/json */
    int (*may_connect)(void *baton, const struct sockaddr *address); /* asked once resolved; NULL: no further rule */
    void *baton;                 /* for may_connect */
    apr_size_t max_bytes;        /* of the body; 0: RR_MAX_JWKS */
    apr_interval_time_t connect_timeout; /* 0: 2 s */
    apr_interval_time_t timeout; /* whole exchange; 0: 5 s */
} rr_fetch_request_t;

typedef struct rr_fetch_response_t {
    int status;               /* HTTP status */
    const char *body;         /* NUL-terminated */
    apr_size_t len;
    apr_interval_time_t max_age; /* Cache-Control max-age less Age, or -1 where the answer says nothing */
} rr_fetch_response_t;

/** Once per process, before threads start (libcurl demands it); undone by p's cleanup. */
apr_status_t rr_fetch_init(apr_pool_t *p, rr_err_t *err);

/**
 * Whether url may be named as one to fetch: scheme, syntax, and clear http to a literal loopback address or localhost
 * alone. For configuration checks: no name is resolved.
 */
apr_status_t rr_fetch_check_url(const char *url, rr_err_t *err);

/** Whether path holds certificates that ca_file may name. RR_EINVAL, with the path in err->text. */
apr_status_t rr_fetch_check_ca_file(const char *path, rr_err_t *err);

/**
 * Runs one exchange.
 *
 * Ownership: response's members live in p.
 * Threads:   any after rr_fetch_init; the calling thread waits at most timeout.
 * Errors:    RR_EINVAL (url), RR_EDENIED (may_connect said no), RR_EUNAVAIL (no connection, TLS refused, timeout, too
 *            large, redirect);
 *            a status of 400 and up is a response, not an error. err->text never has userinfo, query or body.
 */
apr_status_t rr_fetch(rr_fetch_response_t *response, const rr_fetch_request_t *request, apr_pool_t *p, rr_err_t *err);

#endif
