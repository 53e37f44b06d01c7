# SPDX-License-Identifier: Apache-2.0
#
# Seed 000, line by line, through everything: bodies of its calls as they stand there (ids and the address of
# the key set are filled in), callers, an issuer, a backend.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use RR::Admin;
use RR::Inject;
use RR::KeyServer;
use RR::Test;
use RR::Token;

my $issuer = 'https://partner-auth.example.com/';
my $audience = 'https://api.myapp.com';
my ($signer, $forger) = map { RR::Token->key('ES256', kid => 'partner') } 1 .. 2;
my $keys = RR::KeyServer->start(dir => place_for('issuer'), keys => [$signer]);
my $upstream = upstream();
my $store = store();
my $operator = $store->key('operator', '--scope', 'rr:admin')->{key};
my $stranger = $store->key('stranger')->{key};
my $httpd = httpd(modules => [qw(core keyauth jwt rules filter inject admin)], start => 0);
my $log = $httpd->dir . '/logs/audit.log';
$httpd->{conf} = $store->conf . admin_location() . <<"CONF";
RRTargetAllow loopback
RRAuditLog $log
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/wide-open">
    AuthType RR
    RRGateway On
    Require all granted
</Location>
CONF
$httpd->start;

# ---- the seed's calls ----
my $admin = RR::Admin->new($httpd, $operator);
sub made { my ($path, $body) = @_; return $admin->make($path, $body)->{id} }

my $key = secret('rr_live_xxxxxxxxxxxxxx', 'key of the seed');
my $partner_key = secret('partner_key_xxxxxxxxxxxx', "partner's key");
my %secret = map { $_ => secret("$_-vendor-" . 's3cr' x 5, "vendor's $_") } qw(bearer basic);
my $mobile = made('credentials', seed('000-key'));
my $partner = made('credentials', seed('000-jwt-verify', 'https://partner-auth.example.com/.well-known/jwks.json' => $keys->jwks_uri));
my $user = made('credentials', { credentialType => 'proxy', credentialAuthType => 'jwtVerify', credentialName => 'user-auth',
    credentialSecret => { jwksUri => $keys->jwks_uri, audience => $audience, issuer => $issuer, header => 'X-User-Auth' } });
my $bearer = made('credentials', { credentialType => 'target', credentialAuthType => 'bearer', credentialName => 'vendor',
                                   credentialSecret => { token => $secret{bearer} } });
my $basic = made('credentials', { credentialType => 'target', credentialAuthType => 'basic', credentialName => 'backend',
                                  credentialSecret => { username => 'service', password => $secret{basic} } });
my $target = made('targets', { targetName => 'api', targetBaseURL => $upstream->url });

sub proxy
{
    my ($name, $of, %more) = @_;
    return made('proxies', { proxyName => $name, proxyAlias => $name, proxyTargetId => $target,
                             proxyProxyCredentialIds => $of, %more });
}

made('proxies/' . proxy('mobile', [$mobile]) . '/rules', seed('000-rule-user'));
made('proxies/' . proxy('partner', [$partner]) . '/rules', seed('000-rule-partner'));
my %open = (proxyDefaultRuleEffect => 'allow');
my %tells = (proxyIdentityHeaders => { 'X-User-Id' => 'sub', 'X-User-Tier' => 'tier' });
for my $gate (['gate', [$partner]], ['gate-all', [$mobile, $user], proxyCredentialMode => 'all'], ['gate-any', [$mobile, $user]],
              ['gate-key', [$mobile]], ['gate-two', [$partner, $user], proxyCredentialMode => 'all']) {
    my ($name, $of, %more) = @$gate;
    made('proxies/' . proxy($name, $of, %open, %more) . '/filters', seed('000-filter-tier'));
}
proxy('to-vendor', [$partner], %open, proxyTargetCredentialId => $bearer);
proxy('to-backend', [$partner], %open, %tells, proxyTargetCredentialId => $basic);

sub token
{
    my (%claims) = @_;
    return secret($signer->token({ iss => $issuer, aud => $audience, sub => 'alice', %claims }), 'token');
}

sub by_key { return { 'X-API-Key' => $key, @_ } }
sub by_token { my ($token, %more) = @_; return { Authorization => "Bearer $token", %more } }
sub saw { my ($name) = @_; return scalar grep { lc $_->[0] eq lc $name } @{ seen($upstream)->{headers} } }

