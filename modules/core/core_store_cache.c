/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_store_cache.c: what was found under a digest, as long as one revision stands.
 *
 * Sharded by the digest. A shard keeps what it found in a book, which has one
 * generation, one pool and a bound; a request that was handed a page pins the
 * book until the request ends. When the revision changes, or the book is full,
 * a new book is begun.
 *
 * Digests that were not found have a table of their own, overwritten at will:
 * a flood of wrong keys pushes no right one out.
 *
 * Threads: any. A page that is in its book is read without a lock and never
 *          changed; a book is written to, and its pool used, under its shard's lock.
 */
#include "core_store_cache.h"
#include "rr_pin.h"

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
    apr_uint64_t generation;
    int count;
    page_t *slots[SLOTS]; /* atomic; a page once there stays */
} book_t;

typedef struct {
    unsigned char digest[DIGEST_LEN];
    apr_uint64_t generation; /* 0: empty */
} miss_t;

typedef struct {
    apr_thread_mutex_t *mutex;
    rr_place_t book; /* book_t */
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

/* In the same time whatever they are. */
static int same(const unsigned char *a, const unsigned char *b)
{
    apr_uint64_t left[DIGEST_LEN / 8], right[DIGEST_LEN / 8];

    memcpy(left, a, DIGEST_LEN);
    memcpy(right, b, DIGEST_LEN);
    return !((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2]) | (left[3] ^ right[3]));
}

static void close_book(void *book)
{
    apr_pool_destroy(((book_t *)book)->p);
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
    book->generation = generation;
    return book;
}

/* The place of digest's page, or where it would be; *ppage: the page, or NULL. */
static page_t **find_page(page_t **ppage, book_t *book, const unsigned char *digest)
{
    unsigned i = slot_of(digest);

    while ((*ppage = __atomic_load_n(&book->slots[i % SLOTS], __ATOMIC_ACQUIRE)) && !same((*ppage)->digest, digest)) {
        i++;
    }
    return &book->slots[i % SLOTS];
}

/* Hands out a page of the book that pin holds; a credential keeps it for as long as p. */
static void show(core_found_t *found, const book_t *book, page_t *page, apr_uint32_t *pin, apr_pool_t *p)
{
    found->generation = book->generation;
    found->status = page->status;
    found->credential = page->credential;
    if (page->credential) {
        found->noted = &page->noted;
        apr_pool_cleanup_register(p, pin, rr_unpin, apr_pool_cleanup_null);
    }
    else {
        rr_unpin(pin);
    }
}

static int get_page(core_found_t *found, shard_t *shard, const unsigned char *digest, apr_pool_t *p)
{
    apr_uint32_t *pin;
    book_t *book = rr_pin(&shard->book, &pin);
    page_t *page;

    if (!book) {
        return 0;
    }
    find_page(&page, book, digest);
    if (!page) {
        rr_unpin(pin);
        return 0;
    }
    show(found, book, page, pin, p);
    return 1;
}

int core_cache_get(core_found_t *found, core_cache_t *cache, const unsigned char digest[32], apr_pool_t *p)
{
    memset(found, 0, sizeof(*found));
    return get_page(found, shard_of(cache, digest), digest, p);
}

int core_cache_get_miss(core_found_t *found, core_cache_t *cache, const unsigned char digest[32])
{
    shard_t *shard = shard_of(cache, digest);
    const miss_t *miss = &shard->misses[slot_of(digest) % MISSES];
    int hit;

    memset(found, 0, sizeof(*found));
    apr_thread_mutex_lock(shard->mutex);
    hit = miss->generation && same(miss->digest, digest);
    if (hit) {
        found->generation = miss->generation;
        found->status = APR_NOTFOUND;
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
    to->full_name = apr_pstrdup(p, from->full_name);
    to->key_id = apr_pstrdup(p, from->key_id);
    to->hint = apr_pstrdup(p, from->hint);
    to->sub = apr_pstrdup(p, from->sub);
    to->scope = apr_pstrdup(p, from->scope);
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

/* Under the lock: a book of that generation with room, pinned; NULL where memory fails. */
static book_t *writable(apr_uint32_t **pin, shard_t *shard, apr_uint64_t generation)
{
    book_t *book = rr_pin(&shard->book, pin);

    if (book && book->generation == generation && book->count < PAGES) {
        return book;
    }
    if (book) {
        rr_unpin(*pin);
    }
    book = open_book(generation);
    if (book && !rr_place_set(&shard->book, book)) {
        close_book(book);
        return NULL;
    }
    rr_place_sweep(&shard->book, close_book);
    return book ? rr_pin(&shard->book, pin) : NULL;
}

/* Under the lock. */
static void put_page(core_found_t *found, shard_t *shard, const unsigned char *digest, apr_pool_t *p)
{
    apr_uint32_t *pin;
    book_t *book = writable(&pin, shard, found->generation);
    rr_credential_t *credential = NULL;
    page_t **place, *page;

    if (!book) {
        return;
    }
    place = find_page(&page, book, digest);
    if (!page && (!found->credential || (credential = copy_credential(found->credential, book->p)) != NULL)) {
        page = apr_pcalloc(book->p, sizeof(*page));
        memcpy(page->digest, digest, DIGEST_LEN);
        page->status = found->status;
        page->credential = credential;
        __atomic_store_n(place, page, __ATOMIC_RELEASE);
        book->count++;
    }
    if (page) {
        show(found, book, page, pin, p);
    }
    else {
        rr_unpin(pin);
    }
}

void core_cache_put(core_cache_t *cache, const unsigned char digest[32], core_found_t *found, apr_pool_t *p)
{
    shard_t *shard = shard_of(cache, digest);

    apr_thread_mutex_lock(shard->mutex);
    if (found->status == APR_NOTFOUND) {
        miss_t *miss = &shard->misses[slot_of(digest) % MISSES];

        memcpy(miss->digest, digest, DIGEST_LEN);
        miss->generation = found->generation;
    }
    else {
        put_page(found, shard, digest, p);
    }
    apr_thread_mutex_unlock(shard->mutex);
}

void core_cache_trim(core_cache_t *cache)
{
    int i;

    for (i = 0; i < SHARDS; i++) {
        apr_thread_mutex_lock(cache->shards[i].mutex);
        rr_place_sweep(&cache->shards[i].book, close_book);
        apr_thread_mutex_unlock(cache->shards[i].mutex);
    }
}
