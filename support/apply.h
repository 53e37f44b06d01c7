/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply.h: rrctl apply: what its parts share.
 */
#ifndef APPLY_H
#define APPLY_H

#include "rrctl_api.h"

#include <apr_hash.h>

/* The objects of one client and kind that the store has. */
typedef struct apply_known_t {
    apr_hash_t *by_id, *by_name; /* const rr_json_t * */
    apr_hash_t *declared;        /* ids that a file had */
    int pruned;                  /* a file declares this kind of this client */
} apply_known_t;

typedef struct apply_t {
    rrctl_t *ctl;
    rr_api_t api;
    apr_array_header_t *documents; /* const rr_json_t *: clients with what they have */
    apr_hash_t *known;             /* "/clients/acme/targets": apply_known_t */
    int dry_run, prune;
    int added, changed, deleted, unchanged;
    int total, done;               /* for the line of progress */
    apr_pool_t *p;                 /* of one object */
    rr_err_t *err;
} apply_t;

/** Reads a file, a folder of files that end in .json, or "-" to apply->documents. */
apr_status_t apply_read(apply_t *apply, const char *path);

/** What the store has at path, read once. */
apr_status_t apply_get_known(apply_known_t **pknown, apply_t *apply, const rrctl_kind_t *kind, const char *path);

/** What an object is called in what is said of it: CLIENT/NAME, or its id. */
const char *apply_name(apply_t *apply, const rrctl_kind_t *kind, const char *client, const rr_json_t *object);

/** Says of which object rv is the failure. */
apr_status_t apply_blame(apply_t *apply, apr_status_t rv, const char *noun, const char *name);

/** Makes one object what it is declared; *pid is its id. client is NULL for a client. */
apr_status_t apply_object(const char **pid, apply_t *apply, const rrctl_kind_t *kind, const char *client,
                          const char *path, const rr_json_t *object);

/** Makes the rules, or the filters, of the object at owner_path those of the array wanted. */
apr_status_t apply_attached(apply_t *apply, const char *noun, const char *owner_path, const rr_json_t *wanted);

/** Gives a credential the keys that it has not. */
apr_status_t apply_keys(apply_t *apply, const char *owner_path, const char *credential, const rr_json_t *keys);

/** One line of what is done, for people: sign is '+', '~' or '-'. */
void apply_say(apply_t *apply, char sign, const char *noun, const char *name, const char *what);

#endif
