# SPDX-License-Identifier: Apache-2.0
#
# A flood of keys that nobody has: from some time on a child knows the digests of all keys, and refuses the others
# without a statement; what is made, revoked or expires counts as ever.

use strict;
use warnings;

use RR::Postgres;
use RR::Test;

my $where = <<'CONF';
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF
my ($httpd, $nobodys) = (undef, 0);

sub answer { my ($key) = @_; return $httpd->request(path => '/me', headers => { 'X-API-Key' => $key }) }
sub says { my ($key, $status, $name) = @_; is(answer($key)->status, $status, $name) }
sub lines { my ($id) = @_; my $count = () = $httpd->errorlog =~ /\bRR$id\b/g; return $count }

# So many keys, each another one; true if each got that status.
sub flood
{
    my ($many, $status) = @_;
    my $client = $httpd->connect;
    my %seen;
    $seen{ $client->exchange(path => '/me', keep => 1, headers => { 'X-API-Key' => 'a-key-of-nobody-' . ++$nobodys })->status }++ for 1 .. $many;
    $client->close;
    return ($seen{$status} || 0) == $many;
}

# A flood until the child has read the digests once more.
sub flood_until_read
{
    my ($name) = @_;
    my $before = lines(10714);
    ok(wait_for(sub { flood(20, 401) or die "not refused\n"; lines(10714) > $before }), $name);
}

sub judged
{
    my ($store) = @_;
    my $key = $store->key('robot');
    my $expired = $store->key('robot');
    my $inactive = $store->key('sleeper');

    $store->sql("UPDATE rr_key SET expires = 1 WHERE id = '$expired->{id}'");
    $store->sql("UPDATE rr_credential SET active = 0 WHERE id = '$inactive->{credentialId}'");
    says($key->{key}, 200, 'a key');
    ok(flood(30, 401), 'some keys that nobody has are refused');
    is(lines(10714), 0, 'which is no reason to read all digests');
    flood_until_read('a flood is');
    like($httpd->errorlog, qr/RR10714: the digests of all 4 keys were read into \d+ bytes/, 'all of them, of the administrator too');

    says($key->{key}, 200, 'the key');
    check('a key that has expired is known', answer($expired->{key}), { status => 401, json => { detail => 'The API key has expired.' } });
    check('an inactive one too', answer($inactive->{key}), { status => 401, json => { detail => 'The API key is not valid.' } });
    my $new = $store->key('robot');
    says($new->{key}, 200, 'a key that was made since, next request');
    is($store->rrctl('key', 'revoke', $key->{id})->{exit}, 0, 'revoked');
    says($key->{key}, 401, 'the revoked key, next request');
    says($new->{key}, 200, 'its sister stays');
    my $read = lines(10714);
    ok(flood(30, 401), 'some more of nobody');
    is(lines(10714), $read, 'are no reason to read the digests of every change');
    flood_until_read('a flood is one again');
    says($key->{key}, 401, 'the revoked key');
    says($new->{key}, 200, 'its sister');
    $store->sql("UPDATE rr_credential SET active = 1 WHERE id = '$inactive->{credentialId}'");
    says($inactive->{key}, 200, 'active by hand, next request');
    $store->sql("DELETE FROM rr_key WHERE id = '$new->{id}'");
    says($new->{key}, 401, 'deleted by hand, next request');
}

# What was read may be old, but a key that nobody asked for before has no answer that could be.
sub made_since
{
    my ($store) = @_;
    my $key = $store->key('early');

    says($key->{key}, 200, 'RRStoreMaxAge: a key');
    flood_until_read('a flood');
    says($store->key('late')->{key}, 200, 'a key that was made since, next request');
}

# Without the table no statement about keys can be answered.
sub without_a_statement
{
    my ($store) = @_;
    my $unseen = $store->key('unseen');

    flood_until_read('a flood');
    $store->sql('ALTER TABLE rr_key RENAME TO rr_key_away');
    ok(flood(90, 401), 'keys that nobody has are refused without a statement');
    says($unseen->{key}, 503, 'control: a key that somebody may have is looked up');
    $store->sql('ALTER TABLE rr_key_away RENAME TO rr_key');
    ok(wait_for(sub { answer($unseen->{key})->status == 200 }), 'and let in when it can be');
}

# What was found before, and is there no more, is remembered as that, too.
sub revoked_once
{
    my ($store) = @_;
    my $key = $store->key('leaving');

    says($key->{key}, 200, 'a key');
    is($store->rrctl('key', 'revoke', $key->{id})->{exit}, 0, 'revoked');
    says($key->{key}, 401, 'is refused');
    $store->sql('ALTER TABLE rr_key RENAME TO rr_key_away');
    says($key->{key}, 401, 'and from then on without a statement');
    ok(flood(1, 503), 'control: another is looked up');
    $store->sql('ALTER TABLE rr_key_away RENAME TO rr_key');
    ok(wait_for(sub { flood(1, 401) }), 'as before');
}

my $postgres = RR::Postgres->new(place_for('pg') . '/server');
for my $kind (['sqlite3', store()], $postgres ? ['pgsql', $postgres->store] : ()) {
    my ($driver, $store) = @$kind;
    note($driver);
    $httpd = httpd(modules => [qw(core keyauth)], children => 1, conf => $store->conf . $where);
    judged($store);
    $httpd->restart($store->conf . "RRStoreMaxAge 1h\n" . $where);
    made_since($store);
    next if $driver eq 'sqlite3'; # a change of its schema ends its connections, and with them what is known
    without_a_statement($store);
    $httpd->restart($store->conf . $where);
    revoked_once($store);
}
note('PostgreSQL is not installed') unless $postgres;

expect_log('RR10701');
allow_log('RR10703'); # a key's last use may be written while its table is away
finish();
