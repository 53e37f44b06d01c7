# SPDX-License-Identifier: Apache-2.0
#
# Subsets of directives and odd requests, both generated: never a crash, never a 500 (lesson 25).
#
# RR_SEED repeats a run; the seed of this one is told where something fails.

use strict;
use warnings;

use RR::KeyServer;
use RR::Stub;
use RR::Test;
use RR::Token qw(compact);
use RR::Upstream;

my $seed = $ENV{RR_SEED} || int(rand(1 << 30));
srand($seed);
sub one { return $_[rand @_] }
sub some { my ($share, @from) = @_; return grep { rand() < $share } @from }

my $upstream = RR::Upstream->start(dir => place_for('upstream'));
my $store = store();
my $key = $store->key('robot', '--metadata', '{"userId":"robot","org":{"id":7},"roles":["a",1,null,{"b":[]}]}')->{key};
my $signing = RR::Token->key('ES256');
my $jwks = place_for('keys') . '/jwks.json';
spew($jwks, json_text({ keys => [$signing->jwk] }));
my $jwt = secret($signing->token({ iss => 'https://id.example/', sub => 'jane', scope => 'a b', org => { id => [1] } }), 'token');

# ---- configuration: each Location has a subset of everything ----
my @directives = (
    'RRAuthMode required', 'RRAuthMode optional', 'RRAuthMode permissive', 'RRAuthProvider key', 'RRAuthProvider jwt key', 'RRAuthProvider red blue key jwt',
    'RRPreflight pass', 'RRForwardCredential On', 'RRIdentityHeader X-User-Id', 'RRIdentityHeader X_User.Id', 'RRClaimHeader X-Org org.id', 'RRClaimHeader X-Roles roles',
    'RRClaimHeader X-Pointer /roles/3/b', 'RRClaimHeader X-Bad /', 'RRKeyHeader X-Key', 'RRKeyHeader Authorization Bearer', 'RRKeyHeader Authorization',
    'RRKeyQuery k', 'RRKeyQuery "a=b"', 'RRKeyCookie c', 'RRJwtHeader X-Token', 'RRJwtQuery t', 'RRJwtCookie c', 'AuthName "a \"b"',
    'ErrorDocument 401 /static/x.txt', 'ErrorDocument 403 "no"', 'Satisfy Any',
);
my @requires = ('Require valid-user', 'Require all granted', 'Require all denied', 'Require rr-key', 'Require rr-jwt', 'Require rr-scope a', 'Require not rr-key', 'Require not rr-scope b',
                'Require rr-claim org.id .', 'Require rr-data roles ^a$', 'Require rr-key client default scope a', 'Require ip 127.0.0.1', 'Require method GET', 'Require user jane', 'Require rr-red');
my ($conf, @paths) = ('');
for my $n (1 .. 40) {
    my %once = map { /^(\S+ ?(?:X\S+)?)/; ($1 => $_) } some(0.25, @directives);
    my @require = some(0.2, @requires);
    @require = grep { !/ not / } @require unless @require > 1 && grep({ !/ not / } @require);
    my $container = one('RequireAny', 'RequireAll');
    @require = ("<$container>", ($container eq 'RequireAny' ? grep({ !/ not / } @require) : @require), "</$container>") if @require;
    $conf .= "<Location \"/r$n\">\n" . join('', map { "    $_\n" } 'AuthType RR', (map { $once{$_} } sort keys %once),
        (@require > 2 ? @require : one('Require valid-user', 'Require all granted')), one('SetHandler rr-me', 'SetHandler none', "ProxyPass \@UP\@/r$n", 'SetHandler cgi-script')) . "</Location>\n";
    push(@paths, "/r$n");
}
my $httpd = httpd(modules => [qw(core keyauth jwt)], extra => [qw(access_compat cgid)], children => 2, vars => { UP => $upstream->url, JWKS => $jwks },
    loglevel => 'info', conf => $store->conf . load_stub() . <<'CONF' . $conf);
ScriptSock "@ROOT@/run/cgid.sock"
RRJwtIssuer idp https://id.example/ audience=any jwks=file:@JWKS@
RRAuditLog logs/audit.log
CONF
$httpd->file('htdocs/static/x.txt', "x\n");
my @before = $httpd->children;

