# SPDX-License-Identifier: Apache-2.0
#
# What a backend, a CGI program, mod_headers, mod_rewrite and the log are told about who asked.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));

# ---- name of a claim header, its CLAIM-PATH, the data => what the backend gets; undef: no such header ----
my $longest = 'l' x 4096;
my @claims = (
    ['a string', 'plain', { plain => 'gold' }, 'gold'],
    ['blanks inside stay', 'plain', { plain => 'a b  c' }, 'a b  c'],
    ['a number', 'n', { n => 42 }, '42'],
    ['zero', 'n', { n => 0 }, '0'],
    ['a number of any size, as it was sent', 'n', '{"n":123456789012345678901234567890}', '123456789012345678901234567890'],
    ['a fraction, as it was sent', 'n', '{"n":1.50}', '1.50'],
    ['true', 'b', '{"b":true}', 'true'],
    ['false', 'b', '{"b":false}', 'false'],
    ['null', 'b', '{"b":null}', undef],
    ['missing', 'nothing', { plain => 'x' }, undef],
    ['the empty string', 'plain', { plain => '' }, undef],
    ['nested', 'org.unit.name', { org => { unit => { name => 'tools' } } }, 'tools'],
    ['nested, missing', 'org.unit.name', { org => { unit => {} } }, undef],
    ['nested in what is no object', 'org.unit.name', { org => 'unit' }, undef],
    ['an exact name with dots wins', 'org.unit.name', { 'org.unit.name' => 'flat', org => { unit => { name => 'deep' } } }, 'flat'],
    ['a name like a URL', 'https://example.com/roles', { 'https://example.com/roles' => 'admin' }, 'admin'],
    ['a pointer', '/org/units/1/name', { org => { units => [{}, { name => 'second' }] } }, 'second'],
    ['a pointer with escapes', '/a~1b/~0', { 'a/b' => { '~' => 'escaped' } }, 'escaped'],
    ['a pointer to nothing', '/org/units/1/name', { org => { units => [{}] } }, undef],
    ['a pointer past the end', '/org/units/1/name', { org => { units => [] } }, undef],
    ['an array', 'roles', { roles => ['reader', 'writer'] }, 'reader,writer'],
    ['an array of one', 'roles', { roles => ['reader'] }, 'reader'],
    ['an array of numbers', 'roles', { roles => [1, 2] }, '1,2'],
    ['an empty array', 'roles', { roles => [] }, undef],
    ['an array with a comma inside is not two', 'roles', { roles => ['a,admin', 'b'] }, '["a,admin","b"]'],
    ['an array of objects', 'roles', { roles => [{ n => 1 }] }, '[{"n":1}]'],
    ['an object', 'org', '{"org":{"b":1,"a":[ 2 ]}}', '{"b":1,"a":[2]}'],
    ['scopes as words', 'scope', { scope => 'read write' }, 'read write'],
    ['scopes as an array', 'scope', { scope => ['read', 'write'] }, 'read,write'],
    ['UTF-8', 'plain', '{"plain":"Zo\u00eb \u4e2d"}', "Zo\xc3\xab \xe4\xb8\xad"],
    ['CR LF', 'plain', '{"plain":"a\r\nX-Injected: yes"}', undef],
    ['LF', 'plain', '{"plain":"a\nX-Injected: yes"}', undef],
    ['CR', 'plain', '{"plain":"a\rb"}', undef],
    ['a tabulator', 'plain', '{"plain":"a\tb"}', undef],
    ['a blank at its end', 'plain', { plain => 'admin ' }, undef],
    ['a blank at its beginning', 'plain', { plain => ' admin' }, undef],
    ['nothing but a blank', 'plain', { plain => ' ' }, undef],
    ['an array with a blank at its end', 'roles', { roles => ['reader', 'writer '] }, undef],
    ['a long array', 'roles', { roles => [map { $_ % 10 } 1 .. 2000] }, join(',', map { $_ % 10 } 1 .. 2000)],
    ['a long array of numbers, one too long', 'roles', { roles => [map { $_ % 10 } 1 .. 2049] }, undef],
    ['DEL', 'plain', '{"plain":"a\u007fb"}', undef],
    ['ESC', 'plain', '{"plain":"\u001b[31m"}', undef],
    ['CR LF in an array', 'roles', '{"roles":["a\r\nX-Injected: yes","b"]}', undef],
    ['CR LF in an object is escaped', 'org', '{"org":{"a":"\r\nX-Injected: yes"}}', '{"a":"\r\nX-Injected: yes"}'],
    ['the longest', 'plain', { plain => $longest }, $longest],
    ['one longer', 'plain', { plain => "${longest}l" }, undef],
    ['an array that is too long', 'roles', { roles => [('x' x 2047) x 3] }, undef],
);

