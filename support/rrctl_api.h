/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rrctl_api.h: the management API as rrctl's commands call it, offline.
 */
#ifndef RRCTL_API_H
#define RRCTL_API_H

#include "rr_api.h"
#include "rrctl.h"

/* A kind of object. */
typedef struct rrctl_kind_t {
    const char *noun;       /* "credential" */
    const char *collection; /* "credentials" */
    const char *name;       /* the field that names one: "credentialName" */
    const char *columns[4]; /* further fields that a table shows; NULL ends */
} rrctl_kind_t;

extern const rrctl_kind_t rrctl_kinds[]; /* client, credential, target, proxy, rule, filter; noun NULL ends */

const rrctl_kind_t *rrctl_kind(const char *noun);

/** Opens the store, and the master key if that can be had. */
apr_status_t rrctl_api_open(rr_api_t *api, rrctl_t *ctl, rr_err_t *err);

/** Opens it, and begins a transaction for calls that change it; rrctl_store_end ends it. */
apr_status_t rrctl_api_begin(rr_api_t *api, rrctl_t *ctl, rr_err_t *err);

/**
 * Calls the API; a refusal becomes an error with the problem's detail. *panswer is the parsed body, NULL where it failed.
 */
apr_status_t rrctl_api_call(const rr_json_t **panswer, rr_api_response_t *response, const rr_api_t *api,
                            const char *method, const char *path, const char *query, const char *body, apr_pool_t *p,
                            rr_err_t *err);

/** Every object of a list, page by page: array of const rr_json_t *. */
apr_status_t rrctl_api_all(apr_array_header_t **pobjects, const rr_api_t *api, const char *path,
                           const char *collection, apr_pool_t *p, rr_err_t *err);

/** The first object of an answer. */
const rr_json_t *rrctl_api_object(const rr_json_t *answer, const char *collection);

#endif
