# SPDX-License-Identifier: Apache-2.0
#
# What a filtered response looks like to a client, whatever the backend sends: each refusal beside what passes.

use strict;
use warnings;

use RR::Test;
use RR::Token;
use RR::Upstream;
use RR::Util qw(json_text wait_for);

my $httpd = httpd(modules => [qw(core jwt filter)], extra => [qw(cache cache_disk)],
                  start => 0);
my $upstream = RR::Upstream->start(dir => $httpd->dir . '/upstream');
my $key = RR::Token->key('ES256');
my $jwks = $httpd->file('keys.json', json_text({ keys => [$key->jwk] }));
my $gate = $httpd->file('gate.json', <<'JSON');
{
  "token": [
    {
      "claim": { "pattern": "^tier$" },
      "value": { "pattern": "^(premium|enterprise)$" },
      "presence": "must_absent"
    }
  ],
  "requestPath": {
    "path": { "pattern": "^/v1/export" },
    "presence": "must_exist"
  },
  "operations": [
    {
      "effect": "destroy",
      "jsonPath": { "pattern": ".*" },
      "notes": "Block export endpoint — premium or enterprise tier required in JWT"
    }
  ],
  "notes": "Tier gate: export requires premium/enterprise claim in JWT"
}
JSON
my $ssn = $httpd->file('ssn.json', json_text({ filters => [
    { id => 'no-ssn', operations => [{ effect => 'destroy', jsonPath => { pattern => '(^|\.)ssn$' } }] },
    { methods => ['PUT'], operations => [{ effect => 'retain', jsonPath => { path => '$.id' } }] },
    { headers => [{ name => { pattern => '^x-partner$' }, value => { pattern => '^yes$' } }],
      operations => [{ effect => 'destroy', jsonPath => { pattern => '^price$' } }] },
] }));
my $static = $httpd->file('htdocs/data/card.json', qq({"id":1,"ssn":"123-45-6789"}\n));
my $port = $upstream->port;
my $dir = $httpd->dir;
$httpd->{conf} = <<"CONF";
RRJwtIssuer main https://id.test.example/ audience=any jwks=file:$jwks
RRAuditLog $dir/logs/audit.log
<Location "/gate">
    AuthType RR
    RRAuthMode optional
    Require all granted
    RRFilters $gate
    ProxyPass "http://127.0.0.1:$port"
</Location>
<Location "/cached">
    AuthType RR
    RRAuthMode optional
    Require all granted
    RRFilters $gate
    ProxyPass "http://127.0.0.1:$port"
</Location>
<Location "/kept">
    ProxyPass "http://127.0.0.1:$port"
</Location>
CacheEnable disk "/cached"
CacheEnable disk "/kept"
CacheRoot $dir/cache
CacheQuickHandler On
CacheIgnoreNoLastMod On
CacheIgnoreCacheControl On
CacheStorePrivate On
<Location "/ssn">
    RRFilters $ssn
    RRFilterBuffer 4k
    ProxyPass "http://127.0.0.1:$port"
</Location>
<Location "/data">
    RRFilters $ssn
</Location>
<Location "/broken">
    ErrorDocument 404 /data/card.json
</Location>
CONF
mkdir("$dir/cache");
chmod(0777, "$dir/cache");
$httpd->start;

my $secret = '123-45-6789';
my $body = qq({ "id" : 12345678901234567890123,\n  "ssn": "$secret",\n  "price": 1.0, "more": {"\\u0073sn":1,"n":1e400} }\n);
my $cut = qq({ "id" : 12345678901234567890123,\n  "price": 1.0, "more": {"n":1e400} }\n);
$upstream->behave('/a', body => $body, headers => [['Content-Type', 'application/json'], ['ETag', '"x"'],
    ['Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT'], ['Digest', 'sha-256=x'], ['Accept-Ranges', 'bytes']]);
$upstream->behave('/v1/export', body => $body);
$upstream->behave('/v1/other', body => $body);

sub token { my (%claims) = @_;
            return { Authorization => 'Bearer ' . $key->token({ iss => 'https://id.test.example/', sub => 'u', %claims }) } }

# ---- seed 000: the tier gate ----
cases($httpd,
    ['premium: unchanged to the byte', { path => '/gate/v1/export', headers => token(tier => 'premium') },
        { status => 200, body => $body }],
    ['free: nothing of it', { path => '/gate/v1/export', headers => token(tier => 'free') }, { status => 200, body => '{}' }],
    ['no claim: as free', { path => '/gate/v1/export', headers => token() }, { status => 200, body => '{}' }],
    ['no token: as free', { path => '/gate/v1/export' }, { status => 200, body => '{}' }],
    ['another path: untouched', { path => '/gate/v1/other', headers => token(tier => 'free') }, { status => 200, body => $body }],
    ['the path with its query', { path => '/gate/v1/export?x=/v1/other' }, { status => 200, body => '{}' }],
);

