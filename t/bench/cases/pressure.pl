# SPDX-License-Identifier: Apache-2.0
#
# What is no CPU a request: p99 below the limit, floods beside good traffic, many threads, graceful restarts, start-up.

use strict;
use warnings;

use RR::Bench;
use RR::Bench::Store qw(store_of keys_of);
use RR::KeyServer;
use RR::Test ();
use RR::Token;
use RR::Util qw(random_word json_text spew);
use Time::HiRes qw(time sleep);

my $open = "<Location \"/\">\nRequire all granted\nSetHandler rr-nothing\n</Location>\n<Location \"/refused\">\nRequire all denied\n</Location>\n";
my $keyed = "<Location \"/\">\nAuthType RR\nRequire rr-key\nSetHandler rr-nothing\n</Location>\n";
my @key = ('X-API-Key', keys_of(10, 1));

# Servers of a trial: made on the server's CPU, ended whatever happens.
sub with_servers
{
    my ($make, $do) = @_;
    my @servers = map { on_server_cpu($_) } @$make;
    my $result = eval { $do->(@servers) };
    my $why = $@;
    end_load();
    $_->stop for @servers;
    die $why unless $result;
    return $result;
}

sub noted { my ($figures, $name, $value) = @_; push(@{ $figures->{$name} }, $value); return $value }

sub httpd_with_keys { my ($more, %opt) = @_; my ($store) = store_of('sqlite3', 10); return gateway(conf => $store->conf . ($more || '') . $keyed, %opt) }

# Below the limit: so many connections, each of which waits so long on average (ms) before it sends.
my %calm = (path => '/x', headers => \@key, connections => 16, delay => 8);

trial 'latency' => (
    title => '2,000 requests a second on 16 connections, well below the limit: p99 in us',
    figures => [qw(p99_httpd p99_key p99_added p50_added)],
    run => sub {
        my ($opt) = @_;
        return with_servers([sub { stock(conf => $open) }, sub { httpd_with_keys() }], sub {
            my ($httpd, $ours) = @_;
            my %figures;
            probe($ours, \%calm);
            for my $round (1 .. 5 * $opt->{rounds}) {
                my %got = map { $_->[0] => load($_->[1], \%calm, 2 * $opt->{seconds}, $round) }
                    $round % 2 ? (['httpd', $httpd], ['key', $ours]) : (['key', $ours], ['httpd', $httpd]);
                noted(\%figures, "p99_$_", $got{$_}{p99}) for keys %got;
                noted(\%figures, "${_}_added", $got{key}{$_} - $got{httpd}{$_}) for qw(p99 p50);
            }
            return \%figures;
        });
    });

# Good traffic alone and beside 10,000 refused requests a second; httpd's own flood is of its 403. What floods sends four requests
# at once, as who floods would, which leaves the one CPU something to give to the good ones; what sends it gives way to what sends these.
my %flooding = (connections => 48, delay => 16, deep => 4, cycle => 1);
my @floods = qw(wrong_checksum unknown_keys unknown_kids);

# A flood that waits until it is let go, and gives way to what sends good requests.
sub flooding_of
{
    my ($server, $load) = @_;
    my $flood = load_in_background($server, { %$load, %flooding }, 3_600, 1, lenient => 1, nice => 19);
    sleep(1); # until wrk has its list and its connections
    halt($flood->{pid});
    return { %$flood, seconds => 1 };
}

# What is measured while a flood is let go.
sub beside
{
    my ($flood, $do) = @_;
    my $begun = time();
    resume($flood->{pid});
    sleep(0.3);
    my $got = $do->();
    halt($flood->{pid});
    $flood->{seconds} += time() - $begun;
    return $got;
}

# Ends a flood: how many requests a second it was, all of them refused.
sub flooded
{
    my ($flood) = @_;
    resume($flood->{pid});
    sleep(0.1); # what still stands hands the signal to another thread than the one that waits for it
    kill(INT => $flood->{pid});
    my $got = loaded($flood);
    die "$got->{wrong} of $got->{requests} were not refused\n" if $got->{wrong};
    return $got->{requests} / $flood->{seconds};
}

