/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_backend.c: the gateway's own token, by which a backend knows that a
 * request came through it, and the key set that verifies it.
 *
 * The key is made when the server starts, stays over graceful restarts, and is
 * in memory alone: children have it from their parent.
 *
 * Spec: RFC 7519; RFC 8037 (EdDSA); RFC 7517, 5 (key sets).
 */
#include "inject.h"
#include "inject_source.h"

#include <http_core.h>
#include <http_protocol.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define RETAINED "mod_rr_inject:backend-key"
#define LIFETIME 60    /* seconds */
#define MOST_LIFETIME 3600
#define SET_MAX_AGE "max-age=300"

/* Written once, in post_config. */
static const rr_jwk_t *key;
static const char *key_set;

const char *inject_set_backend_token(cmd_parms *cmd, void *conf, int argc, char *const argv[])
{
    inject_dir_t *dir = conf;
    apr_interval_time_t lifetime = apr_time_from_sec(LIFETIME);
    const char *c;
    int i;

    for (c = argc ? argv[0] : ""; apr_isalnum(*c) || *c == '-'; c++) {
    }
    if (!argc || !*argv[0] || *c) {
        return apr_psprintf(cmd->pool, "RRBackendToken %s: expected the name of a header, then audience= and lifetime= where "
                            "wanted", cmd->directive->args);
    }
    dir->token_header = apr_pstrdup(cmd->pool, argv[0]);
    dir->token_audience = NULL;
    for (i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "audience=", 9) && argv[i][9]) {
            dir->token_audience = apr_pstrdup(cmd->pool, argv[i] + 9);
        }
        else if (strncmp(argv[i], "lifetime=", 9) || rr_conf_duration(&lifetime, argv[i] + 9) != APR_SUCCESS
                 || lifetime < apr_time_from_sec(1) || lifetime > apr_time_from_sec(MOST_LIFETIME)) {
            return apr_psprintf(cmd->pool, "RRBackendToken %s: expected audience=TEXT, or lifetime= of 1s to %d s", argv[i],
                                MOST_LIFETIME);
        }
    }
    dir->token_lifetime = lifetime;
    return NULL;
}

/* Only its text is retained: code that would clean up a key is unloaded at every restart. */
apr_status_t inject_backend_start(apr_pool_t *pconf, server_rec *s, rr_err_t *err)
{
    const char *text = NULL, *public;
    rr_jwk_t *made;
    apr_status_t rv;

    apr_pool_userdata_get((void **)&text, RETAINED, s->process->pool);
    rv = text ? rr_jwk_load_private(&made, text, strlen(text), RR_ALG_EDDSA, NULL, pconf, err)
              : rr_jwk_generate(&made, RR_ALG_EDDSA, "Ed25519", NULL, pconf, err);
    if (rv == APR_SUCCESS && !text && (rv = rr_jwk_print(&text, made, 1, pconf, err)) == APR_SUCCESS) {
        apr_pool_userdata_set(apr_pstrdup(s->process->pool, text), RETAINED, apr_pool_cleanup_null, s->process->pool);
    }
    if (rv == APR_SUCCESS && (rv = rr_jwk_print(&public, made, 0, pconf, err)) == APR_SUCCESS) {
        key = made;
        key_set = apr_pstrcat(pconf, "{\"keys\":[", public, "]}\n", NULL);
    }
    return rv;
}

static const char *add_member(apr_pool_t *p, const char *claims, const char *name, const char *value)
{
    return value ? apr_pstrcat(p, claims, claims[1] ? "," : "", "\"", name, "\":", rr_json_quote(p, value, strlen(value)), NULL)
                 : claims;
}

apr_status_t inject_backend_token(const char **ptoken, request_rec *r, const rr_principal_t *who, rr_err_t *err)
{
    const inject_dir_t *dir = inject_dir(r);
    const rr_json_t *given;
    const char *claims = "{";
    apr_status_t rv;

    /* Not what UseCanonicalName says: a backend shall not be told a name that the client chose. */
    claims = add_member(r->pool, claims, "iss", r->server->server_hostname);
    claims = add_member(r->pool, claims, "aud", dir->token_audience);
    claims = add_member(r->pool, claims, "sub", who->sub);
    claims = add_member(r->pool, claims, "credential", who->identities[0]->credential);
    claims = add_member(r->pool, claims, "scope", who->scopes->nelts ? apr_array_pstrcat(r->pool, who->scopes, ' ') : NULL);
    claims = apr_pstrcat(r->pool, claims, "}", NULL);
    rv = rr_json_parse_object(&given, claims, strlen(claims), r->pool, err);
    return rv == APR_SUCCESS ? inject_mint(ptoken, key, given, apr_time_now(), apr_time_sec(dir->token_lifetime), r->pool, err)
                             : rv;
}

int inject_handle_jwks(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, "rr-jwks")) {
        return DECLINED;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    ap_set_content_type(r, "application/jwk-set+json");
    apr_table_setn(r->headers_out, "Cache-Control", SET_MAX_AGE);
    ap_set_content_length(r, (apr_off_t)strlen(key_set));
    if (!r->header_only) {
        ap_rputs(key_set, r);
    }
    return OK;
}
