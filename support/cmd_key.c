/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_key.c: rrctl key create, list, show, revoke, roll.
 */
#include "cmd_key.h"

#include "rr_conf.h"
#include "rrctl_store.h"

#include <apr_strings.h>

#include <string.h>

#define PAGE 500 /* keys read at a time */

void rrctl_key_print_json(rrctl_t *ctl, const rrctl_made_key_t *made)
{
    fprintf(ctl->out, "{\"id\":\"%s\",\"key\":%s,\"credentialId\":\"%s\"}\n", made->id,
            rr_json_quote(ctl->p, made->key, RR_MAX_KEY), made->credential_id);
}

/* A key for a credential that is there. */
static apr_status_t add_key(rrctl_made_key_t *made, rr_store_t *store, const rr_key_digester_t *digester,
                            const rr_credential_row_t *credential, const rrctl_key_order_t *order, apr_pool_t *p,
                            rr_err_t *err)
{
    rr_key_row_t row = { .credential = credential->id, .expires = order->expires, .created = apr_time_now() };
    unsigned char digest[RR_KEY_DIGEST_LEN];
    apr_status_t rv;

    if (credential->kind != RR_CREDENTIAL_KEY) {
        return rr_err_set(err, RR_ECONFLICT, "credential", "credential %.64s is of type %s: it has no keys to make",
                          credential->name, rr_credential_kind_word(credential->kind));
    }
    made->key = order->value;
    rv = order->value ? rr_key_check_brought(order->value, strlen(order->value), err)
                      : rr_key_mint(&made->key, order->test, p, err);
    if (rv != APR_SUCCESS || (rv = rr_id_make(&row.id, p, err)) != APR_SUCCESS) {
        return rv;
    }
    row.hint = rr_key_hint(p, made->key, strlen(made->key));
    rv = rr_key_digest(digest, digester, made->key, strlen(made->key));
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, "key", "the key cannot be digested");
    }
    made->id = row.id;
    made->credential_id = credential->id;
    return rr_store_key_add(store, &row, digest, p, err);
}

static int same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

apr_status_t rrctl_key_make(rrctl_made_key_t *made, rr_store_t *store, const rr_key_digester_t *digester,
                            const rrctl_key_order_t *order, apr_pool_t *p, rr_err_t *err)
{
    const rr_credential_row_t *credential;
    rr_err_t quiet = RR_ERR_INIT;
    rr_credential_row_t row = { .client = order->client, .kind = RR_CREDENTIAL_KEY, .name = order->name, .active = 1 };
    apr_status_t rv = rr_store_credential_by_name(&credential, store, order->client, 0, order->name, p, &quiet);

    if (rv == APR_SUCCESS) {
        /* Making a key must not quietly drop or change what the credential may do. */
        if ((order->scopes && !same_text(order->scopes, credential->scopes)) ||
            (order->metadata && !same_text(order->metadata, credential->metadata))) {
            return rr_err_set(err, RR_ECONFLICT, "credential",
                              "credential %.64s exists with other scopes or metadata; make the key without --scope and "
                              "--metadata, or under another name",
                              order->name);
        }
        return add_key(made, store, digester, credential, order, p, err);
    }
    if (!APR_STATUS_IS_NOTFOUND(rv)) {
        return rr_err_set(err, rv, quiet.where, "%s", quiet.text);
    }
    rv = rr_name_check(order->name, "a credential's name", err);
    if (rv != APR_SUCCESS || (rv = rr_id_make(&row.id, p, err)) != APR_SUCCESS) {
        return rv;
    }
    row.scopes = order->scopes ? order->scopes : "[]";
    row.metadata = order->metadata;
    row.created = row.updated = apr_time_now();
    rv = rr_store_credential_add(store, &row, p, err);
    return rv == APR_SUCCESS ? add_key(made, store, digester, &row, order, p, err) : rv;
}

