#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# keys.pl [KEYS=100000] [REQUESTS=20000]: what many keys cost: rrctl apply, the database, httpd's children, a lookup.
#
#   perl -It/lib t/bench/keys.pl
#
# A store with 10 keys and one with KEYS, credentials of one key each from one file by one apply. Each has an httpd of
# one child. A key that was seen is one key asked for over and over; keys that were not are others, once each, over
# one connection. Rounds are interleaved, the best of each is printed. CPU is that of the child, httpd's own included.

use strict;
use warnings;

use RR::Test;
use RR::Util qw(run slurp);
use Time::HiRes qw(time);

my ($many, $requests) = ($ARGV[0] || 100_000, $ARGV[1] || 20_000);
my $unseen = 1_000;
my $rounds = 3;
my $conf = <<'CONF';
MaxKeepAliveRequests 0
KeepAliveTimeout 60
CustomLog /dev/null rr
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF

# Microseconds of CPU of the child's threads, and its resident memory in KB.
sub cpu
{
    my ($pid) = @_;
    my $spent = 0;
    $spent += (split(' ', slurp($_)))[0] for glob("/proc/$pid/task/*/schedstat");
    return $spent / 1000;
}

sub resident { my ($pid) = @_; my ($kb) = slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m; return $kb }

my @sides;
for my $count (10, $many) {
    my $store = store("keys$count");
    my $file = place_for() . "/$count.json";
    my $key = sub { sprintf('brought-key-%012d-%d', $_[0] * 7919, $count) };
    spew($file, json_text({ credentials => [map {
        { credentialType => 'proxy', credentialAuthType => 'key', credentialName => "c$_", credentialSecret => { key => $key->($_) } }
    } 1 .. $count] }));
    my $begun = time();
    my $got = $store->rrctl('apply', '-f', $file);
    die "apply: $got->{err}" if $got->{exit};
    printf("%7d keys: rrctl apply %.1f s from a file of %d KB", $count, time() - $begun, (-s $file) / 1024);
    $begun = time();
    $got = $store->rrctl('apply', '--dry-run', '-f', $file);
    printf("; again, nothing to do, %.1f s", time() - $begun) if !$got->{exit};
    printf("; database %d KB\n", (-s $store->path) / 1024);
    $begun = time();
    my $httpd = httpd(modules => [qw(core keyauth)], children => 1, loglevel => 'warn', conf => $store->conf . $conf);
    my $started = time() - $begun;
    my ($child) = $httpd->children;
    my $res = $httpd->request(path => '/me', headers => { 'X-API-Key' => $key->(1) });
    die 'not let in: ' . $res->text if $res->status != 200;
    printf("%7d keys: httpd up after %.2f s, child %d KB\n", $count, $started, resident($child));
    push(@sides, { count => $count, httpd => $httpd, child => $child, key => $key, next => 2, best => {} });
}

for my $round (1 .. $rounds) {
    for my $side (@sides) {
        my $before = cpu($side->{child});
        my $got = run('ab', '-q', '-k', '-c', 4, '-n', $requests, '-H', 'X-API-Key: ' . $side->{key}->(1), $side->{httpd}->url('/me'));
        die "ab: $got->{err}$got->{out}" if $got->{exit} || $got->{out} =~ /Non-2xx|Failed requests:\s+[1-9]/;
        note_best($side, 'seen', (cpu($side->{child}) - $before) / $requests);

        # Not in memory: keys that nobody has, which are looked for all the same, and keys of the store.
        my $client = $side->{httpd}->connect;
        for my $kind (['of nobody', 401, sub { "a-key-of-nobody-$round-$_[0]" }],
                      $side->{count} > $rounds * $unseen ? ['not seen', 200, sub { $side->{key}->($side->{next}++) }] : ()) {
            my ($name, $status, $make) = @$kind;
            $before = cpu($side->{child});
            for my $n (1 .. $unseen) {
                my $res = $client->exchange(path => '/me', keep => 1, headers => { 'X-API-Key' => $make->($n) });
                die "$name: " . $res->text if $res->status != $status;
            }
            note_best($side, $name, (cpu($side->{child}) - $before) / $unseen);
        }
        $client->close;
    }
}
for my $side (@sides) {
    printf("%7d keys: %-10s %7.1f us of CPU a request\n", $side->{count}, $_, $side->{best}{$_}) for sort keys %{ $side->{best} };
    printf("%7d keys: child %d KB afterwards\n", $side->{count}, resident($side->{child}));
    $side->{httpd}->stop;
}

sub note_best
{
    my ($side, $name, $spent) = @_;
    $side->{best}{$name} = $spent if !defined $side->{best}{$name} || $spent < $side->{best}{$name};
}
