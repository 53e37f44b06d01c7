/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut.c: the streaming JSON cutter.
 *
 * One pass has one effect; retain and destroy, and stage after stage, are passes
 * in a chain, so that each sees exactly what the one before left.
 *
 * What is output is never copied together: keep is where the bytes that stay
 * begin in the chunk at hand, mark where the bytes begin whose fate waits for
 * the next value (comma, white space, name, colon). A value that stays joins
 * both; one that goes sends what was kept and forgets the rest. Containers on
 * the way to a value that a retain pass may still find wait in held[].
 *
 *   live     a container whose values are judged: one frame each
 *   raw      inside a value whose fate is settled: validated, depth counted, nothing else
 *
 * Spec: RFC 8259, strictly: UTF-8 (no overlong forms, no surrogates), paired
 *       surrogate escapes, no byte order mark, no bare control character.
 */
#include "rr_cut.h"

#include "rr_cut_path.h"

#include <apr_strings.h>

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MAX_PASSES 16 /* two effects of every stage of a request, and room */

typedef enum {
    S_VALUE,        /* a value must begin */
    S_FIRST_VALUE,  /* a value or ] */
    S_FIRST_NAME,   /* a name or } */
    S_NAME,         /* a name must begin */
    S_IN_NAME,
    S_COLON,
    S_IN_STRING,
    S_IN_NUMBER,
    S_IN_WORD,      /* true, false, null */
    S_AFTER,        /* a comma or the end of the container */
    S_DONE          /* white space only */
} state_e;

/* Where in a number: the order tells which may end one. */
typedef enum { N_MINUS, N_DOT, N_E, N_SIGN, N_ENDS, N_ZERO = N_ENDS, N_INT, N_FRACTION, N_EXPONENT } number_e;

typedef struct frame_t {
    apr_uint64_t index;   /* ARRAY: of the next element */
    apr_uint64_t count;   /* values cut before this container began */
    apr_size_t held_from; /* where in held[] what leads to this container begins */
    unsigned char used;   /* has had a member */
    unsigned char kept;   /* one of them is in the output */
} frame_t;

struct rr_cut_ops_t {
    const rr_cut_matcher_t *retain, *destroy; /* NULL: none */
};

typedef struct pass_t {
    rr_cut_t *cut;
    struct pass_t *next; /* NULL: the sink */
    rr_walk_t *walk;     /* NULL: everything is kept */
    int retain;

    state_e state;
    number_e number;
    const char *word;    /* rest of true, false or null */
    int collect;         /* the string is a name that the walk must see */
    int escape;          /* 0: none; 1: after the backslash; 2..5: hex digits still to come, plus one */
    unsigned code, high; /* of an escape; its first half */
    unsigned char need, low, top; /* bytes of a UTF-8 sequence to come; bounds of the next */

    unsigned depth, live; /* open containers; those of them that have a frame */
    int object;           /* the innermost is one, else an array */
    apr_uint64_t objects[RR_MAX_DEPTH / 64]; /* a bit a level */
    frame_t *frames;
    unsigned frames_size;
    unsigned waiting;    /* innermost frames that are not in the output yet (retain) */
    int emptied;         /* the document itself was matched: its content goes, its brackets stay */
    int silent;          /* nothing more is written after such a document */
    rr_walk_e verdict;   /* of the member whose name was read */

    const char *chunk, *keep, *mark; /* keep, mark: NULL where there is nothing of it in this chunk */
    char *held, *name;
    apr_size_t held_len, held_size, held_from; /* held_from: where the piece that mark continues begins */
    apr_size_t name_len, name_size;
    apr_uint64_t offset; /* of chunk in the document */
} pass_t;

struct rr_cut_t {
    apr_pool_t *pool;
    rr_cut_sink_fn *sink;
    void *baton;
    pass_t *passes[MAX_PASSES];
    int count;
    apr_uint64_t cuts;
    rr_err_t err; /* the first failure, for every later call */
};

/* ---- failing ---- */

