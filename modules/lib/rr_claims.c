/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_claims.c: whether a verified token's claims are what the policy demands.
 *
 * Times are seconds of any size in a token and microseconds here: what does not
 * fit is held at the end of the range, so that no sum or difference overflows.
 *
 * Threads: any.
 * Spec:    RFC 7519, 4.1; RFC 9068, 4.
 */
#include "rr_jose_private.h"
#include "rr_json_private.h"

#include <apr_strings.h>

#include <string.h>

#define TIME_END (APR_INT64_MAX / 4)

/* The names that count are of three letters each. */
#define NAME(a, b, c) ((unsigned char)(a) << 16 | (unsigned char)(b) << 8 | (unsigned char)(c))

void rr_claims_find(rr_claims_t *claims, const rr_json_t *object)
{
    apr_size_t i, count = rr_json_kind(object) == RR_JSON_OBJECT ? object->size : 0;

    *claims = (rr_claims_t){ .all = object };
    for (i = 0; i < count; i++) {
        const rr_json_t *item = &object->u.items[i];

        switch (item->name_len == 3 ? NAME(item->name[0], item->name[1], item->name[2]) : 0) {
        case NAME('i', 's', 's'):
            claims->iss = item;
            break;
        case NAME('s', 'u', 'b'):
            claims->sub = item;
            break;
        case NAME('a', 'u', 'd'):
            claims->aud = item;
            break;
        case NAME('e', 'x', 'p'):
            claims->exp = item;
            break;
        case NAME('n', 'b', 'f'):
            claims->nbf = item;
            break;
        case NAME('i', 'a', 't'):
            claims->iat = item;
            break;
        case NAME('j', 't', 'i'):
            claims->jti = item;
            break;
        default:
            break;
        }
    }
}

static apr_int64_t held(apr_int64_t value)
{
    return value > TIME_END ? TIME_END : value < -TIME_END ? -TIME_END : value;
}

/* A NumericDate as microseconds; 0 where it is not there. RR_ECLAIM: it is no number. */
static apr_status_t read_time(apr_int64_t *ptime, const rr_json_t *claim, const char *name, rr_err_t *err)
{
    apr_int64_t seconds = 0;

    *ptime = 0;
    if (claim && !rr_json_int(claim, &seconds)) {
        return rr_err_set(err, RR_ECLAIM, name, "%s is not a time in seconds", name);
    }
    *ptime = seconds > TIME_END / APR_USEC_PER_SEC ? TIME_END
             : seconds < -TIME_END / APR_USEC_PER_SEC ? -TIME_END : seconds * APR_USEC_PER_SEC;
    return APR_SUCCESS;
}

/* A span for people, in the largest unit of which there are two. */
static const char *span(char buf[48], apr_int64_t microseconds)
{
    static const struct {
        const char *name;
        apr_int64_t seconds;
    } units[] = { { "days", 86400 }, { "hours", 3600 }, { "minutes", 60 }, { "seconds", 1 } };
    apr_int64_t seconds = microseconds / APR_USEC_PER_SEC;
    apr_size_t i = 0;

    while (i < 3 && seconds < 2 * units[i].seconds) {
        i++;
    }
    apr_snprintf(buf, 48, "%" APR_INT64_T_FMT " %s", seconds / units[i].seconds, units[i].name);
    return buf;
}

static apr_status_t check_issuer(const rr_json_t *iss, const char *issuer, rr_err_t *err)
{
    const char *found = rr_json_string(iss);
    char shown[RR_SHOWN], wanted[RR_SHOWN];

    if (found && !strcmp(found, issuer)) {
        return APR_SUCCESS;
    }
    return rr_err_set(err, RR_ECLAIM, "iss", "iss is %s%s%s, expected '%s'", found ? "'" : "",
                      found ? rr_jose_show(shown, found) : "missing", found ? "'" : "", rr_jose_show(wanted, issuer));
}

