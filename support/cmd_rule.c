/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_rule.c: rrctl rule lint, rule test and explain: rules without a server,
 * judged by the code that decides in it.
 */
#include "cmd_jwt.h"

#include "rr_jose.h"
#include "rr_path.h"
#include "rr_rule.h"

#include <apr_strings.h>

#include <string.h>

/* A request as it is told on a command line or in a table. */
typedef struct {
    const char *method, *target;
    const char *mount;          /* NULL: the whole path is judged */
    apr_table_t *headers;
    const rr_json_t *claims[1]; /* of a verified token */
    int has_claims;
    const char *body; /* NULL: none */
    rr_path_mode_e path_mode;
} request_t;

/* What came of judging it. */
typedef struct {
    rr_verdict_t verdict;
    const char *path;   /* judged; NULL: refused */
    rr_err_t path_err;
    rr_facts_t facts;
} judged_t;

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

/* By the same steps as mod_rr_rules. */
static void judge(judged_t *judged, const request_t *request, const rr_scope_t *scope, rr_scopes_mode_e mode,
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
    rr_rule_judge(&judged->verdict, scope, 1, mode, facts, rr_matcher_make(p), watch);
}

static const char *verdict_name(const judged_t *judged, apr_pool_t *p)
{
    const rr_verdict_t *verdict = &judged->verdict;

    if (!judged->path) {
        return apr_pstrcat(p, "path: ", judged->path_err.text, NULL);
    }
    return apr_pstrcat(p, verdict->scope ? verdict->scope->name : "none", ":",
                       verdict->rule ? rr_rule_id(verdict->rule) : "default", NULL);
}

/* Loads rules, from standard input too; says where a mistake stands. */
static const rr_ruleset_t *load(rrctl_t *ctl, const char *path)
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

/* ---- lint ---- */

typedef struct {
    rrctl_t *ctl;
    int count;
} lint_t;

static void print_warning(void *baton, const rr_rule_t *rule, const char *text)
{
    lint_t *lint = baton;

    fprintf(lint->ctl->out, "%s: %s\n", rr_rule_id(rule), text);
    lint->count++;
}

int cmd_rule_lint(rrctl_t *ctl, int argc, const char *const *argv)
{
    lint_t lint = { ctl, 0 };
    const rr_ruleset_t *set;

    if (argc != 2) {
        return rrctl_usage(ctl, argc < 2 ? "the file is missing" : "one argument too many: %s",
                           argc < 2 ? "" : argv[2]);
    }
    if (!(set = load(ctl, argv[1]))) {
        return RRCTL_FAILED;
    }
    rr_ruleset_lint(set, print_warning, &lint, ctl->p);
    if (lint.count == 0) {
        fprintf(ctl->out, "%d rules, nothing to warn of\n", rr_ruleset_count(set));
    }
    return lint.count ? RRCTL_FAILED : RRCTL_OK;
}

/* ---- explain ---- */

static void print_test(void *baton, const rr_scope_t *scope, const rr_rule_t *rule, rr_match_e outcome,
                       const char *part)
{
    rrctl_t *ctl = baton;

    (void)scope;
    fprintf(ctl->out, "  %-20s %-5s %s%s\n", rr_rule_id(rule),
            rr_rule_effect(rule) == RR_EFFECT_DENY ? "deny" : "allow",
            outcome == RR_MATCH_YES  ? "matched"
            : outcome == RR_MATCH_NO ? "no match: "
                                     : "could not be decided: ",
            part ? part : "");
}

static int print_header(void *baton, const char *name, const char *value)
{
    fprintf(baton, "header    %s: %s\n", name, value);
    return 1;
}

static void print_facts(rrctl_t *ctl, const judged_t *judged, const request_t *request)
{
    int i;

    fprintf(ctl->out, "method    %s\n", request->method);
    for (i = 0; judged->facts.overrides && i < judged->facts.overrides->nelts; i++) {
        fprintf(ctl->out, "or        %s\n", APR_ARRAY_IDX(judged->facts.overrides, i, const char *));
    }
    fprintf(ctl->out, "path      %s\n", judged->path);
    if (judged->facts.args) {
        fprintf(ctl->out, "query     %s\n", judged->facts.args);
    }
    apr_table_do(print_header, ctl->out, request->headers, NULL);
    if (request->has_claims) {
        fprintf(ctl->out, "claims    %s\n", rr_json_print(ctl->p, request->claims[0]));
    }
}

