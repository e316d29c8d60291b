mod beside;
mod loops;
mod written;

use landfall_diag::{Finding, Severity};

use self::beside::run_into;
use self::loops::{is_word, loops};
use self::written::written;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, Text, actions, delivered_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF342",
    title: "what a template trims leaves lines apart",
    severity: Severity::Warning,
    why: "`{{-` takes the line break in front of an action away, and `-}}` the one behind it. An action alone on its \
          line that does both puts what stands behind it at the end of the line before: two keys become one text, \
          and the manifest is no YAML or something else than was written, as soon as the branch is taken; two lines \
          of a settings file become one word.",
    advice: "Trim on one side alone: `{{- if … }}`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all: Vec<_> = delivered_texts(subject).collect();
    let texts: Vec<&Text<'_>> = all.iter().map(|(text, _)| text).collect();
    for (text, spot) in &all {
        let told = |at: usize, before: &str, after: &str| {
            let place = text.place(at);
            RULE.finding(format!("`{before}` and `{after}` are run together into one line"))
                .keyed(format!("{} {before} {after}", place.file))
                .at(spot(place))
        };
        let glued = glued(&text.text);
        for (at, before, after) in &glued {
            findings.push(
                told(*at, before, after)
                    .because("the action between them takes the line break away on both of its sides"),
            );
        }
        for (at, before, after) in written(&text.text) {
            findings.push(
                told(at, before, after)
                    .because("`{{-` takes the line's end away, and `toYaml` brings none")
                    .help("leave the dash away, or print it with `nindent`"),
            );
        }
        for (at, word, action) in run_into(&text.text) {
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("`{word}` and `{action}` are run together into one word"))
                    .keyed(format!("{} {word} {action}", place.file))
                    .because("`{{-` takes the blank between them away")
                    .help("leave the dash away: `{{ … }}`")
                    .at(spot(place)),
            );
        }
        // What runs into the line in front of the loop is told already.
        let apart = loops(&text.text).into_iter().filter(|it| !glued.iter().any(|(at, _, _)| *at == it.from));
        for looped in apart.filter(|it| !it.helper.is_some_and(|helper| is_word(helper, &texts))) {
            let place = text.place(looped.end);
            let file = place.file.rsplit('/').next().unwrap_or_default();
            let (last, first) = (looped.last, looped.first);
            findings.push(
                RULE.finding(format!("`{last}` of one item and `{first}` of the next are run together in `{file}`"))
                    .keyed(format!("{} {last} {first}", place.file))
                    .because(
                        "the loop takes the line break away in front of what it prints, and its end the one behind it",
                    )
                    .help("trim in front of the loop's end or behind its beginning, not both: `{{ end }}`")
                    .at(spot(place)),
            );
        }
    }
    findings
}

/// A line of a template, and how far it is indented.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    indent: usize,
}

/// A block that is open.
struct Open<'t> {
    word: &'t str,
    /// The line in front of it, where it takes the break behind that away.
    before: Option<Line<'t>>,
}

/// Where lines are run together: the action that does it, and the two lines.
fn glued(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    for action in actions(text) {
        let word = action.word();
        let before = action.trims.0.then(|| line_before(text, &action)).flatten();
        let joined = match word {
            "if" | "with" | "range" => {
                open.push(Open { word, before });
                before
            }
            "define" | "block" => {
                open.push(Open { word, before: None });
                None
            }
            // What stands in front of the whole block stands in front of each of its branches.
            "else" => open.last().and_then(|it| it.before),
            "end" => open.pop().filter(|it| !matches!(it.word, "define" | "block")).and(before),
            _ => before.filter(|_| !brings_break(&action)),
        };
        // A helper may well put a word together.
        let is_helper = open.iter().any(|it| matches!(it.word, "define" | "block"));
        if let Some(before) = joined.filter(|_| action.trims.1)
            && let Some(after) = line_behind(text, &action)
        {
            let is_lost = are_keys(before, after) || (!is_helper && are_words(before, after));
            found.extend(is_lost.then_some((action.start, before.text, after.text)));
        }
    }
    found
}

/// Whether an action prints a line's end itself: `printf "\n"`, `println`.
fn brings_break(action: &Action<'_>) -> bool {
    let word = action.word();
    let prints = word.starts_with('"') || matches!(word, "print" | "printf");
    word == "println" || (prints && action.inner.contains("\\n\""))
}

/// The line in front of an action that stands alone on its own.
fn line_before<'t>(text: &'t str, action: &Action<'_>) -> Option<Line<'t>> {
    let own = action.line;
    if !text[own..action.start].trim().is_empty() {
        return None;
    }
    text[..own].trim_end().rsplit('\n').next().map(Line::new)
}

/// The line behind one.
fn line_behind<'t>(text: &'t str, action: &Action<'_>) -> Option<Line<'t>> {
    let rest = &text[action.end..];
    let (own, behind) = rest.split_once('\n')?;
    if !own.trim().is_empty() {
        return None;
    }
    behind.lines().find(|line| !line.trim().is_empty()).map(Line::new)
}

