/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_pattern.c: compiles and searches, within limits.
 *
 * Most patterns of rules are literals in disguise (^/v3/mail/send$, .*): they
 * are compared as bytes and never meet the engine. What does meet it runs as
 * machine code on 32 KiB of the thread's own stack; a subject that needs more
 * is searched again on a larger one, made for this matcher then.
 *
 * Threads: a pattern is constant once compiled; a matcher is one thread's.
 * Spec:    pcre2pattern(3), pcre2jit(3).
 */
#include "rr_pattern.h"
#include "rr_pattern_scan.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <openssl/crypto.h>

#include <string.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Together about a millisecond of work on today's machines; measured by t/unit/test_pattern.c. */
#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT_KIB 1024
#define JIT_STACK_START (32 * 1024)
#define JIT_STACK_MAX (512 * 1024)

struct rr_pattern_t {
    const char *text;
    apr_size_t len;
    int options;
    int anchored;
    rr_pattern_shape_e shape;
    pcre2_code *code; /* NULL unless shape is REGEX */
    int jit;          /* code has machine code */
    rr_scan_t scan;
};

struct rr_matcher_t {
    apr_pool_t *p;
    pcre2_general_context *general; /* NULL until the engine is needed */
    pcre2_match_context *match;
    pcre2_match_data *data;
    pcre2_jit_stack *stack; /* NULL until a subject needed it */
    apr_interval_time_t budget; /* CPU time for all searches; 0: no bound */
    apr_interval_time_t until;  /* CPU time of the thread at which that is spent; 0: not looked at yet */
    unsigned searches;
};

apr_status_t rr_pattern_flags(int *poptions, const char *flags, rr_err_t *err)
{
    const char *flag;

    *poptions = RR_PATTERN_DEFAULT;
    for (flag = flags ? flags : ""; *flag; flag++) {
        if (!strchr("imsug", *flag)) {
            return rr_err_set(err, RR_EINVAL, "", "flag '%c' is not one of i, m, s, u, g",
                              apr_isprint(*flag) ? *flag : '?');
        }
        if (strchr(flag + 1, *flag)) {
            return rr_err_set(err, RR_EINVAL, "", "flag '%c' is given twice", *flag);
        }
        *poptions |= *flag == 'i' ? RR_PATTERN_CASELESS : 0;
        *poptions |= *flag == 'm' ? RR_PATTERN_MULTILINE : 0;
        *poptions |= *flag == 'u' ? RR_PATTERN_UTF : 0;
    }
    return APR_SUCCESS;
}

static apr_status_t free_code(void *code)
{
    pcre2_code_free(code);
    return APR_SUCCESS;
}

/* The subject is bytes unless the pattern speaks of characters: then a subject that is not UTF-8 is doubt. */
static apr_status_t compile_code(rr_pattern_t *pattern, apr_pool_t *p, rr_err_t *err)
{
    uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    uint32_t all = 0;
    PCRE2_UCHAR words[128];
    PCRE2_SIZE offset;
    int code;

    options |= pattern->options & RR_PATTERN_CASELESS ? PCRE2_CASELESS : 0;
    options |= pattern->options & RR_PATTERN_MULTILINE ? PCRE2_MULTILINE : 0;
    options |= pattern->options & RR_PATTERN_UTF ? PCRE2_UTF : PCRE2_NEVER_UTF;

    pattern->code = pcre2_compile((PCRE2_SPTR)pattern->text, pattern->len, options, &code, &offset, NULL);
    if (!pattern->code) {
        pcre2_get_error_message(code, words, sizeof(words));
        return rr_err_set(err, RR_EINVAL, "", "not a regular expression: %s at offset %" APR_SIZE_T_FMT,
                          (const char *)words, (apr_size_t)offset);
    }
    apr_pool_cleanup_register(p, pattern->code, free_code, apr_pool_cleanup_null);
    pattern->jit = pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0;
    if (pcre2_pattern_info(pattern->code, PCRE2_INFO_ALLOPTIONS, &all) == 0) {
        pattern->anchored = (all & PCRE2_ANCHORED) != 0;
    }
    return APR_SUCCESS;
}

apr_status_t rr_pattern_compile(const rr_pattern_t **ppattern, const char *text, int options, apr_pool_t *p,
                                rr_err_t *err)
{
    rr_pattern_t *pattern = apr_pcalloc(p, sizeof(*pattern));
    apr_status_t rv;
    const char *c;

    *ppattern = NULL;
    pattern->len = strlen(text);
    if (pattern->len == 0 || pattern->len > RR_MAX_PATTERN) {
        return rr_err_set(err, RR_EINVAL, "", "a pattern has 1 to %d bytes", RR_MAX_PATTERN);
    }
    pattern->text = apr_pstrmemdup(p, text, pattern->len);
    pattern->options = options;
    for (c = text; *c; c++) {
        if ((unsigned char)*c >= 0x80) {
            pattern->options |= RR_PATTERN_UTF;
        }
    }

    rr_scan(&pattern->scan, pattern->text, pattern->len, pattern->options, p);
    pattern->shape = pattern->scan.shape;
    pattern->anchored = pattern->shape == RR_PATTERN_EXACT || pattern->shape == RR_PATTERN_PREFIX;
    if (pattern->shape == RR_PATTERN_REGEX && (rv = compile_code(pattern, p, err)) != APR_SUCCESS) {
        return rv;
    }
    *ppattern = pattern;
    return APR_SUCCESS;
}

