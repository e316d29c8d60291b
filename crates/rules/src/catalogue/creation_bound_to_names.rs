use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::right_to_nothing::words;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF362",
    title: "rights to create are bound to no names",
    severity: Severity::Warning,
    why: "Who asks to create something is asked for the right before its name is known, so a rule with `resourceNames` never \
          allows it: the program that was to make its own ConfigMap or Lease is refused.",
    advice: "Allow `create` in a rule of its own, without `resourceNames`.",
    check,
};

const RBAC: &str = "rbac.authorization.k8s.io";

/// What is asked for without a name.
// ORIGIN: kubernetes.io/docs/reference/access-authn-authz/rbac: "You cannot restrict create or deletecollection requests by resource name".
const NAMELESS: &[&str] = &["create", "deletecollection"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let roles = ["Role", "ClusterRole"].into_iter().flat_map(|kind| subject.of_kind(RBAC, kind));
    roles.flat_map(|role| told(subject, role)).collect()
}

fn told(subject: &Subject<'_>, role: &Desired) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, rule) in role.object.list_at("/rules").iter().enumerate() {
        let is_named = words(rule, "resourceNames").any(|name| !name.is_empty());
        let verbs = words(rule, "verbs").enumerate().filter(|(_, verb)| NAMELESS.contains(verb));
        for (index, verb) in verbs.filter(|_| is_named) {
            // Parts of an object (`pods/exec`) are asked for by its name.
            let bound = words(rule, "resources").filter(|it| !it.contains('/'));
            let bound: Vec<&str> = bound.filter(|it| !is_free(subject, role, rule, it, verb)).collect();
            let [resource, ..] = bound.as_slice() else { continue };
            let (kind, name) = (role.object.kind(), role.object.name());
            findings.push(
                RULE.finding(format!(
                    "{kind} `{name}` allows to {verb} `{resource}` of certain names, which is never allowed"
                ))
                .keyed(format!("{kind}/{name} {verb} {resource}"))
                .because("the request is judged without a name, so whoever has the role is refused")
                .at(role.spot_at(&format!("rules[{at}].verbs[{index}]"))),
            );
        }
    }
    findings
}

/// Whether the release allows it elsewhere, whatever the name.
fn is_free(subject: &Subject<'_>, role: &Desired, rule: &Value, resource: &str, verb: &str) -> bool {
    let gives = |other: &Value| {
        let has = |field: &str, wanted: &str| words(other, field).any(|it| it == "*" || it == wanted);
        words(other, "resourceNames").next().is_none()
            && has("verbs", verb)
            && has("resources", resource)
            && words(rule, "apiGroups").all(|group| has("apiGroups", group))
    };
    let roles = ["Role", "ClusterRole"].into_iter().flat_map(|kind| subject.of_kind(RBAC, kind));
    roles.filter(|it| it.unit == role.unit).any(|it| it.object.list_at("/rules").iter().any(gives))
}
