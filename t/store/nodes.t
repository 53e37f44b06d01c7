# SPDX-License-Identifier: Apache-2.0
#
# Two httpd instances on one PostgreSQL: what one changes, the other knows on its next request.

use strict;
use warnings;

use RR::Postgres;
use RR::Test;

my $postgres = RR::Postgres->new(place_for('pg') . '/server');
if (!$postgres) {
    plan(skip_all => 'PostgreSQL is not installed');
}
my $store = $postgres->store;
my $conf = $store->conf . <<'CONF';
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF
my @nodes = map { httpd(modules => [qw(core keyauth)], children => 2, conf => $conf) } 1 .. 2;

sub status
{
    my ($node, $key) = @_;
    return $node->request(path => '/me', headers => { 'X-API-Key' => $key })->status;
}

# One request on each node, and then enough for every child.
sub all_say
{
    my ($key, $want, $name) = @_;
    is_deeply([map { status($_, $key) } @nodes], [$want, $want], "$name: the next request on each node");
    my %seen = map { status($nodes[$_ % 2], $key) => 1 } 1 .. 16;
    is_deeply([sort keys %seen], [$want], "$name: every child");
}

sub lines { my ($node, $id) = @_; my $count = () = $node->errorlog =~ /\bRR$id\b/g; return $count }

my @keys = map { $store->key('robot') } 1 .. 3;
all_say($_->{key}, 200, 'a key') for @keys[0 .. 1];
$store->rrctl('key', 'revoke', $keys[0]{id});
all_say($keys[0]{key}, 401, 'revoked');
$store->sql("UPDATE rr_credential SET active = 0");
all_say($keys[1]{key}, 401, 'made inactive by hand');
$store->sql("UPDATE rr_credential SET active = 1");
all_say($keys[1]{key}, 200, 'active again');
$store->sql("DELETE FROM rr_key WHERE id = '$keys[1]{id}'");
all_say($keys[1]{key}, 401, 'deleted by hand');
$store->sql("TRUNCATE rr_key CASCADE");
all_say($keys[2]{key}, 401, 'truncated by hand');

# The server goes away and comes back.
my $key = $store->key('robot');
all_say($key->{key}, 200, 'before the server goes');
$postgres->stop;
all_say($key->{key}, 503, 'while it is away');
my @down = map { lines($_, 10701) } @nodes;
is($nodes[0]->request(path => '/me', headers => { 'X-API-Key' => $key->{key} })->header('Retry-After'), 5, 'with Retry-After');
is_deeply([map { lines($_, 10701) } @nodes], \@down, 'the log says it once a child');
cmp_ok($down[0], '<=', 2, 'and not more');
$postgres->start;
for my $node (@nodes) {
    ok(wait_for(sub { status($node, $key->{key}) == 200 && lines($node, 10702) == lines($node, 10701) }), 'it comes back by itself');
}
all_say($key->{key}, 200, 'after');

# A restart that nobody was there to see: a pooled connection is dead, the request is served all the same.
$postgres->stop;
$postgres->start;
all_say($key->{key}, 200, 'after a restart between requests');
is($store->rrctl('check')->{out}, "The store is sound.\n", 'the store is sound');

expect_log('RR10701');
allow_log('RR10703'); # a batch of last uses may fall into the time without a server
finish();
