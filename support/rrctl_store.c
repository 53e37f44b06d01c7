/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rrctl_store.c: how rrctl's commands reach the store and its master key.
 */
#include "rrctl_store.h"

#include "rr_api.h"

#include "rr_conf.h"

#include <apr_strings.h>
#include <apr_time.h>

#include <stdlib.h>
#include <string.h>

apr_status_t rrctl_store_name(const char **pdriver, const char **pparams, rrctl_t *ctl, rr_err_t *err)
{
    const char *name = ctl->store ? ctl->store : getenv("RR_STORE");
    const char *colon = name ? strchr(name, ':') : NULL;

    if (!name || !*name) {
        return rr_err_set(err, RR_EINVAL, "store",
                          "no store was named: give --store DRIVER:PARAMS or set RR_STORE, for example "
                          "--store sqlite3:/var/lib/mod_rr/rr.db");
    }
    if (!colon || colon == name || !colon[1]) {
        return rr_err_set(err, RR_EINVAL, "store", "a store is named DRIVER:PARAMS, for example sqlite3:/var/lib/mod_rr/rr.db");
    }
    *pdriver = apr_pstrmemdup(ctl->p, name, (apr_size_t)(colon - name));
    *pparams = colon + 1;
    return APR_SUCCESS;
}

apr_status_t rrctl_master_key(const char **psource, rrctl_t *ctl, rr_err_t *err)
{
    const char *driver, *params;
    apr_status_t rv;

    *psource = ctl->master_key;
    if (*psource) {
        return APR_SUCCESS;
    }
    rv = rrctl_store_name(&driver, &params, ctl, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (strcmp(driver, "sqlite3")) {
        return rr_err_set(err, RR_EINVAL, "master-key",
                          "a %.32s store needs its master key named: give --master-key FILE or set RR_MASTER_KEY", driver);
    }
    *psource = apr_pstrcat(ctl->p, params, ".key", NULL);
    return APR_SUCCESS;
}

apr_status_t rrctl_store_open(rr_store_t **pstore, rrctl_t *ctl, rr_err_t *err)
{
    const char *driver, *params;
    apr_status_t rv = rrctl_store_name(&driver, &params, ctl, err);

    return rv == APR_SUCCESS ? rr_store_open(pstore, driver, params, ctl->p, err) : rv;
}

apr_status_t rrctl_store_finish(rr_store_t *store, apr_status_t rv, rr_err_t *err)
{
    if (rv == APR_SUCCESS) {
        rv = rr_store_commit(store, err);
    }
    else {
        rr_store_rollback(store);
    }
    rr_store_close(store);
    return rv;
}

int rrctl_store_end(rrctl_t *ctl, rr_store_t *store, apr_status_t rv, rr_err_t *err)
{
    return rrctl_store_finish(store, rv, err) == APR_SUCCESS ? RRCTL_OK : rrctl_fail_err(ctl, err);
}

const char *rrctl_time(rrctl_t *ctl, apr_time_t when)
{
    return when ? rr_api_time(ctl->p, apr_time_from_sec(apr_time_sec(when))) : "-";
}

apr_status_t rrctl_parse_end(apr_time_t *pend, const char *text, rr_err_t *err)
{
    apr_time_t now = apr_time_now();
    apr_interval_time_t span;

    if (rr_conf_duration(&span, text) == APR_SUCCESS) {
        *pend = now + span;
    }
    else if (rr_api_time_parse(pend, text) != APR_SUCCESS) {
        return rr_err_set(err, RR_EINVAL, "expires",
                          "an end is a duration such as 30d or a time such as 2027-01-31T00:00:00Z");
    }
    return *pend > now ? APR_SUCCESS : rr_err_set(err, RR_EINVAL, "expires", "the end has to be in the future");
}
