#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# demo.pl: a gateway to try, on 127.0.0.1: httpd with the modules of this checkout, a SQLite store,
# an issuer with its key set, a backend that echoes.
#
#   demo.pl start [PORT]     (again: what ran is stopped; store, keys and issuer's key stay)
#   demo.pl stop
#   demo.pl issuer stop|start|rotate
#
# Everything lives in build/demo; below /root, where httpd's children cannot go, build/demo is a
# link to a directory in /var/tmp. Each process is ended by the pid it wrote there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../../t/lib";

use File::Path qw(make_path);
use IO::Socket::INET;
use RR::Httpd;
use RR::KeyServer;
use RR::Upstream;
use RR::Util qw(root build place server_user free_port slurp spew run json_data);

my $audience = 'mod_rr-demo';
my $scopes = 'orders:read profile';

my ($command, @args) = @ARGV;
my %commands = (start => \&start, stop => \&stop, issuer => \&issuer);
if (!$command || !$commands{$command}) {
    die "usage: demo.pl start [PORT] | stop | issuer stop|start|rotate\n";
}
eval { $commands{$command}->(@args); 1 } or do {
    print STDERR "demo: $@";
    exit 1;
};

sub rrctl
{
    my $got = run(build() . '/bin/rrctl', @_);
    die "rrctl @_: $got->{err}\n" if $got->{exit};
    return $got->{out};
}

# The last run's demo.env, as a hash.
sub settings
{
    my ($dir) = @_;
    my $text = eval { slurp("$dir/demo.env") } || '';
    return { $text =~ /^(RR_[A-Z_]+)='([^']*)'$/mg };
}

sub port_of { my ($url) = @_; return ($url || '') =~ /:(\d+)/ ? $1 : undef }

sub port_is_free
{
    my ($port) = @_;
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
}

sub pid_in
{
    my ($file) = @_;
    my ($pid) = (eval { slurp($file) } || '') =~ /^(\d+)/ or return undef;
    return RR::Util::alive($pid) ? $pid : undef;
}

sub stop
{
    my $dir = build() . '/demo';
    return if !-d $dir;
    $dir = place('demo');
    my @ended;

    my $httpd = bless { root => $dir, daemon => 1 }, 'RR::Httpd';
    if ($httpd->{pid} = $httpd->read_pid) {
        $httpd->stop;
        push(@ended, 'httpd');
    }
    for my $name (qw(issuer upstream)) {
        my $server = bless { dir => "$dir/$name", daemon => 1 }, 'RR::Server';
        my $pid = $server->read_pid or next;
        $server->end($pid);
        push(@ended, $name);
    }
    print 'stopped: ', join(', ', @ended), "\n" if @ended && $command eq 'stop';
}

sub start
{
    my $port = shift || 8080;
    die "PORT=$port is no port number\n" unless $port =~ /^\d+$/ && $port > 0 && $port < 65536;
    my $dir = place('demo');
    my $before = settings($dir);
    my $ours = pid_in("$dir/run/httpd.pid") && (port_of($before->{RR_URL}) || 0) == $port;

    if (!$ours && !port_is_free($port)) {
        die "port $port on 127.0.0.1 is in use by another program; choose another: make -f Makefile.apxs run PORT=" .
            ($port + 1) . "\n";
    }
    stop();

    # ---- issuer and backend: on the ports they had, so that tokens of the last run stay valid ----
    my %ports;
    for my $name (qw(issuer upstream)) {
        my $had = port_of($before->{ 'RR_' . uc $name });
        $ports{$name} = $had && $had != $port && port_is_free($had) ? $had : free_port();
    }
    make_path("$dir/issuer", "$dir/upstream");
    my $issuer = start_issuer($dir, $ports{issuer});
    my $upstream = RR::Upstream->start(dir => "$dir/upstream", port => $ports{upstream}, daemon => 1);

    # ---- store and key ----
    my @modules = grep { -f build() . "/modules/mod_rr_$_.so" } qw(core keyauth jwt rules filter inject admin);
    my $httpd = RR::Httpd->new(
        root => $dir, port => $port, daemon => 1, loglevel => 'info', modules => \@modules,
        conf => slurp("$FindBin::Bin/demo.conf.in"),
        vars => { STORE => "$dir/state/rr.db", ISSUER => $issuer->issuer, AUDIENCE => $audience,
                  UPSTREAM => $upstream->url });
    my $store = "sqlite3:$dir/state/rr.db";
    my $user = server_user();
    my $admin = $before->{RR_ADMIN_KEY};
    if (!-f "$dir/state/rr.db") {
        $admin = json_data(rrctl('--store', $store, '--json', 'init', $user ? ('--owner', $user->{name}) : ()))->{key};
    }
    $admin ||= new_admin_key($store);
    my $key = $before->{RR_KEY} || new_key($store);
    $httpd->file('htdocs/health.json', qq({"status":"ok"}\n));

    # ---- gateway ----
    $httpd->start;
    if ($before->{RR_KEY} && !works($httpd, $key)) {
        $key = new_key($store); # the old one was revoked
    }
    if (!administers($httpd, $admin)) {
        $admin = new_admin_key($store); # as above
    }
    my %env = (RR_URL => $httpd->url, RR_KEY => $key, RR_ADMIN_URL => $httpd->url . '/rr-admin', RR_ADMIN_KEY => $admin, RR_JWT => mint($dir, $issuer->issuer), RR_ISSUER => $issuer->issuer,
               RR_UPSTREAM => $upstream->url, RR_STORE => $store, RR_CONF => "$dir/httpd.conf");
    write_env($dir, \%env);
    for my $credential (@env{qw(RR_KEY RR_JWT)}) {
        next if works($httpd, $credential);
        die "the gateway runs, but refuses its own credentials; its log ends with:\n" . substr($httpd->errorlog, -3000);
    }
    explain(\%env);
}

