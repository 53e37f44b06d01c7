/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_api.c: the management API on a store of its own: clients, credentials, keys; who may what.
 */
#include "api_frame.h"

#define TYPE(type, kind, name) \
    "{\"credentialType\":\"" type "\",\"credentialAuthType\":\"" kind "\",\"credentialName\":\"" name "\""
#define OP "rr:admin"
#define ACME "rr:admin:acme"
#define JWT "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"

static const api_case_t first[] = {
    { "nobody without the scope", "orders:read rr:adminx rr:admin:", "GET", "/clients", NULL, 403, "rr:admin" },
    { "the operator sees clients", OP, "GET", "/clients", NULL, 200, "\"clients\":[{\"id\":\"default\"" },
    { "with a leading /api", OP, "GET", "/api/clients", NULL, 200, "\"message\":\"Success\"" },
    { "no such path", OP, "GET", "/clientz", NULL, 404, NULL },
    { "no such method", OP, "PUT", "/clients", "{}", 405, "GET, POST" },
    { "a client with a chosen id", OP, "POST", "/clients", "{\"clientName\":\"Acme Inc.\",\"id\":\"acme\"}", 201,
      "\"id\":\"acme\"\n\"clientName\":\"Acme Inc.\"", NULL, "acme" },
    { "a client with an id made here", OP, "POST", "/clients", "{\"clientName\":\"Other\"}", 201,
      "\"id\":\"rrid_", NULL,
      "other" },
    { "an id that is taken", OP, "POST", "/clients", "{\"clientName\":\"x\",\"id\":\"acme\"}", 409,
      "\"pointer\":\"/id\"" },
    { "an id of our form", OP, "POST", "/clients", "{\"clientName\":\"x\",\"id\":"
      "\"rrid_0000000000000000000000\"}", 422,
      "\"pointer\":\"/id\"" },
    { "an id that is no word", OP, "POST", "/clients", "{\"clientName\":\"x\",\"id\":\"a b\"}", 422,
      "\"pointer\":\"/id\"" },
    { "no name", OP, "POST", "/clients", "{}", 422, "\"pointer\":\"/clientName\"\nrequired" },
    { "an unknown field", OP, "POST", "/clients", "{\"clientName\":\"x\",\"a/b~c\":1}", 422,
      "\"pointer\":\"/a~1b~0c\"" },
    { "a field twice", OP, "POST", "/clients", "{\"clientName\":\"x\",\"clientName\":\"y\"}", 400, "JSON" },
    { "no object", OP, "POST", "/clients", "[]", 400, "JSON" },
    { "half an object", OP, "POST", "/clients", "{", 400, "JSON" },
    { "no body", OP, "POST", "/clients", NULL, 400, "JSON" },
    { "a name that is a number", OP, "POST", "/clients", "{\"clientName\":1}", 422, "string" },
    { "a tenant makes no clients", ACME, "POST", "/clients", "{\"clientName\":\"x\"}", 403, NULL },
    { "a tenant sees its own client only", ACME, "GET", "/clients", NULL, 200, "\"acme\"", "default\n<other>" },
    { "a tenant reads its client", ACME, "GET", "/clients/acme", NULL, 200, "Acme" },
    { "renamed", OP, "PUT", "/clients/acme", "{\"clientName\":\"Acme\"}", 200, "\"clientName\":\"Acme\"" },
    { "not renamed by the tenant", ACME, "PUT", "/clients/acme", "{\"clientName\":\"Root\"}", 403, NULL },
    { "an id does not change", OP, "PUT", "/clients/acme", "{\"clientName\":\"x\",\"id\":\"b\"}", 422, "/id" },
    { "an empty client goes", OP, "DELETE", "/clients/<other>", NULL, 200, "<other>" },
    { "and is gone", OP, "GET", "/clients/<other>", NULL, 404, NULL },
};

