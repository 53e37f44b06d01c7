# SPDX-License-Identifier: Apache-2.0
#
# Keys and tokens on one route: which of them speaks for the caller, and what each sort of wrong one costs.
# The table of all outcomes is in outcomes.t; this is the same with the real providers.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64url);
use RR::KeyServer;
use RR::Test;
use RR::Token qw(compact);

my $store = store();
my $key = $store->key('robot', '--scope', 'read', '--metadata', json_text({ userId => 'robot', tier => 'gold' }))->{key};
my $other = $store->key('other', '--metadata', json_text({ userId => 'other' }))->{key};
my $signing = RR::Token->key('ES256', kid => 'one');
my $idp = RR::KeyServer->start(dir => place_for('idp'), keys => [$signing]);
my $down = 'http://127.0.0.1:' . RR::Util::free_port();

my %routes = (
    either => ['<RequireAny>', 'Require rr-key', 'Require rr-jwt', '</RequireAny>'],
    both => ['<RequireAll>', 'Require rr-key', 'Require rr-jwt', '</RequireAll>'],
    key => ['Require rr-key'], jwt => ['Require rr-jwt'], user => ['Require valid-user'],
    issuer => ['Require rr-jwt issuer idp'], 'other-issuer' => ['Require rr-jwt issuer down'],
    scope => ['Require rr-scope read'], scopes => ['<RequireAll>', 'Require rr-scope read', 'Require rr-scope write', '</RequireAll>'],
    'key-scope' => ['Require rr-key scope write'], 'jwt-scope' => ['Require rr-jwt scope read'],
    claim => ['Require rr-claim tier ^gold$'], data => ['Require rr-data tier ^gold$'],
    'not-key' => ['<RequireAll>', 'Require valid-user', 'Require not rr-key', '</RequireAll>'],
    'banned-scope' => ['<RequireAll>', 'Require not rr-scope banned', 'Require not rr-data tier lead', 'Require not rr-claim tier lead', 'Require not rr-jwt scope banned', 'Require rr-key', '</RequireAll>'],
    neither => ['<RequireAll>', 'Require all granted', '<RequireNone>', 'Require rr-key', 'Require rr-jwt', '</RequireNone>', '</RequireAll>'],
    nested => ['<RequireAny>', '<RequireAll>', 'Require rr-key scope write', 'Require rr-data tier ^gold$', '</RequireAll>',
               '<RequireAll>', 'Require rr-jwt scope write', '<RequireNone>', 'Require rr-claim tier ^tin$', '</RequireNone>', '</RequireAll>', '</RequireAny>'],
    turned => ['RRAuthProvider jwt key', 'Require valid-user'], 'keys-only' => ['RRAuthProvider key', 'Require valid-user'],
    optional => ['RRAuthMode optional', 'Require all granted'], permissive => ['RRAuthMode permissive', 'Require all granted'],
);
my $httpd = httpd(modules => [qw(core keyauth jwt)], conf => $store->conf . 'RRJwtIssuer idp ' . $idp->issuer . " audience=api\nRRJwtIssuer down $down audience=any\n"
    . join('', map { "<Location \"/$_\">\nAuthType RR\n" . join("\n", @{ $routes{$_} }) . "\nSetHandler rr-me\n</Location>\n" } sort keys %routes));

sub token { my (%more) = @_; return secret($signing->token({ iss => $idp->issuer, aud => 'api', sub => 'jane', scope => 'write', tier => 'tin', %more }), 'token') }
my $jwt = token();
my $unknown = token(iss => "$down");
my $expired = token(exp => time() - 999);
my %present = (
    nobody => {}, key => { 'X-API-Key' => $key }, jwt => { Authorization => "Bearer $jwt" }, both => { 'X-API-Key' => $key, Authorization => "Bearer $jwt" },
    'bad key' => { 'X-API-Key' => 'some-other-key' }, 'bad jwt' => { Authorization => "Bearer $expired" },
    'key, bad jwt' => { 'X-API-Key' => $key, Authorization => "Bearer $expired" }, 'jwt, bad key' => { 'X-API-Key' => 'some-other-key', Authorization => "Bearer $jwt" },
    'jwt of an issuer that is down' => { Authorization => "Bearer $unknown" }, 'key, jwt of an issuer that is down' => { 'X-API-Key' => $key, Authorization => "Bearer $unknown" },
);

# route => { who presents what => status, or the subject that gets in }; whoever is not named: the last row's
my %else = (nobody => 401, 'bad key' => 401, 'bad jwt' => 401, 'key, bad jwt' => 401, 'jwt, bad key' => 401,
            'jwt of an issuer that is down' => 503);
