//! How much of what is named as deciding about a field does: the value is changed, and the field with it or not.
//!
//! ```text
//! field ─► values named as deciding about it ─► each set to what else it may be: off and on, none, empty, another number,
//!          the words that templates compare it with ─► did the field change, go, or move, in any of them?
//! ```
//!
//! A value whose every change the chart refuses is left out: nothing can be said of it.

use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::{Chart, Reason, Tree};
use regex::Regex;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Fields, Key, Read, Step, moved, others, overriding, shown, texts};
use crate::workers;

/// How many values are tried in a value's place.
const TRIES: usize = 10;
/// How many of the pairs that never changed are listed.
const LISTED: usize = 40;

/// Pairs of a field and a value that is named as deciding about it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Precision {
    /// By how it is said to decide.
    pub(super) reasons: BTreeMap<&'static str, Pairs>,
    /// Pairs whose value the chart refuses to have changed.
    untried: usize,
    /// The first few that did not change: value, object, field.
    still: Vec<String>,
}

/// How many pairs there are.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Pairs {
    /// A value is named for a field.
    pub(super) named: usize,
    /// Changing the value changes the field.
    pub(super) changed: usize,
}

impl Pairs {
    /// How many of a hundred.
    pub(super) fn percent(self) -> f64 {
        if self.named == 0 { 100.0 } else { (self.changed as f64 * 10_000.0 / self.named as f64).round() / 100.0 }
    }
}

impl Precision {
    /// Adds another chart's.
    pub(super) fn add(&mut self, other: &Precision) {
        for (reason, pairs) in &other.reasons {
            let sum = self.reasons.entry(reason).or_default();
            sum.named += pairs.named;
            sum.changed += pairs.changed;
        }
        self.untried += other.untried;
        self.still.extend(other.still.iter().cloned());
        self.still.truncate(LISTED);
    }

    /// Of what is told to a person: the branches around a field, and what was left out beside it.
    pub(super) fn told(&self) -> Pairs {
        let near = [Reason::Branch, Reason::LeftOut].map(Reason::word);
        let of = self.reasons.iter().filter(|(reason, _)| near.contains(reason));
        of.fold(Pairs::default(), |sum, (_, pairs)| Pairs {
            named: sum.named + pairs.named,
            changed: sum.changed + pairs.changed,
        })
    }
}

/// Measures a chart; `every` so many-th value is changed.
pub(super) fn measure(
    chart: &Chart,
    tree: &Tree,
    base: &Fields,
    random: &BTreeSet<&Key>,
    values: &Json,
    known: &Read,
    every: usize,
) -> Precision {
    let Some(provenance) = &base.rendered.provenance else { return Precision::default() };
    let mut nodes = BTreeMap::new();
    below(values, &mut Vec::new(), &mut nodes);
    // One value may decide in several ways; the nearest is the one that is told.
    let mut named: BTreeMap<&str, BTreeMap<&Key, Reason>> = BTreeMap::new();
    for (key, field) in base.all.iter().filter(|(key, _)| !random.contains(key)) {
        for decision in &field.origin.decisions {
            let Some(path) = provenance.path_of(decision.origin).filter(|path| nodes.contains_key(*path)) else {
                continue;
            };
            let reason = named.entry(path).or_default().entry(key).or_insert(decision.reason);
            *reason = (*reason).min(decision.reason);
        }
    }
    let words = compared(tree);
    let chosen: Vec<(&str, BTreeMap<&Key, Reason>)> = named.into_iter().step_by(every).collect();
    let measured = workers::each(&chosen, |_, (path, fields)| {
        let (steps, value) = &nodes[*path];
        let mut still: BTreeSet<&Key> = fields.keys().copied().collect();
        let mut tried = 0;
        for other in alternatives(value, steps, &words) {
            let layer = overriding(values, steps, &other).to_string();
            let Ok(flipped) = texts(chart, Some(&layer), known) else { continue };
            tried += 1;
            still.retain(|key| flipped.get(*key) == Some(&base.all[*key].text) && !moved(key, &base.all, &flipped));
            if still.is_empty() {
                break;
            }
        }
        let mut found = Precision::default();
        if tried == 0 {
            found.untried = fields.len();
            return found;
        }
        for (key, reason) in fields {
            let pairs = found.reasons.entry(reason.word()).or_default();
            pairs.named += 1;
            pairs.changed += usize::from(!still.contains(key));
        }
        let near = |key: &&&Key| matches!(fields[**key], Reason::Branch | Reason::LeftOut);
        let shown = still.iter().filter(near).take(2);
        found.still = shown.map(|key| format!("{path} → {} {}", key.0, key.1.replace('\u{1f}', "."))).collect();
        found
    });
    let mut all = Precision::default();
    measured.iter().for_each(|found| all.add(found));
    all
}

