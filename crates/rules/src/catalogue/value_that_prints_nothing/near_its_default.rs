//! Values that are printed with a default, that nobody declares, and that stand beside a declared one of nearly their name.

use landfall_chart::{Chart, Value, Values};

use super::{Dot, PASSING_ON, moved, operand, table_at, words};
use crate::texts::{actions, gather};

/// What a constant or a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Switch,
}

impl Kind {
    /// That of a constant as it is written.
    fn written(word: &str) -> Option<Self> {
        let is_number = word.starts_with(|it: char| it.is_ascii_digit() || it == '-') && word.parse::<f64>().is_ok();
        match word {
            "true" | "false" => Some(Kind::Switch),
            _ if word.starts_with('"') => Some(Kind::Text),
            _ => is_number.then_some(Kind::Number),
        }
    }

    /// That of a value; none of a table, a list and nothing.
    fn of(value: &Value) -> Option<Self> {
        let is_number = value.as_f64().is_some() || value.as_i64().is_some();
        let text = value.as_str().map(|_| Kind::Text);
        let switch = || value.as_bool().map(|_| Kind::Switch);
        text.or_else(switch).or_else(|| is_number.then_some(Kind::Number))
    }
}

/// The paths that a template prints with a constant in their place where they are empty, with the lines, from 1, and what the
/// constant is.
pub(super) fn defaulted(text: &str) -> Vec<(u32, String, Kind)> {
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        if let Some((path, kind)) = with_default(action.inner, dots.last().unwrap_or(&Dot::Root)) {
            let line = u32::try_from(text[..action.start].matches('\n').count()).unwrap_or(0) + 1;
            found.push((line, path, kind));
        }
        moved(action.inner, &mut dots);
    }
    found
}

/// The path that an action prints with a constant for a default, and nothing else of weight.
fn with_default(inner: &str, dot: &Dot) -> Option<(String, Kind)> {
    if inner.contains(['(', '\n']) {
        return None;
    }
    let mut stages = inner.split('|').map(words);
    let first = stages.next()?;
    let (constant, word) = match first.as_slice() {
        ["default", constant, word] => (*constant, *word),
        [word] => match stages.next()?.as_slice() {
            ["default", constant] => (*constant, *word),
            _ => return None,
        },
        _ => return None,
    };
    let passes = stages.all(|stage| stage.first().is_some_and(|name| PASSING_ON.contains(name)));
    let path = operand(word, dot).filter(|_| passes)?;
    Some((path, Kind::written(constant)?))
}

/// The only declared key beside a path that is a slip away from its own, where its value is of a kind.
pub(super) fn near(values: &Values, path: &[&str], kind: Kind) -> Option<String> {
    let (key, tables) = path.split_last()?;
    let table = table_at(values, tables)?;
    let keys = table.keys().into_iter().map(|name| name.to_string_lossy().into_owned());
    let mut near = keys.filter(|name| is_a_slip(key, name));
    let only = near.next()?;
    let is_clear = near.next().is_none() && table.get(&only).and_then(|value| Kind::of(&value)) == Some(kind);
    is_clear.then_some(only)
}

/// Whether one letter within, or which of them are capitals, is all that tells two names apart. What differs at the end alone may
/// be several and one, and `http` is not `https`.
fn is_a_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let ahead = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let behind = one.bytes().rev().zip(other.bytes().rev()).take_while(|(one, other)| one == other).count();
    let longer = one.len().max(other.len());
    let letters = |name: &str| name.chars().filter(|it| !it.is_ascii_digit()).collect::<String>();
    // Names that differ in their numbers alone are two names.
    let is_numbered = one != other && letters(&one) == letters(&other);
    longer > 4
        && ahead > 2
        && behind > 0
        && longer.saturating_sub(ahead + behind) < 2
        && !is_numbered
        && one.contains("https") == other.contains("https")
}

/// Whether a chart's own templates name a key anywhere: of the values, of the dot, in quotes.
pub(super) fn is_named(chart: &Chart, key: &str) -> bool {
    let is_of_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    let names = |inner: &str| {
        inner
            .match_indices(key)
            .any(|(at, _)| inner[..at].ends_with(['.', '"', '`']) && !inner[at + key.len()..].starts_with(is_of_word))
    };
    let mut own = Vec::new();
    gather(chart, &mut own);
    own.iter().any(|text| actions(&text.text).any(|action| names(action.inner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_constant_for_its_default() {
        let of = |text: &str| with_default(text, &Dot::Root);
        let told = |path: &str, kind: Kind| Some((path.to_owned(), kind));
        assert_eq!(of("default 1 .Values.a.b | quote"), told("a.b", Kind::Number));
        assert_eq!(of("$.Values.a | default \"x y\""), told("a", Kind::Text));
        assert_eq!(of(".Values.a | default true | quote"), told("a", Kind::Switch));
        for text in [
            "default .Values.b .Values.a",
            "default 1 .Values.a | add 2",
            ".Values.a | quote",
            "include \"x\" .Values.a | default 1",
            "if .Values.a | default true",
            "default 1 (index .Values.a 0)",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        let text = "a: 1\n{{- with .Values.a }}\nb: {{ .b | default 2 }}\n{{- end }}";
        assert_eq!(defaulted(text), [(3, "a.b".to_owned(), Kind::Number)]);
    }

    #[test]
    fn a_letter_within_a_name_is_a_slip() {
        for (one, other) in [("shardCount", "shardsCount"), ("targetport", "targetPort"), ("serverName", "servarName")]
        {
            assert!(is_a_slip(one, other) && is_a_slip(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("externalPort", "internalPort"),
            ("minReplicas", "maxReplicas"),
            ("httpPort", "httpsPort"),
            ("shard1Count", "shard2Count"),
            ("hosts", "host"),
            ("port", "prt"),
            ("size", "name"),
        ] {
            assert!(!is_a_slip(one, other), "{one} {other}");
        }
    }
}
