/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_require.c: arguments of Require lines that more than one module has.
 */
#include "rr_glue.h"

#include <ap_regex.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

struct rr_path_regex_t {
    const char *path; /* CLAIM-PATH */
    ap_regex_t *regex;
    int is_negated;
    int is_scope;     /* the value is a list of words, as RFC 8693 4.2 writes scopes */
};

int rr_glue_is_negated(const cmd_parms *cmd)
{
    const char *args = cmd->directive->args;
    const ap_directive_t *section;
    int negated = !apr_cstr_casecmpn(args, "not", 3) && apr_isspace(args[3]);

    for (section = cmd->directive->parent; section; section = section->parent) {
        negated ^= !apr_cstr_casecmp(section->directive, "<RequireNone");
    }
    return negated;
}

int rr_glue_path_regex_is_negated(const rr_path_regex_t *wanted)
{
    return wanted->is_negated;
}

const char *rr_glue_require_wrong(const cmd_parms *cmd, const char *format, ...)
{
    va_list args;
    const char *why;

    va_start(args, format);
    why = apr_pvsprintf(cmd->pool, format, args);
    va_end(args);
    return apr_psprintf(cmd->pool, "Require %s: %s", cmd->directive->args, why);
}

const char *rr_glue_path_regex_parse(cmd_parms *cmd, const char *line, const void **pparsed)
{
    rr_path_regex_t *wanted = apr_pcalloc(cmd->pool, sizeof(*wanted));
    const char *path = ap_getword_conf(cmd->pool, &line), *pattern = ap_getword_conf(cmd->pool, &line);

    if (!*path || !*pattern || *line) {
        return rr_glue_require_wrong(cmd, "expected PATH REGEX, such as: tier \"^(gold|silver)$\"");
    }
    wanted->path = path;
    wanted->is_negated = rr_glue_is_negated(cmd);
    wanted->is_scope = !strcmp(path, "scope");
    wanted->regex = ap_pregcomp(cmd->pool, pattern, AP_REG_EXTENDED | AP_REG_NOSUB);
    if (!wanted->regex) {
        return rr_glue_require_wrong(cmd, "the regular expression for %s does not compile: %s", path, pattern);
    }
    *pparsed = wanted;
    return NULL;
}

static rr_match_e text_matches(request_rec *r, const rr_path_regex_t *wanted, const char *text)
{
    int rc = text ? ap_regexec(wanted->regex, text, 0, NULL, 0) : AP_REG_NOMATCH;

    if (rc && rc != AP_REG_NOMATCH) {
        RR_LOG_R(APLOG_ERR, 0, r, 10002, "the regular expression that is required of %s cannot be decided (a limit of PCRE, "
                 "or text that is not UTF-8): refused", wanted->path);
        return RR_MATCH_DOUBT;
    }
    return rc ? RR_MATCH_NO : RR_MATCH_YES;
}

rr_match_e rr_glue_path_regex_match(request_rec *r, const rr_path_regex_t *wanted, const rr_json_t *object)
{
    const rr_json_t *value = rr_json_at(object, wanted->path);
    rr_match_e match = RR_MATCH_NO;
    apr_size_t i;

    if (rr_json_kind(value) == RR_JSON_ARRAY) {
        for (i = 0; i < rr_json_size(value) && match == RR_MATCH_NO; i++) {
            match = text_matches(r, wanted, rr_json_scalar(r->pool, rr_json_element(value, i)));
        }
        return match;
    }
    if (wanted->is_scope && rr_json_kind(value) == RR_JSON_STRING) {
        const apr_array_header_t *words = rr_json_words(r->pool, value);
        int k;

        for (k = 0; k < words->nelts && match == RR_MATCH_NO; k++) {
            match = text_matches(r, wanted, APR_ARRAY_IDX(words, k, const char *));
        }
        return match;
    }
    return text_matches(r, wanted, rr_json_scalar(r->pool, value));
}

const char *rr_glue_words_parse(cmd_parms *cmd, const char *line, const void **pparsed)
{
    apr_array_header_t *words = apr_array_make(cmd->pool, 2, sizeof(const char *));

    while (*line) {
        APR_ARRAY_PUSH(words, const char *) = ap_getword_conf(cmd->pool, &line);
    }
    if (!words->nelts) {
        return rr_glue_require_wrong(cmd, "expected at least one word");
    }
    *pparsed = words;
    return NULL;
}
