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

/* A key for the credential made->credential_id, by POST to its "keys" or "keys/roll". */
static apr_status_t add_key(rrctl_made_key_t *made, const rr_api_t *api, const char *where,
                            const rrctl_key_order_t *order, apr_pool_t *p, rr_err_t *err)
{
    const char *path = apr_pstrcat(p, "/clients/", order->client, "/credentials/", made->credential_id, "/", where, NULL);
    const char *body;
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_status_t rv;

    made->key = order->value;
    rv = made->key ? APR_SUCCESS : rr_key_mint(&made->key, order->test, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    body = apr_pstrcat(p, "{\"key\":", rr_json_quote(p, made->key, strlen(made->key)),
                       order->expires ? ",\"keyExpiresAt\":\"" : "", order->expires ? rr_api_time(p, order->expires) : "",
                       order->expires ? "\"" : "", NULL);
    if (order->overlap) {
        body = apr_psprintf(p, "%s,\"overlapSeconds\":%" APR_TIME_T_FMT, body, apr_time_sec(order->overlap));
    }
    rv = rrctl_api_call(&answer, &response, api, "POST", path, NULL, apr_pstrcat(p, body, "}", NULL), p, err);
    made->id = rr_json_string(rr_json_member(rrctl_api_object(answer, "keys"), "id"));
    return rv;
}

/* A proxy credential that has no key yet: that is what a masked one says of a new credential. */
static apr_status_t add_credential(rrctl_made_key_t *made, const rr_api_t *api, const rrctl_key_order_t *order,
                                   apr_pool_t *p, rr_err_t *err)
{
    const char *path = apr_pstrcat(p, "/clients/", order->client, "/credentials", NULL);
    const char *body = apr_pstrcat(p, "{\"credentialType\":\"proxy\",\"credentialAuthType\":\"key\",\"credentialName\":",
                                   rr_json_quote(p, order->name, strlen(order->name)),
                                   ",\"credentialSecret\":{\"key\":\"" RR_API_MASK "\"},\"credentialScopes\":",
                                   order->scopes ? order->scopes : "[]",
                                   order->metadata ? ",\"credentialMetadata\":" : "", order->metadata ? order->metadata : "",
                                   "}", NULL);
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_status_t rv = rrctl_api_call(&answer, &response, api, "POST", path, NULL, body, p, err);

    made->credential_id = rr_json_string(rr_json_member(rrctl_api_object(answer, "credentials"), "id"));
    return rv;
}

static int same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

apr_status_t rrctl_key_make(rrctl_made_key_t *made, const rr_api_t *api, const rrctl_key_order_t *order, apr_pool_t *p,
                            rr_err_t *err)
{
    const rr_credential_row_t *credential;
    rr_err_t quiet = RR_ERR_INIT;
    apr_status_t rv = rr_store_credential_by_name(&credential, api->store, order->client, 0, order->name, p, &quiet);

    if (APR_STATUS_IS_NOTFOUND(rv)) {
        rv = add_credential(made, api, order, p, err);
        return rv == APR_SUCCESS ? add_key(made, api, "keys", order, p, err) : rv;
    }
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, quiet.where, "%s", quiet.text);
    }
    /* Making a key must not quietly drop or change what the credential may do. */
    if ((order->scopes && !same_text(order->scopes, credential->scopes)) ||
        (order->metadata && !same_text(order->metadata, credential->metadata))) {
        return rr_err_set(err, RR_ECONFLICT, "credential",
                          "credential %.64s exists with other scopes or metadata; make the key without --scope and "
                          "--metadata, or under another name",
                          order->name);
    }
    made->credential_id = credential->id;
    return add_key(made, api, "keys", order, p, err);
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
static int read_order(rrctl_key_order_t *order, rrctl_t *ctl, int argc, const char *const *argv)
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
            scopes = apr_pstrcat(ctl->p, scopes, *scopes ? "," : "", rr_json_quote(ctl->p, value, strlen(value)), NULL);
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
            rv = !strcmp(ctl->command->verb, "roll") && rr_conf_duration(&order->overlap, value) == APR_SUCCESS
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
    order->name = options->argv[options->ind];
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
    rrctl_key_order_t order = { 0 };
    rr_err_t err = RR_ERR_INIT;
    rrctl_made_key_t made;
    apr_status_t rv;
    rr_api_t api;
    int code = read_order(&order, ctl, argc, argv);

    if (code != RRCTL_OK) {
        return code;
    }
    if (rrctl_api_begin(&api, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rrctl_key_make(&made, &api, &order, ctl->p, &err);
    return print_made(ctl, rrctl_store_end(ctl, api.store, rv, &err), &made);
}

/* The credential that a key's id, a credential's id or a proxy credential's name means. */
static apr_status_t find_credential(const char **pid, rr_store_t *store, const char *word, rrctl_t *ctl, rr_err_t *err)
{
    const rr_credential_row_t *credential;
    const rr_key_row_t *key;
    apr_status_t rv;

    if (rr_id_is(word)) {
        if (rr_store_key_get(&key, store, ctl->client, word, ctl->p, NULL) == APR_SUCCESS) {
            word = key->credential;
        }
        rv = rr_store_credential_get(&credential, store, ctl->client, word, ctl->p, err);
    }
    else {
        rv = rr_store_credential_by_name(&credential, store, ctl->client, 0, word, ctl->p, err);
    }
    *pid = rv == APR_SUCCESS ? credential->id : NULL;
    return rv;
}

int cmd_key_roll(rrctl_t *ctl, int argc, const char *const *argv)
{
    rrctl_key_order_t order = { 0 };
    rr_err_t err = RR_ERR_INIT;
    rrctl_made_key_t made;
    apr_status_t rv;
    rr_api_t api;
    int code = read_order(&order, ctl, argc, argv);

    if (code != RRCTL_OK) {
        return code;
    }
    if (order.scopes || order.metadata) {
        return rrctl_usage(ctl, "scopes and metadata belong to the credential: a roll leaves them");
    }
    if (rrctl_api_begin(&api, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = find_credential(&made.credential_id, api.store, order.name, ctl, &err);
    if (rv == APR_SUCCESS) {
        rv = add_key(&made, &api, "keys/roll", &order, ctl->p, &err);
    }
    return print_made(ctl, rrctl_store_end(ctl, api.store, rv, &err), &made);
}

int cmd_key_revoke(rrctl_t *ctl, int argc, const char *const *argv)
{
    rr_api_response_t response;
    const rr_json_t *answer;
    const rr_key_row_t *key;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;
    rr_api_t api;

    if (argc != 2) {
        return rrctl_usage(ctl, "revoke takes the id of one key");
    }
    if (rrctl_api_begin(&api, ctl, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    rv = rr_store_key_get(&key, api.store, ctl->client, argv[1], ctl->p, &err);
    if (rv == APR_SUCCESS) {
        rv = rrctl_api_call(&answer, &response, &api, "DELETE",
                            apr_pstrcat(ctl->p, "/clients/", ctl->client, "/credentials/", key->credential, "/keys/",
                                        key->id, NULL),
                            NULL, NULL, ctl->p, &err);
    }
    return rrctl_store_end(ctl, api.store, rv, &err);
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
    const char *credential = NULL;
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
        rv = print_keys(ctl, store, credential, &err);
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
