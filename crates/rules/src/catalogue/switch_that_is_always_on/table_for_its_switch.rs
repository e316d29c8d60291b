//! Conditions that ask for a table of values where its switch is meant: a table that declares something is never empty.

use landfall_chart::{Rendered, Values};
use landfall_diag::Place;

use crate::catalogue::branch_never_taken::mentions;
use crate::catalogue::value_that_prints_nothing::{Dot, operand, value_at};
use crate::texts::{If, Text, actions, gather, ifs};

/// A condition that asks for a table.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) place: Place,
    /// The table's path: `cache.proxy`.
    pub(super) table: String,
    /// The path of its switch, which is off: `cache.proxy.enabled`.
    pub(super) switch: String,
}

/// Where a chart's templates ask for a table whose switch is off, and which they ask for elsewhere.
pub(super) fn tables_for_their_switches(rendered: &Rendered) -> Vec<Asked> {
    let mut texts = Vec::new();
    gather(&rendered.processed, &mut texts);
    asked(&texts, |table| switch_that_is_off(&rendered.values, table))
}

fn asked(texts: &[Text<'_>], switch_of: impl Fn(&str) -> Option<String>) -> Vec<Asked> {
    let mut found = Vec::new();
    for text in texts {
        let all = ifs(&text.text);
        for own in &all {
            for table in tables(own.asks).into_iter().filter(|table| !is_setting(table)) {
                let Some(switch) = switch_of(&table) else { continue };
                let around = Around { texts, text, all: &all, table: &table, switch: &switch };
                if around.is_asked_for() && !around.is_heard(own) {
                    found.push(Asked { place: text.place(own.at), table, switch });
                }
            }
        }
    }
    found
}

/// The switch of a table, where it is off.
fn switch_that_is_off(values: &Values, table: &str) -> Option<String> {
    let mut switches = ["enabled", "create"].iter().map(|key| format!("{table}.{key}"));
    let first = switches.find_map(|switch| Some((value_at(values, &switch)?.as_bool()?, switch)));
    first.filter(|(is_on, _)| !is_on).map(|(_, switch)| switch)
}

/// What is asked for whole although it has a switch: it is printed as it is, the switch left out.
fn is_setting(table: &str) -> bool {
    let table = table.to_ascii_lowercase();
    ["serviceaccount", "securitycontext", "resources"].iter().any(|ending| table.ends_with(ending))
}

/// The paths of values that must all be there for a condition to hold; one that names a path twice asks for more than the table.
fn tables(asks: &str) -> Vec<String> {
    let paths = operands(asks).into_iter().filter_map(|word| {
        let inner = word.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(word);
        operand(inner.trim(), &Dot::Root)
    });
    paths.filter(|path| asks.matches(&format!(".Values.{path}")).count() == 1).collect()
}

/// What an `and` asks for, each in the brackets it has; the whole where it is none, nothing where its answer is handed on.
fn operands(asks: &str) -> Vec<&str> {
    let Some(rest) = asks.strip_prefix("and ") else { return vec![asks] };
    let (mut depth, mut from, mut found) = (0_usize, 0, Vec::new());
    for (at, letter) in rest.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if letter.is_whitespace() && depth == 0 => {
                found.push(&rest[from..at]);
                from = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    found.push(&rest[from..]);
    if found.contains(&"|") { Vec::new() } else { found }
}

/// A table and its switch, in a template among the others.
struct Around<'t, 'c> {
    texts: &'t [Text<'c>],
    text: &'t Text<'c>,
    all: &'t [If<'t>],
    table: &'t str,
    switch: &'t str,
}

