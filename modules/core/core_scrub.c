/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_scrub.c: what a client may not say, and what a handler need not see.
 *
 * Headers that tell a backend who asked are ours alone, on the whole server:
 * every spelling a backend might fold into the same name is removed from the
 * moment a request is read. A caller's credential is taken out of the request
 * before a handler runs; a redirected request still finds it in the root's record.
 */
#include "core.h"

#include <http_core.h>
#include <http_protocol.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define RESERVED_KEY "mod_rr_core:reserved-headers"

/* Folded names. Written once, in check_config. */
static const apr_array_header_t *reserved;

/* Case and every non-alphanumeric fold away: X-User-Id, x_user_id and X.User~Id are one name to some backend. */
static void fold(char *to, const char *name, apr_size_t size)
{
    apr_size_t i;

    for (i = 0; name[i] && i < size - 1; i++) {
        to[i] = apr_isalnum(name[i]) ? (char)apr_tolower(name[i]) : '_';
    }
    to[i] = '\0';
}

/* Whether name folds to the folded name, without a copy. */
static int folds_to(const char *name, const char *folded)
{
    for (; *name && *folded; name++, folded++) {
        if ((apr_isalnum(*name) ? apr_tolower(*name) : '_') != *folded) {
            return 0;
        }
    }
    return !*name && !*folded;
}

/* Headers that httpd, a proxy or a provider needs as the client sent them. */
static const char *const never_reserved[] = {
    "authorization", "proxy_authorization", "cookie", "host", "connection", "content_length", "content_type",
    "transfer_encoding", "te", "trailer", "upgrade", "expect", "range", "accept", "origin", "date", NULL
};

const char *core_reserve_header(cmd_parms *cmd, const char *name)
{
    apr_array_header_t *names = NULL;
    char folded[RR_MAX_NAME + 1];
    const char *c;
    int i;

    for (c = name; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c)) {
            break;
        }
    }
    if (!*name || *c || strlen(name) > RR_MAX_NAME) {
        return apr_psprintf(cmd->pool, "%s %s: expected a header name of at most %d characters", cmd->cmd->name, name,
                            RR_MAX_NAME);
    }
    fold(folded, name, sizeof(folded));
    for (i = 0; never_reserved[i]; i++) {
        if (!strcmp(folded, never_reserved[i])) {
            return apr_psprintf(cmd->pool, "%s %s: this header is the client's own and cannot carry an identity; "
                                "choose another, such as X-User-Id", cmd->cmd->name, name);
        }
    }

    apr_pool_userdata_get((void **)&names, RESERVED_KEY, cmd->pool);
    if (!names) {
        names = apr_array_make(cmd->pool, 4, sizeof(const char *));
        apr_pool_userdata_setn(names, RESERVED_KEY, NULL, cmd->pool);
    }
    for (i = 0; i < names->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(names, i, const char *), folded)) {
            return NULL;
        }
    }
    APR_ARRAY_PUSH(names, const char *) = apr_pstrdup(cmd->pool, folded);
    return NULL;
}

void core_collect_reserved(apr_pool_t *pconf)
{
    apr_array_header_t *names = NULL;

    apr_pool_userdata_get((void **)&names, RESERVED_KEY, pconf);
    reserved = names;
}

