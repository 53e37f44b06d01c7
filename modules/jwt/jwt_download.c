/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_download.c: a key set as it comes from its issuer, and the file that
 * keeps it for the other children and the next start.
 *
 * The file is a few lines of header and the text as it came:
 *
 *   mod_rr key set 1
 *   issuer https://id.example.com/
 *   source discovery
 *   jwks https://id.example.com/keys
 *   discovered 1764000000000000
 *   fetched 1764000000000000
 *   max-age -1
 *   (an empty line)
 *   {"keys":[...]}
 *
 * Spec: OpenID Connect Discovery 1.0, 4; RFC 8414, 3.
 */
#include "jwt.h"

#include "rr_file.h"

#include <unixd.h>

#include <apr_escape.h>
#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>

#include <openssl/sha.h>

#include <string.h>
#include <unistd.h>

#define MAGIC "mod_rr key set 1"
#define MOST_STATE (RR_MAX_JWKS + 16384)

/* ---- from the issuer ---- */

/* GETs url and insists on 200. */
static apr_status_t get(rr_fetch_response_t *response, const char *url, const rr_fetch_request_t *how,
                        apr_time_t deadline, apr_pool_t *p, rr_err_t *err)
{
    rr_fetch_request_t request = *how;
    apr_status_t rv;

    request.url = url;
    request.timeout = deadline - apr_time_now();
    if (request.timeout <= 0) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "no time is left to fetch %s", url);
    }
    rv = rr_fetch(response, &request, p, err);
    if (rv == APR_SUCCESS && response->status != 200) {
        rv = rr_err_set(err, RR_EUNAVAIL, NULL, "%s answered with status %d", url, response->status);
    }
    return rv;
}

/* Reads a discovery document. RR_EDENIED: it is another issuer's, or names no address to trust. */
static apr_status_t read_document(const char **pjwks_url, const rr_fetch_response_t *response, const char *issuer,
                                  const char *url, apr_pool_t *p, rr_err_t *err)
{
    const rr_json_t *document;
    const char *said;
    rr_err_t why = RR_ERR_INIT;

    if (rr_json_parse_object(&document, response->body, response->len, p, &why) != APR_SUCCESS) {
        return rr_err_set(err, RR_EINVAL, NULL, "%s is no discovery document: %s", url, rr_err_text(&why));
    }
    said = rr_json_string(rr_json_member(document, "issuer"));
    if (!said || strcmp(said, issuer) != 0) {
        return rr_err_set(err, RR_EDENIED, "issuer", "%s is the document of issuer \"%.80s\", not of \"%.80s\" (the "
                          "texts must be equal, trailing slash and all)", url, said ? said : "", issuer);
    }
    *pjwks_url = rr_json_string(rr_json_member(document, "jwks_uri"));
    if (!*pjwks_url) {
        return rr_err_set(err, RR_EINVAL, "jwks_uri", "%s has no jwks_uri", url);
    }
    if (rr_fetch_check_url(*pjwks_url, &why) != APR_SUCCESS) {
        return rr_err_set(err, RR_EDENIED, "jwks_uri", "the jwks_uri of %s is refused: %s", url, rr_err_text(&why));
    }
    return APR_SUCCESS;
}

