/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_keyset.c: fetched key sets: one copy, one age and one fetch at a time for
 * all children.
 *
 * What must be one for the server stands in anonymous shared memory: a slot for
 * each set with its generation, its times and the claim to fetch it. The text
 * stands in a file of the state directory, replaced in one step before the
 * generation is counted up; a child reads it when it sees a generation that it
 * does not have, and the next start of the server takes it up with its age.
 *
 * A set is fetched by whoever holds the slot's claim: the watchdog before the
 * set gets old, or a request that has no usable set or an unknown kid. The
 * claim is a time at which it lapses, so that a claimant that dies blocks
 * nobody for long. A set that is refreshed is never taken away before the new
 * one is parsed; a request keeps the set it verifies with.
 *
 * Result:  a token is refused only by a set that the issuer published; an
 *          issuer that cannot be reached is no reason while a set is known.
 * Threads: all functions from jwt_keysets_open on are for any thread. keyset->lock
 *          guards current, its counts and reload_after; no I/O under it.
 */
#include "jwt.h"

#include "rr_fetch.h"
#include "rr_secret.h"

#include <ap_mpm.h>
#include <mod_watchdog.h>

#include <apr_shm.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <stdatomic.h>
#include <string.h>

APLOG_USE_MODULE(rr_jwt);

#define FLIGHT_TIMEOUT apr_time_from_sec(5)  /* one fetch with its discovery */
#define CLAIM_LIFETIME apr_time_from_sec(7)  /* past which a claimant is taken for dead */
#define KNOWN_WAIT apr_time_from_sec(2)      /* for another's fetch, where a usable set is there already */
#define WAIT_STEP apr_time_from_msec(10)
#define FIRST_BACKOFF apr_time_from_sec(1)
#define RELOAD_BACKOFF apr_time_from_sec(1)
#define DISCOVERY_LIFETIME apr_time_from_sec(3600)
#define DEFAULT_LIFETIME apr_time_from_sec(900) /* where the issuer says no max-age */
#define LEAST_LIFETIME apr_time_from_sec(60)
#define MOST_LIFETIME apr_time_from_sec(3600)
#define TICK apr_time_from_sec(1)

_Static_assert(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "atomics in shared memory must not use a lock of the process");

typedef _Atomic apr_int64_t shared_time_t;
typedef _Atomic apr_uint32_t shared_count_t;

/* What the children share of one set. Zeroed at start. Times are absolute, 0: none. */
typedef struct slot_t {
    shared_count_t generation; /* sets published; 0: none yet */
    shared_time_t claim;       /* when the claim of whoever fetches now lapses */
    shared_time_t fetched;     /* of the published set */
    shared_time_t refresh;     /* when the watchdog should fetch */
    shared_time_t retry;       /* after a failure: not before */
    shared_time_t next_forced; /* for unknown kids: not before */
    shared_count_t failures;   /* in a row */
    shared_count_t alarm;      /* alarm_e already logged */
    shared_count_t unsaved;    /* the file could not be written */
} slot_t;

typedef enum { ALARM_NONE = 0, ALARM_OLD, ALARM_GONE } alarm_e;

/* One set, parsed. Immutable but for refs. */
typedef struct set_t {
    apr_pool_t *pool; /* the set's own, without parent */
    const rr_jwks_t *keys;
    const char *jwks_url;
    apr_time_t discovered, fetched;
    apr_uint32_t generation;
    int refs; /* under the keyset's lock; being current counts as one */
} set_t;

struct jwt_keyset_t {
    const char *issuer, *jwks_url, *path;
    slot_t *slot;
    apr_thread_mutex_t *lock; /* made before the fork, unlocked: each child has its own */
    set_t *current;           /* this child's */
    apr_time_t reload_after;  /* the file could not be read: not again before */
};

/* Why a fetch is wanted. */
typedef enum { WANT_REFRESH, WANT_ANY, WANT_KID } want_e;

