# SPDX-License-Identifier: Apache-2.0
#
# RR::KeyServer: an issuer: discovery documents (OIDC, RFC 8414), a key set, a token endpoint's shape.
#
#   my $issuer = RR::KeyServer->start(dir => place_for('issuer'), keys => [$key]);
#   $issuer->issuer;                        # what tokens say in iss, what RRJwtIssuer names
#   $issuer->set_keys($next);               # rotate
#   $issuer->count('/jwks');                # how often it was fetched
#   $issuer->behave('/jwks', slow => 3);    # see RR::Server: slow, status, body, pad, cut, close
#   $issuer->stop; $issuer->resume;         # refuse connections; listen again
#   RR::KeyServer->start(.., tls => 1);     # https, $issuer->ca_file; show_cert('expired'|'wrong-name'|'self-signed')

package RR::KeyServer;

use strict;
use warnings;

use parent qw(RR::Server);

use File::Path qw(make_path);
use RR::Util qw(slurp json_text);

# Options besides RR::Server's: keys [RR::Token or JWK]; jwks_file served instead; issuer (default: the URL);
# path of a tenant's issuer ("/tenant").
sub start
{
    my ($class, %opt) = @_;
    make_path($opt{dir});
    if ($opt{tls} && !ref $opt{tls}) {
        require RR::Cert;
        my $authority = RR::Cert->authority($opt{dir});
        @opt{qw(tls ca_file)} = ($authority->all, $authority->ca_file);
    }
    return $class->SUPER::start(%opt);
}

sub first_state
{
    my ($self) = @_;
    return { %{ $self->SUPER::first_state }, keys => jwks(@{ $self->{keys} || [] }) };
}

sub jwks { return [map { ref $_ eq 'HASH' ? $_ : $_->jwk } @_] }

sub issuer { my ($self) = @_; return $self->{issuer} || $self->url($self->{path}) }
sub jwks_uri { my ($self) = @_; return $self->url('/jwks') }
sub ca_file { return $_[0]{ca_file} }

sub set_keys { my ($self, @keys) = @_; $self->{state}{keys} = jwks(@keys); return $self->save }
sub add_keys { my ($self, @keys) = @_; push(@{ $self->{state}{keys} }, @{ jwks(@keys) }); return $self->save }

# Changes the discovery document: name => value, undef removes.
sub discovery { my ($self, %more) = @_; $self->{state}{discovery} = \%more; return $self->save }

sub answer
{
    my ($self, $request) = @_;
    my $state = $self->{load_once};

    if ($request->{path} eq '/jwks') {
        my $text = $self->{jwks_file} ? slurp($self->{jwks_file}) : json_text({ keys => $state->{keys} });
        return { status => 200, type => 'application/jwk-set+json', body => $text };
    }
    if ($request->{path} =~ m{/\.well-known/(openid-configuration|oauth-authorization-server)(?:/|$)}) {
        my %document = (issuer => $self->issuer, jwks_uri => $self->jwks_uri, token_endpoint => $self->url('/token'),
                        response_types_supported => ['code'], subject_types_supported => ['public'],
                        id_token_signing_alg_values_supported => ['RS256', 'ES256'],
                        %{ $state->{discovery} || {} });
        delete $document{$_} for grep { !defined $document{$_} } keys %document;
        return { status => 200, body => json_text(\%document) };
    }
    return { status => 404, type => 'text/plain', body => "no such page\n" };
}

1;
