use landfall_chart::Rendered;
use landfall_diag::{Finding, Place, Severity, Spot};

use super::branch_never_taken::actions;
use super::value_that_prints_nothing::{Dot, declares, operand, value_at};
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::{self, Text, gather, own_texts, spaced};

pub(super) static RULE: Rule = Rule {
    id: "LF264",
    title: "conditions on values can hold, and can fail",
    severity: Severity::Warning,
    why: "`and .Values.a false` never holds and `or .Values.a true` always does, whatever the value is: a word of a trial that \
          was left behind. The setting is declared, whoever sets it is not heard, and nothing says so.",
    advice: "Take the constant out of the condition.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in unit.rendered.charts.iter().filter(|it| it.processed.metadata.kind != "library") {
            for (place, path, holds) in constant(rendered) {
                let word = if holds { "always" } else { "never" };
                findings.push(
                    RULE.finding(format!("a condition on `{path}` {word} holds"))
                        .keyed(format!("{} {path}", place.file))
                        .because(
                            match place.source.as_deref().is_some_and(|it| it.contains(&format!("\".Values.{path}\"")))
                            {
                                true => "it stands in quotes: that is a text, and no text but an empty one is false"
                                    .to_owned(),
                                false => format!("`{holds}` stands beside the value, so the value decides nothing"),
                            },
                        )
                        .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
                );
            }
            findings.extend(own_texts(rendered).iter().flat_map(|text| never_taken(unit, text)));
            findings.extend(made_texts(unit, rendered));
        }
    }
    findings
}

/// The conditions on one declared value that a constant decides, and whether they hold.
fn constant(rendered: &Rendered) -> Vec<(Place, String, bool)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    for file in chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt")) {
        let text = file.text();
        for (start, action) in actions(&text) {
            let Some((path, holds)) = decided(action) else { continue };
            if !declares(&rendered.values, &path.split('.').collect::<Vec<_>>()) {
                continue;
            }
            let line = u32::try_from(text[..start].matches('\n').count()).unwrap_or(0) + 1;
            let source = text.lines().nth(line as usize - 1).map(str::to_owned);
            found.push((Place { source, ..Place::line(chart.path_of(&file.name), line) }, path, holds));
        }
    }
    found
}

/// The first value of a condition that a constant beside it decides, and how.
fn decided(action: &str) -> Option<(String, bool)> {
    let words: Vec<&str> = action.split_ascii_whitespace().filter(|it| *it != "-").collect();
    let (function, rest) = match words.as_slice() {
        ["if", function, rest @ ..] | ["else", "if", function, rest @ ..] => (*function, rest),
        _ => return None,
    };
    // A path in quotes is a text.
    let quoted = |word: &str| Some(word.strip_prefix('"')?.strip_suffix('"')?.strip_prefix(".Values.")?.to_owned());
    // Brackets around it change nothing: `if (not ".Values.a")`.
    let bare: Vec<&str> = std::iter::once(&function).chain(rest).map(|it| it.trim_matches(['(', ')'])).collect();
    match bare.as_slice() {
        ["not", word] if quoted(word).is_some() => return Some((quoted(word)?, false)),
        [word] if quoted(word).is_some() => return Some((quoted(word)?, true)),
        _ => {}
    }
    let holds = match function {
        "and" if rest.contains(&"false") => false,
        "or" if rest.contains(&"true") => true,
        _ => return None,
    };
    // What stands in brackets is given to somebody else.
    let is_plain = !action.contains(['(', '|']);
    is_plain.then(|| rest.iter().find_map(|word| operand(word, &Dot::Root))).flatten().map(|path| (path, holds))
}

