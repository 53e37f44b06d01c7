# SPDX-License-Identifier: Apache-2.0
#
# The table of the bench is well-formed: its cases load, are named once, and every budget names one of them.

use strict;
use warnings;

use RR::Util qw(root run alive slurp spew);
use File::Temp qw(tempdir);
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

# A measurement that dies while its load, and a server, stand: the load ends, the server goes on.
my $programs = tempdir(CLEANUP => 1);
chmod(0755, spew("$programs/wrk", "#!/bin/sh\nexec sleep 60\n"));
my $died = run({ env => { PATH => "$programs:$ENV{PATH}" } }, $^X, '-I' . root() . '/t/lib', '-MRR::Bench', '-e', <<'PROGRAM');
sub Nowhere::url { return 'http://127.0.0.1:9' }
alarm(20); # where a pipe is waited for without end
defined(my $server = fork()) or die "fork: $!\n";
exec('sleep', '60') if !$server;
my $load = load_in_background(bless({}, 'Nowhere'), { path => '/' }, 60, 1);
halt($server, $load->{pid});
syswrite(STDOUT, "$server $load->{pid}\n");
die "as it should\n";
PROGRAM
is($died->{err}, "as it should\n", 'a measurement that dies with its load stopped ends');
my ($server, $load) = split(' ', $died->{out});
ok(!alive($load), 'its load is no more');
like(slurp("/proc/$server/stat"), qr/\) [^TZX] /, 'what it had stopped goes on');
kill('KILL', $server);

done_testing();
