/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule.h: rules that allow or deny a request: parse once, evaluate often.
 *
 * A rule is a conjunction of parts: methods, path, headers, query, token, body.
 * An absent part is true. Rules live in sets, a set in a scope, up to four
 * kinds of scope judge one request (design section 5). Whatever cannot be
 * decided denies.
 *
 * Threads: rules and sets are constant once made; facts and matcher are one thread's.
 */
#ifndef RR_RULE_H
#define RR_RULE_H

#include "rr_json.h"
#include "rr_pattern.h"

typedef struct rr_rule_t rr_rule_t;
typedef struct rr_ruleset_t rr_ruleset_t; /* rules of one scope with their index */

typedef enum { RR_EFFECT_UNSET = 0, RR_EFFECT_DENY, RR_EFFECT_ALLOW } rr_effect_e;

/* ---- rules and sets ---- */

/**
 * Compiles one rule from any of its published shapes.
 *
 * id names the rule in answers and logs; NULL: the member "id" of json, which is then allowed. pointer is where
 * json stands in its document ("/rules/3"), for errors.
 *
 * Ownership: *prule ends with p; json is borrowed for the call.
 * Errors:    RR_EINVAL: an unknown member, a wrong type or value, a bad pattern; err->where is the JSON pointer
 *            of the culprit. *prule is then NULL.
 */
apr_status_t rr_rule_parse(const rr_rule_t **prule, const rr_json_t *json, const char *id, const char *pointer,
                           apr_pool_t *p, rr_err_t *err);

/** The rule as JSON text in the one shape that we emit; without id. */
const char *rr_rule_print(const rr_rule_t *rule, apr_pool_t *p);

/** Never NULL. */
const char *rr_rule_id(const rr_rule_t *rule);
rr_effect_e rr_rule_effect(const rr_rule_t *rule);

/** A set of count rules in their order, with its index. The rules are borrowed: they end no earlier than p. */
const rr_ruleset_t *rr_ruleset_make(const rr_rule_t *const *rules, int count, apr_pool_t *p);

/**
 * A set from a text: an array of rules, {"rules": [...]}, or one rule by itself. A rule without "id" is named for
 * its place ("rule-3" is the third).
 *
 * Errors: RR_EINVAL as rr_rule_parse; also a second rule with the same id.
 */
apr_status_t rr_ruleset_parse(const rr_ruleset_t **pset, const char *text, apr_size_t len, apr_pool_t *p,
                              rr_err_t *err);

/** rr_ruleset_parse of a file. Errors: also those of rr_file_read. */
apr_status_t rr_ruleset_load(const rr_ruleset_t **pset, const char *path, apr_pool_t *p, rr_err_t *err);

/**
 * Names of the headers that some rule looks for by exact name: const char *, lower case. NULL: no rule looks at
 * headers at all.
 */
const apr_array_header_t *rr_ruleset_headers(const rr_ruleset_t *set);

int rr_ruleset_count(const rr_ruleset_t *set);
const rr_rule_t *rr_ruleset_rule(const rr_ruleset_t *set, int at);

/* ---- facts ---- */

typedef struct rr_facts_lazy_t rr_facts_lazy_t; /* what was worked out of the facts on demand */

/* What is known of one request. Filled by the caller; what lies behind pointers stays as it is until p ends. */
typedef struct rr_facts_t {
    apr_pool_t *p;                        /* of the request */
    const char *method;                   /* as received */
    const apr_array_header_t *overrides;  /* const char *: methods the backend may take it for instead; may be NULL */
    const char *path;                     /* canonical (rr_path.h), relative to the mount */
    const apr_table_t *headers;           /* as received, repeated ones joined by ", "; may be NULL */
    const char *args;                     /* query string as received, without '?'; may be NULL */
    const rr_json_t *const *tokens;       /* claims of each VERIFIED token: objects */
    int tokens_count;
    /*
     * Reads the body, when a rule first wants it. *pbody is its JSON value, NULL for no body. An error denies; *pwhy
     * then says why, for the client. NULL: no body.
     */
    apr_status_t (*read_body)(void *baton, const rr_json_t **pbody, const char **pwhy);
    void *baton;
    rr_facts_lazy_t *lazy; /* the evaluator's; NULL at first */
} rr_facts_t;

/**
 * Methods that a backend may take a request for instead of its own, by the headers and the parameter with which
 * frameworks let a client override it. NULL: none; more than RR_MAX_OVERRIDES: any method at all. headers and args
 * may be NULL.
 */
apr_array_header_t *rr_facts_overrides(apr_pool_t *p, const char *method, const apr_table_t *headers, const char *args);

/* ---- judging ---- */

typedef enum {
    RR_SCOPE_PROXY_CREDENTIAL = 0,
    RR_SCOPE_PROXY, /* a stored proxy's, and a Location's own */
    RR_SCOPE_TARGET,
    RR_SCOPE_TARGET_CREDENTIAL,
    RR_SCOPE_KINDS
} rr_scope_kind_e;

typedef struct rr_scope_t {
    rr_scope_kind_e kind;
    const char *name;          /* for people: "location", "proxy"; never NULL */
    const rr_ruleset_t *rules; /* NULL: none */
    rr_effect_e effect;        /* default of this scope */
} rr_scope_t;

typedef enum {
    RR_SCOPES_POOLED = 0, /* proxy credential and proxy form one pool; target and target credential are gates */
    RR_SCOPES_INDEPENDENT /* each of the four is a gate */
} rr_scopes_mode_e;

typedef struct rr_verdict_t {
    int allowed;
    const rr_scope_t *scope; /* that decided; NULL where no scope was given (denied) */
    const rr_rule_t *rule;   /* that decided; NULL: the scope's default */
    int undecided;           /* rule could not be decided, which denies */
    const char *doubt;       /* and why, for the client; NULL: a pattern of it reached its limits */
    apr_array_header_t *secrets; /* const char *: headers that were found by exact name and value; not to be
                                    forwarded. NULL: none */
} rr_verdict_t;

/* Watches each rule being tested; part is the first that failed ("path", "headers/0"), NULL where none did. */
typedef struct rr_rule_watch_t {
    void (*tested)(void *baton, const rr_scope_t *scope, const rr_rule_t *rule, rr_match_e outcome, const char *part);
    void *baton;
} rr_rule_watch_t;

/**
 * Judges a request by all its scopes.
 *
 * watch is NULL, or sees every rule tested, also those the index would have spared. Several scopes may be of one
 * kind: they are one gate.
 *
 * Ownership: *verdict borrows scopes and their rules; the rest lives in facts->p.
 */
void rr_rule_judge(rr_verdict_t *verdict, const rr_scope_t *scopes, int count, rr_scopes_mode_e mode,
                   rr_facts_t *facts, rr_matcher_t *matcher, const rr_rule_watch_t *watch);

/* ---- lint ---- */

typedef enum {
    RR_LINT_WARNING, /* probably not meant */
    RR_LINT_NOTE     /* often meant, or not to be told */
} rr_lint_e;

typedef void (*rr_lint_say_t)(void *baton, rr_lint_e level, const rr_rule_t *rule, const char *text);

/** Calls say for whatever is legal in a set and probably not meant; rule is the one it is about. Seconds at most. */
void rr_ruleset_lint(const rr_ruleset_t *set, rr_lint_say_t say, void *baton, apr_pool_t *p);

#endif
