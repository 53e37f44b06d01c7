/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_used.h: when keys were last let in, kept until the next batch.
 */
#ifndef CORE_STORE_USED_H
#define CORE_STORE_USED_H

#include "rr_store.h"

typedef struct core_used_t core_used_t;

core_used_t *core_used_make(apr_pool_t *p);

/** Notes a use, at most one a key and minute (*noted remembers it). Where the batch is full, it is dropped. */
void core_used_note(core_used_t *used, const char *key_id, apr_uint32_t *noted, apr_time_t now);

/** The batch so far, which is then empty: uses in p. */
int core_used_take(const rr_key_use_t **puses, core_used_t *used, apr_pool_t *p);

#endif
