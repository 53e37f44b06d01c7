# SPDX-License-Identifier: Apache-2.0
#
# A store that takes no changes, or does not answer: locked, read-only, its disk full, its server gone. A clear 503 at
# once, reads go on where they can, one line of log a change of state, recovery without a restart, nothing lost.

use strict;
use warnings;

use RR::Admin;
use RR::Postgres;
use RR::Test;
use RR::Util qw(family give_away run server_user);
use Time::HiRes qw(time);

my $conf = admin_location() . <<'CONF';
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF

# One child, so that one line a child is one line.
my ($what, $store, $httpd, $operator, $unseen, %acknowledged, %lines);
my $count = 0;

sub begin
{
    ($what, $store) = @_;
    %acknowledged = ();
    $operator = $store->key('operator', '--scope', 'rr:admin')->{key};
    $unseen = [map { $store->key('unseen')->{key} } 1 .. 8];
    $httpd = httpd(modules => [qw(core keyauth admin)], children => 1, conf => $store->conf . $conf);
    is(get($operator), 200, "$what: a key, before");
    is(put(), 201, "$what: a change, before");
    count_lines();
}

sub get { return $httpd->request(path => '/me', headers => { 'X-API-Key' => $_[0] })->status }

# A client made over HTTP; what was acknowledged is remembered.
sub put
{
    my $id = 'made' . ++$count;
    my $begun = time();
    my $res = RR::Admin->new($httpd, $operator)->call('POST', '/clients', { clientName => $id, id => $id });
    $acknowledged{$id} = 1 if $res->status == 201;
    if ($res->status == 503) {
        check("$what: a refusal in words", $res, { headers => { 'Content-Type' => 'application/problem+json',
              'Retry-After' => qr/^\d+$/ }, json => { status => 503, detail => qr/ cannot be / } });
        # APR's driver alone would hold the worker for longer.
        cmp_ok(time() - $begun, '<', 1.5, "$what: and soon");
    }
    return $res->status;
}

sub count_lines { for my $id (10701, 10702, 10712, 10713) { $lines{$id} = () = $httpd->errorlog =~ /\bRR$id\b/g } }

# How many of each line since it was last asked.
sub said
{
    my ($name, %want) = @_;
    my %before = %lines;
    count_lines();
    my %got = map { $lines{$_} - $before{$_} ? ($_ => $lines{$_} - $before{$_}) : () } keys %lines;
    is_deeply(\%got, \%want, "$what: $name: the log says so once");
}

# Changes are refused, reads go on, in any order.
sub reads_only
{
    my ($name) = @_;
    for (1 .. 3) {
        is(put(), 503, "$what: $name: a change");
        is(get($operator), 200, "$what: $name: a key that was seen");
        is(get(shift(@$unseen)), 200, "$what: $name: a key that was not");
    }
    said($name, 10712 => 1);
}

# All is well again, and everything that was acknowledged is there; tries: how many changes that may take.
sub well_again
{
    my ($name, $tries, %said) = @_;
    my $status = 0;
    $status = put() while $tries-- && $status != 201;
    is($status, 201, "$what: $name: a change");
    is(get(shift(@$unseen)), 200, "$what: $name: a key");
    is(get($operator), 200, "$what: $name: a key that was seen");
    said($name, %said);
    my $listed = RR::Admin->new($httpd, $operator)->call('GET', '/clients?limit=100')->json;
    my %there = map { $_->{id} => 1 } @{ $listed->{clients} };
    is_deeply([grep { !$there{$_} } sort keys %acknowledged], [], "$what: $name: nothing is lost that was acknowledged");
    is($store->rrctl('check')->{out}, "The store is sound.\n", "$what: $name: the store is sound");
}

# Another program in the middle of a write transaction, while code runs.
sub while_locked
{
    my ($command, $statement, $escape, $code) = @_;
    my $mark = place_for() . "/locked$$";
    open(my $shell, '|-', @$command) or die "$command->[0]: $!\n";
    $shell->autoflush(1);
    print $shell "$statement\n$escape touch $mark\n";
    ok(wait_for(sub { -e $mark }), "$what: another program locks it");
    $code->();
    print $shell "ROLLBACK;\n";
    close($shell);
    unlink($mark);
}

