/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rrctl.h: what every command of rrctl is given, and how it answers.
 *
 * A command is a row of the table in rrctl.c and a function here: it reads its
 * own options, prints results to ctl->out and one sentence
 * about a failure to ctl->err, and returns an RRCTL_* exit code.
 */
#ifndef RRCTL_H
#define RRCTL_H

#include "rr_err.h"

#include <apr_getopt.h>
#include <apr_pools.h>

#include <stdio.h>

enum {
    RRCTL_OK = 0,
    RRCTL_FAILED = 1, /* could not be done, or the answer is no */
    RRCTL_USAGE = 2   /* was not asked properly */
};

typedef struct rrctl_t rrctl_t;

typedef struct rrctl_command_t {
    const char *noun;
    const char *verb; /* NULL: the noun alone is the command */
    int (*run)(rrctl_t *ctl, int argc, const char *const *argv); /* argv[0] is the verb (or noun); no global options */
    const char *usage; /* the arguments, for people */
    const char *help;  /* one sentence without a full stop */
} rrctl_command_t;

struct rrctl_t {
    apr_pool_t *p;
    const char *store;      /* DRIVER:PARAMS; NULL: not given */
    const char *master_key; /* --master-key, else $RR_MASTER_KEY; NULL: neither */
    const char *client;     /* client id; "default" unless given */
    int client_given;       /* it was */
    int json;               /* print JSON where the command has both forms */
    FILE *out, *err;
    const rrctl_command_t *command; /* the row being run */
};

/** Prints a sentence and the command's usage line; RRCTL_USAGE. */
int rrctl_usage(rrctl_t *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Prints a sentence; RRCTL_FAILED. */
int rrctl_fail(rrctl_t *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Prints what err says; RRCTL_FAILED. */
int rrctl_fail_err(rrctl_t *ctl, const rr_err_t *err);

/** An apr_getopt_t over a command's arguments, options and words mixed, silent about mistakes. */
apr_getopt_t *rrctl_options(rrctl_t *ctl, int argc, const char *const *argv);

/**
 * Reads a whole file, "-" being standard input.
 *
 * Ownership: *ptext lives in ctl->p, NUL-terminated.
 * Errors:    RR_EUNAVAIL, or RR_EINVAL where it is longer than max.
 */
apr_status_t rrctl_read(const char **ptext, apr_size_t *plen, rrctl_t *ctl, const char *path, apr_size_t max,
                        rr_err_t *err);

int cmd_init(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_migrate(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_check(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_reseal(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_master_key_create(rrctl_t *ctl, int argc, const char *const *argv);

int cmd_key_create(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_key_list(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_key_show(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_key_revoke(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_key_roll(rrctl_t *ctl, int argc, const char *const *argv);

int cmd_object_create(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_object_list(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_object_show(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_object_delete(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_apply(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_export(rrctl_t *ctl, int argc, const char *const *argv);

int cmd_jwt_revoke(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_jwt_keygen(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_jwt_mint(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_jwt_decode(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_jwt_verify(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_filter_try(rrctl_t *ctl, int argc, const char *const *argv);

int cmd_rule_lint(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_rule_test(rrctl_t *ctl, int argc, const char *const *argv);
int cmd_explain(rrctl_t *ctl, int argc, const char *const *argv);

#endif
