# SPDX-License-Identifier: Apache-2.0
#
# Sealed secrets that were tampered with: the route is closed, the log names the credential, the others stay open.

use strict;
use warnings;

use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller');
my %made = map {
    $_ => stored_proxy($store, $_, $upstream->url, caller => $caller, secret => { credentialAuthType => 'key',
        credentialSecret => { key => secret("vendor-secret-of-$_" . 's' x 12, "the secret of $_") } })
} qw(one two);
my $httpd = httpd(modules => [qw(core keyauth inject)], conf => $store->conf . <<'CONF');
RRTargetAllow loopback
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF

sub sealed { return $store->sql("SELECT secret FROM rr_credential WHERE id = '$made{$_[0]}{credential}{id}'") }
sub put { $store->sql("UPDATE rr_credential SET secret = '$_[1]' WHERE id = '$made{$_[0]}{credential}{id}'") }
sub lines { my $count = () = $httpd->errorlog =~ /\bRR10711: credential default\/$_[0] cannot/g; return $count }

# What the target is sent, and that the log says why where it is sent nothing; more requests than there are children.
sub routes
{
    my ($name, %want) = @_;
    for my $route (sort keys %want) {
        my @before = $upstream->requests;
        for my $n (1 .. 6) {
            my $res = $httpd->request(path => "/gw/$route/x", headers => { 'X-API-Key' => $caller->{key} });
            check("$name: $route, $n", $res, $want{$route} == 200 ? { status => 200 }
                  : { status => 503, absent => ['seal', $made{$route}{credential}{id}] });
        }
        my @after = $upstream->requests;
        my @sent = map { map { $_->[1] } grep { lc $_->[0] eq 'authorization' } @{ $_->{headers} } }
            splice(@after, scalar @before);
        my @expected = $want{$route} == 200 ? ("Bearer vendor-secret-of-$route" . 's' x 12) x 6 : ();
        is_deeply(\@sent, \@expected, "$name: what the target of $route is sent");
    }
}

my %whole = map { $_ => sealed($_) } keys %made;
isnt($whole{one}, $whole{two}, 'each is sealed by itself');
routes('whole', one => 200, two => 200);

# One bit: of the secret, of the tag. Base64 letters that differ in one bit; the last letters may hold bits of no byte.
my $text = $whole{one};
my @letters = ('A' .. 'Z', 'a' .. 'z', '0' .. '9');
my %flipped = map { ($letters[$_] => $letters[$_ ^ 1]) } 0 .. $#letters;
my @places = map { my $at = $_; $at-- while !$flipped{ substr($text, $at, 1) }; $at } int(length($text) / 2), length($text) - 5;
for my $at (@places) {
    my $before = lines('one');
    my $bent = $text;
    substr($bent, $at, 1) = $flipped{ substr($text, $at, 1) };
    put('one', $bent);
    routes("changed at $at", one => 503, two => 200);
    cmp_ok(lines('one'), '>', $before, "changed at $at: the log names it");
    put('one', $text);
    routes("put back at $at", one => 200, two => 200);
}

# The ciphertext of another row.
my $before = lines('two');
put('two', $whole{one});
routes('moved', one => 200, two => 503);
cmp_ok(lines('two'), '>', $before, 'moved: the log names it');
put('two', $whole{two});
routes('moved back', one => 200, two => 200);
cmp_ok(lines('one'), '<=', 2 * @places, 'one line a child and change');
cmp_ok(lines('two'), '<=', 2, 'one line a child and change, of the other');

my $finding = do { put('two', $whole{one}); $store->rrctl('check') };
isnt($finding->{exit}, 0, 'rrctl check finds it, too');
like($finding->{out} . $finding->{err}, qr{default/two|$made{two}{credential}{id}}, 'and names it');
put('two', $whole{two});
is($store->rrctl('check')->{out}, "The store is sound.\n", 'control: put back');

expect_log('RR10711');
allow_log(qr/RR10[6]\d\d/);
finish();
