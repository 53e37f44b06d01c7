/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_fetch.c: one bounded HTTP exchange through libcurl.
 *
 * What libcurl would do for a browser's sake is switched off: redirects,
 * proxies of the environment, cookies, netrc, signals, connection reuse. What
 * remains is one connection, one answer, and limits on its time and size.
 *
 * Threads: rr_fetch from any thread; every call has a handle of its own.
 * Spec:    RFC 9111, 5.1 (Age), 5.2.2.1 (max-age).
 */
#include "rr_fetch.h"

#include <apr_strings.h>

#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_CONNECT_TIMEOUT apr_time_from_sec(2)
#define DEFAULT_TIMEOUT apr_time_from_sec(5)
#define MOST_MAX_AGE (APR_INT64_C(365) * 24 * 3600) /* seconds; more says nothing more, and cannot overflow */

/* One exchange while it runs. */
typedef struct exchange_t {
    apr_pool_t *p;
    char *body; /* malloc would not end with p when a callback fails: grows in p */
    apr_size_t len, room, most;
    apr_int64_t max_age, age; /* seconds; -1: not said */
    int clear;                /* http: loopback addresses only */
    int too_large, not_loopback, not_allowed;
    const rr_fetch_request_t *request;
} exchange_t;

static apr_status_t cleanup_curl(void *unused)
{
    (void)unused;
    curl_global_cleanup();
    return APR_SUCCESS;
}

apr_status_t rr_fetch_init(apr_pool_t *p, rr_err_t *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "libcurl cannot be initialised");
    }
    apr_pool_cleanup_register(p, NULL, cleanup_curl, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

static int is_loopback4(const struct in_addr *in)
{
    return (ntohl(in->s_addr) >> 24) == 127;
}

static int is_loopback6(const struct in6_addr *in)
{
    if (IN6_IS_ADDR_V4MAPPED(in)) {
        return in->s6_addr[12] == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(in);
}

/* Only literal addresses are judged here: what a name resolves to is known when connecting. */
static int is_foreign_literal(const char *host)
{
    struct in_addr in4;
    struct in6_addr in6;
    char bare[INET6_ADDRSTRLEN + 1];
    size_t len = strlen(host);

    if (inet_pton(AF_INET, host, &in4) == 1) {
        return !is_loopback4(&in4);
    }
    if (host[0] != '[' || len < 3 || len - 2 >= sizeof(bare)) {
        return host[0] == '[';
    }
    memcpy(bare, host + 1, len - 2);
    bare[len - 2] = '\0';
    return inet_pton(AF_INET6, bare, &in6) != 1 || !is_loopback6(&in6);
}

/* *phost lives in p; *pclear is true for http. */
static apr_status_t take_apart(const char **phost, int *pclear, const char *url, apr_pool_t *p, rr_err_t *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL, *fragment = NULL;
    apr_status_t rv = APR_SUCCESS;

    *phost = NULL;
    *pclear = 0;
    if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK
        || curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK
        || curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK || !host[0]) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "the URL must be absolute, https://HOST/PATH");
        goto leave;
    }
    *pclear = strcasecmp(scheme, "http") == 0;
    if (!*pclear && strcasecmp(scheme, "https") != 0) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "the URL's scheme must be https");
        goto leave;
    }
    if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK
        || curl_url_get(parts, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "the URL must not carry a user or password");
        goto leave;
    }
    if (curl_url_get(parts, CURLUPART_FRAGMENT, &fragment, 0) == CURLUE_OK) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "the URL must not have a fragment (#)");
        goto leave;
    }
    if (*pclear && is_foreign_literal(host)) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "clear http is for loopback addresses only; use https");
        goto leave;
    }
    *phost = apr_pstrdup(p, host);

leave:
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    curl_free(fragment);
    curl_url_cleanup(parts);
    return rv;
}

static apr_status_t check_bytes(const char *url, rr_err_t *err)
{
    const char *c;

    for (c = url; *c; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) {
            return rr_err_set(err, RR_EINVAL, NULL, "the URL holds a blank, control or non-ASCII character");
        }
    }
    return APR_SUCCESS;
}

/* A name that may stand for a loopback address; of literal ones, take_apart leaves no other in a clear URL. */
static int may_be_loopback(const char *host)
{
    struct in_addr in4;

    return host[0] == '[' || inet_pton(AF_INET, host, &in4) == 1 || strcasecmp(host, "localhost") == 0;
}