static const api_case_t credentials[] = {
    { "seed 003: a proxy key", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "data-pipeline-service") ",\"credentialRegion\":\"us-east-1\",\"credentialSecret\":{"
      "\"key\":\"rr_live_xxxxxxxxxxxxxx\"}}",
      201, "\"credentialRegion\":\"us-east-1\"\n\"key\":\"********\"\n\"credentialActive\":true", "rr_live_",
      "pipeline" },
    { "the same key again", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "two") ",\"credentialSecret\":{\"key\":\"rr_live_xxxxxxxxxxxxxx\"}}", 409,
      "/credentialSecret" },
    { "the refused one is not there", OP, "GET", "/clients/acme/credentials", NULL, 200, "data-pipeline", "\"two\"" },
    { "a name that is taken", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "data-pipeline-service") "}", 409, "\"pointer\":\"/credentialName\"" },
    { "the other type may have it", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "data-pipeline-service") ",\"credentialSecret\":{\"key\":\"short\"}}", 201,
      "\"target\"", "short",
      "vendor" },
    { "a generated key", ACME, "POST", "/clients/acme/credentials", TYPE("proxy", "apiKey", "robot") "}", 201,
      "\"credentialAuthType\":\"key\"\n\"credentialSecret\":{\"key\":\"rr_live_", NULL, "robot" },
    { "is shown once", ACME, "GET", "/clients/acme/credentials/<robot>", NULL, 200, "{\"key\":\"********\"}",
      "rr_live_" },
    { "a generated key for {}", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "robot2") ",\"credentialSecret\":{}}", 201, "\"key\":\"rr_live_" },
    { "a key that is too short", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "short") ",\"credentialSecret\":{\"key\":\"elevenchars\"}}", 422,
      "/credentialSecret/key" },
    { "a key of twelve", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "twelve") ",\"credentialSecret\":{\"key\":\"twelve-chars\"}}", 201, NULL },
    { "a generated shape with a wrong checksum", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "typo") ",\"credentialSecret\":{\"key\":"
      "\"rr_live_00000000000000000000000000000000000000\"}}", 422,
      "checksum" },
    { "a token is no key", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "tok") ",\"credentialSecret\":{\"key\":\"" JWT "\"}}", 422, "credentialAuthType jwt" },
    { "a token as jwt", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwt", "tok") ",\"credentialSecret\":{\"token\":\"" JWT "\"}}", 201,
      "\"token\":\"********\"", JWT },
    { "a key is no token", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwt", "tok2") ",\"credentialSecret\":{\"token\":\"a-key-of-some-kind\"}}", 422,
      "/credentialSecret/token" },
    { "a proxy jwt mints nothing", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwt", "tok2") ",\"credentialSecret\":{\"privateKey\":\"x\",\"algorithm\":\"RS256\","
      "\"claims\":{}}}", 422,
      "/credentialSecret" },
    { "bearer", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "bearer", "b") ",\"credentialSecret\":{\"token\":\"a-static-token\"}}", 201, NULL,
      "a-static-token" },
    { "basic, by its other name", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "basicAuth", "u") ",\"credentialSecret\":{\"username\":\"alice\",\"password\":"
      "\"p\\u00e4ss:w\"}}", 201,
      "\"credentialAuthType\":\"basic\"\n{\"username\":\"alice\",\"password\":\"********\"}", NULL },
    { "basic: a colon in the name", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "basic", "u2") ",\"credentialSecret\":{\"username\":\"a:b\",\"password\":\"p\"}}", 422,
      "/credentialSecret/username" },
    { "basic: a caller has a password", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "basic", "u3") ",\"credentialSecret\":{\"username\":\"alice\",\"password\":\"\"}}", 422,
      "/credentialSecret/password" },
    { "basic: a vendor may want none", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "basic", "u4") ",\"credentialSecret\":{\"username\":\"sk_live\",\"password\":\"\"}}", 201, NULL },
    { "basic: a vendor may want no user", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "basic", "u5") ",\"credentialSecret\":{\"username\":\"\",\"password\":\"pat\"}}", 201, NULL },
    { "basic: one of the two", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "basic", "u6") ",\"credentialSecret\":{\"username\":\"\",\"password\":\"\"}}", 422,
      "/credentialSecret/username" },
    { "a prefix with its blank", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "p1") ",\"credentialSecret\":{\"key\":\"k\",\"prefix\":\"Token \"}}", 201, NULL },
    { "no prefix at all", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "p2") ",\"credentialSecret\":{\"key\":\"k\",\"prefix\":\"\"}}", 201, NULL },
    { "a prefix does not begin with a blank", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "p3") ",\"credentialSecret\":{\"key\":\"k\",\"prefix\":\" x\"}}", 422,
      "/credentialSecret/prefix" },
    { "seed 000: jwtVerify", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwtVerify", "partner") ",\"credentialSecret\":{\"jwksUri\":"
      "\"https://partner-auth.example.com/.well-known/jwks.json\","
      "\"audience\":\"https://api.myapp.com\",\"issuer\":\"https://partner-auth.example.com/\",\"header\":"
      "\"X-User-Auth\"}}",
      201, "jwks.json\nX-User-Auth" },
    { "jwtVerify: by a secret", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwtVerify", "hs") ",\"credentialSecret\":{\"secret\":\"0123456789abcdef0123456789abcdef\","
      "\"audience\":[\"a\",\"b\"],\"issuer\":\"i\"}}",
      201, "\"secret\":\"********\"\n[\"a\",\"b\"]", "0123456789abcdef" },
    { "jwtVerify: a secret that is too short", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwtVerify", "hs2") ",\"credentialSecret\":{\"secret\":\"short\",\"audience\":\"a\","
      "\"issuer\":\"i\"}}", 422,
      "/credentialSecret/secret" },
    { "jwtVerify: neither", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwtVerify", "hs2") ",\"credentialSecret\":{\"audience\":\"a\",\"issuer\":\"i\"}}", 422,
      "/credentialSecret/jwksUri" },
    { "jwtVerify: no audience", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "jwtVerify", "hs2") ",\"credentialSecret\":{\"jwksUri\":\"https://a/\",\"issuer\":\"i\"}}", 422,
      "/credentialSecret/audience" },
    { "jwtVerify is no target", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "jwtVerify", "hs2") ",\"credentialSecret\":{\"jwksUri\":\"https://a/\",\"audience\":\"a\","
      "\"issuer\":\"i\"}}", 422,
      "/credentialAuthType" },
    { "oauth2 is no proxy", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "oauth2", "o") ",\"credentialSecret\":{}}", 422, "/credentialAuthType" },
    { "oauth2", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "oauth2", "o") ",\"credentialSecret\":{\"tokenUrl\":\"https://id.example.com/token\","
      "\"clientId\":\"c\",\"clientSecret\":\"hushhush\"},"
      "\"credentialAllowedOrigins\":[\"https://API.example.com:443/\"]}",
      201, "\"clientSecret\":\"********\"\n[\"https://api.example.com\"]", "hushhush", "oauth" },
    { "custom", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "custom", "cu") ",\"credentialSecret\":{\"headers\":{\"X-A\":\"hushhush\",\"X-B\":"
      "\"hush2\"}}}", 201,
      "{\"headers\":{\"X-A\":\"********\",\"X-B\":\"********\"}}", "hush", "custom" },
    { "custom: a framing header", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "custom", "cu2") ",\"credentialSecret\":{\"headers\":{\"Host\":\"x\"}}}", 422,
      "/credentialSecret/headers/Host" },
    { "custom: a line feed", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "custom", "cu2") ",\"credentialSecret\":{\"headers\":{\"X-A\":\"x\\ny\"}}}", 422,
      "/credentialSecret/headers/X-A" },
    { "none", ACME, "POST", "/clients/acme/credentials", TYPE("proxy", "none", "open") "}", 201, "\"none\"" },
    { "a target key needs one", ACME, "POST", "/clients/acme/credentials", TYPE("target", "key", "v2") "}", 422,
      "\"pointer\":\"/credentialSecret\"" },
    { "header and query", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "v2") ",\"credentialSecret\":{\"key\":\"k\",\"header\":\"X-K\",\"query\":\"k\"}}",
      422, "/credentialSecret/query" },
    { "an unknown member of a secret", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "v2") ",\"credentialSecret\":{\"key\":\"k\",\"keys\":\"k\"}}", 422,
      "\"/credentialSecret/keys\"" },
    { "the mask is no secret", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "v2") ",\"credentialSecret\":{\"key\":\"********\"}}", 422, "stands for" },
    { "a private key that is none", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "jwt", "j") ",\"credentialSecret\":{\"privateKey\":\"-----BEGIN\\n\",\"algorithm\":"
      "\"RS256\",\"claims\":{}}}", 422,
      "/credentialSecret/privateKey" },
    { "an unknown auth type", ACME, "POST", "/clients/acme/credentials", TYPE("proxy", "hmac", "x") "}", 422,
      "\"pointer\":\"/credentialAuthType\"\njwtVerify" },
    { "origins of a proxy credential", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "x") ",\"credentialAllowedOrigins\":[\"https://a\"]}", 422, "/credentialAllowedOrigins" },
    { "an origin with a path", ACME, "POST", "/clients/acme/credentials",
      TYPE("target", "key", "x") ",\"credentialSecret\":{\"key\":\"k\"},\"credentialAllowedOrigins\":["
      "\"https://a/b\"]}", 422,
      "/credentialAllowedOrigins/0" },
    { "an end that is no time", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "x") ",\"credentialExpiresAt\":\"2027-02-29T00:00:00Z\"}", 422, "/credentialExpiresAt" },
    { "metadata, scopes, an end with an offset", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "full") ",\"credentialMetadata\":{\"userId\":\"12345\",\"scopes\":[\"read:users\"],"
      "\"n\":1e400},"
      "\"credentialScopes\":[\"orders:read\"],\"credentialExpiresAt\":\"2037-01-31T01:30:00.25+01:30\","
      "\"credentialActive\":false,"
      "\"credentialDefaultRuleEffect\":\"deny\"}",
      201, "{\"userId\":\"12345\",\"scopes\":[\"read:users\"],\"n\":1e400}\n["
      "\"orders:read\"]\n2037-01-31T00:00:00.250000Z\n\"credentialActive\":false" },
    { "a scope of two words", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "x") ",\"credentialScopes\":[\"a b\"]}", 422, "/credentialScopes/0" },
    { "a tenant cannot make an operator", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "root") ",\"credentialScopes\":[\"rr:admin\"]}", 403, NULL },
    { "nor another tenant's", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "root") ",\"credentialScopes\":[\"rr:admin:default\"]}", 403, NULL },
    { "but its own", ACME, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "mate") ",\"credentialScopes\":[\"rr:admin:acme\"]}", 201, NULL },
    { "the operator may", OP, "POST", "/clients/acme/credentials",
      TYPE("proxy", "key", "root") ",\"credentialScopes\":[\"rr:admin\"]}", 201, NULL, NULL, "root" },
    { "no key of it for the tenant", ACME, "POST", "/clients/acme/credentials/<root>/keys", "{}", 403, NULL },
    { "no roll either", ACME, "POST", "/clients/acme/credentials/<root>/keys/roll", "{}", 403, NULL },
    { "nor a change", ACME, "PUT", "/clients/acme/credentials/<root>", TYPE("proxy", "key", "root") "}", 403, NULL },
    { "the operator makes one", OP, "POST", "/clients/acme/credentials/<root>/keys", "{}", 201, "rr_live_" },
    { "deleting is not making", ACME, "DELETE", "/clients/acme/credentials/<root>", NULL, 200, NULL },
};

