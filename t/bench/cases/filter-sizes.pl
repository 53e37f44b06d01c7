# SPDX-License-Identifier: Apache-2.0
#
# Payload filters over mod_proxy by the size of the body and the number of patterns: what a megabyte adds is the
# difference to the plain proxy by the megabytes, and has to be the same in every row.

use strict;
use warnings;

use RR::Bench;
use RR::Util qw(json_text);

my $row = json_text({ id => 7, name => 'a lamp of oak and brass', email0 => 'someone@example.com', tags => ['oak', 'brass'],
    price => 129.5, stock => { here => 4, there => 17 }, note => 'keep dry; the shade may be cleaned with a soft cloth' });
my %sizes = ('1m' => 1_000_000, '100m' => 100_000_000);
my %seconds = ('100m' => 10); # else too few bodies end in a measurement

sub with_body
{
    my ($server, $size) = @_;
    open(my $file, '>', $server->file("htdocs/$size.json", '')) or die "$size.json: $!";
    print $file "[$row";
    print $file ",$row" for 2 .. $sizes{$size} / (1 + length $row);
    print $file ']';
    close($file) or die "$size.json: $!";
    return $server;
}

for my $size (qw(1m 100m)) {
    my $load = { path => "/$size.json", connections => 1 };
    my $route = "ProxyPass \"\@BACKEND\@/\"\n";
    group "filter-sizes-$size" => (
        seconds => $seconds{$size}, large => 1,
        title => 'payload filter, ' . $sizes{$size} / 1_000_000 . ' MB from a backend',
        prepare => sub { return { backend => with_body(stock(), $size)->url } },
        subjects => [
            { name => 'httpd', title => 'httpd, plain ProxyPass', kind => 'floor', make => sub {
                my ($made) = @_;
                return { server => stock(vars => { BACKEND => $made->{backend} }, conf => "<Location \"/\">\n$route</Location>\n"),
                         load => $load };
            } },
            (map { my $count = $_; { name => "ours-$count", title => "mod_rr, patterns: $count", make => sub {
                my ($made) = @_;
                my $server = gateway(modules => [qw(core filter)], vars => { BACKEND => $made->{backend} }, start => 0);
                my $file = $server->file('filters.json', json_text([
                    { operations => [map { { effect => 'destroy', jsonPath => { pattern => "email$_\$" } } } 0 .. $count - 1] }]));
                $server->{conf} .= "<Location \"/\">\n${route}RRFilters $file\n</Location>\n";
                $server->start;
                return { server => $server, load => $load };
            } } } 1, 10, 100),
        ]);
}
