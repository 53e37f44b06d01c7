/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_principal.h: who asked, how ways of authenticating plug in, and what
 * mod_rr_core offers to the other modules.
 *
 * The first part is for callers; the provider table below it is for
 * implementers. Together with rr_log.h this is the only contract that sees httpd.
 */
#ifndef RR_PRINCIPAL_H
#define RR_PRINCIPAL_H

#include "rr_json.h"
#include "rr_snapshot.h"

#include <httpd.h>
#include <apr_optional.h>

/* What one verified credential says. Immutable; lives in the request's pool unless its provider says longer. */
typedef struct rr_identity_t {
    const char *method;        /* provider's name: "key", "jwt" */
    rr_credential_kind_e kind; /* of the credential; RR_CREDENTIAL_JWT_VERIFY for every verified token */
    const char *sub;           /* never NULL nor empty */
    const rr_json_t *data;     /* a key's metadata or a token's claims: an object, or NULL for {} */
    const apr_array_header_t *scopes; /* const char *; never NULL */
    const char *scope;         /* the same, blank-separated; NULL: not made yet */
    const char *client;        /* client of the stored credential; NULL for a configured issuer's token */
    const char *credential;    /* CLIENT/NAME of the stored credential; NULL as above */
    const char *credential_id; /* its id; NULL as above */
    const char *key_id;        /* id of the key used; NULL where there is none */
    const char *hint;          /* the key's hint; NULL as above */
    const char *issuer;        /* the token's iss; NULL for keys */
    const char *issuer_name;   /* NAME of its RRJwtIssuer; NULL for keys */
    apr_time_t expires;        /* end of the credential, microseconds since the epoch; 0: none */
} rr_identity_t;

/* Who asked: one or several identities in the order of RRAuthProvider. */
typedef struct rr_principal_t {
    const char *sub;                  /* the first identity's */
    const rr_json_t *data;            /* the first identity's; NULL for {} */
    const apr_array_header_t *scopes; /* union of all, first come first; const char * */
    const rr_identity_t *const *identities; /* count of them, at least one */
    int count;
} rr_principal_t;

/** The identity proved by that method, or NULL. */
const rr_identity_t *rr_principal_by_method(const rr_principal_t *who, const char *method);

/** An rr_proved_t: whether that stored credential is among those that who, a const rr_principal_t (NULL: nobody), proved. */
int rr_principal_proves(const void *who, const rr_party_t *credential);

/** True if scope is one of the principal's. */
int rr_principal_has_scope(const rr_principal_t *who, const char *scope);

/**
 * The claims of each token that who (NULL: nobody) proved; *pcount of them, NULL for none.
 *
 * Ownership: the array lives in p, the claims in who.
 */
const rr_json_t *const *rr_principal_tokens(const rr_principal_t *who, int *pcount, apr_pool_t *p);

/* Where a Location with RRProxy or RRGateway leads. */
typedef struct rr_route_t {
    const rr_snapshot_t *snapshot; /* pinned for the request; NULL: the store cannot be read now */
    const rr_proxy_t *proxy;       /* NULL: there is none of that name */
    const char *mount;             /* path of the Location */
    int gateway;                   /* the first segment below mount names the proxy */
    int open;                      /* nobody need be authenticated: RRProxyAllowNone, and a credential of the kind none */
} rr_route_t;

/* What a Require provider found lacking: decides between 401 and 403 (core's check_authz). */
typedef enum {
    RR_LACK_METHOD, /* word: a provider's name; nothing of it was presented: 401 with its challenge */
    RR_LACK_SCOPE,  /* word: the scopes that would do, blank-separated: 403 insufficient_scope */
    RR_LACK_OTHER,  /* word: what else, for the client ("claim", "issuer", "name", "proxy"): 403 */
    RR_LACK_DOUBT   /* word: what could not be decided; with AUTHZ_GENERAL_ERROR, which no negation turns round: 403 */
} rr_lack_e;