static const api_case_t changes[] = {
    { "read", ACME, "GET", "/clients/acme/credentials/<pipeline>", NULL, 200, NULL, NULL, "pipeline" },
    { "written back as read", ACME, "PUT", "/clients/acme/credentials/<pipeline>",
      "{\"id\":\"<pipeline>\",\"credentialType\":\"proxy\",\"credentialAuthType\":\"key\",\"credentialName\":"
      "\"data-pipeline-service\","
      "\"credentialRegion\":\"us-east-1\",\"credentialSecret\":{\"key\":\"********\"},\"credentialActive\":true,"
      "\"credentialCreatedAt\":\"2026-01-01T00:00:00Z\",\"credentialUpdatedAt\":\"2026-01-01T00:00:00Z\"}",
      200, NULL, NULL, "same", "<pipeline.tag>" },
    { "nothing changed", ACME, "DELETE", "/clients/acme/credentials/<pipeline>/keys/x", NULL, 404, NULL },
    { "the tag still counts", ACME, "PUT", "/clients/acme/credentials/<pipeline>",
      TYPE("proxy", "key", "pipeline") "}", 200, "\"credentialName\":\"pipeline\"", NULL, NULL,
      "\"other\", <pipeline.tag>" },
    { "and is old now", ACME, "PUT", "/clients/acme/credentials/<pipeline>", TYPE("proxy", "key", "lost") "}",
      412, NULL,
      NULL, NULL, "<pipeline.tag>" },
    { "also for deleting", ACME, "DELETE", "/clients/acme/credentials/<pipeline>", NULL, 412, NULL, NULL, NULL,
      "<pipeline.tag>" },
    { "any", ACME, "PUT", "/clients/acme/credentials/<pipeline>", TYPE("proxy", "key", "pipeline") "}", 200,
      NULL, NULL, NULL, "*" },
    { "the type does not change", ACME, "PUT", "/clients/acme/credentials/<pipeline>", TYPE("target", "key",
      "pipeline") "}", 422,
      "/credentialType" },
    { "nor the auth type", ACME, "PUT", "/clients/acme/credentials/<pipeline>", TYPE("proxy", "none", "pipeline")
      "}", 422,
      "/credentialAuthType" },
    { "nor the id", ACME, "PUT", "/clients/acme/credentials/<pipeline>",
      "{\"id\":\"<robot>\",\"credentialType\":\"proxy\",\"credentialAuthType\":\"key\",\"credentialName\":"
      "\"pipeline\"}", 422, "/id" },
    { "a secret that replaces", ACME, "PUT", "/clients/acme/credentials/<pipeline>",
      TYPE("proxy", "key", "pipeline") ",\"credentialSecret\":{\"key\":\"another-key-of-mine\"}}", 200, NULL },
    { "the old value is free again", ACME, "POST", "/clients/acme/credentials/<robot>/keys",
      "{\"key\":\"rr_live_xxxxxxxxxxxxxx\"}", 201, "\"credentialId\":\"<robot>\"", "xxxxxxxxxx" },
    { "somebody else's value", ACME, "PUT", "/clients/acme/credentials/<pipeline>",
      TYPE("proxy", "key", "pipeline") ",\"credentialSecret\":{\"key\":\"rr_live_xxxxxxxxxxxxxx\"}}", 409,
      "/credentialSecret" },
    { "a masked target secret stays", ACME, "PUT", "/clients/acme/credentials/<vendor>",
      TYPE("target", "key", "vendor") ",\"credentialSecret\":{\"key\":\"********\",\"header\":\"X-Api-Key\"}}", 200,
      "{\"key\":\"********\",\"header\":\"X-Api-Key\"}" },
    { "bound, without the secret", ACME, "PUT", "/clients/acme/credentials/<vendor>",
      TYPE("target", "key", "vendor") ",\"credentialAllowedOrigins\":[\"https://a.example\"]}", 200, "a.example" },
    { "bound elsewhere, without the secret", ACME, "PUT", "/clients/acme/credentials/<vendor>",
      TYPE("target", "key", "vendor") ",\"credentialAllowedOrigins\":[\"https://evil.example\"]}", 409,
      "/credentialAllowedOrigins" },
    { "bound elsewhere, with the mask", ACME, "PUT", "/clients/acme/credentials/<vendor>",
      TYPE("target", "key", "vendor") ",\"credentialSecret\":{\"key\":\"********\",\"header\":\"X-Api-Key\"},"
      "\"credentialAllowedOrigins\":[\"https://evil.example\"]}",
      409, "/credentialAllowedOrigins" },
    { "bound elsewhere, with it", ACME, "PUT", "/clients/acme/credentials/<vendor>",
      TYPE("target", "key", "vendor") ",\"credentialSecret\":{\"key\":\"short\"},\"credentialAllowedOrigins\":["
      "\"https://b.example\"]}", 200,
      "b.example" },
    { "oauth2: another tokenUrl, masked", ACME, "PUT", "/clients/acme/credentials/<oauth>",
      TYPE("target", "oauth2", "o") ",\"credentialSecret\":{\"tokenUrl\":\"https://evil.example/\",\"clientId\":"
      "\"c\",\"clientSecret\":\"********\"}}",
      409, "/credentialSecret/tokenUrl" },
    { "oauth2: another client, masked", ACME, "PUT", "/clients/acme/credentials/<oauth>",
      TYPE("target", "oauth2", "o") ",\"credentialSecret\":{\"tokenUrl\":\"https://id.example.com/token\","
      "\"clientId\":\"d\",\"clientSecret\":\"********\","
      "\"clientAuth\":\"post\"}}",
      200, "\"clientId\":\"d\"\nclient_secret_post" },
    { "custom: a header that is not stored, masked", ACME, "PUT", "/clients/acme/credentials/<custom>",
      TYPE("target", "custom", "cu") ",\"credentialSecret\":{\"headers\":{\"X-C\":\"********\"}}}", 422,
      "stands for" },
    { "custom: one of two masked", ACME, "PUT", "/clients/acme/credentials/<custom>",
      TYPE("target", "custom", "cu") ",\"credentialSecret\":{\"headers\":{\"X-A\":\"new\",\"X-B\":"
      "\"********\"}}}", 422, "all" },
};

