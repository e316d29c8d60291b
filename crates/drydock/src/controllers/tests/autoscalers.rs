use serde_json::{Value, json};

use super::super::fields::{condition, count, text};
use super::{Stage, deployment};

const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";

fn autoscaler(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": 1, "maxReplicas": 8,
        "metrics": [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}})
}

/// A stage with a deployment of one pod that asks for 100m, and what it is declared to do.
fn stage(simulation: Value) -> Stage {
    let mut stage = Stage::with(simulation, &[]);
    let mut web = deployment("web", 1);
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "100m"}});
    stage.create("deployments.apps", web);
    stage.pass(5);
    stage
}

fn said(stage: &Stage, kind: &str) -> String {
    let autoscaler = stage.find(AUTOSCALERS, "web");
    let condition = condition(&autoscaler, kind).expect("set");
    format!("{} {}: {}", text(condition, "/status"), text(condition, "/reason"), text(condition, "/message"))
}

#[test]
fn without_a_declared_load_there_are_no_metrics_and_the_scale_is_left_alone() {
    let mut stage = stage(json!({}));
    stage.create(AUTOSCALERS, autoscaler("web"));
    stage.pass(60);
    let why = "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from \
               resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";
    assert_eq!(
        said(&stage, "ScalingActive"),
        format!("False FailedGetResourceMetric: the HPA was unable to compute the replica count: {why}")
    );
    assert_eq!(
        stage.events("web").into_iter().filter(|e| e.starts_with("Failed")).collect::<Vec<_>>(),
        [
            format!("FailedGetResourceMetric {why}"),
            format!(
                "FailedComputeMetricsReplicas invalid metrics (1 invalid out of 1), first error is: \
                 failed to get cpu resource metric value: {why}"
            ),
        ]
    );
    assert_eq!(stage.find("deployments.apps", "web")["spec"]["replicas"], 1);
}

#[test]
fn a_declared_load_asks_for_as_many_pods_as_bring_it_to_the_target() {
    let mut stage = stage(json!({"web": {"load": {"cpu": "250m"}}}));
    stage.create(AUTOSCALERS, autoscaler("web"));
    stage.pass(60);
    let web = stage.find("deployments.apps", "web");
    assert_eq!(count(&web, "/status/readyReplicas"), 4, "250m over 70m each: {:#}", web.value());
    assert_eq!(
        stage.events("web").into_iter().filter(|e| e.starts_with("SuccessfulRescale")).collect::<Vec<_>>(),
        ["SuccessfulRescale New size: 4; reason: cpu resource utilization (percentage of request) above target"]
    );
    let status = stage.find(AUTOSCALERS, "web")["status"].clone();
    assert_eq!(
        status["currentMetrics"],
        json!([{"type": "Resource", "resource": {
            "name": "cpu", "current": {"averageUtilization": 62, "averageValue": "62m"}}}])
    );
    assert_eq!(
        said(&stage, "ScalingLimited"),
        "False DesiredWithinRange: the desired count is within the acceptable range"
    );
}

#[test]
fn the_bounds_hold_whatever_the_load_and_one_step_is_limited() {
    let mut stage = stage(json!({"web": {"load": {"cpu": "5"}}}));
    stage.create(AUTOSCALERS, autoscaler("web"));
    stage.pass(1);
    assert_eq!(stage.find("deployments.apps", "web")["spec"]["replicas"], 4, "at most four in the first step");
    stage.pass(120);
    assert_eq!(stage.find("deployments.apps", "web")["spec"]["replicas"], 8);
    assert!(said(&stage, "ScalingLimited").starts_with("True TooManyReplicas"));
}

#[test]
fn fewer_pods_are_asked_for_only_after_the_window() {
    let mut stage = stage(json!({"web": {"load": {"cpu": "20m"}}}));
    stage.change("deployments.apps", "web", |web| web["spec"]["replicas"] = json!(4));
    stage.pass(5);
    stage.create(AUTOSCALERS, autoscaler("web"));
    stage.pass(200);
    assert_eq!(stage.find("deployments.apps", "web")["spec"]["replicas"], 4);
    assert!(said(&stage, "AbleToScale").starts_with("True ScaleDownStabilized"));
    stage.pass(200);
    assert_eq!(stage.find("deployments.apps", "web")["spec"]["replicas"], 1);
}

