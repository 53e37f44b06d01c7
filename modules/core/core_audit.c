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
#include <util_time.h>

#include <apr_base64.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <syslog.h>
#include <unistd.h>

/* What one value may take of the line, in bytes as written. */
#define ROOM_PATH 768
#define ROOM_NAME 256
#define ROOM_WORD 96
#define ROOM_REASON (ROOM_WORD - 16) /* behind the outcome's word */
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

static apr_uint64_t child; /* tells this child's requests from others'; written once, when it starts */

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

/* ---- the line ---- */

typedef struct {
    char *at, *end;
} line_t;

static void put_bytes(line_t *line, const char *bytes, apr_size_t len)
{
    if (len <= (apr_size_t)(line->end - line->at)) {
        memcpy(line->at, bytes, len);
        line->at += len;
    }
}

static void put(line_t *line, const char *text)
{
    put_bytes(line, text, strlen(text));
}

/* text as a JSON string of at most room bytes as written. */
static void put_quoted(line_t *line, const char *text, apr_size_t len, apr_size_t room)
{
    apr_size_t left = (apr_size_t)(line->end - line->at);

    line->at += rr_json_quote_into(line->at, room < left ? room : left, text, len);
}

static void put_member_of(line_t *line, const char *name, const char *value, apr_size_t len, apr_size_t room)
{
    put(line, ",\"");
    put(line, name);
    put(line, "\":");
    put_quoted(line, value, len, room);
}

static void put_member(line_t *line, const char *name, const char *value, apr_size_t room)
{
    if (value) {
        put_member_of(line, name, value, strlen(value), room);
    }
}

static void put_digits(line_t *line, int number, int digits)
{
    char text[8];
    int i;

    for (i = digits; i > 0; i--, number /= 10) {
        text[i - 1] = (char)('0' + number % 10);
    }
    put_bytes(line, text, (apr_size_t)digits);
}

/* RFC 3339, with microseconds. */
static void put_time(line_t *line, apr_time_t time)
{
    apr_time_exp_t when;

    ap_explode_recent_gmt(&when, time);
    put_digits(line, when.tm_year + 1900, 4);
    put(line, "-");
    put_digits(line, when.tm_mon + 1, 2);
    put(line, "-");
    put_digits(line, when.tm_mday, 2);
    put(line, "T");
    put_digits(line, when.tm_hour, 2);
    put(line, ":");
    put_digits(line, when.tm_min, 2);
    put(line, ":");
    put_digits(line, when.tm_sec, 2);
    put(line, ".");
    put_digits(line, when.tm_usec, 6);
    put(line, "Z");
}

static void put_outcomes(line_t *line, const core_decision_t *decision)
{
    static const char *const words[] = { [RR_AUTHN_INVALID] = "\"invalid",
                                         [RR_AUTHN_UNAVAILABLE] = "\"unavailable",
                                         [RR_AUTHN_ABSENT] = "\"absent",
                                         [RR_AUTHN_VERIFIED] = "\"verified" };
    char *colon;
    int i;

    put(line, ",\"auth\":{");
    for (i = 0; decision->results && i < decision->providers->nelts && i < MAX_OUTCOMES; i++) {
        const rr_authn_result_t *result = &decision->results[i];
        const char *name = APR_ARRAY_IDX(decision->providers, i, core_provider_t).name;

        put(line, i ? "," : "");
        put_quoted(line, name, strlen(name), ROOM_WORD);
        put(line, ":");
        put(line, words[result->outcome]);
        if (result->reason) {
            colon = line->at;
            put_quoted(line, result->reason, strlen(result->reason), ROOM_REASON);
            if (line->at > colon) {
                *colon = ':'; /* one string with the word before it */
            }
        }
        else {
            put(line, "\"");
        }
    }
    put(line, "}");
}

static void put_identity(line_t *line, const rr_principal_t *who)
{
    int i;

    put_member(line, "sub", who->sub, ROOM_NAME);
    for (i = 0; i < who->count && i < MAX_IDENTITIES; i++) {
        const rr_identity_t *identity = who->identities[i];

        if (identity->credential_id) {
            put_member(line, "credentialId", identity->credential_id, ROOM_WORD);
            put_member(line, "credential", identity->credential, ROOM_NAME);
            put_member(line, "keyHint", identity->hint, ROOM_WORD);
        }
        else {
            put_member(line, "issuer", identity->issuer, ROOM_NAME);
        }
    }
}

