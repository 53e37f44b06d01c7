/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_secret.c: credentialSecret, form by form: what may be in it, what of
 * it is shown, sealed, or found by its digest.
 *
 * A member that is a secret reads as RR_API_MASK. Sent back as the mask it
 * stays what it is, so that what was read can be written.
 */
#include "rr_api_private.h"
#include "rr_jose.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_LIFETIME 86400 /* seconds that a minted token may live */
#define MAX_HEADERS 32     /* of a custom credential */
#define MAX_URL 2048

typedef struct {
    const char *key, *header, *prefix, *query;
    const char *token;
    const char *username, *password;
    const char *private_key, *algorithm, *kid;
    const rr_json_t *claims;
    apr_int64_t lifetime;
    const char *token_url, *client_id, *client_secret, *scope, *client_auth;
    const rr_json_t *audience;
    const rr_json_t *headers;
    const char *jwks_uri, *issuer, *secret;
} form_t;

#define S(name, member, most) API_FIELD(API_TEXT, name, API_SECRET, form_t, member, most)
#define E(name, flags, member, most) API_FIELD(API_TEXT, name, API_EMPTY | (flags), form_t, member, most)
#define T(name, member, most) API_FIELD(API_TEXT, name, 0, form_t, member, most)

static const char *const client_auths[] = { "client_secret_basic", "client_secret_post", "basic=client_secret_basic",
                                            "post=client_secret_post", NULL };

static const api_field_t key_fields[] = { S("key", key, RR_MAX_SECRET), T("header", header, RR_MAX_NAME),
                                          E("prefix", 0, prefix, RR_MAX_NAME), T("query", query, RR_MAX_NAME), {
                                          NULL } };
static const api_field_t bearer_fields[] = { S("token", token, RR_MAX_SECRET), E("prefix", 0, prefix, RR_MAX_NAME),
                                             { NULL } };
static const api_field_t basic_fields[] = { E("username", 0, username, RR_MAX_KEY),
                                            E("password", API_SECRET, password, RR_MAX_KEY), { NULL } };
static const api_field_t jwt_fields[] = {
    S("token", token, RR_MAX_TOKEN),
    API_FIELD(API_BYTES, "privateKey", API_SECRET, form_t, private_key, RR_MAX_SECRET),
    T("algorithm", algorithm, 16),
    API_FIELD(API_OBJECT, "claims", 0, form_t, claims, RR_MAX_METADATA),
    { .name = "lifetime", .kind = API_INT, .offset = offsetof(form_t, lifetime), .least = 1, .most = MAX_LIFETIME },
    T("kid", kid, RR_MAX_KID),
    { NULL }
};
static const api_field_t oauth2_fields[] = {
    T("tokenUrl", token_url, MAX_URL), T("clientId", client_id, RR_MAX_KEY), S("clientSecret", client_secret,
      RR_MAX_SECRET),
    T("scope", scope, 1024), API_FIELD(API_EITHER, "audience", 0, form_t, audience, RR_MAX_AUDIENCES),
    API_FIELD_ENUM("clientAuth", 0, form_t, client_auth, client_auths), { NULL }
};
static const api_field_t custom_fields[] = {
    API_FIELD(API_OBJECT, "headers", API_SECRET, form_t, headers, RR_MAX_SECRET), { NULL }
};
static const api_field_t verify_fields[] = {
    T("jwksUri", jwks_uri, MAX_URL), API_FIELD(API_BYTES, "secret", API_SECRET, form_t, secret, RR_MAX_SECRET),
    API_FIELD(API_EITHER, "audience", API_REQUIRED, form_t, audience, RR_MAX_AUDIENCES),
    API_FIELD(API_TEXT, "issuer", API_REQUIRED, form_t, issuer, MAX_URL), T("header", header, RR_MAX_NAME), { NULL }
};
static const api_field_t none_fields[] = { { NULL } };

const api_secret_form_t api_secret_forms[] = {
    { RR_CREDENTIAL_KEY, 1, 1, key_fields },       { RR_CREDENTIAL_BEARER, 1, 1, bearer_fields },
    { RR_CREDENTIAL_BASIC, 1, 1, basic_fields },   { RR_CREDENTIAL_JWT, 1, 1, jwt_fields },
    { RR_CREDENTIAL_OAUTH2, 0, 1, oauth2_fields }, { RR_CREDENTIAL_CUSTOM, 0, 1, custom_fields },
    { RR_CREDENTIAL_JWT_VERIFY, 1, 0, verify_fields }, { RR_CREDENTIAL_NONE, 1, 1, none_fields },
    { RR_CREDENTIAL_UNKNOWN, 0, 0, NULL }
};

