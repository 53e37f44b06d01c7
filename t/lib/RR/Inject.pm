# SPDX-License-Identifier: Apache-2.0
#
# RR::Inject: stored proxies in a line, for tests that forward.
#
#   my ($store, $upstream) = (store(), upstream());
#   my $caller = $store->key('caller');
#   stored_proxy($store, 'vendor', $upstream->url('/v1'), caller => $caller,
#                secret => { credentialAuthType => 'key', credentialSecret => { key => secret('sk_live_...') } });

package RR::Inject;

use strict;
use warnings;

use Exporter qw(import);
use RR::Test ();
use RR::Upstream;

our @EXPORT = qw(upstream stored_proxy seen);

my $count = 0;

# An upstream of this test's own, ended with it.
sub upstream
{
    my (%opt) = @_;
    return RR::Upstream->start(dir => RR::Test::place_for('upstream' . ++$count), %opt);
}

# A target, its credential (secret, or none) and a proxy NAME with the alias NAME; { target, credential, proxy }.
sub stored_proxy
{
    my ($store, $name, $url, %opt) = @_;
    my ($caller, $secret) = (delete $opt{caller}, delete $opt{secret});
    my %made = (target => $store->make('target', { targetName => $name, targetBaseURL => $url }));

    if ($secret) {
        $made{credential} = $store->make('credential', { credentialType => 'target', credentialName => $name, %$secret });
    }
    $made{proxy} = $store->make('proxy', {
        proxyName => $name, proxyAlias => $name,
        $opt{proxyProxyCredentialIds} ? () : (proxyProxyCredentialId => $caller->{credentialId}),
        proxyTargetId => $made{target}{id}, proxyDefaultRuleEffect => 'allow',
        $secret ? (proxyTargetCredentialId => $made{credential}{id}) : (), %opt });
    return \%made;
}

# What the upstream saw last: the JSON of its log's last line.
sub seen
{
    my ($upstream) = @_;
    my @requests = $upstream->requests;
    return $requests[-1];
}

1;
