/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_base64.c: base64url without padding, strictly: one text for one value.
 *
 * APR's decoder skips what it does not know and drops stray bits, which would
 * give one token many spellings.
 *
 * Spec: RFC 4648, 5; RFC 7515, 2.
 */
#include "rr_base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* A character's value, shifted to where it stands in the 24 bits of four; BAD where it is not in the alphabet. */
#define BAD 0x80000000U
#define VALUE(c, shift)                                                            \
    ((c) >= 'A' && (c) <= 'Z'   ? (apr_uint32_t)((c) - 'A') << (shift)             \
     : (c) >= 'a' && (c) <= 'z' ? (apr_uint32_t)((c) - 'a' + 26) << (shift)        \
     : (c) >= '0' && (c) <= '9' ? (apr_uint32_t)((c) - '0' + 52) << (shift)        \
     : (c) == '-'               ? 62U << (shift)                                   \
     : (c) == '_'               ? 63U << (shift)                                   \
                                : BAD)
#define VALUES_4(c, shift) VALUE(c, shift), VALUE((c) + 1, shift), VALUE((c) + 2, shift), VALUE((c) + 3, shift)
#define VALUES_16(c, shift) \
    VALUES_4(c, shift), VALUES_4((c) + 4, shift), VALUES_4((c) + 8, shift), VALUES_4((c) + 12, shift)
#define VALUES_64(c, shift) \
    VALUES_16(c, shift), VALUES_16((c) + 16, shift), VALUES_16((c) + 32, shift), VALUES_16((c) + 48, shift)

/* Of the first, second, third and fourth character: one look at each, nothing left to shift. */
static const apr_uint32_t values[4][256] = {
    { VALUES_64(0, 18), VALUES_64(64, 18), VALUES_64(128, 18), VALUES_64(192, 18) },
    { VALUES_64(0, 12), VALUES_64(64, 12), VALUES_64(128, 12), VALUES_64(192, 12) },
    { VALUES_64(0, 6), VALUES_64(64, 6), VALUES_64(128, 6), VALUES_64(192, 6) },
    { VALUES_64(0, 0), VALUES_64(64, 0), VALUES_64(128, 0), VALUES_64(192, 0) },
};

#define EVERY(byte) (APR_UINT64_C(0x0101010101010101) * (byte))

/* The top bit of each of eight bytes, none above 0x7f, that is from lo to hi: neither sum carries into the next. */
static apr_uint64_t in_range(apr_uint64_t bytes, unsigned int lo, unsigned int hi)
{
    return (bytes + EVERY(0x80 - lo)) & ~(bytes + EVERY(0x7f - hi)) & EVERY(0x80);
}

/* Eight characters a step: it is asked of every token before anything else is known of it. */
int rr_base64url_is(const char *text, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i + 8 <= len; i += 8) {
        apr_uint64_t bytes, good;

        memcpy(&bytes, text + i, 8);
        good = in_range(bytes | EVERY(0x20), 'a', 'z') | in_range(bytes, '0', '9') | in_range(bytes, '-', '-')
               | in_range(bytes, '_', '_');
        if ((bytes & EVERY(0x80)) || good != EVERY(0x80)) {
            return 0;
        }
    }
    for (; i < len; i++) {
        if (values[3][(unsigned char)text[i]] & BAD) {
            return 0;
        }
    }
    return len % 4 != 1;
}

int rr_base64url_into(unsigned char *to, const char *text, apr_size_t len)
{
    const unsigned char *from = (const unsigned char *)text;
    apr_size_t left = len;
    apr_uint32_t bits, next, bad = 0;

    for (; left >= 8; left -= 8, from += 8, to += 6) {
        bits = values[0][from[0]] | values[1][from[1]] | values[2][from[2]] | values[3][from[3]];
        next = values[0][from[4]] | values[1][from[5]] | values[2][from[6]] | values[3][from[7]];
        bad |= bits | next;
        bits = bits << 8 | next >> 16;
        to[0] = (unsigned char)(bits >> 24); /* a store of four and one of two: compilers see that */
        to[1] = (unsigned char)(bits >> 16);
        to[2] = (unsigned char)(bits >> 8);
        to[3] = (unsigned char)bits;
        to[4] = (unsigned char)(next >> 8);
        to[5] = (unsigned char)next;
    }
    if (left >= 4) {
        bits = values[0][from[0]] | values[1][from[1]] | values[2][from[2]] | values[3][from[3]];
        bad |= bits;
        to[0] = (unsigned char)(bits >> 16);
        to[1] = (unsigned char)(bits >> 8);
        to[2] = (unsigned char)bits;
        left -= 4;
        from += 4;
        to += 3;
    }
    if (bad & BAD) {
        return 0;
    }
    if (left < 2) {
        return !left;
    }
    bits = values[0][from[0]] | values[1][from[1]];
    to[0] = (unsigned char)(bits >> 16);
    if (left == 3) {
        bits |= values[2][from[2]];
        to[1] = (unsigned char)(bits >> 8);
    }
    return !(bits & BAD) && !(bits & (left == 3 ? 0xff : 0xffff)); /* stray bits */
}

apr_status_t rr_base64url_decode(const unsigned char **pbytes, apr_size_t *plen, const char *text, apr_size_t len,
                                 apr_pool_t *p)
{
    unsigned char *bytes;

    *pbytes = NULL;
    *plen = 0;
    if (len % 4 == 1) {
        return RR_EINVAL;
    }
    bytes = apr_palloc(p, RR_BASE64URL_LEN(len) + 1);
    if (!rr_base64url_into(bytes, text, len)) {
        return RR_EINVAL;
    }
    *plen = RR_BASE64URL_LEN(len);
    bytes[*plen] = '\0';
    *pbytes = bytes;
    return APR_SUCCESS;
}

const char *rr_base64url_encode(apr_pool_t *p, const void *bytes, apr_size_t len)
{
    const unsigned char *from = bytes;
    char *text = apr_palloc(p, len / 3 * 4 + 5), *to = text;

    for (; len >= 3; len -= 3, from += 3) {
        *to++ = alphabet[from[0] >> 2];
        *to++ = alphabet[(from[0] & 3) << 4 | from[1] >> 4];
        *to++ = alphabet[(from[1] & 15) << 2 | from[2] >> 6];
        *to++ = alphabet[from[2] & 63];
    }
    if (len) {
        *to++ = alphabet[from[0] >> 2];
        *to++ = alphabet[(from[0] & 3) << 4 | (len == 2 ? from[1] >> 4 : 0)];
        if (len == 2) {
            *to++ = alphabet[(from[1] & 15) << 2];
        }
    }
    *to = '\0';
    return text;
}
