//! Loops that trim in front of their body and in front of their end: each item begins on the line where the one before it ended.

use super::{Line, are_keys};
use crate::texts::{Action, Text, actions, words};

/// A loop whose items are run together.
pub(super) struct Loop<'t> {
    /// Where it begins.
    pub(super) from: usize,
    /// Where its end stands.
    pub(super) end: usize,
    /// The last line of one item.
    pub(super) last: &'t str,
    /// The first line of the next.
    pub(super) first: &'t str,
    /// The helper that it is in.
    pub(super) helper: Option<&'t str>,
}

/// A block that is open.
struct Open<'t> {
    /// Where it begins, and where what it prints begins, where it is a loop that takes the break behind that away.
    looped: Option<(usize, usize)>,
    /// The helper that it is.
    helper: Option<&'t str>,
}

/// Words of actions of which nobody sees how their text begins and ends.
const UNSEEN: &[&str] =
    &["include", "indent", "join", "nindent", "print", "printf", "println", "template", "ternary", "toYaml", "tpl"];

/// The loops of a text whose items are run together.
pub(super) fn loops(text: &str) -> Vec<Loop<'_>> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut found = Vec::new();
    for action in actions(text) {
        match action.word() {
            "range" => {
                let looped = action.trims.1.then_some((action.start, action.end));
                open.push(Open { looped, helper: None });
            }
            "define" | "block" => {
                let helper = words(action.rest()).first().copied().map(|name| name.trim_matches('"'));
                open.push(Open { looped: None, helper });
            }
            "if" | "with" => open.push(Open { looped: None, helper: None }),
            // What is printed where there is nothing is no item.
            "else" => {
                if let Some(last) = open.last_mut() {
                    last.looped = None;
                }
            }
            "end" => {
                let closed = open.pop().and_then(|it| it.looped).filter(|_| action.trims.0);
                let Some((from, begin)) = closed else { continue };
                if let Some((last, first)) = run_together(&text[begin..action.start]) {
                    let helper = open.iter().rev().find_map(|it| it.helper);
                    found.push(Loop { from, end: action.start, last, first, helper });
                }
            }
            _ => {}
        }
    }
    found
}

/// The last and the first line of a loop's body on lines of its own, where both make one.
fn run_together(body: &str) -> Option<(&str, &str)> {
    let (ahead, rest) = body.split_once('\n')?;
    let (_, behind) = body.rsplit_once('\n')?;
    let bare = rest.trim();
    let is_alone = ahead.trim().is_empty() && behind.trim().is_empty() && !bare.is_empty();
    if !is_alone || bare.starts_with("{{-") || bare.ends_with("-}}") {
        return None;
    }
    let first = rest.lines().map(Line::new).find(|it| !it.text.is_empty())?;
    let last = rest.lines().rev().map(Line::new).find(|it| !it.text.is_empty())?;
    (are_keys(last, first) || is_entry(bare)).then_some((last.text, first.text))
}

/// Whether a body is one line of a file: two values or more with something between, and nothing at its ends that parts it from
/// the next one.
fn is_entry(line: &str) -> bool {
    let all: Vec<Action<'_>> = actions(line).collect();
    let between = |pair: &[Action<'_>]| &line[pair[0].end..pair[1].start];
    let is_apart = all.windows(2).any(|pair| between(pair).contains([' ', ':', '=']));
    let is_value = |action: &Action<'_>| {
        let is_said = action.inner.starts_with(['.', '$', '"']) || words(action.inner).len() > 1;
        let is_silent = matches!(action.word(), "if" | "else" | "end" | "with" | "range" | "break" | "continue");
        let is_unseen = words(action.inner).iter().any(|it| UNSEEN.contains(it)) || action.inner.contains('=');
        is_said && !is_silent && !is_unseen && !action.is_comment()
    };
    let is_letter = |it: char| it.is_ascii_alphanumeric() || matches!(it, '"' | '\'');
    let begins = line.starts_with("{{") || line.starts_with(is_letter);
    let ends = line.ends_with("}}") || line.ends_with(is_letter);
    // Beside each other, one of two values may be what parts the items.
    !line.contains('\n') && is_apart && begins && ends && !line.contains("}}{{") && all.iter().all(is_value)
}

