/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_digests.c: the digests of all keys: what is read, when, for which
 * generation it holds, and what many threads see while it is replaced.
 */
#include "../../modules/core/core_store_digests.h"
#include "store_frame.h"

#include "rr.h"

#include <apr_thread_proc.h>

#define FEW 1700    /* keys: some parts of a reading, the last not a full one */
#define MANY 20000
#define LEAST 64    /* misses that a reading waits for, however few keys there are */
#define OTHERS 5000

static rr_store_t *store;
static core_known_t *known;
static rr_revision_t present; /* of store, when it was last looked at */
static int foreign;           /* digests denied for a store that they were not made for */
static const int go = 0, stop = 1;

/* As random as a keyed hash (splitmix64), and the same each time. */
static void digest_of(unsigned char digest[RR_KEY_DIGEST_LEN], int number)
{
    int i;

    for (i = 0; i < RR_KEY_DIGEST_LEN / 8; i++) {
        apr_uint64_t word = ((apr_uint64_t)number * 4 + (apr_uint64_t)i + 1) * 0x9e3779b97f4a7c15u;

        word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
        word = (word ^ word >> 27) * 0x94d049bb133111ebu;
        word ^= word >> 31;
        memcpy(digest + 8 * i, &word, 8);
    }
}

/* One key of the credential, under that digest. */
static apr_status_t add_key(const char *id, const char *credential, apr_time_t expires, const unsigned char *digest, apr_pool_t *p)
{
    rr_key_row_t row = { .id = id, .credential = credential, .hint = "...", .expires = expires };

    return rr_store_key_add(store, &row, digest, p, NULL);
}

/* Keys of these numbers. */
static void add_keys(int from, int to, apr_pool_t *p)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    apr_status_t rv = rr_store_begin(store, p, NULL);
    apr_pool_t *each;
    int i;

    apr_pool_create(&each, p);
    for (i = from; i < to && rv == APR_SUCCESS; i++) {
        digest_of(digest, i);
        rv = add_key(apr_psprintf(each, "k%d", i), "c1", 0, digest, each);
        apr_pool_clear(each);
    }
    is_int(rv == APR_SUCCESS ? rr_store_commit(store, NULL) : rv, APR_SUCCESS, "keys are made");
    apr_pool_destroy(each);
}

static void add_credential(const char *id, rr_credential_kind_e kind, int active, apr_time_t expires, apr_pool_t *p)
{
    rr_credential_row_t row = { .id = id, .client = "default", .kind = kind, .name = id, .active = active,
                                .scopes = "[]", .expires = expires };

    rr_store_begin(store, p, NULL);
    is_int(rr_store_credential_add(store, &row, p, NULL), APR_SUCCESS, "a credential");
    rr_store_commit(store, NULL);
}

/* ---- what is read ---- */

static int always(void *baton, const rr_revision_t *revision)
{
    *(rr_revision_t *)baton = *revision;
    return 1;
}

/* How many of these numbers' digests the set may have. */
static int had(const rr_digests_t *digests, int from, int to)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    int i, count = 0;

    for (i = from; i < to; i++) {
        digest_of(digest, i);
        count += rr_digests_may_have(digests, digest);
    }
    return count;
}

/* In the middle of a reading somebody makes keys whose digests are the first and the last, and takes others away. */
typedef struct {
    rr_revision_t revision;
    int asked;
    apr_pool_t *p;
} interrupted_t;

static int interrupt(void *baton, const rr_revision_t *revision)
{
    interrupted_t *in = baton;

    in->revision = *revision;
    if (++in->asked == 2) {
        by_hand(in->p, apr_psprintf(in->p, "INSERT INTO rr_key VALUES ('first', 'c1', '%064d', '', 0, 0)", 0));
        by_hand(in->p, "UPDATE rr_key SET digest = 'ff' || digest WHERE id = 'k1'");
        by_hand(in->p, "DELETE FROM rr_key WHERE id = 'k2'");
    }
    return 1;
}

static void restore(apr_pool_t *p)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];

    by_hand(p, "DELETE FROM rr_key WHERE id IN ('first', 'k1')");
    rr_store_begin(store, p, NULL);
    digest_of(digest, 1);
    add_key("k1", "c1", 0, digest, p);
    digest_of(digest, 2);
    add_key("k2", "c1", 0, digest, p);
    is_int(rr_store_commit(store, NULL), APR_SUCCESS, "as before");
}

