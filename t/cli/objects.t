# SPDX-License-Identifier: Apache-2.0
#
# rrctl on objects: the API's JSON offline; apply and export.

use strict;
use warnings;

use RR::Test;

my $store = store();
my $place = place_for('files');
secret('sk_live_of_the_vendor');

# A run: name, arguments, what is expected of exit, out, err.
sub try
{
    my ($name, $args, $expect) = @_;
    my $got = $store->rrctl(@$args);
    my @wrong;
    push(@wrong, "exit $got->{exit}") if $got->{exit} != ($expect->{exit} || 0);
    for my $stream (qw(out err)) {
        for my $want (ref $expect->{$stream} eq 'ARRAY' ? @{ $expect->{$stream} } : defined $expect->{$stream} ? $expect->{$stream} : ()) {
            push(@wrong, "$stream: no $want") unless ref $want ? $got->{$stream} =~ $want : $got->{$stream} eq $want;
        }
    }
    ok(!@wrong, $name) or diag(join("\n", @wrong, "out: $got->{out}", "err: $got->{err}"));
    return $got;
}
sub file
{
    my ($name, $data) = @_;
    spew("$place/$name", ref $data ? json_text($data) : $data);
    return "$place/$name";
}

# ---- one object at a time ----
my @acme = ('--client', 'acme');
try('a client by its name', ['client', 'create', 'acme'], { out => [qr/^id +acme$/m, qr/^clientName +acme$/m] });
try('the same again', ['client', 'create', 'acme'], { exit => 1, err => qr/there is a client of that id already/ });
try('one whose name is not its id', ['client', 'create', '-f', file('client.json', { id => 'other', clientName => 'Other Inc' })], { out => qr/^id +other$/m });
try('is found by its name', ['client', 'show', 'Other Inc'], { out => qr/^id +other$/m });
try('and by its id', ['client', 'delete', 'other'], { out => qr/^clientName +Other Inc$/m });
try('and no more then', ['client', 'show', 'other'], { exit => 1, err => qr/there is no client other/ });
my $caller = $store->rrctl('--json', @acme, 'credential', 'create', '-f', file('c.json', { credentialType => 'proxy', credentialAuthType => 'key', credentialName => 'caller' }));
is($caller->{json}{message}, 'Success', 'a credential');
my $made = secret($caller->{json}{credentials}[0]{credentialSecret}{key});
like($made, qr/^rr_live_/, 'its key is shown once');
try('and never again', [@acme, 'credential', 'show', 'caller'], { out => qr/"key":"\*{8}"/ });
my $vendor = { credentialType => 'target', credentialAuthType => 'key', credentialName => 'vendor', credentialSecret => { key => 'sk_live_of_the_vendor' } };
is($store->rrctl({ stdin => json_text($vendor) }, @acme, 'credential', 'create', '-f', '-')->{exit}, 0, 'from standard input');
try('a target', [@acme, 'target', 'create', '-f', file('t.json', { targetName => 'api', targetBaseURL => 'https://api.example.com' })],
    { out => qr/^targetBaseURL +https:/m });
try('a proxy, by names', [@acme, 'proxy', 'create', '-f', file('p.json', { proxyName => 'pay', proxyProxyCredentialId => 'caller',
    proxyTargetId => 'api', proxyTargetCredentialId => 'vendor' })], { out => qr/^proxyDefaultRuleEffect +deny$/m });
my $rule = { effect => 'allow', methods => ['POST'], path => { path => { pattern => '^/v3/mail/send$' }, presence => 'must_exist' }, priority => 10 };
try('a rule', [@acme, 'rule', 'create', '--proxy', 'pay', '-f', file('r.json', $rule)], { out => qr/^effect +allow$/m });
try('listed', [@acme, 'rule', 'list', '--proxy', 'pay'], { out => [qr/^ID /, qr/allow/] });
try('a rule without what it hangs on', [@acme, 'rule', 'list'], { exit => 2, err => qr/--proxy/ });
try('a bad pattern', [@acme, 'rule', 'create', '--proxy', 'pay', '-f', file('bad.json', { effect => 'allow', path => { pattern => '(' } })],
    { exit => 1, err => qr{/path} });
