/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_api_routes.c: targets, proxies and revocations by the management API; what may join what.
 */
#include "api_frame.h"

#define OP "rr:admin"
#define ACME "rr:admin:acme"
#define EVIL "rr:admin:evil"
#define A "/clients/acme"
#define E "/clients/evil"
#define CREDENTIAL(type, kind, name) \
    "{\"credentialType\":\"" type "\",\"credentialAuthType\":\"" kind "\",\"credentialName\":\"" name "\""
#define VENDOR(name) CREDENTIAL("target", "key", name) ",\"credentialSecret\":{\"key\":\"sk_vendor\"}}"
#define TARGET(name, url) "{\"targetName\":\"" name "\",\"targetBaseURL\":\"" url "\"}"
/* {"alg":"RS256"}.{"jti":"j","exp":2000000000} */
#define TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiJqIiwiZXhwIjoyMDAwMDAwMDAwfQ.c2ln"

static const api_case_t made[] = {
    { "a client", OP, "POST", "/clients", "{\"clientName\":\"Acme\",\"id\":\"acme\"}", 201 },
    { "another", OP, "POST", "/clients", "{\"clientName\":\"Evil\",\"id\":\"evil\"}", 201 },
    { "who comes in", ACME, "POST", A "/credentials", CREDENTIAL("proxy", "key", "caller") "}", 201, NULL, NULL,
      "key" },
    { "or else", ACME, "POST", A "/credentials", CREDENTIAL("proxy", "none", "open") "}", 201, NULL, NULL, "open" },
    { "the vendor's", ACME, "POST", A "/credentials", VENDOR("stripe-key"), 201, NULL, NULL, "vendor" },
    { "theirs", EVIL, "POST", E "/credentials", VENDOR("theirs"), 201, NULL, NULL, "evil.vendor" },
    { "their caller", EVIL, "POST", E "/credentials", CREDENTIAL("proxy", "key", "caller") "}", 201, NULL, NULL,
      "evil.key" },
    { "a target", ACME, "POST", A "/targets", TARGET("stripe", "https://API.stripe.com/v1"), 201,
      "\"targetBaseURL\":\"https://API.stripe.com/v1\"", NULL, "target" },
    { "a target elsewhere", ACME, "POST", A "/targets", TARGET("elsewhere", "https://elsewhere.example:8443"), 201,
      NULL, NULL,
      "elsewhere" },
    { "same origin, other path", ACME, "POST", A "/targets", TARGET("stripe2", "https://api.stripe.com:443/v2"), 201,
      NULL, NULL,
      "target2" },
    { "their target", EVIL, "POST", E "/targets", TARGET("t", "https://evil.example"), 201, NULL, NULL, "evil.target" },
    { "all of a target", ACME, "POST", A "/targets",
      "{\"targetName\":\"full\",\"targetBaseURL\":\"http://[::1]:9000/\",\"targetTestPath\":\"/health\","
        "\"targetRegion\":\"eu\","
      "\"targetDefaultRuleEffect\":\"allow\"}", 201,
        "\"targetTestPath\":\"/health\"\n\"targetDefaultRuleEffect\":\"allow\"", NULL, "full" },
};