static int at_most(void *baton, const rr_revision_t *revision)
{
    (void)revision;
    return --*(int *)baton >= 0;
}

static void test_reading(apr_pool_t *p)
{
    static const unsigned char lowest[RR_KEY_DIGEST_LEN]; /* no digest is less */
    unsigned char highest[RR_KEY_DIGEST_LEN];
    interrupted_t in = { .p = p };
    rr_revision_t revision;
    rr_err_t err = RR_ERR_INIT;
    rr_digests_t *digests;
    int times;

    is_int(rr_store_digests(&digests, store, MANY, always, &revision, p, &err), APR_SUCCESS, "a store without keys is read");
    is_int(rr_digests_count(digests), 0, "and has none");
    rr_digests_free(digests);

    add_credential("c1", RR_CREDENTIAL_KEY, 1, 0, p);
    add_credential("bearer", RR_CREDENTIAL_BEARER, 1, 0, p);
    add_credential("inactive", RR_CREDENTIAL_BASIC, 0, 0, p);
    add_credential("expired", RR_CREDENTIAL_JWT, 1, 1, p);
    add_keys(0, FEW, p);
    memset(highest, 0xff, sizeof(highest));
    rr_store_begin(store, p, NULL);
    is_int(add_key("lowest", "bearer", 1, lowest, p), APR_SUCCESS, "a key that has expired");
    is_int(add_key("highest", "inactive", 0, highest, p), APR_SUCCESS, "one of an inactive credential");
    digest_of(highest, FEW);
    is_int(add_key("other", "expired", 0, highest, p), APR_SUCCESS, "one of a credential that has expired");
    rr_store_commit(store, NULL);
    memset(highest, 0xff, sizeof(highest));

    is_int(rr_store_digests(&digests, store, MANY, always, &revision, p, &err), APR_SUCCESS, "all are read");
    is_int(rr_digests_count(digests), FEW + 3, "and counted");
    is_int(had(digests, 0, FEW + 1), FEW + 1, "each is there");
    ok(rr_digests_may_have(digests, lowest) && rr_digests_may_have(digests, highest), "the first and the last, too");
    ok(had(digests, OTHERS, 2 * OTHERS) < OTHERS / 100, "and few others");
    rr_store_revision(&present, store, p, NULL);
    ok(rr_revision_equal(&present, &revision), "of the present revision");
    rr_digests_free(digests);

    by_hand(p, "DELETE FROM rr_key WHERE id = 'lowest'");
    is_int(rr_store_digests(&digests, store, MANY, interrupt, &in, p, &err), APR_SUCCESS, "a reading that a writer falls into");
    is_int(had(digests, 0, FEW), FEW, "shows what was there when it began");
    ok(!rr_digests_may_have(digests, lowest), "and not what came");
    rr_store_revision(&present, store, p, NULL);
    ok(!rr_revision_equal(&present, &in.revision), "at a revision that is the past by then");
    rr_digests_free(digests);

    is_int(rr_store_digests(&digests, store, MANY, always, &revision, p, &err), RR_EINVAL, "a digest that we do not write");
    ok(!digests, "is no set: %s", err.text);
    rr_err_clear(&err);
    restore(p);

    for (times = 0; times < 3; times++) {
        int left = times;

        is_int(rr_store_digests(&digests, store, MANY, at_most, &left, p, &err), APR_SUCCESS, "a reading that is given up");
        ok(!digests, "gives none");
    }
    is_int(rr_store_digests(&digests, store, FEW + 1, always, &revision, p, &err), APR_SUCCESS, "one key more than room");
    ok(!digests, "is no set");
    is_int(rr_store_digests(&digests, store, FEW + 2, always, &revision, p, &err), APR_SUCCESS, "the connection is good yet");
    is_int(digests ? rr_digests_count(digests) : 0, FEW + 2, "which is all of them");
    rr_digests_free(digests);
    is_int(rr_store_digests(&digests, store, RR_MAX_DIGESTS + 1, always, &revision, p, &err), APR_ENOMEM, "there is a bound");
    rr_err_clear(&err);
}

/* ---- when, and until when ---- */

