/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_issuer.c: what an operator trusts: RRJwtIssuer lines, one by one as they
 * are read, and together when all are known.
 *
 * Nothing has a lax default: who accepts any audience has to write so, and a
 * shared secret never meets an asymmetric key.
 */
#include "jwt.h"

#include "rr_fetch.h"
#include "rr_file.h"
#include "rr_secret.h"

#include <http_core.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

#define MOST_ISSUER 1024 /* bytes of an iss */
#define MOST_LEEWAY apr_time_from_sec(600)

/* One option=VALUE of the line; a returned text says what would be right. */
typedef const char *option_fn(jwt_issuer_t *issuer, const char *value, apr_pool_t *p);

static const char *set_jwks(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    rr_err_t err = RR_ERR_INIT;

    if (strncmp(value, "file:", 5) == 0) {
        issuer->jwks_file = ap_server_root_relative(p, value + 5);
        return issuer->jwks_file && value[5] ? NULL : "expected file:PATH";
    }
    if (rr_fetch_check_url(value, &err) != APR_SUCCESS) {
        return apr_psprintf(p, "%s, or file:PATH", rr_err_text(&err));
    }
    issuer->jwks_url = value;
    return NULL;
}

static const char *set_secret(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    if (strncmp(value, "file:", 5) != 0 || !value[5]
        || !(issuer->secret_file = ap_server_root_relative(p, value + 5))) {
        return "expected file:PATH; the secret itself does not stand in the configuration";
    }
    return NULL;
}

static const char *set_audience(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    apr_array_header_t *all = (apr_array_header_t *)issuer->policy.audiences;
    char *rest = apr_pstrdup(p, value);
    const char *one;

    if (!all) {
        issuer->policy.audiences = all = apr_array_make(p, 2, sizeof(const char *));
    }
    while ((one = strsep(&rest, ",")) != NULL) {
        if (!*one) {
            return "expected audience=NAME[,NAME...] without empty names";
        }
        if (strcmp(one, "any") == 0) {
            issuer->any_audience = 1;
            continue;
        }
        if (all->nelts >= RR_MAX_AUDIENCES) {
            return apr_psprintf(p, "at most %d audiences may be named", RR_MAX_AUDIENCES);
        }
        APR_ARRAY_PUSH(all, const char *) = one;
    }
    return issuer->any_audience && all->nelts ? "audience=any stands alone; leave out either it or the names" : NULL;
}

static const char *set_algorithms(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    char *rest = apr_pstrdup(p, value);
    const char *one;

    while ((one = strsep(&rest, ", ")) != NULL) {
        rr_alg_e alg = rr_alg_parse(one, strlen(one));

        if (alg == RR_ALG_NONE) {
            return apr_psprintf(p, "expected some of %s, separated by commas or blanks",
                                rr_alg_names(p, RR_ALGS_ASYMMETRIC | RR_ALGS_SYMMETRIC));
        }
        issuer->algs |= alg;
    }
    return NULL;
}

static const char *set_leeway(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    (void)p;
    if (rr_conf_duration(&issuer->policy.leeway, value) != APR_SUCCESS || issuer->policy.leeway < 0
        || issuer->policy.leeway > MOST_LEEWAY) {
        return "expected a duration of 0 to 10mi, such as 60s";
    }
    return NULL;
}

static const char *set_max_lifetime(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    (void)p;
    if (rr_conf_duration(&issuer->policy.max_lifetime, value) != APR_SUCCESS
        || issuer->policy.max_lifetime < apr_time_from_sec(1)) {
        return "expected a duration of at least 1s, such as 1h";
    }
    return NULL;
}

static const char *set_sub_claim(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    (void)p;
    issuer->policy.sub_claim = value;
    return *value ? NULL : "expected a claim, such as email";
}

static const char *set_scope_claim(jwt_issuer_t *issuer, const char *value, apr_pool_t *p)
{
    (void)p;
    issuer->scope_claim = value;
    return *value ? NULL : "expected a claim, such as permissions";
}

