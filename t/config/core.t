# SPDX-License-Identifier: Apache-2.0
#
# What httpd -t refuses of mod_rr_core's and mod_rr_keyauth's configuration, each in a sentence that names
# directive, value and what would be right; beside what it takes.

use strict;
use warnings;

use RR::Test;

my $place = place_for('files');
my $httpd = httpd(start => 0);
my @both = qw(core keyauth);

# What httpd -t says of a configuration: { exit, err }.
sub judge
{
    my ($conf, @modules) = @_;
    $httpd->{modules} = [@modules ? @modules : @both];
    $httpd->{conf} = $conf;
    return $httpd->configtest;
}

sub location { return "<Location \"/x\">\nAuthType RR\n" . join('', map { "$_\n" } @_) . "</Location>\n" }

# ---- taken ----
for my $case (
    ['nothing', ''],
    ['nothing, core alone', '', 'core'],
    ['every mode', join('', map { "<Location /$_>\nAuthType RR\nRRAuthMode $_\nRequire valid-user\n</Location>\n" } qw(required optional permissive))],
    ['for the whole server', "RRAuthMode optional\nRRPreflight pass\nRRForwardCredential On\nRRAuthProvider key\nRRKeyHeader X-Key\nRRIdentityHeader X-User-Id\n"],
    ['preflights', location('RRPreflight refuse') . location('RRPreflight pass')],
    ['headers', location('RRIdentityHeader X-User-Id', 'RRClaimHeader X-Org org.id', 'RRClaimHeader X_Roles https://example.com/roles', 'RRClaimHeader X.P /a/b')],
    ['requirements', location('Require rr-key', 'Require rr-key client a b name a/b c/d scope e f', 'Require rr-scope a b', 'Require rr-data org.tier "^(gold|silver)$"')],
    ['nested requirements', location('<RequireAny>', '<RequireAll>', 'Require rr-key', 'Require not rr-scope a', '</RequireAll>', 'Require valid-user', '</RequireAny>')],
    ['keys anywhere', location('RRKeyHeader Authorization Bearer', 'RRKeyHeader X-API-Key', 'RRKeyQuery api_key', 'RRKeyCookie session')],
    ['eight places', location(map { "RRKeyHeader X-Key-$_" } 1 .. 8)],
    ['audit to a file', "RRAuditLog logs/audit.log\n"],
    ['audit to a program', "RRAuditLog \"|/bin/cat\"\n"],
    ['audit to syslog', "RRAuditLog syslog\n"],
    ['one audit log for two servers', "RRAuditLog logs/a.log\n<VirtualHost *:1>\nRRAuditLog logs/b.log\n</VirtualHost>\n"],
    (map { ["a store's age of $_", "RRStore sqlite3 $place/none.db\nRRStoreMaxAge $_\n"] } qw(0 1s 500ms 1h)),
    ['a store that is not made yet', "RRStore sqlite3 $place/none.db\n"],
    ['a proxy below a gateway', "<Location \"/gw\">\nAuthType RR\nRRGateway On\n</Location>\n<Location \"/gw/x\">\nRRProxy a/b\n</Location>\n<Location \"/gw/x/y\">\nRRGateway Off\n</Location>\n"],
    ['capitals', "rrauthmode Optional\nRRPREFLIGHT PASS\nRRForwardCredential oFF\n"],
) {
    my ($what, $conf, @modules) = @$case;
    my $got = judge($conf, @modules);
    is($got->{exit}, 0, "$what is taken") or diag($got->{err});
}

