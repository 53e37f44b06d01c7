/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rr_proxy.c: whom a stored proxy admits, and whose rules judge them: the same
 * for the server and for rrctl.
 */
#include "rr_snapshot.h"

#include <apr_time.h>

#include <string.h>

static int is_for_anybody(const rr_party_t *party)
{
    return party && party->kind == RR_CREDENTIAL_NONE && party->active && !party->closed &&
           (!party->expires || party->expires > apr_time_now());
}

static const rr_party_t *credential_at(const rr_proxy_t *proxy, int i)
{
    return APR_ARRAY_IDX(proxy->credentials, i, const rr_party_t *);
}

int rr_proxy_is_open(const rr_proxy_t *proxy)
{
    int i;

    for (i = 0; !proxy->all && i < proxy->credentials->nelts; i++) {
        if (is_for_anybody(credential_at(proxy, i))) {
            return 1;
        }
    }
    return 0;
}

int rr_proxy_hears(const rr_proxy_t *proxy, const rr_party_t *party, rr_proved_t proved, const void *who)
{
    int i;

    if (!is_for_anybody(party)) {
        return proved(who, party);
    }
    for (i = 0; i < proxy->credentials->nelts; i++) {
        if (proved(who, credential_at(proxy, i))) {
            return 0;
        }
    }
    return 1;
}

int rr_proxy_admits(const rr_proxy_t *proxy, rr_proved_t proved, const void *who)
{
    int count = 0, i;

    for (i = 0; i < proxy->credentials->nelts; i++) {
        count += proved(who, credential_at(proxy, i));
    }
    return proxy->all ? count && count == proxy->credentials->nelts : count > 0;
}

static rr_effect_e effect_of(const char *word)
{
    return !word ? RR_EFFECT_UNSET : strcmp(word, "allow") ? RR_EFFECT_DENY : RR_EFFECT_ALLOW;
}

int rr_scopes_add(rr_scope_t scopes[RR_MAX_RULE_SCOPES], int count, rr_scope_kind_e kind, const char *name,
                  const rr_ruleset_t *rules, rr_effect_e effect)
{
    const rr_scope_t scope = { kind, name, rules, effect }, denial = { RR_SCOPE_TARGET, name, NULL, RR_EFFECT_DENY };

    if (count < RR_MAX_RULE_SCOPES - 1) {
        scopes[count] = scope;
        return count + 1;
    }
    scopes[RR_MAX_RULE_SCOPES - 1] = denial;
    return RR_MAX_RULE_SCOPES;
}

int rr_scopes_add_proxy(rr_scope_t scopes[RR_MAX_RULE_SCOPES], int count, const rr_proxy_t *proxy, rr_proved_t proved,
                        const void *who)
{
    const rr_target_t *target = proxy->target;
    const rr_party_t *party = proxy->target_credential;
    int i;

    count = rr_scopes_add(scopes, count, RR_SCOPE_PROXY, "proxy", proxy->attached.rules, effect_of(proxy->default_effect));
    if (target) {
        count = rr_scopes_add(scopes, count, RR_SCOPE_TARGET, "target", target->attached.rules,
                              effect_of(target->default_effect));
    }
    if (party) {
        count = rr_scopes_add(scopes, count, RR_SCOPE_TARGET_CREDENTIAL, "target credential", party->attached.rules,
                              effect_of(party->default_effect));
    }
    for (i = 0; i < proxy->credentials->nelts; i++) {
        party = credential_at(proxy, i);
        if (rr_proxy_hears(proxy, party, proved, who)) {
            count = rr_scopes_add(scopes, count, RR_SCOPE_PROXY_CREDENTIAL, "proxy credential", party->attached.rules,
                                  effect_of(party->default_effect));
        }
    }
    return count;
}
