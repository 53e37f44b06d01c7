/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_live.c: one store in one child: running statements, knowing whether
 * it works, its pepper, and the thread that does what no request should wait for.
 *
 * Threads: any, but for make and start, which run before there are several.
 */
#include "core_store_live.h"
#include "core_store_snapshot.h"

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#define FLUSH_TIME apr_time_from_sec(5) /* between batches of last-used times */
#define WRITER_WAIT apr_time_from_msec(150) /* for another process to end its write */
#define TURN_WAIT apr_time_from_sec(3) /* for this process's own changes before */
#define NO_CHANGES 1 /* a state: it can be read. No status has this number */

struct core_live_t {
    server_rec *s;
    apr_pool_t *p; /* under mutex once there are threads */
    const char *key_source;
    core_probe_t *probe; /* NULL but for sqlite3 */
    core_pool_t *pool;
    core_known_t *known;
    core_ask_t *ask;
    core_cache_t *keys, *tokens;
    core_digests_t *digests;
    core_used_t *used;
    core_snapshots_t *snapshots;
    apr_thread_mutex_t *mutex; /* of the members below, and of reading a pepper */
    const rr_keyring_t *ring;    /* atomic; set once */
    const core_pepper_t *pepper; /* atomic; an old one stays for those who use it */
    int down;                    /* atomic: the status last logged, NO_CHANGES, 0 while it works */
    int changing;                /* a thread makes a change: the others wait for turn, not on connections */
    apr_thread_cond_t *turn;
    apr_thread_cond_t *cond;
    apr_thread_t *thread;
    int stop;                    /* atomic for who only looks */
    int woken;                   /* all digests are wanted */
    int flush_failed;
};

static void forget(void *baton)
{
    core_live_t *live = baton;

    core_known_forget(live->known);
}

static apr_status_t ask_store(core_answer_t *answer, void *baton, apr_pool_t *p, rr_err_t *err);

core_live_t *core_live_make(server_rec *s, const char *driver, const char *params, const char *key_source,
                            const rr_keyring_t *ring, apr_pool_t *pchild)
{
    core_live_t *live = apr_pcalloc(pchild, sizeof(*live));

    live->s = s;
    apr_pool_create(&live->p, pchild);
    live->key_source = key_source;
    live->ring = ring;
    if (!strcmp(driver, "sqlite3")) {
        live->probe = core_probe_make(params, pchild);
    }
    live->pool = core_pool_make(driver, params, live->probe, forget, live, pchild);
    live->known = core_known_make(pchild);
    live->ask = live->known ? core_ask_make(ask_store, live, live->known, pchild) : NULL;
    live->keys = core_cache_make(pchild);
    live->tokens = core_cache_make(pchild);
    live->digests = core_digests_make(live->known, pchild);
    live->used = core_used_make(pchild);
    live->snapshots = core_snapshots_make(pchild);
    if (apr_thread_mutex_create(&live->mutex, APR_THREAD_MUTEX_DEFAULT, pchild) != APR_SUCCESS ||
        apr_thread_cond_create(&live->turn, pchild) != APR_SUCCESS ||
        apr_thread_cond_create(&live->cond, pchild) != APR_SUCCESS) {
        return NULL;
    }
    return live->pool && live->ask && live->keys && live->tokens && live->used && live->snapshots ? live : NULL;
}

core_known_t *core_live_known(core_live_t *live)
{
    return live->known;
}

core_cache_t *core_live_keys(core_live_t *live)
{
    return live->keys;
}

core_cache_t *core_live_tokens(core_live_t *live)
{
    return live->tokens;
}

core_digests_t *core_live_digests(core_live_t *live)
{
    return live->digests;
}

core_used_t *core_live_used(core_live_t *live)
{
    return live->used;
}

core_snapshots_t *core_live_snapshots(core_live_t *live)
{
    return live->snapshots;
}

server_rec *core_live_server(const core_live_t *live)
{
    return live->s;
}

int core_live_is_fresh(core_live_t *live, const core_view_t *view, apr_interval_time_t max_age, apr_time_t now)
{
    core_stamp_t stamp;

    if (!view->generation) {
        return 0;
    }
    if (max_age && now >= view->verified && now - view->verified <= max_age) {
        return 1;
    }
    if (!live->probe || !view->stamped || !core_probe_look(&stamp, live->probe) ||
        memcmp(&stamp, &view->stamp, sizeof(stamp))) {
        return 0;
    }
    if (max_age) {
        core_known_touch(live->known, view->generation, now);
    }
    return 1;
}

