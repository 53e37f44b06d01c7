# SPDX-License-Identifier: Apache-2.0
#
# Each kind of target credential as the target sees it, and nothing of the caller's.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use RR::Inject;
use RR::Test;

my ($store, $upstream) = (store(), upstream());
my $caller = $store->key('caller', '--metadata', '{"userId":"u-17","tier":"gold","tags":["a","b"],"org":{"id":"o-4"}}');

sub vendor { return secret("vendor-$_[0]-" . 'S3cr' x 6, "the vendor's $_[0]") }

my %kinds = (
    'key' => [{ credentialAuthType => 'key', credentialSecret => { key => vendor('key') } },
              { Authorization => 'Bearer ' . vendor('key') }],
    'apiKey' => [{ credentialAuthType => 'apiKey', credentialSecret => { key => vendor('key2') } },
                 { Authorization => 'Bearer ' . vendor('key2') }],
    'header' => [{ credentialAuthType => 'key', credentialSecret => { key => vendor('raw'), header => 'X-Vendor-Key' } },
                 { 'X-Vendor-Key' => vendor('raw') }],
    'prefix' => [{ credentialAuthType => 'key', credentialSecret => { key => vendor('pre'), header => 'X-Vendor-Key',
                                                                      prefix => 'Token' } },
                 { 'X-Vendor-Key' => 'Token ' . vendor('pre') }],
    'query' => [{ credentialAuthType => 'key', credentialSecret => { key => vendor('q+&'), query => 'vendor_key' } }, {},
                'q=1&vendor_key=' . vendor('q+&') =~ s/\+/%2B/r =~ s/&/%26/r],
    'prefix-blank' => [{ credentialAuthType => 'key', credentialSecret => { key => vendor('blank'), prefix => 'Token ' } },
                                { Authorization => 'Token ' . vendor('blank') }],
    'no-prefix' => [{ credentialAuthType => 'key', credentialSecret => { key => vendor('bare'), prefix => '' } },
                    { Authorization => vendor('bare') }],
    'basic-no-password' => [{ credentialAuthType => 'basic', credentialSecret => { username => vendor('user'), password => '' } },
                                   { Authorization => 'Basic ' . encode_base64(vendor('user') . ':', '') }],
    'bearer' => [{ credentialAuthType => 'bearer', credentialSecret => { token => vendor('bearer') } },
                 { Authorization => 'Bearer ' . vendor('bearer') }],
    'basic' => [{ credentialAuthType => 'basic', credentialSecret => { username => 'us er', password => vendor('basic') } },
                { Authorization => 'Basic ' . encode_base64('us er:' . vendor('basic'), '') }],
    'jwt' => [{ credentialAuthType => 'jwt', credentialSecret => { token => vendor('jwt') } },
              { Authorization => 'Bearer ' . vendor('jwt') }],
    'custom' => [{ credentialAuthType => 'custom', credentialSecret => { headers => {
                     'X-One' => vendor('one'), 'X-Two' => vendor('two') } } },
                 { 'X-One' => vendor('one'), 'X-Two' => vendor('two') }],
    'none' => [{ credentialAuthType => 'none' }, {}],
);
stored_proxy($store, $_, $upstream->url, caller => $caller, secret => $kinds{$_}[0]) for sort keys %kinds;
stored_proxy($store, 'telling', $upstream->url, caller => $caller, secret => $kinds{key}[0],
             proxyIdentityHeaders => { 'X-User-Id' => 'sub', 'X-Tier' => 'tier', 'X-Org' => 'org.id', 'X-Tags' => 'tags',
                                       'X-None' => 'missing' });
stored_proxy($store, 'passing', $upstream->url, caller => $caller, secret => $kinds{header}[0],
             proxyForwardHeaders => ['Cookie', 'X-Forwarded-For', 'Authorization']);
stored_proxy($store, 'clashing', $upstream->url, caller => $caller, secret => $kinds{key}[0],
             proxyForwardHeaders => ['Authorization'], proxyIdentityHeaders => { 'X-User-Id' => 'sub' });
my $placed = $store->make('credential', { credentialType => 'proxy', credentialAuthType => 'key', credentialName => 'placed',
                                          credentialSecret => { key => secret('key-in-a-place-of-its-own'), query => 'placed' } });
stored_proxy($store, 'placed', $upstream->url, secret => $kinds{key}[0], proxyProxyCredentialIds => [$caller->{credentialId}, $placed->{id}]);

my $httpd = httpd(modules => [qw(core keyauth inject)], conf => $store->conf . <<'CONF');
RRTargetAllow loopback
RRKeyHeader Authorization
RRKeyHeader Authorization Bearer
RRKeyHeader X-API-Key
RRKeyHeader X-Spare-Key
RRKeyCookie session
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location "/only">
    AuthType RR
    RRGateway On
    RRKeyHeader X-Only
    Require rr-proxy
