/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_rule.c: any text as a set of rules. What is accepted is emitted, and
 * what is emitted is accepted and emitted alike.
 */
#include "rr_rule.h"

#include <apr_general.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const rr_rule_t *rule, apr_pool_t *p)
{
    const char *text = rr_rule_print(rule, p);
    const rr_json_t *json;
    const rr_rule_t *again;

    if (rr_json_parse(&json, text, strlen(text), p, NULL) != APR_SUCCESS ||
        rr_rule_parse(&again, json, rr_rule_id(rule), "", p, NULL) != APR_SUCCESS ||
        strcmp(rr_rule_print(again, p), text)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *parent;
    const rr_ruleset_t *set;
    rr_err_t err = RR_ERR_INIT;
    apr_pool_t *p;
    int i;

    if (!parent) {
        apr_initialize();
        apr_pool_create(&parent, NULL);
    }
    apr_pool_create(&p, parent);
    if (rr_ruleset_parse(&set, (const char *)data, size, p, &err) == APR_SUCCESS) {
        for (i = 0; i < rr_ruleset_count(set); i++) {
            check_rule(rr_ruleset_rule(set, i), p);
        }
    } else if (err.status == APR_SUCCESS || !err.text[0]) {
        abort(); /* a refusal says why */
    }
    apr_pool_destroy(p);
    return 0;
}
