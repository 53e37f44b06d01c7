# SPDX-License-Identifier: Apache-2.0
#
# RR::Bench::Peer: other gateways, from Debian's packages, each configured as its own manual says it is best.
#
# Their configurations are in t/bench/peers, with @NAMES@ filled in. Those that are servers of their own run in the
# foreground on 127.0.0.1 and end with the group; those that are modules of httpd run in an httpd like ours.

package RR::Bench::Peer;

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(make_path);
use MIME::Base64 qw(encode_base64);
use POSIX ();
use RR::Bench;
use RR::Bench::Store qw(keys_of);
use RR::KeyServer;
use RR::Test ();
use RR::Util qw(root build slurp spew run wait_for alive free_port server_user give_away json_text);

our @EXPORT = qw(peer_keys peer_keys_refused peer_tokens peer_proxied);

my $unpacked = build() . '/bench/root';
my $architecture; # the directory of Debian's libraries: x86_64-linux-gnu

# What was unpacked, and its versions.
sub versions { return { (eval { slurp(build() . '/bench/peers.txt') } || '') =~ /^(\S+) (\S+)$/mg } }

# A file of a Debian package, installed or unpacked; skips the subject where there is none.
sub file_of
{
    my ($path, $package) = @_;
    for my $dir ('', $unpacked) {
        my ($found) = glob("$dir/$path");
        return $found if defined $found && -e $found;
    }
    absent("package $package is not here");
}

sub libraries
{
    $architecture ||= do { my $name = run('dpkg-architecture', '-qDEB_HOST_MULTIARCH')->{out} || 'x86_64-linux-gnu'; chomp($name); $name };
    return "$unpacked/usr/lib/$architecture";
}

sub template
{
    my ($name, %vars) = @_;
    my $text = slurp(root() . "/t/bench/peers/$name");
    $text =~ s/\@([A-Z]+)\@/defined $vars{$1} ? $vars{$1} : die "$name: no $1\n"/ge;
    return $text;
}

# ---- modules of httpd ----

sub with_module
{
    my ($conf, %opt) = @_;
    return stock(conf => $conf, env => { LD_LIBRARY_PATH => libraries() }, %opt);
}

# Users in an sqlite3 database for mod_authn_dbd; the 4711th is the caller.
my %databases;
sub users
{
    my ($journal, $count) = @_;
    return $databases{$journal} ||= do {
        my $dir = RR::Test::place_for("authn-$journal");
        my $got = run({ stdin => <<"SQL" }, 'sqlite3', '-batch', "$dir/users.db");
PRAGMA journal_mode = $journal;
CREATE TABLE authn (user TEXT PRIMARY KEY NOT NULL, password TEXT NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $count)
    INSERT INTO authn SELECT 'user' || i, '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=' FROM n;
SQL
        die "sqlite3: $got->{err}" if $got->{exit};
        give_away($dir, glob("$dir/*"));
        "$dir/users.db";
    };
}

sub authn_dbd
{
    my ($name, $title, $journal, $count, $cached) = @_;
    return { name => $name, title => "mod_authn_dbd, Basic, sqlite3 $title", kind => 'peer', make => sub {
        my $extra = $cached ? "AuthBasicProvider socache dbd\n    AuthnCacheProvideFor dbd" : 'AuthBasicProvider dbd';
        my $conf = template('authn_dbd.conf', DATABASE => users($journal, $count), CACHED => $extra);
        return { server => stock(extra => [qw(dbd authn_dbd), $cached ? 'authn_socache' : ()],
                                 conf => ($cached ? "AuthnCacheEnable\nAuthnCacheSOCache shmcb\n" : '') . $conf),
                 load => { path => '/x', headers => ['Authorization', 'Basic ' . encode_base64('user4711:password', '')] } };
    } };
}

