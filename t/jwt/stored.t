# SPDX-License-Identifier: Apache-2.0
#
# jwtVerify credentials of stored proxies, made by the management API while the server runs.

use strict;
use warnings;

use RR::Admin;
use RR::KeyServer;
use RR::Test;
use RR::Token;
use RR::Util qw(random_word);
use Time::HiRes qw(time);

my ($key, $next, $corp) = map { RR::Token->key('ES256', kid => "key-$_") } 1 .. 3;
my $shared = RR::Token->key('HS256', secret => secret('shared-' . random_word(40)), kid => undef);
my $short = RR::Token->key('HS256', secret => 'another-' . random_word(40), kid => undef);
my $users = RR::KeyServer->start(dir => place_for('users'), keys => [$key]);
my $people = RR::KeyServer->start(dir => place_for('people'), keys => [$next]);

my $store = store();
my $operator = $store->key('operator', '--scope', 'rr:admin')->{key};
my $robot = $store->key('robot');
my $stranger = $store->key('stranger')->{key};

# What 501 means here: let in. Nothing is forwarded yet; who was let in stands in a header.
my $admitted = qr/^(?:501|502|200)$/;
my $conf = $store->conf . admin_location() . <<'CONF';
Header always set X-Who "%{RR_SUB}e|%{RR_CREDENTIAL}e|%{RR_SCOPE}e"
<Location "/gw">
    RRTargetAllow loopback
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/alike">
    RRTargetAllow loopback
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/bare">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/elsewhere">
    RRTargetAllow link-local http 192.0.2.0/24
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/unlike">
    RRTargetAllow loopback
    AuthType RR
    RRGateway On
    <RequireAll>
        Require rr-proxy
        Require not rr-claim sub ^bob$
        Require not rr-jwt scope people:read
    </RequireAll>
</Location>
<Location "/alice">
    RRTargetAllow loopback
    AuthType RR
    RRGateway On
    Require rr-claim sub ^alice$
</Location>
<Location "/bob">
    RRTargetAllow loopback
    AuthType RR
    RRGateway On
    Require rr-claim sub ^bob$
</Location>
<Location "/reader">
    RRTargetAllow loopback
    AuthType RR
    RRGateway On
    Require rr-jwt scope people:read
</Location>
<Location "/listed">
    RRTargetAllow 127.0.0.0/8
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF

sub gateway
{
    my (%opt) = @_;
    my $httpd = httpd(modules => [qw(core keyauth jwt admin)], children => 3, threads => 16, start => 0, %opt);
    $httpd->{conf} = $conf . ($opt{more} || '');
    return $httpd;
}
my $httpd = gateway();
my $jwks = $httpd->file('corp.json', json_text({ keys => [$corp->jwk] }));
$httpd->{conf} .= "RRJwtIssuer corp urn:corp audience=any jwks=file:$jwks\n";
$httpd->start;

# ---- objects ----
my $admin = RR::Admin->new($httpd, $operator);
sub made { my ($kind, $body) = @_; return $admin->make($kind, $body)->{id} }

sub verifier
{
    my ($name, $secret, %more) = @_;
    return { credentialType => 'proxy', credentialAuthType => 'jwtVerify', credentialName => $name, credentialSecret => $secret, %more };
}
sub jwks { my ($server, %more) = @_; return { jwksUri => $server->jwks_uri, issuer => $server->issuer, audience => 'api', %more } }

my $target = made('targets', { targetName => 'echo', targetBaseURL => 'https://backend.example/' });
my %id = (
    users => made('credentials', verifier('users', jwks($users), credentialScopes => ['users:read'])),
    partner => made('credentials', verifier('partner', jwks($users, audience => ['partner', 'partner2']))),
    hs => made('credentials', verifier('hs', { secret => $shared->{secret}, issuer => 'urn:hs', audience => 'api' })),
    own => made('credentials', verifier('own', jwks($people, header => 'X-User-Auth'), credentialScopes => ['people:read'])),
    off => made('credentials', verifier('off', jwks($users), credentialActive => JSON::PP::false())),
    ended => made('credentials', verifier('ended', jwks($users), credentialExpiresAt => '2001-01-01T00:00:00Z')),
    robot => $robot->{credentialId},
);
my $static = secret($key->token({ iss => $users->issuer, aud => 'nobody', sub => 'static' }), 'static token');
$id{static} = made('credentials', { credentialType => 'proxy', credentialAuthType => 'jwt', credentialName => 'static',
                                    credentialSecret => { token => $static } });

