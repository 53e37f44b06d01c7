# SPDX-License-Identifier: Apache-2.0
#
# No way around rules: whichever way httpd comes to a request, its rules have judged it, in the
# configuration and with the path that count in the end.

use strict;
use warnings;

use RR::Test;
use RR::Token;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $up = $upstream->url('');
my $es = RR::Token->key('ES256', kid => 'k');
my $httpd = httpd(modules => [qw(core jwt rules)], extra => [qw(include cache cache_disk access_compat)], start => 0);
my $jwks = $httpd->file('keys.json', json_text({ keys => [$es->jwk] }));
my $root = $httpd->dir;

sub rules { my ($name, @rules) = @_; return $httpd->file("$name.json", json_text(\@rules)) }

my $some = rules('some', { id => 'open', effect => 'allow', pathPattern => '^/(open|dir/$|page|hop|sub)' },
    { id => 'closed', effect => 'deny', pathPattern => '^/closed' });
my $methods = rules('methods', { id => 'post', effect => 'allow', methods => ['GET', 'POST'] }, { id => 'delete', effect => 'deny', methods => ['DELETE'] });
my $secret = canary('secret');
my $keyed = rules('keyed', { id => 'keyed', effect => 'allow', methods => ['GET'],
    headers => [{ name => { pattern => '^X-Partner$' }, value => { pattern => "^$secret\$" }, presence => 'must_exist' }] });
my $body = rules('body', { id => 'body', effect => 'allow', body => [{ jsonPath => { pattern => '^a$' }, value => { pattern => '^1$' } }] });
my $claim = rules('claim', { id => 'gold', effect => 'allow', token => [{ claim => { pattern => '^tier$' }, value => { pattern => '^gold$' } }] });

for my $dir (qw(pub/dir rules/dir rules/closed)) {
    $httpd->file("htdocs/$dir/index.html", "INDEX of $dir\n");
}
$httpd->file('htdocs/pub/page.shtml', 'A<!--#include virtual="/rules/closed/index.html" -->B<!--#include virtual="/rules/open.html" -->C');
$httpd->file('htdocs/rules/page.shtml', 'A<!--#include virtual="/rules/closed/index.html" -->B<!--#include virtual="/rules/open.html" -->C');
$httpd->file('htdocs/rules/open.html', 'OPEN');
$httpd->file('htdocs/rules/closed/error.html', 'the page for refusals');
$httpd->file('htdocs/rules/error.html', 'the page for refusals');

$httpd->{conf} = <<"CONF";
RRJwtIssuer main https://id.test.example audience=any jwks=file:$jwks
RewriteEngine On
RewriteRule "^/old/(.*)" "/rules/\$1" [PT]
RewriteRule "^/jump/(.*)" "$up/\$1" [P]
<Directory "$root/htdocs">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
    DirectoryIndex index.html
</Directory>
<Location "/rules">
    RRRules $some
    Require all granted
</Location>
<Location "/rules/closed">
    ErrorDocument 403 /rules/error.html
</Location>
<Location "/rules/hop">
    RewriteEngine On
    RewriteRule "hop/(.*)" "/rules/closed/\$1"
</Location>
<Location "/errors">
    RRRules $some
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/remote">
    RRRules $some
    Require all granted
    ErrorDocument 403 /errors/open
    ProxyPass "$up"
</Location>
<Location "/any">
    AuthType RR
    Require rr-jwt
    Order allow,deny
    Allow from all
    Satisfy Any
    RRRules $claim
    ProxyPass "$up"
</Location>
<Location "/granted">
    AuthType RR
    RRAuthMode optional
    Require all granted
    RRRules $claim
    ProxyPass "$up"
</Location>
<Location "/methods">
    RRRules $methods
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/jump">
    RRRules $some
    Require all granted
</Location>
<Location "/handler">
    RRRules $some
    Require all granted
    SetHandler "proxy:$up"
</Location>
<Location "/keyed">
    RRRules $keyed
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/keyedhop">
    RRRules $keyed
    Require all granted
    RewriteEngine On
    RewriteRule "keyedhop/(.*)" "/keyed/\$1"
</Location>
<Location "/body">
    RRRules $body
    Require all granted
    RewriteEngine On
    RewriteRule "body/(.*)" "/plain/\$1"
</Location>
<Location "/bodytwice">
    RRRules $body
    Require all granted
    RewriteEngine On
    RewriteRule "bodytwice/(.*)" "/bodyend/\$1"
</Location>
<Location "/bodyend">
    RRRules $body
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/plain">
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/stored">
    Require all granted
    ProxyPass "$up"
</Location>
CacheRoot "$root/state"
CacheEnable disk /stored
CacheEnable disk /keyed
CacheIgnoreCacheControl On
CacheStoreNoStore On
CacheStorePrivate On
CacheDefaultExpire 600
CacheIgnoreNoLastMod On
CONF
$httpd->start;

my $gold = 'Bearer ' . $es->token({ iss => 'https://id.test.example', sub => 'a', tier => 'gold' });
my $tin = 'Bearer ' . $es->token({ iss => 'https://id.test.example', sub => 'a', tier => 'tin' });
my $json = { 'Content-Type' => 'application/json' };

