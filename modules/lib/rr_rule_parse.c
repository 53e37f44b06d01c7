/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule_parse.c: JSON to compiled rules, and back to the one shape we emit.
 *
 * Every shape that was ever published is read; nothing is ignored. A member
 * that is misspelt would make a rule wider than its author believes.
 */
#include "rr_rule_private.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

typedef struct {
    rr_rule_t *rule;
    const char *flags; /* regexFlags: of every pattern that has none of its own */
    int want_id;       /* "id" is a member */
    apr_pool_t *p;
    apr_pool_t *ptemp;
    rr_err_t *err;
} parse_t;

/* Names of a part's members; the first of each is what we emit. */
static const struct {
    const char *member, *synonym; /* of the rule */
    const char *names[3];         /* of what is looked for, as an object with a pattern */
    const char *name_pattern;     /* the same as a bare pattern */
} part_names[PART_COUNT] = {
    [PART_HEADERS] = { "headers", "headerChecks", { "name" }, "namePattern" },
    [PART_QUERY] = { "query", "queryChecks", { "name" }, "namePattern" },
    [PART_TOKEN] = { "token", NULL, { "claim" }, "claimPattern" },
    [PART_BODY] = { "body", NULL, { "jsonPath", "path", "name" }, NULL },
};

static const char *below(const parse_t *parse, const char *pointer, const char *member)
{
    return apr_pstrcat(parse->ptemp, pointer, "/", member, NULL);
}

static apr_status_t bad(const parse_t *parse, const char *pointer, const char *text)
{
    return rr_err_set(parse->err, RR_EINVAL, pointer, "%s", text);
}

/* ---- members of one object, each by a function of its own ---- */

typedef apr_status_t read_fn(parse_t *parse, void *into, const rr_json_t *value, const char *pointer);

typedef struct {
    const char *name;
    read_fn *read;
} member_t;

typedef struct {
    parse_t *parse;
    const member_t *members;
    void *into;
    const char *pointer;
    apr_status_t rv;
} object_t;

static int visit_member(void *baton, const char *name, const rr_json_t *value)
{
    object_t *object = baton;
    const member_t *member;

    for (member = object->members; member->name; member++) {
        if (!strcmp(member->name, name)) {
            object->rv = member->read(object->parse, object->into, value, below(object->parse, object->pointer, name));
            return object->rv == APR_SUCCESS;
        }
    }
    object->rv = bad(object->parse, below(object->parse, object->pointer, name), "this member is not known");
    return 0;
}

static apr_status_t read_object(parse_t *parse, void *into, const rr_json_t *value, const char *pointer,
                                const member_t *members)
{
    object_t object = { parse, members, into, pointer, APR_SUCCESS };

    if (rr_json_kind(value) != RR_JSON_OBJECT) {
        return bad(parse, pointer, "must be an object");
    }
    rr_json_members(value, visit_member, &object);
    return object.rv;
}

/* ---- patterns ---- */

typedef struct {
    const char *text, *flags;
} raw_pattern_t;

static apr_status_t read_text(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    if (!(*(const char **)into = rr_json_string(value))) {
        return bad(parse, pointer, "must be a string");
    }
    return APR_SUCCESS;
}

static apr_status_t read_flags(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    rr_err_t why = RR_ERR_INIT;
    int options;
    apr_status_t rv = read_text(parse, into, value, pointer);

    if (rv == APR_SUCCESS && rr_pattern_flags(&options, *(const char **)into, &why) != APR_SUCCESS) {
        return bad(parse, pointer, why.text);
    }
    return rv;
}

static apr_status_t read_pattern_text(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    return read_text(parse, &((raw_pattern_t *)into)->text, value, pointer);
}

static apr_status_t read_pattern_flags(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    return read_flags(parse, &((raw_pattern_t *)into)->flags, value, pointer);
}

/* {"pattern": ..., "flags": ...}, or the pattern alone. */
static apr_status_t read_raw_pattern(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    static const member_t members[] = { { "pattern", read_pattern_text }, { "flags", read_pattern_flags }, { NULL } };
    raw_pattern_t *raw = into;
    apr_status_t rv;

    if (raw->text) {
        return bad(parse, pointer, "the pattern is given twice");
    }
    if (rr_json_kind(value) == RR_JSON_STRING) {
        return read_pattern_text(parse, into, value, pointer);
    }
    if ((rv = read_object(parse, into, value, pointer, members)) == APR_SUCCESS && !raw->text) {
        return bad(parse, pointer, "has no \"pattern\"");
    }
    return rv;
}

