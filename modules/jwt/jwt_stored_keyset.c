/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_stored_keyset.c: key sets that stored credentials name, which come and go
 * while the server runs.
 *
 * Their number is fixed at start, as shared memory is: RR_MAX_STORED_KEYSETS
 * places, each with a slot as a configured set has one. A child that needs a
 * set which has no place takes one under the server's mutex, and writes there
 * what the set is, by which the other children find it. A place that no request
 * asked for in a long time is given to another set.
 *
 * A set is its issuer, its address and what the section that asked for it allows
 * (RRTargetAllow): a section never uses what it might not have fetched.
 *
 * A place holds times and counts only. What keys a set has is in its file, which
 * is that set's alone, and in the children's copies, which know theirs: a place
 * that changes hands at the wrong moment costs a fetch and never lends one set's
 * keys to another.
 *
 * Threads: any. The server's mutex guards who has a place, stored.lock this
 *          child's view of the places and its references; no I/O under either.
 */
#include "jwt_keyset.h"

#include <util_mutex.h>

#include <apr_global_mutex.h>
#include <apr_hash.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include <string.h>

APLOG_USE_MODULE(rr_jwt);

#define REFRESHED apr_time_from_sec(3600)     /* since its last use, a set is kept fresh in the background */
#define FORGOTTEN apr_time_from_sec(24 * 3600) /* since its last use, a place may be given away */
#define USED_STEP apr_time_from_sec(1)         /* uses are noted no finer */
#define TICK_WORK apr_time_from_sec(1)         /* past which the rest waits for the next tick: slow issuers delay no others long */

/* What makes a set another one. */
typedef struct name_t {
    const char *issuer, *jwks_url;
    const rr_target_allow_t *allow;
} name_t;

/* One of the server's. Zero: never had. */
typedef struct place_t {
    shared_count_t turn;  /* raised whenever it changes hands; 0: free */
    shared_time_t used;   /* when a request last asked for it */
    char issuer[RR_MAX_VERIFIER_URL + 1], jwks_url[RR_MAX_VERIFIER_URL + 1]; /* under the mutex only */
    const rr_target_allow_t *allow; /* likewise; made before the children, so the same in all */
    slot_t slot;
} place_t;

/* A child's copy of what has a place, and since which turn. */
typedef struct mine_t {
    jwt_keyset_t keyset;
    unsigned int hash; /* of the address, so that few are compared */
    apr_uint32_t turn;
    int place;
    int refs; /* under stored.lock; being in its row counts as one */
    apr_pool_t *pool;
} mine_t;

static struct {
    place_t *places; /* NULL: there is no store */
    apr_global_mutex_t *mutex;
    apr_thread_mutex_t *lock;
    mine_t *mine[RR_MAX_STORED_KEYSETS]; /* NULL: not needed here yet */
    int next;                            /* where the watchdog goes on */
    _Atomic int full;                    /* that there was no place is logged already */
} stored;

void jwt_stored_keysets_reset(void)
{
    memset(&stored, 0, sizeof(stored));
}

apr_status_t jwt_stored_keysets_open(apr_pool_t *pconf, server_rec *s)
{
    apr_status_t rv;
    apr_shm_t *shm;

    rv = apr_shm_create(&shm, sizeof(place_t) * RR_MAX_STORED_KEYSETS, NULL, pconf);
    if (rv == APR_SUCCESS) {
        rv = ap_global_mutex_create(&stored.mutex, NULL, JWT_MUTEX, NULL, s, pconf, 0);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&stored.lock, APR_THREAD_MUTEX_DEFAULT, pconf);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    stored.places = apr_shm_baseaddr_get(shm); /* pages nobody wrote to are zero, and cost nothing until they are */
    return APR_SUCCESS;
}

void jwt_stored_keysets_start_child(apr_pool_t *pchild, server_rec *s)
{
    apr_status_t rv;

    if (stored.places) {
        rv = apr_global_mutex_child_init(&stored.mutex, apr_global_mutex_lockfile(stored.mutex), pchild);
        if (rv != APR_SUCCESS) {
            RR_LOG_S(APLOG_CRIT, rv, s, 10330, "this process cannot use the lock of the store's key sets: their tokens get 503");
            stored.places = NULL;
        }
    }
}

/* ---- this child's copies ---- */

static void give_back(mine_t *mine)
{
    int last;

    if (mine) {
        apr_thread_mutex_lock(stored.lock);
        last = --mine->refs == 0;
        apr_thread_mutex_unlock(stored.lock);
        if (last) {
            jwt_keyset_drop(&mine->keyset);
            apr_pool_destroy(mine->pool);
        }
    }
}

static int is_same_allow(const rr_target_allow_t *one, const rr_target_allow_t *other)
{
    return one == other || strcmp(one->words, other->words) == 0;
}

