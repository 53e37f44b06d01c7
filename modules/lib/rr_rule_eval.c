/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule_eval.c: rules and facts to a verdict.
 *
 * Three values throughout: yes, no, doubt. A part that surely fails settles a
 * rule; a doubt that is left denies the request, whatever the rule's effect.
 *
 * Where facts come in several readings, the one that lets less through
 * counts. A check is *loose* where finding something leads to a denial (deny
 * with must_exist, allow with must_absent): each value and each element of a
 * joined header is tested. Else it is *strict*: a header's joined value is
 * tested, and every value of a query parameter has to match.
 */
#include "rr_rule_private.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

typedef struct {
    rr_facts_t *facts;
    rr_matcher_t *matcher;
    const char *part;  /* of the rule being tested: where it failed or came into doubt */
    int at;            /* and which check of it; -1: not a list */
    const char *doubt; /* for the client */
    apr_array_header_t *secrets; /* const char *: headers that hold a value which a rule knows exactly; NULL: none */
} test_t;

#define CPU_LIMIT apr_time_from_msec(50) /* of all searches for one request */

static rr_match_e both(rr_match_e a, rr_match_e b)
{
    return a == RR_MATCH_NO || b == RR_MATCH_NO ? RR_MATCH_NO : a == RR_MATCH_YES ? b : a;
}

static rr_match_e either(rr_match_e a, rr_match_e b)
{
    return a == RR_MATCH_YES || b == RR_MATCH_YES ? RR_MATCH_YES : a == RR_MATCH_NO ? b : a;
}

static rr_match_e negate(rr_match_e a)
{
    return a == RR_MATCH_YES ? RR_MATCH_NO : a == RR_MATCH_NO ? RR_MATCH_YES : a;
}

/* ---- one check ---- */

static rr_match_e test_value(test_t *test, const check_t *check, const char *value, apr_size_t len)
{
    if (!check->value || rr_pattern_shape(check->value, NULL) == RR_PATTERN_ANY) {
        return RR_MATCH_YES;
    }
    return value ? rr_pattern_search(check->value, test->matcher, value, len) : RR_MATCH_NO;
}

/* Elements of a joined header, blanks around each apart; the joined value itself was tested before. */
static rr_match_e test_elements(test_t *test, const check_t *check, const fact_t *fact)
{
    const char *at = fact->value, *const end = fact->value + fact->value_len;
    rr_match_e found = RR_MATCH_NO;

    if (!memchr(at, ',', fact->value_len)) {
        return RR_MATCH_NO;
    }
    while (at <= end && found != RR_MATCH_YES) {
        const char *comma = memchr(at, ',', end - at);
        const char *stop = comma ? comma : end;

        while (at < stop && apr_isspace(*at)) {
            at++;
        }
        while (stop > at && apr_isspace(stop[-1])) {
            stop--;
        }
        found = either(found, test_value(test, check, at, stop - at));
        at = comma ? comma + 1 : end + 1;
    }
    return found;
}

/* All facts of one name: any of them where loose, every one where strict. */
static rr_match_e test_name(test_t *test, const check_t *check, const fact_list_t *list, int first, int part, int loose)
{
    rr_match_e found = loose ? RR_MATCH_NO : RR_MATCH_YES;
    int i;

    for (i = first; i >= 0; i = list->facts[i].next) {
        const fact_t *fact = &list->facts[i];
        rr_match_e one = test_value(test, check, fact->value, fact->value_len);

        if (loose && part == PART_HEADERS && one != RR_MATCH_YES) {
            one = either(one, test_elements(test, check, fact));
        }
        found = loose ? either(found, one) : both(found, one);
        if (found == (loose ? RR_MATCH_YES : RR_MATCH_NO) || one == RR_MATCH_DOUBT) {
            break;
        }
    }
    return found;
}

