/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_credential.c: what a stored target credential adds to a request.
 *
 * Taken apart once and kept while its secret stays the same, so that a request
 * costs a look into a table. Whether it may be used at all (active, not expired)
 * is asked of the snapshot each time.
 *
 * Spec: RFC 6750, 2.1 (Bearer); RFC 7617 (Basic).
 */
#include "inject.h"

#include <apr_base64.h>
#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define IDLE apr_time_from_sec(600)

static inject_shelf_t *credentials; /* written once, when a child starts */

void inject_credential_start(apr_pool_t *pchild)
{
    credentials = inject_shelf_make(pchild);
}

void inject_credential_sweep(void)
{
    if (credentials) {
        inject_shelf_sweep(credentials, IDLE);
    }
}

/* ---- parts ---- */

/* What parts are made of while they are. */
typedef struct {
    apr_pool_t *p;
    apr_array_header_t *headers; /* inject_header_t */
    apr_array_header_t *secrets; /* const char *: to be masked */
    const char *query;
    apr_status_t rv;
    rr_err_t *err;
} making_t;

int inject_is_sendable(const char *value)
{
    for (; *value; value++) {
        if (apr_iscntrl(*value)) {
            return 0;
        }
    }
    return 1;
}

static void add_header(making_t *making, const char *name, const char *value)
{
    inject_header_t *header;

    if (!inject_is_sendable(value)) {
        making->rv = rr_err_set(making->err, RR_EINVAL, NULL, "its value for %.64s has control characters", name);
        return;
    }
    header = apr_array_push(making->headers);
    header->name = name;
    header->value = value;
    APR_ARRAY_PUSH(making->secrets, const char *) = value;
}

/* A prefix that ends in a letter or digit is a scheme: a blank follows it. */
static const char *prefixed(apr_pool_t *p, const char *prefix, const char *value)
{
    apr_size_t len = strlen(prefix);

    return apr_pstrcat(p, prefix, len && apr_isalnum(prefix[len - 1]) ? " " : "", value, NULL);
}

const char *inject_percent(apr_pool_t *p, const char *text, const char *plain, const char *digits)
{
    char *out = apr_palloc(p, 3 * strlen(text) + 1), *to = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (apr_isalnum(c) || strchr(plain, c)) {
            *to++ = (char)c;
        }
        else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    *to = '\0';
    return out;
}

static const char *encode_query(apr_pool_t *p, const char *text)
{
    return inject_percent(p, text, "-._~", INJECT_DIGITS);
}

static const char *text_of(making_t *making, const rr_json_t *object, const char *name)
{
    const char *text = rr_json_string(rr_json_member(object, name));

    return text ? apr_pstrdup(making->p, text) : NULL;
}

static const char *needed(making_t *making, const rr_json_t *object, const char *name)
{
    const char *text = text_of(making, object, name);

    if (!text && making->rv == APR_SUCCESS) {
        making->rv = rr_err_set(making->err, RR_EINVAL, name, "its secret has no %s", name);
    }
    return text ? text : "";
}

static void make_key(making_t *making, const rr_json_t *object, const char *member)
{
    const char *key = needed(making, object, member);
    const char *query = text_of(making, object, "query");
    const char *header = text_of(making, object, "header");
    const char *prefix = text_of(making, object, "prefix");

    APR_ARRAY_PUSH(making->secrets, const char *) = key;
    if (query) {
        making->query = apr_pstrcat(making->p, encode_query(making->p, query), "=", encode_query(making->p, key), NULL);
        return;
    }
    if (!prefix) {
        prefix = header && apr_cstr_casecmp(header, "Authorization") ? "" : "Bearer";
    }
    add_header(making, header ? header : "Authorization", prefixed(making->p, prefix, key));
}

static void make_basic(making_t *making, const rr_json_t *object)
{
    const char *password = needed(making, object, "password");
    const char *pair = apr_pstrcat(making->p, needed(making, object, "username"), ":", password, NULL);
    int len = (int)strlen(pair);
    char *coded = apr_palloc(making->p, (apr_size_t)apr_base64_encode_len(len));

    apr_base64_encode(coded, pair, len);
    APR_ARRAY_PUSH(making->secrets, const char *) = password;
    APR_ARRAY_PUSH(making->secrets, const char *) = pair;
    APR_ARRAY_PUSH(making->secrets, const char *) = coded;
    add_header(making, "Authorization", apr_pstrcat(making->p, "Basic ", coded, NULL));
}

static int make_one_custom(void *baton, const char *name, const rr_json_t *value)
{
    making_t *making = baton;
    const char *text = rr_json_string(value);

    if (!text) {
        making->rv = rr_err_set(making->err, RR_EINVAL, "headers", "a header's value is no text");
        return 0;
    }
    add_header(making, apr_pstrdup(making->p, name), apr_pstrdup(making->p, text));
    return making->rv == APR_SUCCESS;
}

static void start_making(making_t *making, apr_pool_t *p, rr_err_t *err)
{
    making->p = p;
    making->headers = apr_array_make(p, 1, sizeof(inject_header_t));
    making->secrets = apr_array_make(p, 3, sizeof(const char *));
    making->query = NULL;
    making->rv = APR_SUCCESS;
    making->err = err;
}

