#!/usr/bin/env bash
# What the edge's server answers, in one go, with SQLite and with PostgreSQL: check-ins as fast as they are answered, at half of that pace,
# with many known edges, and through an outage of ten seconds, after which all that was due is asked for at once, or each edge comes back as
# our agent does.
#
#   cargo build --release -p landfall && cargo build --release -p bench --bin edges
#   bench/edges.sh target/release/landfall target/release/edges [/usr/lib/postgresql/15/bin] >> figures.md
#
# It prints the rows of docs/benchmarks.md; $FIGURES (edges.jsonl) has all that was measured. No figure is printed that its database does
# not know of: once a server has ended, the database that was meant must have all of the edges, with each one's last word since the
# heartbeats began; with PostgreSQL the state directory must hold no database, so that nothing can have been kept beside it.
#
# EDGES (100000), SECONDS_EACH (60, at least 30) and CONNECTIONS (64) may be given, and RUNS for some of the runs alone
# ("sqlite-full postgresql-known"). Needs node and sqlite3; without the directory of PostgreSQL's programs the one of
# `pg_config --bindir` is taken. As root it starts PostgreSQL as the user `postgres`. Wants a machine on which nothing else runs.
set -euo pipefail
landfall=$(realpath "$1") edges=$(realpath "$2")
programs=$(realpath "${3:-$(pg_config --bindir)}")
figures=$(realpath "${FIGURES:-edges.jsonl}")
count=${EDGES:-100000} seconds=${SECONDS_EACH:-60} connections=${CONNECTIONS:-64}
# How many edges the others have, and how many seconds are between two words of one that comes back as our agent does.
some=$((count < 10000 ? count : 10000)) pause=10
command -v sqlite3 node > /dev/null || { echo "edges.sh: node and sqlite3 are needed" >&2; exit 2; }
[ -x "$programs/initdb" ] || { echo "edges.sh: $programs has no PostgreSQL" >&2; exit 2; }
work=$(mktemp -d)
server='' base='' url=''
# From where everybody may be.
as_postgres() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }
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

# end: the server, with what it has to write.
end() {
  kill "$server"; wait "$server" 2>/dev/null || true
  server=''
}

# asked QUERY: what the database that is meant says, and no server.
asked() {
  if [ -n "$url" ]; then
    as_postgres "$programs/psql" -h "$base" -U postgres -d "$database" -XAtqc "$1"
  else
    sqlite3 -readonly .landfall/store.db "$1"
  fi
}

# refused WHY: nothing is told of a run that was not what it is called.
refused() { echo "edges.sh: $1: this is no figure of $kind" >&2; exit 1; }