static const char *fail(pass_t *s, const char *p, const char *what)
{
    rr_err_set(&s->cut->err, RR_EINVAL, "body", "%s at byte %" APR_UINT64_T_FMT, what,
               s->offset + (apr_uint64_t)(p - s->chunk));
    return NULL;
}

static const char *not_json(pass_t *s, const char *p)
{
    return fail(s, p, "not JSON");
}

/* ---- output ---- */

static void run(pass_t *s, const char *data, apr_size_t len);

static void emit(pass_t *s, const char *data, apr_size_t len)
{
    if (!len) {
        return;
    }
    if (s->next) {
        run(s->next, data, len);
    }
    else {
        s->cut->sink(s->cut->baton, data, len);
    }
}

static void hold(pass_t *s, const char *data, apr_size_t len)
{
    if (s->held_len + len > s->held_size) {
        apr_size_t size = s->held_size ? s->held_size : 256;
        char *more;

        while (size < s->held_len + len) {
            size *= 2;
        }
        more = apr_palloc(s->cut->pool, size);
        if (s->held_len) {
            memcpy(more, s->held, s->held_len);
        }
        s->held = more;
        s->held_size = size;
    }
    if (len) {
        memcpy(s->held + s->held_len, data, len);
    }
    s->held_len += len;
}

static int too_much(pass_t *s, const char *p)
{
    return s->mark && s->held_len + (apr_size_t)(p - s->mark) > RR_MAX_CUT_HELD;
}

/* What waited up to p belongs to the output, and what follows p too until something else is said. */
static void keep(pass_t *s)
{
    if (s->held_len) {
        emit(s, s->held, s->held_len);
        s->held_len = s->held_from = 0;
        for (; s->waiting; s->waiting--) {
            s->frames[s->live - s->waiting - 1].kept = 1;
        }
    }
    if (!s->keep) {
        s->keep = s->mark;
    }
    s->mark = NULL;
    if (s->live) {
        s->frames[s->live - 1].kept = 1;
    }
}

/* What waited goes, with the value behind it. */
static void drop(pass_t *s)
{
    if (s->keep) {
        emit(s, s->keep, (apr_size_t)(s->mark - s->keep));
        s->keep = NULL;
    }
    s->held_len = s->held_from;
    s->mark = NULL;
    s->cut->cuts++;
}

/* ---- containers ---- */

static int push(pass_t *s, int object)
{
    apr_uint64_t bit = (apr_uint64_t)1 << s->depth % 64;

    if (s->depth >= RR_MAX_DEPTH) {
        return 0;
    }
    s->objects[s->depth / 64] = (s->objects[s->depth / 64] & ~bit) | (object ? bit : 0);
    s->object = object;
    s->depth++;
    return 1;
}

static void pop(pass_t *s)
{
    s->depth--;
    s->object = s->depth && s->objects[(s->depth - 1) / 64] >> (s->depth - 1) % 64 & 1;
}

static frame_t *push_frame(pass_t *s)
{
    frame_t *frame;

    if (s->live == s->frames_size) {
        unsigned size = s->frames_size ? s->frames_size * 2 : 16;
        frame_t *more = apr_palloc(s->cut->pool, size * sizeof(*more));

        if (s->live) {
            memcpy(more, s->frames, s->live * sizeof(*more));
        }
        s->frames = more;
        s->frames_size = size;
    }
    frame = &s->frames[s->live++];
    memset(frame, 0, sizeof(*frame));
    frame->count = s->cut->cuts;
    return frame;
}

/* A container at p whose values are judged. It is in the output already, or (wait) only if a value in it will be. */
static void open_live(pass_t *s, const char *p, int wait)
{
    frame_t *frame = push_frame(s);

    if (wait) {
        if (s->keep) {
            emit(s, s->keep, (apr_size_t)(s->mark - s->keep));
            s->keep = NULL;
        }
        frame->held_from = s->held_from;
        hold(s, s->mark, (apr_size_t)(p + 1 - s->mark));
        s->held_from = s->held_len;
        s->waiting++;
    }
    s->mark = p + 1;
}

