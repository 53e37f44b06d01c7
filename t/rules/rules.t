# SPDX-License-Identifier: Apache-2.0
#
# Rules of a file decide: each clause with both outcomes, the path that is judged is the one that
# the backend gets, a body is given back as it came.

use strict;
use warnings;

use RR::Test;
use RR::Token;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $up = $upstream->url('');
my $es = RR::Token->key('ES256', kid => 'k');
my $partner = canary('partner');
my $httpd = httpd(modules => [qw(core jwt rules)], start => 0);
my $jwks = $httpd->file('keys.json', json_text({ keys => [$es->jwk] }));

sub rules { my ($name, @rules) = @_; return $httpd->file($name, json_text(\@rules)) }
sub pattern { return { pattern => $_[0], @_ > 1 ? (flags => $_[1]) : () } }
sub header { my ($name, $value, $presence) = @_;
             return { name => pattern($name), value => pattern($value), presence => $presence || 'must_exist' } }

my $mail = rules('mail.json', { id => 'send', effect => 'allow', methods => ['POST'], priority => 10,
    path => { path => pattern('^/v3/mail/send$'), presence => 'must_exist' } });
my $any = rules('any.json', { effect => 'allow' });
my $seeds = rules('seeds.json',
    { id => 'user', effect => 'allow', methods => ['GET', 'POST'], priority => 10,
      path => { path => pattern('^/v1/user/'), presence => 'must_exist' }, headers => [header('^X-User-Auth$', '.*')] },
    { id => 'partner', effect => 'allow', methods => ['GET'], priority => 5,
      path => { path => pattern('^/partner/'), presence => 'must_exist' },
      headers => [header('^X-Partner-Key$', "^$partner\$")] },
    { id => 'premium', effect => 'allow', pathPattern => '^/export',
      token => [{ claim => pattern('^tier$'), value => pattern('^(premium|enterprise)$'), presence => 'must_exist' }] },
    { id => 'search', effect => 'allow', pathPattern => '^/search$',
      queryChecks => [{ name => pattern('^q$'), value => pattern('^[a-z]+$'), presence => 'present' }] },
    { id => 'orders', effect => 'allow', methods => ['POST', 'PUT'], pathPattern => '^/orders$',
      body => [{ jsonPath => pattern('^amount$'), value => pattern('^[0-9]{1,3}$'), presence => 'must_exist' }] },
    { id => 'upload', effect => 'allow', methods => ['POST'], pathPattern => '^/upload$' },
    { id => 'slow', effect => 'allow', pathPattern => '^/slow/(a+)+$' },
    { id => 'admin', effect => 'deny', pathPattern => '^/v1/user/admin', regexFlags => 'i' },
);
$httpd->{conf} = <<"CONF";
AllowEncodedSlashes NoDecode
RRJwtIssuer main https://id.test.example audience=any jwks=file:$jwks
<Location "/mail">
    AuthType RR
    Require rr-jwt
    RRRules $mail
    ProxyPass "$up"
</Location>
<Location "/seeds/">
    AuthType RR
    Require rr-jwt
    RRRules $seeds
    RRRuleBody 1k
    ProxyPass "$up/"
</Location>
<Location "/open">
    RRRules $seeds
    RRDefaultEffect allow
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/watch">
    RRRules $mail
    RRRuleMode observe
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/all">
    RRRules $any
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/raw">
    RRRules $any
    Require all granted
    ProxyPass "$up" nocanon
</Location>
<Location "/lenient">
    RRRules $any
    RRPathStrict Off
    Require all granted
    ProxyPass "$up"
</Location>
<Location "/plain">
    ProxyPass "$up"
</Location>
<LocationMatch "^/match/">
    RRRules $mail
    Require all granted
</LocationMatch>
CONF
$httpd->start;

my %claims = (iss => 'https://id.test.example', sub => 'alice');
sub bearer { return (Authorization => 'Bearer ' . $es->token({ %claims, @_ })) }
sub ask { my ($request) = @_;
          my $headers = $request->{headers} || {};
          return { %$request, headers => ref $headers eq 'HASH' ? { bearer(), %$headers } : $headers } }
