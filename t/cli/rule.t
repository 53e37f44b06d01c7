# SPDX-License-Identifier: Apache-2.0
#
# rrctl rule lint, rule test, explain: what the server would say, without a server.

use strict;
use warnings;

use RR::Test;
use RR::Token;
use RR::Util qw(spew json_text);

my $place = place_for('rules');
my $rules = "$place/rules.json";
spew($rules, json_text([
    { id => 'send', effect => 'allow', methods => ['POST'], pathPattern => '^/v3/mail/send$' },
    { id => 'gold', effect => 'allow', pathPattern => '^/export', token => [{ claim => { pattern => '^tier$' }, value => { pattern => '^gold$' } }] },
    { id => 'order', effect => 'allow', pathPattern => '^/orders$', body => [{ jsonPath => { pattern => '^a$' }, value => { pattern => '^1$' } }] },
    { id => 'beta', effect => 'deny', methods => ['DELETE'] },
]));

sub explains
{
    my ($name, $exit, $want, @args) = @_;
    my $got = rrctl('explain', '--rules', $rules, @args);
    is($got->{exit}, $exit, "$name: exit") or diag($got->{err});
    like($got->{out} . $got->{err}, $want, $name);
}

explains('allowed', 0, qr/^allowed by location:send$/m, 'POST', '/v3/mail/send');
explains('denied by default', 1, qr/^denied by location:default$/m, 'GET', '/v3/mail/send');
explains('each rule is told', 1, qr/send\s+allow no match: methods\n\s+gold\s+allow no match: path\n/, 'GET', '/v3/mail/send');
explains('claims', 0, qr/^allowed by location:gold$/m, '--claims', '{"tier":"gold"}', 'GET', '/export?x=1');
explains('other claims', 1, qr/gold\s+allow no match: token\/0/, '--claims', '{"tier":"tin"}', 'GET', '/export');
my $es = RR::Token->key('ES256', kid => 'k');
explains('a token', 0, qr/^allowed by location:gold$/m, '--token', $es->token({ sub => 'a', tier => 'gold' }), 'GET', '/export');
explains('a token that is not verified says so', 0, qr/^known     NOT verified/m, '--token', $es->token({ sub => 'a', tier => 'gold' }), 'GET', '/export');
spew("$place/keys.json", json_text({ keys => [$es->jwk] }));
explains('a token that is', 0, qr/^known     verified by --jwks/m, '--jwks', "$place/keys.json", '--token', $es->token({ sub => 'a', tier => 'gold' }), 'GET', '/export');
explains('a forged one', 1, qr/^denied by admission: the token is refused: /m, '--jwks', "$place/keys.json",
         '--token', RR::Token->key('ES256', kid => 'k')->token({ sub => 'a', tier => 'gold' }), 'GET', '/export');
explains('keys without a token', 2, qr/--jwks, --issuer/, '--jwks', "$place/keys.json", 'GET', '/export');
explains('no token', 1, qr/not a token/, '--token', 'abc', 'GET', '/export');
explains('an override', 1, qr/^or        DELETE\n.*^denied by location:beta$/ms, '-H', 'X-HTTP-Method-Override: DELETE', 'POST', '/v3/mail/send');
explains('a path of two readings', 1, qr/^denied by path: the request path has an empty segment$/m, 'POST', '/v3//mail/send');
explains('below a mount', 0, qr/^path      \/v3\/mail\/send$/m, '--mount', '/mail', 'POST', '/mail/v3/mail/send');
spew("$place/body.json", '{"a":1}');
explains('a body', 0, qr/^allowed by location:order$/m, '--body', "$place/body.json", 'POST', '/orders');
spew("$place/body.txt", 'a=1');
explains('a body that is not JSON', 1, qr/^denied by location:order: the request body is not JSON$/m, '--body', "$place/body.txt", 'POST', '/orders');
explains('the other default', 0, qr/^allowed by location:default$/m, '--default', 'allow', 'GET', '/x');
explains('asked wrongly', 2, qr/usage:/, 'GET');
explains('a header that is none', 2, qr/-H needs/, '-H', 'x', 'GET', '/');
my $got = rrctl('--json', 'explain', '--rules', $rules, 'POST', '/v3/mail/send');
is_deeply($got->{json}, { allowed => JSON::PP::true(), by => 'location:send' }, 'as JSON');
$got = rrctl('explain', '--rules', "$place/none.json", 'GET', '/');
is($got->{exit}, 1, 'no such rules');
like($got->{err}, qr/none\.json cannot be read/, 'and said so');

# ---- lint ----
$got = rrctl('rule', 'lint', $rules);
is($got->{exit}, 0, 'good rules: nothing to warn of') or diag($got->{out});
spew("$place/bad.json", json_text([{ id => 'a', effect => 'allow', pathPattern => '/(a+)+$' }]));
$got = rrctl('rule', 'lint', "$place/bad.json");
is($got->{exit}, 1, 'a warning is an exit code');
like($got->{out}, qr/^a: path: the pattern backtracks.*^a: path: the pattern is not anchored/ms, 'and says what');
spew("$place/cross.json", json_text([{ id => 'a', effect => 'allow', pathPattern => '^/orders/' }, { id => 'b', effect => 'deny', pathPattern => '^/[a-z]+/export$' },
    { id => 'c', effect => 'deny', pathPattern => '^/orders/x' }]));
