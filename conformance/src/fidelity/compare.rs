//! In what a delivery onto the embedded cluster and one onto the testbed differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cases::List;
use super::delivery::Delivery;
use super::order::{self, Edge};
use super::recorder::text;
use super::scene::Scene;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) objects: usize,
    pub(super) fields: usize,
    pub(super) drawn: usize,
    pub(super) played: usize,
    pub(super) edges: BTreeMap<&'static str, usize>,
    /// The reasons of differences that were decided.
    pub(super) decided: Vec<String>,
    pub(super) differences: Vec<String>,
}

pub(super) fn compare(case: &str, embedded: [&Delivery; 2], real: &Delivery, list: &List) -> Comparison {
    let apart: Vec<String> =
        embedded[0].offered().map(|definition| text(definition, "/metadata/name").to_owned()).collect();
    let [ours, again] = embedded.map(|delivery| Scene::of(&delivery.sightings, &apart));
    let theirs = Scene::of(&real.sightings, &apart);
    let mut found = Vec::new();
    for (side, delivery) in [("embedded", embedded[0]), ("embedded, again", embedded[1]), ("testbed", real)] {
        if delivery.code != Some(0) {
            let said: Vec<&str> =
                delivery.said.lines().filter(|line| line.contains("error") || line.contains("refused")).collect();
            found.push(format!("{side}: up ended with {:?}: {}", delivery.code, said.join(" | ")));
        }
    }
    let mut comparison = Comparison { played: ours.played + theirs.played, ..Comparison::default() };
    keys(&ours, &theirs, &mut found);
    specs(&ours, &again, &theirs, &mut comparison, &mut found);
    let edges = order::edges(&embedded[0].plan, &ours);
    order(&edges, [&ours, &again, &theirs], &mut comparison, &mut found);
    for difference in found {
        match list.reason(case, &difference) {
            Some(reason) => comparison.decided.push(reason.to_owned()),
            None => comparison.differences.push(difference),
        }
    }
    comparison
}

/// Objects that one side has and the other has not.
fn keys(ours: &Scene, theirs: &Scene, found: &mut Vec<String>) {
    let all: BTreeSet<&String> = ours.left.keys().chain(theirs.left.keys()).collect();
    for key in all {
        match (ours.left.contains_key(key), theirs.left.contains_key(key)) {
            (true, false) => found.push(format!("only embedded: {key}")),
            (false, true) => found.push(format!("only testbed: {key}")),
            _ => {}
        }
    }
}

/// Fields that differ, of objects that both sides have.
fn specs(ours: &Scene, again: &Scene, theirs: &Scene, comparison: &mut Comparison, found: &mut Vec<String>) {
    for (key, left) in &ours.left {
        let Some(right) = theirs.left.get(key) else { continue };
        comparison.objects += 1;
        let (left, right) = (leaves(left), leaves(right));
        let second = again.left.get(key).map(leaves).unwrap_or_default();
        let all: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
        for path in all {
            comparison.fields += 1;
            let (one, other) = (left.get(path), right.get(path));
            if one == other {
                continue;
            }
            let is_drawn = one != second.get(path);
            comparison.drawn += usize::from(is_drawn);
            // Another one with each delivery: of the same make where it is as long.
            if is_drawn && one.map(length) == other.map(length) {
                continue;
            }
            found.push(format!("{key} {path}: embedded {}, testbed {}", shown(one), shown(other)));
        }
    }
}

/// Edges that do not hold on a side.
fn order(edges: &[Edge], [ours, again, theirs]: [&Scene; 3], comparison: &mut Comparison, found: &mut Vec<String>) {
    for edge in edges {
        let (Some(here), Some(twice), Some(there)) = (edge.holds(ours), edge.holds(again), edge.holds(theirs)) else {
            continue;
        };
        *comparison.edges.entry(edge.from).or_default() += 1;
        let holds = |yes: bool| if yes { "holds" } else { "does not" };
        if !(here && twice && there) {
            found.push(format!("order: {}: embedded {}, testbed {}", edge.told(), holds(here && twice), holds(there)));
        }
    }
}

