/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.h: what the files of mod_rr_core share.
 *
 * A request's way through them: core_scrub.c takes away what a client may not
 * claim, core_composite.c asks the providers and makes a decision,
 * core_decision.c says which decision counts for a request and its redirects,
 * core_authz.c turns httpd's verdict into 401 or 403, core_identity.c tells the
 * backend who asked, core_problem.c and core_audit.c tell client and operator.
 */
#ifndef CORE_H
#define CORE_H

#include "rr_glue.h"
#include "rr_snapshot.h"

extern module AP_MODULE_DECLARE_DATA rr_core_module;

#define CORE_AUTH_TYPE "RR"
#define CORE_RETRY_AFTER "5" /* seconds a client is asked to wait when we cannot judge */

/* ---- configuration ---- */

typedef enum { CORE_MODE_REQUIRED = 0, CORE_MODE_OPTIONAL, CORE_MODE_PERMISSIVE } core_mode_e;
typedef enum { CORE_PREFLIGHT_REFUSE = 0, CORE_PREFLIGHT_PASS } core_preflight_e;

typedef struct core_claim_header_t {
    const char *name; /* of the header */
    const char *path; /* CLAIM-PATH in the principal's data */
} core_claim_header_t;

typedef struct core_dir_t {
    int mode;                      /* core_mode_e */
    int preflight;                 /* core_preflight_e */
    int forward_credential;        /* flag */
    const char *identity_header;   /* NULL: none */
    apr_array_header_t *claims;    /* core_claim_header_t; NULL: none */
    apr_array_header_t *providers; /* core_provider_t; NULL: every one loaded */
    const char *mount;             /* of the <Location> with RRProxy or RRGateway; NULL: none; the next three are one */
    const char *proxy;             /* RRProxy's argument; NULL: none */
    int gateway;
    int allow_none;                /* flag */
    apr_array_header_t *gateway_clients; /* const char *: whose proxies it serves; NULL: everybody's */
    rr_target_allow_t *allow;      /* RRTargetAllow; NULL: unset */
} core_dir_t;

typedef struct core_server_t {
    struct core_store_conf_t *store; /* RRStore; NULL: none, or the main server's */
    struct core_audit_t *audit; /* RRAuditLog; NULL: none, or the main server's */
} core_server_t;

static inline const core_dir_t *core_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &rr_core_module);
}

core_mode_e core_mode(request_rec *r);
core_preflight_e core_preflight(request_rec *r);
int core_forwards_credential(request_rec *r);
int core_allows_none(request_rec *r);

typedef struct core_provider_t {
    const char *name;
    const rr_authn_provider_t *table;
} core_provider_t;

/* ---- one request ---- */

/* Where a request under RRProxy or RRGateway is to go. */
typedef struct core_route_t {
    const ap_conf_vector_t *found_for; /* r->per_dir_config */
    const char *name;                  /* RRProxy's argument; NULL: RRGateway */
    rr_route_t to;
} core_route_t;

/* A header as sent, before a credential was taken out. */
typedef struct core_taken_t {
    const char *name, *value;
    struct core_taken_t *next; /* NULL: none */
} core_taken_t;

/* What the composite found for one per_dir_config. */
typedef struct core_decision_t {
    const ap_conf_vector_t *made_for;    /* r->per_dir_config it was made for; NULL: none was made */
    int status;                          /* OK, or the refusal */
    const rr_principal_t *principal;     /* NULL: refused, or anonymous */
    const apr_array_header_t *providers; /* core_provider_t, in the order asked */
    rr_authn_result_t *results;          /* beside them; NULL where none was asked */
    int admitted;                        /* reached type_checker, and nobody refused since */
} core_decision_t;

typedef struct core_request_t {
    core_decision_t decision;
    core_route_t *route;      /* NULL: not looked for */
    const ap_conf_vector_t *fixed_for; /* per_dir_config that fixups were done for */
    const ap_conf_vector_t *ours_under; /* the one last seen to have AuthType RR */
    const ap_conf_vector_t *told_under; /* the one under which RR_* were last set in the environment */
    apr_uint64_t proven;      /* generation that this request found to be its store's present one; 0: none */
    int judging;              /* inside core's own run of the authz hooks */
    const char *detail;       /* of the refusal, for the problem body; NULL: none */
    const char *problem;      /* the problem body in the place of an ErrorDocument's text; NULL: none */
    const char *lack_scopes;  /* what requirements found lacking, see rr_lack_e; NULL: nothing */
    const char *lack_other;
    const char *lack_methods;
    const char *lack_doubt;
    apr_table_t *audit;       /* members other modules added; NULL: none */
    core_taken_t *taken;      /* root request: NULL: none */
    const char *taken_args;   /* root request: query as sent before a credential was cut out; NULL: not cut */
} core_request_t;

/** r's own record, or NULL if there is none. */
static inline core_request_t *core_request_peek(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &rr_core_module);
}

core_request_t *core_request_make(request_rec *r);

/** The same, made when first asked for. */
static inline core_request_t *core_request(request_rec *r)
{
    core_request_t *own = core_request_peek(r);

    return own ? own : core_request_make(r);
}

/** The client's request that r is a part of: its first prev and outermost main. */
request_rec *core_root(request_rec *r);

int core_ask_ours(request_rec *r);

/** Whether AuthType RR rules r. */
static inline int core_is_ours(request_rec *r)
{
    const core_request_t *own = core_request_peek(r);

    return (own && own->ours_under == r->per_dir_config) || core_ask_ours(r);
}

/* core_composite.c */

/** Directive time: RRAuthProvider NAME... */
const char *core_add_provider(cmd_parms *cmd, void *conf, const char *name);

