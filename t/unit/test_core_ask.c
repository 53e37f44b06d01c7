/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_core_ask.c: shared questions: what an answer may say at the earliest, how
 * many are asked, what those get who wait when one fails, or gets stuck.
 */
#include "../../modules/core/core_store_ask.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include <stdlib.h>

#define THREADS 48
#define ROUNDS 200

typedef enum { ANSWERS, FAILS, FAILS_UNSENT, STICKS } mood_e;

/* A store: it holds a number that only grows. */
static struct {
    core_known_t *known;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *cond;
    mood_e mood;
    int stuck;         /* questions without an answer */
    apr_uint64_t held; /* atomic */
    int questions;     /* atomic */
    int out, most;     /* atomic: questions at a time, and the most there were */
} store;

static core_ask_t *ask;
static apr_pool_t *pool;

static mood_e mood_now(void)
{
    mood_e mood;

    apr_thread_mutex_lock(store.mutex);
    mood = store.mood;
    if (mood == STICKS) {
        store.stuck++;
        apr_thread_cond_broadcast(store.cond);
        while (store.mood == STICKS) {
            apr_thread_cond_wait(store.cond, store.mutex);
        }
        store.stuck--;
        apr_thread_cond_broadcast(store.cond);
    }
    apr_thread_mutex_unlock(store.mutex);
    return mood;
}

static void set_mood(mood_e mood)
{
    apr_thread_mutex_lock(store.mutex);
    store.mood = mood;
    apr_thread_cond_broadcast(store.cond);
    apr_thread_mutex_unlock(store.mutex);
}

static void await_stuck(int count)
{
    apr_thread_mutex_lock(store.mutex);
    while (store.stuck != count) {
        apr_thread_cond_wait(store.cond, store.mutex);
    }
    apr_thread_mutex_unlock(store.mutex);
}

static apr_status_t question(core_answer_t *answer, void *baton, apr_pool_t *p, rr_err_t *err)
{
    mood_e mood;
    int out = __atomic_add_fetch(&store.out, 1, __ATOMIC_SEQ_CST);

    if (out > __atomic_load_n(&store.most, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&store.most, out, __ATOMIC_SEQ_CST);
    }
    (void)baton, (void)p;
    __atomic_add_fetch(&store.questions, 1, __ATOMIC_SEQ_CST);
    mood = mood_now();
    if (mood == FAILS_UNSENT) {
        __atomic_sub_fetch(&store.out, 1, __ATOMIC_SEQ_CST);
        return rr_err_set(err, RR_EUNAVAIL, "pool", "no connection");
    }
    answer->number = core_known_next(store.known);
    answer->generation = __atomic_load_n(&store.held, __ATOMIC_SEQ_CST);
    answer->revoked = CORE_REVOKED_NONE;
    apr_sleep(200); /* on its way back */
    __atomic_sub_fetch(&store.out, 1, __ATOMIC_SEQ_CST);
    return mood == FAILS ? rr_err_set(err, RR_ESCHEMA, "schema", "run rrctl migrate") : APR_SUCCESS;
}

typedef struct {
    apr_thread_t *thread;
    int rounds;
    int stale, failed, other; /* answers: older than the caller; errors as announced; anything else */
    apr_status_t last;
    apr_interval_time_t longest;
} caller_t;

static void *APR_THREAD_FUNC call(apr_thread_t *thread, void *data)
{
    caller_t *caller = data;
    int i;

    (void)thread;
    for (i = 0; i < caller->rounds; i++) {
        apr_uint64_t before = __atomic_add_fetch(&store.held, 1, __ATOMIC_SEQ_CST); /* a commit that is ours to see */
        apr_time_t begun = apr_time_now();
        core_answer_t answer;
        rr_err_t err = RR_ERR_INIT;

        caller->last = core_ask(&answer, ask, pool, &err);
        if (caller->last == APR_SUCCESS) {
            caller->stale += answer.generation < before;
        }
        else if (*rr_err_text(&err)) {
            caller->failed++;
        }
        else {
            caller->other++;
        }
        if (apr_time_now() - begun > caller->longest) {
            caller->longest = apr_time_now() - begun;
        }
    }
    return NULL;
}

static void begin(caller_t *callers, int count, int rounds)
{
    int i;

    for (i = 0; i < count; i++) {
        memset(&callers[i], 0, sizeof(callers[i]));
        callers[i].rounds = rounds;
        if (apr_thread_create(&callers[i].thread, NULL, call, &callers[i], pool) != APR_SUCCESS) {
            abort();
        }
    }
}

