# SPDX-License-Identifier: Apache-2.0
#
# What bash proposes is what rrctl has.

use strict;
use warnings;

use RR::Test;
use RR::Util qw(run);

my $place = place_for('completion');
spew("$place/a-file.json", '{}');

# What is proposed for the last of these words.
sub proposed
{
    my @words = (rrctl_program(), @_);
    my $script = 'source "$1"; shift; cd "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rrctl; printf "%s\n" "${COMPREPLY[@]}"';
    my $got = run('bash', '-c', $script, 'bash', root() . '/support/rrctl.bash', $place, @words);
    is($got->{err}, '', "@_: bash does not complain");
    return { map { $_ => 1 } split(/\n/, $got->{out}) };
}

sub has
{
    my ($name, $got, $want, $not) = @_;
    my @missing = grep { !$got->{$_} } @$want;
    my @wrong = grep { $got->{$_} } @$not;
    ok(!@missing && !@wrong, $name) or diag("missing: @missing; not wanted: @wrong; got: @{[sort keys %$got]}");
}

has('nouns', proposed(''), [qw(init key client credential proxy rule apply export jwt --store)], [qw(create)]);
has('begun ones', proposed('cre'), ['credential'], [qw(client key)]);
has('verbs', proposed('rule', ''), [qw(create list show delete lint)], [qw(mint roll)]);
has('behind global options', proposed('--client', 'acme', 'key', ''), [qw(create roll revoke)], [qw(mint)]);
has('options of a verb', proposed('key', 'roll', 'x', '--'), [qw(--overlap --json)], [qw(--scope --jwks)]);
has('options of a noun alone', proposed('apply', '--'), [qw(--dry-run --prune)], [qw(--scope)]);
has('files', proposed('apply', '-f', 'a-'), ['a-file.json'], []);
finish();
