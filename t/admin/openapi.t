# SPDX-License-Identifier: Apache-2.0
#
# The OpenAPI document and the API say the same: every operation that it lists is there, none else is,
# and a body is refused or taken by the fields that it lists.

use strict;
use warnings;

use RR::Admin;
use RR::Test;

my $store = store();
my $key = $store->key('operator', '--scope', 'rr:admin')->{key};
my $httpd = httpd(modules => [qw(core keyauth admin)], conf => $store->conf . admin_location());
my %by = ('X-API-Key' => $key, 'Content-Type' => 'application/json');

my $got = $httpd->request(path => '/rr-admin/openapi.json', headers => { 'X-API-Key' => $key });
check('the document', $got, { status => 200, headers => { 'Content-Type' => 'application/json' },
                              json => { openapi => '3.1.0', 'info.version' => qr/^\d/ } });
my $doc = $got->json;
check('not for everybody', $httpd->request(path => '/rr-admin/openapi.json'), { status => 401 });

# ---- every reference leads somewhere ----
my (%refs, $walk);
$walk = sub {
    my ($value) = @_;
    if (ref $value eq 'HASH') {
        $refs{ $value->{'$ref'} } = 1 if exists $value->{'$ref'} && !ref $value->{'$ref'};
        $walk->($_) for values %$value;
    }
    $walk->($_) for ref $value eq 'ARRAY' ? @$value : ();
};
$walk->($doc);
my @dangling = grep {
    my $at = $doc;
    $at = ref $at eq 'HASH' ? $at->{$_} : undef for grep { $_ ne '#' } split('/', $_);
    !defined $at;
} sort keys %refs;
cmp_ok(scalar keys %refs, '>', 5, 'there are references');
is_deeply(\@dangling, [], 'each leads somewhere');

# ---- operations: what is listed is there (404 of an object is), what is not is 405 with the listed ones allowed ----
my @paths = sort keys %{ $doc->{paths} };
cmp_ok(scalar @paths, '>', 12, 'there are paths');
for my $path (@paths) {
    (my $real = $path) =~ s/\{clientId\}/default/;
    $real =~ s/\{\w+\}/rrid_0000000000000000000000/g;
    my %listed = map { uc $_ => 1 } grep { $_ ne 'parameters' } keys %{ $doc->{paths}{$path} };
    my $options = $httpd->request(method => 'OPTIONS', path => "/rr-admin$real", headers => \%by);
    my %allowed = map { $_ => 1 } grep { !/^(HEAD|OPTIONS)$/ } split(/, /, $options->header('Allow') || '');
    is_deeply(\%allowed, \%listed, "$path: allowed is what is listed");
    for my $method (qw(GET POST PUT DELETE)) {
        my $res = $httpd->request(method => $method, path => "/rr-admin$real", headers => \%by, $method =~ /^P/ ? (body => '{"\u0001":1}') : ());
        my $there = $res->status != 405;
        is($there ? 1 : 0, $listed{$method} || 0, "$path: $method " . ($there ? 'is there' : 'is not'));
    }
    my %named = map { $_->{name} => 1 } @{ $doc->{paths}{$path}{parameters} };
    is_deeply([sort keys %named], [sort $path =~ /\{(\w+)\}/g], "$path: its parameters");
}

# ---- fields ----
my %required = map { $_ => $doc->{components}{schemas}{$_}{required} } qw(clients credentials targets proxies);
is_deeply($required{credentials}, [qw(credentialType credentialAuthType credentialName)], 'what a credential has to have');
is_deeply($required{proxies}, [qw(proxyName proxyTargetId)], 'what a proxy has to have');
for my $collection (qw(clients credentials targets proxies)) {
    my $path = $collection eq 'clients' ? '/clients' : "/clients/default/$collection";
    my $first = $required{$collection}[0];
    check("$collection: the first required field is missed",
          $httpd->request(method => 'POST', path => "/rr-admin$path", headers => \%by, body => '{}'), { status => 422, json => { pointer => "/$first" } });
}
finish();
