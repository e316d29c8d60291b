# What the days on a real API server share: kinds that addons bring, and what other operators and the cloud would do (place.py).
. "$(dirname "$0")/lib.sh"

: "${CONTROL_PLANE:?the suite starts one}"
cp "$CONTROL_PLANE" "$DAY/kubeconfig"
export KUBECONFIG=$DAY/kubeconfig
git config --global user.name day && git config --global user.email day@example.com
git config --global init.defaultBranch main

# context NAME: what the control plane is called in the system's landfall.yaml.
context() {
    kubectl config rename-context "$(kubectl config current-context)" "$1" >&2
}

# What is asked over a cluster's network stays with the embedded days: there containers answer.
without_checks() {
    python3 - "$1" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
found = re.subn(r'    checks:\n(?:      .*\n?)+', '', text)
assert found[1] and 'checks:' not in found[0], found
open(sys.argv[1], 'w').write(found[0])
PY
}

# definition GROUP VERSION KIND PLURAL SCOPE
definition() {
    cat <<Y
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $4.$1}
spec:
  group: $1
  scope: $5
  names: {kind: $3, listKind: $3List, plural: $4, singular: $(echo "$3" | tr '[:upper:]' '[:lower:]')}
  versions:
    - name: $2
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
Y
}

# place KINDS…: objects of these kinds become Ready.
place() {
    python3 "$(dirname "$0")/place.py" "$@" >"$DAY/place.out" 2>&1 &
    echo $! >"$DAY/place.pid"
}

# ends FILE: the process whose number stands there.
ends() {
    if [ -f "$1" ]; then kill "$(cat "$1")"; fi
}
