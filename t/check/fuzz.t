# SPDX-License-Identifier: Apache-2.0
#
# Every fuzz target over its corpus, under AddressSanitizer and UBSan.

use strict;
use warnings;

use RR::Util qw(root build run);
use Test::More;

chdir(root());

my @targets = map { m{fuzz_(\w+)\.c$} ? $1 : () } glob('t/fuzz/fuzz_*.c');
ok(scalar @targets, 'there are fuzz targets');

for my $noun (@targets) {
    my @inputs = grep { -f } glob("t/fuzz/corpus/$noun/*");
    ok(scalar @inputs, "fuzz_$noun has a corpus") or next;
    my $got = run(build() . "/fuzz/t/fuzz/fuzz_$noun", '-timeout=10', @inputs);
    is($got->{exit}, 0, "fuzz_$noun holds on " . @inputs . ' inputs') or diag(substr($got->{err}, -3000));
    my $ran = () = $got->{err} =~ /^Executed /mg;
    is($ran, scalar @inputs, "fuzz_$noun ran each");
}

done_testing();
