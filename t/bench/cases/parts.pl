# SPDX-License-Identifier: Apache-2.0
#
# What the parts cost on this machine (t/bench/parts.c), and a round trip to PostgreSQL: the scale of everything else.

use strict;
use warnings;

use RR::Bench;
use RR::Bench::Store qw(postgres);
use RR::Util qw(build run json_data);

my @figures = qw(sha256 rs256 es256 eddsa cut_strings cut_small cut_grown_kb pgsql_round_trip);

trial 'parts' => (
    title => 'the parts by themselves: OpenSSL and a round trip in us, the cutter in MB/s',
    figures => \@figures,
    run => sub {
        my $postgres = eval { postgres() };
        my $got = on_server_cpu(sub { run(build() . '/t/bench/parts', $postgres ? $postgres->conninfo('postgres') : ()) });
        my $parts = json_data($got->{out}) or die "parts: $got->{err}\n";
        return { map { defined $parts->{$_} ? ($_ => [$parts->{$_}]) : () } @figures };
    });
