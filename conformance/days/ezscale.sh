# A day in the life of the EZSCALE website, from commands of the README, on the embedded cluster.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ezscale-steps.sh"

PROD=$DAY/prod
ends_with 'landfall --state "$PROD" cluster stop; landfall down --yes' '>/dev/null 2>&1'
git config --global user.name day && git config --global user.email day@example.com
git config --global init.defaultBranch main
sed -i 's/cluster: {context: k3s-us-prod, protected: true}/cluster: embedded/' landfall.yaml
git init -q . && git add -A && git commit -qm first

prod() {
    landfall --state "$PROD" "$@"
}

# Our own door, which can make a simulated Job fail.
delivered() {
    prod up --env us-prod --allow-unsimulated "$@"
}

doctor() {
    exits 0 landfall --state "$DAY/empty" cluster start
    landfall --state "$DAY/empty" doctor --env us-prod cluster >"$DAY/out" 2>&1 || true
    says 'Secret `gitea-registry` is neither delivered' 'Secret `ezscale-website-secrets` is neither' 'MariaDB `mariadb`' \
        'Middleware `cloudflarewarp`' 'Middleware `http-to-https`' 'ClusterIssuer `letsencrypt`' 'k8s.mariadb.com come with no definition'
    exits 0 landfall --state "$DAY/empty" cluster reset --yes
}
step 1 'doctor on an empty cluster lists what is missing' doctor

# The embedded cluster offers what a cluster has from elsewhere. A real one has what it has.
real_doctor() {
    : "${CONTROL_PLANE:?the suite starts one}"
    cp -r . "$DAY/real"
    cp "$CONTROL_PLANE" "$DAY/real.kubeconfig"
    export KUBECONFIG=$DAY/real.kubeconfig
    kubectl config rename-context "$(kubectl config current-context)" k3s-us-prod
    cd "$DAY/real"
    git checkout -q "$(git rev-list --max-parents=0 HEAD)"
    python3 - <<'PY'
text = open('landfall.yaml').read()
head, tail = text.split('  us-prod:\n', 1)
assert 'cluster: embedded' in tail, tail
open('landfall.yaml', 'w').write(head + '  us-prod:\n' + tail.replace('cluster: embedded', 'cluster: {context: k3s-us-prod, protected: true}', 1))
PY
    exits 1 landfall --state "$DAY/real.state" doctor --env us-prod cluster
    says 'error[LF103]: Secret `gitea-registry` is neither delivered nor on the cluster' 'Secret `ezscale-website-secrets` is neither' \
        'error[LF132]: MariaDB `mariadb`' 'error[LF132]: Middleware `cloudflarewarp`' 'error[LF132]: Middleware `http-to-https`' \
        'error[LF132]: ClusterIssuer `letsencrypt`' 'error[LF132]: the kinds Database, Grant, User of k8s.mariadb.com come with no definition'
}
step 1b 'on a real control plane with nothing of the system on it, doctor ends with 1' real_doctor

up() {
    exits 0 landfall up --allow-unsimulated
    says 'Deployment/ezscale-website-app' 'delivered'
    exits 0 landfall status
    says ezscale-website-app ezscale-website-horizon ezscale-website-scheduler ezscale-website-valkey
    silent Degraded
    kubectl --kubeconfig .landfall/kubeconfig -n ezscale get mariadb,database,user,grant \
        -o jsonpath='{range .items[*]}{.kind} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' >"$DAY/out"
    says 'MariaDB True' 'Database True' 'User True' 'Grant True'
}
step 2 'up delivers the site with its database, and everything runs' up

hosts() {
    local host
    for host in ezscale.test account.ezscale.test admin.ezscale.test; do
        exits 0 curl -fsS -H "Host: $host" "http://$(address .landfall)/up"
        says 'Application up'
    done
    exits 0 landfall down --yes
}
step 3 'three hosts answer /up' hosts

bootstrap() {
    # What stands on the shared cluster before the chart comes; the Secret of the website is made here, once.
    python3 - <<'PY'
text = open('cluster/us-prod.yaml').read().split('\n---\n')
kept = [part for part in text if 'name: ezscale-website-secrets' not in part]
assert len(kept) == len(text) - 1, len(kept)
open('cluster/us-prod.yaml', 'w').write('\n---\n'.join(kept))
PY
    exits 0 prod up ./cluster
    printf 'AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nSTRIPE_SECRET=c\n' >"$DAY/given.env"
    chmod 600 "$DAY/given.env"
    exits 0 prod secrets bootstrap --env us-prod --from-file "$DAY/given.env" --plain "$DAY/plain.env" --yes
    grep -qE '^APP_KEY=base64:[A-Za-z0-9+/]{43}=$' "$DAY/plain.env"
    is "$(openssl rsa -in <(k get secret ezscale-website-secrets -o 'jsonpath={.data.oauth-private\.key}' | base64 -d) -noout -text 2>/dev/null | head -n 1)" \
        'Private-Key: (4096 bit, 2 primes)' 'the key'
    exits 5 prod secrets bootstrap --env us-prod --yes
    says 'is bootstrapped already' 'APP_KEY:' 'oauth-private.key:'
    git commit -qam 'What is generated once, by its fingerprint'
    k get secret ezscale-website-secrets -o jsonpath='{.data.APP_KEY}' >"$DAY/app-key"
}
step 4 'secrets bootstrap makes the keys once; a second time is refused with their fingerprints' bootstrap

