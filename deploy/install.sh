#!/bin/sh
# Installs Landfall @VERSION@: loads the archive for this machine, and installs nothing that is not what was published.
#
#   sh install.sh --from https://host/releases/v@VERSION@ --signers signers.txt
#   sh install.sh --from ./release-files --to "$HOME/.local"
#   sh install.sh --from URL --sha256 DIGEST              by the archive's own digest, as CI pins it
#
# --from WHERE     the directory or the address (https, file) under which the release's files lie
# --signers FILE   who may sign releases, as `ssh-keygen -Y verify` reads it: a line `landfall KEYTYPE KEY`
# --sha256 DIGEST  the digest of the archive; SHA256SUMS is not asked then
# --to DIR         below which bin/, share/man and share/ are written (default: /usr/local)
# --target TRIPLE  for another machine than this one
set -eu

version='@VERSION@'
from='' signers='' digest='' to=/usr/local target=''

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --from | --signers | --sha256 | --to | --target)
        [ $# -ge 2 ] || fail "$1 wants a value"
        case $1 in
        --from) from=$2 ;;
        --signers) signers=$2 ;;
        --sha256) digest=$2 ;;
        --to) to=$2 ;;
        --target) target=$2 ;;
        esac
        shift 2
        ;;
    *) fail "$1 is no flag; they are listed at the head of this script" ;;
    esac
done
[ -n "$from" ] || fail 'say where the release lies: --from https://… or a directory'

if [ -z "$target" ]; then
    [ "$(uname -s)" = Linux ] || fail "there is no binary for $(uname -s); build from source: cargo install --path crates/landfall"
    case $(uname -m) in
    x86_64 | amd64) target=x86_64-unknown-linux-gnu ;;
    aarch64 | arm64) target=aarch64-unknown-linux-gnu ;;
    *) fail "there is no binary for $(uname -m); build from source: cargo install --path crates/landfall" ;;
    esac
fi
name="landfall-$version-$target"
archive="$name.tar.gz"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# load NAME: a file of the release into the working directory.
load() {
    case $from in
    https://* | file://*) curl --proto '=https,file' --tlsv1.2 -fsSL "$from/$1" -o "$work/$1" || fail "$from/$1 cannot be loaded" ;;
    *://*) fail "$from: only https and file are loaded from" ;;
    *) cp "$from/$1" "$work/$1" || fail "$from/$1 cannot be read" ;;
    esac
}

load "$archive"
if [ -n "$digest" ]; then
    checked="its digest is the one that was asked for"
else
    load SHA256SUMS
    if [ -n "$signers" ]; then
        load SHA256SUMS.sig
        ssh-keygen -Y verify -q -f "$signers" -I landfall -n landfall-release -s "$work/SHA256SUMS.sig" \
            <"$work/SHA256SUMS" >/dev/null 2>&1 || fail "SHA256SUMS is not signed by anybody of $signers; nothing was installed"
        checked="its checksum is signed by one of $signers"
    else
        checked="its checksum is that of SHA256SUMS; who wrote that was not checked (--signers)"
    fi
    digest=$(awk -v name="$archive" '$2 == name { print $1 }' "$work/SHA256SUMS")
    [ -n "$digest" ] || fail "SHA256SUMS does not name $archive; nothing was installed"
fi
echo "$digest  $work/$archive" | sha256sum --check --status --strict ||
    fail "$archive is not what was published: its SHA-256 is not $digest; nothing was installed"

tar -xzf "$work/$archive" -C "$work"
# What was loaded runs here and says its own version, before anything is replaced.
said=$("$work/$name/landfall" version --short) || fail "the binary does not run here; nothing was installed"
[ "$said" = "$version" ] || fail "the binary says that it is $said, not $version; nothing was installed"

place() {
    mkdir -p "$2" && install -m "$3" "$1" "$2/.landfall.new" && mv -f "$2/.landfall.new" "$2/${1##*/}"
}
place "$work/$name/landfall" "$to/bin" 755
for page in "$work/$name"/man/man1/*.1; do
    place "$page" "$to/share/man/man1" 644
done
place "$work/$name/completions/landfall.bash" "$to/share/bash-completion/completions" 644
mv -f "$to/share/bash-completion/completions/landfall.bash" "$to/share/bash-completion/completions/landfall"
place "$work/$name/completions/_landfall" "$to/share/zsh/site-functions" 644
place "$work/$name/completions/landfall.fish" "$to/share/fish/vendor_completions.d" 644
echo "landfall $version is in $to/bin; $checked"
