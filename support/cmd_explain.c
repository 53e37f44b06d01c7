/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_explain.c: rrctl explain: one request, the scopes whose rules judge it,
 * each rule's answer, the verdict.
 *
 * Rules come from a file, or from the store: then as the server has them, for
 * the caller that the options describe (cmd_explain_caller.c).
 */
#include "cmd_explain.h"
#include "cmd_rule.h"
#include "rrctl_store.h"

#include <apr_strings.h>

#include <string.h>

typedef struct explain_t {
    request_t request;
    caller_t caller;
    const char *rules, *proxy, *body_file;
    rr_effect_e effect;
    rr_scopes_mode_e mode;
    rr_scope_t scopes[RR_MAX_RULE_SCOPES];
    int count;
    const char *refusal; /* why the proxy does not even ask its rules; NULL: it does */
} explain_t;

/* ---- printing ---- */

typedef struct printing_t {
    rrctl_t *ctl;
    const rr_scope_t *scope; /* whose rules are printed now */
} printing_t;

static void print_test(void *baton, const rr_scope_t *scope, const rr_rule_t *rule, rr_match_e outcome,
                       const char *part)
{
    const printing_t *printing = baton;

    if (scope != printing->scope) {
        return;
    }
    fprintf(printing->ctl->out, "  %-20s %-5s %s%s\n", rr_rule_id(rule),
            rr_rule_effect(rule) == RR_EFFECT_DENY ? "deny" : "allow",
            outcome == RR_MATCH_YES  ? "matched"
            : outcome == RR_MATCH_NO ? "no match: "
                                     : "could not be decided: ",
            part ? part : "");
}

static int print_header(void *baton, const char *name, const char *value)
{
    fprintf(baton, "header    %s: %s\n", name, value);
    return 1;
}

static void print_facts(rrctl_t *ctl, const judged_t *judged, const request_t *request, const caller_t *caller)
{
    int i;

    fprintf(ctl->out, "method    %s\n", request->method);
    for (i = 0; judged->facts.overrides && i < judged->facts.overrides->nelts; i++) {
        fprintf(ctl->out, "or        %s\n", APR_ARRAY_IDX(judged->facts.overrides, i, const char *));
    }
    fprintf(ctl->out, "path      %s\n", judged->path);
    if (judged->facts.args) {
        fprintf(ctl->out, "query     %s\n", judged->facts.args);
    }
    apr_table_do(print_header, ctl->out, request->headers, NULL);
    if (request->has_claims) {
        fprintf(ctl->out, "claims    %s\nknown     %s\n", rr_json_print(ctl->p, request->claims[0]), caller->known);
    }
}

/* Each scope with each of its rules, also those that the index would have spared. */
static void print_scopes(rrctl_t *ctl, const explain_t *explain)
{
    static const char *const words[] = {
        [RR_EFFECT_UNSET] = "allow unless a rule denies", [RR_EFFECT_DENY] = "deny", [RR_EFFECT_ALLOW] = "allow"
    };
    printing_t printing = { ctl };
    const rr_rule_watch_t watch = { print_test, &printing };
    judged_t judged;
    int i;

    for (i = 0; i < explain->count; i++) {
        const rr_scope_t *scope = &explain->scopes[i];

        fprintf(ctl->out, "scope     %s, default %s%s\n", scope->name, words[scope->effect],
                scope->rules ? "" : ", no rules");
        if (scope->rules) {
            printing.scope = scope;
            rule_judge(&judged, &explain->request, explain->scopes, explain->count, explain->mode, &watch, ctl->p);
        }
    }
}

static int print_verdict(rrctl_t *ctl, const judged_t *judged, const char *refusal)
{
    const rr_verdict_t *verdict = &judged->verdict;
    const int allowed = verdict->allowed && !refusal;
    const char *by = refusal ? "admission" : rule_verdict_name(judged, ctl->p), *why = refusal ? refusal : verdict->doubt;

    if (ctl->json) {
        fprintf(ctl->out, "{\"allowed\":%s,\"by\":%s}\n", allowed ? "true" : "false",
                rr_json_quote(ctl->p, by, RR_MAX_NOTES));
    } else {
        fprintf(ctl->out, "%s by %s%s%s\n", allowed ? "allowed" : "denied", by, why ? ": " : "", why ? why : "");
    }
    return allowed ? RRCTL_OK : RRCTL_FAILED;
}

