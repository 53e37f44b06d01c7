/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_keyset_watch.c: the key sets of the configuration, what the children will
 * share of them, and the watchdog that keeps all sets fresh.
 *
 * Threads: the tick runs in one thread of one child at a time; everything else
 *          before there are children, or in a child before it has threads.
 */
#include "jwt_keyset.h"

#include "rr_fetch.h"

#include <ap_mpm.h>
#include <mod_watchdog.h>

#include <apr_shm.h>
#include <apr_strings.h>

#include <string.h>

APLOG_USE_MODULE(rr_jwt);

#define TICK apr_time_from_sec(1)
#define STATE_NAME_LEN 64 /* of a kept set's file: a digest, then .jwks */

jwt_keysets_t jwt_keysets;

void jwt_keysets_reset(apr_pool_t *pconf)
{
    memset(&jwt_keysets, 0, sizeof(jwt_keysets));
    jwt_keysets.sets = apr_array_make(pconf, 4, sizeof(jwt_keyset_t *));
    jwt_stored_keysets_reset();
}

jwt_keyset_t *jwt_keyset_add(const char *issuer, const char *jwks_url, apr_pool_t *pconf)
{
    jwt_keyset_t *keyset;
    int i;

    for (i = 0; i < jwt_keysets.sets->nelts; i++) {
        keyset = APR_ARRAY_IDX(jwt_keysets.sets, i, jwt_keyset_t *);
        if (strcmp(keyset->issuer, issuer) == 0 && !keyset->jwks_url == !jwks_url
            && (!jwks_url || strcmp(keyset->jwks_url, jwks_url) == 0)) {
            return keyset;
        }
    }
    keyset = apr_pcalloc(pconf, sizeof(*keyset));
    keyset->issuer = issuer;
    keyset->jwks_url = jwks_url;
    APR_ARRAY_PUSH(jwt_keysets.sets, jwt_keyset_t *) = keyset;
    return keyset;
}

int jwt_keysets_count(void)
{
    return jwt_keysets.sets->nelts;
}

/* ---- the watchdog ---- */

int jwt_keyset_is_stopping(void)
{
    int mpm = AP_MPMQ_RUNNING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &mpm) == APR_SUCCESS && mpm == AP_MPMQ_STOPPING;
}

/* Says once that a set gets old, and once that it is past use. */
static void check_age(const jwt_keyset_t *keyset, apr_time_t now)
{
    slot_t *slot = keyset->slot;
    apr_interval_time_t age = now - atomic_load(&slot->fetched);

    if (!atomic_load(&slot->generation) || !atomic_load(&slot->failures)) {
        return;
    }
    if (age >= jwt_keysets.settings.max_stale) {
        if (atomic_exchange(&slot->alarm, ALARM_GONE) != ALARM_GONE) {
            RR_LOG_S(APLOG_ERR, 0, jwt_keysets.server, 10327, "key set of %s: older than RRJwksMaxStale, its tokens get 503 "
                     "until the issuer answers", keyset->issuer);
        }
    }
    else if (age >= jwt_keysets.settings.max_stale / 2 && !atomic_exchange(&slot->alarm, ALARM_OLD)) {
        RR_LOG_S(APLOG_WARNING, 0, jwt_keysets.server, 10326, "key set of %s: not refreshed for %" APR_TIME_T_FMT " s, half of "
                 "RRJwksMaxStale; its tokens get 503 when that is over", keyset->issuer, apr_time_sec(age));
    }
}

void jwt_keyset_tick(jwt_keyset_t *keyset)
{
    jwt_keyset_refresh(keyset);
    check_age(keyset, apr_time_now());
}

static apr_status_t tick(int state, void *unused, apr_pool_t *p)
{
    int i;

    (void)unused, (void)p;
    for (i = 0; state == AP_WATCHDOG_STATE_RUNNING && i < jwt_keysets.sets->nelts && !jwt_keyset_is_stopping(); i++) {
        jwt_keyset_tick(APR_ARRAY_IDX(jwt_keysets.sets, i, jwt_keyset_t *));
    }
    if (state == AP_WATCHDOG_STATE_RUNNING) {
        jwt_stored_keysets_tick();
    }
    return APR_SUCCESS;
}

