/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_require.c: `Require rr-jwt` and `Require rr-claim`.
 *
 * httpd asks a requirement before authentication too, several times, and for
 * subrequests: nothing is remembered between two calls, and without a user the
 * answer is that one is needed.
 *
 * A stored proxy may take several tokens. What has to be so is asked of the
 * first: then the lines of a <RequireAll> speak of one token, and none is met by
 * what another issuer says. What must not be so is asked of each.
 *
 * Result: granted only by a token that was verified for this request.
 */
#include "jwt.h"

#include <http_core.h>
#include <http_request.h>
#include <mod_auth.h>

#include <apr_strings.h>

#include <string.h>

/* `Require rr-jwt`, parsed: words of one kind are alternatives, the kinds add up. */
typedef struct jwt_line_t {
    apr_array_header_t *issuers; /* const char *: NAMEs; empty: any */
    apr_array_header_t *scopes;  /* const char *; empty: any */
    int is_negated;
} jwt_line_t;

/* A line read with the configuration, judged when all issuers are known. */
typedef struct noted_t {
    const jwt_line_t *line;
    const server_rec *server;
    const char *place;
} noted_t;

/* Written while the configuration is read and checked only. */
static const rr_core_t *core;
static apr_array_header_t *noted; /* noted_t */

void jwt_require_reset(apr_pool_t *pconf)
{
    core = NULL;
    noted = apr_array_make(pconf, 4, sizeof(noted_t));
}

static const char *unknown_issuer(const jwt_line_t *line, const server_rec *server, apr_pool_t *p)
{
    const jwt_server_t *conf = ap_get_module_config(server->module_config, &rr_jwt_module);
    int i;

    for (i = 0; i < line->issuers->nelts; i++) {
        const char *name = APR_ARRAY_IDX(line->issuers, i, const char *);

        if (!jwt_issuer_find(conf, name, 1)) {
            return apr_psprintf(p, "Require rr-jwt issuer %s: there is no RRJwtIssuer of that NAME; add it or correct "
                                "the name", name);
        }
    }
    return NULL;
}

const char *jwt_require_check(const rr_core_t *bound, apr_pool_t *p)
{
    int i;

    core = bound;
    for (i = 0; i < noted->nelts; i++) {
        const noted_t *one = &APR_ARRAY_IDX(noted, i, noted_t);
        const char *wrong = unknown_issuer(one->line, one->server, p);

        if (wrong) {
            return apr_psprintf(p, "%s (%s)", wrong, one->place);
        }
    }
    return NULL;
}

/* ---- rr-jwt ---- */

static const char *jwt_parse(cmd_parms *cmd, const char *text, const void **parsed)
{
    jwt_line_t *line = apr_palloc(cmd->pool, sizeof(*line));
    apr_array_header_t *kind = NULL;
    const char *keyword = NULL, *word;
    noted_t *one;

    line->is_negated = rr_glue_is_negated(cmd);
    line->issuers = apr_array_make(cmd->pool, 1, sizeof(const char *));
    line->scopes = apr_array_make(cmd->pool, 1, sizeof(const char *));
    while (*(word = ap_getword_conf(cmd->pool, &text))) {
        int is_issuer = strcmp(word, "issuer") == 0;

        if (is_issuer || strcmp(word, "scope") == 0) {
            if (kind && !kind->nelts) {
                break;
            }
            keyword = word;
            kind = is_issuer ? line->issuers : line->scopes;
        }
        else if (!kind) {
            return apr_psprintf(cmd->pool, "Require rr-jwt: \"%s\" is neither \"issuer\" nor \"scope\"; expected "
                                "rr-jwt [issuer NAME...] [scope SCOPE...]", word);
        }
        else {
            APR_ARRAY_PUSH(kind, const char *) = word;
        }
    }
    if (kind && !kind->nelts) {
        return apr_psprintf(cmd->pool, "Require rr-jwt: \"%s\" names nothing; expected rr-jwt [issuer NAME...] "
                            "[scope SCOPE...]", keyword);
    }
    *parsed = line;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_RUN_MPM) { /* .htaccess: the issuers are known already */
        return unknown_issuer(line, cmd->server, cmd->pool);
    }
    one = apr_array_push(noted);
    one->line = line;
    one->server = cmd->server;
    one->place = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    return NULL;
}

static int holds(const apr_array_header_t *words, const char *word)
{
    int i;

    for (i = 0; i < words->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(words, i, const char *), word) == 0) {
            return 1;
        }
    }
    return 0;
}

