/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_look.c: what a credential's text is: a token that was seen before, one
 * that could be taken apart, one that only has the shape, or none.
 *
 * Asked of one text several times in a request: mod_rr_keyauth tells by the
 * shape that a credential is no key, and then it is judged here. So the answer
 * is kept with the request. A text is the same if it lies at the same place,
 * as the value of a header does whoever reads it.
 */
#include "jwt.h"

#include "rr_principal.h"

const jwt_look_t *jwt_look(request_rec *r, const char *text, apr_size_t len)
{
    jwt_look_t *look = ap_get_module_config(r->request_config, &rr_jwt_module);

    if (look && look->text == text && look->len == len) {
        return look;
    }
    look = apr_pcalloc(r->pool, sizeof(*look));
    look->text = text;
    look->len = len;
    look->known = jwt_memory_recall(text, len, r->request_time, r->pool);
    look->has_shape = look->known || rr_jws_parse(&look->jws, text, len, r->pool, NULL) == APR_SUCCESS
                      || rr_jws_has_shape(text, len);
    ap_set_module_config(r->request_config, &rr_jwt_module, look);
    return look;
}

/* Most keys have no dot. */
static int rr_is_token(request_rec *r, const char *text, apr_size_t len)
{
    return memchr(text, '.', len) && jwt_look(r, text, len)->has_shape;
}

void jwt_look_register(void)
{
    APR_REGISTER_OPTIONAL_FN(rr_is_token);
}
