/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h: what the files of mod_rr_rules share.
 */
#ifndef RULES_H
#define RULES_H

#include "rr_glue.h"
#include "rr_path.h"
#include "rr_rule.h"

extern module AP_MODULE_DECLARE_DATA rr_rules_module;

typedef struct rules_body_t rules_body_t; /* a request body that was read, to be given back */

/* What was decided about one request, and what that took. */
typedef struct rules_request_t {
    const ap_conf_vector_t *made_for; /* r->per_dir_config it was decided for; NULL: not decided */
    const char *uri;                  /* and r->uri */
    int status;                       /* OK, or the refusal */
    apr_array_header_t *secrets;      /* const char *: headers not to be forwarded; NULL: none */
    apr_table_t *hidden;              /* those that were taken out of r->headers_in; NULL: none */
    rules_body_t *body;               /* NULL: not read */
} rules_request_t;

/** r's own record, made when first asked for. */
rules_request_t *rules_request(request_rec *r);

/** The same, or NULL if there is none. */
rules_request_t *rules_request_peek(request_rec *r);

/* rules_facts.c */

/**
 * What is known of r for scopes to judge, except its path. late: fixups have begun, so that headers may be missing.
 *
 * Ownership: *facts lives in r->pool with all it points to.
 */
void rules_facts_gather(rr_facts_t *facts, request_rec *r, const rr_core_t *core, const rr_scope_t *scopes, int count,
                        apr_int64_t body_max, int late);

/** Takes headers that are secrets between caller and gateway out of what r's handler sees. */
void rules_facts_hide(request_rec *r, const apr_array_header_t *names);

/* rules_body.c */
void rules_body_register(void);

/**
 * Reads r's body and parses it, once. *pbody is NULL where there is none.
 *
 * Errors: RR_EINVAL: longer than max, not JSON, or unreadable; *pwhy says so to the client. What was read is given
 *         to the handler all the same.
 */
apr_status_t rules_body_read(const rr_json_t **pbody, request_rec *r, apr_int64_t max, const char **pwhy);

/** A redirected request loses what was read for the one before it, unless it is handed on. */
void rules_body_inherit(request_rec *r);

#endif