my $routes = '';
my %index;
for my $claim (@claims) {
    my $path = $claim->[1];
    next if $index{$path};
    $index{$path} = keys(%index) + 1;
    $routes .= "    RRClaimHeader X-Claim-$index{$path} \"$path\"\n";
}

my $httpd = httpd(modules => ['core'], extra => ['cgid'], vars => { UP => $upstream->url, CLAIMS => $routes }, conf => load_stub() . <<'CONF');
ScriptSock "@ROOT@/run/cgid.sock"
LogFormat "%U u=%u sub=%{RR_SUB}e method=%{RR_METHOD}e scope=%{RR_SCOPE}e issuer=%{RR_ISSUER}e credential=%{RR_CREDENTIAL}e" told
CustomLog "@ROOT@/logs/told.log" told
<Location "/in">
    AuthType RR
    Require valid-user
    RRIdentityHeader X-User-Id
</Location>
<Location "/in/claims">
@CLAIMS@
    ProxyPass @UP@/claims
</Location>
<Location "/in/cgi">
    Require valid-user
</Location>
ScriptAlias /in/cgi/ "@ROOT@/htdocs/cgi/"
<Location "/in/scoped">
    Require rr-scope admin
</Location>
<Location "/in/inner">
    RRIdentityHeader X-Subject
    RRClaimHeader X-Tier tier
    RRClaimHeader X-Outer org
    ProxyPass @UP@/inner
</Location>
<Location "/in/inner/most">
    RRClaimHeader x-tier level
</Location>
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    Require all granted
    RRIdentityHeader X-User-Id
    RRClaimHeader X-Tier tier
    ProxyPass @UP@/optional
</Location>
<Directory "@ROOT@/htdocs/in">
    RewriteEngine On
    RewriteCond %{ENV:RR_SUB}/%{ENV:RR_METHOD}/%{ENV:RR_SCOPE} ^rose/red/read\ write$
    RewriteRule ^file.txt$ - [E=SEEN:%{ENV:RR_ISSUER}]
    Header set X-Rewritten "%{SEEN}e"
    Header set X-Sub "%{RR_SUB}e"
    Header set X-Expr "expr=%{reqenv:RR_METHOD} %{REMOTE_USER}"
</Directory>
CONF
$httpd->file('htdocs/cgi/env.cgi', "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\n", 0755);
$httpd->file('htdocs/in/file.txt', "file\n");

for my $claim (@claims) {
    my ($what, $path, $data, $want) = @$claim;
    my $text = ref $data ? json_text($data) : $data;
    my $order = "{\"sub\":\"rose\",\"data\":$text}";
    check("claim: $what", $httpd->request(path => '/in/claims/x', headers => { 'X-Red' => $order }),
          { status => 200, absent => ['"X-Injected"'],
            json => { 'headers.X-User-Id' => 'rose', "headers.X-Claim-$index{$path}" => $want } });
}

# ---- subjects: who cannot stand in a header is not sent under another name ----
for my $case (['plain', 'rose', 'rose'], ['with blanks', 'Rose of Sharon', 'Rose of Sharon'], ['a URN', 'urn:uuid:1-2', 'urn:uuid:1-2'],
              ['UTF-8', "Zo\x{eb}", "Zo\xc3\xab"], ['with CR LF', "rose\r\nX-Injected: yes", undef], ['with LF', "rose\nroot", undef],
              ['a blank at its end', 'rose ', undef], ['a blank at its beginning', ' rose', undef],
              ['the longest', $longest, $longest], ['one longer', "${longest}l", undef]) {
    my ($what, $sub, $want) = @$case;
    check("subject: $what", $httpd->request(path => '/in/claims/x', headers => { 'X-Red' => who($sub) }),
          { status => 200, absent => ['"X-Injected"'], json => { 'headers.X-User-Id' => $want } });
}