static const api_case_t keys[] = {
    { "a second key", ACME, "POST", "/clients/acme/credentials/<pipeline>/keys",
      "{\"keyExpiresAt\":\"2037-01-01T00:00:00Z\"}", 201, "\"key\":\"rr_live_\n\"keyExpiresAt\":"
      "\"2037-01-01T00:00:00Z\"", NULL, "k2" },
    { "listed without its value", ACME, "GET", "/clients/acme/credentials/<pipeline>/keys", NULL, 200,
      "<k2>\nkeyHint", "\"key\":" },
    { "one of them", ACME, "GET", "/clients/acme/credentials/<pipeline>/keys/<k2>", NULL, 200, "<k2>" },
    { "an end in the past", ACME, "POST", "/clients/acme/credentials/<pipeline>/keys",
      "{\"keyExpiresAt\":\"2001-01-01T00:00:00Z\"}", 422, "/keyExpiresAt" },
    { "under another credential", ACME, "GET", "/clients/acme/credentials/<robot>/keys/<k2>", NULL, 404, NULL },
    { "a roll", ACME, "POST", "/clients/acme/credentials/<pipeline>/keys/roll", "{\"overlapSeconds\":3600}", 201,
      "rr_live_", NULL, "k3" },
    { "an overlap below zero", ACME, "POST", "/clients/acme/credentials/<pipeline>/keys/roll",
      "{\"overlapSeconds\":-1}", 422,
      "/overlapSeconds" },
    { "an overlap of a second and a half", ACME, "POST", "/clients/acme/credentials/<pipeline>/keys/roll",
      "{\"overlapSeconds\":1.5}", 422, "/overlapSeconds" },
    { "an earlier end stays", ACME, "GET", "/clients/acme/credentials/<pipeline>/keys/<k2>", NULL, 200, NULL,
      "2037-01-01" },
    { "a key goes", ACME, "DELETE", "/clients/acme/credentials/<pipeline>/keys/<k2>", NULL, 200, "<k2>" },
    { "and is gone", ACME, "DELETE", "/clients/acme/credentials/<pipeline>/keys/<k2>", NULL, 404, NULL },
    { "a target credential has none", ACME, "POST", "/clients/acme/credentials/<vendor>/keys", "{}", 409, NULL },
    { "a page", ACME, "GET", "/clients/acme/credentials?limit=2", NULL, 200, "nextCursor" },
    { "a limit of none", ACME, "GET", "/clients/acme/credentials?limit=0", NULL, 400, "limit" },
    { "a limit past all", ACME, "GET", "/clients/acme/credentials?limit=1001", NULL, 400, "limit" },
    { "a cursor of no kind", ACME, "GET", "/clients/acme/credentials?cursor=%27", NULL, 400, "cursor" },
    { "an unknown parameter", ACME, "GET", "/clients/acme/credentials?offset=1", NULL, 400, "nothing else" },
    { "a client that is not empty stays", OP, "DELETE", "/clients/acme", NULL, 409, NULL },
};

