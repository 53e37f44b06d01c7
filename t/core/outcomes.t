# SPDX-License-Identifier: Apache-2.0
#
# Outcomes of two providers, modes and requirements: to whom a route opens, and with what status it stays shut.

use strict;
use warnings;

use RR::Stub;
use RR::Test;

# What requests order, by the letter of the tables below.
my $red = who('rose', scopes => 'read', data => { tier => 'gold', n => 1 });
my $blue = who('bert', scopes => 'write', data => { tier => 'tin', n => 2 });
my %letters = (A => undef, I => 'invalid', U => 'unavailable', F => 'foreign', M => 'mistake', N => '{"data":{}}', E => '{"sub":""}');

sub presents
{
    my ($one, $two) = @_;
    my %headers;
    $headers{'X-Red'} = $one eq 'V' ? $red : $letters{$one} if $one ne 'A';
    $headers{'X-Blue'} = $two eq 'V' ? $blue : $letters{$two} if $two ne 'A';
    return \%headers;
}

# A route of one file that tells who got in: X-Who, "(null)" for nobody.
my $routes = '';
sub route
{
    my ($path, @lines) = @_;
    $routes .= "<Location \"$path\">\n    AuthType RR\n    AuthName \"a \\\"b\\\" c\"\n"
               . join('', map { "    $_\n" } @lines) . "</Location>\n";
    return $path;
}

# ---- outcome of red, outcome of blue => required, optional, permissive, where Require grants to all;
# a status, or who is let in ("nobody": the anonymous) ----
my %outcomes = (
    'A A' => [401, 'nobody', 'nobody'],
    'A V' => ['bert', 'bert', 'bert'],
    'A I' => [401, 401, 'nobody'],
    'A U' => [503, 503, 503],
    'V A' => ['rose', 'rose', 'rose'],
    'V V' => ['rose', 'rose', 'rose'],
    'V I' => [401, 401, 'nobody'],
    'V U' => ['rose', 'rose', 'rose'],
    'I A' => [401, 401, 'nobody'],
    'I V' => [401, 401, 'nobody'],
    'I I' => [401, 401, 'nobody'],
    'I U' => [401, 401, 503],
    'U A' => [503, 503, 503],
    'U V' => ['bert', 'bert', 'bert'],
    'U I' => [401, 401, 503],
    'U U' => [503, 503, 503],
    # another's shape: wrong rather than absent, unless somebody vouches
    'F A' => [401, 401, 'nobody'],
    'F F' => [401, 401, 'nobody'],
    'F V' => ['bert', 'bert', 'bert'],
    'F U' => [503, 503, 503],
    # a provider's mistakes admit nobody and are no 500
    'M A' => [401, 401, 'nobody'],
    'M V' => [401, 401, 'nobody'],
    'N A' => [401, 401, 'nobody'],
    'E A' => [401, 401, 'nobody'],
);
my @modes = qw(required optional permissive);
my (@granted, @asked);

for my $i (0 .. 2) {
    route("/granted/$modes[$i]", "RRAuthMode $modes[$i]", 'Require all granted');
    route("/ip/$modes[$i]", "RRAuthMode $modes[$i]", 'Require ip 127.0.0.1');
    route("/any/$modes[$i]", "RRAuthMode $modes[$i]", 'Satisfy Any', 'Require all granted');
    route("/user/$modes[$i]", "RRAuthMode $modes[$i]", 'Require valid-user');
    for my $pair (sort keys %outcomes) {
        my $want = $outcomes{$pair}[$i];
        my $headers = presents(split(/ /, $pair));
        my $nobody = $want eq 'nobody';
        my $expect = $want =~ /^\d+$/ ? { status => $want, absent => ['secret file'] }
                                      : { status => 200, headers => { 'X-Who' => $nobody ? '(null)' : $want } };
        for my $grant (qw(granted ip any)) {
            push(@granted, ["$pair, $modes[$i], $grant", { path => "/$grant/$modes[$i]", headers => $headers }, $expect]);
        }
        push(@asked, ["$pair, $modes[$i], valid-user", { path => "/user/$modes[$i]", headers => $headers },
                      $nobody ? { status => 401, absent => ['secret file'] } : $expect]);
    }
}

