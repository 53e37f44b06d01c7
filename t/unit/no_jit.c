/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no_jit.c: loaded before PCRE2, it leaves every pattern to the interpreter. valgrind takes what machine
 * code made at run time reads ahead for mistakes, and can tell it by no name that a suppression would fit.
 */
#include <stdint.h>

int pcre2_jit_compile_8(void *code, uint32_t options);

int pcre2_jit_compile_8(void *code, uint32_t options)
{
    (void)code, (void)options;
    return -45; /* PCRE2_ERROR_JIT_BADOPTION: this machine has none */
}
