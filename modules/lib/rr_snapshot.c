/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_snapshot.c: rows to objects that point at each other.
 */
#include "rr_compiled.h"
#include "rr_snapshot.h"
#include "rr_store_int.h"
#include "rr_verifier.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include <string.h>

struct rr_snapshot_t {
    rr_revision_t revision;
    apr_hash_t *parties;       /* by id: rr_party_t */
    apr_hash_t *party_names;   /* target credentials by CLIENT/NAME */
    apr_hash_t *targets;       /* by id: rr_target_t */
    apr_hash_t *proxies;       /* by id: rr_proxy_t */
    apr_hash_t *proxy_names;   /* by alias, and by CLIENT/NAME: neither has the form of an id, one has a '/' */
    apr_hash_t *compiled;      /* by id of the owner: rr_compiled_t, in use by this snapshot */
};

/* What one reading works with. */
typedef struct {
    rr_snapshot_t *snapshot;
    const rr_snapshot_t *previous; /* NULL: none */
    rr_store_t *store;
    const rr_keyring_t *ring;
    apr_pool_t *p, *ptemp;
    apr_hash_t *attached; /* by id of the owner: rr_compiled_rows_t, in scratch */
    rr_err_t *err;
} reading_t;

typedef void row_reader_t(reading_t *reading, rr_sql_row_t row);

static apr_status_t read_rows(reading_t *reading, rr_sql_e statement, row_reader_t *reader)
{
    apr_array_header_t *rows;
    apr_status_t rv = rr_sql_select(&rows, reading->store->sql, statement, RR_SQL_NONE, reading->ptemp, reading->err);
    int i;

    for (i = 0; rv == APR_SUCCESS && i < rows->nelts; i++) {
        reader(reading, APR_ARRAY_IDX(rows, i, rr_sql_row_t));
    }
    return rv;
}

/* NULL stays NULL: rows are in scratch, what is kept is copied. */
static const char *keep(reading_t *reading, const char *text)
{
    return apr_pstrdup(reading->p, text);
}

static const char *full_name(reading_t *reading, const char *client, const char *name)
{
    return apr_pstrcat(reading->p, client, "/", name, NULL);
}

/* JSON of a column; what does not parse closes the object that it belongs to. */
static const rr_json_t *read_json(reading_t *reading, const char *text, const char *column, const char **pclosed)
{
    const rr_json_t *value = NULL;
    rr_err_t quiet = RR_ERR_INIT;

    if (text && rr_json_parse(&value, text, strlen(text), reading->p, &quiet) != APR_SUCCESS) {
        *pclosed = apr_psprintf(reading->p, "its %s is not JSON", column);
    }
    return value;
}

static void read_party(reading_t *reading, rr_sql_row_t row)
{
    const rr_credential_row_t *from = rr_credential_row(row, reading->ptemp);
    rr_party_t *party = apr_pcalloc(reading->p, sizeof(*party));
    rr_secret_t *secret;
    rr_err_t quiet = RR_ERR_INIT;

    party->id = keep(reading, from->id);
    party->client = keep(reading, from->client);
    party->name = keep(reading, from->name);
    party->kind = from->kind;
    party->active = from->active;
    party->expires = from->expires;
    party->default_effect = keep(reading, from->default_effect);
    party->scopes = rr_json_words(reading->p, read_json(reading, from->scopes, "credentialScopes", &party->closed));
    party->metadata = read_json(reading, from->metadata, "credentialMetadata", &party->closed);
    party->params = read_json(reading, from->params, "credentialSecret", &party->closed);
    party->header = rr_json_string(rr_json_member(party->params, "header"));
    party->prefix = rr_json_string(rr_json_member(party->params, "prefix"));
    party->query = rr_json_string(rr_json_member(party->params, "query"));
    party->origins = read_json(reading, from->origins, "credentialAllowedOrigins", &party->closed);
    if (party->kind == RR_CREDENTIAL_UNKNOWN) {
        party->closed = "it is of an unknown kind";
    }
    if (from->secret && !reading->ring) {
        party->closed = "there is no master key to open its secret";
    }
    else if (from->secret) {
        if (rr_secret_open(&secret, reading->ring, rr_credential_context(reading->ptemp, from->id), from->secret,
                           reading->p, &quiet) == APR_SUCCESS) {
            party->secret = secret;
        }
        else {
            party->closed = keep(reading, rr_err_text(&quiet));
        }
    }
    if (party->kind == RR_CREDENTIAL_JWT_VERIFY) {
        party->verifier = rr_verifier_make(party, reading->p);
    }
    apr_hash_set(reading->snapshot->parties, party->id, APR_HASH_KEY_STRING, party);
    if (from->target) {
        apr_hash_set(reading->snapshot->party_names, full_name(reading, party->client, party->name),
                     APR_HASH_KEY_STRING, party);
    }
}

