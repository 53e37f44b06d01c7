/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_rule.c: rrctl rule lint and rule test: rules without a server, judged by
 * the code that decides in it.
 */
#include "cmd_rule.h"

#include "cmd_jwt.h"

#include <apr_strings.h>

#include <string.h>

typedef struct {
    const char *text;
    apr_pool_t *p;
} body_t;

static apr_status_t read_body(void *baton, const rr_json_t **pbody, const char **pwhy)
{
    const body_t *body = baton;
    rr_err_t err = RR_ERR_INIT;

    *pbody = NULL;
    *pwhy = "the request body is not JSON";
    return body->text ? rr_json_parse(pbody, body->text, strlen(body->text), body->p, &err) : APR_SUCCESS;
}

void rule_judge(judged_t *judged, const request_t *request, const rr_scope_t *scopes, int count, rr_scopes_mode_e mode,
                const rr_rule_watch_t *watch, apr_pool_t *p)
{
    rr_facts_t *facts = &judged->facts;
    const char *question = strchr(request->target, '?');
    body_t *body = apr_palloc(p, sizeof(*body));

    memset(judged, 0, sizeof(*judged));
    body->text = request->body;
    body->p = p;
    if (rr_path_canonical(&judged->path, request->target, request->path_mode, p, &judged->path_err) != APR_SUCCESS) {
        return;
    }
    if (request->mount && !(judged->path = rr_path_below(judged->path, request->mount))) {
        rr_err_set(&judged->path_err, RR_EINVAL, "", "the path is not below %s", request->mount);
        return;
    }
    facts->p = p;
    facts->method = request->method;
    facts->path = judged->path;
    facts->headers = request->headers;
    facts->args = question ? apr_pstrmemdup(p, question + 1, strcspn(question + 1, "#")) : NULL;
    facts->overrides = rr_facts_overrides(p, request->method, request->headers, facts->args);
    facts->tokens = request->claims;
    facts->tokens_count = request->has_claims;
    facts->read_body = read_body;
    facts->baton = body;
    rr_rule_judge(&judged->verdict, scopes, count, mode, facts, rr_matcher_make(p), watch);
}

const char *rule_verdict_name(const judged_t *judged, apr_pool_t *p)
{
    const rr_verdict_t *verdict = &judged->verdict;

    if (!judged->path) {
        return apr_pstrcat(p, "path: ", judged->path_err.text, NULL);
    }
    return apr_pstrcat(p, verdict->scope ? verdict->scope->name : "none", ":",
                       verdict->rule ? rr_rule_id(verdict->rule) : "default", NULL);
}

const rr_ruleset_t *rule_load(rrctl_t *ctl, const char *path)
{
    const rr_ruleset_t *set = NULL;
    rr_err_t err = RR_ERR_INIT;
    const char *text;
    apr_size_t len;

    if (rrctl_read(&text, &len, ctl, path, RR_MAX_RULE_FILE, &err) != APR_SUCCESS) {
        rrctl_fail_err(ctl, &err);
    } else if (rr_ruleset_parse(&set, text, len, ctl->p, &err) != APR_SUCCESS) {
        rrctl_fail(ctl, "%s: %s%s%s", path, err.where, *err.where ? ": " : "", rr_err_text(&err));
    }
    return set;
}

int rule_effect(rrctl_t *ctl, rr_effect_e *effect, const char *word)
{
    *effect = !strcmp(word, "allow") ? RR_EFFECT_ALLOW : RR_EFFECT_DENY;
    return !strcmp(word, "allow") || !strcmp(word, "deny")
               ? RRCTL_OK
               : rrctl_usage(ctl, "--default is allow or deny, not '%s'", word);
}

/* ---- lint ---- */

typedef struct {
    rrctl_t *ctl;
    int verbose;
    int count;
    const char *before; /* the next finding, in JSON */
} lint_t;

static void print_lint(void *baton, rr_lint_e level, const rr_rule_t *rule, const char *text)
{
    lint_t *lint = baton;

    if (lint->ctl->json && (level == RR_LINT_WARNING || lint->verbose)) {
        apr_pool_t *p = lint->ctl->p;

        fprintf(lint->ctl->out, "%s{\"rule\":%s,\"level\":\"%s\",\"text\":%s}", lint->before,
                rr_json_quote(p, rr_rule_id(rule), RR_MAX_NAME), level == RR_LINT_NOTE ? "note" : "warning",
                rr_json_quote(p, text, strlen(text)));
        lint->before = ",";
    }
    else if (level == RR_LINT_WARNING || lint->verbose) {
        fprintf(lint->ctl->out, "%s: %s%s\n", rr_rule_id(rule), level == RR_LINT_NOTE ? "note: " : "", text);
    }
    lint->count += level == RR_LINT_WARNING;
}