/* After a value that ends before p. */
static inline void value_end(pass_t *s, const char *p)
{
    if (s->depth > s->live) {
        s->state = S_AFTER;
    }
    else if (s->live) {
        s->mark = s->frames[s->live - 1].kept ? p : NULL;
        s->state = S_AFTER;
    }
    else {
        s->state = S_DONE;
        if (s->silent) {
            if (s->keep) {
                emit(s, s->keep, (apr_size_t)(p - s->keep));
            }
            s->keep = NULL;
        }
    }
}

/* The bracket at p ends the innermost container, whose values were judged. */
static void close_live(pass_t *s, const char *p)
{
    const frame_t frame = s->frames[s->live - 1];

    if (s->waiting) {
        s->waiting--;
        s->live--;
        s->held_from = frame.held_from;
        drop(s);
        s->cut->cuts = frame.count + 1;
        return;
    }
    if (frame.used && !frame.kept) {
        s->keep = p; /* nothing but the brackets */
        s->silent = s->live == 1;
        s->live--;
    }
    else {
        s->live--;
        keep(s);
    }
}

static const char *close_container(pass_t *s, const char *p)
{
    if (s->object != (*p == '}')) {
        return not_json(s, p);
    }
    if (s->depth == s->live) {
        if (too_much(s, p)) {
            return fail(s, p, "white space beyond RR_MAX_CUT_HELD");
        }
        pop(s);
        close_live(s, p);
    }
    else {
        pop(s);
    }
    value_end(s, p + 1);
    return p + 1;
}

/* ---- values ---- */

static rr_walk_e judge(pass_t *s, int container)
{
    rr_walk_e verdict;

    if (!s->walk) {
        return RR_WALK_DEAD;
    }
    if (!s->live) {
        verdict = rr_walk_root(s->walk, !container);
        return verdict == RR_WALK_DEAD && container ? RR_WALK_OPEN : verdict;
    }
    s->frames[s->live - 1].used = 1;
    if (s->object) {
        return s->verdict;
    }
    if (s->emptied && s->live == 1) {
        return RR_WALK_MATCH;
    }
    return rr_walk_index(s->walk, s->live - 1, s->frames[s->live - 1].index++);
}

/* Decides about the value that begins at p; whether it is a live container. */
static int decide(pass_t *s, const char *p, int container, int *plive)
{
    rr_walk_e verdict = judge(s, container);
    int stays = s->walk && s->retain ? verdict == RR_WALK_MATCH : verdict != RR_WALK_MATCH;

    *plive = 0;
    if (verdict == RR_WALK_LIMIT || too_much(s, p)) {
        return 0;
    }
    if (!s->live) {
        if (verdict == RR_WALK_OPEN && container) {
            *plive = 1;
        }
        else if (!stays && container) {
            *plive = s->emptied = 1;
        }
        else if (!stays) {
            emit(s, s->keep, (apr_size_t)(p - s->keep));
            emit(s, "null", 4);
            s->keep = NULL;
            s->silent = 1;
            s->cut->cuts++;
        }
        return 1;
    }
    if (container && verdict == RR_WALK_OPEN) {
        *plive = 1;
        if (s->retain) {
            return 1;
        }
    }
    if (stays) {
        keep(s);
    }
    else {
        drop(s);
    }
    return 1;
}

static const char *begin_container(pass_t *s, const char *p)
{
    int object = *p == '{', live = 0;

    if (s->depth == s->live && !decide(s, p, 1, &live)) {
        return fail(s, p, "path or white space beyond RR_MAX_PATH or RR_MAX_CUT_HELD");
    }
    if (live) {
        open_live(s, p, s->retain && s->live);
    }
    if (!push(s, object)) {
        return fail(s, p, "nesting beyond RR_MAX_DEPTH");
    }
    s->state = object ? S_FIRST_NAME : S_FIRST_VALUE;
    return p + 1;
}

/* ---- numbers, words ---- */