static int is_scope(const char *text) /* RFC 6749, 3.3 */
{
    const char *c;

    for (c = text; *c; c++) {
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\') {
            return 0;
        }
    }
    return c > text && c - text <= RR_MAX_NAME;
}

/* Adds a scope to a JSON array under construction, "" at first. */
static apr_status_t add_scope(const char **plist, const char *scope, apr_pool_t *p, rr_err_t *err)
{
    if (!is_scope(scope)) {
        return rr_err_set(err, RR_EINVAL, "scope", "a scope is one word of printable ASCII without '\"' and '\\'");
    }
    *plist = apr_pstrcat(p, *plist, **plist ? "," : "", "\"", scope, "\"", NULL);
    return APR_SUCCESS;
}

static apr_status_t set_metadata(const char **pmetadata, const char *text, apr_pool_t *p, rr_err_t *err)
{
    const rr_json_t *value;
    apr_size_t len = strlen(text);
    apr_status_t rv;

    if (len > RR_MAX_METADATA) {
        return rr_err_set(err, RR_EINVAL, "metadata", "metadata has at most %d bytes", RR_MAX_METADATA);
    }
    rv = rr_json_parse_object(&value, text, len, p, err);
    if (rv == APR_SUCCESS) {
        *pmetadata = rr_json_print(p, value);
    }
    return rv;
}

/* "-": from standard input, since a command line is seen by everybody on the machine. */
static apr_status_t read_key(const char **pkey, const char *value, rrctl_t *ctl, rr_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t len;

    *pkey = value;
    if (!strcmp(value, "-")) {
        rv = rrctl_read(&value, &len, ctl, "-", RR_MAX_KEY + 2, err);
        *pkey = rv == APR_SUCCESS ? apr_pstrmemdup(ctl->p, value, strcspn(value, "\r\n")) : NULL;
    }
    return rv;
}

/* Reads the options of create and roll, and the one word beside them. */
static int read_order(rrctl_key_order_t *order, apr_interval_time_t *poverlap, const char **pword, rrctl_t *ctl, int argc,
                      const char *const *argv)
{
    static const apr_getopt_option_t known[] = { { "expires", 'e', 1, NULL }, { "scope", 's', 1, NULL },
                                                 { "metadata", 'm', 1, NULL }, { "key", 'k', 1, NULL },
                                                 { "test", 't', 0, NULL },   { "overlap", 'o', 1, NULL },
                                                 { NULL } };
    apr_getopt_t *options = rrctl_options(ctl, argc, argv);
    const char *value, *scopes = "";
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv, got;
    int option;

    order->client = ctl->client;
    while ((got = apr_getopt_long(options, known, &option, &value)) == APR_SUCCESS) {
        rv = APR_SUCCESS;
        switch (option) {
        case 'e':
            rv = rrctl_parse_end(&order->expires, value, &err);
            break;
        case 's':
            rv = add_scope(&scopes, value, ctl->p, &err);
            break;
        case 'm':
            rv = set_metadata(&order->metadata, value, ctl->p, &err);
            break;
        case 'k':
            rv = read_key(&order->value, value, ctl, &err);
            break;
        case 't':
            order->test = 1;
            break;
        default:
            rv = poverlap && rr_conf_duration(poverlap, value) == APR_SUCCESS
                     ? APR_SUCCESS
                     : rr_err_set(&err, RR_EINVAL, "overlap", "--overlap is for roll, a duration such as 24h");
        }
        if (rv != APR_SUCCESS) {
            return rrctl_usage(ctl, "%s", rr_err_text(&err));
        }
    }
    if (!APR_STATUS_IS_EOF(got) || argc - options->ind != 1) {
        return rrctl_usage(ctl, "one name or id, and the options below");
    }
    if (*scopes) {
        order->scopes = apr_pstrcat(ctl->p, "[", scopes, "]", NULL);
    }
    *pword = options->argv[options->ind];
    return RRCTL_OK;
}

