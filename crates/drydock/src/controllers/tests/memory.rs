use serde_json::json;

use super::{Stage, deployment};

/// How much is held: objects, what the controllers remember of what they said, of pods and of what is due, and events.
fn held(stage: &Stage) -> [usize; 5] {
    let controllers = &stage.controllers;
    let world = &stage.world;
    let objects = world.registry().all_stored().map(|resource| world.list(&resource.id, None).count()).sum();
    let retries = controllers.failures.len();
    [
        objects,
        controllers.events.len(),
        controllers.kubelet.len(),
        controllers.queue.len() + retries,
        world.list("events", None).count(),
    ]
}

#[test]
fn a_hundred_upgrades_leave_no_more_behind_than_thirty() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", deployment("web", 2));
    let mut after = Vec::new();
    for number in 0..100 {
        stage.change("deployments.apps", "web", |web| {
            web["spec"]["template"]["metadata"]["annotations"] = json!({"upgrade": number.to_string()});
        });
        let job = json!({"metadata": {"name": "hook"}, "spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "hook", "image": "hook:1", "command": ["true"]}]}}}});
        stage.create("jobs.batch", job);
        stage.pass(900);
        stage.delete("jobs.batch", "shop", "hook");
        if number == 29 || number == 99 {
            after.push(held(&stage));
        }
    }
    for (early, late) in after[0].iter().zip(after[1]) {
        assert!(late <= early + 2, "{after:?}");
    }
}