static void print_verdict(rrctl_t *ctl, const judged_t *judged)
{
    const rr_verdict_t *verdict = &judged->verdict;

    if (ctl->json) {
        fprintf(ctl->out, "{\"allowed\":%s,\"by\":%s}\n", verdict->allowed ? "true" : "false",
                rr_json_quote(ctl->p, verdict_name(judged, ctl->p), RR_MAX_NOTES));
    } else {
        fprintf(ctl->out, "%s by %s%s%s\n", verdict->allowed ? "allowed" : "denied", verdict_name(judged, ctl->p),
                verdict->doubt ? ": " : "", verdict->doubt ? verdict->doubt : "");
    }
}

/* The claims of a token, which is taken for verified: explain answers what rules would say then. */
static apr_status_t claims_of(request_t *request, const char *token, const char *claims, apr_pool_t *p, rr_err_t *err)
{
    rr_jws_t *jws;
    apr_status_t rv;

    if (token) {
        if ((rv = rr_jws_parse(&jws, token, strlen(token), p, err)) != APR_SUCCESS) {
            return rv;
        }
        claims = jws->payload;
    }
    request->has_claims = claims != NULL;
    return claims ? rr_json_parse_object(&request->claims[0], claims, strlen(claims), p, err) : APR_SUCCESS;
}

static int add_header(rrctl_t *ctl, request_t *request, const char *line)
{
    const char *colon = strchr(line, ':');

    if (!colon || colon == line) {
        return rrctl_usage(ctl, "-H needs 'NAME: VALUE', not '%s'", line);
    }
    apr_table_mergen(request->headers, apr_pstrmemdup(ctl->p, line, colon - line),
                     colon + 1 + strspn(colon + 1, " \t"));
    return RRCTL_OK;
}

typedef struct {
    request_t request;
    const char *rules, *token, *claims, *body_file;
    rr_effect_e effect;
} explain_t;

static int effect_of(rrctl_t *ctl, rr_effect_e *effect, const char *word)
{
    *effect = !strcmp(word, "allow") ? RR_EFFECT_ALLOW : RR_EFFECT_DENY;
    return !strcmp(word, "allow") || !strcmp(word, "deny")
               ? RRCTL_OK
               : rrctl_usage(ctl, "--default is allow or deny, not '%s'", word);
}

static int read_options(rrctl_t *ctl, explain_t *explain, int argc, const char *const *argv)
{
    static const apr_getopt_option_t known[] = { { "rules", 'r', 1, NULL },   { NULL, 'H', 1, NULL },
                                                 { "token", 't', 1, NULL },   { "claims", 'c', 1, NULL },
                                                 { "body", 'b', 1, NULL },    { "default", 'd', 1, NULL },
                                                 { "mount", 'm', 1, NULL },   { "lenient", 'l', 0, NULL },
                                                 { NULL, 0, 0, NULL } };
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    apr_status_t rv;
    const char *value;
    int option, code = RRCTL_OK;

    while (code == RRCTL_OK && (rv = apr_getopt_long(options, known, &option, &value)) != APR_EOF) {
        if (rv != APR_SUCCESS) {
            return rrctl_usage(ctl, "an option is unknown or lacks its value");
        }
        switch (option) {
        case 'r': explain->rules = value; break;
        case 'H': code = add_header(ctl, &explain->request, value); break;
        case 't': explain->token = value; break;
        case 'c': explain->claims = value; break;
        case 'b': explain->body_file = value; break;
        case 'd': code = effect_of(ctl, &explain->effect, value); break;
        case 'm': explain->request.mount = value; break;
        case 'l': explain->request.path_mode = RR_PATH_LENIENT; break;
        }
    }
    if (code != RRCTL_OK) {
        return code;
    }
    if (!explain->rules || options->argc - options->ind != 2 || (explain->token && explain->claims)) {
        return rrctl_usage(ctl, "needs --rules FILE, a method, a target, and at most one of --token and --claims");
    }
    explain->request.method = options->argv[options->ind];
    explain->request.target = options->argv[options->ind + 1];
    return RRCTL_OK;
}

