# SPDX-License-Identifier: Apache-2.0
#
# rrctl explain --proxy: the store's rules for one request and one caller, beside what the server says to it.

use strict;
use warnings;

use RR::Inject;
use RR::KeyServer;
use RR::Test;
use RR::Token;

my $signer = RR::Token->key('ES256', kid => 'k');
my $keys = RR::KeyServer->start(dir => place_for('issuer'), keys => [$signer]);
my ($store, $upstream) = (store(), upstream());
my ($caller, $stranger) = map { $store->key($_) } qw(caller stranger);
my $vendor = secret('vendor-secret-' . 'v' x 12);
my $made = stored_proxy($store, 'mail', $upstream->url, caller => $caller, proxyDefaultRuleEffect => 'deny',
                        secret => { credentialAuthType => 'key', credentialSecret => { key => $vendor } });
my $verifier = $store->make('credential', { credentialType => 'proxy', credentialAuthType => 'jwtVerify', credentialName => 'users',
    credentialSecret => { jwksUri => $keys->jwks_uri, issuer => $keys->issuer, audience => ['api', 'other'], header => 'X-User-Auth' } });
sub proxy
{
    my ($name, %more) = @_;
    return $store->make('proxy', { proxyName => $name, proxyAlias => $name, proxyTargetId => $made->{target}{id},
                                   proxyProxyCredentialIds => [$caller->{credentialId}, $verifier->{id}], %more });
}
proxy('all', proxyCredentialMode => 'all');
proxy('any', proxyDefaultRuleEffect => 'allow');
proxy('idle', proxyActive => \0);

my $count = 0;
sub rule
{
    my ($owner, $body) = @_;
    my $name = 'rule' . ++$count;
    my %of = (credential => [credential => $caller->{credentialId}], users => [credential => $verifier->{id}], vendor => [credential => $made->{credential}{id}],
              target => [target => $made->{target}{id}], proxy => [proxy => $made->{proxy}{id}]);
    (my $json = json_text($body)) =~ s/'/''/g;
    $store->sql("INSERT INTO rr_rule (id, client, $of{$owner}[0], body, created) "
                . "VALUES ('$name', 'default', '$of{$owner}[1]', '$json', 1)");
    return $name;
}
my $send = rule('credential', { effect => 'allow', methods => ['POST'], pathPattern => '^/v3/mail/send$' });
my $gold = rule('users', { effect => 'allow', pathPattern => '^/gold$', token => [{ claim => { pattern => '^tier$' }, value => { pattern => '^gold$' } }] });
my $never = rule('target', { effect => 'deny', headers => [{ name => { pattern => '^X-Debug$' } }] });
my $only = rule('vendor', { effect => 'deny', pathPattern => '^/admin' });

my $httpd = httpd(modules => [qw(core keyauth jwt rules inject)], conf => $store->conf . <<'CONF');
RRTargetAllow loopback
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/apart">
    AuthType RR
    RRGateway On
    RRRuleScopes independent
    Require rr-proxy
</Location>
CONF

# explain, and the server with the same request: [name, verdict line, { proxy, method, path, header, key, token, mount }]
sub agree
{
    my ($name, $want, %ask) = @_;
    my ($method, $path) = ($ask{method} || 'POST', $ask{path} || '/v3/mail/send');
    my ($proxy, $mount) = ($ask{proxy} || 'mail', $ask{mount} || '/gw');
    my $got = $store->rrctl('explain', '--proxy', $proxy, $ask{key} ? ('--key', $ask{key}) : (), $ask{token} ? ('--token', $ask{token}) : (),
                            $ask{header} ? ('-H', join(': ', @{ $ask{header} })) : (), $mount eq '/apart' ? '--independent' : (), $method, $path);
    my $allowed = $want =~ /^allowed/;
    like($got->{out}, qr/^\Q$want\E/m, $name) or diag($got->{out}, $got->{err});
    is($got->{exit}, $allowed ? 0 : 1, "$name: exit");
    my $res = $httpd->request(method => $method, path => "$mount/$proxy$path", $method eq 'POST' ? (body => 'x') : (),
        headers => { $ask{key} ? ('X-API-Key' => $ask{key}) : (), $ask{token} ? ('X-User-Auth' => $ask{token}) : (), @{ $ask{header} || [] } });
    ok($allowed ? $res->status == 200 : $res->status =~ /^40[0-3]$/, "$name: the server agrees") or diag($res->text);
    return $got->{out};
}
my $key = $caller->{key};
my ($tin, $rich) = map { secret($signer->token({ iss => $keys->issuer, aud => 'api', sub => 'u', tier => $_ }), 'token') } qw(tin gold);

