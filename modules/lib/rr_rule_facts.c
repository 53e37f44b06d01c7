/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule_facts.c: facts of a request in the form that rules test, each kind
 * worked out when a rule first wants it.
 *
 * Facts are names with values. Those of one name are chained, because a rule
 * that allows wants every value of a repeated query parameter.
 */
#include "rr_rule_private.h"

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* A list being made. */
typedef struct {
    apr_pool_t *p;
    apr_array_header_t *facts; /* fact_t */
    apr_size_t bytes;          /* names and values so far */
    const char *doubt;
} gather_t;

int rule_method_number(const char *method, apr_size_t len)
{
    static const char *const names[M_OTHER] = {
        [M_GET] = "GET",         [M_HEAD] = "HEAD",   [M_POST] = "POST",
        [M_PUT] = "PUT",         [M_PATCH] = "PATCH", [M_DELETE] = "DELETE",
        [M_OPTIONS] = "OPTIONS", [M_TRACE] = "TRACE", [M_CONNECT] = "CONNECT",
    };
    int i;

    for (i = 0; i < M_OTHER; i++) {
        if (strlen(names[i]) == len && !strncasecmp(names[i], method, len)) {
            return i;
        }
    }
    return M_OTHER;
}

rr_facts_lazy_t *rule_facts_lazy(rr_facts_t *facts)
{
    rr_facts_lazy_t *lazy = facts->lazy;
    int i;

    if (!lazy) {
        lazy = facts->lazy = apr_pcalloc(facts->p, sizeof(*lazy));
        lazy->path_len = strlen(facts->path);
        lazy->methods = 1u << rule_method_number(facts->method, strlen(facts->method));
        for (i = 0; facts->overrides && i < facts->overrides->nelts; i++) {
            const char *method = APR_ARRAY_IDX(facts->overrides, i, const char *);

            lazy->methods |= 1u << rule_method_number(method, strlen(method));
        }
        if (facts->overrides && facts->overrides->nelts > RR_MAX_OVERRIDES) {
            lazy->methods = (1u << M_COUNT) - 1;
        }
    }
    return lazy;
}

static void add(gather_t *gather, const char *name, apr_size_t name_len, const char *value, apr_size_t value_len)
{
    gather->bytes += sizeof(fact_t) + name_len + value_len;
    if (gather->bytes > RR_MAX_FACTS) {
        gather->doubt = "it has too many members to be judged";
    }
    if (!gather->doubt) {
        fact_t *fact = apr_array_push(gather->facts);

        fact->name = name;
        fact->name_len = name_len;
        fact->value = value;
        fact->value_len = value_len;
        fact->next = -1;
        fact->first = 1;
    }
}

static void chain_by_name(gather_t *gather)
{
    fact_t *facts = (fact_t *)gather->facts->elts;
    const int count = gather->facts->nelts;
    apr_hash_t *last;
    int i;

    if (count < 2) {
        return;
    }
    last = apr_hash_make(gather->p);
    for (i = 0; i < count; i++) {
        fact_t *before = apr_hash_get(last, facts[i].name, facts[i].name_len);

        if (before) {
            before->next = i;
            facts[i].first = 0;
        }
        apr_hash_set(last, facts[i].name, facts[i].name_len, &facts[i]);
    }
}

/* ---- query ---- */

static int hex(char c)
{
    return apr_isdigit(c) ? c - '0' : apr_isxdigit(c) ? apr_tolower(c) - 'a' + 10 : -1;
}

/* Decoded as a form is; a broken percent-code stands for itself. */
static const char *form_decode(apr_pool_t *p, const char *text, apr_size_t len, apr_size_t *out_len)
{
    char *out, *to;
    apr_size_t i;

    if (!memchr(text, '%', len) && !memchr(text, '+', len)) {
        *out_len = len;
        return text;
    }
    out = to = apr_palloc(p, len + 1);
    for (i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            *to++ = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
            i += 2;
        } else {
            *to++ = text[i] == '+' ? ' ' : text[i];
        }
    }
    *out_len = to - out;
    return out;
}

