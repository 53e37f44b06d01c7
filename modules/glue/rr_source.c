/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_source.c: the places a request may carry a credential in, as configured
 * and as read.
 *
 * Everything a client repeats is collected, so that two different credentials
 * cannot hide behind one another; what cannot be a credential is an error, not
 * an absence.
 *
 * Spec: RFC 9110, 11.6.2 (Authorization); RFC 6265, 4.2 (Cookie).
 */
#include "rr_glue.h"
#include "rr_secret.h"

#include <http_core.h>
#include <http_protocol.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

/* userdata of pconf, which the modules share */
#define HEADERS "rr_glue:source-headers"       /* apr_table_t */
#define PARAMETERS "rr_glue:source-parameters" /* apr_array_header_t of const char * */

static void note_header(apr_pool_t *p, const char *name)
{
    apr_table_t *names = NULL;

    apr_pool_userdata_get((void **)&names, HEADERS, p);
    if (!names) {
        names = apr_table_make(p, 8);
        apr_pool_userdata_set(names, HEADERS, NULL, p);
    }
    apr_table_setn(names, name, name);
}

static void note_parameter(apr_pool_t *p, const char *name)
{
    apr_array_header_t *names = NULL;

    apr_pool_userdata_get((void **)&names, PARAMETERS, p);
    if (!names) {
        names = apr_array_make(p, 4, sizeof(const char *));
        apr_pool_userdata_set(names, PARAMETERS, NULL, p);
    }
    APR_ARRAY_PUSH(names, const char *) = name;
}

const apr_table_t *rr_glue_source_headers(apr_pool_t *pconf)
{
    apr_table_t *names = NULL;

    apr_pool_userdata_get((void **)&names, HEADERS, pconf);
    return names ? names : apr_table_make(pconf, 0);
}

const apr_array_header_t *rr_glue_source_parameters(apr_pool_t *pconf)
{
    apr_array_header_t *names = NULL;

    apr_pool_userdata_get((void **)&names, PARAMETERS, pconf);
    return names ? names : apr_array_make(pconf, 0, sizeof(const char *));
}

static void push_kind(apr_array_header_t *to, const apr_array_header_t *from, rr_source_kind_e kind)
{
    int i;

    for (i = 0; i < from->nelts; i++) {
        if (APR_ARRAY_IDX(from, i, rr_source_t).kind == kind) {
            APR_ARRAY_PUSH(to, rr_source_t) = APR_ARRAY_IDX(from, i, rr_source_t);
        }
    }
}

rr_sources_t rr_glue_sources_create(apr_pool_t *p, const rr_source_t *usual)
{
    rr_sources_t sources = { apr_array_make(p, 3, sizeof(rr_source_t)), 0 };

    for (; usual->name; usual++) {
        APR_ARRAY_PUSH(sources.list, rr_source_t) = *usual;
        if (usual->kind == RR_SOURCE_HEADER) {
            note_header(p, usual->name);
        }
    }
    return sources;
}

rr_sources_t rr_glue_sources_merge(apr_pool_t *p, rr_sources_t base, rr_sources_t add)
{
    rr_sources_t merged = { NULL, base.named | add.named };
    rr_source_kind_e kind;

    /* Sections are merged with every request: nearly always one of the two has it all. */
    if (!add.named) {
        return base;
    }
    if (merged.named == add.named) {
        return add;
    }
    merged.list = apr_array_make(p, add.list->nelts + base.list->nelts, sizeof(rr_source_t));
    for (kind = RR_SOURCE_HEADER; kind <= RR_SOURCE_COOKIE; kind++) {
        push_kind(merged.list, add.named & (1u << kind) ? add.list : base.list, kind);
    }
    return merged;
}

/* The first of a kind that is configured ends the usual ones of that kind. */
static void end_usual(apr_pool_t *p, rr_sources_t *sources, rr_source_kind_e ended)
{
    apr_array_header_t *list = apr_array_make(p, sources->list->nelts, sizeof(rr_source_t));
    rr_source_kind_e kind;

    for (kind = RR_SOURCE_HEADER; kind <= RR_SOURCE_COOKIE; kind++) {
        if (kind != ended) {
            push_kind(list, sources->list, kind);
        }
    }
    sources->list = list;
    sources->named |= 1u << ended;
}

