/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_path.c: one reading of a request path, or none.
 *
 * Spec: RFC 3986, 3.3 and 5.2.4; RFC 9112, 3.2.
 */
#include "rr_path.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include <string.h>

static apr_status_t refuse(rr_err_t *err, const char *hazard)
{
    return rr_err_set(err, RR_EINVAL, "path", "the request path has %s", hazard);
}

static int hex(char c)
{
    return apr_isdigit(c) ? c - '0' : apr_isxdigit(c) ? apr_tolower(c) - 'a' + 10 : -1;
}

/* The path of a target and its length; NULL where the target has none. */
static const char *path_of(const char *target, apr_size_t *len)
{
    const char *at = target;

    if (*at != '/') {
        while (apr_isalnum(*at) || (*at && strchr("+-.", *at))) {
            at++;
        }
        if (at == target || strncmp(at, "://", 3)) {
            return NULL;
        }
        at += 3;
        at += strcspn(at, "/?#");
        if (*at != '/') {
            *len = 1;
            return "/";
        }
    }
    *len = strcspn(at, "?#");
    return at;
}

/* Decodes once. Only what has no decoded form at all is an error here. */
static apr_status_t decode(char *out, const char *path, apr_size_t len, rr_path_mode_e mode, rr_err_t *err)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        char c = path[i];

        if (c == '%') {
            const int high = i + 2 < len ? hex(path[i + 1]) : -1;
            const int low = i + 2 < len ? hex(path[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return refuse(err, "a broken percent-code");
            }
            c = (char)(high << 4 | low);
            i += 2;
            if (c == '\0') {
                return refuse(err, "an encoded NUL");
            }
            if (mode == RR_PATH_STRICT && (c == '/' || c == '\\')) {
                return refuse(err, c == '/' ? "an encoded slash" : "an encoded backslash");
            }
        }
        *out++ = c;
    }
    *out = '\0';
    return APR_SUCCESS;
}

/* Two or three bytes that decoders without checks take for a character that has a shorter form, '/' among them. */
static int is_overlong(const unsigned char *c)
{
    return c[0] == 0xc0 || c[0] == 0xc1 || (c[0] == 0xe0 && c[1] >= 0x80 && c[1] < 0xa0) ||
           (c[0] == 0xf0 && c[1] >= 0x80 && c[1] < 0x90);
}

static int is_dots(const char *segment, apr_size_t len)
{
    return (len == 1 && segment[0] == '.') || (len == 2 && segment[0] == '.' && segment[1] == '.');
}

static apr_status_t check_bytes(const char *path, rr_err_t *err)
{
    const char *c;

    for (c = path; *c; c++) {
        if (apr_iscntrl(*c)) {
            return refuse(err, "a control character");
        }
        if (*c == '\\') {
            return refuse(err, "a backslash");
        }
        if (*c == ';') {
            return refuse(err, "a semicolon");
        }
        if (*c == '%' && ((hex(c[1]) >= 0 && hex(c[2]) >= 0) || c[1] == 'u' || c[1] == 'U')) {
            return refuse(err, "a double encoding");
        }
        if (is_overlong((const unsigned char *)c)) {
            return refuse(err, "an overlong character");
        }
    }
    return APR_SUCCESS;
}

/* What a decoded path must not hold, so that every backend reads it as we do. */
static apr_status_t check_decoded(const char *path, rr_err_t *err)
{
    const char *segment, *end;
    apr_status_t rv;

    if (*path != '/') {
        return refuse(err, "no leading slash");
    }
    if ((rv = check_bytes(path, err)) != APR_SUCCESS) {
        return rv;
    }
    for (segment = path + 1; *segment; segment = *end ? end + 1 : end) {
        end = segment + strcspn(segment, "/");
        if (end == segment) {
            return refuse(err, "an empty segment");
        }
        if (is_dots(segment, end - segment)) {
            return refuse(err, "a dot segment");
        }
    }
    return APR_SUCCESS;
}

