# SPDX-License-Identifier: Apache-2.0
#
# The walls between clients: with the admin scope of one, every id of another, in every path and in every field of
# every body, is answered byte for byte as an id that nobody has. And no scope comes from one who has not got it.

use strict;
use warnings;

use RR::Admin;
use RR::Test;

my $store = store();
my $httpd = httpd(modules => [qw(core keyauth admin)], conf => $store->conf . admin_location());
my $operator = RR::Admin->new($httpd, $store->key('operator', '--scope', 'rr:admin'));

my %rule = (effect => 'allow', methods => ['GET']);
my %filter = (operations => [{ effect => 'destroy', jsonPath => { pattern => 'x' } }]);

# One client with one of everything.
sub client
{
    my ($client) = @_;
    my %id;
    my $top = "/clients/$client";
    $operator->make('/clients', { clientName => $client, id => $client });
    $id{caller} = $operator->make("$top/credentials", { credentialType => 'proxy', credentialAuthType => 'key',
                                             credentialName => "caller-$client" })->{id};
    $id{vendor} = $operator->make("$top/credentials", { credentialType => 'target', credentialAuthType => 'key', credentialName =>
                                             "vendor-$client", credentialSecret => { key => "sk-vendor-of-$client" } })->{id};
    $id{target} = $operator->make("$top/targets", { targetName => "target-$client", targetBaseURL => "https://$client.example" })->{id};
    $id{proxy} = $operator->make("$top/proxies", { proxyName => "proxy-$client", proxyProxyCredentialId => $id{caller},
                                        proxyTargetId => $id{target}, proxyTargetCredentialId => $id{vendor} })->{id};
    $id{key} = $operator->call('GET', "$top/credentials/$id{caller}/keys")->json->{keys}[0]{id};
    $id{"$_->[0]rule"} = $operator->make("$top/$_->[1]/$id{$_->[0]}/rules", \%rule)->{id} for [caller => 'credentials'], [target => 'targets'], [proxy => 'proxies'];
    $id{"$_->[0]filter"} = $operator->make("$top/$_->[1]/$id{$_->[0]}/filters", \%filter)->{id} for [caller => 'credentials'], [target => 'targets'], [proxy => 'proxies'];
    $id{revocation} = $operator->make("$top/revocations", { token => join('.', 'eyJhbGciOiJSUzI1NiJ9', 'eyJqdGkiOiJqIiwiZXhwIjoyMDAwMDAwMDAwfQ', 'c2ln') })->{id};
    return \%id;
}

my ($mine, $theirs) = (client('acme'), client('rival'));
my $tenants = $operator->make('/clients/acme/credentials', { credentialType => 'proxy', credentialAuthType => 'key',
                              credentialName => 'tenant', credentialScopes => ['rr:admin:acme'] });
my $tenant = RR::Admin->new($httpd, secret($tenants->{credentialSecret}{key}, "acme's admin key"));
my $nobodys = 'rrid_' . '0' x 22;

# Everything of a response but its date, with the id that was asked for made the same.
sub shape
{
    my ($res, $id) = @_;
    (my $text = $res->text) =~ s/^Date: [^\r\n]*\r?\n//m;
    $text =~ s/\Q$id\E/ID/g;
    return $text;
}

# What a call with an id of the other client and one with nobody's answer; ask is code that makes the call.
sub wall
{
    my ($name, $status, $id, $none, $ask) = @_;
    my ($res, $control) = map { $ask->($_) } $id, $none;
    ok($res->status == $status && shape($res, $id) eq shape($control, $none), $name)
        or diag($res->text, "\n--- nobody's:\n", $control->text);
}

# ---- in paths ----
my %credential = (credentialType => 'proxy', credentialAuthType => 'key', credentialName => 'taken-over');
my %target = (targetName => 'taken-over', targetBaseURL => 'https://acme.example');
my %proxy = (proxyName => 'taken-over', proxyProxyCredentialId => $mine->{caller}, proxyTargetId => $mine->{target});
my @paths = ( # a template, which of their ids, and a body that is right
    ['credentials/%s', 'caller', \%credential], ['credentials/%s', 'vendor', \%credential],
    ['credentials/%s/keys', 'caller', {}], ['credentials/%s/keys/roll', 'caller', {}],
    ["credentials/$mine->{caller}/keys/%s", 'key'],
    ['targets/%s', 'target', \%target], ['proxies/%s', 'proxy', \%proxy], ['revocations/%s', 'revocation'],
    (map { ["$_->[0]/%s/rules", $_->[1], \%rule], ["$_->[0]/%s/filters", $_->[1], \%filter],
           ["$_->[0]/$mine->{$_->[1]}/rules/%s", "$_->[1]rule"], ["$_->[0]/$mine->{$_->[1]}/filters/%s", "$_->[1]filter"] }
     [credentials => 'caller'], [targets => 'target'], [proxies => 'proxy']),
);
for my $case (@paths) {
    my ($template, $noun, $body) = @$case;
    my $own = $tenant->call('GET', sprintf("/clients/acme/$template", $mine->{$noun}));
    ok($own->status == ($template =~ /roll/ ? 405 : 200), "control: GET acme/$template with our own $noun") or diag($own->text);
    for my $method (qw(GET HEAD POST PUT DELETE OPTIONS PATCH)) {
        my $ask = sub {
            my ($client, $id) = @_;
            return $tenant->call($method, sprintf("/clients/$client/$template", $id), $method =~ /^P/ ? $body || {} : undef);
        };
        (my $shown = $template) =~ s/rrid_\w+/OWN/;
        # With our client in the path: 404, or what the method is refused with whatever the id.
        my $status = $ask->('acme', $nobodys)->status;
        wall("$method acme/$shown with their $noun", $status, $theirs->{$noun}, $nobodys, sub { $ask->('acme', $_[0]) });
        cmp_ok($status, '>=', 400, "$method acme/$shown with nobody's $noun is refused") if $method ne 'OPTIONS';
        # With theirs: as a client that is not there, whatever follows.
        wall("$method rival/$shown with their $noun", $ask->('nobody', $nobodys)->status, 'rival', 'nobody',
             sub { $ask->($_[0], $theirs->{$noun}) });
    }
}
for my $noun ('', qw(/credentials /targets /proxies /revocations)) {
    for my $method (qw(GET POST PUT DELETE)) {
        wall("$method rival$noun", 404, 'rival', 'nobody',
             sub { $tenant->call($method, "/clients/$_[0]$noun", $method =~ /^P/ ? {} : undef) });
    }
}
wall('a client of their id', 403, 'rival', 'nobody', sub { $tenant->call('POST', '/clients', { clientName => 'x', id => $_[0] }) });