static const api_case_t targets[] = {
    { "a name that is taken", ACME, "POST", A "/targets", TARGET("stripe", "https://x.example"), 409,
      "\"pointer\":\"/targetName\"" },
    { "no URL", ACME, "POST", A "/targets", "{\"targetName\":\"x\"}", 422, "/targetBaseURL" },
    { "ftp", ACME, "POST", A "/targets", TARGET("x", "ftp://x.example"), 422, "/targetBaseURL" },
    { "userinfo", ACME, "POST", A "/targets", TARGET("x", "https://u:p@x.example"), 422, "/targetBaseURL" },
    { "a query", ACME, "POST", A "/targets", TARGET("x", "https://x.example/?a"), 422, "/targetBaseURL" },
    { "a query at the host", ACME, "POST", A "/targets", TARGET("x", "https://x.example?a"), 422, "/targetBaseURL" },
    { "a fragment", ACME, "POST", A "/targets", TARGET("x", "https://x.example/#a"), 422, "/targetBaseURL" },
    { "dots", ACME, "POST", A "/targets", TARGET("x", "https://x.example/a/../b"), 422, "/targetBaseURL" },
    { "dots at the end", ACME, "POST", A "/targets", TARGET("x", "https://x.example/a/.."), 422, "/targetBaseURL" },
    { "an empty segment", ACME, "POST", A "/targets", TARGET("x", "https://x.example/a//b"), 422, "/targetBaseURL" },
    { "a port of none", ACME, "POST", A "/targets", TARGET("x", "https://x.example:0"), 422, "/targetBaseURL" },
    { "a port past all", ACME, "POST", A "/targets", TARGET("x", "https://x.example:65536"), 422, "/targetBaseURL" },
    { "no host", ACME, "POST", A "/targets", TARGET("x", "https:///a"), 422, "/targetBaseURL" },
    { "a test path without '/'", ACME, "POST", A "/targets",
      "{\"targetName\":\"x\",\"targetBaseURL\":\"https://x.example\",\"targetTestPath\":\"health\"}", 422,
        "/targetTestPath" },
    { "an effect that is none", ACME, "POST", A "/targets",
      "{\"targetName\":\"x\",\"targetBaseURL\":\"https://x.example\",\"targetDefaultRuleEffect\":\"maybe\"}", 422,
        "allow, deny" },
    { "written as read", ACME, "PUT", A "/targets/<target>",
      "{\"id\":\"<target>\",\"targetName\":\"stripe\",\"targetBaseURL\":\"https://API.stripe.com/v1\","
        "\"targetCreatedAt\":\"2026-01-01T00:00:00Z\"}",
      200, NULL, NULL, NULL, "<target.tag>" },
};

#define PROXY(name, rest) \
    "{\"proxyName\":\"" name "\",\"proxyProxyCredentialId\":\"<key>\",\"proxyTargetId\":\"<target>\"" rest "}"