static int is_same(const name_t *name, const char *issuer, const char *jwks_url, const rr_target_allow_t *allow)
{
    return strcmp(jwks_url, name->jwks_url) == 0 && strcmp(issuer, name->issuer) == 0
           && is_same_allow(name->allow, allow);
}

static unsigned int hash_of(const char *jwks_url)
{
    apr_ssize_t len = APR_HASH_KEY_STRING;

    return apr_hashfunc_default(jwks_url, &len);
}

/* This child's copy of that set, to be given back; NULL: it has none that counts. */
static mine_t *known(const name_t *name)
{
    unsigned int hash = hash_of(name->jwks_url);
    mine_t *found = NULL;
    int i;

    apr_thread_mutex_lock(stored.lock);
    for (i = 0; i < RR_MAX_STORED_KEYSETS && !found; i++) {
        mine_t *mine = stored.mine[i];

        if (mine && mine->hash == hash && mine->turn == atomic_load(&stored.places[i].turn)
            && is_same(name, mine->keyset.issuer, mine->keyset.jwks_url, mine->keyset.allow)) {
            found = mine;
            found->refs++;
        }
    }
    apr_thread_mutex_unlock(stored.lock);
    return found;
}

/* Puts mine into its row, and returns what is there afterwards, to be given back: another thread may have been first. */
static mine_t *install(mine_t *mine)
{
    mine_t *old, *now;

    apr_thread_mutex_lock(stored.lock);
    old = stored.mine[mine->place];
    if (old && old->turn == mine->turn) {
        now = old;
        old = mine; /* refs is 1 */
    }
    else {
        now = stored.mine[mine->place] = mine;
    }
    now->refs++;
    apr_thread_mutex_unlock(stored.lock);
    give_back(old);
    return now;
}

/* A copy of what place i holds; under the mutex. NULL: nothing, or out of memory. */
static mine_t *copy_place(int i)
{
    const place_t *place = &stored.places[i];
    apr_pool_t *pool;
    mine_t *mine;

    if (!atomic_load(&place->turn) || apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_tag(pool, "rr_stored_jwks");
    mine = apr_pcalloc(pool, sizeof(*mine));
    mine->pool = pool;
    mine->place = i;
    mine->turn = atomic_load(&place->turn);
    mine->refs = 1;
    mine->hash = hash_of(place->jwks_url);
    if (jwt_keyset_prepare(&mine->keyset, apr_pstrdup(pool, place->issuer), apr_pstrdup(pool, place->jwks_url),
                           place->allow, &stored.places[i].slot, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    return mine;
}

/* ---- the server's places ---- */

/* at is longer ago than age, or so far ahead that only a clock that was set back explains it. */
static int is_past(apr_time_t at, apr_time_t now, apr_interval_time_t age)
{
    return at < now - age || at > now + age;
}

static int is_of(const place_t *place, const name_t *name)
{
    return is_same(name, place->issuer, place->jwks_url, place->allow);
}

/* The set's place, else a free one, else the one longest forgotten; -1: none. Under the mutex. */
static int choose(const name_t *name, apr_time_t now)
{
    int i, best = -1;

    for (i = 0; i < RR_MAX_STORED_KEYSETS; i++) {
        place_t *place = &stored.places[i];

        if (!atomic_load(&place->turn)) {
            return i; /* places are taken in order and never freed: what follows was never had */
        }
        if (is_of(place, name)) {
            return i;
        }
        if (is_past(atomic_load(&place->used), now, FORGOTTEN)
            && (best < 0 || atomic_load(&place->used) < atomic_load(&stored.places[best].used))) {
            best = i;
        }
    }
    return best;
}

/* Gives place i to a set; under the mutex. The claim to fetch it is the caller's, from before anybody can find it. */
static void hand_over(int i, const name_t *name, apr_int64_t claim)
{
    place_t *place = &stored.places[i];
    slot_t *slot = &place->slot;

    atomic_store(&slot->claim, claim);
    atomic_store(&slot->generation, 0);
    atomic_store(&slot->fetched, 0);
    atomic_store(&slot->refresh, 0);
    atomic_store(&slot->retry, 0);
    atomic_store(&slot->next_forced, 0);
    atomic_store(&slot->failures, 0);
    atomic_store(&slot->alarm, 0);
    atomic_store(&slot->unsaved, 0);
    atomic_store(&slot->unread, 0);
    atomic_store(&place->used, 0); /* should this process end here, the place is forgotten */
    apr_cpystrn(place->issuer, name->issuer, sizeof(place->issuer));
    apr_cpystrn(place->jwks_url, name->jwks_url, sizeof(place->jwks_url));
    place->allow = name->allow;
    atomic_store(&place->used, apr_time_now());
    atomic_fetch_add(&place->turn, 1); /* a place changes hands once a day at most: no wrap */
}

/* The set's copy, after it got a place if it had none; to be given back. NULL with err. */
static mine_t *find(const name_t *name, rr_err_t *err)
{
    apr_int64_t claim = jwt_keyset_claim_end();
    mine_t *mine = NULL;
    int i, is_new = 0;

    if (apr_global_mutex_lock(stored.mutex) != APR_SUCCESS) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "the lock of the store's key sets cannot be had");
        return NULL;
    }
    i = choose(name, apr_time_now());
    if (i >= 0) {
        is_new = !atomic_load(&stored.places[i].turn) || !is_of(&stored.places[i], name);
        if (is_new) {
            hand_over(i, name, claim);
        }
        mine = copy_place(i);
    }
    apr_global_mutex_unlock(stored.mutex);

    if (i < 0) {
        if (!atomic_exchange(&stored.full, 1)) {
            RR_LOG_S(APLOG_ERR, 0, jwt_keysets.server, 10331, "the store's credentials name more than %d key sets: tokens "
                     "of further ones get 503 until one was not used for a day", RR_MAX_STORED_KEYSETS);
        }
        rr_err_set(err, RR_EUNAVAIL, NULL, "there is no room for another key set of the store");
        return NULL;
    }
    if (!mine) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "out of memory");
        return NULL;
    }
    mine = install(mine);
    if (is_new) {
        atomic_store(&stored.full, 0);
        jwt_keyset_begin(&mine->keyset, claim);
    }
    return mine;
}

