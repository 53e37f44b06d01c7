# SPDX-License-Identifier: Apache-2.0
#
# Bodies that do not end soon: large ones in flat memory, event streams, upgrades, slow clients, 100-continue.
#
# RR_STREAM_MB is how much goes each way (100).

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use RR::Client;
use RR::Inject;
use RR::Test;
use RR::Util qw(free_port);

my $megabytes = $ENV{RR_STREAM_MB} || 100;
my $store = store();
my $caller = $store->key('caller');
my $vendor = secret('vendor-key-' . 'v' x 20, 'vendor key');
my $port = free_port();

# ---- a target of few words: each connection is served by what its path says ----
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 128, ReuseAddr => 1)
    or die "port $port: $!\n";
my $target = fork();
die "fork: $!\n" unless defined $target;
if (!$target) {
    local $SIG{CHLD} = 'IGNORE';
    while (my $c = $listener->accept) {
        my $pid = fork();
        if (!$pid) {
            serve($c);
            POSIX::_exit(0);
        }
        close($c);
    }
    POSIX::_exit(0);
}
close($listener);
END { local $?; kill('TERM', $target) if $target }

sub serve
{
    my ($c) = @_;
    my $in = '';
    while ($in !~ /\r\n\r\n/) { sysread($c, $in, 65536, length $in) or return }
    $in =~ s/\A(.*?\r\n\r\n)//s;
    my $head = $1;
    syswrite($c, "HTTP/1.1 100 Continue\r\n\r\n") if $head =~ /^Expect: 100-continue/mi;
    if ($head =~ m{^POST /up}) {
        my ($length) = $head =~ /^Content-Length: (\d+)/mi;
        my $got = length $in;
        my $chunked = $head =~ /^Transfer-Encoding: chunked/mi;
        while ($chunked ? $in !~ /0\r\n\r\n\z/ : $got < $length) {
            my $n = sysread($c, $in, 1 << 20) or last;
            $got += $n;
        }
        my $body = "got $got";
        syswrite($c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: "
                     . length($body) . "\r\n\r\n$body");
    }
    elsif ($head =~ m{^GET /down/(\w+)}) {
        my $piece = 'y' x (1 << 20);
        syswrite($c, "HTTP/1.1 200 OK\r\nContent-Type: " . ($1 eq 'json' ? 'application/json' : 'application/octet-stream')
                     . "\r\nConnection: close\r\nContent-Length: " . $megabytes * (1 << 20) . "\r\n\r\n");
        for (1 .. $megabytes) {
            my $left = $piece;
            while (length $left) { my $n = syswrite($c, $left) or return; substr($left, 0, $n) = '' }
        }
    }
    elsif ($head =~ m{^GET /events}) {
        syswrite($c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: one\n\n");
        sysread($c, $in, 1); # until the test has read it
        syswrite($c, "data: $vendor\n\n");
    }
    elsif ($head =~ m{^GET /socket}) {
        return unless $head =~ /^Upgrade: websocket/mi && $head =~ /\Q$vendor\E/;
        syswrite($c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        while (sysread($c, $in, 65536)) { syswrite($c, "echo:$in") }
    }
    else {
        syswrite($c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    }
}

stored_proxy($store, 'vendor', "http://127.0.0.1:$port", caller => $caller,
             secret => { credentialAuthType => 'key', credentialSecret => { key => $vendor } });
my $httpd = httpd(modules => [qw(core keyauth inject)], children => 1, threads => 64, loglevel => 'info',
                  conf => $store->conf . <<'CONF');
RRTargetAllow loopback
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF
my %key = ('X-API-Key' => $caller->{key});
sub resident { return slurp('/proc/' . ($httpd->children)[0] . '/status') =~ /^VmRSS:\s+(\d+)/m ? $1 : 0 }

check('a first request', $httpd->request(path => '/gw/vendor/x', headers => { %key }), { status => 200, body => 'ok' });
my $before = resident();

# ---- large bodies ----
sub download
{
    my ($what) = @_; # "json" is looked through, "binary" is not
    my $client = $httpd->connect;
    $client->send("GET /gw/vendor/down/$what HTTP/1.1\r\nHost: x\r\nX-API-Key: $caller->{key}\r\nConnection: close\r\n\r\n");
    my ($got, $piece) = (0, '');
    while (my $n = sysread($client->{socket}, $piece, 1 << 20)) {
        $got += $n;
    }
    return $got;
}
for my $what (qw(binary json)) {
    my $got = download($what);
    cmp_ok($got, '>=', $megabytes << 20, "$megabytes MB down, $what");
    cmp_ok(resident() - $before, '<', 20_000, "$what: the child did not grow by it") or diag("$before kB, then " . resident());
}
for my $how ("Content-Length: " . ($megabytes << 20), 'Transfer-Encoding: chunked') {
    my $client = $httpd->connect;
    my $piece = 'z' x (1 << 20);
    $client->send("POST /gw/vendor/up HTTP/1.1\r\nHost: x\r\nX-API-Key: $caller->{key}\r\nConnection: close\r\n$how\r\n\r\n");
    for (1 .. $megabytes) {
        $client->send($how =~ /chunked/ ? "100000\r\n$piece\r\n" : $piece);
    }
    $client->send("0\r\n\r\n") if $how =~ /chunked/;
    my $res = $client->response;
    check("$megabytes MB up, $how", $res, { status => 200, body => qr/^got \d{6,}/ });
    my ($got) = $res->body =~ /(\d+)/;
    cmp_ok($got || 0, '>=', $megabytes << 20, 'all of it');
    cmp_ok(resident() - $before, '<', 20_000, 'the child did not grow by it') or diag("$before kB, then " . resident());
}

# ---- what is sent while the answer goes on ----
{
    my $client = $httpd->connect;
    $client->send($client->bytes(path => '/gw/vendor/events', headers => { %key }, keep => 1));
    ok($client->fill(sub { $client->{buffer} =~ /data: one\n\n/ }), 'an event arrives before the stream ends');
    $client->close;
}
{
    my $client = $httpd->connect;
    $client->send("GET /gw/vendor/socket HTTP/1.1\r\nHost: x\r\nX-API-Key: $caller->{key}\r\nConnection: Upgrade\r\n"
                  . "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n");
    my $res = $client->response;
    is($res->status, 101, 'an upgrade');
    $client->send('hello');
    ok($client->fill(sub { $client->{buffer} =~ /echo:hello/ }), 'goes both ways');
    $client->close;
}
{
    my $client = $httpd->connect;
    $client->send("POST /gw/vendor/up HTTP/1.1\r\nHost: x\r\nX-API-Key: $caller->{key}\r\nConnection: close\r\n"
                  . "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    ok($client->fill(sub { $client->{buffer} =~ m{^HTTP/1.1 100 } }), '100-continue is answered before the body');
    $client->send('hello');
    check('and then the request', $client->response, { status => 200, body => 'got 5' });
}

# ---- slow clients hold no connection of the store ----
{
    my @slow = map { my $c = $httpd->connect; $c->send("POST /gw/vendor/up HTTP/1.1\r\nHost: x\r\nX-API-Key: $caller->{key}\r\n"
                     . "Connection: close\r\nContent-Length: 6\r\n\r\nsl"); $c } 1 .. 40;
    check('a request beside forty that are slow', $httpd->request(path => '/gw/vendor/x', headers => { %key }), { status => 200 });
    $_->send('ow!!') for @slow;
    is(scalar(grep { $_->response->status == 200 } @slow), 40, 'which are all answered in the end');
}

allow_log('AH01102', 'AH01630', qr/AH01110|AH10291|AH02968|AH0/);
finish();
