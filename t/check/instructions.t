# SPDX-License-Identifier: Apache-2.0
#
# What a request costs in instructions, against what it cost when t/bench/instructions.tsv was written.
#
#   perl -It/lib t/check/instructions.t [--record]     --record writes the file anew
#
# A count does not depend on what else the machine does, so a rise is the change's own. httpd runs as one process
# under callgrind, which counts inside ap_run_process_connection alone: not the MPM's waiting, not our own threads; and
# in core_write_audit, which runs when the answer has been sent, outside of that. An OPTIONS
# request makes callgrind write what it has counted since the last one; requests to the same path, over one connection,
# come between two of them. What a path costs is its count less that of its floor: the same file, or the same backend,
# without us. libcrypto is counted apart: how it verifies is not ours. The floor of every refusal is httpd's own (Require all denied)
# of the server without us, asked with the same headers, which writes a line to the error log: what ours adds may be less than nothing.
#
# valgrind shows programs a processor of its own making, so libraries choose the same code on every machine that has
# AVX2; the counts are those of Debian 12's compiler and libraries, and are compared where those are.

use strict;
use warnings;

use RR::Inject;
use RR::Test;
use RR::Token;
use RR::Util qw(run server_user give_away httpd_program);

my $record = root() . '/t/bench/instructions.tsv';
my $recording = grep { $_ eq '--record' } @ARGV;
my $tolerance = 0.10;
my $slack = 400; # instructions: how packets and phases fall on a busy machine is seen in what is nearly nothing
my ($batches, $requests) = (12, 10); # short ones: some begin and end in the same second

plan(skip_all => 'a build with sanitizers counts its own') if $ENV{RR_PRELOAD} || build() =~ /asan|cover/;

# What the counts depend on beside our source.
sub made_with
{
    my ($compiler) = (run('gcc', '-dumpfullversion')->{out} || '') =~ /^(\d+)/;
    my ($httpd) = run(httpd_program(), '-v')->{out} =~ m{Apache/(\d+\.\d+)};
    my ($crypto) = run('openssl', 'version')->{out} =~ /OpenSSL (\d+\.\d+)/;
    my ($libc) = run('getconf', 'GNU_LIBC_VERSION')->{out} =~ /([\d.]+)/;
    my ($machine) = run('uname', '-m')->{out} =~ /(\S+)/;
    my $avx2 = slurp('/proc/cpuinfo') =~ /\bavx2\b/ ? 'avx2' : 'no avx2';
    return join(', ', map { defined $_ ? $_ : '?' } "gcc $compiler", "httpd $httpd", "OpenSSL $crypto", "glibc $libc", $machine, $avx2);
}

