# SPDX-License-Identifier: Apache-2.0
#
# The audit log: one bounded JSON line for each client request that AuthType RR ruled, and never a secret.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Token;

my $store = store();
my $robot = $store->key('robot', '--metadata', json_text({ userId => 'u-1', note => canary('metadata') }));
my $signing = RR::Token->key('ES256', kid => 'one');
my $jwks = place_for('keys') . '/jwks.json';
spew($jwks, json_text({ keys => [$signing->jwk] }));

my $routes = <<'CONF';
RRJwtIssuer idp https://id.example/ audience=any jwks=file:@JWKS@
Header always set X-Marked yes
<Location "/me">
    AuthType RR
    Require valid-user
    RRKeyHeader X-API-Key
    RRKeyQuery api_key
    SetHandler rr-me
</Location>
<Location "/scope">
    AuthType RR
    Require rr-scope admin
    SetHandler rr-me
</Location>
<Location "/stub">
    AuthType RR
    RRAuthProvider red blue
    Require valid-user
    SetHandler rr-me
</Location>
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    Require all granted
</Location>
<Location "/error">
    AuthType RR
    Require valid-user
    ErrorDocument 401 /open.txt
    ErrorDocument 404 /open.txt
</Location>
<Directory "@ROOT@/htdocs">
    Options +Includes
</Directory>
<Directory "@ROOT@/htdocs/jump">
    RewriteEngine On
    RewriteRule ^me$ /me
</Directory>
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
CONF
my $program = place_for('program') . '/keep';
spew($program, "#!/bin/sh\nexec cat >> \"\$1\"\n", 0755);

my $httpd = httpd(modules => [qw(core keyauth jwt)], extra => ['include'], ports => 2, vars => { JWKS => $jwks, PROGRAM => $program },
                  conf => $store->conf . load_stub() . $routes . <<'CONF');
RRAuditLog logs/audit.log
<VirtualHost *:@PORT2@>
    RRAuditLog "|@PROGRAM@ @ROOT@/logs/piped.log"
</VirtualHost>
CONF
$httpd->file('htdocs/open.txt', "open\n");
$httpd->file('htdocs/optional/file.txt', "file\n");
$httpd->file("htdocs/$_/x", '') for qw(jump error);
$httpd->file('htdocs/include.shtml', '<!--#include virtual="/me" --><!--#include virtual="/stub" -->');
$httpd->file('htdocs/optional/include.shtml', '<!--#include virtual="/optional/file.txt" -->');

