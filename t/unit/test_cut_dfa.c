/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cut_dfa.c: merged automata against PCRE2: the same patterns, the same
 * paths, the same answers; and which patterns are left to PCRE2.
 */
#include "tap.h"

#include "../../modules/lib/rr_cut_dfa.h"
#include "rr_pattern.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>

static apr_pool_t *pool;

static const char *const known[] = {
    "a",          "^a$",        "abc",      "a|b",         "^(a|bc)$",   "(?:ab)+c",  "a*",         "^a+$",        "a?b",
    "^.$",        "^..$",       ".*",       "[abc]",       "[^abc]",     "^[^.]*$",   "[a-c]\\d",   "\\d+",        "\\w\\W",
    "\\s",        "\\S\\S\\S",  "\\D$",     "^\\[\\d+\\]", "\\.a\\.",    "a{2}",      "a{2,}",      "^a{1,2}$",    "(ab){0,2}c",
    "a+?b",       "a*?",        "[]a]",     "[^]a]",       "[a-]",       "[\\d.]",    "[\\]\\[]",   "\\$",         "a$|^b",
    "^",          "$",          "^$",       "$^",          "(^a|b$)c?",  "k",         "s",          "[i-l]",       "\u00e9",
    "\u00e9+",    "a\u00e9?b",  "x{0}b",    "(a|b|)c",     "((a)|(b))*c", "^a.*c$",   "b.c",        "(|a)+b",      "a{0,}b",
    "\\ba\\b",  "a\\b",        "\\Ba",     "a\\B",         "\\b",         "\\B",        "\\b\\B",       "^\\b",          "\\b^a",
    "a\\b$",    "\\b$",        "(\\b|c)+a", "a(\\b.|b)",    "\\b\\d+\\b",   "\\Aa",       "a\\z",
    "\\w\\b.\\b\\w",   "\\b[ab]*\\B",
};

static const char *const unknown[] = {
    "(?=a)b", "(?<!a)b", "(a)\\1", "\\b?a", "a++", "a*+b", "(?i)a", "(?<n>a)", "[[:alpha:]]", "\\p{L}", "\\x41", "\\Qa\\E", "a\\Z",
    "(?#x)a",  "(?>a)b", "[\u00e9]", "^*a", "a{65}", "\\R", "(*UCP)a", "a{,3}", "[a-\\d]",
};

static const char *random_path(void)
{
    static const char *const parts[] = { "a", "b", "c", "aa", "ab", ".", "[0]", "[12]", "d", " ", "k", "s", "S", "K",
      "\u00e9", "\u20ac",
                                         "\u212a", "\u017f", "_", "\n", "$", "]", "\U0001F600", "1", "-" };
    int count = rand() % 6, i;
    const char *path = "";

    for (i = 0; i < count; i++) {
        path = apr_pstrcat(pool, path, parts[(size_t)rand() % (sizeof(parts) / sizeof(parts[0]))], NULL);
    }
    return path;
}

/* Whether the automaton finds pattern number in path. */
static int finds(const rr_dfa_t *dfa, const char *path, unsigned number)
{
    apr_uint64_t active[2] = { 0, 0 };

    active[number / 64] = (apr_uint64_t)1 << number % 64;
    return (rr_dfa_run(dfa, dfa->start, path, strlen(path), active) & RR_DFA_FOUND) != 0;
}

static void test_one_by_one(int caseless)
{
    rr_matcher_t *matcher = rr_matcher_make(pool);
    size_t i;
    int round;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        rr_dfa_pattern_t one = { known[i], caseless, 0 };
        const rr_pattern_t *pattern;
        rr_err_t err = RR_ERR_INIT;
        const rr_dfa_t *dfa;
        int wrong = 0;

        if (!rr_dfa_knows(known[i], caseless, pool)) {
            ok(caseless && (strstr(known[i], "[^") || strchr(known[i],
              '\\') || (unsigned char)known[i][0] >= 0x80 || known[i][1] != 0),
               "%s is left to PCRE2 where case does not count", known[i]);
            continue;
        }
        dfa = rr_dfa_build(&one, 1, 1, pool);
        /* the empty look-ahead has the engine itself answer, not rr_pattern's own comparison of literals */
        if (!ok(dfa && rr_pattern_compile(&pattern, apr_pstrcat(pool, "(?=)(?:", known[i], ")", NULL),
          RR_PATTERN_UTF | (caseless ? RR_PATTERN_CASELESS : 0), pool, &err) == APR_SUCCESS,
                "%s is known", known[i])) {
            continue;
        }
        for (round = 0; round < 2000 && !wrong; round++) {
            const char *path = random_path();
            int want = rr_pattern_search(pattern, matcher, path, strlen(path)) == RR_MATCH_YES;

            if (finds(dfa, path, 0) != want) {
                wrong = 1;
                note("%s in \"%s\": PCRE2 says %d", known[i], path, want);
            }
        }
        ok(!wrong, "%s finds what PCRE2 finds%s", known[i], caseless ? ", caseless" : "");
    }
}

static void test_merged(void)
{
    enum { COUNT = sizeof(known) / sizeof(known[0]) };
    rr_dfa_pattern_t all[COUNT];
    const rr_dfa_t *alone[COUNT], *merged;
    int round, wrong = 0;
    unsigned i, count = 0;

    for (i = 0; i < COUNT && count < 20; i++) { /* few enough for one automaton */
        if (strstr(known[i], ".*")) {
            continue;
        }
        all[count].text = known[i];
        all[count].caseless = 0;
        all[count].number = count + 60; /* over the border of a word */
        alone[count] = rr_dfa_build(&all[count], 1, 2, pool);
        count++;
    }
    merged = rr_dfa_build(all, count, 2, pool);
    if (!ok(merged != NULL, "%u patterns merged", count)) {
        return;
    }
    for (round = 0; round < 3000 && !wrong; round++) {
        const char *path = random_path();

        for (i = 0; i < count; i++) {
            if (finds(merged, path, 60 + i) != finds(alone[i], path, 60 + i)) {
                wrong = 1;
                note("%s in \"%s\"", all[i].text, path);
            }
        }
    }
    ok(!wrong, "together they find what each finds alone");
}

static void test_bounds(void)
{
    rr_dfa_pattern_t wild[12];
    rr_dfa_pattern_t nested = { "((((a{64}){64}){64}){64}){64}", 0, 0 };
    size_t i;

    for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        ok(!rr_dfa_knows(unknown[i], 0, pool), "%s is left to PCRE2", unknown[i]);
    }
    for (i = 0; i < 12; i++) { /* each doubles the states of the others */
        wild[i].text = apr_psprintf(pool, "%c.*%c", (char)('a' + i), (char)('m' + i));
        wild[i].caseless = 0;
        wild[i].number = (unsigned)i;
    }
    ok(!rr_dfa_build(wild, 12, 1, pool), "an automaton of too many states is not made");
    ok(rr_dfa_build(wild, 3, 1, pool) != NULL, "one of few is");
    ok(!rr_dfa_knows(nested.text, 0, pool), "repetitions of repetitions are left to PCRE2");
    ok(!rr_dfa_knows("((((((){64}){64}){64}){64}){64}){64}", 0, pool), "also those of nothing");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    srand(1);
    test_one_by_one(0);
    test_one_by_one(1);
    test_merged();
    test_bounds();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}