sub proxy
{
    my ($alias, $mode, @of) = @_;
    return made('proxies', { proxyName => $alias, proxyAlias => $alias, proxyTargetId => $target, proxyCredentialMode => $mode,
                             proxyDefaultRuleEffect => 'allow', proxyProxyCredentialIds => [map { $id{$_} } @of] });
}
my %proxy = map { $_->[0] => proxy(@$_) } (
    ['one', 'any', 'users'], ['two', 'any', 'partner', 'users'], ['hs', 'any', 'hs'], ['own', 'any', 'own'],
    ['both', 'all', 'robot', 'own'], ['either', 'any', 'robot', 'own'], ['pair', 'any', 'users', 'own'],
    ['pairs', 'all', 'users', 'own'], ['off', 'any', 'off'], ['ended', 'any', 'ended'], ['part', 'any', 'off', 'users'],
    ['fixed', 'any', 'static', 'users'], ['keys', 'any', 'robot'], ['resting', 'any', 'users', 'robot'], ['gone', 'any', 'users', 'robot'],
);
is($admin->call('PUT', "proxies/$proxy{resting}", { proxyName => 'resting', proxyAlias => 'resting', proxyTargetId => $target,
                                              proxyActive => JSON::PP::false(), proxyProxyCredentialIds => [@id{qw(users robot)}] })->status,
   200, 'a proxy that rests');
is($admin->call('DELETE', "proxies/$proxy{gone}")->status, 200, 'a proxy that is gone');

# ---- tokens ----
sub token
{
    my ($server, $with, %claims) = @_;
    return secret($with->token({ iss => $server->issuer, aud => 'api', sub => 'alice', %claims }), 'token');
}
sub ask
{
    my ($name, $proxy, $token, $status, %more) = @_;
    my $headers = ref $token ? $token : $token ? { Authorization => "Bearer $token" } : {};
    return [$name, { path => "/gw/$proxy/x", headers => $headers }, { status => $status, %more }];
}
sub who { my ($text) = @_; return (headers => { 'X-Who' => $text }) }

my $alice = token($users, $key);
my $bob = token($people, $next, sub => 'bob', scope => 'x rr:admin');
my $employee = secret($corp->token({ iss => 'urn:corp', aud => 'x', sub => 'carol' }), 'token');

