//! What is kept of all pods from change to change is what counting them anew finds.

use serde_json::json;

use super::Stage;
use crate::controllers::census::Census;

fn is_kept(stage: &mut Stage) -> Census {
    stage.controllers.take_events(&stage.world);
    let mut anew = Census::default();
    anew.take(&stage.world);
    assert_eq!(stage.controllers.census.sorted_out(), anew.sorted_out());
    anew
}

#[test]
fn pods_that_come_move_end_and_go_are_counted_once() {
    let mut stage = Stage::plain();
    is_kept(&mut stage);
    let template = |app: &str, spec: serde_json::Value| {
        json!({"metadata": {"name": app}, "spec": {"replicas": 3, "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": spec}}})
    };
    let container =
        json!([{"name": "c", "image": "nginx:1", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]);
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "alone"}}});
    let apart = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    stage.create("deployments.apps", template("web", json!({"containers": container})));
    stage.create("deployments.apps", template("alone", json!({"containers": container, "affinity": apart})));
    let job = json!({"metadata": {"name": "once"}, "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": container}}}});
    stage.create("jobs.batch", job);
    stage.rest();
    let kept = is_kept(&mut stage);
    assert_eq!(kept.waiting().count(), 2, "one node takes one of those that want to stand alone");
    let used: i64 = stage.list("nodes").iter().map(|node| kept.used(node.name())["pods"]).sum();
    assert_eq!(used, 4, "the job's pod has ended");
    stage.change("deployments.apps", "web", |web| web["spec"]["replicas"] = json!(1));
    stage.delete("deployments.apps", "shop", "alone");
    stage.rest();
    let kept = is_kept(&mut stage);
    assert_eq!(kept.waiting().count(), 0);
    assert_eq!(stage.list("nodes").iter().map(|node| kept.used(node.name())["pods"]).sum::<i64>(), 1);
}
