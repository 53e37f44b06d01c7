# SPDX-License-Identifier: Apache-2.0
#
# Headers that say who asked are ours: no spelling of a client's own reaches a handler, on no path, whoever asks.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $rose = who('rose', data => { tier => 'gold' });

my $httpd = httpd(modules => ['core'], ports => 2, extra => [qw(access_compat include cgid)], vars => { UP => $upstream->url },
                  conf => load_stub() . <<'CONF');
ScriptSock "@ROOT@/run/cgid.sock"
ScriptAlias /cgi/ "@ROOT@/htdocs/cgi/"
ScriptAlias /in/cgi/ "@ROOT@/htdocs/cgi/"
ScriptAlias /optional/cgi/ "@ROOT@/htdocs/cgi/"
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory "@ROOT@/htdocs">
    Options +Includes
</Directory>
# Only here are the headers configured; they are removed everywhere.
<Location "/in">
    AuthType RR
    Require rr-red
    RRIdentityHeader X-User-Id
    RRClaimHeader X_Tier tier
    RRClaimHeader Remote.Groups groups
</Location>
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    Require all granted
    RRIdentityHeader X-User-Id
</Location>
<Location "/preflight">
    AuthType RR
    RRPreflight pass
    Require rr-red
    RRIdentityHeader X-User-Id
</Location>
<Location "/any">
    AuthType RR
    RRAuthMode permissive
    Require all granted
    Satisfy Any
    RRIdentityHeader X-User-Id
</Location>
# An estate's own: no AuthType, another AuthType.
<Location "/basic">
    AuthType Basic
    AuthName estate
    AuthUserFile "@ROOT@/users"
    Require valid-user
</Location>
ProxyPass /in/up @UP@
ProxyPass /optional/up @UP@
ProxyPass /preflight/up @UP@
ProxyPass /any/up @UP@
ProxyPass /basic/up @UP@
ProxyPass /up @UP@
RewriteEngine On
RewriteRule ^/rewritten/(.*)$ @UP@/$1 [P]
RewriteRule ^/turned$ /up/turned [PT]
<Directory "@ROOT@/htdocs/jump">
    RewriteEngine On
    RewriteRule ^in$ /in/cgi/env.cgi
    RewriteRule ^open$ /cgi/env.cgi
</Directory>
<Directory "@ROOT@/htdocs/in">
    RewriteEngine On
    RewriteRule ^leave$ /cgi/env.cgi
</Directory>
<Location "/error-cgi">
    ErrorDocument 404 /cgi/env.cgi
</Location>
<Location "/error-up">
    ErrorDocument 404 /up/error
</Location>
<Location "/in/error-cgi">
    ErrorDocument 401 /cgi/env.cgi
    ErrorDocument 404 /in/cgi/env.cgi
</Location>
<Location "/in/static.shtml">
    Header set X-Saw "expr=%{req:X-User-Id}"
</Location>
<VirtualHost *:@PORT2@>
    # Nothing of ours is configured here.
    ProxyPass / @UP@/
</VirtualHost>
CONF

$httpd->file('users', 'user:{SHA}' . do { require Digest::SHA; Digest::SHA::sha1_base64('password') } . "=\n");
$httpd->file('htdocs/cgi/env.cgi', "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\n", 0755);
$httpd->file('htdocs/static.txt', "static\n");
$httpd->file("htdocs/$_/x", '') for qw(jump in);
$httpd->file('htdocs/include.shtml', '[<!--#include virtual="/cgi/env.cgi" -->][<!--#echo var="HTTP_X_USER_ID" -->]');
$httpd->file('htdocs/include-in.shtml', '<!--#include virtual="/in/cgi/env.cgi" -->');
$httpd->file('htdocs/in/static.shtml', '[<!--#echo var="HTTP_X_USER_ID" -->][<!--#include virtual="/in/cgi/env.cgi" -->]');
$httpd->file('htdocs/in/open.shtml', '<!--#include virtual="/cgi/env.cgi" -->');

# Every spelling that some backend folds into a header of ours; and names that only look alike.
my @spellings = qw(X-User-Id x-user-id X-USER-ID X_User_Id x_user_id X.User.Id X~User~Id X-User_Id X_User-Id X!User|Id X'User`Id
                   X$User%Id X-User.Id X-Tier x_tier X.TIER X~Tier Remote-Groups REMOTE_GROUPS remote.groups Remote~Groups);
my @alike = qw(X-User-Ident XUserId X--User-Id X-Tiers My-X-User-Id X-User-Id-);
my @claimed = map { [$spellings[$_], "mallory$_"] } 0 .. $#spellings;
my @mallory = (['X-User-Id', 'mallory-first'], @claimed, ['X-User-Id', 'mallory-again'], (map { [$_, 'harmless'] } @alike));
my $user = ['Authorization', 'Basic dXNlcjpwYXNzd29yZA=='];

# ---- each spelling by itself, before an open backend ----
for my $name (@spellings) {
    check("$name is removed", $httpd->request(path => '/up/x', headers => [$name => 'mallory', 'X-Kept' => 'kept']),
          { status => 200, absent => ['mallory', qr/"\Q$name\E"/i], json => { 'headers.X-Kept' => 'kept' } });
    check("$name, repeated, is removed",
          $httpd->request(path => '/up/x', headers => [$name => 'mallory', 'X-Kept' => 'kept', $name => 'mallory', $name => '']),
          { status => 200, absent => ['mallory', qr/"\Q$name\E"/i], json => { 'headers.X-Kept' => 'kept' } });
}
for my $name (@alike) {
    check("$name stays", $httpd->request(path => '/up/x', headers => [$name => 'kept']), { status => 200, json => { "headers" => sub { $_[0]{$name} eq 'kept' } } });
}

