//! Whether an operator may make what a delivery does not show.

use landfall_object::Object;
use serde_json::Value;

use crate::subject::Subject;

/// The groups whose operators make no pods of an application: certificates, secrets, policies, routes and measuring.
const MAKING_NO_PODS: &[&str] = &[
    "route.openshift.io",
    "cert-manager.io",
    "monitoring.coreos.com",
    "bitnami.com",
    "external-secrets.io",
    "generators.external-secrets.io",
    "secrets.hashicorp.com",
    "secrets-store.csi.x-k8s.io",
    "kyverno.io",
    "wgpolicyk8s.io",
    "templates.gatekeeper.sh",
    "constraints.gatekeeper.sh",
    "networking.istio.io",
    "security.istio.io",
    "telemetry.istio.io",
    "policy.linkerd.io",
    "crd.projectcalico.org",
    "cilium.io",
    "externaldns.k8s.io",
    "keda.sh",
    "autoscaling.k8s.io",
    "policy.cert-manager.io",
];

/// Whether the kinds of a group are somebody's own, and none of Kubernetes'.
pub(crate) fn is_of_an_operator(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// Walks through the fields of a resource, but for its metadata: path, key and value. What `see` takes is not gone into.
pub(crate) fn walk(value: &Value, path: &str, see: &mut impl FnMut(&str, &str, &Value) -> bool) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != "metadata") {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if !see(&path, key, value) {
                    walk(value, &path, see);
                }
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                walk(value, &format!("{path}[{at}]"), see);
            }
        }
        _ => {}
    }
}

/// Whether the operator of a group may make pods of an application: those of the API's own are seen, and of nobody else's it is known.
pub(crate) fn may_run_pods(group: &str) -> bool {
    is_of_an_operator(group) && !group.starts_with("traefik.") && !MAKING_NO_PODS.contains(&group)
}

/// Whether a unit holds resources of somebody's own kinds, whose operator may make pods, Services and Secrets of its own.
pub(crate) fn is_operated(subject: &Subject<'_>, unit: &str) -> bool {
    let own = || subject.objects().filter(|it| it.unit == unit);
    own().any(|it| may_run_pods(it.object.group()) || may_make_pods(&it.object))
}

/// Whether a role lets programs make pods while they run.
fn may_make_pods(role: &Object) -> bool {
    let has = |rule: &Value, list: &str, wanted: &[&str]| {
        rule[list].as_array().into_iter().flatten().filter_map(Value::as_str).any(|word| wanted.contains(&word))
    };
    matches!(role.kind(), "Role" | "ClusterRole")
        && role.list_at("/rules").iter().any(|rule| {
            has(rule, "verbs", &["create", "*"])
                && has(rule, "resources", &["pods", "deployments", "statefulsets", "jobs", "*"])
        })
}

/// Whether any unit that delivers into a namespace holds such resources.
pub(crate) fn is_operated_in(subject: &Subject<'_>, namespace: &str) -> bool {
    subject.units.iter().filter(|unit| unit.namespace == namespace).any(|unit| is_operated(subject, &unit.name))
}
