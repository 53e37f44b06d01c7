# SPDX-License-Identifier: Apache-2.0
#
# The caller's credential does not travel on, whatever handler comes next and wherever it stood; with
# RRForwardCredential On it does. What is not ours always does.

use strict;
use warnings;

use RR::Test;
use RR::Token;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $store = store();
my $key = $store->key('robot', '--metadata', json_text({ userId => 'robot' }))->{key};

my $sources = "RRKeyHeader Authorization Bearer\n    RRKeyHeader Authorization\n    RRKeyHeader X-API-Key\n    RRKeyQuery api_key\n    RRKeyCookie session";
my $conf = <<'CONF';
ScriptSock "@ROOT@/run/cgid.sock"
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory "@ROOT@/htdocs">
    Options +Includes
</Directory>
RewriteEngine On
CONF
for my $way ('off', 'on') {
    my $forward = $way eq 'on' ? 'RRForwardCredential On' : '';
    $conf .= <<"CONF";
<Location "/$way">
    AuthType RR
    Require rr-key
    $sources
    $forward
    RRIdentityHeader X-User-Id
</Location>
ProxyPass /$way/pass \@UP\@/pass
ProxyPass /$way/nocanon \@UP\@/nocanon nocanon
ProxyPassMatch ^/$way/match/(.*) \@UP\@/match/\$1
RewriteRule ^/$way/rewrite/(.*) \@UP\@/rewrite/\$1 [P]
RewriteRule ^/$way/append/(.*) \@UP\@/append/\$1?more=1 [P,QSA]
<Location "/$way/handler">
    SetHandler "proxy:\@UP\@/"
</Location>
<Directory "\@ROOT\@/htdocs/$way/dir">
    RewriteEngine On
    RewriteRule ^proxied\$ \@UP\@/dir [P]
    RewriteRule ^cgi\$ /$way/cgi/env.cgi
    RewriteRule ^back\$ /$way/pass/back
</Directory>
ScriptAlias /$way/cgi/ "\@ROOT\@/htdocs/cgi/"
<Proxy "balancer://$way">
    BalancerMember \@UP\@
</Proxy>
ProxyPass /$way/balanced balancer://$way/balanced
<Location "/$way/error">
    ErrorDocument 404 /$way/cgi/env.cgi
</Location>
CONF
}
$conf .= <<'CONF';
ProxyPass /open @UP@/open
<Location "/basic">
    AuthType Basic
    AuthName estate
    AuthUserFile "@ROOT@/users"
    Require valid-user
</Location>
ProxyPass /basic @UP@/basic
CONF
my $httpd = httpd(modules => [qw(core keyauth)], extra => [qw(cgid include slotmem_shm lbmethod_byrequests proxy_balancer)],
                  vars => { UP => $upstream->url }, conf => $store->conf . $conf);
$httpd->file('htdocs/cgi/env.cgi', "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\n", 0755);
$httpd->file('users', 'user:{SHA}' . do { require Digest::SHA; Digest::SHA::sha1_base64('password') } . "=\n");
for my $way ('off', 'on') {
    $httpd->file("htdocs/$way/dir/x", '');
    $httpd->file("htdocs/$way/include.shtml", "<!--#include virtual=\"/$way/cgi/env.cgi\" -->");
}

(my $coded = $key) =~ s/(.)/sprintf('%%%02x', ord $1)/ge;
# where => [query, headers], and whether it is in the query
my %places = (
    'Bearer' => ['', { Authorization => "Bearer $key" }],
    'raw' => ['', { Authorization => $key }],
    'X-API-Key' => ['', { 'X-API-Key' => $key }],
    'query' => ["api_key=$key", {}, 1],
    'query, its name coded' => ["%61pi%5fkey=$key", {}, 1],
    'query, all coded' => ["api_key=$coded", {}, 1],
    'query, twice' => ["api_key=$key&x=y&api%5Fkey=$coded", {}, 1],
    'cookie' => ['', { Cookie => "a=b; session=$key; c=d" }],
    'cookie alone' => ['', { Cookie => "session=$key" }],
    'cookie, twice' => ['', { Cookie => ["session=$key; a=b", "c=d; session=\"$key\""] }],
    'everywhere' => ["api_key=$key", { Authorization => "Bearer $key", 'X-API-Key' => $key, Cookie => "c=d;session=$key" }, 1],
);
my @handlers = (
    ['ProxyPass', 'pass/x'], ['ProxyPass nocanon', 'nocanon/x'], ['ProxyPassMatch', 'match/x'], ['RewriteRule [P]', 'rewrite/x'],
    ['RewriteRule [P,QSA]', 'append/x'], ['SetHandler proxy:', 'handler/x'], ['RewriteRule [P] in a directory', 'dir/proxied'],
    ['a balancer', 'balanced/x'], ['a redirect to a backend', 'dir/back'],
    ['CGI', 'cgi/env.cgi', 1], ['a redirect to CGI', 'dir/cgi', 1], ['CGI by subrequest', 'include.shtml', 1], ['the page of a 404', 'error/x', 1],
);

