# The parts of the EZSCALE website's day that a cluster decides about, on a real API server. Nothing answers in its containers, and
# what other operators and the cloud would do is played by place.py.
. "$(dirname "$0")/control.sh"
. "$(dirname "$0")/ezscale-steps.sh"

ends_with 'ends "$DAY/place.pid"' '>/dev/null 2>&1'
context k3s-us-prod
PROD=$DAY
prod() {
    landfall "$@"
}

without_checks landfall.yaml
git init -q . && git add -A && git commit -qm first

bootstrap() {
    {
        definition cert-manager.io v1 Certificate certificates Namespaced
        definition cert-manager.io v1 ClusterIssuer clusterissuers Cluster
        definition traefik.io v1alpha1 Middleware middlewares Namespaced
        definition traefik.io v1alpha1 IngressRoute ingressroutes Namespaced
        definition k8s.mariadb.com v1alpha1 MariaDB mariadbs Namespaced
        definition k8s.mariadb.com v1alpha1 Database databases Namespaced
        definition k8s.mariadb.com v1alpha1 User users Namespaced
        definition k8s.mariadb.com v1alpha1 Grant grants Namespaced
    } | kubectl apply -f -
    place clusterissuers certificates mariadbs databases.k8s.mariadb.com users.k8s.mariadb.com grants.k8s.mariadb.com
    # What stands on the shared cluster before the chart comes; the Secret of the website is made here, once.
    python3 - <<'PY'
text = open('cluster/us-prod.yaml').read().split('\n---\n')
kept = [part for part in text if 'name: ezscale-website-secrets' not in part]
assert len(kept) == len(text) - 1, len(kept)
open('cluster/us-prod.yaml', 'w').write('\n---\n'.join(kept))
PY
    exits 0 landfall up ./cluster --context k3s-us-prod --yes
    printf 'AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nSTRIPE_SECRET=c\n' >"$DAY/given.env"
    chmod 600 "$DAY/given.env"
    printf 'a passphrase of the day\n' >"$DAY/passphrase" && chmod 600 "$DAY/passphrase"
    exits 5 landfall secrets bootstrap --env us-prod --from-file "$DAY/given.env" --plain "$DAY/plain.env" --yes
    says 'would live on its cluster alone'
    exits 0 landfall secrets bootstrap --env us-prod --from-file "$DAY/given.env" --plain "$DAY/plain.env" --yes \
        --backup "$DAY/first.age" --passphrase-file "$DAY/passphrase"
    grep -qE '^APP_KEY=base64:[A-Za-z0-9+/]{43}=$' "$DAY/plain.env"
    is "$(openssl rsa -in <(k get secret ezscale-website-secrets -o 'jsonpath={.data.oauth-private\.key}' | base64 -d) -noout -text 2>/dev/null | head -n 1)" \
        'Private-Key: (4096 bit, 2 primes)' 'the key'
    exits 5 landfall secrets bootstrap --env us-prod --yes
    says 'is bootstrapped already' 'APP_KEY:' 'oauth-private.key:'
    git commit -qam 'What is generated once, by its fingerprint'
    k get secret ezscale-website-secrets -o jsonpath='{.data.APP_KEY}' >"$DAY/app-key"
}
step 4 'secrets bootstrap makes the keys once on a real API server; a second time is refused with their fingerprints' bootstrap

rehearse() {
    exits 0 landfall rehearse "$CHART" "${ARGS[@]}" --set image.tag=v1.2.3 --from live --context k3s-us-prod
    says 'Job/ezscale-website-migrate'
}
step 5 'rehearse of a tag on the live cluster, migrations first' rehearse

install() {
    exits 0 upgrade --set image.tag=v1.2.3 --wait --timeout 120s
    says deployed 'REVISION: 1'
    is "$(image scheduler)" "$(image scheduler | sed 's/:.*/:scheduler-v1.2.3/')" 'the image'
    is "$(k get job ezscale-website-migrate -o jsonpath='{.status.succeeded}' 2>/dev/null || echo 1)" 1 'migrations that have run'
}
step 6 'upgrade --install delivers revision 1' install

bad_migration() {
    local generation
    # The API server lets no pod of these migrations start.
    kubectl apply -f - <<'Y'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: bad-migrations}
