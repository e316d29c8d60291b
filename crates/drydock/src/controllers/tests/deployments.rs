use serde_json::json;

use super::super::fields::{annotation, condition, count, text};
use super::{Stage, deployment};

#[test]
fn a_new_deployment_gets_its_set_and_pods_and_says_so() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", deployment("web", 2));
    stage.rest();
    let web = stage.find("deployments.apps", "web");
    assert_eq!(count(&web, "/status/availableReplicas"), 2, "{:#}", web.value());
    assert_eq!(count(&web, "/status/terminatingReplicas"), 0);
    assert_eq!(text(condition(&web, "Progressing").expect("set"), "/reason"), "NewReplicaSetAvailable");
    assert_eq!(text(condition(&web, "Available").expect("set"), "/reason"), "MinimumReplicasAvailable");
    assert_eq!(annotation(&web, "deployment.kubernetes.io/revision"), Some("1"));
    let set = &stage.list("replicasets.apps")[0];
    assert_eq!(annotation(set, "deployment.kubernetes.io/max-replicas"), Some("3"));
    assert_eq!(stage.events("web"), [format!("ScalingReplicaSet Scaled up replica set {} from 0 to 2", set.name())]);
}

#[test]
fn the_status_is_written_in_the_recorded_order() {
    let mut stage = Stage::plain();
    let before = stage.world.version();
    stage.create("deployments.apps", deployment("web", 2));
    stage.rest();
    let mut reasons: Vec<String> = Vec::new();
    for event in stage.world.events_since(before).expect("kept") {
        if &*event.object_ref.resource == "deployments.apps" {
            let reason = |kind: &str| condition(&event.object, kind).map_or("", |c| text(c, "/reason")).to_owned();
            let line = format!(
                "{} {} {}/{}/{}",
                reason("Progressing"),
                reason("Available"),
                count(&event.object, "/status/replicas"),
                count(&event.object, "/status/unavailableReplicas"),
                count(&event.object, "/status/availableReplicas"),
            );
            if reasons.last() != Some(&line) {
                reasons.push(line);
            }
        }
    }
    assert_eq!(
        reasons,
        [
            "  0/0/0",
            "NewReplicaSetCreated  0/0/0",
            "NewReplicaSetCreated MinimumReplicasUnavailable 0/2/0",
            "ReplicaSetUpdated MinimumReplicasUnavailable 2/2/0",
            "NewReplicaSetAvailable MinimumReplicasAvailable 2/0/2",
        ]
    );
}

#[test]
fn a_new_image_rolls_out_in_the_recorded_order() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", deployment("web", 2));
    stage.rest();
    let old = stage.names("replicasets.apps")[0].clone();
    stage.change("deployments.apps", "web", |d| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:2");
    });
    stage.pass(60);
    let new = stage.names("replicasets.apps").into_iter().find(|n| *n != old).expect("a new set");
    assert_eq!(
        stage.events("web")[1..],
        [
            format!("ScalingReplicaSet Scaled up replica set {new} from 0 to 1"),
            format!("ScalingReplicaSet Scaled down replica set {old} from 2 to 1"),
            format!("ScalingReplicaSet Scaled up replica set {new} from 1 to 2"),
            format!("ScalingReplicaSet Scaled down replica set {old} from 1 to 0"),
        ]
    );
    assert_eq!(stage.list("pods").len(), 2);
    let web = stage.find("deployments.apps", "web");
    assert_eq!(annotation(&web, "deployment.kubernetes.io/revision"), Some("2"));
}

#[test]
fn a_rollout_that_stands_still_times_out_and_the_old_set_serves_on() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", deployment("web", 2));
    stage.rest();
    stage.change("deployments.apps", "web", |d| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = json!("Bad/Image");
    });
    stage.pass(599);
    let web = stage.find("deployments.apps", "web");
    assert_eq!(text(condition(&web, "Progressing").expect("set"), "/status"), "True");
    stage.pass(10);
    let web = stage.find("deployments.apps", "web");
    let progressing = condition(&web, "Progressing").expect("set");
    assert_eq!(text(progressing, "/reason"), "ProgressDeadlineExceeded");
    assert!(text(progressing, "/message").ends_with("has timed out progressing."));
    assert_eq!(count(&web, "/status/availableReplicas"), 2);
}

