/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_ruleset.c: rules of one scope together: from a file or a store, indexed,
 * and warned of.
 */
#include "rr_rule_private.h"

#include <apr_file_io.h>
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
        if (rr_json_size(json) != 1 || !rr_json_member(json, "rules")) {
            rv = rr_err_set(err, RR_EINVAL, "", "must be an array of rules, or an object with \"rules\" alone");
        } else {
            rv = parse_rules(pset, rr_json_member(json, "rules"), "/rules", p, ptemp, err);
        }
    } else if (rv == APR_SUCCESS) {
        rv = parse_rules(pset, json, "", p, ptemp, err);
    }
    apr_pool_destroy(ptemp);
    return rv;
}

static apr_status_t read_file(char **ptext, apr_size_t *plen, const char *path, apr_pool_t *p)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_status_t rv;

    if ((rv = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, 0, p)) != APR_SUCCESS) {
        return rv;
    }
    if ((rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file)) == APR_SUCCESS) {
        if (info.filetype != APR_REG || info.size > RR_MAX_RULE_FILE) {
            rv = RR_EINVAL;
        } else {
            *ptext = apr_palloc(p, (apr_size_t)info.size + 1);
            *plen = (apr_size_t)info.size;
            rv = *plen ? apr_file_read_full(file, *ptext, *plen, NULL) : APR_SUCCESS;
        }
    }
    apr_file_close(file);
    return rv;
}

apr_status_t rr_ruleset_load(const rr_ruleset_t **pset, const char *path, apr_pool_t *p, rr_err_t *err)
{
    char *text = NULL, why[120];
    apr_size_t len = 0;
    apr_pool_t *ptemp;
    apr_status_t rv;

    *pset = NULL;
    apr_pool_create(&ptemp, p);
    rv = read_file(&text, &len, path, ptemp);
    if (rv == RR_EINVAL) {
        rr_err_set(err, rv, path, "is not a plain file of at most %d bytes", RR_MAX_RULE_FILE);
    } else if (rv != APR_SUCCESS) {
        rr_err_set(err, rv, path, "cannot be read: %s", apr_strerror(rv, why, sizeof(why)));
    } else {
        rv = rr_ruleset_parse(pset, text, len, p, err);
    }
    apr_pool_destroy(ptemp);
    return rv;
}

/* ---- lint ---- */

typedef struct {
    void (*warn)(void *baton, const rr_rule_t *rule, const char *text);
    void *baton;
    apr_pool_t *p;
    rr_matcher_t *matcher;
} lint_t;

static void lint_pattern(const lint_t *lint, const rr_rule_t *rule, const char *what, const rr_pattern_t *pattern,
                         int want_anchor)
{
    if (!pattern) {
        return;
    }
    if (rr_pattern_is_explosive(pattern, lint->matcher)) {
        lint->warn(lint->baton, rule,
                   apr_psprintf(lint->p, "%s: the pattern backtracks into its limits on some input", what));
    }
    if (want_anchor && rr_pattern_shape(pattern, NULL) != RR_PATTERN_ANY && !rr_pattern_is_anchored(pattern)) {
        lint->warn(lint->baton, rule,
                   apr_psprintf(lint->p, "%s: the pattern is not anchored and matches anywhere: begin with ^", what));
    }
}

static void lint_part(const lint_t *lint, const rr_rule_t *rule, int which)
{
    static const char *const names[PART_COUNT] = { "headers", "query", "token", "body" };
    int i;

    for (i = 0; i < rule->parts[which].count; i++) {
        const check_t *check = &rule->parts[which].checks[i];
        const char *what = apr_psprintf(lint->p, "%s/%d", names[which], i);

        lint_pattern(lint, rule, apr_pstrcat(lint->p, what, "/name", NULL), check->name, 1);
        lint_pattern(lint, rule, apr_pstrcat(lint->p, what, "/value", NULL), check->value,
                     rule->effect == RR_EFFECT_ALLOW);
        if (rule->effect == RR_EFFECT_DENY && !check->absent) {
            lint->warn(lint->baton, rule,
                       apr_psprintf(lint->p, "%s: a caller who leaves it out is not denied by this rule", what));
        }
    }
}

/* True if whatever b matches, a matches too, by method and literal path alone: a has no other part. */
static int covers(const rr_rule_t *a, const rr_rule_t *b)
{
    rr_span_t prefix, other;
    int part;

    for (part = 0; part < PART_COUNT; part++) {
        if (a->parts[part].count) {
            return 0;
        }
    }
    if (a->methods_mask && (!b->methods_mask || (b->methods_mask & ~a->methods_mask) ||
                            (a->methods_mask & 1u << M_OTHER))) {
        return 0;
    }
    if (!a->path || (!a->path->absent && rr_pattern_shape(a->path->value, NULL) == RR_PATTERN_ANY)) {
        return 1;
    }
    if (a->path->absent || !b->path || b->path->absent) {
        return 0;
    }
    if (!strcmp(rr_pattern_text(a->path->value), rr_pattern_text(b->path->value)) &&
        rr_pattern_options(a->path->value) == rr_pattern_options(b->path->value)) {
        return 1;
    }
    other = rr_pattern_prefix(b->path->value);
    return rr_pattern_shape(a->path->value, &prefix) == RR_PATTERN_PREFIX &&
           !(rr_pattern_options(a->path->value) & RR_PATTERN_CASELESS) && other.len >= prefix.len &&
           !memcmp(other.bytes, prefix.bytes, prefix.len);
}

/* The first rule that makes another pointless: for an allow, a deny that covers it; for either, its like. */
static void lint_reach(const lint_t *lint, const rr_ruleset_t *set, int at)
{
    const rr_rule_t *rule = set->rules[at];
    int i;

    for (i = 0; i < set->count; i++) {
        const rr_rule_t *other = set->rules[i];

        if (i == at || !covers(other, rule)) {
            continue;
        }
        if (rule->effect == RR_EFFECT_ALLOW && other->effect == RR_EFFECT_DENY) {
            lint->warn(lint->baton, rule,
                       apr_psprintf(lint->p, "can never allow: rule \"%s\" denies all that it matches", other->id));
            return;
        }
        if (rule->effect == other->effect && (i < at || !covers(rule, other))) {
            lint->warn(lint->baton, rule,
                       apr_psprintf(lint->p, "changes nothing: rule \"%s\" has the same effect on all that it matches",
                                    other->id));
            return;
        }
    }
}

void rr_ruleset_lint(const rr_ruleset_t *set, void (*warn)(void *baton, const rr_rule_t *rule, const char *text),
                     void *baton, apr_pool_t *p)
{
    const lint_t lint = { warn, baton, p, rr_matcher_make(p) };
    int i, part;

    for (i = 0; i < set->count; i++) {
        const rr_rule_t *rule = set->rules[i];

        if (rule->path) {
            lint_pattern(&lint, rule, "path", rule->path->value, 1);
        }
        for (part = 0; part < PART_COUNT; part++) {
            lint_part(&lint, rule, part);
        }
        lint_reach(&lint, set, i);
    }
}
