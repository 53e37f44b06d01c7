# SPDX-License-Identifier: Apache-2.0
#
# Every way that leads to a protected route other than by its front door: internal and fast redirects,
# ErrorDocument, subrequests, Satisfy Any, .htaccess, odd methods and request forms.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $rose = { 'X-Red' => who('rose', scopes => 'read') };
my $wrong = { 'X-Red' => 'invalid' };
my $secret = 'the protected page';

my $httpd = httpd(modules => ['core'], extra => [qw(access_compat include cgid negotiation)],
                  vars => { UP => $upstream->url }, conf => load_stub() . <<'CONF');
ScriptSock "@ROOT@/run/cgid.sock"
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
Header always set X-Who "%{RR_SUB}e"
Header always set X-Method "%{RR_METHOD}e"

# One section that protects everything below it.
<Location "/in">
    AuthType RR
    Require rr-red
</Location>
<Location "/in/me">
    SetHandler rr-me
</Location>
<Directory "@ROOT@/htdocs">
    AllowOverride All
    Options +Includes +FollowSymLinks +MultiViews +ExecCGI
    AddHandler cgi-script .cgi
</Directory>

# Ways in from outside.
RewriteEngine On
RewriteRule ^/rewritten$ /in/page.txt [PT]
RewriteRule ^/rewritten-me$ /in/me [PT]
<Directory "@ROOT@/htdocs/by-file">
    AuthType RR
    Require rr-red
</Directory>
<Directory "@ROOT@/htdocs/out">
    RewriteEngine On
    RewriteRule ^jump$ /in/page.txt
    RewriteRule ^jump-me$ /in/me
    RewriteRule ^jump-proxied$ /in/proxied/x
    RewriteRule ^again$ /out/jump
</Directory>
<Directory "@ROOT@/htdocs/in">
    RewriteEngine On
    RewriteRule ^inside$ /in/page.txt
    RewriteRule ^inside-me$ /in/me
    RewriteRule ^leave$ /out/open.txt
    RewriteRule ^away$ @UP@/away [P]
</Directory>
DirectoryIndex page.txt
<Location "/to-index">
    DirectoryIndex /in/page.txt
</Location>
<Location "/to-me">
    DirectoryIndex /in/me
</Location>
<Location "/to-proxied">
    DirectoryIndex /in/proxied/x
</Location>
ProxyPass /in/proxied @UP@

# Pages of refusals inside the protected section: one directory each.
<Location "/in/err-page">
    ErrorDocument 401 /in/page.txt
    ErrorDocument 403 /in/page.txt
    ErrorDocument 404 /in/page.txt
</Location>
<Location "/in/err-same">
    ErrorDocument 401 /in/err-same/page.txt
    ErrorDocument 404 /in/err-same/page.txt
</Location>
<Location "/in/err-me">
    ErrorDocument 401 /in/me
    ErrorDocument 404 /in/me
</Location>
<Location "/in/err-self-me">
    ErrorDocument 401 /in/err-self-me/x
    SetHandler rr-me
</Location>
<Location "/in/err-cgi">
    ErrorDocument 401 /in/err-cgi/env.cgi
    ErrorDocument 404 /in/err-cgi/env.cgi
</Location>
<Location "/in/err-proxied">
    ErrorDocument 401 /in/err-proxied/secret
    ErrorDocument 404 /in/err-proxied/secret
    ProxyPass @UP@/behind
</Location>
<Location "/in/err-other-proxied">
    ErrorDocument 401 /in/proxied/secret
    ErrorDocument 404 /in/proxied/secret
</Location>
<Location "/in/err-rewritten">
    ErrorDocument 401 /in/away
</Location>
<Location "/in/err-open">
    ErrorDocument 401 /out/open.txt
    ErrorDocument 404 /out/open.txt
</Location>
ErrorDocument 404 /in/page.txt
ErrorDocument 410 /in/page.txt
<Location "/out/gone">
    Redirect gone
</Location>

<Location "/any">
    AuthType RR
    Require rr-red
    Satisfy Any
    <IfModule access_compat_module>
        Order allow,deny
        Allow from all
    </IfModule>
    SetHandler rr-me
</Location>
<Location "/any-file">
    AuthType RR
    Require rr-red
    Satisfy Any
    Order allow,deny
    Allow from all
</Location>
<Location "/any-index">
    AuthType RR
    Require rr-red
    Satisfy Any
    Order allow,deny
    Allow from all
    DirectoryIndex /in/page.txt
</Location>
CONF