# ---- a cache in front of it, quick handler and all, never gives one caller what another got ----
my @keep = (headers => [['Content-Type', 'application/json'], ['Cache-Control', 'max-age=100']]);
$upstream->behave($_, body => $body, @keep) for '/v1/export', '/kept';
cases($httpd,
    ['cached: what no filter concerns', { path => '/kept/kept' }, { status => 200, body => $body }],
    ['cached: which the cache has', { path => '/kept/kept' }, { status => 200, body => $body, headers => { Age => qr/^\d/ } }],
    ['cached: premium', { path => '/cached/v1/export', headers => token(tier => 'premium') }, { status => 200, body => $body }],
    ['cached: then free', { path => '/cached/v1/export', headers => token(tier => 'free') }, { status => 200, body => '{}' }],
    ['cached: then nobody', { path => '/cached/v1/export' }, { status => 200, body => '{}' }],
    ['cached: then premium', { path => '/cached/v1/export', headers => token(tier => 'premium') }, { status => 200, body => $body, headers => { Age => undef } }],
);

# ---- headers, methods, conditions ----
cases($httpd,
    ['kept bytes are the upstream\'s, and what tells of the others is gone', { path => '/ssn/a' },
     { status => 200, body => $cut, absent => [$secret], headers => { ETag => undef, 'Last-Modified' => undef, Digest => undef,
       'Accept-Ranges' => undef, 'Content-Length' => length $cut, 'Cache-Control' => qr/private/ } }],
    ['a method of its own: retain first, then destroy', { path => '/ssn/a', method => 'PUT', body => '{}' },
     { status => 200, body => qq({ "id" : 12345678901234567890123 }\n) }],
    ['an overridden method', { path => '/ssn/a', method => 'POST', body => '{}', headers => { 'X-HTTP-Method-Override' => 'PUT' } },
     { status => 200, body => qq({ "id" : 12345678901234567890123 }\n) }],
    ['a header\'s condition', { path => '/ssn/a', headers => { 'X-Partner' => 'no, yes' } },
     { status => 200, absent => ['price'], body => qr/12345678901234567890123/ }],
    ['HEAD', { path => '/ssn/a', method => 'HEAD' }, { status => 200, body => '',
        headers => { 'Content-Length' => undef, ETag => undef } }],
);

$upstream->behave('/echo', body => '');
my %in = (Range => 'bytes=0-5', 'If-Range' => '"x"', 'If-None-Match' => '"x"',
    'If-Modified-Since' => 'Sun, 06 Nov 1994 08:49:37 GMT',
          'If-Match' => '"y"', 'Accept-Encoding' => 'gzip', Upgrade => 'websocket', Connection => 'close, upgrade');
$upstream->behave('/echo');
cases($httpd, ['conditions of reads do not reach the backend', { path => '/ssn/echo', headers => \%in },
    { status => 200, json => { 'headers.Range' => undef, 'headers.If-Range' => undef, 'headers.If-None-Match' => undef,
      'headers.If-Modified-Since' => undef, 'headers.Upgrade' => undef, 'headers.Accept-Encoding' => 'identity',
          'headers.If-Match' => '"y"' } }]);
cases($httpd, ['conditions of writes do', { path => '/ssn/echo', method => 'POST', body => 'x', headers => \%in },
    { status => 200, json => { 'headers.Range' => undef, 'headers.If-None-Match' => '"x"', 'headers.If-Match' => '"y"' } }]);