cases($httpd,
    ask('no credential', 'one', undef, 401, headers => { 'WWW-Authenticate' => qr/Bearer/ }),
    ask('a token of the proxy', 'one', $alice, $admitted, who('alice|default/users|users:read')),
    ask('another audience', 'one', token($users, $key, aud => 'partner'), 401, json => { detail => qr/aud/ }),
    ask('no audience', 'one', token($users, $key, aud => undef), 401),
    ask('expired', 'one', token($users, $key, exp => time() - 600), 401, json => { detail => qr/expired/ }),
    ask('no subject', 'one', token($users, $key, sub => undef), 401),
    ask('signed by another key', 'one', token($users, RR::Token->key('ES256', kid => 'key-1')), 401),
    ask('of another issuer', 'one', token($people, $next), 401, json => { detail => qr/iss/ }),
    ask('of another issuer, signed by the right key', 'one', token($people, $key), 401),
    ask('a configured issuer\'s', 'one', $employee, 403),
    ask('a key of the store, not the proxy\'s', 'one', { 'X-API-Key' => $stranger }, 403),
    ask('a shared secret where there are public keys', 'one', secret($shared->token({ iss => $users->issuer, aud => 'api', sub => 'eve' })), 401),

    ask('two of one issuer: the first one\'s audience', 'two', token($users, $key, aud => 'partner2'), $admitted, who(qr/default\/partner\|/)),
    ask('the second one\'s', 'two', $alice, $admitted, who(qr/default\/users\|/)),
    ask('neither\'s', 'two', token($users, $key, aud => 'third'), 401),

    ask('a shared secret', 'hs', secret($shared->token({ iss => 'urn:hs', aud => 'api', sub => 'dave' })), $admitted, who('dave|default/hs|')),
    ask('another secret', 'hs', secret($short->token({ iss => 'urn:hs', aud => 'api', sub => 'dave' })), 401),
    ask('a public key where there is a secret', 'hs', secret($key->token({ iss => 'urn:hs', aud => 'api', sub => 'dave' })), 401),

    # ---- a header of its own ----
    ask('its own header', 'own', { 'X-User-Auth' => $bob }, $admitted, who('bob|default/own|people:read x')),
    ask('behind Bearer', 'own', { 'X-User-Auth' => "Bearer $bob" }, $admitted),
    ask('in Authorization', 'own', $bob, $admitted),
    ask('the same in both', 'own', { Authorization => "Bearer $bob", 'X-User-Auth' => $bob }, $admitted),
    ask('two for one credential', 'own', { Authorization => 'Bearer ' . token($people, $next, n => 1), 'X-User-Auth' => $bob }, 401,
        json => { detail => qr/two different tokens/ }),
    ask('twice in its header', 'own', ['X-User-Auth', $bob, 'X-User-Auth', token($people, $next, n => 2)], 401),
    ask('no token in its header', 'own', { 'X-User-Auth' => 'nonsense' }, 401),
    ask('another credential\'s in its header', 'pair', { 'X-User-Auth' => $alice }, 401),
    ask('a header of no credential is not read', 'one', { 'X-User-Auth' => $alice }, 401, json => { detail => 'A credential is required.' }),

    # ---- several credentials ----
    ask('any: the key', 'either', { 'X-API-Key' => $robot->{key} }, $admitted, who(qr/default\/robot\|/)),
    ask('any: the token', 'either', { 'X-User-Auth' => $bob }, $admitted, who(qr/default\/own\|/)),
    ask('any: the key, and a bad token', 'either', { 'X-API-Key' => $robot->{key}, 'X-User-Auth' => 'nonsense' }, 401),
    ask('all: both', 'both', { 'X-API-Key' => $robot->{key}, 'X-User-Auth' => $bob }, $admitted, who(qr/^default\/robot\|.*people:read x$/)),
    ask('all: the key alone', 'both', { 'X-API-Key' => $robot->{key} }, 401),
    ask('all: the token alone', 'both', { 'X-User-Auth' => $bob }, 401),
    ask('all: another\'s key', 'both', { 'X-API-Key' => $stranger, 'X-User-Auth' => $bob }, 403),
    ask('two tokens, each in its place', 'pair', { Authorization => "Bearer $alice", 'X-User-Auth' => $bob }, $admitted,
        who('alice|default/users default/own|users:read people:read x')),
    ask('all: two tokens', 'pairs', { Authorization => "Bearer $alice", 'X-User-Auth' => $bob }, $admitted),
    ask('all: one of two tokens', 'pairs', $alice, 403),
    ask('a configured issuer\'s beside its own header', 'own', { Authorization => "Bearer $employee", 'X-User-Auth' => $bob }, $admitted,
        who(qr/^carol\|/)),
    ask('a token of no issuer beside a good one', 'own', { Authorization => "Bearer $alice", 'X-User-Auth' => $bob }, 401),

    # ---- requirements and two tokens: met by the first, turned round by any ----
    below('unlike', 'not asked for', 'pair', $alice, $admitted),
    below('unlike', 'the second is not wanted', 'pair', { Authorization => "Bearer $alice", 'X-User-Auth' => $bob }, 403),
    below('alice', 'the first says so', 'pair', { Authorization => "Bearer $alice", 'X-User-Auth' => $bob }, $admitted),
    below('bob', 'only the second says so', 'pair', { Authorization => "Bearer $alice", 'X-User-Auth' => $bob }, 403),
    below('bob', 'alone it would do', 'pair', { 'X-User-Auth' => $bob }, $admitted),
    below('reader', 'only the second has the scope', 'pair', { Authorization => "Bearer $alice", 'X-User-Auth' => $bob }, 403),
    below('reader', 'alone it would have it', 'pair', { 'X-User-Auth' => $bob }, $admitted),

    # ---- what does not verify ----
    ask('an inactive credential', 'off', $alice, 401),
    ask('an expired credential', 'ended', $alice, 401),
    ask('an inactive one beside a good one', 'part', $alice, $admitted, who(qr/default\/users\|/)),
    ask('no jwtVerify credential', 'keys', $alice, 401),

    # ---- static ----
    ask('a static token', 'fixed', $static, $admitted, who(qr/default\/static\|/)),
    ask('that token where it is none', 'one', $static, 401),
    ask('a token to verify beside a static one', 'fixed', $alice, $admitted, who(qr/default\/users\|/)),
    ask('one like it', 'fixed', token($users, $key, aud => 'nobody', sub => 'static2'), 401),
);

