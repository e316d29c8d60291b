use landfall_chart::Rendered;
use landfall_diag::{Finding, Place, Severity, Spot};

use super::branch_never_taken::actions;
use super::value_that_prints_nothing::{Dot, declares, operand};
use crate::rule::Rule;
use crate::subject::Subject;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