impl<'t> Line<'t> {
    fn new(line: &'t str) -> Self {
        Line { text: line.trim(), indent: line.len() - line.trim_start().len() }
    }
}

/// Whether both lines are YAML's, and the first one ends where it does.
fn are_keys(before: Line<'_>, after: Line<'_>) -> bool {
    // Within `[` and `{` a line's end says nothing.
    let ends = is_yaml(before.text) && !before.text.ends_with([',', '{', '[', '(']);
    ends && (is_yaml(after.text) || after.text == "---")
}

/// Whether both lines are of one text with lines of its own (a script, a file of settings), and a word ends with the
/// first one.
fn are_words(before: Line<'_>, after: Line<'_>) -> bool {
    let is_letter = |it: char| it.is_ascii_alphanumeric();
    let begins = |text: &str| text.starts_with(is_letter);
    let is_of_text =
        before.indent > 0 && before.indent == after.indent && !is_yaml(before.text) && !is_yaml(after.text);
    let is_option = after.text.strip_prefix("--").is_some_and(begins);
    is_of_text && begins(before.text) && before.text.ends_with(is_letter) && (begins(after.text) || is_option)
}

/// Whether a line is a key of YAML with or without its value, or an item of a list.
fn is_yaml(line: &str) -> bool {
    let line = line.strip_prefix("- ").map_or(line, str::trim_start);
    let key = line.split_once(": ").map(|(key, _)| key).or_else(|| line.strip_suffix(':'));
    let bare = |key: &str| {
        !key.is_empty() && key.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.' | b'/'))
    };
    key.is_some_and(|key| bare(key.trim_matches(['"', '\''])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(&str, &str)> {
        glued(text).into_iter().map(|(_, before, after)| (before, after)).collect()
    }

    #[test]
    fn an_action_that_trims_on_both_sides_runs_its_lines_together() {
        for block in ["{{- if .x -}}", "{{- with .x -}}", "{{- range .x -}}", "{{- /* x */ -}}", "{{- $x := 1 -}}"] {
            assert_eq!(lines(&format!("a: 1\n  {block}\nb: 2\n")), [("a: 1", "b: 2")], "{block}");
        }
        let branches = "a: 1\n{{- if .x }}\nb: {{ .x }}\n{{- else if .y -}}\nc: 3\n{{- end -}}\nd: 4\n";
        assert_eq!(lines(branches), [("a: 1", "c: 3"), ("c: 3", "d: 4")]);
        assert_eq!(lines("l:\n{{- range .x -}}\n- a: b\n{{- end }}\n"), [("l:", "- a: b")]);
        assert_eq!(lines("{{- if .x }}\na: 1\n{{- end -}}\n---\nb: 2\n"), [("a: 1", "---")]);
        let text =
            "f: |\n  a {\n    reload\n  {{- if .x -}}\n    bind {{ .x }}\n  {{- else }}\n    bind 0\n  {{- end }}\n";
        assert_eq!(lines(text), [("reload", "bind {{ .x }}")]);
        assert_eq!(lines("  run\n  {{- if .x -}}\n  --a=1\n  {{- end }}\n"), [("run", "--a=1")]);
    }

    #[test]
    fn what_trims_on_one_side_or_has_no_line_of_yaml_beside_it_is_left_alone() {
        for text in [
            "a: 1\n{{- if .x }}\nb: 2\n{{- end }}\n",
            "{{- if .x -}}\na: 1\n{{- end -}}\n",
            "{{- define \"x\" -}}\na: 1\n{{- end -}}\n{{- define \"y\" -}}\nb: 1\n{{- end -}}\n",
            "a: 1\n{{ if .x -}}\nb: 2\n{{ end -}}\n",
            "a: [1,\n{{- if .x -}}\nb: 2\n{{- end }}]\n",
            "a: {b: 1,\n{{- if .x -}}\nc: 2\n{{- end }}}\n",
            "a: 1 {{- if .x -}}\nb: 2\n{{- end }}\n",
            "some text\n{{- if .x -}}\nb: 2\n{{- end }}\n",
            "a: 1\n{{- if .x -}}\n{{- include \"x\" . }}\n{{- end }}\n",
            "# a: 1\n{{- if .x -}}\nb: 2\n{{- end }}\n",
            "{{- define \"x\" }}\n  a\n{{- if .x -}}\n  b\n{{- end }}\n{{- end }}\n",
            "  a\n{{- if .x -}}\n    b\n{{- end }}\n",
            "  a=\n{{- if .x -}}\n  b\n{{- end }}\n",
            "  a\n{{- if .x -}}\n  , b\n{{- end }}\n",
            "  a\n{{- if .x }}\n  b\n{{- end }}\n",
            "a: 1\n{{- printf \"\\n\" -}}\nb: 2\n",
            "a: 1\n{{- println -}}\nb: 2\n",
        ] {
            assert_eq!(lines(text), [], "{text}");
        }
    }
}
