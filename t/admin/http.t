# SPDX-License-Identifier: Apache-2.0
#
# The management API over HTTP: who is let in, what a request has to look like, how it is answered.

use strict;
use warnings;

use RR::Test;

my $store = store();
my $operator = $store->key('operator', '--scope', 'rr:admin')->{key};
my $tenant = $store->key('tenant', '--scope', 'rr:admin:acme')->{key};
my $robot = $store->key('robot', '--scope', 'orders:read')->{key};
my $liar = $store->key('liar', '--metadata', '{"scopes":["rr:admin"]}')->{key};

my $httpd = httpd(modules => [qw(core keyauth admin)], conf => $store->conf . <<'CONF');
<Location "/rr-admin">
    AuthType RR
    Require rr-key
    RRKeyHeader X-API-Key
    RRKeyCookie adminkey
    SetHandler rr-admin
</Location>
<Location "/open/rr-admin">
    AuthType RR
    Require all granted
    RRAuthMode optional
    SetHandler rr-admin
</Location>
<Location "/clients/rr-admin/">
    AuthType RR
    Require rr-key
    SetHandler rr-admin
</Location>
<LocationMatch "^/matched/[a-z]+">
    AuthType RR
    Require rr-key
    SetHandler rr-admin
</LocationMatch>
<Location "/unguarded">
    SetHandler rr-admin
</Location>
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF

sub by
{
    my ($key, %more) = @_;
    return { 'X-API-Key' => $key, %more };
}
my %json = ('Content-Type' => 'application/json');
my $client = '{"clientName":"Acme","id":"acme"}';

sub call
{
    my ($key, $method, $path, $body, %more) = @_;
    return $httpd->request(method => $method, path => "/rr-admin$path", headers => by($key, %json, %more),
                           defined $body ? (body => ref $body ? json_text($body) : $body) : ());
}

# ---- who ----
cases($httpd,
    ['nobody', { path => '/rr-admin/clients' }, { status => 401, headers => { 'WWW-Authenticate' => qr/./ } }],
    ['a key without the scope', { path => '/rr-admin/clients', headers => by($robot) },
     { status => 403, headers => { 'WWW-Authenticate' => qr/insufficient_scope.*rr:admin/ }, json => { status => 403 } }],
    ['the scope in metadata only', { path => '/rr-admin/clients', headers => by($liar) }, { status => 403 }],
    ['the operator', { path => '/rr-admin/clients', headers => by($operator) },
     { status => 200, headers => { 'Content-Type' => 'application/json', 'Cache-Control' => qr/no-store/, ETag => undef },
       json => { message => 'Success', 'clients.0.id' => 'default' } }],
    ['with a leading /api', { path => '/rr-admin/api/clients', headers => by($operator) }, { status => 200 }],
    (map { ["$_ is nothing of the API's", { path => $_, headers => by($operator) }, { status => 404 }] }
        qw(/rr-admin/api/api/clients /rr-admin/x/clients /rr-admin/clientsx /rr-admin/ /rr-admin)),
    ['below a Location that has a word of the API in its path', { path => '/clients/rr-admin/clients', headers => by($operator) },
     { status => 200, json => { 'clients.0.id' => 'default' } }],
    ['below a LocationMatch', { path => '/matched/x/api/clients', headers => by($operator) }, { status => 200, json => { 'clients.0.id' => 'default' } }],
    ['nobody, where all are granted', { path => '/open/rr-admin/clients' }, { status => 401, headers => { 'WWW-Authenticate' => qr/./ } }],
    ['a key without the scope, where all are granted', { path => '/open/rr-admin/clients', headers => by($robot) }, { status => 403 }],
    ['the operator, where all are granted', { path => '/open/rr-admin/clients', headers => by($operator) }, { status => 200 }],
    ['without AuthType RR it serves nobody', { path => '/unguarded/clients', headers => by($operator) }, { status => 401 }],
);

