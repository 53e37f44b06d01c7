#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# unpack.sh: fetches the Debian packages of the gateways that we are compared with, and unpacks them below DIR.
#
#   t/bench/peers/unpack.sh build/bench
#
# Nothing is installed, enabled or started on this machine; what is installed already is used from where it is. Without
# apt-get, or without a network, the bench skips the peers by name.
set -eu

dir=$1
peers='haproxy libapache2-mod-auth-openidc libapache2-mod-oauth2 nginx libnginx-mod-http-lua lua-cjson lua-resty-core lua-resty-lrucache'
# draws the chart for whoever looks at it
chart='librsvg2-bin'

[ -e "$dir/peers.txt" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "bench: no apt-get here, so no other gateways: $peers" >&2
    exit 0
fi
mkdir -p "$dir/debs/partial" "$dir/root"
dir=$(cd "$dir" && pwd)
# shellcheck disable=SC2086 # a list of words
if ! apt-get -qq -y --no-install-recommends --download-only -o "Dir::Cache::archives=$dir/debs" -o Debug::NoLocking=1 \
    install $peers $chart >"$dir/fetch.log" 2>&1; then
    tail -n 5 "$dir/fetch.log" >&2
    echo "bench: these packages could not be fetched: $peers" >&2
    exit 0
fi
for deb in "$dir"/debs/*.deb; do
    [ -e "$deb" ] || continue
    dpkg-deb --extract "$deb" "$dir/root"
done
for package in $peers; do
    for deb in "$dir/debs/${package}_"*.deb; do
        if [ -e "$deb" ]; then
            dpkg-deb --showformat '${Package} ${Version}\n' --show "$deb"
        else
            dpkg-query --showformat '${Package} ${Version}\n' --show "$package"
        fi
    done
done >"$dir/peers.part"
mv "$dir/peers.part" "$dir/peers.txt"
