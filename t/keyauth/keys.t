# SPDX-License-Identifier: Apache-2.0
#
# API keys end to end: rrctl makes and takes them back while the server runs; httpd asks the store.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64url);
use RR::Test;

my $store = store();
my $canary = canary('metadata');

my $robot = $store->key('robot', '--scope', 'orders:read', '--scope', 'orders:write',
                        '--metadata', json_text({ userId => 'u-12345', scopes => ['read:users', 'write:users'], tier => 'gold', note => $canary }));
my $plain = $store->key('plain');
my $listed = $store->key('listed', '--metadata', json_text({ scopes => 'one two' }));
my $admin = $store->key('boss', '--scope', 'rr:admin:default');
my $liar = $store->key('liar', '--metadata', json_text({ scopes => ['rr:admin', 'rr:admin:default', 'honest'], userId => 'liar' }));
my $numbered = $store->key('numbered', '--metadata', json_text({ userId => 12345 }));
my $test = $store->key('tester', '--test');
my $brought = $store->key('brought', '--key', secret('a-key-of-ours:#1/=+~'));
my $shortest = $store->key('shortest', '--key', secret('twelve-bytes'));
my $jwtlike = join('.', map { encode_base64url($_) } '{"alg":"ES256"}', '{"sub":"x"}', 'signature');

my $httpd = httpd(modules => [qw(core keyauth)], conf => $store->conf . <<'CONF');
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
<Location "/name">
    AuthType RR
    Require rr-key name default/robot default/listed
    SetHandler rr-me
</Location>
<Location "/client">
    AuthType RR
    Require rr-key client acme other
    SetHandler rr-me
</Location>
<Location "/default">
    AuthType RR
    Require rr-key client default
    SetHandler rr-me
</Location>
<Location "/scope">
    AuthType RR
    Require rr-key scope orders:read one
    SetHandler rr-me
</Location>
<Location "/all">
    AuthType RR
    Require rr-key client default name default/robot default/plain scope orders:write
    SetHandler rr-me
</Location>
<Location "/rr-scope">
    AuthType RR
    Require rr-scope rr:admin rr:admin:default
    SetHandler rr-me
</Location>
<Location "/honest">
    AuthType RR
    Require rr-scope honest
    SetHandler rr-me
</Location>
<Location "/data">
    AuthType RR
    Require rr-data tier ^gold$
    SetHandler rr-me
</Location>
CONF

