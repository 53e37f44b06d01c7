# SPDX-License-Identifier: Apache-2.0
#
# API keys: few and many, two stores, two ages; good ones, ones that nobody has, ones never asked for before.

use strict;
use warnings;

use RR::Bench;
use RR::Bench::Peer;
use RR::Bench::Store qw(store_of keys_of);

my $few = 10;
my $many = 100_000;
my $route = <<'CONF';
<Location "/">
    AuthType RR
    Require rr-key
    SetHandler rr-nothing
</Location>
CONF

sub keyed
{
    my ($store, $more) = @_;
    return gateway(conf => $store->conf . ($more || '') . $route);
}

sub floor_of_httpd
{
    my (%load) = @_;
    return { name => 'httpd', title => 'httpd, nothing asked', kind => 'floor', make => sub {
        my ($made) = @_;
        return { server => stock(conf => "<Location \"/\">\nRequire all granted\nSetHandler rr-nothing\n</Location>\n"),
                 load => { path => '/x', headers => ['X-API-Key', keys_of($few, 1)], %load } };
    } };
}

# One of the group key: a store, how many keys, RRStoreMaxAge.
sub ours
{
    my ($driver, $count, $age) = @_;
    return {
        name => "$driver-$count-$age", title => "mod_rr, $driver, " . ($count == $few ? '10' : '100,000') . " keys, RRStoreMaxAge $age",
        make => sub {
            my ($store, $key) = store_of($driver, $count);
            return { server => keyed($store, "RRStoreMaxAge $age\n"), load => { path => '/x', headers => ['X-API-Key', $key] } };
        },
    };
}

group 'key' => (
    title => 'API key, asked for over and over',
    subjects => [
        floor_of_httpd(),
        (map { my $driver = $_; map { my $count = $_; map { ours($driver, $count, $_) } qw(0 1s) } $few, $many } qw(sqlite3 pgsql)),
        peer_keys($many),
    ]);

# Each key of a store is asked for once: none has been seen by the child before.
group 'key-unseen' => (
    title => 'API key of 100,000, not asked for before',
    subjects => [
        floor_of_httpd(headers => ['X-API-Key', '%s'], first => keys_of($many, 1),
                       list => sub { my ($round) = @_; return list_file(map { keys_of($many, $_) } round_of($round)) }),
        { name => 'sqlite3', title => 'mod_rr, sqlite3', make => sub {
            my ($store, $key) = store_of('sqlite3', $many);
            return { server => keyed($store), load => { path => '/x', headers => ['X-API-Key', '%s'], first => $key,
                     list => sub { my ($round) = @_; return list_file(map { keys_of($many, $_) } round_of($round)) } } };
        } },
    ]);

sub round_of { my ($round) = @_; my $each = 4_000; return map { 2 + ($round * $each + $_) % ($many - 1) } 0 .. $each - 1 }

# Refusals: of a generated key's shape with a wrong checksum, which is seen without a look into the store, and of a
# brought key's shape, which has to be looked for.
my $nobody = 0;
my %bad = (checksum => sub { 'rr_live_' . join('', map { ('a' .. 'z', 0 .. 9)[rand 36] } 1 .. 38) },
           nobody => sub { sprintf('a-key-of-nobody-%08d-%06d', ++$nobody, rand 1e6) });

sub bad_keys
{
    my ($kind) = @_;
    return { path => '/x', headers => ['X-API-Key', '%s'], first => $bad{$kind}->(), status => 401,
             list => sub { return list_file(map { $bad{$kind}->() } 1 .. 8_000) } };
}

group 'key-refused' => (
    title => 'API key that nobody has, each another',
    subjects => [
        floor_of_httpd(%{ bad_keys('nobody') }, status => 200),
        { name => 'httpd-403', title => 'httpd, Require all denied', make => sub {
            return { server => stock(conf => "<Location \"/\">\nRequire all denied\n</Location>\n"),
                     load => { %{ bad_keys('nobody') }, status => 403 } };
        }, kind => 'peer' },
        (map { my ($kind, $title) = @$_; {
            name => $kind, title => "mod_rr, 100,000 keys, $title", make => sub {
                my ($store) = store_of('sqlite3', $many);
                return { server => keyed($store), load => bad_keys($kind) };
            } } } ['checksum', 'wrong checksum'], ['nobody', 'unknown to the store']),
        peer_keys_refused($many, sub { bad_keys('nobody') }),
    ]);
