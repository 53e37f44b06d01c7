# SPDX-License-Identifier: Apache-2.0
#
# RR::Client: an HTTP/1 client that sends exactly what it is told.
#
# No normalisation, no default header but Host and Connection, repeated and odd headers,
# absolute-form, HTTP/1.0, any bytes at all; reads chunked, counted and unbounded bodies.
# HTTP/2 goes through curl.

package RR::Client;

use strict;
use warnings;

use IO::Socket::INET;
use RR::Util qw(json_data run);
use Time::HiRes ();

# Opens a connection: host, port; tls => 1 with ca => FILE; timeout => seconds.
sub new
{
    my ($class, %opt) = @_;
    my $self = bless { host => '127.0.0.1', timeout => 30, buffer => '', %opt }, $class;
    my @address = (PeerAddr => $self->{host}, PeerPort => $self->{port}, Timeout => $self->{timeout});

    if ($self->{tls}) {
        require IO::Socket::SSL;
        $self->{socket} = IO::Socket::SSL->new(@address, SSL_ca_file => $self->{ca},
                                               SSL_verify_mode => $self->{ca} ? 1 : 0,
                                               SSL_verifycn_scheme => 'none');
    }
    else {
        $self->{socket} = IO::Socket::INET->new(@address);
    }
    die "connect to $self->{host}:$self->{port}: " . ($@ || $!) . "\n" unless $self->{socket};
    binmode($self->{socket});
    return $self;
}

# Headers as pairs, whether they came as a hash, as [name, value, name, value] or as [[name, value], ...].
sub pairs
{
    my ($headers) = @_;
    return () unless $headers;
    return map { my $n = $_; map { [$n, $_] } (ref $headers->{$n} ? @{ $headers->{$n} } : $headers->{$n}) }
        sort keys %$headers if ref $headers eq 'HASH';
    return @$headers if @$headers && ref $headers->[0];
    my @list = @$headers;
    my @pairs;
    while (my ($name, $value) = splice(@list, 0, 2)) {
        push(@pairs, [$name, $value]);
    }
    return @pairs;
}

# The bytes of a request: method, path, headers, body, version, host, raw (sent as it is), keep.
sub bytes
{
    my ($self, %req) = @_;
    return $req{raw} if defined $req{raw};

    my $version = $req{version} || '1.1';
    my $method = $req{method} || (defined $req{body} ? 'POST' : 'GET');
    my @headers = pairs($req{headers});
    my %sent = map { lc($_->[0]) => 1 } @headers;
    my $text = "$method " . (defined $req{path} ? $req{path} : '/') . " HTTP/$version\r\n";

    if (!$sent{host} && !$req{no_host}) {
        $text .= 'Host: ' . ($req{host} || "$self->{host}:$self->{port}") . "\r\n";
    }
    $text .= "$_->[0]: $_->[1]\r\n" for @headers;
    if (!$sent{connection} && !$req{keep} && $version ne '1.0') {
        $text .= "Connection: close\r\n";
    }
    if (ref $req{body}) { # an array is sent in chunks of its elements
        $text .= "Transfer-Encoding: chunked\r\n\r\n";
        $text .= sprintf("%x\r\n%s\r\n", length $_, $_) for grep { length } @{ $req{body} };
        return $text . "0\r\n\r\n";
    }
    if (defined $req{body} && !$sent{'content-length'} && !$sent{'transfer-encoding'}) {
        $text .= 'Content-Length: ' . length($req{body}) . "\r\n";
    }
    return "$text\r\n" . (defined $req{body} ? $req{body} : '');
}

sub send
{
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE'; # the server may answer and close before it has read everything
    while (length $bytes) {
        my $n = syswrite($self->{socket}, $bytes, 65536);
        last unless $n;
        substr($bytes, 0, $n) = '';
    }
    return $self;
}

# Reads until ready->() likes the buffer; false at the end of the connection.
sub fill
{
    my ($self, $ready) = @_;
    my $end = Time::HiRes::time() + $self->{timeout};

    while (!$ready->()) {
        my $left = $end - Time::HiRes::time();
        die "no answer within $self->{timeout} s\n" if $left <= 0;
        my $fd = fileno($self->{socket});
        my $bits = '';
        vec($bits, $fd, 1) = 1;
        if (!($self->{tls} && $self->{socket}->pending)) {
            next unless select($bits, undef, undef, $left);
        }
        my $n = sysread($self->{socket}, $self->{buffer}, 65536, length $self->{buffer});
        if (!$n) {
            $self->{ended} = 1;
            return $ready->();
        }
    }
    return 1;
}

sub take
{
    my ($self, $len) = @_;
    return substr($self->{buffer}, 0, $len, '');
}

