use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF121",
    title: "what is scaled automatically declares no replicas",
    severity: Severity::Warning,
    why: "Each delivery writes the declared number over the autoscaler's: under load, an upgrade takes pods away at the \
          worst moment, and the two fight from then on.",
    advice: "Leave `replicas` out of the object when an autoscaler targets it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // One that the change deletes scales nothing any more.
    for scaler in subject.after("autoscaling", "HorizontalPodAutoscaler").map(Found::object) {
        let text = |field: &str| scaler.str_at(&format!("/spec/scaleTargetRef/{field}")).unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        let Some(target) = subject.desired(group, text("kind"), scaler.namespace(), text("name")) else { continue };
        if target.object.at("/spec/replicas").is_none() {
            continue;
        }
        let (kind, name) = (target.object.kind(), target.object.name());
        let finding = RULE
            .finding(format!("{kind} `{name}` declares replicas and is scaled automatically"))
            .because(format!("every delivery resets what HorizontalPodAutoscaler `{}` has decided", scaler.name()))
            .at(target.spot_at("spec.replicas"));
        findings.push(finding);
    }
    findings
}
