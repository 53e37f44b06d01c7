# SPDX-License-Identifier: Apache-2.0
#
# No way around: whatever lets a request in, nothing is forwarded bare, and the credential goes nowhere else.

use strict;
use warnings;

use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');
my $stranger = $store->key('stranger');
my $vendor = secret('vendor-secret-' . 'w' x 20, "the vendor's key");
stored_proxy($store, 'vendor', $upstream->url, caller => $caller,
             secret => { credentialAuthType => 'key', credentialSecret => { key => $vendor } });
$store->make('credential', { credentialType => 'target', credentialAuthType => 'bearer', credentialName => 'bound',
             credentialSecret => { token => secret('bound-secret-0123456789') }, credentialAllowedOrigins => ['https://elsewhere.example'] });

my $httpd = httpd(modules => [qw(core keyauth inject)],
    extra => [qw(access_compat proxy_balancer lbmethod_byrequests slotmem_shm proxy_ajp proxy_fcgi status include)],
    vars => { BACKEND => $upstream->url, HOSTPORT => '127.0.0.1:' . $upstream->port }, conf => $store->conf . <<'CONF');
RRTargetAllow loopback
Options +Includes +FollowSymLinks
TraceEnable extended
AddOutputFilter INCLUDES .shtml
AddType text/html .shtml
<Location "/server-status">
    SetHandler server-status
</Location>
# ---- stored ----
<Location "/strict">
    AuthType RR
    RRProxy vendor
    Require rr-proxy
</Location>
<Location "/granted">
    AuthType RR
    RRProxy vendor
    Require all granted
</Location>
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    RRProxy vendor
    Require all granted
</Location>
<Location "/permissive">
    AuthType RR
    RRAuthMode permissive
    RRProxy vendor
    Require all granted
</Location>
<Location "/any">
    AuthType RR
    RRProxy vendor
    Require rr-proxy
    Order allow,deny
    Allow from all
    Satisfy Any
</Location>
<Location "/nothing-of-ours">
    RRProxy vendor
    Require all granted
</Location>
<Location "/passes">
    AuthType RR
    RRProxy vendor
    ProxyPass "@BACKEND@/wrong"
    Require rr-proxy
</Location>
# ---- the operator's own ----
<Proxy "balancer://good">
    BalancerMember "@BACKEND@"
</Proxy>
<Proxy "balancer://ajp">
    BalancerMember "ajp://@HOSTPORT@"
</Proxy>
<Proxy "balancer://fcgi">
    BalancerMember "fcgi://@HOSTPORT@"
</Proxy>
<LocationMatch "^/own">
    AuthType RR
    Require rr-key
    RRTargetCredential default/vendor
</LocationMatch>
<Location "/own/pass">
    ProxyPass "@BACKEND@/pass"
</Location>
<Location "/own/handler">
    SetHandler "proxy:@BACKEND@"
</Location>
<Location "/own/rewrite">
    RewriteEngine On
    RewriteRule (.*) "@BACKEND@/rewritten" [P]
</Location>
<Location "/own/good">
    ProxyPass "balancer://good/balanced"
</Location>
<Location "/own/ajp">
    ProxyPass "balancer://ajp/x"
</Location>
<Location "/own/fcgi">
    ProxyPass "balancer://fcgi/x"
</Location>
<Location "/own/handler-ajp">
    SetHandler "proxy:ajp://@HOSTPORT@"
</Location>
<Location "/own/handler-fcgi">
    SetHandler "proxy:fcgi://@HOSTPORT@"
</Location>
<Location "/own/granted">
    Require all granted
    ProxyPass "@BACKEND@/granted"
</Location>
<Location "/own/optional">
    RRAuthMode optional
    Require all granted
    ProxyPass "@BACKEND@/optional"
</Location>
<Location "/own/bound">
    RRTargetCredential default/bound
    ProxyPass "@BACKEND@/bound"
</Location>
<Location "/own/missing">
    RRTargetCredential default/no-such
    ProxyPass "@BACKEND@/missing"
</Location>
<Location "/no-type">
    RRTargetCredential default/vendor
    Require all granted
    ProxyPass "@BACKEND@/no-type"
</Location>
# ---- redirects ----
<Location "/errors">
    ErrorDocument 404 /granted/error-page
</Location>
<Location "/own-errors">
    ErrorDocument 404 /own/pass/error-page
</Location>
<Location "/denied">
    ErrorDocument 403 /granted/error-page
    Require all denied
</Location>
<Location "/to-index">
    DirectoryIndex /granted/index
    Require all granted
</Location>
RewriteEngine On
RewriteRule ^/hop$ /granted/hop [PT]
<Directory "@ROOT@/htdocs">
    RewriteEngine On
    RewriteRule ^inner$ /granted/inner
