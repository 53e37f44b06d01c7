# SPDX-License-Identifier: Apache-2.0
#
# rrctl jwt: keys and tokens of the development issuer, and the sentence in which verify refuses.

use strict;
use warnings;

use RR::Util qw(build place slurp spew run json_data);
use Test::More;

my $rrctl = build() . '/bin/rrctl';
my $dir = place('t/run/cli-jwt') . "/$$";
mkdir($dir) or die "$dir: $!\n";

sub jwt { return run($rrctl, 'jwt', @_) }

sub mint
{
    my $got = jwt('mint', '--key', "$dir/key", '--iss', 'https://i/', '--sub', 'x', '--aud', 'a', @_);
    is($got->{exit}, 0, 'mint') or diag($got->{err});
    return $got->{out} =~ s/\n\z//r;
}

is(jwt('keygen', '--kid', 'k1', '--out', "$dir/key", '--public-out', "$dir/set")->{exit}, 0, 'keygen');
is((stat("$dir/key"))[2] & 07777, 0600, 'the private key is its owner\'s alone');
is(json_data(slurp("$dir/set"))->{keys}[0]{kid}, 'k1', 'the key set names it');
ok(!exists json_data(slurp("$dir/set"))->{keys}[0]{d}, 'and has no private part');
my $key = slurp("$dir/key");
my $again = jwt('keygen', '--out', "$dir/key");
is($again->{exit}, 1, 'a private key is not overwritten');
like($again->{err}, qr/exists/, 'which it says');
is(slurp("$dir/key"), $key, 'it is as it was');
is(jwt('keygen', '--alg', 'HS256', '--public-out', "$dir/none")->{exit}, 1, 'a secret has no public set');

for my $case (
    ['as it should be', [], []],
    ['another audience beside ours', ['--aud', 'b'], []],
    ['within the leeway', ['--ttl', '-30s'], []],
    ['expired', ['--ttl', '-10mi'], [], qr/expired 10 minutes ago \(leeway 60 seconds\)/],
    ['expired, less leeway', ['--ttl', '-30s'], ['--leeway', '0'], qr/expired 3\d seconds ago/],
    ['not yet', ['--nbf', '2h'], [], qr/not valid for another (?:2 hours|119 minutes)/],
    ['issued later', ['--iat', '5mi'], [], qr/was issued \d+ (?:minutes|seconds) from now/],
    ['no end', ['--no-exp'], [], qr/exp is missing/],
    ['too long', [], ['--max-lifetime', '30mi'], qr/lifetime is 60 minutes, at most 30 minutes/],
    ['another issuer', [], ['--issuer', 'https://i'], qr{iss is 'https://i/', expected 'https://i'}],
    ['another audience', [], ['--audience', 'z'], qr/aud is 'a', expected 'z'/],
    ['no subject', ['--claim', 'sub=null'], [], qr/sub is missing/],
    ['another algorithm', ['--alg', 'PS256'], [], qr/key 'k1' is not for PS256/],
    ['an algorithm that is not wanted', [], ['--algorithms', 'ES256 PS256'], qr/alg 'RS256' is not allowed; allowed are: PS256 ES256/],
    ['another key id', ['--kid', 'k2'], [], qr/no key of id 'k2' in the set; its keys are: k1/],
    ['another type', ['--typ', 'dpop+jwt'], [], qr/'typ' is 'dpop\+jwt'/],
) {
    my ($name, $mint, $verify, $why) = @$case;
    my $got = jwt('verify', mint(@$mint), '--jwks', "$dir/set", '--issuer', 'https://i/',
        (grep { $_ eq '--audience' } @$verify) ? () : ('--audience', 'a'), @$verify);
    is($got->{exit}, $why ? 1 : 0, $name) or diag($got->{err});
    like($why ? $got->{err} : $got->{out}, $why || qr/^valid for another/, "$name: in a sentence");
}

my $token = mint('--claim', 'n=[1,2]', '--claim', 'text=a b', '--claim', 'exp=4102444800', '--scope', 'r w');
my ($h, $p, $s) = split(/\./, $token);
my $forged = jwt('verify', "$h.$p." . ($s =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/er), '--jwks', "$dir/set", '--json');
is($forged->{exit}, 1, 'a forged signature');
is(json_data($forged->{out})->{reason}, 'bad_signature', 'in a word for programs');
is_deeply(json_data(jwt('verify', $token, '--jwks', "$dir/set", '--json')->{out})->{claims}{n}, [1, 2], 'the right one');

my $decoded = jwt('decode', $token);
like($decoded->{out}, qr/"exp": 4102444800   # Fri, 01 Jan 2100/, 'decode: a claim stands over what it would be, with its date');
like($decoded->{out}, qr/"text": "a b"/, 'decode: what is no JSON is text');
like($decoded->{out}, qr/signature was NOT verified/, 'decode says that it did not verify');
is(run({ stdin => " $token\n" }, $rrctl, qw(jwt decode -))->{out}, $decoded->{out}, 'decode: from standard input');
is(jwt('decode', 'words')->{exit}, 1, 'decode refuses what is no token');
like(jwt('verify', 'a.b.c.d.e', '--jwks', "$dir/set")->{err}, qr/encrypted token \(JWE\)/, 'a JWE is named as such');

for my $case (['mint'], ['mint', '--key'], ['verify', $token], ['verify', $token, '--jwks', 'x', '--secret', 'y'],
    ['verify', '--jwks', 'x'], ['decode'], ['decode', 'a', 'b'], ['keygen', '--bits', '1'], ['keygen', '--alg', 'none'], ['sing']) {
    my $got = jwt(@$case);
    is($got->{exit}, 2, "not asked properly: $case->[0]");
    like($got->{err}, qr/usage/, 'which is shown');
}

done_testing();
