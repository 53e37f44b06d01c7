# SPDX-License-Identifier: Apache-2.0
#
# What httpd -t refuses of mod_rr_jwt's configuration, each in a sentence that names the fix, beside what it takes.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64url);
use RR::Cert;
use RR::Test;
use RR::Token;

my $place = place_for('files');
my $key = RR::Token->key('ES256', kid => 'a');
spew("$place/keys.json", json_text({ keys => [$key->jwk] }));
spew("$place/empty.json", json_text({ keys => [] }));
spew("$place/oct.json", json_text({ keys => [{ kty => 'oct', k => encode_base64url('0' x 64) }] }));
spew("$place/broken.json", '{"keys":');
spew("$place/secret", 'x' x 40);
spew("$place/weak", 'short');
my $ca = RR::Cert->authority($place)->ca_file;

my $file = "jwks=file:$place/keys.json";
my $iss = 'https://id.example.com/';

for my $case (
    ['a file', "RRJwtIssuer a $iss audience=x $file"],
    ['a URL', "RRJwtIssuer a $iss audience=x jwks=https://id.example.com/keys"],
    ['a key set over http from loopback', "RRJwtIssuer a $iss audience=x jwks=http://127.0.0.1:1/keys\nRRJwtIssuer b http://localhost:1/ audience=x"],
    ['an issuer over http that is not asked', "RRJwtIssuer a http://id.example.com/ audience=x $file"],
    ['discovery', "RRJwtIssuer a $iss audience=x"],
    ['a secret', "RRJwtIssuer a urn:x audience=any secret=file:$place/secret algorithms=HS256"],
    ['everything', "RRJwtIssuer a $iss audience=x,y audience=z $file algorithms=RS256,ES256 leeway=5s max-lifetime=1h sub-claim=email scope-claim=permissions"],
    ['two issuers', "RRJwtIssuer a $iss audience=x $file\nRRJwtIssuer b https://id.example.com audience=x $file"],
    ['times', "RRJwksInterval 10s\nRRJwksMaxStale 7d\nRRFetchCAFile $ca\nRRJwtStateDir run/keys"],
    ['in a virtual host', "<VirtualHost *:1>\nRRJwtIssuer a $iss audience=x $file\n<Location />\nAuthType RR\nRequire rr-jwt issuer a\n</Location>\n</VirtualHost>"],
    ['requirements', "RRJwtIssuer a $iss audience=x $file\n<Location />\nAuthType RR\nRequire rr-jwt issuer a scope r w\nRequire rr-claim a.b \"^x y\$\"\n</Location>"],
    ['sources', "RRJwtHeader X-Token\nRRJwtHeader Authorization Token\nRRJwtQuery access_token\nRRJwtCookie session"],

    ['no audience', "RRJwtIssuer a $iss $file", qr/audience=NAME.*audience=any/],
    ['audience any beside names', "RRJwtIssuer a $iss audience=x audience=any $file", qr/stands alone/],
    ['an empty audience', "RRJwtIssuer a $iss audience= $file", qr/empty names/],
    ['no issuer', 'RRJwtIssuer a', qr/NAME ISSUER/],
    ['a name with a slash', "RRJwtIssuer a/b $iss audience=x $file", qr/expected a name/],
    ['the same issuer twice', "RRJwtIssuer a $iss audience=x $file\nRRJwtIssuer b $iss audience=y $file", qr/same ISSUER.*remove one/],
    ['the same name twice', "RRJwtIssuer a $iss audience=x $file\nRRJwtIssuer a urn:b audience=y $file", qr/NAME of the line.*give it another/],
    ['again in a virtual host', "RRJwtIssuer a $iss audience=x $file\n<VirtualHost *:1>\nRRJwtIssuer b $iss audience=x $file\n</VirtualHost>", qr/same ISSUER/],
    ['an unknown option', "RRJwtIssuer a $iss audience=x $file aud=y", qr/aud=y is no option; expected jwks=/],
    ['an option twice', "RRJwtIssuer a $iss audience=x $file $file", qr/given twice/],
    ['both secret and key set', "RRJwtIssuer a $iss audience=x $file secret=file:$place/secret", qr/leave one out/],
    ['HS256 without a secret', "RRJwtIssuer a $iss audience=x $file algorithms=ES256,HS256", qr/HS256.*secret=file:PATH/],
    ['RS256 with a secret', "RRJwtIssuer a $iss audience=x secret=file:$place/secret algorithms=RS256", qr/leave out those/],
    ['alg none', "RRJwtIssuer a $iss audience=x $file algorithms=none", qr/expected some of RS256/],
    ['a secret in the configuration', "RRJwtIssuer a $iss audience=x secret=hunter2hunter2", qr/file:PATH/],
    ['a short secret', "RRJwtIssuer a $iss audience=x secret=file:$place/weak", qr/secret=/],
    ['a missing secret', "RRJwtIssuer a $iss audience=x secret=file:$place/none", qr/cannot be read/],
    ['a missing key set', "RRJwtIssuer a $iss audience=x jwks=file:$place/none", qr/cannot be read/],
    ['a key set that is a directory', "RRJwtIssuer a $iss audience=x jwks=file:$place", qr/no regular file/],
    ['an empty key set', "RRJwtIssuer a $iss audience=x jwks=file:$place/empty.json", qr/jwks=/],
    ['a key set of secrets', "RRJwtIssuer a $iss audience=x jwks=file:$place/oct.json", qr/jwks=/],
    ['a broken key set', "RRJwtIssuer a $iss audience=x jwks=file:$place/broken.json", qr/jwks=/],
    ['a key set over http', "RRJwtIssuer a $iss audience=x jwks=http://192.0.2.1/keys", qr/use https/],
    ['a key set over http from a name', "RRJwtIssuer a $iss audience=x jwks=http://id.example.com/keys", qr/jwks=http.*use https/],
    ['discovery over http', 'RRJwtIssuer a http://id.example.com/ audience=x', qr/cannot be discovered.*use https.*add jwks=URL/],
    ['a key set over ftp', "RRJwtIssuer a $iss audience=x jwks=ftp://id.example.com/keys", qr/https/],
    ['an issuer that cannot be discovered', 'RRJwtIssuer a urn:x audience=x', qr/add jwks=URL/],
    ['a bad leeway', "RRJwtIssuer a $iss audience=x $file leeway=soon", qr/duration.*60s/],
    ['a leeway of an hour', "RRJwtIssuer a $iss audience=x $file leeway=1h", qr/0 to 10mi/],
    ['a bad max-lifetime', "RRJwtIssuer a $iss audience=x $file max-lifetime=0", qr/at least 1s/],
    ['a bad interval', 'RRJwksInterval soon', qr/RRJwksInterval soon: expected a duration/],
    ['an interval of nothing', 'RRJwksInterval 0', qr/RRJwksInterval 0/],
    ['a bad stale time', 'RRJwksMaxStale forever', qr/RRJwksMaxStale forever/],
    ['a missing CA file', "RRFetchCAFile $place/none", qr/RRFetchCAFile.*cannot be read/],
    ['a CA file without certificates', "RRFetchCAFile $place/keys.json", qr/no certificate/],
    ['an interval of one virtual host', "<VirtualHost *:1>\nRRJwksInterval 10s\n</VirtualHost>", qr/RRJwksInterval (not allowed|cannot occur)/],
    ['an issuer in a Location', "<Location />\nRRJwtIssuer a $iss audience=x $file\n</Location>", qr/RRJwtIssuer (not allowed|cannot occur)/],
    ['an issuer that nobody configured', "<Location />\nAuthType RR\nRequire rr-jwt issuer b\n</Location>", qr/issuer b.*no RRJwtIssuer/],
    ['an issuer of another host', "<VirtualHost *:1>\nRRJwtIssuer b $iss audience=x $file\n</VirtualHost>\n<Location />\nAuthType RR\nRequire rr-jwt issuer b\n</Location>", qr/issuer b.*no RRJwtIssuer/],
    ['rr-jwt with an unknown word', "<Location />\nRequire rr-jwt a\n</Location>", qr/issuer NAME/],
    ['rr-jwt with a scope of nothing', "<Location />\nRequire rr-jwt scope\n</Location>", qr/names nothing/],
    ['rr-claim without a pattern', "<Location />\nRequire rr-claim a\n</Location>", qr/expected/],
    ['rr-claim with a broken pattern', "<Location />\nRequire rr-claim a \"(\"\n</Location>", qr/regular expression/],
) {
    my ($name, $conf, $says) = @$case;
    my $got = httpd(modules => [qw(core jwt)], conf => "$conf\n", start => 0)->configtest;

    if (!$says) {
        is($got->{exit}, 0, "taken: $name") or diag($got->{err});
        next;
    }
    ok($got->{exit} != 0 && $got->{err} =~ $says, "refused: $name") or diag("exit $got->{exit}: $got->{err}");
}

my $alone = httpd(modules => ['jwt'], start => 0)->configtest;
ok($alone->{exit} != 0 && $alone->{err} =~ /mod_rr_jwt needs mod_rr_core: add "LoadModule/, 'refused: without mod_rr_core')
    or diag("exit $alone->{exit}: $alone->{err}");

finish();
