use landfall_chart::Chart;
use landfall_diag::{Finding, Severity};

use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF165",
    title: "selectors hold what stays the same",
    severity: Severity::Warning,
    why: "The selector of a workload can never be changed. A version in it lets the first delivery pass and the next one \
          fail: the API refuses the new selector, and the release is stuck between two versions.",
    advice: "Select by name, instance and component alone, and keep versions among the other labels.",
    check,
};

/// The kinds whose selector is immutable.
const KINDS: &[&str] = &["Deployment", "StatefulSet", "DaemonSet"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, _) in subject.pods() {
        let object = &desired.object;
        if object.group() != "apps" || !KINDS.contains(&object.kind()) {
            continue;
        }
        let labels = object.at("/spec/selector/matchLabels").and_then(|it| it.as_object());
        for (label, value) in labels.into_iter().flatten() {
            let Some(what) = value.as_str().and_then(|value| version(subject, desired, value)) else { continue };
            findings.push(
                RULE.finding(format!(
                    "the selector of {} `{}` holds {what} in `{label}`",
                    object.kind(),
                    object.name()
                ))
                .because("the next version is another selector, which the API refuses")
                .help("leave the label out of the selector; what runs with it has to be deleted and made anew once")
                .at(desired.spot_at("spec.selector.matchLabels")),
            );
        }
    }
    findings
}

/// Which version a label's value is.
fn version(subject: &Subject<'_>, desired: &Desired, value: &str) -> Option<&'static str> {
    let counts = value.contains('.') && value.bytes().any(|it| it.is_ascii_digit());
    if !counts {
        return None;
    }
    let chart = subject.unit(&desired.unit)?.chart.as_ref()?;
    if of_chart(chart, value) {
        return Some("the chart's version");
    }
    let template = pod_template(&desired.object)?;
    let tag = |image: &str| image.split('@').next()?.rsplit_once(':').map(|(_, tag)| tag.to_owned());
    let runs = template.containers().iter().any(|container| tag(container.image()).as_deref() == Some(value));
    runs.then_some("the image's version")
}

/// Whether a value is the version of a chart or of one of its dependencies, alone or behind its name.
fn of_chart(chart: &Chart, value: &str) -> bool {
    let (name, version) = (chart.name(), chart.metadata.version.replace('+', "_"));
    value == version
        || value == chart.metadata.app_version
        || value.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')) == Some(version.as_str())
        || chart.dependencies.iter().any(|dependency| of_chart(dependency, value))
}