rr_matcher_t *rr_matcher_make(apr_pool_t *p)
{
    rr_matcher_t *matcher = apr_pcalloc(p, sizeof(*matcher));

    matcher->p = p;
    return matcher;
}

/* CPU time, not the clock's: a thread that had to wait for a processor did no work meanwhile. */
static apr_interval_time_t thread_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000;
}

void rr_matcher_limit(rr_matcher_t *matcher, apr_interval_time_t cpu)
{
    matcher->budget = cpu;
    matcher->until = 0;
    matcher->searches = 0;
}

/* Looked at now and then, and not at all for a few searches: asking the system costs more than they do. */
static int is_spent(rr_matcher_t *matcher)
{
    if (!matcher->budget || ++matcher->searches % 32) {
        return 0;
    }
    if (!matcher->until) {
        matcher->until = thread_time() + matcher->budget;
    }
    return thread_time() > matcher->until;
}

static void *pool_malloc(PCRE2_SIZE size, void *p)
{
    return apr_palloc(p, size);
}

static void pool_free(void *block, void *p)
{
    (void)block, (void)p; /* the pool frees */
}

static int prepare(rr_matcher_t *matcher)
{
    matcher->general = pcre2_general_context_create(pool_malloc, pool_free, matcher->p);
    if (!matcher->general) {
        return 0;
    }
    matcher->match = pcre2_match_context_create(matcher->general);
    matcher->data = pcre2_match_data_create(1, matcher->general);
    if (!matcher->match || !matcher->data) {
        matcher->general = NULL;
        return 0;
    }
    pcre2_set_match_limit(matcher->match, MATCH_LIMIT);
    pcre2_set_depth_limit(matcher->match, DEPTH_LIMIT);
    pcre2_set_heap_limit(matcher->match, HEAP_LIMIT_KIB);
    return 1;
}

static apr_status_t free_stack(void *stack)
{
    pcre2_jit_stack_free(stack);
    return APR_SUCCESS;
}

static int grow_stack(rr_matcher_t *matcher)
{
    if (matcher->stack) {
        return 0;
    }
    matcher->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, matcher->general);
    if (!matcher->stack) {
        return 0;
    }
    apr_pool_cleanup_register(matcher->p, matcher->stack, free_stack, apr_pool_cleanup_null);
    pcre2_jit_stack_assign(matcher->match, NULL, matcher->stack);
    return 1;
}

/* pcre2_jit_match skips the checks of pcre2_match, so a subject that must be UTF-8 takes the longer way. */
static int run(const rr_pattern_t *pattern, rr_matcher_t *matcher, const char *subject, apr_size_t len)
{
    if (pattern->jit && !(pattern->options & RR_PATTERN_UTF)) {
        return pcre2_jit_match(pattern->code, (PCRE2_SPTR)subject, len, 0, 0, matcher->data, matcher->match);
    }
    return pcre2_match(pattern->code, (PCRE2_SPTR)subject, len, 0, 0, matcher->data, matcher->match);
}

/* A subject without what every match holds is answered without the engine, so that an index may do the same. */
static int lacks(const rr_scan_t *scan, const char *subject, apr_size_t len)
{
    int i;

    if (len < scan->prefix.len || (scan->prefix.len && memcmp(subject, scan->prefix.bytes, scan->prefix.len))) {
        return 1;
    }
    for (i = 0; i < scan->runs_count; i++) {
        if (!memmem(subject, len, scan->runs[i].bytes, scan->runs[i].len)) {
            return 1;
        }
    }
    return 0;
}

static rr_match_e search_code(const rr_pattern_t *pattern, rr_matcher_t *matcher, const char *subject, apr_size_t len)
{
    int rc;

    if (lacks(&pattern->scan, subject, len)) {
        return RR_MATCH_NO;
    }
    if (is_spent(matcher)) {
        matcher->searches--; /* so that the next search asks again, and is told the same */
        return RR_MATCH_DOUBT;
    }
    if (!matcher->general && !prepare(matcher)) {
        return RR_MATCH_DOUBT;
    }
    rc = run(pattern, matcher, subject, len);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT && grow_stack(matcher)) {
        rc = run(pattern, matcher, subject, len);
    }
    if (rc >= 0) {
        return RR_MATCH_YES;
    }
    return rc == PCRE2_ERROR_NOMATCH ? RR_MATCH_NO : RR_MATCH_DOUBT;
}

