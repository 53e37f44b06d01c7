/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_digests.c: a small set of keys' digests, which knows for certain what is not in it.
 *
 * A Bloom filter in blocks of one cache line (Putze, Sanders, Singler, Cache-,
 * Hash- and Space-Efficient Bloom Filters, 2007): a digest chooses a line, and
 * one bit in each of its eight words. With 32 digests a line two bits in five
 * are set, and eight of them by chance in one of a thousand cases, lines that
 * are fuller than others included.
 *
 * A digest is a keyed hash, so that its own bytes serve as hashes, and nobody
 * without the pepper can look for keys that it takes for known ones.
 */
#include "rr_digests.h"
#include "rr.h"

#include <stdlib.h>
#include <string.h>

#define WORDS 8 /* of a line */
#define LINE_SIZE (WORDS * sizeof(apr_uint64_t))
#define PER_LINE 32 /* digests, on average */

typedef struct {
    apr_uint64_t words[WORDS];
} line_t;

struct rr_digests_t {
    line_t *lines;
    apr_uint32_t line_count;
    apr_int64_t room, count;
};

rr_digests_t *rr_digests_make(apr_int64_t count)
{
    rr_digests_t *digests;

    if (count < 0 || count > RR_MAX_DIGESTS || !(digests = calloc(1, sizeof(*digests)))) {
        return NULL;
    }
    digests->room = count;
    digests->line_count = (apr_uint32_t)(count / PER_LINE) + 1;
    digests->lines = aligned_alloc(LINE_SIZE, digests->line_count * LINE_SIZE);
    if (!digests->lines) {
        free(digests);
        return NULL;
    }
    memset(digests->lines, 0, digests->line_count * LINE_SIZE);
    return digests;
}

void rr_digests_free(void *data)
{
    rr_digests_t *digests = data;

    if (digests) {
        free(digests->lines);
        free(digests);
    }
}

static line_t *line_of(const rr_digests_t *digests, const unsigned char *digest)
{
    apr_uint32_t where;

    memcpy(&where, digest, sizeof(where));
    return &digests->lines[(apr_uint64_t)where * digests->line_count >> 32];
}

/* Six bits of the digest for each word, of others than those that chose the line. */
static apr_uint64_t bit_of(const unsigned char *digest, int word)
{
    apr_uint64_t bits;

    memcpy(&bits, digest + sizeof(apr_uint64_t), sizeof(bits));
    return (apr_uint64_t)1 << (bits >> 6 * word & 63);
}

int rr_digests_add(rr_digests_t *digests, const unsigned char digest[RR_KEY_DIGEST_LEN])
{
    line_t *line = line_of(digests, digest);
    int i;

    if (digests->count == digests->room) {
        return 0;
    }
    for (i = 0; i < WORDS; i++) {
        line->words[i] |= bit_of(digest, i);
    }
    digests->count++;
    return 1;
}

int rr_digests_may_have(const rr_digests_t *digests, const unsigned char digest[RR_KEY_DIGEST_LEN])
{
    const line_t *line = line_of(digests, digest);
    apr_uint64_t missing = 0;
    int i;

    for (i = 0; i < WORDS; i++) {
        missing |= ~line->words[i] & bit_of(digest, i);
    }
    return !missing;
}

apr_int64_t rr_digests_count(const rr_digests_t *digests)
{
    return digests->count;
}

apr_size_t rr_digests_size(const rr_digests_t *digests)
{
    return sizeof(*digests) + digests->line_count * LINE_SIZE;
}