#define AT "/credentialSecret"

static apr_status_t missing(api_call_t *call, const char *pointer)
{
    return api_refuse(call, 422, pointer, "this field is required");
}

/* Where a secret is put into a request. */
static apr_status_t check_place(api_call_t *call, const form_t *form)
{
    if (form->header && form->query) {
        return api_refuse(call, 422, AT "/query", "a key goes into a header or into the query, not both");
    }
    if (form->header && !api_is_header(form->header)) {
        return api_refuse(call, 422, AT "/header", "this is no name of a header that may be set");
    }
    if (form->prefix && (form->query || *form->prefix == ' ')) {
        return api_refuse(call, 422, AT "/prefix", "a prefix is text before a key in a header");
    }
    if (form->query && strspn(form->query, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-") !=
                           strlen(form->query)) {
        return api_refuse(call, 422, AT "/query", "a parameter's name is made of A-Z a-z 0-9 . _ ~ -");
    }
    return APR_SUCCESS;
}

static apr_status_t check_key(api_call_t *call, const form_t *form, int target)
{
    if (target && !form->key) {
        return missing(call, AT "/key");
    }
    if (form->key && !api_is_header_value(form->key)) {
        return api_refuse(call, 422, AT "/key", "a key does not begin or end with a blank");
    }
    return check_place(call, form);
}

/* Vendors take a key as the user or as the password, the other empty; a caller has both. */
static apr_status_t check_basic(api_call_t *call, const form_t *form, int target)
{
    if (!form->username) {
        return missing(call, AT "/username");
    }
    if (strchr(form->username, ':')) {
        return api_refuse(call, 422, AT "/username", "a user name has no colon (RFC 7617)");
    }
    if (!form->password) {
        return missing(call, AT "/password");
    }
    if (target ? !*form->username && !*form->password : !*form->username || !*form->password) {
        return api_refuse(call, 422, *form->username ? AT "/password" : AT "/username", "1 to %d bytes are wanted here",
                          RR_MAX_KEY);
    }
    return APR_SUCCESS;
}

/* A token as it is, or what mints one. masked: the key itself is not at hand. */
static apr_status_t check_jwt(api_call_t *call, const form_t *form, int target, int masked)
{
    rr_alg_e alg = form->algorithm ? rr_alg_parse(form->algorithm, strlen(form->algorithm)) : RR_ALG_NONE;
    int mints = form->private_key || form->algorithm || form->claims || form->lifetime || form->kid;
    rr_err_t why = RR_ERR_INIT;
    rr_jwk_t *key;
    apr_status_t rv;

    if (!mints) {
        return form->token ? APR_SUCCESS : missing(call, AT "/token");
    }
    if (!target) {
        return api_refuse(call, 422, AT, "a proxy credential of type jwt has a token, nothing else");
    }
    if (form->token) {
        return api_refuse(call, 422, AT "/token", "a token is given, or made with a private key, not both");
    }
    if (!form->private_key || !form->claims) {
        return missing(call, form->private_key ? AT "/claims" : AT "/privateKey");
    }
    if (alg == RR_ALG_NONE) {
        return api_refuse(call, 422, AT "/algorithm", "one of these is wanted here: %s",
                          rr_alg_names(call->p, RR_ALGS_ASYMMETRIC));
    }
    if (masked) {
        return APR_SUCCESS;
    }
    rv = rr_jwk_load_private(&key, form->private_key, strlen(form->private_key), alg, form->kid, call->p, &why);
    return rv == APR_SUCCESS ? rv : api_invalid(call, rv, AT "/privateKey", &why);
}

static apr_status_t check_url(api_call_t *call, const char *url, const char *pointer)
{
    const char *origin;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = api_origin(&origin, url, 0, call->p, &why);

    return rv == APR_SUCCESS ? rv : api_invalid(call, rv, pointer, &why);
}

static apr_status_t check_oauth2(api_call_t *call, const form_t *form)
{
    if (!form->token_url || !form->client_id || !form->client_secret) {
        return missing(call, !form->token_url ? AT "/tokenUrl" : !form->client_id ? AT "/clientId" : AT
        "/clientSecret");
    }
    return check_url(call, form->token_url, AT "/tokenUrl");
}

static apr_status_t check_verify(api_call_t *call, const form_t *form, int masked)
{
    const rr_jwks_t *set;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv;

    if (!form->jwks_uri == !form->secret) {
        return api_refuse(call, 422, AT "/jwksUri", "tokens are verified by the keys at jwksUri or by a secret: "
        "one of the two");
    }
    if (form->header && !api_is_header(form->header)) {
        return api_refuse(call, 422, AT "/header", "this is no name of a header");
    }
    if (form->jwks_uri) {
        return check_url(call, form->jwks_uri, AT "/jwksUri");
    }
    if (masked) {
        return APR_SUCCESS;
    }
    rv = rr_jwks_from_secret(&set, (const unsigned char *)form->secret, strlen(form->secret), call->p, &why);
    return rv == APR_SUCCESS ? rv : api_invalid(call, rv, AT "/secret", &why);
}

typedef struct {
    api_call_t *call;
    apr_status_t rv;
    api_out_t *shown;
    int count, masked;
} headers_t;

static int check_one_header(void *baton, const char *name, const rr_json_t *value)
{
    headers_t *headers = baton;
    const char *text = rr_json_string(value);

    headers->count++;
    headers->masked += text && !strcmp(text, RR_API_MASK);
    if (!api_is_header(name) || !text || !api_is_header_value(text)) {
        headers->rv = api_refuse(headers->call, 422, api_pointer(headers->call, AT "/headers", name),
                                 "a header that may be set, and its value, are wanted here");
        return 0;
    }
    api_out_text(headers->shown, name, RR_API_MASK);
    return 1;
}

/* The headers with their values masked; *pmasked of them came masked. */
static apr_status_t check_custom(const char **pshown, int *pmasked, int *pcount, api_call_t *call, const
                                 rr_json_t *value)
{
    api_out_t shown;
    headers_t headers = { call, APR_SUCCESS, &shown, 0, 0 };

    api_out_init(&shown, call->p);
    api_out_add(&shown, "{");
    rr_json_members(value, check_one_header, &headers);
    api_out_add(&shown, "}");
    *pshown = shown.text;
    *pmasked = headers.masked;
    *pcount = headers.count;
    if (headers.rv == APR_SUCCESS && (headers.count < 1 || headers.count > MAX_HEADERS)) {
        return api_refuse(call, 422, AT "/headers", "1 to %d headers are wanted here", MAX_HEADERS);
    }
    return headers.rv;
}

static apr_status_t check_form(api_call_t *call, rr_credential_kind_e kind, const form_t *form, int target, int
                               masked)
{
    switch (kind) {
    case RR_CREDENTIAL_KEY:
        return check_key(call, form, target);
    case RR_CREDENTIAL_BEARER:
        if (form->token && !api_is_header_value(form->token)) {
            return api_refuse(call, 422, AT "/token", "a token does not begin or end with a blank");
        }
        return form->token ? check_place(call, form) : missing(call, AT "/token");
    case RR_CREDENTIAL_BASIC:
        return check_basic(call, form, target);
    case RR_CREDENTIAL_JWT:
        return check_jwt(call, form, target, masked);
    case RR_CREDENTIAL_OAUTH2:
        return check_oauth2(call, form);
    case RR_CREDENTIAL_CUSTOM:
        return form->headers ? APR_SUCCESS : missing(call, AT "/headers");
    case RR_CREDENTIAL_JWT_VERIFY:
        return check_verify(call, form, masked);
    default:
        return APR_SUCCESS;
    }
}

/* How the members of a body come out: as shown, and as sealed. */
typedef struct {
    const char *shown, *full;
    int secrets, masked; /* members that are secrets; of these, sent as the mask */
} printed_t;

/* stored: the opened object that a masked member is taken from; NULL: it stays the mask. */
static apr_status_t print_form(printed_t *printed, api_call_t *call, const api_field_t *fields, const form_t *form,
                               const rr_json_t *body, const rr_json_t *stored)
{
    api_out_t shown, full;
    apr_status_t rv;

    memset(printed, 0, sizeof(*printed));
    api_out_init(&shown, call->p);
    api_out_init(&full, call->p);
    api_out_add(&shown, "{");
    api_out_add(&full, "{");
    for (; fields->name; fields++) {
        const rr_json_t *value = rr_json_member(body, fields->name);
        const rr_json_t *kept = rr_json_member(stored, fields->name);
        const char *text = rr_json_print(call->p, value), *mask = "\"" RR_API_MASK "\"";
        int count = 1, masked = 0;

        if (!value) {
            continue;
        }
        if (fields->kind == API_ENUM) {
            text = rr_json_quote(call->p, *(const char *const *)((const char *)form + fields->offset), 64);
        }
        if (!(fields->flags & API_SECRET)) {
            api_out_json(&shown, fields->name, text);
            api_out_json(&full, fields->name, text);
            continue;
        }
        if (fields->kind == API_OBJECT) {
            rv = check_custom(&mask, &masked, &count, call, value);
            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
        else {
            masked = !strcmp(text, mask);
        }
        printed->secrets += count;
        printed->masked += masked;
        api_out_json(&shown, fields->name, mask);
        api_out_json(&full, fields->name, masked && kept ? rr_json_print(call->p, kept) : text);
    }
    api_out_add(&shown, "}");
    api_out_add(&full, "}");
    printed->shown = shown.text;
    printed->full = full.text;
    return APR_SUCCESS;
}

/* What is sealed in the row. */
static apr_status_t open_stored(const rr_json_t **pvalue, const char **ptext, api_call_t *call,
                                const rr_credential_row_t *stored)
{
    rr_secret_t *secret;
    apr_status_t rv = api_open(&secret, call, stored);

    *pvalue = NULL;
    *ptext = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *ptext = apr_pstrmemdup(call->p, (const char *)rr_secret_bytes(secret), rr_secret_len(secret));
    return rr_json_parse_object(pvalue, *ptext, strlen(*ptext), call->p, call->err);
}

/* Whether text is what is sealed already. One that does not open is not: giving it anew is how it is repaired. */
static int is_stored(api_call_t *call, const rr_credential_row_t *stored, const char *text)
{
    rr_err_t quiet = RR_ERR_INIT, *err = call->err;
    const rr_json_t *value;
    const char *before;
    apr_status_t rv;

    if (!stored || !stored->secret) {
        return 0;
    }
    call->err = &quiet;
    rv = open_stored(&value, &before, call, stored);
    call->err = err;
    return rv == APR_SUCCESS && rr_secret_equal(before, strlen(before), text, strlen(text));
}

/* A masked secret stands for the one that is stored; it does not follow another tokenUrl. */
static apr_status_t check_masked(api_call_t *call, rr_credential_kind_e kind, const printed_t *printed,
                                 const rr_credential_row_t *stored, const form_t *form)
{
    const rr_json_t *before = NULL;
    const char *url;

    if (printed->masked != printed->secrets) {
        return api_refuse(call, 422, AT, "all of its secrets are given, or all are masked");
    }
    if (!stored && !call->api->actor.offline) {
        return api_refuse(call, 422, AT, RR_API_MASK " stands for a secret that is stored; here is none yet");
    }
    if (stored && stored->params &&
        rr_json_parse(&before, stored->params, strlen(stored->params), call->p, call->err) == APR_SUCCESS &&
        kind == RR_CREDENTIAL_OAUTH2) {
        url = rr_json_string(rr_json_member(before, "tokenUrl"));
        if (!url || strcmp(url, form->token_url)) {
            return api_refuse(call, 409, AT "/tokenUrl", "another tokenUrl takes the clientSecret in the same "
            "request");
        }
    }
    return APR_SUCCESS;
}

/* What masked members stand for has to be there: the same members, a custom credential's headers included. */
static apr_status_t check_same_members(api_call_t *call, const char *shown, const rr_credential_row_t *stored,
                                       const api_field_t *fields)
{
    const rr_json_t *now = NULL, *before = NULL;

    if (!stored || !stored->params ||
        rr_json_parse(&before, stored->params, strlen(stored->params), call->p, NULL) != APR_SUCCESS ||
        rr_json_parse(&now, shown, strlen(shown), call->p, NULL) != APR_SUCCESS) {
        return APR_SUCCESS;
    }
    for (; fields->name; fields++) {
        const char *masks = rr_json_print(call->p, rr_json_member(now, fields->name));

        if ((fields->flags & API_SECRET) && strcmp(masks, rr_json_print(call->p, rr_json_member(before,
        fields->name)))) {
            return api_refuse(call, 422, api_pointer(call, AT, fields->name),
                              RR_API_MASK " stands for a secret that is stored; this one is not");
        }
    }
    return APR_SUCCESS;
}

/* What a caller of this proxy credential presents; NULL: nothing that is found by its digest. */
static const char *presented(api_call_t *call, rr_credential_kind_e kind, const form_t *form)
{
    switch (kind) {
    case RR_CREDENTIAL_KEY:
        return form->key;
    case RR_CREDENTIAL_BEARER:
    case RR_CREDENTIAL_JWT:
        return form->token;
    case RR_CREDENTIAL_BASIC:
        return apr_pstrcat(call->p, form->username, ":", form->password, NULL);
    default:
        return NULL;
    }
}

static apr_status_t generate(api_secret_t *secret, api_call_t *call)
{
    apr_status_t rv = rr_key_mint(&secret->value, 0, call->p, call->err);
    const char *rest = secret->shown + 1; /* "}" or other members */

    if (rv == APR_SUCCESS) {
        secret->once = apr_pstrcat(call->p, "{\"key\":\"", secret->value, "\"", *rest == '}' ? "" : ",", rest, NULL);
        secret->shown = apr_pstrcat(call->p, "{\"key\":\"" RR_API_MASK "\"", *rest == '}' ? "" : ",", rest, NULL);
    }
    return rv;
}

/* A body whose secrets are masked: they stay, around them things may change. */
static apr_status_t read_masked(api_secret_t *secret, api_call_t *call, const rr_json_t *body,
                                const api_secret_form_t *form, const form_t *values, const printed_t *given,
                                const rr_credential_row_t *stored)
{
    const rr_json_t *kept;
    const char *before;
    printed_t printed;
    apr_status_t rv;

    secret->masked = 1;
    if ((rv = check_masked(call, form->kind, given, stored, values)) != APR_SUCCESS ||
        (rv = check_same_members(call, given->shown, stored, form->fields)) != APR_SUCCESS || !stored ||
        !stored->secret || (rv = open_stored(&kept, &before, call, stored)) != APR_SUCCESS) {
        return rv;
    }
    rv = print_form(&printed, call, form->fields, values, body, kept);
    if (rv == APR_SUCCESS && strcmp(printed.full, before)) {
        secret->sealed = printed.full;
    }
    return rv;
}

static apr_status_t read_given(api_secret_t *secret, api_call_t *call, const rr_json_t *body, int target,
                               const api_secret_form_t *form, const rr_credential_row_t *stored)
{
    printed_t printed;
    form_t values = { 0 };
    apr_status_t rv;

    if ((rv = api_read(call, &values, form->fields, body, AT)) != APR_SUCCESS ||
        (rv = print_form(&printed, call, form->fields, &values, body, NULL)) != APR_SUCCESS ||
        (rv = check_form(call, form->kind, &values, target, printed.masked > 0)) != APR_SUCCESS) {
        return rv;
    }
    secret->shown = printed.shown;
    if (printed.masked) {
        return read_masked(secret, call, body, form, &values, &printed, stored);
    }
    if (!target && form->kind == RR_CREDENTIAL_KEY && !values.key) {
        secret->masked = stored != NULL; /* a credential keeps its keys, a new one gets one */
        return stored ? APR_SUCCESS : generate(secret, call);
    }
    secret->carried = printed.secrets > 0;
    secret->value = target ? NULL : presented(call, form->kind, &values);
    if (secret->value) {
        return api_key_check(call, form->kind, secret->value, form->kind == RR_CREDENTIAL_KEY ? AT "/key" : AT
        "/token");
    }
    if (printed.secrets && is_stored(call, stored, printed.full)) {
        secret->masked = 1;
    }
    else if (printed.secrets) {
        secret->sealed = printed.full;
    }
    return APR_SUCCESS;
}

apr_status_t api_secret_read(api_secret_t *secret, api_call_t *call, const rr_json_t *body, int target,
                             rr_credential_kind_e kind, const rr_credential_row_t *stored)
{
    const api_secret_form_t *form;

    memset(secret, 0, sizeof(*secret));
    for (form = api_secret_forms; form->fields && form->kind != kind; form++) {
    }
    if (!form->fields || !(target ? form->target : form->proxy)) {
        return api_refuse(call, 422, "/credentialAuthType", "%s credentials are not of type %s",
                          target ? "target" : "proxy", rr_credential_kind_word(kind));
    }
    if (body) {
        return read_given(secret, call, body, target, form, stored);
    }
    if (stored) {
        secret->masked = 1;
        secret->shown = stored->params;
        return APR_SUCCESS;
    }
    if (kind == RR_CREDENTIAL_NONE) {
        return APR_SUCCESS;
    }
    if (kind != RR_CREDENTIAL_KEY || target) {
        return missing(call, AT);
    }
    secret->shown = "{}";
    return generate(secret, call);
}
