# SPDX-License-Identifier: Apache-2.0
#
# What httpd -t refuses of mod_rr_filter's configuration, each beside what it takes.

use strict;
use warnings;

use RR::Test;

my $place = place_for('files');
my $good = '{"operations":[{"effect":"destroy","jsonPath":{"pattern":"a"}}]}';
spew("$place/good.json", "[$good]");
spew("$place/empty.json", '');
spew("$place/broken.json", "[$good,");
spew("$place/member.json", qq([$good,{"operations":[{"effect":"destroy","jsonPath":{"pattern":"a"},"when":"x"}]}]));
spew("$place/pattern.json", '{"operations":[{"effect":"destroy","jsonPath":{"pattern":"a(b"}}]}');
spew("$place/path.json", '{"operations":[{"effect":"destroy","jsonPath":{"path":"$.a[-1]"}}]}');
mkdir("$place/directory");

my $server = httpd(modules => [qw(core filter)], start => 0);
for my $case (
    ['a file', "RRFilters $place/good.json"],
    ['in a section', "<Location /a>\nRRFilters $place/good.json\nRRFilterBuffer 64k\n</Location>"],
    ['no buffer', 'RRFilterBuffer 0'],

    ['no such file', "RRFilters $place/none.json", qr/none\.json.*cannot be read/],
    ['a directory', "RRFilters $place/directory", qr/directory/],
    ['an empty file', "RRFilters $place/empty.json", qr/RR10500/],
    ['broken JSON', "RRFilters $place/broken.json", qr/RR10500/],
    ['an unknown member', "RRFilters $place/member.json", qr{/1/operations/0/when: unknown member "when"}],
    ['a bad pattern', "RRFilters $place/pattern.json", qr{/operations/0/jsonPath/pattern: .*offset 3}],
    ['a path from the end', "RRFilters $place/path.json", qr{/operations/0/jsonPath/path: .*counts from the end.*offset 6}],
    ['in a section that nothing reaches', "<Location /a>\nRRFilters $place/broken.json\n</Location>", qr/RR10500/],
    ['twice', "<Location /a>\nRRFilters $place/good.json\nRRFilters $place/good.json\n</Location>", qr/twice/],
    ['a size that is none', 'RRFilterBuffer much', qr/RRFilterBuffer much/],
) {
    my ($name, $conf, $sentence) = @$case;
    $server->{conf} = "$conf\n";
    my $got = $server->configtest;
    if ($sentence) {
        isnt($got->{exit}, 0, "$name: refused");
        like($got->{err}, $sentence, "$name: told why");
    }
    else {
        is($got->{exit}, 0, "$name: accepted") or diag($got->{err});
    }
}
finish();
