/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_resolve.c: everything that is needed to forward, found before anything
 * is sent; the one place that refuses.
 *
 * Result:  OK with worker and credential at hand, or a refusal: 502 where the
 *          target cannot or must not be reached, 503 where the credential cannot
 *          be had now. Never a request without the credential it owes.
 */
#include "inject.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#define NO_TARGET "The gateway cannot reach this target."
#define NO_CREDENTIAL "The gateway has no credential for this target at the moment."

int inject_owes(request_rec *r)
{
    const inject_request_t *own = inject_request_peek(r);
    const inject_dir_t *dir;

    if (own && own->resolved_for == r->per_dir_config) {
        return 1;
    }
    dir = inject_dir(r);
    return dir->credential || dir->token_header || inject_core->route_get(r);
}

static const char *name_of(request_rec *r, const rr_party_t *party)
{
    return apr_pstrcat(r->pool, party->client, "/", party->name, NULL);
}

/* Whether a credential that is bound may go to origin. */
static int is_bound_to(const rr_party_t *party, const char *origin)
{
    apr_size_t i;

    for (i = 0; i < rr_json_size(party->origins); i++) {
        const char *one = rr_json_string(rr_json_element(party->origins, i));

        if (one && !strcmp(one, origin)) {
            return 1;
        }
    }
    return party->origins == NULL;
}

/* mod_proxy would answer these itself, or send them on with the credential. */
static int refuse_method(request_rec *r)
{
    const char *forwards = apr_table_get(r->headers_in, "Max-Forwards");

    if (r->method_number == M_TRACE) {
        ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, M_POST, M_PUT, M_DELETE, M_PATCH, M_OPTIONS, -1);
        return inject_core->refuse(r, HTTP_METHOD_NOT_ALLOWED, "TRACE is not forwarded.");
    }
    if (forwards && apr_strtoi64(forwards, NULL, 10) <= 0) {
        return inject_core->refuse(r, HTTP_BAD_REQUEST, "Max-Forwards has reached zero.");
    }
    return OK;
}

static int find_credential(request_rec *r, inject_request_t *own)
{
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;

    if (!own->party) {
        return OK;
    }
    rv = inject_credential_parts(&own->parts, r, own->party, &err);
    if (rv != APR_SUCCESS) {
        RR_LOG_R(APLOG_ERR, 0, r, 10601, "target credential %s cannot be used: %s", name_of(r, own->party),
                 rr_err_text(&err));
        if (rv == RR_EUNAVAIL) {
            apr_table_setn(r->err_headers_out, "Retry-After", "5");
        }
        return inject_core->refuse(r, HTTP_SERVICE_UNAVAILABLE, NO_CREDENTIAL);
    }
    return OK;
}

static int find_target(request_rec *r, inject_request_t *own, const rr_target_t *target)
{
    rr_err_t err = RR_ERR_INIT;

    if (inject_worker_get(&own->worker, r, target, &err) != APR_SUCCESS
        || inject_worker_judge(own->worker, r, &err) != APR_SUCCESS) {
        own->worker = NULL;
        RR_LOG_R(APLOG_ERR, 0, r, 10602, "target %s/%s: %s", target->client, target->name, rr_err_text(&err));
        return inject_core->refuse(r, HTTP_BAD_GATEWAY, NO_TARGET);
    }
    if (own->party && !is_bound_to(own->party, own->worker->origin)) {
        RR_LOG_R(APLOG_ERR, 0, r, 10603, "target %s/%s: the credential %s is not bound to %s", target->client,
                 target->name, name_of(r, own->party), own->worker->origin);
        return inject_core->refuse(r, HTTP_BAD_GATEWAY, NO_TARGET);
    }
    return OK;
}

static int resolve_route(request_rec *r, inject_request_t *own, const rr_route_t *route)
{
    int status;

    /* core has refused whatever is not admitted, unknown or closed: what is left is forwarded or nothing is. */
    if (!route->proxy || !own->filename || !r->filename || strcmp(r->filename, own->filename)) {
        RR_LOG_R(APLOG_ERR, 0, r, 10604, "the request is not on its way to the Location's stored target");
        return inject_core->refuse(r, HTTP_BAD_GATEWAY, NULL);
    }
    own->proxy = route->proxy;
    own->party = route->proxy->target_credential;
    status = find_target(r, own, route->proxy->target);
    return status == OK ? find_credential(r, own) : status;
}

