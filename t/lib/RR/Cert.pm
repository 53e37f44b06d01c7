# SPDX-License-Identifier: Apache-2.0
#
# RR::Cert: a certificate authority for one test, and certificates good and bad.

package RR::Cert;

use strict;
use warnings;

use IO::Socket::SSL::Utils qw(CERT_create KEY_create_ec PEM_cert2file PEM_key2file);

# Makes DIR/ca.pem and an authority to sign with.
sub authority
{
    my ($class, $dir) = @_;
    my $self = bless { dir => $dir, ca_file => "$dir/ca.pem" }, $class;
    my ($cert, $key) = CERT_create(CA => 1, subject => { commonName => 'mod_rr test authority' },
                                   key => KEY_create_ec('prime256v1'), not_after => time() + 86400,
                                   purpose => { sslCA => 1, cRLSign => 1 });
    PEM_cert2file($cert, $self->{ca_file});
    @$self{qw(cert key)} = ($cert, $key);
    return $self;
}

sub ca_file { return $_[0]{ca_file} }

# A server's certificate: { cert, key } files. Options: names, ips, expired => 1, alone => 1 (signed by itself).
sub server
{
    my ($self, $name, %opt) = @_;
    my $now = time();
    my @alt = ((map { ['DNS', $_] } @{ $opt{names} || [] }), (map { ['IP', $_] } @{ $opt{ips} || [] }));
    my ($cert, $key) = CERT_create(
        subject => { commonName => $name }, key => KEY_create_ec('prime256v1'), subjectAltNames => \@alt,
        not_before => $now - 7200, not_after => $opt{expired} ? $now - 3600 : $now + 86400,
        purpose => { server => 1 }, $opt{alone} ? () : (issuer => [@$self{qw(cert key)}]));
    my %files = (cert => "$self->{dir}/$name.pem", key => "$self->{dir}/$name.key");
    PEM_cert2file($cert, $files{cert});
    PEM_key2file($key, $files{key});
    return \%files;
}

# The four that a server on 127.0.0.1 may show: good, expired, wrong-name, self-signed.
sub all
{
    my ($self) = @_;
    my @here = (names => ['localhost'], ips => ['127.0.0.1']);
    return {
        good => $self->server('good', @here),
        expired => $self->server('expired', @here, expired => 1),
        'wrong-name' => $self->server('wrong-name', names => ['elsewhere.example'], ips => ['192.0.2.1']),
        'self-signed' => $self->server('self-signed', @here, alone => 1),
    };
}

1;
