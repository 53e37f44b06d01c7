# SPDX-License-Identifier: Apache-2.0
#
# RR::Bench::Store: stores with few or many keys, made once a run and used by every group that asks.

package RR::Bench::Store;

use strict;
use warnings;

use Exporter qw(import);
use File::Temp qw(tempdir);
use RR::Bench;
use RR::Postgres;
use RR::Test ();
use RR::Util qw(spew json_text);

our @EXPORT_OK = qw(store_of keys_of empty_store postgres);

my (%stores, $postgres);

# The N-th key of a store with so many.
sub keys_of { my ($count, $n) = @_; return sprintf('brought-key-%012d-%d', $n * 7919, $count) }

# A PostgreSQL server of our own.
sub postgres
{
    $postgres ||= RR::Postgres->new(RR::Test::place_for() . '/postgres') or absent('package postgresql is not here');
    return $postgres;
}

# (store, a key of it)
sub store_of
{
    my ($driver, $count) = @_;
    my $store = $stores{"$driver-$count"} ||= filled($driver, $count);
    return ($store, keys_of($count, 1));
}

# One in sqlite3, as deep as /var/lib/mod_rr: a look at a database finds it by its path.
sub empty_store { return RR::Test::store(undef, tempdir('/var/tmp/mod_rr.XXXXXX', CLEANUP => 1)) }

sub filled
{
    my ($driver, $count) = @_;
    my $store = $driver eq 'pgsql' ? postgres()->store : empty_store();
    my $file = RR::Test::place_for('stores') . "/$driver-$count.json";
    my $real = $driver eq 'pgsql' ? 10 : $count;
    spew($file, json_text({ credentials => [map {
        { credentialType => 'proxy', credentialAuthType => 'key', credentialName => "c$_", credentialSecret => { key => keys_of($count, $_) } }
    } 1 .. $real] }));
    my $got = $store->rrctl('apply', '-f', $file);
    die "rrctl apply: $got->{err}" if $got->{exit};
    $store->sql(many_more($count - $real)) if $count > $real;
    return $store;
}

# So many more credentials with keys that nobody has, in PostgreSQL's own words, which take a second where rrctl takes minutes.
sub many_more
{
    my ($count) = @_;
    my $copies = sub { "SELECT (jsonb_populate_record(o, jsonb_build_object($_[1]))).* FROM $_[0] o, generate_series(1, $count) n" };
    return 'SET session_replication_role = replica; INSERT INTO rr_credential '
        . $copies->('rr_credential', "'id', o.id || n, 'name', 'more' || n") . " WHERE o.name = 'c1'; INSERT INTO rr_key "
        . $copies->('rr_key', "'id', o.id || n, 'credential', o.credential || n, 'digest', repeat(md5(n::text), 2)")
        . " WHERE o.credential = (SELECT id FROM rr_credential WHERE name = 'c1'); ANALYZE";
}

1;