# Reads one response; head => 1 where the request was HEAD.
sub response
{
    my ($self, %opt) = @_;
    my $res = bless { headers => [], body => '', head => '' }, 'RR::Client::Response';

    if (!$self->fill(sub { $self->{buffer} =~ /\r\n\r\n/ })) {
        $res->{body} = $self->take(length $self->{buffer}); # HTTP/0.9, or nothing at all
        $res->{status} = 0;
        return $res;
    }
    $self->{buffer} =~ s/\A(.*?\r\n)\r\n//s;
    $res->{head} = $1;
    my ($line, @lines) = split(/\r\n/, $res->{head});
    ($res->{version}, $res->{status}, $res->{reason}) = $line =~ m{^HTTP/(\d\.\d) (\d{3}) ?(.*)};
    for my $header (@lines) {
        push(@{ $res->{headers} }, [$1, $2]) if $header =~ /^([^:]+):\s*(.*?)\s*$/;
    }
    if ($res->{status} < 200 && $res->{status} != 101) {
        my $final = $self->response(%opt);
        unshift(@{ $final->{interim} }, $res);
        return $final;
    }
    return $res if $opt{head} || $res->{status} == 204 || $res->{status} == 304 || $res->{status} == 101;

    my $length = $res->header('Content-Length');
    if (lc($res->header('Transfer-Encoding') || '') eq 'chunked') {
        $self->read_chunks($res);
    }
    elsif (defined $length) {
        $res->{cut} = 1 unless $self->fill(sub { length $self->{buffer} >= $length });
        $res->{body} = $self->take($length);
    }
    else {
        $self->fill(sub { 0 });
        $res->{body} = $self->take(length $self->{buffer});
    }
    return $res;
}

sub read_chunks
{
    my ($self, $res) = @_;
    while (1) {
        if (!$self->fill(sub { $self->{buffer} =~ /\A[0-9a-fA-F]+[^\r\n]*\r\n/ })) {
            $res->{cut} = 1; # the last chunk never came
            return;
        }
        $self->{buffer} =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//;
        my $size = hex($1);
        if ($size == 0) {
            $self->fill(sub { $self->{buffer} =~ /\A(?:[^\r\n]+\r\n)*\r\n/ });
            $self->{buffer} =~ s/\A((?:[^\r\n]+\r\n)*)\r\n//;
            $res->{trailers} = $1;
            return;
        }
        if (!$self->fill(sub { length $self->{buffer} >= $size + 2 })) {
            $res->{cut} = 1;
            $res->{body} .= $self->take(length $self->{buffer});
            return;
        }
        $res->{body} .= $self->take($size);
        $self->take(2);
    }
}

# One request, one response, on this connection.
sub exchange
{
    my ($self, %req) = @_;
    $self->send($self->bytes(%req));
    return $self->response(head => ($req{method} || '') eq 'HEAD');
}

sub close { my ($self) = @_; close($self->{socket}); }

# The same request over HTTP/2 (prior knowledge), by curl.
sub http2
{
    my ($port, %req) = @_;
    my @args = ('curl', '-sS', '-i', '--http2-prior-knowledge', '--path-as-is', '--max-time', 30);
    my $method = $req{method} || (defined $req{body} ? 'POST' : 'GET');

    push(@args, $method eq 'HEAD' ? '-I' : ('-X', $method));
    push(@args, '-H', $_->[1] eq '' ? "$_->[0];" : "$_->[0]: $_->[1]") for pairs($req{headers});
    push(@args, '--data-binary', '@-') if defined $req{body};
    push(@args, "http://127.0.0.1:$port" . ($req{path} || '/'));
    my $got = run({ stdin => $req{body} }, @args);
    die "curl: $got->{err}" if $got->{exit};

    my $res = bless { headers => [], body => '', head => '' }, 'RR::Client::Response';
    while ($got->{out} =~ s/\A(HTTP\S+ .*?\r\n)\r\n//s) {
        $res->{head} = $1;
        last unless $res->{head} =~ m{^HTTP\S+ 1};
    }
    my ($line, @lines) = split(/\r\n/, $res->{head});
    ($res->{version}, $res->{status}) = $line =~ m{^HTTP/(\S+) (\d{3})};
    for my $header (@lines) {
        push(@{ $res->{headers} }, [$1, $2]) if $header =~ /^([^:]+):\s*(.*)$/;
    }
    $res->{body} = $got->{out};
    return $res;
}

package RR::Client::Response;

use strict;
use warnings;

sub status { return $_[0]{status} }
sub body { return $_[0]{body} }
sub json { return RR::Util::json_data($_[0]{body}) }

# Every value of a header, in the order received.
sub headers
{
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc($_->[0]) eq lc($name) } @{ $self->{headers} };
}

# All values joined as RFC 9110 joins them; undef where there is none.
sub header
{
    my ($self, $name) = @_;
    my @values = $self->headers($name);
    return @values ? join(', ', @values) : undef;
}

# The whole response as text, for searching.
sub text { return $_[0]{head} . "\r\n" . $_[0]{body} . ($_[0]{trailers} || '') }

1;