# ---- no proxy, no difference ----
for my $case (['a key', { 'X-API-Key' => $robot->{key} }, 403], ['a configured issuer\'s token', { Authorization => "Bearer $employee" }, 403],
              ['nothing', {}, 401]) {
    my ($what, $headers, $status) = @$case;
    my @bodies = map { my $res = $httpd->request(path => "/gw/$_/x", headers => $headers); $res->status . ' ' . $res->body } qw(resting gone never);
    is($bodies[0], $bodies[1], "$what: an inactive and a deleted proxy answer alike");
    is($bodies[1], $bodies[2], "$what: and one that never was");
    like($bodies[0], qr/^$status /, "$what: $status");
}
cases($httpd, ask('its token, while it rests', 'resting', $alice, 403));

# ---- one fetch for the server ----
sub at_once
{
    my ($server, $path, @tokens) = @_;
    return $server->statuses_at_once(8, map { { path => $path, headers => { Authorization => "Bearer $_" } } } @tokens);
}
sub strays { my ($server, $count) = @_; return map { $key->token({ iss => $server->issuer, aud => 'api', sub => 'x' }, header => { kid => random_word(12) }) } 1 .. $count }

is_deeply(at_once($httpd, '/gw/one/x', ($alice) x 40), { 501 => 40 }, 'in every child');
my $cold = RR::KeyServer->start(dir => place_for('cold'), keys => [$key]);
$id{cold} = made('credentials', verifier('cold', jwks($cold)));
proxy('cold', 'any', 'cold');
is_deeply(at_once($httpd, '/gw/cold/x', (token($cold, $key)) x 40), { 501 => 40 }, 'a new set under load');
is($cold->count('/jwks'), 1, 'is one fetch');
is_deeply(at_once($httpd, '/gw/cold/x', strays($cold, 200)), { 401 => 200 }, '200 random kids over several children');
is($cold->count('/jwks'), 2, 'cause one fetch');

# ---- where a set may be fetched from is the section's word: another section's copy is no way around ----
sub below { my ($section, @case) = @_; my $case = ask(@case); $case->[1]{path} =~ s{^/gw}{/$section}; return $case }
my $inner = RR::KeyServer->start(dir => place_for('inner'), keys => [$key]);
my $inside = token($inner, $key);
my %refused = ('loopback' => 'https://127.0.0.1:' . RR::Util::free_port() . '/jwks', 'link-local' => 'https://169.254.169.254/jwks',
               'mapped' => 'https://[::ffff:169.254.169.254]/jwks');
for my $name ('inner', sort keys %refused) {
    $id{$name} = made('credentials', verifier($name, $name eq 'inner' ? jwks($inner)
                                                     : { jwksUri => $refused{$name}, issuer => "urn:$name", audience => 'api' }));
    proxy($name, 'any', $name);
}
cases($httpd, map { below($_, "loopback below /$_", 'inner', $inside, 503, headers => { 'Retry-After' => qr/^\d+$/ }) } qw(bare elsewhere));
is($inner->count('/jwks'), 0, 'nobody asked the key server');
cases($httpd, ask('where it is allowed', 'inner', $inside, $admitted), below('alike', 'where the same is allowed', 'inner', $inside, $admitted));
is($inner->count('/jwks'), 1, 'is one fetch');
cases($httpd, below('listed', 'where its range is allowed', 'inner', $inside, $admitted));
is($inner->count('/jwks'), 2, 'is another one');
cases($httpd, map { below($_, "a known set below /$_", 'inner', $inside, 503) } qw(bare elsewhere));
$httpd->stop;
$httpd->start;
cases($httpd, map({ below($_, "a kept set below /$_", 'inner', $inside, 503) } qw(bare elsewhere)),
      ask('and where it is allowed', 'inner', $inside, $admitted));
is($inner->count('/jwks'), 2, 'without a fetch');