trial 'flood' => (
    title => '10,000 refused requests a second beside 2,000 good ones: p99 of these in us',
    figures => ['p99_httpd', 'p99_httpd_flooded', 'p99_quiet', (map { ("p99_$_", "moved_${_}_percent") } @floods),
                qw(moved_httpd_percent fetches_per_interval), map { "${_}_per_second" } 'httpd', @floods],
    run => sub {
        my ($opt) = @_;
        my $key = RR::Token->key('ES256', kid => 'bench-flood');
        my $issuer = RR::KeyServer->start(dir => RR::Test::place_for('flood'), keys => [$key], tls => 1);
        my $trust = 'RRFetchCAFile ' . $issuer->ca_file . "\nRRJwtIssuer corp " . $issuer->issuer . ' audience=api jwks=' . $issuer->jwks_uri . "\n"
            . "<Location \"/\">\nAuthType RR\n<RequireAny>\nRequire rr-key\nRequire rr-jwt\n</RequireAny>\nSetHandler rr-nothing\n</Location>\n";
        my ($store) = store_of('sqlite3', 10);
        my $begun = time();
        my $many = 40_000;
        my %claims = (iss => $issuer->issuer, aud => 'api', sub => 'x', exp => int($begun) + 86_400);
        my $unsigned = sub { my ($kid) = @_; return RR::Token::compact({ alg => 'ES256', kid => $kid }, \%claims, random_word(64)) };
        my $keys = list_file(map { sprintf('a-key-of-nobody-%08d-%06d', $_, rand 1e6) } 1 .. $many);
        my %floods = (httpd => { path => '/refused', headers => ['X-API-Key', '%s'], list => $keys, status => 403 },
                      unknown_keys => { path => '/x', headers => ['X-API-Key', '%s'], list => $keys, status => 401 },
                      wrong_checksum => { path => '/x', headers => ['X-API-Key', '%s'], status => 401,
                                          list => list_file(map { 'rr_live_' . lc(random_word(38)) } 1 .. $many) },
                      unknown_kids => { path => '/x', headers => ['Authorization', 'Bearer %s'], status => 401,
                                        list => list_file(map { $unsigned->(random_word(12)) } 1 .. $many) });
        my $seconds = 2 * $opt->{seconds};
        my %figures;

        my $result = eval { with_servers([sub { stock(conf => $open, threads => 96) }, sub { gateway(modules => [qw(core keyauth jwt)], threads => 96, conf => $store->conf . $trust) }], sub {
            my ($httpd, $ours) = @_;
            # The key set is there, and was asked for anew, before counting begins.
            probe($ours, $_) for \%calm, { %{ $floods{unknown_kids} }, first => $unsigned->('stray') };
            my $fetched = $issuer->count('/jwks');
            $begun = time();
            my %going = map { $_ => flooding_of($_ eq 'httpd' ? $httpd : $ours, $floods{$_}) } keys %floods;
            for my $round (1 .. 3 * $opt->{rounds}) {
                my $p99 = sub { my ($server) = @_; return load($server, \%calm, $seconds, $round)->{p99} };
                my %p99 = (httpd => $p99->($httpd), quiet => $p99->($ours));
                $p99{$_ eq 'httpd' ? 'httpd_flooded' : $_} = beside($going{$_}, sub { $p99->($_ eq 'httpd' ? $httpd : $ours) }) for keys %going;
                noted(\%figures, "p99_$_", $p99{$_}) for keys %p99;
                noted(\%figures, 'moved_httpd_percent', 100 * ($p99{httpd_flooded} / $p99{httpd} - 1));
                noted(\%figures, "moved_${_}_percent", 100 * ($p99{$_} / $p99{quiet} - 1)) for @floods;
            }
            noted(\%figures, "${_}_per_second", flooded($going{$_})) for keys %going;
            my $intervals = 1 + int((time() - $begun) / 30);
            noted(\%figures, 'fetches_per_interval', ($issuer->count('/jwks') - $fetched) / $intervals);
            return \%figures;
        }) };
        my $why = $@;
        $issuer->stop;
        die $why unless $result;
        return $result;
    });

