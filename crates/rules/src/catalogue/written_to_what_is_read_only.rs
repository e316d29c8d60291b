use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::pods::{Container, PodTemplate};
use crate::rule::Rule;
use crate::scripts::{mount_of, scripts, volume_of};
use crate::shell::{Command, commands};
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF391",
    title: "scripts write where something can be written",
    severity: Severity::Warning,
    why: "ConfigMaps, Secrets and whatever is mounted `readOnly` cannot be written by the container that mounts \
          them. A copy into such a directory fails; where the script goes on all the same, what was copied is \
          missing later, and nothing says why.",
    advice: "Copy into an `emptyDir` that is mounted for it, and mount the settings elsewhere.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for script in scripts(subject, desired, &template, &container) {
                // Who asks first does not write there.
                if script.text.contains("-w ") {
                    continue;
                }
                for command in commands(&script.text).iter().filter(|it| !it.may_fail) {
                    let Some((target, source)) = refused(&template, &container, command) else { continue };
                    let name = container.name;
                    let key = format!("{} {name} {target}", desired.object.name());
                    if findings.iter().any(|it| it.key == key) {
                        continue;
                    }
                    findings.push(
                        RULE.finding(format!(
                            "the script of container `{name}` writes `{target}` by `{}`, and {source} is mounted there",
                            command.program()
                        ))
                        .keyed(key)
                        .because("it cannot be written, so the command fails")
                        .at(script.spot.clone()),
                    );
                }
            }
        }
    }
    findings
}

/// A path that a command writes in a mount that cannot be written, and what is mounted there.
fn refused(template: &PodTemplate<'_>, container: &Container<'_>, command: &Command) -> Option<(String, String)> {
    let makes = command.program() == "mkdir";
    targets(command).into_iter().find_map(|target| {
        let (mount, below) = mount_of(container, &target)?;
        // A directory that is there already need not be made.
        if makes && below.is_empty() {
            return None;
        }
        Some((target.clone(), read_only(template, mount)?))
    })
}

/// What a mount shows, where that cannot be written.
fn read_only(template: &PodTemplate<'_>, mount: &Value) -> Option<String> {
    let volume = volume_of(template, mount)?;
    let named = |kind: &str, name: &Value| name.as_str().map(|name| format!("{kind} `{name}`"));
    if let Some(source) = named("ConfigMap", &volume["configMap"]["name"]) {
        return Some(source);
    }
    if let Some(source) = named("Secret", &volume["secret"]["secretName"]) {
        return Some(source);
    }
    let is_projected = volume["projected"].is_object() || volume["downwardAPI"].is_object();
    (is_projected || mount["readOnly"] == true)
        .then(|| format!("the volume `{}`", volume["name"].as_str().unwrap_or_default()))
}

/// The files and directories that a command writes, where they are spelt out.
fn targets(command: &Command) -> Vec<String> {
    let mut found = command.into.clone();
    let flags = || command.words.iter().skip(1).filter(|it| it.starts_with('-'));
    let plain: Vec<&String> = command.words.iter().skip(1).filter(|it| !it.starts_with('-')).collect();
    let last = || plain.last().filter(|_| plain.len() > 1).map(|it| (*it).clone());
    match command.program() {
        // With `-t` the directory stands elsewhere.
        "cp" | "mv" | "install" | "ln" if !flags().any(|it| it.starts_with("-t") || it.starts_with("--target")) => {
            found.extend(last());
        }
        "touch" | "tee" | "mkdir" => found.extend(plain.iter().map(|it| (*it).clone())),
        "sed" if flags().any(|it| it.starts_with("-i") || it.starts_with("--in-place")) => found.extend(last()),
        _ => {}
    }
    found.retain(|it| it.starts_with('/') && !it.contains(['$', '*', '?', '`']));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_writes_is_told() {
        let of = |script: &str| commands(script).iter().flat_map(targets).collect::<Vec<_>>();
        assert_eq!(of("cp -r /a/* /b\ncat /c >> /d/e\nsed -i 's/a/b/' /f"), ["/b", "/d/e", "/f"]);
        assert_eq!(of("tee -a /a/b < /c; mkdir -p /d; touch /e 2>/dev/null"), ["/a/b", "/d", "/dev/null", "/e"]);
        for fine in ["cp /a $B", "cp -t /a /b", "echo cp /a /b", "sed 's/a/b/' /f", "cat /a", "rm -f /a"] {
            assert!(of(fine).is_empty(), "{fine}");
        }
    }
}