/* Every path of a client that is somebody else's, or nobody's: the same bytes. */
static void try_walls(api_frame_t *frame)
{
    static const char *const tails[] = { "", "/credentials", "/credentials/<robot>", "/credentials/<robot>/keys",
                                         "/credentials/<robot>/keys/<k3>", "/credentials/<robot>/keys/roll" };
    static const char *const methods[] = { "GET", "POST", "PUT", "DELETE" };
    rr_api_response_t theirs, nobodys;
    apr_size_t i, k;

    for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        for (k = 0; k < 4; k++) {
            const char *tail = api_fill(frame, tails[i]), *body = k == 1 || k == 2 ? "{}" : NULL;

            api_do(&theirs, frame, "rr:admin:evil", methods[k], apr_pstrcat(frame->p, "/clients/acme", tail,
            NULL), NULL, NULL, body);
            api_do(&nobodys, frame, "rr:admin:evil", methods[k], apr_pstrcat(frame->p, "/clients/nobody", tail,
            NULL), NULL, NULL,
                   body);
            ok(theirs.status == 404 && !strcmp(theirs.body, nobodys.body) && !theirs.allow, "a wall: %s %s",
            methods[k], tails[i]);
        }
    }
    api_do(&theirs, frame, OP, "GET", apr_pstrcat(frame->p, "/clients/default/credentials/", api_fill(frame,
      "<robot>"), NULL), NULL,
           NULL, NULL);
    api_do(&nobodys, frame, OP, "GET", "/clients/default/credentials/rrid_0000000000000000000000", NULL, NULL, NULL);
    ok(theirs.status == 404 && !strcmp(theirs.body, nobodys.body), "another client's id is as one that is not there");
}

