/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_openapi.c: the OpenAPI 3.1 document, made from the route and field tables.
 */
#include "rr_api_private.h"

apr_status_t api_openapi(api_call_t *call)
{
    return api_not_found(call);
}
