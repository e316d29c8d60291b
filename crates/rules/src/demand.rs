//! What the pods of some objects ask of their nodes together.

use landfall_object::{Object, Quantity};
use serde_json::Value;

use crate::pods::{ContainerRole, PodTemplate, pod_template};

/// More nodes than this are not asked for, whatever spreads itself.
const MOST_NODES: i64 = 32;

/// What the pods of some objects ask for together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// Thousandths of a core.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// How many pods run.
    pub pods: i64,
    /// How many nodes they insist on.
    pub nodes: i64,
}

/// What the objects ask for when all of their pods run at once.
pub fn demand<'a>(objects: impl Iterator<Item = &'a Object>) -> Demand {
    let mut demand = Demand { nodes: 1, ..Demand::default() };
    let objects: Vec<&Object> = objects.collect();
    for object in &objects {
        let Some(template) = pod_template(object) else { continue };
        let replicas = match object.kind() {
            "Deployment" | "StatefulSet" | "ReplicaSet" => object.i64_at("/spec/replicas").unwrap_or(1),
            "Job" => object.i64_at("/spec/parallelism").unwrap_or(1),
            _ => 1,
        }
        .max(least_scaled(&objects, object));
        demand.cpu = demand.cpu.saturating_add(asked(&template, "cpu").saturating_mul(replicas));
        demand.memory = demand.memory.saturating_add(asked(&template, "memory").saturating_mul(replicas));
        demand.pods = demand.pods.saturating_add(replicas);
        if insists(&template) {
            // During a rollout one more stands beside those that were there.
            demand.nodes = demand.nodes.max(replicas.saturating_add(surge(object, replicas)).min(MOST_NODES));
        }
    }
    demand
}

/// How many pods an autoscaler makes of a workload at the least.
fn least_scaled(objects: &[&Object], workload: &Object) -> i64 {
    let scales = |it: &&&Object| {
        it.kind() == "HorizontalPodAutoscaler"
            && it.namespace() == workload.namespace()
            && it.str_at("/spec/scaleTargetRef/kind") == Some(workload.kind())
            && it.str_at("/spec/scaleTargetRef/name") == Some(workload.name())
    };
    objects.iter().filter(scales).filter_map(|it| it.i64_at("/spec/minReplicas")).max().unwrap_or(0)
}

impl Demand {
    /// The larger of two in each.
    pub fn max(self, other: Demand) -> Demand {
        Demand {
            cpu: self.cpu.max(other.cpu),
            memory: self.memory.max(other.memory),
            pods: self.pods.max(other.pods),
            nodes: self.nodes.max(other.nodes),
        }
    }

    /// Whether the node that is assumed when nothing is known would do.
    pub fn is_modest(self) -> bool {
        self.nodes <= 1 && self.cpu <= 2_000 && self.memory <= 4 << 30 && self.pods <= 50
    }
}

/// What the scheduler counts for one pod.
fn asked(template: &PodTemplate<'_>, resource: &str) -> i64 {
    let (mut together, mut first) = (0_i64, 0_i64);
    for container in template.containers() {
        let resources = &container.value["resources"];
        let declared = [&resources["requests"][resource], &resources["limits"][resource]];
        let amount = declared.into_iter().find(|it| !it.is_null()).and_then(|it| Quantity::from_json(it).ok());
        let amount = amount.map_or(0, |it| if resource == "cpu" { it.millis() } else { it.units() });
        match container.role {
            ContainerRole::Init => first = first.max(amount),
            _ => together = together.saturating_add(amount),
        }
    }
    together.max(first)
}

/// How many pods more a rollout starts before it ends one.
fn surge(object: &Object, replicas: i64) -> i64 {
    if object.kind() != "Deployment" || object.str_at("/spec/strategy/type") == Some("Recreate") {
        return 0;
    }
    match object.at("/spec/strategy/rollingUpdate/maxSurge") {
        Some(Value::Number(count)) => count.as_i64().unwrap_or(0).max(0),
        Some(Value::String(share)) => {
            let share: i64 = share.trim_end_matches('%').parse().unwrap_or(25);
            (replicas.saturating_mul(share) + 99) / 100
        }
        _ => (replicas.saturating_mul(25) + 99) / 100,
    }
}

/// Whether the pods insist on nodes of their own.
fn insists(template: &PodTemplate<'_>) -> bool {
    let list = |pointer: &str| template.spec.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    list("/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution").next().is_some()
        || list("/topologySpreadConstraints")
            .any(|it| it["whenUnsatisfiable"] != "ScheduleAnyway" && it["minDomains"].as_i64().is_some_and(|it| it > 1))
        || template.containers().iter().any(|container| {
            let ports = container.value["ports"].as_array().into_iter().flatten();
            ports.filter_map(|port| port["hostPort"].as_i64()).any(|port| port > 0)
        })
        || template.spec["hostNetwork"] == true
}
