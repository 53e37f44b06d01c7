# SPDX-License-Identifier: Apache-2.0
#
# RR::Bench::Report: what came of the runs: a table, JSON, and docs/performance.md with its chart.
#
# A figure is the median of a run's rounds; of several runs, the median of theirs, and the spread is from the lowest
# to the highest run. Of one run, the spread is from the lowest to the highest round.

package RR::Bench::Report;

use strict;
use warnings;

use POSIX ();
use RR::Bench qw(median);
use RR::Bench::Chart;
use RR::Bench::Peer ();
use RR::Util qw(root slurp spew run json_text httpd_program);

# What is measured of a case; busy: with requests pipelined.
my @measures = qw(cpu busy p50 p99 added busy_added);

sub new
{
    my ($class, %opt) = @_;
    my $self = bless { %opt }, $class;
    my %result = (machine => machine(), date => POSIX::strftime('%Y-%m-%d', gmtime), runs => scalar @{ $opt{runs} },
                  rounds => $opt{options}{rounds}, cases => {}, figures => {}, skipped => {}, failed => {});

    for my $run (@{ $opt{runs} }) {
        %{ $result{$_} } = (%{ $result{$_} }, %{ $run->{$_} }) for qw(skipped failed);
        for my $name (keys %{ $run->{cases} }) {
            my $case = $run->{cases}{$name};
            my $kept = $result{cases}{$name} ||= { title => $case->{title}, kind => $case->{kind} };
            push(@{ $kept->{$_} }, $case->{$_}) for grep { defined $case->{$_} } @measures, 'memory';
        }
        push(@{ $result{figures}{$_} }, $run->{figures}{$_}) for keys %{ $run->{figures} };
    }
    for my $case (values %{ $result{cases} }) {
        $case->{memory} = median(@{ $case->{memory} });
        $case->{$_} = joined($case->{$_}) for grep { $case->{$_} } @measures;
    }
    $_ = joined($_) for values %{ $result{figures} };
    $self->{result} = \%result;
    $result{budgets} = [map { $self->judged($_) } @{ do(root() . '/t/bench/budgets.pl') || die("budgets.pl: $@$!\n") }];
    return $self;
}

sub joined
{
    my ($of) = @_;
    return { map { $_ => $of->[0]{$_} } qw(value low high) } if @$of == 1;
    my @values = sort { $a <=> $b } map { $_->{value} } @$of;
    return { value => median(@values), low => $values[0], high => $values[-1] };
}

# The figure that a name stands for: "key/ours" is what it adds, kept busy or asked one at a time, "parts/rs256" what it measured.
sub figure
{
    my ($self, $name, $way) = @_;
    my $case = $self->{result}{cases}{$name} or return $self->{result}{figures}{$name};
    return $case->{$way};
}

# A figure against its goal: { value, low, high, goal, met }; undef where it was not measured in that way.
sub judged_by
{
    my ($self, $budget, $way) = @_;
    my $figure = $self->figure($budget->{figure}, $way) or return undef;
    my $goal = ref $budget->{goal} ? eval { $budget->{goal}->(sub { ($self->figure($_[0], $way) || die "not measured\n")->{value} }) } : $budget->{goal};
    return undef unless defined $goal;
    my $met = $budget->{least} ? $figure->{value} >= $goal : $figure->{value} <= $goal;
    return { %$figure, goal => $goal, met => $met ? 1 : 0 };
}

# A budget's row: { title, unit, least, busy, single }: what a trial measured has but one way, and stands in busy.
sub judged
{
    my ($self, $budget) = @_;
    my $is_case = $self->{result}{cases}{ $budget->{figure} };
    return { (map { $_ => $budget->{$_} } qw(title unit)), least => $budget->{least} ? 1 : 0,
             busy => $self->judged_by($budget, 'busy_added'), single => $is_case ? $self->judged_by($budget, 'added') : undef };
}

# ---- the machine ----

