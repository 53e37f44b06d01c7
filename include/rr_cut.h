/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_cut.h: the JSON cutter: bytes in, kept bytes out.
 *
 * A push parser over chunks with arbitrary borders. It validates RFC 8259
 * strictly while it cuts, decides at the first byte of a value, and holds the
 * names on the current path only. What comes out is what went in with pieces
 * left out; nothing is ever written anew, but for `null` in place of a document
 * that is a scalar and is cut as a whole.
 *
 * The written path of a value is `items[0].card.number`: names as they are
 * after unescaping, joined by dots, elements by their index. A container that
 * is the whole document has no path, patterns do not match it; a scalar that is
 * has the empty path.
 */
#ifndef RR_CUT_H
#define RR_CUT_H

#include "rr_err.h"

#include <apr_pools.h>

typedef enum {
    RR_CUT_DESTROY = 1, /* matched values and all below them go */
    RR_CUT_RETAIN       /* matched values, all below and the way to them stay, all else goes */
} rr_cut_effect_e;

typedef struct rr_cut_op_t {
    rr_cut_effect_e effect;
    const char *pattern; /* regular expression searched in the written path; NULL: path is set */
    const char *flags;   /* of pattern (rr_pattern.h); may be NULL */
    const char *path;    /* RFC 9535 without filter expressions; NULL: pattern is set */
    unsigned group;      /* what the operation is switched on and off with: its filter */
} rr_cut_op_t;

typedef struct rr_cut_ops_t rr_cut_ops_t; /* the operations of one stage, compiled; immutable */
typedef struct rr_cut_t rr_cut_t;         /* one document, or one after the other */

/* Takes kept bytes; data is valid for the call only. */
typedef void rr_cut_sink_fn(void *baton, const char *data, apr_size_t len);

/**
 * Compiles one stage.
 *
 * Ownership: *pops lives in p and copies what it needs.
 * Errors:    RR_EINVAL: err->text says why with the offset, *pwhich is the operation at fault.
 * Spec:      RFC 9535; indexes and slices that count from the end are refused: a stream does not know its length.
 */
apr_status_t rr_cut_compile(const rr_cut_ops_t **pops, const rr_cut_op_t *ops, apr_size_t count, apr_pool_t *p,
                            rr_err_t *err, apr_size_t *pwhich);

/** A cutter without stages, which validates and passes everything on. */
rr_cut_t *rr_cut_create(apr_pool_t *p, rr_cut_sink_fn *sink, void *baton);

/**
 * Adds a stage behind those added before: it sees what they left. In it, retain comes before destroy.
 *
 * active has a byte for every group; NULL: all are on. Ownership: ops outlives cut; active is borrowed for the call.
 */
void rr_cut_add(rr_cut_t *cut, const rr_cut_ops_t *ops, const unsigned char *active);

/**
 * Takes the next bytes of the document.
 *
 * Errors: RR_EINVAL: not JSON, or past RR_MAX_DEPTH, RR_MAX_PATH or RR_MAX_CUT_HELD; err->text has the offset
 *         and no content. From then on every call fails.
 */
apr_status_t rr_cut_feed(rr_cut_t *cut, const char *data, apr_size_t len, rr_err_t *err);

/** The document ends here. Errors as rr_cut_feed's: it was not complete. */
apr_status_t rr_cut_end(rr_cut_t *cut, rr_err_t *err);

/** Makes ready for the next document; the counters go on. */
void rr_cut_reset(rr_cut_t *cut);

/** Values cut so far: members and elements, each with all that was in it. */
apr_uint64_t rr_cut_count(const rr_cut_t *cut);

#endif
