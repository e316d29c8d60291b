//! Whether an operator may make what a delivery does not show.

use landfall_object::Object;
use serde_json::Value;

use crate::subject::Subject;

/// The groups of operators that make no pods of an application.
const MAKING_NO_PODS: &[&str] = &[
    "cert-manager.io",
    "monitoring.coreos.com",
    "bitnami.com",
    "external-secrets.io",
    "keda.sh",
    "autoscaling.k8s.io",
    "policy.cert-manager.io",
];

/// Whether a unit holds resources of somebody's own kinds, whose operator may make pods, Services and Secrets of its own.
pub(crate) fn is_operated(subject: &Subject<'_>, unit: &str) -> bool {
    let built_in = |group: &str| !group.contains('.') || group.ends_with(".k8s.io");
    let harmless = |group: &str| group.starts_with("traefik.") || MAKING_NO_PODS.contains(&group);
    let own = || subject.objects().filter(|it| it.unit == unit);
    own().map(|it| it.object.group()).any(|group| !built_in(group) && !harmless(group))
        || own().any(|it| may_make_pods(&it.object))
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
