//! Versions that are gone in templates which are left out for want of a chart that is not at hand: what they say letter by
//! letter is wrong whatever that chart has.

use std::borrow::Cow;

use landfall_chart::{LeftOut, Rendered};
use landfall_diag::{Finding, Severity, Spot};
use landfall_object::{Gvk, lifecycle};

use super::super::value_that_prints_nothing::value_at;
use super::removed;
use crate::subject::DesiredUnit;
use crate::texts::{Action, Text, actions, own_charts};
use crate::written::lines;

/// Words of templates that look at what the cluster serves, in small letters.
const LOOKS_AT_VERSIONS: &[&str] = &["capabilities", "semvercompare", "kubeversion", "apiversions"];

/// Kinds of templates that are left out, in a version that is gone: no more than a word where the settings do not ask for them.
pub(super) fn left_out(unit: &DesiredUnit, minor: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rendered in &unit.rendered.charts {
        for (part, left) in own(rendered) {
            let text = Text { path: left.path.clone(), text: Cow::Borrowed(left.text.as_str()) };
            for (gvk, at) in literal(&text.text) {
                let Some(gone) = lifecycle::removed(&gvk, minor) else { continue };
                let open = around(&text.text, at);
                // What is for others to call is not printed here.
                if open.iter().any(|it| matches!(it.word(), "define" | "block")) {
                    continue;
                }
                let is_on = open.iter().all(|it| asked(it).is_some_and(|path| is_true(rendered, part, path)));
                let finding = removed(&gvk, &gone)
                    .keyed(format!("{} {}", left.path, gvk.kind))
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(at)) });
                findings.push(if is_on { finding } else { finding.weighing(Severity::Info) });
            }
        }
    }
    findings
}

/// The templates that are left out of a chart and of the parts of its own, each with the part's name: empty for the chart.
fn own(rendered: &Rendered) -> Vec<(&str, &LeftOut)> {
    let parts = own_charts(&rendered.processed).enumerate();
    let named = parts.map(|(at, part)| (if at == 0 { "" } else { part.name() }, part));
    named.flat_map(|(name, part)| part.without.templates.iter().map(move |left| (name, left))).collect()
}

/// The kinds of a text that are written letter by letter, in one version alone, each with where the line of that begins.
fn literal(text: &str) -> Vec<(Gvk, usize)> {
    let small = text.to_ascii_lowercase();
    if LOOKS_AT_VERSIONS.iter().any(|word| small.contains(word)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut document: Vec<(usize, &str)> = Vec::new();
    for (at, line) in lines(text).chain([(text.len(), "---")]) {
        if line.starts_with("---") {
            found.extend(kind_of(&document));
            document.clear();
        } else {
            document.push((at, line));
        }
    }
    // A comment, or a text within an action, is no part of what is printed as it is.
    found.retain(|(_, at)| !actions(text).any(|it| (it.start..it.end).contains(at)));
    found
}

fn kind_of(document: &[(usize, &str)]) -> Option<(Gvk, usize)> {
    let (version, at) = said_once(document, "apiVersion:")?;
    let (kind, _) = said_once(document, "kind:")?;
    Some((Gvk::from_api_version(version, kind), at))
}

/// What a key at the edge of the page says, where it is there once and no action has a part in it.
fn said_once<'t>(document: &[(usize, &'t str)], key: &str) -> Option<(&'t str, usize)> {
    let mut all = document.iter().filter_map(|(at, line)| Some((line.strip_prefix(key)?.trim(), *at)));
    let (said, at) = all.next().filter(|(said, _)| !said.contains("{{"))?;
    all.next().is_none().then_some((said.trim_matches(['"', '\'']), at))
}

/// The blocks that are open at a place of a text, by the actions that begin them; an `else` is in place of its `if`.
fn around(text: &str, at: usize) -> Vec<Action<'_>> {
    let mut open = Vec::new();
    for action in actions(text).take_while(|it| it.start < at) {
        match action.word().split('(').next().unwrap_or_default() {
            "if" | "with" | "range" | "define" | "block" => open.push(action),
            "else" => {
                open.pop();
                open.push(action);
            }
            "end" => {
                open.pop();
            }
            _ => {}
        }
    }
    open
}

/// The value that an `if` asks for, and nothing else: `web.enabled` of `if .Values.web.enabled`.
fn asked<'t>(action: &Action<'t>) -> Option<&'t str> {
    let asks = action.inner.strip_prefix("if")?.trim_matches([' ', '(', ')']);
    let path = asks.trim_start_matches('$').strip_prefix(".Values.")?;
    path.chars().all(|it| it.is_ascii_alphanumeric() || "._-".contains(it)).then_some(path)
}

/// Whether a value of a part is one that lets a condition hold.
fn is_true(rendered: &Rendered, part: &str, path: &str) -> bool {
    let path = if part.is_empty() { path.to_owned() } else { format!("{part}.{path}") };
    value_at(&rendered.values, &path).is_some_and(|it| it.truth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_where_they_are_written_letter_by_letter() {
        let scaled = "{{- if .Values.on }}\napiVersion: \"autoscaling/v2beta1\"\nkind: HorizontalPodAutoscaler\nspec:\n  \
                      scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n{{- end }}\n";
        let found = |text: &str| literal(text).into_iter().map(|(gvk, at)| (gvk.to_string(), at)).collect::<Vec<_>>();
        let alone = (Gvk::from_api_version("autoscaling/v2beta1", "HorizontalPodAutoscaler").to_string(), 21);
        assert_eq!(found(scaled), std::slice::from_ref(&alone));
        assert_eq!(found(&format!("{scaled}---\napiVersion: {{{{ .Values.version }}}}\nkind: Pod\n")), [alone]);
        for other in [
            scaled.replace("kind: Horizontal", "apiVersion: autoscaling/v2\nkind: Horizontal"),
            scaled.replace("kind: HorizontalPodAutoscaler", "kind: {{ .Values.kind }}"),
            format!("{{{{/*\n{scaled}*/}}}}\n").replace("{{- if .Values.on }}", "").replace("{{- end }}", ""),
            scaled.replace("if .Values.on", "if .Capabilities.APIVersions.Has \"autoscaling/v2beta1\""),
        ] {
            assert!(found(&other).is_empty(), "{other}");
        }
    }

    #[test]
    fn what_stands_around_a_place_is_what_is_open_there() {
        let text =
            "{{ if .Values.a }}{{ range .b }}{{ end }}{{ if .c }}x{{ else }}\napiVersion: a/v1\n{{ end }}{{ end }}";
        let at = text.find("apiVersion").unwrap_or_default();
        let open = around(text, at);
        assert_eq!(open.iter().map(|it| it.inner).collect::<Vec<_>>(), ["if .Values.a", "else"]);
        assert_eq!(open.iter().map(asked).collect::<Vec<_>>(), [Some("a"), None]);
    }
}