try('a table', [@acme, 'credential', 'list'], { out => [qr/^ID .*credentialName$/m, qr/^rrid_\w{22} .* vendor$/m] });
my $list = $store->rrctl('--json', @acme, 'credential', 'list');
is(scalar @{ $list->{json}{credentials} }, 2, 'as JSON');
try('by id', [@acme, 'credential', 'show', $list->{json}{credentials}[0]{id}], { out => qr/^credentialName/m });
try('one in use', [@acme, 'target', 'delete', 'api'], { exit => 1, err => qr/in use by 1 proxy/ });
try('one that is not there', [@acme, 'target', 'show', 'nothing'], { exit => 1, err => qr/there is no target nothing/ });
try('another client does not see it', ['target', 'show', 'api'], { exit => 1, err => qr/there is no target/ });
try('no file', [@acme, 'target', 'create'], { exit => 2, err => qr/usage/ });
try('no such file', [@acme, 'target', 'create', '-f', "$place/none"], { exit => 1, err => qr/cannot be read/ });

# ---- export and apply: the same text ----
my $export = try('export', ['export'], { out => qr/^\{"clients":\[\n/ })->{out};
unlike($export, qr/sk_live|rr_live|rrid_|CreatedAt/, 'no secret, no id, no time');
my $exported = file('export.json', $export);
try('applied to where it came from, nothing changes', ['apply', '-f', $exported], { out => qr/^0 added, 0 changed, 0 deleted, \d+ unchanged$/m, err => '' });
is($store->rrctl('export')->{out}, $export, 'and the text is the same');
my $other = store('other');
my $got = $other->rrctl('apply', '-f', $exported);
is($got->{exit}, 0, 'into another store') or diag($got->{err});
like($got->{err}, qr{acme/vendor has no secret yet}, 'what is missing is named');
is($other->rrctl('export')->{out}, $export, 'an export of that is the same, byte for byte');
is($store->rrctl(@acme, 'export')->{json}{clients}[0]{id}, 'acme', 'one client alone');

# ---- credentials that were deleted: their proxies stay closed, in a copy as well ----
my $bereft = store('bereft');
my ($one, $two) = map { $bereft->key($_)->{credentialId} } qw(one two);
$bereft->make('target', { targetName => 'api', targetBaseURL => 'https://api.example.com' });
$bereft->make('proxy', { proxyName => "of-$_->[0]", proxyTargetId => 'api', %{ $_->[1] } })
    for ['one', { proxyProxyCredentialId => $one }], ['both', { proxyProxyCredentialIds => [$one, $two], proxyCredentialMode => 'all' }];
is($bereft->rrctl('credential', 'delete', $one)->{exit}, 0, 'a credential that two proxies name is deleted');
my $gone = $bereft->rrctl('export')->{out};
my $copy = store('copy');
$got = $copy->rrctl('apply', '-f', file('gone.json', $gone));
is($got->{exit}, 0, 'its proxies are exported and applied') or diag($got->{err});
is($copy->rrctl('export')->{out}, $gone, 'as they are');
is($copy->sql('SELECT count(*) FROM rr_proxy_credential WHERE credential IS NULL'), 2, 'closed where it was named');
like($bereft->rrctl('apply', '-f', "$place/gone.json")->{out}, qr/^0 added, 0 changed, 0 deleted/m, 'where they came from, nothing changes');
try('an id that nobody has', ['proxy', 'create', '-f', file('nobody.json', { proxyName => 'x', proxyTargetId => 'api', proxyProxyCredentialId => 'nobody' })],
    { exit => 1, err => qr{/proxyProxyCredentialId} });

# ---- declared state ----
my $state = json_data($store->rrctl(@acme, 'export')->{out});
my $acme = $state->{clients}[0];
$acme->{targets}[0]{targetBaseURL} = 'https://api.example.com/v2';
$acme->{proxies}[0]{rules} = [{ %$rule, effect => 'deny' }];
push(@{ $acme->{credentials} }, { credentialType => 'proxy', credentialAuthType => 'key', credentialName => 'new', keys => [{ key => secret('a-key-that-is-declared') }],
                                  credentialSecret => { key => '********' } });
my $changed = file('changed.json', $state);
my $before = $store->rrctl('export')->{out};
my $dry = try('a dry run', ['apply', '--dry-run', '-f', $changed],
    { out => [qr{^~ target acme/api: targetBaseURL "https://api.example.com" -> "https://api.example.com/v2"$}m, qr{^\+ credential acme/new$}m,
              qr{^\+ rule .*deny}m, qr{^- rule }m, qr/a dry run: nothing was written/] });
is($store->rrctl('export')->{out}, $before, 'writes nothing');
try('for real', ['apply', '-f', $changed], { out => qr/^3 added, 1 changed, 1 deleted, \d+ unchanged$/m });
try('again: nothing', ['apply', '-f', $changed], { out => qr/^0 added, 0 changed, 0 deleted/m });
pop(@{ $acme->{credentials} });
$changed = file('changed.json', $state);
try('what is not declared stays', ['apply', '-f', $changed], { out => qr/^0 added, 0 changed, 0 deleted/m });
try('unless it is to go', ['apply', '--prune', '-f', $changed], { out => qr/^0 added, 0 changed, 1 deleted/m });
is(json_data($store->rrctl('--json', 'apply', '--prune', '-f', $changed)->{out})->{deleted}, 0, 'once, and as JSON');

# ---- all or nothing ----
$before = $store->rrctl('export')->{out};
my $half = { credentials => [{ %$vendor, credentialName => 'first' }, { %$vendor, credentialName => 'second', credentialColour => 'red' }] };
try('one of two is wrong', [@acme, 'apply', '-f', file('half.json', $half)], { exit => 1, err => qr{credential acme/second: .*/credentialColour} });
is($store->rrctl('export')->{out}, $before, 'neither is there');
make_folder();
try('a folder', [@acme, 'apply', '-f', "$place/folder"], { out => qr/^3 added/m });
# ---- what is misspelt or of another kind is named, never taken for nothing declared ----
$before = $store->rrctl('export')->{out};
my %target = (targetName => 'late', targetBaseURL => 'https://late.example.com');
for (
    ['a collection misspelt', { credentialz => [] }, qr/credentialz/],
    ['one of a client misspelt', { clients => [{ id => 'acme', target => [] }] }, qr/acme: .*target\b/],
    ['rules of nothing', { rules => [] }, qr/rules/],
    ['clients that are no array', { clients => { acme => {} } }, qr/clients/],
    ['a collection that is no array', { targets => {} }, qr/targets/],
    ['a client that is no object', { clients => ['acme'] }, qr/client/],
    ['rules that are no array', { targets => [{ %target, rules => $rule }] }, qr{target acme/late: .*rules}],
    ['rules that are a word', { targets => [{ %target, rules => 'none' }] }, qr{target acme/late: .*rules}],
    ['filters that are null', { targets => [{ %target, filters => undef }] }, qr{target acme/late: .*filters}],
    ['keys that are no array', { credentials => [{ %$vendor, credentialType => 'proxy', credentialName => 'k', keys => 'a-key-that-is-declared' }] },
     qr{credential acme/k: .*keys}],
    ['a member of a rule', { targets => [{ %target, rules => [{ effect => 'deny', patth => {} }] }] }, qr{target acme/late: .*/patth}],
) {
    my ($name, $declared, $why) = @$_;
    try($name, [@acme, 'apply', '--prune', '-f', file('odd.json', $declared)], { exit => 1, err => $why });
}
is($store->rrctl('export')->{out}, $before, 'none of them changed anything');
try('what list answers is taken', [@acme, 'apply', '-f', file('listed.json', $store->rrctl('--json', @acme, 'target', 'list')->{out})],
    { out => qr/^0 added, 0 changed, 0 deleted/m });
try('an option that is not there', ['key', 'create', 'a', '--colour'], { exit => 2, err => [qr/--colour/, qr/^usage:/m] });
try('no JSON', ['apply', '-f', file('none.json', '{')], { exit => 1, err => qr/none\.json/ });
try('no file', ['apply'], { exit => 2, err => qr/usage/ });
$got = $store->rrctl('check');
is($got->{exit}, 0, 'the store is sound') or diag($got->{out}, $got->{err});

# b.json names what z.json brings: kinds go in their order, not files.
sub make_folder
{
    mkdir("$place/folder");
    spew("$place/folder/b.json", json_text({ proxies => [{ proxyName => 'folder', proxyProxyCredentialId => 'caller', proxyTargetId => 'late' }] }));
    spew("$place/folder/z.json", json_text({ targets => [{ targetName => 'late', targetBaseURL => 'https://late.example.com' }], credentials => [{ %$vendor, credentialName => 'late' }] }));
    spew("$place/folder/not-json.txt", 'x');
}

# ---- revocations ----
my $token = join('.', 'eyJhbGciOiJSUzI1NiJ9', 'eyJqdGkiOiJqIn0', 'c2ln');
try('a token', ['jwt', 'revoke', $token], { out => qr/^token +\*{8}$/m });
try('by jti', ['jwt', 'revoke', '--jti', 'j', '--issuer', 'https://id.example/'], { out => qr/^jti +j$/m });
try('a subject, up to now', ['jwt', 'revoke', '--sub', 's', '--issuer', 'https://id.example/'], { out => qr/^issuedBefore +2\d\d\d-/m });
try('jti without issuer', ['jwt', 'revoke', '--jti', 'j'], { exit => 1, err => qr/issuer/ });
try('nothing', ['jwt', 'revoke'], { exit => 2, err => qr/usage/ });
finish();