int cmd_rule_lint(rrctl_t *ctl, int argc, const char *const *argv)
{
    lint_t lint = { ctl, 0, 0, "" };
    const jwt_option_t options[] = { { "verbose", .flag = &lint.verbose }, { NULL } };
    const rr_ruleset_t *set;
    const char *path;

    if (jwt_options(ctl, argc, argv, options, &path) != RRCTL_OK) {
        return RRCTL_USAGE;
    }
    if (!(set = rule_load(ctl, path))) {
        return RRCTL_FAILED;
    }
    fputs(ctl->json ? "{\"findings\":[" : "", ctl->out);
    rr_ruleset_lint(set, print_lint, &lint, ctl->p);
    if (ctl->json) {
        fprintf(ctl->out, "],\"rules\":%d,\"warnings\":%d}\n", rr_ruleset_count(set), lint.count);
    }
    else if (lint.count == 0) {
        fprintf(ctl->out, "%d rules, nothing to warn of\n", rr_ruleset_count(set));
    }
    return lint.count ? RRCTL_FAILED : RRCTL_OK;
}

/* ---- test ---- */

typedef struct {
    rrctl_t *ctl;
    rr_scope_t scope;
    int failed, ran;
} table_t;

static int add_table_header(void *baton, const char *name, const rr_json_t *value)
{
    request_t *request = baton;

    apr_table_setn(request->headers, name, rr_json_string(value));
    return 1;
}

/* Members that an object may have; unknown: the first other one, NULL: none. */
typedef struct {
    const char *const *known;
    const char *unknown;
} members_t;

static int is_known_member(void *baton, const char *name, const rr_json_t *value)
{
    members_t *members = baton;
    int i;

    (void)value;
    for (i = 0; members->known[i] && strcmp(members->known[i], name); i++) {
    }
    members->unknown = members->known[i] ? NULL : name;
    return members->known[i] != NULL;
}

static const char *find_unknown(const rr_json_t *object, const char *const *known)
{
    members_t members = { known, NULL };

    rr_json_members(object, is_known_member, &members);
    return members.unknown;
}

static int is_kind(const rr_json_t *value, rr_json_kind_e kind)
{
    return !value || rr_json_kind(value) == kind;
}

static int is_text(void *baton, const char *name, const rr_json_t *value)
{
    (void)name;
    *(int *)baton = rr_json_kind(value) == RR_JSON_STRING;
    return *(int *)baton;
}

/* Why row is none, NULL: it is one: what is misspelt would test nothing. */
static const char *find_row_fault(const rr_json_t *row, apr_pool_t *p)
{
    static const char *const texts[] = { "name", "method", "path", "expect", "rule", NULL };
    static const char *const known[] = { "name", "method", "path", "headers", "claims", "body", "expect", "rule", NULL };
    const char *expect = rr_json_string(rr_json_member(row, "expect")), *unknown = find_unknown(row, known);
    int i, are_texts = 1;

    if (unknown) {
        return apr_pstrcat(p, "has an unknown member ", unknown, NULL);
    }
    for (i = 0; texts[i]; i++) {
        if (!is_kind(rr_json_member(row, texts[i]), RR_JSON_STRING)) {
            return apr_psprintf(p, "\"%s\" is a text", texts[i]);
        }
    }
    rr_json_members(rr_json_member(row, "headers"), is_text, &are_texts);
    if (!is_kind(rr_json_member(row, "claims"), RR_JSON_OBJECT) || !is_kind(rr_json_member(row, "headers"), RR_JSON_OBJECT)
        || !are_texts) {
        return "\"claims\" is an object, \"headers\" one of texts";
    }
    if (!rr_json_member(row, "method") || !rr_json_member(row, "path") || !expect
        || (strcmp(expect, "allow") && strcmp(expect, "deny"))) {
        return "needs \"method\", \"path\" and \"expect\": \"allow\" or \"deny\"";
    }
    return NULL;
}

