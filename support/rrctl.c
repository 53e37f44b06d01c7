/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rrctl.c: the command table, global options, and usage made from the table.
 *
 * Result: 0 done, 1 failed or refused, 2 not asked properly.
 */
#include "rrctl.h"

#include "rr.h"

#include <apr_env.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define OWNER "--proxy P|--credential C|--target T"
#define OBJECTS(noun, create, owner) \
    { noun, "create", cmd_object_create, create, "makes a " noun " from the API's JSON" }, \
    { noun, "list", cmd_object_list, owner, "lists what there is" }, \
    { noun, "show", cmd_object_show, "NAME|ID " owner, "shows one " noun ", its secrets masked" }, \
    { noun, "delete", cmd_object_delete, "NAME|ID " owner, "deletes one " noun }

static const rrctl_command_t commands[] = {
    { "init", NULL, cmd_init, "[--owner USER]",
      "makes a store, its master key where there is none, and the administrator's key, which it prints once" },
    { "migrate", NULL, cmd_migrate, "", "brings an older store to the schema of this version" },
    { "check", NULL, cmd_check, "", "looks for damage, half-written rows and secrets that do not open" },
    { "reseal", NULL, cmd_reseal, "", "seals all secrets again under the first of two master keys" },
    { "master-key", "create", cmd_master_key_create, "[FILE]", "makes a master key, printed or in a new file of mode 0600" },
    { "key", "create", cmd_key_create,
      "NAME [--expires TIME] [--scope S]... [--metadata JSON] [--key VALUE|-] [--test]",
      "makes a key for the proxy credential NAME, and that credential if there is none" },
    { "key", "list", cmd_key_list, "[NAME|ID]", "lists keys, of one credential or of the whole client" },
    { "key", "show", cmd_key_show, "ID", "shows one key, without its value" },
    { "key", "revoke", cmd_key_revoke, "ID", "deletes a key: it is refused from the next request on" },
    { "key", "roll", cmd_key_roll, "NAME|ID [--overlap TIME] [--expires TIME] [--key VALUE|-] [--test]",
      "makes a new key and ends the credential's old ones after the overlap, none later than it would have" },
    OBJECTS("client", "[ID] | -f FILE|-", ""),
    OBJECTS("credential", "-f FILE|-", ""),
    OBJECTS("target", "-f FILE|-", ""),
    OBJECTS("proxy", "-f FILE|-", ""),
    OBJECTS("rule", OWNER " -f FILE|-", OWNER),
    OBJECTS("filter", OWNER " -f FILE|-", OWNER),
    { "apply", NULL, cmd_apply, "-f FILE|FOLDER|- [--dry-run] [--prune]",
      "makes the store hold what the files declare, in one transaction" },
    { "export", NULL, cmd_export, "", "prints what apply takes: all clients, or the one of --client" },
    { "jwt", "revoke", cmd_jwt_revoke, "TOKEN|- | --jti JTI --issuer ISS | --sub SUB --issuer ISS [--issued-before TIME]",
      "takes tokens back: refused from the next request on" },
    { "jwt", "keygen", cmd_jwt_keygen, "[--alg RS256] [--crv Ed448] [--kid ID] [--out FILE] [--public-out FILE]",
      "makes a signing key and its public key set" },
    { "jwt", "mint", cmd_jwt_mint,
      "--key FILE [--iss ISS] [--sub SUB] [--aud AUD]... [--ttl 1h] [--scope \"a b\"] [--claim NAME=JSON|TEXT]... [--iat TIME] "
      "[--nbf TIME] [--no-exp] [--typ JWT] [--alg ALG] [--kid ID]",
      "signs a token for development and tests" },
    { "jwt", "decode", cmd_jwt_decode, "TOKEN|-", "shows a token's header and claims, without verifying it" },
    { "jwt", "verify", cmd_jwt_verify,
      "TOKEN|- --jwks FILE|URL | --secret FILE [--issuer ISS] [--audience AUD]... [--leeway 60s] [--algorithms \"RS256 ...\"] "
      "[--max-lifetime TIME] [--sub-claim PATH]",
      "verifies a token, or says in one sentence why it is refused" },
    { "rule", "lint", cmd_rule_lint, "FILE|- [--verbose]", "warns of rules that are legal and probably not meant" },
    { "rule", "test", cmd_rule_test, "FILE|- [--rules FILE]",
      "judges a table of requests and compares with the verdicts expected; fails if one differs" },
    { "explain", NULL, cmd_explain,
      "--proxy P|--rules FILE METHOD TARGET [-H 'NAME: VALUE']... [--key K] [--token T [--jwks FILE|URL] [--issuer ISS] "
      "[--audience AUD]... | --claims JSON] [--allow-none] [--body FILE|-] [--default allow|deny] [--independent] [--mount PATH] "
      "[--lenient]",
      "judges one request and says of each rule whether it matched, and if not, where it failed" },
    { "filter", "try", cmd_filter_try,
      "FILE [--claims JSON] [--method GET] [--path /] [--header \"Name: value\"]... [--type application/json] [--chunk BYTES]",
      "does to the body on standard input what the filters of FILE would do" },
    { NULL }
};

