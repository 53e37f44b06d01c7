/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_used.c: when keys were last let in, kept until the next batch.
 *
 * Threads: any. The lock is taken at most once a key and minute.
 */
#include "core_store_used.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#define MAX_BATCH 4096
#define GRAIN 60 /* seconds */

typedef struct {
    char key_id[RR_ID_LEN + 1];
    apr_time_t used;
} use_t;

struct core_used_t {
    apr_thread_mutex_t *mutex;
    int count;
    use_t batch[MAX_BATCH];
};

core_used_t *core_used_make(apr_pool_t *p)
{
    core_used_t *used = apr_pcalloc(p, sizeof(*used));

    return apr_thread_mutex_create(&used->mutex, APR_THREAD_MUTEX_DEFAULT, p) == APR_SUCCESS ? used : NULL;
}

void core_used_note(core_used_t *used, const char *key_id, apr_uint32_t *noted, apr_time_t now)
{
    apr_uint32_t seconds = (apr_uint32_t)apr_time_sec(now), last = __atomic_load_n(noted, __ATOMIC_RELAXED);

    if (seconds - last < GRAIN ||
        !__atomic_compare_exchange_n(noted, &last, seconds, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return;
    }
    apr_thread_mutex_lock(used->mutex);
    if (used->count < MAX_BATCH) {
        use_t *use = &used->batch[used->count++];

        apr_cpystrn(use->key_id, key_id, sizeof(use->key_id));
        use->used = now;
    }
    apr_thread_mutex_unlock(used->mutex);
}

int core_used_take(const rr_key_use_t **puses, core_used_t *used, apr_pool_t *p)
{
    rr_key_use_t *uses;
    int i, count;

    apr_thread_mutex_lock(used->mutex);
    count = used->count;
    uses = apr_palloc(p, sizeof(*uses) * (apr_size_t)(count ? count : 1));
    for (i = 0; i < count; i++) {
        uses[i].key_id = apr_pstrdup(p, used->batch[i].key_id);
        uses[i].used = used->batch[i].used;
    }
    used->count = 0;
    apr_thread_mutex_unlock(used->mutex);
    *puses = uses;
    return count;
}
