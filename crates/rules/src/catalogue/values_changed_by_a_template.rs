use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::Rendered;
use landfall_diag::{Finding, Severity, Spot};

use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::{Text, actions, own_texts, words};

pub(super) static RULE: Rule = Rule {
    id: "LF427",
    title: "templates leave the values as they are",
    severity: Severity::Warning,
    why: "`mergeOverwrite` writes into its first table. Where that is one of the values, whoever reads it afterwards reads what was meant \
          for one component alone: the settings of the one leak into the others, and which of them do depends on the order of the files.",
    advice: "Give it a table of its own first: `mergeOverwrite (deepCopy .Values.a) .Values.b`.",
    check,
};

/// No table of values is looked for deeper than that.
const DEEPEST: usize = 64;

/// The functions that write into the table that they are given first.
const WRITES: &[&str] = &["mergeOverwrite", "mustMergeOverwrite"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let own = |unit| move |rendered| of_chart(unit, rendered);
    subject.units.iter().flat_map(|unit| unit.rendered.charts.iter().flat_map(own(unit))).collect()
}

fn of_chart(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let texts = own_texts(rendered);
    let mut by_table: BTreeMap<&str, Vec<Spot>> = BTreeMap::new();
    for text in &texts {
        for (at, table) in written(&text.text) {
            let spot = Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(at)) };
            by_table.entry(table).or_default().push(spot);
        }
    }
    let readers = readers(&texts, &by_table);
    // Who writes into it reads it, too.
    by_table.retain(|table, _| readers.get(table).is_some_and(|count| *count > 1));
    let told = |(table, spots): (&str, Vec<Spot>)| {
        let finding = RULE
            .finding(format!("a template writes into `{table}` what is meant for one place"))
            .keyed(table)
            .because("`mergeOverwrite` changes its first table, and others read it")
            .help(format!("give it `(deepCopy .Values.{table})`"));
        spots.into_iter().fold(finding, Finding::at)
    };
    by_table.into_iter().map(told).collect()
}

/// The tables of the values that a text writes into to use what comes of it, with the places of the actions. Who drops what comes
/// of it means to change the values.
fn written(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment() && !it.inner.starts_with("$_ ")) {
        let words = words(action.inner);
        let first = words.windows(2).find(|pair| WRITES.contains(&pair[0]));
        let table = first.and_then(|pair| pair[1].trim_start_matches('$').strip_prefix(".Values."));
        // What stands in brackets is another table, and what is made on the spot is meant for everybody.
        let is_plain = table.is_some_and(|table| {
            let behind = action.inner.split_once(&format!(".Values.{table} ")).map(|(_, rest)| rest.trim_start());
            let is_bare = ["verwrite .Values.", "verwrite $.Values."].iter().any(|it| action.inner.contains(it));
            is_bare && behind.is_some_and(|rest| rest.starts_with(['.', '$']))
        });
        found.extend(table.filter(|_| is_plain).map(|table| (action.start, table)));
    }
    found
}

/// How many actions read each of some tables, or a part of it.
fn readers<'t>(texts: &'t [Text<'_>], tables: &BTreeMap<&str, Vec<Spot>>) -> BTreeMap<&'t str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    if tables.is_empty() {
        return counts;
    }
    for action in texts.iter().flat_map(|text| actions(&text.text)).filter(|it| !it.is_comment()) {
        let paths =
            words(action.inner).into_iter().filter_map(|it| it.trim_start_matches('$').strip_prefix(".Values."));
        let within = paths.flat_map(|path| {
            let ends = path.match_indices('.').map(|(at, _)| at).take(DEEPEST).chain([path.len()]);
            ends.map(move |end| &path[..end])
        });
        let read: BTreeSet<&str> = within.filter(|table| tables.contains_key(table)).collect();
        read.into_iter().for_each(|table| *counts.entry(table).or_default() += 1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_into_is_a_table_of_the_values() {
        let tables = |text: &'static str| written(text).into_iter().map(|(_, table)| table).collect::<Vec<_>>();
        assert_eq!(tables("{{ $f := mergeOverwrite .Values.f .Values.a.f }}"), ["f"]);
        assert_eq!(tables("{{ toYaml (mustMergeOverwrite $.Values.f.g .x) }}"), ["f.g"]);
        for text in [
            "{{ $f := mergeOverwrite (deepCopy .Values.f) .Values.a }}",
            "{{ $f := mergeOverwrite (dict) .Values.f }}",
            "{{ $f := mergeOverwrite .Values.f (dict \"a\" 1) }}",
            "{{ $_ := mergeOverwrite .Values.f .Values.a }}",
            "{{ $f := merge .Values.f .Values.a }}",
            "{{/* mergeOverwrite .Values.f .Values.a */}}",
        ] {
            assert!(tables(text).is_empty(), "{text}");
        }
    }
}
