/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_mask.c: what comes back from a target: its headers put right, the
 * credential that it was sent overwritten wherever it is echoed.
 *
 * Overwritten by as many asterisks, so that no length changes. The end of what
 * was read is held back while it may be the beginning of a secret, also across a
 * flush: at most one byte less than the longest form of the secret.
 *
 * Of bodies only text is looked at: a compressed or binary one is passed as it
 * is, and a range may begin inside of a secret, which is why neither compression
 * nor ranges are asked for (inject_apply.c).
 */
#include "inject.h"

#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>

#include <apr_base64.h>
#include <apr_buckets.h>
#include <apr_cstr.h>
#include <apr_strings.h>

#define LEAST 12        /* bytes: shorter texts occur by chance */
#define MOST_WINDOW 128 /* what a byte of skip has room for */

static ap_filter_rec_t *mask_filter; /* written when hooks are registered */

/* ---- what is looked for ---- */

static void add_mask(apr_array_header_t *masks, const char *bytes, apr_size_t len)
{
    inject_mask_t *mask;
    int i;

    for (i = 0; i < masks->nelts; i++) {
        mask = &APR_ARRAY_IDX(masks, i, inject_mask_t);
        if (mask->len == len && !memcmp(mask->bytes, bytes, len)) { /* lint: our own forms of one secret */
            return;
        }
    }
    if (len >= LEAST) {
        mask = apr_array_push(masks);
        mask->bytes = bytes;
        mask->len = len;
    }
}

/* As base64 of it, alone (without padding) and with more behind it, which its last bits then depend on. */
static void add_base64(apr_pool_t *p, apr_array_header_t *masks, const char *secret, apr_size_t len)
{
    char *coded = apr_palloc(p, (apr_size_t)apr_base64_encode_len((int)len)), *url, *c;
    apr_size_t alone, whole = len / 3 * 4 + len % 3;

    apr_base64_encode(coded, secret, (int)len);
    alone = strcspn(coded, "=");
    add_mask(masks, coded, alone);
    add_mask(masks, coded, whole < alone ? whole : alone);
    url = apr_pstrdup(p, coded);
    for (c = url; *c; c++) {
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    }
    add_mask(masks, url, alone);
    add_mask(masks, url, whole < alone ? whole : alone);
}

static void add_text(apr_array_header_t *masks, const char *text)
{
    add_mask(masks, text, strlen(text));
}

static void add_json(apr_pool_t *p, apr_array_header_t *masks, const char *secret, apr_size_t len, int slashes)
{
    char *out = apr_palloc(p, 2 * len + 1), *to = out;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (secret[i] == '"' || secret[i] == '\\' || (slashes && secret[i] == '/')) {
            *to++ = '\\';
        }
        *to++ = secret[i];
    }
    *to = '\0';
    add_mask(masks, out, (apr_size_t)(to - out));
}

/* Every byte as before and its two digits: %41%42, \u0041\u0042. */
static void add_coded(apr_pool_t *p, apr_array_header_t *masks, const char *secret, apr_size_t len, const char *before,
                      const char *digits)
{
    const apr_size_t before_len = strlen(before);
    char *out = apr_palloc(p, (before_len + 2) * len + 1), *to = out;
    apr_size_t i;

    for (i = 0; len >= LEAST && i < len; i++) {
        memcpy(to, before, before_len);
        to += before_len;
        *to++ = digits[(unsigned char)secret[i] >> 4];
        *to++ = digits[secret[i] & 15];
    }
    *to = '\0';
    add_mask(masks, out, (apr_size_t)(to - out));
}

static int longest_first(const void *a, const void *b)
{
    const inject_mask_t *left = a, *right = b;

    return left->len < right->len ? 1 : left->len > right->len ? -1 : 0;
}

static void find_leaders(apr_array_header_t *masks)
{
    char seen[256] = { 0 };
    int i;

    for (i = 0; i < masks->nelts; i++) {
        inject_mask_t *mask = &APR_ARRAY_IDX(masks, i, inject_mask_t);
        char *first = &seen[(unsigned char)mask->bytes[0]];

        mask->leads = !*first;
        *first = 1;
    }
}

/* A place in skip for two bytes in a row; that several pairs share it makes a step shorter, no more. */
static unsigned place_of(const char *pair)
{
    return ((unsigned)(unsigned char)pair[0] << 5 ^ (unsigned char)pair[1]) % INJECT_SKIPS;
}

/*
 * A window of the text as long as the shortest mask is looked at by its last two bytes: where no mask has them in its
 * own first bytes, none begins before the second of them; else the nearest that may begins as much further on as they
 * stand before its window's end. (Wu and Manber, "A fast algorithm for multi-pattern searching", 1994.)
 */
