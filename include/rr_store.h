/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store.h: what the store holds and how it is read.
 *
 * One rr_store_t is one database connection, used by one thread at a time, for
 * one statement or transaction. Pooling, back-off and logging are the caller's
 * (mod_rr_core); meaning of rows and statements are here, for httpd and rrctl alike.
 *
 * Errors common to all calls: RR_EUNAVAIL (the database failed; the connection
 * is then broken and has to be closed), RR_ECONFLICT (a constraint refused the
 * write). Writes belong between rr_store_begin and rr_store_commit.
 */
#ifndef RR_STORE_H
#define RR_STORE_H

#include "rr_digests.h"
#include "rr_json.h"
#include "rr_key.h"
#include "rr_secret.h"

#include <apr_time.h>

/* Kinds of credential that a caller's secret can be (design section 3). */
typedef enum {
    RR_CREDENTIAL_UNKNOWN = 0,
    RR_CREDENTIAL_KEY,        /* an API key */
    RR_CREDENTIAL_BEARER,     /* a static bearer token */
    RR_CREDENTIAL_BASIC,      /* user and password: the secret is USER:PASSWORD */
    RR_CREDENTIAL_JWT,        /* a JWT-shaped string recognised by its digest */
    RR_CREDENTIAL_JWT_VERIFY, /* tokens verified by a key set */
    RR_CREDENTIAL_NONE,       /* no credential asked */
    RR_CREDENTIAL_OAUTH2,     /* target only */
    RR_CREDENTIAL_CUSTOM      /* target only */
} rr_credential_kind_e;

/** The kind's word ("key", "jwtVerify"), as API and store write it; NULL for UNKNOWN. */
const char *rr_credential_kind_word(rr_credential_kind_e kind);

/** The kind of a word, apiKey and basicAuth being spellings of key and basic; UNKNOWN for any other. */
rr_credential_kind_e rr_credential_kind(const char *word);

/* A proxy credential found by the secret that a caller presented. */
typedef struct rr_credential_t {
    rr_credential_kind_e kind;
    int active;               /* credentialActive */
    const char *id;           /* credential's id */
    const char *client;       /* client's id */
    const char *name;         /* credentialName */
    const char *full_name;    /* CLIENT/NAME */
    const char *key_id;       /* id of the key row that matched */
    const char *hint;         /* of that key; never enough to use it */
    apr_time_t expires;       /* the earlier end of credential and key, microseconds since the epoch; 0: none */
    const rr_json_t *metadata;        /* credentialMetadata: an object, or NULL */
    const char *sub;                  /* metadata's userId, else CLIENT/NAME; never NULL nor empty */
    const apr_array_header_t *scopes; /* const char *: credentialScopes, and metadata's that claim no power over the
                                         gateway; never NULL */
    const char *scope;                /* the same, blank-separated; never NULL */
} rr_credential_t;

/**
 * Whether a found credential lets a caller in as that kind, now.
 *
 * Errors: APR_NOTFOUND (of another kind), RR_EREVOKED (inactive), RR_EEXPIRED.
 */
apr_status_t rr_credential_judge(const rr_credential_t *credential, rr_credential_kind_e kind, apr_time_t now,
                                 rr_err_t *err);

typedef struct rr_store_t rr_store_t;

/* ---- ids and names ---- */

#define RR_ID_PREFIX "rrid_" /* of every id we make; no name, alias or chosen client id may begin with it */
#define RR_ID_LEN 27         /* prefix and 22 base62 characters: 131 random bits */

/** A new id, in p. */
apr_status_t rr_id_make(const char **pid, apr_pool_t *p, rr_err_t *err);

/** Whether text has the form of an id that we make. */
int rr_id_is(const char *text);

/**
 * Whether text may name a credential, target or proxy: 1 to RR_MAX_NAME bytes of UTF-8 without control
 * characters, '/', blanks at either end, or the form of an id. where names the field in err. RR_EINVAL.
 */
apr_status_t rr_name_check(const char *text, const char *where, rr_err_t *err);

/**
 * Whether text may be a client's id or a proxy's alias: 1 to RR_MAX_NAME of A-Z a-z 0-9 . _ ~ -, not beginning
 * with '.' or as an id, so that it is one path segment, one word of a shell and one scope. RR_EINVAL.
 */
apr_status_t rr_word_check(const char *text, const char *where, rr_err_t *err);

/* ---- one connection ---- */

#define RR_STORE_SCHEMA 1 /* version of the schema that this library speaks */

