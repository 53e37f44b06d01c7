/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_secret.h: bytes that must not leak: wiped, compared in constant time,
 * redacted, sealed at rest.
 *
 * Spec: NIST SP 800-38D (AES-256-GCM).
 */
#ifndef RR_SECRET_H
#define RR_SECRET_H

#include "rr_err.h"

#include <apr_pools.h>

typedef struct rr_secret_t rr_secret_t;   /* bytes wiped when their pool ends */
typedef struct rr_keyring_t rr_keyring_t; /* one or two master keys: the first seals, all open */

#define RR_MASTER_KEY_BYTES 32

/** Copies bytes into p; the copy is wiped by a cleanup. */
rr_secret_t *rr_secret_make(apr_pool_t *p, const void *bytes, apr_size_t len);

const unsigned char *rr_secret_bytes(const rr_secret_t *secret);
apr_size_t rr_secret_len(const rr_secret_t *secret);

/** Overwrites bytes so that no compiler drops it. */
void rr_secret_wipe(void *bytes, apr_size_t len);

/** Compares in time that depends on the lengths only. */
int rr_secret_equal(const void *a, apr_size_t a_len, const void *b, apr_size_t b_len);

/** A secret for people: its public prefix and an ellipsis ("rr_live_..."), or "(N bytes)"; never more. */
const char *rr_secret_redact(apr_pool_t *p, const char *secret, apr_size_t len);

/** len random bytes from the system; RR_EUNAVAIL if there are none. */
apr_status_t rr_secret_random(void *bytes, apr_size_t len, rr_err_t *err);

#define RR_BASE62 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** len random characters of RR_BASE62, each as likely as every other, without a NUL; errors as rr_secret_random. */
apr_status_t rr_secret_base62(char *text, apr_size_t len, rr_err_t *err);

/**
 * Reads the master keys: PATH (mode 0600, owned by the reader or root; root reads any), env:NAME, or
 * exec:PROGRAM (its standard output). The text is one or two lines of
 * `ID:BASE64`; the first seals.
 *
 * Errors: RR_EINVAL, RR_EUNAVAIL (unreadable), RR_EDENIED (mode or owner of the file); err says which and how to fix it.
 */
apr_status_t rr_keyring_load(rr_keyring_t **pring, const char *source, apr_pool_t *p, rr_err_t *err);

/** A new line for a key file, with a fresh key and id. */
apr_status_t rr_keyring_new_line(const char **pline, apr_pool_t *p, rr_err_t *err);

/** The id of the key that seals. */
const char *rr_keyring_id(const rr_keyring_t *ring);

/**
 * Seals plain for the row named by context ("credential/ID"): a fresh nonce,
 * the key's id in the envelope, context as associated data.
 *
 * Ownership: *psealed is printable text in p.
 */
apr_status_t rr_secret_seal(const char **psealed, const rr_keyring_t *ring, const char *context, const void *plain,
                            apr_size_t len, apr_pool_t *p, rr_err_t *err);

/**
 * Opens what rr_secret_seal made for the same context.
 *
 * Errors: RR_ESEALED: another row's, changed, or sealed by a key that the ring does not have (err names that key's id).
 */
apr_status_t rr_secret_open(rr_secret_t **psecret, const rr_keyring_t *ring, const char *context, const char *sealed,
                            apr_pool_t *p, rr_err_t *err);

#endif
