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
 * Threads: any. The mutex is held across no question.
 */
#include "core_store_ask.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#define PATIENCE apr_time_from_msec(100)
#define MAX_OUT 4 /* questions without an answer */
#define MAX_WAIT apr_time_from_sec(2)

struct core_ask_t {
    core_question_t question;
    void *baton;
    core_known_t *known; /* numbers what is sent */
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *ended[2]; /* a question: for those whom it was asked for, and for those who came since */
    int side;                 /* which of them is for those who come now */
    apr_uint64_t turn;        /* the latest question */
    apr_time_t since;         /* when it was begun; 0: it has ended */
    int out;                  /* questions that have not ended */
    core_answer_t answer;     /* to the one sent last of those that were answered */
    apr_uint64_t failed;      /* number of the one sent last of those that failed */
    rr_err_t err;             /* why that was */
};

core_ask_t *core_ask_make(core_question_t question, void *baton, core_known_t *known, apr_pool_t *p)
{
    core_ask_t *ask = apr_pcalloc(p, sizeof(*ask));

    ask->question = question;
    ask->baton = baton;
    ask->known = known;
    return apr_thread_mutex_create(&ask->mutex, APR_THREAD_MUTEX_DEFAULT, p) == APR_SUCCESS &&
                   apr_thread_cond_create(&ask->ended[0], p) == APR_SUCCESS &&
                   apr_thread_cond_create(&ask->ended[1], p) == APR_SUCCESS
               ? ask
               : NULL;
}

/* With the mutex, which is released meanwhile: asks, for all who wait. */
static void lead(core_ask_t *ask, apr_time_t now, apr_pool_t *p)
{
    apr_uint64_t turn = ++ask->turn;
    core_answer_t answer = { 0 };
    rr_err_t err = RR_ERR_INIT;
    int side = ask->side;
    apr_status_t rv;

    ask->side = !side;
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
    apr_thread_cond_broadcast(ask->ended[side]);
    apr_thread_cond_signal(ask->ended[!side]); /* one of these asks next */
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

apr_status_t core_ask(core_answer_t *answer, core_ask_t *ask, apr_pool_t *p, rr_err_t *err)
{
    apr_uint64_t before = core_known_number(ask->known);
    apr_time_t now, end;
    apr_status_t rv;
    int side;

    apr_thread_mutex_lock(ask->mutex);
    now = apr_time_now(); /* not earlier: whoever had the mutex may have begun a question since */
    end = now + MAX_WAIT;
    side = ask->side;
    while (ask->answer.number <= before && ask->failed <= before && now < end) {
        apr_interval_time_t most;
        step_e step = next_step(&most, ask, now);

        if (step == GIVE_UP) {
            break;
        }
        if (step == ASK) {
            lead(ask, now, p);
        }
        else {
            apr_thread_cond_timedwait(ask->ended[side], ask->mutex, most < end - now ? most : end - now);
        }
        now = apr_time_now();
    }
    if (ask->answer.number > before) {
        *answer = ask->answer;
        rv = APR_SUCCESS;
    }
    else if (ask->failed > before) {
        rv = rr_err_set(err, ask->err.status, ask->err.where, "%s", rr_err_text(&ask->err));
    }
    else {
        rv = rr_err_set(err, APR_TIMEUP, "store", "the store does not answer questions");
    }
    if (!ask->since && side == ask->side) { /* woken to ask, and need not: another one might */
        apr_thread_cond_signal(ask->ended[side]);
    }
    apr_thread_mutex_unlock(ask->mutex);
    return rv;
}
