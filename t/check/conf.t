# SPDX-License-Identifier: Apache-2.0
#
# conf/rr.conf is good, and every directive in it, commented or not, is one we have; each file of
# t/config/ is refused in one sentence:
#
#   # refused: the text that httpd -t has to say
#   # modules: core jwt               (default: all that are built)
#   ... configuration ...
#   # accepted:                     (may have its own "# modules:")
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

my $sample = judge('Include ' . root() . "/conf/rr.conf\n", @all);
is($sample->{exit}, 0, 'conf/rr.conf is accepted') or diag($sample->{err});

# Each line that an operator may uncomment, where it may stand, with what it needs beside it.
my $store = qq(RRStore sqlite3 "@{[place_for('store')]}/rr.db"\n);
my @beside = (
    [qr/^RR(?:MasterKey|StoreMaxAge)\b/, $store],
    [qr/^RRStore\s+pgsql\b/, "RRMasterKey env:RR_MASTER_KEY\n"],
);
my @lines = slurp('conf/rr.conf') =~ /^\s*#\s*(RR[A-Z][a-z]\w*[ \t]+\S.*?)\s*$/mg;
my $authorities = (grep { -f } qw(/etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt))[0];
ok(scalar @lines, 'conf/rr.conf has lines to uncomment');
for my $line (@lines) {
    my $more = join('', map { $line =~ $_->[0] ? $_->[1] : () } @beside);
    (my $here = $line) =~ s{\S+private-ca\.pem}{$authorities};
    $here =~ s{\bconf/(\S+\.json)}{root() . "/conf/samples/$1"}e;
    my $got = judge("$more$here\n", @all);
    $got = judge("$more<Location \"/x\">\n$here\n</Location>\n", @all) if $got->{err} =~ /not allowed (?:here|in)/;
    is($got->{exit}, 0, "conf/rr.conf: $line") or diag($got->{err});
}

my @refused = glob('t/config/*.conf');
ok(scalar @refused, 'there are configurations to refuse');
for my $file (@refused) {
    my ($name) = $file =~ m{([^/]+)\.conf$};
    my ($bad, $good) = split(/^# accepted:.*\n/m, slurp($file), 2);
    my ($sentence) = $bad =~ /^# refused:\s*(.*\S)\s*$/m;
    my ($for_bad, $for_good) = map { /^# modules:\s*(.*\S)\s*$/m ? [split(' ', $1)] : \@all } $bad, $good || '';

    ok(defined $sentence && defined $good, "$name says what is refused and what would be right") or next;
    my $got = judge($bad, @$for_bad);
    isnt($got->{exit}, 0, "$name is refused");
    like($got->{err}, qr/\Q$sentence\E/, "$name is told why");
    my $right = judge($good, @$for_good);
    is($right->{exit}, 0, "$name put right is accepted") or diag($right->{err});
}

finish();
