//! What a script counts in bash's own old way, where the shell that reads it is another one.

use landfall_diag::Finding;

use super::{RULE, is_letter};
use crate::pods::Container;
use crate::scripts::{given_script, words};
use crate::subject::Desired;

/// Fields of a container with a command of their own.
const COMMANDS: &[&str] =
    &["lifecycle/postStart", "lifecycle/preStop", "livenessProbe", "readinessProbe", "startupProbe"];

/// Parts of the names of images whose `sh` is bash.
const IMAGES: &[&str] = &[
    "alma",
    "amazonlinux",
    "arch",
    "centos",
    "fedora",
    "opensuse",
    "oraclelinux",
    "redhat",
    "rhel",
    "rocky",
    "sles",
    "ubi",
];

/// What the scripts that a container is given count.
pub(super) fn in_container(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    if IMAGES.iter().any(|it| container.image().contains(it)) {
        return Vec::new();
    }
    let whose = format!("the script of container `{}`", container.name);
    let told = |of: Container<'_>| {
        let (field, _, script) = given_script(&of)?;
        let finding = in_script(&whose, script, shell(&of))?;
        Some(finding.at(desired.spot_at(&format!("{}.{field}", of.path))))
    };
    commanded(container).filter_map(told).collect()
}

/// A container as it is commanded: its own command, and those of its probes and hooks.
fn commanded<'c>(container: &Container<'c>) -> impl Iterator<Item = Container<'c>> {
    let own: Vec<Container<'c>> = COMMANDS
        .iter()
        .filter_map(|field| {
            let value = container.value.pointer(&format!("/{field}/exec"))?;
            let path = format!("{}.{}.exec", container.path, field.replace('/', "."));
            Some(Container { path, value, ..container.clone() })
        })
        .collect();
    std::iter::once(container.clone()).chain(own)
}

/// The scripts that a container, its probes and its hooks give to a shell, with their fields.
pub(super) fn given_scripts<'c>(container: &Container<'c>) -> Vec<(String, &'c str)> {
    let given = commanded(container).filter_map(|of| {
        let (field, _, script) = given_script(&of)?;
        Some((format!("{}.{field}", of.path), script))
    });
    given.collect()
}

/// What a script for a shell of that name counts.
pub(super) fn in_script(whose: &str, script: &str, shell: &str) -> Option<Finding> {
    if !matches!(shell, "sh" | "ash" | "dash") {
        return None;
    }
    let sum = counted(script)?;
    let inner = sum.trim_start_matches("$[").trim_end_matches(']').trim();
    Some(
        RULE.finding(format!("{whose} counts with `{sum}`, which is bash's alone"))
            .because("to dash and busybox, which most images have for `sh`, that is plain text")
            .help(format!("write `$(({inner}))`")),
    )
}

/// The name of the shell that a command gives its script to.
fn shell<'c>(container: &Container<'c>) -> &'c str {
    let mut names = words(container).into_iter().map(|(_, word)| word.rsplit('/').next().unwrap_or(word));
    names.find(|name| matches!(*name, "sh" | "bash" | "ash" | "dash" | "shell")).unwrap_or_default()
}

/// The first sum of a script that is written as bash alone takes it: `$[a+1]`.
fn counted(script: &str) -> Option<&str> {
    // What stands in a document, or is handed to bash, is another's.
    if script.contains("<<") || script.contains("bash") {
        return None;
    }
    let bytes = script.as_bytes();
    let (mut at, mut single, mut double) = (0, false, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !single => at += 1,
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'#' if !single && !double && (at == 0 || bytes[at - 1].is_ascii_whitespace()) => {
                at += script[at..].find('\n')?;
            }
            b'$' if !single && bytes.get(at + 1) == Some(&b'[') => {
                let end = at + script[at..].find(']')?;
                if is_sum(script[at + 2..end].trim()) {
                    return Some(&script[at..=end]);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether what stands in brackets is counted, and not a path of JSON or a class of letters.
fn is_sum(inner: &str) -> bool {
    let is_known = |it: char| is_letter(it) || "$ +-*/%()".contains(it);
    let begins = inner.starts_with(|it: char| is_letter(it) || it == '$' || it == '(');
    let joins = inner.chars().skip(1).any(|it| "+-*/%".contains(it));
    begins && joins && inner.chars().all(is_known) && !matches!(inner, "a-z" | "A-Z" | "0-9" | "a-zA-Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_in_brackets_is_bashs() {
        assert_eq!(counted("a=0; while b; do a=$[a+1]; done"), Some("$[a+1]"));
        assert_eq!(counted("# don't\necho \"$[ $a * 2 ]\""), Some("$[ $a * 2 ]"));
        for script in [
            "a=$((a+1))",
            "echo '$[a+1]'",
            "echo \\$[a+1]",
            "jq \"$[0].a\" \"$[*]\" \"$[-1]\"",
            "grep \"a$[a-z]\"",
            "bash -c 'x'; a=$[a+1]",
            "cat <<EOF\n$[a+1]\nEOF\n",
            "# $[a+1]",
            "a=$[a+1",
        ] {
            assert_eq!(counted(script), None, "{script}");
        }
    }
}
