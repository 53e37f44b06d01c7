# SPDX-License-Identifier: Apache-2.0
#
# RR::Upstream: a backend that answers with the JSON of the request it received.
#
#   method, target (as sent), path, query, headers { name: value }, headerList [[name, value], ...], body
#
# Repeated headers are joined with ", " in `headers` and stand apart in `headerList`. A body that is
# no UTF-8 stands in `bodyBase64`. Tests order other answers with behave().

package RR::Upstream;

use strict;
use warnings;

use parent qw(RR::Server);

use Encode ();
use MIME::Base64 qw(encode_base64);
use RR::Util qw(json_text);

sub answer
{
    my ($self, $request) = @_;
    my (%headers, %data);

    for my $pair (@{ $request->{headers} }) {
        my ($name, $value) = map { text($_) } @$pair;
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $value" : $value;
    }
    %data = (method => $request->{method}, target => text($request->{target}), path => text($request->{path}),
             query => defined $request->{query} ? text($request->{query}) : undef, headers => \%headers,
             headerList => [map { [map { text($_) } @$_] } @{ $request->{headers} }]);
    my $copy = $request->{body};
    my $decoded = eval { Encode::decode('UTF-8', $copy, Encode::FB_CROAK()) };
    if (defined $decoded) {
        $data{body} = $decoded;
    }
    else {
        $data{bodyBase64} = encode_base64($request->{body}, '');
    }
    return { status => 200, body => json_text(\%data) . "\n" };
}

# Header bytes as characters one to one: what is no UTF-8 stays recognisable.
sub text { return Encode::decode('ISO-8859-1', "$_[0]") }

1;
