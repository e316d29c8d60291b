use std::collections::HashSet;

use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{delivered_texts, named_templates};

pub(super) static RULE: Rule = Rule {
    id: "LF430",
    title: "a named template is called",
    severity: Severity::Warning,
    why: "`default \"shop.name\"` prints the name of the template and not what it gives: labels, names and addresses are the same in \
          every release then, and the settings that the template reads do nothing.",
    advice: "Call it: `{{ include \"shop.name\" . }}`.",
    check,
};

/// Functions that print the text which they are given first.
const PRINTING: &[&str] = &["default", "print", "quote", "squote", "trunc", "lower", "trim"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let texts: Vec<_> = delivered_texts(subject).collect();
    let named: HashSet<&str> =
        texts.iter().flat_map(|(text, _)| named_templates(&text.text)).map(|it| it.name).collect();
    let mut findings = Vec::new();
    for (text, spot) in &texts {
        for action in crate::texts::actions(&text.text).filter(|it| !it.is_comment()) {
            let Some(name) = printed(action.inner).filter(|name| named.contains(name)) else { continue };
            let place = text.place(action.start);
            findings.push(
                RULE.finding(format!("the name `{name}` is printed, which is that of a template"))
                    .keyed(format!("{} {name}", place.file))
                    .because("the text itself is printed, and what the template gives is not asked for")
                    .help(format!("`include \"{name}\" .`"))
                    .at(spot(place)),
            );
        }
    }
    findings
}

/// The text that an action prints: alone, behind a function, or in front of one.
fn printed(inner: &str) -> Option<&str> {
    let inner = inner.trim_start_matches('(').trim_start();
    let (word, rest) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
    let text = match PRINTING.contains(&word) {
        true => rest.trim_start().trim_start_matches('(').trim_start(),
        false => inner,
    };
    let (name, behind) = text.strip_prefix('"')?.split_once('"')?;
    let ends = behind.trim_start_matches(')').trim_start();
    (!name.is_empty() && (ends.is_empty() || ends.starts_with('|'))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_an_action_prints_is_found() {
        for (text, name) in [
            ("default \"shop.name\"", Some("shop.name")),
            ("(default \"shop.name\") | trunc 63", Some("shop.name")),
            ("\"shop.name\"", Some("shop.name")),
            ("\"shop.name\" | quote", Some("shop.name")),
            ("include \"shop.name\" .", None),
            ("template \"shop.name\" .", None),
            ("default \"shop.name\" .Values.name", None),
            ("define \"shop.name\"", None),
            ("printf \"%s-x\" \"shop.name\"", None),
        ] {
            assert_eq!(printed(text), name, "{text}");
        }
    }
}