/* Written by check_config and post_config only. */
static struct {
    apr_array_header_t *sets; /* jwt_keyset_t * */
    jwt_keyset_settings_t settings;
    server_rec *server;
} all;

void jwt_keysets_reset(apr_pool_t *pconf)
{
    memset(&all, 0, sizeof(all));
    all.sets = apr_array_make(pconf, 4, sizeof(jwt_keyset_t *));
}

jwt_keyset_t *jwt_keyset_add(const char *issuer, const char *jwks_url, apr_pool_t *pconf)
{
    jwt_keyset_t *keyset;
    int i;

    for (i = 0; i < all.sets->nelts; i++) {
        keyset = APR_ARRAY_IDX(all.sets, i, jwt_keyset_t *);
        if (strcmp(keyset->issuer, issuer) == 0 && !keyset->jwks_url == !jwks_url
            && (!jwks_url || strcmp(keyset->jwks_url, jwks_url) == 0)) {
            return keyset;
        }
    }
    keyset = apr_pcalloc(pconf, sizeof(*keyset));
    keyset->issuer = issuer;
    keyset->jwks_url = jwks_url;
    APR_ARRAY_PUSH(all.sets, jwt_keyset_t *) = keyset;
    return keyset;
}

int jwt_keysets_count(void)
{
    return all.sets->nelts;
}

/* ---- one child's copy ---- */

static apr_status_t set_make(set_t **pset, const jwt_download_t *download, apr_uint32_t generation, rr_err_t *err)
{
    apr_pool_t *pool;
    set_t *set;
    apr_status_t rv;

    *pset = NULL;
    rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, NULL, "out of memory");
    }
    apr_pool_tag(pool, "rr_jwks");
    set = apr_pcalloc(pool, sizeof(*set));
    set->pool = pool;
    set->jwks_url = apr_pstrdup(pool, download->jwks_url);
    set->discovered = download->discovered;
    set->fetched = download->fetched;
    set->generation = generation;
    rv = rr_jwks_parse(&set->keys, download->text, download->len, 0, pool, err);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    *pset = set;
    return APR_SUCCESS;
}

static void set_release(jwt_keyset_t *keyset, set_t *set)
{
    int last;

    if (set) {
        apr_thread_mutex_lock(keyset->lock);
        last = --set->refs == 0;
        apr_thread_mutex_unlock(keyset->lock);
        if (last) {
            apr_pool_destroy(set->pool);
        }
    }
}

/* Makes set the current one unless that is newer, and returns the current one for use. */
static set_t *set_install(jwt_keyset_t *keyset, set_t *set)
{
    set_t *old = NULL, *current;

    apr_thread_mutex_lock(keyset->lock);
    if (!keyset->current || (apr_int32_t)(set->generation - keyset->current->generation) > 0) {
        old = keyset->current;
        keyset->current = set;
        set->refs = 1;
    }
    else {
        old = set;
        old->refs = 1;
    }
    current = keyset->current;
    current->refs++;
    apr_thread_mutex_unlock(keyset->lock);
    set_release(keyset, old);
    return current;
}

/* The current set, which may be older than what is published; NULL: none. */
static set_t *set_use(jwt_keyset_t *keyset, apr_uint32_t *pgeneration, apr_time_t *preload_after)
{
    set_t *set;

    apr_thread_mutex_lock(keyset->lock);
    set = keyset->current;
    if (set) {
        set->refs++;
    }
    *pgeneration = set ? set->generation : 0;
    *preload_after = keyset->reload_after;
    apr_thread_mutex_unlock(keyset->lock);
    return set;
}

/* at lies ahead, and not so far that only a clock that was set back explains it. */
static int is_ahead(apr_time_t at, apr_time_t now, apr_interval_time_t most)
{
    return at > now && at - now <= most;
}

