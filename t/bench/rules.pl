#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# rules.pl [REQUESTS=20000]: CPU that rules add to a request, against the same httpd without them, in the same run.
#
#   perl -It/lib t/bench/rules.pl
#
# Four shapes of pattern, each with 10, 1,000 and 10,000 rules in the Location; a local file of a few bytes is
# served over kept-alive connections (ab, package apache2-utils). Rounds are interleaved, the best of each printed:
# all CPU of the children, and what of it was user time.

use strict;
use warnings;

use RR::Test;
use RR::Util qw(run slurp json_text);

my $total = $ARGV[0] || 20_000;
my $rounds = 5;
my %shapes = (
    prefix => ['^/res%d/', '/res5/a.txt'],
    exact => ['^/res%d/a\.txt$', '/res5/a.txt'],
    middle => ['^/[a-z0-9]+/item-%d$', '/res5/item-5'],
    header => ['.*', '/res5/a.txt', { name => { pattern => '^X-Partner$' }, value => { pattern => '^p%d$' } }],
);
my $httpd = httpd(modules => [qw(core rules)], loglevel => 'warn', children => 1, threads => 8, start => 0);
my $conf = "MaxKeepAliveRequests 0\nCustomLog /dev/null rr\n";
my @cases = (['none', '/none/res5/a.txt']);

$httpd->file("htdocs/$_", 'x') for 'none/res5/a.txt';
$conf .= "<Location /none>\nRequire all granted\n</Location>\n";
for my $shape (sort keys %shapes) {
    my ($pattern, $path, $check) = @{ $shapes{$shape} };
    for my $count (10, 1_000, 10_000) {
        my @rules = map {
            my $n = $_;
            my %rule = (effect => 'allow', pathPattern => $pattern =~ s/%d/$n/r);
            $rule{headers} = [{ name => $check->{name}, value => { pattern => $check->{value}{pattern} =~ s/%d/$n/r } }] if $check;
            \%rule;
        } 0 .. $count - 1;
        my $file = $httpd->file("$shape-$count.json", json_text(\@rules));
        $httpd->file("htdocs/$shape-$count$path", 'x');
        $conf .= "<Location /$shape-$count>\nRRRules $file\nRequire all granted\n</Location>\n";
        push(@cases, ["$shape, $count", "/$shape-$count$path"]);
    }
}
$httpd->{conf} = $conf;
$httpd->start;

# Microseconds of the children: all, user.
sub cpu
{
    my ($user, $system) = (0, 0);
    for my $pid ($httpd->children) {
        my @stat = split(' ', slurp("/proc/$pid/stat") =~ s/^.*\) //sr);
        $user += $stat[11];
        $system += $stat[12];
    }
    return (($user + $system) * 10_000, $user * 10_000);
}

my %best;
for my $round (1 .. $rounds) {
    for my $case (@cases) {
        my ($name, $path) = @$case;
        my @before = cpu();
        my $got = run('ab', '-q', '-k', '-c', 4, '-n', $total, '-H', 'X-Partner: p5', $httpd->url($path));
        die "ab: $got->{err}" if $got->{exit};
        die "$name: $got->{out}" if $got->{out} =~ /Non-2xx|Failed requests:\s+[1-9]/;
        my @after = cpu();
        for my $i (0, 1) {
            my $spent = ($after[$i] - $before[$i]) / $total;
            $best{$name}[$i] = $spent if !defined $best{$name}[$i] || $spent < $best{$name}[$i];
        }
    }
}
my $none = $best{none};
printf("%-16s %8.2f us a request, %6.2f user\n", 'none', @$none);
printf("%-16s %+8.2f us, %+6.2f user\n", $_, $best{$_}[0] - $none->[0], $best{$_}[1] - $none->[1])
    for map { $_->[0] } @cases[1 .. $#cases];
