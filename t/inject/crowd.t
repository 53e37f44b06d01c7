# SPDX-License-Identifier: Apache-2.0
#
# A thousand slow clients at once through a stored proxy: each holds a worker of httpd and a connection to the target,
# none a connection of the store. Then a target that resets, says garbage, says nothing: 502 or 504, and every worker is free again.
#
# RR_CROWD is how many (1000).

use strict;
use warnings;

use IO::Handle;
use IO::Socket::INET;
use POSIX ();
use RR::Client;
use RR::Inject;
use RR::Postgres;
use RR::Test;
use RR::Util qw(run);

my $crowd = $ENV{RR_CROWD} || 1000;
my ($processes, $threads) = (4, 256);        # of clients and of the target; of each child
my $children = POSIX::ceil($crowd / $threads) + 1; # one child's worth of workers for everybody else
my $sent = 20_000;                           # bytes that a client sends at first: more than mod_proxy waits for
my $left = 6;                                # and those that it does not send yet
my $vendor = secret('vendor-key-' . 'v' x 20, 'vendor key');

# ---- a target whose every process serves many connections ----
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1024, Blocking => 0) or die "listen: $!\n";
my $target = 'http://127.0.0.1:' . $listener->sockport;
my $place = place_for('target'); # begun-N, ended-N: a byte for each request of process N
my @targets = map { my $pid = fork(); die "fork: $!\n" unless defined $pid; serve() if !$pid; $pid } 1 .. $processes;
close($listener);
END { local $?; kill('TERM', @targets) if @targets }