# run NAME EDGES [PACE…] [outage]: a server and edges of their own; the pace that was reached is left in $reached.
run() {
  local name=$kind-$1 known=$2 lasts=$seconds outage='' generator; shift 2
  local pace=("$@")
  if [[ " $* " = *" outage "* ]]; then outage=outage; pace=("${@:1:$#-1}"); fi
  # Who fails again and again within ten seconds may wait for as long as an agent ever does, which is 300 seconds. Before that the database
  # may know less of it than it was answered: what was said in the last second before `kill -9` is said again, and not kept.
  if [[ " $* " = *" --agents "* ]]; then lasts=$((seconds < 340 ? 340 : seconds)); fi
  [[ -z ${RUNS:-} || " $RUNS " = *" $name "* ]] || return 0
  mkdir -p "$work/$name"
  cd "$work/$name"
  if [ "$kind" = postgresql ]; then
    # Edges of the same numbers enroll only once in one database.
    database=${name//-/_}
    as_postgres "$programs/createdb" -h "$base" "$database"
    url="postgres://postgres@localhost/$database?host=$base"
  fi
  begin 127.0.0.1:0
  "$landfall" edge token create "$name" --max-uses "$known" -q > token
  "$edges" --address "$address" --token-file token --pid "$server" --edges "$known" \
    --connections "$connections" --seconds "$lasts" ${pace[@]+"${pace[@]}"} > told & generator=$!
  if [ -n "$outage" ]; then
    # Once all are enrolled, and have been heard for some seconds.
    until [ "$("$landfall" edge list --limit 1 -o json | node -p 'JSON.parse(require("fs").readFileSync(0)).data.total')" = "$known" ]; do sleep 0.5; done
    sleep 12
    kill -9 "$server"; wait "$server" 2>/dev/null || true
    sleep 10
    began_again=$(date +%s)
    begin "$address"
  fi
  wait "$generator"
  end
  local began heard enrolled there where
  began=$(node -p 'JSON.parse(require("fs").readFileSync("told")).began_at')
  heard=$(node -p 'JSON.parse(require("fs").readFileSync("told")).edges_heard')
  enrolled=$(asked 'SELECT count(*) FROM edge') || refused "the database knows of no edges"
  there=$(asked "SELECT count(*) FROM edge_presence WHERE seen_at >= $began") || refused "the database has heard no edge"
  [ "$enrolled" = "$known" ] || refused "$known edges enrolled and the database has $enrolled"
  [ "$there" = "$heard" ] || refused "$heard edges were heard and the database knows of $there"
  if [ -n "$outage" ]; then
    there=$(asked "SELECT count(*) FROM edge_presence WHERE seen_at >= $began_again")
    [ "$there" = "$known" ] || echo "edges.sh: $name: $there of $known edges came back" >&2
  fi
  where=$(asked "$([ -n "$url" ] && echo 'SHOW server_version' || echo 'SELECT sqlite_version()')")
  where=${where%% *}
  [ -z "$url" ] || [ -z "$(find .landfall -name '*.db')" ] || refused "the state directory holds a database beside it"
  # What it takes to know them all, once it has begun over them.
  local again=null
  if [ "$known" = "$count" ]; then
    begin 127.0.0.1:0
    again=$(awk '/^VmRSS:/ {now = $2} /^VmHWM:/ {most = $2} END {printf "{\"resident_mib\": %.1f, \"resident_peak_mib\": %.1f}", now / 1024, most / 1024}' "/proc/$server/status")
    end
  fi
  node -e '
    const [name, outage, again, engine, stored, figures] = process.argv.slice(1), fs = require("fs");
    const told = JSON.parse(fs.readFileSync("told"));
    if (outage) {
      // Of another process than the one that was looked at before.
      delete told.server, delete told.generator;
    } else {
      delete told.silence;
    }
    const line = {run: name, engine, edges_in_the_database: Number(stored), ...told, begun_again: JSON.parse(again)};
    fs.appendFileSync(figures, JSON.stringify(line) + "\n");
    const n = (value, digits = 0) => value === null ? "–" : value.toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits});
    const {p50, p99, p999} = told.milliseconds, lost = told.failed ? `, ${n(told.failed)} not` : "";
    const cells = [`${name}: ${n(told.edges)} edges`, `${n(told.answered_per_second)}${lost}`, `${n(p50, 1)}, ${n(p99, 1)}, ${n(p999, 1)} ms`];
    if (outage) {
      const it = told.silence;
      cells.push(`${n(it.silent_seconds, 1)} s`, `${n(it.answered_per_second_before)} → ${n(it.most_in_a_second_after)}, ${n(it.times_the_pace_before, 1)} times`,
        it.all_heard_after_seconds === null ? "not all" : `${n(it.all_heard_after_seconds, 1)} s`, it.as_before_after_seconds === null ? "not" : `${it.as_before_after_seconds} s`);
    } else {
      const begun = JSON.parse(again), memory = (it) => `${n(it.resident_mib)}, ${n(it.resident_peak_mib)} MiB`;
      cells.push(`${n(told.generator.share * 100)} %`, memory(told.server), begun ? memory(begun) : "–");
    }
    fs.appendFileSync(`../${outage ? "outages" : "paces"}`, `| ${cells.join(" | ")} |\n`);' \
    "$name" "$outage" "$again" "$kind $where" "$enrolled" "$figures"
  reached=$(node -p 'Math.round(JSON.parse(require("fs").readFileSync("told")).answered_per_second)')
  echo "$name: $enrolled edges in $kind $where, $heard heard" >&2
}

# all: the runs with one kind of database.
all() {
  reached=${RATE:-20000}
  run full "$some"
  local half=$((reached / 2))
  run half "$some" --rate "$half"
  run known "$count" --rate "${KNOWN_RATE:-5000}"
  run outage "$some" --rate $((half / 2)) outage
  run return "$some" --agents $pause outage
}
kind=sqlite
all
kind=postgresql
base=$(mktemp -d)
[ "$(id -u)" != 0 ] || chown postgres "$base"
as_postgres "$programs/initdb" -D "$base/data" -U postgres --auth=trust > "$work/made"
as_postgres "$programs/pg_ctl" -D "$base/data" -w -l "$base/log" -o "-k $base -c listen_addresses=" start > "$work/started"
all
if [ -e "$work/paces" ]; then
  echo '| | answered a second | p50, p99, p99.9 | the generator'\''s share of the processor | memory, its peak | once it has begun again |'
  echo '|---|---:|---:|---:|---:|---:|'
  cat "$work/paces"
fi
if [ -e "$work/outages" ]; then
  echo
  echo '| | answered a second | p50, p99, p99.9 | without an answer | in a second before → the most after | all were heard again after | as before after |'
  echo '|---|---:|---:|---:|---:|---:|---:|'
  cat "$work/outages"
fi
