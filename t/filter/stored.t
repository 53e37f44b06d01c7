# SPDX-License-Identifier: Apache-2.0
#
# Filters of the store on forwarded responses: the four scopes in their order, and what a client sees of them.

use strict;
use warnings;

use RR::Inject;
use RR::Test;
use RR::Util qw(run);

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');
my $second = $store->key('second');
my $made = stored_proxy($store, 'mail', $upstream->url, caller => $caller,
                        secret => { credentialAuthType => 'key', credentialSecret => { key => secret('vendor-key-' . 'v' x 20) } });
stored_proxy($store, 'bare', $upstream->url, caller => $caller);
$store->make('proxy', { proxyName => 'both', proxyAlias => 'both', proxyTargetId => $store->make('target', { targetName => 'both',
    targetBaseURL => $upstream->url })->{id}, proxyProxyCredentialIds => [map { $_->{credentialId} } $caller, $second], proxyDefaultRuleEffect => 'allow' });
my %id = (vendor => $made->{credential}{id}, target => $made->{target}{id}, credential => $caller->{credentialId},
          second => $second->{credentialId}, proxy => $made->{proxy}{id});

my $httpd = httpd(modules => [qw(core keyauth rules filter inject)], start => 0);
my $log = $httpd->dir . '/logs/audit.log';
my $edge = $httpd->file('edge.json', json_text({ operations => [{ effect => 'destroy', jsonPath => { pattern => '^edge$' } }] }));
my $inner = $httpd->file('inner.json', json_text({ pathPattern => '^/mail/v1/', operations => [{ effect => 'destroy', jsonPath => { pattern => '^n$' } }] }));
$httpd->{conf} = $store->conf . <<"CONF";
RRTargetAllow loopback
RRFilterBuffer 4k
RRAuditLog $log
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/gwf">
    AuthType RR
    RRGateway On
    RRFilters $inner
    Require rr-proxy
</Location>
<Location "/deep/mail">
    AuthType RR
    RRProxy mail
    Require rr-proxy
</Location>
<Location "/edge">
    AuthType RR
    RRProxy mail
    RRFilters $edge
    Require rr-proxy
</Location>
CONF
$httpd->start;

my $count = 0;
# Hangs a filter on an owner by SQL: what any tool writes counts on the next request.
sub filter
{
    my ($owner, $body) = @_;
    my $column = $owner =~ /^(?:vendor|credential|second)$/ ? 'credential' : $owner;
    my $name = 'filter' . ++$count;
    (my $json = ref $body ? json_text($body) : $body) =~ s/'/''/g;
    $store->sql("INSERT INTO rr_filter (id, client, $column, body, created) VALUES ('$name', 'default', '$id{$owner}', '$json', 1)");
    return $name;
}
sub clear { $store->sql('DELETE FROM rr_filter') }
sub destroy { my ($pattern, %when) = @_; return { operations => [{ effect => 'destroy', jsonPath => { pattern => $pattern } }], %when } }
sub get { my ($path, %more) = @_; return { path => $path, headers => { 'X-API-Key' => $caller->{key}, %{ delete $more{with} || {} } }, %more } }
sub body { return { status => 200, body => $_[0] } }
sub last_line
{
    my ($path) = @_;
    return wait_for(sub { my @all = grep { $_->{path} eq $path } map { json_data($_) } split(/\n/, slurp($log)); @all ? $all[-1] : undef });
}

# ---- the four scopes, in their order: each takes by the place that the one before left ----
my $list = '{"items":[1,2,3,4,5,6,7,8,9],"edge":1}';
$upstream->behave($_, body => $list) for qw(/v1/list /list /gw/mail/list);
my %takes = (vendor => 0, target => 1, credential => 3, proxy => 4);
sub left
{
    my @items = 1 .. 9;
    splice(@items, $takes{$_}, 1) for @_;
    return join(',', @items);
}
cases($httpd, ['no filter', get('/gw/mail/list'), body($list)]);
my %name;
for my $owner (qw(proxy credential target vendor)) {
    $name{$owner} = filter($owner, destroy("^items\\[$takes{$owner}\\]\$"));
}
my $left = left(qw(vendor target credential proxy));
my $cut = qq({"items":[$left],"edge":1});
is($left, '2,4,5,7,9', 'what is left in the right order');
isnt(left(@$_), $left, "the order @$_ would show") for [qw(target vendor credential proxy)], [qw(vendor credential target proxy)],
    [qw(vendor target proxy credential)], [qw(proxy credential target vendor)];