static void try_paging(api_frame_t *frame)
{
    const char *query = "limit=2", *next;
    rr_api_response_t all, page;
    int seen = 0, pages = 0, total = 0;
    const char *at;

    api_do(&all, frame, ACME, "GET", "/clients/acme/credentials", NULL, NULL, NULL);
    for (at = all.body; (at = strstr(at, "\"id\":")); at++, total++) {
    }
    do {
        api_do(&page, frame, ACME, "GET", "/clients/acme/credentials", query, NULL, NULL);
        for (at = page.body; (at = strstr(at, "\"id\":")); at++, seen++) {
        }
        next = strstr(page.body, "\"nextCursor\":\"");
        if (next) {
            query = apr_psprintf(frame->p, "limit=2&cursor=%.*s", RR_ID_LEN, next + 14);
        }
    } while (next && ++pages < 100);
    ok(total > 5 && seen == total, "pages add up: %d of %d", seen, total);
}

/* Whatever is asked, no secret that was given comes back. */
static void try_secrets(api_frame_t *frame)
{
    rr_api_response_t all;

    api_do(&all, frame, OP, "GET", "/clients/acme/credentials", "limit=1000", NULL, NULL);
    ok(all.status == 200 && api_lines(frame, all.body,
      "hushhush\nhush2\nshort\na-static-token\nanother-key-of-mine\nrr1:\n" JWT, 0),
       "secrets are write-only");
}

