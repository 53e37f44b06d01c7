# SPDX-License-Identifier: Apache-2.0
#
# One rule in every published JSON shape, and in every mixture of them: the same verdicts on the same requests, from
# a file and from the store; and the store gives back the one shape that the seeds have.
#
# Without a module that forwards, a request that rules let through is 404 in a file's Location and 501 in a stored
# proxy's: 403 is always the rule's.

use strict;
use warnings;

use RR::Admin;
use RR::Test;

# ---- what can be written in several ways, each as a list of choices ----
my %words = (exist => [qw(must_exist present), undef], absent => [qw(must_absent must_not_exist absent)]);
my @paths = qw(nested flat members);
my @headers = qw(headers headerChecks);
my @queries = qw(query queryChecks);
my @checks = qw(objects patterns texts);
my @flags = qw(pattern rule);

sub presence { my ($word) = @_; return defined $word ? (presence => $word) : () }

# A pattern as an object, or bare where it has no flags of its own.
sub pattern
{
    my ($text, $flags, $bare) = @_;
    return $bare && $flags eq 'rule' ? $text : { pattern => $text, $flags eq 'pattern' ? (flags => 'i') : () };
}

sub check_as
{
    my ($how, $name, $value, $word, $flags) = @_;
    my ($n, $v) = $how eq 'patterns' ? qw(namePattern valuePattern) : qw(name value);
    return { $n => pattern($name, $flags, $how ne 'objects'), $v => pattern($value, $flags, $how ne 'objects'), presence($word) };
}

sub rule_as
{
    my ($path, $header, $query, $how, $flags, $word) = @_;
    my %rule = (effect => 'allow', methods => ['GET'], $header => [check_as($how, '^X-A$', '^one$', $word, $flags)],
                $query => [check_as($how, '^q$', '^[a-c]+$', $word, $flags)]);

    if ($path eq 'members') {
        %rule = (%rule, pathPattern => '^/v1/', defined $word ? (pathPresence => $word) : ());
    }
    else {
        $rule{path} = $path eq 'flat' ? { %{ pattern('^/v1/', $flags) }, presence($word) } : { path => pattern('^/v1/', $flags), presence($word) };
    }
    $rule{regexFlags} = 'i' if $flags eq 'rule' || $path eq 'members';
    return \%rule;
}

# Every mixture: [kind, name, rule].
my @shapes;
for my $kind (sort keys %words) {
    for my $word (@{ $words{$kind} }) {
        for my $path (@paths) {
            for my $header (@headers) {
                for my $query (@queries) {
                    for my $how (@checks) {
                        for my $flags (@flags) {
                            push(@shapes, [$kind, join(' ', $word || 'nothing said', $path, $header, $query, $how, "flags of the $flags"),
                                           rule_as($path, $header, $query, $how, $flags, $word)]);
                        }
                    }
                }
            }
        }
    }
}
cmp_ok(scalar @shapes, '==', 432, 'shapes');

# ---- requests, and what the two rules say of each ----
my @requests = (
    ['all there', '/v1/x?q=abc', { 'X-A' => 'one' }, 1, 0],
    ['all there in another case', '/V1/x?Q=ABC', { 'x-a' => 'ONE' }, 1, 0],
    ['nothing there', '/v2/x', {}, 0, 1],
    ['another path', '/v2/x?q=abc', { 'X-A' => 'one' }, 0, 0],
    ['no header', '/v1/x?q=abc', {}, 0, 0],
    ['another value of the header', '/v1/x?q=abc', { 'X-A' => 'ones' }, 0, 0],
    ['no parameter', '/v1/x', { 'X-A' => 'one' }, 0, 0],
    ['other values on another path', '/v2/x?q=xyz', { 'X-A' => 'two' }, 0, 1],
);

