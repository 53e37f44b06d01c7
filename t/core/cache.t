# SPDX-License-Identifier: Apache-2.0
#
# mod_cache serves before anybody is asked who they are: what AuthType RR decided must never be in it.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));

# The same routes before both kinds of cache; every answer asks to be cached.
my $conf = load_stub() . <<'CONF';
Header always set X-Who "%{RR_SUB}e"
CacheHeader On
CacheIgnoreNoLastMod On
CacheIgnoreQueryString Off
CacheStorePrivate On
CacheStoreNoStore On
CacheStoreExpired On
CacheMaxExpire 3600
ExpiresActive On
ExpiresDefault "access plus 1 hour"
<Location "/in">
    AuthType RR
    Require rr-red
</Location>
<Location "/in/me">
    SetHandler rr-me
</Location>
<Location "/in/scope">
    Require rr-scope admin
</Location>
<Location "/optional">
    AuthType RR
    RRAuthMode optional
    Require all granted
</Location>
<Location "/any">
    AuthType RR
    Require rr-red
    Satisfy Any
    Order allow,deny
    Allow from all
</Location>
<Location "/page">
    AuthType RR
    Require rr-red
    ErrorDocument 401 /open/page.txt
    ErrorDocument 404 /open/page.txt
</Location>
ProxyPass /in/up @UP@/up
ProxyPass /open/up @UP@/up
<Directory "@ROOT@/htdocs/in">
    RewriteEngine On
    RewriteRule ^inside$ /in/file.txt
    RewriteRule ^leave$ /open/left.txt
</Directory>
<Directory "@ROOT@/htdocs/open">
    RewriteEngine On
    RewriteRule ^enter$ /in/file.txt
</Directory>
<Location "/to-index">
    DirectoryIndex /in/file.txt
</Location>
CONF

my $red = { 'X-Red' => who('rose', scopes => 'read') };
my $blue = { 'X-Blue' => who('bert') };
my $public = [['Cache-Control', 'public, max-age=3600, s-maxage=7200'], ['Last-Modified', 'Sun, 01 Nov 2026 00:00:00 GMT']];
$upstream->behave('/up/public', headers => $public, body => 'of the backend');
$upstream->behave('/up/etag', headers => [['ETag', '"1"'], ['Cache-Control', 'Public , S-MaxAge = 9, max-age=3600 , no-transform']], body => 'of the backend');
$upstream->behave('/up/cdn', headers => [@$public, ['CDN-Cache-Control', 'max-age=3600'], ['surrogate-control', 'max-age=3600']], body => 'of the backend');
$upstream->behave('/up/two', headers => [['Cache-Control', 'public'], ['Cache-Control', 'max-age=3600'], ['ETag', '"1"']], body => 'of the backend');
$upstream->behave('/up/gone', status => 410, headers => $public, body => 'gone');
$upstream->behave('/up/moved', status => 301, headers => [@$public, ['Location', 'https://example.com/']], body => 'moved');

my $missed = sub { ($_[0] || '') !~ /HIT/ }; # errors have no X-Cache at all

