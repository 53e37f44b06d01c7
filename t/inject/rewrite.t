# SPDX-License-Identifier: Apache-2.0
#
# RewriteRule [PT] onto stored proxies: decided and forwarded as if the client had asked for the new path.

use strict;
use warnings;

use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');
my $stranger = $store->key('stranger');
my $vendor = secret('vendor-key-' . 'v' x 20, 'vendor key');
my %key = (credentialAuthType => 'key', credentialSecret => { key => $vendor });

my $ruled = stored_proxy($store, 'ruled', $upstream->url('/v1'), caller => $caller, secret => { %key });
stored_proxy($store, 'loose', $upstream->url('/v1'), caller => $caller, secret => { %key });
for my $rule ({ effect => 'deny', path => { pattern => '^/secret', presence => 'must_exist' } }) {
    my $got = $store->rrctl({ stdin => json_text($rule) }, 'rule', 'create', '--proxy', $ruled->{proxy}{id}, '-f', '-');
    is($got->{exit}, 0, 'a rule') or diag($got->{err});
}

my $httpd = httpd(modules => [qw(core keyauth rules inject)], vars => { BACKEND => $upstream->url }, conf => $store->conf . <<'CONF');
RRTargetAllow loopback
RRKeyQuery apikey
RRKeyHeader X-API-Key
TraceEnable extended
<Directory "@ROOT@/htdocs">
    AllowOverride All
</Directory>
<Location "/stripe">
    AuthType RR
    RRProxy ruled
    Require rr-proxy
</Location>
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/old">
    Require all denied
</Location>
<Location "/own">
    AuthType RR
    Require rr-key
    RRTargetCredential default/ruled
</Location>
<Location "/open">
    Require all granted
</Location>
ProxyPass "/own" "@BACKEND@/own"
Alias "/elsewhere" "@ROOT@/htdocs/files"
RewriteEngine On
RewriteRule ^/old/(.*) /stripe/$1 [PT]
RewriteRule ^/asked/(.*) /stripe/$1?added=1 [PT,QSA]
RewriteRule ^/loose/(.*) /gw/loose/$1 [PT]
RewriteRule ^/nothing/(.*) /gw/nothing/$1 [PT]
RewriteRule ^/glued/(.*)-(.*)$ /gw/loose/$1$2 [PT]
RewriteRule ^/twice/(.*) /gw/loose//$1 [PT]
RewriteRule ^/to-own/(.*) /own/$1 [PT]
RewriteRule ^/to-file/(.*) /elsewhere/$1 [PT]
RewriteRule ^/open/in/(.*) /stripe/$1 [PT]
RewriteRule ^/stripe/(.*) /to-nowhere [PT]
CONF
$httpd->file('htdocs/files/x.txt', "a file\n");
$httpd->file('htdocs/stripe/x', "a file of that name\n");
$httpd->file('htdocs/stripe/.htaccess', "Require all granted\nRewriteEngine On\nRewriteRule .* /files/x.txt\n");

sub by { return { 'X-API-Key' => $caller->{key}, @_ } }
sub to
{
    my ($path, $target) = @_;
    return ["$path goes to $target", { path => $path, headers => by() },
            { status => 200, json => { target => $target, 'headers.Authorization' => qr/^\*+$/ }, leak => 1 }];
}

cases($httpd,
    to('/old/x', '/v1/x'),
    to('/old/', '/v1/'),
    to('/old/x?a=b', '/v1/x?a=b'),
    to('/old/a%20b/c%C3%A9', '/v1/a%20b/c%C3%A9'),
    to('/asked/x?a=b', '/v1/x?added=1&a=b'),
    to('/loose/x', '/v1/x'),
    to('/loose/100%25', '/v1/100%25'),
    to('/loose/secret', '/v1/secret'),
    to('/open/in/x', '/v1/x'),
    to('/stripe/x', '/v1/x'), # a mount's own requests are not rewritten
    ['HTTP/2', { path => '/old/x', headers => by(), http2 => 1 }, { status => 200, json => { target => '/v1/x' }, leak => 1 }],
    ['HEAD', { method => 'HEAD', path => '/old/x', headers => by() }, { status => 200 }],
    ['POST', { method => 'POST', path => '/old/x', headers => by(), body => 'text' },
     { status => 200, json => { method => 'POST', body => 'text' }, leak => 1 }],
    ['a key in the query', { path => "/asked/x?a=b&apikey=$caller->{key}" },
     { status => 200, json => { target => '/v1/x?added=1&a=b' } }],
    ["the operator's own proxy", { path => '/to-own/x', headers => by() },
     { status => 200, json => { target => '/own/x', 'headers.Authorization' => qr/^\*+$/ }, leak => 1 }],
    ['a file of the server', { path => '/to-file/x.txt' }, { status => 200, body => "a file\n" }],
);

my $forwarded = $upstream->count;
cases($httpd,
    ['a path that rules deny', { path => '/old/secret', headers => by() }, { status => 403, json => { detail => qr/denies/ } }],
    ['the same in codes', { path => '/old/%73ecret', headers => by() }, { status => 403 }],
    ['a double code', { path => '/old/%2573ecret', headers => by() }, { status => 400 }],
    ['dots that the rule put together', { path => '/glued/.-./admin', headers => by() }, { status => 400 }],
    ['slashes that the rule put together', { path => '/twice/admin', headers => by() }, { status => 400 }],
    ['nobody', { path => '/old/x' }, { status => 401 }],
    ['nobody, by way of an open section', { path => '/open/in/x' }, { status => 401 }],
    ['a wrong key', { path => '/old/x', headers => { 'X-API-Key' => 'wrong-key-0123' } }, { status => 401 }],
    ["another's key", { path => '/old/x', headers => { 'X-API-Key' => $stranger->{key} } }, { status => 403 }],
    ['TRACE', { method => 'TRACE', path => '/old/x', headers => by() }, { status => 405 }],
    ['no such proxy', { path => '/nothing/x', headers => by() }, { status => 403 }],
    ["the operator's own proxy, nobody", { path => '/to-own/x' }, { status => 401 }],
);
is($upstream->count, $forwarded, 'nothing of that is forwarded');

allow_log('AH01630', 'RR10401');
finish();
