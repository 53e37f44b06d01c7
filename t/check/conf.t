# SPDX-License-Identifier: Apache-2.0
#
# conf/rr.conf is good, and every directive in it, commented or not, is one we have; each file of
# t/config/ is refused in one sentence:
#
#   # refused: the text that httpd -t has to say
#   # modules: core jwt               (default: all that are built)
#   ... configuration ...
#   # accepted:
#   ... the same, put right: has to pass ...

use strict;
use warnings;

use RR::Test;

chdir(root());

my @all = map { m{mod_rr_(\w+)\.so$} ? $1 : () } glob(build() . '/modules/mod_rr_*.so');
ok(scalar @all, 'there are modules to load');

# { exit, out, err } of httpd -t with this configuration.
sub judge
{
    my ($conf, @modules) = @_;
    our $server ||= httpd(start => 0);
    $server->{modules} = \@modules;
    $server->{conf} = $conf;
    return $server->configtest;
}

my $empty = judge('', @all);
is($empty->{exit}, 0, 'nothing configured is a good configuration') or diag($empty->{err});

if (-f 'conf/rr.conf') {
    my $got = judge('Include ' . root() . "/conf/rr.conf\n", @all);
    is($got->{exit}, 0, 'conf/rr.conf is accepted') or diag($got->{err});
}

my @refused = glob('t/config/*.conf');
for my $file (@refused) {
    my ($name) = $file =~ m{([^/]+)\.conf$};
    my ($bad, $good) = split(/^# accepted:.*\n/m, slurp($file), 2);
    my ($sentence) = $bad =~ /^# refused:\s*(.*\S)\s*$/m;
    my @modules = $bad =~ /^# modules:\s*(.*\S)\s*$/m ? split(' ', $1) : @all;

    ok(defined $sentence && defined $good, "$name says what is refused and what would be right") or next;
    my $got = judge($bad, @modules);
    isnt($got->{exit}, 0, "$name is refused");
    like($got->{err}, qr/\Q$sentence\E/, "$name is told why");
    my $right = judge($good, @modules);
    is($right->{exit}, 0, "$name put right is accepted") or diag($right->{err});
}

finish();