static int matches(const rrctl_command_t *command, const char *noun, const char *verb)
{
    return !strcmp(command->noun, noun) && (!command->verb || (verb && !strcmp(command->verb, verb)));
}

static void print_usage_line(FILE *out, const rrctl_command_t *command)
{
    fprintf(out, "  rrctl %s%s%s %s\n", command->noun, command->verb ? " " : "", command->verb ? command->verb : "",
            command->usage);
}

/* Usage of one noun, or of everything. */
static void print_usage(FILE *out, const char *noun)
{
    const rrctl_command_t *command;

    fputs("usage: rrctl [--store DRIVER:PARAMS] [--master-key FILE] [--client C] [--json] COMMAND\n", out);
    for (command = commands; command->noun; command++) {
        if (!noun || !strcmp(noun, command->noun)) {
            print_usage_line(out, command);
            fprintf(out, "      %s\n", command->help);
        }
    }
}

int rrctl_usage(rrctl_t *ctl, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(ctl->err, "rrctl: %s\n", apr_pvsprintf(ctl->p, format, args));
    va_end(args);
    if (ctl->command) {
        fputs("usage:\n", ctl->err);
        print_usage_line(ctl->err, ctl->command);
    }
    return RRCTL_USAGE;
}

int rrctl_fail(rrctl_t *ctl, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(ctl->err, "rrctl: %s\n", apr_pvsprintf(ctl->p, format, args));
    va_end(args);
    return RRCTL_FAILED;
}

int rrctl_fail_err(rrctl_t *ctl, const rr_err_t *err)
{
    return rrctl_fail(ctl, "%s", rr_err_text(err));
}

/* apr_getopt's own words, which name the option. */
static void say_option(void *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(err, format, args);
    va_end(args);
}

apr_getopt_t *rrctl_options(rrctl_t *ctl, int argc, const char *const *argv)
{
    apr_getopt_t *options = NULL;

    apr_getopt_init(&options, ctl->p, argc, argv);
    options->interleave = 1;
    options->errfn = say_option;
    options->errarg = ctl->err;
    return options;
}

apr_status_t rrctl_read(const char **ptext, apr_size_t *plen, rrctl_t *ctl, const char *path, apr_size_t max,
                        rr_err_t *err)
{
    apr_file_t *file;
    apr_status_t rv;
    char *text = apr_palloc(ctl->p, max + 2);
    char reason[128];
    apr_size_t len = 0;

    *ptext = NULL;
    *plen = 0;
    rv = strcmp(path, "-") ? apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, ctl->p)
                           : apr_file_open_stdin(&file, ctl->p);
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, text, max + 1, &len);
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        return rr_err_set(err, RR_EUNAVAIL, path, "%s cannot be read: %s", path,
                          apr_strerror(rv, reason, sizeof(reason)));
    }
    if (len > max) {
        return rr_err_set(err, RR_EINVAL, path, "%s is longer than %" APR_SIZE_T_FMT " bytes", path, max);
    }
    text[len] = '\0';
    *ptext = text;
    *plen = len;
    return APR_SUCCESS;
}

