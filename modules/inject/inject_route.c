/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_route.c: a request's place at its target.
 *
 * The target gets what the client sent below the mount, byte for byte, so that
 * nothing is encoded twice; where httpd read the path in another way than the
 * client wrote it, it gets what httpd read, encoded once.
 */
#include "inject.h"

#include <http_core.h>
#include <http_request.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

inject_request_t *inject_request_peek(request_rec *r)
{
    return ap_get_module_config(r->request_config, &rr_inject_module);
}

inject_request_t *inject_request(request_rec *r)
{
    inject_request_t *own = inject_request_peek(r);

    if (!own) {
        own = apr_pcalloc(r->pool, sizeof(*own));
        ap_set_module_config(r->request_config, &rr_inject_module, own);
    }
    return own;
}

/* ---- the path ---- */

/* Length of what lies before the rest in the decoded path: the mount, and a gateway's segment. */
static apr_size_t head_length(request_rec *r, const rr_route_t *route)
{
    apr_size_t len = strlen(route->mount), all = strlen(r->uri);

    while (len && route->mount[len - 1] == '/') {
        len--;
    }
    len = len < all ? len : all;
    if (route->gateway) {
        len += r->uri[len] == '/';
        len += strcspn(r->uri + len, "/");
    }
    return len;
}

/* The path of the request line and its length; "" where there is none. */
static const char *raw_path(request_rec *r, apr_size_t *plen)
{
    const char *raw = r->unparsed_uri ? r->unparsed_uri : "", *authority;

    if (*raw != '/' && (authority = strstr(raw, "://"))) {
        raw = authority + 3 + strcspn(authority + 3, "/?#");
    }
    *plen = strcspn(raw, "?#");
    return raw;
}

static int hex(char c)
{
    return apr_isdigit(c) ? c - '0' : apr_isxdigit(c) ? apr_tolower(c) - 'a' + 10 : -1;
}

/* One character of the raw path at *at, decoded; its code is *at's until the next. -1: a broken code. */
static int next_raw(const char *raw, apr_size_t len, apr_size_t *at)
{
    apr_size_t i = *at;

    if (raw[i] != '%') {
        *at = i + 1;
        return (unsigned char)raw[i];
    }
    if (i + 2 >= len || hex(raw[i + 1]) < 0 || hex(raw[i + 2]) < 0) {
        return -1;
    }
    *at = i + 3;
    return hex(raw[i + 1]) << 4 | hex(raw[i + 2]);
}

/*
 * Where the raw path has what uri has at head, if both are one path in two
 * spellings; NULL: httpd resolved dots or merged slashes.
 */
static const char *raw_rest(const char *raw, apr_size_t len, const char *uri, apr_size_t head)
{
    const char *rest = head ? NULL : raw;
    apr_size_t i = 0, k = 0, before;
    int c;

    if (!strncmp(raw, uri, len) && !uri[len] && !memchr(raw, '%', len)) {
        return raw + head; /* one spelling, as nearly always */
    }
    while (i < len) {
        before = i;
        c = next_raw(raw, len, &i);
        if (c == (unsigned char)uri[k] && c) {
            k++;
        }
        else if (c == '/' && i - before == 3 && !apr_cstr_casecmpn(uri + k, raw + before, 3)) {
            k += 3; /* AllowEncodedSlashes NoDecode */
        }
        else {
            return NULL;
        }
        if (k == head) {
            rest = raw + i;
        }
    }
    return uri[k] ? NULL : rest;
}

/*
 * Bits of the characters that may stand in a path as they are (RFC 3986, 3.3), and that common backends are sent
 * besides: all that are printed but " # < > ? \ ^ ` { | }
 */
static const apr_uint32_t path_chars[4] = { 0, 0x2ffffff2, 0xafffffff, 0x47fffffe };

/* Whether c goes as it is; keep_codes: '%' begins a code already. */
static int stands(unsigned char c, int keep_codes)
{
    return c < 128 && path_chars[c / 32] >> c % 32 & 1 && (keep_codes || c != '%');
}

