/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_snapshot.h: the compiled, immutable picture of one revision of the store:
 * proxies, and what they are made of.
 *
 * Keys are not in it: there may be very many, and each is found by its digest
 * (rr_store_key_find). A row that cannot be used (a secret that does not open,
 * JSON that does not parse, something missing) closes what depends on it, in
 * words, and nothing else.
 */
#ifndef RR_SNAPSHOT_H
#define RR_SNAPSHOT_H

#include "rr_filter.h"
#include "rr_jose.h"
#include "rr_rule.h"
#include "rr_store.h"

typedef struct rr_snapshot_t rr_snapshot_t; /* any thread may read it as long as its pool lives */

/* What hangs on a credential, target or proxy; compiled once, and kept from picture to picture while it does not change. */
typedef struct rr_attached_t {
    const rr_ruleset_t *rules;   /* NULL: none */
    const rr_filters_t *filters; /* NULL: none */
    const char *closed;          /* why it cannot be used: a rule or filter that does not parse; NULL: it can */
} rr_attached_t;

#define RR_MAX_VERIFIER_URL 2048 /* bytes of a stored issuer or jwksUri: what the management API takes */

/* What a jwtVerify credential trusts, ready to be used. */
typedef struct rr_verifier_t {
    const char *name;          /* CLIENT/NAME */
    rr_claims_policy_t policy; /* issuer NULL: no token is for it */
    const char *jwks_url;      /* where its keys are; NULL: keys has them, or closed */
    const rr_jwks_t *keys;     /* its secret; NULL: jwks_url has them, or closed */
    unsigned char named[32];   /* SHA-256 of the secret or jwks_url: the same in every snapshot while that is the same */
    const char *closed;        /* why nothing is verified by it, as a sentence; NULL: it is */
} rr_verifier_t;

/* A credential that a proxy names, or any target credential. */
typedef struct rr_party_t {
    const char *id, *client, *name;
    rr_credential_kind_e kind;
    int active;
    apr_time_t expires;               /* microseconds since the epoch; 0: none */
    const apr_array_header_t *scopes; /* const char *; never NULL */
    const rr_json_t *metadata;        /* an object, or NULL */
    const rr_json_t *params;          /* what of credentialSecret is not secret: an object, or NULL */
    const char *header, *prefix, *query; /* members of params, where a credential is read or sent; NULL: none */
    const rr_json_t *origins;         /* an array, or NULL: not bound yet */
    const rr_secret_t *secret;        /* opened; NULL: it has none, or closed */
    const char *default_effect;       /* "allow", "deny", or NULL */
    const char *closed;               /* why it cannot be used; NULL: it can */
    const rr_verifier_t *verifier;    /* of a jwtVerify credential, never NULL there; NULL: it is none */
    rr_attached_t attached;
} rr_party_t;

typedef struct rr_target_t {
    const char *id, *client, *name;
    const char *base_url;
    const char *default_effect; /* "allow", "deny", or NULL */
    rr_attached_t attached;
} rr_target_t;

typedef struct rr_proxy_t {
    const char *id, *client, *name;
    const char *alias;                     /* NULL: none */
    int active;
    int all;                               /* every credential is needed, else any one */
    const apr_array_header_t *credentials; /* const rr_party_t *, in order; NULL elements were deleted: they match nobody */
    const rr_target_t *target;
    const rr_party_t *target_credential;   /* NULL: none */
    const char *default_effect;            /* "allow" or "deny" */
    const rr_json_t *identity_headers;     /* an object, or NULL */
    const rr_json_t *forward_headers;      /* an array, or NULL */
    const char *closed;                    /* why it cannot be used, for whatever reason; NULL: it can */
    rr_attached_t attached;
} rr_proxy_t;

/**
 * Reads everything in one transaction, so that all of it belongs to one revision.
 *
 * previous (NULL: none) is the picture before: what did not change is taken over from it.
 *
 * Ownership: *psnapshot and all it leads to lives until p ends, also after previous ended; secrets are wiped with p.
 *            ptemp is scratch.
 * Threads:   the store's connection for one transaction.
 * Errors:    RR_EUNAVAIL, RR_ESCHEMA; *psnapshot is then NULL.
 */
apr_status_t rr_snapshot_read(const rr_snapshot_t **psnapshot, const rr_snapshot_t *previous, rr_store_t *store,
                              const rr_keyring_t *ring, apr_pool_t *p, apr_pool_t *ptemp, rr_err_t *err);

const rr_revision_t *rr_snapshot_revision(const rr_snapshot_t *snapshot);

/** The proxy of that id, else of that alias, else named CLIENT/NAME; NULL: none. */
const rr_proxy_t *rr_snapshot_proxy(const rr_snapshot_t *snapshot, const char *name);

/** The target credential named CLIENT/NAME; NULL: none. */
const rr_party_t *rr_snapshot_target_credential(const rr_snapshot_t *snapshot, const char *name);

/** The credential of that id if a proxy names it or it is a target credential; NULL: none. */
const rr_party_t *rr_snapshot_party(const rr_snapshot_t *snapshot, const char *id);

/** Whether a credential of that kind is among those that proxy accepts; proxy may be NULL. */
int rr_proxy_accepts(const rr_proxy_t *proxy, rr_credential_kind_e kind);

/* Whether who (the asker's own idea of a caller) proved that credential; NULL: one that was deleted, which nobody did. */
typedef int (*rr_proved_t)(const void *who, const rr_party_t *credential);

/** Whether what the caller proved opens the proxy: one of its credentials, or each (proxyCredentialMode all). */
int rr_proxy_admits(const rr_proxy_t *proxy, rr_proved_t proved, const void *who);

/** Whether proxy says itself that anybody may come: by a live credential of the kind none; not one that wants all of its. */
int rr_proxy_is_open(const rr_proxy_t *proxy);

/**
 * Whether a credential of proxy's has a say (rules, filters) over who: one that is proved, and for those who prove
 * none of them the live ones of the kind none.
 */
int rr_proxy_hears(const rr_proxy_t *proxy, const rr_party_t *party, rr_proved_t proved, const void *who);

/** Adds a scope; the new count. Where there is no room the last one becomes a denial: no rule goes unheard. */
int rr_scopes_add(rr_scope_t scopes[RR_MAX_RULE_SCOPES], int count, rr_scope_kind_e kind, const char *name,
                  const rr_ruleset_t *rules, rr_effect_e effect);

/** Adds the scopes that judge a caller of proxy; the new count. Scopes borrow from proxy. */
int rr_scopes_add_proxy(rr_scope_t scopes[RR_MAX_RULE_SCOPES], int count, const rr_proxy_t *proxy, rr_proved_t proved,
                        const void *who);

/**
 * Calls visit for every credential and proxy that is closed and was not so, for the same reason, in previous (NULL:
 * none): so that each is named in the log once. name is "credential CLIENT/NAME" or "proxy CLIENT/NAME".
 *
 * Threads: the one that made snapshot, before others see it.
 */
void rr_snapshot_closed(const rr_snapshot_t *snapshot, const rr_snapshot_t *previous,
                        void (*visit)(void *baton, const char *name, const char *why), void *baton);

#endif
