/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_ask.c: one question to the store, whose answer many requests share.
 *
 * An answer says what the store held when the question was sent, or later. So it
 * counts for every request that came before that, and for no other: between a
 * question and a later request may lie a commit. Who comes while a question is
 * out therefore waits for its end, when one of those who wait sends the next,
 * for all of them. As with a commit of many transactions at once, the more there
 * are the less each costs; who is alone waits for nobody.
 *
 * Holds:   the last answer, and the last error.
 * Bound:   one question at a time; one that takes longer than PATIENCE does not
 *          hold back the next, so that a connection that got stuck stops only who
 *          uses it, up to MAX_OUT. Nobody waits for others longer than MAX_WAIT,
 *          and nobody at all once the store has been silent for so long.
 * Wrong:   never to be told so: an answer is given to nobody who comes later.
 * Threads: any. The mutex is held across no question. Who is answered is woken
 *          alone, with the answer in hand, and does not take the mutex again.
 */
#include "core_store_ask.h"

#include <apr_thread_mutex.h>

#include <errno.h>
#include <semaphore.h>

#define PATIENCE apr_time_from_msec(100)
#define MAX_OUT 4 /* questions without an answer */
#define MAX_WAIT apr_time_from_sec(2)

typedef enum { WAITING, ASK_NEXT, SETTLED } told_e;

/* A request that wants an answer; in its thread's own frame. */
typedef struct waiter_t {
    struct waiter_t *next; /* in ask->waiting, then of those to be woken */
    apr_uint64_t before;   /* an answer of a higher number is one for it */
    told_e told;           /* the mutex's, as long as it is WAITING */
    sem_t woken;
    core_answer_t answer;
    rr_err_t err;          /* its status: how it went */
} waiter_t;

struct core_ask_t {
    core_question_t question;
    void *baton;
    core_known_t *known; /* numbers what is sent */
    apr_thread_mutex_t *mutex;
    waiter_t *waiting, **last; /* in the order they came */
    apr_uint64_t turn;    /* the latest question */
    apr_time_t since;     /* when it was begun; 0: it has ended */
    int out;              /* questions that have not ended */
    core_answer_t answer; /* to the one sent last of those that were answered */
    apr_uint64_t failed;  /* number of the one sent last of those that failed */
    rr_err_t err;         /* why that was */
};

core_ask_t *core_ask_make(core_question_t question, void *baton, core_known_t *known, apr_pool_t *p)
{
    core_ask_t *ask = apr_pcalloc(p, sizeof(*ask));

    ask->question = question;
    ask->baton = baton;
    ask->known = known;
    ask->last = &ask->waiting;
    return apr_thread_mutex_create(&ask->mutex, APR_THREAD_MUTEX_DEFAULT, p) == APR_SUCCESS ? ask : NULL;
}

/* Under the mutex: whether what is known answers waiter, which then has it. */
static int settle(waiter_t *waiter, const core_ask_t *ask)
{
    if (ask->answer.number > waiter->before) {
        waiter->answer = ask->answer;
        waiter->err.status = APR_SUCCESS;
        return 1;
    }
    if (ask->failed > waiter->before) {
        waiter->err = ask->err;
        return 1;
    }
    return 0;
}

/* Under the mutex: takes the waiter at *place out. */
static waiter_t *take_out(core_ask_t *ask, waiter_t **place)
{
    waiter_t *waiter = *place;

    *place = waiter->next;
    if (ask->last == &waiter->next) {
        ask->last = place;
    }
    return waiter;
}

/* Under the mutex: those to be woken: who is answered, and, where no question is out, one to ask the next. */
static waiter_t *take_woken(core_ask_t *ask)
{
    waiter_t *woken = NULL, **end = &woken, **place = &ask->waiting;

    while (*place) {
        if (!settle(*place, ask)) {
            place = &(*place)->next;
            continue;
        }
        *end = take_out(ask, place);
        (*end)->told = SETTLED;
        end = &(*end)->next;
    }
    if (!ask->since && ask->waiting) {
        *end = take_out(ask, &ask->waiting);
        (*end)->told = ASK_NEXT;
        end = &(*end)->next;
    }
    *end = NULL;
    return woken;
}

/* Better without the mutex. A waiter may be gone as soon as it is woken. */
static void wake(waiter_t *woken)
{
    while (woken) {
        waiter_t *next = woken->next;

        sem_post(&woken->woken);
        woken = next;
    }
}

