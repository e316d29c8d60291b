//! PodSecurity admission over the service that clients use.

use serde_json::{Value, json};

use crate::api::{Answer, Api, deployment};

const PODS: &str = "/api/v1/namespaces/shop/pods";

fn namespace(labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}})
}

fn enforce(level: &str) -> Value {
    json!({"pod-security.kubernetes.io/enforce": level})
}

fn pod(name: &str, spec: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]},
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod
}

async fn shop(labels: Value) -> Api {
    let api = Api::open().await;
    api.post("/api/v1/namespaces", namespace(labels)).await.expect(201);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    let made = api.post("/api/v1/namespaces/shop/serviceaccounts", account).await.code;
    assert!(matches!(made, 201 | 409), "{made}");
    api
}

fn warned(answer: &Answer) -> Vec<String> {
    let text = |header: &String| {
        let quoted = header.strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"')).expect("a warning");
        quoted.replace("\\\"", "\"")
    };
    answer.warnings.iter().map(text).collect()
}

#[tokio::test]
async fn a_pod_below_the_level_is_refused_in_the_real_words() {
    let api = shop(enforce("baseline")).await;
    api.post(PODS, pod("p", json!({"hostNetwork": true, "hostPID": true}))).await.refused(
        403,
        "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true, hostPID=true)",
    );
    api.post(PODS, pod("p", json!({}))).await.expect(201);
}

#[tokio::test]
async fn a_workload_below_the_level_is_taken_with_a_warning_and_a_note() {
    let labels = json!({"pod-security.kubernetes.io/warn": "baseline", "pod-security.kubernetes.io/audit": "baseline"});
    let api = shop(labels).await;
    let mut agent = deployment("agent");
    agent["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let answer = api.post("/apis/apps/v1/namespaces/shop/deployments", agent).await;
    let words = "would violate PodSecurity \"baseline:latest\": privileged (container \"c\" must not set securityContext.privileged=true)";
    assert_eq!(warned(&answer), [words]);
    answer.expect(201);
    let log = api.0.audit();
    let entry = log.iter().rev().find(|entry| entry.path.ends_with("/deployments")).expect("logged");
    assert_eq!(entry.annotations["pod-security.kubernetes.io/audit-violations"], words);
}

#[tokio::test]
async fn labels_that_mean_nothing_are_refused_and_wrong_ones_may_stay() {
    let api = Api::open().await;
    let words = "Namespace \"shop\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"odd\": must be one of privileged, baseline, restricted";
    api.post("/api/v1/namespaces", namespace(enforce("odd"))).await.refused(422, words);
    api.post("/api/v1/namespaces", namespace(json!({}))).await.expect(201);
    let wrong = json!({"metadata": {"labels": enforce("odd")}});
    api.patch("merge-patch+json", "/api/v1/namespaces/shop", wrong).await.refused(422, words);
}

#[tokio::test]
async fn labelling_a_namespace_tells_of_its_pods() {
    let api = shop(json!({})).await;
    for name in ["b", "a", "c"] {
        api.post(PODS, pod(name, json!({"hostPID": true}))).await.expect(201);
    }
    api.post(PODS, pod("good", json!({}))).await.expect(201);
    let path = "/api/v1/namespaces/shop";
    let label = json!({"metadata": {"labels": enforce("baseline")}});
    let answer = api.patch("merge-patch+json", path, label.clone()).await;
    assert_eq!(
        warned(&answer),
        [
            "existing pods in namespace \"shop\" violate the new PodSecurity enforce level \"baseline:latest\"",
            "a (and 2 other pods): host namespaces",
        ]
    );
    answer.expect(200);
    assert!(warned(&api.patch("merge-patch+json", path, label).await).is_empty(), "it is no news");
}

#[tokio::test]
async fn a_pod_of_before_may_change_all_but_its_images() {
    let api = shop(json!({})).await;
    api.post(PODS, pod("p", json!({"hostPID": true}))).await.expect(201);
    let label = json!({"metadata": {"labels": enforce("baseline")}});
    api.patch("merge-patch+json", "/api/v1/namespaces/shop", label).await.expect(200);
    let path = format!("{PODS}/p");
    api.patch("merge-patch+json", &path, json!({"metadata": {"labels": {"a": "b"}}})).await.expect(200);
    let image = json!({"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}});
    let words = "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)";
    api.patch("strategic-merge-patch+json", &path, image).await.refused(403, words);
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "d", "image": "busybox"}]}});
    api.patch("strategic-merge-patch+json", &format!("{path}/ephemeralcontainers"), debug).await.refused(403, words);
}