/* A repeated claim is an array: its elements are alternatives. Parameters that repeat contradict each other. */
static rr_match_e test_check(test_t *test, const check_t *check, int part, rr_effect_e effect)
{
    const int loose = (effect == RR_EFFECT_DENY) != check->absent || part == PART_TOKEN || part == PART_BODY;
    const fact_list_t *list = rule_facts_list(test->facts, part);
    rr_match_e found = RR_MATCH_NO;
    int i;

    if (list->doubt) {
        test->doubt = list->doubt;
        return RR_MATCH_DOUBT;
    }
    /* A doubt ends the search, too: each fact could cost as much again. */
    for (i = 0; i < list->count && found == RR_MATCH_NO; i++) {
        if (list->facts[i].first) {
            rr_match_e name =
                rr_pattern_search(check->name, test->matcher, list->facts[i].name, list->facts[i].name_len);

            if (name != RR_MATCH_NO) {
                found = either(found, both(name, test_name(test, check, list, i, part, loose)));
            }
        }
    }
    return check->absent ? negate(found) : found;
}

/* ---- one rule ---- */

/* A deny that names GET is for HEAD too: the same resource, its headers at least. */
static int denies_method(const rr_rule_t *rule, const char *method)
{
    int i;

    for (i = 0; i < rule->methods->nelts; i++) {
        const char *name = APR_ARRAY_IDX(rule->methods, i, const char *);

        if (!strcasecmp(name, method) || (!strcmp(name, "GET") && !strcasecmp(method, "HEAD"))) {
            return 1;
        }
    }
    return 0;
}

static int allows_method(const rr_rule_t *rule, const char *method)
{
    int i;

    for (i = 0; i < rule->methods->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(rule->methods, i, const char *), method)) {
            return 1;
        }
    }
    return 0;
}

/* An override header may make the backend see another method: a deny looks at each, an allow needs all. */
static rr_match_e test_methods(const test_t *test, const rr_rule_t *rule)
{
    const rr_facts_t *facts = test->facts;
    const int deny = rule->effect == RR_EFFECT_DENY;
    int found, i;

    if (!rule->methods) {
        return RR_MATCH_YES;
    }
    if (facts->overrides && facts->overrides->nelts > RR_MAX_OVERRIDES) {
        return deny ? RR_MATCH_YES : RR_MATCH_NO; /* it may be any */
    }
    found = deny ? denies_method(rule, facts->method) : allows_method(rule, facts->method);
    for (i = 0; facts->overrides && i < facts->overrides->nelts; i++) {
        const char *method = APR_ARRAY_IDX(facts->overrides, i, const char *);

        found = deny ? found || denies_method(rule, method) : found && allows_method(rule, method);
    }
    return found ? RR_MATCH_YES : RR_MATCH_NO;
}

static rr_match_e test_path(test_t *test, const rr_rule_t *rule)
{
    rr_match_e found;

    if (!rule->path) {
        return RR_MATCH_YES;
    }
    found = rr_pattern_search(rule->path->value, test->matcher, test->facts->path,
                              rule_facts_lazy(test->facts)->path_len);
    return rule->path->absent ? negate(found) : found;
}

/* A header whose exact value a rule knows is a secret shared with us, not with the backend. */
static void keep_secret(test_t *test, const check_t *check)
{
    rr_span_t name;

    if (check->value && rr_pattern_shape(check->name, &name) == RR_PATTERN_EXACT &&
        rr_pattern_shape(check->value, NULL) == RR_PATTERN_EXACT) {
        if (!test->secrets) {
            test->secrets = apr_array_make(test->facts->p, 2, sizeof(const char *));
        }
        APR_ARRAY_PUSH(test->secrets, const char *) = apr_pstrmemdup(test->facts->p, name.bytes, name.len);
    }
}

static rr_match_e test_part(test_t *test, const rr_rule_t *rule, int which)
{
    const part_t *part = &rule->parts[which];
    rr_match_e found = RR_MATCH_YES, one;
    int i;

    if (which == PART_TOKEN && part->count && rule->effect == RR_EFFECT_ALLOW && !test->facts->tokens_count) {
        test->at = 0;
        return RR_MATCH_NO; /* nothing is proved by a token that was not verified */
    }
    for (i = 0; i < part->count && found != RR_MATCH_NO; i++) {
        one = test_check(test, &part->checks[i], which, rule->effect);
        if (which == PART_HEADERS && one == (part->checks[i].absent ? RR_MATCH_NO : RR_MATCH_YES)) {
            keep_secret(test, &part->checks[i]);
        }
        found = both(found, one);
        test->at = i;
    }
    return found;
}

