//! LimitRanger: defaults and bounds of requests and limits (`plugin/pkg/admission/limitranger`).

use landfall_object::Quantity;
use serde_json::{Value, json};

use super::{Operation, Review};
use crate::status::Status;
use crate::world::World;

fn items<'a>(range: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    range["spec"]["limits"].as_array().into_iter().flatten().filter(move |item| item["type"] == kind)
}

fn quantity(value: &Value) -> Option<Quantity> {
    if value.is_null() { None } else { Quantity::from_json(value).ok() }
}

/// Fills in what containers leave open.
pub(super) fn fill(world: &World, review: &mut Review<'_>) -> Result<(), Status> {
    if !review.creates("pods") {
        return Ok(());
    }
    let ranges: Vec<_> = world.list("limitranges", Some(review.namespace)).cloned().collect();
    for range in ranges {
        let mut notes = Vec::new();
        for item in items(&range, "Container") {
            for (field, word) in [("containers", "container"), ("initContainers", "init container")] {
                for container in
                    review.object["spec"].get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
                {
                    let name = container["name"].as_str().unwrap_or_default().to_owned();
                    for (source, target, what) in
                        [("defaultRequest", "requests", "request"), ("default", "limits", "limit")]
                    {
                        let mut set = Vec::new();
                        for (resource, value) in item[source].as_object().into_iter().flatten() {
                            let place = &mut container["resources"][target];
                            if place.get(resource).is_none() {
                                place[resource] = value.clone();
                                set.push(resource.as_str());
                            }
                        }
                        if !set.is_empty() {
                            notes.push(format!("{} {what} for {word} {name}", set.join(", ")));
                        }
                        if container["resources"][target].is_null()
                            && let Some(map) = container["resources"].as_object_mut()
                        {
                            map.remove(target);
                        }
                    }
                }
            }
        }
        if !notes.is_empty() {
            review.object["metadata"]["annotations"]["kubernetes.io/limit-ranger"] =
                json!(format!("LimitRanger plugin set: {}", notes.join("; ")));
        }
    }
    Ok(())
}

/// Refuses what is out of bounds.
pub(super) fn check(world: &World, review: &Review<'_>) -> Result<(), Status> {
    let pod = review.creates("pods");
    let claim = &*review.resource.id == "persistentvolumeclaims"
        && review.subresource.is_empty()
        && review.operation != Operation::Delete;
    if !pod && !claim {
        return Ok(());
    }
    for range in world.list("limitranges", Some(review.namespace)) {
        let mut faults = Vec::new();
        if claim {
            for item in items(range, "PersistentVolumeClaim") {
                let requests = &review.object["spec"]["resources"]["requests"];
                bounds(item, "PersistentVolumeClaim", requests, &Value::Null, &mut faults);
            }
        } else {
            let spec = &review.object["spec"];
            for item in items(range, "Container") {
                for field in ["containers", "initContainers"] {
                    for container in spec[field].as_array().into_iter().flatten() {
                        let resources = &container["resources"];
                        bounds(item, "Container", &resources["requests"], &resources["limits"], &mut faults);
                    }
                }
            }
            for item in items(range, "Pod") {
                let (requests, limits) = (total(spec, "requests"), total(spec, "limits"));
                bounds(item, "Pod", &requests, &limits, &mut faults);
            }
        }
        match faults.as_slice() {
            [] => {}
            [one] => return Err(review.forbid(one)),
            several => return Err(review.forbid(format!("[{}]", several.join(", ")))),
        }
    }
    Ok(())
}

/// The sum over a pod's containers.
pub(super) fn total(spec: &Value, field: &str) -> Value {
    let mut sums: std::collections::BTreeMap<String, Quantity> = std::collections::BTreeMap::new();
    for container in spec["containers"].as_array().into_iter().flatten() {
        for (resource, value) in container["resources"][field].as_object().into_iter().flatten() {
            if let Some(value) = quantity(value) {
                let sum = sums.entry(resource.clone()).or_insert_with(Quantity::zero);
                *sum = if sum.is_zero() { value } else { sum.plus(&value) };
            }
        }
    }
    Value::Object(sums.into_iter().map(|(resource, sum)| (resource, json!(sum.to_string()))).collect())
}

fn bounds(item: &Value, kind: &str, requests: &Value, limits: &Value, faults: &mut Vec<String>) {
    for (resource, least) in item["min"].as_object().into_iter().flatten() {
        let text = least.as_str().map_or_else(|| least.to_string(), str::to_owned);
        let (Some(least), request, limit) =
            (quantity(least), quantity(&requests[resource]), quantity(&limits[resource]))
        else {
            continue;
        };
        match request {
            None => faults.push(format!("minimum {resource} usage per {kind} is {text}. No request is specified")),
            Some(request) if request < least => {
                faults.push(format!("minimum {resource} usage per {kind} is {text}, but request is {request}"));
            }
            Some(_) => {
                if let Some(limit) = limit.filter(|limit| *limit < least) {
                    faults.push(format!("minimum {resource} usage per {kind} is {text}, but limit is {limit}"));
                }
            }
        }
    }
    for (resource, most) in item["max"].as_object().into_iter().flatten() {
        let text = most.as_str().map_or_else(|| most.to_string(), str::to_owned);
        let (Some(most), request, limit) = (quantity(most), quantity(&requests[resource]), quantity(&limits[resource]))
        else {
            continue;
        };
        if kind == "PersistentVolumeClaim" {
            if let Some(request) = request.filter(|request| *request > most) {
                faults.push(format!("maximum {resource} usage per {kind} is {text}, but request is {request}"));
            }
            continue;
        }
        match limit {
            None => faults.push(format!("maximum {resource} usage per {kind} is {text}. No limit is specified")),
            Some(limit) if limit > most => {
                faults.push(format!("maximum {resource} usage per {kind} is {text}, but limit is {limit}"));
            }
            Some(_) => {
                if let Some(request) = request.filter(|request| *request > most) {
                    faults.push(format!("maximum {resource} usage per {kind} is {text}, but request is {request}"));
                }
            }
        }
    }
    for (resource, most) in item["maxLimitRequestRatio"].as_object().into_iter().flatten() {
        let text = most.as_str().map_or_else(|| most.to_string(), str::to_owned);
        let Some(most) = quantity(most) else { continue };
        let amount = |of: &Value| quantity(&of[resource]).filter(|amount| !amount.is_zero());
        let missing = match (amount(requests), amount(limits)) {
            (None, _) => "no request is specified or request is 0".to_owned(),
            (_, None) => "no limit is specified or limit is 0".to_owned(),
            (Some(request), Some(limit)) => match float(&limit) / float(&request) {
                given if given > float(&most) / 1000.0 => format!("provided ratio is {given:.6}"),
                _ => continue,
            },
        };
        faults.push(format!("{resource} max limit to request ratio per {kind} is {text}, but {missing}"));
    }
}

/// An amount as the real one divides it.
#[expect(clippy::cast_precision_loss, reason = "as the real one computes it")]
fn float(amount: &Quantity) -> f64 {
    amount.millis() as f64
}
