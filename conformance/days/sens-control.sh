# The parts of SENS' day that a cluster decides about, on a real API server: test follows its files by itself, production waits for
# its owner. Nothing answers in its containers, and what other operators and the cloud would do is played by place.py.
. "$(dirname "$0")/control.sh"

PRODUCT=https://git.example.com/sens/sens-platform.git
INFRA=https://git.example.com/sens/sens-platform-infra.git
SERVER=127.0.0.1:${PORT:-18490}
ends_with 'ends "$DAY/serve.pid"; ends "$DAY/place.pid"' '>/dev/null 2>&1'
context k3s-sens

# Both environments on one cluster, as the example says.
python3 - <<'PY'
import re
path = 'infra/landfall.yaml'
text = open(path).read()
assert text.count('    cluster: embedded\n') == 2
text = text.replace('    cluster: embedded\n', '    cluster: {context: k3s-sens}\n', 1)
text = text.replace('    cluster: embedded\n', '    cluster: {context: k3s-sens, protected: true}\n', 1)
text = re.sub(r'    releases:\n(?:      - .*\n)+', '', text)
assert 'releases:' not in text
open(path, 'w').write(text)
PY
without_checks infra/landfall.yaml
(cd product && git init -q . && git add -A && git commit -qm first)
HEAD=$(git -C product rev-parse HEAD)
sed -i "s/targetRevision: [0-9a-f]\{40\}/targetRevision: $HEAD/" infra/argocd/sens-*/application.yaml
(cd infra && git init -q . && git add -A && git commit -qm first && git clone -q --bare . "$DAY/infra.git" &&
    git remote add origin "$INFRA" && git remote set-url --push origin "$DAY/infra.git")
cd infra
# Which cluster: both environments are on this one.
export LANDFALL_ENV=production

application() {
    kubectl -n argocd get application "sens-platform-$1" -o "jsonpath=$2"
}

stands() {
    landfall app list | grep -E "^argocd/sens-platform-$1 .* $2"
}

synced() {
    [ "$(git -C "$DAY/infra.git" rev-parse main)" = "$(application "$1" '{.status.sync.revisions[1]}')" ] && stands "$1" 'Synced +Healthy +-'
}

image() {
    kubectl -n "sens-$1" get deploy "sens-platform-$1-platform-api" -o jsonpath='{.spec.template.spec.containers[0].image}'
}

pulled() {
    git pull -q --ff-only "$DAY/infra.git" main
}

delivers() {
    git push -q "$DAY/infra.git" HEAD:main
    eventually 60 stands production OutOfSync
    sleep 5
    is "$(image production)" "$1" 'what runs in production'
    landfall app sync sens-platform-production --yes
    eventually 120 synced production
}

set_images() {
    landfall images set "$1" --env "$2" --commit "$HEAD" --push --unchecked --yes --remote "$DAY/infra.git" --repo "$PRODUCT=../product" "${@:3}"
}

ground() {
    {
        definition cert-manager.io v1 Certificate certificates Namespaced
        definition cert-manager.io v1 ClusterIssuer clusterissuers Cluster
        definition traefik.io v1alpha1 Middleware middlewares Namespaced
    } | kubectl apply -f -
    place clusterissuers certificates
    exits 0 landfall upgrade --install sens-bootstrap bootstrap -n kube-system -f bootstrap/values.embedded.yaml --wait --timeout 120s
    kubectl apply -f argocd/access/argocd-rbac-cm.yaml -f argocd/access/argocd-cm.yaml
}
step 1 'what stands on the server before the platform comes' ground

serve() {
    env -u LANDFALL_ENV landfall serve argocd/sens-test argocd/sens-production --context k3s-sens --yes --listen "$SERVER" \
        --repo "$INFRA=$DAY/infra.git" --repo "$PRODUCT=$DAY/system/product" >"$DAY/serve.out" 2>"$DAY/serve.err" &
    echo $! >"$DAY/serve.pid"
    eventually 60 grep -q "^ready http://$SERVER" "$DAY/serve.out"
    kubectl annotate appproject sens-production -n argocd landfall.dev/protected=true
    eventually 120 synced test
    eventually 60 stands production OutOfSync
    is "$(kubectl -n sens-production get deploy -o name)" '' 'workloads of production'
}
step 5 'one server keeps both projects: test is Synced and Healthy, production waits' serve

