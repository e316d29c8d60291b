#!/bin/bash
# accept.sh ROOT: runs the image's own file system, as `cargo xtask dist --rootfs ROOT` lays it out: as nobody, its root
# read-only, nothing of this machine in it but /proc and /dev. Wants root, for chroot and mounts of its own.
#
# A server must become ready in it, keep an Application in sync that Kustomize builds from a commit, and end; git, ssh and
# kustomize must be the ones inside.
set -euo pipefail

root=$(realpath "${1:?accept.sh ROOT}")
if [ "${2:-}" != inside ]; then
    exec unshare --mount --fork --pid --kill-child bash "$0" "$root" inside
fi
mount --make-rprivate /
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$root/state"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"

within() {
    env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin:/sbin HOME=/tmp LANDFALL_STATE=/state \
        /usr/sbin/chroot --userspec=65534:65534 "$root" "$@"
}

failed() {
    echo "FAILED  $*"
    exit 1
}

for program in landfall git ssh kustomize; do
    where=$(within /bin/sh -c "command -v $program") || failed "$program is not in it"
    echo "ok      $program is $where"
done
within git --version
within kustomize version
within ssh -V
{ within /usr/lib/git-core/git-remote-https 2>&1 || true; } | grep -q 'usage' || failed 'git speaks no https'
echo 'ok      git speaks https'
if within /bin/sh -c ': > /written' 2>/dev/null; then failed 'its root can be written'; fi
if within /bin/sh -c ': > /etc/passwd' 2>/dev/null; then failed 'nobody may write its accounts'; fi
echo 'ok      its root is read-only, and nobody runs it'

# A repository with a kustomization, inside.
install -d -o 65534 -g 65534 "$root/tmp/shop" "$root/tmp/apps"
within /bin/sh -ec '
    cd /tmp/shop
    printf "resources: [web.yaml]\nnamePrefix: built-\n" > kustomization.yaml
    printf "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n" > web.yaml
    git init -q . && git add -A
    git -c user.name=accept -c user.email=accept@example.com commit -qm first
    printf "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: argocd}\nspec:\n  project: default\n  source: {repoURL: https://git.example.com/shop.git, path: ., targetRevision: HEAD}\n  destination: {server: https://kubernetes.default.svc, namespace: shop}\n  syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}\n" > /tmp/apps/shop.yaml
'
within /usr/local/bin/landfall serve /tmp/apps --repo https://git.example.com/shop.git=/tmp/shop --listen 127.0.0.1:0 \
    >"$root/tmp/out" 2>"$root/tmp/err" &
server=$!
for _ in $(seq 300); do
    grep -q '^ready http://' "$root/tmp/out" && break
    kill -0 "$server" 2>/dev/null || failed "the server ended: $(cat "$root/tmp/err")"
    sleep 0.2
done
grep '^ready http://' "$root/tmp/out" || failed "it did not become ready: $(cat "$root/tmp/err")"
for _ in $(seq 300); do
    within landfall app get shop >"$root/tmp/told" 2>&1 || true
    grep -q 'Synced' "$root/tmp/told" && grep -q 'ConfigMap/built-web' "$root/tmp/told" && break
    sleep 0.2
done
grep -q 'ConfigMap/built-web' "$root/tmp/told" || failed "the kustomization was not delivered: $(cat "$root/tmp/told" "$root/tmp/err")"
echo 'ok      a kustomization of a commit is delivered: ConfigMap/built-web'
kill -TERM "$(pgrep -P "$server" -x landfall || echo "$server")"
for _ in $(seq 50); do
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
if kill -0 "$server" 2>/dev/null; then failed 'SIGTERM does not end it within 5 s'; fi
echo 'ok      SIGTERM ends it'
echo 'image: accepted'
