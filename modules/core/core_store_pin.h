/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_pin.h: one current object that many threads use and one replaces, seldom.
 */
#ifndef CORE_STORE_PIN_H
#define CORE_STORE_PIN_H

#include <apr_pools.h>

#define CORE_PIN_LINES 16
#define CORE_LINE_SIZE 64 /* of a processor's cache */

/* Counts of pins; each thread keeps to a line, so that two seldom write to the same one. */
typedef struct core_line_t {
    apr_uint32_t pins; /* atomic */
    char rest[CORE_LINE_SIZE - sizeof(apr_uint32_t)];
} core_line_t;

/* Where an object is kept; lives as long as the process, for one object after another. */
typedef struct core_holder_t {
    core_line_t lines[CORE_PIN_LINES];
    void *object;
    struct core_holder_t *next; /* of the retired, or of the free; the owner's lock */
} core_holder_t;

/* Zeroed, it has no object. */
typedef struct core_place_t {
    core_holder_t *current; /* atomic; NULL: none yet */
    core_holder_t *retired, *spare; /* the owner's lock */
} core_place_t;

/**
 * The current object, NULL if there is none; it stays until core_unpin(*pin).
 *
 * Threads: any; takes no lock.
 */
void *core_pin(core_place_t *place, apr_uint32_t **pin);

/** Gives a pin back, from any thread; a pool's cleanup. */
apr_status_t core_unpin(void *pin);

/** Makes object the current one and retires the one before; false where memory fails. Under the owner's lock. */
int core_place_set(core_place_t *place, void *object);

/** Destroys those retired objects that nobody pins any more. Under the owner's lock. */
void core_place_sweep(core_place_t *place, void (*destroy)(void *object));

#endif
