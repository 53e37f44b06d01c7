/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_filter_judge.c: which filters apply to a request.
 *
 * Conditions are looked at so that doubt lets a filter apply: a request that
 * was redirected is judged by every form it had, a header both joined and in
 * its parts.
 */
#include "rr_filter_private.h"
#include "rr_path.h"

#include <apr_strings.h>

#include <string.h>

typedef struct judge_t {
    const rr_filter_facts_t *facts;
    rr_matcher_t *matcher;
} judge_t;

static rr_match_e both(rr_match_e a, rr_match_e b)
{
    return a == RR_MATCH_NO || b == RR_MATCH_NO ? RR_MATCH_NO : a == RR_MATCH_YES ? b : a;
}

static rr_match_e either(rr_match_e a, rr_match_e b)
{
    return a == RR_MATCH_YES || b == RR_MATCH_YES ? RR_MATCH_YES : a == RR_MATCH_NO ? b : a;
}

/* A NULL pattern matches everything. */
static rr_match_e search(const judge_t *judge, const rr_pattern_t *pattern, const char *text)
{
    return pattern ? rr_pattern_search(pattern, judge->matcher, text, strlen(text)) : RR_MATCH_YES;
}

/* ---- claims ---- */

typedef struct claim_t {
    const judge_t *judge;
    const check_t *check;
    const char *name; /* dots between levels */
    int depth;
    apr_pool_t *p;
    rr_match_e found;
} claim_t;

static rr_match_e match_claim(const claim_t *claim, const rr_json_t *value);

static int visit_claim(void *baton, const char *name, const rr_json_t *value)
{
    claim_t *claim = baton, inner = *claim;

    inner.name = claim->name ? apr_pstrcat(claim->p, claim->name, ".", name, NULL) : name;
    inner.depth++;
    claim->found = either(claim->found, match_claim(&inner, value));
    return claim->found != RR_MATCH_YES;
}

static rr_match_e match_words(const claim_t *claim, const rr_json_t *value)
{
    const apr_array_header_t *words = rr_json_words(claim->p, value);
    rr_match_e found = RR_MATCH_NO;
    int i;

    for (i = 0; i < words->nelts; i++) {
        found = either(found, search(claim->judge, claim->check->value, APR_ARRAY_IDX(words, i, const char *)));
    }
    return found;
}

static rr_match_e match_value(const claim_t *claim, const rr_json_t *value)
{
    const char *text;

    if (!strcmp(claim->name, "scope") || !strcmp(claim->name, "scp")) {
        return match_words(claim, value);
    }
    text = rr_json_scalar(claim->p, value);
    return text ? search(claim->judge, claim->check->value, text) : RR_MATCH_NO;
}

/* Members of an object by their dotted name, elements of an array by the array's. */
static rr_match_e match_claim(const claim_t *claim, const rr_json_t *value)
{
    rr_match_e found = RR_MATCH_NO;
    claim_t inner = *claim;
    apr_size_t i;

    if (claim->depth > RR_MAX_JSON_DEPTH) {
        return RR_MATCH_DOUBT;
    }
    if (rr_json_kind(value) == RR_JSON_OBJECT) {
        inner.found = RR_MATCH_NO;
        rr_json_members(value, visit_claim, &inner);
        return inner.found;
    }
    if (rr_json_kind(value) == RR_JSON_ARRAY && strcmp(claim->name, "scope") && strcmp(claim->name, "scp")) {
        inner.depth++;
        for (i = 0; i < rr_json_size(value) && found != RR_MATCH_YES; i++) {
            found = either(found, match_claim(&inner, rr_json_element(value, i)));
        }
        return found;
    }
    found = search(claim->judge, claim->check->name, claim->name);
    return found == RR_MATCH_NO ? found : both(found, match_value(claim, value));
}

static rr_match_e judge_claims(const judge_t *judge, const check_t *check, apr_pool_t *p)
{
    claim_t claim = { .judge = judge, .check = check, .p = p };
    rr_match_e found = RR_MATCH_NO;
    int i;

    for (i = 0; i < judge->facts->tokens_count && found != RR_MATCH_YES; i++) {
        found = either(found, match_claim(&claim, judge->facts->tokens[i]));
    }
    return found;
}

/* ---- headers ---- */

typedef struct header_t {
    const judge_t *judge;
    const check_t *check;
    apr_pool_t *p;
    rr_match_e found;
} header_t;

