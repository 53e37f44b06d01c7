/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_pool.c: connections of one process to one store.
 *
 * Not mod_dbd's: a connection whose statement failed is closed here, not
 * handed to the next; waiting is bounded; one thread at a time connects, which
 * takes a server many times as long as a statement, so that a rush is served by
 * those there are; after a failure it tries again with growing pauses, and the
 * others are told at once.
 *
 * Threads: any. Connecting and closing happen outside the mutex.
 */
#include "core_store_pool.h"

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#define MAX_OPEN 10                            /* connections a process: a statement takes microseconds */
#define WAIT_TIME apr_time_from_msec(100)      /* while none becomes free */
#define LONGEST_WAIT apr_time_from_sec(2)      /* in a rush, and for the first one: libpq is told to give up then */
#define FIRST_PAUSE apr_time_from_msec(50)     /* after a failure; doubled by each further one */
#define LONGEST_PAUSE apr_time_from_msec(1000)
#define IDLE_TIME apr_time_from_sec(30)        /* until an idle connection is closed */

struct core_pool_t {
    const char *driver, *params;
    core_probe_t *probe;
    void (*forget)(void *baton);
    void *baton;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *cond;
    core_connection_t *idle; /* last used first */
    core_connection_t *kept; /* a broken one of sqlite3: see keep_broken; not in open */
    int open;                /* idle and in use */
    apr_uint64_t epoch;      /* idle connections of another epoch are not used again */
    int trying;              /* one thread is connecting */
    apr_time_t moved;        /* when one was last given back, or made */
    apr_time_t retry_at;     /* 0: the last attempt went well */
    apr_interval_time_t pause;
    rr_err_t failure; /* of the last attempt */
};

core_pool_t *core_pool_make(const char *driver, const char *params, core_probe_t *probe, void (*forget)(void *baton),
                            void *baton, apr_pool_t *p)
{
    core_pool_t *pool = apr_pcalloc(p, sizeof(*pool));

    pool->driver = driver;
    pool->params = params;
    pool->probe = probe;
    pool->forget = forget;
    pool->baton = baton;
    return apr_thread_mutex_create(&pool->mutex, APR_THREAD_MUTEX_DEFAULT, p) == APR_SUCCESS &&
                   apr_thread_cond_create(&pool->cond, p) == APR_SUCCESS
               ? pool
               : NULL;
}

static void close_connection(core_pool_t *pool, core_connection_t *connection)
{
    if (pool->probe) {
        core_probe_let_go(pool->probe, &connection->file);
    }
    apr_pool_destroy(connection->p);
}

static void close_list(core_pool_t *pool, core_connection_t *list)
{
    while (list) {
        core_connection_t *next = list->next;

        close_connection(pool, list);
        list = next;
    }
}

/* A connection has its own allocator: it is opened, used and closed by different threads. */
static apr_status_t make_pool(apr_pool_t **pp)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create_unmanaged_ex(pp, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *pp);
    return APR_SUCCESS;
}

static apr_status_t connect_store(core_connection_t **pconnection, core_pool_t *pool, rr_err_t *err)
{
    core_connection_t *connection;
    core_file_id_t before = { 0 }, after;
    apr_status_t rv;
    apr_pool_t *p;

    *pconnection = NULL;
    if (make_pool(&p) != APR_SUCCESS) {
        return rr_err_set(err, RR_EUNAVAIL, "memory", "no memory for a connection to the store");
    }
    connection = apr_pcalloc(p, sizeof(*connection));
    connection->p = p;
    connection->fresh = 1;
    if (pool->probe) {
        core_probe_file(&before, pool->probe); /* where there is none, opening says why */
    }
    rv = rr_store_open(&connection->store, pool->driver, pool->params, p, err);
    if (rv == APR_SUCCESS && pool->probe) {
        if (!core_probe_file(&after, pool->probe) || !core_file_id_equal(&before, &after)) {
            rv = rr_err_set(err, RR_EUNAVAIL, pool->params, "the store's file was replaced while it was opened");
        }
        else {
            connection->file = after;
            if (rr_store_has_wal(connection->store, p)) {
                core_probe_hold(pool->probe, &after);
            }
        }
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(p);
        return rv;
    }
    *pconnection = connection;
    return APR_SUCCESS;
}

/* Under the mutex: the next idle connection that leads to the store; others go to *pdead. */
static core_connection_t *take_idle(core_pool_t *pool, core_connection_t **pdead)
{
    core_file_id_t file = { 0 };
    int known = !pool->probe || !pool->idle || core_probe_file(&file, pool->probe);

    while (pool->idle) {
        core_connection_t *connection = pool->idle;

        pool->idle = connection->next;
        if (connection->epoch == pool->epoch && known &&
            (!pool->probe || core_file_id_equal(&file, &connection->file))) {
            connection->fresh = 0;
            return connection;
        }
        connection->next = *pdead;
        *pdead = connection;
        pool->open--;
    }
    return NULL;
}

/* Under the mutex: how an attempt to connect went. */
static void note_attempt(core_pool_t *pool, apr_status_t rv, const rr_err_t *err)
{
    pool->trying = 0;
    pool->moved = apr_time_now();
    if (rv == APR_SUCCESS) {
        pool->retry_at = 0;
        pool->pause = 0;
        return;
    }
    pool->open--;
    pool->pause = pool->pause ? 2 * pool->pause : FIRST_PAUSE;
    if (pool->pause > LONGEST_PAUSE) {
        pool->pause = LONGEST_PAUSE;
    }
    pool->retry_at = apr_time_now() + pool->pause;
    pool->failure = *err;
}