/// Functions that make one word of what a helper prints, however its lines are.
const OF_A_WORD: &[&str] =
    &["quote", "squote", "join", "split", "splitList", "replace", "regexReplaceAll", "sha256sum"];

/// Whether what a helper prints is taken for one word wherever it is asked for.
pub(super) fn is_word(helper: &str, texts: &[&Text<'_>]) -> bool {
    let name = format!("\"{helper}\"");
    let all = texts.iter().flat_map(|text| actions(&text.text)).filter(|it| it.inner.contains(&name));
    let mut uses = all.filter(|it| !matches!(it.word(), "define" | "block")).peekable();
    let is_of_a_word =
        |action: Action<'_>| action.word() == "if" || words(action.inner).iter().any(|it| OF_A_WORD.contains(it));
    uses.peek().is_some() && uses.all(is_of_a_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(&str, &str)> {
        loops(text).into_iter().map(|it| (it.last, it.first)).collect()
    }

    #[test]
    fn the_items_of_a_loop_that_trims_around_its_body_are_run_together() {
        for line in ["{{ .name | quote }} {{ .password | quote }}", "{{ $k }}={{ $v }}", "a: {{ . }}"] {
            let text = format!("{{{{- range .x -}}}}\n{line}\n{{{{- end -}}}}\n");
            assert_eq!(lines(&text), [(line, line)], "{text}");
        }
        let text = "{{ define \"h\" }}{{ range .x -}}\n- a: b\n  c: d\n{{- end }}{{ end }}";
        assert_eq!(lines(text), [("c: d", "- a: b")]);
        assert_eq!(loops(text)[0].helper, Some("h"));
    }

    #[test]
    fn what_keeps_a_break_or_parts_its_items_is_left_alone() {
        for text in [
            "{{- range .x -}}\n{{ .a }} {{ .b }}\n{{ end -}}",
            "{{- range .x }}\n{{ .a }} {{ .b }}\n{{- end -}}",
            "{{- range .x -}}\n{{ .a }} {{ .b }},\n{{- end -}}",
            "{{- range .x -}}\n,{{ .a }} {{ .b }}\n{{- end -}}",
            "{{- range .x -}}\n{{ .a }} {{ .b }}{{ \"\\n\" }}\n{{- end -}}",
            "{{- range .x -}}\n{{ .a }}={{ .b }}{{ if .c }},{{ end }}\n{{- end -}}",
            "{{- range .x -}}\n{{ .a }}={{ printf \"%s,\" .b }}\n{{- end -}}",
            "{{- range .x -}}\n{{- .a }}={{ .b }}\n{{- end -}}",
            "{{- range .x -}}\n{{ .a }}{{ .b }}\n{{- end -}}",
            "{{- range .x -}}\na: b\n{{- else -}}\nc: d\n{{- end -}}",
            "{{- range .x -}}{{ .a }} {{ .b }}{{- end -}}",
            "{{- if .x -}}\n{{ .a }} {{ .b }}\n{{- end -}}",
        ] {
            assert_eq!(lines(text), [], "{text}");
        }
    }

    #[test]
    fn a_helper_makes_a_word_where_each_use_does() {
        let text = |text: &'static str| Text { path: String::new(), text: text.into() };
        let (quoted, printed) = (text("{{ include \"h\" . | quote }}"), text("{{ include \"h\" . | indent 4 }}"));
        assert!(is_word("h", &[&quoted]));
        assert!(!is_word("h", &[&quoted, &printed]) && !is_word("h", &[]));
    }
}
