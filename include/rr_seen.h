/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_seen.h: tokens whose signature was verified before: a bounded memory.
 *
 * What is remembered is what the token says and which keys its signature
 * verified with, never that it was let in: whether those keys still count, and
 * whether the claims are what a policy demands now, is the caller's to judge
 * each time.
 */
#ifndef RR_SEEN_H
#define RR_SEEN_H

#include "rr_jose.h"
#include "rr_pin.h"

#define RR_SEEN_DIGEST 32 /* bytes of a SHA-256 */

typedef struct rr_seen_t rr_seen_t; /* the memory of one process */

/*
 * One token. Immutable; all of it lives as long as it is pinned.
 *
 * It is found by every byte of its text: to digest that with each request would cost more than all else that a token
 * seen before does. Revocation is asked by the digest of when it was first seen.
 */
typedef struct rr_seen_token_t {
    const char *text;                    /* all of it, as it was sent; need not be NUL-terminated */
    apr_size_t len;
    unsigned char input[RR_SEEN_DIGEST]; /* digest of its signing input */
    rr_claims_t claims;
    rr_alg_e alg;
    apr_time_t expires;                  /* its exp: it is remembered no longer */
    const void *proof;                   /* by which keys: the caller's bytes */
    apr_size_t proof_len;
} rr_seen_token_t;

/** Ownership: the memory ends with p, but for what is pinned then. NULL: out of memory. */
rr_seen_t *rr_seen_make(apr_pool_t *p);

/** SHA-256 of text. False: OpenSSL has none, or no memory. Threads: any. */
int rr_seen_digest(unsigned char digest[RR_SEEN_DIGEST], const rr_seen_t *seen, const char *text, apr_size_t len);

/**
 * What is remembered of the token of that text; NULL: nothing, or it has expired by now.
 *
 * Ownership: stays until rr_unpin(*ppin); where NULL is returned, nothing was pinned.
 * Threads:   any; takes a lock once a token and turn of the books, see rr_seen.c.
 */
const rr_seen_token_t *rr_seen_get(apr_uint32_t **ppin, rr_seen_t *seen, const char *text, apr_size_t len, apr_time_t now);

/**
 * Remembers a copy of token, in the place of what was remembered of it. What was not asked for lately makes room. One
 * that has expired, takes more than RR_MAX_SEEN_TOKEN bytes or is shorter than any signature is not remembered.
 *
 * Threads: any.
 */
void rr_seen_put(rr_seen_t *seen, const rr_seen_token_t *token, apr_time_t now);

/** What is remembered now: how many, and their bytes. For tests. */
int rr_seen_count(rr_seen_t *seen, apr_size_t *pbytes);

#endif
