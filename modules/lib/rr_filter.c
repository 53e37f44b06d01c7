/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_filter.c: reads filters.
 *
 * A filter that says something we do not know is refused by name: one that was
 * ignored would let pass what its writer thought gone.
 */
#include "rr_filter_private.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

/* ---- reading ---- */

typedef struct read_t {
    apr_pool_t *p;
    rr_err_t *err;
    const char *flags;       /* the filter's regexFlags; NULL: none */
    apr_array_header_t *ops; /* rr_cut_op_t */
    apr_array_header_t *at;  /* const char *: pointer of each */
} read_t;

static apr_status_t wrong(read_t *in, const char *at, const char *what)
{
    return rr_err_set(in->err, RR_EINVAL, at, "%s", what);
}

static const char *below(read_t *in, const char *at, const char *name)
{
    return apr_pstrcat(in->p, at, "/", name, NULL);
}

typedef struct names_t {
    read_t *in;
    const char *at;
    const char *const *known;
    apr_status_t rv;
} names_t;

static int check_name(void *baton, const char *name, const rr_json_t *value)
{
    names_t *names = baton;
    const char *const *known;

    (void)value;
    for (known = names->known; *known; known++) {
        if (!strcmp(*known, name)) {
            return 1;
        }
    }
    names->rv = rr_err_set(names->in->err, RR_EINVAL, below(names->in, names->at, name),
                           "unknown member %s", rr_json_quote(names->in->p, name, 64));
    return 0;
}

/* value is an object with no other members than those. */
static apr_status_t check_object(read_t *in, const rr_json_t *value, const char *at, const char *const *known)
{
    names_t names = { in, at, known, APR_SUCCESS };

    if (rr_json_kind(value) != RR_JSON_OBJECT) {
        return wrong(in, at, "must be an object");
    }
    rr_json_members(value, check_name, &names);
    return names.rv;
}

static const char *element_at(read_t *in, const char *at, apr_size_t index)
{
    return apr_psprintf(in->p, "%s/%" APR_SIZE_T_FMT, at, index);
}

/* A member that is a list; *psize 0 and no error where there is none. */
static apr_status_t list_size(read_t *in, const rr_json_t *list, const char *at, apr_size_t *psize)
{
    *psize = rr_json_size(list);
    if (list && rr_json_kind(list) != RR_JSON_ARRAY) {
        return wrong(in, at, "must be an array");
    }
    if (*psize > RR_MAX_OPERATIONS) {
        return rr_err_set(in->err, RR_EINVAL, at, "more than %d entries", RR_MAX_OPERATIONS);
    }
    return APR_SUCCESS;
}

static apr_status_t optional_string(read_t *in, const rr_json_t *object, const char *at, const char *name,
                                    const char **ptext)
{
    const rr_json_t *value = rr_json_member(object, name);

    *ptext = rr_json_string(value);
    return value && !*ptext ? wrong(in, below(in, at, name), "must be a string") : APR_SUCCESS;
}

/* The member name, which has flags of patterns. */
static apr_status_t optional_flags(read_t *in, const rr_json_t *object, const char *at, const char *name,
                                   const char **pflags)
{
    rr_err_t err = RR_ERR_INIT;
    int options;
    apr_status_t rv = optional_string(in, object, at, name, pflags);

    if (rv == APR_SUCCESS && rr_pattern_flags(&options, *pflags, &err) != APR_SUCCESS) {
        return wrong(in, below(in, at, name), rr_err_text(&err));
    }
    return rv;
}

static apr_status_t read_pattern_text(read_t *in, const char *text, const char *flags, int more, const char *at,
                                      const rr_pattern_t **ppattern)
{
    rr_err_t err = RR_ERR_INIT;
    int options;

    if (rr_pattern_flags(&options, flags ? flags : in->flags, &err) == APR_SUCCESS) {
        rr_pattern_compile(ppattern, text, options | more, in->p, &err);
    }
    return err.status == APR_SUCCESS ? APR_SUCCESS : wrong(in, at, rr_err_text(&err));
}

/* {pattern, flags?} */
static apr_status_t read_pattern(read_t *in, const rr_json_t *value, int more, const char *at,
                                 const rr_pattern_t **ppattern)
{
    static const char *const known[] = { "pattern", "flags", NULL };
    const char *text, *flags;
    apr_status_t rv = check_object(in, value, at, known);

    if (rv == APR_SUCCESS && (rv = optional_string(in, value, at, "pattern", &text)) == APR_SUCCESS &&
        (rv = optional_flags(in, value, at, "flags", &flags)) == APR_SUCCESS) {
        rv = text ? read_pattern_text(in, text, flags, more, below(in, at, "pattern"), ppattern)
                  : wrong(in, below(in, at, "pattern"), "is missing");
    }
    return rv;
}