# ---- pattern 1: an API key, a JWT in a header ----
my $alice = token();
my $deny = { status => 403, json => { detail => qr/scope proxy / } };
my $pass = { status => 200, json => { path => qr{^/v1/user/} }, leak => 1 };
my %jwt = ('X-User-Auth' => $alice);
my $me = '/gw/mobile/v1/user/me';
cases($httpd,
    ['1: key and header', { path => $me, headers => by_key(%jwt) }, $pass],
    ['1: the key as a bearer', { path => $me, headers => { Authorization => "Bearer $key", %jwt } }, $pass],
    ['1: POST', { method => 'POST', path => $me, headers => by_key(%jwt), body => 'x' }, $pass],
    (map { ["1: $_", { method => $_, path => $me, headers => by_key(%jwt), body => 'x' }, $deny] } qw(PUT PATCH DELETE)),
    ['1: an overridden method', { method => 'POST', path => $me, headers => by_key(%jwt, 'X-HTTP-Method-Override' => 'DELETE'), body => 'x' }, $deny],
    ['1: the path ends before the slash', { path => '/gw/mobile/v1/user', headers => by_key(%jwt) }, $deny],
    ['1: another path', { path => '/gw/mobile/v1/orders', headers => by_key(%jwt) }, $deny],
    ['1: the path further behind', { path => '/gw/mobile/x/v1/user/me', headers => by_key(%jwt) }, $deny],
    ['1: the path in other case', { path => '/gw/mobile/V1/user/me', headers => by_key(%jwt) }, $deny],
    ['1: the path spelled with codes', { path => '/gw/mobile/v1/%75ser/me', headers => by_key(%jwt) }, { status => 200, leak => 1 }],
    ['1: a path that leaves', { path => '/gw/mobile/v1/user/../orders', headers => by_key(%jwt) }, { status => 400 }],
    ['1: the header is absent', { path => $me, headers => by_key() }, $deny],
    ['1: the header is empty: the pattern takes anything', { path => $me, headers => by_key('X-User-Auth' => '') }, $pass],
    ['1: the header in other case', { path => $me, headers => by_key('x-user-auth' => 'x') }, $pass],
    ['1: a header with a longer name', { path => $me, headers => by_key('X-User-Auth2' => $alice) }, $deny],
    ['1: default deny', { path => '/gw/mobile/', headers => by_key() }, $deny],
    ['1: no key', { path => $me, headers => { %jwt } }, { status => 401, headers => { 'WWW-Authenticate' => qr/Bearer/ } }],
    ['1: a wrong key', { path => $me, headers => { 'X-API-Key' => 'rr_live_xxxxxxxxxxxxxy', %jwt } }, { status => 401 }],
    ['1: the key of somebody else', { path => $me, headers => { 'X-API-Key' => $stranger, %jwt } }, { status => 403 }],
    ['1: access granted to all is none', { path => '/wide-open/mobile/v1/user/me', headers => { %jwt } }, { status => qr/^40[13]$/ }],
    ['1: HTTP/2', { path => $me, headers => by_key(%jwt), http2 => 1 }, $pass],
    ['1: HTTP/2, the header absent', { path => $me, headers => by_key(), http2 => 1 }, $deny],
);
check('1: for the backend', $httpd->request(path => $me, headers => by_key(%jwt)), $pass);
ok(saw('X-User-Auth') && !saw('X-API-Key'), '1: the backend gets the JWT, not the key');

# ---- pattern 2: a verified JWT and a static key ----
my %both = ('X-Partner-Key' => $partner_key);
my $in = '/gw/partner/anything';
my $ok = { status => 200, json => { path => '/anything', 'headers.X-Partner-Key' => undef, 'headers.Authorization' => undef } };
my $forged = secret($forger->token({ iss => $issuer, aud => $audience, sub => 'alice' }), 'forged token');
cases($httpd,
    ['2: both', { path => $in, headers => by_token($alice, %both) }, $ok],
    ['2: both, POST', { method => 'POST', path => $in, headers => by_token($alice, %both), body => 'x' }, $ok],
    ['2: both, over HTTP/2', { path => $in, headers => by_token($alice, %both), http2 => 1 }, $ok],
    ['2: both, the name in other case', { path => $in, headers => by_token($alice, 'x-partner-key' => $partner_key) },
     { status => 200, json => { 'headers.x-partner-key' => undef, 'headers.X-Partner-Key' => undef } }],
    ['2: PUT', { method => 'PUT', path => $in, headers => by_token($alice, %both), body => 'x' }, $deny],
    ['2: the JWT alone', { path => $in, headers => by_token($alice) }, $deny],
    ['2: a wrong partner key', { path => $in, headers => by_token($alice, 'X-Partner-Key' => 'partner_key_xxxxxxxxxxxy') },
     { %$deny, absent => ['partner_key', '^'] }],
    ['2: a longer one', { path => $in, headers => by_token($alice, 'X-Partner-Key' => "${partner_key}x") }, $deny],
    ['2: an empty one', { path => $in, headers => by_token($alice, 'X-Partner-Key' => '') }, $deny],
    ['2: the right one beside another', { path => $in, headers => [%{ by_token($alice) }, %both, 'X-Partner-Key' => 'other'] }, $deny],
    ['2: the partner key alone', { path => $in, headers => { %both } }, { status => 401 }],
    ['2: a forged JWT', { path => $in, headers => by_token($forged, %both) }, { status => 401 }],
    ['2: for another audience', { path => $in, headers => by_token(token(aud => 'other'), %both) }, { status => 401, json => { detail => qr/aud/ } }],
    ['2: of another issuer', { path => $in, headers => by_token(token(iss => 'https://other.example/'), %both) }, { status => 401, json => { detail => qr/iss/ } }],
    ['2: expired', { path => $in, headers => by_token(token(exp => time() - 600), %both) }, { status => 401, json => { detail => qr/exp/ } }],
    ['2: the key of pattern 1 and the partner key', { path => $in, headers => by_key(%both) }, { status => 403 }],
);