static void gather_query(gather_t *gather, const rr_facts_t *facts)
{
    const char *at = facts->args ? facts->args : "";

    while (*at && !gather->doubt) {
        const apr_size_t len = strcspn(at, "&");
        const char *equals = memchr(at, '=', len);
        const apr_size_t name_len = equals ? (apr_size_t)(equals - at) : len;
        apr_size_t decoded_name_len, decoded_len;
        const char *name, *value;

        if (len > 0) {
            name = form_decode(gather->p, at, name_len, &decoded_name_len);
            value = equals ? form_decode(gather->p, equals + 1, len - name_len - 1, &decoded_len) : "";
            add(gather, name, decoded_name_len, value, equals ? decoded_len : 0);
        }
        at += len;
        at += *at == '&';
    }
    chain_by_name(gather);
}

/* ---- headers ---- */

static void gather_headers(gather_t *gather, const rr_facts_t *facts)
{
    const apr_array_header_t *array;
    int i;

    if (!facts->headers) {
        return;
    }
    array = apr_table_elts(facts->headers);
    for (i = 0; i < array->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(array, i, apr_table_entry_t);

        if (entry->key && entry->val) {
            add(gather, entry->key, strlen(entry->key), entry->val, strlen(entry->val));
        }
    }
}

/* ---- claims and bodies ---- */

typedef struct flatten_t {
    gather_t *gather;
    const char *prefix; /* path of the object whose members are visited */
    int depth;
    int is_body;
} flatten_t;

static void flatten(const flatten_t *at, const char *name, const rr_json_t *value);

static int flatten_member(void *baton, const char *name, const rr_json_t *value)
{
    const flatten_t *at = baton;
    const char *path = *at->prefix ? apr_pstrcat(at->gather->p, at->prefix, ".", name, NULL) : name;

    if (!at->is_body && !*at->prefix && (!strcmp(name, "scope") || !strcmp(name, "scp"))) {
        const apr_array_header_t *words = rr_json_words(at->gather->p, value);
        int i;

        for (i = 0; i < words->nelts; i++) {
            const char *word = APR_ARRAY_IDX(words, i, const char *);

            add(at->gather, path, strlen(path), word, strlen(word));
        }
    } else {
        flatten(at, path, value);
    }
    return at->gather->doubt == NULL;
}

static void flatten_elements(const flatten_t *at, const char *name, const rr_json_t *array)
{
    apr_size_t i;

    for (i = 0; i < rr_json_size(array) && !at->gather->doubt; i++) {
        const char *path = name;

        if (at->is_body) { /* an element of a body has a path of its own; of a claim, the claim's */
            path = apr_psprintf(at->gather->p, "%s[%" APR_SIZE_T_FMT "]", name, i);
        }
        flatten(at, path, rr_json_element(array, i));
    }
}

/* Depth is bounded by the parser, and here again; memory by RR_MAX_FACTS, counted before each path is made. */
static void flatten(const flatten_t *at, const char *name, const rr_json_t *value)
{
    const flatten_t below = { at->gather, name, at->depth + 1, at->is_body };
    const rr_json_kind_e kind = rr_json_kind(value);
    const char *text;

    at->gather->bytes += strlen(name);
    if (below.depth > RR_MAX_JSON_DEPTH || at->gather->bytes > RR_MAX_FACTS) {
        at->gather->doubt = "it has too many members to be judged";
        return;
    }
    if (kind == RR_JSON_OBJECT || kind == RR_JSON_ARRAY || kind == RR_JSON_NULL) {
        if (at->is_body) {
            add(at->gather, name, strlen(name), NULL, 0);
        }
        if (kind == RR_JSON_OBJECT) {
            rr_json_members(value, flatten_member, (void *)&below);
        } else if (kind == RR_JSON_ARRAY) {
            flatten_elements(&below, name, value);
        }
        return;
    }
    if ((text = rr_json_scalar(at->gather->p, value))) {
        add(at->gather, name, strlen(name), text, strlen(text));
    }
}

