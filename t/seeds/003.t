# SPDX-License-Identifier: Apache-2.0
#
# Seed 003, "In defence of API keys": the vendor's secret and the caller's key are two things, each rotated
# under load without the other, and a key is good for exactly one operation.

use strict;
use warnings;

use POSIX ();
use RR::Admin;
use RR::Client;
use RR::Inject;
use RR::Test;

my $store = store();
my $operator = $store->key('operator', '--scope', 'rr:admin')->{key};
my $sendgrid = upstream();
my $httpd = httpd(modules => [qw(core keyauth rules inject admin)], children => 2, threads => 16,
                  loglevel => 'info', conf => $store->conf . admin_location() . <<'CONF');
RRTargetAllow loopback
<Location "/mail">
    AuthType RR
    RRProxy default/mail
    Require rr-proxy
</Location>
CONF

# ---- the seed's bodies ----
my $admin = RR::Admin->new($httpd, $operator);
my $caller = $admin->make('credentials', seed('003-proxy-key'));
my $vendor = $admin->make('credentials', seed('003-target-key'));
$admin->make("credentials/$caller->{id}/rules", seed('003-rule-mail'));
my $target = $admin->make('targets', { targetName => 'sendgrid', targetBaseURL => $sendgrid->url });
$admin->make('proxies', { proxyName => 'mail', proxyProxyCredentialId => $caller->{id}, proxyTargetId => $target->{id},
                          proxyTargetCredentialId => $vendor->{id}, proxyDefaultRuleEffect => 'deny' });

# "With proxyDefaultRuleEffect: deny on the proxy, this credential is good for exactly one operation."
my %key = ('X-API-Key' => 'rr_live_xxxxxxxxxxxxxx');
cases($httpd,
    ['POST /v3/mail/send', { method => 'POST', path => '/mail/v3/mail/send', headers => { %key }, body => '{}' },
     { status => 200, json => { method => 'POST', target => '/v3/mail/send' } }],
    ['GET of the same', { path => '/mail/v3/mail/send', headers => { %key } }, { status => 403 }],
    map { [$_, { method => 'POST', path => "/mail/$_", headers => { %key }, body => '{}' }, { status => 403 }] }
        qw(v3/mail/send/all v3/api_keys));
is($sendgrid->count, 1, 'one request reached the vendor');

sub vendor_saw { my %h = map { lc($_->[0]) => $_->[1] } @{ $_[0]{headers} }; return $h{authorization} }
is(vendor_saw(seen($sendgrid)), 'Bearer SG.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'with the vendor\'s secret');

# ---- rotation under load ----
my $first = 'rr_live_xxxxxxxxxxxxxx';
my $added = $admin->call('POST', "credentials/$caller->{id}/keys", '{}')->json->{keys}[0];
my $next = secret($added->{key}, "the caller's next key");
my ($workers, $each) = (4, 700);
my $place = place_for('load');

# Each worker sends on kept connections; it takes the key that the file names, as a service takes its configuration.
my @pids = map {
    my $n = $_;
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    if (!$pid) {
        my ($client, $left, %statuses);
        for my $i (1 .. $each) {
            ($client, $left) = ($httpd->connect, 90) unless $left;
            my $key = slurp("$place/key");
            my $res = eval { $client->exchange(method => 'POST', path => '/mail/v3/mail/send', keep => --$left > 0,
                                               headers => { 'X-API-Key' => $key }, body => "{\"n\":\"$n-$i\"}") };
            $statuses{ $res ? $res->status : "none: $@" }++;
            spew("$place/$n", $i);
        }
        spew("$place/done$n", json_text(\%statuses));
        POSIX::_exit(0);
    }
    $pid;
} (spew("$place/key", $first), 1 .. $workers)[1 .. $workers];

sub progress { my $sum = 0; $sum += eval { slurp("$place/$_") } || 0 for 1 .. $workers; return $sum }
sub reached { my ($n) = @_; return wait_for(sub { progress() >= $n }, 120) }

ok(reached($workers * $each * 0.2), 'load runs');
spew("$place/key", $next);
ok(reached($workers * $each * 0.35), 'the caller has its next key');
# "you rotate just that proxy key - the upstream vendor credential is untouched"
for my $key (grep { $_->{id} ne $added->{id} } @{ $admin->call('GET', "credentials/$caller->{id}/keys")->json->{keys} }) {
    check('the first key is deleted', $admin->call('DELETE', "credentials/$caller->{id}/keys/$key->{id}"), { status => 200 });
}
ok(reached($workers * $each * 0.55), 'load goes on');
my $rotated = secret('SG.' . 'rotated' x 5, "the vendor's next secret");
my %body = %{ json_data(seed('003-target-key')) };
check('the vendor\'s secret is rotated', $admin->call('PUT', "credentials/$vendor->{id}", { %body,
      credentialSecret => { key => $rotated } }), { status => 200 });
my $switch = scalar(() = $sendgrid->requests);
waitpid($_, 0) for @pids;

my %statuses;
for my $n (1 .. $workers) {
    my $counts = json_data(slurp("$place/done$n"));
    $statuses{$_} += $counts->{$_} for keys %$counts;
}
is_deeply(\%statuses, { 200 => $workers * $each }, 'not one of ' . $workers * $each . ' requests failed');
my @seen = map { vendor_saw($_) } $sendgrid->requests;
my %sent;
$sent{$_}++ for @seen;
is(join(' ', sort keys %sent),
   "Bearer $rotated Bearer SG.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 'the vendor saw two secrets, no third');
# What each worker had out may arrive at any time.
my @late = grep { $seen[$_] ne "Bearer $rotated" } $switch .. $#seen;
cmp_ok(scalar @late, '<=', $workers, 'and only the new one once the change was answered');
cmp_ok($sent{"Bearer $rotated"}, '>', 100, 'of which there were many');
check('the first key is refused', $httpd->request(method => 'POST', path => '/mail/v3/mail/send', headers => { %key },
      body => '{}'), { status => 401 });

allow_log('AH01630', 'RR10401');
finish();
