# SPDX-License-Identifier: Apache-2.0
#
# Whose rules count: those of the proxy, of its target and of the credentials that open it, and nobody else's. Another
# client's credential gets nowhere, whatever its own rules allow; an allow on a shared target opens no proxy; where
# anybody may come, the rules and filters of the credential that says so hold for everybody who proves no other.

use strict;
use warnings;

use RR::Admin;
use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $httpd = httpd(modules => [qw(core keyauth rules filter inject admin)], start => 0);
$httpd->{conf} = $store->conf . admin_location() . <<'CONF';
RRTargetAllow loopback
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/granted">
    AuthType RR
    RRGateway On
    Require all granted
</Location>
<Location "/any">
    AuthType RR
    RRGateway On
    Require rr-key
</Location>
<Location "/named">
    AuthType RR
    RRProxy acme/mail
    Require rr-proxy
</Location>
<Location "/public">
    AuthType RR
    RRGateway On
    RRProxyAllowNone On
    Require rr-proxy
</Location>
CONF
$httpd->start;
my $admin = RR::Admin->new($httpd, $store->key('operator', '--scope', 'rr:admin'));

# ---- two clients, each with a credential, a target at one backend and a proxy ----
my (%key, %credential, %target, %proxy);
my $everything = { effect => 'allow' };
for my $client (qw(acme rival)) {
    $admin->make('/clients', { clientName => $client, id => $client });
    $key{$client} = { 'X-API-Key' => secret("key-of-the-client-$client") };
    $credential{$client} = $admin->make("/clients/$client/credentials", { credentialType => 'proxy', credentialAuthType => 'key',
        credentialName => 'caller', credentialSecret => { key => $key{$client}{'X-API-Key'} } });
    $target{$client} = $admin->make("/clients/$client/targets", { targetName => 'mail', targetBaseURL => $upstream->url });
    $proxy{$client} = $admin->make("/clients/$client/proxies", { proxyName => 'mail', proxyAlias => "$client-mail",
        proxyProxyCredentialId => $credential{$client}{id}, proxyTargetId => $target{$client}{id}, proxyDefaultRuleEffect => 'deny' });
    $admin->make("/clients/$client/credentials/$credential{$client}{id}/rules", $everything);
}
my @ways = (map({ ("$_/acme-mail/x", "$_/$proxy{acme}{id}/x") } qw(/gw /granted /any)), '/named/x');
cases($httpd, map { ["$_: its own client's key", { path => $_, headers => $key{acme} }, { status => 200, json => { path => '/x' } }] } @ways);
my $before = $upstream->count;
cases($httpd, map { ["$_: another client's key", { path => $_, headers => $key{rival} }, { status => 403, absent => ['"path"'] }] } @ways);
is($upstream->count, $before, 'which reaches no backend');
cases($httpd, ["the other client's key is good for its own proxy", { path => '/gw/rival-mail/x', headers => $key{rival} }, { status => 200 }],
    ['and a key of nobody for none', { path => '/gw/rival-mail/x', headers => { 'X-API-Key' => 'a-key-of-nobody' } }, { status => 401 }]);
check("its rules cannot be hung on another client's proxy", $admin->call('POST', "/clients/rival/proxies/$proxy{acme}{id}/rules", $everything),
      { status => 404 });
check('nor can it name the proxy\'s credential', $admin->call('POST', '/clients/rival/proxies', { proxyName => 'theft',
      proxyProxyCredentialId => $credential{rival}{id}, proxyTargetId => $target{acme}{id} }), { status => 404 });

# ---- one target, two proxies ----
sub proxy
{
    my ($name, %more) = @_;
    return $admin->make('/clients/acme/proxies', { proxyName => $name, proxyAlias => $name, proxyProxyCredentialId => $credential{shared}{id},
                                                   proxyTargetId => $target{acme}{id}, %more });
}
$key{shared} = { 'X-API-Key' => secret('key-of-two-proxies') };
$credential{shared} = $admin->make('/clients/acme/credentials', { credentialType => 'proxy', credentialAuthType => 'key',
    credentialName => 'shared', credentialSecret => { key => $key{shared}{'X-API-Key'} } });
my ($shut, $opened) = map { proxy($_) } qw(shut opened); # the default is deny
$admin->make("/clients/acme/targets/$target{acme}{id}/rules", $everything);
$admin->make("/clients/acme/proxies/$opened->{id}/rules", { effect => 'allow', pathPattern => '^/x$' });
cases($httpd,
    ['a proxy of the same target with an allow of its own', { path => '/gw/opened/x', headers => $key{shared} }, { status => 200 }],
    map { ["$_->{proxyName}: the allow of its target does not open it", { path => "/gw/$_->{proxyName}/y", headers => $key{shared} },
           { status => 403, json => { detail => qr/scope proxy allows/ } }] } $shut, $opened);
my $rule = $admin->make("/clients/acme/targets/$target{acme}{id}/rules", { effect => 'deny', pathPattern => '^/x$' });
cases($httpd,
    ['a deny of the shared target closes it', { path => '/gw/opened/x', headers => $key{shared} }, { status => 403, json => { detail => qr/$rule->{id} of the scope target/ } }],
    ['for every proxy that leads there', { path => '/gw/acme-mail/x', headers => $key{acme} }, { status => 403, json => { detail => qr/scope target/ } }],
    ["but not for another client's", { path => '/gw/rival-mail/x', headers => $key{rival} }, { status => 200 }]);

# ---- anybody may come ----
my $anybody = $admin->make('/clients/acme/credentials', { credentialType => 'proxy', credentialAuthType => 'none', credentialName => 'anybody' });
my $own = $admin->make('/clients/acme/targets', { targetName => 'own', targetBaseURL => $upstream->url });
$admin->make('/clients/acme/proxies', { proxyName => 'lobby', proxyAlias => 'lobby', proxyProxyCredentialIds => [$anybody->{id}, $credential{shared}{id}],
                                        proxyTargetId => $own->{id}, proxyDefaultRuleEffect => 'allow' });
my $private = $admin->make("/clients/acme/credentials/$anybody->{id}/rules", { effect => 'deny', pathPattern => '^/private' });
$admin->make("/clients/acme/credentials/$anybody->{id}/filters", { operations => [{ effect => 'destroy', jsonPath => { pattern => '^target$' } }] });
my $denied = { status => 403, json => { detail => qr/$private->{id} of the scope proxy credential/ } };
cases($httpd,
    ['anybody', { path => '/public/lobby/x' }, { status => 200, json => { path => '/x', target => undef } }],
    ['anybody, where a rule of that credential denies', { path => '/public/lobby/private' }, $denied],
    ["another client's key changes nothing about that", { path => '/public/lobby/private', headers => $key{rival} }, $denied],
    ['nor about what is destroyed', { path => '/public/lobby/x', headers => $key{rival} }, { status => 200, json => { path => '/x', target => undef } }],
    ['the key of another credential of the proxy does', { path => '/public/lobby/private', headers => $key{shared} },
     { status => 200, json => { path => '/private', target => '/private' } }],
    ['where none is not allowed', { path => '/gw/lobby/x' }, { status => 401 }],
);

allow_log('AH01630');
finish();