/* OpenID Connect appends to the issuer's path, RFC 8414 puts its part between host and path. err is fresh. */
static apr_status_t discover(const char **pjwks_url, const char *issuer, const rr_fetch_request_t *how,
                             apr_time_t deadline, apr_pool_t *p, rr_err_t *err)
{
    rr_fetch_response_t response;
    const char *host = strstr(issuer, "://") + 3; /* an absolute URL: judged with the configuration */
    const char *path = host + strcspn(host, "/");
    apr_size_t len = strlen(issuer);
    const char *bare, *urls[2];
    apr_status_t rv = RR_EUNAVAIL;
    int i;

    while (len > (apr_size_t)(path - issuer) && issuer[len - 1] == '/') {
        len--;
    }
    bare = apr_pstrmemdup(p, issuer, len);
    urls[0] = apr_pstrcat(p, bare, "/.well-known/openid-configuration", NULL);
    urls[1] = apr_pstrcat(p, apr_pstrmemdup(p, issuer, (apr_size_t)(path - issuer)),
                          "/.well-known/oauth-authorization-server", bare + (path - issuer), NULL);
    *pjwks_url = NULL;
    for (i = 0; i < 2 && rv != APR_SUCCESS && rv != RR_EDENIED; i++) {
        rr_err_t why = RR_ERR_INIT;

        rv = get(&response, urls[i], how, deadline, p, &why);
        if (rv == APR_SUCCESS) {
            rv = read_document(pjwks_url, &response, issuer, urls[i], p, &why);
        }
        if (rv == RR_EDENIED || !i) { /* the first address is the usual one: its error is told */
            *err = why;
        }
    }
    if (rv == APR_SUCCESS) {
        rr_err_clear(err);
    }
    return rv;
}

apr_status_t jwt_download(jwt_download_t *download, const char *issuer, const char *jwks_url,
                          const rr_fetch_request_t *how, apr_time_t deadline, apr_pool_t *p, rr_err_t *err)
{
    rr_fetch_response_t response;
    apr_status_t rv;

    memset(download, 0, sizeof(*download));
    download->fetched = apr_time_now();
    download->jwks_url = jwks_url;
    if (!jwks_url) {
        rv = discover(&download->jwks_url, issuer, how, deadline, p, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        download->discovered = download->fetched;
    }
    rv = get(&response, download->jwks_url, how, deadline, p, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    download->text = response.body;
    download->len = response.len;
    download->max_age = response.max_age;
    return APR_SUCCESS;
}

/* ---- the file ---- */

apr_status_t jwt_state_directory(const char *dir, apr_pool_t *p, rr_err_t *err)
{
    uid_t user = geteuid() == 0 ? ap_unixd_config.user_id : geteuid();
    apr_finfo_t info;
    char reason[128];
    apr_status_t rv = apr_dir_make(dir, APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE, p);

    if (rv == APR_SUCCESS && geteuid() == 0 && lchown(dir, user, ap_unixd_config.group_id) != 0) {
        rv = apr_get_os_error();
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EEXIST(rv)) {
        return rr_err_set(err, rv, NULL, "the directory %s cannot be made (%s): make its parent, or name another "
                          "with RRJwtStateDir", dir, apr_strerror(rv, reason, sizeof(reason)));
    }
    rv = apr_stat(&info, dir, APR_FINFO_TYPE | APR_FINFO_OWNER | APR_FINFO_PROT | APR_FINFO_LINK, p);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rr_err_set(err, rv, NULL, "the directory %s cannot be looked at: %s", dir,
                          apr_strerror(rv, reason, sizeof(reason)));
    }
    if (info.filetype != APR_DIR || info.user != user || info.protection & (APR_FPROT_GWRITE | APR_FPROT_WWRITE)) {
        return rr_err_set(err, RR_EDENIED, NULL, "%s must be a directory that only httpd's user (uid %ld) may write: "
                          "chown and chmod 700 it, or name another with RRJwtStateDir", dir, (long)user);
    }
    return APR_SUCCESS;
}

static const char *source_of(const char *jwks_url)
{
    return jwks_url ? jwks_url : "discovery";
}

const char *jwt_state_path(apr_pool_t *p, const char *dir, const char *issuer, const char *jwks_url,
                           const rr_target_allow_t *allow)
{
    const char *name = apr_pstrcat(p, issuer, "\n", source_of(jwks_url), allow ? "\n" : NULL,
                                   allow ? allow->words : NULL, NULL);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];

    SHA256((const unsigned char *)name, strlen(name), digest);
    apr_escape_hex(hex, digest, sizeof(digest), 0, NULL);
    return apr_pstrcat(p, dir, "/", hex, ".jwks", NULL);
}

