# The parts of LuckyPlans' day that a cluster decides about, on a real API server: sealed, synced, scaled by hand, changed, refused,
# taken back. Nothing answers in its containers, and what other operators and the cloud would do is played by place.py.
. "$(dirname "$0")/control.sh"

HTTPS=https://git.example.com/luckyplans/luckyplans.git
ORIGIN=$DAY/origin.git
VALUES=infrastructure/helm/luckyplans/values.prod.yaml
SERVER=127.0.0.1:${PORT:-18490}
APPS=infrastructure/argocd/apps
ends_with 'ends "$DAY/serve.pid"; ends "$DAY/place.pid"' '>/dev/null 2>&1'

context k3d-luckyplans-prod
without_checks landfall.yaml
git init -q . && git add -A && git commit -qm first
git init -q --bare "$ORIGIN" && git remote add origin "$HTTPS" && git remote set-url --push origin "$ORIGIN" && git push -qu origin main

k() {
    kubectl -n luckyplans "$@"
}

uids() {
    k get pods -l "app.kubernetes.io/name=$1" -o jsonpath='{range .items[?(@.status.phase=="Running")]}{.metadata.uid}{"\n"}{end}'
}

gone() {
    ! curl -s -o /dev/null "http://$SERVER/healthz"
}

pulled() {
    git pull -q --ff-only "$ORIGIN" main
}

synced() {
    [ "$(git -C "$ORIGIN" rev-parse main)" = "$(kubectl -n argocd get application luckyplans-prod -o jsonpath='{.status.sync.revision}')" ] &&
        landfall app list | grep -E '^argocd/luckyplans-prod .* Synced +Healthy +-'
}

serve() {
    landfall serve "$APPS" --context k3d-luckyplans-prod --yes --repo "$HTTPS=$ORIGIN" --listen "$SERVER" \
        >"$DAY/serve.out" 2>"$DAY/serve.err" &
    echo $! >"$DAY/serve.pid"
    eventually 60 grep -q "^ready http://$SERVER" "$DAY/serve.out"
    # A kind that nobody serves is told by its name; it is synced once somebody does.
    eventually 60 names_the_kind
    {
        definition cert-manager.io v1 Certificate certificates Namespaced
        definition cert-manager.io v1 ClusterIssuer clusterissuers Cluster
        definition traefik.io v1alpha1 Middleware middlewares Namespaced
        definition bitnami.com v1alpha1 SealedSecret sealedsecrets Namespaced
    } | kubectl apply -f -
    place clusterissuers certificates
}
names_the_kind() {
    landfall app get luckyplans-prod | grep -F 'Certificate.cert-manager.io'
}
step 8a 'serve keeps the Applications of a real cluster, and names the kind that it does not serve' serve

secrets() {
    # The example's placeholders are nobody's ciphertexts.
    eventually 60 not_opened
    exits 5 landfall secrets init --env prod --yes
    says 'its sealing key is in no backup'
    printf 'a passphrase of the day\n' >"$DAY/passphrase" && chmod 600 "$DAY/passphrase"
    exits 0 landfall secrets init --env prod --yes --plain "$DAY/plain.env" --backup "$DAY/keys.age" --passphrase-file "$DAY/passphrase"
    says '9/9 keys sealed in'
    git commit -qam 'Seal the secrets of production' && git push -q
    exits 0 landfall secrets check --env prod --offline
}
not_opened() {
    landfall app explain luckyplans-prod | grep -F 'SealedSecret/luckyplans-secrets is Degraded'
}
step 6 'secrets init seals nine keys for a controller that no Service leads to' secrets

delivered() {
    eventually 120 synced
    is "$(k get secret luckyplans-secrets -o jsonpath='{.data.JWT_SECRET}' | base64 -d)" "$(sed -n 's/^JWT_SECRET=//p' "$DAY/plain.env")" 'what was opened'
    is "$(k get job prisma-migrate smoke-test -o jsonpath='{.items[*].status.succeeded}')" '1 1' 'hooks that have succeeded'
    exits 0 kubectl -n argocd get applications
    says 'Synced'
}
step 8 'from a push to Synced and Healthy on a real API server, migrations and smoke test in their turn' delivered

twenty() {
    local commits=() commit before children=() n
    for n in $(seq 20); do
        git commit -q --allow-empty -m "change $n"
        commits+=("$(git rev-parse --short=7 HEAD)")
    done
    git push -q
    before=$(git rev-list --count HEAD)
    for commit in "${commits[@]}"; do
        landfall images set "sha-$commit" --env prod --push --unchecked --remote "$ORIGIN" --yes >"$DAY/said/set-$commit" 2>&1 &
        children+=($!)
    done
    for n in "${children[@]}"; do wait "$n" || wrong "a writer failed: $(cat "$DAY"/said/set-*)"; done
    pulled
    is "$(git rev-list --merges --count HEAD)" 0 'merges'
    n=$(($(git rev-list --count HEAD) - before))
    ((n >= 1 && n <= 20)) || wrong "$n commits"
    is "$(grep -c "tag: sha-${commits[19]}" "$VALUES")" 4 'services with the newest tag'
    eventually 120 synced
    k get deploy web -o jsonpath='{.spec.template.spec.containers[0].image}' | grep -F ":sha-${commits[19]}"
}
step 9 'twenty writers set tags at once: a linear history, and the newest build runs' twenty

