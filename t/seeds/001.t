# SPDX-License-Identifier: Apache-2.0
#
# Seed 001, "JWT vs API key auth for machine-to-machine APIs": its bodies, and what callers and vendors then see.

use strict;
use warnings;

use RR::Admin;
use RR::Inject;
use RR::KeyServer;
use RR::Test;
use RR::Token;
use RR::Util qw(run);

my $store = store();
my $operator = $store->key('operator', '--scope', 'rr:admin')->{key};
my $signing = RR::Token->key('RS256');
my $auth0 = RR::KeyServer->start(dir => place_for('auth0'), keys => [$signing]);
my ($stripe, $clearbit, $analytics) = (upstream(), upstream(), upstream());

my $httpd = httpd(modules => [qw(core keyauth jwt rules inject admin)], conf => $store->conf . admin_location() . <<'CONF');
RRTargetAllow loopback
<Location "/stripe">
    AuthType RR
    RRProxy default/stripe-payment-api
    Require rr-proxy
</Location>
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF

my $admin = RR::Admin->new($httpd, $operator);
sub made { my ($path, $body) = @_; return $admin->make($path, $body)->{id} }

sub headers_of
{
    my ($upstream) = @_;
    my %headers = map { lc($_->[0]) => $_->[1] } @{ seen($upstream)->{headers} };
    return \%headers;
}

# ---- "an incoming jwtVerify proxy credential authenticates the caller ... the upstream target uses a key" ----
my $verify = made('credentials', {
    credentialType => 'proxy', credentialAuthType => 'jwtVerify', credentialName => 'auth0-m2m-verify',
    credentialSecret => { jwksUri => $auth0->jwks_uri, audience => 'https://api.myapp.com', issuer => $auth0->issuer } });
my $vendor_key = secret('sk_live_' . 'stripe' x 5, "Stripe's key");
my $stripe_key = made('credentials', { credentialType => 'target', credentialAuthType => 'key',
    credentialName => 'stripe-api-key', credentialSecret => { key => $vendor_key } });
my $target = made('targets', { targetName => 'stripe', targetBaseURL => $stripe->url('/v1') });
my $proxy = made('proxies', seed('001-proxy', '<auth0-m2m-verify-id>' => $verify, '<stripe-target-id>' => $target,
                                  '<stripe-api-key-id>' => $stripe_key));

my $token = secret($signing->token({ iss => $auth0->issuer, aud => 'https://api.myapp.com', sub => 'svc-a@clients',
                                     azp => 'svc-a', scope => 'charge', gty => 'client-credentials' }), "the caller's token");
my %caller = (headers => { Authorization => "Bearer $token" });

cases($httpd,
    ['"proxyDefaultRuleEffect": "deny" with no rule', { path => '/stripe/charges', %caller }, { status => 403 }],
    ['nobody', { path => '/stripe/charges' }, { status => 401 }]);
is($stripe->count, 0, 'nothing of it reached the vendor');
made("proxies/$proxy/rules", '{"effect":"allow","methods":["GET","POST"],"path":{"path":{"pattern":"^/charges"},'
                             . '"presence":"must_exist"}}');

# "The caller authenticates with a JWT; the upstream receives a Bearer token injected by the gateway."
cases($httpd,
    ['a caller with its own token', { path => '/stripe/charges?limit=1', %caller },
     { status => 200, json => { target => '/v1/charges?limit=1', 'headers.Authorization' => qr/^\*+$/ } }],
    ['a method that no rule allows', { method => 'DELETE', path => '/stripe/charges/1', %caller }, { status => 403 }],
    ['a token for another audience', { path => '/stripe/charges', headers => { Authorization => 'Bearer '
        . $signing->token({ iss => $auth0->issuer, aud => 'other', sub => 'x' }) } }, { status => 401 }]);
is($stripe->count, 1, 'one request reached the vendor');
is(headers_of($stripe)->{authorization}, "Bearer $vendor_key", 'with the vendor\'s key');
my $record = json_text(seen($stripe));
is(index($record, $token), -1, 'and no trace of the caller\'s token');
is(index($record, (split(/\./, $token))[1]), -1, 'nor of its claims');
is(headers_of($stripe)->{host}, '127.0.0.1:' . $stripe->port, 'the host is the vendor\'s');

# ---- "credentialAuthType": "key" for target credentials, the seed's own body ----
my $clearbit_key = made('credentials', seed('001-target-key'));
my $enrichment = made('proxies', { proxyName => 'enrichment', proxyAlias => 'enrichment',
    proxyProxyCredentialId => $verify, proxyTargetCredentialId => $clearbit_key, proxyDefaultRuleEffect => 'allow',
    proxyTargetId => made('targets', { targetName => 'clearbit', targetBaseURL => $clearbit->url }) });
check('the enrichment API', $httpd->request(path => '/gw/enrichment/v2/find', %caller), { status => 200 });
is(headers_of($clearbit)->{authorization}, 'Bearer sk_clearbit_xxxxxxxxxxxxxx', 'gets its static key');

# ---- "credentialAuthType": "jwt": the gateway signs ----
my $rsa = RR::Token->key('RS256');
my $pem = secret($rsa->pem('private'), 'private key');
my $minted = made('credentials', seed('001-target-jwt', '-----BEGIN RSA PRIVATE KEY-----\n...' => substr(json_text([$pem]), 2, -2)));
made('proxies', { proxyName => 'analytics', proxyAlias => 'analytics', proxyProxyCredentialId => $verify,
    proxyTargetCredentialId => $minted, proxyDefaultRuleEffect => 'allow',
    proxyTargetId => made('targets', { targetName => 'analytics', targetBaseURL => $analytics->url }) });
check('the analytics API', $httpd->request(path => '/gw/analytics/events', %caller), { status => 200 });
my ($signed) = headers_of($analytics)->{authorization} =~ /^Bearer (\S+)$/;
my $verified = run('node', root() . '/build/oidc/verify.js', $signed, $rsa->pem('public_x509'), 'RS256', 'my-service', 'analytics-api');
is($verified->{exit}, 0, 'gets a token that an independent library verifies') or diag($verified->{err});
my $seen = json_data($verified->{out});
is($seen->{header}{alg}, 'RS256', 'by the algorithm that was asked for');
is($seen->{header}{typ}, 'JWT', 'a JWT');
is($seen->{claims}{exp} - $seen->{claims}{iat}, 300, 'that lives five minutes');
ok(length $seen->{claims}{jti} >= 16, 'and has an id');
check('a second request', $httpd->request(path => '/gw/analytics/events', %caller), { status => 200 });
ok($analytics->count == 2, 'is forwarded');

allow_log('AH01630', 'RR10401');
finish();
