//! The nodes of a cluster that nobody has read: enough for what is delivered, so that a pod that waits does so for a reason.

mod labels;

use std::collections::BTreeSet;

use landfall_drydock::NodeSpec;
use landfall_object::Object;
use landfall_rules::{Demand, pod_template};

pub(crate) use labels::{Labels, Origin};

/// The scheduler that every cluster has.
const OWN_SCHEDULER: &str = "default-scheduler";

/// The schedulers that pods name beside the cluster's own, each in a line: who names one has it, and where it would put a
/// pod is not known.
pub(crate) fn schedulers_told<'o>(delivered: impl Iterator<Item = &'o Object>) -> Vec<String> {
    let named = delivered.filter_map(pod_template).filter_map(|template| template.spec["schedulerName"].as_str());
    let others: BTreeSet<&str> = named.filter(|name| !matches!(*name, "" | OWN_SCHEDULER)).collect();
    let told =
        |name: &str| format!("scheduler {name}: taken as there; its pods are given to nodes as the cluster's own are");
    others.into_iter().map(told).collect()
}

/// Nodes that hold it twice over, old and new pods side by side; the one that is always assumed where that does.
pub(crate) fn holding(demand: Demand) -> Vec<NodeSpec> {
    if demand.is_modest() {
        return vec![NodeSpec::default()];
    }
    let cores = (demand.cpu.saturating_mul(2) / 1_000 + 1).max(4);
    let gibibytes = (demand.memory.saturating_mul(2) / (1 << 30) + 1).max(8);
    let pods = u32::try_from(demand.pods.saturating_mul(2)).unwrap_or(u32::MAX).max(NodeSpec::default().pods);
    let node = |index| NodeSpec {
        pods,
        ..NodeSpec::named(format!("landfall-{index}"), &cores.to_string(), &format!("{gibibytes}Gi"))
    };
    (0..demand.nodes).map(node).collect()
}

#[cfg(test)]
mod tests {
    use landfall_rules::demand;
    use serde_json::{Value, json};

    use super::*;

    fn of(replicas: i64, cpu: &str, affinity: Value) -> Demand {
        let object =
            Object::from_value(json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
            "spec": {"replicas": replicas, "template": {"spec": {"affinity": affinity,
                "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}]}}}}))
            .expect("a map");
        demand(std::iter::once(&object))
    }

    #[test]
    fn nodes_are_as_large_and_as_many_as_is_asked_for() {
        let modest = of(2, "100m", json!({}));
        assert_eq!(holding(modest), [NodeSpec::default()]);
        let many = of(500, "1m", json!({}));
        assert_eq!(holding(many).iter().map(|node| node.pods).collect::<Vec<_>>(), [1_000]);
        let heavy = of(3, "4", json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}));
        let nodes = holding(heavy);
        assert_eq!(nodes.len(), 3);
        assert_eq!(
            (nodes[2].name.as_str(), nodes[2].cpu.as_str(), nodes[2].memory.as_str()),
            ("landfall-2", "25", "8Gi")
        );
    }

    #[test]
    fn a_scheduler_that_is_not_the_clusters_own_is_told_once() {
        let pod = |name: &str| {
            let spec = json!({"schedulerName": name, "containers": [{"name": "c"}]});
            Object::from_value(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}))
                .expect("a map")
        };
        let pods = ["", "default-scheduler", "volcano", "volcano"].map(pod);
        let told = schedulers_told(pods.iter());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("scheduler volcano: taken as there"), "{told:?}");
    }

    #[test]
    fn what_an_autoscaler_makes_at_the_least_has_room() {
        let value = |value| Object::from_value(value).expect("a map");
        let web = value(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}}}}));
        let scaler = value(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {"minReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}));
        let demand = demand([&web, &scaler].into_iter());
        assert_eq!((demand.pods, demand.cpu), (3, 3_000));
    }
}