/// Conditions on declared values of a chart's own of which a function makes a text: it is never empty.
fn made_texts(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let mut own = Vec::new();
    gather(&rendered.processed, &mut own);
    // Of what is null, `quote` makes nothing; and of a switch or a number whoever writes so asks whether it is set at all.
    let is_given = |path: &String| value_at(&rendered.values, path).is_some_and(|value| value.as_str().is_some());
    let mut findings = Vec::new();
    for text in &own {
        for (at, paths, function) in asked_as_texts(&text.text) {
            let Some(first) = paths.first().filter(|_| paths.iter().all(is_given)) else { continue };
            let place = text.place(at);
            let finding = RULE
                .finding(format!("a condition on `{first}` always holds: it ends in `{function}`"))
                .keyed(format!("{} {first} {function}", place.file))
                .because(match function.as_str() {
                    "quote" | "squote" => {
                        format!("`{function}` makes a text of it, and no text in quotes is empty")
                    }
                    _ => format!("`{function}` makes a text of it, and that is never empty"),
                })
                .help(format!("take `| {function}` out of the condition"));
            findings.push(finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }));
        }
    }
    findings
}

/// The conditions of a text that end in a function which makes a text of what is asked, with their places, their values and the
/// function.
fn asked_as_texts(text: &str) -> Vec<(usize, Vec<String>, String)> {
    let asked = texts::actions(text).filter(|it| !it.is_comment()).filter_map(|action| {
        let asked = match action.word() {
            "else" => action.rest().strip_prefix("if ")?,
            "if" => action.rest(),
            _ => return None,
        };
        let (values, function) = as_text(asked)?;
        Some((action.start, values, function))
    });
    asked.collect()
}

/// The values that a condition asks for and the function that it ends in, where that makes a text of whatever they are, and it
/// asks for nothing else.
fn as_text(asked: &str) -> Option<(Vec<String>, String)> {
    let (values, last) = asked.split_once('|')?;
    let function = last.split_ascii_whitespace().next()?;
    let is_text = match function {
        "quote" | "squote" | "toJson" | "toYaml" => last.trim() == function,
        // What prints a value and nothing beside it prints nothing of an empty text.
        "printf" => last.split('"').nth(1).is_some_and(|form| !form.replace("%s", "").replace("%v", "").is_empty()),
        _ => false,
    };
    let words: Vec<&str> = values.split_ascii_whitespace().collect();
    let operands = match words.as_slice() {
        ["and" | "or" | "not", rest @ ..] => rest,
        all => all,
    };
    let values: Option<Vec<String>> = operands.iter().map(|word| operand(word, &Dot::Root)).collect();
    let values = values.filter(|values| is_text && !last.contains('|') && !values.is_empty())?;
    Some((values, function.to_owned()))
}

/// Branches behind an `else` that are never taken.
fn never_taken(unit: &DesiredUnit, text: &Text<'_>) -> Vec<Finding> {
    let told = asked_again(&text.text).into_iter().map(|(at, condition)| {
        let finding = RULE
            .finding(format!("an `else if` asks for `{condition}`, which a branch before it has asked for"))
            .keyed(format!("{} {condition}", text.path))
            .because("where that holds, the branch before is taken: this one never is")
            .help("ask for what was meant, or take the branch out");
        finding.at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(at)) })
    });
    told.collect()
}

/// The conditions behind an `else` that cannot hold where none before them in their chain has, with the places of their actions.
fn asked_again(text: &str) -> Vec<(usize, String)> {
    // The conditions so far of each block that is open.
    let mut open: Vec<Vec<String>> = Vec::new();
    let mut found = Vec::new();
    for action in texts::actions(text).filter(|it| !it.is_comment()) {
        match action.word().split('(').next().unwrap_or_default() {
            "if" => open.push(vec![condition(&action.inner["if".len()..])]),
            "with" | "range" | "define" | "block" => open.push(Vec::new()),
            "else" => {
                let Some(asked) = action.rest().strip_prefix("if").filter(|it| it.starts_with([' ', '(', '\n'])) else {
                    continue;
                };
                let (asked, Some(chain)) = (condition(asked), open.last_mut()) else { continue };
                if chain.iter().any(|before| has_said(before, &asked)) {
                    found.push((action.start, asked.clone()));
                }
                chain.push(asked);
            }
            "end" => drop(open.pop()),
            _ => {}
        }
    }
    found
}

