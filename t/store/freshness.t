# SPDX-License-Identifier: Apache-2.0
#
# A sqlite3 store that changes, is replaced, locked, missing or not to be opened, under a running server.

use strict;
use warnings;

use File::Copy qw(copy move);
use RR::Test;
use RR::Util qw(give_away server_user);

my $where = <<'CONF';
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF

my $place = place_for('store');
give_away($place);
my $owner = server_user();
my @owner = $owner ? ('--owner', $owner->{name}) : ();
my $store = bless { path => "$place/rr.db" }, 'RR::Test::Store';
my $httpd = httpd(modules => [qw(core keyauth)], children => 2, conf => $store->conf . $where);

sub status
{
    my ($key) = @_;
    return $httpd->request(path => '/me', headers => { 'X-API-Key' => $key })->status;
}

# More requests than there are children: every one of them has to give this answer.
sub all_say
{
    my ($key, $want, $name) = @_;
    my %seen = map { status($key) => 1 } 1 .. 12;
    is_deeply([sort keys %seen], [$want], $name);
}

sub lines { my ($id) = @_; my $count = () = $httpd->errorlog =~ /\bRR$id\b/g; return $count }

# Before there is a store.
my $early = 'rr_live_0123456789ABCDEFGHIJKLMNOPQRSTUV3V9Tmy';
all_say($early, 503, 'no store yet');
like($httpd->errorlog, qr/RR10701.*run rrctl init/, 'and the log says what to run');
my $said = lines(10701);
cmp_ok($said, '<=', 2, 'once a child');
is($store->rrctl('init', @owner)->{exit}, 0, 'rrctl init');
ok(wait_for(sub { status($early) == 401 }), 'it is used without a restart');
wait_for(sub { status($early); lines(10702) == $said });
is(lines(10702), $said, 'and each child says so once');

# Changes, by us and by hand.
my $key = $store->key('robot', '--scope', 'a');
my $sister = $store->key('robot');
all_say($key->{key}, 200, 'a new key');
$store->sql("UPDATE rr_credential SET active = 0 WHERE id = '$key->{credentialId}'");
all_say($key->{key}, 401, 'made inactive by hand');
$store->sql("UPDATE rr_credential SET active = 1 WHERE id = '$key->{credentialId}'");
all_say($key->{key}, 200, 'and active again');
$store->sql("DELETE FROM rr_key WHERE id = '$key->{id}'");
all_say($key->{key}, 401, 'deleted by hand');
all_say($sister->{key}, 200, 'its sister stays');
$store->sql("PRAGMA wal_checkpoint(TRUNCATE)");
all_say($sister->{key}, 200, 'after a checkpoint');
my $rolled = $store->rrctl('--json', 'key', 'roll', $sister->{id})->{json};
secret($rolled->{key}, 'rolled key');
all_say($sister->{key}, 401, 'rolled without overlap');
all_say($rolled->{key}, 200, 'the new one');

# Somebody's own table: a schema change, which no prepared statement of the driver survives.
$store->sql('CREATE TABLE somebodys_own (x)');
all_say($rolled->{key}, 200, 'after a change of schema');
$store->sql('DROP TABLE somebodys_own');

# A writer in the middle of its transaction holds up no reader.
{
    open(my $shell, '|-', 'sqlite3', $store->path) or die "sqlite3: $!\n";
    $shell->autoflush(1);
    my $mark = "$place/locked";
    print $shell "BEGIN EXCLUSIVE;\nUPDATE rr_store SET n = n;\n.shell touch $mark\n";
    wait_for(sub { -e $mark });
    all_say($rolled->{key}, 200, 'while another program writes');
    print $shell "ROLLBACK;\n";
    close($shell);
    unlink($mark);
}

# Another store in its place.
my $next = store('next');
my $theirs = $next->key('robot');
move($next->path, "$place/new.db") or die "move: $!\n";
copy($next->path . '.key', "$place/new.key") or die "copy: $!\n";
rename("$place/new.key", $store->path . '.key') or die "rename: $!\n";
chmod(0600, $store->path . '.key');
give_away($store->path . '.key');
my @old = map { [$_, $store->path . $_] } qw(-wal -shm);
rename($store->path, "$place/old.db");
rename($_->[1], "$place/old.db$_->[0]") for grep { -e $_->[1] } @old;
rename("$place/new.db", $store->path) or die "rename: $!\n";
all_say($rolled->{key}, 503, 'another store, sealed by another master key');
all_say("a-key-of-nobody-$_", 503, "key $_ of many that nobody may have: nobody can tell") for 1 .. 70;
all_say($theirs->{key}, 503, 'nor of its own');
$httpd->graceful;
all_say($theirs->{key}, 200, 'its keys, after a reload that reads its master key');
all_say($rolled->{key}, 401, 'and not those of the store before');

# A wrong master key.
$httpd->stop;
move($store->path . '.key', "$place/right.key");
is($store->rrctl('master-key', 'create', $store->path . '.key')->{exit}, 0, 'another master key');
give_away($store->path . '.key');
$httpd->start;
all_say($theirs->{key}, 503, 'a wrong master key');
like($httpd->errorlog, qr/RR10701.*sealed by master key [0-9a-f]{8}, which was not given/, 'in words');
move("$place/right.key", $store->path . '.key');
$httpd->graceful;
all_say($theirs->{key}, 200, 'control: the right one');

# The file is taken away, and comes back.
my $before = lines(10701);
rename($store->path, "$place/away.db") or die "rename: $!\n";
all_say($theirs->{key}, 503, 'no file any more');
cmp_ok(lines(10701), '<=', $before + 2, 'the log says it once a child');
rename("$place/away.db", $store->path) or die "rename: $!\n";
ok(wait_for(sub { !grep { status($theirs->{key}) != 200 } 1 .. 12 }), 'and again, by itself');

# How long a decision may be old.
$httpd->restart("RRStoreMaxAge 2s\n" . $store->conf . $where);
my $aged = $store->key('aged');
all_say($aged->{key}, 200, 'a key, with RRStoreMaxAge 2s');
is($store->rrctl('key', 'revoke', $aged->{id})->{exit}, 0, 'revoked');
ok(wait_for(sub { status($aged->{key}) == 401 }, 10), 'is refused soon');
all_say($aged->{key}, 401, 'by all, once the time is over') if wait_for(sub { !grep { status($aged->{key}) != 401 } 1 .. 12 }, 10);

# When a key was last let in.
my $used = $store->key('used');
is(status($used->{key}), 200, 'a key is let in');
ok(wait_for(sub { $store->rrctl('--json', 'key', 'show', $used->{id})->{json}{keyLastUsedAt} }, 20), 'and that is noted');
is($store->rrctl('check')->{out}, "The store is sound.\n", 'the store is sound');

expect_log($_) for qw(RR10701 RR10705);
finish();
