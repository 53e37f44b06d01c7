# SPDX-License-Identifier: Apache-2.0
#
# Where a token is read, and what Require rr-jwt and rr-claim ask of it.

use strict;
use warnings;

use RR::Test;
use RR::Token;

my $key = RR::Token->key('ES256', kid => 'a');
my $httpd = httpd(modules => [qw(core jwt)], start => 0);
my $jwks = $httpd->file('keys.json', json_text({ keys => [$key->jwk] }));
$httpd->{conf} = <<"CONF";
RRJwtIssuer one urn:one audience=any jwks=file:$jwks
RRJwtIssuer two urn:two audience=any jwks=file:$jwks scope-claim=permissions
<Location "/">
    AuthType RR
    SetHandler rr-me
</Location>
<Location "/any">
    Require rr-jwt
</Location>
<Location "/one">
    Require rr-jwt issuer one
</Location>
<Location "/either">
    Require rr-jwt issuer one two scope r w
</Location>
<Location "/scope">
    Require rr-jwt scope r
</Location>
<Location "/power">
    Require rr-jwt scope rr:admin
</Location>
<Location "/role">
    Require rr-claim realm.roles ^admin\$
</Location>
<Location "/url">
    Require rr-claim https://x.example/roles ^admin\$
</Location>
<Location "/word">
    Require rr-claim scope ^w\$
</Location>
<Location "/bool">
    Require rr-claim verified ^true\$
</Location>
<Location "/number">
    Require rr-claim level "^[3-9]\$"
</Location>
<Location "/not">
    <RequireAll>
        Require rr-jwt
        Require not rr-claim realm.roles ^banned\$
    </RequireAll>
</Location>
<Location "/doubt">
    <RequireAll>
        Require rr-jwt
        Require not rr-claim alias "^(a+)+\$"
        Require not rr-data names "^(a+)+\$"
    </RequireAll>
</Location>
<Location "/plain">
    Require rr-claim alias "^(a+)+\$"
</Location>
<Location "/header">
    RRJwtHeader X-Token
    Require rr-jwt
</Location>
<Location "/both">
    RRJwtHeader X-Token
    RRJwtHeader Authorization Token
    Require rr-jwt
</Location>
<Location "/query">
    RRJwtQuery access_token
    Require rr-jwt
</Location>
<Location "/cookie">
    RRJwtCookie session
    Require rr-jwt
</Location>
CONF
$httpd->start;

sub token { my ($iss, %claims) = @_; return secret($key->token({ iss => "urn:$iss", sub => 'alice', %claims }), 'token') }
sub ask
{
    my ($name, $path, $token, $status, %more) = @_;
    return [$name, { path => $path, headers => { $token ? (Authorization => "Bearer $token") : () } }, { status => $status, %more }];
}

my $doubt = 'a' x 60 . '!'; # what makes ^(a+)+$ try every way to split it
my %roles = (realm => { roles => ['user', 'admin'] });
my $plain = token('one');
my $other = token('one', n => 2);

