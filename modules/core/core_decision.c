/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_decision.c: which decision counts for a request.
 *
 * httpd skips authentication *and* authorization for an internal redirect or
 * subrequest whose per_dir_config is that of the request it came from, even if
 * that one was refused. So a decision is inherited only from a request that is
 * marked admitted, and carries the configuration it was made for:
 * ap_internal_fast_redirect exchanges that late.
 */
#include "core.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_cstr.h>

core_request_t *core_request_make(request_rec *r)
{
    core_request_t *own = apr_pcalloc(r->pool, sizeof(*own));

    ap_set_module_config(r->request_config, &rr_core_module, own);
    return own;
}

request_rec *core_root(request_rec *r)
{
    while (r->prev || r->main) {
        r = r->prev ? r->prev : r->main;
    }
    return r;
}

int core_ask_ours(request_rec *r)
{
    const char *type = ap_auth_type(r);

    if (!type || apr_cstr_casecmp(type, CORE_AUTH_TYPE)) {
        return 0;
    }
    core_request(r)->ours_under = r->per_dir_config;
    return 1;
}

/* The request httpd copies authorization from instead of judging r, or NULL. */
static request_rec *skipped_for(request_rec *r)
{
    if (r->prev && r->prev->per_dir_config == r->per_dir_config) {
        return r->prev;
    }
    if (r->main && r->main->per_dir_config == r->per_dir_config) {
        return r->main;
    }
    return NULL;
}

core_decision_t *core_decision(request_rec *r)
{
    core_request_t *own = core_request_peek(r);
    int inherited = 0;

    if (own && own->judging && own->decision.made_for) {
        return &own->decision; /* an <AuthzProviderAlias> asks under a configuration of its own */
    }
    while (!own || own->decision.made_for != r->per_dir_config) {
        r = skipped_for(r); /* ends: each step goes back to an earlier request */
        if (!r) {
            return NULL;
        }
        own = core_request_peek(r);
        inherited = 1;
    }
    return inherited && !own->decision.admitted ? NULL : &own->decision;
}

void core_admit(request_rec *r)
{
    core_request_t *own = core_request_peek(r);

    if (own && own->decision.made_for == r->per_dir_config && own->decision.status == OK) {
        own->decision.admitted = 1;
    }
}

/*
 * httpd let r pass on the strength of a request that was refused. Only the
 * page of an ErrorDocument may go on: as nobody, locally, with the refusal's status.
 */
static int refuse_skipped(request_rec *r)
{
    r->user = NULL;
    r->ap_auth_type = NULL;
    if (!rr_glue_is_error_document(r)) {
        return core_refuse(r, HTTP_FORBIDDEN, NULL);
    }
    if (rr_glue_is_forwarded(r)) {
        RR_LOG_R(APLOG_INFO, 0, r, 10120, "the ErrorDocument of a refused request is not forwarded: %s", r->uri);
        return r->prev->status;
    }
    return OK;
}

int core_decide_late(request_rec *r)
{
    const core_decision_t *decision = core_decision(r);
    core_request_t *own;

    if (!decision && skipped_for(r)) {
        return refuse_skipped(r);
    }
    if (!decision) {
        /* Satisfy Any asked nobody; a fast redirect has exchanged the configuration of a request that httpd admitted. */
        own = core_request(r);
        if (own->decision.made_for && !own->decision.admitted) {
            return core_refuse(r, HTTP_FORBIDDEN, NULL);
        }
        decision = core_authenticate(r);
        if (decision->status != OK) {
            return core_refuse_decided(r, decision);
        }
        own->decision.admitted = 1;
    }
    r->user = decision->principal ? (char *)decision->principal->sub : NULL;
    return OK;
}
