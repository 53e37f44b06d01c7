/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_conf.c: every kind of field: unset, parsed, at its bounds and past them, merged.
 */
#include "rr_conf.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

typedef struct {
    const char *name;
    int flag;
    int mode;
    apr_int64_t size;
    apr_interval_time_t time;
    apr_array_header_t *list;
    int outside; /* not in the table */
} conf_t;

static const char *const words[] = { "deny", "allow", NULL };

enum { F_NAME, F_FLAG, F_MODE, F_SIZE, F_TIME, F_LIST, F_COUNT };

static const rr_conf_field_t fields[F_COUNT + 1] = {
    [F_NAME] = RR_STRING(conf_t, name, 2, 4, "none"),
    [F_FLAG] = RR_FLAG(conf_t, flag, 1),
    [F_MODE] = RR_ENUM(conf_t, mode, words, 0),
    [F_SIZE] = RR_SIZE(conf_t, size, 1024, 1048576, 65536),
    [F_TIME] = RR_TIME(conf_t, time, 1000, 86400 * APR_USEC_PER_SEC, 30 * APR_USEC_PER_SEC),
    [F_LIST] = RR_LIST(conf_t, list, 2),
};

static const struct {
    const char *name;
    int field;
    const char *text;
    apr_int64_t number; /* what it becomes */
    const char *refusal; /* part of the sentence; NULL: accepted */
} cases[] = {
    { "text at its least", F_NAME, "ab", 0, NULL },
    { "text at its most", F_NAME, "abcd", 0, NULL },
    { "text one short", F_NAME, "a", 0, "2 to 4 bytes" },
    { "text one long", F_NAME, "abcde", 0, "2 to 4 bytes" },
    { "on", F_FLAG, "On", 1, NULL },
    { "off", F_FLAG, "oFF", 0, NULL },
    { "neither on nor off", F_FLAG, "1", 0, "On or Off" },
    { "first word", F_MODE, "deny", 0, NULL },
    { "second word, in capitals", F_MODE, "ALLOW", 1, NULL },
    { "no such word", F_MODE, "maybe", 0, "one of: deny, allow" },
    { "bytes", F_SIZE, "1024", 1024, NULL },
    { "k", F_SIZE, "64k", 65536, NULL },
    { "M", F_SIZE, "1M", 1048576, NULL },
    { "one byte short", F_SIZE, "1023", 0, "1024 to 1048576" },
    { "one byte long", F_SIZE, "1048577", 0, "1024 to 1048576" },
    { "a size with a tail", F_SIZE, "1kb", 0, "size" },
    { "a negative size", F_SIZE, "-1", 0, "size" },
    { "a size past int64", F_SIZE, "99999999999999999999", 0, "size" },
    { "a size past int64 by its unit", F_SIZE, "9999999999999g", 0, "size" },
    { "seconds", F_TIME, "30", 30 * APR_USEC_PER_SEC, NULL },
    { "milliseconds at the least", F_TIME, "1ms", 1000, NULL },
    { "minutes", F_TIME, "5mi", 300 * APR_USEC_PER_SEC, NULL },
    { "minutes by their letter", F_TIME, "5m", 300 * APR_USEC_PER_SEC, NULL },
    { "hours at the most", F_TIME, "24h", 86400 * APR_USEC_PER_SEC, NULL },
    { "one day", F_TIME, "1d", 86400 * APR_USEC_PER_SEC, NULL },
    { "one second long", F_TIME, "86401", 0, "1ms to 1d, such as 30s" },
    { "no time at all", F_TIME, "0", 0, "a duration" },
    { "no unit of time", F_TIME, "5x", 0, "a duration" },
    { "no number", F_TIME, "s", 0, "a duration" },
    { "an empty duration", F_TIME, "", 0, "a duration" },
    { "a time past int64", F_TIME, "999999999999999d", 0, "a duration" },
};

static void try_cases(apr_pool_t *p)
{
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        conf_t *conf = rr_conf_create(p, sizeof(*conf), fields);
        const rr_conf_field_t *field = &fields[cases[i].field];
        rr_err_t err = RR_ERR_INIT;
        apr_status_t rv = rr_conf_parse(conf, field, cases[i].text, p, &err);

        if (cases[i].refusal) {
            ok(rv == RR_EINVAL && strstr(rr_err_text(&err), cases[i].refusal) && !rr_conf_is_set(conf, field),
               "%s is refused: %s", cases[i].name, rr_err_text(&err));
        }
        else if (field->kind == RR_CONF_STRING) {
            ok(rv == APR_SUCCESS && !strcmp(rr_conf_string(conf, field), cases[i].text), "%s", cases[i].name);
        }
        else {
            apr_int64_t got = field->kind == RR_CONF_FLAG || field->kind == RR_CONF_ENUM ? rr_conf_int(conf, field)
                                                                                          : rr_conf_number(conf, field);
            ok(rv == APR_SUCCESS && got == cases[i].number, "%s", cases[i].name);
        }
    }
}

static void try_merge(apr_pool_t *p)
{
    conf_t *outer = rr_conf_create(p, sizeof(*outer), fields), *inner = rr_conf_create(p, sizeof(*inner), fields);
    conf_t *merged;
    int i;

    for (i = 0; i < F_COUNT; i++) {
        ok(!rr_conf_is_set(outer, &fields[i]), "field %d is unset at first", i);
    }
    is_str(rr_conf_string(outer, &fields[F_NAME]), "none", "an unset text reads as its default");
    is_int(rr_conf_int(outer, &fields[F_FLAG]), 1, "an unset flag reads as its default");
    is_int(rr_conf_number(outer, &fields[F_SIZE]), 65536, "an unset size reads as its default");
    ok(!rr_conf_list(outer, &fields[F_LIST]), "an unset list is none");

    rr_conf_parse(outer, &fields[F_NAME], "out", p, NULL);
    rr_conf_parse(outer, &fields[F_FLAG], "off", p, NULL);
    rr_conf_parse(outer, &fields[F_LIST], "a", p, NULL);
    rr_conf_parse(inner, &fields[F_NAME], "in", p, NULL);
    rr_conf_parse(inner, &fields[F_MODE], "deny", p, NULL); /* its default, said aloud */
    rr_conf_parse(outer, &fields[F_MODE], "allow", p, NULL);
    outer->outside = 1;
    inner->outside = 2;
    merged = rr_conf_merge(p, sizeof(*merged), outer, inner, fields);
    is_str(merged->name, "in", "what the inner section sets wins");
    is_int(merged->flag, 0, "what it leaves unset is the outer one's");
    is_int(merged->mode, 0, "a default said aloud wins too");
    is_int(merged->outside, 2, "members outside the table are the inner one's");
    is_int(merged->list->nelts, 1, "an unset list is the outer one's");

    rr_conf_parse(inner, &fields[F_LIST], "b", p, NULL);
    rr_conf_parse(inner, &fields[F_LIST], "c", p, NULL);
    ok(rr_conf_parse(inner, &fields[F_LIST], "d", p, NULL) == RR_EINVAL, "a list has a most");
    merged = rr_conf_merge(p, sizeof(*merged), outer, inner, fields);
    is_int(merged->list->nelts, 2, "a set list replaces the outer one");
}

int main(void)
{
    apr_pool_t *p;

    apr_initialize();
    apr_pool_create(&p, NULL);
    try_cases(p);
    try_merge(p);
    apr_pool_destroy(p);
    apr_terminate();
    return tap_end();
}