static apr_status_t wipe_parts(void *data)
{
    const apr_array_header_t *secrets = data;
    int i;

    for (i = 0; i < secrets->nelts; i++) {
        char *secret = APR_ARRAY_IDX(secrets, i, char *);

        rr_secret_wipe(secret, strlen(secret));
    }
    return APR_SUCCESS;
}

static const inject_parts_t *finish_making(making_t *making)
{
    inject_parts_t *parts = apr_pcalloc(making->p, sizeof(*parts));

    parts->headers = making->headers;
    parts->query = making->query;
    parts->masks = inject_masks(making->p, making->secrets);
    apr_pool_cleanup_register(making->p, making->secrets, wipe_parts, apr_pool_cleanup_null);
    return parts;
}

const inject_parts_t *inject_parts_header(apr_pool_t *p, const char *name, const char *value, const char *secret)
{
    making_t making;

    start_making(&making, p, NULL);
    APR_ARRAY_PUSH(making.secrets, const char *) = apr_pstrdup(p, secret);
    add_header(&making, name, apr_pstrdup(p, value));
    return making.rv == APR_SUCCESS ? finish_making(&making) : NULL;
}

static apr_status_t make_parts(inject_credential_t *credential, apr_pool_t *p, rr_err_t *err)
{
    making_t making;

    start_making(&making, p, err);
    switch (credential->kind) {
    case RR_CREDENTIAL_KEY:
        make_key(&making, credential->object, "key");
        break;
    case RR_CREDENTIAL_BEARER:
        make_key(&making, credential->object, "token");
        break;
    case RR_CREDENTIAL_BASIC:
        make_basic(&making, credential->object);
        break;
    case RR_CREDENTIAL_JWT:
        if (rr_json_member(credential->object, "privateKey")) {
            return inject_source_make(&credential->source, credential, p, err);
        }
        make_key(&making, credential->object, "token");
        break;
    case RR_CREDENTIAL_OAUTH2:
        return inject_source_make(&credential->source, credential, p, err);
    case RR_CREDENTIAL_CUSTOM:
        rr_json_members(rr_json_member(credential->object, "headers"), make_one_custom, &making);
        if (making.rv == APR_SUCCESS && !making.headers->nelts) {
            making.rv = rr_err_set(err, RR_EINVAL, "headers", "its secret has no headers");
        }
        break;
    default:
        return rr_err_set(err, RR_EINVAL, NULL, "a target is not shown credentials of this kind");
    }
    if (making.rv == APR_SUCCESS) {
        credential->parts = finish_making(&making);
    }
    return making.rv;
}

/* ---- kept ---- */

static int fits(const inject_kept_t *kept, void *baton)
{
    const inject_credential_t *credential = (const inject_credential_t *)kept;
    const rr_party_t *party = baton;

    return credential->kind == party->kind
           && rr_secret_equal(rr_secret_bytes(credential->secret), rr_secret_len(credential->secret),
                              rr_secret_bytes(party->secret), rr_secret_len(party->secret));
}

static inject_kept_t *make_credential(apr_pool_t *pool, void *baton, rr_err_t *err)
{
    const rr_party_t *party = baton;
    inject_credential_t *credential = apr_pcalloc(pool, sizeof(*credential));

    credential->id = apr_pstrdup(pool, party->id);
    credential->name = apr_pstrcat(pool, party->client, "/", party->name, NULL);
    credential->kind = party->kind;
    credential->secret = rr_secret_make(pool, rr_secret_bytes(party->secret), rr_secret_len(party->secret));
    if (rr_json_parse_object(&credential->object, (const char *)rr_secret_bytes(credential->secret),
                             rr_secret_len(credential->secret), pool, NULL) != APR_SUCCESS) {
        rr_err_set(err, RR_EINVAL, NULL, "its secret is no JSON object");
        return NULL;
    }
    return make_parts(credential, pool, err) == APR_SUCCESS ? &credential->kept : NULL;
}

/* A fetched token is of those sections only that would have let its endpoint be asked. */
static const char *key_of(request_rec *r, const rr_party_t *party)
{
    return party->kind == RR_CREDENTIAL_OAUTH2
               ? apr_pstrcat(r->pool, party->id, inject_core->target_allow(r)->words, NULL)
               : party->id;
}

apr_status_t inject_credential_parts(const inject_parts_t **pparts, request_rec *r, const rr_party_t *party,
                                     rr_err_t *err)
{
    inject_credential_t *credential;

    *pparts = NULL;
    if (party->closed || !party->active) {
        return rr_err_set(err, RR_EDENIED, NULL, "%s", party->closed ? party->closed : "it is not active");
    }
    if (party->expires && party->expires <= apr_time_now()) {
        return rr_err_set(err, RR_EDENIED, NULL, "it has expired");
    }
    if (party->kind == RR_CREDENTIAL_NONE) {
        return APR_SUCCESS;
    }
    if (!party->secret) {
        return rr_err_set(err, RR_EINVAL, NULL, "it has no secret");
    }
    credential = (inject_credential_t *)inject_shelf_get(credentials, key_of(r, party), fits, make_credential,
                                                         (void *)party, r, err);
    if (!credential) {
        return err->status;
    }
    if (credential->source) {
        return inject_source_parts(pparts, r, credential, err);
    }
    *pparts = credential->parts;
    return APR_SUCCESS;
}
