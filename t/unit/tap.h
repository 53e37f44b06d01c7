/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h: what a C unit test needs to speak TAP. The plan is printed last, so
 * that nobody counts by hand; a test that dies has none and fails.
 *
 *   int main(void) { ok(1 + 1 == 2, "sums"); is_str(name, "x", "name"); return tap_end(); }
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_ran, tap_failed;

__attribute__((format(printf, 2, 3))) static inline int ok(int passed, const char *name, ...)
{
    va_list args;

    printf("%sok %d - ", passed ? "" : "not ", ++tap_ran);
    va_start(args, name);
    vprintf(name, args);
    va_end(args);
    putchar('\n');
    tap_failed += !passed;
    fflush(stdout);
    return passed;
}

__attribute__((format(printf, 1, 2))) static inline void note(const char *text, ...)
{
    va_list args;

    printf("# ");
    va_start(args, text);
    vprintf(text, args);
    va_end(args);
    putchar('\n');
}

static inline int is_int(long long got, long long want, const char *name)
{
    if (!ok(got == want, "%s", name)) {
        note("got %lld, want %lld", got, want);
    }
    return got == want;
}

/* Either may be NULL; NULL equals NULL only. */
static inline int is_str(const char *got, const char *want, const char *name)
{
    int same = got && want ? !strcmp(got, want) : got == want;

    if (!ok(same, "%s", name)) {
        note("got  %s", got ? got : "(null)");
        note("want %s", want ? want : "(null)");
    }
    return same;
}

static inline int tap_end(void)
{
    printf("1..%d\n", tap_ran);
    return tap_failed != 0;
}

#endif
