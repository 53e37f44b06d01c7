# SPDX-License-Identifier: Apache-2.0
#
# What the gateway may cost. figure names a case (what it adds to its floor, in microseconds of CPU a request) or what
# a trial measured; goal is a number, or computed from other figures of the same run; least: not less than that.

use strict;
use warnings;

my $over = sub { my ($figure, $more) = @_; return sub { $_[0]->($figure) + $more } };

[
    { title => 'API key, RRStoreMaxAge 0, sqlite3, 10 keys', figure => 'key/sqlite3-10-0', goal => 5, unit => 'us' },
    { title => 'API key, RRStoreMaxAge 0, sqlite3, 100,000 keys', figure => 'key/sqlite3-100000-0', goal => 5, unit => 'us' },
    { title => 'API key, RRStoreMaxAge 1s, sqlite3', figure => 'key/sqlite3-10-1s', goal => 2, unit => 'us' },
    { title => 'API key, RRStoreMaxAge 1s, pgsql', figure => 'key/pgsql-10-1s', goal => 2, unit => 'us' },
    { title => 'API key, RRStoreMaxAge 0, pgsql: a round trip + 5', figure => 'key/pgsql-10-0', goal => $over->('parts/pgsql_round_trip', 5), unit => 'us' },
    (map { my $alg = $_;
        { title => "JWT seen before, $alg, RRStoreMaxAge 1s", figure => 'jwt-' . lc($alg) . '-seen/ours-1s', goal => 3, unit => 'us' },
        { title => "JWT seen before, $alg, RRStoreMaxAge 0", figure => 'jwt-' . lc($alg) . '-seen/ours-0', goal => 5, unit => 'us' },
        { title => "JWT never seen, $alg: OpenSSL's verification + 6", figure => 'jwt-' . lc($alg) . '-unseen/ours', goal => $over->('jwt-' . lc($alg) . '-unseen/openssl', 6), unit => 'us' },
        { title => "a forged token, $alg: a good one + 5", figure => 'jwt-' . lc($alg) . '-unseen/forged', goal => $over->('jwt-' . lc($alg) . '-unseen/ours', 5), unit => 'us' },
    } qw(RS256 ES256 EdDSA)),
    { title => 'rules: 10', figure => 'rules/prefix-10', goal => 1, unit => 'us' },
    { title => 'rules: 1,000', figure => 'rules/prefix-1000', goal => 3, unit => 'us' },
    { title => 'rules: 10,000', figure => 'rules/prefix-10000', goal => 5, unit => 'us' },
    { title => 'filter, 1 KB, 10 patterns', figure => 'filter-1k-file/ours', goal => 8, unit => 'us' },
    { title => 'filter, 1 KB, 10 patterns, proxied', figure => 'filter-1k-proxied/ours', goal => 8, unit => 'us' },
    { title => 'the cutter in memory, strings', figure => 'parts/cut_strings', goal => 500, unit => 'MB/s', least => 1 },
    { title => 'the cutter in memory, small tokens', figure => 'parts/cut_small', goal => 200, unit => 'MB/s', least => 1 },
    { title => 'the cutter, growth from 1 MB to 1 GB', figure => 'parts/cut_grown_kb', goal => 256, unit => 'KB' },
    { title => 'key, 10 rules, credential, identity, audit, over ProxyPass', figure => 'proxied/full', goal => 12, unit => 'us' },
    { title => 'added to p99 below the limit', figure => 'latency/p99_added', goal => 200, unit => 'us' },
    (map { my ($flood, $title) = @$_;
        { title => "what 10,000 $title a second add to the p99 of good requests", figure => "flood/moved_${flood}_percent", goal => 10, unit => '%' },
    } ['wrong_checksum', 'keys with a wrong checksum'], ['unknown_keys', 'keys that the store does not have'], ['unknown_kids', 'tokens of unknown kids']),
    { title => 'fetches of the key set in an interval, beside a flood of unknown kids', figure => 'flood/fetches_per_interval', goal => 1, unit => '' },
    { title => 'API key, 64 threads on both CPUs', figure => 'threads/key', goal => 5, unit => 'us' },
    { title => 'requests failed in graceful restarts', figure => 'graceful/failed', goal => 0, unit => '' },
    { title => 'requests failed on kept connections in graceful restarts, against httpd', figure => 'graceful/failed_kept',
      goal => sub { $_[0]->('graceful/failed_kept_httpd') }, unit => '' },
];
