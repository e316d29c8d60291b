//! Conditions that ask for one value in whatever form, and print the value of another table by the same key.

use landfall_chart::Rendered;
use landfall_diag::Place;

use super::of_its_name::{OTHERWISE, is_letting, of_the_same_key};
use super::{Condition, asked_for, is_of_a_part, texts};
use crate::catalogue::value_that_prints_nothing::{declares, value_at};
use crate::texts::{Action, If, actions, ifs, unquoted, words};

/// The conditions of a chart's own templates that ask for a value in another form than by itself, and print a declared one of the
/// same key alone, with both.
pub(super) fn of_one(rendered: &Rendered) -> Vec<(Place, String, String)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    if chart.metadata.kind == "library" {
        return found;
    }
    for (file, text) in texts(chart).iter().filter(|(file, _)| !file.ends_with("NOTES.txt")) {
        for condition in asked_for_one(text) {
            let Some((asked, only)) = of_the_same_key(&condition) else { continue };
            if are_siblings(rendered, &asked, &only) {
                let source = text.lines().nth(condition.line as usize - 1).map(str::to_owned);
                found.push((Place { source, ..Place::line(file.clone(), condition.line) }, asked, only));
            }
        }
    }
    found
}

/// The conditions that name one path of the values among other words, where their branch is all there is: no `else`, and no block
/// within.
pub(super) fn asked_for_one(text: &str) -> Vec<Condition> {
    let of = |it: &If<'_>| {
        let said = unquoted(it.asks);
        let mut paths = asked_for(&said);
        paths.dedup();
        let ends = actions(&text[it.body.end..it.end]).next().is_some_and(|action| action.word() == "end");
        let within: Vec<Action<'_>> = actions(&text[it.body.clone()]).filter(|it| !it.is_comment()).collect();
        let opens = within.iter().any(|it| it.of_block().is_some());
        if paths.len() != 1 || !ends || opens || !is_in_another_form(&said) {
            return None;
        }
        let line = u32::try_from(text[..it.at].matches('\n').count()).unwrap_or(0) + 1;
        let inner = within.iter().map(|it| it.inner).collect::<Vec<_>>().join("\n");
        Some(Condition { line, paths, about: String::new(), inner, is_if: true, is_loop: false })
    };
    ifs(text).iter().filter_map(of).collect()
}

/// Whether a condition says more than the name of a value, and holds only where that value is there. What is compared with one
/// word (`eq`) is a choice, and what is chosen has a table of its own.
fn is_in_another_form(said: &str) -> bool {
    let words = words(said);
    let denied = words.iter().filter(|word| matches!(**word, "not" | "empty")).count();
    let is_otherwise = words.iter().any(|word| matches!(*word, "eq" | "or" | "hasKey") || OTHERWISE.contains(word));
    let is_bare = !said.contains(|letter: char| letter.is_whitespace() || letter == '(');
    !is_bare && !is_otherwise && denied % 2 == 0
}

/// Whether two paths are of tables of the chart's own, both switches or neither, and the one that is printed is declared.
fn are_siblings(rendered: &Rendered, asked: &str, only: &str) -> bool {
    let steps: Vec<&str> = only.split('.').collect();
    let is_one = |path: &str| value_at(&rendered.values, path).is_some_and(|it| it.as_bool().is_some());
    let is_open = |path: &str| {
        let first = path.split('.').next().unwrap_or_default();
        let lets = path.rsplit('.').nth(1).is_some_and(is_letting);
        first != "global" && !is_of_a_part(&rendered.processed, first) && !lets
    };
    declares(&rendered.values, &steps) && is_open(asked) && is_open(only) && is_one(asked) == is_one(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_asks_for_one_value_in_whatever_form() {
        let of = |text: &str| asked_for_one(text).iter().find_map(of_the_same_key);
        let told = Some(("logs.className".to_owned(), "data.className".to_owned()));
        for asks in [
            "ne \"-\" .Values.logs.className",
            "(ne \"-\" .Values.logs.className)",
            "not (empty .Values.logs.className)",
            "and .Values.logs.className (semverCompare \">=1.18\" .Capabilities.KubeVersion.Version)",
        ] {
            let text = format!("{{{{- if {asks} }}}}\na: {{{{ .Values.data.className | quote }}}}\n{{{{- end }}}}");
            assert_eq!(of(&text), told, "{text}");
        }
    }

    #[test]
    fn a_condition_that_is_answered_otherwise_or_denied_is_none() {
        let printed = "a: {{ .Values.data.className }}";
        for text in [
            format!("{{{{ if .Values.logs.className }}}}{printed}{{{{ end }}}}"),
            format!("{{{{ if not .Values.logs.className }}}}{printed}{{{{ end }}}}"),
            format!("{{{{ if eq .Values.logs.className \"data\" }}}}{printed}{{{{ end }}}}"),
            format!("{{{{ if and .Values.logs.className .Values.data.on }}}}{printed}{{{{ end }}}}"),
            format!("{{{{ if ne \"-\" .Values.logs.className }}}}{printed}{{{{ else }}}}b{{{{ end }}}}"),
            format!("{{{{ if ne \"-\" .Values.logs.className }}}}{{{{ if .a }}}}{printed}{{{{ end }}}}{{{{ end }}}}"),
            format!("{{{{ if ne \"-\" (default \"-\" .Values.logs.className) }}}}{printed}{{{{ end }}}}"),
        ] {
            assert!(asked_for_one(&text).is_empty(), "{text}");
        }
    }
}
