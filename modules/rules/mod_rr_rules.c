/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_rules.c: allows or denies a request by rules.
 *
 * The module's map: configuration, directives, hooks. What a rule is lives in
 * lib/rr_rule_*.c; a request becomes facts in rules_facts.c, its body is read
 * and given back in rules_body.c.
 *
 * Rules are judged in check_authz, inside mod_rr_core's own run of it. httpd
 * leaves that phase out where access is granted without a user, for redirects
 * and subrequests; so fixups judges whatever nobody judged, and again behind
 * those that redirect fast. A decision carries the configuration and the uri it
 * was made for.
 *
 * Result:  DECLINED lets others go on; 403 with scope and rule, 400 for a path
 *          that can be read in two ways. Doubt denies.
 * Threads: configuration is read-only after startup, but for the marks of
 *          rules that were named in the log; all other state is per request.
 */
#include "rules.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_atomic.h>
#include <apr_strings.h>

module AP_MODULE_DECLARE_DATA rr_rules_module;

#define MARKS 32 /* words of marks: rules named in the log, by a hash of their address */

typedef struct rules_dir_t {
    apr_int64_t body;          /* bytes of a body that rules look at */
    int effect;                /* index of effect_words */
    int scopes;                /* rr_scopes_mode_e */
    int mode;                  /* rules_mode_e */
    int strict;                /* flag */
    const rr_ruleset_t *rules; /* RRRules; NULL: none */
    const char *mount;         /* path of the <Location> that has them; NULL: whole paths are judged */
} rules_dir_t;

typedef enum { RULES_ENFORCE = 0, RULES_OBSERVE } rules_mode_e;

static const char *const effect_words[] = { "deny", "allow", NULL };
static const char *const scopes_words[] = { "pooled", "independent", NULL };
static const char *const mode_words[] = { "enforce", "observe", NULL };

enum { F_BODY, F_EFFECT, F_SCOPES, F_MODE, F_STRICT, F_COUNT };

static const rr_conf_field_t fields[F_COUNT + 1] = {
    [F_BODY] = RR_SIZE(rules_dir_t, body, 1, 16 * 1024 * 1024, 64 * 1024),
    [F_EFFECT] = RR_ENUM(rules_dir_t, effect, effect_words, 0),
    [F_SCOPES] = RR_ENUM(rules_dir_t, scopes, scopes_words, RR_SCOPES_POOLED),
    [F_MODE] = RR_ENUM(rules_dir_t, mode, mode_words, RULES_ENFORCE),
    [F_STRICT] = RR_FLAG(rules_dir_t, strict, 1),
};

static const rr_core_t *core;         /* written once, in check_config */
static volatile apr_uint32_t *marks; /* likewise; MARKS words, set by any thread */

static void *create_dir(apr_pool_t *p, char *path)
{
    (void)path;
    return rr_conf_create(p, sizeof(rules_dir_t), fields);
}

static void *merge_dir(apr_pool_t *p, void *base_, void *add_)
{
    const rules_dir_t *base = base_, *add = add_;
    rules_dir_t *merged = rr_conf_merge(p, sizeof(rules_dir_t), base, add, fields);

    if (!add->rules) {
        merged->rules = base->rules;
        merged->mount = base->mount;
    }
    return merged;
}

rules_request_t *rules_request_peek(request_rec *r)
{
    return ap_get_module_config(r->request_config, &rr_rules_module);
}

rules_request_t *rules_request(request_rec *r)
{
    rules_request_t *own = rules_request_peek(r);

    if (!own) {
        own = apr_pcalloc(r->pool, sizeof(*own));
        ap_set_module_config(r->request_config, &rr_rules_module, own);
    }
    return own;
}

/* ---- scopes ---- */

