# SPDX-License-Identifier: Apache-2.0
#
# RR::Stub: the providers `red` and `blue` of t/module/mod_rr_stub.c, whose outcome a request orders.
#
#   httpd(modules => ['core'], conf => load_stub() . $conf);
#   { headers => { 'X-Red' => who('alice', scopes => 'read') } }     # verified
#   { headers => { 'X-Red' => 'invalid', 'X-Blue' => 'unavailable' } }

package RR::Stub;

use strict;
use warnings;

use Exporter qw(import);
use RR::Util qw(build json_text);

our @EXPORT = qw(load_stub who);

# The line that loads the providers.
sub load_stub
{
    my $file = build() . '/t/module/mod_rr_stub.so';
    die "$file is not built: make -f Makefile.apxs test-modules\n" unless -f $file;
    return "LoadModule rr_stub_module \"$file\"\n";
}

# The order "verified": data (hash), scopes (words), issuer, credential.
sub who
{
    my ($sub, %more) = @_;
    return json_text({ sub => $sub, %more });
}

1;
