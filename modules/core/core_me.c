/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_me.c: handler rr-me, the caller's identity as JSON.
 */
#include "core.h"

#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

static const char *data_of(request_rec *r, const rr_json_t *data)
{
    return data ? rr_json_print(r->pool, data) : "{}";
}

static void write_methods(request_rec *r, const rr_principal_t *who)
{
    int i;

    ap_rputs(",\"dataByMethod\":{", r);
    for (i = 0; i < who->count; i++) {
        const rr_identity_t *identity = who->identities[i];

        ap_rvputs(r, i ? "," : "", rr_json_quote(r->pool, identity->method, RR_MAX_NAME), ":",
                  data_of(r, identity->data), NULL);
    }
    ap_rputs("}", r);
}

int core_handle_me(request_rec *r)
{
    const core_decision_t *decision;
    const rr_principal_t *who;

    if (!r->handler || strcmp(r->handler, "rr-me")) {
        return DECLINED;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, M_OPTIONS, -1);
    if (r->method_number == M_OPTIONS) {
        return DECLINED;
    }
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    decision = core_is_ours(r) ? core_decision(r) : NULL;
    who = decision ? decision->principal : NULL;
    if (!who) {
        core_challenge(r, core_all_providers(), NULL, NULL, NULL);
        return core_refuse(r, HTTP_UNAUTHORIZED, "A credential is required.");
    }

    ap_set_content_type(r, "application/json");
    ap_rvputs(r, "{\"message\":\"Authenticated\",\"sub\":", rr_json_quote(r->pool, who->sub, RR_MAX_TOKEN), ",\"data\":",
              data_of(r, who->data), NULL);
    if (who->count > 1) {
        write_methods(r, who);
    }
    ap_rputs("}\n", r);
    return OK;
}
