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
use RR::Bench;
use RR::Util qw(build slurp);

our @EXPORT = qw(peer_keys peer_keys_refused peer_tokens peer_proxied);

sub peer_keys { return () }
sub peer_keys_refused { return () }
sub peer_tokens { return () }
sub peer_proxied { return () }

# What was unpacked, and its versions.
sub versions { return { (eval { slurp(build() . '/bench/peers.txt') } || '') =~ /^(\S+) (\S+)$/mg } }

1;