/// The leaves of a value by their paths.
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn collect(value: &Value, path: String, into: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(field, value)| collect(value, format!("{path}/{field}"), into));
            }
            Value::Array(list) if !list.is_empty() => {
                list.iter().enumerate().for_each(|(at, value)| collect(value, format!("{path}/{at}"), into));
            }
            leaf => drop(into.insert(path, leaf.clone())),
        }
    }
    let mut all = BTreeMap::new();
    collect(value, String::new(), &mut all);
    all
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    if text.chars().count() > 160 { format!("{}…", text.chars().take(159).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::recorder::{Sighting, What};
    use super::*;

    fn sighting(version: u64, what: What, object: Value) -> Sighting {
        Sighting { version, what, object }
    }

    /// A config map, a deployment with its replica set and pod, as one side shows them.
    fn delivery(suffix: &str, value: &str, ready_at: u64) -> Delivery {
        let set = format!("web-{suffix}");
        let owner = |kind: &str, name: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": format!("{kind}-{suffix}"), "controller": true}]);
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let pod = |status: &Value| {
            json!({"apiVersion": "v1", "kind": "Pod", "status": status, "metadata": {"name": format!("{set}-{suffix}"),
                "namespace": "shop", "uid": format!("p-{suffix}"), "ownerReferences": owner("ReplicaSet", &set)}})
        };
        let sightings = vec![
            sighting(
                1,
                What::Before,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old", "uid": "o"}}),
            ),
            sighting(
                2,
                What::Created,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": value},
                "metadata": {"name": "settings", "namespace": "shop", "uid": format!("c-{suffix}")}}),
            ),
            sighting(
                3,
                What::Created,
                json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop", "uid": format!("Deployment-{suffix}")}}),
            ),
            sighting(
                4,
                What::Created,
                json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": set,
                "namespace": "shop", "uid": format!("ReplicaSet-{suffix}"), "ownerReferences": owner("Deployment", "web")}}),
            ),
            sighting(ready_at, What::Created, pod(&Value::Null)),
            sighting(ready_at + 5, What::Changed, pod(&ready)),
        ];
        Delivery { sightings, code: Some(0), said: String::new(), plan: json!({"units": []}) }
    }

    fn nothing_decided() -> List {
        List { cases: Vec::new(), decided: Vec::new() }
    }

    #[test]
    fn made_up_names_and_ids_are_no_difference_and_a_flipped_field_is() {
        let (one, two, real) = (delivery("aaa", "x", 5), delivery("bbb", "x", 5), delivery("ccc", "x", 5));
        let same = compare("c", [&one, &two], &real, &nothing_decided());
        assert_eq!(same.differences, Vec::<String>::new());
        assert_eq!((same.objects, same.edges["owner"]), (4, 2));
        let flipped = compare("c", [&one, &two], &delivery("ccc", "y", 5), &nothing_decided());
        assert_eq!(flipped.differences, ["ConfigMap shop/settings /data/a: embedded \"x\", testbed \"y\""]);
    }

    #[test]
    fn what_is_drawn_anew_is_compared_by_its_length() {
        let (one, two) = (delivery("aaa", "k3jf", 5), delivery("bbb", "99aa", 5));
        let same = compare("c", [&one, &two], &delivery("ccc", "zzzz", 5), &nothing_decided());
        assert!(same.differences.is_empty() && same.drawn == 1, "{same:?}");
        assert_eq!(compare("c", [&one, &two], &delivery("ccc", "short", 5), &nothing_decided()).differences.len(), 1);
    }

    #[test]
    fn an_order_that_holds_on_one_side_alone_is_a_difference() {
        let (one, two) = (delivery("aaa", "x", 5), delivery("bbb", "x", 5));
        let differences = compare("c", [&one, &two], &delivery("ccc", "x", 0), &nothing_decided()).differences;
        assert!(differences[0].contains("embedded holds, testbed does not"), "{differences:?}");
    }
}