for my $kind (['disk', 'cache_disk', "CacheEnable disk /\nCacheRoot \"\@ROOT\@/state\"\n"],
              ['socache', 'cache_socache', "CacheEnable socache /\nCacheSocache shmcb:\@ROOT\@/state/cache(512000)\n"]) {
    my ($name, $module, $enable) = @$kind;
    my $httpd = httpd(modules => ['core'], extra => ['access_compat', 'cache', 'expires', $module], vars => { UP => $upstream->url },
                      conf => $conf . $enable);
    $httpd->file("htdocs/$_/file.txt", "file of $_\n") for qw(in in/scope optional any open page);
    $httpd->file('htdocs/to-index/x', '');
    $httpd->file('htdocs/open/left.txt', "file of nobody\n");
    $httpd->file('htdocs/open/page.txt', "page\n");

    # ---- control: this cache caches what is open, for whoever comes ----
    for my $path ('/open/file.txt', '/open/up/public', '/open/up/etag') {
        cases($httpd,
            ["$name: $path, first", { path => $path }, { status => 200, headers => { 'X-Cache' => qr/MISS/ } }],
            ["$name: $path, again", { path => $path }, { status => 200, headers => { 'X-Cache' => qr/HIT/ } }],
            ["$name: $path, rose", { path => $path, headers => $red }, { status => 200, headers => { 'X-Cache' => qr/HIT/ } }],
        );
    }

    # ---- rose first; then nobody and bert must be asked ----
    my @private = (
        ['a file', '/in/file.txt', 401],
        ['rr-me', '/in/me', 401],
        ['a backend that says public', '/in/up/public', 401],
        ['a backend that says public in capitals', '/in/up/etag', 401],
        ['a backend that says it twice', '/in/up/two', 401],
        ['a backend that says it to caches of others', '/in/up/cdn', 401],
        ['a redirect of a backend', '/in/up/moved', 401],
        ['an error of a backend', '/in/up/gone', 401],
        ['an internal redirect', '/in/inside', 401],
        ['an internal redirect into it', '/open/enter', 401],
        ['an internal redirect out of it', '/in/leave', 401],
        ['a fast redirect', '/to-index/', 401],
        ['Satisfy Any', '/any/file.txt', 200], # which asks no more than to be somebody
        ['a redirect of httpd itself', '/in', 401],
        ['the page of a refusal', '/page/file.txt', 401],
        ['the page of a 404', '/page/nothing', 401],
    );
    for my $case (@private) {
        my ($what, $path, $others) = @$case;
        my $first = $httpd->request(path => $path, headers => $red);
        check("$name: $what, rose", $first, { headers => { 'X-Who' => $path =~ m{^/in/leave|nothing$} ? qr/./ : 'rose', 'X-Cache' => $missed,
                                              'Cache-Control' => qr/^(?!.*(public|s-maxage)).*\bprivate\b/i } });
        cases($httpd,
            ["$name: $what, nobody", { path => $path }, { status => 401, headers => { 'X-Cache' => $missed }, absent => [qr/file of/, 'of the backend', 'rose'] }],
            ["$name: $what, bert", { path => $path, headers => $blue }, { status => $others, headers => { 'X-Cache' => $missed }, absent => ['rose', $others == 200 ? () : qr/file of/] }],
            ["$name: $what, rose again", { path => $path, headers => $red }, { status => $first->status, headers => { 'X-Cache' => $missed } }],
        );
    }

    # ---- refused first; then rose must be served ----
    for my $path ('/in/file.txt?refused', '/in/me?refused', '/in/up/public?refused', '/page/file.txt?refused') {
        cases($httpd,
            ["$name: $path, nobody first", { path => $path }, { status => 401, headers => { 'Cache-Control' => qr/private/ } }],
            ["$name: $path, then a wrong one", { path => $path, headers => { 'X-Red' => 'invalid' } }, { status => 401, headers => { 'X-Cache' => $missed } }],
            ["$name: $path, then waiting", { path => $path, headers => { 'X-Red' => 'unavailable' } }, { status => 503 }],
            ["$name: $path, then rose", { path => $path, headers => $red }, { status => 200, headers => { 'X-Cache' => $missed } }],
        );
    }

    # ---- anonymous and somebody on one route ----
    cases($httpd,
        ["$name: optional, rose", { path => '/optional/file.txt', headers => $red }, { status => 200, headers => { 'X-Who' => 'rose' } }],
        ["$name: optional, nobody", { path => '/optional/file.txt' }, { status => 200, headers => { 'X-Who' => '(null)', 'X-Cache' => $missed } }],
        ["$name: optional, bert", { path => '/optional/file.txt', headers => $blue }, { status => 200, headers => { 'X-Who' => 'bert', 'X-Cache' => $missed } }],
        ["$name: 403 first", { path => '/in/scope/file.txt', headers => $red }, { status => 403 }],
        ["$name: then who may", { path => '/in/scope/file.txt', headers => { 'X-Red' => who('rita', scopes => 'admin') } },
         { status => 200, headers => { 'X-Who' => 'rita' } }],
    );

    # ---- what the headers keep ----
    cases($httpd,
        ["$name: what others' caches heed first, where it is open", { path => '/open/up/cdn' },
         { headers => { 'CDN-Cache-Control' => 'max-age=3600', 'Surrogate-Control' => 'max-age=3600' } }],
        ["$name: and where it is not", { path => '/in/up/cdn', headers => $red },
         { headers => { 'CDN-Cache-Control' => undef, 'Surrogate-Control' => undef, 'Cache-Control' => qr/private/ } }],
        ["$name: the rest of Cache-Control stays", { path => '/in/up/etag', headers => $red },
         { headers => { 'Cache-Control' => qr/^(?=.*\bprivate\b)(?=.*\bmax-age=3600\b)(?=.*\bno-transform\b)/i } }],
        ["$name: once private", { path => '/in/up/two', headers => $red }, { headers => { 'Cache-Control' => sub { 1 == (() = $_[0] =~ /private/g) } } }],
    );
}

allow_log('AH01630', 'AH01631', qr/AH0(0750|0773|2377|2384)/);
finish();
