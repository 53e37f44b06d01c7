/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_cache.c: what was found under a digest, as long as one revision stands.
 *
 * Sharded by the digest, so that threads seldom meet. A shard keeps what it
 * found in a book, which has one generation, one pool and a bound; a request
 * that was handed a page pins the book until the request ends. When the
 * revision changes, or the book is full, a new book is begun.
 *
 * Digests that were not found have a table of their own, overwritten at will:
 * a flood of wrong keys pushes no right one out.
 *
 * Threads: any. A book's pool is used under its shard's lock; pages are never changed.
 */
#include "core_store_cache.h"

#include "rr_secret.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include <string.h>

#define SHARDS 32
#define PAGES 512    /* of one book */
#define SLOTS 1024   /* of its table; a power of two above PAGES */
#define MISSES 128   /* digests not found that a shard remembers */
#define DIGEST_LEN 32

typedef struct {
    unsigned char digest[DIGEST_LEN];
    apr_status_t status;
    rr_credential_t *credential;
    apr_uint32_t noted;
} page_t;

typedef struct {
    apr_pool_t *p;
    apr_uint32_t pins; /* the shard's own and one a request; atomic */
    apr_uint64_t generation;
    int count;
    page_t *slots[SLOTS];
} book_t;

typedef struct {
    unsigned char digest[DIGEST_LEN];
    apr_uint64_t generation; /* 0: empty */
} miss_t;

typedef struct {
    apr_thread_mutex_t *mutex;
    book_t *book; /* NULL: none yet */
    miss_t misses[MISSES];
} shard_t;

struct core_cache_t {
    shard_t shards[SHARDS];
};

core_cache_t *core_cache_make(apr_pool_t *p)
{
    core_cache_t *cache = apr_pcalloc(p, sizeof(*cache));
    int i;

    for (i = 0; i < SHARDS; i++) {
        if (apr_thread_mutex_create(&cache->shards[i].mutex, APR_THREAD_MUTEX_DEFAULT, p) != APR_SUCCESS) {
            return NULL;
        }
    }
    return cache;
}

/* Bytes of a keyed hash: evenly spread, and nobody's to choose. */
static shard_t *shard_of(core_cache_t *cache, const unsigned char *digest)
{
    return &cache->shards[digest[0] % SHARDS];
}

static unsigned slot_of(const unsigned char *digest)
{
    return (unsigned)(digest[1] | digest[2] << 8);
}

static int same(const unsigned char *a, const unsigned char *b)
{
    return rr_secret_equal(a, DIGEST_LEN, b, DIGEST_LEN);
}

static apr_status_t unpin(void *data)
{
    book_t *book = data;

    if (__atomic_sub_fetch(&book->pins, 1, __ATOMIC_ACQ_REL) == 0) {
        apr_pool_destroy(book->p);
    }
    return APR_SUCCESS;
}

static book_t *open_book(apr_uint64_t generation)
{
    apr_allocator_t *allocator;
    book_t *book;
    apr_pool_t *p;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_pool_create_unmanaged_ex(&p, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, p);
    book = apr_pcalloc(p, sizeof(*book));
    book->p = p;
    book->pins = 1;
    book->generation = generation;
    return book;
}

/* The page of digest, or where it would be. */
static page_t **find_page(book_t *book, const unsigned char *digest)
{
    unsigned i = slot_of(digest);

    while (book->slots[i % SLOTS] && !same(book->slots[i % SLOTS]->digest, digest)) {
        i++;
    }
    return &book->slots[i % SLOTS];
}

/* Under the lock: hands a page out, which a credential keeps for as long as p. */
static void show(core_found_t *found, book_t *book, page_t *page, apr_pool_t *p)
{
    found->generation = book->generation;
    found->status = page->status;
    found->credential = page->credential;
    if (page->credential) {
        found->noted = &page->noted;
        __atomic_add_fetch(&book->pins, 1, __ATOMIC_ACQ_REL);
        apr_pool_cleanup_register(p, book, unpin, apr_pool_cleanup_null);
    }
}

int core_cache_get(core_found_t *found, core_cache_t *cache, const unsigned char digest[32], apr_pool_t *p)
{
    shard_t *shard = shard_of(cache, digest);
    const miss_t *miss = &shard->misses[slot_of(digest) % MISSES];
    page_t *page;
    int hit = 0;

    memset(found, 0, sizeof(*found));
    apr_thread_mutex_lock(shard->mutex);
    page = shard->book ? *find_page(shard->book, digest) : NULL;
    if (page) {
        show(found, shard->book, page, p);
        hit = 1;
    }
    else if (miss->generation && same(miss->digest, digest)) {
        found->generation = miss->generation;
        found->status = APR_NOTFOUND;
        hit = 1;
    }
    apr_thread_mutex_unlock(shard->mutex);
    return hit;
}

static rr_credential_t *copy_credential(const rr_credential_t *from, apr_pool_t *p)
{
    rr_credential_t *to = apr_pmemdup(p, from, sizeof(*from));
    apr_array_header_t *scopes = apr_array_make(p, from->scopes->nelts, sizeof(const char *));
    int i;

    to->id = apr_pstrdup(p, from->id);
    to->client = apr_pstrdup(p, from->client);
    to->name = apr_pstrdup(p, from->name);
    to->key_id = apr_pstrdup(p, from->key_id);
    to->hint = apr_pstrdup(p, from->hint);
    for (i = 0; i < from->scopes->nelts; i++) {
        APR_ARRAY_PUSH(scopes, const char *) = apr_pstrdup(p, APR_ARRAY_IDX(from->scopes, i, const char *));
    }
    to->scopes = scopes;
    if (from->metadata) {
        const char *text = rr_json_print(p, from->metadata);

        if (rr_json_parse(&to->metadata, text, strlen(text), p, NULL) != APR_SUCCESS) {
            return NULL; /* printed by the same library: not to be expected, and then not remembered */
        }
    }
    return to;
}

/* Under the lock: a book of that generation with room. */
static book_t *writable(shard_t *shard, apr_uint64_t generation)
{
    if (shard->book && (shard->book->generation != generation || shard->book->count == PAGES)) {
        unpin(shard->book);
        shard->book = NULL;
    }
    if (!shard->book) {
        shard->book = open_book(generation);
    }
    return shard->book;
}

void core_cache_put(core_cache_t *cache, const unsigned char digest[32], core_found_t *found, apr_pool_t *p)
{
    shard_t *shard = shard_of(cache, digest);
    rr_credential_t *credential = NULL;
    page_t **place, *page;
    book_t *book;

    apr_thread_mutex_lock(shard->mutex);
    if (found->status == APR_NOTFOUND) {
        miss_t *miss = &shard->misses[slot_of(digest) % MISSES];

        memcpy(miss->digest, digest, DIGEST_LEN);
        miss->generation = found->generation;
    }
    else if ((book = writable(shard, found->generation)) != NULL) {
        place = find_page(book, digest);
        if (!*place && (!found->credential || (credential = copy_credential(found->credential, book->p)) != NULL)) {
            page = apr_pcalloc(book->p, sizeof(*page));
            memcpy(page->digest, digest, DIGEST_LEN);
            page->status = found->status;
            page->credential = credential;
            *place = page;
            book->count++;
        }
        if (*place) {
            show(found, book, *place, p);
        }
    }
    apr_thread_mutex_unlock(shard->mutex);
}
