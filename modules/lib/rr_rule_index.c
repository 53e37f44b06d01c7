/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule_index.c: which rules of a set a request can match at all.
 *
 * A filter, never a judge. Each rule is filed under one *key*: something that
 * every request it matches shows. A request looks up what it shows and meets
 * those rules only. Keys are
 *   - nothing (the rule has no such thing: every request meets it),
 *   - the whole path, a literal the path begins with, or four bytes in a row
 *     of a literal that the path holds somewhere,
 *   - a header's or parameter's name, with its exact value, or with four bytes in a row that the value holds,
 * each together with the method or "any". Of all keys of a rule the one is
 * taken that fewest rules share, so that ten thousand rules with one prefix are
 * still told apart by what comes after it; where it makes little difference, the
 * one that is looked up once.
 *
 * The table is keyed by hashes alone: a collision adds a rule to test, no more.
 */
#include "rr_rule_private.h"

#include <apr_lib.h>

#include <string.h>

/* Kinds of key. */
enum {
    KEY_ALWAYS, KEY_PATH, KEY_PREFIX, KEY_GRAM, KEY_HEADER, KEY_HEADER_VALUE, KEY_HEADER_GRAM,
    KEY_QUERY, KEY_QUERY_VALUE, KEY_QUERY_GRAM, KEY_KINDS
};

#define GRAM 4
#define PREFIX_MAX 128 /* longer prefixes are filed under their first bytes */
#define CROWD 16       /* more rules than that under one key of a path: other keys are worth what they cost */
#define GRAM_COST 8    /* rules that may be met in vain before four bytes are looked up at every place of a path */
#define METHOD_ANY M_COUNT
#define SLOTS (M_COUNT + 1)

typedef struct {
    uint64_t hash; /* 0: free */
    uint32_t start, count;
} bucket_t;

struct rule_index_t {
    int rules;
    uint32_t *places; /* of all buckets, one after the other */
    bucket_t *buckets;
    uint64_t mask;                  /* buckets - 1 */
    unsigned slots[KEY_KINDS];      /* methods that occur under a kind of key: 1 << slot */
    uint64_t prefixes[PREFIX_MAX / 64]; /* lengths of prefix that occur */
    apr_size_t longest;                 /* of them */
    uint64_t names[KEY_KINDS];      /* a bit for each name of a header or parameter that occurs */
};

/* A key before its method: hash of kind and bytes. */
typedef struct {
    int kind;
    uint64_t hash;
    uint64_t name; /* bit of the name, headers and parameters */
    apr_size_t len;
} rule_key_t;

/* ---- hashing: FNV-1a, continued byte by byte so that one walk over a path gives all its prefixes ---- */

static uint64_t hash_start(int kind)
{
    return 14695981039346656037ull ^ ((uint64_t)kind << 56);
}

static uint64_t hash_byte(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 1099511628211ull;
}

static uint64_t hash_bytes(uint64_t hash, const char *bytes, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hash = hash_byte(hash, bytes[i]);
    }
    return hash;
}

static uint64_t hash_lower(uint64_t hash, const char *bytes, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hash = hash_byte(hash, apr_tolower(bytes[i]));
    }
    return hash;
}

/* Joins the method and spreads the bits; never 0, which marks a free bucket. */
static uint64_t hash_end(uint64_t hash, int slot)
{
    hash ^= (uint64_t)(slot + 1) << 48;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93ull;
    hash ^= hash >> 29;
    return hash ? hash : 1;
}

static uint64_t name_bit(uint64_t hash)
{
    return 1ull << (hash >> 58);
}

/* A gram is four bytes: mixing them is cheaper than hashing them. */
static uint64_t hash_gram(uint64_t hash, const char *bytes)
{
    uint32_t gram;

    memcpy(&gram, bytes, GRAM);
    return (hash ^ gram) * 1099511628211ull;
}

/* ---- keys of one rule ---- */

typedef void key_fn(void *baton, const rule_key_t *key);

/* A key for each gram of the literals that pattern cannot do without; key and start tell what it is a pattern of. */
static void keys_of_grams(const rr_pattern_t *pattern, rule_key_t key, uint64_t start, key_fn *each, void *baton)
{
    int count, i;
    const rr_span_t *runs = rr_pattern_required(pattern, &count);
    apr_size_t at;

    for (i = 0; i < count; i++) {
        for (at = 0; at + GRAM <= runs[i].len && at < PREFIX_MAX; at++) {
            key.hash = hash_gram(start, runs[i].bytes + at);
            each(baton, &key);
        }
    }
}

