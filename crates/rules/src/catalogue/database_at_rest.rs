use landfall_diag::{Finding, Severity};

use landfall_object::Object;

use super::unseen_settings::find;
use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF195",
    title: "what runs is not scaled to nothing by the way",
    severity: Severity::Warning,
    why: "A database or a server with no replicas is stopped, and everything that calls it fails. In a values file that is one digit, and \
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
        let because = if holds_data(desired, &template) {
            "it holds data, and whoever calls it is refused from then on"
        } else if scales(subject, object) {
            continue;
        } else if answers(subject, object, &template) {
            "a Service leads to its pods, and whoever calls it is refused from then on"
        } else {
            "nothing of it runs from then on"
        };
        findings.push(
            RULE.finding(format!("{} `{}` goes from {before} to no replicas", object.kind(), object.name()))
                .because(because)
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

/// Whether something else says how many there are.
fn scales(subject: &Subject<'_>, object: &Object) -> bool {
    subject.objects().any(|it| {
        matches!(it.object.kind(), "HorizontalPodAutoscaler" | "ScaledObject")
            && it.object.namespace() == object.namespace()
            && it.object.str_at("/spec/scaleTargetRef/name") == Some(object.name())
    })
}

/// Whether a Service leads to its pods.
fn answers(subject: &Subject<'_>, object: &Object, template: &PodTemplate<'_>) -> bool {
    subject.of_kind("", "Service").filter(|it| it.object.namespace() == object.namespace()).any(|service| {
        let selector = service.object.at("/spec/selector");
        selector.is_some_and(|it| it.as_object().is_some_and(|map| !map.is_empty()) && template.is_selected_by(it))
    })
}
