# SPDX-License-Identifier: Apache-2.0
#
# CORS preflights carry no credential: RRPreflight says whether they pass. Nothing else passes with them.

use strict;
use warnings;

use RR::Stub;
use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $httpd = httpd(modules => ['core'], vars => { UP => $upstream->url }, conf => load_stub() . join('', map {
    my ($path, @lines) = @$_;
    "<Location \"$path\">\n    AuthType RR\n" . join('', map { "    $_\n" } @lines) . "    Header always set X-Who \"%{RR_SUB}e\"\n</Location>\nProxyPass $path \@UP\@$path\n";
} (
    ['/default', 'Require rr-red'],
    ['/refuse', 'RRPreflight refuse', 'Require rr-red'],
    ['/pass', 'RRPreflight pass', 'Require rr-red', 'RRIdentityHeader X-User-Id'],
    ['/pass-all', 'RRPreflight pass', '<RequireAll>', 'Require rr-red', 'Require rr-scope admin', '</RequireAll>'],
    ['/pass-granted', 'RRPreflight pass', 'Require all granted'],
    ['/pass-denied', 'RRPreflight pass', 'Require all denied'],
    ['/pass-here', 'RRPreflight pass', '<RequireAll>', 'Require rr-red', 'Require not ip 127.0.0.1', '</RequireAll>'],
)));

my %preflight = (Origin => 'https://app.example', 'Access-Control-Request-Method' => 'PUT');
my %whole = (%preflight, 'Access-Control-Request-Headers' => 'x-api-key');
my $red = who('rose');
my $passes = { status => 200, json => { method => 'OPTIONS', 'headers.X-User-Id' => undef }, headers => { 'X-Who' => '(null)' } };
my $refused = { status => 401, headers => { 'WWW-Authenticate' => qr/^Red / }, absent => ['"target"'] };
sub options { my ($path, %headers) = @_; return { path => "$path/x", method => 'OPTIONS', headers => \%headers } }

cases($httpd,
    ['by default', options('/default', %whole), $refused],
    ['by default, with a credential', options('/default', %whole, 'X-Red' => $red), { status => 200 }],
    ['refuse', options('/refuse', %whole), $refused],
    ['refuse, with a credential', options('/refuse', %whole, 'X-Red' => $red), { status => 200, headers => { 'X-Who' => 'rose' } }],
    ['pass', options('/pass', %whole), $passes],
    ['pass, without Access-Control-Request-Headers', options('/pass', %preflight), $passes],
    ['pass, HTTP/2', { %{ options('/pass', %whole) }, http2 => 1 }, { status => 200, json => { method => 'OPTIONS' } }],
    ['pass, what it says of itself', options('/pass', %whole, 'X-User-Id' => 'mallory'), { %$passes, absent => ['mallory'] }],
    ['pass, with a credential: of nobody all the same', options('/pass', %whole, 'X-Red' => $red), { %$passes, absent => ['rose'] }],
    ['pass, with a wrong credential', options('/pass', %whole, 'X-Red' => 'invalid'), $passes],
    ['pass, more is required of others', options('/pass-all', %whole), $passes],
    ['pass where all are granted', options('/pass-granted', %whole), $passes],
    # ---- what denies without asking who it is ----
    ['pass, but all are denied', options('/pass-denied', %whole), { status => 403, absent => ['"target"'] }],
    ['pass, but nobody from here', options('/pass-here', %whole), { status => 403, absent => ['"target"'] }],
    # ---- what is no preflight ----
    ['OPTIONS alone', options('/pass'), $refused],
    ['OPTIONS with Origin', options('/pass', Origin => 'https://app.example'), $refused],
    ['OPTIONS with the method asked for', options('/pass', 'Access-Control-Request-Method' => 'PUT'), $refused],
    ['OPTIONS where all are granted', options('/pass-granted'), $refused],
    (map { ["$_ dressed as one", { %{ options('/pass', %whole) }, method => $_ }, $refused] } qw(GET POST PUT DELETE PATCH BREW options)),
    ['HEAD dressed as one', { %{ options('/pass', %whole) }, method => 'HEAD' }, { status => 401 }],
    ['X-HTTP-Method-Override does not make one', { path => '/pass/x', body => 'x', headers => { %whole, 'X-HTTP-Method-Override' => 'OPTIONS' } }, $refused],
    ['the request after it', { path => '/pass/x', method => 'PUT', body => 'x', headers => { Origin => 'https://app.example' } }, $refused],
    ['the request after it, with a credential', { path => '/pass/x', method => 'PUT', body => 'x', headers => { Origin => 'https://app.example', 'X-Red' => $red } },
     { status => 200, json => { method => 'PUT', 'headers.X-User-Id' => 'rose' } }],
);

allow_log('AH01630', 'AH01631');
finish();