# Where mod_auth_openidc finds the key: its files may be of RSA only.
my $key_server;
sub verify_line
{
    my ($issuer) = @_;
    return 'OIDCOAuthVerifyCertFiles "' . $issuer->{key}->kid . "#$issuer->{pem}\"" if $issuer->{alg} eq 'RS256';
    $key_server = RR::KeyServer->start(dir => RR::Test::place_for('openidc'), keys => [$issuer->{key}], tls => 1);
    return 'OIDCOAuthVerifyJwksUri "' . $key_server->jwks_uri . '"';
}

sub httpd_tokens
{
    my ($made, $module) = @_;
    my $issuer = $made->{issuer};
    my $file = file_of("usr/lib/apache2/modules/mod_$module.so", $module eq 'oauth2' ? 'libapache2-mod-oauth2' : 'libapache2-mod-auth-openidc');
    (my $jwk = json_text($issuer->{key}->jwk)) =~ s/"/\\"/g;
    return with_module(template("$module.conf", MODULE => $file, VERIFY => verify_line($issuer), JWK => $jwk, ISS => $issuer->{iss}, AUD => $issuer->{aud}));
}

# ---- servers of their own ----

my $count = 0;
sub haproxy
{
    my ($ask, $answer) = @_;
    my $program = file_of('usr/sbin/haproxy', 'haproxy');
    my ($port, $dir) = (free_port(), RR::Test::place_for('haproxy' . ++$count));
    $answer ||= "    http-request return status 200 content-type text/plain string \"nothing\\n\"";
    my $conf = spew("$dir/haproxy.cfg", template('haproxy.cfg', PORT => $port, ASK => $ask, ANSWER => $answer));
    return RR::Bench::Peer::Server->start($port, $dir, $program, '-db', '-f', $conf);
}

sub nginx
{
    my ($setup, $ask, $answer) = @_;
    my $program = file_of('usr/sbin/nginx', 'nginx');
    my ($port, $dir) = (free_port(), RR::Test::place_for('nginx' . ++$count));
    my $user = server_user();
    give_away($dir);
    my $lua = file_of('usr/lib/nginx/modules/ngx_http_lua_module.so', 'libnginx-mod-http-lua');
    my $core = file_of('usr/share/lua/5.1/resty/core.lua', 'lua-resty-core') =~ s{/lua/5\.1/resty/core\.lua$}{}r;
    my $cjson = file_of('usr/lib/*/lua/5.1/cjson.so', 'lua-cjson') =~ s{/lua/5\.1/cjson\.so$}{}r;
    my $conf = spew("$dir/nginx.conf", template('nginx.conf', PORT => $port, DIR => $dir, LUA => $lua, SHARE => $core, LIB => $cjson,
        NDK => file_of('usr/lib/nginx/modules/ndk_http_module.so', 'libnginx-mod-http-ndk'), PEERS => root() . '/t/bench/peers',
        USER => $user ? "user $user->{name} $user->{group};" : '', SETUP => $setup, ASK => $ask,
        ANSWER => $answer || "            default_type text/plain;\n            return 200 \"nothing\\n\";"));
    return RR::Bench::Peer::Server->start($port, $dir, $program, '-e', "$dir/error.log", '-p', $dir, '-c', $conf);
}

# ---- subjects ----

sub floors
{
    my (%load) = @_;
    my $load = sub { my ($made) = @_; return { path => '/x', %{ $made->{load} || {} }, status => 200, %load } };
    return ({ name => 'haproxy', title => 'HAProxy, nothing asked', kind => 'floor',
              make => sub { return { server => haproxy(''), load => $load->(@_) } } },
            { name => 'nginx', title => 'nginx, nothing asked', kind => 'floor',
              make => sub { return { server => nginx('', ''), load => $load->(@_) } } });
}

# Files that map a store's keys to their owners, for HAProxy and for nginx.
sub maps
{
    my ($many) = @_;
    my $dir = RR::Test::place_for("maps-$many");
    spew("$dir/haproxy.map", join('', map { keys_of($many, $_) . " c$_\n" } 1 .. $many)) unless -f "$dir/haproxy.map";
    spew("$dir/nginx.map", join('', map { '"' . keys_of($many, $_) . "\" c$_;\n" } 1 .. $many)) unless -f "$dir/nginx.map";
    return $dir;
}

