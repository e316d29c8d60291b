//! Hooks that delete what may be gone already, and end with an error then.

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity};

use super::RULE;
use crate::pods::Container;
use crate::scripts::{given_script, words};
use crate::shell::{Command, commands};
use crate::subject::{Role, Subject};

/// The moments at which the whole delivery ends with a hook's error.
const MOMENTS: &[HookEvent] = &[HookEvent::PreDelete, HookEvent::PostDelete, HookEvent::PreUpgrade];

/// Flags of kubectl's whose value stands in a word of its own.
const WITH_VALUE: &[&str] = &[
    "-n",
    "--namespace",
    "-o",
    "--output",
    "--timeout",
    "--grace-period",
    "--context",
    "--kubeconfig",
    "--as",
    "--server",
    "-s",
    "--token",
    "-v",
];

/// Flags by which more than named objects are deleted, or none of them has to be there.
const OTHERWISE: &[&str] =
    &["--ignore-not-found", "-l", "--selector", "-f", "--filename", "-k", "--kustomize", "--all", "--dry-run", "--raw"];

/// Hooks whose error is that an object is not there which nobody delivers.
pub(super) fn deleting_hooks(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let Role::Hook { events, .. } = &desired.role else { continue };
        let Some(event) = events.iter().find(|event| MOMENTS.contains(event)) else { continue };
        for container in template.containers() {
            let Some((field, name)) = deleted(&container) else { continue };
            if subject.objects().any(|it| it.object.name() == name) {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "hook `{}` deletes `{name}`, and ends with an error where that is not there",
                    desired.object.name()
                ))
                .weighing(Severity::Warning)
                .because(format!(
                    "nothing of the release delivers it, so it may be gone or never have been there: the {} hook fails, and \
                     what it belongs to with it",
                    event.name()
                ))
                .help("add `--ignore-not-found`")
                .at(desired.spot_at(&format!("{}.{field}", container.path))),
            );
        }
    }
    findings
}

/// The object that a container has to find to delete it, and the field that says so.
fn deleted(container: &Container<'_>) -> Option<(String, String)> {
    if let Some((field, flags, script)) = given_script(container) {
        return named(script, flags.contains('e')).map(|name| (field, name));
    }
    let words = words(container);
    let field = words.first()?.0.clone();
    let words = words.into_iter().map(|(_, word)| word.to_owned()).collect();
    object_of(&Command { words, ..Command::default() }).map(|name| (field, name))
}

/// The object without which a script ends with an error: that of its last command, or of any where the first error ends it.
fn named(script: &str, ends_at_once: bool) -> Option<String> {
    let all = commands(script);
    let is_exact = |it: &Command| it.program() == "set" && it.words.iter().any(|word| is_flag_of_errors(word));
    // What a pipe passes on, a loop goes round or a trap catches may fail for itself.
    let is_plain = !script.replace("||", "").contains('|') && !all.iter().any(|it| is_of_control(it.program()));
    // In front of `&&` an error ends nothing.
    if (ends_at_once || all.iter().any(is_exact)) && is_plain && !script.contains("&&") {
        return all.iter().find_map(object_of);
    }
    all.last().filter(|_| is_plain).and_then(object_of)
}

fn is_flag_of_errors(word: &str) -> bool {
    word == "errexit" || (word.starts_with('-') && !word.starts_with("--") && word.contains('e'))
}

fn is_of_control(program: &str) -> bool {
    matches!(program, "for" | "case" | "trap" | "fi" | "done" | "esac" | "function")
}

/// The object that a command deletes by its name and that has to be there: `kubectl delete KIND NAME`, also `KIND/NAME`.
fn object_of(command: &Command) -> Option<String> {
    if command.program() != "kubectl" || command.may_fail {
        return None;
    }
    let mut plain: Vec<&str> = Vec::new();
    let mut words = command.words.iter().skip(1).map(String::as_str);
    while let Some(word) = words.next() {
        let flag = word.split('=').next().unwrap_or_default();
        if OTHERWISE.contains(&flag) {
            return None;
        }
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            plain.push(word);
        }
    }
    let (verb, rest) = plain.split_first()?;
    let name = match rest {
        [one] => one.split_once('/')?.1,
        // Of several each may be the one that is there; which is meant is not known.
        [kind, name] if !kind.contains(['/', ',']) => *name,
        _ => return None,
    };
    let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-.".contains(&it));
    (*verb == "delete" && is_name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deleted_by_its_name_has_to_be_there() {
        for (script, name) in [
            ("kubectl delete validatingWebhookConfiguration web-cfg;\n", Some("web-cfg")),
            ("echo a\nkubectl -n shop delete secret/web --timeout 10s\n", Some("web")),
            ("set -e\nkubectl delete cm web\necho done\n", Some("web")),
            ("kubectl delete cm web\necho done\n", None),
            ("kubectl delete cm web || true;\n", None),
            ("kubectl delete cm web --ignore-not-found\n", None),
            ("kubectl delete cm web --ignore-not-found=true\n", None),
            ("kubectl delete cm -l app=web\n", None),
            ("kubectl delete -f /a.yaml\n", None),
            ("kubectl delete cm $NAME\n", None),
            ("if kubectl get cm web; then kubectl delete cm web; fi\n", None),
            ("kubectl get cm web\n", None),
        ] {
            assert_eq!(named(script, false).as_deref(), name, "{script}");
        }
        assert_eq!(named("kubectl delete cm web\necho done\n", true).as_deref(), Some("web"));
    }
}
