# SPDX-License-Identifier: Apache-2.0
#
# What httpd -t says of rules that cannot be: the file, the place in it, and what is wrong there.

use strict;
use warnings;

use RR::Test;

my $httpd = httpd(modules => [qw(core rules)], start => 0);
my $good = $httpd->file('good.json', '[{"effect":"allow"}]');

sub judge
{
    my ($conf) = @_;
    $httpd->{conf} = $conf;
    return $httpd->configtest;
}

sub refused
{
    my ($name, $conf, $says) = @_;
    my $got = judge($conf);
    isnt($got->{exit}, 0, "$name is refused");
    like($got->{err}, $says, "$name: says why");
}

for my $conf ("RRRules $good", "RRRules good.json", "<Location /a>\nRRRules $good\nRRDefaultEffect allow\nRRRuleScopes independent\nRRRuleMode observe\n"
              . "RRRuleBody 1m\nRRPathStrict Off\n</Location>", "<Directory />\nRRRules $good\n</Directory>") {
    my $got = judge("$conf\n");
    is($got->{exit}, 0, 'accepted: ' . ($conf =~ s/\n/ | /gr)) or diag($got->{err});
}
my @files = (
    ['no such file', undef, qr/RRRules missing\.json: .*missing\.json cannot be read/],
    ['not JSON', '[{', qr/RRRules/],
    ['an unknown member', '[{"effect":"allow"},{"effect":"deny","patth":1}]', qr{/1/patth: this member is not known}],
    ['a bad pattern', '{"rules":[{"effect":"deny","path":{"pattern":"^/a("}}]}', qr{/rules/0.*: not a regular expression: .* at offset 4}],
    ['an effect that is none', '[{"effect":"maybe"}]', qr{/0/effect: must be "allow" or "deny"}],
);
for my $case (@files) {
    my ($name, $text, $says) = @$case;
    my $file = defined $text ? $httpd->file('bad.json', $text) : 'missing.json';
    refused($name, "<Location /a>\nRRRules $file\n</Location>\n", $says);
}
refused('two files in one section', "<Location /a>\nRRRules $good\nRRRules $good\n</Location>\n", qr/RRRules is given twice/);
refused('another default', "RRDefaultEffect maybe\n", qr/RRDefaultEffect maybe: expected/);
refused('other scopes', "RRRuleScopes joined\n", qr/RRRuleScopes joined: expected/);
refused('another mode', "RRRuleMode off\n", qr/RRRuleMode off: expected/);
refused('no body at all', "RRRuleBody 0\n", qr/RRRuleBody 0: expected/);
refused('a flag that is none', "RRPathStrict maybe\n", qr/RRPathStrict maybe: expected/);

my $alone = httpd(modules => ['rules'], start => 0);
my $got = $alone->configtest;
isnt($got->{exit}, 0, 'mod_rr_rules without mod_rr_core is refused');
like($got->{err}, qr/needs mod_rr_core/, 'and says so');
finish();
