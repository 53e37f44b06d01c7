# SPDX-License-Identifier: Apache-2.0
#
# No way around a filter: other handlers, redirects, subrequests, caches, HTTP/2, compression, and a handler that does not stop.

use strict;
use warnings;

use IO::Uncompress::Gunzip qw(gunzip);
use RR::Test;
use RR::Upstream;
use RR::Util qw(json_text);

my $httpd = httpd(modules => [qw(core filter)],
                  extra => [qw(cgid include deflate cache cache_disk)], start => 0);
my $upstream = RR::Upstream->start(dir => $httpd->dir . '/upstream');
my $port = $upstream->port;
my $dir = $httpd->dir;
my $ssn = '123-45-6789';
my $filters = $httpd->file('filters.json', json_text([
    { id => 'ssn', operations => [{ effect => 'destroy', jsonPath => { pattern => '(^|\.)ssn$' } }] },
    { id => 'free', headers => [{ name => { pattern => '^x-tier$' }, value => { pattern => '^premium$' }, presence => 'must_absent' }],
      operations => [{ effect => 'destroy', jsonPath => { pattern => '^paid$' } }] },
]));
my $by_path = $httpd->file('by-path.json', json_text([
    { requestPath => { pattern => '^/export' }, operations => [{ effect => 'destroy', jsonPath => { pattern => '.*' } }] },
]));
my $body = qq({"id":1,"ssn":"$ssn","paid":2}\n);
my $cut = qq({"id":1,"paid":2}\n);
my $free = qq({"id":1}\n);
$httpd->file('htdocs/api/card.json', $body);
$httpd->file('htdocs/api/index.json', $body);
$httpd->file('htdocs/page/all.shtml', qq([<!--#include virtual="/api/card.json" -->]));
$httpd->file('htdocs/api/all.shtml', qq([<!--#include virtual="/plain/card.json" -->]));
$httpd->file('htdocs/plain/card.json', $body);
$httpd->file('htdocs/cgi/good', "#!/bin/sh\nprintf 'Content-Type: application/json\\r\\n\\r\\n$body'\n", 0755);
$httpd->file('htdocs/cgi/endless', qq(#!/bin/sh\nprintf 'Content-Type: application/json\\r\\n\\r\\n[1,x'\ni=0; while [ \$i -lt 2000 ]; do printf '"%s",' $ssn; i=\$((i+1)); done\n), 0755);
$httpd->file('htdocs/cgi/redirect', "#!/bin/sh\nprintf 'Location: /api/card.json\\r\\n\\r\\n'\n", 0755);
mkdir("$dir/cache");
chmod(0777, "$dir/cache");
$httpd->{conf} = <<"CONF";
ScriptSock $dir/run/cgisock
AddOutputFilter INCLUDES .shtml
AddType text/html .shtml
<Location "/api">
    RRFilters $filters
    DirectoryIndex index.json
    Options +Includes
</Location>
<Location "/page">
    Options +Includes
</Location>
<Location "/cgi">
    RRFilters $filters
    Options +ExecCGI
    SetHandler cgi-script
</Location>
<Location "/squeezed">
    RRFilters $filters
    SetOutputFilter DEFLATE
    ProxyPass "http://127.0.0.1:$port"
</Location>
<Location "/cached">
    RRFilters $filters
    ProxyPass "http://127.0.0.1:$port"
</Location>
CacheEnable disk "/cached"
CacheRoot $dir/cache
CacheIgnoreNoLastMod On
CacheIgnoreCacheControl On
CacheStorePrivate On
<Location "/mount">
    RRFilters $by_path
    ProxyPass "http://127.0.0.1:$port"
</Location>
<Location "/hidden">
    RewriteEngine On
    RewriteRule .* /api/card.json [PT]
</Location>
RewriteEngine On
RewriteRule ^/alias\$ /api/card.json [PT]
RewriteRule ^/mount/other\$ /mount/export [PT]
ErrorDocument 404 /api/card.json
CONF
$httpd->start;
$upstream->behave('*', body => $body, headers => [['Content-Type', 'application/json'], ['Cache-Control', 'max-age=100']]);

my %premium = ('X-Tier' => 'premium');
cases($httpd,
    ['a file', { path => '/api/card.json', headers => \%premium }, { status => 200, body => $cut }],
    ['without the header', { path => '/api/card.json' }, { status => 200, body => $free }],
    ['with that header twice', { path => '/api/card.json', headers => { 'X-Tier' => ['premium', 'x'] } }, { status => 200, body => $free }],
    ['a directory\'s index', { path => '/api/', headers => \%premium }, { status => 200, body => $cut }],
    ['over HTTP/2', { path => '/api/card.json', headers => \%premium, http2 => 1 }, { status => 200, body => $cut }],
    ['CGI', { path => '/cgi/good', headers => \%premium }, { status => 200, body => $cut }],
    ['CGI that redirects', { path => '/cgi/redirect', headers => \%premium }, { status => 200, body => $cut }],
    ['a handler that goes on after the failure', { path => '/cgi/endless' }, { status => 422, absent => [$ssn] }],
    ['an alias', { path => '/alias', headers => \%premium }, { status => 200, body => $cut }],
    ['a fast redirect', { path => '/hidden', headers => \%premium }, { status => 200, body => $cut }],
    ['as an ErrorDocument', { path => '/none', headers => \%premium }, { status => 404, body => $cut }],
    ['in a page', { path => '/page/all.shtml', headers => \%premium }, { status => 200, body => "[$cut]" }],
    ['a page is no JSON', { path => '/api/all.shtml' }, { status => 422, absent => [$ssn] }],
    ['the path below the mount', { path => '/mount/export' }, { status => 200, body => '{}' }],
    ['another one', { path => '/mount/import' }, { status => 200, body => $body }],
    ['encoded', { path => '/mount/ex%70ort' }, { status => 200, body => '{}' }],
    ['of two meanings', { path => '/mount/x;/export' }, { status => 200, body => '{}' }],
    ['rewritten', { path => '/mount/other' }, { status => 200, body => '{}' }],
    ['HEAD', { path => '/api/card.json', method => 'HEAD' }, { status => 200, headers => { 'Content-Length' => undef, ETag => undef } }],
);

# ---- compressed on the way out, plain on the way in ----
my $long = 'text ' x 100;
$upstream->behave('/long', body => qq({"ssn":"$ssn","text":"$long"}));
my $res = $httpd->request(path => '/squeezed/long', headers => { %premium, 'Accept-Encoding' => 'gzip' });
is($res->header('Content-Encoding'), 'gzip', 'the client gets it compressed');
gunzip(\$res->{body}, \my $plain);
is($plain, qq({"text":"$long"}), 'and cut');

# ---- a cache never gives one caller what another got ----
cases($httpd,
    ['premium first', { path => '/cached/x', headers => \%premium }, { status => 200, body => $cut }],
    ['then free', { path => '/cached/x' }, { status => 200, body => $free }],
    ['then premium', { path => '/cached/x', headers => \%premium }, { status => 200, body => $cut }],
);
is($upstream->count('/x'), 3, 'each asked the backend');

expect_log('RR10501');
allow_log('AH01215', 'AH00128', 'AH01374', qr/cgid?:/, 'AH02452', 'AH01110');
finish();
