# SPDX-License-Identifier: Apache-2.0
#
# RR::Test: the words tests are written in.
#
#   use RR::Test;
#
#   my $store = store();
#   my $key = $store->key('robot', '--scope', 'orders:read');
#   my $httpd = httpd(modules => [qw(core keyauth)], conf => $store->conf . <<'CONF');
#   <Location "/me">
#       AuthType RR
#       Require rr-key
#       SetHandler rr-me
#   </Location>
#   CONF
#
#   cases($httpd,
#       ['no credential',  { path => '/me' }, { status => 401, headers => { 'WWW-Authenticate' => qr/Bearer/ } }],
#       ['a key',          { path => '/me', headers => { 'X-API-Key' => $key->{key} } },
#                          { status => 200, json => { message => 'Authenticated' } }],
#   );
#   expect_log('AH01630');
#   finish();
#
# finish() stops the servers and fails on every line of warning or worse that was not announced,
# on every announced line that did not come, and on every secret found in any log.

package RR::Test;

use strict;
use warnings;

use Apache::TestUtil qw(t_cmp);
use Exporter ();
use File::Path qw(make_path remove_tree);
use RR::Client;
use RR::Httpd;
use RR::Util qw(root build place give_away server_user slurp spew wait_for json_data json_text run random_word);
use Test::More;

our @EXPORT = (@Test::More::EXPORT, qw(httpd cases check expect_log allow_log secret canary seed rrctl rrctl_program store
    place_for finish root build slurp spew wait_for json_data json_text));

# Whoever uses this does not compile where a "my" hides another of the same scope.
sub import
{
    warnings->import(FATAL => 'shadow');
    goto &Exporter::import;
}

