# SPDX-License-Identifier: Apache-2.0
#
# rrctl: a store from init to reseal, and keys from create to revoke, as a person and as a program see them.

use strict;
use warnings;

use JSON::PP ();
use RR::Util qw(build place run json_data server_user slurp spew);
use Test::More;

my $dir = place('t/run/cli-store') . "/$$";
mkdir($dir) or die "$dir: $!\n";
delete @ENV{qw(RR_STORE RR_MASTER_KEY)};

my $db = "$dir/made/rr.db";
sub rrctl { return run(build() . '/bin/rrctl', @_) }
sub on { my @opt = ref $_[0] eq 'HASH' ? shift : (); return run(@opt, build() . '/bin/rrctl', '--store', "sqlite3:$db", @_) }
sub mode { return (stat($_[0]))[2] & 07777 }

# Exit status and what standard error says, for what is refused.
sub refused
{
    my ($name, $got, $exit, $words) = @_;
    is($got->{exit}, $exit, "$name: exit");
    like($got->{err}, $words, "$name: said");
    is($got->{out}, '', "$name: nothing on standard output");
}

refused('no store named', rrctl('key', 'list'), 1, qr/--store DRIVER:PARAMS or set RR_STORE/);
refused('no driver', rrctl('--store', '/tmp/x.db', 'check'), 1, qr/DRIVER:PARAMS/);
refused('another driver', rrctl('--store', 'mysql:x', 'check'), 1, qr/sqlite3 or pgsql, not mysql/);
refused('no store there', on('check'), 1, qr/run rrctl init/);
ok(!-e $db, 'and none was made by looking');
refused('no master key for pgsql', rrctl('--store', 'pgsql:host=127.0.0.1 port=1', 'init'), 1, qr/--master-key/);
refused('a user that does not exist', on('init', '--owner', 'no-such-user'), 1, qr/no user no-such-user/);

# init
my $init = on('--json', 'init');
is($init->{exit}, 0, 'init') or diag($init->{err});
my $admin = json_data($init->{out});
is(join(' ', sort keys %$admin), 'credentialId id key', 'init prints the key once, as JSON');
like($admin->{key}, qr/^rr_live_[0-9A-Za-z]{38}$/, 'which is a generated one');
is(mode("$dir/made"), 0700, 'the directory is private');
is(mode($db), 0600, 'the database is private');
is(mode("$db.key"), 0600, 'the master key is private');
ok(!-e "$db-wal" && !-e "$db-shm", 'nothing is left beside it');
refused('init twice', on('init'), 1, qr/holds a store already/);
rename("$db.key", "$db.away");
refused('init over a store whose key is away', on('init'), 1, qr/holds a store already/);
ok(!-e "$db.key", 'leaves no key that would seal nothing');
refused('a missing master key', on('key', 'create', 'x'), 1, qr/does not exist/);
rename("$db.away", "$db.key");
chmod(0644, "$db.key");
refused('a master key that all can read', on('key', 'create', 'x'), 1, qr/mode 0600/);
chmod(0600, "$db.key");
is(on('migrate')->{out}, "The schema is version 1 already.\n", 'migrate has nothing to do');
is(on('check')->{out}, "The store is sound.\n", 'check');
is_deeply(json_data(on('--json', 'check')->{out}), { sound => JSON::PP::true(), findings => [] }, 'check --json');
is_deeply(json_data(on('--json', 'migrate')->{out}), { from => 1, schema => 1 }, 'migrate --json');

SKIP: {
    my $user = server_user() or skip('only root gives files away', 3);
    my $theirs = "$dir/theirs/rr.db";
    is(rrctl('--store', "sqlite3:$theirs", 'init', '--owner', $user->{name})->{exit}, 0, 'init --owner');
    is((stat($_))[4], $user->{uid}, "$_ is $user->{name}'s") for "$dir/theirs", $theirs, "$theirs.key";
    is(rrctl('--store', "sqlite3:$theirs", 'key', 'create', 'x')->{exit}, 0, 'root writes it all the same');
    is((stat($_))[4], $user->{uid}, "and $_ stays $user->{name}'s") for $theirs;
    mkdir("$dir/inherited") or die;
    chown($user->{uid}, $user->{gid}, "$dir/inherited");
    is(rrctl('--store', "sqlite3:$dir/inherited/rr.db", 'init')->{exit}, 0, 'init in a directory of theirs');
    mkdir($_) for "$dir/linked", "$dir/elsewhere";
    chown($user->{uid}, $user->{gid}, "$dir/linked");
    symlink("$dir/elsewhere/rr.db", "$dir/linked/rr.db") or die "symlink: $!\n";
    rrctl('--store', "sqlite3:$dir/linked/rr.db", 'init');
    is((stat("$dir/elsewhere/rr.db"))[4], 0, 'what a link in their directory leads to is not given to them');
    is((stat("$dir/inherited/rr.db"))[4], $user->{uid}, 'makes the database theirs');
}

# keys
my $key = json_data(on('--json', 'key', 'create', 'robot', '--scope', 'a', '--scope', 'b:c', '--metadata', '{"userId": "u"}')->{out});
is(join(' ', sort keys %$key), 'credentialId id key', 'key create --json');
my $plain = on('key', 'create', 'robot');
like($plain->{out}, qr/^rr_live_[0-9A-Za-z]{38}\n\z/, 'key create prints the key alone');
like($plain->{err}, qr/shown this once/, 'and what it is beside it');
is(on('key', 'create', 'robot', '--scope', 'a', '--scope', 'b:c', '--metadata', '{"userId":"u"}')->{exit}, 0, 'the same scopes again');
refused('other scopes', on('key', 'create', 'robot', '--scope', 'a'), 1, qr/other scopes or metadata/);
like(json_data(on('--json', 'key', 'create', 'robot', '--test')->{out})->{key}, qr/^rr_test_/, '--test');
is(on('key', 'create', 'brought', '--key', 'partner_key_0123')->{out}, "partner_key_0123\n", 'a brought key');
is(on({ stdin => "from-standard-input\n" }, 'key', 'create', 'brought', '--key', '-')->{out}, "from-standard-input\n",
   'one from standard input');