/* ---- start ---- */

/* Files of sets that nobody asked for since they became too old to be used: credentials come and go. */
static void sweep(const char *dir, apr_pool_t *ptemp)
{
    apr_time_t oldest = apr_time_now() - jwt_keysets.settings.max_stale;
    apr_dir_t *listing;
    apr_finfo_t entry;

    if (apr_dir_open(&listing, dir, ptemp) != APR_SUCCESS) {
        return;
    }
    while (apr_dir_read(&entry, APR_FINFO_NAME, listing) == APR_SUCCESS) {
        const char *path = apr_pstrcat(ptemp, dir, "/", entry.name, NULL);
        apr_finfo_t file;

        if (strlen(entry.name) > STATE_NAME_LEN && strncmp(entry.name + STATE_NAME_LEN, ".jwks", 5) == 0
            && apr_stat(&file, path, APR_FINFO_TYPE | APR_FINFO_MTIME | APR_FINFO_LINK, ptemp) == APR_SUCCESS
            && file.filetype == APR_REG && file.mtime < oldest) {
            apr_file_remove(path, ptemp);
        }
    }
    apr_dir_close(listing);
}

static int refuse_start(apr_status_t rv, server_rec *s, const char *text)
{
    RR_LOG_S(APLOG_EMERG, rv, s, 10302, "%s", text);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* The configured sets: their slots, locks and what the last run kept. OK, or logged and !OK. */
static int open_configured(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    apr_size_t size = sizeof(slot_t) * (apr_size_t)jwt_keysets.sets->nelts;
    apr_status_t rv;
    apr_shm_t *shm;
    int i;

    if (!size) {
        return OK;
    }
    rv = apr_shm_create(&shm, size, NULL, pconf);
    if (rv != APR_SUCCESS) {
        return refuse_start(rv, s, "the shared memory for key sets cannot be made");
    }
    memset(apr_shm_baseaddr_get(shm), 0, size);
    for (i = 0; i < jwt_keysets.sets->nelts; i++) {
        jwt_keyset_t *keyset = APR_ARRAY_IDX(jwt_keysets.sets, i, jwt_keyset_t *);

        rv = jwt_keyset_prepare(keyset, keyset->issuer, keyset->jwks_url, NULL, (slot_t *)apr_shm_baseaddr_get(shm) + i,
                                pconf);
        if (rv != APR_SUCCESS) {
            return refuse_start(rv, s, "the lock of a key set cannot be made");
        }
        jwt_keyset_take_up(keyset, ptemp);
    }
    return OK;
}

int jwt_keysets_open(const jwt_keyset_settings_t *settings, apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *on_tick =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;

    jwt_keysets.settings = *settings;
    jwt_keysets.server = s;
    if (rr_fetch_init(pconf, &err) != APR_SUCCESS
        || jwt_state_directory(settings->state_dir, ptemp, &err) != APR_SUCCESS) {
        return refuse_start(0, s, rr_err_text(&err));
    }
    sweep(settings->state_dir, ptemp);
    if (open_configured(pconf, ptemp, s) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    rv = settings->stored ? jwt_stored_keysets_open(pconf, s) : APR_SUCCESS;
    if (rv != APR_SUCCESS) {
        return refuse_start(rv, s, "the shared memory or a lock for the store's key sets cannot be made");
    }
    rv = get ? get(&watchdog, "_rr_jwt_", 0, 1, pconf) : APR_ENOTIMPL;
    if (rv == APR_SUCCESS) {
        rv = on_tick(watchdog, TICK, jwt_keysets.sets, tick);
    }
    if (rv != APR_SUCCESS) {
        return refuse_start(rv, s, "the watchdog that refreshes key sets cannot be registered");
    }
    return OK;
}

void jwt_keysets_start_child(apr_pool_t *pchild, server_rec *s)
{
    int threads = 0;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) == APR_SUCCESS) {
        jwt_keyset_limit(threads);
    }
    jwt_stored_keysets_start_child(pchild, s);
}
