use landfall_diag::{Finding, Severity};

use crate::pods::{Container, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Known, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF122",
    title: "what may run only once runs once, and is not rolled over itself",
    severity: Severity::Error,
    why: "A rolling update starts the new pod before the old one ends. A scheduler then fires twice, and a volume that \
          one node holds keeps the new pod waiting until somebody deletes the old one.",
    advice: "Set `strategy: {type: Recreate}`, or `maxSurge: 0`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        if desired.object.group() != "apps" || desired.object.kind() != "Deployment" {
            continue;
        }
        let shared = single_node_claim(subject, desired, &template);
        if let Some(finding) = shared.and_then(|claim| many_of_one_node(desired, &template, claim)) {
            findings.push(finding);
        }
        if !overlaps(desired) {
            continue;
        }
        let name = desired.object.name();
        let spot = desired.spot_at("spec.strategy");
        if let Some(claim) = shared {
            // On one node both pods have it.
            let severity = if one_node(subject, desired, claim) { Severity::Warning } else { Severity::Error };
            findings.push(
                RULE.finding(format!("Deployment `{name}` rolls over the claim `{claim}`, which one node holds"))
                    .weighing(severity)
                    .because("on another node the new pod waits for the volume that the old pod does not give back")
                    .at(spot),
            );
        } else if let Some(container) = template.containers().iter().find(|container| is_scheduler(container)) {
            findings.push(
                RULE.finding(format!("Deployment `{name}` rolls a scheduler over itself"))
                    .because("during each rollout two schedulers run, and every job that falls due is started twice")
                    .at(spot.container(container.name)),
            );
        } else if let Some((field, port)) = port_of_the_node(&template).filter(|_| waits(desired)) {
            findings.push(
                RULE.finding(format!("Deployment `{name}` rolls over port {port} of its node, which one pod can have"))
                    .weighing(Severity::Warning)
                    .because(
                        "the new pod waits for a node where the port is free, and the old one stays until it is ready",
                    )
                    .help("set `strategy: {type: Recreate}`, or `maxSurge: 0` with `maxUnavailable: 1`")
                    .at(desired.spot_at(&field)),
            );
        }
    }
    findings
}

/// Pods of one Deployment that are to share a claim which one node holds.
fn many_of_one_node(desired: &Desired, template: &PodTemplate<'_>, claim: &str) -> Option<Finding> {
    let replicas = desired.object.i64_at("/spec/replicas").filter(|replicas| *replicas > 1)?;
    let spec = template.spec;
    let is_bound = spec.pointer("/nodeSelector/kubernetes.io~1hostname").is_some()
        || spec.get("nodeName").is_some_and(|name| !name.is_null())
        || spec.pointer("/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution").is_some();
    (!is_bound).then(|| {
        RULE.finding(format!(
            "{replicas} pods of Deployment `{}` share the claim `{claim}`, which one node holds",
            desired.object.name()
        ))
        .weighing(Severity::Warning)
        .because("a pod on another node waits for a volume that is not given to it")
        .help("keep one replica, use a claim with ReadWriteMany, or a StatefulSet with a claim for each pod")
        .at(desired.spot_at("spec.replicas"))
    })
}

/// Whether the cluster is, or may be, one whose pods all run on one node; a claim for one pod alone is never shared.
fn one_node(subject: &Subject<'_>, desired: &Desired, claim: &str) -> bool {
    let found = subject.find("", "PersistentVolumeClaim", desired.object.namespace(), claim);
    let modes = found.map(|found| found.object().list_at("/spec/accessModes")).unwrap_or_default();
    let one_pod = modes.iter().any(|mode| mode == "ReadWriteOncePod");
    !one_pod && (subject.cluster.known == Known::Assumed || subject.before.of_kind("", "Node").count() <= 1)
}

/// Whether a rollout may run the old and the new pod side by side.
fn overlaps(desired: &Desired) -> bool {
    let object = &desired.object;
    if object.str_at("/spec/strategy/type") == Some("Recreate") || object.i64_at("/spec/replicas") == Some(0) {
        return false;
    }
    let surge = object.at("/spec/strategy/rollingUpdate/maxSurge");
    !surge.is_some_and(|surge| surge.as_u64() == Some(0) || matches!(surge.as_str(), Some("0" | "0%")))
}

/// A claim of the pod that only one node can write to at a time.
fn single_node_claim<'a>(subject: &Subject<'a>, desired: &Desired, template: &PodTemplate<'a>) -> Option<&'a str> {
    template.volumes().iter().find_map(|volume| {
        let name = volume["persistentVolumeClaim"]["claimName"].as_str()?;
        let claim = subject.find("", "PersistentVolumeClaim", desired.object.namespace(), name)?.object();
        let modes = claim.list_at("/spec/accessModes");
        let one = |mode: &str| matches!(mode, "ReadWriteOnce" | "ReadWriteOncePod");
        (!modes.is_empty() && modes.iter().all(|mode| mode.as_str().is_some_and(one))).then_some(name)
    })
}

/// Whether a container runs the clock of a job queue, of which there may be one.
fn is_scheduler(container: &Container<'_>) -> bool {
    let words: Vec<&str> = ["command", "args"]
        .into_iter()
        .flat_map(|field| container.value[field].as_array().into_iter().flatten())
        .filter_map(|word| word.as_str())
        .flat_map(str::split_whitespace)
        .collect();
    let has = |word: &str| words.contains(&word);
    has("schedule:work") || has("clockwork") || (has("beat") && words.iter().any(|word| word.contains("celery")))
}

/// A port of the node that a container takes for itself.
fn port_of_the_node(template: &PodTemplate<'_>) -> Option<(String, u64)> {
    if template.spec["hostNetwork"] == true {
        return None;
    }
    template.containers().into_iter().find_map(|container| {
        let ports = container.value["ports"].as_array()?.iter().enumerate();
        let taken = |(at, port): (usize, &serde_json::Value)| {
            Some((format!("{}.ports[{at}].hostPort", container.path), port["hostPort"].as_u64().filter(|it| *it > 0)?))
        };
        ports.filter_map(taken).next()
    })
}

/// Whether a rollout keeps each old pod until a new one is ready: of so few, a quarter is none.
fn waits(desired: &Desired) -> bool {
    let unavailable = desired.object.at("/spec/strategy/rollingUpdate/maxUnavailable");
    let replicas = desired.object.i64_at("/spec/replicas").unwrap_or(1);
    match unavailable {
        None => replicas < 4,
        Some(value) => value.as_u64() == Some(0) || matches!(value.as_str(), Some("0" | "0%")),
    }
}