# ---- requests ----
my @values = ('', ' ', $key, $jwt, "Bearer $key", "Bearer $jwt", "bearer\t$key", 'Bearer', 'Bearer ', 'Bearer  .', 'Basic', 'Basic dXNlcjpwYXNz', 'Basic ====', "Bearer $jwt,", "$key, $key",
              '.', '..', '...', '....', 'a.b.c', 'e30.e30.', compact('{"alg":"none"}', '{}', ''), compact('{"alg":null}', '[]', 'x'), compact({ alg => 'ES256' }, '{"iss":{}}', 'x' x 64),
              compact('{"alg":"ES256","kid":"' . 'k' x 900 . '"}', '{', ''), '"', '\\', '%', '%00', "\x80\xff", '=', '==;', 'rr_live_', 'rr_live_' . 'x' x 38, 'x' x 513, 'x' x 4000, '{"sub":"x"}', '{"sub":"x","scopes":["a"]}',
              'invalid', 'unavailable', 'foreign', 'mistake', who('rose', data => { org => { id => [] } }));
my @names = ('Authorization', 'X-API-Key', 'X-Key', 'X-Token', 'X-User-Id', 'x_user.id', 'X-Org', 'Cookie', 'X-Red', 'X-Blue', 'Origin', 'Access-Control-Request-Method', 'Sec-Fetch-Site',
             'Connection', 'Range', 'If-None-Match', 'Proxy-Authorization'); # none of those that httpd itself writes to its log
my @queries = ('', '?', '?&', '?&&=', '?=', '?k', '?k=', "?k=$key", "?%6b=$key", '?k=%', '?k=%0', '?k=%zz', '?k=%00', "?k=$key&k=$key", '?t=' . $jwt, '?t=.', '?' . 'k=' x 500, '?' . '&' x 900, '?a=b#k=c', '?a%3Db=1', "?k=\x80");
my @cookies = ('c', 'c=', '=', ';', ';;c=;', "c=$key", "c=\"$key\"", 'c="', "c=$jwt; c=$key", ',c=,', 'c=' . 'x' x 3000, '; ' x 800);

my %statuses;
my @failed;
for my $n (1 .. 1500) {
    my @headers = map { my $name = $_; [$name, $name eq 'Cookie' ? one(@cookies) : one(@values)] } some(0.15, @names, @names);
    my $path = one(@paths) . one('', '', '/', '/x', '//x', '/%2e', '/;x', '/x.cgi', '/%e9') . one('', '', @queries);
    my %request = (method => one(qw(GET GET GET POST HEAD OPTIONS PUT DELETE TRACE PATCH)), path => $path, headers => \@headers, version => one('1.1', '1.1', '1.1', '1.0'));
    $request{body} = 'x=y' if $request{method} =~ /^P/;
    my $res = eval { $httpd->request(%request) };
    my $status = $res ? $res->status : 0;
    $statuses{$status}++;
    push(@failed, "$status: $request{method} $path " . join(' | ', map { "$_->[0]: " . substr($_->[1], 0, 60) } @headers)) if $status == 0 || $status == 500;
}
ok(!@failed, 'no 500 and no lost connection') or diag("RR_SEED=$seed\n" . join("\n", map { s/([^\x20-\x7e\n])/sprintf('\\x%02x', ord $1)/ger } @failed[0 .. ($#failed > 9 ? 9 : $#failed)]));
my %alive = map { $_ => 1 } $httpd->children;
ok(@before > 1 && !grep({ !$alive{$_} } @before), 'the children of the start are all there') or diag("RR_SEED=$seed");
unlike($httpd->errorlog, qr/exit signal|AH00051|AH00052|Sanitizer|runtime error/, 'none of them broke') or diag("RR_SEED=$seed");
ok($statuses{$_}, "the run has seen $_") for 200, 401, 403;
cmp_ok(scalar keys %statuses, '>', 4, 'and more: ' . join(' ', map { "$_ x $statuses{$_}" } sort keys %statuses));

allow_log(qr/./); # what odd requests make httpd say is no concern here
finish();
