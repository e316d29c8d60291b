//! What `toYaml` prints at the end of the line above, because its action takes that line's end away.

use super::{Line, is_yaml};
use crate::texts::{Action, actions};

/// Where `toYaml` prints at the end of a line of the template, that line, and the action.
pub(super) fn written(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| it.trims.0 && writes(it)) {
        let own = action.line;
        let behind = text[action.end..].lines().next().unwrap_or_default();
        if !text[own..action.start].trim().is_empty() || !behind.trim().is_empty() {
            continue;
        }
        let mut above = text[..own].lines().rev().map(Line::new);
        let before = above.find(|it| !it.text.is_empty() && !is_silent(it.text));
        if let Some(before) = before.filter(|it| ends(it.text)) {
            found.push((action.start, before.text, &text[action.start..action.end]));
        }
    }
    found
}

/// Whether an action prints YAML and does not begin it on a line of its own.
fn writes(action: &Action<'_>) -> bool {
    let stages: Vec<&str> = action.inner.split('|').map(str::trim).collect();
    let [first, passed @ ..] = stages.as_slice() else { return false };
    let is_begun = first.starts_with("toYaml ") && passed.iter().all(|it| *it == "trim");
    let is_ended = passed.last().is_some_and(|it| *it == "toYaml");
    let sets = action.inner.contains('=');
    (is_begun || is_ended) && !sets && !is_of_a_block(action.word()) && !action.is_comment()
}

/// Whether the action of a word opens, parts or closes a block.
fn is_of_a_block(word: &str) -> bool {
    matches!(word, "if" | "else" | "end" | "with" | "range" | "define" | "block")
}

/// Whether a line of a template sets variables and prints nothing, not even the break in front of it.
fn is_silent(line: &str) -> bool {
    let sets = |action: &Action<'_>| {
        let said: Vec<&str> = action.inner.split_whitespace().take(2).collect();
        let is_set = matches!(said.as_slice(), [name, ":=" | "="] if name.starts_with('$'));
        action.trims.0 && (is_set || action.is_comment())
    };
    line.starts_with("{{") && line.ends_with("}}") && actions(line).all(|action| sets(&action))
}

/// Whether a line is one of YAML that ends where it does.
fn ends(line: &str) -> bool {
    let is_literal = is_yaml(line) || line.starts_with("- ");
    let goes_on = line.ends_with(['|', '>', '-', ',', '{', '[', '(']);
    is_literal && !goes_on && !actions(line).any(|action| is_of_a_block(action.word()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(&str, &str)> {
        written(text).into_iter().map(|(_, before, action)| (before, action)).collect()
    }

    #[test]
    fn what_is_written_without_a_break_is_run_together_with_the_line_above() {
        let text = "users:\n- a:{{ .b }}\n{{- $c := dict }}\n{{- .Values.x | merge $c | toYaml }}\n";
        assert_eq!(lines(text), [("- a:{{ .b }}", "{{- .Values.x | merge $c | toYaml }}")]);
        assert_eq!(lines("  a: b\n\n  {{- toYaml .Values.x }}\n"), [("a: b", "{{- toYaml .Values.x }}")]);
    }

    #[test]
    fn what_has_a_break_of_its_own_or_no_line_above_is_left_alone() {
        for text in [
            "- a\n{{- $c := dict }}\n{{ .Values.x | toYaml }}\n",
            "- a\n{{ $c := dict }}\n{{- .Values.x | toYaml }}\n",
            "a:\n  {{- toYaml .Values.x | nindent 2 }}\n",
            "a:\n  {{- toYaml .Values.x | b64enc }}\n",
            "- a\n{{- with .Values.x }}\n{{- toYaml . }}\n{{- end }}\n",
            "{{- define \"x\" -}}\n{{- toYaml .Values.x }}\n{{- end }}\n",
            "a: {{ if .Values.x }}\n{{- toYaml .Values.x }}\n{{- end }}\n",
            "a: |\n{{- toYaml .Values.x }}\n",
            "- a\n{{- $c := .Values.x | toYaml }}\n",
            "some words\n{{- toYaml .Values.x }}\n",
        ] {
            assert_eq!(lines(text), [], "{text}");
        }
    }
}
