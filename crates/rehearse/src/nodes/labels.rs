//! The labels that pods ask nodes for. Of a cluster that nobody has read they are taken as there.

use std::collections::{BTreeMap, BTreeSet};

use landfall_drydock::NodeSpec;
use landfall_object::Object;
use landfall_rules::{PodTemplate, pod_template};
use serde_json::Value;

const HOSTNAME: &str = "kubernetes.io/hostname";

/// What every node that is assumed has, and what no two have in common.
const OWN: [(&str, &str); 3] = [("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64"), (HOSTNAME, "")];

/// Labels that pods ask for, gathered into as few sets as nodes of one kind can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    sets: Vec<BTreeMap<String, String>>,
    /// Keys by which pods are spread or kept apart: each node is a place of its own.
    places: BTreeSet<String>,
}

/// Where nodes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody said how many there are and how large.
    Given,
    /// They are assumed, so that there are enough of each kind.
    Assumed,
}

impl Labels {
    /// What the pods of some objects ask for. Those of a DaemonSet run where they fit, and ask for nothing.
    pub(crate) fn asked<'a>(objects: impl Iterator<Item = &'a Object>) -> Self {
        let own = || OWN.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        let mut labels = Labels { sets: vec![own()], places: BTreeSet::new() };
        for template in objects.filter(|object| object.kind() != "DaemonSet").filter_map(pod_template) {
            let wanted = wanted(&template);
            let fits = |set: &&mut BTreeMap<String, String>| {
                wanted.iter().all(|(key, values)| set.get(*key).is_none_or(|it| allows(values, it)))
            };
            let set = match labels.sets.iter_mut().find(fits) {
                Some(set) => set,
                None => {
                    let mut set: BTreeMap<String, String> = own();
                    set.retain(|key, value| wanted.get(key.as_str()).is_none_or(|values| allows(values, value)));
                    labels.sets.push(set);
                    labels.sets.last_mut().expect("one was pushed")
                }
            };
            for (key, values) in &wanted {
                let value = values.first().copied().unwrap_or("true");
                set.entry((*key).to_owned()).or_insert_with(|| value.to_owned());
            }
            labels.places.extend(places(&template).map(str::to_owned));
        }
        labels
    }

    /// The nodes with the labels; where they are assumed, as many of each kind.
    pub(crate) fn on(&self, nodes: Vec<NodeSpec>, origin: Origin) -> Vec<NodeSpec> {
        let mut labelled = Vec::new();
        let kinds = if origin == Origin::Assumed { self.sets.len() } else { 1 };
        for kind in 0..kinds {
            for (at, node) in nodes.iter().enumerate() {
                let set = match origin {
                    Origin::Assumed => &self.sets[kind],
                    Origin::Given => &self.sets[at % self.sets.len()],
                };
                let name = if kind == 0 { node.name.clone() } else { format!("landfall-{}", labelled.len()) };
                let mut labels: BTreeMap<&str, &str> = self.places.iter().map(|key| (key.as_str(), &*name)).collect();
                labels.extend(set.iter().filter(|it| !is_own(it)).map(|(key, value)| (key.as_str(), value.as_str())));
                let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                labelled.push(NodeSpec { labels, name, ..node.clone() });
            }
        }
        labelled
    }

    /// What is taken as there, in a line; `None` when nothing is.
    pub(crate) fn told(&self) -> Option<String> {
        let asked = self.sets.iter().flatten().filter(|it| !is_own(it)).map(|(key, value)| format!("{key}={value}"));
        let all: BTreeSet<String> = asked.chain(self.places.iter().cloned()).collect();
        let all: Vec<String> = all.into_iter().collect();
        (!all.is_empty())
            .then(|| format!("nodes with the labels {}: taken as there; no cluster was read", all.join(", ")))
    }
}

fn is_own((key, value): &(&String, &String)) -> bool {
    OWN.contains(&(key.as_str(), value.as_str()))
}

