/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cut.c: how fast the cutter is in memory, beside what a filter that parses and
 * prints would need at least (jansson) and what nothing can be faster than
 * (memcpy), all in one run on one core.
 *
 *   cut [--json] [--rounds N] [--only TEXT]
 *
 * A case is BODY/SIZE/WHO; TEXT chooses those in whose name it occurs. The
 * figure is the median of the rounds. A body is fed in pieces of 8,000 bytes,
 * which is what comes from a network.
 */
#include "rr_cut.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PIECE 8000
#define MAX_ROUNDS 101

typedef struct body_t {
    char *text;
    size_t len, room;
} body_t;

static struct {
    int json, rounds, printed;
    const char *only;
} options = { 0, 7, 0, "" };

static apr_pool_t *root;
static volatile size_t taken; /* so that no work can be left out */

/* ---- bodies ---- */

static void add(body_t *body, const char *text)
{
    size_t len = strlen(text);

    if (body->len + len > body->room) {
        body->room = 2 * (body->len + len);
        body->text = realloc(body->text, body->room);
        if (!body->text) {
            abort();
        }
    }
    memcpy(body->text + body->len, text, len);
    body->len += len;
}

/* Records of a hundred bytes and more in one string, as documents and messages have. */
static void add_string(body_t *body, unsigned n)
{
    char text[512];

    apr_snprintf(text, sizeof(text),
                 "{\"id\":\"%08x\",\"title\":\"The %u. of all the messages\",\"text\":\"Lorem ipsum dolor sit amet, "
                 "consetetur sadipscing elitr, sed diam nonumy eirmod tempor invidunt ut labore et dolore magna "
                 "aliquyam erat, sed diam voluptua. At vero eos et accusam et justo duo dolores et ea rebum.\","
                 "\"f%u\":\"secret\"}",
                 n * 2654435761u, n, n % 100);
    add(body, text);
}

/* Records of numbers, words and short strings, as tables have. */
static void add_token(body_t *body, unsigned n)
{
    char text[256];

    apr_snprintf(text, sizeof(text),
                 "{\"id\":%u,\"ok\":%s,\"price\":%u.%02u,\"tags\":[%u,%u],\"pos\":{\"x\":%u,\"y\":-%u},"
                 "\"unit\":\"kg\",\"f%u\":null}",
                 n, n % 3 ? "true" : "false", n % 997, n % 100, n % 7, n % 11, n % 640, n % 480, n % 100);
    add(body, text);
}

static body_t make_body(void (*add_record)(body_t *, unsigned), size_t size)
{
    body_t body = { NULL, 0, 0 };
    unsigned n = 0;

    add(&body, "{\"items\":[");
    do {
        add(&body, n ? "," : "");
        add_record(&body, n++);
    } while (body.len + 2 < size);
    add(&body, "]}");
    return body;
}

/* ---- who reads them ---- */

static void sink(void *baton, const char *data, apr_size_t len)
{
    (void)baton, (void)data;
    taken += len;
}

static void run_cut(const body_t *body, const void *ops)
{
    apr_pool_t *p;
    rr_cut_t *cut;
    rr_err_t err = RR_ERR_INIT;
    size_t at;

    apr_pool_create(&p, root);
    cut = rr_cut_create(p, sink, NULL);
    rr_cut_add(cut, ops, NULL);
    for (at = 0; at < body->len; at += PIECE) {
        if (rr_cut_feed(cut, body->text + at, body->len - at < PIECE ? body->len - at : PIECE, &err)) {
            abort();
        }
    }
    if (rr_cut_end(cut, &err) || !rr_cut_count(cut)) {
        abort();
    }
    apr_pool_destroy(p);
}

static void run_jansson(const body_t *body, const void *unused)
{
    json_t *json = json_loadb(body->text, body->len, 0, NULL);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    (void)unused;
    if (!text) {
        abort();
    }
    taken += strlen(text);
    free(text);
    json_decref(json);
}

static void run_memcpy(const body_t *body, const void *copy)
{
    memcpy((void *)copy, body->text, body->len);
    taken += ((const unsigned char *)copy)[body->len - 1];
}

/* ---- measuring ---- */