/* The published set, for use until set_release; where it cannot be read, the one before; NULL: none. */
static set_t *set_acquire(jwt_keyset_t *keyset)
{
    apr_uint32_t published = atomic_load(&keyset->slot->generation), have;
    apr_time_t now = apr_time_now(), reload_after;
    set_t *set = set_use(keyset, &have, &reload_after), *fresh = NULL;
    jwt_download_t download;
    rr_err_t err = RR_ERR_INIT;
    apr_pool_t *scratch;

    if (have == published || atomic_load(&keyset->slot->unsaved) || is_ahead(reload_after, now, RELOAD_BACKOFF)) {
        return set;
    }
    /* Threads that see a new generation at once each read the file: once a refresh, and nobody waits. */
    if (apr_pool_create_unmanaged_ex(&scratch, NULL, NULL) == APR_SUCCESS) {
        if (jwt_state_read(&download, keyset->path, keyset->issuer, keyset->jwks_url, scratch, &err) == APR_SUCCESS) {
            set_make(&fresh, &download, published, &err);
        }
        apr_pool_destroy(scratch);
    }
    if (fresh) {
        set_release(keyset, set);
        return set_install(keyset, fresh);
    }
    apr_thread_mutex_lock(keyset->lock);
    keyset->reload_after = now + RELOAD_BACKOFF;
    apr_thread_mutex_unlock(keyset->lock);
    RR_LOG_S(APLOG_ERR, 0, all.server, 10325, "key set of %s: a new set was fetched, and cannot be read here: %s",
             keyset->issuer, rr_err_text(&err));
    return set;
}

static int set_is_usable(const set_t *set)
{
    return set && apr_time_now() - set->fetched < all.settings.max_stale;
}

/* ---- fetching ---- */

static apr_interval_time_t lifetime_of(apr_interval_time_t max_age)
{
    apr_interval_time_t lifetime = max_age < 0 ? DEFAULT_LIFETIME : max_age;

    lifetime = lifetime < LEAST_LIFETIME ? LEAST_LIFETIME : lifetime;
    lifetime = lifetime > MOST_LIFETIME ? MOST_LIFETIME : lifetime;
    return lifetime < all.settings.max_stale ? lifetime : all.settings.max_stale;
}

/* Between 75 and 80 percent of the lifetime, so that servers that started together do not fetch together. */
static apr_time_t refresh_time(const jwt_download_t *download)
{
    unsigned char dice = 0;

    rr_secret_random(&dice, 1, NULL);
    return download->fetched + lifetime_of(download->max_age) / 100 * 75
           + lifetime_of(download->max_age) / 100 * 5 * dice / 255;
}

static void note_success(jwt_keyset_t *keyset, const jwt_download_t *download)
{
    slot_t *slot = keyset->slot;

    atomic_store(&slot->fetched, download->fetched);
    atomic_store(&slot->refresh, refresh_time(download));
    atomic_store(&slot->retry, 0);
    atomic_fetch_add(&slot->generation, 1);
    if (atomic_exchange(&slot->failures, 0) || atomic_load(&slot->alarm)) {
        RR_LOG_S(APLOG_NOTICE, 0, all.server, 10322, "key set of %s: fetched again from %s", keyset->issuer,
                 download->jwks_url);
    }
    atomic_store(&slot->alarm, ALARM_NONE);
}

static void note_failure(jwt_keyset_t *keyset, const rr_err_t *err)
{
    slot_t *slot = keyset->slot;
    apr_uint32_t failures = atomic_fetch_add(&slot->failures, 1);
    apr_interval_time_t wait = FIRST_BACKOFF << (failures < 16 ? failures : 16);
    apr_time_t now = apr_time_now();
    apr_time_t left = atomic_load(&slot->fetched) + all.settings.max_stale - now;

    atomic_store(&slot->retry, now + (wait < all.settings.interval ? wait : all.settings.interval));
    if (failures) {
        return;
    }
    if (atomic_load(&slot->generation) && left > 0) {
        RR_LOG_S(APLOG_WARNING, 0, all.server, 10320, "key set of %s: cannot be refreshed, the known keys are used for "
                 "another %" APR_TIME_T_FMT " s: %s", keyset->issuer, apr_time_sec(left), rr_err_text(err));
    }
    else {
        RR_LOG_S(APLOG_ERR, 0, all.server, 10321, "key set of %s: cannot be fetched, its tokens get 503: %s",
                 keyset->issuer, rr_err_text(err));
    }
}

