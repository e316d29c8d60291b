use serde_json::json;

use super::super::fields::{count, truth};
use super::{Stage, deployment};

#[test]
fn a_play_kept_in_the_cluster_is_put_on_and_taken_off() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", deployment("web", 1));
    stage.rest();
    let ready = |stage: &Stage| truth(&stage.list("pods")[0], "/status/containerStatuses/0/ready");
    assert!(ready(&stage));
    let play = |faults: serde_json::Value| json!({"simulation": {}, "faults": faults}).to_string();
    stage.create(
        "configmaps",
        json!({
            "metadata": {"name": "landfall-play", "namespace": "kube-system"},
            "data": {"play": play(json!(["deployment/web=unready"]))},
        }),
    );
    stage.rest();
    assert!(!ready(&stage));
    let mut kept = stage.world.find("configmaps", "kube-system", "landfall-play").expect("there").value().clone();
    kept["data"]["play"] = play(json!([])).into();
    stage.world.update(&stage.actor, "configmaps", kept).expect("a valid change");
    stage.rest();
    assert!(ready(&stage));
}

#[test]
fn a_fault_that_is_taken_back_leaves_no_back_off_behind() {
    let mut stage = Stage::plain();
    let play = |faults: serde_json::Value, since: &str| {
        json!({
            "metadata": {"name": "landfall-play", "namespace": "kube-system"},
            "data": {"play": json!({"faults": faults, "since": since}).to_string()},
        })
    };
    stage.create("configmaps", play(json!(["deployment/web=crashloop"]), "2000-01-01T00:00:00Z"));
    stage.create("deployments.apps", deployment("web", 1));
    stage.pass(15);
    let restarts = |stage: &Stage| count(&stage.list("pods")[0], "/status/containerStatuses/0/restartCount");
    assert_eq!(restarts(&stage), 2);
    let mut kept = stage.world.find("configmaps", "kube-system", "landfall-play").expect("there").value().clone();
    kept["data"] = play(json!([]), &stage.world.now().to_string())["data"].clone();
    stage.world.update(&stage.actor, "configmaps", kept).expect("a valid change");
    stage.rest();
    assert!(truth(&stage.list("pods")[0], "/status/containerStatuses/0/ready"));
    assert_eq!(restarts(&stage), 3);
}
