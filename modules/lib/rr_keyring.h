/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_keyring.h: what sealing needs to know of master keys; private to librr.
 */
#ifndef RR_KEYRING_H
#define RR_KEYRING_H

#include "rr_secret.h"

/** The key that seals: RR_MASTER_KEY_BYTES of them. */
const unsigned char *rr_keyring_sealing_key(const rr_keyring_t *ring);

/** The key of that id, or NULL. */
const unsigned char *rr_keyring_key(const rr_keyring_t *ring, const char *id);

#endif
