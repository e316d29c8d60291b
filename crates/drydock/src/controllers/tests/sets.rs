use serde_json::json;

use super::super::fields::{count, label, text};
use super::Stage;
use serde_json::Value;

fn stateful_set(name: &str, replicas: i64) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "serviceName": name, "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "db", "image": "db:1",
                "readinessProbe": {"tcpSocket": {"port": 5432}, "initialDelaySeconds": 3}}]}},
    }})
}

#[test]
fn pods_of_a_stateful_set_come_in_order() {
    let mut stage = Stage::plain();
    stage.create("statefulsets.apps", stateful_set("cache", 2));
    stage.pass(1);
    assert_eq!(stage.names("pods"), ["cache-0"]);
    stage.pass(10);
    assert_eq!(stage.names("pods"), ["cache-0", "cache-1"]);
    assert_eq!(
        stage.events("cache"),
        [
            "SuccessfulCreate Create Pod cache-0 in StatefulSet cache successful",
            "SuccessfulCreate Create Pod cache-1 in StatefulSet cache successful",
        ]
    );
    let set = stage.find("statefulsets.apps", "cache");
    assert_eq!(count(&set, "/status/availableReplicas"), 2);
    assert_eq!(text(&set, "/status/currentRevision"), text(&set, "/status/updateRevision"));
    let pod = stage.find("pods", "cache-1");
    assert_eq!(label(&pod, "apps.kubernetes.io/pod-index"), Some("1"));
    assert_eq!(label(&pod, "controller-revision-hash"), Some(text(&set, "/status/updateRevision")));
}

#[test]
fn an_update_goes_from_the_highest_ordinal_down_and_stops_at_the_partition() {
    let mut stage = Stage::plain();
    let mut set = stateful_set("db", 3);
    set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    stage.create("statefulsets.apps", set);
    stage.pass(30);
    stage.change("statefulsets.apps", "db", |s| {
        s["spec"]["template"]["spec"]["containers"][0]["image"] = json!("db:2");
    });
    stage.pass(120);
    let images: Vec<String> =
        stage.list("pods").iter().map(|p| text(p, "/spec/containers/0/image").to_owned()).collect();
    assert_eq!(images, ["db:1", "db:2", "db:2"]);
    let deletions: Vec<String> = stage.events("db").into_iter().filter(|e| e.starts_with("SuccessfulDelete")).collect();
    assert_eq!(
        deletions,
        [
            "SuccessfulDelete Delete Pod db-2 in StatefulSet db successful",
            "SuccessfulDelete Delete Pod db-1 in StatefulSet db successful",
        ]
    );
    let set = stage.find("statefulsets.apps", "db");
    assert_ne!(text(&set, "/status/currentRevision"), text(&set, "/status/updateRevision"));
    assert_eq!(count(&set, "/status/updatedReplicas"), 2);
}

#[test]
fn a_stateful_set_shrinks_from_the_top() {
    let mut stage = Stage::plain();
    stage.create("statefulsets.apps", stateful_set("db", 3));
    stage.pass(30);
    stage.change("statefulsets.apps", "db", |s| s["spec"]["replicas"] = json!(1));
    stage.pass(60);
    assert_eq!(stage.names("pods"), ["db-0"]);
}

#[test]
fn a_daemon_set_has_a_pod_on_each_node_that_fits() {
    let nodes = ["a", "b", "c"]
        .map(|name| crate::controllers::NodeSpec {
            name: name.to_owned(),
            taints: if name == "c" { vec![json!({"key": "db", "effect": "NoSchedule"})] } else { Vec::new() },
            ..crate::controllers::NodeSpec::default()
        })
        .to_vec();
    let mut stage = Stage::new(crate::controllers::ControlPlane { nodes, ..Default::default() });
    stage.create("daemonsets.apps", json!({"metadata": {"name": "logs"}, "spec": {
        "selector": {"matchLabels": {"app": "logs"}},
        "template": {"metadata": {"labels": {"app": "logs"}}, "spec": {"containers": [{"name": "c", "image": "l:1"}]}}}}));
    stage.rest();
    let mut on: Vec<String> = stage.list("pods").iter().map(|p| text(p, "/spec/nodeName").to_owned()).collect();
    on.sort();
    assert_eq!(on, ["a", "b"]);
    stage.change("daemonsets.apps", "logs", |d| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = json!("l:2");
    });
    stage.pass(60);
    let set = stage.find("daemonsets.apps", "logs");
    assert_eq!(count(&set, "/status/updatedNumberScheduled"), 2, "{:#}", set.value());
    assert_eq!(count(&set, "/status/numberAvailable"), 2);
}

#[test]
fn a_daemon_sets_pod_is_bound_to_its_node_and_to_nothing_else() {
    let mut stage = Stage::plain();
    let linux = json!({"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]});
    let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [linux]}});
    stage.create(
        "daemonsets.apps",
        json!({"metadata": {"name": "logs"}, "spec": {
        "selector": {"matchLabels": {"app": "logs"}},
        "template": {"metadata": {"labels": {"app": "logs"}}, "spec": {
            "affinity": {"nodeAffinity": required}, "containers": [{"name": "c", "image": "l:1"}]}}}}),
    );
    stage.rest();
    let pods = stage.list("pods");
    assert_eq!(pods.len(), 1);
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let here = json!([{"key": "metadata.name", "operator": "In", "values": [text(&pods[0], "/spec/nodeName")]}]);
    assert_eq!(pods[0].pointer(terms), Some(&json!([{"matchFields": here}])));
}

