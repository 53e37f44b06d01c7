/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rr_filter.c: destroys in a response what the caller is not entitled to.
 *
 * The module's map: configuration, directives, hooks. What a filter is lives in
 * lib/rr_filter*.c, the cutting in lib/rr_cut*.c, brigades in filter_body.c.
 *
 * Filters are judged once, right before the handler runs: authentication is
 * over, every redirect has happened, and the handler sees the headers as this
 * leaves them.
 *
 * Result:  a filter that applies and cannot work is 422; never the body as it was.
 * Threads: configuration is read-only after startup; all state is per request.
 */
#include "filter.h"

#include "rr_file.h"

#include <http_core.h>
#include <http_request.h>
#include <mod_proxy.h>

#include <apr_strings.h>

#include <string.h>

#define FILES_KEY "rr_filter_files"
#define MAX_FILE (16 * 1024 * 1024)

module AP_MODULE_DECLARE_DATA rr_filter_module;

/* A file named by RRFilters; filters is set in check_config. */
typedef struct filter_file_t {
    const char *path;
    const char *mount; /* path of the Location that names it; "" elsewhere */
    const rr_filters_t *filters;
} filter_file_t;

typedef struct filter_dir_t {
    apr_int64_t buffer;  /* RRFilterBuffer, bytes */
    filter_file_t *file; /* RRFilters; NULL: unset */
} filter_dir_t;

enum { F_BUFFER, F_COUNT };

static const rr_conf_field_t fields[F_COUNT + 1] = {
    [F_BUFFER] = RR_SIZE(filter_dir_t, buffer, 0, APR_INT64_C(1) << 40, 1024 * 1024),
};

static const rr_core_t *core; /* written once, in check_config */

static void *create_dir(apr_pool_t *p, char *dir)
{
    (void)dir;
    return rr_conf_create(p, sizeof(filter_dir_t), fields);
}

static void *merge_dir(apr_pool_t *p, void *base, void *add)
{
    filter_dir_t *merged = rr_conf_merge(p, sizeof(filter_dir_t), base, add, fields);

    if (!merged->file) {
        merged->file = ((filter_dir_t *)base)->file;
    }
    return merged;
}

/* ---- files ---- */