my $name = do { (my $n = $0) =~ s{^.*?\bt/}{}; $n =~ s/\.t$//; $n =~ s/[^A-Za-z0-9]+/-/g; $n };
my $dir;        # this test's own directory
my @servers;
my @announced;  # [pattern, as written, must come, times seen]
my %secrets;    # value => name
my $finished;

# A directory of this test's own that httpd's children can enter.
sub place_for
{
    my ($noun) = @_;
    if (!$dir) {
        $dir = place('t/run') . "/$name";
        # A server of an interrupted run, first of all: it holds the files that go next.
        for my $pid (glob("$dir/*/run/httpd.pid")) {
            (my $old = $pid) =~ s{/run/httpd\.pid$}{};
            RR::Httpd->new(root => $old);
        }
        remove_tree($dir);
        make_path($dir);
    }
    if ($noun) {
        make_path("$dir/$noun");
        return "$dir/$noun";
    }
    return $dir;
}

# A started httpd of this test's own; options as RR::Httpd, and start => 0.
sub httpd
{
    shift if @_ && !ref $_[0] && $_[0] eq __PACKAGE__;
    my (%opt) = @_;
    my $start = exists $opt{start} ? delete $opt{start} : 1;
    my $httpd = RR::Httpd->new(root => place_for() . '/httpd' . (@servers + 1), %opt);

    push(@servers, $httpd);
    $httpd->start if $start;
    return $httpd;
}

# A text that must not appear in any log, nor in any response unless its case says leak => 1.
sub secret
{
    my ($value, $what) = @_;
    die "a secret of less than 8 characters proves nothing\n" if length $value < 8;
    $secrets{$value} = $what || 'secret';
    return $value;
}

# A fresh, unmistakable secret: for metadata, claims, headers.
sub canary
{
    my ($what) = @_;
    return secret('rrcanary' . random_word(16), $what || 'canary');
}

# A document of t/seeds, its placeholders filled in; each has to be there.
sub seed
{
    my ($name, %placeholders) = @_;
    my $text = slurp(root() . "/t/seeds/$name.json");
    for my $from (sort keys %placeholders) {
        die "$name has no $from\n" if index($text, $from) < 0;
        $text =~ s/\Q$from\E/$placeholders{$from}/g;
    }
    return $text;
}

# Announces a line of the error log: 'AH01630', 'RR10201', or a pattern. It has to come.
sub expect_log { announce(1, @_) }

# Allows a line that may come or not (what depends on timing).
sub allow_log { announce(0, @_) }

sub announce
{
    my ($must, @patterns) = @_;
    for my $pattern (@patterns) {
        my $re = ref $pattern ? $pattern : qr/\b\Q$pattern\E\b/;
        push(@announced, [$re, "$pattern", $must, 0]);
    }
}

# One response against what is expected:
#   status   number, or pattern
#   headers  { Name => 'exactly' | qr/joined value/ | undef: absent | [every value in order] }
#   json     { 'a.b.0' => value | qr// | undef: absent | sub }
#   body     qr// or exact text         absent  [texts that occur nowhere in the response]
#   leak     1: secrets may occur (an echo)
sub check
{
    my ($what, $res, $expect) = @_;
    my @wrong;

    if (defined $expect->{status} && !matches($res->status, $expect->{status})) {
        push(@wrong, 'status ' . $res->status . ", expected $expect->{status}");
    }
    for my $header (sort keys %{ $expect->{headers} || {} }) {
        my $want = $expect->{headers}{$header};
        my @got = $res->headers($header);
        my $got = ref $want eq 'ARRAY' ? \@got : $res->header($header);
        push(@wrong, "header $header: " . shown($got) . ', expected ' . shown($want)) unless matches($got, $want);
    }
    push(@wrong, json_wrong($res, $expect->{json})) if $expect->{json};
    if (defined $expect->{body} && !matches($res->body, $expect->{body})) {
        push(@wrong, 'body: ' . shown($res->body) . ', expected ' . shown($expect->{body}));
    }
    for my $text (@{ $expect->{absent} || [] }) {
        my $found = ref $text ? $res->text =~ $text : index($res->text, $text) >= 0;
        push(@wrong, "the response has $text") if $found;
    }
    if (!$expect->{leak}) {
        push(@wrong, map { "the response has the $secrets{$_}" } grep { index($res->text, $_) >= 0 } sort keys %secrets);
    }
    ok(!@wrong, $what) or diag(join("\n", map { "  $_" } @wrong), "\n", '  response: ', shown($res->text));
    return !@wrong;
}

sub json_wrong
{
    my ($res, $expect) = @_;
    my $data = $res->json;
    my @wrong;

    return 'the body is no JSON' unless defined $data;
    for my $path (sort keys %$expect) {
        my $got = member($data, $path);
        my $want = $expect->{$path};
        push(@wrong, "json $path: " . shown($got) . ', expected ' . shown($want)) unless matches($got, $want);
    }
    return @wrong;
}

# The member a.b.0 of data; an exact top-level name first, since names may have dots.
sub member
{
    my ($data, $path) = @_;
    return $data if $path eq '';
    return $data->{$path} if ref $data eq 'HASH' && exists $data->{$path};
    for my $step (split(/\./, $path)) {
        if (ref $data eq 'HASH' && exists $data->{$step}) {
            $data = $data->{$step};
        }
        elsif (ref $data eq 'ARRAY' && $step =~ /^\d+$/ && $step < @$data) {
            $data = $data->[$step];
        }
        else {
            return undef;
        }
    }
    return $data;
}

sub matches
{
    my ($got, $want) = @_;
    return !defined $got if !defined $want;
    return $want->($got) if ref $want eq 'CODE';
    return 0 if !defined $got;
    return $got =~ $want if ref $want eq 'Regexp';
    return json_text($got) eq json_text($want) if JSON::PP::is_bool($want);
    return quietly_cmp($want, $got) if ref $want;
    return !ref $got && $got eq $want;
}

# t_cmp explains itself on stdout, where TAP is; only its verdict is wanted here.
sub quietly_cmp
{
    my ($want, $got) = @_;
    my $shown = '';
    open(my $real, '>&', \*STDOUT) or die "stdout: $!\n";
    close(STDOUT);
    open(STDOUT, '>', \$shown) or die "stdout: $!\n";
    my $same = eval { t_cmp($got, $want) };
    close(STDOUT);
    open(STDOUT, '>&', $real) or die "stdout: $!\n";
    return $same;
}

sub shown
{
    my ($value) = @_;
    return 'none' unless defined $value;
    my $text = ref $value eq 'Regexp' || ref $value eq 'CODE' ? "$value" : ref $value ? json_text($value) : $value;
    $text = substr($text, 0, 1500) . '...' if length $text > 1500;
    $text =~ s/([^\x20-\x7e\n])/sprintf('\\x%02x', ord $1)/ge;
    return $text;
}

# A table of named cases: [name, { request }, { expect }], ...; see RR::Client::bytes and check.
sub cases
{
    my ($httpd, @cases) = @_;
    my %seen;

    die "no cases\n" unless @cases;
    for my $case (@cases) {
        my ($what, $request, $expect) = @$case;
        die "case '$what' is there twice\n" if $seen{$what}++;
        die "case '$what' expects nothing\n" unless $expect && %$expect;
        my $res = eval { $httpd->request(%$request) };
        if (!$res) {
            fail($what);
            diag("  $@");
            next;
        }
        check($what, $res, $expect);
    }
}

sub rrctl_program { return build() . '/bin/rrctl' }

# Runs rrctl: { exit, out, err, json }. Options first: { stdin => text, env => {} }.
sub rrctl
{
    my $opt = ref $_[0] eq 'HASH' ? shift : {};
    my $got = run($opt, rrctl_program(), @_);
    $got->{json} = json_data($got->{out});
    if ($got->{err} =~ /runtime error:|Sanitizer/) {
        fail("rrctl @_");
        diag($got->{err});
    }
    return $got;
}

# A fresh sqlite3 store, made by rrctl init, that httpd's children can write.
sub store
{
    my ($noun, $place) = @_;
    $place ||= place_for($noun || 'store');
    my $store = bless { path => "$place/rr.db" }, 'RR::Test::Store';

    give_away($place);
    my $user = server_user();
    my $got = $store->rrctl('init', $user ? ('--owner', $user->{name}) : ());
    die "rrctl init: $got->{err}" if $got->{exit};
    return $store;
}

# What httpd itself may say at any time: event, told to stop while it waits for a client to close.
my @httpds_own = (qr/AH03092: process_lingering_close: /);

my $line_form = qr/^\[[^\]]+\] \[([a-z0-9_-]*):([a-z0-9]+)\] /;

