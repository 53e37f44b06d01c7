/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_json.c: bodies read by a table of fields, answers written.
 *
 * Spec: RFC 6901 (JSON pointer), RFC 3339 (times).
 */
#include "rr_api_private.h"

#include <apr_strings.h>

#include <string.h>

#define MAX_SECONDS 253402300800 /* the year 10000: what is more was meant in milliseconds */

const char *const api_effects[] = { "allow", "deny", NULL };

/* ---- text under construction ---- */

void api_out_init(api_out_t *out, apr_pool_t *p)
{
    out->room = 512;
    out->text = apr_palloc(p, out->room);
    out->text[0] = '\0';
    out->len = 0;
    out->p = p;
}

void api_out_add(api_out_t *out, const char *text)
{
    apr_size_t len = strlen(text);

    if (out->room - out->len <= len) {
        char *wider;

        out->room = 2 * (out->len + len) + 1;
        wider = apr_palloc(out->p, out->room);
        memcpy(wider, out->text, out->len);
        out->text = wider;
    }
    memcpy(out->text + out->len, text, len + 1);
    out->len += len;
}

void api_out_name(api_out_t *out, const char *name)
{
    if (out->len && out->text[out->len - 1] != '{' && out->text[out->len - 1] != '[') {
        api_out_add(out, ",");
    }
    if (name) {
        api_out_add(out, rr_json_quote(out->p, name, strlen(name)));
        api_out_add(out, ":");
    }
}

void api_out_json(api_out_t *out, const char *name, const char *json)
{
    if (json) {
        api_out_name(out, name);
        api_out_add(out, json);
    }
}

void api_out_text(api_out_t *out, const char *name, const char *text)
{
    api_out_json(out, name, text ? rr_json_quote(out->p, text, strlen(text)) : NULL);
}

void api_out_bool(api_out_t *out, const char *name, int value)
{
    api_out_json(out, name, value ? "true" : "false");
}

void api_out_number(api_out_t *out, const char *name, apr_int64_t number)
{
    api_out_json(out, name, apr_psprintf(out->p, "%" APR_INT64_T_FMT, number));
}

void api_out_time(api_out_t *out, const char *name, apr_time_t when)
{
    api_out_text(out, name, when ? rr_api_time(out->p, when) : NULL);
}

/* ---- times ---- */

const char *rr_api_time(apr_pool_t *p, apr_time_t when)
{
    apr_time_exp_t exploded;
    const char *fraction;

    apr_time_exp_gmt(&exploded, when);
    fraction = exploded.tm_usec ? apr_psprintf(p, ".%06d", exploded.tm_usec) : "";
    return apr_psprintf(p, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", exploded.tm_year + 1900, exploded.tm_mon + 1,
                        exploded.tm_mday, exploded.tm_hour, exploded.tm_min, exploded.tm_sec, fraction);
}

/* Two digits at text as a number within bounds; -1 for anything else. */
static int two_digits(const char *text, int least, int most)
{
    int number;

    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return -1;
    }
    number = (text[0] - '0') * 10 + text[1] - '0';
    return number >= least && number <= most ? number : -1;
}

static int days_of(int year, int month) /* month from 1 */
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0));
}

/* What follows the seconds: a fraction, and an offset. */
static apr_status_t read_offset(apr_time_exp_t *exploded, const char *text)
{
    int scale = 100000, hours, minutes;

    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10) {
            exploded->tm_usec += (*text - '0') * scale;
        }
        if (scale == 100000) {
            return RR_EINVAL;
        }
    }
    if ((*text == 'Z' || *text == 'z') && !text[1]) {
        return APR_SUCCESS;
    }
    if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':' ||
        (hours = two_digits(text + 1, 0, 23)) < 0 || (minutes = two_digits(text + 4, 0, 59)) < 0) {
        return RR_EINVAL;
    }
    exploded->tm_gmtoff = (hours * 60 + minutes) * 60 * (*text == '-' ? -1 : 1);
    return APR_SUCCESS;
}

