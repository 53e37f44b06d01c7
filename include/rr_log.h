/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_log.h: every log line has an identifier, "RR10201: ...", that
 * docs/log-ids.md explains. The identifier is an argument so that none is forgotten.
 *
 * emerg will not start; error the operator must act; warning works, not as asked;
 * info a refusal; debug why. Keys, tokens, claims and SQL values never appear.
 */
#ifndef RR_LOG_H
#define RR_LOG_H

#include <httpd.h>
#include <http_log.h>

/* Which module a line is of, for LogLevel rr_jwt:debug: the build names it for every file, the glue's too. */
#ifdef RR_MODULE
extern module AP_MODULE_DECLARE_DATA RR_MODULE;
#define RR_LOG_MARK __FILE__, __LINE__, RR_MODULE.module_index
#else
#define RR_LOG_MARK APLOG_MARK
#endif

#define RR_LOG_R(level, status, r, id, ...) ap_log_rerror(RR_LOG_MARK, level, status, r, "RR" #id ": " __VA_ARGS__)
#define RR_LOG_S(level, status, s, id, ...) ap_log_error(RR_LOG_MARK, level, status, s, "RR" #id ": " __VA_ARGS__)
#define RR_LOG_P(level, status, p, id, ...) ap_log_perror(RR_LOG_MARK, level, status, p, "RR" #id ": " __VA_ARGS__)

#endif
