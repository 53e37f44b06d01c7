# SPDX-License-Identifier: Apache-2.0
#
# RR::Util: where things are, who the server runs as, free ports, waiting for a sign.
#
# Everything that starts a server (tests, demo, bench) takes its places from here, so
# that one page knows about root, about checkouts that the server's user cannot enter
# (below /root), and about the differences between Debian and Fedora.

package RR::Util;

use strict;
use warnings;

use Cwd qw(abs_path);
use Errno ();
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Time::HiRes ();

our @EXPORT_OK = qw(root build place server_user give_away apxs httpd_program module_file
    free_port slurp spew append wait_for alive family json_text json_data run random_word);

my $root = abs_path(dirname(__FILE__) . '/../../..');
my $json = JSON::PP->new->canonical->allow_nonref->utf8;

# The checkout, and the build directory that is being tested (RR_BUILD: build-asan).
sub root { return $root }

sub build
{
    my $build = $ENV{RR_BUILD} || 'build';
    return $build =~ m{^/} ? $build : "$root/$build";
}

sub json_text { return $json->encode($_[0]) }
sub json_data { return eval { $json->decode($_[0]) } }

sub slurp
{
    my ($path) = @_;
    open(my $file, '<:raw', $path) or die "$path: $!\n";
    local $/;
    my $text = <$file>;
    return defined $text ? $text : '';
}

# Writes a file as a whole: readers see the old text or the new one.
sub spew
{
    my ($path, $text, $mode) = @_;
    my $part = "$path.part$$";
    open(my $file, '>:raw', $part) or die "$part: $!\n";
    chmod($mode, $part) if defined $mode;
    print $file $text or die "$part: $!\n";
    close($file) or die "$part: $!\n";
    rename($part, $path) or die "$path: $!\n";
    return $path;
}

# Appends one line in one write, so that lines of several processes do not mix.
sub append
{
    my ($path, $line) = @_;
    open(my $file, '>>:raw', $path) or die "$path: $!\n";
    flock($file, LOCK_EX);
    syswrite($file, "$line\n");
    close($file);
}

sub random_word
{
    my ($len) = @_;
    my @letters = ('a' .. 'z', '0' .. '9');
    return join('', map { $letters[rand @letters] } 1 .. ($len || 12));
}

# Whom httpd's children run as when root starts it; undef for everybody else.
sub server_user
{
    return undef if $> != 0;
    for my $name (qw(www-data apache httpd nobody)) {
        my @pw = getpwnam($name);
        return { name => $name, uid => $pw[2], gid => $pw[3], group => scalar getgrgid($pw[3]) } if @pw;
    }
    die "no user www-data, apache, httpd or nobody for httpd's children\n";
}

# Gives files or directories to the server's user; nothing to do where nobody changes user.
sub give_away
{
    my (@paths) = @_;
    my $user = server_user() or return;
    for my $path (@paths) {
        chown($user->{uid}, $user->{gid}, $path) or die "chown $path: $!\n";
    }
}

# Whether the server's user can enter dir.
sub enterable
{
    my ($dir) = @_;
    my $user = server_user() or return 1;
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    if ($pid == 0) {
        POSIX::setgid($user->{gid});
        POSIX::setuid($user->{uid});
        POSIX::_exit(chdir($dir) ? 0 : 1);
    }
    waitpid($pid, 0);
    return $? == 0;
}

# A directory that the server's user can enter, known as PATH below the build directory: t/run, demo,
# or one inside of them. A checkout below /root gives it no way in: then t/run or demo becomes a symbolic link to
# a directory of our own below /var/tmp. `make clean` removes both.
sub place
{
    my ($path) = @_;
    my ($base, $inside) = $path =~ m{^(t/run|demo)(?:/(.+))?$} or die "no place $path: t/run or demo, or inside of them\n";
    my $link = build() . "/$base";

    if (defined $inside) {
        my $dir = place($base) . "/$inside";
        make_path($dir);
        return $dir;
    }
    make_path(dirname($link));
    if (-l $link) {
        return abs_path($link) if -d $link && -o $link;
        unlink($link) or die "$link: $!\n";
    }
    if (!-d $link && !mkdir($link, 0755) && !-d $link) {
        die "$link: $!\n";
    }
    return $link if enterable($link);

    my $dir = tempdir('mod_rr.XXXXXXXX', DIR => '/var/tmp', CLEANUP => 0);
    chmod(0755, $dir);
    rmdir($link) or die "$link cannot be entered by " . server_user()->{name} . " and is not empty: remove it\n";
    if (!symlink($dir, $link)) {
        rmdir($dir); # another process was faster
        return abs_path($link) if -d $link;
        die "$link: $!\n";
    }
    return $dir;
}

