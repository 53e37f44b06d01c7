# SPDX-License-Identifier: Apache-2.0
#
# Key sets from a key server that is what key servers are: behind TLS, rotating, slow, wrong, gone.

use strict;
use warnings;

use POSIX ();
use RR::KeyServer;
use RR::Test;
use RR::Token;
use RR::Util qw(random_word wait_for);
use Time::HiRes qw(time);

my ($key, $next) = map { RR::Token->key('ES256', kid => "key-$_") } 1 .. 2;
my $places = 0;

sub issuer { my (%opt) = @_; return RR::KeyServer->start(dir => place_for('issuer' . ++$places), keys => [$key], %opt) }

# An httpd that trusts an issuer by discovery, or as said.
sub gateway
{
    my ($issuer, %opt) = @_;
    my $conf = $opt{conf} || '';
    my $line = $opt{line} || '';
    my $name = $issuer->issuer;

    $conf .= 'RRFetchCAFile ' . $issuer->ca_file . "\n" if $issuer->ca_file && !$opt{no_ca};
    return httpd(modules => [qw(core jwt)], children => 3, threads => 32, conf => <<"CONF", start => 0) if $opt{cold};
$conf
RRJwtIssuer it $name audience=api $line
<Location "/me">
    AuthType RR
    Require rr-jwt
    SetHandler rr-me
</Location>
CONF
    return gateway($issuer, %opt, cold => 1)->start;
}

sub token { my ($issuer, $with, %header) = @_;
            return $with->token({ iss => $issuer->issuer, aud => 'api', sub => 'alice' }, header => \%header) }
sub stray { my ($issuer) = @_; return token($issuer, $key, kid => random_word(12)) }
sub asked { my ($token) = @_; return (path => '/me', headers => { Authorization => "Bearer $token" }) }
sub status { my ($httpd, $token) = @_; return $httpd->request(asked($token))->status }
sub at_once { my ($httpd, $clients, @tokens) = @_; return $httpd->statuses_at_once($clients, map { { asked($_) } } @tokens) }

# ---- TLS ----
{
    my $issuer = issuer(tls => 1);
    my $httpd = gateway($issuer, line => 'jwks=' . $issuer->jwks_uri);
    is(status($httpd, token($issuer, $key)), 200, 'TLS of our own authority');
    is($issuer->count('/jwks'), 1, 'fetched once');
    my ($file) = glob($httpd->dir . '/run/rr-jwks/*.jwks');
    ok($file && ((stat($file))[2] & 0777) == 0600, 'what is kept is for httpd alone');
    ok(((stat($httpd->dir . '/run/rr-jwks'))[2] & 0777) == 0700, 'and so is its directory');

    for my $cert ('expired', 'wrong-name', 'self-signed') {
        my $other = issuer(tls => 1);
        $other->show_cert($cert);
        my $gateway = gateway($other, line => 'jwks=' . $other->jwks_uri);
        is(status($gateway, token($other, $key)), 503, "$cert: refused");
        $other->show_cert('good');
        ok(wait_for(sub { status($gateway, token($other, $key)) == 200 }, 20), "$cert: recovers with a good one");
    }
    my $system = gateway($issuer, line => 'jwks=' . $issuer->jwks_uri, no_ca => 1);
    is(status($system, token($issuer, $key)), 503, "the system's authorities do not vouch for it");
}