apr_status_t rr_api_time_parse(apr_time_t *pwhen, const char *text)
{
    apr_time_exp_t exploded = { 0 };
    int century, year;

    *pwhen = 0;
    if (strlen(text) < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
        text[13] != ':' || text[16] != ':' || (century = two_digits(text, 19, 99)) < 0 ||
        (year = two_digits(text + 2, 0, 99)) < 0 || (exploded.tm_mon = two_digits(text + 5, 1, 12)) < 0 ||
        (exploded.tm_mday = two_digits(text + 8, 1, days_of(century * 100 + year, exploded.tm_mon))) < 0 ||
        (exploded.tm_hour = two_digits(text + 11, 0, 23)) < 0 || (exploded.tm_min = two_digits(text + 14, 0, 59))
        < 0 ||
        (exploded.tm_sec = two_digits(text + 17, 0, 59)) < 0 || read_offset(&exploded, text + 19) != APR_SUCCESS) {
        return RR_EINVAL;
    }
    exploded.tm_year = century * 100 + year - 1900;
    exploded.tm_mon--;
    /* 0 is "none" everywhere: nothing before 1970 is a time that a credential can end at */
    return apr_time_exp_gmt_get(pwhen, &exploded) == APR_SUCCESS && *pwhen > 0 ? APR_SUCCESS : RR_EINVAL;
}

/* ---- reading ---- */

const char *api_pointer(api_call_t *call, const char *pointer, const char *name)
{
    api_out_t out;
    char one[2] = "";

    api_out_init(&out, call->p);
    api_out_add(&out, pointer);
    api_out_add(&out, "/");
    for (; *name; name++) {
        one[0] = *name;
        api_out_add(&out, *name == '~' ? "~0" : *name == '/' ? "~1" : one);
    }
    return out.text;
}

static int has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return 1;
        }
    }
    return 0;
}

/* The word that text is, or is an alias of; NULL: none. */
static const char *find_word(const char *const *words, const char *text)
{
    for (; *words; words++) {
        const char *equals = strchr(*words, '=');
        apr_size_t len = equals ? (apr_size_t)(equals - *words) : strlen(*words);

        if (strlen(text) == len && !strncmp(text, *words, len)) {
            return equals ? equals + 1 : *words;
        }
    }
    return NULL;
}

static const char *list_words(const char *const *words, apr_pool_t *p)
{
    const char *list = "";

    for (; *words; words++) {
        list = strchr(*words, '=') ? list : apr_pstrcat(p, list, *list ? ", " : "", *words, NULL);
    }
    return list;
}

static apr_status_t read_text(const char **ptext, api_call_t *call, const api_field_t *field, const rr_json_t *value,
                              const char *pointer)
{
    const char *text = rr_json_string(value);
    rr_err_t why = RR_ERR_INIT;
    apr_status_t rv = APR_SUCCESS;

    *ptext = text;
    if (!text) {
        return api_refuse(call, 422, pointer, "a string is wanted here");
    }
    switch (field->kind) {
    case API_NAME:
        rv = rr_name_check(text, pointer, &why);
        break;
    case API_WORD:
        rv = rr_word_check(text, pointer, &why);
        break;
    case API_ENUM:
        *ptext = find_word(field->words, text);
        if (!*ptext) {
            return api_refuse(call, 422, pointer, "one of these is wanted here: %s", list_words(field->words,
            call->p));
        }
        break;
    default:
        if ((!*text && !(field->flags & API_EMPTY)) || strlen(text) > (apr_size_t)field->most) {
            return api_refuse(call, 422, pointer, "%d to %d bytes are wanted here", !(field->flags & API_EMPTY),
                              (int)field->most);
        }
        if (field->kind == API_TEXT && has_control(text)) {
            return api_refuse(call, 422, pointer, "control characters have no place here");
        }
    }
    return rv == APR_SUCCESS ? rv : api_invalid(call, rv, pointer, &why);
}

static int may_be_gone(const api_call_t *call, const api_field_t *field, const rr_json_t *value)
{
    return (field->flags & API_OR_GONE) && call->api->actor.offline && rr_json_kind(value) == RR_JSON_NULL;
}

static apr_status_t read_strings(api_call_t *call, const api_field_t *field, const rr_json_t *value, const char
      *pointer)
{
    apr_size_t i;

    if (rr_json_size(value) > (apr_size_t)field->most) {
        return api_refuse(call, 422, pointer, "at most %d are wanted here", (int)field->most);
    }
    for (i = 0; i < rr_json_size(value); i++) {
        const char *text = rr_json_string(rr_json_element(value, i));

        if (may_be_gone(call, field, rr_json_element(value, i))) {
            continue;
        }
        if (!text || !*text || has_control(text) || strlen(text) > RR_MAX_SECRET) {
            return api_refuse(call, 422, apr_psprintf(call->p, "%s/%" APR_SIZE_T_FMT, pointer, i),
                              "a string without control characters is wanted here");
        }
    }
    return APR_SUCCESS;
}

