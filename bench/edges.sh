#!/usr/bin/env bash
# What the edge's server answers, in one go: check-ins as fast as they are answered, at half of that pace, and with many known edges,
# with SQLite, and with PostgreSQL where a URL of an empty database is given. Prints a line of JSON for each, with the generator's share.
#
#   cargo build --release -p landfall && cargo build --release -p bench --bin edges
#   bench/edges.sh target/release/landfall target/release/edges [postgres://user@host/database] > edges.jsonl
#
# EDGES (100000), SECONDS_EACH (60) and CONNECTIONS (64) may be given, and RATE for PostgreSQL. Needs node. Wants a machine on which nothing else runs.
set -euo pipefail
landfall=$(realpath "$1") edges=$(realpath "$2") database=${3:-}
count=${EDGES:-100000} seconds=${SECONDS_EACH:-60} connections=${CONNECTIONS:-64}
work=$(mktemp -d)
server=''
finish() { [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }; rm -rf "$work"; }
trap finish EXIT
ulimit -n 65536 2>/dev/null || true

# run NAME EDGES [RATE]: a server and edges of their own; the pace that was reached is left in $reached.
run() {
  local name=$1 known=$2 rate=${3:-}
  mkdir -p "$work/$name"
  cd "$work/$name"
  "$landfall" serve --only fleet --listen 127.0.0.1:0 ${url:+--database "$url"} > ready 2> log & server=$!
  until grep -q ready ready; do kill -0 "$server" || { cat log >&2; exit 1; }; sleep 0.1; done
  "$landfall" edge token create "$name" --max-uses "$known" > token
  "$edges" --address "$(sed -n 's#^ready http://##p' ready)" --token-file token --pid "$server" --edges "$known" \
    --connections "$connections" --seconds "$seconds" ${rate:+--rate "$rate"} > told
  node -e 'const told=JSON.parse(require("fs").readFileSync("told"));console.log(JSON.stringify({run:process.argv[1],...told}))' "$name"
  reached=$(node -p 'Math.round(JSON.parse(require("fs").readFileSync("told")).answered_per_second)')
  kill "$server"; wait "$server" 2>/dev/null || true
  server=''
}
url=''
run sqlite-full 10000
run sqlite-half 10000 $((reached / 2))
run sqlite-known "$count" 5000
if [ -n "$database" ]; then
  # One run of it: the same numbers enroll only once in one database. Half of the pace takes another, empty one and RATE.
  url=$database
  run "postgresql${RATE:+-at-$RATE}" 10000 "${RATE:-}"
fi
