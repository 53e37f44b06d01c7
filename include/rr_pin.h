/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pin.h: one current object that many threads use and one replaces, seldom.
 */
#ifndef RR_PIN_H
#define RR_PIN_H

#include <apr_pools.h>

#define RR_PIN_LINES 16
#define RR_LINE_SIZE 64 /* of a processor's cache */

/* Counts of pins; each thread keeps to a line, so that two seldom write to the same one. */
typedef struct rr_line_t {
    apr_uint32_t pins; /* atomic */
    char rest[RR_LINE_SIZE - sizeof(apr_uint32_t)];
} rr_line_t;

/* Where an object is kept; lives as long as the process, for one object after another. */
typedef struct rr_holder_t {
    rr_line_t lines[RR_PIN_LINES];
    void *object;
    struct rr_holder_t *next; /* of the retired, or of the free; the owner's lock */
} rr_holder_t;

/* Zeroed, it has no object. */
typedef struct rr_place_t {
    rr_holder_t *current; /* atomic; NULL: none yet */
    rr_holder_t *retired, *spare; /* the owner's lock */
} rr_place_t;

/**
 * The current object, NULL if there is none; it stays until rr_unpin(*pin).
 *
 * Threads: any; takes no lock.
 */
void *rr_pin(rr_place_t *place, apr_uint32_t **pin);

/** Gives a pin back, from any thread; a pool's cleanup. */
apr_status_t rr_unpin(void *pin);

/** The current object, NULL if there is none. Under the owner's lock, which keeps it. */
void *rr_place_current(const rr_place_t *place);

/** Makes object the current one and retires the one before; false where memory fails. Under the owner's lock. */
int rr_place_set(rr_place_t *place, void *object);

/** Destroys those retired objects that nobody pins any more. Under the owner's lock. */
void rr_place_sweep(rr_place_t *place, void (*destroy)(void *object));

/** Ends the place, when nobody pins anew: destroys the objects, but for those still pinned, which stay for good. */
void rr_place_end(rr_place_t *place, void (*destroy)(void *object));

#endif
