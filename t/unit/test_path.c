/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_path.c: one reading of a path, or a refusal that names the hazard.
 */
#include "rr_path.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static const struct {
    const char *target, *strict, *lenient; /* a refusal begins with '!' and is a part of its text */
} cases[] = {
    { "/", "/", "/" },
    { "/v1/user/7", "/v1/user/7", "/v1/user/7" },
    { "/v1/user/7/", "/v1/user/7/", "/v1/user/7/" },
    { "/a?b=/../c#d", "!fragment", "/a" },
    { "/a?b=/../%2f;", "/a", "/a" },
    { "/a#b", "!fragment", "/a" },
    { "/%61dmin", "/admin", "/admin" },
    { "/%41dmin", "/Admin", "/Admin" },
    { "/a%20b", "/a b", "/a b" },
    { "/a%23b", "/a#b", "/a#b" },
    { "/a%3fb", "/a?b", "/a?b" },
    { "/100%25", "/100%", "/100%" },
    { "/100%25z", "/100%z", "/100%z" },
    { "/caf%c3%a9", "/caf\xc3\xa9", "/caf\xc3\xa9" },
    { "/caf%e9", "/caf\xe9", "/caf\xe9" },
    { "/a.", "/a.", "/a." },
    { "/a...", "/a...", "/a..." },
    { "/...", "/...", "/..." },
    { "/..a/b", "/..a/b", "/..a/b" },
    { "/.well-known/x", "/.well-known/x", "/.well-known/x" },
    { "http://h.example/v1?x", "/v1", "/v1" },
    { "HTTP://h.example", "/", "/" },
    { "http://h.example?x", "/", "/" },
    { "https://u@h:1/a%2fb", "!encoded slash", "/a/b" },
    { "*", "*", "*" },
    { "", "!leading slash", "!leading slash" },
    { "host:443", "!leading slash", "!leading slash" },
    { "a/b", "!leading slash", "!leading slash" },
    { "/a%2fb", "!encoded slash", "/a/b" },
    { "/a%2Fb", "!encoded slash", "/a/b" },
    { "/a%5cb", "!encoded backslash", "/a\\b" },
    { "/a\\b", "!a backslash", "/a\\b" },
    { "/a%00b", "!NUL", "!NUL" },
    { "/a;b=1/c", "!semicolon", "/a;b=1/c" },
    { "/a%3bb", "!semicolon", "/a;b" },
    { "/a/..;/b", "!semicolon", "/a/..;/b" },
    { "//a", "!empty segment", "/a" },
    { "/a//b", "!empty segment", "/a/b" },
    { "/a//", "!empty segment", "/a/" },
    { "/a/../b", "!dot segment", "/b" },
    { "/a/%2e%2e/b", "!dot segment", "/b" },
    { "/a/.%2E/b", "!dot segment", "/b" },
    { "/a/./b", "!dot segment", "/a/b" },
    { "/a/.", "!dot segment", "/a/" },
    { "/a/..", "!dot segment", "/" },
    { "/..", "!dot segment", "/" },
    { "/%2e", "!dot segment", "/" },
    { "/a%252fb", "!double encoding", "/a%2fb" },
    { "/a%252e%252e/b", "!double encoding", "/a%2e%2e/b" },
    { "/a%25%32%66b", "!double encoding", "/a%2fb" },
    { "/a%25u002fb", "!double encoding", "/a%u002fb" },
    { "/a%u002fb", "!broken", "!broken" },
    { "/a%", "!broken", "!broken" },
    { "/a%4", "!broken", "!broken" },
    { "/a%4?1", "!broken", "!broken" },
    { "/a%zz", "!broken", "!broken" },
    { "/a%0ab", "!control", "/a\nb" },
    { "/a%7fb", "!control", "/a\x7f" "b" },
    { "/a%c0%afb", "!overlong", "/a\xc0\xaf" "b" },
    { "/a%e0%80%afb", "!overlong", "/a\xe0\x80\xaf" "b" },
    { "/a%f0%80%80%afb", "!overlong", "/a\xf0\x80\x80\xaf" "b" },
    { "/%e0%a4%85", "/\xe0\xa4\x85", "/\xe0\xa4\x85" },
};

static void is_path(apr_status_t rv, const char *got, const char *want, const rr_err_t *err, const char *name)
{
    if (want[0] == '!') {
        ok(rv == RR_EINVAL && !got && strstr(err->text, want + 1), "%s refused: %s", name, err->text);
    } else if (!ok(rv == APR_SUCCESS && got && !strcmp(got, want), "%s", name)) {
        note("got %s (%s), want %s", got ? got : "(null)", err->text, want);
    }
}

static void test_canonical(apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rr_err_t strict = RR_ERR_INIT, lenient = RR_ERR_INIT;
        const char *path;
        apr_status_t rv;

        rv = rr_path_canonical(&path, cases[i].target, RR_PATH_STRICT, p, &strict);
        is_path(rv, path, cases[i].strict, &strict, apr_pstrcat(p, "strict ", cases[i].target, NULL));
        rv = rr_path_canonical(&path, cases[i].target, RR_PATH_LENIENT, p, &lenient);
        is_path(rv, path, cases[i].lenient, &lenient, apr_pstrcat(p, "lenient ", cases[i].target, NULL));
    }
}

static void test_judged(apr_pool_t *p)
{
    static const struct {
        const char *name, *target, *uri, *want;
    } judged[] = {
        { "the same", "/a/b", "/a/b", "/a/b" },
        { "decoded by the server", "/%61/b%20c", "/a/b c", "/a/b c" },
        { "kept encoded by the server", "/%61/b%20c", "/%61/b%20c", "/a/b c" },
        { "partly decoded by the server", "/%61/b%20c", "/a/b%20c", "/a/b c" },
        { "rewritten: what the backend gets is judged", "/old/x", "/new/x", "/new/x" },
        { "fast redirect to an index", "/dir/", "/dir/index.html", "/dir/index.html" },
        { "rewritten into a hazard", "/old/x", "/new/%61", "!double encoding" },
        { "rewritten into dots", "/old/x", "/new/../x", "!dot segment" },
        { "a hazard does not pass by being rewritten", "/old//x", "/new/x", "!empty segment" },
        { "absolute form", "http://h/a/b", "/a/b", "/a/b" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
        rr_err_t err = RR_ERR_INIT;
        const char *path;
        apr_status_t rv = rr_path_judged(&path, judged[i].target, judged[i].uri, RR_PATH_STRICT, p, &err);

        is_path(rv, path, judged[i].want, &err, judged[i].name);
    }
}

static void test_below(void)
{
    is_str(rr_path_below("/stripe/v1/x", "/stripe"), "/v1/x", "below a mount");
    is_str(rr_path_below("/stripe/v1/x", "/stripe/"), "/v1/x", "below a mount with a slash");
    is_str(rr_path_below("/stripe", "/stripe"), "/", "the mount itself");
    is_str(rr_path_below("/stripe/", "/stripe"), "/", "the mount itself with a slash");
    is_str(rr_path_below("/stripes/v1", "/stripe"), NULL, "a longer name is not below");
    is_str(rr_path_below("/other", "/stripe"), NULL, "another path is not below");
    is_str(rr_path_below("/v1/x", "/"), "/v1/x", "below the root");
    is_str(rr_path_below("/", "/"), "/", "the root itself");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_canonical(p);
    test_judged(p);
    test_below();
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
