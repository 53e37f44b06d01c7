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
 * Threads: any, once jwt_keysets_open has run. keyset->lock guards current, its
 *          counts and reload_after; no I/O under it.
 */
#include "jwt_keyset.h"

#include "rr_secret.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

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

/* One set, parsed. Immutable but for refs. */
struct set_t {
    apr_pool_t *pool; /* the set's own, without parent */
    const rr_jwks_t *keys;
    const char *jwks_url;
    apr_time_t discovered, fetched;
    apr_uint32_t generation;
    int refs; /* under the keyset's lock; being current counts as one */
};

/* Why a fetch is wanted. */
typedef enum { WANT_REFRESH, WANT_ANY, WANT_KID } want_e;

/*
 * Requests of this child that fetch or await a key set. A slow issuer holds each
 * for seconds, and unsigned tokens are all it takes to make many of them: at
 * most half of the child's threads may be so held, the others go on serving
 * those who need no fetch.
 */
static _Atomic int flying;
static int most_flying = 1; /* written by jwt_keyset_limit only */

apr_time_t jwt_keyset_claim_end(void)
{
    return apr_time_now() + CLAIM_LIFETIME;
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
    RR_LOG_S(APLOG_ERR, 0, jwt_keysets.server, 10325, "key set of %s: a new set was fetched, and cannot be read here: %s",
             keyset->issuer, rr_err_text(&err));
    return set;
}

static int is_young(apr_time_t fetched)
{
    return apr_time_now() - fetched < jwt_keysets.settings.max_stale;
}

static int set_is_usable(const set_t *set)
{
    return set && is_young(set->fetched);
}

/* ---- fetching ---- */