static void gather_claims(gather_t *gather, const rr_facts_t *facts)
{
    flatten_t at = { gather, "", 0, 0 };
    int i;

    for (i = 0; i < facts->tokens_count; i++) {
        rr_json_members(facts->tokens[i], flatten_member, &at);
    }
    if (gather->doubt) {
        gather->doubt = apr_pstrcat(gather->p, "the token cannot be judged: ", gather->doubt, NULL);
    }
    chain_by_name(gather);
}

static void gather_body(gather_t *gather, const rr_facts_t *facts)
{
    const flatten_t at = { gather, "", 0, 1 };
    const rr_json_t *body = NULL;
    const char *why = "the request body cannot be read";

    if (!facts->read_body) {
        return;
    }
    if (facts->read_body(facts->baton, &body, &why) != APR_SUCCESS) {
        gather->doubt = why;
    } else if (body) {
        flatten(&at, "", body);
        if (gather->doubt) {
            gather->doubt = apr_pstrcat(gather->p, "the request body cannot be judged: ", gather->doubt, NULL);
        }
    }
    chain_by_name(gather);
}

const fact_list_t *rule_facts_list(rr_facts_t *facts, int part)
{
    static void (*const gatherers[PART_COUNT])(gather_t *, const rr_facts_t *) = {
        [PART_HEADERS] = gather_headers,
        [PART_QUERY] = gather_query,
        [PART_TOKEN] = gather_claims,
        [PART_BODY] = gather_body,
    };
    rr_facts_lazy_t *lazy = rule_facts_lazy(facts);
    fact_list_t *list = &lazy->lists[part];

    if (!lazy->known[part]) {
        gather_t gather = { facts->p, apr_array_make(facts->p, 16, sizeof(fact_t)), 0, NULL };

        gatherers[part](&gather, facts);
        list->facts = (const fact_t *)gather.facts->elts;
        list->count = gather.facts->nelts;
        list->doubt = gather.doubt;
        lazy->known[part] = 1;
    }
    return list;
}

/* ---- methods ---- */

static void add_method(apr_array_header_t **pmethods, apr_pool_t *p, const char *method, const char *text,
                       apr_size_t len)
{
    while (len && apr_isspace(*text)) {
        text++;
        len--;
    }
    while (len && apr_isspace(text[len - 1])) {
        len--;
    }
    if (len == 0 || (len == strlen(method) && !strncasecmp(text, method, len))) {
        return;
    }
    if (!*pmethods) {
        *pmethods = apr_array_make(p, 2, sizeof(const char *));
    }
    if ((*pmethods)->nelts <= RR_MAX_OVERRIDES) { /* one too many tells that there are too many */
        APR_ARRAY_PUSH(*pmethods, const char *) = apr_pstrmemdup(p, text, len);
    }
}

apr_array_header_t *rr_facts_overrides(apr_pool_t *p, const char *method, const apr_table_t *headers, const char *args)
{
    static const char *const names[] = { "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override" };
    static const char parameter[] = "_method=";
    apr_array_header_t *methods = NULL;
    const char *at;
    apr_size_t i;

    for (i = 0; headers && i < sizeof(names) / sizeof(names[0]); i++) {
        for (at = apr_table_get(headers, names[i]); at && *at;) {
            const apr_size_t len = strcspn(at, ",");

            add_method(&methods, p, method, at, len);
            at += len + (at[len] == ',');
        }
    }
    for (at = args ? strstr(args, parameter) : NULL; at; at = strstr(at + 1, parameter)) {
        const char *value = at + sizeof(parameter) - 1;

        if (at == args || at[-1] == '&') {
            add_method(&methods, p, method, value, strcspn(value, "&"));
        }
    }
    return methods;
}
