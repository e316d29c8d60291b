use landfall_object::{SIMULATED, UNANSWERED};
use serde_json::{Value, json};

use super::super::fields::{annotation, condition, text};
use super::{Stage, deployment};

fn api_service(service: Value) -> Value {
    json!({
        "metadata": {"name": "v1.metrics.example.org"},
        "spec": {
            "group": "metrics.example.org", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": !service.is_null(), "service": service,
        },
    })
}

fn availability(stage: &Stage) -> String {
    let found = stage.find("apiservices.apiregistration.k8s.io", "v1.metrics.example.org");
    let available = condition(&found, "Available").expect("set");
    format!("{} {} {}", text(available, "/status"), text(available, "/reason"), text(available, "/message"))
}

#[test]
fn simulated_pods_make_no_api_available() {
    let mut stage = Stage::plain();
    let service = json!({"name": "web", "namespace": "shop", "port": 443});
    stage.create("apiservices.apiregistration.k8s.io", api_service(service));
    stage.rest();
    assert_eq!(availability(&stage), "False ServiceNotFound service/web in \"shop\" is not present");
    stage.create(
        "services",
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 443}]}}),
    );
    stage.rest();
    assert!(availability(&stage).starts_with("False MissingEndpoints "), "{}", availability(&stage));
    stage.create("deployments.apps", deployment("web", 1));
    stage.pass(30);
    assert_eq!(
        availability(&stage),
        "False FailedDiscoveryCheck failing or missing response from \
         https://web.shop.svc:443/apis/metrics.example.org/v1: the pods behind it are simulated and answer nothing"
    );
    let marked = stage.find("apiservices.apiregistration.k8s.io", "v1.metrics.example.org");
    assert_eq!(annotation(&marked, SIMULATED), Some(UNANSWERED));
    let health = landfall_object::health::assess(marked.object()).expect("a kind with a health");
    assert_eq!(health.message.chars().next(), Some('~'), "{}", health.message);
    stage.delete("deployments.apps", "shop", "web");
    stage.pass(60);
    assert!(availability(&stage).starts_with("False MissingEndpoints "), "{}", availability(&stage));
    let now = stage.find("apiservices.apiregistration.k8s.io", "v1.metrics.example.org");
    assert_eq!(annotation(&now, SIMULATED), None, "whoever waits for its pods waits");
}

#[test]
fn an_api_of_the_cluster_itself_is_available() {
    let mut stage = Stage::plain();
    stage.create("apiservices.apiregistration.k8s.io", api_service(Value::Null));
    stage.rest();
    assert_eq!(availability(&stage), "True Local Local APIServices are always available");
}
