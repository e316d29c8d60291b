# What the days share. A step is a function: it runs apart, stops at its first command that fails, and is told in one line:
#
#   step TAB NUMBER TAB ok|failed|open TAB SECONDS TAB TITLE TAB DETAIL
#
# `open` names what no command can do yet, or what only a real cluster can show: it is counted apart, and never as passed.
# The suite (`conformance days`) knows which numbers a day has; one that is not told was not reached, and failed.
set -uo pipefail

# The directory of the day; `system` in it is the copy of the example, and the working directory.
: "${DAY:?the suite runs this}"
mkdir -p "$DAY/said"

tell() {
    printf 'step\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:-}"
}

# step NUMBER TITLE FUNCTION
step() {
    local began said=$DAY/said/$1 code
    began=$(date +%s.%N)
    (
        set -euo pipefail
        "$3"
    ) >"$said" 2>&1
    code=$?
    local took
    took=$(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }')
    if ((code == 0)); then
        tell "$1" ok "$took" "$2"
    else
        tell "$1" failed "$took" "$2" "$(tail -n 6 "$said" | tr '\t\n' '  ')"
    fi
}

# open NUMBER TITLE WHY
open() {
    tell "$1" open 0 "$2" "$3"
}

wrong() {
    echo "WRONG: $*" >&2
    return 1
}

# exits CODE COMMAND…: both streams go to $DAY/out, and are shown.
exits() {
    local want=$1 code=0
    shift
    "$@" >"$DAY/out" 2>&1 || code=$?
    cat "$DAY/out"
    ((code == want)) || wrong "exit $code, not $want: $*"
}

# says TEXT…: what the last `exits` printed holds each of them.
says() {
    local text
    for text in "$@"; do
        grep -qF -- "$text" "$DAY/out" || wrong "it does not say: $text"
    done
}

silent() {
    local text
    for text in "$@"; do
        ! grep -qF -- "$text" "$DAY/out" || wrong "it says: $text"
    done
}

is() {
    [ "$1" = "$2" ] || wrong "$3: $1, not $2"
}

# eventually SECONDS COMMAND…: tried until it is true.
eventually() {
    local end
    end=$(awk -v s="$1" -v now="$(date +%s.%N)" 'BEGIN { printf "%.2f", now + s }')
    shift
    until "$@" >"$DAY/out" 2>&1; do
        awk -v end="$end" -v now="$(date +%s.%N)" 'BEGIN { exit !(now < end) }' || {
            cat "$DAY/out"
            wrong "it never came: $*"
            return 1
        }
        sleep 0.1
    done
    cat "$DAY/out"
}

# within SECONDS COMMAND…: it ends well, and in that time.
within() {
    local limit=$1 began
    shift
    began=$(date +%s.%N)
    "$@"
    awk -v a="$began" -v b="$(date +%s.%N)" -v l="$limit" 'BEGIN { exit !(b - a <= l) }' || wrong "it took longer than $limit s: $*"
}

# The address at which the embedded cluster of a state directory answers what its Ingresses route.
address() {
    sed -n 's/.*"http": "\([^"]*\)".*/\1/p' "$1/endpoint.json"
}

# What runs of a namespace, by name and uid.
pods() {
    kubectl --kubeconfig "$1/kubeconfig" -n "$2" get pods -l "$3" -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}'
}

# Ends what a day has started, whatever became of it.
ends_with() {
    # shellcheck disable=SC2064
    trap "$*" EXIT
}