my $began = time();
cases($httpd, map { below($_ eq 'loopback' ? 'bare' : 'gw', "$_ by https", $_, token($inner, $key, iss => "urn:$_"), 503) } sort keys %refused);
ok(time() - $began < 2, 'is refused without connecting');
like($httpd->errorlog, qr/RR10321: key set of urn:$_: .* is not allowed: it is a \S+ address \(RRTargetAllow \S+\)/, "as the log says: $_")
    for sort keys %refused;

# ---- changes count at once; what was known is kept over a restart ----
is($admin->call('PUT', "credentials/$id{cold}", verifier('cold', jwks($cold, audience => 'other')))->status, 200, 'another audience');
cases($httpd, ask('the old audience', 'cold', token($cold, $key), 401), ask('the new audience', 'cold', token($cold, $key, aud => 'other'), $admitted));
$cold->stop;
$httpd->stop;
$httpd->start;
cases($httpd, ask('after a restart, with the issuer gone', 'cold', token($cold, $key, aud => 'other'), $admitted));
is($cold->count('/jwks'), 2, 'without a fetch');

# ---- a secret that does not open closes its credential, and nothing else ----
$store->sql("UPDATE rr_credential SET secret = (SELECT replace(secret, substr(secret, -3), 'AAA')) WHERE id = '$id{hs}'");
cases($httpd, ask('a closed credential', 'hs', secret($shared->token({ iss => 'urn:hs', aud => 'api', sub => 'dave' })), 503),
      ask('another one', 'one', $alice, $admitted));

# ---- a store that is away says nothing of issuers ----
rename($store->path, $store->path . '.away') or die "rename: $!\n";
cases($httpd, ask('a token, the store away', 'one', $alice, 503));
rename($store->path . '.away', $store->path) or die "rename: $!\n";
ok(wait_for(sub { $httpd->request(path => '/gw/one/x', headers => { Authorization => "Bearer $alice" })->status == 501 }, 20), 'and back');

# ---- slow issuers hold half of a child's threads at most ----
{
    my $slow = gateway(children => 1, threads => 8, more => "LogLevel rr_jwt:debug\n");
    $slow->start;
    my $hanging = RR::KeyServer->start(dir => place_for('hanging'), keys => [$key]);
    $hanging->behave('*', slow => 4);
    $id{hanging} = made('credentials', verifier('hanging', jwks($hanging)));
    proxy('hanging', 'any', 'hanging');
    my $start = time();
    is_deeply(at_once($slow, '/gw/hanging/x', (token($hanging, $key)) x 8), { 501 => 4, 503 => 4 }, 'half wait, half are answered');
    ok(time() - $start < 8, 'in bounded time');
    like($slow->errorlog, qr/RR10329/, 'as the log says');
    $slow->stop;
}

# ---- refreshed in the background; places are bounded ----
{
    my $other = gateway(children => 2, more => "RRJwksMaxStale 4s\n");
    $httpd->stop;
    $other->start;
    my $before = $users->count('/jwks');
    cases($other, ask('a set that ages', 'one', $alice, $admitted));
    ok(wait_for(sub { $users->count('/jwks') >= $before + 3 }, 20), 'is refreshed without requests');
    $other->stop;

    $httpd->start;
    my @seen;
    for my $n (1 .. 257) {
        my $issuer = "urn:many:$n";
        $admin->call('PUT', "credentials/$id{users}", verifier('users', { jwksUri => $users->jwks_uri, issuer => $issuer, audience => 'api' }));
        push(@seen, $httpd->request(path => '/gw/one/x', headers => { Authorization => 'Bearer ' . $key->token({ iss => $issuer, aud => 'api', sub => 'x' }) })->status);
    }
    is_deeply([@seen[0 .. 255]], [(501) x 256], '256 sets have a place');
    is($seen[256], 503, 'the next one has none');
    $admin->call('PUT', "credentials/$id{users}", verifier('users', { jwksUri => $users->jwks_uri, issuer => 'urn:many:3', audience => 'api' }));
    is($httpd->request(path => '/gw/one/x', headers => { Authorization => 'Bearer ' . $key->token({ iss => 'urn:many:3', aud => 'api', sub => 'x' }) })->status,
       501, 'and the others keep theirs');
}

is($inner->count('/jwks'), 2, 'no refresh went where no section lets it');
expect_log('RR10331');
allow_log('AH01630', 'AH01631', 'RR10320', 'RR10321', qr/RR107\d\d/);
finish();