/* The value of the next line, which must start with name and a blank; NULL: it does not. */
static const char *take_line(char **prest, const char *name)
{
    char *line = *prest ? strsep(prest, "\n") : NULL;
    apr_size_t len = strlen(name);

    return line && strncmp(line, name, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

/* True where text is a whole number. */
static int take_number(apr_int64_t *pnumber, const char *text)
{
    char *end = NULL;

    errno = 0;
    *pnumber = text ? apr_strtoi64(text, &end, 10) : 0;
    return text && *text && !*end && !errno;
}

apr_status_t jwt_state_read(jwt_download_t *download, const char *path, const char *issuer, const char *jwks_url,
                            apr_pool_t *p, rr_err_t *err)
{
    const char *said_issuer, *said_source;
    char *text, *rest;
    apr_size_t len;
    apr_status_t rv = rr_file_read(&text, &len, path, MOST_STATE, p, err);

    memset(download, 0, sizeof(*download));
    if (rv != APR_SUCCESS) {
        return APR_STATUS_IS_ENOENT(rv) ? APR_ENOENT : rv;
    }
    rest = text;
    if (!take_line(&rest, "mod_rr") || strcmp(text, MAGIC) != 0) {
        return rr_err_set(err, RR_EINVAL, NULL, "%s is no key set of this version", path);
    }
    said_issuer = take_line(&rest, "issuer");
    said_source = take_line(&rest, "source");
    download->jwks_url = take_line(&rest, "jwks");
    if (!said_issuer || !said_source || !download->jwks_url || strcmp(said_issuer, issuer) != 0
        || strcmp(said_source, source_of(jwks_url)) != 0) {
        return rr_err_set(err, RR_EINVAL, NULL, "%s is another issuer's", path);
    }
    if (!take_number(&download->discovered, take_line(&rest, "discovered"))
        || !take_number(&download->fetched, take_line(&rest, "fetched"))
        || !take_number(&download->max_age, take_line(&rest, "max-age")) || !rest || *rest != '\n') {
        return rr_err_set(err, RR_EINVAL, NULL, "%s is damaged", path);
    }
    download->text = rest + 1;
    download->len = len - (apr_size_t)(download->text - text);
    return APR_SUCCESS;
}

apr_status_t jwt_state_write(const jwt_download_t *download, const char *path, const char *issuer,
                             const char *jwks_url, apr_pool_t *p, rr_err_t *err)
{
    const char *fresh = apr_psprintf(p, "%s.%" APR_PID_T_FMT ".new", path, getpid());
    const char *head = apr_psprintf(p, MAGIC "\nissuer %s\nsource %s\njwks %s\ndiscovered %" APR_TIME_T_FMT
                                    "\nfetched %" APR_TIME_T_FMT "\nmax-age %" APR_TIME_T_FMT "\n\n", issuer, source_of(jwks_url),
                                    download->jwks_url, download->discovered, download->fetched, download->max_age);
    apr_file_t *file;
    char reason[128];
    apr_status_t rv, closed;

    rv = apr_file_open(&file, fresh, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE | APR_FOPEN_BINARY,
                       APR_FPROT_UREAD | APR_FPROT_UWRITE, p);
    if (rv == APR_SUCCESS) {
        rv = apr_file_write_full(file, head, strlen(head), NULL);
        if (rv == APR_SUCCESS) {
            rv = apr_file_write_full(file, download->text, download->len, NULL);
        }
        closed = apr_file_close(file);
        rv = rv == APR_SUCCESS ? closed : rv;
        if (rv == APR_SUCCESS) {
            rv = apr_file_rename(fresh, path, p);
        }
        if (rv != APR_SUCCESS) {
            apr_file_remove(fresh, p);
        }
    }
    if (rv != APR_SUCCESS) {
        return rr_err_set(err, rv, NULL, "%s cannot be written: %s", path, apr_strerror(rv, reason, sizeof(reason)));
    }
    return APR_SUCCESS;
}
