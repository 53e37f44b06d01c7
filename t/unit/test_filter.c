/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_filter.c: which filters are read, which are refused and where, and to
 * which requests they apply.
 */
#include "tap.h"

#include "rr_filter.h"

#include <apr_general.h>
#include <apr_strings.h>

static apr_pool_t *pool;

#define OP "\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":\"a\"}}]"

static void test_shapes(void)
{
    static const struct {
        const char *json;
        const char *where; /* NULL: it is read */
        const char *text;
    } cases[] = {
        { "{" OP "}", NULL, NULL },
        { "[{" OP "},{" OP "}]", NULL, NULL },
        { "{\"filters\":[{" OP "}]}", NULL, NULL },
        { "[]", NULL, NULL },
        { "{" OP ",\"notes\":\"n\",\"id\":\"x\",\"methods\":[\"GET\",\"post\"],\"token\":[],\"headers\":[],"
          "\"regexFlags\":\"i\"}", NULL, NULL },
        { "{" OP ",\"requestPath\":{\"path\":{\"pattern\":\"^/a\"},\"presence\":\"must_exist\"}}", NULL, NULL },
        { "{" OP ",\"requestPath\":{\"pattern\":\"^/a\",\"flags\":\"i\",\"presence\":\"must_absent\"}}", NULL, NULL },
        { "{" OP ",\"path\":{\"path\":{\"pattern\":\"^/a\"}}}", NULL, NULL },
        { "{" OP ",\"requestPathPattern\":\"^/a\",\"requestPathPresence\":\"must_not_exist\"}", NULL, NULL },
        { "{" OP ",\"pathPattern\":\"^/a\",\"pathPresence\":\"absent\"}", NULL, NULL },
        { "{" OP ",\"headerChecks\":[{\"name\":{\"pattern\":\"a\"},\"presence\":\"present\"}]}", NULL, NULL },
        { "{" OP ",\"token\":[{\"claim\":{\"pattern\":\"a\"},\"value\":{\"pattern\":\"b\",\"flags\":\"i\"},"
          "\"presence\":\"must_absent\"}]}", NULL, NULL },
        { "{\"operations\":[{\"effect\":\"retain\",\"jsonPath\":{\"path\":\"$.a\"},\"notes\":\"n\"}]}", NULL, NULL },

        { "\"x\"", "", "must be a filter" },
        { "{\"filters\":{}}", "/filters", "array" },
        { "{\"filters\":[],\"x\":1}", "/x", "unknown member \"x\"" },
        { "[1]", "/0", "object" },
        { "{}", "/operations", "at least one" },
        { "{\"operations\":[]}", "/operations", "at least one" },
        { "{\"operations\":{}}", "/operations", "array" },
        { "[{" OP "},{" OP ",\"foo\":1}]", "/1/foo", "unknown member \"foo\"" },
        { "{\"operations\":[{\"effect\":\"remove\",\"jsonPath\":{\"pattern\":\"a\"}}]}", "/operations/0/effect",
          "destroy or retain" },
        { "{\"operations\":[{\"jsonPath\":{\"pattern\":\"a\"}}]}", "/operations/0/effect", "destroy or retain" },
        { "{\"operations\":[{\"effect\":\"destroy\"}]}", "/operations/0/jsonPath", "object" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":\"$.a\"}]}", "/operations/0/jsonPath", "object" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{}}]}", "/operations/0/jsonPath", "either" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":\"a\",\"path\":\"$\"}}]}",
          "/operations/0/jsonPath", "either" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"path\":\"$\",\"flags\":\"i\"}}]}",
          "/operations/0/jsonPath/flags", "pattern only" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":\"a\",\"flags\":\"q\"}}]}",
          "/operations/0/jsonPath/flags", "flag" },
        { "{" OP ",\"regexFlags\":\"q\"}", "/regexFlags", "flag" },
        { "{" OP ",\"requestPath\":{\"pattern\":\"a\",\"flags\":\"ii\"}}", "/requestPath/flags", "twice" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":\"a(\"}}]}",
          "/operations/0/jsonPath/pattern", "offset 2" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"path\":\"a\"}}]}", "/operations/0/jsonPath/path", "offset 0" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":7}}]}", "/operations/0/jsonPath/pattern", "string" },
        { "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":\"a\"},\"note\":\"\"}]}",
          "/operations/0/note", "unknown member \"note\"" },
        { "{" OP ",\"token\":[{\"value\":{\"pattern\":\"a\"}}]}", "/token/0/claim", "missing" },
        { "{" OP ",\"token\":[{\"claim\":{\"pattern\":\"[\"}}]}", "/token/0/claim/pattern", "offset" },
        { "{" OP ",\"token\":[{\"claim\":{\"pattern\":\"a\"},\"presence\":\"maybe\"}]}", "/token/0/presence", "must_exist" },
        { "{" OP ",\"token\":{}}", "/token", "array" },
        { "{" OP ",\"headers\":[{\"claim\":{\"pattern\":\"a\"}}]}", "/headers/0/claim", "unknown member \"claim\"" },
        { "{" OP ",\"headers\":[],\"headerChecks\":[]}", "/headerChecks", "second time" },
        { "{" OP ",\"methods\":[\"G T\"]}", "/methods/0", "method" },
        { "{" OP ",\"methods\":\"GET\"}", "/methods", "array" },
        { "{" OP ",\"requestPath\":{\"path\":{\"pattern\":\"a\"},\"pattern\":\"b\"}}", "/requestPath/pattern", "unknown member" },
        { "{" OP ",\"requestPath\":{\"presence\":\"must_exist\"}}", "/requestPath/pattern", "missing" },
        { "{" OP ",\"requestPath\":{\"pattern\":\"a\"},\"pathPattern\":\"b\"}", "/pathPattern", "second time" },
        { "{" OP ",\"pathPresence\":\"must_exist\"}", "/pathPattern", "missing" },
        { "{" OP ",\"regexFlags\":1}", "/regexFlags", "string" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const rr_filters_t *filters;
        rr_err_t err = RR_ERR_INIT;
        apr_status_t rv = rr_filters_read(&filters, cases[i].json, strlen(cases[i].json), pool, &err);

        if (!cases[i].where) {
            ok(rv == APR_SUCCESS && filters, "read: %s", cases[i].json);
        }
        else {
            ok(rv == RR_EINVAL && !filters && !strcmp(err.where, cases[i].where) && strstr(err.text, cases[i].text),
               "refused: %s", cases[i].json);
        }
        if (err.status != APR_SUCCESS) {
            note("%s: %s", err.where, err.text);
        }
    }
}