refused('a value that is taken', on('key', 'create', 'other', '--key', 'partner_key_0123'), 1, qr/already/);
refused('a key too short', on('key', 'create', 'other', '--key', 'short'), 1, qr/12 to 512/);
refused('a mistyped key', on('key', 'create', 'other', '--key', "rr_live_" . 'a' x 38), 1, qr/checksum/);
refused('a name with a slash', on('key', 'create', 'a/b'), 1, qr/'\/'/);
refused('a name like an id', on('key', 'create', 'rrid_x'), 1, qr/rrid_/);
refused('another client', on('--client', 'acme', 'key', 'create', 'x'), 1, qr/no client acme/);
refused('no name', on('key', 'create'), 2, qr/one name or id/);
refused('an unknown option', on('key', 'create', 'x', '--colour', 'red'), 2, qr/usage/);
refused('metadata that is no object', on('key', 'create', 'x', '--metadata', '[1]'), 2, qr/object/);
refused('a scope of two words', on('key', 'create', 'x', '--scope', 'a b'), 1, qr{/credentialScopes});
refused('an end in the past', on('key', 'create', 'x', '--expires', '2001-01-01T00:00:00Z'), 2, qr/in the future/);
refused('an end that is none', on('key', 'create', 'x', '--expires', 'soon'), 2, qr/such as 30d/);
is_deeply([map { $_->{credentialName} } grep { $_->{credentialName} eq 'other' || $_->{credentialName} eq 'x' }
    @{ json_data(on('--json', 'key', 'list')->{out})->{keys} }], [], 'what was refused left nothing');

my $dated = json_data(on('--json', 'key', 'create', 'dated', '--expires', '2090-01-31T00:00:00Z')->{out});
my $shown = on('--json', 'key', 'show', $dated->{id});
is(json_data($shown->{out})->{keyExpiresAt}, '2090-01-31T00:00:00Z', 'an end is kept');
unlike($shown->{out}, qr/\Q$dated->{key}\E/, 'show does not show the key');

# roll
my $early = json_data(on('--json', 'key', 'create', 'roller', '--expires', '1mi')->{out});
my $open = json_data(on('--json', 'key', 'create', 'roller')->{out});
my %ends = map { $_->{id} => $_->{keyExpiresAt} } @{ json_data(on('--json', 'key', 'list', 'roller')->{out})->{keys} };
my $new = json_data(on('--json', 'key', 'roll', 'roller', '--overlap', '24h')->{out});
my %after = map { $_->{id} => $_->{keyExpiresAt} } @{ json_data(on('--json', 'key', 'list', 'roller')->{out})->{keys} };
is($after{ $early->{id} }, $ends{ $early->{id} }, 'a roll leaves an earlier end');
ok(!$ends{ $open->{id} } && $after{ $open->{id} }, 'and ends a key without an end');
ok(!$after{ $new->{id} }, 'the new one has none');
is(json_data(on('--json', 'key', 'roll', $new->{id})->{out})->{credentialId}, $open->{credentialId}, 'rolled by a key\'s id');
is(on('key', 'roll', $open->{credentialId})->{exit}, 0, 'rolled by a credential\'s id');
refused('roll of nobody', on('key', 'roll', 'nobody'), 1, qr/no such credential/);
refused('roll with scopes', on('key', 'roll', 'roller', '--scope', 'a'), 2, qr/belong to the credential/);

is(on('key', 'revoke', $key->{id})->{exit}, 0, 'revoke');
refused('revoke twice', on('key', 'revoke', $key->{id}), 1, qr/no such key/);

# Another master key: both, reseal, the new one alone.
my $old = slurp("$db.key");
is(rrctl('master-key', 'create', "$dir/new.key")->{exit}, 0, 'master-key create');
is(mode("$dir/new.key"), 0600, 'its file is private');
refused('over another file', rrctl('master-key', 'create', "$dir/new.key"), 1, qr/exists/);
is_deeply(json_data(rrctl('--json', 'master-key', 'create', "$dir/other.key")->{out}), { file => "$dir/other.key" }, 'master-key create --json');
is_deeply([keys %{ json_data(rrctl('--json', 'master-key', 'create')->{out}) }], ['masterKey'], 'and without a file the key');
is(on('--master-key', "$dir/new.key", 'check')->{exit}, 1, 'the new key alone opens nothing yet');
my $unsound = on('--json', '--master-key', "$dir/new.key", 'check');
is($unsound->{exit}, 1, 'as JSON too');
ok(!json_data($unsound->{out})->{sound} && @{ json_data($unsound->{out})->{findings} }, 'which says what was found') or diag($unsound->{out});
spew("$dir/both.key", slurp("$dir/new.key") . $old, 0600);
like(on('--master-key', "$dir/both.key", 'reseal')->{out}, qr/^1 secret sealed again/, 'reseal');
is(json_data(on('--json', '--master-key', "$dir/both.key", 'reseal')->{out})->{resealed}, 0, 'reseal --json: none is left');
is(on('--master-key', "$dir/new.key", 'check')->{exit}, 0, 'then it does');
is(on('check')->{exit}, 1, 'and the old one does not');
is(on({ env => { RR_MASTER_KEY => "$dir/new.key" } }, 'key', 'create', 'after')->{exit}, 0, 'from $RR_MASTER_KEY');

done_testing();
