# SPDX-License-Identifier: Apache-2.0
#
# OAuth2 client credentials against an independent provider (oidc-provider): one fetch at a time, early refresh,
# the end of a token, a provider that is down or says no.

use strict;
use warnings;

use POSIX ();
use RR::Client;
use Time::HiRes ();
use RR::Inject;
use RR::Test;
use RR::Util qw(free_port alive);

my $life = 4; # seconds that a token lives
my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');

# ---- the provider ----
my $place = root() . '/build/oidc';
ok(-d "$place/node_modules/oidc-provider", 'the provider is installed (support/deps.sh test)');
my ($provider, $provider_port, $provider_log) = (undef, free_port(), place_for('oidc') . '/token.log');

sub start_provider
{
    $provider = fork();
    die "fork: $!\n" unless defined $provider;
    if (!$provider) {
        open(STDOUT, '>', "$provider_log.out");
        open(STDERR, '>&', \*STDOUT);
        exec('node', "$place/provider.js", $provider_port, $provider_log, $life) or POSIX::_exit(127);
    }
    return wait_for(sub { RR::Httpd::accepts($provider_port) || !alive($provider) }, 30) && alive($provider);
}

sub stop_provider
{
    return unless $provider;
    kill('TERM', $provider);
    waitpid($provider, 0);
    undef $provider;
}
END { local $?; stop_provider() }

sub fetches { return scalar grep { length } split(/\n/, eval { slurp($provider_log) } || '') }

ok(start_provider(), 'the provider runs') or diag(slurp("$provider_log.out"));

my $token_url = "http://127.0.0.1:$provider_port/token";
my %forms = (
    basic => { tokenUrl => $token_url, clientId => 'by basic', clientSecret => secret('basic-secret: +/%'), scope => 'read' },
    post => { tokenUrl => $token_url, clientId => 'by-post', clientSecret => secret('post-secret-0123456789'),
              clientAuth => 'client_secret_post', scope => 'read write' },
    crowd => { tokenUrl => $token_url, clientId => 'by-post', clientSecret => 'post-secret-0123456789', clientAuth => 'post' },
    lasting => { tokenUrl => $token_url, clientId => 'by-post', clientSecret => 'post-secret-0123456789', clientAuth => 'post' },
    wrong => { tokenUrl => $token_url, clientId => 'by-post', clientSecret => secret('not-the-secret-9'), clientAuth => 'post' },
    nowhere => { tokenUrl => 'http://127.0.0.1:' . free_port() . '/token', clientId => 'x',
                 clientSecret => secret('nowhere-secret') },
    echo => { tokenUrl => $upstream->url('/token'), clientId => 'x', clientSecret => secret('echo-secret-12') },
);
my $apart = upstream(address => '127.0.0.2');
stored_proxy($store, 'apart', $apart->url, caller => $caller, secret => { credentialAuthType => 'oauth2', credentialSecret => {
             tokenUrl => $upstream->url('/token-apart'), clientId => 'x', clientSecret => secret('apart-secret-12') } });
stored_proxy($store, $_, $upstream->url, caller => $caller,
             secret => { credentialAuthType => 'oauth2', credentialSecret => $forms{$_} }) for sort keys %forms;

my $httpd = httpd(modules => [qw(core keyauth inject)], children => 1, threads => 120, conf => $store->conf . <<'CONF');
RRTargetAllow loopback
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/strict">
    RRTargetAllow 127.0.0.2
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF

sub get { return $httpd->request(path => "/gw/$_[0]", headers => { 'X-API-Key' => $caller->{key} }) }
sub sent { my %h = map { lc($_->[0]) => $_->[1] } @{ seen($upstream)->{headers} }; return $h{authorization} }

# ---- both ways to say who the client is ----
for my $form (qw(basic post)) {
    my $before = fetches();
    check("$form: a token is fetched", get("$form/x"), { status => 200 });
    my $first = sent();
    like($first, qr/^Bearer \S{20,}$/, "$form: and sent");
    check("$form: a second request", get("$form/x"), { status => 200 });
    is(sent(), $first, "$form: gets the same");
    is(fetches() - $before, 1, "$form: by one fetch");
}