sub haproxy_map
{
    my ($many, $answer) = @_;
    my $map = maps($many) . '/haproxy.map';
    return haproxy("    http-request set-var(txn.client) req.hdr(x-api-key),map_str($map)\n"
                   . "    http-request deny deny_status 401 unless { var(txn.client) -m found }", $answer);
}

sub nginx_map
{
    my ($many, $answer) = @_;
    my $map = maps($many) . '/nginx.map';
    return nginx("    map_hash_bucket_size 128;\n    map_hash_max_size 400000;\n    map \$http_x_api_key \$client {\n        default \"\";\n        include $map;\n    }",
                 "            if (\$client = \"\") { return 401; }", $answer);
}

sub peer_keys
{
    my ($many) = @_;
    my @key = (headers => ['X-API-Key', keys_of($many, 1)]);
    return (authn_dbd('authn-dbd', 'as it comes', 'delete', $many), authn_dbd('authn-dbd-wal', 'in WAL mode', 'wal', $many),
            authn_dbd('authn-socache', 'and mod_authn_socache', 'wal', $many, 1), floors(@key),
            { name => 'haproxy-map', title => 'HAProxy, a map file of 100,000', kind => 'peer', floor => 'haproxy',
              make => sub { return { server => haproxy_map($many), load => { path => '/x', @key } } } },
            { name => 'nginx-map', title => 'nginx, a map of 100,000', kind => 'peer', floor => 'nginx',
              make => sub { return { server => nginx_map($many), load => { path => '/x', @key } } } });
}

# load gives what to send, afresh for each subject.
sub peer_keys_refused
{
    my ($many, $load) = @_;
    return (floors(%{ $load->() }, status => 200),
            { name => 'haproxy-map', title => 'HAProxy, a map file of 100,000', kind => 'peer', floor => 'haproxy',
              make => sub { return { server => haproxy_map($many), load => $load->() } } },
            { name => 'nginx-map', title => 'nginx, a map of 100,000', kind => 'peer', floor => 'nginx',
              make => sub { return { server => nginx_map($many), load => $load->() } } });
}

sub haproxy_tokens
{
    my ($made) = @_;
    my ($alg, $iss, $aud, $pem) = @{ $made->{issuer} }{qw(alg iss aud pem)};
    return haproxy(<<"ASK" =~ s/\n$//r);
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('\$.alg')
    http-request deny deny_status 401 unless { var(txn.alg) -m str $alg }
    http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('\$.iss') -m str $iss }
    http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('\$.aud') -m str $aud }
    http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('\$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
    http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"$pem") -m int 1 }
ASK
}

sub nginx_tokens
{
    my ($made) = @_;
    my ($alg, $iss, $aud, $pem) = @{ $made->{issuer} }{qw(alg iss aud pem)};
    return nginx("    init_by_lua_block { require('bearer').setup { pem = '$pem', alg = '$alg', issuer = '$iss', audience = '$aud', cache = true } }",
                 "            access_by_lua_block { require('bearer').check() }",
                 "            default_type text/plain;\n            content_by_lua_block { ngx.say('nothing') }");
}

# Gateways that verify tokens of an algorithm; of never seen ones, also how they refuse forged ones.
sub peer_tokens
{
    my ($alg, $kind, $forged) = @_;
    my @peers = (
        $alg eq 'EdDSA' ? () : (
            ['auth-openidc', 'mod_auth_openidc', 'httpd', sub { httpd_tokens($_[0], 'auth_openidc') }],
            ['oauth2', 'mod_oauth2, with its cache', 'httpd', sub { httpd_tokens($_[0], 'oauth2') }],
            ['haproxy-jwt', 'HAProxy, jwt_verify', 'haproxy', sub { haproxy_tokens($_[0]) }]),
        ['nginx-lua', 'nginx + lua, with a cache', 'nginx', sub { nginx_tokens($_[0]) }]);
    return (floors(), map {
        my ($name, $title, $floor, $make) = @$_;
        ({ name => $name, title => $title, kind => 'peer', floor => $floor,
           make => sub { my ($made) = @_; return { server => $make->($made), load => $made->{load} } } },
         $kind eq 'unseen' && $alg eq 'RS256' ?
         { name => "$name-forged", title => "$title, a forged signature", kind => 'peer', floor => $floor,
           make => sub { my ($made) = @_; return { server => $make->($made), load => $forged->($made) } } } : ());
    } @peers);
}

