/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_seen.c: tokens whose signature was verified before.
 *
 * Sharded by the end of the token's signature, which is as good as random. A
 * shard has two books, a young one and the one before it, each with a bound. A
 * token that comes anew goes into the young one, and so does one that is found
 * in the other: when the young one is full it becomes the old one, and what
 * nobody asked for since the last time that happened is gone with the one
 * before. So tokens that come once, however many, push out one another and not
 * those in use.
 *
 * Both books together are a view; who is handed a token pins it. A book ends
 * with the last view that leads to it.
 *
 * Threads: any. What is found in the young book is found without a lock; one is
 *          taken to write, which is once a token and turn of the books.
 */
#include "rr_seen.h"

#include "rr.h"
#include "rr_secret.h"

#include <apr_thread_mutex.h>

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#define SHARDS 128
#define PAGES (RR_MAX_SEEN_TOKENS / SHARDS / 2) /* of a book */
#define SLOTS (2 * PAGES)                       /* of its table, so that a search ends */
#define BOOK_BYTES (RR_MAX_SEEN_BYTES / SHARDS / 2)

_Static_assert(RR_MAX_SEEN_TOKEN <= BOOK_BYTES, "a book has room for the longest token");

typedef struct page_t {
    rr_seen_token_t token; /* first: what is handed out is the page */
    apr_uint64_t mark;     /* of its text */
    apr_size_t size;
    struct page_t *next;   /* of the book */
} page_t;

typedef struct book_t {
    page_t *slots[SLOTS]; /* atomic; a page once there gives way only to a newer one of its token */
    page_t *pages;        /* all, and from here on the lock's */
    int count;
    apr_size_t bytes;
    int views;            /* that lead to it */
} book_t;

typedef struct view_t {
    book_t *young, *old; /* old: NULL in the first */
} view_t;

typedef struct shard_t {
    apr_thread_mutex_t *mutex;
    rr_place_t view; /* view_t */
} shard_t;

struct rr_seen_t {
    EVP_MD *sha256; /* fetched once: that alone costs more than digesting a short text */
    shard_t shards[SHARDS];
};

static void free_page(page_t *page)
{
    rr_secret_wipe((char *)page->token.text, page->token.len);
    free(page);
}

static void leave_book(book_t *book)
{
    page_t *page, *next;

    if (!book || --book->views) {
        return;
    }
    for (page = book->pages; page; page = next) {
        next = page->next;
        free_page(page);
    }
    free(book);
}

static void end_view(void *object)
{
    view_t *view = object;

    leave_book(view->young);
    leave_book(view->old);
    free(view);
}

