/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_path.h: the one path that rules judge: what the backend will act on.
 *
 * A gateway and a backend that read one path in two ways are a way around
 * every rule. So there is one form, decoded once, and whatever a backend could
 * read as another path is refused rather than guessed at.
 */
#ifndef RR_PATH_H
#define RR_PATH_H

#include "rr_err.h"

#include <apr_pools.h>

typedef enum {
    RR_PATH_STRICT = 0, /* what is ambiguous is refused */
    RR_PATH_LENIENT     /* dots resolved, slashes merged, the rest taken as it decodes */
} rr_path_mode_e;

/**
 * The canonical path of a request target: origin form or absolute form, query and fragment apart.
 *
 * STRICT refuses: encoded / and \, raw \, NUL and control characters, `;`, `//`, `.` and `..` segments (raw or
 * encoded), what decodes to another percent-code, broken percent-codes, overlong UTF-8, a fragment.
 *
 * Ownership: *ppath lives in p; NULL on error.
 * Errors:    RR_EINVAL; err->text names the hazard and may be shown to the client.
 */
apr_status_t rr_path_canonical(const char **ppath, const char *target, rr_path_mode_e mode, apr_pool_t *p,
                               rr_err_t *err);

/**
 * The path to judge, of a request that came with target and that the server now knows as uri (decoded by the
 * server, possibly rewritten by the operator since).
 *
 * Both are held to mode. The canonical path of target wins while uri says the same; a uri that was rewritten
 * is what the backend gets, hence what is judged.
 *
 * Ownership: *ppath lives in p, or is uri. Errors: as rr_path_canonical.
 */
apr_status_t rr_path_judged(const char **ppath, const char *target, const char *uri, rr_path_mode_e mode,
                            apr_pool_t *p, rr_err_t *err);

/** path below mount ("/stripe" or "/stripe/"), beginning with '/'; NULL where it is not below. Borrowed from path. */
const char *rr_path_below(const char *path, const char *mount);

#endif
