# SPDX-License-Identifier: Apache-2.0
#
# The gateway's own token for backends, its key set, and proxies that are open to everybody.

use strict;
use warnings;

use RR::Inject;
use RR::Test;
use RR::Token;
use RR::Util qw(run);

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller', '--scope', 'orders:read', '--metadata', '{"userId":"u-17"}');
my $none = $store->make('credential', { credentialType => 'proxy', credentialAuthType => 'none', credentialName => 'anybody' });
my %vendor = (credentialAuthType => 'key', credentialSecret => { key => secret('vendor-key-' . 'v' x 20, 'vendor key') });
stored_proxy($store, 'vendor', $upstream->url, caller => $caller, secret => { %vendor });
stored_proxy($store, 'open', $upstream->url, caller => { credentialId => $none->{id} }, secret => { %vendor });
stored_proxy($store, 'all', $upstream->url, caller => $caller, secret => { %vendor },
             proxyCredentialMode => 'all', proxyProxyCredentialIds => [$none->{id}, $caller->{credentialId}]);

my $httpd = httpd(modules => [qw(core keyauth jwt inject)], vars => { BACKEND => $upstream->url }, start => 0);
my $signer = RR::Token->key('ES256', kid => 'signer');
my $jwks = $httpd->file('jwks.json', json_text({ keys => [$signer->jwk] }));
$httpd->{conf} = $store->conf . "RRJwtIssuer corp urn:corp audience=any jwks=file:$jwks\n" . <<'CONF';
RRTargetAllow loopback
<Location "/keys.json">
    SetHandler rr-jwks
</Location>
<Location "/gw">
    AuthType RR
    RRGateway On
    RRBackendToken X-Gateway-Token audience=backend lifetime=30s
    Require rr-proxy
</Location>
<Location "/own">
    AuthType RR
    RRBackendToken X-Gateway-Token
    Require valid-user
    ProxyPass "@BACKEND@/own"
</Location>
<Location "/public">
    AuthType RR
    RRGateway On
    RRProxyAllowNone On
    Require rr-proxy
</Location>
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    RRGateway On
    Require all granted
</Location>
CONF
$httpd->start;
my %key = (headers => { 'X-API-Key' => $caller->{key} });

sub sent { my ($name) = @_; my %h = map { lc($_->[0]) => $_->[1] } @{ seen($upstream)->{headers} }; return $h{ lc $name } }
sub verified
{
    my ($token, $audience) = @_;
    my $got = run('node', root() . '/build/oidc/verify.js', $token, $httpd->url('/keys.json'), 'EdDSA', '127.0.0.1', $audience || ());
    diag($got->{err}) if $got->{exit};
    return json_data($got->{out}) || {};
}

# ---- the token ----
check('a stored proxy', $httpd->request(path => '/gw/vendor/x', headers => { %{ $key{headers} },
      'X-Gateway-Token' => 'forged', 'X_Gateway_Token' => 'forged' }), { status => 200 });
my $token = sent('X-Gateway-Token');
my $seen = verified($token, 'backend');
is($seen->{claims}{sub}, 'u-17', 'an independent library verifies the token by the served set: who asks');
is($seen->{claims}{credential}, 'default/caller', 'with which credential');
is($seen->{claims}{scope}, 'orders:read', 'with what scope');
is($seen->{claims}{exp} - $seen->{claims}{iat}, 30, 'for how long');
is(sent('X_Gateway_Token'), undef, 'what the client sent is removed, in any spelling');
check('another request', $httpd->request(path => '/gw/vendor/x', %key), { status => 200 });
isnt(sent('X-Gateway-Token'), $token, 'gets another token');
$httpd->graceful;
is(verified($token, 'backend')->{claims}{sub}, 'u-17', 'the key stays over a graceful restart');
check("the operator's own proxy", $httpd->request(path => '/own/x', %key), { status => 200 });
is(verified(sent('X-Gateway-Token'))->{claims}{sub}, 'u-17', 'has one too');

# ---- what it says is whole, and the gateway's word ----
check('a client that chooses the host', $httpd->request(path => '/own/x', headers => { %{ $key{headers} }, Host => 'other.example' }), { status => 200 });
is(verified(sent('X-Gateway-Token'))->{claims}{iss}, '127.0.0.1', 'does not choose iss');
my $long = 'a' x 4200;
$token = secret($signer->token({ iss => 'urn:corp', aud => 'x', sub => $long }), 'token');
check('a long subject', $httpd->request(path => '/own/x', headers => { Authorization => "Bearer $token" }), { status => 200 });
ok(verified(sent('X-Gateway-Token'))->{claims}{sub} eq $long, 'is told whole');

cases($httpd,
    ['the key set', { path => '/keys.json' }, { status => 200, headers => { 'Content-Type' => 'application/jwk-set+json' },
      json => { 'keys.0.crv' => 'Ed25519', 'keys.0.d' => undef, 'keys.1' => undef } }],
    ['its HEAD', { method => 'HEAD', path => '/keys.json' }, { status => 200, body => '' }],
    ['its POST', { method => 'POST', path => '/keys.json', body => '' }, { status => 405, headers => { Allow => qr/GET/ } }],
    ['nobody is told', { path => '/own/x' }, { status => 401 }]);

# ---- open to everybody ----
my $before = $upstream->count;
cases($httpd,
    ['anybody, where it is not allowed', { path => '/gw/open/x' }, { status => 401 }],
    ['nor by an optional credential', { path => '/optional/open/x' }, { status => 401 }],
    ['a proxy that has a key', { path => '/public/vendor/x' }, { status => 401 }],
    ['a proxy that wants the key besides', { path => '/public/all/x' }, { status => 401 }],
    ['a wrong key at an open proxy', { path => '/public/open/x', headers => { 'X-API-Key' => 'wrong-key-0123' } }, { status => 401 }]);
is($upstream->count, $before, 'none of these is forwarded');
cases($httpd,
    ['anybody', { path => '/public/open/x' }, { status => 200 }],
    ['somebody', { path => '/public/open/x', %key }, { status => 200 }],
    ['a proxy that has a key, with it', { path => '/public/vendor/x', %key }, { status => 200 }]);
is($upstream->count, $before + 3, 'these are forwarded');
is(sent('Authorization'), "Bearer vendor-key-" . 'v' x 20, 'with the credential');

allow_log('AH01630');
finish();
