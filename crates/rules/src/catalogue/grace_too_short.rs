use landfall_diag::{Finding, Severity};
use landfall_object::go_duration;
use serde_json::Value;

use crate::pods::{Container, is_lasting};
use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF271",
    title: "a container is given the time that it takes to stop",
    severity: Severity::Warning,
    why: "The time that a `preStop` hook takes is part of the pod's grace period. A hook that sleeps as long as that leaves \
          nothing for the program: it is killed with its requests and its writes, at each rollout.",
    advice: "Set terminationGracePeriodSeconds to the hook's time and what the program needs after it.",
    check,
};

/// The grace of a pod that says nothing, in seconds.
const GRACE: i64 = 30;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let grace = template.spec["terminationGracePeriodSeconds"].as_i64().unwrap_or(GRACE);
        if grace == 0 && is_lasting(desired.object.kind()) {
            findings.push(
                RULE.finding(format!(
                    "the pods of {} `{}` are given no time to stop",
                    desired.object.kind(),
                    desired.object.name()
                ))
                .because("they are killed at once and taken for gone, while what they hold may still be written to")
                .help("leave terminationGracePeriodSeconds out, or set what the program needs")
                .at(desired.spot_at(&format!("{}.terminationGracePeriodSeconds", template.path))),
            );
        }
        for container in template.containers() {
            let Some((seconds, field)) = sleeps(&container).filter(|(seconds, _)| *seconds >= grace) else { continue };
            findings.push(
                RULE.finding(format!(
                    "the preStop hook of container `{}` sleeps {seconds} s, and its pod is killed after {grace} s",
                    container.name
                ))
                .because("the program is killed before it is told to stop")
                .at(desired.spot_at(&format!("{}.lifecycle.preStop{field}", container.path))),
            );
        }
    }
    findings
}

/// How long a container's preStop hook sleeps at least, in seconds, and where it says so.
fn sleeps(container: &Container<'_>) -> Option<(i64, &'static str)> {
    let hook = container.value.pointer("/lifecycle/preStop")?;
    if let Some(seconds) = hook["sleep"]["seconds"].as_i64() {
        return Some((seconds, ".sleep.seconds"));
    }
    let words: Vec<&str> = hook["exec"]["command"].as_array()?.iter().filter_map(Value::as_str).collect();
    let text = words.join(" ");
    // What is done in a loop or a branch may end sooner.
    if ["while ", "until ", "for ", "if ", "||", "$("].iter().any(|word| text.contains(word)) {
        return None;
    }
    let mut parts = text.split(|letter: char| letter.is_whitespace() || ";&".contains(letter));
    let mut total = 0;
    while let Some(part) = parts.next() {
        if part.rsplit('/').next() == Some("sleep") {
            total += seconds(parts.next()?)?;
        }
    }
    (total > 0).then_some((total, ".exec.command"))
}

/// `15`, `15s`, `1m` in seconds.
fn seconds(text: &str) -> Option<i64> {
    let text = text.trim_matches(['"', '\'']);
    text.parse().ok().or_else(|| go_duration(text).map(|duration| duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_as_sleep_reads_them() {
        assert_eq!(seconds("15"), Some(15));
        assert_eq!(seconds("2m"), Some(120));
        assert_eq!(seconds("$TIME"), None);
    }
}
