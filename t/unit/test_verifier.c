/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_verifier.c: what a stored jwtVerify credential trusts, and what closes it.
 */
#include "../../modules/lib/rr_verifier.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#define SECRET "{\"secret\":\"a secret of at least thirty-two bytes\"}"
#define WHO "\"issuer\":\"https://i/\",\"audience\":\"api\""
#define URL "\"jwksUri\":\"https://i/keys\""

static apr_pool_t *pool;

/* The verifier of a credential with these params, and what is sealed; NULL: nothing is. */
static const rr_verifier_t *verifier(const char *params, const char *sealed, const char *closed)
{
    rr_party_t party = { .client = "acme", .name = "users", .kind = RR_CREDENTIAL_JWT_VERIFY, .closed = closed };

    if (params) {
        rr_json_parse(&party.params, params, strlen(params), pool, NULL);
    }
    party.secret = sealed ? rr_secret_make(pool, sealed, strlen(sealed)) : NULL;
    return rr_verifier_make(&party, pool);
}

static void refused(void)
{
    static const struct {
        const char *name, *params, *sealed, *closed, *why;
    } cases[] = {
        { "a secret, which is good", "{" WHO "}", SECRET, NULL, NULL },
        { "an address, which is good", "{" WHO "," URL "}", NULL, NULL, NULL },
        { "two audiences are", "{\"issuer\":\"i\",\"audience\":[\"a\",\"b\"]}", SECRET, NULL, NULL },
        { "closed by its row", "{" WHO "}", SECRET, "torn", "the credential is closed: torn" },
        { "nothing at all", NULL, NULL, NULL, "it has no audience" },
        { "no audience", "{\"issuer\":\"i\"}", SECRET, NULL, "it has no audience" },
        { "an empty one", "{\"issuer\":\"i\",\"audience\":\"\"}", SECRET, NULL, "it has no audience" },
        { "an empty list", "{\"issuer\":\"i\",\"audience\":[]}", SECRET, NULL, "it has no audience" },
        { "one that is a number", "{\"issuer\":\"i\",\"audience\":[\"a\",1]}", SECRET, NULL, "it has no audience" },
        { "neither secret nor address", "{" WHO "}", NULL, NULL, "it needs a jwksUri or a secret" },
        { "both", "{" WHO "," URL "}", SECRET, NULL, "it needs a jwksUri or a secret" },
        { "an address that is none", "{" WHO ",\"jwksUri\":\"ftp://i/\"}", NULL, NULL, "its jwksUri cannot be fetched" },
        { "what is sealed is no JSON", "{" WHO "}", "x", NULL, "what is sealed has no secret" },
        { "or has no secret", "{" WHO "}", "{\"token\":\"t\"}", NULL, "what is sealed has no secret" },
        { "a short secret", "{" WHO "}", "{\"secret\":\"short\"}", NULL, "a secret of 5 bytes" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const rr_verifier_t *made = verifier(cases[i].params, cases[i].sealed, cases[i].closed);

        if (!cases[i].why) {
            is_str(made->closed, NULL, cases[i].name);
            ok(!made->keys != !made->jwks_url, "keys or an address");
        }
        else if (!ok(made->closed && strstr(made->closed, cases[i].why), "%s", cases[i].name)) {
            printf("# %s\n", made->closed ? made->closed : "not closed");
        }
    }
}

static void understood(void)
{
    const rr_verifier_t *one = verifier("{" WHO "}", SECRET, NULL), *same = verifier("{" WHO ",\"x\":1}", SECRET, NULL);
    const rr_verifier_t *other = verifier("{" WHO "}", "{\"secret\":\"another secret of thirty-two bytes\"}", NULL);
    const rr_verifier_t *url = verifier("{" WHO "," URL "}", NULL, NULL);
    const rr_verifier_t *nobody = verifier("{\"issuer\":\"\",\"audience\":\"api\"}", SECRET, NULL);
    char *address = apr_palloc(pool, RR_MAX_VERIFIER_URL + 2);

    is_str(one->name, "acme/users", "its name");
    is_str(one->policy.issuer, "https://i/", "its issuer");
    is_str(APR_ARRAY_IDX(one->policy.audiences, 0, const char *), "api", "its audience");
    is_int(one->policy.leeway, apr_time_from_sec(60), "its leeway");
    is_int(rr_jwks_count(one->keys), 1, "its key");
    ok(!memcmp(one->named, same->named, sizeof(one->named)), "one secret has one name");
    ok(memcmp(one->named, other->named, sizeof(one->named)), "another has another");
    ok(memcmp(one->named, url->named, sizeof(one->named)), "as has an address");
    is_str(url->jwks_url, "https://i/keys", "which is kept");
    is_str(nobody->policy.issuer, NULL, "an empty issuer is none");

    memset(address, 'x', RR_MAX_VERIFIER_URL + 1);
    memcpy(address, "https://i/", 10);
    address[RR_MAX_VERIFIER_URL] = '\0';
    url = verifier(apr_pstrcat(pool, "{" WHO ",\"jwksUri\":\"", address, "\"}", NULL), NULL, NULL);
    is_str(url->closed, NULL, "an address as long as may be");
    url = verifier(apr_pstrcat(pool, "{" WHO ",\"jwksUri\":\"", address, "x\"}", NULL), NULL, NULL);
    ok(url->closed && strstr(url->closed, "more than 2048"), "and one byte more");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    refused();
    understood();
    apr_pool_destroy(pool);
    return tap_end();
}
