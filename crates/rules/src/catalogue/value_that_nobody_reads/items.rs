//! Keys of the items of a list that differ by a slip of the hand from what templates ask the items for.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::Rendered;
use landfall_diag::{Finding, Place, Spot};

use super::super::value_that_prints_nothing::{Dot, operand, value_at};
use crate::rule::Rule;
use crate::texts::{Action, actions, own_texts, unquoted, words};

/// What templates ask the items of a list for.
#[derive(Default)]
struct Asked {
    keys: BTreeSet<String>,
    /// Whether an item is handed on as a whole.
    whole: bool,
}

/// A key of an item that no template asks for, beside one that it may be meant for.
pub(super) struct Misspelt {
    path: String,
    near: String,
    place: Option<Place>,
}

impl Misspelt {
    pub(super) fn told(self, rule: &Rule, unit: &str) -> Finding {
        let Misspelt { path, near, place } = self;
        let finding = rule
            .finding(format!("no template reads `{path}`, which is set"))
            .because(format!("the items are asked for `{near}`, and this one has none"))
            .help(format!("did you mean `{near}`?"))
            .keyed(path);
        finding.at(Spot { unit: Some(unit.to_owned()), ..place.map_or_else(Spot::default, Spot::file) })
    }
}

/// The keys of items that are a slip away from what the items are asked for.
pub(super) fn misspelt(rendered: &Rendered) -> Vec<Misspelt> {
    let mut asked: BTreeMap<String, Asked> = BTreeMap::new();
    let mut said: BTreeSet<String> = BTreeSet::new();
    for text in own_texts(rendered) {
        ask(&text.text, &mut asked);
        for action in actions(&text.text) {
            let steps = action.inner.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == '-'));
            said.extend(steps.map(str::to_owned));
        }
    }
    let mut found = Vec::new();
    for (path, asked) in asked.iter().filter(|(_, asked)| !asked.whole && !asked.keys.is_empty()) {
        let Some(list) = value_at(&rendered.values, path).and_then(|it| it.as_list().cloned()) else { continue };
        for (at, item) in list.values().iter().enumerate() {
            let Some(item) = item.as_map() else { continue };
            let keys: Vec<String> = item.keys().iter().map(|key| key.to_string_lossy().into_owned()).collect();
            for key in keys.iter().filter(|key| !asked.keys.contains(*key) && !said.contains(*key)) {
                let others = asked.keys.iter().map(String::as_str).filter(|other| !keys.iter().any(|it| it == other));
                let Some(near) = landfall_diag::slip(key, others) else { continue };
                let place = item
                    .get(key)
                    .and_then(|value| rendered.provenance.as_ref()?.source(value.origin())?.place().cloned());
                found.push(Misspelt { path: format!("{path}[{at}].{key}"), near: near.to_owned(), place });
            }
        }
    }
    found
}

/// A block that is open: the list whose items the dot stands for, and the variable that does.
#[derive(Clone, Default)]
struct Open {
    dot: Option<String>,
    variable: Option<(String, String)>,
}

/// Takes in what a template asks the items of the values' lists for.
fn ask(text: &str, asked: &mut BTreeMap<String, Asked>) {
    let mut open: Vec<Open> = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let within = open.clone();
        hear(&action, &within, asked);
        match action.word() {
            "range" => {
                let of = ranged(&action);
                if let Some((path, _)) = &of {
                    asked.entry(path.clone()).or_default();
                }
                open.push(Open {
                    variable: of.as_ref().and_then(|(path, name)| Some((name.clone()?, path.clone()))),
                    dot: of.map(|(path, _)| path),
                });
            }
            "if" => open.push(Open { dot: within.last().and_then(|it| it.dot.clone()), variable: None }),
            "with" | "define" | "block" => open.push(Open::default()),
            "end" => drop(open.pop()),
            _ => {}
        }
    }
}

/// What one action asks items for, or that it hands one on.
fn hear(action: &Action<'_>, within: &[Open], asked: &mut BTreeMap<String, Asked>) {
    let said = unquoted(action.inner);
    for word in words(&said) {
        let dot = within.last().and_then(|it| it.dot.as_ref());
        let by_dot = dot.and_then(|path| Some((path, word.strip_prefix('.')?)));
        let by_name = within.iter().rev().filter_map(|it| it.variable.as_ref()).find_map(|(name, path)| {
            let rest = word.strip_prefix(name.as_str())?;
            (rest.is_empty() || rest.starts_with('.')).then(|| (path, rest.trim_start_matches('.')))
        });
        let Some((path, rest)) = by_dot.or(by_name) else { continue };
        let asked = asked.entry(path.clone()).or_default();
        match rest.split('.').next().filter(|step| !step.is_empty()) {
            Some(step) => {
                asked.keys.insert(step.to_owned());
            }
            None => asked.whole = true,
        }
    }
}

/// The list of the values that `range` goes through, and the variable that it gives an item's name to.
fn ranged(action: &Action<'_>) -> Option<(String, Option<String>)> {
    let (names, list) = match action.rest().split_once(":=") {
        Some((names, list)) => (Some(names), list),
        None => (None, action.rest()),
    };
    let path = operand(list.trim(), &Dot::Root)?;
    let name = names.and_then(|names| names.rsplit(',').next()).map(|name| name.trim().to_owned());
    Some((path, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, Vec<String>, bool)> {
        let mut asked = BTreeMap::new();
        ask(text, &mut asked);
        asked.into_iter().map(|(path, it)| (path, it.keys.into_iter().collect(), it.whole)).collect()
    }

    #[test]
    fn what_items_are_asked_for_is_found_by_the_dot_and_by_a_variable() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let by_dot = "{{ range .Values.jobs }}{{ .name }}{{ if .cron.on }}{{ .image | quote }}{{ end }}{{ with .env }}{{ .x }}{{ end }}{{ end }}{{ .y }}";
        assert_eq!(of(by_dot), [("jobs".to_owned(), keys(&["cron", "env", "image", "name"]), false)]);
        let by_name = "{{ range $at, $job := $.Values.jobs }}{{ with $x }}{{ $job.name }}{{ end }}{{ end }}";
        assert_eq!(of(by_name), [("jobs".to_owned(), keys(&["name"]), false)]);
        let whole = "{{ range .Values.jobs }}{{ .name }}{{ toYaml . }}{{ end }}";
        assert_eq!(of(whole), [("jobs".to_owned(), keys(&["name"]), true)]);
    }
}