static int share_one(const apr_array_header_t *some, const apr_array_header_t *others)
{
    int i;

    for (i = 0; i < some->nelts; i++) {
        if (holds(others, APR_ARRAY_IDX(some, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

/* The next identity of a token from *pi on, of the first alone unless all count; NULL: no more. */
static const rr_identity_t *next_token(const rr_principal_t *who, int all, int *pi)
{
    const rr_identity_t *first = rr_principal_by_method(who, JWT_METHOD);

    while (*pi < who->count) {
        const rr_identity_t *identity = who->identities[(*pi)++];

        if (identity == first || (all && strcmp(identity->method, JWT_METHOD) == 0)) {
            return identity;
        }
    }
    return NULL;
}

/* Who asked with a token, or with several; NULL, with *pdenied set and noted what lacks, where there is none. */
static const rr_principal_t *token_holder(request_rec *r, int is_negated, authz_status *pdenied)
{
    const rr_principal_t *who = r->user ? core->principal_get(r) : NULL;

    *pdenied = r->user ? AUTHZ_DENIED : AUTHZ_DENIED_NO_USER;
    if (who && rr_principal_by_method(who, JWT_METHOD)) {
        return who;
    }
    if (!is_negated) {
        core->lack(r, RR_LACK_METHOD, JWT_METHOD);
    }
    return NULL;
}

static authz_status deny(request_rec *r, int is_negated, rr_lack_e what, const char *word)
{
    if (!is_negated) {
        core->lack(r, what, word);
    }
    return AUTHZ_DENIED;
}

static authz_status jwt_check(request_rec *r, const char *text, const void *parsed)
{
    const jwt_line_t *line = parsed;
    authz_status denied;
    const rr_principal_t *who = token_holder(r, line->is_negated, &denied);
    const rr_identity_t *token;
    int is_of_issuer = 0, i = 0;

    (void)text;
    if (!who) {
        return denied;
    }
    while ((token = next_token(who, line->is_negated, &i)) != NULL) {
        if (line->issuers->nelts && !(token->issuer_name && holds(line->issuers, token->issuer_name))) {
            continue;
        }
        is_of_issuer = 1;
        if (!line->scopes->nelts || share_one(line->scopes, token->scopes)) {
            return AUTHZ_GRANTED;
        }
    }
    return is_of_issuer ? deny(r, line->is_negated, RR_LACK_SCOPE, apr_array_pstrcat(r->pool, line->scopes, ' '))
                        : deny(r, line->is_negated, RR_LACK_OTHER, "issuer");
}

/* ---- rr-claim ---- */

/* YES where a token says so, else DOUBT where one may. */
static rr_match_e match_tokens(request_rec *r, const rr_principal_t *who, const void *parsed)
{
    rr_match_e match = RR_MATCH_NO;
    const rr_identity_t *token;
    int i = 0;

    while (match != RR_MATCH_YES && (token = next_token(who, rr_glue_path_regex_is_negated(parsed), &i)) != NULL) {
        rr_match_e one = rr_glue_path_regex_match(r, parsed, token->data);

        match = one == RR_MATCH_NO ? match : one;
    }
    return match;
}

static authz_status claim_check(request_rec *r, const char *text, const void *parsed)
{
    int is_negated = rr_glue_path_regex_is_negated(parsed);
    authz_status denied;
    const rr_principal_t *who = token_holder(r, is_negated, &denied);

    (void)text;
    if (!who) {
        return denied;
    }
    switch (match_tokens(r, who, parsed)) {
    case RR_MATCH_YES:
        return AUTHZ_GRANTED;
    case RR_MATCH_NO:
        return deny(r, is_negated, RR_LACK_OTHER, "claim");
    case RR_MATCH_DOUBT:
        break;
    }
    core->lack(r, RR_LACK_DOUBT, "claim");
    return AUTHZ_GENERAL_ERROR; /* unlike a denial, this holds in Require not and <RequireNone> */
}

static const authz_provider jwt_provider = { jwt_check, jwt_parse };
static const authz_provider claim_provider = { claim_check, rr_glue_path_regex_parse };

void jwt_require_register(apr_pool_t *p)
{
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-jwt", AUTHZ_PROVIDER_VERSION, &jwt_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, "rr-claim", AUTHZ_PROVIDER_VERSION, &claim_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}