/* Resolves dot segments and merges slashes in place, as the server does for its own uri. */
static void flatten(char *path)
{
    char *out = path;
    const char *segment = path, *end;

    while (*segment) {
        segment += strspn(segment, "/");
        end = segment + strcspn(segment, "/");
        if (end - segment == 2 && is_dots(segment, 2)) {
            while (out > path && *--out != '/') {
            }
            if (!*end) {
                *out++ = '/';
            }
        } else if (is_dots(segment, end - segment)) {
            if (!*end) {
                *out++ = '/';
            }
        } else {
            *out++ = '/';
            memmove(out, segment, end - segment);
            out += end - segment;
        }
        segment = end;
    }
    if (out == path) {
        *out++ = '/';
    }
    *out = '\0';
}

/* Bytes that stand for themselves in every reading: 1; a slash: 2, since it does not before a dot or another. */
static const char plain[256] = { ['a' ... 'z'] = 1, ['A' ... 'Z'] = 1, ['0' ... '9'] = 1, ['-'] = 1, ['_'] = 1,
                                 ['.'] = 1,         ['~'] = 1,         ['/'] = 2,         [':'] = 1, ['@'] = 1,
                                 ['+'] = 1,         [','] = 1,         ['='] = 1,         ['&'] = 1 };

/* The length of a path that is canonical as it stands, which nearly all are; 0: it takes a closer look. */
static apr_size_t plain_len(const char *target)
{
    const unsigned char *at = (const unsigned char *)target;
    char kind;

    if (*at != '/') {
        return 0;
    }
    for (; (kind = plain[*at]); at++) {
        if (kind == 2 && (at[1] == '/' || at[1] == '.')) {
            return 0;
        }
    }
    return *at == '\0' || (*at == '?' && !strchr((const char *)at, '#')) ? (apr_size_t)((const char *)at - target) : 0;
}

apr_status_t rr_path_canonical(const char **ppath, const char *target, rr_path_mode_e mode, apr_pool_t *p,
                               rr_err_t *err)
{
    apr_size_t len;
    apr_status_t rv;
    const char *raw;
    char *path;

    if ((len = plain_len(target))) {
        *ppath = apr_pstrmemdup(p, target, len);
        return APR_SUCCESS;
    }
    *ppath = NULL;
    if (!strcmp(target, "*")) { /* OPTIONS for the server itself */
        *ppath = target;
        return APR_SUCCESS;
    }
    if (!(raw = path_of(target, &len))) {
        return refuse(err, "no leading slash");
    }
    if (mode == RR_PATH_STRICT && strchr(raw, '#')) {
        return refuse(err, "a fragment");
    }
    path = apr_palloc(p, len + 2);
    if ((rv = decode(path, raw, len, mode, err)) != APR_SUCCESS) {
        return rv;
    }
    if (mode == RR_PATH_LENIENT) {
        flatten(path);
    } else if ((rv = check_decoded(path, err)) != APR_SUCCESS) {
        return rv;
    }
    *ppath = path;
    return APR_SUCCESS;
}

apr_status_t rr_path_judged(const char **ppath, const char *target, const char *uri, rr_path_mode_e mode,
                            apr_pool_t *p, rr_err_t *err)
{
    const apr_size_t len = plain_len(target);
    const char *again;
    rr_err_t ignored = RR_ERR_INIT;
    apr_status_t rv;

    if (len && !strncmp(target, uri, len) && !uri[len]) {
        *ppath = uri; /* nearly always: nothing was decoded, nothing rewritten */
        return APR_SUCCESS;
    }
    if ((rv = rr_path_canonical(ppath, target, mode, p, err)) != APR_SUCCESS || !strcmp(*ppath, uri)) {
        return rv;
    }
    /* Under mapping=encoded the server keeps its uri encoded: the same path, one decoding behind. */
    if (rr_path_canonical(&again, uri, mode, p, &ignored) == APR_SUCCESS && !strcmp(*ppath, again)) {
        return APR_SUCCESS;
    }
    *ppath = NULL;
    if (mode == RR_PATH_STRICT && (rv = check_decoded(uri, err)) != APR_SUCCESS) {
        return rv;
    }
    *ppath = uri;
    return APR_SUCCESS;
}

const char *rr_path_below(const char *path, const char *mount)
{
    apr_size_t len = strlen(mount);

    while (len > 0 && mount[len - 1] == '/') {
        len--;
    }
    if (strncmp(path, mount, len) || (path[len] && path[len] != '/')) {
        return NULL;
    }
    return path[len] ? path + len : "/";
}
