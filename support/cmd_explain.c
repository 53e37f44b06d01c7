/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_explain.c: rrctl explain: one request, the scopes whose rules judge it,
 * each rule's answer, the verdict.
 *
 * Rules come from a file, or from the store: then as the server has them, for
 * the caller that the options describe. A token is not verified: explain says
 * what rules make of it once it is.
 */
#include "cmd_rule.h"

#include "rr_jose.h"
#include "rr_snapshot.h"
#include "rrctl_store.h"

#include <apr_strings.h>

#include <string.h>

typedef struct explain_t {
    request_t request;
    const char *rules, *proxy, *key, *token, *claims, *body_file;
    rr_effect_e effect;
    rr_scopes_mode_e mode;
    rr_scope_t scopes[RR_MAX_RULE_SCOPES];
    int count;
    const char *refusal;       /* why the proxy does not even ask its rules; NULL: it does */
    const char *proved[2];     /* ids of credentials: the key's, the token's; NULL: none */
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

static void print_facts(rrctl_t *ctl, const judged_t *judged, const request_t *request)
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
        fprintf(ctl->out, "claims    %s\n", rr_json_print(ctl->p, request->claims[0]));
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

static int is_proved(const void *who, const rr_party_t *credential)
{
    const explain_t *explain = who;
    int i;

    for (i = 0; credential && i < 2; i++) {
        if (explain->proved[i] && !strcmp(explain->proved[i], credential->id)) {
            return 1;
        }
    }
    return 0;
}

/* Whose secret it is, if that lets a caller in now. Not to be found is an answer: nobody's. */
static apr_status_t find_key(explain_t *explain, rr_store_t *store, const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    const rr_key_digester_t *digester;
    const rr_credential_t *found;
    rr_err_t why = RR_ERR_INIT;
    rr_revision_t revision;
    apr_status_t rv = rr_store_digester(&digester, store, ring, p, err);

    if (rv == APR_SUCCESS) {
        rv = rr_key_digest(digest, digester, explain->key, strlen(explain->key));
    }
    if (rv == APR_SUCCESS) {
        rv = rr_store_key_find(&found, &revision, store, digest, p, err);
    }
    if (rv == APR_SUCCESS && rr_credential_judge(found, found->kind, apr_time_now(), &why) == APR_SUCCESS) {
        explain->proved[0] = found->id;
    }
    return rv == APR_NOTFOUND ? APR_SUCCESS : rv;
}

/* True if the text is value, or one of its elements. */
static int names(const rr_json_t *value, const char *text)
{
    apr_size_t i;

    if (rr_json_string(value)) {
        return !strcmp(rr_json_string(value), text);
    }
    for (i = 0; i < rr_json_size(value); i++) {
        const char *element = rr_json_string(rr_json_element(value, i));

        if (element && !strcmp(element, text)) {
            return 1;
        }
    }
    return 0;
}

static int shares(const rr_json_t *claim, const rr_json_t *audience)
{
    const char *one = rr_json_string(claim);
    apr_size_t i;

    if (one) {
        return names(audience, one);
    }
    for (i = 0; i < rr_json_size(claim); i++) {
        one = rr_json_string(rr_json_element(claim, i));
        if (one && names(audience, one)) {
            return 1;
        }
    }
    return 0;
}

/* The first jwtVerify credential that a token with these claims could be of; claims without iss or aud fit any. */
static void find_verifier(explain_t *explain, const rr_proxy_t *proxy)
{
    const rr_json_t *claims = explain->request.claims[0];
    const rr_json_t *issuer = rr_json_member(claims, "iss"), *audience = rr_json_member(claims, "aud");
    int i;

    for (i = 0; i < proxy->credentials->nelts && !explain->proved[1]; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);
        const char *trusted = party ? rr_json_string(rr_json_member(party->params, "issuer")) : NULL;

        if (party && party->kind == RR_CREDENTIAL_JWT_VERIFY && party->active &&
            (!party->expires || party->expires > apr_time_now()) &&
            (!issuer || (trusted && names(issuer, trusted))) &&
            (!audience || shares(audience, rr_json_member(party->params, "audience")))) {
            explain->proved[1] = party->id;
        }
    }
}