# The same backend through HAProxy and nginx, which look for a key in a map and add a credential and a header.
sub peer_proxied
{
    my ($many) = @_;
    my $load = sub { return { path => '/gw/full/x/res5/a', headers => ['X-API-Key', keys_of($many, 1)] } };
    my $backend = sub { my ($made) = @_; return $made->{backend}->url =~ s{^http://}{}r };
    my $through_haproxy = sub { return "    default_backend back\nbackend back\n    server one " . $backend->(@_) };
    my $through_nginx = sub { return "            proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n            proxy_pass http://back;\n" };
    my $upstream = sub { return "    upstream back {\n        server " . $backend->(@_) . ";\n        keepalive 32;\n    }\n" };
    return (
        { name => 'haproxy', title => 'HAProxy, plain', kind => 'floor', make => sub { return { server => haproxy('', $through_haproxy->(@_)), load => $load->() } } },
        { name => 'nginx', title => 'nginx, plain proxy_pass', kind => 'floor', make => sub { return { server => nginx($upstream->(@_), '', $through_nginx->()), load => $load->() } } },
        { name => 'haproxy-map', title => 'HAProxy, a map of keys, a credential and a header', kind => 'peer', floor => 'haproxy', make => sub {
            return { server => haproxy_map($many, "    http-request set-header X-User-Id %[var(txn.client)]\n    http-request set-header Authorization \"Bearer vendor-key\"\n" . $through_haproxy->(@_)),
                     load => $load->() } } },
        { name => 'nginx-map', title => 'nginx, a map of keys, a credential and a header', kind => 'peer', floor => 'nginx', make => sub {
            my $map = maps($many) . '/nginx.map';
            return { server => nginx($upstream->(@_) . "    map_hash_bucket_size 128;\n    map_hash_max_size 400000;\n    map \$http_x_api_key \$client {\n        default \"\";\n        include $map;\n    }",
                     "            if (\$client = \"\") { return 401; }",
                     "            proxy_set_header X-User-Id \$client;\n            proxy_set_header Authorization \"Bearer vendor-key\";\n" . $through_nginx->()), load => $load->() } } });
}

# A server in the foreground: its pid, its URL, its end.
package RR::Bench::Peer::Server;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use RR::Util qw(slurp wait_for alive family);

my @running;

sub start
{
    my ($class, $port, $dir, @command) = @_;
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    if ($pid == 0) {
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', "$dir/output.log");
        open(STDERR, '>&', \*STDOUT);
        $ENV{LD_LIBRARY_PATH} = RR::Bench::Peer::libraries();
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    my $self = bless { pid => $pid, port => $port, owner => $$ }, $class;
    push(@running, $self);
    my $up = wait_for(sub {
        return 'gone' if waitpid($pid, POSIX::WNOHANG()) == $pid;
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    }, 20);
    return $self if $up && $up ne 'gone';
    delete $self->{pid} if $up;
    die "$command[0] did not start: " . slurp("$dir/output.log") . (eval { slurp("$dir/error.log") } || '') . "\n";
}

sub pid { return $_[0]{pid} }
sub url { return "http://127.0.0.1:$_[0]{port}" }

sub stop
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    my @family = family($pid); # workers of a master that was killed belong to nobody
    RR::Bench::resume(@family);
    kill('TERM', $pid);
    wait_for(sub { waitpid($pid, POSIX::WNOHANG()); !grep { alive($_) } @family }, 5) or kill('KILL', @family);
    waitpid($pid, 0);
}

END {
    local ($?, $!);
    RR::Bench::end_load(); # this END comes before that of RR::Bench
    $_->stop for grep { $_->{owner} == $$ } @running;
}

1;
