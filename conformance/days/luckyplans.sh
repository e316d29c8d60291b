# A day in the life of LuckyPlans, without the fleet, from commands of the README, on the embedded cluster.
. "$(dirname "$0")/lib.sh"

HTTPS=https://git.example.com/luckyplans/luckyplans.git
ORIGIN=$DAY/origin.git
PROD=$DAY/prod
VALUES=infrastructure/helm/luckyplans/values.prod.yaml
SERVER=127.0.0.1:${PORT:-18490}
ends_with 'serve_ends; landfall --state "$PROD" cluster stop; landfall down --yes' '>/dev/null 2>&1'

# Production is a cluster of its own here, too: another directory of state. The repository's address leads to a bare one.
git config --global user.name day && git config --global user.email day@example.com
git config --global init.defaultBranch main
sed -i 's/cluster: {context: k3d-luckyplans-prod, protected: true}/cluster: embedded/' landfall.yaml
git init -q . && git add -A && git commit -qm first
git init -q --bare "$ORIGIN" && git remote add origin "$HTTPS" && git remote set-url --push origin "$ORIGIN" && git push -qu origin main

prod() {
    landfall --state "$PROD" "$@"
}

serve_ends() {
    if [ -f "$DAY/serve.pid" ]; then kill "$(cat "$DAY/serve.pid")"; fi
}

pulled() {
    git pull -q --ff-only "$ORIGIN" main
}

synced() {
    [ "$(git -C "$ORIGIN" rev-parse main)" = "$(kubectl --kubeconfig "$PROD/kubeconfig" -n argocd get application luckyplans-prod \
        -o jsonpath='{.status.sync.revision}')" ] && prod app list | grep -E '^argocd/luckyplans-prod .* Synced +Healthy'
}

replicas_are() {
    [ "$(kubectl --kubeconfig "$PROD/kubeconfig" -n luckyplans get deploy web -o jsonpath='{.spec.replicas}')" = "$1" ]
}

doctor() {
    exits 0 landfall doctor
    says 'embedded cluster: ready' 'k3d:'
}
step 1 'doctor finds the embedded cluster ready' doctor

up() {
    within 10 exits 0 landfall up -o json
    python3 - "$DAY/out" <<'PY'
import json, sys
text = open(sys.argv[1]).read()
data = json.JSONDecoder().raw_decode(text[text.index('{\n'):])[0]['data']
assert len(data['units']) == 2, data['units']
assert all(check['verdict'] == 'passed' for check in data['checks']), data['checks']
assert len(data['addresses']) >= 6, data['addresses']
PY
    within 2 exits 0 landfall up
    says 'no changes'
}
step 2 'up delivers two releases with their addresses; again it changes nothing' up

graphql() {
    exits 0 curl -fsS "http://$(address .landfall)/graphql" -H 'Host: localhost' -H 'content-type: application/json' -d '{"query":"{ health }"}'
    says 'API Gateway is running'
}
step 3 'the gateway answers a GraphQL query' graphql

one_service() {
    local gateway web
    gateway=$(pods .landfall luckyplans app.kubernetes.io/name=api-gateway) web=$(pods .landfall luckyplans app.kubernetes.io/name=web)
    [ -n "$gateway" ] && [ -n "$web" ]
    exits 0 landfall up web --set web.image.tag=dev2
    says 'luckyplans/web:latest → luckyplans/web:dev2'
    is "$(pods .landfall luckyplans app.kubernetes.io/name=api-gateway)" "$gateway" 'the gateway was rolled'
    [ "$(pods .landfall luckyplans app.kubernetes.io/name=web)" != "$web" ]
}
step 4 'up web rolls that Deployment and no other' one_service

history() {
    exits 0 landfall status
    says 'luckyplans in luckyplans   revision 2   deployed' 'observability in monitoring   revision 2   deployed'
    exits 0 landfall helm -n luckyplans history luckyplans --kubeconfig .landfall/kubeconfig
    says superseded deployed 'Upgrade complete'
}
step 5 'status and history tell the same revisions' history

secrets() {
    exits 0 landfall down --yes
    exits 0 prod secrets init --env prod --write --plain "$DAY/plain.env"
    says '9/9 keys sealed in'
    is "$(stat -c %a "$DAY/plain.env")" 600 'the mode of the plain values'
    is "$(wc -l <"$DAY/plain.env")" 9 'plain values'
    # The fingerprint of what is generated once goes into landfall.yaml, so that nothing else takes its place.
    is "$(git diff --name-only | tr '\n' ' ')" "$VALUES landfall.yaml " 'changed files'
    ! git diff | grep -qF "$(sed -n 's/^JWT_SECRET=//p' "$DAY/plain.env")"
    git commit -qam 'Seal the secrets of production'
    git push -q
}
step 6 'secrets init makes and seals nine keys, and shows them once' secrets