static const char *add_source(cmd_parms *cmd, void *conf, rr_source_kind_e kind, const char *name, const char *scheme)
{
    rr_sources_t *sources = (rr_sources_t *)((char *)conf + (apr_size_t)cmd->info);
    rr_source_t *source;

    if (!*name || (scheme && !*scheme)) {
        return apr_psprintf(cmd->pool, "%s: expected a name, not an empty string", cmd->cmd->name);
    }
    if (!(sources->named & (1u << kind))) {
        end_usual(cmd->pool, sources, kind);
    }
    if (sources->list->nelts >= RR_MAX_SOURCES) {
        return apr_psprintf(cmd->pool, "%s %s: at most %d places are read", cmd->cmd->name, name, RR_MAX_SOURCES);
    }
    if (kind == RR_SOURCE_HEADER) {
        note_header(cmd->pool, name);
    }
    else if (kind == RR_SOURCE_QUERY) {
        note_parameter(cmd->pool, name);
    }
    source = apr_array_push(sources->list);
    source->kind = kind;
    source->name = name;
    source->scheme = scheme;
    return NULL;
}

/* A header name or scheme is a token (RFC 9110, 5.6.2); anything else would never match. */
static int is_token(const char *text)
{
    for (; *text; text++) {
        if (!apr_isalnum(*text) && !strchr("!#$%&'*+-.^_`|~", *text)) {
            return 0;
        }
    }
    return 1;
}

const char *rr_glue_source_header(cmd_parms *cmd, void *conf, const char *name, const char *scheme)
{
    if (!is_token(name) || (scheme && !is_token(scheme))) {
        return apr_psprintf(cmd->pool, "%s %s%s%s: expected NAME [SCHEME], each one word without ':' or blanks",
                            cmd->cmd->name, name, scheme ? " " : "", scheme ? scheme : "");
    }
    return add_source(cmd, conf, RR_SOURCE_HEADER, name, scheme);
}

const char *rr_glue_source_query(cmd_parms *cmd, void *conf, const char *name)
{
    return add_source(cmd, conf, RR_SOURCE_QUERY, name, NULL);
}

const char *rr_glue_source_cookie(cmd_parms *cmd, void *conf, const char *name)
{
    if (!is_token(name)) {
        return apr_psprintf(cmd->pool, "%s %s: expected the name of a cookie", cmd->cmd->name, name);
    }
    return add_source(cmd, conf, RR_SOURCE_COOKIE, name, NULL);
}

int rr_glue_is_authorization(const rr_source_t *source)
{
    return source->kind == RR_SOURCE_HEADER
           && (!strcmp(source->name, "Authorization") /* as it is written nearly always, and told at a glance */
               || !apr_cstr_casecmp(source->name, "Authorization"));
}

const char *rr_glue_sources_scheme(const apr_array_header_t *sources)
{
    int i;

    for (i = 0; i < sources->nelts; i++) {
        const rr_source_t *source = &APR_ARRAY_IDX(sources, i, rr_source_t);

        if (rr_glue_is_authorization(source)) {
            return source->scheme ? source->scheme : "Bearer";
        }
    }
    return NULL;
}

/* What one call of rr_glue_sources_read works on. */
typedef struct {
    request_rec *r;
    const rr_core_t *core;
    apr_array_header_t *presented; /* rr_presented_t; NULL: nothing yet */
    apr_size_t max;
    rr_err_t *err;
} reading_t;

typedef unsigned char sixteen_t __attribute__((vector_size(16)));

/* Visible ASCII and nothing else. Sixteen bytes a step: tokens are long, and every provider that reads them asks. */
static int is_one_word(const char *text, apr_size_t len)
{
    sixteen_t bytes, others = { 0 };
    apr_uint64_t halves[2];
    apr_size_t i;

    for (i = 0; i + sizeof(bytes) <= len; i += sizeof(bytes)) {
        memcpy(&bytes, text + i, sizeof(bytes));
        others |= (sixteen_t)(bytes - '!' > '~' - '!');
    }
    for (; i < len; i++) {
        if (text[i] < '!' || text[i] > '~') {
            return 0;
        }
    }
    memcpy(halves, &others, sizeof(halves));
    return !(halves[0] | halves[1]);
}