static void make_skips(inject_masks_t *masks)
{
    const inject_mask_t *list = (const inject_mask_t *)masks->list->elts;
    int count = masks->list->nelts, i;
    apr_size_t k, step;

    if (!count) {
        return;
    }
    masks->window = list[count - 1].len < MOST_WINDOW ? list[count - 1].len : MOST_WINDOW;
    memset(masks->skip, (int)masks->window - 1, sizeof(masks->skip));
    for (i = 0; i < count; i++) {
        for (k = 0; k + 2 <= masks->window; k++) {
            unsigned char *skip = &masks->skip[place_of(list[i].bytes + k)];

            step = masks->window - 2 - k;
            *skip = step < *skip ? (unsigned char)step : *skip;
        }
    }
}

const inject_masks_t *inject_masks(apr_pool_t *p, const apr_array_header_t *secrets)
{
    static const char *const digits[] = { INJECT_DIGITS, "0123456789abcdef" };
    apr_array_header_t *masks = apr_array_make(p, 16, sizeof(inject_mask_t));
    inject_masks_t *all = apr_pcalloc(p, sizeof(*all));
    int i, k;

    for (i = 0; i < secrets->nelts; i++) {
        const char *secret = APR_ARRAY_IDX(secrets, i, const char *);
        apr_size_t len = strlen(secret);

        add_text(masks, secret);
        add_base64(p, masks, secret, len);
        for (k = 0; k < 2; k++) {
            add_text(masks, inject_percent(p, secret, "-._~", digits[k]));
            add_coded(p, masks, secret, len, "%", digits[k]);
            add_coded(p, masks, secret, len, "\\u00", digits[k]);
        }
        add_json(p, masks, secret, len, 0);
        add_json(p, masks, secret, len, 1);
    }
    qsort(masks->elts, (size_t)masks->nelts, sizeof(inject_mask_t), longest_first);
    all->list = masks;
    find_leaders(masks);
    make_skips(all);
    return all;
}

/* The first place in text that has mask; NULL: none. */
static char *find(const char *text, apr_size_t len, const inject_mask_t *mask)
{
    return memmem(text, len, mask->bytes, mask->len);
}

/* Whether a mask begins at text, of which there are len bytes. */
static int begins_any(const char *text, apr_size_t len, const apr_array_header_t *list)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        const inject_mask_t *mask = &APR_ARRAY_IDX(list, i, inject_mask_t);

        if (mask->len <= len && !memcmp(text, mask->bytes, mask->len)) { /* lint: bytes that came from outside */
            return 1;
        }
    }
    return 0;
}

static int has_any(const char *text, apr_size_t len, const inject_masks_t *masks)
{
    apr_size_t at = 0;

    while (masks->window && at + masks->window <= len) {
        apr_size_t step = masks->skip[place_of(text + at + masks->window - 2)];

        if (!step && begins_any(text + at, len - at, masks->list)) {
            return 1;
        }
        at += step ? step : 1;
    }
    return 0;
}

/* Whatever begins in the first `before` bytes. */
static void overwrite(char *text, apr_size_t len, apr_size_t before, const inject_masks_t *masks)
{
    int i;

    for (i = 0; i < masks->list->nelts; i++) {
        const inject_mask_t *mask = &APR_ARRAY_IDX(masks->list, i, inject_mask_t);
        char *at = text, *found;

        while ((found = find(at, len - (apr_size_t)(at - text), mask)) && found < text + before) {
            memset(found, '*', mask->len);
            at = found + mask->len;
        }
    }
}

/* Whether all len bytes of text are the beginning of a mask that is longer. */
static int begins_within(const char *text, apr_size_t len, const apr_array_header_t *list)
{
    int i;

    for (i = 0; i < list->nelts && APR_ARRAY_IDX(list, i, inject_mask_t).len > len; i++) { /* the longest come first */
        const char *bytes = APR_ARRAY_IDX(list, i, inject_mask_t).bytes;

        if (*text == *bytes && !memcmp(text, bytes, len)) { /* lint: bytes that came from outside */
            return 1;
        }
    }
    return 0;
}

