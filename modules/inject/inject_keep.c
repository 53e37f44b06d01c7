/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_keep.c: things that outlive a request: workers, opened credentials.
 *
 * Each has a pool of its own, is made when first wanted, replaced when what it
 * was made from has changed, and ends with the last request that uses it.
 *
 * Threads: the shelf's mutex guards its table; a count is atomic and only grows
 *          while its owner holds a use.
 */
#include "inject.h"

#include <apr_atomic.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

struct inject_shelf_t {
    apr_thread_mutex_t *mutex;
    apr_hash_t *kept;
};

apr_pool_t *inject_pool_make(const char *tag)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *mutex;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_pool_create_unmanaged_ex(&pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    /* mod_proxy makes connections of a worker in several threads */
    if (apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    apr_allocator_mutex_set(allocator, mutex);
    apr_pool_tag(pool, tag);
    return pool;
}

static apr_status_t release(void *data)
{
    inject_kept_t *kept = data;

    if (!apr_atomic_dec32(&kept->refs)) {
        apr_pool_destroy(kept->pool);
    }
    return APR_SUCCESS;
}

void inject_kept_release(inject_kept_t *kept)
{
    release(kept);
}

void inject_kept_pin(inject_kept_t *kept, apr_pool_t *p)
{
    apr_atomic_inc32(&kept->refs);
    apr_pool_cleanup_register(p, kept, release, apr_pool_cleanup_null);
}

/* Child exit: httpd has ended the threads of requests by then, but mod_watchdog ends its own, which sweeps, after pchild. */
static apr_status_t clear(void *data)
{
    inject_shelf_t *shelf = data;
    apr_hash_index_t *i;

    apr_thread_mutex_lock(shelf->mutex);
    while ((i = apr_hash_first(NULL, shelf->kept))) {
        inject_kept_t *kept = apr_hash_this_val(i);

        apr_hash_set(shelf->kept, kept->key, APR_HASH_KEY_STRING, NULL);
        release(kept);
    }
    apr_thread_mutex_unlock(shelf->mutex);
    return APR_SUCCESS;
}

inject_shelf_t *inject_shelf_make(apr_pool_t *pchild)
{
    apr_pool_t *pool = inject_pool_make("rr_inject_shelf"); /* ends with the process: see clear() */
    inject_shelf_t *shelf = pool ? apr_pcalloc(pool, sizeof(*shelf)) : NULL;

    if (!shelf || apr_thread_mutex_create(&shelf->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    shelf->kept = apr_hash_make(pool);
    apr_pool_pre_cleanup_register(pchild, shelf, clear);
    return shelf;
}

static inject_kept_t *make_kept(const char *key, inject_make_t make, void *baton, rr_err_t *err)
{
    apr_pool_t *pool = inject_pool_make("rr_inject");
    inject_kept_t *kept = NULL;

    if (!pool) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "out of memory");
    }
    else if ((kept = make(pool, baton, err))) {
        kept->pool = pool;
        kept->refs = 1;
        kept->key = apr_pstrdup(pool, key);
    }
    else {
        apr_pool_destroy(pool);
    }
    return kept;
}

inject_kept_t *inject_shelf_get(inject_shelf_t *shelf, const char *key, inject_fits_t fits, inject_make_t make,
                                void *baton, apr_pool_t *p, rr_err_t *err)
{
    inject_kept_t *kept, *old = NULL;

    apr_thread_mutex_lock(shelf->mutex);
    kept = apr_hash_get(shelf->kept, key, APR_HASH_KEY_STRING);
    if (!kept || !fits(kept, baton)) {
        old = kept;
        kept = make_kept(key, make, baton, err);
        if (old) { /* its key goes with it */
            apr_hash_set(shelf->kept, key, APR_HASH_KEY_STRING, NULL);
        }
        if (kept) {
            apr_hash_set(shelf->kept, kept->key, APR_HASH_KEY_STRING, kept);
        }
    }
    if (kept) {
        kept->used = apr_time_now();
        inject_kept_pin(kept, p);
    }
    apr_thread_mutex_unlock(shelf->mutex);
    if (old) {
        release(old);
    }
    return kept;
}

void inject_shelf_sweep(inject_shelf_t *shelf, apr_interval_time_t idle)
{
    apr_time_t now = apr_time_now();
    apr_array_header_t *gone;
    apr_hash_index_t *i;
    apr_pool_t *ptemp;
    int k;

    if (apr_pool_create_unmanaged_ex(&ptemp, NULL, NULL) != APR_SUCCESS) {
        return;
    }
    gone = apr_array_make(ptemp, 4, sizeof(inject_kept_t *));
    apr_thread_mutex_lock(shelf->mutex);
    for (i = apr_hash_first(ptemp, shelf->kept); i; i = apr_hash_next(i)) {
        inject_kept_t *kept = apr_hash_this_val(i);

        if (now - kept->used > idle && apr_atomic_read32(&kept->refs) == 1) {
            APR_ARRAY_PUSH(gone, inject_kept_t *) = kept;
        }
    }
    for (k = 0; k < gone->nelts; k++) {
        apr_hash_set(shelf->kept, APR_ARRAY_IDX(gone, k, inject_kept_t *)->key, APR_HASH_KEY_STRING, NULL);
    }
    apr_thread_mutex_unlock(shelf->mutex);
    for (k = 0; k < gone->nelts; k++) {
        release(APR_ARRAY_IDX(gone, k, inject_kept_t *));
    }
    apr_pool_destroy(ptemp);
}
