#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# proxy.pl: CPU of the gateway for one request: plain ProxyPass, and a stored proxy with its credential.
#
#   perl -It/lib t/bench/proxy.pl [SECONDS=4]
#
# The backend is an httpd with a small file. wrk sends on kept connections; the children's CPU time from /proc
# is divided by the requests they served. Each way is measured three times in turn; the medians are printed.

use strict;
use warnings;

use RR::Inject;
use RR::Test;
use RR::Util qw(run);

my $seconds = $ARGV[0] || 4;
my $store = store();
my $caller = $store->key('caller');

my $backend = httpd(conf => "KeepAlive On\nMaxKeepAliveRequests 0\n", loglevel => 'warn', children => 1, threads => 32);
$backend->file('htdocs/x.json', '{"a":1}');
my %vendor = (credentialAuthType => 'key', credentialSecret => { key => 'vendor-key-' . 'v' x 20 });
my $url = $backend->url;
stored_proxy($store, 'vendor', $url, caller => $caller, secret => { %vendor });
stored_proxy($store, 'telling', $url, caller => $caller, secret => { %vendor },
             proxyIdentityHeaders => { 'X-User-Id' => 'sub' });

my $gateway = httpd(modules => [qw(core keyauth inject)], loglevel => 'warn', children => 1, threads => 32,
                    vars => { BACKEND => $url }, conf => $store->conf . <<'CONF');
MaxKeepAliveRequests 0
CustomLog /dev/null rr
RRTargetAllow loopback
<Location "/plain">
    ProxyPass "@BACKEND@"
</Location>
<Location "/key">
    AuthType RR
    Require rr-key
    ProxyPass "@BACKEND@"
</Location>
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF

sub cpu
{
    my $ticks = 0;
    for my $pid ($gateway->children) {
        my @stat = split(' ', slurp("/proc/$pid/stat") =~ s/^.*\) //r);
        $ticks += $stat[11] + $stat[12];
    }
    return $ticks * 10_000; # microseconds, at 100 Hz
}

sub measure
{
    my ($path) = @_;
    my $before = cpu();
    my $got = run('wrk', '-t1', '-c8', "-d${seconds}s", '-H', "X-API-Key: $caller->{key}", $gateway->url($path));
    my ($requests) = $got->{out} =~ /(\d+) requests in/ or die $got->{err} . $got->{out};
    die "not every answer was good:\n$got->{out}" if $got->{out} =~ /Non-2xx/;
    return [(cpu() - $before) / $requests, $requests / $seconds];
}

my @ways = (['ProxyPass', '/plain/x.json'], ['ProxyPass and a key', '/key/x.json'],
            ['stored proxy', '/gw/vendor/x.json'], ['stored proxy, identity', '/gw/telling/x.json']);
my %measured;
for my $round (1 .. 3) {
    push(@{ $measured{ $_->[0] } }, measure($_->[1])) for @ways;
}
for my $way (@ways) {
    my @sorted = sort { $a->[0] <=> $b->[0] } @{ $measured{ $way->[0] } };
    printf "%-24s %6.1f us CPU a request, %6.0f requests/s\n", $way->[0], @{ $sorted[1] };
}
$_->stop for $gateway, $backend;