cases($httpd,
    ['all four', get('/gw/mail/list'), body($cut)],
    ['all four by RRProxy', get('/deep/mail/list'), body($cut)],
    ['all four over HTTP/2', get('/gw/mail/list', http2 => 1), body($cut)],
    ["and the section's own", get('/edge/list'), body(qq({"items":[$left]}))],
    ['another proxy with the same caller: only the caller\'s', get('/gw/bare/list'), body('{"items":[1,2,3,5,6,7,8,9],"edge":1}')],
    ['another caller of a proxy: not that one\'s', get('/gw/both/list', with => { 'X-API-Key' => $second->{key} }), body($list)],
);
my $line = last_line('/edge/list');
is($line->{filters}, "target credential:$name{vendor} target:$name{target} proxy credential:$name{credential} proxy:$name{proxy} location:#0",
   'audit names the filters in their order');
is($line->{filtered}, 'destroyed=5 in=' . length($list) . ' out=' . length(qq({"items":[$left]})), 'and counts');
is($line->{rule}, 'proxy:default', 'beside the rule');
ok(!last_line('/gw/both/list')->{filters}, 'and nothing where none applied');
clear();
cases($httpd, ['rows that are gone do nothing', get('/gw/mail/list'), body($list)]);
filter('vendor', { operations => [{ effect => 'retain', jsonPath => { pattern => '^items$' } }] });
filter('proxy', { operations => [{ effect => 'retain', jsonPath => { pattern => '^edge$' } }] });
cases($httpd, ['what is gone stays gone', get('/gw/mail/list'), body('{}')]);
clear();

# ---- conditions: the path is the one below the mount ----
my $doc = qq({ "ssn" : "123-45-6789", "id":12345678901234567890123 , "n":1.0}\n);
my $without = qq({ "id":12345678901234567890123 , "n":1.0}\n);
$upstream->behave($_, body => $doc) for qw(/v1/a /gw/mail/v1/a /v2/a);
filter('proxy', destroy('^ssn$', requestPath => { path => { pattern => '^/v1/' }, presence => 'must_exist' }));
cases($httpd,
    ['below a gateway', get('/gw/mail/v1/a'), body($without)],
    ['by the proxy\'s id', get("/gw/$id{proxy}/v1/a"), body($without)],
    ['below RRProxy', get('/deep/mail/v1/a'), body($without)],
    ['spelled with codes', get('/gw/mail/%76%31/a'), { status => 200, absent => ['123-45'] }],
    ['another path', get('/gw/mail/v2/a'), body($doc)],
    ['the mount does not count', get('/gw/mail/gw/mail/v1/a'), body($doc)],
);
clear();
filter('target', destroy('^ssn$', methods => ['POST']));
filter('credential', destroy('^n$', headers => [{ name => { pattern => '^x-partner$' }, value => { pattern => '^yes$' } }]));
cases($httpd,
    ['another method', get('/gw/mail/v1/a'), body($doc)],
    ['the method', get('/gw/mail/v1/a', method => 'POST', body => 'x'), body($without)],
    ['an overridden one', get('/gw/mail/v1/a', method => 'PUT', body => 'x', with => { 'X-HTTP-Method-Override' => 'POST' }), body($without)],
    ['a header', get('/gw/mail/v1/a', with => { 'X-Partner' => 'yes' }), { status => 200, absent => ['1.0}'] }],
);
clear();

