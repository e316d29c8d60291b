use serde_json::json;

use crate::api::{Api, DEPLOYMENTS, deployment};

#[tokio::test]
async fn appliers_own_fields_and_conflict() {
    let api = Api::open().await;
    let path = format!("{DEPLOYMENTS}/d");
    let applied = |manager: &str| format!("{path}?fieldManager={manager}");
    let first = api.patch("apply-patch+yaml", &applied("m1"), deployment("d")).await.expect(201);
    assert_eq!(first["metadata"]["managedFields"][0]["operation"], "Apply");
    let again = api.patch("apply-patch+yaml", &applied("m1"), deployment("d")).await.expect(200);
    assert_eq!(again["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let mut other = deployment("d");
    other["spec"]["replicas"] = json!(5);
    let answer = api.patch("apply-patch+yaml", &applied("m2"), other.clone()).await;
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "FieldManagerConflict");
    answer.refused(409, "Apply failed with 1 conflict: conflict with \"m1\": .spec.replicas");
    let forced = api.patch("apply-patch+yaml", &format!("{}&force=true", applied("m2")), other).await.expect(200);
    assert_eq!(forced["spec"]["replicas"], 5);
    api.patch("apply-patch+yaml", &path, deployment("d")).await.refused(
        422,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
    );
}

#[tokio::test]
async fn a_field_that_is_no_longer_applied_goes() {
    let api = Api::open().await;
    let path = format!("{DEPLOYMENTS}/d?fieldManager=m");
    let mut labelled = deployment("d");
    labelled["metadata"]["labels"] = json!({"x": "y"});
    api.patch("apply-patch+yaml", &path, labelled).await.expect(201);
    let less = api.patch("apply-patch+yaml", &path, deployment("d")).await.expect(200);
    assert!(less["metadata"]["labels"].is_null());
}

#[tokio::test]
async fn what_was_scaled_by_hand_is_not_applied_over() {
    let api = Api::open().await;
    let path = format!("{DEPLOYMENTS}/d");
    api.patch("apply-patch+yaml", &format!("{path}?fieldManager=kubectl"), deployment("d")).await.expect(201);
    let scale = format!("{path}/scale?fieldManager=kubectl");
    api.patch("merge-patch+json", &scale, json!({"spec": {"replicas": 5}})).await.expect(200);
    api.patch("apply-patch+yaml", &format!("{path}?fieldManager=kubectl"), deployment("d")).await.refused(
        409,
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas",
    );
}
