/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr.h: version, ceilings and statuses that every part of mod_rr shares.
 *
 * Whatever grows with input has its ceiling here, so that one page shows what
 * a request, a token or a row can cost at most. Tests stand at each ceiling
 * and one past it.
 */
#ifndef RR_H
#define RR_H

#include <apr.h>
#include <apr_errno.h>

#define RR_VERSION "0.1.0"

/* ---- ceilings: bytes unless the name says otherwise ---- */
#define RR_MAX_KEY 512               /* an API key as presented or brought */
#define RR_MIN_KEY 12                /* a brought proxy key */
#define RR_MAX_TOKEN 16384           /* a JWT as presented */
#define RR_MAX_TOKEN_HEADER 2048     /* its JOSE header, decoded */
#define RR_MAX_SEEN_TOKENS 4096      /* verified tokens that a child remembers */
#define RR_MAX_SEEN_BYTES (16 * 1024 * 1024) /* and what they take at most */
#define RR_MAX_SEEN_TOKEN 32768      /* what one of them may take: its text, and what that says */
#define RR_MAX_DIGESTS 4194304       /* keys of a store whose digests a child knows; past it, each unknown key is looked up */
#define RR_MAX_JSON_DEPTH 32         /* levels of nesting in a JSON text that we parse */
#define RR_MAX_KID 256               /* a key id */
#define RR_MAX_AUDIENCES 32          /* entries of an aud claim */
#define RR_MAX_JWKS (1024 * 1024)    /* a fetched key set or discovery document */
#define RR_MAX_JWKS_KEYS 64          /* keys used of one set */
#define RR_MAX_KEYS_TRIED 8          /* keys tried for a token without kid */
#define RR_MIN_RSA_BITS 2048         /* weaker RSA keys are not loaded (RFC 7518, 3.3) */
#define RR_MAX_RSA_BITS 8192         /* longer ones neither: a verification costs their square */
#define RR_MAX_SECRET 16384          /* a stored or configured secret */
#define RR_MAX_SOURCES 8             /* places one kind of credential is read from */
#define RR_MAX_PROVIDERS 8           /* providers one composite asks */
#define RR_MAX_IDENTITIES 4          /* credentials of different kinds one provider verifies in a request */
#define RR_MAX_ISSUERS 64            /* RRJwtIssuer lines a server */
#define RR_MAX_STORED_KEYSETS 256    /* key sets that stored credentials name, at a time and for the whole server */
#define RR_MAX_SCOPES 256            /* scopes of one principal */
#define RR_MAX_RULE_SCOPES 12        /* whose rules judge one request: location, proxy, target, credentials */
#define RR_MAX_NAME 128              /* a client id, a credential's or an issuer's name */
#define RR_MAX_METADATA 16384        /* a credential's metadata as JSON */
#define RR_MAX_CLAIM_HEADER 4096     /* an identity or claim header's value */
#define RR_MAX_API_BODY (256 * 1024) /* a request of the management API */
#define RR_MAX_PATTERN 4096          /* the text of a regular expression */
#define RR_MAX_PRIORITY 1000000      /* of a rule, and below zero as far */
#define RR_MAX_RULES 65536           /* rules of one scope */
#define RR_MAX_RULE_CHECKS 32        /* methods, or checks of one part, of one rule */
#define RR_MAX_OVERRIDES 8           /* methods that a request names besides its own */
#define RR_MAX_RULE_FILE (64 * 1024 * 1024) /* a file of rules */
#define RR_MAX_NOTES 1024            /* notes of a rule or filter */
#define RR_MAX_FACTS (1024 * 1024)   /* names and values of one request's claims or body */
#define RR_MAX_AUDIT_LINE 4096       /* one audit line with its newline: PIPE_BUF, written atomically */
#define RR_MAX_DEPTH 512             /* levels of nesting in a body that a filter reads */
#define RR_MAX_PATH 8192             /* the written path of a value in such a body */
#define RR_MAX_CUT_HELD 65536        /* names, brackets and white space whose fate waits for the value behind them */
#define RR_MAX_DFA_STATES 4096       /* of one automaton that patterns are merged into */
#define RR_MAX_FILTERS 10000         /* filters of one stage */
#define RR_MAX_OPERATIONS 1000       /* operations of one filter, and conditions of one kind */

/* ---- statuses of our own: apr_status_t values no APR call returns ---- */
#define RR_START_STATUS (APR_OS_START_USERERR + 7100)
#define RR_EINVAL (RR_START_STATUS + 0)    /* malformed or out of bounds: the input is at fault */
#define RR_EEXPIRED (RR_START_STATUS + 1)  /* was good, its time is over */
#define RR_EREVOKED (RR_START_STATUS + 2)  /* was good, was taken back */
#define RR_ESIGNATURE (RR_START_STATUS + 3) /* the signature does not verify */
#define RR_ENOKEY (RR_START_STATUS + 4)    /* no key fits: an unknown kid, or none for the algorithm */
#define RR_ECLAIM (RR_START_STATUS + 5)    /* a claim is not what the policy demands */
#define RR_ECONFLICT (RR_START_STATUS + 6) /* exists already, or is in use */
#define RR_EUNAVAIL (RR_START_STATUS + 7)  /* store, issuer or key cannot be read now */
#define RR_ESCHEMA (RR_START_STATUS + 8)   /* the store has no schema, or one of another version */
#define RR_ESEALED (RR_START_STATUS + 9)   /* a sealed secret cannot be opened */
#define RR_EDENIED (RR_START_STATUS + 10)  /* well-formed, known, and not allowed */

#endif
