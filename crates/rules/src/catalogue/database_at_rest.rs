use landfall_diag::{Finding, Severity};

use super::unseen_settings::find;
use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF195",
    title: "what others depend on is not scaled to nothing",
    severity: Severity::Warning,
    why: "A database with no replicas is stopped, and everything that calls it fails. In a values file that is one digit, and \
          the delivery itself goes well: nothing has to become ready.",
    advice: "Give it its replicas back; to leave it out, switch it off together with what calls it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(base) = subject.base else { return Vec::new() };
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        if !matches!(object.kind(), "Deployment" | "StatefulSet") || object.i64_at("/spec/replicas") != Some(0) {
            continue;
        }
        let old = find(base, object.group(), object.kind(), object.namespace(), object.name());
        let Some(before) = old.map(|old| old.i64_at("/spec/replicas").unwrap_or(1)).filter(|before| *before > 0) else {
            continue;
        };
        if !holds_data(desired, &template) {
            continue;
        }
        findings.push(
            RULE.finding(format!("{} `{}` goes from {before} to no replicas", object.kind(), object.name()))
                .because("it holds data, and whoever calls it is refused from then on")
                .at(desired.spot_at("spec.replicas")),
        );
    }
    findings
}

/// Whether a workload keeps something in volumes that outlive its pods.
fn holds_data(desired: &Desired, template: &PodTemplate<'_>) -> bool {
    !desired.object.list_at("/spec/volumeClaimTemplates").is_empty()
        || template.volumes().iter().any(|volume| !volume["persistentVolumeClaim"].is_null())
}
