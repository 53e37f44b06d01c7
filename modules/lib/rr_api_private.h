/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_private.h: what the files of the management API share; private to librr.
 *
 * A handler returns APR_SUCCESS having answered, or a failure that api_refuse
 * or the store recorded. err->where is the JSON pointer of the field at fault.
 */
#ifndef RR_API_PRIVATE_H
#define RR_API_PRIVATE_H

#include "rr_api.h"

#include <stddef.h>

/* ---- text under construction ---- */

typedef struct api_out_t {
    char *text; /* NUL-terminated */
    apr_size_t len, room;
    apr_pool_t *p;
} api_out_t;

void api_out_init(api_out_t *out, apr_pool_t *p);

/** Appends text as it is. */
void api_out_add(api_out_t *out, const char *text);

/** Begins a member or, with name NULL, an element: a comma where one is due, the name, a colon. */
void api_out_name(api_out_t *out, const char *name);

/** Members; a NULL text, JSON or a time of 0 is left out. */
void api_out_text(api_out_t *out, const char *name, const char *text);
void api_out_json(api_out_t *out, const char *name, const char *json);
void api_out_bool(api_out_t *out, const char *name, int value);
void api_out_number(api_out_t *out, const char *name, apr_int64_t number);
void api_out_time(api_out_t *out, const char *name, apr_time_t when);

/* ---- fields of a body ---- */

typedef enum {
    API_TEXT = 1, /* const char *; 1 to most bytes of UTF-8 without control characters */
    API_BYTES,    /* const char *; 1 to most bytes of anything but NUL */
    API_NAME,     /* const char *; rr_name_check */
    API_WORD,     /* const char *; rr_word_check */
    API_ENUM,     /* const char *; one of words, of which "alias=word" is read as word */
    API_BOOL,     /* int; what the struct held is the default */
    API_INT,      /* apr_int64_t; least to most */
    API_TIME,     /* apr_time_t; RFC 3339 */
    API_WHEN,     /* apr_time_t; RFC 3339, or seconds since the epoch as in a token */
    API_OBJECT,   /* const rr_json_t *; printed, most bytes */
    API_ARRAY,    /* const rr_json_t *; of strings, at most `most` of them */
    API_EITHER    /* const rr_json_t *; a string or an array of strings */
} api_kind_e;

enum {
    API_REQUIRED = 1,
    API_SECRET = 2,    /* never shown: RR_API_MASK in answers */
    API_READ_ONLY = 4, /* in answers; accepted in a body, so that an answer can be sent back, and not looked at */
    API_OR_GONE = 8,   /* null in answers where what was named was deleted; in a body from rrctl alone, whose export says it */
    API_EMPTY = 16     /* TEXT and BYTES may have no bytes */
};

typedef struct api_field_t {
    const char *name; /* NULL ends a table */
    api_kind_e kind;
    int flags;
    size_t offset;
    apr_int64_t least, most;
    const char *const *words; /* ENUM: NULL-terminated */
} api_field_t;

#define API_FIELD(kind_, name_, flags_, type, member, most_) \
    { .name = (name_), .kind = (kind_), .flags = (flags_), .offset = offsetof(type, member), .most = (most_) }
#define API_FIELD_ENUM(name_, flags_, type, member, words_) \
    { .name = (name_), .kind = API_ENUM, .flags = (flags_), .offset = offsetof(type, member), .words = (words_) }
#define API_ANSWER(kind_, name_) { .name = (name_), .kind = (kind_), .flags = API_READ_ONLY }

extern const char *const api_effects[]; /* allow, deny */
extern const char *const api_methods[]; /* of a request, by api_method_e */

/* ---- one call ---- */

typedef enum { API_OF_NOTHING = 0, API_OF_CREDENTIAL, API_OF_TARGET, API_OF_PROXY } api_owner_e;

typedef struct api_route_t api_route_t;

