# SPDX-License-Identifier: Apache-2.0
#
# Rules of a Location, few and many, of four shapes: what they cost must not grow with their number.

use strict;
use warnings;

use RR::Bench;
use RR::Util qw(json_text);

my %shapes = (
    prefix => ['^/res%d/', '/res5/a'],
    exact => ['^/res%d/a$', '/res5/a'],
    middle => ['^/[a-z0-9]+/item-%d$', '/res5/item-5'],
    header => ['.*', '/res5/a', { name => { pattern => '^X-Partner$' }, value => { pattern => '^p%d$' } }],
);

sub ruled
{
    my ($shape, $count) = @_;
    my ($pattern, $path, $check) = @{ $shapes{$shape} };
    my @rules = map {
        my $n = $_;
        { effect => 'allow', pathPattern => $pattern =~ s/%d/$n/r,
          $check ? (headers => [{ name => $check->{name}, value => { pattern => $check->{value}{pattern} =~ s/%d/$n/r } }]) : () };
    } 0 .. $count - 1;
    my $server = gateway(modules => [qw(core rules)], start => 0);
    my $file = $server->file('rules.json', json_text(\@rules));
    $server->{conf} .= "<Location \"/\">\nRequire all granted\nSetHandler rr-nothing\n</Location>\n<Location \"/r\">\nRRRules $file\n</Location>\n";
    return { server => $server->start, load => { path => "/r$path", headers => ['X-Partner', 'p5'] } };
}

group 'rules' => (
    title => 'rules in scope, of which one matches',
    subjects => [
        { name => 'httpd', title => 'httpd, nothing asked', kind => 'floor', make => sub {
            return { server => stock(conf => "<Location \"/\">\nRequire all granted\nSetHandler rr-nothing\n</Location>\n"),
                     load => { path => '/r/res5/a', headers => ['X-Partner', 'p5'] } };
        } },
        (map { my ($shape, $count) = @$_; {
            name => "$shape-$count", title => "mod_rr, $count rules, " . ($shapes{$shape}[2] ? 'a header' : 'path') . " $shapes{$shape}[0]",
            make => sub { return ruled($shape, $count) },
        } } (map { ['prefix', $_] } 10, 1_000, 10_000), (map { [$_, 10_000] } qw(exact middle header))),
    ]);
