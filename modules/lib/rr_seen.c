/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_seen.c: tokens whose signature was verified before.
 *
 * Sharded by the signing input's digest, so that threads seldom meet. A shard has a
 * fixed number of places and bytes; where it is full, a hand goes round its
 * places like a clock's and takes the first that nobody asked for since it last
 * came by. So tokens that come once, however many, push out one another and not
 * those in use.
 *
 * A token is one block of memory with a count of its holders. It is freed by
 * whoever lets go of it last, outside the lock.
 *
 * Threads: any.
 */
#include "rr_seen.h"

#include "rr.h"
#include "rr_secret.h"

#include <apr_thread_mutex.h>

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#define SHARDS 128
#define PLACES (RR_MAX_SEEN_TOKENS / SHARDS)
#define SHARD_BYTES (RR_MAX_SEEN_BYTES / SHARDS)

_Static_assert(RR_MAX_SEEN_TOKEN <= SHARD_BYTES, "a shard has room for the longest token");

typedef struct entry_t {
    rr_seen_token_t token; /* first: what is handed out is the entry */
    apr_size_t size;
    apr_uint32_t holders; /* the shard's place and one a get; atomic */
} entry_t;

typedef struct shard_t {
    apr_thread_mutex_t *mutex;
    apr_uint64_t tags[PLACES]; /* of the digests: side by side, so that few entries are looked at */
    entry_t *entries[PLACES];  /* NULL: free */
    char asked[PLACES];        /* since the hand last came by */
    unsigned int hand;
    apr_size_t bytes;
} shard_t;

struct rr_seen_t {
    EVP_MD *sha256; /* fetched once: that alone costs more than digesting a short text */
    shard_t shards[SHARDS];
};

static apr_status_t end(void *data)
{
    rr_seen_t *seen = data;
    int i, k;

    for (i = 0; i < SHARDS; i++) {
        for (k = 0; k < PLACES; k++) {
            if (seen->shards[i].entries[k]) {
                rr_seen_release(&seen->shards[i].entries[k]->token);
            }
        }
    }
    EVP_MD_free(seen->sha256);
    return APR_SUCCESS;
}

rr_seen_t *rr_seen_make(apr_pool_t *p)
{
    rr_seen_t *seen = apr_pcalloc(p, sizeof(*seen));
    int i;

    for (i = 0; i < SHARDS; i++) {
        if (apr_thread_mutex_create(&seen->shards[i].mutex, APR_THREAD_MUTEX_DEFAULT, p) != APR_SUCCESS) {
            return NULL;
        }
    }
    seen->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!seen->sha256) {
        return NULL;
    }
    apr_pool_cleanup_register(p, seen, end, apr_pool_cleanup_null);
    return seen;
}

int rr_seen_digest(unsigned char digest[RR_SEEN_DIGEST], const rr_seen_t *seen, const char *text, apr_size_t len)
{
    return EVP_Digest(text, len, digest, NULL, seen->sha256, NULL) == 1;
}

static shard_t *shard_of(rr_seen_t *seen, const unsigned char *digest)
{
    return &seen->shards[digest[0] % SHARDS];
}

static apr_uint64_t tag_of(const unsigned char *digest)
{
    apr_uint64_t tag;

    memcpy(&tag, digest + 1, sizeof(tag));
    return tag;
}

static int is_of(const rr_seen_token_t *token, const unsigned char *input, const char *signature, apr_size_t signature_len)
{
    return rr_secret_equal(token->input, RR_SEEN_DIGEST, input, RR_SEEN_DIGEST)
           && rr_secret_equal(token->signature, token->signature_len, signature, signature_len);
}

/* The token's place; -1: it has none. Under the lock. */
static int find(const shard_t *shard, const unsigned char *input, const char *signature, apr_size_t signature_len)
{
    apr_uint64_t tag = tag_of(input);
    int i;

    for (i = 0; i < PLACES; i++) {
        if (shard->tags[i] == tag && shard->entries[i]
            && is_of(&shard->entries[i]->token, input, signature, signature_len)) {
            return i;
        }
    }
    return -1;
}

/* Frees a place; the entry's hold is the caller's now. Under the lock. */
static entry_t *take_out(shard_t *shard, int i)
{
    entry_t *entry = shard->entries[i];

    shard->entries[i] = NULL;
    shard->tags[i] = 0;
    shard->bytes -= entry->size;
    return entry;
}