# ---- a hundred at once ----
{
    my $before = fetches();
    my @connections = map { RR::Client->new(port => $httpd->port) } 1 .. 100;
    $_->send($_->bytes(path => '/gw/crowd/x', headers => { 'X-API-Key' => $caller->{key} })) for @connections;
    my @statuses = map { $_->response->status } @connections;
    is(scalar(grep { $_ == 200 } @statuses), 100, 'a hundred first requests at once are all forwarded');
    is(fetches() - $before, 1, 'by one fetch');
    my $first = sent();
    ok(wait_for(sub { get('crowd/y'); sent() ne $first }, $life + 4), 'near its end the token is another one');
    is(fetches() - $before, 2, 'by one more fetch');
}

# ---- the provider goes away ----
{
    get('lasting/x');
    my $start = Time::HiRes::time();
    my $token = sent();
    stop_provider();
    expect_log('RR10611', 'RR10601');
    my (@good, $last);
    wait_for(sub {
        my $res = get('lasting/x');
        push(@good, Time::HiRes::time() - $start) if $res->status == 200;
        $last = $res;
        return $res->status != 200;
    }, $life + 5);
    cmp_ok($good[-1] || 0, '>', $life * 0.8, 'the token there is goes on being used while its refresh fails');
    cmp_ok($good[-1] || 0, '<=', $life + 0.2, 'until it ends and not longer');
    check('then 503 in words', $last, { status => 503, headers => { 'Retry-After' => qr/^\d+$/ },
          json => { status => 503, detail => qr/no credential/ }, absent => [$token] });
    is(sent(), $token, 'and nothing is sent without it');
    ok(start_provider(), 'the provider is back');
    ok(wait_for(sub { get('lasting/x')->status == 200 }, 5), 'and requests are forwarded again');
}

# ---- no ----
cases($httpd,
    ['a provider that says no', { path => '/gw/wrong/x', headers => { 'X-API-Key' => $caller->{key} } },
     { status => 503, json => { detail => qr/no credential/ } }],
    ['a provider that is nowhere', { path => '/gw/nowhere/x', headers => { 'X-API-Key' => $caller->{key} } }, { status => 503 }],
);
like($httpd->errorlog, qr/RR10611.*default\/wrong: the token endpoint answers 40[01], invalid_client/,
     'the log has the error code');

for my $answer (['no JSON', body => 'hello'], ['no token', body => '{"token_type":"Bearer"}'],
                ['another type', body => '{"access_token":"abcdefghijklmnop","token_type":"mac"}'],
                ['a token that no header takes', body => '{"access_token":"abc\ndefghijklm","token_type":"Bearer"}'],
                ['a token that has ended', body => '{"access_token":"abcdefghijklmnop","expires_in":0}'],
                ['500', status => 500]) {
    my ($what, %how) = @$answer;
    $upstream->behave('/token', %how);
    my $before = $upstream->count('/token');
    wait_for(sub { get('echo/x'); $upstream->count('/token') > $before }, 4);
    check("an endpoint that answers $what", get('echo/x'), { status => 503 });
}
$upstream->behave('/token', body => '{"access_token":"abcdefghijklmnop","expires_in":3600}');
ok(wait_for(sub { get('echo/x')->status == 200 }, 4), 'and one that answers well');
is(sent(), 'Bearer abcdefghijklmnop', 'is believed');

# ---- a section that allows less ----
$upstream->behave('/token-apart', body => '{"access_token":"apart-token-0123","expires_in":3600}');
my %key = (headers => { 'X-API-Key' => $caller->{key} });
for my $round ('before', 'after') {
    my ($fetched, $forwarded) = ($upstream->count('/token-apart'), $apart->count);
    check("an endpoint that the section does not allow, $round another fetched", $httpd->request(path => '/strict/apart/x', %key),
          { status => 503, json => { detail => qr/no credential/ } });
    is($upstream->count('/token-apart'), $fetched, "$round: is not asked");
    is($apart->count, $forwarded, "$round: and nothing is sent with a token that another section fetched");
    check('a section that allows it', get('apart/x'), { status => 200 });
}
is($upstream->count('/token-apart'), 1, 'has fetched once');
like($httpd->errorlog, qr/RR10611.*default\/apart: .*(?:address|allowed)/, 'the log says why');

finish();
