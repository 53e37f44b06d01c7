# SPDX-License-Identifier: Apache-2.0
#
# AuthType RR among what an estate uses: sections of every kind, aliases of requirements, handlers that redirect inside,
# protocols of backends, trailers, bodies that nobody reads.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $httpd = httpd(modules => ['core'], extra => [qw(actions cgid negotiation speling include proxy_wstunnel autoindex userdir)], vars => { UP => $upstream->url },
                  conf => load_stub() . <<'CONF');
ScriptSock "@ROOT@/run/cgid.sock"
ScriptAlias /cgi/ "@ROOT@/htdocs/cgi/"
AddLanguage en .en
AddLanguage de .de
AddType text/html .shtml .html
AddOutputFilter INCLUDES .shtml
Action rr-test /cgi/env.cgi virtual
<AuthzProviderAlias rr-scope may-read "read">
</AuthzProviderAlias>
<AuthzProviderAlias rr-data is-gold "tier ^gold$">
</AuthzProviderAlias>
<Directory "@ROOT@/htdocs">
    Options +Includes +MultiViews +Indexes
    CheckSpelling On
</Directory>
<Location "/alias">
    AuthType RR
    <RequireAll>
        Require may-read
        Require is-gold
    </RequireAll>
</Location>
<Location "/alias/not">
    <RequireAll>
        Require may-read
        Require not is-gold
    </RequireAll>
</Location>
<If "%{QUERY_STRING} =~ /secret/">
    AuthType RR
    Require rr-red
    RRIdentityHeader X-User-Id
</If>
<Files "private.txt">
    AuthType RR
    Require rr-red
</Files>
<FilesMatch "\.mine$">
    AuthType RR
    Require rr-scope read
</FilesMatch>
<LocationMatch "^/match/(?<who>[a-z]+)/">
    AuthType RR
    Require rr-scope read
</LocationMatch>
<Location "/merge">
    AuthType RR
    Require rr-red
</Location>
<Location "/merge/and">
    AuthMerging And
    Require rr-scope read
</Location>
<Location "/merge/or">
    AuthMerging Or
    Require rr-blue
</Location>
<Location "/expr">
    AuthType "%{tolower:RR}"
    Require rr-red
</Location>
<Location "/action">
    AuthType RR
    Require rr-red
    RRIdentityHeader X-User-Id
    SetHandler rr-test
</Location>
<Location "/views">
    AuthType RR
    Require rr-red
</Location>
<Location "/loop">
    AuthType RR
    Require rr-red
    ErrorDocument 401 /loop
    ErrorDocument 403 /loop
    ErrorDocument 404 /loop
    SetHandler rr-me
</Location>
<Location "/up">
    AuthType RR
    Require rr-red
    RRIdentityHeader X-User-Id
    ProxyPass @UP@
    ProxyPassReverse @UP@
</Location>
<Location "/estate/up">
    AuthType None
    Require all granted
    RequestHeader set X-User-Id "of the operator"
    ProxyPass @UP@
</Location>
<Location "/stay/files">
    AuthType RR
    Require rr-red
</Location>
CONF
$httpd->file('htdocs/cgi/env.cgi', "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\ncat >/dev/null\n", 0755);
for my $dir ('open', 'alias', 'alias/not', 'match/me', 'merge', 'merge/and', 'merge/or', 'expr', 'stay/files') {
    $httpd->file("htdocs/$dir/file.txt", "file of $dir\n");
}
$httpd->file('htdocs/open/private.txt', "the private one\n");
$httpd->file('htdocs/open/list/private.txt', "the private one\n");
$httpd->file('htdocs/open/list/open.txt', "open\n");
$httpd->file('htdocs/open/a.mine', "mine\n");
$httpd->file('htdocs/open/private.html.en', "english\n");
$httpd->file('htdocs/views/page.html.en', "english\n");
$httpd->file('htdocs/views/page.html.de', "deutsch\n");
$upstream->behave('/own401', status => 401, headers => [['WWW-Authenticate', 'Basic realm="backend"'], ['X-Own', 'yes']], body => 'of the backend');
$upstream->behave('/own403', status => 403, headers => [['Content-Type', 'text/plain']], body => 'of the backend');

my $merging = httpd(modules => ['core'], vars => { UP => $upstream->url }, conf => load_stub() . <<'CONF');
MergeTrailers On
ProxyPass /open @UP@
<Location "/up">
    AuthType RR
    Require rr-red
    RRIdentityHeader X-User-Id
    ProxyPass @UP@
