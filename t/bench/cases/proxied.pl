# SPDX-License-Identifier: Apache-2.0
#
# The whole way: a key, ten rules, the upstream's credential, an identity header and an audit line, in front of a
# backend that answers at once, against a plain ProxyPass to it.

use strict;
use warnings;

use RR::Bench;
use RR::Bench::Peer;
use RR::Bench::Store qw(empty_store);
use RR::Inject;
use RR::Test ();
use RR::Util qw(json_text);

# A stored proxy with ten rules of its own, one of which lets the request through.
sub make_proxy
{
    my ($store, $name, $url, $caller, %more) = @_;
    my $rules = delete $more{rules};
    stored_proxy($store, $name, $url, caller => $caller,
                 secret => { credentialAuthType => 'key', credentialSecret => { key => 'vendor-key-' . 'v' x 20 } }, %more);
    for my $n (1 .. $rules || 0) {
        my $got = $store->rrctl({ stdin => json_text({ effect => 'allow', methods => ['GET'], pathPattern => "^/x/res$n/" }) },
                                'rule', 'create', '--proxy', $name, '-f', '-');
        die "rrctl rule create: $got->{err}" if $got->{exit};
    }
}

my $gateway = <<'CONF';
RRTargetAllow loopback
RRAuditLog logs/audit.log
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF

group 'proxied' => (
    title => 'proxied to a backend that answers at once',
    prepare => sub {
        my $backend = stock(conf => "<Location \"/\">\nRequire all granted\nSetHandler rr-nothing\n</Location>\n");
        my $store = empty_store();
        my $caller = $store->key('caller', '--metadata', '{"userId":"12345"}');
        make_proxy($store, 'bare', $backend->url, $caller);
        make_proxy($store, 'full', $backend->url, $caller, rules => 10, proxyDefaultRuleEffect => 'deny',
                   proxyIdentityHeaders => { 'X-User-Id' => 'sub' });
        return { backend => $backend, store => $store, key => $caller->{key} };
    },
    end => sub {
        my ($made) = @_;
        $made->{backend}->stop;
    },
    subjects => [
        { name => 'httpd', title => 'httpd, plain ProxyPass', kind => 'floor', make => sub {
            my ($made) = @_;
            my $url = $made->{backend}->url;
            return { server => stock(conf => "<Location \"/gw\">\nProxyPass \"$url\"\n</Location>\n"),
                     load => { path => '/gw/full/x/res5/a', headers => ['X-API-Key', $made->{key}] } };
        } },
        (map { my ($name, $title, $age) = @$_; {
            name => $name, title => "mod_rr, $title", make => sub {
                my ($made) = @_;
                return { server => gateway(modules => [qw(core keyauth rules inject)],
                                           conf => $made->{store}->conf . "RRStoreMaxAge $age\n" . $gateway),
                         load => { path => ($name eq 'bare' ? '/gw/bare' : '/gw/full') . '/x/res5/a', headers => ['X-API-Key', $made->{key}] } };
            } } } ['bare', 'a key and the credential', '0'],
                  ['full', 'key, 10 rules, credential, identity, audit', '0'],
                  ['full-1s', 'the same, RRStoreMaxAge 1s', '1s']),
        peer_proxied(10),
    ]);
