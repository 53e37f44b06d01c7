# SPDX-License-Identifier: Apache-2.0
#
# Tokens seen before are not verified again, and are refused all the same where a new one would be.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use MIME::Base64 qw(encode_base64url);
use RR::Admin;
use RR::KeyServer;
use RR::Test;
use RR::Token;
use RR::Util qw(random_word wait_for);

my ($key, $next) = map { RR::Token->key('ES256', kid => "key-$_") } 1 .. 2;
my $issuer = RR::KeyServer->start(dir => place_for('issuer'), keys => [$key]);
my ($iss, $uri) = ($issuer->issuer, $issuer->jwks_uri);
my $store = store();
my $operator = $store->key('operator', '--scope', 'rr:admin')->{key};

# Virtual hosts whose lines name the same issuer and the same key set: one set for all, and a policy each.
my @policies = (
    ['api', 'audience=api'],
    ['other', 'audience=other'],
    ['any', 'audience=any'],
    ['rsa', 'audience=any algorithms=RS256'],
    ['brief', 'audience=any max-lifetime=1mi'],
    ['mail', 'audience=any sub-claim=email'],
    ['strict', 'audience=any leeway=0'],
    ['scoped', 'audience=any scope-claim=permissions'],
);
my $me = <<'CONF';
Header always set X-Who "%{RR_SUB}e|%{RR_SCOPE}e"
<Location "/me">
    AuthType RR
    Require rr-jwt
    SetHandler rr-me
</Location>
CONF
sub host { my ($name, $lines) = @_;
           return "<VirtualHost 127.0.0.1:\@PORT\@>\nServerName $name.example\n$lines\n$me</VirtualHost>\n" }

# One child: what it has seen, it has seen. KeepAlive or not, every request is its own.
my $httpd = httpd(modules => [qw(core keyauth jwt admin)], children => 1, threads => 16, start => 0);
my $file = $httpd->file('keys.json', json_text({ keys => [$key->jwk] }));
my $head = $store->conf . admin_location() . <<'CONF';
RRJwksInterval 1s
<Location "/gw">
    RRTargetAllow loopback
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/far">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF
my $hosts = host('first', '')
    . join('', map { host($_->[0], "RRJwtIssuer it $iss $_->[1] jwks=$uri") } @policies)
    . host('none', "RRJwtIssuer another urn:another audience=any jwks=$uri")
    . host('file', "RRJwtIssuer it $iss audience=any jwks=file:$file");
$httpd->{conf} = $head . $hosts;
$httpd->start;

my $now = time();
sub token { my (%claims) = @_;
            return $key->token({ iss => $iss, aud => 'api', sub => 'alice', iat => $now - 10, exp => $now + 600, %claims }) }
sub ask { my ($name, $host, $token, $status, %expect) = @_;
          return [$name, { path => '/me', headers => { Host => "$host.example", Authorization => "Bearer $token" } },
                  { status => $status, %expect }] }
sub status { my ($host, $token) = @_;
             return $httpd->request(path => '/me', headers => { Host => "$host.example", Authorization => "Bearer $token" })->status }
sub recalled { return scalar(() = $httpd->errorlog =~ /RR10312/g) }

# Runs cases and says how many of them were not verified anew.
sub seen { my ($name, $count, @cases) = @_;
           my $before = recalled();
           cases($httpd, @cases);
           is(recalled() - $before, $count, "$name: $count recalled") }

# ---- the same token, and everything that is nearly the same ----
my $first = token(jti => 'first', scope => 'a b', permissions => ['c']);
seen('a first time', 0, ask('never seen', 'api', $first, 200, json => { sub => 'alice', 'data.jti' => 'first', 'data.permissions.0' => 'c' }));
seen('a second time', 1, ask('seen', 'api', $first, 200, json => { sub => 'alice', 'data.jti' => 'first', 'data.permissions.0' => 'c' },
                             headers => { 'X-Who' => 'alice|a b' }));
my ($header, $payload, $signature) = split(/\./, $first);
sub changed { my ($text, $at) = @_; substr($text, $at, 1) = substr($text, $at, 1) eq 'A' ? 'B' : 'A'; return $text }
my (undef, $other_payload) = split(/\./, token(sub => 'eve', jti => 'first'));
seen('what is not it', 0,
    ask('another signature', 'api', join('.', $header, $payload, changed($signature, 40)), 401, json => { detail => qr/signature/ }),
    ask('the last bits of it', 'api', join('.', $header, $payload, changed($signature, -1)), 401),
    ask('none', 'api', "$header.$payload.", 401),
    ask('another payload', 'api', join('.', $header, $other_payload, $signature), 401, json => { detail => qr/signature/ }),
    ask('another header', 'api', join('.', encode_base64url('{"alg":"ES256","kid":"key-1" }'), $payload, $signature), 401),
    ask('alg none', 'api', join('.', encode_base64url('{"alg":"none"}'), $payload, ''), 401),
    ask('a segment more', 'api', "$first.x", 401),
    ask('a character more', 'api', $first . 'A', 401),
    ask('padded', 'api', "$first=", 401),
);
seen('it', 1, ask('the token itself', 'api', $first, 200));
seen('a forged one', 0, map { ask("again, $_", 'api', join('.', $header, $payload, changed($signature, 40)), 401) } 1 .. 3);

