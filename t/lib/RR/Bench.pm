# SPDX-License-Identifier: Apache-2.0
#
# RR::Bench: what t/bench is written in: groups of subjects, and how one is measured.
#
#   group 'key' => (
#       title => 'API key',
#       prepare => sub { return { store => store() } },
#       subjects => [
#           { name => 'httpd', title => 'httpd, nothing asked', kind => 'floor', make => sub { ... } },
#           { name => 'ours', title => 'mod_rr', make => sub { my ($made) = @_; return { server => .., load => {..} } } },
#       ]);
#
# A group is one comparison: its subjects are up at the same time and measured in turn, round after round, and what
# one adds is taken from its floor of the same round. load is what wrk sends (t/bench/load.lua):
#
#   path, headers [name, value, ...], status (200), connections (8), delay, deep: so many requests at once
#   patience: seconds until wrk counts an answer as missing (2)
#   list   values for %s in the headers, or a function of the round that gives them: each sent once; cycle: over and over
#   first  the value for %s in the one request that is tried before
#
# A subject is measured in two ways: with requests one at a time on eight connections, and with several sent at once on
# each (pipelined), which keeps the server busy without a pause; busy, a hash in load, is what differs then; large => 1, a
# property of the group: only the former.
#
# Servers of a group have one CPU, or those of cpus => '0,1'; the driver, the load and backends share another. All of them get their load at the same
# time, but all but one are stopped (SIGSTOP): in turn each runs for 20 ms, round and round. So whatever else goes on
# on the machine, and lasts longer than a turn of all, falls on each of them alike, and what one adds to its floor is
# steady to half a microsecond where measurements of a second each, one after another, differed by six.
# CPU per request is what the server's processes and threads ran, in nanoseconds as the scheduler counts them, divided
# by what wrk got answered. Latencies mean nothing there and are measured apart, one server after another.

package RR::Bench;

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use POSIX ();
use RR::Client;
use RR::Test ();
use RR::Util qw(root build slurp spew run json_data family);
use Time::HiRes qw(sleep);

our @EXPORT = qw(group trial groups stock gateway absent list_file signed_tokens on_server_cpu measure busily probe load load_in_background
    loaded halt resume end_load sliced cpu_time memory family median spread cpus pin make_dir);

my @groups;

sub group { my ($name, %group) = @_; push(@groups, { name => $name, %group }); return }

# A group of one that measures for itself: run => sub { my ($options) = @_; return { figure => [values] } }.
sub trial { my ($name, %trial) = @_; push(@groups, { name => $name, %trial }); return }

sub groups { return @groups }

# ---- CPUs ----

sub cpus { my $count = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg; return $count }

# Ties this process, and what it starts from now on, to CPUs ("1", "0,1"); one CPU alone is shared.
sub pin
{
    my ($list) = @_;
    return if cpus() < 2;
    my $got = run('taskset', '-cp', $list, $$);
    die "taskset: $got->{err}" if $got->{exit};
}

# Runs start with the server's CPU: what it starts stays there.
sub on_server_cpu
{
    my ($start, $list) = @_;
    pin(defined $list ? $list : '0');
    my $started = eval { $start->() };
    my $why = $@;
    pin('1');
    die $why unless defined $started;
    return $started;
}

# Microseconds that the threads of processes ran.
sub cpu_time
{
    my $spent = 0;
    for my $pid (@_) {
        $spent += (split(' ', eval { slurp($_) } || '0'))[0] / 1000 for glob("/proc/$pid/task/*/schedstat");
    }
    return $spent;
}

# KB of memory of processes; what they share is counted once.
sub memory
{
    my $kb = 0;
    for my $pid (@_) {
        $kb += $1 if (eval { slurp("/proc/$pid/smaps_rollup") } || '') =~ /^Pss:\s+(\d+)/m;
    }
    return $kb;
}

# ---- what is stopped, and what goes on ----

# A stopped process ends by nothing but SIGKILL, and Perl waits for a wrk whose pipe goes out of scope: so both are known
# here, and end_load() is called wherever a measurement ends, well or not.
my $owner = $$;
my (%stopped, %loads); # pids; of a load, its pipe

sub halt { @stopped{@_} = (); kill(STOP => @_); return }
sub resume { kill(CONT => @_); delete @stopped{@_}; return }

# Everything that is stopped goes on, and no wrk does.
sub end_load
{
    return if $$ != $owner;
    kill(KILL => keys %loads); # wrk has nothing to put in order
    resume(keys %stopped);
    %loads = (); # closes the pipes, which waits for the wrks
    return;
}

END {
    local ($?, $!);
    end_load();
}

# ---- servers ----

# An httpd without any of our modules: the floor, and the frame of the peers that are modules of httpd. with => [names of
# modules of t/module].
sub stock
{
    my (%opt) = @_;
    return started(modules => [], %opt);
}