static void keys_of_path(const rr_rule_t *rule, key_fn *each, void *baton)
{
    const rr_pattern_t *pattern = rule->path->value;
    rr_span_t literal;
    rule_key_t key = { 0 };

    if (rr_pattern_options(pattern) & RR_PATTERN_CASELESS) {
        return;
    }
    if (rr_pattern_shape(pattern, &literal) == RR_PATTERN_EXACT) {
        key.kind = KEY_PATH;
        key.hash = hash_bytes(hash_start(KEY_PATH), literal.bytes, literal.len);
        each(baton, &key);
        return;
    }
    literal = rr_pattern_prefix(pattern);
    if (literal.len > 1) { /* every path begins with '/' */
        key.kind = KEY_PREFIX;
        key.len = literal.len < PREFIX_MAX ? literal.len : PREFIX_MAX - 1;
        key.hash = hash_bytes(hash_start(KEY_PREFIX), literal.bytes, key.len);
        each(baton, &key);
    }
    key.kind = KEY_GRAM;
    keys_of_grams(pattern, key, hash_start(KEY_GRAM), each, baton);
}

/* Only what a rule demands to be there, under a name without alternatives. */
static void keys_of_part(const rr_rule_t *rule, int part, key_fn *each, void *baton)
{
    const int kind = part == PART_HEADERS ? KEY_HEADER : KEY_QUERY;
    const int value_kind = part == PART_HEADERS ? KEY_HEADER_VALUE : KEY_QUERY_VALUE;
    int i;

    for (i = 0; i < rule->parts[part].count; i++) {
        const check_t *check = &rule->parts[part].checks[i];
        rr_span_t name, value;
        rule_key_t key = { kind };

        if (check->absent || rr_pattern_shape(check->name, &name) != RR_PATTERN_EXACT ||
            (part == PART_QUERY && (rr_pattern_options(check->name) & RR_PATTERN_CASELESS))) {
            continue;
        }
        key.hash = hash_bytes(hash_start(kind), name.bytes, name.len); /* a header's is lower case already */
        key.name = name_bit(key.hash);
        each(baton, &key);
        if (check->value && rr_pattern_shape(check->value, &value) == RR_PATTERN_EXACT &&
            !(rr_pattern_options(check->value) & RR_PATTERN_CASELESS)) {
            key.kind = value_kind;
            key.hash = hash_bytes(hash_byte(key.hash, '\0'), value.bytes, value.len);
            each(baton, &key);
        } else if (check->value && !(rr_pattern_options(check->value) & RR_PATTERN_CASELESS)) {
            const uint64_t start = hash_byte(key.hash, '\1');

            key.kind = part == PART_HEADERS ? KEY_HEADER_GRAM : KEY_QUERY_GRAM;
            keys_of_grams(check->value, key, start, each, baton);
        }
    }
}

/* Slots of METHOD_ANY and M_... under which a rule is filed, as a mask. */
static unsigned slots_of(const rr_rule_t *rule)
{
    unsigned mask = rule->methods_mask;

    if (!mask) {
        return 1u << METHOD_ANY;
    }
    if (rule->effect == RR_EFFECT_DENY && (mask & 1u << M_GET)) {
        mask |= 1u << M_HEAD;
    }
    return mask;
}

/* ---- making ---- */

/* How many rules share a key, counted in cells that keys may share: an estimate is enough to choose by. */
typedef struct {
    uint32_t *cells, *grams; /* apart: some grams are in nearly every rule */
    uint64_t mask;
    uint32_t least; /* what the best one costs, in rules met in vain */
    rule_key_t best;
} chooser_t;

static uint32_t *cell_of(const chooser_t *chooser, const rule_key_t *key)
{
    const int gram = key->kind == KEY_GRAM || key->kind == KEY_HEADER_GRAM || key->kind == KEY_QUERY_GRAM;

    return &(gram ? chooser->grams : chooser->cells)[hash_end(key->hash, METHOD_ANY) & chooser->mask];
}

static void count_key(void *baton, const rule_key_t *key)
{
    chooser_t *chooser = baton;

    ++*cell_of(chooser, key);
}

static void choose_key(void *baton, const rule_key_t *key)
{
    chooser_t *chooser = baton;
    const uint32_t cost = *cell_of(chooser, key) + (key->kind == KEY_GRAM ? GRAM_COST : 0);

    if (cost < chooser->least) {
        chooser->least = cost;
        chooser->best = *key;
    }
}

static void each_key(const rr_rule_t *rule, key_fn *path, key_fn *rest, void *baton)
{
    if (rule->path && !rule->path->absent) {
        keys_of_path(rule, path, baton);
    }
    if (rest) {
        keys_of_part(rule, PART_HEADERS, rest, baton);
        keys_of_part(rule, PART_QUERY, rest, baton);
    }
}

