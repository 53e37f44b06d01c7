# SPDX-License-Identifier: Apache-2.0
#
# What the house style forbids and a program can see.

use strict;
use warnings;

use RR::Util qw(root slurp run);
use Test::More;

chdir(root());

# The checkout's files: from git where there is git, else what lies here.
my $listed = run(qw(git -c safe.directory=* ls-files -z --cached --others --exclude-standard));
my @files = $listed->{exit} ? split(/\n/, run(qw(find . -type f -not -path ./build* -not -path ./.git/*))->{out})
                            : split(/\0/, $listed->{out});
@files = grep { -f && !m{(^|/)build(-\w+)?/} } @files;
s{^\./}{} for @files;

my @c = grep { /\.[ch]$/ } @files;
my @scripts = grep { /\.(pm|pl|t|sh|PL)$/ || m{(^|/)Makefile} || m{^\.ci/} } @files;
cmp_ok(scalar @c, '>', 10, 'there are C files to look at');
cmp_ok(scalar @scripts, '>', 5, 'there are scripts to look at');

# Code with comments and strings blanked: line numbers stay.
sub code
{
    my ($text) = @_;
    my $blank = sub { (my $t = $_[0]) =~ s/[^\n]/ /g; $t };
    $text =~ s{(/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')}{$blank->($1)}gse;
    return $text;
}

# Every match of a pattern as "file:line: text", but lines that say why they may.
sub found
{
    my ($pattern, @in) = @_;
    my @found;
    for my $file (@in) {
        my $text = slurp($file);
        my @lines = split(/\n/, $text, -1);
        my @code = split(/\n/, code($text), -1);
        for my $i (0 .. $#code) {
            push(@found, "$file:" . ($i + 1) . ": $lines[$i]") if $code[$i] =~ $pattern && $lines[$i] !~ m{/\* lint: };
        }
    }
    return @found;
}

sub none
{
    my ($name, @found) = @_;
    ok(!@found, $name) or diag(map { "  $_\n" } @found);
}

my $banned = qr/\b(?:strcpy|strcat|stpcpy|v?sprintf|strtok|atoi|atol|gets|alloca)\s*\(/;
my $compared = qr/\b(?:memcmp|strn?cmp|strn?casecmp|apr_cstr_\w*cmp\w*|ap_cstr_casecmpn?)\s*
    \((?:[^()]|\([^()]*\))*\b\w*(?:secret|password|digest|pepper|master_key|signature|hmac|presented)\w*/xi;

# The patterns themselves, on what they have to find.
like('    strcpy(a, b);', $banned, 'control: strcpy is seen');
unlike('    apr_cpystrn(a, b, n);', $banned, 'control: apr_cpystrn is not');
like('if (!memcmp(key->digest, digest, 32)) {', $compared, 'control: memcmp on a digest is seen');
unlike('if (!strcmp(name, kid) && digest) {', $compared, 'control: strcmp on a name is not');

none('no banned function', found($banned, @c));
none('no comparison of a secret whose time tells: rr_secret_equal, or say /* lint: why */', found($compared, grep { !m{^t/} } @c));
none('every file names its licence in its first lines', grep {
    my $head = substr(slurp($_), 0, 300);
    $head !~ /SPDX-License-Identifier: Apache-2\.0/;
} @c, @scripts);
none('no tab, no blank at the end of a line, no line past 132 columns', map {
    my ($file, $n) = ($_, 0);
    map { $n++; /\t|[ \r]$/ || length $_ > 132 ? "$file:$n" : () } split(/\n/, slurp($file));
} @c);

my @lib = grep { m{^modules/lib/} } @c;
none('the library has no httpd header and no log', map {
    my $file = $_;
    map { "$file: $_" } slurp($file) =~ /^(\s*\#\s*include\s*[<"](?:http\w*|ap_\w+|util_\w+|rr_log|rr_principal|rr_glue)\.h[>"].*)$/mg;
} @lib) if @lib;
none('leaf modules do not include each other', map {
    my ($file, $own) = ($_, m{^modules/(\w+)/});
    map { "$file: $_" } slurp($file) =~ m{^(\s*\#\s*include\s*"[^"]*modules/(?!$own|glue).*)$}mg;
} grep { m{^modules/(?!lib/|glue/)} } @c);

for my $file (@c) {
    my $lines = () = slurp($file) =~ /\n/g;
    diag("long: $file has $lines lines") if $lines > 600;
}

for my $file (grep { /\.sh$/ || m{^\.ci/run$} } @files) {
    my $shell = slurp($file) =~ /^#!.*bash/ ? 'bash' : 'sh';
    is(run($shell, '-n', $file)->{err}, '', "$file parses");
}

done_testing();
