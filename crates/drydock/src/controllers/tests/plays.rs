use jiff::SignedDuration;
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

#[test]
fn a_crash_in_the_second_in_which_a_play_began_backs_off_like_any_other() {
    let mut stage = Stage::plain();
    let tick = |stage: &Stage| {
        let clock = stage.world.clock().clone();
        clock.as_virtual().expect("a stage's clock is virtual").advance_by(SignedDuration::from_millis(300));
    };
    tick(&stage);
    let play = json!({"faults": ["deployment/web=crashloop"], "since": stage.world.now().to_string()});
    stage.create(
        "configmaps",
        json!({
            "metadata": {"name": "landfall-play", "namespace": "kube-system"},
            "data": {"play": play.to_string()},
        }),
    );
    tick(&stage);
    stage.create("deployments.apps", deployment("web", 1));
    stage.pass(5);
    assert_eq!(count(&stage.list("pods")[0], "/status/containerStatuses/0/restartCount"), 1);
}

#[test]
fn a_slow_start_takes_its_time_from_the_instant_of_the_start() {
    let mut stage = Stage::with(json!({}), &["deployment/web=slow:2s"]);
    let clock = stage.world.clock().clone();
    let clock = clock.as_virtual().expect("a stage's clock is virtual").clone();
    clock.advance_by(SignedDuration::from_millis(900));
    let mut web = deployment("web", 1);
    web["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1});
    stage.create("deployments.apps", web);
    let begun = stage.world.now();
    let ready = |stage: &Stage| truth(&stage.list("pods")[0], "/status/containerStatuses/0/ready");
    stage.rest();
    while !ready(&stage) && stage.world.now().duration_since(begun) < SignedDuration::from_secs(10) {
        clock.advance_by(SignedDuration::from_millis(100));
        stage.rest();
    }
    let took = stage.world.now().duration_since(begun);
    assert!(took >= SignedDuration::from_secs(2) && took < SignedDuration::from_secs(4), "{took:?}");
}
