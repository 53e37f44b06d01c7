# SPDX-License-Identifier: Apache-2.0
#
# RR::Server: a small HTTP/1.1 server for tests and the demo: 127.0.0.1, one process a connection.
#
# Keep-alive, chunked and counted bodies, HEAD, 100-continue, TLS. A subclass says what is answered:
#
#   sub answer { my ($self, $request) = @_; return { status => 200, headers => [[..]], body => '..' } }
#
# What a test orders while it runs stands in DIR/state.json, read anew for every request; what was
# asked stands in DIR/requests.log, one JSON object a line, the connection's number and the name its handshake asked for with it. So there is no control channel to fail.

package RR::Server;

use strict;
use warnings;

use File::Path qw(make_path);
use IO::Socket::INET;
use POSIX ();
use RR::Util qw(slurp spew append wait_for alive json_text json_data free_port);

# Statuses that we have a word for.
my %reasons = (200 => 'OK', 201 => 'Created', 204 => 'No Content', 206 => 'Partial Content', 302 => 'Found',
               304 => 'Not Modified', 400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
               404 => 'Not Found', 418 => "I'm a teapot", 500 => 'Internal Server Error', 503 => 'Service Unavailable');

# Starts a server and waits until it listens. Options:
#   dir      for state, log and pid
#   port     default: a free one; address (127.0.0.1)
#   tls      { good => { cert, key }, ... }: certificates by name; state.cert chooses ("good")
#   daemon   survives the caller (the demo)
sub start
{
    my ($class, %opt) = @_;
    my $self = bless { port => 0, address => '127.0.0.1', owner => $$, %opt }, $class;

    make_path($self->{dir});
    if (my $old = $self->read_pid) {
        $self->end($old);
    }
    unlink("$self->{dir}/requests.log");
    $self->{state} = $self->first_state;
    $self->save;
    $self->{port} ||= free_port();
    return $self->resume;
}

# What the state is at first; subclasses add to it.
sub first_state { return { cert => 'good', behave => {} } }

sub save { my ($self) = @_; spew("$self->{dir}/state.json", json_text($self->{state}), 0600); return $self }
sub load { my ($self) = @_; return json_data(slurp("$self->{dir}/state.json")) || {} }

# Listens again on the same port, after stop().
sub resume
{
    my ($self) = @_;
    my $listener = wait_for(sub {
        IO::Socket::INET->new(LocalAddr => $self->{address}, LocalPort => $self->{port}, Listen => 128, ReuseAddr => 1);
    }, 5) or die "port $self->{port} is taken\n";

    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    if ($pid == 0) {
        if ($self->{daemon}) {
            POSIX::setsid();
            POSIX::_exit(0) if fork();
            chdir('/');
            open(STDIN, '<', '/dev/null');
            open(STDOUT, '>>', "$self->{dir}/server.log");
            open(STDERR, '>&', \*STDOUT);
        }
        else {
            setpgrp(0, 0);
        }
        $0 = ref($self) . " $self->{dir}";
        spew("$self->{dir}/server.pid", "$$\n");
        $self->serve($listener);
        POSIX::_exit(0);
    }
    waitpid($pid, 0) if $self->{daemon};
    close($listener);
    $self->{pid} = wait_for(sub { $self->read_pid }, 10) or die "the server in $self->{dir} did not start\n";
    return $self;
}

sub read_pid
{
    my ($self) = @_;
    my ($pid) = (eval { slurp("$self->{dir}/server.pid") } || '') =~ /^(\d+)/ or return undef;
    my $command = eval { slurp("/proc/$pid/cmdline") };
    return undef if defined $command && index($command, $self->{dir}) < 0; # the number belongs to another now
    return alive($pid) ? $pid : undef;
}

# Refuses connections from now on: the port stays ours in name only.
sub stop
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    $self->end($pid);
}

# The server leads a process group of its own: connections in progress end with it.
sub end
{
    my ($self, $pid) = @_;
    kill('TERM', -$pid) or kill('TERM', $pid);
    wait_for(sub { waitpid($pid, POSIX::WNOHANG()); !alive($pid) }, 5)
        or kill('KILL', -$pid);
    unlink("$self->{dir}/server.pid");
}