/// All values with their paths, tables and lists, too.
fn below(value: &Json, path: &mut Vec<Step>, nodes: &mut BTreeMap<String, (Vec<Step>, Json)>) {
    if !path.is_empty() {
        nodes.insert(shown(path), (path.clone(), value.clone()));
    }
    let mut into = |step: Step, value: &Json| {
        path.push(step);
        below(value, path, nodes);
        path.pop();
    };
    match value {
        Json::Object(entries) => entries.iter().for_each(|(key, value)| into(Step::Key(key.clone()), value)),
        Json::Array(items) => items.iter().enumerate().for_each(|(at, value)| into(Step::At(at), value)),
        _ => {}
    }
}

/// What a value may be instead, the likeliest first.
fn alternatives(value: &Json, steps: &[Step], words: &BTreeMap<String, BTreeSet<String>>) -> Vec<Json> {
    let key = steps.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::At(_) => None,
    });
    let said = key.and_then(|key| words.get(key)).into_iter().flatten().map(|word| json!(word));
    let mut tries: Vec<Json> = match value {
        Json::Bool(_) => others(value),
        Json::Number(_) => others(value).into_iter().chain([json!(0), json!(1), json!(2)]).collect(),
        Json::String(_) => std::iter::once(json!("")).chain(others(value)).chain(said).collect(),
        Json::Null => [json!("flipped"), json!(true), json!(1), json!({"flipped": "flipped"}), json!(["flipped"])]
            .into_iter()
            .chain(said)
            .collect(),
        Json::Array(items) if items.is_empty() => vec![json!(["flipped"]), json!([{"name": "flipped"}])],
        Json::Array(_) => vec![json!([])],
        Json::Object(entries) if entries.is_empty() => {
            vec![json!({"flipped": "flipped"}), json!({"flipped": {"enabled": true}}), json!({"enabled": true})]
        }
        // Tables are merged; none takes the whole away.
        Json::Object(_) => vec![Json::Null],
    };
    tries.retain(|other| other != value);
    tries.truncate(TRIES);
    tries
}

/// The words in quotes that stand in a template's line beside a value's name: what it may be compared with.
fn compared(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (Ok(name), Ok(word)) = (Regex::new(r"\.([A-Za-z0-9_]+)\b"), Regex::new(r#""([^"\\{}]{1,40})""#)) else {
        return words;
    };
    for (path, bytes) in tree.iter() {
        if !path.contains("templates/") {
            continue;
        }
        let text = String::from_utf8_lossy(bytes);
        for line in text.lines().filter(|line| {
            ["eq ", "ne ", "has ", "contains ", "hasPrefix ", "hasSuffix "].iter().any(|it| line.contains(it))
        }) {
            let said: Vec<&str> = word.captures_iter(line).filter_map(|found| Some(found.get(1)?.as_str())).collect();
            for key in name.captures_iter(line).filter_map(|found| Some(found.get(1)?.as_str())) {
                words.entry(key.to_owned()).or_default().extend(said.iter().map(|word| (*word).to_owned()));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(templates: &str, values: &str) -> Precision {
        let mut tree = Tree::new();
        for (path, text) in [
            ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
            ("values.yaml", values),
            ("templates/all.yaml", templates),
        ] {
            tree.insert(path.to_owned(), text.as_bytes().to_vec()).expect("a path");
        }
        let chart = Chart::load(&tree, "shop").expect("a chart");
        let base = super::super::fields(&chart, None).expect("it renders");
        let values = landfall_chart::values_to_json(&base.rendered.values);
        measure(&chart, &tree, &base, &BTreeSet::new(), &values, &Read::default(), 1)
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n";

    #[test]
    fn a_value_that_a_branch_asks_decides_and_one_that_both_ways_agree_on_does_not() {
        let asked = of(
            &format!("{MAP}{{{{ if eq .Values.kind \"b\" }}}}  x: one{{{{ else }}}}  x: two{{{{ end }}}}\n"),
            "kind: a\n",
        );
        assert_eq!((asked.told().named, asked.told().changed), (1, 1), "{asked:?}");
        let same = of(
            &format!("{MAP}{{{{ if .Values.fancy }}}}  x: one{{{{ else }}}}  x: one{{{{ end }}}}\n"),
            "fancy: true\n",
        );
        assert_eq!((same.told().named, same.told().changed), (1, 0), "{same:?}");
        assert!(same.told().percent() < 50.0 && same.still.len() == 1, "{same:?}");
    }

    #[test]
    fn an_empty_table_that_lets_a_block_in_decides_about_it() {
        let found =
            of(&format!("{MAP}  x: one\n{{{{- with .Values.more }}}}\n  y: two\n{{{{- end }}}}\n"), "more: {a: 1}\n");
        assert!(found.told().named >= 1 && found.told().changed == found.told().named, "{found:?}");
    }
}
