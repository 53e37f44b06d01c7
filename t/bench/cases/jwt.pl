# SPDX-License-Identifier: Apache-2.0
#
# Tokens: three algorithms, never seen before and seen; forged ones, and ones of keys that the issuer does not have.

use strict;
use warnings;

use RR::Bench;
use RR::Bench::Peer;
use RR::Bench::Store qw(store_of);
use RR::KeyServer;
use RR::Test ();
use RR::Token;
use RR::Util qw(random_word spew json_text);

my $each = 3_200; # tokens of a round: RS256 takes longer to sign than to verify
my $floor = { name => 'httpd', title => 'httpd, nothing asked', kind => 'floor', make => sub {
    my ($made) = @_;
    return { server => stock(conf => "<Location \"/\">\nRequire all granted\nSetHandler rr-nothing\n</Location>\n"),
             load => { %{ $made->{load} }, status => 200 } };
} };

# A key, its set as a file, and tokens of it as an issuer makes them.
my (%issuers, %lists);
sub issuer
{
    my ($alg) = @_;
    return $issuers{$alg} ||= do {
        my $key = RR::Token->key($alg, kid => "bench-$alg");
        my $issuer = { key => $key, alg => $alg, iss => 'https://id.example.com/', aud => 'https://api.example.com',
                       jwks => spew(RR::Test::place_for('keys') . "/$alg.json", json_text({ keys => [$key->jwk] }), 0644),
                       pem => spew(RR::Test::place_for('keys') . "/$alg.pem", $key->pem($alg eq 'ES256' ? 'public_short' : 'public'), 0644) };
        ($issuer->{token}) = signed_tokens($key, 1, claims($issuer));
        $issuer;
    };
}

sub claims
{
    my ($issuer) = @_;
    my $now = time();
    return sub {
        my ($n) = @_;
        return { iss => $issuer->{iss}, aud => $issuer->{aud}, sub => "user-$n", iat => $now, exp => $now + 86_400,
                 jti => random_word(16), scope => 'orders:read orders:write', tier => 'premium', org => { id => 'acme', unit => 7 } };
    };
}

# Tokens of a round, the same for every subject of the group: nobody has seen them when the round begins.
sub unseen
{
    my ($issuer) = @_;
    return sub {
        my ($round) = @_;
        return $lists{"$issuer->{alg} $round"} ||= list_file(signed_tokens($issuer->{key}, $each, claims($issuer)));
    };
}

# The same with the last bytes of the signature changed.
sub forged
{
    my ($issuer) = @_;
    my $good = unseen($issuer);
    return sub {
        my ($round) = @_;
        return $lists{"forged $issuer->{alg} $round"} ||= list_file(map { forge($_) } split(/\n/, RR::Util::slurp($good->($round))));
    };
}

sub forge { my ($token) = @_; substr($token, -20, 1) =~ tr/A-Za-z0-9_\-/B-ZAb-za1-90\-_/; return $token }

sub forged_load
{
    my ($made) = @_;
    return { %{ $made->{load} }, list => forged($made->{issuer}), first => forge($made->{issuer}{token}), status => 401 };
}

sub trusting
{
    my ($issuer, %opt) = @_;
    my ($store) = defined $opt{age} ? store_of('sqlite3', 10) : ();
    my $conf = $store ? $store->conf . "RRStoreMaxAge $opt{age}\n" : '';
    my $jwks = $opt{jwks} || "file:$issuer->{jwks}";
    return gateway(modules => [qw(core jwt)], conf => $conf . ($opt{conf} || '') . <<"CONF");
RRJwtIssuer corp $issuer->{iss} audience=$issuer->{aud} jwks=$jwks
<Location "/">
    AuthType RR
    Require rr-jwt
    SetHandler rr-nothing
</Location>
CONF
}

# OpenSSL alone, in the handler of an httpd that looks at no token: what verifying costs there.
sub verifying
{
    my ($alg) = @_;
    return { name => 'openssl', title => "httpd, and a verification by OpenSSL in its handler", kind => 'peer', make => sub {
        my ($made) = @_;
        my $conf = "<Location \"/\">\nRequire all granted\nSetHandler rr-verify-" . lc($alg) . "\n</Location>\n";
        return { server => stock(with => ['verify'], conf => $conf), load => $made->{load} };
    } };
}

for my $alg (qw(RS256 ES256 EdDSA)) {
    for my $kind (qw(seen unseen)) {
        my $bearer = sub {
            my ($issuer) = @_;
            return { issuer => $issuer, load => { path => '/x', headers => ['Authorization', 'Bearer %s'], first => $issuer->{token},
                     $kind eq 'seen' ? (list => list_file($issuer->{token}), cycle => 1) : (list => unseen($issuer)) } };
        };
        group 'jwt-' . lc($alg) . "-$kind" => (
            title => "JWT, $alg, " . ($kind eq 'seen' ? 'the same over and over' : 'never seen before'),
            prepare => sub { return $bearer->(issuer($alg)) },
            subjects => [
                $floor,
                $kind eq 'unseen' ? verifying($alg) : (),
                (map { my ($name, $title, %opt) = @$_; {
                    name => $name, title => "mod_rr, $title", make => sub {
                        my ($made) = @_;
                        return { server => trusting($made->{issuer}, %opt), load => $made->{load} };
                    } } } ['ours', 'no store'], ['ours-0', 'sqlite3, RRStoreMaxAge 0', age => 0],
                          ['ours-1s', 'sqlite3, RRStoreMaxAge 1s', age => '1s']),
                $kind eq 'unseen' ? { name => 'forged', title => 'mod_rr, no store, a forged signature', make => sub {
                    my ($made) = @_;
                    return { server => trusting($made->{issuer}), load => forged_load($made) };
                } } : (),
                peer_tokens($alg, $kind, \&forged_load),
            ]);
    }
}

# An issuer behind TLS that is asked again for a key it does not have, at most once in RRJwksInterval.
group 'jwt-unknown-kid' => (
    title => 'JWT of a key that the issuer does not have, each another',
    prepare => sub {
        my $issuer = issuer('ES256');
        my $server = RR::KeyServer->start(dir => RR::Test::place_for('issuer'), keys => [$issuer->{key}], tls => 1);
        my $claims = claims({ %$issuer, iss => $server->issuer });
        my $stray = sub { my ($n) = @_; RR::Token::compact({ alg => 'ES256', kid => random_word(12), typ => 'JWT' }, $claims->($n), random_word(64)) };
        return { issuer => { %$issuer, iss => $server->issuer }, server => $server,
                 load => { path => '/x', headers => ['Authorization', 'Bearer %s'], first => $stray->(0), status => 401,
                           list => sub { return list_file(map { $stray->($_) } 1 .. $each) } } };
    },
    end => sub { my ($made) = @_; $made->{server}->stop },
    subjects => [
        $floor,
        { name => 'ours', title => 'mod_rr, no store', make => sub {
            my ($made) = @_;
            my $server = trusting($made->{issuer}, jwks => $made->{server}->jwks_uri, conf => 'RRFetchCAFile ' . $made->{server}->ca_file . "\n");
            return { server => $server, load => $made->{load} };
        } },
    ]);