# ---- Require lines => nobody, red, blue, both, red with another scope; a status, and what the challenge has ----
my @requirements = (
    ['rr-red', ['Require rr-red'], 401, 200, [401, ['Red']], 200, 200],
    ['rr-blue', ['Require rr-blue'], 401, [401, ['Blue']], 200, 200, [401, ['Blue']]],
    ['either', ['<RequireAny>', 'Require rr-red', 'Require rr-blue', '</RequireAny>'], 401, 200, 200, 200, 200],
    ['either, without a container', ['Require rr-red', 'Require rr-blue'], 401, 200, 200, 200, 200],
    ['both', ['<RequireAll>', 'Require rr-red', 'Require rr-blue', '</RequireAll>'],
     401, [401, ['Blue']], [401, ['Red']], 200, [401, ['Blue']]],
    ['valid-user', ['Require valid-user'], 401, 200, 200, 200, 200],
    ['user', ['Require user rose'], 401, 200, 403, 200, 403],
    ['denied to all', ['Require all denied'], 403, 403, 403, 403, 403],
    ['a scope', ['Require rr-scope read'], 401, 200, [403, 'read'], 200, [403, 'read']],
    ['one of two scopes', ['Require rr-scope write read'], 401, 200, 200, 200, [403, 'write read']],
    ['two scopes', ['<RequireAll>', 'Require rr-scope read', 'Require rr-scope write', '</RequireAll>'],
     401, [403, 'write'], [403, 'read'], 200, [403, 'read']],
    ['data', ['Require rr-data tier ^gold$'], 401, 200, 403, 200, 403],
    ['data, a number', ['Require rr-data n ^2$'], 401, 403, 200, 403, 403],
    ['data, not there', ['Require rr-data nothing .'], 401, 403, 403, 403, 403],
    ['method and scope', ['<RequireAll>', 'Require rr-blue', 'Require rr-scope read', '</RequireAll>'],
     401, [401, ['Blue']], [403, 'read'], 200, [401, ['Blue']]],
    ['either way with its scope',
     ['<RequireAny>', '<RequireAll>', 'Require rr-red', 'Require rr-scope read', '</RequireAll>',
      '<RequireAll>', 'Require rr-blue', 'Require rr-scope write', '</RequireAll>', '</RequireAny>'],
     401, 200, 200, 200, [403, 'read']],
    ['403 goes before 401',
     ['<RequireAny>', 'Require rr-blue', 'Require rr-scope read', '</RequireAny>'], 401, 200, 200, 200, [403, 'read']],
    ['not red', ['<RequireAll>', 'Require valid-user', '<RequireNone>', 'Require rr-red', '</RequireNone>', '</RequireAll>'],
     401, 403, 200, 403, 403],
    ['not that scope', ['<RequireAll>', 'Require valid-user', 'Require not rr-scope write', '</RequireAll>'],
     401, 200, 403, 403, 200],
    ['granted to all but red', ['<RequireAll>', 'Require all granted', 'Require not rr-red', '</RequireAll>'],
     401, 403, 200, 403, 403],
    ['from here, but not red', ['<RequireAll>', 'Require ip 127.0.0.1', 'Require not rr-red', '</RequireAll>'],
     401, 403, 200, 403, 403],
    ['granted, and nobody from here', ['<RequireAll>', 'Require all granted', 'Require not ip 127.0.0.1', '</RequireAll>'],
     403, 403, 403, 403, 403],
    ['three levels',
     ['<RequireAll>', '<RequireAny>', '<RequireAll>', 'Require rr-red', 'Require rr-blue', '</RequireAll>',
      'Require rr-scope read', '</RequireAny>', '<RequireNone>', 'Require rr-data n ^3$', '</RequireNone>', '</RequireAll>'],
     401, 200, [403, 'read'], 200, 403],
);
my $other = who('rita', scopes => 'other', data => { tier => 'gilt', n => 3 });
my @presented = (['nobody', {}], ['red', presents('V', 'A')], ['blue', presents('A', 'V')], ['both', presents('V', 'V')],
                 ['red of another scope', { 'X-Red' => $other }]);
my @required;

