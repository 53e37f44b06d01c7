/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_key.h: what an API key is.
 *
 * A generated key is `rr_live_` or `rr_test_` and 38 base62 characters, of
 * which the last 6 are a checksum over everything before: garbage of that shape
 * dies before the store is asked, and scanners can find leaked keys. Any other
 * text of RR_MIN_KEY to RR_MAX_KEY bytes may be brought as a key.
 */
#ifndef RR_KEY_H
#define RR_KEY_H

#include "rr_err.h"

#include <apr_pools.h>

#define RR_KEY_GENERATED_LEN 46 /* prefix 8 + 38 */
#define RR_KEY_DIGEST_LEN 32
#define RR_KEY_PEPPER_LEN 32

typedef enum {
    RR_KEY_BROKEN = 0, /* generated shape, wrong checksum */
    RR_KEY_GENERATED,  /* generated shape, right checksum */
    RR_KEY_BROUGHT     /* anything else */
} rr_key_shape_e;

rr_key_shape_e rr_key_shape(const char *key, apr_size_t len);

/** Makes a key; test chooses rr_test_ over rr_live_. */
apr_status_t rr_key_mint(const char **pkey, int test, apr_pool_t *p, rr_err_t *err);

/** Whether text may be brought as a proxy key: length, printable ASCII, and no broken checksum; err says what is wrong. */
apr_status_t rr_key_check_brought(const char *key, apr_size_t len, rr_err_t *err);

/**
 * The digest under which a key is stored and found: HMAC-SHA-256 of the exact
 * bytes under the store's pepper.
 *
 * Threads: any. rr_key_digester_t holds precomputed state; it is not changed by use.
 */
typedef struct rr_key_digester_t rr_key_digester_t;
rr_key_digester_t *rr_key_digester_make(const unsigned char pepper[RR_KEY_PEPPER_LEN], apr_pool_t *p);
apr_status_t rr_key_digest(unsigned char digest[RR_KEY_DIGEST_LEN], const rr_key_digester_t *digester,
                           const char *key, apr_size_t len);

/**
 * The two halves of that: HMAC's inner hash, which tells keys apart as well as the whole does, for half of the work,
 * and the digest that it leads to. The inner one is for this process's memory: it is stored nowhere, and told nobody.
 *
 * Errors: RR_EINVAL: longer than RR_MAX_SECRET.
 */
apr_status_t rr_key_inner(unsigned char inner[RR_KEY_DIGEST_LEN], const rr_key_digester_t *digester, const char *key,
                          apr_size_t len);
void rr_key_outer(unsigned char digest[RR_KEY_DIGEST_LEN], const rr_key_digester_t *digester,
                  const unsigned char inner[RR_KEY_DIGEST_LEN]);

/** A hint that lets an owner tell keys apart and nobody use one: "rr_live_...WXYZ". */
const char *rr_key_hint(apr_pool_t *p, const char *key, apr_size_t len);

#endif
