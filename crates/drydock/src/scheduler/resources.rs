//! What pods ask for and what nodes have left.

use std::collections::BTreeMap;

use landfall_object::Quantity;
use serde_json::Value;

use crate::controllers::fields::{list, map, text};

/// Amounts by resource: cores in thousandths, all else in whole units.
pub(crate) type Demand = BTreeMap<String, i64>;

/// What a node has left.
pub(crate) struct Room {
    capacity: Demand,
    used: Demand,
}

/// The amount of a resource, as demands count it.
pub(crate) fn amount(resource: &str, value: &Value) -> i64 {
    let Ok(quantity) = Quantity::from_json(value) else { return 0 };
    if resource == "cpu" { quantity.millis() } else { quantity.units() }
}

/// Adds one demand to another.
pub(crate) fn add(to: &mut Demand, from: &Demand) {
    for (resource, amount) in from {
        *to.entry(resource.clone()).or_default() += amount;
    }
}

/// Takes a part of a demand away.
pub(crate) fn subtract(from: &mut Demand, part: &Demand) {
    for (resource, amount) in part {
        if let Some(left) = from.get_mut(resource) {
            *left -= amount;
        }
    }
}

fn largest(to: &mut Demand, from: &Demand) {
    for (resource, amount) in from {
        let known = to.entry(resource.clone()).or_default();
        *known = (*known).max(*amount);
    }
}

fn requests(container: &Value) -> Demand {
    let read = |field: &str| map(container, field).into_iter().flatten();
    let mut demand: Demand =
        read("/resources/requests").map(|(resource, value)| (resource.clone(), amount(resource, value))).collect();
    for (resource, value) in read("/resources/limits") {
        demand.entry(resource.clone()).or_insert_with(|| amount(resource, value));
    }
    demand
}

/// What a pod asks for: its containers and sidecars together, or more if an init container needs more.
pub(crate) fn demand(pod: &Value) -> Demand {
    let mut together = Demand::new();
    for container in list(pod, "/spec/containers") {
        add(&mut together, &requests(container));
    }
    let mut sidecars = Demand::new();
    let mut peak = Demand::new();
    for container in list(pod, "/spec/initContainers") {
        let asked = requests(container);
        if text(container, "/restartPolicy") == "Always" {
            add(&mut sidecars, &asked);
            largest(&mut peak, &sidecars);
        } else {
            let mut at_once = sidecars.clone();
            add(&mut at_once, &asked);
            largest(&mut peak, &at_once);
        }
    }
    add(&mut together, &sidecars);
    largest(&mut together, &peak);
    for (resource, value) in map(pod, "/spec/overhead").into_iter().flatten() {
        *together.entry(resource.clone()).or_default() += amount(resource, value);
    }
    together
}

/// What a pod takes of its node: what it asks for, and its own place as `pods`.
pub(crate) fn share(pod: &Value) -> Demand {
    let mut share = demand(pod);
    *share.entry("pods".to_owned()).or_default() += 1;
    share
}

impl Room {
    /// What `node` has beside what is used of it, the number of pods as `pods` among it.
    pub(crate) fn of(node: &Value, used: Demand) -> Self {
        let capacity = map(node, "/status/allocatable")
            .into_iter()
            .flatten()
            .map(|(resource, value)| (resource.clone(), amount(resource, value)))
            .collect();
        Self { capacity, used }
    }

    fn left(&self, resource: &str) -> i64 {
        self.capacity.get(resource).copied().unwrap_or(0) - self.used.get(resource).copied().unwrap_or(0)
    }

    /// What is lacking for a demand, in the scheduler's words and order.
    pub(crate) fn lacks(&self, demand: &Demand) -> Vec<String> {
        let mut lacking = Vec::new();
        if self.left("pods") < 1 {
            lacking.push("Too many pods".to_owned());
        }
        let first = ["cpu", "memory", "ephemeral-storage"];
        let others = demand.keys().map(String::as_str).filter(|resource| !first.contains(resource));
        for resource in first.into_iter().chain(others) {
            let asked = demand.get(resource).copied().unwrap_or(0);
            // A node that does not report ephemeral storage is not asked for it.
            let reported = self.capacity.contains_key(resource) || resource != "ephemeral-storage";
            if asked > 0 && reported && asked > self.left(resource) {
                lacking.push(format!("Insufficient {resource}"));
            }
        }
        lacking
    }

    /// Whether the demand could be met were the node empty of other pods.
    pub(crate) fn could_hold(&self, demand: &Demand) -> bool {
        demand.iter().all(|(resource, asked)| {
            *asked
                <= self.capacity.get(resource).copied().unwrap_or(if resource == "ephemeral-storage" {
                    *asked
                } else {
                    0
                })
        })
    }

    /// How much is left after a demand, in per cent, as a score.
    pub(crate) fn score(&self, demand: &Demand) -> i64 {
        let share = |resource: &str| {
            let capacity = self.capacity.get(resource).copied().unwrap_or(0);
            let asked = demand.get(resource).copied().unwrap_or(0);
            if capacity <= 0 { 0 } else { (self.left(resource) - asked).max(0).saturating_mul(100) / capacity }
        };
        i64::midpoint(share("cpu"), share("memory"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn init_containers_count_at_their_peak() {
        let pod = json!({"spec": {
            "initContainers": [
                {"resources": {"requests": {"cpu": "1"}}},
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
            ],
            "containers": [{"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}, {"resources": {"limits": {"cpu": "250m"}}}],
        }});
        let asked = demand(&pod);
        assert_eq!(asked["cpu"], 1000);
        assert_eq!(asked["memory"], 64 << 20);
    }

    #[test]
    fn a_node_says_what_it_lacks() {
        let node = json!({"status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "1"}}});
        let room = Room::of(&node, Demand::new());
        assert!(room.lacks(&Demand::from([("cpu".to_owned(), 4000)])).is_empty());
        let asked = Demand::from([("cpu".to_owned(), 4001), ("memory".to_owned(), 9 << 30), ("gpu".to_owned(), 1)]);
        assert_eq!(room.lacks(&asked), ["Insufficient cpu", "Insufficient memory", "Insufficient gpu"]);
        assert!(!room.could_hold(&asked));
    }
}
