/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pattern.c: patterns search as PCRE2 does, promise only what is true,
 * and give up in time.
 */
#include "rr_pattern.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static const struct {
    const char *name, *text, *flags, *subject;
    rr_match_e want;
    rr_pattern_shape_e shape;
} cases[] = {
    { "exact", "^/v3/mail/send$", NULL, "/v3/mail/send", RR_MATCH_YES, RR_PATTERN_EXACT },
    { "exact, longer subject", "^/v3/mail/send$", NULL, "/v3/mail/send/", RR_MATCH_NO, RR_PATTERN_EXACT },
    { "exact, shorter subject", "^/v3/mail/send$", NULL, "/v3/mail/sen", RR_MATCH_NO, RR_PATTERN_EXACT },
    { "the end is the end, not before a line feed", "^/a$", NULL, "/a\n", RR_MATCH_NO, RR_PATTERN_EXACT },
    { "the same through the engine", "^/[a]$", NULL, "/a\n", RR_MATCH_NO, RR_PATTERN_REGEX },
    { "through the engine", "^/[a]$", NULL, "/a", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "escaped dots are literals", "^api\\.example\\.com$", NULL, "api.example.com", RR_MATCH_YES, RR_PATTERN_EXACT },
    { "escaped dots are not any byte", "^api\\.example\\.com$", NULL, "api-example.com", RR_MATCH_NO,
      RR_PATTERN_EXACT },
    { "dots are any byte", "^api.example$", NULL, "api-example", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a dot is a line feed too", "^/admin.*x$", NULL, "/admin\nx", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "prefix", "^/v1/user/", NULL, "/v1/user/7", RR_MATCH_YES, RR_PATTERN_PREFIX },
    { "prefix elsewhere", "^/v1/user/", NULL, "/x/v1/user/7", RR_MATCH_NO, RR_PATTERN_PREFIX },
    { "suffix", "\\.php$", NULL, "/index.php", RR_MATCH_YES, RR_PATTERN_SUFFIX },
    { "suffix elsewhere", "\\.php$", NULL, "/index.php/x", RR_MATCH_NO, RR_PATTERN_SUFFIX },
    { "contains", "admin", NULL, "/x/admin/y", RR_MATCH_YES, RR_PATTERN_CONTAINS },
    { "contains not", "admin", NULL, "/x/adnim/y", RR_MATCH_NO, RR_PATTERN_CONTAINS },
    { "caseless contains", "AdMin", "i", "/x/aDmIn/y", RR_MATCH_YES, RR_PATTERN_CONTAINS },
    { "caseless exact", "^X-User-Auth$", "i", "x-user-AUTH", RR_MATCH_YES, RR_PATTERN_EXACT },
    { "caseless exact, other", "^X-User-Auth$", "i", "x-user-AUTHS", RR_MATCH_NO, RR_PATTERN_EXACT },
    { "case matters without i", "^X-User-Auth$", NULL, "x-user-auth", RR_MATCH_NO, RR_PATTERN_EXACT },
    { "caseless letters beyond ASCII", "^\xc3\x84$", "i", "\xc3\xa4", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a literal beyond ASCII", "^\xc3\x84$", NULL, "\xc3\x84", RR_MATCH_YES, RR_PATTERN_EXACT },
    { "a class beyond ASCII", "^[\xc3\x84]$", NULL, "\xc3\x84", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "doubt where characters are asked of bytes", "^[\xc3\x84]$", NULL, "\xc3", RR_MATCH_DOUBT, RR_PATTERN_REGEX },
    { "bytes are fine where bytes are asked", "^.[a]$", NULL, "\xc3" "a", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "any", ".*", NULL, "", RR_MATCH_YES, RR_PATTERN_ANY },
    { "any, anchored", "^.*$", NULL, "a\nb", RR_MATCH_YES, RR_PATTERN_ANY },
    { "something", ".+", NULL, "", RR_MATCH_NO, RR_PATTERN_REGEX },
    { "lines only under m", "^b$", NULL, "a\nb", RR_MATCH_NO, RR_PATTERN_EXACT },
    { "lines under m", "^b$", "m", "a\nb", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "alternatives", "^(GET|POST)$", NULL, "POST", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "alternatives at the top", "^/a|^/b", NULL, "/b", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "an optional byte", "^/ab?c", NULL, "/ac", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a literal brace before alternatives", "^/xa{|b", NULL, "b", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "an early accept", "^/a(*ACCEPT)b", NULL, "/a", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a setting inside", "^/a(?i)b", NULL, "/aB", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a comment that hides an alternative", "(?x)/abcd #|\n|/efgh", NULL, "/efgh", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "quoted metacharacters", "^\\Qa|b\\E$", NULL, "a|b", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a class with a bracket and a bar", "^[]|]x$", NULL, "|x", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a named class", "^[[:alpha:]|]/$", NULL, "a/", RR_MATCH_YES, RR_PATTERN_REGEX },
    { "a hexadecimal escape is not its digits", "^/\\x41b$", NULL, "/Ab", RR_MATCH_YES, RR_PATTERN_REGEX },
};

static void test_cases(apr_pool_t *p)
{
    rr_matcher_t *matcher = rr_matcher_make(p);
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const rr_pattern_t *pattern;
        rr_err_t err = RR_ERR_INIT;
        int options;

        if (rr_pattern_flags(&options, cases[i].flags, &err) ||
            rr_pattern_compile(&pattern, cases[i].text, options, p, &err)) {
            ok(0, "%s: %s", cases[i].name, err.text);
            continue;
        }
        ok(rr_pattern_search(pattern, matcher, cases[i].subject, strlen(cases[i].subject)) == cases[i].want, "%s",
           cases[i].name);
        ok(rr_pattern_shape(pattern, NULL) == cases[i].shape, "%s: shape", cases[i].name);
    }
}

static void test_promises(apr_pool_t *p)
{
    static const struct {
        const char *text, *prefix, *runs;
    } promises[] = {
        { "^/api/[^/]+/resource123$", "/api/", "/api/,/resource123" },
        { "^/v3/(mail|sms)/send$", "/v3/", "/v3/,/send" },
        { "^/ab?c", "/a", "/a,c" },
        { "^/ab+c", "/a", "/a,c" },
        { "^/ab{2}c", "/a", "/a,c" },
        { "^/a|^/b", "", "" },
        { "/a[0-9]", "", "/a" },
        { "^/a\\d/x\\x41yz", "/a", "/a,/x" },
        { "^/a(?i)b", "", "" },
        { "^(?:/a)/b", "", "/b" },
        { "^/\xc3\xa9?b[x]", "/", "/,b" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
        const rr_pattern_t *pattern;
        rr_err_t err = RR_ERR_INIT;
        const rr_span_t *runs;
        const char *joined = "";
        rr_span_t prefix;
        int n, k;

        if (rr_pattern_compile(&pattern, promises[i].text, 0, p, &err)) {
            ok(0, "%s: %s", promises[i].text, err.text);
            continue;
        }
        prefix = rr_pattern_prefix(pattern);
        is_str(apr_pstrmemdup(p, prefix.bytes ? prefix.bytes : "", prefix.len), promises[i].prefix,
               apr_pstrcat(p, "prefix of ", promises[i].text, NULL));
        runs = rr_pattern_required(pattern, &n);
        for (k = 0; k < n; k++) {
            joined = apr_pstrcat(p, joined, k ? "," : "", apr_pstrmemdup(p, runs[k].bytes, runs[k].len), NULL);
        }
        is_str(joined, promises[i].runs, apr_pstrcat(p, "runs of ", promises[i].text, NULL));
    }
}

static void test_refused(apr_pool_t *p)
{
    static const struct {
        const char *name, *text, *says;
    } refused[] = {
        { "unbalanced", "^/a(b", "offset 5" },
        { "nothing to repeat", "*a", "offset 0" },
        { "a character by number, as in other dialects", "\\u0041", "offset" },
        { "one byte of a character", "\\Ca", "offset" },
        { "UTF mode smuggled in", "(*UTF)a", "offset" },
        { "empty", "", "1 to 4096" },
    };
    char *longest = apr_pcalloc(p, RR_MAX_PATTERN + 2);
    const rr_pattern_t *pattern;
    rr_err_t err;
    apr_size_t i;
    int options;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        rr_err_clear(&err);
        ok(rr_pattern_compile(&pattern, refused[i].text, 0, p, &err) == RR_EINVAL && !pattern, "refused: %s",
           refused[i].name);
        ok(strstr(err.text, refused[i].says) != NULL, "refused: %s: %s", refused[i].name, err.text);
    }
    memset(longest, 'a', RR_MAX_PATTERN);
    rr_err_clear(&err);
    ok(rr_pattern_compile(&pattern, longest, 0, p, &err) == APR_SUCCESS, "the longest pattern");
    longest[RR_MAX_PATTERN] = 'a';
    ok(rr_pattern_compile(&pattern, longest, 0, p, &err) == RR_EINVAL, "one byte longer");

    rr_err_clear(&err);
    ok(rr_pattern_flags(&options, "gimsu", &err) == APR_SUCCESS, "every published flag");
    is_int(options, RR_PATTERN_CASELESS | RR_PATTERN_MULTILINE | RR_PATTERN_UTF, "flags: g and s change nothing");
    ok(rr_pattern_flags(&options, "iy", &err) == RR_EINVAL && strstr(err.text, "'y'"), "an unknown flag by name");
    rr_err_clear(&err);
    ok(rr_pattern_flags(&options, "ii", &err) == RR_EINVAL && strstr(err.text, "twice"), "a flag twice");
}

static void test_limits(apr_pool_t *p)
{
    static const char *const explosive[] = { "(a+)+$", "^(a|a)*$", "(x+x+)+[yz]", "(.*)*(.*)*(.*)*z[0-9]",
                                             "^/a/(\\w+\\s?)*/end$" };
    static const char *const tame[] = { "^/v1/[a-z]+/[0-9]+$", "^(GET|POST)$", "^/a", "[a-z]+@[a-z]+" };
    rr_matcher_t *matcher = rr_matcher_make(p);
    const rr_pattern_t *pattern;
    apr_time_t start, took, worst = 0;
    rr_err_t err = RR_ERR_INIT;
    char subject[8192];
    apr_size_t i;

    for (i = 0; i < sizeof(explosive) / sizeof(explosive[0]); i++) {
        memset(subject, i == 2 ? 'x' : 'a', sizeof(subject));
        subject[63] = subject[sizeof(subject) - 1] = '!';
        rr_pattern_compile(&pattern, explosive[i], 0, p, &err);
        start = apr_time_now();
        ok(rr_pattern_search(pattern, matcher, subject, 64) == RR_MATCH_DOUBT || i >= 3, "%s ends in doubt",
           explosive[i]);
        rr_pattern_search(pattern, matcher, subject, sizeof(subject));
        took = apr_time_now() - start;
        worst = took > worst ? took : worst;
        note("%s: %" APR_TIME_T_FMT " us", explosive[i], took);
        ok(rr_pattern_is_explosive(pattern, matcher), "%s is found out", explosive[i]);
    }
    ok(getenv("RR_UNDER") || worst < 50000, "none takes long (a generous bound: the machine may be busy)");
    for (i = 0; i < sizeof(tame) / sizeof(tame[0]); i++) {
        rr_pattern_compile(&pattern, tame[i], 0, p, &err);
        ok(!rr_pattern_is_explosive(pattern, matcher), "%s is tame", tame[i]);
    }

    /* Needs more than the thread's 32 KiB: the larger stack is made, and the answer is an answer. */
    memset(subject, 'a', sizeof(subject));
    rr_pattern_compile(&pattern, "^(?:a|b|cc)*$", 0, p, &err);
    ok(rr_pattern_search(pattern, matcher, subject, sizeof(subject)) == (getenv("RR_UNDER") ? RR_MATCH_DOUBT : RR_MATCH_YES),
       "a long subject has a deep stack; the interpreter, which valgrind is given, has its limits");
}

/* Every promise is kept: whatever PCRE2 alone matches, our search matches; on patterns nobody would write. */
static void test_same_as_engine(apr_pool_t *parent)
{
    static const char alphabet[] = "aab/bc.*+?|()[]^$\\{}1,-dQE";
    int trial, compiled = 0, matched = 0, wrong = 0;
    apr_pool_t *p;

    srand(20261122);
    apr_pool_create(&p, parent);
    for (trial = 0; trial < 300000; trial++) {
        char text[13], subject[9];
        const rr_pattern_t *pattern;
        pcre2_match_data *data;
        rr_err_t err = RR_ERR_INIT;
        PCRE2_SIZE offset;
        pcre2_code *code;
        int n = 1 + rand() % 11, i, rc, k;

        for (i = 0; i < n; i++) {
            text[i] = alphabet[rand() % (sizeof(alphabet) - 1)];
        }
        text[n] = '\0';
        code = pcre2_compile((PCRE2_SPTR)text, n, PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &rc, &offset, NULL);
        if (!code) {
            continue;
        }
        if (rr_pattern_compile(&pattern, text, 0, p, &err) != APR_SUCCESS) {
            note("%s compiles, but not for us: %s", text, err.text);
            wrong++;
        } else {
            compiled++;
            data = pcre2_match_data_create(1, NULL);
            for (k = 0; k < 8; k++) {
                int len = rand() % 8;

                for (i = 0; i < len; i++) {
                    subject[i] = "aab/c1.d{"[rand() % 9];
                }
                rc = pcre2_match(code, (PCRE2_SPTR)subject, len, 0, 0, data, NULL);
                matched += rc >= 0;
                if ((rc >= 0) != (rr_pattern_search(pattern, rr_matcher_make(p), subject, len) == RR_MATCH_YES)) {
                    note("%s on %.*s: engine %d", text, len, subject, rc);
                    wrong++;
                }
            }
            pcre2_match_data_free(data);
        }
        pcre2_code_free(code);
        if (trial % 1000 == 0) {
            apr_pool_clear(p);
        }
    }
    ok(compiled > 20000 && matched > 20000, "random patterns: %d compiled, %d matches", compiled, matched);
    is_int(wrong, 0, "none differs from the engine alone");
    apr_pool_destroy(p);
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_cases(p);
    test_promises(p);
    test_refused(p);
    test_limits(p);
    test_same_as_engine(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