static const api_case_t proxies[] = {
    { "seed 001: a proxy", ACME, "POST", A "/proxies",
      PROXY("stripe-payment-api",
        ",\"proxyRegion\":\"us-east-1\",\"proxyTargetCredentialId\":\"<vendor>\",\"proxyDefaultRuleEffect\":\"deny\""),
      201, "\"proxyProxyCredentialId\":\"<key>\"\n\"proxyTargetId\":\"<target>\"\n\"proxyTargetCredentialId\":\"<vendor>\"\n"
      "\"proxyDefaultRuleEffect\":\"deny\"\n\"proxyActive\":true", NULL, "proxy" },
    { "it bound the credential", ACME, "GET", A "/credentials/<vendor>", NULL, 200, "[\"https://api.stripe.com\"]" },
    { "deny when omitted; by name; an alias", ACME, "POST", A "/proxies",
      "{\"proxyName\":\"two\",\"proxyAlias\":\"pay\",\"proxyProxyCredentialId\":\"caller\","
        "\"proxyTargetId\":\"stripe2\","
      "\"proxyTargetCredentialId\":\"stripe-key\"}", 201,
        "\"proxyDefaultRuleEffect\":\"deny\"\n\"<target2>\"\n\"<vendor>\"", NULL, "two" },
    { "several credentials, all", ACME, "POST", A "/proxies",
      "{\"proxyName\":\"both\",\"proxyProxyCredentialIds\":[\"<key>\",\"<open>\"],\"proxyCredentialMode\":\"all\","
        "\"proxyTargetId\":\"<target>\","
      "\"proxyIdentityHeaders\":{\"X-User-Id\":\"sub\"},\"proxyForwardHeaders\":[\"Cookie\"],\"proxyActive\":false}",
      201, "\"proxyProxyCredentialIds\":[\"<key>\",\"<open>\"]\n\"proxyCredentialMode\":\"all\"\n{"
        "\"X-User-Id\":\"sub\"}\n[\"Cookie\"]\n"
      "\"proxyActive\":false", NULL, "both" },
    { "an alias that is taken", ACME, "POST", A "/proxies", PROXY("x", ",\"proxyAlias\":\"pay\""), 409,
      "\"pointer\":\"/proxyAlias\"" },
    { "an alias of another case", ACME, "POST", A "/proxies", PROXY("x", ",\"proxyAlias\":\"Pay\""), 201, NULL, NULL,
      "x" },
    { "an alias of two segments", ACME, "POST", A "/proxies", PROXY("y", ",\"proxyAlias\":\"a/b\""), 422,
      "/proxyAlias" },
    { "an alias like an id", ACME, "POST", A "/proxies", PROXY("y", ",\"proxyAlias\":\"rrid_x\""), 422, "/proxyAlias" },
    { "a name that is taken", ACME, "POST", A "/proxies", PROXY("two", ""), 409, "\"pointer\":\"/proxyName\"" },
    { "no credential", ACME, "POST", A "/proxies", "{\"proxyName\":\"y\",\"proxyTargetId\":\"<target>\"}", 422,
      "/proxyProxyCredentialId" },
    { "an empty list of them", ACME, "POST", A "/proxies",
      "{\"proxyName\":\"y\",\"proxyTargetId\":\"<target>\",\"proxyProxyCredentialIds\":[]}", 422,
        "/proxyProxyCredentialId" },
    { "both forms", ACME, "POST", A "/proxies", PROXY("y", ",\"proxyProxyCredentialIds\":[\"<open>\"]"), 422,
      "/proxyProxyCredentialId" },
    { "one twice", ACME, "POST", A "/proxies",
      "{\"proxyName\":\"y\",\"proxyProxyCredentialIds\":[\"<key>\",\"<key>\"],\"proxyTargetId\":\"<target>\"}", 422,
      "/proxyProxyCredentialIds/1" },
    { "a target credential as a proxy's", ACME, "POST", A "/proxies",
      "{\"proxyName\":\"y\",\"proxyProxyCredentialId\":\"<vendor>\",\"proxyTargetId\":\"<target>\"}", 422,
        "/proxyProxyCredentialId" },
    { "a proxy credential as a target's", ACME, "POST", A "/proxies", PROXY("y",
      ",\"proxyTargetCredentialId\":\"<key>\""), 422,
      "/proxyTargetCredentialId" },
    { "an identity header that frames", ACME, "POST", A "/proxies", PROXY("y",
      ",\"proxyIdentityHeaders\":{\"Connection\":\"sub\"}"), 422,
      "/proxyIdentityHeaders/Connection" },
    { "a forwarded header that frames", ACME, "POST", A "/proxies", PROXY("y",
      ",\"proxyForwardHeaders\":[\"Upgrade\"]"), 422,
      "/proxyForwardHeaders/0" },
    { "joined to another origin", ACME, "POST", A "/proxies",
      "{\"proxyName\":\"leak\",\"proxyProxyCredentialId\":\"<key>\",\"proxyTargetId\":\"<elsewhere>\","
        "\"proxyTargetCredentialId\":\"<vendor>\"}",
      409, "\"pointer\":\"/proxyTargetCredentialId\"" },
    { "the same by a change", ACME, "PUT", A "/proxies/<two>",
      "{\"proxyName\":\"two\",\"proxyProxyCredentialId\":\"<key>\",\"proxyTargetId\":\"<elsewhere>\","
        "\"proxyTargetCredentialId\":\"<vendor>\"}",
      409, "\"pointer\":\"/proxyTargetCredentialId\"" },
    { "the target moved away under it", ACME, "PUT", A "/targets/<target>", TARGET("stripe", "https://evil.example"),
      409,
      "\"pointer\":\"/targetBaseURL\"\n\"users\"" },
    { "clear http is another origin", ACME, "PUT", A "/targets/<target>", TARGET("stripe", "http://api.stripe.com"),
      409, NULL },
    { "another path is none", ACME, "PUT", A "/targets/<target>", TARGET("stripe", "https://api.stripe.com/v3"), 200,
      NULL },
    { "origins that leave a user out, with the secret", ACME, "PUT", A "/credentials/<vendor>",
      CREDENTIAL("target", "key",
        "stripe-key") ",\"credentialSecret\":{\"key\":\"sk_vendor\"},"
        "\"credentialAllowedOrigins\":[\"https://evil.example\"]}",
      409, "/credentialAllowedOrigins" },
    { "two origins, with the secret", ACME, "PUT", A "/credentials/<vendor>",
      CREDENTIAL("target", "key", "stripe-key") ",\"credentialSecret\":{\"key\":\"sk_vendor\"},"
      "\"credentialAllowedOrigins\":[\"https://api.stripe.com\",\"https://elsewhere.example:8443\"]}", 200,
        "elsewhere" },
    { "now it may", ACME, "PUT", A "/proxies/<two>",
      "{\"proxyName\":\"two\",\"proxyProxyCredentialId\":\"<key>\",\"proxyTargetId\":\"<elsewhere>\","
        "\"proxyTargetCredentialId\":\"<vendor>\"}",
      200, "<elsewhere>", "proxyAlias" },
    { "a target in use stays", ACME, "DELETE", A "/targets/<target>", NULL, 409,
      "\"users\":[\n\"proxyName\":\"stripe-payment-api\"" },
    { "a target credential in use stays", ACME, "DELETE", A "/credentials/<vendor>", NULL, 409,
      "\"users\":[\n<proxy>" },
    { "a proxy credential may go", ACME, "DELETE", A "/credentials/<key>", NULL, 200, NULL },
    { "its proxies say so", ACME, "GET", A "/proxies/<proxy>", NULL, 200, "\"proxyProxyCredentialId\":null" },
    { "and of several", ACME, "GET", A "/proxies/<both>", NULL, 200, "\"proxyProxyCredentialIds\":[null,\"<open>\"]" },
    { "null is no credential on the net", ACME, "PUT", A "/proxies/<both>",
      "{\"proxyName\":\"both\",\"proxyProxyCredentialIds\":[null,\"<open>\"],\"proxyTargetId\":\"<target>\"}", 422,
      "/proxyProxyCredentialIds/0" },
    { "nor alone", ACME, "PUT", A "/proxies/<both>",
      "{\"proxyName\":\"both\",\"proxyProxyCredentialId\":null,\"proxyTargetId\":\"<target>\"}", 422,
      "/proxyProxyCredentialId" },
    { "from rrctl it is what export says", "offline", "PUT", A "/proxies/<both>",
      "{\"proxyName\":\"both\",\"proxyProxyCredentialIds\":[null,\"<open>\"],\"proxyTargetId\":\"<target>\"}", 200,
      "\"proxyProxyCredentialIds\":[null,\"<open>\"]" },
    { "a proxy goes", ACME, "DELETE", A "/proxies/<both>", NULL, 200, NULL },
    { "and is gone", ACME, "GET", A "/proxies/<both>", NULL, 404, NULL },
};