# ---- rotation, unknown kids ----
{
    my $issuer = issuer();
    my $httpd = gateway($issuer, line => 'jwks=' . $issuer->jwks_uri);
    my $known = token($issuer, $key);
    is_deeply(at_once($httpd, 8, ($known) x 40), { 200 => 40 }, 'a cold start under load');
    is($issuer->count('/jwks'), 1, 'is one fetch');

    (my $forged = $known) =~ s/\.([^.]*)\z/'.' . reverse($1)/e;
    is_deeply(at_once($httpd, 4, ($forged) x 20), { 401 => 20 }, 'bad signatures are refused');
    is($issuer->count('/jwks'), 1, 'and fetch nothing');

    $issuer->behave('/jwks', slow => 0.5);
    $issuer->set_keys($key, $next);
    my $new = token($issuer, $next);
    is_deeply(at_once($httpd, 12, ($new) x 24), { 200 => 24 }, 'a new key is found by the tokens that need it');
    is($issuer->count('/jwks'), 2, 'with one fetch for all of them');
    $issuer->behave('/jwks');
    is_deeply(at_once($httpd, 8, map { stray($issuer) } 1 .. 100), { 401 => 100 }, 'unknown kids within the interval');
    is($issuer->count('/jwks'), 2, 'fetch nothing more');
}
{
    my $issuer = issuer();
    my $httpd = gateway($issuer);
    is(status($httpd, token($issuer, $key)), 200, 'known');
    is_deeply(at_once($httpd, 8, map { stray($issuer) } 1 .. 200), { 401 => 200 }, '200 random kids over several children');
    is($issuer->count('/jwks'), 2, 'cause one fetch');
    is($issuer->count('/.well-known/openid-configuration'), 1, 'and no second discovery');
}

# ---- floods, by 64 clients at once over several children ----
{
    my $issuer = issuer();
    my $httpd = gateway($issuer, conf => "RRJwksInterval 2s\n", line => 'jwks=' . $issuer->jwks_uri);
    my $known = token($issuer, $key);
    is(status($httpd, $known), 200, 'known');
    my ($front, $signature) = $known =~ /^(.*\.)([^.]*)$/;
    my @forged = map { my $at = 1 + $_ % 80; my $s = $signature; substr($s, $at, 1) = substr($s, $at, 1) eq 'A' ? 'B' : 'A'; $front . $s } 1 .. 400;
    is_deeply(at_once($httpd, 64, @forged), { 401 => 400 }, 'a flood of forged tokens');
    is($issuer->count('/jwks'), 1, 'fetches nothing');

    $issuer->behave('/jwks', slow => 0.3);
    my $start = time();
    my $seen = at_once($httpd, 64, map { $_ % 8 ? stray($issuer) : $known } 0 .. 1599);
    my $intervals = 1 + int((time() - $start) / 2);
    is_deeply($seen, { 200 => 200, 401 => 1400 }, 'a flood of unknown kids, good tokens among them');
    my $fetched = $issuer->count('/jwks') - 1;
    ok($fetched >= 1 && $fetched <= $intervals, "fetches once an interval: $fetched in $intervals");
    is_deeply(at_once($httpd, 64, ($known) x 64), { 200 => 64 }, 'and leaves nobody waiting');
}

# ---- more keys than count ----
{
    my $issuer = issuer(keys => [(map { { %{ $key->jwk }, kid => "many-$_" } } 1 .. 64), $next]);
    my $httpd = gateway($issuer, conf => "RRJwksInterval 1s\n", line => 'jwks=' . $issuer->jwks_uri);
    is(status($httpd, token($issuer, $key, kid => 'many-64')), 200, 'the last key that counts');
    is(status($httpd, token($issuer, $next)), 401, 'the first that does not');
    ok(wait_for(sub { status($httpd, token($issuer, $next)); $issuer->count('/jwks') > 2 }, 20), 'fetched again');
    is(scalar(() = $httpd->errorlog =~ /RR10332.*: 1 keys behind the first 64/g), 1, 'said once');
}

# ---- slow ----
{
    my $issuer = issuer();
    my $httpd = gateway($issuer, conf => "RRJwksInterval 1s\n");
    is(status($httpd, token($issuer, $key)), 200, 'known, before it gets slow');
    $issuer->behave('/jwks', slow => 4);
    my $pid = fork();
    if ($pid == 0) {
        status($httpd, stray($issuer));
        POSIX::_exit(0);
    }
    wait_for(sub { $issuer->count('/jwks') == 2 }, 10);
    my $start = time();
    is_deeply(at_once($httpd, 4, (token($issuer, $key)) x 40), { 200 => 40 }, 'known keys, while a fetch hangs');
    ok(time() - $start < 2, 'do not wait for it');
    $start = time();
    is(status($httpd, stray($issuer)), 401, 'an unknown kid meanwhile');
    ok(time() - $start < 3.5, 'waits a while and no longer');
    waitpid($pid, 0);

    my $hanging = issuer();
    $hanging->behave('*', slow => 20);
    my $gateway = gateway($hanging);
    $start = time();
    is_deeply(at_once($gateway, 8, (token($hanging, $key)) x 8), { 503 => 8 }, 'no keys yet, and the issuer hangs');
    ok(time() - $start < 8, 'is 503 in bounded time');
}

