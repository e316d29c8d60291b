use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF426",
    title: "what is set for a chart's webhooks is set for each of them",
    severity: Severity::Info,
    why: "A webhook that says nothing of its `failurePolicy` refuses what it is asked about when nobody answers. Where the others of the \
          chart take theirs from the values, whoever sets `Ignore` is heard by all but one, and that one stands in the way.",
    advice: "Write the field into each webhook.",
    check,
};

const KINDS: &[&str] = &["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];

/// What is set for all.
const FIELDS: &[&str] = &["failurePolicy", "timeoutSeconds"];

/// So many others have to say it.
const OTHERS: usize = 2;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.units.iter().flat_map(of_unit).collect()
}

fn of_unit(unit: &DesiredUnit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in KINDS {
        let configurations = unit.objects.iter().filter(|it| it.object.kind() == *kind);
        let all: Vec<(&Desired, usize)> =
            configurations.flat_map(|it| (0..webhooks(&it.object).len()).map(move |at| (it, at))).collect();
        for field in FIELDS {
            let (said, unsaid): (Vec<_>, Vec<_>) =
                all.iter().partition(|(it, at)| !webhooks(&it.object)[*at][field].is_null());
            // What is written letter by letter may well be of some alone.
            let by_values = |(it, at): &&(&Desired, usize)| {
                let origin = unit.rendered.origin(&it.key(), &format!("webhooks[{at}].{field}"));
                origin.is_some_and(|origin| !origin.sources.is_empty())
            };
            let [(desired, at)] = &*unsaid else { continue };
            if said.len() < OTHERS || !said.iter().all(|it| by_values(&it)) {
                continue;
            }
            let name = webhooks(&desired.object)[*at]["name"].as_str().unwrap_or_default();
            findings.push(
                RULE.finding(format!(
                    "webhook `{name}` says nothing of `{field}`, and the {} others of the chart do",
                    said.len()
                ))
                .keyed(format!("{name} {field}"))
                .because("theirs comes from the values, and whoever sets it there is not heard by this one")
                .at(desired.spot_at(&format!("webhooks[{at}]"))),
            );
        }
    }
    findings
}

fn webhooks(object: &Object) -> &[serde_json::Value] {
    object.list_at("/webhooks")
}
