# SPDX-License-Identifier: Apache-2.0
#
# Where in a request a key is read, and what else may stand there.

use strict;
use warnings;

use RR::Test;
use RR::Token;

my $store = store();
my $key = $store->key('robot', '--metadata', json_text({ userId => 'robot' }))->{key};
my $other = $store->key('other', '--metadata', json_text({ userId => 'other' }))->{key};
my $special = secret('brought/key+with=odd&parts;%41');
$store->key('special', '--key', $special, '--metadata', json_text({ userId => 'special' }));
my $signer = RR::Token->key('ES256');
my $token = $signer->token({ sub => 'x' });

my $httpd = httpd(modules => [qw(core keyauth)], conf => $store->conf . join('', map {
    my ($path, @lines) = @$_;
    "<Location \"$path\">\n    AuthType RR\n    Require rr-key\n    SetHandler rr-me\n" . join('', map { "    $_\n" } @lines) . "</Location>\n";
} (
    ['/default'],
    ['/header', 'RRKeyHeader X-Token'],
    ['/scheme', 'RRKeyHeader Authorization ApiKey'],
    ['/token-scheme', 'RRKeyHeader Authorization Token', 'RRKeyHeader X-Key Key'],
    ['/query', 'RRKeyQuery api_key'],
    ['/odd-query', 'RRKeyQuery "key[]"'],
    ['/cookie', 'RRKeyCookie session'],
    ['/several', 'RRKeyHeader X-API-Key', 'RRKeyQuery api_key', 'RRKeyCookie session'],
    ['/several/inner', 'RRKeyQuery inner_key'],
    ['/optional', 'RRAuthMode optional', 'Require all granted'],
)));

