# SPDX-License-Identifier: Apache-2.0
#
# Rules of the store, at four scopes, judged on the next request after they were written, by whatever wrote them.
# Where no module forwards, a request that is let through ends in 501: nothing but rules says 403 here.

use strict;
use warnings;

use RR::Admin;
use RR::Test;

my $store = store();
my $httpd = httpd(modules => [qw(core keyauth rules admin)], conf => $store->conf . admin_location() . <<'CONF');
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
<Location "/open">
    AuthType RR
    RRGateway On
    Require all granted
</Location>
CONF

my $admin = RR::Admin->new($httpd, $store->key('operator', '--scope', 'rr:admin'));

my %id;
my ($caller, $other) = map { secret("$_-key-of-the-test") } qw(caller other);
sub credential
{
    my ($type, $name, $key) = @_;
    return $admin->make('credentials', { credentialType => $type, credentialAuthType => 'key', credentialName => $name,
                                         credentialSecret => { key => $key } })->{id};
}
$id{credential} = credential('proxy', 'caller', $caller);
$id{other} = credential('proxy', 'other', $other);
$id{vendor} = credential('target', 'vendor', secret('vendor-secret-of-the-test'));
$id{target} = $admin->make('targets', { targetName => 'vendor', targetBaseURL => 'https://vendor.example.com/v1' })->{id};
$id{proxy} = $admin->make('proxies', { proxyName => 'mail', proxyAlias => 'mail', proxyProxyCredentialId => $id{credential},
                                       proxyTargetId => $id{target}, proxyTargetCredentialId => $id{vendor} })->{id};

my $count = 0;

# Hangs a rule on an owner, by SQL: what any tool writes counts.
sub rule
{
    my ($owner, $body) = @_;
    my $column = $owner eq 'vendor' || $owner eq 'other' ? 'credential' : $owner;
    my $name = 'rule' . ++$count;
    (my $json = json_text($body)) =~ s/'/''/g;
    $store->sql("INSERT INTO rr_rule (id, client, $column, body, created) VALUES ('$name', 'default', '$id{$owner}', '$json', 1)");
    return $name;
}

sub clear { $store->sql('DELETE FROM rr_rule') }

sub get
{
    my ($mount, $path, %req) = @_;
    return { path => "$mount/mail$path", headers => { 'X-API-Key' => $caller }, %req };
}

my $through = { status => 501 };
my $path = sub { return { path => { path => { pattern => $_[0] }, presence => 'must_exist' } } };

sub denied
{
    my ($scope, $rule) = @_;
    return { status => 403, json => { detail => $rule ? qr{Rule $rule of the scope $scope denies} : qr{scope $scope } } };
}

# The proxy's default is deny.
cases($httpd,
    ['no rule at all: the default', get('/gw', '/v3/mail/send'), denied('proxy')],
    ['and under Require all granted', get('/open', '/v3/mail/send'), denied('proxy')],
    ['nobody', { path => '/gw/mail/v3' }, { status => 401 }],
    ['another credential', { path => '/gw/mail/v3', headers => { 'X-API-Key' => $other } }, { status => 403, json => { detail => qr/proxy/ } }],
);

# Seed 003: one allow rule on the credential.
rule('credential', { effect => 'allow', methods => ['POST'], %{ $path->('^/v3/mail/send$') }, priority => 10 });
cases($httpd,
    ['the one operation', get('/gw', '/v3/mail/send', method => 'POST', body => 'x'), $through],
    ['its path relative to the segment, not to the mount', get('/gw', '/gw/mail/v3/mail/send', method => 'POST', body => 'x'), denied('proxy')],
    ['another method', get('/gw', '/v3/mail/send'), denied('proxy')],
    ['a longer path', get('/gw', '/v3/mail/send/x', method => 'POST', body => 'x'), denied('proxy')],
    ['a path of two meanings', get('/gw', '/v3/mail//send', method => 'POST', body => 'x'), { status => 400 }],
    ['independent: the proxy itself has to allow', get('/apart', '/v3/mail/send', method => 'POST', body => 'x'), denied('proxy')],
);

my $deny = rule('target', { effect => 'deny', %{ $path->('send') } });
cases($httpd, ["a target's deny", get('/gw', '/v3/mail/send', method => 'POST', body => 'x'), denied('target', $deny)]);
clear();

rule('target', { effect => 'allow', %{ $path->('.') } });
cases($httpd, ["a target's allow opens no proxy", get('/gw', '/v3'), denied('proxy')]);
rule('vendor', { effect => 'allow', %{ $path->('.') } });
cases($httpd, ["nor does a target credential's", get('/gw', '/v3'), denied('proxy')]);
rule('other', { effect => 'allow', %{ $path->('.') } });
cases($httpd, ["nor does another credential's", { path => '/gw/mail/v3', headers => { 'X-API-Key' => $other } }, { status => 403 }]);
rule('proxy', { effect => 'allow', %{ $path->('^/v3') } });
cases($httpd,
    ["the proxy's own does", get('/gw', '/v3'), $through],
    ['where it matches', get('/gw', '/v4'), denied('proxy')],
    ['independent as well', get('/apart', '/v3'), $through],
);
$deny = rule('credential', { effect => 'deny', %{ $path->('^/v3/secret') }, priority => 1 });
cases($httpd,
    ['deny wins whatever the priorities', get('/gw', '/v3/secret'), denied('proxy credential', $deny)],
    ['and nothing else is touched', get('/gw', '/v3/public'), $through],
);

# A row that somebody else wrote and that is no rule closes the proxy, in words for the operator only.
$store->sql("INSERT INTO rr_rule (id, client, proxy, body, created) VALUES ('broken', 'default', '$id{proxy}', '{\"effect\":\"maybe\"}', 1)");
cases($httpd, ['a rule that is none closes its proxy', get('/gw', '/v3'), { status => 503, absent => ['maybe', 'broken'] }]);
$store->sql("DELETE FROM rr_rule WHERE id = 'broken'");
cases($httpd, ['and it opens again', get('/gw', '/v3'), $through]);

$store->sql("UPDATE rr_proxy SET active = 0");
cases($httpd, ['a proxy that was switched off', get('/gw', '/v3'), { status => 403 }]);
$store->sql("UPDATE rr_proxy SET active = 1");
cases($httpd, ['and on', get('/gw', '/v3'), $through]);

expect_log('RR10711');
finish();