sub with { my ($key, $path) = @_; return { path => $path || '/me', headers => { 'X-API-Key' => ref $key ? $key->{key} : $key } } }
sub bent { my ($key, $at) = @_; my $k = $key->{key}; my $c = \substr($k, $at, 1); $$c = $$c eq 'x' ? 'y' : 'x'; return $k }
my $unknown = { status => 401, headers => { 'WWW-Authenticate' => [qr/^Bearer realm="[^"]*", error="invalid_token"/] }, json => { status => 401 } };

like($robot->{key}, qr/\Arr_live_[0-9A-Za-z]{38}\z/, 'a generated key has its shape');
like($test->{key}, qr/\Arr_test_[0-9A-Za-z]{38}\z/, 'so has a test key');

cases($httpd,
    # ---- who it is ----
    ['userId is the subject', with($robot), { status => 200, leak => 1,
        json => { message => 'Authenticated', sub => 'u-12345', 'data.tier' => 'gold', 'data.scopes' => ['read:users', 'write:users'], dataByMethod => undef } }],
    ['without userId, client and name', with($plain), { status => 200, json => { sub => 'default/plain', data => {} } }],
    ['a number for userId', with($numbered), { status => 200, json => { sub => '12345', 'data.userId' => 12345 } }],
    ['a test key', with($test), { status => 200, json => { sub => 'default/tester' } }],
    ['a brought key', with($brought), { status => 200, json => { sub => 'default/brought' } }],
    ['the shortest brought key', with($shortest), { status => 200, json => { sub => 'default/shortest' } }],

    # ---- what is none ----
    ['nobody', { path => '/me' }, { status => 401, headers => { 'WWW-Authenticate' => [qr/^Bearer realm="[^"]*"$/] }, json => { status => 401 } }],
    ['one character changed', with(bent($robot, 20)), $unknown],
    ['a checksum changed', with(bent($robot, 45)), $unknown],
    ['one character less', with(substr($robot->{key}, 0, 45)), $unknown],
    ['one character more', with("$robot->{key}x"), $unknown],
    ['live turned test', with($robot->{key} =~ s/live/test/r), $unknown],
    ['capitals', with(uc $robot->{key}), $unknown],
    ['no prefix', with(substr($robot->{key}, 8)), $unknown],
    ['unknown, without a shape', with('some-other-key'), $unknown],
    ['its id', with($robot->{id}), $unknown],
    ['its credential\'s id', with($robot->{credentialId}), $unknown],
    ['quoted', with("\"$robot->{key}\""), $unknown],
    ['a wildcard', with('%'), $unknown],
    ['SQL', with("'or'1'='1"), $unknown],
    ['SQL, more', with("x';drop/**/table/**/rr_key;--"), $unknown],
    ['high bytes', with("\xff\xfe\xfd" x 10), $unknown],
    ['the longest', with('k' x 512), $unknown],
    ['one longer', with('k' x 513), $unknown],
    ['much longer', with('k' x 8000), $unknown],
    ['empty', with(''), $unknown],
    ['two words', with("$robot->{key} $robot->{key}"), $unknown],

    # ---- requirements ----
    ['name: one of them', with($robot, '/name'), { status => 200, leak => 1 }],
    ['name: another', with($plain, '/name'), { status => 403, headers => { 'WWW-Authenticate' => qr/^Bearer/ }, absent => ['robot', 'listed'] }],
    ['client: another', with($robot, '/client'), { status => 403, absent => ['acme'] }],
    ['client: the right one', with($plain, '/default'), { status => 200 }],
    ['scope: of the credential', with($robot, '/scope'), { status => 200, leak => 1 }],
    ['scope: of metadata as words', with($listed, '/scope'), { status => 200 }],
    ['scope: none of them', with($plain, '/scope'),
     { status => 403, headers => { 'WWW-Authenticate' => [qr/error="insufficient_scope".*scope="orders:read one"/] }, json => { status => 403 } }],
    ['kinds together', with($robot, '/all'), { status => 200, leak => 1 }],
    ['kinds together, a scope lacks', with($plain, '/all'), { status => 403 }],
    ['data', with($robot, '/data'), { status => 200, leak => 1 }],
    ['data lacks', with($plain, '/data'), { status => 403 }],
    ['rr: scopes count where rrctl gave them', with($admin, '/rr-scope'), { status => 200 }],
    ['rr: scopes of metadata never count', with($liar, '/rr-scope'), { status => 403 }],
    ['other scopes of the same metadata do', with($liar, '/honest'), { status => 200, json => { sub => 'liar' } }],
    map { ["nobody: $_", { path => $_ }, { status => 401 }] } qw(/name /client /default /scope /all /rr-scope /honest /data),
);

# ---- what rrctl does while the server runs counts on the next request ----
sub status { my ($key, $path) = @_; return $httpd->request(%{ with($key, $path) })->status }
sub ctl { my (@args) = @_; my $got = $store->rrctl('--json', @args); is($got->{exit}, 0, "rrctl @args[0, 1]") or diag($got->{err}); return $got->{json} }

my $second = $store->key('robot');
is($second->{credentialId}, $robot->{credentialId}, 'a second key of the same credential');
isnt($second->{id}, $robot->{id}, 'with an id of its own');
is(status($second), 200, 'a key made meanwhile is good at once');
is($httpd->request(%{ with($second) })->json->{sub}, 'u-12345', 'and says the same of its owner');
is(status($robot), 200, 'the first one stays');
ctl('key', 'revoke', $robot->{id});
is(status($robot), 401, 'revoked: the next request is refused');
is(status($robot), 401, 'and the one after it');
is(status($second), 200, 'its sister stays');
my $again = $store->rrctl('key', 'revoke', $robot->{id});
isnt($again->{exit}, 0, 'it cannot be revoked twice');
like($again->{err}, qr/no such key/, 'and that is said');

# every child of the server, not only the one that was asked before
my @many = map { status($robot) } 1 .. 30;
is_deeply([grep { $_ != 401 } @many], [], 'refused by every child');
@many = map { status($second) } 1 .. 30;
is_deeply([grep { $_ != 200 } @many], [], 'its sister is admitted by every child');

my $kept = $httpd->connect;
is($kept->exchange(%{ with($second) }, keep => 1)->status, 200, 'one connection: good');
ctl('key', 'revoke', $second->{id});
is($kept->exchange(%{ with($second) })->status, 401, 'one connection: revoked');

# ---- expiry ----
my $brief = $store->key('brief', '--expires', '2s');
is(status($brief), 200, 'not expired yet');
my $expired = wait_for(sub { my $res = $httpd->request(%{ with($brief) }); $res->status != 200 && $res }, 10);
check('expired', $expired, { %$unknown, json => { detail => qr/expired/ } });
is(status($plain), 200, 'another key of the same time stays');
isnt($store->rrctl('key', 'create', 'late', '--expires', '2001-01-01T00:00:00Z')->{exit}, 0, 'a key that has expired already is not made');

# ---- roll ----
my $old = $store->key('rolled');
my $ending = $store->key('rolled', '--expires', '3s');
my $new = ctl('key', 'roll', 'rolled', '--overlap', '1h');
secret($new->{key}, 'rolled key');
is(status($old), 200, 'rolled: the old one overlaps');
is(status($new->{key}), 200, 'rolled: the new one counts');
is(status($ending), 200, 'rolled: one that was to end soon is still good');
ok(wait_for(sub { status($ending) == 401 }, 10), 'rolled: the overlap has not lengthened its life');
is(status($old), 200, 'rolled: the old one still overlaps');
my $newest = ctl('key', 'roll', 'rolled');
secret($newest->{key}, 'rolled key');
is(status($newest->{key}), 200, 'rolled without overlap: the new one counts');
is(status($old), 401, 'rolled without overlap: the old one ends');
is(status($new->{key}), 401, 'rolled without overlap: the one before ends');
my $third = ctl('key', 'roll', 'rolled', '--overlap', '1s');
secret($third->{key}, 'rolled key');
ok(wait_for(sub { status($newest->{key}) == 401 }, 10), 'the overlap ends by itself');
is(status($third->{key}), 200, 'and the new one stays');

# ---- brought keys ----
for my $case (['too short', 'eleven-byte'], ['with a blank', 'a key of two words'], ['with a line end', "a-key-of-two\nlines"], ['of our shape with a wrong checksum', bent($plain, 45)], ['of our shape, all the same', 'rr_live_' . 'a' x 38],
              ['that another credential has', $shortest->{key}], ['too long', 'k' x 513]) {
    my ($what, $value) = @$case;
    my $got = $store->rrctl('key', 'create', 'refused', '--key', $value);
    isnt($got->{exit}, 0, "a brought key $what is refused");
    like($got->{err}, qr/\S/, "a brought key $what is told why");
    is(index($got->{err} . $got->{out}, $value), -1, "a brought key $what is not repeated");
    isnt(status($value), 200, "a brought key $what does not work") unless $value eq $shortest->{key};
}
my $long = $store->key('long', '--key', secret('k' x 512));
is(status($long), 200, 'the longest brought key');
my $token = $store->rrctl('key', 'create', 'token', '--key', $jwtlike);
is(status($jwtlike), $token->{exit} ? 401 : 200, 'a brought key of a token\'s shape, in a header of keys only');

# ---- nothing of a key is kept ----
my $files = join('', map { -f "$_" ? slurp($_) : '' } map { $store->path . $_ } '', '-wal', '-shm');
for my $key ($plain, $shortest, $test) {
    is(index($files, $key->{key}), -1, 'the store has no key in the clear');
}
my $list = $store->rrctl('key', 'list');
is(index($list->{out}, $plain->{key}), -1, 'rrctl key list shows none');
like($list->{out}, qr/\Q$plain->{id}\E/, 'but its id');
my $show = $store->rrctl('key', 'show', $plain->{id});
is(index($show->{out}, $plain->{key}), -1, 'rrctl key show shows none');

allow_log('AH01630', 'AH01631');
finish();