# ---- in bodies ----
my %fields = (
    proxyProxyCredentialId => ['caller', sub { $_[0] }],
    proxyProxyCredentialIds => ['caller', sub { [$mine->{caller}, $_[0]] }],
    proxyTargetId => ['target', sub { $_[0] }],
    proxyTargetCredentialId => ['vendor', sub { $_[0] }],
);
for my $field (sort keys %fields) {
    my ($noun, $value) = @{ $fields{$field} };
    my %body = %proxy;
    delete $body{proxyProxyCredentialId} if $field =~ /^proxyProxyCredentialIds/;
    # By id, by name, and by name with the client's.
    for my $form (['id', $theirs->{$noun}, $nobodys], ['name', "$noun-rival", "$noun-nobody"],
                  ['client and name', "rival/$noun-rival", "nobody/$noun-nobody"]) {
        my ($how, $id, $none) = @$form;
        my $post = sub { $tenant->call('POST', '/clients/acme/proxies', { %body, $field => $value->($_[0]) }) };
        my $status = $post->($none)->status;
        ok($status == 404 || $status == 422, "POST a proxy with nobody's $field by $how: $status");
        wall("POST a proxy with their $field by $how", $status, $id, $none, $post);
        wall("PUT a proxy with their $field by $how", $status, $id, $none,
             sub { $tenant->call('PUT', "/clients/acme/proxies/$mine->{proxy}", { %body, $field => $value->($_[0]) }) });
    }
}
check('control: the same body with ids of our own', $tenant->call('POST', '/clients/acme/proxies', \%proxy), { status => 201 });

# ---- scopes ----
my @foreign = ('rr:admin', 'rr:admin:rival', 'rr:admin:nobody', 'rr:other');
my $own = $tenant->make('/clients/acme/credentials', { %credential, credentialName => 'plain' });
for my $scope (@foreign) {
    check("POST $scope", $tenant->call('POST', '/clients/acme/credentials', { %credential, credentialName => 'root', credentialScopes => [$scope] }),
          { status => 403 });
    check("PUT $scope", $tenant->call('PUT', "/clients/acme/credentials/$own->{id}",
          { %credential, credentialName => 'plain', credentialScopes => ['a', $scope] }), { status => 403 });
}
check('control: a scope that it has', $tenant->call('PUT', "/clients/acme/credentials/$own->{id}",
      { %credential, credentialName => 'plain', credentialScopes => ['a', 'rr:admin:acme'] }), { status => 200 });
check('metadata gives none', $tenant->call('PUT', "/clients/acme/credentials/$own->{id}",
      { %credential, credentialName => 'plain', credentialMetadata => { scopes => ['rr:admin'] } }), { status => qr/^(200|403|422)$/ });

# A credential of ours that the operator gave more than we have: no key of it, no secret of it, comes from us.
my $root = $operator->make('/clients/acme/credentials', { %credential, credentialName => 'operators', credentialScopes => ['rr:admin'] });
my $at = "/clients/acme/credentials/$root->{id}";
secret($root->{credentialSecret}{key}, "the operator's key");
for my $case (['a key', 'POST', "$at/keys", {}], ['a brought key', 'POST', "$at/keys", { key => 'brought-by-the-tenant' }],
              ['a roll', 'POST', "$at/keys/roll", {}],
              ['a secret', 'PUT', $at, { %credential, credentialName => 'operators', credentialScopes => ['rr:admin'],
                                         credentialSecret => { key => 'brought-by-the-tenant' } }]) {
    my ($name, $method, $path, $body) = @$case;
    check("$name of a credential with rr:admin", $tenant->call($method, $path, $body), { status => 403 });
}
check('control: the operator may', $operator->call('POST', "$at/keys", {}), { status => 201 });

# ---- nothing of theirs was touched ----
for my $case (['credentials', 'caller'], ['credentials', 'vendor'], ['targets', 'target'], ['proxies', 'proxy'], ['revocations', 'revocation']) {
    check("their $case->[1] is there", $operator->call('GET', "/clients/rival/$case->[0]/$theirs->{$case->[1]}"),
          { status => 200, absent => ['taken-over'] });
}

finish();