/* What the store holds at one moment: equal revisions mean equal rows. Last-used times are outside it. */
typedef struct rr_revision_t {
    char store[RR_ID_LEN + 1]; /* the store's own id */
    apr_int64_t n;             /* raised by trigger in every transaction that writes */
} rr_revision_t;

int rr_revision_equal(const rr_revision_t *a, const rr_revision_t *b);

/**
 * Connects to a store of exactly our schema.
 *
 * Ownership: *pstore is closed by rr_store_close or with p; all it needs lives in p.
 * Errors:    RR_EINVAL (driver), RR_ESCHEMA (no store, or another version: err says what to run), RR_EUNAVAIL.
 */
apr_status_t rr_store_open(rr_store_t **pstore, const char *driver, const char *params, apr_pool_t *p, rr_err_t *err);

void rr_store_close(rr_store_t *store);

/** True once a statement failed: close it, its state is unknown. */
int rr_store_is_broken(const rr_store_t *store);

/** True for a sqlite3 store in WAL mode, which cannot change while this connection is open. */
int rr_store_has_wal(rr_store_t *store, apr_pool_t *p);

/**
 * Makes the schema, the store's id, a pepper sealed by ring, and the client `default`.
 *
 * Errors: RR_ECONFLICT: there is a store already; nothing was changed.
 */
apr_status_t rr_store_init(const char *driver, const char *params, const rr_keyring_t *ring, apr_pool_t *p,
                           rr_err_t *err);

/**
 * Brings an older schema to ours in one transaction; *pfrom is the version found.
 *
 * Errors: RR_ESCHEMA: no store, or a newer one (never taken backward).
 */
apr_status_t rr_store_migrate(int *pfrom, const char *driver, const char *params, apr_pool_t *p, rr_err_t *err);

/** The digester of the store's pepper, which ring opens. RR_ESEALED. *pdigester lives in p. */
apr_status_t rr_store_digester(const rr_key_digester_t **pdigester, rr_store_t *store, const rr_keyring_t *ring,
                               apr_pool_t *p, rr_err_t *err);

/** Reads the committed revision; RR_ESCHEMA if the schema was changed meanwhile. */
apr_status_t rr_store_revision(rr_revision_t *revision, rr_store_t *store, apr_pool_t *p, rr_err_t *err);

/** Begins the one writing transaction: others wait, so that what was checked stays true until it ends. */
apr_status_t rr_store_begin(rr_store_t *store, apr_pool_t *p, rr_err_t *err);

/** Begins a reading transaction: all its reads see one revision, and hold up no writer. */
apr_status_t rr_store_begin_read(rr_store_t *store, rr_err_t *err);

/** RR_EUNAVAIL: nothing of it counts. */
apr_status_t rr_store_commit(rr_store_t *store, rr_err_t *err);
void rr_store_rollback(rr_store_t *store);

/**
 * Looks for what no crash may leave behind: damage, dangling references, missing triggers, JSON that does not
 * parse, secrets that ring does not open. found is called with a sentence for each; ring may be NULL (secrets
 * are then not opened). *pcount counts them.
 */
apr_status_t rr_store_check(int *pcount, rr_store_t *store, const rr_keyring_t *ring,
                            void (*found)(void *baton, const char *sentence), void *baton, apr_pool_t *p,
                            rr_err_t *err);

/** Seals again, by ring's first key, every secret that another one sealed; *pcount of them. In a transaction. */
apr_status_t rr_store_reseal(int *pcount, rr_store_t *store, const rr_keyring_t *ring, apr_pool_t *p, rr_err_t *err);

/* ---- the hot path ---- */

/**
 * Finds the proxy credential of the key with that digest, whatever its kind, state and expiry (rr_credential_judge),
 * and the revision it was read at, in one statement.
 *
 * Ownership: *pfound lives in p.
 * Errors:    APR_NOTFOUND, *revision being set; RR_ESCHEMA; RR_EINVAL: the row is not as we write it, err names it.
 */
apr_status_t rr_store_key_find(const rr_credential_t **pfound, rr_revision_t *revision, rr_store_t *store,
                               const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err);

/** Asked before each part of a long reading, which began at that revision: whether to go on. */
typedef int (*rr_digests_go_on_t)(void *baton, const rr_revision_t *revision);

/**
 * Reads, in a transaction of its own, the digests of all keys of one revision: whatever rr_store_key_find finds at that
 * revision is among them.
 *
 * Ownership: *pdigests is ended by rr_digests_free; NULL without an error: go_on said no, or there are more than room.
 * Errors:    RR_ESCHEMA; RR_EINVAL: rows that are not as we write them; APR_ENOMEM: room is for more than
 *            RR_MAX_DIGESTS, or no memory.
 */
