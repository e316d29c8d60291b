use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};
use landfall_object::ObjectKey;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF166",
    title: "each workload selects its own pods",
    severity: Severity::Warning,
    why: "Two workloads whose selectors take each other's pods run, as it seems, well. But an autoscaler, a disruption \
          budget and `kubectl logs` go by the selector: they count, keep and show the pods of both as those of one.",
    advice: "Give each workload a label of its own (`app.kubernetes.io/component`), in its selector and its pods.",
    check,
};

/// The kinds that keep pods running by a selector.
const KINDS: &[&str] = &["Deployment", "StatefulSet", "DaemonSet"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let workloads: Vec<_> =
        subject.pods().filter(|(it, _)| it.object.group() == "apps" && KINDS.contains(&it.object.kind())).collect();
    let mut sets: BTreeMap<Vec<ObjectKey>, Vec<&Desired>> = BTreeMap::new();
    for (desired, _) in &workloads {
        let Some(selector) = desired.object.at("/spec/selector") else { continue };
        let others = workloads.iter().filter(|(other, template)| {
            other.object.namespace() == desired.object.namespace()
                && template.is_selected_by(selector)
                && other.key() != desired.key()
        });
        let mut keys: Vec<ObjectKey> = others.map(|(other, _)| other.key()).collect();
        if keys.is_empty() {
            continue;
        }
        keys.push(desired.key());
        keys.sort();
        sets.entry(keys).or_default().push(desired);
    }
    let finding = |(keys, selecting): (Vec<ObjectKey>, Vec<&Desired>)| {
        let first = selecting[0];
        let own = first.key();
        let others: Vec<String> = keys.iter().filter(|key| **key != own).map(|key| format!("`{}`", key.name)).collect();
        let (kind, name) = (first.object.kind(), first.object.name());
        let finding = RULE.finding(format!("{kind} `{name}` selects the pods of {}, too", others.join(", ")))
            .because("whatever goes by the selector takes them all for its own")
            .help("add a label that tells them apart to each selector and its pods; it can only be made anew, not changed");
        selecting.into_iter().fold(finding, |finding, it| finding.at(it.spot_at("spec.selector")))
    };
    sets.into_iter().map(finding).collect()
}
