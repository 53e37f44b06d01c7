/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_digests.c: the digests of all keys of one revision, so that what no key has costs no statement.
 *
 * Who floods a server with keys that nobody has makes each of them a statement,
 * since each is another. Who knows the digests of all keys can refuse them
 * without; but to read them costs, too, and they hold for one revision alone.
 * So reading begins when some are missed in one generation, and goes no further
 * than it may cost: as much as was spent on looking for what is not there. If
 * that is not all, or it fails, it waits for twice as many misses. Nobody counts
 * the keys before: over a million that takes a database half a second, while its
 * driver lets no other statement through. A store that changes before that is
 * never read.
 *
 * Holds:   one set of digests (rr_digests.h), two bytes a key.
 * Wrong:   told by its generation, as with what was found (core_store_cache.c).
 * Threads: the set is immutable and pinned while it is looked at; one thread reads and places. The
 *          counts are atomic, and need not be exact.
 */
#include "core_store_digests.h"
#include "rr.h"
#include "rr_pin.h"

#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

/*
 * A statement that finds no key takes 15 to 20 us of CPU by itself (54 in a server whose threads contend for sqlite3), the
 * reading of a digest 0.3 to 0.4: so fifty digests cost as much as one statement. 100,000 keys take 2,048 misses, a fifth of
 * a second of a flood. The least is for what reading costs where there are few: a thread that wakes, a connection.
 */
#define KEYS_A_MISS 50
#define LEAST_MISSES 64
#define MOST_MISSES (1u << 30)

typedef struct {
    apr_uint64_t generation;
    char store[RR_ID_LEN + 1]; /* whose digests they are: those of another have another pepper */
    rr_digests_t *set;         /* NULL: none, and no generation */
} held_t;

struct core_digests_t {
    core_known_t *known;
    rr_place_t held;       /* held_t */
    apr_uint64_t counted;  /* atomic: the generation of misses */
    apr_uint32_t misses;   /* atomic */
    apr_uint32_t enough;   /* atomic: misses that reading waits for, by what came of the last */
};

static void destroy_held(void *data)
{
    held_t *held = data;

    rr_digests_free(held->set);
    free(held);
}

static apr_status_t end_digests(void *digests)
{
    rr_place_end(&((core_digests_t *)digests)->held, destroy_held);
    return APR_SUCCESS;
}

core_digests_t *core_digests_make(core_known_t *known, apr_pool_t *p)
{
    core_digests_t *digests = apr_pcalloc(p, sizeof(*digests));

    digests->known = known;
    digests->enough = LEAST_MISSES;
    apr_pool_cleanup_register(p, digests, end_digests, apr_pool_cleanup_null);
    return digests;
}

int core_digests_lack(apr_uint64_t *generation, core_digests_t *digests, const char *store,
                      const unsigned char digest[RR_KEY_DIGEST_LEN])
{
    apr_uint32_t *pin;
    const held_t *held = rr_pin(&digests->held, &pin);
    int lacks;

    if (!held) {
        return 0;
    }
    *generation = held->generation;
    lacks = held->set && !strcmp(held->store, store) && !rr_digests_may_have(held->set, digest); /* lint: ids of stores */
    rr_unpin(pin);
    return lacks;
}

int core_digests_missed(core_digests_t *digests, apr_uint64_t generation)
{
    if (__atomic_load_n(&digests->counted, __ATOMIC_RELAXED) != generation) {
        __atomic_store_n(&digests->counted, generation, __ATOMIC_RELAXED);
        __atomic_store_n(&digests->misses, 0, __ATOMIC_RELAXED);
    }
    return __atomic_add_fetch(&digests->misses, 1, __ATOMIC_RELAXED) == __atomic_load_n(&digests->enough, __ATOMIC_RELAXED);
}

/* Whether generation may still hold; where a writer is in the way it may. */
static int is_present(const core_digests_t *digests, apr_uint64_t generation)
{
    core_view_t view;

    return !core_known_view(&view, digests->known) || view.generation == generation;
}

/* Whether what was missed was missed in the generation that is read, and that is the present one. */
static int is_wanted(const core_digests_work_t *work)
{
    return __atomic_load_n(&work->digests->counted, __ATOMIC_RELAXED) == work->generation &&
           is_present(work->digests, work->generation);
}

static int go_on(void *baton, const rr_revision_t *revision)
{
    core_digests_work_t *work = baton;
    core_digests_t *digests = work->digests;

    if (!work->generation) {
        work->generation = core_known_note(digests->known, revision, work->reading, CORE_REVOKED_UNKNOWN);
        work->revision = *revision;
    }
    return !__atomic_load_n(work->stop, __ATOMIC_RELAXED) && is_wanted(work);
}

/* When to read again, in this generation or another: by how many keys there are, or twice as late where that is not known. */
static apr_uint32_t enough_after(const rr_digests_t *read, apr_uint32_t misses)
{
    if (read) {
        return LEAST_MISSES + (apr_uint32_t)(rr_digests_count(read) / KEYS_A_MISS);
    }
    return misses < LEAST_MISSES ? LEAST_MISSES : misses < MOST_MISSES ? 2 * misses : misses;
}

apr_status_t core_digests_read(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    core_digests_work_t *work = baton;
    core_digests_t *digests = work->digests;
    apr_uint32_t misses = __atomic_load_n(&digests->misses, __ATOMIC_RELAXED);
    apr_int64_t room = (apr_int64_t)misses * KEYS_A_MISS;
    apr_status_t rv;

    work->generation = 0; /* it may be run again, on another connection: nothing of the first time counts */
    rv = rr_store_digests(&work->read, store, room < RR_MAX_DIGESTS ? room : RR_MAX_DIGESTS, go_on, work, p, err);
    if (work->read || !work->generation || is_wanted(work)) {
        __atomic_store_n(&digests->enough, enough_after(work->read, misses), __ATOMIC_RELAXED);
    }
    return rv;
}

/* Takes set over; store: NULL where there is none. */
static int hold(core_digests_t *digests, apr_uint64_t generation, const char *store, rr_digests_t *set)
{
    held_t *held = calloc(1, sizeof(*held));

    if (!held) {
        rr_digests_free(set);
        return 0;
    }
    held->generation = generation;
    apr_cpystrn(held->store, store ? store : "", sizeof(held->store));
    held->set = set;
    if (!rr_place_set(&digests->held, held)) {
        destroy_held(held);
        return 0;
    }
    rr_place_sweep(&digests->held, destroy_held);
    return 1;
}

int core_digests_place(core_digests_work_t *work)
{
    if (!is_present(work->digests, work->generation)) {
        rr_digests_free(work->read);
        work->read = NULL;
    }
    return work->read && hold(work->digests, work->generation, work->revision.store, work->read);
}

void core_digests_trim(core_digests_t *digests)
{
    const held_t *held = rr_place_current(&digests->held);

    if (held && held->set && !is_present(digests, held->generation)) {
        hold(digests, 0, NULL, NULL);
    }
    rr_place_sweep(&digests->held, destroy_held);
}