/* With the mutex, which is released: makes a connection. */
static apr_status_t connect_unlocked(core_connection_t **pconnection, core_pool_t *pool, core_connection_t *dead,
                                     rr_err_t *err)
{
    apr_uint64_t epoch = pool->epoch;
    core_connection_t *kept = NULL;
    rr_err_t failure = RR_ERR_INIT;
    apr_status_t rv;

    pool->open++;
    pool->trying = 1;
    apr_thread_mutex_unlock(pool->mutex);

    if (dead) {
        close_list(pool, dead);
        pool->forget(pool->baton);
    }
    rv = connect_store(pconnection, pool, &failure);
    apr_thread_mutex_lock(pool->mutex);
    note_attempt(pool, rv, &failure);
    if (rv == APR_SUCCESS) {
        (*pconnection)->epoch = epoch;
        kept = pool->kept;
        pool->kept = NULL;
    }
    apr_thread_cond_broadcast(pool->cond);
    apr_thread_mutex_unlock(pool->mutex);
    if (kept) {
        close_connection(pool, kept);
    }
    return rv == APR_SUCCESS ? rv : rr_err_set(err, rv, failure.where, "%s", rr_err_text(&failure));
}

/* Under the mutex: how much longer to wait. While connections come back, or one is being made, it may take longer. */
static apr_interval_time_t time_left(const core_pool_t *pool, apr_time_t begun, apr_time_t now)
{
    apr_time_t moved = pool->trying ? now : pool->moved > begun ? pool->moved : begun;
    apr_interval_time_t left = moved + WAIT_TIME - now, most = begun + LONGEST_WAIT - now;

    return left < most ? left : most;
}

apr_status_t core_pool_take(core_connection_t **pconnection, core_pool_t *pool, rr_err_t *err)
{
    apr_time_t begun = apr_time_now();
    core_connection_t *dead = NULL;
    apr_status_t rv = APR_SUCCESS;

    *pconnection = NULL;
    apr_thread_mutex_lock(pool->mutex);
    for (;;) {
        apr_interval_time_t left;
        apr_time_t now;

        *pconnection = take_idle(pool, &dead);
        if (*pconnection) {
            break;
        }
        now = apr_time_now();
        if (pool->retry_at && (pool->trying || now < pool->retry_at)) {
            rv = rr_err_set(err, pool->failure.status, pool->failure.where, "%s", rr_err_text(&pool->failure));
            break;
        }
        if (pool->open < MAX_OPEN && !pool->trying) {
            return connect_unlocked(pconnection, pool, dead, err);
        }
        left = time_left(pool, begun, now);
        if (left <= 0) {
            rv = rr_err_set(err, RR_EUNAVAIL, "pool", "no connection to the store became free, of %d", pool->open);
            break;
        }
        apr_thread_cond_timedwait(pool->cond, pool->mutex, left);
    }
    apr_thread_mutex_unlock(pool->mutex);
    if (dead) {
        close_list(pool, dead);
        pool->forget(pool->baton);
    }
    return rv;
}

/*
 * Under the mutex: a broken connection stays open until there is another, and is not used; returned is what to close.
 * With the last one SQLite would remove the log's index, and on a full disk there is no room to make it again: then
 * a change that was refused would end reading, too.
 */
static core_connection_t *keep_broken(core_pool_t *pool, core_connection_t *connection)
{
    core_connection_t *before = pool->kept;

    if (!pool->probe) {
        return connection;
    }
    pool->kept = connection;
    return before;
}

void core_pool_give(core_pool_t *pool, core_connection_t *connection)
{
    int broken = rr_store_is_broken(connection->store), keep;
    apr_time_t now = apr_time_now();
    core_connection_t *dead = NULL;

    apr_thread_mutex_lock(pool->mutex);
    if (broken && connection->epoch == pool->epoch) {
        pool->epoch++;
    }
    pool->moved = now;
    keep = !broken && connection->epoch == pool->epoch;
    if (keep) {
        connection->used = now;
        connection->next = pool->idle;
        pool->idle = connection;
    }
    else {
        pool->open--;
        dead = broken ? keep_broken(pool, connection) : connection;
    }
    apr_thread_cond_signal(pool->cond);
    apr_thread_mutex_unlock(pool->mutex);
    if (broken) {
        pool->forget(pool->baton);
    }
    if (dead) {
        close_connection(pool, dead);
    }
}

void core_pool_trim(core_pool_t *pool, apr_time_t now)
{
    core_connection_t *old = NULL, **at;

    apr_thread_mutex_lock(pool->mutex);
    at = &pool->idle;
    if (*at && pool->open > 1) {
        for (at = &(*at)->next; *at && now - (*at)->used < IDLE_TIME; at = &(*at)->next) {
            ;
        }
        old = *at;
        *at = NULL;
        for (at = &old; *at; at = &(*at)->next) {
            pool->open--;
        }
    }
    apr_thread_mutex_unlock(pool->mutex);
    close_list(pool, old);
}

void core_pool_close(core_pool_t *pool)
{
    core_connection_t *idle, *kept;

    apr_thread_mutex_lock(pool->mutex);
    idle = pool->idle;
    pool->idle = NULL;
    kept = pool->kept;
    pool->kept = NULL;
    apr_thread_mutex_unlock(pool->mutex);
    close_list(pool, idle);
    if (kept) {
        close_connection(pool, kept);
    }
}
