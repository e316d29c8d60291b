use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use super::value_printed_raw::visit;
use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF356",
    title: "the Service of a StatefulSet is headless",
    severity: Severity::Info,
    why: "The pods of a StatefulSet get names of their own (`db-0.db`) from the Service in `serviceName`, and only where it is headless. \
          Behind one with an address the names do not resolve: replicas do not find each other, and nothing says why.",
    advice: "Set `clusterIP: None` on the Service that `serviceName` names, and keep another one for who calls any of the pods.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for set in subject.of_kind("apps", "StatefulSet").filter(|it| it.role == Role::Manifest) {
        let Some(name) = set.object.str_at("/spec/serviceName").filter(|it| !it.is_empty()) else { continue };
        let Some(service) = subject.desired("", "Service", set.object.namespace(), name) else { continue };
        let kind = service.object.str_at("/spec/type").unwrap_or("ClusterIP");
        if service.object.str_at("/spec/clusterIP") == Some("None") || kind == "ExternalName" {
            continue;
        }
        // `db-0.db`, or the same with a number that a script puts in.
        let asked = format!(".{name}");
        let asks = subject
            .objects()
            .filter(|it| it.unit == set.unit)
            .find(|it| says(&it.object, |text| by_name_of_a_pod(text, set.object.name(), &asked)));
        let finding =
            RULE.finding(format!("Service `{name}` of StatefulSet `{}` is not headless", set.object.name())).at(
                service.spot_at(if service.object.at("/spec/clusterIP").is_some() { "spec.clusterIP" } else { "spec" }),
            );
        findings.push(match asks {
            Some(asking) => finding.weighing(Severity::Warning).because(format!(
                "{} `{}` asks for `{}-0.{name}`, which does not resolve",
                asking.object.kind(),
                asking.object.name(),
                set.object.name()
            )),
            None => finding.because("the names of the single pods do not resolve"),
        });
    }
    findings
}

/// Whether a text names a pod of a set below its Service.
fn by_name_of_a_pod(text: &str, set: &str, asked: &str) -> bool {
    text.match_indices(asked).any(|(at, _)| {
        let ahead =
            text[..at].rsplit(|it: char| it.is_whitespace() || "/@,;\"'=".contains(it)).next().unwrap_or_default();
        let ends = !text[at + asked.len()..].starts_with(|it: char| it.is_ascii_alphanumeric() || it == '-');
        ends && ahead.strip_prefix(set).is_some_and(|rest| rest.starts_with('-'))
    })
}

fn says(object: &Object, is: impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    visit(object.value(), String::new(), &mut |_, text| found |= is(text));
    found
}
