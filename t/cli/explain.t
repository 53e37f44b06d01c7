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
    my %of = (credential => [credential => $caller->{credentialId}], users => [credential => $verifier->{id}], vendor => [credential => $made->{credential}{id}],
              target => [target => $made->{target}{id}], proxy => [proxy => $made->{proxy}{id}]);
    return rule_on(@{ $of{$owner} }, $body);
}
sub rule_on
{
    my ($column, $id, $body) = @_;
    (my $json = json_text($body)) =~ s/'/''/g;
    my $name = 'rule' . ++$count;
    $store->sql("INSERT INTO rr_rule (id, client, $column, body, created) VALUES ('$name', 'default', '$id', '$json', 1)");
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
agree('a key that is none', 'denied by admission: the key is nobody\'s', key => 'no-key-of-anybody');
agree('a stranger', "denied by admission: the credential is not the proxy's", key => $stranger->{key});
agree('an idle proxy', 'denied by admission: the proxy is not active', key => $key, proxy => 'idle');
agree('one of two that are needed', 'denied by admission: each credential of the proxy is needed', key => $key, proxy => 'all');
agree('both', "allowed by proxy credential:$gold", key => $key, token => $rich, proxy => 'all', path => '/gold');
agree('both, another claim', 'denied by proxy:default', key => $key, token => $tin, proxy => 'all', path => '/gold');
agree('a token alone', "allowed by proxy credential:$gold", token => $rich, proxy => 'any', path => '/gold');
agree('the default allows', 'allowed by proxy:default', token => $tin, proxy => 'any', path => '/gold');
agree('a token for others', 'denied by admission: the token is refused: aud',
      token => secret($signer->token({ iss => $keys->issuer, aud => 'x', sub => 'u' }), 'token'), proxy => 'any');

# ---- what is verified, what is taken on trust, what is refused ----
my $set = place_for('keys') . '/keys.json';
spew($set, json_text({ keys => [$signer->jwk] }));
my $shared = 'a secret of at least thirty-two bytes, for HS256';
my $signed = $store->make('credential', { credentialType => 'proxy', credentialAuthType => 'jwtVerify', credentialName => 'signed',
    credentialSecret => { secret => $shared, issuer => 'https://signed.example', audience => 'api' } });
my $resting = $store->key('resting');
my $anybody = $store->make('credential', { credentialType => 'proxy', credentialAuthType => 'none', credentialName => 'anybody' });
my $tiers = { token => [{ claim => { pattern => '^tier$' }, value => { pattern => '^gold$' } }] };
proxy('signed', proxyProxyCredentialIds => [$signed->{id}, $caller->{credentialId}, $resting->{credentialId}]);
proxy('lobby', proxyProxyCredentialIds => [$anybody->{id}], proxyDefaultRuleEffect => 'allow');
$store->sql("UPDATE rr_credential SET active = 0 WHERE id = '$resting->{credentialId}'");
rule_on(credential => $caller->{credentialId}, { effect => 'allow', pathPattern => '^/tiers$', %$tiers });
rule_on(credential => $signed->{id}, { effect => 'allow', pathPattern => '^/tiers$', %$tiers });
rule_on(credential => $anybody->{id}, { effect => 'deny', pathPattern => '^/private' });
my %of = (iss => 'https://signed.example', aud => 'api', sub => 'u', tier => 'gold');
my $hs = sub { return secret(RR::Token->key('HS256', secret => $_[0])->token({ %of }), 'token') };
my $forger = RR::Token->key('ES256', kid => 'k');
my %users = (iss => $keys->issuer, aud => 'api', sub => 'u', tier => 'gold');
my %house = (iss => 'https://house.example', sub => 'u', tier => 'gold');
my $taken_back = secret($signer->token({ %users, jti => 'taken-back' }), 'token');
is($store->rrctl('jwt', 'revoke', '--jti', 'taken-back', '--issuer', $keys->issuer)->{exit}, 0, 'a token is revoked');
for my $case (
    ['no keys at hand: on trust, and said', 0, qr/^known     NOT verified, taken on trust, for default\/users: give --jwks/m, '--proxy', 'any', '--token', $rich, 'GET', '/gold'],
    ['keys of a file', 0, qr/^known     verified by --jwks, for default\/users$/m, '--proxy', 'any', '--token', $rich, '--jwks', $set, 'GET', '/gold'],
    ['a forged signature', 1, qr/^denied by admission: the token is refused: /m, '--proxy', 'any', '--jwks', $set, '--token', $forger->token({ %users }), 'GET', '/gold'],
    ['an expired token', 1, qr/^denied by admission: the token is refused: .*exp/m, '--proxy', 'any', '--token', $signer->token({ %users, exp => 1000 }), 'GET', '/gold'],
    ['a revoked token', 1, qr/^denied by admission: the token was revoked$/m, '--proxy', 'any', '--token', $taken_back, 'GET', '/gold'],
    ["the credential's own secret", 0, qr/^known     verified by the credential's secret, for default\/signed$/m, '--proxy', 'signed', '--token', $hs->($shared), 'GET', '/tiers'],
    ['another secret', 1, qr/^denied by admission: the token is refused: /m, '--proxy', 'signed', '--token', $hs->('another secret of at least thirty-two bytes'), 'GET', '/tiers'],
    ['of an issuer that the proxy does not know', 1, qr/no jwtVerify credential of the proxy has its iss/, '--proxy', 'signed', '--key', $key, '--token', $signer->token({ %house }), 'GET', '/tiers'],
    ['that an RRJwtIssuer knows', 0, qr/^known     verified by --jwks, as an RRJwtIssuer would$/m, '--proxy', 'signed', '--key', $key, '--issuer', $house{iss}, '--jwks', $set, '--token', $signer->token({ %house }), 'GET', '/tiers'],
    ['whose token opens no proxy', 1, qr/^denied by admission: no credential of the proxy was given$/m, '--proxy', 'signed', '--issuer', $house{iss}, '--jwks', $set, '--token', $signer->token({ %house }), 'GET', '/tiers'],
    ['a resting credential', 1, qr/^denied by admission: the credential default\/resting is not active$/m, '--proxy', 'signed', '--key', $resting->{key}, 'GET', '/'],
    ['anybody', 1, qr/^denied by admission: no credential .*--allow-none$/m, '--proxy', 'lobby', 'GET', '/'],
    ['anybody, allowed', 0, qr/^allowed by proxy:default$/m, '--proxy', 'lobby', '--allow-none', 'GET', '/'],
    ["anybody, by that credential's rules", 1, qr/^denied by proxy credential:/m, '--proxy', 'lobby', '--allow-none', 'GET', '/private'],
    ['anybody with a wrong key', 1, qr/^denied by admission: the key is nobody's$/m, '--proxy', 'lobby', '--allow-none', '--key', 'no-key-of-anybody', 'GET', '/'],
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