# ---- all at once, on every path on which nobody is known; the control is that a harmless header arrives ----
my %preflight = (Origin => 'https://app.example', 'Access-Control-Request-Method' => 'PUT');
my $harmless = qr/harmless/;
my @paths = (
    ['open, proxied', { path => '/up/x' }],
    ['open, CGI', { path => '/cgi/env.cgi' }],
    ['open, RewriteRule [P]', { path => '/rewritten/x' }],
    ['open, RewriteRule [PT]', { path => '/turned' }],
    ['a virtual host without us', { path => '/x', on => 2 }],
    ['anonymous, proxied', { path => '/optional/up/x' }],
    ['anonymous, CGI', { path => '/optional/cgi/env.cgi' }],
    ['a wrong one as anonymous, Satisfy Any', { path => '/any/up/x' }, ['X-Red', 'invalid']],
    ['another AuthType', { path => '/basic/up/x' }, $user],
    ['a preflight', { path => '/preflight/up/x', method => 'OPTIONS' }, map { [$_, $preflight{$_}] } sort keys %preflight],
    ['OPTIONS', { path => '/up/x', method => 'OPTIONS' }],
    ['OPTIONS, anonymous', { path => '/optional/up/x', method => 'OPTIONS' }],
    ['TRACE', { path => '/static.txt', method => 'TRACE' }],
    ['TRACE, proxied', { path => '/up/x', method => 'TRACE' }],
    ['a subrequest', { path => '/include.shtml' }],
    ['an internal redirect', { path => '/jump/open' }],
    ['an ErrorDocument by CGI', { path => '/error-cgi/x' }, 404],
    ['an ErrorDocument by a backend', { path => '/error-up/x' }], # whose status mod_proxy passes on
    ['the ErrorDocument of a refusal', { path => '/in/error-cgi/x' }, 401],
    ['HTTP/1.0', { path => '/up/x', version => '1.0' }],
    ['a POST', { path => '/up/x', body => 'x' }],
);
for my $case (@paths) {
    my ($what, $request, @more) = @$case;
    my ($status) = grep { !ref } @more;
    check("mallory: $what", $httpd->request(%$request, headers => [@mallory, grep { ref } @more]),
          { status => $status || 200, body => $harmless, absent => ['mallory'] });
}
check('mallory: HTTP/2', $httpd->request(path => '/up/x', http2 => 1, headers => \@mallory), { status => 200, body => $harmless, absent => ['mallory'] });

# ---- the same where rose is known: hers, once ----
my @rose = (@mallory, ['X-Red', $rose]);
my $once = sub { 1 == grep { $_->[0] =~ /^x.user.id$/i } @{ $_[0] } };
my $hers = { status => 200, absent => ['mallory'], json => { 'headers' => sub { $_[0]{'X-User-Id'} eq 'rose' && $_[0]{X_Tier} eq 'gold' },
                                                            headerList => $once } };
my $env = { status => 200, absent => ['mallory'], body => qr/^HTTP_X_USER_ID=rose$/m };
my $none = { status => 200, absent => ['mallory', 'HTTP_X_USER_ID='], body => qr/^HTTP_X_TIERS=harmless$/m };
for my $case (
    ['proxied', { path => '/in/up/x' }, $hers],
    ['proxied, HTTP/2', { path => '/in/up/x', http2 => 1 }, $hers],
    ['proxied, POST', { path => '/in/up/x', body => 'x' }, $hers],
    ['proxied, OPTIONS', { path => '/in/up/x', method => 'OPTIONS' }, $hers],
    ['proxied, HEAD', { path => '/in/up/x', method => 'HEAD' }, { status => 200 }],
    ['CGI', { path => '/in/cgi/env.cgi' }, $env],
    ['an internal redirect', { path => '/jump/in' }, $env],
    ['a subrequest', { path => '/include-in.shtml' }, $env],
    ['a page with a subrequest', { path => '/in/static.shtml' },
     { %$env, body => qr/^\[rose\]\[.*^HTTP_X_USER_ID=rose$/ms, headers => { 'X-Saw' => 'rose' } }],
    ['an ErrorDocument', { path => '/in/error-cgi/x' }, { %$env, status => 404 }],
    # mod_include hands its own environment on, hers included
    ['a subrequest to an open CGI', { path => '/in/open.shtml' }, $env],
    ['an internal redirect to an open CGI', { path => '/in/leave' }, $none],
) {
    my ($what, $request, $expect) = @$case;
    check("rose: $what", $httpd->request(%$request, headers => \@rose), $expect);
}
is_deeply([map { $_->[1] } grep { lc $_->[0] eq 'x-user-id' } @{ (grep { $_->{method} eq 'HEAD' } $upstream->requests('/x'))[0]{headers} }],
          ['rose'], 'rose: proxied, HEAD: hers, once');

# ---- Connection names what mod_proxy deletes; ours stay ----
for my $connection ('X-User-Id', 'x-user-id, X_Tier', 'close, X-User-Id', 'X-User-Id, X-User-Id, x_tier, Remote.Groups', 'X-User-Id, X-Named') {
    check("Connection: $connection", $httpd->request(path => '/in/up/x', headers => [@rose, ['Connection', $connection], ['X-Named', 'named']]),
          { %$hers, ($connection =~ /Named/ ? (absent => ['mallory', '"named"']) : (body => qr/"named"/)) });
}
check('Connection, anonymous', $httpd->request(path => '/optional/up/x', headers => [@mallory, ['Connection', 'X-User-Id']]),
      { status => 200, absent => ['mallory'], body => $harmless });

allow_log('AH01630');
finish();