static apr_status_t compile(parse_t *parse, const rr_pattern_t **ppattern, const char **pflags,
                            const raw_pattern_t *raw, int options, const char *pointer)
{
    rr_err_t why = RR_ERR_INIT;
    int own;

    *pflags = apr_pstrdup(parse->p, raw->flags ? raw->flags : parse->flags);
    if (rr_pattern_flags(&own, *pflags, &why) != APR_SUCCESS ||
        rr_pattern_compile(ppattern, raw->text, own | options, parse->p, &why) != APR_SUCCESS) {
        return bad(parse, pointer, why.text);
    }
    return APR_SUCCESS;
}

/* ---- presence, path ---- */

static apr_status_t presence(parse_t *parse, int *pabsent, const rr_json_t *value, const char *pointer)
{
    static const struct {
        const char *word;
        int absent;
    } words[] = {
        { "must_exist", 0 }, { "present", 0 }, { "must_absent", 1 }, { "must_not_exist", 1 }, { "absent", 1 }
    };
    const char *text = rr_json_string(value);
    apr_size_t i;

    for (i = 0; text && i < sizeof(words) / sizeof(words[0]); i++) {
        if (!strcmp(text, words[i].word)) {
            *pabsent = words[i].absent;
            return APR_SUCCESS;
        }
    }
    return bad(parse, pointer, "must be must_exist, must_absent, must_not_exist, present or absent");
}

/* A check while its members are being read. */
typedef struct {
    raw_pattern_t name, value;
    int absent;
    int has_presence;
} raw_check_t;

static apr_status_t read_name(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    return read_raw_pattern(parse, &((raw_check_t *)into)->name, value, pointer);
}

static apr_status_t read_value(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    return read_raw_pattern(parse, &((raw_check_t *)into)->value, value, pointer);
}

static apr_status_t read_presence(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    ((raw_check_t *)into)->has_presence = 1;
    return presence(parse, &((raw_check_t *)into)->absent, value, pointer);
}

static apr_status_t read_bare_value(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    return read_pattern_text(parse, &((raw_check_t *)into)->value, value, pointer);
}

static apr_status_t read_value_flags(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    return read_pattern_flags(parse, &((raw_check_t *)into)->value, value, pointer);
}

static apr_status_t set_path(parse_t *parse, const raw_check_t *raw, const char *pointer)
{
    check_t *check = apr_pcalloc(parse->p, sizeof(*check));

    if (!raw->value.text) {
        return bad(parse, pointer, "has no pattern");
    }
    if (parse->rule->path) {
        return bad(parse, pointer, "the path is given twice");
    }
    check->absent = raw->absent;
    check->name_flags = "";
    parse->rule->path = check;
    return compile(parse, &check->value, &check->value_flags, &raw->value, 0, pointer);
}

/* {"path": {"pattern": ...}, "presence": ...} or flat: {"pattern": ..., "presence": ...} */
static apr_status_t read_path(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    static const member_t members[] = { { "path", read_value },
                                        { "pattern", read_bare_value },
                                        { "flags", read_value_flags },
                                        { "presence", read_presence },
                                        { NULL } };
    raw_check_t raw = { { NULL } };
    apr_status_t rv;

    (void)into;
    if (rr_json_member(value, "path") && (rr_json_member(value, "pattern") || rr_json_member(value, "flags"))) {
        return bad(parse, pointer, "mixes \"path\" with \"pattern\" or \"flags\"");
    }
    rv = read_object(parse, &raw, value, pointer, members);
    return rv == APR_SUCCESS ? set_path(parse, &raw, pointer) : rv;
}

/* ---- lists of checks ---- */

static apr_status_t read_check(parse_t *parse, check_t *check, int part, const rr_json_t *json, const char *pointer)
{
    const member_t members[] = { { part_names[part].names[0], read_name },
                                 { "value", read_value },
                                 { "valuePattern", read_value },
                                 { "presence", read_presence },
                                 { part_names[part].name_pattern ? part_names[part].name_pattern
                                                                 : part_names[part].names[1], read_name },
                                 { part_names[part].names[2], read_name },
                                 { NULL } };
    /* A header's name has no case; its value has. */
    const int name_options = part == PART_HEADERS ? RR_PATTERN_CASELESS : 0;
    raw_check_t raw = { { NULL } };
    apr_status_t rv;

    if ((rv = read_object(parse, &raw, json, pointer, members)) != APR_SUCCESS) {
        return rv;
    }
    if (!raw.name.text) {
        return bad(parse, pointer, apr_psprintf(parse->ptemp, "has no \"%s\"", part_names[part].names[0]));
    }
    check->absent = raw.absent;
    rv = compile(parse, &check->name, &check->name_flags, &raw.name, name_options,
                 below(parse, pointer, part_names[part].names[0]));
    if (rv == APR_SUCCESS && raw.value.text) {
        rv = compile(parse, &check->value, &check->value_flags, &raw.value, 0, below(parse, pointer, "value"));
    }
    return rv;
}

