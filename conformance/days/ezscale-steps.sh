# What both days of the EZSCALE website do alike. PROD is the directory whose `kubeconfig` leads to its cluster, and `prod` calls us there.
CHART=helm/ezscale-website
ARGS=(-n ezscale -f "$CHART/values-us-prod.yaml")

k() {
    kubectl --kubeconfig "$PROD/kubeconfig" -n ezscale "$@"
}

# Helm's door, as the release workflow types it.
upgrade() {
    prod upgrade --install ezscale-website "$CHART" "${ARGS[@]}" --kubeconfig "$PROD/kubeconfig" "$@"
}

version_of() {
    k get "$1" "$2" -o jsonpath='{.metadata.resourceVersion}'
}

image() {
    k get deploy "ezscale-website-$1" -o jsonpath='{.spec.template.spec.containers[-1:].image}'
}

one_scheduler() {
    : >"$DAY/schedulers"
    (while [ ! -e "$DAY/upgraded" ]; do k get pods -l app.kubernetes.io/component=scheduler --field-selector status.phase=Running -o name | wc -l >>"$DAY/schedulers"; done) &
    exits 0 upgrade --set image.tag=v1.2.6 --wait
    touch "$DAY/upgraded"
    wait
    is "$(awk '$1 > 1' "$DAY/schedulers" | wc -l)" 0 'looks that saw two schedulers'
    (($(wc -l <"$DAY/schedulers") > 2)) || wrong 'nobody looked'
}

database() {
    k get databases.k8s.mariadb.com -o jsonpath='{range .items[*]}{.metadata.uid} {.metadata.generation} {.spec}{"\n"}{end}'
}

back() {
    local secret database
    secret=$(version_of secret ezscale-website-secrets) database=$(database)
    exits 0 prod helm rollback ezscale-website 1 -n ezscale --kubeconfig "$PROD/kubeconfig" --wait
    k get deploy ezscale-website-horizon -o jsonpath='{.spec.template.spec.containers[0].image}' | grep -F horizon-v1.2.3
    is "$(version_of secret ezscale-website-secrets)" "$secret" 'the Secret'
    # Its label tells the release's version, and goes back with it; what it is does not.
    is "$(database)" "$database" 'the Database'
}
