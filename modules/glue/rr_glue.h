/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_glue.h: the httpd half that all modules share: directives out of field
 * tables, places credentials are read from, binding to mod_rr_core.
 */
#ifndef RR_GLUE_H
#define RR_GLUE_H

#include "rr_conf.h"
#include "rr_log.h"
#include "rr_pattern.h"
#include "rr_principal.h"

#include <http_config.h>

/* A directive that sets one field of the module's table, and where it may stand. None may stand in .htaccess. */
#define RR_DIRECTIVE(name, field, help) \
    AP_INIT_TAKE1(name, rr_glue_set, (void *)(field), RSRC_CONF | ACCESS_CONF, help)

/** Setter of RR_DIRECTIVE: the struct is the per-directory one. Names directive, value and what would be right. */
const char *rr_glue_set(cmd_parms *cmd, void *conf, const char *text);

/**
 * Binds to mod_rr_core; called from check_config.
 *
 * Errors: HTTP_INTERNAL_SERVER_ERROR-like !OK with one logged sentence where core is not loaded.
 */
int rr_core_bind(const rr_core_t **pcore, server_rec *s, const char *module_name);

/** True for the page of an ErrorDocument: it was not the client who asked for it. */
int rr_glue_is_error_document(const request_rec *r);

/** Whether mod_proxy would serve r, as far as fixups can know. */
int rr_glue_is_forwarded(const request_rec *r);

/** The path of the <Location "/path"> that cmd stands in, also within <If> or <Limit>; NULL: none, or one with a wildcard. */
const char *rr_glue_location(const cmd_parms *cmd);

/**
 * The path that route's target stands under: the Location's and, behind a gateway, the segment that names the proxy.
 *
 * Ownership: in r->pool.
 */
const char *rr_glue_mount(request_rec *r, const rr_route_t *route);

/* ---- requirements: "PATH REGEX" over a JSON object ---- */

typedef struct rr_path_regex_t rr_path_regex_t;

/** Parses the arguments of Require rr-data and rr-claim; a sentence on error. */
const char *rr_glue_path_regex_parse(cmd_parms *cmd, const char *line, const void **pparsed);

/** Whether the requirement is asked for the opposite (Require not, <RequireNone>): what it lacks helps nobody then. */
int rr_glue_is_negated(const cmd_parms *cmd);
int rr_glue_path_regex_is_negated(const rr_path_regex_t *wanted);

/**
 * Whether the value at PATH matches: a scalar itself, an array by any of its elements, a scope string by any word,
 * of which the first that matches or is in doubt decides. A doubt is logged, and to be refused where it is negated too.
 */
rr_match_e rr_glue_path_regex_match(request_rec *r, const rr_path_regex_t *wanted, const rr_json_t *object);

/** What a Require line that is wrong is answered with: the line, and the sentence. */
const char *rr_glue_require_wrong(const cmd_parms *cmd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The words of a Require line, at least one; a sentence on error. */
const char *rr_glue_words_parse(cmd_parms *cmd, const char *line, const void **pparsed);

/* ---- where credentials are read ---- */

/* Member of a per-directory configuration that RR_SOURCE_DIRECTIVES fill. */
typedef struct rr_sources_t {
    apr_array_header_t *list; /* rr_source_t: those configured, and the usual ones of the kinds that are not */
    unsigned named;           /* the kinds configured, a bit each: 1 << rr_source_kind_e */
} rr_sources_t;

/** What is read where nothing is configured. usual ends with one without a name. */
rr_sources_t rr_glue_sources_create(apr_pool_t *p, const rr_source_t *usual);

/** Setters: RRxxxHeader NAME [SCHEME], RRxxxQuery NAME, RRxxxCookie NAME. cmd->info is offsetof(conf, rr_sources_t member). */
const char *rr_glue_source_header(cmd_parms *cmd, void *conf, const char *name, const char *scheme);
const char *rr_glue_source_query(cmd_parms *cmd, void *conf, const char *name);
const char *rr_glue_source_cookie(cmd_parms *cmd, void *conf, const char *name);

/** From check_config on: every header that a section of this server reads, whichever module's; names to themselves. */
const apr_table_t *rr_glue_source_headers(apr_pool_t *pconf);

/** The same for query parameters: const char *. */
const apr_array_header_t *rr_glue_source_parameters(apr_pool_t *pconf);

/* The three directives of a module whose per-directory struct has that rr_sources_t member. */
#define RR_SOURCE_DIRECTIVES(prefix, type, member, what)                                                          \
    AP_INIT_TAKE12(prefix "Header", rr_glue_source_header, (void *)offsetof(type, member), RSRC_CONF | ACCESS_CONF, \
                   "request header, and optionally the scheme, that carries the " what),                          \
    AP_INIT_TAKE1(prefix "Query", rr_glue_source_query, (void *)offsetof(type, member), RSRC_CONF | ACCESS_CONF,  \
                  "query parameter that carries the " what),                                                      \
    AP_INIT_TAKE1(prefix "Cookie", rr_glue_source_cookie, (void *)offsetof(type, member), RSRC_CONF | ACCESS_CONF, \
                  "cookie that carries the " what)

/** Whether that is Authorization, which other modules read, too. */
int rr_glue_is_authorization(const rr_source_t *source);

/** The scheme of the first source in Authorization, "Bearer" where that has none; NULL: none is there. */
const char *rr_glue_sources_scheme(const apr_array_header_t *sources);

/** Of each kind what add configures, or else what base has: a query parameter more does not turn headers off. */
rr_sources_t rr_glue_sources_merge(apr_pool_t *p, rr_sources_t base, rr_sources_t add);

/* One credential as presented. */
typedef struct rr_presented_t {
    const char *value;      /* NUL-terminated, in r->pool */
    apr_size_t len;
    const rr_source_t *source;
    int in_authorization;   /* read from Authorization: shape decides whose it is */
} rr_presented_t;

/**
 * Reads every source; the presented values in their order, equal ones once.
 *
 * Authorization with a scheme that the source does not name is not read. A raw
 * Authorization is one word. Query values are decoded once; cookies count for
 * unsafe methods and WebSockets only if the request is same-origin (Origin or Sec-Fetch-Site).
 *
 * Ownership: the array of rr_presented_t, never NULL, is the request's to read.
 * Errors:    RR_EINVAL: a source holds something that cannot be a credential (empty, several words, a bad
 *            percent-code, a control character, longer than max); err->text may be shown to the client.
 */
apr_status_t rr_glue_sources_read(const apr_array_header_t **ppresented, request_rec *r, const rr_core_t *core,
                                  const apr_array_header_t *sources, apr_size_t max, rr_err_t *err);

#endif
