/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt.h: what the files of mod_rr_jwt know of one another.
 */
#ifndef RR_JWT_H
#define RR_JWT_H

#include "rr_fetch.h"
#include "rr_glue.h"
#include "rr_jose.h"
#include "rr_secret.h"
#include "rr_seen.h"

#include <http_config.h>

#define JWT_METHOD "jwt"
#define JWT_MUTEX "rr-jwks" /* for the Mutex directive: who has a place among the store's key sets */

extern module AP_MODULE_DECLARE_DATA rr_jwt_module;

typedef struct jwt_keyset_t jwt_keyset_t; /* a key set that is fetched; one for all children */

/* One RRJwtIssuer line, constant once check_config has completed it; or what a stored credential says, for one request. */
typedef struct jwt_issuer_t {
    const char *name;
    const char *place;         /* FILE:LINE, for messages */
    const char *jwks_url;      /* NULL: jwks_file, secret_file or, without those, discovery */
    const char *jwks_file;     /* NULL: not from a file */
    const char *secret_file;   /* NULL: no symmetric key */
    const char *scope_claim;   /* CLAIM-PATH; NULL: scope, then scp */
    unsigned int algs;         /* mask of rr_alg_e */
    rr_claims_policy_t policy; /* policy.issuer is the iss */
    int any_audience;          /* the operator wrote audience=any */
    const rr_jwks_t *fixed;    /* keys of a file; NULL: keyset has them */
    jwt_keyset_t *keyset;      /* NULL: fixed has them, or party names them */
    const rr_party_t *party;   /* the stored credential that this is of; NULL: an RRJwtIssuer line */
} jwt_issuer_t;

/* By which keys a signature was verified. Zeroed where nothing else is said: compared as bytes by nobody. */
typedef struct jwt_proof_t {
    const void *keys;                    /* a file's, or the slot of a fetched set; NULL: a stored secret */
    apr_time_t fetched;                  /* of a fetched set: when, and which one of the slot's it is */
    apr_uint32_t generation;
    apr_uint32_t turn;                   /* of the store's place, which others may have before or after */
    int place;
    const rr_target_allow_t *allow;      /* where a set of the store may come from */
    unsigned char named[RR_SEEN_DIGEST]; /* digest of the stored secret, or of jwksUri */
} jwt_proof_t;

/* Settings of a server; those of the table count on the main server only. */
typedef struct jwt_server_t {
    apr_array_header_t *issuers;   /* jwt_issuer_t *; a virtual host's follow the main server's */
    apr_interval_time_t interval;  /* RRJwksInterval */
    apr_interval_time_t max_stale; /* RRJwksMaxStale */
    const char *ca_file;           /* RRFetchCAFile; NULL: the system's */
    const char *state_dir;         /* RRJwtStateDir; NULL: rr-jwks below httpd's runtime directory */
} jwt_server_t;

typedef struct jwt_dir_t {
    rr_sources_t sources;
} jwt_dir_t;

/* ---- jwt_issuer.c ---- */

/** Setter of RRJwtIssuer. */
const char *jwt_issuer_set(cmd_parms *cmd, void *unused, int argc, char *const argv[]);

/** The issuer of that iss or, by_name, of that NAME; NULL. */
const jwt_issuer_t *jwt_issuer_find(const jwt_server_t *conf, const char *text, int by_name);

/**
 * Judges the issuers of one server together, loads the keys of files and names the key sets to fetch.
 *
 * Errors: RR_EINVAL; err->text is the sentence for the operator.
 */
apr_status_t jwt_issuers_check(jwt_server_t *conf, apr_pool_t *pconf, apr_pool_t *ptemp, rr_err_t *err);

/* ---- jwt_keyset.c, jwt_keyset_watch.c ---- */

typedef struct jwt_keyset_settings_t {
    apr_interval_time_t interval;  /* between forced fetches of one set */
    apr_interval_time_t max_stale; /* age past which a set is not used */
    const char *ca_file;           /* NULL: the system's */
    const char *state_dir;         /* where sets are kept */
    int stored;                    /* there is a store, whose credentials may name sets */
    const rr_core_t *core;
} jwt_keyset_settings_t;