/* Every id of another client, in every field: as one that nobody has. */
static void try_foreign(api_frame_t *frame)
{
    static const char *const bodies[] = {
        "{\"proxyName\":\"w\",\"proxyProxyCredentialId\":\"%s\",\"proxyTargetId\":\"<target>\"}",
        "{\"proxyName\":\"w\",\"proxyProxyCredentialIds\":[\"%s\"],\"proxyTargetId\":\"<target>\"}",
        "{\"proxyName\":\"w\",\"proxyProxyCredentialId\":\"<open>\",\"proxyTargetId\":\"%s\"}",
        /* parentheses: clang takes two literals in a list for a forgotten comma */
        ("{\"proxyName\":\"w\",\"proxyProxyCredentialId\":\"<open>\",\"proxyTargetId\":\"<target>\","
         "\"proxyTargetCredentialId\":\"%s\"}"),
    };
    static const char *const theirs[] = { "<evil.key>", "<evil.key>", "<evil.target>", "<evil.vendor>" };
    rr_api_response_t foreign, nobodys;
    apr_size_t i;

    for (i = 0; i < 4; i++) {
        api_do(&foreign, frame, ACME, "POST", A "/proxies", NULL, NULL,
               api_fill(frame, apr_psprintf(frame->p, bodies[i], theirs[i])));
        api_do(&nobodys, frame, ACME, "POST", A "/proxies", NULL, NULL,
               api_fill(frame, apr_psprintf(frame->p, bodies[i], "rrid_0000000000000000000000")));
        ok(foreign.status == 404 && strstr(foreign.body, "\"pointer\":\"/proxy") && !strcmp(foreign.body, nobodys.body),
           "another client's id in a body: %s", theirs[i]);
    }
}