typedef struct api_call_t {
    rr_store_t *store;
    const rr_api_t *api;
    const rr_api_request_t *request;
    rr_api_response_t *response;
    const api_route_t *route;
    const char *client; /* {clientId}; NULL: the path has none */
    const char *owner;  /* {ownerId}; NULL: the path has none */
    const char *id;     /* {id}; NULL: the path has none */
    const rr_json_t *body; /* of POST and PUT: an object */
    const char *cursor;    /* "" for the first page */
    int limit;
    int refused;           /* HTTP status that api_refuse chose; 0: err->status decides */
    const char *users;     /* JSON array of what keeps an object in use; NULL */
    apr_time_t now;
    apr_pool_t *p;
    rr_err_t *err;
} api_call_t;

typedef apr_status_t api_handler_t(api_call_t *call);

typedef enum { API_GET = 0, API_POST, API_PUT, API_DELETE, API_METHODS } api_method_e;

struct api_route_t {
    const char *path;             /* "/clients/{clientId}/targets/{id}" */
    const char *collection;       /* name of the array in answers */
    api_owner_e owner;            /* what {ownerId} is */
    const api_field_t *fields;    /* of a body; NULL: none, or a table of its own (rules and filters) */
    api_handler_t *handlers[API_METHODS];
};

extern const api_route_t api_routes[]; /* path NULL ends it */

