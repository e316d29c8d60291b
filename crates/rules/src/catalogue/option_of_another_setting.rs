use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};

use super::value_that_prints_nothing::{Dot, operand};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{If, actions, delivered_texts, ifs, plain};

pub(super) static RULE: Rule = Rule {
    id: "LF428",
    title: "each setting has an option of its own",
    severity: Severity::Warning,
    why: "A block that was copied and of which one word was not changed gives a program one option twice: where both settings are set, \
          one of them takes the other's place, and the one that was copied for never arrives.",
    advice: "Write the option that the setting is called after.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for Copied { at, option, path, original } in copied(&text.text) {
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("`{option}` is given what `{path}` says"))
                    .keyed(format!("{} {option} {path}", place.file))
                    .because(format!("it is the option of `{original}`, and none is called after `{path}`"))
                    .at(spot(place)),
            );
        }
    }
    findings
}

/// An option that is printed for another setting than its own.
#[derive(Debug, PartialEq, Eq)]
struct Copied<'t> {
    at: usize,
    option: &'t str,
    path: String,
    /// The setting that it is called after.
    original: String,
}

/// An option that is printed where a setting is set, and nothing else beside it.
struct Printed<'t> {
    at: usize,
    option: &'t str,
    path: String,
    /// What is printed behind the option.
    value: &'t str,
}

/// The options that a text prints for two settings and that are called after one of them.
fn copied(text: &str) -> Vec<Copied<'_>> {
    let mut all: BTreeMap<&str, Vec<Printed<'_>>> = BTreeMap::new();
    for printed in ifs(text).iter().filter_map(|it| printed(text, it)) {
        all.entry(printed.option).or_default().push(printed);
    }
    let options: Vec<String> = text.lines().filter_map(option).map(|(option, _)| plain(option)).collect();
    let mut found = Vec::new();
    for two in all.into_values().filter(|it| it.len() == 2) {
        let key = |it: &Printed<'_>| plain(it.path.rsplit('.').next().unwrap_or_default());
        let called = plain(two[0].option);
        let (own, others): (Vec<_>, Vec<_>) = two.into_iter().partition(|it| called.contains(&key(it)));
        let ([own], [other]) = (own.as_slice(), others.as_slice()) else { continue };
        let key = key(other);
        // Another word for the same, or one that is told by its value alone, is no copy.
        let is_told = plain(other.value).contains(&key) && own.path != other.path;
        if is_told && key.len() >= SHORTEST && !options.iter().any(|it| it.contains(&key)) {
            found.push(Copied {
                at: other.at,
                option: other.option,
                path: other.path.clone(),
                original: own.path.clone(),
            });
        }
    }
    found
}

/// A setting with a shorter name is in too many words.
const SHORTEST: usize = 5;

/// The option that an `if` of one value prints in one line, where that is all.
fn printed<'t>(text: &'t str, asked: &If<'t>) -> Option<Printed<'t>> {
    let path = operand(asked.asks, &Dot::Root)?;
    let body = text.get(asked.body.clone())?;
    if asked.otherwise.is_some() || actions(body).any(|it| it.of_block().is_some()) {
        return None;
    }
    let mut lines = body.lines().filter(|line| !line.trim().is_empty());
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (option, value) = self::option(line)?;
    Some(Printed { at: asked.body.start + (line.as_ptr().addr() - body.as_ptr().addr()), option, path, value })
}

/// The option of an item and what it is given: `- "--name=value"`.
fn option(line: &str) -> Option<(&str, &str)> {
    let item = line.trim().strip_prefix("- ")?.trim().trim_matches(['"', '\'']);
    let (name, value) = item.split_once('=')?;
    let is_name =
        |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'.');
    name.strip_prefix("--").is_some_and(is_name).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(path: &str, line: &str) -> String {
        format!("{{{{- if .Values.{path} }}}}\n- {line}\n{{{{- end }}}}\n")
    }

    #[test]
    fn an_option_of_one_setting_is_a_copy_where_another_one_gives_it() {
        let text = block("oidc.algs", "\"--oidc-algs=$(OIDC_ALGS)\"")
            + &block("oidc.claims", "\"--oidc-algs=$(OIDC_CLAIMS)\"");
        let found = copied(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&*found[0].path, &*found[0].original, found[0].option),
            ("oidc.claims", "oidc.algs", "--oidc-algs")
        );
    }

    #[test]
    fn an_option_of_both_or_of_neither_is_none() {
        let first = block("oidc.algs", "--oidc-algs={{ .Values.oidc.algs }}");
        for second in [
            // Its own option is there, too.
            block("oidc.claims", "--oidc-algs={{ .Values.oidc.claims }}") + "- --oidc-claims=a\n",
            // One key in two tables.
            block("web.algs", "--oidc-algs={{ .Values.web.algs }}"),
            // Something else is said.
            block("oidc.claims", "--oidc-algs=RS256"),
            // A branch of two.
            "{{ if .Values.oidc.claims }}\n- --oidc-algs=claims\n{{ else }}\n- --a=b\n{{ end }}".to_owned(),
            block("oidc.claims", "--oidc-claims={{ .Values.oidc.claims }}"),
        ] {
            assert!(copied(&(first.clone() + &second)).is_empty(), "{second}");
        }
    }
}