# ---- sections: the inner one adds, and says anew ----
my $rose = who('rose', data => { tier => 'gold', org => 'o', level => 'top' }, scopes => 'read write', issuer => 'https://id.example/');
my $bert = who('bert', scopes => ['write', 'sell'], credential => 'acme/bert');
my $red = { 'X-Red' => $rose };
cases($httpd,
    ['an inner section', { path => '/in/inner/x', headers => $red },
     { status => 200, json => { 'headers.X-Subject' => 'rose', 'headers.X-User-Id' => undef, 'headers.X-Tier' => 'gold', 'headers.X-Outer' => 'o' } }],
    ['the innermost section', { path => '/in/inner/most/x', headers => $red },
     { status => 200, json => { 'headers.X-Subject' => 'rose', 'headers.x-tier' => 'top', 'headers.X-Tier' => undef, 'headers.X-Outer' => 'o' } }],
    ['nobody', { path => '/optional/x', headers => { 'X-User-Id' => 'mallory', 'X-Tier' => 'gold' } },
     { status => 200, json => { 'headers.X-User-Id' => undef, 'headers.X-Tier' => undef, 'headers.X-Subject' => undef } }],
    ['somebody where nobody may come', { path => '/optional/x', headers => $red },
     { status => 200, json => { 'headers.X-User-Id' => 'rose', 'headers.X-Tier' => 'gold' } }],
);

# ---- environment ----
cases($httpd,
    ['CGI', { path => '/in/cgi/env.cgi', headers => $red },
     { status => 200, body => qr/\A(?=.*^REMOTE_USER=rose$)(?=.*^AUTH_TYPE=RR$)(?=.*^RR_SUB=rose$)(?=.*^RR_METHOD=red$)(?=.*^RR_SCOPE=read\ write$)
                                 (?=.*^RR_ISSUER=https:\/\/id\.example\/$)(?=.*^HTTP_X_USER_ID=rose$)/msx, absent => [qr/^RR_CREDENTIAL/m] }],
    ['CGI, a stored credential', { path => '/in/cgi/env.cgi', headers => { 'X-Blue' => $bert } },
     { status => 200, body => qr/\A(?=.*^RR_SUB=bert$)(?=.*^RR_METHOD=blue$)(?=.*^RR_CREDENTIAL=acme\/bert$)/ms, absent => [qr/^RR_ISSUER/m] }],
    ['CGI, two', { path => '/in/cgi/env.cgi', headers => { %$red, 'X-Blue' => $bert } },
     { status => 200, body => qr/\A(?=.*^REMOTE_USER=rose$)(?=.*^RR_SUB=rose$)(?=.*^RR_METHOD=red\ blue$)(?=.*^RR_SCOPE=read\ write\ sell$)
                                 (?=.*^RR_CREDENTIAL=acme\/bert$)(?=.*^RR_ISSUER=https:\/\/id\.example\/$)/msx }],
    ['CGI, what a client calls itself', { path => '/in/cgi/env.cgi', headers => { %$red, 'RR-Sub' => 'mallory', 'Remote-User' => 'mallory' } },
     { status => 200, body => qr/\A(?=.*^REMOTE_USER=rose$)(?=.*^RR_SUB=rose$)/ms }],
    ['Header and RewriteCond', { path => '/in/file.txt', headers => $red },
     { status => 200, headers => { 'X-Sub' => 'rose', 'X-Rewritten' => 'https://id.example/', 'X-Expr' => 'red rose' } }],
    ['Header and RewriteCond, another', { path => '/in/file.txt', headers => { 'X-Blue' => $bert } },
     { status => 200, headers => { 'X-Sub' => 'bert', 'X-Rewritten' => '(null)', 'X-Expr' => 'blue bert' } }],
    ['a refusal', { path => '/in/scoped/x', headers => $red }, { status => 403 }],
    ['nobody refused', { path => '/in/scoped/y' }, { status => 401 }],
);
my $told = wait_for(sub { my $text = eval { slurp($httpd->dir . '/logs/told.log') } || ''; $text =~ m{^/in/scoped/y}m && $text }) || '';
like($told, qr{^/in/file\.txt u=rose sub=rose method=red scope=read write issuer=https://id\.example/ credential=-$}m, 'the log: who asked');
like($told, qr{^/in/file\.txt u=bert sub=bert method=blue scope=write sell issuer=- credential=acme/bert$}m, 'the log: a stored credential');
like($told, qr{^/in/scoped/x u=rose sub=rose}m, 'the log: who was refused');
like($told, qr{^/in/scoped/y u=- sub=- }m, 'the log: nobody');

allow_log('AH01630', 'AH01631');
finish();
