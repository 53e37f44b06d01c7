/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_pass.c: one pass of the cutter: which bytes of a document stay.
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
#include "rr_cut_pass.h"

#include <string.h>

const char *rr_cut_fail(cut_pass_t *s, const char *p, const char *what)
{
    rr_err_set(&s->cut->err, RR_EINVAL, "body", "%s at byte %" APR_UINT64_T_FMT, what,
               s->offset + (apr_uint64_t)(p - s->chunk));
    return NULL;
}

static const char *not_json(cut_pass_t *s, const char *p)
{
    return rr_cut_fail(s, p, "not JSON");
}

/* ---- output ---- */

static void emit(cut_pass_t *s, const char *data, apr_size_t len)
{
    if (!len) {
        return;
    }
    if (s->next) {
        rr_cut_pass_feed(s->next, data, len);
    }
    else {
        s->cut->sink(s->cut->baton, data, len);
    }
}

static void hold(cut_pass_t *s, const char *data, apr_size_t len)
{
    if (s->held_len + len > s->held_size) {
        apr_size_t size = s->held_size ? s->held_size : 256;
        char *more;

        while (size < s->held_len + len) {
            size *= 2;
        }
        more = apr_palloc(s->pool, size);
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

/* What waits up to p; s->mark is not NULL. */
static inline int too_much(const cut_pass_t *s, const char *p)
{
    return s->held_len + (apr_size_t)(p - s->mark) > RR_MAX_CUT_HELD;
}

static void emit_held(cut_pass_t *s)
{
    emit(s, s->held, s->held_len);
    s->held_len = s->held_from = 0;
    for (; s->waiting; s->waiting--) {
        s->frames[s->live - s->waiting - 1].kept = 1;
    }
}

/* What waited up to p belongs to the output, and what follows p too until something else is said. */
static inline void keep(cut_pass_t *s)
{
    if (s->held_len) {
        emit_held(s);
    }
    if (!s->keep) {
        s->keep = s->mark;
    }
    s->mark = NULL;
}

/* What waited goes, with the value behind it. */
static void drop(cut_pass_t *s)
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

/* live: it has a frame. */
static int push(cut_pass_t *s, int object, int live)
{
    if (s->depth >= RR_MAX_DEPTH) {
        return 0;
    }
    s->objects[++s->depth] = (unsigned char)object;
    s->object = object;
    s->judged = live ? &s->frames[s->live - 1] : NULL;
    return 1;
}

/* Its frame, if it had one, is gone already. */
static inline void pop(cut_pass_t *s)
{
    s->depth--;
    s->object = s->objects[s->depth];
    s->judged = s->depth && s->depth == s->live ? &s->frames[s->live - 1] : NULL;
}

static cut_frame_t *push_frame(cut_pass_t *s)
{
    cut_frame_t *frame;

    if (s->live == s->frames_size) {
        unsigned size = s->frames_size ? s->frames_size * 2 : 16;
        cut_frame_t *more = apr_palloc(s->pool, size * sizeof(*more));

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
static void open_live(cut_pass_t *s, const char *p, int wait)
{
    cut_frame_t *frame = push_frame(s);

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

void rr_cut_document_end(cut_pass_t *s, const char *p)
{
    s->state = S_DONE;
    if (s->silent) {
        if (s->keep) {
            emit(s, s->keep, (apr_size_t)(p - s->keep));
        }
        s->keep = NULL;
    }
}

/* The bracket at p ends the innermost container, whose values were judged. */
static void close_live(cut_pass_t *s, const char *p)
{
    const cut_frame_t frame = *s->judged;

    s->live--;
    pop(s);
    if (s->waiting) {
        s->waiting--;
        s->held_from = frame.held_from;
        drop(s);
        s->cut->cuts = frame.count + 1;
        return;
    }
    if (frame.used && !frame.kept) {
        s->keep = p; /* nothing but the brackets */
        s->silent = !s->live;
    }
    else {
        keep(s);
        if (s->judged) {
            s->judged->kept = 1;
        }
    }
}

static const char *close_container(cut_pass_t *s, const char *p)
{
    if (s->object != (*p == '}')) {
        return not_json(s, p);
    }
    if (s->judged) {
        if (s->mark && too_much(s, p)) {
            return rr_cut_fail(s, p, "white space beyond RR_MAX_CUT_HELD");
        }
        close_live(s, p);
    }
    else {
        pop(s);
    }
    value_end(s, p + 1);
    return p + 1;
}

/* ---- values ---- */

/* Decides about the document itself, which begins at p; whether it is a container whose values are judged. */
static int decide_document(cut_pass_t *s, const char *p, int container)
{
    rr_walk_e verdict = s->walk ? rr_walk_root(s->walk, !container) : RR_WALK_DEAD;
    int stays = s->walk && s->retain ? verdict == RR_WALK_MATCH : verdict != RR_WALK_MATCH;

    if (container) {
        s->emptied = s->walk && verdict == RR_WALK_MATCH && !stays;
        return s->walk && (verdict != RR_WALK_MATCH || !stays);
    }
    if (!stays) {
        emit(s, s->keep, (apr_size_t)(p - s->keep));
        emit(s, "null", 4);
        s->keep = NULL;
        s->silent = 1;
        s->cut->cuts++;
    }
    return 0;
}

/* Decides about a member or element that begins at p: what is known of it, RR_WALK_LIMIT where a limit is passed. */
static inline rr_walk_e decide(cut_pass_t *s, const char *p, int container)
{
    cut_frame_t *frame = s->judged;
    rr_walk_e verdict = s->verdict;

    frame->used = 1;
    if (!s->object) {
        verdict = s->emptied ? RR_WALK_MATCH : rr_walk_index(s->walk, s->live - 1, frame->index++);
    }
    if (verdict == RR_WALK_LIMIT || too_much(s, p)) {
        return RR_WALK_LIMIT;
    }
    if (s->stay >> verdict & 1) {
        keep(s);
        frame->kept = 1;
    }
    else if (!(container && verdict == RR_WALK_OPEN)) { /* else what leads to it waits on */
        drop(s);
    }
    return verdict;
}

static const char *over_limit(cut_pass_t *s, const char *p)
{
    return rr_cut_fail(s, p, "path or white space beyond RR_MAX_PATH or RR_MAX_CUT_HELD");
}

static const char *begin_container(cut_pass_t *s, const char *p)
{
    int object = *p == '{', live = 0;

    if (!s->depth) {
        live = decide_document(s, p, 1);
    }
    else if (s->judged) {
        rr_walk_e verdict = decide(s, p, 1);

        if (verdict == RR_WALK_LIMIT) {
            return over_limit(s, p);
        }
        live = verdict == RR_WALK_OPEN;
    }
    if (live) {
        open_live(s, p, s->retain && s->live);
    }
    if (!push(s, object, live)) {
        return rr_cut_fail(s, p, "nesting beyond RR_MAX_DEPTH");
    }
    s->state = object ? S_FIRST_NAME : S_FIRST_VALUE;
    return p + 1;
}

/* ---- the loop ---- */

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) {
        p++;
    }
    return p;
}

/* Most JSON that a machine writes has none. */
static inline const char *skip_blank(const char *p, const char *end)
{
    return p < end && (unsigned char)*p > ' ' ? p : skip_blanks(p, end);
}

static inline const char *begin_number(cut_pass_t *s, const char *p, const char *end)
{
    const char *digits = p + (*p == '-'), *q = skip_digits(digits, end);
    int plain = q > digits && (*digits != '0' || q == digits + 1);

    if (plain && q < end && *q == '.') {
        digits = q + 1;
        q = skip_digits(digits, end);
        plain = q > digits;
    }
    if (plain && q < end && (*q | 32) != 'e') {
        value_end(s, q);
        return q;
    }
    if (*p != '-' && (*p < '0' || *p > '9')) {
        return not_json(s, p);
    }
    s->number = *p == '-' ? N_MINUS : *p == '0' ? N_ZERO : N_INT;
    s->state = S_IN_NUMBER;
    return rr_cut_number(s, p + 1, end);
}

static inline const char *begin_word(cut_pass_t *s, const char *p, const char *end)
{
    const char *word = *p == 't' ? "true" : *p == 'f' ? "false" : "null";
    apr_size_t len = *p == 'f' ? 5 : 4;

    if ((apr_size_t)(end - p) > len && !memcmp(p, word, 4) && p[len - 1] == word[len - 1]) {
        value_end(s, p + len);
        return p + len;
    }
    s->word = word + 1;
    s->state = S_IN_WORD;
    return rr_cut_word(s, p + 1, end);
}

/* A scalar begins at p: its first byte, and all of it where it is simple. */
static inline const char *begin_scalar(cut_pass_t *s, const char *p, const char *end)
{
    const char *q;

    switch (*p) {
    case '"':
        q = skip_plain(p + 1, end);
        if (q < end && *q == '"') {
            value_end(s, q + 1);
            return q + 1;
        }
        s->state = S_IN_STRING;
        s->collect = 0;
        return rr_cut_string(s, p + 1, q, end);
    case 't':
    case 'f':
    case 'n':
        return begin_word(s, p, end);
    default:
        return begin_number(s, p, end);
    }
}

static inline const char *begin_name(cut_pass_t *s, const char *p, const char *end)
{
    const char *q;

    if (*p != '"') {
        return not_json(s, p);
    }
    q = skip_plain(p + 1, end);
    if (q < end && *q == '"') {
        return name_end(s, p + 1, (apr_size_t)(q - p - 1), q);
    }
    s->state = S_IN_NAME;
    s->collect = s->judged != NULL;
    s->name_len = 0;
    return rr_cut_string(s, p + 1, q, end);
}

static inline const char *begin_value(cut_pass_t *s, const char *p, const char *end)
{
    if (*p == '{' || *p == '[') {
        return begin_container(s, p);
    }
    if (s->judged) {
        if (decide(s, p, 0) == RR_WALK_LIMIT) {
            return over_limit(s, p);
        }
    }
    else if (!s->depth) {
        decide_document(s, p, 0);
    }
    return begin_scalar(s, p, end);
}

/* Goes on inside a token that the chunk before left open. */
static const char *scan_rest(cut_pass_t *s, const char *p, const char *end)
{
    switch (s->state) {
    case S_IN_STRING:
    case S_IN_NAME:
        return rr_cut_string(s, p, p, end);
    case S_IN_NUMBER:
        return rr_cut_number(s, p, end);
    case S_IN_WORD:
        return rr_cut_word(s, p, end);
    default:
        return p;
    }
}

/* The states in the order in which they follow each other, so that the usual next one is tried first. */
static const char *scan(cut_pass_t *s, const char *p, const char *end)
{
    p = scan_rest(s, p, end);
    while (p && (p = skip_blank(p, end)) < end) {
        cut_state_e state = s->state;

        if (state == S_AFTER) {
            if (*p != ',') {
                p = *p == '}' || *p == ']' ? close_container(s, p) : not_json(s, p);
                continue;
            }
            if (s->judged && !s->judged->kept) {
                s->mark = p + 1; /* the first that stays has no comma before it */
            }
            s->state = state = s->object ? S_NAME : S_VALUE;
            p = skip_blank(p + 1, end);
            if (p == end) {
                break;
            }
        }
        if (state == S_NAME || (state == S_FIRST_NAME && *p != '}')) {
            p = begin_name(s, p, end);
            if (!p || s->state != S_COLON || (p = skip_blank(p, end)) == end) {
                continue;
            }
            state = S_COLON;
        }
        if (state == S_COLON) {
            if (*p != ':') {
                return not_json(s, p);
            }
            s->state = state = S_VALUE;
            p = skip_blank(p + 1, end);
            if (p == end) {
                break;
            }
        }
        if (state == S_VALUE || (state == S_FIRST_VALUE && *p != ']')) {
            p = begin_value(s, p, end);
        }
        else if (state == S_FIRST_NAME || state == S_FIRST_VALUE) {
            p = close_container(s, p);
        }
        else if (state == S_DONE) {
            p = not_json(s, p);
        }
    }
    return p;
}

void rr_cut_pass_feed(cut_pass_t *s, const char *data, apr_size_t len)
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
            rr_cut_fail(s, end, "white space beyond RR_MAX_CUT_HELD");
            return;
        }
        hold(s, s->mark, (apr_size_t)(end - s->mark));
        s->keep = NULL;
    }
    s->offset += len;
}

void rr_cut_pass_end(cut_pass_t *s)
{
    s->chunk = "";
    s->keep = s->keep ? s->chunk : NULL;
    s->mark = s->mark ? s->chunk : NULL;
    if (s->state == S_IN_NUMBER && !s->depth && s->number >= N_ENDS) {
        value_end(s, s->chunk); /* nothing but the end tells a number's */
    }
    if (s->state != S_DONE) {
        rr_cut_fail(s, s->chunk, s->offset ? "JSON that is not complete" : "no JSON");
    }
}

void rr_cut_pass_start(cut_pass_t *s)
{
    s->state = S_VALUE;
    s->escape = 0;
    s->high = 0;
    s->need = 0;
    s->depth = s->live = s->waiting = 0;
    s->judged = NULL;
    s->emptied = s->silent = 0;
    s->held_len = s->held_from = 0;
    s->keep = s->chunk = ""; /* what comes first is kept: white space */
    s->mark = NULL;
    s->offset = 0;
}
