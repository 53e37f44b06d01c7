# SPDX-License-Identifier: Apache-2.0
#
# RR::Token: signs tokens with CryptX (LibTomCrypt), which shares no code with us or with OpenSSL,
# and makes broken ones of every kind.
#
#   my $key = RR::Token->key('ES256', kid => 'a');
#   $key->jwk;                                             # public, for a key set
#   $key->token({ iss => .., sub => .., aud => .. });      # exp, iat are set unless given
#   $key->token({ ... }, header => { typ => 'at+jwt', kid => undef });
#   RR::Token::compact({ alg => 'none' }, { sub => 'x' }, '');

package RR::Token;

use strict;
use warnings;

use Crypt::Mac::HMAC qw(hmac);
use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use Crypt::PK::RSA;
use Exporter qw(import);
use MIME::Base64 qw(encode_base64url decode_base64url);
use RR::Util qw(json_text json_data random_word);

our @EXPORT_OK = qw(compact parts);

my %curves = (ES256 => 'secp256r1', ES384 => 'secp384r1', ES512 => 'secp521r1', ES256K => 'secp256k1');

# A fresh key for an algorithm; options kid, bits (RSA), secret (HS: the bytes).
sub key
{
    my ($class, $alg, %opt) = @_;
    my $self = bless { alg => $alg, kid => 'k' . random_word(8), %opt }, $class;

    if ($alg =~ /^[RP]S\d+$/) {
        $self->{pk} = Crypt::PK::RSA->new;
        $self->{pk}->generate_key(($opt{bits} || 2048) / 8, 65537);
    }
    elsif ($curves{$alg}) {
        $self->{pk} = Crypt::PK::ECC->new;
        $self->{pk}->generate_key($curves{$alg});
    }
    elsif ($alg eq 'EdDSA') {
        $self->{pk} = Crypt::PK::Ed25519->new;
        $self->{pk}->generate_key;
    }
    elsif ($alg =~ /^HS\d+$/) {
        $self->{secret} = join('', map { chr(int(rand(256))) } 1 .. 64) unless defined $opt{secret};
    }
    else {
        die "no algorithm $alg here\n";
    }
    return $self;
}

# The same key under another algorithm: what an attacker, or a careless issuer, would do.
sub as { my ($self, $alg, %opt) = @_; return bless { %$self, alg => $alg, %opt }, ref $self }

sub kid { return $_[0]{kid} }
sub alg { return $_[0]{alg} }
sub pem { my ($self, $type) = @_; return $self->{pk}->export_key_pem($type || 'public') }

# The public key for a key set; more members as given, undef removes one.
sub jwk
{
    my ($self, %more) = @_;
    my $jwk = $self->{secret} ? { kty => 'oct', k => encode_base64url($self->{secret}) }
                              : { %{ $self->{pk}->export_key_jwk('public', 1) } };
    $jwk->{crv} = 'secp256k1' if ($jwk->{crv} || '') eq 'P-256K'; # CryptX has a draft's name (RFC 8812, 3.1)
    my %all = (%$jwk, kid => $self->{kid}, alg => $self->{alg}, use => 'sig', %more);
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    return \%all;
}

sub sign
{
    my ($self, $input) = @_;
    my ($kind, $bits) = $self->{alg} =~ /^([A-Z]+)(\d*)/;
    my $hash = "SHA$bits";

    return hmac($hash, $self->{secret}, $input) if $kind eq 'HS';
    return $self->{pk}->sign_message($input, $hash, 'v1.5') if $kind eq 'RS';
    return $self->{pk}->sign_message($input, $hash, 'pss', $bits / 8) if $kind eq 'PS';
    return $self->{pk}->sign_message_rfc7518($input, $hash) if $kind eq 'ES';
    return $self->{pk}->sign_message($input);
}

# A signed token. claims: hash (iat and exp are added unless there; undef removes one) or exact text.
sub token
{
    my ($self, $claims, %opt) = @_;
    my %header = (alg => $self->{alg}, kid => $self->{kid}, typ => 'JWT', %{ $opt{header} || {} });

    delete $header{$_} for grep { !defined $header{$_} } keys %header;
    if (ref $claims) {
        my $now = time();
        my %all = (iat => $now, exp => $now + 3600, %$claims);
        delete $all{$_} for grep { !defined $all{$_} } keys %all;
        $claims = json_text(\%all);
    }
    my $head = defined $opt{head} ? $opt{head} : json_text(\%header);
    my $input = encode_base64url($head) . '.' . encode_base64url($claims);
    return "$input." . encode_base64url($self->sign($input));
}

# Three segments of anything: hashes become JSON, texts stay as they are.
sub compact
{
    my ($header, $payload, $signature) = @_;
    return join('.', map { encode_base64url(ref $_ ? json_text($_) : $_) } $header, $payload, $signature);
}

# A token's segments decoded: (header text, payload text, signature bytes).
sub parts { return map { decode_base64url($_) } split(/\./, $_[0], -1) }

1;