/* Members that other modules added, as many as there is room for. */
static void put_extras(line_t *line, const apr_table_t *extras)
{
    const apr_array_header_t *list = apr_table_elts(extras);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)list->elts;
    const char *begin = line->at;
    int i;

    for (i = 0; i < list->nelts; i++) {
        char *before = line->at;

        put_member(line, entries[i].key, entries[i].val, ROOM_WORD * 2);
        if (line->at - begin > ROOM_EXTRAS) {
            line->at = before;
            break;
        }
    }
}

/* The section of the configuration that ruled the request: "/me" of <Location "/me">. */
static void put_route(line_t *line, request_rec *r)
{
    const core_dir_config *section = ap_get_core_module_config(r->per_dir_config);
    const char *route = section ? section->d : NULL;
    apr_size_t len = route ? strlen(route) : 0;

    if (route) {
        put_member_of(line, "route", route, len > 1 && route[len - 1] == '/' ? len - 1 : len, ROOM_NAME);
    }
}

/* The path as the client sent it, without authority and query. */
static void put_path(line_t *line, request_rec *r)
{
    const char *path = r->unparsed_uri, *authority;

    if (*path != '/' && (authority = strstr(path, "://"))) {
        path = authority + 3 + strcspn(authority + 3, "/?");
    }
    put_member_of(line, "path", path, strcspn(path, "?"), ROOM_PATH);
}

void core_start_audit(apr_pool_t *pchild, server_rec *s)
{
    (void)pchild, (void)s;
    if (apr_generate_random_bytes((unsigned char *)&child, sizeof(child)) != APR_SUCCESS) {
        child = (apr_uint64_t)getpid();
    }
}

/* An id for the logs such as httpd makes, without asking the kernel who we are: a connection has one request at a time. */
static const char *make_id(request_rec *r)
{
    const apr_uint64_t parts[2] = { (apr_uint64_t)r->request_time,
                                    child ^ (apr_uint64_t)(apr_uintptr_t)r->connection * 0x9e3779b97f4a7c15u };
    char *id = apr_palloc(r->pool, (apr_size_t)apr_base64_encode_len(sizeof(parts)));

    apr_base64_encode_binary(id, (const unsigned char *)parts, sizeof(parts));
    id[strcspn(id, "=")] = '\0';
    return id;
}

/* What tells this request from others: mod_unique_id's id where there is one, else that which it has in httpd's logs. */
static const char *id_of(request_rec *r)
{
    const char *id = apr_table_get(r->subprocess_env, "UNIQUE_ID");

    if (!id && !r->log_id) {
        r->log_id = make_id(r); /* nothing was logged of it yet */
    }
    return id ? id : r->log_id;
}

int core_write_audit(request_rec *r)
{
    core_server_t *server = ap_get_module_config(r->server->module_config, &rr_core_module);
    const core_request_t *own = NULL;
    const core_audit_t *audit = server->audit;
    request_rec *last, *ruled = NULL;
    char text[RR_MAX_AUDIT_LINE];
    line_t line = { text, text + sizeof(text) };

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

    put(&line, "{\"time\":\"");
    put_time(&line, r->request_time);
    put(&line, "\"");
    put_member(&line, "id", id_of(r), ROOM_WORD);
    put_member(&line, "client", r->useragent_ip, ROOM_WORD);
    put_member(&line, "method", r->method, ROOM_WORD);
    put_path(&line, r);
    put_route(&line, ruled);
    if (own->decision.principal) {
        put_identity(&line, own->decision.principal);
    }
    put_outcomes(&line, &own->decision);
    if (own->audit) {
        put_extras(&line, own->audit);
    }
    put(&line, ",\"status\":");
    put_digits(&line, last->status, 3);
    put(&line, "}\n");
    if (audit->is_syslog) {
        syslog(LOG_AUTHPRIV | LOG_INFO, "%.*s", (int)(line.at - text) - 1, text);
    }
    else {
        apr_file_write_full(audit->file, text, (apr_size_t)(line.at - text), NULL);
    }
    return OK;
}
