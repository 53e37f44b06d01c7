/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_rule_private.h: what the files of rules share: a compiled rule, its
 * index, and facts worked out on demand.
 */
#ifndef RR_RULE_PRIVATE_H
#define RR_RULE_PRIVATE_H

#include "rr_rule.h"

#include <stdint.h>

/* Parts of a rule that are lists of checks, in the order they are tested: the dearer, the later. */
enum { PART_HEADERS, PART_QUERY, PART_TOKEN, PART_BODY, PART_COUNT };

/* Methods by number, so that a rule's are a mask; any other is M_OTHER and compared by name. */
enum { M_GET, M_HEAD, M_POST, M_PUT, M_PATCH, M_DELETE, M_OPTIONS, M_TRACE, M_CONNECT, M_OTHER, M_COUNT };

typedef struct {
    const rr_pattern_t *name;  /* of the header, parameter, claim or member; NULL: a path check, which has none */
    const rr_pattern_t *value; /* NULL: any value */
    const char *name_flags;    /* as written, "" for none */
    const char *value_flags;
    int absent; /* must_absent */
} check_t;

typedef struct {
    const check_t *checks;
    int count;
} part_t;

struct rr_rule_t {
    const char *id;
    const char *notes; /* NULL: none */
    rr_effect_e effect;
    int priority;
    int has_priority;
    const apr_array_header_t *methods; /* const char *, upper case; NULL: all */
    unsigned methods_mask;             /* 1 << M_...; 0: all */
    const check_t *path;               /* NULL: all */
    part_t parts[PART_COUNT];
};

typedef struct rule_index_t rule_index_t;

struct rr_ruleset_t {
    const rr_rule_t *const *rules;
    int count;
    int has_body; /* some rule has a body part */
    const apr_array_header_t *headers; /* see rr_ruleset_headers */
    const rule_index_t *index;
};

/* ---- facts ---- */

typedef struct {
    const char *name;
    apr_size_t name_len;
    const char *value; /* NULL: a container, which only a check without a value matches */
    apr_size_t value_len;
    int next;  /* the next fact of the same name, -1: none */
    int first; /* no earlier fact has its name */
} fact_t;

typedef struct {
    const fact_t *facts;
    int count;
    const char *doubt; /* not NULL: they cannot be told, and why */
} fact_list_t;

struct rr_facts_lazy_t {
    fact_list_t lists[PART_COUNT];
    int known[PART_COUNT];
    unsigned methods; /* 1 << M_... of method and overrides; 0: not worked out */
    apr_size_t path_len;
};

int rule_method_number(const char *method, apr_size_t len);

/** facts->lazy, made when first asked. */
rr_facts_lazy_t *rule_facts_lazy(rr_facts_t *facts);

/** One kind of facts, worked out when first asked. */
const fact_list_t *rule_facts_list(rr_facts_t *facts, int part);

/* ---- index ---- */

const rule_index_t *rule_index_make(const rr_rule_t *const *rules, int count, apr_pool_t *p);

/**
 * Calls found with the place of every rule that facts may match, each once, in no order.
 * A rule it spares does not match: found out by the test that compares the two.
 */
void rule_index_find(const rule_index_t *index, rr_facts_t *facts, void (*found)(void *baton, int place), void *baton);

#endif