</Location>
CONF

my $red = { 'X-Red' => who('rose', scopes => 'read', data => { tier => 'gold' }) };
my $tin = { 'X-Red' => who('tina', scopes => 'read', data => { tier => 'tin' }) };
my $poor = { 'X-Red' => who('paul') };
my $blue = { 'X-Blue' => who('bert') };
my $in = { status => 200 };
my $out = { status => 401, headers => { 'WWW-Authenticate' => qr/realm=/ } };
my $no = { status => 403 };
sub at { my ($path, $headers, %more) = @_; return { path => $path, headers => $headers || {}, %more } }

cases($httpd,
    # ---- AuthzProviderAlias ----
    ['alias: nobody', at('/alias/file.txt'), $out],
    ['alias: scope and data', at('/alias/file.txt', $red), $in],
    ['alias: negated', at('/alias/not/file.txt', $tin), $in],
    ['alias: negated, and it holds', at('/alias/not/file.txt', $red), $no],
    ['alias: not the data', at('/alias/file.txt', $tin), $no],
    ['alias: not the scope', at('/alias/file.txt', $poor), $no],
    # ---- sections ----
    ['<If>: does not hold', at('/open/file.txt'), $in],
    ['<If>: nobody', at('/open/file.txt?secret'), $out],
    ['<If>: somebody', at('/open/file.txt?secret', $red), $in],
    ['<If>: CGI is told', at('/cgi/env.cgi?secret', $red), { status => 200, body => qr/^HTTP_X_USER_ID=rose$/m }],
    ['<Files>: nobody', at('/open/private.txt'), $out],
    ['<Files>: somebody', at('/open/private.txt', $red), $in],
    ['<Files>: path info', at('/open/private.txt/x'), $out],
    ['<Files>: another spelling', at('/open/privat.txt'), { status => qr/^(30[01]|404)$/, absent => ['the private one'] }],
    ['<Files>: MultiViews', at('/open/private'), { status => qr/^(401|200)$/, absent => ['the private one'] }],
    ['<Files>: a listing', at('/open/list/'), { status => 200, body => qr/open\.txt/, absent => ['private.txt'] }],
    ['<FilesMatch>: nobody', at('/open/a.mine'), $out],
    ['<FilesMatch>: without scope', at('/open/a.mine', $poor), $no],
    ['<FilesMatch>: with scope', at('/open/a.mine', $red), $in],
    ['<LocationMatch>: nobody', at('/match/me/file.txt'), $out],
    ['<LocationMatch>: without scope', at('/match/me/file.txt', $poor), $no],
    ['<LocationMatch>: with scope', at('/match/me/file.txt', $red), $in],
    ['<LocationMatch>: // is merged', at('//match//me/file.txt'), $out],
    ['AuthMerging And: one', at('/merge/and/file.txt', $poor), $no],
    ['AuthMerging And: both', at('/merge/and/file.txt', $red), $in],
    ['AuthMerging Or: the one', at('/merge/or/file.txt', $poor), $in],
    ['AuthMerging Or: the other', at('/merge/or/file.txt', $blue), $in],
    ['AuthMerging Or: none', at('/merge/or/file.txt'), $out],
    ['AuthType of an expression: nobody', at('/expr/file.txt'), $out],
    ['AuthType of an expression: somebody', at('/expr/file.txt', $red), $in],
    # ---- handlers that redirect inside ----
    ['Action: nobody', at('/action/x'), $out],
    ['Action: somebody', at('/action/x', $red), { status => 200, body => qr/^REDIRECT_RR_SUB=rose$/m }],
    ['MultiViews: nobody', at('/views/page'), $out],
    ['MultiViews: somebody', at('/views/page', $red), { status => 200, body => qr/english|deutsch/ }],
    ['ErrorDocument that is itself', at('/loop'), { status => 401, headers => { 'WWW-Authenticate' => ['Red realm="api"', 'Blue realm="api"'] }, absent => ['Authenticated'] }],
    ['ErrorDocument that is itself, below', at('/loop/x', { 'X-Red' => 'invalid' }), { status => 401, absent => ['Authenticated'] }],
    ['ErrorDocument that is itself, somebody', at('/loop', $red), { status => 200, json => { sub => 'rose' } }],
    # ---- what is the backend's ----
    ["a backend's own 401", at('/up/own401', $red), { status => 401, headers => { 'WWW-Authenticate' => ['Basic realm="backend"'], 'X-Own' => 'yes' }, body => 'of the backend' }],
    ["a backend's own 403", at('/up/own403', $red), { status => 403, body => 'of the backend', headers => { 'Content-Type' => 'text/plain' } }],
    # ---- a header of ours, where another section of the estate sets it by itself ----
    ["the operator's own header", at('/estate/up/x', { 'X-User-Id' => 'mallory', 'X_User_Id' => 'mallory' }),
     { status => 200, json => { 'headers.X-User-Id' => 'of the operator' }, absent => ['mallory'] }],
    # ---- ranges and conditions ----
    ['Range', at('/stay/files/file.txt', { %$red, Range => 'bytes=0-3' }), { status => 206, body => 'file', headers => { 'Cache-Control' => 'private' } }],
    ['If-Modified-Since', at('/stay/files/file.txt', { %$red, 'If-Modified-Since' => 'Fri, 01 Jan 2100 00:00:00 GMT' }), { status => qr/^(304|200)$/, headers => { 'Cache-Control' => 'private' } }],
    ['If-None-Match *', at('/stay/files/file.txt', { %$red, 'If-None-Match' => '*' }), { status => 304, headers => { 'Cache-Control' => 'private' } }],
    ['If-None-Match *, nobody', at('/stay/files/file.txt', { 'If-None-Match' => '*' }), $out],
    ['If-Match, nobody', at('/stay/files/file.txt', { 'If-Match' => '"x"' }), $out],
    ['folded header lines', { raw => "GET /up/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Red: $red->{'X-Red'}\r\nX-User-Id:\r\n mallory\r\nA: b\r\n X-User-Id: mallory2\r\n\r\n" },
     { status => qr/^(200|400)$/, absent => ['"mallory'] }],
    ['a blank before the colon', { raw => "GET /up/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Red: $red->{'X-Red'}\r\nX-User-Id : mallory\r\n\r\n" },
     { status => 400 }],
);