for my $handler (@handlers) {
    my ($what, $path, $cgi) = @$handler;
    for my $place (sort keys %places) {
        my ($query, $headers, $in_query) = @{ $places{$place} };
        my %request = (headers => { %$headers, 'X-Kept' => 'kept-header' });
        my $status = $path eq 'error/x' ? 404 : 200;
        $query = join('&', 'before=1', length $query ? $query : (), 'after=2');

        check("off: $what, $place", $httpd->request(%request, path => "/off/$path?$query"),
              { status => $status, absent => [$key, $coded, 'api_key', qr/%61pi/i, qr/\bsession/], body => $cgi ? qr/^HTTP_X_USER_ID=robot$/m : qr/"X-User-Id":"robot"/ });
        # httpd gives a CGI program no Authorization at all, and a redirected or included one another query
        next if $cgi && ($path ne 'cgi/env.cgi' || $place =~ /Bearer|raw/);
        check("on: $what, $place", $httpd->request(%request, path => "/on/$path?$query"), { status => $status, leak => 1, body => qr/\Q$key\E|\Q$coded\E/ });
    }
}

# ---- what is not ours travels ----
my @with = (Authorization => "Bearer $key", Cookie => "a=b; session=$key; c=d", 'X-Kept' => 'kept');
my @h2c = (Upgrade => 'h2c', Connection => 'Upgrade, HTTP2-Settings', 'HTTP2-Settings' => 'AAMAAABkAAQAoAAAAAIAAAAA');
cases($httpd,
    ['the rest of the query, in order', { path => "/off/pass/x?b=%20+&api_key=$key&a=1&a=2&&c&d=", headers => {} },
     { status => 200, json => { query => qr/^b=%20\+&a=1&a=2&*c&d=$/ } }],
    ['no query at all rather than an empty one', { path => "/off/pass/x?api_key=$key" }, { status => 200, json => { target => '/pass/x' } }],
    ['no query at all, nocanon', { path => "/off/nocanon/x?api_key=$key" }, { status => 200, json => { target => '/nocanon/x' } }],
    ['nocanon keeps the path as it was', { path => "/off/nocanon/a%41%20c?x=%2f&api_key=$key" }, { status => 200, json => { target => '/nocanon/a%41%20c?x=%2f' } }],
    ['the other cookies', { path => '/off/pass/x', headers => [@with] }, { status => 200, json => { 'headers.Cookie' => 'a=b; c=d', 'headers.X-Kept' => 'kept' } }],
    ['no Cookie at all rather than an empty one', { path => '/off/pass/x', headers => { Cookie => "session=$key" } }, { status => 200, json => { 'headers.Cookie' => undef } }],
    ['another scheme of Authorization', { path => '/off/pass/x', headers => { Authorization => 'Digest username="x"', 'X-API-Key' => $key } },
     { status => 200, json => { 'headers.Authorization' => 'Digest username="x"', 'headers.X-API-Key' => undef } }],
    ['a body', { path => "/off/pass/x?api_key=$key", method => 'PUT', body => "api_key=of-the-body", headers => {} },
     { status => 200, json => { method => 'PUT', body => 'api_key=of-the-body' } }],
    ['HTTP/2', { path => "/off/pass/x?api_key=$key&a=1", http2 => 1, headers => { 'X-API-Key' => $key } }, { status => 200, absent => [$key], json => { query => 'a=1' } }],
    ['a request that would rather be HTTP/2', { path => '/off/pass/x', headers => { 'X-API-Key' => $key, @h2c } },
     { status => 200, absent => [$key], json => { 'headers.X-User-Id' => 'robot' } }],
    ['one with a WebSocket in view too', { path => "/off/pass/x?api_key=$key", headers => { @h2c, Upgrade => 'websocket, h2c' } }, { status => 200 }],
    ['and an open Location, which may have it', { path => '/open/x', headers => { @h2c } }, { status => 101 }],
    ['an open Location keeps everything', { path => "/open/x?api_key=$key", headers => { 'X-API-Key' => $key } },
     { status => 200, leak => 1, json => { query => "api_key=$key", 'headers.X-API-Key' => $key } }],
    ['Basic of the estate travels as ever', { path => '/basic/x', headers => { Authorization => 'Basic dXNlcjpwYXNzd29yZA==' } },
     { status => 200, json => { 'headers.Authorization' => 'Basic dXNlcjpwYXNzd29yZA==' } }],
    ['a refused one goes nowhere', { path => '/off/pass/refused?api_key=some-other-key' }, { status => 401 }],
);
is($upstream->count('/pass/refused'), 0, 'and no backend was asked');

allow_log('AH01630', 'AH01631');
finish();
