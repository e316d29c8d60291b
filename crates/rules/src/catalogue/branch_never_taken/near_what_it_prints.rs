//! Conditions on a key that nobody declares, whose branch prints its declared neighbour that is called nearly so.

use landfall_chart::{Rendered, Values};
use landfall_diag::Place;

use super::super::value_that_prints_nothing::{Dot, declares, moved, operand, value_at};
use crate::texts::{actions, gather, own_charts, words};

/// A condition that is open: what it asks for, where it begins, and what is read behind it.
struct Open {
    asked: Option<String>,
    at: usize,
    reads: Read,
}

/// What is read behind a condition, as far as it matters.
enum Read {
    Nothing,
    One(String),
    Several,
}

impl Read {
    fn and(&mut self, other: Read) {
        let before = std::mem::replace(self, Read::Several);
        *self = match (before, other) {
            (Read::Nothing, one) | (one, Read::Nothing) => one,
            (Read::One(one), Read::One(other)) if one == other => Read::One(one),
            _ => Read::Several,
        };
    }
}

/// The conditions of a chart's own templates that ask for one key of a table and print another one of it, with both.
pub(super) fn near_what_is_printed(rendered: &Rendered) -> Vec<(Place, String, String)> {
    let mut found = Vec::new();
    for chart in own_charts(&rendered.processed) {
        let mut texts = Vec::new();
        gather(chart, &mut texts);
        for text in &texts {
            for (at, asked, only) in near(&text.text) {
                if is_meant(&chart.values, &asked, &only) {
                    found.push((text.place(at), asked, only));
                }
            }
        }
    }
    found
}

/// Whether only the one that is printed is declared.
fn is_meant(values: &Values, asked: &str, only: &str) -> bool {
    value_at(values, only).is_some() && !declares(values, &asked.split('.').collect::<Vec<_>>())
}

/// The conditions of a text on one key of a table behind which another one of it is read alone, and one is in the other's name.
fn near(text: &str) -> Vec<(usize, String, String)> {
    let mut dots: Vec<Dot> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let dot = dots.last().unwrap_or(&Dot::Root);
        match action.of_block() {
            Some("else") => {
                if let Some(last) = open.last_mut() {
                    last.asked = None;
                }
            }
            Some("end") => {
                let Some(Open { asked, at, reads }) = open.pop() else { continue };
                if let (Some(asked), Read::One(only)) = (asked, &reads)
                    && are_near(&asked, only)
                {
                    found.push((at, asked, only.clone()));
                }
                if let Some(around) = open.last_mut() {
                    around.reads.and(reads);
                }
            }
            block => {
                let read = words(action.inner).into_iter().filter_map(|word| operand(word, dot));
                if let Some(around) = open.last_mut() {
                    read.for_each(|path| around.reads.and(Read::One(path)));
                }
                if let Some(word) = block {
                    let asked = (word == "if").then(|| operand(action.inner["if".len()..].trim(), dot)).flatten();
                    open.push(Open { asked, at: action.start, reads: Read::Nothing });
                }
            }
        }
        moved(action.inner, &mut dots);
    }
    found
}

/// Whether two paths are of one table, and the letters of the shorter key stand in the longer one, in their order and from its
/// beginning on: `retention1d` in `retentionResolution1d`.
fn are_near(one: &str, other: &str) -> bool {
    const BEGINNING: usize = 4;
    let (Some((table, key)), Some((other_table, other_key))) = (one.rsplit_once('.'), other.rsplit_once('.')) else {
        return false;
    };
    let (short, long) = if key.len() < other_key.len() { (key, other_key) } else { (other_key, key) };
    let mut letters = long.bytes();
    let begins = short.len() > BEGINNING && short.as_bytes()[..BEGINNING] == long.as_bytes()[..BEGINNING];
    let ends = short.bytes().next_back() == long.bytes().next_back();
    table == other_table && key != other_key && begins && ends && short.bytes().all(|it| letters.any(|own| own == it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_and_what_it_prints_are_seen_through_the_dot() {
        let text =
            "{{ with .Values.store }}{{ if .retentionResolution1d }}a: {{ .retention1d | quote }}{{ end }}{{ end }}";
        let found: Vec<_> = near(text).into_iter().map(|(_, asked, only)| (asked, only)).collect();
        assert_eq!(found, [("store.retentionResolution1d".to_owned(), "store.retention1d".to_owned())]);
        for text in [
            "{{ if .Values.a.enabled }}{{ .Values.a.enable }}{{ .Values.a.b }}{{ end }}",
            "{{ if .Values.a.retentionX }}{{ .Values.b.retention }}{{ end }}",
            "{{ if .Values.a.retention }}{{ .Values.a.retention }}{{ end }}",
            "{{ if .Values.a.retentionOf1d }}x{{ else }}{{ .Values.a.retention1d }}{{ end }}",
        ] {
            assert!(near(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn one_key_is_in_the_other() {
        assert!(are_near("a.retention1d", "a.retentionResolution1d"));
        for (one, other) in [("a.port", "a.ports"), ("a.host", "a.hostname"), ("a.image", "b.imageName"), ("a", "ab")] {
            assert!(!are_near(one, other), "{one} {other}");
        }
    }
}