# ---- other policies for the same issuer and keys ----
seen('where its policy is met', 4,
    ask('any audience', 'any', $first, 200), ask('no leeway', 'strict', $first, 200),
    ask('other scopes', 'scoped', $first, 200, headers => { 'X-Who' => 'alice|c' }), ask('and the first', 'api', $first, 200));
seen('where it is not', 0,
    ask('another audience', 'other', $first, 401, json => { detail => qr/\baud\b/ }),
    ask('another algorithm', 'rsa', $first, 401, json => { detail => qr/\balg\b/ }),
    ask('too long a life', 'brief', $first, 401, json => { detail => qr/\bexp\b/ }),
    ask('no such subject', 'mail', $first, 401, json => { detail => qr/sub/ }),
    ask('an issuer unknown there', 'none', $first, 401, json => { detail => qr/\biss\b/ }),
    ask('no issuer at all', 'first', $first, 401),
    ask('the same keys of a file', 'file', $first, 200),
);
seen('the file', 1, ask('seen there', 'file', $first, 200));
my $mailed = token(email => 'al@example.com');
cases($httpd, ask('a subject of one policy', 'mail', $mailed, 200, json => { sub => 'al@example.com' }));
seen('of another', 1, ask('is not the other\'s', 'any', $mailed, 200, json => { sub => 'alice' }));

# ---- time ----
my $end = time() + 3;
my $brief = token(exp => $end);
seen('soon over', 1, ask('once', 'strict', $brief, 200), ask('twice', 'strict', $brief, 200));
ok(wait_for(sub { status('strict', $brief) == 401 }, 10), 'over');
ok(time() >= $end, 'not before its time');
cases($httpd, ask('within the leeway of another policy', 'any', $brief, 200), ask('without one', 'strict', $brief, 401, json => { detail => qr/expired/ }));

