/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_audit.c: one JSON line for each client request that AuthType RR ruled.
 *
 * The line tells who asked for what (from the client's request) and how it
 * ended (from the last internal redirect). It is bounded and written in one
 * call, so that lines of several processes do not mix. Never a query string,
 * a header's value or a claim but the subject.
 */
#include "core.h"

#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#include <syslog.h>

/* What one value may take of the line, in bytes as written. */
#define ROOM_PATH 768
#define ROOM_NAME 256
#define ROOM_WORD 96
#define ROOM_EXTRAS 512
#define ROOM_FRAME 352 /* member names, punctuation, time, status */
#define MAX_OUTCOMES 4 /* providers told of */
#define MAX_IDENTITIES 2

_Static_assert(ROOM_PATH + 2 * ROOM_NAME + 3 * ROOM_WORD + MAX_IDENTITIES * (ROOM_NAME + 2 * ROOM_WORD)
                       + MAX_OUTCOMES * 2 * ROOM_WORD + ROOM_EXTRAS + ROOM_FRAME <= RR_MAX_AUDIT_LINE,
               "an audit line is written in one piece");

typedef struct core_audit_t {
    const char *target; /* FILE, "|program" or syslog */
    apr_file_t *file;   /* NULL: syslog, or not open yet */
    int is_syslog;
} core_audit_t;

const char *core_configure_audit(cmd_parms *cmd, void *dummy, const char *target)
{
    core_server_t *server = ap_get_module_config(cmd->server->module_config, &rr_core_module);
    core_audit_t *audit = apr_pcalloc(cmd->pool, sizeof(*audit));

    (void)dummy;
    if (!*target || !strcmp(target, "|")) {
        return "RRAuditLog: expected a file, \"|program\" or syslog";
    }
    audit->is_syslog = !strcmp(target, "syslog");
    audit->target = audit->is_syslog || *target == '|' ? target : ap_server_root_relative(cmd->pool, target);
    if (!audit->target) {
        return apr_psprintf(cmd->pool, "RRAuditLog %s: not a valid path", target);
    }
    server->audit = audit;
    return NULL;
}

static int open_one(core_audit_t *audit, apr_pool_t *pconf, server_rec *s)
{
    piped_log *pipe;
    apr_status_t rv;

    if (audit->file || audit->is_syslog) {
        return OK;
    }
    if (*audit->target == '|') {
        pipe = ap_open_piped_log(pconf, audit->target + 1);
        if (!pipe) {
            RR_LOG_S(APLOG_EMERG, 0, s, 10150, "RRAuditLog \"%s\": the program cannot be started", audit->target);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        audit->file = ap_piped_log_write_fd(pipe);
        return OK;
    }
    rv = apr_file_open(&audit->file, audit->target, APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE,
                       APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD, pconf);
    if (rv != APR_SUCCESS) {
        RR_LOG_S(APLOG_EMERG, rv, s, 10151, "RRAuditLog %s cannot be opened for appending", audit->target);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

int core_open_audit(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    int status = OK;

    (void)plog, (void)ptemp;
    for (; s && status == OK; s = s->next) {
        core_server_t *server = ap_get_module_config(s->module_config, &rr_core_module);

        if (server->audit) {
            status = open_one(server->audit, pconf, s);
        }
    }
    return status;
}

/* text quoted for JSON in at most room bytes as written; escapes can take six bytes for one. */
static const char *quote(apr_pool_t *p, const char *text, apr_size_t room)
{
    const char *quoted = rr_json_quote(p, text, room);

    return strlen(quoted) <= room + 2 ? quoted : rr_json_quote(p, text, room / 6);
}

static const char *member(apr_pool_t *p, const char *name, const char *value, apr_size_t room)
{
    return value ? apr_pstrcat(p, ",\"", name, "\":", quote(p, value, room), NULL) : "";
}

static const char *print_outcomes(apr_pool_t *p, const core_decision_t *decision)
{
    static const char *const words[] = { [RR_AUTHN_INVALID] = "invalid",
                                         [RR_AUTHN_UNAVAILABLE] = "unavailable",
                                         [RR_AUTHN_ABSENT] = "absent",
                                         [RR_AUTHN_VERIFIED] = "verified" };
    const char *outcomes = "";
    int i;

    for (i = 0; decision->results && i < decision->providers->nelts && i < MAX_OUTCOMES; i++) {
        const rr_authn_result_t *result = &decision->results[i];
        const char *name = APR_ARRAY_IDX(decision->providers, i, core_provider_t).name;
        const char *reason = result->reason ? apr_pstrcat(p, ":", result->reason, NULL) : "";

        outcomes = apr_pstrcat(p, outcomes, i ? "," : "", quote(p, name, ROOM_WORD), ":",
                               quote(p, apr_pstrcat(p, words[result->outcome], reason, NULL), ROOM_WORD), NULL);
    }
    return apr_pstrcat(p, ",\"auth\":{", outcomes, "}", NULL);
}

static const char *print_identity(apr_pool_t *p, const rr_principal_t *who)
{
    const char *text = member(p, "sub", who->sub, ROOM_NAME);
    int i;

    for (i = 0; i < who->count && i < MAX_IDENTITIES; i++) {
        const rr_identity_t *identity = who->identities[i];

        if (identity->credential_id) {
            text = apr_pstrcat(p, text, member(p, "credentialId", identity->credential_id, ROOM_WORD),
                               member(p, "credential", identity->credential, ROOM_NAME),
                               member(p, "keyHint", identity->hint, ROOM_WORD), NULL);
        }
        else {
            text = apr_pstrcat(p, text, member(p, "issuer", identity->issuer, ROOM_NAME), NULL);
        }
    }
    return text;
}

/* Members that other modules added, as many as there is room for. */
static const char *print_extras(apr_pool_t *p, const apr_table_t *extras)
{
    const apr_array_header_t *list = apr_table_elts(extras);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)list->elts;
    const char *text = "";
    int i;

    for (i = 0; i < list->nelts; i++) {
        const char *longer = apr_pstrcat(p, text, member(p, entries[i].key, entries[i].val, ROOM_WORD * 2), NULL);

        if (strlen(longer) > ROOM_EXTRAS) {
            break;
        }
        text = longer;
    }
    return text;
}

/* The section of the configuration that ruled the request: "/me" of <Location "/me">. */
static const char *route_of(request_rec *r)
{
    const core_dir_config *section = ap_get_core_module_config(r->per_dir_config);
    const char *route = section ? section->d : NULL;
    apr_size_t len = route ? strlen(route) : 0;

    return len > 1 && route[len - 1] == '/' ? apr_pstrmemdup(r->pool, route, len - 1) : route;
}

/* The path as the client sent it, without authority and query. */
static const char *path_of(request_rec *r)
{
    const char *path = r->unparsed_uri, *authority;

    if (*path != '/' && (authority = strstr(path, "://"))) {
        path = authority + 3 + strcspn(authority + 3, "/?");
    }
    return apr_pstrmemdup(r->pool, path, strcspn(path, "?"));
}

/* What tells this request from others: mod_unique_id's id where there is one, else the error log's. */
static const char *id_of(request_rec *r)
{
    const char *id = apr_table_get(r->subprocess_env, "UNIQUE_ID");

    if (!id && !r->log_id) {
        ap_run_generate_log_id(r->connection, r, &r->log_id);
    }
    return id ? id : r->log_id;
}

int core_write_audit(request_rec *r)
{
    core_server_t *server = ap_get_module_config(r->server->module_config, &rr_core_module);
    const core_request_t *own = NULL;
    const core_audit_t *audit = server->audit;
    request_rec *last, *ruled = NULL;
    char time[APR_RFC822_DATE_LEN + 16];
    apr_time_exp_t when;
    const char *line;
    apr_size_t len;

    if (!audit) {
        return DECLINED;
    }
    for (last = r;; last = last->next) {
        const core_request_t *record = core_request_peek(last);

        if (record && record->decision.made_for) {
            own = record;
            ruled = last;
        }
        if (!last->next) {
            break;
        }
    }
    if (!own) {
        return DECLINED;
    }

    apr_time_exp_gmt(&when, r->request_time);
    apr_snprintf(time, sizeof(time), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", when.tm_year + 1900, when.tm_mon + 1,
                 when.tm_mday, when.tm_hour, when.tm_min, when.tm_sec, when.tm_usec);
    line = apr_pstrcat(r->pool, "{\"time\":\"", time, "\"", member(r->pool, "id", id_of(r), ROOM_WORD),
                       member(r->pool, "client", r->useragent_ip, ROOM_WORD),
                       member(r->pool, "method", r->method, ROOM_WORD), member(r->pool, "path", path_of(r), ROOM_PATH),
                       member(r->pool, "route", route_of(ruled), ROOM_NAME),
                       own->decision.principal ? print_identity(r->pool, own->decision.principal) : "",
                       print_outcomes(r->pool, &own->decision), own->audit ? print_extras(r->pool, own->audit) : "",
                       ",\"status\":", apr_itoa(r->pool, last->status), "}\n", NULL);
    len = strlen(line);
    if (audit->is_syslog) {
        syslog(LOG_AUTHPRIV | LOG_INFO, "%.*s", (int)len - 1, line);
    }
    else {
        apr_file_write_full(audit->file, line, len, NULL);
    }
    return OK;
}
