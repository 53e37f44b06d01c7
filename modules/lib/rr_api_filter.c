/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_filter.c: a filter in any published shape to the one shape that is kept. There is none to judge them yet.
 */
#include "rr_api_private.h"

apr_status_t api_filter_normalise(const char **ptext, const rr_json_t *body, apr_pool_t *p, rr_err_t *err)
{
    (void)body, (void)p;
    *ptext = NULL;
    return rr_err_set(err, RR_EINVAL, "", "this build has no payload filters");
}
