/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store.c: the store's directives, and the two questions that requests ask of it.
 *
 * A question costs no SQL while the revision stands: what was found is
 * remembered for the exact generation it was read at, and core_store_probe.c (or
 * RRStoreMaxAge) says whether that is still the store's. Expiry and state are
 * judged each time.
 */
#include "core_store.h"

#include "core_store_live.h"
#include "core_store_snapshot.h"

#include <http_core.h>

#include <apr_dbd.h>
#include <apr_strings.h>

typedef struct core_store_conf_t {
    const char *driver, *params;   /* NULL: none, or the main server's */
    const char *key_source;        /* RRMasterKey; NULL: the driver's default */
    apr_interval_time_t max_age;   /* -1: unset */
    const rr_keyring_t *ring;      /* read by check_config, as root; NULL: could not be */
    core_live_t *live;             /* of this child; written once, before there are threads */
} core_store_conf_t;

static core_store_conf_t *own_conf(cmd_parms *cmd)
{
    core_server_t *server = ap_get_module_config(cmd->server->module_config, &rr_core_module);

    if (!server->store) {
        server->store = apr_pcalloc(cmd->pool, sizeof(core_store_conf_t));
        server->store->max_age = -1;
    }
    return server->store;
}

const char *core_store_set_store(cmd_parms *cmd, void *dummy, const char *driver, const char *params)
{
    core_store_conf_t *conf = own_conf(cmd);

    (void)dummy;
    if (strcmp(driver, "sqlite3") && strcmp(driver, "pgsql")) {
        return apr_psprintf(cmd->pool, "RRStore %s: the driver is sqlite3 or pgsql", driver);
    }
    conf->driver = driver;
    conf->params = strcmp(driver, "sqlite3") ? params : ap_server_root_relative(cmd->pool, params);
    return conf->params && *conf->params ? NULL : "RRStore: a path, or connection parameters, have to follow the driver";
}

const char *core_store_set_master_key(cmd_parms *cmd, void *dummy, const char *source)
{
    (void)dummy;
    if (strncmp(source, "env:", 4) && strncmp(source, "exec:", 5)) {
        source = ap_server_root_relative(cmd->pool, source);
    }
    if (!source || !*source || !strcmp(source, "env:") || !strcmp(source, "exec:")) {
        return "RRMasterKey takes a path, env:NAME or exec:PROGRAM";
    }
    own_conf(cmd)->key_source = source;
    return NULL;
}

const char *core_store_set_max_age(cmd_parms *cmd, void *dummy, const char *time)
{
    core_store_conf_t *conf = own_conf(cmd);

    (void)dummy;
    if (rr_conf_duration(&conf->max_age, time) != APR_SUCCESS || conf->max_age < 0 ||
        conf->max_age > apr_time_from_sec(3600)) {
        conf->max_age = -1;
        return apr_psprintf(cmd->pool, "RRStoreMaxAge %s: expected a duration of 0 to 1h, such as 1s", time);
    }
    return NULL;
}

struct core_store_conf_t *core_store_merge(apr_pool_t *p, struct core_store_conf_t *base, struct core_store_conf_t *add)
{
    core_store_conf_t *merged;

    if (!base || !add) {
        return add ? add : base;
    }
    merged = apr_pmemdup(p, add, sizeof(*add));
    if (!add->driver) {
        merged->driver = base->driver;
        merged->params = base->params;
    }
    /* The key belongs to the store: another store does not take over the main server's. */
    if (!add->key_source && !add->driver) {
        merged->key_source = base->key_source;
    }
    if (add->max_age < 0) {
        merged->max_age = base->max_age;
    }
    return merged;
}

static core_store_conf_t *server_conf(const server_rec *s)
{
    core_server_t *server = ap_get_module_config(s->module_config, &rr_core_module);

    return server->store;
}

int core_store_is_configured(const server_rec *s)
{
    return server_conf(s) != NULL;
}

/* ---- startup ---- */

