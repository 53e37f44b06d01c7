# SPDX-License-Identifier: Apache-2.0
#
# Graceful restarts beside requests on each kind of route, a connection each: every request is answered as ever.
#
# The limit of children leaves room for a new one beside each old one. Where it does not, httpd itself starts the new
# one only when it next looks, a second or two later, and what came meanwhile waits: with stock httpd as with ours.

use strict;
use warnings;

use POSIX ();
use RR::Inject;
use RR::Postgres;
use RR::Test;
use RR::Token;

my $restarts = 8;
my $upstream = upstream();
my $signing = RR::Token->key('ES256', kid => 'one');
my $jwks = place_for('keys') . '/jwks.json';
spew($jwks, json_text({ keys => [$signing->jwk] }));
my $token = secret($signing->token({ iss => 'https://id.example/', sub => 'jane' }), 'token');

my $conf = <<'CONF';
ServerLimit 8
RRStoreMaxAge 0
RRTargetAllow loopback
RRJwtIssuer idp https://id.example/ audience=any jwks=file:@JWKS@
<Location "/key">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
<Location "/jwt">
    AuthType RR
    Require rr-jwt
    SetHandler rr-me
</Location>
<Location "/proxy">
    AuthType RR
    RRProxy vendor
    Require rr-proxy
</Location>
CONF

# A client of one route, until the file is there: a line for each answer.
sub client
{
    my ($httpd, $name, $request, $until, $out) = @_;
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    return $pid if $pid;
    until (-e $until) {
        my $res = eval { $httpd->request(%$request) };
        my $got = $res ? $res->status : "no answer: $@";
        $got .= ' ' . $res->text if $res && $got != 200;
        $got =~ s/\s+/ /g;
        syswrite($out, "$name " . substr($got, 0, 1000) . "\n");
    }
    POSIX::_exit(0);
}

sub restarted
{
    my ($driver, $store) = @_;
    my $caller = $store->key('caller');
    stored_proxy($store, 'vendor', $upstream->url, caller => $caller,
                 secret => { credentialAuthType => 'key', credentialSecret => { key => secret('vendor-key-' . 'v' x 20, 'vendor key') } });
    my $httpd = httpd(modules => [qw(core keyauth jwt inject)], conf => $store->conf . $conf, vars => { JWKS => $jwks }, loglevel => 'info');
    $httpd->file('htdocs/open.txt', "open\n");
    my %key = (headers => { 'X-API-Key' => $caller->{key} });
    my %routes = (stock => { path => '/open.txt' }, key => { path => '/key', %key }, proxy => { path => '/proxy/x', %key },
                  jwt => { path => '/jwt', headers => { Authorization => "Bearer $token" } });
    my $until = place_for('until') . "/$driver";
    pipe(my $in, my $out) or die "pipe: $!\n";
    my @clients = map { my $name = $_; map { client($httpd, $name, $routes{$name}, $until, $out) } 1 .. 2 } sort keys %routes;
    close($out);

    my (%count, @failed);
    my $note = sub {
        my ($name, $what) = split(/ /, $_[0], 2);
        $count{$name}++;
        push(@failed, $_[0]) if $what ne "200\n";
    };
    # Between two restarts every route has answered some more, so that each restart falls into requests of all.
    for my $n (1 .. $restarts) {
        my %want = map { $_ => ($count{$_} || 0) + 5 } keys %routes;
        while (grep { ($count{$_} || 0) < $want{$_} } keys %want) {
            my $line = <$in>;
            last unless defined $line;
            $note->($line);
        }
        $httpd->graceful;
    }
    spew($until, '');
    while (my $line = <$in>) {
        $note->($line);
    }
    waitpid($_, 0) for @clients;
    is($httpd->generations, $restarts + 1, "$driver: $restarts graceful restarts");
    for my $name (sort keys %routes) {
        cmp_ok($count{$name}, '>=', 5 * $restarts, "$driver: $name: requests all along");
        my @of = grep { /^$name / } @failed;
        is(scalar @of, 0, "$driver: $name: not one failed") or diag(@of[0 .. ($#of < 4 ? $#of : 4)]);
    }
    is($httpd->request(path => '/key', headers => { 'X-API-Key' => $caller->{key} . 'x' })->status, 401, "$driver: and a wrong key is refused");
    is($httpd->request(path => '/jwt', headers => { Authorization => "Bearer ${token}x" })->status, 401, "$driver: and a wrong token");
    $httpd->stop;
}

restarted('sqlite3', store());
my $postgres = RR::Postgres->new(place_for('pg') . '/server');
SKIP: {
    skip('PostgreSQL is not installed', 1) if !$postgres;
    restarted('pgsql', $postgres->store);
}
finish();
