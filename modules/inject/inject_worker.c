/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject_worker.c: a pooled worker of mod_proxy for each stored target.
 *
 * mod_proxy pools connections only for workers that stand in the configuration.
 * A target made at run time gets one of its own, known to nobody else, made
 * when it is first used, and where it is https one more for each set of TLS
 * settings it is reached under; another base URL means another worker.
 * Connections that are idle for a minute end, names are looked up again after
 * half a minute.
 *
 * mod_proxy may be absent or loaded after us: its functions are looked up once
 * all modules are there. RTLD_DEFAULT finds them because httpd loads modules
 * into the global scope.
 */
#include "inject.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include <dlfcn.h>

#define IDLE apr_time_from_sec(60)
#define ADDRESS_TTL 30 /* seconds */
#define RETRY apr_time_from_sec(1)
#define MAX_WAIT apr_time_from_sec(10) /* for another thread's lookup */

static struct {
    char *(*define)(apr_pool_t *p, proxy_worker **worker, proxy_balancer *balancer, proxy_server_conf *conf,
                    const char *url, int do_malloc);
    apr_status_t (*initialize)(proxy_worker *worker, server_rec *s, apr_pool_t *p);
} proxy;

/* Written once, when a child starts. */
static inject_shelf_t *workers;
static server_rec *main_server;

void inject_worker_bind(void)
{
    *(void **)&proxy.define = dlsym(RTLD_DEFAULT, "ap_proxy_define_worker");
    *(void **)&proxy.initialize = dlsym(RTLD_DEFAULT, "ap_proxy_initialize_worker");
}

int inject_worker_is_bound(void)
{
    return proxy.define && proxy.initialize;
}

void inject_worker_start(apr_pool_t *pchild, server_rec *s)
{
    workers = inject_shelf_make(pchild);
    main_server = s;
}

void inject_worker_sweep(void)
{
    if (workers) {
        inject_shelf_sweep(workers, IDLE);
    }
}

static int fits(const inject_kept_t *kept, void *baton)
{
    const rr_target_t *target = baton;

    return !strcmp(((const inject_worker_t *)kept)->base_url, target->base_url);
}

static void to_lower(char *text)
{
    for (; *text; text++) {
        *text = (char)apr_tolower(*text);
    }
}

/* Scheme and host in small letters, the port whether or not url says it. False: no http or https URL of a host, or a user's. */
static int read_url(apr_uri_t *uri, apr_pool_t *p, const char *url)
{
    if (apr_uri_parse(p, url, uri) != APR_SUCCESS || !uri->scheme || !uri->hostname || !*uri->hostname || uri->user) {
        return 0;
    }
    to_lower(uri->scheme);
    to_lower(uri->hostname);
    if (!uri->port) {
        uri->port = apr_uri_port_of_scheme(uri->scheme);
    }
    return !strcmp(uri->scheme, "http") || !strcmp(uri->scheme, "https");
}

static const char *print_origin(apr_pool_t *p, const apr_uri_t *uri)
{
    const char *host = strchr(uri->hostname, ':') ? apr_pstrcat(p, "[", uri->hostname, "]", NULL) : uri->hostname;

    return uri->port == apr_uri_port_of_scheme(uri->scheme)
               ? apr_pstrcat(p, uri->scheme, "://", host, NULL)
               : apr_psprintf(p, "%s://%s:%d", uri->scheme, host, uri->port);
}

const char *inject_origin(apr_pool_t *p, const char *url, const char **prest)
{
    apr_uri_t uri;

    if (!read_url(&uri, p, url)) {
        return NULL;
    }
    *prest = strstr(url, "://") + 3;
    *prest += strcspn(*prest, "/?#");
    return print_origin(p, &uri);
}

static void set_defaults(proxy_worker *worker)
{
    proxy_worker_shared *s = worker->s;

    s->ttl = IDLE;
    s->smax = 0; /* mod_proxy ends idle connections only past this number */
    s->min = 0;
    s->address_ttl = ADDRESS_TTL;
    s->address_ttl_set = 1;
    s->is_address_reusable = 1;
    apr_cpystrn(s->upgrade, "WebSocket", sizeof(s->upgrade));
}

/* The addresses of a host, looked up at one time. */
typedef struct {
    apr_pool_t *pool;
    apr_sockaddr_t *first;
} addresses_t;

static void end_addresses(void *object)
{
    apr_pool_destroy(((addresses_t *)object)->pool);
}

static apr_status_t end_resolved(void *data)
{
    rr_place_end(&((inject_worker_t *)data)->resolved, end_addresses);
    return APR_SUCCESS;
}

