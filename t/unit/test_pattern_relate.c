/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pattern_relate.c: how the paths of two patterns lie to each other, told
 * and tried: what is an example matches as it says, and where there is said to
 * be none, no path of very many is one.
 */
#include "../../modules/lib/rr_pattern_relate.h"
#include "tap.h"

#include "rr_path.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>

static const rr_pattern_t *compiled(const char *text, int options, apr_pool_t *p)
{
    const rr_pattern_t *pattern;
    rr_err_t err = RR_ERR_INIT;

    if (rr_pattern_compile(&pattern, text, options, p, &err) != APR_SUCCESS) {
        printf("Bail out! %s: %s\n", text, err.text);
        exit(1);
    }
    return pattern;
}

static void test_cases(apr_pool_t *p)
{
    static const struct {
        const char *a, *b;
        int a_absent, known;
        const char *both, *only_a, *only_b;
    } cases[] = {
        { "^/a", "^/a/", 0, 1, "/a/", "/a", NULL },
        { "^/a$", "^/b$", 0, 1, NULL, "/a", "/b" },
        { "^/a$", "^/a$", 0, 1, "/a", NULL, NULL },
        { "^/a$", "^/a$", 1, 1, NULL, "/", "/a" },
        { "^/[a-c]+$", "c", 0, 1, "/c", "/a", "/cd" },
        { "^/(x|y)z", "yz$", 0, 1, "/yz", "/xz", "/ayz" },
        { ".*", "^/", 0, 1, "/", NULL, NULL },
        { "^/a//b", "^/", 0, 1, NULL, NULL, "/" },
        { "^/\\.\\./", "^/", 0, 1, NULL, NULL, "/" },
        { "^/\\.\\.\\.", "^/", 0, 1, "/...", NULL, "/" },
        { "^/caf\xc3\xa9$", "^/caf.$", 0, 1, "/caf\xc3\xa9", NULL, "/cafa" },
        { "^/(?=a)", "^/", 0, 0, NULL, NULL, NULL },
        { "^/(a)\\1", "^/", 0, 0, NULL, NULL, NULL },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name = apr_psprintf(p, "%s%s and %s", cases[i].a_absent ? "not " : "", cases[i].a, cases[i].b);
        rr_relation_t relation;

        is_int(rr_pattern_relate(&relation, compiled(cases[i].a, 0, p), cases[i].a_absent,
                                 compiled(cases[i].b, 0, p), 0, p), cases[i].known, name);
        is_str(relation.both, cases[i].both, apr_pstrcat(p, name, ": both", NULL));
        is_str(relation.only_a, cases[i].only_a, apr_pstrcat(p, name, ": the first alone", NULL));
        is_str(relation.only_b, cases[i].only_b, apr_pstrcat(p, name, ": the second alone", NULL));
    }
}

/* ---- random patterns ---- */

static const char *random_pattern(apr_pool_t *p)
{
    static const char *const atoms[] = { "a", "b", "/", "/a", "[ab]", "[^/]", ".", "(a|/b)", "a*", "b+", "[^a]*", ".*",
                                         "(/a)?", "a{1,2}", "\\." };
    const char *text = rand() % 3 ? "^/" : "";
    int n = rand() % 5 + !*text;

    while (n-- > 0) {
        text = apr_pstrcat(p, text, atoms[rand() % (sizeof(atoms) / sizeof(atoms[0]))], NULL);
    }
    return rand() % 2 ? apr_pstrcat(p, text, "$", NULL) : text;
}

static const char *random_path(apr_pool_t *p)
{
    static const char bytes[] = "ab/.aab/c";
    char *path = apr_pcalloc(p, 12);
    int i, n = rand() % 10;

    path[0] = '/';
    for (i = 1; i <= n; i++) {
        path[i] = bytes[rand() % (sizeof(bytes) - 1)];
    }
    return path;
}

static int matches(const rr_pattern_t *pattern, int absent, const char *path, rr_matcher_t *matcher)
{
    return (rr_pattern_search(pattern, matcher, path, strlen(path)) == RR_MATCH_YES) != absent;
}

static void test_random(apr_pool_t *parent)
{
    int trial, i, wrong = 0, untold = 0, examples = 0, none = 0;
    apr_pool_t *p;

    srand(7);
    apr_pool_create(&p, parent);
    for (trial = 0; trial < 2000; trial++) {
        rr_relation_t relation;
        rr_matcher_t *matcher;
        const rr_pattern_t *a, *b;
        int a_absent = rand() % 6 == 0, b_absent = rand() % 6 == 0;

        apr_pool_clear(p);
        matcher = rr_matcher_make(p);
        a = compiled(random_pattern(p), rand() % 8 ? 0 : RR_PATTERN_CASELESS, p);
        b = compiled(random_pattern(p), rand() % 8 ? 0 : RR_PATTERN_CASELESS, p);
        if (!rr_pattern_relate(&relation, a, a_absent, b, b_absent, p)) {
            untold++;
            continue;
        }
        for (i = 1; i <= 3; i++) {
            const char *example = i == 3 ? relation.both : i == 1 ? relation.only_a : relation.only_b, *path;
            rr_err_t err = RR_ERR_INIT;

            if (example) {
                examples++;
                wrong += matches(a, a_absent, example, matcher) != (i & 1) ||
                         matches(b, b_absent, example, matcher) != i >> 1 ||
                         rr_path_canonical(&path, example, RR_PATH_STRICT, p, &err) != APR_SUCCESS;
            }
            none += !example;
        }
        for (i = 0; i < 200; i++) {
            const char *path = random_path(p), *same;
            rr_err_t err = RR_ERR_INIT;
            int found;

            if (rr_path_canonical(&same, path, RR_PATH_STRICT, p, &err) != APR_SUCCESS) {
                continue;
            }
            found = matches(a, a_absent, path, matcher) | matches(b, b_absent, path, matcher) << 1;
            if (found && !(found == 3 ? relation.both : found == 1 ? relation.only_a : relation.only_b)) {
                if (++wrong < 4) {
                    note("%s%s and %s%s: %s is an example", a_absent ? "not " : "", rr_pattern_text(a),
                         b_absent ? "not " : "", rr_pattern_text(b), path);
                }
            }
        }
    }
    ok(examples > 2000 && none > 500 && untold < 200, "random pairs: %d examples, %d times none, %d untold", examples,
       none, untold);
    is_int(wrong, 0, "what is said of them holds");
    apr_pool_destroy(p);
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_cases(p);
    test_random(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
