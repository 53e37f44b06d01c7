# SPDX-License-Identifier: Apache-2.0
#
# A module exports its record and nothing else; the library keeps no state and knows no httpd.

use strict;
use warnings;

use RR::Util qw(root build run);
use Test::More;

chdir(root());

my @built = map { m{modules/(\w+)/mod_rr_\w+\.c$} ? $1 : () } glob('modules/*/mod_rr_*.c');
ok(scalar @built, 'there are modules to look at');

for my $name (@built) {
    my $file = build() . "/modules/mod_rr_$name.so";
    my $got = run(qw(nm -D --defined-only), $file);
    is($got->{exit}, 0, "mod_rr_$name is built") or next;
    my @names = map { (split)[2] } split(/\n/, $got->{out});
    is_deeply(\@names, ["rr_${name}_module"], "mod_rr_$name exports its record alone");
}

my $lib = run('nm', build() . '/librr.a');
my @symbols = map { /\s([A-Za-z]) (\S+)$/ ? [$1, $2] : () } split(/\n/, $lib->{out});
cmp_ok(scalar @symbols, '>', 20, 'librr.a has symbols');
is_deeply([grep { /^ap_/ } map { $_->[1] } @symbols], [], 'librr calls nothing of httpd');
# Tables of pointers are relocated and then read-only (.data.rel.ro, "d" to nm): only what can be written counts.
my @mutable = map { /\sO\s+(\.(?:data|bss)(?:\.(?!rel\.ro)\S*)?)\s+(?!0+\s)\S+\s+(\S+)$/ ? $2 : () }
    split(/\n/, run('objdump', '-t', build() . '/librr.a')->{out});
# gcov and the sanitizers bring their own
is_deeply([grep { !/^(__|\.L|\*\.L)/ } @mutable], [], 'librr has no variable that can be written');

done_testing();
