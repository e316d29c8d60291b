use std::collections::BTreeMap;

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
        for (at, table) in written(&text.text).into_iter().filter(|it| is_read_elsewhere(&texts, text, it.0, it.1)) {
            let spot = Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(at)) };
            by_table.entry(table).or_default().push(spot);
        }
    }
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

/// Whether somebody else reads a table, a part of it, or one that it is a part of.
fn is_read_elsewhere(texts: &[Text<'_>], own: &Text<'_>, at: usize, table: &str) -> bool {
    let is_it = |word: &str| {
        let read = word.trim_start_matches('$').strip_prefix(".Values.").unwrap_or_default();
        read.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    texts.iter().any(|text| {
        let mut others = actions(&text.text).filter(|it| !it.is_comment());
        others.any(|it| {
            let is_own = text.path == own.path && it.start == at;
            !is_own && words(it.inner).into_iter().any(is_it)
        })
    })
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