sub works
{
    my ($httpd, $credential) = @_;
    return $httpd->request(path => '/me', headers => { Authorization => "Bearer $credential" })->status == 200;
}

sub administers
{
    my ($httpd, $key) = @_;
    return $httpd->request(path => '/rr-admin/clients', headers => { 'X-API-Key' => $key })->status == 200;
}

# The credential that init made, and gave the scope rr:admin.
sub new_admin_key
{
    my ($store) = @_;
    return json_data(rrctl('--store', $store, '--json', 'key', 'create', 'admin', '--scope', 'rr:admin'))->{key};
}

sub new_key
{
    my ($store) = @_;
    my $made = json_data(rrctl('--store', $store, '--json', 'key', 'create', 'demo', '--scope', 'orders:read',
                               '--metadata', '{"plan":"gold"}'));
    return $made->{key};
}

sub write_env
{
    my ($dir, $env) = @_;
    my @names = qw(RR_URL RR_KEY RR_JWT RR_ISSUER RR_UPSTREAM RR_STORE RR_CONF RR_ADMIN_URL RR_ADMIN_KEY);
    spew("$dir/demo.env", join('', map { "$_='$env->{$_}'\n" } @names), 0600); # it holds credentials
}

# ---- the issuer: its newest private key is key.json, its key set jwks.json ----
sub start_issuer
{
    my ($dir, $port) = @_;
    rotate($dir) unless -f "$dir/issuer/jwks.json";
    return RR::KeyServer->start(dir => "$dir/issuer", port => $port, daemon => 1, jwks_file => "$dir/issuer/jwks.json");
}

# A new key signs from now on; the key set has it and the one before, as issuers do.
sub rotate
{
    my ($dir) = @_;
    my $keys = "$dir/issuer";
    my @known = @{ (json_data(eval { slurp("$keys/jwks.json") } || '{}') || {})->{keys} || [] };
    my $kid = 'demo-' . POSIX::strftime('%Y%m%dT%H%M%S', gmtime) . '-' . RR::Util::random_word(4);

    rrctl(qw(jwt keygen --alg ES256 --kid), $kid, '--out', "$keys/key.json.new", '--public-out', "$keys/new.json");
    my @new = @{ json_data(slurp("$keys/new.json"))->{keys} };
    rename("$keys/key.json.new", "$keys/key.json") or die "$keys/key.json: $!\n";
    unlink("$keys/new.json");
    splice(@known, 1);
    spew("$keys/jwks.json", RR::Util::json_text({ keys => [@new, @known] }));
    return $kid;
}

sub mint
{
    my ($dir, $iss) = @_;
    my $token = rrctl('jwt', 'mint', '--key', "$dir/issuer/key.json", '--iss', $iss, '--sub', 'demo-user',
                      '--aud', $audience, '--ttl', '7d', '--scope', $scopes, '--claim', 'plan=gold');
    chomp($token);
    return $token;
}

sub issuer
{
    my ($what) = @_;
    my $dir = place('demo');
    my $env = settings($dir);
    die "there is no demo: make -f Makefile.apxs run\n" unless $env->{RR_ISSUER};
    my $server = bless { dir => "$dir/issuer", daemon => 1 }, 'RR::Server';
    my $pid = $server->read_pid;

    if (($what || '') eq 'stop') {
        $server->end($pid) if $pid;
        print "the issuer is stopped\n";
    }
    elsif (($what || '') eq 'start') {
        start_issuer($dir, port_of($env->{RR_ISSUER})) unless $pid;
        print "the issuer runs at $env->{RR_ISSUER}\n";
    }
    elsif (($what || '') eq 'rotate') {
        my $kid = rotate($dir);
        $env->{RR_JWT} = mint($dir, $env->{RR_ISSUER});
        write_env($dir, $env);
        print "the issuer signs with key $kid now; a token of it is RR_JWT in ", build(), "/demo/demo.env\n";
    }
    else {
        die "usage: demo.pl issuer stop|start|rotate\n";
    }
}

sub explain
{
    my ($env) = @_;
    my $place = build();
    my $root = root();
    $place =~ s{^\Q$root\E/}{};
    print <<"TEXT";

mod_rr runs at $env->{RR_URL}

  . $place/demo/demo.env

  curl -i \$RR_URL/me                                          # 401: no credential
  curl -i -H "Authorization: Bearer \$RR_KEY" \$RR_URL/me       # 200: an API key
  curl -i -H "X-API-Key: \$RR_KEY" \$RR_URL/me                  # 200: the same, in its own header
  curl -i -H "Authorization: Bearer \$RR_JWT" \$RR_URL/me       # 200: a JWT
  curl -i -H "X-API-Key: \$RR_KEY" -H "Authorization: Bearer \$RR_JWT" \$RR_URL/both    # 200: both at once
  curl -i -H "X-API-Key: \$RR_KEY" \$RR_URL/echo?a=b            # 200: what the backend saw
  curl -i \$RR_URL/health                                      # 200: open

  curl -i -H "X-API-Key: \$RR_ADMIN_KEY" \$RR_ADMIN_URL/clients/default/credentials    # what is in the store

  $place/bin/rrctl --store "\$RR_STORE" key list              # then: key revoke ID; the next request is 401
  support/demo/demo.pl issuer stop|start|rotate              # keys and known tokens go on; rotate writes a new RR_JWT
  logs: $place/demo/logs/    configuration: $place/demo/httpd.conf    end: make -f Makefile.apxs stop
TEXT
}
