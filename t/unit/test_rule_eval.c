/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rule_eval.c: rules and facts to a verdict; and what holds for all rules
 * whatever: the index changes nothing, a deny never opens, the two ways to join
 * scopes agree where there is one.
 */
#include "rr_rule.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

#include <stdlib.h>

/* ---- a request from a line of text ---- */

/* "METHOD /path?query|Header: value|token {...}|body {...}|override DELETE" */
typedef struct {
    rr_facts_t facts;
    apr_pool_t *p;
    const char *body;
    const rr_json_t *tokens[2];
    int bodies_read;
} request_t;

static apr_status_t read_body(void *baton, const rr_json_t **pbody, const char **pwhy)
{
    request_t *request = baton;
    rr_err_t err = RR_ERR_INIT;

    request->bodies_read++;
    *pwhy = "the request body is not JSON";
    return rr_json_parse(pbody, request->body, strlen(request->body), request->p, &err);
}

static void add_line(request_t *request, char *line)
{
    apr_pool_t *p = request->p;
    rr_err_t err = RR_ERR_INIT;
    char *colon;

    if (!strncmp(line, "token ", 6)) {
        rr_json_parse(&request->tokens[request->facts.tokens_count++], line + 6, strlen(line + 6), p, &err);
    } else if (!strncmp(line, "body ", 5)) {
        request->body = line + 5;
        request->facts.read_body = read_body;
    } else if (!strncmp(line, "override ", 9)) {
        apr_table_setn((apr_table_t *)request->facts.headers, "X-Method-Override", line + 9);
    } else if ((colon = strchr(line, ':'))) {
        *colon = '\0';
        apr_table_mergen((apr_table_t *)request->facts.headers, line, colon + 2);
    }
}

static request_t *make_request(const char *text, apr_pool_t *p)
{
    request_t *request = apr_pcalloc(p, sizeof(*request));
    char *last, *line = apr_strtok(apr_pstrdup(p, text), "|", &last), *space = strchr(line, ' '), *query;

    request->p = request->facts.p = p;
    request->facts.baton = request;
    request->facts.tokens = request->tokens;
    request->facts.headers = apr_table_make(p, 4);
    *space = '\0';
    request->facts.method = line;
    request->facts.path = space + 1;
    if ((query = strchr(space + 1, '?'))) {
        *query = '\0';
        request->facts.args = query + 1;
    }
    while ((line = apr_strtok(NULL, "|", &last))) {
        add_line(request, line);
    }
    request->facts.overrides =
        rr_facts_overrides(p, request->facts.method, request->facts.headers, request->facts.args);
    return request;
}

static const rr_ruleset_t *make_set(const char *text, apr_pool_t *p)
{
    const rr_ruleset_t *set;
    rr_err_t err = RR_ERR_INIT;

    if (rr_ruleset_parse(&set, text, strlen(text), p, &err) != APR_SUCCESS) {
        printf("Bail out! %s: %s: %s\n", text, err.where, err.text);
        exit(1);
    }
    return set;
}

static int is_allowed(const char *rules, const char *line, apr_pool_t *p)
{
    rr_scope_t scope = { RR_SCOPE_PROXY, "location", make_set(rules, p), RR_EFFECT_UNSET };
    rr_verdict_t verdict;

    rr_rule_judge(&verdict, &scope, 1, RR_SCOPES_POOLED, &make_request(line, p)->facts, rr_matcher_make(p), NULL);
    return verdict.allowed;
}

/* ---- one rule, every clause with both outcomes ---- */

#define ALLOW(parts) "[{\"effect\":\"allow\"," parts "}]"
#define DENY(parts) "[{\"effect\":\"allow\",\"id\":\"all\"},{\"effect\":\"deny\"," parts "}]"
#define CHECK(part, what, name, value, presence) \
    "\"" part "\":[{\"" what "\":{\"pattern\":\"" name "\"},\"value\":{\"pattern\":\"" value "\"},"  \
    "\"presence\":\"" presence "\"}]"
#define HEADER(name, value, presence) CHECK("headers", "name", name, value, presence)
#define QUERY(name, value, presence) CHECK("query", "name", name, value, presence)
#define TOKEN(name, value, presence) CHECK("token", "claim", name, value, presence)
#define BODY(name, value, presence) CHECK("body", "jsonPath", name, value, presence)

