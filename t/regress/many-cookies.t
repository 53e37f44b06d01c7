# SPDX-License-Identifier: Apache-2.0
#
# A Cookie header of many short pairs, without the blank behind each semicolon, grows when the key's
# cookie is taken out and the others are joined again: the room for them was that of the header as sent.

use strict;
use warnings;

use RR::Test;
use RR::Upstream;

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $store = store();
my $key = $store->key('robot')->{key};
my $httpd = httpd(modules => [qw(core keyauth)], vars => { UP => $upstream->url }, conf => $store->conf . <<'CONF');
LimitRequestFieldSize 32000
<Location "/in">
    AuthType RR
    Require rr-key
    RRKeyCookie session
    ProxyPass @UP@/
</Location>
CONF

for my $count (1, 2, 1000, 15000) {
    my @others = ('a') x $count;
    my $joined = join('; ', @others);
    for my $between (';', '; ', ',') {
        cases($httpd,
            ["$count cookies between '$between'", { path => '/in/x', headers => { Cookie => join($between, @others, "session=$key") } },
             { status => 200, json => { 'headers.Cookie' => $joined } }]) if length($between) * $count < 16000;
    }
}

finish();