/* Keeps the set for the other children; that it cannot be kept is no reason not to use it here. */
static void save(jwt_keyset_t *keyset, const jwt_download_t *download, apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;

    if (jwt_state_write(download, keyset->path, keyset->issuer, keyset->jwks_url, p, &err) == APR_SUCCESS) {
        atomic_store(&keyset->slot->unsaved, 0);
    }
    else if (!atomic_exchange(&keyset->slot->unsaved, 1)) {
        RR_LOG_S(APLOG_ERR, 0, all.server, 10323, "key set of %s: fetched, but the other children cannot have it: %s",
                 keyset->issuer, rr_err_text(&err));
    }
}

/* The address to fetch from: the configured one, or one discovered not long ago. NULL: discover. */
static const char *known_url(jwt_keyset_t *keyset, apr_time_t *pdiscovered, apr_pool_t *p)
{
    const char *url = keyset->jwks_url;
    set_t *set = url ? NULL : set_acquire(keyset);

    *pdiscovered = 0;
    if (set && is_ahead(set->discovered + DISCOVERY_LIFETIME, apr_time_now(), DISCOVERY_LIFETIME)
        && !atomic_load(&keyset->slot->failures)) {
        url = apr_pstrdup(p, set->jwks_url);
        *pdiscovered = set->discovered;
    }
    set_release(keyset, set);
    return url;
}

/* Fetches and publishes; the caller holds the claim. */
static void fetch(jwt_keyset_t *keyset)
{
    apr_time_t deadline = apr_time_now() + FLIGHT_TIMEOUT, discovered;
    jwt_download_t download;
    rr_err_t err = RR_ERR_INIT;
    apr_pool_t *p;
    set_t *set;
    const char *url;

    if (apr_pool_create_unmanaged_ex(&p, NULL, NULL) != APR_SUCCESS) {
        rr_err_set(&err, RR_EUNAVAIL, NULL, "out of memory");
        note_failure(keyset, &err);
        return;
    }
    url = known_url(keyset, &discovered, p);
    if (jwt_download(&download, keyset->issuer, url, all.settings.ca_file, deadline, p, &err) != APR_SUCCESS) {
        note_failure(keyset, &err);
        apr_pool_destroy(p);
        return;
    }
    download.discovered = url ? discovered : download.discovered;
    if (set_make(&set, &download, atomic_load(&keyset->slot->generation) + 1, &err) != APR_SUCCESS) {
        note_failure(keyset, &err);
        apr_pool_destroy(p);
        return;
    }
    save(keyset, &download, p);
    set_release(keyset, set_install(keyset, set));
    note_success(keyset, &download);
    RR_LOG_S(APLOG_DEBUG, 0, all.server, 10328, "key set of %s: fetched from %s", keyset->issuer, download.jwks_url);
    apr_pool_destroy(p);
}

/* Whether a fetch for that reason may start now. */
static int is_due(const slot_t *slot, want_e want, apr_time_t now)
{
    if (want == WANT_KID) {
        return !is_ahead(atomic_load(&slot->next_forced), now, all.settings.interval);
    }
    if (want == WANT_REFRESH && is_ahead(atomic_load(&slot->refresh), now, MOST_LIFETIME)) {
        return 0;
    }
    return !is_ahead(atomic_load(&slot->retry), now, all.settings.interval);
}

/* Waits until whoever fetches is done, or for most. */
static void await(const slot_t *slot, apr_uint32_t seen, apr_interval_time_t most)
{
    apr_time_t start = apr_time_now(), now = start;

    while (atomic_load(&slot->generation) == seen && is_ahead(atomic_load(&slot->claim), now, CLAIM_LIFETIME)
           && now - start < most) {
        apr_sleep(WAIT_STEP);
        now = apr_time_now();
    }
}

