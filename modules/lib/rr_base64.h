/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_base64.h: base64url where no pool is wanted; the rest is in rr_jose.h.
 */
#ifndef RR_BASE64_H
#define RR_BASE64_H

#include "rr_jose.h"

/* Bytes that len characters stand for. */
#define RR_BASE64URL_LEN(len) ((len) / 4 * 3 + ((len) % 4 ? (len) % 4 - 1 : 0))

/** Whether text has base64url's characters only, and a possible number of them. */
int rr_base64url_is(const char *text, apr_size_t len);

/** Decodes into RR_BASE64URL_LEN(len) bytes at to; false where rr_base64url_decode would refuse. */
int rr_base64url_into(unsigned char *to, const char *text, apr_size_t len);

#endif