/* Microseconds of this process: what others do on the machine is not in it. */
static double cpu_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_time(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const char *name, const body_t *body, void (*run)(const body_t *, const void *), const void *with)
{
    size_t times = body->len < 4000000 ? 4000000 / body->len : 1, i;
    int rounds = body->len > 50000000 && options.rounds > 3 ? 3 : options.rounds, round;
    double took[MAX_ROUNDS], median;

    if (!strstr(name, options.only)) {
        return;
    }
    for (round = 0; round < rounds; round++) {
        double from = cpu_time();

        for (i = 0; i < times; i++) {
            run(body, with);
        }
        took[round] = (cpu_time() - from) / (double)times;
    }
    qsort(took, (size_t)rounds, sizeof(*took), by_time);
    median = took[rounds / 2] > 0 ? took[rounds / 2] : 0.001;
    if (options.json) {
        printf("%s  {\"case\":\"%s\",\"bytes\":%lu,\"usPerBody\":%.2f,\"mbPerSecond\":%.0f,\"rounds\":%d}",
               options.printed++ ? ",\n" : "[\n", name, (unsigned long)body->len, median, (double)body->len / median,
               rounds);
    }
    else {
        printf("%-36s %12.2f us  %7.0f MB/s\n", name, median, (double)body->len / median);
    }
    fflush(stdout);
}

/* Of count operations one in a hundred records' fields is met; kind as in the name of the case. */
static const rr_cut_ops_t *compile(const char *kind, unsigned count)
{
    static const struct {
        const char *kind, *format;
        int is_path;
    } forms[] = { { "anchored", "^items\\[\\d+\\]\\.f%u$", 0 },
                  { "searched", "f%u$", 0 },
                  { "wild", "items.*f%u$", 0 },
                  { "jsonpath", "$.items[*].f%u", 1 },
                  { "words", "\\bf%u\\b", 0 },
                  { "pcre2", "(?<!x)f%u$", 0 } };
    rr_cut_op_t *ops = apr_pcalloc(root, count * sizeof(*ops));
    const rr_cut_ops_t *compiled;
    rr_err_t err = RR_ERR_INIT;
    apr_size_t which, form = 0;
    unsigned i;

    while (strcmp(forms[form].kind, kind)) {
        form++;
    }
    for (i = 0; i < count; i++) {
        const char *text = apr_psprintf(root, forms[form].format, i);

        ops[i].effect = RR_CUT_DESTROY;
        *(forms[form].is_path ? &ops[i].path : &ops[i].pattern) = text;
    }
    if (rr_cut_compile(&compiled, ops, count, root, &err, &which)) {
        abort();
    }
    return compiled;
}

static void measure_body(const char *shape, const char *size, const body_t *body)
{
    static const unsigned counts[] = { 1, 10, 100 };
    static const char *const others[] = { "searched", "wild", "words", "jsonpath", "pcre2" };
    char *copy = malloc(body->len);
    size_t i;

    for (i = 0; i < 3; i++) {
        measure(apr_psprintf(root, "%s/%s/%u-anchored", shape, size, counts[i]), body, run_cut,
                compile("anchored", counts[i]));
    }
    for (i = 0; i < 5 && body->len < 50000000; i++) {
        measure(apr_psprintf(root, "%s/%s/10-%s", shape, size, others[i]), body, run_cut, compile(others[i], 10));
    }
    for (i = 0; i < 4 && body->len < 50000000; i++) {
        measure(apr_psprintf(root, "%s/%s/100-%s", shape, size, others[i]), body, run_cut, compile(others[i], 100));
    }
    measure(apr_psprintf(root, "%s/%s/jansson", shape, size), body, run_jansson, NULL);
    measure(apr_psprintf(root, "%s/%s/memcpy", shape, size), body, run_memcpy, copy);
    free(copy);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        size_t size;
    } sizes[] = { { "1kb", 1000 }, { "1mb", 1000000 }, { "100mb", 100000000 } };
    int i;

    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) {
            options.json = 1;
        }
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc) {
            options.rounds = (int)strtol(argv[++i], NULL, 10);
        }
        else if (!strcmp(argv[i], "--only") && i + 1 < argc) {
            options.only = argv[++i];
        }
        else {
            fprintf(stderr, "usage: cut [--json] [--rounds N] [--only TEXT]\n");
            return 2;
        }
    }
    options.rounds = options.rounds < 1 ? 1 : options.rounds > MAX_ROUNDS ? MAX_ROUNDS : options.rounds;
    apr_initialize();
    apr_pool_create(&root, NULL);
    for (i = 0; i < 6; i++) {
        const char *shape = i < 3 ? "strings" : "tokens";
        body_t body;

        if (options.only[0] && strchr(options.only, '/') && !strstr(options.only, sizes[i % 3].name)) {
            continue; /* a large body that no case asks for */
        }
        body = make_body(i < 3 ? add_string : add_token, sizes[i % 3].size);
        measure_body(shape, sizes[i % 3].name, &body);
        free(body.text);
    }
    if (options.json) {
        printf("%s]\n", options.printed ? "\n" : "[");
    }
    apr_pool_destroy(root);
    apr_terminate();
    return 0;
}
