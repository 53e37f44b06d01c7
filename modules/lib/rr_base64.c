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

/* Value of each character plus one; 0: not in the alphabet, which less one has bits above the six of a value. */
static const unsigned char values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,  ['I'] = 9,
    ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27,
    ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45,
    ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63,
    ['_'] = 64,
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
        if (!values[(unsigned char)text[i]]) {
            return 0;
        }
    }
    return len % 4 != 1;
}

int rr_base64url_into(unsigned char *to, const char *text, apr_size_t len)
{
    const unsigned char *from = (const unsigned char *)text;
    apr_size_t left = len;
    unsigned int a, b, c, d, bits;

    for (; left >= 4; left -= 4, from += 4, to += 3) {
        a = values[from[0]] - 1U, b = values[from[1]] - 1U, c = values[from[2]] - 1U, d = values[from[3]] - 1U;
        if ((a | b | c | d) > 63) {
            return 0;
        }
        bits = a << 18 | b << 12 | c << 6 | d;
        to[0] = (unsigned char)(bits >> 16);
        to[1] = (unsigned char)(bits >> 8);
        to[2] = (unsigned char)bits;
    }
    if (!left) {
        return 1;
    }
    if (left == 1 || !values[from[0]] || !values[from[1]]) {
        return 0;
    }
    bits = (values[from[0]] - 1U) << 12 | (values[from[1]] - 1U) << 6;
    if (left == 3) {
        if (!values[from[2]]) {
            return 0;
        }
        bits |= values[from[2]] - 1U;
        to[1] = (unsigned char)(bits >> 2);
    }
    to[0] = (unsigned char)(bits >> 10);
    return (bits & (left == 3 ? 0x3 : 0x3ff)) == 0; /* stray bits */
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
