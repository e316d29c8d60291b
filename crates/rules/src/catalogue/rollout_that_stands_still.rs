use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use super::unseen_settings::find;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF295",
    title: "a rollout goes through by itself",
    severity: Severity::Warning,
    why: "A paused Deployment, `OnDelete` and a partition above the replicas take every later change and roll none of it out: the \
          delivery is green, and the pods are those of before until somebody deletes them by hand.",
    advice: "Leave the field out once what it was for is done.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|it| it.role == Role::Manifest && it.object.group() == "apps") {
        let object = &desired.object;
        let old = subject.base.and_then(|base| find(base, "apps", object.kind(), object.namespace(), object.name()));
        for (field, what) in held(object) {
            // From its birth on it may be meant; of what rolled until now it is a change that nobody sees.
            let rolled = old.is_some_and(|old| held(old).iter().all(|(it, _)| *it != field));
            findings.push(told(desired, field, what, rolled));
        }
    }
    findings
}

fn told(desired: &Desired, field: &str, what: &str, rolled: bool) -> Finding {
    let (kind, name) = (desired.object.kind(), desired.object.name());
    RULE.finding(format!("{kind} `{name}` {what}"))
        .weighing(if rolled { RULE.severity } else { Severity::Info })
        .because(match field {
            "spec.revisionHistoryLimit" => "nothing is left to go back to when a rollout fails",
            _ => "what is changed from then on reaches no pod by itself",
        })
        .at(desired.spot_at(field))
}

/// What keeps a workload's pods as they are.
fn held(object: &Object) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let is_deployment = object.kind() == "Deployment";
    if is_deployment && object.bool_at("/spec/paused") == Some(true) {
        found.push(("spec.paused", "is paused"));
    }
    if is_deployment && object.i64_at("/spec/revisionHistoryLimit") == Some(0) {
        found.push(("spec.revisionHistoryLimit", "keeps no earlier revision"));
    }
    if object.str_at("/spec/updateStrategy/type") == Some("OnDelete") {
        found.push(("spec.updateStrategy.type", "replaces its pods only when somebody deletes them"));
    }
    let partition = object.i64_at("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if object.kind() == "StatefulSet" && partition > 0 && partition >= object.i64_at("/spec/replicas").unwrap_or(1) {
        found.push(("spec.updateStrategy.rollingUpdate.partition", "has a partition above all of its pods"));
    }
    found
}
