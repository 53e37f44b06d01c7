# SPDX-License-Identifier: Apache-2.0
#
# Seed 004, "API Key + JWT Multi-Auth", line by line: one route that takes either.

use strict;
use warnings;

use RR::KeyServer;
use RR::Test;
use RR::Token;

# ---- "An OIDC-compatible IdP that issues JWTs and exposes a JWKS endpoint"; JWT_ISSUER, JWT_AUDIENCE, JWT_JWKS_URL ----
my $signing = RR::Token->key('RS256', kid => 'idp-1');
my $idp = RR::KeyServer->start(dir => place_for('idp'), keys => [$signing]);
my $slash = RR::KeyServer->start(dir => place_for('slash'), keys => [$signing]);
$slash->{issuer} = $slash->url('/'); # "trailing slash matters"
my $audience = 'https://api.example.com';

# ---- "create a consumer and key there" ----
my $store = store();
my $consumer = $store->key('mobile-app', '--metadata', json_text({ plan => 'gold', company => 'Acme' }));
my $key = $consumer->{key};

# ---- "Single /me route protected by dual-auth" ----
my $down = RR::Util::free_port();
my $conf = $store->conf . sprintf(<<'CONF', $idp->issuer, $idp->jwks_uri, $audience, $slash->url('/'), $slash->jwks_uri, $audience, $down, $audience);
RRJwksInterval 1s
RRJwtIssuer idp     %s jwks=%s audience=%s
RRJwtIssuer slashed %s jwks=%s audience=%s
RRJwtIssuer silent  http://127.0.0.1:%d/ audience=%s
<Location "/me">
    AuthType RR
    <RequireAny>
        Require rr-key
        Require rr-jwt
    </RequireAny>
    SetHandler rr-me
</Location>
<Location "/machines">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
<Location "/admins">
    AuthType RR
    Require rr-claim role ^admin$
    SetHandler rr-me
</Location>
<Location "/writers">
    AuthType RR
    Require rr-scope write:users
    SetHandler rr-me
</Location>
<Location "/all">
    AuthType RR
    <RequireAll>
        Require rr-key
        Require rr-jwt
    </RequireAll>
    SetHandler rr-me
</Location>
CONF
my $httpd = httpd(modules => [qw(core keyauth jwt)], conf => $conf);

sub claims { my (%more) = @_; return { iss => $idp->issuer, aud => $audience, sub => 'auth0|42', email => 'a@example.com', %more } }
sub bearer { my ($credential, $path) = @_; return { path => $path || '/me', headers => { Authorization => "Bearer $credential" } } }
my $jwt = secret($signing->token(claims()), 'token');

# What both authenticated calls return: these members, and no others.
sub answer { my ($sub, %data) = @_; return { '' => sub { join(' ', sort keys %{ $_[0] }) eq 'data message sub' }, message => 'Authenticated', sub => $sub,
                                             map { ("data.$_" => $data{$_}) } keys %data } }

