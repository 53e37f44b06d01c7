/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_id.c: ids that we make, and names that people choose: never to be confused.
 */
#include "rr_json_private.h"
#include "rr_store.h"

#include <apr_strings.h>

#include <string.h>

apr_status_t rr_id_make(const char **pid, apr_pool_t *p, rr_err_t *err)
{
    enum { PREFIX = sizeof(RR_ID_PREFIX) - 1 };
    char id[RR_ID_LEN + 1] = RR_ID_PREFIX;
    apr_status_t rv = rr_secret_base62(id + PREFIX, RR_ID_LEN - PREFIX, err);

    *pid = rv == APR_SUCCESS ? apr_pstrdup(p, id) : NULL;
    return rv;
}

static int begins_as_id(const char *text)
{
    return !strncmp(text, RR_ID_PREFIX, sizeof(RR_ID_PREFIX) - 1);
}

int rr_id_is(const char *text)
{
    return strlen(text) == RR_ID_LEN && begins_as_id(text) &&
           strspn(text + sizeof(RR_ID_PREFIX) - 1, RR_BASE62) == RR_ID_LEN - (sizeof(RR_ID_PREFIX) - 1);
}

/* C0, DEL, and C1 (U+0080 to U+009F). */
static int is_control(const char *c)
{
    const unsigned char *byte = (const unsigned char *)c;

    return byte[0] < ' ' || byte[0] == 0x7f || (byte[0] == 0xc2 && byte[1] < 0xa0);
}

apr_status_t rr_name_check(const char *text, const char *where, rr_err_t *err)
{
    apr_size_t len = strlen(text);
    const char *c;
    apr_size_t step;

    if (len == 0 || len > RR_MAX_NAME) {
        return rr_err_set(err, RR_EINVAL, where, "%s has 1 to %d bytes", where, RR_MAX_NAME);
    }
    if (begins_as_id(text)) {
        return rr_err_set(err, RR_EINVAL, where, "%s must not begin with " RR_ID_PREFIX ": ids do", where);
    }
    if (text[0] == ' ' || text[len - 1] == ' ') {
        return rr_err_set(err, RR_EINVAL, where, "%s must not begin or end with a blank", where);
    }
    for (c = text; *c; c += step) {
        step = rr_json_utf8(c, len - (apr_size_t)(c - text));
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