/* How many bytes at the end of text may be the beginning of something that is looked for. */
static apr_size_t open_end(const char *text, apr_size_t len, const inject_masks_t *masks)
{
    apr_size_t most = 0;
    int i;

    for (i = 0; i < masks->list->nelts; i++) {
        const inject_mask_t *mask = &APR_ARRAY_IDX(masks->list, i, inject_mask_t);
        apr_size_t back = mask->len - 1 < len ? mask->len - 1 : len;
        const char *at = text + len - back, *end = text + len;

        while (mask->leads && at < end && (at = memchr(at, mask->bytes[0], (apr_size_t)(end - at)))) {
            apr_size_t left = (apr_size_t)(end - at);

            if (begins_within(at, left, masks->list)) {
                most = left > most ? left : most;
                break;
            }
            at++;
        }
    }
    return most;
}

/* ---- headers ---- */

static void mask_headers(request_rec *r, apr_table_t *headers, const inject_masks_t *masks)
{
    const apr_array_header_t *list = apr_table_elts(headers);
    apr_table_entry_t *entries = (apr_table_entry_t *)list->elts;
    int i;

    for (i = 0; i < list->nelts; i++) {
        apr_size_t len = entries[i].key ? strlen(entries[i].val) : 0;

        if (len && has_any(entries[i].val, len, masks)) {
            entries[i].val = apr_pstrmemdup(r->pool, entries[i].val, len); /* what setn was given may be anybody's */
            overwrite(entries[i].val, len, len, masks);
        }
    }
}

/* mod_proxy takes the target's reason phrase over. */
static void mask_status_line(request_rec *r, const inject_masks_t *masks)
{
    apr_size_t len = r->status_line ? strlen(r->status_line) : 0;
    char *line;

    if (len && has_any(r->status_line, len, masks)) {
        line = apr_pstrmemdup(r->pool, r->status_line, len);
        overwrite(line, len, len, masks);
        r->status_line = line;
    }
}

static void map_headers(request_rec *r)
{
    static const char *const names[] = { "Location", "Content-Location", NULL };
    int i;

    for (i = 0; names[i]; i++) {
        const char *value = apr_table_get(r->headers_out, names[i]);

        if (value) {
            apr_table_setn(r->headers_out, names[i], inject_map_location(r, value));
        }
    }
}

static void tell_code(request_rec *r, const inject_request_t *own)
{
    const char *code, *message;

    if (own && own->sent && !own->failed) {
        code = "proxy-access-granted";
        message = "The request was forwarded; the answer is the target's.";
    }
    else if (r->status == HTTP_UNAUTHORIZED || r->status == HTTP_FORBIDDEN) {
        code = "proxy-access-denied";
        message = "The caller may not do this.";
    }
    else if (r->status >= HTTP_INTERNAL_SERVER_ERROR) {
        code = "proxy-target-unavailable";
        message = "The gateway has no answer of the target.";
    }
    else {
        code = "proxy-request-refused";
        message = "The request was not forwarded.";
    }
    apr_table_setn(r->headers_out, "rr-proxy-code", code);
    apr_table_setn(r->headers_out, "rr-proxy-message", message);
}

static void fix_headers_out(request_rec *r)
{
    inject_request_t *own = inject_request(r);

    if (own->answered) {
        return;
    }
    own->answered = 1;
    if (inject_core->route_get(r)) {
        apr_table_unset(r->headers_out, "rr-proxy-code");
        apr_table_unset(r->headers_out, "rr-proxy-message");
        if (own->sent && !own->failed) {
            map_headers(r);
        }
        if (inject_tells_code(r)) {
            tell_code(r, own);
        }
    }
    if (own->parts) {
        mask_headers(r, r->headers_out, own->parts->masks);
        mask_headers(r, r->err_headers_out, own->parts->masks);
        mask_status_line(r, own->parts->masks);
    }
}

/* ---- bodies ---- */

typedef struct {
    const inject_masks_t *masks;
    char *held; /* room for the longest mask; NULL: the body is no text */
    apr_size_t held_len;
    apr_bucket_brigade *out;
} masking_t;

/* JSON has more names than one can list: application/jsonl, json-seq, vnd.api+json. */
static int is_json_or_xml(const char *type, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i + 4 <= len; i++) {
        if (!apr_cstr_casecmpn(type + i, "json", 4)) {
            return 1;
        }
    }
    return len > 4 && (!apr_cstr_casecmpn(type + len - 4, "+xml", 4) || !apr_cstr_casecmpn(type + len - 4, "/xml", 4));
}

static int is_text(request_rec *r)
{
    const char *type = r->content_type;
    const char *coding = apr_table_get(r->headers_out, "Content-Encoding");
    apr_size_t len;

    if (coding && apr_cstr_casecmp(coding, "identity")) {
        return 0;
    }
    if (!type || !apr_cstr_casecmpn(type, "text/", 5)) {
        return 1;
    }
    len = strcspn(type, "; \t");
    return is_json_or_xml(type, len) || !apr_cstr_casecmpn(type, "application/javascript", len)
           || !apr_cstr_casecmpn(type, "application/x-www-form-urlencoded", len);
}

