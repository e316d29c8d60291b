#!/usr/bin/env bash
# The product's own TypeScript agent, unmodified, against `landfall serve --only fleet`: it onboards with an enrollment token, checks
# in, is listed, fetches and verifies a release over HTTPS, and reports SUCCEEDED once something starts it in the new version. Then
# `landfall agent legacy-launcher` takes its place: a release as the product packs it is brought to SUCCEEDED without a hand, and one
# that crashes is ROLLED_BACK, which pauses its campaign.
#
#   conformance/edges/typescript-agent.sh LANDFALL AGENT_DIRECTORY
#
# LANDFALL is the binary; AGENT_DIRECTORY a checkout of the product that was built, with `apps/edge-agent/dist/main.js` and
# `node_modules/@luckyplans/shared` (npm i typescript@5.9 @types/node@22; tsc of packages/shared and of apps/edge-agent). Needs node and
# openssl. `conformance edges` runs it where LANDFALL_TYPESCRIPT_AGENT names that directory. Nothing of the product is kept here. Ends with 0 when all of it was seen.
set -euo pipefail
landfall=$(realpath "$1")
agent=$(realpath "$2")
work=$(mktemp -d)
started=()
finish() { for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"; }
trap finish EXIT
cd "$work"
mkdir home bin system
say() { printf '%s\n' "$*"; }
fail() { say "FAIL  $*"; sed 's/^/  agent: /' agent.log 2>/dev/null | tail -20; sed 's/^/  serve: /' serve.log 2>/dev/null | tail -20; sed 's/^/  launcher: /' launcher.log 2>/dev/null | tail -20; exit 1; }
edge() { (cd system && "$landfall" edge "$@"); }
field() { node -e 'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>{let v=JSON.parse(t).data;for(const k of process.argv[1].split("."))v=v?.[k];console.log(v??"")})' "$1"; }
until_is() { # VERB… -- FIELD VALUE
  local words=() ; while [ "$1" != -- ]; do words+=("$1"); shift; done; shift
  for _ in $(seq 300); do
    [ "$(edge "${words[@]}" -o json 2>/dev/null | field "$1")" = "$2" ] && return 0
    node -e 'setTimeout(()=>{},200)'
  done
  fail "${words[*]}: $1 did not become $2 but $(edge "${words[@]}" -o json | field "$1")"
}

# A certificate of our own for localhost, and a proxy that ends TLS for artifacts.
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
cat > proxy.js <<'JS'
const https = require("https"), http = require("http"), fs = require("fs");
const server = https.createServer({ key: fs.readFileSync("key.pem"), cert: fs.readFileSync("ca.pem") }, (request, answer) => {
  const [host, port] = fs.readFileSync("upstream", "utf8").trim().split(":");
  request.pipe(http.request({ host, port, path: request.url, method: request.method, headers: request.headers }, (from) => {
    answer.writeHead(from.statusCode, from.headers);
    from.pipe(answer);
  }));
});
server.listen(0, "localhost", () => fs.writeFileSync("proxy.port", String(server.address().port)));
JS
node proxy.js & started+=($!)
until [ -s proxy.port ]; do node -e 'setTimeout(()=>{},50)'; done
(cd system && exec "$landfall" serve --only fleet --listen 127.0.0.1:0 --edge-url "https://localhost:$(cat ../proxy.port)") > ready 2> serve.log & started+=($!)
until grep -q ready ready; do kill -0 "${started[-1]}" || fail "the server does not start"; node -e 'setTimeout(()=>{},50)'; done
sed -n 's#^ready http://##p' ready > upstream

edge keys init ../keys > /dev/null
token=$(edge token create typescript --max-uses 1)
export HOME="$work/home" NODE_EXTRA_CA_CERTS="$work/ca.pem" EDGE_AGENT_POLL_INTERVAL_MS=300 EDGE_AGENT_ENABLE_ONBOARDING=1
export EDGE_VERSION=1.0.0 EDGE_AGENT_UPGRADE_TRUSTED_PUBLIC_KEY_PEM="$(cat keys/targets.pub.pem)"
export EDGE_AGENT_UPGRADE_STAGING_DIR="$work/up/staging" EDGE_AGENT_UPGRADE_INSTALL_ROOT="$work/up/releases"
export EDGE_AGENT_UPGRADE_ACTIVE_VERSION_PATH="$work/up/active-version" EDGE_AGENT_UPGRADE_RECOVERY_STATE_PATH="$work/up/recovery.json"
export EDGE_AGENT_UPGRADE_FAILED_TARGET_PATH="$work/up/failed.json"
mkdir -p up
# What restarts it: this script, when it sees that the agent asked for it.
printf '#!/bin/sh\necho "$@" >> "%s/restarts"\nkill -TERM $PPID\n' "$work" > bin/systemctl
chmod +x bin/systemctl
export PATH="$work/bin:$PATH"
# Its prompts are answered one by one; they stay open as long as this script, and no longer.
mkfifo answers
node "$agent/apps/edge-agent/dist/main.js" < answers > agent.log 2>&1 & started+=($!)
exec 3> answers
for line in "My Edge 01" "http://$(cat upstream)" "$token"; do node -e 'setTimeout(()=>{},700)'; printf '%s\n' "$line" >&3; done
until [ -s home/.luckyplans/edge-agent/config.json ]; do kill -0 "${started[-1]}" || fail "the agent has ended"; node -e 'setTimeout(()=>{},100)'; done
device=$(node -p 'require(process.argv[1]).deviceNumber' "$HOME/.luckyplans/edge-agent/config.json")
until_is get "$device" -- connectivity ONLINE
until_is get "$device" -- version 1.0.0
until_is list -- matching 1
say "ok    it has onboarded by its own prompts, checks in, and is listed"

release() { # VERSION [MAIN]: packed as the product packs it, without modules
  local name="luckyplans-edge-agent-v$1-linux-x64-service"
  mkdir -p "packed/$name"
  cp -r "$agent/apps/edge-agent/dist" "$agent/apps/edge-agent/package.json" "packed/$name"
  if [ $# -gt 1 ]; then printf '%s\n' "$2" > "packed/$name/dist/main.js"; fi
  tar -czf "$name.tar.gz" -C packed "$name"
  edge release build --release "$1" --artifact "linux/x64=../$name.tar.gz" --key-file ../keys/targets.pem --out "../dist-$1" > /dev/null
  edge release add "../dist-$1" --key-file ../keys/targets.pem > /dev/null
  edge campaign create "$1" --name "to-$1" > /dev/null
}
release 1.1.0
until [ -s restarts ]; do kill -0 "${started[0]}" || fail "the proxy has ended"; node -e 'setTimeout(()=>{},100)'; [ "$(edge get "$device" -o json | field upgradeStatus)" = FAILED ] && fail "$(edge get "$device" -o json | field upgradeMessage)"; done
[ "$(cat up/active-version)" = 1.1.0 ] || fail "the marker names $(cat up/active-version)"
cmp luckyplans-edge-agent-v1.1.0-linux-x64-service.tar.gz up/releases/1.1.0/* || fail "other bytes were installed"
say "ok    it has fetched, verified and installed 1.1.0, and asked to be restarted"
# The product has nothing that would start the new version: what a launcher does.
node -e 'const f=process.argv[1],c=JSON.parse(require("fs").readFileSync(f));c.currentVersion="1.1.0";require("fs").writeFileSync(f,JSON.stringify(c))' "$HOME/.luckyplans/edge-agent/config.json"
node "$agent/apps/edge-agent/dist/main.js" >> agent.log 2>&1 & started+=($!)
until_is get "$device" -- upgradeStatus SUCCEEDED
until_is campaign get to-1.1.0 -- state COMPLETED
say "ok    it has reported SUCCEEDED, and the campaign is complete"

# From here on the launcher runs it, and nobody helps.
kill "${started[-1]}"
mkdir package
cp -r "$agent/apps/edge-agent/dist" "$agent/apps/edge-agent/package.json" package
ln -s "$agent/node_modules" package/node_modules
PATH="${PATH#"$work/bin:"}" "$landfall" agent legacy-launcher --package package --node "$(command -v node)" --releases up/releases \
  --active-version up/active-version --config "$HOME/.luckyplans/edge-agent/config.json" --launcher-state launcher --confirm-seconds 15 \
  > launcher.log 2>&1 & started+=($!)
release 1.2.0
until_is get "$device" -- version 1.2.0
until_is campaign get to-1.2.0 -- state COMPLETED
until_is get "$device" -- upgradeStatus SUCCEEDED
say "ok    the launcher has brought it to 1.2.0, and the campaign is complete"
release 1.3.0 'process.exit(1)'
until_is campaign get to-1.3.0 -- counts.rolledBack 1
until_is campaign get to-1.3.0 -- pauseReason FAILURES
until_is get "$device" -- version 1.2.0
until_is get "$device" -- connectivity ONLINE
say "ok    one that crashes is ROLLED_BACK, its campaign rests, and 1.2.0 runs again"
[ "$(edge campaign get to-1.2.0 -o json | field counts.succeeded)" = 1 ] || fail "the campaign before counts another one's failure"
say "ok    the campaign before counts nobody as gone back from it"