static apr_status_t read_part(parse_t *parse, int which, const rr_json_t *value, const char *pointer)
{
    part_t *part = &parse->rule->parts[which];
    const apr_size_t count = rr_json_size(value);
    check_t *checks;
    apr_status_t rv;

    if (rr_json_kind(value) != RR_JSON_ARRAY) {
        return bad(parse, pointer, "must be an array");
    }
    if (count > RR_MAX_RULE_CHECKS) {
        return bad(parse, pointer, apr_psprintf(parse->ptemp, "has more than %d checks", RR_MAX_RULE_CHECKS));
    }
    if (part->checks) {
        return bad(parse, pointer, "these checks are given twice, under two names");
    }
    part->checks = checks = apr_pcalloc(parse->p, (count + 1) * sizeof(*checks));
    for (part->count = 0; part->count < (int)count; part->count++) {
        rv = read_check(parse, &checks[part->count], which, rr_json_element(value, part->count),
                        below(parse, pointer, apr_itoa(parse->ptemp, part->count)));
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t read_headers(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    (void)into;
    return read_part(parse, PART_HEADERS, value, pointer);
}

static apr_status_t read_query(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    (void)into;
    return read_part(parse, PART_QUERY, value, pointer);
}

static apr_status_t read_token(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    (void)into;
    return read_part(parse, PART_TOKEN, value, pointer);
}

static apr_status_t read_body(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    (void)into;
    return read_part(parse, PART_BODY, value, pointer);
}

/* ---- the other members of a rule ---- */

static apr_status_t read_effect(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    const char *text = rr_json_string(value);

    (void)into;
    if (text && !strcmp(text, "allow")) {
        parse->rule->effect = RR_EFFECT_ALLOW;
    } else if (text && !strcmp(text, "deny")) {
        parse->rule->effect = RR_EFFECT_DENY;
    } else {
        return bad(parse, pointer, "must be \"allow\" or \"deny\"");
    }
    return APR_SUCCESS;
}

static int is_token(const char *text)
{
    const char *c;

    for (c = text; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c)) {
            return 0;
        }
    }
    return c > text && c - text <= 32;
}

static apr_status_t read_methods(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    const apr_size_t count = rr_json_size(value);
    apr_array_header_t *methods = apr_array_make(parse->p, (int)count + 1, sizeof(const char *));
    apr_size_t i;

    (void)into;
    if (rr_json_kind(value) != RR_JSON_ARRAY || count > RR_MAX_RULE_CHECKS) {
        return bad(parse, pointer,
                   apr_psprintf(parse->ptemp, "must be an array of at most %d methods", RR_MAX_RULE_CHECKS));
    }
    for (i = 0; i < count; i++) {
        const char *text = rr_json_string(rr_json_element(value, i));
        char *method, *c;

        if (!text || !is_token(text)) {
            return bad(parse, below(parse, pointer, apr_itoa(parse->ptemp, (int)i)),
                       "must be a method, such as \"GET\"");
        }
        method = apr_pstrdup(parse->p, text);
        for (c = method; *c; c++) {
            *c = apr_toupper(*c);
        }
        APR_ARRAY_PUSH(methods, const char *) = method;
        parse->rule->methods_mask |= 1u << rule_method_number(method, strlen(method));
    }
    parse->rule->methods = count ? methods : NULL;
    return APR_SUCCESS;
}

static apr_status_t read_priority(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    apr_int64_t number;

    (void)into;
    if (!rr_json_whole(value, &number) || number < -RR_MAX_PRIORITY || number > RR_MAX_PRIORITY) {
        return rr_err_set(parse->err, RR_EINVAL, pointer, "must be a whole number from %d to %d", -RR_MAX_PRIORITY,
                          RR_MAX_PRIORITY);
    }
    parse->rule->priority = (int)number;
    parse->rule->has_priority = 1;
    return APR_SUCCESS;
}