/// Whether a value is one of those asked for; none means that any is.
fn allows(values: &[&str], value: &str) -> bool {
    values.is_empty() || values.contains(&value)
}

/// The labels without which no node takes the pod, each with the values that it may have.
fn wanted<'t>(template: &PodTemplate<'t>) -> BTreeMap<&'t str, Vec<&'t str>> {
    let selector = template.spec["nodeSelector"].as_object().into_iter().flatten();
    let mut wanted: BTreeMap<&str, Vec<&str>> =
        selector.map(|(key, value)| (key.as_str(), value.as_str().into_iter().collect())).collect();
    let terms =
        "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchExpressions";
    for expression in template.spec.pointer(terms).and_then(Value::as_array).into_iter().flatten() {
        let (Some(key), Some("In" | "Exists")) = (expression["key"].as_str(), expression["operator"].as_str()) else {
            continue;
        };
        let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        wanted.entry(key).or_insert(values);
    }
    wanted
}

/// The keys by which pods are spread, or kept together or apart, or are not scheduled at all.
fn places<'t>(template: &PodTemplate<'t>) -> impl Iterator<Item = &'t str> {
    let list = |pointer: &str| template.spec.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let spread = list("/topologySpreadConstraints").filter(|it| it["whenUnsatisfiable"] != "ScheduleAnyway");
    let together = list("/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution");
    let apart = list("/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution");
    spread.chain(together).chain(apart).filter_map(|it| it["topologyKey"].as_str()).filter(|key| *key != HOSTNAME)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(specs: &[Value]) -> Labels {
        let object = |spec: &Value| {
            Object::from_value(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
                "spec": {"template": {"spec": spec}}}))
            .expect("a map")
        };
        let objects: Vec<Object> = specs.iter().map(object).collect();
        Labels::asked(objects.iter())
    }

    fn told(nodes: &[NodeSpec]) -> Vec<String> {
        let pair = |(key, value): &(String, String)| format!("{key}={value}");
        let line =
            |node: &NodeSpec| format!("{} {}", node.name, node.labels.iter().map(pair).collect::<Vec<_>>().join(" "));
        nodes.iter().map(line).collect()
    }

    #[test]
    fn what_contradicts_nothing_is_one_node_and_what_does_another() {
        let expression = |operator: &str, values: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "disk", "operator": operator, "values": values}]}]}}}})
        };
        let asked = labels(&[
            json!({"nodeSelector": {"pool": "infra", "kubernetes.io/os": "linux"}}),
            expression("In", json!(["ssd", "nvme"])),
            expression("Exists", json!([])),
            json!({"nodeSelector": {"pool": "jobs"}}),
            json!({"nodeSelector": {"kubernetes.io/os": "windows"}}),
        ]);
        let nodes = asked.on(vec![NodeSpec::default()], Origin::Assumed);
        let expected =
            ["landfall-0 disk=ssd pool=infra", "landfall-1 pool=jobs", "landfall-2 kubernetes.io/os=windows"];
        assert_eq!(told(&nodes), expected);
        assert_eq!(told(&asked.on(vec![NodeSpec::default()], Origin::Given)), [expected[0]]);
        assert!(
            asked.told().is_some_and(|it| it.contains("disk=ssd, kubernetes.io/os=windows, pool=infra, pool=jobs"))
        );
    }

    #[test]
    fn each_node_is_a_place_of_its_own() {
        let zones = json!({"topologySpreadConstraints": [
            {"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}, {"topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}]});
        let asked = labels(&[zones]);
        let nodes = vec![NodeSpec::named("a", "1", "1Gi"), NodeSpec::named("b", "1", "1Gi")];
        assert_eq!(told(&asked.on(nodes, Origin::Assumed)), ["a zone=a", "b zone=b"]);
        assert_eq!(labels(&[json!({})]).told(), None);
        assert_eq!(labels(&[json!({})]).on(vec![NodeSpec::default()], Origin::Assumed), [NodeSpec::default()]);
    }
}