static apr_status_t read_value(void *member, api_call_t *call, const api_field_t *field, const rr_json_t *value,
                               const char *pointer)
{
    rr_json_kind_e kind = rr_json_kind(value);
    apr_int64_t number = 0;

    switch (field->kind) {
    case API_BOOL:
        *(int *)member = rr_json_is_true(value);
        return kind == RR_JSON_BOOL ? APR_SUCCESS : api_refuse(call, 422, pointer, "true or false is wanted here");
    case API_INT:
        if (!rr_json_whole(value, &number) || number < field->least || number > field->most) {
            return api_refuse(call, 422, pointer, "a whole number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                              " is wanted here", field->least, field->most);
        }
        *(apr_int64_t *)member = number;
        return APR_SUCCESS;
    case API_TIME:
        return kind == RR_JSON_STRING && rr_api_time_parse(member, rr_json_string(value)) == APR_SUCCESS
                   ? APR_SUCCESS
                   : api_refuse(call, 422, pointer, "a time is wanted here, such as \"2027-01-31T00:00:00Z\"");
    case API_WHEN:
        if (kind == RR_JSON_NUMBER && rr_json_int(value, &number) && number > 0 && number < MAX_SECONDS) {
            *(apr_time_t *)member = apr_time_from_sec(number);
            return APR_SUCCESS;
        }
        return kind == RR_JSON_STRING && rr_api_time_parse(member, rr_json_string(value)) == APR_SUCCESS
                   ? APR_SUCCESS
                   : api_refuse(call, 422, pointer, "a time is wanted here, such as \"2027-01-31T00:00:00Z\", or "
                   "seconds "
                                "since 1970");
    case API_OBJECT:
        *(const rr_json_t **)member = value;
        if (kind != RR_JSON_OBJECT) {
            return api_refuse(call, 422, pointer, "an object is wanted here");
        }
        return strlen(rr_json_print(call->p, value)) <= (apr_size_t)field->most
                   ? APR_SUCCESS
                   : api_refuse(call, 422, pointer, "at most %d bytes are wanted here", (int)field->most);
    case API_ARRAY:
    case API_EITHER:
        *(const rr_json_t **)member = value;
        if (kind == RR_JSON_ARRAY && (field->kind == API_ARRAY || rr_json_size(value))) {
            return read_strings(call, field, value, pointer);
        }
        return field->kind == API_EITHER && kind == RR_JSON_STRING && *rr_json_string(value) &&
                       !has_control(rr_json_string(value))
                   ? APR_SUCCESS
                   : api_refuse(call, 422, pointer, field->kind == API_EITHER
                                    ? "a string or an array of strings is wanted here"
                                    : "an array of strings is wanted here");
    default:
        return read_text(member, call, field, value, pointer);
    }
}

typedef struct {
    const api_field_t *fields;
    const char *unknown; /* the first member that no field has */
} unknown_t;

static int find_unknown(void *baton, const char *name, const rr_json_t *value)
{
    unknown_t *looking = baton;
    const api_field_t *field;

    (void)value;
    for (field = looking->fields; field->name; field++) {
        if (!strcmp(field->name, name)) {
            return 1;
        }
    }
    looking->unknown = name;
    return 0;
}

apr_status_t api_read(api_call_t *call, void *into, const api_field_t *fields, const rr_json_t *body,
                      const char *pointer)
{
    unknown_t looking = { fields, NULL };
    const api_field_t *field;
    apr_status_t rv;

    rr_json_members(body, find_unknown, &looking);
    if (looking.unknown) {
        return api_refuse(call, 422, api_pointer(call, pointer, looking.unknown), "there is no such field");
    }
    for (field = fields; field->name; field++) {
        const rr_json_t *value = rr_json_member(body, field->name);
        const char *at = api_pointer(call, pointer, field->name);

        if (field->flags & API_READ_ONLY) {
            continue;
        }
        if (!value) {
            if (field->flags & API_REQUIRED) {
                return api_refuse(call, 422, at, "this field is required");
            }
            continue;
        }
        if (may_be_gone(call, field, value)) {
            continue;
        }
        rv = read_value((char *)into + field->offset, call, field, value, at);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}
