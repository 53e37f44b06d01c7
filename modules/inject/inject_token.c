/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_token.c: tokens for targets: minted with a private key, or fetched
 * with client credentials.
 *
 * One thread makes a token, once for the child; others go on with the one there
 * is, or wait where there is none. It is made anew shortly before it ends, and
 * not used a moment longer than it lives, whatever became of that.
 *
 * Threads: a source's mutex guards its token and state; it is held across no I/O.
 * Spec:    RFC 6749, 4.4 (client credentials), 2.3.1 (client authentication); RFC 7519.
 */
#include "inject.h"
#include "inject_source.h"

#include "rr_fetch.h"
#include "rr_jose.h"

#include <http_core.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#define MINT_LIFETIME 300 /* seconds */
#define FETCH_LIFETIME 60 /* seconds, where the endpoint says none */
#define MOST_LIFETIME 86400
#define MOST_EARLY apr_time_from_sec(60) /* how long before its end a token is made anew, a fifth of its life at most */
#define RETRY apr_time_from_sec(1)
#define MAX_WAIT apr_time_from_sec(10) /* for another thread's fetch, which has its own limit */

static const char *ca_file; /* RRFetchCAFile; written while the configuration is read */

const char *inject_set_ca_file(cmd_parms *cmd, void *dummy, const char *path)
{
    rr_err_t err = RR_ERR_INIT;

    (void)dummy;
    ca_file = ap_server_root_relative(cmd->pool, path);
    if (!ca_file || rr_fetch_check_ca_file(ca_file, &err) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool, "RRFetchCAFile %s: %s", path, rr_err_text(&err));
    }
    return NULL;
}

void inject_token_reset(void)
{
    ca_file = NULL;
}

typedef struct {
    inject_kept_t kept;
    const inject_parts_t *parts;
    apr_time_t expires, refresh;
} token_t;

struct inject_source_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *done;
    token_t *token;          /* NULL: none yet */
    int busy;                /* a thread is making one */
    apr_time_t retry;        /* not before, after a failure */
    rr_err_t failure;        /* the last one */
    const rr_jwk_t *key;     /* mints; NULL: fetches */
};

static apr_status_t end_source(void *data)
{
    inject_source_t *source = data;

    if (source->token) {
        inject_kept_release(&source->token->kept);
    }
    return APR_SUCCESS;
}

static const char *text_of(const inject_credential_t *credential, const char *name)
{
    return rr_json_string(rr_json_member(credential->object, name));
}

static apr_status_t load_key(inject_source_t *source, const inject_credential_t *credential, apr_pool_t *p, rr_err_t *err)
{
    const char *algorithm = text_of(credential, "algorithm"), *text = text_of(credential, "privateKey");
    rr_alg_e alg = algorithm ? rr_alg_parse(algorithm, strlen(algorithm)) : RR_ALG_NONE;
    rr_jwk_t *key;
    apr_status_t rv;

    if (alg == RR_ALG_NONE || !text) {
        return rr_err_set(err, RR_EINVAL, "algorithm", "its secret has no private key and algorithm");
    }
    rv = rr_jwk_load_private(&key, text, strlen(text), alg, text_of(credential, "kid"), p, err);
    source->key = rv == APR_SUCCESS ? key : NULL;
    return rv;
}

apr_status_t inject_source_make(inject_source_t **psource, inject_credential_t *credential, apr_pool_t *p, rr_err_t *err)
{
    inject_source_t *source = apr_pcalloc(p, sizeof(*source));

    if (apr_thread_mutex_create(&source->mutex, APR_THREAD_MUTEX_DEFAULT, p) != APR_SUCCESS
        || apr_thread_cond_create(&source->done, p) != APR_SUCCESS) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "out of memory");
    }
    apr_pool_cleanup_register(p, source, end_source, apr_pool_cleanup_null);
    *psource = source;
    return credential->kind == RR_CREDENTIAL_JWT ? load_key(source, credential, p, err) : APR_SUCCESS;
}

/* ---- a token ---- */

static token_t *new_token(const char *text, apr_time_t from, apr_int64_t lifetime, rr_err_t *err)
{
    apr_pool_t *pool = inject_pool_make("rr_inject_token");
    apr_interval_time_t life = apr_time_from_sec(lifetime), early = life / 5 < MOST_EARLY ? life / 5 : MOST_EARLY;
    token_t *token;

    if (!pool) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "out of memory");
        return NULL;
    }
    token = apr_pcalloc(pool, sizeof(*token));
    token->kept.pool = pool;
    token->kept.refs = 1;
    token->expires = from + life;
    token->refresh = token->expires - early;
    token->parts = inject_parts_header(pool, "Authorization", apr_pstrcat(pool, "Bearer ", text, NULL), text);
    if (!token->parts) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "the token cannot be sent in a header");
        apr_pool_destroy(pool);
        return NULL;
    }
    return token;
}

