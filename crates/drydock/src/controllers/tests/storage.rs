use serde_json::{Value, json};

use super::super::fields::{condition, text};
use super::{Stage, deployment};

fn claim(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "local-path",
        "resources": {"requests": {"storage": "1Gi"}}}})
}

fn user(name: &str, claim: &str) -> Value {
    let mut user = deployment(name, 1);
    user["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    user
}

#[test]
fn a_claim_waits_for_its_first_pod_and_is_then_bound() {
    let mut stage = Stage::plain();
    stage.create("persistentvolumeclaims", claim("data"));
    stage.rest();
    assert_eq!(text(&stage.find("persistentvolumeclaims", "data"), "/status/phase"), "Pending");
    assert_eq!(stage.events("data"), ["WaitForFirstConsumer waiting for first consumer to be created before binding"]);
    stage.create("deployments.apps", user("db", "data"));
    stage.rest();
    let bound = stage.find("persistentvolumeclaims", "data");
    assert_eq!(text(&bound, "/status/phase"), "Bound", "{:#}", bound.value());
    assert_eq!(text(&bound, "/status/capacity/storage"), "1Gi");
    assert_eq!(text(&stage.list("pods")[0], "/status/phase"), "Running");
    stage.delete("persistentvolumeclaims", "shop", "data");
    stage.rest();
    assert_eq!(stage.names("persistentvolumeclaims"), ["data"], "a claim in use stays");
    stage.delete("deployments.apps", "shop", "db");
    stage.pass(60);
    assert!(stage.names("persistentvolumeclaims").is_empty());
    assert!(stage.names("persistentvolumes").is_empty());
}

#[test]
fn lp_045_a_pod_without_its_claim_is_not_placed() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", user("db", "nope"));
    stage.rest();
    let why = text(condition(&stage.list("pods")[0], "PodScheduled").expect("set"), "/message").to_owned();
    assert_eq!(why, "0/1 nodes are available: persistentvolumeclaim \"nope\" not found. not found");
}

#[test]
fn an_unbound_fault_keeps_the_pod_waiting() {
    let mut stage = Stage::with(json!({}), &["pvc/data=unbound"]);
    stage.create("persistentvolumeclaims", claim("data"));
    stage.create("deployments.apps", user("db", "data"));
    stage.rest();
    assert_eq!(text(&stage.find("persistentvolumeclaims", "data"), "/status/phase"), "Pending");
    assert_eq!(text(&stage.list("pods")[0], "/status/phase"), "Pending");
}

#[test]
fn pods_that_keep_apart_do_not_lose_their_volumes_nodes_to_each_other() {
    let node = |at: usize| crate::controllers::NodeSpec { name: format!("node-{at}"), ..Default::default() };
    let mut stage =
        Stage::new(crate::controllers::ControlPlane { nodes: (0..3).map(node).collect(), ..Default::default() });
    let apart = json!([{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "search"}}}]);
    stage.create(
        "statefulsets.apps",
        json!({"metadata": {"name": "search"}, "spec": {
            "serviceName": "search", "replicas": 3, "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": "search"}},
            "template": {"metadata": {"labels": {"app": "search"}}, "spec": {
                "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": apart}},
                "containers": [{"name": "search", "image": "search:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
            "volumeClaimTemplates": [claim("data")]}}),
    );
    stage.pass(60);
    let mut nodes: Vec<String> = stage.list("pods").iter().map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
    nodes.sort();
    assert_eq!(nodes, ["node-0", "node-1", "node-2"]);
}