/* Reads and places, as the store's thread does. */
static int make_set(core_digests_t *digests, const int *stopped, apr_pool_t *p)
{
    core_reading_t reading = { .number = core_known_next(known), .started = apr_time_now() };
    core_digests_work_t work = { .digests = digests, .reading = &reading, .stop = stopped };
    rr_err_t err = RR_ERR_INIT;

    if (core_digests_read(&work, store, p, &err) != APR_SUCCESS) {
        ok(0, "%s", err.text);
    }
    return core_digests_place(&work);
}

/* The present revision's generation. */
static apr_uint64_t look(apr_pool_t *p)
{
    core_reading_t reading = { .number = core_known_next(known), .started = apr_time_now() };

    rr_store_revision(&present, store, p, NULL);
    return core_known_note(known, &present, &reading, CORE_REVOKED_UNKNOWN);
}

/* How many more misses until it is time; 0: not within so many. */
static int misses_until(core_digests_t *digests, apr_uint64_t generation, int most)
{
    int i;

    for (i = 1; i <= most; i++) {
        if (core_digests_missed(digests, generation)) {
            return i;
        }
    }
    return 0;
}

/* How many of these are known to be nobody's. */
static int lacks(apr_uint64_t *generation, core_digests_t *digests, int from, int to)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    apr_uint64_t of;
    int i, count = 0;

    for (i = from; i < to; i++) {
        digest_of(digest, i);
        foreign += core_digests_lack(&of, digests, "rrid_another", digest);
        count += core_digests_lack(generation, digests, present.store, digest);
    }
    return count;
}

static void test_time(apr_pool_t *p)
{
    core_digests_t *digests = core_digests_make(known, p);
    apr_uint64_t generation = look(p), of = 0;

    is_int(lacks(&of, digests, OTHERS, OTHERS + 100), 0, "nothing is denied before anything was read");
    ok(!make_set(digests, &go, p), "nothing is read where nobody missed anything");
    is_int(misses_until(digests, generation, 1000), LEAST, "it waits for some misses");
    is_int(misses_until(digests, generation, 30), 0, "and says so once");
    ok(!make_set(digests, &stop, p), "a child that ends reads nothing");
    ok(make_set(digests, &go, p), "then all are read");
    is_int(lacks(&of, digests, 0, FEW), 0, "no key is denied");
    is_int(of, generation, "the set is of that generation");
    ok(lacks(&of, digests, OTHERS, OTHERS + 1000) > 990, "of what is no key nearly all is");
    is_int(foreign, 0, "nothing is where the digests were made for another store");

    add_keys(FEW + 1, MANY, p);
    ok(lacks(&of, digests, FEW + 1, FEW + 1001) > 990 && of == generation, "a key that was made since is denied for the old one");
    ok(look(p) != generation, "alone, which is not the present one");
    core_digests_trim(digests);
    is_int(lacks(&of, digests, OTHERS, OTHERS + 1000), 0, "and ends with it");

    generation = look(p);
    is_int(misses_until(digests, generation, 1000), LEAST + (FEW + 2) / 50, "the next time it waits by the keys there were");
    ok(!make_set(digests, &go, p), "now there are more than that is worth");
    is_int(misses_until(digests, generation, 1000), LEAST + (FEW + 2) / 50, "so it waits for as many again");
    ok(!make_set(digests, &go, p), "which is still too early");
    is_int(misses_until(digests, generation + 1, 1000), 4 * (LEAST + (FEW + 2) / 50), "a generation counts for itself");
    ok(!make_set(digests, &go, p), "and the misses of one are not those of another");
    is_int(misses_until(digests, generation, 1000), 4 * (LEAST + (FEW + 2) / 50), "control: its own");
    ok(!make_set(digests, &go, p), "are, though they are too few");
    is_int(misses_until(digests, generation, 1000), 4 * (LEAST + (FEW + 2) / 50), "and again");
    ok(make_set(digests, &go, p), "now all are read");
    is_int(lacks(&of, digests, 0, MANY), 0, "no key is denied");
    is_int(of, generation, "in that generation");
}

