/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_api_attached.c: rules and filters by the management API: every shape comes out as one, what does not
 * compile is refused with its place, nobody reaches another's.
 */
#include "api_frame.h"

#define OP "rr:admin"
#define ACME "rr:admin:acme"
#define A "/clients/acme"

static const api_case_t made[] = {
    { "a client", OP, "POST", "/clients", "{\"clientName\":\"Acme\",\"id\":\"acme\"}", 201 },
    { "another", OP, "POST", "/clients", "{\"clientName\":\"Evil\",\"id\":\"evil\"}", 201 },
    { "a credential", ACME, "POST", A "/credentials",
      "{\"credentialType\":\"proxy\",\"credentialAuthType\":\"key\",\"credentialName\":\"c\"}", 201, NULL, NULL, "c" },
    { "a target", ACME, "POST", A "/targets", "{\"targetName\":\"t\",\"targetBaseURL\":\"https://t.example\"}", 201,
      NULL, NULL, "t" },
    { "a proxy", ACME, "POST", A "/proxies",
      "{\"proxyName\":\"p\",\"proxyProxyCredentialId\":\"c\",\"proxyTargetId\":\"t\"}", 201, NULL, NULL, "p" },
};

#define PATH_RULE "\"path\":{\"path\":{\"pattern\":\"^/a\"},\"presence\":\"must_exist\"}"

static const api_case_t rules[] = {
    { "nested", ACME, "POST", A "/proxies/<p>/rules", "{\"effect\":\"allow\"," PATH_RULE "}", 201, PATH_RULE, NULL,
      "r" },
    { "flat", ACME, "POST", A "/credentials/<c>/rules",
      "{\"effect\":\"allow\",\"path\":{\"pattern\":\"^/a\",\"presence\":\"present\"}}", 201, PATH_RULE, NULL, "rc" },
    { "side by side", ACME, "POST", A "/targets/<t>/rules",
      "{\"effect\":\"deny\",\"pathPattern\":\"^/a\",\"pathPresence\":\"must_exist\"}", 201, PATH_RULE },
    { "absent in every word", ACME, "POST", A "/proxies/<p>/rules",
      "{\"effect\":\"deny\",\"headerChecks\":[{\"name\":{\"pattern\":\"^X-A$\"},\"presence\":\"must_not_exist\"}],"
      "\"queryChecks\":[{\"name\":{\"pattern\":\"q\"},\"presence\":\"absent\"}]}",
      201, "\"headers\":[{\"name\":{\"pattern\":\"^X-A$\"},\"presence\":\"must_absent\"}]\n"
      "\"query\":[{\"name\":{\"pattern\":\"q\"},\"presence\":\"must_absent\"}]" },
    { "a bad pattern, with its place and offset", ACME, "POST", A "/proxies/<p>/rules",
      "{\"effect\":\"allow\",\"path\":{\"path\":{\"pattern\":\"^/a(\"},\"presence\":\"must_exist\"}}", 422,
      "\"pointer\":\"/path\nat offset 4" },
    { "an unknown member", ACME, "POST", A "/proxies/<p>/rules", "{\"effect\":\"allow\",\"paths\":{}}", 422,
      "\"pointer\":\"/paths\"" },
    { "no effect", ACME, "POST", A "/proxies/<p>/rules", "{}", 422, "\"pointer\":\"/effect\"" },
    { "an id that is brought", ACME, "POST", A "/proxies/<p>/rules",
      "{\"id\":\"rrid_0000000000000000000000\",\"effect\":\"allow\"}", 422, "\"pointer\":\"/id\"" },
    { "listed", ACME, "GET", A "/proxies/<p>/rules", NULL, 200, "<r>", "<rc>" },
    { "under another owner", ACME, "GET", A "/credentials/<c>/rules/<r>", NULL, 404, NULL },
    { "under another kind of path", ACME, "GET", A "/proxies/<p>/filters/<r>", NULL, 404, NULL },
    { "under another client", OP, "GET", "/clients/evil/proxies/<p>/rules/<r>", NULL, 404, NULL },
    { "by another client", "rr:admin:evil", "DELETE", A "/proxies/<p>/rules/<r>", NULL, 404, NULL },
    { "by another client, in its own path", "rr:admin:evil", "POST", "/clients/evil/proxies/<p>/rules",
      "{\"effect\":\"allow\"}", 404, NULL },
    { "gone", ACME, "DELETE", A "/proxies/<p>/rules/<r>", NULL, 200, "<r>" },
    { "and gone", ACME, "GET", A "/proxies/<p>/rules/<r>", NULL, 404, NULL },
};