my $with = made_with();
my %before;
if (!$recording) {
    my ($recorded_with, @lines) = split(/\n/, slurp($record));
    plan(skip_all => "counted with $with, recorded with $recorded_with") if $recorded_with ne "# $with";
    %before = map { split(/\t/) } grep { !/^#/ } @lines;
}

# ---- the servers ----

my $store = store();
my $caller = $store->key('caller');
my $backend = httpd(conf => "MaxKeepAliveRequests 0\nKeepAliveTimeout 100\n", loglevel => 'warn', children => 1);
$backend->file('htdocs/res5/x.json', '{"a":1}');
my $vendor = { credentialAuthType => 'key', credentialSecret => { key => secret('vendor-key-' . 'v' x 20) } };
stored_proxy($store, 'vendor', $backend->url, caller => $caller, proxyIdentityHeaders => { 'X-User-Id' => 'sub' }, secret => $vendor);
stored_proxy($store, 'masked', $backend->url, caller => $caller, secret => $vendor);
stored_proxy($store, 'bare', $backend->url, caller => $caller);
$store->rrctl({ stdin => json_text({ effect => 'allow', pathPattern => "^/res$_/" }) }, 'rule', 'create', '--proxy', 'vendor', '-f', '-')
    for 1 .. 10;

my $issuer = RR::Token->key('RS256');
my $keys = place_for('keys') . '/jwks.json';
spew($keys, json_text({ keys => [$issuer->jwk] }));
sub token { my ($who, @more) = @_;
            return $issuer->token({ iss => 'https://id.example.com/', aud => 'api', sub => "user-$who", scope => 'orders:read orders:write' }, @more) }
# The same with another first character of the signature.
sub forged { my ($input, $signature) = token(@_) =~ /^(.*\.)(.*)$/; return $input . ($signature =~ /^A/ ? 'B' : 'A') . substr($signature, 1) }

# One connection, no limit to its requests, no log on the disk.
my $common = <<'CONF';
MaxKeepAliveRequests 0
KeepAliveTimeout 100
CustomLog /dev/null rr
CONF
my $conf = $store->conf . $common . <<'CONF';
RRJwtIssuer it https://id.example.com/ audience=api jwks=file:@KEYS@
RRTargetAllow loopback
<Location /key>
    AuthType RR
    Require rr-key
</Location>
<Location /jwt>
    AuthType RR
    Require rr-jwt
</Location>
<Location /denied>
    Require all denied
</Location>
<Location /plain>
    ProxyPass "@BACKEND@"
</Location>
<Location /gw>
    AuthType RR
    RRGateway On
    Require rr-proxy
</Location>
<Location /filter>
    RRFilters "@ROOT@/filters.json"
</Location>
<VirtualHost 127.0.0.1:@PORT2@>
    RRStoreMaxAge 100s
</VirtualHost>
<VirtualHost 127.0.0.1:@PORT3@>
    RRAuditLog /dev/null
</VirtualHost>
CONF
$conf .= "<Location /rules$_>\nRRRules \"\@ROOT\@/rules$_.json\"\nRequire all granted\n</Location>\n" for 10, 1_000, 10_000;

my @servers;
sub counted
{
    my (%opt) = @_;
    my $dir = place_for('counts' . @servers);
    my $httpd = httpd(%opt, loglevel => 'warn', children => 1, threads => 2, start => 0, under => [
        qw(valgrind --tool=callgrind --vgdb=no --quiet --toggle-collect=ap_run_process_connection --toggle-collect=core_write_audit),
        '--dump-before=ap_send_http_options', "--callgrind-out-file=$dir/out"]);

    give_away($dir);
    $httpd->file('htdocs/x.json', '{"a":1}');
    push(@servers, { httpd => $httpd, dir => $dir, dumps => 0 });
    return $servers[-1];
}

my $ours = counted(modules => [qw(core keyauth jwt rules filter inject)], conf => $conf, ports => 3,
                   vars => { KEYS => $keys, BACKEND => $backend->url });
my $kilobyte = json_text([map { { id => $_, name => "customer number $_", card => { number => "4000-0000-0000-$_", cvc => 123 }, note => 'n' x 24 } } 1 .. 9]);
my $httpd = $ours->{httpd};
$httpd->file('htdocs/plain.json', $kilobyte);
$backend->file('htdocs/sixteen.json', json_text([map { { id => $_, name => "customer number $_", note => 'n' x 200 } } 1 .. 66]));
$httpd->file("htdocs/$_", '{"a":1}') for qw(key/x.json jwt/x.json), map { "rules$_/res5/x.json" } 10, 1_000, 10_000;
$httpd->file('htdocs/filter/plain.json', $kilobyte);
$httpd->file('filters.json', json_text([{ operations => [map { { effect => 'destroy', jsonPath => { pattern => $_ } } }
    qw(cvc card\.number password secret token ssn iban pin address\.street phone)] }]));
$httpd->file("rules$_.json", json_text([map { { effect => 'allow', pathPattern => "^/res$_/" } } 0 .. $_ - 1])) for 10, 1_000, 10_000;
# Where nobody's keys come in a flood: the main server says when a child knows all digests, the host that is counted logs nothing.
my $flooded_conf = $store->conf . $common . <<'CONF';
LogLevel rr_core:debug
<Location /key>
    AuthType RR
    Require rr-key
</Location>
<Location /denied>
    Require all denied
</Location>
<VirtualHost 127.0.0.1:@PORT2@>
    LogLevel warn
</VirtualHost>
CONF
my $flooded = counted(modules => [qw(core keyauth)], ports => 2, conf => $flooded_conf);
$flooded->{httpd}->file('htdocs/key/x.json', '{"a":1}');
# The same sections and hosts without a word of ours, so that httpd itself walks as far.
sub bare { my ($text) = @_; return $text =~ s/^\s*(?:RR\w+|AuthType|Require rr|LogLevel rr\w+)\b.*\n//mgr }
my $without = counted(conf => bare($conf), ports => 3, vars => { BACKEND => $backend->url });
my $flooded_without = counted(conf => bare($flooded_conf), ports => 2);
$_->{httpd}->file('htdocs/denied/x.json', '{"a":1}') for $without, $flooded_without;
for my $server (@servers) {
    $server->{httpd}->start;
    give_away("$server->{dir}/out"); # valgrind made it as who we are; the last counts come from the server's user
}

# ---- counting ----

# Instructions counted since the last dump: { all, libcrypto }. Costs below calls= are those of the called, counted there.
sub dumped
{
    my ($server, $client) = @_;
    my $res = $client->exchange(method => 'OPTIONS', path => '/x.json', keep => 1);
    die 'OPTIONS: ' . $res->status . "\n" if $res->status != 200;
    my $file = "$server->{dir}/out." . ++$server->{dumps};
    my ($object, $called, %cost, %names) = ('');

    for my $line (split(/\n/, slurp($file))) {
        if ($line =~ /^(c?)ob=(\(\d+\))(?: (.+))?/) {
            $names{$2} = $3 if defined $3;
            $object = $names{$2} unless $1;
        }
        elsif ($line =~ /^calls=/) {
            $called = 1;
        }
        elsif ($line =~ /^[-+*\d]\S* (\d+)$/) {
            $cost{$object} += $1 unless $called;
            $called = 0;
        }
    }
    my $all = 0;
    $all += $_ for values %cost;
    my ($crypto) = grep { m{/libcrypto\.so} } keys %cost;
    return { all => $all, libcrypto => $crypto ? $cost{$crypto} : 0 };
}

# Instructions of one request; what is kept from the first ones is there by then. Of several batches the least: what is
# done once a second, such as the text of the date, is in some of them.
sub count
{
    my ($server, $path, %opt) = @_;
    my $client = $server->{httpd}->connect(on => $opt{on} || 1);
    my $send = sub {
        my $res = $client->exchange(path => $path, keep => 1, headers => $opt{headers} ? $opt{headers}->() : {});
        die "$path: " . $res->status . "\n" if $res->status != ($opt{status} || 200);
    };

    $send->() for 1 .. 10;
    dumped($server, $client);
    my $least;
    for (1 .. $batches) {
        $send->() for 1 .. $requests;
        my $got = dumped($server, $client);
        $least = $got if !$least || $got->{all} < $least->{all};
    }
    $client->close;
    $least->{$_} /= $requests for qw(all libcrypto);
    return $least;
}

my $key = sub { return { 'X-API-Key' => $caller->{key} } };
my $seen = token('seen');
my $known = sub { return { Authorization => "Bearer $seen" } };
# Another token with each request of a count, and the same ones for the next.
sub each_once { my ($make) = @_;
                my @tokens = map { $make->($_) } 1 .. $batches * $requests + 10;
                return sub { push(@tokens, shift(@tokens)); return { Authorization => "Bearer $tokens[-1]" } } }
my $new = each_once(\&token);
my $unknown_kid = each_once(sub { return token($_[0], header => { kid => "unknown-$_[0]" }) });
my $forged = each_once(\&forged);

my $mistyped = sub { return { 'X-API-Key' => 'rr_live_' . 'x' x 38 } };
my $nobodys = 0;
my $unknown_key = sub { return { 'X-API-Key' => sprintf('nobody-has-this-key-%08d', ++$nobodys) } };
sub flood
{
    my $client = $flooded->{httpd}->connect(on => 2);
    $client->exchange(path => '/key/x.json', keep => 1, headers => $unknown_key->()) for 1 .. 200;
    $client->close;
    return $flooded->{httpd}->errorlog =~ /RR10714/;
}

# What our server answers with 401 and the one without us with 403.
sub refusal
{
    my ($with_us, $bare, $path, @opt) = @_;
    return (count($with_us, $path, status => 401, @opt), count($bare, '/denied/x.json', status => 403, @opt));
}

my $floor = count($ours, '/x.json', headers => $key);
wait_for(\&flood) or die "a flood of unknown keys did not make a child read all digests\n";
my @cases = (
    ['modules loaded, no directive', $floor, count($without, '/x.json', headers => $key)],
    ['API key seen, RRStoreMaxAge 0', count($ours, '/key/x.json', headers => $key), $floor],
    ['API key seen, RRStoreMaxAge 100s', count($ours, '/key/x.json', headers => $key, on => 2), $floor],
    ['API key that nobody has', refusal($flooded, $flooded_without, '/key/x.json', headers => $unknown_key, on => 2)],
    ['JWT seen, RRStoreMaxAge 0', count($ours, '/jwt/x.json', headers => $known), $floor],
    ['JWT never seen, RS256, without libcrypto', count($ours, '/jwt/x.json', headers => $new), $floor, 'own'],
    ['JWT of an unknown kid, refused', refusal($ours, $without, '/jwt/x.json', headers => $unknown_kid)],
    ['JWT forged, refused, without libcrypto', refusal($ours, $without, '/jwt/x.json', headers => $forged), 'own'],
    (map { ["$_ rules", count($ours, "/rules$_/res5/x.json"), $floor] } 10, 1_000, 10_000),
    ['filter, 1 KB, 10 patterns', count($ours, '/filter/plain.json'), count($ours, '/plain.json')],
    ['audit line', count($ours, '/gw/bare/res5/x.json', headers => $key, on => 3),
     count($ours, '/gw/bare/res5/x.json', headers => $key)],
    ['credential and its echo mask, 16 KB of JSON', count($ours, '/gw/masked/sixteen.json', headers => $key),
     count($ours, '/gw/bare/sixteen.json', headers => $key)],
    ['stored proxy: key, 10 rules, credential, identity, audit', count($ours, '/gw/vendor/res5/x.json', headers => $key, on => 3),
     count($ours, '/plain/res5/x.json', headers => $key)],
    ['no credential, refused', refusal($ours, $without, '/key/x.json')],
    ['API key of a wrong checksum, refused', refusal($ours, $without, '/key/x.json', headers => $mistyped)],
);

my (@lines, %count);
for my $case (@cases) {
    my ($name, $with_us, $less, $own) = @$case;
    my $count = $with_us->{all} - $less->{all};
    $count -= $with_us->{libcrypto} - $less->{libcrypto} if $own;
    $count{$name} = int($count + 0.5);
    push(@lines, "$name\t$count{$name}");
}
unlike($httpd->request(path => '/filter/plain.json')->body, qr/cvc/, 'the filter that was counted filters');
expect_log('AH01630'); # httpd's own refusal
$_->{httpd}->stop for @servers;
note("instructions a request:\n", map { "  $_\n" } @lines);

# ---- judging ----

sub judge
{
    my ($name) = @_;
    my ($was, $is) = ($before{$name}, $count{$name});
    return fail("$name is in the record") unless defined $was;
    my $limit = $was * $tolerance < $slack ? $slack : $was * $tolerance;
    ok(abs($is - $was) <= $limit, "$name costs what it did")
        or diag(sprintf('  %d instructions a request, %d in %s: ', $is, $was, $record),
                $is > $was ? 'it rose; find out why, or say why in the change that renews the record by --record'
                           : 'it fell; renew the record by --record');
}

if ($recording) {
    spew($record, join("\n", "# $with", '# instructions a request beyond those of httpd without us; see t/check/instructions.t', @lines) . "\n");
    diag("written: $record");
}
else {
    judge($_->[0]) for @cases;
    is_deeply([sort keys %before], [sort keys %count], 'every line of the record is a case');
}
cmp_ok($count{'10000 rules'}, '<', $count{'10 rules'} + 2000, 'a thousand times the rules cost hardly more');
finish();