static const struct {
    const char *name;
    option_fn *set;
    int again; /* may be given more than once */
} options[] = {
    { "jwks", set_jwks, 0 },
    { "audience", set_audience, 1 },
    { "algorithms", set_algorithms, 0 },
    { "leeway", set_leeway, 0 },
    { "max-lifetime", set_max_lifetime, 0 },
    { "secret", set_secret, 0 },
    { "sub-claim", set_sub_claim, 0 },
    { "scope-claim", set_scope_claim, 0 },
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

static const char *set_option(jwt_issuer_t *issuer, const char *text, unsigned int *pseen, apr_pool_t *p)
{
    const char *equals = strchr(text, '=');
    const char *wrong;
    apr_size_t i;

    for (i = 0; equals && i < OPTIONS; i++) {
        if (strlen(options[i].name) != (apr_size_t)(equals - text)
            || strncmp(options[i].name, text, (apr_size_t)(equals - text)) != 0) {
            continue;
        }
        if (*pseen & (1u << i) && !options[i].again) {
            return apr_psprintf(p, "%s= is given twice; leave one", options[i].name);
        }
        *pseen |= 1u << i;
        wrong = options[i].set(issuer, equals + 1, p);
        return wrong ? apr_psprintf(p, "%s: %s", text, wrong) : NULL;
    }
    return apr_psprintf(p, "%s is no option; expected jwks=, audience=, algorithms=, leeway=, max-lifetime=, secret=, "
                        "sub-claim= or scope-claim=", text);
}

/* What the options of one line mean together. */
static const char *judge(jwt_issuer_t *issuer, apr_pool_t *p)
{
    const char *iss = issuer->policy.issuer;
    rr_err_t err = RR_ERR_INIT;
    unsigned int fit = issuer->secret_file ? RR_ALGS_SYMMETRIC : RR_ALGS_ASYMMETRIC;

    if (!issuer->policy.audiences) {
        return "tells no audience: add audience=NAME (what the tokens' aud must hold) or, to accept tokens made for "
               "any service of this issuer, audience=any";
    }
    if (issuer->any_audience) {
        issuer->policy.audiences = NULL;
    }
    if (issuer->secret_file && (issuer->jwks_url || issuer->jwks_file)) {
        return "has both secret= and jwks=: shared secrets and public keys never share an issuer; leave one out";
    }
    if (!issuer->algs) {
        issuer->algs = fit;
    }
    if (issuer->algs & ~fit && issuer->secret_file) {
        return apr_psprintf(p, "allows %s, which secret= cannot verify: leave out those algorithms",
                            rr_alg_names(p, issuer->algs & ~fit));
    }
    if (issuer->algs & ~fit) {
        return apr_psprintf(p, "allows %s, which need secret=file:PATH: add it or leave out those algorithms",
                            rr_alg_names(p, issuer->algs & ~fit));
    }
    if (!issuer->secret_file && !issuer->jwks_url && !issuer->jwks_file
        && (rr_fetch_check_url(iss, &err) != APR_SUCCESS || strchr(iss, '?'))) {
        return apr_psprintf(p, "cannot be discovered (%s): add jwks=URL, jwks=file:PATH or secret=file:PATH",
                            err.status ? rr_err_text(&err) : "the issuer has a query");
    }
    return NULL;
}

static int is_name(const char *text)
{
    const char *c;

    for (c = text; *c; c++) {
        if (!apr_isalnum(*c) && !strchr("._-", *c)) {
            return 0;
        }
    }
    return c > text && c - text <= RR_MAX_NAME;
}

const char *jwt_issuer_set(cmd_parms *cmd, void *unused, int argc, char *const argv[])
{
    jwt_server_t *conf = ap_get_module_config(cmd->server->module_config, &rr_jwt_module);
    jwt_issuer_t *issuer = apr_pcalloc(cmd->pool, sizeof(*issuer));
    const char *wrong = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    const char *c;
    unsigned int seen = 0;
    int i;

    (void)unused;
    if (wrong) {
        return wrong;
    }
    if (argc < 2) {
        return "RRJwtIssuer: expected NAME ISSUER audience=NAME [jwks=URL|file:PATH] ...";
    }
    if (!is_name(argv[0])) {
        return apr_psprintf(cmd->pool, "RRJwtIssuer %s: expected a name of at most %d letters, digits, '.', '_' or '-'",
                            argv[0], RR_MAX_NAME);
    }
    for (c = argv[1]; *c && (unsigned char)*c >= ' ' && *c != 0x7f; c++) {
    }
    if (*c || c == argv[1] || c - argv[1] > MOST_ISSUER) {
        return apr_psprintf(cmd->pool, "RRJwtIssuer %s: expected as ISSUER the tokens' exact iss, 1 to %d bytes "
                            "without control characters", argv[0], MOST_ISSUER);
    }
    issuer->name = argv[0];
    issuer->policy.issuer = argv[1];
    issuer->policy.leeway = apr_time_from_sec(60);
    issuer->place = apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    for (i = 2; i < argc && !wrong; i++) {
        wrong = set_option(issuer, argv[i], &seen, cmd->pool);
    }
    if (!wrong) {
        wrong = judge(issuer, cmd->pool);
    }
    if (wrong) {
        return apr_psprintf(cmd->pool, "RRJwtIssuer %s %s", issuer->name, wrong);
    }
    APR_ARRAY_PUSH(conf->issuers, jwt_issuer_t *) = issuer;
    return NULL;
}

const jwt_issuer_t *jwt_issuer_find(const jwt_server_t *conf, const char *text, int by_name)
{
    int i;

    for (i = 0; i < conf->issuers->nelts; i++) {
        const jwt_issuer_t *issuer = APR_ARRAY_IDX(conf->issuers, i, const jwt_issuer_t *);

        if (strcmp(by_name ? issuer->name : issuer->policy.issuer, text) == 0) {
            return issuer;
        }
    }
    return NULL;
}

/*
 * The bytes of the file are the secret. An editor ends a text with a newline,
 * which is not meant; random bytes may end in one, which is.
 */
static apr_status_t load_secret(jwt_issuer_t *issuer, apr_pool_t *pconf, apr_pool_t *ptemp, rr_err_t *err)
{
    char *text;
    apr_size_t len, i, end;
    apr_status_t rv = rr_file_read(&text, &len, issuer->secret_file, RR_MAX_SECRET, ptemp, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    end = len;
    if (end && text[end - 1] == '\n') {
        end--;
        end -= end && text[end - 1] == '\r';
    }
    for (i = 0; i < end && apr_isprint(text[i]); i++) {
    }
    rv = rr_jwks_from_secret(&issuer->fixed, (const unsigned char *)text, i == end ? end : len, pconf, err);
    rr_secret_wipe(text, len);
    return rv;
}

/* The configuration is read twice at a start: said in the second reading, and by httpd -t. */
static void note_unread(const jwt_issuer_t *issuer, apr_pool_t *ptemp)
{
    int is_first = ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
                   && ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL;

    if (rr_jwks_unread(issuer->fixed) && !is_first) {
        RR_LOG_P(APLOG_WARNING, 0, ptemp, 10334, "key set of %s (%s): %d keys behind the first %d that can be used do not "
                 "count, tokens signed with them get 401", issuer->policy.issuer, issuer->jwks_file,
                 rr_jwks_unread(issuer->fixed), RR_MAX_JWKS_KEYS);
    }
}

static apr_status_t load_keys(jwt_issuer_t *issuer, apr_pool_t *pconf, apr_pool_t *ptemp, rr_err_t *err)
{
    char *text;
    apr_size_t len;
    apr_status_t rv;

    if (issuer->fixed || issuer->keyset) { /* done for another server that inherits the same line */
        return APR_SUCCESS;
    }
    if (issuer->secret_file) {
        return load_secret(issuer, pconf, ptemp, err);
    }
    if (issuer->jwks_file) {
        rv = rr_file_read(&text, &len, issuer->jwks_file, RR_MAX_JWKS, ptemp, err);
        rv = rv == APR_SUCCESS ? rr_jwks_parse(&issuer->fixed, text, len, 0, pconf, err) : rv;
        if (rv == APR_SUCCESS) {
            note_unread(issuer, ptemp);
        }
        return rv;
    }
    issuer->keyset = jwt_keyset_add(issuer->policy.issuer, issuer->jwks_url, pconf);
    return APR_SUCCESS;
}

apr_status_t jwt_issuers_check(jwt_server_t *conf, apr_pool_t *pconf, apr_pool_t *ptemp, rr_err_t *err)
{
    int i, k;

    if (conf->issuers->nelts > RR_MAX_ISSUERS) {
        return rr_err_set(err, RR_EINVAL, NULL, "there are %d RRJwtIssuer lines; at most %d are taken",
                          conf->issuers->nelts, RR_MAX_ISSUERS);
    }
    for (i = 0; i < conf->issuers->nelts; i++) {
        jwt_issuer_t *issuer = APR_ARRAY_IDX(conf->issuers, i, jwt_issuer_t *);
        rr_err_t why = RR_ERR_INIT;

        for (k = 0; k < i; k++) {
            const jwt_issuer_t *other = APR_ARRAY_IDX(conf->issuers, k, const jwt_issuer_t *);

            if (strcmp(issuer->policy.issuer, other->policy.issuer) == 0) {
                return rr_err_set(err, RR_EINVAL, NULL, "RRJwtIssuer %s (%s) names the same ISSUER as %s (%s): remove "
                                  "one, a line may hold several audience=", issuer->name, issuer->place, other->name,
                                  other->place);
            }
            if (strcmp(issuer->name, other->name) == 0) {
                return rr_err_set(err, RR_EINVAL, NULL, "RRJwtIssuer %s (%s) has the NAME of the line at %s: give it "
                                  "another", issuer->name, issuer->place, other->place);
            }
        }
        if (load_keys(issuer, pconf, ptemp, &why) != APR_SUCCESS) {
            return rr_err_set(err, RR_EINVAL, NULL, "RRJwtIssuer %s (%s): %s: %s", issuer->name, issuer->place,
                              issuer->secret_file ? "secret=" : "jwks=", rr_err_text(&why));
        }
    }
    return APR_SUCCESS;
}
