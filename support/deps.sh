#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh: installs the packages that a set of targets needs, and says which.
#
#   support/deps.sh build|test|bench|extra...
#
# Where everything is there it says nothing and needs no network. As root or by sudo.
set -eu

if command -v apt-get >/dev/null 2>&1; then
    build='apache2-bin apache2-dev libapr1-dev libaprutil1-dev libaprutil1-dbd-sqlite3 libaprutil1-dbd-pgsql
        libpcre2-dev libcurl4-openssl-dev libssl-dev gcc libc6-dev perl curl ca-certificates openssl'
    # libjansson-dev: our JSON reader is fuzzed against it. Apache::Test comes with mod_perl; libcryptx-perl signs tokens without our code or OpenSSL.
    test='libapache2-mod-perl2 libcryptx-perl libio-socket-ssl-perl libjansson-dev sqlite3 postgresql clang libclang-rt-dev git valgrind'
    node='nodejs npm'
    bench='wrk util-linux'
    extra='clang-format lcov'
    missing() {
        for package; do
            case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
            *' installed') ;;
            *) echo "$package" ;;
            esac
        done
    }
    install_packages() {
        $as_root apt-get -qq update &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
                install --no-install-recommends "$@"
    }
elif command -v dnf >/dev/null 2>&1; then
    # By the names in Fedora's specs; never run there. mod_ssl and mod_http2 are no part of httpd-core, Perl's own
    # modules are packages each, and Apache::Test comes with mod_perl-devel.
    build='httpd-devel httpd-core mod_ssl mod_http2 apr-devel apr-util-devel apr-util-sqlite apr-util-pgsql pcre2-devel
        libcurl-devel openssl-devel gcc perl-interpreter perl-lib perl-FindBin perl-File-Copy perl-JSON-PP perl-Time-HiRes
        perl-Digest-SHA curl openssl redhat-rpm-config'
    test='mod_perl-devel perl-Test-Harness perl-Test-Simple perl-CryptX perl-IO-Socket-SSL jansson-devel sqlite postgresql-server clang compiler-rt
        libasan libubsan git valgrind'
    node='nodejs nodejs-npm'
    bench='wrk util-linux'
    extra='clang-tools-extra lcov'
    missing() {
        for package; do
            rpm -q --whatprovides "$package" >/dev/null 2>&1 || echo "$package"
        done
    }
    install_packages() {
        $as_root dnf -q -y install --setopt=install_weak_deps=False "$@"
    }
else
    echo "deps: neither apt-get nor dnf here; see support/deps.sh for what is needed" >&2
    exit 0
fi

wanted=
for set; do
    case $set in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    bench) wanted="$wanted $bench" ;;
    extra) wanted="$wanted $extra" ;;
    *) echo "usage: deps.sh build|test|bench|extra..." >&2; exit 2 ;;
    esac
done
# shellcheck disable=SC2086 # lists of words
needed=$(missing $wanted | tr '\n' ' ')
case " $* " in
*' test '*)
    # Node.js may come from elsewhere than the distribution's packages.
    command -v npm >/dev/null 2>&1 || needed="$needed$node"
    ;;
esac

# The provider that t/inject/oauth2.t fetches tokens from: what its lock file names, by its digests.
install_provider() {
    case " $* " in
    *' test '*) ;;
    *) return 0 ;;
    esac
    here=$(cd "$(dirname "$0")/.." && pwd)
    there=$here/build/oidc
    if cmp -s "$here/t/oidc/package-lock.json" "$there/package-lock.json" && [ -f "$there/done" ]; then
        cp "$here/t/oidc/"*.js "$there/"
        return 0
    fi
    mkdir -p "$there"
    rm -f "$there/done"
    cp "$here/t/oidc/package.json" "$here/t/oidc/package-lock.json" "$here/t/oidc/"*.js "$there/"
    if ! (cd "$there" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >"$there/npm.log" 2>&1; then
        tail -n 40 "$there/npm.log" >&2
        echo "deps: the OpenID provider of the tests could not be installed" >&2
        exit 1
    fi
    touch "$there/done"
}

if [ -z "$needed" ]; then
    install_provider "$@"
    exit 0
fi

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: these packages are missing, and installing them needs root or sudo: $needed" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing: $needed"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! install_packages $needed >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "deps: the packages could not be installed" >&2
    exit 1
fi
install_provider "$@"
