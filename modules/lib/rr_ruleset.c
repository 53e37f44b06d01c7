/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_ruleset.c: rules of one scope together: from a file or a store, indexed,
 * and warned of.
 */
#include "rr_file.h"
#include "rr_rule_private.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <string.h>

static void add_headers(apr_array_header_t *headers, const rr_rule_t *rule, apr_hash_t *seen, apr_pool_t *p)
{
    const part_t *part = &rule->parts[PART_HEADERS];
    rr_span_t name;
    int i;

    for (i = 0; i < part->count; i++) {
        if (rr_pattern_shape(part->checks[i].name, &name) == RR_PATTERN_EXACT &&
            !apr_hash_get(seen, name.bytes, (apr_ssize_t)name.len)) {
            apr_hash_set(seen, name.bytes, (apr_ssize_t)name.len, rule);
            APR_ARRAY_PUSH(headers, const char *) = apr_pstrmemdup(p, name.bytes, name.len);
        }
    }
}

const rr_ruleset_t *rr_ruleset_make(const rr_rule_t *const *rules, int count, apr_pool_t *p)
{
    rr_ruleset_t *set = apr_pcalloc(p, sizeof(*set));
    apr_array_header_t *headers = NULL;
    apr_pool_t *ptemp;
    apr_hash_t *seen;
    int i;

    apr_pool_create(&ptemp, p);
    seen = apr_hash_make(ptemp);
    set->rules = rules;
    set->count = count;
    for (i = 0; i < count; i++) {
        set->has_body |= rules[i]->parts[PART_BODY].count > 0;
        if (rules[i]->parts[PART_HEADERS].count) {
            headers = headers ? headers : apr_array_make(p, 4, sizeof(const char *));
            add_headers(headers, rules[i], seen, p);
        }
    }
    set->headers = headers;
    set->index = rule_index_make(rules, count, p);
    apr_pool_destroy(ptemp);
    return set;
}

const apr_array_header_t *rr_ruleset_headers(const rr_ruleset_t *set)
{
    return set->headers;
}

int rr_ruleset_count(const rr_ruleset_t *set)
{
    return set->count;
}

const rr_rule_t *rr_ruleset_rule(const rr_ruleset_t *set, int at)
{
    return set->rules[at];
}

/* One rule by itself. */
static apr_status_t parse_alone(const rr_ruleset_t **pset, const rr_json_t *json, apr_pool_t *p, rr_err_t *err)
{
    const rr_rule_t **rules = apr_palloc(p, sizeof(*rules));
    apr_status_t rv = rr_rule_parse(rules, json, rr_json_member(json, "id") ? NULL : "rule-1", "", p, err);

    if (rv == APR_SUCCESS) {
        *pset = rr_ruleset_make(rules, 1, p);
    }
    return rv;
}

static apr_status_t parse_rules(const rr_ruleset_t **pset, const rr_json_t *array, const char *pointer, apr_pool_t *p,
                                apr_pool_t *ptemp, rr_err_t *err)
{
    const apr_size_t count = rr_json_size(array);
    const rr_rule_t **rules;
    apr_hash_t *ids = apr_hash_make(ptemp);
    apr_size_t i;

    if (rr_json_kind(array) != RR_JSON_ARRAY || count > RR_MAX_RULES) {
        return rr_err_set(err, RR_EINVAL, pointer, "must be an array of at most %d rules", RR_MAX_RULES);
    }
    rules = apr_palloc(p, (count + 1) * sizeof(*rules));
    for (i = 0; i < count; i++) {
        const rr_json_t *json = rr_json_element(array, i);
        const char *place = apr_psprintf(ptemp, "%s/%" APR_SIZE_T_FMT, pointer, i);
        const char *id = rr_json_member(json, "id") ? NULL : apr_psprintf(ptemp, "rule-%" APR_SIZE_T_FMT, i + 1);
        apr_status_t rv = rr_rule_parse(&rules[i], json, id, place, p, err);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (apr_hash_get(ids, rules[i]->id, APR_HASH_KEY_STRING)) {
            return rr_err_set(err, RR_EINVAL, place, "is a second rule with the id \"%s\"", rules[i]->id);
        }
        apr_hash_set(ids, rules[i]->id, APR_HASH_KEY_STRING, rules[i]);
    }
    *pset = rr_ruleset_make(rules, (int)count, p);
    return APR_SUCCESS;
}

apr_status_t rr_ruleset_parse(const rr_ruleset_t **pset, const char *text, apr_size_t len, apr_pool_t *p,
                              rr_err_t *err)
{
    const rr_json_t *json;
    apr_pool_t *ptemp;
    apr_status_t rv;

    *pset = NULL;
    apr_pool_create(&ptemp, p);
    rv = rr_json_parse(&json, text, len, ptemp, err);
    if (rv == APR_SUCCESS && rr_json_kind(json) == RR_JSON_OBJECT) {
        if (rr_json_member(json, "effect")) {
            rv = parse_alone(pset, json, p, err);
        } else if (rr_json_size(json) != 1 || !rr_json_member(json, "rules")) {
            rv = rr_err_set(err, RR_EINVAL, "", "must be a rule, an array of rules, or an object with \"rules\" alone");
        } else {
            rv = parse_rules(pset, rr_json_member(json, "rules"), "/rules", p, ptemp, err);
        }
    } else if (rv == APR_SUCCESS) {
        rv = parse_rules(pset, json, "", p, ptemp, err);
    }
    apr_pool_destroy(ptemp);
    return rv;
}

apr_status_t rr_ruleset_load(const rr_ruleset_t **pset, const char *path, apr_pool_t *p, rr_err_t *err)
{
    apr_size_t len;
    apr_pool_t *ptemp;
    apr_status_t rv;
    char *text;

    *pset = NULL;
    apr_pool_create(&ptemp, p);
    rv = rr_file_read(&text, &len, path, RR_MAX_RULE_FILE, ptemp, err);
    if (rv == APR_SUCCESS) {
        rv = rr_ruleset_parse(pset, text, len, p, err);
    }
    apr_pool_destroy(ptemp);
    return rv;
}