my $port = $httpd->port;
my $origin = "http://127.0.0.1:$port";
my $robot = { status => 200, json => { sub => 'robot' } };
my $absent = { status => 401, headers => { 'WWW-Authenticate' => qr/^\w+ realm="[^"]*"$/ } };
my $wrong = { status => 401, headers => { 'WWW-Authenticate' => qr/error="invalid_token"/ } };
(my $coded = $key) =~ s/(.)/sprintf('%%%02x', ord $1)/ge;

# Each byte that no credential has, at the ends of a step of sixteen bytes, in its middle and behind the last one.
my @odd = map { my $byte = $_; map { [$byte, $_] } 0, 7, 15, 16, 31, 32, length($key) } 0x01, 0x1f, 0x20, 0x7f, 0x80, 0xff;
my @even = map { my $byte = $_; map { [$byte, $_] } 0, 16, length($key) } 0x21, 0x7e;
sub with_byte { my ($byte, $at) = @_; return substr($key, 0, $at) . sprintf('%%%02x', $byte) . substr($key, $at) }

sub at { my ($path, %headers) = @_; return { path => $path, headers => \%headers } }

cases($httpd,
    # ---- by default ----
    ['X-API-Key', at('/default', 'X-API-Key' => $key), $robot],
    ['x-api-key', at('/default', 'x-api-key' => $key), $robot],
    ['Bearer', at('/default', Authorization => "Bearer $key"), $robot],
    ['bearer in small letters', at('/default', Authorization => "bearer $key"), $robot],
    ['BEARER and blanks', at('/default', Authorization => "BEARER   $key  "), $robot],
    ['Authorization, raw', at('/default', Authorization => $key), $robot],
    ['X-API-Key with blanks around', at('/default', 'X-API-Key' => "  $key  "), $robot],
    ['HTTP/2', { path => '/default', http2 => 1, headers => { 'X-API-Key' => $key } }, $robot],
    ['HEAD', { path => '/default', method => 'HEAD', headers => { 'X-API-Key' => $key } }, { status => 200, body => '' }],
    ['the same in two places', at('/default', 'X-API-Key' => $key, Authorization => "Bearer $key"), $robot],
    ['the same twice, raw', at('/default', 'X-API-Key' => $key, Authorization => $key), $robot],
    ['two different ones', at('/default', 'X-API-Key' => $key, Authorization => "Bearer $other"), $wrong],
    ['two different ones, the first wrong', at('/default', 'X-API-Key' => 'some-other-key', Authorization => "Bearer $key"), $wrong],
    ['two different ones, the second wrong', at('/default', 'X-API-Key' => $key, Authorization => 'Bearer some-other-key'), $wrong],
    ['X-API-Key twice, different', { path => '/default', headers => ['X-API-Key', $key, 'X-API-Key', $other] }, $wrong],
    ['X-API-Key twice, wrong first', { path => '/default', headers => ['X-API-Key', 'some-other-key', 'X-API-Key', $key] }, $wrong],
    ['X-API-Key twice, empty first', { path => '/default', headers => ['X-API-Key', '', 'X-API-Key', $key] }, $wrong],
    ['Authorization twice, different', { path => '/default', headers => ['Authorization', "Bearer $key", 'Authorization', "Bearer $other"] }, $wrong],
    ['a wrong one is not saved by none', at('/default', 'X-API-Key' => 'some-other-key'), $wrong],
    ['Bearer without anything', at('/default', Authorization => 'Bearer'), $wrong],
    ['Bearer and blanks', at('/default', Authorization => 'Bearer   '), $wrong],
    ['Bearer and two words', at('/default', Authorization => "Bearer $key $key"), $wrong],
    ['Bearer with a list', at('/default', Authorization => "Bearer $key, Bearer $key"), $wrong],
    ['empty X-API-Key', at('/default', 'X-API-Key' => ''), $wrong],
    ['another scheme is not ours', at('/default', Authorization => "Digest $key"), $absent],
    ['Basic is not ours here', at('/default', Authorization => 'Basic dXNlcjpwYXNzd29yZA=='), $absent],
    ['another scheme beside a key', at('/default', Authorization => 'Digest x="y"', 'X-API-Key' => $key), $robot],
    ['not in the query', { path => "/default?api_key=$key&key=$key&access_token=$key" }, $absent],
    ['not in a cookie', at('/default', Cookie => "api_key=$key; X-API-Key=$key"), $absent],
    ['not in another header', at('/default', 'X-Api-Token' => $key, 'Proxy-Authorization' => "Bearer $key"), $absent],
    ['X_API_Key is another name', at('/default', 'X_API_Key' => $key), $absent],
    # ---- a token's shape in Authorization is not a key; elsewhere it is one, and unknown ----
    ['a token, Bearer', at('/default', Authorization => "Bearer $token"), $wrong],
    ['a token, raw', at('/default', Authorization => $token), $wrong],
    ['a token in X-API-Key', at('/default', 'X-API-Key' => $token), $wrong],
    ['a token beside a key', at('/default', Authorization => "Bearer $token", 'X-API-Key' => $key), $robot],
    ['a token where nobody may come', at('/optional', Authorization => "Bearer $token"), $wrong],
    ['dots do not make a token', at('/default', Authorization => 'Bearer a.b.c'), $wrong],

    # ---- RRKeyHeader ----
    ['the header named', at('/header', 'X-Token' => $key), $robot],
    ['not the default ones then', at('/header', 'X-API-Key' => $key, Authorization => "Bearer $key"), $absent],
    ['a scheme named', at('/scheme', Authorization => "ApiKey $key"), $robot],
    ['a scheme named, other letters', at('/scheme', Authorization => "APIKEY $key"), $robot],
    ['Bearer then is not', at('/scheme', Authorization => "Bearer $key"), $absent],
    ['raw then is not', at('/scheme', Authorization => $key), $absent],
    ['the scheme is challenged with', { path => '/scheme' }, { status => 401, headers => { 'WWW-Authenticate' => [qr/^ApiKey realm=/] } }],
    ['two headers with schemes, one', at('/token-scheme', Authorization => "Token $key"), $robot],
    ['two headers with schemes, the other', at('/token-scheme', 'X-Key' => "Key $key"), $robot],
    ['two headers with schemes, without', at('/token-scheme', 'X-Key' => $key), $absent],
    ['two headers with schemes, different keys', at('/token-scheme', Authorization => "Token $key", 'X-Key' => "Key $other"), $wrong],

    # ---- RRKeyQuery ----
    ['query', { path => "/query?api_key=$key" }, $robot],
    ['query among others', { path => "/query?a=b&api_key=$key&c" }, $robot],
    ['query, its name percent-coded', { path => "/query?%61pi%5Fkey=$key" }, $robot],
    ['query, its value percent-coded', { path => "/query?api_key=$coded" }, $robot],
    ['query, odd characters', { path => '/query?api_key=brought%2Fkey%2Bwith%3Dodd%26parts%3B%2541' }, { status => 200, json => { sub => 'special' } }],
    ['query, a plus stays a plus', { path => '/query?api_key=brought/key+with=odd%26parts;%2541' }, { status => 200, json => { sub => 'special' } }],
    ['query, decoded once', { path => '/query?api_key=brought/key+with=odd%2526parts;%2541' }, $wrong],
    ['query, the same twice', { path => "/query?api_key=$key&api_key=$key" }, $robot],
    ['query, two different ones', { path => "/query?api_key=$key&api_key=$other" }, $wrong],
    ['query, two different ones, one name coded', { path => "/query?api_key=$key&api%5fkey=$other" }, $wrong],
    ['query, empty', { path => '/query?api_key=' }, $wrong],
    ['query, without a value', { path => '/query?api_key' }, $wrong],
    ['query, empty beside a key', { path => "/query?api_key=&api_key=$key" }, $wrong],
    ['query, a bad percent-code', { path => '/query?api_key=%zz' }, $wrong],
    ['query, a NUL', { path => "/query?api_key=$key%00" }, $wrong],
    ['query, a line end', { path => "/query?api_key=$key%0a" }, $wrong],
    (map { ["query, byte $_->[0] at $_->[1]", { path => '/query?api_key=' . with_byte(@$_) }, { %$wrong, json => { detail => qr/not one word/ } }] } @odd),
    (map { ["query, byte $_->[0] at $_->[1]", { path => '/query?api_key=' . with_byte(@$_) }, { %$wrong, json => { detail => qr/not valid/ } }] } @even),
    ['query, another name', { path => "/query?api_keys=$key&xapi_key=$key&API_KEY=$key" }, $absent],
    ['query, in the path', { path => "/query;api_key=some-other-key" }, { status => qr/^40[14]$/ }],
    ['query, after a fragment', { path => "/query?#api_key=$key" }, { status => qr/^40[01]$/ }],
    ['query, none', { path => '/query' }, $absent],
    ['query, only a question mark', { path => '/query?' }, $absent],
    ['query, ?& of nothing', { path => '/query?&&&=&' }, $absent],
    ['query, POST', { path => "/query?api_key=$key", body => 'x' }, { status => 405 }],
    ['query, a body is not a query', { path => '/query', body => "api_key=$key", headers => { 'Content-Type' => 'application/x-www-form-urlencoded' } }, $absent],
    ['query, the headers as well', at('/query', 'X-API-Key' => $key), $robot],
    ['query, Authorization as well', at('/query', Authorization => "Bearer $key"), $robot],
    ['query and a header, the same', { path => "/query?api_key=$key", headers => { 'X-API-Key' => $key } }, $robot],
    ['query and a header, different', { path => "/query?api_key=$key", headers => { 'X-API-Key' => $other } }, $wrong],
    ['query and Authorization, different', { path => "/query?api_key=$other", headers => { Authorization => "Bearer $key" } }, $wrong],
    ['query, a wrong one beside a header', { path => '/query?api_key=some-other-key', headers => { 'X-API-Key' => $key } }, $wrong],
    ['query with brackets', { path => "/odd-query?key[]=$key" }, $robot],
    ['query with brackets, coded', { path => "/odd-query?key%5B%5D=$key" }, $robot],
    ['query, HTTP/2', { path => "/query?api_key=$key", http2 => 1 }, $robot],
    ['query, absolute-form', { path => "http://127.0.0.1/query?api_key=$key" }, $robot],

    # ---- RRKeyCookie: for unsafe methods only from the same origin ----
    ['cookie', at('/cookie', Cookie => "session=$key"), $robot],
    ['cookie among others', at('/cookie', Cookie => "a=b; session=$key; c=d"), $robot],
    ['cookie, quoted', at('/cookie', Cookie => "session=\"$key\""), $robot],
    ['cookie, without blanks', at('/cookie', Cookie => "a=b;session=$key;c=d"), $robot],
    ['cookie, two headers', { path => '/cookie', headers => ['Cookie', 'a=b', 'Cookie', "session=$key"] }, $robot],
    ['cookie, another name', at('/cookie', Cookie => "xsession=$key; sessions=$key; Session=$key"), $absent],
    ['cookie, the same twice', at('/cookie', Cookie => "session=$key; session=$key"), $robot],
    ['cookie, two different ones', at('/cookie', Cookie => "session=$key; session=$other"), $wrong],
    ['cookie, empty', at('/cookie', Cookie => 'session='), $wrong],
    ['cookie, odd ones', at('/cookie', Cookie => '=; ;;session; =session;,'), $absent],
    ['cookie, HEAD', { path => '/cookie', method => 'HEAD', headers => { Cookie => "session=$key" } }, { status => 200 }],
    ['cookie, GET from anywhere', at('/cookie', Cookie => "session=$key", Origin => 'https://evil.example', 'Sec-Fetch-Site' => 'cross-site'), $robot],
    ['cookie, a WebSocket of the same origin', at('/cookie', Cookie => "session=$key", Connection => 'Upgrade', Upgrade => 'websocket', Origin => $origin), $robot],
    ['cookie, a WebSocket from anywhere', at('/cookie', Cookie => "session=$key", Connection => 'Upgrade', Upgrade => 'h2c, WebSocket', Origin => 'https://evil.example'), $absent],
    ['cookie, another upgrade', at('/cookie', Cookie => "session=$key", Connection => 'Upgrade', Upgrade => 'x'), $robot],
    (map { my $method = $_;
        my $post = sub { { path => '/cookie', method => $method, headers => { Cookie => "session=$key", @_ } } };
        my $in = { status => 405 }; # past the door; rr-me has no such method
        (["cookie, $method, same-origin by Origin", $post->(Origin => $origin), $in],
         ["cookie, $method, same-origin by Sec-Fetch-Site", $post->('Sec-Fetch-Site' => 'same-origin'), $in],
         ["cookie, $method, another origin", $post->(Origin => 'https://evil.example'), $absent],
         ["cookie, $method, another port", $post->(Origin => 'http://127.0.0.1:1'), $absent],
         ["cookie, $method, another scheme", $post->(Origin => "https://127.0.0.1:$port"), $absent],
         ["cookie, $method, our origin as a prefix", $post->(Origin => "$origin.evil.example"), $absent],
         ["cookie, $method, Origin null", $post->(Origin => 'null'), $absent],
         ["cookie, $method, same-site", $post->('Sec-Fetch-Site' => 'same-site'), $absent],
         ["cookie, $method, cross-site", $post->('Sec-Fetch-Site' => 'cross-site', Origin => $origin), $absent],
         ["cookie, $method, nothing said", $post->(), $absent]) } qw(POST PUT DELETE PATCH)),

    # ---- several ----
    ['several, the header', at('/several', 'X-API-Key' => $key), $robot],
    ['several, the query', { path => "/several?api_key=$key" }, $robot],
    ['several, the cookie', at('/several', Cookie => "session=$key"), $robot],
    ['several, all the same', { path => "/several?api_key=$key", headers => { 'X-API-Key' => $key, Cookie => "session=$key" } }, $robot],
    ['several, one different', { path => "/several?api_key=$key", headers => { 'X-API-Key' => $key, Cookie => "session=$other" } }, $wrong],
    ['several, one wrong', { path => '/several?api_key=some-other-key', headers => { 'X-API-Key' => $key } }, $wrong],
    ['several, not Authorization', at('/several', Authorization => "Bearer $key"), $absent],
    ['an inner section says anew', { path => "/several/inner?inner_key=$key" }, $robot],
    ['an inner section leaves the header of its outer one', at('/several/inner', 'X-API-Key' => $key), $robot],
    ['and its cookie', at('/several/inner', Cookie => "session=$key"), $robot],
    ['and still not Authorization', at('/several/inner', Authorization => "Bearer $key"), $absent],
    ['an inner section does not add', { path => "/several/inner?api_key=$key" }, $absent],
    ['where nobody may come: none', { path => '/optional' }, { status => 401, headers => { 'WWW-Authenticate' => qr/^Bearer realm="[^"]*"$/ } }],
    ['where nobody may come: a wrong one', at('/optional', 'X-API-Key' => 'some-other-key'), $wrong],
);

allow_log('AH01630', 'AH01631');
finish();