int cmd_explain(rrctl_t *ctl, int argc, const char *const *argv)
{
    const rr_rule_watch_t watch = { print_test, ctl };
    explain_t explain = { { NULL } };
    rr_scope_t scope = { RR_SCOPE_PROXY, "location" };
    rr_err_t err = RR_ERR_INIT;
    judged_t judged;
    apr_size_t len;
    int code;

    explain.request.headers = apr_table_make(ctl->p, 8);
    if ((code = read_options(ctl, &explain, argc, argv)) != RRCTL_OK) {
        return code;
    }
    if (claims_of(&explain.request, explain.token, explain.claims, ctl->p, &err) != APR_SUCCESS ||
        (explain.body_file &&
         rrctl_read(&explain.request.body, &len, ctl, explain.body_file, RR_MAX_RULE_FILE, &err) != APR_SUCCESS)) {
        return rrctl_fail_err(ctl, &err);
    }
    if (!(scope.rules = load(ctl, explain.rules))) {
        return RRCTL_FAILED;
    }
    scope.effect = explain.effect;
    judge(&judged, &explain.request, &scope, RR_SCOPES_POOLED, NULL, ctl->p);
    if (judged.path && !ctl->json) {
        print_facts(ctl, &judged, &explain.request);
        fprintf(ctl->out, "scope     %s, default %s\n", scope.name, scope.effect == RR_EFFECT_ALLOW ? "allow" : "deny");
        judge(&judged, &explain.request, &scope, RR_SCOPES_POOLED, &watch, ctl->p);
    }
    print_verdict(ctl, &judged);
    return judged.verdict.allowed ? RRCTL_OK : RRCTL_FAILED;
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
    const char *text = rr_json_string(value);

    if (text) {
        apr_table_setn(request->headers, name, text);
    }
    return text != NULL;
}

static int known_member(void *baton, const char *name, const rr_json_t *value)
{
    static const char *const known[] = {
        "name", "method", "path", "headers", "claims", "body", "expect", "rule", NULL
    };
    const char **unknown = baton;
    int i;

    (void)value;
    for (i = 0; known[i] && strcmp(known[i], name); i++) {
    }
    if (!known[i]) {
        *unknown = name;
    }
    return known[i] != NULL;
}

/* One row: a request and its expected verdict. RRCTL_FAILED: it is no row at all. */
static int run_row(table_t *table, const rr_json_t *row, apr_size_t at)
{
    const char *expect = rr_json_string(rr_json_member(row, "expect")),
               *rule = rr_json_string(rr_json_member(row, "rule"));
    const char *name = rr_json_string(rr_json_member(row, "name")), *unknown = NULL;
    const rr_json_t *body = rr_json_member(row, "body");
    apr_pool_t *p = table->ctl->p;
    request_t request = { rr_json_string(rr_json_member(row, "method")), rr_json_string(rr_json_member(row, "path")) };
    judged_t judged;
    int good;

    rr_json_members(row, known_member, (void *)&unknown);
    if (unknown || !request.method || !request.target || !expect ||
        (strcmp(expect, "allow") && strcmp(expect, "deny"))) {
        return rrctl_fail(table->ctl, "/tests/%" APR_SIZE_T_FMT ": %s%s", at,
                          unknown ? "has an unknown member "
                                  : "needs \"method\", \"path\" and \"expect\": \"allow\" or \"deny\"",
                          unknown ? unknown : "");
    }
    request.headers = apr_table_make(p, 4);
    rr_json_members(rr_json_member(row, "headers"), add_table_header, &request);
    request.claims[0] = rr_json_member(row, "claims");
    request.has_claims = request.claims[0] != NULL;
    request.body = rr_json_kind(body) == RR_JSON_STRING ? rr_json_string(body) : body ? rr_json_print(p, body) : NULL;
    judge(&judged, &request, &table->scope, RR_SCOPES_POOLED, NULL, p);
    good = judged.verdict.allowed == !strcmp(expect, "allow") &&
           (!rule || (judged.path && !strcmp(judged.verdict.rule ? rr_rule_id(judged.verdict.rule) : "default", rule)));
    table->failed += !good;
    fprintf(table->ctl->out, "%sok %d - %s %s%s%s\n", good ? "" : "not ", ++table->ran, request.method, request.target,
            name ? ": " : "", name ? name : "");
    if (!good) {
        fprintf(table->ctl->out, "# %s by %s, expected %s%s%s\n", judged.verdict.allowed ? "allowed" : "denied",
                verdict_name(&judged, p), expect, rule ? " by " : "", rule ? rule : "");
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
        return load(ctl, *file != '/' && slash
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
    const rr_json_t *tests = rr_json_member(json, "tests");
    const char *effect = rr_json_string(rr_json_member(json, "default"));
    table_t table = { ctl, { RR_SCOPE_PROXY, "location" } };
    apr_size_t i;

    if (rr_json_kind(tests) != RR_JSON_ARRAY || rr_json_size(tests) == 0) {
        return rrctl_fail(ctl, "%s: needs \"tests\", an array of at least one request", path);
    }
    if (effect && effect_of(ctl, &table.scope.effect, effect) != RRCTL_OK) {
        return RRCTL_FAILED;
    }
    if (!(table.scope.rules = rules ? load(ctl, rules) : rules_of_table(ctl, json, path))) {
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
