# SPDX-License-Identifier: Apache-2.0
#
# API keys from a sqlite3 store: what rrctl and raw SQL change counts on the next request.

use strict;
use warnings;

use RR::Test;

my $store = store();
my $key = $store->key('robot', '--scope', 'orders:read', '--metadata', '{"userId":"u-1","plan":"gold"}');

my $conf = <<'CONF';
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF
my $httpd = httpd(modules => [qw(core keyauth)], conf => $store->conf . $conf);

sub answers
{
    my ($value, $status, $name) = @_;
    cases($httpd, [$name, { path => '/me', headers => { 'X-API-Key' => $value } }, { status => $status }]);
}

# Every child has to see a change, so ask more often than there are children.
sub all_answer
{
    my ($value, $status, $name) = @_;
    my %seen;
    for (1 .. 12) {
        $seen{ $httpd->request(path => "/me", headers => { 'X-API-Key' => $value })->status }++;
    }
    is_deeply([sort keys %seen], [$status], $name);
}

cases($httpd,
    ['no key', { path => '/me' }, { status => 401 }],
    ['a key', { path => '/me', headers => { 'X-API-Key' => $key->{key} } },
              { status => 200, json => { message => 'Authenticated', sub => 'u-1', data => { userId => 'u-1', plan => 'gold' } } }],
    ['an unknown key', { path => '/me', headers => { 'X-API-Key' => 'abcdefghijklmnopqrstuv' } }, { status => 401 }],
);

all_answer($key->{key}, 200, 'a key');
my $other = $store->key('robot');
all_answer($other->{key}, 200, 'a second key of the same credential');
is($store->rrctl('key', 'revoke', $key->{id})->{exit}, 0, 'revoked');
all_answer($key->{key}, 401, 'a revoked key, next request');
all_answer($other->{key}, 200, 'and its sister still');

finish();
