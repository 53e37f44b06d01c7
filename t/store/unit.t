# SPDX-License-Identifier: Apache-2.0
#
# The unit tests of the store once more, on a real PostgreSQL.

use strict;
use warnings;

use RR::Postgres;
use RR::Test;
use RR::Util qw(run);

my $postgres = RR::Postgres->new(place_for('pg') . '/server');
if (!$postgres) {
    plan(skip_all => 'PostgreSQL is not installed');
}
for my $test (qw(test_store test_store_check test_core_digests)) {
    my $got = run({ env => { RR_TEST_PGSQL => $postgres->conninfo($postgres->database) } }, build() . "/t/unit/$test");
    like($got->{out}, qr/^# pgsql$/m, "$test ran on PostgreSQL");
    unlike($got->{out}, qr/^not ok/m, 'and found nothing wrong') or diag($got->{out} =~ /^((?:not ok|# (?!pgsql|sqlite)).*)$/mg);
    like($got->{out}, qr/^1\.\.\d+$/m, 'and came to its end');
    is($got->{exit}, 0, 'well');
}
finish();
