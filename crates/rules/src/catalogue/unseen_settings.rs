use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::references;
use serde_json::Value;

use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF149",
    title: "changed settings reach the pods that read them",
    severity: Severity::Warning,
    why: "Variables are read once, when a container starts. A Secret or ConfigMap that changes beside a pod template that does \
          not leaves every pod with the old value until somebody restarts it: after a rotated password, with one that no \
          longer works.",
    advice: "Put a checksum of the settings into the pod template's annotations, or restart the workload after the change.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(base) = subject.base else { return Vec::new() };
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        if matches!(object.kind(), "Job" | "CronJob" | "Pod") || is_reloaded(object) {
            continue;
        }
        let Some(old) = find(base, object.group(), object.kind(), object.namespace(), object.name()) else { continue };
        let same = pod_template(old)
            .is_some_and(|before| before.spec == template.spec && before.annotations() == template.annotations());
        if !same {
            continue;
        }
        let mut seen: Vec<(String, String)> = Vec::new();
        for reference in references(object).into_iter().filter(|it| it.path.contains(".env")) {
            let id = (reference.kind.clone(), reference.name.clone());
            if !matches!(id.0.as_str(), "Secret" | "ConfigMap") || seen.contains(&id) {
                continue;
            }
            seen.push(id);
            let (namespace, key) = (reference.namespace.as_deref(), reference.key.as_deref());
            if !changes(subject, base, &reference.kind, namespace, &reference.name, key) {
                continue;
            }
            let message = format!("{} `{}` changes, and the pods that read it do not", reference.kind, reference.name);
            findings.push(
                RULE.finding(message)
                    .because(format!(
                        "the pods of {} `{}` go on with the old values until they are restarted",
                        object.kind(),
                        object.name()
                    ))
                    .at(desired.spot_at(&reference.path)),
            );
        }
    }
    findings
}

/// Whether something else restarts the pods.
pub(super) fn is_reloaded(object: &Object) -> bool {
    let mut annotations = object.annotations().into_iter().flatten().map(|(name, _)| name.as_str());
    annotations.any(|name| name.starts_with("reloader.stakater.com/") || name.contains(".reloader.stakater.com/"))
}

/// Whether the data that a workload reads differs between the base and the head.
pub(super) fn changes(
    subject: &Subject<'_>,
    base: &[DesiredUnit],
    kind: &str,
    namespace: Option<&str>,
    name: &str,
    key: Option<&str>,
) -> bool {
    // A sealed value stands for the Secret that is made of it.
    for (group, kind, fields) in [
        ("", kind, ["/data", "/stringData"]),
        ("bitnami.com", "SealedSecret", ["/spec/encryptedData", "/spec/template/data"]),
    ] {
        let Some(old) = find(base, group, kind, namespace, name) else { continue };
        let Some(now) = subject.desired(group, kind, namespace, name).map(|desired: &Desired| &desired.object) else {
            continue;
        };
        let part = |object: &Object, field: &str| -> Option<Value> {
            let map = object.at(field)?;
            key.map_or_else(|| Some(map.clone()), |key| map.get(key).cloned())
        };
        return fields.iter().any(|field| part(old, field) != part(now, field));
    }
    false
}

pub(super) fn find<'a>(
    base: &'a [DesiredUnit],
    group: &str,
    kind: &str,
    namespace: Option<&str>,
    name: &str,
) -> Option<&'a Object> {
    base.iter().find_map(|unit| unit.object(group, kind, namespace, name)).map(|it| &it.object)
}
