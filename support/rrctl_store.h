/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rrctl_store.h: how rrctl's commands reach the store and its master key.
 */
#ifndef RRCTL_STORE_H
#define RRCTL_STORE_H

#include "rr_store.h"
#include "rrctl.h"

/** Splits --store or $RR_STORE, DRIVER:PARAMS. RR_EINVAL with a sentence where there is none. */
apr_status_t rrctl_store_name(const char **pdriver, const char **pparams, rrctl_t *ctl, rr_err_t *err);

/** Where the master key is read: --master-key, $RR_MASTER_KEY, else DATABASE.key of a sqlite3 store. */
apr_status_t rrctl_master_key(const char **psource, rrctl_t *ctl, rr_err_t *err);

/** Connects to the store that was named. */
apr_status_t rrctl_store_open(rr_store_t **pstore, rrctl_t *ctl, rr_err_t *err);

/** Ends a transaction by how it went, and closes the store: commits, or rolls back and returns rv. */
apr_status_t rrctl_store_finish(rr_store_t *store, apr_status_t rv, rr_err_t *err);

/** The same as a command's end: prints err where it failed. An exit code. */
int rrctl_store_end(rrctl_t *ctl, rr_store_t *store, apr_status_t rv, rr_err_t *err);

/** A time as RFC 3339 in UTC, or "-" for none. */
const char *rrctl_time(rrctl_t *ctl, apr_time_t when);

/** An end of life: a duration from now ("30d") or an RFC 3339 time ("2027-01-31T00:00:00Z"), in the future. */
apr_status_t rrctl_parse_end(apr_time_t *pend, const char *text, rr_err_t *err);

#endif
