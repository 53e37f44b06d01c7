/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign.c: signs many tokens: lines of HEADER.PAYLOAD on stdin become tokens on stdout.
 *
 *   sign RS256|ES256|EdDSA KEY.pem
 *
 * The bench needs thousands of tokens that nobody has seen. RS256 and ES256 use SHA-256 (RFC 7518); an ES256
 * signature is r and s as 32 bytes each, where OpenSSL writes DER.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what)
{
    fprintf(stderr, "sign: %s\n", what);
    exit(1);
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

    if (!key) {
        fail("the key cannot be read");
    }
    fclose(file);
    return key;
}

/* DER to r || s, in place. */
static size_t raw_signature(unsigned char *signature, size_t len)
{
    const unsigned char *at = signature;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);

    if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32) != 32
        || BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32) != 32) {
        fail("no ES256 signature");
    }
    ECDSA_SIG_free(sig);
    return 64;
}

static void print_base64url(const unsigned char *bytes, size_t len)
{
    unsigned char text[1024];
    int chars = EVP_EncodeBlock(text, bytes, (int)len);

    for (int i = 0; i < chars && text[i] != '='; i++) {
        putchar(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    }
}

int main(int argc, char **argv)
{
    EVP_PKEY *key;
    int is_ec, is_ed;
    char line[8192];

    if (argc != 3) {
        fail("usage: sign RS256|ES256|EdDSA KEY.pem");
    }
    is_ec = !strcmp(argv[1], "ES256");
    is_ed = !strcmp(argv[1], "EdDSA");
    key = read_key(argv[2]);
    while (fgets(line, sizeof(line), stdin)) {
        unsigned char signature[512];
        size_t len = sizeof(signature), input = strcspn(line, "\n");
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        if (!ctx || EVP_DigestSignInit(ctx, NULL, is_ed ? NULL : EVP_sha256(), NULL, key) != 1
            || EVP_DigestSign(ctx, signature, &len, (unsigned char *)line, input) != 1) {
            fail("the key does not sign");
        }
        EVP_MD_CTX_free(ctx);
        if (is_ec) {
            len = raw_signature(signature, len);
        }
        printf("%.*s.", (int)input, line);
        print_base64url(signature, len);
        putchar('\n');
    }
    EVP_PKEY_free(key);
    return 0;
}
