//! What answers for groups that APIServices hand on.

use serde_json::json;

use crate::api::Api;

#[tokio::test]
async fn a_group_whose_service_answers_nothing_is_unavailable() {
    let api = Api::open().await;
    assert_eq!(api.get("/apis/metrics.example.org/v1").await.code, 404);
    let service = json!({
        "metadata": {"name": "v1.metrics.example.org"},
        "spec": {
            "group": "metrics.example.org", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "insecureSkipTLSVerify": true, "service": {"name": "absent", "namespace": "default"},
        },
    });
    api.post("/apis/apiregistration.k8s.io/v1/apiservices", service).await.expect(201);
    for path in ["", "/pods", "/namespaces/default/pods/a"] {
        let answer = api.get(&format!("/apis/metrics.example.org/v1{path}")).await;
        assert_eq!((answer.code, answer.text.as_str()), (503, "service unavailable\n"), "{path}");
    }
    // It is listed, and nothing is known of it.
    let groups = api.get("/apis").await.expect(200);
    let of_group = |it: &&serde_json::Value| it["name"] == "metrics.example.org";
    let group = groups["groups"].as_array().and_then(|groups| groups.iter().find(of_group)).expect("listed").clone();
    assert_eq!(group["preferredVersion"]["groupVersion"], "metrics.example.org/v1");
    assert_eq!(api.get("/apis/metrics.example.org").await.expect(200)["versions"], group["versions"]);
    let accept = [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")];
    let aggregated = api.send(http::Method::GET, "/apis", &accept, bytes::Bytes::new()).await.expect(200);
    let last = aggregated["items"].as_array().and_then(|items| items.last()).expect("groups").clone();
    assert_eq!(last["versions"], json!([{"version": "v1", "resources": [], "freshness": "Stale"}]));
    assert_eq!(api.get("/apis/metrics.example.org/v2").await.code, 404, "nobody claims that version");
    assert_eq!(api.get("/apis/apps/v1").await.code, 200);
}
