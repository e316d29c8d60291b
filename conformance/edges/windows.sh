#!/usr/bin/env bash
# Our agent as a service of Windows, under Wine's service manager, against `landfall serve --only fleet`: enrolled and installed, a program
# brought to it and to its next version by a delta, back from one that crashes, killed with all that it started, installed again, taken away.
#
#   rustup target add x86_64-pc-windows-gnu                # and Debian's gcc-mingw-w64-x86-64 and wine64
#   cargo build -p landfall-agent --target x86_64-pc-windows-gnu
#   conformance/edges/windows.sh LANDFALL AGENT.EXE
#
# Wine is no Windows: what it does not do (a service that failed or was killed is not started again there) is not tried. A Wine before 9 lacks a library
# that gives random bytes to Rust's programs; one is made of Wine's own then. Ends with 0 when all of it was seen.
set -euo pipefail
landfall=$(realpath "$1")
agent=$(realpath "$2")
compiler=x86_64-w64-mingw32-gcc
wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
wineserver=$(command -v wineserver || echo /usr/lib/wine/wineserver64)
for program in "$wine" "$wineserver" "$compiler"; do
  command -v "$program" > /dev/null || { echo "windows.sh: $program is not there"; exit 77; }
done
work=$(mktemp -d)
export WINEPREFIX="$work/prefix" WINEDEBUG=-all
started=()
finish() {
  for pid in "${started[@]}"; do kill "$pid" 2> /dev/null || true; done
  "$wineserver" -k 2> /dev/null || true
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
log="prefix/drive_c/edge one/landfall-agent.log"
fail() { echo "FAIL  $*"; tail -20 "$log" 2> /dev/null | sed 's/^/  agent: /'; tail -20 serve.log | sed 's/^/  serve: /'; exit 1; }
ok() { echo "ok    $*"; }
edge() { "$landfall" edge "$@"; }
windows() { timeout 120 "$wine" "$@"; }
service() { windows 'C:\landfall-agent.exe' "$@" --root 'C:\edge one'; }
until_says() { # WHAT COMMAND…
  local what=$1; shift
  for _ in $(seq 120); do "$@" 2> /dev/null | grep -q "$what" && return 0; sleep 0.5; done
  fail "$* never said $what: $("$@" 2>&1)"
}
running() { pgrep -f "$WINEPREFIX|edge one" -a | grep -c "$1" || true; }
until_run() { # COUNT PROGRAM
  for _ in $(seq 120); do [ "$(running "$2")" = "$1" ] && return 0; sleep 0.5; done
  fail "of $2 run $(running "$2") and not $1"
}

# Until it has made itself at home, and nothing of that runs any more.
windows wineboot -i > wineboot.log 2>&1 || true
timeout 120 "$wineserver" -w || true
cp "$agent" prefix/drive_c/landfall-agent.exe
if [ ! -e prefix/drive_c/windows/system32/bcryptprimitives.dll ]; then
  printf '#include <windows.h>\n#include <ntsecapi.h>\n__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T much) { return RtlGenRandom(to, (ULONG)much); }\n' > random.c
  "$compiler" -shared -o prefix/drive_c/windows/system32/bcryptprimitives.dll random.c -ladvapi32
fi
(exec "$landfall" serve --only fleet --listen 127.0.0.1:0) > ready 2> serve.log & started+=($!)
until grep -qs ready ready; do kill -0 "${started[-1]}" || fail "the server does not start"; sleep 0.1; done
server=$(sed -n 's/^ready //p' ready)
edge keys init keys > /dev/null 2>&1

program() { # VERSION [STATEMENT]
  printf '#include <windows.h>\nint main(void) { static volatile char version[] = "%s"; %s; while (version[0]) Sleep(1000); return 0; }\n' "$1" "${2:-;}" > kiosk.c
  mkdir -p "kiosk-$1/bin"
  "$compiler" -o "kiosk-$1/bin/kiosk.exe" kiosk.c
  tar -C "kiosk-$1" -czf "kiosk-$1.tar.gz" .
}
release() { # VERSION
  edge release build --product kiosk --release "$1" --artifact "win32/x64/service=kiosk-$1.tar.gz" --key-file keys/targets.pem --out "dist-$1" > /dev/null
  edge release add "dist-$1" --key-file keys/targets.pem > "added-$1" 2>&1 || fail "$(cat "added-$1")"
  edge campaign create "$1" --product kiosk --waves 100% --yes > /dev/null 2>&1
}

edge token create windows --max-uses 1 -q | service enroll --server "$server" --plain-http --name windows --token-stdin \
  --payload kiosk --program bin/kiosk.exe --settle-seconds 2 --confirm-seconds 15 > enrolled 2>&1 || fail "$(cat enrolled)"
service install > installed 2>&1 || fail "$(cat installed)"
until_says ONLINE edge list
windows sc query landfall-agent | grep -q RUNNING || fail "no service runs"
ok "it is enrolled, a service that its own verb has made, and checks in"
program 1.0.0; release 1.0.0
until_says '1.0.0.*COMPLETED' edge campaign list
until_run 1 kiosk.exe
ok "it has brought a program to the machine, which runs"
program 1.1.0; release 1.1.0
grep -q 'a delta from 1.0.0' added-1.1.0 || fail "no delta was made"
until_says '1.1.0.*COMPLETED' edge campaign list
grep -q delta_left "$log" && fail "the delta was left"
ok "it has brought it to the next version by a delta"
program 1.2.0 'return 3'; release 1.2.0
until_says '1.1.0.*ROLLED_BACK' edge list
until_run 1 kiosk.exe
ok "a version that crashes is ROLLED_BACK, and the one before runs"
kill -9 "$(pgrep -f 'landfall-agent.exe service' | head -1)"
until_run 0 kiosk.exe
until_run 0 'landfall-agent.exe work'
ok "killed, it leaves nothing that goes on by itself"
# Wine's service manager does not see that it ended; as on a machine whose power was cut, it begins anew.
"$wineserver" -k || true
windows sc query landfall-agent > query 2>&1 || true
until_run 1 kiosk.exe
ok "it starts with the machine, and goes on with what it had"
service install > again 2>&1 || fail "$(cat again)"
until_run 1 kiosk.exe
[ "$(grep -c edge.runtime.started "$log")" -ge 3 ] || fail "it was not started anew"
ok "installed again over one that runs, it goes on with what it had"
service uninstall > gone 2>&1 || fail "$(cat gone)"
until_run 0 landfall-agent.exe
until_run 0 kiosk.exe
[ -s "prefix/drive_c/edge one/credential.json" ] || fail "the credential is gone"
ok "taken away, nothing of it runs, and what was enrolled stays"