static apr_status_t present(reading_t *reading, const rr_source_t *source, const char *text, apr_size_t len)
{
    const char *place = source->name;
    rr_presented_t *one;
    int k;

    if (!len) {
        return rr_err_set(reading->err, RR_EINVAL, place, "the credential in %s is empty", place);
    }
    if (len > reading->max) {
        return rr_err_set(reading->err, RR_EINVAL, place, "the credential in %s is longer than %" APR_SIZE_T_FMT
                          " bytes", place, reading->max);
    }
    if (!is_one_word(text, len)) {
        return rr_err_set(reading->err, RR_EINVAL, place, "the credential in %s is not one word", place);
    }
    if (!reading->presented) {
        reading->presented = apr_array_make(reading->r->pool, 1, sizeof(rr_presented_t));
    }
    for (k = 0; k < reading->presented->nelts; k++) {
        one = &APR_ARRAY_IDX(reading->presented, k, rr_presented_t);
        if (rr_secret_equal(one->value, one->len, text, len)) {
            return APR_SUCCESS;
        }
    }
    one = apr_array_push(reading->presented);
    one->value = text[len] ? apr_pstrmemdup(reading->r->pool, text, len) : text;
    one->len = len;
    one->source = source;
    one->in_authorization = rr_glue_is_authorization(source);
    return APR_SUCCESS;
}

/*
 * Whether a credential of that scheme follows a comma: httpd has joined several Authorization headers. A comma
 * in a quoted string, as Digest may have, separates nothing.
 */
static int follows_comma(const char *value, const char *scheme)
{
    apr_size_t len = strlen(scheme);
    int quoted = 0;

    for (; *value; value++) {
        if (quoted && *value == '\\' && value[1]) {
            value++;
        }
        else if (*value == '"') {
            quoted = !quoted;
        }
        else if (*value == ',' && !quoted) {
            const char *next = value + 1 + strspn(value + 1, " \t");

            if (!apr_cstr_casecmpn(next, scheme, len) && (next[len] == ' ' || next[len] == '\t')) {
                return 1;
            }
        }
    }
    return 0;
}

static apr_status_t read_header(reading_t *reading, const rr_source_t *source)
{
    const char *value = reading->core->client_header(reading->r, source->name);
    apr_size_t scheme_len, word;
    int is_authorization;

    if (!value) {
        return APR_SUCCESS;
    }
    is_authorization = rr_glue_is_authorization(source);
    while (apr_isspace(*value)) {
        value++;
    }
    word = strcspn(value, " \t");
    if (!source->scheme) {
        /* A raw Authorization is one word; before more there is a scheme, another source's or module's business. */
        if (value[word] && is_authorization && is_token(apr_pstrmemdup(reading->r->pool, value, word))) {
            return APR_SUCCESS;
        }
        return present(reading, source, value, strlen(value));
    }
    scheme_len = strlen(source->scheme);
    if (word != scheme_len || apr_cstr_casecmpn(value, source->scheme, scheme_len)) {
        return is_authorization && follows_comma(value, source->scheme)
                   ? rr_err_set(reading->err, RR_EINVAL, source->name, "Authorization was sent more than once")
                   : APR_SUCCESS;
    }
    value += word;
    while (*value == ' ' || *value == '\t') {
        value++;
    }
    return present(reading, source, value, strlen(value));
}

/* Decodes percent-codes once; a "+" stays what it is. NULL: a bad or NUL code. */
static char *decode(apr_pool_t *p, const char *text, apr_size_t len, apr_size_t *plen)
{
    char *out = apr_palloc(p, len + 1), *to = out;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (text[i] != '%') {
            *to++ = text[i];
            continue;
        }
        if (len - i < 3 || !apr_isxdigit(text[i + 1]) || !apr_isxdigit(text[i + 2])) {
            return NULL;
        }
        *to = (char)((apr_isdigit(text[i + 1]) ? text[i + 1] - '0' : (text[i + 1] | 0x20) - 'a' + 10) << 4
                     | (apr_isdigit(text[i + 2]) ? text[i + 2] - '0' : (text[i + 2] | 0x20) - 'a' + 10));
        if (!*to++) {
            return NULL;
        }
        i += 2;
    }
    *to = '\0';
    *plen = (apr_size_t)(to - out);
    return out;
}