/* What RRTargetAllow of a section says: where the store's objects may lead besides. Constant after startup. */
typedef struct rr_target_allow_t {
    const char *words;               /* as written; never NULL. Equal words are the same rule, also after a restart */
    int loopback, link_local, clear; /* flags */
    apr_array_header_t *nets;        /* apr_ipsubnet_t *; NULL: none */
} rr_target_allow_t;

/* Work on a connection: one statement or transaction, which it ends; p is scratch that ends with it. */
typedef apr_status_t (*rr_store_work_t)(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err);

/*
 * What mod_rr_core offers. One instance, constant after startup; every function
 * may be called from any thread that serves r.
 */
typedef struct rr_core_t {
    /* The principal of r's own decision, or one inherited from an admitted r->prev / r->main; NULL: anonymous or undecided. */
    const rr_principal_t *(*principal_get)(request_rec *r);

    /* A header as the client sent it, also after credentials were taken away from the handler's view. NULL: not sent. */
    const char *(*client_header)(request_rec *r, const char *name);

    /* The query string as the client sent it; NULL: none. */
    const char *(*client_args)(request_rec *r);

    /*
     * The stored proxy that r is for, from the snapshot pinned for r; NULL: r has no RRProxy or RRGateway, or there is
     * no such proxy. Its credentials say which further kinds of credential may be presented.
     */
    const rr_proxy_t *(*proxy_get)(request_rec *r);

    /* The same with its mount; NULL: r has neither RRProxy nor RRGateway. */
    const rr_route_t *(*route_get)(request_rec *r);

    /* translate_name, behind mod_rewrite: OK where [PT] made r one with a route; DECLINED: it did not; or a refusal. */
    int (*route_follow)(request_rec *r);

    /* The store's present picture, pinned until r ends, the route's where r has one; NULL: it cannot be read, err says why. */
    const rr_snapshot_t *(*snapshot_get)(request_rec *r, rr_err_t *err);

    /* Notes what a requirement found lacking; only the last evaluation before the answer counts. */
    void (*lack)(request_rec *r, rr_lack_e what, const char *word);

    /*
     * Refuses r: remembers detail for the problem body and takes the admitted mark back; returns status so that
     * hooks may `return core->refuse(...)`. detail is shown to the client; NULL: the status speaks for itself.
     */
    int (*refuse)(request_rec *r, int status, const char *detail);

    /*
     * Refuses r for want of one of these scopes (blank-separated): 401 with challenges where nobody asked, else 403
     * insufficient_scope. For handlers, which have demands of their own.
     */
    int (*demand)(request_rec *r, const char *scopes);

    /* Whether r's server writes audit lines: else what would stand there need not be worked out. */
    int (*audits)(request_rec *r);

    /* Adds a member to r's audit line ("rule", "filter"); name and value live as long as r. */
    void (*audit)(request_rec *r, const char *name, const char *value);

    /*
     * Finds the live credential that a presented secret of that kind belongs to. *pfound lives in r->pool.
     * APR_NOTFOUND, RR_EEXPIRED, RR_EREVOKED (inactive), RR_EINVAL (a key with a wrong checksum, of which the store is
     * not asked), RR_EUNAVAIL (store down or none configured; already logged).
     */
    apr_status_t (*credential_find)(const rr_credential_t **pfound, request_rec *r, rr_credential_kind_e kind,
                                    const char *secret, apr_size_t len, rr_err_t *err);

    /*
     * Whether a verified token was revoked (design section 8). RR_EREVOKED, RR_EUNAVAIL, APR_SUCCESS: not revoked, or no store.
     * digest is SHA-256 of the signing input; jti and sub may be NULL; iat is microseconds, 0: none.
     */
    apr_status_t (*token_revoked)(request_rec *r, const char *issuer, const char *jti, const char *sub, apr_time_t iat,
                                  const unsigned char digest[32], rr_err_t *err);

    /*
     * Runs work on a connection of r's store, which is work's until it returns. writing 0: work may be run again where
     * an idle connection turns out to be dead. Work's own errors; RR_EUNAVAIL, RR_ESCHEMA: already logged.
     */
    apr_status_t (*store_run)(request_rec *r, int writing, rr_store_work_t work, void *baton, rr_err_t *err);

    /* The master keys of r's store. RR_EUNAVAIL, RR_EDENIED, RR_EINVAL (already logged). */
    apr_status_t (*store_keyring)(const rr_keyring_t **pring, request_rec *r, rr_err_t *err);

    /* Whether s has a store; from check_config on. */
    int (*has_store)(const server_rec *s);

    /* What r's section allows; never NULL, the same in every child, and valid until the configuration is read anew. */
    const rr_target_allow_t *(*target_allow)(request_rec *r);

    /* Whether that lets a connection go to the address; clear: it is not encrypted. RR_EDENIED says what it is. */
    apr_status_t (*target_judge)(const rr_target_allow_t *allow, const struct sockaddr *address, int clear,
                                 rr_err_t *err);
} rr_core_t;

