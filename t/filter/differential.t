# SPDX-License-Identifier: Apache-2.0
# The cutter against another implementation of the same operations: random
# documents, random operations, equal as JSON and kept scalars equal as bytes.
#
# The reference below parses a document into a tree that keeps the bytes of
# every scalar and name, applies the operations by walking that tree, and shares
# no code with the library. RR_SEED=n repeats a run.
use strict;
use warnings;
use Test::More;
use File::Temp;
use RR::Util qw(spew json_text);

my $seed = defined $ENV{RR_SEED} ? $ENV{RR_SEED} : 20260101;
my $build = $ENV{RR_BUILD} || 'build';
my $rounds = 60;
my $documents = 60; # a round
srand($seed);

# ---- the reference: a node is [kind, ...]: ['s', bytes], ['a', node...], ['o', [name bytes, name, node]...]

sub unescape
{
    my ($text) = @_;
    my %plain = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t");
    utf8::decode($text);
    $text =~ s{\\(u([Dd][89ABab]..)\\u(....)|u(....)|(.))}{
        defined $2 ? chr(0x10000 + ((hex($2) - 0xd800) << 10) + hex($3) - 0xdc00)
      : defined $4 ? chr(hex($4)) : exists $plain{$5} ? $plain{$5} : $5 }gsex;
    return $text;
}

