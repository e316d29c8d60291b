//! Conditions within a loop that ask for a value in a table of the item, and print the item's own value of that name.

use landfall_diag::{Finding, Spot};

use super::RULE;
use crate::subject::DesiredUnit;
use crate::texts::{Action, Text, actions, unquoted, words};

/// What the root has, which is no item.
const OF_THE_ROOT: &[&str] = &["Values", "Release", "Chart", "Capabilities", "Files", "Template", "Subcharts"];

/// A condition within a loop whose branch prints another value than it asks for.
#[derive(Debug, PartialEq, Eq)]
struct Beside {
    at: usize,
    /// What it asks for, from the item on: `.ingress.className`.
    asked: String,
    /// What is printed: `.className`.
    printed: String,
}

/// What is found of a text's conditions on the tables of items.
pub(super) fn of_items(unit: &DesiredUnit, text: &Text<'_>) -> Vec<Finding> {
    let told = beside_what_is_asked(&text.text).into_iter().map(|Beside { at, asked, printed }| {
        let place = text.place(at);
        RULE.finding(format!("a condition asks for `{asked}` of an item, and what stands behind it prints `{printed}`"))
            .keyed(format!("{} {asked} {printed}", place.file))
            .because(format!("nothing else of the loop reads either, so whoever sets `{asked}` is not heard"))
            .help(format!("print `{asked}`"))
            .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) })
    });
    told.collect()
}

/// The conditions of all loops of a text that print what is one step less than what they ask for.
fn beside_what_is_asked(text: &str) -> Vec<Beside> {
    let all: Vec<Action<'_>> = actions(text).filter(|it| !it.is_comment()).collect();
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut found = Vec::new();
    for (index, action) in all.iter().enumerate() {
        match action.of_block() {
            Some("end") => {
                if let Some((from, "range")) = open.pop() {
                    found.extend(of_a_loop(&all[from + 1..index]));
                }
            }
            None | Some("else") => {}
            Some(word) => open.push((index, word)),
        }
    }
    found
}

/// The conditions of one loop; those within others, where the dot is elsewhere, are left out.
fn of_a_loop(body: &[Action<'_>]) -> Vec<Beside> {
    let mut moved: Vec<bool> = Vec::new();
    let mut found = Vec::new();
    for (index, action) in body.iter().enumerate() {
        match action.of_block() {
            Some("if") => {
                if !moved.contains(&true) {
                    found.extend(of_a_branch(body, index));
                }
                moved.push(false);
            }
            Some("end") => {
                moved.pop();
            }
            None | Some("else") => {}
            Some(_) => moved.push(true),
        }
    }
    found
}

/// The condition at a place of a loop, where its branch names one value alone, and nothing else of the loop is made of what
/// either names.
fn of_a_branch(body: &[Action<'_>], at: usize) -> Option<Beside> {
    let asked = body[at].rest();
    let (table, key) = two_steps(asked)?;
    let (table, printed) = (format!(".{table}"), format!(".{key}"));
    let behind = &body[at + 1..];
    let length = behind.iter().position(|it| it.of_block().is_some())?;
    let mut named: Vec<String> = behind[..length].iter().flat_map(|it| paths(it.inner)).collect();
    named.dedup();
    let is_alone = behind[length].of_block() == Some("end") && named == [printed.as_str()];
    let is_around = |index: usize| index <= at || index > at + length;
    let mut around = body.iter().enumerate().filter(|(index, _)| is_around(*index));
    let is_heard = around.any(|(_, it)| {
        let is_condition = it.word() == "if" || (it.word() == "else" && it.rest().starts_with("if"));
        paths(it.inner)
            .iter()
            .any(|path| names(path, &printed) || (!is_condition && (*path == table || names(path, asked))))
    });
    (is_alone && !is_heard).then(|| Beside { at: body[at].start, asked: asked.to_owned(), printed })
}

/// Whether a path is another one, or goes on from it, be it from a variable that holds the item.
fn names(path: &str, other: &str) -> bool {
    let from_item = path.strip_prefix('$').and_then(|rest| rest.find('.').map(|at| &rest[at..])).unwrap_or(path);
    from_item.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The table and the key of a path of two steps from the dot on.
fn two_steps(path: &str) -> Option<(&str, &str)> {
    let (table, key) = path.strip_prefix('.')?.split_once('.')?;
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    (is_name(table) && is_name(key) && !OF_THE_ROOT.contains(&table)).then_some((table, key))
}

/// The paths that an action names, from the dot or from a variable on.
fn paths(inner: &str) -> Vec<String> {
    let said = unquoted(inner);
    let named = words(&said).into_iter().filter(|word| word.len() > 1 && word.starts_with(['.', '$']));
    named.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Vec<(String, String)> {
        let text = format!("{{{{ range .Values.routes }}}}{body}{{{{ end }}}}");
        beside_what_is_asked(&text).into_iter().map(|it| (it.asked, it.printed)).collect()
    }

    #[test]
    fn a_branch_prints_what_is_one_step_less_than_what_is_asked() {
        let told = [(".way.class".to_owned(), ".class".to_owned())];
        for body in [
            "{{- if .way.class }}a: {{ .class }}{{- end }}",
            "{{ if .on }}{{- if .way.class }}a: {{ .class | quote }}{{- end }}{{ end }}b: {{ .way.host }}",
            "{{- if .way.class }}a: {{ .class }}{{- end }}{{ range .way.hosts }}{{ .name }}{{ end }}",
        ] {
            assert_eq!(of(body), told, "{body}");
        }
    }

    #[test]
    fn an_item_that_has_both_or_hands_its_table_on_is_not_told() {
        for body in [
            "{{- if .way.class }}a: {{ .way.class }}{{- end }}",
            "{{- if .way.class }}a: {{ .class }}{{- end }}b: {{ .class }}",
            "{{- if .way.class }}a: {{ .class }}{{- end }}b: {{ .way.class }}",
            "{{- if .way.class }}a: {{ .class }}{{- end }}{{ toYaml .way }}",
            "{{- if .way.class }}a: {{ .class }}{{- else }}b{{- end }}",
            "{{- if .way.class }}a: {{ .class }}{{ .host }}{{- end }}",
            "{{- if .way.class }}a: {{ .host }}{{- end }}",
            "{{- if and .way.class .on }}a: {{ .class }}{{- end }}",
            "{{- with .way }}{{ if .it.class }}a: {{ .class }}{{ end }}{{- end }}",
            "{{- if .Values.class }}a: {{ .class }}{{- end }}",
            "{{- if .way.class }}a: {{ .class }}{{- end }}{{ $item.class }}",
        ] {
            assert_eq!(of(body), [], "{body}");
        }
        assert!(beside_what_is_asked("{{- if .way.class }}a: {{ .class }}{{- end }}").is_empty());
    }
}