const rr_seen_token_t *rr_seen_get(rr_seen_t *seen, const unsigned char input[RR_SEEN_DIGEST], const char *signature,
                                   apr_size_t signature_len, apr_time_t now)
{
    shard_t *shard = shard_of(seen, input);
    entry_t *found = NULL, *old = NULL;
    int i;

    apr_thread_mutex_lock(shard->mutex);
    i = find(shard, input, signature, signature_len);
    if (i >= 0 && shard->entries[i]->token.expires <= now) {
        old = take_out(shard, i);
    }
    else if (i >= 0) {
        found = shard->entries[i];
        shard->asked[i] = 1;
        __atomic_add_fetch(&found->holders, 1, __ATOMIC_RELAXED); /* the shard's own hold keeps it meanwhile */
    }
    apr_thread_mutex_unlock(shard->mutex);
    if (old) {
        rr_seen_release(&old->token);
    }
    return found ? &found->token : NULL;
}

void rr_seen_release(const rr_seen_token_t *token)
{
    entry_t *entry = (entry_t *)token;

    if (__atomic_sub_fetch(&entry->holders, 1, __ATOMIC_ACQ_REL) == 0) {
        rr_secret_wipe((char *)entry->token.signature, entry->token.signature_len);
        free(entry);
    }
}

/* A copy of token in one block; NULL: too long, or out of memory. */
static entry_t *copy(const rr_seen_token_t *token)
{
    apr_size_t proof_size = APR_ALIGN_DEFAULT(token->proof_len), claims_size = rr_json_packed_size(token->claims.all);
    apr_size_t size = sizeof(entry_t) + proof_size + claims_size + token->signature_len;
    entry_t *entry = size <= RR_MAX_SEEN_TOKEN ? malloc(size) : NULL;
    char *rest = (char *)(entry + 1);

    if (!entry) {
        return NULL;
    }
    entry->token = *token;
    entry->token.proof = memcpy(rest, token->proof, token->proof_len);
    rr_claims_find(&entry->token.claims, rr_json_pack(rest + proof_size, token->claims.all));
    entry->token.signature = memcpy(rest + proof_size + claims_size, token->signature, token->signature_len);
    entry->size = size;
    entry->holders = 1;
    return entry;
}

/* The place whose turn it is to make room. Under the lock; some place is taken. */
static int choose(shard_t *shard, apr_time_t now)
{
    for (;;) {
        int i = (int)(shard->hand++ % PLACES);

        if (shard->entries[i] && (!shard->asked[i] || shard->entries[i]->token.expires <= now)) {
            return i;
        }
        shard->asked[i] = 0; /* so that the second round ends */
    }
}

static int free_place(const shard_t *shard)
{
    int i;

    for (i = 0; i < PLACES && shard->entries[i]; i++) {
    }
    return i < PLACES ? i : -1;
}

void rr_seen_put(rr_seen_t *seen, const rr_seen_token_t *token, apr_time_t now)
{
    shard_t *shard = shard_of(seen, token->input);
    entry_t *entry = token->expires > now ? copy(token) : NULL;
    entry_t *old[PLACES + 1];
    int i, count = 0, was_asked = 0;

    if (!entry) {
        return;
    }
    apr_thread_mutex_lock(shard->mutex);
    i = find(shard, token->input, token->signature, token->signature_len);
    if (i >= 0) {
        was_asked = shard->asked[i];
        old[count++] = take_out(shard, i);
    }
    while (free_place(shard) < 0 || shard->bytes + entry->size > SHARD_BYTES) {
        old[count++] = take_out(shard, choose(shard, now));
    }
    i = free_place(shard);
    shard->entries[i] = entry;
    shard->tags[i] = tag_of(token->input);
    shard->asked[i] = (char)was_asked;
    shard->bytes += entry->size;
    apr_thread_mutex_unlock(shard->mutex);
    while (count) {
        rr_seen_release(&old[--count]->token);
    }
}

int rr_seen_count(rr_seen_t *seen, apr_size_t *pbytes)
{
    int i, k, count = 0;

    *pbytes = 0;
    for (i = 0; i < SHARDS; i++) {
        shard_t *shard = &seen->shards[i];

        apr_thread_mutex_lock(shard->mutex);
        for (k = 0; k < PLACES; k++) {
            count += shard->entries[k] != NULL;
        }
        *pbytes += shard->bytes;
        apr_thread_mutex_unlock(shard->mutex);
    }
    return count;
}