static apr_interval_time_t lifetime_of(apr_interval_time_t max_age)
{
    apr_interval_time_t lifetime = max_age < 0 ? DEFAULT_LIFETIME : max_age;

    lifetime = lifetime < LEAST_LIFETIME ? LEAST_LIFETIME : lifetime;
    lifetime = lifetime > MOST_LIFETIME ? MOST_LIFETIME : lifetime;
    return lifetime < jwt_keysets.settings.max_stale ? lifetime : jwt_keysets.settings.max_stale;
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
        RR_LOG_S(APLOG_NOTICE, 0, jwt_keysets.server, 10322, "key set of %s: fetched again from %s", keyset->issuer,
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
    apr_time_t left = atomic_load(&slot->fetched) + jwt_keysets.settings.max_stale - now;

    atomic_store(&slot->retry, now + (wait < jwt_keysets.settings.interval ? wait : jwt_keysets.settings.interval));
    if (failures) {
        return;
    }
    if (atomic_load(&slot->generation) && left > 0) {
        RR_LOG_S(APLOG_WARNING, 0, jwt_keysets.server, 10320, "key set of %s: cannot be refreshed, the known keys are used for "
                 "another %" APR_TIME_T_FMT " s: %s", keyset->issuer, apr_time_sec(left), rr_err_text(err));
    }
    else {
        RR_LOG_S(APLOG_ERR, 0, jwt_keysets.server, 10321, "key set of %s: cannot be fetched, its tokens get 503: %s",
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
        RR_LOG_S(APLOG_ERR, 0, jwt_keysets.server, 10323, "key set of %s: fetched, but the other children cannot have it: %s",
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

typedef struct connecting_t {
    const rr_target_allow_t *allow;
    int clear;
    rr_err_t why; /* it may not */
} connecting_t;

static int may_connect(void *baton, const struct sockaddr *address)
{
    connecting_t *connecting = baton;

    return jwt_keysets.settings.core->target_judge(connecting->allow, address, connecting->clear, &connecting->why)
           == APR_SUCCESS;
}

/* From url (NULL: discover), and for a set of the store only where its section allows that. */
static apr_status_t download_set(jwt_download_t *download, const jwt_keyset_t *keyset, const char *url, apr_pool_t *p,
                                 rr_err_t *err)
{
    apr_time_t deadline = apr_time_now() + FLIGHT_TIMEOUT;
    connecting_t connecting = { .allow = keyset->allow, .why = RR_ERR_INIT };
    rr_fetch_request_t how = { .ca_file = jwt_keysets.settings.ca_file };
    apr_status_t rv;

    if (keyset->allow) {
        connecting.clear = apr_cstr_casecmpn(url, "https:", 6) != 0; /* no discovery for sets of the store */
        how.may_connect = may_connect;
        how.baton = &connecting;
    }
    rv = jwt_download(download, keyset->issuer, url, &how, deadline, p, err);
    if (rv == RR_EDENIED && keyset->allow) {
        rr_err_clear(err);
        rr_err_set(err, rv, NULL, "the address of %.100s is not allowed: %s", url, rr_err_text(&connecting.why));
    }
    return rv;
}

/* Says once, and when their number changes, that a set has more keys than count. */
static void note_unread(const jwt_keyset_t *keyset, const set_t *set)
{
    apr_uint32_t unread = (apr_uint32_t)rr_jwks_unread(set->keys);

    if (atomic_exchange(&keyset->slot->unread, unread) != unread && unread) {
        RR_LOG_S(APLOG_WARNING, 0, jwt_keysets.server, 10332, "key set of %s (%s): %u keys behind the first %d that can be used "
                 "do not count, tokens signed with them get 401", keyset->issuer, set->jwks_url, unread, RR_MAX_JWKS_KEYS);
    }
}

/* Fetches and publishes; the caller holds the claim. */
static void fetch(jwt_keyset_t *keyset)
{
    apr_time_t discovered;
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
    if (download_set(&download, keyset, url, p, &err) != APR_SUCCESS) {
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
    note_unread(keyset, set);
    save(keyset, &download, p);
    set_release(keyset, set_install(keyset, set));
    note_success(keyset, &download);
    RR_LOG_S(APLOG_DEBUG, 0, jwt_keysets.server, 10328, "key set of %s: fetched from %s", keyset->issuer, download.jwks_url);
    apr_pool_destroy(p);
}

/* Whether a fetch for that reason may start now. */
static int is_due(const slot_t *slot, want_e want, apr_time_t now)
{
    if (want == WANT_KID) {
        return !is_ahead(atomic_load(&slot->next_forced), now, jwt_keysets.settings.interval);
    }
    if (want == WANT_REFRESH && is_ahead(atomic_load(&slot->refresh), now, MOST_LIFETIME)) {
        return 0;
    }
    return !is_ahead(atomic_load(&slot->retry), now, jwt_keysets.settings.interval);
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

/* True if one more request of this child may be held by a flight; it then has to leave it. */
static int join_flight(void)
{
    if (atomic_fetch_add(&flying, 1) < most_flying) {
        return 1;
    }
    atomic_fetch_sub(&flying, 1);
    return 0;
}

static void leave_flight(void)
{
    atomic_fetch_sub(&flying, 1);
}

void jwt_keyset_limit(int threads)
{
    most_flying = threads > 3 ? threads / 2 : 1;
}

/*
 * Sees to a newer set than generation seen: by fetching it, where that is due
 * and nobody does, else by awaiting whoever does.
 */
static void fly(jwt_keyset_t *keyset, want_e want, apr_uint32_t seen)
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
                atomic_store(&slot->next_forced, now + jwt_keysets.settings.interval);
            }
            fetch(keyset);
        }
        atomic_compare_exchange_strong(&slot->claim, &mine, 0);
    }
    else if (want != WANT_REFRESH) {
        await(slot, seen, want == WANT_KID ? KNOWN_WAIT : FLIGHT_TIMEOUT);
    }
}

/* For a request: true if there is a newer set than generation seen, at once where too many are held already. */
static int renew(jwt_keyset_t *keyset, want_e want, apr_uint32_t seen)
{
    if (join_flight()) {
        fly(keyset, want, seen);
        leave_flight();
    }
    else {
        RR_LOG_S(APLOG_DEBUG, 0, jwt_keysets.server, 10329, "key set of %s: %d requests of this process wait for key sets already, "
                 "this one does not", keyset->issuer, most_flying);
    }
    return atomic_load(&keyset->slot->generation) != seen;
}

int jwt_slot_holds(const slot_t *slot, const jwt_proof_t *proof)
{
    return proof->keys == slot && atomic_load(&slot->generation) == proof->generation
           && atomic_load(&slot->fetched) == proof->fetched && is_young(proof->fetched);
}

int jwt_keyset_holds(const jwt_proof_t *proof, const jwt_keyset_t *keyset)
{
    return jwt_slot_holds(keyset->slot, proof);
}

apr_status_t jwt_keyset_verify(jwt_proof_t *proof, jwt_keyset_t *keyset, rr_jws_t *jws, unsigned int algs,
                               rr_err_t *err)
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
    if (rv == APR_SUCCESS) {
        proof->keys = keyset->slot;
        proof->generation = set->generation;
        proof->fetched = set->fetched;
    }
    set_release(keyset, set);
    return rv;
}

void jwt_keyset_refresh(jwt_keyset_t *keyset)
{
    fly(keyset, WANT_REFRESH, atomic_load(&keyset->slot->generation));
}

int jwt_keyset_wants_tick(const slot_t *slot)
{
    return atomic_load(&slot->failures) || is_due(slot, WANT_REFRESH, apr_time_now());
}

/* ---- what an earlier run kept ---- */

void jwt_keyset_take_up(jwt_keyset_t *keyset, apr_pool_t *ptemp)
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
        RR_LOG_S(APLOG_WARNING, 0, jwt_keysets.server, 10324, "key set of %s: what the last run kept is not used: %s",
                 keyset->issuer, rr_err_text(&err));
        return;
    }
    note_unread(keyset, set);
    apr_pool_destroy(set->pool);
    atomic_store(&keyset->slot->fetched, download.fetched);
    atomic_store(&keyset->slot->refresh, refresh_time(&download));
    atomic_store(&keyset->slot->generation, 1);
}

apr_status_t jwt_keyset_prepare(jwt_keyset_t *keyset, const char *issuer, const char *jwks_url,
                                const rr_target_allow_t *allow, slot_t *slot, apr_pool_t *p)
{
    keyset->issuer = issuer;
    keyset->jwks_url = jwks_url;
    keyset->allow = allow;
    keyset->slot = slot;
    keyset->path = jwt_state_path(p, jwt_keysets.settings.state_dir, issuer, jwks_url, allow);
    return apr_thread_mutex_create(&keyset->lock, APR_THREAD_MUTEX_DEFAULT, p);
}

void jwt_keyset_begin(jwt_keyset_t *keyset, apr_int64_t claim)
{
    apr_pool_t *scratch;

    if (apr_pool_create_unmanaged_ex(&scratch, NULL, NULL) == APR_SUCCESS) {
        jwt_keyset_take_up(keyset, scratch);
        apr_pool_destroy(scratch);
    }
    if (!atomic_load(&keyset->slot->generation) && join_flight()) {
        fetch(keyset);
        leave_flight();
    }
    atomic_compare_exchange_strong(&keyset->slot->claim, &claim, 0);
}

void jwt_keyset_drop(jwt_keyset_t *keyset)
{
    set_release(keyset, keyset->current);
    keyset->current = NULL;
}
