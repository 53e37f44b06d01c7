/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_known.c: the revision as this process knows it, read by every request without a lock.
 *
 * Threads: writers take the mutex and make the sequence odd while they write;
 *          a reader whose sequence moved reads again. All words are atomic.
 *
 * A slow reading that notes an older revision after a newer one does no harm:
 * its stamp and its time are as old as itself, so the next request sees that it
 * has to look again.
 */
#include "core_store_known.h"

#include <apr_thread_mutex.h>

#include <string.h>

#define WORDS (sizeof(core_view_t) / sizeof(apr_uint64_t))
#define MAX_TRIES 64

typedef union {
    core_view_t view;
    apr_uint64_t words[WORDS];
} picture_t;

_Static_assert(sizeof(picture_t) == WORDS * sizeof(apr_uint64_t), "a view is whole words");

struct core_known_t {
    apr_thread_mutex_t *mutex;
    apr_uint64_t readings; /* numbers handed out */
    apr_uint64_t sequence;
    picture_t now;
    rr_revision_t revision;    /* of now.view.generation; the mutex's */
    apr_uint64_t generations;  /* handed out so far; the mutex's */
};

core_known_t *core_known_make(apr_pool_t *p)
{
    core_known_t *known = apr_pcalloc(p, sizeof(*known));

    return apr_thread_mutex_create(&known->mutex, APR_THREAD_MUTEX_DEFAULT, p) == APR_SUCCESS ? known : NULL;
}

apr_uint64_t core_known_number(const core_known_t *known)
{
    return __atomic_load_n(&known->readings, __ATOMIC_SEQ_CST);
}

apr_uint64_t core_known_next(core_known_t *known)
{
    return __atomic_add_fetch(&known->readings, 1, __ATOMIC_SEQ_CST);
}

int core_known_view(core_view_t *view, const core_known_t *known)
{
    picture_t picture;
    apr_uint64_t before;
    apr_size_t i;
    int tries;

    for (tries = 0; tries < MAX_TRIES; tries++) {
        before = __atomic_load_n(&known->sequence, __ATOMIC_ACQUIRE);
        for (i = 0; i < WORDS; i++) {
            picture.words[i] = __atomic_load_n(&known->now.words[i], __ATOMIC_RELAXED);
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && __atomic_load_n(&known->sequence, __ATOMIC_RELAXED) == before) {
            *view = picture.view;
            return 1;
        }
    }
    return 0;
}

/* Under the mutex. */
static void publish(core_known_t *known, const core_view_t *view)
{
    picture_t picture;
    apr_size_t i;

    memset(&picture, 0, sizeof(picture));
    picture.view = *view;
    __atomic_store_n(&known->sequence, known->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (i = 0; i < WORDS; i++) {
        __atomic_store_n(&known->now.words[i], picture.words[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&known->sequence, known->sequence + 1, __ATOMIC_RELEASE);
}

apr_uint64_t core_known_note(core_known_t *known, const rr_revision_t *revision, const core_reading_t *reading,
                             core_revoked_e revoked)
{
    core_view_t view;

    apr_thread_mutex_lock(known->mutex);
    view = known->now.view;
    if (!view.generation || !rr_revision_equal(&known->revision, revision)) {
        view.generation = ++known->generations;
        view.number = 0;
        view.verified = 0;
        view.revoked = CORE_REVOKED_UNKNOWN;
        known->revision = *revision;
    }
    if (revoked != CORE_REVOKED_UNKNOWN) {
        view.revoked = revoked;
    }
    if (reading->number > view.number) {
        view.number = reading->number;
    }
    if (reading->started >= view.verified) {
        view.verified = reading->started;
        view.stamped = reading->stamped;
        view.stamp = reading->stamp;
    }
    publish(known, &view);
    apr_thread_mutex_unlock(known->mutex);
    return view.generation;
}

void core_known_touch(core_known_t *known, apr_uint64_t generation, apr_time_t when)
{
    core_view_t view;

    apr_thread_mutex_lock(known->mutex);
    view = known->now.view;
    if (view.generation == generation && view.verified < when) {
        view.verified = when;
        publish(known, &view);
    }
    apr_thread_mutex_unlock(known->mutex);
}

void core_known_forget(core_known_t *known)
{
    core_view_t view;

    memset(&view, 0, sizeof(view));
    apr_thread_mutex_lock(known->mutex);
    publish(known, &view);
    apr_thread_mutex_unlock(known->mutex);
}
