/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_jwa.c: the algorithms and curves we have, as tables.
 *
 * Spec: RFC 7518, 3; RFC 8037, 2; RFC 8812, 3.
 */
#include "rr_jose_private.h"

#include <apr_strings.h>

#include <string.h>

/* In the order of rr_alg_e's bits. */
static const rr_jwa_t algorithms[RR_JWA_COUNT] = {
    { "RS256", RR_ALG_RS256, RR_KTY_RSA, "SHA256", 32, 0 },
    { "RS384", RR_ALG_RS384, RR_KTY_RSA, "SHA384", 48, 0 },
    { "RS512", RR_ALG_RS512, RR_KTY_RSA, "SHA512", 64, 0 },
    { "PS256", RR_ALG_PS256, RR_KTY_RSA, "SHA256", 32, 1 },
    { "PS384", RR_ALG_PS384, RR_KTY_RSA, "SHA384", 48, 1 },
    { "PS512", RR_ALG_PS512, RR_KTY_RSA, "SHA512", 64, 1 },
    { "ES256", RR_ALG_ES256, RR_KTY_EC, "SHA256", 32, 0 },
    { "ES384", RR_ALG_ES384, RR_KTY_EC, "SHA384", 48, 0 },
    { "ES512", RR_ALG_ES512, RR_KTY_EC, "SHA512", 64, 0 },
    { "ES256K", RR_ALG_ES256K, RR_KTY_EC, "SHA256", 32, 0 },
    { "EdDSA", RR_ALG_EDDSA, RR_KTY_OKP, NULL, 0, 0 },
    { "HS256", RR_ALG_HS256, RR_KTY_OCT, "SHA256", 32, 0 },
    { "HS384", RR_ALG_HS384, RR_KTY_OCT, "SHA384", 48, 0 },
    { "HS512", RR_ALG_HS512, RR_KTY_OCT, "SHA512", 64, 0 },
};

static const rr_curve_t curves[] = {
    { "P-256", "prime256v1", RR_KTY_EC, RR_ALG_ES256, 32 },
    { "P-384", "secp384r1", RR_KTY_EC, RR_ALG_ES384, 48 },
    { "P-521", "secp521r1", RR_KTY_EC, RR_ALG_ES512, 66 },
    { "secp256k1", "secp256k1", RR_KTY_EC, RR_ALG_ES256K, 32 },
    { "Ed25519", "ED25519", RR_KTY_OKP, RR_ALG_EDDSA, 32 },
    { "Ed448", "ED448", RR_KTY_OKP, RR_ALG_EDDSA, 57 },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

int rr_jwa_index(rr_alg_e alg)
{
    return __builtin_ctz((unsigned int)alg);
}

const rr_jwa_t *rr_jwa_find(rr_alg_e alg)
{
    return alg == RR_ALG_NONE ? NULL : &algorithms[rr_jwa_index(alg)];
}

rr_alg_e rr_alg_parse(const char *name, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < COUNT(algorithms); i++) {
        if (strlen(algorithms[i].name) == len && !memcmp(algorithms[i].name, name, len)) {
            return algorithms[i].alg;
        }
    }
    return RR_ALG_NONE;
}

const char *rr_alg_name(rr_alg_e alg)
{
    const rr_jwa_t *jwa = rr_jwa_find(alg);

    return jwa ? jwa->name : NULL;
}

const char *rr_alg_names(apr_pool_t *p, unsigned int mask)
{
    const char *names = "";
    apr_size_t i;

    for (i = 0; i < COUNT(algorithms); i++) {
        if (mask & algorithms[i].alg) {
            names = apr_pstrcat(p, names, *names ? " " : "", algorithms[i].name, NULL);
        }
    }
    return names;
}

const rr_curve_t *rr_curve_by_crv(const char *crv)
{
    apr_size_t i;

    for (i = 0; crv && i < COUNT(curves); i++) {
        if (!strcmp(curves[i].crv, crv)) {
            return &curves[i];
        }
    }
    return NULL;
}

const rr_curve_t *rr_curve_by_alg(rr_alg_e alg)
{
    apr_size_t i;

    for (i = 0; i < COUNT(curves); i++) {
        if (curves[i].alg == alg) {
            return &curves[i];
        }
    }
    return NULL;
}

const rr_curve_t *rr_curve_by_pkey(const EVP_PKEY *pkey)
{
    char group[32] = "";
    apr_size_t i;

    if (EVP_PKEY_is_a(pkey, "EC") && !EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL)) {
        return NULL;
    }
    for (i = 0; i < COUNT(curves); i++) {
        if (curves[i].kty == RR_KTY_EC ? !strcmp(curves[i].group, group) : EVP_PKEY_is_a(pkey, curves[i].group)) {
            return &curves[i];
        }
    }
    return NULL;
}

const char *rr_jose_show(char buf[RR_SHOWN], const char *text)
{
    apr_size_t i;

    for (i = 0; text[i] && i < RR_SHOWN - 4; i++) {
        buf[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    }
    apr_cpystrn(buf + i, text[i] ? "..." : "", RR_SHOWN - i);
    return buf;
}