rehearse() {
    exits 0 prod rehearse "$CHART" "${ARGS[@]}" --set image.tag=v1.2.3 --from live
    says 'Job/ezscale-website-migrate'
    exits 0 prod template ezscale-website "$CHART" "${ARGS[@]}" --set image.tag=v1.2.3
    says app-v1.2.3 horizon-v1.2.3 scheduler-v1.2.3
    is "$(grep -c '^kind:' "$DAY/out")" 16 objects
}
step 5 'rehearse of a tag on the live cluster: sixteen objects, migrations first, the role in each tag' rehearse

install() {
    exits 0 upgrade --set image.tag=v1.2.3 --wait
    says deployed 'REVISION: 1'
    is "$(image scheduler)" "$(image scheduler | sed 's/:.*/:scheduler-v1.2.3/')" 'the image'
}
step 6 'upgrade --install delivers revision 1' install

bad_migration() {
    local generation answers
    generation=$(k get deploy ezscale-website-app -o jsonpath='{.metadata.generation}')
    curl -ks --rate 200/s -o /dev/null -w '%{http_code}\n' -H 'Host: ezscale.example.com' "https://$(tls)/up?[1-1000]" >"$DAY/answers" &
    answers=$!
    # The environment takes finished versions alone; this one is tried for a reason.
    exits 5 delivered --set image.tag=v1.2.4-badmigration --fault job/ezscale-website-migrate=fail
    exits 4 delivered --set image.tag=v1.2.4-badmigration --fault job/ezscale-website-migrate=fail --break-glass 'a hotfix'
    says ezscale-website-migrate
    wait "$answers"
    is "$(sort "$DAY/answers" | uniq -c | tr -s ' ')" ' 1000 200' 'answers of /up'
    is "$(k get deploy ezscale-website-app -o jsonpath='{.metadata.generation}')" "$generation" 'the generation'
    # What was made to fail is forgotten by the next delivery.
    exits 0 delivered --set image.tag=v1.2.3
}
tls() {
    sed -n 's/.*"https": "\([^"]*\)".*/\1/p' "$PROD/endpoint.json"
}
step 7 'a migration that fails stops the upgrade: no pod is touched, /up answers a thousand times' bad_migration

without_migrations() {
    exits 0 upgrade --set image.tag=v1.2.4-badmigration --set migrate.enabled=false --wait
    exits 0 prod history "$CHART" -n ezscale
    says 'migrate.enabled'
}
step 8 'without migrations it is allowed, and the history says so' without_migrations

loaded() {
    # What all of its pods together use; the server that opens the cluster next knows of it.
    sed -i '0,/^        container: nginx$/s//&\n        load: {cpu: 650m}/' landfall.yaml
    grep -q 'load: {cpu: 650m}' landfall.yaml
    git commit -qam 'Under load'
    exits 0 prod cluster stop
    exits 0 delivered --set image.tag=v1.2.4
    eventually 60 has_pods 4
    k get hpa ezscale-website-app
}
has_pods() {
    [ "$(k get deploy ezscale-website-app -o jsonpath='{.spec.replicas}')" = "$1" ]
}
step 9b 'under load the autoscaler chooses four' loaded

autoscaled() {
    exits 0 upgrade --set image.tag=v1.2.5 --wait
    is "$(k get deploy ezscale-website-app -o jsonpath='{.spec.replicas}')" 4 'replicas'
}
step 9 'an upgrade keeps the number of pods that the autoscaler has chosen' autoscaled

once() {
    local other=base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
    printf %s "$other" | exits 5 prod secrets set APP_KEY --stdin --env us-prod --yes
    exits 5 prod secrets rotate APP_KEY --env us-prod --yes
    printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: ezscale-website-secrets, namespace: ezscale}\nstringData: {APP_KEY: "%s"}\n' "$other" >"$DAY/secret.yaml"
    mkdir -p "$DAY/other" && cp "$DAY/secret.yaml" "$DAY/other/"
    if prod up "$DAY/other" -n ezscale --yes; then wrong 'a manifest has replaced it'; fi
    if upgrade --set secret.create=true --set "secret.values.APP_KEY=$other"; then :; fi
    is "$(k get secret ezscale-website-secrets -o jsonpath='{.data.APP_KEY}')" "$(cat "$DAY/app-key")" 'APP_KEY'
    exits 0 prod secrets check --env us-prod
}
step 10 'APP_KEY is changed by no way of ours: set, rotate, a manifest, the chart' once

