#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# soak.pl [REQUESTS=200000]: memory of httpd's children before and after many mixed requests.
#
#   perl -It/lib t/bench/soak.pl
#
# Keys, tokens, both, none, garbage, forged and expired tokens, redirects, proxied: the same mix in every round,
# over kept-alive connections (ab, package apache2-utils). Prints the children's resident memory after each tenth.

use strict;
use warnings;

use RR::Test;
use RR::Upstream;
use RR::Util qw(run slurp);

my $total = $ARGV[0] || 200_000;
my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $store = store();
my $key = $store->key('soak', '--scope', 'a', '--metadata', '{"userId":"12345","org":{"id":"x"}}')->{key};
my $dir = place_for('keys');
my $made = rrctl('jwt', 'keygen', '--alg', 'ES256', '--kid', 'k1', '--out', "$dir/key.jwk", '--public-out', "$dir/jwks.json");
die $made->{err} if $made->{exit};
my $mint = sub {
    my $got = rrctl('jwt', 'mint', '--key', "$dir/key.jwk", '--iss', 'https://id.example.com/', '--aud', 'soak', '--sub', 'u', @_);
    die $got->{err} if $got->{exit};
    chomp(my $token = $got->{out});
    return $token;
};
my $good = $mint->('--ttl', '1d');
my $expired = $mint->('--ttl', '1s', '--iat', '1000000000');
(my $forged = $good) =~ s/.{8}$/AAAAAAAA/;

my $httpd = httpd(modules => [qw(core keyauth jwt)], loglevel => 'warn', children => 2, threads => 16, conf => $store->conf . <<"CONF");
RRJwtIssuer corp https://id.example.com/ audience=soak jwks=file:$dir/jwks.json
RRAuditLog logs/audit.log
MaxKeepAliveRequests 0
<Location "/me">
    AuthType RR
    <RequireAny>
        Require rr-key
        Require rr-jwt
    </RequireAny>
    RRIdentityHeader X-User-Id
    RRClaimHeader X-Org org.id
    SetHandler rr-me
</Location>
<Location "/echo">
    AuthType RR
    Require valid-user
    RRIdentityHeader X-User-Id
    ProxyPass "${\ $upstream->url}/"
</Location>
<Location "/scoped">
    AuthType RR
    Require rr-scope b
</Location>
CONF

my @mix = (
    ['key', '/me', "X-API-Key: $key"],
    ['token', '/me', "Authorization: Bearer $good"],
    ['both', '/me', "X-API-Key: $key", "Authorization: Bearer $good"],
    ['none', '/me'],
    ['garbage', '/me', 'Authorization: Bearer zzzzzzzzzzzzzzzzzzzzz'],
    ['forged', '/me', "Authorization: Bearer $forged"],
    ['expired', '/me', "Authorization: Bearer $expired"],
    ['lacking a scope', '/scoped', "X-API-Key: $key"],
    ['proxied', '/echo/a?b=c', "X-API-Key: $key", 'X-User-Id: me'],
);

sub resident
{
    my $kb = 0;
    for my $pid ($httpd->children) {
        $kb += $1 if slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    }
    return $kb;
}

sub round
{
    my ($count) = @_;
    for my $case (@mix) {
        my ($name, $path, @headers) = @$case;
        my $got = run('ab', '-q', '-k', '-c', 16, '-n', $count, (map { ('-H', $_) } @headers), $httpd->url($path));
        die "$name: $got->{out}$got->{err}" if $got->{exit} || $got->{out} !~ /Complete requests:\s+$count\b/;
    }
}

my $rounds = 10;
my $each = int($total / $rounds / @mix);
round(int($each / 2) || 1); # the caches of allocator and children fill once
printf "%7d requests  %7d kB\n", 0, resident();
for my $i (1 .. $rounds) {
    round($each);
    printf "%7d requests  %7d kB\n", $i * $each * @mix, resident();
}
$httpd->stop;