# The lines of a log, once there are as many as asked for.
sub lines
{
    my ($file, $count) = @_;
    my $text = '';
    wait_for(sub { $text = eval { slurp($httpd->dir . "/logs/$file") } || ''; $count <= ($text =~ tr/\n//) }, 10);
    return split(/\n/, $text);
}

my $seen = 0;
# One request gives exactly one line, with these members; undef: without. Other requests wrote theirs before.
sub audited
{
    my ($what, $request, $status, $expect) = @_;
    my $res = $httpd->request(%$request);
    is($res->status, $status, "$what: status");
    my @lines = lines('audit.log', ++$seen);
    is(scalar @lines, $seen, "$what: one line") or $seen = @lines;
    my $line = $lines[-1];
    my $data = json_data($line);
    ok($data, "$what: JSON") or diag($line), return;
    cmp_ok(length $line, '<', 4096, "$what: bounded");
    my @wrong = RR::Test::json_wrong(bless({ body => $line }, 'RR::Client::Response'), { status => $status, %$expect });
    ok(!@wrong, "$what: members") or diag(join("\n", @wrong, $line));
    return $data;
}

my $key = $robot->{key};
my $jwt = secret($signing->token({ iss => 'https://id.example/', sub => 'jane', note => canary('claim') }), 'token');
my $query = canary('query');
my %known = (sub => 'u-1', credentialId => $robot->{credentialId}, credential => 'default/robot', keyHint => qr/^rr_live_/, issuer => undef);

my $line = audited('a key', { path => "/me?x=$query&api_key=$key", headers => { Referer => "http://x/?$query" } }, 200,
    { %known, method => 'GET', path => '/me', route => '/me', client => '127.0.0.1', time => qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, id => qr/\S/,
      'auth.key' => qr/^verified/, 'auth.jwt' => qr/^absent/ });
my $second = audited('the same again', { path => '/me', headers => { 'X-API-Key' => $key } }, 200, { %known });
isnt($second->{id}, $line->{id}, 'each request has its id');
{
    my $client = $httpd->connect;
    my $twenty = 20;
    $client->send("GET /me HTTP/1.1\r\nHost: x\r\nX-API-Key: $key\r\n\r\n" x $twenty);
    is(scalar(grep { $_->status == 200 } map { $client->response } 1 .. $twenty), $twenty, 'twenty requests at once');
    $client->close;
    my %ids = map { (json_data($_)->{id} => 1) } (lines('audit.log', $seen += $twenty))[-$twenty .. -1];
    is(scalar keys %ids, $twenty, 'have twenty ids');
}
audited('a token', { path => '/me', headers => { Authorization => "Bearer $jwt" } }, 200,
    { sub => 'jane', issuer => 'https://id.example/', credentialId => undef, keyHint => undef, 'auth.jwt' => qr/^verified/ });
audited('both', { path => '/me', headers => { 'X-API-Key' => $key, Authorization => "Bearer $jwt" } }, 200,
    { %known, issuer => 'https://id.example/', 'auth.key' => qr/^verified/, 'auth.jwt' => qr/^verified/ });
audited('nobody', { path => '/me' }, 401, { sub => undef, credentialId => undef, 'auth.key' => 'absent', 'auth.jwt' => 'absent' });
audited('an unknown key', { path => '/me', headers => { 'X-API-Key' => canary('key') } }, 401, { sub => undef, 'auth.key' => qr/^invalid:\w+/ });
audited('a broken key', { path => '/me', headers => { 'X-API-Key' => 'rr_live_' . 'x' x 38 } }, 401, { 'auth.key' => qr/^invalid:\w+/ });
audited('a wrong token', { path => '/me', headers => { Authorization => 'Bearer ' . secret($signing->token({ iss => 'https://x.example/', sub => 'jane' }), 'wrong token') } },
    401, { sub => undef, 'auth.jwt' => qr/^invalid:\w+/ });
audited('lacking a scope', { path => '/scope/x', headers => { 'X-API-Key' => $key } }, 403, { %known, path => '/scope/x', route => '/scope' });
audited('unavailable', { path => '/stub', headers => { 'X-Red' => 'unavailable' } }, 503, { sub => undef, 'auth.red' => qr/^unavailable/ });
audited('anonymous', { path => '/optional/file.txt' }, 200, { sub => undef, path => '/optional/file.txt' });
audited('not found', { path => '/optional/nothing' }, 404, { path => '/optional/nothing' });
audited('HEAD', { path => '/me', method => 'HEAD', headers => { 'X-API-Key' => $key } }, 200, { %known, method => 'HEAD' });
audited('a method of one\'s own', { path => '/me', method => 'BREW', headers => { 'X-API-Key' => $key } }, 405, { %known, method => 'BREW' });
audited('HTTP/2', { path => '/me', http2 => 1, headers => { 'X-API-Key' => $key } }, 200, { %known });
audited('absolute-form', { path => "http://127.0.0.1/me?$query", headers => { 'X-API-Key' => $key } }, 200, { %known, path => '/me' });

# ---- one client request, several of httpd's: the first one's line, the last one's outcome ----
audited('an internal redirect', { path => "/jump/me?$query", headers => { 'X-API-Key' => $key } }, 200, { %known, path => '/jump/me', route => '/me' });
audited('an internal redirect, nobody', { path => '/jump/me' }, 401, { sub => undef, path => '/jump/me' });
audited('an ErrorDocument', { path => '/error/x' }, 401, { sub => undef, path => '/error/x', route => '/error' });
audited('an ErrorDocument, somebody', { path => '/error/nothing', headers => { 'X-API-Key' => $key } }, 404, { %known, path => '/error/nothing' });
audited('a page with a part of its own section', { path => '/optional/include.shtml', headers => { 'X-API-Key' => $key } }, 200, { %known, path => '/optional/include.shtml' });

# ---- what is not ruled by us has no line ----
my $before = $seen;
for my $open ('/open.txt', '/nothing') {
    $httpd->request(path => $open, headers => { 'X-API-Key' => $key });
}
audited('after open pages', { path => '/me', headers => { 'X-API-Key' => $key } }, 200, { path => '/me' });
is($seen, $before + 1, 'open pages have no line');

# ---- bounded, whatever comes ----
my %huge = (subject => "s" x 4000, controls => "\x01" x 1000, quotes => '"\\' x 1500, utf8 => "\x{e9}" x 1500, bad => "a\r\nb\n\x{2028}{\"sub\":\"x\"}");
for my $name (sort keys %huge) {
    audited("huge: $name", { path => '/stub/' . ($name eq 'bad' ? '%0a%22}%0d' : ('p' x 200 . '/') x 17), headers => { 'X-Red' => who($huge{$name}, credential => 'c' x 600), 'X-Blue' => who($huge{$name} . '2', issuer => 'i' x 600) } },
            200, { sub => qr/./s, path => qr{^/stub/}, 'auth.red' => qr/^verified/, 'auth.blue' => qr/^verified/ });
}
audited('a path of escapes', { path => '/stub/' . '%22%01%e9' x 700, headers => { 'X-Red' => who('rose') } }, 200, { sub => 'rose', path => qr/^\/stub\/%22/ });
audited('bytes that are no UTF-8', { path => "/stub/\xff\xfe", headers => { 'X-Red' => who('rose') } }, 200, { sub => 'rose' });
audited('a long method', { path => '/stub', method => 'M' x 200, headers => { 'X-Red' => who('rose') } }, 405, { method => qr/^M+$/ });

# ---- the piped program; a virtual host of its own ----
$httpd->request(path => '/me', on => 2, headers => { 'X-API-Key' => $key }) for 1 .. 3;
my @piped = lines('piped.log', 3);
is(scalar @piped, 3, 'the program has three lines');
is_deeply([map { (json_data($_) || {})->{sub} } @piped], ['u-1', 'u-1', 'u-1'], 'each JSON');
is(scalar(() = lines('audit.log', $seen)), $seen, 'and the file none of them');

# ---- lines of several children and threads do not mix ----
my @pids = map { my $pid = fork(); if (!$pid) { for (1 .. 25) { RR::Client->new(port => $httpd->port)->exchange(path => '/stub/' . 'q' x 2000, headers => { 'X-Red' => who('s' x 300) }) } POSIX::_exit(0) } $pid } 1 .. 4;
waitpid($_, 0) for @pids;
my @all = lines('audit.log', $seen + 100);
is(scalar @all, $seen + 100, 'a hundred more lines');
is(scalar(grep { !json_data($_) } @all), 0, 'every one JSON');

# ---- a graceful restart goes on in the same file ----
$seen = @all;
$httpd->graceful;
audited('after a graceful restart', { path => '/me', headers => { 'X-API-Key' => $key } }, 200, { %known });
my @stat = stat($httpd->dir . '/logs/audit.log');
is($stat[2] & 07, 0, 'others may not read it');

allow_log('AH01630', 'AH01631', qr/AH0(0127|0128|0488)/);
finish();