static apr_status_t read_notes(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    const char *text = rr_json_string(value);

    (void)into;
    if (!text || strlen(text) > RR_MAX_NOTES) {
        return bad(parse, pointer, apr_psprintf(parse->ptemp, "must be a string of at most %d bytes", RR_MAX_NOTES));
    }
    parse->rule->notes = apr_pstrdup(parse->p, text);
    return APR_SUCCESS;
}

static apr_status_t read_id(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    const char *text = rr_json_string(value);
    const char *c;

    (void)into;
    if (!parse->want_id) {
        return bad(parse, pointer, "this member is not known");
    }
    for (c = text; c && (apr_isalnum(*c) || (*c && strchr("-_.:/", *c))); c++) {
    }
    if (!text || *c || c == text || c - text > RR_MAX_NAME) {
        return bad(parse, pointer, "must be 1 to 128 letters, digits and - _ . : /");
    }
    parse->rule->id = apr_pstrdup(parse->p, text);
    return APR_SUCCESS;
}

/* Read before or after all others, by read_rule. */
static apr_status_t read_elsewhere(parse_t *parse, void *into, const rr_json_t *value, const char *pointer)
{
    (void)parse, (void)into, (void)value, (void)pointer;
    return APR_SUCCESS;
}

static apr_status_t read_flat_path(parse_t *parse, const rr_json_t *json, const char *pointer)
{
    const rr_json_t *pattern = rr_json_member(json, "pathPattern");
    const rr_json_t *when = rr_json_member(json, "pathPresence");
    raw_check_t raw = { { NULL } };
    apr_status_t rv;

    if (!pattern && !when) {
        return APR_SUCCESS;
    }
    if (!pattern) {
        return bad(parse, below(parse, pointer, "pathPresence"), "stands without \"pathPattern\"");
    }
    rv = read_pattern_text(parse, &raw.value, pattern, below(parse, pointer, "pathPattern"));
    if (rv == APR_SUCCESS && when) {
        rv = presence(parse, &raw.absent, when, below(parse, pointer, "pathPresence"));
    }
    return rv == APR_SUCCESS ? set_path(parse, &raw, below(parse, pointer, "pathPattern")) : rv;
}

static apr_status_t read_rule(parse_t *parse, const rr_json_t *json, const char *pointer)
{
    static const member_t members[] = {
        { "effect", read_effect },         { "methods", read_methods },       { "path", read_path },
        { "headers", read_headers },       { "headerChecks", read_headers },  { "query", read_query },
        { "queryChecks", read_query },     { "token", read_token },           { "body", read_body },
        { "priority", read_priority },     { "notes", read_notes },           { "id", read_id },
        { "pathPattern", read_elsewhere }, { "pathPresence", read_elsewhere }, { "regexFlags", read_elsewhere },
        { NULL },
    };
    const rr_json_t *flags = rr_json_member(json, "regexFlags");
    apr_status_t rv;

    if (flags && (rv = read_flags(parse, &parse->flags, flags, below(parse, pointer, "regexFlags"))) != APR_SUCCESS) {
        return rv;
    }
    if ((rv = read_object(parse, NULL, json, pointer, members)) != APR_SUCCESS ||
        (rv = read_flat_path(parse, json, pointer)) != APR_SUCCESS) {
        return rv;
    }
    if (parse->rule->effect == RR_EFFECT_UNSET) {
        return bad(parse, below(parse, pointer, "effect"), "is required: \"allow\" or \"deny\"");
    }
    return APR_SUCCESS;
}

apr_status_t rr_rule_parse(const rr_rule_t **prule, const rr_json_t *json, const char *id, const char *pointer,
                           apr_pool_t *p, rr_err_t *err)
{
    parse_t parse = { apr_pcalloc(p, sizeof(rr_rule_t)), "", id == NULL, p, NULL, err };
    apr_status_t rv;

    apr_pool_create(&parse.ptemp, p);
    parse.rule->id = id ? apr_pstrdup(p, id) : NULL;
    rv = read_rule(&parse, json, pointer);
    if (!parse.rule->id) {
        parse.rule->id = "rule";
    }
    apr_pool_destroy(parse.ptemp);
    *prule = rv == APR_SUCCESS ? parse.rule : NULL;
    return rv;
}

const char *rr_rule_id(const rr_rule_t *rule)
{
    return rule->id;
}

rr_effect_e rr_rule_effect(const rr_rule_t *rule)
{
    return rule->effect;
}
