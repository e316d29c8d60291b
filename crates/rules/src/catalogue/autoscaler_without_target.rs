use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::operated::is_operated;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF183",
    title: "what an autoscaler is to scale is there, and scaled by nobody else",
    severity: Severity::Warning,
    why: "An autoscaler whose target has another name or kind is accepted, says `FailedGetScale` where nobody looks, and \
          scales nothing when the load comes.",
    advice: "Name the kind and name of the workload in the target's reference.",
    check,
};

/// The kinds that scale something else, and where they name it; what kind is meant when none is said.
const SCALERS: &[(&str, &str, &str, &str)] = &[
    ("autoscaling", "HorizontalPodAutoscaler", "scaleTargetRef", ""),
    ("autoscaling.k8s.io", "VerticalPodAutoscaler", "targetRef", ""),
    ("keda.sh", "ScaledObject", "scaleTargetRef", "Deployment"),
];

/// The built-in kinds that can be scaled.
const SCALED: &[(&str, &str)] =
    &[("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("apps", "DaemonSet")];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (group, kind, field, implied) in SCALERS {
        for scaler in subject.of_kind(group, kind) {
            let Some(target) = scaler.object.at(&format!("/spec/{field}")) else { continue };
            findings.extend(missing(subject, scaler, field, target, implied));
        }
    }
    findings.extend(scaled_twice(subject));
    findings
}

/// Two autoscalers that set the replicas of one workload.
fn scaled_twice(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: Vec<(&Desired, (&str, &str))> = Vec::new();
    let scalers = SCALERS.iter().filter(|(_, kind, ..)| *kind != "VerticalPodAutoscaler");
    for (group, kind, field, implied) in scalers {
        for scaler in subject.of_kind(group, kind) {
            let at = |part: &str| scaler.object.str_at(&format!("/spec/{field}/{part}"));
            let (Some(name), kind) = (at("name"), at("kind").unwrap_or(implied)) else { continue };
            let same = seen.iter().find(|(other, target)| {
                *target == (kind, name) && other.object.namespace() == scaler.object.namespace()
            });
            if let Some((other, _)) = same {
                let called = |it: &Desired| format!("{} `{}`", it.object.kind(), it.object.name());
                let mut both = [called(other), called(scaler)];
                both.sort();
                findings.push(
                    RULE.finding(format!("{kind} `{name}` is scaled by {} and by {}", both[0], both[1]))
                        .because("each sets the number of pods that it finds right, and the other one sets it back")
                        .help("put all metrics into one autoscaler")
                        .at(scaler.spot_at(&format!("spec.{field}"))),
                );
            }
            seen.push((scaler, (kind, name)));
        }
    }
    findings
}

/// The versions in which a cluster has the built-in workloads.
const SERVED: &str = "v1";

/// A target that is there, asked for in a version that no cluster serves any more.
fn of_a_gone_version(scaler: &Desired, (field, target): (&str, &Value), group: &str) -> Option<Finding> {
    let version = target["apiVersion"].as_str().filter(|version| !version.is_empty())?;
    let known = format!("{group}/{SERVED}");
    if version == known {
        return None;
    }
    let (scaler_kind, own) = (scaler.object.kind(), scaler.object.name());
    let finding = RULE
        .finding(format!(
            "{scaler_kind} `{own}` scales {} of `{version}`, which is not served",
            target["kind"].as_str()?
        ))
        .because("it scales nothing, whatever the load")
        .help(format!("write `{known}`"));
    Some(finding.at(scaler.spot_at(&format!("spec.{field}.apiVersion"))))
}

fn missing(subject: &Subject<'_>, scaler: &Desired, field: &str, target: &Value, implied: &str) -> Option<Finding> {
    let kind = target["kind"].as_str().filter(|kind| !kind.is_empty()).unwrap_or(implied);
    let name = target["name"].as_str().filter(|name| !name.is_empty())?;
    let namespace = scaler.object.namespace();
    // What somebody's own kind is called, its operator knows; one of the built-in groups has no other.
    let Some((group, _)) = SCALED.iter().find(|(_, known)| *known == kind) else {
        let known = SCALED.iter().find(|(_, known)| known.eq_ignore_ascii_case(kind))?.1;
        let (scaler_kind, own) = (scaler.object.kind(), scaler.object.name());
        let finding = RULE
            .finding(format!("{scaler_kind} `{own}` scales a `{kind}`, which is no kind"))
            .weighing(Severity::Error)
            .because("it scales nothing, whatever the load")
            .help(format!("the kind is called `{known}`"));
        return Some(finding.at(scaler.spot_at(&format!("spec.{field}.kind"))));
    };
    if subject.find(group, kind, namespace, name).is_some() {
        return of_a_gone_version(scaler, (field, target), group);
    }
    let beside: Vec<(&str, &str)> = SCALED
        .iter()
        .flat_map(|(group, kind)| subject.of_kind(group, kind))
        .filter(|it| it.object.namespace() == namespace)
        .map(|it| (it.object.kind(), it.object.name()))
        .collect();
    let other_kind = beside.iter().find(|(_, other)| *other == name);
    let near = landfall_diag::nearest(name, beside.iter().filter(|(it, _)| *it == kind).map(|(_, name)| *name));
    if other_kind.is_none() && near.is_none() && (beside.is_empty() || is_operated(subject, &scaler.unit)) {
        return None;
    }
    let (scaler_kind, own) = (scaler.object.kind(), scaler.object.name());
    let finding = RULE
        .finding(format!("{scaler_kind} `{own}` scales {kind} `{name}`, which is not there"))
        .because("it scales nothing, whatever the load")
        .at(scaler.spot_at(&format!("spec.{field}")));
    Some(match (other_kind, near) {
        (Some((kind, _)), _) => finding.weighing(Severity::Error).help(format!("`{name}` is a {kind}: name that kind")),
        (None, Some(near)) => finding.weighing(Severity::Error).help(format!("did you mean `{near}`?")),
        (None, None) => finding,
    })
}