# ---- revoked: the very next request ----
my $rows = 0;
sub revoke
{
    my (%row) = @_;
    %row = (id => 'test' . ++$rows, client => 'default', issuer => $iss, issued_before => 0, created => 1, expires => 0, %row);
    $store->sql('INSERT INTO rr_revocation (' . join(', ', sort keys %row) . ') VALUES (' . join(', ', map { "'$row{$_}'" } sort keys %row) . ')');
}
for my $case (['jti', { jti => 'j1', sub => 'u1' }, sub { jti => 'j1' }],
              ['sub and time', { sub => 'u2' }, sub { sub => 'u2', issued_before => ($now - 5) . '000000' }],
              ['digest', { sub => 'u3' }, sub { issuer => '', digest => sha256_hex($_[0] =~ s/\.[^.]*$//r) }]) {
    my ($name, $claims, $row) = @$case;
    my ($token, $bystander) = (token(%$claims), token(%$claims, jti => "other $name", $name eq 'sub and time' ? (iat => $now) : ()));
    seen("before, by $name", 2, map { (ask("it, $_", 'api', $token, 200), ask("another, $_", 'api', $bystander, 200)) } 1 .. 2);
    revoke($row->($token));
    seen("revoked by $name", 1, ask("the very next request", 'api', $token, 401, json => { detail => qr/revoked/ }));
    seen("the other, by $name", 2, ask("not revoked by $name", 'api', $bystander, 200), ask("revoked by $name, again", 'any', $token, 401));
    $store->sql("DELETE FROM rr_revocation WHERE id = 'test$rows'");
    cases($httpd, ask("taken back, $name", 'api', $token, 200));
}

# ---- credentials of the store ----
my $admin = RR::Admin->new($httpd, $operator);
my $secret = secret('shared-' . random_word(40));
my $hs = RR::Token->key('HS256', secret => $secret, kid => undef);
my $target = $admin->make('targets', { targetName => 'echo', targetBaseURL => 'https://backend.example/' })->{id};
sub verifier { my ($name, $secret, %more) = @_;
               return { credentialType => 'proxy', credentialAuthType => 'jwtVerify', credentialName => $name, credentialSecret => $secret, %more } }
sub set { return { jwksUri => $uri, issuer => $iss, audience => 'api', @_ } }
my %id;
for my $case (['api', set()], ['other', set(audience => 'other')], ['hs', { secret => $secret, issuer => 'urn:hs', audience => 'api' }],
              ['hs2', { secret => random_word(40), issuer => 'urn:hs', audience => 'api' }]) {
    my ($name, $with) = @$case;
    $id{$name} = $admin->make('credentials', verifier($name, $with))->{id};
    $admin->make('proxies', { proxyName => $name, proxyAlias => $name, proxyTargetId => $target, proxyProxyCredentialIds => [$id{$name}],
                              proxyDefaultRuleEffect => 'allow' });
}
sub through { my ($name, $proxy, $token, $status, $mount) = @_;
              return [$name, { path => ($mount || '/gw') . "/$proxy/x", headers => { Host => 'first.example', Authorization => "Bearer $token" } },
                      { status => $status }] }
sub put { my ($name, $with, %more) = @_; is($admin->call('PUT', "credentials/$id{$name}", verifier($name, $with, %more))->status, 200, "$name is changed") }
my $admitted = 501; # nothing forwards here

my $stored = token(sub => 'stored');
seen('a stored credential', 1, through('once', 'api', $stored, $admitted), through('twice', 'api', $stored, $admitted));
seen('elsewhere', 0, through('another credential, another audience', 'other', $stored, 401),
     through('a section that may not fetch its keys', 'api', $stored, 503, '/far'), through('another issuer', 'hs', $stored, 401));
put('api', set(audience => 'new'));
cases($httpd, through('another audience', 'api', $stored, 401));
put('api', set(jwksUri => $issuer->url('/jwks?again')));
seen('another address', 0, through('is asked', 'api', $stored, $admitted));
put('api', set());
cases($httpd, through('as it was', 'api', $stored, $admitted));
put('api', set(), credentialActive => JSON::PP::false());
cases($httpd, through('not active', 'api', $stored, 401));
put('api', set());
cases($httpd, through('active again', 'api', $stored, $admitted));
put('api', set(issuer => 'urn:elsewhere'));
cases($httpd, through('another issuer now', 'api', $stored, 401));
put('api', set());

my $shared = $hs->token({ iss => 'urn:hs', aud => 'api', sub => 'dave', exp => $now + 600 });
seen('a secret', 1, through('once', 'hs', $shared, $admitted), through('twice', 'hs', $shared, $admitted));
seen('elsewhere', 0, through('another secret for the same issuer', 'hs2', $shared, 401));
seen('and back', 1, through('the first again', 'hs', $shared, $admitted));
put('hs', { secret => random_word(40), issuer => 'urn:hs', audience => 'api' });
cases($httpd, through('another secret now', 'hs', $shared, 401));
put('hs', { secret => $secret, issuer => 'urn:hs', audience => 'api' });
cases($httpd, through('the first secret', 'hs', $shared, $admitted));
# Two credentials of one issuer: one that does not verify lends its name to none that does.
$admin->make('proxies', { proxyName => 'both', proxyAlias => 'both', proxyTargetId => $target,
                          proxyProxyCredentialIds => [$id{hs2}, $id{hs}], proxyDefaultRuleEffect => 'allow' });
seen('tried in order', 1, through('the second credential', 'both', $shared, $admitted));
cases($httpd, through('not the one that was tried before it', 'hs2', $shared, 401));
is($admin->call('DELETE', "credentials/$id{hs}")->status, 200, 'deleted');
cases($httpd, through('deleted', 'hs', $shared, qr/^40[13]$/), through('in both', 'both', $shared, 401));

# ---- other keys ----
sub fetched { my $before = $issuer->count('/jwks');
              return wait_for(sub { status('api', $key->token({ iss => $iss, aud => 'api', sub => 'x' }, header => { kid => random_word(8) }));
                                    $issuer->count('/jwks') > $before }, 20) }
seen('before', 1, ask('the first token, whose keys were last a file', 'api', $first, 200), ask('and now are not', 'api', $first, 200));
$issuer->set_keys($key, $next);
ok(fetched(), 'a key is added');
seen('a new set', 1, ask('is asked once', 'api', $first, 200), ask('and remembered', 'api', $first, 200));
$issuer->set_keys($next);
ok(fetched(), 'a key is taken away');
cases($httpd, ask('its token', 'api', $first, 401, json => { detail => qr/kid/ }), ask('in every policy', 'any', $first, 401),
      ask('keys of a file are as they were', 'file', $first, 200));
$issuer->set_keys($key);
ok(fetched(), 'it is back');
cases($httpd, ask('its token again', 'api', $first, 200));

# ---- a new configuration ----
seen('before', 1, ask('seen', 'api', $first, 200));
$httpd->graceful($head . $hosts);
seen('a graceful restart', 0, ask('remembers nothing', 'api', $first, 200));
$httpd->graceful($head . ($hosts =~ s/audience=api /audience=changed /r));
cases($httpd, ask('a changed line', 'api', $first, 401), ask('an unchanged one', 'any', $first, 200));

# ---- as a token, and as nothing else ----
cases($httpd, ['in a place of keys', { path => '/me', headers => { Host => 'any.example', 'X-API-Key' => $first } }, { status => 401 }],
      ['as the raw value', { path => '/me', headers => { Host => 'any.example', Authorization => $first } }, { status => 401 }]);

allow_log('AH01630', 'AH01631', 'RR10320', 'RR10321');
finish();