#define OPERATION "\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":\"ssn\"}}]"
#define PATH_FILTER "\"requestPath\":{\"path\":{\"pattern\":\"^/x\",\"flags\":\"i\"},\"presence\":\"must_absent\"}"

static const api_case_t filters[] = {
    { "a filter", ACME, "POST", A "/proxies/<p>/filters", "{" OPERATION ",\"notes\":\"n\"}", 201,
      OPERATION "\n\"notes\":\"n\"", NULL, "f" },
    { "nested, with flags", ACME, "POST", A "/targets/<t>/filters",
      "{\"requestPath\":{\"path\":{\"pattern\":\"^/x\",\"flags\":\"i\"},\"presence\":\"absent\"}," OPERATION "}", 201,
        PATH_FILTER "\n" OPERATION },
    { "flat", ACME, "POST", A "/credentials/<c>/filters",
      "{\"path\":{\"pattern\":\"^/x\",\"flags\":\"i\",\"presence\":\"must_not_exist\"}," OPERATION "}", 201,
        PATH_FILTER },
    { "side by side; flags of the filter", ACME, "POST", A "/proxies/<p>/filters",
      "{\"pathPattern\":\"^/x\",\"pathPresence\":\"absent\",\"regexFlags\":\"i\",\"methods\":[\"GET\"],"
      "\"headerChecks\":[{\"name\":{\"pattern\":\"a\"}}],\"token\":[{\"claim\":{\"pattern\":\"tier\"},\"value\":{"
        "\"pattern\":\"gold\","
      "\"flags\":\"s\"}}]," OPERATION "}",
      201, PATH_FILTER "\n\"headers\":[{\"name\":{\"pattern\":\"a\",\"flags\":\"i\"},\"presence\":\"must_exist\"}]\n"
      "\"value\":{\"pattern\":\"gold\",\"flags\":\"s\"}\n{\"pattern\":\"ssn\",\"flags\":\"i\"}", "regexFlags" },
    { "by JSONPath", ACME, "POST", A "/proxies/<p>/filters",
      "{\"operations\":[{\"effect\":\"retain\",\"jsonPath\":{\"path\":\"$.items[*].id\"}}]}", 201,
        "{\"path\":\"$.items[*].id\"}" },
    { "a bad pattern, with its place", ACME, "POST", A "/proxies/<p>/filters",
      "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"pattern\":\"a[\"}}]}", 422,
        "\"pointer\":\"/operations/0/jsonPath/pattern\"" },
    { "an index from the end, which a stream does not know", ACME, "POST", A "/proxies/<p>/filters",
      "{\"operations\":[{\"effect\":\"destroy\",\"jsonPath\":{\"path\":\"$.items[-1]\"}}]}", 422,
        "\"pointer\":\"/operations/0/jsonPath/path\"\ncounts from the end" },
    { "no operation", ACME, "POST", A "/proxies/<p>/filters", "{\"operations\":[]}", 422,
      "\"pointer\":\"/operations\"" },
    { "a list is not one", ACME, "POST", A "/proxies/<p>/filters", "{\"filters\":[{" OPERATION "}]}", 422,
      "\"pointer\":\"/filters\"" },
    { "gone with what they hang on", ACME, "DELETE", A "/proxies/<p>", NULL, 200, NULL },
    { "and gone", ACME, "GET", A "/proxies/<p>/filters/<f>", NULL, 404, NULL },
};

int main(void)
{
    api_frame_t frame;

    api_frame_begin(&frame);
    API_RUN(&frame, made);
    API_RUN(&frame, rules);
    API_RUN(&frame, filters);
    api_frame_end(&frame);
    return tap_end();
}