static int is_reserved(const char *name)
{
    int i;

    for (i = 0; i < reserved->nelts; i++) {
        if (folds_to(name, APR_ARRAY_IDX(reserved, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

void core_scrub_headers(request_rec *r)
{
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)headers->elts;
    int i;

    if (!reserved) {
        return;
    }
    for (i = headers->nelts - 1; i >= 0; i--) { /* from the end: unset moves what follows */
        if (entries[i].key && is_reserved(entries[i].key)) {
            apr_table_unset(r->headers_in, entries[i].key);
            i = headers->nelts; /* several of that name may have gone */
        }
    }
}

/* ---- credentials ---- */

/* NULL: it was not taken. */
static const char *find_taken(const core_request_t *root, const char *name)
{
    const core_taken_t *taken = root ? root->taken : NULL;

    while (taken && apr_cstr_casecmp(taken->name, name)) {
        taken = taken->next;
    }
    return taken ? taken->value : NULL;
}

const char *core_client_header(request_rec *r, const char *name)
{
    const char *value = find_taken(core_request_peek(core_root(r)), name);

    return value ? value : apr_table_get(r->headers_in, name);
}

const char *core_client_args(request_rec *r)
{
    const core_request_t *root = core_request_peek(core_root(r));
    const char *taken = root ? root->taken_args : NULL;

    if (!taken) {
        return r->args;
    }
    /* Both may carry the credential; the same one twice counts once. */
    return r->args && *r->args ? apr_pstrcat(r->pool, taken, "&", r->args, NULL) : taken;
}

/* Remembers a header as sent, before its first change. */
static void remember_header(request_rec *r, const char *name, const char *value)
{
    request_rec *root = core_root(r);
    core_request_t *own = core_request(root);
    core_taken_t *taken;

    if (find_taken(own, name)) {
        return;
    }
    taken = apr_palloc(root->pool, sizeof(*taken));
    taken->name = r == root ? name : apr_pstrdup(root->pool, name);
    taken->value = r == root ? value : apr_pstrdup(root->pool, value);
    taken->next = own->taken;
    own->taken = taken;
}

static void take_header(request_rec *r, const rr_source_t *source)
{
    const char *sent = apr_table_get(r->headers_in, source->name), *value = sent;
    apr_size_t word;

    if (!value) {
        return;
    }
    if (rr_glue_is_authorization(source)) {
        /* Only what is read as ours: another scheme is for whoever understands it. */
        value += strspn(value, " \t");
        word = strcspn(value, " \t");
        if (source->scheme ? word != strlen(source->scheme) || apr_cstr_casecmpn(value, source->scheme, word)
                           : value[word] != '\0') {
            return;
        }
    }
    remember_header(r, source->name, sent);
    apr_table_unset(r->headers_in, source->name);
}

static void take_cookie(request_rec *r, const char *name)
{
    const char *cookies = apr_table_get(r->headers_in, "Cookie"), *from = cookies;
    apr_size_t name_len = strlen(name), len;
    char *kept, *to;
    int found = 0;

    if (!cookies) {
        return;
    }
    kept = to = apr_palloc(r->pool, 2 * strlen(cookies) + 1); /* a cookie may get a blank that was not sent */
    for (; *from; from += len) {
        from += strspn(from, "; ,\t");
        len = strcspn(from, ";,");
        if (len > name_len && from[name_len] == '=' && !strncmp(from, name, name_len)) {
            found = 1;
        }
        else if (len) {
            if (to > kept) {
                *to++ = ';';
                *to++ = ' ';
            }
            memcpy(to, from, len);
            to += len;
        }
    }
    *to = '\0';
    if (found) {
        remember_header(r, "Cookie", cookies);
        if (*kept) {
            apr_table_setn(r->headers_in, "Cookie", kept);
        }
        else {
            apr_table_unset(r->headers_in, "Cookie");
        }
    }
}

/* Whether an encoded parameter name of len bytes stands for name, percent-codes decoded once. */
static int names_parameter(request_rec *r, const char *encoded, apr_size_t len, const char *name)
{
    char *decoded = apr_pstrmemdup(r->pool, encoded, len);

    return ap_unescape_url_keep2f(decoded, 1) == OK && !strcmp(decoded, name);
}

static int is_parameter(request_rec *r, const apr_array_header_t *names, const char *encoded, apr_size_t len)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (names_parameter(r, encoded, len, APR_ARRAY_IDX(names, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

/* The parameters that credentials are read from: const char *; NULL: none is. */
static const apr_array_header_t *parameters(request_rec *r)
{
    const apr_array_header_t *providers = core_all_providers();
    apr_array_header_t *names = NULL;
    int i, k;

    for (i = 0; i < providers->nelts; i++) {
        const apr_array_header_t *sources = APR_ARRAY_IDX(providers, i, core_provider_t).table->sources(r);

        for (k = 0; k < sources->nelts; k++) {
            const rr_source_t *source = &APR_ARRAY_IDX(sources, k, rr_source_t);

            if (source->kind == RR_SOURCE_QUERY) {
                names = names ? names : apr_array_make(r->pool, 2, sizeof(const char *));
                APR_ARRAY_PUSH(names, const char *) = source->name;
            }
        }
    }
    return names;
}

/* The query without credentials; args itself where it has none. */
static char *cut_query(request_rec *r, char *args)
{
    const apr_array_header_t *names = parameters(r);
    char *kept, *to;
    const char *from = args;
    int found = 0;

    if (!names) {
        return args;
    }
    kept = to = apr_palloc(r->pool, strlen(args) + 1);
    while (*from) {
        apr_size_t pair = strcspn(from, "&");

        if (is_parameter(r, names, from, strcspn(from, "=&"))) {
            found = 1;
        }
        else {
            if (to > kept) {
                *to++ = '&';
            }
            memcpy(to, from, pair);
            to += pair;
        }
        from += pair + (from[pair] == '&');
    }
    *to = '\0';
    return found ? kept : args;
}

char *core_scrub_url(request_rec *r, char *url)
{
    char *query = strchr(url, '?'), *kept;

    if (!query || core_forwards_credential(r) || !core_is_ours(r)) {
        return url;
    }
    kept = cut_query(r, query + 1);
    if (kept == query + 1) {
        return url;
    }
    url = apr_pstrmemdup(r->pool, url, (apr_size_t)(query - url));
    return *kept ? apr_pstrcat(r->pool, url, "?", kept, NULL) : url;
}

/* The request line, from which CGI programs and access logs have their request URI. */
static void take_request_line(request_rec *r)
{
    char *target = r->the_request ? strchr(r->the_request, ' ') : NULL, *end, *kept;

    if (!target) {
        return;
    }
    target += strspn(target, " ");
    end = target + strcspn(target, " ");
    kept = core_scrub_url(r, apr_pstrmemdup(r->pool, target, (apr_size_t)(end - target)));
    r->the_request = apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, r->the_request, (apr_size_t)(target - r->the_request)),
                                 kept, end, NULL);
}

static void take_args(request_rec *r)
{
    core_request_t *root = core_request(core_root(r));
    char *kept = r->args && *r->args ? cut_query(r, r->args) : r->args;

    if (kept != r->args) {
        root->taken_args = root->taken_args ? apr_pstrcat(core_root(r)->pool, root->taken_args, "&", r->args, NULL)
                                            : apr_pstrdup(core_root(r)->pool, r->args);
        r->args = *kept ? kept : NULL;
        r->unparsed_uri = core_scrub_url(r, r->unparsed_uri);
        take_request_line(r);
    }
}

/* An upgrade to HTTP/2 would read the request anew from what is left of it: a good credential would be answered 401. */
static void refuse_upgrade(request_rec *r)
{
    const core_request_t *root = core_request_peek(core_root(r));

    if (root && (root->taken || root->taken_args) && ap_find_token(r->pool, apr_table_get(r->headers_in, "Upgrade"), "h2c")) {
        apr_table_unset(r->headers_in, "Upgrade");
    }
}

void core_scrub_credentials(request_rec *r)
{
    const apr_array_header_t *providers = core_all_providers();
    int i, k;

    if (core_forwards_credential(r)) {
        return;
    }
    for (i = 0; i < providers->nelts; i++) {
        const apr_array_header_t *sources = APR_ARRAY_IDX(providers, i, core_provider_t).table->sources(r);

        for (k = 0; k < sources->nelts; k++) {
            const rr_source_t *source = &APR_ARRAY_IDX(sources, k, rr_source_t);

            if (source->kind == RR_SOURCE_HEADER) {
                take_header(r, source);
            }
            else if (source->kind == RR_SOURCE_COOKIE) {
                take_cookie(r, source->name);
            }
        }
    }
    take_args(r);
    refuse_upgrade(r);
}