static inline const char *scan_number(pass_t *s, const char *p, const char *end)
{
    number_e n = s->number;

    for (; p < end; p++) {
        char c = *p;

        if (c >= '0' && c <= '9') {
            if (n > N_ZERO) {
                continue;
            }
            if (n == N_ZERO) {
                return not_json(s, p);
            }
            n = n == N_MINUS ? (c == '0' ? N_ZERO : N_INT) : n == N_DOT ? N_FRACTION : N_EXPONENT;
        }
        else if (c == '.' && (n == N_ZERO || n == N_INT)) {
            n = N_DOT;
        }
        else if ((c == 'e' || c == 'E') && n >= N_ENDS && n != N_EXPONENT) {
            n = N_E;
        }
        else if ((c == '+' || c == '-') && n == N_E) {
            n = N_SIGN;
        }
        else if (n < N_ENDS) {
            return not_json(s, p);
        }
        else {
            s->number = n;
            value_end(s, p);
            return p;
        }
    }
    s->number = n;
    return p;
}

static inline const char *scan_word(pass_t *s, const char *p, const char *end)
{
    for (; p < end && *s->word; p++, s->word++) {
        if (*p != *s->word) {
            return not_json(s, p);
        }
    }
    if (!*s->word) {
        value_end(s, p);
    }
    return p;
}

/* ---- strings ---- */

/* The first byte that is a quote, a backslash, a control character or no ASCII. */
static inline const char *skip_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');

    for (; end - p >= 16; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        /* signed: what is not ASCII is less than a space too */
        __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                    _mm_cmplt_epi8(bytes, space));
        int found = _mm_movemask_epi8(stop);

        if (found) {
            return p + __builtin_ctz((unsigned)found);
        }
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (signed char)*p >= ' ') {
        p++;
    }
    return p;
}

static int name_add(pass_t *s, const char *data, apr_size_t len)
{
    if (s->name_len + len > RR_MAX_PATH) {
        return 0;
    }
    if (s->name_len + len > s->name_size) {
        apr_size_t size = s->name_size ? s->name_size : 256;
        char *more;

        while (size < s->name_len + len) {
            size *= 2;
        }
        more = apr_palloc(s->cut->pool, size);
        if (s->name_len) {
            memcpy(more, s->name, s->name_len);
        }
        s->name = more;
        s->name_size = size;
    }
    if (len) {
        memcpy(s->name + s->name_len, data, len);
        s->name_len += len;
    }
    return 1;
}

static int name_add_code(pass_t *s, unsigned c)
{
    char utf8[4];
    apr_size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

    for (i = len - 1; i > 0; i--, c >>= 6) {
        utf8[i] = (char)(0x80 | (c & 0x3f));
    }
    utf8[0] = (char)(len == 1 ? c : (0xf00u >> len & 0xff) | c);
    return !s->collect || name_add(s, utf8, len);
}

/* One byte of an escape. */
static const char *scan_escape(pass_t *s, const char *p)
{
    static const char letters[] = "\"\\/bfnrt", codes[] = "\"\\/\b\f\n\r\t";
    const char *known;
    int c = (unsigned char)*p;

    if (s->escape == 1) {
        if (c == 'u') {
            s->escape = 5;
            s->code = 0;
            return p + 1;
        }
        known = c ? strchr(letters, c) : NULL;
        if (!known || s->high) {
            return not_json(s, p);
        }
        s->escape = 0;
        return name_add_code(s, (unsigned char)codes[known - letters]) ? p + 1 : fail(s, p, "name beyond RR_MAX_PATH");
    }
    if (c >= '0' && c <= '9') {
        c -= '0';
    }
    else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
        c = (c | 32) - 'a' + 10;
    }
    else {
        return not_json(s, p);
    }
    s->code = s->code << 4 | (unsigned)c;
    if (--s->escape > 1) {
        return p + 1;
    }
    s->escape = 0;
    if (s->high) {
        if (s->code < 0xdc00 || s->code > 0xdfff) {
            return not_json(s, p);
        }
        s->code = 0x10000 + ((s->high - 0xd800) << 10) + (s->code - 0xdc00);
        s->high = 0;
    }
    else if (s->code >= 0xd800 && s->code <= 0xdbff) {
        s->high = s->code;
        return p + 1;
    }
    else if (s->code >= 0xdc00 && s->code <= 0xdfff) {
        return not_json(s, p);
    }
    return name_add_code(s, s->code) ? p + 1 : fail(s, p, "name beyond RR_MAX_PATH");
}

