/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_gate.c: where mod_proxy asks: which worker, whether to send, what headers.
 *
 * Nothing leaves a section that owes a credential unless it was resolved, goes
 * by http, https, ws or wss, and the other end is what it should be: an address
 * that is allowed, a certificate that verifies. mod_ssl verifies nothing unless
 * told to, so the handshake's result is looked at here.
 *
 * Threads: mod_proxy sends a request in one thread from scheme_handler to
 *          request_status. Connection hooks know no request: they find it in
 *          the thread-local `sending`.
 */
#include "inject.h"

#include <http_connection.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include <apr_cstr.h>
#include <apr_hooks.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>

#include <dlfcn.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define UNVERIFIED "RR_INJECT_UNVERIFIED"
#define NOT_SENT "The gateway cannot reach this target safely."

static __thread request_rec *sending; /* NULL: nothing of ours */
static const apr_array_header_t *source_parameters; /* of all sections; written once, in check_config */

void inject_gate_start(apr_pool_t *pconf)
{
    source_parameters = rr_glue_source_parameters(pconf);
}

static int is_resolved(request_rec *r, const inject_request_t *own)
{
    return own && own->resolved_for == r->per_dir_config;
}

/* Notes why nothing may be sent; the request's status follows from it. */
static int stop_sending(const char *why)
{
    inject_request_t *own = inject_request(sending);

    own->refused = why;
    RR_LOG_R(APLOG_ERR, 0, sending, 10610, "nothing was sent: %s", why);
    return HTTP_BAD_GATEWAY;
}

/* ---- mod_proxy's hooks ---- */

/*
 * Whether pair, NAME or NAME=VALUE of len bytes, has one of those names (const char *) once its percent-codes are read:
 * once, as where credentials are read (rr_source.c). A name with a bad code is nobody's there, and here what it is.
 */