cases($httpd,
    ['granted: allowed', { path => '/rules/open.html' }, { status => 200, body => 'OPEN' }],
    ['granted: denied, and the local page for refusals keeps the status', { path => '/rules/closed/index.html' },
     { status => 403, body => qr/the page for refusals/ }],
    ['granted: no rule', { path => '/rules/other.html' }, { status => 403 }],

    ['Satisfy Any: the claim', { path => '/any/x', headers => { Authorization => $gold } }, { status => 200 }],
    ['Satisfy Any: another claim', { path => '/any/x', headers => { Authorization => $tin } }, { status => 403 }],
    ['Satisfy Any: no credential', { path => '/any/x' }, { status => qr/^40[13]$/ }],
    ['Require all granted: the claim', { path => '/granted/x', headers => { Authorization => $gold } }, { status => 200 }],
    ['Require all granted: another claim', { path => '/granted/x', headers => { Authorization => $tin } }, { status => 403 }],
    ['Require all granted: anonymous', { path => '/granted/x' }, { status => 403 }],

    ['a subrequest into rules', { path => '/pub/page.shtml' }, { status => 200, body => qr/^A(?!INDEX).*B.*OPENC$/s, absent => ['INDEX'] }],
    ['a subrequest within the same rules', { path => '/rules/page.shtml' }, { status => 200, body => qr/^A(?!INDEX).*B.*OPENC$/s, absent => ['INDEX'] }],
    ['an index outside', { path => '/pub/dir/' }, { status => 200, body => qr/INDEX of pub/ }],
    ['an index is judged as what it is', { path => '/rules/dir/' }, { status => 403, absent => ['INDEX'] }],
    ['rewritten before: open', { path => '/old/open.html' }, { status => 200, body => 'OPEN' }],
    ['rewritten before: closed', { path => '/old/closed/index.html' }, { status => 403 }],
    ['rewritten before: a path of two readings', { path => '/old/open//closed' }, { status => 400 }],
    ['an internal redirect', { path => '/rules/hop/index.html' }, { status => 403, absent => ['INDEX'] }],
    ['a proxied rewrite', { path => '/jump/open' }, { status => 200, json => { path => '/open' } }],
    ['a proxied rewrite, denied', { path => '/jump/closed' }, { status => 403 }],
    ['SetHandler proxy:', { path => '/handler/open' }, { status => 200 }],
    ['SetHandler proxy:, denied', { path => '/handler/closed' }, { status => 403 }],

    ['POST allowed', { method => 'POST', path => '/methods/x', body => '' }, { status => 200, json => { method => 'POST' } }],
    ['DELETE denied', { method => 'DELETE', path => '/methods/x' }, { status => 403 }],
    ['delete denied', { method => 'delete', path => '/methods/x' }, { status => 403 }],
    (map { ["$_: DELETE", { method => 'POST', path => '/methods/x', body => '', headers => { $_ => 'DELETE' } }, { status => 403 }] }
        qw(X-HTTP-Method-Override X-HTTP-Method X-Method-Override x-http-method-override)),
    ['override: one of two', { method => 'POST', path => '/methods/x', body => '', headers => { 'X-HTTP-Method-Override' => 'GET, delete' } }, { status => 403 }],
    ['override: _method', { method => 'POST', path => '/methods/x?a=b&_method=DELETE', body => '' }, { status => 403 }],
    ['override: to what is allowed', { method => 'POST', path => '/methods/x', body => '', headers => { 'X-HTTP-Method-Override' => 'GET' } }, { status => 200 }],
    ['override: to what is unknown', { method => 'POST', path => '/methods/x', body => '', headers => { 'X-HTTP-Method-Override' => 'PURGE' } }, { status => 403 }],
    ['HEAD is not GET', { method => 'HEAD', path => '/methods/x' }, { status => 403 }],
    ['OPTIONS', { method => 'OPTIONS', path => '/methods/x' }, { status => 403 }],
    ['TRACE', { method => 'TRACE', path => '/methods/x' }, { status => 403 }],

    ['a secret header', { path => '/keyed/x', headers => { 'X-Partner' => $secret } }, { status => 200, json => { path => '/x', 'headers.X-Partner' => undef } }],
    ['the same from a cache: not without the header', { path => '/keyed/x' }, { status => 403 }],
    ['the same again with it', { path => '/keyed/x', headers => { 'x-partner' => $secret } }, { status => 200 }],
    ['a secret header is judged again after a redirect', { path => '/keyedhop/x', headers => { 'X-Partner' => $secret } }, { status => 200, json => { path => '/x' } }],
    ['no secret header, and a redirect', { path => '/keyedhop/x' }, { status => 403 }],

    ['a body goes on after a redirect', { path => '/body/x', body => '{"a":1}', headers => $json }, { status => 200, json => { body => '{"a":1}', path => '/x' } }],
    ['a body is judged before a redirect', { path => '/body/x', body => '{"a":2}', headers => $json }, { status => 403 }],
    ['a body is judged twice', { path => '/bodytwice/x', body => ['{"a"', ':1}'], headers => $json }, { status => 200, json => { body => '{"a":1}' } }],
);

my $before = $upstream->count('/open');
cases($httpd, ['the page for refusals of a remote route is not fetched', { path => '/remote/closed' }, { status => 403 }]);
is($upstream->count('/open'), $before, 'nothing went to the backend for it');
cases($httpd, ['a fragment', { raw => "GET /rules/open.html#x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" }, { status => 400 }],
    ['a NUL', { raw => "GET /rules/open.html%00x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" }, { status => qr/^40[04]$/ }],
    ['absolute form', { raw => "GET http://h/rules/closed/index.html HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" }, { status => 403 }],
    ['absolute form, allowed', { raw => "GET http://h/rules/open.html HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" }, { status => 200 }]);

my $stored = $upstream->count('/kept');
$httpd->request(path => '/stored/kept') for 1 .. 3;
is($upstream->count('/kept'), $stored + 1, 'a cache that would have answered is there: without rules it does');

expect_log(qr/unable to include "\/rules\/closed\/index\.html"/);
finish();