/* Whose rules judge r: the section's, and those of the stored proxy that it is for. None: r is none of our business. */
static int gather_scopes(rr_scope_t *scopes, request_rec *r, const rules_dir_t *conf)
{
    const rr_proxy_t *proxy = core->proxy_get(r);
    int count = 0;

    if (conf->rules) {
        count = rr_scopes_add(scopes, count, RR_SCOPE_PROXY, "location", conf->rules,
                              rr_conf_int(conf, &fields[F_EFFECT]) ? RR_EFFECT_ALLOW : RR_EFFECT_DENY);
    }
    if (proxy) {
        count = rr_scopes_add_proxy(scopes, count, proxy, rr_principal_proves, core->principal_get(r));
    }
    return count;
}

/* ---- judging ---- */

/* What came of one judgement, before the mode has its say. */
typedef struct {
    int status;         /* OK, or the refusal */
    const char *detail; /* for the client */
    const char *scope;  /* whose rules decided; NULL: none was asked */
    const char *what;   /* the rule of theirs, or what decided in the place of rules */
} outcome_t;

/* "location:rule-3", for log and audit. */
static const char *name_of(request_rec *r, const outcome_t *outcome)
{
    return outcome->scope ? apr_pstrcat(r->pool, outcome->scope, ":", outcome->what, NULL) : outcome->what;
}

static apr_status_t judged_path(const char **ppath, request_rec *r, const rules_dir_t *conf, rr_err_t *err)
{
    const rr_route_t *route = core->route_get(r);
    const char *mount = route ? rr_glue_mount(r, route) : conf->mount;
    const rr_path_mode_e mode = rr_conf_int(conf, &fields[F_STRICT]) ? RR_PATH_STRICT : RR_PATH_LENIENT;
    apr_status_t rv = rr_path_judged(ppath, r->unparsed_uri ? r->unparsed_uri : r->uri, r->uri, mode, r->pool, err);

    if (rv == APR_SUCCESS && mount && !(*ppath = rr_path_below(*ppath, mount))) {
        rv = rr_err_set(err, RR_EINVAL, "path", "the request path is not below the Location that has the rules");
    }
    return rv;
}

/* A rule whose pattern reaches its limits is named once a child, not once a request. */
static void name_once(request_rec *r, const outcome_t *outcome, const rr_rule_t *rule)
{
    const apr_size_t hash = ((apr_size_t)rule >> 4) % (MARKS * 32);
    volatile apr_uint32_t *word = &marks[hash / 32];
    const apr_uint32_t seen = apr_atomic_read32(word), bit = 1u << hash % 32;

    if (!(seen & bit) && apr_atomic_cas32(word, seen | bit, seen) == seen) {
        RR_LOG_R(APLOG_WARNING, 0, r, 10404,
                 "a pattern of %s reached its limits: requests that drive it there are denied", name_of(r, outcome));
    }
}

static void explain(outcome_t *outcome, request_rec *r, const rr_verdict_t *verdict)
{
    const char *scope = verdict->scope ? verdict->scope->name : "proxy";

    outcome->status = verdict->allowed ? OK : HTTP_FORBIDDEN;
    outcome->scope = scope;
    outcome->what = verdict->rule ? rr_rule_id(verdict->rule) : "default";
    if (verdict->allowed) {
        return;
    }
    if (!verdict->rule) {
        outcome->detail = apr_psprintf(r->pool, "No rule of the scope %s allows this request.", scope);
    } else if (verdict->undecided) {
        outcome->detail =
            apr_psprintf(r->pool, "Rule %s of the scope %s could not be decided: %s.", rr_rule_id(verdict->rule), scope,
                         verdict->doubt ? verdict->doubt : "a pattern reached its limits");
        if (!verdict->doubt) {
            name_once(r, outcome, verdict->rule);
        }
    } else {
        outcome->detail =
            apr_psprintf(r->pool, "Rule %s of the scope %s denies this request.", rr_rule_id(verdict->rule), scope);
    }
}