/* id, client, name, base_url, default_effect */
static void read_target(reading_t *reading, rr_sql_row_t row)
{
    rr_target_t *target = apr_pcalloc(reading->p, sizeof(*target));

    target->id = keep(reading, row[0]);
    target->client = keep(reading, row[1]);
    target->name = keep(reading, row[2]);
    target->base_url = keep(reading, row[3]);
    target->default_effect = keep(reading, row[4]);
    apr_hash_set(reading->snapshot->targets, target->id, APR_HASH_KEY_STRING, target);
}

/* id, client, name, alias, credential_mode, target, target_credential, default_effect, active, identity, forward */
static void read_proxy(reading_t *reading, rr_sql_row_t row)
{
    rr_snapshot_t *snapshot = reading->snapshot;
    rr_proxy_t *proxy = apr_pcalloc(reading->p, sizeof(*proxy));

    proxy->id = keep(reading, row[0]);
    proxy->client = keep(reading, row[1]);
    proxy->name = keep(reading, row[2]);
    proxy->alias = keep(reading, row[3]);
    proxy->all = strcmp(row[4], "any") != 0;
    proxy->credentials = apr_array_make(reading->p, 1, sizeof(const rr_party_t *));
    proxy->target = apr_hash_get(snapshot->targets, row[5], APR_HASH_KEY_STRING);
    proxy->target_credential = row[6] ? apr_hash_get(snapshot->parties, row[6], APR_HASH_KEY_STRING) : NULL;
    proxy->default_effect = keep(reading, row[7]);
    proxy->active = rr_column_number(row[8]) == 1;
    proxy->identity_headers = read_json(reading, row[9], "proxyIdentityHeaders", &proxy->closed);
    proxy->forward_headers = read_json(reading, row[10], "proxyForwardHeaders", &proxy->closed);
    if (!proxy->target || (row[6] && !proxy->target_credential)) {
        proxy->closed = "its target or target credential is missing";
    }
    apr_hash_set(snapshot->proxies, proxy->id, APR_HASH_KEY_STRING, proxy);
    apr_hash_set(snapshot->proxy_names, full_name(reading, proxy->client, proxy->name), APR_HASH_KEY_STRING, proxy);
    if (proxy->alias) {
        apr_hash_set(snapshot->proxy_names, proxy->alias, APR_HASH_KEY_STRING, proxy);
    }
}

/* proxy, credential (NULL: it was deleted) */
static void read_proxy_credential(reading_t *reading, rr_sql_row_t row)
{
    rr_proxy_t *proxy = apr_hash_get(reading->snapshot->proxies, row[0], APR_HASH_KEY_STRING);

    if (proxy) {
        APR_ARRAY_PUSH((apr_array_header_t *)proxy->credentials, const rr_party_t *)
            = row[1] ? apr_hash_get(reading->snapshot->parties, row[1], APR_HASH_KEY_STRING) : NULL;
    }
}

/* id, proxy, credential, target, body; exactly one of the three is the owner */
static void keep_row(reading_t *reading, rr_sql_row_t row, int is_filter)
{
    const char *owner = row[1] ? row[1] : row[2] ? row[2] : row[3];
    rr_compiled_rows_t *rows = owner ? apr_hash_get(reading->attached, owner, APR_HASH_KEY_STRING) : NULL;
    rr_compiled_row_t *attached;

    if (!owner) {
        return;
    }
    if (!rows) {
        rows = apr_palloc(reading->ptemp, sizeof(*rows));
        rows->rules = apr_array_make(reading->ptemp, 4, sizeof(rr_compiled_row_t));
        rows->filters = apr_array_make(reading->ptemp, 1, sizeof(rr_compiled_row_t));
        apr_hash_set(reading->attached, owner, APR_HASH_KEY_STRING, rows);
    }
    attached = apr_array_push(is_filter ? rows->filters : rows->rules);
    attached->id = row[0];
    attached->body = row[4];
}

