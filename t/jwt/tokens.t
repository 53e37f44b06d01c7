# SPDX-License-Identifier: Apache-2.0
#
# Which tokens are let in and which are not, each refusal beside the token that differs in that one point.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64url decode_base64url);
use RR::Test;
use RR::Token qw(compact parts);

my @algs = qw(RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 ES256K EdDSA);
my $rsa = RR::Token->key('RS256', kid => 'rsa');
my %keys = map { $_ => /^[RP]S/ ? $rsa->as($_, kid => "key-$_") : RR::Token->key($_, kid => "key-$_") } @algs;
my %hmac = map { $_ => RR::Token->key($_, kid => undef, secret => join('', map { chr(33 + int(rand(90))) } 1 .. 64)) } 'HS256';
my $stranger = RR::Token->key('ES256', kid => 'key-ES256');
my $weak = RR::Token->key('RS256', kid => 'weak', bits => 1024);

my ($iss, $hs_iss, $aud) = ('https://id.test.example/', 'https://hs.test.example', 'https://api.test.example/' . canary('audience'));
my $httpd = httpd(modules => [qw(core jwt)], start => 0);
my $jwks = $httpd->file('keys.json', json_text({ keys => [
    (map { $keys{$_}->jwk } @algs), $weak->jwk,
    RR::Token->key('ES256', kid => 'enc')->jwk(use => 'enc'),
    { kty => 'oct', kid => 'oct', k => encode_base64url('0' x 64), alg => 'HS256' },
] }));
my $enc = RR::Token->key('ES256', kid => 'enc2');
my $secret = $httpd->file('secret', $hmac{HS256}{secret} . "\n", 0600);
$httpd->{conf} = <<"CONF";
RRJwtIssuer main $iss audience=other,$aud jwks=file:$jwks
RRJwtIssuer short https://short.test.example audience=any jwks=file:$jwks max-lifetime=10mi leeway=0 sub-claim=user.email algorithms=ES256,EdDSA
RRJwtIssuer shared $hs_iss audience=any secret=file:$secret
<Location "/me">
    AuthType RR
    Require rr-jwt
    SetHandler rr-me
</Location>
CONF
$httpd->start;

my $now = time();
my $es = $keys{ES256};
my $claims = { iss => $iss, aud => $aud, sub => 'alice', name => canary('claim') };
my $short = { iss => 'https://short.test.example', user => { email => 'al@example.com' }, exp => $now + 300 };

sub with { my (%more) = @_; return { %$claims, %more } }
sub flip { my ($token) = @_; my @parts = split(/\./, $token); substr($parts[2], 5, 1) = substr($parts[2], 5, 1) eq 'A' ? 'B' : 'A';
           return join('.', @parts) }
sub stretched { my @parts = split(/\./, $_[0]); return "$parts[0].$parts[1]." . encode_base64url($_[1]->(decode_base64url($parts[2]))) }

sub in_ { my ($name, $token, %expect) = @_;
          return [$name, { path => '/me', headers => { Authorization => "Bearer $token" } },
                  { status => 200, leak => 1, json => { message => 'Authenticated', sub => 'alice' }, %expect }] }
sub out { my ($name, $token, $detail) = @_;
          return [$name, { path => '/me', headers => { Authorization => "Bearer $token" } },
                  { status => 401, headers => { 'WWW-Authenticate' => qr/^Bearer/ }, json => { detail => $detail } }] }

