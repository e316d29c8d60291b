use jiff::Timestamp;
use landfall_diag::{Finding, Severity};
use landfall_object::{Assumption, Object, Simulated};
use serde_json::Value;

use crate::pods::{Container, ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF136",
    title: "a container is given the time that it takes to start",
    severity: Severity::Warning,
    why: "A liveness probe that gives up before the program is up kills it, and the next start is as slow: it never comes \
          up. On a fast machine it just does, on a busy node it does not.",
    advice: "Add a startupProbe with failureThreshold × periodSeconds above the slowest start seen.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
            let Some((probe, budget)) = budget(container) else { continue };
            findings.extend(given_up(desired, container, probe, budget));
            findings.extend(no_time_at_all(desired, container, probe, budget));
            let Some(slowest) = slowest_start(subject, desired, &template, container.name) else { continue };
            if slowest < budget {
                continue;
            }
            findings.push(
                RULE.finding(format!("container `{}` has {budget} s to start and took {slowest} s", container.name))
                    .keyed(format!("{} {}", desired.object.name(), container.name))
                    .because("it is killed while it starts, again and again")
                    .at(desired.spot_at(&format!("{}.{probe}", container.path))),
            );
        }
    }
    findings
}

/// A rollout that is given up while its pods may still be starting, as their own startup probe allows.
fn given_up(desired: &Desired, container: &Container<'_>, probe: &str, budget: i64) -> Option<Finding> {
    let object = &desired.object;
    if object.kind() != "Deployment" || probe != "startupProbe" {
        return None;
    }
    let deadline = object.i64_at("/spec/progressDeadlineSeconds").unwrap_or(DEADLINE);
    (budget > deadline).then(|| {
        RULE.finding(format!(
            "container `{}` may take {budget} s to start, and its rollout is given up after {deadline} s",
            container.name
        ))
        .keyed(format!("{} {} deadline", object.name(), container.name))
        .because("a slow start is reported as a failed rollout, and rolled back where that is asked for")
        .help(format!("set spec.progressDeadlineSeconds above {budget}, or lower the probe's failureThreshold"))
        .at(desired.spot_at(&format!("{}.{probe}", container.path)))
    })
}

/// A liveness probe that gives up before any program is up, or before the same container's readiness is looked at first.
fn no_time_at_all(desired: &Desired, container: &Container<'_>, probe: &str, budget: i64) -> Option<Finding> {
    if probe != "livenessProbe" {
        return None;
    }
    let ready = container.value["readinessProbe"]["initialDelaySeconds"].as_i64().unwrap_or(0);
    let because = if budget < AT_LEAST {
        "one slow answer, or a start of a few seconds, and it is killed"
    } else if budget < ready {
        "it is killed before its readiness is looked at for the first time"
    } else {
        return None;
    };
    Some(
        RULE.finding(format!(
            "container `{}` has {budget} s to start before its liveness probe gives up",
            container.name
        ))
        .keyed(format!("{} {} at all", desired.object.name(), container.name))
        .because(because)
        .at(desired.spot_at(&format!("{}.{probe}", container.path))),
    )
}

/// In fewer seconds no program that answers requests is up on every node.
const AT_LEAST: i64 = 5;

/// After how many seconds a Deployment that does not progress is said to have failed, unless it says otherwise.
const DEADLINE: i64 = 600;

/// After how many seconds the container is killed if it never answers, and by which probe.
fn budget(container: &Container<'_>) -> Option<(&'static str, i64)> {
    let probe = ["startupProbe", "livenessProbe"]
        .into_iter()
        .find(|probe| container.value.get(*probe).is_some_and(|probe| !probe.is_null()))?;
    let number = |field: &str, default: i64| container.value[probe][field].as_i64().unwrap_or(default);
    let tries = number("failureThreshold", 3).saturating_mul(number("periodSeconds", 10));
    Some((probe, number("initialDelaySeconds", 0).saturating_add(tries)))
}

/// The slowest start of this container among the pods that run: from its start to the pod's being ready.
fn slowest_start(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>, name: &str) -> Option<i64> {
    let labels = template.labels()?;
    // A pod whose probes were only taken as passing took as long as its probes wait, not as its program.
    let is_seen = |pod: &&Object| match Simulated::of(pod) {
        Some(Simulated::Containers(taken)) => !taken.iter().any(|it| matches!(it, Assumption::Probe(_))),
        _ => true,
    };
    let pods = subject.before.of_kind("", "Pod").filter(is_seen).filter(|pod| {
        pod.namespace() == desired.object.namespace()
            && labels.iter().all(|(key, value)| pod.label(key) == value.as_str())
    });
    pods.filter_map(|pod| {
        let status = pod.list_at("/status/containerStatuses").iter().find(|status| status["name"] == name)?;
        // One that was restarted became ready long after its pod did.
        let first = status["restartCount"].as_i64() == Some(0);
        let started = time(status.pointer("/state/running/startedAt")).filter(|_| first)?;
        let ready = pod.condition("Ready").filter(|ready| ready["status"] == "True")?;
        let seconds = time(ready.get("lastTransitionTime"))?.as_second() - started.as_second();
        // A pod that was not ready in between says nothing of its start.
        (0..3600).contains(&seconds).then_some(seconds)
    })
    .max()
}

fn time(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}