impl Around<'_, '_> {
    /// Whether any condition asks for the switch.
    fn is_asked_for(&self) -> bool {
        let asks = |text: &Text<'_>| {
            actions(&text.text).any(|it| matches!(it.word(), "if" | "else" | "with") && mentions(it.inner, self.switch))
        };
        self.texts.iter().any(asks)
    }

    /// Whether the switch is asked for around a condition or behind it, or the table is there handed on to what may ask.
    fn is_heard(&self, own: &If<'_>) -> bool {
        let body = &self.text.text[own.body.clone()];
        let inside = said(body);
        let is_around = |it: &If<'_>| it.at < own.at && own.end <= it.end && mentions(it.asks, self.switch);
        mentions(&inside, self.table)
            || mentions(&inside, self.switch)
            || self.is_for_a_part_of_it(body)
            || self.all.iter().any(is_around)
            || included(&inside).any(|name| self.asks_itself(name))
            || self.is_in_a_helper_that_knows(own)
    }

    /// Whether a branch begins with another condition on what stands in the table: the outer one is for a table that is not
    /// there.
    fn is_for_a_part_of_it(&self, body: &str) -> bool {
        let below = format!(".Values.{}.", self.table);
        let first = actions(body).find(|it| !it.is_comment());
        first.is_some_and(|it| matches!(it.word(), "if" | "with" | "range") && it.rest().contains(&below))
    }

    /// Whether a helper asks for the switch, or takes the table.
    fn asks_itself(&self, name: &str) -> bool {
        let head = format!("define \"{name}\"");
        let rest = self.texts.iter().find_map(|text| text.text.split_once(&head)).map(|(_, rest)| rest);
        let own = rest.and_then(|rest| rest.split("define \"").next()).map(said).unwrap_or_default();
        mentions(&own, self.switch) || mentions(&own, self.table)
    }

    /// Whether a condition stands in a helper that is included where the switch is on, or that says what there is without the
    /// table: a part may include it, whose values are others.
    fn is_in_a_helper_that_knows(&self, own: &If<'_>) -> bool {
        let before = self.text.text[..own.at].rsplit_once("define \"");
        let Some(name) = before.and_then(|(_, rest)| rest.split('"').next()) else { return false };
        let is_asked_first = |text: &Text<'_>| {
            let behind = |it: &If<'_>| included(&text.text[it.body.clone()]).any(|other| other == name);
            ifs(&text.text).iter().any(|it| mentions(it.asks, self.switch) && behind(it))
        };
        own.otherwise.is_some() || self.texts.iter().any(is_asked_first)
    }
}

/// What the actions of a text say.
fn said(text: &str) -> String {
    actions(text).map(|it| it.inner).collect::<Vec<_>>().join("\n")
}

/// The names of the helpers that a text includes.
fn included(text: &str) -> impl Iterator<Item = &str> {
    ["include \"", "template \""]
        .into_iter()
        .flat_map(move |call| text.split(call).skip(1).filter_map(|rest| rest.split('"').next()))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    const ELSEWHERE: &str = "{{ if .Values.proxy.enabled }}a: b{{ end }}\n";

    fn told(text: &str) -> Vec<String> {
        let text = Text { path: String::new(), text: Cow::Owned(format!("{ELSEWHERE}{text}")) };
        let switch_of = |table: &str| (table == "proxy").then(|| "proxy.enabled".to_owned());
        asked(&[text], switch_of).into_iter().map(|it| format!("{} {}", it.place.line, it.table)).collect()
    }

    #[test]
    fn a_table_that_is_asked_for_in_place_of_its_switch_is_told() {
        for text in [
            "{{- if .Values.proxy }}image: {{ .Values.proxy.image }}{{ end }}",
            "{{- if and (.Values.cache.enabled) (.Values.proxy) }}image: a{{ end }}",
            "{{- if and (eq .Values.kind \"a b\") $.Values.proxy }}image: a{{ end }}",
            "{{- if .Values.proxy }}{{ include \"a\" . }}{{ end }}{{ define \"a\" }}{{ .Values.proxy.image }}{{ end }}",
        ] {
            assert_eq!(told(text), ["2 proxy"], "{text}");
        }
    }

    #[test]
    fn a_table_whose_switch_is_heard_is_not_told() {
        for text in [
            "{{- if .Values.proxy.enabled }}image: a{{ end }}",
            "{{- if and .Values.proxy .Values.proxy.enabled }}image: a{{ end }}",
            "{{- if .Values.proxy }}{{ if .Values.proxy.enabled }}image: a{{ end }}{{ end }}",
            "{{- if .Values.proxy }}{{ if .Values.proxy.image }}image: a{{ end }}{{ end }}",
            "{{- if .Values.proxy.enabled }}{{ if .Values.proxy }}image: a{{ end }}{{ end }}",
            "{{- if .Values.proxy }}{{ toYaml .Values.proxy | nindent 2 }}{{ end }}",
            "{{- if .Values.proxy }}{{ include \"a\" . }}{{ end }}{{ define \"a\" }}{{ .Values.proxy.enabled }}{{ end }}",
            "{{ if .Values.proxy.enabled }}{{ include \"a\" }}{{ end }}{{ define \"a\" }}{{ if .Values.proxy }}{{ end }}{{ end }}",
            "{{ define \"a\" }}{{ if .Values.proxy }}b{{ else }}c{{ end }}{{ end }}",
            "{{- if or .Values.proxy .Values.cache }}image: a{{ end }}",
            "{{- if not .Values.proxy }}image: a{{ end }}",
            "{{- if and .Values.cache .Values.proxy | not }}image: a{{ end }}",
            "{{- if .Values.proxies }}image: a{{ end }}",
        ] {
            assert_eq!(told(text), [] as [&str; 0], "{text}");
        }
    }
}
