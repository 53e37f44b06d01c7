# SPDX-License-Identifier: Apache-2.0
#
# Seed 002, "Securing your API with API Keys & JSON Web Tokens": its recipe, told in httpd.conf.

use strict;
use warnings;

use RR::KeyServer;
use RR::Test;
use RR::Token;
use RR::Upstream;

my $signing = RR::Token->key('ES256');
my $idp = RR::KeyServer->start(dir => place_for('idp'), keys => [$signing]);
my $backend = RR::Upstream->start(dir => place_for('backend'));
my $other = RR::Upstream->start(dir => place_for('other'));
my $store = store();

# "if you wanted to store the same types of data as a JWT token, you might set the metadata to the following"
my $metadata = <<'JSON';
{
  "userId": "12345",
  "scopes": ["read:users", "write:users"]
}
JSON
my $first = $store->key('jane', '--metadata', $metadata);
# "users having multiple API keys so they can be rotated without downtime"
my $second = $store->key('jane');
# "create API Keys with specific permissions"
my $reader = $store->key('reader', '--metadata', '{"userId":"12345","scopes":["read:users"]}');
my $nameless = $store->key('nameless');

my $httpd = httpd(modules => [qw(core keyauth jwt)], vars => { BACKEND => $backend->url, OTHER => $other->url },
                  conf => $store->conf . 'RRJwtIssuer idp ' . $idp->issuer . " audience=any\n" . <<'CONF');
# "allowUnauthenticatedRequests": a policy that lets the next one look. Here each provider does its part of one decision.
<Location "/api">
    AuthType RR
    <RequireAny>
        Require rr-key
        Require rr-jwt
    </RequireAny>
    RRIdentityHeader X-User-Id
    ProxyPass @BACKEND@/api
</Location>
# "a token with read:users scope can only read users, but not write them"
<Location "/api/users">
    <Limit GET HEAD>
        Require rr-scope read:users write:users
    </Limit>
    <LimitExcept GET HEAD>
        Require rr-scope write:users
    </LimitExcept>
</Location>
# "Multiple Backends and Microservices": each is told the same
<Location "/orders">
    AuthType RR
    Require valid-user
    RRIdentityHeader X-User-Id
    ProxyPass @OTHER@/orders
</Location>
# "allowUnauthenticatedRequests ... set to true", and nothing to enforce that somebody came
<Location "/open">
    AuthType RR
    RRAuthMode optional
    Require all granted
    RRIdentityHeader X-User-Id
    ProxyPass @BACKEND@/open
</Location>
# "configure the policy to look for the API Key in a different header or query parameter"
<Location "/elsewhere">
    AuthType RR
    Require valid-user
    RRKeyHeader X-Access-Key
    RRKeyQuery key
    RRJwtHeader X-Access-Token
    RRIdentityHeader X-User-Id
    ProxyPass @BACKEND@/elsewhere
</Location>
<Location "/me">
    AuthType RR
    Require valid-user
    SetHandler rr-me
</Location>
CONF

sub token { my (%more) = @_; return secret($signing->token({ iss => $idp->issuer, aud => 'x', sub => '12345', scope => 'read:users', %more }), 'token') }
sub by { my ($credential, $path, %more) = @_; return { path => $path, headers => { Authorization => "Bearer $credential" }, %more } }
my $jwt = token();
my $known = { status => 200, json => { 'headers.X-User-Id' => '12345', 'headers.Authorization' => undef, 'headers.X-API-Key' => undef } };
my $refused = { status => 401, headers => { 'WWW-Authenticate' => qr/^Bearer/, 'Content-Type' => 'application/problem+json' } };
my $lacking = { status => 403, headers => { 'WWW-Authenticate' => qr/insufficient_scope.*write:users/ } };