static apr_status_t read_presence(read_t *in, const rr_json_t *value, const char *at, int *pabsent)
{
    const char *word = rr_json_string(value);

    *pabsent = 0;
    if (!value) {
        return APR_SUCCESS;
    }
    if (word && (!strcmp(word, "must_exist") || !strcmp(word, "present"))) {
        return APR_SUCCESS;
    }
    if (word && (!strcmp(word, "must_absent") || !strcmp(word, "must_not_exist") || !strcmp(word, "absent"))) {
        *pabsent = 1;
        return APR_SUCCESS;
    }
    return wrong(in, at, "must be must_exist, must_absent, must_not_exist, present or absent");
}

/* token[] (name is "claim") or headers[] (name is "name", and names have no case). */
static apr_status_t read_checks(read_t *in, const rr_json_t *list, const char *at, const char *name,
                                apr_array_header_t **pchecks)
{
    int fold = strcmp(name, "name") ? 0 : RR_PATTERN_CASELESS;
    const char *const known[] = { name, "value", "presence", NULL };
    apr_size_t size, i;
    apr_status_t rv = list_size(in, list, at, &size);

    *pchecks = size ? apr_array_make(in->p, (int)size, sizeof(check_t)) : NULL;
    for (i = 0; i < size && rv == APR_SUCCESS; i++) {
        const rr_json_t *entry = rr_json_element(list, i), *value;
        const char *here = element_at(in, at, i);
        check_t *check = apr_array_push(*pchecks);

        memset(check, 0, sizeof(*check));
        if ((rv = check_object(in, entry, here, known)) != APR_SUCCESS ||
            (rv = read_presence(in, rr_json_member(entry, "presence"), below(in, here, "presence"),
                                &check->absent)) != APR_SUCCESS) {
            break;
        }
        value = rr_json_member(entry, name);
        rv = value ? read_pattern(in, value, fold, below(in, here, name), &check->name)
                   : wrong(in, below(in, here, name), "is missing");
        value = rr_json_member(entry, "value");
        if (rv == APR_SUCCESS && value) {
            rv = read_pattern(in, value, 0, below(in, here, "value"), &check->value);
        }
    }
    return rv;
}

static apr_status_t read_methods(read_t *in, const rr_json_t *list, const char *at, apr_array_header_t **pmethods)
{
    apr_size_t size, i;
    apr_status_t rv = list_size(in, list, at, &size);
    const char *c;

    *pmethods = size ? apr_array_make(in->p, (int)size, sizeof(const char *)) : NULL;
    for (i = 0; i < size && rv == APR_SUCCESS; i++) {
        const char *method = rr_json_string(rr_json_element(list, i));
        char *upper;

        for (c = method ? method : ""; apr_isalnum(*c) || (*c && strchr("!#$%&'*+-.^_`|~", *c)); c++) {
        }
        if (!method || !*method || *c) {
            return wrong(in, element_at(in, at, i), "must be the name of a method");
        }
        upper = apr_pstrdup(in->p, method);
        for (; *upper; upper++) {
            *upper = apr_toupper(*upper);
        }
        APR_ARRAY_PUSH(*pmethods, const char *) = upper - strlen(method);
    }
    return rv;
}

/* {path: {pattern, flags?}, presence?} or {pattern, flags?, presence?} */
static apr_status_t read_path_object(read_t *in, const rr_json_t *value, const char *at, filter_t *filter)
{
    static const char *const nested[] = { "path", "presence", NULL };
    static const char *const flat[] = { "pattern", "flags", "presence", NULL };
    const rr_json_t *inner = rr_json_member(value, "path");
    const char *text, *flags;
    apr_status_t rv = check_object(in, value, at, inner ? nested : flat);

    if (rv != APR_SUCCESS || (rv = read_presence(in, rr_json_member(value, "presence"), below(in, at, "presence"),
                                                 &filter->path_absent)) != APR_SUCCESS) {
        return rv;
    }
    if (inner) {
        return read_pattern(in, inner, 0, below(in, at, "path"), &filter->path);
    }
    if ((rv = optional_string(in, value, at, "pattern", &text)) != APR_SUCCESS ||
        (rv = optional_flags(in, value, at, "flags", &flags)) != APR_SUCCESS) {
        return rv;
    }
    return text ? read_pattern_text(in, text, flags, 0, below(in, at, "pattern"), &filter->path)
                : wrong(in, below(in, at, "pattern"), "is missing");
}

