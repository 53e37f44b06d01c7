# SPDX-License-Identifier: Apache-2.0
#
# RR::Admin: the management API of a server, as one key may use it.
#
#   my $httpd = httpd(modules => [qw(core keyauth admin)], conf => $store->conf . admin_location());
#   my $admin = RR::Admin->new($httpd, $store->key('operator', '--scope', 'rr:admin'));
#   my $target = $admin->make('targets', { targetName => 'mail', targetBaseURL => 'https://mail.example/' });
#   my $response = $admin->call('DELETE', "/clients/acme/targets/$target->{id}");
#
# A path without a leading slash is the client "default"'s.

package RR::Admin;

use strict;
use warnings;

use Exporter qw(import);
use RR::Util qw(json_text);

our @EXPORT = qw(admin_location);

sub admin_location
{
    return <<'CONF';
<Location "/rr-admin">
    AuthType RR
    Require rr-key
    SetHandler rr-admin
</Location>
CONF
}

# The key is its text, or what RR::Test::Store::key answers.
sub new
{
    my ($class, $httpd, $key) = @_;
    return bless { httpd => $httpd, key => ref $key ? $key->{key} : $key }, $class;
}

# A request as RR::Client takes it; the body is data, or text that is sent as it stands.
sub request
{
    my ($self, $method, $path, $body) = @_;
    $path = "/clients/default/$path" if $path !~ m{^/};
    return (method => $method, path => "/rr-admin$path",
            headers => { 'X-API-Key' => $self->{key}, 'Content-Type' => 'application/json' },
            defined $body ? (body => ref $body ? json_text($body) : $body) : ());
}

sub call
{
    my ($self, @call) = @_;
    return $self->{httpd}->request($self->request(@call));
}

# The object that was made; dies where it was not.
sub make
{
    my ($self, $path, $body) = @_;
    my $response = $self->call('POST', $path, $body);
    die "POST $path: " . $response->text . "\n" unless $response->status == 201;
    return object($response);
}

# The one object of an answer.
sub object
{
    my ($response) = @_;
    my ($list) = grep { ref eq 'ARRAY' } values %{ $response->json || {} };
    return $list && $list->[0];
}

1;
