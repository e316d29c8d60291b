//! Letters that were to be a variable's value, where nobody fills them in.

use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::{RULE, is_for_a_shell, lists};
use crate::pods::{Container, EnvFrom};
use crate::subject::{Desired, Subject};

/// Programs that fill variables in themselves, or have a language in which `$NAME` is something else.
const FILLING_IN: &[&str] =
    &["env", "envsubst", "execlineb", "launcher", "npm", "npx", "pnpm", "yarn", "make", "awk", "gawk", "jq", "perl"];

/// Words by which programs are given a script of another language, or told to fill variables in.
const SCRIPTS: &[&str] = &["-c", "-e", "-r", "-E", "--eval"];

/// Words of commands that hold a variable of their container as a shell writes it, where no shell reads them; in probes and hooks
/// also as Kubernetes writes it, which fills in nothing there.
pub(super) fn left_alone(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let names = names(subject, desired, container);
    let mut findings = Vec::new();
    for (field, words) in lists(container) {
        if names.is_empty() || is_for_a_shell(container, field, words) || is_filled_in(container, field, words) {
            continue;
        }
        let is_its_program = matches!(field, "command" | "args");
        for (at, word) in words.iter().enumerate() {
            let Some(text) = word.as_str().and_then(|text| referred(text, &names, !is_its_program)) else { continue };
            let name = container.name;
            findings.push(
                RULE.finding(format!("container `{name}` is given the letters `{text}`: no shell fills them in"))
                    .keyed(format!("{name} {field} {at} letters"))
                    .weighing(weight(container, field, text))
                    .because("the program gets them as they are, and not the variable's value")
                    .help(if is_its_program {
                        format!("write `$({})`, which Kubernetes fills in", text.trim_matches(['$', '{', '}']))
                    } else {
                        "give the whole line to a shell: [sh, -c, \"…\"]; Kubernetes fills nothing in here".to_owned()
                    })
                    .at(desired.spot_at(&format!("{}.{field}[{at}]", container.path))),
            );
        }
    }
    findings
}

/// How much it weighs: an image may give its arguments to a shell, and some programs know `${NAME}`.
fn weight(container: &Container<'_>, field: &str, text: &str) -> Severity {
    let is_of_its_image = field == "args" && container.value["command"].as_array().is_none_or(Vec::is_empty);
    let may_be_known = matches!(field, "command" | "args") && text.starts_with("${");
    if is_of_its_image || may_be_known { Severity::Info } else { RULE.severity }
}

/// The variables of a container, as far as they are spelt as variables are.
fn names(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = container.env().map(|(_, name, _)| name.to_owned()).collect();
    for EnvFrom { kind, name, prefix, .. } in container.env_from() {
        let Some(found) = subject.find("", kind, desired.object.namespace(), name) else { continue };
        for map in ["/data", "/stringData"].into_iter().filter_map(|field| found.object().at(field)?.as_object()) {
            names.extend(map.keys().map(|key| format!("{prefix}{key}")));
        }
    }
    names.retain(|name| is_variable(name));
    names
}

/// `POD_IP`.
fn is_variable(name: &str) -> bool {
    name.len() > 1
        && !name.starts_with(|it: char| it.is_ascii_digit())
        && name.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
}

/// Whether the program of a list may fill variables in itself.
fn is_filled_in(container: &Container<'_>, field: &str, words: &[Value]) -> bool {
    let command = container.value["command"].as_array().map(Vec::as_slice).unwrap_or_default();
    let before: &[Value] = if field == "args" { command } else { &[] };
    let all: Vec<&str> = before.iter().chain(words).filter_map(Value::as_str).collect();
    let first = all.first().copied().unwrap_or_default();
    let program = first.rsplit('/').next().unwrap_or_default();
    // A whole line in the program's place is another rule's.
    let is_line = !before.is_empty() || field != "args";
    (is_line && first.trim().contains(char::is_whitespace))
        || FILLING_IN.contains(&program)
        || program.contains("entrypoint")
        || all.iter().any(|word| {
            SCRIPTS.contains(word) || word.contains("yaml:") || word.to_ascii_lowercase().contains("expand")
        })
}

/// The first of these variables that a text refers to, with its marks: `$NAME`, `${NAME}`, and `$(NAME)` where that is not filled
/// in either. `$$NAME` is a letter's own.
fn referred<'t>(text: &'t str, names: &BTreeSet<String>, also_in_brackets: bool) -> Option<&'t str> {
    text.match_indices('$').find_map(|(at, _)| {
        if text[..at].ends_with(['$', '\\', '{']) {
            return None;
        }
        let rest = &text[at + 1..];
        let (open, close) = match rest.chars().next()? {
            '{' => (1, "}"),
            '(' if also_in_brackets => (1, ")"),
            _ => (0, ""),
        };
        let name = &rest[open..];
        let end = name.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).unwrap_or(name.len());
        let is_known = names.contains(&name[..end]) && name[end..].starts_with(close);
        is_known.then(|| &text[at..at + 1 + open + end + close.len()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_seen_by_its_marks_where_the_container_has_it() {
        let names = BTreeSet::from(["POD_IP".to_owned()]);
        for (text, found) in [("-m $POD_IP", "$POD_IP"), ("http://${POD_IP}:80", "${POD_IP}"), ("$POD_IP/a", "$POD_IP")]
        {
            assert_eq!(referred(text, &names, false), Some(found), "{text}");
        }
        assert_eq!(referred("-m=$(POD_IP)", &names, true), Some("$(POD_IP)"));
        for text in
            ["$(POD_IP)", "$$POD_IP", "\\$POD_IP", "{$POD_IP}", "$POD_IPS", "$POD", "${POD_IP:-a}", "POD_IP", "$"]
        {
            assert_eq!(referred(text, &names, false), None, "{text}");
        }
    }

    #[test]
    fn a_variable_is_spelt_in_capitals() {
        assert!(is_variable("POD_IP") && is_variable("_A1"));
        for none in ["", "A", "1A", "pod.ip", "pod_ip"] {
            assert!(!is_variable(none), "{none}");
        }
    }
}
