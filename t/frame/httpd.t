# SPDX-License-Identifier: Apache-2.0
#
# The frame itself: what RR::Test promises, shown with httpd's own modules only.

use strict;
use warnings;

use RR::Test;

my $conf = <<'CONF';
<Location "/denied">
    Require all denied
</Location>
CONF

my $httpd = httpd(conf => $conf, ports => 2);
$httpd->file('htdocs/index.html', "<p>here</p>\n");
$httpd->file('htdocs/marked.txt', "marked\n");
my $canary = canary();

cases($httpd,
    ['a file', { path => '/index.html' }, { status => 200, body => qr/here/, headers => { 'Content-Type' => 'text/html' } }],
    ['on the second port', { path => '/index.html', on => 2 }, { status => 200 }],
    ['a refusal', { path => '/denied' }, { status => 403, absent => ['here'] }],
    ['HTTP/1.0', { path => '/index.html', version => '1.0' }, { status => 200 }],
    ['absolute-form', { path => 'http://example.com/index.html' }, { status => 200 }],
    ['HEAD', { method => 'HEAD', path => '/index.html' }, { status => 200, body => '' }],
    ['bytes as they are', { raw => "GET /index.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: 1\r\nX: 2\r\n\r\n" },
                          { status => 200 }],
    ['HTTP/2', { path => '/index.html', http2 => 1 }, { status => 200, body => qr/here/ }],
    ['first generation', { path => '/marked.txt' }, { status => 200, headers => { 'X-Generation' => undef } }],
);

my $connection = $httpd->connect;
is($connection->exchange(path => '/index.html', keep => 1)->status, 200, 'kept alive, first');
is($connection->exchange(path => '/index.html')->status, 200, 'kept alive, second');

$httpd->graceful($conf . "Header always set X-Generation second\n");
cases($httpd, ['second generation', { path => '/marked.txt' }, { status => 200, headers => { 'X-Generation' => ['second'] } }]);
$httpd->restart($conf);
cases($httpd, ['third generation', { path => '/marked.txt' }, { status => 200, headers => { 'X-Generation' => undef } }]);

my $bad = httpd(conf => "NoSuchDirective on\n", start => 0)->configtest;
isnt($bad->{exit}, 0, 'a bad configuration is refused');
like($bad->{err}, qr/NoSuchDirective/, 'and named');

# The gate: a line of warning that nobody announced is found, one that was announced is not.
is(scalar(RR::Test::gate("[now] [core:error] [pid 1] AH99999: a\n[now] [core:info] [pid 1] AH99998: b\n")), 1,
   'the gate sees an error and lets an info pass');
is(scalar(RR::Test::gate("==1==ERROR: AddressSanitizer: heap-use-after-free\n")), 1, 'the gate sees what is no log line');

expect_log('AH01630');
finish();