replicas_are() {
    [ "$(k get deploy web -o jsonpath='{.spec.replicas}')" = "$1" ]
}
scaled() {
    exits 0 k scale deploy/web --replicas=5
    eventually 20 replicas_are 2
    eventually 20 told_of_scaling
}
told_of_scaling() {
    landfall app events luckyplans-prod | grep -F 'from 5 to 2'
}
step 10 'a scaling by hand is put back, and told' scaled

one_secret() {
    local gateway web
    eventually 60 synced
    pulled
    gateway=$(uids api-gateway) web=$(uids web)
    [ -n "$gateway" ] && [ -n "$web" ]
    exits 0 landfall secrets set SESSION_SECRET --env prod --push --yes --plain "$DAY/session.env" \
        --escrow "$DAY/session.age" --passphrase-file "$DAY/passphrase"
    is "$(git diff HEAD~1 -- "$VALUES" | grep -c '^+[^+]')" 1 'changed ciphertexts'
    eventually 120 synced
    eventually 60 restarted "$gateway"
    is "$(uids web)" "$web" 'web was restarted'
    is "$(k get secret luckyplans-secrets -o jsonpath='{.data.SESSION_SECRET}' | base64 -d)" "$(sed -n 's/^SESSION_SECRET=//p' "$DAY/session.env")" 'what was opened'
}
restarted() {
    [ -n "$(uids api-gateway)" ] && [ "$(uids api-gateway)" != "$1" ]
}
step 11 'one secret changes: its readers restart, others do not' one_secret

refused_sync() {
    local gateway
    eventually 60 synced
    gateway=$(uids api-gateway)
    pulled
    git checkout -q -B no-pepper
    sed -i '/^ *WORKER_CREDENTIAL_PEPPER:/d' "$VALUES"
    git commit -qam 'Drop the pepper'
    git push -q origin no-pepper:main
    eventually 60 refuses_the_sync
    is "$(uids api-gateway)" "$gateway" 'running pods'
    k get sealedsecret luckyplans-secrets -o jsonpath='{.spec.encryptedData.WORKER_CREDENTIAL_PEPPER}' | grep -q .
    git revert --no-edit HEAD >/dev/null && git push -q origin no-pepper:main
    git checkout -q main && pulled
    eventually 120 synced
}
refuses_the_sync() {
    landfall app get luckyplans-prod -o json | grep -F 'needs luckyplans-secrets[WORKER_CREDENTIAL_PEPPER]'
}
step 12 'a commit without a key that pods need is refused by name, running pods stay; a revert is delivered' refused_sync

once() {
    # By whoever: what is generated once stays, or comes back as it was.
    local pepper
    pepper=$(k get secret luckyplans-secrets -o jsonpath='{.data.WORKER_CREDENTIAL_PEPPER}')
    k delete secret luckyplans-secrets
    eventually 60 pepper_is "$pepper"
    exits 5 landfall secrets rotate WORKER_CREDENTIAL_PEPPER --env prod --yes
    says 'generated once'
}
pepper_is() {
    [ "$(k get secret luckyplans-secrets -o jsonpath='{.data.WORKER_CREDENTIAL_PEPPER}')" = "$1" ]
}
step 12b 'a Secret that somebody deletes comes back with the same pepper; rotating it is refused' once

killed() {
    local at
    pulled
    git commit -q --allow-empty -m 'One more build' && git push -q
    at=$(git rev-parse --short=7 HEAD)
    exits 0 landfall images set "sha-$at" --env prod --push --unchecked --remote "$ORIGIN" --yes
    eventually 60 begun
    kill -9 "$(cat "$DAY/serve.pid")"
    eventually 10 gone
    landfall serve "$APPS" --context k3d-luckyplans-prod --yes --repo "$HTTPS=$ORIGIN" --listen "$SERVER" \
        >"$DAY/serve.out" 2>>"$DAY/serve.err" &
    echo $! >"$DAY/serve.pid"
    eventually 120 synced
    k get deploy web -o jsonpath='{.spec.template.spec.containers[0].image}' | grep -F ":sha-$at"
}
begun() {
    kubectl -n argocd get application luckyplans-prod -o jsonpath='{.status.operationState.phase}' | grep -F Running ||
        landfall app list | grep -E '^argocd/luckyplans-prod .* OutOfSync'
}
step 13 'killed in the middle of a sync, the server goes on with it' killed

back() {
    local before head
    pulled
    head=$(git rev-parse HEAD)
    before=$(git show HEAD~2:"$VALUES" | grep -m 1 -o 'tag: sha-[0-9a-f]*' | cut -d ' ' -f 2)
    exits 0 landfall images set "$before" --env prod --push --unchecked --allow-older --remote "$ORIGIN" --yes
    pulled
    is "$(git rev-parse HEAD~1)" "$head" 'the commit before'
    eventually 120 synced
    k get deploy web -o jsonpath='{.spec.template.spec.containers[0].image}' | grep -F ":$before"
}
step 14 'production goes back by a new commit, with the images of before' back

down() {
    exits 0 landfall app delete luckyplans-prod --yes
    eventually 120 without_workloads
    kill "$(cat "$DAY/serve.pid")"
    eventually 10 gone
    rm -f "$DAY/serve.pid"
}
without_workloads() {
    [ -z "$(k get deploy -o name)" ] && ! kubectl -n argocd get application luckyplans-prod
}
step 20 'a deleted Application takes its workloads along, and a server that ends gives its port back' down
