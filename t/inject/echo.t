# SPDX-License-Identifier: Apache-2.0
#
# What comes back: the credential overwritten wherever it is echoed, Location, rr-proxy headers, faults in words.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64 encode_base64url);
use RR::Client;
use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');
my $vendor = secret('vendor "quoted"/slash+' . 'x' x 12, "the vendor's key");
my $short = 'tiny-secret';
stored_proxy($store, 'echo', $upstream->url('/v1'), caller => $caller,
             secret => { credentialAuthType => 'key', credentialSecret => { key => $vendor, header => 'X-Vendor' } });
stored_proxy($store, 'root', $upstream->url, caller => $caller,
             secret => { credentialAuthType => 'key', credentialSecret => { key => $vendor, header => 'X-Vendor' } });
stored_proxy($store, 'unmasked', $upstream->url('/v1'), caller => $caller,
             secret => { credentialAuthType => 'key', credentialSecret => { key => 'tiny', header => 'X-Vendor' } });
stored_proxy($store, 'bare', $upstream->url('/v1'), caller => $caller);
stored_proxy($store, 'named', "http://localhost:@{[$upstream->port]}/v1", caller => $caller);
my $address = sprintf('127.%d.%d.9', 1 + $$ % 250, ($$ >> 8) % 250); # of this test alone
my $usual = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 80, Listen => 1, ReuseAddr => 1);
if ($usual) {
    close($usual);
    $usual = upstream(address => $address, port => 80);
}
stored_proxy($store, 'usual', "http://$address/v1", caller => $caller);
stored_proxy($store, 'usual-written', "http://$address:80/v1", caller => $caller);
stored_proxy($store, 'short', $upstream->url('/v1'), caller => $caller,
             secret => { credentialAuthType => 'key', credentialSecret => { key => $short } });
stored_proxy($store, 'closed', 'http://127.0.0.1:9', caller => $caller);
stored_proxy($store, 'nowhere', 'http://nowhere.invalid/', caller => $caller);
stored_proxy($store, 'outside', 'http://192.0.2.1/', caller => $caller);

my $httpd = httpd(modules => [qw(core keyauth inject)], vars => { BACKEND => $upstream->url }, conf => $store->conf . <<'CONF');
RRTargetAllow loopback
RRProxyHeaders On
<Location "/own">
    AuthType RR
    RRTargetCredential default/echo
    Require rr-key
    ProxyPass "@BACKEND@/v1"
</Location>
<Location "/bare">
    AuthType RR
    Require rr-key
    ProxyPass "@BACKEND@/v1"
</Location>
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/quiet">
    AuthType RR
    RRGateway On
    RRProxyHeaders Off
    Require rr-proxy
</Location>
<Location "/mount">
    AuthType RR
    RRProxy echo
    Require rr-proxy
</Location>
<Location "/nothing-allowed">
    RRTargetAllow 192.0.2.0/24
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF
my %key = (headers => { 'X-API-Key' => $caller->{key} });
my $stars = '*' x length $vendor;

