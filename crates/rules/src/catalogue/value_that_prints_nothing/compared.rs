//! The words that templates compare values with.

use super::{Dot, Variables, moved, operand};
use crate::texts::{actions, words};

/// The paths of the values that a template compares (`eq`, `ne`) with words of its own, and the words.
pub fn compared(text: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    let mut variables = Variables::default();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let dot = dots.last().cloned().unwrap_or(Dot::Root);
        for taken in comparisons(action.inner) {
            let paths = taken.iter().filter_map(|it| operand(&variables.read_in(it), &dot));
            let literals = || taken.iter().filter_map(|it| it.strip_prefix('"')?.strip_suffix('"'));
            for path in paths {
                let steps: Vec<String> = path.split('.').map(str::to_owned).collect();
                found.extend(literals().map(|word| (steps.clone(), word.to_owned())));
            }
        }
        variables.hear(action.inner, &dot);
        moved(action.inner, &mut dots);
    }
    found
}

/// The paths and literals that each comparison of an action is given. What stands behind its bracket is another call's.
fn comparisons(inner: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for part in inner.split(')') {
        let all = words(part);
        for at in (0..all.len()).filter(|at| matches!(all[*at], "eq" | "ne")) {
            let given = all[at + 1..].iter().copied();
            found.push(given.take_while(|it| it.starts_with(['.', '$', '"'])).collect());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_compared_at_the_root_within_with_and_by_a_variable() {
        for text in [
            "{{ if eq .Values.a.b \"x\" }}{{ end }}",
            "{{ if and .Values.c (eq \"x\" $.Values.a.b) }}{{ end }}",
            "{{ with .Values.a }}{{ if and (eq .b \"x\") .c }}{{ end }}{{ end }}",
            "{{ if and (ne .Values.a.b \"x\") $.Values.c \"y\" }}{{ end }}",
            "{{ with .Values.a }}{{ if false }}{{ else if ne .b \"x\" }}{{ end }}{{ end }}",
            "{{ $a := .Values.a }}{{ if eq $a.b \"x\" }}{{ end }}",
        ] {
            assert_eq!(compared(text), [(vec!["a".to_owned(), "b".to_owned()], "x".to_owned())], "{text}");
        }
        assert_eq!(compared("{{ if eq .Values.a \"x\" \"y\" }}{{ end }}").len(), 2);
        for text in ["{{ range .Values.a }}{{ if eq .b \"x\" }}{{ end }}{{ end }}", "{{ if eq .Values.a 1 }}{{ end }}"]
        {
            assert_eq!(compared(text), [], "{text}");
        }
    }
}
