//! Expressions of admission policies that read a field of a pod without asking whether it is there.

use landfall_diag::Finding;

use super::{RULE, fields};
use crate::subject::{Desired, Role};

/// Fields that a pod need not have, and that the API gives it no default for.
// ORIGIN: Kubernetes v1.34 `staging/src/k8s.io/api/core/v1/types.go` (`PodSpec`) and `metav1.ObjectMeta`: `omitempty`.
const OPTIONAL: &[&str] = &[
    "object.spec.volumes",
    "object.spec.initContainers",
    "object.metadata.labels",
    "object.metadata.annotations",
    "object.metadata.ownerReferences",
];

/// Where a policy's expressions stand; what the last two say may be asked for by all others.
const EXPRESSIONS: &[&str] =
    &["spec.validations.*.expression", "spec.variables.*.expression", "spec.matchConditions.*.expression"];

/// What is done with a list or a table that has to be there.
const USES: &[&str] = &[".exists(", ".exists_one(", ".all(", ".filter(", ".map(", "["];

/// Expressions of a policy on pods that end in an error where a pod lacks what they read.
pub(super) fn unasked(desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    let is_policy = object.group() == "admissionregistration.k8s.io"
        && matches!(object.kind(), "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy");
    // Where the API goes on after an error the object is let in, as it would be without the field.
    if !is_policy || desired.role == Role::Definition || object.str_at("/spec/failurePolicy") == Some("Ignore") {
        return Vec::new();
    }
    let rules = object.list_at("/spec/matchConstraints/resourceRules").iter();
    let mut resources = rules.flat_map(|rule| rule["resources"].as_array().into_iter().flatten());
    if !resources.any(|resource| resource == "pods") {
        return Vec::new();
    }
    let all = |path: &str| {
        let found = fields(object.value(), path);
        found.into_iter().filter_map(|(field, value)| Some((field, value.as_str()?))).collect::<Vec<_>>()
    };
    let shared: Vec<(String, &str)> = EXPRESSIONS.iter().skip(1).flat_map(|path| all(path)).collect();
    let mut findings = Vec::new();
    for (field, text) in EXPRESSIONS.iter().flat_map(|path| all(path)) {
        let is_asked = |path: &str| asks(text, path) || shared.iter().any(|(_, it)| asks(it, path));
        let Some(path) = OPTIONAL.iter().find(|path| uses(text, path) && !is_asked(path)) else { continue };
        findings.push(
            RULE.finding(format!("{} `{}` reads `{path}`, which a pod need not have", object.kind(), object.name()))
                .because("where it is not there, the expression ends in an error, and the API refuses the pod")
                .help(format!("ask for it in front: `!has({path}) || …`"))
                .at(desired.spot_at(&field)),
        );
    }
    findings
}

/// Whether an expression asks for a field before it reads it.
fn asks(text: &str, path: &str) -> bool {
    let plain: String = text.split_whitespace().collect();
    let (before, last) = path.rsplit_once('.').unwrap_or_default();
    plain.contains(&format!("has({path})"))
        || plain.contains(&format!("?{last}"))
        || plain.contains("orValue(")
        || plain.contains(&format!("{last}'in{before}"))
        || plain.contains(&format!("{last}\"in{before}"))
}

/// Whether an expression goes through a field, or looks for something in it.
fn uses(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let (before, after) = (&text[..at], text[at + path.len()..].trim_start());
        let is_other = before.ends_with(|it: char| it.is_ascii_alphanumeric() || "_.".contains(it));
        let is_looked_in = before.trim_end() != before && before.trim_end().ends_with(" in");
        let is_whole = !after.starts_with(|it: char| it.is_ascii_alphanumeric() || "_.".contains(it));
        !is_other && (USES.iter().any(|it| after.starts_with(it)) || (is_looked_in && is_whole))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_asked_for_before_it_is_read() {
        let is_wrong = |text: &str, path: &str| uses(text, path) && !asks(text, path);
        for (text, path) in [
            ("!object.spec.volumes.exists(v, has(v.csi))", "object.spec.volumes"),
            ("object.spec.initContainers\n  .all(c, c.name != 'a')", "object.spec.initContainers"),
            ("'team' in object.metadata.labels", "object.metadata.labels"),
            ("object.metadata.annotations['team'] == 'a'", "object.metadata.annotations"),
        ] {
            assert!(is_wrong(text, path), "{text}");
        }
        for (text, path) in [
            ("!has(object.spec.volumes) || !object.spec.volumes.exists(v, has(v.csi))", "object.spec.volumes"),
            ("object.spec.?volumes.orValue([]).exists(v, has(v.csi))", "object.spec.volumes"),
            ("oldObject.spec.volumes.exists(v, has(v.csi))", "object.spec.volumes"),
            ("object.spec.volumesX.exists(v, has(v.csi))", "object.spec.volumes"),
            ("has(object.spec.volumes)", "object.spec.volumes"),
            ("'labels' in object.metadata && 'a' in object.metadata.labels", "object.metadata.labels"),
            ("object.metadata.labels.size() > 0", "object.metadata.labels"),
        ] {
            assert!(!is_wrong(text, path), "{text}");
        }
    }
}