sub serve
{
    my ($self, $listener) = @_;
    my $parent = $self->{owner};

    $SIG{CHLD} = 'IGNORE';
    $SIG{TERM} = $SIG{INT} = sub { POSIX::_exit(0) };
    $SIG{PIPE} = 'IGNORE';
    delete $self->{pid};
    while (1) {
        my $bits = '';
        vec($bits, fileno($listener), 1) = 1;
        if (!select($bits, undef, undef, 1)) {
            POSIX::_exit(0) if !$self->{daemon} && getppid() != $parent; # the test is gone
            next;
        }
        my $connection = $listener->accept or next;
        my $pid = fork();
        if (defined $pid && $pid == 0) {
            close($listener);
            eval { $self->talk($connection); 1 } or print STDERR $@;
            POSIX::_exit(0);
        }
        close($connection);
    }
}

sub talk
{
    my ($self, $connection) = @_;
    binmode($connection);
    $connection->timeout(30);
    if ($self->{tls}) {
        require IO::Socket::SSL;
        my $pair = $self->{tls}{ $self->load->{cert} } || $self->{tls}{good};
        IO::Socket::SSL->start_SSL($connection, SSL_server => 1, SSL_cert_file => $pair->{cert},
                                   SSL_key_file => $pair->{key}) or return;
        $self->{sni} = $connection->get_servername;
    }
    local $self->{in} = '';
    while (my $request = $self->read_request($connection)) {
        $self->{load_once} = $self->load;
        $self->log_request($request);
        my $behave = $self->behaviour($request->{path});
        select(undef, undef, undef, $behave->{slow}) if $behave->{slow};
        return if $behave->{close};
        my $answer = { %{ $self->answer($request) }, %$behave };
        my $keep = $self->write_answer($connection, $request, $answer);
        return unless $keep;
    }
}

# More bytes of the connection into the buffer; false at its end.
sub more
{
    my ($self, $connection) = @_;
    my $n = sysread($connection, $self->{in}, 65536, length $self->{in});
    return $n;
}

sub read_request
{
    my ($self, $connection) = @_;
    while ($self->{in} !~ /\r\n\r\n/) {
        return undef if length $self->{in} > 1 << 20;
        $self->more($connection) or return undef;
    }
    $self->{in} =~ s/\A(.*?)\r\n\r\n//s;
    my ($line, @lines) = split(/\r\n/, $1);
    my ($method, $target, $version) = $line =~ m{^(\S+) (\S+) HTTP/(\d\.\d)$} or return undef;
    my @headers = map { [split(/:\s*/, $_, 2)] } @lines;
    my %by_name = map { lc($_->[0]) => $_->[1] } @headers;
    my ($path, $query) = split(/\?/, $target, 2);
    my $request = { method => $method, target => $target, path => $path, query => $query, version => $version,
                    headers => \@headers, by_name => \%by_name, body => '' };

    if (lc($by_name{expect} || '') eq '100-continue') {
        my $more = ($self->load->{behave} || {})->{$path}{continue};
        syswrite($connection, "HTTP/1.1 100 Continue\r\n" . ($more ? "$more\r\n" : '') . "\r\n");
    }
    if (lc($by_name{'transfer-encoding'} || '') =~ /chunked/) {
        while (1) {
            while ($self->{in} !~ /\A[0-9a-fA-F]+[^\r\n]*\r\n/) { $self->more($connection) or return undef }
            $self->{in} =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//;
            my $size = hex($1);
            last if $size == 0;
            while (length $self->{in} < $size + 2) { $self->more($connection) or return undef }
            $request->{body} .= substr($self->{in}, 0, $size, '');
            substr($self->{in}, 0, 2) = '';
        }
        while ($self->{in} !~ /\A(?:[^\r\n]+\r\n)*\r\n/) { $self->more($connection) or return undef }
        $self->{in} =~ s/\A(?:[^\r\n]+\r\n)*\r\n//;
    }
    elsif (my $length = $by_name{'content-length'}) {
        while (length $self->{in} < $length) { $self->more($connection) or return undef }
        $request->{body} = substr($self->{in}, 0, $length, '');
    }
    return $request;
}

