# SPDX-License-Identifier: Apache-2.0
#
# Further kinds and places of credentials on the route of a stored proxy that accepts them, and only there.
# Nothing forwards here: who is let in gets 501.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use RR::Admin;
use RR::Test;

my $store = store();
my $httpd = httpd(modules => [qw(core keyauth admin)], conf => $store->conf . admin_location() . <<'CONF');
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF
my $admin = RR::Admin->new($httpd, $store->key('operator', '--scope', 'rr:admin'));

sub credential
{
    my ($name, $type, $secret) = @_;
    return $admin->make('credentials', { credentialType => 'proxy', credentialName => $name, credentialAuthType => $type,
                                         credentialSecret => $secret })->{id};
}

my $target = $admin->make('targets', { targetName => 'vendor', targetBaseURL => 'https://vendor.example.com/' })->{id};
my $token = join('.', map { (my $t = encode_base64($_, '')) =~ tr{+/=}{-_}d; $t } '{"alg":"RS256"}', '{"a":1}', 'signature');
my %id = (
    plain => credential('plain', 'key', { key => secret('plain-key-of-the-test') }),
    placed => credential('placed', 'key', { key => secret('placed-key-of-the-test'), header => 'X-Partner', prefix => 'Token ' }),
    query => credential('query', 'key', { key => secret('query-key-of-the-test'), query => 'pk' }),
    bearer => credential('bearer', 'bearer', { token => secret('bearer-token-of-the-test') }),
    basic => credential('basic', 'basic', { username => 'user', password => secret('basic-password-of-the-test') }),
    static => credential('static', 'jwt', { token => secret($token) }),
);
sub proxy { my ($name, %of) = @_; $admin->make('proxies', { proxyName => $name, proxyAlias => $name, proxyTargetId => $target, %of }) }
for my $name (sort keys %id) {
    proxy($name, proxyProxyCredentialId => $id{$name});
}
proxy('both', proxyProxyCredentialIds => [@id{qw(plain basic)}], proxyCredentialMode => 'all');
proxy('either', proxyProxyCredentialIds => [@id{qw(plain basic)}], proxyCredentialMode => 'any');

my $basic = 'Basic ' . encode_base64('user:basic-password-of-the-test', '');

sub at { my ($proxy, %headers) = @_; return { path => "/gw/$proxy/x", headers => \%headers } }

my $in = { status => 501 };
my $out = { status => 401 };
my $other = { status => 403 };

cases($httpd,
    ['a key', at('plain', 'X-API-Key' => 'plain-key-of-the-test'), $in],
    ['a key in a place of its own', at('placed', 'X-Partner' => 'Token placed-key-of-the-test'), $in],
    ['without its prefix', at('placed', 'X-Partner' => 'placed-key-of-the-test'), $out],
    ['that place on another route', at('plain', 'X-Partner' => 'Token plain-key-of-the-test'), $out],
    ['a key in its parameter', { path => '/gw/query/x?a=b&pk=query-key-of-the-test' }, $in],
    ['that parameter on another route', { path => '/gw/plain/x?pk=plain-key-of-the-test' }, $out],
    ['a bearer token', at('bearer', Authorization => 'Bearer bearer-token-of-the-test'), $in],
    ['a bearer token where keys are', at('bearer', 'X-API-Key' => 'bearer-token-of-the-test'), $out],
    ['a bearer token on another route', at('plain', Authorization => 'Bearer bearer-token-of-the-test'), $out],
    ['a key on the bearer route', at('bearer', 'X-API-Key' => 'plain-key-of-the-test'), $other],
    ['user and password', at('basic', Authorization => $basic), $in],
    ['a wrong password', at('basic', Authorization => 'Basic ' . encode_base64('user:wrong-password', '')), $out],
    ['no colon', at('basic', Authorization => 'Basic ' . encode_base64('user', '')), $out],
    ['Basic is challenged there', { path => '/gw/basic/x' }, { status => 401, headers => { 'WWW-Authenticate' => [qr/^Bearer/, 'Basic realm="api"'] } }],
    ['and not elsewhere', { path => '/gw/plain/x' }, { status => 401, headers => { 'WWW-Authenticate' => [qr/^Bearer/] } }],
    ['user and password on another route', at('plain', Authorization => $basic), $out],
    ['a static token', at('static', Authorization => "Bearer $token"), $in],
    ['a static token, changed', at('static', Authorization => "Bearer ${token}A"), $out],
    ['a static token on another route', at('plain', Authorization => "Bearer $token"), $out],
    ['both of both', at('both', 'X-API-Key' => 'plain-key-of-the-test', Authorization => $basic), $in],
    ['one of both', at('both', 'X-API-Key' => 'plain-key-of-the-test'),
     { status => 401, headers => { 'WWW-Authenticate' => qr/Basic realm="api"/ }, json => { detail => qr/further credential/ } }],
    ['the other of both', at('both', Authorization => $basic),
     { status => 401, headers => { 'WWW-Authenticate' => qr/^Bearer/ }, json => { detail => qr/further credential/ } }],
    ['one of both, and one of another proxy', at('both', 'X-API-Key' => 'placed-key-of-the-test', Authorization => $basic), $other],
    ['none of both', at('both', 'X-API-Key' => 'placed-key-of-the-test'), $other],
    ['nothing of both', at('both'), $out],
    ['both, one wrong', at('both', 'X-API-Key' => 'plain-key-of-the-tesT', Authorization => $basic), $out],
    ['either: the first', at('either', 'X-API-Key' => 'plain-key-of-the-test'), $in],
    ['either: the second', at('either', Authorization => $basic), $in],
    ['none of the proxy\'s', at('either', 'X-API-Key' => 'placed-key-of-the-test'), $other],
    ['no such proxy', at('nowhere', 'X-API-Key' => 'plain-key-of-the-test'), $other],
    ['no such proxy, nobody', { path => '/gw/nowhere/x' }, $out],
    ['kinds of a route count on routes only', { path => '/me', headers => { Authorization => 'Bearer bearer-token-of-the-test' } }, $out],
    ['a key everywhere', { path => '/me', headers => { 'X-API-Key' => 'plain-key-of-the-test' } }, { status => 200, json => { sub => 'default/plain' } }],
);
finish();