APR_DECLARE_OPTIONAL_FN(const rr_core_t *, rr_core_get, (void));

/*
 * rr_jws_has_shape for a credential of r, from whoever takes tokens apart and remembers those it has seen: one look at a
 * text is enough for all who ask. Without mod_rr_jwt it is not there, and nobody else looks.
 */
APR_DECLARE_OPTIONAL_FN(int, rr_is_token, (request_rec *r, const char *text, apr_size_t len));

/* ------------------------------------------------------------------------
 * For implementers of a way to authenticate.
 * ---------------------------------------------------------------------- */

#define RR_AUTHN_GROUP "rr_authn"
#define RR_AUTHN_VERSION "1"

typedef enum {
    RR_AUTHN_INVALID = 0, /* presented and wrong; also two different ones */
    RR_AUTHN_UNAVAILABLE, /* presented, cannot be judged now */
    RR_AUTHN_ABSENT,      /* nothing of this provider's was presented */
    RR_AUTHN_VERIFIED     /* presented and right: there are identities */
} rr_authn_outcome_e;

typedef struct rr_authn_result_t {
    rr_authn_outcome_e outcome;    /* as returned */
    const rr_identity_t *identities[RR_MAX_IDENTITIES]; /* VERIFIED: count of them, in the order presented */
    int count;
    const char *reason;            /* a word for audit and log: "expired", "unknown_key"; may be NULL */
    const char *detail;            /* a sentence the client may read; may be NULL */
    int foreign;                   /* ABSENT, though a source of ours held a credential of another shape */
} rr_authn_result_t;

/* One place in a request where a credential is read. */
typedef enum { RR_SOURCE_HEADER = 1, RR_SOURCE_QUERY, RR_SOURCE_COOKIE } rr_source_kind_e;

typedef struct rr_source_t {
    rr_source_kind_e kind;
    const char *name;   /* of the header, parameter or cookie */
    const char *scheme; /* header: the scheme before the credential; NULL: the bare value */
} rr_source_t;

typedef struct rr_authn_provider_t {
    int rank; /* place in the default order, lower is asked first: key 10, jwt 20 */

    /* Judges r. *result is zeroed but for outcome ABSENT. Must not touch r->user or headers_out. */
    rr_authn_outcome_e (*authenticate)(request_rec *r, rr_authn_result_t *result);

    /* Pushes the schemes to challenge with ("Bearer") for r's configuration onto names: const char *, at least one. */
    void (*schemes)(request_rec *r, apr_array_header_t *names);

    /* Places this provider reads for r's configuration: array of rr_source_t, borrowed from it; never NULL. */
    const apr_array_header_t *(*sources)(request_rec *r);
} rr_authn_provider_t;

#endif