rehearse() {
    within 10 exits 0 landfall --state "$DAY/tried" rehearse --env prod
    says 'would deliver cleanly' 'Job/prisma-migrate' 'hook Job/smoke-test'
    # A hook that runs before what it waits for.
    cp -r . "$DAY/faulty"
    cd "$DAY/faulty"
    sed -i 's/argocd.argoproj.io\/hook: .*/argocd.argoproj.io\/hook: PreSync/; s/helm.sh\/hook: .*/helm.sh\/hook: pre-install,pre-upgrade/' \
        infrastructure/helm/luckyplans/templates/prisma-migrate/job.yaml
    git commit -qam 'Migrate first'
    exits 1 landfall --state "$DAY/tried-faulty" rehearse --env prod --from empty
    # What it waits for is named: the settings of its database, which come later.
    says 'hook Job.batch luckyplans/prisma-migrate failed' 'wait-for-database' 'not found'
}
step 7 'rehearse says that production would deliver cleanly, and names a hook that comes too early' rehearse

serve() {
    # What sealed the secrets has opened this cluster before containers were told what they answer.
    prod cluster stop
    LANDFALL_WEBHOOK_SECRET=day landfall --state "$PROD" serve . --env prod --repo "$HTTPS=$ORIGIN" --listen "$SERVER" \
        >"$DAY/serve.out" 2>"$DAY/serve.err" &
    echo $! >"$DAY/serve.pid"
    eventually 30 grep -q "^ready http://$SERVER" "$DAY/serve.out"
    eventually 30 synced
    exits 0 prod app wait luckyplans-prod --timeout 60s
    # Grafana's password in the example is a placeholder that nobody can open: one Application's fault holds no other.
    exits 0 prod app list
    grep -E '^argocd/observability-prod .* Synced +Degraded' "$DAY/out"
}
step 8 'serve takes the Applications from the repository: Synced and Healthy at its head' serve

twenty() {
    local commits=() commit before children=() n
    for n in $(seq 20); do
        git commit -q --allow-empty -m "change $n"
        commits+=("$(git rev-parse --short=7 HEAD)")
    done
    git push -q
    before=$(git rev-list --count HEAD)
    for commit in "${commits[@]}"; do
        prod images set "sha-$commit" --env prod --push --unchecked --remote "$ORIGIN" --yes >"$DAY/said/set-$commit" 2>&1 &
        children+=($!)
    done
    for n in "${children[@]}"; do wait "$n" || wrong "a writer failed: $(cat "$DAY"/said/set-*)"; done
    pulled
    is "$(git rev-list --merges --count HEAD)" 0 'merges'
    n=$(($(git rev-list --count HEAD) - before))
    ((n >= 1 && n <= 20)) || wrong "$n commits"
    # The newest build won, whoever came last; nothing but the tags of what is built here has changed.
    is "$(grep -c "tag: sha-${commits[19]}" "$VALUES")" 4 'services with the newest tag'
    is "$(git diff --name-only "HEAD~$n")" "$VALUES" 'changed files'
    is "$(git diff "HEAD~$n" | grep -c '^+[^+]')" 4 'changed lines'
    curl -sS -o /dev/null -X POST "http://$SERVER/api/webhook" -H 'X-GitHub-Event: push' -d '{}' -w '%{http_code}' >"$DAY/out"
    says 401
    eventually 40 synced
}
step 9 'twenty writers set tags at once: a linear history, the newest build wins and is synced' twenty

scaled() {
    exits 0 kubectl --kubeconfig "$PROD/kubeconfig" -n luckyplans scale deploy/web --replicas=5
    eventually 5 replicas_are 2
    exits 0 prod app events luckyplans-prod
    says 'from 5 to 2'
}
step 10 'a scaling by hand is put back at once, and told' scaled

one_secret() {
    local gateway web
    eventually 40 synced
    pulled
    gateway=$(pods "$PROD" luckyplans app.kubernetes.io/name=api-gateway) web=$(pods "$PROD" luckyplans app.kubernetes.io/name=web)
    exits 0 prod secrets set SESSION_SECRET --env prod --push --yes --plain "$DAY/session.env"
    is "$(git diff HEAD~1 -- "$VALUES" | grep -c '^+[^+]')" 1 'changed ciphertexts'
    eventually 40 synced
    eventually 20 changed_pods "$gateway"
    is "$(pods "$PROD" luckyplans app.kubernetes.io/name=web)" "$web" 'web was restarted'
}
changed_pods() {
    [ "$(pods "$PROD" luckyplans app.kubernetes.io/name=api-gateway)" != "$1" ]
}
step 11 'one secret changes: its readers restart, others do not, no other ciphertext changes' one_secret

