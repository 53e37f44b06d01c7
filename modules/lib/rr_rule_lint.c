/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule_lint.c: what is legal in a set of rules and probably not meant.
 *
 * Single rules: patterns that are not anchored, that backtrack, conditions a
 * caller drops. Pairs of rules: one that makes another pointless, and an allow
 * and a deny that cross. Pairs are compared by methods and paths, exactly where
 * the patterns are within what rr_pattern_relate.c reads; of two with the same
 * further conditions, these are taken for one.
 */
#include "rr_pattern_relate.h"
#include "rr_rule_private.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_COMPARED 20000 /* pairs of patterns in one run: some seconds */

typedef struct {
    rr_lint_say_t say;
    void *baton;
    apr_pool_t *p;
    rr_matcher_t *matcher;
    const rr_ruleset_t *set;
    unsigned char *pointless; /* by place: said already that the rule changes nothing */
    int compared;             /* pairs of patterns so far */
} lint_t;

static void warn(const lint_t *lint, const rr_rule_t *rule, const char *text)
{
    lint->say(lint->baton, RR_LINT_WARNING, rule, text);
}

static void note(const lint_t *lint, const rr_rule_t *rule, const char *text)
{
    lint->say(lint->baton, RR_LINT_NOTE, rule, text);
}

static void lint_pattern(const lint_t *lint, const rr_rule_t *rule, const char *what, const rr_pattern_t *pattern,
                         int want_anchor)
{
    if (!pattern) {
        return;
    }
    if (rr_pattern_is_explosive(pattern, lint->matcher)) {
        warn(lint, rule,
             apr_psprintf(lint->p, "%s: the pattern backtracks into its limits on some input", what));
    }
    if (want_anchor && rr_pattern_shape(pattern, NULL) != RR_PATTERN_ANY && !rr_pattern_is_anchored(pattern)) {
        warn(lint, rule,
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
            warn(lint, rule,
                 apr_psprintf(lint->p, "%s: a caller who leaves it out is not denied by this rule", what));
        }
    }
}

/* ---- pairs ---- */

static int same_pattern(const rr_pattern_t *a, const rr_pattern_t *b)
{
    return a == b || (a && b && rr_pattern_options(a) == rr_pattern_options(b) &&
                      !strcmp(rr_pattern_text(a), rr_pattern_text(b)));
}

static int same_check(const check_t *a, const check_t *b)
{
    return a->absent == b->absent && same_pattern(a->name, b->name) && same_pattern(a->value, b->value);
}

/* True if a demands nothing but methods and path that b does not demand as well. */
static int demands_no_more(const rr_rule_t *a, const rr_rule_t *b)
{
    int part, i, k;

    for (part = 0; part < PART_COUNT; part++) {
        for (i = 0; i < a->parts[part].count; i++) {
            for (k = 0; k < b->parts[part].count; k++) {
                if (same_check(&a->parts[part].checks[i], &b->parts[part].checks[k])) {
                    break;
                }
            }
            if (k == b->parts[part].count) {
                return 0;
            }
        }
    }
    return 1;
}

/* Methods by number; other methods are one number, so that they are only ever taken for different. */
static unsigned methods_of(const rr_rule_t *rule)
{
    const unsigned mask = rule->methods_mask;

    return !mask ? ~0u : rule->effect == RR_EFFECT_DENY && (mask & 1u << M_GET) ? mask | 1u << M_HEAD : mask;
}

static int covers_methods(const rr_rule_t *a, const rr_rule_t *b)
{
    return !a->methods_mask || (!(methods_of(b) & ~methods_of(a)) && !(a->methods_mask & 1u << M_OTHER));
}

/* A method that both are for, as an example; NULL: there is none. */
static const char *common_method(const rr_rule_t *a, const rr_rule_t *b)
{
    int i, k;

    if (!a->methods || !b->methods) {
        return a->methods ? APR_ARRAY_IDX(a->methods, 0, const char *)
               : b->methods ? APR_ARRAY_IDX(b->methods, 0, const char *) : "GET";
    }
    for (i = 0; i < a->methods->nelts; i++) {
        for (k = 0; k < b->methods->nelts; k++) {
            if (!strcmp(APR_ARRAY_IDX(a->methods, i, const char *), APR_ARRAY_IDX(b->methods, k, const char *))) {
                return APR_ARRAY_IDX(a->methods, i, const char *);
            }
        }
    }
    return methods_of(a) & methods_of(b) & 1u << M_HEAD ? "HEAD" : NULL;
}

/* Told by the literals that paths begin with: nothing matches both. */
static int are_apart(const rr_rule_t *a, const rr_rule_t *b)
{
    rr_span_t one, other;

    if (!a->path || !b->path || a->path->absent || b->path->absent) {
        return 0;
    }
    one = rr_pattern_prefix(a->path->value);
    other = rr_pattern_prefix(b->path->value);
    return memcmp(one.bytes ? one.bytes : "", other.bytes ? other.bytes : "", one.len < other.len ? one.len : other.len);
}

static void say_pointless(lint_t *lint, int at, const rr_rule_t *other)
{
    const rr_rule_t *rule = lint->set->rules[at];

    lint->pointless[at] = 1;
    warn(lint, rule,
         apr_psprintf(lint->p, rule->effect != other->effect
                                   ? "can never allow: rule \"%s\" denies all that it matches"
                                   : "changes nothing: rule \"%s\" has the same effect on all that it matches",
                      other->id));
}

