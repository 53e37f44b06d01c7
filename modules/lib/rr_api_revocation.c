/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_revocation.c: /revocations and /clients/{clientId}/revocations: tokens taken back before their time.
 *
 * An issuer's tokens may be every tenant's: only the operator revokes by jti or
 * subject. Who has a token in hand may revoke that token.
 */
#include "rr_api_private.h"
#include "rr_jose.h"

#include <apr_strings.h>
#include <openssl/evp.h>

#define MAX_ISSUER 2048
#define GRACE apr_time_from_sec(86400) /* more than the leeway that any verifier grants */

typedef struct {
    const char *issuer, *jti, *sub, *token;
    apr_time_t issued_before, expires;
} revocation_body_t;

const api_field_t api_revocation_fields[] = {
    API_ANSWER(API_TEXT, "id"),
    API_FIELD(API_TEXT, "issuer", 0, revocation_body_t, issuer, MAX_ISSUER),
    API_FIELD(API_TEXT, "jti", 0, revocation_body_t, jti, MAX_ISSUER),
    API_FIELD(API_TEXT, "sub", 0, revocation_body_t, sub, MAX_ISSUER),
    API_FIELD(API_WHEN, "issuedBefore", 0, revocation_body_t, issued_before, 0),
    API_FIELD(API_TEXT, "token", API_SECRET, revocation_body_t, token, RR_MAX_TOKEN),
    API_FIELD(API_WHEN, "revocationExpiresAt", 0, revocation_body_t, expires, 0),
    API_ANSWER(API_TIME, "revocationCreatedAt"),
    { NULL }
};

static const char *print_revocation(api_call_t *call, const rr_revocation_row_t *row)
{
    api_out_t out;

    api_out_init(&out, call->p);
    api_out_add(&out, "{");
    api_out_text(&out, "id", row->id);
    api_out_text(&out, "issuer", row->issuer);
    api_out_text(&out, "jti", row->jti);
    api_out_text(&out, "sub", row->sub);
    api_out_time(&out, "issuedBefore", row->issued_before);
    api_out_text(&out, "token", row->issuer ? NULL : RR_API_MASK);
    api_out_time(&out, "revocationExpiresAt", row->expires);
    api_out_time(&out, "revocationCreatedAt", row->created);
    api_out_add(&out, "}");
    return out.text;
}

/* The row of a token: what is signed decides, its signature is not looked at. */
static apr_status_t read_token(rr_revocation_row_t *row, api_call_t *call, const char *token)
{
    unsigned char *digest = apr_palloc(call->p, EVP_MAX_MD_SIZE);
    const rr_json_t *claims;
    rr_err_t why = RR_ERR_INIT;
    apr_int64_t exp;
    rr_jws_t *jws;

    if (rr_jws_parse(&jws, token, strlen(token), call->p, &why) != APR_SUCCESS ||
        rr_json_parse_object(&claims, jws->payload, jws->payload_len, call->p, &why) != APR_SUCCESS) {
        return api_invalid(call, RR_EINVAL, "/token", &why);
    }
    if (EVP_Digest(jws->input, jws->input_len, digest, NULL, EVP_sha256(), NULL) != 1) {
        return api_refuse(call, 422, "/token", "this cannot be digested");
    }
    row->digest = digest;
    if (!row->expires && rr_json_int(rr_json_member(claims, "exp"), &exp) && exp > 0 && exp < APR_INT32_MAX * 4LL) {
        row->expires = apr_time_from_sec(exp) + GRACE;
    }
    return APR_SUCCESS;
}

static apr_status_t fill(rr_revocation_row_t *row, api_call_t *call, const revocation_body_t *body)
{
    int by_jti = body->jti && body->issuer && !body->sub && !body->issued_before && !body->token;
    int by_sub = body->sub && body->issuer && body->issued_before && !body->jti && !body->token;
    int by_token = body->token && !body->issuer && !body->jti && !body->sub && !body->issued_before;

    if (!by_jti && !by_sub && !by_token) {
        return api_refuse(call, 422, NULL, "one of these is wanted: jti and issuer; sub, issuer and "
        "issuedBefore; token");
    }
    if (!by_token && !api_is_operator(call)) {
        return api_refuse(call, 403, NULL,
                          "revoking by jti or sub takes the scope rr:admin, since tokens of an issuer may be "
                          "others'; "
                          "revoking a token takes the token");
    }
    row->client = call->client;
    row->issuer = body->issuer;
    row->jti = body->jti;
    row->sub = body->sub;
    row->issued_before = body->issued_before;
    row->expires = body->expires;
    return by_token ? read_token(row, call, body->token) : APR_SUCCESS;
}

static apr_status_t must_be_ours(api_call_t *call)
{
    return call->client || api_is_operator(call) ? APR_SUCCESS
                                                 : api_refuse(call, 403, NULL, "this takes the scope rr:admin");
}

apr_status_t api_revocation_post(api_call_t *call)
{
    rr_revocation_row_t row = { .created = call->now };
    revocation_body_t body = { 0 };
    int pruned;
    apr_status_t rv;

    if ((rv = must_be_ours(call)) != APR_SUCCESS ||
        (rv = api_read(call, &body, api_revocation_fields, call->body, "")) != APR_SUCCESS ||
        (rv = fill(&row, call, &body)) != APR_SUCCESS || (rv = rr_id_make(&row.id, call->p, call->err)) !=
        APR_SUCCESS ||
        (rv = rr_store_revocation_prune(&pruned, call->store, call->now, call->p, call->err)) != APR_SUCCESS ||
        (rv = rr_store_revocation_add(call->store, &row, call->p, call->err)) != APR_SUCCESS) {
        return rv;
    }
    return api_answer_new(call, print_revocation(call, &row), row.id, row.created);
}

apr_status_t api_revocation_list(api_call_t *call)
{
    apr_array_header_t *objects = apr_array_make(call->p, 16, sizeof(const char *));
    apr_array_header_t *rows;
    const char *last = NULL;
    apr_status_t rv = must_be_ours(call);
    int i;

    if (rv == APR_SUCCESS) {
        rv = rr_store_revocation_list(&rows, call->store, call->client, call->cursor, call->limit, call->p,
        call->err);
    }
    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        const rr_revocation_row_t *row = APR_ARRAY_IDX(rows, i, const rr_revocation_row_t *);

        APR_ARRAY_PUSH(objects, const char *) = print_revocation(call, row);
        last = row->id;
    }
    return rv == APR_SUCCESS ? api_answer_list(call, objects, last) : rv;
}

static apr_status_t find(const rr_revocation_row_t **prow, api_call_t *call)
{
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = must_be_ours(call);

    return rv == APR_SUCCESS
               ? api_found(call, rr_store_revocation_get(prow, call->store, call->client, call->id, call->p,
               &why), &why)
               : rv;
}

apr_status_t api_revocation_get(api_call_t *call)
{
    const rr_revocation_row_t *row;
    apr_status_t rv = find(&row, call);

    return rv == APR_SUCCESS ? api_answer(call, print_revocation(call, row), row->created) : rv;
}

apr_status_t api_revocation_delete(api_call_t *call)
{
    const rr_revocation_row_t *row;
    apr_status_t rv = find(&row, call);

    if (rv == APR_SUCCESS) {
        rv = rr_store_revocation_delete(call->store, row->id, call->p, call->err);
    }
    return rv == APR_SUCCESS ? api_answer(call, print_revocation(call, row), row->created) : rv;
}