# ---- bodies: [name, what the upstream does, what the client sees] ----
my $long = '{"ssn":"' . $secret . '","list":[' . join(',', map { qq({"ssn":"$secret","n":$_}) } 1 .. 2000) . ']}';
my $long_cut = '{"list":[' . join(',', map { qq({"n":$_}) } 1 .. 2000) . ']}';
my @bodies = (
    ['empty', { body => '' }, 200, ''],
    ['a scalar', { body => '"x"' }, 200, '"x"'],
    ['longer than the buffer', { body => $long }, 200, $long_cut],
    ['in chunks', { chunks => ['{"ss', 'n":"', $secret, '","a', '":[1', '2]', '}'] }, 200, '{"a":[12]}'],
    ['a problem of the type +json', { body => '{"ssn":1,"a":2}', type => 'application/problem+json; charset=UTF-8' },
        200, '{"a":2}'],
    ['lines', { body => qq({"ssn":1}\n{"a":1}\n), type => 'application/x-ndjson' }, 200, qq({}\n{"a":1}\n)],
    ['events', { body => qq(event: x\ndata: {"ssn":1,"a":2}\n\ndata: [DONE]\n\n), type => 'text/event-stream' }, 200,
     qq(event: x\ndata: {"a":2}\n\ndata: [DONE]\n\n)],
    ['its own error is not filtered', { status => 404, body => '{"ssn":1}' }, 404, '{"ssn":1}'],
    ['no content', { status => 204 }, 204, ''],
    ['not JSON', { body => "ssn $secret" }, 422],
    ['something after it', { body => qq({"a":"$secret"} x) }, 422],
    ['a byte order mark', { body => "\x{feff}" . qq({"a":"$secret"}) }, 422],
    ['half a surrogate pair', { body => qq({"a":"$secret\\ud800"}) }, 422],
    ['deeper than RR_MAX_DEPTH', { body => ('[' x 513) . (']' x 513) }, 422],
    ['as deep as RR_MAX_DEPTH', { body => ('[' x 512) . (']' x 512) }, 200, ('[' x 512) . (']' x 512)],
    ['a name longer than RR_MAX_PATH', { body => '{"' . ('n' x 8193) . qq(":"$secret"}) }, 422],
    ['as long as RR_MAX_PATH', { body => '{"' . ('n' x 8192) . '":1}' }, 200, '{"' . ('n' x 8192) . '":1}'],
    ['another media type', { body => $body, type => 'text/html' }, 422],
    ['no media type', { body => $body, headers => [['Content-Type', '']] }, 422],
    ['another character set', { body => $body, type => 'application/json; charset=utf-16' }, 422],
    ['the empty name, and members of it', { body => '{"":{"ssn":1,"":2},"ssn":3}' }, 200, '{"":{"":2}}'],
    ['a chunk border inside an escape', { chunks => ['{"\\u00', '73s', 'n":"', $secret, '","\\u', '0061":"\\', 'n"}'] }, 200,
        '{"\\u0061":"\\n"}'],
    ['a chunk border inside a character', { chunks => ["{\"\xc3", "\xa9\":\"\xe2\x82", "\xac\"}"] }, 200, "{\"\xc3\xa9\":\"\xe2\x82\xac\"}"],
    ['deflate', { body => $body, headers => [['Content-Encoding', 'deflate'], ['Content-Type', 'application/json']] }, 422],
    ['gzip', { body => $body, headers => [['Content-Encoding', 'gzip'], ['Content-Type', 'application/json']] }, 422],
    ['br', { body => $body, headers => [['Content-Encoding', 'br'], ['Content-Type', 'application/json']] }, 422],
    ['a part', { status => 206, body => $body, headers => [['Content-Range', 'bytes 0-9/10'], ['Content-Type',
        'application/json']] }, 422],
    ['cut off before the buffer is full', { body => $body, cut => 1 }, 422],
);
for my $case (@bodies) {
    my ($name, $does, $status, $out) = @$case;
    $upstream->behave('/b', %$does);
    my $quoted = defined $out ? $out : qr/./s;
    cases($httpd, ["body: $name", { path => '/ssn/b' }, { status => $status, absent => [$secret], body => $quoted }]);
}

# ---- broken after the first bytes: the response ends visibly ----
my $stream = '{"list":[' . join(',', map { qq({"ssn":"$secret","n":$_,"pad":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) } 1 .. 4000);
$upstream->behave('/b', body => "$stream,x]}");
for my $how (['broken past the buffer', body => "$stream,x]}"], ['cut off past the buffer', body => "$stream]}", cut => 1]) {
    my ($name, %does) = @$how;
    $upstream->behave('/b', %does);
    my $res = $httpd->request(path => '/ssn/b');
    is($res->status, 200, "$name: the status was out");
    ok(index($res->text, $secret) < 0, "$name: nothing that was cut is in it");
    ok($res->{cut}, "$name: the client sees that it broke");
}
cases($httpd, ['to a client without chunks nothing streams', { path => '/ssn/b', version => '1.0' }, { status => 422,
    absent => [$secret] }]);
$upstream->behave('/b', body => '{"a":1}');
cases($httpd, ['what fits does reach such a client', { path => '/ssn/b', version => '1.0' }, { status => 200, body => '{"a":1}' }]);

# ---- other handlers ----
cases($httpd,
    ['a file', { path => '/data/card.json' }, { status => 200, body => qq({"id":1}\n) }],
    ['a range of it', { path => '/data/card.json', headers => { Range => 'bytes=0-100' } }, { status => 200,
        body => qq({"id":1}\n) }],
    ['as an ErrorDocument', { path => '/broken/x' }, { status => 404, body => qq({"id":1}\n) }],
);

wait_for(sub { -s "$dir/logs/audit.log" });
like(RR::Util::slurp("$dir/logs/audit.log"), qr/"filters":"location:#0".*"filtered":"destroyed=4 in=\d+ out=2"/,
    'audit tells what was done');

expect_log('RR10501', 'RR10502');
allow_log('AH01102', 'AH10464', 'AH01110', 'AH02430', 'AH00128', qr/proxy/);
finish();
