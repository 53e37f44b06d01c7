# SPDX-License-Identifier: Apache-2.0
#
# Code and pages say the same, both ways: directives, log numbers, rrctl's commands.

use strict;
use warnings;

use RR::Util qw(root build slurp run);
use Test::More;

chdir(root());

my @code = glob('modules/*/*.c support/*.c');
my %source = map { $_ => slurp($_) } @code;
my @pages = glob('docs/*.md');

sub same
{
    my ($name, $in_code, $in_docs) = @_;
    my @undocumented = grep { !$in_docs->{$_} } sort keys %$in_code;
    my @unknown = grep { !$in_code->{$_} } sort keys %$in_docs;
    ok(scalar keys %$in_code, "$name: there are some");
    ok(!@undocumented, "$name: all are documented") or diag("  not documented: @undocumented");
    ok(!@unknown, "$name: nothing is documented that is not there") or diag("  only documented: @unknown");
}

# ---- directives: the first argument of a row of a command table; a heading of a page; a line of rr.conf ----
my (%directives, %headings, %samples);
for my $text (values %source) {
    $directives{$_} = 1 for $text =~ /\b(?:AP_INIT_\w+|RR_(?!SOURCE_)\w*DIRECTIVE\w*)\(\s*"(RR[A-Z]\w+)"/g;
    for my $prefix ($text =~ /\bRR_SOURCE_DIRECTIVES\(\s*"(RR[A-Z]\w+)"/g) {
        $directives{"$prefix$_"} = 1 for qw(Header Query Cookie);
    }
}
for my $page (@pages) {
    $headings{$_} = 1 for map { /\b(RR[A-Z][a-z]\w*)/g } slurp($page) =~ /^#{2,4}\s+(.*)$/mg;
}
same('directives in docs/', \%directives, \%headings);
$samples{$_} = 1 for slurp('conf/rr.conf') =~ /^\s*#?\s*(RR[A-Z][a-z]\w*)\b/mg;
same('directives in conf/rr.conf', \%directives, \%samples);

# ---- log numbers: a message has one number, a number one message ----
my (%numbers, %twice);
for my $file (sort keys %source) {
    while ($source{$file} =~ /\bRR_LOG_\w+\(([^;]*?)\b(1\d{4})\s*,\s*"/g) {
        $twice{$2}++ if $numbers{$2}++;
    }
}
ok(scalar keys %numbers, 'log numbers: there are some');
is_deeply([sort keys %twice], [], 'log numbers: none is used twice');
my %explained = map { $_ => 1 } slurp('docs/log-ids.md') =~ /\bRR(1\d{4})\b/g;
same('log numbers in docs/log-ids.md', \%numbers, \%explained);

# ---- rrctl ----
SKIP: {
    my ($man) = glob('docs/man/rrctl.*');
    skip('no man page yet', 1) unless $man;
    my $usage = run(build() . '/bin/rrctl', '--help')->{out};
    my %commands = map { $_ => 1 } $usage =~ /^  rrctl ([a-z]+(?: [a-z]+)?)\b/mg;
    my $text = slurp($man);
    $text =~ s/\\f[A-Z]|\\&//g;
    $text =~ s/\\-/-/g;
    my %known = map { $_ => 1 } $text =~ /^(?:\.\w+ )?"?rrctl ([a-z]+(?: [a-z]+)?)\b/mg;
    same("rrctl's commands in $man", \%commands, \%known);
}

done_testing();
