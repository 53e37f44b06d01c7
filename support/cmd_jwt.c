/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_jwt.c: rrctl jwt keygen, mint, decode, verify: the development issuer's tool.
 */
#include "rrctl.h"

int cmd_jwt_keygen(rrctl_t *ctl, int argc, const char *const *argv)
{
    (void)argc, (void)argv;
    return rrctl_fail(ctl, "not built yet");
}

int cmd_jwt_mint(rrctl_t *ctl, int argc, const char *const *argv)
{
    (void)argc, (void)argv;
    return rrctl_fail(ctl, "not built yet");
}

int cmd_jwt_decode(rrctl_t *ctl, int argc, const char *const *argv)
{
    (void)argc, (void)argv;
    return rrctl_fail(ctl, "not built yet");
}

int cmd_jwt_verify(rrctl_t *ctl, int argc, const char *const *argv)
{
    (void)argc, (void)argv;
    return rrctl_fail(ctl, "not built yet");
}
