# SPDX-License-Identifier: Apache-2.0
#
# RR::Postgres: a private PostgreSQL server: its own directory, port and processes; nothing of the system's.

package RR::Postgres;

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use POSIX ();
use RR::Util qw(free_port slurp wait_for alive run random_word);

# The directory of PostgreSQL's programs, or undef where there are none.
sub programs
{
    my ($found) = sort { $b cmp $a } grep { -x "$_/postgres" } glob('/usr/lib/postgresql/*/bin /usr/bin');
    return $found;
}

# PostgreSQL refuses to run as root: then the user that its package made.
sub as_user
{
    return () if $> != 0;
    return ('runuser', '-u', 'postgres', '--');
}

# Makes and starts a server below dir, which must not be there yet or be one of ours.
sub new
{
    my ($class, $dir) = @_;
    my $programs = programs() or return undef;
    my $self = bless { dir => $dir, programs => $programs, owner => $$, port => free_port() }, $class;

    $self->{pid} = $self->read_pid and $self->stop('INT');
    remove_tree($dir);
    make_path($dir);
    if ($> == 0) {
        my @pw = getpwnam('postgres') or return undef;
        chown($pw[2], $pw[3], $dir) or die "$dir: $!\n";
    }
    my $made = run(as_user(), "$programs/initdb", '-D', "$dir/data", '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-sync',
                   '--locale=C');
    die "initdb: $made->{err}\n" if $made->{exit};
    return $self->start;
}

# The server's pid as it wrote it.
sub read_pid
{
    my ($self) = @_;
    my ($pid) = split(/\n/, eval { slurp("$self->{dir}/data/postmaster.pid") } || '');
    return $pid && alive($pid) ? $pid : undef;
}

sub start
{
    my ($self) = @_;
    my @command = (as_user(), "$self->{programs}/postgres", '-D', "$self->{dir}/data", '-p', $self->{port},
                   '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'fsync=off',
                   '-c', 'max_connections=60');
    my $child = fork();
    die "fork: $!\n" unless defined $child;
    if ($child == 0) {
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>>', "$self->{dir}.log");
        open(STDERR, '>&', \*STDOUT);
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    $self->{child} = $child;
    wait_for(sub { ($self->{pid} = $self->read_pid) && $self->answers }, 40)
        or die "postgres did not start:\n" . slurp("$self->{dir}.log");
    return $self;
}

sub answers
{
    my ($self) = @_;
    return !run("$self->{programs}/psql", $self->conninfo('postgres'), '-qc', 'SELECT 1')->{exit};
}

# What RRStore pgsql takes, for a database.
sub conninfo
{
    my ($self, $database) = @_;
    return "host=127.0.0.1 port=$self->{port} dbname=$database user=postgres";
}

# An empty database of a fresh name.
sub database
{
    my ($self) = @_;
    my $name = 'rr_' . random_word(8);
    $self->sql('postgres', "CREATE DATABASE $name");
    return $name;
}

# What psql prints for a statement.
sub sql
{
    my ($self, $database, $statement) = @_;
    my $got = run("$self->{programs}/psql", $self->conninfo($database), '-v', 'ON_ERROR_STOP=1', '-qAtc', $statement);
    die "psql: $got->{err}" if $got->{exit};
    chomp($got->{out});
    return $got->{out};
}

# A store in a database of its own, with the methods of RR::Test's; its master key lies beside the server.
sub store
{
    my ($self) = @_;
    my $database = $self->database;
    my $store = bless { postgres => $self, database => $database, key_file => "$self->{dir}.$database.key" },
        'RR::Postgres::Store';
    my $got = $store->rrctl('init');
    die "rrctl init: $got->{err}" if $got->{exit};
    return $store;
}

# Ends it: INT breaks connections off, TERM waits for them.
sub stop
{
    my ($self, $signal) = @_;
    my $pid = $self->{pid} or return;
    kill($signal || 'INT', $pid);
    wait_for(sub { !alive($pid) }, 20) or kill('QUIT', $pid);
    waitpid($self->{child}, 0) if $self->{child} && $self->{owner} == $$;
    delete @$self{qw(pid child)};
}

sub DESTROY
{
    my ($self) = @_;
    local ($?, $!, $@);
    $self->stop if $self->{owner} == $$;
}

package RR::Postgres::Store;

use strict;
use warnings;

use RR::Test ();

our @ISA = ('RR::Test::Store');

sub name { my ($self) = @_; return 'pgsql:' . $self->{postgres}->conninfo($self->{database}) }

sub conf
{
    my ($self) = @_;
    my $params = $self->{postgres}->conninfo($self->{database});
    return "RRStore pgsql \"$params\"\nRRMasterKey \"$self->{key_file}\"\n";
}

sub rrctl
{
    my ($self, @args) = @_;
    my @opt = ref $args[0] eq 'HASH' ? shift @args : ();
    return RR::Test::rrctl(@opt, '--store', $self->name, '--master-key', $self->{key_file}, @args);
}

sub sql { my ($self, $statement) = @_; return $self->{postgres}->sql($self->{database}, $statement) }

1;
