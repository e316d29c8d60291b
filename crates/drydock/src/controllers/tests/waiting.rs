use landfall_apiserver::Part;
use serde_json::{Value, json};

use super::super::queue::Role;
use super::{ControlPlane, Stage};

fn pod(name: &str, spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn too_big() -> Value {
    json!({"containers": [{"name": "c", "image": "nginx:1", "resources": {"requests": {"cpu": "64"}}}]})
}

/// A stage with pods that no node takes: `big`, `neighbour` (by its affinity) and `stored` (by a claim that is not there).
fn stage() -> Stage {
    let mut stage = Stage::plain();
    stage.create("pods", pod("big", too_big()));
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}});
    let affinity = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    stage.create("pods", pod("neighbour", json!({"affinity": affinity})));
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    stage.create("pods", pod("stored", json!({"volumes": volumes})));
    stage.rest();
    stage
}

/// The pods that the scheduler is to look at after what has just happened.
fn tried_again(stage: &mut Stage) -> Vec<String> {
    stage.controllers.take_events(&stage.world);
    let items = std::iter::from_fn(|| stage.controllers.queue.pop());
    let mut names: Vec<String> =
        items.filter(|item| item.role == Role::Scheduler).map(|item| item.object.name).collect();
    names.sort();
    names
}

#[test]
fn what_cannot_help_a_pod_without_a_node_wakes_none() {
    let mut stage = stage();
    stage.create("configmaps", json!({"metadata": {"name": "a"}, "data": {"k": "v"}}));
    stage.create("secrets", json!({"metadata": {"name": "a"}, "data": {"k": "dg=="}}));
    stage.create("namespaces", json!({"metadata": {"name": "other"}}));
    assert_eq!(tried_again(&mut stage), [""; 0]);
    stage.create("pods", pod("later", too_big()));
    assert_eq!(tried_again(&mut stage), ["later"], "another pod takes no room and leaves none");
    stage.delete("pods", "shop", "later");
    assert_eq!(tried_again(&mut stage), ["later"], "it had no room");
    let node = stage.list("nodes")[0].clone();
    let reference = landfall_apiserver::ObjectRef {
        resource: "nodes".into(),
        namespace: String::new(),
        name: node.name().to_owned(),
    };
    let beat = |node: &mut Value| node["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2030-01-01T00:00:00Z");
    stage.world.modify(&stage.actor, &reference, Part::Status, beat).expect("a heartbeat");
    assert_eq!(tried_again(&mut stage), [""; 0], "a heartbeat makes no room");
}

#[test]
fn what_may_help_wakes_those_whom_it_may() {
    let mut stage = stage();
    let all = ["big", "neighbour", "stored"];
    let claim = json!({
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    stage.create("persistentvolumeclaims", claim);
    assert_eq!(tried_again(&mut stage), ["stored"]);
    stage.create("pods", pod("small", json!({"nodeName": stage.list("nodes")[0].name()})));
    assert!(tried_again(&mut stage).contains(&"neighbour".to_owned()), "it may be the one to stand beside");
    stage.change("pods", "small", |pod| pod["metadata"]["labels"] = json!({"app": "db"}));
    let woken = tried_again(&mut stage);
    assert!(woken.contains(&"neighbour".to_owned()) && !woken.contains(&"big".to_owned()), "{woken:?}");
    let small =
        landfall_apiserver::ObjectRef { resource: "pods".into(), namespace: "shop".into(), name: "small".into() };
    let ends = |pod: &mut Value| pod["status"]["phase"] = json!("Succeeded");
    stage.world.modify(&stage.actor, &small, Part::Status, ends).expect("it ends");
    let woken = tried_again(&mut stage);
    assert!(all.iter().all(|name| woken.iter().any(|it| it == name)), "{woken:?}");
    let node = stage.names("nodes").remove(0);
    stage.change("nodes", &node, |node| node["metadata"]["labels"]["disk"] = json!("ssd"));
    assert_eq!(tried_again(&mut stage), all);
    stage.change("namespaces", "shop", |namespace| namespace["metadata"]["labels"]["team"] = json!("a"));
    assert_eq!(tried_again(&mut stage), all);
}

#[test]
fn room_that_a_pod_leaves_is_taken() {
    let mut stage = Stage::new(ControlPlane::default());
    let half =
        || json!({"containers": [{"name": "c", "image": "nginx:1", "resources": {"requests": {"memory": "5Gi"}}}]});
    stage.create("pods", pod("first", half()));
    stage.rest();
    stage.create("pods", pod("second", half()));
    stage.rest();
    assert_eq!(stage.find("pods", "second")["status"]["phase"], "Pending");
    stage.delete("pods", "shop", "first");
    stage.pass(60);
    assert_eq!(stage.find("pods", "second")["status"]["phase"], "Running");
}