typedef struct {
    apr_pool_t *p;
    const char *text;
} claims_t;

static int add_claim(void *baton, const char *name, const rr_json_t *value)
{
    claims_t *claims = baton;

    if (strcmp(name, "iat") && strcmp(name, "exp") && strcmp(name, "jti")) {
        claims->text = apr_pstrcat(claims->p, claims->text, rr_json_quote(claims->p, name, RR_MAX_METADATA), ":",
                                   rr_json_print(claims->p, value), ",", NULL);
    }
    return 1;
}

apr_status_t inject_mint(const char **ptoken, const rr_jwk_t *key, const rr_json_t *given, apr_time_t now,
                         apr_int64_t lifetime, apr_pool_t *p, rr_err_t *err)
{
    claims_t claims = { p, "{" };
    unsigned char random[16];
    apr_status_t rv = rr_secret_random(random, sizeof(random), err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rr_json_members(given, add_claim, &claims);
    claims.text = apr_psprintf(p, "%s\"iat\":%" APR_INT64_T_FMT ",\"exp\":%" APR_INT64_T_FMT ",\"jti\":\"%s\"}", claims.text,
                               (apr_int64_t)apr_time_sec(now), (apr_int64_t)apr_time_sec(now) + lifetime,
                               rr_base64url_encode(p, random, sizeof(random)));
    return rr_jws_sign(ptoken, key, "JWT", claims.text, p, err);
}

static token_t *mint(const inject_credential_t *credential, apr_pool_t *p, rr_err_t *err)
{
    apr_int64_t lifetime = MINT_LIFETIME;
    apr_time_t now = apr_time_now();
    const char *text;

    if (!rr_json_int(rr_json_member(credential->object, "lifetime"), &lifetime) || lifetime < 1 || lifetime > MOST_LIFETIME) {
        lifetime = MINT_LIFETIME;
    }
    if (inject_mint(&text, credential->source->key, rr_json_member(credential->object, "claims"), now, lifetime, p, err)
        != APR_SUCCESS) {
        return NULL;
    }
    return new_token(text, now, lifetime, err);
}

/* ---- from a token endpoint ---- */

/* As application/x-www-form-urlencoded has it. */
static const char *encode_form(apr_pool_t *p, const char *text)
{
    return inject_percent(p, text, "-._*", INJECT_DIGITS);
}

static const char *add_field(apr_pool_t *p, const char *body, const char *name, const char *value)
{
    return value ? apr_pstrcat(p, body, "&", name, "=", encode_form(p, value), NULL) : body;
}

static const char *make_form(const inject_credential_t *credential, apr_pool_t *p)
{
    const rr_json_t *audience = rr_json_member(credential->object, "audience");
    const char *body = add_field(p, "grant_type=client_credentials", "scope", text_of(credential, "scope"));
    apr_size_t i;

    body = add_field(p, body, "audience", rr_json_string(audience));
    for (i = 0; i < rr_json_size(audience); i++) {
        body = add_field(p, body, "audience", rr_json_string(rr_json_element(audience, i)));
    }
    return body;
}

/* The error code of the endpoint's answer; nothing else of it may be logged. */
static const char *error_code(const rr_json_t *answer)
{
    const char *code = rr_json_string(rr_json_member(answer, "error")), *c;

    for (c = code ? code : ""; *c; c++) {
        if (!apr_islower(*c) && *c != '_') {
            return NULL;
        }
    }
    return code && strlen(code) < 40 ? code : NULL;
}

static token_t *read_answer(const rr_fetch_response_t *response, apr_time_t asked, apr_pool_t *p, rr_err_t *err)
{
    const rr_json_t *answer = NULL;
    const char *text, *type, *code;
    apr_int64_t lifetime = FETCH_LIFETIME;

    if (rr_json_parse_object(&answer, response->body, response->len, p, NULL) != APR_SUCCESS) {
        answer = NULL;
    }
    if (response->status != 200) {
        code = error_code(answer);
        rr_err_set(err, RR_EUNAVAIL, "tokenUrl", "the token endpoint answers %d%s%s", response->status, code ? ", " : "",
                   code ? code : "");
        return NULL;
    }
    text = rr_json_string(rr_json_member(answer, "access_token"));
    type = rr_json_string(rr_json_member(answer, "token_type"));
    if (!text || !*text || strlen(text) > RR_MAX_TOKEN || (type && apr_cstr_casecmp(type, "Bearer"))) {
        rr_err_set(err, RR_EUNAVAIL, "tokenUrl", "the token endpoint's answer has no bearer token");
        return NULL;
    }
    rr_json_int(rr_json_member(answer, "expires_in"), &lifetime);
    if (lifetime < 1) {
        rr_err_set(err, RR_EUNAVAIL, "tokenUrl", "the token endpoint's token has expired already");
        return NULL;
    }
    return new_token(text, asked, lifetime < MOST_LIFETIME ? lifetime : MOST_LIFETIME, err);
}

typedef struct {
    const rr_target_allow_t *allow;
    int clear;
} connecting_t;

static int may_connect(void *baton, const struct sockaddr *address)
{
    const connecting_t *connecting = baton;

    return inject_core->target_judge(connecting->allow, address, connecting->clear, NULL) == APR_SUCCESS;
}

static token_t *fetch(const inject_credential_t *credential, const rr_target_allow_t *allow, apr_pool_t *p,
                      rr_err_t *err)
{
    const char *id = text_of(credential, "clientId"), *secret = text_of(credential, "clientSecret");
    const char *how = text_of(credential, "clientAuth"), *url = text_of(credential, "tokenUrl");
    connecting_t connecting = { allow, 0 };
    rr_fetch_request_t request = { .url = url, .ca_file = ca_file, .max_bytes = 4 * RR_MAX_TOKEN,
                                   .may_connect = may_connect, .baton = &connecting };
    rr_fetch_response_t response;
    apr_time_t asked = apr_time_now();

    if (!id || !secret || !url) {
        rr_err_set(err, RR_EINVAL, NULL, "its secret has no tokenUrl, clientId and clientSecret");
        return NULL;
    }
    connecting.clear = apr_cstr_casecmpn(url, "https:", 6) != 0;
    request.body = make_form(credential, p);
    if (how && strstr(how, "post")) {
        request.body = add_field(p, add_field(p, request.body, "client_id", id), "client_secret", secret);
    }
    else {
        request.basic_user = encode_form(p, id);
        request.basic_password = encode_form(p, secret);
    }
    if (rr_fetch(&response, &request, p, err) != APR_SUCCESS) {
        return NULL;
    }
    return read_answer(&response, asked, p, err);
}

/* ---- who makes it, and who waits ---- */

/* The lock is held, given up for the work, and held again. */
static void renew(inject_source_t *source, request_rec *r, const inject_credential_t *credential)
{
    rr_err_t err = RR_ERR_INIT;
    token_t *token, *old = NULL;
    apr_pool_t *p;

    source->busy = 1;
    apr_thread_mutex_unlock(source->mutex);
    apr_pool_create(&p, r->pool);
    token = source->key ? mint(credential, p, &err) : fetch(credential, inject_core->target_allow(r), p, &err);
    apr_pool_destroy(p);
    if (!token) {
        RR_LOG_R(APLOG_ERR, 0, r, 10611, "no token for target credential %s: %s", credential->name, rr_err_text(&err));
    }
    apr_thread_mutex_lock(source->mutex);
    source->busy = 0;
    if (token) {
        old = source->token;
        source->token = token;
        source->retry = 0;
    }
    else {
        source->failure = err;
        source->retry = apr_time_now() + RETRY;
    }
    apr_thread_cond_broadcast(source->done);
    if (old) {
        inject_kept_release(&old->kept);
    }
}

apr_status_t inject_source_parts(const inject_parts_t **pparts, request_rec *r, inject_credential_t *credential,
                                 rr_err_t *err)
{
    inject_source_t *source = credential->source;
    apr_time_t start = apr_time_now(), now = start;
    apr_status_t rv = RR_EUNAVAIL;

    *pparts = NULL;
    apr_thread_mutex_lock(source->mutex);
    for (;; now = apr_time_now()) {
        int alive = source->token && now < source->token->expires;

        if (!source->busy && now >= source->retry && (!alive || now >= source->token->refresh)) {
            renew(source, r, credential);
        }
        else if (alive) {
            inject_kept_pin(&source->token->kept, r->pool);
            *pparts = source->token->parts;
            rv = APR_SUCCESS;
            break;
        }
        else if (!source->busy) {
            rr_err_set(err, RR_EUNAVAIL, source->failure.where, "%s", rr_err_text(&source->failure));
            break;
        }
        else if (now - start > MAX_WAIT) {
            rr_err_set(err, RR_EUNAVAIL, NULL, "its token was not there in time");
            break;
        }
        else {
            apr_thread_cond_timedwait(source->done, source->mutex, MAX_WAIT);
        }
    }
    apr_thread_mutex_unlock(source->mutex);
    return rv;
}
