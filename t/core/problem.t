# SPDX-License-Identifier: Apache-2.0
#
# What a refused client is told: challenges, a problem body, or the operator's own words; and what other
# Locations of the estate keep.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $httpd = httpd(modules => ['core'], extra => [qw(access_compat)], vars => { UP => $upstream->url }, conf => load_stub() . <<'CONF');
<Location "/in">
    AuthType RR
    AuthName shop
    Require rr-red
    SetHandler rr-me
</Location>
<Location "/in/scope">
    Require rr-scope admin
</Location>
<Location "/in/file">
    SetHandler none
</Location>
ProxyPass /in/up @UP@/up
<Location "/in/up">
    SetHandler none
</Location>
<Location "/text">
    AuthType RR
    Require rr-red
    SetHandler rr-me
    ErrorDocument 401 "please <b>sign in</b>"
    ErrorDocument 403 default
</Location>
<Location "/url">
    AuthType RR
    Require rr-scope admin
    SetHandler rr-me
    ErrorDocument 403 https://help.example/forbidden
</Location>
<Location "/page">
    AuthType RR
    Require rr-scope admin
    SetHandler rr-me
    ErrorDocument 401 /pages/401.html
    ErrorDocument 403 /pages/403.html
    ErrorDocument 503 /pages/503.html
</Location>
<Location "/page-gone">
    AuthType RR
    Require rr-red
    SetHandler rr-me
    ErrorDocument 401 /pages/nothing.html
</Location>
<Location "/basic">
    AuthType Basic
    AuthName estate
    AuthUserFile "@ROOT@/users"
    Require valid-user
</Location>
<Location "/denied">
    Require all denied
</Location>
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    Require all granted
</Location>
CONF
$httpd->file('users', 'user:{SHA}' . do { require Digest::SHA; Digest::SHA::sha1_base64('password') } . "=\n");
$httpd->file("htdocs/pages/$_.html", "<p>page $_</p>\n") for qw(401 403 503);
$httpd->file("htdocs/$_/file.txt", "file\n") for qw(in/file basic denied optional);
$httpd->file('htdocs/open.txt', "open\n");

my $red = { 'X-Red' => who('rose', scopes => 'read') };
my $blue = { 'X-Blue' => who('bert') };
my $wrong = { 'X-Red' => 'invalid The token has expired.' };
my $problem = { 'Content-Type' => 'application/problem+json', 'Cache-Control' => qr/\bprivate\b/ };
my @both = ('Red realm="shop"', 'Blue realm="shop"');
my $described = ', error="invalid_token", error_description="The token has expired."';
my $scoped = ', error="insufficient_scope", scope="admin"';

# ---- one outcome, every form of it ----
my %refusals = (
    'nobody' => ['/in/me', {}, 401, 'Unauthorized', { 'WWW-Authenticate' => [@both], 'Retry-After' => undef }],
    'a wrong one' => ['/in/me', $wrong, 401, 'Unauthorized', { 'WWW-Authenticate' => [map { $_ . $described } @both] }, 'The token has expired.'],
    'lacking a scope' => ['/in/scope/me', $red, 403, 'Forbidden', { 'WWW-Authenticate' => [map { $_ . $scoped } @both] }],
    'lacking a method' => ['/in/me', $blue, 401, 'Unauthorized', { 'WWW-Authenticate' => ['Red realm="shop"'] }],
    'waiting' => ['/in/me', { 'X-Red' => 'unavailable' }, 503, 'Service Unavailable', { 'Retry-After' => qr/^\d+$/, 'WWW-Authenticate' => undef }],
    'a file' => ['/in/file/file.txt', {}, 401, 'Unauthorized', { 'WWW-Authenticate' => [@both] }],
    'a backend' => ['/in/up', {}, 401, 'Unauthorized', { 'WWW-Authenticate' => [@both] }],
);
my @cases;
for my $what (sort keys %refusals) {
    my ($path, $headers, $status, $title, $more, $detail) = @{ $refusals{$what} };
    my %members = ('' => sub { !grep { !/^(type|title|status|detail|instance)$/ } keys %{ $_[0] } }, type => 'about:blank',
                   title => $title, status => $status, defined $detail ? (detail => $detail) : ());
    my %request = (path => $path, headers => $headers);
    push(@cases,
        ["$what", \%request, { status => $status, headers => { %$problem, %$more, 'Content-Length' => qr/^\d+$/ }, json => \%members }],
        ["$what: POST", { %request, body => 'x' x 100 }, { status => $status, headers => { %$problem, %$more }, json => \%members }],
        ["$what: PUT, chunked", { %request, method => 'PUT', body => ['x' x 100, 'y'] }, { status => $status, headers => { %$problem, %$more }, json => \%members }],
        ["$what: HTTP/1.0", { %request, version => '1.0' }, { status => $status, headers => { %$problem, %$more }, json => \%members }],
        ["$what: HTTP/2", { %request, http2 => 1 }, { status => $status, headers => { %$problem, %$more }, json => \%members }],
        ["$what: HEAD", { %request, method => 'HEAD' }, { status => $status, headers => { %$problem, %$more }, body => '' }],
        ["$what: a browser", { %request, headers => { %$headers, Accept => 'text/html' } }, { status => $status, headers => { %$problem, %$more } }],
    );
}
cases($httpd, @cases);

