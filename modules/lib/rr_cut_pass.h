/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut_pass.h: one pass of the cutter over a document, seen by the files that
 * make it: rr_cut_pass.c decides about values, rr_cut_token.c reads tokens,
 * rr_cut.c chains passes.
 */
#ifndef RR_CUT_PASS_H
#define RR_CUT_PASS_H

#include "rr_cut_walk.h"

#define MAX_PASSES 16 /* two effects of every stage of a request, and room */

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
} cut_state_e;

/* Where in a number: the order tells which may end one. */
typedef enum { N_MINUS, N_DOT, N_E, N_SIGN, N_ENDS, N_ZERO = N_ENDS, N_INT, N_FRACTION, N_EXPONENT } cut_number_e;

typedef struct cut_frame_t {
    apr_uint64_t index;   /* ARRAY: of the next element */
    apr_uint64_t count;   /* values cut before this container began */
    apr_size_t held_from; /* where in held[] what leads to this container begins */
    unsigned char used;   /* has had a member */
    unsigned char kept;   /* one of them is in the output */
} cut_frame_t;

typedef struct cut_pass_t {
    rr_cut_t *cut;
    apr_pool_t *pool;
    struct cut_pass_t *next; /* NULL: the sink */
    rr_walk_t *walk;     /* NULL: everything is kept */
    int retain;
    unsigned stay;       /* a bit for each rr_walk_e that keeps a value */

    cut_state_e state;
    cut_number_e number;
    const char *word;    /* rest of true, false or null */
    int collect;         /* the string is a name that the walk must see */
    int escape;          /* 0: none; 1: after the backslash; 2..5: hex digits still to come, plus one */
    unsigned code, high; /* of an escape; its first half */
    unsigned char need, low, top; /* bytes of a UTF-8 sequence to come; bounds of the next */

    unsigned depth, live; /* open containers; those of them that have a frame */
    int object;           /* the innermost is one, else an array */
    unsigned char objects[RR_MAX_DEPTH + 1]; /* object, by depth */
    cut_frame_t *frames, *judged; /* judged: of the innermost container if its values are, else NULL */
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
} cut_pass_t;

struct rr_cut_t {
    apr_pool_t *pool;
    rr_cut_sink_fn *sink;
    void *baton;
    cut_pass_t *passes[MAX_PASSES];
    int count;
    apr_uint64_t cuts;
    rr_err_t err; /* the first failure, for every later call */
};

/** Makes ready for a document. */
void rr_cut_pass_start(cut_pass_t *s);

/** Takes the next bytes of it; a failure is in s->cut->err. */
void rr_cut_pass_feed(cut_pass_t *s, const char *data, apr_size_t len);

/** The document ends here. */
void rr_cut_pass_end(cut_pass_t *s);

/** Where a scan fails: notes the first failure in s->cut. Returns NULL, which ends every scan. */
const char *rr_cut_fail(cut_pass_t *s, const char *p, const char *what);

/** After a value that is the whole document and ends before p. */
void rr_cut_document_end(cut_pass_t *s, const char *p);

/*
 * Each goes on with the token that s->state names, at p: past its end, or to end
 * with what is to be known when the next chunk comes. NULL: it has failed. Of a
 * string from is what is not in name[] yet, up to p nothing but plain ASCII.
 */
const char *rr_cut_string(cut_pass_t *s, const char *from, const char *p, const char *end);
const char *rr_cut_number(cut_pass_t *s, const char *p, const char *end);
const char *rr_cut_word(cut_pass_t *s, const char *p, const char *end);

/* After a value that ends before p. */
static inline void value_end(cut_pass_t *s, const char *p)
{
    s->state = S_AFTER;
    if (s->judged) {
        s->mark = s->judged->kept ? p : NULL;
    }
    else if (!s->depth) {
        rr_cut_document_end(s, p);
    }
}

/* After a name that ends before the quote at p. */
static inline const char *name_end(cut_pass_t *s, const char *name, apr_size_t len, const char *p)
{
    s->state = S_COLON;
    if (s->judged) {
        s->verdict = s->emptied ? RR_WALK_MATCH : rr_walk_name(s->walk, s->live - 1, name, len);
        if (s->verdict == RR_WALK_LIMIT) {
            return rr_cut_fail(s, p, "path beyond RR_MAX_PATH");
        }
    }
    return p + 1;
}

static inline const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

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

#endif
