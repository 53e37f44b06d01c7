/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_verifier.h: makes the rr_verifier_t of a snapshot; private to librr.
 */
#ifndef RR_VERIFIER_H
#define RR_VERIFIER_H

#include "rr_snapshot.h"

/** Of a jwtVerify credential that is read but for this. Ownership: lives in p and borrows party; never NULL. */
const rr_verifier_t *rr_verifier_make(const rr_party_t *party, apr_pool_t *p);

#endif
