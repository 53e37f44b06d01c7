/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_jwt.c: rrctl jwt keygen and mint: an issuer for development and tests.
 *
 * mint checks nothing that it signs: tests need wrong tokens too.
 */
#include "cmd_jwt.h"

#include "rr_conf.h"
#include "rr_jose.h"

#include <apr_file_io.h>
#include <apr_strings.h>

#include <openssl/rand.h>

#include <string.h>

/* The option that word is, as "--name" or "--name=value"; NULL: another word, or none of ours. */
static const jwt_option_t *find_option(const jwt_option_t *options, const char *word)
{
    size_t len = strcspn(word, "=");

    for (; options->name; options++) {
        if (strlen(options->name) + 2 == len && !strncmp(options->name, word + 2, len - 2)) {
            return options;
        }
    }
    return NULL;
}

/* Not by apr_getopt_long, to which the word "-" is a mistake. */
int jwt_options(rrctl_t *ctl, int argc, const char *const *argv, const jwt_option_t *options, const char **pword)
{
    const char *word = NULL;
    int i, only_words = 0;

    for (i = 1; i < argc; i++) {
        const jwt_option_t *option;
        const char *value;

        if (!only_words && !strcmp(argv[i], "--")) {
            only_words = 1;
            continue;
        }
        if (only_words || argv[i][0] != '-' || !argv[i][1]) {
            if (!pword || word) {
                return rrctl_usage(ctl, "one argument too many: %s", argv[i]);
            }
            word = argv[i];
            continue;
        }
        option = find_option(options, argv[i]);
        if (!option) {
            return rrctl_usage(ctl, "no option %s", argv[i]);
        }
        if (option->flag) {
            *option->flag = 1;
            continue;
        }
        value = strchr(argv[i], '=') ? strchr(argv[i], '=') + 1 : argv[++i];
        if (!value) {
            return rrctl_usage(ctl, "--%s needs a value", option->name);
        }
        if (option->value) {
            *option->value = value;
            continue;
        }
        *option->list = *option->list ? *option->list : apr_array_make(ctl->p, 4, sizeof(const char *));
        APR_ARRAY_PUSH(*option->list, const char *) = value;
    }
    if (pword && !word) {
        return rrctl_usage(ctl, "an argument is missing");
    }
    if (pword) {
        *pword = word;
    }
    return RRCTL_OK;
}

/* ---- keygen ---- */

static apr_status_t write_file(rrctl_t *ctl, const char *path, const char *text, int secret, rr_err_t *err)
{
    apr_int32_t flags = APR_FOPEN_WRITE | APR_FOPEN_CREATE | (secret ? APR_FOPEN_EXCL : APR_FOPEN_TRUNCATE);
    apr_fileperms_t mode = APR_FPROT_UREAD | APR_FPROT_UWRITE | (secret ? 0 : APR_FPROT_GREAD | APR_FPROT_WREAD);
    apr_file_t *file;
    char reason[128];
    apr_status_t rv = apr_file_open(&file, path, flags, mode, ctl->p);

    if (rv == APR_SUCCESS) {
        rv = apr_file_write_full(file, text, strlen(text), NULL);
        rv = rv == APR_SUCCESS ? apr_file_close(file) : rv;
    }
    if (APR_STATUS_IS_EEXIST(rv)) {
        return rr_err_set(err, RR_ECONFLICT, path, "%s exists; a private key is not overwritten", path);
    }
    return rv == APR_SUCCESS ? rv : rr_err_set(err, RR_EUNAVAIL, path, "%s cannot be written: %s", path,
                                               apr_strerror(rv, reason, sizeof(reason)));
}

/* Which algorithm the options mean: a curve alone is enough. */
static rr_alg_e choose_alg(const char *alg, const char *crv)
{
    static const struct {
        const char *crv;
        rr_alg_e alg;
    } curves[] = { { "P-256", RR_ALG_ES256 },     { "P-384", RR_ALG_ES384 },   { "P-521", RR_ALG_ES512 },
                   { "secp256k1", RR_ALG_ES256K }, { "Ed25519", RR_ALG_EDDSA }, { "Ed448", RR_ALG_EDDSA } };
    size_t i;

    if (alg) {
        return rr_alg_parse(alg, strlen(alg));
    }
    for (i = 0; crv && i < sizeof(curves) / sizeof(curves[0]); i++) {
        if (!strcmp(crv, curves[i].crv)) {
            return curves[i].alg;
        }
    }
    return crv ? RR_ALG_NONE : RR_ALG_RS256;
}

