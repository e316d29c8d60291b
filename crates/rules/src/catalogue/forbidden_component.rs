use landfall_diag::{Finding, Severity};

use crate::components::is_component;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF145",
    title: "no component is delivered where it is forbidden",
    severity: Severity::Error,
    why: "A stand-in for a supplier, a test account or a debugging console belongs to one environment. In another one it \
          answers in the place of the real thing, and everything looks well.",
    advice: "Switch the component off in the values of this environment.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some((environment, declared)) = subject.environment else { return Vec::new() };
    let Some(components) = &declared.components else { return Vec::new() };
    let mut findings = Vec::new();
    for component in &components.forbidden {
        let mut places = subject.pods().filter(|(it, _)| is_component(&it.object, &it.unit, component)).peekable();
        if places.peek().is_none() {
            continue;
        }
        let finding = RULE
            .finding(format!("`{component}` is delivered, and is forbidden in `{environment}`"))
            .because("the environment's own declaration excludes it");
        findings.push(places.fold(finding, |finding, (desired, _)| finding.at(desired.spot())));
    }
    findings
}
