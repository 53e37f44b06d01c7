/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule_print.c: a compiled rule in the one JSON shape that we emit.
 */
#include "rr_rule_private.h"

#include <apr_strings.h>

#include <string.h>

static const struct {
    const char *member, *name;
} parts[PART_COUNT] = {
    [PART_HEADERS] = { "headers", "name" },
    [PART_QUERY] = { "query", "name" },
    [PART_TOKEN] = { "token", "claim" },
    [PART_BODY] = { "body", "jsonPath" },
};

static const char *quote(apr_pool_t *p, const char *text)
{
    return rr_json_quote(p, text, strlen(text));
}

static const char *print_pattern(apr_pool_t *p, const char *member, const rr_pattern_t *pattern, const char *flags)
{
    return apr_pstrcat(p, "\"", member, "\":{\"pattern\":", quote(p, rr_pattern_text(pattern)),
                       *flags ? ",\"flags\":" : "", *flags ? quote(p, flags) : "", "}", NULL);
}

static const char *print_presence(const check_t *check)
{
    return check->absent ? "\"presence\":\"must_absent\"" : "\"presence\":\"must_exist\"";
}

static const char *print_part(const rr_rule_t *rule, int which, apr_pool_t *p)
{
    const part_t *part = &rule->parts[which];
    const char *out = "";
    int i;

    for (i = 0; i < part->count; i++) {
        const check_t *check = &part->checks[i];

        out = apr_pstrcat(p, out, i ? ",{" : "{", print_pattern(p, parts[which].name, check->name, check->name_flags),
                          ",", check->value ? print_pattern(p, "value", check->value, check->value_flags) : "",
                          check->value ? "," : "", print_presence(check), "}", NULL);
    }
    return part->count ? apr_pstrcat(p, ",\"", parts[which].member, "\":[", out, "]", NULL) : "";
}

static const char *print_methods(const rr_rule_t *rule, apr_pool_t *p)
{
    const char *out = "";
    int i;

    for (i = 0; rule->methods && i < rule->methods->nelts; i++) {
        out = apr_pstrcat(p, out, i ? "," : "", quote(p, APR_ARRAY_IDX(rule->methods, i, const char *)), NULL);
    }
    return rule->methods ? apr_pstrcat(p, ",\"methods\":[", out, "]", NULL) : "";
}

const char *rr_rule_print(const rr_rule_t *rule, apr_pool_t *p)
{
    const char *out = rule->effect == RR_EFFECT_ALLOW ? "{\"effect\":\"allow\"" : "{\"effect\":\"deny\"";
    int part;

    out = apr_pstrcat(p, out, print_methods(rule, p), NULL);
    if (rule->path) {
        out = apr_pstrcat(p, out, ",\"path\":{", print_pattern(p, "path", rule->path->value, rule->path->value_flags),
                          ",", print_presence(rule->path), "}", NULL);
    }
    for (part = 0; part < PART_COUNT; part++) {
        out = apr_pstrcat(p, out, print_part(rule, part, p), NULL);
    }
    if (rule->has_priority) {
        out = apr_pstrcat(p, out, ",\"priority\":", apr_itoa(p, rule->priority), NULL);
    }
    return apr_pstrcat(p, out, rule->notes ? ",\"notes\":" : "", rule->notes ? quote(p, rule->notes) : "", "}", NULL);
}