followed() {
    exits 0 set_images 0.5.0-alpha.124.1 test
    pulled
    git diff --name-only HEAD~1 | grep -vE '^(environments/test/|argocd/sens-test/)' && wrong 'more than the files of test'
    eventually 120 synced test
    image test | grep -F ':0.5.0-alpha.124.1'
    is "$(kubectl -n sens-production get deploy -o name)" '' 'workloads of production'
}
step 3 'a build is written into the files of test alone, and runs there' followed

by_its_owner() {
    local deploy owner
    deploy=$(landfall token create deploy --role role:deploy --scope read --scope sync -o name)
    owner=$(landfall token create owner --role role:production-owner --scope read --scope sync -o name)
    [ -n "$deploy" ] && [ "$deploy" != "$owner" ]
    LANDFALL_TOKEN=$deploy exits 0 landfall app sync sens-platform-test --server "http://$SERVER" --yes
    if LANDFALL_TOKEN=$deploy landfall app sync sens-platform-production --server "http://$SERVER" --yes >"$DAY/out" 2>&1; then
        wrong 'somebody else has synced production'
    fi
    cat "$DAY/out"
    # Neither does it go past the server: an operation that is written into the object is refused and told.
    kubectl -n argocd patch application sens-platform-production --type merge -p '{"operation": {"sync": {}}}'
    sleep 5
    is "$(kubectl -n sens-production get deploy -o name)" '' 'workloads of production'
    LANDFALL_TOKEN=$owner exits 0 landfall app sync sens-platform-production --server "http://$SERVER" --yes
    eventually 120 synced production
}
step 9 'production is synced by its owner, and by nobody else' by_its_owner

# What a pull request brings once it is merged; past it nobody sets a tag there.
proposed() {
    local before
    before=$(image production)
    landfall images set 0.5.0 --env production --push --unchecked --yes --remote "$DAY/infra.git" --repo "$PRODUCT=../product" >"$DAY/out" 2>&1 &&
        wrong 'a tag of production is set by somebody who owns nothing'
    cat "$DAY/out"; grep -F LF0981 "$DAY/out"
    pulled
    sed -i 's/tag: 0\.4\.0$/tag: 0.5.0/' environments/production/*.yaml
    git commit -qam 'Promote 0.5.0'
    delivers "$before"
    image production | grep -F ':0.5.0'
}
step 8 'a commit delivers nothing in production; a sync does' proposed

late() {
    exits 0 set_images 0.5.0-alpha.123.2 test
    says older
    pulled
    image test | grep -F ':0.5.0-alpha.124.1'
}
step 10 'a build that comes late is left alone' late

restricted() {
    kubectl -n argocd get configmap argocd-rbac-cm -o jsonpath='{.data.policy\.csv}' >"$DAY/policy.csv"
    exits 0 landfall access prove --as deploy --env production --service-account sens-test/deploy-test --policy "$DAY/policy.csv"
    local config
    config=$(landfall access kubeconfig --service-account sens-test/deploy-test --context k3s-sens)
    printf '%s\n' "$config" >"$DAY/restricted"
    if kubectl --kubeconfig "$DAY/restricted" -n sens-production get secrets; then wrong 'it reads the secrets of production'; fi
    if kubectl --kubeconfig "$DAY/restricted" -n sens-production delete deploy --all; then wrong 'it deletes in production'; fi
}
step 15 'the restricted identity touches nothing of production, by the API server itself' restricted

back() {
    local before
    before=$(image production)
    pulled
    git revert --no-edit "$(git log -1 --format=%H --grep 'Promote 0.5.0')"
    delivers "$before"
    image production | grep -F ':0.4.0'
    image test | grep -F ':0.5.0-alpha.124.1'
}
step 12 'production goes back by a commit and a sync; test stays' back
