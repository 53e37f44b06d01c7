/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_address.c: which addresses the store's objects may lead to.
 *
 * Whoever may write targets and credentials must not reach what only this host
 * can reach: its own loopback, its link, the metadata service of its cloud.
 * Judged on the address that a connection goes to, never on a name.
 */
#include "core.h"

#include <apr_cstr.h>
#include <apr_network_io.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const rr_target_allow_t nothing = { .words = "" };

const char *core_add_target_allow(cmd_parms *cmd, void *conf, const char *word)
{
    core_dir_t *dir = conf;
    apr_ipsubnet_t *net;
    char *address, *bits;

    if (!dir->allow) {
        dir->allow = apr_pcalloc(cmd->pool, sizeof(*dir->allow));
        dir->allow->words = "";
        dir->allow->nets = apr_array_make(cmd->pool, 2, sizeof(apr_ipsubnet_t *));
    }
    if (!apr_cstr_casecmp(word, "loopback")) {
        dir->allow->loopback = 1;
    }
    else if (!apr_cstr_casecmp(word, "link-local")) {
        dir->allow->link_local = 1;
    }
    else if (!apr_cstr_casecmp(word, "http")) {
        dir->allow->clear = 1;
    }
    else {
        address = apr_pstrdup(cmd->pool, word);
        bits = strchr(address, '/');
        if (bits) {
            *bits++ = '\0';
        }
        /* Without a mask APR takes "10." for 10.0.0.0/8: only whole addresses are meant here. */
        if ((!strchr(address, ':') && (strspn(address, "0123456789.") != strlen(address) || !strchr(address, '.')
                                       || inet_addr(address) == INADDR_NONE))
            || apr_ipsubnet_create(&net, address, bits, cmd->pool) != APR_SUCCESS) {
            return apr_psprintf(cmd->pool, "RRTargetAllow %s: expected loopback, link-local, http, or a range of "
                                "addresses such as 10.1.0.0/16", word);
        }
        APR_ARRAY_PUSH(dir->allow->nets, apr_ipsubnet_t *) = net;
    }
    dir->allow->words = apr_pstrcat(cmd->pool, dir->allow->words, " ", word, NULL);
    return NULL;
}

const rr_target_allow_t *core_target_allow(request_rec *r)
{
    return core_dir(r)->allow ? core_dir(r)->allow : &nothing;
}

typedef enum { PLACE_ELSEWHERE = 0, PLACE_LOOPBACK, PLACE_LINK, PLACE_NOWHERE } place_e;

static place_e place4(apr_uint32_t ip) /* host byte order */
{
    if (ip >> 24 == 127 || ip >> 24 == 0) {
        return PLACE_LOOPBACK; /* 0.0.0.0 leads to this host */
    }
    if (ip >> 16 == 0xa9fe || ip == 0xa83f8110) {
        return PLACE_LINK; /* 169.254/16; 168.63.129.16 is a cloud's host */
    }
    return ip >> 28 >= 0xe ? PLACE_NOWHERE : PLACE_ELSEWHERE;
}

static apr_uint32_t embedded4(const unsigned char *bytes)
{
    return (apr_uint32_t)bytes[0] << 24 | (apr_uint32_t)bytes[1] << 16 | (apr_uint32_t)bytes[2] << 8 | bytes[3];
}

static place_e place6(const struct in6_addr *ip)
{
    static const unsigned char nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    static const unsigned char metadata[16] = { 0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54 };
    const unsigned char *bytes = ip->s6_addr;

    if (IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_UNSPECIFIED(ip)) {
        return PLACE_LOOPBACK;
    }
    if (IN6_IS_ADDR_V4MAPPED(ip) || IN6_IS_ADDR_V4COMPAT(ip) || !memcmp(bytes, nat64, sizeof(nat64))) {
        return place4(embedded4(bytes + 12));
    }
    if (bytes[0] == 0x20 && bytes[1] == 0x02) { /* 6to4 */
        return place4(embedded4(bytes + 2));
    }
    if (IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_SITELOCAL(ip) || !memcmp(bytes, metadata, sizeof(metadata))) {
        return PLACE_LINK;
    }
    return IN6_IS_ADDR_MULTICAST(ip) ? PLACE_NOWHERE : PLACE_ELSEWHERE;
}

/* Fills judged, for apr_ipsubnet_test, and says where it is. */
static place_e place(apr_sockaddr_t *judged, const struct sockaddr *address)
{
    memset(judged, 0, sizeof(*judged));
    judged->family = address->sa_family;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&judged->sa.sin, address, sizeof(judged->sa.sin));
        judged->ipaddr_ptr = &judged->sa.sin.sin_addr;
        judged->ipaddr_len = sizeof(judged->sa.sin.sin_addr);
        return place4(ntohl(judged->sa.sin.sin_addr.s_addr));
    case AF_INET6:
        memcpy(&judged->sa.sin6, address, sizeof(judged->sa.sin6));
        judged->ipaddr_ptr = &judged->sa.sin6.sin6_addr;
        judged->ipaddr_len = sizeof(judged->sa.sin6.sin6_addr);
        return place6(&judged->sa.sin6.sin6_addr);
    default:
        return PLACE_NOWHERE;
    }
}

static int is_listed(const rr_target_allow_t *allow, apr_sockaddr_t *judged)
{
    int i;

    for (i = 0; judged->ipaddr_len && allow->nets && i < allow->nets->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(allow->nets, i, apr_ipsubnet_t *), judged)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t core_target_judge(const rr_target_allow_t *allow, const struct sockaddr *address, int clear, rr_err_t *err)
{
    apr_sockaddr_t judged;
    place_e where = place(&judged, address);

    if (is_listed(allow, &judged)) {
        return APR_SUCCESS;
    }
    switch (where) {
    case PLACE_LOOPBACK:
        return allow->loopback
                   ? APR_SUCCESS
                   : rr_err_set(err, RR_EDENIED, NULL, "it is a loopback address (RRTargetAllow loopback)");
    case PLACE_LINK:
        if (!allow->link_local) {
            return rr_err_set(err, RR_EDENIED, NULL, "it is a link-local address (RRTargetAllow link-local)");
        }
        break;
    case PLACE_NOWHERE:
        return rr_err_set(err, RR_EDENIED, NULL, "it is no address of a host");
    case PLACE_ELSEWHERE:
        break;
    }
    if (clear && !allow->clear) {
        return rr_err_set(err, RR_EDENIED, NULL, "the connection is not encrypted (RRTargetAllow http)");
    }
    return APR_SUCCESS;
}