static rule_key_t key_of(const rr_rule_t *rule, chooser_t *chooser)
{
    memset(&chooser->best, 0, sizeof(chooser->best));
    chooser->best.hash = hash_start(KEY_ALWAYS);
    chooser->least = UINT32_MAX;
    each_key(rule, choose_key, NULL, chooser);
    if (chooser->least > CROWD) {
        each_key(rule, choose_key, choose_key, chooser);
    }
    return chooser->best;
}

static bucket_t *bucket_of(const rule_index_t *index, uint64_t hash)
{
    uint64_t at = hash & index->mask;

    while (index->buckets[at].hash && index->buckets[at].hash != hash) {
        at = (at + 1) & index->mask;
    }
    return &index->buckets[at];
}

static uint64_t power_above(uint64_t n)
{
    uint64_t power = 16;

    while (power < n) {
        power *= 2;
    }
    return power;
}

static void note_key(rule_index_t *index, const rule_key_t *key, unsigned slots)
{
    index->slots[key->kind] |= slots;
    index->names[key->kind] |= key->name;
    if (key->kind == KEY_PREFIX) {
        index->prefixes[key->len / 64] |= 1ull << (key->len % 64);
        index->longest = key->len > index->longest ? key->len : index->longest;
    }
}

/* Two rounds over all rules and their methods: buckets are sized, then filled. */
static void file_rules(rule_index_t *index, const rr_rule_t *const *rules, const rule_key_t *keys, apr_pool_t *p)
{
    uint32_t next = 0;
    int round, i, slot;

    for (round = 0; round < 2; round++) {
        for (i = 0; i < index->rules; i++) {
            const unsigned slots = slots_of(rules[i]);

            note_key(index, &keys[i], slots);
            for (slot = 0; slot < SLOTS; slot++) {
                const uint64_t hash = hash_end(keys[i].hash, slot);
                bucket_t *bucket;

                if (!(slots & 1u << slot)) {
                    continue;
                }
                bucket = bucket_of(index, hash);
                bucket->hash = hash;
                if (round == 1) {
                    index->places[bucket->start + --bucket->count] = (uint32_t)i;
                } else {
                    bucket->count++;
                    next++;
                }
            }
        }
        if (round == 0) {
            uint64_t at;

            index->places = apr_palloc(p, (next + 1) * sizeof(*index->places));
            for (at = 0, next = 0; at <= index->mask; at++) {
                index->buckets[at].start = next;
                next += index->buckets[at].count;
            }
        }
    }
}

/* Filling counted each bucket down to nothing; the next one's start tells how many it holds. */
static void restore_counts(rule_index_t *index, uint32_t total)
{
    uint64_t at;

    for (at = index->mask + 1; at-- > 0;) {
        index->buckets[at].count = total - index->buckets[at].start;
        total = index->buckets[at].start;
    }
}

const rule_index_t *rule_index_make(const rr_rule_t *const *rules, int count, apr_pool_t *p)
{
    rule_index_t *index = apr_pcalloc(p, sizeof(*index));
    chooser_t chooser = { NULL };
    apr_size_t entries = 0;
    apr_pool_t *ptemp;
    rule_key_t *keys;
    int i;

    apr_pool_create(&ptemp, p);
    index->rules = count;
    keys = apr_pcalloc(ptemp, (count + 1) * sizeof(*keys));
    chooser.mask = power_above((uint64_t)count * 16) - 1;
    chooser.cells = apr_pcalloc(ptemp, (chooser.mask + 1) * sizeof(*chooser.cells));
    chooser.grams = apr_pcalloc(ptemp, (chooser.mask + 1) * sizeof(*chooser.grams));
    for (i = 0; i < count; i++) {
        each_key(rules[i], count_key, count_key, &chooser);
    }
    for (i = 0; i < count; i++) {
        keys[i] = key_of(rules[i], &chooser);
        entries += __builtin_popcount(slots_of(rules[i]));
    }
    index->mask = power_above(entries * 2) - 1;
    index->buckets = apr_pcalloc(p, (index->mask + 1) * sizeof(*index->buckets));
    file_rules(index, rules, keys, p);
    restore_counts(index, (uint32_t)entries);
    apr_pool_destroy(ptemp);
    return index;
}

/* ---- finding ---- */

typedef struct {
    const rule_index_t *index;
    rr_facts_t *facts;
    unsigned slots; /* the request's methods and METHOD_ANY */
    unsigned char *seen; /* a bit a rule; NULL until one is found */
    void (*found)(void *baton, int place);
    void *baton;
} finder_t;