static const struct {
    const char *name, *rules, *request;
    int allowed;
} cases[] = {
    { "no rule: denied", "[]", "GET /", 0 },
    { "allow all", "[{\"effect\":\"allow\"}]", "GET /", 1 },
    { "deny wins over a higher allow", "[{\"effect\":\"allow\",\"priority\":9},{\"effect\":\"deny\",\"priority\":1}]",
      "GET /", 0 },

    { "seed 003: the one operation", ALLOW("\"methods\":[\"POST\"],\"pathPattern\":\"^/v3/mail/send$\""),
      "POST /v3/mail/send", 1 },
    { "another method", ALLOW("\"methods\":[\"POST\"],\"pathPattern\":\"^/v3/mail/send$\""), "GET /v3/mail/send", 0 },
    { "a longer path", ALLOW("\"methods\":[\"POST\"],\"pathPattern\":\"^/v3/mail/send$\""), "POST /v3/mail/send/x", 0 },
    { "a path with a line feed after it", ALLOW("\"methods\":[\"POST\"],\"pathPattern\":\"^/v3/mail/send$\""),
      "POST /v3/mail/send\n", 0 },
    { "the query is apart", ALLOW("\"pathPattern\":\"^/a$\""), "GET /a?b", 1 },
    { "the query is not searched", ALLOW("\"pathPattern\":\"secret\""), "GET /a?secret", 0 },

    { "GET allowed is not HEAD", ALLOW("\"methods\":[\"GET\"]"), "HEAD /", 0 },
    { "GET denied is HEAD too", DENY("\"methods\":[\"GET\"]"), "HEAD /", 0 },
    { "GET denied is not POST", DENY("\"methods\":[\"GET\"]"), "POST /", 1 },
    { "a denied method in another case", DENY("\"methods\":[\"DELETE\"]"), "delete /", 0 },
    { "an allowed method in another case", ALLOW("\"methods\":[\"DELETE\"]"), "delete /", 0 },
    { "an extension method", ALLOW("\"methods\":[\"PURGE\"]"), "PURGE /", 1 },
    { "another extension method", ALLOW("\"methods\":[\"PURGE\"]"), "LOCK /", 0 },
    { "an override to a denied method", DENY("\"methods\":[\"DELETE\"]"), "POST /|override DELETE", 0 },
    { "an override to a method that is not allowed", ALLOW("\"methods\":[\"POST\"]"), "POST /|override DELETE", 0 },
    { "more overrides than anybody needs", DENY("\"methods\":[\"DELETE\"]"),
      "POST /|X-HTTP-Method: A,B,C,D,E,F,G,H,I,DELETE", 0 },
    { "more overrides than anybody needs, allowed methods", ALLOW("\"methods\":[\"POST\"]"),
      "POST /|X-HTTP-Method: A,B,C,D,E,F,G,H,I", 0 },
    { "an override to an allowed method", ALLOW("\"methods\":[\"POST\",\"PUT\"]"), "POST /|override PUT", 1 },

    { "path absent, and it is", ALLOW("\"path\":{\"pattern\":\"^/a\",\"presence\":\"absent\"}"), "GET /b", 1 },
    { "path absent, and it is not", ALLOW("\"path\":{\"pattern\":\"^/a\",\"presence\":\"absent\"}"), "GET /a", 0 },

    { "header there", ALLOW(HEADER("^X-A$", ".*", "must_exist")), "GET /|x-a: 1", 1 },
    { "header there, empty", ALLOW(HEADER("^X-A$", ".*", "must_exist")), "GET /|x-a: ", 1 },
    { "header not there", ALLOW(HEADER("^X-A$", ".*", "must_exist")), "GET /|x-b: 1", 0 },
    { "header of another value", ALLOW(HEADER("^X-A$", "^1$", "must_exist")), "GET /|x-a: 2", 0 },
    { "allow wants the joined value", ALLOW(HEADER("^X-A$", "^1$", "must_exist")), "GET /|X-A: 1|X-A: 2", 0 },
    { "deny looks at each element", DENY(HEADER("^X-A$", "^2$", "must_exist")), "GET /|X-A: 1|X-A: 2", 0 },
    { "deny looks at the joined value", DENY(HEADER("^X-A$", "^1, 2$", "must_exist")), "GET /|X-A: 1|X-A: 2", 0 },
    { "deny, no element", DENY(HEADER("^X-A$", "^3$", "must_exist")), "GET /|X-A: 1|X-A: 2", 1 },
    { "allow unless absent: an element is there", ALLOW(HEADER("^X-A$", "^2$", "must_absent")), "GET /|X-A: 1|X-A: 2",
      0 },
    { "allow unless absent: none", ALLOW(HEADER("^X-A$", "^2$", "must_absent")), "GET /|X-A: 1", 1 },
    { "deny unless there: it is", DENY(HEADER("^X-A$", "^1$", "must_absent")), "GET /|X-A: 1", 1 },
    { "deny unless there: it is not", DENY(HEADER("^X-A$", "^1$", "must_absent")), "GET /", 0 },
    { "deny unless there: beside another", DENY(HEADER("^X-A$", "^1$", "must_absent")), "GET /|X-A: 1|X-A: 2", 0 },
    { "some name matches", ALLOW(HEADER("^X-", "^1$", "must_exist")), "GET /|X-A: 2|X-B: 1", 1 },

    { "parameter there", ALLOW(QUERY("^a$", "^1$", "must_exist")), "GET /?b=2&a=1", 1 },
    { "parameter decoded", ALLOW(QUERY("^a b$", "^1/2$", "must_exist")), "GET /?a+b=1%2f2", 1 },
    { "parameter without a value", ALLOW(QUERY("^a$", ".*", "must_exist")), "GET /?a", 1 },
    { "parameter's name has a case", ALLOW(QUERY("^a$", ".*", "must_exist")), "GET /?A=1", 0 },
    { "allow wants every value", ALLOW(QUERY("^a$", "^1$", "must_exist")), "GET /?a=1&a=2", 0 },
    { "allow, every value", ALLOW(QUERY("^a$", "^1$", "must_exist")), "GET /?a=1&b=2&a=1", 1 },
    { "deny looks at each value", DENY(QUERY("^a$", "^2$", "must_exist")), "GET /?a=1&a=2", 0 },
    { "deny, encoded name", DENY(QUERY("^admin$", "^1$", "must_exist")), "GET /?%61dmin=1", 0 },
    { "deny unless every value", DENY(QUERY("^a$", "^1$", "must_absent")), "GET /?a=1&a=2", 0 },
    { "allow unless any value", ALLOW(QUERY("^a$", "^2$", "must_absent")), "GET /?a=1&a=2", 0 },

    { "claim", ALLOW(TOKEN("^tier$", "^gold$", "must_exist")), "GET /|token {\"tier\":\"gold\"}", 1 },
    { "claim of another value", ALLOW(TOKEN("^tier$", "^gold$", "must_exist")), "GET /|token {\"tier\":\"tin\"}", 0 },
    { "claim without a token", ALLOW(TOKEN("^tier$", "^gold$", "must_exist")), "GET /", 0 },
    { "an allow never without a token", ALLOW(TOKEN("^tier$", "^tin$", "must_absent")), "GET /", 0 },
    { "an allow, claim absent", ALLOW(TOKEN("^tier$", "^tin$", "must_absent")), "GET /|token {\"sub\":\"a\"}", 1 },
    { "a deny for want of a claim, no token", DENY(TOKEN("^tier$", "^gold$", "must_absent")), "GET /", 0 },
    { "a deny for want of a claim, met", DENY(TOKEN("^tier$", "^gold$", "must_absent")),
      "GET /|token {\"tier\":\"gold\"}", 1 },
    { "a deny by a claim, no token", DENY(TOKEN("^tier$", "^gold$", "must_exist")), "GET /", 1 },
    { "an element of an array", ALLOW(TOKEN("^roles$", "^admin$", "must_exist")),
      "GET /|token {\"roles\":[\"user\",\"admin\"]}", 1 },
    { "no element of an array", ALLOW(TOKEN("^roles$", "^admin$", "must_exist")),
      "GET /|token {\"roles\":[\"user\",\"xadmin\"]}", 0 },
    { "an empty array", ALLOW(TOKEN("^roles$", ".*", "must_exist")), "GET /|token {\"roles\":[]}", 0 },
    { "a word of scope", ALLOW(TOKEN("^scope$", "^b$", "must_exist")), "GET /|token {\"scope\":\"a b c\"}", 1 },
    { "no word of scope", ALLOW(TOKEN("^scope$", "^b c$", "must_exist")), "GET /|token {\"scope\":\"a b c\"}", 0 },
    { "a nested claim", ALLOW(TOKEN("^realm\\\\.roles$", "^x$", "must_exist")),
      "GET /|token {\"realm\":{\"roles\":[\"x\"]}}", 1 },
    { "a number", ALLOW(TOKEN("^level$", "^3$", "must_exist")), "GET /|token {\"level\":3}", 1 },
    { "a claim named by a URL", ALLOW(TOKEN("^https://e\\\\.com/r$", "^x$", "must_exist")),
      "GET /|token {\"https://e.com/r\":\"x\"}", 1 },

    { "body", ALLOW(BODY("^items\\\\[0\\\\]\\\\.id$", "^7$", "must_exist")), "POST /|body {\"items\":[{\"id\":7}]}",
      1 },
    { "body of another value", ALLOW(BODY("^items\\\\[0\\\\]\\\\.id$", "^7$", "must_exist")),
      "POST /|body {\"items\":[{\"id\":8}]}", 0 },
    { "body missing", ALLOW(BODY("^a$", "^7$", "must_exist")), "POST /", 0 },
    { "body denied", DENY(BODY("^admin$", "^true$", "must_exist")), "POST /|body {\"admin\":true}", 0 },
    { "body not denied", DENY(BODY("^admin$", "^true$", "must_exist")), "POST /|body {\"admin\":false}", 1 },
    { "a container is there", DENY(BODY("^debug$", ".*", "must_exist")), "POST /|body {\"debug\":{}}", 0 },
    { "an escaped name", DENY(BODY("^admin$", ".*", "must_exist")), "POST /|body {\"\\u0061dmin\":1}", 0 },
    { "a body that is not JSON denies", DENY(BODY("^a$", ".*", "must_exist")), "POST /|body a=1", 0 },
    { "unless the rule fails before", DENY("\"methods\":[\"PUT\"]," BODY("^a$", ".*", "must_exist")),
      "POST /|body a=1", 1 },
    { "a member twice is not JSON", DENY(BODY("^a$", "^9$", "must_exist")), "POST /|body {\"a\":1,\"a\":9}", 0 },

    { "parts are a conjunction: both", ALLOW("\"methods\":[\"GET\"]," HEADER("^X-A$", "^1$", "must_exist")),
      "GET /|X-A: 1", 1 },
    { "parts are a conjunction: one", ALLOW("\"methods\":[\"GET\"]," HEADER("^X-A$", "^1$", "must_exist")),
      "POST /|X-A: 1", 0 },
    { "doubt in a deny denies", DENY("\"pathPattern\":\"(a+)+$\""),
      "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 0 },
    { "doubt in an allow denies",
      "[{\"effect\":\"allow\"},{\"id\":\"x\",\"effect\":\"allow\",\"pathPattern\":\"(a+)+$\"}]",
      "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 0 },
    { "doubt in a rule that fails anyway", DENY("\"pathPattern\":\"(a+)+$\"," HEADER("^X-A$", ".*", "must_exist")),
      "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 1 },
};

static void test_cases(apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(is_allowed(cases[i].rules, cases[i].request, p), cases[i].allowed, cases[i].name);
    }
}

/* ---- scopes ---- */

enum { C = RR_SCOPE_PROXY_CREDENTIAL, P = RR_SCOPE_PROXY, T = RR_SCOPE_TARGET, TC = RR_SCOPE_TARGET_CREDENTIAL };

static void test_scopes(apr_pool_t *p)
{
    static const char allow[] = "[{\"effect\":\"allow\"}]", deny[] = "[{\"effect\":\"deny\"}]";
    static const struct {
        const char *name;
        const char *rules[RR_SCOPE_KINDS]; /* "" none; NULL: scope not given */
        rr_effect_e effect[RR_SCOPE_KINDS];
        int pooled, independent;
        int scope; /* that is named, pooled */
    } scopes[] = {
        { "nothing anywhere", { "", "", "", "" }, { 0 }, 0, 0, P },
        { "the credential's allow (seed 003)", { allow, "", "", "" }, { 0 }, 1, 0, C },
        { "the proxy's allow", { "", allow, "", "" }, { 0 }, 1, 1, P },
        { "the proxy's default", { "", "", "", "" }, { [P] = RR_EFFECT_ALLOW }, 1, 1, P },
        { "the target's allow opens no proxy", { "", "", allow, allow }, { 0 }, 0, 0, P },
        { "the target's deny", { "", allow, deny, "" }, { 0 }, 0, 0, T },
        { "the target credential's deny", { "", allow, "", deny }, { 0 }, 0, 0, TC },
        { "the credential's deny", { deny, allow, "", "" }, { 0 }, 0, 0, C },
        { "the proxy's deny", { allow, deny, "", "" }, { 0 }, 0, 0, P },
        { "the target's default", { "", allow, "", "" }, { [T] = RR_EFFECT_DENY }, 0, 0, T },
        { "an allow over the target's default", { "", allow, allow, "" }, { [T] = RR_EFFECT_DENY }, 1, 1, P },
        { "the credential's default is a gate of its own only", { "", allow, "", "" }, { [C] = RR_EFFECT_DENY }, 1, 0,
          P },
        { "no proxy at all", { allow, NULL, allow, NULL }, { 0 }, 1, 0, C },
        { "no proxy, and no rule", { "", NULL, "", NULL }, { 0 }, 0, 0, -1 },
    };
    apr_size_t i;
    int mode, k, n;

    for (i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        for (mode = 0; mode < 2; mode++) {
            rr_scope_t given[RR_SCOPE_KINDS];
            rr_verdict_t verdict;

            for (k = n = 0; k < RR_SCOPE_KINDS; k++) {
                if (scopes[i].rules[k]) {
                    given[n].kind = k;
                    given[n].name = "scope";
                    given[n].effect = scopes[i].effect[k];
                    given[n++].rules = *scopes[i].rules[k] ? make_set(scopes[i].rules[k], p) : NULL;
                }
            }
            rr_rule_judge(&verdict, given, n, mode ? RR_SCOPES_INDEPENDENT : RR_SCOPES_POOLED,
                          &make_request("GET /", p)->facts, rr_matcher_make(p), NULL);
            is_int(verdict.allowed, mode ? scopes[i].independent : scopes[i].pooled,
                   apr_pstrcat(p, scopes[i].name, mode ? ", independent" : ", pooled", NULL));
            if (mode == 0) {
                is_int(verdict.scope ? (int)verdict.scope->kind : -1, scopes[i].scope,
                       apr_pstrcat(p, scopes[i].name, ": scope that decides", NULL));
            }
        }
    }
}

/* Thousands of values, each of which costs nearly what a search may cost, and none reaches its limit. */
static void test_budget(apr_pool_t *p)
{
    const char *rules = ALLOW(BODY("^a", "^(x+)+$", "must_exist"));
    const char *body = "POST /|body {\"a\":[\"\"";
    apr_time_t start;
    int i, allowed;

    for (i = 0; i < 2500; i++) {
        body = apr_pstrcat(p, body, ",\"xxxxxxxxxxxxxx!\"", NULL);
    }
    body = apr_pstrcat(p, body, "]}", NULL);
    start = apr_time_now();
    allowed = is_allowed(rules, body, p);
    note("2,500 costly values: %" APR_TIME_T_FMT " us", apr_time_now() - start);
    ok(!allowed && apr_time_now() - start < apr_time_from_msec(500), "a request has a budget, not only a search");
    ok(is_allowed(rules, "POST /|body {\"a\":[\"xxxxxxxxxxxxxx\"]}", p), "one such value is within it");
}

static void test_report(apr_pool_t *p)
{
    rr_scope_t scope = { RR_SCOPE_PROXY, "location", NULL, RR_EFFECT_UNSET };
    request_t *request;
    rr_verdict_t verdict;

    scope.rules = make_set("[{\"id\":\"low\",\"effect\":\"deny\",\"priority\":1},{\"id\":\"high\","
      "\"effect\":\"deny\",\"priority\":5},"
                           "{\"id\":\"also\",\"effect\":\"deny\",\"priority\":5},{\"id\":\"top\","
                             "\"effect\":\"allow\",\"priority\":9}]", p);
    rr_rule_judge(&verdict, &scope, 1, RR_SCOPES_POOLED, &make_request("GET /", p)->facts, rr_matcher_make(p), NULL);
    is_str(verdict.rule ? rr_rule_id(verdict.rule) : NULL, "high", "the highest deny is reported, the first of equals");

    scope.rules = make_set("[{\"effect\":\"allow\"," HEADER("^X-Partner-Key$", "^partner_key_1$", "must_exist") "},"
                           "{\"effect\":\"allow\"," HEADER("^X-Other$", "^p", "must_exist") "}]", p);
    rr_rule_judge(&verdict, &scope, 1, RR_SCOPES_POOLED,
                  &make_request("GET /|X-Partner-Key: partner_key_1|X-Other: p1", p)->facts, rr_matcher_make(p), NULL);
    ok(verdict.allowed && verdict.secrets && verdict.secrets->nelts == 1, "one header is a secret");
    is_str(verdict.secrets ? APR_ARRAY_IDX(verdict.secrets, 0, const char *) : NULL, "x-partner-key",
           "the one matched by exact name and value");

    scope.rules = make_set("[{\"effect\":\"allow\",\"methods\":[\"GET\"]},{\"effect\":\"allow\"," BODY("^a$", "1",
      "must_exist") "}]", p);
    request = make_request("GET /|body {\"a\":1}", p);
    rr_rule_judge(&verdict, &scope, 1, RR_SCOPES_POOLED, &request->facts, rr_matcher_make(p), NULL);
    ok(verdict.allowed && request->bodies_read == 0, "a body is not read where the answer does not depend on it");
    request = make_request("POST /|body {\"a\":1}", p);
    rr_rule_judge(&verdict, &scope, 1, RR_SCOPES_POOLED, &request->facts, rr_matcher_make(p), NULL);
    ok(verdict.allowed && request->bodies_read == 1, "and once where it does");
    request = make_request("POST /|body a=1", p);
    rr_rule_judge(&verdict, &scope, 1, RR_SCOPES_POOLED, &request->facts, rr_matcher_make(p), NULL);
    ok(!verdict.allowed, "doubt denies");
    is_str(verdict.doubt, "the request body is not JSON", "and says why");
}

/* ---- random rules and requests ---- */

static const char *pick(const char *const *of)
{
    int n = 0;

    while (of[n]) {
        n++;
    }
    return of[rand() % n];
}

static const char *const path_patterns[] = {
    "^/a$", "^/a/b", "^/a/[a-z]+/c$", "/item-1", "item-[12]", "^/api/v1/x", "^/api/v1/.*/done$", "\\\\.php$", ".*",
      "^/",
    "(a|b)+$", "^/(a|api)/", "^/a|^/b", "x{2}", "^/api/v1/res1/", "^/api/v1/res2/", "^/api/v1/res[0-9]+/item$",
      "^.+$", NULL
};
static const char *const paths[] = {
    "/a", "/a/b", "/a/b/c", "/a/xyz/c", "/b", "/item-1", "/api/v1/x", "/api/v1/xx/done", "/x.php", "/",
      "/api/v1/res1/item",
    "/api/v1/res2/", "/api/v1/res77/item", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", NULL
};
static const char *const names[] = { "^X-A$", "^X-B$", "^X-", "^a$", "^b$", "a", ".*", "^(a|X-B)$", NULL };
static const char *const values[] = { "^1$", "^2$", "^1", "1", ".*", "^[12]$", "^1, 2$", "^part", "tner-1",
  "^par[a-z]+-2$", "(1+)+$", NULL };
static const char *const words[] = { "partner-1", "x, partner-2", "partner-12,1", "1", "2", "12", "", "1, 2", "1,2",
  "1111111111111111111111111111111111!", NULL };
static const char *const methods[] = { "GET", "POST", "DELETE", "HEAD", "PURGE", "LOCK", NULL };
static const char *const requests[] = { "GET", "POST", "DELETE", "HEAD", "PURGE", "LOCK", "get", "OPTIONS", NULL };
static const char *const presences[] = { "must_exist", "must_exist", "must_absent", NULL };

static const char *random_check(apr_pool_t *p, const char *what)
{
    return apr_psprintf(p, "{\"%s\":{\"pattern\":\"%s\"},\"value\":{\"pattern\":\"%s\"%s},\"presence\":\"%s\"}", what,
                        pick(names), pick(values), rand() % 8 ? "" : ",\"flags\":\"i\"", pick(presences));
}

static const char *random_rule(apr_pool_t *p, const char *id, const char *effect)
{
    static const struct {
        const char *part, *what;
        int odds;
    } parts[] = { { "headers", "name", 3 }, { "query", "name", 3 }, { "token", "claim", 6 }, { "body", "jsonPath",
      12 } };
    const char *out = apr_psprintf(p, "{\"id\":\"%s\",\"effect\":\"%s\",\"priority\":%d", id, effect, rand() % 3);
    apr_size_t i;

    if (rand() % 2) {
        out = apr_psprintf(p, "%s,\"methods\":[\"%s\",\"%s\"]", out, pick(methods), pick(methods));
    }
    if (rand() % 4) {
        out = apr_psprintf(p, "%s,\"path\":{\"pattern\":\"%s\",\"presence\":\"%s\",\"flags\":\"%s\"}", out,
                           pick(path_patterns), rand() % 6 ? "must_exist" : "must_absent", rand() % 8 ? "" : "i");
    }
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (rand() % parts[i].odds == 0) {
            const char *more = rand() % 3 ? "" : apr_pstrcat(p, ",", random_check(p, parts[i].what), NULL);

            out = apr_psprintf(p, "%s,\"%s\":[%s%s]", out, parts[i].part, random_check(p, parts[i].what), more);
        }
    }
    return apr_pstrcat(p, out, "}", NULL);
}

static const char *random_rules(apr_pool_t *p, int count, const char *more)
{
    const char *out = "[";
    int i;

    for (i = 0; i < count; i++) {
        out = apr_pstrcat(p, out, i ? "," : "", random_rule(p, apr_psprintf(p, "r%d", i),
          rand() % 3 ? "allow" : "deny"), NULL);
    }
    return apr_pstrcat(p, out, more && count ? "," : "", more ? more : "", "]", NULL);
}

static const char *random_request(apr_pool_t *p)
{
    const char *out = apr_psprintf(p, "%s %s", pick(requests), pick(paths));

    if (rand() % 2) {
        out = apr_psprintf(p, "%s?%c=%s&%c=%s", out, "abA"[rand() % 3], rand() % 2 ? "1" : "partner-2",
          "ab"[rand() % 2],
                           rand() % 2 ? "1" : "12");
    }
    if (rand() % 2) {
        out = apr_psprintf(p, "%s|X-%c: %s", out, "aBc"[rand() % 3], pick(words));
    }
    if (rand() % 2) {
        out = apr_psprintf(p, "%s|x-%c: %s", out, "Abc"[rand() % 3], pick(words));
    }
    if (rand() % 3 == 0) {
        out = apr_psprintf(p, "%s|token {\"%c\":\"%d\",\"b\":[\"1\",\"2\"]}", out, "ac"[rand() % 2], rand() % 3);
    }
    if (rand() % 3 == 0) {
        out = apr_psprintf(p, "%s|body %s", out, rand() % 4 ? "{\"a\":1,\"b\":{\"a\":2}}" : "a=1");
    }
    return rand() % 8 ? out : apr_psprintf(p, "%s|override %s", out, pick(methods));
}

static void see_nothing(void *baton, const rr_scope_t *scope, const rr_rule_t *rule, rr_match_e outcome,
  const char *part)
{
    (void)baton, (void)scope, (void)rule, (void)outcome, (void)part;
}

static int same_verdict(const rr_verdict_t *a, const rr_verdict_t *b)
{
    return a->allowed == b->allowed && a->scope == b->scope && a->rule == b->rule && a->undecided == b->undecided;
}

static void test_properties(apr_pool_t *parent)
{
    static const rr_rule_watch_t plain = { see_nothing };
    int trial, k, n, index_differs = 0, opened = 0, modes_differ = 0, allowed = 0, denied = 0, doubts = 0;
    apr_pool_t *p;

    srand(5);
    apr_pool_create(&p, parent);
    for (trial = 0; trial < 6000; trial++) {
        rr_scope_t scopes[RR_SCOPE_KINDS], wider[RR_SCOPE_KINDS], one[RR_SCOPE_KINDS];

        apr_pool_clear(p);
        for (k = 0; k < RR_SCOPE_KINDS; k++) {
            const char *text = random_rules(p, rand() % (trial % 50 ? 8 : 300), NULL);

            scopes[k].kind = k;
            scopes[k].name = "scope";
            scopes[k].effect = rand() % 3;
            scopes[k].rules = make_set(text, p);
            wider[k] = scopes[k];
            one[k] = scopes[k];
            if (k == trial % RR_SCOPE_KINDS) {
                text = apr_pstrmemdup(p, text, strlen(text) - 1);
                wider[k].rules = make_set(apr_pstrcat(p, text, text[1] ? "," : "", random_rule(p, "more", "deny"),
                  "]", NULL), p);
            }
            if (k != P) {
                one[k].rules = NULL;
                one[k].effect = RR_EFFECT_UNSET;
            }
        }
        for (n = 0; n < 30; n++) {
            const rr_scopes_mode_e mode = rand() % 2;
            const char *line = random_request(p);
            rr_verdict_t indexed, all, more, pooled, independent;
            rr_matcher_t *matcher = rr_matcher_make(p);

            rr_rule_judge(&indexed, scopes, RR_SCOPE_KINDS, mode, &make_request(line, p)->facts, matcher, NULL);
            rr_rule_judge(&all, scopes, RR_SCOPE_KINDS, mode, &make_request(line, p)->facts, matcher, &plain);
            rr_rule_judge(&more, wider, RR_SCOPE_KINDS, mode, &make_request(line, p)->facts, matcher, NULL);
            rr_rule_judge(&pooled, one, RR_SCOPE_KINDS, RR_SCOPES_POOLED, &make_request(line, p)->facts, matcher, NULL);
            rr_rule_judge(&independent, one, RR_SCOPE_KINDS, RR_SCOPES_INDEPENDENT, &make_request(line, p)->facts,
              matcher, NULL);
            allowed += indexed.allowed;
            denied += !indexed.allowed;
            doubts += indexed.undecided;
            if (!same_verdict(&indexed, &all) && ++index_differs < 4) {
                note("index differs: %s: %d by %s, plain %d by %s", line, indexed.allowed,
                     indexed.rule ? rr_rule_print(indexed.rule, p) : "default", all.allowed,
                     all.rule ? rr_rule_print(all.rule, p) : "default");
            }
            opened += more.allowed && !indexed.allowed;
            modes_differ += pooled.allowed != independent.allowed || pooled.rule != independent.rule;
        }
    }
    ok(allowed > 10000 && denied > 10000 && doubts > 500, "random judgements: %d allowed, %d denied, %d in doubt",
      allowed,
       denied, doubts);
    is_int(index_differs, 0, "the index changes nothing");
    is_int(opened, 0, "a further deny never allows more");
    is_int(modes_differ, 0, "pooled and independent agree where only the proxy has rules");
    apr_pool_destroy(p);
}

/* ---- growth ---- */

static double time_of(const rr_ruleset_t *set, const char *line, apr_pool_t *parent, int *met)
{
    rr_scope_t scope = { RR_SCOPE_PROXY, "location", set, RR_EFFECT_UNSET };
    apr_time_t best = 0;
    apr_pool_t *p;
    int round, i;

    apr_pool_create(&p, parent);
    for (round = 0; round < 5; round++) {
        apr_time_t start = apr_time_now(), took;

        for (i = 0; i < 2000; i++) {
            rr_facts_t facts = { p };
            rr_verdict_t verdict;

            facts.method = "GET";
            facts.path = line;
            rr_rule_judge(&verdict, &scope, 1, RR_SCOPES_POOLED, &facts, rr_matcher_make(p), NULL);
            *met = verdict.allowed;
            apr_pool_clear(p);
        }
        took = apr_time_now() - start;
        best = round == 0 || took < best ? took : best;
    }
    apr_pool_destroy(p);
    return (double)best / 2000;
}

static void test_growth(apr_pool_t *p)
{
    static const char *const shapes[] = { "^/v1/res%d/", "^/v1/res%d$", "^/v1/[a-z]+/item-%d$", "/res%d/x" };
    static const char *const lines[] = { "/v1/res5/x", "/v1/res5", "/v1/things/item-5", "/v1/res5/x" };
    static const int sizes[] = { 10, 1000, 10000 };
    double us[3] = { 0 };
    apr_size_t k, s;
    int i, met = 0;

    for (k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
        for (s = 0; s < 3; s++) {
            apr_array_header_t *rules = apr_array_make(p, sizes[s], sizeof(rr_rule_t *));

            for (i = 0; i < sizes[s]; i++) {
                const rr_json_t *json;
                const rr_rule_t *rule;
                rr_err_t err = RR_ERR_INIT;
                const char *text = apr_psprintf(p, "{\"effect\":\"allow\",\"pathPattern\":\"%s\"}",
                                                apr_psprintf(p, shapes[k], i));

                rr_json_parse(&json, text, strlen(text), p, &err);
                rr_rule_parse(&rule, json, apr_itoa(p, i), "", p, &err);
                APR_ARRAY_PUSH(rules, const rr_rule_t *) = rule;
            }
            us[s] = time_of(rr_ruleset_make((const rr_rule_t *const *)rules->elts, rules->nelts, p), lines[k], p, &met);
            ok(met, "%s: found among %d", shapes[k], sizes[s]);
        }
        note("%s: %.2f / %.2f / %.2f us among 10 / 1,000 / 10,000", shapes[k], us[0], us[1], us[2]);
        ok(us[2] < us[0] * 40 + 20, "%s: cost does not grow with the number of rules", shapes[k]);
    }
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_cases(p);
    test_scopes(p);
    test_report(p);
    test_budget(p);
    test_properties(p);
    test_growth(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