/*
 * Sees to a newer set than generation seen: by fetching it, where that is due
 * and nobody does, else by awaiting whoever does. True if there is one.
 */
static int renew(jwt_keyset_t *keyset, want_e want, apr_uint32_t seen)
{
    slot_t *slot = keyset->slot;
    apr_time_t now = apr_time_now();
    apr_int64_t claim = atomic_load(&slot->claim);
    apr_int64_t mine = now + CLAIM_LIFETIME;

    if (!is_ahead(claim, now, CLAIM_LIFETIME) && is_due(slot, want, now)
        && atomic_compare_exchange_strong(&slot->claim, &claim, mine)) {
        /* Whoever held the claim a moment ago may have done what is wanted. */
        if (atomic_load(&slot->generation) == seen && is_due(slot, want, now)) {
            if (want == WANT_KID) {
                atomic_store(&slot->next_forced, now + all.settings.interval);
            }
            fetch(keyset);
        }
        atomic_compare_exchange_strong(&slot->claim, &mine, 0);
    }
    else if (want != WANT_REFRESH) {
        await(slot, seen, want == WANT_KID ? KNOWN_WAIT : FLIGHT_TIMEOUT);
    }
    return atomic_load(&slot->generation) != seen;
}

apr_status_t jwt_keyset_verify(jwt_keyset_t *keyset, const rr_jws_t *jws, unsigned int algs, rr_err_t *err)
{
    apr_time_t asked = apr_time_now();
    apr_uint32_t seen = atomic_load(&keyset->slot->generation);
    set_t *set = set_acquire(keyset);
    apr_status_t rv;

    if (!set_is_usable(set)) {
        set_release(keyset, set);
        renew(keyset, WANT_ANY, seen);
        seen = atomic_load(&keyset->slot->generation);
        set = set_acquire(keyset);
        if (!set_is_usable(set)) {
            set_release(keyset, set);
            return rr_err_set(err, RR_EUNAVAIL, NULL, "there is no usable key set of %s", keyset->issuer);
        }
    }
    rv = rr_jws_verify(jws, set->keys, algs, err);
    /* Fetched since we were asked: a fresher one would say the same. */
    if (rv == RR_ENOKEY && set->fetched < asked && renew(keyset, WANT_KID, set->generation)) {
        set_release(keyset, set);
        set = set_acquire(keyset);
        if (set_is_usable(set)) {
            rr_err_clear(err);
            rv = rr_jws_verify(jws, set->keys, algs, err);
        }
    }
    set_release(keyset, set);
    return rv;
}

/* ---- the watchdog ---- */

/* Says once that a set gets old, and once that it is past use. */
static void check_age(const jwt_keyset_t *keyset, apr_time_t now)
{
    slot_t *slot = keyset->slot;
    apr_interval_time_t age = now - atomic_load(&slot->fetched);

    if (!atomic_load(&slot->generation) || !atomic_load(&slot->failures)) {
        return;
    }
    if (age >= all.settings.max_stale) {
        if (atomic_exchange(&slot->alarm, ALARM_GONE) != ALARM_GONE) {
            RR_LOG_S(APLOG_ERR, 0, all.server, 10327, "key set of %s: older than RRJwksMaxStale, its tokens get 503 "
                     "until the issuer answers", keyset->issuer);
        }
    }
    else if (age >= all.settings.max_stale / 2 && !atomic_exchange(&slot->alarm, ALARM_OLD)) {
        RR_LOG_S(APLOG_WARNING, 0, all.server, 10326, "key set of %s: not refreshed for %" APR_TIME_T_FMT " s, half of "
                 "RRJwksMaxStale; its tokens get 503 when that is over", keyset->issuer, apr_time_sec(age));
    }
}

