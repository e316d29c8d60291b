use serde_json::{Value, json};

use crate::api::Api;

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

/// A cluster that has made its service accounts; from here on its controllers stand still.
async fn open() -> Api {
    let api = Api::open().await;
    api.0.settle();
    api
}

/// A pod that runs and is ready, on the cluster's node.
async fn running(api: &Api, name: &str) {
    let node = api.get("/api/v1/nodes").await.expect(200)["items"][0]["metadata"]["name"].clone();
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "nginx:1"}]},
    });
    api.post(PODS, pod).await.expect(201);
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    api.patch("merge-patch+json", &format!("{PODS}/{name}/status"), status).await.expect(200);
}

/// A budget of which this many disruptions are left.
async fn budget(api: &Api, name: &str, allowed: i64) {
    let spec = json!({"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}});
    api.post(BUDGETS, json!({"metadata": {"name": name}, "spec": spec})).await.expect(201);
    let status = json!({"status": {
        "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1 + allowed, "desiredHealthy": 1,
        "expectedPods": 2, "conditions": [{"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods",
            "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }});
    api.patch("merge-patch+json", &format!("{BUDGETS}/{name}/status"), status).await.expect(200);
}

async fn evict(api: &Api, name: &str, options: Value) -> crate::api::Answer {
    let eviction = json!({"metadata": {"name": name}, "deleteOptions": options});
    api.post(&format!("{PODS}/{name}/eviction"), eviction).await
}

#[tokio::test]
async fn an_eviction_on_trial_leaves_the_pod_alone() {
    let api = open().await;
    running(&api, "a").await;
    budget(&api, "web", 1).await;
    let before = api.get(&format!("{PODS}/a")).await.expect(200);
    evict(&api, "a", json!({"dryRun": ["All"]})).await.expect(201);
    assert_eq!(api.get(&format!("{PODS}/a")).await.expect(200), before);
    assert_eq!(api.get(&format!("{BUDGETS}/web")).await.expect(200)["status"]["disruptionsAllowed"], 1);
}

/// Clients from before 1.22 write it so.
#[tokio::test]
async fn an_eviction_of_the_old_version_is_one() {
    let api = open().await;
    running(&api, "a").await;
    let old = json!({"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "a"}});
    api.post(&format!("{PODS}/a/eviction"), old).await.expect(201);
    assert!(api.get(&format!("{PODS}/a")).await.expect(200)["metadata"]["deletionTimestamp"].is_string());
}

#[tokio::test]
async fn a_budget_lets_no_more_pods_go_than_it_has_left() {
    let api = open().await;
    running(&api, "a").await;
    running(&api, "b").await;
    budget(&api, "web", 1).await;
    evict(&api, "a", json!({})).await.expect(201);
    let going = api.get(&format!("{PODS}/a")).await.expect(200);
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(going["status"]["conditions"][1]["reason"], "EvictionByEvictionAPI");
    let spent = api.get(&format!("{BUDGETS}/web")).await.expect(200);
    assert_eq!(spent["status"]["disruptionsAllowed"], 0);
    assert!(spent["status"]["disruptedPods"]["a"].is_string());
    assert_eq!(spent["status"]["conditions"][0]["reason"], "InsufficientPods");
    let refused = evict(&api, "b", json!({})).await;
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "DisruptionBudget");
    refused.refused(429, "Cannot evict pod as it would violate the pod's disruption budget.");
    // What goes already may be evicted again.
    evict(&api, "a", json!({})).await.expect(201);
}

#[tokio::test]
async fn an_eviction_under_two_budgets_fails_as_the_real_one_does() {
    let api = open().await;
    running(&api, "a").await;
    budget(&api, "one", 1).await;
    budget(&api, "two", 1).await;
    let answer = evict(&api, "a", json!({})).await.expect(201);
    assert_eq!((answer["status"].as_str(), answer["code"].as_u64()), (Some("Failure"), Some(500)));
    assert!(api.get(&format!("{PODS}/a")).await.expect(200)["metadata"]["deletionTimestamp"].is_null());
}

#[tokio::test]
async fn an_eviction_names_the_pod_and_may_name_its_version() {
    let api = open().await;
    running(&api, "a").await;
    api.post(&format!("{PODS}/a/eviction"), json!({"metadata": {"name": "b"}}))
        .await
        .refused(400, "name in URL does not match name in Eviction object");
    let old = json!({"preconditions": {"resourceVersion": "1"}});
    assert_eq!(evict(&api, "a", old).await.code, 409);
    let version = api.get(&format!("{PODS}/a")).await.expect(200)["metadata"]["resourceVersion"].clone();
    evict(&api, "a", json!({"preconditions": {"resourceVersion": version}})).await.expect(201);
}