past_us() {
    local right
    right=$(cat "$DAY/app-key")
    printf 'a passphrase of the day\n' >"$DAY/passphrase" && chmod 600 "$DAY/passphrase"
    exits 0 prod secrets backup "$DAY/keys.age" --env us-prod --passphrase-file "$DAY/passphrase"
    # Kubernetes itself takes another value from whoever may write it; nothing of ours takes it for the right one.
    k patch secret ezscale-website-secrets --type merge -p "{\"data\": {\"APP_KEY\": \"$(printf other | base64)\"}}"
    exits 1 prod secrets check --env us-prod
    says APP_KEY
    # Nor does a backup write over what is there.
    exits 5 prod secrets restore "$DAY/keys.age" --env us-prod --passphrase-file "$DAY/passphrase" --yes
    says "is there with another value than the backup's" 'nothing was written'
    k patch secret ezscale-website-secrets --type merge -p "{\"data\": {\"APP_KEY\": \"$right\"}}"
    exits 0 prod secrets check --env us-prod
}
step 10b 'written past Landfall by kubectl it is told, and a backup of another value writes over nothing' past_us

step 11 'during an upgrade there is never a second scheduler' one_scheduler
step 12 'a rollback brings the old images and touches neither Secret nor Database' back

uninstall() {
    exits 0 prod uninstall ezscale-website -n ezscale --kubeconfig "$PROD/kubeconfig"
    says Database User Grant
    k get secret ezscale-website-secrets
    k get database,user,grant,pvc -o name >"$DAY/out"
    says database. user. grant. persistentvolumeclaim/
    is "$(k get deploy,statefulset -l app.kubernetes.io/name=ezscale-website -o name)" '' 'workloads'
    is "$(k get secret ezscale-website-secrets -o jsonpath='{.data.APP_KEY}')" "$(cat "$DAY/app-key")" 'APP_KEY'
}
step 13 'uninstall keeps database, user, grant, claim and Secret, and says so' uninstall

lint() {
    exits 0 prod lint "$CHART" -f "$CHART/values-us-prod.yaml" --set image.tag=v1.2.3
    says '0 chart(s) failed'
}
step 14 'lint finds nothing in the example' lint

# The system as its document has it: `lint` is Helm's and knows none of them; `rehearse` does.
traps() {
    local chart=helm/ezscale-website
    cp -r . "$DAY/traps"
    cd "$DAY/traps"
    python3 - <<'PY'
import os
def change(path, *pairs):
    text = open(path).read()
    for old, new in pairs:
        assert old in text, (path, old)
        text = text.replace(old, new)
    open(path, 'w').write(text)
os.chdir('helm/ezscale-website')
change('templates/job-migrate.yaml', ('hook: post-install,pre-upgrade', 'hook: pre-install,pre-upgrade'))
change('templates/deployment-scheduler.yaml', ('type: Recreate', 'type: RollingUpdate'))
change('values.yaml', ('maxmemoryPolicy: volatile-lru', 'maxmemoryPolicy: allkeys-lru'), ('limits: {memory: 1536Mi}', 'limits: {memory: 1Gi}'))
change('templates/_helpers.tpl', ('"component" "config") }}\n{{- end }}', '"component" "config") }}\n- secretRef: {name: {{ .Values.secret.name }}}\n{{- end }}'))
change('templates/deployment-app.yaml', ('  {{- if not .Values.autoscaling.enabled }}\n  replicas: {{ .Values.app.replicas }}\n  {{- end }}\n', '  replicas: {{ .Values.app.replicas }}\n'))
PY
    git add -A && git commit -qm 'As the document has it'
    exits 1 landfall --state "$DAY/tried-traps" rehearse --env us-prod --set image.tag=v1.2.3 --from empty
    says 'would NOT deliver' 'error[LF108]: hook `ezscale-website-migrate` needs ConfigMap `ezscale-website-config`, which its own release creates later' \
        'error[LF122]: Deployment `ezscale-website-scheduler` rolls a scheduler over itself' \
        'LF123]: container `valkey` evicts by allkeys-lru' 'LF123]: container `valkey` may fill 1024 MiB and is killed at 1024 MiB' \
        'LF120]: key `oauth-private.key` of Secret `ezscale-website-secrets`' \
        'LF121]: Deployment `ezscale-website-app` declares replicas and is scaled automatically'
    # And a database that goes with its object, once a commit leaves that out.
    git checkout -q HEAD~1
    sed -i 's/cleanupPolicy: Skip/cleanupPolicy: Delete/; /resource-policy: keep/d' "$chart/templates/mariadb-database.yaml"
    git commit -qam 'Let the database go with its object'
    git rm -q "$chart/templates/mariadb-database.yaml"
    git commit -qm 'Leave it out'
    exits 1 landfall --state "$DAY/tried-traps" rehearse HEAD~1..HEAD --env us-prod --set image.tag=v1.2.3
    says 'lost with Database/ezscale-billing: the database'
    # Of the example none of it is said.
    cd "$DAY/system"
    landfall --state "$DAY/tried-traps" rehearse --env us-prod --set image.tag=v1.2.3 --from empty >"$DAY/out" 2>&1 || true
    silent LF108 LF120 LF121 LF122 LF123
}
step 14b 'rehearse names the traps T11 to T16 in the system as its document has it, and none in the example' traps