# ---- wrong answers, with and without a known set ----
{
    my $issuer = issuer();
    my $httpd = gateway($issuer, conf => "RRJwksInterval 1s\n", line => 'jwks=' . $issuer->jwks_uri);
    my $known = token($issuer, $key);
    is(status($httpd, $known), 200, 'known, before it answers nonsense');

    for my $case (
        ['garbage', body => 'no JSON at all'], ['an empty set', body => '{"keys":[]}'], ['a list', body => '[]'],
        ['status 500', status => 500], ['status 404', status => 404], ['nothing', close => 1], ['half of it', cut => 1],
        ['more than a megabyte', pad => 1_100_000],
        ['a redirect', status => 302, headers => [['Location', $issuer->url('/elsewhere')]]],
    ) {
        my ($name, %how) = @$case;
        my $before = $issuer->count('/jwks');
        $issuer->behave('/jwks', %how);
        ok(wait_for(sub { status($httpd, stray($issuer)); $issuer->count('/jwks') > $before }, 20), "$name: was fetched");
        is(status($httpd, $known), 200, "$name: the known set stays");

        my $fresh = issuer();
        $fresh->behave('/jwks', %how);
        my $gateway = gateway($fresh, line => 'jwks=' . $fresh->jwks_uri);
        is(status($gateway, token($fresh, $key)), 503, "$name: no set is 503");
        $gateway->stop;
    }
    is($issuer->count('/elsewhere'), 0, 'no redirect was followed');
    $issuer->behave('/jwks');
    $issuer->set_keys($next);
    ok(wait_for(sub { status($httpd, token($issuer, $next)) == 200 }, 20), 'a good answer is taken again');
    is(status($httpd, $known), 401, 'and a key that was taken away is gone');
}

# ---- gone ----
{
    my $issuer = issuer();
    my $known = token($issuer, $key);
    my $httpd = gateway($issuer);
    is(status($httpd, $known), 200, 'known, before the issuer goes');
    $issuer->stop;
    is_deeply(at_once($httpd, 6, ($known) x 30), { 200 => 30 }, 'in every child, with the issuer gone');
    $httpd->graceful;
    is(status($httpd, $known), 200, 'after a graceful restart');
    $httpd->stop;
    $httpd->start;
    is_deeply(at_once($httpd, 6, ($known) x 30), { 200 => 30 }, 'after a stop and a start');

    $httpd->stop;
    my ($file) = glob($httpd->dir . '/run/rr-jwks/*.jwks');
    my $text = slurp($file);
    for my $case (['of another issuer', sub { s/^issuer .*/issuer https:\/\/evil.example/m }],
                  ['of another format', sub { s/^mod_rr key set 1/mod_rr key set 9/ }],
                  ['from the future', sub { s/^fetched \d+/fetched 9000000000000000/m }],
                  ['that is cut off', sub { $_ = substr($_, 0, -20) }],
                  ['that is empty', sub { $_ = '' }]) {
        my ($name, $change) = @$case;
        local $_ = $text;
        $change->();
        spew($file, $_);
        $httpd->start;
        is(status($httpd, $known), 503, "a kept set $name is not used");
        $httpd->stop;
    }
    spew($file, $text);
    $httpd->start;
    is(status($httpd, $known), 200, 'and the right one is');
}
{
    my $issuer = issuer();
    my $httpd = gateway($issuer, conf => "RRJwksMaxStale 4s\n");
    my $known = token($issuer, $key);
    is(status($httpd, $known), 200, 'known');
    ok(wait_for(sub { $issuer->count('/jwks') >= 3 }, 20), 'refreshed in the background before it is too old');
    $issuer->stop;
    is(status($httpd, $known), 200, 'outlives the issuer');
    my $start = time();
    ok(wait_for(sub { status($httpd, $known) == 503 }, 20), 'until RRJwksMaxStale is over');
    ok(time() - $start < 8, 'not longer');
    $issuer->resume;
    ok(wait_for(sub { status($httpd, $known) == 200 }, 20), 'and recovers by itself');
}
{
    my $issuer = issuer();
    $issuer->stop;
    my $httpd = gateway($issuer);
    is(status($httpd, token($issuer, $key)), 503, 'an issuer that starts later');
    $issuer->resume;
    ok(wait_for(sub { status($httpd, token($issuer, $key)) == 200 }, 30), 'is found when it is there');
}

