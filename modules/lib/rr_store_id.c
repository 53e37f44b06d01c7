/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_id.c: ids that we make, and names that people choose: never to be confused.
 */
#include "rr_store.h"

#include <apr_strings.h>

#include <string.h>

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

apr_status_t rr_id_make(const char **pid, apr_pool_t *p, rr_err_t *err)
{
    enum { PREFIX = sizeof(RR_ID_PREFIX) - 1 };
    unsigned char byte;
    apr_status_t rv;
    char id[RR_ID_LEN + 1] = RR_ID_PREFIX;
    int have = PREFIX;

    *pid = NULL;
    while (have < RR_ID_LEN) {
        rv = rr_secret_random(&byte, 1, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (byte < 4 * 62) {
            id[have++] = alphabet[byte % 62];
        }
    }
    id[have] = '\0';
    *pid = apr_pstrdup(p, id);
    return APR_SUCCESS;
}

static int begins_as_id(const char *text)
{
    return !strncmp(text, RR_ID_PREFIX, sizeof(RR_ID_PREFIX) - 1);
}

int rr_id_is(const char *text)
{
    return strlen(text) == RR_ID_LEN && begins_as_id(text) &&
           strspn(text + sizeof(RR_ID_PREFIX) - 1, alphabet) == RR_ID_LEN - (sizeof(RR_ID_PREFIX) - 1);
}

/* Length of the UTF-8 character at text, 0 if it is none (RFC 3629). */
static int utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char first_lo, first_hi, second_lo, second_hi;
        int len;
    } forms[] = { { 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
                  { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
                  { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 } };
    apr_size_t i;
    int k;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text[0] < forms[i].first_lo || text[0] > forms[i].first_hi) {
            continue;
        }
        if (forms[i].len > 1 && (text[1] < forms[i].second_lo || text[1] > forms[i].second_hi)) {
            return 0;
        }
        for (k = 2; k < forms[i].len; k++) {
            if ((text[k] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return forms[i].len;
    }
    return 0;
}

/* C0, DEL, and C1 (U+0080 to U+009F). */
static int is_control(const unsigned char *c)
{
    return c[0] < ' ' || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0);
}

apr_status_t rr_name_check(const char *text, const char *where, rr_err_t *err)
{
    apr_size_t len = strlen(text);
    const unsigned char *c;
    int step;

    if (len == 0 || len > RR_MAX_NAME) {
        return rr_err_set(err, RR_EINVAL, where, "%s has 1 to %d bytes", where, RR_MAX_NAME);
    }
    if (begins_as_id(text)) {
        return rr_err_set(err, RR_EINVAL, where, "%s must not begin with " RR_ID_PREFIX ": ids do", where);
    }
    if (text[0] == ' ' || text[len - 1] == ' ') {
        return rr_err_set(err, RR_EINVAL, where, "%s must not begin or end with a blank", where);
    }
    for (c = (const unsigned char *)text; *c; c += step) {
        step = utf8_length(c);
        if (!step || is_control(c) || *c == '/') {
            return rr_err_set(err, RR_EINVAL, where, "%s is UTF-8 without control characters and '/'", where);
        }
    }
    return APR_SUCCESS;
}

apr_status_t rr_word_check(const char *text, const char *where, rr_err_t *err)
{
    apr_size_t len = strlen(text);

    if (len == 0 || len > RR_MAX_NAME) {
        return rr_err_set(err, RR_EINVAL, where, "%s has 1 to %d characters", where, RR_MAX_NAME);
    }
    if (begins_as_id(text)) {
        return rr_err_set(err, RR_EINVAL, where, "%s must not begin with " RR_ID_PREFIX ": ids do", where);
    }
    if (text[0] == '.' || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-") != len) {
        return rr_err_set(err, RR_EINVAL, where, "%s is made of A-Z a-z 0-9 . _ ~ - and does not begin with '.'", where);
    }
    return APR_SUCCESS;
}
