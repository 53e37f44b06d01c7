# SPDX-License-Identifier: Apache-2.0
#
# Streams: an event leaves with the flush that brought it; memory does not grow with the body, of a hundred megabytes
# or of as many as RR_STREAM_MB says.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use RR::Test;
use RR::Util qw(json_text free_port spew slurp wait_for);

my $httpd = httpd(modules => [qw(core filter)], start => 0);
my $dir = $httpd->dir;
my $port = free_port();
my $filters = $httpd->file('filters.json', json_text([{ operations => [{ effect => 'destroy',
    jsonPath => { pattern => '(^|\.)ssn$' } }] }]));
$httpd->{conf} = <<"CONF";
EnableMMAP Off
<Location "/events">
    RRFilters $filters
    ProxyPass "http://127.0.0.1:$port"
</Location>
<Location "/held">
    RRFilters $filters
    RRFilterBuffer 2m
</Location>
<Location "/files">
    RRFilters $filters
    RRFilterBuffer 64k
</Location>
CONF

# A backend that sends the next piece when the test says so (a file appears).
my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 5, ReuseAddr => 1) or die "listen: $!";
my $backend = fork();
if (!$backend) {
    $SIG{ALRM} = sub { POSIX::_exit(1) };
    alarm(60);
    for my $n (1 .. 3) {
        my $connection = $listen->accept or last;
        my $request = '';
        sysread($connection, $request, 4096, length $request) until $request =~ /\r\n\r\n/;
        my ($type) = $request =~ m{^GET /lines} ? 'application/x-ndjson' : 'text/event-stream';
        my @pieces = $type =~ /ndjson/ ? (qq({"ssn":1,"n":1}\n),
            qq({"ssn":2,"n":2}\n)) : (qq(data: {"ssn":1,"n":1}\n\n), qq(data: {"ssn":2,"n":2}\n\n));
        syswrite($connection, "HTTP/1.1 200 OK\r\nContent-Type: $type\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
        for my $i (0 .. $#pieces) {
            wait_for(sub { -e "$dir/go$n-$i" });
            syswrite($connection, sprintf("%x\r\n%s\r\n", length $pieces[$i], $pieces[$i]));
        }
        wait_for(sub { -e "$dir/go$n-end" });
        syswrite($connection, "0\r\n\r\n");
        close($connection);
    }
    POSIX::_exit(0);
}
close($listen);
$httpd->start;

# What has come within ten seconds, up to the pattern.
sub until_seen
{
    my ($socket, $in, $pattern) = @_;
    my $select = IO::Select->new($socket);
    while ($$in !~ $pattern && $select->can_read(10)) {
        sysread($socket, $$in, 65536, length $$in) or last;
    }
    return $$in =~ $pattern;
}

for my $case ([1, 'events', '/events/e', qr/data: \{"n":1\}\n\n/, qr/data: \{"n":2\}\n\n/], [2, 'lines',
    '/events/lines', qr/\{"n":1\}\n/, qr/\{"n":2\}\n/]) {
    my ($n, $name, $path, $first, $second) = @$case;
    my $in = '';
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $httpd->port) or die "connect: $!";
    syswrite($socket, "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    spew("$dir/go$n-0", '');
    ok(until_seen($socket, \$in, $first), "$name: the first leaves before the second is there");
    ok($in !~ $second, "$name: which it is not");
    spew("$dir/go$n-1", '');
    ok(until_seen($socket, \$in, $second), "$name: the second leaves before the end");
    spew("$dir/go$n-end", '');
    ok(until_seen($socket, \$in, qr/\r\n0\r\n\r\n\z/), "$name: and the end comes");
    unlike($in, qr/ssn/, "$name: without what was cut");
}
kill('TERM', $backend);
waitpid($backend, 0);

# ---- memory ----

# Memory of all children, in KiB: what is anonymous now, or (VmHWM) the most there was.
sub memory
{
    my ($what) = (@_, 'RssAnon');
    my $sum = 0;
    for my $pid ($httpd->children) {
        $sum += $1 if eval { slurp("/proc/$pid/status") } =~ /^$what:\s+(\d+)/m;
    }
    return $sum;
}

sub fetch
{
    my ($path) = @_;
    my ($bytes, $ssn, $tail) = (0, 0, '');
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $httpd->port) or die "connect: $!";
    syswrite($socket, "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    while (my $n = sysread($socket, my $piece, 1 << 20)) {
        $bytes += $n;
        $ssn += () = $piece =~ /ssn/g;
        $tail = substr($tail . $piece, -7);
    }
    return ($bytes, $ssn, $tail);
}

my $most = $ENV{RR_STREAM_MB} || 100;
my $record = json_text({ ssn => '123-45-6789', n => 1, text => 'x' x 200, list => [1 .. 20], deep => { ssn => 1,
    more => [{ ssn => 2 }] } });
for my $size (1, $most) {
    open(my $file, '>', "$dir/htdocs/$size.json") or die $!;
    my $piece = join(',', ($record) x 1000);
    print $file '[', $piece;
    print $file ',', $piece for 2 .. $size * 1024 * 1024 / length $piece;
    print $file ']';
    close($file);
}
mkdir("$dir/htdocs/files");
rename("$dir/htdocs/$_.json", "$dir/htdocs/files/$_.json") for 1, $most;
fetch('/files/1.json') for 1 .. 8; # whatever grows at first has grown
my $before = memory();
my ($bytes, $ssn, $tail) = fetch("/files/$most.json");
my $after = memory();
cmp_ok($bytes, '>', 0.7 * $most * 1024 * 1024, "$most megabytes pass");
is($ssn, 0, 'nothing of what was cut is in them');
is($tail, "\r\n0\r\n\r\n", 'and they end well');
SKIP: {
    skip('no /proc', 1) unless $before;
    cmp_ok($after - $before, '<', 2048, "memory after 1 MB $before KiB, after $most MB $after KiB");
}
unlink("$dir/htdocs/files/$most.json");

# ---- what is held takes its own length, however short the kept pieces are ----
mkdir("$dir/htdocs/held");
rename("$dir/htdocs/files/1.json", "$dir/htdocs/held/1.json");
$before = memory('VmHWM');
($bytes, $ssn, $tail) = fetch('/held/1.json');
cmp_ok($bytes, '>', 700 * 1024, 'a megabyte that is held whole');
is($ssn, 0, 'and cut');
SKIP: {
    skip('no /proc', 1) unless $before;
    my $grown = memory('VmHWM') - $before;
    cmp_ok($grown, '<', 8 * 1024, "takes $grown KiB");
}
finish();