/* A change between reading and placing. */
static void test_changed(apr_pool_t *p)
{
    core_digests_t *digests = core_digests_make(known, p);
    apr_uint64_t generation = look(p), of = 0;
    core_reading_t reading = { .number = core_known_next(known), .started = apr_time_now() };
    core_digests_work_t work = { .digests = digests, .reading = &reading, .stop = &go };

    misses_until(digests, generation, LEAST);
    core_digests_read(&work, store, p, NULL);
    ok(!work.read, "too early");
    while (work.read == NULL && misses_until(digests, generation, MANY)) {
        core_digests_read(&work, store, p, NULL);
    }
    ok(work.read != NULL, "in the end all of them are read");
    rr_digests_free(work.read);
    misses_until(digests, generation, 10);
    is_int(core_digests_read(&work, store, p, NULL), APR_SUCCESS, "read");
    ok(work.read != NULL, "all of them");
    by_hand(p, "UPDATE rr_key SET hint = 'changed' WHERE id = 'k1'");
    look(p);
    ok(!core_digests_place(&work), "what is of a generation before is not placed");
    ok(!work.read, "but freed");
    generation = look(p);
    misses_until(digests, generation, MANY);
    ok(make_set(digests, &go, p), "control: one of the present is");
    core_known_forget(known);
    core_digests_trim(digests);
    is_int(lacks(&of, digests, OTHERS, OTHERS + 1000), 0, "what is known is forgotten, and the set with it");
}

/* ---- threads ---- */

#define THREADS 6
#define ROUNDS 400
#define KEYS 500 /* of each generation, which has others than the one before */

static core_digests_t *shared;
static int ended, wrong, denied; /* atomic */

/* A key of a generation is never denied for it; others of them are. */
static void *APR_THREAD_FUNC ask(apr_thread_t *thread, void *data)
{
    unsigned int dice = (unsigned int)(size_t)data * 7919 + 1;
    unsigned char digest[RR_KEY_DIGEST_LEN];

    (void)thread;
    while (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) {
        core_view_t view;
        apr_uint64_t of;
        int number;

        if (!core_known_view(&view, known) || !view.generation) {
            continue;
        }
        dice = dice * 1664525 + 1013904223;
        number = (int)(view.generation % 1000) * KEYS + (int)(dice >> 8) % KEYS;
        digest_of(digest, number);
        if (core_digests_lack(&of, shared, "rrid_threads", digest)) {
            __atomic_add_fetch(of == view.generation ? &wrong : &denied, 1, __ATOMIC_RELAXED);
        }
        core_digests_missed(shared, view.generation);
    }
    return NULL;
}

static void test_threads(apr_pool_t *p)
{
    apr_thread_t *all[THREADS];
    int i, k, placed = 0;
    apr_status_t rv;

    ended = wrong = denied = 0;
    shared = core_digests_make(known, p);
    for (i = 0; i < THREADS; i++) {
        apr_thread_create(&all[i], NULL, ask, (void *)(size_t)i, p);
    }
    for (i = 0; i < ROUNDS || (!__atomic_load_n(&denied, __ATOMIC_RELAXED) && i < 100 * ROUNDS); i++) {
        core_reading_t reading = { .number = core_known_next(known), .started = apr_time_now() };
        rr_revision_t revision = { "rrid_threads", i };
        core_digests_work_t work = { .digests = shared, .reading = &reading, .stop = &go, .revision = revision,
                                     .read = rr_digests_make(KEYS) };
        unsigned char digest[RR_KEY_DIGEST_LEN];

        work.generation = core_known_note(known, &revision, &reading, CORE_REVOKED_UNKNOWN);
        for (k = 0; k < KEYS; k++) {
            digest_of(digest, (int)(work.generation % 1000) * KEYS + k);
            rr_digests_add(work.read, digest);
        }
        placed += core_digests_place(&work);
        if (i % 3 == 0) {
            core_digests_trim(shared);
        }
    }
    __atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
    for (k = 0; k < THREADS; k++) {
        apr_thread_join(&rv, all[k]);
    }
    is_int(placed, i, "many threads: every set is placed");
    is_int(wrong, 0, "no key is denied in its generation");
    ok(denied > 0, "and others' are");
}

static void suite(apr_pool_t *p)
{
    known = core_known_make(p);
    if (rr_store_init(driver, params, ring, p, NULL) != APR_SUCCESS || !(store = open_store(p))) {
        ok(0, "a store");
        return;
    }
    test_reading(p);
    test_time(p);
    test_changed(p);
    test_threads(p);
    rr_store_close(store);
}

int main(void)
{
    return store_main(suite);
}
