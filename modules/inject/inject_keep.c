/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_keep.c: things that outlive a request: workers, opened credentials.
 *
 * Each has a pool of its own, is made when first wanted, replaced when what it
 * was made from has changed, and ends with the last request that uses it.
 *
 * Threads: who looks something up pins the table of the moment and takes no lock. A change makes a new table under
 *          the shelf's mutex; the old one is retired, and released when nobody looks into it any more. Each table
 *          counts as one use of all that stands in it, so what was found there cannot end before its finder has
 *          counted itself.
 */
#include "inject.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <stdlib.h>

/* Constant once it is in its place. */
typedef struct table_t {
    inject_shelf_t *shelf;
    struct table_t *next;  /* of those that are gone; the shelf's mutex */
    int count;
    inject_kept_t *kept[]; /* by key */
} table_t;

struct inject_shelf_t {
    apr_thread_mutex_t *mutex;
    rr_place_t tables;
    table_t *gone; /* to be released once the mutex is given up: to end connections may take a while */
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

/* ---- tables ---- */

/* Where key stands in table, or would. */
static int place_of(const table_t *table, const char *key, int *pfound)
{
    int low = 0, high = table ? table->count : 0;

    *pfound = 0;
    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(key, table->kept[middle]->key);

        if (!order) {
            *pfound = 1;
            return middle;
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return low;
}

static inject_kept_t *find(const table_t *table, const char *key)
{
    int found, at = place_of(table, key, &found);

    return found ? table->kept[at] : NULL;
}

/* An empty one with room for so many; NULL: no memory. */
static table_t *make_table(inject_shelf_t *shelf, int room)
{
    table_t *table = malloc(sizeof(*table) + (apr_size_t)room * sizeof(table->kept[0]));

    if (table) {
        table->shelf = shelf;
        table->count = 0;
    }
    return table;
}

static void put(table_t *table, inject_kept_t *kept)
{
    apr_atomic_inc32(&kept->refs);
    table->kept[table->count++] = kept;
}

/* rr_place_sweep's and rr_place_end's: the mutex is held. */
static void set_aside(void *object)
{
    table_t *table = object;

    table->next = table->shelf->gone;
    table->shelf->gone = table;
}

/* Puts table (NULL: no memory, all stays) in place of the one before, if it is to be changed, and gives the mutex up. */
static void end_change(inject_shelf_t *shelf, table_t *table)
{
    table_t *gone, *next;
    int i;

    if (table && !rr_place_set(&shelf->tables, table)) {
        set_aside(table);
    }
    rr_place_sweep(&shelf->tables, set_aside);
    gone = shelf->gone;
    shelf->gone = NULL;
    apr_thread_mutex_unlock(shelf->mutex);
    for (; gone; gone = next) {
        next = gone->next;
        for (i = 0; i < gone->count; i++) {
            release(gone->kept[i]);
        }
        free(gone);
    }
}

/* Child exit: httpd has ended the threads of requests by then, but mod_watchdog ends its own, which sweeps, after pchild. */
static apr_status_t clear(void *data)
{
    inject_shelf_t *shelf = data;

    apr_thread_mutex_lock(shelf->mutex);
    rr_place_end(&shelf->tables, set_aside);
    end_change(shelf, NULL);
    return APR_SUCCESS;
}

inject_shelf_t *inject_shelf_make(apr_pool_t *pchild)
{
    apr_pool_t *pool = inject_pool_make("rr_inject_shelf"); /* ends with the process: see clear() */
    inject_shelf_t *shelf = pool ? apr_pcalloc(pool, sizeof(*shelf)) : NULL;

    if (!shelf || apr_thread_mutex_create(&shelf->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_pre_cleanup_register(pchild, shelf, clear);
    return shelf;
}

/* ---- what stands in them ---- */

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

/* One more use of kept for r. The sweep looks at the time by the minute: no need to write it with every request. */
static void use(inject_kept_t *kept, request_rec *r)
{
    if (r->request_time - __atomic_load_n(&kept->used, __ATOMIC_RELAXED) > apr_time_from_sec(1)) {
        __atomic_store_n(&kept->used, r->request_time, __ATOMIC_RELAXED);
    }
    inject_kept_pin(kept, r->pool);
}

/* The mutex is held: table with kept (NULL: nothing) for what stands under key. */
static table_t *exchange(inject_shelf_t *shelf, const table_t *table, const char *key, inject_kept_t *kept)
{
    table_t *changed = make_table(shelf, (table ? table->count : 0) + 1);
    int found, at = place_of(table, key, &found), i;

    for (i = 0; changed && i < at; i++) {
        put(changed, table->kept[i]);
    }
    if (changed && kept) {
        put(changed, kept);
    }
    for (i = at + found; changed && table && i < table->count; i++) {
        put(changed, table->kept[i]);
    }
    return changed;
}

static inject_kept_t *replace(inject_shelf_t *shelf, const char *key, inject_fits_t fits, inject_make_t make,
                              void *baton, request_rec *r, rr_err_t *err)
{
    const table_t *table;
    table_t *changed = NULL;
    inject_kept_t *kept, *old;

    apr_thread_mutex_lock(shelf->mutex);
    table = rr_place_current(&shelf->tables);
    old = find(table, key);
    if (old && fits(old, baton)) { /* another thread was faster */
        kept = old;
        use(kept, r);
    }
    else {
        kept = make_kept(key, make, baton, err);
        changed = kept || old ? exchange(shelf, table, key, kept) : NULL;
        if (kept) {
            use(kept, r);
            release(kept); /* its maker's use */
        }
    }
    end_change(shelf, changed);
    return kept;
}

inject_kept_t *inject_shelf_get(inject_shelf_t *shelf, const char *key, inject_fits_t fits, inject_make_t make,
                                void *baton, request_rec *r, rr_err_t *err)
{
    apr_uint32_t *pin;
    const table_t *table = rr_pin(&shelf->tables, &pin);
    inject_kept_t *kept = find(table, key);

    if (kept && !fits(kept, baton)) {
        kept = NULL;
    }
    if (kept) {
        use(kept, r);
    }
    if (table) {
        rr_unpin(pin);
    }
    return kept ? kept : replace(shelf, key, fits, make, baton, r, err);
}

void inject_shelf_sweep(inject_shelf_t *shelf, apr_interval_time_t idle)
{
    apr_time_t now = apr_time_now();
    const table_t *table;
    table_t *left;
    int i;

    apr_thread_mutex_lock(shelf->mutex);
    rr_place_sweep(&shelf->tables, set_aside);
    table = rr_place_current(&shelf->tables);
    left = table ? make_table(shelf, table->count) : NULL;
    for (i = 0; left && i < table->count; i++) {
        inject_kept_t *kept = table->kept[i];

        if (apr_atomic_read32(&kept->refs) > 1) { /* this table's, and a request's or another table's */
            __atomic_store_n(&kept->used, now, __ATOMIC_RELAXED);
        }
        if (now - __atomic_load_n(&kept->used, __ATOMIC_RELAXED) <= idle) {
            put(left, kept);
        }
    }
    if (left && left->count == table->count) {
        set_aside(left);
        left = NULL;
    }
    end_change(shelf, left);
}