# An httpd with our modules; options as RR::Httpd.
sub gateway
{
    my (%opt) = @_;
    return started(modules => [qw(core keyauth)], %opt);
}

# The line that loads t/module/mod_rr_NAME.c.
sub load_module
{
    my ($name) = @_;
    my $file = build() . "/t/module/mod_rr_$name.so";
    die "$file is not built\n" unless -f $file;
    return "LoadModule rr_${name}_module \"$file\"\n";
}

sub started
{
    my (%opt) = @_;
    my $conf = join('', map { load_module($_) } 'nothing', @{ delete $opt{with} || [] });
    $opt{conf} = $conf . "MaxKeepAliveRequests 0\nKeepAliveTimeout 60\n" . ($opt{conf} || '');
    return RR::Test::httpd(loglevel => 'warn', children => 1, threads => 32, accesslog => '/dev/null', %opt);
}

# A subject that this machine cannot have.
sub absent { my ($why) = @_; die bless({ why => $why }, 'RR::Bench::Absent') }

# A file of values, a line each.
my $files = 0;
sub list_file
{
    my (@values) = @_;
    return spew(RR::Test::place_for('lists') . '/list' . ++$files, join('', map { "$_\n" } @values));
}

# Tokens for claims made by claims->(N), N from 1 to count: as RR::Token's, by build/t/bench/sign, which is fast.
sub signed_tokens
{
    my ($key, $count, $claims, %header) = @_;
    require RR::Token;
    my $pem = RR::Test::place_for('keys') . '/' . $key->kid . '.pem';
    spew($pem, $key->pem('private') =~ s/ED25519 PRIVATE/PRIVATE/gr, 0600) unless -f $pem; # CryptX has a name of its own
    my $inputs = '';
    for my $n (1 .. $count) {
        my %head = map { $_ => ref $header{$_} ? $header{$_}->($n) : $header{$_} } keys %header;
        $inputs .= (RR::Token::compact({ alg => $key->alg, kid => $key->kid, typ => 'JWT', %head }, $claims->($n), '') =~ s/\.$//r) . "\n";
    }
    my $got = run({ stdin => $inputs }, build() . '/t/bench/sign', $key->alg, $pem);
    die "sign: $got->{err}" if $got->{exit};
    return split(/\n/, $got->{out});
}

# The directory of a file that is to be written.
sub make_dir { my ($path) = @_; make_path(dirname($path)); return $path }

# ---- load ----

sub wrk
{
    my ($server, $load, $seconds, $round) = @_;
    my @pairs = @{ $load->{headers} || [] };
    my @args = ("path=$load->{path}");
    while (my ($name, $value) = splice(@pairs, 0, 2)) {
        push(@args, "header=$name: $value");
    }
    if (my $list = $load->{list}) {
        push(@args, 'list=' . (ref $list ? $list->($round) : $list));
    }
    my $status = $load->{status} || 200;
    push(@args, "status=$status") if $status >= 400;
    push(@args, "delay=$load->{delay}") if $load->{delay};
    push(@args, 'cycle=1') if $load->{cycle};
    push(@args, "deep=$load->{deep}") if $load->{deep};
    return ('wrk', '-t1', $load->{patience} ? ('--timeout', "$load->{patience}s") : (), '-c' . ($load->{connections} || 8), "-d${seconds}s", '-s', root() . '/t/bench/load.lua', $server->url, '--', @args);
}

# What load.lua printed; dies where an answer was not as expected, but with lenient => 1.
sub judged
{
    my ($text, $load, %opt) = @_;
    my $got = json_data($text =~ /^RESULT (\{.*\})$/m ? $1 : '') or die "wrk: $text\n";
    my $status = $load->{status} || 200;
    $got->{wrong} = $status < 400 ? $got->{refused} : $got->{unexpected};
    return $got if $opt{lenient};
    die "wrk: nothing was answered\n" unless $got->{requests};
    die "$got->{wrong} of $got->{requests} answers were not $status\n" if $got->{wrong};
    die "$got->{broken} requests were not answered\n" if $got->{broken};
    return $got;
}

sub load { return loaded(load_in_background(@_)) }

# Load that goes on beside another; loaded() waits for its end and gives what came of it. nice => 19: it gives way to other load.
sub load_in_background
{
    my ($server, $load, $seconds, $round, %opt) = @_;
    my @command = wrk($server, $load, $seconds, $round);
    unshift(@command, 'nice', '-n', delete $opt{nice}) if $opt{nice};
    my $pid = open(my $out, '-|', @command) or die "wrk: $!\n";
    $loads{$pid} = $out;
    return { pid => $pid, out => $out, load => $load, opt => \%opt };
}

sub loaded
{
    my ($going) = @_;
    my $out = $going->{out};
    local $/;
    my $text = <$out>;
    close($out);
    delete $loads{ $going->{pid} };
    return judged($text, $going->{load}, %{ $going->{opt} });
}

# One request as the load would send it; dies unless its status is the expected.
sub probe
{
    my ($server, $load) = @_;
    my @headers = map { my $v = $_; $v =~ s/%s/$load->{first}/ if defined $load->{first}; $v } @{ $load->{headers} || [] };
    my ($port) = $server->url =~ /:(\d+)$/;
    my $client = RR::Client->new(port => $port, timeout => 20);
    my $response = $client->exchange(path => $load->{path}, headers => \@headers);
    $client->close;
    my $status = $load->{status} || 200;
    die "status " . $response->status . ", expected $status: " . substr($response->text, 0, 600) . "\n" if $response->status != $status;
    return $response;
}

# A load that keeps a server busy without a pause: it goes from one request to the next, and what is left is the work itself.
# Sleeping and waking between requests costs more than most work, and varies more.
sub busily { my ($load) = @_; return { %$load, connections => 4, deep => 16, %{ $load->{busy} || {} } } }

# One measurement of a subject that has the CPU to itself: { cpu: us a request, p50, p99: us, requests }.
sub measure
{
    my ($subject, $seconds, $round) = @_;
    my $server = $subject->{server};
    my @before = family($server->pid);
    my $spent = -cpu_time(@before);
    my $got = load($server, $subject->{load}, $seconds, $round);
    my @after = family($server->pid);
    $spent += cpu_time(@after);
    die "a process of the server came or went meanwhile\n" if "@before" ne "@after";
    return { %$got, cpu => $spent / $got->{requests} };
}

my $slice = 0.02;      # seconds that a server runs before the next one does
my $begins = 0.4;      # until wrk has read its list, and connected to servers that do not run
my $idle = 0.1;        # of a slice: who ran less rested
my $rests = 5;         # slices one after another in which who has nothing to do rests

# CPU a request in us of several subjects, by name, each of which runs for so many seconds in slices between the others';
# { name => text } in the second result: what went wrong.
sub sliced
{
    my @figures = eval { in_slices(@_) };
    my $why = $@;
    end_load();
    die $why unless @figures;
    return @figures;
}

sub in_slices
{
    my ($subjects, $seconds, $round) = @_;
    my (%cpu, %wrong);
    my @going;
    for my $subject (@$subjects) {
        my @family = family($subject->{server}->pid);
        halt(@family);
        my $most = int(($seconds + $slice) * @$subjects + $begins + 10);
        push(@going, { name => $subject->{name}, server => $subject->{server}, family => \@family, spent => -cpu_time(@family), slices => $seconds / $slice, rests => 0, ends => $subject->{load}{list} && !$subject->{load}{cycle},
                       load => load_in_background($subject->{server}, { %{ $subject->{load} }, patience => $most }, $most, $round) });
    }
    sleep($begins);
    while (my @left = grep { $_->{slices} > 0 } @going) {
        for my $one (@left) {
            my $before = $one->{ends} ? cpu_time(@{ $one->{family} }) : 0;
            resume(@{ $one->{family} });
            sleep($slice);
            halt(@{ $one->{family} });
            $one->{slices}--;
            $one->{rests} = $one->{ends} && cpu_time(@{ $one->{family} }) - $before < $idle * $slice * 1e6 ? $one->{rests} + 1 : 0;
            $one->{slices} = 0 if $one->{rests} == $rests; # it has come to the end of its list
        }
    }
    for my $one (@going) {
        kill(INT => $one->{load}{pid}); # wrk says then what it has
        my $got = eval { loaded($one->{load}) };
        my $why = $@;
        # Read while it stands: what it does from now on nobody is there to count.
        my @after = family($one->{server}->pid);
        my $spent = $one->{spent} + cpu_time(@after);
        resume(@{ $one->{family} });
        $why = "a process of the server came or went meanwhile\n" if $got && "@after" ne "@{ $one->{family} }";
        $wrong{ $one->{name} } = $why if $why;
        $cpu{ $one->{name} } = $spent / $got->{requests} unless $why;
    }
    return (\%cpu, \%wrong);
}

# ---- figures ----

sub median
{
    my @sorted = sort { $a <=> $b } grep { defined } @_;
    return undef unless @sorted;
    return @sorted % 2 ? $sorted[$#sorted / 2] : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

# { value: the median, low, high, of: all }.
sub spread
{
    my @values = grep { defined } @_;
    return undef unless @values;
    my @sorted = sort { $a <=> $b } @values;
    return { value => median(@values), low => $sorted[0], high => $sorted[-1], of => \@values };
}

1;
