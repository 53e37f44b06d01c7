# SPDX-License-Identifier: Apache-2.0
#
# Debian's own apache2 with its default site: our modules loaded into it and not configured change nothing.

use strict;
use warnings;

use File::Copy qw(copy);
use File::Find qw(find);
use RR::Test;
use RR::Util qw(httpd_program free_port give_away server_user run wait_for);

plan(skip_all => 'not a Debian machine') unless -x '/usr/bin/dpkg-query';

my $place = place_for('stock');
my $etc = '/etc/apache2';
if (!-f "$etc/apache2.conf") { # httpd without its configuration: the package has it, and need not be installed for that
    run({ dir => $place }, 'sh', '-c', "cd $place && apt-get -qq download apache2 && dpkg-deb -x apache2_*.deb .");
    $etc = "$place/etc/apache2";
}
ok(-f "$etc/apache2.conf", "Debian's configuration is here") or BAIL_OUT("no apache2.conf");

# A copy of the tree, links followed, on a port of our own.
sub tree
{
    my ($name, $port, @more) = @_;
    my $dir = place_for("stock-$name");

    mkdir("$dir/$_") for qw(etc run lock log htdocs);
    find({ no_chdir => 1, follow_fast => 1, wanted => sub {
        (my $path = $File::Find::name) =~ s/^\Q$etc\E//;
        -d $File::Find::name ? mkdir("$dir/etc$path") : copy($File::Find::name, "$dir/etc$path");
    } }, $etc);
    # A tree that only came unpacked has nothing enabled yet.
    if (!glob("$dir/etc/mods-enabled/*.load")) {
        mkdir("$dir/etc/$_") for qw(mods-enabled sites-enabled conf-enabled);
        for my $mod (qw(mpm_event alias auth_basic authn_core authn_file authz_core authz_host authz_user autoindex deflate
                        dir env filter mime negotiation reqtimeout setenvif status)) {
            copy("$dir/etc/mods-available/$mod.$_", "$dir/etc/mods-enabled/$mod.$_")
                for grep { -f "$dir/etc/mods-available/$mod.$_" } qw(load conf);
        }
        copy("$dir/etc/sites-available/000-default.conf", "$dir/etc/sites-enabled/000-default.conf");
    }
    spew("$dir/etc/ports.conf", "Listen 127.0.0.1:$port\n");
    spew("$dir/htdocs/index.html", "<p>It works</p>\n");
    my $site = slurp("$dir/etc/sites-enabled/000-default.conf");
    $site =~ s/\*:80/*:$port/;
    $site =~ s{/var/www/html}{$dir/htdocs};
    spew("$dir/etc/sites-enabled/000-default.conf", $site);
    my $conf = slurp("$dir/etc/apache2.conf");
    spew("$dir/etc/apache2.conf", join("\n", "ServerName 127.0.0.1", $conf, "TraceEnable On",
         "<Directory $dir/htdocs>\nRequire all granted\n</Directory>", @more, ''));
    give_away($dir);
    return $dir;
}

sub start
{
    my ($dir, $port) = @_;
    my $user = server_user();
    my %env = (APACHE_RUN_USER => $user ? $user->{name} : scalar getpwuid($>),
               APACHE_RUN_GROUP => $user ? $user->{group} : scalar getgrgid($)), APACHE_RUN_DIR => "$dir/run",
               APACHE_LOCK_DIR => "$dir/lock", APACHE_LOG_DIR => "$dir/log", APACHE_PID_FILE => "$dir/run/pid", LANG => 'C');
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    if (!$pid) {
        $ENV{$_} = $env{$_} for keys %env;
        $ENV{LD_PRELOAD} = $ENV{RR_PRELOAD} if $ENV{RR_PRELOAD};
        open(STDOUT, '>', "$dir/log/stdout");
        open(STDERR, '>&', \*STDOUT);
        exec(httpd_program(), '-d', "$dir/etc", '-f', "$dir/etc/apache2.conf", '-DFOREGROUND') or POSIX::_exit(127);
    }
    wait_for(sub { RR::Httpd::accepts($port) || waitpid($pid, 1) }) && RR::Httpd::accepts($port)
        or die slurp("$dir/log/stdout") . (eval { slurp("$dir/log/error.log") } || '');
    return $pid;
}

my @ports = (free_port(), free_port());
my @ours = map { "LoadModule rr_${_}_module " . build() . "/modules/mod_rr_$_.so" }
    sort { ($b eq 'core') <=> ($a eq 'core') } map { m{mod_rr_(\w+)\.so$} } glob(build() . '/modules/*.so');
my @dirs = (tree('plain', $ports[0]), tree('ours', $ports[1], @ours));
my @pids = map { start($dirs[$_], $ports[$_]) } 0, 1;

# What must be equal: status, header lines but for what tells time and port, body.
sub seen
{
    my ($which, %req) = @_;
    my $client = RR::Client->new(port => $ports[$which]);
    my $res = $client->exchange(%req, host => 'example.com');
    my $text = $res->text;
    $client->close;
    $text =~ s/^(?:Date|Last-Modified|ETag):.*\r\n//mgi;
    $text =~ s/:$ports[$which]\b/:PORT/g;
    $text =~ s/^Allow: (.*)\r/'Allow: ' . join(',', sort split(m{,}, $1)) . "\r"/me; # httpd's own order is by chance
    $text =~ s/Port $ports[$which]/Port PORT/g;
    return $text;
}

for my $case (
    ['the default page', path => '/'],
    ['a missing page', path => '/missing'],
    ['HEAD', method => 'HEAD', path => '/'],
    ['OPTIONS', method => 'OPTIONS', path => '/'],
    ['TRACE with the headers that we care for', method => 'TRACE', path => '/',
        headers => [ 'X-User-Id', 'a', 'Authorization', 'Bearer abc', 'X-API-Key', 'k', 'Cookie', 'a=b' ]],
    ['POST to a file', path => '/index.html', body => 'a=b'],
    ['a key in the query', path => '/?api_key=rr_live_00000000000000000000000000000000000000'],
    ['a bad request', raw => "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
    ['a range', path => '/', headers => [ 'Range', 'bytes=0-3' ]],
    ['HTTP/1.0', path => '/', version => '1.0'],
) {
    my ($what, %req) = @$case;
    my ($plain, $with) = map { seen($_, %req) } 0, 1;
    is($with, $plain, "$what: the same");
    like($plain, qr/^HTTP/, "$what: an answer");
}

for my $pid (@pids) {
    kill('TERM', $pid);
    waitpid($pid, 0);
}
my ($log) = map { slurp("$_/log/error.log") } $dirs[1];
unlike($log, qr/\[rr_\w+:(?!debug|trace|info)|RR1\d{4}/, 'our modules say nothing');
ok(!-e "$dirs[1]/run/rr-jwks", 'and make nothing');
finish();
