/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_principal.c: questions anybody may ask about who asked.
 */
#include "rr_principal.h"

const rr_identity_t *rr_principal_by_method(const rr_principal_t *who, const char *method)
{
    int i;

    for (i = 0; who && i < who->count; i++) {
        if (!strcmp(who->identities[i]->method, method)) {
            return who->identities[i];
        }
    }
    return NULL;
}

int rr_principal_proves(const void *who_, const rr_party_t *credential)
{
    const rr_principal_t *who = who_;
    int i;

    for (i = 0; who && credential && i < who->count; i++) {
        if (who->identities[i]->credential_id && !strcmp(who->identities[i]->credential_id, credential->id)) {
            return 1;
        }
    }
    return 0;
}

int rr_principal_has_scope(const rr_principal_t *who, const char *scope)
{
    int i;

    for (i = 0; who && i < who->scopes->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(who->scopes, i, const char *), scope)) {
            return 1;
        }
    }
    return 0;
}

const rr_json_t *const *rr_principal_tokens(const rr_principal_t *who, int *pcount, apr_pool_t *p)
{
    const rr_json_t **tokens = NULL;
    int i;

    *pcount = 0;
    for (i = 0; who && i < who->count; i++) {
        if (!strcmp(who->identities[i]->method, "jwt")) {
            tokens = tokens ? tokens : apr_palloc(p, (apr_size_t)who->count * sizeof(*tokens));
            tokens[(*pcount)++] = who->identities[i]->data;
        }
    }
    return tokens;
}
