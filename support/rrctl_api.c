/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rrctl_api.c: calls of the management API from rrctl: the code that httpd runs, by who has the database in hand.
 */
#include "rrctl_api.h"

#include "rrctl_store.h"

#include <apr_strings.h>

#include <string.h>

const rrctl_kind_t rrctl_kinds[] = {
    { "client", "clients", "clientName", { NULL } },
    { "credential", "credentials", "credentialName",
      { "credentialType", "credentialAuthType", "credentialActive", "credentialExpiresAt" } },
    { "target", "targets", "targetName", { "targetBaseURL", NULL } },
    { "proxy", "proxies", "proxyName", { "proxyAlias", "proxyActive", "proxyTargetId", NULL } },
    { "rule", "rules", "notes", { "effect", "methods", "path", NULL } },
    { "filter", "filters", "notes", { "methods", "requestPath", NULL } },
    { NULL }
};

const rrctl_kind_t *rrctl_kind(const char *noun)
{
    const rrctl_kind_t *kind;

    for (kind = rrctl_kinds; kind->noun && strcmp(kind->noun, noun); kind++) {
    }
    return kind;
}

apr_status_t rrctl_api_open(rr_api_t *api, rrctl_t *ctl, rr_err_t *err)
{
    rr_keyring_t *ring = NULL;
    rr_err_t why = RR_ERR_INIT;
    const char *source;

    memset(api, 0, sizeof(*api));
    api->actor.offline = 1;
    /* without a master key everything that seals nothing still works; what needs it says so */
    if (rrctl_master_key(&source, ctl, &why) == APR_SUCCESS &&
        rr_keyring_load(&ring, source, ctl->p, &why) == APR_SUCCESS) {
        api->ring = ring;
    }
    else {
        api->no_ring = apr_pstrdup(ctl->p, rr_err_text(&why));
    }
    return rrctl_store_open(&api->store, ctl, err);
}

apr_status_t rrctl_api_begin(rr_api_t *api, rrctl_t *ctl, rr_err_t *err)
{
    apr_status_t rv = rrctl_api_open(api, ctl, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    api->in_transaction = 1;
    rv = rr_store_begin(api->store, ctl->p, err);
    if (rv == APR_SUCCESS && api->ring) { /* read once for all calls; one that fails says so */
        rr_store_digester(&api->digester, api->store, api->ring, ctl->p, NULL);
    }
    if (rv != APR_SUCCESS) {
        rr_store_close(api->store);
    }
    return rv;
}

apr_status_t rrctl_api_call(const rr_json_t **panswer, rr_api_response_t *response, const rr_api_t *api,
                            const char *method, const char *path, const char *query, const char *body, apr_pool_t *p,
                            rr_err_t *err)
{
    rr_api_request_t request = { .method = method, .path = path, .query = query, .body = body,
                                 .len = body ? strlen(body) : 0 };
    const char *detail, *pointer;
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = rr_api_call(response, api, &request, p, &why);

    *panswer = NULL;
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, why.where, "%s", rr_err_text(&why));
    }
    rv = rr_json_parse(panswer, response->body, strlen(response->body), p, err);
    if (rv == APR_SUCCESS && response->status >= 400) {
        detail = rr_json_string(rr_json_member(*panswer, "detail"));
        pointer = rr_json_string(rr_json_member(*panswer, "pointer"));
        if (response->status == 404 && !pointer) { /* which one is not there is kept from the net, not from us */
            detail = rr_err_text(&why);
        }
        rv = rr_err_set(err, response->status == 404 ? APR_NOTFOUND : RR_EINVAL, pointer, "%s", detail ? detail : "refused");
        *panswer = NULL;
    }
    return rv;
}

const rr_json_t *rrctl_api_object(const rr_json_t *answer, const char *collection)
{
    return rr_json_element(rr_json_member(answer, collection), 0);
}

apr_status_t rrctl_api_all(apr_array_header_t **pobjects, const rr_api_t *api, const char *path,
                           const char *collection, apr_pool_t *p, rr_err_t *err)
{
    const char *query = "limit=1000", *next;
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_size_t i;
    apr_status_t rv;

    *pobjects = apr_array_make(p, 64, sizeof(const rr_json_t *));
    do {
        rv = rrctl_api_call(&answer, &response, api, "GET", path, query, NULL, p, err);
        for (i = 0; rv == APR_SUCCESS && i < rr_json_size(rr_json_member(answer, collection)); i++) {
            APR_ARRAY_PUSH(*pobjects, const rr_json_t *) = rr_json_element(rr_json_member(answer, collection), i);
        }
        next = rv == APR_SUCCESS ? rr_json_string(rr_json_member(answer, "nextCursor")) : NULL;
        query = next ? apr_pstrcat(p, "limit=1000&cursor=", next, NULL) : NULL;
    } while (next);
    return rv;
}
