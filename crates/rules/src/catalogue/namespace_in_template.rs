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
    let mut findings = Vec::new();
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
