/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_identity.c: tells logs, handlers and backends who asked.
 *
 * A value that cannot stand in a header as it is (control characters, too long)
 * is not sent at all: a changed identity might be somebody else's.
 */
#include "core.h"

#include <http_core.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

const char *core_set_identity_header(cmd_parms *cmd, void *conf, const char *name)
{
    ((core_dir_t *)conf)->identity_header = name;
    return core_reserve_header(cmd, name);
}

const char *core_add_claim_header(cmd_parms *cmd, void *conf, const char *name, const char *path)
{
    core_dir_t *dir = conf;
    core_claim_header_t *claim;

    if (!*path) {
        return apr_psprintf(cmd->pool, "RRClaimHeader %s: expected the path of a claim, such as org.id", name);
    }
    if (!dir->claims) {
        dir->claims = apr_array_make(cmd->pool, 2, sizeof(core_claim_header_t));
    }
    claim = apr_array_push(dir->claims);
    claim->name = name;
    claim->path = path;
    return core_reserve_header(cmd, name);
}

apr_array_header_t *core_merge_claim_headers(apr_pool_t *p, apr_array_header_t *base, apr_array_header_t *add)
{
    apr_array_header_t *merged;
    int i, k;

    if (!base || !add) {
        return add ? add : base;
    }
    merged = apr_array_copy(p, add);
    for (i = 0; i < base->nelts; i++) {
        const core_claim_header_t *outer = &APR_ARRAY_IDX(base, i, core_claim_header_t);

        for (k = 0; k < add->nelts; k++) {
            if (!apr_cstr_casecmp(outer->name, APR_ARRAY_IDX(add, k, core_claim_header_t).name)) {
                break; /* the inner section says it anew */
            }
        }
        if (k == add->nelts) {
            APR_ARRAY_PUSH(merged, core_claim_header_t) = *outer;
        }
    }
    return merged;
}

static const char *join_identities(request_rec *r, const rr_principal_t *who, const char *(*word)(const rr_identity_t *))
{
    const char *joined = who->count == 1 ? word(who->identities[0]) : "";
    int i;

    if (who->count == 1) {
        return joined ? joined : "";
    }
    for (i = 0; i < who->count; i++) {
        const char *one = word(who->identities[i]);

        if (one) {
            joined = apr_pstrcat(r->pool, joined, *joined ? " " : "", one, NULL);
        }
    }
    return joined;
}

static const char *method_of(const rr_identity_t *identity)
{
    return identity->method;
}

static const char *credential_of(const rr_identity_t *identity)
{
    return identity->credential;
}

static const char *issuer_of(const rr_identity_t *identity)
{
    return identity->issuer;
}

void core_set_env(request_rec *r, const rr_principal_t *who)
{
    core_request_t *own = core_request(r);
    const char *value, *scope = who && who->count == 1 ? who->identities[0]->scope : NULL;

    /* A fast redirect lays another request's environment over r's, and changes per_dir_config. */
    if (!who || own->told_under == r->per_dir_config) {
        return;
    }
    own->told_under = r->per_dir_config;
    apr_table_setn(r->subprocess_env, "RR_SUB", who->sub);
    apr_table_setn(r->subprocess_env, "RR_METHOD", join_identities(r, who, method_of));
    if (*(value = join_identities(r, who, credential_of))) {
        apr_table_setn(r->subprocess_env, "RR_CREDENTIAL", value);
    }
    if (*(value = join_identities(r, who, issuer_of))) {
        apr_table_setn(r->subprocess_env, "RR_ISSUER", value);
    }
    apr_table_setn(r->subprocess_env, "RR_SCOPE", scope ? scope : apr_array_pstrcat(r->pool, who->scopes, ' '));
}

/* Whether value can stand in a header as it is: text of some length, without blanks at its ends (RFC 9110, 5.5). */
static int is_sendable(const char *value)
{
    apr_size_t len = strlen(value), i;

    if (!len || len > RR_MAX_CLAIM_HEADER || value[0] == ' ' || value[len - 1] == ' ') {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (apr_iscntrl(value[i])) {
            return 0;
        }
    }
    return 1;
}

static void tell(request_rec *r, apr_table_t *headers, const char *name, const char *value)
{
    if (is_sendable(value)) {
        apr_table_setn(headers, name, value);
    }
    else {
        RR_LOG_R(APLOG_INFO, 0, r, 10130, "%s is not sent: the value is empty, too long, or has control "
                 "characters or blanks at its ends", name);
    }
}

/* A scalar as it is; an array of scalars with commas; anything else as JSON. NULL: the claim is missing or null. */
static const char *print_claim(apr_pool_t *p, const rr_json_t *value)
{
    apr_array_header_t *all;
    apr_size_t i;

    switch (rr_json_kind(value)) {
    case RR_JSON_NONE:
    case RR_JSON_NULL:
        return NULL;
    case RR_JSON_OBJECT:
        return rr_json_print(p, value);
    case RR_JSON_ARRAY:
        all = apr_array_make(p, (int)rr_json_size(value), sizeof(const char *));
        for (i = 0; i < rr_json_size(value); i++) {
            const char *one = rr_json_scalar(p, rr_json_element(value, i));

            if (!one || strchr(one, ',')) {
                return rr_json_print(p, value); /* a comma inside an element would make two of it */
            }
            APR_ARRAY_PUSH(all, const char *) = one;
        }
        return all->nelts ? apr_array_pstrcat(p, all, ',') : NULL;
    default:
        return rr_json_scalar(p, value);
    }
}

static const char *find_claim(apr_pool_t *p, const rr_principal_t *who, const char *path)
{
    const char *value = NULL;
    int i;

    for (i = 0; i < who->count && !value; i++) {
        value = print_claim(p, rr_json_at(who->identities[i]->data, path));
    }
    return value;
}

void core_set_identity(request_rec *r, const rr_principal_t *who, apr_table_t *headers)
{
    const core_dir_t *dir = core_dir(r);
    int i;

    if (!who || !dir) {
        return;
    }
    if (dir->identity_header) {
        tell(r, headers, dir->identity_header, who->sub);
    }
    for (i = 0; dir->claims && i < dir->claims->nelts; i++) {
        const core_claim_header_t *claim = &APR_ARRAY_IDX(dir->claims, i, core_claim_header_t);
        const char *value = find_claim(r->pool, who, claim->path);

        if (value) {
            tell(r, headers, claim->name, value);
        }
    }
}
