# SPDX-License-Identifier: Apache-2.0
#
# Payload filters: ten patterns on a small body and on a large one, of a file and of a backend. Words are found wherever
# they stand in a path; names are the same words as whole names. A filter reads files; so that a request without one does
# the same, and not what costs more (here: much more), it maps none.

use strict;
use warnings;

use RR::Bench;
use RR::Util qw(json_text);

my @names = qw(password card iban secret salary birth phone token street email);
my %patterns = (ours => sub { $_[0] }, names => sub { "(^|\\.)$_[0]\$" });
my $row = { id => 7, name => 'a lamp of oak and brass', email => 'someone@example.com', tags => ['oak', 'brass'], price => 129.5,
            stock => { here => 4, there => 17 }, note => 'keep dry; the shade may be cleaned with a soft cloth' };

# About so many bytes of JSON.
sub body { my ($bytes) = @_; my $one = length json_text($row); return json_text([map { { %$row, id => $_ } } 1 .. 1 + $bytes / ($one + 2)]) }

my %sizes = ('1k' => 1_000, '1m' => 1_000_000);

sub files
{
    my ($server) = @_;
    $server->file("htdocs/$_.json", body($sizes{$_})) for keys %sizes;
    return $server;
}

for my $size (sort keys %sizes) {
    for my $from (qw(file proxied)) {
        my $route = $from eq 'file' ? "EnableMMAP Off\n" : "ProxyPass \"\@BACKEND\@/\"\n";
        my $load = { path => "/$size.json", connections => 4 };
        group "filter-$size-$from" => (
            title => "payload filter of ten patterns, " . ($size eq '1k' ? '1 KB' : '1 MB') . ($from eq 'file' ? ', a file' : ', a backend'),
            large => $size eq '1m', prepare => sub { return { backend => files(stock())->url } },
            subjects => [
                { name => 'httpd', title => $from eq 'file' ? 'httpd, the file' : 'httpd, plain ProxyPass', kind => 'floor', make => sub {
                    my ($made) = @_;
                    return { server => files(stock(vars => { BACKEND => $made->{backend} }, conf => "<Location \"/\">\n$route</Location>\n")), load => $load };
                } },
                (map { my ($name, $title) = @$_; { name => $name, title => "mod_rr, $title", make => sub {
                    my ($made) = @_;
                    my $server = files(gateway(modules => [qw(core filter)], vars => { BACKEND => $made->{backend} }, start => 0));
                    my $file = $server->file('filters.json', json_text([
                        { operations => [map { { effect => 'destroy', jsonPath => { pattern => $patterns{$name}->($_) } } } @names] }]));
                    $server->{conf} .= "<Location \"/\">\n${route}RRFilters $file\n</Location>\n";
                    $server->start;
                    my $got = $server->request(path => "/$size.json")->body;
                    die "nothing was cut\n" if $got =~ /email/ || $got !~ /brass/;
                    return { server => $server, load => $load };
                } } } ['ours', 'words: password, card, ...'], ['names', 'names: (^|\.)password$, ...']),
            ]);
    }
}
