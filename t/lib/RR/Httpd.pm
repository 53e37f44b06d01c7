# SPDX-License-Identifier: Apache-2.0
#
# RR::Httpd: a private httpd: its directory, its configuration, its processes.
#
# Waits on real signs: an accepted connection, the log line of a new generation, the end
# of the old children. Every process is ended by its own pid.

package RR::Httpd;

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use IO::Socket::INET;
use POSIX ();
use RR::Client;
use RR::Util qw(root build place server_user give_away httpd_program module_file free_port slurp spew
    wait_for alive run);

# httpd's own modules that every instance has; absent ones are built in, or not wanted badly enough to fail.
my @frame_modules = qw(mpm_event unixd log_config authn_core authn_file authz_core authz_host authz_user
    auth_basic env setenvif headers alias dir mime rewrite proxy proxy_http http2 watchdog socache_shmcb);

# Options:
#   root      directory; made fresh, below build()
#   conf      configuration text; @PORT@, @PORT2@.., @ROOT@ and the names in vars are filled in
#   modules   of ours: [qw(core keyauth jwt)]; missing ones are fatal
#   extra     more of httpd's: [qw(cgid cache)]
#   ports     how many (1); children (2), threads (8)
#   port      the first port, where it must be a certain one
#   loglevel  default: info, and everything of our own modules
#   accesslog default: logs/access.log
#   daemon    survives the caller (the demo)
#   env       environment of the server: {}
#   under     what httpd runs below, as one process: [qw(valgrind --tool=..)]
sub new
{
    my ($class, %opt) = @_;
    my $self = bless { conf => '', modules => [], extra => [], ports => 1, children => 2, threads => 8, vars => {}, owner => $$,
                       env => {}, %opt }, $class;

    $self->end_leftover;
    for my $dir (qw(run logs htdocs state)) {
        make_path("$self->{root}/$dir");
    }
    # Only where the server's user must write; logs are opened by root.
    give_away("$self->{root}/state");
    return $self;
}

# A server that an interrupted run left in our directory.
sub end_leftover
{
    my ($self) = @_;
    $self->{pid} = $self->read_pid;
    $self->stop if $self->{pid};
    delete $self->{pid};
}

sub read_pid
{
    my ($self) = @_;
    my $text = eval { slurp("$self->{root}/run/httpd.pid") } || '';
    my ($pid) = $text =~ /^(\d+)$/m or return undef;
    my $command = eval { slurp("/proc/$pid/cmdline") };
    return undef if defined $command && index($command, $self->{root}) < 0; # the number belongs to another now
    return alive($pid) ? $pid : undef;
}

sub is_static
{
    my ($name) = @_;
    our %static;
    if (!%static) {
        my $list = run(httpd_program(), '-l');
        %static = map { $_ => 1 } $list->{out} =~ /^\s+(?:mod_)?(\w+)\.c$/mg;
    }
    return $static{$name};
}

sub load_lines
{
    my ($self) = @_;
    my @lines;

    for my $name (@frame_modules, @{ $self->{extra} }) {
        next if is_static($name);
        my $file = module_file($name);
        if (!$file) {
            die "httpd has no mod_$name\n" if grep { $_ eq $name } @{ $self->{extra} };
            next;
        }
        push(@lines, "LoadModule ${name}_module \"$file\"");
    }
    for my $name (@{ $self->{modules} }) {
        my $file = build() . "/modules/mod_rr_$name.so";
        die "$file is not built\n" unless -f $file;
        push(@lines, "LoadModule rr_${name}_module \"$file\"");
    }
    return join("\n", @lines);
}

# Writes the configuration; called again by restart() where it has changed.
sub write_conf
{
    my ($self) = @_;
    my $text = slurp(root() . '/t/conf/httpd.conf.in');
    my $user = server_user();
    my $ports = $self->{port_list};
    my %vars = (
        %{ $self->{vars} },
        ACCESSLOG => $self->{accesslog} || "$self->{root}/logs/access.log",
        ROOT => $self->{root},
        LISTEN => join("\n", map { "Listen 127.0.0.1:$_" } @$ports),
        LOADMODULES => $self->load_lines,
        USER => $user ? "User $user->{name}\nGroup $user->{group}" : '',
        CHILDREN => $self->{children},
        THREADS => $self->{threads},
        WORKERS => $self->{children} * $self->{threads},
        LOGLEVEL => $self->{loglevel} || join(' ', 'info', map { "rr_$_:trace8" } @{ $self->{modules} }),
        PORT => $ports->[0],
        map { ('PORT' . ($_ + 1) => $ports->[$_]) } 0 .. $#$ports,
    );
    $text =~ s/\@CONF\@/$self->{conf}/;
    $text =~ s/\@([A-Z][A-Z0-9_]*)\@/defined $vars{$1} ? $vars{$1} : "\@$1\@"/ge;
    spew("$self->{root}/httpd.conf", $text);
    return $self;
}