static int print_made(rrctl_t *ctl, int code, const rrctl_made_key_t *made)
{
    if (code == RRCTL_OK && ctl->json) {
        rrctl_key_print_json(ctl, made);
    }
    else if (code == RRCTL_OK) {
        fprintf(ctl->out, "%s\n", made->key);
        fprintf(ctl->err, "key %s of credential %s; it is shown this once\n", made->id, made->credential_id);
    }
    return code;
}

int cmd_key_create(rrctl_t *ctl, int argc, const char *const *argv)
{
    const rr_key_digester_t *digester;
    rrctl_key_order_t order = { 0 };
    rr_err_t err = RR_ERR_INIT;
    rrctl_made_key_t made;
    rr_store_t *store;
    apr_status_t rv;
    const char *word;
    int code = read_order(&order, NULL, &word, ctl, argc, argv);

    if (code != RRCTL_OK) {
        return code;
    }
    order.name = word;
    if (rrctl_store_open(&store, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rrctl_store_digester(&digester, store, ctl, &err);
    if (rv == APR_SUCCESS && (rv = rr_store_begin(store, ctl->p, &err)) == APR_SUCCESS) {
        rv = rrctl_key_make(&made, store, digester, &order, ctl->p, &err);
    }
    return print_made(ctl, rrctl_store_end(ctl, store, rv, &err), &made);
}

/* The credential that a key's id, a credential's id or a proxy credential's name means. */
static apr_status_t find_credential(const rr_credential_row_t **pcredential, rr_store_t *store, const char *word,
                                    rrctl_t *ctl, rr_err_t *err)
{
    const rr_key_row_t *key;

    if (!rr_id_is(word)) {
        return rr_store_credential_by_name(pcredential, store, ctl->client, 0, word, ctl->p, err);
    }
    if (rr_store_key_get(&key, store, ctl->client, word, ctl->p, NULL) == APR_SUCCESS) {
        word = key->credential;
    }
    return rr_store_credential_get(pcredential, store, ctl->client, word, ctl->p, err);
}

int cmd_key_roll(rrctl_t *ctl, int argc, const char *const *argv)
{
    const rr_credential_row_t *credential;
    const rr_key_digester_t *digester;
    apr_interval_time_t overlap = 0;
    rrctl_key_order_t order = { 0 };
    rr_err_t err = RR_ERR_INIT;
    rrctl_made_key_t made;
    rr_store_t *store;
    apr_status_t rv;
    const char *word;
    int code = read_order(&order, &overlap, &word, ctl, argc, argv);

    if (code != RRCTL_OK) {
        return code;
    }
    if (order.scopes || order.metadata) {
        return rrctl_usage(ctl, "scopes and metadata belong to the credential: a roll leaves them");
    }
    if (rrctl_store_open(&store, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rrctl_store_digester(&digester, store, ctl, &err);
    if (rv == APR_SUCCESS && (rv = rr_store_begin(store, ctl->p, &err)) == APR_SUCCESS &&
        (rv = find_credential(&credential, store, word, ctl, &err)) == APR_SUCCESS &&
        (rv = rr_store_key_end_all(store, credential->id, apr_time_now() + overlap, ctl->p, &err)) == APR_SUCCESS) {
        rv = add_key(&made, store, digester, credential, &order, ctl->p, &err);
    }
    return print_made(ctl, rrctl_store_end(ctl, store, rv, &err), &made);
}

int cmd_key_revoke(rrctl_t *ctl, int argc, const char *const *argv)
{
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store;
    apr_status_t rv;

    if (argc != 2) {
        return rrctl_usage(ctl, "revoke takes the id of one key");
    }
    if (rrctl_store_open(&store, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rr_store_begin(store, ctl->p, &err);
    if (rv == APR_SUCCESS) {
        rv = rr_store_key_delete(store, ctl->client, argv[1], ctl->p, &err);
    }
    return rrctl_store_end(ctl, store, rv, &err);
}

static const char *json_time(rrctl_t *ctl, const char *name, apr_time_t when)
{
    return when ? apr_psprintf(ctl->p, ",\"%s\":\"%s\"", name, rrctl_time(ctl, when)) : "";
}

static void print_key(rrctl_t *ctl, const rr_key_row_t *key, const char *before)
{
    if (ctl->json) {
        fprintf(ctl->out, "%s{\"id\":\"%s\",\"credentialId\":\"%s\",\"credentialName\":%s,\"keyHint\":%s%s%s%s}", before,
                key->id, key->credential, rr_json_quote(ctl->p, key->name, RR_MAX_NAME),
                rr_json_quote(ctl->p, key->hint, RR_MAX_NAME), json_time(ctl, "keyExpiresAt", key->expires),
                json_time(ctl, "keyCreatedAt", key->created), json_time(ctl, "keyLastUsedAt", key->used));
    }
    else {
        fprintf(ctl->out, "%s  %-15s  %-20s  %-20s  %-20s  %s/%s\n", key->id, key->hint, rrctl_time(ctl, key->created),
                rrctl_time(ctl, key->expires), rrctl_time(ctl, key->used), key->client, key->name);
    }
}

/* Prints the keys of one credential, or of the whole client. */
static apr_status_t print_keys(rrctl_t *ctl, rr_store_t *store, const char *credential, rr_err_t *err)
{
    const char *after = "";
    apr_array_header_t *keys;
    apr_status_t rv;
    int i, count = 0;

    if (ctl->json) {
        fputs("{\"keys\":[", ctl->out);
    }
    else {
        fprintf(ctl->out, "%-27s  %-15s  %-20s  %-20s  %-20s  %s\n", "ID", "KEY", "CREATED", "EXPIRES", "LAST USED",
                "CREDENTIAL");
    }
    do {
        rv = rr_store_key_list(&keys, store, ctl->client, credential, after, PAGE, ctl->p, err);
        for (i = 0; rv == APR_SUCCESS && i < keys->nelts; i++) {
            const rr_key_row_t *key = APR_ARRAY_IDX(keys, i, const rr_key_row_t *);

            print_key(ctl, key, count++ ? "," : "");
            after = key->id;
        }
    } while (rv == APR_SUCCESS && keys->nelts == PAGE);
    if (ctl->json) {
        fputs("]}\n", ctl->out);
    }
    return rv;
}

int cmd_key_list(rrctl_t *ctl, int argc, const char *const *argv)
{
    const rr_credential_row_t *credential = NULL;
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store;
    apr_status_t rv = APR_SUCCESS;

    if (argc > 2) {
        return rrctl_usage(ctl, "list takes at most one credential");
    }
    if (rrctl_store_open(&store, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (argc == 2) {
        rv = find_credential(&credential, store, argv[1], ctl, &err);
    }
    if (rv == APR_SUCCESS) {
        rv = print_keys(ctl, store, credential ? credential->id : NULL, &err);
    }
    rr_store_close(store);
    return rv == APR_SUCCESS ? RRCTL_OK : rrctl_fail_err(ctl, &err);
}

int cmd_key_show(rrctl_t *ctl, int argc, const char *const *argv)
{
    const rr_key_row_t *key;
    rr_err_t err = RR_ERR_INIT;
    rr_store_t *store;
    apr_status_t rv;

    if (argc != 2) {
        return rrctl_usage(ctl, "show takes the id of one key");
    }
    if (rrctl_store_open(&store, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rr_store_key_get(&key, store, ctl->client, argv[1], ctl->p, &err);
    if (rv == APR_SUCCESS) {
        print_key(ctl, key, "");
        fputs(ctl->json ? "\n" : "", ctl->out);
    }
    rr_store_close(store);
    return rv == APR_SUCCESS ? RRCTL_OK : rrctl_fail_err(ctl, &err);
}