sub first_line { my $got = run(@_); return (split(/\n/, $got->{out} . $got->{err}))[0] || '' }

sub machine
{
    my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.+)$/m;
    my ($memory) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my ($system) = (eval { slurp('/etc/os-release') } || '') =~ /^PRETTY_NAME="?([^"\n]+)/m;
    my ($httpd) = first_line(httpd_program(), '-v') =~ m{Apache/(\S+)};
    my ($ours) = slurp(root() . '/include/rr.h') =~ /RR_VERSION "([^"]+)"/;
    my $commit = first_line('git', '-c', 'safe.directory=*', '-C', root(), 'describe', '--always', '--dirty', '--match=');
    return {
        cpu => ($model || 'unknown') . ', ' . RR::Bench::cpus() . ' CPUs', memory => int($memory / 1024) . ' MB',
        system => ($system || 'unknown') . ', Linux ' . ((POSIX::uname())[2] =~ s{^(\d+\.\d+).*}{$1}r), httpd => $httpd, mod_rr => "$ours ($commit)",
        openssl => first_line('openssl', 'version') =~ s/^OpenSSL (\S+).*/$1/r,
        sqlite => first_line('sqlite3', '--version') =~ s/ .*//r, wrk => first_line('wrk', '-v') =~ s/^wrk (?:debian\/)?(\S+).*/$1/r,
        peers => RR::Bench::Peer::versions(),
    };
}

# ---- text ----

sub number { my ($n) = @_; return abs($n) >= 100 ? sprintf('%.0f', $n) : abs($n) >= 10 ? sprintf('%.1f', $n) : sprintf('%.2f', $n) }
sub range { my ($f) = @_; return number($f->{low}) . ' .. ' . number($f->{high}) }