apr_status_t rr_store_digests(rr_digests_t **pdigests, rr_store_t *store, apr_int64_t room, rr_digests_go_on_t go_on,
                              void *baton, apr_pool_t *p, rr_err_t *err);

/* What a token is revoked by. */
typedef struct rr_token_t {
    const char *issuer;           /* iss */
    const char *jti;              /* may be NULL */
    const char *sub;              /* may be NULL */
    apr_time_t issued;            /* iat, microseconds; 0: none, which counts as before every revocation */
    const unsigned char *digest;  /* SHA-256 of the signing input: 32 bytes */
} rr_token_t;

/** Whether any revocation is kept, and the revision of that answer: where there is none, no token need be looked up. */
apr_status_t rr_store_revocation_any(int *pany, rr_revision_t *revision, rr_store_t *store, apr_pool_t *p,
                                     rr_err_t *err);

/** APR_SUCCESS: not revoked. RR_EREVOKED. *revision is what was read. */
apr_status_t rr_store_token_revoked(rr_revision_t *revision, rr_store_t *store, const rr_token_t *token, apr_pool_t *p,
                                    rr_err_t *err);

/* ---- rows. Texts are borrowed for a write, live in p after a read; times are microseconds since the epoch, 0: none ---- */

typedef struct rr_client_t {
    const char *id, *name;
    apr_time_t created;
} rr_client_t;