#[test]
fn recreate_waits_until_the_old_pods_are_gone() {
    let mut stage = Stage::plain();
    let mut db = deployment("db", 1);
    db["spec"]["strategy"] = json!({"type": "Recreate"});
    stage.create("deployments.apps", db);
    stage.rest();
    let before = stage.world.version();
    stage.change("deployments.apps", "db", |d| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = json!("nginx:2");
    });
    stage.pass(60);
    let mut alive: i64 = 1;
    for event in stage.world.events_since(before).expect("kept") {
        if &*event.object_ref.resource == "pods" {
            match event.change {
                landfall_apiserver::Change::Added => alive += 1,
                landfall_apiserver::Change::Deleted => alive -= 1,
                landfall_apiserver::Change::Modified => {}
            }
            assert!(alive <= 1, "two pods at once");
        }
    }
    assert_eq!(count(&stage.find("deployments.apps", "db"), "/status/availableReplicas"), 1);
}

#[test]
fn rolling_back_takes_the_old_set_up_again() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", deployment("web", 1));
    stage.rest();
    for image in ["nginx:2", "nginx:1"] {
        stage.change("deployments.apps", "web", |d| {
            d["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        });
        stage.pass(60);
    }
    assert_eq!(stage.list("replicasets.apps").len(), 2);
    let web = stage.find("deployments.apps", "web");
    assert_eq!(annotation(&web, "deployment.kubernetes.io/revision"), Some("3"));
    let sets = stage.list("replicasets.apps");
    let current = sets.iter().find(|s| count(s, "/spec/replicas") == 1).expect("one is active");
    assert_eq!(annotation(current, "deployment.kubernetes.io/revision-history"), Some("1"));
}

#[test]
fn deleting_a_deployment_takes_sets_and_pods_along() {
    let mut stage = Stage::plain();
    stage.create("deployments.apps", deployment("web", 3));
    stage.rest();
    stage.delete("deployments.apps", "shop", "web");
    stage.pass(60);
    assert!(stage.list("replicasets.apps").is_empty());
    assert!(stage.list("pods").is_empty());
}

#[test]
fn scaling_amid_a_rollout_is_proportional() {
    let mut stage = Stage::plain();
    let mut web = deployment("web", 10);
    web["spec"]["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    stage.create("deployments.apps", web);
    stage.rest();
    stage.change("deployments.apps", "web", |d| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = json!("Bad/Image");
    });
    stage.rest();
    stage.change("deployments.apps", "web", |d| d["spec"]["replicas"] = json!(15));
    stage.rest();
    let mut sizes: Vec<i64> = stage.list("replicasets.apps").iter().map(|s| count(s, "/spec/replicas")).collect();
    sizes.sort_unstable();
    assert_eq!(sizes.iter().sum::<i64>(), 18);
    assert_eq!(sizes, [7, 11]);
}

#[test]
fn pods_that_a_namespace_does_not_let_in_are_told_in_the_real_words() {
    let mut stage = Stage::plain();
    stage.create(
        "namespaces",
        json!({"metadata": {"name": "strict", "labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}),
    );
    stage.rest();
    let mut web = deployment("web", 1);
    web["metadata"]["namespace"] = "strict".into();
    web["spec"]["template"]["spec"]["hostPID"] = true.into();
    stage.create("deployments.apps", web);
    stage.pass(5);
    let within = |resource: &str| stage.world.list(resource, Some("strict")).cloned().collect::<Vec<_>>();
    assert!(within("pods").is_empty());
    let web = within("deployments.apps")[0].clone();
    let failure = condition(&web, "ReplicaFailure").expect("set");
    assert_eq!(text(failure, "/reason"), "FailedCreate");
    let words = "is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)";
    assert!(
        text(failure, "/message").starts_with("pods \"web-") && text(failure, "/message").ends_with(words),
        "{failure}"
    );
    let told = within("events").iter().any(|event| {
        text(event, "/reason") == "FailedCreate"
            && text(event, "/message").starts_with("Error creating: pods \"web-")
            && text(event, "/message").ends_with(words)
    });
    assert!(told);
}