# ---- a connection survives a refusal, with body and with HEAD ----
my $connection = $httpd->connect;
for my $case (['HEAD', {}], ['GET', {}], ['POST', {}], ['HEAD', $wrong], ['GET', $wrong], ['HEAD', $red], ['GET', $red]) {
    my ($method, $headers) = @$case;
    my $res = $connection->exchange(method => $method, path => '/in/me', headers => $headers, keep => 1, $method eq 'POST' ? (body => 'abc') : ());
    is($res->status, $headers == $red ? 200 : 401, "one connection: $method, " . join(' ', values %$headers));
}

# ---- nothing of it where it does not belong ----
cases($httpd,
    ['admitted', { path => '/in/me', headers => $red },
     { status => 200, headers => { 'WWW-Authenticate' => undef, 'Retry-After' => undef, 'Content-Type' => 'application/json' } }],
    ['a redirect of httpd itself', { path => '/in', headers => $red },
     { status => 301, headers => { 'WWW-Authenticate' => undef, 'Cache-Control' => qr/private/ } }],
    ['admitted beside an unavailable one', { path => '/in/me', headers => { %$red, 'X-Blue' => 'unavailable' } },
     { status => 200, headers => { 'WWW-Authenticate' => undef, 'Retry-After' => undef } }],
    ['anonymous', { path => '/optional/file.txt' }, { status => 200, headers => { 'WWW-Authenticate' => undef } }],
    ['admitted, and there is no such page', { path => '/in/file/nothing', headers => $red },
     { status => 404, headers => { %$problem, 'WWW-Authenticate' => undef }, json => { status => 404 } }],
    ['a method rr-me has not', { path => '/in/me', method => 'DELETE', headers => $red },
     { status => 405, headers => { 'WWW-Authenticate' => undef, Allow => qr/\bGET\b/ }, json => { status => 405 } }],
    ['no AuthName', { path => '/page-gone' }, { status => 401, headers => { 'WWW-Authenticate' => [qr/^Red realm="[^"]+"$/, qr/^Blue realm="[^"]+"$/] } }],
    ['Basic: refused', { path => '/basic/file.txt' },
     { status => 401, headers => { 'WWW-Authenticate' => ['Basic realm="estate"'], 'Content-Type' => qr{^text/html}, 'Cache-Control' => undef },
       body => qr/<h1>Unauthorized/i }],
    ['Basic: admitted', { path => '/basic/file.txt', headers => { Authorization => 'Basic dXNlcjpwYXNzd29yZA==' } },
     { status => 200, body => "file\n", headers => { 'Cache-Control' => undef } }],
    ['Basic: our headers mean nothing', { path => '/basic/file.txt', headers => $red }, { status => 401 }],
    ['no AuthType: denied', { path => '/denied/file.txt' },
     { status => 403, headers => { 'WWW-Authenticate' => undef, 'Content-Type' => qr{^text/html}, 'Cache-Control' => undef } }],
    ['no AuthType: open', { path => '/open.txt' }, { status => 200, body => "open\n", headers => { 'Cache-Control' => undef } }],
    ['no AuthType: not found', { path => '/nothing' }, { status => 404, headers => { 'Content-Type' => qr{^text/html} } }],
);

# ---- a backend's own errors are its own ----
$upstream->behave('/up/own', status => 404, body => '{"mine":1}', type => 'application/json');
$upstream->behave('/up/basic', status => 401, body => 'backend', type => 'text/plain', headers => [['WWW-Authenticate', 'Backend realm="b"']]);
cases($httpd,
    ['a backend says 404', { path => '/in/up/own', headers => $red }, { status => 404, body => '{"mine":1}' }],
    ['a backend says 401', { path => '/in/up/basic', headers => $red },
     { status => 401, body => 'backend', headers => { 'WWW-Authenticate' => ['Backend realm="b"'], 'Cache-Control' => qr/private/ } }],
);

# ---- the operator's ErrorDocument wins; status, challenge and privacy stay ----
my @red = (['WWW-Authenticate' => [qr/^Red /, qr/^Blue /]], ['Cache-Control' => qr/private/]);
my %kept = map { @$_ } @red;
cases($httpd,
    ['text', { path => '/text' }, { status => 401, body => 'please <b>sign in</b>', headers => { %kept, 'Content-Type' => qr{^text/html} } }],
    ['text, HEAD', { path => '/text', method => 'HEAD' }, { status => 401, body => '', headers => \%kept }],
    ['a URL', { path => '/url', headers => $red }, { status => 302, headers => { Location => 'https://help.example/forbidden', 'Cache-Control' => qr/private/ } }],
    ['a URL for another status', { path => '/url' }, { status => 401, headers => { %kept, Location => undef }, json => { status => 401 } }],
    ['a page, 401', { path => '/page' }, { status => 401, body => "<p>page 401</p>\n", headers => \%kept }],
    ['a page, 401, a wrong one', { path => '/page', headers => $wrong },
     { status => 401, body => "<p>page 401</p>\n", headers => { 'WWW-Authenticate' => qr/invalid_token/ } }],
    ['a page, 403', { path => '/page', headers => $red }, { status => 403, body => "<p>page 403</p>\n", headers => { 'WWW-Authenticate' => qr/insufficient_scope/ } }],
    ['a page, 503', { path => '/page', headers => { 'X-Red' => 'unavailable' } },
     { status => 503, body => "<p>page 503</p>\n", headers => { 'Retry-After' => qr/^\d+$/ } }],
    ['a page, HTTP/2', { path => '/page', http2 => 1 }, { status => 401, body => "<p>page 401</p>\n" }],
    ['a page that is not there', { path => '/page-gone' }, { status => 401, headers => \%kept, json => { status => 401 } }],
);

allow_log('AH01630', 'AH01631', qr/AH01617|AH01618/);
finish();