my $out = agree('the one operation', "allowed by proxy credential:$send", key => $key);
like($out, qr/^method    POST\npath      \/v3\/mail\/send\n/, 'facts first');
like($out, qr/^scope     proxy, default deny, no rules\n/m, 'each scope');
like($out, qr/^scope     target, default allow unless a rule denies\n  $never\s+deny  no match: headers\/0\n/m, 'with its rules');
like($out, qr/^scope     target credential, .*\n  $only\s+deny  no match: path\n/m, 'and why they do not match');
like($out, qr/^scope     proxy credential, .*\n  $send\s+allow matched\n/m, 'or that they do');
unlike($out, qr/\Q$vendor\E|\Q$key\E/, 'no secret');
$out = agree('another method', 'denied by proxy:default', key => $key, method => 'GET');
like($out, qr/$send\s+allow no match: methods\n/, 'says what failed');
agree("a target's deny", "denied by target:$never", key => $key, header => ['X-Debug' => 1]);
agree("its credential's", "denied by target credential:$only", key => $key, path => '/admin/x');
agree('independent', 'denied by proxy:default', key => $key, mount => '/apart');
agree('two readings of a path', 'denied by path: ', key => $key, path => '/v3//mail');
agree('nobody', "denied by admission: no credential of the proxy was given");
agree('a key that is none', 'denied by admission: no credential of the proxy was given', key => 'no-key-of-anybody');
agree('a stranger', "denied by admission: the credential is not the proxy's", key => $stranger->{key});
agree('an idle proxy', 'denied by admission: the proxy is not active', key => $key, proxy => 'idle');
agree('one of two that are needed', 'denied by admission: each credential of the proxy is needed', key => $key, proxy => 'all');
agree('both', "allowed by proxy credential:$gold", key => $key, token => $rich, proxy => 'all', path => '/gold');
agree('both, another claim', 'denied by proxy:default', key => $key, token => $tin, proxy => 'all', path => '/gold');
agree('a token alone', "allowed by proxy credential:$gold", token => $rich, proxy => 'any', path => '/gold');
agree('the default allows', 'allowed by proxy:default', token => $tin, proxy => 'any', path => '/gold');
agree('a token for others', 'denied by admission: no credential of the proxy was given',
      token => secret($signer->token({ iss => $keys->issuer, aud => 'x', sub => 'u' }), 'token'), proxy => 'any');

for my $case (
    ['claims', 0, qr/^allowed by proxy credential:$gold$/m, '--proxy', 'any', '--claims', '{"tier":"gold"}', 'GET', '/gold'],
    ['by id', 0, qr/^allowed by/m, '--proxy', $made->{proxy}{id}, '--key', $key, 'POST', '/v3/mail/send'],
    ['by client and name', 0, qr/^allowed by/m, '--proxy', 'default/mail', '--key', $key, 'POST', '/v3/mail/send'],
    ['below a mount', 0, qr/^allowed by/m, '--proxy', 'mail', '--key', $key, '--mount', '/gw/mail', 'POST', '/gw/mail/v3/mail/send'],
    ['no such proxy', 1, qr/there is no proxy none/, '--proxy', 'none', 'GET', '/'],
    ['neither proxy nor rules', 2, qr/usage:/, 'GET', '/'],
    ['both of them', 2, qr/usage:/, '--proxy', 'mail', '--rules', 'x', 'GET', '/'],
    ['a default for the store', 2, qr/--default is for/, '--proxy', 'mail', '--default', 'allow', 'GET', '/'],
    ['a key for a file', 2, qr/--key/, '--rules', 'x', '--key', 'k', 'GET', '/'],
) {
    my ($name, $exit, $want, @args) = @$case;
    my $got = $store->rrctl('explain', @args);
    is($got->{exit}, $exit, "$name: exit") or diag($got->{out}, $got->{err});
    like($got->{out} . $got->{err}, $want, $name);
}
is_deeply($store->rrctl('--json', 'explain', '--proxy', 'mail', 'GET', '/')->{json}, { allowed => JSON::PP::false(), by => 'admission' }, 'as JSON');
$store->sql("INSERT INTO rr_rule (id, client, proxy, body, created) VALUES ('broken', 'default', '$made->{proxy}{id}', '{}', 1)");
like($store->rrctl('explain', '--proxy', 'mail', '--key', $key, 'POST', '/v3/mail/send')->{out}, qr/^denied by admission: .*broken/m, 'a closed proxy, and why');
allow_log('RR10711', 'AH01630');
finish();