# ---- bodies, whole and in pieces ----
(my $json = $vendor) =~ s/(["\\])/\\$1/g;
(my $slashes = $json) =~ s{/}{\\/}g;
(my $percent = $vendor) =~ s/([^A-Za-z0-9._~-])/sprintf('%%%02X', ord $1)/ge;
my $bytes = join('', map { sprintf('%%%02X', ord) } split(//, $vendor));
my $points = join('', map { sprintf('\\u%04X', ord) } split(//, $vendor));
my %forms = (bytes => $bytes, 'bytes, lower' => lc $bytes, points => $points, 'points, lower' => $points =~ s/([A-F])/\L$1/gr,
             bare => $vendor, json => $json, slashes => $slashes, percent => $percent, lower => $percent =~ s/(%..)/\L$1/gr,
             base64 => encode_base64($vendor, '') =~ s/=*$//r, base64url => encode_base64url($vendor) =~ s/=*$//r);
for my $form (sort keys %forms) {
    my $text = $forms{$form};
    my $body = "before $text between $text after";
    my $want = $body =~ s/\Q$text\E/'*' x length $text/ger;
    for my $type ('text/plain', 'application/json; charset=utf-8', 'application/problem+json', 'text/event-stream') {
        $upstream->behave('/v1/x', body => $body, type => $type);
        check("$form in $type", $httpd->request(path => '/gw/echo/x', %key), { status => 200, body => $want,
              headers => { 'Content-Length' => length $body } });
    }
    for my $size (1, 2, 3, 7, 19) {
        $upstream->behave('/v1/x', type => 'text/plain', chunks => [$body =~ /(.{1,$size})/gs]);
        check("$form in pieces of $size", $httpd->request(path => '/gw/echo/x', %key), { status => 200, body => $want });
    }
    for my $status (404, 500, 503) {
        $upstream->behave('/v1/x', body => $body, type => 'text/html', status => $status);
        check("$form with $status", $httpd->request(path => '/gw/echo/x', %key), { status => $status, body => $want });
    }
}
for my $type (qw(application/ndjson application/jsonl application/x-jsonlines application/json-seq application/vnd.api+json application/xml application/soap+xml)) {
    $upstream->behave('/v1/x', body => "before $vendor after", type => $type);
    check("a body of $type", $httpd->request(path => '/gw/echo/x', %key), { status => 200, body => "before $stars after" });
}
for my $end (map { substr($vendor, 0, $_) } 1, 5, length($vendor) - 1) {
    $upstream->behave('/v1/x', body => "ends with $end", type => 'text/plain');
    check('a body that ends with the first ' . length($end) . ' bytes of it',
          $httpd->request(path => '/gw/echo/x', %key), { status => 200, body => "ends with $end" });
}
$upstream->behave('/v1/x', body => 'y' x 300_000 . $vendor . 'y' x 300_000, type => 'text/plain');
check('a long body', $httpd->request(path => '/gw/echo/x', %key), { body => 'y' x 300_000 . $stars . 'y' x 300_000 });
$upstream->behave('/v1/x', body => "\0$vendor", type => 'application/octet-stream');
check('a binary body is as it was', $httpd->request(path => '/gw/echo/x', %key), { body => "\0$vendor", leak => 1 });
$upstream->behave('/v1/x', body => "a $short b", type => 'text/plain');
check('a secret too short to be one', $httpd->request(path => '/gw/short/x', %key), { body => "a $short b" });
$upstream->behave('/v1/x', body => "a Bearer $short b", type => 'text/plain');
check('but not its header\'s value', $httpd->request(path => '/gw/short/x', %key),
      { body => 'a ' . '*' x length("Bearer $short") . ' b' });
$upstream->behave('/v1/x', headers => [['X-Echo', "was $vendor"], ['Set-Cookie', "v=$percent"]], body => 'x');
check('headers', $httpd->request(path => '/gw/echo/x', %key),
      { headers => { 'X-Echo' => "was $stars", 'Set-Cookie' => 'v=' . '*' x length $percent } });

$upstream->behave('/v1/x', reason => "OK for $vendor", body => 'x');
check('the status line', $httpd->request(path => '/gw/echo/x', %key), { status => 200 });
is($httpd->request(path => '/gw/echo/x', %key)->{reason}, "OK for $stars", 'has it overwritten too');
$upstream->behave('/v1/x', early => "Link: <$vendor>", body => 'x');
my $hinted = $httpd->request(path => '/gw/echo/x', %key);
check('early hints', $hinted, { status => 200, body => 'x' });
ok(!$hinted->{interim}, 'do not go out: nothing of ours sees them');

# ---- nor do they to a client that waits for leave to send its body ----
for my $case (['bare', '/v1/x', 1], ['echo', '/v1/x', 0], ['root', '/x', 0], ['unmasked', '/v1/x', 0]) {
    my ($proxy, $path, $travels) = @$case;
    my $hint = $travels ? 'a hint' : $vendor;
    $upstream->behave($path, continue => "X-Hint: $hint", early => "Link: <$hint>", body => 'x');
    my $res = $httpd->request(method => 'POST', path => "/gw/$proxy/x", headers => { %{ $key{headers} }, Expect => '100-continue' }, body => 'hello');
    check("$proxy: a body behind Expect: 100-continue", $res, { status => 200, body => 'x' });
    my @interim = map { { status => $_->status, hints => scalar grep { /^(?:X-Hint|Link)$/i } map { $_->[0] } @{ $_->{headers} } } }
        @{ $res->{interim} || [] };
    is_deeply(\@interim, $travels ? [{ status => 100, hints => 1 }, { status => 103, hints => 1 }] : [{ status => 100, hints => 0 }],
              $travels ? 'without a credential the target\'s interim answers travel' : 'with one the gateway gives leave itself');
    $upstream->behave($path);
}

# ---- what would bring it back in a shape that is not masked ----
my %shapes = ('Accept-Encoding' => 'gzip', Range => 'bytes=5-', 'If-Range' => '"x"');
$upstream->behave('/v1/x');
for my $where ('/gw/echo', '/gw/unmasked', '/own') {
    check("$where: no compression and no ranges are asked for", $httpd->request(path => "$where/x", headers => { %{ $key{headers} }, %shapes }),
          { status => 200, json => { map { ("headers.$_" => undef) } keys %shapes } });
}
check('without a credential to send they are', $httpd->request(path => '/bare/x', headers => { %{ $key{headers} }, %shapes }),
      { status => 200, json => { map { ("headers.$_" => $shapes{$_}) } keys %shapes } });

# ---- trailers, which HTTP/2 sends ----
for my $type ('text/plain', 'application/octet-stream') {
    $upstream->behave('/v1/x', type => $type, chunks => ['abc', 'def'], trailers => [['X-Echo', "was $vendor"]]);
    for my $where ('/gw/echo', '/own') {
        check("$where: a trailer of $type", $httpd->request(path => "$where/x", %key, http2 => 1),
              { status => 200, body => qr/^abcdefx-echo: was \Q$stars\E\r?\n/ });
    }
}

# ---- Location ----
my $origin = $upstream->url;
for my $case (['below the base', "$origin/v1/next?a=b#c", '/gw/echo/next?a=b#c'], ['the base', "$origin/v1", '/gw/echo'],
              ['a path', '/v1/next', '/gw/echo/next'], ['without a scheme', substr($origin, 5) . '/v1/next', '/gw/echo/next'],
              ['scheme in capitals', $origin =~ s/^http/HTTP/r . '/v1/next', '/gw/echo/next'],
              ['a user of that host', $origin =~ s{//}{//user@}r . '/v1/next', $origin =~ s{//}{//user@}r . '/v1/next'],
              ['the same in capitals is another path', "$origin/V1/next", "$origin/V1/next"],
              ['that host at the usual port is another origin', 'http://127.0.0.1/v1/next', 'http://127.0.0.1/v1/next'], ['a relative one', 'next', 'next'],
              ['another path of the target', "$origin/v2/x", "$origin/v2/x"], ['that path alone', '/v10/x', "$origin/v10/x"],
              ['another host', 'https://elsewhere.example/v1/x', 'https://elsewhere.example/v1/x']) {
    my ($name, $location, $want) = @$case;
    $upstream->behave('/v1/x', status => 302, headers => [['Location', $location]], body => '');
    check("Location: $name", $httpd->request(path => '/gw/echo/x', %key), { status => 302, headers => { Location => $want } });
}
my $port = $upstream->port;
for my $case (['the host in capitals', "http://LOCALHOST:$port/v1/next", '/gw/named/next'],
              ['a longer host', "http://LOCALHOST.example:$port/v1/next", "http://LOCALHOST.example:$port/v1/next"]) {
    my ($name, $location, $want) = @$case;
    $upstream->behave('/v1/x', status => 302, headers => [['Location', $location]], body => '');
    check("Location: $name", $httpd->request(path => '/gw/named/x', %key), { status => 302, headers => { Location => $want } });
}
SKIP: {
    skip('port 80 is not ours to listen on', 8) unless $usual;
    for my $proxy ('usual', 'usual-written') {
        for my $case (['', "/gw/$proxy/next"], [':80', "/gw/$proxy/next"], [':', "/gw/$proxy/next"], [':81', undef]) {
            my ($colon, $want) = @$case;
            my $location = "http://$address$colon/v1/next";
            $usual->behave('/v1/x', status => 302, headers => [['Location', $location]], body => '');
            check("Location: the usual port as '$colon', $proxy", $httpd->request(path => "/gw/$proxy/x", %key),
                  { status => 302, headers => { Location => $want || $location } });
        }
    }
}
$upstream->behave('/v1/x', status => 302, headers => [['Location', '/v1/next']], body => '');
check('Location below a mount', $httpd->request(path => '/mount/x', %key), { status => 302, headers => { Location => '/mount/next' } });
$upstream->behave('/v1/x', status => 302, headers => [['Location', "$origin/gw/root/x"]], body => '');
check('Location is mapped once', $httpd->request(path => '/gw/root/v1/x', %key),
      { status => 302, headers => { Location => '/gw/root/gw/root/x' } });

# ---- rr-proxy-code ----
$upstream->behave('/v1/x', headers => [['rr-proxy-code', 'forged'], ['RR-Proxy-Message', 'forged']], body => 'x');
cases($httpd,
    ['a granted request', { path => '/gw/echo/x', %key },
     { status => 200, headers => { 'rr-proxy-code' => 'proxy-access-granted', 'rr-proxy-message' => qr/forwarded/ } }],
    ['the target\'s own are removed', { path => '/quiet/echo/x', %key },
     { status => 200, headers => { 'rr-proxy-code' => undef, 'rr-proxy-message' => undef } }],
    ['a denied request', { path => '/gw/echo/x' }, { status => 401, headers => { 'rr-proxy-code' => 'proxy-access-denied' } }],
    ['an unknown proxy', { path => '/gw/unknown/x', %key }, { status => 403, headers => { 'rr-proxy-code' => 'proxy-access-denied' } }],
    ['a refused request', { method => 'TRACE', path => '/gw/echo/x', %key },
     { status => 405, headers => { 'rr-proxy-code' => 'proxy-request-refused' } }],
    ['a target that refuses connections', { path => '/gw/closed/x', %key },
     { status => 502, headers => { 'rr-proxy-code' => 'proxy-target-unavailable' }, json => { detail => qr/not be reached/ } }],
    ['a name that does not resolve', { path => '/gw/nowhere/x', %key }, { status => 502, json => { detail => qr/cannot reach/ } }],
    ['clear http to elsewhere', { path => '/gw/outside/x', %key }, { status => 502, json => { detail => qr/cannot reach/ } }],
    ['loopback where it is not allowed', { path => '/nothing-allowed/echo/x', %key }, { status => 502 }],
);

# ---- a target that misbehaves; the same worker goes on ----
for my $case (['hangs up', close => 1], ['answers half', cut => 1, pad => 4000]) {
    my ($name, %how) = @$case;
    $upstream->behave('/v1/x', %how);
    my $res = $httpd->request(path => '/gw/echo/x', %key);
    ok($res->status == 502 || $res->{cut}, "a target that $name") or diag($res->text);
}
$upstream->behave('/v1/x');
check('and one that answers again', $httpd->request(path => '/gw/echo/x', %key), { status => 200 });

allow_log('AH01630', 'AH01102', 'AH01114', 'AH00957', 'AH02429', 'AH00898', 'AH01110', 'RR10602', 'AH10516', qr/AH00959/);
expect_log('RR10602');
finish();