/* The first byte of a character beyond ASCII: how many follow, and what the next may be (RFC 3629, 4). */
static int utf8_lead(pass_t *s, unsigned char c)
{
    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }
    s->need = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    s->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    s->top = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return 1;
}

static inline const char *end_string(pass_t *s, const char *from, const char *p)
{
    if (s->state == S_IN_STRING) {
        value_end(s, p + 1);
        return p + 1;
    }
    s->state = S_COLON;
    if (!s->collect) {
        return p + 1;
    }
    if (s->emptied && s->live == 1) {
        s->verdict = RR_WALK_MATCH;
        return p + 1;
    }
    if (!s->name_len) {
        s->verdict = rr_walk_name(s->walk, s->live - 1, from, (apr_size_t)(p - from));
    }
    else if (name_add(s, from, (apr_size_t)(p - from))) {
        s->verdict = rr_walk_name(s->walk, s->live - 1, s->name, s->name_len);
    }
    else {
        s->verdict = RR_WALK_LIMIT;
    }
    return s->verdict == RR_WALK_LIMIT ? fail(s, p, "path beyond RR_MAX_PATH") : p + 1;
}

static inline const char *scan_string(pass_t *s, const char *p, const char *end)
{
    const char *from = p; /* of a name, what is not in name[] yet */

    if (!(s->escape | s->need) && !s->high) {
        p = skip_plain(p, end);
        if (p < end && *p == '"') {
            return end_string(s, from, p);
        }
    }
    while (p < end) {
        unsigned char c = (unsigned char)*p;

        if (s->escape) {
            p = scan_escape(s, p);
            if (!p) {
                return NULL;
            }
            from = p;
            continue;
        }
        if (s->high && c != '\\') {
            return not_json(s, p);
        }
        if (s->need) {
            if (c < s->low || c > s->top) {
                return not_json(s, p);
            }
            s->low = 0x80;
            s->top = 0xbf;
            s->need--;
            p++;
            continue;
        }
        if (c == '"') {
            return end_string(s, from, p);
        }
        if (c == '\\') {
            if (s->collect && !name_add(s, from, (apr_size_t)(p - from))) {
                return fail(s, p, "name beyond RR_MAX_PATH");
            }
            s->escape = 1;
            from = ++p;
        }
        else if (c >= 0x80) {
            if (!utf8_lead(s, c)) {
                return not_json(s, p);
            }
            p++;
            if (end - p >= 4 && (unsigned char)*p >= s->low && (unsigned char)*p <= s->top) {
                for (p++, s->low = 0x80, s->top = 0xbf; --s->need && (*p & 0xc0) == 0x80; p++) {
                }
            }
        }
        else if (c < 0x20) {
            return not_json(s, p);
        }
        else {
            p = skip_plain(p, end);
        }
    }
    if (s->collect && !name_add(s, from, (apr_size_t)(p - from))) {
        return fail(s, p, "name beyond RR_MAX_PATH");
    }
    return p;
}

/* ---- the loop ---- */

static inline const char *skip_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) {
        p++;
    }
    return p;
}

/* A scalar begins at p: its first byte, and all of it where it is simple. */
static inline const char *begin_scalar(pass_t *s, const char *p, const char *end)
{
    const char *q;

    switch (*p) {
    case '"':
        s->state = S_IN_STRING;
        s->collect = 0;
        return scan_string(s, p + 1, end);
    case 't':
        s->word = "rue";
        break;
    case 'f':
        s->word = "alse";
        break;
    case 'n':
        s->word = "ull";
        break;
    case '-':
        s->number = N_MINUS;
        s->state = S_IN_NUMBER;
        return scan_number(s, p + 1, end);
    case '0':
        s->number = N_ZERO;
        s->state = S_IN_NUMBER;
        return scan_number(s, p + 1, end);
    default:
        if (*p < '1' || *p > '9') {
            return not_json(s, p);
        }
        for (q = p + 1; q < end && *q >= '0' && *q <= '9'; q++) {
        }
        s->number = N_INT;
        s->state = S_IN_NUMBER;
        return scan_number(s, q, end);
    }
    s->state = S_IN_WORD;
    return scan_word(s, p + 1, end);
}

