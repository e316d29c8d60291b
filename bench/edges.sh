#!/usr/bin/env bash
# What the edge's server answers, in one go: check-ins as fast as they are answered, at half of that pace, with many known edges, and
# through an outage of ten seconds; with SQLite, and with PostgreSQL where its programs are given. Prints a line of JSON for each, with
# the generator's share.
#
#   cargo build --release -p landfall && cargo build --release -p bench --bin edges
#   bench/edges.sh target/release/landfall target/release/edges [/usr/lib/postgresql/15/bin] > edges.jsonl
#
# EDGES (100000), SECONDS_EACH (60, at least 30) and CONNECTIONS (64) may be given, and RUNS for some of the runs alone. Needs node; as
# root it starts PostgreSQL as the user `postgres`. Wants a machine on which nothing else runs.
set -euo pipefail
landfall=$(realpath "$1") edges=$(realpath "$2") programs=${3:-}
count=${EDGES:-100000} seconds=${SECONDS_EACH:-60} connections=${CONNECTIONS:-64}
work=$(mktemp -d)
server='' base=''
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
finish() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  [ -z "$base" ] || as_postgres "$programs/pg_ctl" -D "$base/data" -m immediate stop > "$work/stopped" || true
  rm -rf "$work" ${base:+"$base"}
}
trap finish EXIT
ulimit -n 65536 2>/dev/null || true

# begin ADDRESS: a server; where it listens is left in $address.
begin() {
  rm -f ready
  "$landfall" serve --only fleet --listen "$1" ${url:+--database "$url"} > ready 2>> log & server=$!
  until grep -qs ready ready; do kill -0 "$server" || { cat log >&2; exit 1; }; sleep 0.1; done
  address=$(sed -n 's#^ready http://##p' ready)
}

# run NAME EDGES [RATE] [outage]: a server and edges of their own; the pace that was reached is left in $reached.
run() {
  local name=$1 known=$2 rate=${3:-} outage=${4:-} generator
  [[ -z ${RUNS:-} || " $RUNS " = *" $name "* ]] || return 0
  mkdir -p "$work/$name"
  cd "$work/$name"
  if [ -n "$base" ]; then
    # Edges of the same numbers enroll only once in one database.
    as_postgres "$programs/createdb" -h "$base" "${name//-/_}"
    url="postgres://postgres@localhost/${name//-/_}?host=$base"
  fi
  begin 127.0.0.1:0
  "$landfall" edge token create "$name" --max-uses "$known" > token
  "$edges" --address "$address" --token-file token --pid "$server" --edges "$known" \
    --connections "$connections" --seconds "$seconds" ${rate:+--rate "$rate"} > told & generator=$!
  if [ -n "$outage" ]; then
    # Once all are enrolled, and have been heard for some seconds.
    until [ "$("$landfall" edge list --limit 1 -o json | node -p 'JSON.parse(require("fs").readFileSync(0)).data.total')" = "$known" ]; do sleep 0.5; done
    sleep 8
    kill -9 "$server"; wait "$server" 2>/dev/null || true
    sleep 10
    begin "$address"
  fi
  wait "$generator"
  node -e '
    const told = JSON.parse(require("fs").readFileSync("told"));
    const [name, outage] = process.argv.slice(1), seconds = told.by_second;
    delete told.by_second;
    if (outage) {
      // The outage is the longest row of seconds without an answer; it is over once a second has the pace and answers within 50 ms.
      let from = 0, length = 0;
      for (let i = 0; i < seconds.length; i++) {
        let end = i;
        while (end < seconds.length && seconds[end].answered === 0) end++;
        if (end - i > length) [from, length] = [i, end - i];
      }
      const back = seconds.findIndex((it, at) => at >= from + length && it.answered >= told.rate_wanted * 0.95 && it.p99 <= 50);
      told.outage = {
        silent_seconds: length, as_before_after_seconds: back < 0 ? null : back - from - length,
        most_in_a_second_after: Math.max(...seconds.slice(from + length).map((it) => it.answered)),
      };
      // Of another process than the one that was looked at before.
      delete told.server, delete told.generator;
    }
    console.log(JSON.stringify({run: name, ...told}));' "$name" "$outage"
  reached=$(node -p 'Math.round(JSON.parse(require("fs").readFileSync("told")).answered_per_second)')
  kill "$server"; wait "$server" 2>/dev/null || true
  server=''
}

# all NAME: the runs with one kind of database.
all() {
  reached=${RATE:-20000}
  run "$1-full" 10000
  local half=$((reached / 2))
  run "$1-half" 10000 "$half"
  run "$1-outage" 10000 $((half / 2)) outage
}
url=''
all sqlite
run sqlite-known "$count" 5000
if [ -n "$programs" ]; then
  base=$(mktemp -d)
  [ "$(id -u)" != 0 ] || chown postgres "$base"
  as_postgres "$programs/initdb" -D "$base/data" -U postgres --auth=trust > "$work/made"
  as_postgres "$programs/pg_ctl" -D "$base/data" -w -l "$base/log" -o "-k $base -c listen_addresses=" start > "$work/started"
  all postgresql
fi
