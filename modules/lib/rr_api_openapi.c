/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_api_openapi.c: the OpenAPI document, made from the route and field tables, so that it cannot say anything else.
 *
 * Spec: OpenAPI 3.1.0; JSON Schema 2020-12.
 */
#include "rr_api_private.h"

#include <apr_strings.h>

#include <string.h>

#define REF(name) "{\"$ref\":\"#/components/" name "\"}"

/* Rules and filters have published shapes of their own; what they are made of is in the manual. */
static const char any_object[] = "{\"type\":\"object\"}";

static const char components[] =
    "\"parameters\":{"
    "\"limit\":{\"name\":\"limit\",\"in\":\"query\",\"description\":\"Objects in one answer.\","
    "\"schema\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}},"
    "\"cursor\":{\"name\":\"cursor\",\"in\":\"query\",\"description\":\"nextCursor of the page before.\","
    "\"schema\":{\"type\":\"string\"}},"
    "\"ifMatch\":{\"name\":\"If-Match\",\"in\":\"header\",\"description\":\"ETag of the object as it was read: "
    "412 where it was changed since.\",\"schema\":{\"type\":\"string\"}}},"
    "\"responses\":{\"problem\":{\"description\":\"A refusal, RFC 9457.\",\"content\":{\"application/problem+json\":"
    "{\"schema\":" REF("schemas/problem") "}}}},"
    "\"securitySchemes\":{\"key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\"},"
    "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}";

static const char problem[] =
    "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\"],\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
    "\"detail\":{\"type\":\"string\"},"
    "\"pointer\":{\"type\":\"string\",\"description\":\"JSON pointer of the field at fault.\"},"
    "\"users\":{\"type\":\"array\",\"description\":\"What keeps the object in use.\",\"items\":{\"type\":\"object\"}}}}";

static const char *words_of(const api_field_t *field, apr_pool_t *p)
{
    const char *const *word;
    const char *list = "";

    for (word = field->words; *word; word++) {
        const char *equals = strchr(*word, '=');
        apr_size_t len = equals ? (apr_size_t)(equals - *word) : strlen(*word);

        list = apr_pstrcat(p, list, *list ? "," : "", rr_json_quote(p, *word, len), NULL);
    }
    return apr_pstrcat(p, "{\"type\":\"string\",\"enum\":[", list, "]", NULL);
}

static const char *bounded(apr_pool_t *p, const char *type, const char *least, apr_int64_t from, const char *most,
                           apr_int64_t to)
{
    return apr_psprintf(p, "{\"type\":\"%s\",\"%s\":%" APR_INT64_T_FMT ",\"%s\":%" APR_INT64_T_FMT, type, least, from,
                        most, to);
}