apr_status_t rr_store_client_add(rr_store_t *store, const rr_client_t *client, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_client_get(const rr_client_t **pclient, rr_store_t *store, const char *id, apr_pool_t *p,
                                 rr_err_t *err);

/** Those after the id `after` ("" for the first page), by id. Array of rr_client_t *. */
apr_status_t rr_store_client_list(apr_array_header_t **pclients, rr_store_t *store, const char *after, int limit,
                                  apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_client_update(rr_store_t *store, const rr_client_t *client, apr_pool_t *p, rr_err_t *err);

/** RR_ECONFLICT: it has credentials, targets or proxies. */
apr_status_t rr_store_client_delete(rr_store_t *store, const char *id, apr_pool_t *p, rr_err_t *err);

typedef struct rr_credential_row_t {
    const char *id, *client;
    int target;                /* credentialType: 0 proxy, 1 target */
    rr_credential_kind_e kind; /* credentialAuthType */
    const char *name;
    const char *region;         /* may be NULL */
    const char *scopes;         /* JSON array of strings; never NULL */
    const char *metadata;       /* JSON object; NULL: none */
    const char *default_effect; /* "allow", "deny"; NULL: not set */
    int active;
    apr_time_t expires;
    const char *origins; /* JSON array of the origins a target credential is bound to; NULL: not yet bound */
    const char *params;  /* JSON object: credentialSecret, its secrets masked; NULL: none */
    const char *secret;  /* credentialSecret, a JSON object, sealed for rr_credential_context(id); NULL: there is nothing
                            to replay (what callers present are digests in their own table), or it was not given yet */
    apr_time_t created, updated;
} rr_credential_row_t;

/** The row identity that a credential's secret is sealed for. */
const char *rr_credential_context(apr_pool_t *p, const char *id);

/** RR_ECONFLICT: client has one of that type and name. APR_NOTFOUND: no such client. */
apr_status_t rr_store_credential_add(rr_store_t *store, const rr_credential_row_t *row, apr_pool_t *p, rr_err_t *err);

/** By id; client NULL: of any client. APR_NOTFOUND. */
apr_status_t rr_store_credential_get(const rr_credential_row_t **prow, rr_store_t *store, const char *client,
                                     const char *id, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_credential_by_name(const rr_credential_row_t **prow, rr_store_t *store, const char *client,
                                         int target, const char *name, apr_pool_t *p, rr_err_t *err);

apr_status_t rr_store_credential_list(apr_array_header_t **prows, rr_store_t *store, const char *client,
                                      const char *after, int limit, apr_pool_t *p, rr_err_t *err);

/** All but id, client, type, kind and created. */
apr_status_t rr_store_credential_update(rr_store_t *store, const rr_credential_row_t *row, apr_pool_t *p, rr_err_t *err);

/** Base URLs of the targets that a proxy joins this target credential to. Array of const char *. */
apr_status_t rr_store_credential_targets(apr_array_header_t **purls, rr_store_t *store, const char *id, apr_pool_t *p,
                                         rr_err_t *err);

/* A proxy that keeps something in use. */
typedef struct rr_user_t {
    const char *id, *name;
} rr_user_t;
typedef enum { RR_USERS_OF_CREDENTIAL = 0, RR_USERS_OF_TARGET } rr_users_e; /* of a target credential; of a target */

/** The first 100 proxies that use it. Array of rr_user_t *. */
apr_status_t rr_store_users(apr_array_header_t **pusers, rr_store_t *store, rr_users_e of, const char *id, apr_pool_t *p,
                            rr_err_t *err);

/** With its keys, rules and filters. A proxy that names it refuses from then on; RR_ECONFLICT: a proxy's target credential. */
apr_status_t rr_store_credential_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p,
                                        rr_err_t *err);

typedef struct rr_key_row_t {
    const char *id, *credential;
    const char *client, *name; /* of the credential: read only */
    const char *hint;
    apr_time_t expires, created;
    apr_time_t used; /* read only, within the flush interval of the servers */
} rr_key_row_t;

/** RR_ECONFLICT: the value is a key of some credential already. */
apr_status_t rr_store_key_add(rr_store_t *store, const rr_key_row_t *row,
                              const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err);

/** The key of that digest and its credential; NULL: nobody has it. */
apr_status_t rr_store_key_owner(const char **pid, const char **pcredential, rr_store_t *store,
                                const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err);

/** Deletes every key of the credential but the one of that digest; *pcount of them. */
apr_status_t rr_store_key_delete_others(int *pcount, rr_store_t *store, const char *credential,
                                        const unsigned char digest[RR_KEY_DIGEST_LEN], apr_pool_t *p, rr_err_t *err);

/** By id; client NULL: of any client. APR_NOTFOUND. */
apr_status_t rr_store_key_get(const rr_key_row_t **prow, rr_store_t *store, const char *client, const char *id,
                              apr_pool_t *p, rr_err_t *err);

/**
 * Keys of one credential, or of all of client's if credential is NULL, by id: at most limit of those after the
 * id `after` ("" for the first page). Array of rr_key_row_t *.
 */
apr_status_t rr_store_key_list(apr_array_header_t **prows, rr_store_t *store, const char *client,
                               const char *credential, const char *after, int limit, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_key_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p, rr_err_t *err);

/** Ends every key of the credential at that time; one that ends earlier keeps its end. */
apr_status_t rr_store_key_end_all(rr_store_t *store, const char *credential, apr_time_t end, apr_pool_t *p,
                                  rr_err_t *err);

/* A key and when it was last let in. */
typedef struct rr_key_use_t {
    const char *key_id;
    apr_time_t used;
} rr_key_use_t;

/** Notes uses in a transaction of its own; later times win, keys that are gone are skipped, the revision stays. */
apr_status_t rr_store_keys_used(rr_store_t *store, const rr_key_use_t *uses, int count, apr_pool_t *p, rr_err_t *err);

typedef struct rr_target_row_t {
    const char *id, *client, *name;
    const char *base_url;
    const char *test_path, *region; /* may be NULL */
    const char *default_effect;     /* "allow", "deny"; NULL: not set */
    apr_time_t created, updated;
} rr_target_row_t;

/** RR_ECONFLICT: client has one of that name. */
apr_status_t rr_store_target_add(rr_store_t *store, const rr_target_row_t *row, apr_pool_t *p, rr_err_t *err);

/** By id of one client. APR_NOTFOUND. */
apr_status_t rr_store_target_get(const rr_target_row_t **prow, rr_store_t *store, const char *client, const char *id,
                                 apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_target_by_name(const rr_target_row_t **prow, rr_store_t *store, const char *client,
                                     const char *name, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_target_list(apr_array_header_t **prows, rr_store_t *store, const char *client, const char *after,
                                  int limit, apr_pool_t *p, rr_err_t *err);

/** All but id, client and created. */
apr_status_t rr_store_target_update(rr_store_t *store, const rr_target_row_t *row, apr_pool_t *p, rr_err_t *err);

/** With its rules and filters. RR_ECONFLICT: a proxy's target. */
apr_status_t rr_store_target_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p, rr_err_t *err);

/** Target credentials that a proxy joins to this target. Array of rr_credential_row_t *. */
apr_status_t rr_store_target_credentials(apr_array_header_t **prows, rr_store_t *store, const char *id, apr_pool_t *p,
                                         rr_err_t *err);

typedef struct rr_proxy_row_t {
    const char *id, *client, *name;
    const char *alias, *region;            /* may be NULL */
    const apr_array_header_t *credentials; /* const char *: proxy credentials in order; NULL: one that was deleted */
    int all;                               /* proxyCredentialMode: 0 any, 1 all */
    const char *target;
    const char *target_credential; /* NULL: none */
    const char *default_effect;    /* "allow" or "deny" */
    int active;
    const char *identity_headers;  /* JSON object; NULL: none */
    const char *forward_headers;   /* JSON array; NULL: none */
    apr_time_t created, updated;
} rr_proxy_row_t;

/** Target and credentials are of the same client. RR_ECONFLICT: client has one of that name, or somebody the alias. */
apr_status_t rr_store_proxy_add(rr_store_t *store, const rr_proxy_row_t *row, apr_pool_t *p, rr_err_t *err);

/** By id of one client. APR_NOTFOUND. */
apr_status_t rr_store_proxy_get(const rr_proxy_row_t **prow, rr_store_t *store, const char *client, const char *id,
                                apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_proxy_by_name(const rr_proxy_row_t **prow, rr_store_t *store, const char *client, const char *name,
                                    apr_pool_t *p, rr_err_t *err);

/** The id of the proxy, any client's, that has the alias; APR_NOTFOUND. */
apr_status_t rr_store_proxy_by_alias(const char **pid, rr_store_t *store, const char *alias, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_proxy_list(apr_array_header_t **prows, rr_store_t *store, const char *client, const char *after,
                                 int limit, apr_pool_t *p, rr_err_t *err);

/** All but id, client and created. */
apr_status_t rr_store_proxy_update(rr_store_t *store, const rr_proxy_row_t *row, apr_pool_t *p, rr_err_t *err);

/** With its rules and filters. */
apr_status_t rr_store_proxy_delete(rr_store_t *store, const char *client, const char *id, apr_pool_t *p, rr_err_t *err);

typedef enum { RR_OWNER_PROXY = 0, RR_OWNER_CREDENTIAL, RR_OWNER_TARGET } rr_owner_e;

/* A rule or a filter, which hangs on a proxy, credential or target. */
typedef struct rr_attached_row_t {
    const char *id, *client;
    rr_owner_e of;
    const char *owner; /* id of what it hangs on */
    const char *body;  /* JSON, normalised */
    apr_time_t created;
} rr_attached_row_t;

apr_status_t rr_store_attached_add(rr_store_t *store, int filter, const rr_attached_row_t *row, apr_pool_t *p,
                                   rr_err_t *err);

/** By id, of that client, on that owner. APR_NOTFOUND. */
apr_status_t rr_store_attached_get(const rr_attached_row_t **prow, rr_store_t *store, int filter, const char *client,
                                   rr_owner_e of, const char *owner, const char *id, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_attached_list(apr_array_header_t **prows, rr_store_t *store, int filter, const char *client,
                                    rr_owner_e of, const char *owner, const char *after, int limit, apr_pool_t *p,
                                    rr_err_t *err);

/** How many hang on that owner. */
apr_status_t rr_store_attached_count(apr_int64_t *pcount, rr_store_t *store, int filter, const char *client,
                                     rr_owner_e of, const char *owner, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_attached_delete(rr_store_t *store, int filter, const char *client, const char *id, apr_pool_t *p,
                                      rr_err_t *err);

typedef struct rr_revocation_row_t {
    const char *id;
    const char *client;         /* whose administrator made it; NULL: the operator's */
    const char *issuer;         /* NULL with digest */
    const char *jti;            /* one of jti, sub with issued_before, digest */
    const char *sub;
    apr_time_t issued_before;   /* tokens issued before it, and tokens without iat */
    const unsigned char *digest; /* SHA-256 of the signing input; write only */
    apr_time_t expires;         /* when every token it can hit has ended: prunable from then; 0: kept */
    apr_time_t created;
} rr_revocation_row_t;

apr_status_t rr_store_revocation_add(rr_store_t *store, const rr_revocation_row_t *row, apr_pool_t *p, rr_err_t *err);

/** client NULL: of every client, and the operator's. APR_NOTFOUND. digest is not read. */
apr_status_t rr_store_revocation_get(const rr_revocation_row_t **prow, rr_store_t *store, const char *client,
                                     const char *id, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_revocation_list(apr_array_header_t **prows, rr_store_t *store, const char *client,
                                      const char *after, int limit, apr_pool_t *p, rr_err_t *err);
apr_status_t rr_store_revocation_delete(rr_store_t *store, const char *id, apr_pool_t *p, rr_err_t *err);

/** Removes what ended before now. */
apr_status_t rr_store_revocation_prune(int *pcount, rr_store_t *store, apr_time_t now, apr_pool_t *p, rr_err_t *err);

#endif