my %files = (
    'in/page.txt' => "$secret\n", 'in/sub/page.txt' => "$secret\n", 'out/open.txt' => "open\n", 'by-file/page.txt' => "$secret\n",
    'any-file/page.txt' => "$secret\n", 'to-index/x' => '', 'to-me/x' => '', 'to-proxied/x' => '', 'in/me' => 'what only a fast redirect looks for', 'any-index/x' => '',
    (map { ("in/$_/page.txt" => "$secret\n") } qw(err-page err-same err-me err-proxied err-open err-other-proxied err-rewritten)),
    'out/include.shtml' => '[<!--#include virtual="/in/page.txt" -->][<!--#include virtual="/in/me" -->]',
    'out/include-proxied.shtml' => '[<!--#include virtual="/in/proxied/x" -->]',
    'in/include.shtml' => '[<!--#include virtual="/in/page.txt" -->][<!--#include virtual="/in/me" -->][<!--#echo var="RR_SUB" -->]',
    'in/include-env.shtml' => '[<!--#include virtual="/in/env.cgi" -->]',
    'in/err-page/include.shtml' => '[<!--#include virtual="/in/page.txt" -->]',
    'in/negotiated.txt' => "$secret\n",
    # what a .htaccess may say, and what it must not achieve
    'in/ht-granted/.htaccess' => "Require all granted\n", 'in/ht-granted/page.txt' => "$secret\n",
    'in/ht-any/.htaccess' => "Satisfy Any\nOrder allow,deny\nAllow from all\n", 'in/ht-any/page.txt' => "$secret\n",
    'in/ht-both/.htaccess' => "Require all granted\nSatisfy Any\nAllow from all\n", 'in/ht-both/page.txt' => "$secret\n",
    'in/ht-type/.htaccess' => "AuthType None\nRequire all granted\n", 'in/ht-type/page.txt' => "$secret\n",
    'in/ht-error/.htaccess' => "ErrorDocument 401 /in/page.txt\n", 'in/ht-error/page.txt' => "$secret\n",
    'in/ht-env/.htaccess' => "RewriteEngine On\nRewriteCond %{ENV:RR_SUB} ^rose\$\nRewriteRule . - [E=SEEN:rose]\n"
                             . "Header always set X-Seen \"%{SEEN}e\"\n",
    'in/ht-env/page.txt' => "$secret\n",
    'in/ht-rr/.htaccess' => "RRAuthMode optional\n", 'in/ht-rr/page.txt' => "$secret\n",
    'by-file/ht/.htaccess' => "Require all granted\n", 'by-file/ht/page.txt' => "$secret\n",
    'by-file/ht-any/.htaccess' => "Satisfy Any\nOrder allow,deny\nAllow from all\n", 'by-file/ht-any/page.txt' => "$secret\n",
);
$httpd->file("htdocs/$_", $files{$_}) for sort keys %files;
my $script = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\necho \"$secret sub=\$RR_SUB user=\$REMOTE_USER type=\$AUTH_TYPE method=\$RR_METHOD\"\n";
$httpd->file("htdocs/$_/env.cgi", $script, 0755) for qw(in in/err-cgi);

