#!/bin/bash
# install.sh [--check]: installs what check.sh needs, from npm, below target/ (or
# $GRAFANA_CHECKERS): Grafana's published types and the TypeScript compiler, in the versions of
# package-lock.json. Node.js comes from Debian. With --check it installs nothing: it says what
# is missing, and exits 1 if anything is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${GRAFANA_CHECKERS:-$here/../../target/grafana-checkers}

missing=
for command in node npm; do
    command -v $command >/dev/null || missing="$missing $command"
done
if [ -n "$missing" ]; then
    if [ "${1:-}" = --check ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing:$missing; install Node.js 18 or newer, or as root: tests/grafana/install.sh" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends nodejs npm
    }
fi

cmp -s "$here/package-lock.json" "$home/package-lock.json" && [ -d "$home/node_modules" ] && exit 0
if [ "${1:-}" = --check ]; then
    echo "missing: Grafana's types from npm; run tests/grafana/install.sh" >&2
    exit 1
fi
mkdir -p "$home"
rm -f "$home/package-lock.json"
cp "$here/package.json" "$home/"
lock=$(mktemp -d)
trap 'rm -rf "$lock"' EXIT
cp "$here/package.json" "$here/package-lock.json" "$lock/"
# scripts of packages are not run
(cd "$lock" && npm ci --silent --no-audit --no-fund --ignore-scripts)
rm -rf "$home/node_modules"
mv "$lock/node_modules" "$home/"
# last: it says that all of it is there
cp "$here/package-lock.json" "$home/"
