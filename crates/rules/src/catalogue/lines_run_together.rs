use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, delivered_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF342",
    title: "what a template trims leaves lines apart",
    severity: Severity::Warning,
    why: "`{{-` takes the line break in front of an action away, and `-}}` the one behind it. An action alone on its line that does \
          both puts what stands behind it at the end of the line before: two keys become one text, and the manifest is no YAML or \
          something else than was written, as soon as the branch is taken.",
    advice: "Trim on one side alone: `{{- if … }}`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for (at, before, after) in glued(&text.text) {
            let place = text.place(at);
            let finding = RULE
                .finding(format!("`{before}` and `{after}` are run together into one line"))
                .keyed(format!("{} {before} {after}", place.file))
                .because("the action between them takes the line break away on both of its sides")
                .at(spot(place));
            findings.push(finding);
        }
    }
    findings
}

/// A block that is open.
struct Open<'t> {
    word: &'t str,
    /// The line in front of it, where it takes the break behind that away.
    before: Option<&'t str>,
}

/// Where lines of YAML are run together: the action that does it, and the two lines.
fn glued(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let mut open: Vec<Open<'_>> = Vec::new();
    for action in actions(text) {
        let word = action.word();
        let before = line_before(text, &action).filter(|_| action.trims.0);
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
            _ => before,
        };
        if let (Some(before), Some(after), true) = (joined, line_behind(text, &action), action.trims.1) {
            found.push((action.start, before, after));
        }
    }
    found
}

/// The line in front of an action that stands alone on its own, where it is one of YAML that ends there.
fn line_before<'t>(text: &'t str, action: &Action<'_>) -> Option<&'t str> {
    let own = text[..action.start].rfind('\n').map_or(0, |at| at + 1);
    if !text[own..action.start].trim().is_empty() {
        return None;
    }
    let line = text[..own].trim_end().rsplit('\n').next()?.trim();
    // Within `[` and `{` a line's end says nothing.
    (is_yaml(line) && !line.ends_with([',', '{', '[', '('])).then_some(line)
}

/// The line behind one.
fn line_behind<'t>(text: &'t str, action: &Action<'_>) -> Option<&'t str> {
    let rest = &text[action.end..];
    let (own, behind) = rest.split_once('\n')?;
    if !own.trim().is_empty() {
        return None;
    }
    let line = behind.trim_start().split('\n').next()?.trim_end();
    (is_yaml(line) || line == "---").then_some(line)
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
        ] {
            assert_eq!(lines(text), [], "{text}");
        }
    }
}
