/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject.h: what the files of mod_rr_inject share.
 *
 * A request's way through them: inject_route.c marks it for its target,
 * inject_resolve.c finds everything that is needed and may refuse,
 * inject_gate.c stands in mod_proxy's hooks and lets nothing pass that was not
 * resolved, inject_apply.c puts the credential onto mod_proxy's copy of the
 * headers, inject_mask.c looks at what comes back.
 */
#ifndef INJECT_H
#define INJECT_H

#include "rr_glue.h"
#include "rr_pin.h"
#include "rr_snapshot.h"

#include <mod_proxy.h>

extern module AP_MODULE_DECLARE_DATA rr_inject_module;
extern const rr_core_t *inject_core; /* written once, in check_config */

/* ---- configuration ---- */

typedef struct inject_dir_t {
    const char *credential;       /* RRTargetCredential CLIENT/NAME; NULL: none */
    int proxy_headers;            /* flag */
    const char *token_header;     /* RRBackendToken; NULL: none */
    const char *token_audience;   /* NULL: none */
    apr_interval_time_t token_lifetime;
    apr_uint64_t tls;             /* which TLS settings hold, see inject_tls.c; 0: the main server's alone */
} inject_dir_t;

void *inject_dir_create(apr_pool_t *p, char *path);

const inject_dir_t *inject_dir(request_rec *r);
int inject_tells_code(request_rec *r);

/* ---- inject_keep.c: things that outlive a request, replaced when their source changes ---- */

typedef struct inject_kept_t {
    apr_pool_t *pool;            /* its own: all of it */
    volatile apr_uint32_t refs;  /* requests, and the shelf */
    apr_time_t used;             /* atomic */
    const char *key;
} inject_kept_t;

typedef struct inject_shelf_t inject_shelf_t;

/* Makes what stands under key in pool; the first member is an inject_kept_t. NULL with err: it cannot be made. */
typedef inject_kept_t *(*inject_make_t)(apr_pool_t *pool, void *baton, rr_err_t *err);

/* Whether what was kept is still what baton describes. */
typedef int (*inject_fits_t)(const inject_kept_t *kept, void *baton);

inject_shelf_t *inject_shelf_make(apr_pool_t *pchild);

/**
 * What stands under key, made anew if there is nothing that fits; pinned until r ends.
 *
 * Threads: any; takes no lock where there is something. make runs under the shelf's and must not wait for a network.
 */
inject_kept_t *inject_shelf_get(inject_shelf_t *shelf, const char *key, inject_fits_t fits, inject_make_t make,
                                void *baton, request_rec *r, rr_err_t *err);

/** Takes away what nobody has used for so long. */
void inject_shelf_sweep(inject_shelf_t *shelf, apr_interval_time_t idle);

/** One more use of kept, until p ends; the caller holds one. */
void inject_kept_pin(inject_kept_t *kept, apr_pool_t *p);

/** The end of one use that no pool ends. */
void inject_kept_release(inject_kept_t *kept);

/** A pool without parent, for something kept. NULL: no memory. */
apr_pool_t *inject_pool_make(const char *tag);

/* ---- inject_credential.c: what a stored target credential adds to a request ---- */

typedef struct inject_header_t {
    const char *name, *value;
} inject_header_t;

typedef struct inject_mask_t {
    const char *bytes;
    apr_size_t len;
    int leads; /* the longest of those that begin with its first byte */
} inject_mask_t;

#define INJECT_SKIPS 1024

/* What is looked for, and how far a search for all of it at once may go on from what it sees (inject_mask.c). */
typedef struct inject_masks_t {
    const apr_array_header_t *list; /* inject_mask_t, longest first */
    apr_size_t window;              /* bytes looked at; 0: nothing is looked for */
    unsigned char skip[INJECT_SKIPS];
} inject_masks_t;

typedef struct inject_parts_t {
    const apr_array_header_t *headers; /* inject_header_t; never NULL */
    const char *query;                 /* "name=value", encoded; NULL: none */
    const inject_masks_t *masks;       /* never NULL */
} inject_parts_t;

typedef struct inject_credential_t {
    inject_kept_t kept;
    const char *id, *name; /* name: CLIENT/NAME, for the log */
    rr_credential_kind_e kind;
    const rr_secret_t *secret; /* as it was when this was made */
    const rr_json_t *object;   /* the secret, parsed */
    const inject_parts_t *parts; /* NULL: made from a token */
    struct inject_source_t *source; /* mints or fetches the token; NULL: parts are constant */
} inject_credential_t;

void inject_credential_start(apr_pool_t *pchild);
void inject_credential_sweep(void);

/**
 * What party adds to r, pinned until r ends.
 *
 * Errors: RR_EINVAL (the secret is not what its kind needs), RR_EUNAVAIL (no token to be had now), RR_EDENIED
 *         (inactive, expired); err->text is for the log and has nothing of the secret.
 */
apr_status_t inject_credential_parts(const inject_parts_t **pparts, request_rec *r, const rr_party_t *party,
                                     rr_err_t *err);

/** Whether value can stand in a header as it is: it has no control characters. */
int inject_is_sendable(const char *value);

#define INJECT_DIGITS "0123456789ABCDEF"

/** text with every byte but letters, digits and those of plain as '%' and two of digits. */
const char *inject_percent(apr_pool_t *p, const char *text, const char *plain, const char *digits);

/** One header, and what of it has to be masked: the value itself and secret. */
const inject_parts_t *inject_parts_header(apr_pool_t *p, const char *name, const char *value, const char *secret);

/* ---- inject_token.c: tokens that are minted or fetched ---- */