static int is_named(apr_pool_t *p, const char *pair, apr_size_t len, const apr_array_header_t *names)
{
    const char *equals = memchr(pair, '=', len);
    apr_size_t name_len = equals ? (apr_size_t)(equals - pair) : len;
    char *name = apr_pstrmemdup(p, pair, name_len);
    int i;

    if (ap_unescape_url_keep2f(name, 1) != OK) {
        name = apr_pstrmemdup(p, pair, name_len);
    }
    for (i = 0; i < names->nelts; i++) {
        if (!strcmp(name, APR_ARRAY_IDX(names, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

/* url without the parameters of those names; add, NAME=VALUE or NULL, stands behind what is left. */
static char *change_query(apr_pool_t *p, char *url, const apr_array_header_t *names, const char *add)
{
    apr_size_t path = strcspn(url, "?");
    const char *from = url[path] ? url + path + 1 : "";
    char *all = apr_palloc(p, strlen(url) + (add ? strlen(add) : 0) + 3), *to = all + path;
    int found = 0;

    memcpy(all, url, path);
    *to++ = '?';
    while (*from) {
        apr_size_t pair = strcspn(from, "&"), end = pair + (from[pair] == '&');

        if (is_named(p, from, pair, names)) {
            found = 1;
        }
        else {
            memcpy(to, from, pair);
            to += pair;
            *to++ = '&';
        }
        from += end;
    }
    if (add) {
        memcpy(to, add, strlen(add));
        to += strlen(add);
    }
    else {
        to--; /* the last '&', or the '?' */
    }
    *to = '\0';
    return found || add ? all : url;
}

/*
 * A stored target is a stranger to everybody's credentials, as for headers (inject_apply.c); and where it takes its
 * own from the query, it might take what the caller gave under that name.
 */
static char *fix_query(request_rec *r, const inject_request_t *own, char *url)
{
    const char *add = own->parts ? own->parts->query : NULL;
    apr_array_header_t *names;
    int i;

    if (!add && (!own->proxy || !strchr(url, '?'))) {
        return url;
    }
    names = own->proxy ? apr_array_copy(r->pool, source_parameters) : apr_array_make(r->pool, 1, sizeof(const char *));
    for (i = 0; own->proxy && i < own->proxy->credentials->nelts; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(own->proxy->credentials, i, const rr_party_t *);

        if (party && party->query) {
            APR_ARRAY_PUSH(names, const char *) = party->query;
        }
    }
    if (add) {
        char *name = apr_pstrmemdup(r->pool, add, strcspn(add, "="));

        ap_unescape_url_keep2f(name, 1);
        APR_ARRAY_PUSH(names, const char *) = name;
    }
    return change_query(r->pool, url, names, add);
}

static int choose_worker(proxy_worker **worker, proxy_balancer **balancer, request_rec *r, proxy_server_conf *conf,
                         char **url)
{
    const inject_request_t *own = inject_request_peek(r);

    (void)conf;
    if (!inject_owes(r) || !is_resolved(r, own)) {
        return DECLINED; /* the gate refuses what is owed */
    }
    *url = fix_query(r, own, *url);
    if (!own->worker) {
        return DECLINED;
    }
    *worker = own->worker->worker;
    *balancer = NULL;
    return OK;
}

static int is_scheme(const char *url)
{
    static const char *const schemes[] = { "http://", "https://", "ws://", "wss://", NULL };
    int i;

    for (i = 0; schemes[i]; i++) {
        if (!apr_cstr_casecmpn(url, schemes[i], strlen(schemes[i]))) {
            return 1;
        }
    }
    return 0;
}

/* Whether a bound credential of the operator's own proxy may go where url leads. */
static int is_bound_to_url(request_rec *r, const rr_party_t *party, const char *url)
{
    const char *scheme = apr_cstr_casecmpn(url, "https", 5) && apr_cstr_casecmpn(url, "wss", 3) ? "http" : "https";
    const char *host = strstr(url, "://") + 3, *origin, *port;
    apr_size_t len = strcspn(host, "/?#"), i;

    origin = apr_pstrmemdup(r->pool, host, len);
    port = strcmp(scheme, "http") ? ":443" : ":80";
    if (len > strlen(port) && !strcmp(origin + len - strlen(port), port)) {
        origin = apr_pstrmemdup(r->pool, origin, len - strlen(port));
    }
    origin = apr_pstrcat(r->pool, scheme, "://", origin, NULL);
    for (i = 0; i < rr_json_size(party->origins); i++) {
        const char *one = rr_json_string(rr_json_element(party->origins, i));

        if (one && !apr_cstr_casecmp(one, origin)) {
            return 1;
        }
    }
    return party->origins == NULL;
}

/* NULL: r may be sent; else why not. */
static const char *find_fault(request_rec *r, const inject_request_t *own, const proxy_worker *worker, const char *url,
                              const char *proxyname)
{
    if (!is_resolved(r, own)) {
        return "its target was not resolved for this section";
    }
    if (!is_scheme(url)) {
        return "it would go by another scheme than http, https, ws or wss";
    }
    if (own->proxy && (!own->worker || worker != own->worker->worker)) {
        return "it would go by a worker that is not its target's";
    }
    if (own->proxy && proxyname) {
        return "it would go through a ProxyRemote, where its target's address cannot be judged (see NoProxy)";
    }
    if (!own->proxy && own->party && !is_bound_to_url(r, own->party, url)) {
        return "its credential is not bound to the backend's origin";
    }
    return NULL;
}

/*
 * What the target says while it works on a request goes by mod_proxy straight to the client, nothing of ours sees
 * it: so none of it does (inject_apply.c), and a client that waits for leave to send its body has it from us.
 */
static void answer_expectation(request_rec *r, const inject_request_t *own)
{
    int status = r->status;

    if (own->parts && r->expecting_100) {
        r->status = HTTP_CONTINUE;
        ap_send_interim_response(r, 0);
        r->status = status;
    }
}

static int stand_gate(request_rec *r, proxy_worker *worker, proxy_server_conf *conf, char *url, const char *proxyname,
                      apr_port_t proxyport)
{
    const char *fault;

    (void)conf, (void)proxyport;
    if (sending && sending != r) {
        inject_request(r)->outer = sending;
    }
    sending = inject_owes(r) ? r : NULL;
    if (!sending) {
        return DECLINED;
    }
    fault = find_fault(r, inject_request_peek(r), worker, url, proxyname);
    if (fault) {
        return stop_sending(fault);
    }
    inject_request(r)->sent = 1;
    answer_expectation(r, inject_request(r));
    return DECLINED;
}

static int fix_headers(request_rec *r)
{
    const inject_request_t *own = inject_request_peek(r);

    if (inject_owes(r) && is_resolved(r, own)) {
        inject_apply(r, own);
    }
    return DECLINED;
}

/* What mod_proxy says of it, in words; and the end of this thread's sending. */
static int end_sending(int *status, request_rec *r)
{
    inject_request_t *own = inject_request_peek(r);

    sending = own ? own->outer : NULL;
    if (!own || !inject_owes(r) || *status < HTTP_BAD_REQUEST) {
        return DECLINED;
    }
    own->failed = 1;
    if (own->refused) {
        *status = inject_core->refuse(r, HTTP_BAD_GATEWAY, NOT_SENT);
    }
    else if (*status == HTTP_GATEWAY_TIME_OUT || apr_table_get(r->notes, "proxy_timedout")) {
        *status = inject_core->refuse(r, HTTP_GATEWAY_TIME_OUT, "The target did not answer in time.");
    }
    else if (*status == HTTP_SERVICE_UNAVAILABLE || *status == HTTP_BAD_GATEWAY || *status == HTTP_INTERNAL_SERVER_ERROR) {
        *status = inject_core->refuse(r, HTTP_BAD_GATEWAY, "The target could not be reached, or did not answer properly.");
    }
    return OK;
}

/* ---- the other end ---- */

static int judge_connection(conn_rec *c, void *socket)
{
    const inject_request_t *own = sending ? inject_request_peek(sending) : NULL;
    rr_err_t err = RR_ERR_INIT;

    (void)socket;
    if (!own || !own->proxy || !own->worker) {
        return DECLINED;
    }
    if (!c->client_addr
        || inject_core->target_judge(inject_core->target_allow(sending), (const struct sockaddr *)&c->client_addr->sa,
                                     own->worker->clear, &err) != APR_SUCCESS) {
        return stop_sending(apr_psprintf(sending->pool, "the target's address is not allowed: %s", rr_err_text(&err)));
    }
    return DECLINED;
}

/* NULL: the certificate verifies and is that host's; else what is wrong with it. */
static const char *find_flaw(conn_rec *c, SSL *ssl)
{
    const char *host = apr_table_get(c->notes, "proxy-request-hostname");
    long verified = SSL_get_verify_result(ssl);
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    const char *flaw = NULL;

    if (!certificate) {
        flaw = "the target showed no certificate";
    }
    else if (verified != X509_V_OK) {
        flaw = apr_psprintf(c->pool, "the target's certificate does not verify: %s (SSLProxyCACertificateFile)",
                            X509_verify_cert_error_string(verified));
    }
    else if (!host || (X509_check_host(certificate, host, 0, 0, NULL) != 1
                       && X509_check_ip_asc(certificate, host, 0) != 1)) {
        flaw = "the target's certificate is another host's";
    }
    X509_free(certificate);
    return flaw;
}

/* mod_ssl's optional hook; its header is not shipped everywhere. */
static int judge_handshake(conn_rec *c, SSL *ssl)
{
    const char *flaw = find_flaw(c, ssl);

    if (!flaw) {
        return DECLINED;
    }
    if (sending) {
        return stop_sending(flaw);
    }
    ap_add_output_filter(UNVERIFIED, NULL, NULL, c);
    return DECLINED;
}

/* On connections of the operator's own workers that others made, unverified, and that stay in their pool. */
static apr_status_t hold_back(ap_filter_t *f, apr_bucket_brigade *bb)
{
    if (sending) {
        stop_sending("the connection at hand was made without verifying the certificate");
        apr_brigade_cleanup(bb);
        return APR_ECONNABORTED;
    }
    return ap_pass_brigade(f->next, bb);
}

/* ---- registration ---- */

void inject_gate_hook(void)
{
    static const char *const behind_core[] = { "mod_rr_core.c", NULL };

    ap_register_output_filter(UNVERIFIED, hold_back, NULL, AP_FTYPE_CONNECTION);
    ap_hook_pre_connection(judge_connection, NULL, NULL, APR_HOOK_FIRST);
    APR_OPTIONAL_HOOK(proxy, fixups, fix_headers, behind_core, NULL, APR_HOOK_REALLY_FIRST);
    APR_OPTIONAL_HOOK(proxy, request_status, end_sending, NULL, NULL, APR_HOOK_REALLY_FIRST);
    apr_optional_hook_add("proxy_post_handshake", (void (*)(void))judge_handshake, NULL, NULL, APR_HOOK_LAST);
}

/* These two are no optional hooks: found like mod_proxy's other functions, see inject_worker.c. */
void inject_gate_hook_late(void)
{
    static const char *const behind_core[] = { "mod_rr_core.c", NULL };
    static const char *const before_balancer[] = { "mod_proxy_balancer.c", NULL };
    void (*pre_request)(proxy_HOOK_pre_request_t *, const char *const *, const char *const *, int);
    void (*scheme_handler)(proxy_HOOK_scheme_handler_t *, const char *const *, const char *const *, int);

    *(void **)&pre_request = dlsym(RTLD_DEFAULT, "proxy_hook_pre_request");
    *(void **)&scheme_handler = dlsym(RTLD_DEFAULT, "proxy_hook_scheme_handler");
    if (pre_request && scheme_handler) {
        pre_request(choose_worker, behind_core, before_balancer, APR_HOOK_FIRST);
        scheme_handler(stand_gate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    }
}
