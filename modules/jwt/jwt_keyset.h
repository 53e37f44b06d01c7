/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_keyset.h: what jwt_keyset.c, jwt_keyset_watch.c and jwt_stored_keyset.c
 * share: what a key set is to one child, and what all children have of it.
 */
#ifndef RR_JWT_KEYSET_H
#define RR_JWT_KEYSET_H

#include "jwt.h"

#include <apr_thread_mutex.h>

#include <stdatomic.h>

_Static_assert(ATOMIC_LONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "atomics in shared memory must not use a lock of the process");

typedef _Atomic apr_int64_t shared_time_t;
typedef _Atomic apr_uint32_t shared_count_t;

/* What the children share of one set. Zeroed at start. Times are absolute, 0: none. */
typedef struct slot_t {
    shared_count_t generation; /* sets published; 0: none yet */
    shared_time_t claim;       /* when the claim of whoever fetches now lapses */
    shared_time_t fetched;     /* of the published set */
    shared_time_t refresh;     /* when the watchdog should fetch */
    shared_time_t retry;       /* after a failure: not before */
    shared_time_t next_forced; /* for unknown kids: not before */
    shared_count_t failures;   /* in a row */
    shared_count_t alarm;      /* alarm_e already logged */
    shared_count_t unsaved;    /* the file could not be written */
    shared_count_t unread;     /* keys left out, as logged already */
} slot_t;

typedef enum { ALARM_NONE = 0, ALARM_OLD, ALARM_GONE } alarm_e;

typedef struct set_t set_t; /* a set as a child has parsed it */

struct jwt_keyset_t {
    const char *issuer, *jwks_url, *path;
    const rr_target_allow_t *allow; /* where it may come from; NULL: from anywhere, the operator named it */
    slot_t *slot;
    apr_thread_mutex_t *lock; /* made before the fork, unlocked, or by the child: each child has its own */
    set_t *current;           /* this child's */
    apr_time_t reload_after;  /* the file could not be read: not again before */
};

/* Written by check_config and post_config only. */
typedef struct jwt_keysets_t {
    apr_array_header_t *sets; /* jwt_keyset_t *: those of RRJwtIssuer lines */
    jwt_keyset_settings_t settings;
    server_rec *server;
} jwt_keysets_t;

extern jwt_keysets_t jwt_keysets;

/* ---- jwt_keyset.c ---- */

/** When the claim of somebody who takes it now lapses. */
apr_time_t jwt_keyset_claim_end(void);

/** Fills a zeroed keyset: its strings and allow (may be NULL) are borrowed, its path and lock live in p. */
apr_status_t jwt_keyset_prepare(jwt_keyset_t *keyset, const char *issuer, const char *jwks_url,
                                const rr_target_allow_t *allow, slot_t *slot, apr_pool_t *p);

/** A slot's first use: takes up what an earlier run kept, else fetches. The caller holds claim, which this gives back. */
void jwt_keyset_begin(jwt_keyset_t *keyset, apr_int64_t claim);

/** Takes up the set of the last run with its age, so that a restart while the issuer is down changes nothing. */
void jwt_keyset_take_up(jwt_keyset_t *keyset, apr_pool_t *ptemp);

/** How many threads this process has, of which requests that wait for key sets may hold a part. */
void jwt_keyset_limit(int threads);

/** Fetches, where that is due and nobody does. */
void jwt_keyset_refresh(jwt_keyset_t *keyset);

/** Whether the watchdog has something to do for the slot. */
int jwt_keyset_wants_tick(const slot_t *slot);

/** jwt_keyset_holds, where only the slot is known. */
int jwt_slot_holds(const slot_t *slot, const jwt_proof_t *proof);

/** Gives up this child's copy; nobody uses keyset any more. */
void jwt_keyset_drop(jwt_keyset_t *keyset);

/* ---- jwt_keyset_watch.c ---- */

/** The watchdog's work on one set. */
void jwt_keyset_tick(jwt_keyset_t *keyset);

/** Whether this process is about to end. */
int jwt_keyset_is_stopping(void);

/* ---- jwt_stored_keyset.c ---- */

/** Forgets everything: configuration is read anew. */
void jwt_stored_keysets_reset(void);

/** Makes what the children share, before they are. */
apr_status_t jwt_stored_keysets_open(apr_pool_t *pconf, server_rec *s);

/** Takes up in a child what was made before it. */
void jwt_stored_keysets_start_child(apr_pool_t *pchild, server_rec *s);

/** The watchdog's work on the sets of the store. */
void jwt_stored_keysets_tick(void);

#endif