static void read_rule(reading_t *reading, rr_sql_row_t row)
{
    keep_row(reading, row, 0);
}

static void read_filter(reading_t *reading, rr_sql_row_t row)
{
    keep_row(reading, row, 1);
}

static apr_status_t release(void *compiled)
{
    rr_compiled_release(compiled);
    return APR_SUCCESS;
}

/* Compiles what hangs on the owner of that id, if anything does. */
static apr_status_t attach(rr_attached_t *attached, reading_t *reading, const char *owner)
{
    const rr_compiled_rows_t *rows = apr_hash_get(reading->attached, owner, APR_HASH_KEY_STRING);
    rr_compiled_t *before = reading->previous
                                ? apr_hash_get(reading->previous->compiled, owner, APR_HASH_KEY_STRING)
                                : NULL, *compiled;

    if (!rows) {
        return APR_SUCCESS;
    }
    compiled = rr_compiled_make(before, rows, reading->ptemp);
    if (!compiled) {
        return rr_err_set(reading->err, RR_EUNAVAIL, NULL, "out of memory");
    }
    apr_pool_cleanup_register(reading->p, compiled, release, apr_pool_cleanup_null);
    apr_hash_set(reading->snapshot->compiled, owner, APR_HASH_KEY_STRING, compiled);
    *attached = *rr_compiled_attached(compiled);
    return APR_SUCCESS;
}

static apr_status_t attach_all(reading_t *reading)
{
    rr_snapshot_t *snapshot = reading->snapshot;
    apr_status_t rv = APR_SUCCESS;
    apr_hash_index_t *i;

    for (i = apr_hash_first(reading->ptemp, snapshot->parties); i && rv == APR_SUCCESS; i = apr_hash_next(i)) {
        rr_party_t *party = apr_hash_this_val(i);
        rv = attach(&party->attached, reading, party->id);
    }
    for (i = apr_hash_first(reading->ptemp, snapshot->targets); i && rv == APR_SUCCESS; i = apr_hash_next(i)) {
        rr_target_t *target = apr_hash_this_val(i);
        rv = attach(&target->attached, reading, target->id);
    }
    for (i = apr_hash_first(reading->ptemp, snapshot->proxies); i && rv == APR_SUCCESS; i = apr_hash_next(i)) {
        rr_proxy_t *proxy = apr_hash_this_val(i);
        rv = attach(&proxy->attached, reading, proxy->id);
    }
    return rv;
}

static const char *why_closed(const rr_party_t *party)
{
    return !party ? NULL : party->closed ? party->closed : party->attached.closed;
}

/* A proxy is closed by whatever it is made of. */
static void close_proxy(rr_proxy_t *proxy, apr_pool_t *p)
{
    const char *why;
    int i;

    if (proxy->closed) {
        return;
    }
    proxy->closed = proxy->attached.closed;
    if (!proxy->closed && proxy->target->attached.closed) {
        proxy->closed = apr_pstrcat(p, "its target cannot be used: ", proxy->target->attached.closed, NULL);
    }
    if (!proxy->closed && (why = why_closed(proxy->target_credential))) {
        proxy->closed = apr_pstrcat(p, "its target credential cannot be used: ", why, NULL);
    }
    for (i = 0; i < proxy->credentials->nelts && !proxy->closed; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);

        if (party && party->attached.closed) {
            proxy->closed = apr_pstrcat(p, "its credential ", party->name, " cannot be used: ", party->attached.closed,
                                        NULL);
        }
    }
}

/* What refers to something is read after it. */
static apr_status_t read_all(reading_t *reading)
{
    static const struct {
        rr_sql_e statement;
        row_reader_t *reader;
    } steps[] = {
        { RR_SQL_SNAPSHOT_PARTIES, read_party },
        { RR_SQL_SNAPSHOT_TARGETS, read_target },
        { RR_SQL_SNAPSHOT_PROXIES, read_proxy },
        { RR_SQL_SNAPSHOT_PROXY_CREDENTIALS, read_proxy_credential },
        { RR_SQL_SNAPSHOT_RULES, read_rule },
        { RR_SQL_SNAPSHOT_FILTERS, read_filter },
    };
    apr_status_t rv = rr_store_revision(&reading->snapshot->revision, reading->store, reading->ptemp, reading->err);
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < sizeof(steps) / sizeof(steps[0]); i++) {
        rv = read_rows(reading, steps[i].statement, steps[i].reader);
    }
    return rv;
}

