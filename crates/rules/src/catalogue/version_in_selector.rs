use landfall_chart::Chart;
use landfall_diag::{Finding, Severity};

use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF165",
    title: "selectors and what else can never be changed hold what stays the same",
    severity: Severity::Warning,
    why: "The selector of a workload can never be changed, nor can the claim templates of a StatefulSet or the pods of a Job that \
          is there. A version in them lets the first delivery pass and the next one fail: the API refuses the change, and the \
          release is stuck between two versions.",
    advice: "Select by name, instance and component alone, and keep versions among the other labels; make what runs once a hook, or \
             call it by its version.",
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
    findings.extend(subject.objects().filter_map(|desired| of_claims(subject, desired)));
    findings.extend(subject.objects().filter_map(|desired| of_job(subject, desired)));
    findings
}

/// A version among the labels or annotations of a StatefulSet's claim templates.
fn of_claims(subject: &Subject<'_>, desired: &Desired) -> Option<Finding> {
    let object = &desired.object;
    if object.group() != "apps" || object.kind() != "StatefulSet" {
        return None;
    }
    let templates = object.list_at("/spec/volumeClaimTemplates").iter().enumerate();
    let mut said = templates.flat_map(|(at, template)| {
        ["labels", "annotations"].into_iter().flat_map(move |of| {
            let all = template["metadata"][of].as_object().into_iter().flatten();
            all.map(move |(name, value)| (format!("spec.volumeClaimTemplates[{at}].metadata.{of}"), name, value))
        })
    });
    said.find_map(|(field, name, value)| {
        let what = value.as_str().and_then(|value| version(subject, desired, value))?;
        let finding = RULE
            .finding(format!("a claim template of StatefulSet `{}` holds {what} in `{name}`", object.name()))
            .because("the next version is another claim template, which the API refuses")
            .help("leave it out of the claim template; a StatefulSet that runs with it has to be deleted (`--cascade=orphan`) and made anew once");
        Some(finding.at(desired.spot_at(&field)))
    })
}

/// A version among the labels of the pods of a Job that is there when the next version comes, and is called as that one.
fn of_job(subject: &Subject<'_>, desired: &Desired) -> Option<Finding> {
    let object = &desired.object;
    // A hook is deleted in front of the next one; what is told to be replaced is.
    if object.group() != "batch" || object.kind() != "Job" || desired.role != Role::Manifest {
        return None;
    }
    let annotations = object.at("/metadata/annotations").and_then(|it| it.as_object());
    let is_replaced = |name: &String, value: &serde_json::Value| {
        name.starts_with("argocd.argoproj.io/hook")
            || value.as_str().is_some_and(|value| value.contains("Replace=true") || value.contains("Force=true"))
    };
    let is_gone = !object.at("/spec/ttlSecondsAfterFinished").is_none_or(serde_json::Value::is_null);
    if is_gone || annotations.is_some_and(|all| all.iter().any(|(name, value)| is_replaced(name, value))) {
        return None;
    }
    // What is called by the revision, the time or a random word is another Job with each delivery.
    let unit = subject.unit(&desired.unit)?;
    let is_numbered =
        object.name().rsplit_once('-').is_some_and(|(_, last)| last.bytes().all(|it| it.is_ascii_digit()));
    let is_this = |it: &landfall_object::Object| it.kind() == "Job" && it.name() == object.name();
    let is_drawn = unit.again.as_ref().is_some_and(|again| !again.all_objects().any(is_this));
    if is_numbered || is_drawn {
        return None;
    }
    let labels = object.at("/spec/template/metadata/labels").and_then(|it| it.as_object());
    let chart = unit.chart.as_ref()?;
    labels.into_iter().flatten().find_map(|(name, value)| {
        let value = value.as_str().filter(|it| it.contains('.') && of_chart(chart, it))?;
        // What is called by its version is another Job then.
        let plain = |text: &str| text.replace('.', "-");
        let version = value.rsplit_once('-').map_or(value, |(_, version)| version);
        if plain(object.name()).contains(&plain(version)) {
            return None;
        }
        let finding = RULE
            .finding(format!("the pods of Job `{}` hold the chart's version in `{name}`", object.name()))
            .because("the next version is another template of pods, which the API refuses for a Job that is there")
            .help("make it a hook (`helm.sh/hook`), set `ttlSecondsAfterFinished`, or leave the label out");
        Some(finding.at(desired.spot_at(&format!("spec.template.metadata.labels[{name}]"))))
    })
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
