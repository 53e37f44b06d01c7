# SPDX-License-Identifier: Apache-2.0
#
# Connections to targets: kept, replaced when the target changes; https verified or nothing is sent.

use strict;
use warnings;

use RR::Admin;
use RR::Cert;
use RR::Inject;
use RR::Test;

my ($store, $upstream, $other) = (store(), upstream(), upstream());
my $authority = RR::Cert->authority(place_for('ca'));
my $tls = upstream(tls => $authority->all);
(my $tls_url = $tls->url) =~ s/127\.0\.0\.1/localhost/; # mod_ssl compares names, never addresses
my $caller = $store->key('caller');
my $operator = $store->key('operator', '--scope', 'rr:admin');
my %vendor = (credentialAuthType => 'key', credentialSecret => { key => secret('vendor-key-' . 'v' x 20, 'vendor key') },
              credentialAllowedOrigins => [$upstream->url, $other->url, $tls_url]);

my $plain = stored_proxy($store, 'plain', $upstream->url, caller => $caller, secret => { %vendor });
stored_proxy($store, 'tls', "$tls_url/v1", caller => $caller, secret => { %vendor });
stored_proxy($store, 'bare', "$tls_url/bare", caller => $caller);

my $conf = $store->conf . admin_location() . <<'CONF';
RRTargetAllow loopback
SSLProxyEngine On
SSLProxyCACertificateFile @CA@
SSLProxyVerify @VERIFY@
SSLProxyCheckPeerName @CHECK@
SSLProxyCheckPeerCN @CHECK@
SSLProxyCheckPeerExpire @CHECK@
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
# Others who are trusted in their place: for one path of the target, for requests to another port.
<Proxy "@TLS@/v1/inner">
    SSLProxyCACertificateFile @OTHERS@
</Proxy>
<VirtualHost 127.0.0.1:@PORT2@>
    SSLProxyCACertificateFile @OTHERS@
</VirtualHost>
<VirtualHost 127.0.0.1:@PORT3@>
</VirtualHost>
# One worker of the operator's, with and without a credential.
<Location "/open">
    ProxyPass "@TLS@/own"
</Location>
<Location "/own">
    AuthType RR
    Require rr-key
    RRTargetCredential default/plain
    ProxyPass "@TLS@/own"
</Location>
CONF
sub conf { my ($verify, $check) = @_; return $conf =~ s/\@VERIFY\@/$verify/gr =~ s/\@CHECK\@/$check/gr }
my $httpd = httpd(modules => [qw(core keyauth inject admin)], extra => [qw(ssl)], children => 1, threads => 8, ports => 3,
                  vars => { CA => $authority->ca_file, OTHERS => RR::Cert->authority(place_for('others'))->ca_file, TLS => $tls_url }, conf => conf('require', 'On'));
my %key = (headers => { 'X-API-Key' => $caller->{key} });

sub connections { my ($server) = @_; my %seen = map { $_->{connection} => 1 } $server->requests; return scalar keys %seen }

# ---- kept ----
{
    my $client = $httpd->connect;
    for my $n (1 .. 20) {
        my $res = $client->exchange(path => "/gw/plain/$n", keep => 1, %key);
        is($res->status, 200, "request $n on one connection") if $n == 1 || $res->status != 200;
    }
    $client->close;
    is($upstream->count, 20, 'twenty requests');
    is(connections($upstream), 1, 'were sent on one connection');
}
check("another connection of a client's", $httpd->request(path => '/gw/plain/x', %key), { status => 200 });
is(connections($upstream), 1, 'uses it too');
check('a host with other authorities', $httpd->request(path => '/gw/plain/x', on => 2, %key), { status => 200 });
is(connections($upstream), 1, 'too, since no TLS settings count for http');

# ---- a target changes ----
my $change = RR::Admin->new($httpd, $operator)->call('PUT', "targets/$plain->{target}{id}",
    { targetName => 'plain', targetBaseURL => $other->url('/new') });
check('a target moves', $change, { status => 200 });
check('the next request', $httpd->request(path => '/gw/plain/x', %key), { status => 200, json => { target => '/new/x' } });
is($upstream->count, 22, 'does not go to the old place');
is($other->count, 1, 'but to the new one');

# ---- a connection serves nobody who would not have trusted it ----
{
    my $before = $tls->count;
    for my $round (1, 2) {
        check("round $round: below the base", $httpd->request(path => '/gw/tls/x', %key), { status => 200 });
        check("round $round: by a host that trusts the same", $httpd->request(path => '/gw/tls/x', on => 3, %key), { status => 200 });
        check("round $round: below a path with other authorities", $httpd->request(path => '/gw/tls/inner/x', %key), { status => 502 });
        check("round $round: by a host with other authorities", $httpd->request(path => '/gw/tls/x', on => 2, %key), { status => 502 });
    }
    is($tls->count - $before, 4, 'nothing is sent where the authority is another one');
    is(connections($tls), 1, 'and the others share a connection');
}

# ---- https ----
sub tls_cases
{
    my ($how) = @_;
    for my $cert ('good', 'expired', 'wrong-name', 'self-signed') {
        $tls->show_cert($cert);
        $httpd->graceful; # connections of the old generation end
        for my $where ('/gw/tls/x', '/gw/bare/x', '/own/x') {
            my $before = $tls->count;
            my $good = $cert eq 'good';
            check("$how, $cert, $where", $httpd->request(path => $where, %key),
                  $good ? { status => 200 } : { status => 502, json => { status => 502 } });
            is(seen($tls)->{sni}, 'localhost', "$how, $where: the handshake asks for the target's name") if $good && $where =~ /gw/;
            is($tls->count - $before, $good ? 1 : 0, "$how, $cert, $where: " . ($good ? 'sent' : 'nothing sent'));
        }
    }
}
tls_cases('verified by mod_ssl');
$tls->show_cert('good');
$httpd->restart(conf('none', 'Off'));
tls_cases('left open by mod_ssl');

$tls->show_cert('self-signed');
$httpd->graceful;
my $before = $tls->count;
check("the operator's own, without a credential", $httpd->request(path => '/open/x'), { status => 200 });
is($tls->count - $before, 1, 'is none of our business');
check('the same connection, with a credential', $httpd->request(path => '/own/x', %key), { status => 502 });
is($tls->count - $before, 1, 'nothing is sent on it');

expect_log('RR10610');
allow_log('AH01630', 'AH01084', 'AH01097', 'AH01114', 'AH00898', 'AH02411', 'AH02039', 'AH02004', 'AH01085', qr/AH0\d{4}/);
finish();
