/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_rule.c: a rule in any published shape to the one shape that is kept.
 */
#include "rr_api_private.h"
#include "rr_rule.h"

apr_status_t api_rule_normalise(const char **ptext, const rr_json_t *body, apr_pool_t *p, rr_err_t *err)
{
    const rr_rule_t *rule;
    apr_status_t rv = rr_rule_parse(&rule, body, "rule", "", p, err);

    *ptext = rv == APR_SUCCESS ? rr_rule_print(rule, p) : NULL;
    return rv;
}
