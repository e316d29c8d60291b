use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::pods::{Container, ContainerRole};
use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF141",
    title: "a worker is given the time that its longest job takes",
    severity: Severity::Warning,
    why: "When a pod goes, its worker is told to finish and killed after the grace period, 30 seconds unless declared. A job \
          that is allowed longer is cut off in the middle at every rollout, and runs again or is lost.",
    advice: "Set terminationGracePeriodSeconds above the job's time limit.",
    check,
};

/// What Kubernetes gives when nothing is declared.
const DEFAULT_GRACE: i64 = 30;

/// How many seconds Laravel Horizon gives a job where its configuration is as installed.
const HORIZON_TIMEOUT: i64 = 60;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        if desired.role != Role::Manifest || matches!(desired.object.kind(), "Job" | "CronJob") {
            continue;
        }
        let grace = template.spec["terminationGracePeriodSeconds"].as_i64().unwrap_or(DEFAULT_GRACE);
        for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
            let Some(longest) = longest_job(container).filter(|longest| *longest > grace) else { continue };
            findings.push(
                RULE.finding(format!(
                    "worker `{}` may work {longest} s on a job and is killed after {grace} s",
                    container.name
                ))
                .keyed(format!("{} {}", desired.object.name(), container.name))
                .because("every rollout cuts jobs off in the middle")
                .help(format!("set terminationGracePeriodSeconds to {longest} at least, better {}", longest + 10))
                .at(desired
                    .spot_at(&format!("{}.terminationGracePeriodSeconds", template.path))
                    .container(container.name)),
            );
        }
    }
    findings
}

/// How many seconds a worker of a job queue may take for one job, as its command line says.
fn longest_job(container: &Container<'_>) -> Option<i64> {
    let words: Vec<&str> = ["command", "args"]
        .into_iter()
        .flat_map(|field| container.value[field].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .flat_map(str::split_whitespace)
        .collect();
    let flag = |names: &[&str]| {
        words.iter().enumerate().find_map(|(at, word)| {
            let name = names
                .iter()
                .find(|name| word.strip_prefix(**name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))?;
            let value = word[name.len()..].strip_prefix('=').or_else(|| words.get(at + 1).copied())?;
            value.parse::<i64>().ok()
        })
    };
    let runs = |program: &str| words.iter().any(|word| word.rsplit('/').next() == Some(program));
    if runs("queue:work") {
        return Some(flag(&["--timeout"]).unwrap_or(60)).filter(|seconds| *seconds > 0);
    }
    // Its supervisors have their time limit in a file of the image; this is the one that it comes with.
    if runs("artisan") && words.contains(&"horizon") {
        return Some(HORIZON_TIMEOUT);
    }
    if runs("celery") && words.contains(&"worker") {
        return flag(&["--time-limit", "--soft-time-limit"]);
    }
    if runs("sidekiq") {
        return flag(&["--timeout", "-t"]);
    }
    None
}
