/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_rule.h: a request of a command line or a table, judged by rules.
 */
#ifndef CMD_RULE_H
#define CMD_RULE_H

#include "rr_path.h"
#include "rr_rule.h"
#include "rrctl.h"

/* A request as it is told on a command line or in a table. */
typedef struct request_t {
    const char *method, *target;
    const char *mount; /* NULL: the whole path is judged */
    apr_table_t *headers;
    const rr_json_t *claims[1]; /* of a verified token */
    int has_claims;
    const char *body; /* NULL: none */
    rr_path_mode_e path_mode;
} request_t;

/* What came of judging it. */
typedef struct judged_t {
    rr_verdict_t verdict;
    const char *path; /* judged; NULL: refused */
    rr_err_t path_err;
    rr_facts_t facts;
} judged_t;

/** Judges by the same steps as mod_rr_rules; watch may be NULL. */
void rule_judge(judged_t *judged, const request_t *request, const rr_scope_t *scopes, int count, rr_scopes_mode_e mode,
                const rr_rule_watch_t *watch, apr_pool_t *p);

/** Who decided: "location:send", "proxy:default", "path: ...". */
const char *rule_verdict_name(const judged_t *judged, apr_pool_t *p);

/** Loads rules, from standard input too; NULL: said where a mistake stands. */
const rr_ruleset_t *rule_load(rrctl_t *ctl, const char *path);

/** Reads "allow" or "deny"; an exit code. */
int rule_effect(rrctl_t *ctl, rr_effect_e *effect, const char *word);

#endif
