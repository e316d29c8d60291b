//! Values that are printed at the word in front of them, because their action takes the blank between away.

use crate::texts::{Action, actions, words};

/// What prints a text of which nobody sees how it begins.
const UNSEEN: &[&str] = &["include", "indent", "join", "nindent", "template", "toYaml", "tpl"];

/// Words of actions that print nothing.
const SILENT: &[&str] = &["if", "else", "end", "with", "range", "define", "block", "break", "continue", "fail"];

/// Where a value runs into the word in front of it: the action, that word, and what is printed.
pub(super) fn run_into(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    // Whether each open block is a helper: one may well put a word together.
    let mut open: Vec<bool> = Vec::new();
    for action in actions(text) {
        match action.word() {
            "define" | "block" => open.push(true),
            "if" | "with" | "range" => open.push(false),
            "end" => drop(open.pop()),
            _ => {}
        }
        if !action.trims.0 || open.contains(&true) || !prints(&action) {
            continue;
        }
        let own = action.line;
        if let Some(word) = word_before(&text[own..action.start])
            && is_within_a_text(text, own, action.start)
        {
            found.push((action.start, word, &text[action.start..action.end]));
        }
    }
    found
}

/// Whether an action prints a value that begins with neither a blank nor a line's end.
fn prints(action: &Action<'_>) -> bool {
    let is_silent = action.is_comment() || SILENT.contains(&action.word());
    let sets = action.inner.starts_with('$') && action.inner.contains('=');
    let begins_apart = ['"', '`'].into_iter().any(|quote| {
        let mut literals = action.inner.split(quote).skip(1).step_by(2);
        action.inner.starts_with(quote) || literals.any(|it| it.starts_with([' ', '\n', '\\']))
    });
    let is_unseen = words(action.inner).iter().any(|it| UNSEEN.contains(it));
    !is_silent && !sets && !begins_apart && !is_unseen
}

/// The word at the end of what stands in front of an action in its line, where blanks are between.
fn word_before(before: &str) -> Option<&str> {
    let bare = before.trim_end_matches([' ', '\t']);
    let is_apart = bare.len() < before.len();
    let ends = bare.ends_with(|it: char| it.is_ascii_alphanumeric() || matches!(it, '"' | '\''));
    let is_comment = bare.trim_start().starts_with(['#', '/']);
    (is_apart && ends && !is_comment).then(|| bare.split_whitespace().next_back()).flatten()
}

/// Whether what begins at a place of a line is part of a text: of a command's word, or of a block.
fn is_within_a_text(text: &str, own: usize, at: usize) -> bool {
    // Within a raw text other marks than ours stand.
    if text[..at].matches('`').count() % 2 == 1 {
        return false;
    }
    let line = &text[own..at];
    if is_command(line) {
        return line.contains('[') && is_quoted(line);
    }
    let is_item = line.trim_start().starts_with("- ");
    let item = line.trim_start().trim_start_matches("- ");
    let is_whole = !item.starts_with(['"', '\'']) || is_quoted(line);
    let mut limit = indent(line);
    let mut is_nearest = true;
    for above in text[..own].lines().rev().filter(|it| !it.trim().is_empty() && !it.trim_start().starts_with("{{")) {
        let is_parent = indent(above) < limit || (is_item && is_nearest && is_command(above) && indent(above) == limit);
        if !is_parent {
            continue;
        }
        if begins_block(above) {
            return true;
        }
        if is_item && is_nearest && is_command(above) {
            return is_whole;
        }
        is_nearest = false;
        limit = indent(above);
    }
    false
}

/// How far a line is indented.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a line has a command or arguments.
fn is_command(line: &str) -> bool {
    let key = line.trim_start().trim_start_matches("- ");
    ["command:", "args:"].iter().any(|it| key.starts_with(it))
}

/// Whether a line ends with the mark of a block: `run: |`, `- >-`.
fn begins_block(line: &str) -> bool {
    let bare = line.trim_end().trim_end_matches(|it: char| it == '-' || it == '+' || it.is_ascii_digit());
    bare.strip_suffix(['|', '>']).is_some_and(|rest| rest.ends_with(": ") || rest.ends_with("- "))
}

/// Whether a line ends within quotes, those of its actions left out.
fn is_quoted(line: &str) -> bool {
    let (mut bare, mut from) = (String::new(), 0);
    for action in actions(line) {
        bare.push_str(&line[from..action.start]);
        from = action.end;
    }
    bare.push_str(&line[from..]);
    let mut quote = None;
    let mut letters = bare.chars();
    while let Some(letter) = letters.next() {
        match quote {
            Some('"') if letter == '\\' => drop(letters.next()),
            Some(open) if open == letter => quote = None,
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            _ => {}
        }
    }
    quote.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(&str, &str)> {
        run_into(text).into_iter().map(|(_, word, action)| (word, action)).collect()
    }

    #[test]
    fn a_value_whose_blank_is_taken_away_runs_into_the_word() {
        let action = "{{- printf \"%s-db\" .Release.Name }}";
        for text in [
            format!("  command: [\"/bin/sh\", \"-c\", \"echo 'a: '$a; nc -vz {action} 5432\"]\n"),
            format!("  command:\n    - sh\n    - -c\n    - nc -vz {action} 5432\n"),
            format!("  args:\n  - \"nc -vz {action} 5432\"\n"),
            format!("  args:\n    - |\n      if a; then\n        nc -vz {action} 5432\n      fi\n"),
            format!("data:\n  run.sh: |-\n    {{{{- if .Values.a }}}}\n    nc -vz {action} 5432\n    {{{{- end }}}}\n"),
        ] {
            assert_eq!(told(&text), [("-vz", action)], "{text}");
        }
    }

    #[test]
    fn what_is_no_text_or_is_apart_is_left_alone() {
        for text in [
            "a: b {{- .Values.x }}\n",
            "  args: [\"a\" {{- .Values.more }}]\n",
            "  command: [\"a{{- .Values.more }}\"]\n",
            "  command: [\"a {{ .Values.more }}\"]\n",
            "  command: [\"a {{- if .Values.more }} b{{ end }}\"]\n",
            "  command: [\"a {{- printf \" %s\" .Values.more }}\"]\n",
            "  command: [\"a {{- include \"x\" . }}\"]\n",
            "  command: [\"a= {{- .Values.more }}\"]\n",
            "a: |\n  b {{- $x := 1 }}\n",
            "a: |\n  b {{- .Values.x | nindent 2 }}\n",
            "a: |\n  # b {{- .Values.x }}\n",
            "a: |\n  b\n  {{- .Values.x }}\n",
            "a: |\n  {{`b {{- $x }}`}}\n",
            "{{ define \"x\" }}\na: |\n  b {{- .Values.x }}\n{{ end }}",
            "a: |\n  b\nc:\n  d: e {{- .Values.x }}\n",
        ] {
            assert_eq!(told(text), [], "{text}");
        }
    }
}