static const char *set_file(cmd_parms *cmd, void *conf, const char *name)
{
    filter_dir_t *dir = conf;
    filter_file_t *file = apr_pcalloc(cmd->pool, sizeof(*file));
    void *files = NULL;

    if (dir->file) {
        return "RRFilters stands twice in this section";
    }
    file->path = ap_server_root_relative(cmd->pool, name);
    if (!file->path) {
        return apr_psprintf(cmd->pool, "RRFilters %s: not a valid path", name);
    }
    file->mount = rr_glue_location(cmd);
    if (!file->mount) {
        file->mount = "";
    }
    dir->file = file;
    apr_pool_userdata_get(&files, FILES_KEY, cmd->pool);
    if (!files) {
        files = apr_array_make(cmd->pool, 4, sizeof(filter_file_t *));
        apr_pool_userdata_setn(files, FILES_KEY, NULL, cmd->pool);
    }
    APR_ARRAY_PUSH((apr_array_header_t *)files, filter_file_t *) = file;
    return NULL;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    void *files = NULL;
    int i, rc = rr_core_bind(&core, s, "mod_rr_filter");

    (void)plog;
    apr_pool_userdata_get(&files, FILES_KEY, pconf);
    for (i = 0; rc == OK && files && i < ((apr_array_header_t *)files)->nelts; i++) {
        filter_file_t *file = APR_ARRAY_IDX((apr_array_header_t *)files, i, filter_file_t *);
        rr_err_t err = RR_ERR_INIT;
        apr_size_t len;
        char *text;

        if (rr_file_read(&text, &len, file->path, MAX_FILE, ptemp, &err) == APR_SUCCESS) {
            rr_filters_read(&file->filters, text, len, pconf, &err);
        }
        if (err.status != APR_SUCCESS) {
            RR_LOG_S(APLOG_EMERG, 0, s, 10500, "RRFilters %s: %s%s%s", file->path, err.where,
                     *err.where ? ": " : "", rr_err_text(&err));
            rc = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return rc;
}

/* ---- requests ---- */

/* Stages being gathered: what filters ask about the request is found for the first that asks. */
typedef struct {
    request_rec *r;
    apr_array_header_t *stages; /* filter_stage_t */
    const rr_route_t *route;    /* of the owners at hand */
    const char *mount;          /* what their paths are below; NULL: the route's, nobody asked yet */
    rr_filter_facts_t facts;
    rr_matcher_t *matcher;      /* NULL: not yet */
} gathering_t;

/* The owner's filters (NULL: none) that apply become the next stage. */
static void add_stage(gathering_t *gathering, const char *owner, const rr_filters_t *filters)
{
    apr_pool_t *p = gathering->r->pool;
    unsigned char *active;
    filter_stage_t *stage;
    unsigned count;

    if (!filters) {
        return;
    }
    if (!gathering->mount) {
        gathering->mount = rr_glue_mount(gathering->r, gathering->route);
    }
    if (!gathering->matcher) {
        gathering->matcher = rr_matcher_make(p);
    }
    filter_facts_add(&gathering->facts, filters, gathering->r, core, gathering->mount);
    active = apr_palloc(p, rr_filters_count(filters) + 1);
    count = rr_filters_judge(filters, &gathering->facts, gathering->matcher, active, p);
    if (count) {
        stage = apr_array_push(gathering->stages);
        stage->owner = owner;
        stage->filters = filters;
        stage->active = count < rr_filters_count(filters) ? active : NULL;
    }
}

/*
 * What would let a part of the body, or a statement about the whole of it, pass
 * by the filter. Preconditions of writes travel.
 */
static void clean_request(request_rec *r)
{
    apr_table_unset(r->headers_in, "Range");
    apr_table_unset(r->headers_in, "If-Range");
    apr_table_unset(r->headers_in, "Upgrade");
    if (r->method_number == M_GET) { /* HEAD too */
        apr_table_unset(r->headers_in, "If-None-Match");
        apr_table_unset(r->headers_in, "If-Modified-Since");
    }
}

/* The four stages in their order (design: target credential, target, proxy credential, proxy or Location). */
static void gather_stages(request_rec *r, apr_array_header_t *stages, const filter_file_t *file)
{
    const rr_route_t *route = core->route_get(r);
    const rr_proxy_t *proxy = route ? route->proxy : NULL;
    gathering_t gathering = { .r = r, .stages = stages, .route = route };
    int i;

    if (proxy) {
        if (proxy->target_credential) {
            add_stage(&gathering, "target credential", proxy->target_credential->attached.filters);
        }
        if (proxy->target) {
            add_stage(&gathering, "target", proxy->target->attached.filters);
        }
        for (i = 0; i < proxy->credentials->nelts; i++) {
            const rr_party_t *party = APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);

            if (rr_proxy_hears(proxy, party, rr_principal_proves, core->principal_get(r))) {
                add_stage(&gathering, "proxy credential", party->attached.filters);
            }
        }
        add_stage(&gathering, "proxy", proxy->attached.filters);
    }
    if (file) {
        gathering.mount = file->mount;
        gathering.facts.paths = NULL;
        add_stage(&gathering, "location", file->filters);
    }
}

static void insert_filter(request_rec *r)
{
    const filter_dir_t *conf = ap_get_module_config(r->per_dir_config, &rr_filter_module);
    apr_array_header_t *stages;

    if (!conf->file && !core->proxy_get(r)) {
        return;
    }
    /* What one caller gets, another may not: nothing of it is for a cache that many share. */
    apr_table_setn(r->subprocess_env, "no-cache", "1");
    stages = apr_array_make(r->pool, 4, sizeof(filter_stage_t));
    gather_stages(r, stages, conf->file);
    if (stages->nelts) {
        clean_request(r);
        filter_body_insert(r, stages, rr_conf_number(conf, &fields[F_BUFFER]), core);
        apr_table_setn(r->notes, FILES_KEY, "1");
    }
}

/* mod_proxy's own copy of the headers: the client may still get a compressed answer from httpd. */
static int ask_identity(request_rec *r)
{
    if (apr_table_get(r->notes, FILES_KEY)) {
        apr_table_setn(r->headers_in, "Accept-Encoding", "identity");
        apr_table_unset(r->headers_in, "TE");
    }
    return OK;
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("RRFilters", set_file, NULL, RSRC_CONF | ACCESS_CONF, "file of payload filters"),
    RR_DIRECTIVE("RRFilterBuffer", &fields[F_BUFFER], "how much of a filtered response is held back before it streams"),
    { NULL }
};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    filter_body_register();
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_filter(insert_filter, NULL, NULL, APR_HOOK_REALLY_LAST);
    APR_OPTIONAL_HOOK(proxy, fixups, ask_identity, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(rr_filter) = {
    STANDARD20_MODULE_STUFF,
    create_dir,
    merge_dir,
    NULL, /* no per-server configuration */
    NULL,
    directives,
    register_hooks,
    AP_MODULE_FLAG_NONE,
};