/* The sum of all callers. */
static caller_t end(caller_t *callers, int count)
{
    caller_t sum = { 0 };
    apr_status_t rv;
    int i;

    for (i = 0; i < count; i++) {
        apr_thread_join(&rv, callers[i].thread);
        sum.stale += callers[i].stale;
        sum.failed += callers[i].failed;
        sum.other += callers[i].other;
        sum.last = callers[i].last;
        if (callers[i].longest > sum.longest) {
            sum.longest = callers[i].longest;
        }
    }
    return sum;
}

static void test_alone(void)
{
    caller_t one, sum;

    store.questions = 0;
    begin(&one, 1, 10);
    sum = end(&one, 1);
    is_int(store.questions, 10, "who is alone asks for himself");
    is_int(sum.stale + sum.failed + sum.other, 0, "and is answered");
}

static void test_many(void)
{
    caller_t callers[THREADS], sum;

    store.questions = store.most = 0;
    begin(callers, THREADS, ROUNDS);
    sum = end(callers, THREADS);
    /* A machine that stops for a while makes a question late: then there may be another. */
    ok(store.most == 1 || sum.longest >= apr_time_from_msec(100), "one is asked at a time (%d)", store.most);
    is_int(sum.stale, 0, "no answer is older than who gets it");
    is_int(sum.failed + sum.other, 0, "everybody is answered");
    ok(store.questions < THREADS * ROUNDS / 2, "many share a question: %d for %d", store.questions, THREADS * ROUNDS);
}

static void test_error(mood_e mood, const char *what)
{
    caller_t callers[THREADS], sum;

    store.questions = 0;
    set_mood(mood);
    begin(callers, THREADS, ROUNDS);
    sum = end(callers, THREADS);
    is_int(sum.failed, THREADS * ROUNDS, what);
    is_int(sum.last, mood == FAILS ? RR_ESCHEMA : RR_EUNAVAIL, "with the question's own status");
    set_mood(ANSWERS);
    begin(callers, THREADS, 1);
    sum = end(callers, THREADS);
    is_int(sum.stale + sum.failed + sum.other, 0, "and is answered once that is over");
}

static void test_stuck(void)
{
    caller_t first, others[THREADS], late[THREADS], sum;

    set_mood(STICKS);
    begin(&first, 1, 1);
    await_stuck(1);
    apr_thread_mutex_lock(store.mutex); /* for the first one it stays as it is */
    store.mood = ANSWERS;
    apr_thread_mutex_unlock(store.mutex);
    begin(others, THREADS, 3);
    sum = end(others, THREADS);
    is_int(sum.stale + sum.failed + sum.other, 0, "a question that is stuck: others are answered");
    set_mood(ANSWERS);
    sum = end(&first, 1);
    is_int(sum.stale + sum.failed + sum.other, 0, "and so is who asked it, in the end");

    set_mood(STICKS);
    begin(others, THREADS, 1);
    await_stuck(4);
    begin(late, THREADS, 1);
    sum = end(late, THREADS);
    is_int(sum.failed, THREADS, "a store that is silent: nobody waits for ever");
    is_int(sum.last, APR_TIMEUP, "with a status of its own");
    ok(sum.longest < apr_time_from_msec(3500), "but two seconds (%d ms)", (int)apr_time_as_msec(sum.longest));
    is_int(store.stuck, 4, "few are stuck with it");
    begin(late, THREADS, 1);
    sum = end(late, THREADS);
    is_int(sum.failed, THREADS, "who comes then");
    ok(sum.longest < apr_time_from_msec(1000), "does not wait at all (%d ms)", (int)apr_time_as_msec(sum.longest));
    set_mood(ANSWERS);
    sum = end(others, THREADS);
    is_int(sum.stale, 0, "when it speaks again, what it says is no older than who gets it");
    is_int(sum.failed, THREADS - 4, "and who asked is answered");
    begin(late, THREADS, 1);
    sum = end(late, THREADS);
    is_int(sum.stale + sum.failed + sum.other, 0, "as is everybody from then on");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    store.known = core_known_make(pool);
    apr_thread_mutex_create(&store.mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    apr_thread_cond_create(&store.cond, pool);
    ask = core_ask_make(question, &store, store.known, pool);
    test_alone();
    test_many();
    test_error(FAILS, "a question that fails: everybody is told");
    test_error(FAILS_UNSENT, "a question that is not sent: everybody is told");
    test_stuck();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}