int cmd_jwt_keygen(rrctl_t *ctl, int argc, const char *const *argv)
{
    const char *alg_name = NULL, *crv = NULL, *kid = NULL, *out = NULL, *public_out = NULL, *private = NULL;
    const jwt_option_t options[] = {
        { "alg", .value = &alg_name }, { "crv", .value = &crv },
        { "kid", .value = &kid },      { "out", .value = &out },
        { "public-out", .value = &public_out }, { NULL }
    };
    const char *public = NULL;
    rr_err_t err = RR_ERR_INIT;
    rr_jwk_t *key;
    rr_alg_e alg;
    apr_status_t rv;

    if (jwt_options(ctl, argc, argv, options, NULL) != RRCTL_OK) {
        return RRCTL_USAGE;
    }
    alg = choose_alg(alg_name, crv);
    if (!alg) {
        return rrctl_usage(ctl, "no such algorithm; there are %s",
                           rr_alg_names(ctl->p, RR_ALGS_ASYMMETRIC | RR_ALGS_SYMMETRIC));
    }
    rv = rr_jwk_generate(&key, alg, crv, kid, ctl->p, &err);
    rv = rv == APR_SUCCESS ? rr_jwk_print(&private, key, 1, ctl->p, &err) : rv;
    if (rv == APR_SUCCESS && public_out) {
        rv = rr_jwk_print(&public, key, 0, ctl->p, &err);
    }
    if (rv == APR_SUCCESS && out) {
        rv = write_file(ctl, out, apr_pstrcat(ctl->p, private, "\n", NULL), 1, &err);
    }
    if (rv == APR_SUCCESS && public_out) {
        rv = write_file(ctl, public_out, apr_pstrcat(ctl->p, "{\"keys\":[", public, "]}\n", NULL), 0, &err);
    }
    if (rv != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    if (!out) {
        fprintf(ctl->out, "%s\n", private);
    } else if (ctl->json) {
        fprintf(ctl->out, "{\"alg\":\"%s\",\"kid\":%s}\n", rr_alg_name(alg),
                rr_jwk_kid(key) ? rr_json_quote(ctl->p, rr_jwk_kid(key), RR_MAX_KID) : "null");
    } else {
        fprintf(ctl->out, "%s key %s written to %s\n", rr_alg_name(alg), rr_jwk_kid(key) ? rr_jwk_kid(key) : "without id",
                out);
    }
    return RRCTL_OK;
}

/* ---- mint ---- */

/* The claims as they will be: names in their order, values as JSON. */
typedef struct claims_t {
    rrctl_t *ctl;
    apr_array_header_t *names, *values; /* const char * */
} claims_t;

/* The last value of a name stands. */
static void set_claim(claims_t *claims, const char *name, const char *json)
{
    int i;

    for (i = 0; i < claims->names->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(claims->names, i, const char *), name)) {
            APR_ARRAY_IDX(claims->values, i, const char *) = json;
            return;
        }
    }
    APR_ARRAY_PUSH(claims->names, const char *) = name;
    APR_ARRAY_PUSH(claims->values, const char *) = json;
}

static void set_text(claims_t *claims, const char *name, const char *text)
{
    if (text) {
        set_claim(claims, name, rr_json_quote(claims->ctl->p, text, RR_MAX_TOKEN));
    }
}

/* A time that is so far from now: "1h", "-5mi". */
static apr_status_t set_time(claims_t *claims, const char *name, const char *offset)
{
    apr_interval_time_t span;
    int back = *offset == '-';

    if (rr_conf_duration(&span, offset + back) != APR_SUCCESS) {
        return RR_EINVAL;
    }
    set_claim(claims, name, apr_psprintf(claims->ctl->p, "%" APR_INT64_T_FMT,
                                         apr_time_sec(apr_time_now()) + (back ? -1 : 1) * apr_time_sec(span)));
    return APR_SUCCESS;
}

/* NAME=VALUE: JSON where VALUE is, else text. */
static int set_given(claims_t *claims, const char *given)
{
    apr_pool_t *p = claims->ctl->p;
    const char *equals = strchr(given, '=');
    const rr_json_t *value;

    if (!equals || equals == given) {
        return 0;
    }
    set_claim(claims, apr_pstrmemdup(p, given, (apr_size_t)(equals - given)),
              rr_json_parse(&value, equals + 1, strlen(equals + 1), p, NULL) == APR_SUCCESS
                  ? rr_json_print(p, value) : rr_json_quote(p, equals + 1, RR_MAX_TOKEN));
    return 1;
}