my $store = store();
my $httpd = httpd(modules => [qw(core keyauth rules admin)], loglevel => 'warn', start => 0);
my $at = 0;
$httpd->{conf} = $store->conf . admin_location() . <<'CONF' . join('', map {
<Location "/gw">
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
CONF
    my $file = $httpd->file('shape' . ++$at . '.json', json_text([$_->[2]]));
    "<Location \"/f$at\">\nRRRules $file\nRequire all granted\n</Location>\n" } @shapes);
$httpd->start;

# The verdicts on all requests below a mount as a word of 0 and 1; anything else by its status.
sub verdicts
{
    my ($ask, $mount, $through, %headers) = @_;
    return join('', map {
        my (undef, $path, $more) = @$_;
        my $status = $ask->(path => "$mount$path", headers => { %headers, %$more })->status;
        $status == $through ? 1 : $status == 403 ? 0 : " $status ";
    } @requests);
}
my %want = (exist => join('', map { $_->[3] } @requests), absent => join('', map { $_->[4] } @requests));

# ---- from files: every mixture ----
my ($client, @differ);
for my $i (0 .. $#shapes) {
    $client = $httpd->connect if $i % 10 == 0; # a connection serves a hundred requests
    my $got = verdicts(sub { $client->exchange(@_, keep => 1) }, '/f' . ($i + 1), 404);
    push(@differ, "$shapes[$i][0]: $shapes[$i][1]: $got, not $want{ $shapes[$i][0] }") if $got ne $want{ $shapes[$i][0] };
}
is_deeply(\@differ, [], 'rules of files: one verdict in all shapes, on each of ' . @requests . ' requests');

# ---- by the API: every mixture is taken and given back alike ----
my $admin = RR::Admin->new($httpd, $store->key('operator', '--scope', 'rr:admin'));
my $caller = secret('caller-key-of-the-test');
my $credential = $admin->make('credentials', { credentialType => 'proxy', credentialAuthType => 'key', credentialName => 'caller',
                                               credentialSecret => { key => $caller } });
my $target = $admin->make('targets', { targetName => 'vendor', targetBaseURL => 'https://vendor.example.com' });
sub proxy
{
    my ($name) = @_;
    return $admin->make('proxies', { proxyName => $name, proxyAlias => $name, proxyProxyCredentialId => $credential->{id}, proxyTargetId => $target->{id} });
}
my $shelf = proxy('shelf');
my %given;
for my $shape (@shapes) {
    my $rule = $admin->make("proxies/$shelf->{id}/rules", $shape->[2]);
    delete @$rule{qw(id ruleId createdAt updatedAt)};
    push(@{ $given{ $shape->[0] }{ json_text($rule) } }, $shape->[1]);
}
for my $kind (sort keys %words) {
    my $word = $words{$kind}[0];
    my $i = sub { return { pattern => $_[0], flags => 'i' } };
    is_deeply([keys %{ $given{$kind} }], [json_text({ effect => 'allow', methods => ['GET'], path => { path => $i->('^/v1/'), presence => $word },
        headers => [{ name => $i->('^X-A$'), value => $i->('^one$'), presence => $word }],
        query => [{ name => $i->('^q$'), value => $i->('^[a-c]+$'), presence => $word }] })], "$kind: all are given back in the one shape of the seeds");
}

# ---- and judged alike: a sample with every choice of each kind ----
@differ = ();
my $tried = 0;
for my $i (grep { $_ % 7 == 0 } 0 .. $#shapes) {
    my $name = "shape$i";
    my $proxy = proxy($name);
    $admin->make("proxies/$proxy->{id}/rules", $shapes[$i][2]);
    my $got = verdicts(sub { $httpd->request(@_) }, "/gw/$name", 501, 'X-API-Key' => $caller);
    push(@differ, "$shapes[$i][0]: $shapes[$i][1]: $got, not $want{ $shapes[$i][0] }") if $got ne $want{ $shapes[$i][0] };
    $tried++;
}
is_deeply(\@differ, [], "rules of the store: one verdict in $tried shapes");

allow_log('AH01630');
finish();
