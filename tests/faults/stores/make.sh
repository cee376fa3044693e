#!/bin/bash
# make.sh MAILWARD VERSION: makes the fixture of a store version by running a program that wrote
# that version, as its users did: enrol, import, publish, deliver over HTTP, report, stop.
# MAILWARD is that program's binary. Leaves store-vVERSION.sqlite.zst, .token and .report.json.zst.
set -euo pipefail
cd "$(dirname "$0")"
mailward=$(realpath "$1") version=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
store=$scratch/data

"$mailward" agents add leeds-1 --site internet --data "$store" 2>/dev/null >"$scratch/token"
"$mailward" agents add york-1 --site hscn --data "$store" >/dev/null 2>&1
"$mailward" import imported.ndjson.zst --data "$store"
"$mailward" publish --month 2026-09 --by 'A. Manager' --config probes.toml --data "$store"

port=$((20000 + RANDOM % 10000))
"$mailward" reporter --config probes.toml --data "$store" --listen 127.0.0.1:$port -q \
    >"$scratch/log" 2>&1 &
reporter=$!
until curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null 2>&1; do
    kill -0 $reporter
    sleep 0.1
done
curl -fsS -H "Authorization: Bearer $(cat "$scratch/token")" -H 'Content-Encoding: zstd' \
    --data-binary @delivered.ndjson.zst "http://127.0.0.1:$port/api/v1/evidence"
echo
kill -TERM $reporter
wait $reporter

# the report of the program of that time, for what a later one must still say
"$mailward" report --month 2026-09 --now 2026-10-03T00:00:00Z --formats json --out "$scratch" \
    --config probes.toml --data "$store" >/dev/null
found=$(sqlite3 "$store/mailward.sqlite" 'PRAGMA user_version; PRAGMA wal_checkpoint(TRUNCATE)' |
    head -n 1)
if [ "$found" != "$version" ]; then
    echo "expected a program that writes version $version, got one that writes $found" >&2
    exit 1
fi
mv "$scratch/token" "store-v$version.token"
zstd -q -19 -f "$scratch/report.json" -o "store-v$version.report.json.zst"
zstd -q -19 -f "$store/mailward.sqlite" -o "store-v$version.sqlite.zst"