static void set_audience(claims_t *claims, const apr_array_header_t *audiences)
{
    apr_pool_t *p = claims->ctl->p;
    const char *list = "";
    int i;

    for (i = 0; audiences && i < audiences->nelts; i++) {
        list = apr_pstrcat(p, list, i ? "," : "",
                           rr_json_quote(p, APR_ARRAY_IDX(audiences, i, const char *), RR_MAX_TOKEN), NULL);
    }
    if (audiences) {
        set_claim(claims, "aud", audiences->nelts > 1 ? apr_pstrcat(p, "[", list, "]", NULL) : list);
    }
}

static void set_jti(claims_t *claims)
{
    unsigned char bytes[12];

    if (RAND_bytes(bytes, sizeof(bytes)) == 1) {
        set_text(claims, "jti", rr_base64url_encode(claims->ctl->p, bytes, sizeof(bytes)));
    }
}

static const char *print_claims(const claims_t *claims)
{
    apr_pool_t *p = claims->ctl->p;
    const char *text = "{";
    int i;

    for (i = 0; i < claims->names->nelts; i++) {
        text = apr_pstrcat(p, text, i ? "," : "",
                           rr_json_quote(p, APR_ARRAY_IDX(claims->names, i, const char *), RR_MAX_TOKEN), ":",
                           APR_ARRAY_IDX(claims->values, i, const char *), NULL);
    }
    return apr_pstrcat(p, text, "}", NULL);
}

static apr_status_t load_key(rr_jwk_t **pkey, rrctl_t *ctl, const char *path, const char *alg_name, const char *kid,
                             rr_err_t *err)
{
    rr_alg_e alg = alg_name ? rr_alg_parse(alg_name, strlen(alg_name)) : RR_ALG_NONE;
    const char *text;
    apr_size_t len;
    apr_status_t rv;

    if (alg_name && !alg) {
        return rr_err_set(err, RR_EINVAL, "alg", "no such algorithm; there are %s",
                          rr_alg_names(ctl->p, RR_ALGS_ASYMMETRIC | RR_ALGS_SYMMETRIC));
    }
    rv = rrctl_read(&text, &len, ctl, path, RR_MAX_SECRET, err);
    return rv == APR_SUCCESS ? rr_jwk_load_private(pkey, text, len, alg, kid, ctl->p, err) : rv;
}

int cmd_jwt_mint(rrctl_t *ctl, int argc, const char *const *argv)
{
    claims_t claims = { ctl, apr_array_make(ctl->p, 8, sizeof(char *)), apr_array_make(ctl->p, 8, sizeof(char *)) };
    const char *path = NULL, *alg = NULL, *kid = NULL, *typ = "JWT", *iss = NULL, *sub = NULL, *scope = NULL;
    const char *ttl = "1h", *nbf = NULL, *iat = "0", *token;
    apr_array_header_t *audiences = NULL, *given = NULL;
    int no_exp = 0, i;
    const jwt_option_t options[] = {
        { "key", .value = &path }, { "alg", .value = &alg },     { "kid", .value = &kid },     { "typ", .value = &typ },
        { "iss", .value = &iss },  { "sub", .value = &sub },     { "aud", .list = &audiences }, { "ttl", .value = &ttl },
        { "nbf", .value = &nbf },  { "iat", .value = &iat },     { "no-exp", .flag = &no_exp }, { "scope", .value = &scope },
        { "claim", .list = &given }, { NULL }
    };
    rr_err_t err = RR_ERR_INIT;
    rr_jwk_t *key;

    if (jwt_options(ctl, argc, argv, options, NULL) != RRCTL_OK) {
        return RRCTL_USAGE;
    }
    if (!path) {
        return rrctl_usage(ctl, "--key is needed");
    }
    set_text(&claims, "iss", iss);
    set_text(&claims, "sub", sub);
    set_audience(&claims, audiences);
    set_text(&claims, "scope", scope);
    if (set_time(&claims, "iat", iat) != APR_SUCCESS || (nbf && set_time(&claims, "nbf", nbf) != APR_SUCCESS)
        || (!no_exp && set_time(&claims, "exp", ttl) != APR_SUCCESS)) {
        return rrctl_usage(ctl, "--ttl, --iat and --nbf are durations from now, such as 1h or -5mi");
    }
    set_jti(&claims);
    for (i = 0; given && i < given->nelts; i++) {
        if (!set_given(&claims, APR_ARRAY_IDX(given, i, const char *))) {
            return rrctl_usage(ctl, "--claim is NAME=VALUE");
        }
    }
    if (load_key(&key, ctl, path, alg, kid, &err) != APR_SUCCESS
        || rr_jws_sign(&token, key, *typ ? typ : NULL, print_claims(&claims), ctl->p, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    fprintf(ctl->out, ctl->json ? "{\"token\":\"%s\"}\n" : "%s\n", token);
    return RRCTL_OK;
}