/** Forgets all key sets: configuration is read anew. */
void jwt_keysets_reset(apr_pool_t *pconf);

/** The key set of that issuer and address; jwks_url NULL: to be discovered. One for all who name the same. */
jwt_keyset_t *jwt_keyset_add(const char *issuer, const char *jwks_url, apr_pool_t *pconf);

/** Key sets added. */
int jwt_keysets_count(void);

/** Makes what the children share, takes up the sets kept from before, registers the watchdog. OK, or logged and !OK. */
int jwt_keysets_open(const jwt_keyset_settings_t *settings, apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s);

/**
 * Verifies the signature with the set, fetching or awaiting a fresh one where that is allowed and may help.
 *
 * Threads: any; waits for an answer of the issuer only where the set has no key for the token.
 * Errors:  as rr_jws_verify; RR_EUNAVAIL: there is no usable set.
 */
apr_status_t jwt_keyset_verify(jwt_proof_t *proof, jwt_keyset_t *keyset, rr_jws_t *jws, unsigned int algs,
                               rr_err_t *err);

/**
 * Whether the set that proof is of is the one published now, and not too old to be used.
 *
 * Threads: any; takes no lock.
 */
int jwt_keyset_holds(const jwt_proof_t *proof, const jwt_keyset_t *keyset);

/** In each child, before it has threads. */
void jwt_keysets_start_child(apr_pool_t *pchild, server_rec *s);

/* ---- jwt_stored_keyset.c ---- */

/**
 * As jwt_keyset_verify, with the key set that a stored credential names, fetched from where allow lets it be:
 * what was fetched for a section that allows something else is another set.
 *
 * Errors: also RR_EUNAVAIL: the server has no room for another set (already logged).
 */
apr_status_t jwt_stored_keyset_verify(jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_target_allow_t *allow,
                                      rr_jws_t *jws, rr_err_t *err);

/**
 * As jwt_keyset_holds, for the set that issuer names now; which counts as a use of it.
 *
 * A token's iss does not change: that issuer is for it has been judged, and is not again.
 */
int jwt_stored_keyset_holds(const jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_target_allow_t *allow);

/* ---- jwt_download.c: a key set as it was fetched, and the file that keeps it ---- */

typedef struct jwt_download_t {
    const char *text;            /* the JWKS, NUL-terminated */
    apr_size_t len;
    const char *jwks_url;        /* where it came from */
    apr_time_t discovered;       /* when jwks_url was learned; 0: it is configured */
    apr_time_t fetched;          /* when the fetch began */
    apr_interval_time_t max_age; /* said by the issuer; -1: nothing */
} jwt_download_t;

/**
 * Fetches the key set of issuer. jwks_url NULL: found by discovery. how: everything but url and timeouts.
 *
 * Units:  deadline is absolute; the whole work ends by then.
 * Errors: RR_EUNAVAIL, RR_EINVAL (an answer that is not what it should be), RR_EDENIED (another issuer's document,
 *         or how's may_connect said no).
 */
apr_status_t jwt_download(jwt_download_t *download, const char *issuer, const char *jwks_url,
                          const rr_fetch_request_t *how, apr_time_t deadline, apr_pool_t *p, rr_err_t *err);

/** Makes dir, or looks at it: it decides whose keys we trust, so nobody but httpd's user may write there. */
apr_status_t jwt_state_directory(const char *dir, apr_pool_t *p, rr_err_t *err);

/** The path in dir of the file that keeps the set of issuer and jwks_url (NULL: discovered); allow NULL: the operator's. */
const char *jwt_state_path(apr_pool_t *p, const char *dir, const char *issuer, const char *jwks_url,
                           const rr_target_allow_t *allow);

/** APR_ENOENT: none is kept. RR_EINVAL: not a file of ours for that issuer and address. */
apr_status_t jwt_state_read(jwt_download_t *download, const char *path, const char *issuer, const char *jwks_url,
                            apr_pool_t *p, rr_err_t *err);