static inline const char *begin_name(pass_t *s, const char *p, const char *end)
{
    if (*p != '"') {
        return not_json(s, p);
    }
    s->state = S_IN_NAME;
    s->collect = s->depth == s->live;
    s->name_len = 0;
    return scan_string(s, p + 1, end);
}

static inline const char *begin_value(pass_t *s, const char *p, const char *end)
{
    int live;

    if (*p == '{' || *p == '[') {
        return begin_container(s, p);
    }
    if (s->depth == s->live && !decide(s, p, 0, &live)) {
        return fail(s, p, "path or white space beyond RR_MAX_PATH or RR_MAX_CUT_HELD");
    }
    return begin_scalar(s, p, end);
}

static inline const char *after_value(pass_t *s, const char *p)
{
    if (*p != ',') {
        return *p == '}' || *p == ']' ? close_container(s, p) : not_json(s, p);
    }
    if (s->depth == s->live && !s->frames[s->live - 1].kept) {
        s->mark = p + 1; /* the first that stays has no comma before it */
    }
    s->state = s->object ? S_NAME : S_VALUE;
    return p + 1;
}

/* Goes on inside a token that the chunk before left open. */
static const char *scan_rest(pass_t *s, const char *p, const char *end)
{
    switch (s->state) {
    case S_IN_STRING:
    case S_IN_NAME:
        return scan_string(s, p, end);
    case S_IN_NUMBER:
        return scan_number(s, p, end);
    case S_IN_WORD:
        return scan_word(s, p, end);
    default:
        return p;
    }
}

/* The states in the order in which they follow each other, so that the usual next one is tried first. */
static const char *scan(pass_t *s, const char *p, const char *end)
{
    p = scan_rest(s, p, end);
    while (p && (p = skip_blank(p, end)) < end) {
        if (s->state == S_AFTER) {
            p = after_value(s, p);
            if (!p || (p = skip_blank(p, end)) == end) {
                break;
            }
        }
        if (s->state == S_NAME || (s->state == S_FIRST_NAME && *p != '}')) {
            p = begin_name(s, p, end);
            if (!p || (p = skip_blank(p, end)) == end) {
                break;
            }
        }
        if (s->state == S_COLON) {
            if (*p != ':') {
                return not_json(s, p);
            }
            s->state = S_VALUE;
            p = skip_blank(p + 1, end);
            if (p == end) {
                break;
            }
        }
        if (s->state == S_VALUE || (s->state == S_FIRST_VALUE && *p != ']')) {
            p = begin_value(s, p, end);
        }
        else if (s->state == S_FIRST_NAME || s->state == S_FIRST_VALUE) {
            p = close_container(s, p);
        }
        else if (s->state == S_DONE) {
            p = not_json(s, p);
        }
    }
    return p;
}

/* Feeds one pass; a failure is in cut->err. */
static void run(pass_t *s, const char *data, apr_size_t len)
{
    const char *end = data + len;

    if (s->cut->err.status != APR_SUCCESS) {
        return;
    }
    s->chunk = data;
    s->keep = s->keep ? data : NULL;
    s->mark = s->mark ? data : NULL;
    if (!scan(s, data, end) || s->cut->err.status != APR_SUCCESS) {
        return;
    }
    if (s->keep) {
        emit(s, s->keep, (apr_size_t)((s->mark ? s->mark : end) - s->keep));
    }
    if (s->mark) {
        if (too_much(s, end)) {
            fail(s, end, "white space beyond RR_MAX_CUT_HELD");
            return;
        }
        hold(s, s->mark, (apr_size_t)(end - s->mark));
        s->keep = NULL;
    }
    s->offset += len;
}

/* ---- public ---- */