/** Directive time: RRFetchCAFile, mod_rr_jwt's too. */
const char *inject_set_ca_file(cmd_parms *cmd, void *dummy, const char *path);
void inject_token_reset(void);

apr_status_t inject_source_make(struct inject_source_t **psource, inject_credential_t *credential, apr_pool_t *p,
                                rr_err_t *err);
apr_status_t inject_source_parts(const inject_parts_t **pparts, request_rec *r, inject_credential_t *credential,
                                 rr_err_t *err);

/* ---- inject_worker.c: mod_proxy's side of a stored target ---- */

typedef struct inject_worker_t {
    inject_kept_t kept;
    const char *base_url;
    const char *base_path; /* its path, without slashes at the end */
    const char *origin;   /* see inject_origin() */
    const char *hostname;
    apr_port_t port;
    int clear;            /* http */
    proxy_worker *worker;
    apr_thread_mutex_t *lock; /* of what follows; held across no lookup */
    struct apr_thread_cond_t *looked;
    int looking;          /* a thread looks the name up */
    apr_time_t due;       /* when it is to be looked up next; atomic */
    rr_place_t resolved;  /* addresses_t of inject_worker.c */
} inject_worker_t;

/** pre_config: mod_proxy's functions, found at run time. */
void inject_worker_bind(void);

/**
 * An http or https URL's scheme://host[:port], as origins of credentials are written; NULL: it has none, or a user.
 *
 * Ownership: in p; *prest is what follows in url.
 */
const char *inject_origin(apr_pool_t *p, const char *url, const char **prest);

/** Whether mod_proxy is there. */
int inject_worker_is_bound(void);
void inject_worker_start(apr_pool_t *pchild, server_rec *s);
void inject_worker_sweep(void);

/** The worker of r's target, pinned until r ends. RR_EINVAL: the base URL cannot be used. */
apr_status_t inject_worker_get(inject_worker_t **pworker, request_rec *r, const rr_target_t *target, rr_err_t *err);

/**
 * Judges every address of the host, which is looked up again after 30 s.
 *
 * Threads: any; one looks up, others wait only where no address is known yet.
 * Errors:  RR_EDENIED; RR_EUNAVAIL: it does not resolve.
 */
apr_status_t inject_worker_judge(inject_worker_t *worker, request_rec *r, rr_err_t *err);

/* ---- inject_tls.c: whose connections to one target are not the same ---- */

/** post_config: numbers the sections that have settings of mod_ssl. */
void inject_tls_number(apr_pool_t *pconf, server_rec *s);

/** What holds where add's settings are laid over base's. */
apr_uint64_t inject_tls_merge(apr_uint64_t base, apr_uint64_t add);

/* ---- one request ---- */

typedef struct inject_request_t {
    const ap_conf_vector_t *resolved_for; /* per_dir_config that was resolved; NULL: none was */
    const rr_proxy_t *proxy;     /* NULL: RRTargetCredential */
    const rr_party_t *party;     /* its credential; NULL: none */
    const char *filename;        /* "proxy:" and the URL; NULL: not a stored target */
    inject_worker_t *worker;
    const inject_parts_t *parts; /* NULL: nothing is injected */
    const char *backend_token;   /* NULL: none */
    const char *refused;         /* why nothing may be sent on the connection at hand; NULL: it may */
    int sent;                    /* reached the scheme handler */
    int failed;                  /* and no answer of the target came of it */
    int answered;                /* headers of the answer have been put right */
    request_rec *outer;          /* whose sending this one's is part of; NULL: nobody's */
} inject_request_t;

inject_request_t *inject_request(request_rec *r);
inject_request_t *inject_request_peek(request_rec *r);

/** Whether r's section has a stored target or a target credential: nothing goes out of it that was not resolved. */
int inject_owes(request_rec *r);

int inject_translate(request_rec *r);

/** Behind mod_rewrite: what [PT] led to a stored target. */
int inject_translate_rewritten(request_rec *r);
int inject_resolve(request_rec *r);

/** Behind those who send a request elsewhere in fixups: what was not resolved before is now. */
int inject_resolve_late(request_rec *r);
void inject_apply(request_rec *r, const inject_request_t *own);

/** check_config: the places where providers read credentials. */
void inject_apply_start(apr_pool_t *pconf);

/** The path of r below its mount, with the gateway's segment cut off: encoded once, "" or "/...". */
const char *inject_rest(request_rec *r, const rr_route_t *route);

/** A target's Location as the client has to see it; location itself where it leads elsewhere. */
const char *inject_map_location(request_rec *r, const char *location);

/* ---- inject_backend.c: the gateway's own token ---- */
const char *inject_set_backend_token(cmd_parms *cmd, void *conf, int argc, char *const argv[]);

/** post_config: the key that signs, made once for the server's life. */
apr_status_t inject_backend_start(apr_pool_t *pconf, server_rec *s, rr_err_t *err);

/** A fresh token that tells r's backend who asks. */
apr_status_t inject_backend_token(const char **ptoken, request_rec *r, const rr_principal_t *who, rr_err_t *err);
int inject_handle_jwks(request_rec *r);

/* ---- inject_gate.c ---- */

/** check_config: the parameters that providers read credentials from. */
void inject_gate_start(apr_pool_t *pconf);
void inject_gate_hook(void);
void inject_gate_hook_late(void);

/* ---- inject_mask.c ---- */
void inject_insert_mask(request_rec *r);
void inject_mask_register(void);

/** What has to be masked where secrets were sent. */
const inject_masks_t *inject_masks(apr_pool_t *p, const apr_array_header_t *secrets);

#endif