</Location>
<Location "/open">
    AuthType RR
    RRGateway On
    RRForwardCredential On
    RRKeyQuery here
    Require rr-proxy
</Location>
<Location "/elsewhere">
    AuthType RR
    RRKeyHeader X-Partner-Key
    RRKeyQuery partner_key
    RRKeyQuery k[ey]
    RRKeyQuery p%q
    Require rr-key
</Location>
CONF

# The request as the target has it: headers by lower-case name, with a list of values each.
sub target_saw
{
    my %headers;
    my $request = seen($upstream);
    push(@{ $headers{ lc $_->[0] } }, $_->[1]) for @{ $request->{headers} };
    return ($request, \%headers);
}

sub judge
{
    my ($name, $expect, %more) = @_;
    my ($request, $headers) = target_saw();
    my @wrong;

    for my $header (sort keys %$expect) {
        my $want = $expect->{$header};
        my $got = join('|', @{ $headers->{ lc $header } || [] });
        push(@wrong, "$header: $got") if defined $want ? $got ne $want : exists $headers->{ lc $header };
    }
    for my $word (@{ $more{absent} || [] }) {
        push(@wrong, "the target saw $word") if index(json_text($request), $word) >= 0;
    }
    push(@wrong, "query: $request->{query}") if defined $more{query} && $request->{query} ne $more{query};
    ok(!@wrong, $name) or diag(join("\n", @wrong), "\n", json_text($request));
}

my @noise = ('Proxy-Authorization' => 'Basic noise-proxy', Cookie => 'session=noise-cookie; other=noise-other',
             'X-Spare-Key' => $caller->{key}, 'X-Forwarded-For' => '192.0.2.7', 'X-Forwarded-Proto' => 'noise-proto',
             Forwarded => 'for=noise-forwarded', 'X_Forwarded_For' => '192.0.2.7', 'x.forwarded-port' => 'noise-port');