/** check_config: the default order, every provider loaded by rank. */
void core_collect_providers(apr_pool_t *pconf);

/** All providers loaded, by rank: core_provider_t. */
const apr_array_header_t *core_all_providers(void);

/** Asks the providers, once for each per_dir_config. */
const core_decision_t *core_authenticate(request_rec *r);

/** Answers with the decision's refusal, or 401 where a user is demanded of an anonymous request. */
int core_refuse_decided(request_rec *r, const core_decision_t *decision);

/* core_decision.c */

/** The decision that counts for r: its own, or that of an admitted request httpd took its authorization from; or NULL. */
core_decision_t *core_decision(request_rec *r);

/** type_checker: httpd has let r pass. */
void core_admit(request_rec *r);

/**
 * fixups: decides what no earlier phase decided (Satisfy Any, a fast redirect), refuses what was
 * skipped on the strength of a refused request. OK, or a refusal.
 */
int core_decide_late(request_rec *r);

/* core_authz.c */
int core_check_authz(request_rec *r);
void core_lack(request_rec *r, rr_lack_e what, const char *word);

/** The providers of those methods (blank-separated) among those loaded: core_provider_t. */
const apr_array_header_t *core_providers_of(request_rec *r, const char *methods);

/** See rr_core_t: a handler's own demand. */
int core_demand(request_rec *r, const char *scopes);
void core_register_requirements(apr_pool_t *p);

/* core_problem.c */
int core_refuse(request_rec *r, int status, const char *detail);

/** Adds one challenge for each scheme of those providers (core_provider_t); error may be NULL, then there is no detail or scope. */
void core_challenge(request_rec *r, const apr_array_header_t *providers, const char *error, const char *detail,
                    const char *scope);
void core_insert_problem(request_rec *r);
void core_register_problem(void);

/* core_private.c */

/** Keeps caches from giving r's answer to somebody else. */
void core_insert_private(request_rec *r);
void core_register_private(void);

/** The value of Cache-Control that adds private to what the headers say, and puts it in place. */
void core_set_private(request_rec *r);

/* core_scrub.c */

/** Directive time: from now on name and its aliases are ours alone; a sentence if name cannot be. */
const char *core_reserve_header(cmd_parms *cmd, const char *name);

/** check_config: the names reserved in this pass. */
void core_collect_reserved(apr_pool_t *pconf);

/** Removes every alias of a reserved header from r->headers_in. */
void core_scrub_headers(request_rec *r);

/** Takes the caller's credentials out of what the handler sees; they stay where core_client_* find them. */
void core_scrub_credentials(request_rec *r);

/** Cuts the configured parameters out of a URL's query; url itself where there is nothing to cut. */
char *core_scrub_url(request_rec *r, char *url);

const char *core_client_header(request_rec *r, const char *name);
const char *core_client_args(request_rec *r);

/* core_identity.c */
const char *core_set_identity_header(cmd_parms *cmd, void *conf, const char *name);
const char *core_add_claim_header(cmd_parms *cmd, void *conf, const char *name, const char *path);
apr_array_header_t *core_merge_claim_headers(apr_pool_t *p, apr_array_header_t *base, apr_array_header_t *add);

/** Environment for logs, Header and RewriteCond; none for an anonymous request, nothing to do where it was set before. */
void core_set_env(request_rec *r, const rr_principal_t *who);

/** Identity and claim headers into headers: r->headers_in, or mod_proxy's copy of it. */
void core_set_identity(request_rec *r, const rr_principal_t *who, apr_table_t *headers);

/* core_route.c */
const char *core_set_proxy(cmd_parms *cmd, void *conf, const char *name);
const char *core_set_gateway(cmd_parms *cmd, void *conf, int argc, char *const argv[]);
void core_merge_route(core_dir_t *merged, const core_dir_t *base, const core_dir_t *add);
void core_register_route(apr_pool_t *p);

/** Whether r's section has RRProxy or RRGateway in force. */
static inline int core_has_route(const request_rec *r)
{
    const core_dir_t *dir = core_dir(r);

    return dir->proxy || dir->gateway;
}

/** The picture that r is served by: its route's, else the present one; see rr_core_t. */
const rr_snapshot_t *core_snapshot(request_rec *r, rr_err_t *err);

const core_route_t *core_recall_route(request_rec *r);

/** r's route, looked up once for its configuration; NULL: it has none. */
static inline const core_route_t *core_route(request_rec *r)
{
    return core_has_route(r) ? core_recall_route(r) : NULL;
}

/** Admission: OK where r has no route, or one whose proxy admits who; else a refusal. */
int core_check_route(request_rec *r, const rr_principal_t *who);

int core_translate_route(request_rec *r);

/** See rr_core_t. */
int core_follow_rewrite(request_rec *r);
int core_map_route(request_rec *r);
int core_handle_route(request_rec *r);

/* core_address.c */

/** Directive time: RRTargetAllow WORD... */
const char *core_add_target_allow(cmd_parms *cmd, void *conf, const char *word);

/** See rr_core_t. */
const rr_target_allow_t *core_target_allow(request_rec *r);
apr_status_t core_target_judge(const rr_target_allow_t *allow, const struct sockaddr *address, int clear,
                               rr_err_t *err);

/* core_proxy.c */
void core_hook_proxy(void);
void core_hook_proxy_late(void);

/* core_me.c */
int core_handle_me(request_rec *r);

/* core_audit.c */
const char *core_configure_audit(cmd_parms *cmd, void *dummy, const char *target);
void core_start_audit(apr_pool_t *pchild, server_rec *s);
int core_open_audit(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
int core_write_audit(request_rec *r);

#endif
