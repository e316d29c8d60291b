use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;
use landfall_yaml::Step;

use crate::components::is_component;
use crate::rule::Rule;
use crate::subject::{Desired, Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF142",
    title: "all replicas together open no more connections than the server takes",
    severity: Severity::Warning,
    why: "Each pod brings its own pool. What is enough for one replica is too much for eight, so it fails exactly when the \
          autoscaler is needed: new pods are refused by the database, and the old ones are not relieved.",
    advice: "Lower the pool, the replicas or the autoscaler's maximum, raise the server's limit, or put a pooler between.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some((environment, declared)) = subject.environment else { return Vec::new() };
    let mut findings = Vec::new();
    for (index, budget) in declared.connections.iter().enumerate() {
        let Some(limit) = budget.limit.or_else(|| limit_of(subject, &budget.to)) else { continue };
        let mut clients: Vec<(&Desired, u64, u64)> = Vec::new();
        for (desired, _) in subject.pods() {
            let pool = budget.per_pod.iter().find(|(name, _)| is_component(&desired.object, &desired.unit, name));
            if let (Some((_, pool)), Some(replicas)) = (pool, replicas(subject, &desired.object)) {
                clients.push((desired, replicas, *pool));
            }
        }
        let total: u64 = clients.iter().map(|(_, replicas, pool)| replicas.saturating_mul(*pool)).sum();
        if total <= limit {
            continue;
        }
        let sum: Vec<String> = clients
            .iter()
            .map(|(desired, replicas, pool)| format!("{} {replicas} × {pool}", desired.object.name()))
            .collect();
        let message = format!("`{}` takes {limit} connections, and up to {total} may be opened", budget.to);
        let mut finding = RULE.finding(message).because(format!("{}: whoever comes last is refused", sum.join(", ")));
        for (desired, _, _) in clients {
            finding = finding.at(desired.spot());
        }
        let steps = [Step::Key("environments"), Step::Key(environment), Step::Key("connections"), Step::Index(index)];
        if let Some(file) = subject.project {
            finding = finding.at(Spot::file(file.place(&steps)));
        }
        findings.push(finding);
    }
    findings
}

/// The most pods there may be of a workload: what its autoscaler allows, else what it asks for. None of what ends.
fn replicas(subject: &Subject<'_>, object: &Object) -> Option<u64> {
    if !matches!(object.kind(), "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController") {
        return None;
    }
    let scaled = subject.after("autoscaling", "HorizontalPodAutoscaler").find_map(|found: Found<'_>| {
        let scaler = found.object();
        let is_it = scaler.namespace() == object.namespace()
            && scaler.str_at("/spec/scaleTargetRef/kind") == Some(object.kind())
            && scaler.str_at("/spec/scaleTargetRef/name") == Some(object.name());
        scaler.at("/spec/maxReplicas").and_then(serde_json::Value::as_u64).filter(|_| is_it)
    });
    scaled.or_else(|| Some(object.at("/spec/replicas").and_then(serde_json::Value::as_u64).unwrap_or(1)))
}

/// The limit that the server's own object says: of an operator's `User`, or an argument of the server.
fn limit_of(subject: &Subject<'_>, name: &str) -> Option<u64> {
    let user = subject.after("k8s.mariadb.com", "User").find(|found| found.object().name() == name);
    if let Some(limit) = user.and_then(|found| found.object().at("/spec/maxUserConnections")?.as_u64()) {
        return Some(limit);
    }
    subject.pods().filter(|(desired, _)| is_component(&desired.object, &desired.unit, name)).find_map(
        |(_, template)| {
            let containers = template.containers();
            let words = containers.iter().flat_map(|container| {
                ["command", "args"]
                    .into_iter()
                    .flat_map(|field| container.value[field].as_array().into_iter().flatten())
            });
            words.filter_map(|word| word.as_str()).find_map(|word| {
                let (_, number) = word
                    .trim_start_matches("--")
                    .replace('-', "_")
                    .split_once("max_connections=")
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
                number.split_whitespace().next()?.parse().ok()
            })
        },
    )
}