/// How many pods are asked for, every 15 seconds.
fn followed(stage: &mut Stage, times: usize) -> Vec<i64> {
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(stage.find("deployments.apps", "web")["spec"]["replicas"].as_i64().unwrap_or(0));
        stage.pass(15);
    }
    seen
}

#[test]
fn policies_say_how_many_pods_a_period_may_add() {
    let mut stage = stage(json!({"web": {"load": {"cpu": "5"}}}));
    let mut slow = autoscaler("web");
    slow["spec"]["behavior"] = json!({"scaleUp": {"policies": [
        {"type": "Pods", "value": 1, "periodSeconds": 60}, {"type": "Percent", "value": 50, "periodSeconds": 60}]}});
    stage.create(AUTOSCALERS, slow);
    stage.pass(1);
    // The greater of one pod and half of them, rounded up, in each minute.
    assert_eq!(followed(&mut stage, 13), [2, 2, 2, 2, 3, 3, 3, 3, 5, 5, 5, 5, 8]);
    let mut stage = self::stage(json!({"web": {"load": {"cpu": "5"}}}));
    let mut fixed = autoscaler("web");
    fixed["spec"]["behavior"] = json!({"scaleUp": {"selectPolicy": "Disabled"}});
    stage.create(AUTOSCALERS, fixed);
    assert_eq!(followed(&mut stage, 4), [1, 1, 1, 1]);
    assert_eq!(
        said(&stage, "ScalingLimited"),
        "True ScaleUpLimit: the desired replica count is increasing faster than the maximum scale rate"
    );
}

#[test]
fn policies_say_how_many_pods_a_period_may_take_away() {
    let mut stage = stage(json!({"web": {"load": {"cpu": "20m"}}}));
    stage.change("deployments.apps", "web", |web| web["spec"]["replicas"] = json!(8));
    stage.pass(5);
    let mut slow = autoscaler("web");
    slow["spec"]["behavior"] = json!({"scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": "Min", "policies": [
        {"type": "Pods", "value": 2, "periodSeconds": 30}, {"type": "Percent", "value": 50, "periodSeconds": 30}]}});
    stage.create(AUTOSCALERS, slow);
    stage.pass(1);
    assert_eq!(followed(&mut stage, 9), [6, 6, 4, 4, 2, 2, 1, 1, 1]);
}

#[test]
fn a_window_for_growing_takes_the_lowest_recent_recommendation() {
    let mut stage = stage(json!({"web": {"load": {"cpu": "250m"}}}));
    let mut careful = autoscaler("web");
    careful["spec"]["behavior"] = json!({"scaleUp": {"stabilizationWindowSeconds": 60}});
    stage.create(AUTOSCALERS, careful);
    stage.pass(30);
    assert_eq!(stage.find("deployments.apps", "web")["spec"]["replicas"], 1);
    assert!(said(&stage, "AbleToScale").starts_with("True ScaleUpStabilized"));
    stage.pass(60);
    assert_eq!(stage.find("deployments.apps", "web")["spec"]["replicas"], 4);
}

#[test]
fn a_container_that_asks_for_nothing_cannot_be_measured() {
    let mut stage = Stage::with(json!({"web": {"load": {"cpu": "250m"}}}), &[]);
    stage.create("deployments.apps", deployment("web", 1));
    stage.pass(5);
    stage.create(AUTOSCALERS, autoscaler("web"));
    stage.rest();
    let said = said(&stage, "ScalingActive");
    assert!(said.contains("missing request for cpu in container web of Pod web-"), "{said}");
}

#[test]
fn a_target_that_is_not_there_is_named() {
    let mut stage = Stage::plain();
    stage.create(AUTOSCALERS, autoscaler("web"));
    stage.rest();
    let wanted = "False FailedGetScale: the HPA controller was unable to get the target's current scale: \
                  deployments.apps \"web\" not found";
    assert_eq!(said(&stage, "AbleToScale"), wanted);
}