# ---- a stage may look at what those before it did not, and a section's paths are not a proxy's ----
filter('vendor', destroy('^none$'));
filter('target', destroy('^ssn$', pathPattern => '^/v1/'));
filter('credential', destroy('^id$', headers => [{ name => { pattern => '^x-tier$' }, value => { pattern => '^premium$' }, presence => 'must_absent' }]));
my $only_n = qq({ "n":1.0}\n);
my $id_and_n = qq({ "id":12345678901234567890123 , "n":1.0}\n);
cases($httpd,
    ['the third looks at headers: absent', get('/gw/mail/v1/a'), body($only_n)],
    ['and there', get('/gw/mail/v1/a', with => { 'X-Tier' => 'premium' }), body($id_and_n)],
    ['the section\'s path', get('/gwf/mail/v1/a', with => { 'X-Tier' => 'premium' }), body(qq({ "id":12345678901234567890123}\n))],
    ['is not another one', get('/gwf/mail/v2/a', with => { 'X-Tier' => 'premium' }), body($doc)],
);
filter('proxy', destroy('^n$', headers => [{ name => { pattern => '^x-api-key$' } }]));
cases($httpd, ['the fourth looks at a credential that nobody sees any more', get('/gw/mail/v1/a'), body("{}")]);
clear();

# ---- rows that somebody else wrote ----
my $broken = filter('proxy', '{"operations":"maybe"}');
cases($httpd, ['a filter that is none closes its proxy', get('/gw/mail/v1/a'), { status => 503, absent => ['maybe', '123-45', $broken] }],
              ['and no other', get('/gw/bare/v1/a'), body($doc)]);
clear();
cases($httpd, ['it opens again', get('/gw/mail/v1/a'), body($doc)]);
for my $owner (qw(credential target vendor)) {
    filter($owner, '{"operations":[{"effect":"destroy","jsonPath":{"pattern":"("}}]}');
    cases($httpd, ["one of its $owner closes it too", get('/gw/mail/v1/a'), { status => 503, absent => ['123-45'] }]);
    clear();
}
cases($httpd, ['and open', get('/gw/mail/v1/a'), body($doc)]);

# ---- headers ----
filter('proxy', destroy('^ssn$'));
my @tags = (['Content-Type', 'application/json'], ['ETag', '"x"'], ['Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT'],
            ['Content-MD5', 'x'], ['Digest', 'sha-256=x'], ['Accept-Ranges', 'bytes']);
$upstream->behave('/tags', body => $doc, headers => \@tags);
my %gone = map { $_ => undef } qw(ETag Last-Modified Content-MD5 Digest Accept-Ranges);
my %asks = (Range => 'bytes=0-5', 'If-Range' => '"x"', 'If-None-Match' => '"x"', 'If-Match' => '"y"', Upgrade => 'websocket',
            'If-Modified-Since' => 'Sun, 06 Nov 1994 08:49:37 GMT', 'Accept-Encoding' => 'gzip', Connection => 'close, upgrade');
cases($httpd,
    ['fingerprints of what was destroyed', get('/gw/mail/tags'), { status => 200, body => $without,
        headers => { %gone, 'Content-Length' => length $without, 'Cache-Control' => qr/private/ } }],
    ['HEAD', get('/gw/mail/tags', method => 'HEAD'), { status => 200, body => '', headers => { %gone, 'Content-Length' => undef } }],
    ['HEAD over HTTP/2', get('/gw/mail/tags', method => 'HEAD', http2 => 1), { status => 200, body => '', headers => { %gone, 'Content-Length' => undef } }],
    ['without a filter they stay', get('/gw/bare/tags'), { status => 200, headers => { ETag => '"x"', 'Content-Length' => length $doc } }],
    ['conditions of reads stay here', get('/gw/mail/echo', with => \%asks), { status => 200, leak => 1, json => {
        (map { ("headers.$_" => undef) } qw(Range If-Range If-None-Match If-Modified-Since Upgrade)), 'headers.If-Match' => '"y"',
        'headers.Accept-Encoding' => sub { !defined $_[0] || $_[0] eq 'identity' } } }],
    ['conditions of writes travel', get('/gw/mail/echo', method => 'PUT', body => 'x', with => { 'If-Match' => '"y"', 'If-None-Match' => '*' }),
        { status => 200, leak => 1, json => { 'headers.If-Match' => '"y"', 'headers.If-None-Match' => '*' } }],
);