# ---- what a request has to look like ----
my %post = (method => 'POST', path => '/rr-admin/clients', body => $client);
cases($httpd,
    ['a form', { %post, headers => by($operator, 'Content-Type' => 'application/x-www-form-urlencoded') }, { status => 415 }],
    ['text', { %post, headers => by($operator, 'Content-Type' => 'text/plain') }, { status => 415 }],
    ['no type', { %post, headers => by($operator) }, { status => 415 }],
    ['nearly JSON', { %post, headers => by($operator, 'Content-Type' => 'application/jsonx') }, { status => 415 }],
    ['an encoded body', { %post, headers => by($operator, %json, 'Content-Encoding' => 'gzip') }, { status => 415 }],
    ['a key in a cookie', { %post, headers => { Cookie => "adminkey=$operator", %json, 'Sec-Fetch-Site' => 'same-origin' } },
     { status => 403, json => { detail => qr/cookie/i } }],
    ['a cookie beside a key', { %post, headers => by($operator, Cookie => 'a=b; adminkey=x', %json) }, { status => 403 }],
    ['a cookie of another name', { path => '/rr-admin/clients', headers => by($operator, Cookie => 'xadminkey=b; adminkeyx=c') },
     { status => 200 }],
    ['JSON with a charset', { %post, headers => by($operator, 'Content-Type' => 'application/json; charset=utf-8') },
     { status => 201, headers => { Location => '/rr-admin/clients/acme', ETag => qr/^"/ }, json => { 'clients.0.id' => 'acme' } }],
    ['the same again', { %post, headers => by($operator, %json) },
     { status => 409, headers => { 'Content-Type' => 'application/problem+json' }, json => { pointer => '/id', status => 409, title => 'Conflict' } }],
    ['in chunks', { %post, body => ['{"clientName":', '"Two","id":"two"}'], headers => by($operator, %json) }, { status => 201 }],
    ['no JSON', { %post, body => '{', headers => by($operator, %json) }, { status => 400, json => { status => 400 } }],
    ['an empty body', { %post, body => '', headers => by($operator, %json) }, { status => 400 }],
    ['a body at the bound', { %post, body => $client . ' ' x (256 * 1024 - length $client), headers => by($operator, %json) }, { status => 409 }],
    ['a body past it', { %post, body => $client . ' ' x (256 * 1024 + 1 - length $client), headers => by($operator, %json) }, { status => 413 }],
    ['a body past it, in chunks', { %post, body => [map { ' ' x 65536 } 1 .. 5], headers => by($operator, %json) }, { status => 413 }],
    ['HEAD', { method => 'HEAD', path => '/rr-admin/clients', headers => by($operator) }, { status => 200, body => '' }],
    ['OPTIONS', { method => 'OPTIONS', path => '/rr-admin/clients', headers => by($operator) },
     { status => 204, headers => { Allow => 'GET, POST, HEAD, OPTIONS', 'Access-Control-Allow-Origin' => undef } }],
    ['OPTIONS of nobody', { method => 'OPTIONS', path => '/rr-admin/clients' }, { status => 401 }],
    ['no CORS', { path => '/rr-admin/clients', headers => by($operator, Origin => 'https://evil.example') },
     { status => 200, headers => { 'Access-Control-Allow-Origin' => undef } }],
    ['a method that is not there', { method => 'PUT', path => '/rr-admin/clients', body => '{}', headers => by($operator, %json) },
     { status => 405, headers => { Allow => 'GET, POST' } }],
    ['PATCH', { method => 'PATCH', path => '/rr-admin/clients/acme', body => '{}', headers => by($operator, %json) },
     { status => 405, headers => { Allow => 'GET, PUT, DELETE' } }],
    ['no such path', { path => '/rr-admin/nothing', headers => by($operator) }, { status => 404 }],
    ['the mount itself', { path => '/rr-admin', headers => by($operator) }, { status => 404 }],
    ['an unknown parameter', { path => '/rr-admin/clients?x=1', headers => by($operator) }, { status => 400 }],
);

# ---- a key made over HTTP counts on the next request, and so does its end ----
my $made = call($operator, 'POST', '/clients/acme/credentials',
                { credentialType => 'proxy', credentialAuthType => 'key', credentialName => 'fresh', credentialScopes => ['a'] });
check('a credential', $made, { status => 201, json => { 'credentials.0.credentialSecret.key' => qr/^rr_live_\w{38}$/ } });
my $fresh = secret($made->json->{credentials}[0]{credentialSecret}{key});
my $id = $made->json->{credentials}[0]{id};
my $me = { path => '/me', headers => by($fresh) };
cases($httpd, ['the key counts', $me, { status => 200, json => { sub => 'acme/fresh' } }]);
my $tag = call($operator, 'GET', "/clients/acme/credentials/$id")->header('ETag');
my %body = (credentialType => 'proxy', credentialAuthType => 'key', credentialName => 'fresh');
check('switched off', call($operator, 'PUT', "/clients/acme/credentials/$id", { %body, credentialActive => JSON::PP::false() }, 'If-Match' => $tag),
      { status => 200 });
cases($httpd, ['off', $me, { status => 401 }]);
check('a lost update', call($operator, 'PUT', "/clients/acme/credentials/$id", \%body, 'If-Match' => $tag), { status => 412 });
check('switched on', call($operator, 'PUT', "/clients/acme/credentials/$id", \%body), { status => 200 });
cases($httpd, ['on', $me, { status => 200 }]);
my $keys = call($operator, 'GET', "/clients/acme/credentials/$id/keys");
check('its key', $keys, { status => 200, json => { 'keys.0.credentialId' => $id, 'keys.0.key' => undef, 'keys.0.keyHint' => qr/^rr_live_\.\.\./ } });
my $key_id = $keys->json->{keys}[0]{id};
my $second = call($tenant, 'POST', "/clients/acme/credentials/$id/keys", {});
check('a second key, by the tenant', $second, { status => 201, json => { 'keys.0.key' => qr/^rr_live_/ } });
check('the first one goes', call($tenant, 'DELETE', "/clients/acme/credentials/$id/keys/$key_id"), { status => 200 });
cases($httpd, ['gone', $me, { status => 401 }],
      ['the second one stays', { path => '/me', headers => by(secret($second->json->{keys}[0]{key})) }, { status => 200 }]);

# ---- tenant walls, byte for byte ----
my $operators = call($operator, 'GET', '/clients/default/credentials')->json->{credentials}[0]{id};
for my $tail ('', '/credentials', "/credentials/$operators", "/credentials/$operators/keys") {
    for my $method (qw(GET POST PUT DELETE)) {
        my $body = $method =~ /^P/ ? '{}' : undef;
        my $theirs = call($tenant, $method, "/clients/default$tail", $body);
        my $nobodys = call($tenant, $method, "/clients/nobody$tail", $body);
        ok($theirs->status == 404 && $theirs->body eq $nobodys->body && !$theirs->header('Allow'), "a wall: $method default$tail");
    }
}
check('the tenant sees itself alone', call($tenant, 'GET', '/clients'), { status => 200, json => { 'clients.1' => undef, 'clients.0.id' => 'acme' } });
check('the tenant makes no operator', call($tenant, 'POST', '/clients/acme/credentials', { %body, credentialName => 'root', credentialScopes => ['rr:admin'] }),
      { status => 403 });

# ---- GET changes nothing: the revision says so ----
my $before = call($operator, 'GET', "/clients/acme/credentials/$id")->header('ETag');
call($operator, 'GET', $_) for '/clients', '/clients/acme/credentials', '/revocations';
is(call($operator, 'GET', "/clients/acme/credentials/$id")->header('ETag'), $before, 'reading changes nothing');

# ---- many at once: each change waits for its turn, and holds no connection that a reader needs ----
my @at_once = map { my $n = $_;
    (map({ { method => 'POST', path => '/rr-admin/clients/acme/targets', headers => by($operator, %json),
             body => json_text({ targetName => "at-once-$n-$_", targetBaseURL => 'https://api.example.com' }) } } 1 .. 3),
     { path => '/me', headers => by($robot) }) } 1 .. 40;
is_deeply($httpd->statuses_at_once(16, @at_once), { 201 => 120, 200 => 40 }, 'twelve who write and four who read');

finish();