# ---- what nobody and a wrong one must not get, and rose must: path => what she sees ----
my %ways = (
    'front door' => ['/in/page.txt', qr/$secret/],
    'me' => ['/in/me', qr/"sub":"rose"/],
    'CGI' => ['/in/env.cgi', qr/sub=rose user=rose type=RR method=red/],
    'proxied' => ['/in/proxied/x', qr/"path":"\/x"/],
    'directory' => ['/by-file/page.txt', qr/$secret/],
    'rewritten in server context' => ['/rewritten', qr/$secret/],
    'rewritten to rr-me' => ['/rewritten-me', qr/"sub":"rose"/],
    'internal redirect from outside' => ['/out/jump', qr/$secret/],
    'internal redirect from outside to rr-me' => ['/out/jump-me', qr/"sub":"rose"/],
    'internal redirect from outside to a backend' => ['/out/jump-proxied', qr/"path":"\/x"/],
    'two internal redirects' => ['/out/again', qr/$secret/],
    'internal redirect inside' => ['/in/inside', qr/$secret/],
    'internal redirect inside to rr-me' => ['/in/inside-me', qr/"sub":"rose"/],
    'internal redirect out' => ['/in/leave', qr/^open/],
    'RewriteRule [P]' => ['/in/away', qr/"path":"\/away"/],
    'fast redirect inside' => ['/in/sub/', qr/$secret/],
    'fast redirect from outside' => ['/to-index/', qr/$secret/],
    'fast redirect from outside to rr-me' => ['/to-me/', qr/"sub":"rose"/],
    'fast redirect from outside to a backend' => ['/to-proxied/', qr/"path":"\/x"/],
    'content negotiation' => ['/in/negotiated', qr/$secret/],
    'Satisfy Any' => ['/any', qr/"sub":"rose"/],
    'Satisfy Any, a file' => ['/any-file/page.txt', qr/$secret/],
    'Satisfy Any, a fast redirect' => ['/any-index/', qr/$secret/],
    'absolute-form' => ['http://127.0.0.1/in/page.txt', qr/$secret/],
    '.htaccess grants to all' => ['/in/ht-granted/page.txt', qr/$secret/],
    '.htaccess says Satisfy Any' => ['/in/ht-any/page.txt', qr/$secret/],
    '.htaccess says both' => ['/in/ht-both/page.txt', qr/$secret/],
    '.htaccess says AuthType None' => ['/in/ht-type/page.txt', qr/$secret/],
    '.htaccess has an ErrorDocument' => ['/in/ht-error/page.txt', qr/$secret/],
    '.htaccess grants to all below a Directory' => ['/by-file/ht/page.txt', qr/$secret/],
    '.htaccess says Satisfy Any below a Directory' => ['/by-file/ht-any/page.txt', qr/$secret/],
    map { ("ErrorDocument in $_" => ["/in/$_/page.txt", qr/$secret/]) } qw(err-page err-same err-me err-open),
);
# Whoever is refused sees the page the operator chose, as a page of a refusal: text of their own section at most.
my %shown = ('ErrorDocument in err-same' => 1);
my @cases;
for my $way (sort keys %ways) {
    my ($path, $sees) = @{ $ways{$way} };
    my @absent = (qr/"sub"/, qr/"target"/, qr/sub=/, $shown{$way} ? () : qr/$secret/);
    for my $who (['nobody', {}], ['a wrong one', $wrong]) {
        for my $method (qw(GET POST OPTIONS)) {
            push(@cases, ["$way: $who->[0], $method", { path => $path, method => $method, headers => $who->[1] },
                          { status => 401, absent => \@absent, headers => { 'X-Who' => '(null)' } }]);
        }
        push(@cases, ["$way: $who->[0], HEAD", { path => $path, method => 'HEAD', headers => $who->[1] },
                      { status => 401, body => '' }]);
        push(@cases, ["$way: $who->[0], HTTP/1.0", { path => $path, version => '1.0', headers => $who->[1] },
                      { status => 401, absent => \@absent }]);
        push(@cases, ["$way: $who->[0], HTTP/2", { path => $path, http2 => 1, headers => $who->[1] },
                      { status => 401, absent => \@absent }]) if $path =~ m{^/};
        # httpd itself echoes a TRACE before anybody is asked, unless a backend is to answer it.
        push(@cases, ["$way: $who->[0], TRACE", { path => $path, method => 'TRACE', headers => $who->[1] },
                      { status => qr/^(200|401)$/, absent => \@absent }]);
    }
    push(@cases, ["$way: rose", { path => $path, headers => $rose },
                  { status => 200, body => $sees,
                    headers => $path eq '/in/leave' ? {} : { 'X-Who' => 'rose', 'Cache-Control' => 'private' } }]);
    push(@cases, ["$way: rose, HTTP/2", { path => $path, headers => $rose, http2 => 1 }, { status => 200, body => $sees }])
        if $path =~ m{^/};
    push(@cases, ["$way: rose, HEAD", { path => $path, method => 'HEAD', headers => $rose }, { status => 200, body => '' }]);
}
cases($httpd, @cases);