missing_key() {
    local gateway
    gateway=$(pods "$PROD" luckyplans app.kubernetes.io/name=api-gateway)
    git checkout -q -b no-pepper
    sed -i '/^ *WORKER_CREDENTIAL_PEPPER:/d' "$VALUES"
    git commit -qam 'Drop the pepper'
    exits 1 landfall --state "$DAY/tried-pepper" rehearse --env prod --from empty
    says 'would NOT deliver' 'Deployment/api-gateway needs luckyplans-secrets[WORKER_CREDENTIAL_PEPPER]'
    git checkout -q main
    is "$(pods "$PROD" luckyplans app.kubernetes.io/name=api-gateway)" "$gateway" 'running pods'
}
step 12 'a key that pods need and git no longer has: the rehearsal refuses it by name, running pods stay' missing_key

refused_sync() {
    local gateway
    gateway=$(pods "$PROD" luckyplans app.kubernetes.io/name=api-gateway)
    pulled
    git checkout -q -B no-pepper
    sed -i '/^ *WORKER_CREDENTIAL_PEPPER:/d' "$VALUES"
    git commit -qam 'Drop the pepper'
    git push -q origin no-pepper:main
    eventually 40 refuses_the_sync
    is "$(pods "$PROD" luckyplans app.kubernetes.io/name=api-gateway)" "$gateway" 'running pods'
    kubectl --kubeconfig "$PROD/kubeconfig" -n luckyplans get sealedsecret luckyplans-secrets -o jsonpath='{.spec.encryptedData.WORKER_CREDENTIAL_PEPPER}' | grep -q .
    # A revert is delivered as any commit.
    git revert --no-edit HEAD >/dev/null && git push -q origin no-pepper:main
    git checkout -q main && pulled
    eventually 40 synced
}
refuses_the_sync() {
    prod app get luckyplans-prod -o json | grep -F 'needs luckyplans-secrets[WORKER_CREDENTIAL_PEPPER]'
}
step 12b 'pushed all the same, the server refuses that sync by name; a revert is delivered' refused_sync

broken_health() {
    local before
    before=$(git rev-parse HEAD)
    # Containers answer what they did when the server began; so the new commit wants another answer of them.
    sed -i "/https:\/\/api.example.com\/health/s/\"status\":\"ok\"/\"status\":\"better\"/" landfall.yaml
    git diff --quiet && wrong 'nothing is broken'
    sed -i 's/^\( *\)sync: auto$/\1sync: auto\n\1onSmokeFailure: revert/' landfall.yaml
    git commit -qam 'Break the gateway'
    git commit -q --allow-empty -m 'build'
    git push -q
    prod images set "sha-$(git rev-parse --short=7 HEAD)" --env prod --push --unchecked --remote "$ORIGIN" --yes
    pulled
    eventually 60 told_of_smoke
    prod app logs luckyplans-prod --hook checks
    eventually 30 reverted
    git checkout -q "$before" -- . && git commit -qam 'Mend the gateway' && git push -q
    prod app pin luckyplans-prod --release
    eventually 30 synced
}
told_of_smoke() {
    prod app get luckyplans-prod | grep -E 'SmokeError'
}
reverted() {
    prod app get luckyplans-prod | grep -iE "pin"
}
step 13 'a check of a new tag fails: Degraded, with its log, and the delivery before comes back' broken_health

back() {
    local before head
    pulled
    before=$(grep -m 1 -o 'tag: sha-[0-9a-f]*' "$VALUES" | cut -d ' ' -f 2)
    git commit -q --allow-empty -m 'One more build' && git push -q
    exits 0 prod images set "sha-$(git rev-parse --short=7 HEAD)" --env prod --push --unchecked --remote "$ORIGIN" --yes
    pulled
    eventually 40 synced
    head=$(git rev-parse HEAD)
    # What is older is skipped, unless it is said that it is meant.
    exits 0 prod images set "$before" --env prod --push --unchecked --remote "$ORIGIN" --yes
    is "$(git -C "$ORIGIN" rev-parse main)" "$head" 'the branch'
    exits 0 prod images set "$before" --env prod --push --unchecked --allow-older --remote "$ORIGIN" --yes
    pulled
    is "$(git rev-parse HEAD~1)" "$head" 'the commit before'
    is "$(grep -c "tag: $before" "$VALUES")" 4 'services with the tag before'
    eventually 40 synced
    kubectl --kubeconfig "$PROD/kubeconfig" -n luckyplans get deploy web -o jsonpath='{.spec.template.spec.containers[0].image}' | grep -F ":$before"
}
step 14 'production goes back by a new commit, with the images of before' back

down() {
    serve_ends
    rm -f "$DAY/serve.pid"
    eventually 10 gone
    exits 0 prod cluster stop
    exits 0 landfall --state "$PROD" cluster reset --yes
    [ ! -e "$PROD/cluster.db" ] || wrong "$(ls "$PROD")"
    is "$(git status --porcelain)" '' 'the working tree'
    exits 0 landfall up
    exits 0 landfall down --yes --keep-data
    exits 0 landfall up
    exits 0 landfall down --yes
    [ ! -e .landfall ] || wrong "$(ls .landfall)"
}
gone() {
    ! curl -s -o /dev/null "http://$SERVER/healthz"
}
step 20 'down leaves no process, no port and no file; with --keep-data the next up finds it' down
