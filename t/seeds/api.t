# SPDX-License-Identifier: Apache-2.0
#
# Every JSON body of the seeds, as it stands there, by HTTP: taken with 201, and read back equal in meaning.
# Placeholders, and nothing else, are filled in: ids, a private key that is left out, and the second
# "rr_live_xxxxxxxxxxxxxx", since a value is one credential's.

use strict;
use warnings;

use RR::Admin;
use RR::Test;
use RR::Util qw(run);

my $store = store();
my $key = $store->key('operator', '--scope', 'rr:admin')->{key};
my $httpd = httpd(modules => [qw(core keyauth admin)], conf => $store->conf . admin_location() . <<'CONF');
<Location "/me">
    AuthType RR
    Require rr-key
    SetHandler rr-me
</Location>
CONF
my $admin = RR::Admin->new($httpd, $key);

# Posts, checks, reads back; the object's id.
sub posted
{
    my ($what, $path, $body, $secret) = @_;
    my ($collection) = $path =~ m{(\w+)$};
    my $res = $admin->call('POST', $path, $body);
    check("$what: taken", $res, { status => 201, json => { message => 'Success', "$collection.0.id" => qr/^rrid_/ } }) or return undef;
    my $id = $res->json->{$collection}[0]{id};
    my $back = $admin->call('GET', "$path/$id");
    check("$what: there", $back, { status => 200, json => { "$collection.0.id" => $id } });
    my $object = $back->json->{$collection}[0];
    my $wanted = json_data($body);
    $wanted->{credentialSecret} = { %{ $wanted->{credentialSecret} }, map { $_ => '********' } @$secret } if $secret;
    for my $member (sort keys %$wanted) {
        is_deeply($object->{$member}, $wanted->{$member}, "$what: $member reads back");
    }
    check("$what: listed", $admin->call('GET', $path), { status => 200, body => qr/\Q$id\E/ });
    return $id;
}

$admin->call('POST', '/clients', { clientName => $_, id => $_ }) for qw(s000 s001 s003);

# ---- 000: API keys and JWTs: stronger together ----
my $c = '/clients/s000';
my $app = posted('000 a proxy key', "$c/credentials", seed('000-key'), ['key']);
my $partner = posted('000 jwtVerify', "$c/credentials", seed('000-jwt-verify'), []);
my $target = posted('000 a target', "$c/targets", '{"targetName":"app","targetBaseURL":"https://api.myapp.com"}');
my $proxy = posted('000 a proxy', "$c/proxies", json_text({ proxyName => 'app', proxyProxyCredentialId => $app, proxyTargetId => $target }));
posted('000 a rule for users', "$c/proxies/$proxy/rules", seed('000-rule-user'));
posted('000 a rule for partners', "$c/proxies/$proxy/rules", seed('000-rule-partner'));
posted('000 the tier gate', "$c/proxies/$proxy/filters", seed('000-filter-tier'));
cases($httpd, ['000 the key counts', { path => '/me', headers => { Authorization => 'Bearer rr_live_xxxxxxxxxxxxxx' } },
               { status => 200, json => { sub => 's000/mobile-app-backend' } }]);

# ---- 001: JWT vs API key auth ----
$c = '/clients/s001';
my $pem = run(qw(openssl genrsa -traditional 2048))->{out};
like($pem, qr/^-----BEGIN RSA PRIVATE KEY-----\n/, 'a private key as the seed begins one');
(my $escaped = $pem) =~ s/\n/\\n/g;
my $vendor = posted('001 a target key', "$c/credentials", seed('001-target-key'), ['key']);
posted('001 a minted token', "$c/credentials", seed('001-target-jwt', '-----BEGIN RSA PRIVATE KEY-----\\n...' => $escaped), ['privateKey']);
my $auth0 = posted('001 who calls', "$c/credentials", seed('000-jwt-verify'), []);
$target = posted('001 a target', "$c/targets", '{"targetName":"stripe","targetBaseURL":"https://api.stripe.com"}');
posted('001 a proxy', "$c/proxies", seed('001-proxy', '<auth0-m2m-verify-id>' => $auth0, '<stripe-target-id>' => $target,
                                         '<stripe-api-key-id>' => $vendor));

# ---- 002: the metadata of a key ----
posted('002 metadata', "$c/credentials", json_text({ credentialType => 'proxy', credentialAuthType => 'apiKey', credentialName => 'jane',
                       credentialMetadata => json_data(seed('002-metadata')) }) =~ s/apiKey/key/r);

# ---- 003: in defence of API keys ----
$c = '/clients/s003';
my $old = 'rr_live_yyyyyyyyyyyyyy';
my $pipeline = posted('003 a proxy key', "$c/credentials", seed('003-proxy-key', 'rr_live_xxxxxxxxxxxxxx' => $old), ['key']);
posted('003 a target key', "$c/credentials", seed('003-target-key'), ['key']);
posted('003 a rule of a credential', "$c/credentials/$pipeline/rules", seed('003-rule-mail'));
check('003 the same value twice', $admin->call('POST', "$c/credentials", seed('000-key')), { status => 409 });

# "you rotate just that proxy key": the new one counts, the old one goes, the rest stays
my $me = sub { { path => '/me', headers => { 'X-API-Key' => $_[0] } } };
cases($httpd, ['003 the old key', $me->($old), { status => 200, json => { sub => 's003/data-pipeline-service' } }]);
my $rolled = $admin->call('POST', "$c/credentials/$pipeline/keys/roll", {});
check('003 rolled', $rolled, { status => 201, json => { 'keys.0.key' => qr/^rr_live_\w{38}$/ } });
cases($httpd, ['003 the old key is refused', $me->($old), { status => 401 }],
      ['003 the new one is not', $me->($rolled->json->{keys}[0]{key}), { status => 200 }],
      ['003 others are untouched', $me->('rr_live_xxxxxxxxxxxxxx'), { status => 200 }]);
finish();