apr_status_t rr_cut_compile(const rr_cut_ops_t **pops, const rr_cut_op_t *ops, apr_size_t count, apr_pool_t *p,
                            rr_err_t *err, apr_size_t *pwhich)
{
    rr_cut_ops_t *compiled = apr_pcalloc(p, sizeof(*compiled));
    apr_status_t rv = rr_cut_matcher_compile(&compiled->retain, ops, count, RR_CUT_RETAIN, p, err, pwhich);

    *pops = NULL;
    if (rv == APR_SUCCESS) {
        rv = rr_cut_matcher_compile(&compiled->destroy, ops, count, RR_CUT_DESTROY, p, err, pwhich);
    }
    if (rv == APR_SUCCESS) {
        *pops = compiled;
    }
    return rv;
}

static void start(pass_t *s)
{
    s->state = S_VALUE;
    s->escape = 0;
    s->high = 0;
    s->need = 0;
    s->depth = s->live = s->waiting = 0;
    s->emptied = s->silent = 0;
    s->held_len = s->held_from = 0;
    s->keep = s->chunk = ""; /* what comes first is kept: white space */
    s->mark = NULL;
    s->offset = 0;
}

static void add_pass(rr_cut_t *cut, rr_walk_t *walk, int retain)
{
    pass_t *s = apr_pcalloc(cut->pool, sizeof(*s));

    s->cut = cut;
    s->walk = walk;
    s->retain = retain;
    start(s);
    if (cut->count && !cut->passes[cut->count - 1]->walk) {
        cut->count--; /* the one that only validates is not needed any more */
    }
    if (cut->count) {
        cut->passes[cut->count - 1]->next = s;
    }
    cut->passes[cut->count++] = s;
}

rr_cut_t *rr_cut_create(apr_pool_t *p, rr_cut_sink_fn *sink, void *baton)
{
    rr_cut_t *cut = apr_pcalloc(p, sizeof(*cut));

    cut->pool = p;
    cut->sink = sink;
    cut->baton = baton;
    add_pass(cut, NULL, 0);
    return cut;
}

void rr_cut_add(rr_cut_t *cut, const rr_cut_ops_t *ops, const unsigned char *active)
{
    rr_walk_t *walk;

    if (cut->count + 2 > MAX_PASSES) {
        rr_err_set(&cut->err, RR_EINVAL, "", "more than %d stages", MAX_PASSES / 2);
        return;
    }
    walk = ops->retain ? rr_walk_create(ops->retain, active, cut->pool) : NULL;
    if (walk) {
        add_pass(cut, walk, 1);
    }
    walk = ops->destroy ? rr_walk_create(ops->destroy, active, cut->pool) : NULL;
    if (walk) {
        add_pass(cut, walk, 0);
    }
}

apr_status_t rr_cut_feed(rr_cut_t *cut, const char *data, apr_size_t len, rr_err_t *err)
{
    if (len) {
        run(cut->passes[0], data, len);
    }
    if (cut->err.status != APR_SUCCESS) {
        return rr_err_set(err, cut->err.status, cut->err.where, "%s", cut->err.text);
    }
    return APR_SUCCESS;
}

apr_status_t rr_cut_end(rr_cut_t *cut, rr_err_t *err)
{
    int i;

    for (i = 0; i < cut->count && cut->err.status == APR_SUCCESS; i++) {
        pass_t *s = cut->passes[i];

        s->chunk = "";
        s->keep = s->keep ? s->chunk : NULL;
        s->mark = s->mark ? s->chunk : NULL;
        if (s->state == S_IN_NUMBER && !s->depth && s->number >= N_ENDS) {
            value_end(s, s->chunk); /* nothing but the end tells a number's */
        }
        if (s->state != S_DONE) {
            fail(s, s->chunk, s->offset ? "JSON that is not complete" : "no JSON");
        }
    }
    if (cut->err.status != APR_SUCCESS) {
        return rr_err_set(err, cut->err.status, cut->err.where, "%s", cut->err.text);
    }
    return APR_SUCCESS;
}

void rr_cut_reset(rr_cut_t *cut)
{
    int i;

    for (i = 0; i < cut->count; i++) {
        start(cut->passes[i]);
    }
}

apr_uint64_t rr_cut_count(const rr_cut_t *cut)
{
    return cut->cuts;
}