# ---- a claimant that dies ----
{
    my $issuer = issuer();
    $issuer->behave('/jwks', slow => 4);
    my $httpd = gateway($issuer);
    wait_for(sub { $issuer->count('/jwks') }, 10);
    kill('KILL', $_) for $httpd->children;
    $issuer->behave('/jwks');
    ok(wait_for(sub { eval { status($httpd, token($issuer, $key)) == 200 } }, 30), 'blocks nobody for long');
}

# ---- discovery ----
for my $case (
    ['OpenID Connect', {}, { '/.well-known/oauth-authorization-server' => [status => 404] }, 200],
    ['RFC 8414', {}, { '/.well-known/openid-configuration' => [status => 404] }, 200],
    ['OpenID Connect, with a path', { path => '/tenant/a' },
     { '/.well-known/oauth-authorization-server/tenant/a' => [status => 404] }, 200],
    ['RFC 8414, with a path', { path => '/tenant/a' }, { '/tenant/a/.well-known/openid-configuration' => [status => 404] }, 200],
    ['RFC 8414, with a path that ends in a slash', { path => '/tenant/' },
     { '/tenant/.well-known/openid-configuration' => [body => 'nonsense'] }, 200],
    ['neither', {}, { '/.well-known/oauth-authorization-server' => [status => 404], '/.well-known/openid-configuration' => [status => 404] }, 503],
    ['a document of another issuer', {}, {}, 503, issuer => 'https://evil.example/'],
    ['a document with one slash more', {}, {}, 503, slash => 1],
    ['a document without issuer', {}, {}, 503, issuer => undef],
    ['a document without jwks_uri', {}, {}, 503, jwks_uri => undef],
    ['a jwks_uri in clear elsewhere', {}, {}, 503, jwks_uri => 'http://192.0.2.1/jwks'],
    ['a jwks_uri that is a file', {}, {}, 503, jwks_uri => 'file:///etc/passwd'],
    ['a discovery that redirects', {}, { '/.well-known/openid-configuration' => [status => 302, headers => [['Location', '/x']]],
      '/.well-known/oauth-authorization-server' => [status => 404] }, 503],
) {
    my ($name, $opt, $behave, $status, %discovery) = @$case;
    my $issuer = issuer(%$opt);
    %discovery = (issuer => $issuer->issuer . '/') if $discovery{slash};
    $issuer->behave($_, @{ $behave->{$_} }) for sort keys %$behave;
    $issuer->discovery(%discovery) if %discovery;
    my $httpd = gateway($issuer);
    is(status($httpd, token($issuer, $key)), $status, "discovery: $name");
    is($issuer->count('/jwks'), $status == 200 ? 1 : 0, "discovery: $name: the set was " . ($status == 200 ? '' : 'not ') . 'asked for');
    $httpd->stop;
}

expect_log('RR10332', 'RR10320', 'RR10321', 'RR10324');
allow_log('RR10326', 'RR10327', 'AH10392', 'AH03092', qr/AH00045|AH00046|AH00161|AH00484/);
finish();
