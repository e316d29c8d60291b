use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};

use crate::pods::Container;
use crate::rule::Rule;
use crate::scripts::{mounted, scripts};
use crate::shell::{Command, commands};
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF388",
    title: "variables are written as who fills them in knows them",
    severity: Severity::Warning,
    why: "`$(NAME)` is Kubernetes' own form, and Kubernetes fills it in in commands, arguments and variables alone. \
          `envsubst` fills in `$NAME` and `${NAME}`, and leaves everything else as it is: the program gets the \
          letters `$(NAME)` as an address or a name.",
    advice: "Write `${NAME}` in files that `envsubst` fills in.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for script in scripts(subject, desired, &template, &container) {
                for file in filled_in(&commands(&script.text)) {
                    let Some(file) = mounted(subject, &template, &container, &file) else { continue };
                    let Some(name) = left_alone(&file.text, &container) else { continue };
                    let (kind, source) = (file.source.object.kind(), file.source.object.name());
                    let message = format!(
                        "`{}` of {kind} `{source}` holds `$({name})`, which `envsubst` leaves as it is",
                        file.key
                    );
                    if !told.insert(message.clone()) {
                        continue;
                    }
                    findings.push(
                        RULE.finding(message)
                            .because(
                                "it knows `$NAME` and `${NAME}`, so the program gets the letters in place of the value",
                            )
                            .help(format!("write `${{{name}}}`"))
                            .at(file.source.spot_at(&file.field)),
                    );
                }
            }
        }
    }
    findings
}

/// The files that commands have filled in by `envsubst`: `envsubst < FILE`, `cat FILE | envsubst`.
fn filled_in(commands: &[Command]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, command) in commands.iter().enumerate().filter(|(_, it)| it.program() == "envsubst") {
        found.extend(command.from.iter().cloned());
        let before = at.checked_sub(1).and_then(|at| commands.get(at)).filter(|it| it.program() == "cat");
        found.extend(before.into_iter().flat_map(|it| it.words.iter().skip(1).cloned()));
    }
    found.retain(|file| file.starts_with('/'));
    found
}

/// A variable of the container that a text takes in Kubernetes' form.
fn left_alone<'c>(text: &str, container: &Container<'c>) -> Option<&'c str> {
    container.env().map(|(_, name, _)| name).find(|name| !name.is_empty() && text.contains(&format!("$({name})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_filled_in_from_the_input_and_through_a_pipe() {
        let files = |script: &str| filled_in(&commands(script));
        assert_eq!(files("mkdir -p /tmp/a && \\\n  envsubst < /a/b > /tmp/a/b && exec run"), ["/a/b"]);
        assert_eq!(files("cat /a/b | envsubst '$A' > /c"), ["/a/b"]);
        assert!(files("cat /a/b > /c; sed s/a/b/ < /d").is_empty());
    }
}
