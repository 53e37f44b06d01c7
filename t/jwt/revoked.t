# SPDX-License-Identifier: Apache-2.0
#
# Tokens taken back before their time, and a store that cannot say so.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use RR::Test;
use RR::Token;

my $key = RR::Token->key('ES256', kid => 'a');
my $store = store();
my $httpd = httpd(modules => [qw(core jwt)], start => 0);
my $jwks = $httpd->file('keys.json', json_text({ keys => [$key->jwk] }));
$httpd->{conf} = $store->conf . <<"CONF";
RRJwtIssuer one urn:one audience=any jwks=file:$jwks
RRJwtIssuer two urn:two audience=any jwks=file:$jwks
<Location "/me">
    AuthType RR
    Require rr-jwt
    SetHandler rr-me
</Location>
CONF
$httpd->start;

my $rows = 0;
sub revoke
{
    my (%row) = @_;
    %row = (id => 'test' . ++$rows, client => 'default', issued_before => 0, created => 1, expires => 0, %row);
    $store->sql('INSERT INTO rr_revocation (' . join(', ', sort keys %row) . ') VALUES ('
                . join(', ', map { "'$row{$_}'" } sort keys %row) . ')');
}

my $now = time();
sub token { my (%claims) = @_; return $key->token({ iss => 'urn:one', sub => 'alice', jti => 'j1', iat => $now - 100, %claims }) }
sub ask { my ($name, $token, $status) = @_;
          return [$name, { path => '/me', headers => { Authorization => "Bearer $token" } },
                  { status => $status, $status == 401 ? (json => { detail => qr/revoked/ }) : () }] }

my $first = token();
my $digested = token(jti => undef, sub => 'carol');
cases($httpd, ask('nothing is revoked', $first, 200), ask('nor another', $digested, 200));

revoke(issuer => 'urn:one', jti => 'j1');
cases($httpd,
    ask('by jti', $first, 401),
    ask('another jti', token(jti => 'j2'), 200),
    ask('no jti', token(jti => undef), 200),
    ask('that jti of another issuer', token(iss => 'urn:two'), 200),
);

revoke(issuer => 'urn:one', sub => 'bob', issued_before => ($now - 50) . '000000');
cases($httpd,
    ask('by subject and time', token(jti => 'j3', sub => 'bob'), 401),
    ask('without iat', token(jti => 'j3', sub => 'bob', iat => undef), 401),
    ask('issued since', token(jti => 'j3', sub => 'bob', iat => $now - 10), 200),
    ask('another subject', token(jti => 'j3'), 200),
);

(my $input = $digested) =~ s/\.[^.]*$//;
revoke(digest => sha256_hex($input));
# ES256 signs anew each time: the same input with another signature is the same token.
my ($head, $payload) = RR::Token::parts($digested);
my $again = $key->token($payload, head => $head);
isnt($again, $digested, 'the same input can have another signature');
cases($httpd, ask('by digest', $digested, 401), ask('by digest, signed anew', $again, 401), ask('another token', token(jti => 'j4'), 200));

rename($store->path, $store->path . '.away') or die "rename: $!\n";
cases($httpd, ['a store that is gone', { path => '/me', headers => { Authorization => 'Bearer ' . token(jti => 'j5') } },
               { status => 503, headers => { 'Retry-After' => qr/^\d+$/ } }]);
rename($store->path . '.away', $store->path) or die "rename: $!\n";
ok(RR::Util::wait_for(sub { $httpd->request(path => '/me', headers => { Authorization => 'Bearer ' . token(jti => 'j6') })->status == 200 }, 20),
   'and back');

allow_log(qr/RR107\d\d|RR101\d\d/);
finish();