static void note_use(int i)
{
    apr_time_t now = apr_time_now();

    if (is_past(atomic_load(&stored.places[i].used), now, USED_STEP)) {
        atomic_store(&stored.places[i].used, now);
    }
}

apr_status_t jwt_stored_keyset_verify(jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_target_allow_t *allow,
                                      rr_jws_t *jws, rr_err_t *err)
{
    const name_t name = { issuer->policy.issuer, issuer->jwks_url, allow };
    apr_status_t rv;
    mine_t *mine;

    if (!stored.places) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "this process has no room for key sets of the store");
    }
    mine = known(&name);
    if (!mine) {
        mine = find(&name, err);
    }
    if (!mine) {
        return RR_EUNAVAIL;
    }
    memcpy(proof->named, issuer->party->verifier->named, sizeof(proof->named));
    note_use(mine->place);
    proof->allow = allow;
    proof->place = mine->place;
    proof->turn = mine->turn;
    rv = jwt_keyset_verify(proof, &mine->keyset, jws, issuer->algs, err);
    give_back(mine);
    return rv;
}

int jwt_stored_keyset_holds(const jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_target_allow_t *allow)
{
    place_t *place;

    if (!stored.places || !proof->turn || !is_same_allow(proof->allow, allow)
        || !rr_secret_equal(proof->named, sizeof(proof->named), issuer->party->verifier->named, sizeof(proof->named))) {
        return 0;
    }
    place = &stored.places[proof->place];
    /* The turn last: it is counted up after the slot was emptied, so a slot that was seen full is the old set's. */
    if (!jwt_slot_holds(&place->slot, proof) || atomic_load(&place->turn) != proof->turn) {
        return 0;
    }
    note_use(proof->place);
    return 1;
}

/* ---- the watchdog ---- */

/* This child's copy of what place i holds, to be given back; NULL: none. */
static mine_t *look_up(int i)
{
    mine_t *mine = NULL;

    apr_thread_mutex_lock(stored.lock);
    if (stored.mine[i] && stored.mine[i]->turn == atomic_load(&stored.places[i].turn)) {
        mine = stored.mine[i];
        mine->refs++;
    }
    apr_thread_mutex_unlock(stored.lock);
    if (!mine && apr_global_mutex_lock(stored.mutex) == APR_SUCCESS) {
        mine = copy_place(i);
        apr_global_mutex_unlock(stored.mutex);
        mine = mine ? install(mine) : NULL;
    }
    return mine;
}

void jwt_stored_keysets_tick(void)
{
    apr_time_t start = apr_time_now();
    int count;

    for (count = 0; stored.places && count < RR_MAX_STORED_KEYSETS && !jwt_keyset_is_stopping(); count++) {
        place_t *place = &stored.places[stored.next];
        mine_t *mine = NULL;

        if (atomic_load(&place->turn) && !is_past(atomic_load(&place->used), start, REFRESHED)
            && jwt_keyset_wants_tick(&place->slot)) {
            mine = look_up(stored.next);
        }
        stored.next = (stored.next + 1) % RR_MAX_STORED_KEYSETS;
        if (mine) {
            jwt_keyset_tick(&mine->keyset);
            give_back(mine);
        }
        if (apr_time_now() - start > TICK_WORK) {
            break;
        }
    }
}
