/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json.c: any bytes into the JSON parser. What it accepts has to print to
 * text that it accepts again and prints the same, and jansson has to agree on
 * what is JSON.
 */
#include "rr_json.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <jansson.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Reads every value in every way; depth is bounded by the parser. */
static void walk(apr_pool_t *p, const rr_json_t *value)
{
    apr_int64_t number;
    apr_size_t i;

    rr_json_int(value, &number);
    rr_json_is_true(value);
    rr_json_scalar(p, value);
    rr_json_words(p, value);
    for (i = 0; rr_json_kind(value) == RR_JSON_ARRAY && i < rr_json_size(value); i++) {
        walk(p, rr_json_element(value, i));
    }
}

static int visit(void *baton, const char *name, const rr_json_t *value)
{
    apr_pool_t *p = baton;

    walk(p, value);
    rr_json_quote(p, name, 5);
    return 1;
}

/* jansson's verdict; its refusals for the size of numbers are not ours, and it lets a NUL end some texts early. */
static void compare(const char *text, size_t len, int accepted, const char *why)
{
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    int number = !value && json_error_code(&error) == json_error_numeric_overflow;

    if (!number && !memchr(text, '\0', len) && !!value != accepted && !(value && why && strstr(why, "nested"))) {
        abort();
    }
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const char *const paths[] = { "a", "a.b", "/a/0/b", "/~0~1", "", "/" };
    static apr_pool_t *root;
    const rr_json_t *value, *again;
    rr_err_t err = RR_ERR_INIT;
    const char *printed;
    apr_pool_t *p;
    size_t i;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&p, root);
    if (rr_json_parse(&value, (const char *)data, size, p, &err) == APR_SUCCESS) {
        compare((const char *)data, size, 1, NULL);
        printed = rr_json_print(p, value);
        if (rr_json_parse(&again, printed, strlen(printed), p, NULL) != APR_SUCCESS
            || strcmp(printed, rr_json_print(p, again))) {
            abort();
        }
        walk(p, value);
        rr_json_members(value, visit, p);
        for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
            rr_json_at(value, paths[i]);
        }
    } else {
        compare((const char *)data, size, 0, err.text);
    }
    apr_pool_destroy(p);
    return 0;
}