sub passes { my ($name, $request, %more) = @_; return [$name, ask($request), { status => 200, leak => 1, %more }] }
sub fails { my ($name, $request, $detail, $status) = @_;
            return [$name, ask($request), { status => $status || 403, json => { detail => $detail }, absent => ['^/'] }] }
my $default = qr/^No rule of the scope location allows this request\.$/;
my $json = 'application/json';

cases($httpd,
    # ---- the one operation ----
    passes('the one operation', { method => 'POST', path => '/mail/v3/mail/send', body => '{}' }, json => { path => '/v3/mail/send', body => '{}' }),
    fails('another method', { path => '/mail/v3/mail/send' }, $default),
    fails('a longer path', { method => 'POST', path => '/mail/v3/mail/send/x' }, $default),
    fails('a shorter path', { method => 'POST', path => '/mail/v3/mail' }, $default),
    fails('the mount itself', { method => 'POST', path => '/mail' }, $default),
    fails('a line feed after it', { method => 'POST', path => '/mail/v3/mail/send%0a' }, qr/control character/, 400),
    passes('a query is apart', { method => 'POST', path => '/mail/v3/mail/send?x=/../%2f', body => '{}' }, json => { query => 'x=/../%2f' }),
    ['no credential: 401 before rules', { method => 'POST', path => '/mail/v3/mail/send' }, { status => 401 }],

    # ---- headers ----
    passes('a header there', { path => '/seeds/v1/user/7', headers => { 'x-user-auth' => 'a.b.c' } }),
    fails('a header not there', { path => '/seeds/v1/user/7' }, $default),
    fails('the other clause: another method', { method => 'PUT', path => '/seeds/v1/user/7', headers => { 'X-User-Auth' => 'a' } }, $default),
    fails('the other clause: another path', { path => '/seeds/v1/users', headers => { 'X-User-Auth' => 'a' } }, $default),
    fails('deny wins, and names itself', { path => '/seeds/v1/user/ADMIN', headers => { 'X-User-Auth' => 'a' } },
       qr/^Rule admin of the scope location denies this request\.$/),
    passes('a secret header of the right value is not forwarded', { path => '/seeds/partner/x', headers => { 'X-Partner-Key' => $partner } },
        leak => 0, json => { 'headers.X-Partner-Key' => undef, 'headers.x-partner-key' => undef, path => '/partner/x' }),
    fails('a secret header of another value', { path => '/seeds/partner/x', headers => { 'X-Partner-Key' => 'partner' } }, $default),
    fails('a secret header twice', { path => '/seeds/partner/x', headers => [bearer(), 'X-Partner-Key', $partner, 'X-Partner-Key', 'x'] }, $default),

    # ---- query ----
    passes('a parameter', { path => '/seeds/search?q=abc&q=d' }),
    fails('a parameter of another value', { path => '/seeds/search?q=1' }, $default),
    fails('one of two values', { path => '/seeds/search?q=abc&q=1' }, $default),
    fails('no parameter', { path => '/seeds/search' }, $default),

    # ---- token ----
    passes('a claim', { path => '/seeds/export', headers => { bearer(tier => 'premium') } }),
    passes('an element of a claim', { path => '/seeds/export', headers => { bearer(tier => ['free', 'enterprise']) } }),
    fails('a claim of another value', { path => '/seeds/export', headers => { bearer(tier => 'free') } }, $default),
    fails('no claim', { path => '/seeds/export' }, $default),

    # ---- body ----
    passes('a body', { path => '/seeds/orders', body => '{"amount": 999}', headers => { 'Content-Type' => $json } },
        json => { body => '{"amount": 999}', 'headers.Content-Length' => 15 }),
    passes('a body in chunks', { path => '/seeds/orders', method => 'PUT', body => ['{"am', 'ount":1', '}'], headers => { 'Content-Type' => "$json; charset=UTF-8" } },
        json => { body => '{"amount":1}' }),
    passes('a body of as many bytes as may be', { path => '/seeds/orders', body => '{"amount":7}' . ' ' x 1012, headers => { 'Content-Type' => $json } },
        json => { body => sub { length $_[0] == 1024 } }),
    fails('one byte more', { path => '/seeds/orders', body => '{"amount":7}' . ' ' x 1013, headers => { 'Content-Type' => $json } },
       qr/^Rule orders of the scope location could not be decided: the request body is longer than the 1024 bytes/),
    fails('one byte more in chunks', { path => '/seeds/orders', body => ['{"amount":7}', ' ' x 1013], headers => { 'Content-Type' => $json } }, qr/longer than/),
    fails('a body of another value', { path => '/seeds/orders', body => '{"amount":1000}', headers => { 'Content-Type' => $json } }, $default),
    fails('a body that is not JSON', { path => '/seeds/orders', body => 'amount=9', headers => { 'Content-Type' => $json } }, qr/is not JSON/),
    fails('a body with a member twice', { path => '/seeds/orders', body => '{"amount":9,"amount":1000}', headers => { 'Content-Type' => $json } }, qr/is not JSON/),
    fails('a body declared as a form', { path => '/seeds/orders', body => '{"amount":9}', headers => { 'Content-Type' => 'application/x-www-form-urlencoded' } }, qr/not declared as JSON/),
    fails('a body declared in UTF-16', { path => '/seeds/orders', body => '{"amount":9}', headers => { 'Content-Type' => "$json; charset=utf-16" } }, qr/not declared as JSON/),
    fails('a packed body', { path => '/seeds/orders', body => '{"amount":9}', headers => { 'Content-Type' => $json, 'Content-Encoding' => 'gzip' } }, qr/the request body has a Content-Encoding/),
    passes('a packed body that no body rule wants', { path => '/seeds/upload', body => 'packed', headers => { 'Content-Encoding' => 'gzip' } }, json => { body => 'packed' }),
    fails('no body', { method => 'POST', path => '/seeds/orders' }, $default),
    passes('an upload that no body rule wants, of any length', { path => '/seeds/upload', body => 'x' x 300_000 }, json => { body => sub { length $_[0] == 300_000 } }),

    # ---- limits ----
    fails('a pattern at its limits', { path => '/seeds/slow/' . 'a' x 100 . '!' }, qr/^Rule slow of the scope location could not be decided: a pattern/),
    fails('a pattern at its limits again', { path => '/seeds/slow/' . 'a' x 101 . '!' }, qr/could not be decided/),
    passes('the same pattern within its limits', { path => '/seeds/slow/' . 'a' x 20 }),

    # ---- defaults and modes ----
    ['default allow', { path => '/open/whatever' }, { status => 200 }],
    ['default allow, denied', { path => '/open/v1/user/admin' }, { status => 403 }],
    ['default allow, an allow with a token is none', { path => '/open/export' }, { status => 200 }],
    ['observed, would pass', { method => 'POST', path => '/watch/v3/mail/send', body => '' }, { status => 200 }],
    ['observed, would be denied', { path => '/watch/x' }, { status => 200, json => { path => '/x' } }],
    ['observed, a path of two readings', { path => '/watch/x;y' }, { status => 200 }],
    ['nocanon is refused', { path => '/raw/x' }, { status => 403 }],
    ['without rules nothing changes', { path => '/plain/x;y' }, { status => 200 }],
    ['in a LocationMatch the whole path is judged', { method => 'POST', path => '/match/v3/mail/send' }, { status => 403 }],
);

