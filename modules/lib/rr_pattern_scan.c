/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pattern_scan.c: what the text of a pattern says without running it.
 *
 * Two readings. The first recognises literals in disguise, which then need no
 * engine. The second walks the outermost level of a regular expression and
 * keeps the literal runs that no match can do without; an index finds rules by
 * them. Whatever it does not understand promises nothing: a wrong promise
 * would hide a rule, a missing one only costs time.
 */
#include "rr_pattern_scan.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

#define MAX_RUNS 8

typedef struct {
    const char *text;
    apr_size_t len;
    apr_size_t at;
    int promising; /* what follows can still be promised */
    char *run;     /* the run being gathered; all runs lie one after the other in one buffer */
    apr_size_t run_len;
    int from_start; /* the run being gathered begins where the subject begins */
    rr_span_t *runs;
    int count;
    rr_span_t prefix;
} walk_t;

/* The byte that text[*at] stands for if it is a plain or escaped literal; then *at moves past it. */
static int literal_byte(const char *text, apr_size_t len, apr_size_t *at, char *byte)
{
    char c = text[*at];

    if (c == '\\') {
        if (*at + 1 >= len || !apr_ispunct(text[*at + 1])) {
            return 0;
        }
        *byte = text[*at + 1];
        *at += 2;
        return 1;
    }
    if (strchr("^$.[|()?*+{", c)) {
        return 0;
    }
    *byte = c;
    *at += 1;
    return 1;
}

static int is_any(const char *text)
{
    static const char *const all[] = { ".*", "^.*", ".*$", "^.*$", "^", "(.*)", "^(.*)$", ".*?" };
    apr_size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (!strcmp(text, all[i])) {
            return 1;
        }
    }
    return 0;
}

/* ^literal$ and its parts. Anchors mean lines under flag m, and letters beyond ASCII fold in ways bytes do not. */
static int read_literal(rr_scan_t *scan, const char *text, apr_size_t len, int options, apr_pool_t *p)
{
    const int start = text[0] == '^';
    char *bytes = apr_palloc(p, len + 1);
    apr_size_t at = start, count = 0;
    int end = 0;

    while (at < len && !end) {
        if (text[at] == '$' && at + 1 == len) {
            end = 1;
        } else if (literal_byte(text, len, &at, &bytes[count])) {
            if (options & RR_PATTERN_CASELESS) {
                if ((unsigned char)bytes[count] >= 0x80) {
                    return 0;
                }
                bytes[count] = apr_tolower(bytes[count]);
            }
            count++;
        } else {
            return 0;
        }
    }
    if ((start || end) && (options & RR_PATTERN_MULTILINE)) {
        return 0;
    }
    scan->literal.bytes = bytes;
    scan->literal.len = count;
    scan->shape = start ? (end ? RR_PATTERN_EXACT : RR_PATTERN_PREFIX) : end ? RR_PATTERN_SUFFIX : RR_PATTERN_CONTAINS;
    return 1;
}

/* Past the class that begins at text[at], which is '['; len + 1 where its end is not certain. */
static apr_size_t skip_class(const char *text, apr_size_t len, apr_size_t at)
{
    at++;
    at += at < len && text[at] == '^';
    at += at < len && text[at] == ']';
    while (at < len && text[at] != ']') {
        if (text[at] == '\\') {
            at += 2;
        } else if (text[at] == '[' && at + 1 < len && strchr(":.=", text[at + 1])) {
            const char kind = text[at + 1];

            for (at += 2; at + 1 < len && !(text[at] == kind && text[at + 1] == ']'); at++) {
                if (strchr("[]\\", text[at])) {
                    return len + 1; /* not a named class after all: give up rather than guess */
                }
            }
            at += 2;
        } else {
            at++;
        }
    }
    return at < len ? at + 1 : len + 1;
}

/* Past the group that begins at text[at], which is '('; len + 1 where its end is not certain. */
static apr_size_t skip_group(const char *text, apr_size_t len, apr_size_t at)
{
    int depth = 0;

    while (at < len) {
        if (text[at] == '\\') {
            at += 2;
        } else if (text[at] == '[') {
            at = skip_class(text, len, at);
        } else {
            depth += text[at] == '(';
            depth -= text[at] == ')';
            at++;
            if (depth == 0) {
                return at;
            }
        }
    }
    return len + 1;
}

/* Constructs under which the walk below would misread what follows or precedes them. */
static int is_strange(const char *text)
{
    const char *c;

    if (strstr(text, "(*") || strstr(text, "\\Q") || strstr(text, "\\E") || strstr(text, "(?#")) {
        return 1;
    }
    for (c = strstr(text, "(?"); c; c = strstr(c + 2, "(?")) {
        if (apr_isalnum(c[2]) || strchr("^-+&", c[2])) {
            return c[2] != 'P' || c[3] != '<'; /* (?P<name>...) is a group; settings and calls are not */
        }
    }
    return 0;
}

