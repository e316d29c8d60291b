use http::Method;
use serde_json::json;

use crate::api::{Api, DEPLOYMENTS, MAPS, deployment};

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

#[tokio::test]
async fn a_key_that_is_set_twice_is_no_value_lost_in_silence() {
    let api = Api::open().await;
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s1}\ndata: {a: \"1\"}\ndata: {a: \"2\"}\n";
    let apply = async |text: &str, validation: &str| {
        let path = format!("{MAPS}/s1?fieldManager=m&fieldValidation={validation}");
        let headers = [("content-type", "application/apply-patch+yaml")];
        api.send(Method::PATCH, &path, &headers, text.to_owned().into()).await
    };
    let told = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 5: key \"data\" already set in map";
    apply(text, "Strict").await.refused(400, told);
    assert_eq!(api.get(&format!("{MAPS}/s1")).await.code, 404);
    let warned = apply(text, "Warn").await;
    assert_eq!(warned.warnings, ["299 - \"line 5: key \\\"data\\\" already set in map\""]);
    assert_eq!(warned.expect(201)["data"]["a"], "2");
    apply(text, "Strict").await.refused(400, told);
    let json = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s1"},"data":{"a":"1","a":"3"}}"#;
    let told = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key \"a\" already set in map";
    apply(json, "Strict").await.refused(400, told);
    let ignored = apply(json, "Ignore").await;
    assert_eq!(ignored.warnings, [""; 0]);
    assert_eq!(ignored.expect(200)["data"]["a"], "3");
}