static int is_wanted(const rr_json_t *audience, const apr_array_header_t *wanted)
{
    const char *text = rr_json_string(audience);
    int i;

    for (i = 0; text && i < wanted->nelts; i++) {
        if (!strcmp(text, APR_ARRAY_IDX(wanted, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t check_audience(const rr_json_t *aud, const apr_array_header_t *wanted, rr_err_t *err)
{
    const rr_json_t *first = rr_json_kind(aud) == RR_JSON_ARRAY ? rr_json_element(aud, 0) : aud;
    apr_size_t i, count = rr_json_size(aud);
    int found = is_wanted(aud, wanted);
    char shown[RR_SHOWN], expected[RR_SHOWN];

    if (rr_json_kind(aud) == RR_JSON_ARRAY) {
        if (count > RR_MAX_AUDIENCES) {
            return rr_err_set(err, RR_ECLAIM, "aud", "aud has more than %d entries", RR_MAX_AUDIENCES);
        }
        for (i = 0; i < count; i++) {
            if (!rr_json_string(rr_json_element(aud, i))) {
                return rr_err_set(err, RR_ECLAIM, "aud", "aud has an entry that is not a string");
            }
            found |= is_wanted(rr_json_element(aud, i), wanted);
        }
    }
    if (found) {
        return APR_SUCCESS;
    }
    if (!rr_json_string(first)) {
        return rr_err_set(err, RR_ECLAIM, "aud", "aud is missing or not a string");
    }
    return rr_err_set(err, RR_ECLAIM, "aud", "aud is '%s'%s, expected '%s'%s", rr_jose_show(shown, rr_json_string(first)),
                      count > 1 ? " and others" : "",
                      wanted->nelts ? rr_jose_show(expected, APR_ARRAY_IDX(wanted, 0, const char *)) : "",
                      wanted->nelts > 1 ? " or another of the configured ones" : "");
}

static apr_status_t check_times(const rr_claims_t *claims, const rr_claims_policy_t *policy, apr_time_t now, rr_err_t *err)
{
    apr_int64_t exp, nbf, iat, leeway = held(policy->leeway);
    char length[48], granted[48];

    if (read_time(&exp, claims->exp, "exp", err) != APR_SUCCESS
        || read_time(&nbf, claims->nbf, "nbf", err) != APR_SUCCESS
        || read_time(&iat, claims->iat, "iat", err) != APR_SUCCESS) {
        return RR_ECLAIM;
    }
    now = held(now);
    if (!claims->exp) {
        return rr_err_set(err, RR_ECLAIM, "exp", "exp is missing");
    }
    if (now >= exp + leeway) {
        return rr_err_set(err, RR_EEXPIRED, "exp", "the token expired %s ago (leeway %s)", span(length, now - exp),
                          span(granted, leeway));
    }
    if (claims->nbf && nbf > now + leeway) {
        return rr_err_set(err, RR_ECLAIM, "nbf", "the token is not valid for another %s (leeway %s)",
                          span(length, nbf - now), span(granted, leeway));
    }
    if (claims->iat && iat > now + leeway) {
        return rr_err_set(err, RR_ECLAIM, "iat", "the token was issued %s from now (leeway %s)", span(length, iat - now),
                          span(granted, leeway));
    }
    if (policy->max_lifetime && !claims->iat) {
        return rr_err_set(err, RR_ECLAIM, "iat", "iat is missing, which max-lifetime needs");
    }
    if (policy->max_lifetime && exp - iat > held(policy->max_lifetime)) {
        return rr_err_set(err, RR_ECLAIM, "exp", "the token's lifetime is %s, at most %s are accepted",
                          span(length, exp - iat), span(granted, policy->max_lifetime));
    }
    return APR_SUCCESS;
}

const char *rr_claims_subject(const rr_claims_t *claims, const rr_claims_policy_t *policy)
{
    return rr_json_string(policy->sub_claim ? rr_json_at(claims->all, policy->sub_claim) : claims->sub);
}

apr_status_t rr_claims_check(const rr_claims_t *claims, const rr_claims_policy_t *policy, apr_time_t now, rr_err_t *err)
{
    const char *sub_claim = policy->sub_claim ? policy->sub_claim : "sub", *sub;
    apr_status_t rv;

    if (rr_json_kind(claims->all) != RR_JSON_OBJECT) {
        return rr_err_set(err, RR_ECLAIM, NULL, "the claims are not an object");
    }
    rv = policy->issuer ? check_issuer(claims->iss, policy->issuer, err) : APR_SUCCESS;
    rv = rv == APR_SUCCESS && policy->audiences ? check_audience(claims->aud, policy->audiences, err) : rv;
    rv = rv == APR_SUCCESS ? check_times(claims, policy, now, err) : rv;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    sub = rr_claims_subject(claims, policy);
    return sub && *sub ? APR_SUCCESS : rr_err_set(err, RR_ECLAIM, sub_claim, "%s is missing or not a string", sub_claim);
}