/* One row: a request and its expected verdict. RRCTL_FAILED: it is no row at all. */
static int run_row(table_t *table, const rr_json_t *row, apr_size_t at)
{
    apr_pool_t *p = table->ctl->p;
    const char *expect = rr_json_string(rr_json_member(row, "expect")), *rule = rr_json_string(rr_json_member(row, "rule"));
    const char *name = rr_json_string(rr_json_member(row, "name")), *fault = find_row_fault(row, p);
    const rr_json_t *body = rr_json_member(row, "body");
    request_t request = { rr_json_string(rr_json_member(row, "method")), rr_json_string(rr_json_member(row, "path")) };
    judged_t judged;
    int good;

    request.headers = apr_table_make(p, 4);
    if (fault) {
        return rrctl_fail(table->ctl, "/tests/%" APR_SIZE_T_FMT ": %s", at, fault);
    }
    rr_json_members(rr_json_member(row, "headers"), add_table_header, &request);
    request.claims[0] = rr_json_member(row, "claims");
    request.has_claims = request.claims[0] != NULL;
    request.body = rr_json_kind(body) == RR_JSON_STRING ? rr_json_string(body) : body ? rr_json_print(p, body) : NULL;
    rule_judge(&judged, &request, &table->scope, 1, RR_SCOPES_POOLED, NULL, p);
    good = judged.verdict.allowed == !strcmp(expect, "allow") &&
           (!rule || (judged.path && !strcmp(judged.verdict.rule ? rr_rule_id(judged.verdict.rule) : "default", rule)));
    table->failed += !good;
    fprintf(table->ctl->out, "%sok %d - %s %s%s%s\n", good ? "" : "not ", ++table->ran, request.method, request.target,
            name ? ": " : "", name ? name : "");
    if (!good) {
        fprintf(table->ctl->out, "# %s by %s, expected %s%s%s\n", judged.verdict.allowed ? "allowed" : "denied",
                rule_verdict_name(&judged, p), expect, rule ? " by " : "", rule ? rule : "");
    }
    return RRCTL_OK;
}

/* "rules" of a table: the rules themselves, or the path of their file, from where the table lies. */
static const rr_ruleset_t *rules_of_table(rrctl_t *ctl, const rr_json_t *table, const char *path)
{
    const rr_json_t *rules = rr_json_member(table, "rules");
    const char *file = rr_json_string(rules), *slash = strrchr(path, '/'), *text;
    const rr_ruleset_t *set = NULL;
    rr_err_t err = RR_ERR_INIT;

    if (file) {
        return rule_load(ctl, *file != '/' && slash
                             ? apr_pstrcat(ctl->p, apr_pstrmemdup(ctl->p, path, slash + 1 - path), file, NULL)
                             : file);
    }
    text = rr_json_print(ctl->p, rules);
    if (rr_ruleset_parse(&set, text, strlen(text), ctl->p, &err) != APR_SUCCESS) {
        rrctl_fail(ctl, "%s: /rules%s: %s", path, err.where, rr_err_text(&err));
    }
    return set;
}

static int run_table(rrctl_t *ctl, const rr_json_t *json, const char *path, const char *rules)
{
    static const char *const known[] = { "rules", "default", "tests", NULL };
    const rr_json_t *tests = rr_json_member(json, "tests");
    const char *effect = rr_json_string(rr_json_member(json, "default")), *unknown = find_unknown(json, known);
    table_t table = { ctl, { RR_SCOPE_PROXY, "location" } };
    apr_size_t i;

    if (unknown || !is_kind(rr_json_member(json, "default"), RR_JSON_STRING)) {
        return rrctl_fail(ctl, "%s: %s%s", path, unknown ? "has an unknown member " : "\"default\" is a text",
                          unknown ? unknown : "");
    }
    if (rr_json_kind(tests) != RR_JSON_ARRAY || rr_json_size(tests) == 0) {
        return rrctl_fail(ctl, "%s: needs \"tests\", an array of at least one request", path);
    }
    if (effect && rule_effect(ctl, &table.scope.effect, effect) != RRCTL_OK) {
        return RRCTL_FAILED;
    }
    if (!(table.scope.rules = rules ? rule_load(ctl, rules) : rules_of_table(ctl, json, path))) {
        return RRCTL_FAILED;
    }
    for (i = 0; i < rr_json_size(tests); i++) {
        if (run_row(&table, rr_json_element(tests, i), i) != RRCTL_OK) {
            return RRCTL_FAILED;
        }
    }
    fprintf(ctl->out, "1..%d\n", table.ran);
    return table.failed ? RRCTL_FAILED : RRCTL_OK;
}

int cmd_rule_test(rrctl_t *ctl, int argc, const char *const *argv)
{
    const char *rules = NULL, *text, *path;
    const jwt_option_t options[] = { { "rules", &rules }, { NULL } };
    rr_err_t err = RR_ERR_INIT;
    const rr_json_t *json;
    apr_size_t len;

    if (jwt_options(ctl, argc, argv, options, &path) != RRCTL_OK) {
        return RRCTL_USAGE;
    }
    if (rrctl_read(&text, &len, ctl, path, RR_MAX_RULE_FILE, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (rr_json_parse_object(&json, text, len, ctl->p, &err) != APR_SUCCESS) {
        return rrctl_fail(ctl, "%s: %s", path, rr_err_text(&err));
    }
    return run_table(ctl, json, path, rules);
}
