/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_api.c: any bytes as a body of the management API. The first byte says whose: see paths.
 *
 * What was taken reads back, and written as it reads it changes nothing. The store never fails. Every input's
 * transaction is rolled back, so that one does not depend on another.
 */
#include "rr_api.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static apr_pool_t *root;
static rr_api_t api = { .in_transaction = 1 };
static const char *proxy, *caller; /* ids */

/* By the first byte, from '0'. */
static const char *const paths[] = { "/clients", "/clients/fuzz/credentials", "/clients/fuzz/targets", "/clients/fuzz/proxies",
                                     "/clients/fuzz/proxies/<proxy>/rules", "/clients/fuzz/proxies/<proxy>/filters",
                                     "/clients/fuzz/credentials/<caller>/keys", "/clients/fuzz/credentials/<caller>/keys/roll",
                                     "/revocations" };

static const rr_json_t *call(rr_api_response_t *response, const char *method, const char *path, const char *match,
                             const char *body, apr_size_t len, apr_pool_t *p)
{
    rr_api_request_t request = { .method = method, .path = path, .if_match = match, .body = body, .len = len };
    const rr_json_t *answer;

    if (rr_api_call(response, &api, &request, p, NULL) != APR_SUCCESS || response->status < 200 || response->status > 422 ||
        rr_json_parse_object(&answer, response->body, strlen(response->body), p, NULL) != APR_SUCCESS) {
        abort();
    }
    return answer;
}

static const char *make(const char *path, const char *body)
{
    rr_api_response_t response;
    const rr_json_t *answer = call(&response, "POST", path, NULL, body, strlen(body), root);

    if (response.status != 201) {
        abort();
    }
    answer = rr_json_element(rr_json_member(answer, strrchr(path, '/') + 1), 0);
    return rr_json_string(rr_json_member(answer, "id"));
}

/* The driver of the database is unloaded with its pool: what it holds has to go before. */
static void end(void)
{
    rr_store_close(api.store);
    apr_pool_destroy(root);
    apr_terminate();
}

static void begin(void)
{
    char directory[] = "/tmp/rr-fuzz-XXXXXX";
    apr_array_header_t *scopes;
    rr_keyring_t *ring;
    const char *line, *file;

    apr_initialize();
    apr_pool_create(&root, NULL);
    scopes = apr_array_make(root, 1, sizeof(const char *));
    APR_ARRAY_PUSH(scopes, const char *) = "rr:admin";
    api.actor.scopes = scopes;
    if (!mkdtemp(directory) || rr_keyring_new_line(&line, root, NULL) != APR_SUCCESS) {
        abort();
    }
    setenv("RR_FUZZ_KEY", line, 1);
    file = apr_pstrcat(root, directory, "/rr.db", NULL);
    if (rr_keyring_load(&ring, "env:RR_FUZZ_KEY", root, NULL) != APR_SUCCESS ||
        rr_store_init("sqlite3", file, ring, root, NULL) != APR_SUCCESS ||
        rr_store_open(&api.store, "sqlite3", file, root, NULL) != APR_SUCCESS ||
        rr_store_begin(api.store, root, NULL) != APR_SUCCESS) {
        abort();
    }
    api.ring = ring;
    make("/clients", "{\"clientName\":\"fuzz\",\"id\":\"fuzz\"}");
    caller = make("/clients/fuzz/credentials",
                  "{\"credentialType\":\"proxy\",\"credentialAuthType\":\"key\",\"credentialName\":\"caller\"}");
    make("/clients/fuzz/credentials", "{\"credentialType\":\"target\",\"credentialAuthType\":\"key\",\"credentialName\":\"vendor\","
                                      "\"credentialSecret\":{\"key\":\"k\"}}");
    make("/clients/fuzz/targets", "{\"targetName\":\"t\",\"targetBaseURL\":\"https://t.example\"}");
    proxy = make("/clients/fuzz/proxies", "{\"proxyName\":\"p\",\"proxyProxyCredentialId\":\"caller\",\"proxyTargetId\":\"t\"}");
    if (rr_store_commit(api.store, NULL) != APR_SUCCESS) {
        abort();
    }
    unlink(file); /* it lives as long as the connection, and leaves nothing */
    unlink(apr_pstrcat(root, file, "-wal", NULL));
    unlink(apr_pstrcat(root, file, "-shm", NULL));
    rmdir(directory);
    atexit(end);
}

/* What was taken reads back; where it can be written, as it reads, that changes nothing. */
static void read_back(const char *path, const rr_json_t *answer, apr_pool_t *p)
{
    const char *collection = strrchr(path, '/') + 1, *id, *one, *text;
    rr_api_response_t read, written;
    const rr_json_t *object;

    if (!strcmp(collection, "roll")) {
        return;
    }
    object = rr_json_element(rr_json_member(answer, collection), 0);
    id = rr_json_string(rr_json_member(object, "id"));
    if (!id) {
        abort();
    }
    one = apr_pstrcat(p, path, "/", id, NULL);
    answer = call(&read, "GET", one, NULL, NULL, 0, p);
    if (read.status != 200) {
        abort();
    }
    if (!strstr(rr_api_allow(one, p), "PUT")) {
        return;
    }
    text = rr_json_print(p, rr_json_element(rr_json_member(answer, collection), 0));
    call(&written, "PUT", one, read.etag, text, strlen(text), p);
    if (written.status != 200 || strcmp(written.etag, read.etag)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const char *path, *mark;
    rr_api_response_t response;
    const rr_json_t *answer;
    apr_pool_t *p;

    if (!root) {
        begin();
    }
    if (!size || data[0] < '0' || (size_t)(data[0] - '0') >= sizeof(paths) / sizeof(paths[0])) {
        return -1;
    }
    apr_pool_create(&p, root);
    path = paths[data[0] - '0'];
    mark = strchr(path, '<');
    if (mark) {
        path = apr_pstrcat(p, apr_pstrmemdup(p, path, (apr_size_t)(mark - path)), mark[1] == 'p' ? proxy : caller,
                           strchr(mark, '>') + 1, NULL);
    }
    if (rr_store_begin(api.store, p, NULL) != APR_SUCCESS) {
        abort();
    }
    answer = call(&response, "POST", path, NULL, (const char *)data + 1, size - 1, p);
    if (response.status == 201) {
        read_back(path, answer, p);
    }
    rr_store_rollback(api.store);
    apr_pool_destroy(p);
    return 0;
}
