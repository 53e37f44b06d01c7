# SPDX-License-Identifier: Apache-2.0
#
# Processes killed with -9 in the middle of a thousand writes, httpd's children and rrctl, on both stores: what was
# acknowledged is there and whole, what was not is not half there, the revision counts every change.

use strict;
use warnings;

use RR::Admin;
use RR::Postgres;
use RR::Test;
use RR::Util qw(run);

my $writes = 1000;

my $conf = admin_location() . <<'CONF';
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF

sub revision { return $_[0]->sql('SELECT n FROM rr_store') }

# Every credential has its key, and no key is without: one transaction made both.
sub whole
{
    my ($what, $store) = @_;
    is($store->rrctl('check')->{out}, "The store is sound.\n", "$what: rrctl check");
    is($store->sql("SELECT count(*) FROM rr_credential c WHERE c.name LIKE 'made%' AND NOT EXISTS "
              . '(SELECT 1 FROM rr_key k WHERE k.credential = c.id)'), 0, "$what: nothing is half there");
}

# One child or another is killed now and then, while credentials are made over kept-alive connections.
sub kill_children
{
    my ($what, $store) = @_;
    my $operator = $store->key('operator', '--scope', 'rr:admin')->{key};
    my $httpd = httpd(modules => [qw(core keyauth admin)], children => 3, conf => $store->conf . $conf);
    my $admin = RR::Admin->new($httpd, $operator);
    my $before = revision($store);
    my (%acknowledged, $client, $lost);
    my ($killed, $next) = (0, 70);

    for my $n (1 .. $writes) {
        # Killed by a program of its own a moment later, so that it is in the middle of something.
        if ($n == $next) {
            my @children = $httpd->children;
            my $victim = @children ? $children[$n / 70 % @children] : 0;
            my $wait = ($n * 7919) % 3000 / 1e6;
            my $pid = fork();
            die "fork: $!\n" unless defined $pid;
            if ($pid == 0) {
                select(undef, undef, undef, $wait);
                kill('KILL', $victim) if $victim;
                POSIX::_exit(0);
            }
            $killed++ if $victim;
            $next += 70;
        }
        my $name = sprintf('made%05d', $n);
        $client ||= eval { $httpd->connect };
        my $res = $client && eval {
            $client->exchange(keep => 1, $admin->request('POST', 'credentials',
                { credentialType => 'proxy', credentialAuthType => 'key', credentialName => $name }));
        };
        if ($res && $res->status == 201) {
            $acknowledged{$name} = $res->json->{credentials}[0]{credentialSecret}{key};
        }
        else {
            $lost++;
            undef $client;
        }
        undef $client if $res && ($res->header('Connection') || '') =~ /close/i;
    }
    1 while waitpid(-1, POSIX::WNOHANG()) > 0;
    cmp_ok($killed, '>=', 10, "$what: children were killed");
    ok($lost, "$what: in the middle of something: " . ($lost || 0) . ' without an answer');
    cmp_ok(scalar keys %acknowledged, '>', $writes / 2, "$what: most writes were acknowledged");
    ok(wait_for(sub { (eval { $httpd->request(path => '/me', headers => { 'X-API-Key' => $operator })->status } || 0) == 200 }),
       "$what: httpd goes on");
    whole($what, $store);
    my %there = map { $_ => 1 } split(/\n/, $store->sql("SELECT name FROM rr_credential WHERE name LIKE 'made%'"));
    is_deeply([grep { !$there{$_} } sort keys %acknowledged], [], "$what: every acknowledged write is there");
    cmp_ok(keys(%there) - keys(%acknowledged), '<=', $lost, "$what: and at most those beside it that were being written");
    my @some = (sort keys %acknowledged)[map { $_ * 20 } 0 .. keys(%acknowledged) / 20 - 1];
    is_deeply([grep { $httpd->request(path => '/me', headers => { 'X-API-Key' => $acknowledged{$_} })->status != 200 } @some], [],
              "$what: their keys are let in");
    is(revision($store) - $before, counted($store, 2 * keys(%there), scalar keys %there), "$what: the revision counts exactly what is there");
    $httpd->stop;
}

# rrctl as a loop of a thousand calls would be slow: many in a row, each killed sooner or later, then one long apply.
sub kill_rrctl
{
    my ($what, $store) = @_;
    my $place = place_for();
    my ($before, $count) = (revision($store), $store->sql('SELECT count(*) FROM rr_credential'));
    my (@done, $killed);

    for my $n (1 .. 30) {
        my $name = "called$n";
        my $got = killed_after($n * 0.0007, $store, '--json', 'key', 'create', $name);
        push(@done, $name) if !$got->{exit};
        $killed++ if $got->{exit} == 137;
    }
    ok($killed, "$what: rrctl was killed: " . ($killed || 0) . ' of 30');
    my %there = map { $_ => 1 } split(/\n/, $store->sql("SELECT name FROM rr_credential WHERE name LIKE 'called%'"));
    is_deeply([grep { !$there{$_} } @done], [], "$what: what rrctl said was done is there");

    # A thousand objects in one transaction: all of them, or none.
    my $file = "$place/thousand.json";
    spew($file, json_text({ credentials => [map {
        { credentialType => 'proxy', credentialAuthType => 'key', credentialName => "applied$_" } } 1 .. $writes] }));
    my %seen;
    for my $wait (0.02, 0.05, 0.1, 0.15, 0.2) {
        my $got = killed_after($wait, $store, 'apply', '-f', $file);
        my $applied = $store->sql("SELECT count(*) FROM rr_credential WHERE name LIKE 'applied%'");
        $seen{"$applied"}++;
        ok($applied == 0 || $applied == $writes, "$what: apply killed after $wait s: all or nothing: $applied")
            or diag($got->{err});
        last if $applied;
    }
    ok($seen{0}, "$what: it was killed before its end");
    my $got = $store->rrctl('apply', '-f', $file);
    is($got->{exit}, 0, "$what: control: and then it is let") or diag($got->{err});
    is($store->sql("SELECT count(*) FROM rr_credential WHERE name LIKE 'applied%'"), $writes, "$what: control: all of them");
    whole($what, $store);
    my $added = $store->sql('SELECT count(*) FROM rr_credential') - $count;
    is(revision($store) - $before, counted($store, 2 * $added, keys(%there) + 1),
       "$what: the revision counts exactly what is there");
}

# What the revision counts: on sqlite3 rows, two of each credential (its own and its key's), on pgsql transactions.
sub counted { my ($store, $rows, $transactions) = @_; return $store->isa('RR::Postgres::Store') ? $transactions : $rows }

# rrctl, killed after so many seconds if it is not done by then.
sub killed_after
{
    my ($wait, $store, @args) = @_;
    my @key = $store->{key_file} ? ('--master-key', $store->{key_file}) : ();
    my $got = run('timeout', '-s', 'KILL', $wait, rrctl_program(), '--store', $store->name, @key, @args);
    return $got;
}

my $sqlite = store();
kill_children('sqlite3', $sqlite);
kill_rrctl('sqlite3, rrctl', $sqlite);

my $postgres = RR::Postgres->new(place_for('pg') . '/server');
SKIP: {
    skip('PostgreSQL is not installed', 1) if !$postgres;
    my $store = $postgres->store;
    kill_children('pgsql', $store);
    kill_rrctl('pgsql, rrctl', $store);
}

allow_log(qr/AH00052: child pid \d+ exit signal Killed/, qw(AH10392 RR10701 RR10712 RR10703));
finish();
