/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_cache.h: what was found, or not found, under a digest, as long as one revision stands.
 */
#ifndef CORE_STORE_CACHE_H
#define CORE_STORE_CACHE_H

#include "rr_store.h"

typedef struct core_cache_t core_cache_t;

/* What a digest was found to be. */
typedef struct core_found_t {
    apr_uint64_t generation;            /* it holds for this one alone (core_store_known.h) */
    apr_status_t status;                /* APR_SUCCESS, APR_NOTFOUND, RR_EREVOKED */
    const rr_credential_t *credential;  /* APR_SUCCESS of a key; else NULL */
    apr_uint32_t *noted;                /* beside credential: seconds, when its use was last noted; atomic */
} core_found_t;

core_cache_t *core_cache_make(apr_pool_t *p);

/**
 * What was found under digest. found->credential stays as long as p does.
 *
 * Threads: any; takes no lock.
 */
int core_cache_get(core_found_t *found, core_cache_t *cache, const unsigned char digest[32], apr_pool_t *p);

/**
 * Whether nothing was found under digest, of late.
 *
 * Threads: any; takes one of many locks.
 */
int core_cache_get_miss(core_found_t *found, core_cache_t *cache, const unsigned char digest[32]);

/** Remembers found, copying it; what another generation found under that lock is dropped. found then stays as long as p. */
void core_cache_put(core_cache_t *cache, const unsigned char digest[32], core_found_t *found, apr_pool_t *p);

/** Frees what no generation and no request needs any more. */
void core_cache_trim(core_cache_t *cache);

#endif
