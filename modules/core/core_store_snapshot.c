/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_snapshot.c: keeps the current snapshot, and old ones as long as requests use them.
 *
 * Threads: a picture is immutable, and used without a lock. The mutex guards who
 *          builds and what replaces what; it is held across no statement.
 */
#include "rr_pin.h"
#include "core_store_snapshot.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#define MAX_WAIT apr_time_from_sec(2) /* for another thread's rebuilding */

typedef struct picture_t {
    apr_pool_t *pool; /* its own, without parent: all of the snapshot */
    const rr_snapshot_t *snapshot;
    apr_uint64_t generation;
} picture_t;

struct core_snapshots_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *built;
    rr_place_t current; /* picture_t */
    int building;
};

core_snapshots_t *core_snapshots_make(apr_pool_t *pchild)
{
    core_snapshots_t *snapshots = apr_pcalloc(pchild, sizeof(*snapshots));

    if (apr_thread_mutex_create(&snapshots->mutex, APR_THREAD_MUTEX_DEFAULT, pchild) != APR_SUCCESS
        || apr_thread_cond_create(&snapshots->built, pchild) != APR_SUCCESS) {
        return NULL;
    }
    return snapshots;
}

static void destroy_picture(void *picture)
{
    apr_pool_destroy(((picture_t *)picture)->pool);
}

typedef struct {
    const rr_keyring_t *ring;
    const rr_snapshot_t *previous; /* NULL: none */
    picture_t *picture;
} build_work_t;

static apr_status_t build(void *baton, rr_store_t *store, apr_pool_t *ptemp, rr_err_t *err)
{
    build_work_t *work = baton;

    return rr_snapshot_read(&work->picture->snapshot, work->previous, store, work->ring, work->picture->pool, ptemp, err);
}

static void say_closed(void *baton, const char *name, const char *why)
{
    RR_LOG_S(APLOG_ERR, 0, (server_rec *)baton, 10711, "%s cannot be used, what needs it is closed: %s", name,
             why);
}

static picture_t *make_picture(core_snapshots_t *snapshots, core_live_t *live, apr_pool_t *p, rr_err_t *err)
{
    build_work_t work = { 0 };
    core_reading_t reading;
    apr_allocator_t *allocator;
    apr_pool_t *pool, *ptemp;
    const picture_t *previous;
    apr_uint32_t *pin;
    rr_err_t quiet = RR_ERR_INIT;
    apr_status_t rv;

    if (apr_allocator_create(&allocator) != APR_SUCCESS
        || apr_pool_create_unmanaged_ex(&pool, NULL, allocator) != APR_SUCCESS) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "out of memory");
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    apr_pool_tag(pool, "rr_snapshot");
    work.picture = apr_pcalloc(pool, sizeof(*work.picture));
    work.picture->pool = pool;
    /* Without master key only what has a secret is closed; that the key is missing has been logged. */
    if (core_live_keyring(&work.ring, live, &quiet) != APR_SUCCESS) {
        work.ring = NULL;
    }
    apr_pool_create(&ptemp, p);
    previous = rr_pin(&snapshots->current, &pin);
    work.previous = previous ? previous->snapshot : NULL;
    rv = core_live_run(&reading, live, build, &work, 1, ptemp, err);
    if (rv == APR_SUCCESS) {
        rr_snapshot_closed(work.picture->snapshot, work.previous, say_closed, core_live_server(live));
    }
    if (previous) {
        rr_unpin(pin);
    }
    apr_pool_destroy(ptemp);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    work.picture->generation = core_known_note(core_live_known(live), rr_snapshot_revision(work.picture->snapshot),
                                               &reading, CORE_REVOKED_UNKNOWN);
    return work.picture;
}

/*
 * Makes picture (NULL: it failed) the current one and wakes those who wait for it. The caller's, pinned; NULL where
 * there is none.
 */
static const picture_t *install(apr_uint32_t **pin, core_snapshots_t *snapshots, picture_t *picture)
{
    const picture_t *installed = NULL;

    apr_thread_mutex_lock(snapshots->mutex);
    if (picture && !rr_place_set(&snapshots->current, picture)) {
        destroy_picture(picture);
        picture = NULL;
    }
    if (picture) {
        installed = rr_pin(&snapshots->current, pin);
        rr_place_sweep(&snapshots->current, destroy_picture);
    }
    snapshots->building = 0;
    apr_thread_cond_broadcast(snapshots->built);
    apr_thread_mutex_unlock(snapshots->mutex);
    return installed;
}

/* True: the caller is to build. False: somebody else did, or is still at it past the time. */
static int claim_or_wait(core_snapshots_t *snapshots)
{
    apr_time_t end = apr_time_now() + MAX_WAIT, now;
    int mine;

    apr_thread_mutex_lock(snapshots->mutex);
    mine = !snapshots->building;
    if (mine) {
        snapshots->building = 1;
    }
    while (!mine && snapshots->building && (now = apr_time_now()) < end) {
        apr_thread_cond_timedwait(snapshots->built, snapshots->mutex, end - now);
    }
    apr_thread_mutex_unlock(snapshots->mutex);
    return mine;
}

const rr_snapshot_t *core_snapshots_pin(apr_uint64_t *proven, core_snapshots_t *snapshots, core_live_t *live,
                                        apr_interval_time_t max_age, apr_pool_t *p, rr_err_t *err)
{
    const picture_t *picture = NULL;
    apr_uint32_t *pin;
    int tries, holds;

    /* Twice: the one who was waited for may have failed, or the revision have moved on meanwhile. */
    for (tries = 0; tries < 2 && !picture; tries++) {
        picture = rr_pin(&snapshots->current, &pin);
        if (picture) {
            apr_status_t rv = core_live_holds(&holds, proven, live, picture->generation, max_age, p, err);

            if (rv != APR_SUCCESS || !holds) {
                rr_unpin(pin);
                picture = NULL;
            }
            if (rv != APR_SUCCESS) {
                return NULL;
            }
        }
        if (!picture && claim_or_wait(snapshots)) {
            picture = install(&pin, snapshots, make_picture(snapshots, live, p, err));
            break;
        }
    }
    if (!picture) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "the store's picture was not ready in time");
        return NULL;
    }
    apr_pool_cleanup_register(p, pin, rr_unpin, apr_pool_cleanup_null);
    return picture->snapshot;
}

void core_snapshots_trim(core_snapshots_t *snapshots)
{
    apr_thread_mutex_lock(snapshots->mutex);
    rr_place_sweep(&snapshots->current, destroy_picture);
    apr_thread_mutex_unlock(snapshots->mutex);
}