static const api_case_t revocations[] = {
    { "by jti", OP, "POST", "/revocations", "{\"jti\":\"j-1\",\"issuer\":\"https://id.example/\"}", 201,
      "\"jti\":\"j-1\"", NULL, "r1" },
    { "by subject", OP, "POST", "/revocations",
      "{\"sub\":\"alice\",\"issuer\":\"https://id.example/\",\"issuedBefore\":\"2026-11-22T00:00:00Z\"}", 201,
        "2026-11-22T00:00:00Z" },
    { "by subject, as in a token", OP, "POST", "/api/revocations",
      "{\"sub\":\"alice\",\"issuer\":\"https://id.example/\",\"issuedBefore\":1700000000}", 201,
        "2023-11-14T22:13:20Z" },
    { "milliseconds", OP, "POST", "/revocations",
      "{\"sub\":\"alice\",\"issuer\":\"i\",\"issuedBefore\":1700000000000}", 422, "/issuedBefore" },
    { "a token, kept until it would have ended", OP, "POST", "/revocations", "{\"token\":\"" TOKEN "\"}", 201,
      "\"token\":\"********\"\n\"revocationExpiresAt\":\"2033-05-19T", TOKEN, "r3" },
    { "no token", OP, "POST", "/revocations", "{\"token\":\"a.b\"}", 422, "/token" },
    { "jti without issuer", OP, "POST", "/revocations", "{\"jti\":\"j-1\"}", 422, "issuer" },
    { "two ways at once", OP, "POST", "/revocations", "{\"jti\":\"j\",\"sub\":\"s\",\"issuer\":\"i\"}", 422, "one of" },
    { "nothing", OP, "POST", "/revocations", "{}", 422, "one of" },
    { "listed", OP, "GET", "/revocations", NULL, 200, "<r1>\n<r3>" },
    { "not by tenants", ACME, "GET", "/revocations", NULL, 403, NULL },
    { "a tenant's token", ACME, "POST", A "/revocations", "{\"token\":\"" TOKEN "\"}", 201, NULL, NULL, "r4" },
    { "not others' subjects", ACME, "POST", A "/revocations",
      "{\"sub\":\"alice\",\"issuer\":\"i\",\"issuedBefore\":1}", 403, "rr:admin" },
    { "a tenant sees its own", ACME, "GET", A "/revocations", NULL, 200, "<r4>", "<r1>" },
    { "nor reaches others'", ACME, "DELETE", A "/revocations/<r1>", NULL, 404, NULL },
    { "taken back", OP, "DELETE", "/revocations/<r1>", NULL, 200, NULL },
    { "and gone", OP, "GET", "/revocations/<r1>", NULL, 404, NULL },
};

int main(void)
{
    api_frame_t frame;

    api_frame_begin(&frame);
    API_RUN(&frame, made);
    API_RUN(&frame, targets);
    try_foreign(&frame);
    API_RUN(&frame, proxies);
    API_RUN(&frame, revocations);
    api_frame_end(&frame);
    return tap_end();
}