for my $kind (sort keys %kinds) {
    for my $how (['X-API-Key' => $caller->{key}], [Authorization => "Bearer $caller->{key}"]) {
        my $res = $httpd->request(path => "/gw/$kind/x?q=1", headers => [@$how, @noise[0, 1], @noise[4 .. $#noise]]);
        check("$kind, the key in $how->[0]", $res, { status => 200 });
        judge("$kind as the target sees it, the key in $how->[0]",
              { Authorization => undef, 'Proxy-Authorization' => undef, Cookie => undef, 'X-API-Key' => undef,
                'X-Forwarded-For' => undef, 'X-Forwarded-Host' => undef, 'X-Forwarded-Server' => undef,
                %{ $kinds{$kind}[1] } }, absent => [$caller->{key}, 'noise', '192.0.2.7'],
              query => $kinds{$kind}[2] || 'q=1');
    }
}

check('a key in a source that is read second', $httpd->request(path => '/gw/key/x', headers => [@noise[4, 5]]),
      { status => 200 });
judge('a source that is configured is not sent on', { 'X-Spare-Key' => undef }, absent => [$caller->{key}]);

check('a key where other sections read it', $httpd->request(path => '/only/key/x', headers => {
          'X-Only' => $caller->{key}, 'X-Other' => 'kept', map { ($_ => $caller->{key}) } qw(X-API-Key X-Spare-Key X-Partner-Key) }), { status => 200 });
judge('does not go to a stranger', { 'X-Other' => 'kept' }, absent => [$caller->{key}]);
my $open = 'RRForwardCredential On does not count for strangers';
for my $case (['in the query', '/gw/key/x?q=1&partner_key=@KEY@&r=%2f', 'q=1&r=%2f'], ['alone there', '/gw/key/x?partner_key=@KEY@', undef],
              ['encoded', '/gw/key/x?%70artner_key=@KEY@&q=1', 'q=1'], ['twice', '/gw/key/x?k%5bey]=@KEY@&q&k[ey]=@KEY@', 'q'],
              ['beside ours', '/gw/query/x?partner_key=@KEY@&vendor_key=1', $kinds{query}[2] =~ s/^q=1&//r],
              ['under a name in other case', '/gw/key/x?Partner_Key=1&&', 'Partner_Key=1&&'],
              ['under a name with a percent sign', '/gw/key/x?a=1&p%25q=@KEY@&b', 'a=1&b'],
              ['under one whose code is none', '/gw/key/x?a=1&p%q=@KEY@&b', 'a=1&b'],
              ['under a name encoded twice', '/gw/key/x?a=1&k%255bey]=x&p%2525q=x&%2570artner_key=x&b', 'a=1&k%255bey]=x&p%2525q=x&%2570artner_key=x&b'],
              ['under a name with NUL', '/gw/key/x?a=1&partner_key%00=x&p%25q%00=x&b', 'a=1&partner_key%00=x&p%25q%00=x&b'],
              [$open, '/open/key/x?here=@KEY@&q=1', 'q=1'], ['of a place that the proxy reads', '/open/placed/x?placed=@KEY@', undef]) {
    my ($name, $path, $query) = @$case;
    $path =~ s/\@KEY\@/$caller->{key}/g;
    check("a key $name", $httpd->request(path => $path, headers => { 'X-API-Key' => $caller->{key} }), { status => 200 });
    judge("a key $name: the target sees none of it", {}, absent => [$caller->{key}]);
    is(seen($upstream)->{query}, $query, "a key $name: what is left of the query");
}

# ---- what is taken away is what is read ----
for my $case (['partner_key', 1], ['p%25q', 1], ['p%q', 0], ['p%2525q', 0], ['%2570artner_key', 0], ['partner_key%00', 0]) {
    my ($name, $is_read) = @$case;
    my $res = $httpd->request(path => "/elsewhere/x?$name=$caller->{key}");
    check("$name is " . ($is_read ? '' : 'not ') . 'read as a source', $res, { status => $is_read ? 404 : 401 });
}

# ---- what the target takes its credential from is not the caller's ----
check('a caller with a parameter of that name', $httpd->request(path => '/gw/query/x?vendor_key=mine&q=1&vendor%5fkey=mine&vendor_key',
                                                                headers => { 'X-API-Key' => $caller->{key} }), { status => 200 });
judge('the target sees the credential alone', {}, absent => ['mine'], query => $kinds{query}[2]);
check('and one whose name only begins so', $httpd->request(path => '/gw/query/x?vendor_key2=mine&&vendor=',
                                                           headers => { 'X-API-Key' => $caller->{key} }), { status => 200 });
judge('keeps it', {}, query => 'vendor_key2=mine&&vendor=&' . $kinds{query}[2] =~ s/^q=1&//r);
check('a caller with the header, spelled otherwise', $httpd->request(path => '/gw/header/x', headers => [
          'X-API-Key' => $caller->{key}, 'X_Vendor_Key' => 'mine', 'x.vendor-key' => 'mine', 'X-Vendor-Keys' => 'kept' ]),
      { status => 200 });
judge('has it removed', { 'X-Vendor-Key' => vendor('raw'), 'X-Vendor-Keys' => 'kept' }, absent => ['mine']);

# ---- Connection cannot take it away ----
check('a client that names our headers in Connection',
      $httpd->request(path => '/gw/telling/x', headers => { 'X-API-Key' => $caller->{key},
                      Connection => 'close, Authorization, X-User-Id, X-Tier', 'X-User-Id' => 'mallory' }),
      { status => 200 });
judge('gets them set all the same', { Authorization => 'Bearer ' . vendor('key'), 'X-User-Id' => 'u-17', 'X-Tier' => 'gold',
                                      'X-Org' => 'o-4', 'X-Tags' => '["a","b"]', 'X-None' => undef });

# ---- identity ----
check('a client that brings the identity headers, spelled otherwise',
      $httpd->request(path => '/gw/telling/x', headers => [ 'X-API-Key' => $caller->{key}, 'X_User_Id' => 'mallory',
                      'x.user.id' => 'mallory', 'X-None' => 'mallory', 'X_NONE' => 'mallory' ]), { status => 200 });
judge('is not believed', { 'X-User-Id' => 'u-17', 'X-None' => undef }, absent => ['mallory']);

# ---- forwarded by name ----
check('headers that the proxy forwards', $httpd->request(path => '/gw/passing/x', headers => [
          'X-API-Key' => $caller->{key}, Cookie => 'a=b', 'X-Forwarded-For' => '192.0.2.7', Authorization => 'Custom abc',
          'X-Forwarded-Proto' => 'noise' ]), { status => 200 });
judge('are forwarded, others not', { Cookie => 'a=b', 'X-Forwarded-For' => '192.0.2.7, 127.0.0.1',
                                     Authorization => 'Custom abc', 'X-Forwarded-Proto' => undef,
                                     'X-Vendor-Key' => vendor('raw') }, absent => ['noise']);
check('a forwarded header that the credential sets too', $httpd->request(path => '/gw/clashing/x', headers => {
          Authorization => "Bearer $caller->{key}" }), { status => 200 });
judge('is the credential', { Authorization => 'Bearer ' . vendor('key') }, absent => [$caller->{key}]);

finish();
