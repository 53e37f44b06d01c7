/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_snapshot.c: keeps the current snapshot, and old ones as long as requests use them.
 *
 * Threads: the mutex guards the members and every picture's count; it is held
 *          across no statement. A picture is immutable but for its count.
 */
#include "core_store_snapshot.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#define MAX_WAIT apr_time_from_sec(2) /* for another thread's rebuilding */

typedef struct picture_t {
    core_snapshots_t *snapshots;
    apr_pool_t *pool; /* its own, without parent: all of the snapshot */
    const rr_snapshot_t *snapshot;
    apr_uint64_t generation;
    int refs; /* being current counts as one */
} picture_t;

struct core_snapshots_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *built;
    picture_t *current; /* NULL: none yet */
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

static apr_status_t release(void *data)
{
    picture_t *picture = data;
    int last;

    apr_thread_mutex_lock(picture->snapshots->mutex);
    last = --picture->refs == 0;
    apr_thread_mutex_unlock(picture->snapshots->mutex);
    if (last) {
        apr_pool_destroy(picture->pool);
    }
    return APR_SUCCESS;
}

static picture_t *use_current(core_snapshots_t *snapshots)
{
    picture_t *picture;

    apr_thread_mutex_lock(snapshots->mutex);
    picture = snapshots->current;
    if (picture) {
        picture->refs++;
    }
    apr_thread_mutex_unlock(snapshots->mutex);
    return picture;
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
    picture_t *previous;
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
    work.picture->snapshots = snapshots;
    /* Without master key only what has a secret is closed; that the key is missing has been logged. */
    if (core_live_keyring(&work.ring, live, &quiet) != APR_SUCCESS) {
        work.ring = NULL;
    }
    apr_pool_create(&ptemp, p);
    previous = use_current(snapshots);
    work.previous = previous ? previous->snapshot : NULL;
    rv = core_live_run(&reading, live, build, &work, 1, ptemp, err);
    if (rv == APR_SUCCESS) {
        rr_snapshot_closed(work.picture->snapshot, work.previous, say_closed, core_live_server(live));
    }
    if (previous) {
        release(previous);
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

/* Makes picture (NULL: it failed) the current one and wakes those who wait for it; pinned for the caller. */
static void install(core_snapshots_t *snapshots, picture_t *picture)
{
    picture_t *old = NULL;

    apr_thread_mutex_lock(snapshots->mutex);
    if (picture) {
        old = snapshots->current;
        snapshots->current = picture;
        picture->refs = 2;
    }
    snapshots->building = 0;
    apr_thread_cond_broadcast(snapshots->built);
    apr_thread_mutex_unlock(snapshots->mutex);
    if (old) {
        release(old);
    }
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

const rr_snapshot_t *core_snapshots_pin(core_snapshots_t *snapshots, core_live_t *live, apr_interval_time_t max_age,
                                        apr_pool_t *p, rr_err_t *err)
{
    picture_t *picture = NULL;
    int tries;

    /* Twice: the one who was waited for may have failed, or the revision have moved on meanwhile. */
    for (tries = 0; tries < 2 && !picture; tries++) {
        picture = use_current(snapshots);
        if (picture && !core_live_holds(live, picture->generation, max_age, p)) {
            release(picture);
            picture = NULL;
        }
        if (!picture && claim_or_wait(snapshots)) {
            picture = make_picture(snapshots, live, p, err);
            install(snapshots, picture);
            break;
        }
    }
    if (!picture) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "the store's picture was not ready in time");
        return NULL;
    }
    apr_pool_cleanup_register(p, picture, release, apr_pool_cleanup_null);
    return picture->snapshot;
}
