/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_frame.h: a store of its own, and tables of calls on it, for test_api*.c.
 *
 * In paths, bodies and expectations <name> stands for what an earlier case saved
 * under that name: the id of the object it was answered with, or its tag.
 */
#ifndef API_FRAME_H
#define API_FRAME_H

#include "rr_api.h"

#include "tap.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <unistd.h>

typedef struct {
    const char *name;
    const char *scopes; /* of the actor, by blanks; "offline": rrctl */
    const char *method, *path, *body;
    int status;
    const char *has;    /* texts in the answer, separated by '\n'; NULL: none */
    const char *lacks;  /* texts that are not in it */
    const char *save;   /* name for the id; NULL */
    const char *match;  /* If-Match; NULL */
} api_case_t;

typedef struct {
    rr_store_t *store;
    rr_keyring_t *ring;
    apr_hash_t *saved;
    char directory[64];
    apr_pool_t *p;
} api_frame_t;

static inline void api_frame_begin(api_frame_t *frame)
{
    rr_err_t err = RR_ERR_INIT;
    const char *line, *file;

    apr_initialize();
    apr_pool_create(&frame->p, NULL);
    frame->saved = apr_hash_make(frame->p);
    apr_cpystrn(frame->directory, "/tmp/rr-api-XXXXXX", sizeof(frame->directory));
    if (!mkdtemp(frame->directory) || rr_keyring_new_line(&line, frame->p, &err) != APR_SUCCESS) {
        exit(1);
    }
    setenv("RR_TEST_MASTER_KEY", line, 1);
    file = apr_pstrcat(frame->p, frame->directory, "/rr.db", NULL);
    if (rr_keyring_load(&frame->ring, "env:RR_TEST_MASTER_KEY", frame->p, &err) != APR_SUCCESS ||
        rr_store_init("sqlite3", file, frame->ring, frame->p, &err) != APR_SUCCESS ||
        rr_store_open(&frame->store, "sqlite3", file, frame->p, &err) != APR_SUCCESS) {
        note("no store: %s", rr_err_text(&err));
        exit(1);
    }
}

static inline void api_frame_end(api_frame_t *frame)
{
    static const char *const files[] = { "/rr.db", "/rr.db-wal", "/rr.db-shm", "" };
    int i;

    rr_store_close(frame->store);
    for (i = 0; i < 4; i++) {
        remove(apr_pstrcat(frame->p, frame->directory, files[i], NULL));
    }
    apr_terminate();
}

/* text with every <name> that was saved replaced. */
static inline const char *api_fill(api_frame_t *frame, const char *text)
{
    const char *open = text ? strchr(text, '<') : NULL, *close = open ? strchr(open, '>') : NULL;
    const char *value;

    if (!close) {
        return text;
    }
    value = apr_hash_get(frame->saved, open + 1, close - open - 1);
    return apr_pstrcat(frame->p, apr_pstrmemdup(frame->p, text, (apr_size_t)(open - text)),
                       value ? value : apr_pstrmemdup(frame->p, open, (apr_size_t)(close - open + 1)),
                       api_fill(frame, close + 1), NULL);
}

static inline apr_status_t api_do(rr_api_response_t *response, api_frame_t *frame, const char *scopes, const char
      *method,
                                  const char *path, const char *query, const char *match, const char *body)
{
    apr_array_header_t *list = apr_array_make(frame->p, 4, sizeof(const char *));
    rr_api_t api = { .store = frame->store, .ring = frame->ring };
    rr_api_request_t request = { .method = method, .path = path, .query = query, .if_match = match, .body = body,
                                 .len = body ? strlen(body) : 0 };
    rr_err_t err = RR_ERR_INIT;
    apr_status_t rv;
    char *rest, *one;

    for (one = apr_strtok(apr_pstrdup(frame->p, scopes), " ", &rest); one; one = apr_strtok(NULL, " ", &rest)) {
        APR_ARRAY_PUSH(list, const char *) = one;
    }
    api.actor.offline = !strcmp(scopes, "offline");
    api.actor.scopes = list;
    rv = rr_api_call(response, &api, &request, frame->p, &err);
    if (rv != APR_SUCCESS) {
        note("the call failed: %s", rr_err_text(&err));
    }
    return rv;
}

/* The id of the first object of an answer. */
static inline const char *api_id(api_frame_t *frame, const char *body)
{
    const char *id = strstr(body, "\"id\":\""), *end;

    if (!id) {
        return NULL;
    }
    end = strchr(id + 6, '"');
    return apr_pstrmemdup(frame->p, id + 6, (apr_size_t)(end - id - 6));
}

static inline int api_lines(api_frame_t *frame, const char *body, const char *texts, int wanted)
{
    char *rest, *one;

    for (one = texts ? apr_strtok(apr_pstrdup(frame->p, texts), "\n", &rest) : NULL; one;
         one = apr_strtok(NULL, "\n", &rest)) {
        if ((strstr(body, one) != NULL) != wanted) {
            note("%s: %s", wanted ? "missing" : "present", one);
            return 0;
        }
    }
    return 1;
}

static inline void api_run(api_frame_t *frame, const api_case_t *cases, apr_size_t count)
{
    apr_size_t i;

    for (i = 0; i < count; i++) {
        const api_case_t *c = &cases[i];
        char *path = apr_pstrdup(frame->p, api_fill(frame, c->path)), *query = strchr(path, '?');
        rr_api_response_t response;

        if (query) {
            *query++ = '\0';
        }
        api_do(&response, frame, c->scopes, c->method, path, query, api_fill(frame, c->match), api_fill(frame,
        c->body));
        if (!ok(response.status == c->status && api_lines(frame, response.body, api_fill(frame, c->has), 1) &&
                    api_lines(frame, response.body, api_fill(frame, c->lacks), 0) &&
                    response.problem == (response.status >= 400),
                "%s", c->name)) {
            note("%d %s", response.status, response.body);
        }
        if (c->save) {
            const char *id = api_id(frame, response.body);

            apr_hash_set(frame->saved, c->save, APR_HASH_KEY_STRING, id);
            apr_hash_set(frame->saved, apr_pstrcat(frame->p, c->save, ".tag", NULL), APR_HASH_KEY_STRING,
            response.etag);
        }
    }
}

#define API_RUN(frame, cases) api_run(frame, cases, sizeof(cases) / sizeof((cases)[0]))

#endif