static apr_status_t tick(int state, void *unused, apr_pool_t *p)
{
    int i;

    (void)unused, (void)p;
    for (i = 0; state == AP_WATCHDOG_STATE_RUNNING && i < all.sets->nelts; i++) {
        jwt_keyset_t *keyset = APR_ARRAY_IDX(all.sets, i, jwt_keyset_t *);
        int mpm = AP_MPMQ_RUNNING;

        if (ap_mpm_query(AP_MPMQ_MPM_STATE, &mpm) == APR_SUCCESS && mpm == AP_MPMQ_STOPPING) {
            break;
        }
        renew(keyset, WANT_REFRESH, atomic_load(&keyset->slot->generation));
        check_age(keyset, apr_time_now());
    }
    return APR_SUCCESS;
}

/* ---- start ---- */

/* Takes up the set of the last run with its age, so that a restart while the issuer is down changes nothing. */
static void take_up(jwt_keyset_t *keyset, apr_pool_t *ptemp)
{
    jwt_download_t download;
    rr_err_t err = RR_ERR_INIT;
    set_t *set = NULL;
    apr_status_t rv = jwt_state_read(&download, keyset->path, keyset->issuer, keyset->jwks_url, ptemp, &err);

    if (rv == APR_ENOENT) {
        return;
    }
    if (rv == APR_SUCCESS && download.fetched > apr_time_now() + CLAIM_LIFETIME) {
        rv = rr_err_set(&err, RR_EINVAL, NULL, "%s comes from the future", keyset->path);
    }
    if (rv == APR_SUCCESS) {
        rv = set_make(&set, &download, 1, &err); /* the children parse their own: this only proves that they can */
    }
    if (rv != APR_SUCCESS) {
        RR_LOG_S(APLOG_WARNING, 0, all.server, 10324, "key set of %s: what the last run kept is not used: %s",
                 keyset->issuer, rr_err_text(&err));
        return;
    }
    apr_pool_destroy(set->pool);
    atomic_store(&keyset->slot->fetched, download.fetched);
    atomic_store(&keyset->slot->refresh, refresh_time(&download));
    atomic_store(&keyset->slot->generation, 1);
}

static int refuse_start(apr_status_t rv, server_rec *s, const char *text)
{
    RR_LOG_S(APLOG_EMERG, rv, s, 10302, "%s", text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int jwt_keysets_open(const jwt_keyset_settings_t *settings, apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *on_tick =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    rr_err_t err = RR_ERR_INIT;
    apr_shm_t *shm;
    apr_status_t rv;
    int i;

    all.settings = *settings;
    all.server = s;
    if (rr_fetch_init(pconf, &err) != APR_SUCCESS
        || jwt_state_directory(settings->state_dir, ptemp, &err) != APR_SUCCESS) {
        return refuse_start(0, s, rr_err_text(&err));
    }
    rv = apr_shm_create(&shm, sizeof(slot_t) * (apr_size_t)all.sets->nelts, NULL, pconf);
    if (rv != APR_SUCCESS) {
        return refuse_start(rv, s, "the shared memory for key sets cannot be made");
    }
    memset(apr_shm_baseaddr_get(shm), 0, sizeof(slot_t) * (apr_size_t)all.sets->nelts);
    for (i = 0; i < all.sets->nelts; i++) {
        jwt_keyset_t *keyset = APR_ARRAY_IDX(all.sets, i, jwt_keyset_t *);

        keyset->slot = (slot_t *)apr_shm_baseaddr_get(shm) + i;
        keyset->path = jwt_state_path(pconf, settings->state_dir, keyset->issuer, keyset->jwks_url);
        rv = apr_thread_mutex_create(&keyset->lock, APR_THREAD_MUTEX_DEFAULT, pconf);
        if (rv != APR_SUCCESS) {
            return refuse_start(rv, s, "the lock of a key set cannot be made");
        }
        take_up(keyset, ptemp);
    }
    rv = get ? get(&watchdog, "_rr_jwt_", 0, 1, pconf) : APR_ENOTIMPL;
    if (rv == APR_SUCCESS) {
        rv = on_tick(watchdog, TICK, all.sets, tick);
    }
    if (rv != APR_SUCCESS) {
        return refuse_start(rv, s, "the watchdog that refreshes key sets cannot be registered");
    }
    return OK;
}