cases($httpd,
    # "return new Response("Unauthorized", { status: 401 })"
    ['nobody', { path => '/api/x' }, $refused],
    ['a wrong key', by('some-other-key', '/api/x'), $refused],
    ['a wrong token', by(token(exp => time() - 3600), '/api/x'), $refused],
    # "request.user.sub = request.user.data.userId", and "request.headers.set("X-User-Id", request.user.sub)"
    ['a key', by($first->{key}, '/api/x'), $known],
    ['its sister', by($second->{key}, '/api/x'), $known],
    ['a token', by($jwt, '/api/x'), $known],
    ['a key in X-API-Key', { path => '/api/x', headers => { 'X-API-Key' => $first->{key} } }, $known],
    ['"map it to the same format": a key', by($first->{key}, '/me'),
     { status => 200, json => { sub => '12345', 'data.userId' => '12345', 'data.scopes' => ['read:users', 'write:users'] } }],
    ['"map it to the same format": a token', by($jwt, '/me'), { status => 200, json => { sub => '12345', 'data.sub' => '12345' } }],
    ['a key without userId is its own subject', by($nameless->{key}, '/api/x'), { status => 200, json => { 'headers.X-User-Id' => 'default/nameless' } }],
    ['what a client says of itself', { path => '/api/x', headers => { Authorization => "Bearer $jwt", 'X-User-Id' => '1', 'x_user_id' => '1' } },
     { %$known, absent => [qr/"x_user_id"/] }],
    ['another service is told the same by a key', by($first->{key}, '/orders/1'), $known],
    ['another service is told the same by a token', by($jwt, '/orders/1'), $known],

    # ---- scopes ----
    ['a key that may read reads', by($reader->{key}, '/api/users'), $known],
    ['a key that may read does not write', by($reader->{key}, '/api/users', body => '{}'), $lacking],
    ['a key that may write writes', by($first->{key}, '/api/users', body => '{}'), $known],
    ['a token that may read reads', by($jwt, '/api/users'), $known],
    ['a token that may read does not write', by($jwt, '/api/users', body => '{}'), $lacking],
    ['a token that may write writes', by(token(scope => 'write:users'), '/api/users', body => '{}'), $known],
    ['a token with scp as a list', by(token(scope => undef, scp => ['other', 'write:users']), '/api/users', body => '{}'), $known],
    ['a scope that is but a part', by(token(scope => 'write:users2 xwrite:users'), '/api/users', body => '{}'), $lacking],
    ['no scope', by($nameless->{key}, '/api/users'), { status => 403 }],

    # ---- allowUnauthenticatedRequests ----
    ['nobody where nobody may come', { path => '/open/x', headers => { 'X-User-Id' => '12345' } }, { status => 200, json => { 'headers.X-User-Id' => undef } }],
    ['somebody where nobody may come', by($first->{key}, '/open/x'), $known],
    ['a wrong key is not nobody', by('some-other-key', '/open/x'), $refused],
    ['a wrong token is not nobody', by(token(iss => 'https://x.example'), '/open/x'), $refused],

    # ---- other places ----
    ['a key elsewhere', { path => '/elsewhere/x', headers => { 'X-Access-Key' => $first->{key} } }, { %$known, absent => [qr/X-Access/] }],
    ['a key in the query', { path => "/elsewhere/x?a=1&key=$first->{key}&b=2" },
     { status => 200, json => { 'headers.X-User-Id' => '12345', query => 'a=1&b=2' } }],
    ['a token elsewhere', { path => '/elsewhere/x', headers => { 'X-Access-Token' => $jwt } }, { %$known, absent => [qr/X-Access/] }],
    ['not where it was', by($second->{key}, '/elsewhere/x'), { status => 401 }],
);

# "rotated without downtime": the new one first, then the old one goes
is($store->rrctl('key', 'revoke', $first->{id})->{exit}, 0, 'the first key is taken back');
cases($httpd, ['the first key', by($first->{key}, '/api/x'), $refused], ['its sister stays', by($second->{key}, '/api/x'), $known]);

ok($backend->count > 10 && !grep({ index(json_text($_), 'rr_live_') >= 0 || index(json_text($_), $jwt) >= 0 } $backend->requests, $other->requests),
   'no backend ever saw a credential');

allow_log('AH01630', 'AH01631');
finish();