static int equal_caseless(const char *subject, const char *lower, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (apr_tolower(subject[i]) != lower[i]) {
            return 0;
        }
    }
    return 1;
}

/* A literal may be a secret (a partner's key as a header's value): its bytes are compared in constant time. */
static int equal_at(const rr_pattern_t *pattern, const char *subject)
{
    const rr_span_t literal = pattern->scan.literal;

    if (pattern->options & RR_PATTERN_CASELESS) {
        return equal_caseless(subject, literal.bytes, literal.len);
    }
    return CRYPTO_memcmp(subject, literal.bytes, literal.len) == 0;
}

static int contains(const rr_pattern_t *pattern, const char *subject, apr_size_t len)
{
    const rr_span_t literal = pattern->scan.literal;
    apr_size_t i;

    if (!(pattern->options & RR_PATTERN_CASELESS)) {
        return memmem(subject, len, literal.bytes, literal.len) != NULL;
    }
    for (i = 0; i + literal.len <= len; i++) {
        if (equal_caseless(subject + i, literal.bytes, literal.len)) {
            return 1;
        }
    }
    return 0;
}

rr_match_e rr_pattern_search(const rr_pattern_t *pattern, rr_matcher_t *matcher, const char *subject, apr_size_t len)
{
    const apr_size_t need = pattern->scan.literal.len;
    int found = 0;

    switch (pattern->shape) {
    case RR_PATTERN_ANY:
        found = 1;
        break;
    case RR_PATTERN_EXACT:
        found = len == need && equal_at(pattern, subject);
        break;
    case RR_PATTERN_PREFIX:
        found = len >= need && equal_at(pattern, subject);
        break;
    case RR_PATTERN_SUFFIX:
        found = len >= need && equal_at(pattern, subject + len - need);
        break;
    case RR_PATTERN_CONTAINS:
        found = contains(pattern, subject, len);
        break;
    case RR_PATTERN_REGEX:
        return search_code(pattern, matcher, subject, len);
    }
    return found ? RR_MATCH_YES : RR_MATCH_NO;
}

const char *rr_pattern_text(const rr_pattern_t *pattern)
{
    return pattern->text;
}

int rr_pattern_options(const rr_pattern_t *pattern)
{
    return pattern->options;
}

rr_pattern_shape_e rr_pattern_shape(const rr_pattern_t *pattern, rr_span_t *literal)
{
    if (literal) {
        *literal = pattern->scan.literal;
    }
    return pattern->shape;
}

rr_span_t rr_pattern_prefix(const rr_pattern_t *pattern)
{
    return pattern->scan.prefix;
}

const rr_span_t *rr_pattern_required(const rr_pattern_t *pattern, int *count)
{
    *count = pattern->scan.runs_count;
    return pattern->scan.runs;
}

int rr_pattern_is_anchored(const rr_pattern_t *pattern)
{
    return pattern->anchored;
}

/* What leads up to the part that may repeat: the prefix, else the first run. */
static rr_span_t lead_of(const rr_scan_t *scan)
{
    return scan->prefix.len == 0 && scan->runs_count ? scan->runs[0] : scan->prefix;
}

/* The lead, room to pump, a byte that no pattern expects, and what the search would miss before it began. */
static apr_size_t frame(const rr_scan_t *scan, char *subject, apr_size_t pump_len)
{
    const rr_span_t lead = lead_of(scan);
    apr_size_t len = lead.len + pump_len;
    int i;

    if (lead.len) {
        memcpy(subject, lead.bytes, lead.len);
    }
    subject[len++] = '\x01';
    for (i = 0; i < scan->runs_count; i++) {
        memcpy(subject + len, scan->runs[i].bytes, scan->runs[i].len);
        len += scan->runs[i].len;
    }
    return len;
}

int rr_pattern_is_explosive(const rr_pattern_t *pattern, rr_matcher_t *matcher)
{
    enum { PUMP = 256 };
    char subject[2 * RR_MAX_PATTERN + PUMP + 1];
    char *pump = subject + lead_of(&pattern->scan).len;
    const apr_size_t len = frame(&pattern->scan, subject, PUMP);
    apr_size_t i, k;

    /* Each byte and each pair of neighbours of the pattern, repeated. */
    for (i = 0; i <= pattern->len && pattern->shape == RR_PATTERN_REGEX; i++) {
        const char first = i < pattern->len && apr_isascii(pattern->text[i]) ? pattern->text[i] : 'a';
        const char second = i + 1 < pattern->len && apr_isascii(pattern->text[i + 1]) ? pattern->text[i + 1] : 'a';

        memset(pump, first, PUMP);
        if (rr_pattern_search(pattern, matcher, subject, len) == RR_MATCH_DOUBT) {
            return 1;
        }
        for (k = 1; k < PUMP; k += 2) {
            pump[k] = second;
        }
        if (rr_pattern_search(pattern, matcher, subject, len) == RR_MATCH_DOUBT) {
            return 1;
        }
    }
    return 0;
}