/// A condition with one blank between its words.
fn condition(asked: &str) -> String {
    asked.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a condition that does not hold says that another one does not, either.
fn has_said(before: &str, asked: &str) -> bool {
    before == asked
        || operands(before, "or").iter().any(|it| it == asked)
        || operands(asked, "and").iter().any(|it| it == before)
}

/// The values and variables that `and` or `or` is given; none where a condition is anything else.
fn operands(condition: &str, function: &str) -> Vec<String> {
    let words = spaced(condition);
    let mut words = words.split_ascii_whitespace();
    // What is read of something in brackets stands behind them: `(index .Values "a-b").c`.
    if words.next() != Some(function) || condition.contains('|') || condition.contains(").") {
        return Vec::new();
    }
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for word in words {
        match word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && word.starts_with(['.', '$']) => found.push(word.to_owned()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_branch_has_asked_for_is_asked_for_in_vain() {
        let again = |text: &str| asked_again(text).into_iter().map(|(_, asked)| asked).collect::<Vec<_>>();
        let chain =
            |first: &str, then: &str| again(&format!("{{{{- if {first} }}}}x{{{{ else if {then} -}}}}y{{{{ end }}}}"));
        for (first, then) in [
            (".Values.a", ".Values.a"),
            ("eq .a \"b\"", "eq  .a  \"b\""),
            ("or .Values.a .Values.b", ".Values.b"),
            ("or (eq .x \"y\") $b", "$b"),
            (".Values.a", "and (not .Values.b) .Values.a"),
        ] {
            assert_eq!(chain(first, then).len(), 1, "{first} / {then}");
        }
        for (first, then) in [
            (".Values.a", ".Values.ab"),
            ("and .Values.a .Values.b", ".Values.a"),
            ("or (not .Values.a) .Values.b", ".Values.a"),
            (".Values.a", "and (not .Values.a) .Values.b"),
            (".Values.a", "or .Values.a .Values.b"),
            ("or .a .b | not", ".a"),
            ("or (index .Values \"a-b\").c .d", ".c"),
            ("eq .a \"b\"", "eq .a \"c\""),
        ] {
            assert!(chain(first, then).is_empty(), "{first} / {then}");
        }
        assert!(
            again("{{ if .a }}{{ if .b }}{{ else if .c }}{{ end }}{{ else if .b }}{{ end }}{{ if .a }}{{ end }}")
                .is_empty()
        );
        assert_eq!(again("{{ if .a }}{{ else if .b }}{{/* else if .c */}}{{ else if .a }}{{ end }}"), [".a"]);
    }

    #[test]
    fn a_constant_decides_where_it_stands_beside_the_value() {
        let told = |path: &str, holds: bool| Some((path.to_owned(), holds));
        assert_eq!(decided("- if and .Values.a.b false "), told("a.b", false));
        assert_eq!(decided(" if not \".Values.a.b\" "), told("a.b", false));
        assert_eq!(decided("- if (not \".Values.a-b.c\") "), told("a-b.c", false));
        assert_eq!(decided("- if \".Values.a.b\" -"), told("a.b", true));
        assert_eq!(decided(" else if or $.Values.a true -"), told("a", true));
        for action in [
            "if and .Values.a true",
            "if or .Values.a false",
            "if and (eq .Values.a false) .Values.b",
            "if false",
            " and .Values.a false",
        ] {
            assert_eq!(decided(action), None, "{action}");
        }
    }

    #[test]
    fn what_is_made_a_text_of_always_holds() {
        let of = |text: &str| as_text(text).map(|(values, function)| format!("{} {function}", values.join(" ")));
        for (text, told) in [
            ("and .Values.a.b $.Values.c | quote", "a.b c quote"),
            (".Values.a | toJson", "a toJson"),
            ("not .Values.a | squote", "a squote"),
            (".Values.a | printf \"%s:\"", "a printf"),
        ] {
            assert_eq!(of(text).as_deref(), Some(told), "{text}");
        }
        for text in [
            "and .Values.a .Values.b",
            "and .Values.a .host | quote",
            "eq .Values.a \"b\" | quote",
            ".Values.a | quote | empty",
            ".Values.a | printf \"%s\"",
            ".Values.a | default \"b\"",
            "and (.Values.a | quote) .Values.b",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        let texts = asked_as_texts(
            "{{ if .Values.a | quote }}{{ else if .Values.b | toYaml }}{{ end }}{{ .Values.c | quote }}",
        );
        assert_eq!(texts.len(), 2);
    }
}