/* With the mutex, which is released meanwhile: asks, for all who wait. */
static waiter_t *lead(core_ask_t *ask, apr_time_t now, apr_pool_t *p)
{
    apr_uint64_t turn = ++ask->turn;
    core_answer_t answer = { 0 };
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;

    ask->since = now;
    ask->out++;
    apr_thread_mutex_unlock(ask->mutex);
    rv = ask->question(&answer, ask->baton, p, &err);
    apr_thread_mutex_lock(ask->mutex);
    if (!answer.number) { /* it failed before it was sent, as it would have for everybody who is here */
        answer.number = core_known_next(ask->known);
    }
    if (rv == APR_SUCCESS && answer.number > ask->answer.number) {
        ask->answer = answer;
    }
    else if (rv != APR_SUCCESS && answer.number > ask->failed) {
        ask->failed = answer.number;
        ask->err = err;
        ask->err.status = rv;
    }
    ask->out--;
    if (turn == ask->turn) {
        ask->since = 0;
    }
    return take_woken(ask);
}

typedef enum { ASK, WAIT, GIVE_UP } step_e;

/* Under the mutex: what to do who is without an answer; *most: how long to wait. */
static step_e next_step(apr_interval_time_t *most, const core_ask_t *ask, apr_time_t now)
{
    apr_interval_time_t age = now >= ask->since ? now - ask->since : PATIENCE; /* the clock was set back */

    *most = (ask->out < MAX_OUT ? PATIENCE : MAX_WAIT) - age;
    if (!ask->since) {
        return ASK;
    }
    if (*most > 0) {
        return WAIT;
    }
    return ask->out < MAX_OUT ? ASK : GIVE_UP;
}

/* Without the mutex: whether waiter was woken before then. */
static int is_woken(waiter_t *waiter, apr_time_t then)
{
    struct timespec until = { .tv_sec = apr_time_sec(then), .tv_nsec = apr_time_usec(then) * 1000 };
    int rc;

    while ((rc = sem_timedwait(&waiter->woken, &until)) != 0 && errno == EINTR) {
    }
    return rc == 0;
}

/* With the mutex, which is released meanwhile, and not taken again where the result is SETTLED: waits until then at most. */
static told_e wait_until(waiter_t *waiter, core_ask_t *ask, apr_time_t then)
{
    waiter_t **place;

    waiter->next = NULL;
    waiter->told = WAITING;
    *ask->last = waiter;
    ask->last = &waiter->next;
    apr_thread_mutex_unlock(ask->mutex);
    if (is_woken(waiter, then)) {
        if (waiter->told == ASK_NEXT) {
            apr_thread_mutex_lock(ask->mutex);
        }
        return waiter->told;
    }
    apr_thread_mutex_lock(ask->mutex);
    if (waiter->told == WAITING) {
        for (place = &ask->waiting; *place != waiter; place = &(*place)->next) {
        }
        take_out(ask, place);
        return WAITING;
    }
    while (sem_wait(&waiter->woken) != 0 && errno == EINTR) { /* it is being woken at this moment, and must not be gone before */
    }
    if (waiter->told == SETTLED) {
        apr_thread_mutex_unlock(ask->mutex);
    }
    return waiter->told;
}

/* With the mutex, which is released: sees to it that waiter has an answer, or APR_TIMEUP. */
static void get_answer(waiter_t *waiter, core_ask_t *ask, apr_pool_t *p)
{
    apr_time_t now = apr_time_now(); /* not earlier: whoever had the mutex may have begun a question since */
    apr_time_t end = now + MAX_WAIT;
    waiter_t *woken = NULL;
    int asked = 0, settled;

    while (!(settled = settle(waiter, ask)) && now < end) {
        apr_interval_time_t most;
        step_e step = next_step(&most, ask, now);

        if (step == GIVE_UP) {
            break;
        }
        if (step == ASK) {
            woken = lead(ask, now, p); /* after which there is an answer, or an error */
            asked = 1;
        }
        else if (wait_until(waiter, ask, most < end - now ? now + most : end) == SETTLED) {
            return;
        }
        now = apr_time_now();
    }
    if (!settled) {
        rr_err_set(&waiter->err, APR_TIMEUP, "store", "the store does not answer questions");
    }
    if (!asked) { /* woken to ask, and need not: another one might */
        woken = take_woken(ask);
    }
    apr_thread_mutex_unlock(ask->mutex);
    wake(woken);
}

apr_status_t core_ask(core_answer_t *answer, core_ask_t *ask, apr_pool_t *p, rr_err_t *err)
{
    waiter_t waiter = { .before = core_known_number(ask->known), .err = RR_ERR_INIT };

    sem_init(&waiter.woken, 0, 0);
    apr_thread_mutex_lock(ask->mutex);
    get_answer(&waiter, ask, p);
    sem_destroy(&waiter.woken);
    if (waiter.err.status != APR_SUCCESS) {
        return rr_err_set(err, waiter.err.status, waiter.err.where, "%s", rr_err_text(&waiter.err));
    }
    *answer = waiter.answer;
    return APR_SUCCESS;
}