static void judge(outcome_t *outcome, request_rec *r, const rules_dir_t *conf, const rr_scope_t *scopes, int count,
                  int late)
{
    rr_err_t err = RR_ERR_INIT;
    rr_verdict_t verdict;
    rr_facts_t facts;
    const char *path;

    memset(outcome, 0, sizeof(*outcome));
    if (apr_table_get(r->notes, "proxy-nocanon")) {
        RR_LOG_R(APLOG_ERR, 0, r, 10405, "ProxyPass with nocanon forwards %s as it was sent, which rules do not judge: "
                                         "remove nocanon or the rules", r->uri);
        outcome->status = HTTP_FORBIDDEN;
        outcome->detail = "This route forwards paths in a form that its rules do not judge.";
        outcome->what = "nocanon";
        return;
    }
    if (judged_path(&path, r, conf, &err) != APR_SUCCESS) {
        outcome->status = HTTP_BAD_REQUEST;
        outcome->detail = apr_pstrdup(r->pool, err.text);
        outcome->what = "path";
        return;
    }
    rules_facts_gather(&facts, r, core, scopes, count, rr_conf_number(conf, &fields[F_BODY]), late);
    facts.path = path;
    rr_rule_judge(&verdict, scopes, count, (rr_scopes_mode_e)rr_conf_int(conf, &fields[F_SCOPES]), &facts,
                  rr_matcher_make(r->pool), NULL);
    rules_request(r)->secrets = verdict.secrets;
    explain(outcome, r, &verdict);
}

static void audit(request_rec *r, const char *member, const outcome_t *outcome)
{
    if (core->audits(r)) {
        core->audit(r, member, name_of(r, outcome));
    }
}

/* Judges and remembers; OK where rules let r on. */
static int decide(request_rec *r, const rules_dir_t *conf, const rr_scope_t *scopes, int count, int late)
{
    const int observing = rr_conf_int(conf, &fields[F_MODE]) == RULES_OBSERVE;
    rules_request_t *own = rules_request(r);
    outcome_t outcome;

    judge(&outcome, r, conf, scopes, count, late);
    own->made_for = r->per_dir_config;
    own->uri = r->uri;
    own->status = observing ? OK : outcome.status;
    if (outcome.status == OK) {
        RR_LOG_R(APLOG_DEBUG, 0, r, 10408, "allowed by %s: %s %s", name_of(r, &outcome), r->method, r->uri);
        audit(r, "rule", &outcome);
        return OK;
    }
    if (observing) {
        RR_LOG_R(APLOG_INFO, 0, r, 10407, "would be refused by %s (%d): %s %s", name_of(r, &outcome), outcome.status,
                 r->method, r->uri);
        audit(r, "ruleObserved", &outcome);
        return OK;
    }
    RR_LOG_R(APLOG_INFO, 0, r, 10401, "refused by %s (%d): %s %s", name_of(r, &outcome), outcome.status, r->method, r->uri);
    audit(r, "rule", &outcome);
    return core->refuse(r, outcome.status, outcome.detail);
}

/* ---- a request's way ---- */

static int read_request(request_rec *r)
{
    rules_body_inherit(r);
    return DECLINED;
}

static int check_authz(request_rec *r)
{
    const rules_dir_t *conf = ap_get_module_config(r->per_dir_config, &rr_rules_module);
    rr_scope_t scopes[RR_MAX_RULE_SCOPES];
    const int count = gather_scopes(scopes, r, conf);
    int status;

    if (!count || rr_glue_is_error_document(r)) {
        return DECLINED;
    }
    status = decide(r, conf, scopes, count, 0);
    return status == OK ? DECLINED : status;
}

/* mod_cache would answer the next client before rules are asked. */
static void keep_private(request_rec *r)
{
    apr_table_setn(r->subprocess_env, "no-cache", "1");
}