spec:
  failurePolicy: Fail
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "!object.spec.containers.exists(it, it.image.contains('badmigration'))", message: this migration fails}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: bad-migrations}
spec: {policyName: bad-migrations, validationActions: [Deny]}
Y
    sleep 2
    generation=$(k get deploy ezscale-website-app -o jsonpath='{.metadata.generation}')
    exits 1 upgrade --set image.tag=v1.2.4-badmigration --wait --timeout 15s
    says ezscale-website-migrate
    is "$(k get deploy ezscale-website-app -o jsonpath='{.metadata.generation}')" "$generation" 'the generation'
    is "$(k get deploy ezscale-website-app -o jsonpath='{.status.readyReplicas}')" "$(k get deploy ezscale-website-app -o jsonpath='{.spec.replicas}')" 'pods that run'
    kubectl delete validatingadmissionpolicybinding bad-migrations
    sleep 2
}
step 7 'a migration that cannot run stops the upgrade: no workload is touched' bad_migration

without_migrations() {
    exits 0 upgrade --set image.tag=v1.2.4-badmigration --set migrate.enabled=false --wait --timeout 120s
    exits 0 landfall history "$CHART" -n ezscale --context k3s-us-prod
    says 'migrate.enabled'
}
step 8 'without migrations it is allowed, and the history says so' without_migrations

autoscaled() {
    # As the autoscaler would: a testbed measures no load.
    exits 0 k scale deploy/ezscale-website-app --replicas=4
    exits 0 upgrade --set image.tag=v1.2.5 --wait --timeout 120s
    is "$(k get deploy ezscale-website-app -o jsonpath='{.spec.replicas}')" 4 'replicas'
}
step 9 'an upgrade keeps the number of pods that somebody else has chosen' autoscaled

once() {
    local other=base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
    printf %s "$other" | exits 5 landfall secrets set APP_KEY --stdin --env us-prod --yes
    exits 5 landfall secrets rotate APP_KEY --env us-prod --yes
    mkdir -p "$DAY/other"
    printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: ezscale-website-secrets, namespace: ezscale}\nstringData: {APP_KEY: "%s"}\n' "$other" >"$DAY/other/secret.yaml"
    if landfall up "$DAY/other" -n ezscale --context k3s-us-prod --yes; then wrong 'a manifest has replaced it'; fi
    if upgrade --set secret.create=true --set "secret.values.APP_KEY=$other"; then :; fi
    is "$(k get secret ezscale-website-secrets -o jsonpath='{.data.APP_KEY}')" "$(cat "$DAY/app-key")" 'APP_KEY'
    exits 0 landfall secrets check --env us-prod
}
step 10 'APP_KEY is changed by no way of ours: set, rotate, a manifest, the chart' once

past_us() {
    local right
    right=$(cat "$DAY/app-key")
    exits 0 landfall secrets backup "$DAY/keys.age" --env us-prod --passphrase-file "$DAY/passphrase"
    k patch secret ezscale-website-secrets --type merge -p "{\"data\": {\"APP_KEY\": \"$(printf other | base64)\"}}"
    exits 1 landfall secrets check --env us-prod
    says APP_KEY
    exits 5 landfall secrets restore "$DAY/keys.age" --env us-prod --passphrase-file "$DAY/passphrase" --yes
    says "is there with another value than the backup's" 'nothing was written'
    k delete secret ezscale-website-secrets
    exits 0 landfall secrets restore "$DAY/keys.age" --env us-prod --passphrase-file "$DAY/passphrase" --yes
    is "$(k get secret ezscale-website-secrets -o jsonpath='{.data.APP_KEY}')" "$right" 'APP_KEY'
    exits 0 landfall secrets check --env us-prod
}
step 10b 'written past Landfall by kubectl it is told; lost, it comes back from the backup, and nothing is written over' past_us

step 11 'during an upgrade there is never a second scheduler' one_scheduler

step 12 'a rollback brings the old images and touches neither Secret nor Database' back

uninstall() {
    exits 0 landfall uninstall ezscale-website -n ezscale
    says Database User Grant
    k get databases.k8s.mariadb.com,users.k8s.mariadb.com,grants.k8s.mariadb.com,pvc -o name >"$DAY/out"
    says database. user. grant. persistentvolumeclaim/
    is "$(k get deploy,statefulset -l app.kubernetes.io/name=ezscale-website -o name)" '' 'workloads'
    is "$(k get secret ezscale-website-secrets -o jsonpath='{.data.APP_KEY}')" "$(cat "$DAY/app-key")" 'APP_KEY'
}
step 13 'uninstall keeps database, user, grant, claim and Secret, and says so' uninstall