static void put_held(masking_t *masking, ap_filter_t *f)
{
    if (masking->held_len) {
        overwrite(masking->held, masking->held_len, masking->held_len, masking->masks);
        APR_BRIGADE_INSERT_TAIL(masking->out, apr_bucket_heap_create(masking->held, masking->held_len, NULL,
                                                                     f->c->bucket_alloc));
        masking->held_len = 0;
    }
}

/* One piece of the body; bucket is its own and goes on as it is where nothing is to be done. */
static void mask_piece(masking_t *masking, ap_filter_t *f, apr_bucket *bucket, const char *data, apr_size_t len)
{
    apr_size_t held = masking->held_len, all = held + len, open;
    char *text;

    if (!held && !has_any(data, len, masking->masks) && !open_end(data, len, masking->masks)) {
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(masking->out, bucket);
        return;
    }
    text = apr_bucket_alloc(all, f->c->bucket_alloc);
    memcpy(text, masking->held, held);
    memcpy(text + held, data, len);
    open = open_end(text, all, masking->masks); /* where something longer may begin, nothing shorter is judged yet */
    overwrite(text, all, all - open, masking->masks);
    memcpy(masking->held, text + all - open, open);
    masking->held_len = open;
    if (all > open) {
        APR_BRIGADE_INSERT_TAIL(masking->out, apr_bucket_heap_create(text, all - open, apr_bucket_free,
                                                                     f->c->bucket_alloc));
    }
    else {
        apr_bucket_free(text);
    }
    apr_bucket_delete(bucket);
}

static masking_t *start_masking(ap_filter_t *f, const inject_masks_t *masks)
{
    masking_t *masking = apr_pcalloc(f->r->pool, sizeof(*masking));

    masking->masks = masks;
    masking->held = is_text(f->r) ? apr_palloc(f->r->pool, APR_ARRAY_IDX(masks->list, 0, inject_mask_t).len) : NULL;
    masking->out = apr_brigade_create(f->r->pool, f->c->bucket_alloc);
    return masking;
}

static apr_status_t mask_body(ap_filter_t *f, apr_bucket_brigade *bb)
{
    masking_t *masking = f->ctx;
    apr_bucket *bucket;

    while (!APR_BRIGADE_EMPTY(bb)) {
        const char *data;
        apr_size_t len;
        apr_status_t rv;

        bucket = APR_BRIGADE_FIRST(bb);
        if (APR_BUCKET_IS_EOS(bucket)) {
            mask_headers(f->r, f->r->trailers_out, masking->masks); /* HTTP/2 sends them */
        }
        if (APR_BUCKET_IS_METADATA(bucket) || !masking->held) {
            if (!APR_BUCKET_IS_FLUSH(bucket)) {
                put_held(masking, f); /* the end, or something that stands at its place */
            }
            APR_BUCKET_REMOVE(bucket);
            APR_BRIGADE_INSERT_TAIL(masking->out, bucket);
            continue;
        }
        rv = apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (!len) {
            apr_bucket_delete(bucket);
            continue;
        }
        mask_piece(masking, f, bucket, data, len);
    }
    if (APR_BRIGADE_EMPTY(masking->out)) {
        return APR_SUCCESS; /* all of it is held back */
    }
    APR_BRIGADE_CONCAT(bb, masking->out);
    return ap_pass_brigade(f->next, bb);
}

static apr_status_t mask(ap_filter_t *f, apr_bucket_brigade *bb)
{
    const inject_request_t *own;

    if (f->ctx) {
        return mask_body(f, bb);
    }
    if (APR_BRIGADE_EMPTY(bb)) {
        return ap_pass_brigade(f->next, bb);
    }
    fix_headers_out(f->r);
    own = inject_request(f->r);
    if (!own->parts || !own->parts->masks->window) {
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, bb);
    }
    f->ctx = start_masking(f, own->parts->masks);
    return mask_body(f, bb);
}

void inject_insert_mask(request_rec *r)
{
    if (inject_owes(r)) {
        ap_add_output_filter_handle(mask_filter, NULL, r, r->connection);
    }
}

void inject_mask_register(void)
{
    /* next to the handler: it sees what the target sent, before anything is compressed */
    mask_filter = ap_register_output_filter("RR_INJECT_MASK", mask, NULL, AP_FTYPE_RESOURCE - 1);
}
