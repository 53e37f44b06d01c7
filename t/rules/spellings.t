# SPDX-License-Identifier: Apache-2.0
#
# A stored proxy whose rules deny one path, one method and let all else through: no spelling of these reaches the
# backend as what is denied.

use strict;
use warnings;

use RR::Admin;
use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');
stored_proxy($store, 'vendor', $upstream->url, caller => $caller);
my $httpd = httpd(modules => [qw(core keyauth rules inject admin)], conf => $store->conf . admin_location() . <<'CONF');
RRTargetAllow loopback
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF
my $admin = RR::Admin->new($httpd, $store->key('operator', '--scope', 'rr:admin'));
my ($proxy) = @{ $admin->call('GET', 'proxies')->json->{proxies} };
$admin->make("proxies/$proxy->{id}/rules", { effect => 'deny', pathPattern => '^/closed', regexFlags => 'i' });
$admin->make("proxies/$proxy->{id}/rules", { effect => 'deny', methods => ['DELETE'] });
my %key = ('X-API-Key' => $caller->{key});
my $gw = '/gw/vendor';

cases($httpd,
    ['another path', { path => "$gw/open", headers => { %key } }, { status => 200, json => { path => '/open' } }],
    ['the path', { path => "$gw/closed", headers => { %key } }, { status => 403 }],
    ['another method', { method => 'POST', path => "$gw/open", body => '', headers => { %key } }, { status => 200, json => { method => 'POST' } }],
    ['the method', { method => 'DELETE', path => "$gw/open", headers => { %key } }, { status => 403 }],
    ['the method in lower case', { method => 'delete', path => "$gw/open", headers => { %key } }, { status => 403 }],
    ['the method by override', { method => 'POST', path => "$gw/open", body => '', headers => { %key, 'X-HTTP-Method-Override' => 'DELETE' } }, { status => 403 }],
    ['by a parameter', { method => 'POST', path => "$gw/open?_method=delete", body => '', headers => { %key } }, { status => 403 }],
    ['HTTP/2, another path', { http2 => 1, path => "$gw/open", headers => { %key } }, { status => 200 }],
    ['HTTP/2, the path', { http2 => 1, path => "$gw/closed", headers => { %key } }, { status => 403 }],
    ['HTTP/2, encoded', { http2 => 1, path => "$gw/%63losed", headers => { %key } }, { status => 403 }],
    ['HTTP/2, an empty segment', { http2 => 1, path => "$gw//closed", headers => { %key } }, { status => 400 }],
);

# Each is refused, or is another path for the backend as well.
my $before = $upstream->count;
for my $target ("$gw/Closed", "$gw/CLOSED/x", "$gw/%63losed", "$gw/%43LOSED", "$gw//closed", "/gw//vendor/closed", "//gw/vendor/closed", "$gw/./closed",
                "$gw/x/../closed", "$gw/x/%2e%2e/closed", "$gw/.%2e/vendor/closed", "$gw/%2fclosed", "$gw%2fclosed", "$gw/%5cclosed", "$gw/\\closed",
                "$gw/;/closed", "$gw/closed;x=1", "$gw;x/closed", "$gw/%252e/closed", "$gw/%2563losed", "$gw/closed%00", "$gw/closed.", "$gw/closed...",
                "$gw/closed%20", "$gw/closed#x", "$gw/closed%23", "$gw/closed?x", "$gw/closed%3fx", "$gw/closed/" . 'a' x 7000, "$gw/open#/../closed",
                "http://h$gw/closed", "http://h$gw//closed", "$gw/%c0%afclosed", "$gw/closed%0a") {
    my $res = $httpd->request(raw => "GET $target HTTP/1.1\r\nHost: h\r\nX-API-Key: $caller->{key}\r\nConnection: close\r\n\r\n");
    like($res->status, qr/^40[034]$/, substr($target, 0, 60));
}
is($upstream->count, $before, 'none of these reached the backend');
my $res = $httpd->request(raw => "GET http://h$gw/open HTTP/1.1\r\nHost: h\r\nX-API-Key: $caller->{key}\r\nConnection: close\r\n\r\n");
is($res->status, 200, 'absolute form, another path');

allow_log('AH10244', 'AH01630', 'AH00026');
finish();