cases($httpd,
    ['no token', { path => '/me' }, { status => 401, headers => { 'WWW-Authenticate' => qr/^Bearer/ } }],
    (map { in_($_, $keys{$_}->token($claims), json => { sub => 'alice', 'data.aud' => $aud }) } @algs),
    in_('HS256 of an issuer with a secret', $hmac{HS256}->token({ iss => $hs_iss, sub => 'alice' })),

    # ---- the header ----
    in_('typ absent', $es->token($claims, header => { typ => undef })),
    in_('typ at+jwt', $es->token($claims, header => { typ => 'at+jwt' })),
    in_('typ application/at+jwt', $es->token($claims, header => { typ => 'application/at+jwt' })),
    in_('typ jwt', $es->token($claims, header => { typ => 'jwt' })),
    out('typ of another kind of token', $es->token($claims, header => { typ => 'logout+jwt' }), qr/well-formed/),
    in_('no kid', $es->token($claims, header => { kid => undef })),
    out('unknown kid', $es->token($claims, header => { kid => 'nobody' }), qr/kid/),
    out('kid of another key', $es->token($claims, header => { kid => 'key-ES384' }), qr/alg|kid/),
    out('crit', $es->token($claims, header => { crit => ['b64'], b64 => JSON::PP::true() }), qr/well-formed/),
    out('b64 false', $es->token($claims, header => { b64 => JSON::PP::false() }), qr/well-formed/),
    in_('jku, x5u and jwk are not looked at',
        $es->token($claims, header => { jku => 'https://evil.example/', x5u => 'https://evil.example/', jwk => $stranger->jwk })),
    out('a key that brings itself', $stranger->token($claims, header => { jwk => $stranger->jwk, jku => 'https://evil.example/' }),
        qr/signature/),

    # ---- algorithms ----
    out('alg none', compact({ alg => 'none', typ => 'JWT' }, { %$claims, exp => $now + 60 }, ''), qr/alg|well-formed/),
    out('alg None with a signature', $es->token($claims, header => { alg => 'None' }), qr/alg/),
    out('alg of another case', $es->token($claims, header => { alg => 'es256' }), qr/alg/),
    out('HS256 keyed with the public key', RR::Token->key('HS256', secret => $rsa->pem, kid => 'key-RS256')->token($claims), qr/alg/),
    out('HS256 keyed with an oct key of the set', RR::Token->key('HS256', secret => '0' x 64, kid => 'oct')->token($claims), qr/alg/),
    out('RS256 where the key is for RS512', $rsa->as('RS256', kid => 'key-RS512')->token($claims), qr/alg/),
    out('ES256 where the issuer has a secret', $es->token({ iss => $hs_iss, sub => 'alice' }), qr/alg/),
    out('an RSA key of 1024 bits', $weak->token($claims), qr/kid/),
    out('a key for encryption', $enc->token($claims, header => { kid => 'enc' }), qr/kid/),
    in_('an algorithm that its issuer allows', $es->token($short), json => { sub => 'al@example.com' }),
    out('one that its issuer does not allow', $keys{RS256}->token($short), qr/alg/),

    # ---- the signature ----
    out('another key of that kid', $stranger->token($claims), qr/signature/),
    out('other bits in the signature', flip($es->token($claims)), qr/signature/),
    (map { out("$_: another's signature", do { my $t = $keys{$_}->token($claims); my $o = $keys{$_}->token(with(sub => 'eve'));
         my @t = split(/\./, $t); my @o = split(/\./, $o); "$t[0].$o[1].$t[2]" }, qr/signature/) } @algs),
    out('no signature', do { (my $t = $es->token($claims)) =~ s/[^.]*$//; $t }, qr/./),
    out('a signature cut short', stretched($es->token($claims), sub { substr($_[0], 0, 63) }), qr/signature/),
    out('a signature made longer', stretched($es->token($claims), sub { "\0$_[0]" }), qr/signature/),
    out('r and s of zero', stretched($es->token($claims), sub { "\0" x 64 }), qr/signature/),

    # ---- claims ----
    out('an unknown issuer', $es->token(with(iss => 'https://id.test.example')), qr/iss/),
    out('no issuer', $es->token(with(iss => undef)), qr/iss/),
    out('an issuer that is a list', $es->token(with(iss => [$iss])), qr/iss/),
    in_('one of several audiences', $es->token(with(aud => ['x', $aud]))),
    in_('the other audience', $es->token(with(aud => 'other'))),
    out('another audience', $es->token(with(aud => 'https://elsewhere.example/')), qr/\baud\b/),
    out('no audience', $es->token(with(aud => undef)), qr/\baud\b/),
    out('an audience in part', $es->token(with(aud => substr($aud, 0, -1))), qr/\baud\b/),
    out('no exp', $es->token(with(exp => undef)), qr/\bexp\b/),
    out('exp that is text', $es->token(with(exp => '' . ($now + 60) . '')), qr/\bexp\b/),
    out('expired', $es->token(with(exp => $now - 120)), qr/expired.*exp/),
    in_('expired within the leeway', $es->token(with(exp => $now - 10))),
    in_('exp with a fraction', $es->token('{"iss":"' . $iss . '","aud":"' . $aud . '","sub":"alice","exp":' . ($now + 60) . '.5}')),
    out('exp past every number', $es->token('{"iss":"' . $iss . '","aud":"' . $aud . '","sub":"alice","exp":1e400}'), qr/exp|well-formed/),
    out('not yet valid', $es->token(with(nbf => $now + 300)), qr/\bnbf\b/),
    in_('nearly valid, within the leeway', $es->token(with(nbf => $now + 20))),
    out('issued in the future', $es->token(with(iat => $now + 300)), qr/\biat\b/),
    out('no subject', $es->token(with(sub => undef)), qr/sub/),
    out('an empty subject', $es->token(with(sub => '')), qr/sub/),
    out('a subject that is a number', $es->token('{"iss":"' . $iss . '","aud":"' . $aud . '","sub":7,"exp":' . ($now + 60) . '}'), qr/sub/),
    out('sub-claim: missing', $es->token({ %$short, user => {}, sub => 'alice' }), qr/sub/),
    in_('max-lifetime: short enough', $es->token({ %$short, iat => $now - 200 }), json => { sub => 'al@example.com' }),
    out('max-lifetime: too long', $es->token({ %$short, iat => $now - 400 }), qr/iat|exp|lifetime/),
    out('max-lifetime: no iat', $es->token({ %$short, iat => undef }), qr/iat/),

    # ---- form ----
    out('a member twice', $es->token('{"iss":"' . $iss . '","aud":"' . $aud . '","sub":"eve","sub":"alice","exp":' . ($now + 60) . '}'),
        qr/well-formed/),
    out('a member of the header twice', $es->token($claims, head => '{"alg":"ES256","kid":"key-ES256","kid":"key-ES256"}'),
        qr/not valid/), # such a header makes no token: it is judged as a key
    out('a payload that is a list', $es->token('["alice"]'), qr/well-formed/),
    out('a payload that is no JSON', $es->token('alice'), qr/well-formed/),
    out('a payload too deep', $es->token('{"a":' . '[' x 40 . ']' x 40 . '}'), qr/well-formed/),
);

# The token's own header says how a refusal reads there: never what was expected (the audience is a canary).
my $res = $httpd->request(path => '/me', headers => { Authorization => 'Bearer ' . $es->token(with(aud => 'x')) });
check('a refusal names aud and not the audience', $res,
      { status => 401, json => { detail => qr/\baud\b/ }, headers => { 'WWW-Authenticate' => qr/error="invalid_token"/ } });

# ---- long and odd ----
my $long = $es->token(with(pad => 'x' x 11000));
cases($httpd,
    ['a token of 15 kB', { path => '/me', headers => { 'X-A' => 1, Authorization => "Bearer $long" } }, { status => qr/^(200|400)$/, leak => 1 }],
    ['another scheme', { path => '/me', headers => { Authorization => 'Token ' . $es->token($claims) } }, { status => 401 }],
    ['two words', { path => '/me', headers => { Authorization => 'Bearer ' . $es->token($claims) . ' x' } }, { status => 401 }],
    ['nothing after the scheme', { path => '/me', headers => { Authorization => 'Bearer ' } }, { status => 401 }],
    ['the scheme in capitals', { path => '/me', headers => { Authorization => 'BEARER ' . $es->token($claims) } }, { status => 200, leak => 1 }],
    ['a key where only tokens are asked', { path => '/me', headers => { Authorization => 'Bearer abcdefghijklmnop' } }, { status => 401 }],
);

finish();