static void test_conditions(void)
{
    static const struct {
        const char *name, *conditions, *method, *path, *header, *claims;
        int applies;
    } cases[] = {
        { "no condition", "", "GET", "/", NULL, NULL, 1 },
        { "a method", "\"methods\":[\"post\"]", "POST", "/", NULL, NULL, 1 },
        { "another method", "\"methods\":[\"POST\"]", "GET", "/", NULL, NULL, 0 },
        { "GET is HEAD too", "\"methods\":[\"GET\"]", "HEAD", "/", NULL, NULL, 1 },
        { "HEAD is not GET", "\"methods\":[\"HEAD\"]", "GET", "/", NULL, NULL, 0 },
        { "a path", "\"requestPath\":{\"pattern\":\"^/a\"}", "GET", "/a/b", NULL, NULL, 1 },
        { "another path", "\"requestPath\":{\"pattern\":\"^/a\"}", "GET", "/b", NULL, NULL, 0 },
        { "an encoded path", "\"requestPath\":{\"pattern\":\"^/a\"}", "GET", "/%61", NULL, NULL, 1 },
        { "a path of two meanings", "\"requestPath\":{\"pattern\":\"^/a\"}", "GET", "/b%2fa", NULL, NULL, 1 },
        { "a path that must not be", "\"requestPath\":{\"pattern\":\"^/a\",\"presence\":\"must_absent\"}", "GET",
          "/a", NULL, NULL, 0 },
        { "that is another", "\"requestPath\":{\"pattern\":\"^/a\",\"presence\":\"must_absent\"}", "GET", "/b", NULL, NULL, 1 },
        { "flags of the filter", "\"regexFlags\":\"i\",\"requestPath\":{\"pattern\":\"^/A\"}", "GET", "/a", NULL, NULL, 1 },
        { "a claim", "\"token\":[{\"claim\":{\"pattern\":\"^tier$\"},\"value\":{\"pattern\":\"^free$\"}}]", "GET",
          "/", NULL, "{\"tier\":\"free\"}", 1 },
        { "another value", "\"token\":[{\"claim\":{\"pattern\":\"^tier$\"},\"value\":{\"pattern\":\"^free$\"}}]",
          "GET", "/", NULL, "{\"tier\":\"gold\"}", 0 },
        { "no token", "\"token\":[{\"claim\":{\"pattern\":\"^tier$\"},\"value\":{\"pattern\":\"^free$\"}}]", "GET",
          "/", NULL, NULL, 0 },
        { "absent without a token", "\"token\":[{\"claim\":{\"pattern\":\"^tier$\"},\"presence\":\"must_absent\"}]",
          "GET", "/", NULL, NULL, 1 },
        { "absent with one", "\"token\":[{\"claim\":{\"pattern\":\"^tier$\"},\"presence\":\"must_absent\"}]", "GET",
          "/", NULL, "{\"tier\":1}", 0 },
        { "an element of a claim",
          "\"token\":[{\"claim\":{\"pattern\":\"^roles$\"},\"value\":{\"pattern\":\"^b$\"}}]", "GET", "/", NULL,
          "{\"roles\":[\"a\",\"b\"]}", 1 },
        { "a word of a scope", "\"token\":[{\"claim\":{\"pattern\":\"^scope$\"},\"value\":{\"pattern\":\"^b$\"}}]",
          "GET", "/", NULL, "{\"scope\":\"a b\"}", 1 },
        { "not a word of another claim",
          "\"token\":[{\"claim\":{\"pattern\":\"^x$\"},\"value\":{\"pattern\":\"^b$\"}}]", "GET", "/", NULL,
          "{\"x\":\"a b\"}", 0 },
        { "a nested claim", "\"token\":[{\"claim\":{\"pattern\":\"^a\\\\.b$\"},\"value\":{\"pattern\":\"^7$\"}}]",
          "GET", "/", NULL, "{\"a\":{\"b\":7}}", 1 },
        { "a header", "\"headers\":[{\"name\":{\"pattern\":\"^x-p$\"},\"value\":{\"pattern\":\"^1$\"}}]", "GET", "/",
          "1", NULL, 1 },
        { "one of its parts", "\"headers\":[{\"name\":{\"pattern\":\"^X-P$\"},\"value\":{\"pattern\":\"^1$\"}}]",
          "GET", "/", "0, 1", NULL, 1 },
        { "another value of it", "\"headers\":[{\"name\":{\"pattern\":\"^X-P$\"},\"value\":{\"pattern\":\"^1$\"}}]",
          "GET", "/", "2", NULL, 0 },
        { "exempt by it",
          "\"headers\":[{\"name\":{\"pattern\":\"^X-P$\"},\"value\":{\"pattern\":\"^1$\"},\"presence\":\"must_absent"
          "\"}]", "GET", "/", "1", NULL, 0 },
        { "not exempt by a part",
          "\"headers\":[{\"name\":{\"pattern\":\"^X-P$\"},\"value\":{\"pattern\":\"^1$\"},\"presence\":\"must_absent"
          "\"}]", "GET", "/", "0, 1", NULL, 1 },
        { "both must hold", "\"methods\":[\"GET\"],\"requestPath\":{\"pattern\":\"^/a\"}", "GET", "/b", NULL, NULL, 0 },
    };
    rr_matcher_t *matcher = rr_matcher_make(pool);
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *json = apr_pstrcat(pool, "{" OP, *cases[i].conditions ? "," : "", cases[i].conditions, "}", NULL);
        apr_array_header_t *methods = apr_array_make(pool, 1, sizeof(const char *));
        apr_array_header_t *paths = apr_array_make(pool, 1, sizeof(const char *));
        apr_table_t *headers = apr_table_make(pool, 1);
        rr_filter_facts_t facts = { NULL };
        const rr_json_t *claims[2] = { NULL };
        rr_err_t err = RR_ERR_INIT;
        const rr_filters_t *filters;
        unsigned char active[1];
        unsigned look_at;
        int below;

        APR_ARRAY_PUSH(methods, const char *) = cases[i].method;
        APR_ARRAY_PUSH(paths, const char *) = rr_filter_path(cases[i].path, "", &below, pool);
        if (cases[i].header) {
            apr_table_set(headers, "X-P", cases[i].header);
        }
        if (cases[i].claims) {
            rr_json_parse_object(&claims[0], "{\"iss\":\"of another token\"}", 26, pool, &err);
            rr_json_parse_object(&claims[1], cases[i].claims, strlen(cases[i].claims), pool, &err);
        }
        if (rr_filters_read(&filters, json, strlen(json), pool, &err) != APR_SUCCESS) {
            ok(0, "%s: %s %s", cases[i].name, err.where, err.text);
            continue;
        }
        look_at = rr_filters_look_at(filters); /* what they do not look at is not there */
        facts.methods = look_at & RR_FILTER_METHODS ? methods : NULL;
        facts.paths = look_at & RR_FILTER_PATHS ? paths : NULL;
        facts.headers = look_at & RR_FILTER_HEADERS ? headers : NULL;
        facts.tokens = look_at & RR_FILTER_TOKENS ? claims : NULL;
        facts.tokens_count = facts.tokens && cases[i].claims ? 2 : 0;
        is_int(rr_filters_judge(filters, &facts, matcher, active, pool), cases[i].applies, cases[i].name);
    }
}