my %apxs;
sub apxs
{
    my ($name) = @_;
    if (!defined $apxs{$name}) {
        my $program = $ENV{APXS} || 'apxs';
        my $value = `$program -q $name 2>/dev/null`;
        chomp($value);
        $apxs{$name} = $value;
    }
    return $apxs{$name};
}

sub httpd_program
{
    return $ENV{HTTPD} if $ENV{HTTPD};
    for my $path (apxs('SBINDIR') . '/' . apxs('PROGNAME'), qw(/usr/sbin/apache2 /usr/sbin/httpd)) {
        return $path if -x $path;
    }
    die "no httpd: run make -f Makefile.apxs deps\n";
}

# The file of one of httpd's own modules ("proxy_http"), or undef where it is built in or absent.
sub module_file
{
    my ($name) = @_;
    my $path = apxs('LIBEXECDIR') . "/mod_$name.so";
    return -f $path ? $path : undef;
}

# A port nobody listens on: below the range that outgoing connections take theirs from.
sub free_port
{
    for (1 .. 200) {
        my $port = 10000 + int(rand(20000));
        my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1);
        return $port if $socket;
    }
    die "no free port\n";
}

# Waits until test->() is true: looks often, gives up after timeout seconds. Returns its value.
sub wait_for
{
    my ($test, $timeout) = @_;
    my $end = Time::HiRes::time() + ($timeout || 20);
    my $pause = 0.002;

    while (1) {
        my $value = $test->();
        return $value if $value;
        return undef if Time::HiRes::time() > $end;
        select(undef, undef, undef, $pause);
        $pause = $pause * 1.5 > 0.1 ? 0.1 : $pause * 1.5;
    }
}

# A process and all below it.
sub family
{
    my ($pid) = @_;
    my %children;
    for my $file (glob('/proc/[0-9]*/stat')) {
        my $text = eval { slurp($file) } or next;
        push(@{ $children{$2} }, $1) if $text =~ /^(\d+) \(.*\) [^ZX] (\d+) /s;
    }
    my @family = ($pid);
    for (my $i = 0; $i < @family; $i++) {
        push(@family, @{ $children{ $family[$i] } || [] });
    }
    return @family;
}

# Whether a process runs. A zombie does not: in a container nobody may ever reap it.
sub alive
{
    my ($pid) = @_;
    return 0 if !$pid || (!kill(0, $pid) && $! == Errno::ESRCH());
    my $stat = eval { slurp("/proc/$pid/stat") };
    return 1 unless defined $stat;
    return $stat =~ /\)\s+[ZX]\s/ ? 0 : 1;
}

# Runs a program without a shell: { exit, out, err }. Options first: { stdin => text, env => {} }.
sub run
{
    my $opt = ref $_[0] eq 'HASH' ? shift : {};
    my @command = @_;
    my ($out, $err, $in) = map { scalar File::Temp->new(TEMPLATE => 'rrXXXXXXXX', TMPDIR => 1) } 1 .. 3;

    if (defined $opt->{stdin}) {
        binmode($in);
        print $in $opt->{stdin};
    }
    $in->flush;
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    if ($pid == 0) {
        open(STDIN, '<', $in->filename);
        open(STDOUT, '>', $out->filename);
        open(STDERR, '>', $err->filename);
        $ENV{$_} = $opt->{env}{$_} for keys %{ $opt->{env} || {} };
        exec { $command[0] } @command or print STDERR "$command[0]: $!\n";
        POSIX::_exit(127);
    }
    waitpid($pid, 0);
    my $status = $?;
    return { exit => $status & 127 ? 128 + ($status & 127) : $status >> 8,
             out => slurp($out->filename), err => slurp($err->filename) };
}

1;