static apr_status_t read_query(reading_t *reading, const rr_source_t *source)
{
    const char *args = reading->core->client_args(reading->r);
    apr_status_t rv = APR_SUCCESS;

    while (args && *args && rv == APR_SUCCESS) {
        apr_size_t pair = strcspn(args, "&"), name_len = strcspn(args, "=&"), len;
        char *name = decode(reading->r->pool, args, name_len, &len), *value;

        if (name && !strcmp(name, source->name)) {
            if (name_len == pair) {
                rv = present(reading, source, "", 0);
            }
            else if (!(value = decode(reading->r->pool, args + name_len + 1, pair - name_len - 1, &len))) {
                rv = rr_err_set(reading->err, RR_EINVAL, source->name, "the parameter %s has a bad percent-code",
                                source->name);
            }
            else {
                rv = present(reading, source, value, len);
            }
        }
        args += pair + (args[pair] == '&');
    }
    return rv;
}

/*
 * Whether the browser says that the page itself sent this request. Who says
 * nothing does not get the cookie counted: that is the point of the check.
 */
static int is_same_origin(request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *host = apr_table_get(r->headers_in, "Host");

    if (site) {
        return !strcmp(site, "same-origin");
    }
    return origin && host
           && !apr_cstr_casecmp(origin, apr_pstrcat(r->pool, ap_http_scheme(r), "://", host, NULL));
}

/* A foreign page may send such a request and gets nothing out of it: reading, but no WebSocket, which it could read. */
static int is_harmless(request_rec *r)
{
    return (r->method_number == M_GET || r->method_number == M_OPTIONS)
           && !ap_find_token(r->pool, apr_table_get(r->headers_in, "Upgrade"), "websocket");
}

static apr_status_t read_cookie(reading_t *reading, const rr_source_t *source)
{
    const char *cookies = reading->core->client_header(reading->r, "Cookie");
    apr_size_t name_len = strlen(source->name);
    apr_status_t rv = APR_SUCCESS;

    if (!cookies || (!is_harmless(reading->r) && !is_same_origin(reading->r))) {
        return APR_SUCCESS;
    }
    while (*cookies && rv == APR_SUCCESS) {
        apr_size_t len;

        cookies += strspn(cookies, "; ,\t"); /* httpd joins repeated Cookie headers with a comma */
        len = strcspn(cookies, ";,");
        if (len > name_len && cookies[name_len] == '=' && !strncmp(cookies, source->name, name_len)) {
            const char *value = cookies + name_len + 1;
            apr_size_t value_len = len - name_len - 1;

            while (value_len && apr_isspace(value[value_len - 1])) {
                value_len--;
            }
            if (value_len >= 2 && value[0] == '"' && value[value_len - 1] == '"') {
                value++, value_len -= 2;
            }
            rv = present(reading, source, value, value_len);
        }
        cookies += len;
    }
    return rv;
}

apr_status_t rr_glue_sources_read(const apr_array_header_t **ppresented, request_rec *r, const rr_core_t *core,
                                  const apr_array_header_t *sources, apr_size_t max, rr_err_t *err)
{
    static const apr_array_header_t nothing = { NULL, sizeof(rr_presented_t), 0, 0, NULL };
    reading_t reading = { r, core, NULL, max, err };
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < sources->nelts && rv == APR_SUCCESS; i++) {
        const rr_source_t *source = &APR_ARRAY_IDX(sources, i, rr_source_t);

        switch (source->kind) {
        case RR_SOURCE_HEADER:
            rv = read_header(&reading, source);
            break;
        case RR_SOURCE_QUERY:
            rv = read_query(&reading, source);
            break;
        case RR_SOURCE_COOKIE:
            rv = read_cookie(&reading, source);
            break;
        }
    }
    *ppresented = reading.presented ? reading.presented : &nothing;
    return rv;
}