# Every way to write a path: refused, or judged as the backend sees it.
my $seen = sub { my ($path) = @_; $path =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; return $path };
for my $case (
    ['/all/a', '/a'], ['/all/%61', '/a'], ['/all/a%20b', '/a b'], ['/all/a%23b', '/a#b'], ['/all/a%3fb', '/a?b'], ['/all/caf%c3%a9', "/caf\xc3\xa9"],
    ['/all/100%25', '/100%'], ['/all/a.', '/a.'], ['/all/...', '/...'], ['/all/A', '/A'], ['/%61ll/x', '/x'], ['http://127.0.0.1/all/b', '/b'],
    ['/all/a%2fb', 400], ['/all/a%5cb', 400], ['/all/a\\b', 400], ['/all/a%00b', qr/40[04]/], ['/all/a;b', 400], ['/all/a%3bb', 400], ['/all//a', 400],
    ['/all/a//b', 400], ['//all/a', 400], ['/all/../all/a', 400], ['/all/%2e%2e/all/a', 400], ['/all/./a', 400], ['/all/a/.', 400], ['/all/a%252fb', 400],
    ['/all/a%252e%252e', 400], ['/all/a%u002fb', 400], ['/all/a%', 400], ['/all/a%0ab', 400], ['/all/a%7f', 400], ['/all/%c0%af', 400], ['/x/../all/a', 400],
    ['/all/a#b', 400], ['/all/' . 'a' x 7000, '/' . 'a' x 7000], ['/all/' . 'a/' x 4200 . 'b', 414],
    ['/lenient/a//b', '/a/b'], ['/lenient/x/../a', '/a'], ['/lenient/a;b', '/a;b'],
) {
    my ($target, $want) = @$case;
    my $name = substr($target, 0, 40);
    my $res = $httpd->request(path => $target);
    if (ref $want || $want =~ /^\d+$/) {
        like($res->status, ref $want ? $want : qr/^$want$/, "$name is refused");
    }
    else {
        is($res->status, 200, "$name passes") or diag($res->text);
        is($seen->(($res->json || {})->{path}), $want, "$name: the backend got what was judged");
    }
}