sub choose_ports
{
    my ($self) = @_;
    my @ports = $self->{port} ? ($self->{port}) : ();
    push(@ports, free_port()) while @ports < $self->{ports};
    $self->{port_list} = \@ports;
}

sub command
{
    my ($self, @args) = @_;
    return (httpd_program(), '-d', $self->{root}, '-f', "$self->{root}/httpd.conf", @args);
}

# What a server's environment has that ours has not: a sanitizer's runtime has to be there first.
sub environment
{
    my ($self) = @_;
    my %env = %{ $self->{env} };
    if ($ENV{RR_PRELOAD}) {
        $env{LD_PRELOAD} = $ENV{RR_PRELOAD};
        # httpd leaves its own allocations at exit: leaks are looked for in unit tests and rrctl. The sanitizer's
        # own stack for signals trips over itself when a thread of httpd ends.
        $env{ASAN_OPTIONS} = 'detect_leaks=0:use_sigaltstack=0';
    }
    return \%env;
}

# `httpd -t`: { exit, out, err }.
sub configtest
{
    my ($self) = @_;
    $self->choose_ports unless $self->{port_list};
    $self->write_conf;
    return run({ env => $self->environment }, $self->command('-t'));
}

# Starts and waits until every port accepts; dies with what httpd said.
sub start
{
    my ($self) = @_;
    for my $attempt (1 .. 3) {
        $self->choose_ports unless $self->{port_list};
        $self->write_conf;
        my $why = $self->launch or return $self;
        # Somebody took the port between our look and httpd's: another one, unless it was asked for.
        die "httpd did not start:\n$why\n" if $attempt == 3 || $self->{port} || $why !~ /AH00072|Address already in use/;
        delete $self->{port_list};
    }
}

