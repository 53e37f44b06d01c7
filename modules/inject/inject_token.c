/* SPDX-License-Identifier: Apache-2.0 */
#include "inject.h"
apr_status_t inject_source_make(struct inject_source_t **psource, inject_credential_t *credential, apr_pool_t *p,
                                rr_err_t *err)
{
    (void)psource, (void)credential, (void)p;
    return rr_err_set(err, RR_EINVAL, NULL, "tokens are not made yet");
}
apr_status_t inject_source_parts(const inject_parts_t **pparts, request_rec *r, inject_credential_t *credential,
                                 rr_err_t *err)
{
    (void)pparts, (void)r, (void)credential;
    return rr_err_set(err, RR_EINVAL, NULL, "tokens are not made yet");
}
