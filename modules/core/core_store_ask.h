/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_ask.h: one question to the store, whose answer many requests share.
 */
#ifndef CORE_STORE_ASK_H
#define CORE_STORE_ASK_H

#include "core_store_known.h"

typedef struct core_ask_t core_ask_t;

/* What the store answered. */
typedef struct core_answer_t {
    apr_uint64_t number;     /* core_known_next, just before the question was sent; 0: it was not */
    apr_uint64_t generation; /* the store's present one then */
    core_revoked_e revoked;  /* never UNKNOWN */
} core_answer_t;

/** Asks the store itself. Errors: its own, after which of *answer only number counts. */
typedef apr_status_t (*core_question_t)(core_answer_t *answer, void *baton, apr_pool_t *p, rr_err_t *err);

core_ask_t *core_ask_make(core_question_t question, void *baton, core_known_t *known, apr_pool_t *p);

/**
 * The answer to a question that was sent after this call began; p is for asking.
 *
 * Threads: any; one of those who wait asks for all.
 * Errors:  the question's own, the same for all who waited for it; APR_TIMEUP: neither answer nor error for two seconds.
 */
apr_status_t core_ask(core_answer_t *answer, core_ask_t *ask, apr_pool_t *p, rr_err_t *err);

#endif