/** Refuses with an HTTP status; the sentence is for the client. RR_EINVAL. */
apr_status_t api_refuse(api_call_t *call, int status, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Refuses as whatever is not there, or is another client's, is refused. */
apr_status_t api_not_found(api_call_t *call);

/** Passes on how a look-up went: what was not found is refused as ever. */
apr_status_t api_found(api_call_t *call, apr_status_t rv, const rr_err_t *why);

/** Passes on a failure; of the client's own input, so that pointer is named. */
apr_status_t api_invalid(api_call_t *call, apr_status_t rv, const char *pointer, const rr_err_t *why);

/**
 * Reads body's members into the struct at into, by the table; pointer is where body stands ("" or
      "/credentialSecret").
 * Unknown members, wrong types, bounds and missing fields are refused with their JSON pointer.
 */
apr_status_t api_read(api_call_t *call, void *into, const api_field_t *fields, const rr_json_t *body,
                      const char *pointer);

/** pointer and one more segment, escaped (RFC 6901). */
const char *api_pointer(api_call_t *call, const char *pointer, const char *name);

/* Answers: one object with its tag; a page of a list; something new, with its Location. object is JSON. */
apr_status_t api_answer(api_call_t *call, const char *object, apr_time_t updated);
apr_status_t api_answer_new(api_call_t *call, const char *object, const char *id, apr_time_t updated);
apr_status_t api_answer_list(api_call_t *call, const apr_array_header_t *objects, const char *last_id);

/** 412 unless the request's If-Match, if any, names object as it is now. */
apr_status_t api_check_match(api_call_t *call, const char *object, apr_time_t updated);

/** The id of a new object: made, or, offline, the one that the body brings (apply). */
apr_status_t api_new_id(const char **pid, api_call_t *call, const char *brought);

/** The time of a change: now, and later than the last one. */
apr_time_t api_touch(const api_call_t *call, apr_time_t before);

/** The store's digester. */
apr_status_t api_digester(const rr_key_digester_t **pdigester, api_call_t *call);

/** Seals for a credential; opens. */
apr_status_t api_seal(const char **psealed, api_call_t *call, const char *id, const char *text);
apr_status_t api_open(rr_secret_t **psecret, api_call_t *call, const rr_credential_row_t *row);

/** True for who may do everything. */
int api_is_operator(const api_call_t *call);

/** True for who may manage that client's objects. */
int api_may_manage(const api_call_t *call, const char *client);

/** 403 where scopes, a JSON array, has one that begins with rr: and that the actor does not hold. */
apr_status_t api_check_scopes(api_call_t *call, const char *scopes, const char *pointer);

/** Whether text is a header's name that may be set on a request (RFC 9110, 5.1): no framing, no connection header. */
int api_is_header(const char *text);

/** Text without bytes that cannot stand in a header's value. */
int api_is_header_value(const char *text);

/**
 * The origin of an absolute http(s) URL: scheme, lower-case host, port where it is not the default. RR_EINVAL.
 * only: nothing but the origin may be there (a trailing '/' may).
 */
apr_status_t api_origin(const char **porigin, const char *url, int only, apr_pool_t *p, rr_err_t *err);

/* ---- credentials and what hangs on them ---- */

/* What a credentialSecret comes to. */
typedef struct api_secret_t {
    const char *shown;  /* the object with its secrets masked; NULL: none */
    const char *sealed; /* the object as it was given, to be sealed; NULL: nothing to seal */
    const char *value;  /* what a caller presents; NULL: nothing that is found by its digest */
    const char *once;   /* value was made here: the object that shows it; NULL */
    int masked;         /* what is stored stays: it came masked, or is the same */
    int carried;        /* the secret itself was in the request */
} api_secret_t;

/**
 * Reads and checks a credentialSecret (NULL: none was sent) for that type and kind.
 * stored: the row that a masked one stands for; NULL: it may not be masked.
 */
apr_status_t api_secret_read(api_secret_t *secret, api_call_t *call, const rr_json_t *body, int target,
                             rr_credential_kind_e kind, const rr_credential_row_t *stored);

/** Fields of every form of a credentialSecret, for the document: pairs of name and table, NULL ends. */
typedef struct api_secret_form_t {
    rr_credential_kind_e kind;
    int proxy, target; /* where it may be used */
    const api_field_t *fields;
} api_secret_form_t;
extern const api_secret_form_t api_secret_forms[];

/** A key row for a value; *pid is its id. 409 where the value is somebody's already, its own credential's
      included. */
apr_status_t api_key_add(const char **pid, api_call_t *call, const char *credential, const char *value,
                         apr_time_t expires, const char *pointer);

/** 422 unless value may be a caller's secret of that kind. */
apr_status_t api_key_check(api_call_t *call, rr_credential_kind_e kind, const char *value, const char *pointer);

/** The credential of the path; NOTFOUND as ever. */
apr_status_t api_credential(const rr_credential_row_t **prow, api_call_t *call, const char *id);

/** 409 with the users of a target or target credential, if it has any. */
apr_status_t api_check_users(api_call_t *call, rr_users_e of, const char *id);

/** 409 unless every proxy that joins the credential to a target has that target's origin among origins (JSON
      array). */
apr_status_t api_check_joins(api_call_t *call, const char *credential, const char *origins);

/** Whether origin is in a JSON array of origins. */
int api_has_origin(const char *origins, const char *origin, apr_pool_t *p);

/** One rule, one filter as the text that is kept; without "id". RR_EINVAL with the JSON pointer in err->where. */
apr_status_t api_rule_normalise(const char **ptext, const rr_json_t *body, apr_pool_t *p, rr_err_t *err);
apr_status_t api_filter_normalise(const char **ptext, const rr_json_t *body, apr_pool_t *p, rr_err_t *err);

/** One table of fields a noun. */
extern const api_field_t api_client_fields[], api_credential_fields[], api_key_fields[], api_roll_fields[],
    api_target_fields[], api_proxy_fields[], api_revocation_fields[];

api_handler_t api_client_list, api_client_post, api_client_get, api_client_put, api_client_delete;
api_handler_t api_credential_list, api_credential_post, api_credential_get, api_credential_put, api_credential_delete;
api_handler_t api_key_list, api_key_post, api_key_get, api_key_delete, api_key_roll;
api_handler_t api_target_list, api_target_post, api_target_get, api_target_put, api_target_delete;
api_handler_t api_proxy_list, api_proxy_post, api_proxy_get, api_proxy_put, api_proxy_delete;
api_handler_t api_revocation_list, api_revocation_post, api_revocation_get, api_revocation_delete;
api_handler_t api_attached_list, api_attached_post, api_attached_get, api_attached_delete;
api_handler_t api_openapi;

#endif
