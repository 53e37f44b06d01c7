/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_jwt.h: options of the jwt commands, as a table each.
 */
#ifndef CMD_JWT_H
#define CMD_JWT_H

#include "rr_jose.h"
#include "rrctl.h"

#include <apr_tables.h>

/* One option: exactly one of value, list and flag is set. */
typedef struct jwt_option_t {
    const char *name;
    const char **value;        /* the last one given */
    apr_array_header_t **list; /* every one given, const char *; NULL while there is none */
    int *flag;                 /* 1 where it was given */
} jwt_option_t;

/**
 * Reads the options and, where pword is not NULL, the one word beside them.
 *
 * options ends with a row without name; RRCTL_OK or RRCTL_USAGE.
 */
int jwt_options(rrctl_t *ctl, int argc, const char *const *argv, const jwt_option_t *options, const char **pword);

/** The key set of a file or URL, or, where secret is not NULL, the key that is in that file. */
apr_status_t jwt_key_set(const rr_jwks_t **pset, rrctl_t *ctl, const char *jwks, const char *secret, rr_err_t *err);

#endif