static rr_match_e note_part(test_t *test, rr_match_e found, rr_match_e one, const char *part)
{
    if (one == RR_MATCH_NO || (one == RR_MATCH_DOUBT && found == RR_MATCH_YES)) {
        test->part = part;
    }
    return both(found, one);
}

static rr_match_e test_rule(test_t *test, const rr_rule_t *rule)
{
    static const char *const names[PART_COUNT] = { "headers", "query", "token", "body" };
    rr_match_e found;
    int part;

    test->part = test->doubt = NULL;
    test->at = -1;
    found = note_part(test, RR_MATCH_YES, test_methods(test, rule), "methods");
    if (found != RR_MATCH_NO) {
        found = note_part(test, found, test_path(test, rule), "path");
    }
    for (part = 0; part < PART_COUNT && found != RR_MATCH_NO; part++) {
        if (rule->parts[part].count && !(part == PART_BODY && found == RR_MATCH_DOUBT)) {
            found = note_part(test, found, test_part(test, rule, part), names[part]);
        }
    }
    return found;
}

/* ---- one gate: all scopes of the kinds it joins ---- */

typedef struct {
    const rr_rule_t *rule;
    const rr_scope_t *scope;
    int place;
    int undecided;
    const char *doubt;
} found_t;

typedef struct {
    test_t *test;
    const rr_rule_watch_t *watch;
    const rr_scope_t *scope; /* whose rules are being tested */
    int bodies;              /* the round of rules with a body part, after all others */
    int denied, allowed;     /* what the first round found */
    found_t allow, deny, doubt;
} gate_t;

/* Which of two is reported: the higher priority, then the earlier. */
static void keep(const gate_t *gate, found_t *best, const rr_rule_t *rule, int place, int undecided)
{
    if (!best->rule || rule->priority > best->rule->priority ||
        (rule->priority == best->rule->priority && best->scope == gate->scope && place < best->place)) {
        best->rule = rule;
        best->scope = gate->scope;
        best->place = place;
        best->undecided = undecided;
        best->doubt = undecided ? gate->test->doubt : NULL;
    }
}

static void report(const gate_t *gate, const rr_rule_t *rule, rr_match_e outcome)
{
    const test_t *test = gate->test;
    const char *part = outcome == RR_MATCH_YES ? NULL : test->part;

    if (part && test->at >= 0) {
        part = apr_psprintf(test->facts->p, "%s/%d", part, test->at);
    }
    gate->watch->tested(gate->watch->baton, gate->scope, rule, outcome, part);
}

static void test_place(void *baton, int place)
{
    gate_t *gate = baton;
    const rr_rule_t *rule = gate->scope->rules->rules[place];
    rr_match_e outcome;
    int settled;

    if ((rule->parts[PART_BODY].count > 0) != gate->bodies) {
        return;
    }
    /* A body is read only where the answer, or a secret header, still depends on it. */
    settled = gate->denied ||
              (gate->allowed && rule->effect == RR_EFFECT_ALLOW && !rule->parts[PART_HEADERS].count);
    if (settled && !gate->watch) {
        return;
    }
    outcome = test_rule(gate->test, rule);
    if (gate->watch) {
        report(gate, rule, outcome);
    }
    if (settled) {
        return;
    }
    if (outcome == RR_MATCH_DOUBT) {
        keep(gate, &gate->doubt, rule, place, 1);
    } else if (outcome == RR_MATCH_YES && rule->effect == RR_EFFECT_ALLOW) {
        keep(gate, &gate->allow, rule, place, 0);
    } else if (outcome == RR_MATCH_YES) {
        keep(gate, &gate->deny, rule, place, 0);
    }
}

static void test_scope(gate_t *gate, const rr_scope_t *scope)
{
    int i;

    if (!scope->rules || (gate->bodies && !scope->rules->has_body)) {
        return;
    }
    gate->scope = scope;
    if (!gate->watch) {
        rule_index_find(scope->rules->index, gate->test->facts, test_place, gate);
        return;
    }
    for (i = 0; i < scope->rules->count; i++) {
        test_place(gate, i);
    }
}

/* What a scope says where no rule of its gate matched. */
static rr_effect_e default_of(const rr_scope_t *scope)
{
    if (scope->effect != RR_EFFECT_UNSET) {
        return scope->effect;
    }
    return scope->kind == RR_SCOPE_PROXY ? RR_EFFECT_DENY : RR_EFFECT_ALLOW;
}

