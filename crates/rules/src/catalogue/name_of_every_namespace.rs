use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::name_of_every_release::is_made;
use super::secret_that_nobody_reads::has_word;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF395",
    title: "of a chart's objects of the whole cluster, all say their release's namespace or none does",
    severity: Severity::Info,
    why: "Releases of one name may stand in several namespaces, and what is of no namespace is the same object for all of them. \
          A chart that puts the namespace into the name of one such object has thought of it. The one that it has forgotten is \
          refused with the second release, or taken from the first.",
    advice: "Call it as the others are called, with `.Release.Namespace` in the name, here and where it is named.",
    check,
};

/// The kinds of the whole cluster whose objects a release makes for itself.
const KINDS: &[&str] = &[
    "ClusterRole",
    "ClusterRoleBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "PriorityClass",
    "ClusterIssuer",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "SecurityContextConstraints",
];

/// What a name is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// The release's namespace is in it.
    OfNamespace,
    /// Something else of the release or the chart is in it.
    OfRelease,
    /// Values alone, which the user may set.
    OfValues,
    /// It stands in the template.
    Fixed,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let own = unit.objects.iter().filter(|it| KINDS.contains(&it.object.kind()) && is_made(subject, it));
        let wide: Vec<(&Desired, Made)> = own.filter_map(|it| Some((it, made_of(unit, it)?))).collect();
        let Some((with, _)) = wide.iter().find(|(_, made)| *made == Made::OfNamespace) else { continue };
        let mut told = BTreeSet::new();
        for (desired, made) in &wide {
            let is_without = matches!(made, Made::OfRelease | Made::Fixed);
            let (kind, name) = (desired.object.kind(), desired.object.name());
            // A role and what binds it are one.
            if !is_without || is_for_others(unit, desired, *made) || !told.insert(name) {
                continue;
            }
            let (other, sibling) = (with.object.kind(), with.object.name());
            findings.push(
                RULE.finding(format!(
                    "{kind} `{name}` does not have its release's namespace in its name, as {other} `{sibling}` has"
                ))
                .because("a release of this name in another namespace makes the same object again, and is refused")
                .at(desired.spot_at("metadata.name")),
            );
        }
    }
    findings
}

/// What the name of an object is made of, through whatever templates it is called by; none where no line of a template makes it.
fn made_of(unit: &DesiredUnit, desired: &Desired) -> Option<Made> {
    let origin = unit.rendered.origin(&desired.key(), "metadata.name")?;
    origin.template.as_ref()?;
    let is_of_values = !origin.data.is_empty() || !origin.keys.is_empty();
    Some(match origin.built_in.as_slice() {
        names if names.contains(&".Release.Namespace") => Made::OfNamespace,
        [] if is_of_values => Made::OfValues,
        [] => Made::Fixed,
        _ => Made::OfRelease,
    })
}

/// Whether somebody else knows an object by its name, or it is made for all releases at once.
fn is_for_others(unit: &DesiredUnit, desired: &Desired, made: Made) -> bool {
    let object = &desired.object;
    let name = object.name();
    let is_looked_up =
        unit.lookups.iter().any(|(kind, asked)| kind == object.kind() && (asked.is_empty() || asked == name));
    let is_known = made == Made::Fixed
        && match object.kind() {
            "PriorityClass" | "ClusterIssuer" => true,
            "ClusterRole" => !is_bound(unit, name),
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => may_be_asked_for(unit, desired),
            _ => false,
        };
    name.starts_with("system:") || is_looked_up || is_gathered(object) || is_known
}

/// Whether a role is gathered into those that everybody has, or gathers others.
fn is_gathered(object: &Object) -> bool {
    let mut labels = object.labels().into_iter().flatten();
    object.at("/aggregationRule").is_some_and(|it| !it.is_null())
        || labels.any(|(key, _)| key.contains("aggregate-to-"))
}

/// Whether the unit binds a role of the cluster itself: one that it does not is there for people.
fn is_bound(unit: &DesiredUnit, name: &str) -> bool {
    unit.objects.iter().any(|it| {
        let role = |field: &str| it.object.str_at(&format!("/roleRef/{field}"));
        role("kind") == Some("ClusterRole") && role("name") == Some(name)
    })
}

/// Whether a program may look for a webhook's configuration by its name: something says it, or a role lets programs ask for such.
fn may_be_asked_for(unit: &DesiredUnit, desired: &Desired) -> bool {
    let is_role = |it: &&Desired| matches!(it.object.kind(), "Role" | "ClusterRole");
    let sees = |role: &Desired| {
        let mut resources =
            role.object.list_at("/rules").iter().filter_map(|rule| rule["resources"].as_array()).flatten();
        resources.any(|it| it.as_str().is_some_and(|it| it == "*" || it.contains("webhookconfigurations")))
    };
    let mut others = unit.objects.iter().filter(|it| !std::ptr::eq(*it, desired));
    // Without a role that is delivered nobody knows what programs may ask for.
    let is_seen = unit.objects.iter().any(|it| is_role(&it));
    !is_seen
        || unit.objects.iter().filter(is_role).any(sees)
        || others.any(|it| says(it.object.value(), desired.object.name()))
}

/// Whether a text of an object says a name, but for its metadata.
fn says(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => has_word(text, name),
        Value::Array(list) => list.iter().any(|it| says(it, name)),
        Value::Object(map) => map.iter().any(|(key, it)| key != "metadata" && says(it, name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_said_anywhere_but_in_metadata() {
        let job = |args: Value| json!({"metadata": {"name": "web"}, "spec": {"containers": [{"args": args}]}});
        assert!(says(&job(json!(["--webhook-name=web"])), "web"));
        assert!(!says(&job(json!(["--webhook-name=web-hook"])), "web"));
    }

    #[test]
    fn a_role_is_gathered_by_its_labels() {
        let role = |more: Value| {
            let mut role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"});
            role["metadata"] = more;
            Object::from_value(role).expect("a map")
        };
        let labels = json!({"name": "web", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}});
        assert!(is_gathered(&role(labels)));
        assert!(!is_gathered(&role(json!({"name": "web", "labels": {"app": "web"}}))));
    }
}