/* Doubt about the store as a whole, as against an answer about a row. */
static int is_outage(apr_status_t rv)
{
    return rv == RR_EUNAVAIL || rv == RR_ESCHEMA || rv == RR_ESEALED || rv == RR_EDENIED;
}

/* That reading works says nothing of writing; that writing does not, where there is a connection, nothing of reading. */
static int next_state(int before, apr_status_t rv, int changing)
{
    if (!is_outage(rv)) {
        return !changing && before == NO_CHANGES ? NO_CHANGES : 0;
    }
    return !changing ? rv : before ? before : NO_CHANGES;
}

/* One line a change, from whichever request comes first. changing: rv is that of a write on a connection. */
static void note_state(core_live_t *live, apr_status_t rv, int changing, const rr_err_t *err)
{
    int before = __atomic_load_n(&live->down, __ATOMIC_RELAXED), state = next_state(before, rv, changing);

    if (state == before || !__atomic_compare_exchange_n(&live->down, &before, state, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return;
    }
    if (state == NO_CHANGES) {
        RR_LOG_S(APLOG_ERR, 0, live->s, 10712, "the store takes no changes, requests that make one get 503: %s",
                 rr_err_text(err));
    }
    else if (before == NO_CHANGES && !state) {
        RR_LOG_S(APLOG_NOTICE, 0, live->s, 10713, "the store takes changes again");
    }
    else if (state) {
        RR_LOG_S(APLOG_ERR, 0, live->s, 10701, "the store does not answer, requests that need it get 503: %s",
                 rr_err_text(err));
    }
    else {
        RR_LOG_S(APLOG_NOTICE, 0, live->s, 10702, "the store answers again");
    }
}

/* How an attempt went, beside its status. */
typedef struct {
    int connected;
    int stale; /* the connection was an old one, and is broken */
} attempt_t;

static apr_status_t run_once(core_reading_t *reading, attempt_t *attempt, core_live_t *live, core_store_work_t work,
                             void *baton, apr_pool_t *p, rr_err_t *err)
{
    core_connection_t *connection;
    apr_status_t rv = core_pool_take(&connection, live->pool, err);

    attempt->connected = rv == APR_SUCCESS;
    attempt->stale = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    reading->number = core_known_next(live->known);
    reading->started = apr_time_now();
    reading->stamped = live->probe && core_probe_look(&reading->stamp, live->probe);
    rv = work(baton, connection->store, p, err);
    attempt->stale = !connection->fresh && rr_store_is_broken(connection->store);
    core_pool_give(live->pool, connection);
    return rv;
}

/*
 * Changes go one after another in any case: each raises the revision. Let several begin, and they hold every
 * connection while they wait for one another, and reads find none.
 */
static int begin_change(core_live_t *live)
{
    apr_time_t now, deadline = apr_time_now() + TURN_WAIT;
    int mine;

    apr_thread_mutex_lock(live->mutex);
    while (live->changing && (now = apr_time_now()) < deadline) {
        apr_thread_cond_timedwait(live->turn, live->mutex, deadline - now);
    }
    mine = !live->changing;
    live->changing = 1;
    apr_thread_mutex_unlock(live->mutex);
    return mine;
}

static void end_change(core_live_t *live)
{
    apr_thread_mutex_lock(live->mutex);
    live->changing = 0;
    apr_thread_cond_signal(live->turn);
    apr_thread_mutex_unlock(live->mutex);
}

/* A change, once nothing else writes. */
static apr_status_t run_change(core_reading_t *reading, attempt_t *attempt, core_live_t *live, core_store_work_t work,
                               void *baton, apr_pool_t *p, rr_err_t *err)
{
    apr_status_t rv;

    if (!begin_change(live)) {
        return rr_err_set(err, RR_EUNAVAIL, "turn", "the changes before this one do not end");
    }
    rv = live->probe && !core_probe_await_writer(live->probe, WRITER_WAIT)
             ? rr_err_set(err, RR_EUNAVAIL, "lock", "another program is writing to the store, and does not end")
             : run_once(reading, attempt, live, work, baton, p, err);
    end_change(live);
    return rv;
}

apr_status_t core_live_run(core_reading_t *reading, core_live_t *live, core_store_work_t work, void *baton, int again,
                           apr_pool_t *p, rr_err_t *err)
{
    attempt_t attempt = { 1, 0 };
    rr_err_t own = RR_ERR_INIT;
    apr_status_t rv;

    rv = again ? run_once(reading, &attempt, live, work, baton, p, &own)
               : run_change(reading, &attempt, live, work, baton, p, &own);
    if (attempt.stale && again && is_outage(rv)) { /* a server that was restarted meanwhile */
        rr_err_clear(&own);
        rv = run_once(reading, &attempt, live, work, baton, p, &own);
    }
    note_state(live, rv, !again && attempt.connected, &own);
    return rv == APR_SUCCESS ? rv : rr_err_set(err, rv, own.where, "%s", rr_err_text(&own));
}

/* ---- the revision ---- */

typedef struct {
    rr_revision_t revision;
    int any;
} ask_work_t;

static apr_status_t read_revision(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    ask_work_t *work = baton;

    return rr_store_revocation_any(&work->any, &work->revision, store, p, err);
}

/* The question of live->ask. */
static apr_status_t ask_store(core_answer_t *answer, void *baton, apr_pool_t *p, rr_err_t *err)
{
    core_live_t *live = baton;
    core_reading_t reading = { 0 };
    ask_work_t work;
    apr_status_t rv = core_live_run(&reading, live, read_revision, &work, 1, p, err);

    answer->number = reading.number;
    if (rv == APR_SUCCESS) {
        answer->revoked = work.any ? CORE_REVOKED_SOME : CORE_REVOKED_NONE;
        answer->generation = core_known_note(live->known, &work.revision, &reading, answer->revoked);
    }
    return rv;
}

apr_status_t core_live_ask(core_answer_t *answer, core_live_t *live, apr_pool_t *p, rr_err_t *err)
{
    rr_err_t own = RR_ERR_INIT;
    apr_status_t rv = core_ask(answer, live->ask, p, &own);

    if (rv == APR_TIMEUP) { /* other failures were noted by who asked */
        rv = RR_EUNAVAIL;
        note_state(live, rv, 0, &own);
    }
    return rv == APR_SUCCESS ? rv : rr_err_set(err, rv, own.where, "%s", rr_err_text(&own));
}

apr_status_t core_live_holds(int *holds, apr_uint64_t *proven, core_live_t *live, apr_uint64_t generation,
                             apr_interval_time_t max_age, apr_pool_t *p, rr_err_t *err)
{
    core_answer_t answer;
    core_view_t view;
    apr_status_t rv;

    *holds = generation == *proven;
    if (*holds || !core_known_view(&view, live->known) || view.generation != generation) {
        return APR_SUCCESS;
    }
    *holds = core_live_is_fresh(live, &view, max_age, apr_time_now());
    if (!*holds) {
        rv = core_live_ask(&answer, live, p, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        *holds = answer.generation == generation;
    }
    if (*holds) {
        *proven = generation;
    }
    return APR_SUCCESS;
}

/* ---- master key and pepper ---- */

/* Under the mutex. */
static apr_status_t load_keyring(core_live_t *live, rr_err_t *err)
{
    rr_keyring_t *ring;
    apr_status_t rv;

    if (live->ring) {
        return APR_SUCCESS;
    }
    if (!live->key_source) {
        return rr_err_set(err, RR_EUNAVAIL, "RRMasterKey", "no master key is configured: RRMasterKey names it");
    }
    rv = rr_keyring_load(&ring, live->key_source, live->p, err);
    if (rv == APR_SUCCESS) {
        __atomic_store_n(&live->ring, ring, __ATOMIC_RELEASE);
    }
    return rv == RR_EINVAL ? RR_EDENIED : rv;
}

apr_status_t core_live_keyring(const rr_keyring_t **pring, core_live_t *live, rr_err_t *err)
{
    rr_err_t own = RR_ERR_INIT;
    apr_status_t rv;

    apr_thread_mutex_lock(live->mutex);
    rv = load_keyring(live, &own);
    *pring = live->ring;
    apr_thread_mutex_unlock(live->mutex);
    if (rv != APR_SUCCESS) {
        note_state(live, rv, 0, &own);
        return rr_err_set(err, rv, own.where, "%s", rr_err_text(&own));
    }
    return rv;
}

typedef struct {
    core_live_t *live;
    const core_pepper_t *old; /* the one in use, which will not do */
    const core_pepper_t *other; /* what another request has read meanwhile; NULL: none has */
    const rr_keyring_t *ring;
    apr_pool_t *p;
    core_pepper_t *pepper;
    rr_revision_t revision;
} pepper_work_t;

static apr_status_t read_pepper(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    pepper_work_t *wanted = baton;
    const core_pepper_t *now = __atomic_load_n(&wanted->live->pepper, __ATOMIC_ACQUIRE);
    apr_status_t rv;

    if (now != wanted->old) {
        wanted->other = now;
        return APR_SUCCESS;
    }
    rv = rr_store_begin_read(store, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rr_store_revision(&wanted->revision, store, p, err);
    if (rv == APR_SUCCESS) {
        rv = rr_store_digester(&wanted->pepper->digester, store, wanted->ring, wanted->p, err);
    }
    rr_store_rollback(store); /* it has only read */
    return rv;
}

apr_status_t core_live_pepper(const core_pepper_t **ppepper, core_live_t *live, const char *store, apr_pool_t *p,
                              rr_err_t *err)
{
    const core_pepper_t *pepper = __atomic_load_n(&live->pepper, __ATOMIC_ACQUIRE);
    pepper_work_t wanted = { .live = live, .old = pepper };
    core_reading_t reading;
    core_answer_t answer;
    apr_status_t rv;

    *ppepper = pepper;
    if (pepper && (!store || !strcmp(pepper->store, store))) { /* lint: ids of stores */
        return APR_SUCCESS;
    }
    /* Where there is no store either, that is the thing to say first. */
    if ((!__atomic_load_n(&live->ring, __ATOMIC_ACQUIRE) &&
         (rv = core_live_ask(&answer, live, p, err)) != APR_SUCCESS) ||
        (rv = core_live_keyring(&wanted.ring, live, err)) != APR_SUCCESS) {
        return rv;
    }
    /* A pool of its own, kept for good: requests go on using the old one. There is one a store, not one a request. */
    apr_thread_mutex_lock(live->mutex);
    apr_pool_create(&wanted.p, live->p);
    apr_thread_mutex_unlock(live->mutex);
    wanted.pepper = apr_pcalloc(wanted.p, sizeof(*wanted.pepper));
    rv = core_live_run(&reading, live, read_pepper, &wanted, 1, p, err);
    if (rv != APR_SUCCESS || wanted.other) {
        apr_thread_mutex_lock(live->mutex);
        apr_pool_destroy(wanted.p);
        apr_thread_mutex_unlock(live->mutex);
        *ppepper = wanted.other;
        return rv;
    }
    apr_cpystrn(wanted.pepper->store, wanted.revision.store, sizeof(wanted.pepper->store));
    __atomic_store_n(&live->pepper, wanted.pepper, __ATOMIC_RELEASE);
    *ppepper = wanted.pepper;
    return APR_SUCCESS;
}

/* ---- what no request should wait for ---- */

typedef struct {
    const rr_key_use_t *uses;
    int count;
} flush_work_t;

static apr_status_t write_uses(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    const flush_work_t *work = baton;

    return rr_store_keys_used(store, work->uses, work->count, p, err);
}

/*
 * Not by core_live_run: that a write fails (a read-only file), or a long reading, says nothing about requests. Run
 * twice where the connection was dead.
 */
static apr_status_t run_quietly(core_reading_t *reading, core_live_t *live, core_store_work_t work, void *baton,
                                apr_pool_t *p, rr_err_t *err)
{
    attempt_t attempt;
    apr_status_t rv = run_once(reading, &attempt, live, work, baton, p, err);

    if (rv != APR_SUCCESS && attempt.stale) {
        rr_err_clear(err);
        rv = run_once(reading, &attempt, live, work, baton, p, err);
    }
    return rv;
}

static void flush(core_live_t *live, apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;
    core_reading_t reading;
    flush_work_t work;
    int failed;

    if (live->probe && !core_probe_await_writer(live->probe, WRITER_WAIT)) {
        return; /* the batch waits, too */
    }
    work.count = core_used_take(&work.uses, live->used, p);
    if (!work.count) {
        return;
    }
    failed = run_quietly(&reading, live, write_uses, &work, p, &err) != APR_SUCCESS; /* twice is as good as once */
    if (failed && !live->flush_failed) {
        RR_LOG_S(APLOG_WARNING, 0, live->s, 10703, "times of last use of %d keys were not written: %s", work.count,
                 rr_err_text(&err));
    }
    live->flush_failed = failed;
}

static void read_digests(core_live_t *live, apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;
    core_reading_t reading;
    core_digests_work_t work = { .digests = live->digests, .reading = &reading, .stop = &live->stop };

    if (run_quietly(&reading, live, core_digests_read, &work, p, &err) != APR_SUCCESS) {
        RR_LOG_S(APLOG_DEBUG, 0, live->s, 10715, "the digests of all keys were not read, each unknown key is looked up: %s",
                 rr_err_text(&err));
    }
    else if (core_digests_place(&work)) {
        RR_LOG_S(APLOG_DEBUG, 0, live->s, 10714, "the digests of all %" APR_INT64_T_FMT " keys were read into %" APR_SIZE_T_FMT
                 " bytes: until the store changes, unknown keys are not looked up", rr_digests_count(work.read),
                 rr_digests_size(work.read));
    }
}

void core_live_wake(core_live_t *live)
{
    apr_thread_mutex_lock(live->mutex);
    live->woken = 1;
    apr_thread_cond_signal(live->cond);
    apr_thread_mutex_unlock(live->mutex);
}

/* Sleeps until the next round, a wake or the end. */
static void await(int *woken, int *stop, core_live_t *live)
{
    apr_thread_mutex_lock(live->mutex);
    if (!live->stop && !live->woken) {
        apr_thread_cond_timedwait(live->cond, live->mutex, FLUSH_TIME);
    }
    *woken = live->woken;
    live->woken = 0;
    *stop = live->stop;
    apr_thread_mutex_unlock(live->mutex);
}

static void *APR_THREAD_FUNC run_thread(apr_thread_t *thread, void *data)
{
    core_live_t *live = data;
    apr_pool_t *p = apr_thread_pool_get(thread), *batch;
    apr_time_t last = apr_time_now();
    int woken, stop = 0;

    apr_setup_signal_thread(); /* signals are the MPM's */
    apr_pool_create(&batch, p);
    while (!stop) {
        await(&woken, &stop, live);
        if (woken && !stop) {
            read_digests(live, batch);
        }
        /* Who wakes the thread often neither hurries a round nor puts it off for long. */
        if (!woken || stop || apr_time_now() - last >= FLUSH_TIME || apr_time_now() < last) {
            flush(live, batch);
            core_pool_trim(live->pool, apr_time_now());
            core_cache_trim(live->keys);
            core_cache_trim(live->tokens);
            core_digests_trim(live->digests);
            core_snapshots_trim(live->snapshots);
            last = apr_time_now();
        }
        apr_pool_clear(batch);
    }
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static apr_status_t stop_thread(void *data)
{
    core_live_t *live = data;
    apr_status_t rv;

    apr_thread_mutex_lock(live->mutex);
    __atomic_store_n(&live->stop, 1, __ATOMIC_RELAXED);
    apr_thread_cond_signal(live->cond);
    apr_thread_mutex_unlock(live->mutex);
    apr_thread_join(&rv, live->thread);
    core_pool_close(live->pool);
    return APR_SUCCESS;
}

void core_live_start(core_live_t *live, apr_pool_t *pchild)
{
    apr_status_t rv = apr_thread_create(&live->thread, NULL, run_thread, live, pchild);

    if (rv != APR_SUCCESS) {
        RR_LOG_S(APLOG_WARNING, rv, live->s, 10704, "no thread for the store: times of last use will not be written");
        return;
    }
    /* Before what the thread uses is destroyed. */
    apr_pool_pre_cleanup_register(pchild, live, stop_thread);
}
