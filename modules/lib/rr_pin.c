/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pin.c: one current object that many threads use and one replaces, seldom.
 *
 * A reader counts itself in the holder it found and looks again: if that is
 * still the current one, whoever replaces it later sees the count; if not, the
 * reader takes its count back and begins anew. So no reader waits, and none
 * writes where others write; the price is that a replaced object is destroyed
 * only when somebody sweeps, and that holders are never freed, since a reader
 * may count itself in one that has just been retired.
 *
 * Threads: the order of a reader's count and look, and of a writer's exchange and
 *          sum, is what makes this right: all four are sequentially consistent.
 *          A line at zero once after its holder was retired has no pin that holds,
 *          as every pin is given back on the line it was taken on.
 */
#include "rr_pin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(rr_line_t) == RR_LINE_SIZE, "a line is a line");

/* The same for a thread each time, and mostly not another's: addresses of threads, spread by Knuth's multiplier. */
static unsigned own_line(void)
{
    return (unsigned)(((apr_uint64_t)pthread_self() >> 6) * 0x9e3779b97f4a7c15u >> 32) % RR_PIN_LINES;
}

void *rr_pin(rr_place_t *place, apr_uint32_t **pin)
{
    unsigned line = own_line();
    rr_holder_t *holder;

    for (;;) {
        holder = __atomic_load_n(&place->current, __ATOMIC_SEQ_CST);
        if (!holder) {
            return NULL;
        }
        *pin = &holder->lines[line].pins;
        __atomic_add_fetch(*pin, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&place->current, __ATOMIC_SEQ_CST) == holder) {
            return holder->object;
        }
        rr_unpin(*pin);
    }
}

apr_status_t rr_unpin(void *pin)
{
    __atomic_sub_fetch((apr_uint32_t *)pin, 1, __ATOMIC_SEQ_CST);
    return APR_SUCCESS;
}

void *rr_place_current(const rr_place_t *place)
{
    return place->current ? place->current->object : NULL;
}

int rr_place_set(rr_place_t *place, void *object)
{
    rr_holder_t *holder = place->spare, *old = place->current;

    if (holder) {
        place->spare = holder->next;
    }
    else {
        holder = aligned_alloc(RR_LINE_SIZE, (sizeof(*holder) + RR_LINE_SIZE - 1) / RR_LINE_SIZE * RR_LINE_SIZE);
        if (!holder) {
            return 0;
        }
        memset(holder, 0, sizeof(*holder));
    }
    holder->object = object;
    __atomic_store_n(&place->current, holder, __ATOMIC_SEQ_CST);
    if (old) {
        old->next = place->retired;
        place->retired = old;
    }
    return 1;
}

static int is_pinned(const rr_holder_t *holder)
{
    int i;

    for (i = 0; i < RR_PIN_LINES; i++) {
        if (__atomic_load_n(&holder->lines[i].pins, __ATOMIC_SEQ_CST)) {
            return 1;
        }
    }
    return 0;
}

void rr_place_sweep(rr_place_t *place, void (*destroy)(void *object))
{
    rr_holder_t **link = &place->retired, *holder;

    while ((holder = *link) != NULL) {
        if (is_pinned(holder)) {
            link = &holder->next;
            continue;
        }
        *link = holder->next;
        destroy(holder->object);
        holder->next = place->spare;
        place->spare = holder;
    }
}

void rr_place_end(rr_place_t *place, void (*destroy)(void *object))
{
    rr_holder_t *holder;

    if (place->current) {
        place->current->next = place->retired;
        place->retired = place->current;
        place->current = NULL;
    }
    rr_place_sweep(place, destroy);
    while ((holder = place->spare) != NULL) {
        place->spare = holder->next;
        free(holder);
    }
}