static apr_status_t end(void *data)
{
    rr_seen_t *seen = data;
    int i;

    for (i = 0; i < SHARDS; i++) {
        rr_place_end(&seen->shards[i].view, end_view);
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

#define MARKED 16 /* bytes of a text that its mark is made of, the last ones: no signature is shorter */

/* Spreads what is random already; who chooses signatures to share a mark has a shard's room for them, and no more. */
static apr_uint64_t mark_of(const char *text, apr_size_t len)
{
    apr_uint64_t words[2];

    memcpy(words, text + len - MARKED, MARKED);
    return ((words[0] * 0x9e3779b97f4a7c15u) ^ words[1]) * 0xd6e8feb86659fd93u; /* Knuth's multiplier, and another */
}

static shard_t *shard_of(rr_seen_t *seen, apr_uint64_t mark)
{
    return &seen->shards[(mark >> 32) % SHARDS];
}

/* Every byte counts, and in the same time whatever they are: a mark only spares comparing what is different. */
static int is_of(const page_t *page, apr_uint64_t mark, const char *text, apr_size_t len)
{
    return page->mark == mark && rr_secret_equal(page->token.text, page->token.len, text, len);
}

/* The slot of the text's page, or the empty one where it would be; *ppage: the page, or NULL. */
static page_t **find_page(page_t **ppage, book_t *book, apr_uint64_t mark, const char *text, apr_size_t len)
{
    unsigned int i = (unsigned int)(mark >> 48);

    while ((*ppage = __atomic_load_n(&book->slots[i % SLOTS], __ATOMIC_ACQUIRE)) && !is_of(*ppage, mark, text, len)) {
        i++;
    }
    return &book->slots[i % SLOTS];
}

/* A copy of token in one block; NULL: too long, or out of memory. */
static page_t *copy(const rr_seen_token_t *token)
{
    apr_size_t proof_size = APR_ALIGN_DEFAULT(token->proof_len), claims_size = rr_json_packed_size(token->claims.all);
    apr_size_t size = sizeof(page_t) + proof_size + claims_size + token->len;
    page_t *page = size <= RR_MAX_SEEN_TOKEN ? malloc(size) : NULL;
    char *rest = (char *)(page + 1);

    if (!page) {
        return NULL;
    }
    page->token = *token;
    page->token.proof = memcpy(rest, token->proof, token->proof_len);
    rr_claims_find(&page->token.claims, rr_json_pack(rest + proof_size, claims_size, token->claims.all));
    page->token.text = memcpy(rest + proof_size + claims_size, token->text, token->len);
    page->mark = mark_of(token->text, token->len);
    page->size = size;
    return page;
}

/* Begins a young book before the one that was; NULL: out of memory. Under the lock. */
static book_t *turn_over(shard_t *shard, book_t *young)
{
    view_t *view = calloc(1, sizeof(*view));
    book_t *book = calloc(1, sizeof(*book));

    if (!view || !book) {
        free(view);
        free(book);
        return NULL;
    }
    *view = (view_t){ .young = book, .old = young };
    if (!rr_place_set(&shard->view, view)) {
        free(view);
        free(book);
        return NULL;
    }
    book->views = 1;
    if (young) {
        young->views++;
    }
    return book;
}

/* Takes over page. again: it is of the old book, and no news where the young one has one. Under the lock. */
static void write_page(shard_t *shard, page_t *page, int again)
{
    view_t *view = rr_place_current(&shard->view);
    book_t *book = view ? view->young : NULL;
    page_t **slot, *same;

    if (!book || book->count == PAGES || book->bytes + page->size > BOOK_BYTES) {
        book = turn_over(shard, book);
    }
    slot = book ? find_page(&same, book, page->mark, page->token.text, page->token.len) : NULL;
    if (!book || (again && same)) {
        free_page(page);
        return;
    }
    page->next = book->pages;
    book->pages = page;
    book->count++;
    book->bytes += page->size;
    __atomic_store_n(slot, page, __ATOMIC_RELEASE);
}

/* Remembers a copy of token. */
static void write_copy(shard_t *shard, const rr_seen_token_t *token, int again)
{
    page_t *page = copy(token);

    if (page) {
        apr_thread_mutex_lock(shard->mutex);
        write_page(shard, page, again);
        rr_place_sweep(&shard->view, end_view);
        apr_thread_mutex_unlock(shard->mutex);
    }
}

const rr_seen_token_t *rr_seen_get(apr_uint32_t **ppin, rr_seen_t *seen, const char *text, apr_size_t len, apr_time_t now)
{
    apr_uint64_t mark = len < MARKED ? 0 : mark_of(text, len);
    shard_t *shard = shard_of(seen, mark);
    view_t *view = len < MARKED ? NULL : rr_pin(&shard->view, ppin);
    page_t *page;
    int is_old = 0;

    if (!view) {
        return NULL;
    }
    find_page(&page, view->young, mark, text, len);
    if (!page && view->old) {
        find_page(&page, view->old, mark, text, len);
        is_old = page != NULL;
    }
    if (!page || page->token.expires <= now) {
        rr_unpin(*ppin);
        return NULL;
    }
    if (is_old) {
        write_copy(shard, &page->token, 1);
    }
    return &page->token;
}

void rr_seen_put(rr_seen_t *seen, const rr_seen_token_t *token, apr_time_t now)
{
    if (token->expires > now && token->len >= MARKED) {
        write_copy(shard_of(seen, mark_of(token->text, token->len)), token, 0);
    }
}

int rr_seen_count(rr_seen_t *seen, apr_size_t *pbytes)
{
    int i, count = 0;

    *pbytes = 0;
    for (i = 0; i < SHARDS; i++) {
        shard_t *shard = &seen->shards[i];
        const view_t *view;

        apr_thread_mutex_lock(shard->mutex);
        view = rr_place_current(&shard->view);
        if (view) {
            count += view->young->count + (view->old ? view->old->count : 0);
            *pbytes += view->young->bytes + (view->old ? view->old->bytes : 0);
        }
        apr_thread_mutex_unlock(shard->mutex);
    }
    return count;
}