/* The net: whatever way httpd took here, rules have had their say about this uri in this configuration. */
static int fix_up(request_rec *r)
{
    const rules_dir_t *conf = ap_get_module_config(r->per_dir_config, &rr_rules_module);
    const rules_request_t *own = rules_request_peek(r);
    rr_scope_t scopes[RR_MAX_RULE_SCOPES];
    int count, status;

    if (own && own->made_for == r->per_dir_config && !strcmp(own->uri, r->uri)) {
        keep_private(r);
        return own->status == OK ? DECLINED : own->status;
    }
    if (!(count = gather_scopes(scopes, r, conf))) {
        return DECLINED;
    }
    keep_private(r);
    if (rr_glue_is_error_document(r)) {
        if (!rr_glue_is_forwarded(r)) {
            return DECLINED;
        }
        RR_LOG_R(APLOG_INFO, 0, r, 10406, "an ErrorDocument is not forwarded by a route with rules: %s", r->uri);
        return core->refuse(r, r->prev->status, NULL);
    }
    status = decide(r, conf, scopes, count, 1);
    return status == OK ? DECLINED : status;
}

/* The last moment before the handler: until here a redirect may still want to be judged by what is hidden now. */
static void hide_secrets(request_rec *r)
{
    const rules_request_t *own = rules_request_peek(r);

    if (own && own->secrets && own->made_for == r->per_dir_config) {
        rules_facts_hide(r, own->secrets);
    }
}

/* ---- configuration ---- */

static const char *set_rules(cmd_parms *cmd, void *conf_, const char *file)
{
    rules_dir_t *conf = conf_;
    const char *path = ap_server_root_relative(cmd->pool, file);
    rr_err_t err = RR_ERR_INIT;

    if (!path) {
        return apr_psprintf(cmd->pool, "RRRules %s: expected the path of a file", file);
    }
    if (conf->rules) {
        return "RRRules is given twice in one section: put all rules into one file";
    }
    if (rr_ruleset_load(&conf->rules, path, cmd->pool, &err) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "RRRules %s: %s%s%s", file, err.where, *err.where ? ": " : "",
                            rr_err_text(&err));
    }
    conf->mount = rr_glue_location(cmd);
    return NULL;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog, (void)ptemp;
    marks = apr_pcalloc(pconf, MARKS * sizeof(*marks));
    return rr_core_bind(&core, s, "mod_rr_rules");
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("RRRules", set_rules, NULL, RSRC_CONF | ACCESS_CONF, "file with rules that judge requests"),
    RR_DIRECTIVE("RRDefaultEffect", &fields[F_EFFECT], "allow or deny: what RRRules says where no rule matches"),
    RR_DIRECTIVE("RRRuleScopes", &fields[F_SCOPES],
                 "pooled or independent: how the rules of several scopes are joined"),
    RR_DIRECTIVE("RRRuleMode", &fields[F_MODE], "enforce, or observe: log what would be refused and let it pass"),
    RR_DIRECTIVE("RRRuleBody", &fields[F_BODY], "bytes of a request body that rules look at; a longer one is denied"),
    RR_DIRECTIVE("RRPathStrict", &fields[F_STRICT], "Off takes paths that can be read in two ways as httpd reads them"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    static const char *const before_requirements[] = { "mod_authz_core.c", NULL };
    static const char *const before_forwarders[] = { "mod_rr_inject.c", "mod_proxy.c", NULL };
    static const char *const behind_redirects[] = { "mod_dir.c", NULL };

    (void)p;
    rules_body_register();
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_read_request(read_request, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_authz(check_authz, NULL, before_requirements, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    /* Behind mod_rr_core's own, by number: naming it would also put us behind its second. */
    ap_hook_fixups(fix_up, NULL, before_forwarders, APR_HOOK_REALLY_FIRST + 1);
    ap_hook_fixups(fix_up, behind_redirects, NULL, APR_HOOK_REALLY_LAST + 1);
    ap_hook_insert_filter(hide_secrets, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

AP_DECLARE_MODULE(rr_rules) = {
    STANDARD20_MODULE_STUFF,
    create_dir,
    merge_dir,
    NULL, /* no per-server configuration */
    NULL,
    directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