for my $line (@requirements) {
    my ($what, $require, @want) = @$line;
    my $path = route('/require/' . scalar @required, @$require);
    for my $i (0 .. 4) {
        my ($status, $more) = ref $want[$i] ? @{ $want[$i] } : ($want[$i]);
        my %expect = (status => $status, absent => $status == 200 ? [] : ['secret file']);
        if ($status == 401) {
            # every provider's challenge to who showed nothing; afterwards that of the method missed
            my $missed = ref $more ? $more : [qw(Red Blue)];
            $expect{headers} = { 'WWW-Authenticate' => [map { $_ . ' realm="a \"b\" c"' } @$missed] };
        }
        elsif ($status == 403 && defined $more) {
            my $rest = ' realm="a \"b\" c", error="insufficient_scope", scope="' . $more . '"';
            $expect{headers} = { 'WWW-Authenticate' => ["Red$rest", "Blue$rest"] };
        }
        elsif ($status == 200) {
            $expect{headers} = { 'WWW-Authenticate' => undef };
        }
        push(@required, ["$what: $presented[$i][0]", { path => $path, headers => $presented[$i][1] }, \%expect]);
    }
}

# ---- order, subset ----
my @pick = ('SetHandler rr-me', 'Require valid-user');
route('/pick/default', @pick);
route('/pick/turned', 'RRAuthProvider blue red', @pick);
route('/pick/red', 'RRAuthProvider red', @pick);
route('/pick/red/all', 'RRAuthProvider red blue'); # inherits the rest
my $both = presents('V', 'V');

my $httpd = httpd(modules => ['core'], extra => ['access_compat'], conf => load_stub() . <<'CONF' . $routes);
AliasMatch ^/(granted|ip|any|user|require)/ "@ROOT@/htdocs/file"
Header always set X-Who "%{RR_SUB}e"
CONF
$httpd->file('htdocs/file', "secret file\n");

cases($httpd, @granted);
cases($httpd, @asked);
cases($httpd, @required);
cases($httpd,
    ['two, the default order', { path => '/pick/default', headers => $both },
     { json => { sub => 'rose', 'data.n' => 1, 'dataByMethod.red.n' => 1, 'dataByMethod.blue.n' => 2 } }],
    ['two, the order turned', { path => '/pick/turned', headers => $both },
     { json => { sub => 'bert', 'data.n' => 2, 'dataByMethod.red.n' => 1, 'dataByMethod.blue.n' => 2 } }],
    ['one of two asked', { path => '/pick/red', headers => $both }, { json => { sub => 'rose', dataByMethod => undef } }],
    ['the other alone is not asked', { path => '/pick/red', headers => presents('A', 'V') },
     { status => 401, headers => { 'WWW-Authenticate' => ['Red realm="a \"b\" c"'] } }],
    ['what the other says is wrong is not asked', { path => '/pick/red', headers => presents('V', 'I') }, { status => 200 }],
    ['a section inside asks both', { path => '/pick/red/all', headers => presents('A', 'V') },
     { status => 200, json => { sub => 'bert' } }],
    ['one alone has no dataByMethod', { path => '/pick/default', headers => presents('A', 'V') },
     { status => 200, json => { message => 'Authenticated', sub => 'bert', 'data.tier' => 'tin', dataByMethod => undef } }],
    ['a wrong one is told so', { path => '/pick/default', headers => { 'X-Red' => 'invalid It is "stale".' } },
     { status => 401, json => { status => 401, detail => 'It is "stale".' },
       headers => { 'WWW-Authenticate' => [map { $_ . ' realm="a \"b\" c", error="invalid_token", '
                                                . 'error_description="It is \"stale\"."' } qw(Red Blue)] } }],
    ['who waits is told how long', { path => '/pick/default', headers => presents('A', 'U') },
     { status => 503, headers => { 'Retry-After' => qr/^[1-9]\d*$/, 'WWW-Authenticate' => undef }, json => { status => 503 } }],
    ['and only who has to wait', { path => '/pick/default', headers => presents('V', 'U') },
     { status => 200, headers => { 'Retry-After' => undef } }],
);

expect_log('AH01630'); # mod_authz_core's own line about a refusal
allow_log(qr/AH016(24|25|26|27|28|29|31)/);
finish();