static void end_run(walk_t *walk, int drop_last)
{
    if (drop_last && walk->run_len > 0) {
        walk->run_len--;
    }
    if (walk->run_len > 0) {
        if (walk->from_start) {
            walk->prefix.bytes = walk->run;
            walk->prefix.len = walk->run_len;
        }
        if (walk->count < MAX_RUNS) {
            walk->runs[walk->count].bytes = walk->run;
            walk->runs[walk->count++].len = walk->run_len;
        }
    }
    walk->run += walk->run_len;
    walk->run_len = 0;
    walk->from_start = 0;
}

/* Past "2}", "2,}" or "2,5}"; 0 where text[at] begins none of these, so that the brace is a literal. */
static apr_size_t braces_end(const walk_t *walk, apr_size_t at)
{
    const apr_size_t first = at;

    while (at < walk->len && (apr_isdigit(walk->text[at]) || (walk->text[at] == ',' && at > first))) {
        at++;
    }
    return at > first && at < walk->len && walk->text[at] == '}' ? at + 1 : 0;
}

static int at_quantifier(const walk_t *walk)
{
    return walk->at < walk->len && strchr("?*+{", walk->text[walk->at]) != NULL;
}

/* The byte before a quantifier may be optional, also under a plus that is itself quantified: it is given up. */
static void skip_quantifiers(walk_t *walk)
{
    apr_size_t end;

    if (at_quantifier(walk)) {
        end_run(walk, 1);
    }
    while (at_quantifier(walk)) {
        end = walk->at + 1;
        if (walk->text[walk->at] == '{' && !(end = braces_end(walk, end))) {
            walk->promising = 0; /* a literal brace, or a form of quantifier that we do not know */
            end = walk->at + 1;
        }
        walk->at = end;
    }
}

/* Escapes that stand alone; any other may take what follows as its argument, so that nothing after it is promised. */
static void skip_escape(walk_t *walk)
{
    const char c = walk->at + 1 < walk->len ? walk->text[walk->at + 1] : '\0';

    end_run(walk, 0);
    if (c == '\0' || !strchr("dDwWsSbBhHvVRAzZtnrfeaG", c)) {
        walk->promising = 0;
    }
    walk->at += walk->at + 2 <= walk->len ? 2 : 1;
}

/* One atom of the outermost level with its quantifier. False where there are alternatives or
 * confusion: then nothing is required. */
static int step(walk_t *walk)
{
    const char c = walk->text[walk->at];
    char byte;

    if (c == '|') {
        return 0;
    }
    if ((unsigned char)c >= 0x80) {
        end_run(walk, 0); /* a quantifier would mean the character, not its last byte */
        walk->at++;
    } else if (literal_byte(walk->text, walk->len, &walk->at, &byte)) {
        if (walk->promising) {
            walk->run[walk->run_len++] = byte;
        }
    } else if (c == '\\') {
        skip_escape(walk);
    } else {
        end_run(walk, 0);
        if (c == '[') {
            walk->at = skip_class(walk->text, walk->len, walk->at);
        } else if (c == '(') {
            walk->at = skip_group(walk->text, walk->len, walk->at);
        } else if (!at_quantifier(walk)) {
            walk->at++;
        }
    }
    skip_quantifiers(walk);
    return walk->at <= walk->len;
}

static void read_runs(rr_scan_t *scan, const char *text, apr_size_t len, int options, apr_pool_t *p)
{
    walk_t walk = { text, len, 0, 1 };

    if ((options & RR_PATTERN_CASELESS) || is_strange(text)) {
        return;
    }
    walk.run = apr_palloc(p, len + 1);
    walk.runs = apr_pcalloc(p, MAX_RUNS * sizeof(*walk.runs));
    if (text[0] == '^' && !(options & RR_PATTERN_MULTILINE)) {
        walk.at = 1;
        walk.from_start = !at_quantifier(&walk);
    }
    while (walk.at < len) {
        if (!step(&walk)) {
            return;
        }
    }
    end_run(&walk, 0);
    scan->prefix = walk.prefix;
    scan->runs = walk.runs;
    scan->runs_count = walk.count;
}

void rr_scan(rr_scan_t *scan, const char *text, apr_size_t len, int options, apr_pool_t *p)
{
    memset(scan, 0, sizeof(*scan));
    if (is_any(text)) {
        scan->shape = RR_PATTERN_ANY;
        return;
    }
    if (read_literal(scan, text, len, options, p)) {
        if (!(options & RR_PATTERN_CASELESS)) {
            scan->runs = &scan->literal;
            scan->runs_count = scan->literal.len > 0;
            if (scan->shape == RR_PATTERN_EXACT || scan->shape == RR_PATTERN_PREFIX) {
                scan->prefix = scan->literal;
            }
        }
        return;
    }
    read_runs(scan, text, len, options, p);
}
