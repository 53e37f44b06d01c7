# SPDX-License-Identifier: Apache-2.0
#
# The issuer, the upstream and the signer that the other tests trust.

use strict;
use warnings;

use IO::Socket::SSL;
use RR::Cert;
use RR::KeyServer;
use RR::Test;
use RR::Token qw(compact parts);
use RR::Upstream;

sub ask
{
    my ($server, %req) = @_;
    my $client = RR::Client->new(port => $server->port);
    my $response = $client->exchange(%req);
    $client->close;
    return $response;
}

# ---- the upstream ----
my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $large = 'x' x 3_000_000;
for my $case (
    ['a query', { path => '/a?b=c&d' }, { json => { method => 'GET', path => '/a', query => 'b=c&d', body => '' } }],
    ['a body', { body => 'hello' }, { json => { method => 'POST', body => 'hello' } }],
    ['a chunked body', { body => ['hel', 'lo'] }, { json => { body => 'hello' } }],
    ['bytes', { body => "\xff\xfe" }, { json => { bodyBase64 => '//4=', body => undef } }],
    ['a large body', { body => $large }, { json => { body => $large } }],
    ['repeated headers', { headers => ['X-A', 1, 'X-A', 2] },
     { json => { 'headers.X-A' => '1, 2', headerList => sub { 2 == grep { $_->[0] eq 'X-A' } @{ $_[0] } } } }],
    ['OPTIONS', { method => 'OPTIONS', path => '/' }, { json => { method => 'OPTIONS' } }],
    ['HEAD', { method => 'HEAD', path => '/' }, { body => '', headers => { 'Content-Length' => qr/^\d+$/ } }],
) {
    my ($name, $request, $expect) = @$case;
    check("upstream: $name", ask($upstream, %$request), { status => 200, %$expect });
}
my $kept = RR::Client->new(port => $upstream->port);
is($kept->exchange(path => "/$_", keep => 1)->json->{path}, "/$_", "upstream: kept alive, $_") for 1 .. 3;
$upstream->behave('/broken', status => 503, body => 'no', type => 'text/plain', headers => [['Retry-After', 7]]);
check('upstream: an ordered answer', ask($upstream, path => '/broken'),
      { status => 503, body => 'no', headers => { 'Retry-After' => 7 } });
$upstream->behave('/broken');
check('upstream: as usual again', ask($upstream, path => '/broken'), { status => 200 });

# ---- tokens: what CryptX signed, OpenSSL's own program verifies ----
my $place = place_for('tokens');
for my $alg (qw(RS256 PS256 ES256)) {
    my $key = RR::Token->key($alg, kid => $alg);
    my $token = $key->token({ sub => 'x' });
    my ($input) = $token =~ /^(.*)\./;
    my $signature = (parts($token))[2];
    if ($alg eq 'ES256') { # raw r and s to DER
        my $integer = sub { (my $n = $_[0]) =~ s/^\0+//; $n = "\0$n" if ord($n) > 127; "\x02" . chr(length $n) . $n };
        my $pair = $integer->(substr($signature, 0, 32)) . $integer->(substr($signature, 32));
        $signature = "\x30" . chr(length $pair) . $pair;
    }
    spew("$place/input", $input);
    spew("$place/signature", $signature);
    spew("$place/key.pem", $key->pem);
    my @pss = $alg eq 'PS256' ? qw(-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32) : ();
    my $verify = sub {
        return RR::Util::run(qw(openssl dgst -sha256 -verify), "$place/key.pem", '-signature', "$place/signature", @pss,
                             "$place/input")->{exit};
    };
    is($verify->(), 0, "$alg: openssl verifies it");
    spew("$place/input", $input . 'x');
    isnt($verify->(), 0, "$alg: openssl refuses it changed");
}
is_deeply([map { json_data($_) } (parts(compact({ alg => 'none' }, { sub => 'x' }, '')))[0, 1]],
          [{ alg => 'none' }, { sub => 'x' }], 'a broken token is made as ordered');

# ---- the issuer ----
my $key = RR::Token->key('ES256', kid => 'first');
my $issuer = RR::KeyServer->start(dir => place_for('issuer'), keys => [$key]);
check('issuer: discovery', ask($issuer, path => '/.well-known/openid-configuration'),
      { status => 200, json => { issuer => $issuer->url, jwks_uri => $issuer->url('/jwks') } });
check('issuer: RFC 8414', ask($issuer, path => '/.well-known/oauth-authorization-server'),
      { status => 200, json => { issuer => $issuer->url } });
check('issuer: keys', ask($issuer, path => '/jwks'), { status => 200, json => { 'keys.0.kid' => 'first', 'keys.0.d' => undef } });
$issuer->set_keys(RR::Token->key('EdDSA', kid => 'second'));
check('issuer: rotated', ask($issuer, path => '/jwks'), { json => { 'keys.0.kid' => 'second', 'keys.1' => undef } });
is($issuer->count('/jwks'), 2, 'issuer: fetches are counted');
$issuer->behave('/jwks', cut => 1);
ok(ask($issuer, path => '/jwks')->{cut}, 'issuer: cut');
$issuer->behave('/jwks', pad => 2_000_000);
cmp_ok(length ask($issuer, path => '/jwks')->body, '>', 2_000_000, 'issuer: oversize');
$issuer->stop;
ok(!eval { ask($issuer, path => '/jwks') }, 'issuer: refuses');
$issuer->resume->behave('/jwks');
check('issuer: back on the same port', ask($issuer, path => '/jwks'), { status => 200 });

my $secure = RR::KeyServer->start(dir => place_for('secure'), tls => 1, keys => [$key]);
for my $case (['good', 1], ['expired', 0], ['wrong-name', 0], ['self-signed', 0], ['good', 1]) {
    my ($cert, $accepted) = @$case;
    $secure->show_cert($cert);
    my $socket = IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $secure->port, SSL_ca_file => $secure->ca_file,
                                      SSL_verify_mode => 1, SSL_verifycn_name => '127.0.0.1', SSL_verifycn_scheme => 'http');
    is(!!$socket, !!$accepted, "issuer: TLS with the $cert certificate");
}

finish();
