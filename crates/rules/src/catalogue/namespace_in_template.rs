use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF153",
    title: "a chart goes into the namespace that it is told",
    severity: Severity::Info,
    why: "A namespace that stands in the templates wins over the one that the release is given: a second instance writes over \
          the first, and whoever looks where the release is finds nothing.",
    advice: "Write `{{ .Release.Namespace }}`, or read the namespace from the values.",
    check,
};

/// Namespaces that every cluster has, and that parts of a delivery belong into.
const EVERYWHERE: &[&str] = &["kube-system", "kube-public", "kube-node-lease", "default"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = told_of_default(subject);
    for unit in subject.units {
        let fixed = |desired: &&Desired| {
            let Some(namespace) = desired.object.namespace() else { return false };
            if desired.role == Role::Definition || namespace == unit.namespace || EVERYWHERE.contains(&namespace) {
                return false;
            }
            let origin = unit.rendered.origin(&desired.key(), "metadata.namespace");
            origin.is_some_and(|origin| origin.sources.is_empty() && origin.template.is_some())
        };
        for desired in unit.objects.iter().filter(fixed) {
            let namespace = desired.object.namespace().unwrap_or_default();
            findings.push(
                RULE.finding(format!("templates of `{}` spell out the namespace `{namespace}`", unit.name))
                    .because("no second instance can stand beside it, and the release's own namespace stays empty")
                    .at(desired.spot_at("metadata.namespace")),
            );
        }
    }
    findings
}

/// Names of variables by which programs are told of their own namespace.
const OWN: &[&str] = &["NAMESPACE", "RELEASE_NAMESPACE", "WATCH_NAMESPACE", "MY_NAMESPACE"];

/// Programs that are told that their namespace is `default`, wherever the release is.
fn told_of_default(subject: &Subject<'_>) -> Vec<Finding> {
    let is_own = |name: &str| {
        let words = ["K8S", "KUBE", "KUBERNETES", "POD"];
        let is_of_cluster = || name.split('_').any(|word| words.contains(&word));
        OWN.contains(&name) || (name.ends_with("_NAMESPACE") && is_of_cluster())
    };
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let told = container.env().find(|(_, name, variable)| is_own(name) && variable["value"] == "default");
            findings.extend(told.map(|(at, name, _)| {
                RULE.finding(format!("`{name}` says `default`, wherever the release is"))
                    .because("in another namespace the program looks for what is its own in the wrong one")
                    .help("take it from the pod (`fieldRef: {fieldPath: metadata.namespace}`)")
                    .at(desired.spot_at(&format!("{}.env[{at}].value", container.path)))
            }));
        }
    }
    findings
}
