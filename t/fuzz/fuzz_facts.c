/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_facts.c: any request against fixed rules, by the index and without it:
 * one verdict. The input is lines: method, target, then any of `H name: value`,
 * `T claims`, `B body`.
 */
#include "rr_path.h"
#include "rr_rule.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
    "[{\"effect\":\"allow\",\"methods\":[\"GET\",\"POST\"],\"pathPattern\":\"^/v1/user/\",\"headers\":[{\"name\":{"
      "\"pattern\":\"^X-A$\"},"
    "\"value\":{\"pattern\":\".*\"}}]},"
    "{\"effect\":\"allow\",\"methods\":[\"POST\"],\"pathPattern\":\"^/v3/mail/send$\"},"
    "{\"effect\":\"deny\",\"methods\":[\"GET\"],\"pathPattern\":\"^/v1/[a-z]+/secret$\"},"
    "{\"effect\":\"deny\",\"headers\":[{\"name\":{\"pattern\":\"^X-B$\"},\"value\":{\"pattern\":\"^bad$\"}}]},"
    "{\"effect\":\"allow\",\"query\":[{\"name\":{\"pattern\":\"^q$\"},\"value\":{\"pattern\":\"^[a-z]+$\"}}]},"
    "{\"effect\":\"deny\",\"query\":[{\"name\":{\"pattern\":\"^admin$\"},\"value\":{\"pattern\":\"^1$\"}}]},"
    "{\"effect\":\"allow\",\"token\":[{\"claim\":{\"pattern\":\"^roles$\"},\"value\":{\"pattern\":\"^admin$\"}}]},"
    "{\"effect\":\"deny\",\"token\":[{\"claim\":{\"pattern\":\"^a\\\\.b$\"},\"value\":{\"pattern\":\"x\","
      "\"flags\":\"i\"},\"presence\":\"absent\"}],"
    "\"pathPattern\":\"^/t\"},"
    "{\"effect\":\"allow\",\"body\":[{\"jsonPath\":{\"pattern\":\"^items\\\\[0\\\\]\"},\"value\":{"
      "\"pattern\":\"^[0-9]+$\"}}],\"pathPattern\":\"^/b\"},"
    "{\"effect\":\"deny\",\"body\":[{\"jsonPath\":{\"pattern\":\"^debug$\"}}],\"pathPattern\":\"/b\"},"
    "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/(v1|v3|b|t)\",\"presence\":\"absent\"},\"methods\":[\"DELETE\"]},"
    "{\"effect\":\"deny\",\"pathPattern\":\"(x+)+y[z]\"},"
    "{\"effect\":\"allow\",\"pathPattern\":\"^/caf\\u00e9/[\\u00e9]\"}]";

typedef struct {
    rr_facts_t facts;
    const char *body;
    const rr_json_t *tokens[4];
} request_t;

static apr_status_t read_body(void *baton, const rr_json_t **pbody, const char **pwhy)
{
    const request_t *request = baton;

    *pwhy = "not JSON";
    return rr_json_parse(pbody, request->body, strlen(request->body), request->facts.p, NULL);
}

static void add_line(request_t *request, char *line)
{
    char *colon = strchr(line, ':');
    const rr_json_t *json;

    if (line[0] == 'H' && line[1] == ' ' && colon) {
        *colon = '\0';
        apr_table_mergen((apr_table_t *)request->facts.headers, line + 2, colon + 1 + (colon[1] == ' '));
    } else if (line[0] == 'T' && line[1] == ' ' && request->facts.tokens_count < 4 &&
               rr_json_parse_object(&json, line + 2, strlen(line + 2), request->facts.p, NULL) == APR_SUCCESS) {
        request->tokens[request->facts.tokens_count++] = json;
    } else if (line[0] == 'B' && line[1] == ' ') {
        request->body = line + 2;
        request->facts.read_body = read_body;
    }
}

/* False where the target is refused before any rule is asked. */
static int make_request(request_t *request, const uint8_t *data, size_t size, apr_pool_t *p)
{
    char *text = apr_pstrmemdup(p, (const char *)data, size), *last, *line, *target;
    const char *question;

    memset(request, 0, sizeof(*request));
    request->facts.p = p;
    request->facts.headers = apr_table_make(p, 4);
    request->facts.tokens = request->tokens;
    request->facts.baton = request;
    if (!(request->facts.method = apr_strtok(text, "\n", &last)) || !(target = apr_strtok(NULL, "\n", &last)) ||
        rr_path_canonical(&request->facts.path, target, RR_PATH_STRICT, p, NULL) != APR_SUCCESS) {
        return 0;
    }
    question = strchr(target, '?');
    request->facts.args = question ? question + 1 : NULL;
    while ((line = apr_strtok(NULL, "\n", &last))) {
        add_line(request, line);
    }
    request->facts.overrides =
        rr_facts_overrides(p, request->facts.method, request->facts.headers, request->facts.args);
    return 1;
}

static void see_nothing(void *baton, const rr_scope_t *scope, const rr_rule_t *rule, rr_match_e outcome,
  const char *part)
{
    (void)baton, (void)scope, (void)rule, (void)outcome, (void)part;
}

static apr_pool_t *parent;

static void end(void)
{
    apr_pool_destroy(parent); /* leaks are looked for, and not in APR's mapped memory */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rr_rule_watch_t plain = { see_nothing };
    static rr_scope_t scope = { RR_SCOPE_PROXY, "location" };
    rr_verdict_t indexed, all;
    request_t request;
    apr_pool_t *p;

    if (!parent) {
        apr_initialize();
        apr_pool_create(&parent, NULL);
        atexit(end);
        if (rr_ruleset_parse(&scope.rules, rules, strlen(rules), parent, NULL) != APR_SUCCESS) {
            abort();
        }
    }
    apr_pool_create(&p, parent);
    if (make_request(&request, data, size, p)) {
        rr_rule_judge(&indexed, &scope, 1, RR_SCOPES_POOLED, &request.facts, rr_matcher_make(p), NULL);
        request.facts.lazy = NULL;
        rr_rule_judge(&all, &scope, 1, RR_SCOPES_POOLED, &request.facts, rr_matcher_make(p), &plain);
        if (indexed.allowed != all.allowed || indexed.rule != all.rule || indexed.undecided != all.undecided) {
            abort();
        }
    }
    apr_pool_destroy(p);
    return 0;
}
