/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_id.c: what may be a name, what may be a word, and ids, which are neither.
 */
#include "rr_store.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static void test_names(apr_pool_t *p)
{
    static const struct {
        const char *text;
        int name, word; /* whether it may be */
    } cases[] = {
        { "mobile-app-backend", 1, 1 }, { "a", 1, 1 }, { "A.b_c~d-9", 1, 1 }, { "two words", 1, 0 },
        { "gr\xc3\xbc\xc3\x9f" "e", 1, 0 }, { "", 0, 0 }, { " a", 0, 0 }, { "a ", 0, 0 }, { "a/b", 0, 0 }, { "a\nb", 0, 0 },
        { "a\x7f", 0, 0 }, { "a\xc2\x85" "b", 0, 0 }, { "a\xff", 0, 0 }, { "a\xc3", 0, 0 }, { "\xc0\xaf", 0, 0 },
        { "\xed\xa0\x80", 0, 0 }, { "rrid_x", 0, 0 }, { "Rrid_x", 1, 1 }, { ".", 1, 0 }, { "..", 1, 0 }, { ".a", 1, 0 },
        { "a%2f", 1, 0 }, { "a:b", 1, 0 },
    };
    char *longest = apr_pcalloc(p, RR_MAX_NAME + 2);
    const char *id, *other;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok((rr_name_check(cases[i].text, "x", NULL) == APR_SUCCESS) == cases[i].name, "name %d", (int)i);
        ok((rr_word_check(cases[i].text, "x", NULL) == APR_SUCCESS) == cases[i].word, "word %d", (int)i);
    }
    memset(longest, 'a', RR_MAX_NAME + 1);
    is_int(rr_name_check(longest, "x", NULL), RR_EINVAL, "a name too long by one");
    is_int(rr_word_check(longest, "x", NULL), RR_EINVAL, "a word too long by one");
    longest[RR_MAX_NAME] = '\0';
    is_int(rr_name_check(longest, "x", NULL), APR_SUCCESS, "the longest name");
    is_int(rr_word_check(longest, "x", NULL), APR_SUCCESS, "the longest word");
    rr_id_make(&id, p, NULL);
    rr_id_make(&other, p, NULL);
    ok(rr_id_is(id) && strcmp(id, other), "an id is made");
    is_int(rr_name_check(id, "x", NULL), RR_EINVAL, "which no name may be");
    ok(!rr_id_is("rrid_") && !rr_id_is("default") && !rr_id_is(apr_pstrcat(p, id, "0", NULL)), "what is no id");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_names(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