/* ---- the store ---- */

static const char *refusal_of(const caller_t *caller, const rr_proxy_t *proxy)
{
    const int is_open = rr_proxy_is_open(proxy);

    if (caller->refused) {
        return caller->refused;
    }
    if (!proxy->active) {
        return "the proxy is not active";
    }
    if (!(is_open && caller->allow_none) && !rr_proxy_admits(proxy, caller_proves, caller)) {
        return is_open ? "no credential of the proxy was given; nobody needs one where RRProxyAllowNone is On: --allow-none"
               : !caller->proved[0] && !caller->proved[1] ? "no credential of the proxy was given"
               : proxy->all ? "each credential of the proxy is needed"
                            : "the credential is not the proxy's";
    }
    return proxy->closed;
}

/* The proxy as the server would find it, or by its bare name. */
static const rr_proxy_t *find_proxy(const rr_snapshot_t *snapshot, rrctl_t *ctl, const char *name)
{
    const rr_proxy_t *proxy = rr_snapshot_proxy(snapshot, name);

    return proxy ? proxy : rr_snapshot_proxy(snapshot, apr_pstrcat(ctl->p, ctl->client, "/", name, NULL));
}

static int scopes_of_store(rrctl_t *ctl, explain_t *explain)
{
    const rr_snapshot_t *snapshot;
    const rr_proxy_t *proxy;
    rr_err_t err = RR_ERR_INIT;
    rr_keyring_t *ring;
    rr_store_t *store;
    const char *source;
    apr_status_t rv;

    if (rrctl_master_key(&source, ctl, &err) != APR_SUCCESS ||
        rr_keyring_load(&ring, source, ctl->p, &err) != APR_SUCCESS ||
        rrctl_store_open(&store, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rr_snapshot_read(&snapshot, NULL, store, ring, ctl->p, ctl->p, &err);
    proxy = rv == APR_SUCCESS ? find_proxy(snapshot, ctl, explain->proxy) : NULL;
    if (proxy) {
        rv = caller_find(&explain->caller, ctl, proxy, store, ring, &err);
    }
    rr_store_close(store);
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (!proxy) {
        return rrctl_fail(ctl, "there is no proxy %s: an id, an alias, CLIENT/NAME, or a name of --client", explain->proxy);
    }
    explain->count = rr_scopes_add_proxy(explain->scopes, 0, proxy, caller_proves, &explain->caller);
    explain->refusal = refusal_of(&explain->caller, proxy);
    return RRCTL_OK;
}

static int scopes_of_file(rrctl_t *ctl, explain_t *explain)
{
    const rr_ruleset_t *rules;
    rr_err_t err = RR_ERR_INIT;

    if (caller_find(&explain->caller, ctl, NULL, NULL, NULL, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (!(rules = rule_load(ctl, explain->rules))) {
        return RRCTL_FAILED;
    }
    explain->count = rr_scopes_add(explain->scopes, 0, RR_SCOPE_PROXY, "location", rules,
                                   explain->effect == RR_EFFECT_ALLOW ? RR_EFFECT_ALLOW : RR_EFFECT_DENY);
    explain->refusal = explain->caller.refused;
    return RRCTL_OK;
}

/* ---- the command ---- */

static int add_header(rrctl_t *ctl, request_t *request, const char *line)
{
    const char *colon = strchr(line, ':');

    if (!colon || colon == line) {
        return rrctl_usage(ctl, "-H needs 'NAME: VALUE', not '%s'", line);
    }
    apr_table_mergen(request->headers, apr_pstrmemdup(ctl->p, line, colon - line),
                     colon + 1 + strspn(colon + 1, " \t"));
    return RRCTL_OK;
}

static int read_options(rrctl_t *ctl, explain_t *explain, int argc, const char *const *argv)
{
    static const apr_getopt_option_t known[] = {
        { "rules", 'r', 1, NULL }, { "proxy", 'P', 1, NULL }, { NULL, 'H', 1, NULL },       { "key", 'k', 1, NULL },
        { "token", 't', 1, NULL }, { "claims", 'c', 1, NULL }, { "body", 'b', 1, NULL },    { "default", 'd', 1, NULL },
        { "mount", 'm', 1, NULL }, { "lenient", 'l', 0, NULL }, { "independent", 'i', 0, NULL },
        { "jwks", 'j', 1, NULL },  { "issuer", 'I', 1, NULL }, { "audience", 'A', 1, NULL },
        { "allow-none", 'n', 0, NULL }, { NULL, 0, 0, NULL }
    };
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    apr_status_t rv;
    const char *value;
    int option, code = RRCTL_OK;

    while (code == RRCTL_OK && (rv = apr_getopt_long(options, known, &option, &value)) != APR_EOF) {
        if (rv != APR_SUCCESS) {
            return rrctl_usage(ctl, "an option is unknown or lacks its value");
        }
        switch (option) {
        case 'r': explain->rules = value; break;
        case 'P': explain->proxy = value; break;
        case 'k': explain->caller.key = value; break;
        case 'H': code = add_header(ctl, &explain->request, value); break;
        case 't': explain->caller.token = value; break;
        case 'c': explain->caller.claims = value; break;
        case 'b': explain->body_file = value; break;
        case 'd': code = rule_effect(ctl, &explain->effect, value); break;
        case 'm': explain->request.mount = value; break;
        case 'l': explain->request.path_mode = RR_PATH_LENIENT; break;
        case 'i': explain->mode = RR_SCOPES_INDEPENDENT; break;
        case 'j': explain->caller.jwks = value; break;
        case 'I': explain->caller.issuer = value; break;
        case 'A': APR_ARRAY_PUSH(explain->caller.audiences, const char *) = value; break;
        case 'n': explain->caller.allow_none = 1; break;
        }
    }
    if (code != RRCTL_OK) {
        return code;
    }
    if (!explain->rules == !explain->proxy || options->argc - options->ind != 2 ||
        (explain->caller.token && explain->caller.claims)) {
        return rrctl_usage(ctl, "needs one of --proxy P and --rules FILE, a method, a target, and at most one of "
                                "--token and --claims");
    }
    if (explain->proxy ? explain->effect != RR_EFFECT_UNSET
                       : explain->caller.key || explain->caller.allow_none || explain->mode == RR_SCOPES_INDEPENDENT) {
        return rrctl_usage(ctl, "--default is for --rules, --key, --allow-none and --independent are for --proxy");
    }
    if (!explain->caller.token && (explain->caller.jwks || explain->caller.issuer || explain->caller.audiences->nelts)) {
        return rrctl_usage(ctl, "--jwks, --issuer and --audience are for --token");
    }
    if (!explain->caller.audiences->nelts) {
        explain->caller.audiences = NULL;
    }
    explain->request.method = options->argv[options->ind];
    explain->request.target = options->argv[options->ind + 1];
    return RRCTL_OK;
}

int cmd_explain(rrctl_t *ctl, int argc, const char *const *argv)
{
    explain_t explain = { { NULL } };
    rr_err_t err = RR_ERR_INIT;
    judged_t judged;
    apr_size_t len;
    int code;

    explain.request.headers = apr_table_make(ctl->p, 8);
    explain.caller.audiences = apr_array_make(ctl->p, 2, sizeof(const char *));
    if ((code = read_options(ctl, &explain, argc, argv)) != RRCTL_OK) {
        return code;
    }
    if (explain.body_file &&
        rrctl_read(&explain.request.body, &len, ctl, explain.body_file, RR_MAX_RULE_FILE, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if ((code = explain.proxy ? scopes_of_store(ctl, &explain) : scopes_of_file(ctl, &explain)) != RRCTL_OK) {
        return code;
    }
    explain.request.claims[0] = explain.caller.data;
    explain.request.has_claims = explain.caller.data != NULL;
    rule_judge(&judged, &explain.request, explain.scopes, explain.count, explain.mode, NULL, ctl->p);
    if (judged.path && !ctl->json) {
        print_facts(ctl, &judged, &explain.request, &explain.caller);
        print_scopes(ctl, &explain);
    }
    return print_verdict(ctl, &judged, explain.refusal);
}
