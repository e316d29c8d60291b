use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF191",
    title: "labels that a controller writes are left to it",
    severity: Severity::Warning,
    why: "Controllers tell their pods apart by labels of their own. One that is written into a template by hand is \
          overwritten, or the controller takes other pods for its own and deletes them; in a selector it takes no pod after \
          the next rollout.",
    advice: "Take the label out; most often it was copied from a running object.",
    check,
};

/// Labels that controllers put on the pods that they make, and who does.
const OWNED: &[(&str, &str)] = &[
    ("pod-template-hash", "the Deployment's controller"),
    ("controller-revision-hash", "the controller of StatefulSets and DaemonSets"),
    ("pod-template-generation", "the DaemonSet's controller"),
    ("statefulset.kubernetes.io/pod-name", "the StatefulSet's controller"),
    ("apps.kubernetes.io/pod-index", "the StatefulSet's controller"),
    ("controller-uid", "the Job's controller"),
    ("job-name", "the Job's controller"),
    ("batch.kubernetes.io/controller-uid", "the Job's controller"),
    ("batch.kubernetes.io/job-name", "the Job's controller"),
    ("batch.kubernetes.io/job-completion-index", "the Job's controller"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let object = &desired.object;
        // A Job whose selector is written by hand owns its labels.
        if object.bool_at("/spec/manualSelector") == Some(true) || object.kind() == "Pod" {
            continue;
        }
        let metadata = template.path.strip_suffix("spec").unwrap_or_default();
        let chosen = object.at("/spec/selector/matchLabels").and_then(Value::as_object);
        for (label, owner) in OWNED {
            let field = if chosen.is_some_and(|chosen| chosen.contains_key(*label)) {
                format!("spec.selector.matchLabels[{label}]")
            } else if template.labels().is_some_and(|labels| labels.contains_key(*label)) {
                format!("{metadata}metadata.labels[{label}]")
            } else {
                continue;
            };
            findings.push(
                RULE.finding(format!("{} `{}` sets the label `{label}` by hand", object.kind(), object.name()))
                    .because(format!("{owner} writes it, and knows its pods by it"))
                    .at(desired.spot_at(&field)),
            );
        }
    }
    findings
}