static void look_up(finder_t *finder, int kind, uint64_t hash)
{
    const rule_index_t *index = finder->index;
    unsigned slots = finder->slots & index->slots[kind];
    uint32_t i;

    for (; slots; slots &= slots - 1) {
        const bucket_t *bucket = bucket_of(index, hash_end(hash, __builtin_ctz(slots)));

        if (bucket->count && !finder->seen) {
            finder->seen = apr_pcalloc(finder->facts->p, index->rules / 8 + 1);
        }
        for (i = 0; i < bucket->count; i++) {
            const uint32_t place = index->places[bucket->start + i];

            if (!(finder->seen[place / 8] & 1u << place % 8)) {
                finder->seen[place / 8] |= 1u << place % 8;
                finder->found(finder->baton, (int)place);
            }
        }
    }
}

static void find_by_path(finder_t *finder)
{
    const rule_index_t *index = finder->index;
    const char *path = finder->facts->path;
    const apr_size_t len = rule_facts_lazy(finder->facts)->path_len;
    uint64_t hash = hash_start(KEY_PREFIX);
    apr_size_t i;

    if (index->slots[KEY_PATH] & finder->slots) {
        look_up(finder, KEY_PATH, hash_bytes(hash_start(KEY_PATH), path, len));
    }
    if (index->slots[KEY_PREFIX] & finder->slots) {
        for (i = 0; i < len && i < index->longest; i++) {
            hash = hash_byte(hash, path[i]);
            if (index->prefixes[(i + 1) / 64] & 1ull << (i + 1) % 64) {
                look_up(finder, KEY_PREFIX, hash);
            }
        }
    }
    if (index->slots[KEY_GRAM] & finder->slots) {
        for (i = 0; i + GRAM <= len; i++) {
            look_up(finder, KEY_GRAM, hash_gram(hash_start(KEY_GRAM), path + i));
        }
    }
}

static void find_by_value(finder_t *finder, int kind, uint64_t hash, const char *value, apr_size_t len)
{
    look_up(finder, kind, hash_bytes(hash_byte(hash, '\0'), value, len));
}

/* An element of a joined header is a part of it: its grams are there as well. */
static void find_by_grams(finder_t *finder, int kind, uint64_t start, const char *value, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i + GRAM <= len; i++) {
        look_up(finder, kind, hash_gram(start, value + i));
    }
}

/* A deny tests the elements of a joined header too. */
static void find_by_elements(finder_t *finder, uint64_t hash, const char *value, apr_size_t len)
{
    const char *at = value, *const end = value + len;

    while (at <= end) {
        const char *comma = memchr(at, ',', end - at);
        const char *stop = comma ? comma : end;

        while (at < stop && apr_isspace(*at)) {
            at++;
        }
        while (stop > at && apr_isspace(stop[-1])) {
            stop--;
        }
        find_by_value(finder, KEY_HEADER_VALUE, hash, at, stop - at);
        at = comma ? comma + 1 : end + 1;
    }
}

static void find_by_part(finder_t *finder, int part)
{
    const rule_index_t *index = finder->index;
    const int kind = part == PART_HEADERS ? KEY_HEADER : KEY_QUERY;
    const int value_kind = part == PART_HEADERS ? KEY_HEADER_VALUE : KEY_QUERY_VALUE;
    const int gram_kind = part == PART_HEADERS ? KEY_HEADER_GRAM : KEY_QUERY_GRAM;
    const fact_list_t *list;
    int i;

    if (!((index->slots[kind] | index->slots[value_kind] | index->slots[gram_kind]) & finder->slots)) {
        return;
    }
    list = rule_facts_list(finder->facts, part);
    for (i = 0; i < list->count; i++) {
        const fact_t *fact = &list->facts[i];
        const uint64_t hash = part == PART_HEADERS ? hash_lower(hash_start(kind), fact->name, fact->name_len)
                                                   : hash_bytes(hash_start(kind), fact->name, fact->name_len);

        if (index->names[kind] & name_bit(hash)) {
            look_up(finder, kind, hash);
        }
        if (index->names[gram_kind] & name_bit(hash)) {
            find_by_grams(finder, gram_kind, hash_byte(hash, '\1'), fact->value, fact->value_len);
        }
        if (index->names[value_kind] & name_bit(hash)) {
            find_by_value(finder, value_kind, hash, fact->value, fact->value_len);
            if (part == PART_HEADERS && memchr(fact->value, ',', fact->value_len)) {
                find_by_elements(finder, hash, fact->value, fact->value_len);
            }
        }
    }
}

void rule_index_find(const rule_index_t *index, rr_facts_t *facts, void (*found)(void *baton, int place), void *baton)
{
    finder_t finder = { index, facts, rule_facts_lazy(facts)->methods | 1u << METHOD_ANY, NULL, found, baton };

    look_up(&finder, KEY_ALWAYS, hash_start(KEY_ALWAYS));
    find_by_path(&finder);
    find_by_part(&finder, PART_HEADERS);
    find_by_part(&finder, PART_QUERY);
}