apr_status_t rr_fetch_check_url(const char *url, rr_err_t *err)
{
    const char *host;
    apr_pool_t *p;
    int clear;
    apr_status_t rv = check_bytes(url, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create(&p, NULL);
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, NULL, "out of memory");
    }
    rv = take_apart(&host, &clear, url, p, err);
    if (rv == APR_SUCCESS && clear && !may_be_loopback(host)) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "clear http is for loopback addresses and localhost only; use https");
    }
    apr_pool_destroy(p);
    return rv;
}

apr_status_t rr_fetch_check_ca_file(const char *path, rr_err_t *err)
{
    BIO *bio = BIO_new_file(path, "r");
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    apr_status_t rv = APR_SUCCESS;

    if (!bio) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "%s cannot be read; name a PEM file of certificates", path);
    }
    else if (!certificate) {
        rv = rr_err_set(err, RR_EINVAL, NULL, "%s holds no certificate; name a PEM file of certificates", path);
    }
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    return rv;
}

/* The socket is made only for an address that may be talked to: the name was resolved, nothing is sent yet. */
static curl_socket_t open_socket(void *baton, curlsocktype purpose, struct curl_sockaddr *address)
{
    exchange_t *x = baton;
    int loopback = 0;

    (void)purpose;
    if (address->family == AF_INET) {
        loopback = is_loopback4(&((const struct sockaddr_in *)(const void *)&address->addr)->sin_addr);
    }
    else if (address->family == AF_INET6) {
        loopback = is_loopback6(&((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_addr);
    }
    if (x->clear && !loopback) {
        x->not_loopback = 1;
        return CURL_SOCKET_BAD;
    }
    if (x->request->may_connect
        && !x->request->may_connect(x->request->baton, (const struct sockaddr *)(const void *)&address->addr)) {
        x->not_allowed = 1;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *baton)
{
    exchange_t *x = baton;
    apr_size_t more = size * count;

    if (more > x->most - x->len) {
        x->too_large = 1;
        return 0;
    }
    if (more >= x->room - x->len) { /* one byte stays free for the NUL */
        apr_size_t room = x->room;
        char *bigger;

        while (more >= room - x->len) {
            room *= 2;
        }
        bigger = apr_palloc(x->p, room);
        memcpy(bigger, x->body, x->len);
        x->body = bigger;
        x->room = room;
    }
    memcpy(x->body + x->len, bytes, more);
    x->len += more;
    return more;
}

/* A delta-seconds value; -1 where text is none. */
static apr_int64_t seconds(const char *text, apr_size_t len)
{
    apr_int64_t value = 0;
    apr_size_t i;

    for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
        value = value < MOST_MAX_AGE ? value * 10 + (text[i] - '0') : MOST_MAX_AGE;
    }
    return i ? (value < MOST_MAX_AGE ? value : MOST_MAX_AGE) : -1;
}

static void take_cache_control(exchange_t *x, const char *text, apr_size_t len)
{
    while (len) {
        const char *comma = memchr(text, ',', len);
        apr_size_t word = comma ? (apr_size_t)(comma - text) : len;
        const char *at = text;
        apr_size_t left = word;

        while (left && (*at == ' ' || *at == '\t')) {
            at++, left--;
        }
        if (left > 8 && strncasecmp(at, "max-age=", 8) == 0) {
            apr_size_t quote = at[8] == '"';
            apr_int64_t value = seconds(at + 8 + quote, left - 8 - quote);

            /* Said twice: the shorter one holds. */
            if (value >= 0 && (x->max_age < 0 || value < x->max_age)) {
                x->max_age = value;
            }
        }
        else if ((left >= 8 && strncasecmp(at, "no-store", 8) == 0)
                 || (left >= 8 && strncasecmp(at, "no-cache", 8) == 0)) {
            x->max_age = 0;
        }
        if (!comma) {
            break;
        }
        text += word + 1;
        len -= word + 1;
    }
}

static size_t take_header(char *bytes, size_t size, size_t count, void *baton)
{
    static const char cache_control[] = "cache-control:", age[] = "age:";
    exchange_t *x = baton;
    apr_size_t len = size * count;
    apr_size_t left = len;

    while (left && (bytes[left - 1] == '\r' || bytes[left - 1] == '\n')) {
        left--;
    }
    if (left >= 5 && strncasecmp(bytes, "HTTP/", 5) == 0) { /* 100 Continue came before, with headers of its own */
        x->max_age = x->age = -1;
    }
    else if (left >= sizeof(cache_control) - 1 && strncasecmp(bytes, cache_control, sizeof(cache_control) - 1) == 0) {
        take_cache_control(x, bytes + sizeof(cache_control) - 1, left - (sizeof(cache_control) - 1));
    }
    else if (left >= sizeof(age) - 1 && strncasecmp(bytes, age, sizeof(age) - 1) == 0) {
        const char *at = bytes + sizeof(age) - 1;

        left -= sizeof(age) - 1;
        while (left && (*at == ' ' || *at == '\t')) {
            at++, left--;
        }
        x->age = seconds(at, left);
    }
    return len;
}

/* True if every option was accepted: one that libcurl does not know would be a protection that is not there. */
static int set_up(CURL *curl, const rr_fetch_request_t *request, exchange_t *x, struct curl_slist *headers, char *why)
{
    apr_interval_time_t timeout = request->timeout > 0 ? request->timeout : DEFAULT_TIMEOUT;
    apr_interval_time_t connect = request->connect_timeout > 0 ? request->connect_timeout : DEFAULT_CONNECT_TIMEOUT;
    long timeout_ms = (long)apr_time_as_msec(timeout) + 1;
    long connect_ms = (long)apr_time_as_msec(connect < timeout ? connect : timeout) + 1;
    int ok = 1;

#define SET(option, value) (ok = ok && curl_easy_setopt(curl, option, value) == CURLE_OK)
    SET(CURLOPT_URL, request->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, x->clear ? "http" : "https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(x->clear ? CURLPROTO_HTTP : CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_TIMEOUT_MS, timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)x->most);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, x);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (request->ca_file) {
        SET(CURLOPT_CAINFO, request->ca_file);
        SET(CURLOPT_CAPATH, NULL); /* or the system's directory would go on counting beside the file */
    }
    SET(CURLOPT_USERAGENT, "mod_rr/" RR_VERSION);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_ERRORBUFFER, why);
    if (request->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request->body));
        SET(CURLOPT_POSTFIELDS, request->body);
    }
    if (request->basic_user) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, request->basic_user);
        SET(CURLOPT_PASSWORD, request->basic_password ? request->basic_password : "");
    }
