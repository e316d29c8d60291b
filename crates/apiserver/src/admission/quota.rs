//! ResourceQuota: what a namespace may hold in sum (`plugin/pkg/admission/resourcequota`, `pkg/quota/v1/evaluator`).

use std::collections::BTreeMap;

use landfall_object::Quantity;
use serde_json::Value;

use super::{Operation, Review};
use crate::resource::Resource;
use crate::status::Status;
use crate::world::World;

type Usage = BTreeMap<String, Quantity>;

pub(super) fn check(world: &World, review: &Review<'_>) -> Result<(), Status> {
    if review.namespace.is_empty() || !review.subresource.is_empty() || review.operation == Operation::Delete {
        return Ok(());
    }
    let id = &*review.resource.id;
    if id == "resourcequotas" || id == "events" {
        return Ok(());
    }
    for quota in world.list("resourcequotas", Some(review.namespace)) {
        let hard = usage_of_map(&quota["spec"]["hard"]);
        if !in_scope(&quota["spec"], id, review.object) {
            continue;
        }
        let after = usage(review.resource, review.object);
        let mut asked: Usage = after.clone();
        if let Some(old) = review.old.filter(|_| review.operation == Operation::Update) {
            for (resource, before) in usage(review.resource, old) {
                if let Some(amount) = asked.get_mut(&resource) {
                    *amount = amount.minus(&before);
                }
            }
        }
        asked.retain(|resource, amount| hard.contains_key(resource) && amount.signum() > 0);
        if id == "pods" && review.operation == Operation::Create {
            missing(review, quota.name(), &hard)?;
        }
        if asked.is_empty() {
            continue;
        }
        let mut used = Usage::new();
        for object in world.list(id, Some(review.namespace)) {
            if !in_scope(&quota["spec"], id, object) {
                continue;
            }
            for (resource, amount) in usage(review.resource, object) {
                let sum = used.entry(resource).or_insert_with(Quantity::zero);
                *sum = if sum.is_zero() { amount } else { sum.plus(&amount) };
            }
        }
        let zero = Quantity::zero();
        let exceeded: Vec<&String> = asked
            .iter()
            .filter(|(resource, amount)| {
                used.get(*resource).unwrap_or(&zero).plus(amount) > *hard.get(*resource).unwrap_or(&zero)
            })
            .map(|(resource, _)| resource)
            .collect();
        if !exceeded.is_empty() {
            let show = |amounts: &Usage| {
                exceeded
                    .iter()
                    .map(|resource| format!("{resource}={}", amounts.get(*resource).unwrap_or(&zero)))
                    .collect::<Vec<_>>()
                    .join(",")
            };
            return Err(review.forbid(format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                quota.name(),
                show(&asked),
                show(&used),
                show(&hard)
            )));
        }
    }
    Ok(())
}

fn usage_of_map(map: &Value) -> Usage {
    map.as_object()
        .into_iter()
        .flatten()
        .filter_map(|(resource, value)| Some((resource.clone(), Quantity::from_json(value).ok()?)))
        .collect()
}

/// A quota on compute resources wants each container to say what it takes.
fn missing(review: &Review<'_>, quota: &str, hard: &Usage) -> Result<(), Status> {
    let mut faults: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource in ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"] {
        if !hard.contains_key(resource) {
            continue;
        }
        let (field, short) = resource.split_once('.').unwrap_or(("requests", resource));
        for list in ["containers", "initContainers"] {
            for container in review.object["spec"][list].as_array().into_iter().flatten() {
                if container["resources"][field].get(short).is_none() {
                    faults.entry(resource).or_default().push(container["name"].as_str().unwrap_or_default());
                }
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let list: Vec<String> =
        faults.iter().map(|(resource, names)| format!("{resource} for: {}", names.join(","))).collect();
    Err(review.forbid(format!("failed quota: {quota}: must specify {}", list.join("; "))))
}

fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn in_scope(spec: &Value, id: &str, object: &Value) -> bool {
    let scopes = spec["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut scopes = scopes.peekable();
    if scopes.peek().is_none() {
        return true;
    }
    if id != "pods" {
        return false;
    }
    let effort = crate::strategy::qos_class(&object["spec"]) == "BestEffort";
    let terminating = object["spec"]["activeDeadlineSeconds"].is_number();
    scopes.all(|scope| match scope {
        "BestEffort" => effort,
        "NotBestEffort" => !effort,
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        _ => true,
    })
}

/// What one object counts for.
pub(crate) fn usage(resource: &Resource, object: &Value) -> Usage {
    let mut usage = Usage::new();
    let one = || Quantity::from_units(1, landfall_object::QuantityFormat::DecimalSi);
    if &*resource.id == "pods" && is_over(object) {
        usage.insert("count/pods".to_owned(), one());
        return usage;
    }
    usage.insert(format!("count/{}", resource.id), one());
    match &*resource.id {
        "pods" => {
            usage.insert("pods".to_owned(), one());
            for field in ["requests", "limits"] {
                let total = super::limits::total(&object["spec"], field);
                for (name, value) in total.as_object().into_iter().flatten() {
                    let Ok(amount) = Quantity::from_json(value) else { continue };
                    usage.insert(format!("{field}.{name}"), amount.clone());
                    if field == "requests" {
                        usage.insert(name.clone(), amount);
                    }
                }
            }
        }
        "persistentvolumeclaims" => {
            usage.insert("persistentvolumeclaims".to_owned(), one());
            let size = &object["spec"]["resources"]["requests"]["storage"];
            if let Ok(size) = Quantity::from_json(size) {
                usage.insert("requests.storage".to_owned(), size);
            }
        }
        "services" => {
            usage.insert("services".to_owned(), one());
            let ports = object["spec"]["ports"].as_array().map_or(0, Vec::len);
            let ports =
                Quantity::from_units(i64::try_from(ports).unwrap_or(0), landfall_object::QuantityFormat::DecimalSi);
            match object["spec"]["type"].as_str() {
                Some("LoadBalancer") => {
                    usage.insert("services.loadbalancers".to_owned(), one());
                    usage.insert("services.nodeports".to_owned(), ports);
                }
                Some("NodePort") => {
                    usage.insert("services.nodeports".to_owned(), ports);
                }
                _ => {}
            }
        }
        "configmaps" | "secrets" | "replicationcontrollers" => {
            usage.insert(resource.plural.clone(), one());
        }
        _ => {}
    }
    usage
}