cases($httpd,
    ['1. no credentials: 401', { path => '/me' },
     { status => 401, headers => { 'WWW-Authenticate' => [qr/^Bearer realm="[^"]+"$/], 'Content-Type' => 'application/problem+json' },
       json => { status => 401, title => 'Unauthorized' } }],
    ['2. with an API key', bearer($key), { status => 200, json => answer('default/mobile-app', plan => 'gold', company => 'Acme'),
                                           headers => { 'Content-Type' => 'application/json', 'WWW-Authenticate' => undef } }],
    ['3. with a JWT', bearer($jwt), { status => 200, json => answer('auth0|42', email => 'a@example.com', iss => $idp->issuer, aud => $audience) }],

    # "Requests succeed if either credential is valid"; "Whichever credential matched first populates request.user"
    ['both', { path => '/me', headers => { Authorization => "Bearer $jwt", 'X-API-Key' => $key } },
     { status => 200, json => { sub => 'default/mobile-app', 'data.plan' => 'gold', 'dataByMethod.key.plan' => 'gold', 'dataByMethod.jwt.sub' => 'auth0|42' } }],
    ['a raw key, which curl -H "Authorization: KEY" sends', { path => '/me', headers => { Authorization => $key } }, { status => 200, json => answer('default/mobile-app') }],
    # A credential that is there and wrong is not saved by the other one.
    ['a wrong key beside a JWT', { path => '/me', headers => { Authorization => "Bearer $jwt", 'X-API-Key' => 'some-other-key' } }, { status => 401 }],
    ['a wrong JWT beside a key', { path => '/me', headers => { Authorization => 'Bearer ' . $signing->token(claims(aud => 'another')), 'X-API-Key' => $key } }, { status => 401 }],
    ['POST', { path => '/me', body => 'x', headers => { Authorization => "Bearer $key" } }, { status => 405 }],

    # ---- "Extending This Example" ----
    ['role-based access: the role', bearer($signing->token(claims(role => 'admin')), '/admins'), { status => 200 }],
    ['role-based access: among roles', bearer($signing->token(claims(role => ['user', 'admin'])), '/admins'), { status => 200 }],
    ['role-based access: another role', bearer($signing->token(claims(role => 'administrator')), '/admins'), { status => 403, json => { status => 403 } }],
    ['role-based access: no role', bearer($jwt, '/admins'), { status => 403 }],
    ['missing scopes', bearer($jwt, '/writers'),
     { status => 403, headers => { 'WWW-Authenticate' => [qr/^Bearer .*error="insufficient_scope", scope="write:users"$/] } }],
    ['scopes', bearer($signing->token(claims(scope => 'read:users write:users')), '/writers'), { status => 200 }],
    ['per-route: a key on a machine route', bearer($key, '/machines'), { status => 200 }],
    ['per-route: a JWT on a machine route', bearer($jwt, '/machines'), { status => 401, headers => { 'WWW-Authenticate' => [qr/^Bearer /] } }],
    ['both asked: a key alone', bearer($key, '/all'), { status => 401 }],
    ['both asked: both', { path => '/all', headers => { Authorization => "Bearer $jwt", 'X-API-Key' => $key } }, { status => 200 }],
    ['additional providers: a second IdP', bearer($signing->token(claims(iss => $slash->url('/')))), { status => 200, json => { sub => 'auth0|42' } }],

    # ---- "Troubleshooting" ----
    # 401 with valid JWT: issuer / audience mismatch; "confirm iss and aud match exactly (trailing slash matters)"
    (map { my ($what, $claims, $failed) = @$_;
        ["401 with valid JWT: $what", bearer($signing->token($claims)),
         { status => 401, json => { detail => qr/\b$failed\b/ }, headers => { 'WWW-Authenticate' => [qr/error="invalid_token", error_description="[^"]*\b$failed\b/] },
           absent => [$audience, $idp->url, $slash->url] }] }
        ['another iss', claims(iss => 'https://somebody.example/'), 'iss'],
        ['a slash too many in iss', claims(iss => $idp->issuer . '/'), 'iss'],
        ['a slash too few in iss', claims(iss => $slash->url), 'iss'],
        ['iss in capitals', claims(iss => uc $idp->issuer), 'iss'],
        ['no iss', claims(iss => undef), 'iss'],
        ['another aud', claims(aud => 'https://other.example'), 'aud'],
        ['a slash too many in aud', claims(aud => "$audience/"), 'aud'],
        ['a part of aud', claims(aud => substr($audience, 0, -1)), 'aud'],
        ['no aud', claims(aud => undef), 'aud'],
        ['expired', claims(exp => time() - 3600), 'exp']),
    ['200 with aud among others', bearer($signing->token(claims(aud => ['https://other.example', $audience]))), { status => 200 }],
    # 401 with valid API key: not provisioned
    ['401 with valid API key: not provisioned', bearer('rr_live_' . 'A' x 38), { status => 401, json => { detail => qr/not valid/ } }],
    ['401 with valid API key: of another system', bearer('zpka_d67b7e241bb948758f415b79aa8exx2efbeae5bb48b94d'), { status => 401 }],
    # 500 on first request: JWKS URL unreachable; here it is 503, says when to come again, and keys are served
    ['first request, JWKS unreachable', bearer($signing->token(claims(iss => "http://127.0.0.1:$down/"))),
     { status => 503, headers => { 'Retry-After' => qr/^\d+$/, 'Content-Type' => 'application/problem+json' }, json => { status => 503 } }],
    ['JWKS unreachable, and a key', bearer($key), { status => 200 }],
    ['JWKS unreachable, a token of another issuer', bearer($jwt), { status => 200 }],
    ['JWKS unreachable, a key beside that token',
     { path => '/me', headers => { Authorization => 'Bearer ' . $signing->token(claims(iss => "http://127.0.0.1:$down/")), 'X-API-Key' => $key } },
     { status => 200, json => { sub => 'default/mobile-app', dataByMethod => undef } }],
);

# "Decode the token ... and confirm iss and aud": rrctl does
my $decoded = rrctl('--json', 'jwt', 'decode', $jwt);
is($decoded->{exit}, 0, 'rrctl jwt decode');
like($decoded->{out}, qr/\Q@{[$idp->issuer]}\E/, 'shows iss');
like($decoded->{out}, qr/\Q$audience\E/, 'and aud');
my $jwks = $httpd->file('jwks.json', json_text({ keys => [$signing->jwk] }));
is(rrctl('jwt', 'verify', $jwt, '--jwks', $jwks, '--issuer', $idp->issuer, '--audience', $audience)->{exit}, 0, 'rrctl jwt verify: good');
my $why = rrctl('jwt', 'verify', $jwt, '--jwks', $jwks, '--issuer', $idp->issuer . '/', '--audience', $audience);
isnt($why->{exit}, 0, 'rrctl jwt verify: the wrong issuer');
like($why->{err} . $why->{out}, qr/iss/, 'and it says so');

# "401 with valid API key ... Create the consumer + key": the next request is served; taken back, it is refused
my $late = $store->key('late');
cases($httpd, ['a key provisioned now', bearer($late->{key}), { status => 200, json => answer('default/late') }]);
is($store->rrctl('key', 'revoke', $late->{id})->{exit}, 0, 'and taken back');
cases($httpd, ['a key taken back', bearer($late->{key}), { status => 401 }]);

# The IdP stops: what is known goes on. It rotates its key: the new kid counts without a restart.
$idp->stop;
cases($httpd, ['the IdP is down: a JWT', bearer($jwt), { status => 200 }], ['the IdP is down: a key', bearer($key), { status => 200 }]);
$idp->resume;
my $next = RR::Token->key('ES256', kid => 'idp-2');
$idp->set_keys($next, $signing);
my $rotated = secret($next->token(claims()), 'token');
ok(wait_for(sub { $httpd->request(%{ bearer($rotated) })->status == 200 }, 15), 'a token under the new key is accepted');
cases($httpd, ['one under the old key still is', bearer($jwt), { status => 200 }],
              ['one under nobody\'s key is not', bearer(RR::Token->key('ES256', kid => 'idp-2')->token(claims())), { status => 401 }]);

allow_log('AH01630', 'AH01631', qr/RR103\d\d/);
finish();