# Rows of cells as lines of columns; the first is left-aligned, and all where there are two.
sub columns
{
    my (@rows) = @_;
    my $right = @{ $rows[0] } > 2;
    my @width;
    for my $row (@rows) {
        for my $i (0 .. $#$row) {
            $width[$i] = length $row->[$i] if !$width[$i] || $width[$i] < length $row->[$i];
        }
    }
    return join('', map { my $row = $_; (join("  ", map { sprintf($_ && $right ? "%$width[$_]s" : "%-$width[$_]s", $row->[$_]) } 0 .. $#$row) =~ s/ +$//r) . "\n" } @rows);
}

# The groups in their order: [title, [[name, case], ...]].
sub sections
{
    my ($self) = @_;
    my $cases = $self->{result}{cases};
    return map {
        my $group = $_;
        my @names = grep { $cases->{$_} } map { "$group->{name}/$_->{name}" } @{ $group->{chosen} || [] };
        @names ? [$group->{title}, [map { [$_, $cases->{$_}] } @names]] : ();
    } @{ $self->{groups} };
}

my @case_head = ('', 'added us', 'spread', 'one at a time us', 'spread', 'CPU us', 'p50 us', 'p99 us', 'memory KB');

sub case_cells
{
    my ($case) = @_;
    my @added = map { $_ ? (number($_->{value}), range($_)) : ('', '') } @$case{qw(busy_added added)};
    $added[0] = 'floor' if $case->{kind} eq 'floor';
    return (@added,
            (map { number($case->{$_}{value}) } qw(cpu p50 p99)), sprintf('%d', $case->{memory} || 0));
}

my @budget_head = ('budget', 'goal', 'figure', 'spread', 'one at a time', 'spread', '');

sub budget_cells
{
    my ($row) = @_;
    my ($busy, $single) = @$row{qw(busy single)};
    return ($row->{title}, '', 'not measured', '', '', '', '') unless $busy;
    my $goal = sub { ($row->{least} ? '>= ' : '<= ') . number($_[0]{goal}) };
    return ($row->{title}, $goal->($busy) . " $row->{unit}", number($busy->{value}), range($busy),
            ($single ? (number($single->{value}) . ($single->{goal} == $busy->{goal} ? '' : ' (' . $goal->($single) . ')'), range($single)) : ('', '')),
            !$busy->{met} ? 'not met' : $single && !$single->{met} ? 'met kept busy' : 'met');
}

sub figure_rows
{
    my ($self) = @_;
    my $figures = $self->{result}{figures};
    return map { [$_, number($figures->{$_}{value}), range($figures->{$_})] } sort keys %$figures;
}

sub table
{
    my ($self) = @_;
    my $result = $self->{result};
    my $text = "\n" . columns(map { ["$_->[0]", $_->[1]] } $self->machine_rows) . "\n";

    for my $section ($self->sections) {
        $text .= "$section->[0]\n" . columns(\@case_head, map { ["  $_->[0]", case_cells($_->[1])] } @{ $section->[1] }) . "\n";
    }
    $text .= columns(['figure', 'value', 'spread'], $self->figure_rows) . "\n" if %{ $result->{figures} };
    my @measured = grep { $_->{busy} } @{ $result->{budgets} };
    $text .= columns(\@budget_head, map { [budget_cells($_)] } @measured) . "\n" if @measured;
    $text .= "skipped $_: $result->{skipped}{$_}\n" for sort keys %{ $result->{skipped} };
    $text .= "failed $_: $result->{failed}{$_}\n" for sort keys %{ $result->{failed} };
    return $text;
}

sub machine_rows
{
    my ($self) = @_;
    my $machine = $self->{result}{machine};
    return ((map { [$_, $machine->{$_}] } qw(cpu memory system httpd mod_rr openssl sqlite wrk)),
            (map { [$_, $machine->{peers}{$_}] } sort keys %{ $machine->{peers} }),
            ['date', "$self->{result}{date}, $self->{result}{runs} run(s) of $self->{result}{rounds} rounds"]);
}

sub save { my ($self, $path) = @_; RR::Bench::make_dir($path); return spew($path, json_text($self->{result}) . "\n") }

# ---- docs/performance.md ----

sub markdown
{
    my (@rows) = @_;
    my $head = shift @rows;
    my $line = sub { '| ' . join(' | ', map { s/\|/\\|/gr } @_) . " |\n" };
    return $line->(@$head) . '|---|' . '---:|' x $#$head . "\n" . join('', map { $line->(@$_) } @rows);
}

# Puts what was measured between the page's marks.
sub publish
{
    my ($self, $dir) = @_;
    my $result = $self->{result};
    my $text = markdown(['machine', ''], $self->machine_rows) . "\n### Budgets\n\n"
        . markdown(\@budget_head, map { my @cells = budget_cells($_); $cells[-1] = "**$cells[-1]**" if $cells[-1] =~ /not/; \@cells } @{ $result->{budgets} });

    $text .= "\n### Every case\n\nMicroseconds of CPU a request added to the floor of the same round: kept busy, then one at a time; CPU, p50 and p99 are of one at a time, the latter two of a server that has its CPU to itself.\n";
    for my $section ($self->sections) {
        $text .= "\n#### $section->[0]\n\n" . markdown([@case_head], map { [$_->[1]{title}, case_cells($_->[1])] } @{ $section->[1] });
    }
    $text .= "\n#### Other figures\n\n" . markdown(['figure', 'value', 'spread'], $self->figure_rows);
    for my $kind (qw(skipped failed)) {
        $text .= "\n" . join('', map { "- $kind: `$_`: " . (split(/\n/, $result->{$kind}{$_}))[0] . "\n" } sort keys %{ $result->{$kind} }) if %{ $result->{$kind} };
    }
    my $page = slurp("$dir/performance.md");
    $page =~ s/(<!-- measured -->\n).*(<!-- end -->)/$1$text$2/s or die "$dir/performance.md has no place for the figures\n";
    spew("$dir/performance.md", $page);
    $self->save("$dir/performance.json");
    spew("$dir/performance.svg", RR::Bench::Chart::svg($self));
}

1;
