#!/usr/bin/env bash
# Our own agent as a service of a real systemd: process 1 of namespaces of its own, over a copy-on-write view of this machine's files.
# The agent is enrolled with `landfall serve --only fleet` and installed by its own verb; then it upgrades its payload and itself, takes a
# crashing version back, is killed, goes through a restart of the whole, and is taken away. Nothing of this machine is changed.
#
#   conformance/edges/systemd.sh LANDFALL LANDFALL_AGENT [LATER_AGENT]
#
# LATER_AGENT was built as a later version (LANDFALL_AGENT_VERSION); without it the agent does not replace itself. Needs root, systemd, node, and a kernel that lets it mount overlays and control groups (version 2). `conformance edges` runs it where those
# are there, and says so where they are not. Ends with 0 when all of it was seen, and with 77 and a sentence where it cannot be tried.
set -euo pipefail
landfall=$(realpath "$1")
agent=$(realpath "$2")
next=${3:+$(realpath "$3")}
skip() { printf 'open  %s\n' "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "a systemd of its own takes root"
systemd=$(for it in /usr/lib/systemd/systemd /lib/systemd/systemd; do [ -x "$it" ] && echo "$it" && break; done) || true
[ -n "$systemd" ] && command -v systemctl > /dev/null || skip "there is no systemd here (on Debian: apt-get install systemd)"
work=$(mktemp -d)
started=() machine='' group=''
finish() {
  for pid in "${started[@]}" $machine; do kill -9 "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  # What was killed leaves its group a moment later.
  for _ in $(seq 50); do
    [ -n "$group" ] && [ -d "$group" ] || break
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || pause
  done
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
mkdir -p system upper/usr/local/bin overlay root units empty
say() { printf '%s\n' "$*"; }
logs() { tail -20 boot.log serve.log 2>/dev/null || true; inside systemctl status --no-pager -n 30 landfall-agent 2>/dev/null || true; inside journalctl --no-pager -n 40 2>/dev/null || true; }
fail() { say "FAIL  $*"; logs | sed 's/^/  /'; exit 1; }
pause() { node -e 'setTimeout(()=>{},200)'; }
edge() { (cd system && "$landfall" edge "$@"); }
field() { node -e 'let t="";process.stdin.on("data",d=>t+=d).on("end",()=>{let v=JSON.parse(t).data;for(const k of process.argv[1].split("."))v=v?.[k];console.log(v??"")})' "$1"; }
until_is() { # VERB… -- FIELD VALUE
  local words=() ; while [ "$1" != -- ]; do words+=("$1"); shift; done; shift
  for _ in $(seq 400); do
    [ "$(edge "${words[@]}" -o json 2>/dev/null | field "$1" 2>/dev/null)" = "$2" ] && return 0
    pause
  done
  fail "${words[*]}: $1 did not become $2 but $(edge "${words[@]}" -o json | field "$1")"
}

# Control groups of its own, below one that goes with it.
for it in /sys/fs/cgroup /sys/fs/cgroup/unified; do
  if [ -z "$group" ] && [ -e "$it/cgroup.controllers" ]; then group="$it/landfall-$$"; fi
done
[ -n "$group" ] && mkdir "$group" 2>/dev/null || { group=''; skip "there are no control groups of version 2 that it may make"; }
cp "$agent" upper/usr/local/bin/landfall-agent
cat > boot.sh <<'BOOT'
set -e
cd "$1"
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=overlay root
cd root
umask 022
mount -t proc proc proc
mkdir -p sys dev run tmp
for it in sys dev run tmp; do mount -t tmpfs -o mode=755 tmpfs "$it"; done
chmod 1777 tmp
mkdir sys/fs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
for it in null zero full random urandom tty; do touch "dev/$it"; mount --bind "/dev/$it" "dev/$it"; done
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm dev/mqueue dev/hugepages
mount -t devpts -o ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
# Of this machine's own services none is started.
mount --bind "$1/units" etc/systemd/system
for it in etc/init.d lib/systemd/system-generators; do if [ -d "$it" ]; then mount --bind "$1/empty" "$it"; fi; done
# The root of the namespace itself, for what systemd makes for a service has a root of its own, too.
mkdir -p before
pivot_root . before
umount -l /before
exec env -i container=landfall PATH=/usr/sbin:/usr/bin:/sbin:/bin "$2" --system --unit=multi-user.target --log-target=journal --show-status=no
BOOT
boot() {
  # Whoever starts it is moved there first: the namespace of control groups begins where its first process is.
  (echo $BASHPID > "$group/cgroup.procs"; exec unshare --pid --fork --mount --uts --ipc --cgroup --propagation private --kill-child \
    bash boot.sh "$work" "$systemd" < /dev/null >> boot.log 2>&1) & machine=$!
  for _ in $(seq 300); do
    first=$(cat "/proc/$machine/task/$machine/children" 2>/dev/null) || skip "a systemd of its own does not start: $(tail -1 boot.log)"
    first=${first%% *}
    if [ -n "$first" ] && inside systemctl is-active --quiet multi-user.target 2>/dev/null; then return 0; fi
    pause
  done
  skip "a systemd of its own does not come up: $(tail -1 boot.log)"
}
inside() { nsenter --target "$first" --pid --mount --uts --ipc --cgroup --root --wd env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
show() { inside systemctl show landfall-agent --property "$1" --value; }
boot
say "ok    a systemd of its own is up ($(inside systemctl --version | head -1))"

(cd system && exec "$landfall" serve --only fleet --listen 127.0.0.1:0 --edge-url https://edges.example.com) > ready 2> serve.log & started+=($!)
until grep -q ready ready; do kill -0 "${started[-1]}" || fail "the server does not start"; pause; done
server=$(sed -n 's#^ready ##p' ready)
edge keys init ../keys > /dev/null 2>&1
edge token create workshop --max-uses 1 > token 2> /dev/null
head -c 400000 /dev/urandom > large
# The kiosk says what it was let to do, and stays.
release() { # VERSION SCRIPT
  mkdir -p "kiosk-$1/bin"
  printf '#!/bin/sh\n%s\n' "$2" > "kiosk-$1/bin/kiosk"
  chmod +x "kiosk-$1/bin/kiosk"
  cp large "kiosk-$1/bin/large"
  tar -czf "kiosk-$1.tar.gz" -C "kiosk-$1" bin
  edge release build --product kiosk --release "$1" --artifact "linux/x64=../kiosk-$1.tar.gz" --key-file ../keys/targets.pem --out "../dist-$1" > /dev/null
  edge release add "../dist-$1" --key-file ../keys/targets.pem > /dev/null 2> added
  edge campaign create "$1" --product kiosk --name "kiosk-$1" --yes > /dev/null
}
stays='{ touch /etc/written || echo kept; grep -E "^(NoNewPrivs|CapEff)" /proc/self/status; } > "$LANDFALL_DATA/allowed" 2>/dev/null; exec sleep 100000'
inside landfall-agent enroll --server "$server" --plain-http --name "Gate 7" --device-number gate-7 --payload kiosk --program bin/kiosk \
  --settle-seconds 1 --confirm-seconds 15 --token-stdin < token > enrolled 2>&1 || fail "it does not enroll: $(cat enrolled)"
inside landfall-agent install > installed 2>&1 || fail "it is not installed: $(cat installed)"
[ "$(show ActiveState)/$(show SubState)" = active/running ] || fail "it is $(show ActiveState)"
[ "$(inside systemctl is-enabled landfall-agent)" = enabled ] || fail "it does not start with the machine"
until_is get gate-7 -- connectivity ONLINE
say "ok    it is enrolled, installed by its own verb, has told systemd that it is up, and checks in"

release 1.0.0 "$stays"
until_is campaign get kiosk-1.0.0 -- state COMPLETED
data=/var/lib/landfall-agent/data/allowed
for _ in $(seq 50); do inside grep -q CapEff "$data" 2>/dev/null && break; pause; done
inside cat "$data" > allowed
grep -qx kept allowed && grep -qE '^NoNewPrivs:[[:space:]]+1$' allowed && grep -qE '^CapEff:[[:space:]]+0+$' allowed || fail "the payload may do too much: $(cat allowed)"
inside test ! -e /etc/written || fail "the payload has written to /etc"
say "ok    a release runs below it, without a capability and without a place to write but its own"

until_is get gate-7 -- upgradeStatus SUCCEEDED
before=$(show MainPID)
inside kill -9 "$before"
for _ in $(seq 300); do [ "$(show NRestarts)" = 1 ] && [ "$(show SubState)" = running ] && break; pause; done
[ "$(show NRestarts)" = 1 ] && [ "$(show MainPID)" != "$before" ] || fail "after kill -9 it is $(show ActiveState), started again $(show NRestarts) times"
for _ in $(seq 100); do [ "$(inside pgrep -cf 'sleep 100000')" = 1 ] && break; pause; done
[ "$(inside pgrep -cf 'sleep 100000')" = 1 ] || fail "the payload runs $(inside pgrep -cf 'sleep 100000') times"
say "ok    killed, it is started again by systemd, and its payload runs once"

release 2.0.0 'exit 1'
until_is campaign get kiosk-2.0.0 -- counts.rolledBack 1
[ "$(inside pgrep -cf 'sleep 100000')" = 1 ] || fail "what ran before does not run again"
say "ok    a version that crashes is ROLLED_BACK, and the one before runs"

if [ -n "$next" ]; then
  version=$("$next" --version | awk '{print $NF}')
  before=$(show MainPID)
  cp "$next" landfall-agent
  edge release build --product landfall-agent --release "$version" --artifact linux/x64=../landfall-agent --key-file ../keys/targets.pem --out ../dist-agent > /dev/null
  edge release add ../dist-agent --key-file ../keys/targets.pem > /dev/null 2> added
  edge campaign create "$version" --product landfall-agent --name itself --yes > /dev/null
  until_is campaign get itself -- state COMPLETED
  [ "$(show MainPID)" = "$before" ] && [ "$(show NRestarts)" = 1 ] || fail "the watchdog was started again"
  say "ok    it has replaced itself by $version, and its watchdog has stayed"
fi

kill -9 "$machine"
wait "$machine" 2>/dev/null || true
boot
for _ in $(seq 200); do [ "$(show SubState)" = running ] && break; pause; done
[ "$(show ActiveState)/$(show SubState)" = active/running ] || fail "after a restart of the machine it is $(show ActiveState)"
for _ in $(seq 200); do [ "$(inside pgrep -cf 'sleep 100000')" = 1 ] && break; pause; done
[ "$(inside pgrep -cf 'sleep 100000')" = 1 ] || fail "after a restart of the machine the payload does not run"
release 3.0.0 "$stays # the third"
until_is campaign get kiosk-3.0.0 -- state COMPLETED
grep -q 'a delta from 1.0.0' added || fail "no delta was made: $(cat added)"
inside journalctl --no-pager -u landfall-agent > journal
if grep -q 'delta_left' journal; then fail "it has not come by its delta"; fi
say "ok    after the power was cut it starts with the machine, and goes on to the next release by a delta"

inside landfall-agent uninstall > gone 2>&1 || fail "it is not taken away: $(cat gone)"
[ "$(show LoadState)" = not-found ] || fail "its unit is $(show LoadState)"
[ "$(inside pgrep -cf 'sleep 100000' || true)" = 0 ] || fail "its payload still runs"
inside test -e /var/lib/landfall-agent/credential.json || fail "what was enrolled has gone with the service"
say "ok    taken away, nothing of it runs, and what was enrolled stays"
