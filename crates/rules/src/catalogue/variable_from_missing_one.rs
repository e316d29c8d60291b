use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::references::provides;
use serde_json::Value;

use crate::pods::{Container, EnvFrom};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF167",
    title: "a variable is set once, from what stands before it",
    severity: Severity::Warning,
    why: "`$(NAME)` in a variable stands for one that is set before it in the same list; of any other the program gets the \
          letters `$(NAME)`. Of two variables of one name the last counts, and an apply may drop either.",
    advice: "Put the variable that is referred to in front, and set each one in one place.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            findings.extend(unresolved(subject, desired, &container));
            findings.extend(twice(desired, &container));
        }
    }
    findings
}

/// References to variables that come later, or not at all.
fn unresolved(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let whole = whole_sources(subject, desired, container);
    let all: BTreeSet<&str> = container.env().map(|(_, name, _)| name).collect();
    let mut before: BTreeSet<&str> = BTreeSet::new();
    for (at, name, variable) in container.env() {
        for wanted in variable["value"].as_str().map(referred).unwrap_or_default() {
            let given = whole.as_ref().is_none_or(|keys| keys.contains(wanted));
            // Of each Service a pod gets some by itself.
            let of_service =
                wanted.contains("_SERVICE_") || wanted.contains("_PORT") || wanted.starts_with("KUBERNETES_");
            let why = if before.contains(wanted) || given || of_service {
                continue;
            } else if all.contains(wanted) && wanted != name {
                "comes after it"
            } else {
                "nothing sets"
            };
            findings.push(
                RULE.finding(format!("`{name}` refers to `{wanted}`, which {why}"))
                    .because(format!("the program is given the letters `$({wanted})`"))
                    .at(desired.spot_at(&format!("{}.env[{at}].value", container.path))),
            );
        }
        before.insert(name);
    }
    findings
}

/// The keys that come in as variables, as a whole; `None` where some of them are not known.
fn whole_sources(subject: &Subject<'_>, desired: &Desired, container: &Container<'_>) -> Option<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    for EnvFrom { kind, name, prefix, .. } in container.env_from() {
        let namespace = desired.object.namespace();
        let found = match subject.find("", kind, namespace, name) {
            Some(found) => {
                let maps =
                    ["/data", "/stringData"].into_iter().filter_map(|field| found.object().at(field)?.as_object());
                maps.flat_map(|map| map.keys().cloned()).collect::<Vec<_>>()
            }
            None => {
                let mut made = subject.objects().flat_map(|it| provides(&it.object));
                made.find(|it| it.kind == kind && it.name == name && it.namespace.as_deref() == namespace)?.keys?
            }
        };
        keys.extend(found.into_iter().map(|key| format!("{prefix}{key}")));
    }
    Some(keys)
}

/// The variables that a text refers to, as far as they are spelt as variables are; `$$(X)` is a letter's own.
fn referred(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("$(") {
        if text[..at].ends_with('$') {
            continue;
        }
        let rest = &text[at + 2..];
        let Some(name) = rest.find(')').map(|end| &rest[..end]) else { continue };
        let is_letter = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
        if name.len() > 1 && name.bytes().all(is_letter) && !name.starts_with(|it: char| it.is_ascii_digit()) {
            found.push(name);
        }
    }
    found
}

/// Variables of one name; with one value, too, for a server-side apply refuses the list.
fn twice(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let variables: Vec<(usize, &str, &Value)> = container.env().collect();
    let mut findings = Vec::new();
    for (index, (at, name, variable)) in variables.iter().enumerate() {
        let Some((_, _, earlier)) = variables[..index].iter().rfind(|(_, other, _)| other == name) else { continue };
        let (severity, how, why) = match earlier == variable {
            _ if name.is_empty() => continue,
            true => {
                (Severity::Info, "to the same", "a server-side apply, as Helm 4 makes it, refuses the whole object")
            }
            false => (Severity::Warning, "each time otherwise", "the last one counts, and an apply may drop either"),
        };
        findings.push(
            RULE.finding(format!("`{name}` is set twice in container `{}`, {how}", container.name))
                .weighing(severity)
                .because(why)
                .at(desired.spot_at(&format!("{}.env[{at}]", container.path))),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_those_that_the_kubelet_resolves() {
        assert_eq!(referred("postgres://$(USER):$(DB_PASSWORD)@db/x"), ["USER", "DB_PASSWORD"]);
        assert!(referred("$$(USER) $(date +%s) $(hostname) $( $(").is_empty());
    }
}