static apr_status_t compile_all(reading_t *reading)
{
    apr_status_t rv = attach_all(reading);
    apr_hash_index_t *i;

    for (i = apr_hash_first(reading->ptemp, reading->snapshot->proxies); i && rv == APR_SUCCESS; i = apr_hash_next(i)) {
        close_proxy(apr_hash_this_val(i), reading->p);
    }
    return rv;
}

apr_status_t rr_snapshot_read(const rr_snapshot_t **psnapshot, const rr_snapshot_t *previous, rr_store_t *store,
                              const rr_keyring_t *ring, apr_pool_t *p, apr_pool_t *ptemp, rr_err_t *err)
{
    rr_snapshot_t *snapshot = apr_pcalloc(p, sizeof(*snapshot));
    reading_t reading = { snapshot, previous, store, ring, p, ptemp, apr_hash_make(ptemp), err };
    apr_status_t rv;

    *psnapshot = NULL;
    snapshot->parties = apr_hash_make(p);
    snapshot->party_names = apr_hash_make(p);
    snapshot->targets = apr_hash_make(p);
    snapshot->proxies = apr_hash_make(p);
    snapshot->proxy_names = apr_hash_make(p);
    snapshot->compiled = apr_hash_make(p);

    rv = rr_store_begin_read(store, err);
    if (rv == APR_SUCCESS) {
        rv = read_all(&reading);
        rr_store_rollback(store); /* nothing was written */
    }
    if (rv == APR_SUCCESS) {
        rv = compile_all(&reading); /* behind the transaction: it takes longer than reading */
    }
    if (rv == APR_SUCCESS) {
        *psnapshot = snapshot;
    }
    return rv;
}

const rr_revision_t *rr_snapshot_revision(const rr_snapshot_t *snapshot)
{
    return &snapshot->revision;
}

const rr_proxy_t *rr_snapshot_proxy(const rr_snapshot_t *snapshot, const char *name)
{
    const rr_proxy_t *proxy = apr_hash_get(snapshot->proxies, name, APR_HASH_KEY_STRING);

    return proxy ? proxy : apr_hash_get(snapshot->proxy_names, name, APR_HASH_KEY_STRING);
}

const rr_party_t *rr_snapshot_target_credential(const rr_snapshot_t *snapshot, const char *name)
{
    return apr_hash_get(snapshot->party_names, name, APR_HASH_KEY_STRING);
}

const rr_party_t *rr_snapshot_party(const rr_snapshot_t *snapshot, const char *id)
{
    return apr_hash_get(snapshot->parties, id, APR_HASH_KEY_STRING);
}

int rr_proxy_accepts(const rr_proxy_t *proxy, rr_credential_kind_e kind)
{
    int i;

    for (i = 0; proxy && i < proxy->credentials->nelts; i++) {
        const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);

        if (party && party->kind == kind) {
            return 1;
        }
    }
    return 0;
}

static int same_reason(const char *why, const char *before)
{
    return before && !strcmp(why, before);
}

void rr_snapshot_closed(const rr_snapshot_t *snapshot, const rr_snapshot_t *previous,
                        void (*visit)(void *baton, const char *name, const char *why), void *baton)
{
    char name[2 * RR_MAX_NAME + 16];
    apr_hash_index_t *i;

    for (i = apr_hash_first(NULL, snapshot->parties); i; i = apr_hash_next(i)) {
        const rr_party_t *party = apr_hash_this_val(i), *before = previous ? rr_snapshot_party(previous, party->id) : NULL;
        const char *why = why_closed(party);

        if (why && !(before && same_reason(why, why_closed(before)))) {
            apr_snprintf(name, sizeof(name), "credential %s/%s", party->client, party->name);
            visit(baton, name, why);
        }
    }
    for (i = apr_hash_first(NULL, snapshot->proxies); i; i = apr_hash_next(i)) {
        const rr_proxy_t *proxy = apr_hash_this_val(i), *before = previous ? rr_snapshot_proxy(previous, proxy->id) : NULL;

        if (proxy->closed && !(before && same_reason(proxy->closed, before->closed))) {
            apr_snprintf(name, sizeof(name), "proxy %s/%s", proxy->client, proxy->name);
            visit(baton, name, proxy->closed);
        }
    }
}