# The lines of an error log that nobody announced; counts those that were.
sub gate
{
    my ($log) = @_;
    my @bad;

    for my $line (split(/\n/, $log)) {
        next if $line eq '';
        my $known = 0;
        for my $announced (@announced) {
            if ($line =~ $announced->[0]) {
                $announced->[3]++;
                $known = 1;
            }
        }
        next if $known || grep { $line =~ $_ } @httpds_own;
        if ($line !~ $line_form) {
            push(@bad, $line); # what no module wrote: a sanitizer, libc, a program of ours on stderr
        }
        elsif ($2 =~ /^(warn|error|crit|alert|emerg)$/) {
            push(@bad, $line);
        }
    }
    return @bad;
}

# Ends the test: stops the servers, judges the logs, says done.
sub finish
{
    $finished = 1;
    $_->stop for @servers;

    my @bad = map { gate($_->errorlog), gate(eval { slurp($_->dir . '/logs/stderr.log') } || '') } @servers;
    ok(!@bad, 'no line of warning or worse that was not announced')
        or diag(join("\n", map { "  $_" } @bad[0 .. ($#bad > 20 ? 20 : $#bad)]));
    my @missing = map { $_->[1] } grep { $_->[2] && !$_->[3] } @announced;
    ok(!@missing, 'every announced line of the log came') or diag("  missing: @missing");

    my @leaks = map { leaks($_) } @servers;
    ok(!@leaks, 'no secret in any log') or diag(join("\n", map { "  $_" } @leaks));
    done_testing();
    @servers = ();
}

# Secrets in whatever was written below logs/.
sub leaks
{
    my ($httpd) = @_;
    my @leaks;
    for my $file (glob($httpd->dir . '/logs/*')) {
        my $text = slurp($file);
        for my $value (sort keys %secrets) {
            next if index($text, $value) < 0;
            my ($line) = $text =~ /^(.*\Q$value\E.*)$/m;
            push(@leaks, "$file has the $secrets{$value}: " . substr($line || '', 0, 300));
        }
    }
    return @leaks;
}

END {
    # A test that died: its servers go, its exit status stays.
    local ($?, $!);
    if (!$finished) {
        for my $server (@servers) {
            next unless $server->{owner} == $$;
            $server->stop;
        }
    }
}

package RR::Test::Store;

use strict;
use warnings;

sub path { return $_[0]{path} }
sub name { return "sqlite3:$_[0]{path}" } # as rrctl --store takes it
sub conf { return "RRStore sqlite3 \"$_[0]{path}\"\n" }

# rrctl on this store.
sub rrctl
{
    my $self = shift;
    my @opt = ref $_[0] eq 'HASH' ? (shift) : ();
    my $got = RR::Test::rrctl(@opt, '--store', $self->name, @_);
    return $got;
}

# What sqlite3 prints for statements that no program of ours runs.
sub sql
{
    my ($self, $statements) = @_;
    my $got = RR::Test::run('sqlite3', '-cmd', '.timeout 5000', $self->path, "PRAGMA foreign_keys = ON; $statements");
    die "sqlite3: $got->{err}" if $got->{exit};
    chomp($got->{out});
    return $got->{out};
}

# An object made from the API's JSON, as the API answers it: make('target', { targetName => ... }).
sub make
{
    my ($self, $noun, $object, @args) = @_;
    my $got = $self->rrctl({ stdin => RR::Test::json_text($object) }, '--json', @args, $noun, 'create', '-f', '-');
    die "rrctl $noun create: $got->{err}$got->{out}" if $got->{exit} || !$got->{json};
    my ($list) = grep { ref $_ eq 'ARRAY' } values %{ $got->{json} };
    return $list->[0];
}

# A credential's key: { id, key, credentialId }; a secret from now on.
sub key
{
    my ($self, @args) = @_;
    my $got = $self->rrctl('--json', 'key', 'create', @args);
    die "rrctl key create @args: $got->{err}" if $got->{exit} || !$got->{json} || !$got->{json}{key};
    RR::Test::secret($got->{json}{key}, "key of $args[0]");
    return $got->{json};
}

1;