# Where all threads are busy, event closes kept connections, which would count as failed: so 48 connections.
my $crowd = { path => '/x', headers => \@key, connections => 48, busy => { connections => 48 } };

group 'threads' => (
    title => '64 threads and 48 busy connections on both CPUs, the load beside them', cpus => '0,1',
    subjects => [
        { name => 'httpd', title => 'httpd, nothing asked', kind => 'floor', make => sub { return { server => stock(conf => $open, threads => 64), load => $crowd } } },
        { name => 'key', title => 'mod_rr, a key', make => sub { return { server => httpd_with_keys('', threads => 64), load => $crowd } } },
    ]);

# Three new generations under load: connections of one request each, and kept ones, which httpd may close as a request comes.
# A new child needs a slot beside the old one: at a limit of one, httpd itself starts it a second or two later, and wrk counts
# what waited for two seconds as failed.
trial 'graceful' => (
    title => 'requests that failed while httpd restarted gracefully three times',
    figures => [qw(failed failed_httpd failed_kept failed_kept_httpd requests)],
    run => sub {
        my ($opt) = @_;
        return with_servers([sub { stock(conf => "ServerLimit 4\n$open") }, sub { httpd_with_keys("ServerLimit 4\n") }], sub {
            my ($httpd, $ours) = @_;
            my %figures;
            for my $kept (0, 1) {
                for my $side (['_httpd', $httpd], ['', $ours]) {
                    my ($name, $server) = @$side;
                    my @headers = (@key, $kept ? () : ('Connection', 'close'));
                    my $going = load_in_background($server, { path => '/x', headers => \@headers, connections => 16, delay => 8 }, 8, 1, lenient => 1);
                    my $alive = eval { $server->graceful for 1 .. 3; 1 };
                    my $why = $@;
                    my $got = loaded($going);
                    die $why unless $alive;
                    noted(\%figures, ($kept ? 'failed_kept' : 'failed') . $name, $got->{wrong} + $got->{broken});
                    noted(\%figures, 'requests', $got->{requests});
                }
            }
            return \%figures;
        });
    });

trial 'startup' => (
    title => '100,000 keys and 10,000 rules: httpd up in s, the first answer in ms, CPU of the child until then in ms, its memory in KB',
    figures => [qw(up up_httpd first_answer first_answer_httpd child_cpu child_cpu_httpd memory memory_httpd)],
    run => sub {
        my ($opt) = @_;
        my ($store, $key) = store_of('sqlite3', 100_000);
        my $rules = spew(RR::Test::place_for('rules') . '/rules.json',
                         json_text([map { { effect => 'allow', pathPattern => "^/res$_/" } } 0 .. 9_999]), 0644);
        my %figures;
        for my $round (1 .. 3) {
            for my $side (['_httpd', sub { stock(conf => $open) }],
                          ['', sub { gateway(modules => [qw(core keyauth rules)], conf => $store->conf . $keyed . "<Location \"/r\">\nRRRules $rules\n</Location>\n") }]) {
                my ($name, $make) = @$side;
                my $begun = time();
                with_servers([$make], sub {
                    my ($server) = @_;
                    noted(\%figures, "up$name", time() - $begun);
                    $begun = time();
                    probe($server, { path => '/r/res5/a', headers => ['X-API-Key', $key] });
                    noted(\%figures, "first_answer$name", 1000 * (time() - $begun));
                    noted(\%figures, "child_cpu$name", cpu_time($server->children) / 1000);
                    noted(\%figures, "memory$name", memory($server->children));
                });
            }
        }
        return \%figures;
    });
