/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_jwt_check.c: rrctl jwt decode and verify: what a token says, and why it
 * would be refused.
 */
#include "cmd_jwt.h"

#include "rr_conf.h"
#include "rr_fetch.h"

#include <apr_strings.h>

#include <string.h>

/* The token of an argument, "-" being standard input; blanks around it do not count. */
static apr_status_t read_token(const char **ptoken, rrctl_t *ctl, const char *word, rr_err_t *err)
{
    apr_size_t len;
    apr_status_t rv = APR_SUCCESS;
    char *token;

    if (!strcmp(word, "-")) {
        rv = rrctl_read(&word, &len, ctl, "-", RR_MAX_TOKEN + 2, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    token = apr_pstrdup(ctl->p, word + strspn(word, " \t\r\n"));
    token[strcspn(token, " \t\r\n")] = '\0';
    *ptoken = token;
    return rv;
}

/* ---- decode ---- */

static int print_member(void *baton, const char *name, const rr_json_t *value)
{
    rrctl_t *ctl = baton;
    char date[APR_RFC822_DATE_LEN] = "";
    apr_int64_t seconds;

    if ((!strcmp(name, "exp") || !strcmp(name, "nbf") || !strcmp(name, "iat") || !strcmp(name, "auth_time"))
        && rr_json_int(value, &seconds) && seconds >= 0 && seconds < APR_INT64_C(253402300800)) {
        apr_rfc822_date(date, apr_time_from_sec(seconds));
    }
    fprintf(ctl->out, "  %s: %s%s%s\n", rr_json_quote(ctl->p, name, RR_MAX_TOKEN), rr_json_print(ctl->p, value),
            *date ? "   # " : "", date);
    return 1;
}

/* Segment number which (0, 1) of a token as a JSON object; NULL: it is none. */
static const rr_json_t *read_segment(rrctl_t *ctl, const char *token, int which)
{
    const unsigned char *bytes;
    const rr_json_t *value;
    apr_size_t len;

    if (which) {
        token += strcspn(token, ".");
        token += *token == '.';
    }
    return rr_base64url_decode(&bytes, &len, token, strcspn(token, "."), ctl->p) == APR_SUCCESS
                   && rr_json_parse_object(&value, (const char *)bytes, len, ctl->p, NULL) == APR_SUCCESS
               ? value : NULL;
}

static void print_segment(rrctl_t *ctl, const char *title, const rr_json_t *value)
{
    fprintf(ctl->out, "%s\n", title);
    if (value) {
        rr_json_members(value, print_member, ctl);
    } else {
        fprintf(ctl->out, "  (not base64url of a JSON object)\n");
    }
}

int cmd_jwt_decode(rrctl_t *ctl, int argc, const char *const *argv)
{
    static const jwt_option_t options[] = { { NULL } };
    const rr_json_t *header, *claims;
    const char *word, *token;
    rr_err_t err = RR_ERR_INIT, parse_err = RR_ERR_INIT;
    rr_jws_t *jws;

    if (jwt_options(ctl, argc, argv, options, &word) != RRCTL_OK) {
        return RRCTL_USAGE;
    }
    if (read_token(&token, ctl, word, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    header = read_segment(ctl, token, 0);
    claims = read_segment(ctl, token, 1);
    if (!header && !claims) {
        return rrctl_fail(ctl, "not a token: neither header nor claims are base64url of a JSON object");
    }
    if (ctl->json) {
        fprintf(ctl->out, "{\"header\":%s,\"claims\":%s,\"verified\":false}\n", rr_json_print(ctl->p, header),
                rr_json_print(ctl->p, claims));
        return RRCTL_OK;
    }
    print_segment(ctl, "header", header);
    print_segment(ctl, "claims", claims);
    fprintf(ctl->out, "The signature was NOT verified.\n");
    if (rr_jws_parse(&jws, token, strlen(token), ctl->p, &parse_err) != APR_SUCCESS) {
        fprintf(ctl->out, "It would be refused: %s.\n", rr_err_text(&parse_err));
    }
    return RRCTL_OK;
}

/* ---- verify ---- */

/* What verify was asked. */
typedef struct question_t {
    const char *token, *jwks, *secret;
    const rr_jwks_t *set;
    unsigned int algs;
    rr_claims_policy_t policy;
} question_t;

apr_status_t jwt_key_set(const rr_jwks_t **pset, rrctl_t *ctl, const char *jwks, const char *secret, rr_err_t *err)
{
    const char *path = secret ? secret : jwks, *text;
    rr_fetch_request_t request = { .url = path };
    rr_fetch_response_t response;
    apr_size_t len;
    apr_status_t rv;

    if (!secret && strstr(path, "://")) {
        rv = rr_fetch_init(ctl->p, err);
        rv = rv == APR_SUCCESS ? rr_fetch(&response, &request, ctl->p, err) : rv;
        if (rv == APR_SUCCESS && response.status != 200) {
            rv = rr_err_set(err, RR_EUNAVAIL, NULL, "the key set's server answered with status %d", response.status);
        }
        return rv == APR_SUCCESS ? rr_jwks_parse(pset, response.body, response.len, 0, ctl->p, err) : rv;
    }
    rv = rrctl_read(&text, &len, ctl, path, secret ? RR_MAX_SECRET : RR_MAX_JWKS, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!secret) {
        return rr_jwks_parse(pset, text, len, 0, ctl->p, err);
    }
    len -= len && text[len - 1] == '\n'; /* an editor's, not the secret's */
    return rr_jwks_from_secret(pset, (const unsigned char *)text, len, ctl->p, err);
}

/* "RS256 ES256" or "RS256,ES256" as a mask; 0 where a word is none. */
static unsigned int read_algs(rrctl_t *ctl, const char *text)
{
    char *copy = apr_pstrdup(ctl->p, text), *state, *word;
    unsigned int mask = 0;
    rr_alg_e alg;

    for (word = apr_strtok(copy, " ,", &state); word; word = apr_strtok(NULL, " ,", &state)) {
        alg = rr_alg_parse(word, strlen(word));
        if (!alg) {
            return 0;
        }
        mask |= alg;
    }
    return mask;
}

static apr_status_t judge(const rr_json_t **pclaims, const question_t *question, rrctl_t *ctl, rr_err_t *err)
{
    rr_err_t json_err = RR_ERR_INIT;
    rr_claims_t claims;
    rr_jws_t *jws;
    apr_status_t rv = rr_jws_parse(&jws, question->token, strlen(question->token), ctl->p, err);

    rv = rv == APR_SUCCESS ? rr_jws_verify(jws, question->set, question->algs, err) : rv;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = rr_json_parse_object(pclaims, jws->payload, jws->payload_len, ctl->p, &json_err);
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, NULL, "the token's payload: %s", rr_err_text(&json_err));
    }
    rr_claims_find(&claims, *pclaims);
    return rr_claims_check(&claims, &question->policy, apr_time_now(), err);
}

/* What would have done, where the refusal itself cannot say it. */
static const char *remedy(const question_t *question, rrctl_t *ctl, const rr_err_t *err)
{
    if (err->status == RR_ENOKEY) {
        return apr_pstrcat(ctl->p, "; its keys are: ", rr_jwks_kids(ctl->p, question->set), NULL);
    }
    if (err->status == RR_EDENIED) {
        return apr_pstrcat(ctl->p, "; allowed are: ", rr_alg_names(ctl->p, question->algs), NULL);
    }
    return "";
}

static int report(const question_t *question, rrctl_t *ctl, const rr_json_t *claims, const rr_err_t *err)
{
    const char *sentence, *remark = "";
    apr_int64_t exp;

    if (err->status != APR_SUCCESS) {
        sentence = apr_pstrcat(ctl->p, rr_err_text(err), remedy(question, ctl, err), NULL);
        if (!ctl->json) {
            return rrctl_fail(ctl, "refused: %s", sentence);
        }
        fprintf(ctl->out, "{\"valid\":false,\"reason\":\"%s\",\"at\":%s,\"detail\":%s}\n", rr_err_word(err->status),
                rr_json_quote(ctl->p, err->where, sizeof(err->where)), rr_json_quote(ctl->p, sentence, RR_MAX_TOKEN));
        return RRCTL_FAILED;
    }
    if (ctl->json) {
        fprintf(ctl->out, "{\"valid\":true,\"claims\":%s}\n", rr_json_print(ctl->p, claims));
        return RRCTL_OK;
    }
    if (!question->policy.issuer || !question->policy.audiences) {
        remark = question->policy.issuer     ? " (aud was not checked)"
                 : question->policy.audiences ? " (iss was not checked)" : " (iss and aud were not checked)";
    }
    rr_json_int(rr_json_member(claims, "exp"), &exp);
    fprintf(ctl->out, "valid for another %" APR_INT64_T_FMT " seconds%s\n", exp - apr_time_sec(apr_time_now()), remark);
    return RRCTL_OK;
}

int cmd_jwt_verify(rrctl_t *ctl, int argc, const char *const *argv)
{
    question_t question = { .algs = RR_ALGS_ASYMMETRIC, .policy.leeway = apr_time_from_sec(60) };
    const char *algs = NULL, *leeway = NULL, *max_lifetime = NULL, *word;
    apr_array_header_t *audiences = NULL;
    const jwt_option_t options[] = {
        { "jwks", .value = &question.jwks },
        { "secret", .value = &question.secret },
        { "issuer", .value = &question.policy.issuer },
        { "audience", .list = &audiences },
        { "leeway", .value = &leeway },
        { "max-lifetime", .value = &max_lifetime },
        { "sub-claim", .value = &question.policy.sub_claim },
        { "algorithms", .value = &algs },
        { NULL }
    };
    const rr_json_t *claims = NULL;
    rr_err_t err = RR_ERR_INIT;

    if (jwt_options(ctl, argc, argv, options, &word) != RRCTL_OK) {
        return RRCTL_USAGE;
    }
    if (!question.jwks == !question.secret) {
        return rrctl_usage(ctl, "one of --jwks and --secret is needed");
    }
    question.policy.audiences = audiences;
    question.algs = algs ? read_algs(ctl, algs) : question.secret ? RR_ALGS_SYMMETRIC : RR_ALGS_ASYMMETRIC;
    if (!question.algs) {
        return rrctl_usage(ctl, "--algorithms takes words of %s",
                           rr_alg_names(ctl->p, RR_ALGS_ASYMMETRIC | RR_ALGS_SYMMETRIC));
    }
    if ((leeway && rr_conf_duration(&question.policy.leeway, leeway) != APR_SUCCESS)
        || (max_lifetime && rr_conf_duration(&question.policy.max_lifetime, max_lifetime) != APR_SUCCESS)) {
        return rrctl_usage(ctl, "--leeway and --max-lifetime are durations, such as 60s or 1h");
    }
    if (jwt_key_set(&question.set, ctl, question.jwks, question.secret, &err) != APR_SUCCESS ||
        read_token(&question.token, ctl, word, &err) != APR_SUCCESS) {
        return rrctl_fail_err(ctl, &err);
    }
    judge(&claims, &question, ctl, &err);
    return report(&question, ctl, claims, &err);
}