# ---- refused: the configuration, what has to be said, which modules ----
my $long = 'X-' . 'n' x 127;
for my $case (
    ['a module without core', '', qr/mod_rr_keyauth needs mod_rr_core.*LoadModule rr_core_module/, 'keyauth'],
    ['an unknown provider', location('RRAuthProvider key saml'), qr/RRAuthProvider saml: no such provider; loaded are: key\b/],
    ['a provider that is not loaded', location('RRAuthProvider jwt'), qr/RRAuthProvider jwt: .*key/],
    ['a provider where none is loaded', location('RRAuthProvider key'), qr/RRAuthProvider key: .*mod_rr_keyauth/, 'core'],
    ['a provider named twice', location('RRAuthProvider key key'), qr/RRAuthProvider key: named twice/],
    ['an unknown mode', location('RRAuthMode maybe'), qr/RRAuthMode maybe: .*required.*optional.*permissive/],
    ['no mode', location('RRAuthMode'), qr/RRAuthMode/],
    ['two modes', location('RRAuthMode optional required'), qr/RRAuthMode/],
    ['an unknown preflight', location('RRPreflight allow'), qr/RRPreflight allow: .*refuse.*pass/],
    ['a flag that is none', location('RRForwardCredential perhaps'), qr/RRForwardCredential perhaps: .*[Oo]n.*[Oo]ff/],
    (map { ["an identity header $_", location("RRIdentityHeader $_"), qr/RRIdentityHeader \Q$_\E: .*X-User-Id/] }
        qw(Authorization authorization Proxy_Authorization Cookie Host Connection Content-Length Content_Length Transfer-Encoding)),
    (map { ["a claim header $_", location("RRClaimHeader $_ x"), qr/RRClaimHeader \Q$_\E: /] } qw(Authorization cookie host)),
    ['an identity header of two words', location('RRIdentityHeader "X User"'), qr/RRIdentityHeader X User: .*header name/],
    ['an identity header with a colon', location('RRIdentityHeader X-User:'), qr/RRIdentityHeader X-User:: .*header name/],
    ['an empty identity header', location('RRIdentityHeader ""'), qr/RRIdentityHeader/],
    ['an identity header that is too long', location("RRIdentityHeader $long"), qr/RRIdentityHeader X-n+: .*128/],
    ['a claim header without a path', location('RRClaimHeader X-Org'), qr/RRClaimHeader/],
    ['a claim header with an empty path', location('RRClaimHeader X-Org ""'), qr/RRClaimHeader/],
    ['a key header with a colon', location('RRKeyHeader X-Key:'), qr/RRKeyHeader X-Key:: .*':'/],
    ['a key header of two schemes', location('RRKeyHeader Authorization Bearer Token'), qr/RRKeyHeader/],
    ['an empty key header', location('RRKeyHeader ""'), qr/RRKeyHeader/],
    ['an empty query name', location('RRKeyQuery ""'), qr/RRKeyQuery/],
    ['a cookie with a blank', location('RRKeyCookie "a b"'), qr/RRKeyCookie a b: .*cookie/],
    ['nine places', location(map { "RRKeyHeader X-Key-$_" } 1 .. 9), qr/RRKeyHeader X-Key-9: at most 8/],
    ['rr-key and an unknown word', location('Require rr-key role admin'), qr/unknown word "role"; expected client, name or scope/],
    ['rr-key and a kind without a word', location('Require rr-key scope'), qr/expected a value/],
    ['rr-key and a kind without a word before another', location('Require rr-key client scope a'), qr/expected a value before "scope"/],
    ['rr-key and a name without its client', location('Require rr-key name robot'), qr{robot: expected CLIENT/NAME}],
    ['rr-scope without a word', location('Require rr-scope'), qr/expected at least one word/],
    ['rr-data without a pattern', location('Require rr-data tier'), qr/expected PATH REGEX/],
    ['rr-data with a pattern too many', location('Require rr-data tier a b'), qr/expected PATH REGEX/],
    ['rr-data with a pattern that does not compile', location('Require rr-data tier "("'), qr/regular expression for tier does not compile/],
    ['rr-jwt without its module', location('Require rr-jwt'), qr/rr-jwt/],
    ['an audit log of nothing', "RRAuditLog \"|\"\n", qr/RRAuditLog: expected a file/],
    ['an empty audit log', "RRAuditLog \"\"\n", qr/RRAuditLog/],
    ['an audit log for a Location', location('RRAuditLog logs/x.log'), qr/RRAuditLog not allowed/],
    (map { ["@$_ in one section", location(@$_), qr/RRProxy and RRGateway stand in one section.*remove one/] }
        (['RRProxy a/b', 'RRGateway On'], ['RRGateway On', 'RRProxy a/b'], ['RRGateway On client a', 'RRProxy a/b'], ['RRProxy a/b', 'RRGateway Off'], ['RRGateway Off', 'RRProxy a/b'])),
    (map { ["RRProxy $_", location("RRProxy $_"), qr{RRProxy \Q$_\E: expected a proxy's id, its alias, or CLIENT/NAME}] } qw(/ /b a/ a/b/c)),
    (map { ["RRGateway $_", location("RRGateway $_"), qr/RRGateway \Q$_\E: expected Off, On, or On client/] } 'Maybe', 'On acme', 'On client'),
    ['a requirement is named', location('Require rr-key client'), qr/Require rr-key client: expected a value after/],
    ['an argument of rr-proxy', location('Require rr-proxy a/b'), qr{Require rr-proxy a/b: takes no argument}],
    ['a pattern of a requirement', location('Require not rr-data tier "("'), qr/Require not rr-data tier "\(": .*does not compile/],
    (map { ["a master key from $_ nothing", "RRStore sqlite3 $place/none.db\nRRMasterKey $_\n", qr/RRMasterKey takes a path, env:NAME or exec:PROGRAM/] } qw(env: exec:)),
    ['a store of an unknown driver', "RRStore mysql db\n", qr/RRStore mysql: .*sqlite3 or pgsql/],
    ['a store without parameters', "RRStore sqlite3\n", qr/RRStore/],
    ['a store for a Location', location("RRStore sqlite3 $place/x.db"), qr/RRStore not allowed/],
    ['pgsql without a master key', "RRStore pgsql \"host=127.0.0.1\"\n", qr/RRStore pgsql needs RRMasterKey/],
    ['a master key without a store', "RRMasterKey $place/x.key\n", qr/need RRStore/],
    (map { ["a store's age of $_", "RRStore sqlite3 $place/none.db\nRRStoreMaxAge $_\n", qr/RRStoreMaxAge \Q$_\E: expected a duration/] }
        qw(soon -1s 1x 2h 1s2 99999999999999999999s)),
) {
    my ($what, $conf, $say, @modules) = @$case;
    my $got = judge($conf, @modules);
    isnt($got->{exit}, 0, "$what is refused");
    like($got->{err}, $say, "$what is told why");
    unlike($got->{err}, qr/Segmentation|Sanitizer|runtime error/, "$what, and nothing breaks");
}

# ---- none of our directives may stand in a .htaccess ----
my $served = httpd(modules => \@both, conf => "<Directory \"\@ROOT\@/htdocs\">\nAllowOverride All\n</Directory>\n");
for my $line ('RRAuthMode optional', 'RRAuthProvider key', 'RRPreflight pass', 'RRForwardCredential On', 'RRIdentityHeader X-User-Id', 'RRClaimHeader X-Org org',
              'RRKeyHeader X-Key', 'RRKeyQuery key', 'RRKeyCookie key', 'RRAuditLog x', 'RRStore sqlite3 x', 'RRMasterKey x', 'RRStoreMaxAge 1h') {
    my ($name) = split(/ /, $line);
    $served->file("htdocs/$name/.htaccess", "$line\n");
    $served->file("htdocs/$name/x.txt", "x\n");
    cases($served, ["$name in a .htaccess", { path => "/$name/x.txt" }, { status => 500 }]);
    expect_log(qr/\Q$name\E not allowed here/);
}
$served->file('htdocs/good/.htaccess', "DirectoryIndex x.txt\n");
$served->file('htdocs/good/x.txt', "x\n");
cases($served, ['another directive in a .htaccess', { path => '/good/' }, { status => 200 }]);

finish();