static inject_kept_t *make_worker(apr_pool_t *pool, void *baton, rr_err_t *err)
{
    const rr_target_t *target = baton;
    inject_worker_t *worker = apr_pcalloc(pool, sizeof(*worker));
    const char *why;
    apr_uri_t uri;
    apr_size_t len;

    if (!read_url(&uri, pool, target->base_url) || uri.query || uri.fragment) {
        rr_err_set(err, RR_EINVAL, "targetBaseURL", "its base URL is no http or https URL of a host");
        return NULL;
    }
    for (len = uri.path ? strlen(uri.path) : 0; len && uri.path[len - 1] == '/'; len--) {
    }
    worker->base_url = apr_pstrdup(pool, target->base_url);
    worker->base_path = len ? apr_pstrmemdup(pool, uri.path, len) : "";
    worker->clear = !strcmp(uri.scheme, "http");
    worker->origin = print_origin(pool, &uri);
    worker->hostname = uri.hostname;
    worker->port = uri.port;
    if (apr_thread_mutex_create(&worker->lock, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS
        || apr_thread_cond_create(&worker->looked, pool) != APR_SUCCESS) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "out of memory");
        return NULL;
    }
    why = proxy.define(pool, &worker->worker, NULL, NULL, apr_pstrcat(pool, worker->origin, "/", NULL), 0);
    if (why) {
        rr_err_set(err, RR_EINVAL, "targetBaseURL", "mod_proxy: %s", why);
        return NULL;
    }
    apr_pool_pre_cleanup_register(pool, worker, end_resolved);
    set_defaults(worker->worker);
    if (proxy.initialize(worker->worker, main_server, pool) != APR_SUCCESS) {
        rr_err_set(err, RR_EUNAVAIL, NULL, "mod_proxy could not make a connection pool");
        return NULL;
    }
    return &worker->kept;
}

apr_status_t inject_worker_get(inject_worker_t **pworker, request_rec *r, const rr_target_t *target, rr_err_t *err)
{
    const int clear = !apr_cstr_casecmpn(target->base_url, "http:", 5);
    const apr_uint64_t tls = clear ? 0 : inject_dir(r)->tls;
    const char *key = tls ? apr_psprintf(r->pool, "%s %" APR_UINT64_T_HEX_FMT, target->id, tls) : target->id;

    *pworker = (inject_worker_t *)inject_shelf_get(workers, key, fits, make_worker, (void *)target, r, err);
    return *pworker ? APR_SUCCESS : err->status;
}

/* NULL: the name does not resolve. */
static addresses_t *resolve(const inject_worker_t *worker)
{
    addresses_t *addresses;
    apr_pool_t *pool;

    if (apr_pool_create(&pool, worker->kept.pool) != APR_SUCCESS) {
        return NULL;
    }
    addresses = apr_pcalloc(pool, sizeof(*addresses));
    addresses->pool = pool;
    if (apr_sockaddr_info_get(&addresses->first, worker->hostname, APR_UNSPEC, worker->port, 0, pool) != APR_SUCCESS
        || !addresses->first) {
        apr_pool_destroy(pool);
        return NULL;
    }
    return addresses;
}

static void set_due(inject_worker_t *worker, apr_interval_time_t in)
{
    __atomic_store_n(&worker->due, apr_time_now() + in, __ATOMIC_RELAXED);
}

static int is_due(const inject_worker_t *worker, apr_time_t now)
{
    return now >= __atomic_load_n(&worker->due, __ATOMIC_RELAXED);
}

/* The lock is held, given up for the lookup, and held again. */
static void look_up(inject_worker_t *worker)
{
    addresses_t *addresses;

    worker->looking = 1;
    set_due(worker, MAX_WAIT); /* meanwhile the others go on without the lock */
    apr_thread_mutex_unlock(worker->lock);
    addresses = resolve(worker);
    apr_thread_mutex_lock(worker->lock);
    worker->looking = 0;
    if (addresses && !rr_place_set(&worker->resolved, addresses)) {
        apr_pool_destroy(addresses->pool);
        addresses = NULL;
    }
    rr_place_sweep(&worker->resolved, end_addresses);
    set_due(worker, addresses ? apr_time_from_sec(ADDRESS_TTL) : RETRY);
    apr_thread_cond_broadcast(worker->looked);
}

/*
 * Sees to it that there are addresses. One thread looks the name up, the others go on with the addresses there are:
 * what a connection really goes to is judged once more when it is made.
 */
static void find_addresses(inject_worker_t *worker)
{
    apr_time_t now = apr_time_now(), end = now + MAX_WAIT;

    apr_thread_mutex_lock(worker->lock);
    if (is_due(worker, now) && !worker->looking) {
        look_up(worker);
    }
    for (; !rr_place_current(&worker->resolved) && worker->looking && now < end; now = apr_time_now()) {
        apr_thread_cond_timedwait(worker->looked, worker->lock, end - now);
    }
    apr_thread_mutex_unlock(worker->lock);
}

apr_status_t inject_worker_judge(inject_worker_t *worker, request_rec *r, rr_err_t *err)
{
    const rr_target_allow_t *allow = inject_core->target_allow(r);
    const apr_sockaddr_t *address;
    apr_status_t rv = APR_SUCCESS;
    apr_uint32_t *pin;
    const addresses_t *addresses = rr_pin(&worker->resolved, &pin);

    if (!addresses || is_due(worker, r->request_time)) {
        if (addresses) {
            rr_unpin(pin);
        }
        find_addresses(worker);
        addresses = rr_pin(&worker->resolved, &pin);
    }
    if (!addresses) {
        return rr_err_set(err, RR_EUNAVAIL, NULL, "its host name does not resolve");
    }
    for (address = addresses->first; rv == APR_SUCCESS && address; address = address->next) {
        rv = inject_core->target_judge(allow, (const struct sockaddr *)&address->sa, worker->clear, err);
    }
    rr_unpin(pin);
    return rv;
}
