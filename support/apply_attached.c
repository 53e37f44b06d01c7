/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply_attached.c: rrctl apply: the rules, filters and keys of an object.
 */
#include "apply.h"

#include <apr_strings.h>

#include <string.h>

/* The place among objects of one that says the same as text, under the same id if it is declared with one; -1: none. */
static int find_same(apply_t *apply, const apr_array_header_t *objects, const char *id, const char *text)
{
    int i;

    for (i = 0; i < objects->nelts; i++) {
        const rr_json_t *have = APR_ARRAY_IDX(objects, i, const rr_json_t *);
        const char *have_id = rr_json_string(rr_json_member(have, "id"));

        if (have && (!id || !strcmp(id, have_id)) &&
            !strcmp(rr_json_print(apply->p, have), apr_pstrcat(apply->p, "{\"id\":\"", have_id, "\",", text + 1, NULL))) {
            return i;
        }
    }
    return -1;
}

/* Deletes of the objects, whose places are emptied, the one of that id; NULL: all that are left. */
static apr_status_t delete_objects(apply_t *apply, apr_array_header_t *objects, const char *id, const char *noun,
                                   const char *path)
{
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < objects->nelts && rv == APR_SUCCESS; i++) {
        const rr_json_t *have = APR_ARRAY_IDX(objects, i, const rr_json_t *);
        const char *have_id = rr_json_string(rr_json_member(have, "id"));

        if (have && (!id || !strcmp(have_id, id))) {
            rv = rrctl_api_call(&answer, &response, &apply->api, "DELETE", apr_pstrcat(apply->p, path, "/", have_id, NULL),
                                NULL, NULL, apply->p, apply->err);
            APR_ARRAY_IDX(objects, i, const rr_json_t *) = NULL;
            apply->deleted++;
            apply_say(apply, '-', noun, path, have_id);
        }
    }
    return rv;
}

apr_status_t apply_attached(apply_t *apply, const char *noun, const char *owner_path, const rr_json_t *wanted)
{
    const rrctl_kind_t *kind = rrctl_kind(noun);
    const char *path = apr_pstrcat(apply->p, owner_path, "/", kind->collection, NULL), *text, *id;
    apr_array_header_t *objects;
    rr_api_response_t response;
    rr_err_t why = RR_ERR_INIT;
    const rr_json_t *answer;
    apr_status_t rv;
    apr_size_t i;

    rv = rrctl_api_all(&objects, &apply->api, path, kind->collection, apply->p, apply->err);
    for (i = 0; rv == APR_SUCCESS && i < rr_json_size(wanted); i++) {
        const rr_json_t *one = rr_json_element(wanted, i);
        int found;

        rv = rr_api_attached_normalise(&text, !strcmp(noun, "filter"), one, apply->p, &why);
        if (rv != APR_SUCCESS) {
            return rr_err_set(apply->err, rv, why.where, "%s/%d%s: %s", kind->collection, (int)i, why.where, rr_err_text(&why));
        }
        id = rr_json_string(rr_json_member(one, "id"));
        found = find_same(apply, objects, id, text);
        if (found >= 0) { /* it stays; a second one that says the same is another */
            APR_ARRAY_IDX(objects, found, const rr_json_t *) = NULL;
            apply->unchanged++;
            continue;
        }
        if (id) { /* the one of that id says something else: it goes first */
            rv = delete_objects(apply, objects, id, noun, path);
        }
        if (rv == APR_SUCCESS) {
            rv = rrctl_api_call(&answer, &response, &apply->api, "POST", path, NULL, rr_json_print(apply->p, one), apply->p,
                                apply->err);
            apply->added++;
            apply_say(apply, '+', noun, path, text);
        }
    }
    return rv == APR_SUCCESS ? delete_objects(apply, objects, NULL, noun, path) : rv;
}

/* Whether the credential has a key of that value already. */
static int has_key(apply_t *apply, const char *credential, const char *value)
{
    unsigned char digest[RR_KEY_DIGEST_LEN];
    const char *id, *owner = NULL;

    return apply->api.digester && rr_key_digest(digest, apply->api.digester, value, strlen(value)) == APR_SUCCESS &&
           rr_store_key_owner(&id, &owner, apply->api.store, digest, apply->p, NULL) == APR_SUCCESS && owner &&
           !strcmp(owner, credential);
}

apr_status_t apply_keys(apply_t *apply, const char *owner_path, const char *credential, const rr_json_t *keys)
{
    const char *path = apr_pstrcat(apply->p, owner_path, "/keys", NULL);
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; rv == APR_SUCCESS && i < rr_json_size(keys); i++) {
        const rr_json_t *key = rr_json_element(keys, i);
        const char *value = rr_json_string(rr_json_member(key, "key"));

        if (!value) {
            return rr_err_set(apply->err, RR_EINVAL, "/key", "a key that is declared has its value");
        }
        if (has_key(apply, credential, value)) {
            apply->unchanged++;
            continue;
        }
        rv = rrctl_api_call(&answer, &response, &apply->api, "POST", path, NULL, rr_json_print(apply->p, key), apply->p,
                            apply->err);
        if (rv == APR_SUCCESS) {
            apply->added++;
            apply_say(apply, '+', "key", rr_json_string(rr_json_member(rrctl_api_object(answer, "keys"), "keyHint")), "");
        }
    }
    return rv;
}