$got = rrctl('rule', 'lint', "$place/cross.json");
is($got->{exit}, 1, 'rules that cross are a warning');
is($got->{out}, qq{a: overlaps rule "b", which denies: GET "/orders/export" matches both, and either matches what the other does not\n}, 'with an example');
like(rrctl('rule', 'lint', '--verbose', "$place/cross.json")->{out}, qr/^a: note: makes room for rule "c"/m, 'an exception is a note');
$got = rrctl('--json', 'rule', 'lint', "$place/cross.json");
is($got->{exit}, 1, 'as JSON, with the same exit code');
is_deeply($got->{json}, { rules => 3, warnings => 1, findings => [{ rule => 'a', level => 'warning',
    text => 'overlaps rule "b", which denies: GET "/orders/export" matches both, and either matches what the other does not' }] }, 'and the same words');
is_deeply([map { $_->{level} } @{ rrctl('--json', 'rule', 'lint', '--verbose', "$place/cross.json")->{json}{findings} }], [qw(warning note)], 'with notes');
is_deeply(rrctl('--json', 'rule', 'lint', $rules)->{json}{findings}, [], 'and nothing found is an empty list');
spew("$place/one.json", '{"effect":"allow","pathPattern":"^/a$"}');
is(rrctl('rule', 'lint', "$place/one.json")->{out}, "1 rules, nothing to warn of\n", 'a rule by itself');
spew("$place/broken.json", '[{"effect":"allow","pathPattern":"("}]');
$got = rrctl('rule', 'lint', "$place/broken.json");
is($got->{exit}, 1, 'rules that cannot be');
like($got->{err}, qr{broken\.json: /0/pathPattern: not a regular expression}, 'at their place');

# ---- test ----
my @tests = ({ name => 'send', method => 'POST', path => '/v3/mail/send', expect => 'allow', rule => 'send' },
             { method => 'GET', path => '/v3/mail/send', expect => 'deny' },
             { method => 'GET', path => '/export', claims => { tier => 'gold' }, expect => 'allow', rule => 'gold' },
             { method => 'POST', path => '/orders', body => { a => 1 }, headers => { 'X-A' => 'b' }, expect => 'allow' },
             { method => 'POST', path => '/v3/../x', expect => 'deny' });
spew("$place/table.json", json_text({ rules => 'rules.json', tests => \@tests }));
$got = rrctl('rule', 'test', "$place/table.json");
is($got->{exit}, 0, 'a table that holds') or diag($got->{out}, $got->{err});
like($got->{out}, qr/^ok 1 - POST \/v3\/mail\/send: send\n.*^1\.\.5\n/ms, 'as TAP');
spew("$place/table.json", json_text({ rules => 'rules.json', tests => [@tests, { method => 'POST', path => '/v3/mail/send', expect => 'allow', rule => 'gold' }] }));
$got = rrctl('rule', 'test', "$place/table.json");
is($got->{exit}, 1, 'a table that does not');
like($got->{out}, qr/^not ok 6 - .*\n# allowed by location:send, expected allow by gold$/m, 'and why');
for my $case (['no tests', { rules => 'rules.json', tests => [] }, qr/at least one/],
              ['a row without a verdict', { rules => 'rules.json', tests => [{ method => 'GET', path => '/' }] }, qr{/tests/0: needs}],
              ['a row with a misspelt member', { rules => 'rules.json', tests => [{ %{ $tests[0] }, expct => 'deny' }] }, qr/unknown member expct/],
              ['a header that is no text', { rules => 'rules.json', tests => [{ %{ $tests[0] }, headers => { 'X-A' => 1 } }] }, qr{/tests/0: .*"headers" one of texts}],
              ['headers that are none', { rules => 'rules.json', tests => [{ %{ $tests[0] }, headers => 'X-A: b' }] }, qr{/tests/0: .*"headers" one of texts}],
              ['claims that are none', { rules => 'rules.json', tests => [{ %{ $tests[0] }, claims => 'gold' }] }, qr{/tests/0: "claims" is an object}],
              ['a rule that is no text', { rules => 'rules.json', tests => [{ %{ $tests[0] }, rule => 7 }] }, qr{/tests/0: "rule" is a text}],
              ['a table with a misspelt member', { rules => 'rules.json', tests => \@tests, defualt => 'allow' }, qr/unknown member defualt/],
              ['a default that is no text', { rules => 'rules.json', tests => \@tests, default => JSON::PP::true() }, qr/"default" is a text/],
              ['other rules', { rules => [{ effect => 'allow', x => 1 }], tests => \@tests }, qr{/rules/0/x: this member is not known}]) {
    my ($name, $table, $says) = @$case;
    spew("$place/table.json", json_text($table));
    $got = rrctl('rule', 'test', "$place/table.json");
    is($got->{exit}, 1, "$name: exit");
    like($got->{err}, $says, $name);
}
finish();