/* A field's schema without its closing brace. */
static const char *schema_of(const api_field_t *field, apr_pool_t *p)
{
    switch (field->kind) {
    case API_ENUM:
        return words_of(field, p);
    case API_BOOL:
        return "{\"type\":\"boolean\"";
    case API_INT:
        return bounded(p, "integer", "minimum", field->least, "maximum", field->most);
    case API_TIME:
        return "{\"type\":\"string\",\"format\":\"date-time\"";
    case API_WHEN:
        return "{\"type\":[\"string\",\"integer\"]";
    case API_OBJECT:
        return "{\"type\":\"object\"";
    case API_ARRAY:
        return apr_psprintf(p, "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":%d", (int)field->most);
    case API_EITHER:
        return "{\"type\":[\"string\",\"array\"],\"items\":{\"type\":\"string\"}";
    default:
        return !field->most ? "{\"type\":\"string\""
                            : bounded(p, "string", "minLength", !(field->flags & API_EMPTY), "maxLength", field->most);
    }
}

/* The object that a table of fields describes. */
static const char *object_of(const api_field_t *fields, apr_pool_t *p)
{
    const char *required = "";
    api_out_t out;

    if (!fields) {
        return any_object;
    }
    api_out_init(&out, p);
    api_out_add(&out, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (; fields->name; fields++) {
        const char *schema = schema_of(fields, p);

        if (!strcmp(fields->name, "credentialSecret")) {
            schema = "{\"anyOf\":[" REF("schemas/credentialSecret") "]";
        }
        api_out_name(&out, fields->name);
        api_out_add(&out, schema);
        api_out_add(&out, fields->flags & API_READ_ONLY ? ",\"readOnly\":true}"
                          : fields->flags & API_SECRET  ? ",\"description\":\"A secret: reads as " RR_API_MASK ".\"}"
                                                        : "}");
        if (fields->flags & API_REQUIRED) {
            required = apr_pstrcat(p, required, *required ? "," : "", "\"", fields->name, "\"", NULL);
        }
    }
    api_out_add(&out, "}");
    if (*required) {
        api_out_json(&out, "required", apr_pstrcat(p, "[", required, "]", NULL));
    }
    api_out_add(&out, "}");
    return out.text;
}

static const char *secret_forms(apr_pool_t *p)
{
    const api_secret_form_t *form;
    api_out_t out;

    api_out_init(&out, p);
    api_out_add(&out, "{\"description\":\"By credentialAuthType.\",\"anyOf\":[");
    for (form = api_secret_forms; form->fields; form++) {
        const char *object = object_of(form->fields, p);

        api_out_name(&out, NULL);
        api_out_add(&out, apr_pstrcat(p, "{\"title\":\"", rr_credential_kind_word(form->kind), "\",", object + 1, NULL));
    }
    api_out_add(&out, "]}");
    return out.text;
}

/* A schema's name: the collection's, but for bodies that differ from what the collection holds. */
static const char *schema_name(const api_route_t *route)
{
    return route->fields == api_roll_fields ? "roll" : route->collection;
}

static void print_schemas(api_out_t *out)
{
    const char *seen = ",", *name;
    const api_route_t *route;

    for (route = api_routes; route->path; route++) {
        name = schema_name(route);
        if (!name || strstr(seen, apr_pstrcat(out->p, ",", name, ",", NULL))) {
            continue;
        }
        seen = apr_pstrcat(out->p, seen, name, ",", NULL);
        api_out_json(out, name, object_of(route->fields, out->p));
    }
    api_out_json(out, "credentialSecret", secret_forms(out->p));
    api_out_json(out, "problem", problem);
}

/* The names in braces of a path. */
static void print_parameters(api_out_t *out, const char *path)
{
    const char *open, *close;

    api_out_name(out, "parameters");
    api_out_add(out, "[");
    for (open = strchr(path, '{'); open; open = strchr(open + 1, '{')) {
        close = strchr(open, '}');
        api_out_name(out, NULL);
        api_out_add(out, apr_psprintf(out->p, "{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,"
                                      "\"schema\":{\"type\":\"string\"}}", (int)(close - open - 1), open + 1));
    }
    api_out_add(out, "]");
}

static void print_operation(api_out_t *out, const api_route_t *route, api_method_e method)
{
    static const char *const names[API_METHODS] = { "get", "post", "put", "delete" };
    const char *end = route->path + strlen(route->path) - 1, *name = schema_name(route);

    api_out_name(out, names[method]);
    api_out_add(out, "{");
    if (method == API_GET && *end != '}' && name) {
        api_out_json(out, "parameters", "[" REF("parameters/limit") "," REF("parameters/cursor") "]");
    }
    if (method == API_PUT || method == API_DELETE) {
        api_out_json(out, "parameters", "[" REF("parameters/ifMatch") "]");
    }
    if (method == API_POST || method == API_PUT) {
        api_out_json(out, "requestBody",
                     apr_pstrcat(out->p, "{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"$ref\":"
                                 "\"#/components/schemas/", name, "\"}}}}", NULL));
    }
    api_out_name(out, "responses");
    api_out_add(out, method == API_POST ? "{\"201\":{" : "{\"200\":{");
    api_out_text(out, "description", "Success");
    if (name) {
        api_out_json(out, "content",
                     apr_psprintf(out->p, "{\"application/json\":{\"schema\":{\"type\":\"object\",\"properties\":{\"%s\":"
                                  "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%s\"}},"
                                  "\"nextCursor\":{\"type\":\"string\"},\"message\":{\"const\":\"Success\"}}}}}",
                                  route->collection, route->collection));
    }
    api_out_add(out, "}");
    api_out_json(out, "default", REF("responses/problem"));
    api_out_add(out, "}}");
}

apr_status_t api_openapi(api_call_t *call)
{
    const api_route_t *route;
    api_out_t out;
    int method;

    api_out_init(&out, call->p);
    api_out_add(&out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"mod_rr management API\",\"version\":\"" RR_VERSION
                      "\"},\"servers\":[{\"url\":\".\"}],\"security\":[{\"key\":[]},{\"bearer\":[]}],\"paths\":{");
    for (route = api_routes; route->path; route++) {
        api_out_name(&out, route->path);
        api_out_add(&out, "{");
        print_parameters(&out, route->path);
        for (method = 0; method < API_METHODS; method++) {
            if (route->handlers[method]) {
                print_operation(&out, route, method);
            }
        }
        api_out_add(&out, "}");
    }
    api_out_add(&out, "},\"components\":{");
    api_out_add(&out, components);
    api_out_add(&out, ",\"schemas\":{");
    print_schemas(&out);
    api_out_add(&out, "}}}\n");
    call->response->status = 200;
    call->response->body = out.text;
    return APR_SUCCESS;
}