</Directory>
CONF
$httpd->file('htdocs/to-index/x', '');
$httpd->file('htdocs/part.shtml', qq(<!--#include virtual="/granted/included" -->\n));

my %key = (headers => { 'X-API-Key' => $caller->{key} });
sub bearer { my %h = map { lc($_->[0]) => $_->[1] } @{ seen($upstream)->{headers} }; return $h{authorization} }

# name, request, status, and the path that the upstream has to have seen (undef: nothing reached it)
my @cases = (
    (map { my $where = $_;
           (["$where: nobody", { path => "/$where/x" }, 401],
            ["$where: nobody's HEAD", { method => 'HEAD', path => "/$where/x" }, 401],
            ["$where: nobody's OPTIONS", { method => 'OPTIONS', path => "/$where/x" }, 401],
            ["$where: nobody over HTTP/2", { path => "/$where/x", http2 => 1 }, 401],
            ["$where: a wrong key", { path => "/$where/x", headers => { 'X-API-Key' => 'wrong-key-0123' } }, 401],
            ["$where: another's key", { path => "/$where/x", headers => { 'X-API-Key' => $stranger->{key} } }, 403],
            ["$where: TRACE", { method => 'TRACE', path => "/$where/x", %key }, 405],
            ["$where: the caller", { path => "/$where/x", %key }, 200, '/x'],
            ["$where: the caller's HEAD", { method => 'HEAD', path => "/$where/h", %key }, 200, '/h'],
            ["$where: the caller's OPTIONS", { method => 'OPTIONS', path => "/$where/o", %key }, 200, '/o'],
            ["$where: the caller over HTTP/2", { path => "/$where/2", %key, http2 => 1 }, 200, '/2']) }
     qw(strict granted optional any)),
    ['permissive: nobody', { path => '/permissive/x' }, 401],
    ['permissive: a wrong key', { path => '/permissive/x', headers => { 'X-API-Key' => 'wrong-key-0123' } }, 401],
    ['a section without AuthType RR', { path => '/nothing-of-ours/x', %key }, qr/^(401|403|502)$/],
    ['RRProxy and ProxyPass in one section: RRProxy it is', { path => '/passes/x', %key }, 200, '/x'],
    ['ProxyPass: nobody', { path => '/own/pass/x' }, 401],
    ['ProxyPass', { path => '/own/pass/x', %key }, 200, '/pass/x'],
    ['ProxyPass: TRACE', { method => 'TRACE', path => '/own/pass/x', %key }, 405],
    ['ProxyPass: Max-Forwards 0', { path => '/own/pass/x', headers => { %{ $key{headers} }, 'Max-Forwards' => 0 } }, 400],
    ['SetHandler: nobody', { path => '/own/handler' }, 401],
    ['SetHandler', { path => '/own/handler', %key }, 200, qr{/own}],
    ['RewriteRule [P]: nobody', { path => '/own/rewrite' }, 401],
    ['RewriteRule [P]', { path => '/own/rewrite', %key }, 200, '/rewritten'],
    ['a balancer: nobody', { path => '/own/good/x' }, 401],
    ['a balancer', { path => '/own/good/x', %key }, 200, '/balanced/x'],
    ['a member of ajp', { path => '/own/ajp', %key }, 502],
    ['a member of fcgi', { path => '/own/fcgi', %key }, 502],
    ['SetHandler of ajp', { path => '/own/handler-ajp', %key }, 502],
    ['SetHandler of fcgi', { path => '/own/handler-fcgi', %key }, 502],
    ['all granted: nobody', { path => '/own/granted/x' }, 401],
    ['all granted', { path => '/own/granted/x', %key }, 200, '/granted/x'],
    ['optional: nobody', { path => '/own/optional/x' }, 403],
    ['optional', { path => '/own/optional/x', %key }, 200, '/optional/x'],
    ['a credential of another origin', { path => '/own/bound/x', %key }, 502],
    ['a credential that is not there', { path => '/own/missing/x', %key }, 503],
    ['no AuthType', { path => '/no-type/x', %key }, 403],
    ['an ErrorDocument', { path => '/errors/x', %key }, 404],
    ["an ErrorDocument by the operator's own proxy", { path => '/own-errors/x', %key }, 404],
    ['an ErrorDocument of a refusal', { path => '/denied/x', %key }, 403],
    ['RewriteRule [PT]: nobody', { path => '/hop' }, 401],
    ['RewriteRule [PT]', { path => '/hop', %key }, 200, '/hop'],
    ['an internal redirect: nobody', { path => '/inner' }, 401],
    ['an internal redirect', { path => '/inner', %key }, 200, '/inner'],
    ['a fast redirect: nobody', { path => '/to-index/' }, qr/^40[13]$/],
    ['a fast redirect', { path => '/to-index/', %key }, 502],
    ['a subrequest: nobody', { path => '/part.shtml' }, 200],
    ['a subrequest', { path => '/part.shtml', %key }, 200, '/included'],
);
for my $case (@cases) {
    my ($name, $request, $status, $path) = @$case;
    my $before = $upstream->count;
    check($name, $httpd->request(%$request), { status => $status, absent => [$vendor] });
    my $saw = $upstream->count > $before ? seen($upstream)->{path} : undef;
    if (!defined $path) {
        is($saw, undef, "$name: nothing is forwarded");
        next;
    }
    ref $path ? like($saw, $path, "$name: forwarded") : is($saw, $path, "$name: forwarded");
    is(bearer(), "Bearer $vendor", "$name: with the credential");
}

my @schemes = $httpd->errorlog =~ /RR10610: nothing was sent: it would go by another scheme/g;
is(scalar @schemes, 4, 'ajp and fcgi are refused for what they are, not by who answers there');

cases($httpd, ['/server-status', { path => '/server-status' }, { status => 200, absent => [$vendor, $upstream->url] }]);
expect_log('RR10604', 'RR10605', 'RR10610');
allow_log('RR10601', 'AH01630', 'AH01276', 'AH01797', qr/AH01374/, qr/AH01265/, qr/AH00898/, qr/unable to include/);
finish();
