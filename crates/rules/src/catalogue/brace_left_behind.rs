use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{actions, delivered_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF429",
    title: "a template's braces are two",
    severity: Severity::Warning,
    why: "`{{ .Values.id }}}` is an action and a brace behind it: the brace is printed, and whoever reads the value gets `id}`.",
    advice: "Take the third brace out: it closes nothing.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for (at, inner) in left_behind(&text.text) {
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("a brace stands behind `{{{{ {inner} }}}}`, and none in front of it"))
                    .keyed(format!("{} {inner}", place.file))
                    .because("it is printed as it is, behind the value")
                    .at(spot(place)),
            );
        }
    }
    findings
}

/// Where a third brace stands behind an action, at the end of its line, and nothing that it could close.
fn left_behind(text: &str) -> Vec<(usize, &str)> {
    let (mut from, mut open) = (0, 0_usize);
    let mut found = Vec::new();
    for action in actions(text) {
        for letter in text[from..action.start].chars() {
            match letter {
                '{' => open += 1,
                '}' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        from = action.end;
        // What an action prints letter by letter stands there as well.
        if action.inner.starts_with(['"', '`']) {
            open += action.inner.matches('{').count();
            open = open.saturating_sub(action.inner.matches('}').count());
        }
        let Some(rest) = text[action.end..].strip_prefix('}') else { continue };
        let line = rest.split('\n').next().unwrap_or_default().trim();
        let ends = matches!(line, "" | "\"" | "'") || line.starts_with('#');
        if open == 0 && ends && !action.is_comment() && action.of_block().is_none() {
            found.push((action.start, action.inner));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brace_that_closes_nothing_is_told() {
        for told in
            ["a: {{ .Values.a }}}\n", "a: \"{{ .Values.a }}}\"\nb: 1\n", "x: {a: 1}\nb: {{ .b }}}", "a: {{ .a }}} # x"]
        {
            assert_eq!(left_behind(told).len(), 1, "{told}");
        }
        for well in [
            "a: {b: {{ .Values.a }}}\n",
            "a: |\n  { \"a\":\n    {{ .Values.a }}}\n",
            "a: {{ .Values.a }}\n",
            "a: ${{ \"{\" }}{{ .Values.a }}}\n",
            "a: \"{{ .a }}}-{{ .b }}\"",
            "{{/* x }}} */}}",
        ] {
            assert!(left_behind(well).is_empty(), "{well}");
        }
    }
}