# Undef where the server runs, else why not.
sub launch
{
    my ($self) = @_;
    my $stderr = "$self->{root}/logs/stderr.log";
    my @args = $self->{daemon} ? () : $self->{under} ? ('-X') : ('-DFOREGROUND');
    my $env = $self->environment;
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;
    if ($pid == 0) {
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', $stderr);
        open(STDERR, '>&', \*STDOUT);
        $SIG{PIPE} = 'DEFAULT';
        $ENV{$_} = $env->{$_} for keys %$env;
        my @command = (@{ $self->{under} || [] }, $self->command(@args));
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    if ($self->{daemon}) {
        waitpid($pid, 0);
        return slurp($stderr) if $?;
        $pid = wait_for(sub { $self->read_pid }) or return $self->last_words($stderr);
    }
    $self->{pid} = $pid;
    my $ready = wait_for(sub {
        return 'gone' if $self->ended;
        return $self->read_pid && !grep { !accepts($_) } @{ $self->{port_list} };
    }, 40);
    return undef if $ready && $ready ne 'gone';
    delete $self->{pid} if $ready;
    return $self->last_words($stderr);
}

sub last_words
{
    my ($self, $stderr) = @_;
    my $log = $self->errorlog;
    return slurp($stderr) . (length $log > 4000 ? substr($log, -4000) : $log);
}

sub accepts
{
    my ($port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return 0;
    close($socket);
    return 1;
}

# True when the process is no more; reaps it where it is our child.
sub ended
{
    my ($self) = @_;
    return 1 unless $self->{pid};
    if (waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid}) {
        $self->{exit} = $?;
        return 1;
    }
    return !alive($self->{pid});
}

sub stop
{
    my ($self) = @_;
    return unless $self->{pid};
    kill('TERM', $self->{pid});
    if (!wait_for(sub { $self->ended }, 20)) {
        kill('KILL', $self->{pid}, $self->children);
        wait_for(sub { $self->ended }, 5);
        warn "httpd $self->{pid} had to be killed\n";
    }
    delete $self->{pid};
    delete $self->{exit};
}

# Pids of the parent's children.
sub children
{
    my ($self) = @_;
    my @children;
    for my $stat (glob('/proc/[0-9]*/stat')) {
        my $text = eval { slurp($stat) } or next;
        push(@children, $1) if $text =~ /^(\d+) \(.*\) [^ZX] \Q$self->{pid}\E /s;
    }
    return @children;
}

sub generations
{
    my ($self) = @_;
    my $count = () = $self->errorlog =~ /resuming normal operations/g;
    return $count;
}

# A new generation by signal: its log line, and the end of the children before it.
sub regenerate
{
    my ($self, $signal, $conf) = @_;
    my $before = $self->generations;
    my @old = $self->children;

    if (defined $conf) {
        $self->{conf} = $conf;
        $self->write_conf;
    }
    kill($signal, $self->{pid}) or die "httpd is not running\n";
    wait_for(sub { $self->generations > $before || $self->ended }, 40);
    die "httpd did not come back:\n" . substr($self->errorlog, -3000) if $self->ended || $self->generations <= $before;
    wait_for(sub { !grep { alive($_) } @old }, 15);
    return $self;
}

# Both may be given a new configuration text.
sub graceful { my ($self, $conf) = @_; return $self->regenerate('USR1', $conf) }
sub restart { my ($self, $conf) = @_; return $self->regenerate('HUP', $conf) }

sub pid { return $_[0]{pid} }
sub dir { return $_[0]{root} }
sub port { my ($self, $n) = @_; return $self->{port_list}[($n || 1) - 1] }
sub url { my ($self, $path, $n) = @_; return 'http://127.0.0.1:' . $self->port($n) . (defined $path ? $path : '') }
sub errorlog { my ($self) = @_; return eval { slurp("$self->{root}/logs/error.log") } || '' }
sub accesslog { my ($self) = @_; return eval { slurp("$self->{root}/logs/access.log") } || '' }

# Writes a file below the server's directory ("htdocs/a.txt"); returns its path.
sub file
{
    my ($self, $name, $text, $mode) = @_;
    my $path = "$self->{root}/$name";
    (my $dir = $path) =~ s{/[^/]*$}{};
    make_path($dir);
    spew($path, $text, $mode);
    return $path;
}

# One request on a connection of its own: see RR::Client::bytes; on => N for another port, http2 => 1.
sub request
{
    my ($self, %req) = @_;
    my $port = $self->port(delete $req{on});
    return RR::Client::http2($port, %req) if delete $req{http2};
    my $client = RR::Client->new(port => $port, tls => delete $req{tls}, ca => delete $req{ca});
    my $response = $client->exchange(%req);
    $client->close;
    return $response;
}

# A connection for several requests.
sub connect
{
    my ($self, %opt) = @_;
    return RR::Client->new(port => $self->port(delete $opt{on}), %opt);
}

# Sends requests, each as request() takes it, by several clients at once, whose processes share them out:
# { status => how often }, with "none: WHY" where there was no answer.
sub statuses_at_once
{
    my ($self, $clients, @requests) = @_;
    my (@pids, %seen);

    pipe(my $in, my $out) or die "pipe: $!\n";
    for my $n (0 .. $clients - 1) {
        my $pid = fork();
        die "fork: $!\n" unless defined $pid;
        if ($pid == 0) {
            for (my $i = $n; $i < @requests; $i += $clients) {
                my $status = eval { $self->request(%{ $requests[$i] })->status };
                my ($why) = $@ =~ /^(.*)/;
                syswrite($out, (defined $status ? $status : "none: $why") . "\n");
            }
            POSIX::_exit(0);
        }
        push(@pids, $pid);
    }
    close($out);
    while (my $line = <$in>) {
        chomp($line);
        $seen{$line}++;
    }
    waitpid($_, 0) for @pids;
    return \%seen;
}

sub remove
{
    my ($self) = @_;
    remove_tree($self->{root});
}

# Only the process that started it ends it: a forked child of a test has the object too.
sub DESTROY
{
    my ($self) = @_;
    local ($?, $!, $@);
    $self->stop if $self->{pid} && !$self->{daemon} && $self->{owner} && $self->{owner} == $$;
}

1;