# ---- the tier gate ----
my $body = qq({ "rows" : [ {"id":12345678901234567890123, "price": 1.0 }, 1e400 ],\n  "who":"canary-of-the-export" , "\\u0061" : "\\ud83d\\ude00" }\n);
$upstream->behave("/v1/$_", body => $body) for qw(export export/2026 exports other);
$upstream->behave('/v1/export/list', body => "[1, \"canary-of-the-export\", {}]");
$upstream->behave('/v1/export/text', body => '"canary-of-the-export"');
$upstream->behave('/v1/export/csv', body => 'canary-of-the-export', type => 'text/csv');
my $whole = { status => 200, body => $body };
my $none = { status => 200, body => '{}', absent => ['canary-of-the-export'] };
my ($free, $premium, $enterprise) = map { token(tier => $_) } qw(free premium enterprise);
my $gate = sub { my ($token, $path, %more) = @_; return { path => '/gw/gate' . ($path || '/v1/export'), headers => by_token($token), %more } };
cases($httpd,
    ['tier: premium, unchanged to the byte', $gate->($premium), $whole],
    ['tier: enterprise', $gate->($enterprise), $whole],
    ['tier: premium, over HTTP/2', $gate->($premium, undef, http2 => 1), $whole],
    ['tier: premium, no JSON at all', $gate->($premium, '/v1/export/csv'), { status => 200, body => 'canary-of-the-export' }],
    ['tier: free', $gate->($free), $none],
    ['tier: free, over HTTP/2', $gate->($free, undef, http2 => 1), $none],
    ['tier: free, POST', $gate->($free, undef, method => 'POST', body => 'x'), $none],
    ['tier: free, HEAD', $gate->($free, undef, method => 'HEAD'), { status => 200, body => '', headers => { 'Content-Length' => undef } }],
    ['tier: no claim', $gate->($alice), $none],
    ['tier: a longer word', $gate->(token(tier => 'premiums')), $none],
    ['tier: in other case', $gate->(token(tier => 'Premium')), $none],
    ['tier: one of several', $gate->(token(tier => ['free', 'premium'])), $whole],
    ['tier: inside another claim', $gate->(token(org => { tier => 'premium' })), $none],
    ['tier: a claim with a longer name', $gate->(token(tiers => 'premium')), $none],
    ['tier: free, paths below', $gate->($free, '/v1/export/2026'), $none],
    ['tier: free, paths that begin so', $gate->($free, '/v1/exports'), $none],
    ['tier: free, the path spelled with codes', $gate->($free, '/v1/%65xport'), $none],
    ['tier: free, an array', $gate->($free, '/v1/export/list'), { status => 200, body => '[]' }],
    ['tier: free, a lone value', $gate->($free, '/v1/export/text'), { status => 200, body => 'null' }],
    ['tier: free, no JSON at all', $gate->($free, '/v1/export/csv'), { status => 422, absent => ['canary'] }],
    ['tier: free, another path', $gate->($free, '/v1/other'), $whole],
    ['tier: free, the path in the query', $gate->($free, '/v1/other?/v1/export'), $whole],
);

