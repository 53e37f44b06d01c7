/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_source.h: minting, for targets' tokens and for the gateway's own.
 */
#ifndef INJECT_SOURCE_H
#define INJECT_SOURCE_H

#include "inject.h"
#include "rr_jose.h"

typedef struct inject_source_t inject_source_t;

/** Signs the claims given (an object, or NULL) with iat, exp and jti of our own. Units: lifetime is seconds. */
apr_status_t inject_mint(const char **ptoken, const rr_jwk_t *key, const rr_json_t *given, apr_time_t now,
                         apr_int64_t lifetime, apr_pool_t *p, rr_err_t *err);

#endif