/* What must be there may be in any part; what must not be there exempts the caller, so only the whole counts. */
static rr_match_e match_header(const header_t *header, const char *value)
{
    rr_match_e found = search(header->judge, header->check->value, value);
    char *parts, *part, *end, *state;

    if (header->check->absent || found == RR_MATCH_YES) {
        return found;
    }
    parts = apr_pstrdup(header->p, value);
    for (part = apr_strtok(parts, ",", &state); part; part = apr_strtok(NULL, ",", &state)) {
        part += strspn(part, " \t");
        for (end = part + strlen(part); end > part && (end[-1] == ' ' || end[-1] == '\t'); end--) {
        }
        *end = '\0';
        found = either(found, search(header->judge, header->check->value, part));
    }
    return found;
}

static int visit_header(void *baton, const char *name, const char *value)
{
    header_t *header = baton;
    rr_match_e found = search(header->judge, header->check->name, name);

    if (found != RR_MATCH_NO) {
        header->found = either(header->found, both(found, match_header(header, value)));
    }
    return 1;
}

static rr_match_e judge_headers(const judge_t *judge, const check_t *check, apr_pool_t *p)
{
    header_t header = { .judge = judge, .check = check, .p = p, .found = RR_MATCH_NO };

    apr_table_do(visit_header, &header, judge->facts->headers, NULL);
    return header.found;
}

/* ---- the whole filter ---- */

static int checks_hold(const judge_t *judge, const apr_array_header_t *checks, apr_pool_t *p,
                       rr_match_e (*find)(const judge_t *judge, const check_t *check, apr_pool_t *p))
{
    int i;

    for (i = 0; checks && i < checks->nelts; i++) {
        const check_t *check = &APR_ARRAY_IDX(checks, i, check_t);
        rr_match_e found = find(judge, check, p);

        if (found == (check->absent ? RR_MATCH_YES : RR_MATCH_NO)) {
            return 0;
        }
    }
    return 1;
}

static int path_holds(const judge_t *judge, const filter_t *filter)
{
    const apr_array_header_t *paths = judge->facts->paths;
    int i;

    for (i = 0; filter->path && i < paths->nelts; i++) {
        const char *path = APR_ARRAY_IDX(paths, i, const char *);
        rr_match_e found = path ? search(judge, filter->path, path) : RR_MATCH_DOUBT;

        if (found != (filter->path_absent ? RR_MATCH_YES : RR_MATCH_NO)) {
            return 1;
        }
    }
    return !filter->path;
}

/* HEAD tells of the same resource as GET, in its headers. */
static int method_holds(const judge_t *judge, const filter_t *filter)
{
    const apr_array_header_t *methods = judge->facts->methods;
    int i, j;

    for (i = 0; filter->methods && i < filter->methods->nelts; i++) {
        const char *wanted = APR_ARRAY_IDX(filter->methods, i, const char *);

        for (j = 0; j < methods->nelts; j++) {
            const char *method = APR_ARRAY_IDX(methods, j, const char *);

            if (!method || !strcasecmp(wanted, method) || (!strcmp(wanted, "GET") && !strcasecmp(method, "HEAD"))) {
                return 1;
            }
        }
    }
    return !filter->methods;
}

unsigned rr_filters_judge(const rr_filters_t *filters, const rr_filter_facts_t *facts, rr_matcher_t *matcher,
                          unsigned char *active, apr_pool_t *p)
{
    const judge_t judge = { facts, matcher };
    unsigned count = 0;
    int i;

    for (i = 0; i < filters->list->nelts; i++) {
        const filter_t *filter = &APR_ARRAY_IDX(filters->list, i, filter_t);

        active[i] = method_holds(&judge, filter) && path_holds(&judge, filter) &&
                    checks_hold(&judge, filter->claims, p, judge_claims) &&
                    checks_hold(&judge, filter->headers, p, judge_headers);
        count += active[i];
    }
    return count;
}

/* ---- paths ---- */

const char *rr_filter_path(const char *target, const char *mount, int *pbelow, apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;
    const char *path;

    *pbelow = 1;
    if (rr_path_canonical(&path, target, RR_PATH_STRICT, p, &err) != APR_SUCCESS) {
        return NULL;
    }
    path = rr_path_below(path, mount);
    *pbelow = path != NULL;
    return path;
}
