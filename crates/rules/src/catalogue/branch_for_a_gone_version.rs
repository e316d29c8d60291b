use std::collections::BTreeSet;

use landfall_chart::Rendered;
use landfall_diag::{Finding, Place, Severity, Spot};
use landfall_object::Gvk;
use landfall_object::lifecycle::{self, Successor};

use super::branch_never_taken::actions;
use super::invalid_manifest::minor;
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF263",
    title: "no object waits for an API version that is gone",
    severity: Severity::Warning,
    why: "A template that prints an object only where the cluster serves an old API version prints nothing on every cluster of \
          today. The setting that switches it on is taken without an error, and what it should bring is not there: no \
          autoscaler, no budget, no route.",
    advice: "Ask for the version that is served, or print the object with its version of today.",
    check,
};

/// Kinds that clusters still serve under another version, and how a template would have to ask for each.
const KINDS: &[&str] = &[
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "CronJob",
    "Ingress",
    "IngressClass",
    "Deployment",
    "DaemonSet",
    "StatefulSet",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let Some(minor) = minor(subject.version_for(&unit.name)) else { continue };
        for rendered in unit.rendered.charts.iter().filter(|it| it.processed.metadata.kind != "library") {
            for (place, version, kind, next) in waiting(rendered, minor) {
                findings.push(
                    RULE.finding(format!("{kind} is printed only where `{version}` is served, which is gone"))
                        .keyed(format!("{} {version} {kind}", place.file))
                        .because("the condition is never met, so the object is never made, whatever is set")
                        .help(format!("ask for `{next}`"))
                        .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
                );
            }
        }
    }
    findings
}

/// The branches of a chart's own templates that stand open only for a version that is gone and have no other side, with the kind
/// that they print and the version that it has today.
fn waiting(rendered: &Rendered, minor: u32) -> Vec<(Place, String, String, String)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    for file in chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt")) {
        let text = file.text();
        if !text.contains(".APIVersions.Has") {
            continue;
        }
        for (start, end, version) in without_other_side(&text) {
            let kinds: BTreeSet<&str> = text[start..end]
                .lines()
                .filter_map(|line| line.strip_prefix("kind:"))
                .map(|kind| kind.trim().trim_matches(['"', '\'']))
                .filter(|kind| KINDS.contains(kind))
                .collect();
            for kind in kinds {
                let Some(gone) = lifecycle::removed(&Gvk::from_api_version(&version, kind), minor) else { continue };
                let Successor::ApiVersion(next) = gone.successor else { continue };
                let line = u32::try_from(text[..start].matches('\n').count()).unwrap_or(0) + 1;
                let source = text.lines().nth(line as usize - 1).map(str::to_owned);
                let place = Place { source, ..Place::line(chart.path_of(&file.name), line) };
                // Another template may print it for the clusters of today, in whatever version a helper finds.
                let elsewhere = chart.templates.iter().any(|other| {
                    let other_text = other.text();
                    other.name != file.name
                        && other_text.contains(&format!("kind: {kind}"))
                        && !other_text.contains(&format!("\"{version}"))
                });
                if !elsewhere {
                    found.push((place, version.clone(), kind.to_owned(), next));
                }
            }
        }
    }
    found
}

/// The branches, as ranges of the text from the condition to its end, that are taken only where a version is served, and have
/// no `else`.
fn without_other_side(text: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    let mut open: Vec<(usize, Option<String>)> = Vec::new();
    for (start, action) in actions(text) {
        let bare = action.trim_matches(['-', ' ', '\n', '\t']);
        match bare.split(char::is_whitespace).next().unwrap_or_default() {
            "if" => open.push((start, wanted(bare))),
            "with" | "range" | "define" | "block" => open.push((start, None)),
            "else" => {
                if let Some(last) = open.last_mut() {
                    last.1 = None;
                }
            }
            "end" => {
                if let Some((from, Some(version))) = open.pop() {
                    found.push((from, start, version));
                }
            }
            _ => {}
        }
    }
    found
}

/// The version that a condition needs: it asks for one, and for nothing that might stand in its place.
fn wanted(condition: &str) -> Option<String> {
    let words: Vec<&str> =
        condition.split(|it: char| it.is_whitespace() || "()".contains(it)).filter(|it| !it.is_empty()).collect();
    if words.iter().any(|it| matches!(*it, "or" | "not" | "ne" | "eq" | "ternary" | "default")) {
        return None;
    }
    let mut asked = words.windows(2).filter(|pair| pair[0].ends_with(".Capabilities.APIVersions.Has"));
    let version = asked.next()?[1].strip_prefix('"')?.strip_suffix('"')?;
    // `group/version/Kind` asks for one kind of it.
    let version = version.split('/').take(2).collect::<Vec<_>>().join("/");
    asked.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_where_nothing_else_can_meet_it() {
        for (condition, version) in [
            ("if .Capabilities.APIVersions.Has \"policy/v1beta1\"", Some("policy/v1beta1")),
            ("if and .Values.a ($.Capabilities.APIVersions.Has \"batch/v1beta1/CronJob\")", Some("batch/v1beta1")),
            ("if or (.Capabilities.APIVersions.Has \"policy/v1beta1\") .Values.a", None),
            ("if not (.Capabilities.APIVersions.Has \"policy/v1beta1\")", None),
            ("if .Values.a", None),
        ] {
            assert_eq!(wanted(condition).as_deref(), version, "{condition}");
        }
    }

    #[test]
    fn a_branch_with_another_side_is_none() {
        let asks = "{{ if .Capabilities.APIVersions.Has \"policy/v1beta1\" }}";
        let lone = format!("{asks}\nkind: A\n{{{{ if .b }}}}x{{{{ else }}}}y{{{{ end }}}}\n{{{{ end }}}}");
        assert_eq!(without_other_side(&lone).len(), 1);
        assert!(without_other_side(&format!("{asks}a{{{{ else }}}}b{{{{ end }}}}")).is_empty());
    }
}