sub serve
{
    my %connections;
    my $note = sub { open(my $file, '>>', "$place/$_[0]") or die "$_[0]: $!\n"; syswrite($file, '.') };
    my $parent = getppid();

    @targets = ();
    while (getppid() == $parent) {
        my $bits = '';
        vec($bits, $_, 1) = 1 for fileno($listener), keys %connections;
        next if select($bits, undef, undef, 1) <= 0;
        if (vec($bits, fileno($listener), 1) and my $c = $listener->accept) {
            $connections{ fileno($c) } = { socket => $c, in => '' };
        }
        for my $fd (grep { vec($bits, $_, 1) } keys %connections) {
            my $c = $connections{$fd};
            my $n = sysread($c->{socket}, $c->{in}, 65536, length $c->{in});
            if (!$n) {
                delete $connections{$fd};
                next;
            }
            if (!defined $c->{length} && $c->{in} =~ s/\A(.*?\r\n\r\n)//s) {
                my $head = $1;
                my ($path) = $head =~ m{^\S+ (\S+)};
                if ($path eq '/silent') {
                    next; # until the gateway has had enough
                }
                if ($path =~ m{^/(reset|garbage)}) {
                    setsockopt($c->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $1 eq 'reset';
                    syswrite($c->{socket}, "\0\1\2 nothing that HTTP knows\r\n\r\n") if $1 eq 'garbage';
                    delete $connections{$fd};
                    next;
                }
                ($c->{length}) = $head =~ /^Content-Length: (\d+)/mi;
                $c->{length} ||= 0;
                $c->{known} = $head =~ /^Authorization: Bearer \Q$vendor\E\r$/m;
                ($c->{slow}) = $path =~ m{^/slow/(\d+)};
                $note->("begun-$c->{slow}") if $c->{slow};
            }
            next if !defined $c->{length} || length $c->{in} < $c->{length};
            my $body = $c->{known} ? 'got ' . length $c->{in} : 'who are you?';
            syswrite($c->{socket}, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "
                                   . length($body) . "\r\n\r\n$body");
            $note->("ended-$c->{slow}") if $c->{slow};
            delete $connections{$fd};
        }
    }
    POSIX::_exit(0);
}

sub count { my ($what) = @_; my $sum = 0; $sum += -s $_ for glob("$place/$what-*"); return $sum }

# ---- clients: processes that hold their share of requests until they are told to go on ----
sub send_crowd
{
    my ($httpd, $caller) = @_;
    my @held;
    for my $n (1 .. $processes) {
        my $share = int($crowd / $processes) + ($n <= $crowd % $processes);
        pipe(my $wait, my $go) or die "pipe: $!\n";
        pipe(my $answers, my $tell) or die "pipe: $!\n";
        my $pid = fork();
        die "fork: $!\n" unless defined $pid;
        if (!$pid) {
            @targets = ();
            close($go);
            close($_->{go}) for @held;
            my $bytes = "POST /gw/vendor/slow/$n HTTP/1.1\r\nHost: x\r\nX-API-Key: $caller->{key}\r\nConnection: close\r\n"
                        . 'Content-Length: ' . ($sent + $left) . "\r\n\r\n" . 'x' x $sent;
            my @clients;
            push(@clients, $httpd->connect(timeout => 120)->send($bytes)) for 1 .. $share;
            sysread($wait, my $word, 1);
            $_->send('y' x $left) for @clients;
            my %answers;
            $answers{ eval { my $res = $_->response; $res->status . ' ' . $res->body } || "none: $@" }++ for @clients;
            syswrite($tell, json_text(\%answers));
            POSIX::_exit(0);
        }
        push(@held, { pid => $pid, go => $go, answers => $answers });
    }
    return @held;
}

sub let_go
{
    my %answers;
    for my $held (@_) {
        close($held->{go});
    }
    for my $held (@_) {
        my $fh = $held->{answers};
        my $got = json_data(do { local $/; <$fh> }) || {};
        $answers{$_} += $got->{$_} for keys %$got;
        waitpid($held->{pid}, 0);
    }
    return \%answers;
}

sub busy { my ($httpd) = @_; return $httpd->request(path => '/server-status?auto')->body =~ /^BusyWorkers: (\d+)/m ? $1 : -1 }

# ---- one store ----
sub crowd_on
{
    my ($name, $store, $connections) = @_;
    my $caller = $store->key('caller');
    stored_proxy($store, 'vendor', $target, caller => $caller,
                 secret => { credentialAuthType => 'key', credentialSecret => { key => $vendor } });
    my $httpd = httpd(modules => [qw(core keyauth rules inject)], extra => ['status'], children => $children, threads => $threads, ports => 2,
                      loglevel => 'warn', conf => $store->conf . <<'CONF');
RRTargetAllow loopback
Timeout 120
ProxyTimeout 120
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/server-status">
    SetHandler server-status
</Location>
<VirtualHost 127.0.0.1:@PORT2@>
    ProxyTimeout 1
</VirtualHost>
CONF
    my $ask = sub { my ($key, $path) = @_; $httpd->request(path => '/gw/vendor' . ($path || '/quick'), headers => { 'X-API-Key' => $key->{key} }) };
    my $in_words = { status => 200, body => 'got 0' };

    unlink(glob("$place/*"));
    check("$name: before", $ask->($caller), $in_words);
    my @held = send_crowd($httpd, $caller);
    ok(wait_for(sub { count('begun') == $crowd }, 60), "$name: $crowd requests have reached the target") or diag(count('begun'));
    cmp_ok(busy($httpd), '>=', $crowd, "$name: each holds a worker");

    # ---- meanwhile ----
    check("$name: another request", $ask->($caller), $in_words);
    my $late = $store->key('caller');
    check("$name: a key that is made", $ask->($late), $in_words);
    is($store->rrctl('key', 'revoke', $late->{id})->{exit}, 0, "$name: which is revoked");
    check("$name: is refused at once", $ask->($late), { status => 401 });
    my ($open, $used) = $connections->($store, $httpd);
    is($used, 0, "$name: no connection of the store is used");
    cmp_ok($open, '<=', 10 * $children, "$name: few are open");
    is(count('ended'), 0, "$name: all of it while $crowd wait");

    my $answers = let_go(@held);
    is_deeply($answers, { '200 got ' . ($sent + $left) => $crowd }, "$name: all of them are answered, with the vendor's credential");
    ok(wait_for(sub { busy($httpd) == 1 }, 30), "$name: every worker is free again");
    return ($httpd, $ask, $caller);
}

# ---- sqlite3: a reader's snapshot would keep the log of changes from being emptied ----
my ($httpd, $ask, $caller) = crowd_on('sqlite3', store(), sub {
    my ($store, $httpd) = @_;
    my $got = run('sqlite3', $store->path, 'PRAGMA wal_checkpoint(TRUNCATE);');
    my ($busy) = $got->{out} =~ /^(\d+)\|/;
    my @open = grep { (readlink($_) || '') eq $store->path } map { glob("/proc/$_/fd/*") } $httpd->children;
    return (scalar @open, $busy);
});

# ---- targets that fail ----
for my $case (['resets', '/reset', 502], ['says garbage', '/garbage', 502], ['says nothing', '/silent', 504, on => 2]) {
    my ($how, $path, $status, @on) = @$case;
    my @connections = map { $httpd->connect(@on) } 1 .. 30;
    $_->send($_->bytes(path => "/gw/vendor$path", headers => { 'X-API-Key' => $caller->{key} })) for @connections;
    my @answers = map { $_->response } @connections;
    check("a target that $how", $answers[0], { status => $status, json => { status => $status, detail => qr/target/ } });
    is(scalar(grep { $_->status == $status } @answers), 30, "a target that $how, thirty at once");
}
ok(wait_for(sub { busy($httpd) == 1 }, 30), 'no worker is lost');
check('the target, when it is well', $ask->($caller), { status => 200, body => 'got 0' });

$httpd->stop;

# ---- pgsql ----
my $postgres = RR::Postgres->new(place_for('pg') . '/server');
SKIP: {
    skip('PostgreSQL is not installed', 1) if !$postgres;
    ($httpd) = crowd_on('pgsql', $postgres->store, sub {
        my ($store) = @_;
        my $where = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        return ($store->sql("SELECT count(*) $where"), $store->sql("SELECT count(*) $where AND state <> 'idle'"));
    });
    $httpd->stop;
}

expect_log(qr/AH01102|AH01097|AH00898|AH10291/);
allow_log('AH01630', qr/AH0\d{4}/);
finish();
