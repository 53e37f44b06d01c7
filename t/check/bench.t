# SPDX-License-Identifier: Apache-2.0
#
# The table of the bench is well-formed: its cases load, are named once, and every budget names one of them.

use strict;
use warnings;

use RR::Util qw(root run);
use Test::More;

my $bench = root() . '/t/bench/run';
my $listed = run($^X, $bench, '--list');
is($listed->{exit}, 0, 'the cases load') or diag($listed->{err});
my @names = $listed->{out} =~ /^ *(\S+)/mg;
my %seen;
cmp_ok(scalar @names, '>', 40, 'there are cases');
is(join(' ', grep { $seen{$_}++ } @names), '', 'no name is there twice');

my $budgets = do(root() . '/t/bench/budgets.pl') or die $@ || $!;
cmp_ok(scalar @$budgets, '>', 20, 'there are budgets');
is(join(" ", grep { !$seen{$_} } map { $_->{figure} } @$budgets), "", 'every budget is measured');

my $one = run($^X, $bench, '--list', 'rules/exact-*');
like($one->{out}, qr{^  rules/exact-10000 }m, 'a case is chosen by pattern');
like($one->{out}, qr{^  rules/httpd }m, 'and its floor with it');
unlike($one->{out}, qr{key|prefix}, 'and nothing else');
is(run($^X, $bench, '--list', 'no-such-case')->{exit} == 0, '', 'a name that no case has is refused');

done_testing();
