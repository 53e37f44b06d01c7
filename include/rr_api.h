/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api.h: the management API, without HTTP: method, path and JSON in, status
 * and JSON out. mod_rr_admin puts it on the net, rrctl runs it offline.
 *
 * What an object may hold is a field table (rr_api_<noun>.c); what may be asked
 * is the route table (rr_api.c); the OpenAPI document is made from both.
 */
#ifndef RR_API_H
#define RR_API_H

#include "rr_store.h"

#define RR_API_MASK "********" /* what a secret reads as; sent back, it means "as it is" */

/* Who asks. */
typedef struct rr_api_actor_t {
    int offline;                      /* has the database and its master key in hand: may do everything */
    const apr_array_header_t *scopes; /* const char *; of a principal; NULL: none */
} rr_api_actor_t;

/* What calls share. Filled by the caller. */
typedef struct rr_api_t {
    rr_store_t *store;
    const rr_keyring_t *ring; /* NULL: there is none; what needs it is 503 */
    const char *no_ring;      /* why there is none, for the operator; NULL: not known */
    const rr_key_digester_t *digester; /* of the store; NULL: read when it is needed */
    rr_api_actor_t actor;
    int in_transaction;       /* the caller has begun one for writing, and ends it by response->status */
} rr_api_t;

typedef struct rr_api_request_t {
    const char *method;   /* GET, POST, PUT, DELETE */
    const char *path;     /* below the mount, decoded: "/clients/acme/proxies"; with or without a leading "/api" */
    const char *query;    /* without '?'; NULL: none */
    const char *if_match; /* NULL: none */
    const char *body;     /* JSON; NULL with GET and DELETE */
    apr_size_t len;
} rr_api_request_t;

/* Members live in the call's pool. */
typedef struct rr_api_response_t {
    int status;           /* HTTP's */
    const char *body;     /* JSON, with a line feed at its end; never NULL */
    int problem;          /* the body is application/problem+json (RFC 9457) */
    const char *etag;     /* of the one object; NULL: none */
    const char *location; /* of a new object, below the mount; NULL: none */
    const char *allow;    /* methods of the path; NULL: there is no such path */
} rr_api_response_t;

/**
 * Does one request, in a transaction of its own unless api->in_transaction.
 *
 * Ownership: everything in *response lives in p.
 * Threads:   the store's connection for the call.
 * Errors:    *response is set whatever is returned. RR_EUNAVAIL, RR_ESCHEMA, RR_ESEALED: the store or the master
 *            key failed (503), err says why, for the operator. Everything else is APR_SUCCESS, also a refusal.
 */
apr_status_t rr_api_call(rr_api_response_t *response, const rr_api_t *api, const rr_api_request_t *request,
                         apr_pool_t *p, rr_err_t *err);

/**
 * A rule, or a filter, in any published shape as the text that is kept; a member "id" is left out.
 *
 * Errors: RR_EINVAL; err->where is the JSON pointer of what is at fault.
 */
apr_status_t rr_api_attached_normalise(const char **ptext, int filter, const rr_json_t *json, apr_pool_t *p,
                                       rr_err_t *err);

/** Methods of a path ("GET, POST"), or NULL where there is no such path. */
const char *rr_api_allow(const char *path, apr_pool_t *p);

/** Whether scopes (const char *) hold rr:admin, or rr:admin:CLIENT of any client. */
int rr_api_is_admin(const apr_array_header_t *scopes);

/** A time as the API writes it, RFC 3339 in UTC with microseconds only where there are any. */
const char *rr_api_time(apr_pool_t *p, apr_time_t when);

/** Reads an RFC 3339 time. RR_EINVAL. */
apr_status_t rr_api_time_parse(apr_time_t *pwhen, const char *text);

#endif