/* What there is to say of an allow and a deny with something in common. */
static void say_overlap(const lint_t *lint, const rr_rule_t *allow, const rr_rule_t *deny, const char *method,
                        const char *path, int cross)
{
    const char *text = apr_psprintf(lint->p, "%s rule \"%s\", which denies: %s %s matches both%s",
                                    cross ? "overlaps" : "makes room for", deny->id, method,
                                    rr_json_quote(lint->p, path, strlen(path)),
                                    cross ? ", and either matches what the other does not" : "");

    (cross ? warn : note)(lint, allow, text);
}

/* How the paths of two rules lie to each other. */
typedef struct {
    int a_covers, b_covers;
    const char *both; /* an example; NULL: nothing is known to match both */
    int cross;        /* each has paths of its own beside those */
} paths_t;

static int is_any_path(const rr_rule_t *rule)
{
    return !rule->path || (!rule->path->absent && rr_pattern_shape(rule->path->value, NULL) == RR_PATTERN_ANY);
}

static int relate(rr_relation_t *relation, const rr_rule_t *a, const rr_rule_t *b, apr_pool_t *p)
{
    return rr_pattern_relate(relation, a->path ? a->path->value : NULL, a->path && a->path->absent,
                             b && b->path ? b->path->value : NULL, b && b->path && b->path->absent, p);
}

/* False where it cannot be told. */
static int relate_paths(paths_t *paths, const rr_rule_t *a, const rr_rule_t *b, apr_pool_t *p)
{
    rr_relation_t relation;
    const int known = relate(&relation, a, b, p);
    const int same = a->path && b->path && a->path->absent == b->path->absent &&
                     same_pattern(a->path->value, b->path->value);

    paths->a_covers = same || is_any_path(a) || (known && !relation.only_b);
    paths->b_covers = same || is_any_path(b) || (known && !relation.only_a);
    paths->both = relation.both;
    paths->cross = relation.both && relation.only_a && relation.only_b;
    return known || paths->a_covers || paths->b_covers;
}

static void compare(lint_t *lint, int first, int second)
{
    const rr_rule_t *a = lint->set->rules[first], *b = lint->set->rules[second];
    const char *method = common_method(a, b);
    paths_t paths;

    if (!method || are_apart(a, b) || ++lint->compared > MAX_COMPARED) {
        return;
    }
    if (!relate_paths(&paths, a, b, lint->p)) {
        note(lint, b, apr_psprintf(lint->p, "cannot be compared with rule \"%s\"", a->id));
        return;
    }
    paths.a_covers = paths.a_covers && covers_methods(a, b) && demands_no_more(a, b);
    paths.b_covers = paths.b_covers && covers_methods(b, a) && demands_no_more(b, a);
    if (paths.a_covers && (a->effect == b->effect || a->effect == RR_EFFECT_DENY)) {
        say_pointless(lint, second, a);
    } else if (paths.b_covers && (a->effect == b->effect || b->effect == RR_EFFECT_DENY)) {
        say_pointless(lint, first, b);
    } else if (paths.both && a->effect != b->effect) {
        say_overlap(lint, a->effect == RR_EFFECT_ALLOW ? a : b, a->effect == RR_EFFECT_ALLOW ? b : a, method,
                    paths.both, paths.cross);
    } else if (paths.both) {
        note(lint, b, apr_psprintf(lint->p, "overlaps rule \"%s\", which has the same effect: %s %s matches both", a->id,
                                   method, rr_json_quote(lint->p, paths.both, strlen(paths.both))));
    }
}

/* A pattern such as ^v1/, which forgets that paths begin with '/'. */
static void lint_emptiness(lint_t *lint, int at)
{
    rr_relation_t relation;

    if (relate(&relation, lint->set->rules[at], NULL, lint->p) && !relation.both) {
        lint->pointless[at] = 1;
        warn(lint, lint->set->rules[at],
             "path: there is no path that it matches: paths begin with / and have neither empty nor dot segments");
    }
}

static void compare_all(lint_t *lint)
{
    int first, second;

    for (second = 1; second < lint->set->count; second++) {
        for (first = 0; first < second && !lint->pointless[second]; first++) {
            if (!lint->pointless[first]) {
                compare(lint, first, second);
            }
        }
    }
    if (lint->compared > MAX_COMPARED) {
        note(lint, lint->set->rules[0],
             apr_psprintf(lint->p, "only the first %d of %d pairs of rules were compared", MAX_COMPARED, lint->compared));
    }
}

void rr_ruleset_lint(const rr_ruleset_t *set, rr_lint_say_t say, void *baton, apr_pool_t *p)
{
    lint_t lint = { say, baton, p, rr_matcher_make(p), set, apr_pcalloc(p, set->count + 1), 0 };
    int i, part;

    for (i = 0; i < set->count; i++) {
        const rr_rule_t *rule = set->rules[i];

        if (rule->path) {
            lint_pattern(&lint, rule, "path", rule->path->value, 1);
            lint_emptiness(&lint, i);
        }
        for (part = 0; part < PART_COUNT; part++) {
            lint_part(&lint, rule, part);
        }
    }
    compare_all(&lint);
}