# ---- spellings of a protected path: refused, or no such page; never the page ----
cases($httpd,
    (map { ["spelt $_", { path => $_ }, { status => qr/^40[0134]$/, absent => [$secret] }] }
        qw(//in/page.txt /./in/page.txt /out/../in/page.txt /%69n/page.txt /in%2fpage.txt /in%5cpage.txt /in;/page.txt
           /IN/page.txt /in/page.txt/ /in/./page.txt /in//page.txt /in/%70age.txt /in/page.txt%00 /in/page.txt?x)),
    ['spelt %69n, rose', { path => '/%69n/page.txt', headers => $rose }, { status => 200, body => qr/$secret/ }],
);

# ---- pages of refusals: the status stays, nobody is admitted by them, no backend is asked for them ----
my $asked = $upstream->count;
cases($httpd,
    ['a page elsewhere', { path => '/in/err-open/page.txt' }, { status => 401, body => "open\n", headers => { 'X-Who' => '(null)' } }],
    ['a page of the same section', { path => '/in/err-same/page.txt', headers => $wrong },
     { status => 401, body => "$secret\n", headers => { 'X-Who' => '(null)', 'WWW-Authenticate' => [qr/^Red /, qr/^Blue /] } }],
    ['a page of another protected section', { path => '/in/err-page/page.txt' }, { status => 401, absent => [$secret] }],
    ['rr-me as the page', { path => '/in/err-me/page.txt' }, { status => 401, absent => ['"sub"'] }],
    ['rr-me as the page of its own section', { path => '/in/err-self-me' }, { status => 401, absent => ['"sub"'] }],
    ['rr-me as the page, a wrong one', { path => '/in/err-self-me', headers => $wrong }, { status => 401, absent => ['"sub"'] }],
    ['a CGI as the page runs for nobody', { path => '/in/err-cgi/x' },
     { status => 401, body => qr/sub= user= type= method=$/m, headers => { 'X-Who' => '(null)' } }],
    ['a backend of the same section', { path => '/in/err-proxied/x' }, { status => 401, absent => ['"target"'] }],
    ['a backend of the same section, a wrong one', { path => '/in/err-proxied/x', headers => $wrong },
     { status => 401, absent => ['"target"'] }],
    ['a backend of another section', { path => '/in/err-other-proxied/x' }, { status => 401, absent => ['"target"'] }],
    ['a page that is rewritten to a backend', { path => '/in/err-rewritten/x' }, { status => 401, absent => ['"target"'] }],
    ['not found outside, the page inside', { path => '/out/nothing' }, { status => 404, absent => [$secret] }],
    ['gone outside, the page inside', { path => '/out/gone' }, { status => 410, absent => [$secret] }],
    ['not found outside, a wrong one', { path => '/out/nothing', headers => $wrong }, { status => 404, absent => [$secret] }],
);
is($upstream->count, $asked, 'no backend was asked for the page of a refusal');
cases($httpd,
    ['rose: not found outside, the page inside', { path => '/out/nothing', headers => $rose }, { status => 404, body => qr/$secret/ }],
    ['rose: not found, a page of the same section', { path => '/in/err-same/nothing', headers => $rose },
     { status => 404, body => qr/$secret/, headers => { 'X-Who' => 'rose', 'Cache-Control' => qr/private/ } }],
    ['rose: not found, rr-me as the page', { path => '/in/err-me/nothing', headers => $rose }, { status => 404, body => qr/"sub":"rose"/ }],
    ['rose: not found, a CGI as the page', { path => '/in/err-cgi/nothing', headers => $rose },
     { status => 404, body => qr/sub=rose user=rose type=RR method=red/ }],
    ['rose: through to the backend of that section', { path => '/in/err-proxied/x', headers => $rose },
     { status => 200, body => qr{"path":"/behind/x"} }],
);

# ---- subrequests ----
$asked = $upstream->count;
my $error = qr/an error occurred/;
cases($httpd,
    ['included for nobody', { path => '/out/include.shtml' }, { status => 200, body => qr/^\[\[$error.*\]\]\[\[$error.*\]\]$/, absent => [$secret, '"sub"'] }],
    ['included for a wrong one', { path => '/out/include.shtml', headers => $wrong }, { status => 200, body => $error, absent => [$secret, '"sub"'] }],
    ['included from a backend for nobody', { path => '/out/include-proxied.shtml' }, { status => 200, body => $error, absent => ['"target"'] }],
    ['the page inside, for nobody', { path => '/in/include.shtml' }, { status => 401, absent => [$secret, '"sub"'] }],
);
is($upstream->count, $asked, 'no backend was asked by a subrequest for nobody');
cases($httpd,
    ['included for rose', { path => '/out/include.shtml', headers => $rose }, { status => 200, body => qr/\Q[$secret\E\n\]\[\{.*"sub":"rose".*\}\n\]/ }],
    ['included from a backend for rose', { path => '/out/include-proxied.shtml', headers => $rose }, { status => 200, body => qr{"path":"/x"} }],
    ['included inside for rose', { path => '/in/include.shtml', headers => $rose },
     { status => 200, body => qr/\Q[$secret\E\n\]\[\{.*"sub":"rose".*\}\n\]\[rose\]/, headers => { 'Cache-Control' => qr/private/ } }],
    ['the environment of a subrequest', { path => '/in/include-env.shtml', headers => $rose },
     { status => 200, body => qr/sub=rose user=rose type=RR method=red/ }],
);

# ---- .htaccess ----
cases($httpd,
    ['.htaccess sees the environment', { path => '/in/ht-env/page.txt', headers => $rose }, { status => 200, headers => { 'X-Seen' => 'rose' } }],
    ['.htaccess sees nobody', { path => '/in/ht-env/page.txt' }, { status => 401, headers => { 'X-Seen' => qr/null|^$/ } }],
    ['.htaccess with a directive of ours', { path => '/in/ht-rr/page.txt', headers => $rose }, { status => 500, absent => [$secret] }],
    ['.htaccess with a directive of ours, for nobody', { path => '/in/ht-rr/page.txt' }, { status => qr/^(401|500)$/, absent => [$secret] }],
);

expect_log(qr/RRAuthMode not allowed here/, qr/unable to include/);
allow_log(qr/AH01630|AH01276|AH01797/);
finish();
