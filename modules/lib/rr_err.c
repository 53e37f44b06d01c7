/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_err.c: records the first failure and names our statuses.
 */
#include "rr_err.h"

#include <apr_strings.h>

#include <stdarg.h>

static const struct {
    apr_status_t status;
    const char *word; /* for programs */
    const char *text; /* for people, where nothing better was recorded */
} names[] = {
    { APR_SUCCESS, "ok", "no error" },
    { APR_NOTFOUND, "unknown", "not found" },
    { RR_EINVAL, "malformed", "malformed input" },
    { RR_EEXPIRED, "expired", "expired" },
    { RR_EREVOKED, "revoked", "revoked" },
    { RR_ESIGNATURE, "bad_signature", "the signature does not verify" },
    { RR_ENOKEY, "unknown_kid", "no key fits" },
    { RR_ECLAIM, "bad_claim", "a claim is not as required" },
    { RR_ECONFLICT, "conflict", "exists already or is in use" },
    { RR_EUNAVAIL, "unavailable", "not available now" },
    { RR_ESCHEMA, "no_schema", "the store has no schema of this version" },
    { RR_ESEALED, "sealed", "a sealed secret cannot be opened" },
    { RR_EDENIED, "denied", "not allowed" },
};

apr_status_t rr_err_set(rr_err_t *err, apr_status_t status, const char *where, const char *format, ...)
{
    va_list args;

    if (err && err->status == APR_SUCCESS) {
        err->status = status;
        apr_cpystrn(err->where, where ? where : "", sizeof(err->where));
        va_start(args, format);
        apr_vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return status;
}

void rr_err_clear(rr_err_t *err)
{
    err->status = APR_SUCCESS;
    err->where[0] = err->text[0] = '\0';
}

const char *rr_err_text(const rr_err_t *err)
{
    apr_size_t i;

    if (err->text[0]) {
        return err->text;
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].status == err->status) {
            return names[i].text;
        }
    }
    return "failed";
}

const char *rr_err_word(apr_status_t status)
{
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].status == status) {
            return names[i].word;
        }
    }
    return "failed";
}