static int resolve_own(request_rec *r, inject_request_t *own, const char *name)
{
    rr_err_t err = RR_ERR_INIT;
    const rr_snapshot_t *snapshot = inject_core->snapshot_get(r, &err);

    if (!snapshot) {
        return inject_core->refuse(r, HTTP_SERVICE_UNAVAILABLE, NO_CREDENTIAL);
    }
    own->party = rr_snapshot_target_credential(snapshot, name);
    if (!own->party) {
        RR_LOG_R(APLOG_ERR, 0, r, 10605, "RRTargetCredential %s: there is no such target credential", name);
        return inject_core->refuse(r, HTTP_SERVICE_UNAVAILABLE, NO_CREDENTIAL);
    }
    return find_credential(r, own);
}

static int make_backend_token(request_rec *r, inject_request_t *own, const inject_dir_t *dir)
{
    const rr_principal_t *who = inject_core->principal_get(r);
    rr_err_t err = RR_ERR_INIT;

    own->backend_token = NULL;
    if (dir->token_header && who && inject_backend_token(&own->backend_token, r, who, &err) != APR_SUCCESS) {
        RR_LOG_R(APLOG_ERR, 0, r, 10613, "no token for the backend: %s", rr_err_text(&err));
        return inject_core->refuse(r, HTTP_SERVICE_UNAVAILABLE, NO_CREDENTIAL);
    }
    return OK;
}

/* Whether r will leave this server; with SetHandler proxy: that shows in the handler alone. */
static int leaves(request_rec *r)
{
    return r->proxyreq != PROXYREQ_NONE || (r->filename && !strncmp(r->filename, "proxy:", 6))
           || (r->handler && (!strcmp(r->handler, "proxy-server") || !strncmp(r->handler, "proxy:", 6)));
}

/* The error that r is the page of, or OK; a page may be redirected further. */
static int error_behind(request_rec *r)
{
    for (r = r->prev; r; r = r->prev) {
        if (ap_is_HTTP_ERROR(r->status)) {
            return r->status;
        }
    }
    return OK;
}

int inject_resolve(request_rec *r)
{
    const inject_dir_t *dir = inject_dir(r);
    const rr_route_t *route = inject_core->route_get(r);
    inject_request_t *own;
    int status;

    if (!route && ((!dir->credential && !dir->token_header) || !leaves(r))) {
        return DECLINED;
    }
    status = error_behind(r);
    if (status != OK) {
        RR_LOG_R(APLOG_INFO, 0, r, 10606, "an ErrorDocument is not fetched with a target's credential: %s", r->uri);
        return status;
    }
    if (!inject_core->principal_get(r) && !(route && route->open)) {
        RR_LOG_R(APLOG_INFO, 0, r, 10607, "nobody is authenticated: no credential is injected");
        return inject_core->refuse(r, HTTP_FORBIDDEN, "Only an authenticated caller is forwarded to this target.");
    }
    if (!inject_worker_is_bound()) {
        RR_LOG_R(APLOG_ERR, 0, r, 10600, "forwarding needs mod_proxy: add \"LoadModule proxy_module .../mod_proxy.so\" and "
                 "\"LoadModule proxy_http_module .../mod_proxy_http.so\"");
        return inject_core->refuse(r, HTTP_BAD_GATEWAY, NO_TARGET);
    }
    status = refuse_method(r);
    if (status != OK) {
        return status;
    }
    own = inject_request(r);
    own->resolved_for = NULL;
    own->parts = NULL;
    status = route ? resolve_route(r, own, route) : dir->credential ? resolve_own(r, own, dir->credential) : OK;
    if (status == OK) {
        status = make_backend_token(r, own, dir);
    }
    if (status == OK) {
        own->resolved_for = r->per_dir_config;
    }
    return status == OK ? DECLINED : status;
}

int inject_resolve_late(request_rec *r)
{
    const inject_request_t *own = inject_request_peek(r);

    return own && own->resolved_for == r->per_dir_config ? DECLINED : inject_resolve(r);
}