#[test]
fn a_budget_counts_what_may_go() {
    let mut stage = Stage::plain();
    stage.create(
        "poddisruptionbudgets.policy",
        json!({"metadata": {"name": "web"}, "spec": {
        "minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
    );
    stage.create("deployments.apps", super::deployment("web", 3));
    stage.rest();
    let budget = stage.find("poddisruptionbudgets.policy", "web");
    assert_eq!(count(&budget, "/status/disruptionsAllowed"), 2);
    assert_eq!(count(&budget, "/status/expectedPods"), 3);
}

#[test]
fn a_set_that_asks_for_billions_takes_no_more_than_there_is_room_for() {
    let mut stage = Stage::plain();
    let mut set = stateful_set("huge", 2_000_000_000);
    set["spec"]["podManagementPolicy"] = json!("Parallel");
    stage.create("statefulsets.apps", set);
    let now = stage.world.now();
    stage.controllers.advance(&mut stage.world, now);
    let made = stage.list("pods").len();
    assert!((1..=1500).contains(&made), "{made} pods in one step");
}

#[test]
fn a_daemon_sets_template_is_counted_and_its_pods_say_which() {
    let mut stage = Stage::plain();
    let template =
        json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
    let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "template": template});
    stage.create("daemonsets.apps", json!({"metadata": {"name": "agent"}, "spec": spec}));
    stage.pass(5);
    stage.change("daemonsets.apps", "agent", |set| set["spec"]["minReadySeconds"] = json!(1));
    let counted = |stage: &Stage| {
        let set = stage.find("daemonsets.apps", "agent");
        set["metadata"]["annotations"]["deprecated.daemonset.template.generation"].clone()
    };
    assert_eq!(counted(&stage), "1");
    stage.change("daemonsets.apps", "agent", |set| {
        set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:2");
        set["metadata"]["annotations"] = json!({});
    });
    assert_eq!(counted(&stage), "2");
    stage.pass(60);
    let pods = stage.list("pods");
    assert_eq!(label(&pods[0], "pod-template-generation"), Some("2"));
    assert_eq!(count(&stage.find("daemonsets.apps", "agent"), "/metadata/generation"), 3);
}

fn daemon_set(strategy: Value) -> Value {
    json!({"metadata": {"name": "logs"}, "spec": {
        "selector": {"matchLabels": {"app": "logs"}}, "updateStrategy": strategy,
        "template": {"metadata": {"labels": {"app": "logs"}}, "spec": {"containers": [{"name": "c", "image": "l:1",
            "readinessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 5}}]}}}})
}

fn on_nodes(names: &[&str]) -> Stage {
    let node = |name: &&str| crate::controllers::NodeSpec {
        name: (*name).to_owned(),
        ..crate::controllers::NodeSpec::default()
    };
    let nodes = names.iter().map(node).collect();
    Stage::new(crate::controllers::ControlPlane { nodes, ..Default::default() })
}

fn change_image(stage: &mut Stage, image: &str) {
    stage.change("daemonsets.apps", "logs", |d| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    });
}

/// Each daemon pod as `node image ready`, in the order of the nodes.
fn daemons(stage: &Stage) -> Vec<String> {
    let mut pods: Vec<String> = stage
        .list("pods")
        .iter()
        .map(|p| {
            let ready = super::super::fields::is_true(p, "Ready");
            let image = text(p, "/spec/containers/0/image");
            format!("{} {image} {}", text(p, "/spec/nodeName"), if ready { "ready" } else { "not ready" })
        })
        .collect();
    pods.sort();
    pods
}

#[test]
fn a_daemon_set_that_surges_brings_the_new_pod_before_the_old_one_goes() {
    let mut stage = on_nodes(&["a", "b"]);
    stage.create(
        "daemonsets.apps",
        daemon_set(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})),
    );
    stage.pass(30);
    change_image(&mut stage, "l:2");
    stage.pass(2);
    let seen = daemons(&stage);
    assert_eq!(seen.iter().filter(|pod| pod.contains("l:1 ready")).count(), 2, "{seen:?}");
    assert_eq!(seen.iter().filter(|pod| pod.contains("l:2")).count(), 1, "{seen:?}");
    stage.pass(60);
    assert_eq!(daemons(&stage), ["a l:2 ready", "b l:2 ready"]);
}

#[test]
fn a_daemon_set_rolls_one_node_after_the_other() {
    let mut stage = on_nodes(&["a", "b", "c"]);
    stage.create("daemonsets.apps", daemon_set(json!({"type": "RollingUpdate"})));
    stage.pass(30);
    change_image(&mut stage, "l:2");
    for _ in 0..120 {
        stage.pass(1);
        let unready = 3 - daemons(&stage).iter().filter(|pod| pod.ends_with(" ready") && !pod.contains("not")).count();
        assert!(unready <= 1, "{:?}", daemons(&stage));
    }
    assert_eq!(daemons(&stage), ["a l:2 ready", "b l:2 ready", "c l:2 ready"]);
}

#[test]
fn a_daemon_set_on_delete_waits_for_its_pods_to_be_deleted() {
    let mut stage = on_nodes(&["a", "b"]);
    stage.create("daemonsets.apps", daemon_set(json!({"type": "OnDelete"})));
    stage.pass(30);
    change_image(&mut stage, "l:2");
    stage.pass(60);
    assert_eq!(daemons(&stage), ["a l:1 ready", "b l:1 ready"]);
    let pod = stage.list("pods").into_iter().find(|p| text(p, "/spec/nodeName") == "a").expect("one");
    let name = super::super::fields::name(&pod).to_owned();
    stage.delete("pods", "shop", &name);
    stage.pass(60);
    assert_eq!(daemons(&stage), ["a l:2 ready", "b l:1 ready"]);
    let set = stage.find("daemonsets.apps", "logs");
    assert_eq!(count(&set, "/status/updatedNumberScheduled"), 1);
}