cases($httpd,
    ask('no token', '/any', undef, 401),
    ask('a token', '/any', $plain, 200, json => { sub => 'alice', 'data.iss' => 'urn:one' }),

    ask('its issuer', '/one', $plain, 200),
    ask('another issuer', '/one', token('two'), 403),
    ask('one of the issuers, one of the scopes', '/either', token('two', permissions => ['w']), 200),
    ask('one of the issuers, no scope', '/either', token('two', scope => 'w'), 403),
    ask('a scope', '/scope', token('one', scope => 'q r'), 200),
    ask('scp', '/scope', token('one', scp => ['r']), 200),
    ask('scope before scp', '/scope', token('one', scope => 'q', scp => ['r']), 403,
        headers => { 'WWW-Authenticate' => qr/error="insufficient_scope".*scope="r"/ }),
    ask('a scope in part', '/scope', token('one', scope => 'rr rw'), 403),
    ask('a scope of ours is not an issuer\'s to grant', '/power', token('one', scope => 'rr:admin'), 403),

    ask('a nested claim', '/role', token('one', %roles), 200),
    ask('not that value', '/role', token('one', realm => { roles => ['administrator', 'user'] }), 403),
    ask('a string instead of a list', '/role', token('one', realm => { roles => 'admin' }), 200),
    ask('an object instead', '/role', token('one', realm => { roles => { admin => 1 } }), 403),
    ask('no such claim', '/role', $plain, 403),
    ask('no token for a claim', '/role', undef, 401),
    ask('a name that is a URL', '/url', token('one', 'https://x.example/roles' => ['admin']), 200),
    ask('a word of scope', '/word', token('one', scope => 'r w x'), 200),
    ask('a part of a word', '/word', token('one', scope => 'r wx'), 403),
    ask('true', '/bool', token('one', verified => JSON::PP::true()), 200),
    ask('false', '/bool', token('one', verified => JSON::PP::false()), 403),
    ask('null', '/bool', token('one', verified => undef), 403),
    ask('a number', '/number', token('one', level => 5), 200),
    ask('a smaller number', '/number', token('one', level => 2), 403),
    ask('not banned', '/not', token('one', %roles), 200),
    ask('banned', '/not', token('one', realm => { roles => ['banned'] }), 403),
    ask('nobody', '/not', undef, 401),

    # ---- an expression that cannot be decided grants nothing, turned round or not ----
    ask('no match, turned round', '/doubt', token('one', alias => 'b', names => ['b']), 200),
    ask('a match, turned round', '/doubt', token('one', alias => 'aa'), 403),
    ask('a match of data, turned round', '/doubt', token('one', names => ['b', 'aa']), 403),
    ask('a claim in doubt, turned round', '/doubt', token('one', alias => $doubt), 403, json => { detail => qr/decided.*claim/ }),
    ask('data in doubt, turned round', '/doubt', token('one', names => ['b', $doubt]), 403, json => { detail => qr/decided.*data/ }),
    ask('a match', '/plain', token('one', alias => 'aa'), 200),
    ask('a claim in doubt', '/plain', token('one', alias => $doubt), 403, json => { detail => qr/decided.*claim/ }),

    # ---- places ----
    ['a header of its own', { path => '/header', headers => { 'X-Token' => $plain } }, { status => 200 }],
    ['the default is replaced', { path => '/header', headers => { Authorization => "Bearer $plain" } }, { status => 401 }],
    ['no token in its place', { path => '/header', headers => { 'X-Token' => 'abc' } }, { status => 401, json => { detail => qr/well-formed/ } }],
    ['an encrypted token in its place', { path => '/header', headers => { 'X-Token' => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0.a.b.c.d' } },
     { status => 401, json => { detail => qr/well-formed/ } }],
    ['an empty place', { path => '/header', headers => { 'X-Token' => '' } }, { status => 401 }],
    ['twice the same', { path => '/both', headers => ['X-Token', $plain, 'Authorization', "Token $plain"] }, { status => 200 }],
    ['two different', { path => '/both', headers => ['X-Token', $plain, 'Authorization', "Token $other"] },
     { status => 401, json => { detail => qr/two different tokens/ } }],
    ['a repeated header', { path => '/header', headers => ['X-Token', $plain, 'X-Token', $other] }, { status => 401 }],
    ['a query parameter', { path => "/query?a=b&access_token=$plain" }, { status => 200 }],
    ['twice, different', { path => "/query?access_token=$other&access_token=$plain" }, { status => 401 }],
    ['beside a query parameter the default header', { path => '/query', headers => { Authorization => "Bearer $plain" } }, { status => 200 }],
    ['a query parameter and a header, different', { path => "/query?access_token=$other", headers => { Authorization => "Bearer $plain" } },
     { status => 401, json => { detail => qr/two different tokens/ } }],
    ['a cookie', { path => '/cookie', headers => { Cookie => "a=b; session=$plain" } }, { status => 200 }],
    ['a cookie, POST from elsewhere', { method => 'POST', path => '/cookie', headers => { Cookie => "session=$plain", Origin => 'https://evil.example' } },
     { status => 401 }],
);

# The path and its mod_authz_core lines are known: refusals are logged there at error.
expect_log('RR10002');
allow_log('AH01630', 'AH01631');
finish();