/* Whether the store could be used now, in words: why_no_key is why there is no conf->ring. */
static void try_store(server_rec *s, const core_store_conf_t *conf, const rr_err_t *why_no_key, apr_pool_t *pconf)
{
    const rr_key_digester_t *digester;
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store = NULL;
    apr_pool_t *ptemp;
    apr_status_t rv;

    apr_pool_create(&ptemp, pconf);
    rv = rr_store_open(&store, conf->driver, conf->params, ptemp, &err);
    if (rv == APR_SUCCESS) {
        rv = conf->ring ? rr_store_digester(&digester, store, conf->ring, ptemp, &err)
                        : rr_err_set(&err, why_no_key->status, why_no_key->where, "%s", rr_err_text(why_no_key));
    }
    if (rv != APR_SUCCESS) {
        RR_LOG_S(APLOG_WARNING, 0, s, 10705, "the store cannot be used yet, requests that need it get 503: %s",
                 rr_err_text(&err));
    }
    apr_pool_destroy(ptemp);
}

static int check_one(apr_pool_t *pconf, server_rec *s, core_store_conf_t *conf)
{
    const apr_dbd_driver_t *driver;
    rr_err_t err = RR_ERR_INIT;
    rr_keyring_t *ring = NULL;

    if (!conf->driver) {
        RR_LOG_S(APLOG_EMERG, 0, s, 10706, "RRMasterKey and RRStoreMaxAge need RRStore, which says what store they are for");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (apr_dbd_init(pconf) != APR_SUCCESS || apr_dbd_get_driver(pconf, conf->driver, &driver) != APR_SUCCESS) {
        RR_LOG_S(APLOG_EMERG, 0, s, 10707, "RRStore %s: APR cannot load its driver apr_dbd_%s; install the package "
                 "libaprutil1-dbd-%s", conf->driver, conf->driver, conf->driver);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!conf->key_source && !strcmp(conf->driver, "sqlite3")) {
        conf->key_source = apr_pstrcat(pconf, conf->params, ".key", NULL);
    }
    if (!conf->key_source) {
        RR_LOG_S(APLOG_EMERG, 0, s, 10708, "RRStore %s needs RRMasterKey: such a store has no file beside which its key "
                 "would lie", conf->driver);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    /* Here, while we may still be root: the children need not be able to read it. */
    rr_keyring_load(&ring, conf->key_source, pconf, &err);
    conf->ring = ring;
    try_store(s, conf, &err, pconf);
    return OK;
}

int core_store_check_config(apr_pool_t *pconf, server_rec *s)
{
    server_rec *main_server = s;

    for (; s; s = s->next) {
        core_store_conf_t *conf = server_conf(s);

        if (conf && (s == main_server || conf != server_conf(main_server)) && check_one(pconf, s, conf) != OK) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

static int same_store(const core_store_conf_t *a, const core_store_conf_t *b)
{
    return !strcmp(a->driver, b->driver) && !strcmp(a->params, b->params) && !strcmp(a->key_source, b->key_source);
}

void core_store_start_child(apr_pool_t *pchild, server_rec *main_server)
{
    server_rec *s, *other;

    for (s = main_server; s; s = s->next) {
        core_store_conf_t *conf = server_conf(s);

        if (!conf) {
            continue;
        }
        for (other = main_server; other != s && !conf->live; other = other->next) {
            core_store_conf_t *earlier = server_conf(other);

            if (earlier && same_store(earlier, conf)) {
                conf->live = earlier->live;
            }
        }
        if (!conf->live) {
            conf->live = core_live_make(s, conf->driver, conf->params, conf->key_source, conf->ring, pchild);
            if (conf->live) {
                core_live_start(conf->live, pchild);
            }
        }
    }
}

/* ---- who is asked ---- */

/* NULL with a sentence where there is no store. */
static core_live_t *live_of(const core_store_conf_t **pconf, request_rec *r, rr_err_t *err)
{
    *pconf = server_conf(r->server);
    if (!*pconf) {
        rr_err_set(err, RR_EUNAVAIL, "RRStore", "no store is configured");
        return NULL;
    }
    if (!(*pconf)->live) {
        rr_err_set(err, RR_EUNAVAIL, "RRStore", "this process could not set up its store");
    }
    return (*pconf)->live;
}

static apr_interval_time_t max_age(const core_store_conf_t *conf)
{
    return conf->max_age > 0 ? conf->max_age : 0;
}

/* ---- keys ---- */

typedef struct {
    core_live_t *live;
    const core_pepper_t *pepper;
    const unsigned char *inner; /* under which memory keeps it */
    unsigned char digest[RR_KEY_DIGEST_LEN]; /* under which the store does */
    apr_uint64_t before; /* the latest reading when this was asked */
    core_found_t *found;
    int meanwhile; /* found is what another request has found since */
    const rr_credential_t *credential;
    rr_revision_t revision;
} find_work_t;

typedef enum { IN_FOUND = 0, IN_DIGESTS, IN_MISSES, MEMORIES } memory_e; /* those without a lock first */

static int look_into(memory_e memory, core_found_t *found, core_live_t *live, const core_pepper_t *pepper,
                     const unsigned char *inner, apr_pool_t *p)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];

    switch (memory) {
    case IN_FOUND:
        return core_cache_get(found, core_live_keys(live), inner, p);
    case IN_DIGESTS:
        rr_key_outer(digest, pepper->digester, inner);
        memset(found, 0, sizeof(*found));
        found->status = APR_NOTFOUND;
        return core_digests_lack(&found->generation, core_live_digests(live), pepper->store, digest);
    default:
        return core_cache_get_miss(found, core_live_keys(live), inner);
    }
}

/* Many may have waited for a connection to ask for the same key: whoever came first asked for all. */
static int found_meanwhile(const find_work_t *work, apr_pool_t *p)
{
    core_view_t view;
    memory_e memory;

    if (core_known_view(&view, core_live_known(work->live)) && view.number > work->before) {
        for (memory = IN_FOUND; memory < MEMORIES; memory++) {
            if (look_into(memory, work->found, work->live, work->pepper, work->inner, p) &&
                work->found->generation == view.generation) {
                return 1;
            }
        }
    }
    return 0;
}

static apr_status_t find_key(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    find_work_t *work = baton;

    work->meanwhile = found_meanwhile(work, p);
    return work->meanwhile ? APR_SUCCESS
                           : rr_store_key_find(&work->credential, &work->revision, store, work->digest, p, err);
}

/*
 * Whether memory knows the key of that inner hash, as the store has it now. That no key is such has to hold now, whatever
 * the age: a key that nobody asked for before has no decision that could be old. Errors: the store's.
 */
static apr_status_t recall_key(int *knows, core_found_t *found, request_rec *r, core_live_t *live,
                               const core_store_conf_t *conf, const core_pepper_t *pepper, const unsigned char *inner,
                               rr_err_t *err)
{
    apr_uint64_t none = 0;
    apr_status_t rv = APR_SUCCESS;
    memory_e memory;

    *knows = 0;
    for (memory = IN_FOUND; memory < MEMORIES && rv == APR_SUCCESS && !*knows; memory++) {
        if (look_into(memory, found, live, pepper, inner, r->pool)) {
            rv = memory == IN_DIGESTS && max_age(conf)
                     ? core_live_holds(knows, &none, live, found->generation, 0, r->pool, err)
                     : core_live_holds(knows, &core_request(r)->proven, live, found->generation, max_age(conf), r->pool, err);
        }
    }
    return rv;
}

/* What that key is in the store. *pother: the store has another pepper than the hash was made with. */
static apr_status_t ask_key(core_found_t *found, int *pother, request_rec *r, core_live_t *live,
                            const core_pepper_t *pepper, const unsigned char *inner, rr_err_t *err)
{
    find_work_t work = { .live = live, .pepper = pepper, .inner = inner, .before = core_known_number(core_live_known(live)),
                         .found = found };
    core_reading_t reading;
    apr_status_t rv;

    rr_key_outer(work.digest, pepper->digester, inner);
    rv = core_live_run(&reading, live, find_key, &work, 1, r->pool, err);

    *pother = 0;
    if (work.meanwhile) {
        core_request(r)->proven = found->generation;
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(rv)) {
        return rv;
    }
    *pother = strcmp(work.revision.store, pepper->store) != 0; /* lint: ids of stores */
    found->status = rv;
    found->credential = work.credential;
    found->noted = NULL;
    found->generation = core_known_note(core_live_known(live), &work.revision, &reading, CORE_REVOKED_UNKNOWN);
    core_request(r)->proven = found->generation;
    if (*pother) { /* nothing was looked for that this store could have */
        return APR_SUCCESS;
    }
    core_cache_put(core_live_keys(live), inner, found, r->pool);
    if (rv != APR_SUCCESS && core_digests_missed(core_live_digests(live), found->generation)) {
        core_live_wake(live);
    }
    return APR_SUCCESS;
}

apr_status_t core_store_credential_find(const rr_credential_t **pfound, request_rec *r, rr_credential_kind_e kind,
                                        const char *secret, apr_size_t len, rr_err_t *err)
{
    unsigned char inner[RR_KEY_DIGEST_LEN];
    const core_pepper_t *pepper;
    const core_store_conf_t *conf;
    core_live_t *live = live_of(&conf, r, err);
    const char *store = NULL;
    core_found_t found;
    rr_err_t why;
    apr_status_t rv;
    apr_time_t now;
    int tries, knows, other = 1;

    *pfound = NULL;
    if (kind == RR_CREDENTIAL_KEY && rr_key_shape(secret, len) == RR_KEY_BROKEN) {
        return rr_err_set(err, RR_EINVAL, "key", "its checksum is wrong"); /* it never was a key: the store may be down */
    }
    if (!live) {
        return RR_EUNAVAIL;
    }
    rr_err_clear(&why);
    for (tries = 0; tries < 2 && other; tries++) {
        rv = core_live_pepper(&pepper, live, store, r->pool, err);
        if (rv != APR_SUCCESS) {
            return RR_EUNAVAIL;
        }
        rv = rr_key_inner(inner, pepper->digester, secret, len);
        if (rv != APR_SUCCESS) {
            return rr_err_set(err, rv == RR_EINVAL ? APR_NOTFOUND : rv, "key", "the secret cannot be digested");
        }
        rv = recall_key(&knows, &found, r, live, conf, pepper, inner, &why);
        if (rv == APR_SUCCESS && knows) {
            other = 0;
            break;
        }
        if (rv == APR_SUCCESS) {
            rv = ask_key(&found, &other, r, live, pepper, inner, &why);
        }
        if (rv == RR_EINVAL) { /* a row that somebody else wrote, and not the store at large */
            RR_LOG_R(APLOG_ERR, 0, r, 10710, "a key is refused: %s", rr_err_text(&why));
        }
        if (rv != APR_SUCCESS) {
            return rr_err_set(err, RR_EUNAVAIL, why.where, "%s", rr_err_text(&why));
        }
        store = ""; /* another store was put in the place of the one we knew: no pepper is its own, read it */
    }
    if (found.status != APR_SUCCESS || other) {
        return rr_err_set(err, APR_NOTFOUND, "key", "no such key");
    }
    now = apr_time_now();
    rv = rr_credential_judge(found.credential, kind, now, err);
    if (rv == APR_SUCCESS) {
        *pfound = found.credential;
        if (found.noted) {
            core_used_note(core_live_used(live), found.credential->key_id, found.noted, now);
        }
    }
    return rv;
}

/* ---- tokens ---- */

typedef struct {
    rr_token_t token;
    rr_revision_t revision;
} token_work_t;

static apr_status_t ask_token(void *baton, rr_store_t *store, apr_pool_t *p, rr_err_t *err)
{
    token_work_t *work = baton;

    return rr_store_token_revoked(&work->revision, store, &work->token, p, err);
}

/* Whether the store holds any revocation, and the generation of that answer. */
static apr_status_t any_revoked(core_view_t *view, request_rec *r, core_live_t *live, const core_store_conf_t *conf,
                                rr_err_t *err)
{
    apr_uint64_t *proven = &core_request(r)->proven;
    core_answer_t answer;
    apr_status_t rv;

    if (core_known_view(view, core_live_known(live)) && view->revoked != CORE_REVOKED_UNKNOWN &&
        (view->generation == *proven || core_live_is_fresh(live, view, max_age(conf), apr_time_now()))) {
        return APR_SUCCESS;
    }
    rv = core_live_ask(&answer, live, r->pool, err);
    if (rv == APR_SUCCESS) {
        view->revoked = answer.revoked;
        view->generation = *proven = answer.generation;
    }
    return rv;
}

apr_status_t core_store_token_revoked(request_rec *r, const char *issuer, const char *jti, const char *sub,
                                      apr_time_t iat, const unsigned char digest[32], rr_err_t *err)
{
    token_work_t work = { .token = { issuer, jti, sub, iat, digest } };
    const core_store_conf_t *conf = server_conf(r->server);
    core_reading_t reading;
    core_found_t found;
    core_live_t *live;
    core_view_t view;
    apr_status_t rv;

    if (!conf) {
        return APR_SUCCESS;
    }
    live = live_of(&conf, r, err);
    if (!live || any_revoked(&view, r, live, conf, err) != APR_SUCCESS) {
        return RR_EUNAVAIL;
    }
    if (view.revoked == CORE_REVOKED_NONE) {
        return APR_SUCCESS;
    }
    /* The generation was just proven; one that another thread noted since is newer, and not this one. */
    if (!core_cache_get(&found, core_live_tokens(live), digest, r->pool) || found.generation != view.generation) {
        rv = core_live_run(&reading, live, ask_token, &work, 1, r->pool, err);
        if (rv != APR_SUCCESS && rv != RR_EREVOKED) {
            return RR_EUNAVAIL;
        }
        memset(&found, 0, sizeof(found));
        found.status = rv;
        found.generation = core_known_note(core_live_known(live), &work.revision, &reading, CORE_REVOKED_UNKNOWN);
        core_cache_put(core_live_tokens(live), digest, &found, r->pool);
    }
    return found.status == APR_SUCCESS ? APR_SUCCESS : rr_err_set(err, RR_EREVOKED, "token", "the token was revoked");
}

/* ---- for the other modules ---- */

static apr_status_t run(request_rec *r, core_store_work_t work, void *baton, int again, rr_err_t *err)
{
    const core_store_conf_t *conf;
    core_live_t *live = live_of(&conf, r, err);
    core_reading_t reading;
    apr_status_t rv;
    apr_pool_t *p;

    if (!live) {
        return RR_EUNAVAIL;
    }
    if (!again) {
        core_request(r)->proven = 0; /* what it changes itself it sees at once */
    }
    apr_pool_create(&p, r->pool);
    rv = core_live_run(&reading, live, work, baton, again, p, err);
    apr_pool_destroy(p);
    return rv;
}

apr_status_t core_store_read(request_rec *r, core_store_work_t work, void *baton, rr_err_t *err)
{
    return run(r, work, baton, 1, err);
}

apr_status_t core_store_write(request_rec *r, core_store_work_t work, void *baton, rr_err_t *err)
{
    return run(r, work, baton, 0, err);
}

apr_status_t core_store_keyring(const rr_keyring_t **pring, request_rec *r, rr_err_t *err)
{
    const core_store_conf_t *conf;
    core_live_t *live = live_of(&conf, r, err);

    *pring = NULL;
    return live ? core_live_keyring(pring, live, err) : RR_EUNAVAIL;
}

const rr_snapshot_t *core_store_snapshot(request_rec *r, rr_err_t *err)
{
    const core_store_conf_t *conf;
    core_live_t *live = live_of(&conf, r, err);

    return live ? core_snapshots_pin(&core_request(r)->proven, core_live_snapshots(live), live, max_age(conf), r->pool,
                                     err)
                : NULL;
}