/** Replaces the file in one step. */
apr_status_t jwt_state_write(const jwt_download_t *download, const char *path, const char *issuer,
                             const char *jwks_url, apr_pool_t *p, rr_err_t *err);

/* ---- jwt_stored.c: jwtVerify credentials of a stored proxy ---- */

/** The header of its own that the credential is read from; NULL: it has none, or is no jwtVerify credential. */
const char *jwt_stored_header(const rr_party_t *party);

/**
 * The places that are read for a route: those configured, and the headers of proxy's credentials.
 *
 * Ownership: configured itself where proxy (may be NULL) adds nothing; else in p.
 */
const apr_array_header_t *jwt_stored_sources(apr_pool_t *p, const apr_array_header_t *configured,
                                             const rr_proxy_t *proxy);

/** Whether party is a jwtVerify credential for tokens of that iss. */
int jwt_stored_is_for(const rr_party_t *party, const char *iss);

/**
 * What a credential for which jwt_stored_is_for holds says, as an issuer. Its name is set even on error.
 *
 * Ownership: *pissuer lives in p and borrows party.
 * Errors:    RR_EREVOKED (inactive), RR_EEXPIRED, RR_EUNAVAIL (closed: err says why).
 */
apr_status_t jwt_stored_issuer(const jwt_issuer_t **pissuer, const rr_party_t *party, apr_time_t now, apr_pool_t *p,
                               rr_err_t *err);

/* ---- jwt_memory.c: tokens verified before ---- */

/** In each child, before it has threads. */
void jwt_memory_start_child(apr_pool_t *pchild, server_rec *s);

/** SHA-256. False: there is none, or no memory. */
int jwt_memory_digest(unsigned char digest[RR_SEEN_DIGEST], const char *text, apr_size_t len);

/** What is remembered of a token, as rr_seen_get, but until p ends. Its proof is a jwt_proof_t. */
const rr_seen_token_t *jwt_memory_recall(const char *text, apr_size_t len, apr_time_t now, apr_pool_t *p);

/** Remembers a copy of token. */
void jwt_memory_keep(const rr_seen_token_t *token, apr_time_t now);

/**
 * Verifies the signature with the keys of issuer, and notes which those were.
 *
 * Errors: as rr_jws_verify; RR_EUNAVAIL: there are none that could be used.
 */
apr_status_t jwt_proof_make(jwt_proof_t *proof, const jwt_issuer_t *issuer, rr_jws_t *jws,
                            const rr_target_allow_t *allow, rr_err_t *err);

/** Whether jwt_proof_make would verify with the very same keys. */
int jwt_proof_holds(const jwt_proof_t *proof, const jwt_issuer_t *issuer, const rr_target_allow_t *allow);

/* ---- jwt_look.c ---- */

/* What a credential's text is. All of it ends with the request. */
typedef struct jwt_look_t {
    const char *text;             /* borrowed */
    apr_size_t len;
    const rr_seen_token_t *known; /* what an earlier request saw of it; NULL: nothing */
    rr_jws_t *jws;                /* taken apart; NULL: it was not, as it is known or cannot be */
    int has_shape;                /* of a token, though perhaps malformed */
} jwt_look_t;

/** Looks at a text that r carries; once, as long as no other comes between. */
const jwt_look_t *jwt_look(request_rec *r, const char *text, apr_size_t len);

/** Offers rr_is_token. */
void jwt_look_register(void);

/* ---- jwt_token.c ---- */

/** The provider's authenticate (rr_principal.h). */
rr_authn_outcome_e jwt_token_judge(request_rec *r, const rr_core_t *core, const jwt_server_t *conf,
                                   const apr_array_header_t *sources, rr_authn_result_t *result);

/* ---- jwt_require.c ---- */

/** Registers `Require rr-jwt` and `Require rr-claim`. */
void jwt_require_register(apr_pool_t *p);

/** Forgets the requirements noted so far: configuration is read anew. */
void jwt_require_reset(apr_pool_t *pconf);

/** Gives the providers the way to core, and judges what was noted: the sentence for the operator, or NULL. */
const char *jwt_require_check(const rr_core_t *core, apr_pool_t *p);

#endif