# A key credential, the JWT beside it.
my $beside = sub { my ($proxy, $token) = @_; return { path => "/gw/$proxy/v1/export", headers => by_key($token ? ('X-User-Auth' => $token) : ()) } };
my $forged_tier = secret($forger->token({ iss => $issuer, aud => $audience, sub => 'eve', tier => 'premium' }), 'forged token');
my $unsigned = secret(RR::Token::compact({ alg => 'none' }, { iss => $issuer, aud => $audience, sub => 'eve', tier => 'premium' }, ''), 'unsigned token');
for my $mode (qw(all any)) {
    my $proxy = "gate-$mode";
    cases($httpd,
        ["$mode: key and premium", $beside->($proxy, $premium), $whole],
        ["$mode: key and free", $beside->($proxy, $free), $none],
        ["$mode: key and no claim", $beside->($proxy, $alice), $none],
        ["$mode: key alone", $beside->($proxy), $mode eq 'any' ? $none : { status => 401, headers => { 'WWW-Authenticate' => qr/^Bearer/ }, json => { detail => qr/further credential.*: jwt$/ } }],
        ["$mode: premium alone", { path => "/gw/$proxy/v1/export", headers => { 'X-User-Auth' => $premium } },
         $mode eq 'any' ? $whole : { status => 401, json => { detail => qr/further credential.*: key$/ } }],
        ["$mode: key and a forged token", $beside->($proxy, $forged_tier), { status => 401 }],
        ["$mode: key and an unsigned token", $beside->($proxy, $unsigned), { status => 401 }],
        ["$mode: a wrong key and premium", { path => "/gw/$proxy/v1/export", headers => { 'X-API-Key' => 'wrong-key-of-nobody', 'X-User-Auth' => $premium } },
         { status => 401 }],
    );
}
cases($httpd,
    ['unverified: a header that nobody verifies says nothing', $beside->('gate-key', $premium), $none],
    ['unverified: nor a forged one', $beside->('gate-key', $forged_tier), $none],
    ['two tokens: the claim is in the one beside', { path => '/gw/gate-two/v1/export', headers => by_token($alice, 'X-User-Auth' => $premium) }, $whole],
    ['two tokens: in the usual place', { path => '/gw/gate-two/v1/export', headers => by_token($premium, 'X-User-Auth' => $alice) }, $whole],
    ['two tokens: in neither', { path => '/gw/gate-two/v1/export', headers => by_token($free, 'X-User-Auth' => $alice) }, $none],
);

# ---- the upstream side ----
check('to the vendor', $httpd->request(path => '/gw/to-vendor/x', headers => by_token($premium)), { status => 200 });
is((map { $_->[1] } grep { $_->[0] eq 'Authorization' } @{ seen($upstream)->{headers} })[0], "Bearer $secret{bearer}", "the vendor's own token");
check('to the backend', $httpd->request(path => '/gw/to-backend/x',
      headers => by_token($premium, 'X-User-Id' => 'mallory', 'X_User_Tier' => 'enterprise')), { status => 200 });
my %told = map { @$_ } @{ seen($upstream)->{headers} };
is($told{Authorization}, 'Basic ' . encode_base64("service:$secret{basic}", ''), "the backend's own credential");
is_deeply([@told{qw(X-User-Id X-User-Tier)}], ['alice', 'premium'], "the caller's claims as headers, not what the client wrote there");
check('to the backend without the claim', $httpd->request(path => '/gw/to-backend/x', headers => by_token($alice, 'X-User-Tier' => 'premium')), { status => 200 });
ok(!saw('X-User-Tier'), 'no claim, no header');
ok(index(json_text([$upstream->requests]), $_) < 0, 'a caller\'s token never reached a backend as Authorization')
    for map { "Bearer $_" } $alice, $premium;

# ---- audit ----
my @lines = wait_for(sub { my @all = map { json_data($_) } split(/\n/, slurp($log)); @all && $all[-1]{path} eq '/gw/to-backend/x' ? \@all : undef });
my ($gated) = grep { $_->{path} eq '/gw/gate/v1/export' && $_->{filters} } @{ $lines[0] };
like($gated->{filters} || '', qr/^proxy:rrid_\w+$/, 'audit names the filter');
is($gated->{filtered}, 'destroyed=3 in=' . length($body) . ' out=2', 'and says how much of it went') or diag(json_text($gated));
my ($ruled) = grep { $_->{path} eq $in && $_->{status} == 200 } @{ $lines[0] };
like($ruled->{rule} || '', qr/^proxy:rrid_\w+$/, 'audit names the rule that allowed');
my ($refused) = grep { $_->{path} eq $in && $_->{status} == 403 && $_->{rule} } @{ $lines[0] };
is($refused->{rule}, 'proxy:default', 'and the default that did not');

expect_log('RR10501');
allow_log('AH01630');
finish();