/* The value of global option name at argv[*i], as "--name value" or "--name=value"; NULL: another word, or no value. */
static const char *option_value(const char *name, int argc, const char *const *argv, int *i)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len)) {
        return NULL;
    }
    if (argv[*i][len] == '=') {
        return argv[*i] + len + 1;
    }
    return !argv[*i][len] && *i + 1 < argc ? argv[++*i] : NULL;
}

/* Takes the global options out of the arguments, wherever they stand before "--"; what is left goes to words. */
static int take_globals(rrctl_t *ctl, int argc, const char *const *argv, const char **words)
{
    const struct {
        const char *name;
        const char **value;
    } globals[] = { { "--store", &ctl->store }, { "--master-key", &ctl->master_key }, { "--client", &ctl->client } };
    int count = 0, i;
    size_t g;

    for (i = 1; i < argc; i++) {
        const char *value = NULL;

        if (!strcmp(argv[i], "--")) {
            break;
        }
        if (!strcmp(argv[i], "--json")) {
            ctl->json = 1;
            continue;
        }
        for (g = 0; g < sizeof(globals) / sizeof(globals[0]) && !value; g++) {
            value = option_value(globals[g].name, argc, argv, &i);
            if (value) {
                *globals[g].value = value;
                ctl->client_given |= globals[g].value == &ctl->client;
            }
        }
        if (!value) {
            words[count++] = argv[i];
        }
    }
    for (; i < argc; i++) {
        words[count++] = argv[i];
    }
    words[count] = NULL;
    return count;
}

static int run(rrctl_t *ctl, int count, const char *const *words)
{
    const char *noun = count > 0 ? words[0] : NULL;
    const char *verb = count > 1 ? words[1] : NULL;
    const rrctl_command_t *command;
    int i, known = 0;

    if (!noun || !strcmp(noun, "help") || !strcmp(noun, "--help") || !strcmp(noun, "-h")) {
        print_usage(noun ? ctl->out : ctl->err, noun ? verb : NULL);
        return noun ? RRCTL_OK : RRCTL_USAGE;
    }
    if (!strcmp(noun, "--version")) {
        fprintf(ctl->out, "rrctl %s\n", RR_VERSION);
        return RRCTL_OK;
    }
    for (command = commands; command->noun; command++) {
        known |= !strcmp(command->noun, noun);
        if (!matches(command, noun, verb)) {
            continue;
        }
        for (i = 1; i < count; i++) {
            if (!strcmp(words[i], "--help")) {
                print_usage(ctl->out, noun);
                return RRCTL_OK;
            }
        }
        ctl->command = command;
        i = command->verb ? 1 : 0;
        return command->run(ctl, count - i, words + i);
    }
    fprintf(ctl->err, "rrctl: no command '%s%s%s'\n", noun, known && verb ? " " : "", known && verb ? verb : "");
    print_usage(ctl->err, known ? noun : NULL);
    return RRCTL_USAGE;
}

int main(int argc, const char *const *argv)
{
    rrctl_t ctl = { .client = "default", .out = stdout, .err = stderr };
    const char **words;
    char *from_env = NULL;
    int code;

    if (apr_app_initialize(&argc, &argv, NULL) != APR_SUCCESS || apr_pool_create(&ctl.p, NULL) != APR_SUCCESS) {
        fputs("rrctl: out of memory\n", stderr);
        return RRCTL_FAILED;
    }
    atexit(apr_terminate);
    if (apr_env_get(&from_env, "RR_MASTER_KEY", ctl.p) == APR_SUCCESS) {
        ctl.master_key = from_env;
    }
    words = apr_pcalloc(ctl.p, sizeof(*words) * ((apr_size_t)argc + 1));
    code = run(&ctl, take_globals(&ctl, argc, argv, words), words);
    if (fflush(stdout) || ferror(stdout)) {
        fputs("rrctl: standard output cannot be written\n", stderr);
        return RRCTL_FAILED;
    }
    return code;
}