# ---- bodies that cannot be inspected; what passes stands beside them ----
my $long = '{"list":[' . join(',', map { qq({"ssn":1,"n":$_}) } 1 .. 2000) . ']}';
for my $case (
    ['an object', { body => $doc }, 200, $without],
    ['+json', { body => '{"ssn":"123-45"}', type => 'application/hal+json' }, 200, '{}'],
    ['longer than the buffer', { body => $long }, 200, $long],
    ['its own error', { status => 404, body => '{"ssn":1}' }, 404, '{"ssn":1}'],
    ['no content', { status => 204 }, 204, ''],
    ['not JSON', { body => 'ssn 123-45' }, 422],
    ['text', { body => $doc, type => 'text/plain' }, 422],
    ['broken', { body => '{"a":"123-45",' }, 422],
    ['a part', { status => 206, body => $doc, headers => [['Content-Type', 'application/json'], ['Content-Range', 'bytes 0-1/9']] }, 422],
    ['gzip', { body => $doc, headers => [['Content-Type', 'application/json'], ['Content-Encoding', 'gzip']] }, 422],
    ['cut off', { body => $doc, cut => 1 }, qr/^(?:422|502)$/],
) {
    my ($name, $does, $status, $out) = @$case;
    $upstream->behave('/b', %$does);
    for my $http2 (0, 1) {
        cases($httpd, [$name . ($http2 ? ' over HTTP/2' : ''), get('/gw/mail/b', $http2 ? (http2 => 1) : ()),
                       { status => $status, absent => ['123-45'], defined $out ? (body => $out) : () }]);
    }
}
$line = last_line('/gw/mail/b');
like($line->{filtered}, qr/^destroyed=\d+ in=\d+ out=0$/, 'audit says that nothing of a refused one left') or diag(json_text($line));

# ---- it breaks when the first bytes are out ----
my $stream = '{"list":[' . join(',', map { qq({"ssn":1,"n":$_,"pad":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) } 1 .. 4000);
for my $how (['whole', { body => "$stream]}" }, 0], ['broken', { body => "$stream,x]}" }, 1], ['cut off', { body => "$stream]}", cut => 1 }, 1]) {
    my ($name, $does, $breaks) = @$how;
    $upstream->behave('/s', %$does);
    my $res = $httpd->request(%{ get('/gw/mail/s') });
    is($res->{status}, 200, "streamed, $name: the status is out");
    is($res->{cut} ? 1 : 0, $breaks, "streamed, $name: whether the client sees it break");
    my $got = run('curl', '-sS', '--http2-prior-knowledge', '--max-time', 30, '-o', $httpd->dir . '/h2.out', '-w', '%{http_version} %{http_code}',
                  '-H', "X-API-Key: $caller->{key}", 'http://127.0.0.1:' . $httpd->port . '/gw/mail/s');
    is($got->{out}, '2 200', "streamed, $name: over HTTP/2");
    is($got->{exit} ? 1 : 0, $breaks, "streamed, $name: whether a client of HTTP/2 sees it break") or diag($got->{err});
}

# ---- 101: what follows is no response ----
$upstream->behave('/up', status => 101, headers => [['Upgrade', 'websocket'], ['Connection', 'upgrade']]);
my %upgrade = (Upgrade => 'websocket', Connection => 'upgrade', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version' => 13);
cases($httpd,
    ['an upgrade', get('/gw/bare/up', with => \%upgrade), { status => 101 }],
    ['an upgrade behind a filter', get('/gw/mail/up', with => \%upgrade), { status => 502 }],
    ['one that nobody asked for', get('/gw/mail/up'), { status => 502 }],
);

expect_log('RR10501', 'RR10502');
allow_log('AH01102', 'AH10464', 'AH01110', 'AH02430', 'AH00128', 'RR10711', qr/proxy/);
finish();