sub write_answer
{
    my ($self, $connection, $request, $answer) = @_;
    my $status = $answer->{status} || 200;
    my $body = defined $answer->{body} ? $answer->{body} : '';
    my $keep = $request->{version} eq '1.1' && lc($request->{by_name}{connection} || '') !~ /close/;
    my %has = map { lc($_->[0]) => 1 } @{ $answer->{headers} || [] };
    my $bodiless = $status == 204 || $status == 304;
    my $text = $answer->{early} ? "HTTP/1.1 103 Early Hints\r\n$answer->{early}\r\n\r\n" : '';
    $text .= "HTTP/1.1 $status " . ($answer->{reason} || $reasons{$status} || 'Answer') . "\r\n";

    utf8::encode($body) if utf8::is_utf8($body);
    $body .= ' ' x $answer->{pad} if $answer->{pad};
    $text .= "$_->[0]: $_->[1]\r\n" for @{ $answer->{headers} || [] };
    $text .= 'Content-Type: ' . ($answer->{type} || 'application/json') . "\r\n" unless $has{'content-type'} || $bodiless;
    if ($answer->{chunks}) {
        $text .= "Transfer-Encoding: chunked\r\n";
        $body = join('', map { sprintf("%x\r\n%s\r\n", length $_, $_) } @{ $answer->{chunks} }) . "0\r\n"
            . join('', map { "$_->[0]: $_->[1]\r\n" } @{ $answer->{trailers} || [] }) . "\r\n";
    }
    elsif (!$has{'content-length'} && !$bodiless) {
        $text .= 'Content-Length: ' . length($body) . "\r\n";
    }
    $text .= "Connection: close\r\n" unless $keep;
    $body = substr($body, 0, length($body) / 2) if $answer->{cut};
    $text .= "\r\n" . ($request->{method} eq 'HEAD' || $bodiless ? '' : $body);
    while (length $text) {
        my $n = syswrite($connection, $text, 65536) or return 0;
        substr($text, 0, $n) = '';
    }
    return $keep && !$answer->{cut};
}

sub log_request
{
    my ($self, $request) = @_;
    append("$self->{dir}/requests.log", json_text({ connection => $$, sni => $self->{sni},
           map { $_ => $request->{$_} } qw(method target path query headers) }));
}

# What a test ordered for this path, or for every path.
sub behaviour
{
    my ($self, $path) = @_;
    my $behave = $self->{load_once}{behave} || {};
    return $behave->{$path} || $behave->{'*'} || {};
}

# ---- for the test ----

# Orders an answer for a path ('*': every path without its own); no arguments after it: as usual again.
#   status, body, type, headers [[n, v]], chunks [..]; slow: seconds before the answer; pad: blanks after the
#   body; cut: half the body, then the end; close: no answer at all; reason: of the status line; early: a header
#   of a 103 that goes before; continue: a header of the 100 that is asked for; trailers [[n, v]]: behind the chunks
sub behave
{
    my ($self, $path, %how) = @_;
    if (%how) {
        $self->{state}{behave}{$path} = \%how;
    }
    else {
        delete $self->{state}{behave}{$path};
    }
    return $self->save;
}

# Which certificate is shown from now on.
sub show_cert { my ($self, $name) = @_; $self->{state}{cert} = $name; return $self->save }

sub port { return $_[0]{port} }
sub url
{
    my ($self, $path) = @_;
    return ($self->{tls} ? 'https' : 'http') . "://$self->{address}:$self->{port}" . (defined $path ? $path : '');
}

# Requests received, oldest first: { method, target, path, query, headers }; of one path if given.
sub requests
{
    my ($self, $path) = @_;
    my @all = map { json_data($_) } split(/\n/, eval { slurp("$self->{dir}/requests.log") } || '');
    return defined $path ? grep { $_->{path} eq $path } @all : @all;
}

sub count { my ($self, $path) = @_; my @requests = $self->requests($path); return scalar @requests }

sub DESTROY
{
    my ($self) = @_;
    local ($?, $!, $@);
    $self->stop if $self->{pid} && !$self->{daemon} && $self->{owner} == $$;
}

1;
