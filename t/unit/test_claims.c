/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_claims.c: iss, aud, exp, nbf, iat and sub, each right, wrong and missing;
 * times at their borders and past what a number holds.
 */
#include "rr_jose.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#define NOW 1000000 /* seconds; leeway is 60 */

static apr_pool_t *pool;

typedef struct case_t {
    const char *name, *claims;
    apr_status_t want;
    const char *where;
} case_t;

static rr_claims_t parse(const char *text)
{
    const rr_json_t *value;
    rr_claims_t claims;
    rr_err_t err = RR_ERR_INIT;

    if (rr_json_parse(&value, text, strlen(text), pool, &err) != APR_SUCCESS) {
        printf("# %s: %s\n", text, err.text);
    }
    rr_claims_find(&claims, value);
    return claims;
}

static apr_status_t check(const char *text, const rr_claims_policy_t *policy, apr_time_t now, rr_err_t *err)
{
    rr_claims_t claims = parse(text);

    return rr_claims_check(&claims, policy, now, err);
}

/* Each where it belongs, and nothing that is only like it. */
static void found(void)
{
    static const char text[] = "{\"iss\":1,\"issuer\":2,\"is\":3,\"sub\":4,\"aud\":5,\"exp\":6,\"Exp\":7,\"nbf\":8,\"iat\":9,"
                               "\"jti\":10,\"\":11,\"xyz\":{\"sub\":12},\"\xc3\xa9z\":13}";
    rr_claims_t claims = parse(text);
    const rr_json_t *const all[] = { claims.iss, claims.sub, claims.aud, claims.exp, claims.nbf, claims.iat, claims.jti };
    const int want[] = { 1, 4, 5, 6, 8, 9, 10 };
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        apr_int64_t number = 0;

        ok(rr_json_int(all[i], &number) && number == want[i], "claim %d is found", (int)i + 1);
    }
    is_str(rr_json_print(pool, claims.all), text, "in the object that has them");
    claims = parse("{\"sub\":\"x\"}");
    ok(claims.sub && !claims.iss && !claims.aud && !claims.exp && !claims.nbf && !claims.iat && !claims.jti, "one alone");
    claims = parse("[\"sub\"]");
    ok(claims.all && !claims.sub, "none in what is no object");
    rr_claims_find(&claims, NULL);
    ok(!claims.all && !claims.sub, "nor in nothing");
}

static void run(const case_t *cases, size_t count, const rr_claims_policy_t *policy, apr_time_t now)
{
    size_t i;

    for (i = 0; i < count; i++) {
        rr_err_t err = RR_ERR_INIT;

        is_int(check(cases[i].claims, policy, now, &err), cases[i].want, cases[i].name);
        is_str(err.where, cases[i].want == APR_SUCCESS ? "" : cases[i].where, "where");
        ok(cases[i].want == APR_SUCCESS ? !err.text[0] : err.text[0], "said in words");
    }
}

#define RUN(cases, policy) run(cases, sizeof(cases) / sizeof((cases)[0]), policy, apr_time_from_sec(NOW))