# ---- trailers ----
for my $server (['kept apart', $httpd], ['merged', $merging]) {
    my ($how, $one) = @$server;
    my $post = sub { { raw => "POST $_[0] HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Red: $red->{'X-Red'}\r\nTransfer-Encoding: chunked\r\nTrailer: X-User-Id\r\n\r\n"
                            . "3\r\nabc\r\n0\r\nX-User-Id: mallory\r\nx_user.id: mallory\r\n\r\n" } };
    check("trailers $how: nobody's", $one->request(%{ $post->('/estate/up/x') }), { status => 200, absent => ['mallory'] }) if $one == $httpd;
    check("trailers $how: a CGI program", $one->request(%{ $post->('/action/x') }), { status => 200, absent => ['mallory'] }) if $one == $httpd;
    check("trailers $how: open", $one->request(%{ $post->('/open/x') }), { status => qr/^(200|404)$/, absent => ['mallory'] });
    check("trailers $how: a backend", $one->request(%{ $post->('/up/x') }), { status => 200, json => { 'headers.X-User-Id' => 'rose' }, absent => ['mallory'] });
}

# ---- a refusal does not break the connection, whatever body is left ----
my $client = $httpd->connect;
my $big = 'x' x 200_000;
check('401 with a body', $client->exchange(method => 'POST', path => '/up/x', body => $big, keep => 1), { status => 401 });
check('and the next request on the same connection', $client->exchange(path => '/up/x', headers => $red, keep => 1), { status => 200, json => { 'headers.X-User-Id' => 'rose' } });
check('HEAD, refused', $client->exchange(method => 'HEAD', path => '/up/x', keep => 1), { status => 401, headers => { 'Content-Type' => 'application/problem+json', 'Content-Length' => qr/^\d+$/ }, body => '' });
check('and the next', $client->exchange(path => '/up/x', headers => $red, keep => 1), { status => 200 });
$client->send("GET /up/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /up/2 HTTP/1.1\r\nHost: x\r\nX-Red: $red->{'X-Red'}\r\n\r\nGET /up/3 HTTP/1.1\r\nHost: x\r\n\r\n");
check('pipelined, the first', $client->response, { status => 401 });
check('pipelined, the second', $client->response, { status => 200, json => { target => '/2' } });
check('pipelined, the third', $client->response, { status => 401 });
$client->send("POST /up/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
my $refused = $client->response;
check('Expect: 100-continue, refused', $refused, { status => 401 });
ok(!$refused->{interim}, 'without 100');

allow_log('AH01630', 'AH01631', 'AH01276', 'AH01114', 'AH00690');
finish();