/* Every published way to say which request paths are meant; one of them at most. */
static apr_status_t read_path(read_t *in, const rr_json_t *value, const char *at, filter_t *filter)
{
    static const struct {
        const char *name, *presence; /* presence: the name holds the pattern itself, and this its presence */
    } ways[] = { { "requestPath", NULL },
                 { "path", NULL },
                 { "requestPathPattern", "requestPathPresence" },
                 { "pathPattern", "pathPresence" } };
    apr_status_t rv = APR_SUCCESS;
    const char *text;
    apr_size_t i;

    for (i = 0; i < sizeof(ways) / sizeof(ways[0]) && rv == APR_SUCCESS; i++) {
        const rr_json_t *member = rr_json_member(value, ways[i].name);
        const char *here = below(in, at, ways[i].name);

        if (!member) {
            if (ways[i].presence && rr_json_member(value, ways[i].presence)) {
                return wrong(in, here, "is missing");
            }
            continue;
        }
        if (filter->path) {
            return wrong(in, here, "says the path a second time");
        }
        if (!ways[i].presence) {
            rv = read_path_object(in, member, here, filter);
            continue;
        }
        text = rr_json_string(member);
        rv = text ? read_pattern_text(in, text, NULL, 0, here, &filter->path) : wrong(in, here, "must be a string");
        if (rv == APR_SUCCESS) {
            rv = read_presence(in, rr_json_member(value, ways[i].presence), below(in, at, ways[i].presence),
                               &filter->path_absent);
        }
    }
    return rv;
}

static apr_status_t read_operation(read_t *in, const rr_json_t *value, const char *at, unsigned group)
{
    static const char *const known[] = { "effect", "jsonPath", "notes", NULL };
    static const char *const known_path[] = { "pattern", "flags", "path", NULL };
    rr_cut_op_t op = { .group = group };
    const rr_json_t *where = rr_json_member(value, "jsonPath");
    const char *path_at = below(in, at, "jsonPath"), *effect, *notes;
    apr_status_t rv = check_object(in, value, at, known);

    if (rv != APR_SUCCESS || (rv = optional_string(in, value, at, "effect", &effect)) != APR_SUCCESS ||
        (rv = optional_string(in, value, at, "notes", &notes)) != APR_SUCCESS) {
        return rv;
    }
    op.effect = effect && !strcmp(effect, "destroy") ? RR_CUT_DESTROY
                : effect && !strcmp(effect, "retain") ? RR_CUT_RETAIN
                                                      : 0;
    if (!op.effect) {
        return wrong(in, below(in, at, "effect"), "must be destroy or retain");
    }
    if ((rv = check_object(in, where, path_at, known_path)) != APR_SUCCESS ||
        (rv = optional_string(in, where, path_at, "pattern", &op.pattern)) != APR_SUCCESS ||
        (rv = optional_string(in, where, path_at, "path", &op.path)) != APR_SUCCESS ||
        (rv = optional_flags(in, where, path_at, "flags", &op.flags)) != APR_SUCCESS) {
        return rv;
    }
    if (!op.pattern == !op.path) {
        return wrong(in, path_at, "must have either pattern or path");
    }
    if (op.path && op.flags) {
        return wrong(in, below(in, path_at, "flags"), "go with a pattern only");
    }
    op.flags = op.flags || op.path ? op.flags : in->flags;
    APR_ARRAY_PUSH(in->ops, rr_cut_op_t) = op;
    APR_ARRAY_PUSH(in->at, const char *) = below(in, path_at, op.pattern ? "pattern" : "path");
    return APR_SUCCESS;
}

static apr_status_t read_operations(read_t *in, const rr_json_t *list, const char *at, unsigned group)
{
    apr_size_t size, i;
    apr_status_t rv = list_size(in, list, at, &size);

    if (rv == APR_SUCCESS && !size) {
        return wrong(in, at, "must have at least one operation");
    }
    for (i = 0; i < size && rv == APR_SUCCESS; i++) {
        rv = read_operation(in, rr_json_element(list, i), element_at(in, at, i), group);
    }
    return rv;
}

static apr_status_t read_filter(read_t *in, const rr_json_t *value, const char *at, unsigned number, filter_t *filter)
{
    static const char *const known[] = { "id",           "token",          "requestPath", "path",
                                         "requestPathPattern", "requestPathPresence", "pathPattern", "pathPresence",
                                         "methods",      "headers",        "headerChecks", "operations",
                                         "notes",        "regexFlags",     NULL };
    const rr_json_t *headers = rr_json_member(value, "headers"), *checks = rr_json_member(value, "headerChecks");
    const char *notes;
    apr_status_t rv = check_object(in, value, at, known);

    if (rv != APR_SUCCESS || (rv = optional_string(in, value, at, "id", &filter->id)) != APR_SUCCESS ||
        (rv = optional_string(in, value, at, "notes", &notes)) != APR_SUCCESS ||
        (rv = optional_flags(in, value, at, "regexFlags", &in->flags)) != APR_SUCCESS) {
        return rv;
    }
    if (headers && checks) {
        return wrong(in, below(in, at, "headerChecks"), "says the headers a second time");
    }
    filter->id = filter->id ? filter->id : apr_psprintf(in->p, "#%u", number);
    if ((rv = read_checks(in, rr_json_member(value, "token"), below(in, at, "token"), "claim", &filter->claims)) ==
            APR_SUCCESS &&
        (rv = read_checks(in, headers ? headers : checks, below(in, at, checks ? "headerChecks" : "headers"), "name",
                          &filter->headers)) == APR_SUCCESS &&
        (rv = read_methods(in, rr_json_member(value, "methods"), below(in, at, "methods"), &filter->methods)) ==
            APR_SUCCESS &&
        (rv = read_path(in, value, at, filter)) == APR_SUCCESS) {
        rv = read_operations(in, rr_json_member(value, "operations"), below(in, at, "operations"), number);
    }
    return rv;
}