static apr_array_header_t *list(const char *first, const char *second)
{
    apr_array_header_t *array = apr_array_make(pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(array, const char *) = first;
    if (second) {
        APR_ARRAY_PUSH(array, const char *) = second;
    }
    return array;
}

#define ID "\"iss\":\"https://i/\",\"aud\":\"a\",\"sub\":\"x\","
#define END ",\"exp\":1000100}"

static void identities(void)
{
    static const case_t cases[] = {
        { "all right", "{" ID "\"exp\":1000100}", APR_SUCCESS, NULL },
        { "iss missing", "{\"aud\":\"a\",\"sub\":\"x\"" END, RR_ECLAIM, "iss" },
        { "iss without its slash", "{\"iss\":\"https://i\",\"aud\":\"a\",\"sub\":\"x\"" END, RR_ECLAIM, "iss" },
        { "iss with a prefix", "{\"iss\":\"xhttps://i/\",\"aud\":\"a\",\"sub\":\"x\"" END, RR_ECLAIM, "iss" },
        { "iss in other case", "{\"iss\":\"https://I/\",\"aud\":\"a\",\"sub\":\"x\"" END, RR_ECLAIM, "iss" },
        { "iss as a list", "{\"iss\":[\"https://i/\"],\"aud\":\"a\",\"sub\":\"x\"" END, RR_ECLAIM, "iss" },
        { "iss a number", "{\"iss\":5,\"aud\":\"a\",\"sub\":\"x\"" END, RR_ECLAIM, "iss" },
        { "the second audience", "{\"iss\":\"https://i/\",\"aud\":\"b\",\"sub\":\"x\"" END, APR_SUCCESS, NULL },
        { "aud as a list", "{\"iss\":\"https://i/\",\"aud\":[\"z\",\"b\"],\"sub\":\"x\"" END, APR_SUCCESS, NULL },
        { "aud missing", "{\"iss\":\"https://i/\",\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud another", "{\"iss\":\"https://i/\",\"aud\":\"c\",\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud begins as ours", "{\"iss\":\"https://i/\",\"aud\":\"ab\",\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud empty", "{\"iss\":\"https://i/\",\"aud\":\"\",\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud an empty list", "{\"iss\":\"https://i/\",\"aud\":[],\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud a list of others", "{\"iss\":\"https://i/\",\"aud\":[\"c\",\"d\"],\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud a list with a number", "{\"iss\":\"https://i/\",\"aud\":[\"a\",5],\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud in a list in a list", "{\"iss\":\"https://i/\",\"aud\":[[\"a\"]],\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud an object", "{\"iss\":\"https://i/\",\"aud\":{\"a\":\"a\"},\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "aud words", "{\"iss\":\"https://i/\",\"aud\":\"a b\",\"sub\":\"x\"" END, RR_ECLAIM, "aud" },
        { "sub missing", "{\"iss\":\"https://i/\",\"aud\":\"a\"" END, RR_ECLAIM, "sub" },
        { "sub empty", "{\"iss\":\"https://i/\",\"aud\":\"a\",\"sub\":\"\"" END, RR_ECLAIM, "sub" },
        { "sub null", "{\"iss\":\"https://i/\",\"aud\":\"a\",\"sub\":null" END, RR_ECLAIM, "sub" },
        { "sub an object", "{\"iss\":\"https://i/\",\"aud\":\"a\",\"sub\":{}" END, RR_ECLAIM, "sub" },
        { "no claims", "[]", RR_ECLAIM, "" },
    };
    static const case_t nested[] = {
        { "the configured subject", "{\"user\":{\"id\":\"x\"}" END, APR_SUCCESS, NULL },
        { "sub does not stand in for it", "{\"sub\":\"x\"" END, RR_ECLAIM, "user.id" },
    };
    rr_claims_policy_t policy = { "https://i/", list("a", "b"), apr_time_from_sec(60), 0, NULL };
    rr_claims_policy_t open = { NULL, NULL, 0, 0, "user.id" };
    const char *many = "\"a\"";
    int i;

    RUN(cases, &policy);
    RUN(nested, &open);
    for (i = 1; i < RR_MAX_AUDIENCES; i++) {
        many = apr_pstrcat(pool, "\"z\",", many, NULL);
    }
    is_int(check(apr_psprintf(pool, "{\"iss\":\"https://i/\",\"sub\":\"x\",\"aud\":[%s]" END, many), &policy,
                 apr_time_from_sec(NOW), NULL), APR_SUCCESS, "audiences to the limit");
    is_int(check(apr_psprintf(pool, "{\"iss\":\"https://i/\",\"sub\":\"x\",\"aud\":[\"z\",%s]" END, many), &policy,
                 apr_time_from_sec(NOW), NULL), RR_ECLAIM, "and one past it");
}

static void times(void)
{
    static const case_t cases[] = {
        { "exp missing", "{" ID "\"iat\":1}", RR_ECLAIM, "exp" },
        { "exp a string", "{" ID "\"exp\":\"1000100\"}", RR_ECLAIM, "exp" },
        { "exp null", "{" ID "\"exp\":null}", RR_ECLAIM, "exp" },
        { "exp true", "{" ID "\"exp\":true}", RR_ECLAIM, "exp" },
        { "exp a list", "{" ID "\"exp\":[1000100]}", RR_ECLAIM, "exp" },
        { "exp past int64", "{" ID "\"exp\":1e19}", RR_ECLAIM, "exp" },
        { "exp far past it", "{" ID "\"exp\":99999999999999999999999999}", RR_ECLAIM, "exp" },
        { "exp the greatest", "{" ID "\"exp\":9223372036854775807}", APR_SUCCESS, NULL },
        { "exp the least", "{" ID "\"exp\":-9223372036854775808}", RR_EEXPIRED, "exp" },
        { "exp zero", "{" ID "\"exp\":0}", RR_EEXPIRED, "exp" },
        { "exp now", "{" ID "\"exp\":1000000}", APR_SUCCESS, NULL },
        { "exp within the leeway", "{" ID "\"exp\":999941}", APR_SUCCESS, NULL },
        { "exp at its end", "{" ID "\"exp\":999940}", RR_EEXPIRED, "exp" },
        { "exp with a fraction", "{" ID "\"exp\":1000000.75}", APR_SUCCESS, NULL },
        { "exp with an exponent", "{" ID "\"exp\":1.0001e6}", APR_SUCCESS, NULL },
        { "nbf past", "{" ID "\"exp\":1000100,\"nbf\":1}", APR_SUCCESS, NULL },
        { "nbf within the leeway", "{" ID "\"exp\":1000100,\"nbf\":1000060}", APR_SUCCESS, NULL },
        { "nbf after it", "{" ID "\"exp\":1000100,\"nbf\":1000061}", RR_ECLAIM, "nbf" },
        { "nbf the greatest", "{" ID "\"exp\":1000100,\"nbf\":9223372036854775807}", RR_ECLAIM, "nbf" },
        { "nbf a string", "{" ID "\"exp\":1000100,\"nbf\":\"1\"}", RR_ECLAIM, "nbf" },
        { "nbf null", "{" ID "\"exp\":1000100,\"nbf\":null}", RR_ECLAIM, "nbf" },
        { "iat within the leeway", "{" ID "\"exp\":1000100,\"iat\":1000060}", APR_SUCCESS, NULL },
        { "iat after it", "{" ID "\"exp\":1000100,\"iat\":1000061}", RR_ECLAIM, "iat" },
        { "iat a string", "{" ID "\"exp\":1000100,\"iat\":\"1\"}", RR_ECLAIM, "iat" },
        { "iat the least", "{" ID "\"exp\":1000100,\"iat\":-9223372036854775808}", APR_SUCCESS, NULL },
    };
    static const case_t bounded[] = {
        { "a lifetime at the limit", "{" ID "\"iat\":1000000,\"exp\":1003600}", APR_SUCCESS, NULL },
        { "and one past it", "{" ID "\"iat\":1000000,\"exp\":1003601}", RR_ECLAIM, "exp" },
        { "without iat", "{" ID "\"exp\":1000100}", RR_ECLAIM, "iat" },
        { "iat the least", "{" ID "\"exp\":1000100,\"iat\":-9223372036854775808}", RR_ECLAIM, "exp" },
        { "both at the ends", "{" ID "\"exp\":9223372036854775807,\"iat\":-9223372036854775808}", RR_ECLAIM, "exp" },
    };
    static const case_t strict[] = {
        { "exp in a second", "{" ID "\"exp\":1000001}", APR_SUCCESS, NULL },
        { "exp now", "{" ID "\"exp\":1000000}", RR_EEXPIRED, "exp" },
        { "nbf now", "{" ID "\"exp\":1000001,\"nbf\":1000000}", APR_SUCCESS, NULL },
        { "nbf in a second", "{" ID "\"exp\":1000002,\"nbf\":1000001}", RR_ECLAIM, "nbf" },
    };
    static const case_t endless[] = {
        { "with a leeway past all bounds, exp the greatest", "{" ID "\"exp\":9223372036854775807}", APR_SUCCESS, NULL },
        { "nbf the greatest", "{" ID "\"exp\":9223372036854775807,\"nbf\":9223372036854775807}", APR_SUCCESS, NULL },
    };
    rr_claims_policy_t policy = { "https://i/", list("a", NULL), apr_time_from_sec(60), 0, NULL };
    rr_claims_policy_t exact = { "https://i/", list("a", NULL), 0, 0, NULL };
    rr_claims_policy_t wide = { "https://i/", list("a", NULL), APR_INT64_MAX, 0, NULL };

    RUN(cases, &policy);
    RUN(strict, &exact);
    run(endless, 2, &wide, APR_INT64_MAX);
    policy.max_lifetime = apr_time_from_sec(3600);
    RUN(bounded, &policy);
}

static void sentences(void)
{
    static const struct {
        const char *claims, *want;
    } cases[] = {
        { "{\"iss\":\"https://x\"}", "iss is 'https://x', expected 'https://i/'" },
        { "{}", "iss is missing, expected 'https://i/'" },
        { "{\"iss\":\"https://i/\",\"aud\":\"c\"}", "aud is 'c', expected 'a' or another of the configured ones" },
        { "{\"iss\":\"https://i/\",\"aud\":[\"c\",\"d\"]}",
          "aud is 'c' and others, expected 'a' or another of the configured ones" },
        { "{" ID "\"exp\":999000}", "the token expired 16 minutes ago (leeway 60 seconds)" },
        { "{" ID "\"exp\":999939}", "the token expired 61 seconds ago (leeway 60 seconds)" },
        { "{" ID "\"exp\":1}", "the token expired 11 days ago (leeway 60 seconds)" },
        { "{" ID "\"exp\":2000000,\"nbf\":1010000}", "the token is not valid for another 2 hours (leeway 60 seconds)" },
        { "{\"iss\":\"a\\nb\\u001b[31m\\u00e9\"}", "iss is 'a?b?[31m?" "?', expected 'https://i/'" },
        { "{\"iss\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\"}",
          "iss is '01234567890123456789012345678901234567890123456789012345678901234567...', expected 'https://i/'" },
    };
    rr_claims_policy_t policy = { "https://i/", list("a", "b"), apr_time_from_sec(60), 0, NULL };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rr_err_t err = RR_ERR_INIT;

        check(cases[i].claims, &policy, apr_time_from_sec(NOW), &err);
        is_str(err.text, cases[i].want, cases[i].claims);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    found();
    identities();
    times();
    sentences();
    apr_pool_destroy(pool);
    return tap_end();
}