/* What one filter of a list looks at, the whole list does; what none does, nobody need find. */
static void test_looks(void)
{
    static const struct {
        const char *name, *json;
        unsigned look_at;
    } cases[] = {
        { "nothing", "{" OP "}", 0 },
        { "empty lists", "{" OP ",\"methods\":[],\"headers\":[],\"token\":[]}", 0 },
        { "methods", "{" OP ",\"methods\":[\"GET\"]}", RR_FILTER_METHODS },
        { "a path", "{" OP ",\"pathPattern\":\"a\"}", RR_FILTER_PATHS },
        { "headers", "{" OP ",\"headers\":[{\"name\":{\"pattern\":\"a\"},\"presence\":\"absent\"}]}", RR_FILTER_HEADERS },
        { "headers by their other name", "{" OP ",\"headerChecks\":[{\"name\":{\"pattern\":\"a\"}}]}", RR_FILTER_HEADERS },
        { "claims", "{" OP ",\"token\":[{\"claim\":{\"pattern\":\"a\"}}]}", RR_FILTER_TOKENS },
        { "each what the other does not",
          "[{" OP ",\"methods\":[\"GET\"]},{" OP ",\"headers\":[{\"name\":{\"pattern\":\"a\"}}]}]",
          RR_FILTER_METHODS | RR_FILTER_HEADERS },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const rr_filters_t *filters;
        rr_err_t err = RR_ERR_INIT;

        if (rr_filters_read(&filters, cases[i].json, strlen(cases[i].json), pool, &err) != APR_SUCCESS) {
            ok(0, "looks at %s: %s %s", cases[i].name, err.where, err.text);
            continue;
        }
        ok(rr_filters_look_at(filters) == cases[i].look_at, "looks at %s", cases[i].name);
    }
}

