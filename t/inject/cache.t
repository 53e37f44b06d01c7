# SPDX-License-Identifier: Apache-2.0
#
# mod_cache before stored proxies, in both of its places: an answer that one caller got is nobody else's.

use strict;
use warnings;

use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my ($alice, $bob) = map { $store->key($_) } qw(alice bob);
my $stranger = $store->key('stranger');
my $both = { caller => $alice, proxyProxyCredentialIds => [map { $_->{credentialId} } $alice, $bob],
             secret => { credentialAuthType => 'key', credentialSecret => { key => secret('vendor-key-' . 'v' x 20) } },
             proxyIdentityHeaders => { 'X-User-Id' => 'sub' } };
stored_proxy($store, 'vendor', $upstream->url, %$both);

# Every answer asks to be cached, by whoever can.
my @lasting = (['Cache-Control', 'public, max-age=3600, s-maxage=3600'], ['ETag', '"1"'], ['Last-Modified', 'Sun, 01 Nov 2026 00:00:00 GMT']);
$upstream->behave($_, headers => [@lasting], body => "answer of $_") for qw(/plain /mine /x);
$upstream->behave('/moved', status => 302, headers => [@lasting, ['Location', $upstream->url('/x')]], body => 'moved');
$upstream->behave('/gone', status => 410, headers => [@lasting], body => 'gone');
$upstream->behave('/varies', headers => [@lasting, ['Vary', 'X-User-Id']], body => 'varies');

my $missed = sub { ($_[0] || '') !~ /HIT/ };
for my $quick (qw(On Off)) {
    my $httpd = httpd(modules => [qw(core keyauth rules filter inject)], extra => [qw(cache cache_disk)],
                      vars => { BACKEND => $upstream->url, QUICK => $quick }, conf => $store->conf . <<'CONF');
RRTargetAllow loopback
CacheEnable disk /
CacheRoot "@ROOT@/state"
CacheQuickHandler @QUICK@
CacheHeader On
CacheIgnoreCacheControl On
CacheStorePrivate On
CacheStoreNoStore On
CacheStoreExpired On
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/granted">
    AuthType RR
    RRProxy vendor
    Require all granted
</Location>
RewriteEngine On
RewriteRule ^/old/(.*) /gw/vendor/$1 [PT]
ProxyPass "/plain" "@BACKEND@/plain"
CONF
    sub by { return { 'X-API-Key' => $_[0]{key} } }

    # ---- control: what is open is cached ----
    cases($httpd, ["quick $quick: an open answer", { path => '/plain' }, { status => 200, headers => { 'X-Cache' => qr/MISS/ } }]);
    my $before = $upstream->count;
    cases($httpd, ["quick $quick: and again, from the cache", { path => '/plain' }, { status => 200, headers => { 'X-Cache' => qr/HIT/ } }]);
    is($upstream->count, $before, "quick $quick: which nobody had to be asked for");

    for my $path (qw(/gw/vendor/mine /gw/vendor/mine?a=b /gw/vendor/moved /gw/vendor/gone /gw/vendor/varies /granted/x /old/x)) {
        my $first = $httpd->request(path => $path, headers => by($alice));
        check("quick $quick: $path, alice", $first, { status => qr/^(200|302|410)$/, headers => { 'X-Cache' => $missed,
              'Cache-Control' => qr/^(?!.*(public|s-maxage)).*\bprivate\b/i } });
        my $asked = $upstream->count;
        cases($httpd,
            ["quick $quick: $path, nobody", { path => $path }, { status => 401, headers => { 'X-Cache' => $missed }, absent => [qr/answer of|varies|gone/] }],
            ["quick $quick: $path, a stranger", { path => $path, headers => by($stranger) },
             { status => 403, headers => { 'X-Cache' => $missed }, absent => [qr/answer of|varies|gone/] }],
        );
        is($upstream->count, $asked, "quick $quick: $path, who are not forwarded");
        for my $who (['bob', $bob], ['alice again', $alice]) {
            check("quick $quick: $path, $who->[0]", $httpd->request(path => $path, headers => by($who->[1])),
                  { status => $first->status, headers => { 'X-Cache' => $missed } });
            is($upstream->count, ++$asked, "quick $quick: $path, $who->[0]: the target is asked");
        }
    }
    # ---- refused first ----
    cases($httpd,
        ["quick $quick: nobody first", { path => '/gw/vendor/x?first' }, { status => 401 }],
        ["quick $quick: then alice", { path => '/gw/vendor/x?first', headers => by($alice) },
         { status => 200, body => 'answer of /x', headers => { 'X-Cache' => $missed } }],
        ["quick $quick: then nobody, who says to have it", { path => '/gw/vendor/x?first', headers => { 'If-None-Match' => '"1"' } },
         { status => 401 }],
    );
}

allow_log('AH01630', 'RR10401');
finish();