#undef SET
    return ok;
}

static apr_status_t explain(const exchange_t *x, CURLcode code, const char *host, const char *why, rr_err_t *err)
{
    if (x->not_allowed) {
        return rr_err_set(err, RR_EDENIED, host, "%s resolves to an address that is not allowed", host);
    }
    if (x->not_loopback) {
        return rr_err_set(err, RR_EUNAVAIL, host, "%s is no loopback address, and clear http is for those only", host);
    }
    if (x->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        return rr_err_set(err, RR_EUNAVAIL, host, "%s answered with more than %" APR_SIZE_T_FMT " bytes", host,
                          x->most);
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return rr_err_set(err, RR_EUNAVAIL, host, "%s did not answer in time", host);
    }
    return rr_err_set(err, RR_EUNAVAIL, host, "%s: %s", host, why[0] ? why : curl_easy_strerror(code));
}

apr_status_t rr_fetch(rr_fetch_response_t *response, const rr_fetch_request_t *request, apr_pool_t *p, rr_err_t *err)
{
    char why[CURL_ERROR_SIZE] = "";
    exchange_t x = { .p = p, .max_age = -1, .age = -1, .request = request };
    struct curl_slist *headers = NULL, *longer;
    CURL *curl = NULL;
    CURLcode code;
    const char *host;
    long status = 0;
    apr_status_t rv;

    memset(response, 0, sizeof(*response));
    response->max_age = -1;
    rv = check_bytes(request->url, err);
    if (rv == APR_SUCCESS) {
        rv = take_apart(&host, &x.clear, request->url, p, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    x.most = request->max_bytes ? request->max_bytes : RR_MAX_JWKS;
    x.room = 4096;
    x.body = apr_palloc(p, x.room);

    headers = curl_slist_append(NULL, apr_pstrcat(p, "Accept: ", request->accept ? request->accept : "application/json",
                                                  NULL));
    longer = curl_slist_append(headers, "Expect:"); /* a small POST does not wait for 100 Continue */
    curl = curl_easy_init();
    if (!headers || !longer || !curl || !set_up(curl, request, &x, headers, why)) {
        rv = rr_err_set(err, RR_EUNAVAIL, host, "libcurl cannot be set up%s%s", why[0] ? ": " : "", why);
        goto leave;
    }
    code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        rv = explain(&x, code, host, why, err);
        goto leave;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300 && status < 400) {
        rv = rr_err_set(err, RR_EUNAVAIL, host, "%s answered with a redirect (%ld), which is not followed", host,
                        status);
        goto leave;
    }
    x.body[x.len] = '\0';
    response->status = (int)status;
    response->body = x.body;
    response->len = x.len;
    if (x.max_age >= 0) {
        apr_int64_t left = x.max_age - (x.age > 0 ? x.age : 0);

        response->max_age = apr_time_from_sec(left > 0 ? left : 0);
    }

leave:
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return rv;
}
