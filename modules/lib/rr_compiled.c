/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_compiled.c: compiles rows, and recognises those that it has compiled before by their digest.
 */
#include "rr_compiled.h"

#include <apr_atomic.h>
#include <apr_strings.h>

#include <openssl/evp.h>

#include <string.h>

#define DIGEST_LEN 32

struct rr_compiled_t {
    apr_pool_t *pool; /* its own, without parent */
    volatile apr_uint32_t uses;
    unsigned char digest[DIGEST_LEN]; /* of the rows: SHA-256 over lengths, ids and bodies */
    rr_attached_t attached;
};

static int digest_list(EVP_MD_CTX *context, const apr_array_header_t *rows)
{
    apr_uint64_t count = (apr_uint64_t)rows->nelts;
    int good = EVP_DigestUpdate(context, &count, sizeof(count)), i;

    for (i = 0; good && i < rows->nelts; i++) {
        const rr_compiled_row_t *row = &APR_ARRAY_IDX(rows, i, rr_compiled_row_t);
        apr_uint64_t lengths[2] = { strlen(row->id), strlen(row->body) };

        good = EVP_DigestUpdate(context, lengths, sizeof(lengths)) && EVP_DigestUpdate(context, row->id, lengths[0])
               && EVP_DigestUpdate(context, row->body, lengths[1]);
    }
    return good;
}

static int digest_rows(unsigned char digest[DIGEST_LEN], const rr_compiled_rows_t *rows)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) && digest_list(context, rows->rules)
               && digest_list(context, rows->filters) && EVP_DigestFinal_ex(context, digest, NULL);

    EVP_MD_CTX_free(context);
    return good;
}

/* A row that does not parse closes its owner: what it would have taken away is not known. */
static void close_by(rr_compiled_t *compiled, const char *what, const char *id, const rr_err_t *err)
{
    compiled->attached.closed = apr_psprintf(compiled->pool, "its %s %s cannot be understood: %s", what, id,
                                             rr_err_text(err));
}

static void compile_rules(rr_compiled_t *compiled, const apr_array_header_t *rows, apr_pool_t *ptemp)
{
    const rr_rule_t **rules = apr_pcalloc(compiled->pool, sizeof(*rules) * (apr_size_t)(rows->nelts + 1));
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const rr_compiled_row_t *row = &APR_ARRAY_IDX(rows, i, rr_compiled_row_t);
        const rr_json_t *json;
        rr_err_t err = RR_ERR_INIT;

        if (rr_json_parse_object(&json, row->body, strlen(row->body), ptemp, &err) != APR_SUCCESS
            || rr_rule_parse(&rules[i], json, apr_pstrdup(compiled->pool, row->id), "", compiled->pool, &err)
                   != APR_SUCCESS) {
            close_by(compiled, "rule", row->id, &err);
            return;
        }
    }
    if (rows->nelts) {
        compiled->attached.rules = rr_ruleset_make(rules, rows->nelts, compiled->pool);
    }
}

/* The text of a filter that names itself by its row's id. */
static const char *with_id(const rr_compiled_row_t *row, apr_pool_t *p)
{
    const char *body = row->body + strspn(row->body, " \t\r\n"), *rest;

    if (*body != '{') {
        return body; /* and is refused as what it is */
    }
    rest = body + 1 + strspn(body + 1, " \t\r\n");
    return apr_pstrcat(p, "{\"id\":", rr_json_quote(p, row->id, RR_MAX_NAME), *rest == '}' ? "" : ",", body + 1, NULL);
}

static void compile_filters(rr_compiled_t *compiled, const apr_array_header_t *rows, apr_pool_t *ptemp)
{
    apr_array_header_t *texts = apr_array_make(ptemp, rows->nelts + 1, sizeof(const char *));
    rr_err_t err = RR_ERR_INIT;
    const char *text;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        APR_ARRAY_PUSH(texts, const char *) = with_id(&APR_ARRAY_IDX(rows, i, rr_compiled_row_t), ptemp);
    }
    if (rows->nelts) {
        text = apr_pstrcat(ptemp, "[", apr_array_pstrcat(ptemp, texts, ','), "]", NULL);
        if (rr_filters_read(&compiled->attached.filters, text, strlen(text), compiled->pool, &err) != APR_SUCCESS) {
            close_by(compiled, "filters:", err.where, &err);
        }
    }
}

rr_compiled_t *rr_compiled_make(rr_compiled_t *before, const rr_compiled_rows_t *rows, apr_pool_t *ptemp)
{
    unsigned char digest[DIGEST_LEN];
    apr_allocator_t *allocator;
    rr_compiled_t *compiled;
    apr_pool_t *pool;

    if (!digest_rows(digest, rows)) {
        return NULL;
    }
    if (before && !memcmp(before->digest, digest, sizeof(digest))) { /* lint: a digest of rules is no secret */
        apr_atomic_inc32(&before->uses);
        return before;
    }
    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_pool_create_unmanaged_ex(&pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    apr_pool_tag(pool, "rr_compiled");
    compiled = apr_pcalloc(pool, sizeof(*compiled));
    compiled->pool = pool;
    compiled->uses = 1;
    memcpy(compiled->digest, digest, sizeof(digest));
    compile_rules(compiled, rows->rules, ptemp);
    if (!compiled->attached.closed) {
        compile_filters(compiled, rows->filters, ptemp);
    }
    return compiled;
}

const rr_attached_t *rr_compiled_attached(const rr_compiled_t *compiled)
{
    return &compiled->attached;
}

void rr_compiled_release(rr_compiled_t *compiled)
{
    if (!apr_atomic_dec32(&compiled->uses)) {
        apr_pool_destroy(compiled->pool);
    }
}