sub parse
{
    my ($ref) = @_;
    $$ref =~ /\G[ \t\r\n]*/gc;
    if ($$ref =~ /\G\[[ \t\r\n]*/gc) {
        my @nodes;
        until ($$ref =~ /\G[ \t\r\n]*\]/gc) {
            $$ref =~ /\G[ \t\r\n]*,/gc or die "no comma" if @nodes;
            push(@nodes, parse($ref));
        }
        return ['a', @nodes];
    }
    if ($$ref =~ /\G\{[ \t\r\n]*/gc) {
        my @members;
        until ($$ref =~ /\G[ \t\r\n]*\}/gc) {
            $$ref =~ /\G[ \t\r\n]*,/gc or die "no comma" if @members;
            $$ref =~ /\G[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:/gc or die "no name";
            my $name = $1;
            push(@members, [$name, unescape($name), parse($ref)]);
        }
        return ['o', @members];
    }
    $$ref =~ /\G("(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+|true|false|null)/gc or die "no value";
    return ['s', $1];
}

sub document
{
    my ($text) = @_;
    my $node = parse(\$text);
    $text =~ /\G[ \t\r\n]*\z/gc or die "something after the document: $text";
    return $node;
}

# The values below a node: [step, node]; a step is a name (its text) or an index (a reference to it).
sub children
{
    my ($node) = @_;
    my ($kind, @parts) = @$node;
    return map { [$_->[1], $_->[2]] } @parts if $kind eq 'o';
    return map { [\(my $copy = $_), $parts[$_]] } 0 .. $#parts if $kind eq 'a';
    return;
}

sub written
{
    my ($above, $step) = @_;
    return ref $step ? "$above\[$$step]" : "$above.$step";
}

# Whether a JSONPath (segments) selects the value at these steps.
sub selects
{
    my ($segments, @steps) = @_;
    return !@steps if !@$segments;
    return 0 if !@steps;
    my ($segment, @rest) = @$segments;
    my $step = $steps[0];
    for my $selector (@{ $segment->{selectors} }) {
        my ($kind, @of) = @$selector;
        next if $kind eq 'name' && (ref $step || $step ne $of[0]);
        next if $kind eq 'slice' && !(ref $step && $$step >= $of[0] && ($of[1] < 0 || $$step < $of[1])
                                      && ($$step - $of[0]) % $of[2] == 0);
        return 1 if selects(\@rest, @steps[1 .. $#steps]);
    }
    return $segment->{descends} && selects($segments, @steps[1 .. $#steps]);
}

sub matched
{
    my ($ops, $path, @steps) = @_;
    for my $op (@$ops) {
        return 1 if $op->{regex} ? defined $path && $path =~ $op->{regex} : selects($op->{segments}, @steps);
    }
    return 0;
}

sub without
{
    my ($node, $ops, $above, @steps) = @_;
    return $node if $node->[0] eq 's';
    my @left;
    my @children = children($node);
    for my $i (0 .. $#children) {
        my ($step, $child) = @{ $children[$i] };
        my $path = @steps ? written($above, $step) : ref $step ? "[$$step]" : $step;
        next if matched($ops, $path, @steps, $step);
        my $kept = without($child, $ops, $path, @steps, $step);
        push(@left, $node->[0] eq 'o' ? [$node->[1 + $i][0], $step, $kept] : $kept);
    }
    return [$node->[0], @left];
}

# undef: nothing of it is retained.
sub only
{
    my ($node, $ops, $above, @steps) = @_;
    return undef if $node->[0] eq 's';
    my @left;
    my @children = children($node);
    for my $i (0 .. $#children) {
        my ($step, $child) = @{ $children[$i] };
        my $path = @steps ? written($above, $step) : ref $step ? "[$$step]" : $step;
        my $kept = matched($ops, $path, @steps, $step) ? $child : only($child, $ops, $path, @steps, $step);
        next if !defined $kept;
        push(@left, $node->[0] eq 'o' ? [$node->[1 + $i][0], $step, $kept] : $kept);
    }
    return @left ? [$node->[0], @left] : undef;
}

sub expected
{
    my ($node, $ops) = @_;
    my @retain = grep { $_->{effect} eq 'retain' } @$ops;
    my @destroy = grep { $_->{effect} eq 'destroy' } @$ops;
    my $scalar = $node->[0] eq 's';

    # the document itself has no path unless it is a scalar, whose path is empty
    if (@retain && !matched(\@retain, $scalar ? '' : undef)) {
        $node = $scalar ? ['s', 'null'] : only($node, \@retain, '') || [$node->[0]];
    }
    if (@destroy) {
        $node = matched(\@destroy, $scalar ? '' : undef) ? ($scalar ? ['s', 'null'] : [$node->[0]]) : without($node, \@destroy, '');
    }
    return $node;
}

sub canonical
{
    my ($node) = @_;
    my ($kind, @parts) = @$node;
    return $kind eq 's' ? $parts[0]
      : $kind eq 'a' ? '[' . join(',', map { canonical($_) } @parts) . ']'
      : '{' . join(',', map { qq("$_->[0]":) . canonical($_->[2]) } @parts) . '}';
}

# ---- what is thrown at it

sub pick { return $_[rand @_] }
sub blank { my ($newline) = @_; return rand() < 0.6 ? '' : pick(' ', "\t", '  ', $newline ? "\n" : ' ') }

my @names = ('a', 'b', 'c', 'id', 'card', 'ssn', '\u0073sn', '', 'a.b', 'x[0]', '\u00e9', "\xc3\xa9", 'q\"q', '\ud83d\ude00', 'sk');
my @scalars = ('1', '0', '-0', '1.0', '1e400', '12345678901234567890123', '""', '"text"', '"a,b"', '"}]"', '"\u0000"', '"\\\\"',
    '"\u00e9\n"', "\"\xe2\x82\xac\"", 'true', 'false', 'null', '-1.5E-3');

sub value
{
    my ($depth, $newline) = @_;
    my $kind = $depth <= 0 ? 0 : int(rand(3));
    return pick(@scalars) if $kind == 0;
    my $count = int(rand(5));
    my @parts = map {
        my $inner = value($depth - 1, $newline);
        my $name = '"' . pick(@names) . '"' . blank($newline) . ':' . blank($newline);
        blank($newline) . ($kind == 1 ? $inner : $name . $inner) . blank($newline)
    } 1 .. $count;
    my $inside = @parts ? join(',', @parts) : blank($newline);
    return $kind == 1 ? "[$inside]" : "{$inside}";
}

# Each works in PCRE2 and Perl alike; the last ones need back-tracking, so that every engine is asked.
my @patterns = ('a', '^a$', '^a\.b$', 'card', 'ssn', '^ssn$', '\[0\]', '\[\d+\]\.id', '.*', '^$', '^[^.]*$', '\.(id|card)$', '^.$',
    '(a|b)\.c', '\.b\.', '^\[[1-3]\]', 'a.*c', '^(?:a|id)', '[^a-c]$', 'x{0}z', '(?=c)card', '(.)\1', '\bid\b', '(?i)SSN', 's{2}n',
    '^a?b?$', '^x\[0\]$', '\.$', '^\.', '\W\W', 'c\b');

sub operation
{
    my $effect = rand() < 0.65 ? 'destroy' : 'retain';
    if (rand() < 0.65) {
        my $pattern = pick(@patterns);
        my $flags = rand() < 0.2 ? 'i' : '';
        my %json = (pattern => $pattern);
        $json{flags} = $flags if $flags;
        return { effect => $effect, regex => $flags ? qr/$pattern/sia : qr/$pattern/sa, json => \%json };
    }
    my ($text, @segments) = ('$');
    for (1 .. int(rand(4))) {
        my $descends = rand() < 0.3;
        my (@selectors, @texts);
        for (1 .. 1 + int(rand(2))) {
            my $kind = int(rand(4));
            if ($kind == 0) {
                push(@selectors, ['any']);
                push(@texts, '*');
            }
            elsif ($kind == 1) {
                my ($from, $to, $step) = (int(rand(3)), pick(-1, 1, 2, 4), pick(1, 1, 2, 3));
                push(@selectors, ['slice', $from, $to, $step]);
                push(@texts, "$from:" . ($to < 0 ? '' : $to) . ":$step");
            }
            elsif ($kind == 2) {
                my $index = int(rand(3));
                push(@selectors, ['slice', $index, $index + 1, 1]);
                push(@texts, $index);
            }
            else {
                my $name = pick('a', 'b', 'c', 'id', 'card', 'ssn', '', 'a.b');
                push(@selectors, ['name', $name]);
                push(@texts, pick("'$name'", qq("$name")));
            }
        }
        push(@segments, { descends => $descends, selectors => \@selectors });
        $text .= ($descends ? '..' : '') . '[' . join(pick(',', ' , '), @texts) . ']';
    }
    return { effect => $effect, segments => \@segments, json => { path => $text } };
}

sub filtered
{
    my ($filter, $body, $type) = @_;
    my $dir = $main::dir;
    spew("$dir/filter.json", $filter);
    spew("$dir/body", $body);
    my $chunk = 1 + int(rand(rand() < 0.5 ? 7 : 4000));
    my $out = qx($build/bin/rrctl filter try $dir/filter.json --type $type --chunk $chunk <$dir/body 2>$dir/err);
    return $? ? undef : $out;
}

our $dir = File::Temp->newdir;
my ($compared, $changed) = (0, 0);
ROUND: for my $round (1 .. $rounds) {
    my @ops = map { operation() } 1 .. 1 + int(rand(pick(2, 4, 30)));
    my $filter = json_text({ operations => [map { { effect => $_->{effect}, jsonPath => $_->{json} } } @ops] });
    my $lines = $round % 4; # every fourth round: single documents with line feeds inside
    my @in = map { value(1 + int(rand(5)), !$lines) } 1 .. ($lines ? $documents : 6);
    my @out;
    if ($lines) {
        my $out = filtered($filter, join("\n", @in) . "\n", 'application/x-ndjson');
        @out = defined $out ? split(/\n/, $out) : ();
    }
    else {
        @out = map { filtered($filter, $_, 'application/json') } @in;
    }
    for my $i (0 .. $#in) {
        my $want = canonical(expected(document($in[$i]), \@ops));
        my $got = eval { canonical(document(defined $out[$i] ? $out[$i] : '')) };
        $compared++;
        $changed++ if $want ne canonical(document($in[$i]));
        next if defined $got && $got eq $want;
        fail("seed $seed, round $round, document $i");
        diag("filter $filter\nbody   $in[$i]\ngot    ", defined $out[$i] ? $out[$i] : '(none)', "\nwant   $want");
        last ROUND;
    }
}
cmp_ok($compared, '>', $rounds * 20, "$compared documents compared");
cmp_ok($changed, '>', $compared / 10, "$changed of them were cut");
cmp_ok($changed, '<', $compared, 'and some were not');
done_testing();
