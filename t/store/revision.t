# SPDX-License-Identifier: Apache-2.0
#
# The revision on PostgreSQL: another value for each transaction that committed a change, whoever made it; the cost of
# many changes in one transaction grows with their number.

use strict;
use warnings;

use RR::Postgres;
use RR::Test;
use RR::Util qw(slurp spew);

my $postgres = RR::Postgres->new(place_for('pg') . '/server');
if (!$postgres) {
    plan(skip_all => 'PostgreSQL is not installed');
}
my $store = $postgres->store;
my $next = 0;

sub n { return $store->sql('SELECT n FROM rr_store') }
sub add { my $id = 'c' . ++$next; return "INSERT INTO rr_client VALUES ('$id', '$id', 1); " }

sub changes
{
    my ($what, $sql, $changed) = @_;
    my $before = n();

    $store->sql($sql);
    my $after = n();
    $changed ? isnt($after, $before, "$what: another value") : is($after, $before, "$what: the same value");
}

for my $made ('as made', 'as made before, then migrated') {
    if ($made ne 'as made') {
        my $body = 'BEGIN UPDATE rr_store SET n = n + 1; RETURN NULL; END';
        $store->sql("CREATE OR REPLACE FUNCTION rr_bump() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS '$body'");
        changes('as made before', add(), 1);
        is($store->rrctl('migrate')->{out}, "The schema is version 1 already.\n", 'migrate has no step to take');
    }
    changes("$made: nothing", 'SELECT 1', 0);
    changes("$made: a row", add(), 1);
    changes("$made: another", add(), 1);
    changes("$made: a row is changed", "UPDATE rr_client SET name = name || 'x' WHERE id = 'c1'", 1);
    changes("$made: a row goes", "DELETE FROM rr_client WHERE id = 'c$next'", 1);
    changes("$made: in a transaction", 'BEGIN; ' . add() . add() . 'COMMIT', 1);
    changes("$made: rolled back", 'BEGIN; ' . add() . add() . 'ROLLBACK', 0);
    changes("$made: a savepoint kept", 'BEGIN; SAVEPOINT a; ' . add() . 'RELEASE a; ' . add() . 'COMMIT', 1);
    changes("$made: a savepoint rolled back", 'BEGIN; SAVEPOINT a; ' . add() . 'ROLLBACK TO a; COMMIT', 0);
    changes("$made: one rolled back, then a row", 'BEGIN; SAVEPOINT a; ' . add() . 'ROLLBACK TO a; ' . add() . 'COMMIT', 1);
    changes("$made: a row, then one rolled back", 'BEGIN; ' . add() . 'SAVEPOINT a; ' . add() . 'ROLLBACK TO a; COMMIT', 1);
    changes("$made: a row locked first", 'BEGIN; SELECT * FROM rr_store FOR UPDATE; ' . add() . 'COMMIT', 1);

    my $before = n();
    $store->sql('BEGIN; ' . join('', map { add() } 1 .. 50) . 'COMMIT');
    is(n(), $before + 1, "$made: once a transaction");
}

# ---- a new master key: what was sealed is sealed anew ----
my $keys = place_for('keys');
is($store->rrctl('master-key', 'create', "$keys/new.key")->{exit}, 0, 'another master key');
spew("$keys/both.key", slurp("$keys/new.key") . slurp($store->{key_file}), 0600);
my $before = n();
is($store->rrctl('--master-key', "$keys/both.key", 'reseal')->{exit}, 0, 'all is sealed anew');
isnt(n(), $before, 'which is another value');

finish();