/* What there is a condition on in any of list. */
static unsigned looked_at(const apr_array_header_t *list)
{
    unsigned look_at = 0;
    int i;

    for (i = 0; i < list->nelts; i++) {
        const filter_t *filter = &APR_ARRAY_IDX(list, i, filter_t);

        look_at |= (filter->methods ? RR_FILTER_METHODS : 0) | (filter->path ? RR_FILTER_PATHS : 0) |
                   (filter->headers ? RR_FILTER_HEADERS : 0) | (filter->claims ? RR_FILTER_TOKENS : 0);
    }
    return look_at;
}

/* list is an array of filters, or (single) one. */
static apr_status_t compile_list(const rr_filters_t **pfilters, const rr_json_t *list, int single, const char *at,
                                 apr_pool_t *p, rr_err_t *err)
{
    rr_filters_t *filters = apr_pcalloc(p, sizeof(*filters));
    read_t in = { .p = p, .err = err };
    rr_err_t reason = RR_ERR_INIT;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t size = single ? 1 : rr_json_size(list), i, which = 0;

    *pfilters = NULL;
    if (!single && rr_json_kind(list) != RR_JSON_ARRAY) {
        return wrong(&in, at, "must be an array of filters");
    }
    if (size > RR_MAX_FILTERS) {
        return rr_err_set(err, RR_EINVAL, at, "more than %d filters", RR_MAX_FILTERS);
    }
    filters->list = apr_array_make(p, (int)size, sizeof(filter_t));
    in.ops = apr_array_make(p, (int)size, sizeof(rr_cut_op_t));
    in.at = apr_array_make(p, (int)size, sizeof(const char *));
    for (i = 0; i < size && rv == APR_SUCCESS; i++) {
        filter_t *filter = apr_array_push(filters->list);

        memset(filter, 0, sizeof(*filter));
        rv = single ? read_filter(&in, list, at, 0, filter)
                    : read_filter(&in, rr_json_element(list, i), element_at(&in, at, i), (unsigned)i, filter);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    filters->look_at = looked_at(filters->list);
    rv = rr_cut_compile(&filters->ops, (const rr_cut_op_t *)in.ops->elts, (apr_size_t)in.ops->nelts, p, &reason,
                        &which);
    if (rv != APR_SUCCESS) {
        return wrong(&in, APR_ARRAY_IDX(in.at, (int)which, const char *), rr_err_text(&reason));
    }
    *pfilters = filters;
    return APR_SUCCESS;
}

apr_status_t rr_filters_read(const rr_filters_t **pfilters, const char *text, apr_size_t len, apr_pool_t *p,
                             rr_err_t *err)
{
    static const char *const known[] = { "filters", NULL };
    const rr_json_t *value, *list;
    read_t in = { .p = p, .err = err };
    apr_status_t rv = rr_json_parse(&value, text, len, p, err);

    *pfilters = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (rr_json_kind(value) == RR_JSON_ARRAY) {
        return compile_list(pfilters, value, 0, "", p, err);
    }
    list = rr_json_member(value, "filters");
    if (list) {
        rv = check_object(&in, value, "", known);
        return rv == APR_SUCCESS ? compile_list(pfilters, list, 0, "/filters", p, err) : rv;
    }
    if (rr_json_kind(value) != RR_JSON_OBJECT) {
        return wrong(&in, "", "must be a filter, an array of filters or {\"filters\": [...]}");
    }
    return compile_list(pfilters, value, 1, "", p, err);
}

unsigned rr_filters_count(const rr_filters_t *filters)
{
    return (unsigned)filters->list->nelts;
}

const char *rr_filters_id(const rr_filters_t *filters, unsigned number)
{
    return APR_ARRAY_IDX(filters->list, (int)number, filter_t).id;
}

unsigned rr_filters_look_at(const rr_filters_t *filters)
{
    return filters->look_at;
}

const rr_cut_ops_t *rr_filters_ops(const rr_filters_t *filters)
{
    return filters->ops;
}