# HTTP/2 says the same.
cases($httpd,
    ['HTTP/2, default allow, denied', { http2 => 1, path => '/open/v1/user/admin' }, { status => 403 }],
    ['HTTP/2, default allow', { http2 => 1, path => '/open/v1/user/x' }, { status => 200 }],
    ['HTTP/2, a path of two readings', { http2 => 1, path => '/open/v1//x' }, { status => 400 }],
);

# Bodies over HTTP/2, and after each other on one connection.
my @json = (headers => { bearer(), 'Content-Type' => $json });
cases($httpd,
    ['HTTP/2, a body', { http2 => 1, path => '/seeds/orders', body => '{"amount":5}', @json }, { status => 200, leak => 1, json => { body => '{"amount":5}' } }],
    ['HTTP/2, a body of another value', { http2 => 1, path => '/seeds/orders', body => '{"amount":5000}', @json }, { status => 403 }],
);
my $connection = $httpd->connect;
for my $case (['{"amount":1}', 200], ['{"amount":7}' . ' ' x 5_000, 403], ['{"amount":2}', 200], [['{"amount":3}', ' ' x 5_000], 403], [['{"amount"', ':4}'], 200],
              ['amount=4', 403], ['{"amount":5}', 200]) {
    my ($text, $status) = @$case;
    my $res = $connection->exchange(method => 'POST', path => '/seeds/orders', body => $text, keep => 1, @json);
    my $shown = substr(ref $text ? join('', @$text) : $text, 0, 20);
    is($res->status, $status, "one after the other: $shown");
    is($res->json->{body}, ref $text ? join('', @$text) : $text, "and given back: $shown") if $status == 200;
}
$connection->close;

# A client that waits for 100 before it sends its body.
$connection = $httpd->connect;
my %expect = (method => 'POST', path => '/seeds/orders', keep => 1, headers => { bearer(), 'Content-Type' => $json, Expect => '100-continue', 'Content-Length' => 12 });
$connection->send($connection->bytes(%expect));
$connection->fill(sub { $connection->{buffer} =~ /\r\n\r\n/ });
like($connection->take(25), qr{^HTTP/1\.1 100 Continue\r\n\r\n}, 'the body is asked for');
$connection->send('{"amount":6}');
is($connection->response->status, 200, 'and judged');
$connection->close;

expect_log('RR10404', 'RR10405');
allow_log('AH10244', 'AH01144');
my @named = $httpd->errorlog =~ /RR10404/g;
ok(@named <= 2, 'the catastrophic pattern is named once a child');
like($httpd->errorlog, qr/RR10407: would be refused by location:default/, 'what is observed is logged');
finish();