/* text with every character encoded that cannot stand in a path. */
static const char *encode_path(apr_pool_t *p, const char *text, apr_size_t len, int keep_codes)
{
    apr_size_t i = 0;
    char *out, *to;

    while (i < len && stands((unsigned char)text[i], keep_codes)) {
        i++;
    }
    if (i == len) {
        return apr_pstrmemdup(p, text, len); /* nearly always */
    }
    to = out = apr_palloc(p, 3 * len + 1);
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (stands(c, keep_codes)) {
            *to++ = (char)c;
        }
        else {
            *to++ = '%';
            *to++ = INJECT_DIGITS[c >> 4];
            *to++ = INJECT_DIGITS[c & 15];
        }
    }
    *to = '\0';
    return out;
}

const char *inject_rest(request_rec *r, const rr_route_t *route)
{
    apr_size_t len, head = head_length(r, route);
    const char *raw = raw_path(r, &len), *rest = raw_rest(raw, len, r->uri, head);

    if (rest) {
        return encode_path(r->pool, rest, (apr_size_t)(raw + len - rest), 1);
    }
    return encode_path(r->pool, r->uri + head, strlen(r->uri + head), 0);
}

/* "proxy:" and the URL, as mod_proxy wants it. */
static char *print_filename(apr_pool_t *p, const char *base, const char *rest)
{
    apr_size_t len = strlen(base);

    while (len && base[len - 1] == '/' && *rest) {
        len--;
    }
    return apr_pstrcat(p, "proxy:", base[len] ? apr_pstrmemdup(p, base, len) : base, *rest && *rest != '/' ? "/" : "",
                       rest, NULL);
}

/* ---- phases ---- */

/*
 * Marked now, so that the <Proxy> sections of the target apply and no directory
 * is walked. Whether r may go there is decided later, as for every proxy.
 */
int inject_translate(request_rec *r)
{
    const rr_route_t *route = inject_core->route_get(r);
    inject_request_t *own;

    if (!route || !route->proxy || !route->proxy->target) {
        return DECLINED; /* core's: nothing is there to go to */
    }
    own = inject_request(r);
    r->filename = print_filename(r->pool, route->proxy->target->base_url, inject_rest(r, route));
    own->filename = r->filename;
    r->proxyreq = PROXYREQ_REVERSE;
    r->handler = "proxy-server";
    apr_table_setn(r->notes, "proxy-noencode", "1");
    return OK;
}

int inject_translate_rewritten(request_rec *r)
{
    int status = inject_core->route_follow(r);

    if (status == OK) {
        inject_translate(r); /* what it declines stays core's */
    }
    return status;
}

/* ---- the way back ---- */

/* The mount as a path, with the gateway's segment. */
static const char *mount_path(request_rec *r, const rr_route_t *route)
{
    apr_size_t head = head_length(r, route);

    return head ? encode_path(r->pool, r->uri, head, 0) : "";
}

const char *inject_map_location(request_rec *r, const char *location)
{
    const rr_route_t *route = inject_core->route_get(r);
    inject_request_t *own = inject_request_peek(r);
    const char *origin, *rest, *mapped;
    apr_size_t len;

    if (!route || !own || !own->worker) {
        return location;
    }
    if (location[0] == '/' && location[1] == '/') {
        location = apr_pstrcat(r->pool, own->worker->clear ? "http:" : "https:", location, NULL);
    }
    else if (location[0] == '/') {
        location = apr_pstrcat(r->pool, own->worker->origin, location, NULL);
    }
    origin = inject_origin(r->pool, location, &rest);
    len = strlen(own->worker->base_path);
    if (!origin || strcmp(origin, own->worker->origin) || strncmp(rest, own->worker->base_path, len)
        || (rest[len] && !strchr("/?#", rest[len]))) {
        return location;
    }
    mapped = apr_pstrcat(r->pool, mount_path(r, route), rest + len, NULL);
    return *mapped == '/' ? mapped : apr_pstrcat(r->pool, "/", mapped, NULL);
}
