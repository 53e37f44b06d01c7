# SPDX-License-Identifier: Apache-2.0
#
# Two httpd instances on one store, PostgreSQL and sqlite3: what the API of one changes, or SQL by hand, the other
# knows on its very next request: keys, rules, filters, proxies, revocations.

use strict;
use warnings;

use RR::Admin;
use RR::Inject;
use RR::Postgres;
use RR::Test;
use RR::Token;

my $postgres = RR::Postgres->new(place_for('pg') . '/server');
my $upstream = upstream();
my $signer = RR::Token->key('ES256', kid => 'a');
my $jwks = place_for() . '/keys.json';
spew($jwks, json_text({ keys => [$signer->jwk] }), 0644);

my $conf = admin_location() . <<"CONF";
RRTargetAllow loopback
RRJwtIssuer one urn:one audience=any jwks=file:$jwks
<Location "/me">
    AuthType RR
    <RequireAny>
        Require rr-key
        Require rr-jwt
    </RequireAny>
    SetHandler rr-me
</Location>
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF

# All of it on one store.
sub on_store
{
    my ($what, $store) = @_;
    my ($a, $b) = map { httpd(modules => [qw(core keyauth jwt rules filter inject admin)], conf => $store->conf . $conf) } 1 .. 2;
    my ($caller, $second) = map { $store->key('caller') } 1 .. 2;
    my $spare = $store->key('spare');
    my $made = stored_proxy($store, 'mail', $upstream->url, caller => $caller);
    my $base = 'proxies/' . $made->{proxy}{id};

    my $admin = RR::Admin->new($a, $store->key('operator', '--scope', 'rr:admin'));
    my $api = sub {
        my ($method, $path, $body) = @_;
        my $res = $admin->call($method, $path, $body);
        ok($res->status == 200 || $res->status == 201, "$what: $method $path") or diag($res->text);
        return RR::Admin::object($res);
    };
    # The other node knew the state before, in every child; its very next answer is the new one, and so are all.
    my $next = sub {
        my ($name, $request, $expect) = @_;
        check("$what: $name: the next request of the other node", $b->request(%$request), $expect);
        check("$what: $name: again", $_->request(%$request), $expect) for ($b) x 4, $a;
    };
    my $me = sub { return { path => '/me', headers => { 'X-API-Key' => $_[0]{key} } } };
    my $get = { path => '/gw/mail/x', headers => { 'X-API-Key' => $second->{key} } };
    my $through = { status => 200, json => { method => 'GET', target => '/x' } };

    # keys
    $next->('a key', $me->($caller), { status => 200 });
    $api->('DELETE', "credentials/$caller->{credentialId}/keys/$caller->{id}");
    $next->('a key deleted', $me->($caller), { status => 401 });
    $next->('its sister', $me->($second), { status => 200 });
    $next->('another credential', $me->($spare), { status => 200 });
    $store->sql("DELETE FROM rr_key WHERE id = '$spare->{id}'");
    $next->('a key deleted by SQL', $me->($spare), { status => 401 });

    # rules
    $next->('no rule', $get, $through);
    my %deny = (effect => 'deny', path => { path => { pattern => '^/x' }, presence => 'must_exist' });
    my $rule = $api->('POST', "$base/rules", \%deny);
    $next->('a deny', $get, { status => 403, json => { detail => qr/$rule->{id}/ } });
    $api->('DELETE', "$base/rules/$rule->{id}");
    $next->('the deny deleted', $get, $through);
    $rule = $api->('POST', "$base/rules", \%deny);
    $next->('a deny again', $get, { status => 403 });
    $store->sql("DELETE FROM rr_rule WHERE id = '$rule->{id}'");
    $next->('the deny deleted by SQL', $get, $through);

    # filters: the body changes
    my $cut = { status => 200, json => { method => 'GET', target => undef } };
    my %filter = (operations => [{ effect => 'destroy', jsonPath => { pattern => '^target$' } }]);
    my $filter = $api->('POST', "$base/filters", \%filter);
    $next->('a filter', $get, $cut);
    $api->('DELETE', "$base/filters/$filter->{id}");
    $next->('the filter deleted', $get, $through);
    $filter = $api->('POST', "$base/filters", \%filter);
    $next->('a filter again', $get, $cut);
    $store->sql("UPDATE rr_filter SET body = replace(body, '^target\$', '^method\$') WHERE id = '$filter->{id}'");
    $next->('the filter changed by SQL', $get, { status => 200, json => { method => undef, target => '/x' } });
    $store->sql("DELETE FROM rr_filter WHERE id = '$filter->{id}'");
    $next->('the filter deleted by SQL', $get, $through);

    # proxies
    my %proxy = map { $_ => $made->{proxy}{$_} } qw(proxyName proxyAlias proxyProxyCredentialId proxyTargetId
                                                    proxyDefaultRuleEffect);
    $api->('PUT', $base, { %proxy, proxyActive => JSON::PP::false() });
    $next->('a proxy switched off', $get, { status => 403 });
    $api->('PUT', $base, { %proxy, proxyActive => JSON::PP::true() });
    $next->('and on', $get, $through);
    $store->sql('UPDATE rr_proxy SET active = 0');
    $next->('switched off by SQL', $get, { status => 403 });
    $store->sql('UPDATE rr_proxy SET active = 1');
    $next->('and on by SQL', $get, $through);

    # revocations
    my $now = time();
    my %token = map {
        $_ => { path => '/me', headers => { Authorization => 'Bearer ' . $signer->token({ iss => 'urn:one', sub => 'alice',
                jti => "$what-$_", iat => $now - 10, exp => $now + 600 }) } }
    } qw(one two three);
    $next->("the token $_", $token{$_}, { status => 200 }) for sort keys %token;
    $api->('POST', '/revocations', { jti => "$what-one", issuer => 'urn:one' });
    $next->('a jti revoked', $token{one}, { status => 401 });
    $next->('another jti', $token{two}, { status => 200 });
    $store->sql("INSERT INTO rr_revocation (id, client, issuer, jti, issued_before, expires, created) VALUES "
           . "('byhand', 'default', 'urn:one', '$what-two', 0, 0, 1)");
    $next->('a jti revoked by SQL', $token{two}, { status => 401 });
    $next->('and none else', $token{three}, { status => 200 });
    is($store->rrctl('check')->{out}, "The store is sound.\n", "$what: the store is sound");
}

on_store('sqlite3', store());
SKIP: {
    skip('PostgreSQL is not installed', 1) if !$postgres;
    on_store('pgsql', $postgres->store);
}
allow_log('AH01630');
finish();