# PostgreSQL with its connections open, and no word from it: few requests are stuck with it, the others refused.
sub fall_silent
{
    my ($postgres) = @_;
    $httpd = httpd(modules => [qw(core keyauth)], children => 1, threads => 32, conf => $store->conf . $conf);
    is(get($operator), 200, 'pgsql: before it falls silent');
    count_lines();
    my @processes = family($postgres->{pid});
    kill('STOP', @processes);
    my @waiting = map { my $c = $httpd->connect; $c->send($c->bytes(path => '/me', headers => { 'X-API-Key' => $operator })); $c } 1 .. 24;
    my @refused;
    ok(wait_for(sub {
        my $bits = '';
        vec($bits, fileno($_->{socket}), 1) = 1 for @waiting;
        select($bits, undef, undef, 0.1);
        my @ready = grep { vec($bits, fileno($_->{socket}), 1) } @waiting;
        @waiting = grep { !vec($bits, fileno($_->{socket}), 1) } @waiting;
        push(@refused, map { $_->response->status } @ready);
        @refused >= 20;
    }, 10), 'pgsql: silent: all but a few requests are answered') or diag(scalar @refused);
    is_deeply([grep { $_ != 503 } @refused], [], 'pgsql: silent: with 503');
    is(get($operator), 503, 'pgsql: silent: one more');
    my $begun = time();
    is(get($operator), 503, 'pgsql: silent: and another');
    cmp_ok(time() - $begun, '<', 1, 'pgsql: silent: at once');
    said('silent', 10701 => 1);
    kill('CONT', @processes, $postgres->{child}); # runuser stops with its child
    my @late = map { eval { $_->response->status } || $@ } @waiting;
    ok((grep { $_ eq '200' } @late), 'pgsql: it speaks again: what was asked is answered') or diag("@late");
    is(get($operator), 200, 'pgsql: it speaks again');
    said('speaks again', 10702 => 1);
}

# ---- sqlite3, locked ----
begin('sqlite3', store());
while_locked(['sqlite3', $store->path], "BEGIN EXCLUSIVE;\nUPDATE rr_store SET n = n;", '.shell', sub { reads_only('locked') });
well_again('unlocked', 1, 10713 => 1);

# ---- sqlite3, read-only ----
SKIP: {
    skip('the server runs as root, whom no mode stops', 1) if $> == 0 && !server_user();
    $httpd->stop; # what has the file open for writing may go on
    chmod(0444, $store->path);
    $httpd->start;
    is(get($operator), 200, 'a read-only file is read');
    count_lines();
    reads_only('read-only');
    chmod(0600, glob($store->path . '{,-wal,-shm}')); # SQLite made the log with the database's mode
    well_again('to be written again', 3, 10713 => 1);
}

# ---- sqlite3, on a full disk ----
my $disk;
END {
    if ($disk) {
        local $?;
        run('umount', '-l', $disk);
    }
}
SKIP: {
    my $place = place_for('disk');
    skip('only root mounts a small disk', 1) if $> != 0;
    skip('no disk can be mounted here', 1) if run('mount', '-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', $place)->{exit};
    $disk = $place;
    give_away($disk);
    my $small = bless { path => "$disk/rr.db" }, 'RR::Test::Store';
    my $user = server_user();
    my $made = $small->rrctl('init', $user ? ('--owner', $user->{name}) : ());
    is($made->{exit}, 0, 'a store on a small disk') or diag($made->{err});
    begin('full disk', $small);
    run('dd', 'if=/dev/zero', "of=$disk/filler", 'bs=4096');
    my ($status, $tries) = (201, 200);
    $status = put() while $tries-- && $status == 201; # the log has some room left
    is($status, 503, 'full disk: a change is refused in the end');
    reads_only('full');
    unlink("$disk/filler");
    well_again('room again', 3, 10713 => 1);
    $httpd->stop;
    is($small->rrctl('check')->{out}, "The store is sound.\n", 'full disk: sound without the server');
}

# ---- pgsql ----
my $postgres = RR::Postgres->new(place_for('pg') . '/server');
SKIP: {
    skip('PostgreSQL is not installed', 1) if !$postgres;
    begin('pgsql', $postgres->store);
    my $conninfo = $postgres->conninfo($store->{database});
    while_locked(['psql', '-q', $conninfo], "BEGIN;\nUPDATE rr_store SET n = n;", '\\!', sub { reads_only('locked') });
    well_again('unlocked', 1, 10713 => 1);
    $postgres->stop;
    for (1 .. 3) {
        is(get($operator), 503, 'pgsql: gone: a key that was seen');
        is(put(), 503, 'pgsql: gone: a change');
        is(get($unseen->[0]), 503, 'pgsql: gone: a key that was not');
        is(get($unseen->[0] =~ s/(.)$/$1 eq 'x' ? 'y' : 'x'/er), 401, 'pgsql: gone: one whose checksum is wrong, of which no store is asked');
    }
    said('gone', 10701 => 1);
    $postgres->start;
    ok(wait_for(sub { get($operator) == 200 }), 'pgsql: it comes back by itself');
    well_again('back', 1, 10702 => 1);
    $postgres->stop;
    $postgres->start;
    well_again('restarted between two requests', 1);
    $httpd->stop;
    fall_silent($postgres);
}

expect_log(qw(RR10712));
allow_log(qw(RR10701 RR10703));
finish();