/* In a pool only the proxy's own default counts; of several scopes of one kind, a deny does. */
static const rr_scope_t *deciding_default(const rr_scope_t *scopes, int count, unsigned kinds)
{
    const rr_scope_t *best = NULL;
    int i;

    if (kinds & 1u << RR_SCOPE_PROXY) {
        kinds = 1u << RR_SCOPE_PROXY;
    }
    for (i = 0; i < count; i++) {
        if ((kinds & 1u << scopes[i].kind) &&
            (!best || (default_of(best) == RR_EFFECT_ALLOW && default_of(&scopes[i]) == RR_EFFECT_DENY))) {
            best = &scopes[i];
        }
    }
    return best;
}

static int decide(rr_verdict_t *verdict, int allowed, const found_t *found)
{
    verdict->allowed = allowed;
    verdict->scope = found->scope;
    verdict->rule = found->rule;
    verdict->undecided = found->undecided;
    verdict->doubt = found->doubt;
    return allowed;
}

/* Fills verdict for the scopes whose kind is in kinds. True if they let the request on. */
static int judge_gate(rr_verdict_t *verdict, const rr_scope_t *scopes, int count, unsigned kinds, test_t *test,
                      const rr_rule_watch_t *watch)
{
    gate_t gate = { test, watch };
    found_t none = { NULL, deciding_default(scopes, count, kinds) };
    int rounds = 0, i;

    for (i = 0; i < count; i++) {
        if ((kinds & 1u << scopes[i].kind) && scopes[i].rules) {
            rounds = scopes[i].rules->has_body || rounds == 2 ? 2 : 1;
        }
    }
    for (gate.bodies = 0; gate.bodies < rounds; gate.bodies++) {
        gate.denied = gate.deny.rule || gate.doubt.rule;
        gate.allowed = gate.allow.rule != NULL;
        for (i = 0; i < count; i++) {
            if (kinds & 1u << scopes[i].kind) {
                test_scope(&gate, &scopes[i]);
            }
        }
    }
    if (gate.deny.rule || gate.doubt.rule) {
        return decide(verdict, 0, gate.deny.rule ? &gate.deny : &gate.doubt);
    }
    if (gate.allow.rule) {
        return decide(verdict, 1, &gate.allow);
    }
    return decide(verdict, none.scope && default_of(none.scope) == RR_EFFECT_ALLOW, &none);
}

void rr_rule_judge(rr_verdict_t *verdict, const rr_scope_t *scopes, int count, rr_scopes_mode_e mode,
                   rr_facts_t *facts, rr_matcher_t *matcher, const rr_rule_watch_t *watch)
{
    static const unsigned pooled[] = { 1u << RR_SCOPE_TARGET, 1u << RR_SCOPE_TARGET_CREDENTIAL,
                                       1u << RR_SCOPE_PROXY_CREDENTIAL | 1u << RR_SCOPE_PROXY };
    static const unsigned independent[] = { 1u << RR_SCOPE_TARGET, 1u << RR_SCOPE_TARGET_CREDENTIAL,
                                            1u << RR_SCOPE_PROXY_CREDENTIAL, 1u << RR_SCOPE_PROXY };
    const unsigned *gates = mode == RR_SCOPES_POOLED ? pooled : independent;
    const int gates_count = mode == RR_SCOPES_POOLED ? 3 : 4;
    test_t test = { facts, matcher };
    unsigned there = 1u << RR_SCOPE_PROXY; /* kinds: a proxy that nobody gave denies, other gates are open */
    rr_verdict_t refused = { 0 };
    int i, allowed = 1;

    memset(verdict, 0, sizeof(*verdict));
    rr_matcher_limit(matcher, CPU_LIMIT);
    for (i = 0; i < count; i++) {
        there |= 1u << scopes[i].kind;
    }
    for (i = 0; i < gates_count && (allowed || watch); i++) {
        if (!(gates[i] & there)) {
            continue;
        }
        if (!judge_gate(verdict, scopes, count, gates[i], &test, watch) && allowed) {
            allowed = 0;
            refused = *verdict;
        }
    }
    if (!allowed) {
        *verdict = refused;
    }
    verdict->allowed = allowed;
    verdict->secrets = test.secrets;
}