static void try_times(apr_pool_t *p)
{
    static const struct {
        const char *text;
        const char *again; /* NULL: refused */
    } times[] = { { "2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z" },
                  { "2028-02-29t23:59:59.5z", "2028-02-29T23:59:59.500000Z" },
                  { "2027-01-31T00:00:00-01:00", "2027-01-31T01:00:00Z" },
                  { "2027-01-31T00:00:00.123456789Z", "2027-01-31T00:00:00.123456Z" },
                  { "2027-02-29T00:00:00Z", NULL }, { "2027-01-31 00:00:00Z", NULL }, { "2027-01-31T00:00:00", NULL },
                  { "2027-01-31T24:00:00Z", NULL }, { "2027-01-31T00:00:00.Z", NULL }, {
                  "2027-01-31T00:00:00+1:00", NULL },
                  { "1969-12-31T23:59:59Z", NULL }, { "2027-01-31T00:00:00Zx", NULL }, { "tomorrow", NULL }, {
                  "", NULL } };
    apr_size_t i;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        apr_time_t when;
        apr_status_t rv = rr_api_time_parse(&when, times[i].text);

        is_str(rv == APR_SUCCESS ? rr_api_time(p, when) : NULL, times[i].again, times[i].text);
    }
}

int main(void)
{
    api_frame_t frame;

    api_frame_begin(&frame);
    API_RUN(&frame, first);
    API_RUN(&frame, credentials);
    API_RUN(&frame, changes);
    API_RUN(&frame, keys);
    try_walls(&frame);
    try_paging(&frame);
    try_secrets(&frame);
    try_times(frame.p);
    api_frame_end(&frame);
    return tap_end();
}