static const char *refusal_of(const explain_t *explain, const rr_proxy_t *proxy)
{
    if (!proxy->active) {
        return "the proxy is not active";
    }
    if (!rr_proxy_admits(proxy, is_proved, explain)) {
        return !explain->proved[0] && !explain->proved[1] ? "no credential of the proxy was given"
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
    if (rv == APR_SUCCESS && explain->key) {
        rv = find_key(explain, store, ring, ctl->p, &err);
    }
    rr_store_close(store);
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (!(proxy = find_proxy(snapshot, ctl, explain->proxy))) {
        return rrctl_fail(ctl, "there is no proxy %s: an id, an alias, CLIENT/NAME, or a name of --client", explain->proxy);
    }
    if (explain->request.has_claims) {
        find_verifier(explain, proxy);
    }
    explain->count = rr_scopes_add_proxy(explain->scopes, 0, proxy, is_proved, explain);
    explain->refusal = refusal_of(explain, proxy);
    return RRCTL_OK;
}

/* ---- the command ---- */

/* The claims of a token, which is taken for verified: explain answers what rules would say then. */
static apr_status_t claims_of(request_t *request, const char *token, const char *claims, apr_pool_t *p, rr_err_t *err)
{
    rr_jws_t *jws;
    apr_status_t rv;

    if (token) {
        if ((rv = rr_jws_parse(&jws, token, strlen(token), p, err)) != APR_SUCCESS) {
            return rv;
        }
        claims = jws->payload;
    }
    request->has_claims = claims != NULL;
    return claims ? rr_json_parse_object(&request->claims[0], claims, strlen(claims), p, err) : APR_SUCCESS;
}

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
        { "mount", 'm', 1, NULL }, { "lenient", 'l', 0, NULL }, { "independent", 'i', 0, NULL }, { NULL, 0, 0, NULL }
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
        case 'k': explain->key = value; break;
        case 'H': code = add_header(ctl, &explain->request, value); break;
        case 't': explain->token = value; break;
        case 'c': explain->claims = value; break;
        case 'b': explain->body_file = value; break;
        case 'd': code = rule_effect(ctl, &explain->effect, value); break;
        case 'm': explain->request.mount = value; break;
        case 'l': explain->request.path_mode = RR_PATH_LENIENT; break;
        case 'i': explain->mode = RR_SCOPES_INDEPENDENT; break;
        }
    }
    if (code != RRCTL_OK) {
        return code;
    }
    if (!explain->rules == !explain->proxy || options->argc - options->ind != 2 || (explain->token && explain->claims)) {
        return rrctl_usage(ctl, "needs one of --proxy P and --rules FILE, a method, a target, and at most one of "
                                "--token and --claims");
    }
    if (explain->proxy ? explain->effect != RR_EFFECT_UNSET : explain->key || explain->mode == RR_SCOPES_INDEPENDENT) {
        return rrctl_usage(ctl, "--default is for --rules, --key and --independent are for --proxy");
    }
    explain->request.method = options->argv[options->ind];
    explain->request.target = options->argv[options->ind + 1];
    return RRCTL_OK;
}

int cmd_explain(rrctl_t *ctl, int argc, const char *const *argv)
{
    explain_t explain = { { NULL } };
    rr_err_t err = RR_ERR_INIT;
    const rr_ruleset_t *rules;
    judged_t judged;
    apr_size_t len;
    int code;

    explain.request.headers = apr_table_make(ctl->p, 8);
    if ((code = read_options(ctl, &explain, argc, argv)) != RRCTL_OK) {
        return code;
    }
    if (claims_of(&explain.request, explain.token, explain.claims, ctl->p, &err) != APR_SUCCESS ||
        (explain.body_file &&
         rrctl_read(&explain.request.body, &len, ctl, explain.body_file, RR_MAX_RULE_FILE, &err) != APR_SUCCESS)) {
        return rrctl_fail_err(ctl, &err);
    }
    if (explain.proxy) {
        if ((code = scopes_of_store(ctl, &explain)) != RRCTL_OK) {
            return code;
        }
    } else {
        if (!(rules = rule_load(ctl, explain.rules))) {
            return RRCTL_FAILED;
        }
        explain.count = rr_scopes_add(explain.scopes, 0, RR_SCOPE_PROXY, "location", rules,
                                      explain.effect == RR_EFFECT_ALLOW ? RR_EFFECT_ALLOW : RR_EFFECT_DENY);
    }
    rule_judge(&judged, &explain.request, explain.scopes, explain.count, explain.mode, NULL, ctl->p);
    if (judged.path && !ctl->json) {
        print_facts(ctl, &judged, &explain.request);
        print_scopes(ctl, &explain);
    }
    return print_verdict(ctl, &judged, explain.refusal);
}
