# SPDX-License-Identifier: Apache-2.0
#
# Where a request to a stored proxy goes: mount, base URL, path, query, method, body.

use strict;
use warnings;

use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');
my $stranger = $store->key('stranger');
my $vendor = secret('vendor-key-' . ('v' x 20), 'vendor key');
my %key = (credentialAuthType => 'key', credentialSecret => { key => $vendor });

my $plain = stored_proxy($store, 'plain', $upstream->url, caller => $caller, secret => { %key });
stored_proxy($store, 'based', $upstream->url('/v1/'), caller => $caller, secret => { %key });
stored_proxy($store, 'deep', $upstream->url('/a/b%20c'), caller => $caller, secret => { %key });
stored_proxy($store, 'bare', $upstream->url('/open'), caller => $caller);
stored_proxy($store, 'idle', $upstream->url, caller => $caller, proxyActive => \0);

my $httpd = httpd(modules => [qw(core keyauth inject)], conf => $store->conf . <<'CONF');
RRTargetAllow loopback
RRKeyQuery apikey
RRKeyHeader Authorization
RRKeyHeader Authorization Bearer
RRKeyHeader X-API-Key
<Location "/plain">
    AuthType RR
    RRProxy plain
    Require rr-proxy
</Location>
<Location "/based/">
    AuthType RR
    RRProxy default/based
    Require rr-proxy
</Location>
<Location "/bare">
    AuthType RR
    RRProxy bare
    Require rr-proxy
</Location>
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/gw/fixed">
    RRProxy default/based
</Location>
<Location "/bare/all">
    RRGateway On
</Location>
<Location "/gw-of-others">
    AuthType RR
    RRGateway On client others
    Require rr-proxy
</Location>
CONF

sub by { return { 'X-API-Key' => $caller->{key}, @_ } }
sub to
{
    my ($path, $target, %more) = @_;
    return [$path, { path => $path, headers => by() }, { status => 200, json => { target => $target }, %more, leak => 1 }];
}

# ---- path and query ----
cases($httpd,
    to('/plain', '/'),
    to('/plain/', '/'),
    to('/plain/v1/charges?limit=3', '/v1/charges?limit=3'),
    to('/plain/a%20b/c%C3%A9', '/a%20b/c%C3%A9'),
    to('/plain/%7Euser/a+b', '/%7Euser/a+b'),
    to('/plain/100%25', '/100%25'),
    to('/plain/%2525', '/%2525'),
    to('/plain/a:b@c,d=e;f', '/a:b@c,d=e;f'),
    to('/plain/?', '/?'),
    to('/plain/x?a=%26&b=%20&c', '/x?a=%26&b=%20&c'),
    to('/%70lain/x', '/x'),
    to('/plain//x', '/x'),
    to('/plain/a/../x', '/x'),
    to('/plain/./x', '/x'),
    to('/based/charges', '/v1/charges'),
    to('/based/', '/v1/'),
    to('/gw/deep/x', '/a/b%20c/x'),
    to('/gw/deep', '/a/b%20c'),
    to('/gw/plain/y?z', '/y?z'),
    to('/gw/fixed/charges', '/v1/charges'),
    to('/bare/all/plain/y', '/y'),
    to("/gw/$plain->{proxy}{id}/y", '/y'),
    to('/gw/pl%61in/y', '/y'),
    ['dots do not leave the mount', { path => '/plain/../htdocs', headers => by() }, { status => 404 }],
    ['an encoded slash', { path => '/plain/a%2Fb', headers => by() }, { status => 404 }],
    ['a key in the query is not sent on', { path => "/plain/x?a=1&apikey=$caller->{key}&b=2" },
     { status => 200, json => { target => '/x?a=1&b=2' }, leak => 1 }],
    ['a key in the query alone', { path => "/plain/x?apikey=$caller->{key}" },
     { status => 200, json => { target => '/x' }, leak => 1 }],
    ['an absolute form', { raw => "GET http://api.test/plain/x?y HTTP/1.1\r\nHost: api.test\r\nX-API-Key: $caller->{key}\r\n"
                                . "Connection: close\r\n\r\n" }, { status => 200, json => { target => '/x?y' }, leak => 1 }],
);

# ---- who ----
cases($httpd,
    ['nobody', { path => '/plain/x' }, { status => 401, headers => { 'WWW-Authenticate' => qr/Bearer/ } }],
    ['a wrong key', { path => '/plain/x', headers => { 'X-API-Key' => 'wrong' . 'k' x 12 } }, { status => 401 }],
    ['a key of another credential', { path => '/plain/x', headers => { 'X-API-Key' => $stranger->{key} } },
     { status => 403 }],
    ['an inactive proxy', { path => '/gw/idle/x', headers => by() }, { status => 403 }],
    ['an unknown proxy', { path => '/gw/nothing/x', headers => by() }, { status => 403 }],
    ['no proxy at all', { path => '/gw/', headers => by() }, { status => 403 }],
    ["a gateway for another client's proxies", { path => '/gw-of-others/plain/x', headers => by() }, { status => 403 }],
);

# ---- method, body, host ----
cases($httpd,
    (map { [$_, { method => $_, path => '/plain/m', headers => by(), $_ eq 'GET' || $_ eq 'DELETE' || $_ eq 'OPTIONS'
                                                    ? () : (body => '{"a":1}') },
            { status => 200, json => { method => $_, $_ eq 'GET' || $_ eq 'DELETE' || $_ eq 'OPTIONS' ? ()
                                                                              : (body => '{"a":1}') }, leak => 1 }] }
     qw(GET POST PUT PATCH DELETE OPTIONS PROPFIND)),
    ['HEAD', { method => 'HEAD', path => '/plain/m', headers => by() }, { status => 200, body => '' }],
    ['a chunked body', { method => 'POST', path => '/plain/m', headers => by(), body => ['one,', 'two'] },
     { status => 200, json => { body => 'one,two' }, leak => 1 }],
    ['Host is the target\'s', { path => '/plain/m', headers => by(), host => 'api.test' },
     { status => 200, json => { 'headers.Host' => '127.0.0.1:' . $upstream->port }, leak => 1 }],
    ['TRACE', { method => 'TRACE', path => '/plain/m', headers => by() },
     { status => 405, headers => { Allow => qr/GET/ }, absent => [qr/X-API-Key/] }],
    ['Max-Forwards: 0', { path => '/plain/m', headers => by('Max-Forwards' => 0) }, { status => 400 }],
    ['OPTIONS with Max-Forwards: 0', { method => 'OPTIONS', path => '/plain/m', headers => by('Max-Forwards' => 0) },
     { status => 400 }],
    ['Max-Forwards: 1', { path => '/plain/m', headers => by('Max-Forwards' => 1) }, { status => 200, leak => 1 }],
    ['a target without credential', { path => '/bare/x', headers => by() },
     { status => 200, json => { target => '/open/x', 'headers.Authorization' => undef, 'headers.X-API-Key' => undef } }],
    ['HTTP/2', { path => '/plain/h2?a=b', headers => by(), http2 => 1 },
     { status => 200, json => { target => '/h2?a=b', 'headers.Authorization' => qr/^\*+$/ } }],
);

allow_log('AH01630');
finish();