my %table = (
    either => { key => 'robot', jwt => 'jane', both => 'robot', 'key, jwt of an issuer that is down' => 'robot' },
    both => { key => 401, jwt => 401, both => 'robot', 'key, jwt of an issuer that is down' => 401 },
    key => { key => 'robot', jwt => 401, both => 'robot', 'key, jwt of an issuer that is down' => 'robot' },
    jwt => { key => 401, jwt => 'jane', both => 'robot', 'key, jwt of an issuer that is down' => 401 },
    user => { key => 'robot', jwt => 'jane', both => 'robot' },
    issuer => { key => 401, jwt => 'jane', both => 'robot' },
    'other-issuer' => { key => 401, jwt => 403, both => 403 },
    scope => { key => 'robot', jwt => 403, both => 'robot' },
    scopes => { key => 403, jwt => 403, both => 'robot' },
    'key-scope' => { key => 403, jwt => 401, both => 403 }, # its own scopes, not the token's
    'jwt-scope' => { key => 401, jwt => 403, both => 403 },
    claim => { key => qr/^40[13]$/, jwt => 403, both => 403 },
    data => { key => 'robot', jwt => 403, both => 'robot' },
    'banned-scope' => { key => 'robot', jwt => 401, both => 'robot' }, # what is banned is not what lacks
    'not-key' => { key => 403, jwt => 'jane', both => 403 },
    neither => { key => 403, jwt => 403, both => 403 },
    nested => { key => 403, jwt => 401, both => 403 },
    turned => { key => 'robot', jwt => 'jane', both => 'jane' },
    'keys-only' => { key => 'robot', jwt => 401, both => 'robot', 'bad jwt' => 401, 'key, bad jwt' => 'robot', 'jwt, bad key' => 401,
                     'jwt of an issuer that is down' => 401 },
    # rr-me itself has nothing to say to nobody
    optional => { key => 'robot', jwt => 'jane', both => 'robot' },
    permissive => { key => 'robot', jwt => 'jane', both => 'robot' },
);
my @cases;
for my $route (sort keys %table) {
    my %row = (%else, %{ $table{$route} });
    for my $who (sort keys %row) {
        my $want = $row{$who};
        my $in = !ref $want && $want =~ /\D/;
        push(@cases, ["$route: $who", { path => "/$route", headers => $present{$who} },
            $in ? { status => 200, json => { message => 'Authenticated', sub => $want, dataByMethod => $who eq 'both' && $route ne 'keys-only' ? sub { ref $_[0] } : undef } }
                : { status => $want, absent => ['Authenticated'], headers => {
                        $want eq 403 ? () : ('WWW-Authenticate' => $want eq 503 ? undef : qr/^Bearer realm=/), 'Retry-After' => $want eq 503 ? qr/^\d+$/ : undef } }]);
    }
}
cases($httpd, @cases);

my $gold = token(tier => 'gold', scope => 'read write');
cases($httpd,
    ['nested: the second way', { path => '/nested', headers => { Authorization => "Bearer $gold" } }, { status => 200, json => { sub => 'jane' } }],
    ['claim: it has it', { path => '/claim', headers => { Authorization => "Bearer $gold" } }, { status => 200 }],
    ['the first speaks, both are there', { path => '/both', headers => $present{both} },
     { status => 200, json => { sub => 'robot', 'data.tier' => 'gold', 'dataByMethod.key.tier' => 'gold', 'dataByMethod.jwt.tier' => 'tin' } }],
    ['one challenge for one scheme, though two are asked', { path => '/either' }, { status => 401, headers => { 'WWW-Authenticate' => [qr/^Bearer realm="[^"]*"$/] } }],
    ['the scopes that lack', { path => '/scopes', headers => $present{key} }, { status => 403, headers => { 'WWW-Authenticate' => [qr/error="insufficient_scope", scope="write"/] } }],
    ['never what is expected of a claim', { path => '/claim', headers => $present{jwt} }, { status => 403, absent => ['gold', '^'] }],
    ['never whom an issuer is called', { path => '/other-issuer', headers => $present{jwt} }, { status => 403, absent => [$down] }],

    # ---- whose is it: the shape decides, and only in Authorization ----
    ['a key as Bearer', { path => '/either', headers => { Authorization => "Bearer $key" } }, { status => 200, json => { sub => 'robot' } }],
    ['a raw token', { path => '/either', headers => { Authorization => $jwt } }, { status => qr/^(200|401)$/ }],
    ['a token in X-API-Key', { path => '/either', headers => { 'X-API-Key' => $jwt } }, { status => 401 }],
    ['two tokens', { path => '/either', headers => ['Authorization', "Bearer $jwt", 'Authorization', "Bearer $gold"] }, { status => 401 }],
    ['two keys beside a token', { path => '/either', headers => { Authorization => "Bearer $key", 'X-API-Key' => $other } }, { status => 401 }],
    ['alg none', { path => '/either', headers => { Authorization => 'Bearer ' . compact({ alg => 'none' }, { iss => $idp->issuer, aud => 'api', sub => 'jane', exp => time() + 99 }, '') } }, { status => 401 }],
    ['dots, but no token', { path => '/either', headers => { Authorization => 'Bearer a.b.c' } }, { status => 401, json => { detail => qr/API key/ } }],
    ['JSON without alg is no token', { path => '/either', headers => { Authorization => 'Bearer ' . compact({ typ => 'JWT' }, {}, 'x') } }, { status => 401, json => { detail => qr/API key/ } }],
    ['five segments', { path => '/either', headers => { Authorization => 'Bearer ' . join('.', map { encode_base64url($_) } '{"alg":"RSA-OAEP","enc":"A128GCM"}', 1, 2, 3, 4) } }, { status => 401 }],
);

allow_log('AH01630', 'AH01631', qr/RR103\d\d/);
finish();
