# SPDX-License-Identifier: Apache-2.0
#
# A rush on PostgreSQL at RRStoreMaxAge 0: a thousand requests at one moment, at a server that has just started, at one
# that is warm, and after a change. None is refused, few questions are asked. A key that is revoked beside such a load
# is refused from the very next request on.

use strict;
use warnings;

use POSIX ();
use RR::Postgres;
use RR::Test;
use RR::Util qw(run);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my $postgres = RR::Postgres->new(place_for('pg') . '/server');
if (!$postgres) {
    plan(skip_all => 'PostgreSQL is not installed');
}
my ($crowd, $processes, $threads) = (1000, 4, 256);
my $store = $postgres->store;
my $key = $store->key('caller')->{key};
my @others = map { $store->key('caller')->{key} } 1 .. 20;
my $httpd = httpd(modules => [qw(core keyauth rules)], children => POSIX::ceil($crowd / $threads) + 1, threads => $threads, start => 0,
                  conf => $store->conf . <<'CONF');
KeepAliveTimeout 60
MaxKeepAliveRequests 0
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF

# Runs code->(wait, tell) in so many processes, which begin together once all are ready; what each told, in a list.
sub together
{
    my ($count, $code, $meanwhile) = @_;
    my @held;
    for my $n (0 .. $count - 1) {
        pipe(my $wait, my $go) or die "pipe: $!\n";
        pipe(my $told, my $tell) or die "pipe: $!\n";
        my $pid = fork();
        die "fork: $!\n" unless defined $pid;
        if (!$pid) {
            close($_->{go}) for @held;
            close($go);
            my $got = eval { $code->($n, sub { syswrite($tell, "\n"); sysread($wait, my $word, 1) }, $wait) };
            syswrite($tell, json_text($got || { "none: $@" => 1 }) . "\n");
            POSIX::_exit(0);
        }
        close($wait);
        close($tell);
        push(@held, { pid => $pid, go => $go, told => $told });
    }
    for my $held (@held) {
        sysread($held->{told}, my $ready, 1);
    }
    syswrite($_->{go}, '.') for @held;
    $meanwhile->() if $meanwhile;
    close($_->{go}) for @held;
    my @told;
    for my $held (@held) {
        my $told = $held->{told};
        push(@told, json_data(scalar <$told>));
        waitpid($held->{pid}, 0);
    }
    return @told;
}

# A thousand requests, each on a connection of its own that waits for its last byte: how many of each status.
sub rush
{
    my (@keys) = @_;
    my %statuses;
    my @told = together($processes, sub {
        my ($n, $ready) = @_;
        my @clients = map { $httpd->connect(timeout => 60) } 1 .. $crowd / $processes;
        my $i = $n;
        for my $c (@clients) {
            my $bytes = $c->bytes(path => '/me', headers => { 'X-API-Key' => $keys[$i++ % @keys] });
            chop($bytes);
            $c->send($bytes);
        }
        $ready->();
        $_->send("\n") for @clients;
        my %got;
        $got{ eval { $_->response->status } || "none: $@" }++ for @clients;
        return \%got;
    });
    for my $told (@told) {
        $statuses{$_} += $told->{$_} for keys %$told;
    }
    return \%statuses;
}

my $all = { 200 => $crowd };
$httpd->start;
is_deeply(rush($key), $all, 'a rush at a cold server: nobody is refused');
is_deeply(rush($key), $all, 'a rush at a warm server');
is($store->rrctl('key', 'create', 'changed')->{exit}, 0, 'a change');
is_deeply(rush($key), $all, 'a rush after a change');
is_deeply(rush($key, @others), $all, 'a rush with keys of which most were not seen before');
is_deeply(rush('x' x 30, $key), { 200 => $crowd / 2, 401 => $crowd / 2 }, 'a rush with a key that is none');

# ---- revoked beside load ----
# Each process sends one request after the other on as many connections as there are, and notes when each was sent.
sub load
{
    my ($victim, $meanwhile) = @_;
    return together($processes, sub {
        my ($n, $ready, $wait) = @_;
        my @clients = map { { c => $httpd->connect(timeout => 60) } } 1 .. 4;
        my $bytes = $clients[0]{c}->bytes(path => '/me', keep => 1, headers => { 'X-API-Key' => $victim });
        my (@answers, $end);
        $ready->();
        for my $c (@clients) {
            $c->{sent} = clock_gettime(CLOCK_MONOTONIC);
            $c->{c}->send($bytes);
        }
        while (!$end) {
            my $bits = '';
            vec($bits, fileno($wait), 1) = 1;
            $end = select($bits, undef, undef, 0);
            for my $c (@clients) {
                push(@answers, [$c->{sent}, $c->{c}->response->status]);
                next if $end;
                $c->{sent} = clock_gettime(CLOCK_MONOTONIC);
                $c->{c}->send($bytes);
            }
        }
        my %got = (last => 0);
        for my $answer (@answers) {
            my ($sent, $status) = @$answer;
            $got{$status}++;
            $got{last} = $sent if $status == 200 && $sent > $got{last};
            $got{first} = $sent if $status == 401 && !($got{first} && $got{first} < $sent);
        }
        return \%got;
    }, $meanwhile);
}

sub status { return $httpd->request(path => '/me', headers => { 'X-API-Key' => $_[0] })->status }

# Writers take turns, and give up after 250 ms: the load leaves little time to anybody.
sub sure { my ($change) = @_; my $made; wait_for(sub { $made = eval { $change->() } }) or die "no change is made: $@"; return $made }
sub revoke { my ($made) = @_; sure(sub { !$store->rrctl('key', 'revoke', $made->{id})->{exit} }) }

my $victim = $store->key('victim');
my ($begun, $done, @wrong);
my @told = load($victim->{key}, sub {
    for my $n (1 .. 10) {
        my $made = sure(sub { $store->key("made$n") });
        push(@wrong, "key $n is not let in") if status($made->{key}) != 200;
        revoke($made);
        push(@wrong, "key $n is let in after that") if status($made->{key}) != 401;
    }
    $begun = clock_gettime(CLOCK_MONOTONIC);
    revoke($victim);
    $done = clock_gettime(CLOCK_MONOTONIC);
    status($key) for 1 .. 50; # the load goes on
});
is_deeply(\@wrong, [], 'ten keys, each let in once it is made and refused once it is revoked, beside load');
for my $n (0 .. $#told) {
    my $told = $told[$n];
    cmp_ok($told->{200} || 0, '>', 100, "load $n: it was one");
    is_deeply([grep { !/^(200|401|first|last)$/ } sort keys %$told], [], "load $n: nothing but a yes or a no");
    cmp_ok($told->{last}, '<', $done, "load $n: no request that was sent after the key was revoked is let in");
    cmp_ok($told->{first} || 0, '>', $begun, "load $n: control: and none is refused before");
}
allow_log('RR10703');
finish();
