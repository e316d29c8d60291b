//! Resource quotas: what a namespace uses of what it may (`pkg/controller/resourcequota`, `pkg/quota/v1`).

use std::collections::BTreeMap;

use landfall_apiserver::Status;
use landfall_object::{Quantity, QuantityFormat};
use serde_json::{Map, Value, json};

use super::desk::{Desk, Found, Outcome};
use super::fields::{deleting, int, list, map, text};
use super::kind::{CLAIM, POD, QUOTA, SERVICE};
use super::loops::{After, Call, Loop, Wake};
use super::pods::is_terminated;
use super::queue::Role;
use crate::scheduler::{amount, demand};

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop =
    Loop { role: Role::Quota, kinds: &[QUOTA], wakes: &[Wake { after: After::Any, queue: of_namespace }] };

/// What is in a namespace counts.
fn of_namespace(call: &mut Call<'_>) {
    let namespace = call.object().namespace();
    if !namespace.is_empty() {
        call.look_at_all(&QUOTA, namespace);
    }
}

/// Recounts one quota.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace: &str, name: &str) -> Result<Outcome, Status> {
    let Some(quota) = desk.get(&QUOTA, namespace, name).filter(|q| !deleting(q)) else { return Ok(Outcome::done()) };
    let hard = map(&quota, "/spec/hard").cloned().unwrap_or_default();
    let used = usage(desk, &quota, namespace, &hard);
    let status = json!({"hard": hard, "used": used});
    if quota.get("status") != Some(&status) {
        let mut changed = quota.value().clone();
        changed["status"] = status;
        desk.update_status(&QUOTA, changed)?;
    }
    Ok(Outcome::done())
}

/// What is used of each resource that the quota limits.
fn usage(desk: &mut Desk<'_>, quota: &Value, namespace: &str, hard: &Map<String, Value>) -> Map<String, Value> {
    let pods: Vec<Found> =
        desk.list(&POD, namespace).into_iter().filter(|pod| !is_terminated(pod) && in_scope(quota, pod)).collect();
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for pod in &pods {
        *sums.entry("pods".to_owned()).or_default() += 1;
        for (resource, asked) in demand(pod) {
            *sums.entry(format!("requests.{resource}")).or_default() += asked;
            *sums.entry(resource).or_default() += asked;
        }
        for (resource, limit) in limits(pod) {
            *sums.entry(format!("limits.{resource}")).or_default() += limit;
        }
    }
    for service in desk.list(&SERVICE, namespace) {
        *sums.entry("services".to_owned()).or_default() += 1;
        let ports = list(&service, "/spec/ports").iter().filter(|p| int(p, "/nodePort").is_some()).count() as i64;
        match text(&service, "/spec/type") {
            "LoadBalancer" => {
                *sums.entry("services.loadbalancers".to_owned()).or_default() += 1;
                *sums.entry("services.nodeports".to_owned()).or_default() += ports;
            }
            "NodePort" => *sums.entry("services.nodeports".to_owned()).or_default() += ports,
            _ => {}
        }
    }
    for claim in desk.list(&CLAIM, namespace) {
        let asked = claim.pointer("/spec/resources/requests/storage").map_or(0, |q| amount("storage", q));
        let class = text(&claim, "/spec/storageClassName");
        for (key, add) in [("persistentvolumeclaims", 1), ("requests.storage", asked)] {
            *sums.entry(key.to_owned()).or_default() += add;
            if !class.is_empty() {
                *sums.entry(format!("{class}.storageclass.storage.k8s.io/{key}")).or_default() += add;
            }
        }
    }
    let mut used = Map::new();
    for resource in hard.keys() {
        let counted = resource.strip_prefix("count/").unwrap_or(resource);
        let sum = match sums.get(resource) {
            Some(sum) => *sum,
            None => i64::try_from(desk.world().list(counted, Some(namespace)).count()).unwrap_or(i64::MAX),
        };
        used.insert(resource.clone(), shown(resource, sum).into());
    }
    used
}

/// An amount as the quota shows it.
fn shown(resource: &str, sum: i64) -> String {
    if resource == "cpu" || resource.ends_with(".cpu") {
        return Quantity::from_millis(sum).to_string();
    }
    let bytes = ["memory", "storage"].iter().any(|b| resource.ends_with(b));
    let format = if bytes { QuantityFormat::BinarySi } else { QuantityFormat::DecimalSi };
    Quantity::from_units(sum, format).to_string()
}

fn limits(pod: &Value) -> BTreeMap<String, i64> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for container in list(pod, "/spec/containers") {
        for (resource, value) in map(container, "/resources/limits").into_iter().flatten() {
            *sums.entry(resource.clone()).or_default() += amount(resource, value);
        }
    }
    for container in list(pod, "/spec/initContainers") {
        for (resource, value) in map(container, "/resources/limits").into_iter().flatten() {
            let known = sums.entry(resource.clone()).or_default();
            *known = (*known).max(amount(resource, value));
        }
    }
    sums
}

/// Whether the pod counts for a quota with scopes.
fn in_scope(quota: &Value, pod: &Value) -> bool {
    let deadline = int(pod, "/spec/activeDeadlineSeconds").is_some();
    let best_effort = text(pod, "/status/qosClass") == "BestEffort";
    let fits = |scope: &str| match scope {
        "Terminating" => deadline,
        "NotTerminating" => !deadline,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        _ => true,
    };
    let plain = list(quota, "/spec/scopes").iter().filter_map(Value::as_str).all(fits);
    let selected = list(quota, "/spec/scopeSelector/matchExpressions").iter().all(|e| {
        if text(e, "/scopeName") == "PriorityClass" {
            let class = Some(text(pod, "/spec/priorityClassName")).filter(|c| !c.is_empty());
            super::selector::expression_matches(e, class)
        } else {
            fits(text(e, "/scopeName"))
        }
    });
    plain && selected
}
