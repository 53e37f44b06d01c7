# SPDX-License-Identifier: Apache-2.0
#
# httpd joins repeated Authorization headers with a comma. A credential of ours inside such a value, or a bare one that
# is followed by anything, is a wrong credential: not an absent one that passes as anonymous, and travels on.

use strict;
use warnings;

use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $store = store();
my $key = $store->key('robot')->{key};
my $httpd = httpd(modules => [qw(core keyauth jwt)], vars => { UP => $upstream->url }, conf => $store->conf . <<'CONF');
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    Require all granted
    RRIdentityHeader X-User-Id
    ProxyPass @UP@/
</Location>
CONF

my $nobody = { status => 200, json => { 'headers.X-User-Id' => undef } };
my $wrong = { status => 401, headers => { 'WWW-Authenticate' => qr/error="invalid_token"/ } };
my $digest = 'Digest username="a", realm="b, Bearer", nonce="c"';

sub sends { my (@values) = @_; return { path => '/optional/x', headers => [map { ('Authorization', $_) } @values] } }

cases($httpd,
    ['nothing', { path => '/optional/x' }, $nobody],
    ['one', sends($key), { status => 200, json => { 'headers.X-User-Id' => 'default/robot' } }],
    ['another scheme is not ours', sends('Basic dXNlcjpwYXNzd29yZA=='), { %$nobody, leak => 1 }],
    ['another scheme with commas is not ours', sends($digest), $nobody],
    ['two other schemes are not ours', sends('Basic dXNlcjpwYXNzd29yZA==', $digest), $nobody],
    ['a bare one twice', sends($key, $key), $wrong],
    ['a bare one and a scheme', sends($key, "Bearer $key"), $wrong],
    ['a bare one and a comma', sends("$key,"), $wrong],
    ['a bare one and another scheme', sends($key, 'Basic dXNlcjpwYXNzd29yZA=='), $wrong],
    ['another scheme and ours', sends('Basic dXNlcjpwYXNzd29yZA==', "Bearer $key"), $wrong],
    ['another scheme with commas and ours', sends($digest, "bearer $key"), $wrong],
    ['ours and another scheme', sends("Bearer $key", 'Basic dXNlcjpwYXNzd29yZA=='), $wrong],
);

finish();
