/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store.h: what the store holds and how it is read.
 *
 * One rr_store_t is one database connection, used by one thread at a time, for
 * one statement or transaction. Pooling, back-off and logging are the caller's
 * (mod_rr_core); meaning of rows and statements are here, for httpd and rrctl alike.
 */
#ifndef RR_STORE_H
#define RR_STORE_H

#include "rr_json.h"
#include "rr_key.h"
#include "rr_secret.h"

#include <apr_time.h>

/* Kinds of credential that a caller's secret can be (design section 3). */
typedef enum {
    RR_CREDENTIAL_UNKNOWN = 0,
    RR_CREDENTIAL_KEY,        /* an API key */
    RR_CREDENTIAL_BEARER,     /* a static bearer token */
    RR_CREDENTIAL_BASIC,      /* user and password */
    RR_CREDENTIAL_JWT,        /* a JWT-shaped string recognised by its digest */
    RR_CREDENTIAL_JWT_VERIFY, /* tokens verified by a key set */
    RR_CREDENTIAL_NONE,       /* no credential asked */
    RR_CREDENTIAL_OAUTH2,     /* target only */
    RR_CREDENTIAL_CUSTOM      /* target only */
} rr_credential_kind_e;

/* A proxy credential found by the secret that a caller presented. */
typedef struct rr_credential_t {
    rr_credential_kind_e kind;
    const char *id;           /* credential's id */
    const char *client;       /* client's id */
    const char *name;         /* credentialName */
    const char *key_id;       /* id of the key row that matched */
    const char *hint;         /* of that key; never enough to use it */
    apr_time_t expires;       /* the earlier end of credential and key, microseconds since the epoch; 0: none */
    const apr_array_header_t *scopes; /* credentialScopes: const char *; never NULL */
    const rr_json_t *metadata;        /* credentialMetadata: an object, or NULL */
} rr_credential_t;

typedef struct rr_store_t rr_store_t;

#endif
