/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_store_int.h: what the files of the store share; private to librr.
 */
#ifndef RR_STORE_INT_H
#define RR_STORE_INT_H

#include "rr_sql.h"
#include "rr_store.h"

struct rr_store_t {
    rr_sql_t *sql;
};

/** A column that holds a number; 0 for SQL's NULL. */
apr_int64_t rr_column_number(const char *column);

/** Reads version, store and n from a row's first three columns; RR_ESCHEMA if the version is not ours. */
apr_status_t rr_column_revision(rr_revision_t *revision, rr_sql_row_t row, rr_err_t *err);

/** The credential in a row of CREDENTIAL_COLUMNS; texts are the row's. */
const rr_credential_row_t *rr_credential_row(rr_sql_row_t row, apr_pool_t *p);

#endif
