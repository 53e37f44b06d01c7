/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rule_parse.c: every published shape of a rule is read alike and emitted
 * as one; what is unknown or malformed is refused at its place.
 */
#include "rr_rule.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static const char *reprint(const char *text, apr_pool_t *p)
{
    const rr_json_t *json;
    const rr_rule_t *rule;
    rr_err_t err = RR_ERR_INIT;

    if (rr_json_parse(&json, text, strlen(text), p, &err) != APR_SUCCESS ||
        rr_rule_parse(&rule, json, "r1", "", p, &err) != APR_SUCCESS) {
        return apr_psprintf(p, "%s: %s", err.where, err.text);
    }
    return rr_rule_print(rule, p);
}

static const char seed_000_1[] =
    "{\"effect\":\"allow\",\"methods\":[\"GET\",\"POST\"],"
    "\"path\":{\"path\":{\"pattern\":\"^/v1/user/\"},\"presence\":\"must_exist\"},"
    "\"headers\":[{\"name\":{\"pattern\":\"^X-User-Auth$\"},\"value\":{\"pattern\":\".*\"},"
      "\"presence\":\"must_exist\"}],"
    "\"priority\":10,\"notes\":\"User-scoped endpoints: require X-User-Auth header\"}";

static void test_shapes(apr_pool_t *p)
{
    static const char path[] = "{\"effect\":\"deny\",\"path\":{\"path\":{\"pattern\":\"^/a\"},"
      "\"presence\":\"must_exist\"}}";
    static const char absent[] = "{\"effect\":\"deny\",\"path\":{\"path\":{\"pattern\":\"^/a\"},"
      "\"presence\":\"must_absent\"}}";
    static const char caseless[] = "{\"effect\":\"deny\",\"path\":{\"path\":{\"pattern\":\"^/a\",\"flags\":\"i\"},"
                                   "\"presence\":\"must_exist\"}}";
    static const char header[] = "{\"effect\":\"allow\",\"headers\":[{\"name\":{\"pattern\":\"^X$\"},"
                                 "\"value\":{\"pattern\":\"1\"},\"presence\":\"must_absent\"}]}";
    static const char query[] = "{\"effect\":\"allow\",\"query\":[{\"name\":{\"pattern\":\"^x$\"},"
                                "\"value\":{\"pattern\":\"1\"},\"presence\":\"must_exist\"}]}";
    static const char token[] = "{\"effect\":\"deny\",\"token\":[{\"claim\":{\"pattern\":\"^tier$\"},"
                                "\"value\":{\"pattern\":\"^(premium|enterprise)$\"},\"presence\":\"must_absent\"}]}";
    static const char body[] = "{\"effect\":\"deny\",\"body\":[{\"jsonPath\":{\"pattern\":\"^a$\"},"
                               "\"value\":{\"pattern\":\"1\"},\"presence\":\"must_exist\"}]}";
    static const struct {
        const char *name, *text, *want;
    } shapes[] = {
        { "seed 000, pattern 1", seed_000_1, seed_000_1 },
        { "an effect alone", "{\"effect\":\"allow\"}", "{\"effect\":\"allow\"}" },
        { "nested path", path, path },
        { "flat path", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/a\",\"presence\":\"present\"}}", path },
        { "flat path, no presence", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/a\"}}", path },
        { "pathPattern", "{\"effect\":\"deny\",\"pathPattern\":\"^/a\"}", path },
        { "pathPattern, pathPresence",
          "{\"pathPresence\":\"must_exist\",\"pathPattern\":\"^/a\",\"effect\":\"deny\"}", path },
        { "absent", "{\"effect\":\"deny\",\"pathPattern\":\"^/a\",\"pathPresence\":\"absent\"}", absent },
        { "must_absent",
          "{\"effect\":\"deny\",\"path\":{\"path\":{\"pattern\":\"^/a\"},\"presence\":\"must_absent\"}}", absent },
        { "must_not_exist", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/a\",\"presence\":\"must_not_exist\"}}",
          absent },
        { "flags of a pattern", "{\"effect\":\"deny\",\"path\":{\"path\":{\"pattern\":\"^/a\",\"flags\":\"i\"}}}",
          caseless },
        { "flags of a flat path", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/a\",\"flags\":\"i\"}}", caseless },
        { "flags of a rule", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/a\"},\"regexFlags\":\"i\"}", caseless },
        { "flags of a rule and pathPattern", "{\"effect\":\"deny\",\"pathPattern\":\"^/a\",\"regexFlags\":\"i\"}",
          caseless },
        { "a pattern's flags win",
          "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/a\",\"flags\":\"\"},\"regexFlags\":\"i\"}", path },
        { "headers", header, header },
        { "headerChecks", "{\"effect\":\"allow\",\"headerChecks\":[{\"name\":{\"pattern\":\"^X$\"},"
                          "\"value\":{\"pattern\":\"1\"},\"presence\":\"absent\"}]}", header },
        { "namePattern, valuePattern", "{\"effect\":\"allow\",\"headerChecks\":[{\"namePattern\":\"^X$\","
                                       "\"valuePattern\":\"1\",\"presence\":\"must_not_exist\"}]}", header },
        { "query", query, query },
        { "queryChecks", "{\"effect\":\"allow\",\"queryChecks\":[{\"name\":{\"pattern\":\"^x$\"},"
                         "\"value\":{\"pattern\":\"1\"},\"presence\":\"present\"}]}", query },
        { "token", token, token },
        { "body", body, body },
        { "methods are upper case", "{\"effect\":\"allow\",\"methods\":[\"get\",\"x-purge\"]}",
          "{\"effect\":\"allow\",\"methods\":[\"GET\",\"X-PURGE\"]}" },
        { "empty parts are absent", "{\"effect\":\"allow\",\"methods\":[],\"headers\":[],\"query\":[]}",
          "{\"effect\":\"allow\"}" },
        { "a name without a value", "{\"effect\":\"deny\",\"headers\":[{\"name\":{\"pattern\":\"^X$\"}}]}",
          "{\"effect\":\"deny\",\"headers\":[{\"name\":{\"pattern\":\"^X$\"},\"presence\":\"must_exist\"}]}" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const char *once = reprint(shapes[i].text, p);

        is_str(once, shapes[i].want, shapes[i].name);
        is_str(reprint(once, p), once, apr_pstrcat(p, shapes[i].name, ": what we emit we read", NULL));
    }
}

static void test_refused(apr_pool_t *p)
{
    static const struct {
        const char *name, *text, *want; /* want: a part of "pointer: text" */
    } refused[] = {
        { "no effect", "{\"methods\":[\"GET\"]}", "/effect: is required" },
        { "another effect", "{\"effect\":\"permit\"}", "/effect: must be" },
        { "not an object", "[]", ": must be an object" },
        { "an unknown member", "{\"effect\":\"deny\",\"paths\":{}}", "/paths: this member is not known" },
        { "an id where ids are ours", "{\"effect\":\"deny\",\"id\":\"x\"}", "/id: this member is not known" },
        { "null for absent", "{\"effect\":\"deny\",\"path\":null}", "/path: must be an object" },
        { "a path without a pattern", "{\"effect\":\"deny\",\"path\":{\"presence\":\"present\"}}",
          "/path: has no pattern" },
        { "a path in two shapes", "{\"effect\":\"deny\",\"path\":{\"path\":{\"pattern\":\"a\"},\"pattern\":\"a\"}}",
          "/path: mixes" },
        { "two paths", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"a\"},\"pathPattern\":\"a\"}",
          "/pathPattern: the path is given twice" },
        { "presence alone", "{\"effect\":\"deny\",\"pathPresence\":\"absent\"}", "/pathPresence: stands without" },
        { "another presence", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"a\",\"presence\":\"maybe\"}}",
          "/path/presence: must be" },
        { "an unknown member of a path", "{\"effect\":\"deny\",\"path\":{\"patern\":\"a\"}}",
          "/path/patern: this member" },
        { "an unknown member of a pattern", "{\"effect\":\"deny\",\"path\":{\"path\":{\"regex\":\"a\"}}}",
          "/path/path/regex: this member" },
        { "a bad pattern, with offset", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"^/a(\"}}", "offset 4" },
        { "an unknown flag", "{\"effect\":\"deny\",\"path\":{\"pattern\":\"a\",\"flags\":\"iz\"}}",
          "/path/flags: flag 'z'" },
        { "an unknown flag of a name", "{\"effect\":\"deny\",\"headers\":[{\"name\":{\"pattern\":\"a\",\"flags\":\"q\"}}]}",
          "/headers/0/name/flags: flag 'q'" },
        { "unknown flags of a rule", "{\"effect\":\"deny\",\"pathPattern\":\"a\",\"regexFlags\":\"q\"}",
          "/regexFlags: flag 'q'" },
        { "unknown flags of a rule without a pattern", "{\"effect\":\"deny\",\"regexFlags\":\"q\"}", "/regexFlags: flag 'q'" },
        { "flags that are no string", "{\"effect\":\"deny\",\"regexFlags\":1}", "/regexFlags: must be a string" },
        { "headers as an object", "{\"effect\":\"deny\",\"headers\":{}}", "/headers: must be an array" },
        { "headers under two names", "{\"effect\":\"deny\",\"headers\":[],\"headerChecks\":[]}", "given twice" },
        { "a check without a name", "{\"effect\":\"deny\",\"headers\":[{\"value\":{\"pattern\":\"a\"}}]}",
          "/headers/0: has no \"name\"" },
        { "a claim for a header", "{\"effect\":\"deny\",\"headers\":[{\"claim\":{\"pattern\":\"a\"}}]}",
          "/headers/0/claim: this member" },
        { "a bad pattern in a list", "{\"effect\":\"deny\",\"query\":[{\"name\":{\"pattern\":\"a\"}},"
                                     "{\"name\":{\"pattern\":\"(\"}}]}", "/query/1/name: not a regular expression" },
        { "a name twice", "{\"effect\":\"deny\",\"query\":[{\"name\":{\"pattern\":\"a\"},\"namePattern\":\"b\"}]}",
          "given twice" },
        { "methods that are no list", "{\"effect\":\"deny\",\"methods\":\"GET\"}", "/methods: must be an array" },
        { "a method that is none", "{\"effect\":\"deny\",\"methods\":[\"GET\",\"P T\"]}",
          "/methods/1: must be a method" },
        { "priority as a string", "{\"effect\":\"deny\",\"priority\":\"1\"}", "/priority: must be" },
        { "priority with a fraction", "{\"effect\":\"deny\",\"priority\":1.5}", "/priority: must be" },
        { "priority before the begin", "{\"effect\":\"deny\",\"priority\":-1000001}", "/priority: must be" },
        { "priority past the end", "{\"effect\":\"deny\",\"priority\":1000001}", "/priority: must be" },
        { "notes that are no string", "{\"effect\":\"deny\",\"notes\":[]}", "/notes: must be" },
        { "an empty pattern", "{\"effect\":\"allow\",\"path\":{\"pattern\":\"\"}}", "1 to 4096" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const char *said = reprint(refused[i].text, p);

        ok(said[0] != '{' && strstr(said, refused[i].want), "refused: %s: %s", refused[i].name, said);
    }
    is_str(reprint("{\"effect\":\"deny\",\"priority\":1000000}", p), "{\"effect\":\"deny\",\"priority\":1000000}",
           "the highest priority");
    is_str(reprint("{\"effect\":\"deny\",\"priority\":-1000000}", p), "{\"effect\":\"deny\",\"priority\":-1000000}",
           "the lowest priority");
}

static const char *checks(apr_pool_t *p, int count)
{
    const char *list = "{\"name\":{\"pattern\":\"a\"}}";

    while (--count > 0) {
        list = apr_pstrcat(p, list, ",{\"name\":{\"pattern\":\"a\"}}", NULL);
    }
    return apr_pstrcat(p, "{\"effect\":\"deny\",\"headers\":[", list, "]}", NULL);
}

static void test_sets(apr_pool_t *p)
{
    static const struct {
        const char *name, *text, *want; /* want NULL: a good set */
    } sets[] = {
        { "an array", "[{\"effect\":\"deny\"},{\"effect\":\"allow\",\"id\":\"second\"}]", NULL },
        { "an object", "{\"rules\":[{\"effect\":\"deny\"},{\"id\":\"second\",\"effect\":\"allow\"}]}", NULL },
        { "another object", "{\"rule\":[]}", "an array of rules" },
        { "more than rules", "{\"rules\":[],\"x\":1}", "an array of rules" },
        { "a bad rule alone", "{\"effect\":\"deny\",\"x\":1}", "/x: this member" },
        { "rules beside a rule", "{\"effect\":\"deny\",\"rules\":[]}", "/rules: this member" },
        { "not JSON", "[", "" },
        { "a string", "\"x\"", "must be an array" },
        { "a bad rule at its place", "{\"rules\":[{\"effect\":\"deny\"},{\"effect\":1}]}", "/rules/1/effect: must be" },
        { "one id twice", "[{\"effect\":\"deny\",\"id\":\"a\"},{\"effect\":\"deny\",\"id\":\"a\"}]",
          "/1: is a second rule" },
        { "an id that takes another's default", "[{\"effect\":\"deny\",\"id\":\"rule-2\"},{\"effect\":\"deny\"}]",
          "/1: is a second" },
        { "an id with a blank", "[{\"effect\":\"deny\",\"id\":\"a b\"}]", "/0/id: must be" },
    };
    const rr_ruleset_t *set;
    rr_err_t err;
    apr_size_t i;

    for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        apr_status_t rv;

        rr_err_clear(&err);
        rv = rr_ruleset_parse(&set, sets[i].text, strlen(sets[i].text), p, &err);
        if (sets[i].want) {
            ok(rv == RR_EINVAL && !set && strstr(apr_pstrcat(p, err.where, ": ", err.text, NULL), sets[i].want),
               "refused: %s: %s: %s", sets[i].name, err.where, err.text);
        } else if (ok(rv == APR_SUCCESS && rr_ruleset_count(set) == 2, "%s", sets[i].name)) {
            is_str(rr_rule_id(rr_ruleset_rule(set, 0)), "rule-1", "named for its place");
            is_str(rr_rule_id(rr_ruleset_rule(set, 1)), "second", "named by its author");
        }
    }
    rr_err_clear(&err);
    ok(rr_ruleset_load(&set, "/nonexistent/rules.json", p, &err) != APR_SUCCESS && !set && strstr(err.text, "read"),
       "no file: %s", err.text);
    ok(reprint(checks(p, RR_MAX_RULE_CHECKS), p)[0] == '{', "as many checks as may be");
    ok(strstr(reprint(checks(p, RR_MAX_RULE_CHECKS + 1), p), "more than") != NULL, "one check more");
}

typedef struct {
    apr_pool_t *p;
    const char *said[2]; /* by rr_lint_e */
} lint_t;

static void collect(void *baton, rr_lint_e level, const rr_rule_t *rule, const char *text)
{
    lint_t *lint = baton;

    lint->said[level] = apr_pstrcat(lint->p, lint->said[level], rr_rule_id(rule), ": ", text, "\n", NULL);
}

static const char *lint_of(const char *text, rr_lint_e level, apr_pool_t *p)
{
    lint_t lint = { p, { "", "" } };
    const rr_ruleset_t *set;
    rr_err_t err = RR_ERR_INIT;

    if (rr_ruleset_parse(&set, text, strlen(text), p, &err) != APR_SUCCESS) {
        return apr_pstrdup(p, err.text);
    }
    rr_ruleset_lint(set, collect, &lint, p);
    return lint.said[level];
}

static void test_lint(apr_pool_t *p)
{
    static const struct {
        const char *name, *text, *want; /* NULL: nothing to say */
    } lints[] = {
        { "a good set",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/a/\"},{\"effect\":\"deny\",\"pathPattern\":\"^/a/b\"}]", NULL },
        { "not anchored", "[{\"effect\":\"allow\",\"pathPattern\":\"/a\"}]",
          "rule-1: path: the pattern is not anchored" },
        { "backtracking", "[{\"effect\":\"allow\",\"pathPattern\":\"^/(a+)+$\"}]",
          "rule-1: path: the pattern backtracks" },
        { "a header a caller drops", "[{\"effect\":\"deny\",\"headers\":[{\"name\":{\"pattern\":\"^x$\"},"
                                     "\"value\":{\"pattern\":\"^1$\"}}]}]", "headers/0: a caller who leaves it out" },
        { "a token a caller drops", "[{\"effect\":\"deny\",\"token\":[{\"claim\":{\"pattern\":\"^x$\"}}]}]",
          "token/0: a caller" },
        { "a path that is none", "[{\"effect\":\"allow\",\"pathPattern\":\"^v1/\"}]", "rule-1: path: there is no path" },
        { "a path with an empty segment", "[{\"effect\":\"allow\",\"pathPattern\":\"^/v1//x\"}]",
          "rule-1: path: there is no path" },
        { "unreachable",
          "[{\"effect\":\"deny\",\"pathPattern\":\"^/a\"},{\"effect\":\"allow\",\"pathPattern\":\"^/a/b$\"}]",
          "rule-2: can never allow: rule \"rule-1\"" },
        { "unreachable, by a later rule",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/a/(b|c)$\"},{\"effect\":\"deny\",\"pathPattern\":\"^/a/[a-z]+$\"}]",
          "rule-1: can never allow: rule \"rule-2\"" },
        { "unreachable, with the same condition",
          "[{\"effect\":\"deny\",\"token\":[{\"claim\":{\"pattern\":\"^a$\"},\"presence\":\"absent\"}]},{\"effect\":\"allow\","
          "\"pathPattern\":\"^/\",\"token\":[{\"claim\":{\"pattern\":\"^a$\"},\"presence\":\"absent\"}]}]",
          "rule-2: can never allow: rule \"rule-1\"" },
        { "reachable under another condition",
          "[{\"effect\":\"deny\",\"token\":[{\"claim\":{\"pattern\":\"^a$\"},\"presence\":\"absent\"}]},{\"effect\":\"allow\","
          "\"pathPattern\":\"^/\"}]", NULL },
        { "swallowed",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/a\"},{\"effect\":\"allow\",\"pathPattern\":\"^/a/[bc]$\"}]",
          "rule-2: changes nothing: rule \"rule-1\"" },
        { "swallowed by a later rule",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/a/[0-9]+$\"},{\"effect\":\"allow\",\"pathPattern\":\"^/a/[^/]+$\"}]",
          "rule-1: changes nothing: rule \"rule-2\"" },
        { "the same twice, by patterns that nothing compares",
          "[{\"effect\":\"deny\",\"pathPattern\":\"^/(?=a)\"},{\"effect\":\"deny\",\"pathPattern\":\"^/(?=a)\"}]",
          "rule-2: changes nothing: rule \"rule-1\"" },
        { "overlapping",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/orders/\"},{\"effect\":\"deny\",\"pathPattern\":\"^/[a-z]+/export$\"}]",
          "rule-1: overlaps rule \"rule-2\", which denies: GET \"/orders/export\" matches both" },
        { "other methods do not overlap", "[{\"effect\":\"deny\",\"methods\":[\"GET\"],\"pathPattern\":\"^/a\"},"
                                          "{\"effect\":\"allow\",\"methods\":[\"POST\"],\"pathPattern\":\"^/a/b$\"}]",
                                            NULL },
        { "a denied GET is a denied HEAD", "[{\"effect\":\"deny\",\"methods\":[\"GET\"],\"pathPattern\":\"^/a\"},"
                                           "{\"effect\":\"allow\",\"methods\":[\"HEAD\"],\"pathPattern\":\"^/a/b$\"}]",
          "rule-2: can never allow" },
        { "other paths do not overlap",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/a/[a-f]+$\"},{\"effect\":\"deny\",\"pathPattern\":\"^/a/[g-z]+$\"}]",
          NULL },
    };
    static const struct {
        const char *name, *text, *want;
    } notes[] = {
        { "an exception",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/a/\"},{\"effect\":\"deny\",\"pathPattern\":\"^/a/b\"}]",
          "rule-1: makes room for rule \"rule-2\", which denies: GET \"/a/b\"" },
        { "one effect",
          "[{\"effect\":\"deny\",\"pathPattern\":\"^/a/b*$\"},{\"effect\":\"deny\",\"pathPattern\":\"^/a/c*$\"}]",
          "rule-2: overlaps rule \"rule-1\", which has the same effect: GET \"/a/\"" },
        { "beyond what is read",
          "[{\"effect\":\"allow\",\"pathPattern\":\"^/(?=a)\"},{\"effect\":\"deny\",\"pathPattern\":\"^/a/b\"}]",
          "rule-2: cannot be compared with rule \"rule-1\"" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(lints) / sizeof(lints[0]); i++) {
        const char *said = lint_of(lints[i].text, RR_LINT_WARNING, p);

        if (!ok(lints[i].want ? strstr(said, lints[i].want) != NULL : !*said, "lint: %s", lints[i].name)) {
            note("said %s", said);
        }
    }
    for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        const char *said = lint_of(notes[i].text, RR_LINT_NOTE, p);

        if (!ok(strstr(said, notes[i].want) && !*lint_of(notes[i].text, RR_LINT_WARNING, p), "note: %s", notes[i].name)) {
            note("said %s", said);
        }
    }
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    test_shapes(p);
    test_refused(p);
    test_sets(p);
    test_lint(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