static void test_paths(void)
{
    static const struct {
        const char *target, *mount, *path;
        int below;
    } cases[] = {
        { "/a/b?c=/d", "", "/a/b", 1 },  { "/gw/a", "/gw", "/a", 1 },    { "/gw/a", "/gw/", "/a", 1 }, { "/gw", "/gw", "/", 1 },
        { "/gwx", "/gw", NULL, 0 },       { "/%67w/a", "/gw", "/a", 1 },  { "/a%2fb", "", NULL, 1 },    { "/a%5cb", "", NULL, 1 },
        { "/a%00", "", NULL, 1 },        { "/a;b", "", NULL, 1 },        { "/a//b", "", NULL, 1 },     { "/a/./b", "", NULL, 1 },
        { "/a/../b", "", NULL, 1 },      { "/a/%2e%2e", "", NULL, 1 },   { "/a/..b", "", "/a/..b", 1 }, { "/a%2541", "", NULL, 1 },
        { "/a%4", "", NULL, 1 },         { "/a%zz", "", NULL, 1 },       { "*", "", NULL, 0 },         { "", "", NULL, 1 },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int below;
        const char *path = rr_filter_path(cases[i].target, cases[i].mount, &below, pool);

        ok(below == cases[i].below && (!below || (path && cases[i].path ? !strcmp(path, cases[i].path) : path == cases[i].path)),
           "path of %s below \"%s\"", cases[i].target, cases[i].mount);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_shapes();
    test_conditions();
    test_looks();
    test_paths();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_end();
}
